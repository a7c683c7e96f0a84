"""Attrition: whom each required criterion of a cohort excludes, alone, in protocol order, and by itself alone.

Only a criterion that is not met excludes. What is unknown excludes nobody: it is counted beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onstudy.population.prescreen_verdicts import MET, NOT_APPLICABLE, NOT_MET, UNKNOWN

#: The columns of attrition.csv after trial, cohort, place, step and criterion; each is a count of patients.
COUNTS = (
    "assessed", "met", "not_applicable", "unknown", "unknown_if_confirmed", "not_met",
    "excluded_in_order", "left_in_order", "only_this_one",
)  # fmt: skip


@dataclass(frozen=True)
class Attrition:
    """Counts of patients, one column of `counts` for each required criterion, in protocol order.

    `counts` has the rows of `COUNTS` but for `assessed` and `left_in_order`, which follow from the others.
    """

    assessed: int
    counts: NDArray[np.int64]

    def __add__(self, other: Attrition) -> Attrition:
        return Attrition(self.assessed + other.assessed, self.counts + other.counts)

    def lines(self) -> list[dict[str, int]]:
        """One mapping of `COUNTS` for each criterion."""
        left = self.assessed - np.cumsum(self.counts[_EXCLUDED])
        found = []
        for number in range(self.counts.shape[1]):
            line = {name: int(self.counts[row, number]) for row, name in enumerate(_STORED)}
            line |= {"assessed": self.assessed, "left_in_order": int(left[number])}
            found.append({name: line[name] for name in COUNTS})
        return found


_STORED = tuple(name for name in COUNTS if name not in ("assessed", "left_in_order"))
_EXCLUDED = _STORED.index("excluded_in_order")


def attrition(recorded: NDArray[np.int8], confirmed: NDArray[np.int8]) -> Attrition:
    """The counts of one cohort from the statuses (see `prescreen_verdicts`) of its required criteria.

    Both arrays have a row for each criterion in protocol order and a column for each patient.
    """
    criteria, patients = recorded.shape
    fails = recorded == NOT_MET
    how_many = fails.sum(axis=0)
    if criteria:
        first = np.argmax(fails, axis=0)
        excluded = np.bincount(first[how_many > 0], minlength=criteria)
        only = np.bincount(first[how_many == 1], minlength=criteria)
    else:
        excluded = only = np.zeros(0, np.int64)
    rows = {
        "met": (recorded == MET).sum(axis=1),
        "not_applicable": (recorded == NOT_APPLICABLE).sum(axis=1),
        "unknown": (recorded == UNKNOWN).sum(axis=1),
        "unknown_if_confirmed": (confirmed == UNKNOWN).sum(axis=1),
        "not_met": fails.sum(axis=1),
        "excluded_in_order": excluded,
        "only_this_one": only,
    }
    return Attrition(patients, np.array([rows[name] for name in _STORED], np.int64).reshape(len(_STORED), criteria))


def total(parts: Iterable[Attrition]) -> Attrition:
    """The sum of at least one part."""
    first, *rest = parts
    for part in rest:
        first = first + part
    return first


def steps_left(lines: Sequence[dict[str, int]], steps: Sequence[str]) -> list[tuple[str, int, int]]:
    """For each stretch of criteria of one step: its name, how many it excluded in order, how many were left."""
    found: list[tuple[str, int, int]] = []
    for line, step in zip(lines, steps, strict=True):
        excluded, left = line["excluded_in_order"], line["left_in_order"]
        if found and found[-1][0] == step:
            found[-1] = (step, found[-1][1] + excluded, left)
        else:
            found.append((step, excluded, left))
    return found
