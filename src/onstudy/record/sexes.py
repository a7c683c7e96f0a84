"""What is recorded that nobody of the patient's sex has: one of the two is wrong, and nothing tells which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.values.calendar import UNDATED

SEX = "sex"
_POSITIVE = frozenset({"positive"})


def of_another_sex(facts: Sequence[Fact], catalogue: Catalogue) -> Iterator[tuple[Fact, frozenset[str]]]:
    """What is recorded for sure, or was found positive, of nobody of the patient's sex, with that sex."""
    sexes = {fact.value for fact in facts if fact.kind == SEX and not fact.computed}
    (sex,) = sexes if len(sexes) == 1 else (None,)
    if not isinstance(sex, frozenset):
        return
    for fact in facts:
        kind = catalogue.kinds.get(fact.kind)
        if kind is None or not kind.of_sex or kind.of_sex in sex or fact.negative or not fact.certain:
            continue
        if fact.value == _POSITIVE if kind.measured else fact.lacks is None:
            yield fact, sex


def doubted(facts: list[Fact], catalogue: Catalogue) -> list[Fact]:
    """The facts and, where one is of another sex than the patient, that the sex may be either."""
    if not any(True for _ in of_another_sex(facts, catalogue)):
        return facts
    either = catalogue.value_sets[SEX].universe
    shown = " or ".join(sorted(either))
    return [*facts, Fact(f"{SEX}:either", SEX, start=UNDATED, value=either, shown=shown, source=SEX, computed=True)]
