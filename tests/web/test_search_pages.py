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
from tests.web.pages import headings, hits, text

from onstudy.faces.web.app import create_app
from onstudy.faces.web.meant import taken_apart
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


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("within=25", "A distance needs a place to measure from: give a ZIP code or a city."),
        ("sort=distance", "An order by distance needs a place to measure from: give a ZIP code or a city."),
        ("zip=35294&city=Boston", "The address names two places to measure from, zip and city: give one of them."),
    ],
)
def test_a_place_that_is_missing_or_named_twice_is_told_on_the_page(client: TestClient, query: str, says: str) -> None:
    answer = client.get(f"/trials?q=leukemia&{query}")
    assert answer.status_code == 200 and says in text(answer.text) and len(hits(answer.text)) == 20
    assert "Distances from" not in answer.text
    table = client.get(f"/trials.csv?q=leukemia&{query}")
    assert table.status_code == 422 and says in text(table.text) and len(hits(table.text)) == 20
    link = re.search(r'href="(/trials\.csv[^"]*)"', answer.text)
    assert link is not None and client.get(unescape(link[1])).headers["content-type"].startswith("text/csv")


def test_one_place_named_by_both_parameters_is_one_place(client: TestClient) -> None:
    for path in ("/trials", f"/trials/{FLAGSHIP}"):
        twice, once = (client.get(f"{path}?zip=35294{more}").text for more in ("&city=35294", ""))
        assert "Birmingham, AL 35294" in twice and text(twice) == text(once), path
    said = text(client.get(f"/trials/{FLAGSHIP}?zip=35294&city=Boston").text)
    assert "The address names two places to measure from, zip and city: give one of them." in said


def test_taking_out_the_place_takes_out_what_is_measured_from_it(client: TestClient) -> None:
    page = client.get("/trials?q=leukemia&zip=35294&within=100&sort=distance").text
    link = re.search(r'href="([^"]*)">Near: 35294', page)
    assert link is not None and unescape(link[1]) == "/trials?q=leukemia"


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
    assert client.get(f"/trials.csv?{query}").status_code in (200, 422)


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
        assert client.get(f"{path}?{query}").status_code in (200, 422 if path == "/trials.csv" else 200)


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
    ("words", "apart"),
    [
        ("leukemia 67 35294", {"q": "leukemia", "zip": "35294", "age": "67"}),
        ("breast cancer, 52 years old, ZIP code 20892", {"q": "breast cancer", "zip": "20892", "age": "52"}),
        ("leukemia 35294", {"q": "leukemia", "zip": "35294"}),
        ("CD22 leukemia", {"q": "CD22 leukemia"}),
        ("covid-19", {"q": "covid-19"}),
        ("leukemia", {"q": "leukemia"}),
    ],
)
def test_an_age_and_a_zip_code_among_the_words_are_seen(words: str, apart: dict[str, str]) -> None:
    assert taken_apart(words, {}) == apart


def proposed(page: str) -> str:
    """The address behind "Did you mean"; empty where nothing is proposed."""
    link = re.search(r'Did you mean <a href="([^"]+)">', page)
    return unescape(link[1]) if link else ""


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("luekemia", "leukemia"),
        ("leucemia", "leukemia"),
        ("relapsd luekemia", "relapsed leukemia"),
        ("my mother has leukemia she is 67 and we live in 35294", "leukemia"),
        ("my mother has luekemia is we live in", "leukemia"),
    ],
)
def test_what_is_meant_is_proposed_and_finds_trials(client: TestClient, words: str, meant: str) -> None:
    page = client.get("/trials", params={"q": words}).text
    assert hits(page) == []
    assert f'value="{words}"' in page  # what was typed stays
    address = proposed(page)
    assert dict(QueryParams(address.partition("?")[2]))["q"] == meant
    assert hits(client.get(address).text)


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "xyzzyqqq", "zzzz 67", "...", "67 35294 qqqqq"])
def test_nothing_is_proposed_that_finds_nothing(client: TestClient, words: str) -> None:
    page = client.get("/trials", params={"q": words}).text
    address = proposed(page)
    assert not address or hits(client.get(address).text)
    assert "age 1" not in text(page)


