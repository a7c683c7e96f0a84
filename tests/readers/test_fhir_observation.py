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
    UCUM,
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
        ({"valueCodeableConcept": concept(SNOMED, "1", text="Negative (qualifier value)")}, {"negative"}),
        ({"valueCodeableConcept": concept(SNOMED, "1", text="Negative (on repeat)")}, None),
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
    ("value", "expected"),
    [
        ({"valueCodeableConcept": {"text": "Other"}}, None),
        ({"valueString": "Other"}, None),
        ({"valueCodeableConcept": concept(OWN, "other")}, {"other"}),
    ],
)
def test_another_type_in_words_may_be_any(value: Json, expected: set[str] | None) -> None:
    fact = only(bundle(observation(concept(OWN, "leukemia_diagnosis"), **value)), "leukemia_diagnosis")
    assert fact.value == (None if expected is None else frozenset(expected))


@pytest.mark.parametrize("code", ["21198-7", "19080-1"])
@pytest.mark.parametrize(
    ("interpretation", "expected"), [("POS", {"positive"}), ("NEG", {"negative"}), ("H", None), ("", None)]
)
def test_an_amount_of_hcg_is_the_pregnancy_test_that_its_interpretation_says(
    code: str, interpretation: str, expected: set[str] | None
) -> None:
    """Which number makes it negative is for the laboratory to say; without that the newest test is unknown."""
    more = {"interpretation": [concept(INTERPRETATION, interpretation)]} if interpretation else {}
    amount = {"valueQuantity": {"value": 4, "unit": "m[IU]/mL", "system": UCUM, "code": "m[IU]/mL"}}
    fact = only(bundle(observation(concept(LOINC, code), **amount, **more)), "pregnancy_test")
    assert fact.value == (None if expected is None else frozenset(expected))
    assert fact.attributes["specimen"] == frozenset({"serum"})


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


@pytest.mark.parametrize(
    ("written", "value", "detected"),
    [
        ("<20 copies/mL detected", Interval(None, 20, high_open=True), None),
        ("<20 copies/mL, detected", Interval(None, 20, high_open=True), None),
        ("<20 copies/mL (Detected)", Interval(None, 20, high_open=True), None),
        ("Detected, <20 copies/mL", Interval(None, 20, high_open=True), None),
        ("<20 DETECTED", None, None),
        ("<20 copies/mL not detected", Interval(None, 20, high_open=True), "no"),
        ("Not detected (<20 copies/mL)", Interval(None, 20, high_open=True), "no"),
        ("45 copies/mL detected", point(45.0), "yes"),
        ("detected: 45 copies/mL", point(45.0), "yes"),
        ("45 copies/mL not detected", None, None),
        ("<20 copies/mL could not be detected", None, None),
        ("<20 copies/mL low level seen", None, None),
        ("<1.30 log copies/mL", None, None),
        ("45 copies/mL none seen", None, None),
        ("<20 [IU]/mL", None, "no"),
        ("<20", None, "no"),
    ],
)
def test_words_on_detection_beside_a_number(written: str, value: Interval | None, detected: str | None) -> None:
    """Below its limit is not detected, unless words say otherwise or cannot be read."""
    fact = only(bundle(observation(concept(LOINC, "20447-9"), valueString=written)), "hiv_viral_load")
    assert (fact.value, fact.attributes.get("detected")) == (value, None if detected is None else {detected})


def test_words_on_detection_count_beside_an_interpretation() -> None:
    more = {"valueString": "<20 copies/mL detected", "interpretation": [concept(INTERPRETATION, "ND")]}
    fact = only(bundle(observation(concept(LOINC, "20447-9"), **more)), "hiv_viral_load")
    assert fact.attributes["detected"] is None


def test_words_in_place_of_a_unit_leave_detection_open() -> None:
    quantity = {"value": 20, "comparator": "<", "unit": "copies/mL detected"}
    fact = only(bundle(observation(concept(LOINC, "20447-9"), valueQuantity=quantity)), "hiv_viral_load")
    assert (fact.value, fact.lacks, fact.attributes.get("detected")) == (None, "no_unit_or_limit", None)


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


