"""The REST API: the JSON of the command line, and clear refusals."""

from __future__ import annotations

import json
import re
from datetime import date
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient
from tests.web.conftest import TODAY

from onstudy import load_trial, read_patients, screen
from onstudy.faces.web.rest_models import MOMENT
from onstudy.faces.web.stock import Stock
from onstudy.registry.results import to_json
from onstudy.registry.search import Query, search
from onstudy.values.calendar import parse_when

API = "/api/onstudy/v1"
PATIENT = {
    "patient": "P1",
    "born": "1955-06-20",
    "sex": "male",
    "facts": [{"kind": "ecog", "on": "2026-03-14", "value": 1}],
}


def bundle(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("onstudy").joinpath("examples", name).read_text(encoding="utf-8"))
    return found


def ask(client: TestClient, **said: Any) -> Any:
    return client.post(f"{API}/screen", json={"trial": "NCT03739814", "patient": PATIENT, "on": "2026-03-16", **said})


def detail(response: Any) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    found: str = response.json()["detail"]
    return found


# Screening --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cohort-1-eligible.json", "data-missing.json", "hepatitis-b.json"])
def test_it_answers_what_the_command_line_prints(client: TestClient, name: str) -> None:
    answer = ask(client, patient=bundle(name), therapy_start="2026-03-18T09:00")
    [patient] = read_patients("patient", json.dumps(bundle(name)).encode())
    s = screen(load_trial("NCT03739814"), patient, date(2026, 3, 16), therapy_start="2026-03-18T09:00")
    assert answer.status_code == 200 and answer.text == f"[{s.to_json()}]"


def test_a_patient_file_as_an_object_is_a_record_too(client: TestClient) -> None:
    [found] = ask(client).json()
    assert found["patient"] == "P1" and found["on"] == "2026-03-16"
    assert next(row for row in found["criteria"] if row["id"] == "S1-16")["status"] == "met"


def test_without_a_date_it_is_today(client: TestClient) -> None:
    [found] = ask(client, on=None).json()
    assert found["on"] == TODAY.isoformat()


def test_a_bundle_of_two_patients_gives_two_answers(client: TestClient) -> None:
    two = [{"resourceType": "Patient", "id": name, "gender": "male", "birthDate": "1955-06-20"} for name in ("a", "b")]
    record = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in two]}
    assert [found["patient"] for found in ask(client, patient=record).json()] == ["a", "b"]


def test_anchors_assumptions_and_horizon_are_taken(client: TestClient) -> None:
    [found] = ask(
        client, anchors={"therapy_start": "2026-03-18T09:00+01:00"}, assume_complete=["all"], until="2026-03-20"
    ).json()
    assert found["anchors"]["therapy_start"] == "2026-03-18T09:00+01:00" and found["assumed_complete"] == ["all"]
    assert found["cohorts"][0]["windows"][-1]["to"] == "2026-03-20"


