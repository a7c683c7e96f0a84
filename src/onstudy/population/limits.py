"""What each numeric limit of a trial costs in patients: its rule with the next rounder numbers in its place.

A limit is any comparison with a written number or a multiple of a limit of normal, wherever it stands in a rule.
Its steps go where the rule asks for less. Whoever is kept out by that criterion alone is compared again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from typing import TypeVar

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr, TruthExpr
from onstudy.language.unparse import plain, unparse
from onstudy.values.interval import Op

STEPS = 2
_WEEK = 7
_T = TypeVar("_T")
_MORE = (Op.GE, Op.GT)  # a lower number asks for less
_LESS = (Op.LE, Op.LT)

NumberLimit = e.Number | e.Limit


@dataclass(frozen=True)
class Step:
    """A limit moved: how the number would be written, and the whole rule with it."""

    written: str
    rule: TruthExpr


@dataclass(frozen=True)
class NumericLimit:
    """One limit of a rule, as it is written, and the next steps, the nearest first."""

    comparison: str
    written: str
    steps: tuple[Step, ...]


@lru_cache(maxsize=1 << 14)  # trials of one disease share most of their rules
def numeric_limits(rule: TruthExpr) -> tuple[NumericLimit, ...]:
    """The limits of a rule in reading order, each once however often it stands there."""
    found: dict[e.Compare, set[int]] = {}
    kinds: dict[e.Compare, dict[str, None]] = {}
    for leaf, sign, kind in _comparisons(rule, 1):
        found.setdefault(leaf, set()).add(sign)
        kinds.setdefault(leaf, {}).update({kind: None} if kind else {})
    limits = []
    for leaf, signs in found.items():
        steps = tuple(step for direction in _directions(leaf, signs) for step in _steps(rule, leaf, direction))
        if steps:
            assert isinstance(leaf.right, NumberLimit)
            of = f" of {', '.join(kinds[leaf])}" if kinds[leaf] else ""
            limits.append(NumericLimit(f"{unparse(leaf)}{of}", _written(leaf.right), steps))
    return tuple(limits)


# Which way a limit asks for less ------------------------------------------------------------------------------


def _comparisons(
    node: Expr | e.Records | e.Lookback, sign: int, kind: str = ""
) -> Iterator[tuple[e.Compare, int, str]]:
    """Every limit below a node; the sign says whether the rule wants it to hold (1), not to (-1), or neither (0).

    With it the kind of the records of which it is asked, where it stands in a condition on one record.
    """
    if isinstance(node, e.Compare) and isinstance(node.right, NumberLimit):
        yield node, sign, kind if _is_of_record(node.left) else ""
    inner = kind
    match node:
        case e.Records() as records:
            inner = records.kind
        case e.Every(records, _) | e.Has(e.Pick(records=records), _):
            inner = records.kind
    for part, turn in _parts(node):
        yield from _comparisons(part, sign * turn, inner)


def _is_of_record(node: Expr | e.Records | e.Lookback) -> bool:
    """Whether a value is, or is made of, what the record of a condition says."""
    if isinstance(node, e.Field) and node.of is None:
        return True
    return any(_is_of_record(part) for part in e.children(node))


def _parts(node: Expr | e.Records | e.Lookback) -> Iterator[tuple[Expr | e.Records | e.Lookback, int]]:
    match node:
        case e.Not(part):
            yield part, -1
        case e.If(condition, then):
            yield condition, -1
            yield then, 1
        case e.Every(records, body):
            yield records, -1
            yield body, 1
        case e.Compare(op, e.Count() as count, right):
            yield count, 1 if op in _MORE else -1 if op in _LESS else 0
            yield right, 0
        case e.And() | e.Or() | e.Named() | e.Any() | e.Count():
            yield from ((part, 1) for part in e.children(node))
        case e.Has(pick, body):
            yield pick, 0
            yield body, 1
        case e.Records(where=where, lookback=lookback):
            yield from ((part, turn) for part, turn in ((where, 1), (lookback, 0)) if part is not None)
        case _:
            yield from ((part, 0) for part in e.children(node))


def _directions(leaf: e.Compare, signs: set[int]) -> list[int]:
    """Up or down, whichever asks for less; both where that depends."""
    if leaf.op not in (*_MORE, *_LESS):
        return []
    up = 1 if leaf.op in _LESS else -1
    return [up] if signs == {1} else [-up] if signs == {-1} else [up, -up]


# The next numbers ---------------------------------------------------------------------------------------------


def _steps(rule: TruthExpr, leaf: e.Compare, direction: int) -> Iterator[Step]:
    limit = leaf.right
    assert isinstance(limit, NumberLimit)
    amount = limit.factor if isinstance(limit, e.Limit) else _amount(limit)
    for number in _rounder(amount, _step(limit, amount), direction):
        moved = _moved(limit, amount, number)
        yield Step(_written(moved), substituted(rule, leaf, replace(leaf, right=moved)))


def _amount(number: e.Number) -> float:
    """The number as written, which may be in another unit than the kind's own."""
    try:
        return float(number.written.split()[0])
    except (ValueError, IndexError):
        return number.value