def test_the_name_of_a_sponsor_leads_to_its_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "records", lambda: iter(()))
    sponsors = ["M.D. Anderson Cancer Center", "MD Anderson", "MD Someone Else"]
    store = store_of(*(study(number, sponsor=name) for number, name in enumerate(sponsors, 1)))
    client = TestClient(create_app(Stock(store, today=lambda: TODAY)), "http://127.0.0.1")
    page = client.get("/trials?q=MD+Anderson").text
    assert "2 trials have “MD Anderson” among the sponsors" in text(page)
    assert set(hits(client.get("/trials?sponsor=MD+Anderson").text)) == {"NCT00000001", "NCT00000002"}
    assert set(hits(client.get("/trials?sponsor=M.D.+Anderson").text)) == {"NCT00000001", "NCT00000002"}


# How words are read ------------------------------------------------------------------------------------------


def total(page: str) -> int:
    """How many trials a page counts."""
    found = re.search(r"([\d,]+) trials?\b", headings(page)[0])
    assert found is not None
    return int(found[1].replace(",", ""))


def test_or_asks_for_either(client: TestClient) -> None:
    leukemia, lymphoma, both, either = (
        total(client.get("/trials", params={"q": words}).text)
        for words in ("leukemia", "lymphoma", "leukemia lymphoma", "leukemia OR lymphoma")
    )
    assert either == leukemia + lymphoma - both
    said = text(client.get("/trials?q=leukemia+OR+lymphoma").text)
    assert "OR was read as: trials with the words before it, or with those after it" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("leukemia -AML", "A minus sign or NOT leaves nothing out here"),
        ("leukemia NOT lymphoma", "A minus sign or NOT leaves nothing out here"),
        ("leuk*", "A star (*) stands for no letters here: write whole words"),
        ("*", "A star (*) stands for no letters here: write whole words"),
    ],
)
def test_signs_that_mean_nothing_here_are_told(client: TestClient, words: str, says: str) -> None:
    assert says in text(client.get("/trials", params={"q": words}).text)


@pytest.mark.parametrize("words", ["B-cell leukemia", "leukemia - relapsed", "HLA-A*02", "not yet treated"])
def test_nothing_is_told_where_no_sign_was_meant(client: TestClient, words: str) -> None:
    said = text(client.get("/trials", params={"q": words}).text)
    assert "leaves nothing out here" not in said and "stands for no letters" not in said


def test_long_words_are_cut_at_a_word_and_the_page_says_so(client: TestClient) -> None:
    long = "leukemia " * 222
    page = client.get("/trials", params={"q": long}).text
    assert total(page) == total(client.get("/trials?q=leukemia").text)
    assert "This text is long: only its first part was looked for, up to “leukemia”" in text(page)
    assert f'value="{long.strip()}"' in page


# Places, titles, ticks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("written", "place"), [
    ("birmingham al", "Birmingham, Alabama"), ("Birmingham Alabama", "Birmingham, Alabama"),
    ("new york ny", "New York, New York"), ("Durham North Carolina", "Durham, North Carolina"),
])  # fmt: skip
def test_a_city_needs_no_comma(client: TestClient, written: str, place: str) -> None:
    assert f"Distances from {place}" in text(client.get("/trials", params={"zip": written}).text)


def test_cities_of_one_name_are_links(client: TestClient) -> None:
    page = client.get("/trials?q=leukemia&zip=Springfield").text
    assert "Sites lie in 2 cities of that name" in text(page)
    links = re.findall(r'<li><a href="([^"]+)">(Springfield, [^<]+)</a></li>', page)
    assert len(links) == 2
    for address, name in links:
        assert f"Distances from {name}" in text(client.get(unescape(address)).text)


def test_what_cannot_be_used_is_no_active_choice(client: TestClient) -> None:
    said = text(client.get("/trials?q=leukemia&zip=3529&within=10&age=old").text)
    assert "Near: 3529" not in said and "Miles: 10" not in said and "Age: old" not in said
    assert "Words: leukemia" in said


def test_a_closed_site_within_the_distance_is_named_beside_the_nearest_that_may_be_open(few: TestClient) -> None:
    page = text(few.get("/trials?zip=20892&id=NCT00000001").text)
    assert "Nearest site that is or may be open:" in page and "Within" not in page.partition("Nearest site")[2]


