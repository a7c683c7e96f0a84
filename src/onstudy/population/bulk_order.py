"""The order of rows by whole numbers, sorted as numbers that carry the place of their row: quicker than an argsort."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
#: Bits of a number that may be sorted, without its sign.
_BITS = 63


def in_order(*keys: NDArray[Any]) -> Ints:
    """The order that sorts rows by whole numbers, the first key first; rows that are equal stay as they lie."""
    rows = len(keys[0])
    if rows < 2:
        return np.arange(rows)
    lows = [int(key.min()) for key in keys]
    widths = [(int(key.max()) - low).bit_length() for key, low in zip(keys, lows, strict=True)]
    place = (rows - 1).bit_length()
    if sum(widths) + place > _BITS:
        return np.lexsort(keys[::-1])
    code = np.zeros(rows, np.int64)
    for key, low, width in zip(keys, lows, widths, strict=True):
        code <<= width
        code += key
        code -= low
    code <<= place
    code |= np.arange(rows)
    code.sort()
    return code & ((1 << place) - 1)
