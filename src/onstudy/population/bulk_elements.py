"""The elements of FHIR resources that the screening readers look at, decoded no further than need be.

A resource is taken apart into its *shape* and what stands in its *slots*: ids, dates, numbers, references, which
`bulk_walk` takes out and puts back. A test holds the lists below to what the readers ask for.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from onstudy.readers.fhir_own import LABELS, TEST_DATA_LABEL

Text = str | UnsetType
NOTHING = Raw(b"")
#: What stands in a slot while its content is elsewhere.
MARK, NUMBER_MARK = "@", Raw(b"0")


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
    appliesTo: Raw = NOTHING
    modifierExtension: Raw = NOTHING


class Meta(Element):
    """What a server says of a resource."""

    lastUpdated: Text = UNSET
    versionId: Text = UNSET
    security: Raw = NOTHING
    tag: Raw = NOTHING
    lastUpdated_: Raw = msgspec.field(default=NOTHING, name="_lastUpdated")


class Repeat(Element):
    """When a drug is to be taken."""

    boundsPeriod: Period | UnsetType = UNSET
    boundsDuration: Raw = NOTHING
    boundsRange: Raw = NOTHING


class Timing(Element):
    """When a drug is to be taken."""

    repeat: Repeat | UnsetType = UNSET


class Dosage(Element):
    """How a drug is taken."""

    route: Raw = NOTHING
    timing: Timing | UnsetType = UNSET
    modifierExtension: Raw = NOTHING


class Collection(Element):
    """How a specimen was taken."""

    collectedDateTime: Text = UNSET
    collectedDateTime_: Raw = msgspec.field(default=NOTHING, name="_collectedDateTime")
    modifierExtension: Raw = NOTHING


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
    modifierExtension=Raw,
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
    modifierExtension: Raw = NOTHING
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
#: The elements of each type of resource that is read.
ELEMENTS: dict[str, dict[str, Any]] = {
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
    "Patient": {
        **_named("gender _birthDate deceasedBoolean", Raw),
        "birthDate": Text,
        "deceasedDateTime": Text,
    },
    "Medication": _named("code ingredient", Raw),
}
#: Every type with a class of its own; of all others only what they are about is kept.
RESOURCES: dict[str, type[Resource]] = {
    name: _struct(name, (Resource,), **elements)  # type: ignore[misc]
    for name, elements in ELEMENTS.items()
}
_DECODERS = {name: msgspec.json.Decoder(resource) for name, resource in RESOURCES.items()}
_OTHERS = msgspec.json.Decoder(Resource)
_encoder = msgspec.json.Encoder()


class _Typed(msgspec.Struct):
    resourceType: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{1,64}\Z")]


_typed = msgspec.json.Decoder(_Typed)


def type_of_line(line: bytes) -> str:
    """The type of a resource, wherever in it that stands. Raises `msgspec.MsgspecError` where it has none."""
    return _typed.decode(line).resourceType


def decoded(line: bytes | memoryview, kind: str) -> Resource:
    """A resource of a type, as far as it is kept. Raises `msgspec.MsgspecError` for anything else."""
    found: Resource = _DECODERS.get(kind, _OTHERS).decode(line)
    return found


def encoded(resource: Resource) -> bytes:
    """Its JSON, the elements in the order of their classes."""
    return _encoder.encode(resource)


def labels_kept(meta: Meta) -> Meta | UnsetType:
    """The `meta` of a Patient as far as it may say that it is test data, which is all that readers ask of it."""
    code = TEST_DATA_LABEL["code"].encode()
    kept = {key: label for key in LABELS if code in bytes(label := getattr(meta, key)) or b"\\" in bytes(label)}
    return Meta(**kept) if kept else UNSET


def category_kept(category: Raw) -> Raw:
    """The category of an Observation where it may say "vital signs", which is all that readers ask of it."""
    written = bytes(category)
    return category if b"vital" in written.lower() or b"\\" in written else NOTHING
