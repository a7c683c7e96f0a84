"""The calendar over arrays of days: the rules of `values.calendar`, for many days at once.

Days are proleptic ordinals as there. `FAR` stands for no bound and is never moved.
"""

from __future__ import annotations

import numpy as np

from onstudy.engines.vector.arrays import Array
from onstudy.values.calendar import Duration, Unit

#: A day later than any calendar's, and with a minus earlier: no bound. Its microseconds still fit into int64, twice.
FAR = 40_000_000

_EPOCH = 719_163  # 1970-01-01


def shifted(days: Array, duration: Duration, sign: int = 1) -> Array:
    """The days that lie a duration of days or longer after (or, with sign -1, before) each day."""
    amount = sign * duration.amount
    moved: Array
    if duration.unit in (Unit.DAYS, Unit.WEEKS):
        moved = days + amount * (7 if duration.unit is Unit.WEEKS else 1)
    else:
        assert duration.unit is not Unit.HOURS, "hours are elapsed time, not calendar days"
        moved = _months_later(days, amount * (12 if duration.unit is Unit.YEARS else 1))
    unbounded = np.abs(days) >= FAR
    return np.where(unbounded, days, moved) if unbounded.any() else moved


def _months_later(days: Array, months: int) -> Array:
    """A day the month lacks becomes its last."""
    bounded = np.where(np.abs(days) >= FAR, _EPOCH, days)
    month = _month(bounded)
    within = bounded - _first_of(month)
    first, following = _first_of(month + months), _first_of(month + months + 1)
    found: Array = np.minimum(first + within, following - 1).astype(days.dtype)
    return found


def _month(days: Array) -> Array:
    """Months since January 1970."""
    return (days.astype(np.int64) - _EPOCH).astype("M8[D]").astype("M8[M]").astype(np.int64)


def _first_of(month: Array) -> Array:
    return month.astype("M8[M]").astype("M8[D]").astype(np.int64) + _EPOCH


def completed_years(born: Array, on: Array) -> Array:
    """Age in completed years (float64) as `values.calendar` counts them; NaN where a day is `FAR`."""
    birth, birthday = _year_and_day(born)
    year, today = _year_and_day(on)
    years = (year - birth - (today < birthday)).astype(np.float64)
    for days in (born, on):
        if len(days) and (days.max() >= FAR or days.min() <= -FAR):
            years = np.where(np.abs(days) >= FAR, np.nan, years)
    return years


def _year_and_day(days: Array) -> tuple[Array, Array]:
    """The year from one March to the next, and the day within it: leap days are its last, so no other day moves."""
    since = np.clip(days, 1, None) + np.int32(305)  # days since 1 March of the year 0
    cycle = since // 146_097  # 400 years
    rest = since - cycle * 146_097
    year = (rest - rest // 1_460 + rest // 36_524 - rest // 146_096) // 365
    return cycle * 400 + year, rest - (365 * year + year // 4 - year // 100)
