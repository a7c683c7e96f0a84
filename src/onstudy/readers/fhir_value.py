"""A FHIR value[x] as a reading for the slot it goes into: quantities, concepts, ranges, words, dates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from onstudy.readers.dates import read_when, write_when
from onstudy.readers.fhir_json import Coding, Json, codings, extension, flag, obj, one_coding, text, words
from onstudy.readers.fhir_own import INTERPRETATION_SYSTEMS, INTERPRETATIONS, OPEN, WHEN, YES_NO
from onstudy.readers.reading import (
    CONFLICT,
    IMPRECISE,
    NO_UNIT,
    NOT_STATED,
    OTHER,
    UNSUPPORTED,
    Reading,
    Slot,
    clip,
    measure,
    read_value,
)
from onstudy.record.catalogue import (
    BOOLEAN,
    CODE,
    COUNT,
    DATE,
    NO,
    NONE,
    ORDERED,
    QUANTITY,
    YES,
    Catalogue,
    ValueSet,
)  # fmt: skip
from onstudy.values.calendar import DateError, When, parse_when
from onstudy.values.codes import ONSTUDY, UCUM, Code, canonical_system
from onstudy.values.interval import Interval
from onstudy.values.quantity import Quantity, UnitError, bounded, factor, normalise_unit
from onstudy.values.units import table

#: With which SNOMED CT ends a full name, to say of which hierarchy the concept is: "Negative (qualifier value)".
_SEMANTIC_TAG = re.compile(r" +\((?:qualifier value|finding|disorder|situation|procedure)\)$")
_OWN_OTHER = Code(ONSTUDY, OTHER)
_COMPARATORS = ("", "<", "<=", ">=", ">")
_TWO_UNITS = "has one unit for people and another as its code: which of them is meant is not known"


def read_element(slot: Slot, node: Json, prefix: str, catalogue: Catalogue) -> Reading | None:
    """The value[x] of an element (`prefix` is "value"), or None where it has none of any sort."""
    for suffix, read in _SORTS.items():
        if node.get(prefix + suffix) is not None:
            return read(slot, node, prefix + suffix, catalogue)
    unknown = [key for key in node if key.startswith(prefix) and len(key) > len(prefix)]
    if unknown:
        return Reading(None, UNSUPPORTED, f"{clip(sorted(unknown)[0], 40)} is not read")
    return None


def _wrong(key: str) -> Reading:
    return Reading(None, UNSUPPORTED, f"{key} does not fit what is measured here")


# Numbers ------------------------------------------------------------------------------------------------


def number_of(value: object) -> float | None:
    """A JSON number as a float that is finite; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def unit_of(node: Json) -> str:
    """The unit of a Quantity: its UCUM code, else what is written for people."""
    return _unit(text(node, "code"), text(node, "system"), text(node, "unit"))


@lru_cache(maxsize=4096)
def _unit(code: str, system: str, unit: str) -> str:
    if code and canonical_system(system) == UCUM:
        return normalise_unit(code)
    return normalise_unit(unit or code)


def contradicts(node: Json) -> bool:
    """Whether the unit of a Quantity for people and its UCUM code are two units, so that either may be meant."""
    code, unit = text(node, "code"), text(node, "unit")
    return code != unit and bool(code and unit) and _differ(code, text(node, "system"), unit)


@lru_cache(maxsize=4096)
def _differ(code: str, system: str, unit: str) -> bool:
    """Whether both are usual units, and not one in two spellings; what UCUM has in braces is no part of a unit."""
    if canonical_system(system) != UCUM:
        return False
    one, other = normalise_unit(code), normalise_unit(unit)
    if not {one, other} <= table().scales.keys() or _REMARK.sub("", one) == _REMARK.sub("", other):
        return False
    try:
        return factor(other, one) != 1
    except UnitError:
        return True


_REMARK = re.compile(r"\{[^{}]*\}")


def read_quantity(slot: Slot, node: Json, key: str, unit: str = "") -> Reading:
    """A Quantity element; `unit` is used where it has none."""
    number = number_of(node.get("value"))
    comparator = text(node, "comparator")
    if number is None or comparator not in _COMPARATORS:
        what = "value" if number is None else "comparator"
        return Reading(None, IMPRECISE if node.get("value") is not None else NOT_STATED, f"{key} has no usable {what}")
    own = unit_of(node) or unit
    try:
        quantity = Quantity(bounded(number, comparator), own, comparator)
    except UnitError:
        return Reading(None, IMPRECISE, f"{key} is not a measured value")
    if contradicts(node):
        said = measure(slot, quantity, "").detected
        shown = clip(f"{comparator}{node['value']} {text(node, 'unit')} or {own}")
        return Reading(None, NO_UNIT, f"{key} {_TWO_UNITS}", said, shown)
    return measure(slot, quantity, f"{comparator}{node['value']} {own}".strip())


