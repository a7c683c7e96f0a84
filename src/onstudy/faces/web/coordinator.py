"""The coordinator's page: a record and a trial to a worksheet, what is missing answered there, dates changed.

Nothing is kept. The record goes from page to page inside the form that is sent, and a request ends with its answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from onstudy.engines.view import REGISTRATION
from onstudy.errors import OnstudyError
from onstudy.faces.web.coordinator_added import as_file, listed, merged, taken_out
from onstudy.faces.web.coordinator_answers import Given, asked, given, put_back
from onstudy.faces.web.coordinator_case import (
    EXAMPLE_DAYS,
    FIRST_EXAMPLE,
    LARGEST,
    Case,
    Settings,
    assumable,
    changes,
    day,
    examples,
    located,
    read_settings,
    settings_of,
    unplanned,
    uploaded,
)
from onstudy.faces.web.pages import render
from onstudy.faces.web.questionnaire_trial import asked_trial
from onstudy.faces.web.stock import Stock, stock_of
from onstudy.screening.aged import aged, counted
from onstudy.screening.overview import headline
from onstudy.screening.rows import anchors
from onstudy.screening.screen import ELIGIBLE, ELIGIBLE_IF_CONFIRMED, INELIGIBLE, UNDETERMINED, Screening
from onstudy.screening.timeline import VERDICT_WORDS
from onstudy.screening.worksheet import worksheet, worksheet_sections, worksheet_style
from onstudy.values.calendar import show

router = APIRouter(include_in_schema=False)
Stocked = Annotated[Stock, Depends(stock_of)]

HERE = "/coordinator"
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
Fields = Mapping[str, str]


@router.get("/coordinator")
def start(request: Request, stock: Stocked) -> HTMLResponse:
    """Where a record and a trial are chosen; `trial`, `example`, `on` and `start` may be filled in by the address."""
    given = request.query_params
    fields = {name: given[name][:40] for name in ("trial", "example", "on", "start") if given.get(name)}
    fields["offered"] = "" if "on" in fields or "start" in fields else stock.today().isoformat()
    return _start(request, stock, fields, {})


def _start(request: Request, stock: Stock, fields: Fields, errors: Fields, case: Case | None = None) -> HTMLResponse:
    """The first form. `case` holds a record that can be read: it is carried on, and need not be chosen again."""
    several = case.patients if case is not None and len(case.patients) > 1 else []
    page = render(
        request,
        "coordinator/start.html",
        422 if errors else 200,
        trials=[(one.id, f"{one.id}: {one.title}") for one in stock.trials.values()],
        examples=[("", "None: I upload a file"), *examples().items()],
        example_days=EXAMPLE_DAYS,
        try_it=f"{HERE}?{urlencode({'example': FIRST_EXAMPLE, **EXAMPLE_DAYS})}",
        fields={**dict.fromkeys(("start", "trial", "example", "who", "offered"), ""), "on": stock.today().isoformat()}
        | dict(fields),
        errors=errors,
        most=LARGEST >> 20,
        case=case,
        people=[("", "Choose a patient"), *((str(n), one.id) for n, one in enumerate(several))] if several else [],
    )
    return _held(page)


def _held(page: HTMLResponse) -> HTMLResponse:
    """A page that the browser which asked for it may show again on Back; nobody else may keep it.

    With `no-store` a browser has to send the form once more, and asks for that in place of the page.
    """
    page.headers["Cache-Control"] = "private, no-cache"
    return page


@router.post("/coordinator")
def work(request: Request, stock: Stocked, posted: Posted) -> HTMLResponse:
    """The worksheet, with the form to go on: answers put in or taken out, dates changed, screened again."""
    errors = _wrong_start(posted, stock)
    case = _case(posted, stock) if "file" not in errors else None
    first = _first(posted, case)
    if case is None or errors or posted.text("choose"):
        return _start(request, stock, first, errors, case)
    before = read_settings(posted.text("was") and str(posted.form.get("was")))
    filled = given(posted.form, case.patient.id, stock.catalogue)
    kept = taken_out(case.settings.added, posted.text("out"))
    case = case.with_settings(replace(case.settings, added=merged(kept, filled.parts)))
    try:
        screened = case.screened()
    except OnstudyError as error:
        at, said = located(error, case.trial)
        if before is None:
            return _start(request, stock, first, {"start" if at.startswith("anchor.") else "on": said}, case)
        stands = case.with_settings(replace(before, added=case.settings.added))
        was = case.screened(before)
        return _page(request, stock, stands, stands.screened(), was, filled, case.settings, {at: said})
    earlier = case.screened(before) if before is not None else None
    return _page(request, stock, case, screened, earlier, filled, case.settings, {})


def _first(posted: Sent, case: Case | None) -> dict[str, str]:
    """What the first form shows again of a form that was sent."""
    found = {name: posted.text(name) for name in ("trial", "on", "start", "example", "who", "offered")}
    planned = [] if case is None else [text for name, text in case.settings.anchors.items() if text]
    return found | ({"start": planned[0]} if planned else {})


@dataclass(frozen=True)
class Made:
    """HTML that other templates made, and escaped as they made it."""

    html: str

    def __html__(self) -> str:
        return self.html


def _wrong_start(posted: Sent, stock: Stock) -> dict[str, str]:
    """What keeps a form from being screened at all."""
    found = {}
    if posted.wrong:
        found["file"] = posted.wrong
    elif not posted.record:
        found["file"] = "Choose a file, or one of the examples."
    else:
        try:
            case = _case(posted, stock)
            if not case.chosen and not posted.text("choose"):
                found["who"] = f"{case.name} holds {len(case.patients)} patients: choose one."
        except OnstudyError as error:
            found["file"] = str(error)
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
        who=int(who) if who.isascii() and who.isdigit() and len(who) < 6 else None,
        settings=settings_of(posted.form, trial),
        catalogue=stock.catalogue,
    )


def _page(
    request: Request,
    stock: Stock,
    case: Case,
    s: Screening,
    earlier: Screening | None,
    filled: Given,
    typed: Settings,
    wrong: Fields,
) -> HTMLResponse:
    """The worksheet of a case. `typed` stands in the fields: the case's own settings, or those that are `wrong`."""
    entries = asked(s)
    put_back([one for _, several in entries for one in several], filled.wrong)
    errors = [(one.heading, f"{one.label}: {one.error}") for _, several in entries for one in several if one.error]
    page = render(
        request,
        "coordinator/worksheet.html",
        422 if wrong or filled.wrong else 200,
        case=case,
        trial=stock.keep(("standing", case.trial.id, stock.today()), lambda: asked_trial(stock, case.trial.id, "")),
        s=s,
        headline=headline(s),
        verdicts=[(one, VERDICT_WORDS[one.verdict], TONES[one.verdict], counted(aged(s, [one]))) for one in s.cohorts],
        dates=[
            (case.trial.anchors[name].label, show(when) if when else "not planned") for name, when in s.anchors.items()
        ],
        moments=[(name, point.label) for name, point in case.trial.anchors.items() if name != REGISTRATION],
        unplanned=unplanned(s),
        assumable=assumable(s),
        asked=entries,
        changed=None if earlier is None else changes(earlier, s),
        was=case.settings.as_text(),
        typed=typed,
        wrong=wrong,
        errors=[*wrong.items(), *errors],
        sections=Made(worksheet_sections(s)),
        anchor=anchors(s.trial),
        added=listed(case.settings.added, s),
        lost=sum(not problem.fact_kept for problem in s.problems),
    )
    return _held(page)


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
