"""A Screening as JSON (one compact object) and as text that fits 80 columns."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from onstudy.criteria.finding import Reason
from onstudy.criteria.trial import Severity
from onstudy.errors import Problem
from onstudy.record.catalogue import Catalogue
from onstudy.record.checks import DECEASED, TEST_DATA
from onstudy.record.patient import Fact
from onstudy.screening import unread
from onstudy.screening.aged import aged, counted
from onstudy.screening.answered import wrong_answers
from onstudy.screening.explain import near, reason_of
from onstudy.screening.missing import Question, others_on_record
from onstudy.screening.rows import asked, default_limits, ends, shortest_ways
from onstudy.screening.screen import (
    ELIGIBLE,
    ELIGIBLE_IF_CONFIRMED,
    INELIGIBLE,
    MET,
    NOT_APPLICABLE,
    NOT_MET,
    UNDETERMINED,
    UNKNOWN_STATUS,
    CohortResult,
    CriterionResult,
    Opening,
    Screening,
)  # fmt: skip
from onstudy.screening.wording import label, shown_of, when_text
from onstudy.values.calendar import show, show_day

WIDTH = 80
VERDICT_WORDS = {
    ELIGIBLE: "ELIGIBLE",
    ELIGIBLE_IF_CONFIRMED: "ELIGIBLE IF CONFIRMED",
    UNDETERMINED: "UNDETERMINED",
    INELIGIBLE: "INELIGIBLE",
}
STATUS_WORDS = {MET: "met", NOT_MET: "NOT MET", UNKNOWN_STATUS: "unknown", NOT_APPLICABLE: "n/a"}


def to_json(screening: Screening) -> str:
    """One compact object, keys in the order of the design; no clock, no randomness."""
    return writable(json.dumps(as_object(screening), ensure_ascii=False, separators=(",", ":")))


def writable(text: str) -> str:
    """The text with what no file can hold (half a surrogate pair of a damaged record) replaced by a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def as_object(screening: Screening) -> dict[str, object]:
    """The screening as plain data."""
    s = screening
    return {
        "trial": s.trial.id,
        "trial_version": s.trial.version,
        "patient": s.patient.id,
        "on": s.on.isoformat(),
        "as_known_on": s.as_known_on.isoformat() if s.as_known_on else None,
        "anchors": {name: None if when is None else show(when) for name, when in s.anchors.items()},
        "assumed_complete": list(s.assumed_complete),
        "defaults_used": [f"{kind}={limit}" for kind, limit in default_limits(s)],
        "cohorts": [_cohort(cohort) for cohort in s.cohorts],
        "criteria": [_criterion(row, s) for row in s.criteria],
        "problems": [{"what": p.what, "where": p.where, "fact_kept": p.fact_kept} for p in s.problems],
    }


def _cohort(cohort: CohortResult) -> dict[str, object]:
    return {
        "id": cohort.id,
        "verdict": cohort.verdict,
        "deciding": list(cohort.deciding),
        "to_confirm": [_question(question) for question in cohort.to_confirm],
        "to_do": [_question(question) for question in cohort.to_do],
        "missing": [_question(question) for question in cohort.missing],
        "settled_by": [list(kinds) for kinds in cohort.settled_by],
        "windows": [
            {
                "from": show_day(w.first),
                "to": show_day(w.last),
                "verdict": w.verdict,
                "if_confirmed": w.if_confirmed,
            }
            for w in cohort.windows
        ],
        "earliest": show_day(cohort.earliest),
        "earliest_if_confirmed": show_day(cohort.earliest_if_confirmed),
    }


def _question(question: Question) -> dict[str, object]:
    return {
        "kind": question.kind,
        "criteria": list(question.criteria),
        "reasons": list(question.reasons),
        "ask": f"{question.ask} {unread.sentence(question.unread)}".rstrip(),
    }


def _criterion(row: CriterionResult, s: Screening) -> dict[str, object]:
    c, finding = row.criterion, row.finding
    return {
        "id": c.id,
        "step": c.step,
        "cohort": c.cohort,
        "severity": c.severity.value,
        "text": c.text,
        "rule": c.rule_text or None,
        "status": row.status,
        "if_confirmed": row.if_confirmed,
        "reasons": sorted(reason.value for reason in finding.reasons) if finding else [],
        "because": reason_of(row, s.catalogue),
        "near": near(finding) if finding else None,
        "clears_on": show_day(row.clears_on),
        "holds_until": show_day(row.holds_until),
        "evidence": [_evidence(fact, s.catalogue) for fact in row.evidence],
    }


def _evidence(fact: Fact, catalogue: Catalogue) -> dict[str, object]:
    return {
        "kind": fact.kind,
        "when": when_text(fact),
        "value": shown_of(fact, catalogue) or None,
        "source": fact.source,
    }


# Text -----------------------------------------------------------------------------------------------------


