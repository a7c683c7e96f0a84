"""Which records may be the newest or the earliest: none that a certain one surely follows, pair by pair."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onstudy.engines.candidates import Match
from onstudy.engines.timing import outermost
from onstudy.record.patient import Fact
from onstudy.values.calendar import HOUR, When
from onstudy.values.interval import Interval, Op, compare
from onstudy.values.truth import TRUE, UNKNOWN

#: Few hours and few offsets, so that moments collide, touch and overlap.
HOURS = st.integers(0, 2)


@st.composite
def whens(draw: st.DrawFn) -> When:
    low, high = sorted((draw(HOURS), draw(HOURS)))
    span = Interval(
        None if draw(st.booleans()) and draw(st.booleans()) else low * HOUR,
        None if draw(st.booleans()) and draw(st.booleans()) else high * HOUR,
        low < high and draw(st.booleans()),
        low < high and draw(st.booleans()),
    )
    return When(span, draw(st.sampled_from([None, 0, 60, -120])))


MATCHES = st.lists(
    st.builds(
        lambda when, sure: Match(Fact("f", "ecog", start=when), TRUE if sure else UNKNOWN),
        whens(),
        st.booleans(),
    ),
    max_size=6,
)


@pytest.mark.parametrize("newest", [True, False])
@settings(max_examples=1000)
@given(matches=MATCHES)
def test_no_other_than_those_that_a_certain_one_surely_follows(matches: list[Match], newest: bool) -> None:
    def follows(one: When, other: When) -> bool:
        shared = one.offset is not None and other.offset is not None
        return compare(Op.GT if newest else Op.LT, one.instants(shared), other.instants(shared)) is TRUE

    sure = [match.fact.start for match in matches if match.truth is TRUE]
    expected = [match for match in matches if not any(follows(one, match.fact.start) for one in sure)]
    assert outermost(matches, newest) == expected
