"""Facts that follow from others by the formulas of the catalogue, each dated by the sample it rests on.

A reported value is never replaced by a computed one. Where an input is known to exist but its value is not,
the derived value is unknown for the same reason: an older one must not speak in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from onstudy.record.catalogue import AGE, SEX_FACTOR, Catalogue, Derivation, Kind
from onstudy.record.formula import Formula, parse_formula
from onstudy.record.newest import Results
from onstudy.record.patient import Fact
from onstudy.values.calendar import When, age
from onstudy.values.interval import Interval, hull, point

#: Cockcroft and Gault: the clearance of a woman is 0.85 of a man's.
SEX_FACTORS = {"male": 1.0, "female": 0.85}
NO_RECORD, IMPRECISE, IMPRECISE_DATE = "no_record", "imprecise_value", "imprecise_date"


_formula = lru_cache(parse_formula)


@dataclass(frozen=True, slots=True)
class _Input:
    """A value that goes into a formula, or why it is unknown; both None: there is no such input."""

    value: Interval | None = None
    lacks: str | None = None


def derive(facts: list[Fact], catalogue: Catalogue, born: When) -> list[Fact]:
    """The facts with the derived ones: as a part of their composite, or beside the result they rest on."""
    composites: dict[str, list[tuple[Kind, Derivation]]] = {}
    singles: list[tuple[Kind, Derivation]] = []
    for kind in catalogue:
        for rule in kind.derive:
            if catalogue.kinds[rule.of].components:
                composites.setdefault(rule.of, []).append((kind, rule))
            else:
                singles.append((kind, rule))
    found = [_completed(fact, composites[fact.kind], catalogue) if fact.kind in composites else fact for fact in facts]
    for kind, rule in singles:
        found.extend(_beside(kind, rule, found, born))
    return found


# From the components of one sample ----------------------------------------------------------------------


def _completed(whole: Fact, rules: Iterable[tuple[Kind, Derivation]], catalogue: Catalogue) -> Fact:
    names = {component: name for name, component in catalogue.kinds[whole.kind].components.items()}
    for kind, rule in rules:
        name = names.get(kind.name)
        if name is None or (name in whole.parts and not _computed_in_vain(whole.parts[name])):
            continue
        formula = _formula(rule.formula)
        inputs = {part: _of_fact(whole.parts.get(part)) for part in formula.names}
        part = _derived(kind, whole, formula, inputs)
        if part is not None and not (name in whole.parts and part.value is None):
            whole = replace(whole, parts={**whole.parts, name: part})
    return whole


def _computed_in_vain(part: Fact) -> bool:
    """Whether another formula may still give what the first could not."""
    return part.computed and part.value is None


def _of_fact(fact: Fact | None) -> _Input:
    if fact is None:
        return _Input()
    if isinstance(fact.value, Interval):
        return _Input(fact.value)
    return _Input(None, fact.lacks or IMPRECISE)


def _derived(kind: Kind, of: Fact, formula: Formula, inputs: Mapping[str, _Input]) -> Fact | None:
    """The derived fact; None where an input is not there at all."""
    if any(entry == _Input() for entry in inputs.values()):
        return None
    fact = Fact(
        id=f"{of.id}:{kind.name}",
        kind=kind.name,
        start=of.start,
        certain=of.certain,
        sample=of.sample,
        recorded=of.recorded,
        source=of.source,
        computed=True,
    )
    lacks = next((inputs[name].lacks for name in sorted(inputs) if inputs[name].lacks), None)
    if lacks is not None:
        return replace(fact, lacks=lacks)
    value = formula.evaluate({name: entry.value for name, entry in inputs.items()})
    if not value.known:
        return replace(fact, lacks=IMPRECISE)
    return replace(fact, value=value, shown=shown_value(value, kind.unit))


def shown_value(value: Interval, unit: str) -> str:
    """A value that was worked out, as it is shown."""
    low, high = ("" if bound is None else f"{bound:.6g}" for bound in (value.low, value.high))
    return f"{low if low == high else f'{low}..{high}'} {unit}".strip()


# Beside a result, with the newest of other kinds ------------------------------------------------------------


def _beside(kind: Kind, rule: Derivation, facts: list[Fact], born: When) -> list[Fact]:
    formula = _formula(rule.formula)
    reported = {fact.start.day for fact in facts if fact.kind == kind.name and not fact.negative}
    inputs = _Inputs(rule, facts, born)
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

    def __init__(self, rule: Derivation, facts: list[Fact], born: When) -> None:
        self._rule, self._born = rule, born
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
            return _of_fact(of)
        if name == AGE:
            years = age(self._born.days, of.start.days)
            return _Input(years) if years.known else _Input(None, IMPRECISE_DATE if self._born.known else NO_RECORD)
        if name == SEX_FACTOR:
            return self._sex_factor
        key = name, of.start.days
        if key not in self._known:
            self._known[key] = _hull(self._results[name].newest(of.start))
        return self._known[key]


def _sex_factor(facts: list[Fact]) -> _Input:
    codes = [fact.value for fact in facts if fact.kind == "sex" and isinstance(fact.value, frozenset)]
    factors = [SEX_FACTORS[code] for code in frozenset().union(*codes) if code in SEX_FACTORS]
    return _Input(hull([point(factor) for factor in factors])) if factors else _Input(None, NO_RECORD)


def _hull(candidates: list[Fact]) -> _Input:
    """The value of results of which each may be the one: their hull, unknown where one of them is."""
    if not candidates:
        return _Input(None, NO_RECORD)
    lacking = sorted(fact.lacks or IMPRECISE for fact in candidates if not isinstance(fact.value, Interval))
    if lacking:
        return _Input(None, lacking[0])
    return _Input(hull([fact.value for fact in candidates if isinstance(fact.value, Interval)]))
