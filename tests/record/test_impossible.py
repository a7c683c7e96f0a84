"""What cannot be so is shown, kept in its place, and never used: a bilirubin of -1 is no normal one."""

from __future__ import annotations

import json

import pytest
from tests.readers.build import BILIRUBIN, LOINC, MG_DL, bundle, concept, observation
from tests.readers.canon import CATALOGUE, canon, of, only, read, said, written

from onstudy.readers.fhir_write import to_bundle
from onstudy.readers.patientfile_write import to_patient_file
from onstudy.values.calendar import UNDATED, parse_when
from onstudy.values.interval import Interval, point

BILI = "kind: bilirubin_total, on: 2026-03-15, value: 1.8 mg/dL"


@pytest.mark.parametrize(
    ("fact", "kind"),
    [
        ("kind: bilirubin_total, on: 2026-03-15, value: -1 mg/dL, uln: 1.2 mg/dL", "bilirubin_total"),
        ("kind: lvef, on: 2026-03-15, value: -5 %", "lvef"),
        ('kind: blood_wbc, on: 2026-03-15, value: "< -2 /uL"', "blood_wbc"),
        ("kind: csf_examination, on: 2026-03-15, wbc: -1 /uL, rbc: 0 /uL", "csf_wbc"),
    ],
)
def test_a_result_below_zero_is_unknown(fact: str, kind: str) -> None:
    patient = written(fact)
    result = only(patient, kind)
    assert (result.value, result.lacks) == (None, "unsupported")
    assert f"the value of {kind} lies below zero, where it cannot be: it is not used [kept]" in said(patient)


@pytest.mark.parametrize(
    ("fact", "kind", "words"),
    [
        ("kind: body_weight, on: 2026-03-15, value: 700 kg", "body_weight", "0.2 to 650 kg"),
        ("kind: cd22_on_lymphoblasts, on: 2026-03-02, value: 150 %", "cd22_on_lymphoblasts", "0 to 100 %"),
        ('kind: lvef, on: 2026-03-10, value: "> 100 %"', "lvef", "5 to 95 %"),
        ("kind: lvef, on: 2026-03-10, value: 0.55 %", "lvef", "5 to 95 %"),
        ("kind: ecog, on: 2026-03-10, value: 7", "ecog", "0 to 5"),
        ("kind: ecg, on: 2026-03-14, qt: 427 ms, rate: 8000 /min", "ecg_heart_rate", "1 to 700 /min"),
    ],
)
def test_a_result_no_person_can_have_is_unknown(fact: str, kind: str, words: str) -> None:
    patient = written(fact)
    assert (only(patient, kind).value, only(patient, kind).lacks) == (None, "unsupported")
    assert f"the value of {kind} lies outside {words}, where it cannot be: it is not used [kept]" in said(patient)


@pytest.mark.parametrize(
    "fact",
    [
        "kind: body_weight, on: 2026-03-15, value: 635 kg",
        "kind: body_height, on: 2026-03-15, value: 272 cm",
        "kind: bilirubin_total, on: 2026-03-15, value: 80 mg/dL",
        "kind: blood_wbc, on: 2026-03-15, value: 2000000 /uL",
        'kind: lvef, on: 2026-03-10, value: "90..110 %"',
        "kind: lvef, on: 2026-03-10, value: 5 %",
    ],
)
def test_an_extreme_one_and_one_that_may_be_possible_stay(fact: str) -> None:
    patient = written(fact)
    assert (patient.problems, patient.facts[0].lacks) == ((), None)


def test_what_is_computed_is_shown_and_used() -> None:
    """Age 20, 300 kg, creatinine 0.1 mg/dL: 120 x 300 / (72 x 0.1) = 5,000 mL/min follows from what can be."""
    patient = read(
        "patient: P\nborn: 2006-01-01\nsex: male\nfacts:\n"
        "  - {kind: creatinine, on: 2026-03-15, value: 0.1 mg/dL}\n"
        "  - {kind: body_weight, on: 2026-03-15, value: 300 kg}\n"
    )
    assert only(patient, "creatinine_clearance").value == point(5000.0)
    assert "the computed value of creatinine_clearance lies outside 0 to 3000 mL/min: check it" in said(patient)


