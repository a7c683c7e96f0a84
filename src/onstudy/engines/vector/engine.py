"""The vector engine: rules for many patients at once, both answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import AskClass, Reason
from onstudy.engines.vector.arrays import Truths, whole
from onstudy.engines.vector.causes import AskBook
from onstudy.engines.vector.evidence import Evidence, evidence
from onstudy.engines.vector.frames import Families, Pairs, Setting
from onstudy.engines.vector.trees import Forest, forest_of
from onstudy.engines.vector.truths import Answers
from onstudy.engines.vector.why import Known, Whys
from onstudy.record.catalogue import Catalogue
from onstudy.record.shard import Shard

ALL = frozenset({"all"})


@dataclass(frozen=True, slots=True, eq=False)
class TruthTable:
    """A row for each rule, a column for each pair: as recorded, and if every assumable absence is confirmed."""

    recorded: NDArray[np.int8]
    if_confirmed: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Asks:
    """What unknown answers wait for: `asked` has a row for each key and a column for each pair.

    `reasons` are the causes of each pair's unknown answer: the bit of `REASONS[i]` is `1 << i`.
    """

    keys: tuple[tuple[str, AskClass, Reason], ...]
    asked: NDArray[np.bool_]
    reasons: NDArray[np.uint16]


class Vector:
    """Evaluates trees for pairs of a patient of a shard and anchors.

    Truths are int8: 0 FALSE, 1 UNKNOWN, 2 TRUE. Equal parts of rules are answered once.
    """

    def __init__(
        self,
        shard: Shard,
        pairs: Pairs,
        catalogue: Catalogue,
        forest: Forest | None = None,
        plain: bool = True,
        families: Families | None = None,
    ) -> None:
        """`plain` False looks at every record as closely as at the oddest; the answers are the same.

        `families`: what others of the same shard, asked as closely, have laid out of its kinds, and leave there.
        """
        known = {} if families is None else families
        self.setting = Setting(shard, pairs, catalogue, forest or forest_of(catalogue), plain, known)
        self._answers: dict[frozenset[str], Answers] = {}
        self._whys: dict[frozenset[str], Whys] = {}
        self._book = AskBook(catalogue)
        self._known: Known = {}

    def __del__(self) -> None:
        """Hundreds of megabytes would wait for Python to look for circles of objects."""
        if hasattr(self, "setting"):
            self._known.clear()
            self.setting.forget()

    def truth(self, expr: TruthExpr, assumed: frozenset[str] = frozenset()) -> Truths:
        """What a rule comes to for each pair; `assumed` are the kinds whose absence is taken as "no"."""
        if assumed not in self._answers:
            self._answers[assumed] = Answers(self.setting, assumed)
        with np.errstate(all="ignore"):
            truth = self._answers[assumed].truth(self.setting.forest.shared(expr), self.setting.base)
        return whole(truth, len(self.setting.pairs))

    def answers(self, expr: TruthExpr) -> tuple[Truths, Truths]:
        """As recorded, and if confirmed."""
        return self.truth(expr), self.truth(expr, ALL)

    def asks(self, expr: TruthExpr, assumed: frozenset[str] = frozenset()) -> Asks:
        """What a rule's answer waits for, of the pairs for which it is UNKNOWN.

        The rule is that of the reference engine: an ask is a kind (or an anchor, or "born"), whose work it is, and why.
        """
        if assumed not in self._whys:
            self._whys[assumed] = Whys(self.setting, self._book, self._known, assumed)
        with np.errstate(all="ignore"):
            causes = self._whys[assumed].of(self.setting.forest.shared(expr), self.setting.base)
        numbers, which = np.unique(causes.ask, return_inverse=True)
        asked = np.zeros((len(numbers), len(self.setting.pairs)), np.bool_)
        asked[which, causes.at] = True
        return Asks(tuple(self._book.ask(int(number)) for number in numbers), asked, causes.reasons)

    def evidence(self, expr: TruthExpr) -> list[Evidence]:
        """What each comparison, count and quantifier of a rule rests on, as recorded."""
        answers = self._answers.setdefault(frozenset(), Answers(self.setting))
        with np.errstate(all="ignore"):
            return evidence(self.setting.forest.shared(expr), self.setting.base, answers)


def evaluate_many(exprs: Sequence[TruthExpr], shard: Shard, pairs: Pairs, catalogue: Catalogue) -> TruthTable:
    """Both answers of many rules."""
    vector = Vector(shard, pairs, catalogue)
    shape = (len(exprs), len(pairs))
    recorded, confirmed = np.empty(shape, np.int8), np.empty(shape, np.int8)
    for row, expr in enumerate(exprs):
        recorded[row], confirmed[row] = vector.answers(expr)
    return TruthTable(recorded, confirmed)
