"""The walk through the slots of a resource, always in one order: what stands in them is taken out, counted or put back.

In a resource that was put back the readers find all they look at in the one that was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET, Raw, UnsetType

from onstudy.population.bulk_elements import (
    ELEMENTS,
    MARK,
    NOTHING,
    NUMBER_MARK,
    Period,
    Quantity,
    Reference,
    Resource,
    Text,
    decoded,
)


class Hand:
    """What is done at each slot of a resource, in the order of the walk."""

    def name(self, of: Any, element: str) -> None:
        """An id or another text that only names something."""

    def date(self, of: Any, element: str) -> None:
        """A date."""

    def number(self, of: Any, element: str) -> None:
        """A number, or a text in place of one."""

    def link(self, of: Any, element: str) -> None:
        """A reference whose target is looked at."""

    def members(self, of: Any, element: str) -> None:
        """References to the results of a report or panel."""


_DATES: dict[str, tuple[str, ...]] = {
    name: tuple(key for key, kind in elements.items() if kind is Text and not key.startswith("value"))
    for name, elements in ELEMENTS.items()
}
_PERIODS: dict[str, tuple[str, ...]] = {
    name: tuple(key for key in elements if key.endswith("Period") and not key.startswith("value"))
    for name, elements in ELEMENTS.items()
}
#: Types of which it matters when a server changed them last.
UPDATED = frozenset({"Condition", "MedicationStatement", "MedicationRequest", "MedicationAdministration"})


def walk(resource: Resource, hand: Hand) -> None:
    """Every slot of a resource, always in the same order."""
    kind = resource.resourceType
    hand.name(resource, "id")
    if resource.identifier is not UNSET:
        for identifier in resource.identifier:
            hand.name(identifier, "value")
    for element in _DATES.get(kind, ()):
        if getattr(resource, element) is not UNSET:
            hand.date(resource, element)
    for element in _PERIODS.get(kind, ()):
        _walk_period(getattr(resource, element), hand)
    if resource.extension is not UNSET:
        _walk_extensions(resource.extension, hand)
    walker = _WALKERS.get(kind)
    if walker is not None:
        walker(resource, hand)


def _walk_period(period: Period | UnsetType, hand: Hand) -> None:
    if period is not UNSET:
        if period.start is not UNSET:
            hand.date(period, "start")
        if period.end is not UNSET:
            hand.date(period, "end")


def _walk_extensions(extensions: list[Any], hand: Hand) -> None:
    for extension in extensions:
        if extension.valueDateTime is not UNSET:
            hand.date(extension, "valueDateTime")


def _walk_observation(resource: Any, hand: Hand) -> None:
    _walk_values(resource, hand)
    if resource.specimen is not UNSET:
        hand.link(resource.specimen, "reference")
    if resource.hasMember is not UNSET:
        hand.members(resource, "hasMember")
    if resource.component is not UNSET:
        for component in resource.component:
            _walk_values(component, hand)
            if component.extension is not UNSET:
                _walk_extensions(component.extension, hand)


def _walk_values(node: Any, hand: Hand) -> None:
    _walk_quantity(node.valueQuantity, hand)
    if node.valueString is not NOTHING:
        hand.number(node, "valueString")
    if node.referenceRange is not UNSET:
        for part in node.referenceRange:
            _walk_quantity(part.low, hand)
            _walk_quantity(part.high, hand)


def _walk_quantity(quantity: Quantity | UnsetType, hand: Hand) -> None:
    if quantity is not UNSET and quantity.value is not NOTHING:
        hand.number(quantity, "value")


def _walk_updated(resource: Any, hand: Hand) -> None:
    if resource.meta is not UNSET and resource.meta.lastUpdated is not UNSET:
        hand.date(resource.meta, "lastUpdated")


def _walk_drug(resource: Any, hand: Hand) -> None:
    _walk_updated(resource, hand)
    if resource.dosageInstruction is not UNSET:
        for dosage in resource.dosageInstruction:
            if dosage.timing is not UNSET and dosage.timing.repeat is not UNSET:
                _walk_period(dosage.timing.repeat.boundsPeriod, hand)
    if resource.medicationReference is not UNSET:
        hand.link(resource.medicationReference, "reference")
    _walk_links(resource.reasonReference, hand)


def _walk_links(references: list[Reference] | UnsetType, hand: Hand) -> None:
    if references is not UNSET:
        for reference in references:
            hand.link(reference, "reference")


def _walk_procedure(resource: Any, hand: Hand) -> None:
    _walk_links(resource.reasonReference, hand)


def _walk_specimen(resource: Any, hand: Hand) -> None:
    if resource.collection is not UNSET and resource.collection.collectedDateTime is not UNSET:
        hand.date(resource.collection, "collectedDateTime")
    _walk_links(resource.parent, hand)


def _walk_report(resource: Any, hand: Hand) -> None:
    _walk_links(resource.specimen, hand)
    if resource.result is not UNSET:
        hand.members(resource, "result")


_WALKERS: dict[str, Callable[[Any, Hand], None]] = {
    "Observation": _walk_observation,
    "Condition": _walk_updated,
    "MedicationStatement": _walk_drug,
    "MedicationRequest": _walk_drug,
    "MedicationAdministration": _walk_drug,
    "Procedure": _walk_procedure,
    "Specimen": _walk_specimen,
    "DiagnosticReport": _walk_report,
}


@dataclass
class Taking(Hand):
    """Takes what stands in the slots, and leaves a mark there."""

    names: list[str]
    dates: list[str]
    numbers: list[bytes]
    links: list[str]
    results: list[str] = field(default_factory=list)

    def name(self, of: Any, element: str) -> None:
        """Take a name."""
        found = getattr(of, element)
        if found is not UNSET:
            self.names.append(found)
            setattr(of, element, MARK)

    def date(self, of: Any, element: str) -> None:
        """Take a date."""
        self.dates.append(getattr(of, element))
        setattr(of, element, MARK)

    def number(self, of: Any, element: str) -> None:
        """Take a number."""
        self.numbers.append(bytes(getattr(of, element)))
        setattr(of, element, NUMBER_MARK)

    def link(self, of: Any, element: str) -> None:
        """Take a link."""
        found = getattr(of, element)
        if found is not UNSET:
            self.links.append(found)
            setattr(of, element, MARK)

    def members(self, of: Any, element: str) -> None:
        """Take the references to results."""
        self.results = [part.reference for part in getattr(of, element) if part.reference is not UNSET]
        setattr(of, element, [Reference(MARK)] if self.results else UNSET)


class Counting(Hand):
    """Counts the slots: names, dates, numbers and links."""

    def __init__(self) -> None:
        self.names = self.dates = self.numbers = self.links = 0

    def name(self, of: Any, element: str) -> None:
        """One name, where there is one."""
        self.names += getattr(of, element) is not UNSET

    def date(self, of: Any, element: str) -> None:
        """One date."""
        self.dates += 1

    def number(self, of: Any, element: str) -> None:
        """One number."""
        self.numbers += 1

    def link(self, of: Any, element: str) -> None:
        """One link, where there is one."""
        self.links += getattr(of, element) is not UNSET


@dataclass
class Putting(Hand):
    """Puts back what was taken."""

    names: Iterator[str]
    dates: Iterator[str]
    numbers: Iterator[str]
    links: Iterator[str]
    results: list[str]

    def name(self, of: Any, element: str) -> None:
        """Put back a name."""
        if getattr(of, element) is not UNSET:
            setattr(of, element, next(self.names))

    def date(self, of: Any, element: str) -> None:
        """Put back a date."""
        setattr(of, element, next(self.dates))

    def number(self, of: Any, element: str) -> None:
        """Put back a number."""
        setattr(of, element, Raw(next(self.numbers).encode()))

    def link(self, of: Any, element: str) -> None:
        """Put back a link."""
        if getattr(of, element) is not UNSET:
            setattr(of, element, next(self.links))

    def members(self, of: Any, element: str) -> None:
        """Put back references; without any the mark stays: there were some, and they lead nowhere."""
        if self.results:
            setattr(of, element, [Reference(name) for name in self.results])


def type_of_shape(shape: bytes) -> str:
    """The type of resource a shape is of."""
    return shape[_TYPE_AT : shape.index(b'"', _TYPE_AT)].decode()


_TYPE_AT = len(b'{"resourceType":"')


def counted(shape: bytes) -> Counting:
    """How many slots of each sort a shape has."""
    counts = Counting()
    walk(decoded(shape, type_of_shape(shape)), counts)
    return counts
