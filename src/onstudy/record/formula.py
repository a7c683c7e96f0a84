"""Formulas of the catalogue: arithmetic over intervals, read from text, with nothing else in it.

A formula knows numbers, names, parentheses and + - * / **; the text is parsed and never executed. Each
operation is that of `values/interval.py`, so what is not known exactly keeps its bounds.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from onstudy.errors import OnstudyError
from onstudy.values.interval import ANYTHING, Interval, add, divide, minus, multiply, point, power, subtract

LONGEST_FORMULA = 200
#: Powers beyond these occur in no clinical formula; a limit keeps a written one harmless.
LARGEST_EXPONENT = 10.0

_Inputs = Mapping[str, Interval]
_Step = Callable[[_Inputs], Interval]

_OPERATIONS: dict[type[ast.operator], Callable[[Interval, Interval], Interval]] = {
    ast.Add: add,
    ast.Sub: subtract,
    ast.Mult: multiply,
    ast.Div: divide,
}


class FormulaError(OnstudyError):
    """Text that is no formula; the message says what in it is not allowed."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as written, with the names it speaks of. Made by `parse_formula`."""

    text: str
    names: frozenset[str]
    _run: _Step = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    def evaluate(self, inputs: Mapping[str, Interval | None]) -> Interval:
        """Where the result lies, for inputs in the units the formula is written in.

        An input that is missing, or of which nothing is known, gives no bounds at all; so does a result
        that no double can hold. A name that occurs twice is taken twice: the bounds still hold, if wider.
        """
        known: dict[str, Interval] = {}
        for name in self.names:
            value = inputs.get(name)
            if value is None or not value.known:
                return ANYTHING
            known[name] = value
        try:
            result = self._run(known)
        except OverflowError:
            return ANYTHING
        finite = all(bound is None or math.isfinite(bound) for bound in (result.low, result.high))
        return result if finite else ANYTHING


@lru_cache(maxsize=256)
def parse_formula(text: str) -> Formula:
    """Read a formula such as `qt / (60 / rate) ** (1/3)`. Raises `FormulaError` for anything that is none."""
    if len(text) > LONGEST_FORMULA:
        raise FormulaError(f"a formula of {len(text)} characters is too long; {LONGEST_FORMULA} are enough")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormulaError(f"{text!r} is not a formula: {error}") from None
    names: set[str] = set()
    try:
        run = _step(tree.body, text, names)
    except OverflowError:
        raise FormulaError(f"{text!r} holds a number that is too large") from None
    if not names:
        raise FormulaError(f"{text!r} names nothing that was measured")
    return Formula(text.strip(), frozenset(names), run)


def _step(node: ast.expr, text: str, names: set[str]) -> _Step:
    """One operation of the tree as a function of the inputs; the names met are added to `names`."""
    if isinstance(node, ast.Name):
        name = node.id
        names.add(name)
        return lambda inputs: inputs[name]
    if isinstance(node, ast.Constant) and not isinstance(node.value, bool):
        if isinstance(node.value, (int, float)):
            value = point(_finite(float(node.value), text))
            return lambda inputs: value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _step(node.operand, text, names)
        return lambda inputs: minus(inner(inputs))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        base, exponent = _step(node.left, text, names), _exponent(node.right, text)
        return lambda inputs: power(base(inputs), exponent)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        combine = _OPERATIONS[type(node.op)]
        left, right = _step(node.left, text, names), _step(node.right, text, names)
        return lambda inputs: combine(left(inputs), right(inputs))
    raise FormulaError(
        f"{text!r}: {ast.unparse(node)!r} has no place in a formula; it holds numbers, names, "
        "parentheses and + - * / **"
    )


def _exponent(node: ast.expr, text: str) -> float:
    """The number a power is raised to: (1/3), 0.425. Only a positive one keeps order; no other is taken."""
    names: set[str] = set()
    run = _step(node, text, names)
    value = ANYTHING if names else run({})
    if value.low is None or not value.exact or not 0 < value.low <= LARGEST_EXPONENT:
        raise FormulaError(
            f"{text!r}: the exponent {ast.unparse(node)!r} is not a number above 0 and up to {LARGEST_EXPONENT:g}"
        )
    return float(value.low)


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise FormulaError(f"{text!r} holds a number that is too large")
    return value
