"""The facts of many rows: the facts of the form each has, with what stands in the slots of the row put in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.population.bulk_classes import Contents
from onstudy.population.bulk_facts import NO_COMPONENTS, Bases, Components, Facts
from onstudy.population.bulk_filling import Filling, Placed
from onstudy.population.bulk_forms import (
    AT,
    CONSTANT,
    SPANNING,
    STARTING,
    UNTIL,
    FactForm,
    Form,
    MomentForm,
    NumberForm,
)
from onstudy.population.bulk_match import Matched
from onstudy.population.bulk_moments import Moments, chosen, from_whens, joined, none, spanning, starting, until
from onstudy.population.bulk_numbers import Floats, rounded_all
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_spans import Numbers, from_intervals, no_numbers
from onstudy.population.bulk_spans import joined as joined_numbers
from onstudy.record.shard import HIGH_OPEN, LOW_OPEN
from onstudy.values.calendar import When
from onstudy.values.interval import Interval


@dataclass(frozen=True, slots=True)
class _Entry:
    """One fact of a form: components stand after their whole, `whole` places before."""

    form: FactForm
    number: int
    whole: int = 0
    name: str = ""


@dataclass(frozen=True, eq=False)
class Expanded:
    """The facts of some rows, the row of each, and which are components of which."""

    facts: Facts
    row: Ints
    parts: Components
    #: Forms whose facts arrays cannot hold, by number: the patients of their rows are put together one by one.
    unfit: frozenset[int]


def expand(
    rows: Ints, patient: Ints, matched: Matched, contents: Contents, related: Mapping[int, tuple[int, ...]],
    out: Mapping[int, tuple[str, ...]], bases: Bases, names: Sequence[str] = (),
) -> Expanded:  # fmt: skip
    """The facts of rows that have a form, in the order of the rows; `names` are those of components."""
    return _Expansion(matched, contents, related, out, bases).expand(rows, patient, names)


class _Expansion:
    """Puts the contents of rows into the forms they have."""

    def __init__(
        self,
        matched: Matched,
        contents: Contents,
        related: Mapping[int, tuple[int, ...]],
        out: Mapping[int, tuple[str, ...]],
        bases: Bases,
    ) -> None:
        self.contents, self.related, self.out, self.matched = contents, related, out, matched
        self.entries: list[_Entry] = []
        self.first: list[int] = []
        unfit = set()
        for number, form in enumerate(matched.forms):
            self.first.append(len(self.entries))
            self.entries += _entries(form, number)
            if any(not _fits(entry.form) for entry in self.entries[self.first[-1] :]):
                unfit.add(number)
        self.unfit = frozenset(unfit)
        self.bases = np.array([bases.place(entry.form.base) for entry in self.entries], np.int64)

    def expand(self, rows: Ints, patient: Ints, names: Sequence[str]) -> Expanded:
        """The facts of some rows."""
        row, entry = self._entries_of(rows)
        layouts = [self.matched.names[one.number] for one in self.entries]
        placed = Placed(self.contents, row, entry)
        texts = Filling(placed, self.related, self.out, layouts)
        ids = texts.column([one.form.id for one in self.entries])
        value, uln, lln = (
            self._numbers(placed, [(getattr(one.form, name), getattr(one.form.base, name)) for one in self.entries])
            for name in ("value", "uln", "lln")
        )
        facts = Facts(
            patient.take(row),
            self.bases.take(entry) if len(entry) else entry,
            self._moments(row, entry, [one.form.start for one in self.entries]),
            self._moments(row, entry, [one.form.end for one in self.entries]),
            self._moments(row, entry, [one.form.recorded for one in self.entries]),
            value,
            uln,
            lln,
            ids,
            texts.column([one.form.source for one in self.entries]),
            texts.column([one.form.shown for one in self.entries]),
            texts.column([one.form.sample for one in self.entries]),
        )
        return Expanded(facts, row, self._parts(entry, names), self.unfit)

    def _entries_of(self, rows: Ints) -> tuple[Ints, Ints]:
        """The row of each fact of rows, and its place among all facts of forms."""
        first, form = np.array(self.first, np.int64), self.matched.form.take(rows)
        counts = np.diff([*self.first, len(self.entries)]).astype(np.int64)
        many = counts.take(form) if len(form) else np.zeros(0, np.int64)
        if (many == 1).all():
            return rows, first.take(form) if len(form) else many
        row = np.repeat(rows, many)
        within = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
        return row, first.take(np.repeat(form, many)) + within

    def _parts(self, entry: Ints, names: Sequence[str]) -> Components:
        """Which of the facts are components, and of which; `names` are those of components."""
        wholes = np.array([one.whole for one in self.entries], np.int64)
        if not wholes.any():
            return NO_COMPONENTS
        places = {name: place for place, name in enumerate(names)}
        named = np.array([places.get(one.name, -1) for one in self.entries], np.int64)
        parts = np.flatnonzero(wholes[entry])
        return Components(parts - wholes[entry[parts]], parts, named[entry[parts]])

    # Moments ------------------------------------------------------------------------------------------------

    def _moments(self, row: Ints, entry: Ints, forms: Sequence[MomentForm | None]) -> Moments:
        ways = tuple(_NO_MOMENT if form is None else form for form in forms)
        if all(form == _NO_MOMENT for form in ways):
            return none(len(row))
        if all(form.how == AT for form in ways):
            return chosen(self.contents.moments, self._codes(row, entry, ways, "first")).compact
        how = np.array([_HOW[form.how] for form in ways], np.int8).take(entry)
        parts = [from_whens([form.when if form.how == CONSTANT else None for form in ways])]
        place, many = entry.astype(np.int32), len(ways)  # what is the same in all records lies where its form does
        for name, number in _HOW.items():
            some = np.flatnonzero(how == number) if name != CONSTANT else ()
            if len(some):
                moments, places = self._different(name, row.take(some), entry.take(some), ways)
                place[some] = places + many
                parts.append(moments)
                many += len(moments)
        return chosen(joined(parts), place).compact

    def _different(self, how: str, row: Ints, entry: Ints, ways: Sequence[MomentForm]) -> tuple[Moments, NDArray[Any]]:
        """The moments that follow in one way from dates of rows, and the place of each row's own among them."""
        moments, codes = self.contents.moments, self._codes(row, entry, ways, "first")
        if how == SPANNING:
            ends = moments.take(self._codes(row, entry, ways, "second"))
            return spanning(moments.take(codes), ends), np.arange(len(row))
        if len(codes) < len(moments):
            moments, codes = moments.take(codes), np.arange(len(codes), dtype=np.int32)
        return moments if how == AT else until(moments) if how == UNTIL else starting(moments), codes

    def _codes(self, row: Ints, entry: Ints, ways: Sequence[MomentForm], which: str) -> NDArray[np.int32]:
        return self.contents.dates.of(row, [getattr(form, which) for form in ways], entry)

    # Numbers ------------------------------------------------------------------------------------------------

    def _numbers(self, placed: Placed, forms: Sequence[tuple[NumberForm | None, object]]) -> Numbers:
        """A number of each fact: that of its form, or what the form makes of a number of the row."""
        spans = [fixed if isinstance(fixed, Interval) else None for _, fixed in forms]
        if all(form is None and span is None for (form, _), span in zip(forms, spans, strict=True)):
            return no_numbers(len(placed))
        ways = {form: place for place, form in enumerate(dict.fromkeys(form for form, _ in forms if form is not None))}
        fixed = from_intervals(spans)
        if not ways:
            return fixed.take(placed.entry).compact
        different = placed.numbers(
            [-1 if form is None else ways[form] for form, _ in forms], [form.slot for form in ways]
        )
        made = _made(list(ways), different.way, self.contents.values[different.code])
        return joined_numbers([fixed, made]).take(different.put(placed.entry.copy(), len(spans))).compact


