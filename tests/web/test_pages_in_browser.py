"""Search to page to site in Chromium: with JavaScript and without, narrow and wide, by keyboard, on paper."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.registry.studies import site as place
from tests.registry.studies import store_of, study
from tests.web.conftest import TODAY, Site

from onstudy.faces.web.stock import Stock

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PAGES = {
    "start": "/",
    "search": "/trials?q=leukemia&age=67&zip=35294",
    "errors": "/trials?id=NCT03739814&age=x&zip=1",
    "nothing": "/trials?q=leukemia,+67,+ZIP+35294",
    "chosen": "/trials?q=leukemia&phase=PHASE2&status=RECRUITING&within=100&zip=77030&open=1&page=1",
    "trial": "/trials/NCT03739814?zip=35294",
    "plain trial": "/trials/NCT01949129?zip=1",
    "no sites": "/trials/NCT06480136",
    "selected": "/trials/selected?id=NCT03739814&id=NCT05519384&zip=35294",
    "about": "/about",
    "api": "/api/onstudy/v1/",
    "missing": "/trials/NCT99999999",
    "cities": "/trials?q=leukemia&zip=Springfield",
    "misspelt": "/trials?q=luekemia",
    "read otherwise": "/trials?q=leuk*+OR+-AML&zip=35294&within=10",
    "none ticked": "/trials/selected?q=leukemia&zip=35294",
    "ticked": "/trials?q=leukemia&page=2&tick=NCT03739814",
    "cities of sites": "/trials/NCT03739814?zip=Springfield",
}


def unfold(page: Page) -> None:
    """Open everything that is folded, so that it is looked at too."""
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_accessible(site: Site, name: str, width: int) -> None:
    visit = site.visit(PAGES[name], width)
    assert site.overflow(visit.page) == 0
    unfold(visit.page)
    assert site.faults(visit.page) == []
    assert site.overflow(visit.page) == 0
    assert site.only_here(visit)
    assert [said for said in visit.messages if not re.search("404|422", said)] == []


@pytest.mark.parametrize("name", ["search", "trial"])
def test_enlarged_four_times_nobody_scrolls_sideways(site: Site, name: str) -> None:
    visit = site.visit(PAGES[name], 320, device_scale_factor=4)
    assert site.overflow(visit.page) == 0
    unfold(visit.page)
    assert site.overflow(visit.page) == 0


def walk(site: Site, javascript: bool) -> None:
    """From the start page to the nearest site of the flagship."""
    page = site.visit("/", javascript=javascript).page
    page.get_by_label("Condition, treatment or other words").fill("leukemia")
    page.get_by_label("Age", exact=True).fill("67")
    page.get_by_label("ZIP code or city").fill("35294")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#count")).to_contain_text("trials")
    first = page.locator("article.hit").first
    expect(first).to_contain_text("NCT03739814")
    expect(first).to_contain_text("listed as open about 2021, ask the site")
    first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Inotuzumab ozogamicin and blinatumomab")
    nearest = page.locator(".nearest")
    expect(nearest).to_contain_text("University of Alabama at Birmingham Cancer Center")
    expect(nearest).to_contain_text("Listed as open about 2021, ask the site")
    page.get_by_label("State or region").select_option("Nevada")
    page.get_by_role("button", name="Show sites").click()
    expect(page.locator("table.sites")).to_contain_text("Nevada")
    expect(page.locator("table.sites")).not_to_contain_text("Alabama")
    assert re.search(r"/trials/NCT03739814\?zip=35294&.*state=Nevada", page.url)


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_search_to_page_to_site(site: Site, javascript: bool) -> None:
    walk(site, javascript)


def test_the_address_of_a_search_holds_what_was_asked_and_no_more(site: Site) -> None:
    page = site.visit("/").page
    page.get_by_label("Condition, treatment or other words").fill("leukemia")
    page.get_by_label("ZIP code or city").fill("35294")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(f"{site.address}/trials?q=leukemia&zip=35294")
    page.get_by_label("ZIP code or city").fill("")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(f"{site.address}/trials?q=leukemia")


def test_a_facet_is_applied_at_once_and_the_focus_stays(site: Site) -> None:
    visit = site.visit("/trials?q=leukemia&zip=35294")
    page = visit.page
    before = page.locator("#count").inner_text()
    page.get_by_label(re.compile(r"^phase 2 \(")).focus()
    page.keyboard.press("Space")
    expect(page.locator("#count")).not_to_have_text(before)
    expect(page.locator("#phase-PHASE2")).to_be_checked()
    expect(page.locator("#phase-PHASE2")).to_be_focused()
    expect(page.locator("#said")).to_contain_text("trials")
    assert page.url.endswith("/trials?q=leukemia&zip=35294&phase=PHASE2")
    page.go_back()
    expect(page.locator("#count")).to_have_text(before)
    expect(page.locator("#phase-PHASE2")).not_to_be_checked()
    assert visit.messages == []


@pytest.mark.parametrize("width", [320, 1280])
def test_a_facet_does_not_move_the_window_to_the_end(site: Site, width: int) -> None:
    page = site.visit("/trials?q=leukemia&zip=35294", width).page
    page.evaluate("document.getElementById('narrow').open = true")
    box = page.locator("label[for='phase-PHASE2']")
    box.scroll_into_view_if_needed()
    count, before = page.locator("#count").inner_text(), page.evaluate("scrollY")
    box.click()
    expect(page.locator("#count")).not_to_have_text(count)
    page.wait_for_timeout(300)
    after = page.evaluate("scrollY")
    assert abs(after - before) <= 60, (before, after)  # the chips above the list make it a line longer


LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft" * 2


@pytest.mark.parametrize("name", ["q", "zip", "condition", "intervention", "sponsor"])
def test_a_long_word_makes_nobody_scroll_sideways(site: Site, name: str) -> None:
    for path in (f"/trials?{name}={LONG}", f"/trials?zip=35294&{name}={LONG}&phase=PHASE2"):
        for width in (320, 1280):
            assert site.overflow(site.visit(path, width).page) == 0, (path[:40], width)


def test_the_ring_of_the_focus_stands_out(site: Site) -> None:
    """At least 3 to 1 against whatever is beside it (WCAG 2.2, 1.4.11), computed from what the browser draws."""
    page = site.visit("/trials?q=leukemia&zip=35294").page
    root = "getComputedStyle(document.documentElement).getPropertyValue"
    colours = {name: page.evaluate(f"{root}('--{name}')").strip() for name in ("paper", "panel", "act-pale", "focus")}
    for where in (
        "#q",
        "#sort",
        ".chosen a",
        ".bottom a",
        ".search__go button",
        "#phase-PHASE2",
        ".hit h3 a",
        ".actions a",
    ):
        page.locator(where).first.focus()
        ring = page.evaluate(
            "where => { const one = document.querySelector(where);"
            " return getComputedStyle(one.type === 'checkbox' ? one.nextElementSibling : one,"
            " one.type === 'checkbox' ? '::before' : null).outlineColor }",
            where,
        )
        assert ring == rgb(colours["focus"]), where
    for beside in ("#ffffff", colours["paper"], colours["panel"], colours["act-pale"]):
        assert contrast(colours["focus"], beside) >= 3, beside


def rgb(colour: str) -> str:
    """#1a4fa3 as the browser tells it."""
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours as WCAG 2.2 defines it, from relative luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_ticks_survive_paging_and_narrowing(site: Site, javascript: bool) -> None:
    visit = site.visit("/trials?q=leukemia&zip=35294", javascript=javascript)
    page = visit.page
    page.locator("article.hit").nth(1).locator("label").click()
    if not javascript:
        page.get_by_role("button", name="Keep what is ticked").click()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("1 more trial is ticked")).to_be_visible()
    page.locator("article.hit").nth(0).locator("label").click()
    page.locator("label[for='phase-PHASE2']").click()
    if not javascript:
        page.get_by_role("button", name="Apply").click()
    expect(page.locator("#phase-PHASE2")).to_be_checked()
    page.wait_for_url(lambda address: address.count("tick=NCT") == 2)
    page.get_by_role("button", name="Print selected").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Selected trials")
    expect(page.locator("article.hit")).to_have_count(2)
    page.get_by_role("link", name="Back to the search").click()
    expect(page.locator("#phase-PHASE2")).to_be_checked()
    assert visit.messages == []


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_printing_nothing_stays_at_the_search(site: Site, javascript: bool) -> None:
    page = site.visit("/trials?q=leukemia&zip=35294", javascript=javascript).page
    page.get_by_role("button", name="Print selected").click()
    expect(page.get_by_role("link", name="Tick the boxes of the trials")).to_be_visible()
    expect(page.locator("article.hit")).to_have_count(20)


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_the_way_back_from_a_trial_is_the_search(site: Site, javascript: bool) -> None:
    page = site.visit("/trials?q=leukemia&age=67&zip=35294&page=2", javascript=javascript).page
    before = page.url
    page.locator("article.hit a").first.click()
    page.get_by_role("link", name="Back to the search").click()
    expect(page).to_have_url(before)


