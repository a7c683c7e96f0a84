"""Dates that are answered: what the record leaves possible is narrowed, and what it does not is refused and said."""

from __future__ import annotations

import pytest
from tests.screening.filling import put_back
from tests.trials.flagship import ON, asked, changed

from onstudy.readers.dates import write_when
from onstudy.record.ends import reopened
from onstudy.record.patient import Fact, Patient
from onstudy.screening.screen import Screening

STEROID = {"id": "X1", "kind": "treatment", "agent": "prednisone", "route": "oral", "intent": "ALL"}
GVHD = {"id": "X1", "kind": "gvhd", "grade": "II"}
WAY = "it is not used; correct the answer, or the record where it was made"


def answered(fact: dict[str, str], answer: str, base: str = "BASE-1") -> tuple[Fact, list[str], Patient]:
    """One fact with an answer to it, what is said of the answer, and the patient."""
    record = changed(base, ["no-treatment"], [fact])
    text = f"patient: {record.id}\nfacts:\n  - {{kind: {fact['kind']}, id: X1, {answer}}}\n"
    added = put_back(record, text, on=ON)
    (found,) = (one for one in added.facts if one.id == "X1")
    return reopened(found), [one.what for one in added.problems if one not in record.problems], added


def dates(fact: Fact) -> tuple[str, str]:
    end = "ongoing" if fact.ongoing else "" if fact.end is None else write_when(fact.end)
    return write_when(fact.start), end


def row(s: Screening, name: str) -> str:
    return next(one.status for one in s.criteria if one.criterion.id == name)


@pytest.mark.parametrize(
    ("stated", "answer", "expected"),
    [
        # An end that was not stated lies no earlier than the beginning.
        ("from: 2026-03-10", "to: 2026-03-12", ("2026-03-10", "2026-03-12")),
        ("from: 2026-03-10", "to: 2026-03", ("2026-03-10", "2026-03-10..2026-03-31")),
        ("from: 2026-03-10, active: yes", "to: 2026-03", ("2026-03-10", "2026-03-10..2026-03-31")),
        ("from: 2026-03-10T09:00, active: yes", "to: 2026-03-10", ("2026-03-10T09:00", "2026-03-10T09:00..2026-03-10")),
        # What overlaps leaves what both leave, whichever is the narrower.
        ("from: 2026-02-20..2026-03-10, to: 2026-03-12", "from: 2026-03", ("2026-03-01..2026-03-10", "2026-03-12")),
        ("from: 2026-03-01, to: 2026-03-05..2026-03-12", "to: 2026-03-10..", ("2026-03-01", "2026-03-10..2026-03-12")),
        ("from: 2026-03-01, to: 2026-03-12", "to: 2026-03", ("2026-03-01", "2026-03-12")),
        ("from: 2026-03, to: 2026-03-12", "from: 2026-03-02", ("2026-03-02", "2026-03-12")),
        # An end that is still not stated follows the beginning.
        ("from: 2026-03", "from: 2026-03-10", ("2026-03-10", "2026-03-10..")),
        ("from: 2026-03-10", "to: ongoing", ("2026-03-10", "ongoing")),
    ],
)
def test_an_answer_takes_what_the_record_leaves_possible(stated: str, answer: str, expected: tuple[str, str]) -> None:
    fact, said, _ = answered({**STEROID, **_keys(stated)}, answer)
    assert (dates(fact), said) == (expected, [])


@pytest.mark.parametrize(
    ("stated", "answer", "said"),
    [
        ("from: 2026-03-10, active: yes", "to: 2026-03-01", "`to` 2026-03-01 lies before its beginning, 2026-03-10"),
        ("from: 2026-03-10", "to: 2026-02", "`to` 2026-02 lies before its beginning, 2026-03-10"),
        ("from: 2026-03-10T09:00, active: yes", "to: 2026-03-10T08:00",
         "`to` 2026-03-10T08:00 lies before its beginning, 2026-03-10T09:00"),
        ("from: 2026-03, to: 2026-03-10", "from: 2026-03-20", "`from` 2026-03-20 lies after its end, 2026-03-10"),
        ("to: 2026-03-10", "from: 2026-03-20", "`from` 2026-03-20 lies after its end, 2026-03-10"),
        ("from: 2026-03-05..2026-03-10", "from: 2026-03-08, to: 2026-03-07..2026-03-09", None),
        ("from: 2026-03-10, active: yes", "to: 2026-03-01, recorded: 2026-03-16",
         "`to` 2026-03-01 lies before its beginning, 2026-03-10"),
        ("from: 2026-03-10", "from: 2026-03-01, to: 2026-03-05",
         "`to` 2026-03-05 lies before its beginning, 2026-03-10"),
        ("intent: ALL", "from: 2026-04-01", "`from` 2026-04-01 lies after 2026-03-16, and what is on record had been "
         "by then"),
    ],
)  # fmt: skip
def test_an_answer_that_leaves_nothing_possible_is_refused(stated: str, answer: str, said: str | None) -> None:
    fact, told, _ = answered({**STEROID, **_keys(stated)}, answer)
    before = answered({**STEROID, **_keys(stated)}, "intent: ALL")[0]
    own = [] if said is None else [f"X1: {said}: {WAY}"]
    assert [what for what in told if "another date" not in what or "from" not in answer] == own
    if said is not None:
        assert dates(fact) == dates(before)


