"""Open periods that something newer ends: a newer grade of the same toxicity, a "none today"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from onstudy.record.catalogue import PERIOD, Catalogue
from onstudy.record.patient import Fact
from onstudy.values.calendar import DAY, When, on_day
from onstudy.values.interval import Interval, Op, compare
from onstudy.values.truth import TRUE, UNKNOWN


def end_superseded(facts: Sequence[Fact], catalogue: Catalogue) -> list[Fact]:
    """The facts, with each open period ended by the first newer fact that says it is over.

    Where a record only may be newer, the period only may be over: its end has no upper bound.
    """
    open_ones = [fact for fact in facts if _open(fact, catalogue)]
    enders, doubtful = _by_newer_record(facts, open_ones, catalogue)
    for denial in facts:
        if denial.negative and denial.kind in catalogue.kinds and catalogue.kinds[denial.kind].negative == "day":
            for fact in open_ones:
                if fact.kind in catalogue.families[denial.kind] and _denied(denial, fact):
                    _note(enders, fact, _day_of(denial), exact=False)
    return [_closed(fact, enders.get(fact.id), fact.id in doubtful) for fact in facts]


def _closed(fact: Fact, ender: tuple[int, bool] | None, doubtful: bool) -> Fact:
    if ender is not None:
        return _ended(fact, (ender[0], ender[1] and not doubtful))
    if not doubtful:
        return fact
    opened = fact.opened or (fact.end, fact.ongoing)
    return replace(fact, end=When(Interval(fact.start.span.low, None)), ongoing=False, opened=opened)


_Enders = dict[str, tuple[int, bool]]


def _open(fact: Fact, catalogue: Catalogue) -> bool:
    kind = catalogue.kinds.get(fact.kind)
    if kind is None or fact.negative or kind.extent != PERIOD:
        return False
    return fact.ongoing or fact.end is None or fact.end.span.high is None


def _by_newer_record(
    facts: Sequence[Fact], open_ones: Sequence[Fact], catalogue: Catalogue
) -> tuple[_Enders, set[str]]:
    """The day by which the next record with the same value of the attribute that supersedes has begun, and the
    periods that a record may, but need not, follow.
    """
    lines: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in facts:
        line = _line(fact, catalogue)
        if line is not None and fact.certain and fact.lacks is None:
            lines[line].append(fact)
    enders: _Enders = {}
    doubtful: set[str] = set()
    for fact in open_ones:
        line = _line(fact, catalogue)
        for newer in lines[line] if line is not None else ():
            later = compare(Op.GT, newer.start.days, fact.start.days)
            if later is TRUE:
                _note(enders, fact, newer.start.days.high, exact=newer.start.day is not None)
            elif later is UNKNOWN and newer.id != fact.id:
                doubtful.add(fact.id)
    return enders, doubtful


def _line(fact: Fact, catalogue: Catalogue) -> tuple[str, str] | None:
    """The kind and the one value of its superseding attribute; None where there is no such value."""
    kind = catalogue.kinds.get(fact.kind)
    if kind is None or not kind.supersedes or fact.negative:
        return None
    value = fact.attributes.get(kind.supersedes)
    if not isinstance(value, frozenset) or len(value) != 1 or "other" in value:
        return None
    return fact.kind, next(iter(value))


def _denied(denial: Fact, fact: Fact) -> bool:
    """Whether "none on that day" says that this open period is over by then."""
    day = _day_of(denial)
    if day is None or fact.start.days.high is None or fact.start.days.high >= day:
        return False
    if denial.narrowed is None:
        return True
    name, codes = denial.narrowed
    value = fact.attributes.get(name)
    return isinstance(value, frozenset) and value <= codes


def _day_of(denial: Fact) -> int | None:
    return denial.end.day if denial.end is not None else None


def _note(enders: _Enders, fact: Fact, day: float | None, exact: bool) -> None:
    if day is None:
        return
    known = enders.get(fact.id)
    if known is None or (int(day), not exact) < (known[0], not known[1]):
        enders[fact.id] = (int(day), exact)


def _ended(fact: Fact, ender: tuple[int, bool]) -> Fact:
    """The period, over by the day before; on that very day where the next record takes its place."""
    day, exact = ender
    end = on_day(day - 1) if exact else _not_after(fact.start, day - 1)
    return replace(fact, end=end, ongoing=False, opened=fact.opened or (fact.end, fact.ongoing))


def reopened(fact: Fact) -> Fact:
    """The period as it was stated, before anything newer ended it."""
    if fact.opened is None:
        return fact
    end, ongoing = fact.opened
    return replace(fact, end=end, ongoing=ongoing, opened=None)


def _not_after(start: When, day: int) -> When:
    return When(Interval(start.span.low, (day + 1) * DAY, high_open=True), start.offset)
