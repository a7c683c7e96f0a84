"""The newest result on or before a day, among all of one kind: found by search, however many there are.

Dates may be known to the month or not at all, so there may be several results of which each could be it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from math import inf

from onstudy.record.patient import Fact
from onstudy.values.calendar import DAY, When
from onstudy.values.interval import Interval

#: The end of a span as it sorts: where it lies, and after that whether it is itself included.
_End = tuple[float, bool]


class Results:
    """Results of one kind, laid out so that those that may be the newest on a day are found by search."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._by_start = sorted(facts, key=lambda fact: _first_day(fact.start))
        self._starts = [_first_day(fact.start) for fact in self._by_start]
        ends = [_end(fact.start.span) for fact in self._by_start]
        self._last_end = list(accumulate(ends, max))  # of all up to each
        self._first_end = list(accumulate(reversed(ends), min))[::-1]  # of all from each on
        by_end = sorted(self._by_start, key=lambda fact: _last_day(fact.start))
        self._ends = [_last_day(fact.start) for fact in by_end]
        self._newest = list(accumulate((_low(fact.start.span) for fact in by_end), max))

    def newest(self, at: When) -> list[Fact]:
        """Those that could be the newest on or before the day; where none is sure to be, with the first after it."""
        possible = bisect_right(self._starts, _last_day(at))
        sure = bisect_right(self._ends, _first_day(at)) if at.days.low is not None else 0
        if not sure:
            return self._by_start[:possible] + self._first_from(possible)
        return self._reaching(possible, self._newest[sure - 1])

    def _reaching(self, count: int, moment: float) -> list[Fact]:
        """Of the first `count`, those that do not certainly lie before a moment."""
        found: list[Fact] = []
        for place in range(count - 1, -1, -1):
            if self._last_end[place] < (moment, True):
                break
            if _end(self._by_start[place].start.span) >= (moment, True):
                found.append(self._by_start[place])
        return found

    def _first_from(self, place: int) -> list[Fact]:
        """Of those from a place on, each that could be the first of them."""
        if place == len(self._by_start):
            return []
        end = self._first_end[place]
        return [
            fact
            for fact in self._by_start[place : bisect_right(self._starts, _day_of(end))]
            if (_low(fact.start.span), True) <= end
        ]


def _first_day(when: When) -> float:
    return -inf if when.days.low is None else when.days.low


def _last_day(when: When) -> float:
    return inf if when.days.high is None else when.days.high


def _low(span: Interval) -> float:
    return -inf if span.low is None else span.low


def _end(span: Interval) -> _End:
    return (inf, True) if span.high is None else (span.high, not span.high_open)


def _day_of(end: _End) -> float:
    return end[0] if end[0] == inf else int(end[0]) // DAY
