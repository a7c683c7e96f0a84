"""Rows of a table of events, many at once: what each says, as the number of a saying, and what is its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.omop_columns import Coding, Flags, Ints, moments, numbers, one, texts, wholes
from onstudy.population.omop_tables import Columns
from onstudy.readers.omop import CONDITION, HISTORY_OF, NO_EVIDENCE_OF, Concept

Qualifiers = tuple[tuple[str, Concept | str], ...]


@dataclass(frozen=True, slots=True)
class Key:
    """What many rows have in common; concepts by their ids, 0 for none."""

    concept: int
    source_concept: int
    called: str | None
    meant: int
    operator: int
    value: int
    words: str | None
    unit: int
    unit_written: str | None
    route: int
    status: int
    qualified: int
    going: bool
    has_start: bool
    has_end: bool
    has_number: bool
    has_low: bool
    has_high: bool


#: What of a key are concepts, looked up in the table `concept`.
CONCEPTS = ("concept", "source_concept", "value", "unit", "route", "status")


@dataclass(frozen=True)
class Said:
    """What rows of the project's own concepts say of rows of one table, by their ids (sorted).

    `number` is the place of what is said in `sayings`; `since`, where it is said, is when the row begins to speak.
    """

    row: Ints
    number: Ints
    since: pa.Array
    sayings: Sequence[Qualifiers]

    def of(self, rows: Ints) -> tuple[Ints, pa.Array]:
        """What is said of each of these rows, 0 where nothing is, and since when it speaks."""
        if not len(self.row):
            return np.zeros(len(rows), np.int64), pa.nulls(len(rows), pa.string())
        place = np.minimum(np.searchsorted(self.row, rows), len(self.row) - 1)
        found = self.row[place] == rows
        since = self.since.take(pa.array(place, mask=~found))
        return np.where(found, self.number[place], 0), since


@dataclass(frozen=True)
class Known:
    """What is known of concepts: those that results are read of, the project's own, and source values likewise."""

    used: pa.Array
    own: pa.Array
    used_values: pa.Array


@dataclass(frozen=True)
class Batch:
    """Rows with what is their own; `index` says which of `keys` each has."""

    person: Ints
    id: Ints
    start: pa.Array
    end: pa.Array
    number: pa.Array
    low: pa.Array
    high: pa.Array
    index: NDArray[np.int32]
    keys: Sequence[Key]


def batch_of(table: str, columns: Columns, given: pa.Table, known: Known, said: Said, last_day: str) -> Batch:
    """The rows of a batch of a table. What ends on `last_day` (if any) or later is not known to be over."""
    rows = _Rows(table, columns, given, known, said)
    return rows.batch(last_day)


