"""Knowledge is monotone (DESIGN 5): what is TRUE or FALSE stays so on every completion of the record."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engines.asking import ask
from tests.engines.each import ENGINES, Answer
from tests.generative.completions import completed
from tests.generative.depth import examples
from tests.generative.make import ANCHORS, Case, Tape, cases, read
from tests.generative.shapes import Entry

from onstudy.criteria.expr import TruthExpr
from onstudy.language.library import load_trials
from onstudy.language.unparse import unparse
from onstudy.record.catalogue import load_catalogue
from onstudy.values.truth import UNKNOWN

pytestmark = pytest.mark.generative
MORE = st.binary(min_size=24, max_size=24)


def _answers(engine: str, case: Case, rules: Sequence[TruthExpr], entry: Entry) -> list[Answer]:
    return ENGINES[engine](rules, read(entry, case.on), case.anchors, load_catalogue())


def _stays(engine: str, case: Case, rules: Sequence[TruthExpr], more: bytes) -> None:
    before = _answers(engine, case, rules, case.entry)
    entry, made = completed(Tape(more), case.entry, case.on, rules)
    after = _answers(engine, case, rules, entry)
    for rule, first, then in zip(rules, before, after, strict=True):
        if first.truth is not UNKNOWN:
            assert then.truth is first.truth, f"{unparse(rule)}\n{first}\n{then}\n{made}\n{entry}"


@pytest.mark.parametrize("engine", ENGINES)
@examples(4)
@given(case=cases(), more=MORE)
def test_a_completion_settles_and_never_unsettles(engine: str, case: Case, more: bytes) -> None:
    _stays(engine, case, case.trees(), more)


@pytest.mark.parametrize("engine", ENGINES)
@examples(0.2)
@given(case=cases(most_rules=1, most_facts=8), more=MORE)
def test_nor_in_the_trials_that_ship(engine: str, case: Case, more: bytes) -> None:
    _stays(engine, case, shipped_rules(), more)


@pytest.mark.parametrize("engine", ENGINES)
@examples(2)
@given(case=cases())
def test_the_if_confirmed_answer_is_a_completion(engine: str, case: Case) -> None:
    for rule, answer in zip(case.rules, _answers(engine, case, case.trees(), case.entry), strict=True):
        if answer.truth is not UNKNOWN:
            assert answer.if_confirmed is answer.truth, rule


@pytest.mark.parametrize("engine", ENGINES)
@examples(2)
@given(case=cases(), order=st.randoms(use_true_random=False))
def test_the_order_of_facts_never_matters(engine: str, case: Case, order: st.DataObject) -> None:
    facts = list(case.entry["facts"])  # type: ignore[call-overload]
    order.shuffle(facts)  # type: ignore[attr-defined]
    shuffled = _answers(engine, case, case.trees(), {**case.entry, "facts": facts})
    assert shuffled == _answers(engine, case, case.trees(), case.entry)


_NEVER = "{kind: seizure, value: no, recorded: 2026-03-10}"
_TOXICITY = """complete: [toxicity]
facts:
- {{kind: toxicity, term: nausea, grade: 3, from: {}, active: yes}}
- {{kind: toxicity, term: nausea, grade: 1, from: 2026-01-15, active: yes}}
"""
_ONE_OF_TWO = """facts:
- {{kind: hematopoietic_transplant, on: 2026-03-05{}}}
- {{kind: hematopoietic_transplant, type: allogeneic, value: no, recorded: 2026-03-14}}
- {{kind: hematopoietic_transplant, type: autologous, value: no, recorded: {}}}
"""
_BOTH = ", type: [allogeneic, autologous]"
_ALLOGENEIC = "any hematopoietic_transplant where (type is allogeneic)"
_GRADES = "every toxicity at registration has (grade <= 1)"
_DAYS = "days of treatment <= 1 day"


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (
            "facts: [{kind: seizure, value: no, recorded: 2026-02-15}, {kind: seizure, on: 2026-02}]",
            "facts: [{kind: seizure, value: no, recorded: 2026-02-15}, {kind: seizure, on: 2026-02-10}]",
            "any seizure",
        ),
        (
            f"facts: [{{kind: seizure, on: 2015-01-01, recorded: 2026-03}}, {_NEVER}]",
            f"facts: [{{kind: seizure, on: 2015-01-01, recorded: 2026-03-09}}, {_NEVER}]",
            "any seizure",
        ),
        (
            "facts: [{kind: seizure, value: no, recorded: 2026-03}, {kind: seizure, on: 2026-03-05}]",
            "facts: [{kind: seizure, value: no, recorded: 2026-03-01}, {kind: seizure, on: 2026-03-05}]",
            "no seizure within 7 days before registration",
        ),
        (
            "facts: [{kind: treatment, value: no, from: 2024-03-15.., recorded: 2026-03-10}]",
            "facts: [{kind: treatment, value: no, from: 2026-03-01, recorded: 2026-03-10}]",
            "no treatment",
        ),
        (
            "facts: [{kind: seizure, on: 2026-03-01, status: pending}]",
            "facts: [{kind: seizure, value: no, on: 2026-03-01}]",
            "any seizure",
        ),
        (_TOXICITY.format("2026-01"), _TOXICITY.format("2026-01-05"), _GRADES),
        pytest.param(
            "complete: [treatment]\nfacts: [{kind: treatment, from: 2026-02, to: 2026-02, frequency: daily}]",
            "complete: [treatment]\nfacts: [{kind: treatment, from: 2026-02-02, to: 2026-02-20, frequency: daily}]",
            _DAYS,
        ),
        (_ONE_OF_TWO.format("", "2026-03"), _ONE_OF_TWO.format("", "2026-03-10"), _ALLOGENEIC),
        (_ONE_OF_TWO.format(_BOTH, "2026-03"), _ONE_OF_TWO.format(_BOTH, "2026-03-10"), _ALLOGENEIC),
    ],
)
def test_completions_that_once_unsettled_an_answer(before: str, after: str, rule: str) -> None:
    first, then = ask(before, rule), ask(after, rule)
    assert first.truth is UNKNOWN or then.truth is first.truth


@cache
def shipped_rules() -> tuple[TruthExpr, ...]:
    """Every rule of the trial files that ship and know no other anchors than these."""
    trials = load_trials("all", load_catalogue())
    known = [trial for trial in trials if set(trial.anchors) <= set(ANCHORS)]
    assert known, "no trial ships"
    return tuple(row.rule for trial in known for row in trial.criteria if row.rule is not None)
