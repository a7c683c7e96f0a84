"""Open periods that something newer ends: a newer grade of the same toxicity, a "none today"; and the "no" of a state
that a newer record says to have begun before.

A period stated to go on was so on the day that was recorded, or by the time of asking where none is: what speaks of an
earlier day is no newer than that, and ends nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from math import inf

from onstudy.record.catalogue import DAY as ON_THE_DAY
from onstudy.record.catalogue import NONE, STATE, Catalogue
from onstudy.record.patient import Fact
from onstudy.record.said import charted, first_day, is_open, last_day, said_open, speaks
from onstudy.record.seen_again import end_seen_again
from onstudy.values.calendar import DAY, When, on_day
from onstudy.values.interval import Interval


def end_superseded(facts: Sequence[Fact], catalogue: Catalogue) -> list[Fact]:
    """The facts, with each open period ended by the first newer fact that says it is over.

    Where a record only may be newer, the period only may be over: its end has no upper bound.
    """
    facts = _without_outdated([undoubted(fact) for fact in facts], catalogue)
    facts = end_seen_again(facts, catalogue)
    open_ones = [fact for fact in facts if is_open(fact, catalogue)]
    if not open_ones:
        return facts
    enders: _Enders = {}
    doubtful: set[str] = set()
    lines = _lines(facts, catalogue)
    denials = _denials(facts, catalogue)
    for fact in open_ones:
        key = _line(fact, catalogue)
        line = lines.get(key) if key is not None else None
        if line is not None:
            ender, doubt = line.next_after(fact)
            _note(enders, fact, ender)
            if doubt or line.may_follow(fact):
                doubtful.add(fact.id)
        for (kind, narrowed), days in denials.items():
            if fact.kind in catalogue.families[kind] and _concerns(narrowed, fact):
                ender, doubt = _first_after(days, fact)
                _note(enders, fact, ender)
                if doubt:
                    doubtful.add(fact.id)
    said = _said_at_present(facts, catalogue)
    ended = [_closed(fact, enders.get(fact.id), fact.id in doubtful) for fact in facts]
    return [_changed(fact, said, catalogue) for fact in ended] if said else ended


def _closed(fact: Fact, ender: tuple[int, bool] | None, doubtful: bool) -> Fact:
    if ender is not None:
        return _ended(fact, *ender, doubtful)
    if not doubtful:
        return fact
    opened = fact.opened or (fact.end, fact.ongoing)
    return replace(fact, end=When(Interval(fact.start.span.low, None)), ongoing=False, opened=opened)


#: The day by which something newer ended a period, and whether it began on that very day.
_Ender = tuple[int, bool]
_Enders = dict[str, _Ender]
#: A kind, and the value of its superseding attribute.
_Key = tuple[str, str]


class _Line:
    """The records of one line, each of which ends the one before it, laid out to find the next by search."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        by_start = sorted(facts, key=lambda fact: first_day(fact.start))
        self._ids = {fact.id for fact in facts}
        self._starts = [first_day(fact.start) for fact in by_start]
        self._ends = sorted(last_day(fact.start) for fact in facts)
        self._begun = [(last_day(fact.start), fact.start.day is None) for fact in by_start]
        self._next = list(accumulate(reversed(self._begun), min))[::-1]
        self._said = [speaks(fact) for fact in by_start]

    def next_after(self, fact: Fact) -> tuple[_Ender | None, bool]:
        """The day by which the next record has begun, and whether it is that very day (None where none follows); and
        whether one before it may follow, since nobody knows which of the two was stated later.
        """
        place = bisect_right(self._starts, last_day(fact.start))
        if place == len(self._starts) or self._next[place][0] == inf:
            return None, False
        stated = said_open(fact, unended=True)
        (day, inexact), doubt = (self._next[place], False) if stated is None else self._next_said(place, *stated)
        return (None if day == inf else (int(day), not inexact)), doubt

    def _next_said(self, place: int, first: float, last: float) -> tuple[tuple[float, bool], bool]:
        """The next of the records from a place on that speak of no earlier day than a period was stated to go on."""
        found, doubt = (inf, False), False
        while place < len(self._starts) and self._starts[place] <= found[0]:
            low, high = self._said[place]
            if low >= last:
                found = min(found, self._begun[place])
            elif high >= first:
                doubt = True
            place += 1
        return found, doubt

    def may_follow(self, fact: Fact) -> bool:
        """Whether another record may, but need not, be newer."""
        possible = bisect_right(self._starts, last_day(fact.start)) - bisect_right(self._ends, first_day(fact.start))
        itself = fact.id in self._ids and last_day(fact.start) > first_day(fact.start)
        return possible > itself


