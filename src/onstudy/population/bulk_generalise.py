"""What the screening reader makes of a record, generalised into a form of `bulk_forms`.

The reader itself is run on a record three times, each time with other ids, dates and numbers of the same classes. Where
every difference between the three results is explained by a slot, the result is a *form* and holds for all records
that differ in these slots only; where one is not, there is no form and each record is read by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from onstudy.errors import Problem
from onstudy.population.bulk_forms import (
    AT,
    CONSTANT,
    NAME,
    NUMBER,
    SPANNING,
    STARTING,
    UNTIL,
    DrugForm,
    FactForm,
    Form,
    MomentForm,
    NumberForm,
    Pattern,
    Person,
    PersonForm,
    Probe,
    Read,
    Reader,
    Slot,
    filled,
    moment,
)
from onstudy.readers.fhir_range import DIFFERING
from onstudy.readers.unrecognised import Unrecognised
from onstudy.record.catalogue import COUNT, QUANTITY, Catalogue
from onstudy.record.patient import Fact
from onstudy.values.calendar import UNDATED, DateError, When, parse_when
from onstudy.values.interval import Interval
from onstudy.values.quantity import UnitError, factor, normalise_unit

_T = TypeVar("_T")


class _Varies(Exception):
    """A difference that no slot explains."""


def form_of(
    read: Reader,
    example: Probe,
    catalogue: Catalogue,
    pinned: frozenset[int] = frozenset(),
    odd: frozenset[int] = frozenset(),
    own: tuple[int, int] | None = None,
) -> Form | None:
    """The form of the records like the example, or None where there is none.

    Records are like it when they are equal but for their slots, and their dates and numbers are of the same classes.
    The numbers of `pinned` slots are part of the record and stay as they are; those of `odd` slots are no plain
    amounts, so the reader must not look at them. An example with a sex is like others of that sex. `own` are how many
    of the dates and of the numbers are of the record itself: nothing may follow from those of others.
    """
    probes = _variations(example, pinned)
    if probes is None:
        return None
    found = [read(probe) for probe in probes]
    if any(one is None for one in found):
        return None
    try:
        return _Generaliser(probes, catalogue, pinned, odd, own).form([one for one in found if one is not None])
    except _Varies:
        return None


def constant_form(found: Read) -> Form:
    """The form of one record only, as it was read."""
    return Form(
        tuple(_constant_fact(fact) for fact in found.facts),
        tuple(((problem.what,), (problem.where,), problem.fact_kept) for problem in found.problems),
        tuple((what, (where,)) for what, where in found.shared),
        tuple(_constant_drug(drug) for drug in found.drugs),
        found.unread,
        None if found.person is None else _constant_person(found.person),
    )


def _constant_fact(fact: Fact) -> FactForm:
    return FactForm(
        base=fact,
        id=(fact.id,),
        source=(fact.source,),
        shown=(fact.shown,),
        sample=None if fact.sample is None else (fact.sample,),
        start=MomentForm(CONSTANT, when=fact.start),
        end=None if fact.end is None else MomentForm(CONSTANT, when=fact.end),
        recorded=None if fact.recorded is None else MomentForm(CONSTANT, when=fact.recorded),
        value=None,
        uln=None,
        lln=None,
        parts={name: _constant_fact(part) for name, part in fact.parts.items()},
    )


_TIMES = ("on", "start", "end", "recorded")


def _constant_drug(drug: Unrecognised) -> DrugForm:
    stated = {name: getattr(drug.times, name) for name in _TIMES}
    times = {name: MomentForm(CONSTANT, when=when) for name, when in stated.items() if when is not None}
    return DrugForm(drug.called, (drug.where,), times, drug.times.going)


def _constant_person(person: Person) -> PersonForm:
    covered = tuple((cover, (cover.source,)) for cover in person.coverage)
    return PersonForm((person.id,), MomentForm(CONSTANT, when=person.born), person.sex, covered)


YEARS = (0, 28, -28)  # the calendar of a year comes again after 28, from 1901 to 2099
_BORN = (UNDATED, parse_when("1931-03-07"), parse_when("1978"))
_SEX = ("", "male", "female")
_FRACTIONS = (("13.718287", "2.64575", "0.5772"), ("-13.718287", "-2.64575", "-0.5772"))
_WHOLES = (("79193", "6133", "17"), ("-79193", "-6133", "-17"))
_NOUGHTS = (5, 4, 3)  # how many noughts stand behind the point


def _variations(example: Probe, pinned: frozenset[int]) -> list[Probe] | None:
    """Three records like the example; None where its dates cannot be moved by whole calendars."""
    ranks = {name: place for place, name in enumerate(sorted(set(example.names)))}
    probes = []
    for turn, years in enumerate(YEARS):
        names = tuple(f"{'QzKw'[: turn + 2]}{ranks[name]}x{turn}{ranks[name]}v" for name in example.names)
        dates = [moved(date, years) for date in example.dates]
        if any(date is None for date in dates):
            return None
        numbers = tuple(
            text if slot in pinned else _like(text, turn, slot) for slot, text in enumerate(example.numbers)
        )
        own = tuple(date for date in dates if date is not None)
        born = (example.births or _BORN)[turn]
        probes.append(Probe(names, own, numbers, born, example.sex or _SEX[turn]))
    return probes


def moved(date: str, years: int) -> str | None:
    """A date so many years later; None where there is none that can be read."""
    try:
        other = f"{int(date[:4]) + years:04d}{date[4:]}"
        parse_when(other)
    except (ValueError, DateError):
        return None
    return other


def _like(text: str, turn: int, slot: int) -> str:
    """Another number of the same sign, whole where it is whole; each slot has its own."""
    try:
        number = float(text)
    except ValueError:
        return f'"QzWord{turn}{slot}"'
    if number == 0:
        return "0." + "0" * (_NOUGHTS[turn] + 3 * slot)
    if number == int(number):
        return _WHOLES[number < 0][turn] + "1379"[slot % 4] * (slot // 4 + 1)
    return _FRACTIONS[number < 0][turn] + "1379"[slot % 4] * (slot // 4 + 1)


class _Generaliser:
    """Three results of one reader compared, and what is open in them found."""

    def __init__(
        self,
        probes: Sequence[Probe],
        catalogue: Catalogue,
        pinned: frozenset[int],
        odd: frozenset[int],
        own: tuple[int, int] | None,
    ) -> None:
        self.probes, self.catalogue, self.pinned, self.odd = probes, catalogue, pinned, odd
        self.dates, self.numbers = own or (len(probes[0].dates), len(probes[0].numbers))
        self.whens = [[parse_when(date) for date in probe.dates] for probe in probes]
        self.units: frozenset[str] = frozenset()
        self.used: set[int] = set()
        self._tokens = self._longest_first(probes[0])

    def _longest_first(self, probe: Probe) -> list[tuple[str, Slot]]:
        tokens: list[tuple[str, Slot]] = [(name, (NAME, slot)) for slot, name in enumerate(probe.names)]
        own = enumerate(probe.numbers[: self.numbers])
        tokens += [(text, (NUMBER, slot)) for slot, text in own if slot not in self.pinned]
        return sorted(tokens, key=lambda token: -len(token[0]))

    def form(self, found: Sequence[Read]) -> Form:
        self.units = frozenset(unit for one in found for unit in one.units)
        self._same([len(one.facts) for one in found])
        self._same([one.unread for one in found])
        facts = tuple(self._fact(facts) for facts in zip(*(one.facts for one in found), strict=True))
        differ = any(problem.what == DIFFERING for problem in found[0].problems)
        self._check_numbers(facts, found[0].touched, differ)
        return Form(
            facts,
            tuple(self._problem(parts) for parts in self._side_by_side([one.problems for one in found])),
            tuple(self._shared(parts) for parts in self._side_by_side([one.shared for one in found])),
            tuple(self._drug(parts) for parts in self._side_by_side([one.drugs for one in found])),
            found[0].unread,
            self._person([one.person for one in found]),
        )

    def _check_numbers(self, facts: Iterable[FactForm], touched: frozenset[int] | None, differ: bool) -> None:
        """A number the reader looked at goes into a fact, or into nothing that could have been a word.

        Where limits `differ`, those of another record may be the same.
        """
        numbers = range(len(self.probes[0].numbers))
        looked_at = {slot for slot in numbers if touched is None or slot in touched} - self.pinned
        if looked_at & self.odd or (looked_at and differ):
            raise _Varies
        if looked_at <= self.used:
            return
        if any(not self._is_measured(form.base.kind) for form in _all_of(facts)):
            raise _Varies

    def _is_measured(self, name: str) -> bool:
        kind = self.catalogue.kinds.get(name)
        return kind is not None and (kind.value in (QUANTITY, COUNT) or bool(kind.components))

    def _same(self, values: Sequence[object]) -> None:
        if any(value != values[0] for value in values[1:]):
            raise _Varies

    def _side_by_side(self, lists: Sequence[Sequence[_T]]) -> Iterator[tuple[_T, ...]]:
        self._same([len(one) for one in lists])
        return zip(*lists, strict=True)

    def _problem(self, problems: Sequence[Problem]) -> tuple[Pattern, Pattern, bool]:
        self._same([problem.fact_kept for problem in problems])
        what = self._pattern([problem.what for problem in problems])
        return what, self._pattern([problem.where for problem in problems]), problems[0].fact_kept

    def _shared(self, shared: Sequence[tuple[str, str]]) -> tuple[str, Pattern]:
        self._same([what for what, _ in shared])
        return shared[0][0], self._pattern([where for _, where in shared])

    def _drug(self, drugs: Sequence[Unrecognised]) -> DrugForm:
        self._same([(drug.called, drug.times.going) for drug in drugs])
        times = {}
        for name in _TIMES:
            form = self._moment([getattr(drug.times, name) for drug in drugs])
            if form is not None:
                times[name] = form
        where = self._pattern([drug.where for drug in drugs])
        return DrugForm(drugs[0].called, where, times, drugs[0].times.going)

    def _person(self, people: Sequence[Person | None]) -> PersonForm | None:
        some = [person for person in people if person is not None]
        if not some:
            return None
        self._same([len(some), len(people)])
        self._same([person.sex for person in some])
        born = self._moment([person.born for person in some])
        assert born is not None, "a person's date of birth may be unknown, not absent"
        covered = [
            (replace(covers[0], source=""), self._pattern([cover.source for cover in covers]))
            for covers in self._side_by_side([person.coverage for person in some])
            if self._agree([replace(cover, source="") for cover in covers])
        ]
        return PersonForm(self._pattern([person.id for person in some]), born, some[0].sex, tuple(covered))

    def _agree(self, values: Sequence[object]) -> bool:
        self._same(values)
        return True

    # Facts ------------------------------------------------------------------------------------------------

    def _fact(self, facts: Sequence[Fact]) -> FactForm:
        first = facts[0]
        for name in _CONSTANTS:
            self._same([getattr(fact, name) for fact in facts])
        self._same([list(fact.parts) for fact in facts])
        numbers = {name: self._number([getattr(fact, name) for fact in facts], first.kind) for name in _NUMBERS}
        start = self._moment([fact.start for fact in facts])
        assert start is not None, "a fact has a start"
        return FactForm(
            base=replace(first, id="", source="", shown="", sample=None, parts={}, **_blank(numbers)),
            id=self._pattern([fact.id for fact in facts]),
            source=self._pattern([fact.source for fact in facts]),
            shown=self._pattern([fact.shown for fact in facts]),
            sample=self._optional([fact.sample for fact in facts]),
            start=start,
            end=self._moment([fact.end for fact in facts]),
            recorded=self._moment([fact.recorded for fact in facts]),
            value=numbers["value"],
            uln=numbers["uln"],
            lln=numbers["lln"],
            parts={name: self._fact([fact.parts[name] for fact in facts]) for name in first.parts},
        )

    def _optional(self, texts: Sequence[str | None]) -> Pattern | None:
        some = [text for text in texts if text is not None]
        if not some:
            return None
        self._same([len(some), len(texts)])
        return self._pattern(some)

    def _pattern(self, texts: Sequence[str]) -> Pattern:
        """The text with its open places; what the first result shows must hold for the others."""
        pattern: list[str | Slot] = [texts[0]]
        for token, slot in self._tokens:
            pattern = [piece for part in pattern for piece in _cut(part, token, slot)]
        for probe, text in zip(self.probes, texts, strict=True):
            if filled(tuple(pattern), probe) != text:
                raise _Varies
        return tuple(pattern)

    def _moment(self, whens: Sequence[When | None]) -> MomentForm | None:
        some = [when for when in whens if when is not None]
        if not some:
            return None
        self._same([len(some), len(whens)])
        for form in self._ways():
            if all(moment(form, dates) == when for dates, when in zip(self.whens, some, strict=True)):
                return form
        self._same(some)
        return MomentForm(CONSTANT, when=some[0])

    def _ways(self) -> Iterator[MomentForm]:
        slots = range(self.dates)
        for how in (AT, UNTIL, STARTING):
            yield from (MomentForm(how, slot) for slot in slots)
        yield from (MomentForm(SPANNING, first, second) for first in slots for second in slots if first != second)

    def _number(self, values: Sequence[object], kind: str) -> NumberForm | None:
        """How a number follows from one of the slots; None where it is the same in all three, or no number."""
        spans = [value for value in values if isinstance(value, Interval)]
        if len(spans) < len(values):
            self._same(values)
            return None
        for slot in range(self.numbers):
            if slot not in self.pinned:
                for way in self._factors(kind):
                    form = _number_form(slot, way, spans[0])
                    if form is not None and self._explains(form, spans):
                        self.used.add(slot)
                        return form
        self._same(spans)
        return None

    def _explains(self, form: NumberForm, spans: Sequence[Interval]) -> bool:
        try:
            numbers = [float(probe.numbers[form.slot]) for probe in self.probes]
        except ValueError:  # a word stands where a number should
            return False
        return all(form.of(number) == span for number, span in zip(numbers, spans, strict=True))

    def _factors(self, name: str) -> Iterator[float | None]:
        """The factors that lead from the units written in the record to that of the kind."""
        kind = self.catalogue.kinds.get(name)
        if kind is None:
            return
        if kind.value == COUNT:
            yield None
            return
        written = {spelling for unit in self.units for spelling in (unit, normalise_unit(unit))}
        for unit in sorted({self.catalogue.unit(unit) for unit in written} | {"1"}):
            try:
                yield float(factor(unit or "1", kind.unit or "1", kind.molar_mass))
            except UnitError:
                continue


_CONSTANTS = (
    "kind", "negative", "narrowed", "ongoing", "certain", "lacks", "attributes", "computed", "opened", "code_status",
)  # fmt: skip
_NUMBERS = ("value", "uln", "lln")


def _blank(numbers: Mapping[str, NumberForm | None]) -> dict[str, Any]:
    """The numbers that follow from slots, left out of what is the same in every record."""
    return {name: None for name, form in numbers.items() if form is not None}


def _all_of(forms: Iterable[FactForm]) -> Iterator[FactForm]:
    for form in forms:
        yield form
        yield from _all_of(form.parts.values())


def _cut(part: str | Slot, token: str, slot: Slot) -> Iterator[str | Slot]:
    """A piece of text with a slot wherever the token stands."""
    if not isinstance(part, str) or token not in part:
        yield part
        return
    for number, text in enumerate(part.split(token)):
        if number:
            yield slot
        if text:
            yield text


def _number_form(slot: int, way: float | None, span: Interval) -> NumberForm | None:
    if span.low is not None and span.high is not None and span.low != span.high:
        return None
    return NumberForm(slot, way, span.low is not None, span.high is not None, span.low_open, span.high_open)
