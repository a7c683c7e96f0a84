"""Screen, fill, screen again: what is open as a patient file with empty answers, and the answers put back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Reason
from onstudy.errors import OnstudyError, Problem
from onstudy.record.assemble import make_patient
from onstudy.record.catalogue import (
    BOOLEAN,
    COUNT,
    DATE,
    NONE,
    PERIOD,
    QUANTITY,
    STATE,
    Attribute,
    Catalogue,
    Kind,
)
from onstudy.record.patient import Fact, Patient
from onstudy.screening.explain import PHRASES, label
from onstudy.screening.missing import Question
from onstudy.screening.screen import Screening
from onstudy.values.calendar import show

_UNNAMED = re.compile(r"facts\[\d+\]")
_TITLES = (("missing", "to find or measure"), ("to_do", "to do for the study"), ("to_confirm", "to confirm"))


def todo_file(screening: Screening) -> str:
    """A patient file with a blank `value` for everything the verdicts of this screening wait for.

    What is left blank is no answer. An entry with the `id` of a fact completes that fact.
    """
    s = screening
    lines = [
        f"# What {s.trial.id} still needs to know, registration on {s.on.isoformat()}.",
        "# Fill in what you know and leave the rest blank; then: onstudy screen ... --add THIS_FILE",
        f"patient: {_quoted(s.patient.id)}",
        "facts:",
    ]
    asked: dict[tuple[str, str], tuple[str, Question]] = {}
    for cohort in s.cohorts:
        for cls, title in _TITLES:
            for question in getattr(cohort, cls):
                known = asked.get((cls, question.kind))
                merged = question if known is None else _merged(known[1], question)
                asked[(cls, question.kind)] = (title, merged)
    limited = _kinds_with_limits(s)
    entries = [line for title, question in asked.values() for line in _entry(title, question, s, limited)]
    return "\n".join([*lines, *(entries or ["  []"])]) + "\n"


def _merged(one: Question, other: Question) -> Question:
    def both(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*getattr(one, name), *getattr(other, name))))

    return replace(one, criteria=both("criteria"), reasons=both("reasons"), fields=both("fields"), about=both("about"))


def _kinds_with_limits(s: Screening) -> set[str]:
    """Kinds whose results a rule compares with a multiple of the limit of normal."""
    found = set()
    for row in s.criteria:
        for node in e.walk(row.criterion.rule) if row.criterion.rule is not None else ():
            if isinstance(node, e.Compare) and isinstance(node.right, e.Limit):
                pick = node.left if isinstance(node.left, e.Pick) else getattr(node.left, "of", None)
                if pick is not None:
                    found.add(pick.records.kind)
    return found


def _entry(title: str, question: Question, s: Screening, limited: set[str]) -> list[str]:
    why = ", ".join(PHRASES[Reason(reason)] for reason in question.reasons)
    lines = [f"  # {', '.join(question.criteria)}, {title}: {why}.", f"  # {question.ask}"]
    kind = s.catalogue.kinds.get(question.kind)
    if kind is None:
        how = "--therapy-start" if question.kind == "therapy_start" else f"--anchor {question.kind}=DATETIME"
        return [
            *lines,
            "  # "
            + (
                "the patient's date of birth: add it to the record"
                if question.kind == "born"
                else f"give it with {how}"
            ),
        ]
    facts = {fact.id: fact for fact in s.patient.facts}
    about = [facts[name] for name in question.about if name in facts and not facts[name].computed]
    lacking = [_lacking(fact, question.fields, question.kind in limited, s.catalogue) for fact in about]
    if about and all(lacking):
        return [
            *lines,
            *(row for fact, blanks in zip(about, lacking, strict=True) for row in _completion(fact, blanks, s)),
        ]
    return [*lines, *_blank(kind, question.kind in limited, s.catalogue)]


def _lacking(fact: Fact, fields: Iterable[str], limited: bool, catalogue: Catalogue) -> list[str]:
    """The keys of a patient file that would complete a fact: its value, limit, dates or what is not stated."""
    kind = catalogue.kinds[fact.kind]
    blanks = [f"value:  # {_value_choices(kind, catalogue)}"] if kind.measured and fact.value is None else []
    if limited and fact.uln is None:
        blanks.append(f"uln:  # upper limit of normal of that laboratory, in {kind.unit}")
    for name in fields:
        attribute = catalogue.attribute(fact.kind, name)
        if name in ("start", "end"):
            blanks.append(f"{_date_key(kind, name)}:  # YYYY-MM-DD, with Thh:mm where hours matter")
        elif attribute is not None:
            blanks.append(f"{name}:  # {_choices(attribute, catalogue)}")
        elif name in kind.components:
            blanks.append(f"{name}:  # {_value_choices(catalogue.kinds[kind.components[name]], catalogue)}")
    if not blanks and fact.start.day is None:
        blanks.append(f"{_date_key(kind, 'start')}:  # YYYY-MM-DD")
    return blanks


def _date_key(kind: Kind, name: str) -> str:
    if name == "end":
        return "to"
    return "from" if kind.extent == PERIOD else "on"


def _completion(fact: Fact, blanks: list[str], s: Screening) -> list[str]:
    """An entry that completes a fact already there."""
    about = f"{label(fact.kind, s.catalogue)} {show(fact.start)}"
    return [f"  - kind: {fact.kind}", f"    id: {_quoted(fact.id)}  # {about}", *(f"    {blank}" for blank in blanks)]


def _blank(kind: Kind, limited: bool, catalogue: Catalogue) -> list[str]:
    lines = [f"  - kind: {kind.name}"]
    if kind.components:
        lines.append("    on:  # YYYY-MM-DD")
        for name, part in kind.components.items():
            lines.append(f"    {name}:  # {_value_choices(catalogue.kinds[part], catalogue)}")
        return lines
    if kind.value == NONE:
        lines.append("    value:  # yes or no")
        lines.append("    recorded:  # for no: the day it was recorded; blank is the registration date")
        dated = "    from:  # for yes: YYYY-MM-DD" if kind.extent == PERIOD else "    on:  # for yes: YYYY-MM-DD"
        lines += [dated] if kind.extent != STATE else ["    on:  # YYYY-MM-DD"]
        lines = lines if kind.extent != STATE else [line for line in lines if "recorded:" not in line]
    else:
        lines += ["    on:  # YYYY-MM-DD", f"    value:  # {_value_choices(kind, catalogue)}"]
    if limited:
        lines.append(f"    uln:  # upper limit of normal of that laboratory, in {kind.unit}")
    for attribute in catalogue.attributes(kind.name).values():
        if attribute.silence is None:
            lines.append(f"    {attribute.name}:  # {_choices(attribute, catalogue)}")
    return lines


def _value_choices(kind: Kind, catalogue: Catalogue) -> str:
    if kind.value == QUANTITY:
        return f"a number with its unit, as in {kind.unit}"
    if kind.value in (COUNT, DATE):
        return "a number" if kind.value == COUNT else "YYYY-MM-DD"
    return _listed(kind.values, catalogue)


def _choices(attribute: Attribute, catalogue: Catalogue) -> str:
    if attribute.type == BOOLEAN:
        return f"{attribute.label}: yes or no"
    if attribute.values:
        return f"{attribute.label}: {_listed(attribute.values, catalogue)}"
    return f"{attribute.label}: " + ("YYYY-MM-DD" if attribute.type == DATE else f"a number {attribute.unit}".strip())


def _listed(name: str, catalogue: Catalogue) -> str:
    members = list(catalogue.value_sets[name].members)
    return ", ".join(members[:8]) + (" ... (docs/kinds.md)" if len(members) > 8 else "")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def with_added(patient: Patient, more: Patient, source: str, catalogue: Catalogue) -> Patient:
    """The patient with further facts, each showing where it came from; an entry with the id of a fact of
    the record completes it. Raises `OnstudyError` where the further facts are another patient's.
    """
    if more.id != patient.id:
        raise OnstudyError(
            f"{source}: holds facts of another patient than the one screened; its 'patient:' must be the same"
        )
    known = {fact.id: fact for fact in patient.facts if not fact.computed}
    valueless = {fact.kind: fact for fact in known.values() if fact.lacks is not None}
    problems = [*patient.problems, *more.problems]
    for given in more.facts:
        if given.computed or given.kind == "sex":
            continue
        fact = _told_apart(given, source)
        before = known.get(fact.id)
        if before is not None and before.kind != fact.kind:
            fact = replace(fact, id=f"{source} {fact.id}")
        elif before is not None:
            known[fact.id] = _completed(before, fact)
            if lost := _contradicted(before, fact):
                what = f"{fact.id} is on record with another {lost}; what is recorded was kept"
                problems.append(Problem(what, fact.source, fact_kept=True))
            continue
        known[fact.id] = fact
        if fact.kind in valueless and not fact.negative:
            what = (
                f"{fact.kind} was added, but {valueless[fact.kind].id} still has no value; an answer to it has its id"
            )
            problems.append(Problem(what, fact.source, fact_kept=True))
    plain = [fact for fact in known.values() if fact.kind != "sex"]
    sexes = [_sex_of(patient), _sex_of(more)]
    code = next((sex for sex in sexes if sex is not None), None)
    if None not in sexes and sexes[0] != sexes[1]:
        problems.append(Problem("the sex differs from the one on record, which was kept", source, fact_kept=True))
    if patient.born.known and more.born.known and patient.born != more.born:
        problems.append(Problem("born differs from the date on record, which was kept", source, fact_kept=True))
    born = patient.born if patient.born.known else more.born
    return make_patient(patient.id, born, code, plain, (*patient.coverage, *more.coverage), problems, catalogue)


def _told_apart(fact: Fact, source: str) -> Fact:
    """A fact that was given no id carries its place in its file, which another file has as well."""
    if not _UNNAMED.match(fact.id):
        return fact
    sample = fact.sample if fact.sample is None or not _UNNAMED.match(fact.sample) else f"{source} {fact.sample}"
    parts = {name: _told_apart(part, source) for name, part in fact.parts.items()}
    return replace(fact, id=f"{source} {fact.id}", sample=sample, parts=parts)


def _sex_of(patient: Patient) -> str | None:
    stated = (fact.value for fact in patient.facts if fact.kind == "sex")
    return next((code for value in stated if isinstance(value, frozenset) for code in value), None)


def _contradicted(before: Fact, more: Fact) -> str:
    """What two statements of one fact say differently; "" where one only adds to the other."""
    pairs = {
        "value": (before.value, more.value),
        "uln": (before.uln, more.uln),
        "lln": (before.lln, more.lln),
        **{name: (before.attributes.get(name), value) for name, value in more.attributes.items()},
    }
    differing = [name for name, (old, new) in pairs.items() if None not in (old, new) and old != new]
    if before.start.day is not None and more.start.day is not None and before.start.day != more.start.day:
        differing.append("date")
    return ", ".join(differing)


def _completed(before: Fact, more: Fact) -> Fact:
    """A fact with what was not stated of it filled in; what is stated stays."""
    unset = before.value is None and more.value is not None
    stated = {name: value for name, value in before.attributes.items() if value is not None}
    vague = before.start.day is None and more.start.known
    return replace(
        before,
        attributes={**more.attributes, **stated},
        value=more.value if unset else before.value,
        lacks=None if unset else before.lacks,
        shown=more.shown if unset else before.shown,
        uln=before.uln if before.uln is not None else more.uln,
        lln=before.lln if before.lln is not None else more.lln,
        start=more.start if vague else before.start,
        end=more.end if more.end is not None and (before.end is None or before.ongoing) else before.end,
        ongoing=before.ongoing and more.end is None,
        source=f"{before.source} + {more.source}",
    )
