"""From patients to a shard: every fact becomes a row of its kind's table, every field a cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from onstudy.errors import OnstudyError
from onstudy.record.assemble import order
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact, Patient, Value
from onstudy.record.shard.columns import (
    EMPTY,
    HIGH_OPEN,
    ID,
    LOW_OPEN,
    NO_INSTANT,
    NONE,
    SOURCE,
    UNBOUNDED,
    Array,
    Column,
    Shard,
    Table,
    Text,
    default_of,
    is_text,
)
from onstudy.values.calendar import When, on_day
from onstudy.values.interval import Interval

_NOWHERE = float("-inf")


def shard_of(patients: Sequence[Patient], catalogue: Catalogue) -> Shard:
    """The shard of assembled patients, in their order. Raises `OnstudyError` for a fact no table can hold."""
    writer = _Writer(catalogue)
    for patient in patients:
        writer.add(patient)
    return writer.shard()


def code_word(codes: frozenset[str]) -> str:
    """A set of codes as the one word that stands for it: "a|b|c", sorted."""
    if any("|" in code or not code for code in codes):
        raise OnstudyError("a code that is empty or holds '|' cannot be stored; rename it in the catalogue")
    return "|".join(sorted(codes))


class Cells:
    """The rows of one table as they are written: cells by column, those that are not written are the default."""

    def __init__(self, name: str) -> None:
        self.name, self.rows = name, 0
        self._cells: dict[str, tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))

    def row(self) -> int:
        """The number of a new row."""
        self.rows += 1
        return self.rows - 1

    def set(self, row: int, column: str, value: Any) -> None:
        """One cell."""
        rows, values = self._cells[column]
        rows.append(row)
        values.append(value)

    def say(self, row: int, column: str, text: str | None) -> None:
        """One cell of text; no text where there is none or it is empty."""
        if text:
            self.set(row, column, text)

    def have(self, column: str) -> None:
        """A column in which it counts that nothing is said."""
        self._cells[column]

    def moment(self, row: int, name: str, when: When | None, required: bool = False) -> None:
        """A moment: its one day where it is no more and no less than that, else its bounds."""
        if when is None:
            return
        span = when.span
        if when.offset is None and when.day is not None and span == on_day(when.day).span:
            self.set(row, f"{name}.day", when.day)
            return
        self._bounds(row, name, span, NO_INSTANT, always=not required)
        if when.offset is not None:
            self.set(row, f"{name}.offset", when.offset)

    def number(self, row: int, name: str, span: Interval | None) -> None:
        """A number between bounds."""
        if span is not None:
            self._bounds(row, name, span, np.nan, always=True)

    def _bounds(self, row: int, name: str, span: Interval, nothing: float, always: bool) -> None:
        flags = LOW_OPEN * span.low_open + HIGH_OPEN * span.high_open
        if span.known:
            self.set(row, f"{name}.low", nothing if span.low is None else span.low)
            self.set(row, f"{name}.high", nothing if span.high is None else span.high)
        elif always:
            flags |= UNBOUNDED
        if flags:
            self.set(row, f"{name}.flags", flags)

    def value(self, row: int, name: str, value: Value) -> None:
        """A value, whatever it is."""
        if isinstance(value, Interval):
            self.number(row, name, value)
        elif isinstance(value, When):
            self.moment(row, f"{name}.at", value)
        elif value is not None:
            self.set(row, f"{name}.code", code_word(value))

    def table(self, sort: Array | None = None) -> Table:
        """The table, in the given order of rows, without the columns that say nothing or nothing new."""
        found: dict[str, Column] = {}
        for name in sorted(self._cells):
            rows, values = self._cells[name]
            found[name] = self._text(rows, values, sort) if is_text(name) else self._array(name, rows, values, sort)
        return Table(self.name, self.rows, without_defaults(found))

    def _array(self, name: str, rows: list[int], values: list[Any], sort: Array | None) -> Column:
        column = np.full(self.rows, default_of(name))
        column[rows] = values
        return column if sort is None else column[sort]

    def _text(self, rows: list[int], values: list[str], sort: Array | None) -> Column:
        words = sorted(set(values))
        places = {word: place for place, word in enumerate(words)}
        index = np.full(self.rows, NONE, np.int32)
        index[rows] = [places[value] for value in values]
        return Text(index if sort is None else index[sort], tuple(words))


def without_defaults(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns that differ anywhere from what their absence means; `patient` always stays."""
    return {name: column for name, column in columns.items() if name == "patient" or _says_more(name, column, columns)}


def _says_more(name: str, column: Column, columns: Mapping[str, Column]) -> bool:
    if isinstance(column, Text):
        own = columns.get(ID) if name == SOURCE else None
        return bool((_looked_at(column.index) >= 0).any()) if not isinstance(own, Text) else not column.says_as(own)
    default, column = default_of(name), _looked_at(column)
    if name.endswith(".high"):
        low = columns.get(name.removesuffix("high") + "low")
        return not (isinstance(low, np.ndarray) and _equal(_looked_at(low), column))
    if default != default:  # NaN
        return not bool(np.isnan(column).all())
    return not bool((column == default).all())


