"""What cannot be so in the records of many patients: `record/impossible.py`, run on the few facts that it may be about.

Where it is about a component, or about what lies before a birth, the patient is told, to be put together one by one.
More facts and patients may be looked at than those; whatever is left out is surely none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.errors import Problem
from onstudy.population.bulk_facts import Bases, Components, Facts, fact_at
from onstudy.population.bulk_moments import Moments
from onstudy.population.bulk_numbers import Flags
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_spans import Numbers
from onstudy.record.catalogue import Catalogue
from onstudy.record.impossible import OLDEST, without_impossible
from onstudy.record.shard import NO_DAY

#: So near to a bound a value is looked at one by one.
NEAR = 1e-6


@dataclass(frozen=True, eq=False)
class Possible:
    """The facts without what is impossible, what it was, and the patients who are put together one by one."""

    facts: Facts
    problems: list[tuple[int, Problem]]
    odd: Ints


def possible(read: Stated, bases: Bases, catalogue: Catalogue) -> Possible:
    """The facts that were read, with nothing impossible in them.

    Odd are patients with something before their birth, or nothing after it, with more years behind them than people
    live, or with a component that may be impossible.
    """
    facts = read.facts
    wrong = _below_zero(facts.value) | _below_zero(facts.lln) | (_below_zero(facts.uln) | _is_zero(facts.uln))
    wrong |= _crossed(facts.uln, facts.lln) | _outside(facts.value, read.kind, read.kinds, catalogue)
    first, newest = _days_of_life(facts, read.kind, read.kinds, bases, len(read.born))
    birth, _ = read.born.days
    dated = (birth != NO_DAY) & (newest != NO_DAY)
    strange = (birth != NO_DAY) & (first < birth) | dated & ((birth > newest) | (newest - birth > OLDEST * 365))
    inner = np.zeros(len(facts), bool)
    inner[read.parts.wholes] = inner[read.parts.parts] = True
    odd = np.union1d(facts.patient[wrong & inner], np.flatnonzero(strange))
    changed, problems = _changed(facts, np.flatnonzero(wrong & ~inner), bases, catalogue)
    return Possible(changed, problems, odd)


_NUMBERS = ("value", "uln", "lln")


def _changed(facts: Facts, places: Ints, bases: Bases, catalogue: Catalogue) -> tuple[Facts, list[tuple[int, Problem]]]:
    """The facts with those at some places as `without_impossible` leaves them."""
    problems: list[tuple[int, Problem]] = []
    gone: dict[str, list[int]] = {name: [] for name in _NUMBERS}
    base = facts.base.copy() if len(places) else facts.base
    for place in places.tolist():
        (left,), wrong = without_impossible([fact_at(facts, bases, place)], catalogue)
        problems += [(int(facts.patient[place]), one) for one in wrong]
        lacking = [name for name in _NUMBERS if wrong and getattr(left, name) is None]
        for name in lacking:
            gone[name].append(place)
        if wrong:
            same = bases.facts[int(base[place])]
            none: dict[str, Any] = dict.fromkeys(lacking)
            base[place] = bases.place(replace(same, lacks=left.lacks, **none))
    numbers: dict[str, Any] = {name: _without(getattr(facts, name), some) for name, some in gone.items() if some}
    return replace(facts, base=base, **numbers) if problems else facts, problems


def _without(numbers: Numbers, places: Sequence[int]) -> Numbers:
    left = numbers.writable
    left.low[places], left.high[places], left.flags[places] = np.nan, np.nan, 0
    return left


@dataclass(frozen=True, eq=False)
class Stated:
    """Facts that were read, the place of the kind of each in `kinds`, their components, and each patient's birth."""

    facts: Facts
    kind: NDArray[np.int32]
    kinds: Sequence[str]
    parts: Components
    born: Moments


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
