"""Elements of written FHIR: codes, dates, values, limits and the project's extensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onstudy.readers.dates import write_when
from onstudy.readers.fhir_own import ATTRIBUTE, CODES, ONE_OF, OPEN, RECORDED, WHEN
from onstudy.readers.reading import OTHER
from onstudy.record.catalogue import BOOLEAN, COUNT, YES, Attribute, Catalogue, CodeUse, Kind, ValueSet
from onstudy.record.patient import Fact, Value
from onstudy.values.calendar import When, parse_when, show
from onstudy.values.codes import UCUM
from onstudy.values.interval import Interval

Json = dict[str, Any]


def is_gender(fact: Fact) -> bool:
    """Whether a fact is the sex that stands with the patient and not among the facts."""
    return fact.kind == "sex" and fact.id == "sex" and fact.value in (frozenset({"male"}), frozenset({"female"}))


# Codes --------------------------------------------------------------------------------------------------


def own_coding(code: str, display: str = "") -> Json:
    """A coding of the project's own system."""
    return {"system": CODES, "code": code, **({"display": display} if display else {})}


def code_of(kind: Kind, fact: Fact, catalogue: Catalogue) -> Json:
    """The concept of a kind: a public code that says exactly what the fact says, and the project's own."""
    public = [
        {"system": use.code.system, "code": use.code.code}
        for use in kind.codes
        if use.code.system != CODES and _says_the_same(use, kind, fact, catalogue)
    ]
    return {"coding": [*public[:1], own_coding(kind.name, kind.label)], "text": kind.label}


def _says_the_same(use: CodeUse, kind: Kind, fact: Fact, catalogue: Catalogue) -> bool:
    """Whether a code, read back, gives this kind alone and nothing that the fact does not say itself."""
    if use.status != "V" or use.code.code.endswith("-") or use.history or use.negative or use.value is not None:
        return False
    if [name for name, _ in catalogue.lookup(use.code)] != [kind.name]:
        return False
    if fact.negative and use.sets:
        return False
    for name, word in use.sets.items():
        values = catalogue.codes_of(kind.name, name)
        meant = values.meaning(word) if values is not None and word in values.members else frozenset({word})
        if fact.attributes.get(name) != meant:
            return False
    return True


def member_name(values: ValueSet, codes: Value) -> str | None:
    """The one word that means exactly these codes; None where there is none."""
    if not isinstance(codes, frozenset):
        return None
    if values.open and codes == values.meaning(OTHER):
        return OTHER
    return next((name for name in sorted(codes & set(values.members)) if values.meaning(name) == codes), None)


def value_concept(values: ValueSet, codes: Value, catalogue: Catalogue, alone: bool = False) -> Json | None:
    """A concept for a set of codes that one word means; None where none does.

    `alone`: without public codes that name a kind of fact as well.
    """
    name = member_name(values, codes)
    if name is None:
        return None
    if name == OTHER:
        return {"coding": [own_coding(OTHER, OTHER)]}
    member = values.members[name]
    public = [
        {"system": use.code.system, "code": use.code.code}
        for use in member.codes
        if _means_member(use, values, name, catalogue) and not (alone and catalogue.lookup(use.code))
    ]
    return {"coding": [*public[:1], own_coding(name, member.label)]}


def _means_member(use: CodeUse, values: ValueSet, name: str, catalogue: Catalogue) -> bool:
    """Whether a code, read back, is that member and no other."""
    if use.status != "V" or use.code.system == CODES or use.code.code.endswith("-"):
        return False
    found = catalogue.member(values.name, use.code)
    return found is not None and found[0] == name


# Dates --------------------------------------------------------------------------------------------------


def dated(key: str, when: When, date_only: bool = False) -> Json:
    """A date element: what FHIR can say of the moment, and the project's own form where that is less."""
    if not when.known:
        return {}
    written = _fhir_date(when, date_only)
    found: Json = {key: written} if written else {}
    if not written or parse_when(written) != when:
        found[f"_{key}"] = {"extension": [{"url": WHEN, "valueString": write_when(when)}]}
    return found


def _fhir_date(when: When, date_only: bool) -> str:
    """A date or date-time as FHIR allows it: a time of day only with its offset; "" for what has no form."""
    text = show(when)
    if ".." in text or " " in text:
        return ""
    day, _, clock = text.partition("T")
    if not clock or date_only or when.offset is None:
        return day
    zone = clock[-1:] if clock.endswith("Z") else clock[-6:]
    clock = clock[: -len(zone)]
    return f"{day}T{clock}{':00' if len(clock) == 5 else ''}{zone}"