@pytest.mark.parametrize(
    ("status", "lacks"),
    [
        ("preliminary", "pending_result"),
        ("registered", "pending_result"),
        ("partial", "pending_result"),
        ("unknown", "not_stated"),
        ("example-status", "not_stated"),
    ],
)
def test_a_value_that_is_not_final_is_not_used(status: str, lacks: str) -> None:
    ranges = [{"high": {"value": 1.2, "unit": "mg/dL"}}]
    patient = bundle(
        observation(BILIRUBIN, status=status, valueQuantity=MG_DL, referenceRange=ranges),
        observation(
            concept(LOINC, "42595-9"),
            id="x2",
            status=status,
            valueQuantity={"value": 20, "comparator": "<", "unit": "[IU]/mL"},
            interpretation=[concept(INTERPRETATION, "ND")],
        ),
        observation(HBSAG, id="x3", status=status, interpretation=[concept(INTERPRETATION, "NEG")]),
        observation(concept(OWN, "seizure"), id="x4", status=status, valueBoolean=False),
    )
    bilirubin, virus = only(patient, "bilirubin_total"), only(patient, "hbv_dna")
    assert (bilirubin.value, bilirubin.lacks, bilirubin.uln) == (None, lacks, None)
    assert (virus.value, virus.lacks, virus.attributes.get("detected")) == (None, lacks, None)
    assert (only(patient, "hbsag").value, only(patient, "hbsag").lacks) == (None, lacks)
    assert (only(patient, "seizure").negative, only(patient, "seizure").lacks) == (False, lacks)
    problem = "not used before it is final" if lacks == "pending_result" else "has a status that is not known"
    assert said(patient).count(problem) == 4


@pytest.mark.parametrize("status", ["preliminary", "unknown"])
def test_parts_that_are_not_final_are_not_used(status: str) -> None:
    cells = {"code": concept(LOINC, "26465-5"), "valueQuantity": {"value": 1, "unit": "/uL"}}
    tap = observation(concept(OWN, "csf_examination"), status=status, component=[cells])
    loose = observation(concept(LOINC, "9999-9"), id="x2", effectiveDateTime="2026-03-01", status=status)
    patient = bundle(tap, {**loose, "component": [cells]})
    assert [fact.value for fact in of(patient, "csf_wbc")] == [None, None]
    assert all(fact.lacks in ("pending_result", "not_stated") for fact in of(patient, "csf_wbc"))


@pytest.mark.parametrize("status", ["amended", "corrected", "appended"])
def test_a_result_that_was_changed_is_one(status: str) -> None:
    patient = bundle(observation(BILIRUBIN, status=status, valueQuantity=MG_DL))
    assert only(patient, "bilirubin_total").value == point(1.8)


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


def _age(low: float | None, high: float | None, unit: str = "a") -> Json:
    sides = {side: {"value": v, "code": unit} for side, v in (("low", low), ("high", high)) if v is not None}
    return {"age": sides}


_ADULT, _CHILD = {"high": {"value": 1.2, "unit": "mg/dL"}}, {"high": {"value": 12.0, "unit": "mg/dL"}}


@pytest.mark.parametrize(
    ("ranges", "born", "uln"),
    [
        ([{**_age(None, 1, "mo"), **_CHILD}, {**_age(18, None), **_ADULT}], "1955-06-20", 1.2),
        ([{**_age(None, 17), **_CHILD}, {**_age(18, 70), **_ADULT}], "1955-06-20", 1.2),
        ([{**_age(None, 17), **_CHILD}, {**_age(18, 69), **_ADULT}], "1955-06-20", None),
        ([{**_age(0, 17), **_CHILD}, {**_age(18, 70), **_ADULT}], "2008-03-15", 1.2),
        ([{**_age(0, 17), **_CHILD}, {**_age(18, 70), **_ADULT}], "2008-03-16", 12.0),
        ([{**_age(0, 17), **_CHILD}, {**_age(18, 70), **_ADULT}], "2008-03", None),
        ([{**_age(0, 17), **_CHILD}, {**_age(18, 70), **_ADULT}], "2008-02", 1.2),
        ([{**_age(None, 1, "mo"), **_CHILD}], "1955-06-20", None),
        ([{**_age(18, None), **_ADULT}], None, None),
        ([{**_age(18, None), **_ADULT}, _CHILD], "1955-06-20", None),
        ([{**_age(18, None, "stone"), **_ADULT}], "1955-06-20", 1.2),
    ],
)
def test_ranges_for_an_age(ranges: list[Json], born: str | None, uln: float | None) -> None:
    """The one for the age on the day of the result, 2026-03-15; none where that does not tell."""
    patient = {key: value for key, value in PATIENT.items() if key != "birthDate"}
    result = observation(BILIRUBIN, valueQuantity=MG_DL, referenceRange=ranges)
    fact = only(bundle(result, patient=patient | ({"birthDate": born} if born else {})), "bilirubin_total")
    assert fact.uln == (None if uln is None else point(uln))


