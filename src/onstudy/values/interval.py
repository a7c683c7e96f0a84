"""A value known between two bounds, and `compare`: the one door through which a value becomes a truth.

Two kinds of number travel here. Measured values are floats, and two floats that agree to one part in
10^9 are equal (so 1.8 <= 1.5 x 1.2 holds, and 1.8 < 1.5 x 1.2 does not). Days and microseconds are
ints and compare exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf

from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth, negate

RELATIVE_TOLERANCE = 1e-9

Number = int | float


class Op(str, Enum):
    """The comparisons of the language."""

    LT = "<"
    LE = "<="
    EQ = "="
    NE = "!="
    GE = ">="
    GT = ">"

    __hash__ = str.__hash__  # that of Enum is slow


#: The same by name: to look one up in its class takes as long as to compare two intervals.
LT, LE, EQ, NE, GE, GT = Op.LT, Op.LE, Op.EQ, Op.NE, Op.GE, Op.GT


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a value lies: `None` is no bound on that side; an open bound is not itself included.

    Raises `ValueError` when nothing could lie in it (a broken promise of the caller).
    """

    low: Number | None = None
    high: Number | None = None
    low_open: bool = False
    high_open: bool = False

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None:
            if self.low > self.high or (self.low == self.high and (self.low_open or self.high_open)):
                raise ValueError(f"an interval from {self.low} to {self.high} is empty")

    @property
    def known(self) -> bool:
        """True where there is any bound at all."""
        return self.low is not None or self.high is not None

    @property
    def exact(self) -> bool:
        """True where there is one value only."""
        return self.low is not None and self.low == self.high


ANYTHING = Interval()


def point(value: Number) -> Interval:
    """The interval that holds `value` alone."""
    return Interval(value, value)


def hull(parts: list[Interval]) -> Interval:
    """The smallest interval around all of `parts`; no parts, no bounds."""
    if not parts:
        return ANYTHING
    low, low_open = _outer([(p.low, p.low_open) for p in parts], min)
    high, high_open = _outer([(p.high, p.high_open) for p in parts], max)
    return Interval(low, high, low_open, high_open)


def common_part(one: Interval, other: Interval) -> Interval | None:
    """The values that lie in both; None where there are none."""
    low, low_open = max((-inf if part.low is None else part.low, part.low_open) for part in (one, other))
    high, closed = min((inf if part.high is None else part.high, not part.high_open) for part in (one, other))
    if low > high or (low == high and (low_open or not closed)):
        return None
    return Interval(None if low == -inf else low, None if high == inf else high, low_open, not closed)


def _outer(
    bounds: list[tuple[Number | None, bool]], pick: Callable[[list[Number]], Number]
) -> tuple[Number | None, bool]:
    numbers = [bound for bound, _ in bounds if bound is not None]
    if len(numbers) < len(bounds):
        return None, False
    outermost = pick(numbers)
    return outermost, all(is_open for bound, is_open in bounds if bound == outermost)


def compare(op: Op, left: Interval | None, right: Interval | None) -> Truth:
    """Whether `left op right` holds for every, no, or some pair of values of the two intervals.

    TRUE or FALSE only where no value inside the bounds could say otherwise; a missing side is UNKNOWN.
    """
    if left is None or right is None:
        return UNKNOWN
    if op is LE:
        return _at_most(left, right)
    if op is GE:
        return _at_most(right, left)
    if op is LT:
        return _less(left, right)
    if op is GT:
        return _less(right, left)
    return _equal(left, right) if op is EQ else negate(_equal(left, right))


def _at_most(left: Interval, right: Interval) -> Truth:
    if left.high is not None and right.low is not None and _le(left.high, right.low):
        return TRUE
    return FALSE if _certainly_above(left, right) else UNKNOWN


def _less(left: Interval, right: Interval) -> Truth:
    if _certainly_above(right, left):
        return TRUE
    if left.low is not None and right.high is not None and _le(right.high, left.low):
        return FALSE
    return UNKNOWN


def _certainly_above(upper: Interval, lower: Interval) -> bool:
    """Every value of `upper` exceeds every value of `lower`."""
    if upper.low is None or lower.high is None:
        return False
    if _same(upper.low, lower.high):
        return upper.low_open or lower.high_open
    return upper.low > lower.high


def _equal(left: Interval, right: Interval) -> Truth:
    if _certainly_above(left, right) or _certainly_above(right, left):
        return FALSE
    if left.low is None or right.low is None or not (left.exact and right.exact):
        return UNKNOWN
    return TRUE if _same(left.low, right.low) else FALSE


def _same(a: Number, b: Number) -> bool:
    if type(a) is int and type(b) is int:
        return a == b
    return abs(a - b) <= RELATIVE_TOLERANCE * max(abs(a), abs(b))


def _le(a: Number, b: Number) -> bool:
    return a <= b or _same(a, b)


# Arithmetic -----------------------------------------------------------------------------------------

_Bound = tuple[Number | None, bool]


def add(left: Interval, right: Interval) -> Interval:
    """The sums of all pairs."""
    low = None if left.low is None or right.low is None else left.low + right.low
    high = None if left.high is None or right.high is None else left.high + right.high
    return Interval(low, high, left.low_open or right.low_open, left.high_open or right.high_open)


def minus(value: Interval) -> Interval:
    """The mirror image around zero."""
    return Interval(
        None if value.high is None else -value.high,
        None if value.low is None else -value.low,
        value.high_open,
        value.low_open,
    )


def subtract(left: Interval, right: Interval) -> Interval:
    """The differences of all pairs."""
    return add(left, minus(right))


def multiply(left: Interval, right: Interval) -> Interval:
    """The products of all pairs. Sides without a bound give no bound, save that zero times zero is zero.

    An unbounded side is only followed where both factors are known not to be negative, which is so
    for every measured quantity of the catalogue.
    """
    if left.low is not None and right.low is not None and left.low >= 0 and right.low >= 0:
        low = left.low * right.low
        high = None if left.high is None or right.high is None else left.high * right.high
        low_open = (left.low_open and right.low > 0) or (right.low_open and left.low > 0)
        low_open = low_open or (left.low_open and right.low_open)
        high_open = left.high_open or right.high_open
        if high is not None and high == low:
            return Interval(low, high)
        return Interval(low, high, low_open, high_open)
    if None in (left.low, left.high, right.low, right.high):
        return ANYTHING
    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]  # type: ignore[operator]
    return Interval(min(corners), max(corners))


def divide(left: Interval, right: Interval) -> Interval:
    """The quotients of all pairs; a divisor that may be zero or negative gives no bounds."""
    if right.low is None or right.low <= 0:
        return ANYTHING
    inverse_low = 0.0 if right.high is None else 1.0 / right.high
    inverse = Interval(inverse_low, 1.0 / right.low, right.high is None or right.high_open, right.low_open)
    return multiply(left, inverse)


def power(base: Interval, exponent: float) -> Interval:
    """A non-negative base to a positive exponent (the cube root of Fridericia's formula)."""
    if base.low is None or base.low < 0 or exponent <= 0:
        return ANYTHING
    high = None if base.high is None else float(base.high) ** exponent
    return Interval(float(base.low) ** exponent, high, base.low_open, base.high_open)
