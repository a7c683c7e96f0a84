"""What each example patient is there to show, worked out by hand: verdicts, what decides, and from which day.

That the folder and the package hold the same valid bundles is in test_shipped_examples.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle

from onstudy.faces.api import load_trial, read_patients, screen
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.screening.answers import with_added
from onstudy.screening.screen import Screening
from onstudy.values.calendar import show
from onstudy.values.interval import Interval

ROOT = Path(__file__).parents[2]
FOLDER, PACKAGED = ROOT / "examples", ROOT / "src/onstudy/examples"
ON, THERAPY_START = date(2026, 3, 16), "2026-03-18T09:00"
YES, NO, OPEN, CONFIRM = "eligible", "ineligible", "undetermined", "eligible_if_confirmed"

#: Verdicts of cohorts 1, 2 and 3, and the criteria that decide for the cohort in question.
EXPECTED: dict[str, tuple[tuple[str, str, str], str, list[str]]] = {
    "cohort-1-eligible": ((YES, NO, NO), "C1", []),
    "cohort-2-eligible": ((NO, YES, NO), "C2", []),
    "cohort-3-eligible": ((NO, NO, YES), "C3", []),
    "eligible-if-confirmed": ((CONFIRM, NO, NO), "C1", ["S1-17", "S1-26", "S1-27", "S1-28", "S1-30", "S1-32"]),
    "in-four-days": ((NO, NO, NO), "C2", ["C2-10"]),
    "data-missing": ((OPEN, NO, OPEN), "C1", ["S1-04", "S1-18", "S1-33", "C1-02"]),
    "cns2": ((NO, NO, NO), "C1", ["S1-05", "S1-06"]),
    "si-units": ((YES, NO, NO), "C1", []),
    "gilbert": ((YES, NO, NO), "C1", []),
    "infarction-undated": ((OPEN, NO, NO), "C1", ["S1-17"]),
    "hepatitis-b": ((YES, NO, NO), "C1", []),
    "stale-pregnancy-test": ((NO, OPEN, NO), "C2", ["S1-15"]),
}


@cache
def patient(name: str) -> Patient:
    (found,) = read_patients(FOLDER / f"{name}.json")
    return found


def screened(who: Patient, on: date = ON, therapy_start: str = THERAPY_START) -> Screening:
    return screen(load_trial("NCT03739814"), who, on, therapy_start=therapy_start)


def deciding(screening: Screening, cohort: str) -> list[str]:
    return list(screening[cohort].deciding)


def facts_of(who: Patient, kind: str) -> list[str]:
    return [fact.id for fact in who.facts if fact.kind == kind]


@pytest.mark.parametrize("name", EXPECTED)
def test_verdicts_and_what_decides(name: str) -> None:
    verdicts, cohort, criteria = EXPECTED[name]
    found = screened(patient(name))
    assert tuple(found[each].verdict for each in ("C1", "C2", "C3")) == verdicts
    assert deciding(found, cohort) == criteria


def test_these_are_all_there_are() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bundle_is_valid_fhir_read_whole_and_in_the_package(name: str) -> None:
    written = (FOLDER / f"{name}.json").read_bytes()
    assert (PACKAGED / f"{name}.json").read_bytes() == written
    document = json.loads(written)
    Bundle.model_validate(document)
    assert [] not in list(elements(document)), "FHIR knows no empty lists"
    assert {} not in list(elements(document)), "FHIR knows no empty objects"
    assert patient(name).problems == ()
    assert facts_of(patient(name), "unmapped") == []


def elements(node: object) -> Iterator[object]:
    yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from elements(part)


@pytest.mark.parametrize("name", EXPECTED)
def test_all_resources_are_of_one_person(name: str) -> None:
    resources = [entry["resource"] for entry in json.loads((FOLDER / f"{name}.json").read_text())["entry"]]
    (person,) = [resource["id"] for resource in resources if resource["resourceType"] == "Patient"]
    others = [resource for resource in resources if resource["resourceType"] != "Patient"]
    assert {resource["subject"]["reference"] for resource in others} == {f"Patient/{person}"}
    names = [f"{resource['resourceType']}/{resource['id']}" for resource in resources]
    assert len(set(names)) == len(names)


def test_the_clear_ones_wait_for_nothing() -> None:
    for name, cohort in (("cohort-1-eligible", "C1"), ("cohort-2-eligible", "C2"), ("cohort-3-eligible", "C3")):
        found = screened(patient(name))[cohort]
        assert (found.missing, found.to_do, found.to_confirm) == ((), (), ())


def test_what_is_to_confirm_is_all_that_is_open() -> None:
    found = screened(patient("eligible-if-confirmed"))["C1"]
    assert (found.missing, found.to_do) == ((), ())
    assert [question.kind for question in found.to_confirm] == [
        "angina", "cardiac_arrhythmia", "other_unstable_cardiac_disease", "neurologic_disorder", "other_malignancy",
        "ventricular_arrhythmia", "syncope", "chronic_bradycardia", "sos_vod", "deep_tissue_infection",
    ]  # fmt: skip


def test_seven_days_after_rituximab_are_over_on_the_20th() -> None:
    who = patient("in-four-days")
    assert screened(who)["C2"].earliest == date(2026, 3, 20).toordinal()
    assert screened(who, date(2026, 3, 19), "2026-03-22T09:00")["C2"].verdict == NO
    assert screened(who, date(2026, 3, 20), "2026-03-22T09:00")["C2"].verdict == YES


def test_the_answers_of_the_demonstration_complete_the_record() -> None:
    answers = ROOT / "scripts/demo-answers.yaml"
    (more,) = read_patients(answers)
    assert more.problems == ()
    who = patient("data-missing")
    found = screened(with_added(who, more, str(answers), load_catalogue()))
    assert [found[cohort].verdict for cohort in ("C1", "C2", "C3")] == [YES, NO, NO]


def test_gilbert_is_the_exception_that_lets_the_bilirubin_pass() -> None:
    who = patient("gilbert")
    without = [fact for fact in who.facts if fact.kind != "gilbert_syndrome"]
    assert len(without) == len(who.facts) - 1
    assert screened(who).criterion("S1-33").status == "met"
    alone = Patient(who.id, who.born, tuple(without), who.coverage, who.problems)
    assert deciding(screened(alone), "C1") == ["S1-33"]


def test_an_infarction_without_a_date_was_at_some_time_until_it_was_written_down() -> None:
    (fact,) = [fact for fact in patient("infarction-undated").facts if fact.kind == "myocardial_infarction"]
    assert show(fact.start) == "until 2026-03-04"


def test_si_units_say_what_the_usual_ones_would() -> None:
    """14 umol/L x 584.66 g/mol is 0.819 mg/dL; 84 umol/L x 113.12 g/mol is 0.950 mg/dL; 0.52 ukat/L is 31.2 U/L."""
    expected = {"bilirubin_total": 0.81852, "creatinine": 0.95021, "ast": 31.2, "alt": 28.2, "csf_wbc": 1.0,
                "blood_wbc": 3200.0, "blood_rbc": 3.2e6, "platelets": 61000.0, "hemoglobin": 9.2,
                "body_height": 178.0, "qt_interval": 398.0, "rr_interval": 910.0}  # fmt: skip
    who = patient("si-units")
    for kind, number in expected.items():
        (fact,) = [fact for fact in who.facts if fact.kind == kind]
        assert isinstance(fact.value, Interval)
        assert fact.value.low == pytest.approx(number, rel=1e-4), kind
