"""What would settle a verdict: the unknown leaves that decide, sorted by the work they ask for, and the
smallest sets of answers that would make a patient eligible. Never a question that can no longer matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, product
from typing import TYPE_CHECKING

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Ask, AskClass, Finding
from onstudy.record.catalogue import NONE, STATE, Catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.record.unread import may_be_among
from onstudy.values.truth import UNKNOWN

if TYPE_CHECKING:
    from onstudy.screening.screen import CriterionResult

MOST_SETS = 5
_KEPT = 64  # alternatives carried while combining: far more than are shown


@dataclass(frozen=True, slots=True)
class Question:
    """A kind (or anchor) that has to be known, for which criteria, why it is not, and how to ask."""

    kind: str
    criteria: tuple[str, ...]
    reasons: tuple[str, ...]
    ask: str
    fields: tuple[str, ...] = ()  # the attributes or components that are not stated
    about: tuple[str, ...] = ()  # ids of the facts concerned
    unrecorded: bool = True  # whether it is also, or only, about what is not on record
    unread: tuple[str, ...] = ()  # diagnoses of the record that could not be read, where one may be what is asked


@dataclass(frozen=True, slots=True)
class Questions:
    """What is open, by the kind of work it asks for."""

    to_confirm: tuple[Question, ...]
    to_do: tuple[Question, ...]
    missing: tuple[Question, ...]


def questions(rows: Iterable[CriterionResult], catalogue: Catalogue, unread: tuple[str, ...] = ()) -> Questions:
    """The questions of the unknown rows of a cohort.

    What an assumed absence settles is to confirm; what stays unknown even then is to do or missing. `unread` are the
    diagnoses of the record that could not be read.
    """
    asked: dict[tuple[AskClass, str], list[tuple[str, Ask]]] = {}
    for row in rows:
        assert row.finding is not None and row.confirmed is not None
        asks = [ask for ask in row.finding.asks if ask.cls is AskClass.TO_CONFIRM]
        asks += [ask for ask in row.confirmed.asks if ask.cls is not AskClass.TO_CONFIRM]
        for ask in dict.fromkeys(asks):
            asked.setdefault((ask.cls, ask.kind), []).append((row.criterion.id, ask))
    sorted_out = {cls: [] for cls in AskClass}  # type: dict[AskClass, list[Question]]
    for (cls, kind), found in asked.items():
        sorted_out[cls].append(_question(kind, found, catalogue, unread))
    return Questions(*(tuple(sorted_out[cls]) for cls in (AskClass.TO_CONFIRM, AskClass.TO_DO, AskClass.MISSING)))


def _question(kind: str, found: list[tuple[str, Ask]], catalogue: Catalogue, unread: tuple[str, ...]) -> Question:
    unrecorded = any(not ask.about for _, ask in found)
    return Question(
        kind=kind,
        criteria=tuple(dict.fromkeys(name for name, _ in found)),
        reasons=tuple(sorted({ask.reason.value for _, ask in found})),
        ask=_wording(kind, catalogue),
        fields=tuple(dict.fromkeys(ask.field for _, ask in found if ask.field)),
        about=tuple(dict.fromkeys(ask.about for _, ask in found if ask.about)),
        unrecorded=unrecorded,
        unread=unread if unrecorded and may_be_among(catalogue.kinds.get(kind), catalogue) else (),
    )


def others_on_record(question: Question, patient: Patient, catalogue: Catalogue) -> list[Fact]:
    """The records of a kind, where what is asked is whether there are others; empty where there are none."""
    kind = catalogue.kinds.get(question.kind)
    if kind is None or kind.value != NONE or kind.components or kind.extent == STATE or not question.unrecorded:
        return []
    family = catalogue.families[kind.name]
    return [fact for fact in patient.facts if fact.kind in family and not fact.negative]


def _wording(kind: str, catalogue: Catalogue) -> str:
    entry = catalogue.kinds.get(kind)
    if entry is not None:
        return entry.question or f"{entry.label}?"
    return "What is the date of birth?" if kind == "born" else f"When is the {kind.replace('_', ' ')} planned?"


def settling(rows: Iterable[CriterionResult], catalogue: Catalogue) -> tuple[tuple[str, ...], ...]:
    """At most five of the smallest sets of kinds whose favourable answers would make every row hold."""
    sets = [frozenset[str]()]
    for row in rows:
        assert row.finding is not None
        sets = _least(a | b for a, b in product(sets, _ways(row.finding, True)))
    found = sorted((tuple(sorted(one)) for one in sets if one), key=lambda one: (len(one), one))
    return tuple(found[:MOST_SETS])


def _ways(finding: Finding, wanted: bool) -> list[frozenset[str]]:
    """The smallest sets of kinds that, answered favourably, bring an unknown finding to `wanted`."""
    node = finding.expr
    unknown = [part for part in finding.parts if part.result is UNKNOWN]
    match node:
        case e.Named():
            return _ways(finding.parts[0], wanted)
        case e.Not():
            return _ways(finding.parts[0], not wanted)
        case e.And() | e.Or():
            together = isinstance(node, e.And) == wanted
            return _joined([_ways(part, wanted) for part in unknown], together)
        case e.If():
            condition, then = finding.parts
            ways = [_ways(condition, not wanted)] if condition.result is UNKNOWN else []
            ways += [_ways(then, wanted)] if then.result is UNKNOWN else []
            return _joined(ways, together=not wanted)
        case e.Any() | e.Every() if finding.each and isinstance(node, e.Any) == wanted:  # one record is enough
            return _least(_kinds(asks) for asks in finding.each if asks)
    kinds = _kinds(finding.asks)
    return [kinds] if kinds else []  # nothing settles it where all that could be asked is known


def _kinds(asks: Iterable[Ask]) -> frozenset[str]:
    return frozenset(ask.kind for ask in asks)


def _joined(ways: list[list[frozenset[str]]], together: bool) -> list[frozenset[str]]:
    if not together:
        return _least(one for way in ways for one in way)
    sets = [frozenset[str]()]
    for way in ways:
        sets = _least(a | b for a, b in product(sets, way))
    return sets


def _least(sets: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """Without those that contain another; the smallest first, and no more than are useful."""
    found: list[frozenset[str]] = []
    for one in sorted(set(sets), key=lambda s: (len(s), sorted(s))):
        if not any(kept <= one for kept in found):
            found.append(one)
    return list(islice(found, _KEPT))
