"""An unknown `modifierExtension`: the resource is there, and whether and how it holds is not known.

FHIR R4, extensibility.html#modifierExtension: "applications SHALL NOT process" what one they do not understand stands
in as if it were absent.
"""

from __future__ import annotations

import pytest
from tests.readers.build import (
    ICD,
    LOINC,
    MG_DL,
    OWN,
    RXNORM,
    STATEMENT,
    Json,
    bundle,
    concept,
    condition,
    drug,
    observation,
)
from tests.readers.canon import only

UNHEARD_OF: Json = {"modifierExtension": [{"url": "https://example.org/not-this-patient", "valueBoolean": True}]}
BILIRUBIN = concept(LOINC, "1975-2")
HIV = concept(ICD, "B20")
COMPONENT: Json = {"code": BILIRUBIN, "valueQuantity": MG_DL, **UNHEARD_OF}
TOLD = "has a modifierExtension, which is not known here: what it says is not certain"


@pytest.mark.parametrize(
    "result",
    [
        observation(BILIRUBIN, valueQuantity=MG_DL, referenceRange=[{"high": MG_DL}], **UNHEARD_OF),
        observation(BILIRUBIN, valueQuantity=MG_DL, referenceRange=[{"high": MG_DL, **UNHEARD_OF}]),
        observation(concept(LOINC, "24325-3"), component=[COMPONENT]),
    ],
    ids=["of the result", "of its range", "of a component"],
)
def test_a_result_without_its_value(result: Json) -> None:
    patient = bundle(result)
    fact = only(patient, "bilirubin_total")
    assert (fact.value, fact.lacks, fact.uln) == (None, "unsupported", None)
    assert [problem.what for problem in patient.problems] == [TOLD]


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (condition(HIV, recordedDate="2026-03-01", **UNHEARD_OF), "hiv_infection"),
        (observation(concept(OWN, "hiv_infection"), valueBoolean=False, **UNHEARD_OF), "hiv_infection"),
        (observation(concept(OWN, "treatment"), valueBoolean=False, **UNHEARD_OF), "treatment"),
        (drug(STATEMENT, status="active", **UNHEARD_OF), "treatment"),
        (drug(STATEMENT, status="active", dosage=[{"text": "daily", **UNHEARD_OF}]), "treatment"),
    ],
    ids=["diagnosis", "no", "no drug", "drug", "dosage"],
)
def test_what_may_be_there(record: Json, kind: str) -> None:
    patient = bundle(record)
    fact = only(patient, kind)
    assert (fact.negative, fact.lacks) == (False, "unsupported")
    assert TOLD in [problem.what for problem in patient.problems]


def test_a_composite_may_not_be_there_as_a_whole() -> None:
    """Its parts are without value, and whether there was such a reading is open as well."""
    systolic = {"code": concept(LOINC, "8480-6"), "valueQuantity": {"value": 120, "unit": "mm[Hg]"}}
    reading = observation(concept(LOINC, "85354-9"), component=[systolic], **UNHEARD_OF)
    patient = bundle(reading)
    assert only(patient, "blood_pressure").lacks == "unsupported"
    assert (only(patient, "systolic_blood_pressure").value, only(patient, "blood_pressure").negative) == (None, False)


def test_a_drug_that_is_named_by_reference() -> None:
    medication = {"resourceType": "Medication", "id": "m", "code": concept(RXNORM, "121191"), **UNHEARD_OF}
    taken = drug(STATEMENT, status="active", medicationReference={"reference": "Medication/m"})
    del taken["medicationCodeableConcept"]
    assert only(bundle(taken, medication), "treatment").lacks == "unsupported"


@pytest.mark.parametrize("empty", [[], None, "x"])
def test_an_element_without_content_says_nothing(empty: object) -> None:
    fact = only(bundle(observation(BILIRUBIN, valueQuantity=MG_DL, modifierExtension=empty)), "bilirubin_total")
    assert fact.value is not None


def test_of_the_patient_it_is_told() -> None:
    patient = bundle(
        patient={"resourceType": "Patient", "id": "p", "birthDate": "1955", "gender": "male", **UNHEARD_OF}
    )
    (problem,) = patient.problems
    assert "modifierExtension" in problem.what