def test_the_order_can_be_set_without_javascript(site: Site) -> None:
    page = site.visit("/trials?q=leukemia", javascript=False).page
    page.get_by_label("Order").select_option("Newest update")
    page.get_by_role("button", name="Set order").click()
    expect(page).to_have_url(re.compile("sort=newest"))


def test_the_trials_are_two_tabs_away(site: Site) -> None:
    page = site.visit("/trials?q=leukemia").page
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the trials")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_be_focused()


def test_a_meaning_leads_back_to_its_word(site: Site) -> None:
    page = site.visit("/trials/NCT03739814").page
    page.evaluate("document.getElementById('glossary').open = true")
    page.locator("#word-vincristine").get_by_role("link", name="Back to the text").click()
    expect(page.locator("#met-vincristine")).to_be_in_viewport()


def test_facets_work_without_javascript(site: Site) -> None:
    page = site.visit("/trials?q=leukemia", javascript=False).page
    before = page.locator("#count").inner_text()
    page.locator("label[for='phase-PHASE2']").click()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#count")).not_to_have_text(before)
    expect(page.locator("#phase-PHASE2")).to_be_checked()


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without"])
def test_ticked_trials_are_printed(site: Site, javascript: bool) -> None:
    page = site.visit("/trials?q=leukemia&zip=35294", javascript=javascript).page
    page.locator("article.hit").nth(0).locator("label").click()
    page.locator("article.hit").nth(2).locator("label").click()
    page.get_by_role("button", name="Print selected").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Selected trials")
    expect(page.locator("article.hit")).to_have_count(2)


