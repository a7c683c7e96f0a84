"""The questionnaire: one topic a page, then how the trial looks, a page for the doctor, and two files of it.

Every request but the first is a POST that carries the answers, so that none stands in an address or a log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from onstudy.faces.web.pages import render
from onstudy.faces.web.questionnaire_state import FIELD, LONGEST_PLACE, State, read_state, trail_text
from onstudy.faces.web.questionnaire_trial import Asked, asked_trial
from onstudy.faces.web.stock import Stock, stock_of
from onstudy.readers.patientfile_write import to_patient_file
from onstudy.screening import plain as words
from onstudy.screening.questionnaire import Outlook, Page, Questionnaire
from onstudy.screening.questionnaire_answers import Answers
from onstudy.screening.questionnaire_fhir import to_response
from onstudy.screening.questionnaire_limits import compared, limits_trial
from onstudy.screening.questionnaire_questions import NOT_KNOWN, Form, Question
from onstudy.screening.questionnaire_result import Item, gathered
from onstudy.screening.questionnaire_rules import BORN

router = APIRouter(include_in_schema=False)
Stocked = Annotated[Stock, Depends(stock_of)]

#: How each word of an outlook looks, and in which order groups are shown.
TONES = {words.LIKELY: "good", words.POSSIBLE: "ask", words.UNLIKELY: "plain"}
_ORDER = list(TONES)
#: Of a page that answers a form: with "no-store" the browser's Back asks to send the form again.
KEPT_FOR_BACK = "private, no-cache"


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
    trial: Asked
    asking: Questionnaire

    def show(self, template: str, state: State, status: int = 200, **context: Any) -> HTMLResponse:
        """A page of the questionnaire. The browser may keep it for its own Back button, and nobody else may."""
        page = render(
            self.request,
            template,
            status,
            id=self.trial.id,
            title=self.trial.title,
            trial=self.trial,
            asking=self.asking,
            state=state,
            trail=trail_text(state.trail),
            field=FIELD,
            not_known=NOT_KNOWN,
            words=words,
            tones=TONES,
            **context,
        )
        page.headers["Cache-Control"] = KEPT_FOR_BACK
        return page


def sitting_of(request: Request, stock: Stocked, nct_id: str) -> Sitting:
    """The questionnaire of a trial: by its trial file, else by the limits of its registry record. 404 for no trial."""
    file = stock.trial(nct_id)
    trial = asked_trial(stock, nct_id, file.title if file is not None else "")
    if trial is None:
        raise HTTPException(404)
    if file is not None:
        return Sitting(request, stock, trial, Questionnaire(file, stock.today(), stock.catalogue))
    assert trial.page is not None, "without a trial file there is a record"
    record = trial.page.record
    limits = limits_trial(
        nct_id, trial.title, stock.catalogue, youngest=record.youngest, eldest=record.eldest, sex=record.sex
    )
    return Sitting(request, stock, trial, Questionnaire(limits, stock.today(), stock.catalogue, only_limits=True))


Seated = Annotated[Sitting, Depends(sitting_of)]


@router.get("/trials/{nct_id}/questions")
def begin(sitting: Seated) -> HTMLResponse:
    """What the questionnaire is, before its first question. A ZIP code of the search may be brought along."""
    zip = sitting.request.query_params.get("zip", "")[:LONGEST_PLACE].strip()
    return sitting.show("questionnaire/start.html", State(zip=zip, came=zip))


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
            return _asked(sitting, replace(state, shown=state.trail[place], at=place), {})
        place -= 1
    if place < 0:
        return sitting.show("questionnaire/start.html", state)
    return _next(sitting, replace(state, shown=(), at=len(state.trail)))


def _next(sitting: Sitting, state: State) -> HTMLResponse:
    page = sitting.asking.page(state.counted, state.seen)
    if page is None:
        return _result(sitting, state)
    keys = tuple(question.key for question in page.questions)
    return _asked(sitting, replace(state, shown=keys, at=len(state.trail)), {})


def _asked(sitting: Sitting, state: State, errors: dict[str, str]) -> HTMLResponse:
    """The page with the questions of `state.shown`."""
    questions = sitting.asking.questions(state.shown, state.answers)
    if not questions:
        return _next(sitting, replace(state, shown=(), at=len(state.trail)))
    page = Page(questions[0].topic, questions)
    topics = sitting.asking.topics
    before = [sitting.asking.questions(keys, state.answers) for keys in state.trail[: state.at]]
    return sitting.show(
        "questionnaire/page.html",
        state,
        422 if errors else 200,
        page=page,
        step=topics.index(page.topic) + 1,
        topics=topics,
        part=1 + sum(bool(earlier) and earlier[0].topic == page.topic for earlier in before),
        errors=errors,
        wrong=[(key, f"{question.ask} {errors[key]}") for question in questions if (key := question.key) in errors],
        hidden=state.without(_fields(questions)),
        forms=Form,
    )


def _fields(questions: tuple[Question, ...]) -> set[str]:
    names = {name for question in questions for name in question.fields}
    return names | {f"{question.key}{NOT_KNOWN}" for question in questions}


def _result(sitting: Sitting, state: State) -> HTMLResponse:
    return sitting.show("questionnaire/result.html", state, **_shown(sitting, state), hidden=state.without(()))


def _shown(sitting: Sitting, state: State) -> dict[str, Any]:
    """How the groups look, the likely first, what is open in them, and the answers by topic: each with the page, and
    the place on it, where it can be changed.
    """
    asking = sitting.asking
    by_topic: dict[str, list[tuple[Question, str, int, int]]] = {}
    for place, keys in enumerate(state.trail):
        for number, (question, answer) in enumerate(asking.summary(state.counted, keys), 1):
            by_topic.setdefault(question.topic, []).append((question, answer, place, number))
    outlooks = sorted(asking.outlooks(state.counted, state.seen), key=lambda one: _ORDER.index(one.word))
    return {
        "outlooks": outlooks,
        "topics": [(title, by_topic[topic]) for topic, title in words.TOPICS.items() if topic in by_topic],
        "unfinished": asking.page(state.counted, state.seen) is not None,
        "compared": compared(asking, state.counted) if asking.only_limits else "",
        **_open(asking, outlooks, asking.told(state.counted).answers),
    }


def _open(asking: Questionnaire, outlooks: list[Outlook], answers: Answers) -> dict[str, list[Item]]:
    """What is open, each once for all groups it is open in."""
    mine = {one.id: one for one in outlooks if one.word != words.UNLIKELY}
    ids = [one.asking.criteria for one in mine.values()]
    return {
        "left": gathered({one.id: [asking.still_open(q, answers) for q in one.open] for one in outlooks if one.open}),
        "tests": gathered({name: one.asking.tests for name, one in mine.items()}, ids),
        "judged": gathered({name: one.asking.judged for name, one in mine.items()}, ids),
        "history": gathered({name: one.asking.history for name, one in mine.items()}, ids),
    }


# What is taken to the doctor ------------------------------------------------------------------------------


@router.post("/trials/{nct_id}/questions/doctor")
def doctor(sitting: Seated, state: Carried) -> HTMLResponse:
    """The page to print for the doctor."""
    nearest = sitting.trial.nearest(state.zip, sitting.stock)
    return sitting.show(
        "questionnaire/doctor.html", state, **_shown(sitting, state), hidden=state.without(()), nearest=nearest
    )


@router.post("/trials/{nct_id}/questions/response")
def response(sitting: Seated, state: Carried) -> Response:
    """The answers as a FHIR QuestionnaireResponse."""
    made = to_response(sitting.asking, state.counted, state.seen)
    text = json.dumps(made, ensure_ascii=False, indent=2) + "\n"
    return _download(text, "application/fhir+json", f"{sitting.trial.id}-answers.json")


@router.post("/trials/{nct_id}/questions/facts")
def facts(sitting: Seated, state: Carried) -> Response:
    """The answers as a patient file, to be screened with."""
    text = to_patient_file(sitting.asking.told(state.counted).patient, sitting.stock.catalogue)
    return _download(text, "application/yaml", f"{sitting.trial.id}-answers.yaml")


def _download(text: str, media: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=f"{media}; charset=utf-8", headers=headers)
