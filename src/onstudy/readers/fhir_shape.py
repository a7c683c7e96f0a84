"""The shape that elements of FHIR R4 have: a list, an object or a text. What has another is said, and may not be used.

Elements are read leniently (`fhir_json`): one that is of the wrong sort is as one that is not there, and an object
where a list belongs is a list of one. Here is what they should be, so that nothing is passed over without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onstudy.readers.fhir_json import Json

#: What an element should be: `str`, `bool`, a list of one shape, an object by its own elements, or either of several.
Shape = Any

_CONCEPT: Shape = {"coding": [{"system": str, "code": str, "display": str}], "text": str}
_OLDER: Shape = (_CONCEPT, str)  # a plain text in older versions
_ONE_OR_MORE: Shape = ([_CONCEPT], _CONCEPT)  # a single one in older versions
_REFERENCE: Shape = {"reference": str, "display": str}
_REFERENCES: Shape = (_REFERENCE, [_REFERENCE])  # where one belongs, a list of them is followed as well
_QUANTITY: Shape = {"comparator": str, "unit": str, "system": str, "code": str}
_PERIOD: Shape = {}
_RANGE: Shape = {
    "low": _QUANTITY,
    "high": _QUANTITY,
    "type": _CONCEPT,
    "text": str,
    "age": {"low": _QUANTITY, "high": _QUANTITY},
    "appliesTo": [_CONCEPT],
}
_RESULT: Shape = {
    "code": _CONCEPT,
    "valueQuantity": _QUANTITY,
    "valueCodeableConcept": _CONCEPT,
    "dataAbsentReason": _CONCEPT,
    "interpretation": _ONE_OR_MORE,
    "referenceRange": [_RANGE],
    "extension": [{"url": str}],
}
_ANY: Shape = {
    "identifier": [{"system": str, "value": str}],
    "extension": [{"url": str}],
    "subject": _REFERENCES,
    "patient": _REFERENCES,
}
_BOUNDS: Shape = {
    "boundsPeriod": _PERIOD,
    "boundsDuration": _QUANTITY,
    "boundsRange": {"low": _QUANTITY, "high": _QUANTITY},
}
_DOSAGE: Shape = {"route": _CONCEPT, "timing": {"repeat": _BOUNDS}}
_DRUG: Shape = {
    **_ANY,
    "medicationCodeableConcept": _CONCEPT,
    "medicationReference": _REFERENCES,
    "reasonCode": [_CONCEPT],
    "reasonReference": [_REFERENCE],
    "effectivePeriod": _PERIOD,
}
#: The elements of each type of resource that are read, but for those whose readers say themselves what is wrong.
SHAPES: dict[str, dict[str, Shape]] = {
    "Observation": {
        **_ANY,
        **_RESULT,
        "bodySite": _CONCEPT,
        "effectivePeriod": _PERIOD,
        "focus": [_REFERENCE],
        "specimen": _REFERENCES,
        "hasMember": [_REFERENCE],
        "component": [_RESULT],
    },
    "Condition": {**_ANY, "code": _CONCEPT, "onsetPeriod": _PERIOD, "abatementPeriod": _PERIOD},
    "MedicationStatement": {**_DRUG, "dosage": [_DOSAGE]},
    "MedicationRequest": {**_DRUG, "dosageInstruction": [_DOSAGE]},
    "MedicationAdministration": {**_DRUG, "dosage": (_DOSAGE, [_DOSAGE])},
    "Procedure": {
        **_ANY,
        "code": _CONCEPT,
        "bodySite": _ONE_OR_MORE,
        "reasonCode": [_CONCEPT],
        "reasonReference": [_REFERENCE],
        "performedPeriod": _PERIOD,
    },
    "Specimen": {**_ANY, "type": _CONCEPT, "parent": [_REFERENCE], "collection": {}},
    "DiagnosticReport": {
        **_ANY,
        "code": _CONCEPT,
        "conclusionCode": [_CONCEPT],
        "effectivePeriod": _PERIOD,
        "specimen": [_REFERENCE],
        "result": [_REFERENCE],
    },
    "Patient": {"identifier": _ANY["identifier"], "extension": _ANY["extension"]},
}
_STATUS: dict[str, Shape] = {"status": str}
_ORDER: dict[str, Shape] = {**_STATUS, "intent": str, "doNotPerform": bool}
#: Those that change what a resource means (`isModifier` in FHIR): one that cannot be read may say anything.
MODIFIERS: dict[str, dict[str, Shape]] = {
    "Observation": _STATUS,
    "Condition": {"verificationStatus": _OLDER, "clinicalStatus": _OLDER},
    "MedicationStatement": _ORDER,
    "MedicationRequest": _ORDER,
    "MedicationAdministration": _ORDER,
    "Procedure": _STATUS,
    "Specimen": _STATUS,
    "DiagnosticReport": _STATUS,
}
_NAMES = {str: "text", bool: "true or false", list: "a list", dict: "an object"}


def misshapen(node: Json, shape: Shape, path: str = "") -> Iterator[str]:
    """What of an object's elements has another shape than it should, and what is made of it."""
    for key, wanted in shape.items():
        if key in node and (found := node[key]) is not None:
            yield from _compared(found, wanted, f"{path}{key}")


def _compared(found: object, wanted: Shape, path: str) -> Iterator[str]:
    if isinstance(wanted, tuple):
        wanted = next((one for one in wanted if isinstance(found, _sort(one))), wanted[0])
    if not isinstance(found, _sort(wanted)):
        one = isinstance(wanted, list) and isinstance(found, dict)
        made = "it is read as a list of one" if one else "it is not used"
        yield f"{path} is {_named(found)} where {_NAMES[_sort(wanted)]} belongs: {made}"
        if one:
            yield from _compared([found], wanted, path)
    elif isinstance(found, dict):
        yield from misshapen(found, wanted, f"{path}.")
    elif isinstance(found, list):
        for item in found:
            if isinstance(item, dict):
                yield from misshapen(item, wanted[0], f"{path}.")
            elif item is not None:
                yield f"{path} has {_named(item)} in its list where an object belongs: it is not used"


def _sort(wanted: Shape) -> type:
    return wanted if isinstance(wanted, type) else type(wanted)


def _named(found: object) -> str:
    return next((name for sort, name in _NAMES.items() if isinstance(found, sort)), "a number")
