"""The questionnaire: one topic a page, then how the trial looks, a page for the doctor, and two files of it.

Every request but the first is a POST that carries the answers, so that none stands in an address or a log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from onstudy.faces.web.pages import render
from onstudy.faces.web.questionnaire_state import FIELD, NOT_KNOWN, State, read_state, trail_text
from onstudy.faces.web.stock import Stock, stock_of
from onstudy.readers.patientfile_write import to_patient_file
from onstudy.registry.record import read_record
from onstudy.screening import plain as words
from onstudy.screening.questionnaire import Page, Questionnaire
from onstudy.screening.questionnaire_fhir import to_response
from onstudy.screening.questionnaire_limits import limits_trial
from onstudy.screening.questionnaire_questions import Form, Question
from onstudy.screening.questionnaire_rules import BORN

router = APIRouter(include_in_schema=False)
Stocked = Annotated[Stock, Depends(stock_of)]

#: How each word of an outlook looks, and in which order groups are shown.
TONES = {words.LIKELY: "good", words.POSSIBLE: "ask", words.UNLIKELY: "plain"}
_ORDER = list(TONES)


async def state_of(request: Request, stock: Stocked) -> State:
    """The state that a form brings along."""
    async with request.form(max_files=0) as form:
        return read_state(form, {*stock.catalogue.kinds, BORN})


Carried = Annotated[State, Depends(state_of)]


@dataclass(frozen=True)
class Sitting:
    """One trial's questionnaire for one request."""

    request: Request
    stock: Stock
    id: str
    title: str
    asking: Questionnaire

    def show(self, template: str, state: State, status: int = 200, **context: Any) -> HTMLResponse:
        """A page of the questionnaire."""
        return render(
            self.request,
            template,
            status,
            id=self.id,
            title=self.title,
            asking=self.asking,
            state=state,
            trail=trail_text(state.trail),
            field=FIELD,
            not_known=NOT_KNOWN,
            words=words,
            tones=TONES,
            **context,
        )


def sitting_of(request: Request, stock: Stocked, nct_id: str) -> Sitting:
    """The questionnaire of a trial: by its trial file, else by the limits of its registry record. 404 for no trial."""
    trial, raw = stock.trial(nct_id), stock.registry.original(nct_id)
    record = read_record(raw) if raw is not None else None
    if trial is None and record is None:
        raise HTTPException(404)
    title = record.title if record is not None else trial.title if trial is not None else nct_id
    if trial is not None:
        return Sitting(request, stock, nct_id, title, Questionnaire(trial, stock.today(), stock.catalogue))
    assert record is not None
    limits = limits_trial(
        nct_id, title, stock.catalogue, youngest=record.youngest, eldest=record.eldest, sex=record.sex
    )
    return Sitting(
        request, stock, nct_id, title, Questionnaire(limits, stock.today(), stock.catalogue, only_limits=True)
    )


Seated = Annotated[Sitting, Depends(sitting_of)]


@router.get("/trials/{nct_id}/questions")
def begin(sitting: Seated) -> HTMLResponse:
    """What the questionnaire is, before its first question."""
    return sitting.show("questionnaire/start.html", State())


@router.post("/trials/{nct_id}/questions")
def walk(sitting: Seated, state: Carried) -> HTMLResponse:
    """The next page, the one before, one to change, or the result, by the button that was pressed."""
    if state.go == "back":
        return _page_at(sitting, state, state.at - 1)
    if state.go.startswith("change-") and state.go[7:].isdigit():
        return _page_at(sitting, state, int(state.go[7:]))
    errors = sitting.asking.check(state.shown, state.answers)
    if errors:
        return _asked(sitting, state, errors)
    walked = state.walked()
    return _result(sitting, walked) if state.go == "result" else _next(sitting, walked)


def _page_at(sitting: Sitting, state: State, place: int) -> HTMLResponse:
    """A page that was shown before; the start where there is none before it."""
    while 0 <= place < len(state.trail):
        keys = tuple(q.key for q in sitting.asking.questions(state.trail[place], state.answers))
        if keys:
            return _asked(sitting, State(state.answers, state.trail, state.trail[place], place), {})
        place -= 1
    if place < 0:
        return sitting.show("questionnaire/start.html", State(state.answers, state.trail))
    return _next(sitting, State(state.answers, state.trail, (), len(state.trail)))


def _next(sitting: Sitting, state: State) -> HTMLResponse:
    page = sitting.asking.page(state.counted, state.seen)
    if page is None:
        return _result(sitting, state)
    keys = tuple(question.key for question in page.questions)
    return _asked(sitting, State(state.answers, state.trail, keys, len(state.trail)), {})


def _asked(sitting: Sitting, state: State, errors: dict[str, str]) -> HTMLResponse:
    """The page with the questions of `state.shown`."""
    questions = sitting.asking.questions(state.shown, state.answers)
    if not questions:
        return _next(sitting, State(state.answers, state.trail, (), len(state.trail)))
    page = Page(questions[0].topic, questions)
    topics = sitting.asking.topics
    return sitting.show(
        "questionnaire/page.html",
        state,
        422 if errors else 200,
        page=page,
        step=topics.index(page.topic) + 1,
        topics=topics,
        errors=errors,
        hidden=state.without(_fields(questions)),
        forms=Form,
    )


def _fields(questions: tuple[Question, ...]) -> set[str]:
    names = {name for question in questions for name in question.fields}
    return names | {f"{question.key}{NOT_KNOWN}" for question in questions}


def _result(sitting: Sitting, state: State) -> HTMLResponse:
    return sitting.show("questionnaire/result.html", state, **_shown(sitting, state), hidden=state.without(()))


def _shown(sitting: Sitting, state: State) -> dict[str, Any]:
    """How the groups look, the likely first; and the answers by topic, each with the page it can be changed on."""
    asking = sitting.asking
    by_topic: dict[str, list[tuple[Question, str, int]]] = {}
    for place, keys in enumerate(state.trail):
        for question, answer in asking.summary(state.counted, keys):
            by_topic.setdefault(question.topic, []).append((question, answer, place))
    return {
        "outlooks": sorted(asking.outlooks(state.counted, state.seen), key=lambda one: _ORDER.index(one.word)),
        "topics": [(title, by_topic[topic]) for topic, title in words.TOPICS.items() if topic in by_topic],
        "unfinished": asking.page(state.counted, state.seen) is not None,
    }


# What is taken to the doctor ------------------------------------------------------------------------------


@router.post("/trials/{nct_id}/questions/doctor")
def doctor(sitting: Seated, state: Carried) -> HTMLResponse:
    """The page to print for the doctor."""
    return sitting.show("questionnaire/doctor.html", state, **_shown(sitting, state), hidden=state.without(()))


@router.post("/trials/{nct_id}/questions/response")
def response(sitting: Seated, state: Carried) -> Response:
    """The answers as a FHIR QuestionnaireResponse."""
    made = to_response(sitting.asking, state.counted, state.seen)
    text = json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    return _download(text, "application/fhir+json", f"{sitting.id}-answers.json")


@router.post("/trials/{nct_id}/questions/facts")
def facts(sitting: Seated, state: Carried) -> Response:
    """The answers as a patient file, to be screened with."""
    text = to_patient_file(sitting.asking.told(state.counted).patient, sitting.stock.catalogue)
    return _download(text, "application/yaml", f"{sitting.id}-answers.yaml")


def _download(text: str, media: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=f"{media}; charset=utf-8", headers=headers)
