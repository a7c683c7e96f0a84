"""What a record says inexactly is asked exactly, and an answer that lies within what is recorded takes its place."""

from __future__ import annotations

from typing import Any

import pytest
from tests.screening.filling import filled, put_back
from tests.trials.flagship import asked, changed

from onstudy.record.patient import Patient
from onstudy.screening.narrowing import apart, narrower, open_yet
from onstudy.screening.screen import Screening
from onstudy.screening.todo import todo_file
from onstudy.values.calendar import UNDATED, parse_when
from onstudy.values.interval import Interval, point

OTHER_CANCER = {
    "kind": "other_malignancy", "type": "breast", "stage": "III", "state": "complete_remission",
    "disease_free_since": "2024-03",
}  # fmt: skip
GRAFT = {"kind": "hematopoietic_transplant", "on": "2025-11", "type": "allogeneic"}
NAUSEA = {
    "kind": "toxicity", "term": "nausea", "grade": "1-2", "acute": "yes", "hematologic": "no", "from": "2026-03-01",
    "active": "yes",
}  # fmt: skip


def status(s: Screening, name: str) -> str:
    """What one criterion came to."""
    return next(row.status for row in s.criteria if row.criterion.id == name)


def narrowed(record: Patient, kind: str, key: str, value: str, name: str) -> tuple[str, list[str]]:
    """The status of a criterion with one blank filled in, and what is said of the answer."""
    first = asked(record)
    assert status(first, name) == "unknown"
    again = asked(put_back(record, filled(todo_file(first), {kind: {key: value}})))
    return status(again, name), [one.what for one in again.problems if one not in first.problems]


@pytest.mark.parametrize(
    ("base", "without", "fact", "key", "value", "name", "expected"),
    [
        # Disease-free for 2 years before 2026-03-16: since 10 March 2024 it is, since 20 March it is not.
        ("BASE-1", "other_malignancy", OTHER_CANCER, "disease_free_since", "2024-03-10", "S1-27", "met"),
        ("BASE-1", "other_malignancy", OTHER_CANCER, "disease_free_since", "2024-03-20", "S1-27", "not_met"),
        # 4 months before 2026-03-16: 16 November 2025.
        ("BASE-2", "hematopoietic_transplant", GRAFT, "on", "2025-11-10", "C2-06", "met"),
        ("BASE-2", "hematopoietic_transplant", GRAFT, "on", "2025-11-20", "C2-06", "not_met"),
        ("BASE-2", "toxicity", NAUSEA, "grade", "1", "C2-14", "met"),
        ("BASE-2", "toxicity", NAUSEA, "grade", "2", "C2-14", "not_met"),
    ],
    ids=["date, met", "date, not met", "moment, met", "moment, not met", "grade, met", "grade, not met"],
)
def test_what_is_inexact_is_asked_and_narrowed(
    base: str, without: str, fact: dict[str, Any], key: str, value: str, name: str, expected: str
) -> None:
    record = changed(base, [without], [fact], complete=["treatment", "hematopoietic_transplant", without])
    assert narrowed(record, without, key, value, name) == (expected, [])


def test_a_moment_is_never_asked_for_its_last_day() -> None:
    text = todo_file(asked(changed("BASE-2", ["hematopoietic_transplant"], [GRAFT])))
    entry = text.partition("- kind: hematopoietic_transplant")[2].partition("- kind:")[0]
    assert "    on:" in entry and "    to:" not in entry


@pytest.mark.parametrize(
    ("fact", "key", "value", "said"),
    [
        (OTHER_CANCER, "disease_free_since", "2023-12-10", ["disease_free_since"]),
        (OTHER_CANCER, "disease_free_since", "2024", []),
        (NAUSEA, "grade", "3", ["grade"]),
        (NAUSEA, "grade", "0-2", ["grade"]),
        (NAUSEA, "grade", "1-2", []),
    ],
)
def test_what_contradicts_the_record_is_refused_and_what_says_less_is_left(
    fact: dict[str, Any], key: str, value: str, said: list[str]
) -> None:
    record = changed("BASE-2", [fact["kind"]], [{**fact, "id": "X1"}])
    text = f"patient: {record.id}\nfacts:\n  - {{kind: {fact['kind']}, id: X1, {key}: {value}}}\n"
    added = put_back(record, text)
    (before,), (after,) = ([one for one in of.facts if one.id == "X1"] for of in (record, added))
    assert after.attributes[key] == before.attributes[key]
    new = [problem.what for problem in added.problems if problem not in record.problems]
    assert new == [f"X1 is on record with another {name}; what is recorded was kept" for name in said]


