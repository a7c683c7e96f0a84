"""How many days records cover: from the days that are certain to those that are possible."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from operator import itemgetter

from onstudy.criteria.expr import CountOf
from onstudy.engines.candidates import Match
from onstudy.engines.records import Records
from onstudy.record.catalogue import MOMENT
from onstudy.record.patient import Fact, Value
from onstudy.values.interval import Interval, point
from onstudy.values.truth import TRUE

#: The attribute that says how often something was given within its period.
FREQUENCY = "frequency"
DAILY, ONCE = frozenset({"daily"}), frozenset({"once"})


def length(of: CountOf, matches: list[Match], records: Records, until: Interval) -> Interval:
    """Days from those that are certain to those that are possible (distinct) or to the span (duration).

    `until` are the days of which one is the last that is counted.
    """
    certain = _certain_days([match.fact for match in matches if match.truth is TRUE], records, until)
    spans = [(match.fact, *_possible_days(match.fact, records, until)) for match in matches]
    if any(first is None or last is None for _, first, last in spans):
        return Interval(certain, None)
    begun = [(fact, first, last) for fact, first, last in spans if first is not None and last is not None]
    begun = [(fact, first, last) for fact, first, last in begun if first <= last]
    if not begun:
        return point(0)
    span = max(last for _, _, last in begun) - min(first for _, first, _ in begun) + 1
    possible = sum(_most_days(fact, records, first, last) for fact, first, last in begun)
    if of is CountOf.DURATION and len(begun) > 1:
        return Interval(certain, span)
    return Interval(certain, max(certain, min(possible, span)))


def lacking(fact: Fact, records: Records) -> tuple[str, ...]:
    """What of a fact could still tell on how many days it was, as the field to ask for ("" is its dates): nothing where
    its days are known, and how often it was given within them.
    """
    first, last = fact.start.day, records.end_of(fact).day
    if first is not None and first == last:
        return ()
    often = fact.attributes.get(FREQUENCY)
    if records.catalogue.attribute(fact.kind, FREQUENCY) is not None and (
        not isinstance(often, frozenset) or len(often) != 1
    ):
        return (FREQUENCY,)
    return ("",) if first is None or (last is None and not fact.ongoing) else ()


def _certain_days(facts: Iterable[Fact], records: Records, until: Interval) -> int:
    """On how many distinct days, up to the last that is counted, something was certainly given.

    The days that are known, and the fewest further ones that put a day into every stretch in which one surely lies.
    """
    known: set[int] = set()
    somewhere: list[tuple[float, int]] = []
    if until.low is None:
        return 0
    for fact in facts:
        known.update(_daily(fact, records, int(until.low)))
        for bounds in _ends(fact, records):
            if bounds.high is None or bounds.high > until.low:
                continue
            if bounds.low == bounds.high:
                known.add(int(bounds.high))
            else:
                somewhere.append((-inf if bounds.low is None else bounds.low, int(bounds.high)))
    free = [(first, last) for first, last in somewhere if not any(first <= day <= last for day in known)]
    put: list[int] = []
    for first, last in sorted(free, key=itemgetter(1)):
        if not put or first > put[-1]:
            put.append(last)
    return len(known) + len(put)


def _ends(fact: Fact, records: Records) -> tuple[Interval, ...]:
    """The days on which a fact may have begun and ended; what is ongoing has not ended.

    What was given once has one day, some day from its beginning to its end.
    """
    begun = fact.start.days
    if _stated(fact) == ONCE:
        return (Interval(begun.low, None if fact.ongoing else records.end_of(fact).days.high),)
    return (begun,) if fact.ongoing else (begun, records.end_of(fact).days)


def _daily(fact: Fact, records: Records, until: int) -> range:
    """The days between begin and end of what was given daily; what is ongoing goes on to the index date at least."""
    first = fact.start.days.high
    last = records.index if fact.ongoing else records.end_of(fact).days.low
    if _stated(fact) != DAILY or first is None or last is None:
        return range(0)
    return range(int(first), min(int(last), until) + 1)


def _stated(fact: Fact) -> Value:
    """How often within its period it was given, where that is stated."""
    return fact.attributes.get(FREQUENCY)


def _possible_days(fact: Fact, records: Records, until: Interval) -> tuple[int | None, int | None]:
    """The first and last day a fact may cover, up to the last that is counted."""
    first = fact.start.days.low
    ends = [int(bound) for bound in (records.end_of(fact).days.high, until.high) if bound is not None]
    return (None if first is None else int(first)), min(ends, default=None)


def _most_days(fact: Fact, records: Records, first: int, last: int) -> int:
    """On how many days at most a fact can lie: one for a moment or what was given once, all its days for a period."""
    if _stated(fact) == ONCE:
        return 1
    if fact.end is None and not fact.ongoing and records.catalogue.kinds[fact.kind].extent == MOMENT:
        return 1
    if fact.end is not None and fact.end == fact.start and fact.start.day is not None:
        return 1
    return last - first + 1
