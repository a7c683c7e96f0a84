"""The generator misses nothing: every node, every way to use it, every answer and every cause come out of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.engines.each import by_memory
from tests.generative.completions import STEPS, completed
from tests.generative.make import LENGTH, UNREAD, Case, Tape, case
from tests.generative.shapes import FAMILIES, SHAPES

from onstudy.criteria import expr as e
from onstudy.criteria.expr import NODES
from onstudy.criteria.finding import Reason
from onstudy.record.catalogue import load_catalogue
from onstudy.values.interval import Op
from onstudy.values.truth import FALSE, TRUE, UNKNOWN


def _cases(count: int) -> Iterator[Case]:
    source = random.Random(20260316)
    for _ in range(count):
        yield case(source.randbytes(LENGTH))


@pytest.fixture(scope="module")
def drawn() -> list[Case]:
    return list(_cases(400))


@pytest.fixture(scope="module")
def nodes(drawn: list[Case]) -> list[object]:
    return [node for one in drawn for tree in one.trees() for node in e.walk(tree)]


def test_every_node_is_produced(nodes: list[object]) -> None:
    seen = Counter(type(node) for node in nodes)
    assert {node.__name__ for node in NODES if seen[node] < 5} == set()


def test_every_use_of_a_node_is_produced(nodes: list[object]) -> None:
    assert {n.which for n in nodes if isinstance(n, e.Pick)} == set(e.Which)
    assert {n.of for n in nodes if isinstance(n, e.Count)} == set(e.CountOf)
    assert {n.op for n in nodes if isinstance(n, e.Compare)} == set(Op)
    assert {n.closed for n in nodes if isinstance(n, e.Any)} == {True, False}
    assert {n.relation for n in nodes if isinstance(n, e.Lookback)} == set(e.LOOKBACKS)
    assert {n.relation for n in nodes if isinstance(n, e.Timing)} == set(e.Relation) - {e.Relation.AT}
    assert {n.op for n in nodes if isinstance(n, e.Arithmetic)} == set("+-*/")
    assert {type(n.anchor) for n in nodes if isinstance(n, (e.Lookback, e.Timing))} == {e.Anchor, e.Field}
    assert {bool(n.of) for n in nodes if isinstance(n, e.Named)} == {True, False}
    assert {n.of is None for n in nodes if isinstance(n, e.Field)} == {True, False}


def test_every_sort_of_record_is_produced(drawn: list[Case]) -> None:
    facts = [fact for one in drawn for fact in one.patient().facts]
    kinds = {fact.kind for fact in facts}
    assert set(SHAPES) <= kinds
    assert {fact.negative for fact in facts} == {True, False}
    assert any(fact.narrowed for fact in facts)
    beside_a_no = [one for one in drawn if any(fact.negative for fact in one.patient().facts)]
    assert sum(any(fact.kind == UNREAD for fact in one.patient().facts) for one in beside_a_no) > 10
    assert any(fact.ongoing for fact in facts)
    assert any(fact.parts for fact in facts)
    assert any(not fact.certain for fact in facts)
    assert any(not fact.start.known for fact in facts) or any(fact.start.span.low is None for fact in facts)
    assert any(cover.first or cover.last for one in drawn for cover in one.patient().coverage)


def test_every_kind_that_is_shaped_is_asked() -> None:
    assert {kind for family in FAMILIES for kind in family} == set(SHAPES)


def test_every_answer_and_cause_comes_out(drawn: list[Case]) -> None:
    catalogue = load_catalogue()
    answers = [a for one in drawn for a in by_memory(one.trees(), one.patient(), one.anchors, catalogue)]
    counted = Counter(answer.truth for answer in answers)
    assert min(counted[truth] for truth in (TRUE, FALSE, UNKNOWN)) > len(answers) // 10
    assert sum(answer.truth is UNKNOWN and answer.if_confirmed is not UNKNOWN for answer in answers) > 20
    causes = {reason for answer in answers for reason in answer.reasons or ()}
    assert set(Reason) - causes == {Reason.UNSUPPORTED}, "a patient file cannot state what is unsupported"


def test_every_completion_is_made(drawn: list[Case]) -> None:
    source = random.Random(1)
    made = Counter(
        name for one in drawn for name in completed(Tape(source.randbytes(24)), one.entry, one.on, one.trees())[1]
    )
    assert {step.__name__ for step in STEPS if made[step.__name__] < 5} == set()
