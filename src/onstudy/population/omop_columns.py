"""Columns of a CDM as a source has them, text or typed, brought to what the reader of rows takes.

What cannot be cast is as if it were not there, save a number, which stays as words, and a date, which stays as it is
written, so that the reader says that it is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.omop_cdm import SETTINGS

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_JSON_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_MIDNIGHT = "00:00:00"
#: Where the day and the time of day stand in a moment that is written.
_DAY_PART, _CLOCK_PART = (0, 10), (11, 19)
#: As many of these make a second.
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
#: Days from 1970 on: of the first year with four digits, and behind the last.
_FIRST_DAY, _LAST_DAY = (date(1, 1, 1) - date(1970, 1, 1)).days, (date(9999, 12, 31) - date(1970, 1, 1)).days + 1
#: Instants this far from each other can still be told apart by what one is more than the other.
_FAR = 1 << 62


def one(column: Any) -> pa.Array:
    """A column in one piece."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 1:
            return column.chunk(0)
        chunks = column.unify_dictionaries().chunks
        return pa.concat_arrays(chunks) if chunks else pa.array([], column.type)
    return column


def wholes(column: pa.Array) -> Ints:
    """Whole numbers; 0 for what is none."""
    if column.null_count == len(column):
        return np.zeros(len(column), np.int64)
    if not pa.types.is_integer(column.type):
        column = cast(column, pa.int64(), "BIGINT")
    found = column.cast(pa.int64())
    return np.asarray((found.fill_null(0) if found.null_count else found).to_numpy(zero_copy_only=False))


def texts(column: pa.Array) -> pa.Array:
    """Text without blanks around it; null where there is none."""
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.string())
    found = column.cast(pa.string())
    empty = pc.equal(found, "")
    return pc.if_else(empty, None, found) if pc.any(empty).as_py() else found


def cast(column: pa.Array, to: pa.DataType, name: str) -> pa.Array:
    """A cast of which nothing fails: what cannot be cast is null."""
    if pa.types.is_dictionary(column.type):
        return cast(column.dictionary, to, name).take(column.indices)
    try:
        return column.cast(to)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        import duckdb  # it takes a tenth of a second, and most sources never need it

        with duckdb.connect(config=SETTINGS) as connection:
            connection.register("given", pa.table({"cell": column}))
            return one(connection.sql(f"SELECT TRY_CAST(cell AS {name}) AS cell FROM given").to_arrow_table().column(0))


@dataclass(frozen=True, eq=False)
class Few:
    """A column of which few rows differ: what differs, and where in it each row's stands; -1 where there is none."""

    values: pa.Array
    place: NDArray[np.int32]

    @classmethod
    def none(cls, rows: int) -> Few:
        """A column without anything in it."""
        return cls(pa.array([], pa.string()), np.broadcast_to(np.int32(-1), rows))

    @property
    def there(self) -> Flags:
        """Where there is something."""
        return self.place >= 0

    @property
    def empty(self) -> bool:
        """Whether there is nothing anywhere."""
        return not len(self.values) or not self.there.any()

    def where(self, of_values: pa.Array) -> Flags:
        """The rows whose value has a flag; null counts as none."""
        flags = pc.fill_null(of_values, False).to_numpy(zero_copy_only=False)
        return np.append(flags, False)[self.place]

    def of(self, rows: NDArray[Any]) -> Few:
        """What stands in some rows, in the order asked for."""
        return Few(self.values, self.place[rows])

    def only(self, where: Flags) -> Few:
        """The same, with nothing elsewhere."""
        if not len(self.values) or where.all():
            return self
        return Few(self.values, np.where(where, self.place, np.int32(-1)))

    def said(self, of_values: Callable[[pa.Array], pa.Array]) -> Few:
        """What is said of each value in place of it; of null, nothing."""
        coded = of_values(self.values).dictionary_encode()
        found = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        if len(coded.dictionary) == len(found):  # one for each, as they stand
            return Few(coded.dictionary, self.place)
        return Few(coded.dictionary, np.append(found, np.int32(-1))[self.place])

    def or_else(self, other: Few) -> Few:
        """The same, with another's text where there is none."""
        if not len(other.values) or not len(self.values):
            return self if len(self.values) else other
        behind = np.where(other.there, other.place + np.int32(len(self.values)), np.int32(-1))
        both = Few(pa.concat_arrays([self.values, other.values]), np.where(self.there, self.place, behind))
        return both.said(lambda values: values)

    def texts(self, rows: NDArray[Any]) -> pa.Array:
        """What stands in some rows, or in those with a flag."""
        place = self.place[rows]
        return self.values.take(pa.array(place, mask=place < 0))

    def coded(self) -> pa.DictionaryArray:
        """As Arrow has it."""
        return pa.DictionaryArray.from_arrays(pa.array(self.place, mask=self.place < 0), self.values)


