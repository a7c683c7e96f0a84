"""Every calendar rule, once: partial dates as intervals, durations, adding months, completed years.

Days are proleptic ordinals (`date.toordinal()`), instants are microseconds of wall clock since day 0, both
ints. A calendar day is the date as it is written in the source; hours are elapsed time, between
instants where both sides state an offset, otherwise by the wall clock.
Rules: part 2.1 (5-8) of the reference for NCT03739814.
"""

from __future__ import annotations

import calendar as _calendar
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum

from onstudy.errors import OnstudyError
from onstudy.values.interval import ANYTHING, Interval, point

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

_WRITTEN = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<offset>Z|[+-]\d{2}:?\d{2})?)?)?)?",
    re.ASCII,
)
EARLIEST_YEAR, LATEST_YEAR = 1850, 2200


class DateError(OnstudyError):
    """Text that is no date; the message says what was read and what is expected."""


class Unit(str, Enum):
    """Units of a duration. Months and years are calendar steps, never average lengths."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"


@dataclass(frozen=True, slots=True)
class Duration:
    """A whole number of hours, days, weeks, months or years."""

    amount: int
    unit: Unit

    def __str__(self) -> str:
        unit = self.unit.value
        return f"{self.amount} {unit[:-1] if self.amount == 1 else unit}"


@dataclass(frozen=True, slots=True)
class When:
    """A moment known between two bounds of wall clock, in microseconds, and the offset if one was stated.

    `days` are the calendar days it may lie on; both follow from the text as written: "2026-03" may be
    any moment of that March, "2026-03-15" any of that day, "2026-03-15T08:00" is one moment.
    """

    span: Interval
    offset: int | None = None  # minutes east of UTC
    days: Interval = field(init=False)

    def __post_init__(self) -> None:
        low, high = self.span.low, self.span.high
        first = None if low is None else int(low) // DAY
        last = None if high is None else (int(high) - (1 if self.span.high_open else 0)) // DAY
        object.__setattr__(self, "days", Interval(first, last))

    @property
    def known(self) -> bool:
        """True where the date has any bound."""
        return self.span.known

    @property
    def day(self) -> int | None:
        """The one calendar day it lies on, where that is certain."""
        return int(self.days.low) if self.days.low is not None and self.days.exact else None

    def instants(self, shared: bool) -> Interval:
        """The span as UTC where `shared` (both sides of a comparison state an offset), else wall clock."""
        if not shared or not self.offset:
            return self.span
        shift = self.offset * 60 * SECOND
        low, high = self.span.low, self.span.high
        return Interval(
            None if low is None else low - shift,
            None if high is None else high - shift,
            self.span.low_open,
            self.span.high_open,
        )

    def __str__(self) -> str:
        return show(self)


UNDATED = When(ANYTHING)


def parse_when(text: str) -> When:
    """Read an ISO 8601 date or date-time of any FHIR precision: year, month, day, minute or finer.

    Raises `DateError` for anything else, for days no calendar has, and for years outside 1850-2200.
    """
    found = _WRITTEN.fullmatch(text.strip()) if len(text) <= 40 else None
    if found is None:
        raise DateError(f"{text[:40]!r} is not a date; write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm")
    year = int(found["year"])
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise DateError(f"{text!r}: the year lies outside {EARLIEST_YEAR}-{LATEST_YEAR}")
    try:
        return _when(year, found)
    except ValueError as error:
        raise DateError(f"{text!r} is not a date: {error}") from None


def _when(year: int, found: re.Match[str]) -> When:
    if found["month"] is None:
        return between(date(year, 1, 1), date(year, 12, 31))
    month = int(found["month"])
    if found["day"] is None:
        return between(date(year, month, 1), date(year, month, _calendar.monthrange(year, month)[1]))
    day = date(year, month, int(found["day"]))
    if found["hour"] is None:
        return on_day(day)
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    datetime(year, month, day.day, hour, minute, min(second, 59))  # raises ValueError for 25:61
    if second > 60:
        raise ValueError("second must be in 0..60")
    micro = int((found["fraction"] or "").ljust(6, "0")[:6] or 0)
    moment = day.toordinal() * DAY + hour * HOUR + minute * 60 * SECOND + second * SECOND + micro
    return When(point(moment), _offset(found["offset"]))


def _offset(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 14 or minutes > 59:
        raise ValueError("an offset lies between -14:00 and +14:00")
    return (hours * 60 + minutes) * (-1 if text[0] == "-" else 1)


def on_day(day: date | int) -> When:
    """Some moment of one calendar day: the half-open day."""
    ordinal = day if isinstance(day, int) else day.toordinal()
    return When(Interval(ordinal * DAY, (ordinal + 1) * DAY, high_open=True))


def between(first: date | int | None, last: date | int | None) -> When:
    """Some moment from the first to the last day, both included; None is no bound."""
    low = None if first is None else (first if isinstance(first, int) else first.toordinal()) * DAY
    high = None if last is None else ((last if isinstance(last, int) else last.toordinal()) + 1) * DAY
    return When(Interval(low, high, high_open=high is not None))


def as_when(moment: date | datetime | str) -> When:
    """A `When` from a date, a date-time (naive or with an offset) or ISO text."""
    if isinstance(moment, str):
        return parse_when(moment)
    return parse_when(moment.isoformat())


def instant_of(text: str) -> tuple[bool, int] | None:
    """Whether ISO text states an offset, and the moment it names: in UTC where it does, else by the wall clock.

    Two are comparable where both state an offset, or neither does. None of a day or less, and of what is no date.
    """
    try:
        when = parse_when(text)
    except DateError:
        return None
    shared = when.offset is not None
    moment = when.instants(shared)
    return (shared, int(moment.low)) if moment.exact and moment.low is not None else None


def add_months(day: int, months: int) -> int:
    """The ordinal `months` calendar months later; a day the month lacks becomes its last (2.1-6)."""
    start = date.fromordinal(day)
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:
        raise DateError(f"{months} months from {start} leaves the calendar")
    return date(year, month + 1, min(start.day, _calendar.monthrange(year, month + 1)[1])).toordinal()


def shift_day(day: int, duration: Duration, sign: int = 1) -> int:
    """The ordinal that lies a duration of days or longer after (or, with sign -1, before) a day."""
    amount = sign * duration.amount
    if duration.unit is Unit.DAYS:
        return day + amount
    if duration.unit is Unit.WEEKS:
        return day + 7 * amount
    assert duration.unit is not Unit.HOURS, "hours are elapsed time, not calendar days"
    return add_months(day, amount * (12 if duration.unit is Unit.YEARS else 1))


def shift_days(days: Interval, duration: Duration, sign: int = 1) -> Interval:
    """`shift_day` of both bounds: adding calendar time never changes the order of two days."""
    low = None if days.low is None else shift_day(int(days.low), duration, sign)
    high = None if days.high is None else shift_day(int(days.high), duration, sign)
    return Interval(low, high)


def completed_years(born: int, on: int) -> int:
    """Age in completed years; the birthday counts, and 29 February turns on 1 March in a common year (2.1-8)."""
    birth, today = date.fromordinal(born), date.fromordinal(on)
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


def reached(born: int, age: Duration) -> int:
    """The first day of an age of days or longer: a birthday its month lacks is on the first of the next (2.1-8)."""
    day = shift_day(born, age)
    lacking = age.unit in (Unit.MONTHS, Unit.YEARS) and date.fromordinal(day).day < date.fromordinal(born).day
    return day + lacking


def age(born: Interval, on: Interval) -> Interval:
    """Completed years as an interval, from the days of birth and the days asked for."""
    low = None if born.high is None or on.low is None else completed_years(int(born.high), int(on.low))
    high = None if born.low is None or on.high is None else completed_years(int(born.low), int(on.high))
    return Interval(low, high)


def elapsed(since: Interval, on: int) -> Interval:
    """Whole days from the days on which something may have been to the day asked for; none of them after it."""
    low = 0 if since.high is None else max(on - int(since.high), 0)
    return Interval(low, None if since.low is None else on - int(since.low))


def show_day(ordinal: int | float | None) -> str | None:
    """ISO text of a day; None stays None."""
    return None if ordinal is None else date.fromordinal(int(ordinal)).isoformat()


def show(when: When) -> str:
    """The shortest ISO text that says what is known of a moment."""
    low, high = when.span.low, when.span.high
    if low is not None and low == high:
        return _show_instant(int(low), when.offset)
    first, last = when.days.low, when.days.high
    if first is None or last is None:
        if first is not None:
            return f"from {show_day(first)}"
        return f"until {show_day(last)}" if last is not None else "date unknown"
    start, end = date.fromordinal(int(first)), date.fromordinal(int(last))
    if start == end:
        return start.isoformat()
    if (start.month, start.day, end.month, end.day) == (1, 1, 12, 31) and start.year == end.year:
        return f"{start.year:04d}"
    if (
        start.day == 1
        and (start.year, start.month) == (end.year, end.month)
        and (end.day == _calendar.monthrange(end.year, end.month)[1])
    ):
        return f"{start.year:04d}-{start.month:02d}"
    return f"{start.isoformat()}..{end.isoformat()}"


def _show_instant(moment: int, offset: int | None) -> str:
    day, clock = divmod(moment, DAY)
    minutes, rest = divmod(clock, 60 * SECOND)
    text = f"{date.fromordinal(day).isoformat()}T{minutes // 60:02d}:{minutes % 60:02d}"
    if rest:
        seconds, micro = divmod(rest, SECOND)
        text += f":{seconds:02d}" + (f".{micro:06d}".rstrip("0") if micro else "")
    if offset is None:
        return text
    sign = "-" if offset < 0 else "+"
    return text + ("Z" if offset == 0 else f"{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}")
