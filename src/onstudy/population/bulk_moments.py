"""Many moments at once: the same bounds, openness and offsets as `When`, as arrays.

Instants are microseconds of wall clock since day 0, as in `values/calendar.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.population.bulk_same import is_same, same, settled, taken
from onstudy.population.bulk_same import joined as joined_columns
from onstudy.record.shard import HIGH_OPEN, LOW_OPEN, NO_DAY, NO_INSTANT, NO_OFFSET, UNBOUNDED
from onstudy.values.calendar import DAY, SECOND, When
from onstudy.values.interval import Interval

Int64s = NDArray[np.int64]
Flags = NDArray[np.bool_]
Rows = NDArray[Any]

#: How much of a date is said, as a class of its own: nothing, one day, an instant without and with offset, other.
NOTHING, ONE_DAY, INSTANT, INSTANT_OFFSET, OTHER = 0, 1, 2, 3, 4
#: So many rows there must be for each moment if rows are to be held by the places of their moments.
_FEWER = 2


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Moments as arrays: bounds in microseconds (`NO_INSTANT` is none), what is open, minutes east of UTC.

    `stated` is false where there is no moment at all, as against one of which nothing is known.
    """

    low: Int64s
    high: Int64s
    flags: NDArray[np.int8]
    offset: NDArray[np.int16]
    stated: Flags

    def __len__(self) -> int:
        return len(self.low)

    def take(self, rows: Any) -> Moments:
        """Some of them, in the order asked for."""
        return Moments(*(taken(column, rows) for column in self.arrays))

    @property
    def arrays(self) -> tuple[Rows, ...]:
        """All that they are held as."""
        return self.low, self.high, self.flags, self.offset, self.stated

    @property
    def compact(self) -> Moments:
        """The same; a column that says the same in each row is held once."""
        return Moments(*map(settled, self.arrays))

    @property
    def plain(self) -> Moments:
        """The same, each column written out."""
        return self

    @property
    def writable(self) -> Moments:
        """A copy that may be written to."""
        return Moments(*(np.array(column) for column in self.arrays))

    def at(self, row: int) -> When | None:
        """One of them as a `When`; None where there is none."""
        if not self.stated[row]:
            return None
        low, high, flags = int(self.low[row]), int(self.high[row]), int(self.flags[row])
        span = Interval(
            None if low == NO_INSTANT else low,
            None if high == NO_INSTANT else high,
            bool(flags & LOW_OPEN),
            bool(flags & HIGH_OPEN),
        )
        offset = int(self.offset[row])
        return When(span, None if offset == NO_OFFSET else offset)

    @property
    def whole_days(self) -> Flags:
        """Those that are one whole calendar day without an offset, no more and no less."""
        one = (self.high - self.low == DAY) & (self.low // DAY * DAY == self.low) & (self.low != NO_INSTANT)
        return np.asarray(self.stated & one & (self.flags == HIGH_OPEN) & (self.offset == NO_OFFSET))

    @property
    def classes(self) -> NDArray[np.int8]:
        """How much each says: NOTHING, ONE_DAY, INSTANT, INSTANT_OFFSET or OTHER."""
        found = np.full(len(self), OTHER, np.int8)
        exact = (self.low == self.high) & (self.low != NO_INSTANT) & (self.flags == 0)
        found[exact] = np.where(self.offset[exact] == NO_OFFSET, INSTANT, INSTANT_OFFSET)
        found[self.whole_days] = ONE_DAY
        found[~self.stated] = NOTHING
        return found

    @property
    def days(self) -> tuple[Int64s, Int64s]:
        """First and last calendar day each may lie on; `NO_DAY` is no bound. The same rule as `When.days`."""
        first = np.where(self.low == NO_INSTANT, NO_DAY, self.low // DAY)
        last = (self.high - ((self.flags & HIGH_OPEN) != 0)) // DAY
        return first, np.where(self.high == NO_INSTANT, NO_DAY, last)

    @property
    def utc(self) -> Int64s:
        """The lower bound as UTC, where an offset is stated; else as it is."""
        return np.where(self.offset == NO_OFFSET, self.low, self.low - self.offset.astype(np.int64) * 60 * SECOND)

    def columns(self, name: str) -> dict[str, NDArray[Any]]:
        """Them as the columns of a shard: `.day` where that says all, else bounds, flags and offset.

        What is left out is nowhere anything but its default.
        """
        if is_same(*self.arrays):
            one = Moments(*(column[:1].copy() for column in self.arrays)).columns(name)
            return {key: same(column[0], len(self), column.dtype) for key, column in one.items()}
        whole = self.whole_days
        if whole.all():
            return {f"{name}.day": (self.low // DAY).astype(np.int32)}
        beside = whole | ~self.stated
        flags = self.flags.copy()
        unbounded = (self.low == NO_INSTANT) & (self.high == NO_INSTANT) & self.stated
        if name not in ("start", "born"):
            flags[unbounded] |= UNBOUNDED
        return {
            f"{name}.day": np.where(whole, self.low // DAY, NO_DAY).astype(np.int32),
            f"{name}.low": np.where(beside, NO_INSTANT, self.low),
            f"{name}.high": np.where(beside, NO_INSTANT, self.high),
            f"{name}.flags": np.where(beside, 0, flags).astype(np.int8),
            f"{name}.offset": np.where(beside, NO_OFFSET, self.offset).astype(np.int16),
        }


class _Each:
    """Moments that many rows have: what is told of them is told once, whatever rows are chosen."""

    def __init__(self, moments: Moments) -> None:
        self.moments = moments
        self._columns: dict[str, dict[str, Rows]] = {}

    @cached_property
    def days(self) -> tuple[Int64s, Int64s]:
        """`days` of each."""
        return self.moments.days

    @cached_property
    def whole_days(self) -> Flags:
        """`whole_days` of each."""
        return self.moments.whole_days

    @cached_property
    def classes(self) -> NDArray[np.int8]:
        """`classes` of each."""
        return self.moments.classes

    def columns(self, name: str) -> dict[str, Rows]:
        """`columns` of each."""
        if name not in self._columns:
            self._columns[name] = self.moments.columns(name)
        return self._columns[name]


class _Coded(Moments):
    """Moments of which most occur many times: `place` is where each row has its own among others. Not to be written to.

    They are made by `chosen`. What is asked of them is looked up row by row when it is asked.
    """

    def __init__(self, each: _Each, place: NDArray[Any]) -> None:
        self.__dict__.update(each=each, place=place)

    each: _Each
    place: NDArray[Any]

    def __len__(self) -> int:
        return len(self.place)

    @cached_property
    def low(self) -> Int64s:
        return self._of(self.each.moments.low)

    @cached_property
    def high(self) -> Int64s:
        return self._of(self.each.moments.high)

    @cached_property
    def flags(self) -> NDArray[np.int8]:
        return self._of(self.each.moments.flags)

    @cached_property
    def offset(self) -> NDArray[np.int16]:
        return self._of(self.each.moments.offset)

    @cached_property
    def stated(self) -> Flags:
        return self._of(self.each.moments.stated)

    @cached_property
    def days(self) -> tuple[Int64s, Int64s]:
        first, last = self.each.days
        return self._of(first), self._of(last)

    @property
    def whole_days(self) -> Flags:
        return self._of(self.each.whole_days)

    @property
    def classes(self) -> NDArray[np.int8]:
        return self._of(self.each.classes)

    def columns(self, name: str) -> dict[str, Rows]:
        return {column: self._of(values) for column, values in self.each.columns(name).items()}

    def take(self, rows: Any) -> Moments:
        return _Coded(self.each, taken(self.place, rows))

    def at(self, row: int) -> When | None:
        return self.each.moments.at(int(self.place[row]))

    @property
    def compact(self) -> Moments:
        place = settled(self.place)
        if not is_same(place):
            return self
        return Moments(*(same(column[place[0]], len(self), column.dtype) for column in self.each.moments.arrays))

    @property
    def plain(self) -> Moments:
        return Moments(*self.arrays)

    def _of(self, values: Rows) -> Rows:
        return taken(values, self.place)


def chosen(moments: Moments, place: NDArray[Any]) -> Moments:
    """Moments by their places among others, held so where these are few."""
    return _Coded(_Each(moments.compact), place) if _FEWER * len(moments) <= len(place) else moments.take(place)


# Making them ----------------------------------------------------------------------------------------------


def none(rows: int) -> Moments:
    """As many as asked for, none of them stated."""
    low, flags = same(NO_INSTANT, rows, np.int64), same(0, rows, np.int8)
    return Moments(low, low, flags, same(NO_OFFSET, rows, np.int16), same(False, rows, bool))


def from_days(ordinals: NDArray[Any], stated: Flags | None = None) -> Moments:
    """Whole calendar days."""
    low = ordinals.astype(np.int64) * DAY
    there = np.ones(len(low), bool) if stated is None else stated
    return _kept(low, low + DAY, np.full(len(low), HIGH_OPEN, np.int8), np.full(len(low), NO_OFFSET, np.int16), there)


def from_instants(micros: Int64s, offset: NDArray[np.int16] | int = NO_OFFSET, stated: Flags | None = None) -> Moments:
    """Single instants of wall clock, with their offset in minutes where one is stated."""
    there = np.ones(len(micros), bool) if stated is None else stated
    offsets = np.broadcast_to(np.asarray(offset, np.int16), micros.shape)
    return _kept(micros, micros, np.zeros(len(micros), np.int8), offsets, there)


def kept(moments: Moments, stated: Flags) -> Moments:
    """The moments where they are stated, and none elsewhere."""
    return _kept(moments.low, moments.high, moments.flags, moments.offset, stated)


def _kept(low: Int64s, high: Int64s, flags: NDArray[np.int8], offset: NDArray[np.int16], stated: Flags) -> Moments:
    return Moments(
        np.where(stated, low, NO_INSTANT),
        np.where(stated, high, NO_INSTANT),
        np.where(stated, flags, 0).astype(np.int8),
        np.where(stated, offset, NO_OFFSET).astype(np.int16),
        stated,
    )


def from_whens(whens: Sequence[When | None]) -> Moments:
    """The arrays of moments given one by one."""
    found = none(len(whens)).writable
    for row, when in enumerate(whens):
        if when is not None:
            span = when.span
            found.stated[row] = True
            found.low[row] = NO_INSTANT if span.low is None else int(span.low)
            found.high[row] = NO_INSTANT if span.high is None else int(span.high)
            found.flags[row] = LOW_OPEN * span.low_open + HIGH_OPEN * span.high_open
            found.offset[row] = NO_OFFSET if when.offset is None else when.offset
    return found


def joined(parts: Iterable[Moments]) -> Moments:
    """Several one after another."""
    given = list(parts)
    found = _joined_places([part for part in given if len(part)])
    if found is not None:
        return found
    return Moments(*(joined_columns(columns) for columns in zip(*(part.arrays for part in given), strict=True)))


def _joined_places(parts: Sequence[Moments]) -> Moments | None:
    """Several one after another by their places, where any is held so and all together are still few."""
    if not any(isinstance(part, _Coded) for part in parts):
        return None
    held: dict[int, tuple[int, _Each]] = {}
    places, many = [], 0
    for part in parts:
        if isinstance(part, _Coded):
            each, place = part.each, part.place
        elif is_same(*part.arrays):
            each, place = _Each(part.take(slice(1))), np.zeros(len(part), np.int32)
        else:
            each, place = _Each(part), np.arange(len(part), dtype=np.int32)
        if id(each) not in held:
            held[id(each)] = many, each
            many += len(each.moments)
        first = held[id(each)][0]
        places.append(place + np.int32(first) if first else place)
    if len(held) == 1:
        return _Coded(each, np.concatenate(places))
    if _FEWER * many > sum(map(len, parts)):
        return None
    return _Coded(_Each(joined([each.moments for _, each in held.values()])), np.concatenate(places))


# What readers make of moments ------------------------------------------------------------------------------


def until(when: Moments) -> Moments:
    """`readers.dates.until` of each: some moment not after it."""
    known = when.stated & (when.high != NO_INSTANT)
    return Moments(
        np.full(len(when), NO_INSTANT, np.int64),
        np.where(known, when.high, NO_INSTANT),
        np.where(known, when.flags & HIGH_OPEN, 0).astype(np.int8),
        np.where(known, when.offset, NO_OFFSET).astype(np.int16),
        np.ones(len(when), bool),
    )


def starting(when: Moments) -> Moments:
    """`readers.dates.starting` of each: some moment at or after it."""
    known = when.low != NO_INSTANT
    return Moments(
        when.low,
        np.full(len(when), NO_INSTANT, np.int64),
        np.zeros(len(when), np.int8),
        np.where(known, when.offset, NO_OFFSET).astype(np.int16),
        when.stated,
    )


def spanning(start: Moments, end: Moments) -> Moments:
    """`readers.dates.spanning` of each pair: some moment from the first to the second, as far as known."""
    alone = starting(start)
    low, high = start.low, end.high
    before = (low > high) | ((low == high) & ((end.flags & HIGH_OPEN) != 0))
    only = ~end.stated | (high == NO_INSTANT) | ((low != NO_INSTANT) & before)
    pick: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]] = lambda one, other: np.where(only, one, other)  # noqa: E731
    offset = np.where(low != NO_INSTANT, start.offset, end.offset)
    return Moments(
        low,
        pick(alone.high, high),
        pick(alone.flags, end.flags & HIGH_OPEN).astype(np.int8),
        pick(alone.offset, offset).astype(np.int16),
        start.stated,
    )


def no_later(start: Moments, end: Moments) -> Moments:
    """`values.overlap.no_later` of each pair: a start that does not lie after its end."""
    high = _by_the_clock_of(start, end.high, end)
    is_open, own = (end.flags & HIGH_OPEN) != 0, (start.flags & HIGH_OPEN) != 0
    bounded = (end.high != NO_INSTANT) & ((start.high == NO_INSTANT) | (high < start.high))
    bounded |= (end.high != NO_INSTANT) & (high == start.high) & is_open & ~own
    closed = ((start.flags & LOW_OPEN) == 0) & ~is_open
    bounded &= (start.low == NO_INSTANT) | (start.low < high) | ((start.low == high) & closed)
    flags = (start.flags & LOW_OPEN) | np.where(is_open, HIGH_OPEN, 0)
    return Moments(
        start.low, np.where(bounded, high, start.high), np.where(bounded, flags, start.flags).astype(np.int8),
        start.offset, start.stated,
    )  # fmt: skip


def no_earlier(end: Moments, start: Moments) -> Moments:
    """`values.overlap.no_earlier` of each pair: an end that does not lie before its start."""
    low = _by_the_clock_of(end, start.low, start)
    is_open, own = (start.flags & LOW_OPEN) != 0, (end.flags & LOW_OPEN) != 0
    bounded = (start.low != NO_INSTANT) & ((end.low == NO_INSTANT) | (low > end.low))
    bounded |= (start.low != NO_INSTANT) & (low == end.low) & is_open & ~own
    closed = ((end.flags & HIGH_OPEN) == 0) & ~is_open
    bounded &= (end.high == NO_INSTANT) | (low < end.high) | ((low == end.high) & closed)
    flags = (end.flags & HIGH_OPEN) | np.where(is_open, LOW_OPEN, 0)
    return Moments(
        np.where(bounded, low, end.low), end.high, np.where(bounded, flags, end.flags).astype(np.int8),
        end.offset, end.stated,
    )  # fmt: skip


def _by_the_clock_of(own: Moments, bound: Int64s, other: Moments) -> Int64s:
    """A bound of other moments by the clock of those it is held against, where both state an offset."""
    both = (own.offset != NO_OFFSET) & (other.offset != NO_OFFSET)
    minutes = own.offset.astype(np.int64) - other.offset.astype(np.int64)
    return np.where(both, bound + minutes * 60 * SECOND, bound)


def put(into: Moments, rows: Rows, moments: Moments) -> None:
    """Set some moments."""
    for one in fields(Moments):
        getattr(into, one.name)[rows] = getattr(moments, one.name)
