"""Facts that follow from others, many at once: `record/derived.py` for the usual case.

Usual is that every input is one number on one day, or is not there at all. The patients of every other case are
told, to be put together one by one. Formulas are worked out operation by operation as `record/formula.py` does.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_classes import factorised
from onstudy.population.bulk_facts import (
    Bases,
    Components,
    Facts,
    Insides,
    component_names,
    fact_at,
    from_facts,
    join_facts,
)
from onstudy.population.bulk_moments import Moments, joined, none, put
from onstudy.population.bulk_numbers import Flags, Floats
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_spans import Numbers, from_intervals, no_numbers, span_at
from onstudy.population.bulk_texts import Texts
from onstudy.record.catalogue import AGE, SEX_FACTOR, Catalogue, Derivation, Kind
from onstudy.record.derived import IMPRECISE, NO_RECORD, SEX_FACTORS, derive, shown_value, with_plausible
from onstudy.record.formula import parse_formula
from onstudy.record.patient import Fact
from onstudy.record.sexes import SEX
from onstudy.record.shard import HIGH_OPEN, LOW_OPEN, NO_DAY, NO_OFFSET
from onstudy.values.calendar import UNDATED, age
from onstudy.values.interval import Interval, point

#: Why each value is not known: the place in `Known.reasons`, `_NOTHING` where it is known.
Reasons = NDArray[np.int64]
_NOTHING = 0
#: Day 0 of numpy's calendar as an ordinal.
_EPOCH = 719163


@dataclass(frozen=True, eq=False)
class Derived:
    """Facts that were worked out, after those there are; components among them with their wholes."""

    made: Facts
    parts: Components
    odd: Ints  # patients of whom something is not the usual case


@dataclass(frozen=True, eq=False)
class Known:
    """What is known when facts are worked out: all facts, the kind of each, components, and dates of birth."""

    facts: Facts
    kind: NDArray[np.int32]
    kinds: list[str]
    parts: Components
    born: Moments  # of each patient
    bases: Bases

    def of(self, name: str) -> Ints:
        """The places of all facts of a kind that are no negatives."""
        if name not in self._places:
            number = self.kinds.index(name) if name in self.kinds else -1
            found = np.flatnonzero(self.kind == number)
            self._places[name] = np.asarray(found[~self._negative[self.facts.base[found]]])
        return self._places[name]

    @cached_property
    def _places(self) -> dict[str, Ints]:
        return {}

    @cached_property
    def _negative(self) -> Flags:
        return np.array([base.negative for base in self.bases.facts], bool)

    @cached_property
    def reasons(self) -> list[str | None]:
        """Why a value may be not known; None, that it is, comes first."""
        return list(dict.fromkeys([None, NO_RECORD, IMPRECISE, *(base.lacks for base in self.bases.facts)]))

    @cached_property
    def _lacks(self) -> Reasons:
        return np.array([self.reasons.index(base.lacks) for base in self.bases.facts], np.int64)

    def lacks(self, places: Ints) -> Reasons:
        """What some of the facts lack."""
        return self._lacks[self.facts.base[places]]


def derived(known: Known, catalogue: Catalogue) -> Derived:
    """All that follows from the facts by the formulas of the catalogue."""
    rules = [(kind, rule) for kind in catalogue for rule in kind.derive]
    inside = _Completion(known, catalogue)
    for kind, rule in rules:
        if catalogue.kinds[rule.of].components:
            inside.complete(kind, rule)
    singles = [(kind, rule) for kind, rule in rules if not catalogue.kinds[rule.of].components]
    beside = [_beside(known, kind, rule, catalogue) for kind, rule in singles]
    found = inside.found()
    return Derived(join_facts([found.made, *beside]), found.parts, found.odd)


# Formulas over numbers ----------------------------------------------------------------------------------------


def evaluated(formula: str, inputs: Mapping[str, Floats], rows: int) -> tuple[Floats, Flags]:
    """The results for inputs that are each one number, and where there is one."""
    good = np.ones(rows, bool)
    with np.errstate(all="ignore"):
        found = _step(ast.parse(formula.strip(), mode="eval").body, inputs, good)
    values = np.broadcast_to(np.asarray(found, np.float64), (rows,))
    return values, good & np.isfinite(values)


def _step(node: ast.expr, inputs: Mapping[str, Floats], good: Flags) -> Any:
    if isinstance(node, ast.Name):
        return inputs[node.id]
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp):
        return -_step(node.operand, inputs, good)
    assert isinstance(node, ast.BinOp), "a formula holds numbers, names and arithmetic"
    left = _step(node.left, inputs, good)
    if isinstance(node.op, ast.Pow):
        return _power(np.broadcast_to(left, good.shape), float(_step(node.right, {}, good)), good)
    right = _step(node.right, inputs, good)
    if isinstance(node.op, ast.Div):
        good &= np.asarray(right > 0)
        return left * (1.0 / right)
    ways: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
        ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    }  # fmt: skip
    return ways[type(node.op)](left, right)


def _power(base: Floats, exponent: float, good: Flags) -> Floats:
    """Python's own power, one by one: that of arrays may differ in the last digit."""
    good &= np.asarray(base >= 0)
    return np.array([value**exponent if value >= 0 else 0.0 for value in base.tolist()], np.float64)


