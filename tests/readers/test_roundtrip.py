"""Whatever a record says, its FHIR bundle and its patient file say again: nothing lost, nothing added."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.readers.canon import CATALOGUE, canon, read, vignettes, written

from onstudy.criteria.trial import Trial
from onstudy.language.library import trial_path
from onstudy.language.trialfile import load_trial_file
from onstudy.readers.dates import read_when, starting, write_when
from onstudy.readers.fhir_write import to_bundle
from onstudy.readers.patientfile_write import quoted, to_patient_file
from onstudy.record.assemble import make_patient
from onstudy.record.catalogue import (
    BOOLEAN,
    CODE,
    COUNT,
    DATE,
    MOMENT,
    NO,
    NONE,
    ORDERED,
    PERIOD,
    QUANTITY,
    STATE,
    YES,
    Attribute,
    Kind,
    ValueSet,
)
from onstudy.record.patient import Coverage, Fact, Patient, Value
from onstudy.screening.screen import screen
from onstudy.values.calendar import UNDATED, When, between, parse_when
from onstudy.values.interval import Interval, point
from onstudy.yamltext import read_yaml


def again(patient: Patient) -> tuple[Patient, Patient]:
    """The patient read back from its bundle and from its patient file."""
    bundle = to_bundle(patient, CATALOGUE)
    return read(json.dumps(bundle), "b.json"), read(to_patient_file(patient, CATALOGUE), "p.yaml")


@cache
def trial() -> Trial:
    return load_trial_file(trial_path("NCT03739814"), CATALOGUE)


# The vignettes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(vignettes()))
def test_each_vignette_in_both_forms(name: str) -> None:
    patient = vignettes()[name]
    by_fhir, by_file = again(patient)
    assert canon(by_fhir) == canon(patient)
    assert canon(by_file) == canon(patient)
    assert all(problem.fact_kept for form in (by_fhir, by_file) for problem in form.problems)


@pytest.mark.parametrize("name", [name for name in sorted(vignettes()) if name.startswith(("BASE", "V"))])
def test_each_vignette_has_the_same_answers_in_both_forms(name: str) -> None:
    patient = vignettes()[name]
    anchors = {"therapy_start": parse_when("2026-03-18T09:00")}

    def answers(form: Patient) -> list[tuple[str, str, str]]:
        found = screen(trial(), form, date(2026, 3, 16), anchors=anchors, catalogue=CATALOGUE)
        rows = [(row.criterion.id, row.status, row.if_confirmed) for row in found.criteria]
        return rows + [(cohort.id, cohort.verdict, "") for cohort in found.cohorts]

    first = answers(patient)
    assert all(answers(form) == first for form in again(patient))


def test_a_period_is_written_as_it_was_stated() -> None:
    """A newer "none" ends it; the day before that was recorded, it was known to go on."""
    patient = written(
        "kind: gvhd, from: 2025-12-01, active: yes, recorded: 2026-01-01", "kind: gvhd, value: no, recorded: 2026-03-14"
    )
    for form in (patient, *again(patient)):
        (disease,) = (fact for fact in form.facts if fact.kind == "gvhd" and not fact.negative)
        assert not disease.ongoing and disease.opened == (None, True)


@pytest.mark.parametrize(
    "fact",
    [
        "kind: treatment, agent: rituximab, from: 2026-03-01, to: 2026-04-01, recorded: 2026-03-05",
        "kind: treatment, agent: methotrexate, on: 2026-03-01, route: other, intent: other",
        "kind: mrd_marrow_submission, recorded: 2026-03-05",
        "kind: mrd_marrow_submission",
    ],
    ids=["an end to come", "none of the words", "sent by a day", "sent some day"],
)
def test_what_reading_would_doubt_is_written_so_that_it_stays(fact: str) -> None:
    patient = written(fact)
    assert [canon(form) for form in again(patient)] == [canon(patient)] * 2


@pytest.mark.parametrize("name", ["BASE-1", "BASE-2", "V07", "V13", "V16", "V22"])
def test_bundles_are_valid_r4(name: str) -> None:
    Bundle.model_validate(to_bundle(vignettes()[name], CATALOGUE))


def test_the_same_record_gives_the_same_bytes() -> None:
    patient = vignettes()["V20"]
    mixed = make_patient(patient.id, patient.born, None, patient.facts[::-1], patient.coverage, (), CATALOGUE)
    assert json.dumps(to_bundle(patient)) == json.dumps(to_bundle(mixed))
    assert to_patient_file(patient) == to_patient_file(mixed)


# What is written where ----------------------------------------------------------------------------------------------


def resources(patient: Patient) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in to_bundle(patient)["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


def test_idiomatic_fhir_with_the_codes_that_were_seen() -> None:
    patient = written(
        "kind: bilirubin_total, on: 2026-03-15, value: 1.8 mg/dL, uln: 1.2 mg/dL",
        "kind: epilepsy, from: 2015, to: ongoing, recorded: 2020-01-01",
        "kind: treatment, agent: rituximab, from: 2025-11-01, to: 2025-12-01, intent: ALL, route: intravenous",
        "kind: treatment, agent: leukapheresis, on: 2026-03-01",
        "kind: hematopoietic_transplant, type: allogeneic, on: 2025-11-17",
        "kind: mrd_marrow_submission, on: 2026-03-13, first_pull: yes",
        "kind: hbsag, on: 2026-03-01, value: negative",
    )
    found = resources(patient)
    codes = {r["id"]: [c["code"] for c in r["code"]["coding"]] for r in found["Observation"]}
    assert ["1975-2", "bilirubin_total"] in codes.values()
    assert ["hbsag"] in codes.values(), "a recalled code is not written"
    (bilirubin,) = (r for r in found["Observation"] if r["code"]["coding"][0]["code"] == "1975-2")
    assert bilirubin["valueQuantity"] == {
        "value": 1.8,
        "unit": "mg/dL",
        "system": "http://unitsofmeasure.org",
        "code": "mg/dL",
    }
    assert bilirubin["referenceRange"][0]["high"]["value"] == 1.2
    (epilepsy,) = found["Condition"]
    assert (epilepsy["onsetDateTime"], epilepsy["recordedDate"]) == ("2015", "2020-01-01")
    (drug,) = found["MedicationStatement"]
    assert drug["medicationCodeableConcept"]["coding"][0]["code"] == "121191"
    assert drug["effectivePeriod"] == {"start": "2025-11-01", "end": "2025-12-01"}
    assert {p["code"]["coding"][-1]["code"] for p in found["Procedure"]} == {
        "leukapheresis",
        "hematopoietic_transplant",
    }
    assert found["Specimen"][0]["receivedTime"] == "2026-03-13"


def test_ids_of_resources_come_back() -> None:
    text = json.dumps(
        [
            {"resourceType": "Patient", "id": "p1", "birthDate": "1955-06-20", "gender": "male"},
            {
                "resourceType": "Observation",
                "id": "b1",
                "status": "final",
                "valueInteger": 1,
                "code": {"coding": [{"system": "http://loinc.org", "code": "89247-1"}]},
            },
        ]
    )
    patient = read(text, "b.json")
    assert {fact.id for fact in patient.facts} == {"sex", "Observation/b1"}
    assert resources(patient)["Observation"][0]["id"] == "b1"
    assert canon(again(patient)[0]) == canon(patient)


def test_a_time_without_offset_is_no_fhir_time_and_still_comes_back() -> None:
    patient = written("kind: ecog, on: 2026-03-14T08:30, value: 1")
    (ecog,) = resources(patient)["Observation"]
    assert ecog["effectiveDateTime"] == "2026-03-14"
    assert canon(again(patient)[0]) == canon(patient)


# Any fact -----------------------------------------------------------------------------------------------------------

DAYS = st.dates(date(1990, 1, 1), date(2026, 12, 31))
CLOCKS = st.sampled_from(["", "T08:00", "T23:59:59", "T08:00Z", "T08:00:00.250+05:30", "T00:00-05:00"])
MOMENTS = st.one_of(
    st.builds(lambda day, clock: parse_when(f"{day}{clock}"), DAYS, CLOCKS),
    st.builds(lambda day: parse_when(f"{day}"[:7]), DAYS),
    st.builds(lambda day: parse_when(f"{day}"[:4]), DAYS),
)
STRETCHES = st.builds(lambda days: between(min(days), max(days)), st.tuples(DAYS, DAYS))
WHENS = st.one_of(
    MOMENTS, STRETCHES, st.builds(lambda day: between(None, day), DAYS), st.builds(lambda day: between(day, None), DAYS)
)


def rounded(number: float) -> float:
    """As every reader rounds: to 12 significant digits."""
    return float(f"{number:.12g}")


NUMBERS = st.one_of(st.floats(0, 1e6).map(rounded), st.integers(0, 1000).map(float), st.sampled_from([1.8, 1e-7, 0.1]))
INTERVALS = st.one_of(
    NUMBERS.map(point),
    st.builds(lambda n, is_open: Interval(None, n, high_open=is_open), NUMBERS, st.booleans()),
    st.builds(lambda n, is_open: Interval(n, None, low_open=is_open), NUMBERS, st.booleans()),
    st.builds(
        lambda n, width, a, b: Interval(n, rounded(n + width), a, b),
        NUMBERS,
        st.sampled_from([0.5, 2.0, 1e5]),
        st.booleans(),
        st.booleans(),
    ),
)


@given(WHENS)
def test_any_moment_as_text(when: When) -> None:
    assert read_when(write_when(when)) == when


@given(st.text(max_size=20))
def test_any_text_as_a_scalar_of_yaml(text: str) -> None:
    clean = "".join(letter for letter in text if not 0xD800 <= ord(letter) <= 0xDFFF).strip()
    (node,) = read_yaml(f"key: {quoted(clean)}\n", "t")
    assert node.mapping["key"].text == clean


def codes(values: ValueSet) -> st.SearchStrategy[frozenset[str]]:
    names = [*values.members, *(["other"] if values.open else [])]
    one = st.sampled_from(names).map(values.meaning)
    return st.one_of(one, st.builds(lambda a, b: a | b, one, one))


def values(entry: Kind | Attribute) -> st.SearchStrategy[Value]:
    sort = entry.type if isinstance(entry, Attribute) else entry.value
    if sort == QUANTITY:
        return INTERVALS
    if sort == COUNT:
        return st.one_of(
            st.integers(0, 20).map(lambda n: point(float(n))),
            st.integers(0, 20).map(lambda n: Interval(float(n), None)),
        )
    if sort == DATE:
        return WHENS
    if sort == BOOLEAN:
        return st.sampled_from([frozenset({YES}), frozenset({NO})])
    assert sort in (CODE, ORDERED), sort
    return codes(CATALOGUE.value_sets[entry.values])


LACKS = st.sampled_from(
    ["pending_result", "no_unit_or_limit", "not_stated", "imprecise_value", "conflict", "unsupported"]
)


@st.composite
def attributes(draw: st.DrawFn, kind: Kind) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, attribute in CATALOGUE.attributes(kind.name).items():
        if name != "detected" and draw(st.booleans()):
            found[name] = draw(st.one_of(st.none(), values(attribute)))
    return found


def measured(draw: st.DrawFn, fact: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """A value with its limits and detection, or a reason why there is none."""
    lacking = draw(st.one_of(st.none(), st.none(), LACKS))
    value = None if lacking else draw(values(kind))
    fact |= {"value": value, "lacks": lacking}
    if kind.value == QUANTITY and draw(st.booleans()):
        fact |= {"uln": point(draw(NUMBERS)), "lln": draw(st.one_of(st.none(), NUMBERS.map(point)))}
    if CATALOGUE.attribute(kind.name, "detected") is not None:
        detected = _detected(value) if isinstance(value, Interval) else draw(st.sampled_from(["", "yes", "no"]))
        if detected:
            fact["attributes"] = {**fact.get("attributes", {}), "detected": frozenset({detected})}
    return fact


def _detected(value: Interval) -> str:
    """What a number says of detection, as the reference reads it."""
    if value.low is None:
        return "no" if value.high_open else ""
    if value.high is None:
        return "yes"
    if value.low == value.high == 0:
        return "no"
    return "yes" if value.low > 0 else ""


@st.composite
def facts(draw: st.DrawFn, number: int) -> Fact:
    kind = draw(st.sampled_from(sorted(CATALOGUE.kinds.values(), key=lambda kind: kind.name)))
    fact: dict[str, Any] = {
        "id": draw(st.sampled_from([f"f{number}", f"Observation/o{number}", f'facts[{number}] ü "x"'])),
        "kind": kind.name,
    }
    fact["recorded"] = draw(st.one_of(st.none(), MOMENTS))
    if kind.value == NONE and not kind.components and draw(st.sampled_from([True, False, False])):
        return Fact(**fact, negative=True, **draw(denials(kind)))
    fact |= {
        "start": draw(WHENS),
        "certain": draw(st.sampled_from([True, True, False])),
        "attributes": draw(attributes(kind)),
    }
    fact |= draw(ends(kind, fact["start"]))
    if kind.components:
        return whole(draw, fact, kind)
    if kind.value != NONE:
        fact["sample"] = draw(st.sampled_from([None, None, "S1", "Specimen/ 7"]))
        return Fact(**measured(draw, fact, kind))
    if draw(st.integers(0, 9)) == 0:
        fact["lacks"] = draw(LACKS)
    return Fact(**fact)


@st.composite
def denials(draw: st.DrawFn, kind: Kind) -> dict[str, Any]:
    found: dict[str, Any] = {
        "end": draw(MOMENTS),
        "start": draw(st.one_of(st.just(UNDATED), st.just(parse_when("1980")))),
    }
    narrowable: dict[str, Attribute] = {
        n: a for n, a in CATALOGUE.attributes(kind.name).items() if a.type in (CODE, ORDERED, BOOLEAN)
    }
    narrow = draw(st.booleans())
    if narrow and narrowable:
        name = draw(st.sampled_from(sorted(narrowable)))
        found["narrowed"] = (name, draw(values(narrowable[name])))
    return found


@st.composite
def ends(draw: st.DrawFn, kind: Kind, start: When) -> dict[str, Any]:
    if kind.extent != PERIOD:
        return {"end": None}
    sort = draw(st.sampled_from(["ongoing", "unsaid", "one day", "known"]))
    if sort == "ongoing":
        return {"ongoing": True}
    if sort == "unsaid":
        return {"end": starting(start)}
    if sort == "one day":
        return {"end": start}
    return {
        "end": draw(
            st.sampled_from(
                [parse_when("2027-02"), parse_when("2027-03-01T08:00Z"), between(date(2027, 1, 1), date(2027, 2, 3))]
            )
        )
    }


def whole(draw: st.DrawFn, fact: dict[str, Any], kind: Kind) -> Fact:
    parts: dict[str, Fact] = {}
    fact["sample"] = draw(st.sampled_from([None, "S1"]))
    names = draw(st.lists(st.sampled_from(sorted(kind.components)), unique=True))
    if not names or draw(st.integers(0, 4)) == 0:
        fact["lacks"] = draw(st.one_of(st.none(), LACKS))  # a key of the patient file that nobody understands
    for name in names:
        component = CATALOGUE.kinds[kind.components[name]]
        part = {key: fact[key] for key in ("start", "certain", "recorded", "sample")}
        if fact["recorded"] is None:
            part["recorded"] = draw(st.one_of(st.none(), MOMENTS))
        parts[name] = Fact(**measured(draw, {"id": f"{fact['id']}.{name}", "kind": component.name, **part}, component))
    return Fact(**fact, parts=parts)


@st.composite
def patients(draw: st.DrawFn) -> Patient:
    count = draw(st.integers(0, 6))
    stated = [draw(facts(number)) for number in range(count)]
    cover = draw(
        st.lists(
            st.builds(
                Coverage,
                st.sampled_from(["all", "seizure"]),
                st.sampled_from([None, 735599]),
                st.sampled_from([None, 739690]),
            ),
            max_size=2,
        )
    )
    born = draw(
        st.sampled_from(
            [UNDATED, parse_when("1955-06-20"), parse_when("1955"), between(date(1955, 1, 3), date(1956, 2, 1))]
        )
    )
    sex = draw(st.sampled_from(["male", "female", ""]))
    name = draw(st.sampled_from(["P1", "patient 7", "../../etc/passwd", "<b>ü</b>"]))
    return make_patient(name, born, sex, stated, cover, (), CATALOGUE)


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(patients())
def test_any_record_in_both_forms(patient: Patient) -> None:
    by_fhir, by_file = again(patient)
    assert canon(by_fhir) == canon(patient)
    assert canon(by_file) == canon(patient)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(patients())
def test_any_record_as_valid_r4(patient: Patient) -> None:
    Bundle.model_validate(to_bundle(patient, CATALOGUE))


@pytest.mark.parametrize(
    ("fact", "lacks"),
    [
        ("kind: csf_examination, on: 2026-03-12, flo: positive", "not_stated"),
        ("kind: csf_examination, on: 2026-03-12, wbc: 1 /uL, rbc: 0 /uL, cytospin: negative, intent: x", "not_stated"),
        ("kind: csf_examination, on: 2026-03-12, wbc: 1 /uL, value: maybe", "not_stated"),
        ("kind: csf_examination, on: 2026-03-12, value: 'unknown: conflict'", "conflict"),
        ("kind: csf_examination, on: 2026-03-12, value: yes", None),
        ("kind: csf_examination, on: 2026-03-12, status: pending", "pending_result"),
        ("kind: csf_examination, on: 2026-03-12, wbc: 1 /uL, status: pending", "pending_result"),
        (
            "kind: csf_examination, on: 2026-03-12, wbc: {value: 1 /uL, status: final}, rbc: 0 /uL, status: pending",
            "pending_result",
        ),
        ("kind: ecg, on: 2026-03-14, qtcf: 425 ms, grade: 1", "not_stated"),
        ("kind: blood_count, on: 2026-03-15, wbc: 6.0 10*3/uL, disease_free_since: yes", "not_stated"),
    ],
)
def test_a_composite_that_was_not_wholly_understood_stays_so(fact: str, lacks: str | None) -> None:
    patient = written(fact)
    assert next(one.lacks for one in patient.facts if one.kind in fact) == lacks
    by_fhir, by_file = again(patient)
    assert canon(by_fhir) == canon(patient)
    assert canon(by_file) == canon(patient)


def test_the_generator_meets_every_extent() -> None:
    assert {kind.extent for kind in CATALOGUE} == {MOMENT, PERIOD, STATE}
