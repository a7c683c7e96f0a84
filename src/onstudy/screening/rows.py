"""What worksheet and text say of each criterion: status both ways, why, how near, on what evidence, what to mind.

And the names of what is asked, and the shortest ways to settle a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Finding, Reason, Window
from onstudy.criteria.trial import Criterion, Severity, Trial
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.screening.explain import near, reason_of
from onstudy.screening.screen import (
    MET,
    NOT_APPLICABLE,
    NOT_MET,
    UNKNOWN_STATUS,
    CohortResult,
    CriterionResult,
    Screening,
    too_old,
)  # fmt: skip
from onstudy.screening.wording import PHRASES, label, shown_of, when_text
from onstudy.values.calendar import show_day
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth

#: The words for a status, wherever a person reads it.
STATUS_WORDS: Mapping[str, str] = {
    MET: "Met",
    NOT_MET: "Not met",
    UNKNOWN_STATUS: "Unknown",
    NOT_APPLICABLE: "Not applicable",
}
_WAYS_SHOWN, _LONGEST_WAY = 3, 6
SEVERITY_WORDS: Mapping[Severity, str] = {
    Severity.REQUIRED: "",
    Severity.WARNING: "Warning only",
    Severity.INFORMATION: "Information only",
}
_STATUS: Mapping[Truth, str] = {TRUE: MET, FALSE: NOT_MET, UNKNOWN: UNKNOWN_STATUS}
_TRUTH_WORDS: Mapping[Truth, str] = {truth: STATUS_WORDS[status].lower() for truth, status in _STATUS.items()}
MOST_EVIDENCE = 12  # facts shown of one criterion before the rest is only counted

_CODE_STATUS: Mapping[str, str] = {
    "C": "recalled, with a valid check digit, but not seen in a public source",
    "M": "recalled, not seen in a public source",
}


@dataclass(frozen=True)
class Evidence:
    """One fact a status rests on."""

    kind: str
    value: str
    when: str
    source: str


@dataclass(frozen=True)
class Row:
    """One criterion of the worksheet. `anchor` is its place in the page; statuses are those of the screening."""

    anchor: str
    id: str
    text: str
    note: str
    severity: str
    status: str
    if_confirmed: str
    because: str
    near: str
    evidence: tuple[Evidence, ...]
    unshown: int  # further facts of evidence
    changes: str
    remarks: tuple[str, ...]

    @property
    def both(self) -> bool:
        """Whether the two answers differ."""
        return self.status != self.if_confirmed


@dataclass(frozen=True)
class Group:
    """The rows of one step or one cohort, under the heading of the protocol."""

    anchor: str
    place: str  # "Step 1", "Cohort C1"
    title: str
    cohort: str | None
    rows: tuple[Row, ...]

    @property
    def counts(self) -> str:
        """How many rows have which status, in words."""
        return counted(row.status for row in self.rows)


def counted(statuses: Iterable[str]) -> str:
    """How many of each status, in words: "3 met, 1 unknown"."""
    found = list(statuses)
    counts = {status: found.count(status) for status in STATUS_WORDS}
    return ", ".join(f"{n} {STATUS_WORDS[status].lower()}" for status, n in counts.items() if n)


def anchors(trial: Trial) -> dict[str, str]:
    """For each criterion its place in the page: an id without blanks, whatever the criterion is called."""
    return {criterion.id: f"row-{number}" for number, criterion in enumerate(trial.criteria, start=1)}


def places(trial: Trial) -> Iterator[tuple[str, str, str, str | None, tuple[Criterion, ...]]]:
    """The headings of a trial in protocol order: anchor, place, title, cohort, criteria."""
    for number, step in enumerate(trial.steps, start=1):
        yield f"step-{number}", f"Step {step.id}", step.title, None, step.criteria
    for number, cohort in enumerate(trial.cohorts, start=1):
        yield f"cohort-{number}", f"Cohort {cohort.id}", cohort.title, cohort.id, cohort.criteria


def groups(screening: Screening) -> tuple[Group, ...]:
    """Every criterion in protocol order, by step and cohort."""
    results = {result.criterion.id: result for result in screening.criteria}
    at = anchors(screening.trial)
    return tuple(
        Group(anchor, place, title, cohort, tuple(_row(results[c.id], at[c.id], screening) for c in criteria))
        for anchor, place, title, cohort, criteria in places(screening.trial)
    )


def _row(result: CriterionResult, anchor: str, screening: Screening) -> Row:
    criterion, finding, catalogue = result.criterion, result.finding, screening.catalogue
    facts, why = result.evidence, reason_of(result, catalogue)
    return Row(
        anchor=anchor,
        id=criterion.id,
        text=criterion.text,
        note=criterion.note,
        severity=SEVERITY_WORDS[criterion.severity],
        status=result.status,
        if_confirmed=result.if_confirmed,
        because=why,
        near="" if finding is None else _new_in(near(finding), why),
        evidence=tuple(_evidence(fact, catalogue) for fact in facts[:MOST_EVIDENCE]),
        unshown=max(0, len(facts) - MOST_EVIDENCE),
        changes=_changes(result, screening),
        remarks=tuple(_remarks(result, facts, screening)),
    )


def _new_in(text: str | None, said: str) -> str:
    """The parts of a text that are not in what is said already."""
    return "; ".join(part for part in (text or "").split("; ") if part and part not in said)


def _evidence(fact: Fact, catalogue: Catalogue) -> Evidence:
    return Evidence(
        kind=label(fact.kind, catalogue),
        value=_value(fact, catalogue),
        when=when_text(fact),
        source="worked out from the record" if fact.computed and not fact.source else fact.source,
    )


def _value(fact: Fact, catalogue: Catalogue) -> str:
    """What a record says, with what makes it less than a plain result."""
    said = ["recorded as " * fact.negative + shown_of(fact, catalogue)]
    said += ["suspected"] if not fact.certain else []
    said += [PHRASES[Reason(fact.lacks)]] if fact.lacks is not None else []
    said += ["computed"] if fact.computed else []
    return ", ".join(word for word in said if word)


def _changes(result: CriterionResult, screening: Screening) -> str:
    """When the answer changes by time alone, as a sentence; "" where nothing needs saying."""
    today, later = result.windows[:1], result.windows[1:]
    if not later:
        never = result.status == NOT_MET
        return f"Not met on any day until {screening.until}, if nothing new is recorded." if never else ""
    until, following = show_day(today[0].last), later[0]
    then = _answer(following.truth, following.if_confirmed)
    if result.clears_on is not None and result.clears_on != following.first:
        then += f", met from {show_day(result.clears_on)}"
    return f"So until {until}, then {then}, if nothing new is recorded."


def _answer(truth: Truth, if_confirmed: Truth) -> str:
    """Both answers of a window in words, once where they are the same."""
    said = _TRUTH_WORDS[truth]
    return said if truth is if_confirmed else f"{said} (if confirmed: {_TRUTH_WORDS[if_confirmed]})"


def asked(kind: str, s: Screening) -> str:
    """The name of what is asked for: a kind, an anchor, or the date of birth."""
    if kind in s.trial.anchors:
        return s.trial.anchors[kind].label
    return "Date of birth" if kind == "born" else label(kind, s.catalogue)


def shortest_ways(cohort: CohortResult, s: Screening) -> tuple[str, ...]:
    """The shortest ways to a positive verdict, in words, where they are short enough to help."""
    ways = (kinds for kinds in cohort.settled_by[:_WAYS_SHOWN] if len(kinds) <= _LONGEST_WAY)
    return tuple("; ".join(asked(kind, s) for kind in kinds) for kinds in ways)


def default_limits(screening: Screening) -> Iterator[tuple[str, str]]:
    """The kinds for which a default limit of normal was used, each with that limit and its unit."""
    for kind, limit in screening.defaults_used.items():
        yield kind, f"{limit:.6g} {screening.catalogue.kinds[kind].unit}".rstrip()


def _remarks(result: CriterionResult, facts: tuple[Fact, ...], screening: Screening) -> Iterator[str]:
    """What a person should mind about the evidence of a row."""
    finding = result.finding
    if finding is None:
        return
    catalogue = screening.catalogue
    for kind in dict.fromkeys(part.assumed for part in _all(finding) if part.assumed):
        yield f"Rests on an assumed absence, not on a record: {label(kind, catalogue)}."
    limits = dict(default_limits(screening))
    if _limits(result.criterion):
        for kind in dict.fromkeys(f.kind for f in facts if f.kind in screening.defaults_used):
            yield f"A default limit of normal was given for {label(kind, catalogue)}: {limits[kind]}."
    yield from _unconfirmed(facts, catalogue)
    yield from _doubted(finding, screening)
    yield from _too_old(result, screening)


def _all(finding: Finding) -> Iterator[Finding]:
    yield finding
    for part in finding.parts:
        yield from _all(part)


def _limits(criterion: Criterion) -> bool:
    return criterion.rule is not None and any(isinstance(node, e.Limit) for node in e.walk(criterion.rule))


def unconfirmed_code(fact: Fact) -> str:
    """What is wrong with the code that carried a fact; "" where it is confirmed."""
    return _CODE_STATUS.get(fact.code_status, "")


def _unconfirmed(facts: Iterable[Fact], catalogue: Catalogue) -> Iterator[str]:
    for fact in facts:
        if unconfirmed_code(fact):
            where = f" ({fact.source})" if fact.source else ""
            yield (
                f"Check the code of this record: {label(fact.kind, catalogue)}, {when_text(fact)}{where}. "
                f"The code is not confirmed (status {fact.code_status}: {unconfirmed_code(fact)})."
            )


def _doubted(finding: Finding, screening: Screening) -> Iterator[str]:
    """Records looked at anywhere in a rule that something in the record speaks against: which, what, and where."""
    facts = {fact.id: fact for part in _all(finding) for fact in part.evidence if fact.source}
    for problem in screening.patient.problems if facts else ():
        places = problem.where.split(", ")
        against = [fact for fact in facts.values() if fact.source in places]
        if problem.fact_kept and against:
            named = "; ".join(f"{label(fact.kind, screening.catalogue)}, {when_text(fact)}" for fact in against)
            yield f"Check this record: {named}. {problem.what[:1].upper()}{problem.what[1:]} ({problem.where})."


def _too_old(result: CriterionResult, screening: Screening) -> Iterator[str]:
    for fact, days in too_old(result, screening.on, screening.catalogue):
        advised = result.criterion.warn_older_than
        yield f"{label(fact.kind, screening.catalogue)} is {days} days old; advised are at most {advised}."


# What time alone changes ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A day on which an answer changes by time alone: the last day it holds, or the first day it is better."""

    day: str
    days_left: int
    anchor: str
    id: str
    severity: str
    where: str  # the cohort, or "all cohorts"
    now: tuple[str, str]  # statuses as recorded and if confirmed
    then: tuple[str, str]
    why: str