def _quantity(slot: Slot, node: Json, key: str, catalogue: Catalogue) -> Reading:
    element = obj(node, key)
    if slot.type in (QUANTITY, COUNT):
        return read_quantity(slot, element, key)
    if slot.type in (CODE, ORDERED):
        return _numbered_word(slot, number_of(element.get("value")), key)
    return _wrong(key)


def _numbered_word(slot: Slot, number: float | None, key: str) -> Reading:
    """A class or stage that is written as a number."""
    assert slot.values is not None, "a slot of codes has a value set"
    if number is None or slot.values.find(f"{number:g}") is None:
        return _wrong(key)
    return read_value(slot, f"{number:g}")


def _integer(slot: Slot, node: Json, key: str, catalogue: Catalogue) -> Reading:
    number = number_of(node[key])
    if number is None:
        return _wrong(key)
    if slot.type in (QUANTITY, COUNT):
        return measure(slot, Quantity(bounded(number), ""), f"{node[key]}")
    return _numbered_word(slot, number, key) if slot.type in (CODE, ORDERED) else _wrong(key)


def _range(slot: Slot, node: Json, key: str, catalogue: Catalogue) -> Reading:
    """A Range: both bounds in one unit, either of which may be left out."""
    if slot.type not in (QUANTITY, COUNT):
        return _wrong(key)
    element = obj(node, key)
    low, high = obj(element, "low"), obj(element, "high")
    numbers = number_of(low.get("value")), number_of(high.get("value"))
    units = {unit for part in (low, high) if (unit := unit_of(part))}
    if numbers == (None, None) or len(units) > 1:
        return Reading(None, IMPRECISE, f"{key} has no bounds in one unit")
    if contradicts(low) or contradicts(high):
        return Reading(None, NO_UNIT, f"{key} {_TWO_UNITS}")
    opens = [flag(extension(part, OPEN), "valueBoolean") is True for part in (low, high)]
    try:
        span = Interval(numbers[0], numbers[1], opens[0], opens[1])
    except ValueError:
        return Reading(None, IMPRECISE, f"{key} ends before it begins")
    unit = next(iter(units), "")
    shown = f"{'' if numbers[0] is None else low['value']}..{'' if numbers[1] is None else high['value']} {unit}"
    return measure(slot, Quantity(span, unit), shown.strip())


# Words and codes ----------------------------------------------------------------------------------------


def _concept(slot: Slot, node: Json, key: str, catalogue: Catalogue) -> Reading:
    element = obj(node, key)
    return read_concept(slot, codings(element), words(element), key, catalogue)


def _coding(slot: Slot, node: Json, key: str, catalogue: Catalogue) -> Reading:
    element = obj(node, key)
    display = text(element, "display")
    return read_concept(slot, one_coding(element), [display] if display else [], key, catalogue)


def read_concept(slot: Slot, found: list[Coding], said: list[str], key: str, catalogue: Catalogue) -> Reading:
    """A concept: by its codes, which are synonyms, else by what it says in words."""
    shown = clip(next(iter([*said, *(coding.code.code for coding in found)]), ""))
    if slot.type in (CODE, ORDERED):
        assert slot.values is not None, "a slot of codes has a value set"
        meant = [codes for coding in found if (codes := _member(slot.values, coding, catalogue))]
        if meant:
            reading = _synonyms(meant, shown, key)
            named = slot.values.label_of(frozenset.intersection(*meant)) if not said else None
            return replace(reading, shown=named) if named else reading
    if slot.type in (BOOLEAN, NONE):
        answers = {answer for coding in found if (answer := _yes_no(coding, catalogue))}
        if answers:
            return Reading(frozenset(answers), shown=shown) if len(answers) == 1 else _contradiction(key)
    if slot.results is not None:
        detected = {d for coding in found if (d := _result(slot.results, coding, catalogue))}
        if len(detected) == 1:
            return Reading(None, NOT_STATED, detected=YES if detected == {"positive"} else NO, shown=shown)
    for word in said:
        reading = read_value(slot, without_tag(word), own=False)
        if not reading.wrong:
            return reading
    return Reading(None, NOT_STATED, f"{key} has no code or word that is known for it")


def without_tag(word: str) -> str:
    """Words without the semantic tag of a full name of SNOMED CT."""
    return _SEMANTIC_TAG.sub("", word)


def _member(values: ValueSet, coding: Coding, catalogue: Catalogue) -> frozenset[str]:
    found = catalogue.member(values.name, coding.code)
    if found is not None:
        return values.meaning(found[0])
    if values.open and coding.code == _OWN_OTHER:
        return values.meaning(OTHER)
    word = _interpretation(coding)
    return values.meaning(word) if word in values.members else frozenset()


