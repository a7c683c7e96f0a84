"""The search pages: what they find and say, without a browser."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from tests.registry.studies import site as place
from tests.registry.studies import store_of, study
from tests.web.conftest import TODAY
from tests.web.pages import hits, text

from onstudy.faces.web.app import create_app
from onstudy.faces.web.asked import asked, suggestion
from onstudy.faces.web.stock import Stock
from onstudy.registry import shipped

FLAGSHIP = "NCT03739814"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A site with trials made up for the test."""
    monkeypatch.setattr(shipped, "records", lambda: iter(()))
    store = store_of(
        study(1, title="Open <b>and</b> near", sites=[place("Rockville", point=(39.08, -77.15), state="Maryland")],
              conditions=["asthma"], phases=["PHASE1", "PHASE2"]),
        study(2, title="Open and far", sites=[place("Odense", point=(55.4, 10.4), country="Denmark")],
              conditions=["asthma"], phases=["PHASE3"]),
        study(3, title="Closed", status="COMPLETED", conditions=["asthma"],
              sites=[place("Bethesda", "COMPLETED", (38.98, -77.1))]),
        study(4, title="No site", conditions=["gout"], interventions=["Besponsa"], youngest="70 Years"),
    )  # fmt: skip
    return TestClient(create_app(Stock(store, today=lambda: TODAY)), "http://127.0.0.1", follow_redirects=False)


# The way to the flagship -------------------------------------------------------------------------------------


def test_leukemia_67_zip_35294_finds_the_flagship_first(client: TestClient) -> None:
    page = client.get("/trials?q=leukemia&age=67&zip=35294").text
    assert hits(page)[0] == FLAGSHIP
    first = text(page.partition("<article")[2].partition("</article>")[0])
    assert "University of Alabama at Birmingham Cancer Center, Birmingham, Alabama" in first
    assert "listed as open about 2021, ask the site" in first
    assert "less than 1 mile ·" in first
    assert f'href="/trials/{FLAGSHIP}?zip=35294"' in page


def test_all_of_it_typed_into_one_field_is_understood(client: TestClient) -> None:
    page = client.get("/trials?q=leukemia,+67,+ZIP+35294").text
    link = re.search(r'Did you mean <a href="([^"]+)">', page)
    assert link is not None
    assert hits(client.get(unescape(link[1])).text)[0] == FLAGSHIP


# Places ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zip", "says"),
    [
        ("3529", "'3529' is not a ZIP code"),
        ("35294-12", "is not a ZIP code"),
        ("00000", "There is no ZIP code 00000"),
        ("09012", "where it lies is not known here"),
        ("Nowhereville", "No site lies in a city called 'Nowhereville'"),
    ],
)
def test_a_place_that_cannot_be_used_is_told_and_the_rest_is_searched(client: TestClient, zip: str, says: str) -> None:
    answer = client.get("/trials", params={"q": "leukemia", "zip": zip})
    assert answer.status_code == 200
    assert says in text(answer.text)
    assert len(hits(answer.text)) == 20
    assert 'aria-invalid="true"' in answer.text


def test_a_city_is_a_place_too(client: TestClient) -> None:
    page = client.get("/trials?zip=Bethesda,+MD").text
    assert "Distances from Bethesda" in text(page)


def test_the_nearest_site_is_shown_also_outside_the_radius(few: TestClient) -> None:
    page = few.get("/trials?zip=20892&within=25").text
    assert hits(page) == ["NCT00000001", "NCT00000003"]
    page = few.get("/trials?q=gout&zip=20892&within=25").text
    assert "No trial meets all of this" in text(page)
    page = few.get("/trials?zip=20892&within=25&id=NCT00000002").text
    assert "None within 25 miles The nearest one beyond that" in text(page)
    assert "Odense" in page


def test_open_near_me_keeps_what_is_or_may_be_open(few: TestClient) -> None:
    assert hits(few.get("/trials?zip=20892&within=25&open=1").text) == ["NCT00000001"]


def test_an_old_status_reads_ask_the_site_after_as_many_days_as_are_set(few: TestClient) -> None:
    fresh = text(few.get("/trials?zip=20892&id=NCT00000001").text)
    assert "open, as stated on 2026-05-10" in fresh
    old = few.get("/trials?zip=20892&id=NCT00000001&status_age=5").text
    assert "listed as open on 2026-05-10, ask the site" in text(old)
    assert 'name="status_age" value="5"' in old


# Facets, paging, addresses -----------------------------------------------------------------------------------


def test_facets_have_counts_and_leave_themselves_out(few: TestClient) -> None:
    page = few.get("/trials?q=asthma&phase=PHASE3").text
    assert hits(page) == ["NCT00000002"]
    said = text(page)
    assert "phase 1 (1)" in said and "phase 2 (1)" in said and "phase 3 (1)" in said
    both = few.get("/trials?q=asthma&phase=PHASE3&phase=PHASE1&status=recruiting")
    assert sorted(hits(both.text)) == ["NCT00000001", "NCT00000002"]
    assert hits(few.get("/trials?phase=NONSENSE").text) == []