def test_a_trial_whose_only_near_site_is_closed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "records", lambda: iter(()))
    sites = [place("Bethesda", "COMPLETED", (38.98, -77.1)), place("Odense", point=(55.4, 10.4), country="Denmark")]
    client = TestClient(create_app(Stock(store_of(study(1, sites=sites)), today=lambda: TODAY)), "http://127.0.0.1")
    said = text(client.get("/trials?zip=20892&within=10").text)
    assert re.search(r"Nearest site that is or may be open: [^·]*Odense", said)
    assert re.search(r"Within 10 miles: [^·]*Bethesda, [^·]* · completed", said)


@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("/trials", "Find a trial · onstudy"),
        ("/trials?q=leukemia", "leukemia: find a trial · onstudy"),
        ("/trials?phase=PHASE2", "phase 2: find a trial · onstudy"),
        ("/trials?q=leukemia&age=67&page=2", "leukemia, Age: 67: find a trial, page 2 · onstudy"),
    ],
)
def test_the_title_says_what_was_searched(client: TestClient, address: str, title: str) -> None:
    found = re.search(r"<title>(.*?)</title>", client.get(address).text)
    assert found is not None and found[1] == title


def test_ids_hold_no_space_and_are_there_once(client: TestClient) -> None:
    for path in ("/trials?q=leukemia", f"/trials/{FLAGSHIP}", "/trials/NCT01949129"):
        ids = re.findall(r'\sid="([^"]*)"', client.get(path).text)
        assert not [one for one in ids if not one or re.search(r"\s", one)]
        assert len(ids) == len(set(ids)), path


def test_the_list_bears_the_title_of_the_trials_page(client: TestClient) -> None:
    (title,) = headings(client.get(f"/trials/{FLAGSHIP}").text, 1)
    assert headings(client.get(f"/trials?id={FLAGSHIP}").text, 3)[-1] == title


def test_ticks_go_along_to_other_pages_and_to_print(client: TestClient) -> None:
    page = client.get(f"/trials?q=leukemia&zip=35294&page=2&tick={FLAGSHIP}").text
    assert FLAGSHIP not in hits(page)
    assert f'<input type="hidden" name="tick" value="{FLAGSHIP}">' in page
    assert "1 more trial is ticked that is not on this page" in text(page)
    onward = re.search(r'href="([^"]+)" rel="next"', page)
    assert onward is not None and f"tick={FLAGSHIP}" in onward[1]
    second = hits(page)[0]
    printed = client.get(f"/trials/selected?q=leukemia&zip=35294&tick={FLAGSHIP}&tick={second}").text
    assert set(hits(printed)) == {FLAGSHIP, second}
    assert "the newest of 2026-05-15" in text(printed) and "record updated 2026-05-15" not in text(printed)
    first = client.get(f"/trials?q=leukemia&zip=35294&tick={FLAGSHIP}").text
    assert re.search(rf'id="select-{FLAGSHIP}"[^>]* checked', first)


def test_printing_without_a_tick_keeps_the_search(client: TestClient) -> None:
    answer = client.get("/trials/selected?q=leukemia&zip=35294")
    assert answer.status_code == 422
    assert "Tick the boxes of the trials that you want to print" in text(answer.text)
    assert hits(answer.text)[0] == FLAGSHIP


def test_the_table_tells_the_last_known_status(client: TestClient) -> None:
    rows = csv.DictReader(io.StringIO(client.get(f"/trials.csv?id={FLAGSHIP}").text.removeprefix("\ufeff")))
    row = next(iter(rows))
    assert (row["status"], row["last_known_status"], row["last_known_status_date"]) == (
        "UNKNOWN", "SUSPENDED", "2023-04-04",
    )  # fmt: skip


def test_what_is_kept_is_said_alike_everywhere(client: TestClient) -> None:
    start, about = text(client.get("/").text), text(client.get("/about").text)
    assert "stands in the address" in start and "stands in the address" in about
    assert "Nothing you type is stored" not in start


def test_without_javascript_the_order_has_its_button_and_the_trials_their_skip_link(client: TestClient) -> None:
    page = client.get("/trials?q=leukemia").text
    assert re.search(r"<noscript><button[^>]*>Set order</button></noscript>", page)
    assert '<a class="usa-skipnav" href="#count">Skip to the trials</a>' in page.partition("<header")[0]
