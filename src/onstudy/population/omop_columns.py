"""Columns of a CDM as a source has them, text or typed, brought to what the reader of rows takes.

What cannot be cast is as if it were not there, save a number, which stays as words, and a date, which stays as it is
written, so that the reader says that it is none.
"""

from __future__ import annotations

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


def one(column: Any) -> pa.Array:
    """A column in one piece."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 1:
            return column.chunk(0)
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
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
    try:
        return column.cast(to)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        import duckdb  # it takes a tenth of a second, and most sources never need it

        with duckdb.connect(config=SETTINGS) as connection:
            connection.register("given", pa.table({"cell": column}))
            return one(connection.sql(f"SELECT TRY_CAST(cell AS {name}) AS cell FROM given").to_arrow_table().column(0))


def numbers(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Numbers as JSON writes them, null for what is none; and what is written in place of one."""
    written, distinct, index = _coded(column)
    plain = pc.match_substring_regex(distinct, _JSON_NUMBER)
    if pc.all(plain).as_py() in (True, None):
        return distinct.take(index) if written is None else written, pa.nulls(len(column), pa.string())
    values = cast(distinct, pa.float64(), "DOUBLE")
    finite = pc.fill_null(pc.is_finite(values), False)
    said = pc.if_else(plain, distinct, pc.if_else(finite, values.cast(pa.string()), None))
    other = pc.if_else(pc.is_null(said), distinct, None)
    return said.take(index), other.take(index)


def _coded(column: pa.Array) -> tuple[pa.Array | None, pa.Array, pa.Array]:
    """Text, what differs in it, and of each row which that is; what has another type is coded before it is text."""
    if not pa.types.is_string(column.type) and column.null_count < len(column):
        coded = column.dictionary_encode()
        if coded.dictionary.null_count == 0 and len(coded.dictionary) < len(column) // 2:
            return None, texts(coded.dictionary), coded.indices
    written = texts(column)
    coded = written.dictionary_encode()
    return written, coded.dictionary, coded.indices


def moments(day: pa.Array, time: pa.Array) -> pa.Array:
    """Dates as text: with the time of day where that is not midnight, which stands for no time at all."""
    days = _days(day)
    if pa.types.is_null(time.type) or time.null_count == len(time):
        return days
    _, clocks, index = _coded(time)
    own = pc.utf8_slice_codeunits(clocks, 0, 10)
    clock = pc.utf8_slice_codeunits(clocks, 11, 19)
    stated = pc.and_(pc.equal(pc.utf8_length(clock), 8), pc.not_equal(clock, _MIDNIGHT))
    if days.null_count:
        days = pc.coalesce(days, _days(own).take(index))
    timed = pc.and_(stated.take(index), pc.equal(own.take(index), days))
    whole = pc.binary_join_element_wise(own, clock, "T").take(index)
    return pc.if_else(pc.fill_null(timed, False), whole, days)


def _days(column: pa.Array) -> pa.Array:
    """Days as text; a date-time at midnight is a day."""
    written, distinct, index = _coded(column)
    if pc.all(pc.match_substring_regex(distinct, _DAY)).as_py() in (True, None):
        return distinct.take(index) if written is None else written
    read = cast(distinct, pa.date32(), "DATE").cast(pa.string())
    return pc.coalesce(read, distinct).take(index)


class Coding:
    """Rows told apart by several columns: the number of each row's combination, few of which differ."""

    def __init__(self, rows: int) -> None:
        self._code, self._many = np.zeros(rows, np.int64), 1
        self._columns: list[tuple[NDArray[np.int32], list[Any]]] = []

    def add(self, column: pa.Array) -> None:
        """Another column; null counts as a value of its own."""
        if column.null_count == len(column):
            self._same(None)
            return
        coded = column.dictionary_encode(null_encoding="encode")
        self._combine(coded.indices.to_numpy(zero_copy_only=False), coded.dictionary.to_pylist())

    def flag(self, flags: Flags) -> None:
        """Another column, of flags."""
        if flags.all() or not flags.any():
            self._same(bool(flags.all()))
            return
        self._combine(flags.astype(np.int32), [False, True])

    def number(self, numbers: Ints) -> None:
        """Another column, of whole numbers, most of which are all the same."""
        if len(numbers) and (numbers == numbers[0]).all():
            self._same(int(numbers[0]))
            return
        self.add(pa.array(numbers))

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

    def distinct(self) -> tuple[NDArray[np.int32], list[tuple[Any, ...]]]:
        """The number of each row's combination, and the combinations."""
        coded = pa.array(self._code).dictionary_encode()
        index = coded.indices.to_numpy(zero_copy_only=False)
        first = np.full(len(coded.dictionary), -1, np.int64)
        first[index[::-1]] = np.arange(len(index))[::-1]
        found = [tuple(values[column[row]] for column, values in self._columns) for row in first.tolist()]
        return index, found


def _ranks(codes: Ints) -> Ints:
    return np.asarray(pa.array(codes).dictionary_encode().indices.to_numpy(zero_copy_only=False), np.int64)
