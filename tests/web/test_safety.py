"""What holds on every page: headers, limits, HEAD, failures as pages and as JSON, and a log that tells on nobody."""

from __future__ import annotations

import json
import logging
import time

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from onstudy.errors import OnstudyError
from onstudy.faces.web.app import create_api
from onstudy.faces.web.safety import Limits, guarded
from onstudy.faces.web.stock import Stock

PAGES = ("/about", "/health", "/nowhere")


@pytest.fixture
def rigged(stock: Stock) -> TestClient:
    """The site with routes that go wrong, and with small limits."""
    api: FastAPI = create_api(stock)

    @api.get("/breaks")
    def breaks() -> None:
        raise ValueError("the patient is Jane Roe")

    @api.get("/refuses")
    def refuses() -> None:
        raise OnstudyError("a thing, its place, and the way out")

    @api.get("/sleeps")
    def sleeps() -> str:
        time.sleep(0.6)
        return "late"

    @api.post("/takes")
    async def takes(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    @api.get("/number/{number}")
    def number(number: int) -> int:
        return number

    return TestClient(guarded(api, Limits(body=1000, seconds=0.3, address=500), ["127.0.0.1"]), "http://127.0.0.1")


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy and "http" not in policy and "default-src 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_head_is_get_without_the_body(client: TestClient, path: str) -> None:
    got, headed = client.get(path), client.head(path)
    assert headed.status_code == got.status_code
    assert headed.content == b"" and got.content != b""
    assert headed.headers["content-length"] == got.headers["content-length"]


def test_a_failure_is_a_page_or_json_by_what_is_accepted(client: TestClient) -> None:
    page = client.get("/nowhere", headers={"Accept": "text/html"})
    assert page.status_code == 404 and "There is no such page" in page.text
    told = client.get("/nowhere", headers={"Accept": "application/json"})
    assert told.headers["content-type"] == "application/problem+json"
    assert told.json()["status"] == 404
    assert client.get("/api/nowhere", headers={"Accept": "text/html"}).json()["status"] == 404


def test_an_error_of_ours_says_nothing_of_what_was_sent(rigged: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = rigged.get("/breaks", headers={"Accept": "text/html"})
    assert answer.status_code == 500 and "Something went wrong here" in answer.text
    assert "Jane" not in answer.text + caplog.text
    assert "ValueError" in caplog.text and "test_safety.py" in caplog.text


def test_what_cannot_be_used_is_told_and_what_was_sent_is_not_repeated(rigged: TestClient) -> None:
    assert "a thing, its place, and the way out" in rigged.get("/refuses").text
    answer = rigged.get("/number/JaneRoe", headers={"Accept": "application/json"})
    assert answer.status_code == 422 and "number" in answer.json()["detail"]
    assert "JaneRoe" not in answer.text


def test_too_large_is_refused_whether_announced_or_not(rigged: TestClient) -> None:
    assert rigged.post("/takes", content=b"x" * 1000).json() == {"size": 1000}
    assert rigged.post("/takes", content=b"x" * 1001).status_code == 413
    assert rigged.post("/takes", content=(b"x" * 400 for _ in range(3))).status_code == 413
    assert rigged.get(f"/about?{'x' * 500}").status_code == 413


def test_too_slow_is_answered_in_time(rigged: TestClient) -> None:
    start = time.monotonic()
    answer = rigged.get("/sleeps")
    assert answer.status_code == 503
    assert time.monotonic() - start < 0.59


def test_another_name_and_another_sites_form_are_refused(rigged: TestClient) -> None:
    assert rigged.get("/about", headers={"Host": "evil.example"}).status_code == 400
    assert rigged.get("/about", headers={"Host": "127.0.0.1:8000"}).status_code == 200
    assert rigged.post("/takes", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert rigged.post("/takes", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize(("origin", "status"), [
    ("http://127.0.0.1:8000", 200), ("https://127.0.0.1:8000", 200), ("http://trials.example", 403),
    ("http://127.0.0.1:9000", 403), ("http://127.0.0.1", 403), ("http://evil.example", 403), ("null", 403), ("", 200),
    ("ftp://127.0.0.1:8000", 403), ("127.0.0.1:8000", 403),
])  # fmt: skip
def test_a_form_is_refused_by_its_origin_where_a_browser_says_no_more(
    rigged: TestClient, origin: str, status: int
) -> None:
    headers = {"Host": "127.0.0.1:8000", **({"Origin": origin} if origin else {})}
    assert rigged.post("/takes", headers=headers).status_code == status
    assert rigged.get("/about", headers=headers).status_code == 200


def test_the_address_a_site_goes_by_is_its_own_origin(stock: Stock) -> None:
    """A server in front speaks TLS and asks under a name of the machine."""
    named = Stock(stock.registry, address="https://trials.example")
    app = guarded(create_api(named), Limits(), ["127.0.0.1"])
    asking = TestClient(app, "http://127.0.0.1:8000")
    assert asking.post("/coordinator", headers={"Origin": "https://trials.example"}).status_code == 422
    assert asking.post("/coordinator", headers={"Origin": "http://trials.example"}).status_code == 403


@pytest.mark.parametrize("path", ["/coordinator", "/trials/NCT03739814/questions", "/api/onstudy/v1/screen"])
def test_every_form_and_the_rest_api_hold_to_it(client: TestClient, path: str) -> None:
    assert client.post(path, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post(path, headers={"Origin": "http://127.0.0.1"}).status_code in (200, 422)


def test_the_log_holds_four_things(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "onstudy.web"):
        client.get("/about?zip=35294&age=67")
        client.get("/static/x/onstudy.css")
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "onstudy.web"]
    assert [set(line) for line in lines] == [{"method", "route", "status", "ms"}] * 2
    assert [line["route"] for line in lines] == ["/about", "/static/{version}/{name:path}"]
    assert "35294" not in caplog.text


def test_static_files_are_known_by_their_content(client: TestClient) -> None:
    page = client.get("/about").text
    for part in page.split('href="/static/')[1:] + page.split('src="/static/')[1:]:
        name = f"/static/{part.partition(chr(34))[0]}"
        answer = client.get(name)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/x/../../app.py").status_code == 404
    assert client.get("/static/x/vendor/nothing.css").status_code == 404


@pytest.mark.parametrize(("path", "to"), [
    ("/trials/?q=leukemia&zip=35294", "/trials?q=leukemia&zip=35294"), ("/coordinator/", "/coordinator"),
    ("/about/", "/about"), ("/trials/NCT03739814/", "/trials/NCT03739814"),
    ("/trials/NCT03739814/questions/", "/trials/NCT03739814/questions"), ("/trials/a%3Fb/", "/trials/a%3Fb"),
])  # fmt: skip
def test_a_slash_at_the_end_leads_to_the_page(client: TestClient, path: str, to: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (308, to)


@pytest.mark.parametrize("path", ["//evil.example/", "//evil.example/trials/", "/nowhere/"])
def test_a_slash_at_the_end_leads_nowhere_else(client: TestClient, path: str) -> None:
    assert client.get(f"http://127.0.0.1{path}").status_code == 404


def test_what_browsers_and_crawlers_ask_for_unbidden_is_answered(client: TestClient) -> None:
    icon, robots = client.get("/favicon.ico"), client.get("/robots.txt")
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml") and b"<svg" in icon.content
    assert robots.status_code == 200 and robots.text.splitlines() == ["User-agent: *", "Allow: /"]
