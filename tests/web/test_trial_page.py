"""The page of a trial: the seed page's sections in its order, for every record; sites; hostile and extreme records."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.registry.studies import put, store_of, study
from tests.registry.studies import site as place
from tests.web.conftest import TODAY
from tests.web.pages import data, facts, headings, section, text

from onstudy.faces.web.app import create_app
from onstudy.faces.web.stock import Stock
from onstudy.registry import shipped
from onstudy.registry.importing import import_paths
from onstudy.registry.store import Store, in_memory

FLAGSHIP = "/trials/NCT03739814"
#: The seed page's sections, in its order.
SECTIONS = [
    "Quick facts", "What this trial studies", "Who should consider this trial", "Why it matters",
    "Eligibility criteria", "Where this trial is running", "Study contacts", "How to participate",
]  # fmt: skip


def served(store: Store) -> TestClient:
    return TestClient(create_app(Stock(store, today=lambda: TODAY)), "http://127.0.0.1", follow_redirects=False)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores without the trials that ship."""
    monkeypatch.setattr(shipped, "records", lambda: iter(()))


@pytest.fixture
def flagship(client: TestClient) -> str:
    return client.get(FLAGSHIP).text


# The sections ------------------------------------------------------------------------------------------------


def test_the_sections_are_the_seed_pages_in_its_order(flagship: str, shared: Path) -> None:
    seed = (shared / "reference/seed-find-a-trial-NCT03739814.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in seed if line in SECTIONS] == SECTIONS
    found = headings(flagship)
    assert [one for one in found if one in SECTIONS] == SECTIONS
    assert found.index("Treatment plan and schedule") == found.index("Where this trial is running") - 1
    assert headings(flagship, 1) == [seed[0]]
    assert seed[2] in text(flagship)
    assert "View on ClinicalTrials.gov →" in text(flagship)
    for said in ("Potential benefit", "How similar studies have performed", "Good fit", "Not a fit"):
        assert said in headings(flagship, 3)
    assert "Show full inclusion / exclusion criteria" in text(flagship)


def test_every_shipped_trial_has_every_section(client: TestClient, stock: Stock) -> None:
    with stock.registry.snapshot() as db:
        ids = [id for (id,) in db.execute("SELECT nct_id FROM study")]
    assert len(ids) == 73
    for id in ids:
        answer = client.get(f"/trials/{id}")
        assert answer.status_code == 200
        assert [one for one in headings(answer.text) if one in SECTIONS] == SECTIONS, id
        assert "None" not in facts(answer.text).values(), id


def test_quick_facts_say_what_the_seed_page_says(flagship: str) -> None:
    said = facts(section(flagship, "Quick facts"))
    assert said["Phase"] == "Phase 2"
    assert said["Study type"] == "Interventional"
    assert said["Enrollment"] == "84 (estimated)"
    assert said["Ages"] == "18 years and older"
    assert said["Sex"] == "All"
    assert said["Sponsor"] == "National Cancer Institute (NCI), part of the U.S. National Institutes of Health (NIH)"
    assert said["Locations"] == "274 sites (Birmingham, Alabama and 273 other locations)"
    assert said["Trial ID"].startswith("NCT03739814 on ClinicalTrials.gov")
    for drug in ("Inotuzumab Ozogamicin", "Blinatumomab", "Ponatinib", "Methotrexate"):
        assert drug in said["Drugs / interventions"]


def test_each_sentence_of_fit_leads_to_the_criteria_it_sums_up(flagship: str) -> None:
    sentences = re.findall(r"<li>(.*?)</li>", section(flagship, "Who should consider this trial"), re.DOTALL)
    assert len(sentences) > 8
    for sentence in sentences:
        targets = re.findall(r'href="#(criterion-[\w-]+)"', sentence)
        assert targets
        for target in targets:
            assert flagship.count(f'id="{target}"') == 1


def test_editors_text_has_an_author_and_a_date_and_is_absent_where_nobody_wrote_it(
    flagship: str, client: TestClient
) -> None:
    why = text(section(flagship, "Why it matters"))
    assert "Written by onstudy editors, 2026-11-22. Sources: Find a Trial page" in why
    other = client.get("/trials/NCT05519384").text
    assert text(section(other, "Why it matters")) == "No editor has written about this trial."
    assert "Nobody has reviewed this page" in text(other)
    assert "Nobody has summed up this trial’s criteria yet" in text(other)


def test_the_criteria_are_there_as_published_and_as_rows(flagship: str, shared: Path) -> None:
    seed = (shared / "reference/seed-find-a-trial-NCT03739814.txt").read_text(encoding="utf-8")
    source = seed.partition("Show full inclusion / exclusion criteria\n")[2].partition("\n\nWhere this trial")[0]
    bare = re.sub(r"\\([>=<*])", r"\1", source)
    published = flagship.partition("Show full inclusion / exclusion criteria")[2].partition("</details>")[0]
    words = [word for word in bare.split() if word != "*"]
    assert text(published).split() == words
    assert len(re.findall(r'<li id="criterion-', flagship)) == 70
    assert len(re.findall(r"<summary>(?:Step|Cohort) ", flagship)) == 5


def test_medical_words_lead_to_what_they_mean(flagship: str) -> None:
    linked = re.findall(r'<a class="word" id="met-[\w-]+" href="#(word-[\w-]+)"', flagship)
    assert len(linked) > 60
    assert len(set(linked)) == len(linked)
    for target in linked:
        assert flagship.count(f'id="{target}"') == 1
    assert "word-acute-lymphoblastic-leukemia" in linked


def test_the_meaning_of_a_word_is_of_that_word_and_leads_back(flagship: str) -> None:
    meanings = {
        text(title): (text(says), back)
        for title, says, back in re.findall(r'<dt>([^<]*)</dt><dd>(.*?)<a class="no-print" href="#([\w-]+)"', flagship)
    }
    assert "hunger" not in meanings["Facial nerve palsy"][0] and "face" in meanings["Facial nerve palsy"][0]
    assert "hunger" in meanings["Hypothalamic syndrome"][0]
    assert meanings["6-mercaptopurine"][0] == "A chemotherapy drug."
    assert meanings["Aspartate aminotransferase (AST)"][0].startswith("A substance")
    for _, back in meanings.values():
        assert flagship.count(f'id="{back}"') == 1


def test_every_linked_word_of_every_trial_is_explained_on_its_page(client: TestClient, stock: Stock) -> None:
    """Also a word that only the detailed description has."""
    for id in ("NCT01949129", "NCT05519384", "NCT06480136"):
        page = client.get(f"/trials/{id}").text
        for target in re.findall(r'<a class="word"[^>]* href="#(word-[\w-]+)"', page):
            assert page.count(f'id="{target}"') == 1, (id, target)


def test_the_way_back_leads_to_the_search_one_came_from(client: TestClient) -> None:
    def back(path: str, came: str) -> str:
        page = client.get(path, headers={"Referer": came}).text
        found = re.search(r'<p class="back no-print"><a href="([^"]*)">', page)
        assert found is not None
        return unescape(found[1])

    here = FLAGSHIP
    search = "http://127.0.0.1/trials?q=leukemia&age=67"
    assert back(here, search) == "/trials?q=leukemia&age=67"
    assert back(f"{here}?zip=35294", f"{search}&zip=35294") == "/trials?q=leukemia&age=67&zip=35294"
    assert back(f"{here}?zip=35294", "") == "/trials?zip=35294"
    for other in ("", "http://elsewhere.example/trials?q=a", "http://127.0.0.1/about?q=a", "javascript:alert(1)"):
        assert back(here, other) == "/trials"


def test_cities_of_one_name_are_links_to_the_sites_seen_from_there(client: TestClient) -> None:
    page = client.get(f"{FLAGSHIP}?zip=Springfield").text
    links = re.findall(r'<li><a href="([^"]+#where)">(Springfield, [^<]+)</a></li>', page)
    assert len(links) > 1
    assert f"from {links[0][1]}" in text(client.get(unescape(links[0][0])).text)


def test_the_review_warns_where_the_record_is_newer(client: TestClient, stock: Stock) -> None:
    warning = "The registry record is newer than this review"
    assert "2026-11-22 by onstudy editors" in text(client.get(FLAGSHIP).text)
    assert warning not in client.get(FLAGSHIP).text
    store = in_memory()
    put(store, {**study(3739814, title="A newer record", updated="2026-06-30"), "hasResults": False})
    assert warning in text(served(store).get(FLAGSHIP).text)


# Where it runs -----------------------------------------------------------------------------------------------


def test_the_flagship_says_how_many_sites_are_known_and_makes_none_up(client: TestClient) -> None:
    page = client.get(f"{FLAGSHIP}?sites=all").text
    where = text(section(page, "Where this trial is running"))
    assert "274 sites (page of 2026-05-15)" in where
    assert "209 of them listed here, as of about 2021" in where
    assert (
        "0 of 209 listed sites can enrol as far as is known; 201 were listed as open about 2021: ask the site." in where
    )
    assert "The other 65 sites are not named in any source used here" in where
    assert page.count('<th scope="row"') == 209
    assert "open now" not in where.lower()


def test_sites_are_nearest_first(client: TestClient) -> None:
    page = client.get(f"{FLAGSHIP}?zip=35294&sites=all").text
    far = [
        int(miles.replace(",", ""))
        for miles in re.findall(r'data-label="Distance" class="nowrap">(?:less than )?([\d,]+) mile', page)
    ]
    assert len(far) == 206 and far == sorted(far)
    assert page.rindex(">not known<") > page.rindex(" miles<")
    nearest = text(section(page, "Where this trial is running"))
    assert "Nearest site that is or may be open: University of Alabama at Birmingham Cancer Center" in nearest
    assert "less than 1 mile from Birmingham, AL 35294. Listed as open about 2021, ask the site" in nearest


def test_sites_of_a_state_or_a_country(client: TestClient) -> None:
    page = client.get(f"{FLAGSHIP}?state=Alaska").text
    rows = re.findall(r'data-label="Place">([^<]*)', page)
    assert rows and all("Alaska" in row for row in rows)
    assert '<option value="Alaska" selected>' in page
    other = client.get("/trials/NCT01949129?country=Germany").text
    assert all("Germany" in row for row in re.findall(r'data-label="Place">([^<]*)', other))
    assert "No site is listed there." in client.get(f"{FLAGSHIP}?state=Atlantis").text


def test_the_first_twenty_lead_to_all(client: TestClient) -> None:
    page = client.get(f"{FLAGSHIP}?zip=35294").text
    assert page.count('<th scope="row"') == 20
    assert 'href="/trials/NCT03739814?zip=35294&amp;sites=all#where"' in page


@pytest.mark.parametrize(
    ("zip", "says"),
    [("3529", "is not a ZIP code"), ("00000", "There is no ZIP code"), ("09012", "where it lies is not known here")],
)
def test_a_place_that_cannot_be_used_is_told(client: TestClient, zip: str, says: str) -> None:
    page = client.get(f"{FLAGSHIP}?zip={zip}").text
    assert says in text(section(page, "Where this trial is running"))
    assert page.count('<th scope="row"') == 20


def test_sites_that_can_enrol_are_counted_with_the_date(alone: None) -> None:
    sites = [place("A", "RECRUITING", (39.0, -77.0)), place("B", "COMPLETED"), place("C", None)]
    page = served(store_of(study(1, sites=sites))).get("/trials/NCT00000001").text
    where = text(section(page, "Where this trial is running"))
    assert "1 of 3 listed sites can enrol, as stated on 2026-05-10; of 1 it is not known: ask the site." in where
    old = served(store_of(study(1, sites=sites, verified="2025-01", updated="2025-01-05")))
    where = text(section(old.get("/trials/NCT00000001").text, "Where this trial is running"))
    assert "0 of 3 listed sites can enrol as far as is known" in where


def test_the_map_has_a_mark_for_every_neighbourhood(client: TestClient) -> None:
    page = client.get(f"{FLAGSHIP}?zip=35294").text
    drawn = page.partition("<svg viewBox")[2].partition("</svg>")[0]
    assert "map-us.svg" in drawn and 'role="img"' in drawn and "The list below says the same" in drawn
    assert drawn.count("mark--ask") > 50 and "mark--closed" in drawn and "mark--here" in drawn
    world = client.get("/trials/NCT01949129").text
    assert "map-world.svg" in world
    assert "<svg viewBox" not in client.get("/trials/NCT06480136").text


# To pass on --------------------------------------------------------------------------------------------------


def test_the_page_can_be_passed_on(flagship: str) -> None:
    address = "http://127.0.0.1/trials/NCT03739814"
    assert f'<link rel="canonical" href="{address}">' in flagship
    assert f'<meta property="og:url" content="{address}">' in flagship
    assert '<meta property="og:title" content="Inotuzumab' in flagship
    assert "mailto:?subject=Inotuzumab" in flagship and f'data-copy="{address}"' in flagship


def test_the_canonical_address_is_the_public_one(stock: Stock) -> None:
    public = TestClient(create_app(replace(stock, address="https://trials.example")), "http://127.0.0.1")
    assert '<link rel="canonical" href="https://trials.example/trials/NCT03739814">' in public.get(FLAGSHIP).text


def test_the_data_block_tells_the_trial_and_no_status_that_is_old(flagship: str, alone: None) -> None:
    found = data(flagship)
    assert (found["@type"], found["identifier"]) == ("MedicalTrial", "NCT03739814")
    assert "status" not in found
    fresh = served(store_of(study(1, title="</script><b>", status="RECRUITING"))).get("/trials/NCT00000001").text
    assert data(fresh)["status"] == "https://schema.org/Recruiting"
    assert data(fresh)["name"] == "</script><b>"
    old = served(store_of(study(1, verified="2020-01", updated="2020-01-02"))).get("/trials/NCT00000001").text
    assert "status" not in data(old)


def test_where_each_part_comes_from_is_told(flagship: str) -> None:
    said = facts(flagship.partition('id="origin"')[2])
    assert said["Data version"] == "put together on data up to 2026-05-15"
    assert "NCI Clinical Trials Search API record" in said["Sites"]
    assert "ZIP code of Washington (98508)" in said["Sites"]
    assert {"Short title, the sponsor’s id", "Official title", "Number of sites"} <= set(said)
    assert not [part for part in said if re.search(r"[a-z][A-Z]|_", part)], "no field names"
    assert "is not medical advice" in text(flagship)


# Contacts ----------------------------------------------------------------------------------------------------


def test_contacts_are_shown_where_a_record_has_them(alone: None) -> None:
    one = study(1, sites=[place("A")])
    people: dict[str, Any] = one["protocolSection"]["contactsLocationsModule"]
    people["centralContacts"] = [
        {"name": "Jo Doe", "role": "CONTACT", "phone": "+1 (555) 010-0199", "email": "jo@example.org"}
    ]
    people["overallOfficials"] = [{"name": "Pat Roe", "role": "PRINCIPAL_INVESTIGATOR", "affiliation": "A clinic"}]
    people["locations"][0]["contacts"] = [{"name": "Site nurse", "phone": "call us", "email": "javascript:alert(1)"}]
    page = served(store_of(one)).get("/trials/NCT00000001").text
    contacts = section(page, "Study contacts")
    assert "Jo Doe" in contacts and 'href="tel:+15550100199"' in contacts and 'href="mailto:jo@example.org"' in contacts
    assert "Pat Roe, A clinic (principal investigator)" in text(contacts)
    assert "Site nurse, call us, javascript:alert(1)" in text(page)
    assert 'href="javascript' not in page and 'href="mailto:javascript' not in page
    bare = served(store_of(study(1, sites=[place("A")]))).get("/trials/NCT00000001").text
    assert "This record lists no contact." in text(section(bare, "Study contacts"))


# Extremes ----------------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202egnp.exe\u202c **bold** [x](javascript:1) & \"'"


def test_a_hostile_record_is_text(alone: None) -> None:
    one = study(
        1, title=HOSTILE, conditions=[HOSTILE], interventions=[HOSTILE], summary=HOSTILE, sponsor=HOSTILE,
        sites=[place(HOSTILE, "RECRUITING", (39.0, -77.0), name=HOSTILE, country=HOSTILE, state=HOSTILE),
               place("B", HOSTILE[:50], (39.5, -77.0))],
    )  # fmt: skip
    protocol = one["protocolSection"]
    protocol["eligibilityModule"]["eligibilityCriteria"] = f"Inclusion Criteria:\n\n* {HOSTILE}\n1. {HOSTILE}"
    protocol["descriptionModule"]["detailedDescription"] = HOSTILE
    protocol["identificationModule"]["officialTitle"] = HOSTILE + "2"
    protocol["armsInterventionsModule"]["armGroups"] = [{"label": HOSTILE, "description": HOSTILE}]
    protocol["outcomesModule"] = {"primaryOutcomes": [{"measure": HOSTILE, "timeFrame": HOSTILE}]}
    client = served(store_of(one))
    for address in ("/trials/NCT00000001?zip=20892", "/trials?q=bold&zip=20892", "/trials/selected?id=NCT00000001"):
        page = client.get(address).text
        assert "alert(1)" in page
        assert "<script>alert" not in page and "<img src=x" not in page and "\u202e" not in page
        assert 'href="javascript' not in page
        assert "**bold**" in page


def test_wrong_types_leave_a_page(alone: None) -> None:
    one = study(1, title="Odd")
    for module in ("descriptionModule", "armsInterventionsModule", "eligibilityModule", "contactsLocationsModule"):
        one["protocolSection"][module] = [1, {"x": None}]
    one["protocolSection"]["statusModule"] = "RECRUITING"
    page = served(store_of(one)).get("/trials/NCT00000001")
    assert page.status_code == 200
    assert [found for found in headings(page.text) if found in SECTIONS] == SECTIONS


def test_a_bare_record_is_a_whole_page(alone: None) -> None:
    bare = {"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}}}
    page = served(store_of(bare)).get("/trials/NCT00000001").text
    assert [found for found in headings(page) if found in SECTIONS] == SECTIONS
    assert "Phase not stated" in text(page) and "This record lists no site" in text(page)
    assert "The record states no criteria." in text(page)
    assert "This record lists no contact. Its page on ClinicalTrials.gov may list some by now." in text(page)


def test_a_listing_without_a_date_is_told_as_one(alone: None) -> None:
    page = served(store_of(study(1, sites=[place("Boston")], verified="", updated=""))).get("/trials/NCT00000001")
    assert "0 of 1 listed site can enrol as far as is known; 1 was listed as open: ask the site." in text(page.text)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("RECRUITING", "Call or write to a site and ask for a pre-screening."),
        ("COMPLETED", "Call or write to a site and ask whether people can still join: by its record this trial takes"),
    ],
)
def test_the_last_step_follows_the_status(alone: None, status: str, says: str) -> None:
    page = served(store_of(study(1, status=status, sites=[place("Boston")]))).get("/trials/NCT00000001")
    assert says in text(page.text)


