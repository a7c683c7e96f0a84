"""The eligibility worksheet: one self-contained HTML page that a person reads, completes, signs and prints.

No script, no request, no clock: the same screening gives the same bytes. The page itself is in `templates`;
here is what it shows. It prepares a person's decision and never takes it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from onstudy.criteria.trial import Trial
from onstudy.errors import Problem
from onstudy.printed import page as printed
from onstudy.record.absence import ALL
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.screening import overview, rows
from onstudy.screening.aged import aged, counted
from onstudy.screening.answered import wrong_answers
from onstudy.screening.blank import BlankRow
from onstudy.screening.screen import (
    ELIGIBLE,
    ELIGIBLE_IF_CONFIRMED,
    INELIGIBLE,
    MET,
    NOT_APPLICABLE,
    NOT_MET,
    UNDETERMINED,
    UNKNOWN_STATUS,
    Screening,
)  # fmt: skip
from onstudy.screening.timeline import VERDICT_WORDS, WIDTH, timeline
from onstudy.screening.wording import label
from onstudy.values.calendar import on_day, show, show_day

if TYPE_CHECKING:
    from jinja2 import Environment

_SHEET = "worksheet.css"
MOST_ANSWERS = 8  # of which it is said on top what is wrong
MOST_PROBLEMS = 200  # shown on the page; `onstudy facts` lists them all

#: The icon of each status and verdict; the word always stands beside it.
ICONS = {
    MET: "yes", NOT_MET: "no", UNKNOWN_STATUS: "open", NOT_APPLICABLE: "none",
    ELIGIBLE: "yes", ELIGIBLE_IF_CONFIRMED: "almost", UNDETERMINED: "open", INELIGIBLE: "no",
}  # fmt: skip
_ISO_DATE = re.compile(r"\b(\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?:[+-]\d{2}:\d{2}|Z)?)?)\b")
_WORDS = {**rows.STATUS_WORDS, **VERDICT_WORDS}


def worksheet(screening: Screening) -> str:
    """The worksheet of a screening, as one HTML page."""
    s = screening
    return printed.page(
        _templates(),
        "worksheet.html",
        _SHEET,
        running=f"{s.trial.id}, patient {s.patient.id}, registration {s.on}",
        layout="frame.html",
        **_shown(s),
    )


def worksheet_style() -> str:
    """The style of the worksheet, as its page carries it."""
    return printed.style(_templates(), _SHEET)


def worksheet_sections(screening: Screening) -> str:
    """The sections of the worksheet without the page around them, for a page that has one; see `worksheet_style`."""
    shown = {**_shown(screening), "cautions": _cautions(screening, [])}  # the page tells of answers itself
    return _templates().get_template("worksheet.html").render(layout="sections.html", **shown)


def _shown(s: Screening) -> dict[str, object]:
    return {
        "s": s,
        "trial": s.trial,
        "moments": [(s.trial.anchors[name].label, show(w) if w else "not planned") for name, w in s.anchors.items()],
        "headline": overview.headline(s),
        "counts": rows.counted(result.status for result in s.criteria),
        "cards": [overview.card(cohort, s) for cohort in s.cohorts],
        "tasks": overview.tasks(s),
        "unread": overview.unread(s),
        "warnings": overview.warnings(s),
        "expiring": rows.expiring(s),
        "clearing": rows.clearing(s),
        "line": timeline(s),
        "line_width": WIDTH,
        "groups": rows.groups(s),
        "verdicts": {cohort.id: cohort.verdict for cohort in s.cohorts},
        "cautions": _cautions(s, wrong_answers(s)),
        "problems": _problems(s),
        "data_date": data_date(s),
        "digest": digest(s),
    }


def blank_worksheet(trial: Trial, catalogue: Catalogue) -> str:
    """The worksheet of a trial with nothing filled in: value, date and initials are left for the pen."""
    at = rows.anchors(trial)
    return printed.page(
        _templates(),
        "blank.html",
        _SHEET,
        running=f"{trial.id}, patient ____________________",
        trial=trial,
        moments=[anchor.label for anchor in trial.anchors.values()],
        groups=[
            (anchor, place, title, [BlankRow.of(c, at[c.id], trial, catalogue) for c in criteria])
            for anchor, place, title, _, criteria in rows.places(trial)
        ],
        catalogue=catalogue,
    )


def digest(screening: Screening) -> str:
    """SHA-256 of the JSON of the screening, in hexadecimal: of the line that is written to a file, with its end, so
    that `sha256sum` of that file says the same.
    """
    return hashlib.sha256(f"{screening.to_json()}\n".encode()).hexdigest()


def data_date(screening: Screening) -> str | None:
    """The newest day on or before the index date on which anything was recorded, or dated where that is unknown.

    Of a date known only roughly the earliest day counts. None for a record without any date.
    """
    index = screening.on.toordinal()
    days = [day for fact in screening.patient.facts for day in _days(fact, index) if day <= index]
    return show_day(max(days, default=None))


def _days(fact: Fact, index: int) -> Iterator[int]:
    if fact.computed:
        return
    undated = fact.negative and fact.end == on_day(index)  # an undated "no" is taken to speak up to the index date
    moments = [fact.recorded] if fact.recorded is not None else [fact.start, None if undated else fact.end]
    for when in moments:
        if when is not None and when.days.low is not None:
            yield int(when.days.low)


# What the result rests on ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Caution:
    """What is stated before anything else is read: a title, a sentence, and where the rest of it stands."""

    title: str
    said: str
    more: str = ""  # the words of a link
    at: str = ""  # the place in the page it leads to
    lines: tuple[str, ...] = ()  # what it is about, one by one


def _cautions(s: Screening, answers: list[Problem]) -> list[Caution]:
    """What the verdicts are to be read with: answers and results that are too old or not used, what was assumed or
    set from outside.
    """
    found = [Caution("Test data", "The record is marked so: it is of no real patient.", "Where", "problems")]
    found = found if s.test_data else []
    if s.deceased:
        found.append(Caution("Death on record", "Check this before anything else.", "Where", "problems"))
    if answers:
        lines = tuple(str(one) for one in answers[:MOST_ANSWERS])
        said = f"What was added has {len(answers)} problem{'s' * (len(answers) > 1)}."
        found.append(Caution("Answers", said, "All problems", "problems", lines))
    found += _weak(s)
    if s.assumed_complete:
        kinds = ", ".join(label(kind, s.catalogue) for kind in s.assumed_complete)
        named = "everything whose absence may be assumed" if ALL in s.assumed_complete else kinds
        said = f"Where nothing is recorded, this worksheet takes it as “no”: {named}."
        found.append(Caution("Absences assumed", said))
    if s.defaults_used:
        named = ", ".join(f"{label(kind, s.catalogue)} {limit}" for kind, limit in rows.default_limits(s))
        found.append(Caution("Default limits of normal used", f"A result carried no limit of its laboratory: {named}."))
    doubtful = {fact.id for row in s.criteria for fact in row.evidence if rows.unconfirmed_code(fact)}
    if doubtful:
        said = f"Records that rest on such codes: {len(doubtful)}; each is named in its row."
        found.append(Caution("Codes not confirmed", said))
    if s.as_known_on:
        found.append(Caution("As known on a past day", f"Nothing recorded after {s.as_known_on} was used."))
    return found


def _weak(s: Screening) -> Iterator[Caution]:
    """Results that are older than advised, and what the record holds that could not be used."""
    old = aged(s, s.cohorts)
    if old:
        said = f"{counted(old)}, counted to {s.on}. The verdict stands; a person decides whether to measure again."
        yield Caution("Old results", said, "What to measure again", "renew")
    answers = wrong_answers(s)
    lost = sum(not problem.fact_kept for problem in s.problems if problem not in answers)
    if lost:
        said = f"{lost} entr{'ies' if lost > 1 else 'y'} of the record could not be used."
        yield Caution("Not used", said, "Which, and why", "problems")


@dataclass(frozen=True)
class _Problem:
    where: str
    what: str
    fate: str


@dataclass(frozen=True)
class _Problems:
    """The problems of the record: those for which a fact was lost first."""

    total: int
    shown: tuple[_Problem, ...]


def _problems(s: Screening) -> _Problems:
    ordered = sorted(s.problems, key=lambda problem: problem.fact_kept)
    shown = ordered[:MOST_PROBLEMS]
    fates = {True: "Used as recorded", False: "Not used"}
    return _Problems(len(ordered), tuple(_Problem(p.where, p.what, fates[p.fact_kept]) for p in shown))


# The page -------------------------------------------------------------------------------------------------


@cache
def _templates() -> Environment:
    made = printed.environment("onstudy.screening")
    made.filters["pieces"] = _pieces
    made.globals.update(words=_WORDS, icons=ICONS)
    return made


def _pieces(text: str) -> list[tuple[str, bool]]:
    """A text cut around its dates, which are not broken over two lines; True for a date."""
    return [(piece, number % 2 == 1) for number, piece in enumerate(_ISO_DATE.split(text)) if piece]
