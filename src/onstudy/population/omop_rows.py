"""Rows of a table of events, many at once: what each says, as the number of a saying, and what is its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.omop_columns import (
    Coding,
    Few,
    Flags,
    Ints,
    cast,
    concepts,
    few,
    moments,
    numbers,
    one,
    wholes,
)
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
    """Rows with what is their own; `index` says which of `keys` each has.

    `nobody` is how many more were left out that name no person, `nameless` how many have no id of their own;
    `no_concept` are those with something that is no id of a concept, by column.
    """

    person: Ints
    id: Ints
    start: Few
    end: Few
    number: Few
    low: Few
    high: Few
    index: NDArray[np.int32]
    keys: Sequence[Key]
    nobody: int
    nameless: int
    no_concept: Mapping[str, int]


def batch_of(table: str, columns: Columns, given: pa.Table, known: Known, said: Said, last_day: str) -> Batch:
    """The rows of a batch of a table. What ends on `last_day` (if any) or later is not known to be over."""
    rows = _Rows(table, columns, given, known, said)
    return rows.batch(last_day)


class _Rows:
    def __init__(self, table: str, columns: Columns, given: pa.Table, known: Known, said: Said) -> None:
        self.table, self.columns, self.known, self.said = table, columns, known, said
        given = _as_ids(_as_ids(given, "person_id"), columns.id)
        self.nobody = given.column("person_id").null_count
        given = given.filter(given.column("person_id").is_valid()) if self.nobody else given
        self.no_concept: dict[str, int] = {}
        self.given, self.nameless = given, given.column(columns.id).null_count
        if columns.about:
            own = wholes(self._column(columns.about)) != 0
            if own.any():
                own &= _among(concepts(self._column(columns.concept))[0], known.own)
                self.given = given.filter(pa.array(~own))

    def _column(self, name: str) -> pa.Array:
        return one(self.given.column(name)) if name else pa.nulls(self.given.num_rows)

    def batch(self, last_day: str) -> Batch:
        """All of them."""
        columns = self.columns
        own = wholes(self._column(columns.id))
        concept, source = self._concepts(columns.concept), self._concepts(columns.source_concept)
        number_of, since = self.said.of(own)
        start = moments(self._column(columns.start), self._column(columns.start_time))
        end = self._end()
        going = self._going(start, end, last_day)
        end = end.only(~going)
        if since.null_count < len(since):
            later = few(since, lambda values: values)  # "" is a day that nobody knows, and no row without one
            end = start.only(later.there).or_else(end.only(~later.there))
            start = later.or_else(start)
        called = self._called(concept, source)
        is_read = self._is_read(concept, source, called)
        number, words = numbers(self._column(columns.number))
        low, high = (numbers(self._column(name))[0] for name in (columns.low, columns.high))
        number = number.only(is_read)
        low, high = low.only(number.there), high.only(number.there)
        coding = Coding(len(own))
        for column, none in self._shared(concept, source, called, words, number, is_read):
            coding.add(column, none)
        coding.add(few(pa.array(number_of), lambda numbers: numbers))
        for flags in (going, start.there, end.there, number.there, low.there, high.there):
            coding.flag(flags)
        index, keys = coding.distinct()
        person = wholes(self._column("person_id"))
        found = [Key(*key) for key in keys]
        return Batch(
            person, own, start, end, number, low, high, index, found, self.nobody, self.nameless, self.no_concept
        )

    def _concepts(self, name: str) -> Few:
        """Ids of concepts in a column; rows that have something else there are counted."""
        found, strange = concepts(self._column(name))
        if strange:
            self.no_concept[name] = strange
        return found

    def _shared(
        self, concept: Few, source: Few, called: Few, words: Few, number: Few, is_read: Flags
    ) -> list[tuple[Few, int | None]]:
        """The columns of a key up to `status`, each with what stands for none.

        What a result says is left out where nothing is read of it.
        """
        columns = self.columns
        value, unit = self._concepts(columns.value), self._concepts(columns.unit)
        meant = concept.only(_among(concept, pa.array([NO_EVIDENCE_OF, HISTORY_OF])) & value.there)
        written = few(self._column(columns.unit_written)).only(is_read & ~unit.there)
        return [
            (concept, 0),
            (source, 0),
            (called, None),
            (meant, 0),
            (self._concepts(columns.operator).only(is_read), 0),
            (value.only(is_read | meant.there), 0),
            (self._words(words, is_read & ~number.there & ~value.there), None),
            (unit.only(is_read), 0),
            (written, None),
            (self._concepts(columns.route), 0),
            (self._concepts(columns.status), 0),
        ]

    def _words(self, instead: Few, where: Flags) -> Few:
        """A value in words: as the CDM has it, as the source wrote it, or what stands where a number belongs."""
        found = Few.none(len(where))
        if where.any():
            for name in (self.columns.text, self.columns.written):
                found = found.or_else(few(self._column(name)).only(where))
        return found.or_else(instead.only(where))

    def _end(self) -> Few:
        """The end: the day the source wrote, else as the CDM has it."""
        end = moments(self._column(self.columns.end), self._column(self.columns.end_time))
        verbatim = moments(self._column(self.columns.verbatim_end), pa.nulls(self.given.num_rows))
        if verbatim.empty:
            return end
        day = pc.index_in(_day(end.values), value_set=verbatim.values).fill_null(-2).to_numpy(zero_copy_only=False)
        same = np.append(day, -2)[end.place] == verbatim.place
        return verbatim.only(~same).or_else(end)

    def _going(self, start: Few, end: Few, last_day: str) -> Flags:
        """Rows that end where the source itself ends; a dose of the last day alone is one dose."""
        if not last_day or end.empty:
            return np.zeros(len(start.place), bool)
        late = end.where(pc.greater_equal(_day(end.values), last_day))
        if self.table != CONDITION and late.any():
            rows = np.flatnonzero(late)
            longer = pc.fill_null(pc.less(start.texts(rows), end.texts(rows)), False)
            late[rows] = longer.to_numpy(zero_copy_only=False)
        return late

    def _called(self, concept: Few, source: Few) -> Few:
        """The source value, where no concept stands for it."""
        nameless = ~concept.there & ~source.there
        if not nameless.any():
            return Few.none(len(nameless))
        return few(self._column(self.columns.called)).only(nameless)

    def _is_read(self, concept: Few, source: Few, called: Few) -> Flags:
        found = _among(concept, self.known.used) | _among(source, self.known.used)
        return found | _among(called, self.known.used_values)


def _as_ids(given: pa.Table, name: str) -> pa.Table:
    """Rows with a column as whole numbers, and null for what is none."""
    ids = cast(one(given.column(name)), pa.int64(), "BIGINT")
    return given.set_column(given.column_names.index(name), name, ids)


def _among(column: Few, values: pa.Array) -> Flags:
    """Which rows have one of some values."""
    if not len(column.values) or not len(values):
        return np.zeros(len(column.place), bool)
    return column.where(pc.is_in(column.values, value_set=values))


def _day(moments: pa.Array) -> pa.Array:
    return pc.utf8_slice_codeunits(moments, 0, 10)


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
