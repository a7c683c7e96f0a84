"""The newest result on or before a day, and the next of a line: what a search finds is what looking at each finds."""

from __future__ import annotations

from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.canon import CATALOGUE

from onstudy.record.ends import end_superseded
from onstudy.record.newest import Results
from onstudy.record.patient import Fact
from onstudy.values.calendar import DAY, UNDATED, When, parse_when
from onstudy.values.interval import Interval, Op, compare
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth

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


RECORDED = [None, *(parse_when(f"2026-03-{day:02}") for day in range(2, 8)), parse_when("2026-03"), UNDATED]


def toxicities(stated: list[tuple[When, bool, When | None]]) -> list[Fact]:
    term = {"term": frozenset({"nausea"})}
    return [
        Fact(f"t{n}", "toxicity", start=when, ongoing=going, recorded=recorded, attributes=term)
        for n, (when, going, recorded) in enumerate(stated)
    ]


def denials(days: list[int]) -> list[Fact]:
    march = [parse_when(f"2026-03-{day:02}") for day in days]
    return [Fact(f"d{n}", "toxicity", end=when, negative=True) for n, when in enumerate(march)]


def goes_on_later(fact: Fact, other: Fact) -> Truth:
    """Whether a period was recorded, without an end, on a later day than the one another record speaks of."""
    dated = fact.recorded is not None and fact.recorded.known
    if not fact.ongoing and not dated:
        return FALSE
    if other.negative:
        if not dated:
            return TRUE
        assert fact.recorded is not None and other.end is not None
        day = other.end.days
        same = compare(Op.EQ, fact.recorded.days, day) is TRUE
        return UNKNOWN if same else compare(Op.GT, fact.recorded.days, day)
    asking = other.ongoing and not (other.recorded is not None and other.recorded.known)
    if not dated or asking:
        return FALSE
    assert fact.recorded is not None
    said = other.recorded if other.recorded is not None and other.recorded.known else other.start
    return compare(Op.GT, fact.recorded.days, said.days)


def ended_by_looking(fact: Fact, facts: list[Fact]) -> tuple[When | None, bool]:
    """The end and openness of a period: the first newer record ends it, unless it only may be newer."""
    ends: list[tuple[int, bool]] = []
    perhaps: list[float] = []  # the first day on which what may be the newer statement may have ended it
    doubtful = False
    for other in facts:
        stands = goes_on_later(fact, other)
        if other.negative and other.end is not None and other.end.day is not None:
            if fact.start.days.high is not None and fact.start.days.high < other.end.day:
                if stands is FALSE:
                    ends.append((other.end.day, True))
                elif stands is UNKNOWN:
                    doubtful = True
        elif not other.negative:
            later = compare(Op.GT, other.start.days, fact.start.days)
            doubtful = doubtful or (later is UNKNOWN and other.id != fact.id)
            if later is TRUE and other.start.days.high is not None and stands is FALSE:
                ends.append((int(other.start.days.high), other.start.day is None))
            if later is TRUE and stands is UNKNOWN and other.start.days.low is not None:
                perhaps.append(other.start.days.low)
    day, inexact = min(ends, default=(inf, False))
    doubtful = doubtful or any(low <= day for low in perhaps)
    stated = fact.recorded.days.low if fact.ongoing and fact.recorded is not None else None
    bounds = [fact.start.span.low, None if stated is None else stated * DAY]
    low = max((bound for bound in bounds if bound is not None), default=None)  # it went on at least to there
    if ends:
        if inexact or doubtful:
            newer_word = doubtful or (low is not None and low >= day * DAY)
            return When(Interval(fact.start.span.low if newer_word else low, int(day) * DAY, high_open=True)), False
        return When(Interval((int(day) - 1) * DAY, int(day) * DAY, high_open=True)), False
    return (When(Interval(fact.start.span.low, None)), False) if doubtful else (fact.end, fact.ongoing)


STATED = st.tuples(WHENS, st.booleans(), st.sampled_from(RECORDED))


@settings(max_examples=800)
@given(st.lists(STATED, max_size=6), st.lists(st.integers(1, 7), max_size=3))
def test_what_ends_an_open_period(stated: list[tuple[When, bool, When | None]], days: list[int]) -> None:
    facts = [*toxicities(stated), *denials(days)]
    for fact in end_superseded(facts, CATALOGUE):
        if not fact.negative:
            before_it = next(one for one in facts if one.id == fact.id)
            assert (fact.end, fact.ongoing) == ended_by_looking(before_it, facts)


def test_the_moments_meet_every_answer() -> None:
    """Records that are surely newer, surely not, and perhaps: else the tests above would show little."""
    answers = {compare(Op.GT, one.days, other.days) for one in MOMENTS for other in MOMENTS}
    assert answers == {TRUE, FALSE, UNKNOWN}
