"""Which records could be the newest or the first, and for which rows there may be none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Which
from onstudy.engines.vector import relations
from onstudy.engines.vector.arrays import FALSE, TRUE, Array, Index, Mask, Truths, any_at, largest_at, taken, whole
from onstudy.engines.vector.frames import Frame, Records
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.queries import Evaluator, Matches


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """The records that could be the one, of which set of matches each is, and the rows that may have none."""

    possible: Sequence[Matches]
    sets: Sequence[int]
    lacking: Mask


def picked(pick: e.Pick, frame: Frame, ask: Evaluator) -> Picked:
    """The records that could be the one asked for; by value, all that match."""
    possible, sets = [], []
    lacking = np.ones(frame.rows, np.bool_)
    for number, match in enumerate(ask.matches(pick.records, frame)):
        rows = np.flatnonzero(match.truth != FALSE)
        if pick.by_time:
            rows = _outermost(match, rows, frame.rows, pick.which is Which.LATEST)
        if len(rows):
            chosen = some(match, rows)
            lacking[chosen.at.take(np.flatnonzero(chosen.truth == TRUE))] = False
            possible.append(chosen)
            sets.append(number)
    return Picked(possible, sets, lacking)


def some(match: Matches, rows: Index) -> Matches:
    """Some of the records looked at, still of the rows they belong to."""
    whole_frame, subjects = match.records.frame, match.records.subjects.take(rows)
    frame = Frame(whole_frame.setting, len(rows), whole_frame.to_pairs(rows), subjects, match.at.take(rows))
    return Matches(Records(frame, subjects), match.truth.take(rows), taken(match.placed, rows), rows)


def _outermost(match: Matches, kept: Index, rows: int, newest: bool) -> Index:
    """Of some of the matches those that could be the newest (or the first)."""
    truth, start, at = match.truth.take(kept), match.records.subjects.start.take(kept), match.at.take(kept)
    return kept.take(np.flatnonzero(outermost(truth, start, at, rows, newest)))


def outermost(truth: Truths, start: Moments, at: Index, rows: int, newest: bool) -> Mask:
    """Those that no certain match surely comes after (or, for the earliest, before)."""
    sure = np.flatnonzero(truth == TRUE)
    if start.plain:
        days = whole(start.first, len(at)) if newest else -whole(start.first, len(at))
        some = (at, days) if len(sure) == len(at) else (at.take(sure), days.take(sure))
        best = largest_at(*some, rows, np.iinfo(np.int32).min)
        kept: Mask = days >= best.take(at)
        return kept
    zoned = np.zeros(1, np.bool_) if start.offset is None else relations.with_offset(start)
    assert zoned is not None
    zoned = whole(zoned, len(at))
    wall, utc = _edges(start, None, newest), _edges(start, zoned, newest)
    gone = _passed(wall, at, sure, rows) & ~zoned
    if zoned.any():
        gone |= _passed(wall, at, sure[~zoned[sure]], rows) & zoned
        gone |= _passed(utc, at, sure[zoned[sure]], rows) & zoned
    return ~gone


_Edges = tuple[Array, Mask, Array, Mask]


def _edges(start: Moments, shared: Mask | None, newest: bool) -> _Edges:
    """The near and the far bound of each, mirrored where the earliest is asked: (near, open, far, open)."""
    spans = relations.universal(start, shared)
    size = len(start)
    low_open, high_open = (whole(np.atleast_1d(np.asarray(part)), size) for part in (spans.low_open, spans.high_open))
    if newest:
        return spans.low, low_open, spans.high, high_open
    return -spans.high, high_open, -spans.low, low_open


def _passed(edges: _Edges, at: Index, sure: Array, rows: int) -> Mask:
    """Those whose far bound lies before the nearest bound of a certain one."""
    near, near_open, far, far_open = (whole(part, len(at)) for part in edges)
    nothing = np.iinfo(np.int64).min
    best = largest_at(at[sure], near[sure], rows, nothing)
    of_best = sure[near[sure] == best[at[sure]]]
    opens = any_at(rows, at[of_best[near_open[of_best]]])
    found: Mask = (best[at] > far) | ((best[at] == far) & (opens[at] | far_open) & (best[at] != nothing))
    return found