@pytest.mark.parametrize(("born", "used"), [("1850-01-01", False), ("1905-03-15", False), ("1905-03-16", True)])
def test_a_birth_that_makes_the_patient_older_than_people_become(born: str, used: bool) -> None:
    """On 2026-03-15 somebody born on 1905-03-15 is 121."""
    patient = read(f"patient: P\nborn: {born}\nfacts:\n  - {{{BILI}}}\n")
    assert (patient.born == parse_when(born)) is used
    assert ("the patient would be older than 120 years in the record" in said(patient)) is not used


def test_it_stays_where_it_is_and_no_older_result_speaks_for_it() -> None:
    patient = written(BILI.replace("03-15", "03-01"), BILI.replace("1.8", "-1.8"))
    assert [fact.value for fact in of(patient, "bilirubin_total")] == [point(1.8), None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0 mg/dL", point(0.0)),
        ("-1..0.5 mg/dL", Interval(-1.0, 0.5)),
        ('"<0.1 mg/dL"', Interval(None, 0.1, high_open=True)),
    ],
)
def test_zero_and_what_may_be_above_it_stay(value: str, expected: Interval) -> None:
    assert only(written(f"kind: bilirubin_total, on: 2026-03-15, value: {value}"), "bilirubin_total").value == expected


@pytest.mark.parametrize(
    ("limits", "uln", "lln", "words"),
    [
        ("uln: 0 mg/dL", None, None, "the upper limit of normal of bilirubin_total is not above zero"),
        ("uln: -1.2 mg/dL", None, None, "the upper limit of normal of bilirubin_total is not above zero"),
        ("uln: 0 mg/dL, lln: 0 mg/dL", None, 0.0, "the upper limit of normal of bilirubin_total is not above zero"),
        ("uln: 1.2 mg/dL, lln: 2 mg/dL", None, None, "lies below its lower one: neither is used"),
        ("uln: 1.2 mg/dL, lln: -2 mg/dL", 1.2, None, "the lower limit of normal of bilirubin_total lies below zero"),
        ("uln: 1.2 mg/dL, lln: 0 mg/dL", 1.2, 0.0, ""),
        ("uln: 1.2 mg/dL, lln: 1.2 mg/dL", 1.2, 1.2, ""),
    ],
)
def test_a_limit_that_is_none(limits: str, uln: float | None, lln: float | None, words: str) -> None:
    patient = written(f"{BILI}, {limits}")
    fact = only(patient, "bilirubin_total")
    assert fact.value == point(1.8)
    assert (fact.uln and fact.uln.low, fact.lln and fact.lln.low) == (uln, lln)
    assert words in said(patient)
    assert bool(patient.problems) == bool(words)


def test_it_holds_for_every_format() -> None:
    value = {**MG_DL, "value": -1.8}
    ranges = [{"low": {"value": 3, "unit": "mg/dL"}, "high": {"value": 1.2, "unit": "mg/dL"}}]
    patient = bundle(observation(BILIRUBIN, valueQuantity=value, referenceRange=ranges))
    fact = only(patient, "bilirubin_total")
    assert (fact.value, fact.lacks, fact.uln, fact.lln) == (None, "unsupported", None, None)
    table = read("patient,kind,on,value,unit,uln\nP1,bilirubin_total,2026-03-15,-1.8,mg/dL,0\n", "p.csv")
    assert only(table, "bilirubin_total").lacks == "unsupported"
    assert len(table.problems) == 2  # the value and the limit


@pytest.mark.parametrize("facts", [["kind: lvef, on: 2026-03-15, value: -5 %"], [f"{BILI}, uln: 0 mg/dL"]])
def test_it_is_the_same_after_writing_and_reading(facts: list[str]) -> None:
    patient = written(*facts)
    assert canon(read(json.dumps(to_bundle(patient, CATALOGUE)), "b.json")) == canon(patient)
    assert canon(read(to_patient_file(patient, CATALOGUE), "p.yaml")) == canon(patient)


