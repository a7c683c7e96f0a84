"""The order of rows by whole numbers, sorted sixteen bits at a time, from the last to the first.

Of numbers of sixteen bits numpy counts how many there are of each: much quicker than comparing rows with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
#: Bits of a number, without its sign; and as many as are sorted by at a time.
_BITS, _DIGIT = 63, 16
#: Runs are merged where they are at least so many rows long, all in all; and where only rows that lie near each other
#: are out of order.
_RUN, _SHORT_RUN = 64, 16


def in_order(*keys: NDArray[Any]) -> Ints:
    """The order that sorts rows by whole numbers, the first key first; rows that are equal stay as they lie."""
    rows = len(keys[0])
    if rows < 2:
        return np.arange(rows)
    code, width = _code(keys)
    return np.lexsort(keys[::-1]) if code is None else _sorted(code, width)


def in_groups(*keys: NDArray[Any]) -> tuple[Ints, NDArray[np.bool_]]:
    """The same order, and which rows in it are the first of those that are equal."""
    rows = len(keys[0])
    begins = np.ones(rows, bool)
    if rows < 2:
        return np.arange(rows), begins
    code, width = _code(keys)
    if code is None:
        order = np.lexsort(keys[::-1])
        begins[1:] = np.any([key[order[1:]] != key[order[:-1]] for key in keys], axis=0)
    else:
        order = _sorted(code, width)
        code = code[order]
        begins[1:] = code[1:] != code[:-1]
    return order, begins


def _code(keys: Sequence[NDArray[Any]]) -> tuple[Ints | None, int]:
    """One number a row that orders as the keys do, and how many bits it has; none where they are too many."""
    lows = [int(key.min()) for key in keys]
    widths = [(int(key.max()) - low).bit_length() for key, low in zip(keys, lows, strict=True)]
    if sum(widths) > _BITS:
        return None, 0
    code = np.zeros(len(keys[0]), np.int64)
    for key, low, width in zip(keys, lows, widths, strict=True):
        if width:  # else all are equal
            code <<= width
            code += key
            code -= low
    return code, sum(widths)


def _sorted(code: Ints, width: int) -> Ints:
    order = np.argsort(code.astype(np.uint16), kind="stable")
    for shift in range(_DIGIT, width, _DIGIT):
        digit = (code >> shift).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def in_order_of_runs(group: NDArray[Any], key: NDArray[np.int64], low: int = 0) -> Ints | None:
    """The order that sorts rows by `key`, where the rows of each group lie in few runs that are sorted; else None.

    The key sorts by groups first. Rows that differ only in its lowest bits, `low` of them, lie near each other, and may
    be out of order more often. Runs are merged, which costs a third of sorting digit by digit.
    """
    order = np.argsort((group - group.min(initial=0)).astype(np.uint16), kind="stable")
    by_group = key[order]
    ends = np.flatnonzero(by_group[1:] < by_group[:-1])
    far = np.count_nonzero(by_group[ends] >> low != by_group[ends + 1] >> low)
    if len(ends) * _SHORT_RUN > len(key) or far * _RUN > len(key):
        return None
    return order[np.argsort(by_group, kind="stable")]
