"""The leukemia of generated patients: type, CD22, Philadelphia chromosome, status, marrow, spinal fluid. Invented."""

from __future__ import annotations

import numpy as np

from onstudy.population.generate_draws import Draws, Flags, Ints
from onstudy.population.generate_people import (
    AML,
    B_ALL,
    BURKITT,
    MIXED,
    NEW,
    REFRACTORY,
    RELAPSED,
    RELAPSED_AGAIN,
    T_ALL,
    UNTYPED,
    People,
)
from onstudy.population.generate_rows import DAY, MINUTE, MONTH, YEAR, Book, Dates, Words, dates, numbers


def say_leukemia(people: People, book: Book) -> None:
    """Everything about the disease itself."""
    _diagnosis(people, book)
    _status(people, book)
    _cd22(people, book)
    _philadelphia(people, book)
    _marrow(people, book)
    _spinal_fluid(people, book)
    _nervous_system(people, book)
    _testes(people, book)
    _specimens(people, book)


def blurred(draws: Draws, name: str, day: Ints, exact: float = 0.8, month: float = 0.15) -> Dates:
    """Dates of which some are known to the month or the year only."""
    chance = draws.uniform(f"{name}, how exact")
    return dates(day, np.where(chance < exact, DAY, np.where(chance < exact + month, MONTH, YEAR)))


def words(draws: Draws, name: str, **weights: float) -> Words:
    """One of some words, as likely as their weights say; the word `unsaid` is nothing."""
    texts = ["" if word == "unsaid" else word for word in weights]
    return Words(draws.pick(name, list(weights.values())), texts)


def _diagnosis(people: People, book: Book) -> None:
    names = {
        B_ALL: "precursor_b_all",
        T_ALL: "precursor_t_all",
        MIXED: "mixed_phenotype",
        AML: "aml",
    }
    for disease, name in names.items():
        for basis, share in (("morphology", 0.93), ("flow_cytometry", 0.55)):
            some = people.of((people.disease == disease) & people.draws.chance(f"basis {basis}", share))
            who = _where(people, (people.disease == disease) & people.draws.chance(f"basis {basis}", share))
            said = words(some.draws, f"basis said {basis}", **{basis: 0.96, "unsaid": 0.04})
            book.say("leukemia_diagnosis", who, on=some.diagnosed, value=name, basis=said)
    who = _where(people, people.disease == UNTYPED)
    book.say("all_unspecified", who, on=people.diagnosed[who], recorded=people.diagnosed[who])
    who = _where(people, people.disease == BURKITT)
    book.say("burkitt", who, on=people.diagnosed[who], recorded=people.diagnosed[who])


def _where(people: People, which: Flags) -> Ints:
    return people.all[which]


def _status(people: People, book: Book) -> None:
    draws, all_ = people.draws, people.lymphoblastic
    known = all_ & people.kept("status", 0.75, 0.88, 0.95, 0.995)
    first = known & draws.chance("first status", 0.8)
    book.say("all_disease_status", people.all[first], on=people.diagnosed[first], value="newly_diagnosed")
    remitted = known & np.isin(people.stage, (RELAPSED, RELAPSED_AGAIN)) & draws.chance("remission said", 0.7)
    some = people.of(remitted)
    on = blurred(some.draws, "remission", some.diagnosed + some.draws.between("remission after", 28, 60))
    book.say("all_disease_status", people.all[remitted], on=on, value="in_remission")
    words_of = ("", "in_remission", "relapsed", "relapsed", "refractory")
    now = known & (people.stage != NEW)
    value = Words(people.stage[now], words_of)
    book.say("all_disease_status", people.all[now], on=people.turned[now], value=value)
    treated = people.returned & all_ & people.kept("salvage count", 0.25, 0.6, 0.8, 0.985)
    some = people.of(treated)
    again = some.draws.between("salvage", 1, 3)
    count = np.where(some.stage == RELAPSED_AGAIN, again, some.draws.chance("one salvage", 0.2).astype(np.int64))
    book.say("prior_salvage_regimens", people.all[treated], on=some.turned, value=numbers(count))


