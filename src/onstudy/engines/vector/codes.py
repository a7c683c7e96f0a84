"""Many sets of codes: each row names the word of a list that holds the codes its value may still have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onstudy.engines.vector.arrays import Array, Index, Mask, Truths, whole
from onstudy.record.shard import NONE, Text, codes_of

Word = frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """For each row the place of its set in `words`; -1 is no value."""

    index: Index
    words: tuple[Word, ...]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def stated(self) -> Mask:
        """Where there is a value."""
        return self.index >= 0

    @property
    def several(self) -> Mask:
        """Where the value may be one of several codes."""
        return self.look_up(np.array([len(word) > 1 for word in self.words] + [False], np.bool_))

    @property
    def emptied(self) -> Mask:
        """Where there is a value and no code is left for it."""
        return self.look_up(np.array([not word for word in self.words] + [False], np.bool_))

    def take(self, rows: Array) -> Codes:
        """Some of them; one that stands for all still does."""
        return self if len(self) == 1 else Codes(self.index.take(rows), self.words)

    def look_up(self, table: NDArray[np.generic]) -> Array:
        """Each row's entry in a table of one entry a word, and a last one for no value."""
        found: Array = table.take(self.index)
        return found

    def filled(self, rows: Mask, word: Word) -> Codes:
        """The same with one set of codes in the rows given."""
        places = {known: place for place, known in enumerate(self.words)}
        place = places.get(word, len(self.words))
        words = self.words if place < len(self.words) else (*self.words, word)
        return Codes(np.where(rows, np.intp(place), self.index), words)


def of_text(text: Text, rows: Array | None = None) -> Codes:
    """Codes as a shard stores them."""
    index = text.index if rows is None else text.index.take(rows)
    return Codes(index.astype(np.intp), tuple(codes_of(word) for word in text.words))


def nothing() -> Codes:
    """No value, in all rows."""
    return Codes(np.array([NONE], np.intp), ())


def constant(word: Word) -> Codes:
    """One set of codes that stands for all."""
    return Codes(np.array([0], np.intp), (word,))


def concat(parts: Sequence[Codes], sizes: Sequence[int]) -> Codes:
    """Codes one after another; `sizes` says of how many rows each part is."""
    if len(parts) == 1:
        return parts[0]
    places: dict[Word, int] = {}
    found = [np.empty(0, np.intp)]
    for part, size in zip(parts, sizes, strict=True):
        moved = np.array([places.setdefault(word, len(places)) for word in part.words] + [NONE], np.intp)
        found.append(whole(moved.take(part.index), size))
    return Codes(np.concatenate(found), tuple(places))


def judged(words: Sequence[Word], members: Word) -> NDArray[np.int8]:
    """For each set whether its codes are all (TRUE), none (FALSE) or some among `members`; UNKNOWN without a value."""
    return np.array([_among(word, members) for word in words] + [1], np.int8)


def _among(word: Word, members: Word) -> int:
    if not word:
        return 1
    return 2 if word <= members else 1 if word & members else 0


def member(codes: Codes, members: Word) -> Truths:
    """Whether each value is among `members`."""
    return codes.look_up(judged(codes.words, members))


def crossed(
    left: Codes, right: Codes, decide: Callable[[Word, Word], bool], missing: bool
) -> Callable[[Array, Array], Mask]:
    """A decision about a set of one and a set of the other, for rows of both; `missing` where the left has no value."""
    table = np.array([[decide(a, b) for b in (*right.words, frozenset())] for a in left.words]
                     + [[missing] * (len(right.words) + 1)], np.bool_)  # fmt: skip
    return lambda a, b: table[left.index[a], right.index[b]]
