"""Lines of NDJSON cut at what may stand in slots, many at once: texts and numbers behind the keys that name them.

Where a line is cut is a guess that costs time where it is wrong, and nothing else: `bulk_lines` proves what it uses.
A line that is not plain (an escape, a control character) is not cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_rows import Ints

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

_QUOTE, _COLON, _NEWLINE, _RETURN, _SPACE, _ESCAPE = b'":\n\r \\'
#: The last two characters of keys whose texts may be slots: `reference`, `effectiveDateTime`, `recordedDate`, `issued`,
#: `authoredOn`, `start`, `end`, `id`, `versionId`, `value`; what other keys end like this are cut in vain.
_ENDS = (b"ce", b"me", b"te", b"ed", b"On", b"rt", b"nd", b"id", b"Id", b"ue")
_REFERENCE, _DISPLAY, _VALUE, _STRING = b"ce", b"ay", b"ue", b"ng"
#: What is done with the text behind a key: nothing, cut it out, cut it out with its quotes (`valueString`), cut it
#: out where it stands beside a reference (`display`).
_LEFT, _CUT, _QUOTED, _BESIDE = range(4)
#: Characters of numbers, and how many a number has at most.
_NUMBER = np.isin(np.arange(256), np.frombuffer(b"0123456789+-.eE", np.uint8))
_LONGEST = 40
#: Behind the quote that ends a key stand a colon, perhaps a space, a value and the end of the element.
_SHORTEST = 3
#: Characters looked at together.
_TOGETHER = 1 << 18
_WRITTEN = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"


@dataclass(frozen=True, eq=False)
class Cuts:
    """Some lines, each in pieces, by turns kept and cut out: `first[line]` is kept, the next is the first of `slots`.

    `pieces` holds those of all lines; behind the last of a line stands what divides it from the next.
    """

    pieces: pa.Array
    first: Ints
    slots: Ints

    def kept(self) -> tuple[pa.Array, Ints]:
        """What is kept of each line, and the lengths of all pieces kept, in order."""
        kept = self.pieces.take(pa.array(np.arange(0, len(self.pieces), 2)))
        _, offsets, data = kept.buffers()
        ends = np.frombuffer(offsets, np.int32)[: len(kept) + 1]
        of_lines = np.append(ends[self.first // 2], ends[-1]).astype(np.int32)
        joined = pa.Array.from_buffers(pa.binary(), len(self.first), [None, pa.py_buffer(of_lines), data])
        return joined, np.diff(ends).astype(np.int64)

    def pieces_of(self, line: int) -> list[bytes]:
        """The pieces of one line, without what divides it from the next."""
        found: list[bytes] = self.pieces.slice(int(self.first[line]), 2 * int(self.slots[line]) + 1).to_pylist()
        return found


def cut(block: bytes) -> Cuts:
    """The lines of a block of whole lines, cut."""
    return _Cutter(block).cuts()


class _Cutter:
    def __init__(self, block: bytes) -> None:
        self.size = len(block)
        self.text: Bytes = np.frombuffer(block, np.uint8)
        control = self._where(lambda text: text < _SPACE)
        character = self.text[control]
        ends = control[character == _NEWLINE]
        self.start = np.concatenate([[0], ends + 1])
        self.end = np.append(ends, self.size)
        self.end -= (self.end > self.start) & np.isin(self.end - 1, control[character == _RETURN])
        self.plain = np.ones(len(self.start), bool)
        escape = self._where(lambda text: text == _ESCAPE) if b"\\" in block else ends[:0]
        for strange in (control[character != _NEWLINE], escape):
            line = self._line(strange)
            self.plain[line[strange < self.end[line]]] = False  # what ends a line is none of them

    def _where(self, of: Callable[[Bytes], Flags]) -> Ints:
        """The places of some characters, looked for in so few at a time that they stay near."""
        found = [
            np.flatnonzero(of(self.text[first : min(first + _TOGETHER, self.size)])) + first
            for first in range(0, self.size, _TOGETHER)
        ]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def cuts(self) -> Cuts:
        """All lines."""
        start, end, number = self._slots()
        line = self._line(start)
        self.plain[line[(end > self.end[line]) | (end == start)]] = False
        self.plain[line[number][~_are_numbers(self.text, start[number], end[number])]] = False
        kept = self.plain[line]
        start, end, line = start[kept], end[kept], line[kept]
        slots = np.bincount(line, minlength=len(self.start))
        first = 2 * (np.cumsum(slots + 1) - slots - 1)
        edges = np.empty(2 * (len(start) + len(slots)) + 1, np.int32)
        edges[first], edges[first + 2 * slots + 1], edges[-1] = self.start, self.end, self.size
        place = 2 * (np.arange(len(start)) + line) + 1
        edges[place], edges[place + 1] = start, end
        assert (edges[1:] >= edges[:-1]).all(), "slots stand in their lines, one after another"
        data = pa.py_buffer(self.text)
        pieces = pa.Array.from_buffers(pa.binary(), len(edges) - 1, [None, pa.py_buffer(edges), data])
        return Cuts(pieces, first, slots)

    def _line(self, place: Ints) -> Ints:
        return np.searchsorted(self.start, place, "right") - 1

    def _slots(self) -> tuple[Ints, Ints, Flags]:
        """Where the slots of all lines begin and end, and which are numbers."""
        key, ends = self._keys()
        value = key + 2
        value += self.text[value] == _SPACE
        first = self.text[value]
        is_text, number = first == _QUOTE, (ends == _two(_VALUE)) & _NUMBER[first]
        some = np.flatnonzero(is_text | number)
        key, ends, number, is_text = key[some], ends[some], number[some], is_text[some]
        start, how = value[some] + is_text, _HOW[ends]
        quoted = is_text & (how == _QUOTED)
        end = self._text_ends(start)
        end[number] = self._number_ends(start[number])
        kept = number | (how != _BESIDE) | self._beside(key, ends, end)
        return start[kept] - quoted[kept], end[kept] + quoted[kept], number[kept]

    def _keys(self) -> tuple[Ints, NDArray[np.uint16]]:
        """Where keys end whose values may be slots, and their last two characters as one number."""
        keys, ends = [np.zeros(0, np.int64)], [np.zeros(0, np.uint16)]
        for first in range(2, self.size - _SHORTEST, _TOGETHER):
            text = self.text[first - 2 : min(first + _TOGETHER, self.size - _SHORTEST) + 1]
            key = np.flatnonzero((text[3:] == _COLON) & (text[2:-1] == _QUOTE))
            two = np.left_shift(text[key], 8, dtype=np.uint16) | text[key + 1]
            some = np.flatnonzero(_HOW[two])
            keys.append(key[some] + first)
            ends.append(two[some])
        return np.concatenate(keys), np.concatenate(ends)

    def _beside(self, key: Ints, ends: NDArray[np.uint16], end: Ints) -> Flags:
        """Which keys follow directly upon the text of a reference."""
        found = np.zeros(len(key), bool)
        apart = key[1:] - end[:-1] - len(',"display"')
        found[1:] = (ends[:-1] == _two(_REFERENCE)) & (apart >= 0) & (apart <= 1)
        return found

    def _text_ends(self, start: Ints) -> Ints:
        """Where texts that begin at some places end: at the next quote, or before the next text."""
        edges = np.append(start, self.size).astype(np.int32)
        data = [None, pa.py_buffer(edges), pa.py_buffer(self.text)]
        texts = pa.Array.from_buffers(pa.binary(), len(start), data)
        length = pc.find_substring(texts, b'"').to_numpy(zero_copy_only=False)
        return start + np.where(length < 0, np.diff(edges), length)

    def _number_ends(self, start: Ints) -> Ints:
        end, left = start.copy(), np.arange(len(start))
        for _ in range(_LONGEST):
            left = left[end[left] < self.size]
            left = left[_NUMBER[self.text[end[left]]]]
            end[left] += 1
        end[left] = start[left]  # too long to be one: no slot that could be used
        return end


def _two(text: bytes) -> int:
    return int.from_bytes(text, "big")


_HOW = np.zeros(1 << 16, np.uint8)
_HOW[[_two(end) for end in _ENDS]] = _CUT
_HOW[_two(_STRING)], _HOW[_two(_DISPLAY)] = _QUOTED, _BESIDE


def _are_numbers(text: Bytes, start: Ints, end: Ints) -> Flags:
    """Which of some stretches of text are numbers of JSON."""
    edges = np.stack([start, end], 1).reshape(-1).astype(np.int32)
    if not len(edges):
        return np.zeros(0, bool)
    data = [None, pa.py_buffer(edges), pa.py_buffer(text)]
    every = pa.Array.from_buffers(pa.binary(), len(edges) - 1, data)
    coded = every.take(pa.array(np.arange(0, len(edges), 2))).dictionary_encode()
    good = pc.match_substring_regex(coded.dictionary, _WRITTEN).to_numpy(zero_copy_only=False)
    return np.asarray(good[coded.indices.to_numpy()], bool)
