"""How many moments lie to one another: every relation of time, over arrays.

As for one patient: `within` moves the anchor back, `at least` moves the event forward, hours are elapsed time and all
else is days.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onstudy.criteria.expr import Lookback, Relation
from onstudy.engines.vector.arrays import UNKNOWN, Mask, Truths, certain, truths
from onstudy.engines.vector.calendar import shifted
from onstudy.engines.vector.moments import Moments, Spans
from onstudy.record.shard import NO_OFFSET
from onstudy.values.calendar import HOUR, SECOND, Duration, Unit

# Comparing days -----------------------------------------------------------------------------------------


def at_most(a: Moments, b: Moments) -> Truths:
    """Whether each day of `a` is no later than that of `b`."""
    if a.exact and b.exact:
        return certain(a.first <= b.first)
    return truths(a.last <= b.first, a.first > b.last)


def before(a: Moments, b: Moments) -> Truths:
    """Whether each day of `a` is earlier than that of `b`."""
    if a.exact and b.exact:
        return certain(a.first < b.first)
    return truths(a.last < b.first, a.first >= b.last)


def same_day(a: Moments, b: Moments) -> Truths:
    """Whether both are of one day."""
    if a.exact and b.exact:
        return certain(a.first == b.first)
    sure = (a.first == a.last) & (b.first == b.last) & (a.first == b.first)
    return truths(sure, (a.first > b.last) | (b.first > a.last))


def moved(moments: Moments, duration: Duration, sign: int = 1) -> Moments:
    """Their days, moved by a duration of days or longer."""
    first = shifted(moments.first, duration, sign)
    return Moments(first, first if moments.exact else shifted(moments.last, duration, sign))


# Comparing instants -------------------------------------------------------------------------------------


def _no_later(a: Spans, b: Spans) -> Truths:
    above = (a.low > b.high) | ((a.low == b.high) & (a.low_open | np.asarray(b.high_open)))
    return truths(a.high <= b.low, above)


def universal(moments: Moments, shared: Mask | None) -> Spans:
    """Their instants as universal time where `shared`, else as the wall clock shows them."""
    spans = moments.instants()
    if shared is None or moments.offset is None:
        return spans
    shift = np.where(shared & (moments.offset != NO_OFFSET), moments.offset, 0).astype(np.int64) * (60 * SECOND)
    return replace(spans, low=spans.low - shift, high=spans.high - shift)


def with_offset(*moments: Moments) -> Mask | None:
    """Where all of them state an offset; None where none can."""
    if any(part.offset is None for part in moments):
        return None
    found: Mask = np.array([True])
    for part in moments:
        found = found & (part.offset != NO_OFFSET)
    return found


def _gap(a: Spans, b: Spans) -> Spans:
    """`a - b`."""
    return Spans(
        a.low - b.high,
        a.high - b.low,
        a.low_open | np.asarray(b.high_open),
        a.high_open | np.asarray(b.low_open),
    )


def _relate_hours(event: Moments, relation: Relation, anchor: Moments, length: int) -> Truths:
    shared = with_offset(event, anchor)
    a, b = universal(event, shared), universal(anchor, shared)
    gap = _gap(b, a) if relation in (Relation.WITHIN_BEFORE, Relation.AT_LEAST_BEFORE) else _gap(a, b)
    enough = _no_later(_length(length), gap)
    if relation in (Relation.AT_LEAST_BEFORE, Relation.AT_LEAST_AFTER):
        return enough
    return np.minimum(_no_later(_length(0), gap), _no_later(gap, _length(length)))


def _length(amount: int) -> Spans:
    one = np.array([amount], np.int64)
    return Spans(one, one)


def relate(event: Moments, relation: Relation, anchor: Moments, duration: Duration | None) -> Truths:
    """How each event lies to its anchor; UNKNOWN where one of them is not stated."""
    truth = _related(event, relation, anchor, duration)
    for side in (event, anchor):
        if side.stated is not None:
            truth = np.where(side.stated, truth, UNKNOWN)
    return truth


def _related(event: Moments, relation: Relation, anchor: Moments, duration: Duration | None) -> Truths:
    if duration is not None and duration.unit is Unit.HOURS:
        return _relate_hours(event, relation, anchor, duration.amount * HOUR)
    match relation:
        case Relation.BEFORE:
            return before(event, anchor)
        case Relation.AFTER:
            return before(anchor, event)
        case Relation.ON_OR_BEFORE:
            return at_most(event, anchor)
        case Relation.ON_OR_AFTER:
            return at_most(anchor, event)
        case Relation.ON:
            return same_day(event, anchor)
    assert duration is not None
    match relation:
        case Relation.WITHIN_BEFORE:
            return np.minimum(at_most(moved(anchor, duration, -1), event), at_most(event, anchor))
        case Relation.WITHIN_AFTER:
            return np.minimum(at_most(anchor, event), at_most(event, moved(anchor, duration)))
        case Relation.AT_LEAST_BEFORE:
            return at_most(moved(event, duration), anchor)
    assert relation is Relation.AT_LEAST_AFTER
    return at_most(moved(anchor, duration), event)


def overlaps(start: Moments, end: Moments, back: Lookback, anchor: Moments) -> Truths:
    """Whether any part of each period lies in a lookback counted from its anchor; UNKNOWN where that is not stated."""
    truth = _overlapping(start, end, back, anchor)
    return truth if anchor.stated is None else np.where(anchor.stated, truth, UNKNOWN)


def _overlapping(start: Moments, end: Moments, back: Lookback, anchor: Moments) -> Truths:
    if back.span is not None and back.span.duration.unit is Unit.HOURS:
        return _overlaps_hours(start, end, back, anchor, back.span.duration.amount * HOUR)
    match back.relation:
        case Relation.BEFORE:
            return before(start, anchor)
        case Relation.AFTER:
            return before(anchor, start)
        case Relation.AT:
            return np.minimum(at_most(start, anchor), at_most(anchor, end))
    assert back.span is not None
    if back.relation is Relation.WITHIN_BEFORE:
        return np.minimum(at_most(moved(anchor, back.span.duration, -1), end), at_most(start, anchor))
    return np.minimum(at_most(anchor, end), at_most(start, moved(anchor, back.span.duration)))


def _overlaps_hours(start: Moments, end: Moments, back: Lookback, anchor: Moments, length: int) -> Truths:
    shared = with_offset(start, end, anchor)
    a, b, c = (universal(part, shared) for part in (start, end, anchor))
    if back.relation is Relation.WITHIN_BEFORE:
        early = replace(c, low=c.low - length, high=c.high - length)
        return np.minimum(_no_later(early, b), _no_later(a, c))
    late = replace(c, low=c.low + length, high=c.high + length)
    return np.minimum(_no_later(c, b), _no_later(a, late))
