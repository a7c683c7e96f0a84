"""The elements of FHIR resources that the screening readers look at, decoded no further than need be.

A resource is taken apart into its *shape* and what stands in its *slots*: ids, dates, numbers, references. `taken`
does it and `put_back` undoes it, in the same walk, so that the readers find in a resource that was put back all they
look at in the one that was read. A test holds the lists below to what the readers ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

Text = str | UnsetType
NOTHING = Raw(b"")
#: What stands in a slot while its content is elsewhere.
MARK, NUMBER_MARK = "@", Raw(b"0")
ABSENT = ""


class Element(Struct, omit_defaults=True, gc=False):
    """Any element; what is not listed in its class is not kept."""


class Reference(Element):
    """A reference to another resource, with what it says of it in words."""

    reference: Text = UNSET
    display: Text = UNSET
    type: Raw = NOTHING
    identifier: Raw = NOTHING
    coding: Raw = NOTHING
    text: Raw = NOTHING


class Identifier(Element):
    """An identifier."""

    system: Text = UNSET
    value: Text = UNSET


class Quantity(Element):
    """A measured amount."""

    value: Raw = NOTHING
    comparator: Raw = NOTHING
    unit: Raw = NOTHING
    system: Raw = NOTHING
    code: Raw = NOTHING
    extension: Raw = NOTHING


class Period(Element):
    """A stretch of time."""

    start: Text = UNSET
    end: Text = UNSET
    start_: Raw = msgspec.field(default=NOTHING, name="_start")
    end_: Raw = msgspec.field(default=NOTHING, name="_end")


class ReferenceRange(Element):
    """A range of normal."""

    low: Quantity | UnsetType = UNSET
    high: Quantity | UnsetType = UNSET
    type: Raw = NOTHING
    text: Raw = NOTHING
    age: Raw = NOTHING


class Meta(Element):
    """What a server says of a resource."""

    lastUpdated: Text = UNSET
    versionId: Text = UNSET
    lastUpdated_: Raw = msgspec.field(default=NOTHING, name="_lastUpdated")


class Repeat(Element):
    """When a drug is to be taken."""

    boundsPeriod: Period | UnsetType = UNSET


class Timing(Element):
    """When a drug is to be taken."""

    repeat: Repeat | UnsetType = UNSET


class Dosage(Element):
    """How a drug is taken."""

    route: Raw = NOTHING
    timing: Timing | UnsetType = UNSET


class Collection(Element):
    """How a specimen was taken."""

    collectedDateTime: Text = UNSET
    collectedDateTime_: Raw = msgspec.field(default=NOTHING, name="_collectedDateTime")


def _struct(name: str, base: tuple[type[Struct], ...], **elements: Any) -> type[Struct]:
    """A class of resources or elements by the elements it has: a type, or RAW for what is kept as it is."""
    fields = [
        (key.strip("_") + "_" if key.startswith("_") else key, kind, _field(key, kind))
        for key, kind in elements.items()
    ]
    return msgspec.defstruct(name, fields, bases=base, omit_defaults=True, gc=False, module=__name__)


def _field(key: str, kind: Any) -> Any:
    default = NOTHING if kind is Raw else UNSET
    return msgspec.field(default=default, name=key) if key.startswith("_") else default


def _named(words: str, kind: Any) -> dict[str, Any]:
    return dict.fromkeys(words.split(), kind)


#: The sorts of value[x] of R4, and those that only older or newer versions have.
_VALUE_SORTS = (
    "CodeableConcept Boolean Integer Range Ratio SampledData Time DateTime Period Decimal Coding Code Date Instant "
    "Attachment Reference Integer64 Count Age Uri Id Markdown PositiveInt UnsignedInt Money Identifier Address"
).split()
_VALUES = {
    "valueQuantity": Quantity | UnsetType,
    "valueString": Raw,
    **{f"value{sort}": Raw for sort in _VALUE_SORTS},
    **_named("_valueDateTime _valueDate _valueInstant", Raw),
}


Extension: Any = _struct(
    "Extension",
    (Element,),
    url=Text,
    extension=Raw,
    **{key: Text if key == "valueDateTime" else kind for key, kind in _VALUES.items()},
)
Component: Any = _struct(
    "Component",
    (Element,),
    code=Raw,
    dataAbsentReason=Raw,
    interpretation=Raw,
    referenceRange=list[ReferenceRange] | UnsetType,
    extension=list[Extension] | UnsetType,
    **_VALUES,
)


class Resource(Element):
    """What every resource has."""

    resourceType: str
    id: Text = UNSET
    meta: Meta | UnsetType = UNSET
    contained: Raw = NOTHING
    identifier: list[Identifier] | UnsetType = UNSET
    extension: list[Extension] | UnsetType = UNSET
    subject: Reference | UnsetType = UNSET
    patient: Reference | UnsetType = UNSET
    beneficiary: Reference | UnsetType = UNSET


def _dated(prefix: str, *more: str) -> dict[str, Any]:
    """effective[x] and its like."""
    texts = " ".join(f"{prefix}{sort}" for sort in ("DateTime", "Instant", "Date"))
    raw = " ".join(f"{prefix}{sort}" for sort in ("Timing", "Age", "Range", "String"))
    return {
        **_named(texts, Text),
        f"{prefix}Period": Period | UnsetType,
        **_named(raw, Raw),
        **{f"_{name}": Raw for name in texts.split()},
        **dict.fromkeys(more, Text),
        **{f"_{name}": Raw for name in more},
    }


_REFERENCES = list[Reference] | UnsetType
_DRUG: dict[str, Any] = {
    **_named("status intent doNotPerform medicationCodeableConcept reasonCode component", Raw),
    "medicationReference": Reference | UnsetType,
    "reasonReference": _REFERENCES,
    "dosage": list[Dosage] | Dosage | UnsetType,
    "dosageInstruction": list[Dosage] | UnsetType,
    **_dated("effective", "dateAsserted", "authoredOn"),
}
_ELEMENTS: dict[str, dict[str, Any]] = {
    "Observation": {
        **_named("status code dataAbsentReason interpretation bodySite category", Raw),
        **_dated("effective", "issued"),
        **_VALUES,
        "focus": _REFERENCES,
        "specimen": Reference | UnsetType,
        "hasMember": _REFERENCES,
        "referenceRange": list[ReferenceRange] | UnsetType,
        "component": list[Component] | UnsetType,
    },
    "Condition": {
        **_named("verificationStatus clinicalStatus code component", Raw),
        **_dated("onset", "recordedDate"),
        **_dated("abatement"),
    },
    "MedicationStatement": _DRUG,
    "MedicationRequest": _DRUG,
    "MedicationAdministration": _DRUG,
    "Procedure": {
        **_named("status code reasonCode component bodySite", Raw),
        "reasonReference": _REFERENCES,
        **_dated("performed"),
    },
    "Specimen": {
        **_named("status type component", Raw),
        "parent": _REFERENCES,
        "receivedTime": Text,
        "_receivedTime": Raw,
        "collection": Collection | UnsetType,
    },
    "DiagnosticReport": {
        **_named("status code conclusionCode component bodySite", Raw),
        **_dated("effective", "issued"),
        "specimen": _REFERENCES,
        "result": _REFERENCES,
    },
    "Patient": {**_named("gender _birthDate", Raw), "birthDate": Text},
    "Medication": _named("code ingredient", Raw),
}
#: Every type with a class of its own; of all others only what they are about is kept.
RESOURCES: dict[str, type[Resource]] = {
    name: _struct(name, (Resource,), **elements)  # type: ignore[misc]
    for name, elements in _ELEMENTS.items()
}
_DECODERS = {name: msgspec.json.Decoder(resource) for name, resource in RESOURCES.items()}
_OTHERS = msgspec.json.Decoder(Resource)
_encoder = msgspec.json.Encoder()


def decoded(line: bytes | memoryview, kind: str) -> Resource:
    """A resource of a type, as far as it is kept. Raises `msgspec.MsgspecError` for anything else."""
    found: Resource = _DECODERS.get(kind, _OTHERS).decode(line)
    return found


def encoded(resource: Resource) -> bytes:
    """Its JSON, the elements in the order of their classes."""
    return _encoder.encode(resource)


# Walking through the slots --------------------------------------------------------------------------------


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
    for name, elements in _ELEMENTS.items()
}
_PERIODS: dict[str, tuple[str, ...]] = {
    name: tuple(key for key in elements if key.endswith("Period") and not key.startswith("value"))
    for name, elements in _ELEMENTS.items()
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


def category_kept(category: Raw) -> Raw:
    """The category of an Observation where it may say "vital signs", which is all that readers ask of it."""
    written = bytes(category)
    return category if b"vital" in written.lower() or b"\\" in written else NOTHING