def test_an_address_is_stable_and_holds_all_that_was_asked(few: TestClient) -> None:
    given = "q=asthma&zip=20892&age=30&sex=female&within=25&open=1&status=RECRUITING&phase=PHASE1&sort=newest"
    page = few.get(f"/trials?{given}&condition=&page=1").text
    canonical = re.search(r'<link rel="canonical" href="([^"]+)">', page)
    assert canonical is not None
    again = few.get(unescape(canonical[1])).text
    assert re.search(r'<link rel="canonical" href="([^"]+)">', again)[1] == canonical[1]  # type: ignore[index]
    assert hits(again) == hits(page)
    assert set(unescape(canonical[1]).partition("?")[2].split("&")) == set(given.split("&"))


def test_every_field_comes_back_as_it_was_filled_in(few: TestClient) -> None:
    page = few.get("/trials", params={"q": '"<asthma>', "age": "abc", "zip": "20892", "sex": "male"}).text
    assert 'value="&#34;&lt;asthma&gt;"' in page
    assert 'value="abc"' in page and 'value="20892"' in page
    assert '<option value="male" selected>' in page


def test_pages_hold_twenty_and_lead_on(client: TestClient) -> None:
    first, second = client.get("/trials?q=leukemia").text, client.get("/trials?q=leukemia&page=2").text
    assert len(hits(first)) == 20 and not set(hits(first)) & set(hits(second))
    assert 'rel="next"' in first and 'aria-current="page" aria-label="Page 2"' in second
    last = client.get("/trials?q=leukemia&page=9999").text
    assert hits(last) and 'rel="next"' not in last


def test_the_order_is_said_in_words(client: TestClient) -> None:
    said = text(client.get("/trials?q=leukemia&zip=35294").text)
    assert "Order: trials that can enrol first, then those of which nobody can tell" in said


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "page=99999999999999999999", "age=999", "age=-1", "within=nan", "within=-3",
     "within=1e400", "sort=x", "sort=distance", "id=NCT1", "id=" + "NCT00000001+" * 300, "status=" + "x" * 900,
     "q=%00%ff", "q=" + "a" * 3000, "zip=%F0%9F%98%80", "status_age=abc", "phase=&phase=", "open=", "sex=other"],
)  # fmt: skip
def test_no_address_breaks_the_page(client: TestClient, query: str) -> None:
    assert client.get(f"/trials?{query}").status_code == 200
    assert client.get(f"/trials.csv?{query}").status_code == 200


NAMES = [
    "q", "zip", "age", "sex", "within", "open", "phase", "status", "country", "sort", "page", "id", "state", "sites",
    "condition", "sponsor", "status_age", "city", "words", "%00", "",
]  # fmt: skip
VALUES = ["35294", "67", "Bethesda, MD", "1e9", "-1", "nan", "PHASE2", "distance", "all"]
some_value = st.one_of(st.text(max_size=30), st.sampled_from(VALUES), st.integers(-(10**20), 10**20).map(str))


@given(st.lists(st.tuples(st.sampled_from(NAMES), some_value), max_size=8))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_an_address_there_is_a_page(client: TestClient, pairs: list[tuple[str, str]]) -> None:
    query = urlencode([(name, value.encode("utf-8", "surrogatepass")) for name, value in pairs])
    for path in ("/trials", "/trials.csv", "/", "/trials/NCT05519384"):
        assert client.get(f"{path}?{query}").status_code == 200


def test_markup_in_a_title_is_text(few: TestClient) -> None:
    page = few.get("/trials?q=asthma").text
    assert "Open &lt;b&gt;and&lt;/b&gt; near" in page and "<b>and</b>" not in page


# Print, table ------------------------------------------------------------------------------------------------


def test_selected_trials_are_a_page_to_print(client: TestClient) -> None:
    page = client.get(f"/trials/selected?id={FLAGSHIP}&id=NCT05519384&zip=35294").text
    assert set(hits(page)) == {FLAGSHIP, "NCT05519384"}
    assert f"https://clinicaltrials.gov/study/{FLAGSHIP}" in page
    assert client.get("/trials/selected").status_code == 422


def test_the_table_holds_all_of_a_search(client: TestClient) -> None:
    answer = client.get("/trials.csv?q=leukemia&zip=35294&page=2")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(rows) == 72
    assert rows[0]["nct_id"] == FLAGSHIP
    assert rows[0]["site_reads"] == "listed as open about 2021, ask the site"


# What was probably meant -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("leukemia 67 35294", "/trials?q=leukemia&zip=35294&age=67"),
        ("breast cancer, 52 years old, ZIP code 20892", "/trials?q=breast+cancer&zip=20892&age=52"),
        ("leukemia 35294", "/trials?q=leukemia&zip=35294"),
        ("CD22 leukemia", None),
        ("covid-19", None),
        ("leukemia", None),
    ],
)
def test_an_age_and_a_zip_code_among_the_words_are_seen(stock: Stock, words: str, meant: str | None) -> None:
    found = suggestion(asked(QueryParams({"q": words}), stock.registry))
    assert (found and found[1]) == meant
