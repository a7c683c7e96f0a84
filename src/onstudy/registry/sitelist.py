"""The sites of a trial as they are stored: of each the number of its place and its status, apart from its name.

Searching looks at places and statuses of thousands of sites and at the names of a few, so names stay packed until
somebody asks.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import msgspec

from onstudy.registry import bits

_statuses = msgspec.msgpack.Decoder(tuple[tuple[str, ...], bytes])
_names = msgspec.msgpack.Decoder(tuple[bytes, str])


@dataclass(frozen=True)
class Sites:
    """The sites of one trial: `places` has the number of each site's place, `kinds` which of `statuses` it has."""

    places: array[int]
    statuses: tuple[str, ...]
    kinds: array[int]
    packed_names: bytes

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def _named(self) -> tuple[array[int], str]:
        ends, texts = _names.decode(self.packed_names)
        return bits.load_ids(ends), texts

    def name(self, number: int) -> str:
        """The name of a site."""
        return self._text(number)

    def zip(self, number: int) -> str:
        """The ZIP code of a site."""
        return self._text(len(self.places) + number)

    def _text(self, number: int) -> str:
        ends, texts = self._named
        return texts[ends[number - 1] if number else 0 : ends[number]]


def load_sites(places: bytes, statuses: bytes, names: bytes) -> Sites:
    """The sites of a trial as they were stored."""
    known, kinds = _statuses.decode(statuses)
    return Sites(bits.load_ids(places), known, bits.load_ids(kinds, "H"), names)


def dump_statuses(statuses: Sequence[str]) -> bytes:
    """The status of each site, to be stored."""
    known = {status: number for number, status in enumerate(dict.fromkeys(statuses))}
    kinds = bits.dump_ids(map(known.__getitem__, statuses), "H") if len(known) > 1 else bytes(2 * len(statuses))
    return msgspec.msgpack.encode((tuple(known), kinds))


def dump_names(names: Sequence[str], codes: Sequence[str]) -> bytes:
    """The name and ZIP code of each site, to be stored: one text, and where in it each ends, since few are read."""
    texts = (*names, *codes)
    return msgspec.msgpack.encode((bits.dump_ids(accumulate(map(len, texts))), "".join(texts)))