@pytest.mark.parametrize(
    ("recorded", "answer", "kept"),
    [("55-60 %", "57 %", False), ("> 50 %", "57 %", False), ("55-60 %", "61 %", True), ("57 %", "55-60 %", True)],
)
def test_a_result_within_the_range_on_record_takes_its_place(recorded: str, answer: str, kept: bool) -> None:
    record = changed("BASE-1", ["lvef"], [{"kind": "lvef", "id": "F1", "on": "2026-03-10", "value": recorded}])
    added = put_back(record, f"patient: {record.id}\nfacts:\n  - {{kind: lvef, id: F1, value: {answer!r}}}\n")
    (fact,) = [one for one in added.facts if one.kind == "lvef"]
    assert fact.shown == (recorded if kept else answer)
    said = [problem.what for problem in added.problems if problem not in record.problems]
    assert said == (["F1 is on record with another value; what is recorded was kept"] if kept else [])


ONE_FISH = {"kind": "bcr_abl1", "id": "F1", "on": "2026-03-04", "method": "fish"}
INEXACT: list[tuple[str, list[str], dict[str, Any], dict[str, dict[str, str]], str, str]] = [
    ("a score", ["ecog"], {"kind": "ecog", "on": "2026-03-14", "value": "2-3"},
     {"ecog": {"value": "2"}}, "S1-16", "met"),
    ("a component", ["ecg"], {"kind": "ecg", "on": "2026-03-14", "qtcf": "460-490 ms"},
     {"qtcf": {"value": "465 ms"}}, "S1-36", "met"),
    # 400 ms at 60 /min, one beat a second: QTcF is 400 ms.
    ("what is computed", ["ecg"], {"kind": "ecg", "on": "2026-03-14", "qt": "400-450 ms", "rate": "60-100 /min"},
     {"qt_interval": {"value": "400 ms"}, "ecg_heart_rate": {"value": "60 /min"}}, "S1-36", "met"),
    ("one of two words", ["pcr"], {**ONE_FISH, "value": ["positive", "negative"]},
     {"bcr_abl1": {"value": "negative"}}, "C1-02", "met"),
    ("suspected, confirmed", [], {**ONE_FISH, "value": "positive", "suspected": "yes"},
     {"bcr_abl1": {"value": "positive"}}, "C1-02", "not_met"),
    ("suspected, not confirmed", [], {**ONE_FISH, "value": "positive", "suspected": "yes"},
     {"bcr_abl1": {"value": "negative"}}, "C1-02", "met"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("without", "fact", "answers", "name", "expected"), [pytest.param(*case[1:], id=case[0]) for case in INEXACT]
)
def test_a_result_that_leaves_it_open_is_asked_by_its_id(
    without: list[str], fact: dict[str, Any], answers: dict[str, dict[str, str]], name: str, expected: str
) -> None:
    """A new result may be added as well; here that is left blank."""
    record = changed("BASE-1", without, [fact])
    first = asked(record)
    assert status(first, name) == "unknown"
    text = todo_file(first)
    by_id = "\n".join(_without_new(text.splitlines()))
    again = asked(put_back(record, filled(by_id, answers)))
    assert status(again, name) == expected
    assert [one.what for one in again.problems if one not in first.problems] == []


def _without_new(lines: list[str]) -> list[str]:
    """A file of open questions without the entries that name no record."""
    starts = [number for number, line in enumerate(lines) if line.startswith("  - kind:")]
    ends = [*starts[1:], len(lines)]
    new = [range(a, b) for a, b in zip(starts, ends, strict=True) if not lines[a + 1].startswith("    id:")]
    return [line for number, line in enumerate(lines) if not any(number in one for one in new)]


def test_two_questions_about_one_fact_have_one_entry() -> None:
    """A creatinine below 2.0 mg/dL without its limit: the limit is asked, and the value that a clearance takes.

    (140 - 70) * 70 kg / (72 * 1.5 mg/dL) = 45 mL/min, not below 40.
    """
    creatinine = {"kind": "creatinine", "id": "K1", "on": "2026-03-15", "value": "<2.0 mg/dL"}
    record = changed("BASE-1", ["creatinine"], [creatinine])
    text = todo_file(asked(record))
    assert text.count('id: "K1"') == 1
    again = asked(put_back(record, filled(text, {"creatinine": {"uln": "1.2 mg/dL", "value": "1.5 mg/dL"}})))
    assert status(again, "S1-35") == "met"
    assert [one.what for one in again.problems if one not in record.problems] == []


@pytest.mark.parametrize(
    ("stated", "answer", "shown", "detected", "said"),
    [
        # Below the limit of the assay is not detected; 50 copies would be, and are another result.
        ({"value": "<200 {copies}/mL"}, "50 {copies}/mL", "<200 {copies}/mL", "no", ["detected"]),
        ({"value": "100-200 {copies}/mL"}, "150 {copies}/mL", "150 {copies}/mL", "yes", []),
        ({"value": "<200 {copies}/mL", "suspected": "yes"}, "50 {copies}/mL", "50 {copies}/mL", "yes", []),
    ],
)
def test_a_value_goes_with_its_detection(
    stated: dict[str, str], answer: str, shown: str, detected: str, said: list[str]
) -> None:
    load = {"kind": "hiv_viral_load", "id": "V1", "on": "2026-03-10", **stated}
    record = changed("BASE-1", [], [load])
    added = put_back(record, f"patient: {record.id}\nfacts:\n  - {{kind: hiv_viral_load, id: V1, value: '{answer}'}}\n")
    (fact,) = [one for one in added.facts if one.id == "V1"]
    assert (fact.shown, fact.attributes["detected"], fact.certain) == (shown, frozenset({detected}), True)
    new = [problem.what for problem in added.problems if problem not in record.problems]
    assert new == [f"V1 is on record with another {name}; what is recorded was kept" for name in said]


TREATED = {"kind": "treatment", "id": "X1", "agent": "prednisone", "intent": "ALL", "from": "2026-03-01"}


@pytest.mark.parametrize(
    ("recorded", "answer", "end", "said"),
    [
        ("2026-03", "2026-03-12", "2026-03-12", False),
        ("2026-03-10", "2026-03-10", "2026-03-10", False),
        ("2026-03-10", "2026-03", "2026-03-10", False),
        ("2026-03-10", "2026-03-12", "2026-03-10", True),
        ("2026-03", "2026-04-02", "2026-03", True),
    ],
)
def test_an_end_that_contradicts_the_record_is_refused_aloud(recorded: str, answer: str, end: str, said: bool) -> None:
    record = changed("BASE-1", ["no-treatment"], [{**TREATED, "to": recorded}])
    added = put_back(record, f"patient: {record.id}\nfacts:\n  - {{kind: treatment, id: X1, to: {answer}}}\n")
    (fact,) = [one for one in added.facts if one.id == "X1"]
    assert str(fact.end) == end
    new = [problem.what for problem in added.problems if problem not in record.problems]
    assert new == (["X1 is on record with another end; what is recorded was kept"] if said else [])


def test_the_end_of_what_something_newer_ended_can_be_said() -> None:
    """Nausea of grade 2 from 1 March, of grade 1 from 8 March: grade 2 was over on the 7th at the latest."""
    graver = {"kind": "toxicity", "id": "X1", "term": "nausea", "grade": "2", "from": "2026-03-01", "active": "yes"}
    lesser = {**graver, "id": "X2", "grade": "1", "from": "2026-03-08"}
    record = changed("BASE-1", [], [graver, lesser])
    added = put_back(record, f"patient: {record.id}\nfacts:\n  - {{kind: toxicity, id: X1, to: 2026-03-05}}\n")
    ends = [str(one.end) for of in (record, added) for one in of.facts if one.id == "X1"]
    assert ends == ["2026-03-07", "2026-03-05"]
    assert [one for one in added.problems if one not in record.problems] == []


def test_the_end_of_a_state_is_no_entry_that_finds_nothing() -> None:
    pacemaker = {"kind": "pacemaker", "id": "Device/1", "on": "2020"}
    record = changed("BASE-1", [], [pacemaker])
    answer = "{kind: pacemaker, id: Device/1, on: 2020-05-10, to: 2026-03-10}"
    added = put_back(record, f"patient: {record.id}\nfacts:\n  - {answer}\n")
    found = [(str(one.start), one.negative) for one in added.facts if one.kind == "pacemaker"]
    assert ("2020-05-10", False) in found and len(found) == 2
    assert [one.what for one in added.problems if one not in record.problems] == []


@pytest.mark.parametrize(("key", "value", "expected"), [("uln", "2.5 mg/dL", "met"), ("value", "1.0 mg/dL", "met")])
def test_one_of_two_blanks_of_a_result_is_an_answer(key: str, value: str, expected: str) -> None:
    """Below 2.0 mg/dL with a limit of 2.5 is within the limit; 1.0 mg/dL is a clearance of 68 mL/min."""
    record = changed("BASE-1", ["creatinine"], [{"kind": "creatinine", "on": "2026-03-15", "value": "<2.0 mg/dL"}])
    assert narrowed(record, "creatinine", key, value, "S1-35") == (expected, [])


def test_that_something_was_detected_is_an_answer_without_its_number() -> None:
    pending = {"kind": "hiv_viral_load", "id": "V1", "on": "2026-03-14", "status": "pending"}
    record = changed("BASE-1", [], [pending])
    answer = "{kind: hiv_viral_load, id: V1, value: , detected: yes}"
    added = put_back(record, f"patient: {record.id}\nfacts:\n  - {answer}\n")
    (fact,) = [one for one in added.facts if one.id == "V1"]
    assert (fact.attributes["detected"], fact.value) == (frozenset({"yes"}), None)


def test_a_question_about_something_new_is_no_answer_by_its_details() -> None:
    """What is not asked by an id, or is no result, lacks its answer while that is blank, and it is said."""
    record = changed("BASE-1")
    entries = (
        "  - {kind: bilirubin_total, on: 2026-03-15, value: , uln: 1.2 mg/dL}\n"
        "  - {kind: treatment, id: T9, value: , agent: rituximab, from: 2026-03-12}\n"
    )
    added = put_back(record, f"patient: {record.id}\nfacts:\n{entries}")
    more = [fact for fact in added.facts if "facts[" in fact.source and "todo.yaml" in fact.source]
    assert {(fact.kind, fact.value, fact.lacks) for fact in more} == {
        ("bilirubin_total", None, "not_stated"),
        ("treatment", None, "not_stated"),
    }
    told = [problem.what for problem in added.problems if problem not in record.problems]
    assert len(told) == 2 and all("left blank, so it counts as not known" in what for what in told)


# Of the person --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "answer", "said", "expected"),
    [
        ("1966-03", "1966-03-10", False, "met"),  # 60 years old 6 days before registration
        ("1966-03", "1966-03-20", False, "not_met"),  # not for 4 days yet
        ("1966", "1966-03-10", False, "met"),
        ("1966-03", "1966-04-10", True, "unknown"),
        ("1966-03", "1966", False, "unknown"),
    ],
)
def test_a_date_of_birth_is_narrowed_and_never_replaced(born: str, answer: str, said: bool, expected: str) -> None:
    record = changed("BASE-1", born=born)
    first = asked(record)
    assert status(first, "C1-01") == "unknown"
    added = put_back(record, filled(todo_file(first), {"patient": {"born": answer}}))
    new = [problem.what for problem in added.problems if problem not in record.problems]
    assert new == (["born differs from the date on record, which was kept"] if said else [])
    assert status(asked(added), "C1-01") == expected


