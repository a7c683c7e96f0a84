"""From which day on a candidate may be registered, if nothing new is recorded.

The rules are asked again for the days on which they may turn. Most candidates wait for a result that no day brings:
they are recognised by the one rule that waits for it, and the others need not be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onstudy.criteria import expr as e
from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import AskClass
from onstudy.population.candidates_turns import Turns
from onstudy.population.prescreen_engine import Asked, Engine, Rows
from onstudy.population.prescreen_question import REGISTRATION
from onstudy.population.prescreen_verdicts import MET, UNKNOWN, Truths
from onstudy.record.catalogue import Catalogue

#: A table of yes and no: a row for each candidate, a column for each day of the horizon.
Table = NDArray[np.bool_]
#: No day of the horizon.
NO_DAY_AHEAD = -1


@dataclass(frozen=True)
class Ahead:
    """For each candidate the first day of the horizon, as days after the index date; `NO_DAY_AHEAD` is none.

    `recorded` and `confirmed`: eligible as recorded, or if confirmed. `possible`: nothing is against it and nothing
    is missing, what is to confirm taken as confirmed and what is to do as done.
    """

    recorded: Rows
    confirmed: Rows
    possible: Rows


@dataclass(frozen=True)
class Required:
    """A rule that some of the candidates need, by their places, with its truths of today for each of them."""

    rule: TruthExpr
    places: NDArray[np.intp]
    recorded: Truths
    confirmed: Truths


def first_days(engine: Engine, turns: Turns, rows: Rows, required: Sequence[Required], catalogue: Catalogue) -> Ahead:
    """The days for candidates, of whatever cohorts; `rows` are their rows in the shard, one may come several times.

    What is eligible as recorded is so if confirmed, and that is possible: so each is looked for only on the days of
    the one before.
    """
    search = _Search(engine, turns, rows)
    brought = [one for one in required if _brought_about(one.rule, catalogue)]
    others = [one for one in required if not any(one is other for other in brought)]
    possible = np.ones((len(rows), turns.horizon + 1), np.bool_)
    search.narrow(possible, others, _Answer(True))
    later = possible.copy()
    search.narrow(possible, brought, _Answer(True, done=True))
    later &= possible
    search.narrow(later, brought, _Answer(True))
    now = later.copy()
    search.narrow(now, required, _Answer(False))
    return Ahead(_first(now), _first(later), _first(possible))


def _first(table: Table) -> Rows:
    return np.where(table.any(axis=1), table.argmax(axis=1), NO_DAY_AHEAD).astype(np.int32)


@dataclass(frozen=True)
class _Answer:
    """Which answer must be yes; with `done` it may also wait for nothing but what is to do."""

    if_confirmed: bool
    done: bool = False

    def today(self, one: Required) -> Truths:
        return one.confirmed if self.if_confirmed else one.recorded


class _Search:
    def __init__(self, engine: Engine, turns: Turns, rows: Rows) -> None:
        self.engine, self.turns, self.rows = engine, turns, rows

    def narrow(self, table: Table, required: Iterable[Required], wanted: _Answer) -> None:
        """Take from a table the days on which any rule does not hold. Rules that are unknown to many come first."""
        some: NDArray[np.bool_] = np.asarray(table.any(axis=1))
        for one in sorted(required, key=lambda one: -int((wanted.today(one) == UNKNOWN).sum())):
            left = some[one.places]
            if left.any():
                places = one.places[left]
                days = table[places] & self._holds(one.rule, self.rows[places], wanted.today(one)[left], wanted)
                table[places], some[places] = days, days.any(axis=1)

    def _holds(self, rule: TruthExpr, rows: Rows, today: Truths, wanted: _Answer) -> Table:
        """Whether a rule holds for some candidates on each day: asked where it may turn, so until the next turn."""
        patients, first, each = np.unique(rows, return_index=True, return_inverse=True)
        today = today[first]
        which, days = self.turns.of(rule, patients)
        if wanted.done:  # of an unknown answer of today it must be asked too what it waits for
            waiting = np.flatnonzero(today == UNKNOWN).astype(np.int32)
            which = np.concatenate([waiting, which])
            days = np.concatenate([np.zeros(len(waiting), np.int32), days])
        known = np.zeros((len(patients), self.turns.horizon + 1), np.int16)  # twice the day, and one more if it holds
        known[:, 0] = today == MET
        if len(which):
            known[which, days] = 2 * days + self._good(self.engine(patients[which], days), rule, wanted)
        newest = np.maximum.accumulate(known, axis=1)
        holds: Table = (newest & 1).astype(np.bool_)[each]
        return holds

    def _good(self, asked: Asked, rule: TruthExpr, wanted: _Answer) -> NDArray[np.bool_]:
        truth = asked.truth(rule, wanted.if_confirmed)
        good: NDArray[np.bool_] = np.equal(truth, MET)
        if wanted.done and (truth == UNKNOWN).any():
            good |= np.equal(truth, UNKNOWN) & _only_to_do(asked, rule)
        return good


def _only_to_do(asked: Asked, rule: TruthExpr) -> NDArray[np.bool_]:
    """Where an unknown answer waits for something, and for nothing that is missing."""
    asks = asked.asks(rule, confirmed=True)
    missing = [cls is AskClass.MISSING for _, cls in asks.keys]
    to_do = [cls is AskClass.TO_DO for _, cls in asks.keys]
    found: NDArray[np.bool_] = np.greater(asks.asked[to_do].any(axis=0), asks.asked[missing].any(axis=0))
    return found


def _brought_about(rule: TruthExpr, catalogue: Catalogue) -> bool:
    """Whether a rule may wait for something that joining the study brings about, or for an anchor not yet planned."""
    for node in e.walk(rule):
        if isinstance(node, e.Anchor) and node.name != REGISTRATION:
            return True
        if isinstance(node, e.Records):
            kinds = {*catalogue.families[node.kind], *catalogue.ancestors(node.kind)}
            kinds |= {part for kind in kinds for part in catalogue.kinds[kind].components.values()}
            if any(catalogue.kinds[kind].by_study for kind in kinds):
                return True
    return False
