"""The answers to what was open, put back: further facts beside the record, and what completes a fact of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from onstudy.errors import OnstudyError, Problem, nearest
from onstudy.readers.reading import without_contradictions
from onstudy.record.assemble import make_patient, renamed, stated
from onstudy.record.catalogue import STATE, Catalogue
from onstudy.record.checks import check
from onstudy.record.ends import reopened
from onstudy.record.patient import Fact, Patient, Value
from onstudy.record.samples import explode
from onstudy.record.sexes import SEX
from onstudy.record.unusable import before_itself, present_states
from onstudy.screening.answered_dates import Dates, dates
from onstudy.screening.narrowing import apart, narrower
from onstudy.screening.prepare import without_sex
from onstudy.values.calendar import When
from onstudy.values.interval import Op, compare
from onstudy.values.overlap import common
from onstudy.values.truth import TRUE

_ADDED = "added"
_UNNAMED = re.compile(r"facts\[\d+\]")
#: Of an entry of a patient file; and of an id that names a record, as that of an answer does.
_ENTRY, _OF_A_RECORD = re.compile(r"facts\[\d+\]$"), re.compile(r"[/#]")


def with_added(patient: Patient, more: Patient, source: str, catalogue: Catalogue, on: date | None = None) -> Patient:
    """The patient with further facts, each showing where it came from; an entry with the id of a fact of
    the record completes it. Where the registration date is given (`on`), what is on record cannot be answered to be
    after it. Raises `OnstudyError` where the further facts are another patient's.
    """
    if more.id != patient.id:
        raise OnstudyError(
            f"{source}: holds facts of another patient than the one screened; its 'patient:' must be the same"
        )
    sex, own = without_sex(patient.facts)
    if _sex_of(patient) is None:
        sex = _sex_of(more) or sex
    known = {fact.id: fact for fact in own if not fact.computed}
    withdrawn = list(_withdraw(more, known, source))
    found_again = set(check(patient.facts, catalogue, patient.born))
    problems = [*[one for one in patient.problems if one not in found_again], *more.problems, *withdrawn]
    added: list[Fact] = []
    for given in stated(more, catalogue):
        if given.kind == SEX:
            continue
        fact = given if given.id in known else _toldapart(given)
        before = known.get(fact.id)
        if before is not None and before.kind == fact.kind and not _otherwise_since(before, fact, catalogue):
            problems += _complete(before, fact, known, catalogue, on)
            continue
        if before is not None and before.kind == fact.kind:
            fact, said = _again(before, fact, catalogue, on)
            problems += said
        else:
            problems += _lost(given, known)
        fact = fact if before is None else renamed(fact, f"{source} {fact.id}")
        problems += _denied(fact, known, catalogue)
        known[fact.id] = fact
        added += explode([fact])
    problems += _still_open(added, known)
    problems += _other_person(patient, more, source)
    found = make_patient(
        patient.id,
        common(more.born, patient.born) or patient.born,
        sex,
        known.values(),
        (*patient.coverage, *more.coverage),
        problems,
        catalogue,
    )
    places = {source, *(fact.source for fact in more.facts), *(one.where for one in more.problems)}
    return replace(found, answers=patient.answers | places)


def _toldapart(fact: Fact) -> Fact:
    """A fact that was given no id carries its place in its file, which the record has as well. The name of the file is
    no part of it: a later answer finds the fact by its id, whatever the file is called then.
    """
    if not _UNNAMED.match(fact.id):
        return fact
    sample = fact.sample if fact.sample is None or not _UNNAMED.match(fact.sample) else f"{_ADDED} {fact.sample}"
    parts = {name: _toldapart(part) for name, part in fact.parts.items()}
    return replace(fact, id=f"{_ADDED} {fact.id}", sample=sample, parts=parts)


def _lost(given: Fact, known: Mapping[str, Fact]) -> Iterator[Problem]:
    """An entry that names a record by its id, and there is none of its kind: it was meant to complete one."""
    entry = _ENTRY.search(given.source)
    if not entry or not _OF_A_RECORD.search(given.id) or given.id.startswith(f"{entry[0]}#"):
        return  # it names none: its own place is no name
    if given.negative and given.id.removesuffix(":end") in known:
        return  # the "no" since the end that was answered of a state
    other = known.get(given.id)
    if other is not None:
        what = f"the record with the id {given.id} is of the kind {other.kind}, not {given.kind}"
    else:
        what = f"no fact of the record has the id {given.id}{nearest(given.id, known)}"
    earlier = ", and the answers given before are to be added again" if given.id.startswith(_ADDED) else ""
    yield Problem(f"{what}; taken as a further fact{earlier}", given.source, fact_kept=True)


def _withdraw(more: Patient, known: dict[str, Fact], source: str) -> Iterator[Problem]:
    """Leaves out of `known` the records that were entered in error, with their components; says which are not there."""
    for name in more.withdrawn:
        part_of = next((whole.id for whole in known.values() if name in {part.id for part in whole.parts.values()}), "")
        if name not in known or part_of:
            why = (
                f"it is a part of {part_of}" if part_of else f"no fact of the record has that id{nearest(name, known)}"
            )
            yield Problem(f"{name} is said to be entered in error, and {why}: nothing is left out", source)
            continue
        for part in known.pop(name).parts.values():
            known.pop(part.id, None)


# What completes a fact -----------------------------------------------------------------------------------


def _complete(before: Fact, more: Fact, known: dict[str, Fact], catalogue: Catalogue, on: date | None) -> list[Problem]:
    """Completes a fact of `known`, and each component that the answer states; returns what does not go together."""
    now = _now(reopened(before), more, catalogue)
    placed = dates(now, more, catalogue.kinds.get(now.kind), on)
    problems = list(_contradictions(now, more, placed, catalogue))
    whole = _completed(now, more, placed)
    attributes, said = without_contradictions(whole.kind, whole.attributes, catalogue)
    known[before.id] = replace(whole, attributes=attributes) if said else whole
    problems += [Problem(what, more.source, fact_kept=True) for what in said]
    for name, part in more.parts.items():
        held = before.parts.get(name)
        beside = known.get(f"{before.id}.{name}") or (known.get(held.id) if held is not None else None)
        if beside is not None:
            problems += _complete(beside, replace(part, start=beside.start), known, catalogue, on)
        else:
            joined = _component(before, name, part)
            known[joined.id] = joined
    return problems


def _component(whole: Fact, name: str, part: Fact) -> Fact:
    """A component that a composite lacked, where `restated` and `group` find it: of its day and sample.

    One made of results that share a sample or a moment takes it up beside them. Of results that have no more than a
    day in common it is not known which of them it was taken with.
    """
    shared = whole.sample is not None or whole.start.span.exact or whole.lacks is not None
    own = any(held.id == f"{whole.id}.{other}" for other, held in whole.parts.items()) or not whole.parts
    beside = f"{_ADDED} " if shared and not own else ""
    return replace(part, id=f"{beside}{whole.id}.{name}", start=whole.start, sample=whole.sample)


def _later(before: Fact, more: Fact) -> bool:
    """Whether an answer is certainly of a later day than what it completes."""
    if before.recorded is None or more.recorded is None:
        return False
    return compare(Op.GT, more.recorded.days, before.recorded.days) is TRUE


def _otherwise_since(before: Fact, more: Fact, catalogue: Catalogue) -> bool:
    """Whether an answer says of a later day that a disease is otherwise then: both hold, each of its day."""
    if more.negative or not _later(before, more):
        return False
    names = catalogue.present.get(before.kind, ())
    return any(apart(before.attributes.get(name), more.attributes.get(name)) for name in names)


def _again(before: Fact, more: Fact, catalogue: Catalogue, on: date | None) -> tuple[Fact, list[Problem]]:
    """The same disease, as an answer of a later day has it; and what of its dates cannot be."""
    placed = dates(replace(reopened(before), end=None), more, catalogue.kinds.get(before.kind), on)
    now = replace(more, start=placed.start, end=placed.end, ongoing=placed.ongoing)
    return now, list(_not_used(more, placed.differing, placed))


def _now(before: Fact, more: Fact, catalogue: Catalogue) -> Fact:
    """A fact without what an answer states anew: the states of a later day, which are those of that day, and all of a
    result that was only suspected where it states the one that was confirmed.
    """
    if more.negative:
        return before
    if more.value is not None and more.certain and not before.certain:
        kept = {name: value for name, value in before.attributes.items() if more.attributes.get(name) is None}
        return replace(before, attributes=kept, value=None)
    states = _states(more, catalogue)
    if not states or not _later(before, more):
        return before
    kept = {name: value for name, value in before.attributes.items() if name not in states}
    return replace(before, attributes=kept, recorded=more.recorded)


def _states(more: Fact, catalogue: Catalogue) -> list[str]:
    """The states of its day that an answer states."""
    states = present_states(more.kind, catalogue)
    return [name for name, value in more.attributes.items() if value is not None and name in states]


def _completed(before: Fact, more: Fact, placed: Dates) -> Fact:
    """A fact with what was not stated of it filled in; what is stated stays.

    One that was only suspected, or whose outcome was pending, is affirmed by a "yes" and refuted by a "no"; a result
    that was only suspected, by the one that was confirmed.
    """
    source = f"{before.source} + {more.source}"
    if more.negative:
        begun = before.start if before.start.known else more.start  # it denies this one, and nothing before it
        return replace(more, start=begun, source=source) if _undecided(before) else before
    if before.negative:
        return before
    affirmed = more.shown == "yes"
    unset = more.value is not None and (before.value is None or _narrowed(before, more))
    whole = replace(
        before,
        attributes={**more.attributes, **{name: _filled(before, more, name) for name in before.attributes}},
        value=more.value if unset else before.value,
        lacks=None if unset or affirmed or more.parts else before.lacks,
        certain=before.certain or affirmed or (unset and more.certain),
        shown=more.shown if unset else before.shown,
        uln=before.uln if before.uln is not None else more.uln,
        lln=before.lln if before.lln is not None else more.lln,
        start=placed.start,
        end=placed.end,
        ongoing=placed.ongoing,
    )
    return before if whole == before else replace(whole, source=source)


def _narrowed(before: Fact, more: Fact) -> bool:
    """Whether an answer's value is that on record, more exactly; not where a detail, as its detection, differs."""
    details = ((before.attributes.get(name), value) for name, value in more.attributes.items())
    return narrower(more.value, before.value) and not any(apart(old, new) for old, new in details)


