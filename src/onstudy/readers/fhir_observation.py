"""Observation: results with units, limits, comparators and interpretations; panels, components, attestations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from onstudy.readers.dates import spanning
from onstudy.readers.fhir_chart import Chart, named, valued, without_value
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
from onstudy.readers.fhir_meaning import Meaning
from onstudy.readers.fhir_own import ABSENT_REASON, ONE_OF, ONGOING
from onstudy.readers.fhir_range import NO_LIMITS, Limits, of_person
from onstudy.readers.fhir_status import FINAL, NO_RESULT, OPEN, says_withheld, without_result
from onstudy.readers.fhir_value import contradicts, interpreted, read_element, unit_of
from onstudy.readers.reading import (
    CONFLICT,
    LACKS,
    NOT_STATED,
    PENDING,
    UNCLEAR,
    UNSUPPORTED,
    Reading,
)
from onstudy.readers.timing import Times, empty_negative
from onstudy.record.catalogue import COUNT, NO, NONE, QUANTITY, YES, Catalogue, Kind
from onstudy.record.patient import Fact, Value
from onstudy.values.calendar import UNDATED, When
from onstudy.values.codes import ONSTUDY

_OTHERS = ("Patient", "RelatedPerson", "Group", "Device", "Practitioner", "Location", "Organization")
#: Why a value is absent, where that says there never was a result.
_NEVER_A_RESULT = ("not-performed", "error", "not-applicable", "not-permitted", "unsupported")


def read_observation(chart: Chart, entry: Entry) -> list[Fact]:
    """The facts of an Observation."""
    resource = entry.resource
    status = text(resource, "status")
    if status in NO_RESULT:
        return chart.drop(entry, f"its status is {status}: that is no result")
    if _about_another(chart, entry):
        return chart.drop(entry, "its focus is somebody or something else than the patient: not used")
    absent = _absent(resource)
    if absent in _NEVER_A_RESULT:
        return chart.drop(entry, f"there is no result (dataAbsentReason {absent})")
    lacks = "" if status in FINAL else PENDING if status in OPEN else NOT_STATED
    withheld = bool(lacks) and says_withheld(chart, entry, status)
    resource = without_result(resource) if lacks else resource
    times = _times(chart, entry)
    meant = chart.means(entry, codings(obj(resource, "code")))
    measured = chart.measured(entry, meant, resource.get("code"))
    found = measured.meanings
    facts = [fact for meaning in found for fact in _of_meaning(chart, entry, resource, meaning, times)]
    if measured.doubtful:
        facts = [without_value(fact) for fact in facts if not fact.negative]
    composite = any(meaning.kind.components for meaning in found)
    facts += [] if composite else _loose_components(chart, entry, found, times)
    if lacks:
        facts = [without_value(fact, lacks) if withheld or fact.value is not None else fact for fact in facts]
    if facts or found or references(resource, "hasMember"):
        return named(facts)
    if meant:
        return chart.unused(entry, resource.get("code"), times)
    return _by_words(chart, entry, times) or chart.unmapped(entry, resource.get("code"), times)


def _by_words(chart: Chart, entry: Entry, times: Times) -> list[Fact]:
    """A result of no known code whose words name a kind: it may be its newest, and what it says is not used."""
    concept = entry.resource.get("code")
    named_kind = chart.named(concept, chart.vocabulary.results)
    measured = chart.measured(entry, (Meaning(named_kind.kind),) if named_kind is not None else (), concept)
    facts = [_unsupported(chart, entry, meaning, times) for meaning in measured.meanings]
    for fact in facts:
        what = "kept, its value is not used; map the code"
        chart.unknown_but_named(entry, chart.catalogue.kinds[fact.kind], what)
    return facts


def _unsupported(chart: Chart, entry: Entry, meaning: Meaning, times: Times) -> Fact:
    detected = {"detected": None} if "detected" in chart.catalogue.attributes(meaning.kind.name) else {}
    return chart.frame(entry, meaning, _moment(times), lacks=UNSUPPORTED, attributes=detected)


def _about_another(chart: Chart, entry: Entry) -> bool:
    """Whether the focus is another person or thing; a condition or procedure of the patient's is none."""
    if "focus" not in entry.resource:
        return False
    for reference in references(entry.resource, "focus"):
        target = chart.index.find(reference, entry)
        kind = target.type if target is not None else reference.split("/")[-2:][0]
        if kind in _OTHERS:
            return True
    return False


def _absent(node: Json) -> str:
    reason = node.get("dataAbsentReason")
    return code_in(reason, ABSENT_REASON) if reason is not None else ""


def _times(chart: Chart, entry: Entry) -> Times:
    times = chart.moment(entry, "effective")
    recorded = chart.recorded(entry, "issued")
    if times == Times() and text(entry.resource, "issued"):
        chart.say(entry, "has no effective date: it is dated by its issue")
        return Times(on=chart.date(entry, entry.resource, "issued"), recorded=recorded)
    going = True if flag(extension(entry.resource, ONGOING), "valueBoolean") is True else None
    return Times(times.on, times.start, times.end, going, recorded)


