"""States: the newest statement on or before the index date, yes or no, holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onstudy.criteria import expr as e
from onstudy.criteria.judged import judged_by
from onstudy.engines.vector import moments, relations
from onstudy.engines.vector.arrays import (
    ALL_TRUE,
    FALSE,
    TRUE,
    UNKNOWN,
    Index,
    Mask,
    Truths,
    any_at,
    largest_at,
    least_alike,
    whole,
)
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.denials import Denials
from onstudy.engines.vector.frames import Frame, Records
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.picking import outermost
from onstudy.engines.vector.places import Places
from onstudy.engines.vector.queries import Evaluator, examined, until_index
from onstudy.engines.vector.regions import over
from onstudy.engines.vector.subjects import Recorded
from onstudy.record.catalogue import NO, YES, Kind
from onstudy.record.unread import may_be_judged
from onstudy.values.calendar import Duration, Unit


@dataclass(frozen=True, slots=True, eq=False)
class Statements:
    """Statements of a state: the row of each, whether it was made by the index date, and what it says."""

    at: Index
    made: Truths
    says: Truths
    lasts: Truths  # whether it may still hold, though nobody ended it
    overtaken: Mask  # it has not, or may not have, seen a record it would have to judge: it says nothing
    over: Mask  # it is a "no" that a diagnosis nobody could read has, or may have, ended: it says nothing
    when: Moments
    places: Places
    records: Records | None = None  # None: they say no

    def take(self, rows: Index) -> Statements:
        """Some of them."""
        return Statements(
            self.at[rows],
            self.made[rows],
            self.says[rows],
            self.lasts[rows],
            self.overtaken[rows],
            self.over[rows],
            self.when.take(rows),
            self.places.take(rows),
            self.records,
        )


def newest(node: e.Any, kind: Kind, frame: Frame, ask: Evaluator) -> list[tuple[Statements, Index]]:
    """The statements that could be the newest, with which of their set they are."""
    sets = [_said(part, node, kind, ask) for part in frame.records(kind.name)]
    denied = _denied(kind, frame)
    if denied is not None:
        sets.append(denied)
    if not sets:
        return []
    sizes = [len(part.at) for part in sets]
    at = np.concatenate([part.at for part in sets])
    made = np.concatenate([part.made for part in sets])
    kept = outermost(made, moments.concat([part.when for part in sets], sizes), at, frame.rows, newest=True)
    kept &= made != FALSE
    standing = np.concatenate([(part.lasts != FALSE) & ~part.over for part in sets])
    if not standing.all():  # where all is surely over, it is as if it were not recorded
        kept &= any_at(frame.rows, at[kept & standing])[at]
    if kind.judges and kept.any():
        sets = _judged(sets, at, np.split(kept, np.cumsum(sizes)[:-1]), kind, frame, ask)
    found = []
    for part, mine in zip(sets, np.split(kept, np.cumsum(sizes)[:-1]), strict=True):
        rows = np.flatnonzero(mine)
        if len(rows):
            found.append((part.take(rows), rows))
    return found


# What an attestation judges ---------------------------------------------------------------------------------


def _judged(
    sets: Sequence[Statements], at: Index, kept: Sequence[Mask], kind: Kind, frame: Frame, ask: Evaluator
) -> list[Statements]:
    """The statements, of which those that have not seen a record they would have to judge say nothing.

    Only the records of the rows that have such statements are looked at.
    """
    telling = [part if _may_be_taken_back(part, kind) else None for part in sets]
    rows = np.unique(np.concatenate([at[:0], *(p.at[k] for p, k in zip(telling, kept, strict=True) if p is not None)]))
    if not len(rows):
        return list(sets)
    since = _since_when(kind, frame, rows, ask)
    return [
        part if told is None else _taken_back(part, since[part.at]) for part, told in zip(sets, telling, strict=True)
    ]


def _may_be_taken_back(part: Statements, kind: Kind) -> bool:
    return kind.stays != (NO if part.records is None else YES)


def _taken_back(part: Statements, since: NDArray[np.int32]) -> Statements:
    """The statements, of which one says nothing that may not have seen what there was since (`since`)."""
    overtaken = since > _seen_until(part)
    if part.records is not None:
        overtaken &= part.says != FALSE
    return replace(part, overtaken=overtaken, says=np.where(overtaken, UNKNOWN, part.says))


def _seen_until(part: Statements) -> NDArray[np.int32]:
    """The first day on which each may have been given; without such a day, that of its record, else the last."""
    size = len(part.at)
    first, last = whole(part.when.first, size), whole(part.when.last, size)
    open_ended = first <= -FAR
    if not open_ended.any():
        return first
    recorded = part.places.moment("recorded")
    said = whole(recorded.known & (recorded.first > -FAR), size)
    return np.where(~open_ended, first, np.where(said, np.minimum(recorded.first, last), last)).astype(np.int32)


def _since_when(kind: Kind, frame: Frame, rows: Index, ask: Evaluator) -> NDArray[np.int32]:
    """Of some rows the last day up to the index date on which a finding that is judged may have begun, or first been
    charted; `-FAR` where there is none.
    """
    found = np.full(frame.rows, -FAR, np.int32)
    for judged in judged_by(kind.name, frame.setting.catalogue):
        has_any = frame.setting.family(judged.kind).records.has_rows
        some = frame.take(rows[has_any[frame.patient[rows]]])
        for match in ask.matches(frame.setting.forest.shared(judged), some) if some.rows else ():
            among = np.flatnonzero(match.truth != FALSE)
            at, subjects = match.at[among], match.records.subjects.take(among)
            days = _begun_or_charted(subjects, at, match.truth[among] == TRUE)
            latest = largest_at(at, days, some.rows, -FAR)
            found[some.at] = np.maximum(found[some.at], latest)
    if may_be_judged(kind, frame.setting.catalogue):
        found[rows] = np.maximum(found[rows], _unread_since(kind, frame.take(rows)))
    return found


def _unread_since(kind: Kind, frame: Frame) -> NDArray[np.int32]:
    """Of each row the last such day of a diagnosis that nobody could read, each of which is a finding of its own."""
    family = frame.setting.family(kind.name)
    unread = family.unmapped.diagnoses(any_at(frame.setting.shard.patients.rows, frame.patient))
    if not len(unread):
        return np.full(frame.rows, -FAR, np.int32)
    part = frame.laid_out(family, unread, plain=False)
    at, subjects = part.at, part.subjects
    recorded, index = subjects.places.moment("recorded"), subjects.index.first
    begun = np.minimum(subjects.start.last, index)
    charted = np.where(recorded.known, np.minimum(recorded.last, index), np.int32(-FAR))
    days = np.where(until_index(subjects.start, subjects.index) != FALSE, np.maximum(begun, charted), np.int32(-FAR))
    return largest_at(at, whole(days, len(at)).astype(np.int32), frame.rows, -FAR)


def _begun_or_charted(subjects: Recorded, at: Index, certain: Mask) -> NDArray[np.int32]:
    """Since when each was there to be seen. Of one without a first day only its day of record tells that it is late:
    without that nothing does. What is of one kind and began on one day is one finding, however often it was charted;
    results are not. `certain`: which are surely among those that are judged.
    """
    rows = len(at)
    first, last = whole(subjects.start.first, rows), whole(subjects.start.last, rows)
    index = whole(subjects.index.first, rows)
    recorded = subjects.places.moment("recorded")
    stated, dated = whole(recorded.known, rows), first > -FAR
    begun = np.where(stated | dated, np.minimum(last, index), np.int32(-FAR))
    if not stated.any():
        return begun
    charted = np.where(stated, np.minimum(recorded.last, index), np.int32(-FAR))
    exact = np.flatnonzero((first == last) & ~subjects.moments_only)
    keys = [at, first, *([] if subjects.places.piece is None else [subjects.places.piece])]
    elsewhere = least_alike(np.where(certain, charted, np.int32(FAR))[exact], [key[exact] for key in keys])
    charted[exact] = np.minimum(charted[exact], elsewhere)
    return np.maximum(begun, charted)


# Statements -----------------------------------------------------------------------------------------------


def _said(part: Records, node: e.Any, kind: Kind, ask: Evaluator) -> Statements:
    subjects = part.subjects
    rows = part.frame.rows
    own = ~subjects.family.unspecified(subjects.places)
    made = whole(np.where(own, until_index(subjects.start, subjects.index), FALSE), rows)
    lasts = whole(_lasts(subjects, kind), rows)
    says = examined(part, np.where(lasts == TRUE, TRUE, UNKNOWN), node.records, kind, ask)
    never = np.zeros(rows, np.bool_)
    return Statements(part.at, made, says, lasts, never, never, subjects.start, subjects.places, part)


def _lasts(subjects: Recorded, kind: Kind) -> Truths:
    """Whether a statement of a state may still hold: it may not once no such state lasts as long."""
    if kind.lasts_at_most is None:
        return ALL_TRUE
    return relations.at_most(subjects.index, relations.moved(subjects.start, Duration(kind.lasts_at_most, Unit.DAYS)))


def _denied(kind: Kind, frame: Frame) -> Statements | None:
    family = frame.setting.family(kind.name)
    negatives = family.negatives
    if not len(negatives):
        return None
    mine = np.flatnonzero(whole(negatives.among(family.itself_and_above), len(negatives)))
    negatives = negatives.only(mine)
    at, rows = negatives.of(frame.patient)
    places, pair = negatives.take(rows), frame.to_pairs(at)
    denials = Denials(places, frame.setting, pair)
    when, size = denials.statement, len(at)
    made = whole(until_index(when, frame.setting.index.take(pair)), size)
    ended = over(denials, frame, at, family)
    ended &= ~any_at(frame.rows, at[~ended & (made == TRUE)])[at]  # where one has seen it, so has the newest
    says = np.where(ended, UNKNOWN, FALSE)
    return Statements(at, made, says, np.full(size, TRUE), np.zeros(size, np.bool_), ended, when, places)


def sure(found: Sequence[tuple[Statements, Index]], rows: int) -> tuple[Mask, Mask]:
    """The rows that have a statement that could be the newest, and those of which one was surely made in time."""
    some, certain = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    for statements, _ in found:
        some[statements.at] = True
        certain[statements.at[statements.made == TRUE]] = True
    return some, certain
