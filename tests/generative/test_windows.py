"""Windows are not a second evaluator: they equal a loop over every day."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from tests.generative.depth import examples
from tests.generative.make import Case, cases
from tests.generative.test_knowledge import shipped_rules

from onstudy.criteria.expr import TruthExpr
from onstudy.engines.memory import Memory
from onstudy.engines.view import View
from onstudy.engines.windows import Verdict, moved, windows
from onstudy.language.unparse import unparse
from onstudy.record.catalogue import load_catalogue

pytestmark = pytest.mark.generative
ALL = frozenset({"all"})


class Days:
    """The reference engine asked on any registration day, both answers."""

    def __init__(self, case: Case) -> None:
        self.view, self.anchors = View(case.patient(), load_catalogue()), case.anchors
        self.first = case.on.toordinal()
        self.memories: dict[int, tuple[Memory, Memory]] = {}

    def answer(self, rule: TruthExpr, day: int) -> Verdict:
        if day not in self.memories:
            anchors = moved(self.anchors, day)
            self.memories[day] = Memory(self.view, anchors), Memory(self.view, anchors, ALL)
        recorded, confirmed = self.memories[day]
        return recorded.evaluate(rule).truth, confirmed.evaluate(rule).truth


def _equal_a_loop(case: Case, rules: tuple[TruthExpr, ...], until: int) -> None:
    days = Days(case)
    for rule in rules:
        found = windows(lambda day, rule=rule: days.answer(rule, day), rule, days.view, days.anchors, until)  # type: ignore[misc]
        assert found[0].first == days.first
        assert found[-1].last == until
        for one, following in pairwise(found):
            assert one.last + 1 == following.first
            assert (one.truth, one.if_confirmed) != (following.truth, following.if_confirmed)
        spread = [(one.truth, one.if_confirmed) for one in found for _ in range(one.first, one.last + 1)]
        for number, verdict in enumerate(spread):
            day = days.first + number
            assert verdict == days.answer(rule, day), f"{unparse(rule)} on {date.fromordinal(day)}"


@examples(0.5)
@given(case=cases(most_rules=2))
def test_windows_of_generated_rules(case: Case) -> None:
    _equal_a_loop(case, tuple(case.trees()), case.on.toordinal() + 130)


@examples(0.04)
@given(case=cases(most_rules=1, most_facts=8))
def test_windows_of_the_trials_that_ship(case: Case) -> None:
    _equal_a_loop(case, shipped_rules(), case.on.toordinal() + 60)