#: A kind, and an attribute that says how it is at present.
_Present = tuple[str, str]


#: For what records say of it: their days by the day on which they began; without a day, of all of them.
_Sayings = dict[frozenset[str], "dict[int | None, _Days]"]


def _said_at_present(facts: Sequence[Fact], catalogue: Catalogue) -> dict[_Present, _Sayings]:
    """On which days records say how it is then."""
    found: dict[_Present, dict[frozenset[str], dict[int | None, list[tuple[float, float]]]]] = {}
    for fact in facts:
        for name in catalogue.present.get(fact.kind, ()) if fact.certain and fact.lacks is None else ():
            codes = fact.attributes.get(name)
            if isinstance(codes, frozenset) and not fact.negative:
                by_start = found.setdefault((fact.kind, name), {}).setdefault(codes, {})
                for begun in {None, fact.start.day}:
                    by_start.setdefault(begun, []).append(speaks(fact))
    return {
        key: {codes: {begun: _Days(days) for begun, days in own.items()} for codes, own in sayings.items()}
        for key, sayings in found.items()
        if len(sayings) > 1
    }


class _Days:
    """Days each known between a first and a last one, laid out to find the next by search."""

    def __init__(self, days: Sequence[tuple[float, float]]) -> None:
        ordered = sorted(days)
        self._first = [first for first, _ in ordered]
        self._last = list(accumulate((last for _, last in reversed(ordered)), min))[::-1]

    def next_after(self, day: float) -> float | None:
        """The day by which the next of those certainly after a day has come; None where there is none."""
        place = bisect_right(self._first, day)
        return self._last[place] if place < len(self._last) else None


def _over_by(by_start: Mapping[int | None, _Days], begun: int | None, day: float) -> Iterator[float]:
    """By which days a period that began on a day is over, as far as any tells; without end where it only may be."""
    if by_start[None].next_after(day) is not None:
        yield inf
    if begun in by_start and begun is not None and (over := by_start[begun].next_after(day)) is not None:
        yield over


def _changed(fact: Fact, said: Mapping[_Present, _Sayings], catalogue: Catalogue) -> Fact:
    """A period that goes on, where a newer record says that it is otherwise: it was so on the day that was recorded.

    By the day of the newer record it was over if both began on one day, and so are of one disease; else it only may be.
    """
    stated = said_open(fact)
    if stated is None:
        return fact
    over: list[float] = []
    for name in catalogue.present.get(fact.kind, ()):
        own = fact.attributes.get(name)
        for codes, by_start in said.get((fact.kind, name), {}).items():
            if isinstance(own, frozenset) and own.isdisjoint(codes):
                over += _over_by(by_start, fact.start.day, stated[1])
    if not over:
        return fact
    last = min(over)
    span = Interval(_went_on(fact), None if last == inf else int(last) * DAY, high_open=last < inf)
    return replace(fact, end=When(span), ongoing=False, opened=fact.opened or (fact.end, fact.ongoing))


# A "no" of a state ----------------------------------------------------------------------------------------------


def _without_outdated(facts: list[Fact], catalogue: Catalogue) -> list[Fact]:
    """The facts, with the end of each "no" of a state left open that a newer record says to have begun by then.

    Pregnant since February, recorded in March, is newer than "not pregnant" of the days between. Whether it still held
    on the day that was recorded is not said, so that neither is surely the last word.
    """
    begun: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        kind = catalogue.kinds.get(fact.kind)
        if kind is None or kind.extent != STATE or kind.value != NONE or fact.negative:
            continue
        if fact.certain and fact.lacks is None and charted(fact) is not None:
            begun[fact.kind].append(fact)
    return [_before(fact, begun, catalogue) if fact.negative else fact for fact in facts] if begun else facts


def _before(no: Fact, begun: Mapping[str, Sequence[Fact]], catalogue: Catalogue) -> Fact:
    """A "no" that may hold no longer than to the day before the earliest of what newer records say began by then."""
    if no.end is None or no.end.days.high is None or no.kind not in catalogue.families:
        return no
    _, last = charted(no) or (0, last_day(no.end))
    newer = [
        fact.start
        for name in catalogue.families[no.kind]
        for fact in begun.get(name, ())
        if (charted(fact) or (0, 0))[0] > last
        and _concerns(no.narrowed, fact)
        and first_day(fact.start) <= last_day(no.end) <= _lasts_to(fact, catalogue)
    ]
    if not newer:
        return no
    lows = [start.span.low for start in newer]
    low = None if None in lows else min(low for low in lows if low is not None) - DAY
    end = When(Interval(low, (int(last_day(no.end)) + 1) * DAY, high_open=True))
    return replace(no, end=end, opened=no.opened or (no.end, no.ongoing))


