"""How many records, on how many days, over how long: from what is certain to what is possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onstudy.criteria.expr import CountOf
from onstudy.engines.vector.arrays import FALSE, TRUE, Array, Index, counts_at, largest_at, whole
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.codes import Codes
from onstudy.engines.vector.fields import slot
from onstudy.engines.vector.picking import some
from onstudy.engines.vector.queries import Matches
from onstudy.engines.vector.subjects import Recorded
from onstudy.record.shard import NO_OFFSET

DAILY = frozenset({"daily"})


def counted(of: CountOf, matches: Sequence[Matches], rows: int) -> tuple[Array, Array]:
    """For each row the least and the most there are (float64; NaN is no bound), by what is recorded."""
    possible = [some(match, np.flatnonzero(match.truth != FALSE)) for match in matches]
    if of is CountOf.RECORDS:
        least, most = np.zeros(rows), np.zeros(rows)
        for match in possible:
            least += counts_at(rows, match.at[match.truth == TRUE])
            most += counts_at(rows, match.at)
        return least, most
    return _length(of, possible, rows)


def _length(of: CountOf, matches: Sequence[Matches], rows: int) -> tuple[Array, Array]:
    certain = _certain_days(matches, rows)
    at, first, last, most = _possible_days(matches)
    endless = counts_at(rows, at[first <= -FAR]) > 0
    begun = np.flatnonzero((first <= last) & ~endless[at])
    at, first, last, most = at[begun], first[begun], last[begun], most[begun]
    none = counts_at(rows, at) == 0
    span = largest_at(at, last, rows, 0) + largest_at(at, -first, rows, 0) + 1
    if of is CountOf.DURATION:
        high = span.astype(np.float64)
    else:
        total = np.bincount(at, weights=most, minlength=rows)
        high = np.maximum(certain, np.minimum(total, span))
    low = np.where(none & ~endless, 0, certain).astype(np.float64)
    return low, np.where(endless, np.nan, np.where(none, 0.0, high))


def _possible_days(matches: Sequence[Matches]) -> tuple[Index, Array, Array, Array]:
    """Of every match its row, the first and last day it may cover up to the index date, and on how many it can lie."""
    ats: list[Array] = [np.empty(0, np.intp)]
    columns: list[list[Array]] = [[np.empty(0, np.int64)] for _ in range(3)]
    for match in matches:
        size, subjects = match.records.frame.rows, match.records.subjects
        first = whole(subjects.start.first, size).astype(np.int64)
        last = np.minimum(whole(subjects.end.last, size), subjects.index.first).astype(np.int64)
        days = np.where(_one_day(subjects, size), 1, np.where(first <= -FAR, 1, last - first + 1))
        ats.append(match.at)
        for column, values in zip(columns, (first, last, days), strict=True):
            column.append(values)
    first, last, days = (np.concatenate(column) for column in columns)
    return np.concatenate(ats), first, last, days


def _one_day(subjects: Recorded, size: int) -> Array:
    """Records that lie on one day at most: moments, and periods that begin and end as one and the same day."""
    places = subjects.places
    end = places.moment("end") if places.owns("end") else None
    ongoing = places.get("ongoing") if places.has("ongoing") else np.zeros(1, np.bool_)
    known = np.zeros(1, np.bool_) if end is None else end.known
    found = ~known & ~ongoing & subjects.moments_only
    if end is not None:
        start = subjects.start
        same = (end.first == start.first) & (end.last == start.last) & (start.first == start.last)
        if not (end.plain and start.plain):
            same = same & _same_bounds(subjects)
        found = found | (known & same)
    return whole(found, size)


def _same_bounds(subjects: Recorded) -> Array:
    start, end = subjects.start, subjects.places.moment("end")
    a, b = start.instants(), end.instants()
    found: Array = (a.low == b.low) & (a.high == b.high)
    found = found & (np.asarray(a.low_open) == b.low_open) & (np.asarray(a.high_open) == b.high_open)
    if start.offset is not None or end.offset is not None:
        found = found & (_offset(start.offset) == _offset(end.offset))
    return found


def _offset(offset: Array | None) -> Array:
    return np.array([NO_OFFSET], np.int16) if offset is None else offset


# Days that are certain ------------------------------------------------------------------------------------


def _certain_days(matches: Sequence[Matches], rows: int) -> Array:
    """On how many distinct days of each row something was certainly given."""
    ats: list[Array] = [np.empty(0, np.intp)]
    firsts: list[Array] = [np.empty(0, np.int64)]
    lasts: list[Array] = [np.empty(0, np.int64)]
    for match in matches:
        sure = some(match, np.flatnonzero(match.truth == TRUE))
        for at, first, last in _stretches(sure):
            ats.append(at)
            firsts.append(first)
            lasts.append(last)
    return _covered(np.concatenate(ats), np.concatenate(firsts), np.concatenate(lasts), rows)


def _stretches(match: Matches) -> list[tuple[Index, Array, Array]]:
    """Stretches of days on which the records certainly lie: all of a daily one, else the first and the last day."""
    size, subjects = match.records.frame.rows, match.records.subjects
    index = whole(subjects.index.first, size).astype(np.int64)
    start_first, start_last = (
        whole(bound, size).astype(np.int64) for bound in (subjects.start.first, subjects.start.last)
    )
    end_first, end_last = (whole(bound, size).astype(np.int64) for bound in (subjects.end.first, subjects.end.last))
    places = subjects.places
    ongoing = whole(places.get("ongoing"), size) if places.has("ongoing") else np.zeros(size, np.bool_)
    begun = (start_first == start_last) & (start_first <= index)
    last_known = ongoing | (end_first == end_last)
    last = np.where(ongoing, index, end_first)
    daily = begun & _daily(subjects, size)
    sure = np.where(last_known, last, end_first)
    until = np.where(sure <= -FAR, start_first, np.minimum(sure, index))
    ended = begun & ~daily & last_known & ~ongoing & (last <= index)
    parts = [(daily, start_first, until), (begun & ~daily, start_first, start_first), (ended, last, last)]
    return [(match.at[rows], first[rows], until[rows]) for rows, first, until in parts]


def _daily(subjects: Recorded, size: int) -> Array:
    frequency = slot(subjects.places, "a.frequency", "code")
    assert isinstance(frequency, Codes)
    return whole(frequency.look_up(np.array([word == DAILY for word in frequency.words] + [False])), size)


def _covered(at: Index, first: Array, last: Array, rows: int) -> Array:
    """How many days the stretches of each row cover together."""
    kept = np.flatnonzero(first <= last)
    at, first, last = at[kept], first[kept], last[kept]
    if not len(at):
        return np.zeros(rows, np.int64)
    base = at.astype(np.int64) * FAR  # rows lie apart, so that the furthest day so far never reaches into the next
    order = np.argsort(base + first, kind="stable")
    at, first, last = at.take(order), (base + first).take(order), (base + last).take(order)
    furthest = np.maximum.accumulate(last)
    before = np.concatenate([[-1], furthest[:-1]])
    new = np.maximum(0, last - np.maximum(before, first - 1))
    return np.bincount(at, weights=new, minlength=rows).astype(np.int64)
