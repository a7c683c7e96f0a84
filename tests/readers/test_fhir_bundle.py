"""Who a resource is about, and what holds it: bundles, pages, versions, contained resources, patients."""

from __future__ import annotations

import json

import pytest
from tests.readers.build import (
    BILIRUBIN,
    LOINC,
    MG_DL,
    PATIENT,
    SNOMED,
    Json,
    bundle,
    concept,
    condition,
    observation,
    parse_day,
    read_json,
    resource,
)
from tests.readers.canon import of, only, said

from onstudy.readers import read_patients
from onstudy.values.interval import point


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
    patients = read_patients(
        "b.json",
        json.dumps(
            {
                "resourceType": "Bundle",
                "type": "searchset",
                "entry": [
                    entry(one, PATIENT),
                    entry(two, {**PATIENT, "gender": "female"}),
                    entry(two, result),
                ],
            }
        ).encode(),
    )
    assert [len(of(patient, "bilirubin_total")) for patient in patients] == [0, 1]


def test_several_patients_and_nobodys_facts() -> None:
    document = {
        "resourceType": "Bundle",
        "type": "batch-response",
        "entry": [
            {"resource": PATIENT},
            {"resource": {**PATIENT, "id": "p2"}},
            {"resource": observation(BILIRUBIN, valueQuantity=MG_DL, subject={"reference": "Patient/p2"})},
            {"resource": observation(BILIRUBIN, id="n", valueQuantity=MG_DL, subject=None)},
        ],
    }
    one, two = read_patients("b.json", json.dumps(document).encode())
    assert (len(of(one, "bilirubin_total")), len(of(two, "bilirubin_total"))) == (0, 1)
    assert all("Observation/n" in said(patient) for patient in (one, two))


def test_contained_results_and_patients() -> None:
    inner = {"resourceType": "Observation", "id": "o", "status": "final", "code": BILIRUBIN, "valueQuantity": MG_DL}
    report = resource(
        "DiagnosticReport", status="final", code=concept(LOINC, "1-8"), result=[{"reference": "#o"}], contained=[inner]
    )
    assert only(bundle(report), "bilirubin_total").source == "DiagnosticReport/x1#o"
    alone = {
        **observation(BILIRUBIN, valueQuantity=MG_DL, subject={"reference": "#p"}),
        "contained": [{**PATIENT, "id": "p"}],
    }
    assert only(read_json(alone), "bilirubin_total").value == point(1.8)


def test_bundles_within_bundles_pages_and_versions() -> None:
    def version(number: int, value: float) -> Json:
        stamp = {"versionId": str(number), "lastUpdated": f"2026-03-1{number}T00:00:00Z"}
        return observation(BILIRUBIN, meta=stamp, valueQuantity={**MG_DL, "value": value})

    inner = {"resourceType": "Bundle", "type": "history", "entry": [{"resource": version(n, n)} for n in (1, 3, 2)]}
    document = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": "next", "url": "x"}],
        "entry": [
            {"resource": PATIENT},
            {"resource": PATIENT},
            {"resource": inner},
            {"request": {"method": "DELETE", "url": "Observation/y"}},
            {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}},
        ],
    }
    patient = read_json(document)
    assert only(patient, "bilirubin_total").value == point(3.0)
    for words in ("a further page", "the server reported: timeout"):
        assert words in said(patient)


DELETION = {"request": {"method": "DELETE", "url": "https://fhir.example/r4/Observation/b1/_history/3"}}


@pytest.mark.parametrize(
    ("sort", "before", "counted"),
    [("history", False, False), ("history", True, True), ("batch", False, False), ("batch", True, False)],
)
def test_what_a_bundle_lists_as_deleted_does_not_count_in_it(sort: str, before: bool, counted: bool) -> None:
    """A history begins with what is newest: what stands before the deletion was made after it."""
    result = {"resource": {**observation(BILIRUBIN, valueQuantity=MG_DL), "id": "b1"}}
    found = read_json({
        "resourceType": "Bundle", "type": sort,
        "entry": [{"resource": PATIENT}, *([result, DELETION] if before else [DELETION, result])],
    })  # fmt: skip
    assert bool(of(found, "bilirubin_total")) is counted
    assert "deleted" not in said(found)


@pytest.mark.parametrize(("server", "counted"), [("https://fhir.example/r4", False), ("https://other.example", True)])
def test_a_deletion_on_another_server_is_of_another_resource(server: str, counted: bool) -> None:
    result = {
        "fullUrl": f"{server}/Observation/b1",
        "resource": {**observation(BILIRUBIN, valueQuantity=MG_DL), "id": "b1"},
    }
    found = read_json({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": PATIENT}, result, DELETION]})
    assert bool(of(found, "bilirubin_total")) is counted
    assert ("deleted" in said(found)) is counted


def test_what_is_deleted_elsewhere_is_told() -> None:
    result = {"resource": {**observation(BILIRUBIN, valueQuantity=MG_DL), "id": "b2"}}
    document = {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": PATIENT}, result, DELETION]}
    found = read_json(document)
    assert only(found, "bilirubin_total").value == point(1.8)
    assert "resources that are listed as deleted and are not in the bundle, so that they count where they are: 1" in (
        said(found)
    )


def test_types_that_are_not_read_are_counted() -> None:
    claims = [resource("Claim", id=f"c{n}") for n in range(3)]
    assert "Claim (3)" in said(bundle(*claims, resource("Encounter", id="e")))


def test_patients_themselves() -> None:
    patient = bundle(
        patient={"resourceType": "Patient", "id": "../../etc", "birthDate": "1955-13-01", "gender": "other"}
    )
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
    extension = [
        {
            "url": "https://onstudy.dev/fhir/coverage",
            "extension": [
                {"url": "kind", "valueCode": "all"},
                {"url": "from", "valueDate": "2015-01-01"},
            ],
        }
    ]
    (cover,) = bundle(patient={**PATIENT, "extension": extension}).coverage
    assert (cover.kind, cover.first, cover.last) == ("all", parse_day("2015-01-01"), None)
