"""One episode recorded again: which record is the later word on its end, by hand."""

from __future__ import annotations

import pytest
from tests.readers.canon import CATALOGUE, written

from onstudy.record.assemble import assemble
from onstudy.values.calendar import UNDATED, show

FROM = "from: 2025-06-01"
ACTIVE = f"{FROM}, active: yes, recorded: 2025-07-01, id: old"


def end(kind: str, old: str, *others: str) -> tuple[str | None, bool]:
    """The end and openness of the older of some records of a kind, read in each order."""
    facts = [f"kind: {kind}, {fact}" for fact in (old, *others)]
    found = {
        (None if fact.end is None else show(fact.end), fact.ongoing)
        for order in (facts, facts[::-1])
        for fact in written(*order).facts
        if fact.id == "old"
    }
    (only,) = found
    return only


def test_a_month_of_beginning_that_the_end_bounds_is_that_month_still() -> None:
    """Both began in June; the later record ended on 20 June, so began by then. They may be one, so it may be over."""
    month = "kind: gvhd, from: 2025-06"
    first = f"{month}, active: yes, recorded: 2025-07-01, id: old"
    found = written(first, f"{month}, to: 2025-06-20, recorded: 2026-01-05").facts
    for facts in (found, assemble(found, CATALOGUE, UNDATED)[0]):  # assembling twice changes nothing
        (old,) = (fact for fact in facts if fact.id == "old")
        assert old.opened is not None and not old.ongoing and old.end is not None and old.end.span.high is None


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        # The day on which it ended; within the days between where that is not known.
        ("to: 2025-12-01, recorded: 2026-01-05", "2025-12-01"),
        ("to: 2025-12, recorded: 2026-01-05", "2025-12"),
        ("to: 2025-12-01", "2025-12-01"),
        ("active: no, recorded: 2026-01-05", "2025-07-01..2026-01-05"),
        # Over before the day on which it was said to go on: they contradict each other, or are two.
        ("to: 2025-06-20, recorded: 2026-01-05", "from 2025-07-01"),
        # Of two that say so, the newer one; both where it is not known which that is.
        ("to: 2025-12-01, recorded: 2026-01-05 + to: 2025-11-01, recorded: 2025-12-05", "2025-12-01"),
        ("to: 2025-12-01, recorded: 2026-01-05 + to: 2025-11-01, recorded: 2026-01-05", "2025-11-01..2025-12-01"),
        # Recorded before: the older record is the later word.
        ("to: 2025-06-20, recorded: 2025-06-25", None),
        ("to: 2025-06-20", None),
        # On one day they contradict each other, unless the end lay ahead.
        ("to: 2025-07-01, recorded: 2025-07-01", "from 2025-07-01"),
        ("to: 2025-12-01, recorded: 2025-07-01", None),
        ("to: 2025-06-20, recorded: 2025-07", "from 2025-07-01"),
        # Nothing is over.
        ("active: yes, recorded: 2026-01-05", None),
        ("recorded: 2026-01-05", None),
        ("to: 2025-12-01, recorded: 2026-01-05, suspected: yes", None),
        ("to: 2025-12-01, recorded: 2026-01-05, status: pending", None),
    ],
)
def test_the_later_record_tells_the_end(newer: str, expected: str | None) -> None:
    found, going = end("gvhd", ACTIVE, *(f"{FROM}, {one}" for one in newer.split(" + ")))
    assert (found, going) == (expected, expected is None)


@pytest.mark.parametrize(
    ("old", "newer", "expected"),
    [
        # Begun on another day it is another episode; in the same month it may be the same.
        (ACTIVE, "from: 2025-06-02, to: 2025-12-01", None),
        (
            "from: 2025-06, active: yes, recorded: 2025-07-05, id: old",
            "from: 2025-06, to: 2025-12-01",
            "from 2025-07-05",
        ),
        ("active: yes, recorded: 2025-07-05, id: old", "to: 2025-12-01, recorded: 2026-01-05", None),
        # Going on, without a day of record, is said when the record is asked for.
        (f"{FROM}, active: yes, id: old", f"{FROM}, to: 2025-12-01, recorded: 2026-01-05", None),
        # Of what no end is stated, and no day of record, nobody knows which is the later word: it only may be over.
        (f"{FROM}, id: old", f"{FROM}, to: 2025-12-01, recorded: 2026-01-05", "from 2025-06-01"),
        (f"{FROM}, id: old", f"{FROM}, to: 2025-12-01", "from 2025-06-01"),
        # An end that is known stays.
        (f"{FROM}, to: 2025-06-10, recorded: 2025-07-01, id: old", f"{FROM}, to: 2025-12-01", "2025-06-10"),
    ],
)
def test_what_is_one_episode(old: str, newer: str, expected: str | None) -> None:
    assert end("gvhd", old, newer) == (expected, expected is None)


