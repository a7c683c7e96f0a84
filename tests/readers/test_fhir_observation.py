"""Observation: results, limits, detection, what belongs to one sample, attestations."""

from __future__ import annotations

import json

import pytest
from tests.readers.build import (
    BILIRUBIN,
    INTERPRETATION,
    LOINC,
    MG_DL,
    OWN,
    PATIENT,
    SNOMED,
    Json,
    bundle,
    concept,
    observation,
    resource,
)
from tests.readers.canon import of, only, said

from onstudy.readers import read_patients
from onstudy.values.calendar import show
from onstudy.values.interval import Interval, point


def test_a_result_with_unit_and_limits() -> None:
    fact = only(
        bundle(
            observation(
                BILIRUBIN,
                valueQuantity=MG_DL,
                referenceRange=[{"low": {"value": 3.42, "unit": "umol/L"}, "high": {"value": 1.2}}],
            )
        ),
        "bilirubin_total",
    )
    assert (fact.value, fact.uln, fact.shown, fact.source) == (point(1.8), point(1.2), "1.8 mg/dL", "Observation/x1")
    assert fact.lln is not None
    assert fact.lln.low == pytest.approx(0.2, abs=1e-4)


@pytest.mark.parametrize(
    ("value", "expected", "lacks"),
    [
        ({"valueQuantity": {**MG_DL, "comparator": "<"}}, Interval(None, 1.8, high_open=True), None),
        ({"valueQuantity": {**MG_DL, "comparator": ">="}}, Interval(1.8, None), None),
        ({"valueQuantity": {"value": 1.8}}, None, "no_unit_or_limit"),
        ({"valueQuantity": {"value": 1.8, "unit": "kg"}}, None, "no_unit_or_limit"),
        ({"valueQuantity": {"value": "1.8", "unit": "mg/dL"}}, None, "imprecise_value"),
        ({"valueQuantity": {**MG_DL, "comparator": "ad"}}, None, "imprecise_value"),
        ({"valueQuantity": {"unit": "mg/dL"}}, None, "not_stated"),
        ({"valueString": "<1.8 mg/dL"}, Interval(None, 1.8, high_open=True), None),
        ({"valueString": "see comment"}, None, "imprecise_value"),
        ({"valueRange": {"low": {"value": 1.7, "unit": "mg/dL"}, "high": {"value": 1.9}}}, Interval(1.7, 1.9), None),
        ({"valueRange": {"low": {"value": 1.9, "unit": "mg/dL"}, "high": {"value": 1.7}}}, None, "imprecise_value"),
        ({"valueSampledData": {"origin": MG_DL}}, None, "unsupported"),
        ({"valueBoolean": True}, None, "unsupported"),
        ({}, None, "not_stated"),
    ],
)
def test_values_of_a_quantity(value: Json, expected: object, lacks: str | None) -> None:
    patient = bundle(observation(BILIRUBIN, **value))
    fact = only(patient, "bilirubin_total")
    assert (fact.value, fact.lacks) == (expected, lacks)
    assert bool(patient.problems) == (lacks is not None)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
def test_numbers_that_are_none(number: str) -> None:
    text = json.dumps(
        {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [
                {"resource": PATIENT},
                {"resource": observation(BILIRUBIN, valueQuantity={**MG_DL, "value": "HERE"})},
            ],
        }
    ).replace('"HERE"', number)
    (patient,) = read_patients("b.json", text.encode())
    assert only(patient, "bilirubin_total").lacks == "imprecise_value"
    assert number[:9] not in said(patient)


HBSAG = concept(LOINC, "5195-3")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"valueCodeableConcept": concept(OWN, "negative")}, {"negative"}),
        ({"valueCodeableConcept": concept(INTERPRETATION, "POS")}, {"positive"}),
        ({"valueCodeableConcept": {"text": "Not detected"}}, {"negative"}),
        ({"valueCodeableConcept": concept(SNOMED, "1", text="Reactive")}, {"positive"}),
        ({"valueString": "NEGATIVE"}, {"negative"}),
        ({"valueBoolean": True}, {"positive"}),
        ({"interpretation": [concept(INTERPRETATION, "ND")]}, {"negative"}),
        ({"interpretation": [concept("http://terminology.hl7.org/CodeSystem/v2-0078", "NEG")]}, {"negative"}),
        (
            {"valueQuantity": {"value": 0.1, "unit": "{index}"}, "interpretation": [concept(INTERPRETATION, "NEG")]},
            {"negative"},
        ),
        ({"valueString": "negative", "interpretation": [concept(INTERPRETATION, "POS")]}, None),
        ({"valueString": "borderline"}, None),
        ({"valueCodeableConcept": concept(OWN, "purple")}, None),
        ({"valueCodeableConcept": concept(LOINC, "negative")}, None),
    ],
)
def test_values_that_are_codes(more: Json, expected: set[str] | None) -> None:
    fact = only(bundle(observation(HBSAG, **more)), "hbsag")
    assert fact.value == (None if expected is None else frozenset(expected))
    assert (fact.lacks is None) == (expected is not None)


