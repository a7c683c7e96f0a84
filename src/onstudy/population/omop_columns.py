"""Columns of a CDM as a source has them, text or typed, brought to what the reader of rows takes.

What cannot be cast is as if it were not there, save a number, which stays as words, and a date, which stays as it is
written, so that the reader says that it is none.
"""

from __future__ import annotations

from typing import Any

import duckdb
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
        column = _cast(column, pa.int64(), "BIGINT")
    return np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))


def texts(column: pa.Array) -> pa.Array:
    """Text without blanks around it; null where there is none."""
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.string())
    found = column.cast(pa.string())
    empty = pc.equal(found, "")
    return pc.if_else(empty, None, found) if pc.any(empty).as_py() else found


def _cast(column: pa.Array, to: pa.DataType, name: str) -> pa.Array:
    """A cast of which nothing fails: what cannot be cast is null."""
    try:
        return column.cast(to)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        with duckdb.connect(config=SETTINGS) as connection:
            connection.register("given", pa.table({"cell": column}))
            return one(connection.sql(f"SELECT TRY_CAST(cell AS {name}) AS cell FROM given").to_arrow_table().column(0))


def numbers(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Numbers as JSON writes them, null for what is none; and what is written in place of one."""
    written = texts(column)
    coded = written.dictionary_encode()
    distinct = coded.dictionary
    plain = pc.match_substring_regex(distinct, _JSON_NUMBER)
    if pc.all(plain).as_py() in (True, None):
        return written, pa.nulls(len(written), pa.string())
    values = _cast(distinct, pa.float64(), "DOUBLE")
    finite = pc.fill_null(pc.is_finite(values), False)
    said = pc.if_else(plain, distinct, pc.if_else(finite, values.cast(pa.string()), None))
    other = pc.if_else(pc.is_null(said), distinct, None)
    return said.take(coded.indices), other.take(coded.indices)


def moments(day: pa.Array, time: pa.Array) -> pa.Array:
    """Dates as text: with the time of day where that is not midnight, which stands for no time at all."""
    days = _days(day)
    if pa.types.is_null(time.type) or time.null_count == len(time):
        return days
    clocks = texts(time)
    own = pc.utf8_slice_codeunits(clocks, 0, 10)
    clock = pc.utf8_slice_codeunits(clocks, 11, 19)
    days = pc.coalesce(days, _days(own))
    timed = pc.and_(pc.and_(pc.equal(pc.utf8_length(clock), 8), pc.not_equal(clock, _MIDNIGHT)), pc.equal(own, days))
    return pc.if_else(pc.fill_null(timed, False), pc.binary_join_element_wise(days, clock, "T"), days)


def _days(column: pa.Array) -> pa.Array:
    """Days as text; a date-time at midnight is a day."""
    written = texts(column)
    coded = written.dictionary_encode()
    distinct = coded.dictionary
    if pc.all(pc.match_substring_regex(distinct, _DAY)).as_py() in (True, None):
        return written
    read = _cast(distinct, pa.date32(), "DATE").cast(pa.string())
    return pc.coalesce(read, distinct).take(coded.indices)


class Coding:
    """Rows told apart by several columns: the number of each row's combination, few of which differ."""

    def __init__(self, rows: int) -> None:
        self._code = np.zeros(rows, np.int64)
        self._columns: list[tuple[NDArray[np.int32], list[Any]]] = []

    def add(self, column: pa.Array) -> None:
        """Another column; null counts as a value of its own."""
        coded = column.dictionary_encode(null_encoding="encode")
        self._combine(coded.indices.to_numpy(zero_copy_only=False), coded.dictionary.to_pylist())

    def flag(self, flags: Flags) -> None:
        """Another column, of flags."""
        self._combine(flags.astype(np.int32), [False, True])

    def _combine(self, index: NDArray[Any], values: list[Any]) -> None:
        self._columns.append((index, values))
        if len(values) > 1:
            self._code = self._code * len(values) + index
            if self._code.max(initial=0) > 1 << 40:
                self._code = _ranks(self._code)

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
