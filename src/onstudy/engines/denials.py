"""Which recorded "no" carries an answer: those without which it would be open, and no others.

A record may hold several that speak of a kind in part ("no CD19-directed agent", "nothing into the spinal fluid").
Evidence names the ones that settle the question asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from weakref import WeakKeyDictionary

from onstudy.criteria.expr import And, Field, Member, Named, Or, TruthExpr
from onstudy.engines.view import Subject, View
from onstudy.record.patient import Fact, Value

#: Whether none of the records that nobody made could count.
Settles = Callable[[Iterable[Subject]], bool]

_READY: WeakKeyDictionary[View, dict[tuple[frozenset[str], bool], View]] = WeakKeyDictionary()


def carrying(view: View, kind: str, where: TruthExpr | None, settles: Settles) -> tuple[Fact, ...]:
    """The negatives on which it rests that there is nothing of a kind, the answer being settled.

    `where` is what is asked of each record. Where they settle it by themselves they are named; where it takes the
    completeness of the record, only those of the whole kind are. Of several that say the same in part, one is enough.
    """
    said = view.denials(kind)
    partly = [denial for denial in said if denial.narrowed is not None]
    if not partly:
        return view.unseen(kind)[1]

    def by_form(dropped: frozenset[str], covered: bool) -> bool:
        left = _without(view, dropped, covered).unseen(kind)[0]
        return all(_ruled_out(where, other.fact.attributes) for other in left)

    def enough(dropped: frozenset[str], covered: bool) -> bool:
        return by_form(dropped, covered) or settles(_without(view, dropped, covered).unseen(kind)[0])

    everyone = frozenset(denial.id for denial in partly)
    covered = bool(view.patient.coverage) and not by_form(frozenset(), False)
    if (covered or len(partly) < len(said)) and enough(everyone, covered):
        return _without(view, everyone, covered).unseen(kind)[1]
    alone = (everyone - {denial.id} for denial in partly if by_form(everyone - {denial.id}, covered))
    dropped = next(alone, None)
    if dropped is None:
        dropped = frozenset()
        for denial in partly if len(partly) > 1 else ():
            if enough(dropped | {denial.id}, covered):
                dropped |= {denial.id}
    return _without(view, dropped, covered).unseen(kind)[1]


def _ruled_out(where: TruthExpr | None, left: Mapping[str, Value]) -> bool:
    """Whether, by its form alone, a statement cannot hold of a record with the codes that are left for its attributes.

    Asked before the engine is, which takes long.
    """
    if isinstance(where, And):
        return any(_ruled_out(part, left) for part in where.parts)
    if isinstance(where, Or):
        return all(_ruled_out(part, left) for part in where.parts)
    if isinstance(where, Named):
        return _ruled_out(where.expr, left)
    if isinstance(where, Member) and isinstance(where.value, Field) and where.value.of is None:
        codes = left.get(where.value.name)
        return isinstance(codes, frozenset) and codes.isdisjoint(where.members)
    return False


def _without(view: View, dropped: frozenset[str], covered: bool) -> View:
    """The same record without some of its negatives and, unless `covered`, without what it declares complete."""
    if not dropped and (covered or not view.patient.coverage):
        return view
    ready = _READY.setdefault(view, {})
    key = (dropped, covered)
    if key not in ready:
        left = tuple(fact for fact in view.patient.facts if fact.id not in dropped)
        coverage = view.patient.coverage if covered else ()
        ready[key] = View(replace(view.patient, facts=left, coverage=coverage), view.catalogue)
    return ready[key]
