"""Every engine behind one signature, so that the language reference and the generative tests run on each.

A new engine is one more entry of ENGINES: a function from rules, a record and anchors to answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import Reason
from onstudy.engines import memory
from onstudy.engines.vector import Asks, Pairs, Vector, of_whens
from onstudy.engines.view import Anchors, View
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Patient
from onstudy.record.shard import shard_of
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


def by_vector(
    rules: Sequence[TruthExpr], patient: Patient, anchors: Anchors, catalogue: Catalogue, plain: bool = True
) -> list[Answer]:
    """The vector engine, with a shard of one patient. `plain` False spares no record the closest look."""
    known = {name: of_whens([when]) for name, when in anchors.items() if when is not None}
    pairs = Pairs(np.zeros(1, np.int32), known)
    engine = Vector(shard_of([patient], catalogue), pairs, catalogue, plain=plain)
    found = []
    for rule in rules:
        recorded, confirmed = (Truth(int(answer[0])) for answer in engine.answers(rule))
        found.append(Answer(recorded, confirmed, causes_of(engine.asks(rule))[0]))
    return found


def causes_of(asks: Asks) -> list[frozenset[Reason]]:
    """The causes of each pair's unknown answer."""
    return [frozenset(reason for place, reason in enumerate(Reason) if bits >> place & 1) for bits in asks.reasons]


def by_vector_closely(
    rules: Sequence[TruthExpr], patient: Patient, anchors: Anchors, catalogue: Catalogue
) -> list[Answer]:
    """The vector engine without its short cuts for plain records."""
    return by_vector(rules, patient, anchors, catalogue, plain=False)


ENGINES: Mapping[str, Engine] = {
    "memory": by_memory,
    "vector": by_vector,
    "vector, closely": by_vector_closely,
}


def ready(patient: Patient, on: date, catalogue: Catalogue) -> Patient:
    """The record as every engine receives it: open dates bounded by the index date."""
    return prepared(patient, on, catalogue, {})[0]
