"""Every engine behind one signature, so that the language reference and the generative tests run on each.

A new engine is one more entry of ENGINES: a function from rules, a record and anchors to answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import Reason
from onstudy.engines import memory
from onstudy.engines.view import Anchors, View
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Patient
from onstudy.screening.prepare import prepared
from onstudy.values.truth import Truth

ALL = frozenset({"all"})


@dataclass(frozen=True)
class Answer:
    """What a rule comes to, as recorded and if confirmed; `reasons` None where an engine gives none."""

    truth: Truth
    if_confirmed: Truth
    reasons: frozenset[Reason] | None = None


Engine = Callable[[Sequence[TruthExpr], Patient, Anchors, Catalogue], list[Answer]]


def by_memory(rules: Sequence[TruthExpr], patient: Patient, anchors: Anchors, catalogue: Catalogue) -> list[Answer]:
    """The reference engine. The if-confirmed answer is evaluated on its own, never taken over."""
    view = View(patient, catalogue)
    recorded = memory.Memory(view, anchors)
    confirmed = memory.Memory(view, anchors, ALL)
    found = []
    for rule in rules:
        finding = recorded.evaluate(rule)
        found.append(Answer(finding.truth, confirmed.evaluate(rule).truth, finding.reasons))
    return found


ENGINES: Mapping[str, Engine] = {"memory": by_memory}


def ready(patient: Patient, on: date, catalogue: Catalogue) -> Patient:
    """The record as every engine receives it: open dates bounded by the index date."""
    return prepared(patient, on, catalogue, {})[0]
