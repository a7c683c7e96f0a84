"""What a concept of a FHIR resource means: the kinds its codes name, and what they say beyond the name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from onstudy.readers.drugs import DrugNames
from onstudy.readers.fhir_json import Coding
from onstudy.readers.kind_names import KindNames
from onstudy.readers.reading import Slot, slot_of
from onstudy.record.catalogue import Attribute, Catalogue, CodeUse, Kind
from onstudy.record.patient import Value
from onstudy.record.unread import may_be_among
from onstudy.values.codes import Code

_CONFIRMED = ("V", "own")


@dataclass(frozen=True)
class Meaning:
    """What a concept says: a kind, and what its codes say beyond it."""

    kind: Kind
    code_status: str = ""
    value: frozenset[str] | None = None
    sets: Mapping[str, Value] = field(default_factory=dict)
    history: bool = False
    negative: bool = False
    category: bool = False  # the code lies below a category, so it is narrower than the kind


class Vocabulary:
    """The meanings of the concepts of one source; each set of codes is looked up once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.drugs = DrugNames(catalogue)
        self.diagnoses = KindNames(catalogue, lambda kind: may_be_among(kind, catalogue))
        self.results = KindNames(catalogue, lambda kind: kind.measured and not kind.components)
        self._slots: dict[str, Slot] = {}
        self._found: dict[tuple[Code, ...], tuple[Meaning, ...]] = {}

    def meanings(self, found: Iterable[Coding]) -> tuple[Meaning, ...]:
        """The kinds that the codes of one concept name; codes are synonyms, and a group yields to its member."""
        codes = tuple([coding.code for coding in found])
        meant = self._found.get(codes)
        if meant is None:
            meant = self._found[codes] = tuple(self._look_up(codes))
        return meant

    def slot(self, kind: Kind) -> Slot:
        """What may stand as the value of a kind."""
        slot = self._slots.get(kind.name)
        if slot is None:
            slot = self._slots[kind.name] = slot_of(kind, self.catalogue)
        return slot

    def _look_up(self, codes: Iterable[Code]) -> list[Meaning]:
        by_kind: dict[str, Meaning] = {}
        for code in codes:
            for name, use in self.catalogue.lookup(code):
                new = _meaning(name, use, code, self.catalogue)
                by_kind[name] = _both(by_kind[name], new) if name in by_kind else new
        above = {up for name in by_kind for up in self.catalogue.ancestors(name)}
        return [meaning for name, meaning in by_kind.items() if name not in above]


def _meaning(name: str, use: CodeUse, code: Code, catalogue: Catalogue) -> Meaning:
    values = catalogue.codes_of(name)
    return Meaning(
        catalogue.kinds[name],
        "" if use.status in _CONFIRMED else use.status,
        values.meaning(use.value) if values is not None and use.value is not None else None,
        {key: _said(catalogue.attribute(name, key), word, catalogue) for key, word in use.sets.items()},
        use.history,
        use.negative,
        use.code.code.endswith("-") and use.code.code.rstrip("-.") != code.code,
    )


def _said(attribute: Attribute | None, word: str, catalogue: Catalogue) -> Value:
    if attribute is None:
        return None
    values = catalogue.value_sets.get(attribute.values)
    return values.meaning(word) if values is not None and word in values.members else frozenset({word})


def _both(one: Meaning, other: Meaning) -> Meaning:
    """Two codes of one concept: what either says, the narrower where both say something."""
    value = other.value if one.value is None else one.value
    if one.value is not None and other.value is not None:
        value = (one.value & other.value) or (one.value | other.value)
    sets = {**one.sets, **other.sets}
    for key in one.sets.keys() & other.sets.keys():
        left, right = one.sets[key], other.sets[key]
        if isinstance(left, frozenset) and isinstance(right, frozenset):
            sets[key] = (left & right) or (left | right)
    return replace(
        one,
        code_status=min(one.code_status, other.code_status),
        value=value,
        sets=sets,
        history=one.history or other.history,
        negative=one.negative or other.negative,
        category=one.category and other.category,
    )
