"""Condition: diagnoses with onset and abatement; refuted ones are negatives, provisional ones are suspected.

A moment happened at its onset whatever the problem list says; a period is open while it is active.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from onstudy.readers.dates import spanning, until
from onstudy.readers.fhir_chart import Chart, named, valued, without_value
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import codings, extension, flag, obj, status_code, text
from onstudy.readers.fhir_meaning import Meaning
from onstudy.readers.fhir_own import ASSERTED, CONDITION_CLINICAL, CONDITION_VERIFICATION, ONGOING
from onstudy.readers.reading import CONFLICT, NOT_STATED
from onstudy.readers.timing import Times, over_since, reversed_period
from onstudy.record.catalogue import NONE, STATE, Kind
from onstudy.record.patient import Fact
from onstudy.values.calendar import UNDATED, When
from onstudy.values.codes import ONSTUDY, SNOMED

_OPEN = ("active", "recurrence", "relapse")
_CLOSED = ("inactive", "remission", "resolved")
_CONFIRMED, _REFUTED, _ERROR = "confirmed", "refuted", "entered-in-error"
_SUSPECTED = ("provisional", "differential", "unconfirmed")
#: A verification that is stated, and in no word of FHIR.
_UNCLEAR = "?"
#: Kinds that say how things stood when they were recorded, not since when.
_STATUS_KINDS = ("all_disease_status",)
_AT_REST = frozenset({"in_remission"})  # the status of a disease that is over, unless the entry states its own end


def read_condition(chart: Chart, entry: Entry) -> list[Fact]:
    """The facts of a Condition."""
    resource = entry.resource
    verified = _verified(chart, entry)
    if verified == _ERROR:
        return chart.drop(entry, "it was entered in error")
    found = chart.means(entry, codings(obj(resource, "code")))
    times = _times(chart, entry)
    if not found and verified == _REFUTED:
        return chart.drop(entry, "it is refuted, and of a kind that is not in the catalogue: it denies nothing")
    if not found:
        return _by_words(chart, entry, times, verified)
    facts: list[Fact] = []
    for meaning in found:
        if verified == _UNCLEAR and meaning.negative:
            chart.drop(entry, "a 'no' that is not wholly understood is not used: it could deny too much")
        elif verified == _REFUTED or meaning.negative:
            facts += _refuted(chart, entry, meaning, times)
        else:
            facts += _stated(chart, entry, meaning, times, verified)
    return named(facts)


def _verified(chart: Chart, entry: Entry) -> str:
    """How sure the diagnosis is; confirmed where nothing is said of it."""
    stated = entry.resource.get("verificationStatus")
    if not stated:
        return _CONFIRMED
    verified = status_code(entry.resource, "verificationStatus", CONDITION_VERIFICATION)
    if verified in (_CONFIRMED, _REFUTED, _ERROR, *_SUSPECTED):
        return verified
    chart.say(entry, "its verificationStatus is no code of FHIR: the diagnosis is not certain")
    return _UNCLEAR


def _by_words(chart: Chart, entry: Entry, times: Times, verified: str) -> list[Fact]:
    """A diagnosis of no known code: what its words name; surely by the label alone, and not where it could be in favour
    of the patient, as an operation that was done.
    """
    concept = entry.resource.get("code")
    named_kind = chart.named(concept, chart.vocabulary.diagnoses)
    if named_kind is None:
        return chart.unmapped(entry, concept, times)
    sure = named_kind.label and named_kind.kind.assumable
    chart.unknown_but_named(entry, named_kind.kind, "read as that" if sure else "read as that, not for sure")
    unsure = verified == _CONFIRMED and not sure
    return _stated(chart, entry, Meaning(named_kind.kind), times, _SUSPECTED[0] if unsure else verified)


def _times(chart: Chart, entry: Entry) -> Times:
    clinical = status_code(entry.resource, "clinicalStatus", CONDITION_CLINICAL)
    onset, abatement = chart.moment(entry, "onset"), chart.moment(entry, "abatement")
    start = onset.on or (spanning(onset.start or UNDATED, onset.end) if onset != Times() else None)
    end = abatement.on or (spanning(abatement.start or UNDATED, abatement.end) if abatement != Times() else None)
    going = True if clinical in _OPEN else False if clinical in _CLOSED else None
    if text(entry.resource, "abatementString") and end is None:
        going = False
    times = Times(start=start, end=end, going=going, recorded=_recorded(chart, entry))
    if reversed_period(times):
        chart.say(entry, "it ends before it begins: its dates are not used")
        times = Times(going=going, recorded=times.recorded)
    if going is False and times.end is None:
        return replace(times, end=_unstated_end(chart, entry, times))
    if going and times == Times(going=True) and not _dated(chart, entry):
        return Times()
    return times


def _recorded(chart: Chart, entry: Entry) -> When | None:
    """The day of record; where none is stated, the day on which it was asserted."""
    found = chart.recorded(entry, "recordedDate")
    asserted = extension(entry.resource, ASSERTED) if found is None else {}
    return chart.date(entry, asserted, "valueDateTime") if asserted else found


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
    """Nothing of the kind up to the day the refutation was recorded.

    One with a value is a result of that day which is not known: an older one may be the very one that is refuted.
    """
    if meaning.kind.value != NONE:
        chart.say(entry, f"{meaning.kind.name} has a value, and this one is refuted: which it is instead is not known")
        said = Times(on=times.recorded or times.start, recorded=times.recorded)
        return [without_value(chart.positive(entry, meaning, said), CONFLICT)]
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


def _stated(chart: Chart, entry: Entry, meaning: Meaning, times: Times, verified: str) -> list[Fact]:
    """A diagnosis. Of what may be refuted or entered in error no value is known, nor the end of a state."""
    kind, end = meaning.kind, times.end
    if kind.name in _STATUS_KINDS and times.recorded is not None:
        times = Times(on=times.recorded, recorded=times.recorded)
    fact = chart.positive(entry, meaning, times, certain=verified == _CONFIRMED)
    if kind.value != NONE:
        if verified == _UNCLEAR:
            return [without_value(fact, NOT_STATED)]
        fact = replace(fact, **valued(None, meaning))
        rests = fact.value == _AT_REST and chart.moment(entry, "abatement") == Times()
        if kind.name in _STATUS_KINDS and end is not None and not rests:
            chart.say(entry, "it is over, so it does not say how things stand since")
            since = replace(fact, start=end, end=None, recorded=None, value=None, lacks=NOT_STATED, shown="")
            return [fact, since]
        return [fact]
    if kind.extent == STATE and times.end is not None and verified != _UNCLEAR:
        return over_since(fact, times.end)
    return [fact]
