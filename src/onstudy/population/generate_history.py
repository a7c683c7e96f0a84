"""The rest of a generated record: heart, nerves, liver, infections, other cancers, pregnancy. Invented."""

from __future__ import annotations

import numpy as np

from onstudy.population.generate_denials import say_denials
from onstudy.population.generate_draws import Flags
from onstudy.population.generate_leukemia import words
from onstudy.population.generate_people import People
from onstudy.population.generate_rows import DAY, MONTH, OPEN, Book, Words, dates
from onstudy.population.generate_viruses import say_viruses, since


def say_history(people: People, book: Book) -> None:
    """Everything beside the leukemia and its treatment."""
    ill: dict[str, Flags] = {}
    _heart(people, book, ill)
    _nerves(people, book, ill)
    _liver(people, book, ill)
    _infections(people, book, ill)
    say_viruses(people, book, ill)
    _cancers(people, book, ill)
    _pregnancy(people, book, ill)
    _judgements(people, book, ill)
    say_denials(people, book, ill)


def _event(
    people: People, book: Book, ill: dict[str, Flags], kind: str, share: object, most: int = 2500, **said: Words | str
) -> Flags:
    """A diagnosis that happened once, or lasts; its day of record is that of a visit."""
    which = people.draws.chance(kind, np.asarray(share, dtype=np.float64))
    ill[kind] = which
    kept = {key: word.of(which) if isinstance(word, Words) else word for key, word in said.items()}
    on = since(people, kind, which, most)
    recorded = np.maximum(people.seen[which], on.day)
    end = dates(on.day, OPEN) if kind in _LASTING else None
    book.say(kind, people.all[which], on, end, recorded, **kept)
    return which


_LASTING = frozenset(
    "heart_failure cardiomyopathy cardiac_arrhythmia ventricular_arrhythmia sick_sinus_syndrome av_block_high_degree "
    "first_degree_av_block epilepsy dementia parkinson_disease movement_disorder cirrhosis fatty_liver "
    "chronic_liver_disease gilbert_syndrome".split()
)


def _heart(people: People, book: Book, ill: dict[str, Flags]) -> None:
    draws, old = people.draws, np.maximum(people.age - 40, 0) / 40
    controlled = words(draws, "controlled", yes=0.66, no=0.14, unsaid=0.2)
    _event(people, book, ill, "myocardial_infarction", 0.005 + 0.05 * old, 3000)
    _event(people, book, ill, "angina", 0.003 + 0.025 * old, 2000)
    failing = _event(people, book, ill, "heart_failure", 0.006 + 0.05 * old, 1800, controlled=controlled)
    graded = failing & draws.chance("nyha", 0.65)
    value = words(draws, "nyha class", I=0.3, II=0.42, III=0.22, IV=0.06).of(graded)
    book.say("nyha_class", people.all[graded], on=people.seen[graded], value=value)
    _event(people, book, ill, "cardiac_arrhythmia", 0.008 + 0.06 * old, 1800, controlled=controlled)
    _event(people, book, ill, "ventricular_arrhythmia", 0.003 + 0.008 * old, 1800)
    cause = words(draws, "syncope cause", vasovagal=0.45, explained=0.2, unexplained=0.2, unsaid=0.15)
    _event(people, book, ill, "syncope", 0.018, 2500, cause=cause)
    slow = _event(people, book, ill, "sick_sinus_syndrome", 0.001 + 0.008 * old, 1500)
    slow = slow | _event(people, book, ill, "av_block_high_degree", 0.001 + 0.006 * old, 1500)
    _event(people, book, ill, "first_degree_av_block", 0.008, 1500)
    paced = slow & draws.chance("pacemaker", 0.6)
    book.say("pacemaker", people.all[paced], on=people.seen[paced] - 30)


