"""What two statements of one moment both leave possible, and how a beginning and an end bound each other.

They are held against each other as UTC where both state an offset, else by the wall clock.
"""

from __future__ import annotations

from onstudy.values.calendar import SECOND, When
from onstudy.values.interval import Interval, common_part


def common(one: When, other: When) -> When | None:
    """What both leave possible: one of the two where it says no less than the other; None where nothing is."""
    beside = _as_of(other.span, other, one)
    met = common_part(one.span, beside)
    if met is None:
        return None
    if met == one.span:
        return one
    return other if met == beside else When(met, one.offset if other.offset is not None else None)


def no_later(start: When, end: When) -> When:
    """A start that does not lie after its end; as it was where it surely does, or where nothing bounds it."""
    high = end.span.high
    return start if high is None else _within(start, Interval(None, high, high_open=end.span.high_open), end)


def no_earlier(end: When, start: When) -> When:
    """An end that does not lie before its start; as it was where it surely does, or where nothing bounds it."""
    low = start.span.low
    return end if low is None else _within(end, Interval(low, None, start.span.low_open), start)


def _within(moment: When, bounds: Interval, by: When) -> When:
    met = common_part(moment.span, _as_of(bounds, by, moment))
    return moment if met is None or met == moment.span else When(met, moment.offset)


def _as_of(span: Interval, own: When, beside: When) -> Interval:
    """A span by the clock of one moment as one by the clock of another."""
    if own.offset is None or beside.offset is None or own.offset == beside.offset:
        return span
    shift = (beside.offset - own.offset) * 60 * SECOND
    low, high = (None if bound is None else bound + shift for bound in (span.low, span.high))
    return Interval(low, high, span.low_open, span.high_open)
