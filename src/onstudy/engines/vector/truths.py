"""What every node comes to, for all rows of a frame at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr, TruthExpr, ValueExpr
from onstudy.engines.vector import codes, numbers, relations
from onstudy.engines.vector.arrays import (
    Agreement,
    Array,
    Mask,
    Truths,
    greatest,
    least,
    negated,
    raise_to,
    taken,
)
from onstudy.engines.vector.cases import Cases
from onstudy.engines.vector.frames import Frame, Setting
from onstudy.engines.vector.judging import against_limit, as_codes, as_moments, as_numbers, judged, judged_beside
from onstudy.engines.vector.picking import Picked, picked
from onstudy.engines.vector.queries import Matches, assumes, could_be, matches
from onstudy.engines.vector.states import newest, sure
from onstudy.engines.vector.values import values_of
from onstudy.record.catalogue import STATE, Kind


class Answers:
    """Answers nodes of the setting's forest for its pairs; `assumed` are the kinds whose absence is taken as "no".

    `direct` works out values for the very records of a frame, even where they are those of their pair.
    """

    def __init__(self, setting: Setting, assumed: frozenset[str] = frozenset(), direct: bool = False) -> None:
        self.setting, self.assumed, self.direct = setting, assumed, direct
        self.catalogue, self.forest = setting.catalogue, setting.forest

    # Each node once -----------------------------------------------------------------------------------------

    def once(self, frame: Frame, what: str, node: Any, work: Callable[[], Any]) -> Any:
        """What was worked out for equal nodes before; assuming changes only what counts silence."""
        assumed = self.assumed if self.forest.assumes(node) else None
        key = (what, id(node), assumed)
        found = frame.memo.get(key)
        if found is None:
            found = frame.memo[key] = (node, work())  # the node is kept, so that its identity stays its own
        return found[1]

    def truth(self, node: TruthExpr, frame: Frame) -> Truths:
        """What a truth node comes to for each row; one entry where all rows are alike."""
        base = self.setting.base
        if frame is not base and not self.forest.about_record(node):
            return taken(self.truth(node, base), _pairs(frame))
        found: Truths = self.once(frame, "truth", node, lambda: _TRUTHS[type(node)](self, node, frame))
        return found

    def cases(self, node: ValueExpr, frame: Frame) -> Cases:
        """Every value a value node may have for each row."""
        base = self.setting.base
        if self.direct or frame is base or self.forest.about_record(node):
            what = "cases, direct" if self.direct else "cases"
            found: Cases = self.once(frame, what, node, lambda: values_of(node, frame, self))
        else:
            found = self.once(frame, "cases", node, lambda: self.cases(node, base).take(_pairs(frame)))
        return found

    def matches(self, records: e.Records, frame: Frame) -> list[Matches]:
        """The recorded facts of each row and whether they are among those asked for."""
        found: list[Matches] = self.once(frame, "matches", records, lambda: matches(records, frame, self))
        return found

    def picked(self, pick: e.Pick, frame: Frame) -> Picked:
        """The records that could be the one asked for."""
        found: Picked = self.once(frame, "picked", pick, lambda: picked(pick, frame, self))
        return found

    # Combining ----------------------------------------------------------------------------------------------

    def _and(self, node: e.And, frame: Frame) -> Truths:
        return least(self.truth(part, frame) for part in node.parts)

    def _or(self, node: e.Or, frame: Frame) -> Truths:
        return greatest(self.truth(part, frame) for part in node.parts)

    def _not(self, node: e.Not, frame: Frame) -> Truths:
        return negated(self.truth(node.part, frame))

    def _if(self, node: e.If, frame: Frame) -> Truths:
        return np.maximum(negated(self.truth(node.condition, frame)), self.truth(node.then, frame))

    def _named(self, node: e.Named, frame: Frame) -> Truths:
        return self.truth(node.expr, frame)

    # Comparing ----------------------------------------------------------------------------------------------

    def _compare(self, node: e.Compare, frame: Frame) -> Truths:
        left = self.cases(node.left, frame)
        if isinstance(node.right, e.Limit):
            limit = node.right
            return judged(left, lambda part: against_limit(node.op, part, limit))
        right = self.cases(node.right, frame)
        return judged_beside(left, right, "number", lambda a, b: numbers.compare(node.op, as_numbers(a), as_numbers(b)))

    def _member(self, node: e.Member, frame: Frame) -> Truths:
        return judged(self.cases(node.value, frame), lambda part: codes.member(as_codes(part.values), node.members))

    def _timing(self, node: e.Timing, frame: Frame) -> Truths:
        duration = node.span.duration if node.span else None
        return judged_beside(
            self.cases(node.event, frame),
            self.cases(node.anchor, frame),
            "date",
            lambda a, b: relations.relate(as_moments(a), node.relation, as_moments(b), duration),
        )

    # Records ------------------------------------------------------------------------------------------------

    def _any(self, node: e.Any, frame: Frame) -> Truths:
        kind = self.catalogue.kinds[node.records.kind]
        if kind.extent == STATE and node.records.lookback is None:
            return self._state(node, kind, frame)
        found = self.once(frame, "some", node.records, lambda: self._some(node.records, frame))
        return found if node.closed else np.maximum(found, self.open(node.records, None, frame))  # type: ignore[no-any-return]

    def _some(self, records: e.Records, frame: Frame) -> Truths:
        """Whether any recorded fact is one of those asked for."""
        found = np.zeros(frame.rows, np.int8)
        for match in self.matches(records, frame):
            raise_to(found, match.at, match.truth)
        return found

    def _every(self, node: e.Every, frame: Frame) -> Truths:
        fails = np.zeros(frame.rows, np.int8)
        for match in self.matches(node.records, frame):
            body = self.truth(node.body, match.records.frame)
            raise_to(fails, match.at, np.minimum(match.truth, negated(body)))
        return negated(np.maximum(fails, self.open(node.records, node.body, frame)))

    def _has(self, node: e.Has, frame: Frame) -> Truths:
        found = self.picked(node.pick, frame)
        agreed = Agreement(frame.rows)
        for match in found.possible:
            agreed.add(match.at, self.truth(node.body, match.records.frame))
        agreed.doubt(found.lacking)
        return agreed.truth()

    def open(self, records: e.Records, body: TruthExpr | None, frame: Frame) -> Truths:
        """What an unrecorded fact does to a count: FALSE nothing, UNKNOWN leaves it without an upper bound."""
        kind = self.catalogue.kinds[records.kind]
        if assumes(kind, self, self.catalogue.ancestors(kind.name)):
            return np.zeros(1, np.int8)
        return self.could_be(records, body, frame).view(np.int8)

    def could_be(self, records: e.Records, body: TruthExpr | None, frame: Frame) -> Mask:
        """Rows for which a record nobody made could count (and, with a body, fail it)."""
        key = ("could", id(records), id(body), self.assumed)
        found = frame.memo.get(key)
        if found is None:
            found = frame.memo[key] = (records, body, could_be(records, body, frame, self))
        mask: Mask = found[2]
        return mask

    # States -------------------------------------------------------------------------------------------------

    def _state(self, node: e.Any, kind: Kind, frame: Frame) -> Truths:
        """A state: the newest statement on or before the index date, yes or no, holds."""
        some, found = self.once(frame, "state", node.records, lambda: self._stated(node, kind, frame))
        silence = np.zeros(1, np.int8) if node.closed or some.all() else self.open(node.records, None, frame)
        return np.where(some, found, silence)

    def _stated(self, node: e.Any, kind: Kind, frame: Frame) -> tuple[Mask, Truths]:
        """The rows that have a statement that could be the newest, and what all such say."""
        statements = newest(node, kind, frame, self)
        agreed = Agreement(frame.rows)
        for part, _ in statements:
            agreed.add(part.at, part.says)
        some, certain = sure(statements, frame.rows)
        agreed.doubt(some & ~certain)
        return some, agreed.truth()


def _pairs(frame: Frame) -> Array:
    assert frame.pair is not None, "only the pairs themselves have no pair"
    return frame.pair


_TRUTHS: dict[type[Expr], Callable[..., Truths]] = {
    e.And: Answers._and,
    e.Or: Answers._or,
    e.Not: Answers._not,
    e.If: Answers._if,
    e.Named: Answers._named,
    e.Compare: Answers._compare,
    e.Member: Answers._member,
    e.Timing: Answers._timing,
    e.Any: Answers._any,
    e.Every: Answers._every,
    e.Has: Answers._has,
}
