"""Diagnoses that could not be read stand beside the questions one of them may answer, in every form of the answer."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from onstudy import load_trial, read_patients, screen
from onstudy.criteria.trial import Trial
from onstudy.record.catalogue import load_catalogue
from onstudy.record.unread import may_be_among
from onstudy.screening.answers import with_added
from onstudy.screening.explain import reason_of
from onstudy.screening.report import to_text
from onstudy.screening.screen import Screening
from onstudy.screening.todo import todo_file
from onstudy.screening.unread import beside_absences, sentence, unread_diagnoses
from onstudy.screening.worksheet import worksheet

CATALOGUE = load_catalogue()
ON = date(2026, 3, 16)
FIBRILLATION = {
    "resourceType": "Condition",
    "id": "af",
    "code": {
        "coding": [
            {
                "system": "http://hl7.org/fhir/sid/icd-10-cm",
                "code": "I48.91",
                "display": "Unspecified atrial fibrillation",
            }
        ]
    },
    "onsetDateTime": "2024-02-01",
}
WORDS = {"resourceType": "Condition", "id": "w", "code": {"text": "old stroke"}, "onsetDateTime": "2020-02-01"}
APPENDIX = {
    "resourceType": "Procedure",
    "id": "p",
    "status": "completed",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "80146002"}]},
    "performedDateTime": "2019-02-01",
}
NAMED = "2 diagnoses in the record could not be read: old stroke; ICD-10-CM I48.91 Unspecified atrial fibrillation."


@pytest.fixture(scope="module")
def trial() -> Trial:
    return load_trial("NCT03739814")


def asked(trial: Trial, *resources: dict[str, Any], sex: str = "male") -> Screening:
    person = {"resourceType": "Patient", "id": "p1", "gender": sex, "birthDate": "1955-01-01"}
    about = [{**resource, "subject": {"reference": "Patient/p1"}} for resource in resources]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in (person, *about)],
    }
    (patient,) = read_patients("bundle.json", json.dumps(bundle).encode())
    return screen(trial, patient, ON)


def questions(s: Screening) -> dict[str, dict[str, Any]]:
    return {item["kind"]: item for item in json.loads(s.to_json())["cohorts"][0]["to_confirm"]}


def test_the_question_whether_there_is_none_names_what_was_not_read(trial: Trial) -> None:
    found = questions(asked(trial, FIBRILLATION, WORDS, APPENDIX))
    assert found["cardiac_arrhythmia"]["ask"].endswith(f"? {NAMED}")
    assert list(found["cardiac_arrhythmia"]) == ["kind", "criteria", "reasons", "ask"]
    assert "could not be read" not in found["treatment"]["ask"]


def test_the_text_the_worksheet_and_the_todo_file_name_them_too(trial: Trial) -> None:
    s = asked(trial, FIBRILLATION, WORDS)
    text = to_text(s)
    assert NAMED in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    assert f"# {NAMED}" in todo_file(s)
    page = worksheet(s)
    assert NAMED in page
    assert page.count('<a href="#unread">2 diagnoses not read</a>') > 3


def test_where_all_was_read_nothing_is_said_of_it(trial: Trial) -> None:
    s = asked(trial, APPENDIX)
    assert all("could not be read" not in item["ask"] for item in questions(s).values())
    assert "could not be read" not in to_text(s)
    assert 'id="unread"' not in worksheet(s)


def test_a_record_without_words_is_named_by_its_place(trial: Trial) -> None:
    s = asked(trial, {"resourceType": "Condition", "id": "blank"})
    assert unread_diagnoses(s.patient.facts, CATALOGUE) == ("Condition/blank",)


def test_what_a_diagnosis_may_be() -> None:
    kinds = CATALOGUE.kinds
    assert may_be_among(kinds["cardiac_arrhythmia"], CATALOGUE)
    assert may_be_among(kinds["gilbert_syndrome"], CATALOGUE)
    assert may_be_among(kinds["pregnancy"], CATALOGUE)
    assert may_be_among(kinds["pacemaker"], CATALOGUE)
    for name in ("treatment", "lvef", "hbsag", "csf_examination", "hct_planned", "sex", "uncontrolled_infection"):
        assert not may_be_among(kinds[name], CATALOGUE), name
    assert not may_be_among(None, CATALOGUE)


def test_many_are_counted() -> None:
    assert sentence([]) == ""
    assert sentence(["a"]) == "1 diagnosis in the record could not be read: a."
    assert sentence(list("abcdef")) == "6 diagnoses in the record could not be read: a; b; c; d and 2 more."


def test_an_assumed_absence_stands_beside_what_could_not_be_read(trial: Trial) -> None:
    """Nothing is asked any more, and the unread diagnosis may be what was taken as absent."""
    text = (
        "patient: p1\nborn: 1955-01-01\nsex: male\nfacts:\n  - {kind: atrial_fibrillation, from: 2024, active: yes}\n"
    )
    (patient,) = read_patients("p.yaml", text.encode())
    found = screen(trial, patient, on=ON, assume_complete=["all"])
    assert "1 diagnosis in the record could not be read: atrial_fibrillation." in " ".join(to_text(found).split())
    assert "1 diagnosis in the record could not be read: atrial_fibrillation." in worksheet(found)


@pytest.mark.parametrize(("declared", "said"), [("all", True), ("neurologic_disorder", True), ("treatment", False)])
def test_so_does_an_absence_that_the_record_declares(trial: Trial, declared: str, said: bool) -> None:
    """A record that calls itself complete and holds something nobody here could read; a drug is no diagnosis."""
    text = f"patient: p1\nborn: 1955-01-01\ncomplete: [{declared}]\nfacts:\n  - {{kind: seizzure, on: 2020-01-01}}\n"
    (patient,) = read_patients("p.yaml", text.encode())
    found = screen(trial, patient, on=ON)
    assert beside_absences((), found.patient, CATALOGUE) == (("seizzure",) if said else ())
    assert "could not be read: seizzure" in worksheet(found)  # beside what is asked, where nothing is declared


@pytest.mark.parametrize("assumed", [[], ["all"]])
def test_eligible_by_assumption_is_said_beside_what_could_not_be_read(trial: Trial, assumed: list[str]) -> None:
    (patient,) = read_patients("examples/eligible-if-confirmed.json")
    (more,) = read_patients(
        "p.yaml", b"patient: eligible-if-confirmed\nfacts:\n  - {kind: atrial_fibrillation, from: 2024}\n"
    )
    both = with_added(patient, more, "--add p.yaml", CATALOGUE)
    found = screen(trial, both, on=ON, therapy_start="2026-03-18T09:00", assume_complete=assumed)
    assert found["C1"].verdict == ("eligible" if assumed else "eligible_if_confirmed")
    assert "1 diagnosis in the record could not be read: atrial_fibrillation." in " ".join(to_text(found).split())


def test_an_answer_that_is_not_understood_either_leaves_the_record_as_it_was() -> None:
    (patient,) = read_patients("p.yaml", b"patient: P\nfacts:\n  - {id: a, kind: old stroke, on: 2026-01-10}\n")
    (more,) = read_patients("q.yaml", b"patient: P\nfacts:\n  - {id: a, kind: stroke of old, on: 2026-03-10}\n")
    both = with_added(patient, more, "q.yaml", CATALOGUE)
    assert [(fact.kind, fact.id, str(fact.start)) for fact in both.facts] == [("unmapped", "a", "2026-01-10")]
    assert any("different" in problem.what or "date" in problem.what for problem in both.problems)


# A "no" that is older -------------------------------------------------------------------------------------

CANCER = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C50.911"}]}
NO_CANCER = {
    "resourceType": "Observation",
    "id": "no",
    "status": "final",
    "code": {"coding": [{"system": "https://onstudy.dev/codes", "code": "other_malignancy"}]},
    "effectiveDateTime": "2025-01-10",
    "valueBoolean": False,
}
LATER = {"resourceType": "Condition", "id": "c", "code": CANCER, "onsetDateTime": "2026-02-10"}


def verified(word: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return {"verificationStatus": {"coding": [{"system": system, "code": word}]}}


@pytest.mark.parametrize(
    ("record", "over"),
    [
        (LATER, True),
        ({**LATER, "recordedDate": "2026-02-12"}, True),
        ({**LATER, "onsetDateTime": "2020-01-01", "recordedDate": "2026-02-12"}, True),
        ({**LATER, "onsetDateTime": "2020-01-01"}, False),
        ({**LATER, "onsetDateTime": "2025-01-10", "recordedDate": "2025-01-10"}, False),
        ({**LATER, "onsetDateTime": None}, False),
        ({**LATER, "onsetDateTime": None, "recordedDate": "2025-01-11"}, True),
        ({**LATER, "id": None}, True),
        (LATER | verified("provisional"), True),
        (LATER | verified("refuted"), False),
        (LATER | verified("entered-in-error"), False),
        ({**APPENDIX, "performedDateTime": "2026-02-10"}, False),
        ({**APPENDIX, "performedDateTime": "2026-02-10", "id": None}, False),
        ({**NO_CANCER, "code": CANCER, "effectiveDateTime": "2026-02-10"}, False),
    ],
    ids=(
        "begun later, begun and charted later, charted later, older, of that day, undated, only charted later, "
        "without id, provisional, refuted, in error, a procedure, a procedure without id, a result"
    ).split(", "),
)
def test_a_no_holds_until_a_diagnosis_that_nobody_could_read(trial: Trial, record: dict[str, Any], over: bool) -> None:
    s = asked(trial, NO_CANCER, {key: value for key, value in record.items() if value is not None})
    (row,) = (row for row in s.criteria if row.criterion.id == "S1-27")
    assert (row.status, row.if_confirmed) == (("unknown", "met") if over else ("met", "met"))
    if over:
        assert questions(s)["other_malignancy"]["ask"].endswith(
            "? 1 diagnosis in the record could not be read: ICD-10-CM C50.911."
        )


def test_a_later_no_has_seen_it(trial: Trial) -> None:
    again = {**NO_CANCER, "id": "again", "effectiveDateTime": "2026-02-10"}
    (row,) = (row for row in asked(trial, NO_CANCER, LATER, again).criteria if row.criterion.id == "S1-27")
    assert row.status == "met"


def stated(kind: str, day: str) -> dict[str, Any]:
    code = {"coding": [{"system": "https://onstudy.dev/codes", "code": kind}]}
    return {**NO_CANCER, "id": kind, "code": code, "effectiveDateTime": day}


def test_a_no_of_a_state_holds_until_such_a_diagnosis(trial: Trial) -> None:
    s = asked(trial, stated("pregnancy", "2026-02-09"), stated("nursing", "2026-02-10"), LATER, sex="female")
    rows = {row.criterion.id: (row.status, row.if_confirmed) for row in s.criteria}
    assert (rows["S1-13"], rows["S1-14"]) == (("unknown", "met"), ("met", "met"))
    assert questions(s)["pregnancy"]["ask"].endswith("could not be read: ICD-10-CM C50.911.")


def test_a_judgement_that_was_given_before_it_names_it(trial: Trial) -> None:
    s = asked(trial, stated("uncontrolled_infection", "2026-02-09"), LATER)
    (row,) = (row for row in s.criteria if row.criterion.id == "S1-31")
    assert row.status == "unknown"
    assert reason_of(row, CATALOGUE) == (
        "Uncontrolled infection: the judgement of 2026-02-09 may not have seen a diagnosis that could not be read, "
        "ICD-10-CM C50.911 2026-02-10"
    )