GENDER = "http://hl7.org/fhir/administrative-gender"
_MEN, _WOMEN = concept(SNOMED, "248153007"), concept(SNOMED, "248152002")
_PREGNANT = concept(SNOMED, "77386006", text="Pregnancy")
_OTHER_SEX, _NO_SEX = "has no reference range for the sex of the patient", "a sex, and the sex is not known"
_NOT_KNOWN, _DIFFER = "whether the patient is one of them is not known", "that differ: none is used"


def _for(high: float, *people: object) -> Json:
    return {"high": {"value": high, "unit": "mg/dL"}, **({"appliesTo": list(people)} if people else {})}


@pytest.mark.parametrize(
    ("sex", "ranges", "uln", "told"),
    [
        ("male", [_for(1.2, _WOMEN)], None, _OTHER_SEX),
        ("female", [_for(1.2, _WOMEN)], 1.2, ""),
        ("male", [_for(1.3, _MEN), _for(1.0, _WOMEN)], 1.3, ""),
        ("female", [_for(1.3, _MEN), _for(1.0, _WOMEN)], 1.0, ""),
        ("unknown", [_for(1.3, _MEN), _for(1.0, _WOMEN)], None, _DIFFER),
        ("unknown", [_for(1.2, _MEN), _for(1.2, _WOMEN)], 1.2, ""),
        ("unknown", [_for(1.3, _MEN)], None, _NO_SEX),
        ("unknown", [_for(1.3, _MEN), _for(1.2)], None, _DIFFER),
        ("male", [_for(1.3, concept(GENDER, "male")), _for(1.0, concept(GENDER, "female"))], 1.3, ""),
        ("male", [_for(1.3, {"text": "Male"}), _for(1.0, {"text": "Female"})], 1.3, ""),
        ("male", [_for(1.3, concept(GENDER, "248153007"))], None, _NOT_KNOWN),
        ("male", [_for(1.2), _for(1.0, _WOMEN)], 1.2, ""),
        ("male", [_for(1.2), _for(1.3, _MEN)], None, _DIFFER),
        ("male", [_for(1.2, concept("s", "normal"))], 1.2, ""),
        ("male", [_for(1.0, _WOMEN, _PREGNANT), _for(1.3, _MEN)], 1.3, ""),
        ("female", [_for(1.0, _WOMEN, _PREGNANT)], None, _NOT_KNOWN),
        ("female", [_for(1.0, _WOMEN, _PREGNANT), _for(1.2, _WOMEN)], None, _DIFFER),
        ("female", [_for(1.0, _PREGNANT), _for(1.2)], None, _DIFFER),
        ("female", [_for(1.0, _MEN, _WOMEN)], None, _NOT_KNOWN),
        ("male", [_for(1.3, "male")], None, _NOT_KNOWN),
        ("male", [{**_for(1.3, _MEN), **_age(18, None)}, _for(1.0, _WOMEN), {**_CHILD, **_age(0, 17)}], 1.3, ""),
    ],
)
def test_ranges_for_a_sex(sex: str, ranges: list[Json], uln: float | None, told: str) -> None:
    """The one for the patient's sex, of a result and of a component; none where it is not known to be the patient's."""
    person, limit = PATIENT | {"gender": sex}, None if uln is None else point(uln)
    result = observation(BILIRUBIN, valueQuantity=MG_DL, referenceRange=ranges)
    part = {"code": BILIRUBIN, "valueQuantity": MG_DL, "referenceRange": ranges}
    for one in (result, observation(concept("s", "panel"), component=[part])):
        patient = bundle(one, patient=person)
        assert only(patient, "bilirubin_total").uln == limit
        about = [problem.what for problem in patient.problems if "range" in problem.what]
        assert len(about) == bool(told)
        assert all(told in what for what in about)


