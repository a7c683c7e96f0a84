"""Criterion, Step, Cohort, Trial: the design as it is written in a trial file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from onstudy.criteria.expr import If, Named, TruthExpr
from onstudy.values.calendar import Duration


class Severity(str, Enum):
    """`required` decides; `warning` is shown and decides nothing; `information` has no rule."""

    REQUIRED = "required"
    WARNING = "warning"
    INFORMATION = "information"


@dataclass(frozen=True)
class Criterion:
    """One row: its words as printed, and the rule a patient must satisfy."""

    id: str
    text: str
    rule: TruthExpr | None = None
    rule_text: str = ""  # the canonical text of the rule
    severity: Severity = Severity.REQUIRED
    note: str = ""
    step: str | None = None
    cohort: str | None = None
    warn_older_than: Duration | None = None
    days_since: str = ""  # the kind whose newest record information counts the days from

    @property
    def conditional(self) -> If | None:
        """The outermost `if ... then`, where the rule has one: with its condition false, not applicable."""
        rule = self.rule
        while isinstance(rule, Named):
            rule = rule.expr
        return rule if isinstance(rule, If) else None


@dataclass(frozen=True)
class AnchorPoint:
    """A named moment criteria count from; `not_before` names another it never precedes."""

    name: str
    label: str
    not_before: str = ""


@dataclass(frozen=True)
class Setting:
    """A value the protocol leaves open, with the reason it is as it is."""

    name: str
    value: str | tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Definition:
    """A named rule. `of` is the kind whose records it is about, or "".

    One of the classes of a `category` (CNS category) has a `label` (CNS 2): screenings report which of them it is.
    """

    name: str
    named: Named
    text: str
    note: str = ""
    category: str = ""
    label: str = ""


@dataclass(frozen=True)
class Step:
    """A registration step, with the criteria every cohort shares."""

    id: str
    title: str
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True)
class Cohort:
    """A group of patients with criteria of its own."""

    id: str
    title: str
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True)
class Trial:
    """A trial, read and checked."""

    id: str
    version: str
    title: str
    anchors: Mapping[str, AnchorPoint]
    steps: tuple[Step, ...]
    cohorts: tuple[Cohort, ...]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    identity: Mapping[str, object] = field(default_factory=dict)
    later: Mapping[str, object] = field(default_factory=dict)  # regimen, endpoints, page: kept as written
    source: str = ""
    digest: str = ""  # SHA-256 of the file

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """Every row, in protocol order: steps, then cohorts."""
        rows = [row for step in self.steps for row in step.criteria]
        return (*rows, *(row for cohort in self.cohorts for row in cohort.criteria))

    def criteria_of(self, cohort: str) -> tuple[Criterion, ...]:
        """The rows that concern a cohort: those of the steps and its own."""
        return tuple(row for row in self.criteria if row.cohort in (None, cohort))

    def deciding_of(self, cohort: str) -> tuple[Criterion, ...]:
        """The required rows of a cohort: its eligibility is that all of them hold."""
        return tuple(row for row in self.criteria_of(cohort) if row.severity is Severity.REQUIRED)
