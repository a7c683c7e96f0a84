"""The facts of many rows as arrays: each form's facts, with what stands in the slots of each row put in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_classes import Contents
from onstudy.population.bulk_forms import (
    AT,
    CONSTANT,
    NAME,
    SPANNING,
    STARTING,
    UNTIL,
    FactForm,
    Form,
    MomentForm,
    NumberForm,
    Pattern,
)
from onstudy.population.bulk_match import Matched
from onstudy.population.bulk_moments import Moments, from_whens, joined, none, spanning, starting, until
from onstudy.population.bulk_numbers import rounded_all
from onstudy.population.bulk_order import in_order
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_same import joined as joined_columns
from onstudy.population.bulk_same import same, settled, taken
from onstudy.population.bulk_texts import NOWHERE, Texts, join_texts, same_text, texts_of
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.record.shard import HIGH_OPEN, LOW_OPEN, UNBOUNDED
from onstudy.values.calendar import When
from onstudy.values.interval import Interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Numbers as arrays: bounds (NaN is none) and what is open of them, as a shard holds them."""

    low: Floats
    high: Floats
    flags: NDArray[np.int8]

    def take(self, rows: Rows) -> Numbers:
        """Some of them."""
        return Numbers(*(taken(column, rows) for column in self.arrays))

    @property
    def arrays(self) -> tuple[Rows, ...]:
        """All that they are held as."""
        return self.low, self.high, self.flags

    @property
    def compact(self) -> Numbers:
        """The same; a column that says the same in each row is held once."""
        return Numbers(*map(settled, self.arrays))

    @property
    def writable(self) -> Numbers:
        """A copy that may be written to."""
        return Numbers(*(np.array(column) for column in self.arrays))

    @property
    def exact(self) -> Flags:
        """Those that are one number."""
        return np.asarray(self.low == self.high)

    def columns(self, name: str) -> dict[str, Rows]:
        """Them as the columns of a shard."""
        return {f"{name}.low": self.low, f"{name}.high": self.high, f"{name}.flags": self.flags}


def no_numbers(rows: int) -> Numbers:
    """As many as asked for, none of them there."""
    low = same(np.nan, rows, np.float64)
    return Numbers(low, low, same(0, rows, np.int8))


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Facts as arrays. `base` is the place of what is the same in all facts of a form, in a list of `Fact`.

    `parts` are (whole, part, name) for each component: places in these arrays, and in the list of names.
    """

    patient: Ints
    base: Ints
    start: Moments
    end: Moments
    recorded: Moments
    value: Numbers
    uln: Numbers
    lln: Numbers
    id: Texts
    source: Texts
    shown: Texts
    sample: Texts

    def __len__(self) -> int:
        return len(self.patient)

    def take(self, rows: Rows) -> Facts:
        """Some of them, in the order asked for."""
        columns: list[Any] = [getattr(self, one.name) for one in fields(self)]
        some: list[Any] = [column[rows] if isinstance(column, np.ndarray) else column.take(rows) for column in columns]
        return Facts(*some)


@dataclass
class Bases:
    """What is the same in all facts of a form, as a list; equal ones once."""

    facts: list[Fact] = field(default_factory=list)
    _places: dict[tuple[object, ...], int] = field(default_factory=dict)

    def place(self, fact: Fact) -> int:
        """The place of a fact in the list."""
        key = _key(fact)
        if key not in self._places:
            self._places[key] = len(self.facts)
            self.facts.append(fact)
        return self._places[key]


def _key(fact: Fact) -> tuple[object, ...]:
    return (
        fact.kind, fact.negative, fact.narrowed, fact.ongoing, fact.certain, fact.value, fact.lacks, fact.uln, fact.lln,
        tuple(fact.attributes.items()), fact.computed, fact.code_status, fact.opened,
    )  # fmt: skip


def join_facts(parts: Sequence[Facts]) -> Facts:
    """Facts one after another."""
    columns: list[Any] = []
    for one in fields(Facts):
        given = [getattr(part, one.name) for part in parts]
        if isinstance(given[0], Moments):
            columns.append(joined(given))
        elif isinstance(given[0], Numbers):
            arrays = zip(*(part.arrays for part in given), strict=True)
            columns.append(Numbers(*(joined_columns(some) for some in arrays)))
        elif isinstance(given[0], Texts):
            columns.append(join_texts(given))
        else:
            columns.append(np.concatenate(given))
    return Facts(*columns)


# From rows to facts -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entry:
    """One fact of a form: components stand after their whole, `whole` places before."""

    form: FactForm
    number: int
    whole: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Which facts are components of which: whole and part by their places among all facts, the name by its number."""

    wholes: Ints
    parts: Ints
    names: Ints

    def named(self, number: int) -> Ints:
        """The places here of all components of one name."""
        return np.flatnonzero(self.names == number)


