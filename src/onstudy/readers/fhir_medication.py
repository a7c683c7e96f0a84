"""MedicationStatement, -Request and -Administration: what was given, by which route, for what, from when to when.

An active order counts as taken from the day it was written. Plans, proposals and drugs not taken are no exposures.
"""

from __future__ import annotations

from dataclasses import replace

from onstudy.readers.dates import spanning
from onstudy.readers.fhir_chart import Chart, Meaning, meanings, named
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import Json, codings, flag, items, obj, references, text, words
from onstudy.readers.fhir_value import read_concept
from onstudy.readers.reading import slot_of
from onstudy.readers.timing import Times, reversed_period
from onstudy.record.patient import Fact, Value

TREATMENT, AGENT = "treatment", "agent"

_STATUSES: dict[str, dict[str, bool | None]] = {
    "MedicationStatement": {
        "active": True, "completed": False, "stopped": False, "on-hold": False, "unknown": None, "": None,
    },
    "MedicationAdministration": {
        "in-progress": True, "completed": False, "stopped": False, "on-hold": None, "unknown": None, "": None,
    },
    "MedicationRequest": {
        "active": True, "completed": False, "stopped": False, "on-hold": False, "unknown": None, "": None,
    },
}  # fmt: skip
_NO_EXPOSURE = ("not-taken", "not-done", "entered-in-error", "cancelled", "intended", "draft")
_NO_ORDER = ("plan", "proposal", "option")

#: What a treatment is for, by the kind of disease that is given as its reason.
_REASONS = {
    "leukemia_diagnosis": "ALL",
    "all_unspecified": "ALL",
    "chronic_myeloid_leukemia": "cml",
    "gvhd": "gvhd",
    "hepatitis_b": "hepatitis",
    "hepatitis_c": "hepatitis",
    "hiv_infection": "hiv",
    "other_malignancy": "other_cancer",
}
_LEUKEMIA, _OTHER_LEUKEMIAS = "leukemia_diagnosis", ("aml", "mixed_phenotype", "other")


def read_medication(chart: Chart, entry: Entry) -> list[Fact]:
    """The exposures of a medication resource."""
    resource = entry.resource
    status = text(resource, "status")
    if status in _NO_EXPOSURE or flag(resource, "doNotPerform") is True:
        what = f"its status is {status}" if status in _NO_EXPOSURE else "it says not to give the drug"
        return chart.drop(entry, f"{what}: that is no exposure")
    if entry.type == "MedicationRequest" and text(resource, "intent") in _NO_ORDER:
        return chart.drop(entry, f"its intent is {text(resource, 'intent')}: that is no exposure")
    if status not in _STATUSES[entry.type]:
        chart.say(entry, "has a status that is not known: its end is taken as not known")
    times = _times(chart, entry, status)
    concept = _medication(chart, entry)
    found = exposures(chart, entry, concept)
    if not found:
        return chart.unmapped(entry, concept, times)
    return named([_exposure(chart, entry, meaning, times) for meaning in found])


def _medication(chart: Chart, entry: Entry) -> Json:
    """The concept of the drug, its own or that of the Medication it refers to."""
    concept = obj(entry.resource, "medicationCodeableConcept")
    if concept:
        return concept
    for target in chart.index.all(references(entry.resource, "medicationReference"), entry):
        return obj(target.resource, "code")
    return {}


def exposures(chart: Chart, entry: Entry, concept: Json) -> list[Meaning]:
    """The kinds a drug or procedure names: treatment with its agent, and any kind with that very code."""
    found = codings(concept)
    kinds = {meaning.kind.name: meaning for meaning in chart.means(entry, found)}
    values = chart.catalogue.codes_of(TREATMENT, AGENT)
    assert values is not None, "the agents of treatments are a value set"
    members = [(member, coding) for coding in found if (member := chart.catalogue.member(values.name, coding.code))]
    if members:
        meant = [values.meaning(name) for (name, _), _ in members]
        agents = frozenset.intersection(*meant) or frozenset().union(*meant)
        statuses = [use.status for (_, use), _ in members]
        status = "" if any(s in ("V", "own") for s in statuses) else min(statuses)
        chart.expected[id(entry)].update(chart.catalogue.attributes(TREATMENT))
        kinds[TREATMENT] = Meaning(chart.catalogue.kinds[TREATMENT], status, sets={AGENT: agents})
    return list(kinds.values())


