"""What the report of a prescreening says, worked out from what was counted: sentences, tables, the flow of patients."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from onstudy.criteria.trial import Cohort, Trial
from onstudy.population.attrition import Attrition, steps_left
from onstudy.population.limits_cost import LimitLine
from onstudy.population.prescreen_question import place_of, required
from onstudy.population.prescreen_verdicts import INELIGIBLE, VERDICT_NAMES
from onstudy.record.catalogue import Catalogue

#: How much of each the page shows; everything is in the files beside it.
FIRST, LACKING, LIMITS, CHANGES, STEPS, TRIALS = 25, 6, 15, 40, 5, 20
LISTED = 6  # of what one candidate lacks
_TEXT = 180
#: The sorts of work, and what a table calls them.
WORK = {"missing": "missing", "to_confirm": "to confirm", "to_do": "to do"}


@dataclass(frozen=True)
class Lack:
    """A kind that some candidates wait for: how many, and how many for nothing else of the same sort."""

    label: str
    work: str
    candidates: int
    only: int


@dataclass(frozen=True)
class FlowStep:
    """A stretch of the way: how many were not met, by which criteria most, how many were left."""

    name: str
    excluded: int
    most: tuple[tuple[str, int], ...]
    left: int


@dataclass(frozen=True)
class CohortShown:
    """One cohort in numbers."""

    id: str
    title: str
    verdicts: Mapping[str, int]
    candidates: int
    lacking: tuple[Lack, ...]
    lacking_said: tuple[str, ...]
    flow: tuple[FlowStep, ...]
    attrition: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class LimitShown:
    """What one limit costs one cohort."""

    criterion: str
    cohort: str
    comparison: str
    now: str
    instead: str
    more: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class TrialShown:
    """One trial: its cohorts, its first candidates, its limits."""

    id: str
    title: str
    cohorts: tuple[CohortShown, ...]
    first: Sequence[Mapping[str, Any]]
    candidates_said: str
    limits: tuple[LimitShown, ...]
    limits_said: str


@dataclass(frozen=True)
class ChangesShown:
    """What differs from an earlier run."""

    before: str
    said: str
    total: int
    shown: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Report:
    """All the page shows."""

    on: str
    patients: int
    particulars: Sequence[tuple[str, str]]
    trials: Sequence[TrialShown]
    command: str
    prints: Sequence[tuple[str, str]]
    order_said: str
    notes: Sequence[str] = ()
    changes: ChangesShown | None = None

    @property
    def shown(self) -> Sequence[TrialShown]:
        """The trials that have a section of their own."""
        return self.trials[:TRIALS]


def number(count: int) -> str:
    """A count for people: 12,345."""
    return f"{count:,}"


def counted(count: int, what: str) -> str:
    """A count with its noun: 1 patient, 2 patients."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# Cohorts ----------------------------------------------------------------------------------------------------------


def cohort_shown(trial: Trial, cohort: Cohort, counts: Mapping[str, Any], catalogue: Catalogue) -> CohortShown:
    """A cohort from what was counted of it."""
    rows = required(trial, cohort)
    lines = attrition_of(counts).lines()
    verdicts = dict(zip(VERDICT_NAMES, counts["verdicts"], strict=True))
    candidates = sum(counts["verdicts"]) - counts["verdicts"][INELIGIBLE]
    texts = [textwrap.shorten(row.text, _TEXT, placeholder=" ...") for row in rows]
    return CohortShown(
        id=cohort.id,
        title=cohort.title,
        verdicts=verdicts,
        candidates=candidates,
        lacking=tuple(_lacking(counts, trial, catalogue)),
        lacking_said=tuple(_lacking_said(counts, trial, catalogue)),
        flow=tuple(_flow(lines, [place_of(row) for row in rows], [row.id for row in rows])),
        attrition=tuple({"id": r.id, "text": t, **line} for r, t, line in zip(rows, texts, lines, strict=True)),
    )


def attrition_of(counts: Mapping[str, Any]) -> Attrition:
    """The attrition of a cohort from what was counted of it."""
    return Attrition(sum(counts["verdicts"]), np.array(counts["attrition"], np.int64))


def label_of(kind: str, trial: Trial, catalogue: Catalogue) -> str:
    """The name of what is asked for: a kind, an anchor, or the date of birth."""
    if kind in trial.anchors:
        return trial.anchors[kind].label
    return "Date of birth" if kind == "born" else catalogue.kinds[kind].label


def _lacking(counts: Mapping[str, Any], trial: Trial, catalogue: Catalogue) -> list[Lack]:
    """The most frequent of each sort of work."""
    return [one for name, work in WORK.items() for one in _most(counts[name], work, trial, catalogue)]


