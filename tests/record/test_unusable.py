"""Dates stated of a record that cannot be: what they are, and that they decide nothing until they are corrected."""

from __future__ import annotations

import pytest
from tests.screening.filling import filled_in, put_back
from tests.trials.flagship import asked, changed

from onstudy.readers import read_patients
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Fact
from onstudy.record.unusable import unusable
from onstudy.screening.explain import reason_of
from onstudy.screening.screen import CriterionResult, Screening
from onstudy.screening.todo import todo_file
from onstudy.values.calendar import as_when

SINCE = "disease_free_since"


def row(s: Screening) -> CriterionResult:
    return next(one for one in s.criteria if one.criterion.id == "S1-27")


@pytest.mark.parametrize(
    ("start", "ongoing", "since", "wrong"),
    [
        ("2025-10-01", False, "2015-01-01", True),
        ("2025-10-01", False, "2025-09", True),
        ("2025-10-01", False, "2025-10-01", False),
        ("2025-10-01", False, "2025", False),  # it may lie after the start
        ("2025", False, "2025-01", False),
        ("2020-01-01", True, "2022-01-01", True),
        ("2020-01-01", False, "2022-01-01", False),
    ],
)
def test_a_date_is_unusable_where_it_surely_cannot_be(start: str, ongoing: bool, since: str, wrong: bool) -> None:
    cancer = Fact("c", "other_malignancy", start=as_when(start), ongoing=ongoing, attributes={SINCE: as_when(since)})
    assert unusable(cancer, SINCE, load_catalogue()) is wrong


def test_a_date_that_cannot_be_is_said_with_its_day_and_a_right_one_is_taken() -> None:
    """Free of the disease long before the cancer: the to-do file asks anew, and the answer replaces what cannot be."""
    record = changed("S1-27-free-before")
    first = asked(record)
    said = reason_of(row(first), load_catalogue())
    assert "disease free since 2015-01-01 cannot be" in said and "not stated" not in said
    assert "the one on record lies before the record itself" in todo_file(first)
    assert any("it is not used" in problem.what for problem in first.problems)
    again = asked(filled_in(first, record, {"other_malignancy": {SINCE: "2026-01-01"}}))
    assert row(again).status == "not_met"
    assert not again.problems


def test_what_goes_on_and_is_over_is_settled_by_its_last_day() -> None:
    record = changed("S1-27-free-and-active")
    first = asked(record)
    assert any("says that it is over: it is not used" in problem.what for problem in first.problems)
    again = asked(filled_in(first, record, {"other_malignancy": {"to": "2021-12-31"}}))
    assert row(again).status == "met"
    assert not again.problems


def test_left_blank_the_file_changes_nothing() -> None:
    record = changed("S1-27-free-and-active")
    first = asked(record)
    again = asked(put_back(record, todo_file(first)))
    assert row(again).status == row(first).status == "unknown"
    assert again.problems == first.problems


# A state that rules a date out -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"state": "active"}, "not_met"),
        ({"state": "partial_remission", "recorded": "2024-03-17"}, "not_met"),
        ({"state": "active", "recorded": "2024-03-16"}, "unknown"),  # two years have passed since
        ({"state": "complete_remission"}, "unknown"),  # since when is asked next
    ],
)
def test_a_state_of_long_ago_is_asked_as_it_is_now_and_the_answer_counts(answer: dict[str, str], status: str) -> None:
    """Nobody is asked for the day since which a cancer is gone that was active when it was last seen."""
    record = changed("S1-27-active-then")
    first = asked(record)
    assert row(first).status == "unknown" and SINCE not in todo_file(first)
    again = asked(filled_in(first, record, {"other_malignancy": answer}))
    assert row(again).status == status
    assert again.problems == first.problems
    if "complete_remission" in answer.values():
        assert SINCE in todo_file(again)


@pytest.mark.parametrize(
    ("entry", "status", "problem"),
    [
        ("state: active", "unknown", "answer with `recorded`"),
        ("state: complete_remission, recorded: 2020-01-01", "unknown", "with another state"),
        ("to: ongoing", "unknown", "with another end"),
    ],
)
def test_an_answer_that_changes_nothing_is_said(entry: str, status: str, problem: str) -> None:
    record = changed("S1-27-active-then")
    (cancer,) = [fact for fact in record.facts if fact.kind == "other_malignancy"]
    text = f"patient: {record.id}\nfacts: [{{kind: other_malignancy, id: '{cancer.id}', {entry}}}]\n"
    again = asked(put_back(record, text))
    assert row(again).status == status
    assert [one.what for one in again.problems if problem in one.what]


@pytest.mark.parametrize(
    ("entry", "end", "count"),
    [
        ("controlled: yes, recorded: 2026-03-10", "2015-02-01..2026-03-09", 2),
        ("controlled: yes, to: 2026-03-11, recorded: 2026-03-12", "2015-02-01..2026-03-11", 2),
        ("controlled: yes, recorded: 2015-01-31", None, 1),
        ("controlled: yes", None, 1),
        ("controlled: no, recorded: 2026-03-10", None, 1),
    ],
)
def test_a_disease_that_is_otherwise_on_a_later_day_was_as_recorded_until_then(
    entry: str, end: str | None, count: int
) -> None:
    (record,) = read_patients(
        "record.yaml",
        b"patient: P\nfacts:\n  - {id: a, kind: heart_failure, from: 2015-01-01, active: yes, controlled: no, "
        b"recorded: 2015-02-01}\n",
    )
    again = put_back(record, f"patient: P\nfacts: [{{kind: heart_failure, id: a, {entry}}}]\n")
    found = {fact.id: fact for fact in again.facts if fact.kind == "heart_failure"}
    assert len(found) == count
    assert (None if found["a"].end is None else str(found["a"].end)) == end
    assert all(str(fact.start) == "2015-01-01" for fact in found.values())


def test_that_it_still_goes_on_can_be_answered() -> None:
    """Of a period of which no end is recorded."""
    record = changed("S1-27-since-unsaid", ["other_malignancy"], [{"kind": "other_malignancy", "from": "2020"}])
    (cancer,) = [fact for fact in record.facts if fact.kind == "other_malignancy"]
    text = f"patient: {record.id}\nfacts: [{{kind: other_malignancy, id: '{cancer.id}', to: ongoing}}]\n"
    (fact,) = [fact for fact in put_back(record, text).facts if fact.kind == "other_malignancy"]
    assert fact.ongoing and fact.end is None


# Statements of one record that contradict each other --------------------------------------------------------


def test_purposes_that_contradict_each_other_are_not_used_and_said() -> None:
    first = asked(changed("S1-07-c2"))
    assert "purpose and cns_purpose contradict each other: neither is used" in [one.what for one in first.problems]


def test_an_answer_that_contradicts_the_record_is_not_used_and_said() -> None:
    dose = {"kind": "treatment", "agent": "methotrexate", "route": "intrathecal", "intent": "ALL", "on": "2026-03-12"}
    record = changed("BASE-1", ["treatment"], [{**dose, "purpose": "prophylaxis"}])
    (fact,) = [one for one in record.facts if one.kind == "treatment"]
    text = f"patient: {record.id}\nfacts: [{{kind: treatment, id: '{fact.id}', cns_purpose: active_cns_disease}}]\n"
    again = asked(put_back(record, text))
    assert "purpose and cns_purpose contradict each other: neither is used" in [one.what for one in again.problems]
    assert next(one.status for one in again.criteria if one.criterion.id == "S1-07") == "unknown"
