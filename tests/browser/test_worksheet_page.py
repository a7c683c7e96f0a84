"""The worksheet in a browser: accessible, narrow and wide, without JavaScript, on paper, alone with itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from unicodedata import normalize

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pypdf import PdfReader

from onstudy.language.trialfile import load_trial_file
from onstudy.readers import read_patients
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.screen import screen
from onstudy.screening.worksheet import blank_worksheet, worksheet
from onstudy.values.calendar import as_when

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ROOT = Path(__file__).parents[2]
TRIAL = ROOT / "src/onstudy/trials/NCT03739814.yaml"
PATIENTS = ROOT / "tests/screening/worksheet_patients.yaml"
ON = date(2026, 3, 16)
#: A page for each verdict, that of the undetermined with everything there is to state on top; one of a patient of
#: whom nothing is known; the blank one.
PAGES = ("ELIGIBLE", "TO-CONFIRM", "UNDECIDED", "INELIGIBLE", "EMPTY", "BLANK")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAPER = {"A4": (210 / 25.4 * 72, 297 / 25.4 * 72), "Letter": (612, 792)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The worksheets as files, as a user has them."""
    catalogue = load_catalogue()
    trial = load_trial_file(TRIAL, catalogue)
    anchors = {"therapy_start": as_when("2026-03-18T09:00")}
    patients = {patient.id: patient for patient in read_patients(PATIENTS)}
    pages = {
        name: worksheet(screen(trial, patient, ON, anchors=anchors, until=date(2027, 3, 16)))
        for name, patient in patients.items()
    }
    assumed = screen(trial, patients["UNDECIDED"], ON, assume_complete=["all"], default_limits={"creatinine": 1.2})
    pages |= {"UNDECIDED": worksheet(assumed), "BLANK": blank_worksheet(trial, catalogue)}
    assert set(pages) == set(PAGES)
    folder = tmp_path_factory.mktemp("worksheets")
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@dataclass
class Seen:
    """A page as opened, and what it asked for and said meanwhile."""

    page: Page
    requests: list[str]
    messages: list[str]


def opened(context: BrowserContext, file: Path) -> Seen:
    seen = Seen(context.new_page(), [], [])
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.on("console", lambda message: seen.messages.append(message.text))
    seen.page.on("pageerror", lambda error: seen.messages.append(str(error)))
    seen.page.goto(file.as_uri())
    return seen


def wide(width: int, **options: bool) -> dict[str, object]:
    return {"viewport": {"width": width, "height": 900}, **options}


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser: Browser, files: dict[str, Path], axe_core: Path, name: str, width: int) -> None:
    # The page's own policy forbids every script; the checker alone is let through.
    context = browser.new_context(**wide(width, bypass_csp=True))  # type: ignore[arg-type]
    page = opened(context, files[name]).page
    page.add_script_tag(path=axe_core)
    found = page.evaluate("tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", WCAG)
    assert len(found["passes"]) > 20
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]] == []
    context.close()


@pytest.mark.parametrize(
    ("name", "width"),
    [*((name, width) for name in PAGES for width in (320, 1280)), ("INELIGIBLE", 768), ("BLANK", 480)],
)
def test_nothing_is_cut_off_or_scrolls_sideways(
    browser: Browser, files: dict[str, Path], name: str, width: int
) -> None:
    """320 px is 1280 px at a zoom of 400 %. Only the drawing may scroll, inside a region that takes the focus."""
    context = browser.new_context(**wide(width))  # type: ignore[arg-type]
    page = opened(context, files[name]).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(e => !e.closest('.scroll, .skip, .symbols, thead') && e.checkVisibility())
            .filter(e => {
                const box = e.getBoundingClientRect();
                return box.right > innerWidth + 1 || box.left < -1
                    || e.clientWidth && e.scrollWidth > e.clientWidth + 1;
            })
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert beyond == []
    scrolling = page.locator(".scroll")
    for number in range(scrolling.count()):
        assert scrolling.nth(number).get_attribute("tabindex") == "0"
        assert scrolling.nth(number).get_attribute("aria-label")
    context.close()


