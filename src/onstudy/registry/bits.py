"""Sets of trials as whole numbers: bit i is trial i. Meeting, joining and counting cost microseconds.

Thirty thousand trials are 3,750 bytes; a facet with all its counts is some dozens of `&` and `bit_count`.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

_T = TypeVar("_T", int, float)
_BIG = sys.byteorder == "big"


def of(ids: Iterable[int], most: int) -> int:
    """The set of these ids, none above `most`."""
    found = bytearray((most >> 3) + 1)
    for one in ids:
        found[one >> 3] |= 1 << (one & 7)
    return int.from_bytes(found, "little")


def members(bits: int) -> Iterator[int]:
    """The ids of a set, in order."""
    data = bits.to_bytes((bits.bit_length() + 7) >> 3, "little")
    for place, byte in enumerate(data):
        if byte:
            base = place << 3
            yield from (base + bit for bit in _BITS[byte])


_BITS = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]


class Held:
    """A set that is asked for one id after the other."""

    __slots__ = ("_data",)

    def __init__(self, bits: int) -> None:
        self._data = bits.to_bytes((bits.bit_length() + 7) >> 3, "little")

    def __contains__(self, one: int) -> bool:
        place = one >> 3
        return place < len(self._data) and bool(self._data[place] >> (one & 7) & 1)


def dump(bits: int) -> bytes:
    """A set as it is stored."""
    return bits.to_bytes((bits.bit_length() + 7) >> 3, "little")


def load(data: bytes) -> int:
    """A set as it was stored."""
    return int.from_bytes(data, "little")


def dump_ids(ids: Iterable[int], size: str = "I") -> bytes:
    """Few ids in the order given, four bytes each; two with size "H"."""
    return dump_array(array(size, ids))


def dump_array(ids: array[Any]) -> bytes:
    """Ids, or other numbers, as they are stored."""
    return _little(ids[:]).tobytes() if _BIG else ids.tobytes()


def load_floats(data: bytes) -> array[float]:
    """Numbers as they were stored."""
    found = array("d")
    found.frombytes(data)
    return _little(found)


def load_ids(data: bytes, size: str = "I") -> array[int]:
    """Ids as they were stored."""
    found = array(size)
    found.frombytes(data)
    return _little(found)


def _little(ids: array[_T]) -> array[_T]:
    """The same ids in the byte order of the store: its files may be carried to another machine."""
    if _BIG:
        ids.byteswap()
    return ids
