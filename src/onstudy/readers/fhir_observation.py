"""Observation: results with units, limits, comparators and interpretations; panels, components, attestations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onstudy.readers.dates import spanning
from onstudy.readers.fhir_chart import Chart, Meaning, meanings, named
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import (
    Json,
    code_in,
    codings,
    extension,
    extensions,
    flag,
    items,
    obj,
    references,
    text,
)
from onstudy.readers.fhir_own import ABSENT_REASON, ONE_OF, ONGOING
from onstudy.readers.fhir_value import interpreted, read_element, read_quantity, unit_of
from onstudy.readers.reading import (
    CONFLICT,
    LACKS,
    NOT_STATED,
    PENDING,
    Reading,
    Slot,
    read_limit,
    slot_of,
)
from onstudy.readers.timing import Times
from onstudy.record.catalogue import COUNT, NO, NONE, QUANTITY, YES, Kind
from onstudy.record.patient import Fact, Value
from onstudy.values.calendar import UNDATED
from onstudy.values.codes import ONSTUDY
from onstudy.values.interval import Interval
from onstudy.values.quantity import UnitError, parse_quantity

_FINAL = ("final", "amended", "corrected", "appended", "")
_OPEN = ("registered", "preliminary", "partial")
_NO_RESULT = ("cancelled", "entered-in-error")
_OTHERS = ("Patient", "RelatedPerson", "Group", "Device", "Practitioner", "Location", "Organization")
#: Why a value is absent, where that says there never was a result.
_NEVER_A_RESULT = ("not-performed", "error", "not-applicable", "not-permitted", "unsupported")


def read_observation(chart: Chart, entry: Entry) -> list[Fact]:
    """The facts of an Observation."""
    resource = entry.resource
    status = text(resource, "status")
    if status in _NO_RESULT:
        return chart.drop(entry, f"its status is {status}: that is no result")
    if _about_another(chart, entry):
        return chart.drop(entry, "its focus is somebody or something else than the patient: not used")
    absent = _absent(resource)
    if absent in _NEVER_A_RESULT:
        return chart.drop(entry, f"there is no result (dataAbsentReason {absent})")
    if status not in (*_FINAL, *_OPEN, "unknown"):
        chart.say(entry, "has a status that is not known, so its value is not")
        resource = {key: value for key, value in resource.items() if not key.startswith("value")}
    times = _times(chart, entry)
    found = chart.means(entry, codings(obj(resource, "code")))
    facts = [fact for meaning in found for fact in _of_meaning(chart, entry, resource, meaning, times)]
    composite = any(meaning.kind.components for meaning in found)
    facts += [] if composite else _loose_components(chart, entry, found, times)
    if facts or found or references(resource, "hasMember"):
        return named(facts)
    return chart.unmapped(entry, resource.get("code"), times)


def _about_another(chart: Chart, entry: Entry) -> bool:
    """Whether the focus is another person or thing; a condition or procedure of the patient's is none."""
    for reference in references(entry.resource, "focus"):
        target = chart.index.find(reference, entry)
        kind = target.type if target is not None else reference.split("/")[-2:][0]
        if kind in _OTHERS:
            return True
    return False


def _absent(node: Json) -> str:
    return code_in(node.get("dataAbsentReason"), ABSENT_REASON)


def _times(chart: Chart, entry: Entry) -> Times:
    times = chart.timing(entry, "effective")
    recorded = chart.recorded(entry, "issued")
    if times == Times() and text(entry.resource, "issued"):
        chart.say(entry, "has no effective date: it is dated by its issue")
        return Times(on=chart.date(entry, entry.resource, "issued"), recorded=recorded)
    going = True if flag(extension(entry.resource, ONGOING), "valueBoolean") is True else None
    return replace(times, recorded=recorded, going=going)


def _of_meaning(chart: Chart, entry: Entry, resource: Json, meaning: Meaning, times: Times) -> list[Fact]:
    kind = meaning.kind
    if kind.components:
        return _composite(chart, entry, resource, meaning, times)
    reading = _reading(chart, entry, kind, resource, meaning)
    if kind.value == NONE:
        return _presence(chart, entry, meaning, times, reading)
    times = _moment(times)
    fact = chart.valued(chart.positive(entry, meaning, times), kind, reading, meaning)
    return [_qualified(chart, entry, fact, kind, resource, reading)]


def _moment(times: Times) -> Times:
    """A result taken over a stretch of time lies somewhere in it."""
    if times.on is not None or (times.start is None and times.end is None):
        return times
    return replace(times, on=spanning(times.start or UNDATED, times.end), start=None, end=None)


def _reading(chart: Chart, entry: Entry, kind: Kind, node: Json, meaning: Meaning | None) -> Reading | None:
    """What the value, its absence, the status and the interpretations say together."""
    one_of = list(extensions(node, ONE_OF))
    if one_of:
        return _either(chart, entry, kind, one_of)
    reading = chart.read(entry, kind, node)
    if reading is None:
        reading = _no_value(chart, entry, kind, node, meaning)
    word = interpreted(items(node, "interpretation"))
    slot = slot_of(kind, chart.catalogue)
    if word and slot.values is not None and word in slot.values.members:
        return _with_interpretation(chart, entry, reading, slot.values.meaning(word))
    if word and slot.results is not None:
        return _with_detection(chart, entry, reading, YES if word == "positive" else NO)
    return reading


