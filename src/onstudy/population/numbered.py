"""Texts that are a whole number within a pattern, as "measurement.1001" is: they are told apart by their numbers.

Databases name their rows by numbers. The texts are made only where somebody looks at one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_order import Ints, in_order
from onstudy.population.bulk_same import is_same, joined, same, taken

#: Where the number stands in a pattern; each has one.
OPEN = "*"
#: In place of a pattern: the text of a row stands among `texts`.
NO_PATTERN = -1
#: How the texts of two patterns lie to each other.
_ALIKE, _APART, _DOUBT = range(3)
_DIGITS = "0123456789-"
#: Whole numbers of more digits stay texts.
_LARGEST = 10**18 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Numbered:
    """A text for each row: its `number` in one of the `patterns`.

    Where `which` is -1, it is one of `texts`, and `number` is its place among them; -1 is no text.
    """

    patterns: tuple[str, ...]
    which: NDArray[np.int32]
    number: Ints
    texts: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.number)

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which rows have a text."""
        return np.asarray((self.which != NO_PATTERN) | (self.number >= 0))

    def take(self, rows: Any) -> Numbered:
        """Some of them: their numbers, or a slice."""
        return replace(self, which=taken(self.which, rows), number=taken(self.number, rows))

    def at(self, row: int) -> str | None:
        """One of them; None where there is none."""
        which, number = int(self.which[row]), int(self.number[row])
        if which != NO_PATTERN:
            return self.patterns[which].replace(OPEN, str(number))
        return None if self.texts is None or number < 0 else str(self.texts[number].as_py())

    def array(self) -> pa.Array:
        """The text of each row; null where there is none."""
        if is_same(self.which) and self.which[0] != NO_PATTERN:
            before, _, after = self.patterns[self.which[0]].partition(OPEN)
            return pc.binary_join_element_wise(before, pa.array(self.number).cast(pa.string()), after, "")
        if is_same(self.which) and self.texts is not None:
            lacking = self.number < 0
            return self.texts.take(pa.array(self.number, mask=lacking if lacking.any() else None))
        rows = np.flatnonzero(self.which != NO_PATTERN)
        which = pa.array(self.which[rows])
        before, after = (
            pa.array([pattern.split(OPEN)[side] for pattern in self.patterns], pa.string()).take(which)
            for side in (0, 1)
        )
        made = pc.binary_join_element_wise(before, pa.array(self.number[rows]).cast(pa.string()), after, "")
        place = np.where(self.number < 0, NO_PATTERN, self.number + len(rows))
        place[rows] = np.arange(len(rows))
        words = made if self.texts is None else pa.concat_arrays([made, self.texts])
        return words.take(pa.array(place, mask=place < 0))

    @property
    def parted(self) -> tuple[str, pa.Array]:
        """A beginning that all have, and the rest of each: what most have before a number, or none at all."""
        usual = int(np.bincount(self.which - NO_PATTERN, minlength=1).argmax()) + NO_PATTERN
        if usual == NO_PATTERN or not self.patterns[usual].endswith(OPEN):
            return "", self.array()
        beginning, rests = self.patterns[usual].removesuffix(OPEN), pa.array(self.number).cast(pa.string())
        others = self.which != usual
        if others.any():
            texts = self.take(others).array()
            if not pc.all(pc.starts_with(texts, beginning), skip_nulls=False).as_py():
                return "", self.array()
            rests = pc.replace_with_mask(rests, pa.array(others), pc.utf8_slice_codeunits(texts, len(beginning)))
        return beginning, rests

    def between(self, before: str, after: str) -> Numbered:
        """Each with more letters before and after it, among which is no `*`."""
        texts = self.texts
        if texts is not None:
            texts = pc.binary_join_element_wise(before, texts, after, "")
        return replace(self, patterns=tuple(f"{before}{one}{after}" for one in self.patterns), texts=texts)

    def as_numbers(self, stems: Sequence[str]) -> Numbered:
        """The same, with those texts as numbers that have one behind a stem, and no others.

        So it cannot be told of what is stored how it came about: of some patients all is put together as texts.
        """
        if not stems:
            return self
        before, after = rf"(?:[A-Za-z]+/)?(?:{'|'.join(map(re.escape, stems))})", r"(?:[.:][^,*]*)?"
        kept = [re.fullmatch(rf"{before}\*{after}", pattern) is not None for pattern in self.patterns]
        large = (self.number > _LARGEST) | (self.number < -_LARGEST)
        found = self._as_texts(~np.array([*kept, True], bool)[self.which] | large)
        return found._read(rf"^(?P<before>{before})(?P<number>0|-?[1-9][0-9]{{0,17}})(?P<after>{after})$")

    def _read(self, shape: str) -> Numbered:
        """The same, with texts of this shape as numbers."""
        if self.texts is None:
            return self
        some = np.flatnonzero(_filled(pc.match_substring_regex(self.texts, shape), False))
        if not len(some):
            return self
        said = pc.extract_regex(self.texts.take(pa.array(some)), shape)
        before, number, after = (pc.struct_field(said, name) for name in ("before", "number", "after"))
        coded = pc.binary_join_element_wise(before, after, OPEN).dictionary_encode()
        places = {pattern: place for place, pattern in enumerate(self.patterns)}
        new = [places.setdefault(pattern, len(places)) for pattern in coded.dictionary.to_pylist()]
        place = np.full(len(self.texts), -1)
        place[some] = np.arange(len(some))
        rows = np.flatnonzero((self.which == NO_PATTERN) & (self.number >= 0))
        rows = rows[place[self.number[rows]] >= 0]
        held = place[self.number[rows]]
        which, numbers = self.which.copy(), self.number.copy()
        which[rows] = np.array(new, np.int32)[coded.indices.to_numpy()[held]]
        numbers[rows] = number.cast(pa.int64()).to_numpy()[held]
        return replace(self, patterns=tuple(places), which=which, number=numbers)

    def _as_texts(self, wanted: NDArray[np.bool_]) -> Numbered:
        """The same, with the numbers of some rows as texts."""
        rows = np.flatnonzero(wanted & (self.which != NO_PATTERN))
        if not len(rows):
            return self
        texts = [] if self.texts is None else [self.texts]
        which, number = self.which.copy(), self.number.copy()
        which[rows], number[rows] = NO_PATTERN, np.arange(len(rows)) + sum(map(len, texts))
        return Numbered(self.patterns, which, number, pa.concat_arrays([*texts, self.take(rows).array()]))

    @property
    def surely_differ(self) -> bool:
        """Whether the numbers say that no two of them are equal; else their texts have to be looked at."""
        if (self.which == NO_PATTERN).any():
            return False
        if is_same(self.which):
            return _all_different(self.number)
        used = np.flatnonzero(np.bincount(self.which, minlength=len(self.patterns))).tolist()
        if any(_lie(self.patterns[one], self.patterns[other]) != _APART for one, other in combinations(used, 2)):
            return False
        return all(_all_different(self.number[self.which == one]) for one in used)

    def may_end_in(self, letters: str) -> bool:
        """Whether the last letter of any may be one of these."""
        if self.texts is not None:
            return True
        lasts = {last for pattern in self.patterns for last in (_DIGITS if pattern[-1] == OPEN else pattern[-1])}
        return not lasts.isdisjoint(letters)

    def apart_from(self, other: Numbered) -> NDArray[np.bool_]:
        """Which rows have another text than in another column."""
        ways = np.full((len(self.patterns) + 1, len(other.patterns) + 1), _DOUBT, np.int8)  # the last is no pattern
        for mine, one in enumerate(self.patterns):
            ways[mine, :-1] = [_lie(one, theirs) for theirs in other.patterns]
        way = ways[self.which, other.which]
        found: NDArray[np.bool_] = (way == _APART) | ((way == _ALIKE) & (self.number != other.number))
        rows = np.flatnonzero(way == _DOUBT)
        if len(rows):
            one, two = self.take(rows).array(), other.take(rows).array()
            equal = pc.or_(pc.equal(one, two).fill_null(False), pc.and_(one.is_null(), two.is_null()))
            found[rows] = ~equal.to_numpy(zero_copy_only=False)
        return found


