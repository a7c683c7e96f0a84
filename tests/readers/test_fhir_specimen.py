"""A result is one of the specimen it was measured in: the code of a blood count makes none of a spinal fluid."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.readers.build import LOINC, OWN, PATIENT, SNOMED, Json, bundle, concept, observation, read_json, resource
from tests.readers.canon import of, only, said

from onstudy.record.patient import Patient
from onstudy.values.interval import point

V2 = "http://terminology.hl7.org/CodeSystem/v2-0487"
V3 = "http://terminology.hl7.org/CodeSystem/v3-SpecimenType"
WBC, CSF_TYPE = concept(LOINC, "26464-8"), concept(SNOMED, "258450006")
EIGHT: Json = {"valueQuantity": {"value": 8, "unit": "/uL"}}
REFERRED: Json = {"specimen": {"reference": "Specimen/s"}}


def specimen(type_: Json | None, **more: object) -> Json:
    typed = {} if type_ is None else {"type": type_}
    return {**resource("Specimen", **typed), "id": "s", **more}


def count(code: str = "26464-8", **more: object) -> Json:
    return observation(concept(LOINC, code), **{**EIGHT, **more})


def kinds(patient: Patient) -> set[str]:
    return {fact.kind for fact in patient.facts} - {"sex"}


# How a source says what a result was measured in ----------------------------------------------------------

CSF_IN_FORMS: dict[str, list[Json]] = {
    "a Specimen before it": [specimen(CSF_TYPE), count(**REFERRED)],
    "a Specimen after it": [count(**REFERRED), specimen(CSF_TYPE)],
    "HL7 v2": [count(**REFERRED), specimen(concept(V2, "CSF"))],
    "HL7 v3": [count(**REFERRED), specimen(concept(V3, "CSF"))],
    "words": [count(**REFERRED), specimen({"text": "Cerebrospinal fluid, tube 1"})],
    "a local code with a word": [count(**REFERRED), specimen(concept("urn:lab", "CSF"))],
    "contained": [
        count(specimen={"reference": "#c"}, contained=[{"resourceType": "Specimen", "id": "c", "type": CSF_TYPE}])
    ],
    "in a bundle of its own": [
        count(**REFERRED),
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": specimen(CSF_TYPE)}]},
    ],
    "the display of a reference that leads nowhere": [count(specimen={"reference": "Specimen/9", "display": "CSF"})],
    "a concept where a reference belongs": [count(specimen=CSF_TYPE)],
    "a type where a reference belongs": [count(specimen={"type": {"text": "CSF"}})],
    "the sample it was taken from": [
        count(**REFERRED),
        specimen(None, parent=[{"reference": "Specimen/t"}]),
        {**specimen(CSF_TYPE), "id": "t"},
    ],
    "its report": [
        count(),
        specimen(CSF_TYPE),
        resource("DiagnosticReport", status="final", result=[{"reference": "Observation/x1"}], **REFERRED),
    ],
    "its panel": [
        count(),
        specimen(CSF_TYPE),
        {**observation({"text": "Cell count"}, hasMember=[{"reference": "Observation/x1"}], **REFERRED), "id": "p"},
    ],
    "another result of its report": [
        count(),
        {**observation(concept(LOINC, "26454-9"), valueQuantity={"value": 0, "unit": "/uL"}, **REFERRED), "id": "r"},
        specimen(CSF_TYPE),
        resource(
            "DiagnosticReport",
            status="final",
            result=[{"reference": "Observation/x1"}, {"reference": "Observation/r"}],
        ),
    ],
    "the words of its code": [count(code="26464-8") | {"code": {**WBC, "text": "WBC, CSF"}}],
    "its site": [count(bodySite={"text": "Cerebrospinal fluid"})],
    "the words of its report": [
        count(),
        resource(
            "DiagnosticReport",
            status="final",
            code={"text": "Cell count, CSF"},
            result=[{"reference": "Observation/x1"}],
        ),
    ],
}


@pytest.mark.parametrize("resources", CSF_IN_FORMS.values(), ids=CSF_IN_FORMS.keys())
def test_white_cells_of_the_spinal_fluid_under_the_code_of_blood(resources: list[Json]) -> None:
    patient = bundle(*resources)
    fact = next(fact for fact in of(patient, "csf_wbc") if fact.source == "Observation/x1")
    assert fact.value == point(8.0)
    assert not {"blood_wbc", "blood_count"} & kinds(patient)
    assert "its code is that of blood_wbc, and its specimen is cerebrospinal fluid: read as csf_wbc [kept]" in said(
        patient
    )


@pytest.mark.parametrize(
    "type_",
    [
        concept(SNOMED, "119297000"),
        concept(SNOMED, "122555007"),
        concept(SNOMED, "119364003"),
        concept(V2, "BLD"),
        concept(V2, "SER"),
        concept(V2, "PLAS"),
        concept(V3, "BLDV"),
        {"text": "Venous blood"},
        {"text": "EDTA plasma"},
        {"text": "Serum or plasma specimen (specimen)"},
        concept("urn:lab", "7", text="Blood"),
    ],
    ids=str,
)
def test_blood_serum_and_plasma_are_what_the_code_says(type_: Json) -> None:
    patient = bundle(count(**REFERRED), specimen(type_))
    assert only(patient, "blood_wbc").value == point(8.0)
    assert patient.problems == ()


@pytest.mark.parametrize(
    "more", [{}, {"specimen": {"reference": "Specimen/9"}}, {"specimen": {"identifier": {"value": "7"}}}], ids=str
)
def test_where_nobody_says_the_code_does(more: Json) -> None:
    patient = bundle(count(**more))
    assert only(patient, "blood_wbc").value == point(8.0)
    assert patient.problems == ()


# What becomes of a result of another specimen ---------------------------------------------------------------


def test_red_cells_of_the_spinal_fluid() -> None:
    assert kinds(bundle(count("26453-1", **REFERRED), specimen(CSF_TYPE))) == {"csf_rbc", "csf_examination"}


@pytest.mark.parametrize(
    ("code", "type_", "shown"),
    [
        ("34922-5", CSF_TYPE, "cerebrospinal fluid"),
        ("35050-4", CSF_TYPE, "cerebrospinal fluid"),
        ("26446-5", concept(SNOMED, "119359002"), "bone marrow"),
        ("34922-5", concept(V3, "MAR"), "bone marrow"),
        ("26464-8", concept(SNOMED, "418564007"), "pleural fluid"),
        ("6690-2", {"text": "Pleural fluid"}, "pleural fluid"),
        ("26464-8", {"text": "Ascites"}, "ascitic fluid"),
        ("789-8", concept(SNOMED, "122575003"), "urine"),
        ("2160-0", {"text": "Urine, random"}, "urine"),
        ("1975-2", concept(V2, "UR"), "urine"),
        ("751-8", {"text": "Synovial fluid"}, "synovial fluid"),
        ("20447-9", {"text": "CSF"}, "cerebrospinal fluid"),
        ("26465-5", {"text": "Whole blood"}, "blood, serum or plasma"),
        ("14017-8", {"text": "Bone marrow aspirate"}, "bone marrow"),
    ],
)
def test_a_result_of_another_specimen_is_kept_and_not_used(code: str, type_: Json, shown: str) -> None:
    unit = {"2160-0": "mg/dL", "1975-2": "mg/dL", "34922-5": "%", "26446-5": "%", "14017-8": "%"}.get(code, "/uL")
    unit = "{copies}/mL" if code == "20447-9" else unit
    patient = bundle(count(code, valueQuantity={"value": 8, "unit": unit}, **REFERRED), specimen(type_))
    assert kinds(patient) == {"unmapped"}
    assert only(patient, "unmapped").source == "Observation/x1"
    assert f"and its specimen is {shown}: kept, and not used [kept]" in said(patient)


@pytest.mark.parametrize(
    ("code", "type_"),
    [
        ("2106-3", {"text": "Urine"}),
        ("2118-8", {"text": "Serum"}),
        ("2164-2", {"text": "24 hour urine and serum"}),
    ],
)
def test_what_is_measured_in_urine_too(code: str, type_: Json) -> None:
    value: dict[str, Any] = {"valueString": "negative"}
    if code == "2164-2":
        value = {"valueQuantity": {"value": 55, "unit": "mL/min"}}
    patient = bundle(observation(concept(LOINC, code), **value, **REFERRED), specimen(type_))
    assert patient.problems == ()
    assert kinds(patient) in ({"pregnancy_test"}, {"creatinine_clearance"})


@pytest.mark.parametrize(
    ("type_", "shown"),
    [
        ({"text": "Fluid, <tube> 2"}, "'Fluid, tube 2'"),
        (concept("urn:lab", "7"), "'7'"),
        ({"text": "Blood or CSF"}, "blood, serum or plasma, cerebrospinal fluid"),
    ],
)
def test_a_specimen_that_is_not_known_leaves_the_value_unknown(type_: Json, shown: str) -> None:
    older = {**count(effectiveDateTime="2026-03-01"), "id": "x0"}
    patient = bundle(older, count(**REFERRED), count(id="x2", **REFERRED), specimen(type_))
    by_id = {fact.id: fact for fact in of(patient, "blood_wbc")}
    assert by_id["Observation/x0"].value == point(8.0)
    assert (by_id["Observation/x1"].value, by_id["Observation/x1"].lacks) == (None, "unsupported")
    what = f"whether it is a result of blood_wbc cannot be told from its specimen, {shown}: its value is not used"
    assert f"Observation/x1, and 1 more: {what} [kept]" in said(patient)


def test_a_report_of_two_specimens_does_not_say_which() -> None:
    report = resource(
        "DiagnosticReport",
        status="final",
        specimen=[{"reference": "Specimen/s"}, {"reference": "Specimen/b"}],
        result=[{"reference": "Observation/x1"}],
    )
    patient = bundle(count(), report, specimen(CSF_TYPE), {**specimen({"text": "Blood"}), "id": "b"})
    assert only(patient, "blood_wbc").lacks == "unsupported"


def test_an_awaited_report_of_another_specimen() -> None:
    report = resource("DiagnosticReport", status="registered", code=WBC, effectiveDateTime="2026-03-15", **REFERRED)
    assert {"csf_wbc", "blood_wbc"} & kinds(bundle(report, specimen(CSF_TYPE))) == {"csf_wbc"}
    assert kinds(bundle(report, specimen({"text": "Urine"}))) == {"unmapped"}
    assert only(bundle(report, specimen({"text": "Blood"})), "blood_wbc").lacks == "pending_result"


# What holds a result and takes it back ------------------------------------------------------------------------

IN_ERROR, REFERRING = {"status": "entered-in-error"}, {"result": [{"reference": "Observation/x1"}]}
BLOOD: Json = {"text": "Blood"}
TAKEN_BACK: dict[str, tuple[list[Json], str]] = {
    "report": (
        [resource("DiagnosticReport", **IN_ERROR, **REFERRING)],
        "the report it is listed in was entered in error",
    ),
    "panel": (
        [{**observation({"text": "x"}, hasMember=REFERRING["result"], **IN_ERROR), "id": "p"}],
        "the panel it is listed in was entered in error",
    ),
    "specimen": ([specimen(BLOOD, status="unsatisfactory")], "the status of its specimen is unsatisfactory"),
    "specimen in error": ([specimen(BLOOD, **IN_ERROR)], "the status of its specimen is entered-in-error"),
    "specimen of the report": (
        [
            resource("DiagnosticReport", status="final", specimen=[{"reference": "Specimen/t"}], **REFERRING),
            {**specimen(BLOOD, status="unsatisfactory"), "id": "t"},
        ],
        "the status of its specimen is unsatisfactory",
    ),
}


@pytest.mark.parametrize(("others", "why"), TAKEN_BACK.values(), ids=TAKEN_BACK.keys())
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_a_result_that_what_holds_it_takes_back(others: list[Json], why: str, first: bool) -> None:
    result = count(**(REFERRED if others[0].get("id") == "s" else {}))
    patient = bundle(*([*others, result] if first else [result, *others]))
    assert (only(patient, "blood_wbc").value, only(patient, "blood_wbc").lacks) == (None, "unsupported")
    assert f"Observation/x1: {why}: its value is not used [kept]" in said(patient)


@pytest.mark.parametrize(
    "others",
    [
        [resource("DiagnosticReport", status="cancelled", **REFERRING)],
        [
            {**resource("DiagnosticReport", **IN_ERROR, **REFERRING), "id": "d1"},
            {**resource("DiagnosticReport", status="corrected", **REFERRING), "id": "d2"},
        ],
        [specimen(BLOOD, status="unavailable")],
        [specimen(BLOOD), {**specimen(BLOOD, status="unsatisfactory"), "id": "t"}],
    ],
    ids=["cancelled", "another report has it", "used up", "another specimen"],
)
def test_a_result_that_stands(others: list[Json]) -> None:
    assert only(bundle(count(**REFERRED), *others), "blood_wbc").value == point(8.0)


def test_a_no_of_a_report_in_error_is_none() -> None:
    said_no = observation(concept(OWN, "gilbert_syndrome"), valueBoolean=False)
    assert only(bundle(said_no), "gilbert_syndrome").negative
    patient = bundle(said_no, resource("DiagnosticReport", **IN_ERROR, **REFERRING))
    assert kinds(patient) == set()
    said_yes = observation(concept(OWN, "gilbert_syndrome"), valueBoolean=True)
    patient = bundle(said_yes, resource("DiagnosticReport", **IN_ERROR, **REFERRING))
    assert only(patient, "gilbert_syndrome").lacks == "unsupported"


# Components -------------------------------------------------------------------------------------------------


def panel(code: Json, *codes: str, **more: object) -> Json:
    parts = [{"code": concept(LOINC, part), "valueQuantity": {"value": 8, "unit": "/uL"}} for part in codes]
    return observation(code, component=parts, **more)


def test_the_components_of_a_panel_have_its_specimen() -> None:
    patient = bundle(panel({"text": "Cell count"}, "26464-8", "26453-1", "751-8", **REFERRED), specimen(CSF_TYPE))
    assert only(patient, "csf_examination").parts.keys() == {"wbc", "rbc"}
    assert not {"blood_wbc", "blood_rbc", "neutrophils", "blood_count"} & kinds(patient)


def test_a_blood_count_of_spinal_fluid_is_none() -> None:
    patient = bundle(panel(concept(OWN, "blood_count"), "26464-8", **REFERRED), specimen(CSF_TYPE))
    assert {"csf_wbc", "blood_count", "blood_wbc"} & kinds(patient) == {"csf_wbc"}


def test_an_examination_of_the_spinal_fluid_says_what_its_components_are_of() -> None:
    patient = bundle(panel(concept(OWN, "csf_examination"), "26464-8", "26454-9"))
    parts = only(patient, "csf_examination").parts
    assert {name: part.kind for name, part in parts.items()} == {"wbc": "csf_wbc", "rbc": "csf_rbc"}
    assert "its code is that of blood_wbc: read as csf_wbc [kept]" in said(patient)


def test_the_tap_of_the_reference_stays_beside_the_blood_of_the_day_before() -> None:
    """The second line of the Steinherz/Bleyer table: 8 and 600 cells in the fluid, 40,000 and 3,500,000 in blood."""
    documents = [
        PATIENT,
        specimen(CSF_TYPE),
        {**count(**REFERRED), "id": "w"},
        {**count("26454-9", valueQuantity={"value": 600, "unit": "/uL"}, **REFERRED), "id": "r"},
        {**count("6690-2", valueQuantity={"value": 40, "unit": "10*3/uL"}, effectiveDateTime="2026-03-14"), "id": "bw"},
        {**count("789-8", valueQuantity={"value": 3.5, "unit": "10*6/uL"}, effectiveDateTime="2026-03-14"), "id": "br"},
    ]
    patient = read_json(json.loads(json.dumps(documents)))
    tap, blood = only(patient, "csf_examination"), only(patient, "blood_count")
    assert {name: part.value for name, part in tap.parts.items()} == {"wbc": point(8.0), "rbc": point(600.0)}
    assert {name: part.value for name, part in blood.parts.items()} == {"wbc": point(4e4), "rbc": point(3.5e6)}