def _of_meaning(chart: Chart, entry: Entry, resource: Json, meaning: Meaning, times: Times) -> list[Fact]:
    kind = meaning.kind
    if kind.components:
        return _composite(chart, entry, resource, meaning, times)
    reading = _reading(chart, entry, kind, resource, meaning)
    if kind.value == NONE:
        return _presence(chart, entry, meaning, times, reading)
    times = _moment(times)
    attributes = chart.attributes(entry, kind, meaning.sets)
    on = times.on or UNDATED
    return [chart.frame(entry, meaning, times, **_result(chart, entry, meaning, resource, reading, on, attributes))]


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
    slot = chart.vocabulary.slot(kind)
    if word and slot.values is not None and word in slot.values.members:
        return _with_interpretation(chart, entry, reading, slot.values.meaning(word))
    if word and slot.results is not None:
        return _with_detection(chart, entry, reading, YES if word == "positive" else NO)
    return reading


def _either(chart: Chart, entry: Entry, kind: Kind, nodes: list[Json]) -> Reading:
    slot = chart.vocabulary.slot(kind)
    readings = [read_element(slot, node, "value", chart.catalogue) for node in nodes]
    codes = [r.value for r in readings if r is not None and isinstance(r.value, frozenset)]
    if len(codes) < len(readings):
        chart.say(entry, "its value is one of several codes, and not all of them are known")
        return Reading(None, NOT_STATED)
    return Reading(frozenset().union(*codes), shown=" or ".join(r.shown for r in readings if r is not None))


def _no_value(chart: Chart, entry: Entry, kind: Kind, node: Json, meaning: Meaning | None) -> Reading | None:
    lacks = _stated_lack(node)
    if lacks is not None:
        return Reading(None, lacks)
    absent = _absent(node)
    status = text(entry.resource, "status")
    if status in OPEN or absent == "temp-unknown":
        return Reading(None, PENDING)
    if status not in FINAL:
        return Reading(None, NOT_STATED)
    if absent:
        return Reading(None, NOT_STATED)
    if kind.value != NONE and ((meaning and meaning.value) or items(node, "interpretation")):
        return None
    if not chart.attributes(entry, kind, {}):
        chart.say(entry, f"has no value for {kind.name}")
    return Reading(None, NOT_STATED)


def _stated_lack(node: Json) -> str | None:
    """Why there is no value in the project's own words, which stand beside components where not all was understood."""
    found = (coding.code for coding in codings(node.get("dataAbsentReason")))
    return next((code.code for code in found if code.system == ONSTUDY and code.code in LACKS), None)


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
        return replace(reading, detected=UNCLEAR)
    return replace(reading, detected=said)


def _presence(chart: Chart, entry: Entry, meaning: Meaning, times: Times, reading: Reading | None) -> list[Fact]:
    """A yes, a no, or an open question about something that is there or not."""
    said = reading.value if reading is not None else frozenset({NO if meaning.negative else YES})
    if said == frozenset({NO}):
        return _denial(chart, entry, meaning, times)
    fact = chart.positive(entry, meaning, times)
    if said is None and reading is not None:
        return [replace(fact, lacks=reading.lacks or NOT_STATED)]
    return [fact]


def _denial(chart: Chart, entry: Entry, meaning: Meaning, times: Times) -> list[Fact]:
    """A "no", where its dates leave it any day to speak of."""
    if times.on == UNDATED or empty_negative(times):
        return chart.drop(entry, "a 'no' that ends before it begins is not used")
    return chart.negative(entry, meaning, times)


# Limits and detection -----------------------------------------------------------------------------------


def _result(
    chart: Chart,
    entry: Entry,
    meaning: Meaning,
    node: Json,
    reading: Reading | None,
    on: When,
    attributes: Mapping[str, Value],
) -> dict[str, Any]:
    """The fields of a result: its value, its laboratory's limits, its attributes with whether it was detected."""
    fields = valued(reading, meaning)
    if meaning.kind.value in (QUANTITY, COUNT):
        fields["uln"], fields["lln"] = _limits(chart, entry, meaning.kind, node, on)
    if reading is not None and reading.detected:
        attributes = _detection(chart, entry, attributes, reading.detected)
    return {**fields, "attributes": attributes}


def _detection(chart: Chart, entry: Entry, attributes: Mapping[str, Value], said: str) -> dict[str, Value]:
    if said == UNCLEAR:
        return {**attributes, "detected": None}
    stated = attributes.get("detected", frozenset({said}))
    if stated is not None and stated != frozenset({said}):
        chart.say(entry, "detected and the value say different things: detection is unknown")
        return {**attributes, "detected": None}
    return {**attributes, "detected": stated}


def _limits(chart: Chart, entry: Entry, kind: Kind, node: Json, on: When) -> Limits:
    """Upper and lower limit of normal of a result on a day; a problem where they cannot be used."""
    if not node.get("referenceRange"):
        return NO_LIMITS
    measured = obj(node, "valueQuantity")
    unit = "" if contradicts(measured) else unit_of(measured)
    parts, unfit = of_person(items(node, "referenceRange"), chart.born, chart.sex, on)
    limits, wrong = chart.ranges.limits(kind, parts, unit)
    for what in (*wrong, unfit) if unfit else wrong:
        chart.say(entry, what)
    return limits


