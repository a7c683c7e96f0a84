"""HIV and the hepatitis viruses of generated patients: tests, loads, treatments, what was judged. Invented."""

from __future__ import annotations

import numpy as np

from onstudy.population.generate_draws import Flags
from onstudy.population.generate_leukemia import blurred, words
from onstudy.population.generate_people import People
from onstudy.population.generate_rows import DAY, OPEN, Book, Dates, Words, dates, numbers


def since(people: People, name: str, which: Flags, most: int, exact: float = 0.6) -> Dates:
    """A day in the past, often known to the month or year only, now and then not at all."""
    some = people.of(which)
    day = some.today - 1 - some.draws.days(f"{name}, ago", most / 4, most)
    found = blurred(some.draws, name, np.maximum(day, some.born + 30), exact, (1 - exact) / 2)
    lost = some.draws.chance(f"{name}, undated", 0.05)
    return Dates(found.day, np.where(lost, 0, found.grain).astype(np.int8), found.minute)


def say_viruses(people: People, book: Book, ill: dict[str, Flags]) -> None:
    """Tests of everybody asked, and more of those who are infected; who has which is noted in `ill`."""
    draws = people.draws
    tested = people.kept("serology", 0.15, 0.45, 0.8, 0.99)
    hbv, core, hcv = draws.chance("hbv", 0.025), draws.chance("hbv once", 0.04), draws.chance("hcv", 0.018)
    hiv = draws.chance("hiv", 0.01)
    ill |= {"hiv_infection": hiv, "hepatitis_b": hbv, "hepatitis_c": hcv}
    day = people.seen - draws.days("serology before", 15, 500)
    for kind, found in (("hbsag", hbv), ("anti_hbc", hbv | core), ("anti_hcv", hcv)):
        at = tested & draws.chance(f"{kind} done", 0.95)
        value = Words(found[at].astype(np.int64), ("negative", "positive"))
        book.say(kind, people.all[at], on=day[at], value=value)
    charted = hbv & draws.chance("hbv charted", 0.75)
    _infected(people, book, "hepatitis_b", charted, words(draws, "hbv course", chronic=0.8, unsaid=0.2))
    _load(people, book, "hbv_dna", hbv & draws.chance("hbv dna", 0.75), "[IU]/mL", 0.7, "20")
    _medicine(people, book, "hbv_suppressive_therapy", hbv & draws.chance("hbv treated", 0.7), "entecavir", False)
    _judged(people, book, "hbv_liver_damage", hbv, 0.6)
    charted = hcv & draws.chance("hcv charted", 0.8)
    _infected(people, book, "hepatitis_c", charted, words(draws, "hcv course", chronic=0.7, unsaid=0.3))
    _load(people, book, "hcv_rna", hcv & draws.chance("hcv rna", 0.75), "[IU]/mL", 0.75, "15")
    cured = hcv & draws.chance("hcv treated", 0.65)
    _medicine(people, book, "hcv_eradication_therapy", cured, "sofosbuvir_velpatasvir", True)
    _judged(people, book, "hcv_liver_damage", hcv, 0.6)
    _infected(people, book, "hiv_infection", hiv, None)
    _load(people, book, "hiv_viral_load", hiv & draws.chance("hiv rna", 0.85), "{copies}/mL", 0.82, "20")
    _medicine(people, book, "antiretroviral_therapy", hiv & draws.chance("hiv treated", 0.85), "dolutegravir", False)


def _infected(people: People, book: Book, kind: str, which: Flags, course: Words | None) -> None:
    on = since(people, kind, which, 5000, 0.4)
    said = {} if course is None else {"course": course.of(which)}
    recorded = np.maximum(people.seen[which], on.day)
    book.say(kind, people.all[which], on=on, to=dates(on.day, OPEN), recorded=recorded, **said)


def _load(people: People, book: Book, kind: str, which: Flags, unit: str, clear: float, limit: str) -> None:
    """A viral load: below its limit, or a number."""
    some = people.of(which)
    below = some.draws.chance(f"{kind}, below", clear)
    level = np.rint(some.draws.around(f"{kind}, level", 2500, 1.6)).astype(np.int64) + 30
    counted = numbers(np.where(below, 0, level))
    index = np.where(below, 0, counted.index + 1)
    value = Words(index, [f"<{limit}", *counted.words])
    day = some.seen - some.draws.days(f"{kind}, before", 60, 800)
    book.say(kind, people.all[which], on=day, value=value, unit=unit)


def _medicine(people: People, book: Book, kind: str, which: Flags, agent: str, done: bool) -> None:
    some = people.of(which)
    start = some.today - some.draws.between(f"{kind}, since", 200, 2200)
    if done:
        end = start + 84
        completed = words(some.draws, f"{kind}, completed", yes=0.88, no=0.07, unsaid=0.05)
        book.say(kind, people.all[which], on=start, to=end, recorded=some.seen, agent=agent, completed=completed)
    else:
        over = some.draws.chance(f"{kind}, over", 0.12)
        end_day = np.minimum(start + 150, some.today)
        ends = dates(end_day, np.where(over, DAY, OPEN))
        book.say(kind, people.all[which], on=start, to=ends, recorded=some.seen, agent=agent)


def _judged(people: People, book: Book, kind: str, which: Flags, share: float) -> None:
    at = which & people.draws.chance(f"{kind} judged", share)
    value = Words(people.draws.chance(kind, 0.2)[at].astype(np.int64), ("no", "yes"))
    book.say(kind, people.all[at], on=people.seen[at], value=value)