# Inside composites --------------------------------------------------------------------------------------------


class _Completion:
    """Components that follow from the others of their composite."""

    def __init__(self, known: Known, catalogue: Catalogue) -> None:
        self.known, self.catalogue = known, catalogue
        self.odd: list[Ints] = [np.zeros(0, np.int64)]
        self.made: list[Facts] = []
        self.parts: list[tuple[Ints, int]] = []
        self._names = component_names(catalogue)
        self._inside: dict[str, Insides] = {}

    def complete(self, kind: Kind, rule: Derivation) -> None:
        """Work out a component wherever its composite has the inputs and lacks it."""
        known = self.known
        name = next((n for n, part in self.catalogue.kinds[rule.of].components.items() if part == kind.name), None)
        wholes = known.of(rule.of)
        if name is None or not len(wholes):
            return
        needed = sorted(parse_formula(rule.formula).names)
        places = {one: self._component(rule.of, one, wholes) for one in needed}
        there = np.logical_and.reduce([place >= 0 for place in places.values()])
        twice = there & (self._component(rule.of, name, wholes) == -2)  # two formulas, which may contradict each other
        self.odd.append(known.facts.patient[wholes[twice]])
        there &= self._component(rule.of, name, wholes) == -1
        some = np.flatnonzero(there)
        inputs = {one: known.facts.value.take(place[some]) for one, place in places.items()}
        exact = np.logical_and.reduce([one.exact for one in inputs.values()])
        values, good = evaluated(rule.formula, {one: n.low for one, n in inputs.items()}, len(some))
        lacks = known.lacks(wholes[some])
        usual = exact & good | (lacks != _NOTHING)  # of results that may not be of one sample nothing is worked out
        results = _Results(known, values, lacks)
        for place in np.flatnonzero(~usual).tolist():
            spans = {one: _span(known, int(at[some[place]]), self.catalogue) for one, at in places.items()}
            results.put(place, *_worked_out(rule.formula, spans))
        again = len([one for one in kind.derive if one.of == rule.of]) > 1
        self.odd.append(known.facts.patient[wholes[some[~usual]]] if again else np.zeros(0, np.int64))
        self._component(rule.of, name, wholes)[some] = -2
        if len(some):
            self.made.append(results.resting(wholes[some], kind))
            self.parts.append((wholes[some], self._names.index(name)))

    def _component(self, composite: str, name: str, wholes: Ints) -> NDArray[np.int64]:
        """The place of a component of each composite; -1 where it has none, -2 where it was worked out."""
        if composite not in self._inside:
            self._inside[composite] = Insides(wholes, len(self.known.facts), self.known.parts)
        return self._inside[composite].component(self._names.index(name))

    def found(self) -> Derived:
        """All that was worked out."""
        made = join_facts(self.made) if self.made else _nothing(self.known.facts)
        wholes = np.concatenate([np.zeros(0, np.int64), *(wholes for wholes, _ in self.parts)])
        names = np.repeat([name for _, name in self.parts], [len(wholes) for wholes, _ in self.parts])
        parts = Components(wholes, np.arange(len(wholes)) + len(self.known.facts), names.astype(np.int64))
        return Derived(made, parts, np.concatenate(self.odd))


def _nothing(facts: Facts) -> Facts:
    return facts.take(np.zeros(0, np.int64))


