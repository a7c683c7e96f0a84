"""How many days records cover: from the days that are certain to those that are possible."""

from __future__ import annotations

from collections.abc import Iterable

from onstudy.criteria.expr import CountOf
from onstudy.engines.candidates import Match
from onstudy.engines.records import Records
from onstudy.record.catalogue import MOMENT
from onstudy.record.patient import Fact
from onstudy.values.interval import Interval, point
from onstudy.values.truth import TRUE


def length(of: CountOf, matches: list[Match], records: Records) -> Interval:
    """Days from those that are certain to those that are possible (distinct) or to the span (duration)."""
    certain = {day for match in matches if match.truth is TRUE for day in _certain_days(match.fact, records)}
    spans = [(match.fact, *_possible_days(match.fact, records)) for match in matches]
    if any(first is None for _, first, _ in spans):
        return Interval(len(certain), None)
    begun = [(fact, first, last) for fact, first, last in spans if first is not None and first <= last]
    if not begun:
        return point(0)
    span = max(last for _, _, last in begun) - min(first for _, first, _ in begun) + 1
    if of is CountOf.DURATION:
        return Interval(len(certain), span)
    possible = sum(_most_days(fact, records) for fact, _, _ in begun)
    return Interval(len(certain), max(len(certain), min(possible, span)))


def _certain_days(fact: Fact, records: Records) -> Iterable[int]:
    start = fact.start.day
    if start is None or start > records.index:
        return ()
    end = records.end_of(fact)
    last = records.index if fact.ongoing else end.day
    if fact.attributes.get("frequency") == frozenset({"daily"}):
        sure = last if last is not None else end.days.low
        return range(start, min(int(sure), records.index) + 1) if sure is not None else (start,)
    return {start, last} if last is not None and last <= records.index and not fact.ongoing else (start,)


def _possible_days(fact: Fact, records: Records) -> tuple[int | None, int]:
    """The first and last day a fact may cover, up to the index date."""
    first = fact.start.days.low
    last = records.end_of(fact).days.high
    until = records.index if last is None else min(int(last), records.index)
    return (None if first is None else int(first)), until


def _most_days(fact: Fact, records: Records) -> int:
    """On how many days at most a fact can lie: one for a moment, all its days for a period."""
    if fact.end is None and not fact.ongoing and records.catalogue.kinds[fact.kind].extent == MOMENT:
        return 1
    if fact.end is not None and fact.end == fact.start and fact.start.day is not None:
        return 1
    first, last = _possible_days(fact, records)
    return last - (first if first is not None else last) + 1