def test_a_mistyped_end_makes_nobody_eligible() -> None:
    """Prednisone of ALL that goes on; with an end before its beginning nothing of it was left to count."""
    steroid = {**STEROID, "from": "2026-03-10", "active": "yes"}
    first = asked(changed("BASE-1", ["no-treatment"], [steroid]))
    again = asked(answered(steroid, "to: 2026-03-01")[2])
    assert [one.verdict for one in again.cohorts] == [one.verdict for one in first.cohorts]
    assert first["C1"].verdict == "undetermined"


def test_a_state_of_a_later_day_ends_no_earlier_than_the_disease_began() -> None:
    cancer = {
        "id": "X1", "kind": "other_malignancy", "type": "breast", "stage": "I", "from": "2026-02-10", "active": "yes",
        "state": "active", "recorded": "2026-02-20",
    }  # fmt: skip
    record = changed("BASE-1", ["other_malignancy"], [cancer])
    text = "{kind: other_malignancy, id: X1, state: complete_remission, to: 2026-01-20, recorded: 2026-03-10}"
    added = put_back(record, f"patient: {record.id}\nfacts:\n  - {text}\n", on=ON)
    told = [one.what for one in added.problems if one not in record.problems]
    assert told == [f"X1: `to` 2026-01-20 lies before its beginning, 2026-02-10: {WAY}"]


@pytest.mark.parametrize(
    ("on", "recorded", "said"),
    [("2027-01-01", "", "2026-03-16"), ("2026-03-17", "", "2026-03-16"), ("2026-03-16", "", None),
     ("2026-03-12", "2026-03-10", None)],
)  # fmt: skip
def test_what_has_been_is_not_answered_to_be_still_to_come(on: str, recorded: str, said: str | None) -> None:
    """An undated infarction: of a day after registration it would decide nothing, and the patient be eligible."""
    infarction = {"id": "X1", "kind": "myocardial_infarction"} | ({"recorded": recorded} if recorded else {})
    record = changed("BASE-1", ["myocardial_infarction"], [infarction], complete=None)
    text = f"patient: {record.id}\nfacts:\n  - {{kind: myocardial_infarction, id: X1, on: {on}}}\n"
    added = put_back(record, text, on=ON)
    told = [one.what for one in added.problems if one not in record.problems]
    if said is not None:
        assert told == [f"X1: `on` {on} lies after {said}, and what is on record had been by then: {WAY}"]
        assert row(asked(added), "S1-17") == row(asked(record), "S1-17") == "unknown"
    else:
        assert told == (["X1 is on record with another date; what is recorded was kept"] if recorded else [])


def test_a_record_that_says_no_is_not_answered_with_yes() -> None:
    record = changed("BASE-1", ["no-treatment"], [{"id": "X1", "kind": "treatment", "value": "no",
                                                   "recorded": "2026-03-14"}])  # fmt: skip
    text = f"patient: {record.id}\nfacts:\n  - {{kind: treatment, id: X1, value: yes, from: 2026-03-01}}\n"
    added = put_back(record, text, on=ON)
    told = [one.what for one in added.problems if one not in record.problems]
    assert told == ["X1 is on record with another answer; what is recorded was kept"]
    (fact,) = (one for one in added.facts if one.id == "X1")
    assert fact.negative and not fact.start.known


def _keys(stated: str) -> dict[str, str]:
    pairs = (pair.partition(": ") for pair in stated.split(", "))
    return {key: value for key, _, value in pairs}
