"""On which day a record says what it says: the day it was recorded, else the day that it speaks of."""

from __future__ import annotations

from math import inf

from onstudy.record.catalogue import PERIOD, Catalogue
from onstudy.record.patient import Fact
from onstudy.values.calendar import When


def is_open(fact: Fact, catalogue: Catalogue) -> bool:
    """Whether a fact is a period of which no last day is known."""
    kind = catalogue.kinds.get(fact.kind)
    if kind is None or fact.negative or kind.extent != PERIOD:
        return False
    return fact.ongoing or fact.end is None or fact.end.span.high is None


def said_open(fact: Fact, unended: bool = False) -> tuple[float, float] | None:
    """The first and the last day on which a period may have been stated to go on; None where no day is recorded.
    `unended`: also of one of which it is only not said that it is over.
    """
    if not (fact.ongoing or unended) or fact.recorded is None or not fact.recorded.known:
        return None
    return first_day(fact.recorded), last_day(fact.recorded)


def charted(fact: Fact) -> tuple[float, float] | None:
    """The first and the last day on which a record may have been made; what goes on without a day does when asked."""
    return said_open(fact, unended=True) or ((inf, inf) if fact.ongoing else None)


def speaks(fact: Fact) -> tuple[float, float]:
    """The first and the last day a record may speak of: the day it was recorded, else by the time of asking while it
    goes on, else its own.
    """
    if fact.recorded is not None and fact.recorded.known:
        return first_day(fact.recorded), last_day(fact.recorded)
    if fact.ongoing:
        return inf, inf
    end = fact.start if fact.end is None else fact.end
    return max(first_day(fact.start), first_day(end)), last_day(end)


def first_day(when: When) -> float:
    """The first day that a moment may lie on, as an ordinal; minus infinity where nothing bounds it."""
    return -inf if when.days.low is None else when.days.low


def last_day(when: When) -> float:
    """The last day that a moment may lie on, as an ordinal; infinity where nothing bounds it."""
    return inf if when.days.high is None else when.days.high