@pytest.mark.parametrize(
    ("more", "detected"),
    [
        ({"valueQuantity": {"value": 20, "comparator": "<", "unit": "[IU]/mL"}}, "no"),
        ({"valueQuantity": {"value": 240, "unit": "[IU]/mL"}}, "yes"),
        ({"valueQuantity": {"value": 240, "unit": "{copies}/mL"}}, "yes"),
        ({"valueString": "Not detected"}, "no"),
        ({"valueString": "<20 copies/mL"}, "no"),
        ({"valueCodeableConcept": concept(INTERPRETATION, "ND")}, "no"),
        ({"valueBoolean": False}, "no"),
        ({"interpretation": [concept(INTERPRETATION, "DET")]}, "yes"),
    ],
)
def test_detection_of_a_virus(more: Json, detected: str) -> None:
    fact = only(bundle(observation(concept(LOINC, "42595-9"), **more)), "hbv_dna")
    assert fact.attributes["detected"] == frozenset({detected})


def test_counts_and_classes() -> None:
    patient = bundle(
        observation(concept(LOINC, "89247-1"), valueInteger=1),
        observation(concept(LOINC, "89247-1"), id="x2", valueQuantity={"value": 2, "unit": "{score}"}),
        observation(concept(LOINC, "88020-3"), id="x3", valueCodeableConcept=concept(SNOMED, "421704003")),
        observation(concept(LOINC, "88020-3"), id="x4", valueInteger=3),
    )
    assert [fact.value for fact in of(patient, "ecog")] == [point(1.0), point(2.0)]
    assert [fact.value for fact in of(patient, "nyha_class")] == [frozenset({"II"}), frozenset({"III"})]


