"""Findings put together of others, and how much of them is looked at."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from onstudy.criteria.expr import And, Expr, If, Named, Not, Or, TruthExpr
from onstudy.criteria.finding import Finding, Parts
from onstudy.engines.candidates import NONE, Case
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth, any_of, negate


class Depth(Enum):
    """What a finding tells beside its truth, its causes and its questions, which are the same at every depth."""

    BRIEF = "brief"  # nothing beyond the first part that settles it
    USUAL = "usual"  # all parts that bear on it, and which recorded "no" it rests on
    WHOLE = "whole"  # also what an `if` asks for where its condition fails


def _all(parts: Parts) -> Truth:
    return _unless(parts, FALSE, TRUE)


def _any(parts: Parts) -> Truth:
    return _unless(parts, TRUE, FALSE)


def _unless(parts: Parts, settling: Truth, truth: Truth) -> Truth:
    """What one part settles; else unknown as soon as one is."""
    for part in parts:
        if part.result is settling:
            return settling
        if part.result is UNKNOWN:
            truth = UNKNOWN
    return truth


def _negated(parts: Parts) -> Truth:
    return negate(parts[0].truth)


def _implied(parts: Parts) -> Truth:
    return any_of((negate(parts[0].truth), parts[1].truth))


def _itself(parts: Parts) -> Truth:
    return parts[0].truth


#: What the parts of a node that only combines come to together.
TOGETHER: dict[type[Expr], Callable[[Parts], Truth]] = {
    And: _all,
    Or: _any,
    Not: _negated,
    If: _implied,
    Named: _itself,
}


def combined(node: TruthExpr, parts: Parts) -> Finding:
    """The finding of a node of `TOGETHER` over its parts: unknown for the causes of those that are."""
    truth = TOGETHER[type(node)](parts)
    if truth is not UNKNOWN:
        return Finding(node, truth, NONE, (), parts)
    unknown = [part for part in parts if part.result is UNKNOWN]
    if len(unknown) == 1:
        return Finding(node, truth, unknown[0].reasons, (), parts, unknown[0].asks)
    reasons = NONE.union(*[part.reasons for part in unknown])
    asks = tuple(dict.fromkeys([ask for part in unknown for ask in part.asks]))
    return Finding(node, truth, reasons, (), parts, asks)


def plainly(node: TruthExpr, truth: Truth, case: Case) -> Finding:
    """The finding of one value that settles it."""
    about = case.about
    evidence = (about,) if about is not None and about.id else ()
    return Finding(node, truth, NONE, evidence, (Finding(node, case.value, NONE, (), (), (), about),))
