"""When a fact was: what a source says of dates, brought to the start and end its kind has.

A moment has a start only; a state starts when it was stated and holds until a newer statement, such as the one that
it is over; a period has both. What is not said is bounded by what is: nothing recorded happened after it was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from onstudy.readers.dates import over, spanning, starting, until
from onstudy.record.catalogue import MOMENT, NONE, STATE, Kind
from onstudy.record.patient import Fact
from onstudy.values.calendar import UNDATED, When


@dataclass(frozen=True, slots=True)
class Times:
    """The dates a source states. `going`: whether a period is still open; None where that is not said."""

    on: When | None = None
    start: When | None = None
    end: When | None = None
    going: bool | None = None
    recorded: When | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Start, end and openness as a `Fact` holds them."""

    start: When = UNDATED
    end: When | None = None
    ongoing: bool = False


def place(kind: Kind, times: Times) -> Placed:
    """Where a positive fact of the kind lies in time."""
    first = times.on or times.start
    if kind.extent == STATE:
        return Placed(first or times.recorded or UNDATED, ongoing=bool(times.going) and kind.value == NONE)
    start = first or until(times.recorded)
    if kind.extent == MOMENT:
        return Placed(start)
    return _period(times, start)


def _period(times: Times, start: When) -> Placed:
    if times.end is not None:
        return Placed(start, times.end)
    if times.going:
        return Placed(start, None, ongoing=True)
    if times.on is not None:
        return Placed(start, start)
    return Placed(start, spanning(start, times.recorded) if times.going is False else starting(start))


def over_since(fact: Fact, end: When) -> list[Fact]:
    """The statements of a state that is over: that it was so, where that is surely the earlier one, and a "no" since.

    An `end` of which no last day is known is one by the day asked about: nobody states what is still to come.
    """
    dated = end.span.high is not None
    no = Fact(
        id=f"{fact.id}:end",
        kind=fact.kind,
        end=end if dated else UNDATED,
        negative=True,
        recorded=fact.recorded if dated else None,
        shown="no",
        source=fact.source,
        code_status=fact.code_status,
    )
    return [fact, no] if dated and over(end, fact.start) else [replace(no, id=fact.id)]


def place_negative(times: Times) -> Placed:
    """Where a negative speaks of: up to the day it is stated for, from its beginning if one is stated."""
    return Placed(times.start or UNDATED, times.end or times.on or times.recorded or UNDATED)


def empty_negative(times: Times) -> bool:
    """Whether a negative certainly speaks of no day: it begins after the day it is stated for."""
    placed = place_negative(times)
    return placed.end is not None and over(placed.start, placed.end)


def unsaid_end(start: When, end: When | None) -> bool:
    """Whether an end says no more than that it does not lie before the start."""
    return end is None or not end.known or end == starting(start)


def reversed_period(times: Times) -> bool:
    """Whether the end certainly lies before the start."""
    start = times.start or times.on
    return start is not None and times.end is not None and over(start, times.end)
