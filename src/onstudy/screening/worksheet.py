"""The eligibility worksheet: one self-contained HTML page that a person reads, completes, signs and prints.

No script, no request, no clock: the same screening gives the same bytes. The page itself is in `templates`;
here is what it shows. It prepares a person's decision and never takes it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Reason
from onstudy.criteria.trial import Criterion, Severity, Trial
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.screening import rows as r
from onstudy.screening.explain import PHRASES, fact_text, label
from onstudy.screening.missing import Question
from onstudy.screening.screen import (
    ELIGIBLE, ELIGIBLE_IF_CONFIRMED, INELIGIBLE, MET, NOT_APPLICABLE, NOT_MET, UNDETERMINED, UNKNOWN_STATUS,
    CohortResult, Screening,
)  # fmt: skip
from onstudy.screening.timeline import VERDICT_WORDS, WIDTH, timeline
from onstudy.values.calendar import on_day, show, show_day

if TYPE_CHECKING:
    from jinja2 import Environment

REGISTRATION = "registration"
MOST_PROBLEMS = 200  # shown on the page; `onstudy facts` lists them all
_REASONS_SHOWN, _SETS_SHOWN, _LONGEST_SET = 6, 3, 6

#: The icon of each status and verdict; the word always stands beside it.
ICONS = {
    MET: "yes", NOT_MET: "no", UNKNOWN_STATUS: "open", NOT_APPLICABLE: "none",
    ELIGIBLE: "yes", ELIGIBLE_IF_CONFIRMED: "almost", UNDETERMINED: "open", INELIGIBLE: "no",
}  # fmt: skip
_WORDS = {**r.STATUS_WORDS, **VERDICT_WORDS}


def worksheet(screening: Screening) -> str:
    """The worksheet of a screening, as one HTML page."""
    s = screening
    by_cohort = {cohort.id: cohort for cohort in s.cohorts}
    return _page(
        "worksheet.html",
        running=f"{s.trial.id}, patient {s.patient.id}, registration {s.on}",
        s=s,
        trial=s.trial,
        moments=[(s.trial.anchors[name].label, show(when) if when else "not planned") for name, when in s.anchors.items()],
        headline=_headline(s),
        counts=r.counted(result.status for result in s.criteria),
        cards=[_card(cohort, s) for cohort in s.cohorts],
        tasks=_tasks(s),
        warnings=_warnings(s),
        expiring=r.expiring(s),
        clearing=r.clearing(s),
        line=timeline(s),
        line_width=WIDTH,
        groups=r.groups(s),
        verdicts={name: cohort.verdict for name, cohort in by_cohort.items()},
        cautions=_cautions(s),
        problems=_problems(s),
        data_date=data_date(s),
        digest=digest(s),
    )


def blank_worksheet(trial: Trial, catalogue: Catalogue) -> str:
    """The worksheet of a trial with nothing filled in: value, date and initials are left for the pen."""
    at = r.anchors(trial)
    return _page(
        "blank.html",
        running=f"{trial.id}, patient ____________________",
        trial=trial,
        moments=[anchor.label for anchor in trial.anchors.values()],
        groups=[
            (anchor, place, title, [_BlankRow.of(c, at[c.id], trial, catalogue) for c in criteria])
            for anchor, place, title, _, criteria in r.places(trial)
        ],
        catalogue=catalogue,
    )


def digest(screening: Screening) -> str:
    """SHA-256 of the JSON of the screening, in hexadecimal."""
    return hashlib.sha256(screening.to_json().encode("utf-8", "surrogatepass")).hexdigest()


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


# On top: verdicts and what to do next ---------------------------------------------------------------------


def _headline(s: Screening) -> str:
    """The whole answer in one sentence."""
    for verdict, words in (
        (ELIGIBLE, "Eligible as recorded for {}."),
        (ELIGIBLE_IF_CONFIRMED, "Eligible for {} once the absences listed below are confirmed."),
        (UNDETERMINED, "Not yet decided for {}: what is open stands below."),
    ):
        found = [cohort.id for cohort in s.cohorts if cohort.verdict == verdict]
        if found:
            return words.format(" and ".join(found))
    later = [(cohort.earliest_if_confirmed, cohort.id) for cohort in s.cohorts if cohort.earliest_if_confirmed]
    if not later:
        return "Ineligible for every cohort on this date."
    day, name = min(later)
    return f"Ineligible for every cohort on this date; {name} may open on {show_day(day)}."


@dataclass(frozen=True)
class _Decider:
    """A row that decides a verdict, with its reason in short."""

    id: str
    anchor: str
    because: str
    clears: str


@dataclass(frozen=True)
class _Card:
    """Where one cohort stands."""

    id: str
    title: str
    verdict: str
    said: str
    deciders: tuple[_Decider, ...]
    further: tuple[tuple[str, str], ...]  # id and anchor of the rows beyond those
    outlook: tuple[str, ...]
    settled_by: tuple[str, ...]


def _card(cohort: CohortResult, s: Screening) -> _Card:
    at = r.anchors(s.trial)
    against = cohort.deciding if cohort.verdict == INELIGIBLE else ()
    return _Card(
        id=cohort.id,
        title=cohort.title,
        verdict=cohort.verdict,
        said=_said(cohort, s),
        deciders=tuple(_decider(name, at[name], s) for name in against[:_REASONS_SHOWN]),
        further=tuple((name, at[name]) for name in against[_REASONS_SHOWN:]),
        outlook=tuple(_outlook(cohort, s)),
        settled_by=tuple(_settled_by(cohort, s)),
    )


def _decider(name: str, anchor: str, s: Screening) -> _Decider:
    result = s.criterion(name)
    why = "" if result.finding is None else r.because(result.finding, s.catalogue)
    return _Decider(name, anchor, why, show_day(result.clears_on) or "")


def _said(cohort: CohortResult, s: Screening) -> str:
    required = len(s.trial.deciding_of(cohort.id))
    if cohort.verdict == ELIGIBLE:
        return f"All {required} required criteria are met or not applicable."
    if cohort.verdict == INELIGIBLE:
        return f"{len(cohort.deciding)} of {required} required criteria not met:"
    asked = ((len(cohort.missing), "to obtain"), (len(cohort.to_do), "to do"), (len(cohort.to_confirm), "to confirm"))
    counts = ", ".join(f"{number} {words}" for number, words in asked if number)
    return f"{len(cohort.deciding)} of {required} required criteria unknown, none not met. Open: {counts}."


def _outlook(cohort: CohortResult, s: Screening) -> Iterator[str]:
    today = s.on.toordinal()
    if len(cohort.windows) > 1 and cohort.verdict != INELIGIBLE:
        following = VERDICT_WORDS[cohort.windows[1].verdict].lower()
        yield f"This verdict holds until {show_day(cohort.windows[0].last)}, then: {following}."
    if cohort.earliest is not None and cohort.earliest > today:
        yield f"Eligible from {show_day(cohort.earliest)}, if nothing new is recorded."
    elif cohort.earliest_if_confirmed is not None and cohort.earliest_if_confirmed > today:
        yield f"Eligible from {show_day(cohort.earliest_if_confirmed)}, once absences are confirmed."
    elif cohort.verdict == INELIGIBLE and cohort.earliest_if_confirmed is None:
        yield f"No day until {s.until} changes this, if nothing new is recorded."


def _settled_by(cohort: CohortResult, s: Screening) -> Iterator[str]:
    """The shortest ways to a positive verdict, where they are short enough to help."""
    for kinds in cohort.settled_by[:_SETS_SHOWN]:
        if len(kinds) <= _LONGEST_SET:
            yield ", ".join(_asked(kind, s) for kind in kinds)


@dataclass(frozen=True)
class _Task:
    """One thing to find out, for every cohort it matters to."""

    kind: str
    ask: str
    why: str
    about: tuple[str, ...]
    criteria: tuple[tuple[str, str], ...]  # id and anchor
    cohorts: tuple[str, ...]


@dataclass(frozen=True)
class _TaskList:
    """The tasks of one class of work."""

    anchor: str
    title: str
    words: str
    tasks: tuple[_Task, ...]


def _tasks(s: Screening) -> list[_TaskList]:
    lists = (
        ("obtain", "To obtain", "Somebody must find or measure this.", [(c.id, c.missing) for c in s.cohorts]),
        ("do", "To do", "Joining the trial brings this about.", [(c.id, c.to_do) for c in s.cohorts]),
        (
            "confirm",
            "To confirm",
            "Nothing is recorded. If it is confirmed that there is none, the criterion counts as met.",
            [(c.id, c.to_confirm) for c in s.cohorts],
        ),
    )
    made = [_TaskList(anchor, title, words, tuple(_merged(asked, s))) for anchor, title, words, asked in lists]
    return [tasks for tasks in made if tasks.tasks]


def _merged(asked: Iterable[tuple[str, tuple[Question, ...]]], s: Screening) -> Iterator[_Task]:
    """The same question of several cohorts once, in the order first asked."""
    found: dict[str, list[tuple[str, Question]]] = {}
    for cohort, questions in asked:
        for question in questions:
            found.setdefault(question.kind, []).append((cohort, question))
    at = r.anchors(s.trial)
    facts = {fact.id: fact for fact in s.patient.facts}
    for kind, several in found.items():
        questions_of_kind = [question for _, question in several]
        reasons = dict.fromkeys(reason for question in questions_of_kind for reason in question.reasons)
        fields = dict.fromkeys(field for question in questions_of_kind for field in question.fields)
        about = dict.fromkeys(name for question in questions_of_kind for name in question.about if name in facts)
        criteria = dict.fromkeys(name for question in questions_of_kind for name in question.criteria)
        why = ", ".join(PHRASES[Reason(reason)] for reason in reasons)
        stated = ", ".join(field.replace("_", " ") for field in fields)
        yield _Task(
            kind=_asked(kind, s),
            ask=questions_of_kind[0].ask,
            why=f"{why} ({stated})" if stated else why,
            about=tuple(fact_text(facts[name], s.catalogue) for name in list(about)[:_SETS_SHOWN]),
            criteria=tuple((name, at[name]) for name in criteria),
            cohorts=tuple(cohort for cohort, _ in several),
        )


def _asked(kind: str, s: Screening) -> str:
    """The name of what is asked for: a kind, an anchor, or the date of birth."""
    if kind in s.trial.anchors:
        return s.trial.anchors[kind].label
    return "Date of birth" if kind == "born" else label(kind, s.catalogue)


def _warnings(s: Screening) -> list[_Decider]:
    """Rows that decide nothing and still ask for a look."""
    at = r.anchors(s.trial)
    return [
        _decider(row.criterion.id, at[row.criterion.id], s)
        for row in s.criteria
        if row.criterion.severity is Severity.WARNING and row.status in (NOT_MET, UNKNOWN_STATUS)
    ]


# What the result rests on ---------------------------------------------------------------------------------


def _cautions(s: Screening) -> list[tuple[str, str]]:
    """What was assumed or set from outside, stated before anything else is read: a title and a sentence."""
    found = []
    if s.assumed_complete:
        everything = s.assumed_complete == ("all",)
        named = "everything whose absence may be assumed" if everything else ", ".join(
            label(kind, s.catalogue) for kind in s.assumed_complete if kind != "all"
        )  # fmt: skip
        found.append(("Absences assumed", f"Where nothing is recorded, this worksheet takes it as “no”: {named}."))
    if s.defaults_used:
        named = ", ".join(label(kind, s.catalogue) for kind in s.defaults_used)
        found.append(("Default limits of normal used", f"A result carried no limit of its laboratory: {named}."))
    if s.as_known_on:
        found.append(("As known on a past day", f"Nothing recorded after {s.as_known_on} was used."))
    return found


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
    fates = {True: "Kept in the record", False: "Not used"}
    return _Problems(len(ordered), tuple(_Problem(p.where, p.what, fates[p.fact_kept]) for p in shown))


# The blank worksheet --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _BlankRow:
    """One criterion to be answered by hand; `records` are what its rule looks at."""

    anchor: str
    id: str
    text: str
    note: str
    severity: str
    asked: bool
    conditional: bool
    records: tuple[str, ...]

    @staticmethod
    def of(criterion: Criterion, anchor: str, trial: Trial, catalogue: Catalogue) -> _BlankRow:
        """The row of a criterion."""
        return _BlankRow(
            anchor=anchor,
            id=criterion.id,
            text=criterion.text,
            note=criterion.note,
            severity=r.SEVERITY_WORDS[criterion.severity],
            asked=criterion.rule is not None,
            conditional=criterion.conditional is not None,
            records=tuple(dict.fromkeys(_looked_at(criterion, trial, catalogue))),
        )


def _looked_at(criterion: Criterion, trial: Trial, catalogue: Catalogue) -> Iterator[str]:
    """What a person has to look up for a criterion, with the unit to write it in."""
    nodes = e.walk(criterion.rule) if criterion.rule is not None else []
    limited = {_kind_of(node.left) for node in nodes if isinstance(node, e.Compare) and isinstance(node.right, e.Limit)}
    for node in nodes:
        if isinstance(node, e.Records):
            unit = catalogue.kinds[node.kind].unit
            details = [unit] if unit else []
            details += ["with its limit of normal"] if node.kind in limited else []
            yield label(node.kind, catalogue) + (f" ({', '.join(details)})" if details else "")
        elif isinstance(node, e.Age):
            yield "Date of birth"
        elif isinstance(node, e.Anchor) and node.name != REGISTRATION:
            yield trial.anchors[node.name].label


def _kind_of(node: e.ValueExpr) -> str:
    pick = node.of if isinstance(node, e.Field) else node
    return pick.records.kind if isinstance(pick, e.Pick) else ""


# The page -------------------------------------------------------------------------------------------------


def _page(template: str, running: str, **shown: object) -> str:
    environment = _environment()
    style = environment.get_template("worksheet.css").render(running=_css_string(_printable(running)))
    fingerprint = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(template).render(style=style, style_hash=fingerprint, **shown)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("onstudy.screening", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.update(words=_WORDS, icons=ICONS)
    return made


def _printable(value: object) -> object:
    """Text without what HTML cannot hold: control characters and halves of characters become U+FFFD."""
    if not isinstance(value, str):
        return value
    wrong = {ord(letter): "\ufffd" for letter in set(value) if _unprintable(letter)}
    return type(value)(value.translate(wrong)) if wrong else value


def _unprintable(letter: str) -> bool:
    code = ord(letter)
    return (code < 0x20 and letter not in "\t\n") or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000


def _css_string(text: object) -> str:
    """Text as the inside of a CSS string: whatever is no plain letter, digit or blank is written as its number."""
    kept = str(text)[:120]
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter == " ") else f"\\{ord(letter):06x}" for letter in kept)
