"""The windows of a screening as a drawing: one lane a cohort, one bar a stretch with the same verdict.

Plain geometry in the units of the SVG's own view box; the template draws it. The same stretches, in the
same order and under the same numbers, are the rows of the table beside the drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from onstudy.screening.screen import (
    ELIGIBLE,
    ELIGIBLE_IF_CONFIRMED,
    INELIGIBLE,
    UNDETERMINED,
    CohortResult,
    CohortWindow,
    Screening,
)  # fmt: skip
from onstudy.values.calendar import show_day

#: The words for a verdict, wherever a person reads it.
VERDICT_WORDS: Mapping[str, str] = {
    ELIGIBLE: "Eligible",
    ELIGIBLE_IF_CONFIRMED: "Eligible if confirmed",
    UNDETERMINED: "Undetermined",
    INELIGIBLE: "Ineligible",
}

WIDTH, LEFT, RIGHT = 760.0, 58.0, 10.0
TOP, LANE, BAR = 34.0, 50.0, 28.0
_LETTER, _PADDING = 7.8, 14.0  # about the width of a letter at 12 units, and the air around a word
_LONGEST_LABEL = 6
_LABEL, _NEAREST_TICK, _NEAREST_NUMBER = 78.0, 5.0, 15.0
WEEK = 7


@dataclass(frozen=True)
class Stretch:
    """A bar: registration days, both included, with one verdict; `word` is what fits inside, or ""."""

    number: int
    cohort: str
    first: str
    last: str
    days: int
    verdict: str
    if_confirmed: str
    x: float
    y: float
    width: float
    word: str
    numbered: bool  # whether there is room for its number under the bar


@dataclass(frozen=True)
class Lane:
    """The bars of one cohort."""

    cohort: str
    label: str  # as much of the name as fits beside the bars
    y: float
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Tick:
    """A mark at the beginning of a week; every so many of them carry their date."""

    x: float
    label: str


@dataclass(frozen=True)
class Timeline:
    """Everything the drawing consists of, with its description in words."""

    height: float
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    description: str

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """All bars, cohort by cohort, in the order of their numbers."""
        return tuple(stretch for lane in self.lanes for stretch in lane.stretches)


def timeline(screening: Screening) -> Timeline:
    """The windows of every cohort, from the registration date asked about to the end of the horizon."""
    first, last = screening.on.toordinal(), screening.until.toordinal()
    scale = (WIDTH - LEFT - RIGHT) / (last + 1 - first)
    lanes: list[Lane] = []
    number = 1
    for place, cohort in enumerate(screening.cohorts):
        y = TOP + place * LANE
        lanes.append(Lane(cohort.id, _short(cohort.id), y, tuple(_stretches(cohort, number, y, first, scale))))
        number += len(cohort.windows)
    return Timeline(
        height=TOP + len(lanes) * LANE,
        lanes=tuple(lanes),
        ticks=tuple(_ticks(screening.on, screening.until, scale)),
        description=_in_words(lanes),
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _stretches(cohort: CohortResult, number: int, y: float, first: int, scale: float) -> Iterable[Stretch]:
    written = -_NEAREST_NUMBER  # the middle of the last number there was room for
    for place, window in enumerate(cohort.windows):
        x, width = LEFT + (window.first - first) * scale, (window.last + 1 - window.first) * scale
        middle = x + width / 2
        numbered = middle - written >= _NEAREST_NUMBER
        written = middle if numbered else written
        yield Stretch(
            number=number + place,
            cohort=cohort.id,
            first=show_day(window.first) or "",
            last=show_day(window.last) or "",
            days=window.last + 1 - window.first,
            verdict=window.verdict,
            if_confirmed=window.if_confirmed,
            x=round(x, 2),
            y=y,
            width=round(width, 2),
            word=_fitting(window, width),
            numbered=numbered,
        )


def _fitting(window: CohortWindow, width: float) -> str:
    word = VERDICT_WORDS[window.verdict]
    return word if len(word) * _LETTER + _PADDING <= width else ""


def _ticks(on: date, until: date, scale: float) -> Iterable[Tick]:
    """Weeks counted from the registration date; where they crowd, only those with a date are drawn."""
    step = WEEK * scale
    every = max(1, -int(-_LABEL // step))
    weeks = (until - on).days // WEEK
    for week in range(weeks + 1):
        labelled = week % every == 0
        x = LEFT + week * step
        if labelled or step >= _NEAREST_TICK:
            fits = labelled and x + _LABEL <= WIDTH
            yield Tick(round(x, 2), (on + timedelta(days=WEEK * week)).isoformat() if fits else "")


def _in_words(lanes: Iterable[Lane]) -> str:
    said = []
    for lane in lanes:
        parts = [f"{VERDICT_WORDS[s.verdict].lower()} from {s.first} to {s.last}" for s in lane.stretches]
        said.append(f"{lane.cohort}: {', then '.join(parts)}.")
    return " ".join(said)
