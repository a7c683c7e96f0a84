"""Screen one patient for one trial: both answers, windows, what is missing, per criterion and cohort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from onstudy.criteria.expr import If, Named, TruthExpr
from onstudy.criteria.finding import Finding, Window
from onstudy.criteria.trial import Criterion, Severity, Trial
from onstudy.engines.combining import Depth
from onstudy.engines.memory import Memory
from onstudy.engines.view import REGISTRATION, Anchors, View
from onstudy.engines.windows import Verdict, moved, windows
from onstudy.errors import OnstudyError, OptionError, Problem
from onstudy.record.absence import ALL, assumable
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.checks import DECEASED, is_test_data
from onstudy.record.patient import Fact, Patient
from onstudy.screening.decisive import evidence_of
from onstudy.screening.missing import Question, questions, settling
from onstudy.screening.prepare import as_known, prepared, refuse_unborn
from onstudy.screening.since import Since, since
from onstudy.screening.unread import unread_diagnoses
from onstudy.values.calendar import EARLIEST_YEAR, LATEST_YEAR, When, on_day
from onstudy.values.interval import Op, compare
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth, all_of

HORIZON = 90

MET, NOT_MET, UNKNOWN_STATUS, NOT_APPLICABLE = "met", "not_met", "unknown", "not_applicable"
ELIGIBLE, INELIGIBLE = "eligible", "ineligible"
ELIGIBLE_IF_CONFIRMED, UNDETERMINED = "eligible_if_confirmed", "undetermined"


@dataclass(frozen=True)
class CriterionResult:
    """One row for one patient: its status both ways, on what it rests, and when it changes."""

    criterion: Criterion
    status: str
    if_confirmed: str
    finding: Finding | None
    confirmed: Finding | None
    windows: tuple[Window, ...] = ()
    clears_on: int | None = None
    holds_until: int | None = None
    since: Since | None = None

    @property
    def evidence(self) -> tuple[Fact, ...]:
        """The records on which the status rests, or from which the days are counted."""
        if self.finding is None:
            return (self.since.fact,) if self.since and self.since.fact else ()
        return evidence_of(self.finding)

    @property
    def truth(self) -> Truth:
        """The answer as recorded."""
        return TRUE if self.finding is None else self.finding.truth

    @property
    def truth_if_confirmed(self) -> Truth:
        """The answer with every assumable absence taken as "no"."""
        return TRUE if self.confirmed is None else self.confirmed.truth


@dataclass(frozen=True)
class CohortWindow:
    """A stretch of registration days, both included, with one verdict; `if_confirmed` as it would be then."""

    first: int
    last: int
    verdict: str
    if_confirmed: str


@dataclass(frozen=True)
class Opening:
    """The first day on which a cohort that is closed today no longer is, and what will be open then."""

    day: int
    verdict: str
    to_confirm: tuple[Question, ...]
    to_do: tuple[Question, ...]
    missing: tuple[Question, ...]


@dataclass(frozen=True)
class CohortResult:
    """The verdict of one cohort, what decides it, and what would settle it.

    An ineligible cohort has no open questions today: no answer changes its verdict. Where it opens by time alone,
    `opening` says what somebody has to find out until then.
    """

    id: str
    title: str
    verdict: str
    deciding: tuple[str, ...]
    to_confirm: tuple[Question, ...]
    to_do: tuple[Question, ...]
    missing: tuple[Question, ...]
    settled_by: tuple[tuple[str, ...], ...]
    windows: tuple[CohortWindow, ...]
    earliest: int | None
    earliest_if_confirmed: int | None
    opening: Opening | None = None


@dataclass(frozen=True)
class Screening:
    """What came of asking one trial of one patient on one date."""

    trial: Trial
    patient: Patient
    on: date
    anchors: Anchors
    as_known_on: date | None
    assumed_complete: tuple[str, ...]
    defaults_used: Mapping[str, float]  # the upper limits of normal given from outside, by kind, in its unit
    until: date
    cohorts: tuple[CohortResult, ...]
    criteria: tuple[CriterionResult, ...]
    problems: tuple[Problem, ...]
    categories: tuple[tuple[str, str], ...]  # what the trial file classifies (CNS category), and as what
    catalogue: Catalogue = field(repr=False)

    @property
    def deceased(self) -> bool:
        """Whether a death is on record, at whatever time."""
        return any(problem.what == DECEASED for problem in self.problems)

    @property
    def test_data(self) -> bool:
        """Whether the record is marked as that of nobody real."""
        return is_test_data(self.problems)

    def __getitem__(self, name: str) -> CohortResult:
        """The result of a cohort, by its id."""
        for cohort in self.cohorts:
            if cohort.id == name:
                return cohort
        raise KeyError(f"{self.trial.id} has no cohort {name!r}; it has {', '.join(c.id for c in self.cohorts)}")

    def criterion(self, name: str) -> CriterionResult:
        """The result of a criterion, by its id."""
        for row in self.criteria:
            if row.criterion.id == name:
                return row
        raise KeyError(f"{self.trial.id} has no criterion {name!r}")

    def to_json(self) -> str:
        """One compact JSON object, keys in the fixed order of the design; same input, same bytes."""
        from onstudy.screening.report import to_json

        return to_json(self)


def screen(
    trial: Trial,
    patient: Patient,
    on: date,
    *,
    anchors: Mapping[str, When | None] | None = None,
    until: date | None = None,
    assume_complete: Iterable[str] = (),
    as_known_on: date | None = None,
    default_limits: Mapping[str, float] | None = None,
    catalogue: Catalogue | None = None,
    depth: Depth = Depth.USUAL,
) -> Screening:
    """Ask a trial of a patient on a registration date.

    `anchors` are the other named moments (`therapy_start`), None where not planned. `assume_complete`
    are assumable kinds (or "all") whose absence is accepted as "no". `default_limits` are upper limits
    of normal, in the kind's own unit, for results that carry none; each use is stated in the result. `depth` is how
    much the findings of the registration date tell of what they rest on.
    Raises `OnstudyError` for an unknown anchor or kind, a kind never assumable, anchors out of order, or a
    registration date before the date of birth.
    """
    catalogue = catalogue or load_catalogue()
    assumed = assumable(assume_complete, catalogue)
    known = _anchors(trial, on, anchors or {})
    if not EARLIEST_YEAR <= on.year < LATEST_YEAR:
        raise OptionError("on", f" {on} lies outside {EARLIEST_YEAR}-{LATEST_YEAR - 1}")
    last = until or date.fromordinal(on.toordinal() + HORIZON)
    if last < on:
        raise OptionError("until", f" {last} lies before the registration date {on}")
    if last.toordinal() - on.toordinal() > 3660:
        raise OptionError("until", f" {last} lies more than ten years after {on}; windows are for planning")
    refuse_unborn(patient, on)
    current = patient if as_known_on is None else as_known(patient, as_known_on, catalogue)
    ready, problems, defaults = prepared(current, on, catalogue, default_limits or {})
    work = _Work(trial, View(ready, catalogue), known, assumed, last.toordinal(), depth)
    rows = tuple(work.row(criterion) for criterion in trial.criteria)
    return Screening(
        trial=trial,
        patient=ready,
        on=on,
        anchors=known,
        as_known_on=as_known_on,
        assumed_complete=tuple(sorted(assumed)),
        defaults_used=defaults,
        until=last,
        cohorts=tuple(work.cohort(cohort.id, cohort.title, rows) for cohort in trial.cohorts),
        criteria=rows,
        problems=(*problems, *old_results(rows, on, catalogue)),
        categories=work.categories(),
        catalogue=catalogue,
    )


def _anchors(trial: Trial, on: date, given: Mapping[str, When | None]) -> dict[str, When | None]:
    for name in given:
        if name not in trial.anchors or name == REGISTRATION:
            known = ", ".join(other for other in trial.anchors if other != REGISTRATION)
            raise OnstudyError(f"{trial.id} has no anchor {name!r} to set; it has {known or 'none'}")
    anchors: dict[str, When | None] = {name: given.get(name) for name in trial.anchors}
    anchors[REGISTRATION] = on_day(on)
    for point in trial.anchors.values():
        when, earlier = anchors[point.name], anchors.get(point.not_before) if point.not_before else None
        if when is not None and earlier is not None and compare(Op.LT, when.days, earlier.days) is TRUE:
            raise OnstudyError(f"{point.name} {when} lies before {point.not_before} {earlier}")
    return anchors


def too_old(row: CriterionResult, on: date, catalogue: Catalogue) -> list[tuple[Fact, int]]:
    """The results a row rests on that are older than the trial file advises, each with its age in days; none of a row
    that does not apply.
    """
    advised = row.criterion.warn_older_than if row.status != NOT_APPLICABLE else None
    found = []
    for fact in row.evidence if advised is not None else ():
        day, kind = fact.start.days.high, catalogue.kinds.get(fact.kind)
        result = kind is not None and (kind.measured or bool(kind.components)) and not fact.negative
        if advised is not None and result and day is not None and on.toordinal() - int(day) > advised.amount:
            found.append((fact, on.toordinal() - int(day)))
    return found


def _class(labels: Mapping[str, Truth]) -> str:
    surely = [label for label, truth in labels.items() if truth is TRUE]
    possible = [label for label, truth in labels.items() if truth is UNKNOWN]
    if len(possible) == 1:
        possible.append("none of them")
    if surely:
        return " and ".join(surely)
    return f"not settled: {' or '.join(possible)}" if possible else f"none of {', '.join(labels)}"


def old_results(rows: Iterable[CriterionResult], on: date, catalogue: Catalogue) -> list[Problem]:
    """Results older than advised, as problems: shown, deciding nothing."""
    found = []
    for row in rows:
        for fact, days in too_old(row, on, catalogue):
            what = f"{row.criterion.id}: {fact.kind} is {days} days old; advised are {row.criterion.warn_older_than}"
            found.append(Problem(what, fact.source, fact_kept=True))
    return list(dict.fromkeys(found))


class _Work:
    """The engines at work for one patient: one Memory for each registration day and each of both answers."""

    def __init__(
        self, trial: Trial, view: View, anchors: Anchors, assumed: frozenset[str], until: int, depth: Depth
    ) -> None:
        self.trial, self.view, self.anchors, self.assumed, self.until = trial, view, anchors, assumed, until
        self.depth = depth
        registration = anchors[REGISTRATION]
        assert registration is not None and registration.day is not None
        self.first = registration.day
        self.unread = unread_diagnoses(view.patient.facts, view.catalogue)
        self._memories: dict[tuple[int, bool], Memory] = {}

    def memory(self, day: int, confirmed: bool) -> Memory:
        key = (day, confirmed)
        if key not in self._memories:
            anchors = self.anchors if day == self.first else moved(self.anchors, day)
            assumed = frozenset({ALL}) if confirmed else self.assumed
            self._memories[key] = Memory(
                self.view, anchors, assumed, depth=self.depth if day == self.first else Depth.BRIEF
            )
        return self._memories[key]

    def both(self, rule: TruthExpr, day: int) -> tuple[Finding, Finding]:
        """As recorded and if confirmed: assuming an absence only ever settles what is unknown."""
        recorded = self.memory(day, False).evaluate(rule)
        if recorded.truth is not UNKNOWN:
            return recorded, recorded
        return recorded, self.memory(day, True).settled(recorded)

    def categories(self) -> tuple[tuple[str, str], ...]:
        """Of each category its class on the registration date as recorded; where that is open, those it may be."""
        truths: dict[str, dict[str, Truth]] = {}
        for definition in self.trial.definitions.values():
            if definition.category:
                found = self.memory(self.first, False).evaluate(definition.named)
                truths.setdefault(definition.category, {})[definition.label] = found.truth
        return tuple((category, _class(labels)) for category, labels in truths.items())

    def row(self, criterion: Criterion) -> CriterionResult:
        rule = criterion.rule
        if rule is None:
            counted = since(criterion.days_since, self.view, self.first) if criterion.days_since else None
            return CriterionResult(criterion, NOT_APPLICABLE, NOT_APPLICABLE, None, None, since=counted)
        recorded, confirmed = self.both(rule, self.first)

        def answer(day: int) -> Verdict:
            one, other = (recorded, confirmed) if day == self.first else self.both(rule, day)
            return one.truth, other.truth

        stretches = tuple(windows(answer, rule, self.view, self.anchors, self.until))
        return CriterionResult(
            criterion=criterion,
            status=_status(recorded),
            if_confirmed=_status(confirmed),
            finding=recorded,
            confirmed=confirmed,
            windows=stretches,
            clears_on=_clears(stretches),
            holds_until=_holds(stretches),
        )

    def cohort(self, name: str, title: str, rows: tuple[CriterionResult, ...]) -> CohortResult:
        mine = [row for row in rows if row.criterion.cohort in (None, name)]
        required = [row for row in mine if row.criterion.severity is Severity.REQUIRED]
        stretches = _joined(required, self.first, self.until)
        verdict = stretches[0].verdict
        open_rows = [row for row in required if row.truth is UNKNOWN] if verdict not in (ELIGIBLE, INELIGIBLE) else []
        against = [row for row in required if row.truth is FALSE] if verdict == INELIGIBLE else open_rows
        asked = questions(open_rows, self.view.catalogue, self.unread)
        return CohortResult(
            id=name,
            title=title,
            verdict=verdict,
            deciding=tuple(row.criterion.id for row in against),
            to_confirm=asked.to_confirm,
            to_do=asked.to_do,
            missing=asked.missing,
            settled_by=settling(open_rows, self.view.catalogue),
            windows=stretches,
            earliest=next((w.first for w in stretches if w.verdict == ELIGIBLE), None),
            earliest_if_confirmed=next((w.first for w in stretches if ELIGIBLE in (w.verdict, w.if_confirmed)), None),
            opening=self.opening(required, stretches) if verdict == INELIGIBLE else None,
        )

    def opening(self, rows: list[CriterionResult], stretches: tuple[CohortWindow, ...]) -> Opening | None:
        """When a closed cohort opens by time alone, with the questions of that day."""
        first = next((window for window in stretches if window.verdict != INELIGIBLE), None)
        if first is None:
            return None
        then = [self.on_day(row.criterion, first.first) for row in rows]
        asked = questions([row for row in then if row.truth is UNKNOWN], self.view.catalogue, self.unread)
        return Opening(first.first, first.verdict, asked.to_confirm, asked.to_do, asked.missing)

    def on_day(self, criterion: Criterion, day: int) -> CriterionResult:
        assert criterion.rule is not None
        recorded, confirmed = self.both(criterion.rule, day)
        return CriterionResult(criterion, _status(recorded), _status(confirmed), recorded, confirmed)


def _status(finding: Finding) -> str:
    truth = finding.truth
    if truth is FALSE:
        return NOT_MET
    if truth is UNKNOWN:
        return UNKNOWN_STATUS
    outermost = finding
    while isinstance(outermost.expr, Named):
        outermost = outermost.parts[0]
    if isinstance(outermost.expr, If) and outermost.parts[0].truth is FALSE:
        return NOT_APPLICABLE
    return MET


def _clears(stretches: tuple[Window, ...]) -> int | None:
    """The first day on which a criterion that is not met is met, within the horizon."""
    if stretches[0].truth is not FALSE:
        return None
    return next((window.first for window in stretches if window.truth is TRUE), None)


def _holds(stretches: tuple[Window, ...]) -> int | None:
    """The last day on which a criterion that is met stays so; None where it holds to the horizon."""
    if stretches[0].truth is not TRUE or len(stretches) == 1:
        return None
    return stretches[0].last


def _joined(rows: list[CriterionResult], first: int, until: int) -> tuple[CohortWindow, ...]:
    """The cohort's verdict on every day: all required rows together, equal neighbours joined."""
    starts = sorted({first, *(window.first for row in rows for window in row.windows)})
    found: list[CohortWindow] = []
    places = [0] * len(rows)
    for day, following in zip(starts, [*starts[1:], until + 1], strict=True):
        answers = []
        for number, row in enumerate(rows):
            while row.windows[places[number]].last < day:
                places[number] += 1
            answers.append(row.windows[places[number]])
        verdict = _verdict(
            all_of(answer.truth for answer in answers), all_of(answer.if_confirmed for answer in answers)
        )
        if found and (found[-1].verdict, found[-1].if_confirmed) == verdict:
            found[-1] = replace(found[-1], last=following - 1)
        else:
            found.append(CohortWindow(day, following - 1, *verdict))
    return tuple(found)


def _verdict(recorded: Truth, confirmed: Truth) -> tuple[str, str]:
    """The verdict as recorded, and the one once every assumable absence is confirmed."""
    later = {TRUE: ELIGIBLE, FALSE: INELIGIBLE, UNKNOWN: UNDETERMINED}[confirmed]
    if recorded is UNKNOWN:
        return (ELIGIBLE_IF_CONFIRMED if confirmed is TRUE else UNDETERMINED), later
    return {TRUE: ELIGIBLE, FALSE: INELIGIBLE}[recorded], later