@pytest.mark.parametrize(
    ("status", "reason", "kept", "lacks"),
    [
        ("registered", None, True, "pending_result"),
        ("preliminary", None, True, "pending_result"),
        ("final", "temp-unknown", True, "pending_result"),
        ("final", "unknown", True, "not_stated"),
        ("final", "not-performed", False, None),
        ("final", "error", False, None),
        ("cancelled", None, False, None),
        ("entered-in-error", None, False, None),
    ],
)
def test_results_that_are_not_there(status: str, reason: str | None, kept: bool, lacks: str | None) -> None:
    absent = (
        {"dataAbsentReason": concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", reason)}
        if reason
        else {}
    )
    patient = bundle(observation(BILIRUBIN, status=status, **absent))
    found = of(patient, "bilirubin_total")
    assert [fact.lacks for fact in found] == ([lacks] if kept else [])
    assert kept or "Observation/x1" in said(patient)


def test_a_preliminary_value_counts_and_one_with_an_unknown_status_does_not() -> None:
    assert only(
        bundle(observation(BILIRUBIN, status="preliminary", valueQuantity=MG_DL)), "bilirubin_total"
    ).value == point(1.8)
    strange = bundle(observation(BILIRUBIN, status="example-status", valueQuantity=MG_DL))
    assert only(strange, "bilirubin_total").value is None
    assert "has a status that is not known" in said(strange)


@pytest.mark.parametrize(
    ("ranges", "uln"),
    [
        ([{"high": {"value": 1.2, "unit": "mg/dL"}}, {"high": {"value": 1.2, "unit": "mg/dL"}}], 1.2),
        ([{"high": {"value": 1.2, "unit": "mg/dL"}}, {"high": {"value": 1.4, "unit": "mg/dL"}}], None),
        ([{"high": {"value": 5.0, "unit": "mg/dL"}, "type": concept("s", "treatment")}, {"high": {"value": 1.2}}], 1.2),
        ([{"text": "0.2-1.2 mg/dL"}], 1.2),
        ([{"text": "<1.2"}], 1.2),
        ([{"text": "see report"}], None),
        ([{"high": {"value": 1.2, "unit": "kg"}}], None),
    ],
)
def test_limits_of_normal(ranges: list[Json], uln: float | None) -> None:
    fact = only(bundle(observation(BILIRUBIN, valueQuantity=MG_DL, referenceRange=ranges)), "bilirubin_total")
    assert fact.value == point(1.8)
    assert fact.uln == (None if uln is None else point(uln))


# What belongs together -----------------------------------------------------------------------------------------------


def test_components_of_the_projects_own_composite() -> None:
    tap = observation(
        concept(OWN, "csf_examination"),
        component=[
            {"code": concept(LOINC, "26465-5"), "valueQuantity": {"value": 1, "unit": "/uL"}},
            {"code": concept(OWN, "csf_cytospin"), "valueCodeableConcept": concept(OWN, "negative")},
            {"code": concept(OWN, "csf_flow"), "dataAbsentReason": concept(OWN, "pending_result")},
            {"code": concept(LOINC, "9999-9")},
        ],
    )
    patient = bundle(tap)
    parts = only(patient, "csf_examination").parts
    assert {name: part.value for name, part in parts.items()} == {
        "wbc": point(1.0),
        "cytospin": frozenset({"negative"}),
        "flow": None,
    }
    assert "9999-9" in said(patient)


@pytest.mark.parametrize("how", ["component", "report", "panel", "specimen", "time"])
def test_results_of_one_sample(how: str) -> None:
    wbc = observation(concept(LOINC, "6690-2"), id="w", valueQuantity={"value": 25, "unit": "10*3/uL"})
    pct = observation(concept(LOINC, "34922-5"), id="l", valueQuantity={"value": 40, "unit": "%"})
    other = observation(concept(LOINC, "34922-5"), id="o", valueQuantity={"value": 1, "unit": "%"})
    members = [{"reference": "Observation/w"}, {"reference": "Observation/l"}]
    more: list[Json] = []
    if how == "component":
        wbc = observation(
            concept(LOINC, "58410-2"), component=[{k: r[k] for k in ("code", "valueQuantity")} for r in (wbc, pct)]
        )
        pct = other
    elif how == "report":
        more = [
            resource("DiagnosticReport", id="r", status="final", code=concept(LOINC, "58410-2"), result=members),
            other,
        ]
    elif how == "panel":
        more = [observation(concept(LOINC, "58410-2"), id="r", hasMember=members), other]
    elif how == "specimen":
        wbc["specimen"] = pct["specimen"] = {"reference": "Specimen/s"}
        more = [resource("Specimen", id="s"), other]
    else:
        wbc["effectiveDateTime"] = pct["effectiveDateTime"] = "2026-03-15T08:00:00+01:00"
        more = [other]
    patient = bundle(wbc, pct, *more)
    counts = [fact for fact in of(patient, "blood_count") if {"wbc", "lymphoblasts"} <= set(fact.parts)]
    assert len(counts) == 1
    assert only(patient, "absolute_lymphoblast_count").value == point(10000.0)


def test_attestations_and_attributes() -> None:
    extension = [{"url": "https://onstudy.dev/fhir/attribute/evaluator", "valueCodeableConcept": concept(OWN, "local")}]
    component = [{"code": concept(OWN, "evaluator"), "valueCodeableConcept": concept(OWN, "local")}]
    percent = {"value": 92, "unit": "%"}
    for more in ({"extension": extension}, {"component": component}):
        fact = only(
            bundle(observation(concept(OWN, "cd22_on_lymphoblasts"), valueQuantity=percent, **more)),
            "cd22_on_lymphoblasts",
        )
        assert fact.attributes == {"evaluator": frozenset({"local"})}
    yes = bundle(observation(concept(OWN, "hypercvad_ineligible"), valueBoolean=True))
    no = bundle(
        observation(
            concept(OWN, "hct_planned"),
            valueCodeableConcept=concept("http://terminology.hl7.org/CodeSystem/v2-0136", "N"),
        )
    )
    silent = bundle(observation(concept(OWN, "uncontrolled_infection")))
    assert not only(yes, "hypercvad_ineligible").negative
    assert only(no, "hct_planned").negative
    assert only(silent, "uncontrolled_infection").lacks == "not_stated"


def test_a_narrowed_no() -> None:
    extension = [{"url": "https://onstudy.dev/fhir/attribute/agent", "valueCode": "cd19_directed"}]
    fact = only(bundle(observation(concept(OWN, "treatment"), valueBoolean=False, extension=extension)), "treatment")
    assert fact.narrowed is not None
    assert "blinatumomab" in fact.narrowed[1]
    wrong = bundle(
        observation(concept(OWN, "treatment"), valueBoolean=False, extension=[{**extension[0], "valueCode": "?!"}])
    )
    assert of(wrong, "treatment") == []


def test_what_is_not_about_the_patient() -> None:
    assert (
        of(
            bundle(observation(BILIRUBIN, valueQuantity=MG_DL, focus=[{"reference": "RelatedPerson/donor"}])),
            "bilirubin_total",
        )
        == []
    )
    assert of(
        bundle(observation(BILIRUBIN, valueQuantity=MG_DL, focus=[{"reference": "Condition/c"}])), "bilirubin_total"
    )


@pytest.mark.parametrize(
    ("more", "when"),
    [
        ({"effectiveDateTime": "2026-03-15T08:00:00Z"}, "2026-03-15T08:00Z"),
        ({"effectiveDateTime": "2026-03"}, "2026-03"),
        ({"effectiveDateTime": None, "effectiveInstant": "2026-03-15T08:00:00.000+01:00"}, "2026-03-15T08:00+01:00"),
        (
            {"effectiveDateTime": None, "effectivePeriod": {"start": "2026-03-14", "end": "2026-03-15"}},
            "2026-03-14..2026-03-15",
        ),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": "2026-03-14"}}, "from 2026-03-14"),
        ({"effectiveDateTime": None, "effectiveTiming": {"event": ["2026-03-14"]}}, "2026-03-14"),
        ({"effectiveDateTime": None, "issued": "2026-03-15T08:00:00Z"}, "2026-03-15T08:00Z"),
        ({"effectiveDateTime": None}, "date unknown"),
        ({"effectiveDateTime": "2026-02-31"}, "date unknown"),
    ],
)
def test_dates_of_an_observation(more: Json, when: str) -> None:
    assert show(only(bundle(observation(BILIRUBIN, valueQuantity=MG_DL, **more)), "bilirubin_total").start) == when