def _either(chart: Chart, entry: Entry, kind: Kind, nodes: list[Json]) -> Reading:
    slot = slot_of(kind, chart.catalogue)
    readings = [read_element(slot, node, "value", chart.catalogue) for node in nodes]
    codes = [r.value for r in readings if r is not None and isinstance(r.value, frozenset)]
    if len(codes) < len(readings):
        chart.say(entry, "its value is one of several codes, and not all of them are known")
        return Reading(None, NOT_STATED)
    return Reading(frozenset().union(*codes), shown=" or ".join(r.shown for r in readings if r is not None))


def _no_value(chart: Chart, entry: Entry, kind: Kind, node: Json, meaning: Meaning | None) -> Reading | None:
    for coding in codings(node.get("dataAbsentReason")):
        if coding.code.system == ONSTUDY and coding.code.code in LACKS:
            return Reading(None, coding.code.code)
    absent = _absent(node)
    if text(entry.resource, "status") in _OPEN or absent == "temp-unknown":
        return Reading(None, PENDING)
    if absent:
        return Reading(None, NOT_STATED)
    if kind.value != NONE and ((meaning and meaning.value) or items(node, "interpretation")):
        return None
    if not chart.attributes(entry, kind, {}):
        chart.say(entry, f"has no value for {kind.name}")
    return Reading(None, NOT_STATED)


def _with_interpretation(chart: Chart, entry: Entry, reading: Reading | None, said: frozenset[str]) -> Reading:
    if reading is None or (reading.value is None and reading.lacks != PENDING):
        return Reading(said, shown=next(iter(sorted(said))))
    if isinstance(reading.value, frozenset) and not reading.value & said:
        chart.say(entry, "its value and its interpretation contradict each other: the result is unknown")
        return Reading(None, CONFLICT)
    return reading


def _with_detection(chart: Chart, entry: Entry, reading: Reading | None, said: str) -> Reading:
    if reading is None:
        return Reading(None, NOT_STATED, detected=said)
    if reading.detected and reading.detected != said:
        chart.say(entry, "its value and its interpretation contradict each other on detection")
        return replace(reading, detected="")
    return replace(reading, detected=said)


def _presence(chart: Chart, entry: Entry, meaning: Meaning, times: Times, reading: Reading | None) -> list[Fact]:
    """A yes, a no, or an open question about something that is there or not."""
    said = reading.value if reading is not None else frozenset({NO if meaning.negative else YES})
    if said == frozenset({NO}):
        return chart.negative(entry, meaning, times)
    fact = chart.positive(entry, meaning, times)
    if said is None and reading is not None:
        return [replace(fact, lacks=reading.lacks or NOT_STATED)]
    return [fact]


# Limits and detection -----------------------------------------------------------------------------------


def _qualified(chart: Chart, entry: Entry, fact: Fact, kind: Kind, node: Json, reading: Reading | None) -> Fact:
    """The result with its laboratory's limits and whether anything was detected."""
    if kind.value in (QUANTITY, COUNT):
        low, high = _limits(chart, entry, slot_of(kind, chart.catalogue), node)
        fact = replace(fact, uln=high, lln=low)
    if reading is None or not reading.detected:
        return fact
    return replace(fact, attributes=_detection(chart, entry, fact.attributes, reading.detected))


def _detection(chart: Chart, entry: Entry, attributes: Mapping[str, Value], said: str) -> dict[str, Value]:
    stated = attributes.get("detected", frozenset({said}))
    if stated is not None and stated != frozenset({said}):
        chart.say(entry, "detected and the value say different things: detection is unknown")
        return {**attributes, "detected": None}
    return {**attributes, "detected": stated}


def _limits(chart: Chart, entry: Entry, slot: Slot, node: Json) -> tuple[Interval | None, Interval | None]:
    """Lower and upper limit of normal, in the slot's unit; none where ranges for different people differ."""
    unit = unit_of(obj(node, "valueQuantity"))
    found: set[tuple[Interval | None, Interval | None]] = set()
    for part in items(node, "referenceRange"):
        if part.get("type") and not _of_the_healthy(part):
            continue
        low = _limit(chart, entry, slot, part, "low", unit)
        high = _limit(chart, entry, slot, part, "high", unit)
        if low is None and high is None:
            low, high = _limits_in_words(slot, text(part, "text"), unit)
        if low is not None or high is not None:
            found.add((low, high))
    if len(found) > 1:
        chart.say(entry, "has several reference ranges that differ: none is used")
        return None, None
    return found.pop() if found else (None, None)


