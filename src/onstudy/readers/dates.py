"""Dates of a record as text and back: ISO dates of any precision, and "somewhere between" written `A..B`.

`A..B` runs from the beginning of A to the end of B, each any ISO date or date-time, or left out:
`2025-11-01..2026-01-15`, `..2026-03-10`, `2026-03-10T08:00..`.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date

from onstudy.values.calendar import DAY, UNDATED, DateError, When, parse_when, show
from onstudy.values.interval import Interval

FORMS = "write YYYY, YYYY-MM, YYYY-MM-DD, YYYY-MM-DDThh:mm, or A..B for a date between two"
LONGEST = 80


def read_when(text: str) -> When:
    """The moment a text means. Raises `DateError`, which never repeats the text: it may be anything."""
    tidy = text.strip() if len(text) <= LONGEST else ""
    first, between, last = tidy.partition("..")
    try:
        if not between:
            return parse_when(tidy)
        low = parse_when(first) if first else UNDATED
        high = parse_when(last) if last else UNDATED
        span = Interval(low.span.low, high.span.high, high_open=high.span.high_open)
    except (DateError, ValueError):
        raise DateError(f"is not a date: {FORMS}") from None
    return When(span, low.offset if low.offset is not None else high.offset)


def write_when(when: When) -> str:
    """The text that `read_when` reads back to the same moment; "" where nothing is known of it."""
    if not when.known:
        return ""
    short = show(when)
    with suppress(DateError):  # not every span has a short form: "from 2025-11-01" is written 2025-11-01..
        if parse_when(short) == when:
            return short
    return f"{_low(when)}..{_high(when)}"


def _low(when: When) -> str:
    low = when.span.low
    if low is None:
        return ""
    if int(low) % DAY == 0 and when.offset is None:
        return date.fromordinal(int(low) // DAY).isoformat()
    return _instant(int(low), when)


def _high(when: When) -> str:
    high = when.span.high
    if high is None:
        return ""
    if when.span.high_open and int(high) % DAY == 0:
        return date.fromordinal(int(high) // DAY - 1).isoformat()
    return _instant(int(high), when)


def _instant(moment: int, when: When) -> str:
    return show(When(Interval(moment, moment), when.offset))


def starting(when: When) -> When:
    """Some moment at or after this one."""
    return When(Interval(when.span.low, None), when.offset if when.span.low is not None else None)


def until(when: When | None) -> When:
    """Some moment not after this one; of None nothing is known."""
    if when is None or when.span.high is None:
        return UNDATED
    return When(Interval(None, when.span.high, high_open=when.span.high_open), when.offset)


def spanning(start: When, end: When | None) -> When:
    """Some moment not before `start` and not after `end`, as far as either is known.

    An `end` that lies before the start says nothing, and is left out.
    """
    if end is None or end.span.high is None:
        return starting(start)
    low, high = start.span.low, end.span.high
    if low is not None and (low > high or (low == high and end.span.high_open)):
        return starting(start)
    span = Interval(low, high, high_open=end.span.high_open)
    return When(span, start.offset if low is not None else end.offset)


def over(start: When, end: When) -> bool:
    """Whether `end` certainly lies before `start`."""
    shared = start.offset is not None and end.offset is not None
    low, last = start.instants(shared).low, end.instants(shared)
    if low is None or last.high is None:
        return False
    return last.high < low or (last.high == low and last.high_open)