def _lasts_to(fact: Fact, catalogue: Catalogue) -> float:
    """The last day on which a state may still hold that nobody ended."""
    most = catalogue.kinds[fact.kind].lasts_at_most
    return inf if most is None else last_day(fact.start) + most


def _lines(facts: Sequence[Fact], catalogue: Catalogue) -> dict[_Key, _Line]:
    """The records of each line: of one kind, with the same value of the attribute that supersedes."""
    lines: dict[_Key, list[Fact]] = defaultdict(list)
    for fact in facts:
        line = _line(fact, catalogue)
        if line is not None and fact.certain and fact.lacks is None:
            lines[line].append(fact)
    return {key: _Line(members) for key, members in lines.items()}


def _line(fact: Fact, catalogue: Catalogue) -> _Key | None:
    """The kind and the one value of its superseding attribute; None where there is no such value."""
    kind = catalogue.kinds.get(fact.kind)
    if kind is None or not kind.supersedes or fact.negative:
        return None
    value = fact.attributes.get(kind.supersedes)
    if not isinstance(value, frozenset) or len(value) != 1 or "other" in value:
        return None
    return fact.kind, next(iter(value))


_Narrowed = tuple[str, frozenset[str]] | None


def _denials(facts: Sequence[Fact], catalogue: Catalogue) -> dict[tuple[str, _Narrowed], list[int]]:
    """The days from which on there was nothing, by what was denied: where one is stated; of kinds whose "no" speaks of
    its day, else that day.
    """
    days: dict[tuple[str, _Narrowed], list[int]] = defaultdict(list)
    for fact in facts:
        if not fact.negative or fact.kind not in catalogue.kinds or fact.end is None or fact.end.day is None:
            continue
        day = fact.start.day
        if day is None and catalogue.kinds[fact.kind].negative == ON_THE_DAY:
            day = fact.end.day
        if day is not None:
            days[fact.kind, fact.narrowed].append(day)
    return {denied: sorted(found) for denied, found in days.items()}


def _concerns(narrowed: _Narrowed, fact: Fact) -> bool:
    """Whether a "no" denies such a fact."""
    if narrowed is None:
        return True
    value = fact.attributes.get(narrowed[0])
    return isinstance(value, frozenset) and value <= narrowed[1]


def _first_after(days: Sequence[int], fact: Fact) -> tuple[_Ender | None, bool]:
    """The first of the days on which an open period had certainly begun before, later than it was stated to go on, so
    that it is over by then; and whether one before it is as likely to be the later statement as not.
    """
    begun = bisect_right(days, last_day(fact.start))
    first, last = charted(fact) or (-inf, -inf)
    place = max(begun, bisect_right(days, last))
    doubt = max(begun, bisect_left(days, first)) < place
    return ((days[place], False) if place < len(days) else None), doubt


def _note(enders: _Enders, fact: Fact, ender: _Ender | None) -> None:
    known = enders.get(fact.id)
    if ender is not None and (known is None or (ender[0], not ender[1]) < (known[0], not known[1])):
        enders[fact.id] = ender


def _ended(fact: Fact, day: int, exact: bool, doubtful: bool) -> Fact:
    """The period, over by the day before; on that very day where the next record surely takes its place."""
    end = on_day(day - 1) if exact and not doubtful else _not_after(fact, day - 1, doubtful)
    return replace(fact, end=end, ongoing=False, opened=fact.opened or (fact.end, fact.ongoing))


def reopened(fact: Fact) -> Fact:
    """The period as it was stated, before anything newer ended it."""
    if fact.opened is None:
        return fact
    end, ongoing = fact.opened
    return replace(fact, end=end, ongoing=ongoing, opened=None)


def undoubted(fact: Fact) -> Fact:
    """The period as it was stated, where something newer only may have ended it: the doubt is no part of the record."""
    doubtful = fact.opened is not None and fact.end is not None and fact.end.span.high is None and not fact.ongoing
    return reopened(fact) if doubtful else fact


def _not_after(fact: Fact, day: int, doubtful: bool) -> When:
    """Some day up to a last one, from when it was said to go on, unless that is in doubt or denied since."""
    low = _went_on(fact)
    denied = doubtful or (low is not None and low >= (day + 1) * DAY)
    return When(Interval(fact.start.span.low if denied else low, (day + 1) * DAY, high_open=True), fact.start.offset)


def _went_on(fact: Fact) -> int | None:
    """The first moment at which a period may have ended: of the day on which it was stated to go on, or its start."""
    stated = said_open(fact)
    bounds = [fact.start.span.low, None if stated is None or stated[0] == -inf else int(stated[0]) * DAY]
    return max((int(bound) for bound in bounds if bound is not None), default=None)
