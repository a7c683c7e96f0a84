"""What cannot be so in the records of many patients: `record/impossible.py`, run on the few facts that it may be about.

Where it is about a component, or about the birth itself, the patient is told, to be put together one by one.
More facts and patients may be looked at than those; whatever is left out is surely none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from onstudy.errors import Problem
from onstudy.population.bulk_facts import Bases, Components, Facts, fact_at
from onstudy.population.bulk_moments import Moments
from onstudy.population.bulk_numbers import Flags
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_same import is_same
from onstudy.population.bulk_spans import Numbers
from onstudy.record.catalogue import Catalogue
from onstudy.record.impossible import OLDEST, without_impossible
from onstudy.record.sexes import SEX
from onstudy.record.shard import HIGH_OPEN, NO_DAY, NO_INSTANT
from onstudy.values.calendar import DAY

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

    Odd are patients with nothing after their birth, with more years behind them than people live, or with a component
    that may be impossible.
    """
    facts = read.facts
    some = [_below_zero(facts.value), _below_zero(facts.lln), _below_zero(facts.uln), _is_zero(facts.uln)]
    some += [_crossed(facts.uln, facts.lln), perhaps_outside(facts.value, facts.base, bases, catalogue)]
    wrong = np.unique(np.concatenate(some))
    newest = _last_days(facts, bases, len(read.born))
    birth, _ = read.born.days
    dated = (birth != NO_DAY) & (newest != NO_DAY)
    strange = dated & ((birth > newest) | (newest - birth > OLDEST * 365))
    inner = np.zeros(len(facts), bool)
    inner[read.parts.wholes] = inner[read.parts.parts] = True
    odd = np.union1d(facts.patient[wrong[inner[wrong]]], np.flatnonzero(strange))
    changed, problems = _changed(facts, wrong[~inner[wrong]], bases, catalogue)
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
    """Facts that were read, their components, and each patient's birth."""

    facts: Facts
    parts: Components
    born: Moments


def perhaps_outside(number: Numbers, base: Ints, bases: Bases, catalogue: Catalogue) -> Ints:
    """The places of those that lie outside what is possible for their kind, or so near that one has to look."""
    kinds = [catalogue.kinds.get(one.kind) for one in bases.facts]
    pairs = [(np.nan, np.nan) if kind is None or kind.plausible is None else kind.plausible for kind in kinds]
    low, high = np.array(pairs, np.float64).reshape(len(pairs), 2).T
    with np.errstate(invalid="ignore"):
        near = number.high < (low + np.abs(low) * NEAR)[base]
        near |= number.low > (high - np.abs(high) * NEAR)[base]
    some = np.flatnonzero(near)
    within = (low[base[some]] <= number.low[some]) & (number.high[some] <= high[base[some]])  # as a bound itself is
    return some[~within]


def _among(numbers: Sequence[Numbers], test: Callable[..., Flags]) -> Ints:
    """The places where something is so of numbers; where all are the same, the first tells it of all."""
    same = is_same(*(column for one in numbers for column in one.arrays))
    with np.errstate(invalid="ignore"):
        holds = test(*((one.take(np.arange(1)) for one in numbers) if same else numbers))
    return np.arange(len(numbers[0].low)) if same and holds[0] else np.flatnonzero(holds)


def _below_zero(number: Numbers) -> Ints:
    """Those of which all may lie below zero."""
    return _among([number], lambda one: (one.high <= 0) & ~((one.high == 0) & one.exact))


def _is_zero(number: Numbers) -> Ints:
    return _among([number], lambda one: one.high == 0)


def _crossed(upper: Numbers, lower: Numbers) -> Ints:
    """Limits of normal of which the upper one may lie below the lower one."""
    return _among([upper, lower], lambda up, low: (up.high <= low.low) & ~((up.high == low.low) & up.exact & low.exact))


def _last_days(facts: Facts, bases: Bases, patients: int) -> Ints:
    """Of each patient the last day anything may be of, `NO_DAY` without a dated fact; sex is not asked, which begins at
    birth.
    """
    told = np.array([base.kind != SEX for base in bases.facts], bool)
    newest = np.full(patients, NO_INSTANT)
    for moments in (facts.start, facts.recorded):
        if is_same(moments.high) and moments.high[0] == NO_INSTANT:
            continue
        dated = (moments.high != NO_INSTANT) & told[facts.base]
        last = moments.high - ((moments.flags & HIGH_OPEN) != 0)
        np.maximum.at(newest, facts.patient, np.where(dated, last, NO_INSTANT))
    return np.where(newest == NO_INSTANT, NO_DAY, newest // DAY)
