"""Dates stated of a record that cannot be: what they are, and that they decide nothing until they are corrected."""

from __future__ import annotations

import pytest
from tests.screening.filling import filled_in, put_back
from tests.trials.flagship import asked, changed

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
