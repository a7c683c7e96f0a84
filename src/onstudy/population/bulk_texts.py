"""Texts of many facts: where each stands among texts that are moved only once, when they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_same import is_same, joined, same, taken

#: The place of a text that is not there.
NOWHERE = -1
#: So few words are put together: moving them costs less than looking for one.
_FEW = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A text for each row: its place in `words`, which follow one another; `NOWHERE` where there is none."""

    words: tuple[pa.Array, ...]
    place: Ints

    def __len__(self) -> int:
        return len(self.place)

    def take(self, rows: Any) -> Texts:
        """Some of them, in the order asked for."""
        return replace(self, place=taken(self.place, rows))

    def at(self, row: int) -> str | None:
        """One of them; None where there is none."""
        place = int(self.place[row])
        if place == NOWHERE:
            return None
        for words in self.words:
            if place < len(words):
                return str(words[place].as_py())
            place -= len(words)
        raise IndexError(row)

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which rows have one."""
        return np.asarray(self.place >= 0)

    def apart_from(self, other: Texts) -> NDArray[np.bool_]:
        """Which rows have another text than in another column; those that have it from one place are not read."""
        shared = 0
        for mine, theirs in zip(self.words, other.words, strict=False):
            if mine is not theirs:
                break
            shared += len(mine)
        found = np.zeros(len(self), np.bool_)
        rows = np.flatnonzero((self.place != other.place) | (self.place >= shared))
        if len(rows):
            mine, theirs = self.take(rows).array(), other.take(rows).array()
            alike = pc.or_(pc.equal(mine, theirs).fill_null(False), pc.and_(mine.is_null(), theirs.is_null()))
            found[rows] = ~alike.to_numpy(zero_copy_only=False)
        return found

    def all_words(self) -> pa.Array:
        """All texts that rows may have."""
        return pa.concat_arrays(self.words) if self.words else pa.array([], pa.string())

    @property
    def in_one(self) -> Texts:
        """The same, with all words in one array: then some rows can be written out for what these take."""
        return self if len(self.words) < 2 else replace(self, words=(self.all_words(),))

    def array(self) -> pa.Array:
        """The text of each row; null where there is none."""
        last = int(self.place.max(initial=NOWHERE))
        if last == NOWHERE:
            return pa.nulls(len(self), pa.string())
        lacking = self.place < 0 if self.place.min() == NOWHERE else None
        ends = np.cumsum([len(words) for words in self.words])
        nearest = self.place.min() if lacking is None else self.place.min(where=~lacking, initial=last)
        first, end = np.searchsorted(ends, [nearest, last], side="right").tolist()
        words = self.words[first : end + 1]
        place = pa.array(self.place - (ends[first] - len(words[0])), mask=lacking)
        return (words[0] if len(words) == 1 else pa.concat_arrays(words)).take(place)

    def codes(self) -> Ints:
        """A number for each row, equal where texts are; `NOWHERE` where there is none."""
        if is_same(self.place) and self.place[0] == NOWHERE:
            return self.place
        few = sum(map(len, self.words)) <= _FEW
        coded = (self.all_words() if few else self.array()).dictionary_encode().indices.fill_null(NOWHERE)
        codes = np.asarray(coded.to_numpy(zero_copy_only=False), np.int64)
        return np.asarray(np.append(codes, NOWHERE)[self.place]) if few else codes


def texts_of(texts: pa.Array) -> Texts:
    """Texts given one by one; null is none."""
    if texts.null_count == len(texts):
        return same_text(None, len(texts))
    place = np.arange(len(texts))
    if texts.null_count:
        place[texts.is_null().to_numpy(zero_copy_only=False)] = NOWHERE
    return Texts((texts,), place)


def same_text(text: str | None, rows: int) -> Texts:
    """One text for all rows, or none."""
    if text is None:
        return Texts((), same(NOWHERE, rows, np.int64))
    return Texts((pa.array([text], pa.string()),), same(0, rows, np.int64))


def join_texts(parts: Sequence[Texts]) -> Texts:
    """Texts one after another; words that several of them have are held once."""
    words: list[pa.Array] = []
    known: dict[tuple[int, ...], int] = {}
    places = []
    count = 0
    for part in parts:
        called = tuple(map(id, part.words))
        first = known.get(called)
        if first is None:
            first = known[called] = count
            words += part.words
            count += sum(map(len, part.words))
        places.append(part.place if first == 0 else _moved(part.place, first))
    if len(words) > 1 and count <= _FEW:
        words = [pa.concat_arrays(words)]
    return Texts(tuple(words), joined(places))


def _moved(place: Ints, by: int) -> Ints:
    if is_same(place):
        return same(place[0] if place[0] == NOWHERE else place[0] + by, len(place), np.int64)
    return np.where(place == NOWHERE, NOWHERE, place + by)