# The rule itself ----------------------------------------------------------------------------------------------


def test_narrower_is_within_and_apart_is_not() -> None:
    month, day = parse_when("2024-03"), parse_when("2024-03-10")
    assert narrower(day, month) and not narrower(month, day) and not narrower(day, day)
    assert not apart(month, day) and not apart(day, month) and apart(day, parse_when("2024-03-11"))
    assert narrower(frozenset("a"), frozenset("ab")) and not narrower(frozenset("c"), frozenset("ab"))
    assert apart(frozenset("ab"), frozenset("c")) and apart(frozenset("a"), frozenset("ab"))
    half_open = Interval(1, 2, False, True)
    assert narrower(point(1), half_open) and not narrower(point(2), half_open) and not narrower(point(1), point(1))
    assert narrower(half_open, Interval(1, 2)) and not narrower(Interval(1, 2), half_open)
    above = Interval(1, 2, True, False)
    assert narrower(point(2), above) and not narrower(point(1), above) and not narrower(Interval(1, 2), above)
    assert narrower(point(5), Interval(4, None)) and not narrower(Interval(4, None), point(5))
    assert apart(point(1), Interval(1, 2)) and not apart(Interval(1, 2), point(1)) and not apart(None, point(1))
    assert not narrower(point(1), frozenset("a")) and apart(point(1), frozenset("a"))


def test_what_is_open_yet() -> None:
    assert open_yet(UNDATED) and open_yet(parse_when("2024-03")) and not open_yet(parse_when("2024-03-10"))
    assert open_yet(Interval(1, 2)) and not open_yet(point(1)) and open_yet(None)
    assert open_yet(frozenset("ab")) and not open_yet(frozenset("a"))