class _Results:
    """What formulas gave, row by row: mostly one number, else an interval, or why there is none."""

    def __init__(self, known: Known, values: Floats, lacks: Reasons) -> None:
        self.known, self.values, self.lacks = known, values, lacks.copy()
        self._spans: dict[int, Interval] = {}

    def put(self, row: int, span: Interval | None, lacks: str | None) -> None:
        """Another result for a row."""
        self.lacks[row] = self.known.reasons.index(lacks)
        if span is not None:
            self._spans[row] = span

    def resting(self, on: Ints, kind: Kind, later: Moments | None = None) -> Facts:
        """The results as facts that rest each on one other: its date, sample, certainty and source.

        `later` are the dates of those that rest on something measured after it.
        """
        facts, rows = self.known.facts, len(on)
        start = facts.start.take(on)
        if later is not None and later.stated.any():
            start = joined([start, later]).take(np.arange(rows) + rows * later.stated)
        return Facts(
            facts.patient[on], self._bases(on, kind), start, none(rows),
            facts.recorded.take(on), self._numbers(), no_numbers(rows), no_numbers(rows),
            facts.id.take(on).followed_by(f":{kind.name}"),
            facts.source.take(on), self._shown(kind.unit), facts.sample.take(on),
        )  # fmt: skip

    def _bases(self, on: Ints, kind: Kind) -> Ints:
        certain = np.array([base.certain for base in self.known.bases.facts], bool)[self.known.facts.base[on]]
        met, first = np.unique(self.lacks, return_index=True)
        places = np.zeros((2, len(self.known.reasons)), np.int64)
        for sure in (False, True):
            for number in [*(n for n in met[np.argsort(first)].tolist() if n != _NOTHING), _NOTHING]:
                base = Fact("", kind.name, certain=sure, computed=True, lacks=self.known.reasons[number])
                places[int(sure), number] = self.known.bases.place(base)
        return np.asarray(places[certain.astype(np.int64), self.lacks])

    def _numbers(self) -> Numbers:
        value = np.where(self.lacks == _NOTHING, self.values, np.nan)
        found = Numbers(value, value.copy(), np.zeros(len(value), np.int8))
        rows, spans = list(self._spans), from_intervals(list(self._spans.values()))
        found.low[rows], found.high[rows], found.flags[rows] = spans.arrays
        return found

    def _shown(self, unit: str) -> Texts:
        """The results as they are shown, each different one once; "" where there is none."""
        rows, spans = np.flatnonzero(self.lacks == _NOTHING), list(self._spans)
        codes = factorised(self.values[rows].view(np.int64))
        values = np.empty(int(codes.max(initial=-1)) + 1)
        values[codes] = self.values[rows]
        numbers = pa.array(map("{:.6g}".format, values.tolist()), pa.string())
        numbers = pc.binary_join_element_wise(numbers, unit, " ") if unit else numbers
        others = pa.array(["", *(shown_value(self._spans[row], unit) for row in spans)], pa.string())
        place = np.full(len(self.lacks), len(numbers))
        place[rows] = codes
        place[spans] = len(numbers) + 1 + np.arange(len(spans))
        return Texts((numbers, others), place)


def _worked_out(formula: str, inputs: Mapping[str, Interval | str]) -> tuple[Interval | None, str | None]:
    """The result for inputs that are intervals, or reasons why there is none; and why there is none of it."""
    lacks = next((inputs[name] for name in sorted(inputs) if isinstance(inputs[name], str)), None)
    if lacks is not None:
        return None, str(lacks)
    value = parse_formula(formula).evaluate({name: one for name, one in inputs.items() if isinstance(one, Interval)})
    return (value, None) if value.known else (None, IMPRECISE)


def _span(known: Known, place: int, catalogue: Catalogue) -> Interval | str:
    """The value of a fact as it goes into a formula, or why there is none."""
    value = span_at(known.facts.value, place)
    if value is not None:
        return with_plausible(value, catalogue.kinds[known.kinds[known.kind[place]]])
    return known.bases.facts[int(known.facts.base[place])].lacks or IMPRECISE


# Beside results -----------------------------------------------------------------------------------------------