def to_text(screening: Screening) -> str:
    """The screening for a terminal: verdicts and what to do next first, then the criteria that are open."""
    s = screening
    lines = [
        f"{s.trial.id}  {s.trial.version}",
        f"patient {s.patient.id}, registration on {s.on.isoformat()}",
    ]
    for what, said in ((TEST_DATA, s.test_data), (DECEASED, s.deceased)):
        lines += _wrapped(what[0].upper() + what[1:] + ".", "") if said else []
    others = [
        f"{n.replace('_', ' ')} {'not planned' if w is None else show(w)}"
        for n, w in s.anchors.items()
        if n != "registration"
    ]
    lines += _wrapped(", ".join(others), "") if others else []
    if s.as_known_on:
        lines.append(f"as known on {s.as_known_on.isoformat()}")
    if s.assumed_complete:
        lines += _wrapped(f"absence assumed where nothing is recorded: {', '.join(s.assumed_complete)}", "")
    if s.defaults_used:
        given = ", ".join(f"{kind} {limit}" for kind, limit in default_limits(s))
        lines += _wrapped(f"default upper limits of normal used: {given}", "")
    for category, found in s.categories:
        lines += _wrapped(f"{category}: {found}", "")
    answered = wrong_answers(s)
    lines += _problems_text(answered, "what was added")
    for cohort in s.cohorts:
        lines += ["", *_cohort_text(cohort, s)]
    lines += ["", *_criteria_text(s)]
    lines += _problems_text([one for one in s.problems if one not in answered], "the record")
    lines += ["", "Not medical advice: it prepares the decision of a physician."]
    return writable("\n".join(lines) + "\n")


def _problems_text(problems: Sequence[Problem], of: str) -> list[str]:
    """A paragraph of problems; nothing where there are none."""
    if not problems:
        return []
    lines = ["", f"{len(problems)} problem{'s' * (len(problems) > 1)} in {of}:"]
    return lines + [line for problem in problems for line in _wrapped(str(problem), "  - ", "    ")]


def to_table(screenings: Sequence[Screening]) -> str:
    """A line for each patient, trial and cohort: the verdict, and what it waits for or from which day it works."""
    several = len({s.trial.id for s in screenings}) > 1
    rows = [("patient", "cohort", "verdict", "not met, or waits for")]
    for s in screenings:
        who = f"{s.patient.id} {s.trial.id}" if several else s.patient.id
        rows += [(who, c.id, VERDICT_WORDS[c.verdict].lower(), _waits(c, s)) for c in s.cohorts]
    widths = [min(max(len(row[column]) for row in rows), _WIDEST[column]) for column in range(3)]
    lines, before = [], ""
    for row in rows:
        shown = ("", *row[1:]) if row[0] == before else row
        start = "  ".join(cell[:width].ljust(width) for cell, width in zip(shown, widths, strict=False))
        lines.append(
            f"{start}  {textwrap.shorten(row[3], max(WIDTH - len(start) - 2, 12), placeholder=' ...')}".rstrip()
        )
        before = row[0]
    return "\n".join([lines[0], "-" * WIDTH, *lines[1:]]) + "\n"


_WIDEST = (32, 6, 21)


def _waits(cohort: CohortResult, s: Screening) -> str:
    old = aged(s, [cohort])
    return "; ".join(said for said in (counted(old), _awaited(cohort, s)) if said)


def _awaited(cohort: CohortResult, s: Screening) -> str:
    if cohort.earliest is not None:
        return "" if cohort.earliest == s.on.toordinal() else f"from {show_day(cohort.earliest)}"
    if cohort.verdict == INELIGIBLE:
        return ", ".join(cohort.deciding)
    return ", ".join(question.kind for question in (*cohort.missing, *cohort.to_do, *cohort.to_confirm))


def _wrapped(text: str, first: str, rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=first if rest is None else rest,
        break_long_words=True, break_on_hyphens=False,
    )  # fmt: skip


def _cohort_text(cohort: CohortResult, s: Screening) -> list[str]:
    old = aged(s, [cohort])
    lines = [f"{cohort.id}  {VERDICT_WORDS[cohort.verdict]}"]
    lines += _wrapped(f"mind: {counted(old)}", "    ") if old else []
    lines += _wrapped(cohort.title, "    ")
    if cohort.verdict == INELIGIBLE:
        always = f"; ineligible on every day until {s.until}" if len(cohort.windows) == 1 else ""
        lines += _wrapped(f"not met: {', '.join(cohort.deciding)}{always}", "    ")
    if cohort.earliest and cohort.earliest > s.on.toordinal():
        lines += _wrapped(f"eligible from {show_day(cohort.earliest)}, if nothing else changes", "    ")
    elif cohort.earliest_if_confirmed and cohort.earliest_if_confirmed > s.on.toordinal():
        lines += _wrapped(f"from {show_day(cohort.earliest_if_confirmed)}, once confirmed", "    ")
    lines += [*_open_text(cohort, s), *_ways_text(cohort, s), *_assumed_text(cohort, s)]
    for one in old:
        name = f"{label(one.fact.kind, s.catalogue)} [{one.fact.kind}]"
        lines += _wrapped(f"{name} ({', '.join(one.criteria)}: {one.why})", "    renew: ", "      ")
    opening = cohort.opening
    if opening is not None and (then := _open_text(opening, s)):
        verdict = VERDICT_WORDS[opening.verdict].lower()
        lines += _wrapped(f"{verdict} from {show_day(opening.day)}, if nothing new is recorded; until then:", "    ")
        lines += then
    return lines + _end_text(cohort, s)