def few(column: pa.Array, said: Callable[[pa.Array], pa.Array] = texts) -> Few:
    """A column as `said` reads what differs in it."""
    if column.null_count == len(column):
        return Few.none(len(column))
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    index = coded.indices.cast(pa.int32())
    place = (index.fill_null(-1) if index.null_count else index).to_numpy(zero_copy_only=False)
    return Few(coded.dictionary, place).said(said)


def concepts(column: pa.Array) -> tuple[Few, int]:
    """Ids of concepts, 0 is none; and how many rows hold something that is no id."""
    coded = few(column, lambda values: values)
    found = coded.said(_ids) if len(coded.values) else coded
    if pa.types.is_integer(coded.values.type) or not len(coded.values):
        return found, 0
    strange = _no_ids(coded.values)
    return found, int(coded.where(strange.is_valid()).sum()) if strange.null_count < len(strange) else 0


def _ids(column: pa.Array) -> pa.Array:
    found = wholes(column)
    return pa.array(found, mask=found == 0)


def _no_ids(column: pa.Array) -> pa.Array:
    """What is written in place of an id, and nothing for what is one."""
    written = texts(column)
    return pc.if_else(cast(column, pa.int64(), "BIGINT").is_valid(), None, written)


def numbers(column: pa.Array) -> tuple[Few, Few]:
    """Numbers as JSON writes them, nothing for what is none; and what is written in place of one."""
    written = few(column)
    plain = pc.match_substring_regex(written.values, _JSON_NUMBER)
    if pc.all(plain).as_py() in (True, None):
        return written, Few.none(len(column))
    values = cast(written.values, pa.float64(), "DOUBLE")
    finite = pc.fill_null(pc.is_finite(values), False)
    said = pc.if_else(plain, written.values, pc.if_else(finite, values.cast(pa.string()), None))
    return written.said(lambda _: said), written.said(lambda values: pc.if_else(pc.is_null(said), values, None))


def moments(day: pa.Array, time: pa.Array) -> Few:
    """Dates as text: with the time of day where that is not midnight, which stands for no time at all."""
    instants = _instants(day, time)
    return _moments_of_texts(day, time) if instants is None else instants.said(partial(_moments_at, kind=time.type))


def _instants(day: pa.Array, time: pa.Array) -> Few | None:
    """One number a row, where columns are typed: its time if that lies on its day, else when its day begins.

    None where they are not, or so far off that they are not written as other dates are.
    """
    if not pa.types.is_date32(day.type) or not pa.types.is_timestamp(time.type) or time.type.tz is not None:
        return None
    whole = _UNITS[time.type.unit] * 86_400
    of_day, of_time = day.cast(pa.int32()), time.cast(pa.int64())
    ends = [int(end) * whole for end in pc.min_max(of_day).as_py().values() if end is not None]
    ends += [int(end) for end in pc.min_max(of_time).as_py().values() if end is not None]
    if not all(max(_FIRST_DAY * whole, -_FAR) <= end < min(_LAST_DAY * whole, _FAR) for end in ends):
        return None
    days = np.asarray(of_day.fill_null(0).to_numpy(), np.int64) * whole
    times = of_time.fill_null(0).to_numpy()
    dated, timed = (column.is_valid().to_numpy(zero_copy_only=False) for column in (day, time))
    fits = (times - days).view(np.uint64) < whole  # what is below zero is very large there
    found = np.where(fits | ~dated, times, days)
    there = dated | timed
    return few(pa.array(found, mask=None if there.all() else ~there), lambda values: values)


