"""The reference engine: one patient, plain Python, a Finding with evidence and causes for every node.

Truth is made by `compare`, by set membership of codes, and by the counting of records; everything else
combines. `cases` says what a value may be, `records` which records are asked for, `timing` how they lie to one
another. Nothing here knows a unit, a file format or today's date.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import proxy

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr, TruthExpr, ValueExpr
from onstudy.criteria.finding import Ask, Finding, Parts, Reason
from onstudy.engines.candidates import NONE, NOTHING_OPEN, Case, Match, Open, Reasons, asks_of, distinct, gathered
from onstudy.engines.cases import Cases
from onstudy.engines.combining import TOGETHER, Depth, combined, plainly
from onstudy.engines.records import Records
from onstudy.engines.timing import relate
from onstudy.engines.view import REGISTRATION, Anchors, Subject, View
from onstudy.record.catalogue import STATE, Kind
from onstudy.record.patient import Fact, Value
from onstudy.values import interval as iv
from onstudy.values.calendar import When
from onstudy.values.interval import Interval, Op, compare, point
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth, agreed, all_of, any_of, negate

#: What two cases come to beside one another, and why that may be unknown.
Decide = Callable[[Case, Case], tuple[Truth, Reasons]]


class Memory:
    """Evaluates trees for one patient and one set of anchors.

    `assumed` are the kinds whose absence is taken as "no" where nobody recorded them; "all" stands for
    every assumable kind. Kinds that are never assumable stay as recorded. `depth` is how much a finding
    tells of what it rests on.
    """

    def __init__(
        self, view: View, anchors: Anchors, assumed: frozenset[str] = frozenset(), depth: Depth = Depth.USUAL
    ) -> None:
        registration = anchors.get(REGISTRATION)
        assert registration is not None and registration.day is not None, "registration is one known day"
        self.catalogue = view.catalogue
        evaluator = proxy(self)  # a cycle would keep every record alive until the garbage collector comes
        self.records = Records(view, registration.day, assumed, evaluator, depth is not Depth.BRIEF)
        self.values = Cases(self.records, anchors)
        self.brief, self.whole = depth is Depth.BRIEF, depth is Depth.WHOLE
        self._named: dict[tuple[int, int], Finding] = {}
        self._asks_of: dict[tuple[int, frozenset[Reason], bool], tuple[Ask, ...]] = {}

    def evaluate(self, node: TruthExpr, subject: Subject | None = None) -> Finding:
        """What a truth node comes to; `subject` is the record a body is about."""
        return _TRUTHS[type(node)](self, node, subject)

    def asked(self, node: TruthExpr, record: Subject) -> Finding:
        """What a statement about one record comes to, looked at no further than a part that fails: then it is none
        of those asked for, and nobody is told why.
        """
        if isinstance(node, e.And):
            return self._briefly(node, node.parts, record, FALSE)
        return self.evaluate(node, record)

    def settled(self, recorded: Finding) -> Finding:
        """What a rule comes to once absences are assumed, from what it came to without: only what was unknown is
        worked out again, since an assumption settles nothing else.
        """
        if recorded.result is not UNKNOWN:
            return recorded
        node = recorded.expr
        assert isinstance(node, TruthExpr), "a finding of a value has no second answer"
        found = self._named.get((id(node), 0))
        if found is None and type(node) in TOGETHER:
            found = combined(node, tuple([self.settled(part) for part in recorded.parts]))
            if isinstance(node, e.Named):
                self._named[id(node), 0] = found
        return self.evaluate(node) if found is None else found

    def cases(self, node: ValueExpr, subject: Subject | None) -> list[Case]:
        """Every value a value node may have."""
        return self.values.of(node, subject)

    # Combining ------------------------------------------------------------------------------------------

    def _and(self, node: e.And, subject: Subject | None) -> Finding:
        if self.brief:
            return self._briefly(node, node.parts, subject, FALSE)
        return combined(node, self._parts(node.parts, subject))

    def _or(self, node: e.Or, subject: Subject | None) -> Finding:
        if self.brief:
            return self._briefly(node, node.parts, subject, TRUE)
        return combined(node, self._parts(node.parts, subject))

    def _parts(self, nodes: tuple[TruthExpr, ...], subject: Subject | None) -> Parts:
        found = []
        for node in nodes:
            found.append(_TRUTHS[type(node)](self, node, subject))
        return tuple(found)

    def _briefly(
        self, node: TruthExpr, nodes: tuple[TruthExpr, ...], subject: Subject | None, settled: Truth
    ) -> Finding:
        """Parts one by one, up to the first that settles the whole: the FALSE of an "and", the TRUE of an "or"."""
        parts: list[Finding] = []
        for each in nodes:
            part = _TRUTHS[type(each)](self, each, subject)
            if part.result is settled:
                return Finding(node, settled, NONE, (), (part,))
            parts.append(part)
        return combined(node, tuple(parts))

    def _not(self, node: e.Not, subject: Subject | None) -> Finding:
        part = _TRUTHS[type(node.part)](self, node.part, subject)
        return combined(node, (part,))

    def _if(self, node: e.If, subject: Subject | None) -> Finding:
        condition = self.evaluate(node.condition, subject)
        if condition.result is FALSE and not self.whole:
            return Finding(node, TRUE, NONE, (), (condition,))
        return combined(node, (condition, self.evaluate(node.then, subject)))

    def _named_rule(self, node: e.Named, subject: Subject | None) -> Finding:
        """A definition is worked out once, or once for each record it is about (the view keeps those alive)."""
        about = subject if node.of else None
        key = (id(node), 0 if about is None else id(about.fact))
        found = self._named.get(key)
        if found is None:
            part = _TRUTHS[type(node.expr)](self, node.expr, about)
            found = self._named[key] = combined(node, (part,))
        return found

    # Comparing --------------------------------------------------------------------------------------------

    def _compare(self, node: e.Compare, subject: Subject | None) -> Finding:
        left = self.values.told_apart(node.left, subject)
        if isinstance(node.right, e.Limit):
            return self._judge(node, left, _NOTHING_ELSE, self._limited(node.op, node.right))
        right = self.values.told_apart(node.right, subject)
        if len(left) == len(right) == 1 and right[0].about is None:
            truth, _ = _compared(node.op, left[0].value, right[0].value)
            if truth is not UNKNOWN:
                return plainly(node, truth, left[0])
        return self._judge(node, left, right, _comparing(node.op))

    def _limited(self, op: Op, limit: e.Limit) -> Decide:
        return lambda case, _: self._against_limit(op, case, limit)

    def _against_limit(self, op: Op, case: Case, limit: e.Limit) -> tuple[Truth, Reasons]:
        if case.about is None or case.value is None:
            return UNKNOWN, NONE
        normal = case.about.uln if limit.limit == "ULN" else case.about.lln
        if normal is None or normal.low is None or normal.low <= 0:  # nothing is normal up to nothing
            return UNKNOWN, frozenset({Reason.NO_UNIT_OR_LIMIT})
        return _compared(op, case.value, iv.multiply(normal, point(limit.factor)))

    def _member(self, node: e.Member, subject: Subject | None) -> Finding:
        cases = self.values.told_apart(node.value, subject)
        if len(cases) == 1 and (truth := _among(cases[0].value, node.members)[0]) is not UNKNOWN:  # nearly always
            return plainly(node, truth, cases[0])
        return self._judge(node, cases, _NOTHING_ELSE, _belonging(node.members))

    def _timing(self, node: e.Timing, subject: Subject | None) -> Finding:
        placed = _placing(node)
        events = self.values.told_apart(node.event, subject)
        anchors = self.values.told_apart(node.anchor, subject)
        stretch = self.values.spanned(node.anchor, subject)
        if stretch is None or len(events) > 1:
            return self._judge(node, events, anchors, placed)
        if placed(events[0], stretch)[0] is not UNKNOWN:
            return self._judge(node, events, [stretch], placed)
        # one that leaves it unknown does so for the same cause as all others that do
        first = next((anchor for anchor in anchors if placed(events[0], anchor)[0] is UNKNOWN), None)
        return self._judge(node, events, anchors if first is None else [first], placed)

    def _judge(
        self,
        node: TruthExpr,
        left: list[Case],
        right: list[Case],
        decide: Decide,
    ) -> Finding:
        """Decide every pair; the answer is what all say. Its causes are those of the pairs that cannot tell."""
        truths: list[Truth] = []
        reasons: set[Reason] = set()
        several = len(left) > 1 and len(right) > 1
        for a in distinct(left) if several else left:
            for b in distinct(right) if several else right:
                truth, why = decide(a, b)
                truths.append(truth)
                if truth is UNKNOWN:
                    reasons.update((a.reasons | b.reasons) or why)
        result = truths[0] if len(truths) == 1 else agreed(truths)
        evidence = tuple([case.about for case in (*left, *right) if case.about is not None and case.about.id])
        parts = _told(node, left)
        if result is not UNKNOWN:
            return Finding(node, result, NONE, evidence, parts)
        if not reasons:
            reasons.add(Reason.CONFLICT)
        asking = [case.asks for case in (*left, *right) if case.asks]
        if not asking and not any(case.reasons for case in (*left, *right)):  # else it was seen that nothing settles it
            asking = [self._value_asks(node, left, right, reasons)]
        asks = asking[0] if len(asking) == 1 else gathered(asking)
        passed = next((case.passed for case in (*left, *right) if case.passed is not None), None)
        return Finding(node, result, frozenset(reasons), evidence, parts, asks, None, "", passed)

    def _value_asks(
        self, node: TruthExpr, left: list[Case], right: list[Case], reasons: set[Reason]
    ) -> tuple[Ask, ...]:
        """The value is there and does not settle it: ask for that field of the fact it is a value of, on the right if
        there is none on the left. Of dates those that are not one day, on either side.
        """
        value, other = _sides(node)
        if isinstance(node, e.Timing):
            sides = ((value, left), (other, right))
            vague = gathered(self._asks_of_facts(of, cases, reasons, vague=True) for of, cases in sides)
            if vague:
                return vague
        return self._asks_of_facts(value, left, reasons) or self._asks_of_facts(other, right, reasons)

    def _asks_of_facts(
        self, of: object, cases: list[Case], reasons: set[Reason], vague: bool = False
    ) -> tuple[Ask, ...]:
        """For each fact a value may be of, or with `vague` each with a date that is not one day, its field."""
        every = self.values.every(of, cases)
        key = (id(every), frozenset(reasons), vague)
        if key not in self._asks_of:
            facts = [case.about for case in every if not vague or _vague(case)]
            asks = tuple(
                self.records.ask(fact.kind, reason, _detail(of), fact.id)
                for fact in facts
                if fact is not None and fact.id
                for reason in sorted(reasons)
            )
            if every is cases:
                return asks
            self._asks_of[key] = asks  # asked again for each record that this is held against
        return self._asks_of[key]

    # Records ----------------------------------------------------------------------------------------------

    def _any(self, node: e.Any, subject: Subject | None) -> Finding:
        records = node.records
        kind = self.catalogue.kinds[records.kind]
        if kind.extent == STATE and records.lookback is None:
            return self._state(node, kind, subject)
        matches = self.records.matches(records, subject)
        if not matches:
            closed = node.closed
            return _none(node, (self.records.denied if closed else self.records.unseen)(records, None, subject))
        truths = [match.truth for match in matches]
        open_end = NOTHING_OPEN
        if not node.closed:
            open_end = self.records.unseen(records, None, subject, cite=TRUE not in truths)
        truth = any_of((open_end.truth, *truths))
        return self._counted(node, truth, matches, open_end, [m.where for m in matches])

    def _every(self, node: e.Every, subject: Subject | None) -> Finding:
        matches: list[Match] = []
        findings: list[Finding | None] = []
        for match in self.records.matches(node.records, subject):
            body = self.evaluate(node.body, Subject(match.fact))
            body.about = match.fact
            fails = all_of((match.truth, negate(body.truth)))
            unknown = [part for part in (match, body) if fails is UNKNOWN and _truth(part) is UNKNOWN]
            reasons = NONE.union(*(part.reasons for part in unknown))
            asks = gathered(asks_of([part]) if isinstance(part, Match) else part.asks for part in unknown)
            matches.append(Match(match.fact, fails, reasons, asks, match.where))
            findings.append(body)
        failing = any(match.truth is TRUE for match in matches)
        open_end = self.records.unseen(node.records, node.body, subject, cite=not failing)
        if not matches:
            return _none(node, open_end, negate(open_end.truth))
        truth = negate(any_of((*(match.truth for match in matches), open_end.truth)))
        return self._counted(node, truth, matches, open_end, findings)

    def _counted(
        self,
        node: TruthExpr,
        truth: Truth,
        matches: list[Match],
        open_end: Open,
        parts: list[Finding | None],
    ) -> Finding:
        """A finding over records: its evidence are the records that make it what it is."""
        found = tuple([part for part in parts if part is not None])
        if truth is not UNKNOWN:
            evidence = tuple([match.fact for match in matches if match.truth is TRUE])
            evidence = evidence or (*[match.fact for match in matches], *open_end.denials)
            return Finding(node, truth, NONE, evidence, found, assumed=open_end.assumed)
        unknown = [match for match in matches if match.truth is UNKNOWN]
        reasons = NONE.union(*[match.reasons for match in unknown], open_end.reasons)
        asks = gathered((asks_of(unknown), open_end.asks))
        evidence = tuple([match.fact for match in unknown])
        each = [asks_of([match]) for match in unknown]
        if open_end.asks:  # one that nobody made is not enough where what it is counted from is open as well
            each.append(asks if _counts_from_a_record(node) else open_end.asks)
        return Finding(node, truth, reasons, evidence, found, asks, assumed=open_end.assumed, each=tuple(each))

    def _state(self, node: e.Any, kind: Kind, subject: Subject | None) -> Finding:
        """A state: the newest statement on or before the index date, yes or no, holds."""
        possible = self.records.newest_said(kind)
        if not possible:
            return _none(node, NOTHING_OPEN if node.closed else self.records.unseen(node.records, None, subject))
        overtaken = [self.records.overtaken(match.fact, kind) for match in possible]
        truths = [
            self._says(match, node.records, kind, newer) for match, newer in zip(possible, overtaken, strict=True)
        ]
        nothing = not any(match.truth is TRUE for match in possible)
        truth = agreed([match.truth for match in truths] + ([UNKNOWN] if nothing else []))
        if truth is not UNKNOWN:
            return Finding(node, truth, evidence=tuple(match.fact for match in possible))
        reasons = NONE.union(*(match.reasons for match in truths if match.truth is UNKNOWN))
        if nothing:
            reasons |= {Reason.IMPRECISE_DATE}
        reasons = reasons or frozenset({Reason.CONFLICT})
        asks = asks_of(truths) or tuple(
            self.records.ask(kind.name, reason, about=match.fact.id) for match in possible for reason in sorted(reasons)
        )
        passed = next((newer for newer in overtaken if newer is not None), None)
        return Finding(node, truth, reasons, tuple(m.fact for m in possible), asks=asks, passed=passed)

    def _says(self, match: Match, records: e.Records, kind: Kind, newer: Fact | None) -> Match:
        """What a statement of a state says; nothing, where it has not seen a record it would have to judge."""
        fact, said = match.fact, Match(match.fact, FALSE)
        if not fact.negative:
            holds = TRUE if self.records.lasts(fact, kind) is TRUE else UNKNOWN
            said = self.records.examined(fact, holds, records, kind)
        if self.records.over(fact, kind):
            anew = self.records.ask(kind.name, Reason.NO_RECORD)
            return Match(fact, UNKNOWN, frozenset({Reason.NO_RECORD}), (anew,))
        if newer is None or (said.truth is FALSE and not fact.negative):
            return said
        asks = (*asks_of([said]), self.records.ask(kind.name, Reason.STALE))
        return Match(fact, UNKNOWN, said.reasons | {Reason.STALE}, asks)

    def _has(self, node: e.Has, subject: Subject | None) -> Finding:
        possible, lacking = self.records.picked(node.pick, subject)
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
        reasons = NONE.union(*(part.reasons for part in unknown))
        asks = gathered(part.asks for part in unknown)
        if lacking is not None:
            reasons, asks = reasons | lacking.reasons, gathered((asks, lacking.asks))
        if not reasons:
            reasons = frozenset({Reason.CONFLICT})
            asks = tuple(
                self.records.ask_result(match.fact.kind, Reason.CONFLICT, about=match.fact.id) for match in possible
            )
        passed = None if lacking is None else lacking.passed
        return Finding(node, truth, reasons, evidence, tuple(parts), tuple(dict.fromkeys(asks)), passed=passed)


_IMPRECISE: Reasons = frozenset({Reason.IMPRECISE_VALUE})
_NOTHING_ELSE = [Case(None)]  # beside which a value is judged that is compared with no other


def _none(node: TruthExpr, open_end: Open, truth: Truth | None = None) -> Finding:
    """A finding where no record counts: it rests on what nobody recorded. `truth` where it is not that itself."""
    truth = open_end.truth if truth is None else truth
    denials = () if truth is UNKNOWN else open_end.denials
    return Finding(node, truth, open_end.reasons, denials, (), open_end.asks, None, open_end.assumed, open_end.since)


def _told(node: TruthExpr, cases: list[Case]) -> Parts:
    """The values that were looked at, each with its record."""
    found = []
    for case in cases:
        if case.about is not None or case.value is not None:
            found.append(Finding(node, case.value, NONE, (), (), (), case.about))
    return tuple(found)


def _compared(op: Op, left: Value, right: Value) -> tuple[Truth, Reasons]:
    if not isinstance(left, Interval) or not isinstance(right, Interval):
        return UNKNOWN, NONE
    truth = compare(op, left, right)
    exact = left.exact and right.exact
    return truth, (NONE if truth is not UNKNOWN or exact else _IMPRECISE)


def _among(value: Value, members: frozenset[str]) -> tuple[Truth, Reasons]:
    if not isinstance(value, frozenset) or not value:
        return UNKNOWN, NONE
    if value <= members:
        return TRUE, NONE
    return (UNKNOWN, _IMPRECISE) if value & members else (FALSE, NONE)


def _comparing(op: Op) -> Decide:
    return lambda left, right: _compared(op, left.value, right.value)


def _belonging(members: frozenset[str]) -> Decide:
    return lambda case, _: _among(case.value, members)


def _counts_from_a_record(node: TruthExpr) -> bool:
    back = node.records.lookback if isinstance(node, e.Any | e.Every) else None
    return back is not None and not isinstance(back.anchor, e.Anchor)


def _placing(node: e.Timing) -> Decide:
    def placed(event: Case, anchor: Case) -> tuple[Truth, Reasons]:
        if not isinstance(event.value, When) or not isinstance(anchor.value, When):
            return UNKNOWN, NONE
        truth = relate(event.value, node.relation, anchor.value, node.span.duration if node.span else None)
        return truth, (frozenset({Reason.IMPRECISE_DATE}) if truth is UNKNOWN else NONE)

    return placed


def _sides(node: TruthExpr) -> tuple[ValueExpr | None, ValueExpr | None]:
    """The value that is judged, and what it is held against, where that is a value."""
    match node:
        case e.Timing(event=event, anchor=anchor):
            return event, anchor
        case e.Compare(left=left, right=e.Limit()):
            return left, None
        case e.Compare(left=left, right=right):
            return left, right
        case e.Member(value=value):
            return value, None
    return None, None


def _vague(case: Case) -> bool:
    """Whether it is a date that is not one day."""
    return isinstance(case.value, When) and not case.value.days.exact


def _detail(value: object) -> str:
    """The field that a value is of, where it is not the value of a record."""
    return value.name if isinstance(value, e.Field) and value.name != "value" else ""


def _truth(part: Match | Finding) -> Truth:
    return part.truth


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
