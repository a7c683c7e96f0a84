"""What a Patient resource says that must be looked at before any verdict; screening and building say the same."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.population.test_omop_build import built, patients_of
from tests.readers.build import read_json

from onstudy import load_trial, screen
from onstudy.readers import read_patients
from onstudy.readers.fhir_write import to_bundle
from onstudy.readers.patientfile_write import to_patient_file
from onstudy.screening.report import to_text
from onstudy.screening.worksheet import worksheet

DEAD = "the patient is recorded as deceased: check this before anything else"
TOLD = "The patient is recorded as deceased: check this before anything else."
MADE_UP = "the record is marked as test data: it is of no real patient"
BORN_AS = "gender and sex at birth differ: sex is not known, check both"


def at_birth(code: str) -> dict[str, Any]:
    url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex"
    return {"extension": [{"url": url, "valueCode": code}]}


def labelled(key: str, code: str, system: str = "http://terminology.hl7.org/CodeSystem/v3-ActReason") -> dict[str, Any]:
    """A resource with a label, beside another one that says nothing here."""
    other = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    return {"meta": {"lastUpdated": "2026-01-01T00:00:00Z", key: [other, {"system": system, "code": code}]}}


SAID: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"deceasedBoolean": False}, []),
    ({"deceasedBoolean": True}, [DEAD]),
    ({"deceasedDateTime": "2026-01-01"}, [DEAD]),
    ({"deceasedDateTime": "2019"}, [DEAD]),
    ({"deceasedDateTime": "2024-02-29T10:15:00-05:00"}, [DEAD]),
    (at_birth("F"), []),
    (at_birth("UNK"), []),
    (at_birth("M"), [BORN_AS]),
    ({"deceasedBoolean": True, **at_birth("M")}, [DEAD, BORN_AS]),
    (labelled("security", "HTEST"), [MADE_UP]),
    (labelled("tag", "HTEST"), [MADE_UP]),
    (labelled("security", "TREAT"), []),
    (labelled("tag", "HTEST", "http://example.org/wards"), []),
    ({"meta": {"security": {"code": "HTEST"}, "tag": "HTEST"}}, []),
    ({**labelled("tag", "HTEST"), "deceasedBoolean": True}, [DEAD, MADE_UP]),
]


def patient(number: int, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        "gender": "female",
        "birthDate": f"1960-03-{number % 28 + 1:02}",
    } | more


@pytest.mark.parametrize(("more", "said"), SAID)
def test_a_death_and_another_sex_at_birth_are_told(more: dict[str, Any], said: list[str]) -> None:
    assert [problem.what for problem in read_json(patient(1, more)).problems] == said


def test_they_are_told_of_a_store_too(tmp_path: Path) -> None:
    """Of each layout four patients, so that they are read together."""
    people = [patient(number, more) for number, (more, _) in enumerate(SAID * 2)]
    people += [one | {"id": f"q{number}"} for number, one in enumerate(people)]
    (tmp_path / "Patient.ndjson").write_text("".join(json.dumps(one) + "\n" for one in people))
    built(tmp_path / "Patient.ndjson", tmp_path / "store")
    found = patients_of(tmp_path / "store")
    for number, (_, said) in enumerate(SAID * 2):
        for sort in "pq":
            assert [problem.what for problem in found[f"{sort}{number}"].problems] == said


def test_a_label_with_escaped_letters_is_the_label(tmp_path: Path) -> None:
    text = json.dumps(patient(1, labelled("security", "HTEST"))).replace("HTEST", r"\u0048TEST")
    (tmp_path / "Patient.ndjson").write_text(text + "\n")
    built(tmp_path / "Patient.ndjson", tmp_path / "store")
    (found,) = patients_of(tmp_path / "store").values()
    assert [problem.what for problem in found.problems] == [MADE_UP]


def test_what_else_is_labelled_says_nothing_of_the_patient(tmp_path: Path) -> None:
    """Among real records there may be a result of a laboratory's test run; nothing here decides what it is worth."""
    result = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "1975-2"}]},
        "effectiveDateTime": "2026-01-01",
        "valueQuantity": {"value": 1.0, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"},
        **labelled("security", "HTEST"),
    }
    source = tmp_path / "all.ndjson"
    source.write_text("".join(json.dumps(one) + "\n" for one in (patient(1, {}), result)))
    built(source, tmp_path / "store")
    for found in (*read_patients(source), *patients_of(tmp_path / "store").values()):
        assert MADE_UP not in [problem.what for problem in found.problems]
        assert any(fact.kind == "bilirubin_total" for fact in found.facts)


@pytest.mark.parametrize("marked", [True, False])
def test_test_data_is_told_before_the_verdicts_and_kept_in_every_format(marked: bool) -> None:
    record = read_json(patient(1, labelled("security", "HTEST" if marked else "TREAT")))
    for again in (record, read_json(to_bundle(record)), *read_patients("p.yaml", to_patient_file(record).encode())):
        assert [problem.what for problem in again.problems] == [MADE_UP] * marked
        s = screen(load_trial("NCT03739814"), again, date(2026, 3, 16))
        assert ("The record is marked as test data" in to_text(s).partition("\n\n")[0]) is marked
        page = worksheet(s)
        assert ("Test data" in page) is marked
        assert not marked or page.index("Test data") < page.index('class="cards"')


@pytest.mark.parametrize(("said", "told"), [("yes", [MADE_UP]), ("no", []), ("perhaps", ["test_data is yes or no"])])
def test_a_patient_file_may_say_that_it_is_made_up(said: str, told: list[str]) -> None:
    (found,) = read_patients("p.yaml", f"patient: p\nborn: 1960\ntest_data: {said}\n".encode())
    assert [problem.what for problem in found.problems] == told


@pytest.mark.parametrize("dead", [True, False])
def test_a_death_is_told_before_the_verdicts(dead: bool) -> None:
    s = screen(load_trial("NCT03739814"), read_json(patient(1, {"deceasedBoolean": dead})), date(2026, 3, 16))
    assert (TOLD in " ".join(to_text(s).partition("\n\n")[0].split())) is dead
    page = worksheet(s)
    assert ("Death on record" in page) is dead
    assert not dead or page.index("Death on record") < page.index('class="cards"')