def _beside(known: Known, kind: Kind, rule: Derivation, catalogue: Catalogue) -> Facts:
    """Facts that follow from each result of a kind, and the newest of others on its day."""
    on = known.of(rule.of)
    facts = known.facts
    first, last = facts.start.take(on).days
    day = np.where(first == last, first, NO_DAY)
    on, day = _unreported(known, kind, on, day)
    inputs = _Inputs(known, rule, on, day)
    names = sorted(parse_formula(rule.formula).names)
    numbers = {name: inputs.of(name) for name in names}
    values, good = evaluated(rule.formula, {name: number for name, (number, _) in numbers.items()}, len(on))
    lacks = np.full(len(on), _NOTHING)
    for name in reversed(names):
        lacks = np.where(numbers[name][1] == _NOTHING, lacks, numbers[name][1])
    results = _Results(known, values, lacks)
    unusual = (~facts.value.take(on).exact | ~good | inputs.aged) & (lacks == _NOTHING)
    for row in np.flatnonzero(unusual).tolist():
        spans: dict[str, Interval | str] = {name: point(float(number[row])) for name, (number, _) in numbers.items()}
        spans |= {AGE: inputs.age(row)} if inputs.aged[row] else {}
        results.put(row, *_worked_out(rule.formula, spans | {rule.of: _span(known, int(on[row]), catalogue)}))
    made = results.resting(on, kind, inputs.later)
    odd = np.unique(facts.patient[on[inputs.odd | (day == NO_DAY)]])
    if not len(odd):
        return made
    kept = np.flatnonzero(~np.isin(facts.patient[on], odd))
    return join_facts([made.take(kept), _one_by_one(known, kind, rule, odd, catalogue)])


def _one_by_one(known: Known, kind: Kind, rule: Derivation, patients: Ints, catalogue: Catalogue) -> Facts:
    """What follows in the records of some patients, worked out by `record/derived.py`."""
    concerned = {kind.name, rule.of, SEX, *rule.inputs.values()}
    wanted = np.array([name in concerned for name in known.kinds], bool)[known.kind]
    places = np.flatnonzero(wanted & np.isin(known.facts.patient, patients))
    of_patient: dict[int, list[Fact]] = {}
    for place, patient in zip(places.tolist(), known.facts.patient[places].tolist(), strict=True):
        of_patient.setdefault(patient, []).append(fact_at(known.facts, known.bases, place))
    found: list[tuple[int, Fact]] = []
    for patient, own in of_patient.items():
        born = known.born.at(patient) or UNDATED
        found += [(patient, fact) for fact in derive(own, catalogue, born) if fact.computed]
    return from_facts(np.array([one for one, _ in found], np.int64), [fact for _, fact in found], known.bases)


def _unreported(known: Known, kind: Kind, on: Ints, day: Ints) -> tuple[Ints, Ints]:
    """The results on whose day no value of the kind was reported."""
    reported = known.of(kind.name)
    if not len(reported):
        return on, day
    first, last = known.facts.start.take(reported).days
    whole = first == last
    taken = known.facts.patient[reported[whole]] * (1 << 32) + first[whole]
    free = (day == NO_DAY) | ~np.isin(known.facts.patient[on] * (1 << 32) + day, taken)
    return on[free], day[free]