class _Rows:
    def __init__(self, table: str, columns: Columns, given: pa.Table, known: Known, said: Said) -> None:
        self.table, self.columns, self.known, self.said = table, columns, known, said
        self.given = given
        if columns.about:
            about = wholes(self._column(columns.about))
            own = _isin(wholes(self._column(columns.concept)), known.own) & (about != 0)
            if own.any():
                self.given = given.filter(pa.array(~own))

    def _column(self, name: str) -> pa.Array:
        return one(self.given.column(name)) if name else pa.nulls(self.given.num_rows)

    def batch(self, last_day: str) -> Batch:
        """All of them."""
        columns = self.columns
        concept, source = wholes(self._column(columns.concept)), wholes(self._column(columns.source_concept))
        number_of, since = self.said.of(wholes(self._column(columns.id)))
        start = moments(self._column(columns.start), self._column(columns.start_time))
        end = self._end()
        going = self._going(start, end, last_day)
        end = pc.if_else(pa.array(going), None, end) if going.any() else end
        if since.null_count < len(since):
            end = pc.if_else(pc.is_valid(since), start, end)
            start = pc.coalesce(since, start)
        called = self._called(concept, source)
        is_read = self._is_read(concept, source, called)
        number, words = numbers(self._column(columns.number))
        low, high = (numbers(self._column(name))[0] for name in (columns.low, columns.high))
        number, low, high = (_only(part, is_read) for part in (number, low, high))
        low, high = (_only(part, _there(number)) for part in (low, high))
        coding = Coding(len(concept))
        for column in self._shared(concept, source, called, words, number, is_read):
            if isinstance(column, np.ndarray):
                coding.number(column)
            else:
                coding.add(column)
        coding.number(number_of)
        for flags in (going, _there(start), _there(end), _there(number), _there(low), _there(high)):
            coding.flag(flags)
        index, keys = coding.distinct()
        person, own = wholes(self._column("person_id")), wholes(self._column(columns.id))
        return Batch(person, own, start, end, number, low, high, index, [Key(*key) for key in keys])

    def _shared(
        self, concept: Ints, source: Ints, called: pa.Array, words: pa.Array, number: pa.Array, is_read: Flags
    ) -> list[pa.Array | Ints]:
        """The columns of a key up to `status`; what a result says is left out where nothing is read of it."""
        columns = self.columns
        value, unit = wholes(self._column(columns.value)), wholes(self._column(columns.unit))
        meant = np.where(np.isin(concept, (NO_EVIDENCE_OF, HISTORY_OF)) & (value != 0), concept, 0)
        written = _only(texts(self._column(columns.unit_written)), is_read & (unit == 0))
        spoken = _only(self._words(words), is_read & ~_there(number) & (value == 0))
        operator = wholes(self._column(columns.operator))
        return [
            concept,
            source,
            called,
            meant,
            np.where(is_read, operator, 0),
            np.where(is_read | (meant != 0), value, 0),
            spoken,
            np.where(is_read, unit, 0),
            written,
            wholes(self._column(columns.route)),
            wholes(self._column(columns.status)),
        ]

    def _words(self, instead: pa.Array) -> pa.Array:
        """A value in words: as the CDM has it, as the source wrote it, or what stands where a number belongs."""
        found = [texts(self._column(name)) for name in (self.columns.text, self.columns.written) if name]
        return pc.coalesce(*found, instead)

    def _end(self) -> pa.Array:
        """The end: the day the source wrote, else as the CDM has it."""
        end = moments(self._column(self.columns.end), self._column(self.columns.end_time))
        if not self.columns.verbatim_end:
            return end
        verbatim = moments(self._column(self.columns.verbatim_end), pa.nulls(self.given.num_rows))
        same = pc.fill_null(pc.equal(pc.utf8_slice_codeunits(end, 0, 10), verbatim), False)
        return pc.if_else(same, end, pc.coalesce(verbatim, end))

    def _going(self, start: pa.Array, end: pa.Array, last_day: str) -> Flags:
        """Rows that end where the source itself ends; a dose of the last day alone is one dose."""
        if not last_day or not self.columns.end:
            return np.zeros(len(start), bool)
        late = pc.greater_equal(pc.utf8_slice_codeunits(end, 0, 10), last_day)
        if self.table != CONDITION:
            late = pc.and_(late, pc.less(start, end))
        return np.asarray(pc.fill_null(late, False).to_numpy(zero_copy_only=False))

    def _called(self, concept: Ints, source: Ints) -> pa.Array:
        """The source value, where no concept stands for it."""
        nameless = (concept == 0) & (source == 0)
        if not nameless.any():
            return pa.nulls(len(concept), pa.string())
        return _only(texts(self._column(self.columns.called)), nameless)

    def _is_read(self, concept: Ints, source: Ints, called: pa.Array) -> Flags:
        found = _isin(concept, self.known.used) | _isin(source, self.known.used)
        if called.null_count < len(called) and len(self.known.used_values):
            found |= pc.is_in(called, value_set=self.known.used_values).to_numpy(zero_copy_only=False)
        return found


def _isin(values: Ints, among: pa.Array) -> Flags:
    return np.asarray(pc.is_in(pa.array(values), value_set=among).to_numpy(zero_copy_only=False))


def _there(column: pa.Array) -> Flags:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False))


def _only(column: pa.Array, where: Flags) -> pa.Array:
    """A column, null elsewhere."""
    if where.all() or column.null_count == len(column):
        return column
    return pc.if_else(pa.array(where), column, None)


def said_of(said: Mapping[int, Sequence[tuple[str, Concept | str]]], since_name: str) -> Said:
    """What is said of rows, by their ids."""
    known: dict[Qualifiers, int] = {(): 0}
    numbers_, since = [], []
    for row in sorted(said):
        parts = said[row]
        since.append(next((text for name, text in parts if name == since_name and isinstance(text, str)), None))
        rest: Qualifiers = tuple(sorted((part for part in parts if part[0] != since_name), key=str))
        numbers_.append(known.setdefault(rest, len(known)))
    rows = np.array(sorted(said), np.int64)
    return Said(rows, np.array(numbers_, np.int64), pa.array(since, pa.string()), list(known))