def recorded_extension(when: When) -> Json:
    """The day of record as an extension: a date-time of FHIR, or the project's own form."""
    found = dated("valueDateTime", when)
    value = found if set(found) == {"valueDateTime"} else {"valueString": write_when(when)}
    return {"url": RECORDED, **value}


def period(key: str, start: When, end: When | None) -> Json:
    """A Period element; nothing where neither side is known."""
    found = dated("start", start)
    if end is not None:
        found.update(dated("end", end))
    return {key: found} if found else {}


# Values -------------------------------------------------------------------------------------------------


def quantity(number: float, unit: str, comparator: str = "") -> Json:
    """A Quantity in UCUM; whole numbers without a decimal point."""
    found: Json = {"value": int(number) if float(number).is_integer() and abs(number) < 1e15 else number}
    if comparator:
        found["comparator"] = comparator
    if unit:
        found |= {"unit": unit, "system": UCUM, "code": unit}
    return found


def interval_value(value: Interval, unit: str) -> Json:
    """value[x] of a number between bounds."""
    if value.exact and value.low is not None:
        return {"valueQuantity": quantity(value.low, unit)}
    if value.low is None and value.high is not None:
        return {"valueQuantity": quantity(value.high, unit, "<" if value.high_open else "<=")}
    if value.high is None and value.low is not None:
        return {"valueQuantity": quantity(value.low, unit, ">" if value.low_open else ">=")}
    found: Json = {}
    for side, bound, is_open in (("low", value.low, value.low_open), ("high", value.high, value.high_open)):
        assert bound is not None, "a value without any bound is written as absent"
        found[side] = quantity(bound, unit)
        if is_open:
            found[side]["extension"] = [{"url": OPEN, "valueBoolean": True}]
    return {"valueRange": found}


def set_value(node: Json, kind: Kind, value: Value, catalogue: Catalogue) -> list[Json]:
    """Put the value of a kind into an Observation or component; returns extensions that go with it."""
    if isinstance(value, Interval):
        if kind.value == COUNT and value.exact and value.low is not None:
            node["valueInteger"] = int(value.low)
        else:
            node.update(interval_value(value, kind.unit if kind.value != COUNT else "1"))
    elif isinstance(value, When):
        node["valueString"] = write_when(value)
    elif isinstance(value, frozenset):
        values = catalogue.codes_of(kind.name)
        assert values is not None, "a kind with codes has a value set"
        concept = value_concept(values, value, catalogue)
        if concept is None:
            return [{"url": ONE_OF, "valueCoding": own_coding(code)} for code in sorted(value)]
        node["valueCodeableConcept"] = concept
    return []


def value_limits(kind: Kind, fact: Fact) -> Json:
    """The reference range, in the unit of the kind."""
    sides = {
        side: quantity(limit.low, kind.unit)
        for side, limit in (("low", fact.lln), ("high", fact.uln))
        if limit is not None and limit.low is not None
    }
    return {"referenceRange": [sides]} if sides else {}


# Attributes ---------------------------------------------------------------------------------------------


def attribute_extensions(kind: Kind, attributes: Mapping[str, Value], catalogue: Catalogue) -> list[Json]:
    """The extensions that say what is known, or known to be unknown, of each attribute."""
    found: list[Json] = []
    for name in sorted(attributes):
        entry = catalogue.attribute(kind.name, name)
        assert entry is not None, f"{kind.name} has no attribute {name}"
        url = f"{ATTRIBUTE}{name}"
        found += [{"url": url, **value} for value in _attribute_values(entry, attributes[name], catalogue)]
    return found


def _attribute_values(entry: Attribute, value: Value, catalogue: Catalogue) -> list[Json]:
    """value[x] of an attribute, several where it is one of several codes."""
    if value is None:
        return [{"valueString": "unknown"}]
    if isinstance(value, When):
        return [{"valueString": write_when(value)}]
    if isinstance(value, Interval):
        unit = entry.unit if entry.type != COUNT else "1"
        return [interval_value(value, unit)]
    if entry.type == BOOLEAN:
        return [{"valueBoolean": code == YES} for code in sorted(value)]
    values = catalogue.value_sets[entry.values]
    concept = value_concept(values, value, catalogue)
    if concept is not None:
        return [{"valueCodeableConcept": concept}]
    return [{"valueCode": code} for code in sorted(value)]
