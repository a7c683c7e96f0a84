"""The words a rule may use: the kinds of the catalogue with their fields, and what the trial itself names."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Type, ValueExpr
from onstudy.criteria.trial import Setting
from onstudy.record.catalogue import (
    BOOLEAN,
    CODE,
    COUNT,
    DATE,
    NONE,
    ORDERED,
    QUANTITY,
    Attribute,
    Catalogue,
    Kind,
)  # fmt: skip

_PLACES = ("start", "end")


@dataclass
class Names:
    """What a rule may speak of besides the catalogue. `definition` finds a trial's definition, or None.

    `wrong` are the definitions and $settings that are there but wrong, which has been told where they stand.
    """

    anchors: Iterable[str] = ("registration",)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    definition: Callable[[str], e.Named | None] = lambda _name: None
    definitions: Iterable[str] = ()
    wrong: Container[str] = ()


class Vocabulary:
    """The kinds of a catalogue and the names of a trial, asked for by word."""

    def __init__(self, catalogue: Catalogue, names: Names) -> None:
        self.catalogue, self.names = catalogue, names
        self.kinds = catalogue.kinds
        self.anchors = set(names.anchors)

    def words(self, scope: str) -> list[str]:
        """Every bare word that means something where records of `scope` ("" for none) are in view."""
        fields = self.fields(scope) if scope else []
        return [*self.names.definitions, *self.anchors, *self.kinds, *fields]

    def fields(self, kind: str) -> list[str]:
        """What can be asked of a record of a kind."""
        entry = self.kinds[kind]
        value = ["value"] if entry.measured else []
        return [*self.catalogue.attributes(kind), *entry.components, *_PLACES, *value]

    def field_of(self, name: str, kind: str, of: e.Pick | None) -> e.Field | None:
        """The field of that name that records of a kind have, or None."""
        entry = self.kinds[kind]
        attribute = self.catalogue.attribute(kind, name)
        found: Type | None = None
        if attribute is not None:
            found = _attribute_type(attribute)
        elif name in entry.components:
            found = self.value_type(self.kinds[entry.components[name]])
        elif name in _PLACES:
            found = e.DATE_TYPE
        elif name == "value":
            found = self.value_type(entry)
        return None if found is None else e.Field(name, of, found)

    def value_type(self, kind: Kind) -> Type | None:
        """What the records of a kind yield; None where they have no value of their own."""
        return None if kind.value == NONE else _typed(kind.value, kind.unit, kind.values)

    def molar_mass(self, node: ValueExpr) -> float | None:
        """The molar mass (g/mol) of what a value node measures, where its kind has one."""
        kind: str | None = None
        if isinstance(node, e.Pick):
            kind = node.records.kind
        elif isinstance(node, e.Field) and node.of is not None:
            kind = self.kinds[node.of.records.kind].components.get(node.name)
        return self.kinds[kind].molar_mass if kind is not None else None


def _attribute_type(attribute: Attribute) -> Type:
    if attribute.type == BOOLEAN:
        return Type("code", values="yes_no")
    return _typed(attribute.type, attribute.unit, attribute.values)


def _typed(sort: str, unit: str, values: str) -> Type:
    if sort in (QUANTITY, COUNT):
        return e.number_in("" if unit in ("1", "{score}") else unit)
    if sort in (CODE, ORDERED):
        return Type("code", values=values, ordered=sort == ORDERED)
    assert sort == DATE
    return e.DATE_TYPE