def _cd22(people: People, book: Book) -> None:
    b_lineage = np.isin(people.disease, (B_ALL, UNTYPED))
    kept = b_lineage & people.kept("cd22", 0.4, 0.7, 0.88, 0.99)
    some, draws = people.of(kept), people.draws.of(kept)
    on = np.where(some.returned & draws.chance("cd22 again", 0.6), some.turned, some.diagnosed)
    high = np.clip(99 - np.floor(draws.around("cd22", 8, 0.9)), 21, 100)
    low = draws.between("cd22, few", 0, 24)
    percent = np.where(draws.chance("cd22 low", 0.08), low, high).astype(np.int64)
    evaluator = words(draws, "cd22 evaluator", local=0.85, central=0.1, unsaid=0.05)
    vague = draws.chance("cd22 vague", 0.05)
    sure = ~vague
    who = people.all[kept]
    book.say(
        "cd22_on_lymphoblasts",
        who[sure],
        on=on[sure],
        value=numbers(percent[sure]),
        unit="%",
        evaluator=evaluator.of(sure),
    )
    book.say("cd22_on_lymphoblasts", who[vague], on=on[vague], value="unknown", evaluator=evaluator.of(vague))


def _philadelphia(people: People, book: Book) -> None:
    for method, shares in (
        ("karyotype", (0.5, 0.7, 0.8, 0.9)),
        ("fish", (0.45, 0.7, 0.85, 0.97)),
        ("pcr", (0.25, 0.45, 0.65, 0.9)),
    ):
        kept = people.lymphoblastic & people.kept(method, *shares)
        some, draws = people.of(kept), people.draws.of(kept)
        seen = some.positive & draws.chance(f"{method} finds it", 0.88 if method == "karyotype" else 0.99)
        awaited = (some.stage == NEW) & draws.chance(f"{method} awaited", 0.1) & (some.care < 3)
        failed = ~awaited & draws.chance(f"{method} failed", 0.02)
        value = Words(np.where(awaited | failed, 0, 1 + seen), ("", "negative", "positive"))
        status = Words(awaited + 2 * failed, ("", "pending", "failed"))
        found = words(draws, "transcript", p190=0.7, p210=0.25, unsaid=0.05)
        said = (method == "pcr") & seen & ~awaited & ~failed
        transcript = Words(np.where(said, found.index, 2), found.words)
        book.say(
            "bcr_abl1",
            people.all[kept],
            on=some.diagnosed + draws.between(f"{method} after", 0, 4),
            value=value,
            status=status,
            method=method,
            transcript=transcript,
        )


def _marrow(people: People, book: Book) -> None:
    kept = people.lymphoblastic & people.kept("marrow", 0.5, 0.8, 0.9, 0.99)
    some, draws = people.of(kept), people.draws.of(kept)
    many = draws.between("blasts", 25, 97)
    returned = np.where(draws.chance("few blasts", 0.12), draws.between("blasts, few", 0, 8), many)
    clear = draws.between("blasts, remission", 0, 4)
    percent = np.where(some.stage == NEW, many, np.where(some.returned, returned, clear))
    below = draws.chance("blasts below", 0.3) & (percent == 0)
    value = Words(np.where(below, 101, percent), [*map(str, range(101)), "<1"])
    who = people.all[kept]
    book.say("marrow_blasts", who, on=some.turned + draws.between("marrow after", 0, 3), value=value, unit="%")
    tested = draws.chance("mrd", np.where(some.stage == NEW, 0.05, 0.55))
    detected = np.where(some.returned, 0.9, 0.4) > draws.uniform("mrd found")
    parts = draws.between("mrd level", 1, 400)
    level = Words(np.where(detected, parts, 0), ["<0.01", *(f"{part / 100:.2f}" for part in range(1, 401))])
    assay = words(draws, "mrd assay", flow_cytometry=0.7, pcr=0.2, sequencing=0.1)
    at = tested
    on = (some.turned + draws.between("mrd after", 0, 20))[at]
    book.say("marrow_mrd", who[at], on=np.minimum(on, people.today), value=level.of(at), unit="%", assay=assay.of(at))
    outside = people.returned & people.lymphoblastic & people.draws.chance("extramedullary", 0.08)
    on = people.turned[outside]
    book.say("extramedullary_disease", people.all[outside], on=on, to=_going(on), recorded=on)


def _going(day: Ints) -> Dates:
    from onstudy.population.generate_rows import OPEN

    return dates(day, OPEN)


