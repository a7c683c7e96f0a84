"""Which parts of a finding make it what it is, and so which records are its evidence."""

from __future__ import annotations

from collections.abc import Callable

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Finding, Parts
from onstudy.record.patient import Fact
from onstudy.values.truth import FALSE, TRUE, UNKNOWN


def decisive(finding: Finding) -> Parts:
    """The parts that make a finding what it is: under AND the false, else the unknown, else all; mirrored
    under OR; that is, those that say what it says. An `if` whose condition fails rests on its condition.
    """
    rests_on = _RESTS_ON.get(type(finding.expr))
    return () if rests_on is None else rests_on(finding.result, finding)


def _failing(finding: Finding) -> Parts:
    """The records that decide against an `every`: not those of which it is not known that they are asked for."""
    deciding = {fact.id for fact in finding.evidence}
    return tuple(part for part in _of(finding.parts, FALSE) if part.about is None or part.about.id in deciding)


def _of(parts: Parts, truth: object) -> Parts:
    return tuple([part for part in parts if part.result is truth])


def _alike(truth: object, finding: Finding) -> Parts:
    return _of(finding.parts, truth)


def _of_if(truth: object, finding: Finding) -> Parts:
    if truth is FALSE:
        return finding.parts
    if truth is UNKNOWN:
        return _of(finding.parts, UNKNOWN)
    return finding.parts[:1] if finding.parts[0].result is FALSE else finding.parts[1:]


def _of_inner(truth: object, finding: Finding) -> Parts:
    return (truth is UNKNOWN and _of(finding.parts, UNKNOWN)) or finding.parts


def _of_every(truth: object, finding: Finding) -> Parts:
    if truth is FALSE:
        return _failing(finding)
    return _of(finding.parts, UNKNOWN) if truth is UNKNOWN else ()


def decisive_leaves(finding: Finding, within_records: bool = False, summed_up: bool = False) -> Parts:
    """The decisive findings at which no further statement is combined; into records only on request.

    With `summed_up`, a definition about a record that fails in several ways stands for all of them.
    """
    found: list[Finding] = []
    _gather(finding, within_records, found, summed_up)
    return tuple(found)


def _gather(finding: Finding, within_records: bool, found: list[Finding], summed_up: bool) -> None:
    if summed_up and _fails_in_several_ways(finding):
        found.append(finding)
        return
    node = type(finding.expr)
    rests_on = (_RESTS_ON if within_records else _RESTS_ON_STATEMENTS).get(node) if finding.parts else None
    parts = () if rests_on is None else rests_on(finding.result, finding)
    for part in parts:
        if part.parts:
            _gather(part, within_records, found, summed_up)
        else:
            found.append(part)
    if not parts or (within_records and _unknown_by_itself(finding)):
        found.append(finding)


def _unknown_by_itself(finding: Finding) -> bool:
    """What is asked of each record is known, and which record it is, or whether it is one, is not."""
    return isinstance(finding.expr, e.Has) and finding.result is UNKNOWN and not _of(finding.parts, UNKNOWN)


def _fails_in_several_ways(finding: Finding) -> bool:
    """Whether it is a definition about a record that does not hold, and each of several ways to it fails."""
    if not isinstance(finding.expr, e.Named) or not finding.expr.of or finding.result is not FALSE:
        return False
    return len(decisive_leaves(finding, within_records=True)) > 1


def telling_leaves(finding: Finding, within_records: bool = False, summed_up: bool = False) -> Parts:
    """The decisive leaves and, where they leave it unknown, the comparisons that were settled beside them and the codes
    that were found.

    A bilirubin of 1.9 x ULN is what makes an unrecorded Gilbert syndrome matter, a positive anti-HBc what makes the
    judgement matter whether it is hepatitis B. `summed_up` as in `decisive_leaves`.
    """
    leaves = decisive_leaves(finding, within_records, summed_up)
    if finding.truth is not UNKNOWN:
        return leaves
    return (*leaves, *[leaf for leaf in _all_leaves(finding) if _tells_beside(leaf)])


def _tells_beside(leaf: Finding) -> bool:
    if isinstance(leaf.expr, e.Compare):
        return leaf.result is not UNKNOWN
    return isinstance(leaf.expr, e.Member) and leaf.result is TRUE


def _all_leaves(finding: Finding) -> Parts:
    if isinstance(finding.expr, (e.And, e.Or, e.Not, e.If, e.Named)):
        return tuple(leaf for part in finding.parts for leaf in _all_leaves(part))
    return (finding,)


def evidence_of(finding: Finding) -> tuple[Fact, ...]:
    """The facts a finding rests on, each once, in the order of the tree."""
    leaves = telling_leaves(finding)
    if len(leaves) == 1 and len(leaves[0].evidence) < 2:  # as nearly always
        return leaves[0].evidence
    found: dict[str, Fact] = {}
    for leaf in leaves:
        for fact in leaf.evidence:
            found.setdefault(fact.id, fact)
    return tuple(found.values())


_RESTS_ON: dict[type[e.Expr], Callable[[object, Finding], Parts]] = {
    e.And: _alike,
    e.Or: _alike,
    e.If: _of_if,
    e.Not: _of_inner,
    e.Named: _of_inner,
    e.Has: _of_inner,
    e.Every: _of_every,
}
_RESTS_ON_STATEMENTS = {node: rests_on for node, rests_on in _RESTS_ON.items() if node not in (e.Has, e.Every)}
