"""Classes of records: rows whose dates and numbers are of the same sort, so that one form can hold for all of them.

Of dates it counts how much each says and how each two of one record lie to each other; of numbers the sign and
whether they are whole. Where how two dates lie to each other cannot be told by their bounds, the record is read alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onstudy.population.bulk_moments import INSTANT, INSTANT_OFFSET, ONE_DAY, OTHER, Moments, parse_moments
from onstudy.population.bulk_numbers import IRREGULAR, read_numbers
from onstudy.population.bulk_rows import DATES, NAMES, NUMBERS, Ints, Slots

#: Records with more dates, or more numbers, are read alone.
MOST_DATES, MOST_NUMBERS = 4, 20
#: How two dates lie to each other.
_APART, _BEFORE, _SAME, _AFTER, _WITHIN, _AROUND, _DOUBT = range(7)
_BITS = 3
#: The class of a date that cannot be read.
_BAD = 7


@dataclass(frozen=True, eq=False)
class Contents:
    """What stands in the slots of many rows, read: names as texts, dates as moments, numbers as numbers.

    The texts of dates and numbers, of which most occur many times, are coded by a dictionary.
    """

    names: Slots
    dates: Slots
    numbers: Slots
    moments: Moments
    bad: NDArray[np.bool_]
    values: NDArray[np.float64]
    sorts: NDArray[np.int8]


def contents_of(slots: Callable[[str], Slots]) -> Contents:
    """The contents of rows; `slots` gives their slots of each sort."""
    dates, numbers = (_coded(slots(sort)) for sort in (DATES, NUMBERS))
    moments, bad = parse_moments(dates.values)
    values, sorts = _each_once(numbers.values)
    return Contents(slots(NAMES), dates, numbers, moments, bad, values, sorts)


def _coded(slots: Slots) -> Slots:
    return replace(slots, values=slots.values.dictionary_encode())


def _each_once(coded: pa.DictionaryArray) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """The numbers of texts."""
    values, sorts = read_numbers(coded.dictionary)
    index = coded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return np.append(values, np.nan)[index], np.append(sorts, IRREGULAR).astype(np.int8)[index]


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """A number for each row, equal where the classes are; rows that are `alone` are like no other.

    `odd` rows have a number that needs a second look: what it is must be part of the class.
    """

    code: Ints
    alone: NDArray[np.bool_]
    dates: Ints
    numbers: Ints

    def signature(self, row: int) -> tuple[int, int]:
        """The class of a row, by a name that is the same for all rows there are."""
        return int(self.dates[row]), int(self.numbers[row])


def classes_of(contents: Contents, rows: int) -> Classes:
    """The classes of all rows."""
    alone = (contents.dates.count > MOST_DATES) | (contents.numbers.count > MOST_NUMBERS)
    dates, doubtful = _date_code(contents, rows)
    numbers = _number_code(contents, rows)
    return Classes(factorised(dates, numbers), alone | doubtful, dates, numbers)


def factorised(*keys: Ints) -> Ints:
    """A number for each combination of keys, equal where all are equal."""
    found = np.zeros(len(keys[0]), np.int64) if keys else np.zeros(0, np.int64)
    for key in keys:
        place, many = _numbered(key)
        found = place if not found.any() else _numbered(found * many + place)[0]
    return found


def _numbered(key: Ints) -> tuple[Ints, int]:
    """A number for each value, and how many there are. Values that lie close together are numbered by a list of all."""
    if not len(key):
        return key, 0
    low = int(key.min())
    span = int(key.max()) - low + 1
    if span > 2 * len(key):
        coded = pa.array(key).dictionary_encode()
        return coded.indices.to_numpy(zero_copy_only=False).astype(np.int64), len(coded.dictionary)
    there = np.zeros(span, bool)
    there[key - low] = True
    number = np.cumsum(there) - 1
    return number[key - low], int(number[-1]) + 1


def _date_code(contents: Contents, rows: int) -> tuple[Ints, NDArray[np.bool_]]:
    every = np.arange(rows)
    slots = min(contents.dates.most, MOST_DATES)
    places = [contents.dates.places(every, slot) for slot in range(slots)]
    classes = np.append(np.where(contents.bad, _BAD, contents.moments.classes), 0)
    code, doubtful = np.zeros(rows, np.int64), np.zeros(rows, bool)
    for place in places:
        found = classes[place]
        code = (code << _BITS) | found
        doubtful |= found == _BAD
    code <<= _BITS * (MOST_DATES - slots)
    for one, other in combinations(range(MOST_DATES), 2):
        if other >= slots:
            code <<= _BITS
            continue
        both = np.flatnonzero((classes[places[one]] > 0) & (classes[places[other]] > 0))
        lie = np.full(rows, _APART, np.int64)
        lie[both] = _lie(contents.moments.take(places[one][both]), contents.moments.take(places[other][both]))
        code = (code << _BITS) | lie
        doubtful |= lie == _DOUBT
    return code, doubtful


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


def _number_code(contents: Contents, rows: int) -> Ints:
    every = np.arange(rows)
    sorts = np.append(contents.sorts, -1).astype(np.int64) + 1
    code = np.zeros(rows, np.int64)
    slots = min(contents.numbers.most, MOST_NUMBERS)
    for slot in range(slots):
        code = (code << _BITS) | sorts[contents.numbers.places(every, slot)]
    return code << (_BITS * (MOST_NUMBERS - slots))