def expiring(screening: Screening) -> tuple[Change, ...]:
    """What holds today, or would once confirmed, and ends within the horizon; soonest first."""
    return _soonest(_change(row, ends(row.windows), -1, screening) for row in screening.criteria)


def clearing(screening: Screening) -> tuple[Change, ...]:
    """What does not hold or is unknown today and is better on a later day of the horizon; soonest first."""
    return _soonest(_change(row, _clears(row.windows), 0, screening) for row in screening.criteria)


def _soonest(found: Iterable[Change | None]) -> tuple[Change, ...]:
    return tuple(sorted((one for one in found if one is not None), key=lambda change: change.days_left))


def ends(windows: tuple[Window, ...]) -> Window | None:
    """The first window on which what holds today (as recorded, else if confirmed) does so no more."""
    if not windows or windows[0].if_confirmed is not TRUE:
        return None
    if windows[0].truth is TRUE:
        return next((window for window in windows if window.truth is not TRUE), None)
    return next((window for window in windows if window.if_confirmed is not TRUE), None)


def _clears(windows: tuple[Window, ...]) -> Window | None:
    """The first window on which what does not hold today does, else the first with a better answer."""
    if not windows or windows[0].truth is TRUE:
        return None
    met = next((window for window in windows if window.truth is TRUE), None)
    now = (windows[0].truth, windows[0].if_confirmed)
    return met or next((window for window in windows if (window.truth, window.if_confirmed) > now), None)


def improves(result: CriterionResult) -> str:
    """When what does not hold gets better by time alone, in a few words; "" where it does not."""
    window = _clears(result.windows)
    if window is None:
        return ""
    return f"From {show_day(window.first)}: {_answer(window.truth, window.if_confirmed)}."


def _change(result: CriterionResult, window: Window | None, shift: int, screening: Screening) -> Change | None:
    if window is None:
        return None
    criterion, day = result.criterion, window.first + shift
    return Change(
        day=show_day(day) or "",
        days_left=day - screening.on.toordinal(),
        anchor=anchors(screening.trial)[criterion.id],
        id=criterion.id,
        severity=SEVERITY_WORDS[criterion.severity],
        where=criterion.cohort or "all cohorts",
        now=(result.status, result.if_confirmed),
        then=(_STATUS[window.truth], _STATUS[window.if_confirmed]),
        why=reason_of(result, screening.catalogue),
    )
