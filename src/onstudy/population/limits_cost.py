"""How many more candidates each step of a limit would bring, by age and sex.

Counted over the patients whom one criterion alone keeps out of a cohort. Where the moved limit leaves the answer
unknown, the patient stays out in the worst case and comes in in the best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.trial import Trial
from onstudy.language.parse import parse
from onstudy.population.limits import NumericLimit, numeric_limits
from onstudy.population.prescreen_question import required
from onstudy.population.prescreen_verdicts import MET, NOT_MET, UNKNOWN, Truths
from onstudy.record.catalogue import Catalogue

#: From how many completed years on each group counts; the last is those whose age is not known.
AGES = (18, 40, 60, 75)
AGE_NAMES = ("under 18", "18 to 39", "40 to 59", "60 to 74", "75 and over", "age not known")
SEX_NAMES = ("women", "men", "sex not known")
_GROUPS = len(AGE_NAMES) * len(SEX_NAMES)

#: How an engine answers a rule: a truth for each of the patients in question.
Ask = Callable[[TruthExpr], Truths]


@dataclass(frozen=True)
class LimitLine:
    """One step of one limit for one cohort: `counts` by [worst, best case], age group and sex."""

    trial: str
    cohort: str
    criterion: str
    comparison: str
    now: str
    instead: str
    counts: NDArray[np.int64]

    @property
    def at_least(self) -> int:
        """More candidates in the worst case."""
        return int(self.counts[0].sum())

    @property
    def at_most(self) -> int:
        """More candidates in the best case."""
        return int(self.counts[1].sum())

    def by_age_and_sex(self) -> dict[str, dict[str, int]]:
        """More candidates in the best case."""
        return {
            age: {sex: int(self.counts[1, row, column]) for column, sex in enumerate(SEX_NAMES)}
            for row, age in enumerate(AGE_NAMES)
        }


def limits_of(trial: Trial) -> dict[str, tuple[NumericLimit, ...]]:
    """The limits of each required criterion that has any."""
    found = {}
    for cohort in trial.cohorts:
        for row in required(trial, cohort):
            if row.rule is not None and row.id not in found:
                found[row.id] = numeric_limits(row.rule)
    return {name: limits for name, limits in found.items() if limits}


@dataclass(frozen=True)
class Grouping:
    """The rules that tell a patient's age group and sex."""

    ages: tuple[TruthExpr, ...]
    female: TruthExpr
    male: TruthExpr


def grouping(catalogue: Catalogue) -> Grouping:
    """The rules, in the words of the catalogue."""
    return Grouping(
        tuple(parse(f"age at registration >= {years} years", catalogue) for years in AGES),
        parse("latest sex is female", catalogue),
        parse("latest sex is male", catalogue),
    )


def groups(ask: Ask, by: Grouping) -> NDArray[np.intp]:
    """The group of each patient: age group times three plus sex."""
    reached = [ask(rule) for rule in by.ages]
    age = sum((truth == MET).astype(np.intp) for truth in reached)
    unclear = np.logical_or.reduce([truth == UNKNOWN for truth in reached])
    sex = np.where(ask(by.female) == MET, 0, np.where(ask(by.male) == MET, 1, 2))
    found: NDArray[np.intp] = np.where(unclear, len(AGE_NAMES) - 1, age) * len(SEX_NAMES) + sex
    return found


def counted(truth: Truths, kept_out: NDArray[np.bool_], group: NDArray[np.intp]) -> list[list[int]]:
    """How many of those kept out would come in, by group: [worst case, best case]."""
    cases = (kept_out & (truth == MET), kept_out & (truth != NOT_MET))
    return [np.bincount(group[case], minlength=_GROUPS).tolist() for case in cases]


def lines(trial: Trial, counts: Mapping[str, Any]) -> Iterator[LimitLine]:
    """What was counted of a trial's limits, one line for each cohort, criterion, limit and step."""
    limits = limits_of(trial)
    shape = (2, len(AGE_NAMES), len(SEX_NAMES))
    for cohort in trial.cohorts:
        for name, steps in counts["cohorts"][cohort.id]["limits"].items():
            several = [(limit, step) for limit in limits[name] for step in limit.steps]
            for (limit, step), found in zip(several, steps, strict=True):
                table = np.array(found, np.int64).reshape(shape)
                yield LimitLine(trial.id, cohort.id, name, limit.comparison, limit.written, step.written, table)