class _Inputs:
    """The inputs of a formula for results `on`, each on one day; `odd` are those that are not one number or none."""

    def __init__(self, known: Known, rule: Derivation, on: Ints, day: Ints) -> None:
        self.known, self.rule, self.on, self.day = known, rule, on, day
        self.odd = np.zeros(len(on), bool)
        self.aged = np.zeros(len(on), bool)  # whose age may be more than one number of years
        self.later = none(len(on)).writable  # when an input was measured, where that is after the result

    def of(self, name: str) -> tuple[Floats, Reasons]:
        """The numbers of one input, and why there is none."""
        if name == self.rule.of:
            return self._own()
        if name == AGE:
            return self._age()
        if name == SEX_FACTOR:
            return self._sex_factor()
        return self._newest(self.known.of(self.rule.inputs[name]))

    def _unless(self, there: Flags) -> Reasons:
        """That there is no record, for each that is not there."""
        return np.where(there, _NOTHING, self.known.reasons.index(NO_RECORD))

    def _own(self) -> tuple[Floats, Reasons]:
        value = self.known.facts.value.take(self.on)
        there = ~np.isnan(value.low) | ~np.isnan(value.high) | (value.flags != 0)
        lacks = self.known.lacks(self.on)
        lacks = np.where(lacks == _NOTHING, self.known.reasons.index(IMPRECISE), lacks)
        return np.where(value.exact, value.low, 1.0), np.where(there, _NOTHING, lacks)

    def _age(self) -> tuple[Floats, Reasons]:
        born = self.known.born.take(self.known.facts.patient[self.on])
        first, last = born.days
        known, both = (first != NO_DAY) | (last != NO_DAY), (first != NO_DAY) & (last != NO_DAY)
        self.odd |= known & ~both
        day = np.where(self.day == NO_DAY, _EPOCH, self.day)
        years = _completed_years(np.where(both, last, _EPOCH), day)
        rough = np.flatnonzero(both & (first != last))
        self.aged[rough] = _completed_years(first[rough], day[rough]) != years[rough]
        return years.astype(np.float64), self._unless(known)

    def age(self, row: int) -> Interval:
        """The years a patient may be of at a result, where the birth date does not tell which."""
        place = int(self.on[row])
        born, on = self.known.born.at(int(self.known.facts.patient[place])), self.known.facts.start.at(place)
        assert born is not None and on is not None, "both have days"
        return age(born.days, on.days)

    def _sex_factor(self) -> tuple[Floats, Reasons]:
        patients = len(self.known.born)
        low, high = np.full(patients, np.inf), np.full(patients, -np.inf)
        places = self.known.of(SEX)
        factors = [_sex_factors(base) for base in self.known.bases.facts]
        of_facts = self.known.facts.base[places], self.known.facts.patient[places]
        np.minimum.at(low, of_facts[1], np.array([min(one, default=np.inf) for one in factors])[of_facts[0]])
        np.maximum.at(high, of_facts[1], np.array([max(one, default=-np.inf) for one in factors])[of_facts[0]])
        whose = self.known.facts.patient[self.on]
        there = np.isfinite(low[whose])
        self.odd |= there & (low[whose] != high[whose])
        return np.where(there, low[whose], 1.0), self._unless(there)

    def _newest(self, results: Ints) -> tuple[Floats, Reasons]:
        """The newest result on or before each day; a first one after it gives the value a date of its own."""
        facts = self.known.facts
        start, whose = facts.start.take(results), facts.patient[results]
        order = np.lexsort((start.low, whose))
        results, start, whose = results[order], start.take(order), whose[order]
        first, last = start.days
        doubtful = np.zeros(len(self.known.born), bool)
        doubtful[whose[(first != last) | (first == NO_DAY)]] = True
        doubtful[whose[self._tied(whose, first, start)]] = True
        wanted = self.known.facts.patient[self.on]
        self.odd |= doubtful[wanted]
        key = whose * (1 << 32) + first
        before = np.searchsorted(key, wanted * (1 << 32) + self.day, side="right") - 1
        found = np.where((before >= 0) & (np.append(whose, -1)[before] == wanted), before, before + 1)
        there = np.append(whose, -1)[np.minimum(found, len(whose))] == wanted
        place = np.append(results, 0)[np.where(there, found, len(results))]
        value = facts.value.take(place)
        self.odd |= there & ~value.exact
        after = there & (np.append(first, 0)[np.where(there, found, len(first))] > self.day)
        self.odd |= after & self.later.stated  # two inputs are: the last of them counts
        between = _spanning(facts.start.take(self.on[after]), facts.start.take(place[after]))
        put(self.later, np.flatnonzero(after), between)
        return np.where(there & value.exact, value.low, 1.0), self._unless(there)

    def _tied(self, whose: Ints, day: Ints, start: Moments) -> Flags:
        """Results of one patient and day of which each could be the newer one."""
        if len(whose) < 2:
            return np.zeros(len(whose), bool)
        same = (np.diff(whose) == 0) & (np.diff(day) == 0)
        instant = start.low == start.high
        tied = same & ~(instant[1:] & instant[:-1] & (np.diff(start.low) > 0))
        return np.asarray(np.append(tied, False) | np.append(False, tied))


def _spanning(first: Moments, last: Moments) -> Moments:
    """Some moment from the first to the last of each."""
    flags = (first.flags & LOW_OPEN) | (last.flags & HIGH_OPEN)
    return replace(last.plain, low=first.low, flags=flags, offset=np.full(len(last), NO_OFFSET, last.offset.dtype))


def _sex_factors(fact: Fact) -> list[float]:
    """The factors of the sexes that a fact names."""
    codes = fact.value if isinstance(fact.value, frozenset) else ()
    return [SEX_FACTORS[code] for code in codes if code in SEX_FACTORS]


def _completed_years(born: Ints, on: Ints) -> Ints:
    """`values.calendar.completed_years` of each."""
    years, before = _parts(on), _parts(born)
    return np.asarray(years[0] - before[0] - (years[1] < before[1]))


def _parts(ordinal: Ints) -> tuple[Ints, Ints]:
    """The year of each day, and a number that orders the days within a year."""
    days = (ordinal - _EPOCH).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    of_month = (days - months).astype(np.int64)
    number = months.astype(np.int64)
    return number // 12 + 1970, (number % 12) * 32 + of_month
