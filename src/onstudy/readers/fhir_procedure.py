"""Procedure, Specimen and DiagnosticReport: transplants and treatments, samples sent, reports that are awaited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onstudy.readers.dates import spanning, starting
from onstudy.readers.fhir_chart import Chart, named, valued, without_value
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import codings, items, obj, references, text, words
from onstudy.readers.fhir_meaning import Meaning
from onstudy.readers.fhir_medication import exposures, intent, keep_unrecognised
from onstudy.readers.fhir_status import FINAL, NO_RESULT, OPEN
from onstudy.readers.fhir_value import read_concept
from onstudy.readers.reading import NOT_STATED, PENDING, clip, slot_of
from onstudy.readers.timing import Times, reversed_period
from onstudy.record.catalogue import MOMENT, NONE, STATE
from onstudy.record.patient import Fact
from onstudy.values.calendar import UNDATED

_NOT_DONE = ("not-done", "entered-in-error")
_PLANNED = ("preparation",)
_GOING = {
    "in-progress": True,
    "completed": False,
    "stopped": False,
    "on-hold": None,
    "unknown": None,
    "": None,
}
_NO_SPECIMEN = ("entered-in-error", "unavailable", "unsatisfactory")


def read_procedure(chart: Chart, entry: Entry) -> list[Fact]:
    """What was done: a kind with the procedure's code, or a treatment."""
    status = text(entry.resource, "status")
    if status in _NOT_DONE:
        return chart.drop(entry, f"its status is {status}: nothing was done")
    if status not in _GOING and status not in _PLANNED:
        chart.say(entry, "has a status that is not known: its end is taken as not known")
    concept = obj(entry.resource, "code")
    times = chart.timing(entry, "performed")
    times = replace(times, going=_GOING.get(status), recorded=chart.recorded(entry))
    if reversed_period(times):
        chart.say(entry, "it ends before it begins: its dates are not used")
        times = Times(going=times.going, recorded=times.recorded)
    exposure = exposures(chart, entry, concept)
    found = exposure.meanings
    if status in _PLANNED:
        return _plans(chart, entry, found, times)
    if not found:
        return chart.unmapped(entry, concept, times)
    if not exposure.whole:
        keep_unrecognised(chart, entry, concept, times)
    still = [meaning for meaning in found if not (meaning.kind.planned and times.going is False)]
    if not still:
        return chart.drop(entry, "it is over: planned or under way it is no more")
    return named([_done(chart, entry, meaning, times) for meaning in still])


def _plans(chart: Chart, entry: Entry, found: Sequence[Meaning], times: Times) -> list[Fact]:
    """What is planned: of the kinds that say so it is one, on the day that was recorded, not the day it is to be."""
    kinds = chart.catalogue.kinds
    plans = [meaning for meaning in found if meaning.kind.planned]
    plans += [Meaning(kinds[name], meaning.code_status) for meaning in found if (name := meaning.kind.planned_as)]
    if not plans:
        return chart.drop(entry, "it is in preparation: nothing was done yet")
    said = Times(on=times.recorded, recorded=times.recorded)
    return named([_done(chart, entry, meaning, said) for meaning in plans])


def _done(chart: Chart, entry: Entry, meaning: Meaning, times: Times) -> Fact:
    if meaning.kind.extent in (MOMENT, STATE) and times.on is None and (times.start or times.end):
        begun = times.start or UNDATED
        first = begun if meaning.kind.planned else spanning(begun, times.end)  # what is under way has begun
        times = replace(times, on=first, start=None, end=None)
    known = chart.catalogue.attributes(meaning.kind.name)
    attributes = intent(chart, entry) if "intent" in known else {}
    fact = chart.positive(entry, meaning, times, attributes)
    if meaning.kind.value != NONE:
        return replace(fact, **valued(None, meaning))
    return replace(fact, shown=clip(", ".join(words(entry.resource.get("code"))[:1])))


def read_specimen(chart: Chart, entry: Entry) -> list[Fact]:
    """A sample that was sent, where its type is a kind; other specimens only hold results together."""
    resource = entry.resource
    found = [m for m in chart.means(entry, codings(obj(resource, "type"))) if m.kind.value == NONE]
    if not found:
        return []
    status = text(resource, "status")
    if status in _NO_SPECIMEN:
        return chart.drop(entry, f"its status is {status}: there is no usable sample")
    received = chart.date(entry, resource, "receivedTime")
    collected = chart.date(entry, obj(resource, "collection"), "collectedDateTime")
    sent = received is not None or "receivedTime" in resource
    if not sent:
        chart.say(entry, "has no receivedTime: that it was sent is not certain")
    on = received or (starting(collected) if collected is not None else None)
    times = Times(on=on, recorded=chart.recorded(entry))
    return named([chart.positive(entry, meaning, times, certain=sent) for meaning in found])


def read_report(chart: Chart, entry: Entry) -> list[Fact]:
    """A report: its results are Observations of their own; without any, what it is a report of is awaited."""
    resource = entry.resource
    status = text(resource, "status")
    if references(resource, "result"):
        return []
    if status in NO_RESULT:
        return chart.drop(entry, f"its status is {status}: that is no result")
    times = chart.moment(entry, "effective")
    on = times.on or (spanning(times.start or UNDATED, times.end) if times != Times() else None)
    times = Times(on=on, recorded=chart.recorded(entry, "issued"))
    meant = tuple(m for m in chart.means(entry, codings(obj(resource, "code"))) if m.kind.value != NONE)
    measured = chart.measured(entry, meant, resource.get("code"))
    if not measured.meanings:
        unread = chart.unused if meant else chart.unmapped
        return unread(entry, resource.get("code"), times)
    facts = named([_concluded(chart, entry, meaning, times, status) for meaning in measured.meanings])
    return [without_value(fact) for fact in facts] if measured.doubtful else facts


def _concluded(chart: Chart, entry: Entry, meaning: Meaning, times: Times, status: str) -> Fact:
    """The result a final report states as its conclusion, or that it is awaited or not known."""
    fact = chart.positive(entry, meaning, times)
    slot = slot_of(meaning.kind, chart.catalogue)
    concepts = items(entry.resource, "conclusionCode")
    if status not in FINAL:
        if concepts:
            chart.say(entry, "its status is not that of a final report: its conclusion is not used")
        return replace(fact, lacks=PENDING if status in OPEN else NOT_STATED)
    if slot.values is not None and len(concepts) == 1:
        reading = read_concept(slot, codings(concepts[0]), words(concepts[0]), "conclusionCode", chart.catalogue)
        if not reading.wrong:
            return replace(fact, **valued(reading, meaning))
    chart.say(entry, f"has no result of {meaning.kind.name} that can be read")
    return replace(fact, lacks=NOT_STATED)
