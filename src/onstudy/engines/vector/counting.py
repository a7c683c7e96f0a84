"""How many records, on how many days, over how long: from what is certain to what is possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onstudy.criteria.expr import CountOf
from onstudy.engines.vector.arrays import FALSE, TRUE, Array, Index, counts_at, largest_at, whole
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.codes import Codes
from onstudy.engines.vector.fields import slot
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.picking import some
from onstudy.engines.vector.queries import Matches
from onstudy.engines.vector.subjects import Recorded
from onstudy.record.shard import NO_OFFSET

#: The attribute that says how often something was given within its period.
FREQUENCY = "frequency"
DAILY, ONCE = frozenset({"daily"}), frozenset({"once"})

#: Of each stretch its row, its first and its last day.
Stretches = tuple[Index, Array, Array]
_NO_STRETCHES: Stretches = (np.empty(0, np.intp), np.empty(0, np.int64), np.empty(0, np.int64))


def counted(of: CountOf, matches: Sequence[Matches], rows: int, until: Moments | None = None) -> tuple[Array, Array]:
    """For each row the least and the most there are (float64; NaN is no bound), by what is recorded.

    Days are counted up to that of each row in `until` (None: the index date).
    """
    possible = [some(match, np.flatnonzero(match.truth != FALSE)) for match in matches]
    if of is CountOf.RECORDS:
        least, most = np.zeros(rows), np.zeros(rows)
        for match in possible:
            least += counts_at(rows, match.at[match.truth == TRUE])
            most += counts_at(rows, match.at)
        return least, most
    return _length(of, possible, rows, until)


def _length(of: CountOf, matches: Sequence[Matches], rows: int, until: Moments | None) -> tuple[Array, Array]:
    certain = _certain_days(matches, rows, until)
    at, first, last, most = _possible_days(matches, until)
    endless = counts_at(rows, at[(first <= -FAR) | (last >= FAR)]) > 0
    begun = np.flatnonzero((first <= last) & ~endless[at])
    at, first, last, most = at[begun], first[begun], last[begun], most[begun]
    none = counts_at(rows, at) == 0
    span = largest_at(at, last, rows, 0) + largest_at(at, -first, rows, 0) + 1
    total = np.bincount(at, weights=most, minlength=rows)
    high = np.maximum(certain, np.minimum(total, span))
    if of is CountOf.DURATION:
        high = np.where(counts_at(rows, at) > 1, span.astype(np.float64), high)
    low = np.where(none & ~endless, 0, certain).astype(np.float64)
    return low, np.where(endless, np.nan, np.where(none, 0.0, high))


def _last_days(match: Matches, until: Moments | None) -> tuple[Array, Array]:
    """For each match the earliest and the latest day that may be the last to count."""
    size = match.records.frame.rows
    if until is None:
        index = whole(match.records.subjects.index.first, size).astype(np.int64)
        return index, index
    mine = until.take(match.at)
    low, high = np.where(mine.known, mine.first, -FAR), np.where(mine.known, mine.last, FAR)
    return whole(low, size).astype(np.int64), whole(high, size).astype(np.int64)


def _possible_days(matches: Sequence[Matches], until: Moments | None) -> tuple[Index, Array, Array, Array]:
    """Of every match its row, the first and last day it may cover up to the last to count, on how many it can lie."""
    ats: list[Array] = [np.empty(0, np.intp)]
    columns: list[list[Array]] = [[np.empty(0, np.int64)] for _ in range(3)]
    for match in matches:
        size, subjects = match.records.frame.rows, match.records.subjects
        first = whole(subjects.start.first, size).astype(np.int64)
        last = np.minimum(whole(subjects.end.last, size).astype(np.int64), _last_days(match, until)[1])
        single = _one_day(subjects, size) | _given(subjects, size, ONCE)
        days = np.where(single, 1, np.where(first <= -FAR, 1, last - first + 1))
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


def _certain_days(matches: Sequence[Matches], rows: int, to: Moments | None) -> Array:
    """On how many distinct days of each row, up to the last to count, something was certainly given.

    The days that are known, and the fewest further ones that put a day into every stretch in which one surely lies.
    """
    known: list[Stretches] = [_NO_STRETCHES]
    somewhere: list[Stretches] = [_NO_STRETCHES]
    for match in matches:
        sure = some(match, np.flatnonzero(match.truth == TRUE))
        _sort_stretches(sure, known, somewhere, _last_days(sure, to)[0])
    days = Covered(_joined(known))
    return days.counted(rows) + _fewest(days.missing(_joined(somewhere)), rows)


def _sort_stretches(match: Matches, known: list[Stretches], somewhere: list[Stretches], to: Array) -> None:
    """All days of what was given daily; of the first and the last day, whether they are known or lie somewhere.

    What was given once has one day, some day from the first to the last.
    """
    size, subjects = match.records.frame.rows, match.records.subjects
    index = whole(subjects.index.first, size).astype(np.int64)
    places = subjects.places
    ongoing = whole(places.get("ongoing"), size) if places.has("ongoing") else np.zeros(size, np.bool_)
    start, end = _day_bounds(subjects.start, size), _day_bounds(subjects.end, size)
    until = np.minimum(np.where(ongoing, index, end[0]), to)
    known.append(_taken(match.at, _given(subjects, size, DAILY) & (start[1] <= until), start[1], until))
    once = _given(subjects, size, ONCE)
    for (first, last), there in ((start, ~once), (end, ~ongoing & ~once), ((start[0], end[1]), once)):
        there = there & (last <= to)
        known.append(_taken(match.at, there & (first == last), first, last))
        somewhere.append(_taken(match.at, there & (first < last), first, last))


def _day_bounds(when: Moments, size: int) -> tuple[Array, Array]:
    return whole(when.first, size).astype(np.int64), whole(when.last, size).astype(np.int64)


def _taken(at: Index, which: Array, first: Array, last: Array) -> Stretches:
    return at[which], first[which], last[which]


def _joined(parts: Sequence[Stretches]) -> Stretches:
    at, first, last = (np.concatenate(column) for column in zip(*parts, strict=True))
    return at, first, last


def lacking(subjects: Recorded, size: int) -> Array:
    """Records of which more could tell on how many days each was: those whose days, or how often within them it was
    given, are not known.
    """
    places = subjects.places
    start, end = _day_bounds(subjects.start, size), _day_bounds(subjects.end, size)
    going = whole(places.get("ongoing"), size) if places.has("ongoing") else np.zeros(size, np.bool_)
    begun, over = start[0] == start[1], end[0] == end[1]
    loose = ~begun | ~(over | going)
    kinds = np.array([subjects.family.catalogue.attribute(kind, FREQUENCY) is not None for kind in places.kinds])
    asked = whole(kinds[np.zeros(1, np.intp) if places.piece is None else places.piece], size)
    frequency = slot(places, f"a.{FREQUENCY}", "code")
    assert isinstance(frequency, Codes)
    stated = frequency.look_up(np.array([len(word) == 1 for word in frequency.words] + [False]))
    found: Array = (loose | asked & ~whole(stated, size)) & ~(begun & over & (start[0] == end[0]))
    return found


def _given(subjects: Recorded, size: int, often: frozenset[str]) -> Array:
    """What is stated to have been given so often."""
    frequency = slot(subjects.places, f"a.{FREQUENCY}", "code")
    assert isinstance(frequency, Codes)
    return whole(frequency.look_up(np.array([word == often for word in frequency.words] + [False])), size)


class Covered:
    """The days that stretches of each row cover together. Rows lie apart, so that no stretch reaches into the next."""

    def __init__(self, stretches: Stretches) -> None:
        at, first, last = stretches
        base = at.astype(np.int64) * FAR
        order = np.argsort(base + first, kind="stable")
        self.at, self.first, last = at.take(order), (base + first).take(order), (base + last).take(order)
        self.furthest = np.maximum.accumulate(last) if len(last) else last
        before = np.concatenate([[-1], self.furthest[:-1]])
        self.new = np.maximum(0, last - np.maximum(before, self.first - 1))

    def counted(self, rows: int) -> Array:
        """How many days of each row are covered."""
        return np.bincount(self.at, weights=self.new, minlength=rows).astype(np.int64)

    def missing(self, stretches: Stretches) -> Stretches:
        """Those of other stretches in which no covered day lies."""
        at, first, last = stretches
        base = at.astype(np.int64) * FAR
        furthest = np.concatenate([[-1], self.furthest])[np.searchsorted(self.first, base + last, side="right")]
        free = furthest < base + np.maximum(first, 0)
        return at[free], first[free], last[free]


def _fewest(stretches: Stretches, rows: int) -> Array:
    """The least number of days of each row that puts one into each of its stretches: always the earliest last day."""
    at, first, last = stretches
    found = np.zeros(rows, np.int64)
    while len(at):
        earliest = -largest_at(at, -last, rows, -FAR)
        found[np.unique(at)] += 1
        left = np.flatnonzero(first > earliest[at])
        at, first, last = at[left], first[left], last[left]
    return found
