"""Results a verdict rests on that are older than the trial file advises: shown beside the verdict, deciding nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass

from onstudy.record.patient import Fact
from onstudy.screening.screen import INELIGIBLE, CohortResult, Screening, too_old
from onstudy.values.calendar import Duration


@dataclass(frozen=True)
class Aged:
    """One result that is older, on the registration date, than advised by the criteria that rest on it."""

    fact: Fact
    days: int
    advised: Mapping[str, Duration]  # criterion id to the age it advises

    @property
    def criteria(self) -> tuple[str, ...]:
        """The ids of those criteria, in protocol order."""
        return tuple(self.advised)

    @property
    def why(self) -> str:
        """How old it is, and how old it should be at most."""
        limits = dict.fromkeys(map(str, self.advised.values()))
        if len(limits) == 1:
            return f"{self.days} days old; advised are at most {next(iter(limits))}"
        each = ", ".join(f"{limit} for {name}" for name, limit in self.advised.items())
        return f"{self.days} days old; advised are at most {each}"


def aged(s: Screening, cohorts: Iterable[CohortResult]) -> tuple[Aged, ...]:
    """Such results of the criteria that cohorts require, in protocol order; a cohort closed on every day has none."""
    possible = [one for one in cohorts if any(window.verdict != INELIGIBLE for window in one.windows)]
    required = {criterion.id for cohort in possible for criterion in s.trial.deciding_of(cohort.id)}
    found: dict[str, Aged] = {}
    for row in s.criteria:
        limit = row.criterion.warn_older_than
        if limit is None or row.criterion.id not in required:
            continue
        for fact, days in too_old(row, s.on, s.catalogue):
            before = found[fact.id].advised if fact.id in found else {}
            found[fact.id] = Aged(fact, days, {**before, row.criterion.id: limit})
    return tuple(found.values())


def counted(old: Sized) -> str:
    """How many they are, in words: "7 values are older than advised"; "" for none."""
    number = len(old)
    return f"{number} value{'s are' if number != 1 else ' is'} older than advised" if number else ""
