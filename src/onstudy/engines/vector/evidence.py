"""What an answer rests on: for each comparison or count of a rule the facts looked at, with their dates and values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr, TruthExpr, ValueExpr
from onstudy.engines.vector.arrays import FALSE, TRUE, UNKNOWN, Array, Index, Truths, any_at, negated, whole
from onstudy.engines.vector.cases import Part
from onstudy.engines.vector.causes import pieces
from onstudy.engines.vector.extremes import ranges_of, span_of
from onstudy.engines.vector.frames import Frame
from onstudy.engines.vector.numbers import Numbers, times
from onstudy.engines.vector.places import Places
from onstudy.engines.vector.queries import Matches
from onstudy.engines.vector.states import newest
from onstudy.engines.vector.subjects import Recorded
from onstudy.engines.vector.truths import Answers
from onstudy.record.catalogue import STATE
from onstudy.record.shard import NO_DAY


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The facts behind one comparison, count or quantifier of a rule; a row for each fact and pair, by pair.

    `kind` is a place in `kinds`, `row` the row in that kind's table, `day` the day it began (`NO_DAY` where that is
    not one day). Of numbers `low` and `high` are the value; `limit` is what it was compared with where that is one
    number, and `near` how many times the limit the value is. NaN where there is none.
    """

    node: TruthExpr
    truth: Truths  # of every pair
    pair: Index
    kinds: tuple[str, ...]
    kind: NDArray[np.intp]
    row: Index
    day: NDArray[np.int32]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    limit: NDArray[np.float64]

    @property
    def near(self) -> NDArray[np.float64]:
        """How many times its limit each value is: 1 is at the limit."""
        return np.where(self.low == self.high, self.low / self.limit, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class _Facts:
    """Facts of rows, and the numbers read from them."""

    at: Index
    places: Places
    numbers: Numbers | None = None
    limit: Array | None = None


def evidence(rule: TruthExpr, frame: Frame, answers: Answers) -> list[Evidence]:
    """What each leaf of a rule rests on, in reading order."""
    return [_of_leaf(leaf, frame, answers) for leaf in leaves(rule)]


def leaves(rule: TruthExpr) -> Iterator[TruthExpr]:
    """The comparisons, counts and quantifiers a rule is joined of."""
    match rule:
        case e.And(parts) | e.Or(parts):
            for part in parts:
                yield from leaves(part)
        case e.Not(part):
            yield from leaves(part)
        case e.If(condition, then):
            yield from leaves(condition)
            yield from leaves(then)
        case e.Named(expr=expr):
            yield from leaves(expr)
        case _:
            yield rule


def _of_leaf(leaf: TruthExpr, frame: Frame, answers: Answers) -> Evidence:
    truth = whole(answers.truth(leaf, frame), frame.rows)
    found = [part for part in _LEAVES[type(leaf)](leaf, frame, answers, truth) if len(part.at)]
    kinds = sorted({kind for part in found for kind in part.places.kinds})
    place = {kind: number for number, kind in enumerate(kinds)}
    parts = [_columns(part, place) for part in found]
    pair, kind, row, day, low, high, limit = (
        np.concatenate([np.empty(0, dtype), *column])
        for dtype, column in zip(_TYPES, zip(*parts, strict=True) if parts else [()] * len(_TYPES), strict=True)
    )
    order = np.argsort(pair, kind="stable")
    return Evidence(
        leaf, truth, pair[order], tuple(kinds), kind[order], row[order], day[order], low[order], high[order],
        limit[order],
    )  # fmt: skip


_TYPES = (np.intp, np.intp, np.intp, np.int32, np.float64, np.float64, np.float64)


def _columns(part: _Facts, place: dict[str, int]) -> tuple[Array, ...]:
    size = len(part.at)
    kinds = np.array([place[kind] for kind in part.places.kinds], np.intp)
    row = part.places.row
    start = part.places.moment("start", required=True)
    day = np.where(start.first == start.last, start.first, np.int32(NO_DAY))
    nothing = np.full(1, np.nan)
    low, high = (nothing, nothing) if part.numbers is None else (part.numbers.low, part.numbers.high)
    limit = nothing if part.limit is None else part.limit
    return (
        part.at,
        kinds[whole(pieces(part.places), size)],
        np.arange(size) if row is None else row,
        whole(day, size),
        whole(low, size),
        whole(high, size),
        whole(limit, size),
    )


# Comparisons ------------------------------------------------------------------------------------------------


def _compare(node: e.Compare, frame: Frame, answers: Answers, _truth: Truths) -> list[_Facts]:
    left = _of_value(node.left, frame, answers)
    if isinstance(node.right, e.Limit):
        return [_limited(part, node.right) for part in left]
    right = answers.cases(node.right, frame).single
    if isinstance(right, Numbers):
        exact = np.where(right.low == right.high, right.low, np.nan)
        limits = [exact if len(exact) == 1 else exact.take(part.at) for part in left]
        left = [_Facts(part.at, part.places, part.numbers, limit) for part, limit in zip(left, limits, strict=True)]
    return [*left, *_of_value(node.right, frame, answers)]


def _limited(part: _Facts, limit: e.Limit) -> _Facts:
    normal = times(part.places.numbers("uln" if limit.limit == "ULN" else "lln"), limit.factor)
    return _Facts(part.at, part.places, part.numbers, np.where(normal.low > 0, normal.low, np.nan))


def _member(node: e.Member, frame: Frame, answers: Answers, _truth: Truths) -> list[_Facts]:
    return _of_value(node.value, frame, answers)


def _timing(node: e.Timing, frame: Frame, answers: Answers, _truth: Truths) -> list[_Facts]:
    return [*_of_value(node.event, frame, answers), *_of_value(node.anchor, frame, answers)]


def _of_value(node: ValueExpr, frame: Frame, answers: Answers) -> list[_Facts]:
    """The facts a value is read from."""
    match node:
        case e.Pick(records=records) if not node.by_time:
            return _extremes(node, frame, answers)
        case e.Pick() | e.Field():
            return [facts for part in answers.cases(node, frame).parts for facts in _read(part)]
        case e.Count(records=records):
            return [_some(match, match.truth != FALSE) for match in answers.matches(records, frame)]
        case e.Arithmetic(left=left, right=right):
            return _first([*_of_value(left, frame, answers), *_of_value(right, frame, answers)], frame.rows)
    return []


def _read(part: Part) -> Iterator[_Facts]:
    """The places values stand at; a component that is not there leaves its whole."""
    at = part.at
    assert at is not None and part.places is not None and part.frame is not None
    numbers = part.values if isinstance(part.values, Numbers) else None
    row = part.places.row
    there = np.ones(len(at), np.bool_) if row is None else row >= 0
    held = np.flatnonzero(there)
    yield _Facts(at.take(held), part.places.take(held), None if numbers is None else numbers.take(held))
    absent = np.flatnonzero(~there)
    if len(absent):
        assert isinstance(part.frame.subjects, Recorded)
        yield _Facts(at.take(absent), part.frame.subjects.places.take(absent))


def _extremes(node: e.Pick, frame: Frame, answers: Answers) -> list[_Facts]:
    """The record that has the highest or lowest value; where none alone does, the first of them."""
    picked, catalogue = answers.picked(node, frame), frame.setting.catalogue
    found = []
    best = span_of(node, picked.possible, frame.rows, catalogue) if picked.possible else None
    for match in picked.possible:
        assert best is not None
        span, at = ranges_of(node, match, catalogue), match.at
        order = np.lexsort((~_equal(span, best.take(at), len(at)), at))
        first = order[np.flatnonzero(np.diff(at[order], prepend=-1))]
        chosen = np.sort(first[~picked.lacking[at[first]]])
        found.append(_Facts(at[chosen], match.records.subjects.places.take(chosen), span.take(chosen)))
    return found


def _equal(a: Numbers, b: Numbers, rows: int) -> Array:
    """Which are the very same interval."""
    found: Array = np.ones(rows, np.bool_)
    for one, other in ((a.low, b.low), (a.high, b.high), (a.open_below, b.open_below), (a.open_above, b.open_above)):
        found &= (one == other) | ((one != one) & (other != other))
    return found


def _first(parts: Sequence[_Facts], rows: int) -> list[_Facts]:
    """The first fact of each row."""
    taken = np.zeros(rows, np.bool_)
    found = []
    for part in parts:
        first = np.zeros(len(part.at), np.bool_)
        first[np.unique(part.at, return_index=True)[1]] = True
        chosen = np.flatnonzero(first & ~taken[part.at])
        found.append(_Facts(part.at[chosen], part.places.take(chosen)))
        taken |= any_at(rows, part.at)
    return found


# Records ------------------------------------------------------------------------------------------------------


def _some(match: Matches, kept: Array) -> _Facts:
    rows = np.flatnonzero(kept)
    return _Facts(match.at.take(rows), match.records.subjects.places.take(rows))


def _any(node: e.Any, frame: Frame, answers: Answers, truth: Truths) -> list[_Facts]:
    kind = frame.setting.catalogue.kinds[node.records.kind]
    if kind.extent == STATE and node.records.lookback is None:
        return [_Facts(part.at, part.places) for part, _ in newest(node, kind, frame, answers)]
    matches = answers.matches(node.records, frame)
    return _counted([(match, match.truth) for match in matches], truth, frame.rows)


def _every(node: e.Every, frame: Frame, answers: Answers, truth: Truths) -> list[_Facts]:
    fails = []
    for match in answers.matches(node.records, frame):
        body = answers.truth(node.body, match.records.frame)
        fails.append((match, np.minimum(match.truth, negated(body))))
    return _counted(fails, truth, frame.rows)


def _counted(matches: Sequence[tuple[Matches, Truths]], truth: Truths, rows: int) -> list[_Facts]:
    """The records that make a count what it is; where none does, all that were counted."""
    wanted = np.where(truth == UNKNOWN, UNKNOWN, TRUE)
    telling = [said == wanted[match.at] for match, said in matches]
    told = np.zeros(rows, np.bool_)
    for (match, _), which in zip(matches, telling, strict=True):
        told |= any_at(rows, match.at[which])
    rest = ~told & (truth != UNKNOWN)
    return [
        _some(match, which | (rest[match.at] & (match.truth != FALSE)))
        for (match, _), which in zip(matches, telling, strict=True)
    ]


def _has(node: e.Has, frame: Frame, answers: Answers, _truth: Truths) -> list[_Facts]:
    return [_some(match, np.ones(len(match.at), np.bool_)) for match in answers.picked(node.pick, frame).possible]


_LEAVES: dict[type[Expr], Callable[..., list[_Facts]]] = {
    e.Compare: _compare,
    e.Member: _member,
    e.Timing: _timing,
    e.Any: _any,
    e.Every: _every,
    e.Has: _has,
}
