"""Findings put together of others, and how much of them is looked at."""

from __future__ import annotations

from enum import Enum

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import Finding
from onstudy.engines.candidates import NONE, Case
from onstudy.values.truth import UNKNOWN, Truth


class Depth(Enum):
    """What a finding tells beside its truth, its causes and its questions, which are the same at every depth."""

    BRIEF = "brief"  # nothing beyond the first part that settles it
    USUAL = "usual"  # all parts that bear on it, and which recorded "no" it rests on
    WHOLE = "whole"  # also what an `if` asks for where its condition fails


def combined(node: TruthExpr, truth: Truth, parts: tuple[Finding, ...]) -> Finding:
    """The finding of a node over its parts: unknown for the causes of those that are."""
    if truth is not UNKNOWN:
        return Finding(node, truth, parts=parts)
    unknown = [part for part in parts if part.result is UNKNOWN]
    if len(unknown) == 1:
        return Finding(node, truth, unknown[0].reasons, parts=parts, asks=unknown[0].asks)
    reasons = NONE.union(*[part.reasons for part in unknown])
    asks = tuple(dict.fromkeys([ask for part in unknown for ask in part.asks]))
    return Finding(node, truth, reasons, parts=parts, asks=asks)


def plainly(node: TruthExpr, truth: Truth, case: Case) -> Finding:
    """The finding of one value that settles it."""
    about = case.about
    evidence = (about,) if about is not None and about.id else ()
    return Finding(node, truth, evidence=evidence, parts=(Finding(node, case.value, about=about),))
