"""Many numbers known between bounds: comparison and arithmetic, as `values.interval` has them for one.

NaN is no bound, so that every comparison with it fails by itself. Two numbers that agree to one part in 10^9 are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onstudy.engines.vector.arrays import Array, Mask, Truths, negated, taken, truths, whole
from onstudy.values.interval import RELATIVE_TOLERANCE, Op

Floats = NDArray[np.float64]

_CLOSED = np.array([False])


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Numbers from `low` to `high` (the same array where each is one number); `stated` where there may be none."""

    low: Floats
    high: Floats
    low_open: Mask | None = None  # None: no bound is open
    high_open: Mask | None = None
    stated: Mask | None = None

    def __len__(self) -> int:
        return len(self.low)

    @property
    def exact(self) -> bool:
        """Whether each is one number or none."""
        return self.low is self.high

    def take(self, rows: Array) -> Numbers:
        """Some of them; one that stands for all still does."""
        if len(self) == 1:
            return self
        low = self.low.take(rows)
        high = low if self.exact else taken(self.high, rows)
        low_open, high_open, stated = (
            None if part is None else taken(part, rows) for part in (self.low_open, self.high_open, self.stated)
        )
        return Numbers(low, high, low_open, high_open, stated)

    @property
    def open_below(self) -> Mask:
        """Whether the lower bounds are open."""
        return _CLOSED if self.low_open is None else self.low_open

    @property
    def open_above(self) -> Mask:
        """Whether the upper bounds are open."""
        return _CLOSED if self.high_open is None else self.high_open


def exactly(value: float) -> Numbers:
    """One number that stands for all."""
    one = np.array([value], np.float64)
    return Numbers(one, one)


def nothing() -> Numbers:
    """No number, in all rows."""
    one = np.array([np.nan])
    return Numbers(one, one, stated=np.array([False]))


def filled(numbers: Numbers, rows: Mask, value: float) -> Numbers:
    """The same with one number in the rows given."""
    low = np.where(rows, value, numbers.low)
    high = low if numbers.exact else np.where(rows, value, numbers.high)
    low_open, high_open = (None if part is None else part & ~rows for part in (numbers.low_open, numbers.high_open))
    return Numbers(low, high, low_open, high_open, None if numbers.stated is None else numbers.stated | rows)


def concat(parts: Sequence[Numbers], sizes: Sequence[int]) -> Numbers:
    """Numbers one after another; `sizes` says of how many rows each part is."""
    if len(parts) == 1:
        return parts[0]
    low = np.concatenate([whole(part.low, size) for part, size in zip(parts, sizes, strict=True)])
    exact = all(part.exact for part in parts)
    high = low if exact else np.concatenate([whole(part.high, size) for part, size in zip(parts, sizes, strict=True)])
    return Numbers(
        low,
        high,
        _gathered([part.low_open for part in parts], sizes, False),
        _gathered([part.high_open for part in parts], sizes, False),
        _gathered([part.stated for part in parts], sizes, True),
    )


def _gathered(parts: Sequence[Mask | None], sizes: Sequence[int], nothing: bool) -> Mask | None:
    if all(part is None for part in parts):
        return None
    missing = np.array([nothing])
    return np.concatenate(
        [whole(missing if part is None else part, size) for part, size in zip(parts, sizes, strict=True)]
    )


# Comparing ----------------------------------------------------------------------------------------------


def compare(op: Op, a: Numbers, b: Numbers) -> Truths:
    """Whether `a op b` holds for every (TRUE), no (FALSE) or some pair of values inside the bounds."""
    match op:
        case Op.LE:
            return _at_most(a, b)
        case Op.GE:
            return _at_most(b, a)
        case Op.LT:
            return _less(a, b)
        case Op.GT:
            return _less(b, a)
        case Op.EQ:
            return _equal(a, b)
    return negated(_equal(a, b))


def same(a: Floats, b: Floats) -> Mask:
    """Whether two numbers are equal, to one part in 10^9."""
    return np.abs(a - b) <= RELATIVE_TOLERANCE * np.maximum(np.abs(a), np.abs(b))


def _above(upper: Numbers, lower: Numbers) -> Mask:
    """Every value of `upper` exceeds every value of `lower`."""
    equal = same(upper.low, lower.high)
    if upper.low_open is None and lower.high_open is None:
        return (upper.low > lower.high) & ~equal
    return np.where(equal, upper.open_below | lower.open_above, upper.low > lower.high)


