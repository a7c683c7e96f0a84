"""Answers of a person: checked field by field, then told as the entries of a patient file, and nothing else.

What is skipped or not known makes no fact. A "no" is a recorded negative of the time that was asked about; a "yes" is
a record with the dates and details as far as they were given. So the meaning of an answer is the engine's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import DAY, MOMENT, PERIOD, STATE, Catalogue
from onstudy.record.patient import Patient
from onstudy.screening import plain as words
from onstudy.screening.plain import NO, UNKNOWN, YES
from onstudy.screening.questionnaire_questions import (
    DATES,
    END,
    NOT_KNOWN,
    ON,
    STILL,
    WHICH,
    Form,
    Known,
    Question,
    again_question,
    detail_questions,
    root_name,
    root_question,
    which_question,
)
from onstudy.screening.questionnaire_rules import AGENT, BORN, INTENT, OTHER, START, Asked, Root, Stretch, detail_of
from onstudy.values.calendar import DateError, parse_when

#: What a person answered, by field. Fields that are blank or say "unknown" are not answered.
Answers = Mapping[str, str]

PATIENT = "questionnaire"
OLDEST = 120  # years back to which dates are taken
MOST_ALIKE = 8  # things of one kind, each with details of its own


# Checking -------------------------------------------------------------------------------------------------


def problems_of(questions: Iterable[Question], answers: Answers, on: date) -> dict[str, str]:
    """What is wrong with the answers to some questions: the question's key and what to do."""
    found = {}
    for question in questions:
        wrong = _wrong(question, answers, on)
        if wrong:
            found[question.key] = wrong
    return found


def _wrong(question: Question, answers: Answers, on: date) -> str:
    if question.form is Form.DATE:
        return _wrong_date(question, answers, on)
    said = given(question, answers)
    if not said:
        return ""
    if (question.form is Form.NUMBER and unknown(question, answers)) or UNKNOWN in said.split():
        return words.EITHER
    if question.form is Form.NUMBER:
        fits = said.isascii() and said.isdigit() and len(said) < 5 and int(said) <= question.most
        return "" if fits else f"Write a whole number from 0 to {question.most}, or leave it blank."
    offered = {code for code, _ in question.options}
    chosen = said.split() if question.form is Form.SEVERAL else [said]
    return "" if set(chosen) <= offered else "Choose one of the answers."


def _wrong_date(question: Question, answers: Answers, on: date) -> str:
    month, day, year = (answers.get(field, "").strip() for field in question.fields)
    if not (month or day or year):
        return ""
    if unknown(question, answers):
        return words.EITHER
    if not year:
        return "Write the year too, with four digits."
    if not (year.isascii() and year.isdigit() and len(year) == 4):
        return "Write the year with four digits, such as 2024."
    if day and not month:
        return "Write the month too."
    if month and not (month.isascii() and month.isdigit() and 1 <= int(month) <= 12):
        return "Write the month as a number from 1 to 12."
    if not on.year - OLDEST <= int(year):
        return "This year is too long ago. Check it."
    try:
        when = parse_when(_iso(month, day, year))
    except DateError:
        return "There is no such day. Check the day and the month."
    assert when.days.low is not None
    return "This date has not come yet. Check it." if int(when.days.low) > on.toordinal() else ""


def _iso(month: str, day: str, year: str) -> str:
    parts = [year] + ([f"{int(month):02d}"] if month else [])
    if day:
        parts.append(f"{int(day):02d}" if day.isascii() and day.isdigit() else "00")
    return "-".join(parts)


def given(question: Question, answers: Answers) -> str:
    """The answer to a question; "" where it was skipped or is not known. A date is an ISO date, as far as given."""
    if question.form is Form.DATE:
        month, day, year = (answers.get(field, "").strip() for field in question.fields)
        return _iso(month, day, year) if year else ""
    said = answers.get(question.key, "").strip()
    return "" if said == UNKNOWN else said


def unknown(question: Question, answers: Answers) -> bool:
    """Whether a person marked that the answer is not known to them."""
    said = answers.get(question.key, ""), answers.get(f"{question.key}{NOT_KNOWN}", "")
    return any(UNKNOWN in one.split() for one in said)


