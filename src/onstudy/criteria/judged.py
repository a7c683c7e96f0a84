"""What an attestation judges, as records that an engine can look for: the `speaks_of` of a kind of the catalogue."""

from __future__ import annotations

from functools import lru_cache

from onstudy.criteria.by_id import ById
from onstudy.criteria.expr import And, Field, Member, Records, TruthExpr, Type
from onstudy.record.catalogue import Catalogue


def judged_by(kind: str, catalogue: Catalogue) -> tuple[Records, ...]:
    """The records that attestations of a kind judge; none where it judges no single record.

    The same objects each time, so that what an engine makes of them can be kept by identity.
    """
    return _judged_by(kind, ById(catalogue))


@lru_cache(maxsize=1024)
def _judged_by(kind: str, known: ById[Catalogue]) -> tuple[Records, ...]:
    catalogue = known.it
    return tuple(
        Records(judged.kind, _all_of([_member(judged.kind, *pair, catalogue) for pair in judged.codes]))
        for judged in catalogue.kinds[kind].judges
    )


def _all_of(parts: list[TruthExpr]) -> TruthExpr | None:
    return And(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None


def _member(kind: str, name: str, code: str, catalogue: Catalogue) -> Member:
    """That the value, or an attribute, of the record is a code or in a group."""
    values = catalogue.codes_of(kind, None if name == "value" else name)
    assert values is not None, "the catalogue was checked"
    return Member(Field(name, None, Type("code", values=values.name)), (code,), values.meaning(code))
