"""What prescreening asks of an engine, and the vector engine asked so.

The rest of the prescreening knows only `Asked`: some patients of a shard, each on its own day, and rules to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import AskClass
from onstudy.engines.vector import Families, Moments, Pairs, Vector, of_days, of_whens
from onstudy.engines.vector.moments import Spans, of_spans
from onstudy.population.prescreen_question import Question
from onstudy.population.prescreen_verdicts import Truths
from onstudy.record.catalogue import Catalogue
from onstudy.record.shard import Shard
from onstudy.values.calendar import DAY

Rows = NDArray[np.int32]


@dataclass(frozen=True)
class Asks:
    """What an answer rests on that is not known: for each (kind, class) and each pair, whether it is asked.

    A key may come twice, for different causes.
    """

    keys: Sequence[tuple[str, AskClass]]
    asked: NDArray[np.bool_]  # a row for each key, a column for each pair


class Asked(Protocol):
    """Pairs of a patient and a registration day, ready for rules."""

    def truth(self, rule: TruthExpr, confirmed: bool = False) -> Truths:
        """The truth for each pair, as recorded (with what is accepted as absent) or if confirmed."""
        ...

    def asks(self, rule: TruthExpr, confirmed: bool = False) -> Asks:
        """What each unknown answer waits for."""
        ...


ALL = frozenset({"all"})

#: An engine at one shard: patients (by row) and how many days after the index date each is asked; None is all, and 0.
Engine = Callable[[Rows | None, Rows | None], Asked]


class ByVector:
    """The vector engine at one shard."""

    def __init__(self, shard: Shard, question: Question, catalogue: Catalogue) -> None:
        self.shard, self.question, self.catalogue = shard, question, catalogue
        self.whens = {name: when for trial in question.trials for name, when in question.anchors_of(trial).items()}
        self._families: Families = {}

    def __call__(self, rows: Rows | None, ahead: Rows | None) -> Asked:
        """The pairs, ready for rules."""
        everybody = np.arange(self.shard.patients.rows, dtype=np.int32)
        days = np.zeros(1, np.int32) if ahead is None else ahead
        anchors = {name: of_whens([when]) for name, when in self.whens.items() if when is not None}
        moved = {name: _moved(found, days) for name, found in anchors.items()}
        pairs = Pairs(everybody if rows is None else rows, moved, prepared=self.question.index)
        return _ByVector(Vector(self.shard, pairs, self.catalogue, families=self._families), self.question.assumed)


class _ByVector:
    def __init__(self, vector: Vector, assumed: frozenset[str]) -> None:
        self.vector, self.assumed = vector, assumed

    def truth(self, rule: TruthExpr, confirmed: bool = False) -> Truths:
        return self.vector.truth(rule, ALL if confirmed else self.assumed)

    def asks(self, rule: TruthExpr, confirmed: bool = False) -> Asks:
        found = self.vector.asks(rule, ALL if confirmed else self.assumed)
        return Asks([(kind, cls) for kind, cls, _ in found.keys], found.asked)


def _moved(when: Moments, days: Rows) -> Moments:
    """One moment, some days later: it keeps its time of day."""
    if when.plain:
        return of_days(when.first + days)
    spans = when.instants()
    later = days.astype(np.int64) * DAY
    each = len(days)
    low_open, high_open = (np.broadcast_to(np.asarray(part), (each,)) for part in (spans.low_open, spans.high_open))
    offset = None if when.offset is None else np.broadcast_to(when.offset, (each,))
    return of_spans(Spans(spans.low + later, spans.high + later, low_open, high_open), offset)