# Components ---------------------------------------------------------------------------------------------


def _composite(chart: Chart, entry: Entry, resource: Json, meaning: Meaning, times: Times) -> list[Fact]:
    """One sample's results as one fact with parts; without any of its own it says nothing."""
    reading = chart.read(entry, meaning.kind, resource)
    if reading is not None and reading.value == frozenset({NO}):
        return _denial(chart, entry, meaning, times)
    whole = chart.positive(entry, meaning, _moment(times))
    parts: dict[str, Fact] = {}
    for name, (part_meaning, component) in _components(chart, entry, meaning.kind).items():
        part = _part(chart, entry, whole, part_meaning, component)
        if part is not None:
            parts[name] = replace(part, id=f"{whole.id}.{name}")
    lacks = _stated_lack(entry.resource)  # beside components it holds whatever the status
    if parts:
        return [replace(whole, lacks=lacks, parts=parts)]
    if text(resource, "status") in OPEN:
        return [replace(whole, lacks=PENDING)]
    if lacks is not None or (reading is not None and reading.value == frozenset({YES})):
        return [replace(whole, lacks=lacks)]
    if not references(resource, "hasMember"):
        return chart.drop(entry, f"has no component that {meaning.kind.name} knows")
    return []


def _components(chart: Chart, entry: Entry, kind: Kind) -> dict[str, tuple[Meaning, Json]]:
    names = {component: name for name, component in kind.components.items()}
    names |= _as_other_specimens(kind, chart.catalogue)
    attributes = chart.catalogue.attributes(kind.name)
    found: dict[str, tuple[Meaning, Json]] = {}
    for component in items(entry.resource, "component"):
        known = codings(component.get("code"))
        if any(c.code.system == ONSTUDY and c.code.code in attributes for c in known):
            continue
        meant = [m for m in chart.vocabulary.meanings(known) if m.kind.name in names]
        if not meant:
            chart.unknown(known, f"{entry.where} component")
        for meaning in meant:
            name = names[meaning.kind.name]
            if name in found:
                chart.say(entry, f"has {kind.components[name]} twice: the first counts", kept=False)
                continue
            found[name] = (_as(chart, entry, meaning, kind.components[name]), component)
    return found


def _as_other_specimens(kind: Kind, catalogue: Catalogue) -> dict[str, str]:
    """The components that codes of other kinds mean where the composite says what was examined."""
    names = {component: name for name, component in kind.components.items()}
    return {
        other.name: names[component]
        for other in catalogue
        for specimen, component in other.elsewhere.items()
        if component in names and specimen in kind.specimens
    }


def _as(chart: Chart, entry: Entry, meaning: Meaning, component: str) -> Meaning:
    if meaning.kind.name == component:
        return meaning
    chart.gather(f"its code is that of {meaning.kind.name}: read as {component}", entry.where)
    return replace(meaning, kind=chart.catalogue.kinds[component], sets={})


def _part(chart: Chart, entry: Entry, whole: Fact, meaning: Meaning, component: Json) -> Fact | None:
    absent = _absent(component)
    if absent in _NEVER_A_RESULT:
        chart.say(entry, f"there is no result of {meaning.kind.name} (dataAbsentReason {absent})", kept=False)
        return None
    reading = _reading(chart, entry, meaning.kind, component, meaning)
    return Fact(
        id=whole.id,
        kind=meaning.kind.name,
        start=whole.start,
        certain=whole.certain,
        recorded=chart.recorded_beside(entry, component) or whole.recorded,
        sample=whole.sample,
        source=whole.source,
        code_status=meaning.code_status,
        **_result(chart, entry, meaning, component, reading, whole.start, dict(meaning.sets)),
    )


def _loose_components(chart: Chart, entry: Entry, found: Sequence[Meaning], times: Times) -> list[Fact]:
    """Components of an Observation that is no composite itself: results of one sample, which it names."""
    if "component" not in entry.resource:
        return []
    attributes = {name for meaning in found for name in chart.catalogue.attributes(meaning.kind.name)}
    facts: list[Fact] = []
    for number, component in enumerate(items(entry.resource, "component")):
        known = codings(component.get("code"))
        if any(c.code.system == ONSTUDY and c.code.code in attributes for c in known):
            continue
        meant = tuple(m for m in chart.vocabulary.meanings(known) if m.kind.value != NONE)
        measured = chart.measured(entry, meant, component.get("code"))
        for meaning in measured.meanings:
            whole = chart.frame(entry, meaning, _moment(times))
            part = _part(chart, entry, replace(whole, sample=whole.sample or entry.where), meaning, component)
            if part is not None:
                part = without_value(part) if measured.doubtful else part
                facts.append(replace(part, id=f"{whole.id}.component[{number}]"))
        if not meant:
            chart.unknown(known, f"{entry.where} component[{number}]")
    return facts
