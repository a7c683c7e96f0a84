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


def first_days(
    engine: Engine,
    turns: Turns,
    rows: Rows,
    rules: Sequence[TruthExpr],
    recorded: Truths,
    confirmed: Truths,
    catalogue: Catalogue,
) -> Ahead:
    """The days for the candidates of one cohort.

    `rows` are their rows in the shard, ascending, `rules` the cohort's required ones; `recorded` and `confirmed` the
    truths of today, a row for each rule and a column for each candidate. What is eligible as recorded is so if
    confirmed, and that is possible: so each is looked for only on the days of the one before.
    """
    search = _Search(engine, turns, rows, rules)
    brought = [_brought_about(rule, catalogue) for rule in rules]
    plain, others = ([number for number, is_so in enumerate(brought) if is_so == which] for which in (False, True))
    possible = np.ones((len(rows), turns.horizon + 1), np.bool_)
    search.narrow(possible, plain, confirmed, if_confirmed=True)
    later = possible.copy()
    search.narrow(possible, others, confirmed, if_confirmed=True, done=True)
    later &= possible
    search.narrow(later, others, confirmed, if_confirmed=True)
    now = later.copy()
    search.narrow(now, range(len(rules)), recorded, if_confirmed=False)
    return Ahead(_first(now), _first(later), _first(possible))


def _first(table: Table) -> Rows:
    return np.where(table.any(axis=1), table.argmax(axis=1), NO_DAY_AHEAD).astype(np.int32)


class _Search:
    def __init__(self, engine: Engine, turns: Turns, rows: Rows, rules: Sequence[TruthExpr]) -> None:
        self.engine, self.turns, self.rows, self.rules = engine, turns, rows, rules

    def narrow(self, table: Table, rules: Iterable[int], today: Truths, if_confirmed: bool, done: bool = False) -> None:
        """Take from a table the days on which any of some rules does not hold; with `done`, those on which it waits for
        something beside what is to do. Rules that are unknown to many come first.
        """
        unknown = (today == UNKNOWN).sum(axis=1)
        for number in sorted(rules, key=lambda rule: -unknown[rule]):
            left = np.flatnonzero(table.any(axis=1))
            if len(left):
                table[left] &= self._holds(number, left, today[number, left], if_confirmed, done)

    def _holds(self, number: int, places: NDArray[np.intp], today: Truths, if_confirmed: bool, done: bool) -> Table:
        """Whether a rule holds for some candidates on each day: asked where it may turn, so until the next turn."""
        rule, rows = self.rules[number], self.rows[places]
        which, days = self.turns.of(rule, rows)
        first = np.equal(today, MET)
        if done:  # of an unknown answer of today it must be asked too what it waits for
            waiting = np.flatnonzero(today == UNKNOWN).astype(np.int32)
            which = np.concatenate([waiting, which])
            days = np.concatenate([np.zeros(len(waiting), np.int32), days])
        known = np.full((len(places), self.turns.horizon + 1), -1, np.int8)
        known[:, 0] = first
        if len(which):
            known[which, days] = self._good(self.engine(rows[which], days), rule, if_confirmed, done)
        newest = np.maximum.accumulate(np.where(known >= 0, np.arange(known.shape[1]), 0), axis=1)
        return np.take_along_axis(known, newest, axis=1) == 1

    def _good(self, asked: Asked, rule: TruthExpr, if_confirmed: bool, done: bool) -> NDArray[np.bool_]:
        truth = asked.truth(rule, if_confirmed)
        good = [truth == MET]
        if done and (truth == UNKNOWN).any():
            good.append((truth == UNKNOWN) & _only_to_do(asked, rule))
        return np.logical_or.reduce(good)


def _only_to_do(asked: Asked, rule: TruthExpr) -> NDArray[np.bool_]:
    """Where an unknown answer waits for something, and for nothing that is missing."""
    asks = asked.asks(rule, confirmed=True)
    missing = [cls is AskClass.MISSING for _, cls in asks.keys]
    to_do = [cls is AskClass.TO_DO for _, cls in asks.keys]
    return np.logical_and(asks.asked[to_do].any(axis=0), ~asks.asked[missing].any(axis=0))


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
