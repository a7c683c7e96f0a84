"""Patients whose records hold what cannot be so: they are put together one by one, by `record/impossible.py`.

Who is named here may be more than those; whoever is left out is surely none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onstudy.population.bulk_facts import Bases, Facts
from onstudy.population.bulk_moments import Moments
from onstudy.population.bulk_numbers import Flags
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_spans import Numbers
from onstudy.record.catalogue import Catalogue
from onstudy.record.impossible import OLDEST
from onstudy.record.shard import NO_DAY

#: So near to a bound a value is looked at one by one.
NEAR = 1e-6


def impossible(
    facts: Facts, kind: NDArray[np.int32], kinds: Sequence[str], born: Moments, bases: Bases, catalogue: Catalogue
) -> Ints:
    """The patients with a number that may be impossible, something before their birth, or nothing after it, or with
    more years behind them than people live.

    `facts` are those that were read, `kind` the place of each one's kind in `kinds`, `born` that of each patient.
    """
    wrong = _below_zero(facts.value) | _below_zero(facts.lln) | (_below_zero(facts.uln) | _is_zero(facts.uln))
    wrong |= _crossed(facts.uln, facts.lln) | _outside(facts.value, kind, kinds, catalogue)
    first, newest = _days_of_life(facts, kind, kinds, bases, len(born))
    birth, _ = born.days
    dated = (birth != NO_DAY) & (newest != NO_DAY)
    strange = (birth != NO_DAY) & (first < birth) | dated & ((birth > newest) | (newest - birth > OLDEST * 365))
    return np.union1d(facts.patient[wrong], np.flatnonzero(strange))


def _outside(number: Numbers, kind: NDArray[np.int32], kinds: Sequence[str], catalogue: Catalogue) -> Flags:
    """Those that lie outside what is possible for their kind, or nearly so."""
    low, high = possible_bounds(kinds, catalogue)
    with np.errstate(invalid="ignore"):
        below = number.high < (low + np.abs(low) * NEAR)[kind]
        return np.asarray(below | (number.low > (high - np.abs(high) * NEAR)[kind]))


def possible_bounds(kinds: Sequence[str], catalogue: Catalogue) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The bounds within which the values of each kind lie; NaN where there are none."""
    known = (catalogue.kinds.get(name) for name in kinds)
    pairs = [(np.nan, np.nan) if kind is None or kind.plausible is None else kind.plausible for kind in known]
    return np.array([low for low, _ in pairs], np.float64), np.array([high for _, high in pairs], np.float64)


def _below_zero(number: Numbers) -> Flags:
    """Those of which all may lie below zero."""
    with np.errstate(invalid="ignore"):
        return np.asarray((number.high < 0) | ((number.high == 0) & ~number.exact))


def _is_zero(number: Numbers) -> Flags:
    return np.asarray(number.high == 0)


def _crossed(upper: Numbers, lower: Numbers) -> Flags:
    """Limits of normal of which the upper one may lie below the lower one."""
    with np.errstate(invalid="ignore"):
        same = (upper.high == lower.low) & upper.exact & lower.exact
        return np.asarray((upper.high <= lower.low) & ~same)


def _days_of_life(
    facts: Facts, kind: NDArray[np.int32], kinds: Sequence[str], bases: Bases, patients: int
) -> tuple[Ints, Ints]:
    """Of each patient the first day something surely was before, and the last one anything may be of.

    Without a dated fact the first is far ahead, the last `NO_DAY`. The fact of sex, which begins at birth, is none.
    """
    told = np.array([name != "sex" for name in kinds], bool)[kind]
    negative = np.array([base.negative for base in bases.facts], bool)[facts.base]
    first = np.full(patients, np.iinfo(np.int64).max)
    newest = np.full(patients, NO_DAY, np.int64)
    for moments in (facts.start, facts.recorded):
        last = moments.days[1]
        some = told & (last != NO_DAY)
        np.maximum.at(newest, facts.patient[some], last[some])
        if moments is facts.start:
            some &= ~negative
            np.minimum.at(first, facts.patient[some], last[some])
    return first, newest
