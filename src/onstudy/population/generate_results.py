"""Results of generated patients: chemistry and counts of several laboratories, heart, performance. Invented.

Each patient is with one laboratory: its units, its limits of normal, now and then its mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from onstudy.population.generate_draws import Draws, Flags, Floats, Ints
from onstudy.population.generate_leukemia import words
from onstudy.population.generate_people import NEW, WORKED_UP, People
from onstudy.population.generate_rows import MINUTE, Book, Dates, Words, dates, numbers

#: The laboratories: two with conventional units, two with SI units. A limit is written as the laboratory does.
CONVENTIONAL, SECOND_CONVENTIONAL, SI, SECOND_SI = range(4)
_LABORATORIES = (0.45, 0.22, 0.22, 0.11)


@dataclass(frozen=True)
class Test:
    """How each laboratory reports a test: unit, decimals, units of it in one of the first's, limits of normal."""

    kind: str
    units: Sequence[str]
    scale: Sequence[float]
    decimals: Sequence[int]
    limits: Sequence[str]
    lower: str = ""


CHEMISTRY = (
    Test(
        "bilirubin_total",
        ("mg/dL", "mg/dL", "umol/L", "umol/L"),
        (1, 1, 17.104, 17.104),
        (1, 1, 0, 0),
        ("1.2", "1.0", "21", "17"),
    ),
    Test("ast", ("U/L", "U/L", "U/L", "ukat/L"), (1, 1, 1, 1 / 60), (0, 0, 0, 2), ("40", "35", "34", "0.60")),
    Test("alt", ("U/L", "U/L", "U/L", "ukat/L"), (1, 1, 1, 1 / 60), (0, 0, 0, 2), ("41", "45", "50", "0.75")),
    Test(
        "creatinine",
        ("mg/dL", "mg/dL", "umol/L", "umol/L"),
        (1, 1, 88.4, 88.4),
        (2, 2, 0, 0),
        ("1.20", "1.10", "104", "97"),
    ),
)
COUNTS = (
    Test("blood_wbc", ("10*3/uL", "10*3/uL", "10*9/L", "10*9/L"), (1, 1, 1, 1), (1, 1, 1, 1), ("",) * 4),
    Test("platelets", ("10*3/uL", "10*3/uL", "10*9/L", "10*9/L"), (1, 1, 1, 1), (0, 0, 0, 0), ("",) * 4),
    Test("neutrophils", ("10*3/uL", "10*3/uL", "10*9/L", "10*9/L"), (1, 1, 1, 1), (1, 1, 1, 1), ("",) * 4),
    Test("hemoglobin", ("g/dL", "g/dL", "g/L", "g/L"), (1, 1, 10, 10), (1, 1, 0, 0), ("",) * 4),
    Test("blood_rbc", ("10*6/uL", "10*6/uL", "10*12/L", "10*12/L"), (1, 1, 1, 1), (2, 2, 2, 2), ("",) * 4),
)


@dataclass(frozen=True)
class Visit:
    """The patients seen at one of their visits: who, when, with which laboratory, with whose chances."""

    people: People
    who: Ints
    day: Ints
    laboratory: Ints
    careless: Flags  # with whom the laboratory is careless
    draws: Draws
    name: str

    @cached_property
    def drawn(self) -> Dates:
        """When blood was drawn for the counts: the minute is what tells that they are of one sample."""
        return dates(self.day, MINUTE, self.draws.between(f"{self.name}, drawn", 400, 620))


def say_results(people: People, book: Book) -> None:
    """Everything that is measured."""
    laboratory = people.draws.pick("laboratory", _LABORATORIES)
    for number in range(3):
        visit = _visit(people, laboratory, number)
        _chemistry(visit, book)
        if number < 2:
            _counts(visit, book)
    _body(people, book)
    _performance(people, book)
    _heart(people, book)


def _visit(people: People, laboratory: Ints, number: int) -> Visit:
    """The newest visit is 0; each earlier one lies some weeks before it, none before birth."""
    name = f"visit {number}"
    gap = 5 if number == 0 else 24
    back = people.draws.days(f"{name}, before", gap, 400) + 7 * number
    went = people.kept(name, *((0.72, 0.88, 0.96, 1.0), (0.45, 0.65, 0.75, 0.9), (0.1, 0.3, 0.4, 0.4))[number])
    day = people.seen - back if number else people.seen - np.where(people.care == WORKED_UP, 0, back)
    went &= day > people.born + 30
    who = people.all[went]
    careless = people.draws.chance("careless laboratory", 0.03)[went]
    return Visit(people.of(went), who, day[went], laboratory[went], careless, people.draws.of(went), name)


# Chemistry ------------------------------------------------------------------------------------------------


