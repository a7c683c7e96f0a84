"""Truth out of values: what all values a row may have say, one by one or beside those of another node."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onstudy.criteria import expr as e
from onstudy.engines.vector import numbers
from onstudy.engines.vector.arrays import ALL_UNKNOWN, UNKNOWN, Agreement, Truths, joined
from onstudy.engines.vector.cases import Cases, Part
from onstudy.engines.vector.codes import Codes
from onstudy.engines.vector.fields import Values
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.numbers import Numbers
from onstudy.values.interval import Op


def judged(cases: Cases, decide: Callable[[Part], Truths]) -> Truths:
    """What all cases of each row say, each decided by itself."""
    if cases.single is not None:
        return decide(cases.parts[0])
    agreed = Agreement(cases.rows)
    for part in cases.parts:
        agreed.add(part.at, decide(part))
    if cases.lacking is not None:
        agreed.doubt(cases.lacking)
    return agreed.truth()


def judged_beside(left: Cases, right: Cases, base: str, decide: Callable[[Values, Values], Truths]) -> Truths:
    """What all cases of one side say beside all of the other."""
    if right.single is not None:
        other = right.single
        return judged(left, lambda part: decide(part.values, other if part.at is None else other.take(part.at)))
    if left.single is not None:
        other = left.single
        return judged(right, lambda part: decide(other if part.at is None else other.take(part.at), part.values))
    left_at, left_values = left.gathered(base)
    right_at, right_values = right.gathered(base)
    a, b = joined(left_at, right_at, left.rows)
    agreed = Agreement(left.rows)
    agreed.add(left_at[a], decide(left_values.take(a), right_values.take(b)))
    return agreed.truth()


def against_limit(op: Op, part: Part, limit: e.Limit) -> Truths:
    """Each value beside a multiple of the limit of normal it was reported with."""
    if part.places is None:
        return ALL_UNKNOWN
    normal = part.places.numbers("uln" if limit.limit == "ULN" else "lln")
    usable = normal.low > 0
    return np.where(usable, numbers.compare(op, as_numbers(part.values), numbers.times(normal, limit.factor)), UNKNOWN)


def as_numbers(values: Values) -> Numbers:
    """Values that are known to be numbers."""
    assert isinstance(values, Numbers), "numbers are compared with numbers"
    return values


def as_moments(values: Values) -> Moments:
    """Values that are known to be dates."""
    assert isinstance(values, Moments), "dates are related to dates"
    return values


def as_codes(values: Values) -> Codes:
    """Values that are known to be codes."""
    assert isinstance(values, Codes), "membership is asked of codes"
    return values