# Birth ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "facts"),
    [
        ("2062-06-20", [BILI]),
        ("2026-03-16", [BILI]),
        ("2062", [BILI, "kind: ecog, value: 1, recorded: 2026-03-14", "kind: seizure"]),
    ],
)
def test_a_birth_after_everything_recorded_is_none(born: str, facts: list[str]) -> None:
    patient = written(*facts, born=born)
    assert patient.born == UNDATED
    assert "born: the date of birth lies after everything in the record: it is not used [kept]" in said(patient)


@pytest.mark.parametrize(
    ("born", "facts"),
    [
        ("1955-06-20", [BILI]),
        ("2026-03-15", [BILI]),
        ("2026", [BILI]),
        ("2026-03-16", [BILI, "kind: seizure, value: no, recorded: 2026-03-17"]),
        ("2062-06-20", []),
        ("2062-06-20", ["kind: seizure"]),
    ],
)
def test_a_birth_that_may_be_so_stays(born: str, facts: list[str]) -> None:
    assert written(*facts, born=born).born == parse_when(born)


def test_a_fact_before_the_birth_is_shown_and_kept() -> None:
    early = "kind: stroke, on: 1950-01-01"
    patient = written(BILI, early, "kind: seizure, value: no, from: 1940-01-01, recorded: 2026-03-10")
    assert patient.born == parse_when("1955-06-20")
    assert "facts[1]: is dated before the date of birth: check both [kept]" in said(patient)
    assert len(patient.problems) == 1
    assert len(of(patient, "stroke")) == 1


def test_the_age_of_nobody_born_yet_decides_nothing() -> None:
    patient = bundle(
        observation(concept(LOINC, "2160-0"), valueQuantity={"value": 1.0, "unit": "mg/dL"}),
        {**observation(concept(LOINC, "29463-7"), valueQuantity={"value": 60, "unit": "kg"}), "id": "x2"},
        patient={"resourceType": "Patient", "id": "p1", "birthDate": "2062-01-01", "gender": "male"},
    )
    assert only(patient, "creatinine_clearance").lacks == "no_record"


# What is said of the person twice ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "where"),
    [
        (["kind: sex, value: female, on: 2026-03-01"], "p.yaml:6 facts[0], sex"),
        (
            [BILI, "kind: sex, value: female", "kind: sex, value: female, on: 2020"],
            "p.yaml:7 facts[1], p.yaml:8 facts[2], and 1 more",
        ),
        (["kind: sex, value: male, on: 2026-03-01"], ""),
    ],
)
def test_two_sexes_are_shown_and_kept(facts: list[str], where: str) -> None:
    patient = written(*facts, sex="male")
    what = "the sex is not recorded as the same everywhere: check both"
    assert [str(problem) for problem in patient.problems] == ([f"{where}: {what}"] if where else [])
    assert len(of(patient, "sex")) == len([fact for fact in facts if "sex" in fact]) + 1


@pytest.mark.parametrize(
    ("facts", "where"),
    [
        (["kind: birth_date, value: 1990-01-01, on: 2026-03-01"], "born, p.yaml:6 facts[0]"),
        (["kind: birth_date, value: 1955-06-20, on: 2026-03-01"], ""),
        (["kind: birth_date, value: 1955-06, on: 2026-03-01"], ""),
        (["kind: birth_date, value: 1956", "kind: birth_date, value: 1957"], "born, p.yaml:6 facts[0], and 1 more"),
    ],
)
def test_two_dates_of_birth_are_shown_and_the_patients_own_is_kept(facts: list[str], where: str) -> None:
    patient = written(*facts, born="1955-06-20")
    what = "the date of birth is not recorded as the same everywhere: check both"
    assert [str(problem) for problem in patient.problems] == ([f"{where}: {what}"] if where else [])
    assert patient.born == parse_when("1955-06-20")
