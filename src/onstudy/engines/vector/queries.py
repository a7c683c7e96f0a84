"""Which records of each row are those a rule asks for, which could be the newest, and what nobody recorded.

A match is a truth for each recorded fact; plain patients and the rest come as matches of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Relation, TruthExpr, ValueExpr
from onstudy.engines.vector import relations
from onstudy.engines.vector.arrays import (
    ALL_UNKNOWN,
    FALSE,
    TRUE,
    UNKNOWN,
    Agreement,
    Index,
    Mask,
    Truths,
    any_at,
    joined,
    least,
    negated,
    whole,
)
from onstudy.engines.vector.cases import Cases
from onstudy.engines.vector.denials import facing
from onstudy.engines.vector.fields import attribute, none_left
from onstudy.engines.vector.frames import Frame, Records
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.regions import imagined, nothing_said
from onstudy.engines.vector.subjects import Subjects
from onstudy.record.catalogue import STATE, Kind


class Evaluator(Protocol):
    """Whoever knows what the nodes inside a query mean: bodies and anchors are asked of it."""

    assumed: frozenset[str]

    def truth(self, node: TruthExpr, frame: Frame) -> Truths:
        """What a truth node comes to for each row."""
        ...

    def cases(self, node: ValueExpr, frame: Frame) -> Cases:
        """Every value a value node may have for each row."""
        ...

    def matches(self, records: e.Records, frame: Frame) -> list[Matches]:
        """The recorded facts of each row and whether they are among those asked for."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Records looked at, and whether each is one of those asked for. `rows`: which of the matches these are of."""

    records: Records
    truth: Truths  # a row for each record
    placed: Truths  # whether it lies where it is looked for
    rows: Index | None = None

    @property
    def at(self) -> Index:
        """The row each belongs to."""
        return self.records.at


# Time -----------------------------------------------------------------------------------------------------


def until_index(start: Moments, index: Moments) -> Truths:
    """Whether each starts on or before the registration day."""
    return relations.at_most(start, index)


def window_anchors(records: e.Records, frame: Frame, ask: Evaluator) -> Cases | None:
    """What the lookback is counted from, for each row; None without a lookback."""
    return None if records.lookback is None else ask.cases(records.lookback.anchor, frame)


def placed(subjects: Subjects, at: Index, index: Moments, records: e.Records, anchors: Cases | None) -> Truths:
    """Whether each record lies in the lookback; without one, whether it starts on or before the index date."""
    back = records.lookback
    if back is None or anchors is None:
        return until_index(subjects.start, index)
    truth = _in_window(subjects, at, back, anchors)
    if back.relation in (Relation.AFTER, Relation.WITHIN_AFTER) and not isinstance(back.anchor, e.Anchor):
        truth = np.minimum(truth, until_index(subjects.start, index))
    return truth


def _in_window(subjects: Subjects, at: Index, back: e.Lookback, anchors: Cases) -> Truths:
    only = anchors.single
    if isinstance(only, Moments):
        return relations.overlaps(subjects.start, subjects.end, back, only.take(at))
    row, values = anchors.gathered("date")
    assert isinstance(values, Moments)
    record, place = joined(at, row, anchors.rows)
    truth = relations.overlaps(subjects.start.take(record), subjects.end.take(record), back, values.take(place))
    agreed = Agreement(len(at))
    agreed.add(record, truth)
    return agreed.truth()


# Recorded -------------------------------------------------------------------------------------------------


def matches(records: e.Records, frame: Frame, ask: Evaluator) -> list[Matches]:
    """The recorded facts of each row and whether they are among those asked for."""
    kind = frame.setting.catalogue.kinds[records.kind]
    anchors = window_anchors(records, frame, ask)
    found = []
    for part in frame.records(kind.name):
        subjects = part.subjects
        lies = placed(subjects, part.at, subjects.index, records, anchors)
        found.append(Matches(part, examined(part, lies, records, kind, ask), lies))
    return found


