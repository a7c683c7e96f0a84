"""From when to when a drug was given, as a MedicationStatement, -Request or -Administration states it.

What is planned is no record of what was: a drug that was stopped ended by the day on which that was known, whatever
end stands there for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from onstudy.readers.dates import over, spanning, starting
from onstudy.readers.fhir_age import OLDEST, unit_of_age
from onstudy.readers.fhir_chart import Chart
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import Json, items, obj, text
from onstudy.readers.fhir_value import number_of
from onstudy.readers.timing import Times, reversed_period
from onstudy.values.calendar import UNDATED, Duration, When, between, reached

ORDER = "MedicationRequest"
_COMPLETED = "completed"


def drug_times(chart: Chart, entry: Entry, going: bool | None) -> Times:
    """The dates of a drug; `going`: whether its status says that it goes on, is over, or neither."""
    ordered = entry.type == ORDER
    times = _ordered(chart, entry, going) if ordered else _taken(chart, entry, going)
    if reversed_period(times):
        chart.say(entry, "it ends before it begins: its dates are not used")
        if not ordered:
            return Times(going=going, recorded=times.recorded)
        authored = chart.date(entry, entry.resource, "authoredOn")
        times = Times(start=authored, going=going, recorded=times.recorded)
    return _over(chart, entry, times) if going is False and times.on is None else times


def _taken(chart: Chart, entry: Entry, going: bool | None) -> Times:
    return replace(chart.timing(entry, "effective"), going=going, recorded=chart.recorded(entry, "dateAsserted"))


def _over(chart: Chart, entry: Entry, times: Times) -> Times:
    """What is over was so by the day that was recorded, or last changed, at the latest; a stopped order by its end too.

    The day an order was written tells nothing of when it was stopped. A statement may be changed after the day it was
    asserted on: an end that lies between the two may have been planned, or may be the very end.
    """
    recorded = times.recorded if entry.type != ORDER else None
    changed = chart.date(entry, obj(entry.resource, "meta"), "lastUpdated")
    known = recorded or changed
    start, end = times.start, times.end
    if end is None or end.span.high is None:
        if start is None or known is None:
            return replace(times, end=None, going=False if recorded is not None else None)
        return replace(times, end=spanning(start, known))
    if changed is not None and over(end, changed):
        return replace(times, end=spanning(start or UNDATED, changed))
    stopped = entry.type == ORDER and text(entry.resource, "status") != _COMPLETED
    if stopped or (recorded is not None and changed is None and over(end, recorded)):
        return replace(times, end=spanning(start or UNDATED, end))
    return times


# Orders ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bound:
    """From when to when a dosage is to be taken; `length`: for how long, where that is all it says."""

    start: When | None
    end: When | None
    length: Duration | None = None


def _ordered(chart: Chart, entry: Entry, going: bool | None) -> Times:
    """An order counts from the day it was written, or from the first beginning to the last end its dosages state.

    Where only some of them have an end, it is not known whether it goes on after the last.
    """
    authored = chart.date(entry, entry.resource, "authoredOn")
    recorded = chart.recorded(entry) or authored
    dosages = items(entry.resource, "dosageInstruction")
    bounds = [bound for dosage in dosages if (bound := _bound(chart, entry, dosage, authored)) is not None]
    whole = len(bounds) == len(dosages)
    starts = [bound.start for bound in bounds] + ([] if whole and bounds else [authored])
    ends = [bound.end for bound in bounds if bound.end is not None]
    end = _last(ends, bounds) if ends else None
    counted = any(bound.length is not None for bound in bounds)  # it may have begun after it was written
    if end is not None and (not whole or len(ends) < len(bounds) or (counted and going is not False)):
        end = starting(end)
    return Times(start=_first(starts), end=end, going=going, recorded=recorded)


def _bound(chart: Chart, entry: Entry, dosage: Json, authored: When | None) -> _Bound | None:
    """The bounds of a dosage; None where it states none."""
    repeat = obj(obj(dosage, "timing"), "repeat")
    period = obj(repeat, "boundsPeriod")
    if period:
        start, end = chart.date(entry, period, "start") or authored, chart.date(entry, period, "end")
        return _Bound(start, starting(start or UNDATED) if end is None and "end" in period else end)
    amount, span = obj(repeat, "boundsDuration"), obj(repeat, "boundsRange")
    if not amount and not span:
        return None
    shortest, longest = _length(amount or obj(span, "low"), math.floor), _length(amount or obj(span, "high"), math.ceil)
    days = authored.days if authored is not None else UNDATED.days
    if shortest is not None and longest is not None and days.low is not None and days.high is not None:
        # A course of 7 days that begins on a Monday ends on Sunday, or within Monday.
        first, last = reached(int(days.low), shortest) - 1, reached(int(days.high), longest)
        if first <= last:
            return _Bound(authored, between(first, last), longest)
    chart.say(entry, "for how long it is to be taken is not known: neither is its end")
    return _Bound(authored, starting(authored or UNDATED))


def _length(quantity: Json, whole: Callable[[float], int]) -> Duration | None:
    """A length of time in whole days, weeks, months or years; None where it is in no such unit."""
    number, unit = number_of(quantity.get("value")), unit_of_age(quantity)
    if number is None or unit is None or text(quantity, "comparator") or not 0 < number < OLDEST[unit]:
        return None
    return Duration(whole(number), unit)


def _first(starts: Sequence[When | None]) -> When | None:
    """The first of some moments, as far as it is known which that is; None where one of them is not stated."""
    known = [start for start in starts if start is not None]
    if not known or len(known) < len(starts):
        return None
    earliest = min(known, key=lambda one: -math.inf if one.span.low is None else one.span.low)
    soonest = min(known, key=_high)
    return earliest if _high(earliest) == _high(soonest) else spanning(earliest, soonest)


def _last(ends: Sequence[When], bounds: Sequence[_Bound]) -> When:
    """The last of some ends, as far as it is known which that is; lengths may follow upon each other."""
    last = max(ends, key=_high)
    latest = max(ends, key=lambda one: -math.inf if one.span.low is None else one.span.low)
    found = last if last.span.low == latest.span.low else spanning(latest, last)
    lengths = [bound for bound in bounds if bound.length is not None]
    day = lengths[0].start.days.high if len(lengths) > 1 and lengths[0].start is not None else None
    if day is None:
        return found
    for bound in lengths:
        assert bound.length is not None, "only those with a length are looked at"
        day = reached(int(day), bound.length)
    end = between(None, int(day))
    return spanning(found, end) if _high(end) > _high(found) else found


def _high(when: When) -> float:
    return math.inf if when.span.high is None else when.span.high
