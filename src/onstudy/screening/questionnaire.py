"""The questionnaire: could this trial be for me? Questions made from the trial file, one topic a page, and an outlook.

It asks only what a person can know, and only what can still change the answer for some cohort. It never says that
somebody is eligible: a person's answers are facts like any other, and most of what a protocol asks for is for doctors
to test. Nothing is kept: whoever shows the pages carries the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from onstudy.criteria.expr import Age, TruthExpr, walk
from onstudy.criteria.trial import Cohort, Severity, Trial
from onstudy.engines.combining import Depth
from onstudy.engines.memory import Memory
from onstudy.engines.view import REGISTRATION, View
from onstudy.engines.windows import moved, windows
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.screening import plain as words
from onstudy.screening.decisive import decisive_leaves
from onstudy.screening.plain import LIKELY, POSSIBLE, UNLIKELY
from onstudy.screening.questionnaire_answers import Answers, Told, given, narrowed, problems_of, shown, tell
from onstudy.screening.questionnaire_open import Openness
from onstudy.screening.questionnaire_questions import DATES, END, ON, Form, Question
from onstudy.screening.questionnaire_result import Against, Asking, against, asking
from onstudy.screening.questionnaire_rules import BORN, asked_of
from onstudy.screening.screen import HORIZON, CriterionResult, Screening, screen
from onstudy.values.calendar import When, between
from onstudy.values.truth import FALSE, UNKNOWN, Truth

#: Questions on one page, at most: a topic with more of them has several pages.
MOST_ON_PAGE = 6
#: How far ahead a first day is looked for, and how far ahead treatment may begin.
LOOK_AHEAD, MAY_BEGIN = timedelta(days=750), timedelta(days=3650)
#: How long a date is that tells the month, and one that tells the day.
MONTH, DAY = len("2026-05"), len("2026-05-20")


@dataclass(frozen=True)
class Page:
    """The questions of one topic that are put together."""

    topic: str
    questions: tuple[Question, ...]

    @property
    def title(self) -> str:
        """The topic in plain words."""
        return words.TOPICS[self.topic]


@dataclass(frozen=True)
class Outlook:
    """How one cohort looks for a person: a word, why, what is open, and what doctors would still have to do."""

    id: str
    title: str
    word: str
    against: tuple[Against, ...]  # what speaks against it
    open: tuple[Question, ...]  # what the person could still find out
    asking: Asking  # what doctors still have to find out
    earliest: date | None  # the first day the time rules allow, where that is not today
    undated: bool = False  # whether that day depends on when something was that the person has not dated
    latest: date | None = None  # where it hangs on the day of a month: the first day they surely allow

    @property
    def meaning(self) -> str:
        """What the word means, in a sentence."""
        return words.MEANINGS[self.word]


class Questionnaire:
    """The questionnaire of one trial on one day. Its answers and the pages already shown are the caller's to keep."""

    def __init__(self, trial: Trial, on: date, catalogue: Catalogue | None = None, only_limits: bool = False) -> None:
        """`only_limits`: the trial is known by its limits of age and sex alone, so nothing is ever called likely."""
        self.trial, self.on, self.only_limits = trial, on, only_limits
        self.catalogue = catalogue or load_catalogue()
        self.asked = asked_of(trial, self.catalogue)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that may come up, in the order in which they do."""
        mine = {self.catalogue.kinds[r.kind].topic if r.kind != "born" else "person" for r in self.asked.all_roots()}
        return tuple(topic for topic in words.TOPICS if topic in mine)

    def told(self, answers: Answers) -> Told:
        """The record that the answers make, and the questions that make sense beside them."""
        return tell(self.asked, answers, self.on)

    def check(self, keys: Iterable[str], answers: Answers) -> dict[str, str]:
        """What is wrong with the answers to some questions, by key."""
        return problems_of(self.questions(keys, answers), answers, self.on)

    def questions(self, keys: Iterable[str], answers: Answers) -> tuple[Question, ...]:
        """The questions of some keys, as far as they make sense beside the answers."""
        known = self.told(answers).questions
        return tuple(known[key] for key in keys if key in known)

    def screened(self, told: Told, at_once: bool = False) -> Screening:
        """The screening of the record: registration on this day, treatment on this day or later (`at_once`: today)."""
        later = between(self.on, self.on if at_once else self.on + MAY_BEGIN)
        anchors: Mapping[str, When | None] = {name: later for name in self.trial.anchors if name != REGISTRATION}
        return screen(
            self.trial, told.patient, self.on, anchors=anchors, until=self.on, catalogue=self.catalogue,
            depth=Depth.WHOLE,
        )  # fmt: skip

    def page(self, answers: Answers, seen: Iterable[str] = ()) -> Page | None:
        """The next page for a person who has seen some questions; None when nothing more can change the answer."""
        told, already = self.told(answers), frozenset(seen)
        openness, result = Openness(self.asked, told, self.on, already), self.screened(told)
        rows = self._living_rows(result)
        findings = [row.finding for row in rows if row.finding is not None]
        wanted = frozenset(key for finding in findings for key in openness.mattering(finding)) - already
        first = openness.first(rows, wanted)
        return self._page([question for key, question in told.questions.items() if key in first])

    def _page(self, questions: list[Question]) -> Page | None:
        for topic in words.TOPICS:
            mine = [question for question in questions if question.topic == topic]
            details = _dates_first([question for question in mine if question.parent])
            if mine:
                return Page(topic, tuple((details or mine)[:MOST_ON_PAGE]))
        return None

    def _living_rows(self, s: Screening) -> list[CriterionResult]:
        """The deciding rows of the cohorts that are possible now or will be by time alone."""
        found: dict[str, CriterionResult] = {}
        for cohort in s.trial.cohorts:
            rows = required(s, cohort.id)
            if first_day(failing(rows), s, self.on + timedelta(days=HORIZON)) is not None:
                found |= {row.criterion.id: row for row in rows}
        return list(found.values())

    # The result ---------------------------------------------------------------------------------------------

    def outlooks(self, answers: Answers, seen: Iterable[str] = ()) -> tuple[Outlook, ...]:
        """How each cohort looks."""
        told = self.told(answers)
        later, at_once = self.screened(told), self.screened(told, at_once=True)
        openness = Openness(self.asked, told, self.on, frozenset(seen))
        return tuple(self._outlook(cohort, openness, later, at_once) for cohort in self.trial.cohorts)

    def _outlook(self, cohort: Cohort, openness: Openness, later: Screening, at_once: Screening) -> Outlook:
        rows = required(later, cohort.id)
        never = {row.criterion.id for row in failing(rows)}
        last = self.on + LOOK_AHEAD
        passing = [row for row in failing(required(at_once, cohort.id)) if first_day([row], at_once, last) is not None]
        by_time = {row.criterion.id for row in passing}
        blocked = [row for row in failing(rows) if row.criterion.id not in by_time]
        day = None if blocked else first_day(passing, at_once, last)
        soon = day is not None and day <= self.on.toordinal() + HORIZON
        left = self._left(rows, openness) if soon else ()
        ahead = date.fromordinal(day) if day is not None and day > self.on.toordinal() else None
        undated = () if ahead is None else self._undated(passing, openness.told)
        latest: date | None = None
        if ahead is not None and not undated:
            undated, latest = self._surely(cohort, passing, openness.told, ahead)
        named = ahead if latest is not None or not undated else None
        return Outlook(
            id=cohort.id,
            title=cohort.title,
            word=self._word(soon, bool(never or by_time or left)),
            against=tuple(against(row, openness.told, by_time=not blocked) for row in blocked or passing),
            open=tuple(dict.fromkeys((*undated, *left))),
            asking=asking([r for r in rows if r.truth is UNKNOWN], later, {q.key for q in left}, openness.age),
            earliest=named,
            undated=ahead is not None and named is None,
            latest=latest,
        )

    def _undated(self, passing: Iterable[CriterionResult], told: Told) -> tuple[Question, ...]:
        """The dates on which rules of time rest and of which the person has not told even the month."""
        return tuple(one for one in self._dates(passing, told) if len(given(one, told.answers)) < MONTH)

    def _surely(
        self, cohort: Cohort, passing: Iterable[CriterionResult], told: Told, ahead: date
    ) -> tuple[tuple[Question, ...], date | None]:
        """The dates known to their month that move the first day, and the first day whichever days they were.

        Where on one of those days nothing is ever allowed, there is none.
        """
        moving = []
        days: list[int | None] = []
        rough = [one for one in self._dates(passing, told) if len(given(one, told.answers)) < DAY]
        each = {one.key: narrowed(one, told.answers, self.on) for one in rough}
        for question in rough:
            found = [self._first_day(cohort, answers) for answers in each[question.key]]
            if found != [ahead.toordinal()] * len(found):
                moving.append(question)
                days += found
        if not moving:
            return (), None
        last = dict(told.answers)
        for question in moving:
            last |= {name: each[question.key][-1][name] for name in question.fields}
        days.append(self._first_day(cohort, last))
        known = [day for day in days if day is not None]
        return tuple(moving), date.fromordinal(max(known)) if len(known) == len(days) else None

    def _first_day(self, cohort: Cohort, answers: Answers) -> int | None:
        """The first day on which nothing speaks against a cohort by some answers."""
        at_once = self.screened(self.told(answers), at_once=True)
        return first_day(failing(required(at_once, cohort.id)), at_once, self.on + LOOK_AHEAD)

    def _dates(self, passing: Iterable[CriterionResult], told: Told) -> tuple[Question, ...]:
        """The dates on which rules of time rest that a person is asked for."""
        leaves = [leaf for row in passing if row.finding is not None for leaf in decisive_leaves(row.finding)]
        names = dict.fromkeys(fact.id for leaf in leaves for fact in leaf.evidence)
        if any(isinstance(node, Age) for leaf in leaves for node in walk(leaf.expr)):
            names[BORN] = None
        dates = [told.questions.get(key) for name in names for key in (name, f"{name}.{ON}", f"{name}.{END}")]
        return tuple(one for one in dates if one is not None and one.form is Form.DATE)

    def _word(self, soon: bool, unsure: bool) -> str:
        if not soon:
            return UNLIKELY
        return POSSIBLE if unsure or self.only_limits else LIKELY

    def _left(self, rows: Iterable[CriterionResult], openness: Openness) -> tuple[Question, ...]:
        """What the person has not said and could: of rows that hold as they are, only what was never put to them."""
        keys: dict[str, None] = {}
        told, known = openness.told, list(rows)
        for row in known:
            if row.finding is not None:
                mattering = openness.mattering(row.finding)
                keys |= dict.fromkeys(mattering if row.truth is UNKNOWN else mattering - openness.seen)
        found = (question for key, question in told.questions.items() if key in keys)
        return tuple(one for one in found if not told.answered(one.key) or self._hangs_on(one, told, known))

    def _hangs_on(self, question: Question, told: Told, rows: list[CriterionResult]) -> bool:
        """Whether it matters on which day of the month or year it was that the person named."""
        before = {row.criterion.id: row.truth for row in rows}
        for answers in narrowed(question, told.answers, self.on):
            after = self.screened(self.told(answers)).criteria
            if any(before.get(row.criterion.id, row.truth) is not row.truth for row in after):
                return True
        return False

    def still_open(self, question: Question, answers: Answers) -> str:
        """A question that is open, as it is put: of a date that was told in part, the rest of it is asked for."""
        told = given(question, answers)
        if question.form is not Form.DATE or not told:
            return question.ask
        rest = words.WHICH_DAY if len(told) >= MONTH else words.WHICH_MONTH_AND_DAY
        return f"{question.ask} {words.YOU_SAID.format(date=shown(question, answers))} {rest}"

    def summary(self, answers: Answers, seen: Iterable[str]) -> tuple[tuple[Question, str], ...]:
        """Every question that was put, with the answer in words."""
        told = self.told(answers)
        known = (told.questions[key] for key in seen if key in told.questions)
        return tuple((question, shown(question, told.answers)) for question in known)


def _dates_first(details: list[Question]) -> list[Question]:
    """Details without those of things whose dates are asked: when it was may leave nothing else to ask."""
    dated = {question.parent for question in details if question.key.rpartition(".")[2] in DATES}
    return [q for q in details if q.parent not in dated or q.key.rpartition(".")[2] in DATES]


def required(s: Screening, cohort: str) -> list[CriterionResult]:
    """The rows that decide a cohort."""
    return [
        row
        for row in s.criteria
        if row.criterion.cohort in (None, cohort) and row.criterion.severity is Severity.REQUIRED
    ]


def failing(rows: Iterable[CriterionResult]) -> list[CriterionResult]:
    """Those that do not hold."""
    return [row for row in rows if row.truth is FALSE]


def first_day(rows: Iterable[CriterionResult], s: Screening, last: date) -> int | None:
    """The first day, up to `last`, on which none of some rows fails; what is unknown does not fail."""
    view, memories = View(s.patient, s.catalogue), dict[int, Memory]()
    spans = []
    for row in rows:
        rule = row.criterion.rule
        assert rule is not None

        def answer(day: int, rule: TruthExpr = rule) -> tuple[Truth, Truth]:
            if day not in memories:
                memories[day] = Memory(view, moved(s.anchors, day))
            truth = memories[day].evaluate(rule).truth
            return truth, truth

        found = windows(answer, rule, view, s.anchors, last.toordinal())
        spans.append([(window.first, window.last) for window in found if window.truth is not FALSE])
    starts = sorted({s.on.toordinal(), *(first for mine in spans for first, _ in mine)})
    return next((day for day in starts if all(any(a <= day <= b for a, b in mine) for mine in spans)), None)