def _moments_at(instants: pa.Array, kind: pa.DataType) -> pa.Array:
    written = instants.cast(kind).cast(pa.string())
    day, clock = (pc.utf8_slice_codeunits(written, *part) for part in (_DAY_PART, _CLOCK_PART))
    return pc.if_else(pc.equal(clock, _MIDNIGHT), day, pc.binary_join_element_wise(day, clock, "T"))


def _moments_of_texts(day: pa.Array, time: pa.Array) -> Few:
    """The same of columns as they may be."""
    days = few(day, _days)
    clocks = few(time)
    if not len(clocks.values):
        return days
    own, clock = (pc.utf8_slice_codeunits(clocks.values, *part) for part in (_DAY_PART, _CLOCK_PART))
    if not days.there.all():
        days = days.or_else(clocks.said(lambda _: _days(own)))
    stated = clocks.where(pc.and_(pc.equal(pc.utf8_length(clock), 8), pc.not_equal(clock, _MIDNIGHT)))
    day_of_clock = pc.index_in(own, value_set=days.values).fill_null(-2).to_numpy(zero_copy_only=False)
    timed = stated & (day_of_clock[clocks.place] == days.place)
    whole = clocks.only(timed).said(lambda _: pc.binary_join_element_wise(own, clock, "T"))
    return whole.or_else(days) if timed.any() else days


def _days(column: pa.Array) -> pa.Array:
    """Days as text; a date-time at midnight is a day."""
    written = texts(column)
    if pc.all(pc.match_substring_regex(written, _DAY)).as_py() in (True, None):
        return written
    return pc.coalesce(cast(written, pa.date32(), "DATE").cast(pa.string()), written)


class Coding:
    """Rows told apart by several columns: the number of each row's combination, few of which differ."""

    def __init__(self, rows: int) -> None:
        self._code, self._many = np.zeros(rows, np.int64), 1
        self._columns: list[tuple[NDArray[np.int32], list[Any]]] = []

    def add(self, column: Few, none: Any = None) -> None:
        """Another column; what is none counts as a value of its own."""
        if column.empty:
            self._same(none)
            return
        values = column.values.to_pylist()
        if column.there.all():
            self._combine(column.place, values)
        else:
            self._combine(column.place + np.int32(1), [none, *values])

    def flag(self, flags: Flags) -> None:
        """Another column, of flags."""
        if flags.all() or not flags.any():
            self._same(bool(flags.all()))
            return
        self._combine(flags.astype(np.int32), [False, True])

    def _same(self, value: Any) -> None:
        self._columns.append((np.broadcast_to(np.int32(0), self._code.shape), [value]))

    def _combine(self, index: NDArray[Any], values: list[Any]) -> None:
        self._columns.append((index, values))
        if len(values) > 1:
            self._many *= len(values)
            if self._many > 1 << 60:
                self._code = _ranks(self._code)
                self._many = len(values) * (int(self._code.max(initial=0)) + 1)
            self._code = self._code * len(values) + index

    def firsts(self) -> tuple[NDArray[np.int32], Ints]:
        """The number of each row's combination, and the first row that has each."""
        coded = pa.array(self._code).dictionary_encode()
        index = coded.indices.to_numpy(zero_copy_only=False)
        first = np.full(len(coded.dictionary), -1, np.int64)
        first[index[::-1]] = np.arange(len(index))[::-1]
        return index, first

    def distinct(self) -> tuple[NDArray[np.int32], list[tuple[Any, ...]]]:
        """The number of each row's combination, and the combinations."""
        index, first = self.firsts()
        found = [tuple(values[column[row]] for column, values in self._columns) for row in first.tolist()]
        return index, found


def _ranks(codes: Ints) -> Ints:
    return np.asarray(pa.array(codes).dictionary_encode().indices.to_numpy(zero_copy_only=False), np.int64)