def _nerves(people: People, book: Book, ill: dict[str, Flags]) -> None:
    draws, old = people.draws, np.maximum(people.age - 45, 0) / 40
    relevant = words(draws, "relevant", unsaid=0.8, no=0.2)
    _event(people, book, ill, "epilepsy", 0.008, 6000, clinically_relevant=relevant)
    _event(people, book, ill, "seizure", 0.02, 3000, clinically_relevant=relevant)
    _event(people, book, ill, "stroke", 0.003 + 0.035 * old, 3000)
    _event(people, book, ill, "brain_injury", 0.006, 6000)
    _event(people, book, ill, "dementia", 0.012 * old, 1200)
    _event(people, book, ill, "parkinson_disease", 0.01 * old, 1800)
    _event(people, book, ill, "benign_brain_tumor", 0.002, 3000)
    reviewed = (ill["epilepsy"] | ill["seizure"]) & draws.chance("disorder reviewed", 0.1)
    book.say("neurologic_disorder_reviewed", people.all[reviewed], on=people.seen[reviewed])


def _liver(people: People, book: Book, ill: dict[str, Flags]) -> None:
    draws = people.draws
    ill["gilbert_syndrome"] = draws.chance("gilbert", 0.05) & draws.chance("gilbert named", 0.5)
    which = ill["gilbert_syndrome"]
    on = since(people, "gilbert_syndrome", which, 4000)
    book.say("gilbert_syndrome", people.all[which], on=on, to=dates(on.day, OPEN), recorded=people.seen[which])
    _event(people, book, ill, "cirrhosis", 0.006, 1500)
    _event(people, book, ill, "chronic_liver_disease", 0.006, 2500)
    fatty = _event(people, book, ill, "fatty_liver", 0.045, 2500)
    accepted = fatty & draws.chance("fatty liver accepted", 0.3)
    book.say("fatty_liver_is_not_chronic_liver_disease", people.all[accepted], on=people.seen[accepted])
    _event(people, book, ill, "sos_vod", np.where(people.returned, 0.016, 0.004), 900)
    judged = draws.chance("leukemia in the liver", 0.02) & people.lymphoblastic
    book.say("bilirubin_raised_by_leukemia", people.all[judged], on=people.seen[judged])


def _infections(people: People, book: Book, ill: dict[str, Flags]) -> None:
    draws = people.draws
    which = draws.chance("deep_tissue_infection", 0.014)
    ill["deep_tissue_infection"] = which
    some = people.of(which)
    start = some.today - some.draws.between("deep infection, ago", 12, 500)
    end = np.minimum(start + some.draws.between("deep infection, days", 10, 90), some.today - 1)
    over = some.draws.chance("deep infection, over", 0.8)
    ends = dates(end, np.where(over, DAY, OPEN))
    book.say("deep_tissue_infection", people.all[which], on=start, to=ends, recorded=np.maximum(some.seen, start))
    asked = people.kept("uncontrolled infection", 0.01, 0.06, 0.3, 0.97)
    present = draws.chance("infection", 0.06)
    answer = Words(present.astype(np.int64), ("no", "yes")).of(asked)
    book.say("uncontrolled_infection", people.all[asked], on=people.seen[asked], value=answer)


def _cancers(people: People, book: Book, ill: dict[str, Flags]) -> None:
    draws, old = people.draws, np.maximum(people.age - 30, 0) / 50
    which = draws.chance("other cancer", 0.015 + 0.09 * old)
    ill["other_malignancy"] = which
    some, chance = people.of(which), people.draws.of(which)
    types = ("skin_bcc", "skin_scc", "breast", "prostate", "colorectal", "lung", "melanoma", "cervix_in_situ")
    place = chance.pick("cancer type", (0.22, 0.12, 0.16, 0.16, 0.12, 0.08, 0.1, 0.04))
    place = np.where(some.female & (place == 3), 2, np.where(~some.female & (place == 7), 6, place))
    place = np.where(~some.female & (place == 2), 3, place)
    skin = place < 2
    on = since(people, "other cancer", which, 5000, 0.4)
    gone_on = some.today - chance.between("cancer gone", 30, 4000)
    state = words(chance, "cancer state", complete_remission=0.66, active=0.12, partial_remission=0.04, unsaid=0.18)
    there = (state.index == 1) | (state.index == 2)  # active or in partial remission
    told = chance.chance("cancer gone said", 0.5) & ~skin & ~there
    grain = np.where(told, np.where(chance.chance("cancer gone exactly", 0.5), DAY, MONTH), 0)
    gone = dates(np.maximum(gone_on, on.day), grain)
    texts = [gone.text(row) for row in range(len(gone))]
    distinct, index = np.unique(np.asarray(texts, dtype=object).astype(str), return_inverse=True)
    treated = Words(np.where(skin, chance.pick("skin treated", (0.75, 0.05, 0.2)), 2), ("yes", "no", ""))
    stage = words(chance, "cancer stage", I=0.42, II=0.28, III=0.12, IV=0.05, unsaid=0.13)
    book.say(
        "other_malignancy",
        people.all[which],
        on=on,
        to=dates(np.maximum(gone_on, on.day), np.where(told, DAY, OPEN)),
        recorded=np.maximum(some.seen, on.day),
        type=Words(place, types),
        adequately_treated=treated,
        stage=Words(np.where(skin, 4, stage.index), stage.words),
        state=Words(np.where(skin, 3, state.index), state.words),
        disease_free_since=Words(index.astype(np.int64), distinct.tolist()),
    )
    _earlier_cml(people, book, ill)


