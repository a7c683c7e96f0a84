"""A record made ready for one index date: what was known when, dates bounded by today, default limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from onstudy.errors import OnstudyError, Problem
from onstudy.record.assemble import make_patient
from onstudy.record.catalogue import MOMENT, STATE, Catalogue, Kind
from onstudy.record.ends import reopened
from onstudy.record.impossible import OLDEST, too_old
from onstudy.record.patient import Fact, Patient
from onstudy.record.sexes import SEX
from onstudy.values.calendar import DAY, UNDATED, When, on_day
from onstudy.values.interval import Interval, point


def as_known(patient: Patient, day: date, catalogue: Catalogue) -> Patient:
    """The record as it was on a past day: nothing recorded later, nor, where that is not stated, dated later."""
    last = day.toordinal()
    kept = [_not_ended(reopened(fact), last) for fact in patient.facts if not fact.computed and _known_by(fact, last)]
    sex, others = without_sex(kept)
    known = make_patient(patient.id, patient.born, sex, others, patient.coverage, patient.problems, catalogue)
    return replace(known, answers=patient.answers)


def without_sex(facts: Iterable[Fact]) -> tuple[str | None, list[Fact]]:
    """The sex that stands with the patient, and all other facts: a record that says another one goes on saying it."""
    own, others = None, []
    for fact in facts:
        if fact.kind == fact.id == SEX and isinstance(fact.value, frozenset):
            (own,) = fact.value
        else:
            others.append(fact)
    return own, others


def _known_by(fact: Fact, last: int) -> bool:
    dated = fact.recorded if fact.recorded is not None else (fact.end if fact.negative and fact.end else fact.start)
    low = dated.days.low
    return low is None or int(low) <= last


def _by(when: When, last: int) -> bool:
    return when.days.high is not None and int(when.days.high) <= last


def _not_ended(fact: Fact, last: int) -> Fact:
    """A period as it looked on a past day: an end that lay ahead was not known, unless it was recorded by then."""
    if fact.end is None or fact.negative or fact.recorded is not None or _by(fact.end, last):
        return fact
    low = fact.end.span.low
    ahead = (last + 1) * DAY
    begun = low is not None and int(low) < ahead
    return replace(fact, end=When(Interval(low if begun else ahead, None, begun and fact.end.span.low_open)))


class NotYetBorn(OnstudyError):
    """The registration date lies before the date of birth: of the patient, or of the option, one is wrong."""


def unborn(patient: Patient, on: date) -> bool:
    """Whether the patient was certainly not born on the index date."""
    first = patient.born.days.low
    return first is not None and first > on.toordinal()


def without_wrong_births(patients: Sequence[Patient], on: date) -> list[Patient]:
    """Of several patients those not yet born without their date of birth, with a problem. Where all are, the index
    date is what is wrong, and they are left as they are.
    """
    if all(unborn(patient, on) for patient in patients):
        return list(patients)
    what = "the date of birth lies after the registration date: it is not used"
    wrong = Problem(what, "Patient", fact_kept=False)
    return [
        replace(patient, born=UNDATED, problems=(*patient.problems, wrong)) if unborn(patient, on) else patient
        for patient in patients
    ]


def refuse_unborn(patient: Patient, on: date) -> None:
    """Raises `NotYetBorn` where the patient was certainly not born on the index date."""
    if unborn(patient, on):
        raise NotYetBorn(
            f"the registration date {on} lies before the patient's date of birth; check the date given, or the "
            "date of birth in the record"
        )


def _possible_age(born: When, on: date) -> tuple[When, list[Problem]]:
    """The date of birth, undated with a problem where the patient would certainly be older than people become."""
    if not too_old(born, on.toordinal()):
        return born, []
    what = f"the patient would be older than {OLDEST} years on the registration date: the date of birth is not used"
    return UNDATED, [Problem(what, "born", fact_kept=True)]


def prepared(
    patient: Patient, on: date, catalogue: Catalogue, default_limits: Mapping[str, float]
) -> tuple[Patient, tuple[Problem, ...], dict[str, float]]:
    """The record for one index date, its problems, and the default limits that were used, by kind.

    A date without an upper bound ends with the day it was recorded, else with the index date: a record
    speaks of what has been; of what is over, no later than its end. So does one that is not known to the day, of
    what happens at one moment; what is computed of several records lies between them. Facts that are dated later
    and are not states or plans are shown.
    """
    for name in default_limits:
        if name not in catalogue.kinds:
            raise OnstudyError(f"a default limit is given for {name!r}, which is no kind")
    today = on.toordinal()
    born, wrong = _possible_age(patient.born, on)
    facts, problems, used = [], [*patient.problems, *wrong], dict[str, float]()
    for fact in patient.facts:
        kind = catalogue.kinds.get(fact.kind)  # None: a code nobody mapped
        ready = bounded(fact, today, kind)
        if ready.uln is None and ready.kind in default_limits and isinstance(ready.value, Interval):
            used[ready.kind] = float(default_limits[ready.kind])
            ready = replace(ready, uln=point(used[ready.kind]))
        facts.append(ready)
        low = ready.start.days.low
        state = kind is not None and kind.extent == STATE
        if low is not None and int(low) > today and not state and not ready.computed:
            what = f"{ready.kind} is dated {ready.start}, after the registration date"
            problems.append(Problem(f"{what}; only what asks for that time uses it", ready.source, fact_kept=True))
    return replace(patient, born=born, facts=tuple(facts)), tuple(problems), dict(sorted(used.items()))


def bounded(fact: Fact, today: int, kind: Kind | None) -> Fact:
    """The fact with a last day on which it may have begun, or up to which a "no" speaks, where it states none."""
    if fact.negative:
        said = (fact.end is not None and fact.end.known) or fact.recorded is not None
        return fact if said else replace(fact, end=on_day(today))
    recorded = fact.recorded.days.high if fact.recorded is not None else None
    days = fact.start.days
    moment = kind is not None and kind.extent == MOMENT and not fact.computed
    if days.high is not None and not (moment and recorded is not None and days.low != days.high > recorded):
        return fact
    over = fact.end.days.high if fact.end is not None and not fact.ongoing else None
    last = min(int(day) for day in (today if recorded is None else recorded, over) if day is not None)
    low = fact.start.span.low
    if low is not None and int(low) >= (last + 1) * DAY:
        return fact
    return replace(fact, start=When(Interval(low, (last + 1) * DAY, fact.start.span.low_open, True), fact.start.offset))
