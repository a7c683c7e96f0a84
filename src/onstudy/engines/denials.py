"""Which recorded "no" carries an answer: those without which it would be open, and no others.

A record may hold several that speak of a kind in part ("no CD19-directed agent", "nothing into the spinal fluid").
Evidence names the ones that settle the question asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from onstudy.criteria.expr import And, Field, Member, Named, Or, TruthExpr
from onstudy.engines.view import Subject, View
from onstudy.record.patient import Fact, Value

#: Whether none of the records that nobody made could count.
Settles = Callable[[Iterable[Subject]], bool]


def carrying(view: View, kind: str, day: int, where: TruthExpr | None, settles: Settles) -> tuple[Fact, ...]:
    """The negatives on which it rests, on a registration day, that there is nothing of a kind: the answer is settled.

    `where` is what is asked of each record. Where they settle it by themselves they are named; where it takes the
    completeness of the record, only those of the whole kind are. Of several that say the same in part, one is enough.
    """
    partly = view.partial(kind)

    def by_form(dropped: frozenset[str], covered: bool) -> bool:
        possible = view.unseen(kind, day, dropped, covered)[0]
        return not [other for other in possible if not _ruled_out(where, other.fact.attributes)]

    def enough(dropped: frozenset[str], covered: bool) -> bool:
        return by_form(dropped, covered) or settles(view.unseen(kind, day, dropped, covered)[0])

    everyone = frozenset(partly)
    together = by_form(frozenset(), False)  # what all of them leave open, no single one rules out
    alone = next((others for others in partly.values() if by_form(others, False)), None) if together else None
    covered = bool(view.patient.coverage) and not together
    if (covered or len(partly) < len(view.denials(kind))) and enough(everyone, covered):
        return view.unseen(kind, day, everyone, covered)[1]
    dropped = next((others for others in partly.values() if by_form(others, True)), None) if covered else alone
    if dropped is None:
        dropped = frozenset()
        for denial in partly if len(partly) > 1 else ():
            if enough(dropped | {denial}, covered):
                dropped |= {denial}
    return view.unseen(kind, day, dropped, covered)[1]


def _ruled_out(where: TruthExpr | None, left: Mapping[str, Value]) -> bool:
    """Whether, by its form alone, a statement cannot hold of a record with the codes that are left for its attributes.

    Asked before the engine is, which takes long.
    """
    while isinstance(where, Named):
        where = where.expr
    if isinstance(where, Member):
        codes = left.get(where.value.name) if isinstance(where.value, Field) and where.value.of is None else None
        return isinstance(codes, frozenset) and codes.isdisjoint(where.members)
    if isinstance(where, (And, Or)):
        settling = isinstance(where, And)  # one part that cannot hold settles an "and", one that may an "or"
        for part in where.parts:
            if _ruled_out(part, left) is settling:
                return settling
        return not settling
    return False
