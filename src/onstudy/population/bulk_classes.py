"""Classes of records: rows whose dates and numbers are of the same sort, so that one form can hold for all of them.

Of dates it counts how much each says and how each two of one record lie to each other; of numbers the sign and
whether they are whole. Where how two dates lie to each other cannot be told by their bounds, the record is read alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onstudy.population.bulk_dates import each_moment
from onstudy.population.bulk_moments import INSTANT, INSTANT_OFFSET, ONE_DAY, OTHER, Moments, joined, none
from onstudy.population.bulk_numbers import IRREGULAR, read_numbers
from onstudy.population.bulk_rows import DATES, NAMES, NUMBERS, Ints, Slots
from onstudy.population.bulk_same import is_same, same

#: Records with more dates, or more numbers, are read alone.
MOST_DATES, MOST_NUMBERS = 4, 20
#: How two dates lie to each other.
_APART, _BEFORE, _SAME, _AFTER, _WITHIN, _AROUND, _DOUBT = range(7)
#: Values are numbered by a list of all there could be, where these are at most so many times the rows.
_WIDE = 2
#: What is told of one date, of two, or of one number is a digit of three bits; so many of them are held in one number.
_BITS, _TOGETHER = 3, 5
#: The class of a date that cannot be read, and of one that is not there.
_BAD, _LACKING = 7, 0

Digits = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Coded:
    """Slots with texts of which most occur many times: what is to be told of a text is told once for each of `words`.

    Two places follow those of the words: of a text that is left out, and of a slot that a row does not have.
    """

    slots: Slots
    _codes: dict[int, NDArray[np.int32]] = field(default_factory=dict)

    @property
    def words(self) -> pa.Array:
        """The different texts."""
        return self.slots.values.dictionary

    def codes(self, slot: int) -> NDArray[np.int32]:
        """The place among `words` of what stands in a slot, of all rows."""
        if slot not in self._codes:
            slots, lacking = self.slots, len(self.words) + 1
            place = slots.start + slot * slots.step if slot else slots.start
            found = self._index.take(place, mode="clip")  # of the last rows it may lie beyond all
            if not is_same(slots.count) or slots.count[0] <= slot:
                found = np.where(slot < slots.count, found, np.int32(lacking))
            self._codes[slot] = found
        return self._codes[slot]

    def of(self, rows: Ints, slots: Sequence[int], which: Ints) -> NDArray[np.int32]:
        """The place among `words` of what stands in a slot of each of some rows: in which of `slots`."""
        if len(set(slots)) == 1:
            return self.codes(slots[0]).take(rows)
        found, slot_of = np.empty(len(rows), np.int32), np.array(slots, np.int64).take(which)
        for slot in sorted(set(slots)):
            some = np.flatnonzero(slot_of == slot)
            found[some] = self.codes(slot).take(rows[some])
        return found

    def of_row(self, row: int) -> list[int]:
        """The places among `words` of all texts of one row."""
        start, count = int(self.slots.start[row]), int(self.slots.count[row])
        return [int(self._index[start + slot * self.slots.step]) for slot in range(count)]

    @cached_property
    def _index(self) -> NDArray[np.int32]:
        index = self.slots.values.indices.fill_null(len(self.words)).to_numpy(zero_copy_only=False)
        return np.append(index, np.int32(len(self.words))) if not len(index) else index.astype(np.int32, copy=False)


def coded(slots: Slots) -> Coded:
    """Slots with their texts coded. Those that are coded already stay as they are, but for words that no row has."""
    values = slots.values.dictionary_encode()
    if _WIDE * len(values.dictionary) > len(values):  # files of many shards have one dictionary for all of them
        values = _with_used_words(values)
    return Coded(replace(slots, values=values))


def _with_used_words(values: pa.DictionaryArray) -> pa.DictionaryArray:
    words = len(values.dictionary)
    index = values.indices.fill_null(words).to_numpy(zero_copy_only=False)
    there = np.zeros(words + 1, bool)
    there[index] = True
    there[words] = False
    if there[:words].all():
        return values
    place = (np.cumsum(there) - 1).astype(np.int32).take(index)
    used = pa.array(place, mask=index == words)
    return pa.DictionaryArray.from_arrays(used, values.dictionary.filter(pa.array(there[:words])))


@dataclass(frozen=True, eq=False)
class Contents:
    """What stands in the slots of many rows: names as texts, dates and numbers coded, and what their words say.

    There is a moment for each word of `dates`, `bad` where it cannot be read; a value for each word of `numbers`, and
    its sort. Those of the two places after the words say nothing.
    """

    names: Slots
    dates: Coded
    numbers: Coded
    moments: Moments
    bad: NDArray[np.bool_]
    values: NDArray[np.float64]
    sorts: NDArray[np.int8]


def contents_of(slots: Callable[[str], Slots]) -> Contents:
    """The contents of rows; `slots` gives their slots of each sort."""
    dates, numbers = (coded(slots(sort)) for sort in (DATES, NUMBERS))
    moments, bad = each_moment(dates.words)
    values, sorts = read_numbers(numbers.words)
    return Contents(
        slots(NAMES), dates, numbers, joined([moments, none(2)]), np.append(bad, [False] * 2),
        np.append(values, [np.nan] * 2), np.append(sorts, [np.int8(IRREGULAR)] * 2),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """A number for each row, equal where the classes are; rows that are `alone` are like no other.

    `dates` and `numbers` are what counts of these, digit by digit: None is 0 in all rows.
    """

    code: NDArray[np.int64] | NDArray[np.uint16]
    alone: NDArray[np.bool_]
    dates: Sequence[Digits | None]
    numbers: Sequence[Digits | None]

    def signature(self, row: int) -> tuple[int, int]:
        """The class of a row, by a name that is the same for all rows there are."""
        return _named(self.dates, row), _named(self.numbers, row)


def _named(digits: Sequence[Digits | None], row: int) -> int:
    name = 0
    for digit in digits:
        name = (name << _BITS) | (0 if digit is None else int(digit[row]))
    return name


def classes_of(contents: Contents, rows: int) -> Classes:
    """The classes of all rows."""
    alone = np.zeros(rows, bool)
    if contents.dates.slots.most > MOST_DATES or contents.numbers.slots.most > MOST_NUMBERS:
        alone = (contents.dates.slots.count > MOST_DATES) | (contents.numbers.slots.count > MOST_NUMBERS)
    dates, doubtful = _date_digits(contents, rows)
    for some in doubtful:
        alone = alone | some
    numbers = _number_digits(contents)
    return Classes(_together([*dates, *numbers], rows), alone, dates, numbers)


def _together(digits: Sequence[Digits | None], rows: int) -> NDArray[np.int64] | NDArray[np.uint16]:
    """One number for all digits of each row."""
    telling = [digit for digit in digits if digit is not None and len(digit) and digit.min() != digit.max()]
    words = []
    for first in range(0, len(telling), _TOGETHER):
        word = telling[first].astype(np.uint16)
        for digit in telling[first + 1 : first + _TOGETHER]:
            word <<= _BITS
            word |= digit.astype(np.uint16)
        words.append(word)
    return factorised(*words) if len(words) > 1 else words[0] if words else same(0, rows, np.int64)


def factorised(*keys: NDArray[Any]) -> Ints:
    """A number for each combination of keys, equal where all are equal."""
    rows = len(keys[0]) if keys else 0
    found, many = np.zeros(rows, np.int64), 1
    for key in keys:
        if not rows or is_same(key):
            continue
        low = int(key.min())
        place, span = np.subtract(key, low, dtype=np.int64), int(key.max()) - low + 1
        if many == 1:
            found, many = place, span
            continue
        if many * span > _WIDE * rows:  # then each for itself must be numbered without gaps
            found, many = _without_gaps(found, many)
            place, span = _without_gaps(place, span)
        found *= span
        found += place
        many *= span
    return numbered(found, many)[0]


def _without_gaps(key: Ints, many: int) -> tuple[Ints, int]:
    number, values = numbered(key, many)
    return number, len(values)


def numbered(key: Ints, many: int) -> tuple[Ints, Ints]:
    """A number for each value there is, and the value of each number. All values lie below `many`."""
    if many > _WIDE * len(key):
        coded = pa.array(key).dictionary_encode()
        return coded.indices.to_numpy(zero_copy_only=False).astype(np.int64), coded.dictionary.to_numpy()
    there = np.zeros(many, bool)
    there[key] = True
    values = np.flatnonzero(there)
    return (key if len(values) == many else (np.cumsum(there) - 1).take(key)), values


def _date_digits(contents: Contents, rows: int) -> tuple[list[Digits | None], list[NDArray[np.bool_]]]:
    """What is told of each date and of each two of them; and which rows are in doubt, for one reason or another."""
    dates, slots = contents.dates, min(contents.dates.slots.most, MOST_DATES)
    classes = np.where(contents.bad, _BAD, contents.moments.classes).astype(np.int8)
    found: list[Digits | None] = [*(classes.take(dates.codes(slot)) for slot in range(slots))]
    found += [None] * (MOST_DATES - slots)
    doubtful = [digit == _BAD for digit in found if digit is not None] if contents.bad.any() else []
    for one, other in combinations(range(MOST_DATES), 2):
        first, second = found[one], found[other]
        if first is None or second is None:
            found.append(None)
            continue
        both = np.flatnonzero((first > _LACKING) & (second > _LACKING))
        lie = np.full(rows, _APART, np.int8)
        moments = (contents.moments.take(dates.codes(slot).take(both)) for slot in (one, other))
        lie[both] = _lie(*moments)
        found.append(lie)
        doubtful.append(lie == _DOUBT)
    return found, doubtful


def _lie(one: Moments, other: Moments) -> NDArray[np.int64]:
    """How moments lie to others."""
    first, second = one.classes, other.classes
    found = np.full(len(one), _DOUBT, np.int64)
    instants = ((first == INSTANT) | (first == INSTANT_OFFSET)) & ((second == INSTANT) | (second == INSTANT_OFFSET))
    alike = (first == second) & (first != OTHER)
    wall, utc = _order(one.low, other.low), _order(one.utc, other.utc)
    plain = (alike | instants) & ((first != INSTANT_OFFSET) | (second != INSTANT_OFFSET) | (wall == utc))
    found[plain] = wall[plain]
    days = _order(one.days[0], other.days[0])
    mixed = ((first == ONE_DAY) | (second == ONE_DAY)) & (first != second) & (first != OTHER) & (second != OTHER)
    within = np.where(first == ONE_DAY, _AROUND, _WITHIN)
    found[mixed] = np.where(days == _SAME, within, days)[mixed]
    rough = (first == OTHER) | (second == OTHER)
    same = (one.low == other.low) & (one.high == other.high) & (one.flags == other.flags)
    lies = np.select([one.high <= other.low, one.low >= other.high, same], [_BEFORE, _AFTER, _SAME], _DOUBT)
    return np.where(rough, lies, found)


def _order(one: Ints, other: Ints) -> NDArray[np.int64]:
    return np.where(one < other, _BEFORE, np.where(one > other, _AFTER, _SAME))


def _number_digits(contents: Contents) -> list[Digits | None]:
    """The sort of each number, 0 where there is none."""
    numbers, slots = contents.numbers, min(contents.numbers.slots.most, MOST_NUMBERS)
    sorts = contents.sorts + np.int8(1)
    sorts[-1] = _LACKING
    return [*(sorts.take(numbers.codes(slot)) for slot in range(slots)), *[None] * (MOST_NUMBERS - slots)]
