"""A trial of which only the limits of age and sex are known, as the registry states them: no trial file was written.

It is a trial like any other, with up to three rules in the language of trial files, so that the same questionnaire
asks for age and sex. Whoever shows it says that nothing else was compared.
"""

from __future__ import annotations

from onstudy.criteria.trial import AnchorPoint, Cohort, Criterion, Step, Trial
from onstudy.engines.view import REGISTRATION
from onstudy.language.parse import parse
from onstudy.record.catalogue import Catalogue
from onstudy.screening import plain as words
from onstudy.screening.questionnaire import Questionnaire
from onstudy.screening.questionnaire_answers import Answers

_SEXES = {"FEMALE": "female", "MALE": "male"}


def limits_trial(
    id: str, title: str, catalogue: Catalogue, *, youngest: int | None, eldest: int | None, sex: str
) -> Trial:
    """The trial of a registry record. Ages are completed years, both included; `sex` is ALL, FEMALE, MALE or ""."""
    stated = []
    if youngest:
        stated.append(("age-from", f"{youngest} years or older", f"age at registration >= {youngest} years"))
    if eldest is not None:
        stated.append(("age-to", f"{eldest} years or younger", f"age at registration <= {eldest} years"))
    if sex in _SEXES:
        stated.append(("sex", f"Sex: {_SEXES[sex]}", f"latest sex is {_SEXES[sex]}"))
    rows = tuple(
        Criterion(id=name, text=text, rule=parse(rule, catalogue), rule_text=rule, step="1")
        for name, text, rule in stated
    )
    return Trial(
        id=id,
        version="",
        title=title,
        anchors={REGISTRATION: AnchorPoint(REGISTRATION, "Registration")},
        steps=(Step("1", "Registration", rows),),
        cohorts=(Cohort("all", title, ()),),
        source="registry record",
    )


def compared(questionnaire: Questionnaire, answers: Answers) -> str:
    """What of a person was compared with the limits, in a sentence; "" where an answer leaves a limit open."""
    told = questionnaire.told(answers)
    limits = [root.key for root in questionnaire.asked.all_roots()]
    said = [words.LIMITS[key] for key in limits if told.answered(key)]
    if not limits:
        return words.NO_LIMITS
    if not said:
        return words.NOTHING_COMPARED.format(names=" or ".join(words.LIMITS[key] for key in limits))
    left = (question.key for one in questionnaire.outlooks(answers) for question in one.open)
    if any(map(told.answered, left)):
        return ""
    return words.LIMITS_FIT.format(names=" and ".join(said), fit="fit" if len(said) > 1 else "fits")
