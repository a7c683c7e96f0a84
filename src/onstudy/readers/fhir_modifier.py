"""`modifierExtension`: content that changes what a resource means, of which none is known here.

FHIR R4 (extensibility.html#modifierExtension): who does not understand it must not process the element as if it were
absent. The resource is kept, and says nothing for sure: a result without its value, anything else as what may be there.
So it is with an element that changes the meaning and cannot be read, for it has not the shape of one (`fhir_shape`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from onstudy.readers.fhir_chart import Chart, without_value
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import Json, items, references
from onstudy.readers.fhir_shape import MODIFIERS, SHAPES, misshapen
from onstudy.readers.reading import UNSUPPORTED, not_understood
from onstudy.readers.timing import Times, place
from onstudy.record.catalogue import NONE
from onstudy.record.patient import Fact

_MODIFIER = "modifierExtension"
#: Elements that are read and may hold one of their own; in any of them it stands for the whole resource.
_BACKBONES = ("component", "referenceRange", "dosage", "dosageInstruction", "collection", "ingredient")


def says_other(chart: Chart, entry: Entry) -> bool:
    """Whether a resource, or the Medication it names as its drug, has content that changes its meaning."""
    if is_modified(entry.resource):
        return True
    drug = references(entry.resource, "medicationReference") if "medicationReference" in entry.resource else ()
    return any(is_modified(target.resource) for target in chart.index.all(drug, entry))


def is_modified(node: Json) -> bool:
    """Whether a resource, or an element of it that is read, has content that changes its meaning."""
    if items(node, _MODIFIER):
        return True
    return any(is_modified(part) for name in _BACKBONES if name in node for part in items(node, name))


def unsure(chart: Chart, entry: Entry, facts: Iterable[Fact], why: str) -> list[Fact]:
    """The facts of such a resource: each is kept, and whether and how it holds is not known."""
    chart.say(entry, f"{why}: what it says is not certain")
    return [fact if fact.kind not in chart.catalogue.kinds else _unsure(chart, fact) for fact in facts]


def say_shapes(chart: Chart, entry: Entry) -> bool:
    """Say which elements of a resource have a shape that is not theirs; whether there are any."""
    wrong = dict.fromkeys(misshapen(entry.resource, SHAPES[entry.type]))
    for what in wrong:
        chart.gather(what, entry.where)
    return bool(wrong)


def well_shaped(chart: Chart, entry: Entry, facts: list[Fact]) -> list[Fact]:
    """The facts of a resource, less what is not certain where elements of it have a shape that is not theirs."""
    wrong = say_shapes(chart, entry)
    modifying = list(misshapen(entry.resource, MODIFIERS[entry.type]))
    if modifying:
        return unsure(chart, entry, facts, modifying[0].partition(":")[0])
    if wrong and any(fact.negative for fact in facts):
        chart.drop(entry, "a 'no' that is not wholly understood is not used: it could deny too much")
        return [fact for fact in facts if not fact.negative]
    return facts


def _unsure(chart: Chart, fact: Fact) -> Fact:
    """A "no" may be none: it is read as something that may be there, of which only the day of record is known."""
    kind = chart.catalogue.kinds[fact.kind]
    if fact.negative:
        placed = place(kind, Times(recorded=fact.recorded))
        fact = replace(fact, negative=False, narrowed=None, start=placed.start, end=placed.end, shown="")
    found = without_value(fact, UNSUPPORTED)
    if kind.value == NONE:
        found = replace(found, lacks=UNSUPPORTED)
    return replace(found, attributes={**found.attributes, **not_understood(fact.kind, chart.catalogue)})