def _chemistry(visit: Visit, book: Book) -> None:
    draws, name = visit.draws, visit.name
    gilbert = draws.chance("gilbert", 0.05)
    sick = draws.chance(f"{name}, liver", 0.12)
    bilirubin = draws.around(f"{name}, bilirubin", np.where(gilbert, 1.7, 0.6), 0.42) * np.where(sick, 2.4, 1.0)
    enzymes = np.where(sick, 3.6, 1.0)
    age = np.maximum(visit.people.age, 18)
    results = {
        "bilirubin_total": bilirubin,
        "ast": draws.around(f"{name}, ast", 25, 0.38) * enzymes,
        "alt": draws.around(f"{name}, alt", 24, 0.45) * enzymes,
        "creatinine": draws.around(f"{name}, creatinine", 0.68 + 0.0045 * age, 0.26)
        * np.where(draws.chance(f"{name}, kidney", 0.05), 2.4, 1.0),
    }
    for test in CHEMISTRY:
        _report(visit, book, test, results[test.kind], 0.97, dates(visit.day))


def _counts(visit: Visit, book: Book) -> None:
    draws, name = visit.draws, visit.name
    people = visit.people
    blood = (people.stage == NEW) | people.returned
    wbc = draws.around(f"{name}, wbc", np.where(blood, 7.5, 5.5), np.where(blood, 1.05, 0.45))
    results = {
        "blood_wbc": np.maximum(wbc, 0.1),
        "platelets": draws.around(f"{name}, platelets", np.where(blood, 60, 160), 0.7),
        "neutrophils": np.minimum(draws.around(f"{name}, neutrophils", 2.2, 0.8), wbc),
        "hemoglobin": np.clip(draws.normal(f"{name}, hemoglobin", 10.4, 1.9), 4, 18),
        "blood_rbc": np.clip(draws.normal(f"{name}, rbc", 3.6, 0.6), 1.2, 6.5),
    }
    shares = (0.98, 0.9, 0.6, 0.85, 0.4)
    for test, share in zip(COUNTS, shares, strict=True):
        _report(visit, book, test, results[test.kind], share, visit.drawn)
    _lymphoblasts(visit, blood, book)


