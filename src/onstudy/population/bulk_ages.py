"""Records of which something follows from how old the patient was: those that are alike in it, told many at once.

A laboratory states ranges for ages. Which of them are for a patient on a day changes on a few days of a life
(`turning_days` of `readers/fhir_range.py`). Records whose dates lie to these days in the same way are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.population.bulk_forms import Probe
from onstudy.population.bulk_generalise import YEARS, moved
from onstudy.population.bulk_moments import Moments
from onstudy.readers.fhir_json import Json
from onstudy.readers.fhir_range import turning_days
from onstudy.record.shard import NO_DAY
from onstudy.values.calendar import UNDATED, When, between, parse_when

#: How the dates of a record lie to the days on which a range begins or ceases to be for the patient.
Lies = bytes
#: Of those whose date of birth is not known at all.
NOT_BORN: Lies = b"not born"
#: Days by which a birth is moved to see that nothing but the ages follows from it.
_MOVES = (300, -300, 100, -100, 31, -31, 7, -7, 2, -2, 1, -1)
_CALENDAR = 10227  # days of 28 years


def lying(resource: Json, births: Sequence[When], dates: Sequence[Moments]) -> list[Lies | None]:
    """How the dates of each record lie, None where nobody can tell; `dates` has the first of each, the second ..."""
    turning = [turning_days(resource, born) for born in births]
    some = [place for place, days in enumerate(turning) if days is not None]
    found: list[Lies | None] = [NOT_BORN if born == UNDATED else None for born in births]
    if not some:
        return found
    days = np.array([turning[place] for place in some], np.int64).reshape(len(some), -1)
    rows = np.array(some, np.int64)
    sides = [side for moments in dates for side in moments.take(rows).days]
    for place, lies in zip(some, _packed(sides, days), strict=True):
        found[place] = lies.tobytes()
    return found


def _packed(sides: Sequence[NDArray[np.int64]], days: NDArray[np.int64]) -> NDArray[Any]:
    """Of each record, whether each side of its dates is each of some days, or later."""
    return np.packbits(np.hstack([side[:, np.newaxis] >= days for side in sides]), axis=1) if sides else days[:, :0]


def births_like(resource: Json, example: Probe, lies: Lies) -> tuple[When, ...]:
    """Births for the variations of an example to which its dates lie in the same way; none where there are none."""
    if lies == NOT_BORN:
        return (UNDATED,) * len(YEARS)
    first, last = example.born.days.low, example.born.days.high
    assert first is not None and last is not None, "a birth that dates lie to is known"
    found: dict[int, When] = {}
    for years in YEARS:
        dates = [moved(date, years) for date in example.dates]
        by = years * _CALENDAR // 28
        for move in _MOVES if found else (0,):
            born = between(int(first) + by + move, int(last) + by + move)
            if move not in found and _lies(resource, born, dates) == lies:
                found[move] = born
                break
    return tuple(found.values()) if len(found) == len(YEARS) else ()


def _lies(resource: Json, born: When, dates: Sequence[str | None]) -> Lies | None:
    days = turning_days(resource, born)
    if days is None or None in dates:
        return None
    spans = [parse_when(date).days for date in dates if date is not None]
    sides = [np.array([NO_DAY if side is None else int(side)]) for span in spans for side in (span.low, span.high)]
    return bytes(_packed(sides, np.array([days], np.int64))[0].tobytes())
