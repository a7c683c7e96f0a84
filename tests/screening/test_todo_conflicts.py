"""Results of one day that contradict each other: the file of open questions lists them, and an answer settles it."""

from __future__ import annotations

import re

import pytest
from tests.engines.asking import ask
from tests.screening.filling import put_back
from tests.trials.flagship import ON, asked, changed

from onstudy.criteria.finding import Reason
from onstudy.readers import read_patients
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.screening.answers import with_added
from onstudy.screening.todo import todo_file

LOW = {"id": "L1", "kind": "bilirubin_total", "on": "2026-03-15", "value": "1.7 mg/dL", "uln": "1.2 mg/dL"}
HIGH = {**LOW, "id": "H1", "value": "1.9 mg/dL"}


def conflicting() -> Patient:
    """Two results of one day, one on each side of 1.5 x ULN."""
    return changed("BASE-1", ["bilirubin_total", "gilbert_syndrome", "bilirubin_raised_by_leukemia"], [LOW, HIGH, *NO])


NO = [
    {"kind": kind, "value": "no", "recorded": "2026-03-15"}
    for kind in ("gilbert_syndrome", "bilirubin_raised_by_leukemia")
]


def filled(text: str, answers: dict[str, str]) -> str:
    """The file with one line of the entry of an id filled in."""
    for name, answer in answers.items():
        key, _, value = answer.partition(": ")
        text = re.sub(rf'(id: "{name}".*?\n(?:    .*\n)*?    {key}:)', rf"\1 {value}", text, count=1)
    return text


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ({"L1": "on: 2026-03-15T18:00", "H1": "on: 2026-03-15T08:00"}, "eligible"),
        ({"L1": "on: 2026-03-15T08:00", "H1": "on: 2026-03-15T18:00"}, "ineligible"),
        ({"H1": "status: entered in error"}, "eligible"),
        ({"L1": "status: entered in error"}, "ineligible"),
        ({}, "undetermined"),
    ],
)
def test_one_of_them_is_the_newest_or_was_wrong(answers: dict[str, str], verdict: str) -> None:
    record = conflicting()
    first = asked(record)
    assert first["C1"].verdict == "undetermined"
    text = todo_file(first)
    assert text.count("- kind: bilirubin_total\n    id: ") == 2
    added = put_back(record, filled(text, answers), on=ON)
    again = asked(added)
    assert again["C1"].verdict == verdict
    told = [one.what for one in again.problems if one not in first.problems]
    wrong = [answer for answer in answers.values() if answer.startswith("status")]
    assert told == ["its status is 'entered in error': that is no result"] * len(wrong)


def test_a_detail_of_the_newest_is_asked_of_each_that_may_be_it() -> None:
    results = "facts: [{0}A1, value: not detected}}, {0}A2, value: '85 [IU]/mL'}}]"
    found = ask(results.format("{kind: hbv_dna, on: 2026-03-15, id: "), "latest hbv_dna has (detected is no)")
    assert [(one.reason, one.about) for one in found.asks] == [(Reason.CONFLICT, "A1"), (Reason.CONFLICT, "A2")]


def test_an_entry_whose_value_was_left_blank_withdraws_as_well() -> None:
    record = conflicting()
    text = f"patient: {record.id}\nfacts: [{{kind: bilirubin_total, id: H1, value: , status: entered-in-error}}]\n"
    assert [fact.id for fact in put_back(record, text).facts if fact.kind == "bilirubin_total"] == ["L1"]


@pytest.mark.parametrize("name", ["X9", "T1.wbc"])
def test_what_is_not_there_or_is_a_part_is_not_withdrawn(name: str) -> None:
    tap = {"id": "T1", "kind": "csf_examination", "on": "2026-03-12", "wbc": "1 /uL", "rbc": "0 /uL",
           "cytospin": "negative"}  # fmt: skip
    record = changed("BASE-1", ["csf_examination"], [tap])
    text = f"patient: {record.id}\nfacts: [{{kind: csf_wbc, id: {name}, status: entered in error}}]\n"
    added = put_back(record, text)
    assert len(added.facts) == len(record.facts)
    assert any(f"{name} is said to be entered in error, and" in one.what for one in added.problems)


def test_a_composite_is_withdrawn_with_its_components_also_by_a_row_of_csv() -> None:
    tap = {"id": "T1", "kind": "csf_examination", "on": "2026-03-12", "wbc": "1 /uL", "rbc": "0 /uL",
           "cytospin": "negative"}  # fmt: skip
    record = changed("BASE-1", ["csf_examination"], [tap])
    rows = f"patient,kind,id,status\n{record.id},csf_examination,T1,entered in error\n"
    (more,) = read_patients("more.csv", rows.encode())
    added = with_added(record, more, "more.csv", load_catalogue())
    assert [fact.kind for fact in added.facts if fact.kind.startswith("csf")] == []