def _lymphoblasts(visit: Visit, blood: Flags, book: Book) -> None:
    draws, name = visit.draws, visit.name
    kept = visit.people.lymphoblastic & draws.chance(f"{name}, differential", np.where(blood, 0.8, 0.4))
    some = draws.of(kept)
    share = np.where(blood[kept], draws.of(kept).between(f"{name}, blasts", 0, 92), 0)
    share = np.where(some.chance(f"{name}, few blasts", 0.45), share // 12, share)
    awaited = some.chance(f"{name}, differential awaited", 0.006)
    value = Words(np.where(awaited, 93, share), [*map(str, range(93)), ""])
    status = Words(awaited.astype(np.int64), ("", "pending"))
    day = visit.day[kept]
    recorded = np.minimum(day + some.between(f"{name}, differential, recorded", 0, 2), visit.people.today)
    on = visit.drawn.of(kept)
    book.say("blood_lymphoblast_percent", visit.who[kept], on, None, recorded, value=value, unit="%", status=status)


def _report(visit: Visit, book: Book, test: Test, result: Floats, share: float, on: Dates) -> None:
    """Results of `on` as the laboratories write them; some are lost, some are wrong."""
    care = visit.people.care
    kept = visit.draws.chance(f"{visit.name}, {test.kind}, kept", np.where(care == WORKED_UP, max(share, 0.995), share))
    draws = visit.draws.of(kept)
    laboratory, values = visit.laboratory[kept], result[kept]
    who, day, on = visit.who[kept], visit.day[kept], on.of(kept)
    careless = visit.careless[kept] & (test.kind != "blood_wbc")  # every count needs the white cells
    slip = np.where(careless, draws.uniform(f"{visit.name}, {test.kind}, slip"), 1.0)
    recorded = dates(np.minimum(day + draws.between(f"{visit.name}, {test.kind}, recorded", 0, 2), visit.people.today))
    for number, unit in enumerate(test.units):
        at = laboratory == number
        decimals = test.decimals[number]
        lowest = 1 if test.kind != "blood_rbc" else 100
        whole = np.maximum(np.rint(values[at] * test.scale[number] * 10**decimals), lowest).astype(np.int64)
        status, units, limits = _slips(slip[at], unit, test.limits[number])
        written = numbers(whole, decimals)
        book.say(
            test.kind,
            who[at],
            on=on.of(at),
            recorded=recorded.of(at),
            value=written,
            unit=units,
            uln=limits,
            status=status,
        )


def _slips(chance: Floats, unit: str, limit: str) -> tuple[Words, Words, Words]:
    """What goes wrong with a careless result: entered in error, no unit, another unit, no limit."""
    steps = (0.08, 0.18, 0.28, 0.5)
    slip = np.searchsorted(steps, chance, side="right")
    status = Words((slip == 0).astype(np.int64), ("", "entered in error"))
    units = Words(np.where(slip == 1, 1, np.where(slip == 2, 2, 0)), (unit, "", "%"))
    limits = Words((slip == 3).astype(np.int64), (limit, ""))
    return status, units, limits


# Body, performance, heart ---------------------------------------------------------------------------------


def _body(people: People, book: Book) -> None:
    draws = people.draws
    grown = np.clip(people.age / 18, 0.25, 1.0)
    weight = np.rint(np.clip(draws.normal("weight", 78, 15) - 9 * people.female, 40, 160) * grown * 10)
    height = np.rint(np.clip(draws.normal("height", 175, 7) - 12 * people.female, 140, 205) * np.sqrt(grown))
    weighed = people.kept("weight", 0.55, 0.85, 0.95, 0.99)
    pounds = draws.chance("pounds", 0.2)
    for unit, scale, which in (("kg", 1.0, ~pounds), ("[lb_av]", 2.2046226, pounds)):
        at = weighed & which & (weight > 200)
        value = numbers(np.rint(weight[at] * scale).astype(np.int64), 1)
        book.say("body_weight", people.all[at], on=people.seen[at], value=value, unit=unit)
    at = weighed & draws.chance("height kept", 0.85) & (height >= 100)
    book.say("body_height", people.all[at], on=people.seen[at], value=numbers(height[at].astype(np.int64)), unit="cm")


def _performance(people: People, book: Book) -> None:
    draws = people.draws
    kept = people.kept("ecog", 0.35, 0.7, 0.9, 0.995)
    old = np.maximum(people.age - 55, 0) / 300
    grade = np.searchsorted((0.3, 0.68, 0.88, 0.97), draws.uniform("ecog") + old, side="right")
    at = kept & draws.chance("ecog itself", 0.94)
    book.say("ecog", people.all[at], on=people.seen[at], value=numbers(grade[at].astype(np.int64)))
    other = kept & ~at
    karnofsky = numbers(100 - 20 * grade[other].astype(np.int64))
    book.say("karnofsky", people.all[other], on=people.seen[other], value=karnofsky)


def _heart(people: People, book: Book) -> None:
    draws = people.draws
    at = people.kept("lvef", 0.2, 0.5, 0.75, 0.99)
    some = draws.of(at)
    low = some.chance("weak heart", 0.07)
    percent = np.clip(np.rint(np.where(low, some.normal("lvef low", 40, 7), some.normal("lvef", 60, 5))), 15, 78)
    back = some.days("lvef before", 20, 700)
    said = words(some, "lvef as range", exact=0.95, range=0.05)
    whole = percent.astype(np.int64)
    texts = [f"{value}" for value in range(80)] + [f"{value}-{value + 5}" for value in range(80)]
    day = np.maximum(people.seen[at] - back, people.born[at] + 30)
    book.say("lvef", people.all[at], on=day, value=Words(whole + 80 * said.index, texts), unit="%")
    _tracing(people, book)


def _tracing(people: People, book: Book) -> None:
    """One ECG: a QTcF with the rate, or QT and rate, or a QTc by another or by no stated formula."""
    at = people.kept("ecg", 0.3, 0.6, 0.82, 0.99)
    draws, who = people.draws.of(at), people.all[at]
    rate = np.clip(np.rint(draws.normal("heart rate", 78, 13)), 46, 128).astype(np.int64)
    wanted = draws.normal("qtcf", np.where(draws.chance("long qt", 0.07), 482, 420), 17)
    qt = np.rint(wanted * np.cbrt(60 / rate)).astype(np.int64)
    day = people.seen[at] - draws.days("ecg before", 6, 300)
    on = dates(day, MINUTE, draws.between("ecg minute", 430, 1090))
    form = draws.pick("ecg form", (0.42, 0.42, 0.1, 0.06))
    form = np.where(people.care[at] == WORKED_UP, form % 2, form)
    bazett = np.rint(qt * np.sqrt(rate / 60))
    intervals = (("qtcf", wanted), ("qt_interval", qt), ("qtcb", bazett), ("qtc_unspecified", bazett))
    for number, (kind, value) in enumerate(intervals):
        rows = form == number
        length = numbers(np.rint(value[rows]).astype(np.int64))
        book.say(kind, who[rows], on=on.of(rows), value=length, unit="ms")
    rows = form < 2
    book.say("ecg_heart_rate", who[rows], on=on.of(rows), value=numbers(rate[rows]), unit="/min")
