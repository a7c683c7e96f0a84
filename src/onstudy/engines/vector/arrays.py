"""Truths as arrays, and how rows of one thing are spread over, or gathered into, rows of another.

A truth is int8: 0 FALSE, 1 UNKNOWN, 2 TRUE. Where every row says the same, an array of one row stands for all.
`at` is for each row of a finer thing (a record of a patient) the row of the coarser one (the patient) it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Truths = NDArray[np.int8]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

FALSE, UNKNOWN, TRUE = np.int8(0), np.int8(1), np.int8(2)
#: One row that stands for all.
ALL_FALSE, ALL_UNKNOWN, ALL_TRUE = (np.array([truth], np.int8) for truth in (FALSE, UNKNOWN, TRUE))


def truths(yes: Mask, no: Mask) -> Truths:
    """TRUE where `yes`, FALSE where `no`, UNKNOWN elsewhere; never both."""
    return yes.view(np.int8) - no.view(np.int8) + UNKNOWN


def certain(yes: Mask) -> Truths:
    """TRUE where `yes`, FALSE elsewhere."""
    return yes.view(np.int8) << 1


def negated(truth: Truths) -> Truths:
    """NOT."""
    return TRUE - truth


def least(parts: Iterable[Truths]) -> Truths:
    """AND; TRUE where there are no parts."""
    found: Truths | None = None
    for part in parts:
        found = part if found is None else np.minimum(found, part)
    return ALL_TRUE if found is None else found


def greatest(parts: Iterable[Truths]) -> Truths:
    """OR; FALSE where there are no parts."""
    found: Truths | None = None
    for part in parts:
        found = part if found is None else np.maximum(found, part)
    return ALL_FALSE if found is None else found


def whole(values: Array, rows: int) -> Array:
    """The values with a row for each: one that stands for all is repeated."""
    return values if len(values) == rows else np.broadcast_to(values, (rows,))


def taken(values: Array, rows: Array) -> Array:
    """Some rows of values; one that stands for all still does."""
    return values if len(values) == 1 else values.take(rows)


#: For each set of truths seen (a bit each) what they say together: UNKNOWN where they differ or there are none.
_AGREED = np.full(8, UNKNOWN)
_AGREED[1 << FALSE], _AGREED[1 << TRUE] = FALSE, TRUE


class Agreement:
    """What all candidates of a row say, gathered from several sets of them."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._seen = np.zeros(rows, np.uint8)

    def add(self, at: Index | None, truth: Truths) -> None:
        """The truth of some candidates; without `at`, one of each row."""
        bits = np.left_shift(np.uint8(1), truth.view(np.uint8))
        if at is None:
            self._seen |= bits
        elif ascending(at):
            self._seen[at] = self._seen.take(at) | bits
        else:
            np.bitwise_or.at(self._seen, at, whole(bits, len(at)))

    def doubt(self, rows: Mask) -> None:
        """Rows that have one more candidate, of which nothing is known."""
        self._seen |= rows.view(np.uint8) << 1

    def truth(self) -> Truths:
        """What they say."""
        return _AGREED.take(self._seen)


def ascending(at: Index) -> bool:
    """Whether rows occur in order, each once."""
    return len(at) < 2 or bool((at[1:] > at[:-1]).all())


def raise_to(found: Truths, at: Index, truth: Truths) -> None:
    """Make each row of `found` at least what its candidates say."""
    truth = whole(truth, len(at))
    rows = np.flatnonzero(truth)
    if not len(rows):
        return
    at, truth = at.take(rows), truth.take(rows)
    found[at] = np.maximum(found.take(at), UNKNOWN)
    found[at.take(np.flatnonzero(truth == TRUE))] = TRUE


def any_at(rows: int, at: Index) -> Mask:
    """Which rows occur in `at`."""
    found = np.zeros(rows, np.bool_)
    found[at] = True
    return found


def counts_at(rows: int, at: Index) -> Index:
    """How often each row occurs in `at`."""
    return np.bincount(at, minlength=rows)


def spread(starts: Array, counts: Array) -> tuple[Index, Index]:
    """For each row `counts` finer rows from `starts` on: (the row each belongs to, the finer rows), in order."""
    total = int(counts.sum())
    at = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    finer = np.arange(total) + np.repeat(starts - before, counts)
    return at, finer


def pointers(at: Array, rows: int) -> Array:
    """For sorted `at`: where the finer rows of each row begin, and behind them where all end."""
    found = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(at, minlength=rows), out=found[1:])
    return found


def sorted_by(at: Index) -> Index | None:
    """The order that sorts `at` and keeps its equals in theirs; None where it is sorted."""
    if len(at) < 2 or bool((at[1:] >= at[:-1]).all()):
        return None
    return np.argsort(at, kind="stable")


def joined(left: Index, right: Index, rows: int) -> tuple[Index, Index]:
    """All pairs of entries of `left` and `right` that belong to the same row, as places in each; `right` is sorted."""
    ends = pointers(right, rows)
    begins = ends.take(left)
    which, places = spread(begins, ends.take(left + 1) - begins)
    return which, places


def largest_at(at: Index, values: Array, rows: int, nothing: float) -> Array:
    """The largest value of each row; `nothing` where it has none."""
    found = np.full(rows, nothing, values.dtype)
    if len(at):
        order = sorted_by(at)
        if order is not None:
            at, values = at.take(order), values.take(order)
        other = at[1:] != at[:-1]
        if (other | (values[1:] >= values[:-1])).all():
            found[at] = values  # of several the last stays, which is the largest
        else:
            starts = np.flatnonzero(np.concatenate([[True], other]))
            found[at[starts]] = np.maximum.reduceat(values, starts)
    return found


def least_alike(values: Array, keys: Sequence[Array]) -> Array:
    """For each value the least of those that have the same keys."""
    if not len(values):
        return values
    order = np.lexsort(keys)
    other = np.zeros(len(values) - 1, np.bool_)
    for key in keys:
        sorted_key = key.take(order)
        other |= sorted_key[1:] != sorted_key[:-1]
    starts = np.flatnonzero(np.concatenate([[True], other]))
    found = np.empty_like(values)
    found[order] = np.repeat(np.minimum.reduceat(values.take(order), starts), np.diff(np.append(starts, len(values))))
    return found