def examined(part: Records, lies: Truths, records: e.Records, kind: Kind, ask: Evaluator) -> Truths:
    """Whether facts, placed in time, are among those asked for."""
    truths = [lies]
    if records.where is not None:
        truths.append(ask.truth(records.where, part.frame))
    if not part.subjects.plain:
        truths.append(reliable(part, kind))
    return whole(least(truths), part.frame.rows)


def reliable(part: Records, kind: Kind) -> Truths:
    """UNKNOWN for facts that are uncertain, contradicted, or of a group of which nobody said which member it is.

    FALSE where a recorded "no" of the kind itself says that it is another member.
    """
    memo, key = part.subjects.memo, ("reliable", kind.name)
    if key not in memo:
        memo[key] = _reliable(part, kind)
    found: Truths = memo[key]
    return found


def _reliable(part: Records, kind: Kind) -> Truths:
    subjects, family = part.subjects, part.subjects.family
    truth = np.full(part.frame.rows, TRUE)
    truth[whole(family.uncertain(subjects.places), part.frame.rows)] = UNKNOWN
    if kind.extent != STATE:
        truth[conflicting(part)] = UNKNOWN
    other = whole(family.unspecified(subjects.places), part.frame.rows)
    if other.any():
        truth[other] = UNKNOWN
        truth[other & another_member(part)] = FALSE
    return truth


def conflicting(part: Records) -> Mask:
    """Facts that a negative recorded no earlier denies, or may deny."""
    sides = facing(part.subjects)
    if sides is None:
        return np.zeros(part.frame.rows, np.bool_)
    names = sides.denials.names() if sides.denials.narrowed.any() else []
    said = {name: attribute(part.subjects, name, "code") for name in names}
    concerns = sides.among_denied(said, whole_word=True, unknown=False)  # type: ignore[arg-type]
    found = any_at(part.frame.rows, sides.record[sides.concerned & concerns & sides.may_speak])
    for name in names:
        found |= none_left(part.subjects, name)
    return found


def another_member(part: Records) -> Mask:
    """Facts of a group that a "no" of the member asked for surely covers: they are another member's."""
    sides = facing(part.subjects)
    if sides is None:
        return np.zeros(part.frame.rows, np.bool_)
    family = part.subjects.family
    catalogue = family.catalogue
    members = {
        kind: family.itself_and_above - {kind} - catalogue.ancestors(kind) for kind in part.subjects.places.kinds
    }
    says_so = sides.related(members) & ~sides.denials.narrowed & sides.covers
    return any_at(part.frame.rows, sides.record[says_so])


# What nobody recorded -------------------------------------------------------------------------------------


def could_be(records: e.Records, body: TruthExpr | None, frame: Frame, ask: Evaluator) -> Mask:
    """Rows for which a record nobody made could count; with a `body`, could count and fail it."""
    family = frame.setting.family(records.kind)
    usual = frame.of_patients(family.default)
    possible = _possible(ALL_UNKNOWN, records, body, nothing_said(frame), ask)  # it may lie anywhere
    found = usual & possible
    if not family.odd.any():
        return found
    odd = np.flatnonzero(frame.of_patients(family.odd))
    if not len(odd):
        return found
    unseen = imagined(frame, family, odd)
    anchors = window_anchors(records, frame, ask)
    assert unseen.subjects is not None
    index = frame.setting.index.take(unseen.to_pairs(np.arange(unseen.rows)))
    lies = placed(unseen.subjects, unseen.at, index, records, anchors)
    possible = _possible(lies, records, body, unseen, ask)
    found[unseen.at[whole(possible, unseen.rows)]] = True
    return found


def _possible(lies: Truths, records: e.Records, body: TruthExpr | None, unseen: Frame, ask: Evaluator) -> Mask:
    """Which records that could exist could count (one entry where all are alike)."""
    truth = lies
    if records.where is not None:
        truth = np.minimum(truth, ask.truth(records.where, unseen))
    if body is not None:
        truth = np.minimum(truth, negated(ask.truth(body, unseen)))
    found: Mask = truth != FALSE
    return found


def assumes(kind: Kind, ask: Evaluator, above: frozenset[str]) -> bool:
    """Whether the absence of a kind is taken as "no"."""
    return kind.assumable and bool(ask.assumed & {"all", kind.name, *above})
