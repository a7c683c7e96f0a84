"""The coordinator's page: a record and a trial to a worksheet, what is missing answered there, dates changed.

Nothing is kept. The record goes from page to page inside the form that is sent, and a request ends with its answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from onstudy.engines.view import REGISTRATION
from onstudy.errors import OnstudyError
from onstudy.faces.web.coordinator_answers import Given, as_file, asked, given, merged, put_back
from onstudy.faces.web.coordinator_case import (
    LARGEST,
    Case,
    assumable,
    changes,
    day,
    examples,
    read_settings,
    settings_of,
    uploaded,
)
from onstudy.faces.web.pages import render
from onstudy.faces.web.stock import Stock, stock_of
from onstudy.screening.overview import headline
from onstudy.screening.plain import capital
from onstudy.screening.rows import anchors
from onstudy.screening.screen import ELIGIBLE, ELIGIBLE_IF_CONFIRMED, INELIGIBLE, UNDETERMINED, Screening
from onstudy.screening.timeline import VERDICT_WORDS
from onstudy.screening.worksheet import worksheet, worksheet_sections, worksheet_style

router = APIRouter(include_in_schema=False)
Stocked = Annotated[Stock, Depends(stock_of)]

TONES = {ELIGIBLE: "good", ELIGIBLE_IF_CONFIRMED: "good", UNDETERMINED: "ask", INELIGIBLE: "bad"}
_FIELDS = 4000


@dataclass(frozen=True)
class Sent:
    """A form as it was sent, and the record in it."""

    form: FormData
    record: str
    name: str
    wrong: str = ""  # why the record could not be taken

    def text(self, name: str) -> str:
        """A field of the form."""
        value = self.form.get(name, "")
        return value[:200].strip() if isinstance(value, str) else ""


async def sent(request: Request) -> Sent:
    """The form of a request; a file stays in memory, and is read here and nowhere else."""
    form = await request.form(max_files=1, max_fields=_FIELDS, max_part_size=LARGEST + 1)
    try:
        record, name = await uploaded(form)
        return Sent(form, record, name)
    except OnstudyError as error:
        return Sent(form, "", "", str(error))
    finally:
        await form.close()


Posted = Annotated[Sent, Depends(sent)]


@router.get("/coordinator")
def start(request: Request, stock: Stocked, trial: str = "") -> HTMLResponse:
    """Where a record and a trial are chosen."""
    return _start(request, stock, {"trial": trial[:40]}, {})


def _start(
    request: Request, stock: Stock, fields: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> HTMLResponse:
    return render(
        request,
        "coordinator/start.html",
        status,
        trials=[(one.id, f"{one.id}: {one.title}") for one in stock.trials.values()],
        examples=[("", "None: I upload a file"), *examples().items()],
        fields={"on": stock.today().isoformat(), "start": "", "trial": "", "example": "", **fields},
        errors=errors,
        most=LARGEST >> 20,
    )


@router.post("/coordinator")
def work(request: Request, stock: Stocked, posted: Posted) -> HTMLResponse:
    """The worksheet, with the form to go on: answers put in, dates changed, screened again."""
    errors = _wrong_start(posted, stock)
    if errors:
        named = {name: posted.text(name) for name in ("trial", "on", "start", "example")}
        return _start(request, stock, named, errors, 422)
    case = _case(posted, stock)
    before = read_settings(posted.text("was") and str(posted.form.get("was")))
    filled = given(posted.form, case.patient.id, stock.catalogue)
    if filled:
        case = case.with_settings(replace(case.settings, added=merged(case.settings.added, filled.parts)))
    try:
        screened = case.screened()
    except OnstudyError as error:
        if before is None:
            return _start(request, stock, {"trial": case.trial.id, "on": case.settings.on}, {"on": _said(error)}, 422)
        return _page(request, case.with_settings(before), case.screened(before), None, filled, _said(error))
    earlier = case.screened(before) if before is not None else None
    return _page(request, case, screened, earlier, filled)


@dataclass(frozen=True)
class Made:
    """HTML that other templates made, and escaped as they made it."""

    html: str

    def __html__(self) -> str:
        return self.html


def _said(error: OnstudyError) -> str:
    """What is wrong with the settings, in the words of the form instead of the command line's options."""
    text = str(error)
    for option, label in (
        ("--until", "Look ahead until"),
        ("--on", "Registration"),
        ("--assume-complete", "As absent"),
    ):
        text = text.replace(option, label)
    return capital(text)