def _spinal_fluid(people: People, book: Book) -> None:
    kept = people.lymphoblastic & people.kept("tap", 0.25, 0.6, 0.85, 0.99)
    for name, which in (("first tap", kept), ("tap", kept & people.returned)):
        some = people.of(which)
        draws = some.draws
        chance = draws.uniform(f"{name}, cells")
        more = 5 * draws.between(f"{name}, white", 1, 12)
        wbc = np.where(chance < 0.9, draws.between(f"{name}, few white", 0, 4), more)
        bloody = draws.chance(f"{name}, bloody", 0.12)
        rbc = np.where(bloody, 10 * draws.between(f"{name}, red", 1, 9) ** 3, draws.between(f"{name}, few red", 0, 4))
        blasts = draws.chance(f"{name}, blasts", np.where(wbc >= 5, 0.6, 0.05))
        said = draws.uniform(f"{name}, cytospin")
        cytospin = Words(np.where(said < 0.06, 0, 1 + blasts), ("", "negative", "positive"))
        flow = words(draws, f"{name}, flow", unsaid=0.62, negative=0.33, positive=0.03, not_done=0.02)
        day = some.diagnosed if name == "first tap" else some.turned
        book.say(
            "csf_examination",
            people.all[which],
            on=dates(
                np.minimum(day + draws.between(f"{name}, after", 0, 6), people.today),
                MINUTE,
                draws.between(f"{name}, minute", 480, 900),
            ),
            wbc=_counted(wbc),
            rbc=_counted(rbc),
            cytospin=cytospin,
            flow=flow,
        )


def _counted(values: Ints) -> Words:
    found = numbers(values)
    return Words(found.index, [f"{word} /uL" for word in found.words])


def _nervous_system(people: People, book: Book) -> None:
    ill = people.lymphoblastic & people.draws.chance("cns signs", 0.03)
    some = people.of(ill)
    on = np.maximum(some.turned - some.draws.between("cns signs before", 0, 20), some.born)
    cause = words(some.draws, "cns signs cause", unsaid=0.6, leukemia=0.25, other_proven=0.15)
    ended = dates(np.minimum(on + some.draws.between("cns signs last", 3, 40), people.today - 1))
    book.say("cns_leukemia_signs", people.all[ill], on=on, to=ended, recorded=some.seen, cause=cause)
    mass = people.lymphoblastic & people.draws.chance("cns mass", 0.006)
    on = people.turned[mass]
    book.say("cns_mass", people.all[mass], on=on, to=_going(on), recorded=on)


def _testes(people: People, book: Book) -> None:
    men = ~people.female & people.lymphoblastic
    ill = men & people.draws.chance("testes", 0.018)
    some = people.of(ill)
    on = some.turned
    suspected = words(some.draws, "testes suspected", unsaid=0.6, yes=0.4)
    book.say("testicular_involvement", people.all[ill], on=on, recorded=on, suspected=suspected)
    planned = ill & people.draws.chance("testes treated", 0.5)
    book.say("testicular_radiotherapy", people.all[planned], on=people.turned[planned])
    large = men & people.draws.chance("testes large", 0.03)
    book.say("testicular_enlargement", people.all[large], on=people.turned[large])
    imaged = large & people.draws.chance("testes imaged", 0.6)
    book.say("testicular_imaging", people.all[imaged], on=people.turned[imaged] + 1)


def _specimens(people: People, book: Book) -> None:
    ready = people.lymphoblastic & np.isin(people.stage, (NEW, RELAPSED, RELAPSED_AGAIN, REFRACTORY))
    sent = ready & people.kept("specimens", 0.0, 0.01, 0.08, 0.86)
    some, draws = people.of(sent), people.draws.of(sent)
    on = np.minimum(some.turned + draws.between("specimens after", 0, 5), people.today)
    pull = words(draws, "first pull", yes=0.9, no=0.05, unsaid=0.05)
    where = words(draws, "sent to", heme_biobank=0.95, unsaid=0.05)
    book.say("mrd_marrow_submission", people.all[sent], on=on, first_pull=pull, destination=where)
    both = draws.chance("blood too", 0.96)
    book.say("mrd_blood_submission", people.all[sent][both], on=on[both], destination=where.of(both))
