"""A tap or a tracing that lacks a component is completed by its own `--todo` file, whatever the record calls it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.screening.filling import Answers, filled, put_back
from tests.trials.flagship import asked, changed

from onstudy.record.patient import Patient
from onstudy.screening.screen import Screening
from onstudy.screening.todo import todo_file


def rows(s: Screening) -> dict[str, str]:
    """What each criterion came to."""
    return {row.criterion.id: row.status for row in s.criteria}


def answered(record: Patient, answers: Answers) -> Screening:
    """Screened again with the answers, which are said to find what they name and to contradict nothing."""
    first = asked(record)
    added = put_back(record, filled(todo_file(first), answers))
    again = asked(added)
    assert [problem.what for problem in again.problems if problem not in first.problems] == []
    return again


ECG, TAP = ["ecg"], ["csf_examination"]
LACKING: list[tuple[str, list[str], list[dict[str, Any]], Answers, dict[str, str]]] = [
    ("QTcB only", ECG, [{"qtcb": "440 ms"}], {"ecg": {"qtcf": "430 ms"}}, {"S1-36": "met"}),
    ("QTcB only, unfavourable", ECG, [{"qtcb": "440 ms"}], {"ecg": {"qtcf": "520 ms"}}, {"S1-36": "not_met"}),
    # 400 ms at 60 /min: one beat a second, so QTcF is QT, 400 ms; so it is at an RR of 1000 ms.
    ("QT without a rate", ECG, [{"qt": "400 ms"}], {"ecg": {"rate": "60 /min"}}, {"S1-36": "met"}),
    ("QT without an RR", ECG, [{"qt": "400 ms"}], {"ecg": {"rr": "1000 ms"}}, {"S1-36": "met"}),
    # RR 500 ms: 450 ms over the cube root of 0.5, 0.7937, is 567 ms.
    ("QT of a fast heart", ECG, [{"qt": "450 ms"}], {"ecg": {"rate": "120 /min"}}, {"S1-36": "not_met"}),
    (
        "no cytospin",
        TAP,
        [{"wbc": "1 /uL", "rbc": "0 /uL"}],
        {"csf_examination": {"cytospin": "negative"}},
        {"S1-05": "met", "S1-06": "met"},
    ),
    (
        "no cytospin, blasts seen",
        TAP,
        [{"wbc": "7 /uL", "rbc": "0 /uL"}],
        {"csf_examination": {"cytospin": "positive"}},
        {"S1-05": "not_met"},
    ),
    (
        "no white cells",
        TAP,
        [{"cytospin": "negative", "rbc": "2 /uL"}],
        {"csf_examination": {"wbc": "3 /uL"}},
        {"S1-05": "met", "S1-06": "met"},
    ),
    (
        "no red cells",
        TAP,
        [{"wbc": "7 /uL", "cytospin": "negative"}],
        {"csf_examination": {"rbc": "0 /uL"}, "csf_pleocytosis_is_cns1": {"value": "yes"}},
        {"S1-05": "met", "S1-06": "met"},
    ),
]


@pytest.mark.parametrize("named", [{}, {"id": "X1"}, {"id": "Observation/x1"}], ids=["no id", "id", "of a bundle"])
@pytest.mark.parametrize(
    ("without", "stated", "answers", "status"), [pytest.param(*case[1:], id=case[0]) for case in LACKING]
)
def test_a_component_that_is_lacking_joins_its_composite(
    without: list[str],
    stated: list[dict[str, Any]],
    answers: Answers,
    status: dict[str, str],
    named: dict[str, str],
) -> None:
    facts = [{"kind": without[0], "on": "2026-03-12", **named, **one} for one in stated]
    again = answered(changed("BASE-1", without, facts), answers)
    assert {name: rows(again)[name] for name in status} == status
    assert len({one.id for one in again.patient.facts if one.kind == without[0]}) == 1


PARTS_OF_ONE = [
    pytest.param([{"sample": "t"}, {"sample": "t"}], id="of one sample"),
    pytest.param([{"on": "2026-03-12T08:00"}, {"on": "2026-03-12T08:00"}], id="of one moment"),
]


@pytest.mark.parametrize("how", PARTS_OF_ONE)
def test_so_it_does_where_the_composite_was_put_together(how: list[dict[str, str]]) -> None:
    counts = [
        {"kind": "csf_wbc", "id": "W", "on": "2026-03-12", "value": "1 /uL", **how[0]},
        {"kind": "csf_rbc", "id": "R", "on": "2026-03-12", "value": "0 /uL", **how[1]},
    ]
    again = answered(changed("BASE-1", TAP, counts), {"csf_examination": {"cytospin": "negative"}})
    assert (rows(again)["S1-05"], rows(again)["S1-06"]) == ("met", "met")
    assert {"W", "R"} <= {one.id for one in again.patient.facts}  # what was on record keeps its name


def test_and_of_a_result_that_stands_alone() -> None:
    alone = {"kind": "qt_interval", "on": "2026-03-12", "value": "400 ms"}
    assert rows(answered(changed("BASE-1", ECG, [alone]), {"ecg": {"rate": "60 /min"}}))["S1-36"] == "met"


def test_results_of_a_day_are_not_made_one_sample_by_an_answer_about_them() -> None:
    """Two counts of one day may be of two taps: a cytospin beside them tells of neither."""
    counts = [
        {"kind": "csf_wbc", "id": "W", "on": "2026-03-12", "value": "1 /uL"},
        {"kind": "csf_rbc", "id": "R", "on": "2026-03-12", "value": "0 /uL"},
    ]
    record = changed("BASE-1", TAP, counts)
    text = (
        f"patient: {record.id}\nfacts:\n"
        "  - {kind: csf_examination, id: csf_examination@2026-03-12, cytospin: negative}\n"
    )
    again = asked(put_back(record, text))
    assert rows(again)["S1-06"] == "unknown"


PENDING: list[tuple[str, list[str], dict[str, Any], Answers, str]] = [
    ("cytospin", TAP, {"wbc": "1 /uL", "rbc": "0 /uL", "cytospin": {"status": "pending"}},
     {"csf_cytospin": {"value": "negative"}}, "S1-05"),
    ("white cells", TAP, {"cytospin": "negative", "rbc": "2 /uL", "wbc": {"status": "pending"}},
     {"csf_wbc": {"value": "1 /uL"}}, "S1-05"),
    ("white cells without a unit", TAP, {"cytospin": "negative", "rbc": "2 /uL", "wbc": "3"},
     {"csf_wbc": {"value": "3 /uL"}}, "S1-05"),
    ("QTcF", ECG, {"qtcf": {"status": "pending"}}, {"qtcf": {"value": "430 ms"}}, "S1-36"),
    ("QTcF without a unit", ECG, {"qtcf": "430"}, {"qtcf": {"value": "430 ms"}}, "S1-36"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("without", "stated", "answers", "row"), [pytest.param(*case[1:], id=case[0]) for case in PENDING]
)
def test_a_component_that_is_pending_is_completed_and_nothing_is_said_to_be_missing(
    without: list[str], stated: dict[str, Any], answers: Answers, row: str
) -> None:
    record = changed("BASE-1", without, [{"kind": without[0], "on": "2026-03-12", **stated}])
    assert rows(answered(record, answers))[row] == "met"


def test_a_component_that_is_stated_is_kept_and_the_answer_is_said_to_differ() -> None:
    record = changed("BASE-1", ECG, [{"kind": "ecg", "id": "E1", "on": "2026-03-14", "qtcf": "430 ms"}])
    text = f"patient: {record.id}\nfacts:\n  - {{kind: ecg, id: E1, qtcf: 520 ms, rate: 60 /min}}\n"
    added = put_back(record, text)
    said = [problem.what for problem in added.problems if problem not in record.problems]
    assert said == ["E1.qtcf is on record with another value; what is recorded was kept"]
    parts = {one.id: one.shown for one in added.facts if one.id.startswith("E1.")}
    assert parts == {"E1.qtcf": "430 ms", "E1.rate": "60 /min"}


def test_a_tap_that_is_not_on_record_is_said_to_be_that_once() -> None:
    record = changed("BASE-1", TAP, [{"kind": "csf_examination", "id": "Observation/tap", "on": "2026-03-12"}])
    text = f"patient: {record.id}\nfacts:\n  - {{kind: csf_examination, id: Observation/tab, cytospin: negative}}\n"
    said = [one.what for one in put_back(record, text).problems if one not in record.problems]
    assert said == [
        "no fact of the record has the id Observation/tab; did you mean Observation/tap?; taken as a further fact"
    ]


def test_answers_to_one_tap_can_be_given_one_after_the_other() -> None:
    record = changed("BASE-1", TAP, [{"kind": "csf_examination", "on": "2026-03-12", "wbc": "7 /uL"}])
    first = put_back(record, filled(todo_file(asked(record)), {"csf_examination": {"cytospin": "negative"}}), "one")
    answers = {"csf_examination": {"rbc": "0 /uL"}, "csf_pleocytosis_is_cns1": {"value": "yes"}}
    second = put_back(first, filled(todo_file(asked(first)), answers), "two")
    assert [one.what for one in second.problems if one not in record.problems] == []
    assert rows(asked(second))["S1-05"] == "met"


def test_of_two_taps_of_a_day_each_is_asked_for_what_it_lacks_and_nothing_else() -> None:
    """The counts of one and the cytospin of the other: answered, both are whole."""
    counts = {"kind": "csf_examination", "id": "A", "on": "2026-03-12", "wbc": "1 /uL", "rbc": "0 /uL"}
    cytospin = {"kind": "csf_examination", "id": "B", "on": "2026-03-12", "cytospin": "negative"}
    record = changed("BASE-1", TAP, [counts, cytospin])
    text = todo_file(asked(record))
    assert text.count("    cytospin:") == text.count("    wbc:") == text.count("    rbc:") == 1
    again = answered(record, {"csf_examination": {"cytospin": "negative", "wbc": "2 /uL", "rbc": "1 /uL"}})
    assert (rows(again)["S1-05"], rows(again)["S1-06"]) == ("met", "met")