def narrowed(question: Question, answers: Answers, on: date) -> list[dict[str, str]]:
    """The answers with a date that is known to the year or month put on its first, and on its last possible day."""
    days = parse_when(given(question, answers)).days
    assert days.low is not None and days.high is not None
    found = []
    for day in (int(days.low), min(int(days.high), on.toordinal())):
        year, month, number = date.fromordinal(day).isoformat().split("-")
        found.append({**answers, **dict(zip(question.fields, (month, number, year), strict=True))})
    return found


def shown(question: Question, answers: Answers) -> str:
    """The answer as a person reads it; where there is none, whether it was said to be unknown or left blank."""
    said = given(question, answers)
    if not said:
        return words.DO_NOT_KNOW if unknown(question, answers) else words.BLANK
    if question.form is Form.DATE:
        return words.date_words(*said.split("-"))
    texts = dict(question.options)
    return ", ".join(texts.get(code, code) for code in said.split()) if question.options else said


# Telling ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """Everything a person told: the questions that now make sense, what is known of, and the record it makes."""

    roots: Mapping[str, Root]
    questions: Mapping[str, Question]
    known: tuple[Known, ...]
    entries: tuple[dict[str, object], ...]
    answers: Answers
    patient: Patient

    def answered(self, key: str) -> bool:
        """Whether a question has an answer that says something."""
        question = self.questions.get(key)
        return question is not None and bool(given(question, self.answers))


def tell(asked: Asked, answers: Answers, on: date) -> Told:
    """The record that a person's answers make. Answers that are wrong or belong to no question are left out."""
    telling = _Telling(asked, answers, on)
    telling.all()
    wrong = {name for one in telling.questions.values() if _wrong(one, answers, on) for name in (one.key, *one.fields)}
    entry: dict[str, object] = {"patient": PATIENT, "facts": telling.entries}
    if telling.born:
        entry["born"] = telling.born
    if telling.sex:
        entry["sex"] = telling.sex
    return Told(
        roots=telling.roots,
        questions=telling.questions,
        known=tuple(telling.known),
        entries=tuple(telling.entries),
        answers={name: value for name, value in answers.items() if name not in wrong},
        patient=patient_from(entry, PATIENT, asked.catalogue),
    )