def _wrong_start(posted: Sent, stock: Stock) -> dict[str, str]:
    """What keeps a form from being screened at all."""
    found = {}
    if posted.wrong:
        found["file"] = posted.wrong
    elif not posted.record:
        found["file"] = "Choose a file, or one of the examples."
    else:
        try:
            _case(posted, stock).patients  # noqa: B018 - reading it is what may fail
        except OnstudyError as error:
            found["file"] = str(error).replace(f"{posted.name}: ", "The file ", 1)
    if stock.trial(posted.text("trial")) is None:
        found["trial"] = "Choose a trial."
    try:
        day(posted.text("on"), "Registration")
    except OnstudyError as error:
        if not posted.text("was"):
            found["on"] = str(error)
    return found


def _case(posted: Sent, stock: Stock) -> Case:
    trial = stock.trial(posted.text("trial")) or next(iter(stock.trials.values()))
    who = posted.text("who")
    return Case(
        trial=trial,
        record=posted.record,
        name=posted.name,
        who=int(who) if who.isascii() and who.isdigit() and len(who) < 6 else 0,
        settings=settings_of(posted.form, trial),
        catalogue=stock.catalogue,
    )


def _page(
    request: Request, case: Case, s: Screening, earlier: Screening | None, filled: Given, wrong: str = ""
) -> HTMLResponse:
    entries = asked(s)
    put_back([one for _, several in entries for one in several], filled.wrong)
    errors = [(one.heading, f"{one.label}: {one.error}") for _, several in entries for one in several if one.error]
    return render(
        request,
        "coordinator/worksheet.html",
        422 if wrong or filled.wrong else 200,
        case=case,
        s=s,
        headline=headline(s),
        verdicts=[(one, VERDICT_WORDS[one.verdict], TONES[one.verdict]) for one in s.cohorts],
        moments=[(name, point.label) for name, point in case.trial.anchors.items() if name != REGISTRATION],
        assumable=assumable(s),
        asked=entries,
        changed=None if earlier is None else changes(earlier, s),
        was=case.settings.as_text(),
        wrong=wrong,
        errors=[("settings", wrong)] * bool(wrong) + errors,
        sections=Made(worksheet_sections(s)),
        anchor=anchors(s.trial),
        facts_added=len(case.settings.added.get("facts", [])),
    )


# To take away ---------------------------------------------------------------------------------------------


@router.post("/coordinator/worksheet")
def as_worksheet(stock: Stocked, posted: Posted) -> Response:
    """The worksheet as a file of its own."""
    case = _ready(posted, stock)
    return _download(worksheet(case.screened()), "text/html", f"{case.trial.id}-worksheet.html")


@router.post("/coordinator/json")
def as_json(stock: Stocked, posted: Posted) -> Response:
    """The screening as JSON."""
    case = _ready(posted, stock)
    return _download(case.screened().to_json() + "\n", "application/json", f"{case.trial.id}-screening.json")


@router.post("/coordinator/facts")
def as_facts(stock: Stocked, posted: Posted) -> Response:
    """The facts that were added, as a patient file for `onstudy screen --add`."""
    case = _ready(posted, stock)
    return _download(
        as_file(case.settings.added, case.patient.id), "application/yaml", f"{case.trial.id}-facts-added.yaml"
    )


def _ready(posted: Sent, stock: Stock) -> Case:
    """The case as the page shows it: the settings it was made with, not what was typed since."""
    errors = _wrong_start(posted, stock)
    if errors:
        raise OnstudyError(" ".join(errors.values()))
    case = _case(posted, stock)
    shown = read_settings(str(posted.form.get("was", "")))
    return case if shown is None else case.with_settings(shown)


def _download(text: str, media: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=f"{media}; charset=utf-8", headers=headers)


# The worksheet's own style, kept to the worksheet -----------------------------------------------------------


@router.get("/coordinator/worksheet.css")
def style() -> Response:
    """The style of the worksheet's sections, for a page that has a style of its own around them."""
    return Response(_scoped(), media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


@cache
def _scoped() -> str:
    without_page = re.sub(r"@page \{.*?\n  \}\n", "", worksheet_style(), flags=re.DOTALL)
    return "@scope (.worksheet) {\n" + without_page.replace(":root {", ":scope {") + "}\n"