def _undecided(fact: Fact) -> bool:
    return not fact.negative and (not fact.certain or fact.lacks is not None)


def _filled(before: Fact, more: Fact, name: str) -> Value:
    """A detail as it was stated, or the narrower or first statement of it; what cannot be was none."""
    stated, new = before.attributes[name], more.attributes.get(name)
    if before_itself(before, name) and new is not None:
        return new
    if isinstance(stated, When) and isinstance(new, When):
        return common(new, stated) or stated
    return new if stated is None or narrower(new, stated) else stated


# What does not go together ---------------------------------------------------------------------------------


def _contradictions(before: Fact, more: Fact, placed: Dates, catalogue: Catalogue) -> Iterator[Problem]:
    """What two statements of one fact say differently; nothing where one only adds to the other."""
    if more.negative or before.negative:
        yield from _not_used(more, [] if _undecided(before) or more.negative == before.negative else ["answer"])
        return
    details = {name: (before.attributes.get(name), value) for name, value in more.attributes.items()}
    details = {name: pair for name, pair in details.items() if not before_itself(before, name)}
    pairs: Mapping[str, tuple[Value, Value]] = {
        "value": (before.value, more.value),
        "uln": (before.uln, more.uln),
        "lln": (before.lln, more.lln),
    }
    differing = [name for name, (old, new) in pairs.items() if apart(old, new)]
    differing += [name for name, (old, new) in details.items() if apart(old, new) and not _overlapping(old, new)]
    if before.recorded is not None and more.recorded is None and (states := _states(more, catalogue)):
        what = f"{more.id}: {states[0]} is on record for {before.recorded}; answer with `recorded`, the day it was so"
        yield Problem(what, more.source, fact_kept=True)
    yield from _not_used(more, [*differing, *placed.differing], placed)