def _looked_at(column: Array) -> Array:
    """What there is to see of a column: one row where all lie in one place."""
    return column[:1] if column.strides == (0,) else column


def _equal(low: Array, high: Array) -> bool:
    equal = low == high
    if low.dtype.kind == "f" and not equal.all():
        equal |= np.isnan(low) & np.isnan(high)
    return bool(equal.all())


class _Writer:
    """Patients on their way into tables."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.patients, self.coverage, self.problems = Cells("patients"), Cells("coverage"), Cells("problems")
        self.kinds: dict[str, Cells] = {}
        self.keys: dict[str, list[tuple[int, float, float, str]]] = defaultdict(list)
        self.references: list[tuple[str, int, str, str, int]] = []  # (kind, row, component, kind of the part, its row)

    def add(self, patient: Patient) -> None:
        number = self.patients.row()
        self.patients.say(number, "id", patient.id)
        self.patients.moment(number, "born", patient.born, required=True)
        for cover in patient.coverage:
            row = _placed(self.coverage, number)
            self.coverage.say(row, "kind", cover.kind)
            self.coverage.say(row, "source", cover.source)
            for name, day in (("first", cover.first), ("last", cover.last)):
                if day is not None:
                    self.coverage.set(row, name, day)
        for problem in patient.problems:
            row = _placed(self.problems, number)
            self.problems.say(row, "what", problem.what)
            self.problems.say(row, "where", problem.where)
            self.problems.set(row, "fact_kept", problem.fact_kept)
        self._facts(number, patient.facts)

    def _facts(self, number: int, facts: Sequence[Fact]) -> None:
        rows: dict[str, tuple[Fact, int]] = {}
        usual = all(order(one) <= order(following) for one, following in pairwise(facts))
        for position, fact in enumerate(facts):
            row = self._fact(number, fact)
            rows[fact.id] = fact, row
            if not usual:
                self.kinds[fact.kind].set(row, "order", position)
        for fact in facts:
            self._parts(number, fact, rows[fact.id][1], rows)

    def _parts(self, number: int, whole: Fact, row: int, rows: Mapping[str, tuple[Fact, int]]) -> None:
        for name, part in whole.parts.items():
            beside = rows.get(part.id)
            if beside is not None and beside[0] == part:
                place = beside[1]
            else:
                place = self._fact(number, part)
                self.kinds[part.kind].set(place, "inner", True)
                self._parts(number, part, place, rows)
            self.references.append((whole.kind, row, name, part.kind, place))

    def _fact(self, number: int, fact: Fact) -> int:
        cells = self.kinds.get(fact.kind)
        if cells is None:
            cells = self.kinds[fact.kind] = Cells(fact.kind)
        row = _placed(cells, number)
        low, high = fact.start.span.low, fact.start.span.high
        self.keys[fact.kind].append(
            (number, _NOWHERE if low is None else low, -_NOWHERE if high is None else high, fact.id)
        )
        _write(cells, row, fact)
        return row

    def shard(self) -> Shard:
        sorts = {kind: _order(keys) for kind, keys in self.keys.items()}
        places = {kind: np.argsort(sort) for kind, sort in sorts.items()}
        for kind, row, name, part, place in self.references:
            self.kinds[kind].set(row, f"p.{name}.{part}", int(places[part][place]))
        tables = {kind: self.kinds[kind].table(sorts[kind]) for kind in sorted(self.kinds)}
        return Shard(self.patients.table(), self.coverage.table(), self.problems.table(), tables)


def _placed(cells: Cells, patient: int) -> int:
    row = cells.row()
    cells.set(row, "patient", patient)
    return row


def _order(keys: Iterable[tuple[int, float, float, str]]) -> Array:
    listed = list(keys)
    return np.array(sorted(range(len(listed)), key=listed.__getitem__), np.int64)


def _write(cells: Cells, row: int, fact: Fact) -> None:
    """Every field of a fact but its kind and its parts."""
    cells.have(SOURCE)
    for name in ("id", "lacks", "sample", "shown", "source", "code_status"):
        cells.say(row, name, getattr(fact, name))
    for name, said in (
        ("negative", fact.negative),
        ("ongoing", fact.ongoing),
        ("suspected", not fact.certain),
        ("computed", fact.computed),
    ):
        if said:
            cells.set(row, name, True)
    cells.moment(row, "start", fact.start, required=True)
    cells.moment(row, "end", fact.end)
    cells.moment(row, "recorded", fact.recorded)
    if fact.narrowed is not None:
        cells.set(row, "narrowed.by", fact.narrowed[0])
        cells.set(row, "narrowed.code", code_word(fact.narrowed[1]))
    if fact.opened is not None:
        cells.set(row, "opened.set", True)
        cells.set(row, "opened.ongoing", fact.opened[1])
        cells.moment(row, "opened", fact.opened[0])
    cells.value(row, "value", fact.value)
    cells.number(row, "uln", fact.uln)
    cells.number(row, "lln", fact.lln)
    for name, value in fact.attributes.items():
        if value is None:
            cells.set(row, f"a.{name}.flags", EMPTY)
        cells.value(row, f"a.{name}", value)
