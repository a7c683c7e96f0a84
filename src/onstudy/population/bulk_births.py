"""What is dated before a birth in the records of many patients: `record/checks.py`, asked about those facts alone.

A patient's problem names the first of them in the order in which a record lies. Where that is not plain here, because
a stated composite is among them or an end bounds a beginning, the patient is told, to be put together one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onstudy.population.bulk_checks import Found, Record
from onstudy.population.bulk_moments import Moments
from onstudy.population.bulk_rows import Ints
from onstudy.record.checks import check
from onstudy.record.patient import Fact
from onstudy.record.shard import HIGH_OPEN, NO_INSTANT
from onstudy.values.calendar import DAY, UNDATED


@dataclass(frozen=True, eq=False)
class Early:
    """The problems of patients with something before their birth, and the patients who are put together one by one."""

    problems: Found
    odd: Ints


def before_birth(record: Record, born: Moments, stated: int) -> Early:
    """What is wrong with facts before a birth. So many facts were stated; what follows from them comes after."""
    facts, composites = record.facts, {kind.name for kind in record.catalogue if kind.components}
    of_patient: dict[int, tuple[list[int], list[int]]] = {}
    odd: list[int] = []
    places = _early(record, born)
    for place, patient in zip(places.tolist(), facts.patient[places].tolist(), strict=True):
        of_patient.setdefault(patient, ([], []))[place >= stated].append(place)
        if facts.end.stated[place] or (place < stated and record.base(place).kind in composites):
            odd.append(patient)
    problems: Found = set()
    for patient, (own, others) in of_patient.items():
        if own:
            early = [_dated(record, place) for place in [*_in_order(record, own), *others]]
            told = check(early, record.catalogue, born.at(patient) or UNDATED)
            problems.update((patient, one.what, one.where) for one in told)
        else:
            odd.append(patient)
    return Early(problems, np.array(odd, np.int64))


def _early(record: Record, born: Moments) -> Ints:
    """The places of all facts that surely lie before the birth of their patient; a "no" may speak of a time before."""
    facts = record.facts
    birth = np.where(born.low == NO_INSTANT, NO_INSTANT, born.low // DAY * DAY)
    places = np.flatnonzero(facts.start.high <= birth[facts.patient])
    start = facts.start.take(places)
    last = start.high - ((start.flags & HIGH_OPEN) != 0)
    negative = np.array([base.negative for base in record.bases.facts], bool)[facts.base[places]]
    early = (start.high != NO_INSTANT) & ~negative & (last < birth[facts.patient[places]])
    return np.asarray(places[early])


def _in_order(record: Record, places: Sequence[int]) -> list[int]:
    """The facts as those of a record lie: by date, kind and id."""
    start, ids = record.facts.start, record.facts.id
    return sorted(
        places, key=lambda at: (int(start.low[at]), int(start.high[at]), record.base(at).kind, ids.at(at) or "")
    )


def _dated(record: Record, place: int) -> Fact:
    """What is asked of a fact: its date, and where it was said."""
    return Fact("", "", start=record.facts.start.at(place) or UNDATED, source=record.facts.source.at(place) or "")