def _most(asked: Mapping[str, tuple[int, int]], work: str, trial: Trial, catalogue: Catalogue) -> list[Lack]:
    found = [Lack(label_of(kind, trial, catalogue), work, many, only) for kind, (many, only) in asked.items()]
    return sorted(found, key=lambda one: (-one.candidates, -one.only, one.label))[:LACKING]


def _lacking_said(counts: Mapping[str, Any], trial: Trial, catalogue: Catalogue) -> Iterator[str]:
    """The sentences that tell where little work brings many candidates."""
    if counts["nothing_missing"]:
        yield f"{counted(counts['nothing_missing'], 'candidate')} lack nothing that must be found or measured."
    alone = sorted(((only, kind) for kind, (_, only) in counts["missing"].items() if only), reverse=True)
    for only, kind in sorted(alone, key=lambda one: (-one[0], one[1]))[:3]:
        verb = "lacks" if only == 1 else "lack"
        yield f"{counted(only, 'candidate')} {verb} only: {label_of(kind, trial, catalogue)}."


def _flow(lines: Sequence[dict[str, int]], steps: Sequence[str], ids: Sequence[str]) -> Iterator[FlowStep]:
    for name, excluded, left in steps_left(lines, steps):
        mine = [
            (id, line["excluded_in_order"])
            for id, line, step in zip(ids, lines, steps, strict=True)
            if step == name and line["excluded_in_order"]
        ]
        most = sorted(mine, key=lambda one: -one[1])
        rest = sum(count for _, count in most[STEPS:])
        shown = most[:STEPS] + ([("others", rest)] if rest else [])
        yield FlowStep(name, excluded, tuple(shown), left)


# Trials -----------------------------------------------------------------------------------------------------------


@dataclass
class TrialSeen:
    """What the page needs of one trial beside its counts."""

    trial: Trial
    counts: Mapping[str, Any]
    limits: Sequence[LimitLine]
    first: list[Mapping[str, Any]] = field(default_factory=list)
    decided: int = 0


def trial_shown(seen: TrialSeen, catalogue: Catalogue) -> TrialShown:
    """A trial from what was counted of it."""
    trial = seen.trial
    cohorts = tuple(
        cohort_shown(trial, cohort, seen.counts["cohorts"][cohort.id], catalogue) for cohort in trial.cohorts
    )
    return TrialShown(
        id=trial.id,
        title=trial.title,
        cohorts=cohorts,
        first=[_first(one, trial, catalogue) for one in seen.first],
        candidates_said=_candidates_said(seen),
        limits=tuple(_limits(seen.limits)),
        limits_said=_limits_said(seen.limits),
    )


def _first(row: Mapping[str, Any], trial: Trial, catalogue: Catalogue) -> Mapping[str, Any]:
    shown = dict(row)
    for name in WORK:
        shown[name] = _listed([label_of(kind, trial, catalogue) for kind in row[name]])
    return shown


def _listed(labels: Sequence[str]) -> str:
    """The first few; the candidate's worksheet and `candidates.csv` have all."""
    more = len(labels) - LISTED
    return ", ".join(labels) if more <= 1 else f"{', '.join(labels[:LISTED])} and {more} more"


def _candidates_said(seen: TrialSeen) -> str:
    patients = seen.counts["candidates"]
    said = f"{counted(patients, 'patient')} {'is' if patients == 1 else 'are'} not ineligible for at least one cohort."
    if seen.decided:
        said += f" {counted(seen.decided, 'row')} of candidates.csv {'was' if seen.decided == 1 else 'were'} decided "
        said += "before; they are not shown here."
    return said


def _limits(lines: Iterable[LimitLine]) -> Iterator[LimitShown]:
    adding = sorted((line for line in lines if line.at_most), key=lambda line: (-line.at_most, -line.at_least))
    for line in adding[:LIMITS]:
        more = number(line.at_most)
        if line.at_least != line.at_most:
            more = f"{number(line.at_least)} to {number(line.at_most)}"
        yield LimitShown(
            line.criterion, line.cohort, line.comparison, line.now, line.instead, more, tuple(_groups(line))
        )


def _groups(line: LimitLine) -> Iterator[str]:
    """The additional candidates by age, each with its sexes, unknowns counted in."""
    for age, by_sex in line.by_age_and_sex().items():
        total = sum(by_sex.values())
        if total:
            sexes = ", ".join(f"{number(count)} {sex}" for sex, count in by_sex.items() if count)
            yield f"{age}: {number(total)} ({sexes})"


def _limits_said(lines: Sequence[LimitLine]) -> str:
    if not any(line.at_most for line in lines):
        return "No limit keeps anybody out by itself, as far as the next steps go."
    return (
        "Patients whom one criterion alone keeps out, compared again with its limit moved. A range counts those whose "
        "answer would be unknown as staying out, and as coming in; by age and sex they come in. Every step of every "
        "limit is in limits.csv, both ways. Which one is sensible, only a physician can say."
    )
