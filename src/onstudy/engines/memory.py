"""The reference engine: one patient, plain Python, a Finding with evidence and causes for every node.

Truth is made by `compare`, by set membership of codes, and by the counting of records; everything else
combines. Nothing here knows a unit, a file format or today's date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from onstudy.criteria import expr as e
from onstudy.criteria.expr import CountOf, Expr, Relation, TruthExpr, ValueExpr, Which
from onstudy.criteria.finding import Ask, AskClass, Finding, Reason
from onstudy.engines.view import Anchors, Subject, View
from onstudy.record.catalogue import MOMENT, STATE, Kind
from onstudy.record.patient import Fact, Value
from onstudy.values import interval as iv
from onstudy.values.calendar import DAY, HOUR, Duration, Unit, When, age, shift_days
from onstudy.values.interval import ANYTHING, Interval, Op, compare, hull, point
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth, agreed, all_of, any_of, negate

REGISTRATION = "registration"

_Reasons = frozenset[Reason]
_NONE: _Reasons = frozenset()


@dataclass(slots=True)
class Case:
    """One value a value node may have, and the fact it is read from."""

    value: Value
    about: Fact | None = None
    reasons: _Reasons = _NONE
    asks: tuple[Ask, ...] = ()


@dataclass(slots=True)
class Match:
    """A record looked at: whether it is one of those asked for, and why that may be unknown."""

    fact: Fact
    truth: Truth
    reasons: _Reasons = _NONE
    asks: tuple[Ask, ...] = ()
    where: Finding | None = None


class Memory:
    """Evaluates trees for one patient and one set of anchors.

    `assumed` are the kinds whose absence is taken as "no" where nobody recorded them; "all" stands for
    every assumable kind. Kinds that are never assumable stay as recorded.
    """

    def __init__(self, view: View, anchors: Anchors, assumed: frozenset[str] = frozenset()) -> None:
        registration = anchors.get(REGISTRATION)
        assert registration is not None and registration.day is not None, "registration is one known day"
        self.view, self.anchors, self.assumed = view, anchors, assumed
        self.catalogue = view.catalogue
        self.index = registration.day
        self.index_days = point(registration.day)
        self._named: dict[int, Finding] = {}

    def evaluate(self, node: TruthExpr, subject: Subject | None = None) -> Finding:
        """What a truth node comes to; `subject` is the record a body is about."""
        return _TRUTHS[type(node)](self, node, subject)

    # Combining ------------------------------------------------------------------------------------------

    def _and(self, node: e.And, subject: Subject | None) -> Finding:
        parts = tuple(self.evaluate(part, subject) for part in node.parts)
        return _combined(node, all_of(part.truth for part in parts), parts)

    def _or(self, node: e.Or, subject: Subject | None) -> Finding:
        parts = tuple(self.evaluate(part, subject) for part in node.parts)
        return _combined(node, any_of(part.truth for part in parts), parts)

    def _not(self, node: e.Not, subject: Subject | None) -> Finding:
        part = self.evaluate(node.part, subject)
        return _combined(node, negate(part.truth), (part,))

    def _if(self, node: e.If, subject: Subject | None) -> Finding:
        parts = (self.evaluate(node.condition, subject), self.evaluate(node.then, subject))
        return _combined(node, any_of((negate(parts[0].truth), parts[1].truth)), parts)

    def _named_rule(self, node: e.Named, subject: Subject | None) -> Finding:
        if subject is not None and node.of:
            return _combined(node, (part := self.evaluate(node.expr, subject)).truth, (part,))
        found = self._named.get(id(node))
        if found is None:
            part = self.evaluate(node.expr, None)
            found = self._named[id(node)] = _combined(node, part.truth, (part,))
        return found

    # Comparing --------------------------------------------------------------------------------------------

    def _compare(self, node: e.Compare, subject: Subject | None) -> Finding:
        left = self.cases(node.left, subject)
        if isinstance(node.right, e.Limit):
            limit = node.right
            return self._judge(node, left, [Case(None)], lambda a, _b: self._against_limit(node.op, a, limit))
        right = self.cases(node.right, subject)
        return self._judge(node, left, right, lambda a, b: _compared(node.op, a.value, b.value))

    def _against_limit(self, op: Op, case: Case, limit: e.Limit) -> tuple[Truth, _Reasons]:
        if case.about is None or case.value is None:
            return UNKNOWN, _NONE
        normal = case.about.uln if limit.limit == "ULN" else case.about.lln
        if normal is None or normal.low is None or normal.low <= 0:  # nothing is normal up to nothing
            return UNKNOWN, frozenset({Reason.NO_UNIT_OR_LIMIT})
        return _compared(op, case.value, iv.multiply(normal, point(limit.factor)))

    def _member(self, node: e.Member, subject: Subject | None) -> Finding:
        def among(case: Case, _other: Case) -> tuple[Truth, _Reasons]:
            if not isinstance(case.value, frozenset) or not case.value:
                return UNKNOWN, _NONE
            if case.value <= node.members:
                return TRUE, _NONE
            return (UNKNOWN, frozenset({Reason.IMPRECISE_VALUE})) if case.value & node.members else (FALSE, _NONE)

        return self._judge(node, self.cases(node.value, subject), [Case(None)], among)

    def _timing(self, node: e.Timing, subject: Subject | None) -> Finding:
        def placed(event: Case, anchor: Case) -> tuple[Truth, _Reasons]:
            if not isinstance(event.value, When) or not isinstance(anchor.value, When):
                return UNKNOWN, _NONE
            truth = relate(event.value, node.relation, anchor.value, node.span.duration if node.span else None)
            return truth, (frozenset({Reason.IMPRECISE_DATE}) if truth is UNKNOWN else _NONE)

        return self._judge(node, self.cases(node.event, subject), self.cases(node.anchor, subject), placed)

    def _judge(
        self,
        node: TruthExpr,
        left: list[Case],
        right: list[Case],
        decide: Callable[[Case, Case], tuple[Truth, _Reasons]],
    ) -> Finding:
        """Decide every pair; the answer is what all say. Its causes are those of the pairs that cannot tell."""
        truths: set[Truth] = set()
        reasons: set[Reason] = set()
        for a in left:
            for b in right:
                truth, why = decide(a, b)
                truths.add(truth)
                if truth is UNKNOWN:
                    reasons.update((a.reasons | b.reasons) or why)
        result = truths.pop() if len(truths) == 1 else UNKNOWN
        evidence = tuple(case.about for case in (*left, *right) if case.about is not None and case.about.id)
        parts = tuple(Finding(node, case.value, about=case.about) for case in left if case.about is not None)
        if result is not UNKNOWN:
            return Finding(node, result, evidence=evidence, parts=parts)
        if not reasons:
            reasons.add(Reason.CONFLICT)
        asks = [ask for case in (*left, *right) for ask in case.asks] or self._value_asks(node, left, reasons)
        return Finding(node, result, frozenset(reasons), evidence, parts, tuple(dict.fromkeys(asks)))

    def _value_asks(self, node: TruthExpr, cases: list[Case], reasons: set[Reason]) -> list[Ask]:
        """The value is there and does not settle it: ask for that field of the fact it is a value of."""
        value = (
            node.event if isinstance(node, e.Timing) else getattr(node, "left", None) or getattr(node, "value", None)
        )
        name = value.name if isinstance(value, e.Field) and value.name != "value" else ""
        return [
            self._ask(case.about.kind, reason, name, case.about.id)
            for case in cases
            if case.about is not None and case.about.id
            for reason in sorted(reasons)
        ]

    # Records ----------------------------------------------------------------------------------------------

    def _any(self, node: e.Any, subject: Subject | None) -> Finding:
        kind = self.catalogue.kinds[node.records.kind]
        if kind.extent == STATE and node.records.lookback is None:
            return self._state(node, kind, subject)
        matches = self.matches(node.records, subject)
        open_end = _NOTHING_OPEN if node.closed else self._unseen(node.records, None, subject)
        truth = any_of((*(match.truth for match in matches), open_end.truth))
        return self._counted(node, truth, matches, open_end, [m.where for m in matches])

    def _every(self, node: e.Every, subject: Subject | None) -> Finding:
        matches: list[Match] = []
        findings: list[Finding | None] = []
        for match in self.matches(node.records, subject):
            body = self.evaluate(node.body, Subject(match.fact))
            body.about = match.fact
            fails = all_of((match.truth, negate(body.truth)))
            unknown = [part for part in (match, body) if fails is UNKNOWN and _truth(part) is UNKNOWN]
            reasons = _NONE.union(*(part.reasons for part in unknown))
            asks = tuple(ask for part in unknown for ask in part.asks)
            matches.append(Match(match.fact, fails, reasons, asks, match.where))
            findings.append(body)
        open_end = self._unseen(node.records, node.body, subject)
        truth = negate(any_of((*(match.truth for match in matches), open_end.truth)))
        return self._counted(node, truth, matches, open_end, findings)

    def _counted(
        self,
        node: TruthExpr,
        truth: Truth,
        matches: list[Match],
        open_end: _Open,
        parts: list[Finding | None],
    ) -> Finding:
        """A finding over records: its evidence are the records that make it what it is."""
        wanted = UNKNOWN if truth is UNKNOWN else TRUE
        evidence = tuple(match.fact for match in matches if match.truth is wanted)
        if not evidence and truth is not UNKNOWN:
            evidence = open_end.denials or tuple(match.fact for match in matches)
        reasons: _Reasons = _NONE
        asks: tuple[Ask, ...] = ()
        if truth is UNKNOWN:
            unknown = [match for match in matches if match.truth is UNKNOWN]
            reasons = _NONE.union(*(match.reasons for match in unknown), open_end.reasons)
            asks = (*(ask for match in unknown for ask in match.asks), *open_end.asks)
        found = tuple(part for part in parts if part is not None)
        return Finding(node, truth, reasons, evidence, found, tuple(dict.fromkeys(asks)), assumed=open_end.assumed)

    def _state(self, node: e.Any, kind: Kind, subject: Subject | None) -> Finding:
        """A state: the newest statement on or before the index date, yes or no, holds."""
        said = [Match(fact, self._until_index(fact)) for fact in self.view.facts(kind.name)]
        said += [Match(fact, self._until_index(_statement(fact))) for fact in self.view.denials(kind.name)]
        possible = _outermost([m for m in said if m.truth is not FALSE], newest=True)
        if not possible:
            open_end = _NOTHING_OPEN if node.closed else self._unseen(node.records, None, subject)
            return self._counted(node, open_end.truth, [], open_end, [])
        truths = [self._says(match, node.records, kind) for match in possible]
        nothing = not any(match.truth is TRUE for match in possible)
        truth = agreed([match.truth for match in truths] + ([UNKNOWN] if nothing else []))
        if truth is not UNKNOWN:
            return Finding(node, truth, evidence=tuple(match.fact for match in possible))
        reasons = _NONE.union(*(match.reasons for match in truths if match.truth is UNKNOWN))
        if nothing:
            reasons |= {Reason.IMPRECISE_DATE}
        reasons = reasons or frozenset({Reason.CONFLICT})
        asks = tuple(ask for match in truths for ask in match.asks) or tuple(
            self._ask(kind.name, reason, about=match.fact.id) for match in possible for reason in sorted(reasons)
        )
        return Finding(node, truth, reasons, tuple(m.fact for m in possible), asks=asks)

    def _says(self, match: Match, records: e.Records, kind: Kind) -> Match:
        fact = match.fact
        if fact.negative:
            return Match(fact, FALSE)
        return self._examined(fact, TRUE, records, kind)

    def _until_index(self, fact: Fact) -> Truth:
        return compare(Op.LE, fact.start.days, self.index_days)

    def matches(self, records: e.Records, subject: Subject | None) -> list[Match]:
        """The recorded facts that are, or may be, among those asked for."""
        kind = self.catalogue.kinds[records.kind]
        anchors = self._window_anchors(records, subject)
        found = []
        for fact in self.view.facts(records.kind):
            placed = self._placed(fact, records, anchors)
            if placed is not FALSE:
                match = self._examined(fact, placed, records, kind, anchors)
                if match.truth is not FALSE:
                    found.append(match)
        if not kind.measured:
            found += self._unspecified(records, kind, anchors)
        return found

    def _unspecified(self, records: e.Records, kind: Kind, anchors: list[Case]) -> list[Match]:
        """Records of a group above the kind: which member they are is not stated, so they may be among them."""
        found = []
        for fact in self.view.unspecified(kind.name):
            placed = self._placed(fact, records, anchors)
            match = self._examined(fact, placed, records, kind, anchors) if placed is not FALSE else None
            if match is not None and match.truth is not FALSE:
                ask = Ask(fact.kind, AskClass.MISSING, Reason.NOT_STATED, about=fact.id)
                reasons = match.reasons | {Reason.NOT_STATED}
                found.append(Match(fact, UNKNOWN, reasons, (*match.asks, ask), match.where))
        return found

    def _examined(
        self, fact: Fact, placed: Truth, records: e.Records, kind: Kind, anchors: Sequence[Case] = ()
    ) -> Match:
        """Whether one fact, placed in time, is one of those asked for.

        A place that is unknown is the fault of the anchors where they are, else of the fact's own date.
        """
        where = None if records.where is None else self.evaluate(records.where, Subject(fact))
        truths = [placed]
        reasons: _Reasons = _NONE
        asks: tuple[Ask, ...] = ()
        unset: _Reasons = _NONE
        if placed is UNKNOWN:
            unset = _NONE.union(*(case.reasons for case in anchors))
            reasons = _NONE if unset else frozenset({Reason.IMPRECISE_DATE})
        if where is not None:
            where.about = fact
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
            asks = tuple(self._ask(fact.kind, reason, about=fact.id) for reason in sorted(reasons))
            if unset:
                reasons |= unset
                asks += tuple(ask for case in anchors for ask in case.asks)
            if where is not None and where.truth is UNKNOWN:
                reasons |= where.reasons
                asks += where.asks
        return Match(fact, truth, reasons if truth is UNKNOWN else _NONE, asks, where)

    # Time ---------------------------------------------------------------------------------------------------

    def _window_anchors(self, records: e.Records, subject: Subject | None) -> list[Case]:
        return [] if records.lookback is None else self.cases(records.lookback.anchor, subject)

    def _placed(self, fact: Fact, records: e.Records, anchors: list[Case]) -> Truth:
        """Whether a fact lies in the lookback; without one, whether it starts on or before the index date."""
        back = records.lookback
        if back is None:
            return self._until_index(fact)
        end = self.end_of(fact)
        truth = agreed(
            _overlaps(fact.start, end, back, case.value) if isinstance(case.value, When) else UNKNOWN
            for case in anchors
        )
        if back.relation in (Relation.AFTER, Relation.WITHIN_AFTER) and not isinstance(back.anchor, e.Anchor):
            truth = min(truth, self._until_index(fact))
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

    # What nobody recorded -------------------------------------------------------------------------------------

    def _unseen(self, records: e.Records, body: TruthExpr | None, subject: Subject | None) -> _Open:
        """Whether a record nobody made could count; with a `body`, could count and fail it."""
        kind = self.catalogue.kinds[records.kind]
        imagined, denials = self.view.unseen(records.kind)
        anchors = self._window_anchors(records, subject)
        for other in imagined:
            if self._could_be(other, records, body, anchors) is not FALSE:
                if self._assumes(kind):
                    return _Open(FALSE, _NONE, (), (), kind.name)
                reason = self._why_unseen(records, kind, anchors)
                return _Open(UNKNOWN, frozenset({reason}), (self._ask(kind.name, reason),), ())
        return _Open(FALSE, _NONE, (), denials)

    def _could_be(self, other: Subject, records: e.Records, body: TruthExpr | None, anchors: list[Case]) -> Truth:
        truth = self._placed(other.fact, records, anchors)
        if truth is not FALSE and records.where is not None:
            truth = min(truth, self.evaluate(records.where, other).truth)
        if truth is not FALSE and body is not None:
            truth = min(truth, negate(self.evaluate(body, other).truth))
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
            and (records.where is None or self._examined(fact, TRUE, records, kind).truth is not FALSE)
        ]
        if not outside:
            return None
        later = all(compare(Op.GT, fact.start.days, self.index_days) is TRUE for fact in outside)
        if not later and records.lookback is None:
            return None
        return Reason.LATER if later else Reason.STALE

    def _ask(self, kind: str, reason: Reason, name: str = "", about: str = "") -> Ask:
        entry = self.catalogue.kinds.get(kind)
        if reason is Reason.PENDING_ANCHOR or (entry is not None and entry.by_study and not about):
            cls = AskClass.TO_DO
        elif entry is not None and entry.assumable and not about:
            cls = AskClass.TO_CONFIRM
        else:
            cls = AskClass.MISSING
        return Ask(kind, cls, reason, name, about)

    # Picks ------------------------------------------------------------------------------------------------------

    def _has(self, node: e.Has, subject: Subject | None) -> Finding:
        possible, lacking = self.picked(node.pick, subject)
        parts = []
        for match in possible:
            body = self.evaluate(node.body, Subject(match.fact))
            body.about = match.fact
            parts.append(body)
        truth = agreed([part.truth for part in parts] + ([UNKNOWN] if lacking is not None else []))
        evidence = tuple(match.fact for match in possible)
        if truth is not UNKNOWN:
            return Finding(node, truth, evidence=evidence, parts=tuple(parts))
        unknown = [part for part in parts if part.truth is UNKNOWN]
        reasons = _NONE.union(*(part.reasons for part in unknown))
        asks = tuple(ask for part in unknown for ask in part.asks)
        if lacking is not None:
            reasons, asks = reasons | lacking.reasons, asks + lacking.asks
        if not reasons:
            reasons = frozenset({Reason.CONFLICT})
            asks = (self._ask_result(node.pick.records.kind, Reason.CONFLICT),)
        return Finding(node, truth, reasons, evidence, tuple(parts), tuple(dict.fromkeys(asks)))

    def picked(self, pick: e.Pick, subject: Subject | None) -> tuple[list[Match], Case | None]:
        """The records that could be the one, and, where there may be none, why."""
        matches = self.matches(pick.records, subject)
        if pick.by_time:
            possible = _outermost(matches, newest=pick.which is Which.LATEST)
        else:
            possible = matches
        if any(match.truth is TRUE for match in possible):
            return possible, None
        if possible:
            reasons = _NONE.union(*(match.reasons for match in possible))
            return possible, Case(None, None, reasons, tuple(ask for match in possible for ask in match.asks))
        anchors = self._window_anchors(pick.records, subject)
        reason = self._outside(pick.records, anchors) or Reason.NO_RECORD
        pending = [case for case in anchors if case.value is None]
        if pending:
            return [], Case(
                None,
                None,
                _NONE.union(*(c.reasons for c in pending)),
                tuple(a for c in pending for a in c.asks),
            )
        return [], Case(None, None, frozenset({reason}), (self._ask_result(pick.records.kind, reason),))

    def _ask_result(self, kind: str, reason: Reason, name: str = "", about: str = "") -> Ask:
        """A result is never assumed: it is to do where the study brings it about, else missing."""
        cls = AskClass.TO_DO if self.catalogue.kinds[kind].by_study else AskClass.MISSING
        return Ask(kind, cls, reason, name, about)

    # Values -----------------------------------------------------------------------------------------------------

    def cases(self, node: ValueExpr, subject: Subject | None) -> list[Case]:
        """Every value a value node may have."""
        return _VALUES[type(node)](self, node, subject)

    def _number(self, node: e.Number, _subject: Subject | None) -> list[Case]:
        return [Case(point(node.value))]

    def _anchor(self, node: e.Anchor, _subject: Subject | None) -> list[Case]:
        when = self.anchors.get(node.name)
        if when is None:
            ask = Ask(node.name, AskClass.TO_DO, Reason.PENDING_ANCHOR)
            return [Case(None, None, frozenset({Reason.PENDING_ANCHOR}), (ask,))]
        return [Case(when)]

    def _age(self, node: e.Age, subject: Subject | None) -> list[Case]:
        born = self.view.patient.born
        if not born.known:
            return [
                Case(
                    None,
                    None,
                    frozenset({Reason.NO_RECORD}),
                    (Ask("born", AskClass.MISSING, Reason.NO_RECORD),),
                )
            ]
        found = []
        for case in self.cases(node.anchor, subject):
            years = age(born.days, case.value.days) if isinstance(case.value, When) else None
            why = case.reasons
            asks = case.asks
            if years is not None and not years.exact:
                why, asks = (
                    frozenset({Reason.IMPRECISE_DATE}),
                    (Ask("born", AskClass.MISSING, Reason.IMPRECISE_DATE),),
                )
            birth = Fact(id="born", kind="born", start=born, shown=str(born), source="Patient")
            found.append(Case(years, birth, why, asks))
        return found

    def _pick(self, node: e.Pick, subject: Subject | None) -> list[Case]:
        possible, lacking = self.picked(node, subject)
        if not node.by_time:
            return [self._extreme(node, possible, lacking)]
        found = [self._field_case(match.fact, "value", Subject(match.fact)) for match in possible]
        return found + ([lacking] if lacking is not None else [])

    def _extreme(self, node: e.Pick, possible: list[Match], lacking: Case | None) -> Case:
        """The highest or lowest value: at least that of the certain records, at most that of all."""
        if not any(match.truth is TRUE for match in possible):
            return lacking if lacking is not None else Case(None)
        ranges = [(match, self._range(match.fact)) for match in possible]
        reasons = _NONE.union(*(_lacks(m.fact) | m.reasons for m, r in ranges if not r.exact or m.truth is UNKNOWN))
        highest = node.which is Which.HIGHEST
        span = _extreme_of([(r, m.truth is TRUE) for m, r in ranges], highest)
        asks = tuple(
            self._ask_result(m.fact.kind, reason, about=m.fact.id)
            for m, r in ranges
            for reason in sorted(_lacks(m.fact) | m.reasons)
            if not r.exact or m.truth is UNKNOWN
        )
        about = next((m.fact for m, r in ranges if r == span), possible[0].fact)
        if node.type.base == "number":
            return Case(span, about, reasons, asks)
        names = list(self.catalogue.value_sets[node.type.values].rank)
        low = 0 if span.low is None else int(span.low)
        high = len(names) - 1 if span.high is None else int(span.high)
        return Case(frozenset(names[low : high + 1]), about, reasons, asks)

    def _range(self, fact: Fact) -> Interval:
        if isinstance(fact.value, Interval):
            return fact.value
        values = self.catalogue.codes_of(fact.kind)
        if values is None:
            return ANYTHING
        codes = fact.value if isinstance(fact.value, frozenset) else values.universe
        ranks = [values.rank[code] for code in codes]
        return Interval(min(ranks), max(ranks))

    def _field(self, node: e.Field, subject: Subject | None) -> list[Case]:
        if node.of is None:
            assert subject is not None, f"{node.name} is read outside a body"
            return [self._field_case(subject.fact, node.name, subject)]
        possible, lacking = self.picked(node.of, subject)
        found = [self._field_case(match.fact, node.name, Subject(match.fact)) for match in possible]
        return found + ([lacking] if lacking is not None else [])

    def _field_case(self, fact: Fact, name: str, subject: Subject) -> Case:
        if name == "start":
            return self._dated(fact.start, fact)
        if name == "end":
            return self._dated(self.end_of(fact), fact)
        entry = self.catalogue.kinds[fact.kind]
        if name == "value":
            return self._value_case(fact, fact)
        if name in entry.components:
            part = fact.parts.get(name)
            if part is not None:
                return self._value_case(part, part)
            silent = self.catalogue.kinds[entry.components[name]].silence
            if silent is not None and not subject.unseen:
                return Case(frozenset({silent}), fact)
            return self._not_stated(fact, name, subject)
        value = self.view.attribute(subject, name)
        return self._not_stated(fact, name, subject) if value is None else Case(value, fact)

    def _dated(self, when: When, fact: Fact) -> Case:
        return Case(when, fact)

    def _value_case(self, fact: Fact, about: Fact) -> Case:
        if fact.value is not None:
            return Case(fact.value, about)
        reasons = _lacks(fact)
        return Case(
            None,
            about,
            reasons,
            tuple(self._ask_result(fact.kind, r, about=fact.id) for r in sorted(reasons)),
        )

    def _not_stated(self, fact: Fact, name: str, subject: Subject) -> Case:
        if subject.unseen:
            return Case(None, fact)
        reason = Reason.NOT_STATED if fact.lacks is None else Reason(fact.lacks)
        return Case(None, fact, frozenset({reason}), (Ask(fact.kind, AskClass.MISSING, reason, name, fact.id),))

    def _arithmetic(self, node: e.Arithmetic, subject: Subject | None) -> list[Case]:
        sides = [self.cases(node.left, subject), self.cases(node.right, subject)]
        left, right = (hull([_interval(case.value) for case in side]) for side in sides)
        together = [case for side in sides for case in side]
        reasons = _NONE.union(*(case.reasons for case in together))
        about = next((case.about for case in together if case.about is not None), None)
        return [Case(_ARITHMETIC[node.op](left, right), about, reasons, tuple(a for c in together for a in c.asks))]

    # Counting ---------------------------------------------------------------------------------------------------

    def _count(self, node: e.Count, subject: Subject | None) -> list[Case]:
        matches = self.matches(node.records, subject)
        open_end = self._unseen(node.records, None, subject)
        if node.of is CountOf.RECORDS:
            span = Interval(sum(m.truth is TRUE for m in matches), len(matches))
        else:
            span = self._length(node.of, matches)
        if open_end.truth is UNKNOWN:
            span = Interval(span.low, None)
        unknown = [match for match in matches if match.truth is UNKNOWN]
        reasons = _NONE.union(*(match.reasons for match in unknown), open_end.reasons)
        asks = (*(ask for match in unknown for ask in match.asks), *open_end.asks)
        if not span.exact and not reasons:
            reasons = frozenset({Reason.IMPRECISE_VALUE})
            asks = tuple(
                Ask(m.fact.kind, AskClass.MISSING, Reason.IMPRECISE_VALUE, "frequency", m.fact.id) for m in matches
            )
        counted = [Case(span, match.fact, reasons, asks) for match in matches]
        return counted or [Case(span, None, reasons, asks)]

    def _length(self, of: CountOf, matches: list[Match]) -> Interval:
        """Days from those that are certain to those that are possible (distinct) or to the span (duration)."""
        certain = {day for match in matches if match.truth is TRUE for day in self._certain_days(match.fact)}
        spans = [(match.fact, *self._possible_days(match.fact)) for match in matches]
        if any(first is None for _, first, _ in spans):
            return Interval(len(certain), None)
        begun = [(fact, first, last) for fact, first, last in spans if first is not None and first <= last]
        if not begun:
            return point(0)
        span = max(last for _, _, last in begun) - min(first for _, first, _ in begun) + 1
        if of is CountOf.DURATION:
            return Interval(len(certain), span)
        possible = sum(self._most_days(fact) for fact, _, _ in begun)
        return Interval(len(certain), max(len(certain), min(possible, span)))

    def _certain_days(self, fact: Fact) -> Iterable[int]:
        start = fact.start.day
        if start is None or start > self.index:
            return ()
        end = self.end_of(fact)
        last = self.index if fact.ongoing else end.day
        if fact.attributes.get("frequency") == frozenset({"daily"}):
            sure = last if last is not None else end.days.low
            return range(start, min(int(sure), self.index) + 1) if sure is not None else (start,)
        return {start, last} if last is not None and last <= self.index and not fact.ongoing else (start,)

    def _possible_days(self, fact: Fact) -> tuple[int | None, int]:
        """The first and last day a fact may cover, up to the index date."""
        first = fact.start.days.low
        last = self.end_of(fact).days.high
        until = self.index if last is None else min(int(last), self.index)
        return (None if first is None else int(first)), until

    def _most_days(self, fact: Fact) -> int:
        """On how many days at most a fact can lie: one for a moment, all its days for a period."""
        if fact.end is None and not fact.ongoing and self.catalogue.kinds[fact.kind].extent == MOMENT:
            return 1
        if fact.end is not None and fact.end == fact.start and fact.start.day is not None:
            return 1
        first, last = self._possible_days(fact)
        return last - (first if first is not None else last) + 1


@dataclass(slots=True)
class _Open:
    """What an unrecorded fact does to a count: FALSE is nothing, UNKNOWN leaves it without an upper bound."""

    truth: Truth
    reasons: _Reasons
    asks: tuple[Ask, ...]
    denials: tuple[Fact, ...]
    assumed: str = ""


_NOTHING_OPEN = _Open(FALSE, _NONE, (), ())


def relate(event: When, relation: Relation, anchor: When, duration: Duration | None) -> Truth:
    """How one moment lies to another. `within` moves the anchor back, `at least` moves the event forward."""
    if duration is not None and duration.unit is Unit.HOURS:
        return _relate_hours(event, relation, anchor, duration.amount * HOUR)
    a, b = event.days, anchor.days
    match relation:
        case Relation.BEFORE:
            return compare(Op.LT, a, b)
        case Relation.AFTER:
            return compare(Op.GT, a, b)
        case Relation.ON_OR_BEFORE:
            return compare(Op.LE, a, b)
        case Relation.ON_OR_AFTER:
            return compare(Op.GE, a, b)
        case Relation.ON:
            return compare(Op.EQ, a, b)
    assert duration is not None
    match relation:
        case Relation.WITHIN_BEFORE:
            return min(compare(Op.GE, a, shift_days(b, duration, -1)), compare(Op.LE, a, b))
        case Relation.WITHIN_AFTER:
            return min(compare(Op.GE, a, b), compare(Op.LE, a, shift_days(b, duration)))
        case Relation.AT_LEAST_BEFORE:
            return compare(Op.GE, b, shift_days(a, duration))
    assert relation is Relation.AT_LEAST_AFTER
    return compare(Op.GE, a, shift_days(b, duration))


def _relate_hours(event: When, relation: Relation, anchor: When, length: int) -> Truth:
    shared = event.offset is not None and anchor.offset is not None
    a, b = event.instants(shared), anchor.instants(shared)
    gap = iv.subtract(b, a) if relation in (Relation.WITHIN_BEFORE, Relation.AT_LEAST_BEFORE) else iv.subtract(a, b)
    enough = compare(Op.GE, gap, point(length))
    if relation in (Relation.AT_LEAST_BEFORE, Relation.AT_LEAST_AFTER):
        return enough
    return min(compare(Op.GE, gap, point(0)), compare(Op.LE, gap, point(length)))


def _overlaps(start: When, end: When, back: e.Lookback, anchor: When) -> Truth:
    """Whether any part of a period lies in a lookback counted from `anchor`."""
    if back.span is not None and back.span.duration.unit is Unit.HOURS:
        return _overlaps_hours(start, end, back, anchor, back.span.duration.amount * HOUR)
    a, b, c = start.days, end.days, anchor.days
    match back.relation:
        case Relation.BEFORE:
            return compare(Op.LT, a, c)
        case Relation.AFTER:
            return compare(Op.GT, a, c)
        case Relation.AT:
            return min(compare(Op.LE, a, c), compare(Op.GE, b, c))
    assert back.span is not None
    if back.relation is Relation.WITHIN_BEFORE:
        return min(compare(Op.GE, b, shift_days(c, back.span.duration, -1)), compare(Op.LE, a, c))
    return min(compare(Op.GE, b, c), compare(Op.LE, a, shift_days(c, back.span.duration)))


def _overlaps_hours(start: When, end: When, back: e.Lookback, anchor: When, length: int) -> Truth:
    shared = None not in (start.offset, end.offset, anchor.offset)
    a, b, c = start.instants(shared), end.instants(shared), anchor.instants(shared)
    if back.relation is Relation.WITHIN_BEFORE:
        return min(compare(Op.GE, b, iv.subtract(c, point(length))), compare(Op.LE, a, c))
    return min(compare(Op.GE, b, c), compare(Op.LE, a, iv.add(c, point(length))))


def _outermost(matches: list[Match], newest: bool) -> list[Match]:
    """Those that no certain match surely comes after (or, for the earliest, before)."""
    sure = [match.fact for match in matches if match.truth is TRUE]
    op = Op.GT if newest else Op.LT
    return [m for m in matches if not any(_moment(op, fact, m.fact) is TRUE for fact in sure)]


def _moment(op: Op, one: Fact, other: Fact) -> Truth:
    a, b = _stated(one), _stated(other)
    shared = a.offset is not None and b.offset is not None
    return compare(op, a.instants(shared), b.instants(shared))


def _stated(fact: Fact) -> When:
    """When a fact was so: a denial speaks for the day it was made, up to which it holds."""
    if fact.negative:
        return fact.end or fact.recorded or fact.start
    return fact.start


def _statement(denial: Fact) -> Fact:
    """A denial of a state, placed on the day it was made."""
    return Fact(id=denial.id, kind=denial.kind, start=_stated(denial), negative=True)


def _combined(node: TruthExpr, truth: Truth, parts: tuple[Finding, ...]) -> Finding:
    if truth is not UNKNOWN:
        return Finding(node, truth, parts=parts)
    unknown = [part for part in parts if part.result is UNKNOWN]
    return Finding(
        node,
        truth,
        _NONE.union(*(part.reasons for part in unknown)),
        parts=parts,
        asks=tuple(dict.fromkeys(ask for part in unknown for ask in part.asks)),
    )


def _compared(op: Op, left: Value, right: Value) -> tuple[Truth, _Reasons]:
    if not isinstance(left, Interval) or not isinstance(right, Interval):
        return UNKNOWN, _NONE
    truth = compare(op, left, right)
    exact = left.exact and right.exact
    return truth, (_NONE if truth is not UNKNOWN or exact else frozenset({Reason.IMPRECISE_VALUE}))


def _extreme_of(ranges: list[tuple[Interval, bool]], highest: bool) -> Interval:
    """The greatest (or least) of values of which only some are certain to be there."""
    if not highest:
        mirrored = _extreme_of([(iv.minus(span), sure) for span, sure in ranges], True)
        return iv.minus(mirrored)
    sure_lows = [(span.low, span.low_open) for span, sure in ranges if sure and span.low is not None]
    low = max((bound for bound, _ in sure_lows), default=None)
    highs = [(span.high, span.high_open) for span, _ in ranges]
    top = None if any(high is None for high, _ in highs) else max(high for high, _ in highs if high is not None)
    return Interval(
        low,
        top,
        any(is_open for bound, is_open in sure_lows if bound == low),
        top is not None and all(is_open for bound, is_open in highs if bound == top),
    )


def _lacks(fact: Fact) -> _Reasons:
    if fact.lacks is not None:
        return frozenset({Reason(fact.lacks)})
    return frozenset({Reason.NOT_STATED}) if fact.value is None else _NONE


def _interval(value: Value) -> Interval:
    return value if isinstance(value, Interval) else ANYTHING


def _truth(part: Match | Finding) -> Truth:
    return part.truth


_ARITHMETIC: dict[str, Callable[[Interval, Interval], Interval]] = {
    "+": iv.add,
    "-": iv.subtract,
    "*": iv.multiply,
    "/": iv.divide,
}

_TRUTHS: dict[type[Expr], Callable[..., Finding]] = {
    e.And: Memory._and,
    e.Or: Memory._or,
    e.Not: Memory._not,
    e.If: Memory._if,
    e.Named: Memory._named_rule,
    e.Compare: Memory._compare,
    e.Member: Memory._member,
    e.Timing: Memory._timing,
    e.Any: Memory._any,
    e.Every: Memory._every,
    e.Has: Memory._has,
}

_VALUES: dict[type[Expr], Callable[..., list[Case]]] = {
    e.Number: Memory._number,
    e.Anchor: Memory._anchor,
    e.Age: Memory._age,
    e.Pick: Memory._pick,
    e.Field: Memory._field,
    e.Count: Memory._count,
    e.Arithmetic: Memory._arithmetic,
}
