"""Upload to worksheet in Chromium: with JavaScript and without, narrow and wide."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.web.conftest import Site, follow

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

HERE = "/coordinator"


def example(name: str) -> bytes:
    return files("onstudy").joinpath("examples", name).read_bytes()


def upload(page: Page, name: str, record: bytes = b"") -> None:
    record = record or example(name)
    page.locator("#file").set_input_files({"name": name, "mimeType": "application/json", "buffer": record})
    page.locator("#trial").select_option("NCT03739814")
    page.locator("#on").fill("2026-03-16")
    page.locator("#start").fill("2026-03-18T09:00")
    follow(page.get_by_role("button", name="Screen"))


def answer(page: Page, kind: str, **fields: str) -> None:
    entry = page.locator(f'fieldset:has(input[value="{kind}"])')
    for key, value in fields.items():
        blank = entry.locator(f'[name$=".{key}"]')
        if blank.evaluate("one => one.tagName") == "SELECT":
            blank.select_option(value)
        else:
            blank.fill(value)


@pytest.mark.parametrize("javascript", [True, False])
def test_from_upload_to_worksheet_and_back(site: Site, javascript: bool) -> None:
    visit = site.visit(HERE, javascript=javascript)
    page = visit.page
    upload(page, "data-missing.json")
    expect(page.get_by_role("heading", level=1)).to_have_text("data-missing for NCT03739814")
    expect(page.get_by_text("Not yet decided for C1").first).to_be_visible()
    answer(page, "bcr_abl1", value="negative")
    answer(page, "lvef", value="60", on="2026-03-10")
    answer(page, "bilirubin_total", uln="1.2")
    follow(page.get_by_role("button", name="Screen again").last)
    expect(page.get_by_role("row", name="Cohort C1 Undetermined Eligible")).to_be_visible()
    expect(page.get_by_role("img", name="Verdict of each cohort by registration day")).to_be_visible()
    page.get_by_text("Change dates, or what is taken as absent").click()
    page.locator("#on").fill("2026-07-01")
    page.locator('[name="anchor.therapy_start"]').fill("")
    follow(page.get_by_role("button", name="Screen again").first)
    expect(page.get_by_role("heading", name="What changed")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Facts added (3)").click()
    assert "value: 60 %" in Path(download.value.path()).read_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Worksheet (HTML)").click()
    assert Path(download.value.path()).read_text().lstrip().startswith("<!doctype html>")
    assert page.url.endswith(HERE)
    assert site.only_here(visit) and visit.messages == []


@pytest.mark.parametrize("width", [320, 1280])
def test_both_pages_are_accessible(site: Site, width: int) -> None:
    page = site.visit(HERE, width=width).page
    assert site.faults(page) == [] and site.overflow(page) == 0
    follow(page.get_by_role("button", name="Screen"))
    expect(page.locator("#errors")).to_be_focused()
    assert site.faults(page) == [] and site.overflow(page) == 0
    upload(page, "data-missing.json")
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
    answer(page, "lvef", value="sixty")
    follow(page.get_by_role("button", name="Screen again").last)
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
    expect(page.locator("#errors")).to_be_focused()
    assert site.faults(page) == [] and site.overflow(page) == 0


@pytest.mark.parametrize("width", [320, 1280])
def test_the_choice_of_a_patient_and_what_was_added_are_accessible(site: Site, width: int) -> None:
    several = [json.loads(example(name)) for name in ("cohort-1-eligible.json", "data-missing.json")]
    both = json.dumps({**several[0], "entry": [entry for one in several for entry in one["entry"]]})
    page = site.visit(HERE, width=width).page
    upload(page, "two.json", both.encode())
    assert site.faults(page) == [] and site.overflow(page) == 0
    page.get_by_label("Patient", exact=True).select_option("data-missing")
    follow(page.get_by_role("button", name="Screen"))
    answer(page, "lvef", value="60")
    page.locator("summary#settings").click()
    page.locator("#on").fill("2026-11-22")
    page.locator("#on").press("Enter")
    expect(page.get_by_role("heading", name="What you added")).to_be_visible()
    expect(page.locator("#on-error, [id='anchor.therapy_start-error']")).to_be_visible()
    assert site.faults(page) == [] and site.overflow(page) == 0
    page.locator('[name="anchor.therapy_start"]').fill("2026-11-24")
    follow(page.get_by_role("button", name="Screen again").first)
    expect(page.get_by_role("link", name="values are older than advised").first).to_be_visible()
    assert site.faults(page) == [] and site.overflow(page) == 0


@pytest.mark.parametrize("javascript", [True, False])
def test_an_answer_is_taken_out_with_a_button(site: Site, javascript: bool) -> None:
    page = site.visit(HERE, javascript=javascript).page
    upload(page, "data-missing.json")
    answer(page, "lvef", value="6")
    follow(page.get_by_role("button", name="Screen again").last)
    expect(page.get_by_role("row", name="S1-18 Unknown Not met")).to_be_visible()
    follow(page.get_by_role("button", name="Take out: Left ventricular ejection fraction, 6 %"))
    expect(page.get_by_role("row", name="S1-18 Not met Unknown")).to_be_visible()
    expect(page.get_by_role("heading", name="What you added")).to_have_count(0)


@pytest.mark.parametrize("javascript", [True, False])
def test_back_shows_the_worksheet_before_and_goes_on_from_there(site: Site, javascript: bool) -> None:
    page = site.visit(HERE, javascript=javascript).page
    upload(page, "data-missing.json")
    page.locator("summary#settings").click()
    page.locator("#on").fill("2026-03-18")
    follow(page.get_by_role("button", name="Screen again").first)
    rests_on = page.locator(".basis dd").first
    expect(rests_on).to_have_text("2026-03-18")
    page.go_back()
    expect(rests_on).to_have_text("2026-03-16")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Screen a patient")
    page.go_forward()
    expect(rests_on).to_have_text("2026-03-16")
    answer(page, "lvef", value="60")
    follow(page.get_by_role("button", name="Screen again").last)
    expect(page.get_by_role("heading", name="What you added")).to_be_visible()


def test_the_worksheet_keeps_its_own_style_to_itself(site: Site) -> None:
    """Its style is scoped: a badge has it, the page's own heading has not."""
    page = site.visit(HERE).page
    upload(page, "cohort-1-eligible.json")
    badge = page.locator(".worksheet .badge").first
    assert badge.evaluate("one => getComputedStyle(one).borderTopStyle") == "solid"
    fonts = page.locator("h1, .worksheet h2").evaluate_all("all => all.map(one => getComputedStyle(one).fontFamily)")
    assert len(set(fonts)) == 1


def test_what_is_folded_opens_by_keyboard(site: Site) -> None:
    page = site.visit(HERE).page
    upload(page, "data-missing.json")
    page.get_by_role("button", name="Result (JSON)").focus()
    page.keyboard.press("Tab")
    expect(page.locator("summary#settings")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#on")).to_be_visible()
