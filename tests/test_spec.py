"""The language reference as tests: every example of docs/language, on every engine."""

from __future__ import annotations

from datetime import date

import pytest
from tests.engines.each import ENGINES
from tests.language.pages import ANCHORS, PAGES, Example, Stretches, examples, pairs, stretches

from onstudy.criteria import expr as e
from onstudy.criteria.expr import NODES
from onstudy.criteria.finding import Reason
from onstudy.engines import windows as stretches_of
from onstudy.engines.view import View
from onstudy.language.parse import Names, RuleErrorAt, parse
from onstudy.language.unparse import unparse
from onstudy.record.catalogue import load_catalogue
from onstudy.values.interval import Op
from onstudy.values.truth import UNKNOWN

EXAMPLES, STRETCHES = examples(), stretches()
CANONICAL, ERRORS = pairs("canonical"), pairs("errors")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_example(example: Example, engine: str) -> None:
    setting, expected = example.setting, example.expected
    rule = setting.parse(example.rule)
    answer = ENGINES[engine]([rule], setting.patient(), setting.anchors, load_catalogue())[0]
    assert (answer.truth.name, answer.if_confirmed.name) == (expected.truth.name, expected.if_confirmed.name)
    if answer.reasons is not None and expected.reasons is not None:
        assert sorted(answer.reasons) == sorted(expected.reasons)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_an_unknown_says_why_and_nothing_else_does(example: Example) -> None:
    assert (example.expected.reasons is not None) is (example.expected.truth is UNKNOWN)


@pytest.mark.parametrize("example", [*EXAMPLES, *STRETCHES], ids=lambda example: example.id)
def test_the_canonical_text_means_the_same(example: Example | Stretches) -> None:
    rule = example.setting.parse(example.rule)
    assert example.setting.parse(unparse(rule)) == rule


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_the_records_of_the_examples_are_read_without_a_problem(example: Example) -> None:
    problems = example.setting.as_read().problems
    assert bool(problems) is example.setting.may_have_problems, [str(problem) for problem in problems]


@pytest.mark.parametrize("example", STRETCHES, ids=lambda example: example.id)
def test_stretches_of_days(example: Stretches) -> None:
    setting = example.setting
    rule, view = setting.parse(example.rule), View(setting.patient(), load_catalogue())

    def answer(day: int) -> stretches_of.Verdict:
        return _on(example, "memory", day)

    found = stretches_of.windows(answer, rule, view, setting.anchors, example.until.toordinal())
    assert [
        (date.fromordinal(one.first), date.fromordinal(one.last), one.truth, one.if_confirmed) for one in found
    ] == [(first, last, wanted.truth, wanted.if_confirmed) for first, last, wanted in example.stretches]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("example", STRETCHES, ids=lambda example: example.id)
def test_each_day_of_a_stretch(example: Stretches, engine: str) -> None:
    for first, last, wanted in example.stretches:
        for day in range(first.toordinal(), last.toordinal() + 1):
            assert _on(example, engine, day) == (wanted.truth, wanted.if_confirmed), date.fromordinal(day)


def _on(example: Stretches, engine: str, day: int) -> stretches_of.Verdict:
    setting = example.setting
    anchors = stretches_of.moved(setting.anchors, day)
    rule, catalogue = setting.parse(example.rule), load_catalogue()
    answer = ENGINES[engine]([rule], setting.patient(), anchors, catalogue)[0]
    return answer.truth, answer.if_confirmed


@pytest.mark.parametrize(("place", "written", "canonical"), CANONICAL, ids=lambda one: str(one))
def test_canonical_text(place: str, written: str, canonical: str) -> None:
    names = Names(ANCHORS)
    assert unparse(parse(written, load_catalogue(), names)) == canonical
    assert unparse(parse(canonical, load_catalogue(), names)) == canonical


@pytest.mark.parametrize(("place", "rule", "message"), ERRORS, ids=lambda one: str(one))
def test_errors(place: str, rule: str, message: str) -> None:
    with pytest.raises(RuleErrorAt) as raised:
        parse(rule, load_catalogue(), Names(ANCHORS))
    assert str(raised.value).startswith(message)


# Nothing of the language goes unexplained ------------------------------------------------------------------


def test_every_node_occurs_in_an_example() -> None:
    nodes = {type(node) for example in EXAMPLES for node in e.walk(example.setting.parse(example.rule))}
    assert set(NODES) <= nodes


def test_every_way_to_pick_count_and_place_occurs_in_an_example() -> None:
    nodes = [node for example in EXAMPLES for node in e.walk(example.setting.parse(example.rule))]
    assert {node.which for node in nodes if isinstance(node, e.Pick)} == set(e.Which)
    assert {node.of for node in nodes if isinstance(node, e.Count)} == set(e.CountOf)
    assert {node.relation for node in nodes if isinstance(node, e.Lookback)} == set(e.LOOKBACKS)
    assert {node.relation for node in nodes if isinstance(node, e.Timing)} == set(e.Relation) - {e.Relation.AT}
    assert {node.op for node in nodes if isinstance(node, e.Compare)} >= set(Op)


def test_every_reason_is_explained_and_shown() -> None:
    explained = (PAGES / "01-truth.md").read_text(encoding="utf-8")
    assert [reason for reason in Reason if f"| `{reason.value}` |" not in explained] == []
    shown = {reason for example in EXAMPLES for reason in example.expected.reasons or ()}
    assert set(Reason) - shown == {Reason.UNSUPPORTED}, "a patient file cannot state what is unsupported"


def test_every_page_has_examples_and_is_listed() -> None:
    listed = (PAGES / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in PAGES.glob("*.md") if path.name != "README.md")
    assert [page for page in pages if f"]({page})" not in listed] == []
    places = [*(one.id for one in EXAMPLES), *(one.id for one in STRETCHES), *(place for place, *_ in CANONICAL)]
    tested = {place.partition(":")[0] for place in places}
    assert set(pages) <= tested
