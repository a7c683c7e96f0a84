"""Columns that say the same in every row: held once, however many rows there are, and kept so when rows are chosen.

Most columns of most facts are such: results have no end, no limits of normal, no offset. They are numpy arrays whose
rows all lie in one place; they can be read as any other, and are not to be written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Rows = NDArray[Any]


def same(value: Any, rows: int, kind: DTypeLike) -> Rows:
    """A column with the same value in each row."""
    column = np.ndarray((rows,), kind, np.array(value, kind), strides=(0,))  # what `broadcast_to` makes, for a third
    column.flags.writeable = False
    return column


def is_same(*columns: Rows) -> bool:
    """Whether columns have rows, and each holds one value for all of them."""
    return all(column.strides == (0,) and len(column) for column in columns)


def taken(column: Rows, rows: Any) -> Rows:
    """Some rows of a column: their numbers, flags, or a slice."""
    if not is_same(column):
        numbered = not isinstance(rows, slice) and rows.dtype != bool  # `take` is quicker than brackets
        return np.asarray(column.take(rows) if numbered else column[rows])
    if isinstance(rows, slice):
        many = len(range(*rows.indices(len(column))))
    else:
        many = int(np.count_nonzero(rows)) if rows.dtype == bool else len(rows)
    return same(column[0], many, column.dtype)


def joined(columns: Sequence[Rows]) -> Rows:
    """Columns one after another."""
    some = [column for column in columns if len(column)]
    if any(is_same(column) for column in some):  # the others may say that too
        some = [settled(column) for column in some]
    if some and is_same(*some) and all(_alike(column[0], some[0][0]) for column in some):
        return same(some[0][0], sum(map(len, some)), some[0].dtype)
    return np.concatenate(columns)


def _alike(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))


def settled(column: Rows) -> Rows:
    """The same column, held once where all rows say the same."""
    if len(column) < 2 or is_same(column) or not _alike(column[0], column[-1]):
        return column
    equal = np.isnan(column) if column[0] != column[0] else column == column[0]
    return same(column[0], len(column), column.dtype) if equal.all() else column