@pytest.mark.parametrize("name", ["UNDECIDED", "BLANK"])
def test_every_focusable_is_reached_by_the_keyboard_and_seen(
    browser: Browser, files: dict[str, Path], name: str
) -> None:
    context = browser.new_context(**wide(1280))  # type: ignore[arg-type]
    page = opened(context, files[name]).page
    expected = page.evaluate(
        """() => { const all = [...document.querySelectorAll('a[href], [tabindex="0"]')];
            all.forEach((e, i) => { e.dataset.place = i; }); return all.length; }"""
    )
    assert expected > 5
    for place in range(expected):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
                return [Number(e.dataset.place), box.top >= 0 && box.bottom <= innerHeight && box.width > 0,
                        style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]; }"""
        )
        assert at == [place, True, True]
    context.close()


def test_the_skip_link_comes_first_and_leads_to_the_content(browser: Browser, files: dict[str, Path]) -> None:
    context = browser.new_context(**wide(1280))  # type: ignore[arg-type]
    page = opened(context, files["EMPTY"]).page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_headings_and_tables_are_in_order(browser: Browser, files: dict[str, Path], name: str) -> None:
    context = browser.new_context(**wide(1280))  # type: ignore[arg-type]
    page = opened(context, files[name]).page
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
    for table in page.locator("table").all():
        assert table.locator("caption").inner_text().strip()
        assert table.locator("thead th[scope=col]").count() == table.locator("thead th").count() > 1
        assert table.locator("tbody th[scope=row]").count() == table.locator("tbody tr").count() > 0
    context.close()


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", ["INELIGIBLE", "BLANK"])
def test_without_javascript_the_page_is_the_same(
    browser: Browser, files: dict[str, Path], name: str, width: int
) -> None:
    seen = []
    for scripted in (True, False):
        context = browser.new_context(**wide(width, java_script_enabled=scripted))  # type: ignore[arg-type]
        page = opened(context, files[name]).page
        boxes = page.evaluate(
            """() => [...document.querySelectorAll('body *')].map(e => { const box = e.getBoundingClientRect();
                return [e.tagName, box.x, box.y, box.width, box.height]; })"""
        )
        seen.append((page.locator("body").inner_text(), boxes))
        context.close()
    assert seen[0] == seen[1]
    assert len(seen[0][0]) > 10_000


@pytest.mark.parametrize("name", PAGES)
def test_the_page_asks_for_nothing_and_its_policy_is_kept(browser: Browser, files: dict[str, Path], name: str) -> None:
    context = browser.new_context(**wide(1280))  # type: ignore[arg-type]
    seen = opened(context, files[name])
    seen.page.wait_for_load_state("networkidle")
    assert seen.requests == [files[name].as_uri()]
    assert seen.messages == []
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 244, 239)"
    context.close()


@pytest.mark.parametrize("paper", PAPER)
@pytest.mark.parametrize("name", ["UNDECIDED", "INELIGIBLE", "BLANK"])
def test_it_prints(browser: Browser, files: dict[str, Path], name: str, paper: str) -> None:
    """On the paper asked for, nothing cut off at the side, the heading of a table repeated, rows in one piece."""
    context = browser.new_context(**wide(1280))  # type: ignore[arg-type]
    page = opened(context, files[name]).page
    pdf = page.pdf(format=paper, print_background=False)
    width, height = PAPER[paper]
    boxes = {tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[([^\]]*)\]", pdf)}
    assert len(boxes) == 1
    assert boxes.pop() == pytest.approx((0, 0, width, height), abs=1)
    assert 3 < len(re.findall(rb"/Type /Page\b", pdf)) < 30
    page.emulate_media(media="print")
    page.set_viewport_size({"width": int((width / 72 * 25.4 - 24) / 25.4 * 96), "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    printed = page.evaluate(
        """() => { const is = (selector, property) => [...document.querySelectorAll(selector)]
                .map(e => getComputedStyle(e)[property]);
            return [is('thead', 'display'), is('tbody tr, .signatures', 'breakInside'),
                    is('.contents, .skip', 'display')]; }"""
    )
    assert [set(values) for values in printed] == [{"table-header-group"}, {"avoid"}, {"none"}]
    foot = page.evaluate("(e => [e.breakInside, e.breakBefore])(getComputedStyle(document.querySelector('.foot')))")
    assert foot == ["avoid", "avoid"], "what is signed stands with its sums"
    cut = page.evaluate(
        """() => [...document.querySelectorAll('main *:not(svg *)')]
            .filter(e => e.checkVisibility() && e.clientWidth && e.scrollWidth > e.clientWidth + 1)
            .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert cut == []
    context.close()


@pytest.mark.parametrize("paper", PAPER)
@pytest.mark.parametrize("name", ["UNDECIDED", "INELIGIBLE"])
def test_what_belongs_together_is_on_one_sheet(
    browser: Browser, files: dict[str, Path], name: str, paper: str, tmp_path: Path
) -> None:
    """What is signed stands with the sums of what was signed, and no heading stands at the foot of a page alone."""
    context = browser.new_context(**wide(1280))  # type: ignore[arg-type]
    page = opened(context, files[name]).page
    page.pdf(path=tmp_path / "sheet.pdf", format=paper)
    context.close()
    pages = PdfReader(tmp_path / "sheet.pdf").pages
    sheets = [" ".join(normalize("NFKC", page.extract_text()).split()) for page in pages]  # a ligature is two letters
    signed = [number for number, sheet in enumerate(sheets) if "Decision and signatures" in sheet]
    assert signed == [len(sheets) - 1]
    for words in ("SHA-256 of the trial file", "Catalogue of facts", "Not medical advice"):
        assert words in sheets[-1]
    for number, sheet in enumerate(sheets):
        _, heading, below = sheet.partition("All criteria, in the order")
        assert not heading or re.search(r"\bS[01]-\d\d\b", below), f"the table is not on sheet {number + 1}"