def two_units(unit: str, code: str, value: float = 2.5) -> Json:
    return {"value": value, "unit": unit, "code": code, "system": UCUM}


@pytest.mark.parametrize(
    ("unit", "code", "value"),
    [
        ("mg/dL", "umol/L", None),
        ("umol/L", "mg/dL", None),
        ("mg/dL", "%", None),
        ("mg/dL", "mg/L", None),
        ("mg/dl", "mg/dL", 2.5),
        ("MG/DL", "mg/dL", 2.5),
        ("mg/100mL", "mg/dL", 2.5),
        ("see report", "mg/dL", 2.5),
        ("", "mg/dL", 2.5),
    ],
)
def test_a_unit_and_a_code_that_contradict_each_other(unit: str, code: str, value: float | None) -> None:
    """Spellings of one unit do not, and a text that is no unit says nothing."""
    patient = bundle(observation(BILIRUBIN, valueQuantity=two_units(unit, code)))
    fact = only(patient, "bilirubin_total")
    assert fact.value == (None if value is None else point(value))
    assert fact.lacks == ("no_unit_or_limit" if value is None else None)
    assert ("has one unit for people and another" in said(patient)) == (value is None)


@pytest.mark.parametrize(
    ("code", "kind", "unit", "ucum"),
    [
        ("1920-8", "ast", "IU/L", "U/L"),
        ("6690-2", "blood_wbc", "K/uL", "10*9/L"),
        ("20447-9", "hiv_viral_load", "copies/mL", "{copies}/mL"),
        ("8302-2", "body_height", "in", "[in_i]"),
    ],
)
def test_one_unit_in_two_spellings(code: str, kind: str, unit: str, ucum: str) -> None:
    assert (
        only(bundle(observation(concept(LOINC, code), valueQuantity=two_units(unit, ucum, 25.0))), kind).value
        is not None
    )


def test_limits_and_ranges_in_two_units() -> None:
    both = two_units("mg/dL", "umol/L", 1.2)
    limited = observation(BILIRUBIN, valueQuantity=MG_DL, referenceRange=[{"high": both}])
    ranged = observation(BILIRUBIN, id="x2", valueRange={"low": both, "high": {**both, "value": 1.4}})
    unlike = observation(BILIRUBIN, id="x3", valueQuantity=both, referenceRange=[{"high": {"value": 1.2}}])
    patient = bundle(limited, ranged, unlike)
    found = {fact.id: (fact.value, fact.uln) for fact in of(patient, "bilirubin_total")}
    assert found == {
        "Observation/x1": (point(1.8), None),
        "Observation/x2": (None, None),
        "Observation/x3": (None, None),
    }


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


_PULSE = concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")


def _tracing(when: str, **of_the_rate: object) -> tuple[Json, Json]:
    qt = observation(concept(LOINC, "8634-8"), id="q", effectiveDateTime=when, valueQuantity=_ms(460))
    per_minute = {"value": 60, "unit": "/min"}
    rate = observation(concept(LOINC, "8867-4"), id="h", effectiveDateTime=when, valueQuantity=per_minute)
    return qt, {**rate, **of_the_rate}


def _ms(value: float) -> Json:
    return {"value": value, "unit": "ms"}


@pytest.mark.parametrize("category", [_PULSE, {"text": "Vital Signs"}, concept("", "vital-signs")])
def test_a_pulse_is_no_part_of_a_tracing(category: Json) -> None:
    """It has the code of the rate on an ECG, and a moment in common does not make it that."""
    patient = bundle(*_tracing("2026-03-14T08:00:00Z", category=[category]))
    assert only(patient, "ecg_heart_rate").value == point(60.0)
    assert not any("rate" in fact.parts for fact in of(patient, "ecg"))
    assert all(fact.value is None for fact in of(patient, "qtcf"))


