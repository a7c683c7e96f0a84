"""FHIR R4 read leniently and reported strictly: what each resource type becomes, and what is said of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from onstudy.readers import read_patients
from onstudy.record.patient import Fact, Patient
from onstudy.values.calendar import show
from onstudy.values.interval import Interval, point
from tests.readers.canon import of, only, said

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


# Observation: values ------------------------------------------------------------------------------------------


def test_a_result_with_unit_and_limits() -> None:
    fact = only(bundle(observation(BILIRUBIN, valueQuantity=MG_DL, referenceRange=[
        {"low": {"value": 3.42, "unit": "umol/L"}, "high": {"value": 1.2}}
    ])), "bilirubin_total")  # fmt: skip
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
    text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": PATIENT}, {"resource": observation(BILIRUBIN, valueQuantity={**MG_DL, "value": "HERE"})}
    ]}).replace('"HERE"', number)  # fmt: skip
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
        ({"valueQuantity": {"value": 0.1, "unit": "{index}"}, "interpretation": [concept(INTERPRETATION, "NEG")]}, {"negative"}),
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
    absent = {"dataAbsentReason": concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", reason)} if reason else {}
    patient = bundle(observation(BILIRUBIN, status=status, **absent))
    found = of(patient, "bilirubin_total")
    assert [fact.lacks for fact in found] == ([lacks] if kept else [])
    assert kept or "Observation/x1" in said(patient)


def test_a_preliminary_value_counts_and_one_with_an_unknown_status_does_not() -> None:
    assert only(bundle(observation(BILIRUBIN, status="preliminary", valueQuantity=MG_DL)), "bilirubin_total").value == point(1.8)
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


# Observation: what belongs together --------------------------------------------------------------------------------


def test_components_of_the_projects_own_composite() -> None:
    tap = observation(concept(OWN, "csf_examination"), component=[
        {"code": concept(LOINC, "26465-5"), "valueQuantity": {"value": 1, "unit": "/uL"}},
        {"code": concept(OWN, "csf_cytospin"), "valueCodeableConcept": concept(OWN, "negative")},
        {"code": concept(OWN, "csf_flow"), "dataAbsentReason": concept(OWN, "pending_result")},
        {"code": concept(LOINC, "9999-9")},
    ])  # fmt: skip
    patient = bundle(tap)
    parts = only(patient, "csf_examination").parts
    assert {name: part.value for name, part in parts.items()} == {
        "wbc": point(1.0), "cytospin": frozenset({"negative"}), "flow": None
    }  # fmt: skip
    assert "9999-9" in said(patient)


@pytest.mark.parametrize("how", ["component", "report", "panel", "specimen", "time"])
def test_results_of_one_sample(how: str) -> None:
    wbc = observation(concept(LOINC, "6690-2"), id="w", valueQuantity={"value": 25, "unit": "10*3/uL"})
    pct = observation(concept(LOINC, "34922-5"), id="l", valueQuantity={"value": 40, "unit": "%"})
    other = observation(concept(LOINC, "34922-5"), id="o", valueQuantity={"value": 1, "unit": "%"})
    members = [{"reference": "Observation/w"}, {"reference": "Observation/l"}]
    more: list[Json] = []
    if how == "component":
        wbc = observation(concept(LOINC, "58410-2"), component=[{k: r[k] for k in ("code", "valueQuantity")} for r in (wbc, pct)])
        pct = other
    elif how == "report":
        more = [resource("DiagnosticReport", id="r", status="final", code=concept(LOINC, "58410-2"), result=members), other]
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
        fact = only(bundle(observation(concept(OWN, "cd22_on_lymphoblasts"), valueQuantity=percent, **more)), "cd22_on_lymphoblasts")
        assert fact.attributes == {"evaluator": frozenset({"local"})}
    yes = bundle(observation(concept(OWN, "hypercvad_ineligible"), valueBoolean=True))
    no = bundle(observation(concept(OWN, "hct_planned"), valueCodeableConcept=concept("http://terminology.hl7.org/CodeSystem/v2-0136", "N")))
    silent = bundle(observation(concept(OWN, "uncontrolled_infection")))
    assert not only(yes, "hypercvad_ineligible").negative
    assert only(no, "hct_planned").negative
    assert only(silent, "uncontrolled_infection").lacks == "not_stated"


def test_a_narrowed_no() -> None:
    extension = [{"url": "https://onstudy.dev/fhir/attribute/agent", "valueCode": "cd19_directed"}]
    fact = only(bundle(observation(concept(OWN, "treatment"), valueBoolean=False, extension=extension)), "treatment")
    assert fact.narrowed is not None
    assert "blinatumomab" in fact.narrowed[1]
    wrong = bundle(observation(concept(OWN, "treatment"), valueBoolean=False, extension=[{**extension[0], "valueCode": "?!"}]))
    assert of(wrong, "treatment") == []


def test_what_is_not_about_the_patient() -> None:
    assert of(bundle(observation(BILIRUBIN, valueQuantity=MG_DL, focus=[{"reference": "RelatedPerson/donor"}])), "bilirubin_total") == []
    assert of(bundle(observation(BILIRUBIN, valueQuantity=MG_DL, focus=[{"reference": "Condition/c"}])), "bilirubin_total")


@pytest.mark.parametrize(
    ("more", "when"),
    [
        ({"effectiveDateTime": "2026-03-15T08:00:00Z"}, "2026-03-15T08:00Z"),
        ({"effectiveDateTime": "2026-03"}, "2026-03"),
        ({"effectiveDateTime": None, "effectiveInstant": "2026-03-15T08:00:00.000+01:00"}, "2026-03-15T08:00+01:00"),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": "2026-03-14", "end": "2026-03-15"}}, "2026-03-14..2026-03-15"),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": "2026-03-14"}}, "from 2026-03-14"),
        ({"effectiveDateTime": None, "effectiveTiming": {"event": ["2026-03-14"]}}, "2026-03-14"),
        ({"effectiveDateTime": None, "issued": "2026-03-15T08:00:00Z"}, "2026-03-15T08:00Z"),
        ({"effectiveDateTime": None}, "date unknown"),
        ({"effectiveDateTime": "2026-02-31"}, "date unknown"),
    ],
)
def test_dates_of_an_observation(more: Json, when: str) -> None:
    assert show(only(bundle(observation(BILIRUBIN, valueQuantity=MG_DL, **more)), "bilirubin_total").start) == when


# Condition ----------------------------------------------------------------------------------------------------------


def condition(code: Json, **more: object) -> Json:
    return resource("Condition", code=code, **more)


ACTIVE = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")
RESOLVED = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved")


def verified(code: str) -> Json:
    return concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", code)


def shown(fact: Fact) -> tuple[str, str | None, bool]:
    return show(fact.start), None if fact.end is None else show(fact.end), fact.ongoing


@pytest.mark.parametrize(
    ("code", "more", "kind", "expected"),
    [
        (concept(ICD, "I21.4"), {"clinicalStatus": ACTIVE, "onsetDateTime": "2015"}, "myocardial_infarction", ("2015", None, False)),
        (concept(ICD, "I214"), {"clinicalStatus": ACTIVE}, "myocardial_infarction", ("date unknown", None, False)),
        (concept(ICD, "I25.2"), {"onsetDateTime": "2020-05-01"}, "myocardial_infarction", ("until 2020-05-01", None, False)),
        (concept(SNOMED, "84757009"), {"clinicalStatus": ACTIVE, "onsetDateTime": "2015"}, "epilepsy", ("2015", None, True)),
        (concept(SNOMED, "84757009"), {"clinicalStatus": RESOLVED, "onsetDateTime": "2015", "recordedDate": "2020-01-01"},
         "epilepsy", ("2015", "2015-01-01..2020-01-01", False)),
        (concept(SNOMED, "84757009"), {"clinicalStatus": RESOLVED, "onsetDateTime": "2015", "abatementDateTime": "2018"},
         "epilepsy", ("2015", "2018", False)),
        (concept(SNOMED, "84757009"), {"onsetDateTime": "2015"}, "epilepsy", ("2015", "from 2015-01-01", False)),
        (concept(SNOMED, "84757009"), {"clinicalStatus": ACTIVE, "recordedDate": "2020-01-01"}, "epilepsy", ("until 2020-01-01", None, True)),
        (concept(SNOMED, "84757009"), {"clinicalStatus": ACTIVE, "onsetAge": {"value": 20, "code": "a"}},
         "epilepsy", ("1975-06-20..1976-06-19", None, True)),
        (concept(SNOMED, "84757009"), {"onsetPeriod": {"start": "2015-01-01", "end": "2015-03-01"}, "clinicalStatus": ACTIVE},
         "epilepsy", ("2015-01-01..2015-03-01", None, True)),
        (concept(SNOMED, "84757009"), {"onsetDateTime": "2019", "abatementDateTime": "2018"}, "epilepsy", ("date unknown", "date unknown", False)),
        (concept(SNOMED, "77386006"), {"clinicalStatus": ACTIVE, "onsetDateTime": "2026-01"}, "pregnancy", ("2026-01", None, False)),
    ],
)  # fmt: skip
def test_when_a_diagnosis_was(code: Json, more: Json, kind: str, expected: tuple[str, str | None, bool]) -> None:
    assert shown(only(bundle(condition(code, **more)), kind)) == expected


def test_a_resolved_state_is_over() -> None:
    patient = bundle(condition(concept(SNOMED, "77386006"), clinicalStatus=RESOLVED, onsetDateTime="2020-01", abatementDateTime="2020-10-01"))
    yes, no = sorted(of(patient, "pregnancy"), key=lambda fact: fact.negative)
    assert (yes.negative, no.negative, str(no.end)) == (False, True, "2020-10-01")


def test_refuted_is_a_no_and_other_verification() -> None:
    refuted = only(bundle(condition(concept(SNOMED, "91175000"), verificationStatus=verified("refuted"), recordedDate="2026-03-10")), "seizure")
    assert (refuted.negative, str(refuted.end)) == (True, "2026-03-10")
    narrow = bundle(condition(concept(ICD, "I21.4"), verificationStatus=verified("refuted"), recordedDate="2026-03-10"))
    assert of(narrow, "myocardial_infarction") == []
    assert "it denies no other" in said(narrow).replace("refuted, it", "it")
    skin = only(bundle(condition(concept(ICD, "C44.91"), verificationStatus=verified("refuted"), recordedDate="2026-03-10")), "other_malignancy")
    assert skin.narrowed == ("type", frozenset({"skin_bcc"}))
    assert not only(bundle(condition(concept(SNOMED, "91175000"), verificationStatus=verified("provisional"))), "seizure").certain
    assert of(bundle(condition(concept(SNOMED, "91175000"), verificationStatus=verified("entered-in-error"))), "seizure") == []
    assert of(bundle(condition(concept(SNOMED, "91175000"), verificationStatus="entered-in-error")), "seizure") == []


def test_codes_of_one_concept_are_synonyms() -> None:
    code = {"coding": [{"system": ICD, "code": "B18.1"}, {"system": SNOMED, "code": "66071002"}, {"system": "x", "code": "66071002"}]}
    fact = only(bundle(condition(code, clinicalStatus=ACTIVE)), "hepatitis_b")
    assert fact.attributes == {"course": frozenset({"chronic"})}
    both = bundle(condition({"coding": [{"system": ICD, "code": "C91.02"}, {"system": SNOMED, "code": "277571004"}]}, onsetDateTime="2024", recordedDate="2026-03-02"))
    assert only(both, "leukemia_diagnosis").value == frozenset({"precursor_b_all"})
    assert only(both, "all_disease_status").value == frozenset({"relapsed"})
    assert show(only(both, "all_disease_status").start) == "2026-03-02"
    group = bundle(condition({"coding": [{"system": SNOMED, "code": "698247007"}, {"system": SNOMED, "code": "44103008"}]}))
    assert [f.kind for f in group.facts if "arrhythmia" in f.kind] == ["ventricular_arrhythmia"]


def test_system_and_code_are_matched_together() -> None:
    race = bundle(observation(concept("urn:oid:2.16.840.1.113883.6.238", "2106-3"), valueBoolean=True))
    test = bundle(observation(concept("urn:oid:2.16.840.1.113883.6.1", "2106-3"), valueBoolean=False))
    assert of(race, "pregnancy_test") == []
    assert only(test, "pregnancy_test").attributes == {"specimen": frozenset({"urine"})}


def test_what_the_catalogue_does_not_know_is_kept_and_said_once_a_code() -> None:
    unknown = concept(SNOMED, "15777000", text="Prediabetes")
    patient = bundle(condition(unknown), condition(unknown, id="x2"), condition({"text": "just words"}, id="x3"))
    assert [fact.shown for fact in of(patient, "unmapped")][:1] == ["http://snomed.info/sct|15777000"]
    assert said(patient).count("15777000") == 1
    assert "and 1 more" in said(patient)
    assert "has no code" in said(patient)


def test_status_of_recalled_codes_is_carried() -> None:
    assert only(bundle(condition(concept(SNOMED, "27503000"))), "gilbert_syndrome").code_status == "C"
    both = {"coding": [{"system": SNOMED, "code": "27503000"}, {"system": ICD, "code": "E80.4"}]}
    assert only(bundle(condition(both)), "gilbert_syndrome").code_status == ""


# Medication -----------------------------------------------------------------------------------------------------------


def drug(type_: str, **more: object) -> Json:
    return resource(type_, **{"medicationCodeableConcept": concept(RXNORM, "121191"), **more})


STATEMENT, REQUEST, GIVEN = "MedicationStatement", "MedicationRequest", "MedicationAdministration"


@pytest.mark.parametrize(
    ("type_", "more", "expected"),
    [
        (STATEMENT, {"status": "completed", "effectivePeriod": {"start": "2025-11", "end": "2026-02-03"}}, ("2025-11", "2026-02-03", False)),
        (STATEMENT, {"status": "active", "effectivePeriod": {"start": "2025-11"}}, ("2025-11", None, True)),
        (STATEMENT, {"status": "active", "effectiveDateTime": "2025-11-02"}, ("2025-11-02", None, True)),
        (STATEMENT, {"status": "completed", "effectiveDateTime": "2025-11-02"}, ("2025-11-02", "2025-11-02", False)),
        (STATEMENT, {"status": "stopped", "effectivePeriod": {"start": "2025-11-01"}, "dateAsserted": "2026-01-05"},
         ("2025-11-01", "2025-11-01..2026-01-05", False)),
        (STATEMENT, {"status": "stopped", "effectivePeriod": {"start": "2025-11-01"}}, ("2025-11-01", "from 2025-11-01", False)),
        (STATEMENT, {"status": "stopped", "effectivePeriod": {"start": "2025-11-01"}, "meta": {"lastUpdated": "2026-01-05T00:00:00Z"}},
         ("2025-11-01", "2025-11-01..2026-01-05", False)),
        (STATEMENT, {"status": "unknown"}, ("date unknown", "date unknown", False)),
        (STATEMENT, {"status": "active", "dateAsserted": "2026-01-05"}, ("until 2026-01-05", None, True)),
        (GIVEN, {"status": "completed", "effectiveDateTime": "2025-11-02T09:00:00Z"}, ("2025-11-02T09:00Z", "2025-11-02T09:00Z", False)),
        (GIVEN, {"status": "in-progress", "effectivePeriod": {"start": "2025-11-02"}}, ("2025-11-02", None, True)),
        (REQUEST, {"status": "active", "intent": "order", "authoredOn": "2025-11-02"}, ("2025-11-02", None, True)),
        (REQUEST, {"status": "stopped", "intent": "order", "authoredOn": "2025-11-02"}, ("2025-11-02", "from 2025-11-02", False)),
        (REQUEST, {"status": "completed", "intent": "order", "authoredOn": "2025-11-02", "dosageInstruction": [
            {"timing": {"repeat": {"boundsPeriod": {"start": "2025-11-03", "end": "2025-11-09"}}}}]}, ("2025-11-03", "2025-11-09", False)),
    ],
)  # fmt: skip
def test_from_when_to_when_a_drug_was_taken(type_: str, more: Json, expected: tuple[str, str | None, bool]) -> None:
    found = shown(only(bundle(drug(type_, **more)), "treatment"))
    assert tuple(str(part).replace("T00:00Z", "") if isinstance(part, str) else part for part in found) == expected


@pytest.mark.parametrize(
    ("type_", "more"),
    [
        (STATEMENT, {"status": "not-taken"}),
        (STATEMENT, {"status": "intended"}),
        (STATEMENT, {"status": "entered-in-error"}),
        (GIVEN, {"status": "not-done"}),
        (REQUEST, {"status": "active", "intent": "plan"}),
        (REQUEST, {"status": "active", "intent": "proposal"}),
        (REQUEST, {"status": "draft", "intent": "order"}),
        (REQUEST, {"status": "cancelled", "intent": "order"}),
        (REQUEST, {"status": "active", "intent": "order", "doNotPerform": True}),
    ],
)
def test_what_is_no_exposure(type_: str, more: Json) -> None:
    patient = bundle(drug(type_, **more))
    assert of(patient, "treatment") == []
    assert "no exposure [not kept]" in said(patient)


def test_agent_route_and_reason() -> None:
    patient = bundle(
        condition(concept(SNOMED, "277571004"), id="all"),
        {**drug(STATEMENT, id="a", status="completed", dosage=[{"route": {"text": "Intrathecal route"}}],
                reasonReference=[{"reference": "Condition/all"}]), "medicationCodeableConcept": concept(ATC, "L01BA01")},
        {**drug(STATEMENT, id="b", status="completed", reasonCode=[concept(OWN, "gvhd")], dosage=[{"route": concept(SNOMED, "1")}]),
         "medicationCodeableConcept": {}, "medicationReference": {"reference": "#m"},
         "contained": [{"resourceType": "Medication", "id": "m", "code": concept(ATC, "L04AD02")}]},
        {**drug(STATEMENT, id="c", status="active", reasonCode=[concept(ICD, "C91.00")]),
         "medicationCodeableConcept": concept(ATC, "L01EA-", text="?")},
        {**drug(STATEMENT, id="d", status="active"), "medicationCodeableConcept": concept(ATC, "J05AF10")},
        {**drug(STATEMENT, id="e", status="active"), "medicationCodeableConcept": {"text": "rituximab"}},
    )  # fmt: skip
    by_id = {fact.id: fact for fact in patient.facts}
    assert by_id["MedicationStatement/a"].attributes == {
        "agent": frozenset({"methotrexate"}), "route": frozenset({"intrathecal"}), "intent": frozenset({"ALL"})
    }  # fmt: skip
    assert by_id["MedicationStatement/b"].attributes == {
        "agent": frozenset({"tacrolimus"}), "route": None, "intent": frozenset({"gvhd"})
    }  # fmt: skip
    assert by_id["MedicationStatement/d:hbv_suppressive_therapy"].ongoing
    assert by_id["MedicationStatement/d:treatment"].attributes["agent"] == frozenset({"entecavir"})
    assert by_id["MedicationStatement/e"].kind == "unmapped"


# Procedure, Specimen, report --------------------------------------------------------------------------------------------


def test_procedures() -> None:
    patient = bundle(
        resource("Procedure", id="t", status="completed", code=concept(SNOMED, "234336002"),
                 performedPeriod={"start": "2025-11-17T08:00:00Z", "end": "2025-11-17T10:00:00Z"},
                 extension=[{"url": "https://onstudy.dev/fhir/attribute/type", "valueCode": "allogeneic"}]),
        resource("Procedure", id="r", status="completed", code=concept(SNOMED, "108290001"),
                 performedPeriod={"start": "2025-01-01", "end": "2025-01-20"}, reasonCode=[concept(ICD, "C91.01")]),
        resource("Procedure", id="n", status="not-done", code=concept(SNOMED, "234336002")),
        resource("Procedure", id="p", status="preparation", code=concept(SNOMED, "234336002")),
        resource("Procedure", id="z", status="completed", code=concept(ICD, "Z94.84"), performedDateTime="2026-01-01"),
    )  # fmt: skip
    one, other = sorted(of(patient, "hematopoietic_transplant"), key=lambda fact: fact.id)
    assert one.attributes == {"type": frozenset({"allogeneic"})}
    assert one.start.day == parse_day("2025-11-17")
    assert show(other.start) == "until 2026-01-01"
    radiation = only(patient, "treatment")
    assert radiation.attributes == {"agent": radiation.attributes["agent"], "intent": frozenset({"ALL"})}
    assert shown(radiation) == ("2025-01-01", "2025-01-20", False)
    assert said(patient).count("nothing was done") == 2


def parse_day(text: str) -> int | None:
    from onstudy.values.calendar import parse_when

    return parse_when(text).day


def test_samples_that_were_sent() -> None:
    patient = bundle(
        resource("Specimen", id="m", type=concept(OWN, "mrd_marrow_submission"), receivedTime="2026-03-13",
                 extension=[{"url": "https://onstudy.dev/fhir/attribute/first_pull", "valueBoolean": True}]),
        resource("Specimen", id="b", type=concept(OWN, "mrd_blood_submission"), status="unsatisfactory"),
        resource("Specimen", id="s", type=concept(SNOMED, "119297000")),
    )  # fmt: skip
    assert only(patient, "mrd_marrow_submission").attributes == {"first_pull": frozenset({"yes"})}
    assert of(patient, "mrd_blood_submission") == []
    assert of(patient, "unmapped") == []


def test_reports_without_results() -> None:
    patient = bundle(
        resource("DiagnosticReport", id="w", status="registered", code=concept(OWN, "bcr_abl1")),
        resource("DiagnosticReport", id="c", status="final", code=concept(OWN, "bcr_abl1"), effectiveDateTime="2026-03-01",
                 conclusionCode=[concept(OWN, "negative")]),
        resource("DiagnosticReport", id="x", status="cancelled", code=concept(OWN, "bcr_abl1")),
    )  # fmt: skip
    assert {fact.id: (fact.value, fact.lacks) for fact in of(patient, "bcr_abl1")} == {
        "DiagnosticReport/w": (None, "pending_result"),
        "DiagnosticReport/c": (frozenset({"negative"}), None),
    }


# Who it is about, and what holds the resources ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ({"reference": "Patient/p1"}, True),
        ({"reference": "Patient/p1/_history/3"}, True),
        ({"reference": "urn:uuid:p1"}, True),
        ({"reference": "http://elsewhere.org/fhir/Patient/p1"}, True),
        ({"identifier": {"system": "mrn", "value": "77"}}, True),
        ({"display": "the patient"}, True),
        (None, True),
        ({"reference": "Patient/p2"}, False),
        ({"reference": "Group/p1"}, False),
        ({"identifier": {"system": "mrn", "value": "78"}}, False),
    ],
)
def test_subjects(reference: Json | None, found: bool) -> None:
    patient = {**PATIENT, "identifier": [{"system": "mrn", "value": "77"}]}
    read = bundle(observation(BILIRUBIN, valueQuantity=MG_DL, subject=reference), patient=patient)
    assert len(of(read, "bilirubin_total")) == found
    assert ("its subject is no patient of this source" in said(read)) != found


def test_full_urls_tell_servers_apart() -> None:
    def entry(base: str, resource: Json) -> Json:
        return {"fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}", "resource": resource}

    one, two = "https://one.org/fhir", "https://two.org/fhir"
    result = observation(BILIRUBIN, valueQuantity=MG_DL)
    patients = read_patients("b.json", json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": [
        entry(one, PATIENT), entry(two, {**PATIENT, "gender": "female"}), entry(two, result),
    ]}).encode())  # fmt: skip
    assert [len(of(patient, "bilirubin_total")) for patient in patients] == [0, 1]


def test_several_patients_and_nobodys_facts() -> None:
    document = {"resourceType": "Bundle", "type": "batch-response", "entry": [
        {"resource": PATIENT}, {"resource": {**PATIENT, "id": "p2"}},
        {"resource": observation(BILIRUBIN, valueQuantity=MG_DL, subject={"reference": "Patient/p2"})},
        {"resource": observation(BILIRUBIN, id="n", valueQuantity=MG_DL, subject=None)},
    ]}  # fmt: skip
    one, two = read_patients("b.json", json.dumps(document).encode())
    assert (len(of(one, "bilirubin_total")), len(of(two, "bilirubin_total"))) == (0, 1)
    assert all("Observation/n" in said(patient) for patient in (one, two))


def test_contained_results_and_patients() -> None:
    inner = {"resourceType": "Observation", "id": "o", "status": "final", "code": BILIRUBIN, "valueQuantity": MG_DL}
    report = resource("DiagnosticReport", status="final", code=concept(LOINC, "1-8"), result=[{"reference": "#o"}], contained=[inner])
    assert only(bundle(report), "bilirubin_total").source == "DiagnosticReport/x1#o"
    alone = {**observation(BILIRUBIN, valueQuantity=MG_DL, subject={"reference": "#p"}), "contained": [{**PATIENT, "id": "p"}]}
    assert only(read_json(alone), "bilirubin_total").value == point(1.8)


def test_bundles_within_bundles_pages_and_versions() -> None:
    def version(number: int, value: float) -> Json:
        stamp = {"versionId": str(number), "lastUpdated": f"2026-03-1{number}T00:00:00Z"}
        return observation(BILIRUBIN, meta=stamp, valueQuantity={**MG_DL, "value": value})

    inner = {"resourceType": "Bundle", "type": "history", "entry": [{"resource": version(n, n)} for n in (1, 3, 2)]}
    document = {"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "next", "url": "x"}], "entry": [
        {"resource": PATIENT}, {"resource": PATIENT}, {"resource": inner},
        {"request": {"method": "DELETE", "url": "Observation/y"}},
        {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}},
    ]}  # fmt: skip
    patient = read_json(document)
    assert only(patient, "bilirubin_total").value == point(3.0)
    for words in ("a further page", "the server reported: timeout"):
        assert words in said(patient)


def test_types_that_are_not_read_are_counted() -> None:
    claims = [resource("Claim", id=f"c{n}") for n in range(3)]
    assert "Claim (3)" in said(bundle(*claims, resource("Encounter", id="e")))


def test_patients_themselves() -> None:
    patient = bundle(patient={"resourceType": "Patient", "id": "../../etc", "birthDate": "1955-13-01", "gender": "other"})
    assert patient.id == "../../etc"
    assert not patient.born.known
    assert "birthDate is not a date" in said(patient)
    assert "no gender" in said(patient)
    named = bundle(patient={"resourceType": "Patient", "identifier": [{"value": "MRN 7"}]})
    assert named.id == "MRN 7"


def test_html_is_text() -> None:
    text = "<script>alert(1)</script>"
    patient = bundle(condition({"coding": [{"system": SNOMED, "code": "1", "display": text}]}))
    assert only(patient, "unmapped").shown == f"http://snomed.info/sct|1 {text}"


def test_coverage() -> None:
    extension = [{"url": "https://onstudy.dev/fhir/coverage", "extension": [
        {"url": "kind", "valueCode": "all"}, {"url": "from", "valueDate": "2015-01-01"},
    ]}]  # fmt: skip
    (cover,) = bundle(patient={**PATIENT, "extension": extension}).coverage
    assert (cover.kind, cover.first, cover.last) == ("all", parse_day("2015-01-01"), None)
