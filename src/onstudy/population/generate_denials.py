"""What is denied in generated records, and what they hold completely. Invented."""

from __future__ import annotations

import numpy as np

from onstudy.population.generate_draws import Flags
from onstudy.population.generate_people import THOROUGH, WORKED_UP, People
from onstudy.population.generate_rows import Book, Words

#: What is denied in a record that is well kept, with the kinds that must not be there for it.
_DENIED: dict[str, tuple[str, ...]] = {
    "burkitt": (),
    "cns_leukemia_signs": (),
    "cns_mass": (),
    "neurologic_disorder": (
        "epilepsy", "seizure", "stroke", "brain_injury", "dementia", "parkinson_disease", "benign_brain_tumor",
    ),
    "myocardial_infarction": ("myocardial_infarction",),
    "angina": ("angina",),
    "heart_failure": ("heart_failure",),
    "cardiac_arrhythmia": ("cardiac_arrhythmia", "ventricular_arrhythmia"),
    "other_unstable_cardiac_disease": (),
    "syncope": ("syncope",),
    "chronic_bradycardia": ("sick_sinus_syndrome", "av_block_high_degree"),
    "hiv_infection": ("hiv_infection",),
    "deep_tissue_infection": ("deep_tissue_infection",),
    "other_malignancy": ("other_malignancy",),
    "chronic_liver_disease": ("cirrhosis", "chronic_liver_disease"),
    "sos_vod": ("sos_vod",),
    "extramedullary_disease": (),
}  # fmt: skip


def say_denials(people: People, book: Book, ill: dict[str, Flags]) -> None:
    """Every "no" that is recorded at a visit, of what the patient has not."""
    present = _present(people, book)
    for kind, others in _DENIED.items():
        free = ~present.get(kind, np.zeros(len(people), dtype=bool))
        for other in others:
            free &= ~ill[other]
        at = free & people.kept(f"no {kind}", 0.01, 0.05, 0.3, 0.995)
        book.say(kind, people.all[at], recorded=people.seen[at], value="no")
    _denied_of_some(people, book, ill)


def _present(people: People, book: Book) -> dict[str, Flags]:
    """Who has a statement of a kind so far."""
    found: dict[str, Flags] = {}
    for kind, pages in book.pages.items():
        flags = np.zeros(len(people), dtype=bool)
        for rows in pages:
            flags[rows.patient] = True
        found[kind] = flags
    return found


def _denied_of_some(people: People, book: Book, ill: dict[str, Flags]) -> None:
    """Questions that are asked of some patients only."""
    men = ~people.female
    present = _present(people, book)
    none = np.zeros(len(people), dtype=bool)
    some = {
        "testicular_involvement": men & ~present.get("testicular_involvement", none),
        "testicular_enlargement": men & ~present.get("testicular_enlargement", none),
        "pregnancy": people.female & ~ill["pregnancy"],
        "nursing": people.female & ~ill["nursing"],
        "hct_planned": ~present.get("hct_planned", none),
        "hematopoietic_transplant": ~present.get("hematopoietic_transplant", none),
    }
    for kind, who in some.items():
        at = who & people.kept(f"no {kind}", 0.01, 0.06, 0.3, 0.99)
        book.say(kind, people.all[at], recorded=people.seen[at], value="no")
    given = _agents(people, book)
    for agent in ("cd19_directed", "cd22_directed", "monoclonal_antibody", "cyp3a4_inducer"):
        at = ~given[agent] & people.kept(f"no {agent}", 0.0, 0.03, 0.3, 0.99)
        book.say("treatment", people.all[at], recorded=people.seen[at], value="no", agent=agent)


def _agents(people: People, book: Book) -> dict[str, Flags]:
    """Who was given something of these groups."""
    groups = {
        "cd19_directed": ("blinatumomab", "brexucabtagene_autoleucel", "immunotherapy"),
        "cd22_directed": ("inotuzumab_ozogamicin", "immunotherapy"),
        "monoclonal_antibody": ("blinatumomab", "inotuzumab_ozogamicin", "rituximab", "denosumab", "immunotherapy"),
        "cyp3a4_inducer": ("phenytoin", "carbamazepine", "rifampicin", "st_johns_wort", "phenobarbital"),
    }
    found = {name: np.zeros(len(people), dtype=bool) for name in groups}
    for rows in book.pages.get("treatment", []):
        agents = np.asarray([saying.get("agent", "") for saying in rows.sayings])[rows.said]
        for name, members in groups.items():
            found[name][rows.patient[np.isin(agents, members)]] = True
    return found


def coverage(people: People) -> Words:
    """What each record holds completely: nothing, its treatments, or everything there was."""
    care = people.care
    chance = people.draws.uniform("complete")
    treated = chance < np.where(care == WORKED_UP, 0.97, np.where(care == THOROUGH, 0.4, 0.1))
    whole = people.draws.chance("all complete", np.where(care == WORKED_UP, 0.12, 0.03))
    years = people.draws.chance("complete lately only", 0.3)
    index = np.where(whole, np.where(years, 3, 2), treated.astype(np.int64))
    return Words(index, ("", "treatment hematopoietic_transplant", "all", "all from"))
