"""Broken and hostile input: problems or one clear error, nothing else, and nothing of the record in a message."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.readers.canon import CATALOGUE, canon, read, vignettes

from onstudy.errors import OnstudyError
from onstudy.readers import read_patients
from onstudy.readers.fhir_write import to_bundle
from onstudy.readers.patientfile import patient_from
from onstudy.readers.patientfile_write import to_patient_file
from onstudy.record.patient import Patient

ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1e308,
    10**30,
    "",
    " ",
    "x",
    "2026-02-30",
    "9999-12-31",
    "0001-01-01",
    "2026-03-15T25:00",
    [],
    {},
    [{}],
    [[]],
    [None],
    {"coding": "x"},
    {"coding": [{"system": 1, "code": 2}]},
    {"value": "NaN"},
    {"value": 1e300},
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\ud800",
    "a\0b",
    {"reference": "#"},
    {"reference": "#x"},
    "urn:uuid:",
    {"low": {"value": 5}, "high": {"value": 1}},
    "Patient/",
    "final",
    "not-taken",
    "refuted",
    "A" * 5000,
    {"url": "https://onstudy.dev/fhir/attribute/agent", "valueCode": "rituximab"},
]
FIELDS = [
    "valueString",
    "valueBoolean",
    "valueRange",
    "status",
    "subject",
    "extension",
    "contained",
    "onsetAge",
    "onsetRange",
    "effectivePeriod",
    "hasMember",
    "component",
    "referenceRange",
    "identifier",
    "_effectiveDateTime",
    "specimen",
]


@cache
def bundles() -> list[dict[str, Any]]:
    return [to_bundle(vignettes()[name], CATALOGUE) for name in ("BASE-1", "BASE-2", "V12", "V13", "V16", "V20", "V22")]


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in parts:
        found += places(part, (*path, key))
    return found


def at(node: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A good bundle with a few things replaced, removed, moved or added."""
    document = copy.deepcopy(draw(st.sampled_from(bundles())))
    for _ in range(draw(st.integers(1, 8))):
        paths = places(document)
        path = draw(st.sampled_from(paths))
        parent, key = at(document, path[:-1]), path[-1]
        deed = draw(st.sampled_from(["replace", "replace", "remove", "move", "add"]))
        if deed == "replace":
            parent[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif deed == "remove":
            del parent[key]
        elif deed == "move":
            parent[key] = copy.deepcopy(at(document, draw(st.sampled_from(paths))))
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from(FIELDS))] = copy.deepcopy(draw(st.sampled_from(ODD)))
        else:
            parent.append(copy.deepcopy(draw(st.sampled_from(ODD))))
    return dict(document)


def harmless(patients: list[Patient]) -> None:
    """What holds of anything that was read at all."""
    for patient in patients:
        assert len({fact.id for fact in patient.facts}) == len(patient.facts)
        for problem in patient.problems:
            assert len(problem.what) < 400
            assert len(problem.where) < 300
            assert not set("<>") & set(problem.what)  # names of drugs and specimens are shown, and can do nothing
            assert "\n" not in problem.what + problem.where
        assert canon(read(json.dumps(to_bundle(patient, CATALOGUE)), "b.json")) == canon(patient)
        assert canon(read(to_patient_file(patient, CATALOGUE), "p.yaml")) == canon(patient)


@pytest.mark.parametrize("kind", ["neurologic_disorder", "pregnancy", "myocardial_infarction", "cns_leukemia_signs"])
@pytest.mark.parametrize("when", ["recorded: 2026-03-14", "recorded: 2026-03-14T10:00", "on: 2026-03-14", "value: no"])
def test_a_no_whose_status_cannot_be_read(kind: str, when: str) -> None:
    text = f"patient: A\nborn: 1970-01-01\nsex: female\nfacts:\n  - {{kind: {kind}, {when}}}\n"
    (patient,) = read_patients("p.yaml", text.replace(", value: no}", "}").replace("}", ", value: no}").encode())
    document = to_bundle(patient, CATALOGUE)
    for entry in document["entry"]:
        if entry["resource"]["resourceType"] != "Patient":
            entry["resource"] |= {"status": ["final"], "verificationStatus": [5]}
    found = list(read_patients("d.json", json.dumps(document).encode()))
    assert not any(fact.negative for fact in found[0].facts)
    harmless(found)


@settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(damaged())
def test_damaged_bundles(document: dict[str, Any]) -> None:
    try:
        patients = read_patients("d.json", json.dumps(document).encode("utf-8", "surrogatepass"))
    except OnstudyError as error:
        assert "\n" not in str(error)
        return
    harmless(patients)


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_byte_changed_or_a_file_cut_off(place: int, byte: int) -> None:
    text = json.dumps(bundles()[0]).encode()
    place %= len(text)
    for data in (text[:place] + bytes([byte]) + text[place + 1 :], text[:place]):
        try:
            read_patients("d.json", data)
        except OnstudyError as error:
            assert len(str(error)) < 300


SCALARS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.sampled_from(
        [
            "no",
            "yes",
            "unknown",
            "2026-03-10",
            "<20 [IU]/mL",
            "1.8 mg/dL",
            "1e999 kg",
            "positive",
            "rituximab",
            "pending",
            "3..1",
        ]
    ),
)
KEYS = st.sampled_from(
    [
        "kind",
        "id",
        "on",
        "from",
        "to",
        "value",
        "unit",
        "uln",
        "lln",
        "recorded",
        "status",
        "suspected",
        "sample",
        "active",
        "agent",
        "route",
        "intent",
        "term",
        "grade",
        "wbc",
        "cytospin",
        "detected",
        "method",
        "oops",
    ]
)
KINDS = st.sampled_from(sorted(CATALOGUE.kinds))
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.sampled_from(["value", "uln", "x"]), SCALARS, max_size=2)
)
ENTRIES = st.builds(lambda kind, rest: {**rest, "kind": kind}, KINDS, st.dictionaries(KEYS, VALUES, max_size=6))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "patient": VALUES,
            "born": VALUES,
            "sex": VALUES,
            "complete": VALUES,
            "oops": VALUES,
            "facts": st.one_of(st.lists(st.one_of(ENTRIES, VALUES), max_size=5), VALUES),
        },
    )
)
def test_wrong_patient_files(entry: dict[str, object]) -> None:
    patient = patient_from(entry, "p.yaml", CATALOGUE)
    assert canon(read(json.dumps(to_bundle(patient, CATALOGUE)), "b.json")) == canon(patient)
    assert canon(read(to_patient_file(patient, CATALOGUE), "p.yaml")) == canon(patient)


def test_a_name_that_ends_in_what_cannot_be_shown() -> None:
    patient = patient_from({"patient": " 0 \0 1 \x07"}, "p.yaml", CATALOGUE)
    assert patient.id == "0 1"
    assert canon(read(json.dumps(to_bundle(patient, CATALOGUE)), "b.json")) == canon(patient)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    try:
        read_patients("x", data)
    except OnstudyError as error:
        assert len(str(error)) < 1000


@settings(max_examples=200)
@given(st.lists(st.text(alphabet='abc,;"\n\r\t0', max_size=30), max_size=8))
def test_any_csv(lines: list[str]) -> None:
    try:
        read_patients("x.csv", ("patient,kind,value\n" + "\n".join(lines)).encode())
    except OnstudyError as error:
        assert len(str(error)) < 1000


@pytest.mark.parametrize(
    "reference",
    ["#", "#me", "Observation/a", "Bundle/x", "urn:uuid:", "http://", "/", "//", "_history/1", "Patient/../Patient/p1"],
)
def test_references_that_lead_nowhere_or_to_themselves(reference: str) -> None:
    loop = {
        "resourceType": "Observation",
        "id": "a",
        "status": "final",
        "hasMember": [{"reference": reference}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "valueQuantity": {"value": 70, "unit": "kg"},
        "specimen": {"reference": reference},
        "contained": [{"resourceType": "Observation", "id": "me", "hasMember": [{"reference": "#"}]}],
    }
    drug = {
        "resourceType": "MedicationStatement",
        "id": "m",
        "status": "active",
        "medicationReference": {"reference": reference},
        "reasonReference": [{"reference": reference}],
    }
    read(json.dumps([{"resourceType": "Patient", "id": "p1"}, loop, drug]), "b.json")
