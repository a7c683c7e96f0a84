"""How moments and periods lie to one another, and which record is the newest: every relation of time, once.

`within` moves the anchor back, `at least` moves the event forward; hours are elapsed time, all else is days.
"""

from __future__ import annotations

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Relation
from onstudy.engines.candidates import Match
from onstudy.record.patient import Fact
from onstudy.values import interval as iv
from onstudy.values.calendar import HOUR, Duration, Unit, When, shift_days
from onstudy.values.interval import EQ, GE, GT, LE, LT, Interval, compare, point
from onstudy.values.truth import TRUE, Truth


def relate(event: When, relation: Relation, anchor: When, duration: Duration | None) -> Truth:
    """How one moment lies to another. `within` moves the anchor back, `at least` moves the event forward."""
    if duration is not None and duration.unit is Unit.HOURS:
        return _relate_hours(event, relation, anchor, duration.amount * HOUR)
    a, b = event.days, anchor.days
    match relation:
        case Relation.BEFORE:
            return compare(LT, a, b)
        case Relation.AFTER:
            return compare(GT, a, b)
        case Relation.ON_OR_BEFORE:
            return compare(LE, a, b)
        case Relation.ON_OR_AFTER:
            return compare(GE, a, b)
        case Relation.ON:
            return compare(EQ, a, b)
    assert duration is not None
    match relation:
        case Relation.WITHIN_BEFORE:
            return min(compare(GE, a, shift_days(b, duration, -1)), compare(LE, a, b))
        case Relation.WITHIN_AFTER:
            return min(compare(GE, a, b), compare(LE, a, shift_days(b, duration)))
        case Relation.AT_LEAST_BEFORE:
            return compare(GE, b, shift_days(a, duration))
    assert relation is Relation.AT_LEAST_AFTER
    return compare(GE, a, shift_days(b, duration))


def _relate_hours(event: When, relation: Relation, anchor: When, length: int) -> Truth:
    shared = event.offset is not None and anchor.offset is not None
    a, b = event.instants(shared), anchor.instants(shared)
    gap = iv.subtract(b, a) if relation in (Relation.WITHIN_BEFORE, Relation.AT_LEAST_BEFORE) else iv.subtract(a, b)
    enough = compare(GE, gap, point(length))
    if relation in (Relation.AT_LEAST_BEFORE, Relation.AT_LEAST_AFTER):
        return enough
    return min(compare(GE, gap, point(0)), compare(LE, gap, point(length)))


def overlaps(start: When, end: When, back: e.Lookback, anchor: When) -> Truth:
    """Whether any part of a period lies in a lookback counted from `anchor`."""
    if back.span is not None and back.span.duration.unit is Unit.HOURS:
        return _overlaps_hours(start, end, back, anchor, back.span.duration.amount * HOUR)
    a, b, c = start.days, end.days, anchor.days
    match back.relation:
        case Relation.BEFORE:
            return compare(LT, a, c)
        case Relation.AFTER:
            return compare(GT, a, c)
        case Relation.AT:
            return min(compare(LE, a, c), compare(GE, b, c))
    assert back.span is not None
    if back.relation is Relation.WITHIN_BEFORE:
        return min(compare(GE, b, shift_days(c, back.span.duration, -1)), compare(LE, a, c))
    return min(compare(GE, b, c), compare(LE, a, shift_days(c, back.span.duration)))


def _overlaps_hours(start: When, end: When, back: e.Lookback, anchor: When, length: int) -> Truth:
    shared = None not in (start.offset, end.offset, anchor.offset)
    a, b, c = start.instants(shared), end.instants(shared), anchor.instants(shared)
    if back.relation is Relation.WITHIN_BEFORE:
        return min(compare(GE, b, iv.subtract(c, point(length))), compare(LE, a, c))
    return min(compare(GE, b, c), compare(LE, a, iv.add(c, point(length))))


def outermost(matches: list[Match], newest: bool) -> list[Match]:
    """Those that no certain match surely comes after (or, for the earliest, before).

    Two times are compared in UTC where both state an offset, else by the wall clock. Of the certain ones that are
    compared alike, the last one alone rules out whatever any of them does.
    """
    if len(matches) < 2:
        return matches
    sure = [stated(match.fact) for match in matches if match.truth is TRUE]
    if not sure:
        return matches
    op, last = (GT, _last) if newest else (LT, _first)
    anywhere = last([when.span for when in sure])
    local = last([when.span for when in sure if when.offset is None])
    zoned = last([when.instants(True) for when in sure if when.offset is not None])

    def passed(when: When) -> bool:
        if when.offset is None:
            return compare(op, anywhere, when.span) is TRUE
        return compare(op, zoned, when.instants(True)) is TRUE or compare(op, local, when.span) is TRUE

    return [match for match in matches if not passed(stated(match.fact))]


def _last(spans: list[Interval]) -> Interval | None:
    """The span that begins last, an open beginning after a closed one; None where none has a beginning."""
    return max((span for span in spans if span.low is not None), key=lambda s: (s.low, s.low_open), default=None)


def _first(spans: list[Interval]) -> Interval | None:
    """The span that ends first, an open end before a closed one; None where none has an end."""
    return min((span for span in spans if span.high is not None), key=lambda s: (s.high, not s.high_open), default=None)


def stated(fact: Fact) -> When:
    """When a fact was so: a denial speaks for the day it was made, up to which it holds."""
    if fact.negative:
        return fact.end or fact.recorded or fact.start
    return fact.start
