"""Why records may or may not be those a rule asks for, and why there may be others that nobody made."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from onstudy.criteria import expr as e
from onstudy.criteria.expr import TruthExpr, ValueExpr
from onstudy.criteria.finding import Reason
from onstudy.engines.vector import relations
from onstudy.engines.vector.arrays import FALSE, TRUE, UNKNOWN, Mask, any_at, whole
from onstudy.engines.vector.causes import (
    BITS,
    AskBook,
    Causes,
    ValueCauses,
    asked_of,
    because,
    lacks,
    none,
    pieces,
    union,
)
from onstudy.engines.vector.frames import Frame, Records
from onstudy.engines.vector.queries import Matches, conflicting
from onstudy.engines.vector.truths import Answers
from onstudy.record.catalogue import STATE, Kind


class Explainer(Protocol):
    """Whoever knows why the nodes inside a query are unknown."""

    answers: Answers
    book: AskBook

    def of(self, node: TruthExpr, frame: Frame) -> Causes:
        """The causes of the rows for which a truth node is UNKNOWN."""
        ...

    def values(self, node: ValueExpr, frame: Frame) -> ValueCauses:
        """The causes of every value a value node may have."""
        ...


def of_matches(records: e.Records, frame: Frame, why: Explainer) -> list[Causes]:
    """For each set of matches the causes of those that are UNKNOWN."""
    kind = frame.setting.catalogue.kinds[records.kind]
    anchors = None if records.lookback is None else why.values(records.lookback.anchor, frame).together()
    return [_of_match(match, records, kind, anchors, why) for match in why.answers.matches(records, frame)]


def _of_match(match: Matches, records: e.Records, kind: Kind, anchors: Causes | None, why: Explainer) -> Causes:
    rows = match.records.frame.rows
    unknown, unplaced = match.truth == UNKNOWN, whole(match.placed, rows) == UNKNOWN
    unset = none(rows) if anchors is None else anchors.take(match.at).only(unknown & unplaced)
    undated = unknown & unplaced & (unset.reasons == 0)
    parts = [unset, of_record(match.records, records.where, kind, undated, unknown, why)]
    places = match.records.subjects.places
    other = whole(match.records.subjects.family.unspecified(places), rows) & unknown
    if other.any():
        unstated = np.where(other, BITS[Reason.NOT_STATED], np.uint16(0))
        parts.append(asked_of(unstated, places.kinds, pieces(places), why.book.of_fact))
    return union(parts, rows)


def of_record(
    part: Records, where: TruthExpr | None, kind: Kind, undated: Mask, unknown: Mask, why: Explainer
) -> Causes:
    """Why facts are only possibly among those asked for, save for the anchors of their window."""
    subjects, rows = part.subjects, part.frame.rows
    places, family = subjects.places, subjects.family
    reasons = np.where(undated, BITS[Reason.IMPRECISE_DATE], np.uint16(0))
    if not subjects.plain:
        kinds = [family.catalogue.kinds[name] for name in places.kinds]
        if places.has("suspected"):
            counts = places.spread([entry.suspected_counts for entry in kinds], np.bool_)
            doubtful = whole(places.get("suspected") & ~counts, rows)
            reasons |= np.where(doubtful, BITS[Reason.IMPRECISE_VALUE], np.uint16(0))
        measured = whole(places.spread([entry.measured for entry in kinds], np.bool_), rows)
        reasons |= np.where(measured, np.uint16(0), lacks(places))
        if kind.extent != STATE:
            reasons |= np.where(conflicting(part), BITS[Reason.CONFLICT], np.uint16(0))
    reasons = np.where(unknown, reasons, np.uint16(0))
    own = asked_of(reasons, places.kinds, pieces(places), why.book.of_fact)
    return own if where is None else union([own, why.of(where, part.frame).only(unknown)], rows)


def of_open(records: e.Records, body: TruthExpr | None, frame: Frame, why: Explainer) -> Causes:
    """Why a record that nobody made could count, of the rows for which it could."""
    kind = frame.setting.catalogue.kinds[records.kind]
    open_end = whole(why.answers.open(records, body, frame), frame.rows) == UNKNOWN
    if kind.attested:
        return because(open_end, Reason.NOT_ATTESTED, why.book.of_kind(kind.name, Reason.NOT_ATTESTED))
    stale, later = outside(records, frame, why.answers)
    if kind.assumable:  # an older event makes a forbidden one no less unrecorded
        stale = np.zeros_like(stale)
    parts = [(Reason.STALE, stale), (Reason.LATER, later), (Reason.NO_RECORD, ~stale & ~later)]
    return union(
        [because(rows & open_end, reason, why.book.of_kind(kind.name, reason)) for reason, rows in parts], frame.rows
    )


def outside(records: e.Records, frame: Frame, answers: Answers) -> tuple[Mask, Mask]:
    """Rows with records of the kind that surely lie outside the lookback: some by the index date, or all after it."""
    some, earlier = np.zeros(frame.rows, np.bool_), np.zeros(frame.rows, np.bool_)
    for match in answers.matches(records, frame):
        subjects, rows = match.records.subjects, match.records.frame.rows
        out = (whole(match.placed, rows) == FALSE) & ~subjects.family.unspecified(subjects.places)
        if records.where is not None:
            out &= answers.truth(records.where, match.records.frame) != FALSE
        after = whole(relations.before(subjects.index, subjects.start), rows) == TRUE
        some[match.at[out]] = True
        earlier[match.at[out & ~after]] = True
    stale = some & earlier
    return (stale if records.lookback is not None else np.zeros_like(stale)), some & ~earlier


def of_lacking(pick: e.Pick, frame: Frame, why: Explainer) -> Causes:
    """Why there may be no record to pick, of the rows for which there may be none."""
    picked = why.answers.picked(pick, frame)
    causes = of_matches(pick.records, frame, why)
    parts: list[Causes] = []
    some = np.zeros(frame.rows, np.bool_)
    for match, number in zip(picked.possible, picked.sets, strict=True):
        assert match.rows is not None
        parts.append(causes[number].take(match.rows).onto(match.at, frame.rows).only(picked.lacking))
        some |= any_at(frame.rows, match.at)
    empty = picked.lacking & ~some
    parts.append(_of_nothing(pick.records, frame, empty, why))
    return union(parts, frame.rows)


def _of_nothing(records: e.Records, frame: Frame, empty: Mask, why: Explainer) -> Causes:
    """Why no record could be the one: the window is not known, or nothing lies in it."""
    pending = none(frame.rows)
    if records.lookback is not None:
        pending = why.values(records.lookback.anchor, frame).missing().only(empty)
    rest = empty & (pending.reasons == 0)
    stale, later = outside(records, frame, why.answers)
    parts = [(Reason.STALE, stale), (Reason.LATER, later), (Reason.NO_RECORD, ~stale & ~later)]
    name = records.kind
    return union(
        [pending, *(because(rows & rest, reason, why.book.of_result(name, reason)) for reason, rows in parts)],
        frame.rows,
    )
