"""Dates read many at once: the moments of ISO texts.

They are read by `parse_when`; what most files hold, days and instants with seconds, is read here without it, and a
test holds the two together.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_letters import letters
from onstudy.population.bulk_moments import Flags, Int64s, Moments, from_days, from_instants, from_whens, none, put
from onstudy.record.shard import NO_OFFSET
from onstudy.values.calendar import DAY, EARLIEST_YEAR, HOUR, LATEST_YEAR, SECOND, DateError, parse_when


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
            put(found, good, read.take(read.stated))
            left[good] = False
    for row in np.flatnonzero(left).tolist():
        try:
            put(found, np.array([row]), from_whens([parse_when(texts[row].as_py())]))
        except DateError:
            bad[row] = True
    return found, bad


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
