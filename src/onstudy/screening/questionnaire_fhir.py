"""A filled-in questionnaire as a FHIR R4 QuestionnaireResponse: what was asked, in the words it was asked in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from onstudy.screening import plain as words
from onstudy.screening.plain import YES
from onstudy.screening.questionnaire import Questionnaire
from onstudy.screening.questionnaire_answers import Answers, given
from onstudy.screening.questionnaire_questions import Form, Question
from onstudy.values.codes import ONSTUDY

CANONICAL = "https://onstudy.dev/fhir/Questionnaire"


def to_response(questionnaire: Questionnaire, answers: Answers, seen: Iterable[str]) -> dict[str, Any]:
    """The QuestionnaireResponse. A question that was skipped or not known has an item and no answer.

    It is in progress while a question that matters was not put yet. It names no person: who the answers are of is for
    whoever takes it in to say.
    """
    put = tuple(seen)
    asked, answers = questionnaire.questions(put, answers), questionnaire.told(answers).answers
    topics = [topic for topic in words.TOPICS if any(question.topic == topic for question in asked)]
    version = f"|{questionnaire.trial.version}" if questionnaire.trial.version else ""
    response: dict[str, Any] = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{CANONICAL}/{questionnaire.trial.id}{version}",
        "status": "completed" if questionnaire.page(answers, put) is None else "in-progress",
        "authored": questionnaire.on.isoformat(),
    }
    items = [
        {
            "linkId": topic,
            "text": words.TOPICS[topic],
            "item": [_item(question, answers) for question in asked if question.topic == topic],
        }
        for topic in topics
    ]
    return response | ({"item": items} if items else {})


def _item(question: Question, answers: Answers) -> dict[str, Any]:
    said = given(question, answers)
    item: dict[str, Any] = {"linkId": question.key, "text": question.ask}
    return item | ({"answer": [_answer(question, one) for one in _each(question, said)]} if said else {})


def _each(question: Question, said: str) -> list[str]:
    return said.split() if question.form is Form.SEVERAL else [said]


def _answer(question: Question, said: str) -> dict[str, Any]:
    if question.form is Form.YES_NO:
        return {"valueBoolean": said == YES}
    if question.form is Form.DATE:
        return {"valueDate": said}
    if question.form is Form.NUMBER or said.isdigit():
        return {"valueInteger": int(said)}
    return {"valueCoding": {"system": ONSTUDY, "code": said, "display": dict(question.options)[said]}}