NO_COMPONENTS = Components(*np.zeros((3, 0), np.int64))


def join_components(parts: Sequence[Components]) -> Components:
    """Components one after another."""
    return Components(*(np.concatenate([getattr(one, f.name) for one in parts]) for f in fields(Components)))


def component_names(catalogue: Catalogue) -> list[str]:
    """The names of all components there are; their places here are their numbers."""
    return sorted({name for kind in catalogue for name in kind.components})


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
        counts = np.diff([*self.first, len(self.entries)]).astype(np.int64)
        form = self.matched.form[rows]
        many = counts[form]
        row = np.repeat(rows, many)
        within = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
        entry = np.asarray(self.first, np.int64)[np.repeat(form, many)] + within
        whole = np.array([one.whole for one in self.entries], np.int64)[entry] if len(entry) else within
        parts = np.flatnonzero(whole)
        texts = _Texts(self, row, entry)
        ids = texts.column([one.form.id for one in self.entries])
        value, uln, lln = (
            self._numbers(row, entry, [(getattr(one.form, name), getattr(one.form.base, name)) for one in self.entries])
            for name in ("value", "uln", "lln")
        )
        facts = Facts(
            patient[row],
            self.bases[entry] if len(entry) else entry,
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
        places = {name: place for place, name in enumerate(names)}
        named = np.array([places.get(one.name, -1) for one in self.entries], np.int64)
        of_parts = named[entry[parts]] if len(parts) else parts
        return Expanded(facts, row, Components(parts - whole[parts], parts, of_parts), self.unfit)

    # Moments ------------------------------------------------------------------------------------------------

    def _moments(self, row: Ints, entry: Ints, forms: Sequence[MomentForm | None]) -> Moments:
        ways = [_NO_MOMENT if form is None else form for form in forms]
        constants = [form.when if form.how == CONSTANT else None for form in ways]
        how = np.array([_HOW[form.how] for form in ways], np.int8)[entry] if ways else np.zeros(0, np.int8)
        first = np.array([form.first for form in ways], np.int64)
        second = np.array([form.second for form in ways], np.int64)
        if len(how) and (how == _HOW[AT]).all():
            return self._dates(row, first[entry]).compact
        if all(form == _NO_MOMENT for form in ways):
            return none(len(row))
        found = none(len(row)).writable
        for name, number in _HOW.items():
            some = np.flatnonzero(how == number)
            if not len(some):
                continue
            if name == CONSTANT:
                put(found, some, from_whens(constants).take(entry[some]))
                continue
            dates = self._dates(row[some], first[entry[some]])
            if name == SPANNING:
                dates = spanning(dates, self._dates(row[some], second[entry[some]]))
            elif name != AT:
                dates = until(dates) if name == UNTIL else starting(dates)
            put(found, some, dates)
        return found.compact

    def _dates(self, row: Ints, slot: Ints) -> Moments:
        return self.contents.moments.take(self.contents.dates.start[row] + slot * self.contents.dates.step)

    # Numbers ------------------------------------------------------------------------------------------------

    def _numbers(self, row: Ints, entry: Ints, forms: Sequence[tuple[NumberForm | None, object]]) -> Numbers:
        spans = [fixed if isinstance(fixed, Interval) else None for _, fixed in forms]
        if all(form is None and span is None for (form, _), span in zip(forms, spans, strict=True)):
            return no_numbers(len(row))
        found = from_intervals(spans).take(entry)
        slots = np.array([-1 if form is None else form.slot for form, _ in forms], np.int64)
        some = np.flatnonzero(slots[entry] >= 0) if len(entry) else entry
        if not len(some):
            return found.compact
        numbers = self.contents.numbers
        values = self.contents.values[numbers.start[row[some]] + slots[entry[some]] * numbers.step]
        factors = np.array([1.0 if form is None or form.factor is None else form.factor for form, _ in forms])
        converted = np.flatnonzero(
            np.array([form is not None and form.factor is not None for form, _ in forms])[entry[some]]
        )
        values[converted] = rounded_all(values[converted] * factors[entry[some[converted]]])
        low, high, flags = (
            np.array([_bound(form, name) for form, _ in forms])[entry[some]] for name in ("low", "high", "flags")
        )
        found.low[some] = np.where(low, values, np.nan)
        found.high[some] = np.where(high, values, np.nan)
        found.flags[some] = flags
        return found.compact


_HOW = {AT: 0, UNTIL: 1, STARTING: 2, SPANNING: 3, CONSTANT: 4}
_NO_MOMENT = MomentForm(CONSTANT)


def _bound(form: NumberForm | None, name: str) -> int:
    if form is None:
        return 0
    return LOW_OPEN * form.low_open + HIGH_OPEN * form.high_open if name == "flags" else int(getattr(form, name))


def put(into: Moments, rows: Ints, moments: Moments) -> None:
    """Set some moments."""
    for one in fields(Moments):
        getattr(into, one.name)[rows] = getattr(moments, one.name)


def from_intervals(spans: Sequence[Interval | None]) -> Numbers:
    """Numbers given one by one."""
    found = no_numbers(len(spans)).writable
    for row, span in enumerate(spans):
        if span is not None:
            found.low[row] = np.nan if span.low is None else span.low
            found.high[row] = np.nan if span.high is None else span.high
            flags = LOW_OPEN * span.low_open + HIGH_OPEN * span.high_open
            found.flags[row] = flags if span.known else UNBOUNDED
    return found


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


# Texts ------------------------------------------------------------------------------------------------------


class _Texts:
    """The texts of facts, pattern by pattern. The same patterns give the same column, made once."""

    def __init__(self, expansion: _Expansion, row: Ints, entry: Ints) -> None:
        self.x, self.row, self.entry = expansion, row, entry
        self._made: dict[tuple[object, ...], Texts] = {}

    def column(self, patterns: Sequence[Pattern | None]) -> Texts:
        """The text of each fact; none where its form has none."""
        key = tuple(patterns)
        if key not in self._made:
            self._made[key] = self._column(patterns)
        return self._made[key]

    def _column(self, patterns: Sequence[Pattern | None]) -> Texts:
        numbers: dict[tuple[Pattern | None, tuple[tuple[int, int], ...]], int] = {}
        layouts = [self.x.matched.names[one.number] for one in self.x.entries]
        ways = [(pattern, _used(layout, pattern)) for pattern, layout in zip(patterns, layouts, strict=True)]
        number = np.array([numbers.setdefault(way, len(numbers)) for way in ways], np.int32)
        if len(numbers) == 1 and _is_fixed(patterns[0]):
            return same_text(None if patterns[0] is None else _fixed(patterns[0]), len(self.row))
        of = number[self.entry] if len(self.entry) else np.zeros(0, np.int32)
        order = in_order(of)
        ends = np.searchsorted(of[order], np.arange(len(numbers) + 1))
        found: list[pa.Array] = []
        place = np.full(len(order), NOWHERE, np.int64)
        count = 0
        for (pattern, used), start, end in zip(numbers, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            if end == start or pattern is None:
                continue
            rows = order[start:end]
            if _is_fixed(pattern):
                found.append(pa.array([_fixed(pattern)], pa.string()))
                place[rows] = count
            else:
                texts = texts_of(self._filled(pattern, used, self.row[rows]))
                found += texts.words
                place[rows] = np.where(texts.place == NOWHERE, NOWHERE, texts.place + count)
            count = sum(map(len, found))
        return Texts(tuple(found), place)

    def _filled(self, pattern: Pattern, used: tuple[tuple[int, int], ...], rows: Ints) -> pa.Array:
        pieces = iter(used)
        texts = [piece if isinstance(piece, str) else self._slot(piece[0], *next(pieces), rows) for piece in pattern]
        if len(texts) == 1:
            return texts[0]
        return pc.binary_join_element_wise(*texts, "", null_handling="replace")

    def _slot(self, sort: str, place: int, slot: int, rows: Ints) -> pa.Array:
        contents = self.x.contents
        if sort != NAME:
            return _taken(contents.numbers.values, contents.numbers.places(rows, slot))
        if place < 0:
            return pa.array([self.x.out[row][slot] for row in rows.tolist()], pa.string())
        if place > 0:
            rows = np.array([self.x.related[row][place - 1] for row in rows.tolist()], np.int64)
        return _taken(contents.names.values, contents.names.places(rows, slot))


def _is_fixed(pattern: Pattern | None) -> bool:
    """Whether a pattern gives the same text for all rows, or none."""
    return pattern is None or all(isinstance(piece, str) for piece in pattern)


def _fixed(pattern: Pattern) -> str:
    return "".join(map(str, pattern))


def _used(layout: tuple[tuple[int, int], ...], pattern: Pattern | None) -> tuple[tuple[int, int], ...]:
    """Where the slots of a pattern stand: (place in the cluster, slot), in its order."""
    found = []
    for piece in pattern or ():
        if not isinstance(piece, str):
            found.append(layout[piece[1]] if piece[0] == NAME else (0, piece[1]))
    return tuple(found)


def _taken(values: pa.Array, places: Ints) -> pa.Array:
    return values.take(pa.array(places))


def from_facts(patient: Ints, facts: Sequence[Fact], bases: Bases) -> Facts:
    """Facts given one by one, which have no components, each of the patient beside it."""
    value, uln, lln = (
        from_intervals([span if isinstance(span := getattr(fact, name), Interval) else None for fact in facts])
        for name in ("value", "uln", "lln")
    )
    id_, source, shown, sample = (
        texts_of(pa.array([getattr(fact, name) for fact in facts], pa.string()))
        for name in ("id", "source", "shown", "sample")
    )
    return Facts(
        patient,
        np.array([bases.place(fact) for fact in facts], np.int64),
        from_whens([fact.start for fact in facts]),
        from_whens([fact.end for fact in facts]),
        from_whens([fact.recorded for fact in facts]),
        value,
        uln,
        lln,
        id_,
        source,
        shown,
        sample,
    )


def fact_at(facts: Facts, bases: Bases, place: int) -> Fact:
    """One of the facts, without its components."""
    start = facts.start.at(place)
    assert start is not None, "a fact has a start"
    base = bases.facts[int(facts.base[place])]
    numbers: dict[str, Any] = {
        name: span for name in ("value", "uln", "lln") if (span := span_at(getattr(facts, name), place))
    }
    return replace(
        base,
        id=facts.id.at(place) or "",
        start=start,
        end=facts.end.at(place),
        recorded=facts.recorded.at(place),
        source=facts.source.at(place) or "",
        shown=facts.shown.at(place) or "",
        sample=facts.sample.at(place),
        **numbers,
    )


def span_at(numbers: Numbers, place: int) -> Interval | None:
    """One of the numbers; None where there is none."""
    low, high, flags = float(numbers.low[place]), float(numbers.high[place]), int(numbers.flags[place])
    if low != low and high != high and not flags & UNBOUNDED:
        return None
    return Interval(
        None if low != low else low, None if high != high else high, bool(flags & LOW_OPEN), bool(flags & HIGH_OPEN)
    )
