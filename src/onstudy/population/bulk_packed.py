"""Rows as their files hold them: whole numbers and places in dictionaries in as few bytes as they need.

A file holds some hundred thousand rows of one part of a source, so most numbers in it lie near each other, and few
things differ. What takes two bytes instead of eight is put in order, compressed and read in less time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

#: What numbers from 0 on are held as: the first of these that has room for the largest.
_SMALL = (np.uint8, np.uint16, np.uint32)


def packed(table: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """The same rows in fewer bytes, and what was taken from all numbers of a column.

    A column of equal numbers is left out: it is told by what was taken from them. Dictionaries stay, as shapes do.
    """
    columns: dict[str, pa.Array] = {}
    lows: dict[str, int] = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_dictionary(column.type):
            kind = _fitting(len(column.dictionary))
            column = column if kind is None else _with_places(column, pa.from_numpy_dtype(kind))
        elif column.type == pa.int64() and len(column) and not column.null_count:
            numbers = column.to_numpy()
            low, high = int(numbers.min()), int(numbers.max())
            kind = _fitting(high - low)
            if kind is not None:
                column, lows[name] = pa.array((numbers - low).astype(kind)), low
            if low == high:
                continue
        columns[name] = column
    return pa.table(columns), lows


def unpacked(batch: pa.RecordBatch, lows: Mapping[str, int]) -> pa.Table:
    """Rows as they were before they were packed, places in dictionaries as whole numbers of 32 bits."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, column in columns.items():
        if pa.types.is_dictionary(column.type):
            columns[name] = _with_places(column, pa.int32())
    for name, low in lows.items():
        above = columns[name].to_numpy() if name in columns else np.zeros(batch.num_rows, np.uint8)
        columns[name] = pa.array(np.add(above, low, dtype=np.int64))
    return pa.table(columns)


def _fitting(most: int) -> type[np.unsignedinteger[Any]] | None:
    """What numbers from 0 to this are held as; None where it is too large."""
    return next((kind for kind in _SMALL if most <= np.iinfo(kind).max), None)


def _with_places(column: pa.DictionaryArray, kind: pa.DataType) -> pa.DictionaryArray:
    """The same, with places that are known to fit held otherwise."""
    return pa.DictionaryArray.from_arrays(column.indices.cast(kind, safe=False), column.dictionary, safe=False)
