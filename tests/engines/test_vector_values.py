"""Arrays of days, moments and numbers say what one day, one moment and one number say."""

from __future__ import annotations

from datetime import date
from itertools import product

import numpy as np
import pytest

from onstudy.criteria import expr as e
from onstudy.criteria.expr import NODES, Anchor, Expr, Lookback, Relation, Span, TruthExpr, ValueExpr
from onstudy.engines import timing
from onstudy.engines.vector import calendar, evidence, numbers, relations, truths, values, why, why_values
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.moments import of_whens
from onstudy.engines.vector.numbers import Numbers
from onstudy.values import interval
from onstudy.values.calendar import (
    DAY,
    EARLIEST_YEAR,
    HOUR,
    LATEST_YEAR,
    UNDATED,
    Duration,
    Unit,
    When,
    completed_years,
    on_day,
    parse_when,
    shift_day,
)
from onstudy.values.interval import ANYTHING, Interval, Op, point

FIRST, LAST = date(EARLIEST_YEAR, 1, 1).toordinal(), date(LATEST_YEAR, 12, 31).toordinal()
EVERY_DAY = np.arange(FIRST, LAST + 1, dtype=np.int32)


# The calendar -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("amount", "unit"), [(1, Unit.MONTHS), (6, Unit.MONTHS), (1, Unit.YEARS), (3, Unit.WEEKS)])
def test_every_day_of_the_calendar_moves_as_one_day_does(amount: int, unit: Unit, sign: int) -> None:
    duration = Duration(amount, unit)
    moved = calendar.shifted(EVERY_DAY, duration, sign)
    assert moved.tolist() == [shift_day(day, duration, sign) for day in EVERY_DAY.tolist()]
    assert moved.dtype == np.int32


def test_a_day_that_is_no_bound_stays_none() -> None:
    days = np.array([-FAR, date(2026, 1, 31).toordinal(), FAR], np.int32)
    for duration in (Duration(1, Unit.MONTHS), Duration(5, Unit.DAYS)):
        moved = calendar.shifted(days, duration)
        assert moved[[0, 2]].tolist() == [-FAR, FAR]
    assert np.isnan(calendar.completed_years(days, days[[1, 1, 1]])).tolist() == [True, False, True]


def test_every_age_is_counted_as_one_is() -> None:
    """A birthday in each month, on a leap day and at its neighbours, on every day of a few years."""
    born = [date(1960, 2, 28), date(1960, 2, 29), date(1960, 3, 1), date(1961, 12, 31), date(1962, 1, 1)]
    days = np.arange(date(2023, 1, 1).toordinal(), date(2029, 1, 1).toordinal(), dtype=np.int32)
    for birth in born:
        found = calendar.completed_years(np.array([birth.toordinal()], np.int32), days)
        assert found.tolist() == [completed_years(birth.toordinal(), day) for day in days.tolist()]


# Moments ------------------------------------------------------------------------------------------------------

BASE = date(2026, 3, 16).toordinal()
WHENS: tuple[When, ...] = (
    on_day(BASE),
    on_day(BASE - 1),
    on_day(BASE + 1),
    on_day(date(2026, 2, 28)),
    on_day(date(2025, 9, 16)),
    parse_when("2026-03"),
    parse_when("2026"),
    parse_when("2026-03-16T09:00"),
    parse_when("2026-03-15T09:00"),
    parse_when("2026-03-15T23:30-05:00"),
    parse_when("2026-03-16T04:30Z"),
    parse_when("2026-03-17T09:00+14:00"),
    When(Interval(BASE * DAY, (BASE + 1) * DAY)),
    When(Interval(BASE * DAY, (BASE + 1) * DAY, True, True)),
    When(Interval(None, (BASE + 1) * DAY, high_open=True)),
    When(Interval(BASE * DAY + HOUR, None)),
    When(Interval((BASE - 1) * DAY, None, low_open=True)),
    UNDATED,
)
DURATIONS = (
    Duration(24, Unit.HOURS), Duration(1, Unit.DAYS), Duration(2, Unit.WEEKS), Duration(1, Unit.MONTHS),
    Duration(6, Unit.MONTHS),
)  # fmt: skip


def _pairs() -> tuple[list[When], list[When]]:
    both = list(product(WHENS, WHENS))
    return [one for one, _ in both], [other for _, other in both]


@pytest.mark.parametrize("relation", [relation for relation in Relation if relation is not Relation.AT])
def test_moments_lie_to_one_another_as_one_does(relation: Relation) -> None:
    events, anchors = _pairs()
    for duration in DURATIONS if relation.measured else (None,):
        found = relations.relate(of_whens(events), relation, of_whens(anchors), duration)
        wanted = [timing.relate(a, relation, b, duration) for a, b in zip(events, anchors, strict=True)]
        assert found.tolist() == [int(truth) for truth in wanted]