def _made(ways: Sequence[NumberForm], way: Ints, values: Floats) -> Numbers:
    """What forms make of numbers; `way` is the form of each."""
    factors = np.array([np.nan if form.factor is None else form.factor for form in ways])[way]
    converted = np.flatnonzero(factors == factors)
    values[converted] = rounded_all(values[converted] * factors[converted])
    low, high = (np.array([getattr(form, name) for form in ways], bool)[way] for name in ("low", "high"))
    flags = np.array([LOW_OPEN * form.low_open + HIGH_OPEN * form.high_open for form in ways], np.int8)[way]
    return Numbers(np.where(low, values, np.nan), np.where(high, values, np.nan), flags)


_HOW = {AT: 0, UNTIL: 1, STARTING: 2, SPANNING: 3, CONSTANT: 4}
_NO_MOMENT = MomentForm(CONSTANT)


def _entries(form: Form, number: int) -> Iterator[_Entry]:
    for fact in form.facts:
        yield _Entry(fact, number)
        for place, (name, part) in enumerate(fact.parts.items(), start=1):
            yield _Entry(part, number, place, name)


def _fits(form: FactForm) -> bool:
    """Whether arrays hold all the fact says: no values but codes and numbers, parts of the usual sort."""
    if isinstance(form.base.value, When) or form.base.opened is not None or form.base.computed:
        return False
    for name, part in form.parts.items():
        own = (*form.id, f".{name}") if not isinstance(form.id[-1], str) else (*form.id[:-1], f"{form.id[-1]}.{name}")
        same = (part.start, part.sample, part.base.certain) == (form.start, form.sample, form.base.certain)
        if part.id != own or not same or part.parts:
            return False
    return True
