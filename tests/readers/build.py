"""FHIR resources for tests, in few words, and the one patient they are read to."""

from __future__ import annotations

import json
from typing import Any

from onstudy.readers import read_patients
from onstudy.record.patient import Fact, Patient
from onstudy.values.calendar import parse_when, show

LOINC, SNOMED, ICD = "http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM, ATC = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://www.whocc.no/atc"
OWN, UCUM = "https://onstudy.dev/codes", "http://unitsofmeasure.org"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
Json = dict[str, Any]

PATIENT: Json = {"resourceType": "Patient", "id": "p1", "birthDate": "1955-06-20", "gender": "male"}


def concept(system: str, code: str, **more: object) -> Json:
    return {"coding": [{"system": system, "code": code}], **more}


def bundle(*resources: Json, patient: Json | None = None, kind: str = "collection") -> Patient:
    entries = [{"resource": patient or PATIENT}, *({"resource": resource} for resource in resources)]
    return read_json({"resourceType": "Bundle", "type": kind, "entry": entries})


def read_json(document: object) -> Patient:
    (patient,) = read_patients("b.json", json.dumps(document).encode())
    return patient


def resource(type_: str, **more: object) -> Json:
    return {"resourceType": type_, "id": "x1", "subject": {"reference": "Patient/p1"}, **more}


def observation(code: Json, **more: object) -> Json:
    return resource("Observation", **{"status": "final", "code": code, "effectiveDateTime": "2026-03-15", **more})


BILIRUBIN = concept(LOINC, "1975-2")
MG_DL: Json = {"value": 1.8, "unit": "mg/dL", "system": UCUM, "code": "mg/dL"}
ACTIVE = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")
RESOLVED = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved")
STATEMENT, REQUEST, GIVEN = "MedicationStatement", "MedicationRequest", "MedicationAdministration"


def condition(code: Json, **more: object) -> Json:
    return resource("Condition", code=code, **more)


def verified(code: str) -> Json:
    return concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", code)


def drug(type_: str, **more: object) -> Json:
    return resource(type_, **{"medicationCodeableConcept": concept(RXNORM, "121191"), **more})


def shown(fact: Fact) -> tuple[str, str | None, bool]:
    return show(fact.start), None if fact.end is None else show(fact.end), fact.ongoing


def parse_day(text: str) -> int | None:
    return parse_when(text).day