def test_many_sites_and_long_criteria(alone: None) -> None:
    sites = [place(f"City {n}", point=(30 + n % 40 / 4, -110 + n / 40), state=f"State {n % 50}") for n in range(1400)]
    one = study(1, sites=sites)
    line = "* A criterion with ALL and a bone marrow biopsy that goes on for some time to fill the page\n"
    one["protocolSection"]["eligibilityModule"]["eligibilityCriteria"] = f"Inclusion Criteria:\n\n{line * 450}"
    client = served(store_of(one))
    page = client.get("/trials/NCT00000001").text
    assert "1,400 of 1,400 listed sites can enrol" in text(page)
    assert page.count('<th scope="row"') == 20
    assert client.get("/trials/NCT00000001?sites=all").text.count('<th scope="row"') == 1400
    assert page.count("<li>A criterion with") == 450


def test_a_field_of_five_megabytes_is_shown_in_part_and_says_so(alone: None) -> None:
    one = study(1, summary="word " * 1_000_000)
    one["protocolSection"]["eligibilityModule"]["eligibilityCriteria"] = "* A criterion\n" * 400_000
    client = served(store_of(one))
    page = client.get("/trials/NCT00000001").text
    assert "The text goes on: the rest is on ClinicalTrials.gov" in text(page)
    assert len(page) < 1_000_000
    assert client.get("/trials?q=word").status_code == 200


def test_what_is_no_trial_is_told(client: TestClient) -> None:
    for address in ("/trials/NCT99999999", "/trials/nonsense", "/trials/NCT0373981", "/trials/%3Cb%3E"):
        answer = client.get(address)
        assert answer.status_code == 404 and "There is no such page" in answer.text
    moved = client.get("/trials/nct03739814")
    assert (moved.status_code, moved.headers["location"]) == (308, "/trials/NCT03739814")


def test_every_real_record_has_a_page(alone: None, shared: Path, tmp_path: Path) -> None:
    store = in_memory()
    import_paths(store, [shared / "data/ctgov_v2/studies.jsonl.gz"])
    client = served(store)
    with gzip.open(shared / "data/ctgov_v2/studies.jsonl.gz", "rb") as lines:
        ids = [json.loads(line)["protocolSection"]["identificationModule"]["nctId"] for line in lines]
    for id in ids[::7]:
        answer = client.get(f"/trials/{id}?zip=20892")
        assert answer.status_code == 200
        assert [one for one in headings(answer.text) if one in SECTIONS] == SECTIONS, id