def _assumed_text(cohort: CohortResult, s: Screening) -> list[str]:
    """Where absences are assumed or declared, the diagnoses that could not be read, unless a question has said so."""
    names = unread.beside_absences(s.assumed_complete, s.patient, s.catalogue)
    if not names or cohort.verdict == INELIGIBLE or _unread_among(cohort):
        return []
    said = f"{unread.sentence(names)} Look whether one of them is what is taken as absent."
    return _wrapped(said, "    mind: ", "      ")


def _end_text(cohort: CohortResult, s: Screening) -> list[str]:
    """Until when a verdict holds by itself, and the criteria that end it."""
    first = cohort.windows[0] if len(cohort.windows) > 1 else None
    if first is None or first.verdict == INELIGIBLE:
        return []
    required = {criterion.id for criterion in s.trial.deciding_of(cohort.id)}
    changing = ((row.criterion.id, ends(row.windows)) for row in s.criteria if row.criterion.id in required)
    gone = [name for name, window in changing if window is not None and window.first == first.last + 1]
    why = f" (then {', '.join(gone)} no longer hold{'' if len(gone) > 1 else 's'})" if gone else ""
    return _wrapped(f"this verdict holds until {show_day(first.last)}{why}, if nothing new is recorded", "    ")


def _open_text(at: CohortResult | Opening, s: Screening) -> list[str]:
    """What is open, by the class of work; in brackets the name by which files and options call it."""
    lines: list[str] = []
    for title, questions in (("get", at.missing), ("do", at.to_do), ("confirm", at.to_confirm)):
        for question in questions:
            reasons = ", ".join(_reason(reason, question, s) for reason in question.reasons)
            asks = f"{asked(question.kind, s)} [{question.kind}] ({', '.join(question.criteria)}: {reasons})"
            lines += _wrapped(asks, f"    {title}: ", "      ")
    if names := _unread_among(at):
        lines += _wrapped(f"{unread.sentence(names)} Look whether one of them is asked here.", "    mind: ", "      ")
    return lines


def _reason(reason: str, question: Question, s: Screening) -> str:
    """A cause in a word or two; where there are records of the kind, what is not recorded is another one."""
    if reason == Reason.NO_RECORD.value and others_on_record(question, s.patient, s.catalogue):
        return "no record of another"
    return reason.replace("_", " ")


def _ways_text(cohort: CohortResult, s: Screening) -> list[str]:
    """The shortest ways to a positive verdict, where they are shorter than all that is open."""
    ways = shortest_ways(cohort, s)
    kinds = {question.kind for question in (*cohort.missing, *cohort.to_do, *cohort.to_confirm)}
    if len(ways) == 1 and set(cohort.settled_by[0]) == kinds:
        return []
    lines: list[str] = []
    for way in ways:
        lines += _wrapped(way, "    or: " if lines else "    enough, if favourable: ", "      ")
    return lines


def _unread_among(at: CohortResult | Opening) -> tuple[str, ...]:
    """The diagnoses that could not be read, where one of them may be what is open."""
    return next((q.unread for q in (*at.missing, *at.to_do, *at.to_confirm) if q.unread), ())


def _criteria_text(s: Screening) -> list[str]:
    """The counts, the rows that are not met, the unknown rows that decide; the other unknown rows by name."""
    counts = {status: sum(row.status == status for row in s.criteria) for status in STATUS_WORDS}
    counted = ", ".join(f"{count} {STATUS_WORDS[status]}" for status, count in counts.items() if count)
    deciding = {name for cohort in s.cohorts for name in cohort.deciding}
    unknown = [row for row in s.criteria if row.status == UNKNOWN_STATUS]
    idle = [row.criterion.id for row in unknown if row.criterion.id not in deciding]
    lines = _wrapped(counted, "criteria: ")
    for row in s.criteria:
        if row.status == NOT_MET:
            lines += _row_text(row, s)
    for row in unknown:
        if row.criterion.id in deciding:
            lines += _row_text(row, s)
    return lines + (_wrapped(f"unknown, and deciding nothing now: {', '.join(idle)}", "  ") if idle else [])


def _row_text(row: CriterionResult, s: Screening) -> list[str]:
    mark = " (warning only)" if row.criterion.severity is Severity.WARNING else ""
    lines = _wrapped(
        f"{STATUS_WORDS[row.status]}{mark}: {reason_of(row, s.catalogue)}",
        f"  {row.criterion.id:<6} ",
        " " * 9,
    )
    if row.clears_on:
        lines += _wrapped(f"met from {show_day(row.clears_on)}", " " * 9)
    return lines
