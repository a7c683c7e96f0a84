"""All engines agree with the reference engine, on generated rules and records and on the trials that ship."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.engines.each import ENGINES
from tests.generative.depth import examples
from tests.generative.make import Case, cases
from tests.generative.test_knowledge import shipped_rules

from onstudy.record.catalogue import load_catalogue

pytestmark = pytest.mark.generative
REFERENCE = "memory"


@pytest.mark.parametrize("engine", ENGINES)
@examples(1)
@given(case=cases())
def test_an_engine_answers_rules_together_as_one_by_one(engine: str, case: Case) -> None:
    catalogue, patient = load_catalogue(), case.patient()
    together = ENGINES[engine](case.trees(), patient, case.anchors, catalogue)
    assert together == [ENGINES[engine]([tree], patient, case.anchors, catalogue)[0] for tree in case.trees()]


@pytest.mark.parametrize("engine", ENGINES)
@examples(4)
@given(case=cases())
def test_engines_agree(engine: str, case: Case) -> None:
    _agree(engine, case, shipped=False)


@pytest.mark.parametrize("engine", ENGINES)
@examples(0.2)
@given(case=cases(most_rules=1, most_facts=8))
def test_engines_agree_on_the_trials_that_ship(engine: str, case: Case) -> None:
    _agree(engine, case, shipped=True)


def _agree(engine: str, case: Case, shipped: bool) -> None:
    rules = list(shipped_rules()) if shipped else case.trees()
    catalogue, patient = load_catalogue(), case.patient()
    expected = ENGINES[REFERENCE](rules, patient, case.anchors, catalogue)
    found = ENGINES[engine](rules, patient, case.anchors, catalogue)
    assert [(a.truth, a.if_confirmed) for a in found] == [(a.truth, a.if_confirmed) for a in expected]
