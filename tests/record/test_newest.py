"""The newest result on or before a day, and the next of a line: what a search finds is what looking at each finds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.canon import CATALOGUE

from onstudy.record.ends import end_superseded
from onstudy.record.newest import Results
from onstudy.record.patient import Fact
from onstudy.values.calendar import DAY, UNDATED, When, parse_when
from onstudy.values.interval import Interval, Op, compare
from onstudy.values.truth import FALSE, TRUE, UNKNOWN

MOMENTS = [
    *(parse_when(f"2026-03-{day:02}") for day in range(1, 7)),
    *(parse_when(f"2026-03-0{day}T08:00") for day in (2, 4)),
    parse_when("2026-03"),
    parse_when("2026"),
    UNDATED,
    When(Interval(parse_when("2026-03-03").span.low, None)),
    When(Interval(None, parse_when("2026-03-04").span.high, high_open=True)),
    When(Interval(None, parse_when("2026-03-03T08:00").span.high)),
]
WHENS = st.sampled_from(MOMENTS)


def weights(whens: list[When]) -> list[Fact]:
    return [Fact(f"w{number}", "body_weight", start=when) for number, when in enumerate(whens)]


def by_looking(facts: list[Fact], at: When) -> set[str]:
    """Of all not certainly later, those that no other certainly follows; where none is sure, with the first later."""
    later = [f for f in facts if compare(Op.GT, f.start.days, at.days) is TRUE]
    possible = [f for f in facts if f not in later]
    sure = [f for f in possible if compare(Op.LE, f.start.days, at.days) is TRUE]
    if not sure:
        first = [f for f in later if not any(before(other.start, f.start) for other in later)]
        return {f.id for f in (*possible, *first)}
    return {f.id for f in possible if not any(before(f.start, other.start) for other in sure)}


def before(one: When, other: When) -> bool:
    """Whether one moment certainly lies before another."""
    high, low = one.span.high, other.span.low
    return high is not None and low is not None and (high < low or (high == low and one.span.high_open))


@settings(max_examples=400)
@given(st.lists(WHENS, max_size=8), WHENS)
def test_the_newest_on_or_before_a_day(whens: list[When], at: When) -> None:
    facts = weights(whens)
    assert {fact.id for fact in Results(facts).newest(at)} == by_looking(facts, at)


# Open periods -------------------------------------------------------------------------------------------------


def toxicities(whens: list[When]) -> list[Fact]:
    term = {"term": frozenset({"nausea"})}
    return [Fact(f"t{n}", "toxicity", start=when, ongoing=True, attributes=term) for n, when in enumerate(whens)]


def denials(days: list[int]) -> list[Fact]:
    march = [parse_when(f"2026-03-{day:02}") for day in days]
    return [Fact(f"d{n}", "toxicity", end=when, negative=True) for n, when in enumerate(march)]


def ended_by_looking(fact: Fact, facts: list[Fact]) -> tuple[When | None, bool]:
    """The end and openness of a period: the first newer record ends it, unless it only may be newer."""
    ends: list[tuple[int, bool]] = []
    doubtful = False
    for other in facts:
        if other.negative and other.end is not None and other.end.day is not None:
            if fact.start.days.high is not None and fact.start.days.high < other.end.day:
                ends.append((other.end.day, True))
        elif not other.negative:
            later = compare(Op.GT, other.start.days, fact.start.days)
            doubtful = doubtful or (later is UNKNOWN and other.id != fact.id)
            if later is TRUE and other.start.days.high is not None:
                ends.append((int(other.start.days.high), other.start.day is None))
    if ends:
        day, inexact = min(ends)
        if inexact or doubtful:
            return When(Interval(fact.start.span.low, day * DAY, high_open=True)), False
        return When(Interval((day - 1) * DAY, day * DAY, high_open=True)), False
    return (When(Interval(fact.start.span.low, None)), False) if doubtful else (None, True)


@settings(max_examples=400)
@given(st.lists(WHENS, max_size=6), st.lists(st.integers(1, 7), max_size=3))
def test_what_ends_an_open_period(whens: list[When], days: list[int]) -> None:
    facts = [*toxicities(whens), *denials(days)]
    for fact in end_superseded(facts, CATALOGUE):
        if not fact.negative:
            before_it = next(one for one in facts if one.id == fact.id)
            assert (fact.end, fact.ongoing) == ended_by_looking(before_it, facts)


def test_the_moments_meet_every_answer() -> None:
    """Records that are surely newer, surely not, and perhaps: else the tests above would show little."""
    answers = {compare(Op.GT, one.days, other.days) for one in MOMENTS for other in MOMENTS}
    assert answers == {TRUE, FALSE, UNKNOWN}
