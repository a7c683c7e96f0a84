"""The top of the worksheet: where each cohort stands, and what to do next, in the order of the work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onstudy.criteria.finding import Reason
from onstudy.criteria.trial import Severity
from onstudy.screening.aged import aged, counted
from onstudy.screening.explain import reason_of
from onstudy.screening.missing import Question, others_on_record
from onstudy.screening.rows import anchors, asked, improves, shortest_ways
from onstudy.screening.screen import (
    ELIGIBLE,
    ELIGIBLE_IF_CONFIRMED,
    INELIGIBLE,
    NOT_MET,
    UNDETERMINED,
    UNKNOWN_STATUS,
    CohortResult,
    CohortWindow,
    Screening,
)  # fmt: skip
from onstudy.screening.timeline import VERDICT_WORDS
from onstudy.screening.unread import beside_absences, sentence
from onstudy.screening.wording import fact_text, label, of_kind, phrases
from onstudy.values.calendar import show_day

_REASONS_SHOWN, _UNKNOWN_SHOWN, _ABOUT_SHOWN, _UNREAD_SHOWN = 6, 12, 3, 12
_CLASSES = ("missing", "to_do", "to_confirm")
_OBTAIN = "Somebody must find or measure this."
_DO = "Joining the trial brings this about."
_RENEW = "Older on the registration date than the trial file advises. The verdict stands; a person decides."
_CONFIRM = "The record does not settle it. Once it is confirmed that there is none, or no other, it no longer counts."


def headline(s: Screening) -> str:
    """The whole answer in one sentence."""
    for verdict, said in (
        (ELIGIBLE, "Eligible for {} as recorded."),
        (ELIGIBLE_IF_CONFIRMED, "Eligible for {} once the absences listed below are confirmed."),
        (UNDETERMINED, "Not yet decided for {}; what is open is listed below."),
    ):
        found = [cohort.id for cohort in s.cohorts if cohort.verdict == verdict]
        if found:
            return said.format(_listed(found))
    opening = [(window.first, cohort.id) for cohort in s.cohorts if (window := _opening(cohort)) is not None]
    if not opening:
        return f"Ineligible for every cohort on every day until {s.until}, if nothing new is recorded."
    day, name = min(opening)
    needs = any(getattr(c.opening, cls) for c in s.cohorts if c.opening is not None for cls in _CLASSES)
    until = "; what is open until then is listed below" if needs else ""
    return f"Ineligible for every cohort on {s.on}; {name} opens on {show_day(day)}, if nothing new is recorded{until}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _opening(cohort: CohortResult) -> CohortWindow | None:
    """The first stretch on which a cohort is no longer out of the question."""
    return next((window for window in cohort.windows if window.verdict != INELIGIBLE), None)


@dataclass(frozen=True)
class Decider:
    """A row that decides a verdict, with its reason in short."""

    id: str
    anchor: str
    because: str
    improves: str


@dataclass(frozen=True)
class Card:
    """Where one cohort stands."""

    id: str
    title: str
    verdict: str
    said: str
    aged: str  # how many of its results are older than advised; "" where none is
    deciders: tuple[Decider, ...]
    further: tuple[tuple[str, str], ...]  # id and anchor of the rows beyond those
    unknown: tuple[tuple[str, str], ...]  # and of the unknown ones
    outlook: tuple[str, ...]
    settled_by: tuple[str, ...]


def card(cohort: CohortResult, s: Screening) -> Card:
    """The card of a cohort."""
    at = anchors(s.trial)
    against = cohort.deciding if cohort.verdict == INELIGIBLE else ()
    return Card(
        id=cohort.id,
        title=cohort.title,
        verdict=cohort.verdict,
        said=_said(cohort, s),
        aged=counted(aged(s, [cohort])),
        deciders=tuple(_decider(name, at[name], s) for name in against[:_REASONS_SHOWN]),
        further=tuple((name, at[name]) for name in against[_REASONS_SHOWN:]),
        unknown=tuple((name, at[name]) for name in _unknown(cohort, s)),
        outlook=tuple(_outlook(cohort, s)),
        settled_by=shortest_ways(cohort, s),
    )


def _unknown(cohort: CohortResult, s: Screening) -> list[str]:
    """The unknown rows of a cohort that is open, or opens by time alone; none where they are most of it."""
    if cohort.verdict == INELIGIBLE and _opening(cohort) is None:
        return []
    required = {criterion.id for criterion in s.trial.deciding_of(cohort.id)}
    found = [row.criterion.id for row in s.criteria if row.status == UNKNOWN_STATUS and row.criterion.id in required]
    return found if len(found) <= _UNKNOWN_SHOWN else []


def _decider(name: str, anchor: str, s: Screening) -> Decider:
    result = s.criterion(name)
    return Decider(name, anchor, reason_of(result, s.catalogue), improves(result))


def _said(cohort: CohortResult, s: Screening) -> str:
    required = len(s.trial.deciding_of(cohort.id))
    if cohort.verdict == ELIGIBLE:
        return f"All {required} required criteria are met or not applicable."
    if cohort.verdict == INELIGIBLE:
        return f"{len(cohort.deciding)} of {required} required criteria not met:"
    asked = (
        (len(cohort.missing), "to obtain"),
        (len(cohort.to_do), "to do"),
        (len(cohort.to_confirm), "to confirm"),
    )
    counts = ", ".join(f"{number} {words}" for number, words in asked if number)
    return f"{len(cohort.deciding)} of {required} required criteria unknown, none not met. Open: {counts}."


def _outlook(cohort: CohortResult, s: Screening) -> Iterator[str]:
    """How long the verdict holds and when a better one comes, by time alone."""
    today, following = s.on.toordinal(), cohort.windows[1:2]
    if cohort.verdict == INELIGIBLE:
        opening = _opening(cohort)
        if opening is None:
            yield f"Ineligible on every day until {s.until}, if nothing new is recorded."
            return
        yield f"From {show_day(opening.first)}: {VERDICT_WORDS[opening.verdict].lower()}, if nothing new is recorded."
    elif following:
        then = VERDICT_WORDS[following[0].verdict].lower()
        yield f"Holds until {show_day(cohort.windows[0].last)}, then: {then}, if nothing new is recorded."
    if cohort.earliest is not None and cohort.earliest > today:
        yield f"Earliest day as recorded: {show_day(cohort.earliest)}."
    elif cohort.earliest is None and cohort.earliest_if_confirmed is not None and cohort.earliest_if_confirmed > today:
        yield f"Earliest day once absences are confirmed: {show_day(cohort.earliest_if_confirmed)}."


@dataclass(frozen=True)
class Task:
    """One thing to find out, for every cohort it matters to."""

    kind: str
    ask: str
    why: str
    about: tuple[str, ...]
    criteria: tuple[tuple[str, str], ...]  # id and anchor
    cohorts: tuple[str, ...]
    unread: str  # how many diagnoses of the record could not be read, one of which may be what is asked


@dataclass(frozen=True)
class TaskList:
    """The tasks of one class of work."""

    anchor: str
    title: str
    words: str
    tasks: tuple[Task, ...]


def tasks(s: Screening) -> list[TaskList]:
    """What is open in the cohorts that are possible, now or by time alone, by the class of work; no empty lists."""
    made = [
        TaskList("obtain", "To obtain", _OBTAIN, tuple(_merged(_open(s, "missing"), s))),
        TaskList("do", "To do", _DO, tuple(_merged(_open(s, "to_do"), s))),
        TaskList("confirm", "To confirm", _CONFIRM, tuple(_merged(_open(s, "to_confirm"), s))),
        TaskList("renew", "To measure again", _RENEW, tuple(_renewals(s))),
    ]
    return [one for one in made if one.tasks]


def _open(s: Screening, cls: str) -> Iterator[tuple[str, tuple[Question, ...]]]:
    """The questions of a class for each cohort, those of the day on which a closed one opens last."""
    for cohort in s.cohorts:
        yield cohort.id, getattr(cohort, cls)
    for cohort in s.cohorts:
        if cohort.opening is not None:
            yield f"{cohort.id} from {show_day(cohort.opening.day)}", getattr(cohort.opening, cls)


def _merged(asked: Iterable[tuple[str, tuple[Question, ...]]], s: Screening) -> Iterator[Task]:
    """The same question of several cohorts once, in the order first asked."""
    found: dict[str, list[tuple[str, Question]]] = {}
    for cohort, several in asked:
        for question in several:
            found.setdefault(question.kind, []).append((cohort, question))
    for kind, pairs in found.items():
        yield _task(kind, tuple(dict.fromkeys(cohort for cohort, _ in pairs)), [one for _, one in pairs], s)


def _task(kind: str, cohorts: tuple[str, ...], questions: list[Question], s: Screening) -> Task:
    at = anchors(s.trial)
    facts = {fact.id: fact for fact in s.patient.facts}
    others = any(others_on_record(one, s.patient, s.catalogue) for one in questions)
    why = phrases(map(Reason, _each(one.reasons for one in questions)), others, instead=of_kind(kind, s.catalogue))
    fields = ", ".join(field.replace("_", " ") for field in _each(one.fields for one in questions))
    about = [facts[name] for name in _each(one.about for one in questions) if name in facts]
    return Task(
        kind=asked(kind, s),
        ask=questions[0].ask,
        why=f"{why} ({fields})" if fields else why,
        about=tuple(dict.fromkeys(fact_text(fact, s.catalogue) for fact in about))[:_ABOUT_SHOWN],
        criteria=tuple((name, at[name]) for name in _each(one.criteria for one in questions)),
        cohorts=cohorts,
        unread=_unread(questions),
    )


def _renewals(s: Screening) -> Iterator[Task]:
    """The results older than advised, each once for all cohorts it matters to."""
    at = anchors(s.trial)
    mine = {cohort.id: {one.fact.id for one in aged(s, [cohort])} for cohort in s.cohorts}
    for one in aged(s, s.cohorts):
        yield Task(
            kind=label(one.fact.kind, s.catalogue),
            ask="",
            why=one.why,
            about=(fact_text(one.fact, s.catalogue),),
            criteria=tuple((name, at[name]) for name in one.criteria),
            cohorts=tuple(name for name, facts in mine.items() if one.fact.id in facts),
            unread="",
        )


def _unread(questions: list[Question]) -> str:
    count = max(len(one.unread) for one in questions)
    return "" if not count else f"{count} diagnos{'es' if count > 1 else 'is'} not read"


def unread(s: Screening) -> str:
    """The diagnoses that could not be read, where one of them may be what is asked or taken as absent; else ""."""
    asked = (question for cls in _CLASSES for _, several in _open(s, cls) for question in several)
    names = next((question.unread for question in asked if question.unread), ())
    return sentence(names or beside_absences(s.assumed_complete, s.patient, s.catalogue), _UNREAD_SHOWN)


def _each(lists: Iterable[Iterable[str]]) -> list[str]:
    """Every word once, in the order first met."""
    return list(dict.fromkeys(word for words in lists for word in words))


def warnings(s: Screening) -> list[Decider]:
    """Rows that decide nothing and still ask for a look."""
    at = anchors(s.trial)
    return [
        _decider(row.criterion.id, at[row.criterion.id], s)
        for row in s.criteria
        if row.criterion.severity is Severity.WARNING and row.status in (NOT_MET, UNKNOWN_STATUS)
    ]
