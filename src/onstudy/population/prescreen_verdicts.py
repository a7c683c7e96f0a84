"""Statuses and verdicts as small numbers: what the columns of criteria.parquet hold, and how one makes the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Truths = NDArray[np.int8]

#: The status of a criterion: the truth (0, 1, 2), and 3 where it does not apply, which counts as met.
NOT_MET, UNKNOWN, MET, NOT_APPLICABLE = range(4)
STATUS_NAMES = ("not_met", "unknown", "met", "not_applicable")

#: The verdict of a cohort, in the order of hope.
INELIGIBLE, UNDETERMINED, ELIGIBLE_IF_CONFIRMED, ELIGIBLE = range(4)
VERDICT_NAMES = ("ineligible", "undetermined", "eligible_if_confirmed", "eligible")


def statuses(truth: Truths, condition: Truths | None) -> Truths:
    """The status of a criterion from its truth and, where its rule is `if ... then`, the truth of that condition."""
    if condition is None:
        return truth
    return np.where((truth == MET) & (condition == NOT_MET), np.int8(NOT_APPLICABLE), truth)


def verdicts(recorded: Truths, confirmed: Truths) -> tuple[Truths, Truths]:
    """The verdict as recorded and if confirmed, from the two truths of a cohort."""
    later = _LATER[confirmed]
    now = np.where(recorded == UNKNOWN, np.where(confirmed == MET, _HOPED, _OPEN), _LATER[recorded])
    return now.astype(np.int8), later


_LATER = np.array([INELIGIBLE, UNDETERMINED, ELIGIBLE], np.int8)
_HOPED, _OPEN = np.int8(ELIGIBLE_IF_CONFIRMED), np.int8(UNDETERMINED)
