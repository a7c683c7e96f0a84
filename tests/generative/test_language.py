"""Text and tree: reading back what is written gives the same rule, and what it says stays the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.generative.depth import examples
from tests.generative.make import Case, cases, parsed

from onstudy.criteria import expr as e
from onstudy.criteria.expr import TruthExpr
from onstudy.language.parse import RuleErrorAt
from onstudy.language.unparse import unparse

pytestmark = pytest.mark.generative

LEAVES = [
    parsed(text)
    for text in (
        "seizure", "known stroke", "latest ecog <= 2", "latest hbsag is positive", "age at registration >= 60 years",
        "start of latest menses is at least 4 months before registration", "latest bilirubin_total <= 1.5 ULN",
        "count of seizure = 0", "every seizure has (start is before registration)", "female",
    )
]  # fmt: skip


def _joined(parts: st.SearchStrategy[TruthExpr]) -> st.SearchStrategy[TruthExpr]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        several.map(e.And), several.map(e.Or), parts.map(e.Not), st.tuples(parts, parts).map(lambda two: e.If(*two))
    )


TREES = st.recursive(st.sampled_from(LEAVES), _joined, max_leaves=8)


@examples(2)
@given(case=cases())
def test_a_generated_rule_reads_back(case: Case) -> None:
    for tree in case.trees():
        assert parsed(unparse(tree)) == tree


@examples(2)
@given(case=cases())
def test_the_text_is_canonical(case: Case) -> None:
    for tree in case.trees():
        assert unparse(parsed(unparse(tree))) == unparse(tree)


@examples(2)
@given(tree=TREES)
def test_any_joining_of_parts_reads_back(tree: TruthExpr) -> None:
    """Parentheses stand wherever they must, also where no author would have written them."""
    assert parsed(unparse(tree)) == tree


@examples(2)
@given(
    case=cases(most_rules=1), at=st.integers(0, 200), noise=st.sampled_from("()$;,. no then 5 mg/dL ULN % x \u00e9\x00")
)
def test_a_damaged_rule_is_refused_with_a_place_or_is_a_rule(case: Case, at: int, noise: str) -> None:
    rule = case.rules[0]
    damaged = rule[: at % (len(rule) + 1)] + noise + rule[at % (len(rule) + 1) + at % 4 :]
    try:
        tree = parsed(damaged)
    except RuleErrorAt as error:
        lines = damaged.splitlines() or [""]
        assert 1 <= error.line <= len(lines) + 1
        assert 1 <= error.column <= max(len(line) for line in lines) + 1
        return
    assert parsed(unparse(tree)) == tree
