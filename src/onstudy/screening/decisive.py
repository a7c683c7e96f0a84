"""Which parts of a finding make it what it is, and so which records are its evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Finding, Parts
from onstudy.record.patient import Fact
from onstudy.values.truth import FALSE, TRUE, UNKNOWN


def decisive(finding: Finding) -> Parts:
    """The parts that make a finding what it is: under AND the false, else the unknown, else all; mirrored
    under OR; that is, those that say what it says. An `if` whose condition fails rests on its condition.
    """
    rests_on = _RESTS_ON.get(type(finding.expr))
    return () if rests_on is None else tuple(rests_on(finding))


def _alike(finding: Finding) -> Sequence[Finding]:
    truth = finding.result
    return [part for part in finding.parts if part.result is truth]


def _of_if(finding: Finding) -> Sequence[Finding]:
    if finding.result is FALSE:
        return finding.parts
    if finding.result is UNKNOWN:
        return _alike(finding)
    return finding.parts[:1] if finding.parts[0].result is FALSE else finding.parts[1:]


def _the_one(finding: Finding) -> Sequence[Finding]:
    return finding.parts


def _of_has(finding: Finding) -> Sequence[Finding]:
    return (_alike(finding) if finding.result is UNKNOWN else ()) or finding.parts


def _of_every(finding: Finding) -> Sequence[Finding]:
    """Of those that fail, the records that decide: not those of which it is not known that they are asked for."""
    if finding.result is not FALSE:
        return _alike(finding) if finding.result is UNKNOWN else ()
    deciding = {fact.id for fact in finding.evidence}
    return [part for part in _alike(finding) if part.about is None or part.about.id in deciding]


def decisive_leaves(finding: Finding, within_records: bool = False, summed_up: bool = False) -> Parts:
    """The decisive findings at which no further statement is combined; into records only on request.

    With `summed_up`, a definition about a record that fails in several ways stands for all of them.
    """
    found: list[Finding] = []
    _gather(finding, _RESTS_ON if within_records else _RESTS_ON_STATEMENTS, found, summed_up)
    return tuple(found)


def _gather(finding: Finding, combining: _Table, found: list[Finding], summed_up: bool) -> None:
    while (node := type(finding.expr)) is e.Named or node is e.Not:  # it rests on the one thing it is made of
        if summed_up and _fails_in_several_ways(finding):
            found.append(finding)
            return
        finding = finding.parts[0]
    rests_on = combining.get(node)
    parts = rests_on(finding) if rests_on is not None and finding.parts else ()
    for part in parts:
        if type(part.expr) in combining:
            _gather(part, combining, found, summed_up)
        else:
            found.append(part)
    if not parts or (node is e.Has and _unknown_by_itself(finding)):
        found.append(finding)


def _unknown_by_itself(has: Finding) -> bool:
    """What is asked of each record is known, and which record it is, or whether it is one, is not."""
    return has.result is UNKNOWN and not _alike(has)


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
    return (*leaves, *[leaf for leaf in _all_leaves(finding, []) if _tells_beside(leaf)])


def _tells_beside(leaf: Finding) -> bool:
    if isinstance(leaf.expr, e.Compare):
        return leaf.result is not UNKNOWN
    return isinstance(leaf.expr, e.Member) and leaf.result is TRUE


def _all_leaves(finding: Finding, found: list[Finding]) -> list[Finding]:
    if type(finding.expr) not in _RESTS_ON_STATEMENTS:
        found.append(finding)
    else:
        for part in finding.parts:
            _all_leaves(part, found)
    return found


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


_Table = dict[type[e.Expr], Callable[[Finding], Sequence[Finding]]]

_RESTS_ON: _Table = {
    e.And: _alike,
    e.Or: _alike,
    e.If: _of_if,
    e.Not: _the_one,
    e.Named: _the_one,
    e.Has: _of_has,
    e.Every: _of_every,
}
_RESTS_ON_STATEMENTS = {node: rests_on for node, rests_on in _RESTS_ON.items() if node not in (e.Has, e.Every)}
