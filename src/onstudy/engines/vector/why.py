"""Why rules are unknown: the causes and the questions of every pair, by the same rule as the reference engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr, TruthExpr, ValueExpr
from onstudy.criteria.finding import Reason
from onstudy.engines.vector import codes, numbers, relations
from onstudy.engines.vector.arrays import TRUE, UNKNOWN, Mask, Truths, any_at, joined, negated, whole
from onstudy.engines.vector.cases import Part
from onstudy.engines.vector.causes import (
    BITS,
    About,
    AskBook,
    Causes,
    ValueCauses,
    asked_of,
    because,
    none,
    pieces,
    union,
)
from onstudy.engines.vector.codes import Codes
from onstudy.engines.vector.fields import stated
from onstudy.engines.vector.frames import Frame, Setting
from onstudy.engines.vector.judging import against_limit
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.numbers import Numbers
from onstudy.engines.vector.states import Statements, newest, sure
from onstudy.engines.vector.truths import Answers
from onstudy.engines.vector.why_records import of_lacking, of_matches, of_open, of_record
from onstudy.engines.vector.why_values import of_value
from onstudy.record.catalogue import STATE, Kind

Bits = np.ndarray[tuple[int], np.dtype[np.uint16]]


#: What was worked out: by node, frame and, where they make a difference, what is assumed; with node and frame.
Known = dict[tuple[int, int, frozenset[str] | None], tuple[object, object, Causes]]


class Whys:
    """Explains the unknown answers of a setting; `assumed` as for `Answers`. Several of one setting share `known`."""

    def __init__(self, setting: Setting, book: AskBook, known: Known, assumed: frozenset[str] = frozenset()) -> None:
        self.setting, self.book, self._known = setting, book, known
        self.answers = Answers(setting, assumed, direct=True)

    def of(self, node: TruthExpr, frame: Frame) -> Causes:
        """The causes of the rows for which a truth node is UNKNOWN."""
        base = self.setting.base
        if frame is not base and not self.setting.forest.about_record(node):
            assert frame.pair is not None
            return self.of(node, base).take(frame.pair)
        key = (id(node), id(frame), self.answers.assumed if self.setting.forest.assumes(node) else None)
        found = self._known.get(key)
        if found is None:
            unknown = bool(self._unknown(node, frame).any())
            causes = _TRUTHS[type(node)](self, node, frame) if unknown else none(frame.rows)
            found = self._known[key] = (node, frame, causes)
        return found[2]

    def values(self, node: ValueExpr, frame: Frame) -> ValueCauses:
        """The causes of every value a value node may have."""
        return of_value(node, frame, self)

    def _unknown(self, node: TruthExpr, frame: Frame) -> Mask:
        found: Mask = whole(self.answers.truth(node, frame), frame.rows) == UNKNOWN
        return found

    def _together(self, node: TruthExpr, parts: Sequence[TruthExpr], frame: Frame) -> Causes:
        return union([self.of(part, frame) for part in parts], frame.rows).only(self._unknown(node, frame))

    # Combining ----------------------------------------------------------------------------------------------

    def _joined(self, node: e.And | e.Or, frame: Frame) -> Causes:
        return self._together(node, node.parts, frame)

    def _not(self, node: e.Not, frame: Frame) -> Causes:
        return self._together(node, (node.part,), frame)

    def _if(self, node: e.If, frame: Frame) -> Causes:
        return self._together(node, (node.condition, node.then), frame)

    def _named(self, node: e.Named, frame: Frame) -> Causes:
        return self._together(node, (node.expr,), frame)

    # Comparing ----------------------------------------------------------------------------------------------

    def _compare(self, node: e.Compare, frame: Frame) -> Causes:
        left = self.values(node.left, frame)
        if isinstance(node.right, e.Limit):
            limit = node.right
            return self._judged(node, frame, left, lambda part: _beside_limit(node, part, limit))
        return self._beside(node, frame, left, self.values(node.right, frame), "number")

    def _member(self, node: e.Member, frame: Frame) -> Causes:
        def among(part: Part) -> tuple[Truths, Bits]:
            assert isinstance(part.values, Codes)
            truth = codes.member(part.values, node.members)
            some = part.values.look_up(np.array([bool(word) for word in part.values.words] + [False]))
            return truth, _bits(some & (truth == UNKNOWN), Reason.IMPRECISE_VALUE)

        return self._judged(node, frame, self.values(node.value, frame), among)

    def _timing(self, node: e.Timing, frame: Frame) -> Causes:
        return self._beside(node, frame, self.values(node.event, frame), self.values(node.anchor, frame), "date")

    def _judged(
        self, node: e.Compare | e.Member, frame: Frame, left: ValueCauses, decide: Callable[[Part], tuple[Truths, Bits]]
    ) -> Causes:
        """Values decided one by one."""
        reasons = np.zeros(frame.rows, np.uint16)
        for part, causes in zip(left.cases.parts, left.parts, strict=True):
            rows = len(causes)
            truth, why = decide(part)
            why = np.where(causes.reasons > 0, causes.reasons, whole(why, rows))
            why = np.where(whole(truth, rows) == UNKNOWN, why, np.uint16(0))
            if part.at is None:
                reasons |= why
            else:
                np.bitwise_or.at(reasons, part.at, why)
        reasons |= left.lacking.reasons
        return self._asked(node, frame, reasons, [left])

    def _beside(
        self, node: e.Compare | e.Timing, frame: Frame, left: ValueCauses, right: ValueCauses, base: str
    ) -> Causes:
        """All values of one side beside all of the other."""
        left_at, a = left.cases.gathered(base)
        right_at, b = right.cases.gathered(base)
        one, other = joined(left_at, right_at, frame.rows)
        a, b = a.take(one), b.take(other)
        truth, why = _compared(node, a, b) if isinstance(node, e.Compare) else _placed(node, a, b)  # type: ignore[arg-type]
        known = left.gathered().reasons[one] | right.gathered().reasons[other]
        why = np.where(known > 0, known, whole(why, len(one)))
        reasons = np.zeros(frame.rows, np.uint16)
        np.bitwise_or.at(reasons, left_at[one], np.where(whole(truth, len(one)) == UNKNOWN, why, np.uint16(0)))
        return self._asked(node, frame, reasons, [left, right])

    def _asked(self, node: TruthExpr, frame: Frame, reasons: Bits, sides: Sequence[ValueCauses]) -> Causes:
        """The questions the values come with; where there are none, that of the very facts that do not settle it: on
        the right if there are none on the left.
        """
        unknown = self._unknown(node, frame)
        reasons = np.where(reasons == 0, BITS[Reason.CONFLICT], reasons)
        asked = union([side.together() for side in sides], frame.rows)
        found = Causes(np.zeros(frame.rows, np.uint16), asked.at, asked.ask)
        open_ = asked.reasons == 0  # else nothing more can settle it
        if isinstance(node, e.Timing):
            vague = [self._of_facts(reasons, about, frame) for side in sides for about in _vague(side)]
            found = found.or_else(union(vague, frame.rows).only(open_))
        for side in sides:
            own = [self._of_facts(reasons, about, frame) for about in side.about]
            found = found.or_else(union(own, frame.rows).only(open_))
        return Causes(reasons, found.at, found.ask).only(unknown)

    def _of_facts(self, reasons: Bits, about: About, frame: Frame) -> Causes:
        at, names, which = about
        return asked_of(reasons[at], names, which, self.book.of_fact).onto(at, frame.rows)

    # Records ------------------------------------------------------------------------------------------------

    def _any(self, node: e.Any, frame: Frame) -> Causes:
        kind = self.setting.catalogue.kinds[node.records.kind]
        if kind.extent == STATE and node.records.lookback is None:
            return self._state(node, kind, frame)
        matches = self.answers.matches(node.records, frame)
        causes = of_matches(node.records, frame, self)
        parts = [cause.onto(match.at, frame.rows) for match, cause in zip(matches, causes, strict=True)]
        if not node.closed:
            parts.append(of_open(node.records, None, frame, self))
        return union(parts, frame.rows).only(self._unknown(node, frame))

    def _every(self, node: e.Every, frame: Frame) -> Causes:
        parts = []
        matches = self.answers.matches(node.records, frame)
        for match, cause in zip(matches, of_matches(node.records, frame, self), strict=True):
            body = whole(self.answers.truth(node.body, match.records.frame), match.records.frame.rows)
            fails = np.minimum(match.truth, negated(body)) == UNKNOWN
            both = union([cause, self.of(node.body, match.records.frame)], match.records.frame.rows).only(fails)
            parts.append(both.onto(match.at, frame.rows))
        parts.append(of_open(node.records, node.body, frame, self))
        return union(parts, frame.rows).only(self._unknown(node, frame))

    def _has(self, node: e.Has, frame: Frame) -> Causes:
        picked = self.answers.picked(node.pick, frame)
        parts = [self.of(node.body, match.records.frame).onto(match.at, frame.rows) for match in picked.possible]
        if picked.lacking.any():
            parts.append(of_lacking(node.pick, frame, self).only(picked.lacking))
        found = union(parts, frame.rows)
        unknown = self._unknown(node, frame)
        settled = [found.only(found.reasons > 0)]
        at_odds = np.where(unknown & (found.reasons == 0), BITS[Reason.CONFLICT], np.uint16(0))
        for match in picked.possible if at_odds.any() else ():
            places = match.records.subjects.places
            asked = asked_of(at_odds[match.at], places.kinds, pieces(places), self.book.of_result)
            settled.append(asked.onto(match.at, frame.rows))
        return union(settled, frame.rows).only(unknown)

    def _attest_anew(self, kind: Kind, part: Statements) -> Causes:
        return because(part.overtaken, Reason.STALE, self.book.of_kind(kind.name, Reason.STALE))

    def _state(self, node: e.Any, kind: Kind, frame: Frame) -> Causes:
        statements = newest(node, kind, frame, self.answers)
        some, certain = sure(statements, frame.rows)
        unknown = self._unknown(node, frame)
        parts = [none(frame.rows)]
        own = []
        for part, rows in statements:
            own.append((part.at, part.places.kinds, pieces(part.places)))
            if part.overtaken.any():
                parts.append(self._attest_anew(kind, part).onto(part.at, frame.rows))
            if part.over.any():
                anew = because(part.over, Reason.NO_RECORD, self.book.of_kind(kind.name, Reason.NO_RECORD))
                parts.append(anew.onto(part.at, frame.rows))
            if part.records is not None:
                size = part.records.frame.rows
                says = any_at(size, rows[part.says == UNKNOWN])
                passing = any_at(size, rows[part.lasts != TRUE])
                causes = of_record(part.records, node.records.where, kind, passing, says, self)
                parts.append(causes.take(rows).onto(part.at, frame.rows))
        asked = union(parts, frame.rows)
        reasons = asked.reasons | _bits(some & ~certain, Reason.IMPRECISE_DATE)
        reasons = np.where(reasons == 0, BITS[Reason.CONFLICT], reasons)
        plain = [asked_of(reasons[at], [kind.name], np.zeros(1, np.intp), self.book.of_fact).onto(at, frame.rows)
                 for at, _, _ in own]  # fmt: skip
        found = Causes(np.zeros(frame.rows, np.uint16), asked.at, asked.ask).or_else(union(plain, frame.rows))
        stated_ones = Causes(reasons, found.at, found.ask).only(unknown & some)
        if node.closed or some.all():
            return stated_ones
        silence = of_open(node.records, None, frame, self).only(unknown & ~some)
        return union([stated_ones, silence], frame.rows)


def _bits(rows: Mask, reason: Reason) -> Bits:
    return np.where(rows, BITS[reason], np.uint16(0))


def _beside_limit(node: e.Compare, part: Part, limit: e.Limit) -> tuple[Truths, Bits]:
    values = part.values
    assert isinstance(values, Numbers)
    truth = against_limit(node.op, part, limit)
    if part.places is None:
        return truth, np.zeros(1, np.uint16)
    normal = part.places.numbers("uln" if limit.limit == "ULN" else "lln")
    known = stated(values)
    unlimited = known & ~(normal.low > 0)
    open_ended = known & (normal.low > 0) & ((values.low != values.high) | (normal.low != normal.high))
    return truth, _bits(unlimited, Reason.NO_UNIT_OR_LIMIT) | _bits(open_ended, Reason.IMPRECISE_VALUE)


def _compared(node: e.Compare, a: Numbers, b: Numbers) -> tuple[Truths, Bits]:
    truth = numbers.compare(node.op, a, b)
    exact = (a.low == a.high) & (b.low == b.high)
    return truth, _bits(stated(a) & stated(b) & ~exact, Reason.IMPRECISE_VALUE)


def _vague(side: ValueCauses) -> list[About]:
    """The facts of which the dates are read that are not one day."""
    found: list[About] = []
    for (at, names, which), part in zip(side.about, side.cases.parts, strict=False):
        if isinstance(part.values, Moments):
            rows = whole(part.values.known & (part.values.first != part.values.last), len(at))
            found.append((at[rows], names, which[rows]))
    return found


def _placed(node: e.Timing, a: Moments, b: Moments) -> tuple[Truths, Bits]:
    truth = relations.relate(a, node.relation, b, node.span.duration if node.span else None)
    return truth, _bits(whole(stated(a) & stated(b), len(truth)) & (truth == UNKNOWN), Reason.IMPRECISE_DATE)


_TRUTHS: dict[type[Expr], Callable[..., Causes]] = {
    e.And: Whys._joined,
    e.Or: Whys._joined,
    e.Not: Whys._not,
    e.If: Whys._if,
    e.Named: Whys._named,
    e.Compare: Whys._compare,
    e.Member: Whys._member,
    e.Timing: Whys._timing,
    e.Any: Whys._any,
    e.Every: Whys._every,
    e.Has: Whys._has,
}
