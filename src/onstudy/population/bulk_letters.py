"""What is asked of the letters of many texts at once: whether texts differ, their hashes, and their CRC-32."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_order import in_order
from onstudy.population.numbered import Numbered

Letters = NDArray[np.uint8]
#: What a byte does to a remainder of CRC-32.
_STEPS = np.array([zlib.crc32(bytes([byte ^ 0xFF])) ^ 0xFF000000 for byte in range(256)], np.uint32)
#: An odd number whose bits are spread well: 2^64 by the golden ratio.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
#: Texts looked at together: so few that what is worked out of them stays near.
_TOGETHER = 1 << 17


def last_letters(texts: pa.Array) -> Letters:
    """The last byte of each text; of an empty one any."""
    ends, data = _held(texts)
    return data[ends[1:] - 1] if len(data) else np.zeros(len(texts), np.uint8)


def letters(texts: pa.Array, length: int) -> Letters:
    """The bytes of texts of one length, a row for each text."""
    ends, data = _held(texts)
    return data[ends[0] : ends[-1]].reshape(len(texts), length)


def _held(texts: pa.Array) -> tuple[NDArray[np.int64], Letters]:
    """Where each text ends, after where the first begins, in the bytes that stand beside."""
    large = texts.cast(pa.large_string())
    _, offsets, data = large.buffers()
    ends = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
    return ends, np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)


def all_of(texts: pa.Array, allowed: NDArray[np.bool_]) -> bool:
    """Whether texts consist of nothing but the bytes that are allowed (a flag for each of the 256)."""
    ends, data = _held(texts)
    return bool(allowed[data[ends[0] : ends[-1]]].all())


def all_different(texts: pa.Array | Numbered) -> bool:
    """Whether no two texts (none of them null) are equal. Different numbers or hashes say so; else all are compared."""
    if isinstance(texts, Numbered):
        if texts.surely_differ:
            return True
        texts = texts.array()
    found = hashes(texts)
    short = (found >> np.uint64(32)).astype(np.int64)
    order = in_order(short)
    alike = np.flatnonzero(np.diff(short[order]) == 0)
    doubtful = found[order[np.union1d(alike, alike + 1)]]
    if len(np.unique(doubtful)) == len(doubtful):
        return True
    return bool(pc.count_distinct(texts).as_py() == len(texts))


def hashes(texts: pa.Array) -> NDArray[np.uint64]:
    """A hash of each text (none of them null)."""
    found = np.empty(len(texts), np.uint64)
    for rows, some in _by_length(texts):
        found[rows] = _hashes(some)
    return found


def _hashes(texts: Letters) -> NDArray[np.uint64]:
    rows, length = texts.shape
    padded = np.zeros((rows, -(-length // 8) * 8), np.uint8)
    padded[:, :length] = texts
    found = np.full(rows, length, np.uint64)
    for eight in padded.view(np.uint64).T:
        found ^= eight
        found *= _SPREAD
        found ^= found >> np.uint64(29)
    return found


def crc32s(texts: pa.Array) -> NDArray[np.uint32]:
    """`zlib.crc32` of each text (none of them null) in UTF-8."""
    found = np.empty(len(texts), np.uint32)
    for rows, some in _by_length(texts):
        remainder = np.full(len(rows), 0xFFFFFFFF, np.uint32)
        for byte in some.T:
            remainder = _STEPS[(remainder ^ byte) & np.uint32(0xFF)] ^ (remainder >> np.uint32(8))
        found[rows] = ~remainder
    return found


def _by_length(texts: pa.Array) -> Iterator[tuple[NDArray[Any], Letters]]:
    """The places of texts of one length, and their letters; some of them at a time."""
    for first in range(0, len(texts), _TOGETHER):
        some = texts.slice(first, _TOGETHER)
        lengths = pc.binary_length(some).to_numpy(zero_copy_only=False)
        if lengths.min() == lengths.max():
            yield np.arange(first, first + len(some)), letters(some, int(lengths[0]))
            continue
        for length in np.flatnonzero(np.bincount(lengths)).tolist():
            rows = np.flatnonzero(lengths == length)
            yield rows + first, letters(some.take(pa.array(rows)), length)
