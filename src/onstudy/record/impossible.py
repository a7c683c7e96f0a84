"""What cannot be so: results no person can have, limits of normal that are none, a birth no living person can have.

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
from onstudy.values.calendar import UNDATED, When, age
from onstudy.values.interval import Interval, Op, compare, point
from onstudy.values.truth import TRUE

#: Why the value of such a result is unknown.
UNSUPPORTED = "unsupported"
_ZERO = point(0)
#: More years than anybody lives, but for one or two people ever.
OLDEST = 120


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
    if kind is None or not kind.measured or fact.computed:
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
    if not isinstance(value, Interval) or not outside(value, kind):
        return
    if _never_negative(kind) and compare(Op.LT, value, _ZERO) is TRUE:
        where = "below zero"
    else:
        where = bounds_text(kind)
    what = f"the value of {kind.name} lies {where}, where it cannot be: it is not used"
    yield what, {"value": None, "lacks": UNSUPPORTED}


def outside(value: Interval, kind: Kind) -> bool:
    """Whether a value surely lies outside what is possible for a kind."""
    if kind.plausible is None:
        return False
    low, high = kind.plausible
    least, most = value.low, value.high
    if least is not None and most is not None and low <= least and most <= high:
        return False  # as nearly all are
    below = compare(Op.LT, value, point(float(low))) is TRUE
    return below or compare(Op.GT, value, point(float(high))) is TRUE


def bounds_text(kind: Kind) -> str:
    """The stretch outside which a value of a kind is impossible, in words."""
    assert kind.plausible is not None
    low, high = kind.plausible
    return f"outside {low:g} to {high:g}" + (f" {kind.unit}" if kind.unit else "")


def _never_negative(kind: Kind) -> bool:
    return kind.plausible is not None and kind.plausible[0] >= 0


def possible_birth(born: When, facts: Sequence[Fact]) -> tuple[When, list[Problem]]:
    """The date of birth, undated where everything that was recorded lies before it, or where the patient was surely
    older than people become when something was recorded; and a problem that says so.
    """
    newest = max((day for fact in facts for day in _days(fact)), default=None)
    if newest is None or born.days.low is None:
        return born, []
    if born.days.low > newest:
        what = "the date of birth lies after everything in the record: it is not used"
    elif too_old(born, newest):
        what = f"the patient would be older than {OLDEST} years in the record: the date of birth is not used"
    else:
        return born, []
    return UNDATED, [Problem(what, "born", fact_kept=True)]


def too_old(born: When, day: float) -> bool:
    """Whether a patient is certainly older on a day than people become."""
    if born.days.high is None or day - born.days.high < OLDEST * 365:
        return False
    return compare(Op.GT, age(born.days, point(int(day))), point(OLDEST)) is TRUE


def _days(fact: Fact) -> Iterator[float]:
    """The last days a fact can be of, as far as its dates are bounded."""
    for when in (fact.start, fact.recorded):
        if when is not None and when.days.high is not None:
            yield when.days.high
