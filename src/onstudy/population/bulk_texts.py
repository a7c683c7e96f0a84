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
from onstudy.population.numbered import NO_PATTERN, Numbered, joined_numbered, of_texts

#: The place of a text that is not there.
NOWHERE = -1
#: So few words are put together: moving them costs less than looking for one.
_FEW = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A text for each row: its place in `words`, which follow one another; `NOWHERE` where there is none.

    Words are texts, or numbers in patterns, of which texts are made where they are asked for.
    """

    words: tuple[pa.Array | Numbered, ...]
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
                return words.at(place) if isinstance(words, Numbered) else str(words[place].as_py())
            place -= len(words)
        raise IndexError(row)

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which rows have one."""
        return np.asarray(self.place >= 0)

    def perhaps_apart_from(self, other: Texts) -> NDArray[np.bool_]:
        """Which rows may have another text than in another column: all but those that have it from one place."""
        shared = 0
        for mine, theirs in zip(self.words, other.words, strict=False):
            if mine is not theirs:
                break
            shared += len(mine)
        return np.asarray((self.place != other.place) | (self.place >= shared))

    def apart_from(self, other: Texts) -> NDArray[np.bool_]:
        """Which rows have another text than in another column; those that have it from one place are not read."""
        found = np.zeros(len(self), np.bool_)
        rows = np.flatnonzero(self.perhaps_apart_from(other))
        if len(rows):
            found[rows] = self.take(rows).numbered().apart_from(other.take(rows).numbered())
        return found

    def all_words(self) -> pa.Array:
        """All texts that rows may have; for `plain` ones."""
        return pa.concat_arrays(self.words) if self.words else pa.array([], pa.string())

    @property
    def plain(self) -> Texts:
        """The same, with all words as texts."""
        return texts_of(self.array()) if self._has_numbers else self

    @property
    def _has_numbers(self) -> bool:
        return any(isinstance(words, Numbered) for words in self.words)

    def numbered(self) -> Numbered:
        """The text of each row, as a number in a pattern where it is held so. Texts are not moved."""
        there = self.there
        if not there.any():
            return of_texts(pa.nulls(len(self), pa.string()))
        words, before = self._used
        place = self.place - before
        if not self._has_numbers:
            place = place if there.all() else np.where(there, place, NOWHERE)
            return Numbered((), same(NO_PATTERN, len(self), np.int32), place, _in_one(words))
        if len(words) == 1 and isinstance(words[0], Numbered) and there.all():
            return words[0].take(place)
        every = [*words, pa.nulls(1, pa.string())]  # the last is none
        found = joined_numbered([some if isinstance(some, Numbered) else of_texts(some) for some in every])
        return found.take(place if there.all() else np.where(there, place, len(found) - 1))

    @property
    def _used(self) -> tuple[tuple[pa.Array | Numbered, ...], int]:
        """The words from the first to the last that a row has a text among, and how many texts stand before them."""
        last = int(self.place.max(initial=NOWHERE))
        nearest = int(self.place.min(where=self.place != NOWHERE, initial=max(last, 0)))
        ends = np.cumsum([len(words) for words in self.words])
        first, end = np.searchsorted(ends, [nearest, last], side="right").tolist()
        return self.words[first : end + 1], int(ends[first]) - len(self.words[first])

    def followed_by(self, end: str) -> Texts:
        """Each with more letters at its end; those that are not there stay so."""
        if not self._has_numbers:
            return texts_of(pc.binary_join_element_wise(self.array(), end, ""))
        found = self.numbered().between("", end)
        other = np.where(found.number < 0, NOWHERE, found.number + len(self))
        place = np.where(found.which == NO_PATTERN, other, np.arange(len(self)))
        return Texts((replace(found, texts=None), *([] if found.texts is None else [found.texts])), place)

    def array(self) -> pa.Array:
        """The text of each row; null where there is none."""
        return self.numbered().array()

    def codes(self) -> Ints:
        """A number for each row, equal where texts are; `NOWHERE` where there is none."""
        if is_same(self.place) and self.place[0] == NOWHERE:
            return self.place
        few = sum(map(len, self.words)) <= _FEW and not self._has_numbers
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
    """Texts one after another; words that several of them have, or begin with, are held once."""
    words: list[pa.Array | Numbered] = []
    known: dict[tuple[int, ...], int] = {}  # where words begin that follow one another, and those they begin with
    places = []
    for part in parts:
        called = tuple(map(id, part.words))
        first = known.get(called)
        if first is None:
            more = bool(words) and called[: len(words)] == tuple(map(id, words))
            first = 0 if more else sum(map(len, words))
            words += part.words[len(words) :] if more else part.words
            known |= {called[:many]: first for many in range(1, len(called) + 1)}
        places.append(part.place if first == 0 else _moved(part.place, first))
    if len(words) > 1 and sum(map(len, words)) <= _FEW and not any(isinstance(some, Numbered) for some in words):
        words = [pa.concat_arrays(words)]
    return Texts(tuple(words), joined(places))


def _in_one(words: Sequence[pa.Array]) -> pa.Array:
    return words[0] if len(words) == 1 else pa.concat_arrays(words)


def _moved(place: Ints, by: int) -> Ints:
    if is_same(place):
        return same(place[0] if place[0] == NOWHERE else place[0] + by, len(place), np.int64)
    return np.where(place == NOWHERE, NOWHERE, place + by)
