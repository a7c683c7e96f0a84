"""Real bundles of other projects, the damaged ones too: each is read, or refused in one clear line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.readers.canon import CATALOGUE, canon, of, read, said

from onstudy.errors import InvalidFile
from onstudy.readers import read_patients
from onstudy.readers.fhir_write import to_bundle


def test_every_synthea_patient(shared: Path) -> None:
    paths = sorted((shared / "data/fhir_synthea_r4").glob("*.json.gz"))
    people = [path for path in paths if "Information" not in path.name]
    assert len(people) >= 30
    for path in people:
        (patient,) = read_patients(path)
        assert of(patient, "body_weight") or of(patient, "unmapped")
        assert all(fact.source for fact in patient.facts)
        assert canon(read(json.dumps(to_bundle(patient, CATALOGUE)), "b.json")) == canon(patient)
    for path in set(paths) - set(people):
        with pytest.raises(InvalidFile, match="holds no Patient"):
            read_patients(path)


def test_what_is_in_one_synthea_patient(shared: Path) -> None:
    (path,) = (shared / "data/fhir_synthea_r4").glob("Andy_Schaden*")
    (patient,) = read_patients(path)
    assert len(of(patient, "creatinine")) == len(of(patient, "creatinine_clearance")) == 10
    assert len(of(patient, "stroke")) == 1
    counts = of(patient, "blood_count")
    assert counts
    assert all({"wbc", "rbc", "hemoglobin", "platelets"} <= set(count.parts) for count in counts)
    assert "is not in the catalogue" in said(patient)


def test_every_mcode_file(shared: Path) -> None:
    read_ones = {}
    for path in sorted((shared / "data/fhir_mcode").glob("*.json")):
        try:
            patients = read_patients(path)
        except InvalidFile as error:
            assert str(error).startswith(f"{path}: holds no Patient")
        else:
            read_ones[path.name] = patients
    assert len(read_ones) >= 10


def test_a_damaged_mcode_bundle(shared: Path) -> None:
    name = "clinical-trial-matching-service__patient_data_missing_birthdate_invalid_ecog_karnofsky.json"
    (patient,) = read_patients(shared / "data/fhir_mcode" / name)
    assert not patient.born.known
    assert "has no birth date" in said(patient)
    assert "Observation/mCODEECOGPerformanceStatusExample: its subject is no patient of this source" in said(patient)


def test_an_mcode_patient(shared: Path) -> None:
    (patient,) = read_patients(shared / "data/fhir_mcode/clinical-trial-matching-app__TrialMatching_Patient01.json")
    assert len(of(patient, "ecog")) == 1
    assert len(of(patient, "unmapped")) >= 10


def test_bulk_export(shared: Path) -> None:
    folder = shared / "data/fhir_bulk_ndjson"
    assert len(read_patients(folder / "Patient.ndjson.gz")) == 100
    for name in ("Condition.ndjson.gz", "Encounter.ndjson.gz"):
        with pytest.raises(InvalidFile, match="holds no Patient"):
            read_patients(folder / name)