@pytest.mark.parametrize(
    ("old", "newer", "expected"),
    [
        ("agent: tacrolimus", "agent: tacrolimus", "2025-12-01"),
        ("agent: tacrolimus", "agent: cyclosporine", None),
        ("agent: tacrolimus", "", "from 2025-07-01"),
        ("agent: tacrolimus", "agent: tacrolimus, intent: gvhd", "from 2025-07-01"),
        ("agent: tacrolimus", "agent: tacrolimus, chronic: yes", "2025-12-01"),
        (
            "agent: prednisone, prednisone_equivalent: 5 mg/d",
            "agent: prednisone, prednisone_equivalent: 20 mg/d",
            "from 2025-07-01",
        ),
        ("agent: [prednisone, tacrolimus]", "agent: tacrolimus", "from 2025-07-01"),
    ],
)
def test_what_says_the_same_of_what_it_was(old: str, newer: str, expected: str | None) -> None:
    said = f"{FROM}, to: 2025-12-01, recorded: 2026-01-05" + (f", {newer}" if newer else "")
    assert end("treatment", f"{ACTIVE}, {old}", said) == (expected, expected is None)


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        ("term: nausea, grade: 1, active: yes, recorded: 2025-08-01", "2025-07-01..2025-08-01"),
        ("term: nausea, grade: 1, active: yes", "from 2025-07-01"),
        ("term: nausea, grade: 1, to: 2025-07-20, recorded: 2025-08-01", "2025-07-01..2025-07-20"),
        ("term: nausea, grade: 3, active: yes, recorded: 2025-08-01", None),
        ("term: nausea, grade: 1, active: yes, recorded: 2025-06-20", None),
        ("term: nausea, grade: 1, active: yes, recorded: 2025-07-01", None),
        ("term: fatigue, grade: 1, active: yes, recorded: 2025-08-01", None),
        ("term: fatigue, grade: 1, to: 2025-07-20, recorded: 2025-08-01", None),
    ],
)
def test_a_toxicity_graded_anew(newer: str, expected: str | None) -> None:
    found = end("toxicity", f"{ACTIVE}, term: nausea, grade: 3", f"{FROM}, {newer}")
    assert found == (expected, expected is None)


def test_gradings_of_which_nobody_knows_which_is_newer_or_whether_they_are_of_one() -> None:
    graded = f"{FROM}, term: {{}}, grade: {{}}, active: yes, recorded: 2025-08-01"
    assert (
        end("toxicity", f"{FROM}, term: nausea, grade: 3, id: old", graded.format("nausea", 1))[0] == "from 2025-06-01"
    )
    assert end("toxicity", f"{ACTIVE}, term: other, grade: 3", graded.format("other", 1)) == (None, True)


def test_a_newer_grade_that_had_begun_before_the_older_was_charted() -> None:
    old = "from: 2026-01-01, active: yes, recorded: 2026-03-10, id: old, term: nausea, grade: 3"
    newer = "from: 2026-02, active: yes, recorded: 2026-03-12, term: nausea, grade: 1"
    assert end("toxicity", old, newer) == ("2026-01-01..2026-02-27", False)


def test_what_is_ended_so_stays_so_when_it_is_put_together_again() -> None:
    patient = written(f"kind: gvhd, {ACTIVE}", f"kind: gvhd, {FROM}, to: 2025-12-01, recorded: 2026-01-05")
    again, _ = assemble(patient.facts, CATALOGUE, patient.born)
    assert tuple(again) == patient.facts
