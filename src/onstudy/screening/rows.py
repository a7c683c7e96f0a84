"""What the worksheet says of each criterion: status both ways, why, how near, on what evidence, what to mind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Finding, Reason
from onstudy.criteria.trial import Criterion, Severity, Trial
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.screening.explain import PHRASES, because, evidence_of, label, near, shown_of, when_text
from onstudy.screening.screen import MET, NOT_APPLICABLE, NOT_MET, UNKNOWN_STATUS, CriterionResult, Screening
from onstudy.values.calendar import show_day
from onstudy.values.truth import FALSE, TRUE

#: The words for a status, wherever a person reads it.
STATUS_WORDS: Mapping[str, str] = {
    MET: "Met",
    NOT_MET: "Not met",
    UNKNOWN_STATUS: "Unknown",
    NOT_APPLICABLE: "Not applicable",
}
SEVERITY_WORDS: Mapping[Severity, str] = {
    Severity.REQUIRED: "",
    Severity.WARNING: "Warning only",
    Severity.INFORMATION: "Information only",
}
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
    facts = () if finding is None else evidence_of(finding)
    why = "" if finding is None else because(finding, catalogue)
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
    """When the status changes by time alone, as a sentence; "" where nothing needs saying."""
    if result.clears_on is not None:
        return f"Met from {show_day(result.clears_on)}, if nothing new is recorded."
    if result.status == NOT_MET:
        return f"Not met on any day until {screening.until}, if nothing new is recorded."
    if result.holds_until is not None:
        return f"Stays so until {show_day(result.holds_until)}, if nothing new is recorded."
    return ""


def _remarks(result: CriterionResult, facts: tuple[Fact, ...], screening: Screening) -> Iterator[str]:
    """What a person should mind about the evidence of a row."""
    finding = result.finding
    if finding is None:
        return
    catalogue = screening.catalogue
    for kind in dict.fromkeys(part.assumed for part in _all(finding) if part.assumed):
        yield f"Rests on an assumed absence, not on a record: {label(kind, catalogue)}."
    if _limits(result.criterion):
        for kind in dict.fromkeys(f.kind for f in facts if f.kind in screening.defaults_used):
            yield f"A default limit of normal was given for {label(kind, catalogue)}."
    yield from unconfirmed(facts, catalogue)
    yield from _too_old(result.criterion, facts, screening)


def _all(finding: Finding) -> Iterator[Finding]:
    yield finding
    for part in finding.parts:
        yield from _all(part)


def _limits(criterion: Criterion) -> bool:
    return criterion.rule is not None and any(isinstance(node, e.Limit) for node in e.walk(criterion.rule))


def unconfirmed(facts: Iterable[Fact], catalogue: Catalogue) -> Iterator[str]:
    """The evidence that rests on a code nobody has confirmed, each fact named."""
    for fact in facts:
        if fact.code_status in _CODE_STATUS:
            where = f" ({fact.source})" if fact.source else ""
            yield (
                f"Check the code of this record: {label(fact.kind, catalogue)}, {when_text(fact)}{where}. "
                f"Its code is not confirmed (status {fact.code_status}: {_CODE_STATUS[fact.code_status]})."
            )


def _too_old(criterion: Criterion, facts: Iterable[Fact], screening: Screening) -> Iterator[str]:
    advised = criterion.warn_older_than
    if advised is None:
        return
    for fact in facts:
        day = fact.start.days.high
        age = 0 if day is None else screening.on.toordinal() - int(day)
        if age > advised.amount and not fact.negative and fact.source:
            yield f"{label(fact.kind, screening.catalogue)} is {age} days old; advised are at most {advised}."


# What time alone changes ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A day on which the status of a row changes by time alone: the last day it holds, or the first day it is met."""

    day: str
    days_left: int
    anchor: str
    id: str
    severity: str
    where: str  # the cohort, or "all cohorts"
    now: str
    then: str
    why: str


def expiring(screening: Screening) -> tuple[Change, ...]:
    """What holds today and ends within the horizon, soonest first."""
    found = [
        _change(result, result.holds_until, _status_after(result), screening)
        for result in screening.criteria
        if result.holds_until is not None
    ]
    return tuple(sorted(found, key=lambda change: change.days_left))


def clearing(screening: Screening) -> tuple[Change, ...]:
    """What does not hold or is unknown today and holds on a later day of the horizon, soonest first."""
    found = []
    for result in screening.criteria:
        if not result.windows or result.windows[0].truth is TRUE:
            continue
        day = next((window.first for window in result.windows if window.truth is TRUE), None)
        if day is not None:
            found.append(_change(result, day, MET, screening))
    return tuple(sorted(found, key=lambda change: change.days_left))


def _status_after(result: CriterionResult) -> str:
    return NOT_MET if result.windows[1].truth is FALSE else UNKNOWN_STATUS


def _change(result: CriterionResult, day: int, then: str, screening: Screening) -> Change:
    criterion = result.criterion
    return Change(
        day=show_day(day) or "",
        days_left=day - screening.on.toordinal(),
        anchor=anchors(screening.trial)[criterion.id],
        id=criterion.id,
        severity=SEVERITY_WORDS[criterion.severity],
        where=criterion.cohort or "all cohorts",
        now=result.status,
        then=then,
        why="" if result.finding is None else because(result.finding, screening.catalogue),
    )