def _of_the_healthy(part: Json) -> bool:
    """Whether a range that states its type is the normal one; a type that is not understood gives no limit."""
    kinds = {coding.code.code for coding in codings(part.get("type"))}
    said = text(obj(part, "type"), "text").strip().lower()
    return "normal" in kinds or (not kinds and said in ("normal", "normal range", "reference range"))


def _limit(chart: Chart, entry: Entry, slot: Slot, part: Json, side: str, unit: str) -> Interval | None:
    element = obj(part, side)
    if not element:
        return None
    reading = read_quantity(replace(slot, results=None), element, f"referenceRange.{side}", unit)
    if reading.wrong:
        chart.say(entry, f"referenceRange.{side} {reading.wrong}")
    return reading.value if isinstance(reading.value, Interval) and reading.value.exact else None


def _limits_in_words(slot: Slot, said: str, unit: str) -> tuple[Interval | None, Interval | None]:
    """A range that is only text, such as "0.2-1.2 mg/dL" or "<40 U/L"."""
    try:
        quantity = parse_quantity(said) if said else None
    except UnitError:
        quantity = None
    if quantity is None or quantity.interval.exact:
        return None, None
    own = quantity.unit or unit
    bounds = []
    for bound in (quantity.interval.low, quantity.interval.high):
        value = read_limit(slot, f"{bound!r}", own).value if bound is not None else None
        bounds.append(value if isinstance(value, Interval) else None)
    return bounds[0], bounds[1]


# Components ---------------------------------------------------------------------------------------------


def _composite(chart: Chart, entry: Entry, resource: Json, meaning: Meaning, times: Times) -> list[Fact]:
    """One sample's results as one fact with parts; without any of its own it says nothing."""
    reading = chart.read(entry, meaning.kind, resource)
    if reading is not None and reading.value == frozenset({NO}):
        return chart.negative(entry, meaning, times)
    whole = chart.positive(entry, meaning, _moment(times))
    parts: dict[str, Fact] = {}
    for name, (part_meaning, component) in _components(chart, entry, meaning.kind).items():
        part = _part(chart, entry, whole, part_meaning, component)
        if part is not None:
            parts[name] = replace(part, id=f"{whole.id}.{name}")
    if parts:
        return [replace(whole, parts=parts)]
    if text(resource, "status") in _OPEN:
        return [replace(whole, lacks=PENDING)]
    if not references(resource, "hasMember"):
        return chart.drop(entry, f"has no component that {meaning.kind.name} knows")
    return []


def _components(chart: Chart, entry: Entry, kind: Kind) -> dict[str, tuple[Meaning, Json]]:
    names = {component: name for name, component in kind.components.items()}
    attributes = chart.catalogue.attributes(kind.name)
    found: dict[str, tuple[Meaning, Json]] = {}
    for component in items(entry.resource, "component"):
        known = codings(component.get("code"))
        if any(c.code.system == ONSTUDY and c.code.code in attributes for c in known):
            continue
        meant = [m for m in meanings(known, chart.catalogue) if m.kind.name in names]
        if not meant:
            chart.unknown(known, f"{entry.where} component")
        for meaning in meant:
            if names[meaning.kind.name] in found:
                chart.say(entry, f"has {meaning.kind.name} twice: the first counts", kept=False)
                continue
            found[names[meaning.kind.name]] = (meaning, component)
    return found


def _part(chart: Chart, entry: Entry, whole: Fact, meaning: Meaning, component: Json) -> Fact | None:
    absent = _absent(component)
    if absent in _NEVER_A_RESULT:
        chart.say(entry, f"there is no result of {meaning.kind.name} (dataAbsentReason {absent})", kept=False)
        return None
    reading = _reading(chart, entry, meaning.kind, component, meaning)
    part = Fact(
        id=whole.id,
        kind=meaning.kind.name,
        start=whole.start,
        certain=whole.certain,
        recorded=chart.recorded_beside(entry, component) or whole.recorded,
        sample=whole.sample,
        source=whole.source,
        attributes=dict(meaning.sets),
        code_status=meaning.code_status,
    )
    part = chart.valued(part, meaning.kind, reading, meaning)
    return _qualified(chart, entry, part, meaning.kind, component, reading)


def _loose_components(chart: Chart, entry: Entry, found: list[Meaning], times: Times) -> list[Fact]:
    """Components of an Observation that is no composite itself: results of one sample, which it names."""
    attributes = {name for meaning in found for name in chart.catalogue.attributes(meaning.kind.name)}
    facts: list[Fact] = []
    for number, component in enumerate(items(entry.resource, "component")):
        known = codings(component.get("code"))
        if any(c.code.system == ONSTUDY and c.code.code in attributes for c in known):
            continue
        meant = [m for m in meanings(known, chart.catalogue) if m.kind.value != NONE]
        for meaning in meant:
            whole = chart.frame(entry, meaning, _moment(times))
            part = _part(chart, entry, replace(whole, sample=whole.sample or entry.where), meaning, component)
            if part is not None:
                facts.append(replace(part, id=f"{whole.id}.component[{number}]"))
        if not meant:
            chart.unknown(known, f"{entry.where} component[{number}]")
    return facts
