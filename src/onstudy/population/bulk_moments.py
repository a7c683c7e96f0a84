"""Many moments at once: the same bounds, openness and offsets as `When`, as arrays.

Dates are read by `parse_when`; what most files hold, days and instants with seconds, is read here without it, and a
test holds the two together. Instants are microseconds of wall clock since day 0, as in `values/calendar.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_letters import letters
from onstudy.population.bulk_same import is_same, same, settled, taken
from onstudy.population.bulk_same import joined as joined_columns
from onstudy.record.shard import HIGH_OPEN, LOW_OPEN, NO_DAY, NO_INSTANT, NO_OFFSET, UNBOUNDED
from onstudy.values.calendar import DAY, EARLIEST_YEAR, HOUR, LATEST_YEAR, SECOND, DateError, When, parse_when
from onstudy.values.interval import Interval

Int64s = NDArray[np.int64]
Flags = NDArray[np.bool_]
Rows = NDArray[Any]

#: How much of a date is said, as a class of its own: nothing, one day, an instant without and with offset, other.
NOTHING, ONE_DAY, INSTANT, INSTANT_OFFSET, OTHER = 0, 1, 2, 3, 4


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

    def take(self, rows: Rows) -> Moments:
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
        """Them as the columns of a shard: `.day` where that says all, else bounds, flags and offset."""
        if is_same(*self.arrays):
            one = Moments(*(column[:1].copy() for column in self.arrays)).columns(name)
            return {key: same(column[0], len(self), column.dtype) for key, column in one.items()}
        whole, bare = self.whole_days, ~self.stated
        beside = whole | bare
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
    return Moments(*(joined_columns(columns) for columns in zip(*(part.arrays for part in given), strict=True)))


# Reading them ---------------------------------------------------------------------------------------------


def each_moment(texts: pa.Array) -> tuple[Moments, Flags]:
    """The moments of ISO texts, none of them null, and which of them `parse_when` refuses."""
    found, bad = none(len(texts)).writable, np.zeros(len(texts), bool)
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    left = np.ones(len(texts), bool)
    for length in np.unique(lengths).tolist():
        layout = _LAYOUTS.get(length)
        if layout is not None:
            rows = np.flatnonzero(lengths == length)
            read = _fixed(np.ascontiguousarray(letters(texts.take(pa.array(rows)), length).T), *layout)
            good = rows[read.stated]
            _put(found, good, read.take(read.stated))
            left[good] = False
    for row in np.flatnonzero(left).tolist():
        try:
            _put(found, np.array([row]), from_whens([parse_when(texts[row].as_py())]))
        except DateError:
            bad[row] = True
    return found, bad


def _put(into: Moments, rows: NDArray[Any], read: Moments) -> None:
    for name in ("low", "high", "flags", "offset", "stated"):
        getattr(into, name)[rows] = getattr(read, name)


#: Length of a text to what it holds after the day: seconds, digits of a fraction, and characters of an offset.
_LAYOUTS: dict[int, tuple[bool, int, int]] = {
    10: (False, 0, -1),
    19: (True, 0, 0), 20: (True, 0, 1), 25: (True, 0, 6),
    23: (True, 3, 0), 24: (True, 3, 1), 29: (True, 3, 6),
    16: (False, 0, 0), 17: (False, 0, 1), 22: (False, 0, 6),
}  # fmt: skip


def _fixed(text: NDArray[np.uint8], seconds: bool, fraction: int, offset: int) -> Moments:
    """Texts of one length and layout; what does not keep to it, or is no date, is not stated."""
    year, good = _number(text, 0, 4)
    month, good_month = _number(text, 5, 7)
    day, good_day = _number(text, 8, 10)
    good &= good_month & good_day & (text[4] == ord("-")) & (text[7] == ord("-"))
    good &= (year >= EARLIEST_YEAR) & (year <= LATEST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= day <= _month_length(year, np.clip(month, 1, 12))
    ordinal = _ordinal(year, month, day)
    if offset < 0:
        return from_days(ordinal, good)
    clock, good_clock, end = _clock(text, seconds, fraction)
    minutes, good_offset = _offset(text, end, offset)
    return from_instants(ordinal * DAY + clock, minutes, good & good_clock & good_offset)


def _number(text: NDArray[np.uint8], first: int, end: int) -> tuple[Int64s, Flags]:
    """The number written from one place to another, and whether it is one."""
    total, good = np.zeros(text.shape[1], np.int32), np.ones(text.shape[1], bool)
    for place in range(first, end):
        digit = text[place] - np.uint8(ord("0"))  # what is no digit comes out above 9
        good &= digit <= 9
        total = total * 10 + digit
    return total.astype(np.int64), good


def _clock(text: NDArray[np.uint8], seconds: bool, fraction: int) -> tuple[Int64s, Flags, int]:
    """Microseconds into the day, whether they are a time of day, and where the text goes on."""
    hour, good = _number(text, 11, 13)
    minute, good_minute = _number(text, 14, 16)
    good &= good_minute & (text[10] == ord("T")) & (text[13] == ord(":")) & (hour <= 23) & (minute <= 59)
    micros, end = hour * HOUR + minute * 60 * SECOND, 16
    if seconds:
        second, good_second = _number(text, 17, 19)
        good &= good_second & (text[16] == ord(":")) & (second <= 59)
        micros, end = micros + second * SECOND, 19
    if fraction:
        part, good_part = _number(text, 20, 20 + fraction)
        good &= good_part & (text[19] == ord("."))
        micros, end = micros + part * 10 ** (6 - fraction), 20 + fraction
    return micros, good, end


def _offset(text: NDArray[np.uint8], first: int, characters: int) -> tuple[NDArray[np.int16], Flags]:
    rows = text.shape[1]
    if characters == 0:
        return np.full(rows, NO_OFFSET, np.int16), np.ones(rows, bool)
    sign = text[first]
    if characters == 1:
        return np.zeros(rows, np.int16), np.asarray(sign == ord("Z"))
    hours, good = _number(text, first + 1, first + 3)
    minutes, good_minutes = _number(text, first + 4, first + 6)
    good &= good_minutes & (text[first + 3] == ord(":")) & (hours <= 14) & (minutes <= 59)
    good &= (sign == ord("+")) | (sign == ord("-"))
    total = (hours * 60 + minutes) * np.where(sign == ord("-"), -1, 1)
    return total.astype(np.int16), good


def _month_length(year: Int64s, month: Int64s) -> Int64s:
    lengths = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return np.asarray(lengths[month - 1] + ((month == 2) & leap))


def _ordinal(year: Int64s, month: Int64s, day: Int64s) -> Int64s:
    """`date.toordinal` of many dates: years begin in March, so that the leap day is the last of a year."""
    early = month <= 2
    years = year - early
    of_year = (153 * (month + np.where(early, 9, -3)) + 2) // 5 + day - 1
    return years * 365 + years // 4 - years // 100 + years // 400 + of_year - 305


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
