"""Facts that follow from others by the formulas of the catalogue, each dated by the sample it rests on.

A reported value is never replaced by a computed one. Where an input is known to exist but its value is not,
the derived value is unknown for the same reason: an older one must not speak in its place. Of an input that has
one bound ("<1.0 mg/dL") the other is what is possible for its kind, and the derived value lies between bounds too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf

from onstudy.record.catalogue import AGE, SEX_FACTOR, Catalogue, Derivation, Kind
from onstudy.record.formula import Formula, parse_formula
from onstudy.record.newest import Results
from onstudy.record.patient import Fact
from onstudy.values.calendar import When, age
from onstudy.values.interval import Interval, Op, common_part, compare, hull, multiply, point
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth

#: Cockcroft and Gault: the clearance of a woman is 0.85 of a man's.
SEX_FACTORS = {"male": 1.0, "female": 0.85}
NO_RECORD, IMPRECISE, IMPRECISE_DATE, CONFLICT = "no_record", "imprecise_value", "imprecise_date", "conflict"
#: What two formulas give for one sample may differ by this part of it: rates and intervals are rounded.
AGREEMENT = 0.02
_ABOUT = Interval(1 - AGREEMENT, 1 + AGREEMENT)


_formula = lru_cache(parse_formula)
_Rules = list[tuple[Kind, Derivation]]
_Samples = dict[tuple[str, When], list[Fact]]
_Worked = tuple[Formula, Mapping[str, "_Input"]]  # a formula, and what went into it


@dataclass(frozen=True, slots=True)
class _Input:
    """A value that goes into a formula, or why it is unknown; both None: there is no such input.

    `later`, where it was measured after the result it is taken beside, spans from that result to it.
    """

    value: Interval | None = None
    lacks: str | None = None
    later: Interval | None = None


def derive(facts: list[Fact], catalogue: Catalogue, born: When) -> list[Fact]:
    """The facts with the derived ones: as a part of their composite, or beside the result they rest on."""
    composites: dict[str, _Rules] = {}
    singles: _Rules = []
    for kind in catalogue:
        for rule in kind.derive:
            if catalogue.kinds[rule.of].components:
                composites.setdefault(rule.of, []).append((kind, rule))
            else:
                singles.append((kind, rule))
    sure: _Samples = {}
    for fact in facts:
        if fact.parts and fact.lacks is None:
            sure.setdefault((fact.kind, fact.start), []).append(fact)
    found = [
        _completed(fact, _open_rules(fact, composites[fact.kind], sure), catalogue) if fact.kind in composites else fact
        for fact in facts
    ]
    for kind, rule in singles:
        found.extend(_beside(kind, rule, found, born, catalogue))
    return found


def with_plausible(value: Interval, kind: Kind) -> Interval:
    """The value of a result, in the unit of its kind, with the bound it lacks: the end of what is possible.

    For what is computed from it, which is then bounded on both sides. A value of which nothing is known gets no
    bounds, and one that lies outside what is possible stays as it is.
    """
    if kind.plausible is None or not value.known:
        return value
    low, high = kind.plausible
    if value.low is None and value.high is not None and (low, value.high_open) < (value.high, True):
        return Interval(float(low), value.high, False, value.high_open)
    if value.high is None and value.low is not None and (value.low, value.low_open) < (high, True):
        return Interval(value.low, float(high), value.low_open, False)
    return value


# From the components of one sample ----------------------------------------------------------------------


def _open_rules(whole: Fact, rules: _Rules, sure: _Samples) -> _Rules:
    """The formulas to work out: of results that may not be of one sample, those that no sample of the day gives."""
    if whole.lacks is None:
        return rules
    given = [fact.parts for fact in sure.get((whole.kind, whole.start), ())]
    return [(kind, rule) for kind, rule in rules if not any(_gives(rule, parts, whole.parts) for parts in given)]


def _gives(rule: Derivation, parts: Mapping[str, Fact], mixed: Mapping[str, Fact]) -> bool:
    names = _formula(rule.formula).names
    return all(name in parts and name in mixed and parts[name].value == mixed[name].value for name in names)


def _completed(whole: Fact, rules: Iterable[tuple[Kind, Derivation]], catalogue: Catalogue) -> Fact:
    names = {component: name for name, component in catalogue.kinds[whole.kind].components.items()}
    worked: dict[str, _Worked] = {}
    for kind, rule in rules:
        name = names.get(kind.name)
        before = whole.parts.get(name) if name is not None else None
        if name is None or (before is not None and not before.computed):
            continue
        formula = _formula(rule.formula)
        inputs = {part: _of_fact(whole.parts.get(part), catalogue) for part in formula.names}
        part = _derived(kind, whole, formula, inputs)
        if part is None:
            continue
        if before is not None and name in worked:
            part = _agreed(before, part, worked[name], (formula, inputs), kind.unit)
        worked.setdefault(name, (formula, inputs))
        whole = replace(whole, parts={**whole.parts, name: part})
    return whole


def _agreed(first: Fact, second: Fact, one: _Worked, other: _Worked, unit: str) -> Fact:
    """Of what two formulas give the one that has a value, else the first; where they contradict each other, neither.

    Of values between bounds the first, no wider than the second lets it be.
    """
    if not isinstance(first.value, Interval) or not isinstance(second.value, Interval):
        return second if first.value is None and second.value is not None else first
    agree = _agree(one, other)
    if agree is TRUE:
        return first
    value = None if agree is FALSE else common_part(first.value, multiply(second.value, _ABOUT))
    if value is None:
        return replace(first, value=None, shown="", lacks=CONFLICT)
    return replace(first, value=value, shown=shown_value(value, unit))


def _agree(one: _Worked, other: _Worked) -> Truth:
    """Whether two formulas give about the same of one sample: an input of both is one and the same number in both."""
    (first, inputs), (second, others) = one, other
    known = {name: entry.value for name, entry in {**inputs, **others}.items()}
    shared = first.names & second.names
    found = set()
    for bound in ("low", "high"):
        ends = {name: None if (value := known[name]) is None else getattr(value, bound) for name in shared}
        at = known | {name: point(end) for name, end in ends.items() if end is not None}
        most, least = (multiply(second.evaluate(at), point(1 + margin)) for margin in (AGREEMENT, -AGREEMENT))
        value = first.evaluate(at)
        found.add(min(compare(Op.LE, value, most), compare(Op.GE, value, least)))
    return found.pop() if len(found) == 1 else UNKNOWN


def _of_fact(fact: Fact | None, catalogue: Catalogue) -> _Input:
    if fact is None:
        return _Input()
    if isinstance(fact.value, Interval):
        return _Input(with_plausible(fact.value, catalogue.kinds[fact.kind]))
    return _Input(None, fact.lacks or IMPRECISE)


def _derived(kind: Kind, of: Fact, formula: Formula, inputs: Mapping[str, _Input]) -> Fact | None:
    """The derived fact; None where an input is not there at all."""
    if any(entry.value is None and entry.lacks is None for entry in inputs.values()):
        return None
    fact = Fact(
        id=f"{of.id}:{kind.name}",
        kind=kind.name,
        start=_since(of.start, inputs.values()),
        certain=of.certain,
        sample=of.sample,
        recorded=of.recorded,
        source=of.source,
        computed=True,
    )
    lacks = of.lacks if of.parts else None
    lacks = lacks or next((inputs[name].lacks for name in sorted(inputs) if inputs[name].lacks), None)
    if lacks is not None:
        return replace(fact, lacks=lacks)
    value = formula.evaluate({name: entry.value for name, entry in inputs.items()})
    if not value.known:
        return replace(fact, lacks=IMPRECISE)
    return replace(fact, value=value, shown=shown_value(value, kind.unit))


def shown_value(value: Interval, unit: str) -> str:
    """A value that was worked out, as it is shown."""
    low, high = ("" if bound is None else f"{bound:.6g}" for bound in (value.low, value.high))
    if low != high:
        low = f"{'>' if value.low_open else ''}{low}..{'<' if value.high_open else ''}{high}"
    return f"{low} {unit}".strip()


# Beside a result, with the newest of other kinds ------------------------------------------------------------


def _beside(kind: Kind, rule: Derivation, facts: list[Fact], born: When, catalogue: Catalogue) -> list[Fact]:
    formula = _formula(rule.formula)
    reported = {fact.start.day for fact in facts if fact.kind == kind.name and not fact.negative}
    inputs = _Inputs(rule, facts, born, catalogue)
    found: list[Fact] = []
    for of in facts:
        if of.kind != rule.of or of.negative or (of.start.day is not None and of.start.day in reported):
            continue
        fact = _derived(kind, of, formula, {name: inputs.of(name, of) for name in formula.names})
        if fact is not None:
            found.append(fact)
    return found


class _Inputs:
    """What a formula takes beside the result it rests on: the newest of other kinds, and what the patient is."""

    def __init__(self, rule: Derivation, facts: list[Fact], born: When, catalogue: Catalogue) -> None:
        self._rule, self._born, self._catalogue = rule, born, catalogue
        self._sex_factor = _sex_factor(facts)
        by_kind: dict[str, list[Fact]] = {name: [] for name in rule.inputs.values()}
        for fact in facts:
            if fact.kind in by_kind and not fact.negative:
                by_kind[fact.kind].append(fact)
        self._results = {name: Results(by_kind[kind]) for name, kind in rule.inputs.items()}
        self._known: dict[tuple[str, Interval], _Input] = {}  # many results of a day have the same inputs

    def of(self, name: str, of: Fact) -> _Input:
        """The input of a name for a result."""
        if name == self._rule.of:
            return _of_fact(of, self._catalogue)
        if name == AGE:
            years = age(self._born.days, of.start.days)
            return _Input(years) if years.known else _Input(None, IMPRECISE_DATE if self._born.known else NO_RECORD)
        if name == SEX_FACTOR:
            return self._sex_factor
        key = name, of.start.days
        if key not in self._known:
            kind = self._catalogue.kinds[self._rule.inputs[name]]
            self._known[key] = _hull(self._results[name].newest(of.start), of.start, kind)
        return self._known[key]


def _sex_factor(facts: list[Fact]) -> _Input:
    codes = [fact.value for fact in facts if fact.kind == "sex" and isinstance(fact.value, frozenset)]
    factors = [SEX_FACTORS[code] for code in frozenset().union(*codes) if code in SEX_FACTORS]
    return _Input(hull([point(factor) for factor in factors])) if factors else _Input(None, NO_RECORD)


def _hull(candidates: list[Fact], at: When, kind: Kind) -> _Input:
    """The value of results of a kind of which each may be the one: their hull, unknown where one of them is."""
    if not candidates:
        return _Input(None, NO_RECORD)
    after = [fact.start.span for fact in candidates if compare(Op.GT, fact.start.days, at.days) is TRUE]
    later = hull([at.span, *after]) if after else None
    lacking = sorted(fact.lacks or IMPRECISE for fact in candidates if not isinstance(fact.value, Interval))
    if lacking:
        return _Input(None, lacking[0], later)
    value = hull([fact.value for fact in candidates if isinstance(fact.value, Interval)])
    return _Input(with_plausible(value, kind), None, later)


def _since(start: When, inputs: Iterable[_Input]) -> When:
    """The date of a derived value: that of its result; some day up to the last of its inputs, where one came later.

    It is a value of the sample, so a later one may be newer; and until all inputs are there nobody knows it.
    """
    later = [entry.later for entry in inputs if entry.later is not None]
    if not later:
        return start
    first = max(later, key=lambda span: -inf if span.low is None else span.low)
    last = max(later, key=lambda span: (inf, True) if span.high is None else (span.high, not span.high_open))
    return When(Interval(first.low, last.high, first.low_open, last.high_open))