def _step(limit: NumberLimit, amount: float) -> float:
    """How far to the next number: half a limit of normal, five years, a week, one of what is counted, else 1, 2 or 5.

    The last is the largest 1, 2 or 5 (times a power of ten) of at most an eighth of the number.
    """
    if isinstance(limit, e.Limit):
        return 0.5 if amount >= 1 else 0.25
    if limit.unit == e.YEARS:
        return 5
    if limit.unit == e.DAYS and amount >= _WEEK and amount % _WEEK == 0:
        return _WEEK
    if limit.unit in ("", e.DAYS) and amount == int(amount):
        return 1
    if amount == 0:
        return 0
    power = 10.0 ** math.floor(math.log10(abs(amount) / 8))
    return next(digit * power for digit in (5, 2, 1) if digit * power <= abs(amount) / 8)


def _rounder(amount: float, step: float, direction: int) -> Iterator[float]:
    """The next multiples of the step above zero."""
    if step <= 0:
        return
    place = amount / step
    first = math.floor(place + 1e-9) + 1 if direction > 0 else math.ceil(place - 1e-9) - 1
    for number in range(first, first + direction * STEPS, direction):
        if number > 0 or (number == 0 and step == 1):
            yield float(plain(number * step))


def _moved(limit: NumberLimit, amount: float, number: float) -> NumberLimit:
    if isinstance(limit, e.Limit):
        return replace(limit, factor=number, setting="")
    value = number if limit.value == amount else limit.value / amount * number if amount else number
    words = limit.written.split()
    unit = " ".join(words[1:]) if words else limit.unit
    unit = f"{unit}s" if unit == "day" and number != 1 else unit
    return replace(limit, value=float(plain(value)), written=f"{plain(number)} {unit}".strip(), setting="")


def _written(limit: NumberLimit) -> str:
    if isinstance(limit, e.Limit):
        return f"{plain(limit.factor)} x {limit.limit}"
    return limit.written or f"{plain(limit.value)} {limit.unit}".strip()


# A rule with another comparison in it -------------------------------------------------------------------------


def substituted(node: _T, old: e.Compare, new: e.Compare) -> _T:
    """The tree with every comparison equal to `old` replaced; what holds none of them stays the same object."""
    if node == old and isinstance(node, e.Compare):
        return new  # type: ignore[return-value]
    if isinstance(node, tuple):
        parts = tuple(substituted(part, old, new) for part in node)
        return node if all(a is b for a, b in zip(parts, node, strict=True)) else parts  # type: ignore[return-value]
    if not isinstance(node, Expr | e.Records | e.Lookback) or not is_dataclass(node):
        return node
    changed: Mapping[str, object] = {
        field.name: part
        for field in fields(node)
        if (part := substituted(before := getattr(node, field.name), old, new)) is not before
    }
    return replace(node, **changed) if changed else node  # type: ignore[type-var]
