"""What is asked of a population: trials, a registration date, the other anchors, which absences are accepted.

Everything a result depends on besides the facts; its digest names the parts of a run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.trial import Cohort, Criterion, Severity, Trial
from onstudy.errors import OnstudyError, OptionError
from onstudy.population.prescreen_parts import digest
from onstudy.record.absence import assumable
from onstudy.record.catalogue import Catalogue
from onstudy.values.calendar import EARLIEST_YEAR, LATEST_YEAR, When, on_day, show

HORIZON = 90
REGISTRATION = "registration"
#: A part is made anew when its own form changes.
_FORM = 1
#: The rooms of the house that decide what a part holds.
_DECIDE = ("values", "record", "criteria", "language", "engines", "population")


@dataclass(frozen=True)
class Question:
    """Trials asked of a population on one registration date.

    `anchors` are the other named moments, None where not planned; `assumed` the kinds (or "all") whose absence
    is accepted as "no". `horizon` is how many days ahead the earliest day is looked for.
    """

    trials: tuple[Trial, ...]
    on: date
    anchors: Mapping[str, When | None]
    assumed: frozenset[str] = frozenset()
    horizon: int = HORIZON

    @property
    def index(self) -> int:
        """The registration day as a proleptic ordinal."""
        return self.on.toordinal()

    def anchors_of(self, trial: Trial) -> dict[str, When | None]:
        """The anchors of one trial, registration among them."""
        found = {name: self.anchors.get(name) for name in trial.anchors}
        return {**found, REGISTRATION: on_day(self.on)}

    def key(self, trial: Trial, shard: str) -> str:
        """The digest of everything that decides what one trial and one shard (by its own digest) come to."""
        anchors = {name: None if when is None else show(when) for name, when in self.anchors_of(trial).items()}
        asked = [trial.digest, anchors, sorted(self.assumed), self.horizon]
        return digest(_FORM, program(), shard, asked)


def question(
    trials: Sequence[Trial],
    on: date,
    anchors: Mapping[str, When | None],
    assumed: Iterable[str],
    catalogue: Catalogue,
) -> Question:
    """The question, checked. Raises `OnstudyError` for what no trial could be asked with."""
    if not EARLIEST_YEAR <= on.year < LATEST_YEAR:
        raise OptionError("on", f" {on} lies outside {EARLIEST_YEAR}-{LATEST_YEAR - 1}")
    _check_trials(trials)
    asked = Question(tuple(trials), on, dict(anchors), assumable(assumed, catalogue))
    for name in anchors:
        if name == REGISTRATION or not any(name in trial.anchors for trial in trials):
            known = sorted({other for trial in trials for other in trial.anchors} - {REGISTRATION})
            raise OnstudyError(f"no trial asked has an anchor {name!r} to set; they have {', '.join(known) or 'none'}")
    for trial in trials:
        _check_order(trial, asked.anchors_of(trial))
    return asked


def _check_trials(trials: Sequence[Trial]) -> None:
    if not trials:
        raise OnstudyError("no trial is asked; name at least one")
    seen: set[str] = set()
    for trial in trials:
        if trial.id in seen:
            raise OnstudyError(f"{trial.id} is asked twice; the results of one could not be told from the other's")
        seen.add(trial.id)
        if not trial.cohorts:
            raise OnstudyError(f"{trial.id} has no cohort a patient could be a candidate for")


def _check_order(trial: Trial, anchors: Mapping[str, When | None]) -> None:
    for point in trial.anchors.values():
        when, earlier = anchors[point.name], anchors.get(point.not_before) if point.not_before else None
        if when is not None and earlier is not None and (when.days.high or 0) < (earlier.days.low or 0):
            raise OnstudyError(f"{point.name} {when} lies before {point.not_before} {earlier}")


def asked_rows(trial: Trial) -> tuple[tuple[Criterion, TruthExpr], ...]:
    """The criteria of a trial that have a rule, in protocol order."""
    return tuple((row, row.rule) for row in trial.criteria if row.rule is not None)


def required(trial: Trial, cohort: Cohort) -> tuple[Criterion, ...]:
    """The criteria that decide a cohort, in protocol order."""
    return tuple(row for row in trial.criteria_of(cohort.id) if row.severity is Severity.REQUIRED)


def place_of(criterion: Criterion) -> str:
    """Where a criterion stands, in words."""
    return f"step {criterion.step}" if criterion.step is not None else f"cohort {criterion.cohort}"


@lru_cache(maxsize=1)
def program() -> str:
    """A digest of the program that decides: another version of it never takes over another's parts."""
    root = Path(__file__).parent.parent
    found = hashlib.sha256()
    for room in _DECIDE:
        for path in sorted((root / room).rglob("*")):
            if path.suffix in (".py", ".toml", ".lark", ".json"):
                found.update(f"{path.relative_to(root).as_posix()}\n".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
