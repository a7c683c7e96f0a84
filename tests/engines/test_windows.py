"""Stretches of registration days: the edges of months, anchors that move along, days that are asked."""

from __future__ import annotations

from datetime import date

import pytest
from tests.engines.asking import anchors, patient
from tests.generative.make import parsed

from onstudy.engines.memory import Memory
from onstudy.engines.view import Anchors, View
from onstudy.engines.windows import Verdict, critical_days, moved, windows
from onstudy.record.catalogue import load_catalogue
from onstudy.values.calendar import as_when, on_day
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth

ALL = frozenset({"all"})


def stretches(text: str, rule: str, on: date, until: date, at: Anchors | None = None) -> list[tuple[str, str, Truth]]:
    tree, view = parsed(rule), View(patient(text, on), load_catalogue())
    start = at or anchors(on)

    def answer(day: int) -> Verdict:
        engine = Memory(view, moved(start, day))
        return engine.evaluate(tree).truth, Memory(view, moved(start, day), ALL).evaluate(tree).truth

    found = windows(answer, tree, view, start, until.toordinal())
    return [(date.fromordinal(w.first).isoformat(), date.fromordinal(w.last).isoformat(), w.truth) for w in found]


@pytest.mark.parametrize(
    ("event", "months", "on", "last_inside", "first_clear"),
    [
        ("2025-08-31", 6, date(2026, 2, 1), "2026-02-28", "2026-03-01"),
        ("2025-08-28", 6, date(2026, 2, 1), "2026-02-28", "2026-03-01"),
        ("2025-08-29", 6, date(2026, 2, 1), "2026-02-28", "2026-03-01"),
        ("2025-10-31", 4, date(2026, 2, 1), "2026-02-28", "2026-03-01"),
        ("2024-02-29", 12, date(2025, 2, 1), "2025-02-28", "2025-03-01"),
        ("2025-12-30", 2, date(2026, 2, 1), "2026-02-28", "2026-03-01"),
    ],
)
def test_an_event_leaves_its_window_at_the_end_of_a_month(
    event: str, months: int, on: date, last_inside: str, first_clear: str
) -> None:
    record = f"complete: [stroke]\nfacts: [{{kind: stroke, on: {event}}}]"
    until = date.fromordinal(on.toordinal() + 60)
    found = stretches(record, f"no stroke within {months} months before registration", on, until)
    assert found == [(on.isoformat(), last_inside, FALSE), (first_clear, until.isoformat(), TRUE)]


def test_a_pregnancy_that_nobody_ended_is_over_by_itself() -> None:
    found = stretches("facts: [{kind: pregnancy, on: 2025-07-16}]", "no pregnancy", date(2026, 3, 16), date(2026, 9, 1))
    assert found == [("2026-03-16", "2026-05-12", FALSE), ("2026-05-13", "2026-09-01", UNKNOWN)]


def test_a_record_of_a_group_may_be_one_of_the_member_asked_for_from_its_day_on() -> None:
    record = "facts: [{kind: neurologic_disorder, from: 2026-03-20}]"
    found = stretches(record, "known seizure", date(2026, 3, 16), date(2026, 4, 1))
    assert found == [("2026-03-16", "2026-03-19", FALSE), ("2026-03-20", "2026-04-01", UNKNOWN)]


def test_a_judgement_has_not_seen_what_begins_after_registration() -> None:
    record = (
        "facts: [{kind: neurologic_disorder_reviewed, on: 2026-03-10}, {kind: seizure, on: 2026-03-20},"
        " {kind: neurologic_disorder_reviewed, on: 2026-03-25}]"
    )
    found = stretches(record, "neurologic_disorder_reviewed", date(2026, 3, 16), date(2026, 4, 1))
    assert found == [
        ("2026-03-16", "2026-03-19", TRUE),
        ("2026-03-20", "2026-03-24", UNKNOWN),
        ("2026-03-25", "2026-04-01", TRUE),
    ]


def test_one_stretch_where_nothing_changes() -> None:
    found = stretches(
        "facts: [{kind: ecog, on: 2026-03-01, value: 1}]", "latest ecog <= 2", date(2026, 3, 16), date(2027, 3, 16)
    )
    assert found == [("2026-03-16", "2027-03-16", TRUE)]


def test_one_day() -> None:
    day = date(2026, 3, 16)
    assert stretches("facts: []", "no seizure", day, day) == [("2026-03-16", "2026-03-16", 1)]


def test_born_on_29_february() -> None:
    rule = "age at registration >= 66 years"
    assert stretches("born: 1960-02-29\nfacts: []", rule, date(2026, 2, 20), date(2026, 3, 10)) == [
        ("2026-02-20", "2026-02-28", FALSE),
        ("2026-03-01", "2026-03-10", TRUE),
    ]


def test_anchors_keep_their_distance_and_time_of_day() -> None:
    start = anchors(date(2026, 3, 16), "2026-03-18T09:00-05:00")
    later = moved(start, date(2026, 3, 30).toordinal())
    assert later == {"registration": on_day(date(2026, 3, 30)), "therapy_start": as_when("2026-04-01T09:00-05:00")}
    assert moved({**start, "therapy_start": None}, date(2026, 3, 30).toordinal())["therapy_start"] is None


def test_only_few_days_are_asked() -> None:
    """Ninety days are planned in a handful of evaluations where nothing grows day by day."""
    record = "complete: [stroke]\nfacts: [{kind: stroke, on: 2025-10-01}]"
    view, first = View(patient(record), load_catalogue()), date(2026, 3, 16).toordinal()
    rule = parsed("no stroke within 6 months before registration")
    days = critical_days(rule, view, anchors(), first, first + 90)
    assert date(2026, 4, 2).toordinal() in days
    assert len(days) <= 30


def test_every_day_is_asked_while_a_treatment_goes_on() -> None:
    given = "{kind: treatment, agent: prednisone, from: 2026-03-10, active: yes, frequency: daily}"
    record = f"complete: [treatment]\nfacts: [{given}]"
    view, first = View(patient(record), load_catalogue()), date(2026, 3, 16).toordinal()
    days = critical_days(parsed("days of treatment <= 14 days"), view, anchors(), first, first + 30)
    assert days == set(range(first + 1, first + 31))
