"""The order of rows by whole numbers, sorted sixteen bits at a time, from the last to the first.

Of numbers of sixteen bits numpy counts how many there are of each: much quicker than comparing rows with each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
#: Bits of a number, without its sign; and as many as are sorted by at a time.
_BITS, _DIGIT = 63, 16


def in_order(*keys: NDArray[Any]) -> Ints:
    """The order that sorts rows by whole numbers, the first key first; rows that are equal stay as they lie."""
    rows = len(keys[0])
    if rows < 2:
        return np.arange(rows)
    lows = [int(key.min()) for key in keys]
    widths = [(int(key.max()) - low).bit_length() for key, low in zip(keys, lows, strict=True)]
    if sum(widths) > _BITS:
        return np.lexsort(keys[::-1])
    code = np.zeros(rows, np.int64)
    for key, low, width in zip(keys, lows, widths, strict=True):
        code <<= width
        code += key
        code -= low
    order = np.argsort(code.astype(np.uint16), kind="stable")
    for shift in range(_DIGIT, sum(widths), _DIGIT):
        digit = (code >> shift).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
    return order
