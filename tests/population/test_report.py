"""The report of a prescreening: what it says, safely; and in a browser, narrow, wide, on paper, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.trials.flagship import FLAGSHIP, trial

from onstudy.criteria.trial import Trial
from onstudy.population.candidates import ORDER_SAID
from onstudy.population.limits_cost import lines
from onstudy.population.prescreen_question import required
from onstudy.population.report import page
from onstudy.population.report_parts import ChangesShown, Report, TrialSeen, counted, trial_shown
from onstudy.record.catalogue import load_catalogue

CATALOGUE = load_catalogue()
WIDTHS = (320, 1280)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
INJECTED = '<script>alert("x")</script>'


def counts(one: Trial, cohort_place: int) -> dict[str, Any]:
    """Counts of a cohort of 1,000 patients, of whom the first criteria exclude some."""
    cohort = one.cohorts[cohort_place]
    size = len(required(one, cohort))
    by_row: dict[str, list[int]] = {
        name: [0] * size for name in ("met", "not_applicable", "unknown", "unknown_if_confirmed", "not_met")
    }
    excluded, only = [0] * size, [0] * size
    excluded[4], excluded[10], excluded[-1], only[4] = 412, 30, 58, 11
    by_row["not_met"] = [count * 2 for count in excluded]
    table = [*by_row.values(), excluded, only]
    assert len(table) == 7
    return {
        "verdicts": [500, 400, 60, 40],
        "verdicts_if_confirmed": [500, 400, 0, 100],
        "attrition": table,
        "missing": {"cd22_on_lymphoblasts": [90, 47], "ecog": [60, 12], "born": [2, 0]},
        "to_confirm": {"seizure": [300, 5]},
        "to_do": {"therapy_start": [500, 500]},
        "nothing_missing": 101,
        "limits": {"S1-18": [[[0] * 18, [0] * 18], [[0] * 9 + [3] + [0] * 8, [0] * 9 + [3, 4] + [0] * 7]]},
    }


def candidate(number: int, **other: Any) -> dict[str, Any]:
    return {
        "patient": f"P{number:04}", "trial": FLAGSHIP, "cohort": "C1",
        "verdict": ("eligible", "eligible_if_confirmed", "undetermined")[number % 3],
        "missing": ["cd22_on_lymphoblasts", "ecog"][: number % 3], "to_confirm": ["seizure"], "to_do": [],
        "possible_from": "2026-03-20" if number % 2 else None, "last_data": None, **other,
    }  # fmt: skip


def report(**other: Any) -> Report:
    one = trial()
    counted_ = {
        "candidates": 640,
        "cohorts": {cohort.id: counts(one, place) for place, cohort in enumerate(one.cohorts)},
    }
    seen = TrialSeen(one, counted_, list(lines(one, counted_)), decided=3)
    seen.first.extend(candidate(number) for number in range(12))
    seen.first.append(candidate(13, patient=INJECTED))
    seen.first.append(candidate(14, patient="urn:oid:2.16.840.1.113883.4.349.123456789012345678901234567890"))
    return replace(
        Report(
            on="2026-03-16",
            patients=1000,
            particulars=[("Registration on", "2026-03-16"), ("Newest record of the store", "2026-03-15")],
            trials=[trial_shown(seen, CATALOGUE)],
            command="onstudy screen TRIAL --store DIR --patient ID --on 2026-03-16 --format html --out FILE",
            prints=[("Store", "0" * 32), ("Trial file", one.digest)],
            order_said=ORDER_SAID,
            notes=["The newest record of the store is 20 days older than the date asked: 2026-02-24."],
            changes=ChangesShown("2026-03-15", "1 new, 1 dropped, counted by cohort.", 2, [
                {"patient": "P1", "trial": FLAGSHIP, "cohort": "C1", "change": "new", "why": "the record changed",
                 "criteria": "S1-18"},
                {"patient": INJECTED, "trial": FLAGSHIP, "cohort": "C2", "change": "dropped",
                 "why": "no longer in the store", "criteria": ""},
            ]),
        ),
        **other,
    )  # fmt: skip


# What it says -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def html() -> str:
    return page(report())


def said(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.S))


def test_of_a_long_list_the_first_few_are_named() -> None:
    kinds = ["angina", "burkitt", "seizure", "syncope", "heart_failure", "hepatitis_b", "hepatitis_c", "liver_fibrosis"]
    one = trial()
    cohorts = {cohort.id: counts(one, place) for place, cohort in enumerate(one.cohorts)}
    seen = TrialSeen(one, {"candidates": 1, "cohorts": cohorts}, [])
    seen.first.extend([candidate(1, to_confirm=kinds), candidate(2, to_confirm=kinds[:7])])

    shown = trial_shown(seen, CATALOGUE).first

    assert shown[0]["to_confirm"].endswith("Hepatitis B and 2 more")
    assert shown[1]["to_confirm"].endswith("Hepatitis B, Hepatitis C")


def test_it_says_what_was_counted(html: str) -> None:
    text = said(html)
    assert "47 candidates lack only: CD22 expression, percent of lymphoblasts" in text
    assert "101 candidates lack nothing that must be found or measured." in text
    assert "640 patients are not ineligible for at least one cohort." in text
    assert "3 rows of candidates.csv were decided before" in text
    assert "442 not met in step 1" in text
    assert "58 not met in cohort C1" in text
    assert ORDER_SAID in text
    assert "45 % 35 % 3 to 7" in text
    assert "60 to 74: 7 (3 women, 4 men)" in text
    assert "1 new, 1 dropped, counted by cohort." in text


def test_a_status_is_never_told_by_colour_alone(html: str) -> None:
    badges = re.findall(r'<span class="badge tone-([a-z]+)">(.*?)</span></span>', html, re.S)
    assert len(badges) > 10
    for tone, inside in badges:
        assert f"#icon-{tone}" in inside
        assert re.search(r"<span>(Eligible|Eligible if confirmed|Undetermined|Ineligible)$", inside)


def test_what_a_record_says_stays_text(html: str) -> None:
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_page_is_whole_in_itself_and_the_same_each_time(html: str) -> None:
    assert html == page(report())
    assert not re.search(r"(src|href)=\"(?!#)", html)
    assert "http" not in re.sub(r"http-equiv", "", html)


def test_a_trial_without_candidates_and_one_among_many() -> None:
    one = trial()
    nothing: dict[str, Any] = {"missing": {}, "to_confirm": {}, "to_do": {}, "nothing_missing": 0, "limits": {}}
    cohorts = {
        cohort.id: counts(one, place) | nothing | {"verdicts": [1000, 0, 0, 0]}
        for place, cohort in enumerate(one.cohorts)
    }
    seen = TrialSeen(one, {"candidates": 0, "cohorts": cohorts}, [])
    html = page(report(trials=[trial_shown(seen, CATALOGUE)] * 22, changes=None, notes=[]))
    assert "0 patients are not ineligible" in said(html)
    assert html.count('<h2 id="trial-') == 20
    assert "No limit keeps anybody out by itself" in said(html)


def test_counts_have_their_noun() -> None:
    assert [counted(n, "patient") for n in (0, 1, 1234)] == ["0 patients", "1 patient", "1,234 patients"]


# In a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


def opened(browser: Browser, file: Path, width: int, unfolded: bool = True, **options: Any) -> Page:
    opened_page = browser.new_context(viewport={"width": width, "height": 900}, **options).new_page()
    opened_page.goto(file.as_uri())
    if unfolded:
        for summary in opened_page.locator("summary").all():
            summary.click()
    return opened_page


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(browser: Browser, file: Path, axe_core: Path, width: int) -> None:
    shown = opened(browser, file, width, bypass_csp=True)
    shown.add_script_tag(path=axe_core)
    found = shown.evaluate("tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", WCAG)
    assert len(found["passes"]) > 20
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]] == []
    shown.context.close()


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("width", [*WIDTHS, 768])
def test_nothing_is_cut_off_or_scrolls_sideways(browser: Browser, file: Path, width: int) -> None:
    shown = opened(browser, file, width)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    beyond = shown.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(e => !e.closest('.skip, .symbols, thead') && e.checkVisibility())
            .filter(e => {
                const box = e.getBoundingClientRect();
                return box.right > innerWidth + 1 || box.left < -1
                    || e.clientWidth && e.scrollWidth > e.clientWidth + 1;
            })
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert beyond == []
    shown.context.close()


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_headings_and_tables_are_in_order_and_nothing_is_fetched(browser: Browser, file: Path) -> None:
    context = browser.new_context()
    shown = context.new_page()
    asked: list[str] = []
    messages: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("console", lambda message: messages.append(message.text))
    shown.goto(file.as_uri())
    assert (asked, messages) == ([file.as_uri()], [])
    levels = shown.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert shown.get_by_role(landmark).count() == 1
    for table in shown.locator("table").all():
        assert (table.locator("caption").text_content() or "").strip()
        assert table.locator("tbody th[scope=row]").count() == table.locator("tbody tr").count() > 0
    context.close()


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_without_javascript_it_is_the_same_and_it_prints(browser: Browser, file: Path) -> None:
    texts = []
    for scripted in (True, False):
        shown = opened(browser, file, 1280, java_script_enabled=scripted)
        texts.append(shown.locator("body").inner_text())
        shown.context.close()
    assert texts[0] == texts[1]
    shown = opened(browser, file, 1280, unfolded=False)
    pdf = shown.pdf(format="A4", print_background=False)
    assert 3 < len(re.findall(rb"/Type /Page\b", pdf)) < 30
    shown.emulate_media(media="print")
    assert shown.get_by_role("rowheader", name="S1-33").first.is_visible(), "what is folded on a screen is on paper"
    shown.set_viewport_size({"width": 703, "height": 900})
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown.context.close()