def _not_used(more: Fact, differing: Sequence[str], placed: Dates | None = None) -> Iterator[Problem]:
    """What of an answer is on record otherwise, and what of its dates cannot be."""
    if differing:
        what = f"{more.id} is on record with another {', '.join(differing)}; what is recorded was kept"
        yield Problem(what, more.source, fact_kept=True)
    for what in () if placed is None else placed.refused:
        yield Problem(f"{more.id}: {what}", more.source, fact_kept=True)


def _overlapping(old: Value, new: Value) -> bool:
    """Whether both are dates that may be the same."""
    return isinstance(old, When) and isinstance(new, When) and common(new, old) is not None


def _denied(fact: Fact, known: Mapping[str, Fact], catalogue: Catalogue) -> Iterator[Problem]:
    """A "no" beside records of the very thing: what was meant is that there were no others."""
    kind = catalogue.kinds.get(fact.kind)
    if kind is None or not fact.negative or fact.narrowed is not None or kind.extent == STATE:
        return
    family = catalogue.families[fact.kind]
    if any(other.kind in family and not other.negative for other in known.values()):
        way = f"where there were no others, write 'complete: [{fact.kind}]' instead"
        yield Problem(f"{fact.kind} is denied, and the record holds some; {way}", fact.source, fact_kept=True)


def _still_open(added: list[Fact], known: Mapping[str, Fact]) -> Iterator[Problem]:
    """Results that were added beside one of the same kind that still waits for its own value."""
    waiting = {fact.kind: fact for fact in known.values() if fact.lacks is not None}
    for fact in added:
        other = waiting.get(fact.kind)
        if other is None or fact.negative or other.id == fact.id:
            continue
        if compare(Op.GT, fact.start.days, other.start.days) is not TRUE:
            what = f"{fact.kind} was added, but {other.id} still has no value; an answer to it has its id"
            yield Problem(what, fact.source, fact_kept=True)


def _other_person(patient: Patient, more: Patient, source: str) -> Iterator[Problem]:
    sexes = (_sex_of(patient), _sex_of(more))
    if None not in sexes and sexes[0] != sexes[1]:
        yield Problem("the sex differs from the one on record, which was kept", source, fact_kept=True)
    if common(more.born, patient.born) is None:
        yield Problem("born differs from the date on record, which was kept", source, fact_kept=True)


def _sex_of(patient: Patient) -> str | None:
    """The sex of a patient, where one is stated and nothing on record speaks against it."""
    stated = [fact for fact in patient.facts if fact.kind == SEX]
    if any(fact.computed for fact in stated):
        return None
    return next((code for fact in stated if isinstance(fact.value, frozenset) for code in fact.value), None)