def _no_more(a: Floats, b: Floats) -> Mask:
    return (a <= b) | same(a, b)


def _at_most(a: Numbers, b: Numbers) -> Truths:
    if a.exact and b.exact and a.low_open is None and b.high_open is None:
        within = _no_more(a.low, b.low)
        return truths(within, (a.low > b.low) & ~within)
    return truths(_no_more(a.high, b.low), _above(a, b))


def _less(a: Numbers, b: Numbers) -> Truths:
    return truths(_above(b, a), _no_more(b.high, a.low))


def _equal(a: Numbers, b: Numbers) -> Truths:
    apart = _above(a, b) | _above(b, a)
    exact = (a.low == a.high) & (b.low == b.high)
    return truths(exact & same(a.low, b.low) & ~apart, apart | (exact & ~same(a.low, b.low)))


# Arithmetic ---------------------------------------------------------------------------------------------


def hull(at: Array | None, numbers: Numbers, rows: int) -> Numbers:
    """The smallest interval around all numbers of each row; `at` is sorted, and every row has some."""
    if at is None:
        return numbers
    starts = np.flatnonzero(np.concatenate([[True], at[1:] != at[:-1]]))
    low, high = whole(numbers.low, len(at)), whole(numbers.high, len(at))
    lowest, highest = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)  # NaN wins both
    opens: list[Mask | None] = []
    for is_open, bound, outermost in ((numbers.low_open, low, lowest), (numbers.high_open, high, highest)):
        if is_open is None:
            opens.append(None)
            continue
        closed_there = (bound == outermost[at]) & ~whole(is_open, len(at))
        opens.append(~np.logical_or.reduceat(closed_there, starts) & ~np.isnan(outermost))
    assert len(lowest) == rows, "a row without a number"
    return Numbers(lowest, highest, opens[0], opens[1])


def add(a: Numbers, b: Numbers) -> Numbers:
    """The sums of all pairs."""
    return Numbers(a.low + b.low, a.high + b.high, _either(a.low_open, b.low_open), _either(a.high_open, b.high_open))


def _either(a: Mask | None, b: Mask | None) -> Mask | None:
    if a is None or b is None:
        return b if a is None else a
    return a | b


def minus(a: Numbers) -> Numbers:
    """The mirror images around zero."""
    return Numbers(-a.high, -a.low, a.high_open, a.low_open)


def subtract(a: Numbers, b: Numbers) -> Numbers:
    """The differences of all pairs."""
    return add(a, minus(b))


def multiply(a: Numbers, b: Numbers) -> Numbers:
    """The products of all pairs, as `values.interval.multiply` has them."""
    positive = (a.low >= 0) & (b.low >= 0)
    low, high = a.low * b.low, a.high * b.high
    low_open = (a.open_below & (b.low > 0)) | (b.open_below & (a.low > 0)) | (a.open_below & b.open_below)
    high_open = a.open_above | b.open_above
    point = low == high
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    least, most = np.minimum.reduce(corners), np.maximum.reduce(corners)
    return Numbers(
        np.where(positive, low, np.where(np.isnan(most), np.nan, least)),
        np.where(positive, high, np.where(np.isnan(least), np.nan, most)),
        positive & low_open & ~point,
        positive & high_open & ~point,
    )


def divide(a: Numbers, b: Numbers) -> Numbers:
    """The quotients of all pairs; a divisor that may be zero or negative gives no bounds."""
    usable = b.low > 0
    divisor_low, divisor_high = np.where(usable, b.low, np.nan), np.where(usable, b.high, np.nan)
    endless = usable & np.isnan(divisor_high)
    inverse = Numbers(
        np.where(endless, 0.0, 1.0 / divisor_high), 1.0 / divisor_low, endless | b.open_above, b.open_below | ~usable
    )
    found = multiply(a, inverse)
    return Numbers(
        np.where(usable, found.low, np.nan),
        np.where(usable, found.high, np.nan),
        found.open_below & usable,
        found.open_above & usable,
    )


def times(a: Numbers, factor: float) -> Numbers:
    """Numbers by a factor: a multiple of a limit."""
    if a.exact and a.low_open is None and a.high_open is None:
        low = a.low * factor
        return Numbers(low, low)
    return multiply(a, exactly(factor))
