"""Condition: diagnoses with onset and abatement; refuted ones are negatives, provisional ones are suspected.

A moment happened at its onset whatever the problem list says; a period is open while it is active.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from onstudy.readers.dates import spanning, until
from onstudy.readers.fhir_chart import Chart, named, valued
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import codings, extension, flag, obj, status_code, text
from onstudy.readers.fhir_meaning import Meaning
from onstudy.readers.fhir_own import CONDITION_CLINICAL, CONDITION_VERIFICATION, ONGOING
from onstudy.readers.reading import NOT_STATED
from onstudy.readers.timing import Times, over_since, reversed_period
from onstudy.record.catalogue import NONE, STATE, Kind
from onstudy.record.patient import Fact
from onstudy.values.calendar import UNDATED, When
from onstudy.values.codes import ONSTUDY, SNOMED

_OPEN = ("active", "recurrence", "relapse")
_CLOSED = ("inactive", "remission", "resolved")
_SUSPECTED = ("provisional", "differential", "unconfirmed")
#: Kinds that say how things stood when they were recorded, not since when.
_STATUS_KINDS = ("all_disease_status",)
_AT_REST = frozenset({"in_remission"})  # the status that is said of a disease that is over


def read_condition(chart: Chart, entry: Entry) -> list[Fact]:
    """The facts of a Condition."""
    resource = entry.resource
    verified = status_code(resource, "verificationStatus", CONDITION_VERIFICATION)
    if verified == "entered-in-error":
        return chart.drop(entry, "it was entered in error")
    found = chart.means(entry, codings(obj(resource, "code")))
    times = _times(chart, entry)
    if not found and verified == "refuted":
        return chart.drop(entry, "it is refuted, and of a kind that is not in the catalogue: it denies nothing")
    if not found:
        return chart.unmapped(entry, resource.get("code"), times)
    facts: list[Fact] = []
    for meaning in found:
        if verified == "refuted" or meaning.negative:
            facts += _refuted(chart, entry, meaning, times)
        else:
            facts += _confirmed(chart, entry, meaning, times, verified not in _SUSPECTED)
    return named(facts)


def _times(chart: Chart, entry: Entry) -> Times:
    clinical = status_code(entry.resource, "clinicalStatus", CONDITION_CLINICAL)
    onset, abatement = chart.moment(entry, "onset"), chart.moment(entry, "abatement")
    start = onset.on or (spanning(onset.start or UNDATED, onset.end) if onset != Times() else None)
    end = abatement.on or (spanning(abatement.start or UNDATED, abatement.end) if abatement != Times() else None)
    going = True if clinical in _OPEN else False if clinical in _CLOSED else None
    if text(entry.resource, "abatementString") and end is None:
        going = False
    times = Times(start=start, end=end, going=going, recorded=chart.recorded(entry, "recordedDate"))
    if reversed_period(times):
        chart.say(entry, "it ends before it begins: its dates are not used")
        times = Times(going=going, recorded=times.recorded)
    if going is False and times.end is None:
        return replace(times, end=_unstated_end(chart, entry, times))
    if going and times == Times(going=True) and not _dated(chart, entry):
        return Times()
    return times


def _dated(chart: Chart, entry: Entry) -> bool:
    """Whether anything tells when an entry that states no date was active: its last change, or that it goes on now."""
    stated = flag(extension(entry.resource, ONGOING), "valueBoolean") is True
    return stated or chart.date(entry, obj(entry.resource, "meta"), "lastUpdated") is not None


def _unstated_end(chart: Chart, entry: Entry, times: Times) -> When:
    """The end of what is over, where no date says it: between its start and the last change of the record.

    `recordedDate` is when the entry was first made and bounds no end: a status is changed without it.
    """
    changed = chart.date(entry, obj(entry.resource, "meta"), "lastUpdated")
    return spanning(times.start or until(times.recorded), changed)


def _refuted(chart: Chart, entry: Entry, meaning: Meaning, times: Times) -> list[Fact]:
    """Nothing of the kind up to the day the refutation was recorded."""
    if meaning.kind.value != NONE:
        return chart.drop(entry, f"{meaning.kind.name} has a value: a refuted one is not used")
    if meaning.category or not (meaning.sets or _stands_alone(meaning.kind, entry)):
        return chart.drop(entry, f"its code is one of several for {meaning.kind.name}: refuted, it denies no other")
    said = Times(on=times.recorded or times.start, recorded=times.recorded)
    return chart.negative(entry, meaning, said)


def _stands_alone(kind: Kind, entry: Entry) -> bool:
    """Whether the code means the whole kind and not one of its forms, which would deny no other.

    Its own code does; where each terminology has one code for it, they are synonyms; and where SNOMED CT
    has one and ICD-10-CM several, the one is the parent.
    """
    systems = Counter(use.code.system for use in kind.codes)
    synonyms = all(count == 1 for count in systems.values())
    return any(
        coding.code.system == ONSTUDY or synonyms or (coding.code.system == SNOMED and systems[SNOMED] == 1)
        for coding in codings(obj(entry.resource, "code"))
        if any(use.code == coding.code for use in kind.codes)
    )


def _confirmed(chart: Chart, entry: Entry, meaning: Meaning, times: Times, certain: bool) -> list[Fact]:
    kind, end = meaning.kind, times.end
    if kind.name in _STATUS_KINDS and times.recorded is not None:
        times = Times(on=times.recorded, recorded=times.recorded)
    fact = chart.positive(entry, meaning, times, certain=certain)
    if kind.value != NONE:
        fact = replace(fact, **valued(None, meaning))
        if kind.name in _STATUS_KINDS and end is not None and fact.value != _AT_REST:
            chart.say(entry, "it is over, so it does not say how things stand since")
            since = replace(fact, start=end, end=None, recorded=None, value=None, lacks=NOT_STATED, shown="")
            return [fact, since]
        return [fact]
    if kind.extent == STATE and times.end is not None:
        return over_since(fact, times.end)
    return [fact]
