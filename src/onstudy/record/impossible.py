"""What cannot be so: results below zero, limits of normal that are none, a birth after everything recorded.

Such a value is kept in its place and is not used: its fact says why nothing is known, and a problem says what
was wrong. A rule would take a bilirubin of -1 for a normal one, and an age of -3 for one below 18.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from onstudy.errors import Problem
from onstudy.record.catalogue import Catalogue, Kind
from onstudy.record.patient import Fact
from onstudy.values.calendar import UNDATED, When
from onstudy.values.interval import Interval, Op, compare, point
from onstudy.values.truth import TRUE

#: Why the value of such a result is unknown.
UNSUPPORTED = "unsupported"
_ZERO = point(0)


#: What is wrong, and the fields of the fact that are left without it.
_Change = tuple[str, dict[str, Any]]


def without_impossible(facts: Iterable[Fact], catalogue: Catalogue) -> tuple[list[Fact], list[Problem]]:
    """The facts with nothing impossible in them, and what it was."""
    problems: list[Problem] = []
    return [_possible(fact, catalogue, problems) for fact in facts], problems


def _possible(fact: Fact, catalogue: Catalogue, problems: list[Problem]) -> Fact:
    if fact.parts:
        parts = {name: _possible(part, catalogue, problems) for name, part in fact.parts.items()}
        if any(parts[name] is not part for name, part in fact.parts.items()):
            fact = replace(fact, parts=parts)
    kind = catalogue.kinds.get(fact.kind)
    if kind is None or not kind.measured:
        return fact
    if fact.uln is None and fact.lln is None and not isinstance(fact.value, Interval):
        return fact
    for wrong, change in (*_limits(fact, kind), *_value(fact, kind)):
        problems.append(Problem(wrong, fact.source, fact_kept=True))
        fact = replace(fact, **change)
    return fact


def _limits(fact: Fact, kind: Kind) -> Iterator[_Change]:
    if fact.uln is not None and fact.lln is not None and compare(Op.LT, fact.uln, fact.lln) is TRUE:
        what = f"the upper limit of normal of {kind.name} lies below its lower one: neither is used"
        yield what, {"uln": None, "lln": None}
        return
    if fact.uln is not None and compare(Op.LE, fact.uln, _ZERO) is TRUE:
        yield f"the upper limit of normal of {kind.name} is not above zero: it is not used", {"uln": None}
    if fact.lln is not None and _never_negative(kind) and compare(Op.LT, fact.lln, _ZERO) is TRUE:
        yield f"the lower limit of normal of {kind.name} lies below zero: it is not used", {"lln": None}


def _value(fact: Fact, kind: Kind) -> Iterator[_Change]:
    value = fact.value
    if not isinstance(value, Interval) or value.high is None or value.high > 0 or not _never_negative(kind):
        return
    if compare(Op.LT, value, _ZERO) is TRUE:
        what = f"the value of {kind.name} lies below zero, where it cannot be: it is not used"
        yield what, {"value": None, "lacks": UNSUPPORTED}


def _never_negative(kind: Kind) -> bool:
    return kind.plausible is not None and kind.plausible[0] >= 0


def possible_birth(born: When, facts: Sequence[Fact]) -> tuple[When, list[Problem]]:
    """The date of birth, undated where everything that was recorded lies before it; and a problem that says so."""
    newest = max((day for fact in facts for day in _days(fact)), default=None)
    if newest is None or born.days.low is None or born.days.low <= newest:
        return born, []
    what = "the date of birth lies after everything in the record: it is not used"
    return UNDATED, [Problem(what, "born", fact_kept=True)]


def _days(fact: Fact) -> Iterator[float]:
    """The last days a fact can be of, as far as its dates are bounded."""
    for when in (fact.start, fact.recorded):
        if when is not None and when.days.high is not None:
            yield when.days.high