def joined_numbered(parts: Sequence[Numbered]) -> Numbered:
    """Columns one after another."""
    places: dict[str, int] = {}
    which, number = [], []
    texts: list[pa.Array] = []
    for part in parts:
        new = [places.setdefault(pattern, len(places)) for pattern in part.patterns]
        which.append(_renamed(part.which, np.array([*new, NO_PATTERN], np.int32)))
        if part.texts is None:
            number.append(part.number)
        else:
            moved = (part.which == NO_PATTERN) & (part.number >= 0)
            number.append(part.number + sum(map(len, texts)) * moved)
            texts.append(part.texts)
    return Numbered(tuple(places), joined(which), np.concatenate(number), pa.concat_arrays(texts) if texts else None)


def _renamed(which: NDArray[np.int32], new: NDArray[np.int32]) -> NDArray[np.int32]:
    return same(new[which[0]], len(which), np.int32) if is_same(which) else new[which]


def of_texts(texts: pa.Array) -> Numbered:
    """Texts of which none is held as a number; null is none."""
    rows = len(texts)
    place = np.arange(rows)
    if texts.null_count:
        place[texts.is_null().to_numpy(zero_copy_only=False)] = -1
    return Numbered((), same(NO_PATTERN, rows, np.int32), place, texts)


def _filled(column: pa.Array, lacking: Any) -> NDArray[Any]:
    return np.asarray(column.fill_null(lacking).to_numpy(zero_copy_only=False))


def _all_different(numbers: Ints) -> bool:
    if (numbers[1:] > numbers[:-1]).all():  # as in a source that is sorted by them
        return True
    if int(numbers.max()) - int(numbers.min()) < 2 * len(numbers):  # then a list of all there may be is quicker
        return bool(np.bincount(numbers - numbers.min()).max() < 2)
    return bool(np.diff(numbers[in_order(numbers)]).all())


def _lie(one: str, other: str) -> int:
    """How the texts of two patterns lie to each other, whatever the numbers are."""
    if one == other:
        return _ALIKE
    (before, _, after), (first, _, last) = one.partition(OPEN), other.partition(OPEN)
    return _APART if _begin_apart(before, first) or _begin_apart(after[::-1], last[::-1]) else _DOUBT


def _begin_apart(one: str, other: str) -> bool:
    """Whether texts that begin so, and go on with a number, differ for sure: before the number of either ends."""
    short, long = sorted((one, other), key=len)
    if not long.startswith(short):
        return True
    return len(short) < len(long) and long[len(short)] not in _DIGITS
