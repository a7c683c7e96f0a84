"""Questionnaire to printout in Chromium: with JavaScript and without, narrow and wide, by keyboard, on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.screening.test_questionnaire import NEW
from tests.web.conftest import Site, follow

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

HERE = "/trials/NCT03739814/questions"
#: With a heart attack in February, so that a rule of time shows.
ANSWERS = {
    **NEW, "myocardial_infarction": "yes", "myocardial_infarction.on.year": "2026",
    "myocardial_infarction.on.month": "2",
}  # fmt: skip


def tick(page: Page, name: str, value: str) -> None:
    field = page.locator(f'[name="{name}"][value="{value}"]')
    page.locator(f'label[for="{field.get_attribute("id")}"]').click()


def fill(page: Page, answers: dict[str, str]) -> None:
    """Answer what the page asks: what is among the answers, else no."""
    for name in page.locator('input[type=radio][value="no"]').evaluate_all("all => all.map(one => one.name)"):
        if name[2:] not in answers:
            tick(page, name, "no")
    for key, value in answers.items():
        field = page.locator(f'[name="q.{key}"]:not([type=hidden])')
        if field.count() == 0:
            continue
        if field.first.evaluate("one => one.type") in ("radio", "checkbox"):
            tick(page, f"q.{key}", value)
        elif field.first.evaluate("one => one.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)


def walk(page: Page, answers: dict[str, str]) -> int:
    """Go on to the result; how many pages it took."""
    for number in range(40):
        if page.title().startswith("How this trial looks"):
            return number
        fill(page, answers)
        follow(page.get_by_role("button", name="Continue").last)
    raise AssertionError("it does not come to an end")


def faults(site: Site, page: Page) -> list[str]:
    """What axe-core finds by WCAG 2.2 AA and by what it calls best practice."""
    found = site.faults(page)  # this also brings axe-core into the page
    best = page.evaluate("() => axe.run(document, {runOnly: ['best-practice']})")
    return found + [f"{one['id']}: {node['target']}" for one in best["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("javascript", [True, False])
def test_from_questions_to_the_printed_page(site: Site, javascript: bool, tmp_path: Path) -> None:
    visit = site.visit(HERE, javascript=javascript)
    page = visit.page
    follow(page.get_by_role("button", name="Start"))
    assert walk(page, ANSWERS) > 8
    expect(page.get_by_role("heading", name="Possible")).to_be_visible()
    expect(page.get_by_text("It does not allow a day before August 2, 2026").first).to_be_visible()
    expect(page.get_by_text("Talk to your care team now").first).to_be_visible()
    follow(page.get_by_role("button", name="Page to print for your doctor"))
    expect(page.get_by_role("heading", level=1)).to_have_text("For the doctor: NCT03739814")
    assert page.get_by_role("button", name="Print this page").is_visible() is javascript
    page.emulate_media(media="print")
    expect(page.get_by_text("Date of birth")).to_be_visible()
    expect(page.get_by_role("button", name="Download as a patient file")).to_be_hidden()
    page.emulate_media(media="screen")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as a patient file").click()
    assert "myocardial_infarction" in Path(download.value.path()).read_text()
    assert page.url.endswith("/doctor") and "?" not in page.url
    assert site.only_here(visit) and visit.messages == []


@pytest.mark.parametrize("javascript", [True, False])
def test_the_back_button_of_the_browser_shows_the_earlier_page(site: Site, javascript: bool) -> None:
    """The page itself, from the browser's own keeping: no question whether the form is to be sent again."""
    page = site.visit(HERE, javascript=javascript).page
    follow(page.get_by_role("button", name="Start"))
    tick(page, "q.sex", "male")
    follow(page.get_by_role("button", name="Continue").last)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your illness")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text("About you")
    page.go_forward()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your illness")


@pytest.mark.parametrize("javascript", [True, False])
def test_change_shows_the_question(site: Site, javascript: bool) -> None:
    page = site.visit(HERE, javascript=javascript).page
    follow(page.get_by_role("button", name="Start"))
    for _ in range(2):
        follow(page.get_by_role("button", name="Continue").last)
    follow(page.get_by_role("button", name="Stop here and see how it looks so far"))
    wanted = "Where does your leukemia stand now?"
    follow(page.locator(".told > div", has_text=wanted).get_by_role("button"))
    expect(page.locator(":target")).to_contain_text(wanted)
    expect(page.locator(":target")).to_be_in_viewport()
    assert "leukemia" not in page.url


@pytest.mark.parametrize("width", [320, 1280])
def test_every_page_is_accessible(site: Site, width: int) -> None:
    visit = site.visit(HERE, width=width)
    page = visit.page
    assert faults(site, page) == [] and site.overflow(page) == 0
    follow(page.get_by_role("button", name="Start"))
    page.locator('[name="q.born.year"]').fill("59")
    follow(page.get_by_role("button", name="Continue").last)
    expect(page.locator("#errors")).to_be_focused()
    assert faults(site, page) == []
    answers = {**ANSWERS, "treatment.intent.ALL": "yes", "treatment.intent.ALL.which": "corticosteroid"}
    while not page.title().startswith("How this trial looks"):
        fill(page, answers)
        assert faults(site, page) == [] and site.overflow(page) == 0, page.title()
        follow(page.get_by_role("button", name="Continue").last)
    assert faults(site, page) == [] and site.overflow(page) == 0
    follow(page.get_by_role("button", name="Page to print for your doctor"))
    assert faults(site, page) == [] and site.overflow(page) == 0


#: By how much a text sticks out of its box.
STICKS_OUT = """one => {
  const text = document.createRange(); text.selectNodeContents(one);
  const [inner, outer] = [text.getBoundingClientRect(), one.getBoundingClientRect()];
  return Math.max(outer.left - inner.left, inner.right - outer.right, inner.bottom - outer.bottom, 0);
}"""


@pytest.mark.parametrize("width", [320, 1280])
def test_a_number_of_two_digits_fits_into_its_circle(site: Site, width: int) -> None:
    page = site.visit(HERE, width).page
    follow(page.get_by_role("button", name="Start"))
    number = page.locator(".usa-step-indicator__current-step")
    for _ in range(40):
        fill(page, NEW)
        if number.inner_text() == "10":
            break
        follow(page.get_by_role("button", name="Continue").last)
    expect(number).to_have_text("10")
    assert number.evaluate(STICKS_OUT) == 0


def test_it_goes_by_keyboard(site: Site) -> None:
    """Enter goes on; arrows choose; nothing needs a pointer."""
    page = site.visit(HERE).page
    page.get_by_role("button", name="Start").focus()
    page.keyboard.press("Enter")
    page.locator('[name="q.born.year"]').focus()
    page.keyboard.type("1959")
    page.locator('[name="q.sex"]').first.focus()
    page.keyboard.press("Space")
    expect(page.locator('[name="q.sex"][value="female"]')).to_be_checked()
    page.keyboard.press("ArrowDown")
    expect(page.locator('[name="q.sex"][value="male"]')).to_be_checked()
    page.locator('[name="q.born.year"]').press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your illness")