def _exposure(chart: Chart, entry: Entry, meaning: Meaning, times: Times) -> Fact:
    known = chart.catalogue.attributes(meaning.kind.name)
    attributes: dict[str, Value] = {}
    if "route" in known:
        attributes |= _route(chart, entry)
    if "intent" in known:
        attributes |= intent(chart, entry)
    fact = chart.positive(entry, meaning, times, attributes)
    shown = ", ".join(words(_medication(chart, entry))[:1])
    return replace(fact, shown=shown[:120] or _name_of(fact))


def _name_of(fact: Fact) -> str:
    agents = fact.attributes.get(AGENT)
    return ", ".join(sorted(agents)) if isinstance(agents, frozenset) else ""


def _times(chart: Chart, entry: Entry, status: str) -> Times:
    going = _STATUSES[entry.type].get(status)
    if entry.type == "MedicationRequest":
        return _ordered(chart, entry, going)
    times = chart.timing(entry, "effective")
    recorded = chart.recorded(entry, "dateAsserted")
    times = replace(times, going=going, recorded=recorded)
    if going is False and times.on is None and times.end is None:
        return _stopped(chart, entry, times)
    if reversed_period(times):
        chart.say(entry, "it ends before it begins: its dates are not used")
        return Times(going=going, recorded=recorded)
    return times


def _ordered(chart: Chart, entry: Entry, going: bool | None) -> Times:
    """An order counts from the day it was written, or from the beginning its dosage states."""
    authored = chart.date(entry, entry.resource, "authoredOn")
    bounds = [
        period
        for dosage in items(entry.resource, "dosageInstruction")
        if (period := obj(obj(obj(dosage, "timing"), "repeat"), "boundsPeriod"))
    ]
    start, end = authored, None
    if len(bounds) == 1:
        start = chart.date(entry, bounds[0], "start") or authored
        end = chart.date(entry, bounds[0], "end")
    recorded = chart.recorded(entry) or authored
    times = Times(start=start, end=end, going=going, recorded=recorded)
    if reversed_period(times):
        chart.say(entry, "it ends before it begins: its dates are not used")
        times = Times(start=authored, going=going, recorded=recorded)
    return _stopped(chart, entry, times) if going is False and times.end is None else times


def _stopped(chart: Chart, entry: Entry, times: Times) -> Times:
    """Stopped without a date: by the day that was recorded, or last changed, at the latest."""
    changed = chart.date(entry, obj(entry.resource, "meta"), "lastUpdated")
    known = times.recorded if entry.type != "MedicationRequest" else None
    start = times.start
    if start is None or (known is None and changed is None):
        return replace(times, going=False) if known is not None else replace(times, going=None)
    return replace(times, end=spanning(start, known or changed))


def _route(chart: Chart, entry: Entry) -> dict[str, Value]:
    """The route of all dosages: one of them, where they differ; unknown where it is no word known here."""
    attribute = chart.catalogue.attribute(TREATMENT, "route")
    assert attribute is not None
    slot = slot_of(attribute, chart.catalogue)
    dosages = [*items(entry.resource, "dosage"), *items(entry.resource, "dosageInstruction")]
    concepts = [route for dosage in dosages if (route := obj(dosage, "route"))]
    found: set[str] = set()
    for concept in concepts:
        reading = read_concept(slot, codings(concept), words(concept), "route", chart.catalogue)
        if not isinstance(reading.value, frozenset):
            return {"route": None}
        found |= reading.value
    return {"route": frozenset(found)} if found else {}


def intent(chart: Chart, entry: Entry) -> dict[str, Value]:
    """What it was given for, by the reasons stated: codes of the project, or of the disease."""
    concepts = items(entry.resource, "reasonCode")
    concepts += [
        obj(target.resource, "code")
        for target in chart.index.all(references(entry.resource, "reasonReference"), entry)
        if target.type == "Condition"
    ]
    values = chart.catalogue.codes_of(TREATMENT, "intent")
    assert values is not None, "the intents of treatments are a value set"
    found: set[str] = set()
    for concept in concepts:
        own = [m for coding in codings(concept) if (m := chart.catalogue.member(values.name, coding.code))]
        if own:
            found |= values.meaning(own[0][0])
            continue
        meant = [_reason(meaning) for meaning in meanings(codings(concept), chart.catalogue)]
        if not any(meant):
            return {"intent": None} if found else {}
        found |= {name for name in meant if name}
    return {"intent": frozenset(found)} if found else {}


def _reason(meaning: Meaning) -> str:
    """The intent that treating a disease has; a leukemia counts as ALL only where its type is one."""
    if meaning.kind.name == _LEUKEMIA and (meaning.value is None or meaning.value & set(_OTHER_LEUKEMIAS)):
        return ""
    return _REASONS.get(meaning.kind.name, "")