@pytest.mark.parametrize(("said", "status", "says"), [
    ({"trial": "NCT00000000"}, 404, "no trial file"),
    ({"trial": "/etc/passwd"}, 422, "trial:"),
    ({"patient": {}}, 422, "patient"),
    ({"patient": []}, 422, "patient:"),
    ({"patient": {"resourceType": "Observation"}}, 422, "patient"),
    ({"on": "2026-02-30"}, 422, "on: no day there is, from 1850 to 2199; write YYYY-MM-DD"),
    ({"on": "0001-01-01"}, 422, "on:"),
    ({"until": "2026-03-01"}, 422, "until 2026-03-01 lies before"),
    ({"anchors": {"nothing": "2026-03-18"}}, 422, "therapy_start"),
    ({"anchors": {"therapy_start": "2026-02-30"}}, 422, "no date and time there is"),
    ({"therapy_start": "2026-03-01"}, 422, "lies before"),
    ({"assume_complete": ["lvef"]}, 422, "assume_complete: the absence of lvef is never assumed; record it or deny it"),
    ({"assume_complete": ["sezure"]}, 422, "assume_complete: there is no kind 'sezure'; did you mean seizure?"),
    ({"patients": 1}, 422, "patients:"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused_clearly(
    client: TestClient, said: dict[str, Any], status: int, says: str
) -> None:
    answer = ask(client, **said)
    assert answer.status_code == status and says in detail(answer)


@pytest.mark.parametrize(
    ("moment", "is_one"),
    [
        ("0000-00-00", False), ("2026-02-29", False), ("2024-02-29", True), ("1900-02-29", False),
        ("2000-02-29", True), ("2026-04-31", False), ("2026-12-31T23:59", True), ("2026-12-31T24:00", False),
        ("1849-12-31", False), ("1850-01-01", True), ("2026-03-18T09:00+13:59", True), ("2200-01-01", False),
    ],
)  # fmt: skip
def test_the_document_takes_the_moments_there_are(moment: str, is_one: bool) -> None:
    """What the pattern takes can be read, so that no request that fits the document is refused for its date."""
    assert bool(re.search(MOMENT, moment)) is is_one
    if is_one:
        parse_when(moment)


@pytest.mark.parametrize(("said", "taken"), [
    ({"on": "1850-01-01", "patient": {"patient": "P1"}}, True), ({"on": "2199-12-31"}, True),
    ({"on": "1849-12-31"}, False),
    ({"on": "2200-01-01"}, False), ({"on": "2026-02-29"}, False), ({"on": "0160-07-27"}, False),
    ({"on": 0}, False), ({"on": "0"}, False), ({"on": "2026-03-16T00:00:00"}, False), ({"until": 86_400}, False),
    ({"on": "2026-03-16", "anchors": {"therapy_start": "2026-03-18"}}, True), ({"anchors": {"": "2026-03-18"}}, False),
    ({"anchors": {"A b": "2026-03-18"}}, False), ({"anchors": {"therapy_start": 0}}, False),
    ({"anchors": {f"a{n}": "2026-03-18" for n in range(21)}}, False), ({"assume_complete": ["All"]}, False),
])  # fmt: skip
def test_the_document_takes_what_the_site_takes(client: TestClient, said: dict[str, Any], taken: bool) -> None:
    """Neither is stricter: no request that fits the document is refused for its form, none that does not is taken."""
    document = client.get(f"{API}/openapi.json").json()
    body = {"trial": "NCT03739814", "patient": PATIENT, **said}
    fits = jsonschema.Draft202012Validator({"$ref": "#/components/schemas/Ask", "components": document["components"]})
    assert fits.is_valid(body) is taken
    assert (client.post(f"{API}/screen", json=body).status_code == 200) is taken


def test_everything_wrong_is_told_at_once(client: TestClient) -> None:
    said = detail(ask(client, patient={"x": 1}, anchors={"nothing": "2026-03-18"}, assume_complete=["lvef"]))
    assert len(said.splitlines()) == 3


def test_a_refusal_repeats_nothing_of_the_patient(client: TestClient) -> None:
    secret = "Q7-SECRET"
    for answer in (
        ask(client, patient={secret: 1}),
        ask(client, patient={"resourceType": "Patient", "birthDate": [secret]}, anchors={"x": "2026-01-01"}),
        ask(client, patient=secret),
    ):
        assert secret not in answer.text or answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"null", b'"x"', b"[" * 10_000, b'{"trial": "NCT03739814"}'])
def test_what_is_no_request_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post(f"{API}/screen", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


# Finding ----------------------------------------------------------------------------------------------------------


def test_find_answers_what_the_command_line_prints(client: TestClient, stock: Stock) -> None:
    answer = client.get(f"{API}/find", params={"words": "leukemia", "age": 67, "size": 5})
    assert answer.text == to_json(search(stock.registry, Query(words="leukemia", age=67, size=5), TODAY, stock.max_age))


def test_the_flagship_is_found_from_leukemia_67_and_a_zip_code(client: TestClient) -> None:
    found = client.get(f"{API}/find", params={"words": "leukemia", "age": 67, "zip": "35294"}).json()
    assert found["trials"][0]["nct_id"] == "NCT03739814"
    assert set(found["trials"][0]["nearest_site"]) == {"name", "city", "miles", "status", "status_date"}


@pytest.mark.parametrize("params", [
    {"phase": ["2", "3"]}, {"status": "recruiting"}, {"country": "united states"}, {"type": "interventional"},
    {"sex": "female"}, {"open": "true", "zip": "35294", "within": "50"}, {"sort": "distance", "city": "Birmingham, AL"},
    {"id": "NCT03739814"}, {"facets": "true"}, {"page": "2", "size": "3"}, {"status_age": "0"},
])  # fmt: skip
def test_every_filter_is_taken(client: TestClient, params: dict[str, Any]) -> None:
    answer = client.get(f"{API}/find", params=params)
    assert answer.status_code == 200 and answer.json()["total"] >= 0
    assert ("facets" in answer.json()) is ("facets" in params)


@pytest.mark.parametrize(("params", "says"), [
    ({"age": "old"}, "age"), ({"age": "-1"}, "age"), ({"zip": "1234"}, "zip"),
    ({"within": "10"}, "within: needs a place to measure from; give zip or city as well"),
    ({"sort": "distance"}, "sort=distance: needs a place to measure from; give zip or city as well"),
    ({"zip": "35294", "city": "Birmingham, AL"}, "zip, city: both name a place to measure from; give one of them"),
    ({"phase": "9"}, "phase"),
    ({"status": "closed"}, "status"), ({"wrods": "leukemia"}, "wrods"),
    ({"page": "0"}, "page"), ({"size": "1001"}, "size"), ({"id": "NCT1"}, "id"),
])  # fmt: skip
def test_what_is_wrong_in_a_search_is_told(client: TestClient, params: dict[str, str], says: str) -> None:
    answer = client.get(f"{API}/find", params=params)
    assert answer.status_code == 422 and says in detail(answer)


@pytest.mark.parametrize(("params", "says"), [
    ({"zip": "00000"}, "ZIP"), ({"country": "Narnia"}, "country"), ({"city": "Nowhereville"}, "no site lies in"),
    ({"city": "0"}, "no site lies in"),
])  # fmt: skip
def test_a_place_that_is_not_there_is_not_found(client: TestClient, params: dict[str, str], says: str) -> None:
    """The request is as documented, so it is not refused: 404, as for a trial that is not there."""
    answer = client.get(f"{API}/find", params=params)
    assert answer.status_code == 404 and says in detail(answer)


# Trials -----------------------------------------------------------------------------------------------------------


def test_the_trials_that_can_be_screened_are_listed(client: TestClient) -> None:
    found = client.get(f"{API}/trials").json()["trials"]
    assert [one["nct_id"] for one in found] == ["NCT03739814", "NCT06480136"]
    assert found[0]["criteria"] == 70 and [cohort["id"] for cohort in found[0]["cohorts"]] == ["C1", "C2", "C3"]


def test_one_trial_has_its_criteria_where_it_has_a_trial_file(client: TestClient) -> None:
    flagship = client.get(f"{API}/trials/NCT03739814").json()
    assert len(flagship["trial_file"]["criteria"]) == 70 and flagship["link"].endswith("/NCT03739814")
    assert client.get(f"{API}/trials/NCT01949129").json()["trial_file"] is None


@pytest.mark.parametrize(("path", "status"), [("NCT99999999", 404), ("x", 422), ("..%2F..", 404)])
def test_what_is_no_trial_is_refused(client: TestClient, path: str, status: int) -> None:
    answer = client.get(f"{API}/trials/{path}")
    assert answer.status_code == status and detail(answer)


@pytest.mark.parametrize("path", ["/trials", "/trials/NCT03739814", "/find", "/openapi.json"])
def test_head_works_wherever_get_does(client: TestClient, path: str) -> None:
    answer = client.head(f"{API}{path}")
    assert answer.status_code == 200 and answer.content == b""


def test_the_document_names_every_operation(client: TestClient) -> None:
    document = client.get(f"{API}/openapi.json").json()
    assert sorted(document["paths"]) == [f"{API}/find", f"{API}/screen", f"{API}/trials", f"{API}/trials/{{nct_id}}"]
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"] and {"200", "422"} <= set(operation["responses"])


@pytest.mark.parametrize(("name", "value"), [
    ("age_group", "child"), ("intervention_type", "radiation"), ("sponsor_class", "industry"),
])  # fmt: skip
def test_the_facets_of_the_pages_are_parameters(client: TestClient, stock: Stock, name: str, value: str) -> None:
    found = client.get(f"{API}/find", params={name: value}).json()
    query = Query(facets={name: (value.upper(),)}, size=20)
    assert found["total"] == search(stock.registry, query, TODAY).total
    assert 0 < found["total"] < client.get(f"{API}/find").json()["total"]
    assert client.get(f"{API}/find", params={name: "nothing"}).status_code == 422


# Described ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [API, f"{API}/"])
def test_its_address_describes_it_to_people(client: TestClient, path: str) -> None:
    """Every operation and every parameter of the OpenAPI document, with a link to that."""
    page, document = client.get(path), client.get(f"{API}/openapi.json").json()
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert f'href="{API}/openapi.json"' in page.text
    for where, methods in document["paths"].items():
        assert where in page.text
        for operation in methods.values():
            names = [one["name"] for one in operation.get("parameters", ())]
            assert all(f"<code>{name}</code>" in page.text for name in names)
    assert all(f"<code>{name}</code>" in page.text for name in document["components"]["schemas"]["Ask"]["properties"])
    assert API not in document["paths"] and f"{API}/" not in document["paths"]
