"""Which records of a patient are those a rule asks for, and whether one that nobody made could be.

Every recorded fact is a match, a possible match or none; the newest is every fact that could be it. What is
unknown carries its causes and the questions that would settle it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from math import inf
from typing import Protocol

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Relation, TruthExpr, ValueExpr, Which
from onstudy.criteria.finding import Ask, AskClass, Finding, Reason
from onstudy.criteria.judged import judged_by
from onstudy.engines.candidates import NONE, NOTHING_OPEN, Case, Match, Open, Reasons, asks_of, distinct
from onstudy.engines.denials import carrying
from onstudy.engines.timing import outermost, overlaps, stated
from onstudy.engines.view import Subject, View
from onstudy.record.catalogue import MOMENT, NO, STATE, YES, Kind
from onstudy.record.patient import Fact
from onstudy.record.unread import may_be_judged
from onstudy.values.calendar import DAY, When
from onstudy.values.interval import GE, GT, LE, Interval, add, compare, point
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth, agreed, negate


class Evaluator(Protocol):
    """Whoever knows what the nodes inside a query mean: bodies and anchors are asked of it."""

    def evaluate(self, node: TruthExpr, subject: Subject | None = None) -> Finding:
        """What a truth node comes to."""
        ...

    def asked(self, node: TruthExpr, record: Subject) -> Finding:
        """The same of a statement about one record, where only a record it may be true of is of interest."""
        ...

    def cases(self, node: ValueExpr, subject: Subject | None) -> list[Case]:
        """Every value a value node may have."""
        ...


class Records:
    """The records of one patient, looked at from one registration day (`index`, days since 1 January of year 1)."""

    def __init__(
        self, view: View, index: int, assumed: frozenset[str], evaluator: Evaluator, cites: bool = True
    ) -> None:
        self.view, self.index, self.assumed, self.evaluator = view, index, assumed, evaluator
        self.cites = cites
        self.catalogue = view.catalogue
        self.index_days = point(index)

    # Recorded -----------------------------------------------------------------------------------------------

    def matches(self, records: e.Records, subject: Subject | None) -> list[Match]:
        """The recorded facts that are, or may be, among those asked for."""
        if records.kind not in self.view.spoken_of:
            return []
        kind = self.catalogue.kinds[records.kind]
        facts = self.view.facts(records.kind)
        unspecified = () if kind.measured else self.view.unspecified(kind.name)
        if not facts and not unspecified:
            return []
        anchors = self._window_anchors(records, subject)
        found = []
        for fact in facts:
            placed = self._placed(fact, records, anchors)
            if placed is not FALSE:
                match = self.examined(fact, placed, records, kind, anchors)
                if match.truth is not FALSE:
                    found.append(match)
        return found + self._unspecified(unspecified, records, kind, anchors) if unspecified else found

    def _unspecified(self, facts: Sequence[Fact], records: e.Records, kind: Kind, anchors: list[Case]) -> list[Match]:
        """Records of a group above the kind: which member they are is not stated, so they may be among them."""
        found = []
        for fact in facts:
            placed = self._placed(fact, records, anchors)
            match = self.examined(fact, placed, records, kind, anchors) if placed is not FALSE else None
            if match is not None and match.truth is not FALSE:
                ask = Ask(fact.kind, AskClass.MISSING, Reason.NOT_STATED, about=fact.id)
                reasons = match.reasons | {Reason.NOT_STATED}
                found.append(Match(fact, UNKNOWN, reasons, (*asks_of([match]), ask), match.where))
        return found

    def examined(
        self, fact: Fact, placed: Truth, records: e.Records, kind: Kind, anchors: Sequence[Case] = ()
    ) -> Match:
        """Whether one fact, placed in time, is one of those asked for.

        A place that is unknown is the fault of the anchors where they are, else of the fact's own date.
        """
        where = None
        if records.where is not None:
            where = self.evaluator.asked(records.where, Subject(fact))
            where.about = fact
            if where.result is FALSE:
                return Match(fact, FALSE, NONE, (), where)
        if placed is TRUE and (where is None or where.result is TRUE) and self._plain(fact, kind):
            return Match(fact, TRUE, NONE, (), where)
        truths = [placed]
        reasons: Reasons = NONE
        asks: tuple[Ask, ...] = ()
        shared: tuple[Ask, ...] = ()
        unset: Reasons = NONE
        if placed is UNKNOWN:
            unset = NONE.union(*(case.reasons for case in anchors))
            reasons = NONE if unset else frozenset({Reason.IMPRECISE_DATE})
        if where is not None:
            truths.append(where.truth)
        if not fact.certain and not self.catalogue.kinds[fact.kind].suspected_counts:
            truths.append(UNKNOWN)
            reasons |= {Reason.IMPRECISE_VALUE}
        if fact.lacks is not None and not self.catalogue.kinds[fact.kind].measured:
            truths.append(UNKNOWN)
            reasons |= {Reason(fact.lacks)}
        if kind.extent != STATE and self.view.conflicting(fact):
            truths.append(UNKNOWN)
            reasons |= {Reason.CONFLICT}
        truth = min(truths)
        if truth is UNKNOWN:
            asks = tuple(self.ask(fact.kind, reason, about=fact.id) for reason in sorted(reasons))
            if unset:
                reasons |= unset
                asks += tuple(ask for case in anchors for ask in case.asks)
            if where is not None and where.truth is UNKNOWN:
                reasons |= where.reasons
                shared = where.asks
        return Match(fact, truth, reasons if truth is UNKNOWN else NONE, asks, where, shared)

    def _plain(self, fact: Fact, kind: Kind) -> bool:
        """Nothing about the fact itself leaves open whether it is one: the usual case, told apart cheaply."""
        return fact.certain and fact.lacks is None and (kind.extent == STATE or not self.view.conflicting(fact))

    def picked(self, pick: e.Pick, subject: Subject | None) -> tuple[list[Match], Case | None]:
        """The records that could be the one, and, where there may be none, why."""
        matches = self.matches(pick.records, subject)
        if pick.by_time:
            possible = outermost(matches, newest=pick.which is Which.LATEST)
        else:
            possible = matches
        for match in possible:
            if match.truth is TRUE:
                return possible, None
        if possible:
            reasons = NONE.union(*(match.reasons for match in possible))
            return possible, Case(None, None, reasons, asks_of(possible))
        anchors = self._window_anchors(pick.records, subject)
        reason = self._outside(pick.records, anchors) or Reason.NO_RECORD
        pending = [case for case in anchors if case.value is None]
        if pending:
            return [], Case(
                None,
                None,
                NONE.union(*(c.reasons for c in pending)),
                tuple(a for c in pending for a in c.asks),
            )
        asks = (self.ask_result(pick.records.kind, reason),)
        return [], Case(None, None, frozenset({reason}), asks, self._passed(pick.records.kind))

    def _passed(self, kind: str) -> Fact | None:
        """The newest record of a kind, or of its members, up to the index date; none was among those asked for."""
        facts = [fact for fact in self.view.facts(kind) if self.until_index(fact) is TRUE] if self.cites else []
        return max(reversed(facts), key=lambda fact: fact.start.days.low or 0, default=None)

    # Time ---------------------------------------------------------------------------------------------------

    def _window_anchors(self, records: e.Records, subject: Subject | None) -> list[Case]:
        return [] if records.lookback is None else distinct(self.evaluator.cases(records.lookback.anchor, subject))

    def _placed(self, fact: Fact, records: e.Records, anchors: list[Case]) -> Truth:
        """Whether a fact lies in the lookback; without one, whether it starts on or before the index date."""
        back = records.lookback
        if back is None:
            return self.until_index(fact)
        end = self.end_of(fact)
        truth = agreed(
            overlaps(fact.start, end, back, case.value) if isinstance(case.value, When) else UNKNOWN for case in anchors
        )
        if back.relation in (Relation.AFTER, Relation.WITHIN_AFTER) and not isinstance(back.anchor, e.Anchor):
            truth = min(truth, self.until_index(fact))
        return truth

    def end_of(self, fact: Fact) -> When:
        """When a fact ended: a moment where it starts; an ongoing period no earlier than the index date."""
        if fact.ongoing:
            started = fact.start.span.low
            low = self.index * DAY if started is None else max(int(started), self.index * DAY)
            return When(Interval(low, None))
        if fact.end is not None:
            return fact.end
        if fact.id == "" or self.catalogue.kinds[fact.kind].extent == MOMENT:
            return fact.start
        return When(Interval(fact.start.span.low, None))

    def until_index(self, fact: Fact) -> Truth:
        """Whether a fact starts, or a denial speaks, on or before the registration day."""
        return compare(LE, stated(fact).days, self.index_days)

    def lasts(self, fact: Fact, kind: Kind) -> Truth:
        """Whether a statement of a state may still hold: it may not once no such state lasts as long."""
        if kind.lasts_at_most is None or fact.negative:
            return TRUE
        return compare(GE, add(fact.start.days, point(kind.lasts_at_most)), self.index_days)

    def newest_said(self, kind: Kind) -> list[Match]:
        """The statements of a state, yes or no, that could be the newest; none where all are surely over, or no longer
        say anything.
        """
        if kind.name not in self.view.spoken_of:
            return []
        facts = (*self.view.facts(kind.name), *self.view.denials(kind.name))
        said = [Match(fact, self.until_index(fact)) for fact in facts]
        possible = outermost([match for match in said if match.truth is not FALSE], newest=True)
        standing = (m for m in possible if self.lasts(m.fact, kind) is not FALSE and not self.over(m.fact, kind))
        return possible if any(standing) else []

    def over(self, fact: Fact, kind: Kind) -> bool:
        """Whether a statement is a "no" that a diagnosis nobody could read has, or may have, ended. Where one that was
        surely made has seen that diagnosis, so has the newest.
        """
        if not fact.negative or not self.view.unread:
            return False
        made = [denial for denial in self.view.denials(kind.name) if self.until_index(denial) is TRUE]
        return all(self.view.over(denial, kind.name, self.index) for denial in (fact, *made))

    def overtaken(self, fact: Fact, kind: Kind) -> Fact | None:
        """The newest record that a judgement would have to judge and has not seen, or may not have seen.

        It saw what had begun and been charted by its day, or by the first day on which it may have been given.
        """
        if not kind.judges or (YES, NO)[fact.negative] == kind.stays:
            return None
        seen = _seen_until(fact)
        judged = [
            found
            for part in judged_by(kind.name, self.catalogue)
            for found in self._since_when(self.matches(part, None))
        ]
        if self.view.unread and may_be_judged(kind, self.catalogue):
            judged += self._since_when([Match(fact, UNKNOWN) for fact in self.view.unread if self._by_index(fact)])
        since, newest = max(judged, key=lambda found: (found[0], found[1].id), default=(-inf, None))
        return newest if since > seen else None

    def _by_index(self, fact: Fact) -> bool:
        return self.until_index(fact) is not FALSE

    def _since_when(self, matches: Sequence[Match]) -> list[tuple[float, Fact]]:
        """Facts, each with the last day up to the index date on which its finding may have begun or first been charted.

        Of one without a first day only its day of record tells that it is late: without that nothing does. What is
        of one kind and began on one day is one finding, however often it was charted; results are not, nor is what
        nobody could read.
        """
        charted: dict[object, float] = {}
        for match in matches:
            if match.truth is TRUE:
                finding = self._finding(match.fact)
                charted[finding] = min(charted.get(finding, inf), self._up_to_index(match.fact.recorded))
        return [
            (max(self._begun(fact), min(self._up_to_index(fact.recorded), charted.get(self._finding(fact), inf))), fact)
            for fact in (match.fact for match in matches)
        ]

    def _finding(self, fact: Fact) -> object:
        """What tells records of one finding from those of others."""
        kind = self.catalogue.kinds.get(fact.kind)  # None: a code nobody mapped
        known = fact.start.day is not None and kind is not None and kind.extent != MOMENT
        return (fact.kind, fact.start.day) if known else fact.id

    def _begun(self, fact: Fact) -> float:
        told = fact.start.days.low is not None or fact.recorded is not None
        return self._up_to_index(fact.start) if told else -inf

    def _up_to_index(self, when: When | None) -> float:
        """The last day up to the index date on which something may have been; before all days where none is stated."""
        if when is None:
            return -inf
        return self.index if when.days.high is None else min(when.days.high, self.index)

    # What nobody recorded -------------------------------------------------------------------------------------

    def unseen(self, records: e.Records, body: TruthExpr | None, subject: Subject | None, cite: bool = True) -> Open:
        """Whether a record nobody made could count; with a `body`, could count and fail it. Where none can, `cite`
        tells which negatives say so.
        """
        kind = self.catalogue.kinds[records.kind]
        imagined, denials = self.view.unseen(records.kind, self.index)
        anchors = self._window_anchors(records, subject) if imagined else []
        for other in imagined:
            if self._could_be(other, records, body, anchors) is not FALSE:
                if self._assumes(kind):
                    return Open(FALSE, NONE, (), (), kind.name)
                reason = self._why_unseen(records, kind, anchors)
                tells = self.cites and reason is Reason.NO_RECORD
                since = self.view.reopened(kind.name, self.index) if tells else None
                return Open(UNKNOWN, frozenset({reason}), (self.ask(kind.name, reason),), since=since)
        if cite and self.cites and self.view.partial(kind.name):  # else all that speak of the kind carry it
            settles = partial(self._none_counts, records, body, subject)
            denials = carrying(self.view, kind.name, self.index, records.where, settles)
        return Open(FALSE, NONE, (), denials)

    def denied(self, records: e.Records, body: TruthExpr | None, subject: Subject | None) -> Open:
        """Of a question that only what is known answers: the negatives that say "no" to it, if they do."""
        if not self.cites or not self.view.denials(records.kind):
            return NOTHING_OPEN
        found = self.unseen(records, body, subject)
        return found if found.truth is FALSE and found.denials else NOTHING_OPEN

    def _none_counts(
        self, records: e.Records, body: TruthExpr | None, subject: Subject | None, left: Iterable[Subject]
    ) -> bool:
        anchors = self._window_anchors(records, subject)
        return all(self._could_be(other, records, body, anchors) is FALSE for other in left)

    def _could_be(self, other: Subject, records: e.Records, body: TruthExpr | None, anchors: list[Case]) -> Truth:
        truth = self._placed(other.fact, records, anchors)
        if truth is not FALSE and records.where is not None:
            truth = min(truth, self.evaluator.asked(records.where, other).truth)
        if truth is not FALSE and body is not None:
            truth = min(truth, negate(self.evaluator.evaluate(body, other).truth))
        return truth

    def _assumes(self, kind: Kind) -> bool:
        if not kind.assumable or not self.assumed:
            return False
        return bool(self.assumed & {"all", kind.name, *self.catalogue.ancestors(kind.name)})

    def _why_unseen(self, records: e.Records, kind: Kind, anchors: list[Case]) -> Reason:
        if kind.attested:
            return Reason.NOT_ATTESTED
        outside = self._outside(records, anchors)
        if outside is Reason.STALE and kind.assumable:  # an older event makes a forbidden one no less unrecorded
            return Reason.NO_RECORD
        return outside or Reason.NO_RECORD

    def _outside(self, records: e.Records, anchors: list[Case]) -> Reason | None:
        """`stale` or `later` where records of the kind exist that surely lie outside the lookback."""
        kind = self.catalogue.kinds[records.kind]
        outside = [
            fact
            for fact in self.view.facts(records.kind)
            if self._placed(fact, records, anchors) is FALSE
            and (records.where is None or self.examined(fact, TRUE, records, kind).truth is not FALSE)
        ]
        if not outside:
            return None
        later = all(compare(GT, fact.start.days, self.index_days) is TRUE for fact in outside)
        if not later and records.lookback is None:
            return None
        return Reason.LATER if later else Reason.STALE

    # Questions --------------------------------------------------------------------------------------------------

    def ask(self, kind: str, reason: Reason, name: str = "", about: str = "") -> Ask:
        """What would have to be known of a kind, or of one fact of it, and whose work that is."""
        entry = self.catalogue.kinds.get(kind)
        if reason is Reason.PENDING_ANCHOR or (entry is not None and entry.by_study and not about):
            cls = AskClass.TO_DO
        elif entry is not None and entry.assumable and not about:
            cls = AskClass.TO_CONFIRM
        else:
            cls = AskClass.MISSING
        return Ask(kind, cls, reason, name, about)

    def ask_result(self, kind: str, reason: Reason, name: str = "", about: str = "") -> Ask:
        """A result is never assumed: it is to do where the study brings it about, else missing."""
        cls = AskClass.TO_DO if self.catalogue.kinds[kind].by_study else AskClass.MISSING
        return Ask(kind, cls, reason, name, about)


def _seen_until(judgement: Fact) -> float:
    """The first day on which it may have been given; without such a day, that of its record, else the last."""
    given, recorded = stated(judgement).days, judgement.recorded
    if given.low is not None:
        return given.low
    last = inf if given.high is None else given.high
    return last if recorded is None or recorded.days.low is None else min(recorded.days.low, last)
