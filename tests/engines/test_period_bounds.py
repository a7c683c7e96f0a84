"""Periods whose beginning, end, or both are known no better than so: what is known of one bounds the other."""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest
from tests.engines.asking import NAMES, ON, anchors
from tests.engines.each import ENGINES, Answer, ready

from onstudy.language.parse import parse
from onstudy.readers.dates import over, read_when
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.screening.narrowing import narrows
from onstudy.values.calendar import UNDATED, When, on_day
from onstudy.values.truth import UNKNOWN, Truth

STARTS = ("", "2026-03", "2026-02-20..2026-03-12", "2026-03-05..", "..2026-03-08", "2026-02-25", "2026-03-08",
          "2026-03-08T09:00", "2026-03-14")  # fmt: skip
ENDS = ("2026-03", "2026-03-06..2026-03-20", "2026-03-10", "..2026-03-10", "2026-02-26", "2026-03-08T12:00",
        "2026-03-14")  # fmt: skip
RULES = (
    "any treatment",
    "any treatment within 7 days before registration",
    "any treatment within 14 days before registration",
    "every treatment has (start is at least 7 days before registration)",
    "every treatment has (end is at least 7 days before registration)",
    "every treatment has (start is at least 8 days before registration and end is at least 2 days before registration)",
    "every treatment has (start is within 240 hours before therapy_start)",
    "days of treatment <= 9 days",
    "duration of treatment <= 3 days",
)


def treated(start: str, end: str) -> Patient:
    """A record of one treatment, as it is before it is asked about."""
    fact = {"kind": "treatment", "agent": "rituximab", "to": end} | ({"from": start} if start else {})
    entry = {"patient": "P", "facts": [fact], "complete": ["treatment"]}
    return patient_from(entry, "record.yaml", load_catalogue())


@cache
def answers(engine: str, start: str, end: str, bounded: bool = True) -> list[Answer]:
    rules = [parse(rule, load_catalogue(), NAMES) for rule in RULES]
    patient = treated(start, end)
    record = ready(patient, ON, load_catalogue()) if bounded else patient
    return ENGINES[engine](rules, record, anchors(), load_catalogue())


def possible() -> list[tuple[str, str]]:
    return [pair for pair in product(STARTS, ENDS) if not over(when(pair[0]), when(pair[1]))]


def when(text: str) -> When:
    return read_when(text) if text else UNDATED


def completes(more: str, less: str) -> bool:
    """Whether one date says more than another; of what states no day it is known that it has been."""
    one, other = when(more), when(less)
    if other.span.high is None:  # it began by the day it is asked about
        last = on_day(ON).span
        assert last.high is not None
        return one.span.high is not None and one.span.high <= last.high and (narrows(one, other) or not other.known)
    return more == less or narrows(one, other)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_known_of_a_period_stays_so_when_more_is_known(engine: str) -> None:
    seen = 0
    for one, other in product(possible(), possible()):
        if one == other or not (completes(other[0], one[0]) or other[0] == one[0]):
            continue
        if not (other[1] == one[1] or narrows(when(other[1]), when(one[1]))):
            continue
        for rule, first, then in zip(RULES, answers(engine, *one), answers(engine, *other), strict=True):
            seen += 1
            assert first.truth is UNKNOWN or then.truth is first.truth, f"{rule}: {one} {first} {other} {then}"
    assert seen > 500


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "memory"])
def test_the_engines_bound_a_beginning_alike(engine: str) -> None:
    """Also of a record as it lies in a store, that was made ready for no day."""
    for pair in possible():
        assert answers(engine, *pair, False) == answers("memory", *pair), pair


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("start", "end", "rule", "expected"),
    [
        ("2026-03", "2026-03-10", "any treatment", True),
        ("", "2026-03-08", "every treatment has (start is at least 7 days before registration)", True),
        ("", "2026-03-20", "any treatment", True),
        ("2026-03-08", "2026-03", "every treatment has (end is at least 9 days before registration)", False),
        ("2026-03-08", "2026-03", "any treatment within 8 days before registration", True),
    ],
)
def test_the_other_date_settles_it(engine: str, start: str, end: str, rule: str, expected: bool) -> None:
    record = ready(treated(start, end), ON, load_catalogue())
    (found,) = ENGINES[engine]([parse(rule, load_catalogue(), NAMES)], record, anchors(), load_catalogue())
    assert found.truth is (Truth.TRUE if expected else Truth.FALSE)