def _interpretation(coding: Coding) -> str:
    system = coding.code.system
    return INTERPRETATIONS.get(coding.code.code, "") if system in INTERPRETATION_SYSTEMS else ""


def _result(results: ValueSet, coding: Coding, catalogue: Catalogue) -> str:
    found = catalogue.member(results.name, coding.code)
    return found[0] if found is not None else _interpretation(coding)


def _synonyms(meant: list[frozenset[str]], shown: str, key: str) -> Reading:
    """Codes of one concept mean the same: the narrower holds; where they exclude each other it is either."""
    common = frozenset.intersection(*meant)
    if common:
        return Reading(common, shown=shown)
    return Reading(frozenset().union(*meant), wrong=f"{key} has codes that mean different things", shown=shown)


def _yes_no(coding: Coding, catalogue: Catalogue) -> str:
    if coding.code.system == YES_NO:
        return {"Y": YES, "N": NO}.get(coding.code.code, "")
    found = catalogue.member("yes_no", coding.code)
    if found is not None:
        return found[0]
    return {"positive": YES, "negative": NO}.get(_interpretation(coding), "")


def _contradiction(key: str) -> Reading:
    return Reading(None, CONFLICT, f"{key} has codes that mean different things")


def interpreted(concepts: list[Json]) -> str:
    """What the interpretations of a result say: "positive", "negative", or nothing certain."""
    said = {word for concept in concepts for coding in codings(concept) if (word := _interpretation(coding))}
    return said.pop() if len(said) == 1 else ""


def _code(slot: Slot, node: Json, key: str, catalogue: Catalogue) -> Reading:
    """A code without a system, as the project's own extensions have it."""
    return _word(slot, node[key], key, own=True)


def _string(slot: Slot, node: Json, key: str, catalogue: Catalogue) -> Reading:
    return _word(slot, node[key], key, own=False)


def _word(slot: Slot, value: object, key: str, own: bool) -> Reading:
    if not isinstance(value, str):
        return _wrong(key)
    reading = read_value(slot, value, own=own)
    return reading if not reading.wrong else replace(reading, wrong=f"{key} {reading.wrong}")


def _boolean(slot: Slot, node: Json, key: str, catalogue: Catalogue) -> Reading:
    value = flag(node, key)
    if value is None:
        return _wrong(key)
    if slot.type in (BOOLEAN, NONE):
        return Reading(frozenset({YES if value else NO}), shown=YES if value else NO)
    word = "positive" if value else "negative"
    if slot.values is not None and word in slot.values.members:
        return Reading(slot.values.meaning(word), shown=word)
    if slot.results is not None:
        return Reading(None, NOT_STATED, detected=YES if value else NO, shown=word)
    return _wrong(key)


# Dates --------------------------------------------------------------------------------------------------


def date_of(node: Json, key: str) -> tuple[When | None, str]:
    """The moment of a date element, and what is wrong with it if it cannot be read.

    The project's own extension on the element says it exactly; else the element's own text counts.
    """
    beside = node.get(f"_{key}")
    exact = text(extension(beside, WHEN), "valueString") if beside is not None else ""
    if not exact and node.get(key) is None:
        return None, ""
    when = _read_when(exact) if exact else _parse_when(text(node, key))
    return when, "" if when is not None else f"{key} is not a date"


@lru_cache(maxsize=8192)
def _parse_when(written: str) -> When | None:
    """The moment a FHIR date means; many results of a record share theirs. None where it is no date."""
    try:
        return parse_when(written)
    except DateError:
        return None


def _read_when(written: str) -> When | None:
    try:
        return read_when(written)
    except DateError:
        return None


def _date(slot: Slot, node: Json, key: str, catalogue: Catalogue) -> Reading:
    if slot.type != DATE:
        return _wrong(key)
    when, wrong = date_of(node, key)
    return Reading(when, NOT_STATED if when is None else None, wrong, shown="" if when is None else write_when(when))


_Read = Callable[[Slot, Json, str, Catalogue], Reading]
_SORTS: dict[str, _Read] = {
    "Quantity": _quantity,
    "Integer": _integer,
    "Decimal": _integer,
    "Range": _range,
    "CodeableConcept": _concept,
    "Coding": _coding,
    "Code": _code,
    "String": _string,
    "Boolean": _boolean,
    "DateTime": _date,
    "Date": _date,
    "Instant": _date,
}


def is_value(node: Any) -> bool:
    """Whether an element has a value of any sort."""
    return isinstance(node, dict) and any(key.startswith("value") and len(key) > 5 for key in node)
