"""Intervals: `compare` against a count of all pairs of values, and arithmetic that never loses a value."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onstudy.values.interval import (
    ANYTHING,
    Interval,
    Number,
    Op,
    add,
    compare,
    divide,
    hull,
    minus,
    multiply,
    point,
    power,
    subtract,
)
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth, negate

OPS: dict[Op, Callable[[Number, Number], bool]] = {
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.GE: operator.ge,
    Op.GT: operator.gt,
}
SWAPPED = {Op.LT: Op.GT, Op.LE: Op.GE, Op.EQ: Op.EQ, Op.NE: Op.NE, Op.GE: Op.LE, Op.GT: Op.LT}
OPPOSITE = {Op.LT: Op.GE, Op.LE: Op.GT, Op.EQ: Op.NE, Op.NE: Op.EQ, Op.GE: Op.LT, Op.GT: Op.LE}


@st.composite
def intervals(draw: st.DrawFn, low: int = -2, high: int = 3) -> Interval:
    """Intervals with whole ends, open or not, with or without bounds."""
    first = draw(st.one_of(st.none(), st.integers(low, high)))
    last = draw(st.one_of(st.none(), st.integers(low if first is None else first, high)))
    if first is not None and first == last:
        return point(first)
    low_open = first is not None and draw(st.booleans())
    return Interval(first, last, low_open, last is not None and draw(st.booleans()))


def values(span: Interval) -> list[float]:
    """Enough values of an interval with whole ends: its ends where they belong to it, and some between and beyond."""
    low = -9.0 if span.low is None else float(span.low)
    high = 9.0 if span.high is None else float(span.high)
    inside = [low + quarter / 4 for quarter in range(int((high - low) * 4) + 1)]
    return [value for value in inside if inside_of(span, value)]


def inside_of(span: Interval, value: Number) -> bool:
    above = span.low is None or value > span.low or (value == span.low and not span.low_open)
    below = span.high is None or value < span.high or (value == span.high and not span.high_open)
    return above and below


def narrower(span: Interval, at: float, to: float) -> Interval:
    """An interval inside another, from one of its values to another."""
    found = values(span)
    first, last = sorted((found[int(at * (len(found) - 1))], found[int(to * (len(found) - 1))]))
    return Interval(first, last)


# Comparing ----------------------------------------------------------------------------------------------


@given(st.sampled_from(Op), intervals(), intervals())
def test_true_where_all_pairs_say_so_false_where_none_does(op: Op, left: Interval, right: Interval) -> None:
    said = {OPS[op](a, b) for a in values(left) for b in values(right)}
    assert compare(op, left, right) is (UNKNOWN if len(said) == 2 else TRUE if said == {True} else FALSE)


@given(st.sampled_from(Op), intervals(), intervals())
def test_sides_can_be_swapped_and_operators_negated(op: Op, left: Interval, right: Interval) -> None:
    assert compare(op, left, right) is compare(SWAPPED[op], right, left)
    assert compare(op, left, right) is negate(compare(OPPOSITE[op], left, right))


@given(st.sampled_from(Op), intervals(), intervals(), st.floats(0, 1), st.floats(0, 1))
def test_a_narrower_value_settles_and_never_unsettles(
    op: Op, left: Interval, right: Interval, at: float, to: float
) -> None:
    before = compare(op, left, right)
    assert before is UNKNOWN or compare(op, narrower(left, at, to), right) is before


@pytest.mark.parametrize("op", Op)
def test_what_is_not_there_is_unknown(op: Op) -> None:
    assert compare(op, None, point(0)) is UNKNOWN
    assert compare(op, point(0), None) is UNKNOWN
    assert compare(op, ANYTHING, point(0)) is UNKNOWN


@pytest.mark.parametrize(
    ("left", "op", "right", "truth"),
    [
        (1.8, Op.LE, 1.5 * 1.2, TRUE),  # trap 1: the product is 1.7999999999999998
        (1.8, Op.LT, 1.5 * 1.2, FALSE),
        (1.8, Op.GT, 1.5 * 1.2, FALSE),
        (1.8, Op.EQ, 1.5 * 1.2, TRUE),
        (1.81, Op.LE, 1.5 * 1.2, FALSE),
        (1.0 + 0.9e-9, Op.LE, 1.0, TRUE),
        (1.0 + 1.1e-9, Op.LE, 1.0, FALSE),
        (1.0 - 1.1e-9, Op.LT, 1.0, TRUE),
        (1.0 - 0.9e-9, Op.LT, 1.0, FALSE),
        (1e-300, Op.GT, 0.0, TRUE),
        (0.0, Op.EQ, 0.0, TRUE),
    ],
)
def test_numbers_equal_to_one_part_in_a_billion_are_equal(left: float, op: Op, right: float, truth: Truth) -> None:
    assert compare(op, point(left), point(right)) is truth


def test_days_and_instants_compare_exactly() -> None:
    """Microseconds since day 0 are near 6 x 10^16: one of them is far less than one part in 10^9."""
    moment = 739_691 * 86_400_000_000
    assert compare(Op.LT, point(moment), point(moment + 1)) is TRUE
    assert compare(Op.LE, point(moment + 1), point(moment)) is FALSE


def test_an_open_bound_is_not_itself_included() -> None:
    below = Interval(None, 20.0, high_open=True)
    assert compare(Op.LT, below, point(20.0)) is TRUE
    assert compare(Op.GE, below, point(20.0)) is FALSE
    assert compare(Op.LT, Interval(None, 20.0), point(20.0)) is UNKNOWN
    assert compare(Op.LE, below, point(19.0)) is UNKNOWN


@pytest.mark.parametrize("bounds", [(2, 1, False, False), (1, 1, True, False), (1, 1, False, True)])
def test_an_empty_interval_cannot_be_made(bounds: tuple[int, int, bool, bool]) -> None:
    with pytest.raises(ValueError, match="is empty"):
        Interval(*bounds)


# Arithmetic ---------------------------------------------------------------------------------------------


@given(intervals(), intervals())
def test_sums_and_differences_hold_every_pair(left: Interval, right: Interval) -> None:
    for a in values(left)[::3]:
        for b in values(right)[::3]:
            assert inside_of(add(left, right), a + b)
            assert inside_of(subtract(left, right), a - b)
            assert inside_of(minus(left), -a)


@given(intervals(), intervals())
def test_products_hold_every_pair(left: Interval, right: Interval) -> None:
    for a in values(left)[::3]:
        for b in values(right)[::3]:
            assert inside_of(multiply(left, right), a * b)


@given(intervals(low=0), intervals(low=0))
def test_products_of_measured_quantities_are_no_wider_than_their_pairs(left: Interval, right: Interval) -> None:
    if None in (left.low, left.high, right.low, right.high):
        return
    product = multiply(left, right)
    ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]  # type: ignore[operator]
    assert (product.low, product.high) == (min(ends), max(ends))


@given(intervals(low=0), intervals(low=1))
def test_quotients_hold_every_pair(left: Interval, right: Interval) -> None:
    for a in values(left)[::3]:
        for b in values(right)[::3]:
            quotient = divide(left, right)
            slack = 1e-12
            assert quotient.low is None or a / b >= quotient.low - slack
            assert quotient.high is None or a / b <= quotient.high + slack


@pytest.mark.parametrize("divisor", [point(0), Interval(-1, 1), ANYTHING, Interval(None, 2)])
def test_what_may_be_divided_by_zero_has_no_bounds(divisor: Interval) -> None:
    assert divide(point(1), divisor) == ANYTHING


@given(intervals(low=0), st.sampled_from([1 / 3, 0.5, 2.0]))
def test_powers_hold_every_value(base: Interval, exponent: float) -> None:
    raised = power(base, exponent)
    for value in values(base)[::3]:
        if value >= 0:
            assert inside_of(raised, value**exponent)


@given(st.lists(intervals(), min_size=1, max_size=4))
def test_a_hull_holds_all_and_ends_where_they_end(parts: list[Interval]) -> None:
    around = hull(parts)
    assert all(inside_of(around, value) for part in parts for value in values(part))
    lows = [part.low for part in parts]
    assert around.low == (None if None in lows else min(low for low in lows if low is not None))
    if around.low is not None:
        assert around.low_open is not any(inside_of(part, around.low) for part in parts)
    assert hull([]) == ANYTHING
