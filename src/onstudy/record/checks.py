"""What cannot be right in a record: shown as problems, while the facts are kept as they were recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onstudy.errors import Problem
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.values.interval import Interval, Op, compare, point, subtract
from onstudy.values.truth import TRUE

#: A reported QTcF further than this (ms) from the one its own QT and rate give is shown.
QTCF_TOLERANCE = 10.0


def check(facts: Sequence[Fact], catalogue: Catalogue) -> list[Problem]:
    """Impossible values and contradictions, in the order of the facts."""
    found = [*_implausible(facts, catalogue), *_qtcf(facts), *_menses(facts)]
    return [Problem(what, where, fact_kept=True) for what, where in sorted(set(found))]


def _implausible(facts: Sequence[Fact], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for fact in facts:
        kind = catalogue.kinds.get(fact.kind)
        if kind is None or kind.plausible is None or not isinstance(fact.value, Interval):
            continue
        low, high = kind.plausible
        below = compare(Op.LT, fact.value, point(float(low))) is TRUE
        if below or compare(Op.GT, fact.value, point(float(high))) is TRUE:
            unit = f" {kind.unit}" if kind.unit else ""
            whose = "computed " if fact.computed else ""
            yield (
                f"the {whose}value of {fact.kind} lies outside {low:g} to {high:g}{unit}: check it",
                fact.source,
            )


def _qtcf(facts: Sequence[Fact]) -> Iterator[tuple[str, str]]:
    for fact in facts:
        reported, qt = fact.parts.get("qtcf"), fact.parts.get("qt")
        if fact.kind != "ecg" or reported is None or reported.computed or qt is None:
            continue
        computed = _fridericia(fact)
        if computed is None or not isinstance(reported.value, Interval):
            continue
        apart = subtract(reported.value, computed)
        limit = point(QTCF_TOLERANCE)
        if compare(Op.GT, apart, limit) is TRUE or compare(Op.LT, apart, point(-QTCF_TOLERANCE)) is TRUE:
            yield (
                "the reported QTcF is more than 10 ms from the one that QT and rate of the same tracing give",
                fact.source,
            )


def _fridericia(ecg: Fact) -> Interval | None:
    """QT / RR^(1/3), in ms, RR in seconds or as 60 / rate, where QT and one of the two are exact."""
    numbers = {
        name: part.value.low
        for name, part in ecg.parts.items()
        if isinstance(part.value, Interval) and part.value.exact and part.value.low
    }
    qt = numbers.get("qt")
    rr = numbers["rr"] / 1000 if "rr" in numbers else 60 / numbers["rate"] if "rate" in numbers else None
    if not qt or rr is None or rr <= 0:
        return None
    return point(qt / rr ** (1 / 3))


def _menses(facts: Sequence[Fact]) -> Iterator[tuple[str, str]]:
    removed = [f for f in facts if f.kind == "hysterectomy" and not f.negative and f.lacks is None]
    for fact in facts:
        if fact.kind != "menses" or fact.negative:
            continue
        if any(compare(Op.GT, fact.start.days, op.start.days) is TRUE for op in removed):
            yield "a menstrual period is recorded after a hysterectomy", fact.source
