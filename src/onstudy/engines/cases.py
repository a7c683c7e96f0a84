"""Every value a value node may have for one patient, each with the fact it is read from."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from onstudy.criteria import expr as e
from onstudy.criteria.expr import CountOf, ValueExpr, Which
from onstudy.criteria.finding import Ask, AskClass, Reason
from onstudy.engines.candidates import NONE, Case, Match, asks_of, distinct, gathered, lacks
from onstudy.engines.counting import lacking, length
from onstudy.engines.records import Records
from onstudy.engines.view import Anchors, Subject
from onstudy.record.catalogue import DATE
from onstudy.record.patient import Fact, Value
from onstudy.record.unusable import unusable
from onstudy.values import interval as iv
from onstudy.values.calendar import DAY, When, age
from onstudy.values.interval import ANYTHING, Interval, hull, point
from onstudy.values.truth import TRUE, UNKNOWN


class Cases:
    """The value nodes, read from a patient's records and the anchors."""

    def __init__(self, records: Records, anchors: Anchors) -> None:
        self.records, self.anchors = records, anchors
        self.view, self.catalogue = records.view, records.catalogue
        self._anchored: dict[str, list[Case]] = {}
        self._alike: dict[int, list[Case] | None] = {}
        self._every: dict[int, list[Case]] = {}
        self._spans: dict[int, Case | None] = {}

    def of(self, node: ValueExpr, subject: Subject | None) -> list[Case]:
        """Every value a value node may have; `subject` is the record a body is about."""
        return _VALUES[type(node)](self, node, subject)

    def told_apart(self, node: ValueExpr, subject: Subject | None) -> list[Case]:
        """The same, where it is asked of one record after another: what is alike for all of them is worked out once,
        and of cases that cannot be told apart the first stands for all, or each record would be held against each.
        """
        if subject is None or type(node) is e.Number or type(node) is e.Anchor:
            return self.of(node, subject)
        key = id(node)
        if key not in self._alike:
            self._alike[key] = None
            if not e.of_the_record(node):
                self._every[key] = self.of(node, None)
                self._alike[key] = distinct(self._every[key])
        found = self._alike[key]
        return self.of(node, subject) if found is None else found

    def every(self, node: object, told_apart: list[Case]) -> list[Case]:
        """All the cases of which some are told apart, each with the record it is of."""
        return self._every.get(id(node), told_apart)

    def spanned(self, node: ValueExpr, subject: Subject | None) -> Case | None:
        """Several moments that are alike for every record as the one stretch they lie in: what surely holds of it holds
        of each. None where there are not several, or where one is unknown for a cause of its own.
        """
        key = id(node)
        if subject is None or self._alike.get(key) is None:
            return None
        if key not in self._spans:
            self._spans[key] = _stretch(self._alike[key] or [])
        return self._spans[key]

    # Numbers, anchors, ages ----------------------------------------------------------------------------------

    def _number(self, node: e.Number, _subject: Subject | None) -> list[Case]:
        return _constant(node.value)

    def _anchor(self, node: e.Anchor, _subject: Subject | None) -> list[Case]:
        found = self._anchored.get(node.name)
        if found is None:
            found = self._anchored[node.name] = [self._moment(node.name)]
        return found

    def _moment(self, anchor: str) -> Case:
        when = self.anchors.get(anchor)
        if when is not None:
            return Case(when)
        ask = Ask(anchor, AskClass.TO_DO, Reason.PENDING_ANCHOR)
        return Case(None, None, frozenset({Reason.PENDING_ANCHOR}), (ask,))

    def _age(self, node: e.Age, subject: Subject | None) -> list[Case]:
        born = self.view.patient.born
        if not born.known:
            ask = Ask("born", AskClass.MISSING, Reason.NO_RECORD)
            return [Case(None, None, frozenset({Reason.NO_RECORD}), (ask,))]
        birth = Fact(id="born", kind="born", start=born, shown=str(born), source="Patient")
        found = []
        for case in self.of(node.anchor, subject):
            years = age(born.days, case.value.days) if isinstance(case.value, When) else None
            why, asks = case.reasons, case.asks
            if years is not None and not years.exact:
                why = frozenset({Reason.IMPRECISE_DATE})
                asks = (Ask("born", AskClass.MISSING, Reason.IMPRECISE_DATE),)
            found.append(Case(years, birth, why, asks))
        return found

    # What records say ----------------------------------------------------------------------------------------

    def _pick(self, node: e.Pick, subject: Subject | None) -> list[Case]:
        possible, lacking = self.records.picked(node, subject)
        if not node.by_time:
            return [self._extreme(node, possible, lacking)]
        found = [] if lacking is None else [lacking]
        return [self._value_case(match.fact) for match in possible] + found

    def _extreme(self, node: e.Pick, possible: list[Match], lacking: Case | None) -> Case:
        """The highest or lowest value: at least that of the certain records, at most that of all."""
        if not any(match.truth is TRUE for match in possible):
            return lacking if lacking is not None else Case(None)
        ranges = [(match, self._range(match.fact)) for match in possible]
        reasons = NONE.union(*(lacks(m.fact) | m.reasons for m, r in ranges if not r.exact or m.truth is UNKNOWN))
        highest = node.which is Which.HIGHEST
        span = _extreme_of([(r, m.truth is TRUE) for m, r in ranges], highest)
        asks = tuple(
            self.records.ask_result(m.fact.kind, reason, about=m.fact.id)
            for m, r in ranges
            for reason in sorted(lacks(m.fact) | m.reasons)
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
        possible, lacking = self.records.picked(node.of, subject)
        found = [self._field_case(match.fact, node.name, Subject(match.fact)) for match in possible]
        return found + ([lacking] if lacking is not None else [])

    def _field_case(self, fact: Fact, name: str, subject: Subject) -> Case:
        if name == "start":
            return Case(fact.start, fact)
        if name == "end":
            return Case(self.records.end_of(fact), fact)
        entry = self.catalogue.kinds[fact.kind]
        if name == "value":
            return self._value_case(fact)
        if name in entry.components:
            part = fact.parts.get(name)
            if part is not None:
                return self._value_case(part)
            silent = self.catalogue.kinds[entry.components[name]].silence
            if silent is not None and not subject.unseen:
                return Case(frozenset({silent}), fact)
            return self._not_stated(fact, name, subject)
        value = self.view.attribute(subject, name)
        if isinstance(value, When) and unusable(fact, name, self.catalogue):
            value = None
        elif value is None and not subject.unseen and name not in fact.attributes:
            not_yet = self._not_yet(fact, name)
            if not_yet is not None:
                return not_yet
        return self._not_stated(fact, name, subject) if value is None else Case(value, fact)

    def _not_yet(self, fact: Fact, name: str) -> Case | None:
        """A date that something else stated of the record rules out: it lies after the day for which that is known.

        Where that does not settle it, what is asked is the other statement, as it is today.
        """
        entry = self.catalogue.attribute(fact.kind, name)
        if entry is None or entry.type != DATE or not entry.rules_out:
            return None
        stated = next((other for other, code in entry.ruled_out_by if fact.attributes.get(other) == code), None)
        first = None if stated is None else self._stated_for(fact)
        if stated is None or first is None:
            return None
        ask = Ask(fact.kind, AskClass.MISSING, Reason.IMPRECISE_DATE, stated, fact.id)
        return Case(When(Interval(int(first) * DAY, None)), fact, NONE, (ask,))

    def _stated_for(self, fact: Fact) -> float | None:
        """The first day for which a present state may be meant: that on which it was recorded; where that is not said
        the index date, unless the record was over by then.
        """
        end, start = self.records.end_of(fact).days, fact.start.days
        if fact.ongoing:
            return end.low
        if fact.recorded is not None and fact.recorded.known:
            return fact.recorded.days.low
        over = end.high is not None and end.high < self.records.index
        if over and end.low is not None and start.high is not None and end.low > start.high:
            return start.low
        return max(self.records.index, start.low if start.low is not None else self.records.index)

    def _value_case(self, fact: Fact) -> Case:
        if fact.value is not None:
            return Case(fact.value, fact)
        reasons = lacks(fact)
        asks = tuple(self.records.ask_result(fact.kind, reason, about=fact.id) for reason in sorted(reasons))
        return Case(None, fact, reasons, asks)

    def _not_stated(self, fact: Fact, name: str, subject: Subject) -> Case:
        if subject.unseen:
            return Case(None, fact)
        reason = Reason.NOT_STATED if fact.lacks is None else Reason(fact.lacks)
        return Case(None, fact, frozenset({reason}), (Ask(fact.kind, AskClass.MISSING, reason, name, fact.id),))

    # Counts and sums -----------------------------------------------------------------------------------------

    def _count(self, node: e.Count, subject: Subject | None) -> list[Case]:
        matches = self.records.matches(node.records, subject)
        open_end = self.records.unseen(node.records, None, subject, cite=False)
        if node.of is CountOf.RECORDS:
            span = Interval(sum(m.truth is TRUE for m in matches), len(matches))
        else:
            span = length(node.of, matches, self.records, self._last_day(node.records))
        if open_end.truth is UNKNOWN:
            span = Interval(span.low, None)
        unknown = [match for match in matches if match.truth is UNKNOWN]
        reasons = NONE.union(*(match.reasons for match in unknown), open_end.reasons)
        asks = gathered((asks_of(unknown), open_end.asks))
        if not span.exact and not reasons:
            reasons = frozenset({Reason.IMPRECISE_VALUE})
            asks = tuple(
                Ask(match.fact.kind, AskClass.MISSING, Reason.IMPRECISE_VALUE, name, match.fact.id)
                for match in matches
                for name in lacking(match.fact, self.records)
            )
        certain_first = sorted(matches, key=lambda match: match.truth, reverse=True)
        counted = [Case(span, match.fact, reasons, asks) for match in certain_first]
        return counted or [Case(span, None, reasons, asks)]

    def _last_day(self, records: e.Records) -> Interval:
        """The days of which one is the last to count: the index date, or what the window before an anchor says."""
        to = None if records.lookback is None else records.lookback.counts_to
        if to is None:
            return self.records.index_days
        name, before = to
        when = self.anchors.get(name)
        return ANYTHING if when is None else iv.subtract(when.days, point(before))

    def _arithmetic(self, node: e.Arithmetic, subject: Subject | None) -> list[Case]:
        sides = [self.of(node.left, subject), self.of(node.right, subject)]
        left, right = (hull([_interval(case.value) for case in side]) for side in sides)
        together = [case for side in sides for case in side]
        reasons = NONE.union(*(case.reasons for case in together))
        about = next((case.about for case in together if case.about is not None), None)
        return [Case(_ARITHMETIC[node.op](left, right), about, reasons, gathered(case.asks for case in together))]


def _stretch(cases: list[Case]) -> Case | None:
    moments = [case.value for case in cases if isinstance(case.value, When) and not (case.reasons or case.asks)]
    if len(moments) < max(2, len(cases)) or len({when.offset for when in moments}) > 1:
        return None
    return Case(When(hull([when.span for when in moments]), moments[0].offset), cases[0].about)


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


@lru_cache(maxsize=1024)
def _constant(number: float) -> list[Case]:
    """A number of a rule, the same for every patient."""
    return [Case(point(number))]


def _interval(value: Value) -> Interval:
    return value if isinstance(value, Interval) else ANYTHING


_ARITHMETIC: dict[str, Callable[[Interval, Interval], Interval]] = {
    "+": iv.add,
    "-": iv.subtract,
    "*": iv.multiply,
    "/": iv.divide,
}

_VALUES: dict[type[ValueExpr], Callable[..., list[Case]]] = {
    e.Number: Cases._number,
    e.Anchor: Cases._anchor,
    e.Age: Cases._age,
    e.Pick: Cases._pick,
    e.Field: Cases._field,
    e.Count: Cases._count,
    e.Arithmetic: Cases._arithmetic,
}