def test_errors_get_the_focus_and_lead_to_their_fields(site: Site) -> None:
    page = site.visit("/trials?age=abc&zip=00000").page
    expect(page.locator("#errors")).to_be_focused()
    page.get_by_role("link", name="Write the age in years").click()
    expect(page.locator("#age")).to_be_focused()


def test_the_keyboard_reaches_everything(site: Site) -> None:
    page = site.visit("/").page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Condition, treatment or other words")).to_be_focused()
    page.keyboard.type("leukemia")
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_contain_text("trials")


def test_a_medical_word_leads_into_the_folded_glossary(site: Site) -> None:
    page = site.visit("/trials/NCT03739814").page
    page.locator("a.word").first.click()
    expect(page.locator(".glossary dl > div:target")).to_be_visible()


def test_a_cited_criterion_is_unfolded(site: Site) -> None:
    page = site.visit("/trials/NCT03739814").page
    page.get_by_role("link", name="C2-03").first.click()
    expect(page.locator("#criterion-C2-03")).to_be_in_viewport()


def test_on_paper_all_is_unfolded_and_controls_are_gone(site: Site) -> None:
    page = site.visit("/trials/NCT03739814", javascript=True).page
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator("#criterion-C3-06")).to_be_visible()
    expect(page.locator("header.top")).to_be_hidden()
    expect(page.locator("form.where")).to_be_hidden()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() < 5


def test_buttons_that_need_a_script_are_shown_only_with_one(site: Site) -> None:
    expect(site.visit("/trials/NCT03739814").page.get_by_role("button", name="Print")).to_be_visible()
    expect(site.visit("/trials/NCT03739814", javascript=False).page.get_by_role("button", name="Print")).to_be_hidden()


def test_hostile_records_run_nothing(site_of: Callable[[Stock], Site], monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "<script>document.title='owned'</script><img src=/x onerror=document.title='owned'>\u202e"
    sites = [place(evil, "RECRUITING", (39.0, -77.0), name=evil, state=evil)]
    store = store_of(study(1, title=evil, conditions=[evil], summary=evil, sponsor=evil, sites=sites))
    site = site_of(Stock(store, today=lambda: TODAY))
    for path in ("/trials?zip=20892", "/trials/NCT00000001?zip=20892"):
        visit = site.visit(path)
        assert visit.page.title() != "owned"
        assert visit.messages == [] and site.only_here(visit)
        assert site.overflow(visit.page) == 0


def test_long_names_of_places_make_nobody_scroll_sideways(site_of: Callable[[Stock], Site]) -> None:
    long = "Llanfairpwllgwyngyll" * 4
    store = store_of(study(1, title=long, sponsor=long, sites=[place(long, name=long, state=long, country=long)]))
    site = site_of(Stock(store, today=lambda: TODAY))
    assert site.overflow(site.visit("/trials/NCT00000001", 320).page) == 0


def test_many_sites_look_right(site_of: Callable[[Stock], Site]) -> None:
    sites = [place(f"City {n}", point=(30 + n % 40 / 4, -110 + n / 40), state=f"State {n % 50}") for n in range(1400)]
    site = site_of(Stock(store_of(study(1, title="x" * 500, sites=sites)), today=lambda: TODAY))
    for width in (320, 1280):
        visit = site.visit("/trials/NCT00000001?sites=all", width)
        assert site.overflow(visit.page) == 0
        expect(visit.page.locator("table.sites tbody tr")).to_have_count(1400)
