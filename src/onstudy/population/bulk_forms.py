"""The form of a record: its facts with places left open for id, dates and numbers, and how these are filled in.

Records that differ in these places only have one form; `bulk_generalise` finds it by running the screening reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onstudy.errors import Problem
from onstudy.population.bulk_numbers import rounded
from onstudy.readers.dates import spanning, starting, until
from onstudy.readers.timing import Times
from onstudy.readers.unrecognised import Unrecognised
from onstudy.record.patient import Coverage, Fact
from onstudy.values.calendar import UNDATED, When
from onstudy.values.interval import Interval


@dataclass(frozen=True, slots=True)
class Probe:
    """What stands in the slots of one record: names (its own first), dates and numbers, as texts.

    `born` is the patient's date of birth, which no slot holds: what depends on it has a form only for those who lie to
    the date alike, as they do to `births` when the dates are varied. Nor does a slot hold `sex`: what depends on it has
    a form for each, "" being that it is not known.
    """

    names: tuple[str, ...]
    dates: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    born: When = UNDATED
    sex: str = ""
    births: tuple[When, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """What a record says of the patient: the id, birth date, sex as a word, and what is completely recorded."""

    id: str
    born: When = UNDATED
    sex: str = ""
    coverage: tuple[Coverage, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """What the screening reader makes of one record.

    `shared` are problems that many records may have and that are told once a patient: (what, where). `drugs` are
    those it does not know, told of together as well. `unread` is a type of record that is counted and not read.
    `touched` are the numbers the reader looked at, by slot; `units` the units written in the record.
    """

    facts: tuple[Fact, ...] = ()
    problems: tuple[Problem, ...] = ()
    shared: tuple[tuple[str, str], ...] = ()
    drugs: tuple[Unrecognised, ...] = ()
    unread: tuple[str, ...] = ()
    person: Person | None = None
    touched: frozenset[int] | None = None  # None: all of them
    units: tuple[str, ...] = ()


Reader = Callable[[Probe], Read | None]

#: A text with open places: pieces of text, (NAME, slot) and (NUMBER, slot).
NAME, NUMBER = "name", "number"
Slot = tuple[str, int]
Pattern = tuple[str | Slot, ...]

#: A moment of a fact: (how, slot, slot); `CONSTANT` is the same in every record.
AT, UNTIL, STARTING, SPANNING, CONSTANT = "at", "until", "starting", "spanning", "constant"


@dataclass(frozen=True, slots=True)
class MomentForm:
    """A moment of a fact as it follows from the dates of the record, or the same for all records."""

    how: str
    first: int = 0
    second: int = 0
    when: When | None = None


@dataclass(frozen=True, slots=True)
class NumberForm:
    """A number of a fact: that of a slot times `factor`, rounded as `convert` does; no factor: as it is."""

    slot: int
    factor: float | None
    low: bool
    high: bool
    low_open: bool = False
    high_open: bool = False

    def of(self, number: float) -> Interval:
        """The interval of one number."""
        value = float(number) if self.factor is None else rounded(number * self.factor)
        return Interval(value if self.low else None, value if self.high else None, self.low_open, self.high_open)


@dataclass(frozen=True, slots=True)
class FactForm:
    """One fact: `base` holds what is the same in every record, the others what follows from the slots."""

    base: Fact
    id: Pattern
    source: Pattern
    shown: Pattern
    sample: Pattern | None
    start: MomentForm
    end: MomentForm | None
    recorded: MomentForm | None
    value: NumberForm | None
    uln: NumberForm | None
    lln: NumberForm | None
    parts: Mapping[str, FactForm] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """What is made of every record of one shape: facts, problems, and what is said of the patient."""

    facts: tuple[FactForm, ...] = ()
    problems: tuple[tuple[Pattern, Pattern, bool], ...] = ()
    shared: tuple[tuple[str, Pattern], ...] = ()
    drugs: tuple[DrugForm, ...] = ()
    unread: tuple[str, ...] = ()
    person: PersonForm | None = None


@dataclass(frozen=True, slots=True)
class DrugForm:
    """A drug that is not known, for every record of its shape: its name, place, dates, and whether it goes on."""

    called: str
    where: Pattern
    times: Mapping[str, MomentForm]
    going: bool | None


@dataclass(frozen=True, slots=True)
class PersonForm:
    """What a record says of the patient, for every record of its shape."""

    id: Pattern
    born: MomentForm
    sex: str
    coverage: tuple[tuple[Coverage, Pattern], ...]


# Filling in -----------------------------------------------------------------------------------------------


def filled(pattern: Pattern, probe: Probe) -> str:
    """The text of a pattern for one record."""
    return "".join(
        piece if isinstance(piece, str) else probe.names[piece[1]] if piece[0] == NAME else probe.numbers[piece[1]]
        for piece in pattern
    )


def moment(form: MomentForm, dates: Sequence[When]) -> When | None:
    """The moment of a form for the dates of one record."""
    if form.how == CONSTANT:
        return form.when
    first = dates[form.first]
    if form.how == SPANNING:
        return spanning(first, dates[form.second])
    return first if form.how == AT else until(first) if form.how == UNTIL else starting(first)


def drug_of(form: DrugForm, probe: Probe, dates: Sequence[When]) -> Unrecognised:
    """The unknown drug of one record."""
    times = {name: moment(one, dates) for name, one in form.times.items()}
    return Unrecognised(form.called, Times(going=form.going, **times), filled(form.where, probe))


def fact_of_form(form: FactForm, probe: Probe, dates: Sequence[When]) -> Fact:
    """The fact of one record."""
    start = moment(form.start, dates)
    assert start is not None, "a fact has a start"
    changed: dict[str, Any] = {
        name: one.of(float(probe.numbers[one.slot]))
        for name, one in (("value", form.value), ("uln", form.uln), ("lln", form.lln))
        if one is not None
    }
    if form.parts:
        changed["parts"] = {name: fact_of_form(part, probe, dates) for name, part in form.parts.items()}
    return replace(
        form.base,
        id=filled(form.id, probe),
        source=filled(form.source, probe),
        shown=filled(form.shown, probe),
        sample=None if form.sample is None else filled(form.sample, probe),
        start=start,
        end=None if form.end is None else moment(form.end, dates),
        recorded=None if form.recorded is None else moment(form.recorded, dates),
        **changed,
    )