@pytest.mark.parametrize("how", ["moment", "specimen", "panel", "report", "component"])
def test_a_rate_of_a_tracing_is_part_of_it(how: str) -> None:
    qt, rate = _tracing("2026-03-14T08:00:00Z", category=[_PULSE])
    members = [{"reference": "Observation/q"}, {"reference": "Observation/h"}]
    more: list[Json] = [rate]
    if how == "moment":
        rate["category"] = [concept("http://terminology.hl7.org/CodeSystem/observation-category", "exam")]
    elif how == "specimen":
        qt["specimen"] = rate["specimen"] = {"reference": "Specimen/s"}
    elif how == "panel":
        more.append(observation(concept(LOINC, "34534-8"), id="e", hasMember=members))
    elif how == "report":
        report = resource("DiagnosticReport", id="r", status="final", code=concept(LOINC, "11524-6"), result=members)
        more.append(report)
    else:
        parts = [{key: one[key] for key in ("code", "valueQuantity")} for one in (qt, rate)]
        more = [observation(concept(LOINC, "34534-8"), id="e", category=[_PULSE], component=parts)]
        qt = {**qt, "status": "cancelled"}
    assert only(bundle(qt, *more), "qtcf").value == point(460.0)


def test_pressures_among_the_vital_signs_are_one_measurement() -> None:
    pressures = [
        observation(concept(LOINC, code), id=f"x{code}", category=[_PULSE], effectiveDateTime="2026-03-14T08:00:00Z")
        | {"valueQuantity": {"value": value, "unit": "mm[Hg]"}}
        for code, value in (("8480-6", 150), ("8462-4", 90))
    ]
    assert set(only(bundle(*pressures), "blood_pressure").parts) == {"systolic", "diastolic"}


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


def test_a_value_that_is_a_code_alone_is_shown_by_its_label() -> None:
    """88020-3 is the NYHA class, 421704003 its class II; what the source says in words stays as it says it."""
    bare = observation(concept(LOINC, "88020-3"), valueCodeableConcept=concept(SNOMED, "421704003"))
    assert only(bundle(bare), "nyha_class").shown == "NYHA class II"
    named = {"coding": [{"system": SNOMED, "code": "421704003", "display": "NYHA Class II (finding)"}]}
    said = observation(concept(LOINC, "88020-3"), valueCodeableConcept=named)
    assert only(bundle(said), "nyha_class").shown == "NYHA Class II (finding)"


# Words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ({"coding": [{"system": "urn:local", "code": "BILT"}], "text": "Total bilirubin"}, "bilirubin_total"),
        ({"coding": [{"system": "urn:local", "code": "BILT", "display": "serum BILIRUBIN"}]}, "bilirubin_total"),
        ({"text": "Total bilirubin"}, "bilirubin_total"),
        ({"text": "Bilirubin, total, urine"}, "unmapped"),
        ({"text": "eGFR"}, "unmapped"),
        ({"text": "Myocardial infarction"}, "unmapped"),
    ],
)
def test_words_alone_give_no_result_a_value(code: Json, kind: str) -> None:
    """They show that there is one, which may be the newest; "eGFR" is two things."""
    fact = only(bundle(observation(code, valueQuantity=MG_DL, referenceRange=[{"high": {"value": 1.2}}])), kind)
    assert (fact.value, fact.uln) == (None, None)
    assert fact.lacks == ("unsupported" if kind != "unmapped" else None)


def test_what_is_said_of_a_result_of_words_alone() -> None:
    patient = bundle(observation({"coding": [{"system": "urn:local", "code": "BILT"}], "text": "Total bilirubin"}))
    said_of = "urn:local|BILT is not in the catalogue, and its words are those of bilirubin_total"
    assert f"{said_of}: kept, its value is not used; map the code" in said(patient)


def test_whether_something_was_detected_is_not_known_by_words_alone() -> None:
    fact = only(bundle(observation({"text": "HBV DNA"}, valueString="not detected")), "hbv_dna")
    assert (fact.value, dict(fact.attributes)) == (None, {"detected": None})


def test_words_of_a_result_in_another_specimen() -> None:
    urine = {"resourceType": "Specimen", "id": "s", "subject": {"reference": "Patient/p1"}, "type": {"text": "Urine"}}
    result = observation({"text": "Total bilirubin"}, specimen={"reference": "Specimen/s"}, valueQuantity=MG_DL)
    assert of(bundle(result, urine), "bilirubin_total") == []
