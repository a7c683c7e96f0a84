"""Rules and findings taken apart: their leaves, the records these look at, what is asserted and what excepted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr, TruthExpr
from onstudy.criteria.finding import Finding

#: What combines statements; anything else is a leaf.
JOINS = (e.And, e.Or, e.Not, e.If, e.Named)


@dataclass(frozen=True, slots=True)
class Mention:
    """Records a rule looks at, and the statement made of each ("every X has ...")."""

    records: e.Records
    body: TruthExpr | None = None


def leaves(finding: Finding) -> Iterator[Finding]:
    """The findings at which no further statement is combined."""
    if isinstance(finding.expr, JOINS):
        for part in finding.parts:
            yield from leaves(part)
    else:
        yield finding


def leaves_of(node: Expr) -> Iterator[Expr]:
    """The statements of a rule at which no further one is combined."""
    if isinstance(node, JOINS):
        for part in e.children(node):
            assert isinstance(part, Expr)
            yield from leaves_of(part)
    else:
        yield node


def mentions(node: Expr) -> Iterator[Mention]:
    """All records a statement looks at, those of nested dates included."""
    for part in e.walk(node):
        match part:
            case e.Every(records, body):
                yield Mention(records, body)
            case e.Has(pick, body):
                yield Mention(pick.records, body)
            case e.Any(records) | e.Count(_, records) | e.Pick(records=records):
                yield Mention(records)


def nodes_of(node: TruthExpr | None) -> list[Expr | e.Records | e.Lookback]:
    """A statement and everything below it; nothing for none."""
    return [] if node is None else e.walk(node)


def conjuncts(node: TruthExpr | None) -> Iterator[TruthExpr]:
    """The statements that must all hold."""
    if isinstance(node, e.Named):
        yield from conjuncts(node.expr)
    elif isinstance(node, e.And):
        for part in node.parts:
            yield from conjuncts(part)
    elif node is not None:
        yield node


def asserted(node: TruthExpr | None) -> Iterator[Expr]:
    """The parts of a statement that are not below a "not": exceptions are no reason to ask."""
    if node is None or isinstance(node, e.Not):
        return
    yield node
    for part in e.children(node):
        if isinstance(part, TruthExpr):
            yield from asserted(part)