def _earlier_cml(people: People, book: Book, ill: dict[str, Flags]) -> None:
    which = people.draws.chance("chronic myeloid leukemia", np.where(people.positive, 0.03, 0.001))
    ill["other_malignancy"] = ill["other_malignancy"] | which
    on = since(people, "chronic myeloid leukemia", which, 2500)
    recorded = np.maximum(people.seen[which], on.day)
    book.say(
        "other_malignancy",
        people.all[which],
        on,
        dates(on.day, OPEN),
        recorded,
        type="chronic_myeloid_leukemia",
    )


def _pregnancy(people: People, book: Book, ill: dict[str, Flags]) -> None:
    draws = people.draws
    fertile = people.female & (people.age > 13) & (people.age < 52)
    removed = people.female & draws.chance("hysterectomy", np.clip((people.age - 30) / 300, 0, 0.15))
    on = since(people, "hysterectomy", removed, 5000, 0.4)
    book.say("hysterectomy", people.all[removed], on=on, recorded=np.maximum(people.seen[removed], on.day))
    at = fertile & ~removed & people.kept("menses", 0.1, 0.35, 0.6, 0.98)
    back = draws.between("menses before", 1, 60)
    book.say("menses", people.all[at], on=(people.seen - back)[at])
    past = people.female & (people.age >= 52) & ~removed & people.kept("no menses", 0.15, 0.45, 0.75, 0.985)
    last = people.seen - draws.between("no menses since", 400, 3000)
    book.say("menses", people.all[past], on=last[past], to=people.seen[past], recorded=people.seen[past], value="no")
    pregnant = fertile & ~removed & draws.chance("pregnant", 0.012)
    ill |= {"pregnancy": pregnant, "nursing": fertile & draws.chance("nursing", 0.006)}
    tested = (fertile & ~removed & people.kept("pregnancy test", 0.1, 0.35, 0.65, 0.98)) | pregnant
    value = Words(pregnant[tested].astype(np.int64), ("negative", "positive"))
    back = draws.days("pregnancy test before", 4, 200)
    specimen = words(draws, "pregnancy test of", serum=0.6, urine=0.4).of(tested)
    book.say("pregnancy_test", people.all[tested], on=(people.seen - back)[tested], value=value, specimen=specimen)
    for kind in ("pregnancy", "nursing"):
        which = ill[kind] & draws.chance(f"{kind} charted", 0.8)
        book.say(kind, people.all[which], on=people.seen[which])


def _judgements(people: People, book: Book, ill: dict[str, Flags]) -> None:
    """What only an investigator can say."""
    draws = people.draws
    asked = people.lymphoblastic & people.kept("hypercvad", 0.02, 0.1, 0.3, 0.7)
    unfit = draws.chance("unfit", np.clip((people.age - 30) / 50, 0.05, 0.9))
    value = Words(unfit[asked].astype(np.int64), ("no", "yes"))
    book.say("hypercvad_ineligible", people.all[asked], on=people.seen[asked], value=value)
    accepted = people.draws.chance("pleocytosis accepted", 0.02)
    book.say("csf_pleocytosis_is_cns1", people.all[accepted], on=people.seen[accepted])