@pytest.mark.parametrize("relation", e.LOOKBACKS)
def test_periods_overlap_windows_as_one_does(relation: Relation) -> None:
    """Every period from one of the moments to another beside windows from a third."""
    starts, ends = _pairs()
    for duration in DURATIONS if relation.measured else (None,):
        back = Lookback(relation, Anchor("registration"), None if duration is None else Span(duration))
        for anchor in WHENS[:12:2]:
            found = relations.overlaps(of_whens(starts), of_whens(ends), back, of_whens([anchor]))
            wanted = [timing.overlaps(a, b, back, anchor) for a, b in zip(starts, ends, strict=True)]
            assert found.tolist() == [int(truth) for truth in wanted]


def test_a_moment_that_is_not_stated_lies_nowhere_known() -> None:
    event = of_whens([None, on_day(BASE)])
    assert relations.relate(event, Relation.BEFORE, of_whens([on_day(BASE + 9)]), None).tolist() == [1, 2]


def test_whole_days_are_kept_as_days_alone() -> None:
    assert of_whens([on_day(BASE), on_day(BASE + 3)]).plain
    assert not of_whens([on_day(BASE), parse_when("2026-03-16T09:00")]).plain


# Numbers ------------------------------------------------------------------------------------------------------

SPANS = (
    ANYTHING,
    point(0.0),
    point(1.8),
    point(1.5 * 1.2),
    point(1.8 * (1 + 5e-10)),
    point(1.8 * (1 + 5e-9)),
    point(-2.0),
    Interval(None, 1.8),
    Interval(None, 1.8, high_open=True),
    Interval(1.8, None),
    Interval(1.8, None, low_open=True),
    Interval(0.0, 1.8, True, True),
    Interval(0.0, 1.8, True),
    Interval(0.0, 2.4),
    Interval(-1.0, 2.4),
    Interval(1.8, 2.4, high_open=True),
    Interval(2.4, 3.0, low_open=True),
)


def _numbers(spans: list[Interval]) -> Numbers:
    low, high = (np.array([np.nan if b is None else b for b in side], float)
                 for side in ([s.low for s in spans], [s.high for s in spans]))  # fmt: skip
    opens = (np.array([s.low_open for s in spans]), np.array([s.high_open for s in spans]))
    return Numbers(low, high, *opens)


def _beside(spans: tuple[Interval, ...] = SPANS) -> tuple[list[Interval], list[Interval]]:
    both = list(product(spans, spans))
    return [one for one, _ in both], [other for _, other in both]


@pytest.mark.parametrize("op", Op)
def test_numbers_compare_as_one_does(op: Op) -> None:
    left, right = _beside((*SPANS, point(1e300)))
    found = numbers.compare(op, _numbers(left), _numbers(right))
    assert found.tolist() == [int(interval.compare(op, a, b)) for a, b in zip(left, right, strict=True)]


@pytest.mark.parametrize("op", Op)
def test_exact_numbers_compare_as_one_does(op: Op) -> None:
    exact = [span.low for span in SPANS if span.exact]
    low = np.array(exact, float)
    for limit in exact:
        assert limit is not None
        found = numbers.compare(op, Numbers(low, low), numbers.exactly(limit))
        assert found.tolist() == [int(interval.compare(op, point(one), point(limit))) for one in low.tolist()]


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
def test_numbers_are_reckoned_with_as_one_is(name: str) -> None:
    left, right = _beside()
    with np.errstate(all="ignore"):
        found = getattr(numbers, name)(_numbers(left), _numbers(right))
    for place, (a, b) in enumerate(zip(left, right, strict=True)):
        wanted = getattr(interval, name)(a, b)
        low, high = (None if np.isnan(bound[place]) else bound[place] for bound in (found.low, found.high))
        opens = (bool(found.open_below[place]) and low is not None, bool(found.open_above[place]) and high is not None)
        assert (low, high) == (wanted.low, wanted.high), f"{name} {a} {b}"
        assert opens == (wanted.low_open and low is not None, wanted.high_open and high is not None), f"{name} {a} {b}"


def test_the_hull_of_several_numbers_is_that_of_one() -> None:
    groups = [list(group) for group in product(SPANS[:12], SPANS[4:14])]
    at = np.repeat(np.arange(len(groups)), 2)
    found = numbers.hull(at, _numbers([span for group in groups for span in group]), len(groups))
    for place, group in enumerate(groups):
        wanted = interval.hull(group)
        low, high = (None if np.isnan(bound[place]) else bound[place] for bound in (found.low, found.high))
        opens = (bool(found.open_below[place]), bool(found.open_above[place]))
        assert (low, high, *opens) == (wanted.low, wanted.high, wanted.low_open, wanted.high_open)


# Every node -----------------------------------------------------------------------------------------------------


def _of(base: type[Expr]) -> set[type[Expr]]:
    return {node for node in NODES if issubclass(node, base)}


def test_every_node_is_answered_and_explained() -> None:
    """`Limit` is asked only beside the value it is a multiple of."""
    assert set(truths._TRUTHS) == set(why._TRUTHS) == _of(TruthExpr)
    assert set(values._VALUES) == set(why_values._VALUES) == _of(ValueExpr) - {e.Limit}
    joining = {e.And, e.Or, e.Not, e.If, e.Named}
    assert set(evidence._LEAVES) == _of(TruthExpr) - joining


def test_every_node_a_tree_can_hold_is_a_node() -> None:
    assert _of(TruthExpr) | _of(ValueExpr) == set(NODES)
