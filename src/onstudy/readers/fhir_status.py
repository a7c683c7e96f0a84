"""Which Observations and reports are results by their status: what is not final may still change, and is no value."""

from __future__ import annotations

from onstudy.readers.fhir_chart import Chart
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import Json, extensions, items, text
from onstudy.readers.fhir_own import ONE_OF
from onstudy.readers.fhir_value import is_value

FINAL = ("final", "amended", "corrected", "appended", "")
OPEN = ("registered", "preliminary", "partial")
NO_RESULT = ("cancelled", "entered-in-error")
#: What is said of a result beside its value[x].
_BESIDE = ("interpretation", "dataAbsentReason")


def says_withheld(chart: Chart, entry: Entry, status: str) -> bool:
    """Whether an Observation states a result that its status, which is not final, does not let count; it is said."""
    if status not in OPEN:
        chart.say(entry, "has a status that is not known, so its value is not")
        return True
    stated = _has_result(entry.resource)
    if stated:
        chart.say(entry, f"its status is {status}: its value is not used before it is final")
    return stated


def _has_result(node: Json) -> bool:
    stated = is_value(node) or "interpretation" in node or any(True for _ in extensions(node, ONE_OF))
    return stated or any(_has_result(component) for component in items(node, "component"))


def without_result(resource: Json) -> Json:
    """An Observation without its own value, what is said of that, and the reasons for having none."""
    left = {key: value for key, value in resource.items() if not key.startswith("value") and key not in _BESIDE}
    if "extension" in left:
        left["extension"] = [part for part in items(left, "extension") if text(part, "url") != ONE_OF]
    return left
