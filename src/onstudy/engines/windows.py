"""On which registration days something holds, if nothing new is recorded.

Not a second evaluator: the days on which any node of a rule could change are collected, the reference
engine answers on each of them, and equal neighbours are joined. Collecting a day too many costs time
and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from onstudy.criteria import expr as e
from onstudy.criteria.by_id import ById
from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import Window
from onstudy.engines.view import REGISTRATION, Anchors, View
from onstudy.record.patient import Fact
from onstudy.values.calendar import DAY, Duration, Unit, When, shift_day
from onstudy.values.interval import Interval
from onstudy.values.truth import Truth

#: Bounds are inclusive or not, so the days beside a computed one are asked too; and where months are
#: added, the last days of a month fall together.
_BESIDE = range(-1, 3)
_BESIDE_MONTH_ENDS = range(-4, 5)

Verdict = tuple[Truth, Truth]  # as recorded, if confirmed


@dataclass(frozen=True, slots=True)
class _Clockwork:
    """What in a rule moves with the registration date."""

    kinds: frozenset[str]
    durations: tuple[Duration, ...]
    ages: bool
    lengths: tuple[str, ...]  # kinds of which days are counted


@lru_cache(maxsize=4096)
def _clockwork(rule: ById[TruthExpr]) -> _Clockwork:
    nodes = e.walk(rule.it)
    spans = [n.span for n in nodes if isinstance(n, (e.Timing, e.Lookback)) and n.span is not None]
    days = [n for n in nodes if isinstance(n, e.Number) and n.unit == e.DAYS]
    return _Clockwork(
        kinds=frozenset(node.kind for node in nodes if isinstance(node, e.Records)),
        durations=(
            *dict.fromkeys(span.duration for span in spans),
            *(Duration(int(number.value), Unit.DAYS) for number in days),
        ),
        ages=any(isinstance(node, e.Age) for node in nodes),
        lengths=tuple(n.records.kind for n in nodes if isinstance(n, e.Count) and n.of is not e.CountOf.RECORDS),
    )


def windows(
    answer: Callable[[int], Verdict], rule: TruthExpr, view: View, anchors: Anchors, until: int
) -> list[Window]:
    """The stretches of registration days from the index date to `until` with one answer each, without a gap.

    `answer` says what the rule comes to on a registration day (the reference engine, asked by the caller).
    """
    registration = anchors[REGISTRATION]
    assert registration is not None and registration.day is not None
    first = registration.day
    days = [first, *sorted(critical_days(rule, view, anchors, first, until))]
    found: list[Window] = []
    for day, following in zip(days, [*days[1:], until + 1], strict=True):
        truth, confirmed = answer(day)
        if found and (found[-1].truth, found[-1].if_confirmed) == (truth, confirmed):
            found[-1] = Window(found[-1].first, following - 1, truth, confirmed)
        else:
            found.append(Window(day, following - 1, truth, confirmed))
    return found


def critical_days(rule: TruthExpr, view: View, anchors: Anchors, first: int, until: int) -> set[int]:
    """Every day after `first`, up to `until`, on which the answer to a rule could differ from the day before."""
    works, distances = _clockwork(ById(rule)), _distances(anchors, first)
    counted_to = first + min(distances) - 1  # the earliest day up to which days are counted
    running = (fact for kind in works.lengths for fact in (*view.facts(kind), *view.unspecified(kind)))
    if any(_still_running(fact, counted_to) for fact in running):
        return set(range(first + 1, until + 1))
    most = (view.catalogue.kinds[kind].lasts_at_most for kind in works.kinds)
    judged = {other.kind for kind in works.kinds for other in view.catalogue.kinds[kind].judges}
    durations = (*works.durations, *(Duration(days, Unit.DAYS) for days in most if days is not None))
    steps: set[int] = set()
    for day in _endpoints(works.kinds | judged, view):
        if day is None:
            continue
        steps.update(day + beside for beside in _BESIDE)
        for duration in durations:
            steps.update(_shifted(day, duration))
    steps.update(day for day in view.begins if day > first)  # whatever begins may end a "no", or a judgement
    if works.ages:
        steps.update(_birthdays(view, first, until, max(distances)))
    return {day for step in steps for distance in distances if first < (day := step - distance) <= until}


def _distances(anchors: Anchors, first: int) -> set[int]:
    """How many days after registration each anchor lies."""
    days = {0}
    for when in anchors.values():
        if when is not None:
            days.update(int(bound) - first for bound in (when.days.low, when.days.high) if bound is not None)
    return days


def _endpoints(kinds: Iterable[str], view: View) -> set[int | None]:
    found: set[int | None] = set()
    for kind in kinds:
        for fact in (*view.facts(kind), *view.unspecified(kind), *view.denials(kind)):
            found.update(_days_of(fact))
    for cover in view.patient.coverage:
        found.update((cover.first, cover.last))
    return found


def _days_of(fact: Fact) -> Iterable[int | None]:
    for when in (fact.start, fact.end, fact.recorded, *fact.attributes.values(), fact.value):
        if isinstance(when, When):
            yield from (_whole(when.days.low), _whole(when.days.high))


def _whole(bound: int | float | None) -> int | None:
    return None if bound is None else int(bound)


def _shifted(day: int, duration: Duration) -> Iterable[int]:
    if duration.unit is Unit.HOURS:
        whole = -(-duration.amount // 24)
        centres, around = (day + whole, day - whole), _BESIDE
    else:
        months = duration.unit in (Unit.MONTHS, Unit.YEARS)
        centres = (shift_day(day, duration), shift_day(day, duration, -1))
        around = _BESIDE_MONTH_ENDS if months else _BESIDE
    return (centre + beside for centre in centres for beside in around)


def _birthdays(view: View, first: int, until: int, ahead: int) -> Iterable[int]:
    for bound in (view.patient.born.days.low, view.patient.born.days.high):
        if bound is None:
            continue
        born = date.fromordinal(int(bound))
        for year in range(date.fromordinal(first).year, date.fromordinal(until + abs(ahead)).year + 1):
            turned = date(year, born.month, min(born.day, 28)).toordinal() + max(born.day - 28, 0)
            yield from (turned + beside for beside in _BESIDE)


def _still_running(fact: Fact, counted_to: int) -> bool:
    """Whether a fact may cover days after the last one that is counted, so that its length grows day by day."""
    if fact.ongoing:
        return True
    last = (fact.end or fact.start).days.high
    return last is None or int(last) > counted_to


def moved(anchors: Anchors, day: int) -> dict[str, When | None]:
    """The anchors when registration is on another day: each keeps its distance and its time of day."""
    registration = anchors[REGISTRATION]
    assert registration is not None and registration.day is not None
    shift = (day - registration.day) * DAY
    return {name: None if when is None else _moved(when, shift) for name, when in anchors.items()}


def _moved(when: When, shift: int) -> When:
    span = when.span
    low = None if span.low is None else span.low + shift
    high = None if span.high is None else span.high + shift
    return When(Interval(low, high, span.low_open, span.high_open), when.offset)