class _Telling:
    """The answers being told, root by root."""

    def __init__(self, asked: Asked, answers: Answers, on: date) -> None:
        self.asked, self.answers, self.on = asked, answers, on
        self.catalogue: Catalogue = asked.catalogue
        self.roots: dict[str, Root] = {}
        self.questions: dict[str, Question] = {}
        self.known: list[Known] = []
        self.entries: list[dict[str, object]] = []
        self.born = self.sex = ""

    def all(self) -> None:
        """Tell everything that was answered."""
        for root in self.asked.all_roots():
            question = root_question(root, self.asked, self.on)
            self.roots[root.key] = root
            self.questions[question.key] = question
            said = self._said(question)
            if said:
                self._root(root, said)

    def _said(self, question: Question) -> str:
        return "" if _wrong(question, self.answers, self.on) else given(question, self.answers)

    def _root(self, root: Root, said: str) -> None:
        if root.kind == BORN:
            self.born = _until(said, self.on)
        elif root.kind == "sex":
            self.sex = said
        elif root.attribute == INTENT and said == YES:
            self._treated_for(root)
        elif said == NO and self.questions[root.key].form is Form.YES_NO:
            self.entries.append(self._no(root))
        else:
            named = {root.attribute: root.member} if root.attribute else {}
            self._yes(root, root.key, {**named, **({} if said == YES else {"value": said})})

    def _treated_for(self, root: Root) -> None:
        """Treatment for a purpose: the medicines marked, each a record; one that is not named where none is."""
        which = which_question(root, self.asked)
        self.questions[which.key] = which
        agents = self._said(which).split()
        for agent in agents:
            self._yes(root, f"{which.key}.{agent}", {root.attribute: root.member, AGENT: agent})
        if not agents:
            self._yes(root, root.key, {root.attribute: root.member})

    def _no(self, root: Root) -> dict[str, object]:
        """A recorded negative of the time that was asked about."""
        kind, stretch = self.catalogue.kinds[root.kind], self.asked.stretches.get(root.key, Stretch(ever=True))
        entry: dict[str, object] = {"kind": root.kind, "id": root.key, "value": NO, "recorded": self.on.isoformat()}
        first = stretch.first(self.on)
        if first is not None and kind.extent != STATE and kind.negative != DAY:
            entry["from"] = date.fromordinal(first).isoformat()
        if root.attribute:
            entry[root.attribute] = root.member
        return entry

    def _yes(self, root: Root, key: str, stated: Mapping[str, str], number: int = 1) -> None:
        """A record of something a person has had, with its details; then of the next one, where there was another."""
        kind = self.catalogue.kinds[root.kind]
        agent, purpose = stated.get(AGENT, ""), stated.get(INTENT, "")
        name = detail_of(root.kind, AGENT, self.catalogue).options[agent] if agent else root_name(root, self.catalogue)
        known = Known(key, root.kind, words.numbered(name, number), agent, purpose)
        entry: dict[str, object] = {"kind": root.kind, "id": key, "recorded": self.on.isoformat(), **stated}
        if not kind.measured:
            self.known.append(known)
            details = {question.key.removeprefix(f"{key}."): question for question in self._details(known)}
            said = {part: self._said(question) for part, question in details.items()}
            entry |= {part: text for part, text in said.items() if text and part not in DATES}
            if agent and said.get(AGENT) == OTHER:
                entry[AGENT] = list(self._others(known, details[AGENT]))
            entry |= self._dates(kind.extent, self.asked.stretches.get(root.key, Stretch(ever=True)), said)
        self.entries.append(entry)
        if number < MOST_ALIKE and self._told_apart(key):
            again = again_question(known, kind.topic)
            self.questions[again.key] = again
            if self._said(again) == YES:
                self._yes(root, again.key, stated, number + 1)

    def _told_apart(self, key: str) -> bool:
        """Whether a detail was told that another one of its kind may have otherwise: which drug, given how."""
        mine = [question for question in self.questions.values() if question.parent == key]
        return any(question.form is Form.ONE and self._said(question) for question in mine)

    def _details(self, known: Known) -> Iterator[Question]:
        for question in detail_questions(known, self.asked):
            self.questions[question.key] = question
            yield question

    def _others(self, known: Known, question: Question) -> Iterable[str]:
        """The members of a group of medicines that are none of those offered."""
        values = self.catalogue.codes_of(known.kind, AGENT)
        assert values is not None, "medicines have a value set"
        named = [values.meaning(code) for code, _ in question.options if code != OTHER]
        return sorted(values.meaning(known.agent).difference(*named)) or [known.agent]

    def _dates(self, extent: str, stretch: Stretch, said: Mapping[str, str]) -> dict[str, object]:
        """When it was: as told, else within the time that was asked about."""
        first, today = stretch.first(self.on), self.on.isoformat()
        since = None if first is None else date.fromordinal(first).isoformat()
        if extent == STATE:
            return {"on": today}
        if extent == MOMENT:
            when = _until(said.get(ON, ""), self.on, first) or (f"{since}..{today}" if since else "")
            return {"on": when} if when else {}
        assert extent == PERIOD, extent
        dates: dict[str, object] = {"from": _until(said[START], self.on)} if said.get(START) else {}
        if said.get(STILL) == YES or (stretch.present and not said.get(STILL)):
            dates["to"] = "ongoing"
        elif said.get(END):
            dates["to"] = _until(said[END], self.on, first)
        elif said.get(STILL) == NO and since and not stretch.present:
            dates["to"] = f"{since}..{today}"
        elif said.get(STILL) == NO:
            dates["active"] = NO
        elif since:
            dates["to"] = f"{since}.."
        return dates


def _until(text: str, on: date, first: int | None = None) -> str:
    """A date as it goes into the record: what is known to a month or year ends with the present day, and begins with
    the stretch of time that was asked about (its `first` day), as the answer to that was yes. A date that lies before
    the whole stretch stands as it was given.
    """
    if not text:
        return ""
    days = parse_when(text).days
    assert days.low is not None and days.high is not None
    low, high = int(days.low), min(int(days.high), on.toordinal())
    if first is not None and low < first <= high:
        low = first
    if (low, high) == (days.low, days.high):
        return text
    return f"{date.fromordinal(low).isoformat()}..{date.fromordinal(high).isoformat()}"


def which_root(key: str) -> str:
    """The key of the question that a question for medicines belongs to."""
    return key.removesuffix(f".{WHICH}")
