"""What a finding carries beside its answer: causes and questions of an unknown, evidence that is in the record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from tests.generative.depth import examples
from tests.generative.make import ANCHORS, Case, cases

from onstudy.criteria import expr as e
from onstudy.criteria.finding import AskClass, Finding, Reason
from onstudy.engines.memory import Memory
from onstudy.engines.view import View
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.explain import because, near
from onstudy.screening.wording import PHRASES
from onstudy.values.truth import UNKNOWN, Truth

pytestmark = pytest.mark.generative


def _findings(case: Case, assumed: frozenset[str] = frozenset()) -> list[Finding]:
    engine = Memory(View(case.patient(), load_catalogue()), case.anchors, assumed)
    return [engine.evaluate(tree) for tree in case.trees()]


def _within(finding: Finding) -> Iterator[Finding]:
    yield finding
    for part in finding.parts:
        yield from _within(part)


@examples(1.5)
@given(case=cases())
def test_an_unknown_has_causes_and_questions_and_nothing_else_has(case: Case) -> None:
    for finding in _findings(case):
        for part in _within(finding):
            if isinstance(part.result, Truth) and isinstance(part.expr, e.TruthExpr):
                assert bool(part.reasons) is (part.truth is UNKNOWN)
                assert part.truth is UNKNOWN or not part.asks, part
                assert part.truth is not UNKNOWN or part.asks or _counts_days(part), part


def _counts_days(finding: Finding) -> bool:
    """Whether it rests on the days that records cover: all that could be known of those may be stated."""
    counts = [node for node in e.walk(finding.expr) if isinstance(node, e.Count)]
    return any(node.of is not e.CountOf.RECORDS for node in counts)


@examples(1)
@given(case=cases())
def test_every_question_is_of_one_class(case: Case) -> None:
    catalogue = load_catalogue()
    for finding in _findings(case):
        for ask in finding.asks:
            kind = catalogue.kinds.get(ask.kind)
            if ask.cls is AskClass.TO_CONFIRM:
                assert kind is not None
                assert kind.assumable
            if kind is None:
                assert ask.kind in ("born", *ANCHORS)
                assert (ask.cls is AskClass.TO_DO) is (ask.reason is Reason.PENDING_ANCHOR)
            elif ask.cls is AskClass.TO_DO:
                assert kind.by_study


@examples(1)
@given(case=cases())
def test_what_an_assumption_settles_is_to_confirm(case: Case) -> None:
    for recorded, confirmed in zip(_findings(case), _findings(case, frozenset({"all"})), strict=True):
        assert not any(ask.cls is AskClass.TO_CONFIRM for ask in confirmed.asks)
        if recorded.truth is UNKNOWN and confirmed.truth is not UNKNOWN:
            assert any(ask.cls is AskClass.TO_CONFIRM for ask in recorded.asks)


@examples(1)
@given(case=cases())
def test_the_second_answer_is_that_of_asking_all_again(case: Case) -> None:
    view = View(case.patient(), load_catalogue())
    settling = Memory(view, case.anchors, frozenset({"all"}))
    for recorded, again in zip(_findings(case), _findings(case, frozenset({"all"})), strict=True):
        settled = settling.settled(recorded)
        assert (settled.truth, settled.reasons, set(settled.asks)) == (again.truth, again.reasons, set(again.asks))


@examples(1)
@given(case=cases())
def test_evidence_lies_in_the_record(case: Case) -> None:
    patient = case.patient()
    known = {fact.id for fact in patient.facts} | {part.id for fact in patient.facts for part in fact.parts.values()}
    for finding in _findings(case):
        for part in _within(finding):
            assert {fact.id for fact in part.evidence} <= known | {"born"}


@examples(1)
@given(case=cases())
def test_the_parts_mirror_the_tree(case: Case) -> None:
    for finding in _findings(case):
        for part in _within(finding):
            if isinstance(part.expr, (e.And, e.Or)):
                assert [one.expr for one in part.parts] == list(part.expr.parts)
            if isinstance(part.expr, (e.Not, e.Named)):
                assert len(part.parts) == 1


@examples(1)
@given(case=cases())
def test_every_answer_can_be_explained_in_a_line(case: Case) -> None:
    catalogue = load_catalogue()
    for finding in _findings(case):
        said = because(finding, catalogue)
        assert said
        assert "\n" not in said
        assert near(finding) is None or near(finding)


def test_every_cause_has_words_for_people() -> None:
    assert set(PHRASES) == set(Reason)
