"""Kleene's logic: the tables, and the laws that follow from an order with a mirror."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth, agreed, all_of, any_of, negate

truths = st.sampled_from(Truth)
several = st.lists(truths, max_size=4)


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (TRUE, TRUE, TRUE, TRUE),
        (TRUE, UNKNOWN, UNKNOWN, TRUE),
        (TRUE, FALSE, FALSE, TRUE),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
        (UNKNOWN, FALSE, FALSE, UNKNOWN),
        (FALSE, FALSE, FALSE, FALSE),
    ],
)
def test_the_tables_of_and_and_or(left: Truth, right: Truth, both: Truth, either: Truth) -> None:
    assert all_of([left, right]) is all_of([right, left]) is both
    assert any_of([left, right]) is any_of([right, left]) is either


def test_not_mirrors_around_unknown() -> None:
    assert [negate(truth) for truth in (FALSE, UNKNOWN, TRUE)] == [TRUE, UNKNOWN, FALSE]


def test_nothing_to_hold_holds_and_nothing_that_could_hold_does_not() -> None:
    assert all_of([]) is TRUE
    assert any_of([]) is FALSE


@given(several)
def test_de_morgan(parts: list[Truth]) -> None:
    assert negate(all_of(parts)) is any_of(negate(part) for part in parts)
    assert negate(any_of(parts)) is all_of(negate(part) for part in parts)


@given(truths)
def test_double_negation(one: Truth) -> None:
    assert negate(negate(one)) is one


@given(truths, truths, truths)
def test_associative_distributive_absorbing(a: Truth, b: Truth, c: Truth) -> None:
    assert all_of([a, all_of([b, c])]) is all_of([all_of([a, b]), c])
    assert any_of([a, any_of([b, c])]) is any_of([any_of([a, b]), c])
    assert all_of([a, any_of([b, c])]) is any_of([all_of([a, b]), all_of([a, c])])
    assert all_of([a, any_of([a, b])]) is any_of([a, all_of([a, b])]) is a


def test_the_middle_is_not_excluded() -> None:
    """Unknown is local: "x or not x" stays unknown where x is."""
    assert any_of([UNKNOWN, negate(UNKNOWN)]) is UNKNOWN
    assert all_of([UNKNOWN, negate(UNKNOWN)]) is UNKNOWN


@given(several, st.integers(0, 3), st.sampled_from([TRUE, FALSE]))
def test_settling_an_unknown_part_never_unsettles_the_whole(parts: list[Truth], at: int, settled: Truth) -> None:
    unknown = [number for number, part in enumerate(parts) if part is UNKNOWN]
    if not unknown:
        return
    after = list(parts)
    after[unknown[at % len(unknown)]] = settled
    for combine in (all_of, any_of):
        assert combine(parts) in (UNKNOWN, combine(after))


@pytest.mark.parametrize(
    ("said", "agreement"),
    [([TRUE, TRUE], TRUE), ([FALSE], FALSE), ([TRUE, FALSE], UNKNOWN), ([TRUE, UNKNOWN], UNKNOWN), ([], UNKNOWN)],
)
def test_candidates_agree_or_it_is_unknown(said: list[Truth], agreement: Truth) -> None:
    assert agreed(said) is agreement
