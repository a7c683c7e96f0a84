"""Windows of a screening: from which day a criterion and a cohort change, without a gap, and what holds until when."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from tests.engines.asking import patient

from onstudy.language.trialfile import read_trial
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.report import to_text
from onstudy.screening.screen import HORIZON, Screening, screen
from onstudy.values.calendar import as_when, show_day

ON = date(2026, 3, 16)
TRIAL = b"""id: T
version: "1"
title: T
anchors:
  registration: {label: Registration}
  therapy_start: {label: Start}
steps:
  - id: "1"
    title: All
    criteria:
      - {id: AGE, text: age, rule: age at registration >= 60 years}
      - {id: WASH, text: washout, rule: every treatment has (end is at least 6 weeks before registration)}
      - {id: TEST, text: test, rule: latest pregnancy_test within 7 days before registration is negative}
      - {id: HINT, text: hint, rule: no stroke within 1 months before registration, severity: warning}
cohorts:
  - {id: A, title: A, criteria: []}
  - {id: B, title: B, criteria: [{id: B-1, text: none, rule: no seizure}]}
"""


def asked(record: str, until: date | None = None) -> Screening:
    trial = read_trial(TRIAL, "t.yaml", load_catalogue())
    start = {"therapy_start": as_when("2026-03-18T09:00")}
    return screen(trial, patient(record), ON, anchors=start, until=until)


RECORD = """born: 1966-03-20
complete: [treatment]
facts:
- {kind: treatment, agent: daratumumab, on: 2026-02-10}
- {kind: pregnancy_test, on: 2026-03-15, value: negative}
- {kind: pregnancy_test, on: 2026-03-22, value: negative}
- {kind: stroke, on: 2026-03-01}
"""


def test_what_clears_when_and_what_holds_until_when() -> None:
    found = asked(RECORD)
    dates = {row.criterion.id: (show_day(row.clears_on), show_day(row.holds_until)) for row in found.criteria}
    assert dates == {
        "AGE": ("2026-03-20", None),
        "WASH": ("2026-03-24", None),
        "TEST": (None, "2026-03-29"),
        "HINT": (None, None),  # without "none before" the stretch after the stroke is unknown, not met
        "B-1": (None, None),
    }


def test_the_stretches_of_a_cohort_join_its_required_criteria() -> None:
    found = asked(RECORD)
    assert [(show_day(w.first), show_day(w.last), w.verdict, w.if_confirmed) for w in found["A"].windows] == [
        ("2026-03-16", "2026-03-23", "ineligible", "ineligible"),
        ("2026-03-24", "2026-03-29", "eligible", "eligible"),
        ("2026-03-30", "2026-06-14", "undetermined", "undetermined"),
    ]
    assert (show_day(found["A"].earliest), show_day(found["A"].earliest_if_confirmed)) == ("2026-03-24", "2026-03-24")


def test_a_cohort_with_something_to_confirm() -> None:
    found = asked(RECORD)["B"]
    assert [(show_day(w.first), w.verdict, w.if_confirmed) for w in found.windows] == [
        ("2026-03-16", "ineligible", "ineligible"),
        ("2026-03-24", "eligible_if_confirmed", "eligible"),
        ("2026-03-30", "undetermined", "undetermined"),
    ]
    assert (found.earliest, show_day(found.earliest_if_confirmed)) == (None, "2026-03-24")


def test_windows_run_from_the_index_date_to_the_horizon_without_a_gap() -> None:
    found = asked(RECORD)
    last = ON.toordinal() + HORIZON
    of_rows = [[(w.first, w.last) for w in row.windows] for row in found.criteria]
    of_cohorts = [[(w.first, w.last) for w in cohort.windows] for cohort in found.cohorts]
    for stretches in (*of_rows, *of_cohorts):
        assert (stretches[0][0], stretches[-1][1]) == (ON.toordinal(), last)
        assert all(one[1] + 1 == after[0] for one, after in pairwise(stretches))


def test_until_another_day() -> None:
    assert [show_day(w.last) for w in asked(RECORD, until=date(2026, 3, 20))["A"].windows] == ["2026-03-20"]
    assert asked(RECORD, until=ON)["A"].earliest is None


def test_a_later_test_is_used_from_its_day_on() -> None:
    """A result of 22 March is no result on 16 March, and counts from the 22nd."""
    only_later = RECORD.replace("- {kind: pregnancy_test, on: 2026-03-15, value: negative}\n", "")
    found = asked(only_later)
    row = found.criterion("TEST")
    assert (row.status, sorted(row.finding.reasons) if row.finding else []) == ("unknown", ["later"])
    assert show_day(found["A"].earliest) == "2026-03-24"


def test_the_text_says_which_criterion_ends_the_verdict() -> None:
    """A negative test of 12 March counts up to seven days later, 19 March."""
    record = (
        "born: 1950-01-01\ncomplete: [treatment, stroke, seizure]\n"
        "facts: [{kind: pregnancy_test, on: 2026-03-12, value: negative}]"
    )
    said = " ".join(to_text(asked(record)).split())
    assert "this verdict holds until 2026-03-19 (then TEST no longer holds), if nothing new is recorded" in said


def test_the_text_says_of_a_cohort_that_never_opens_until_when_was_looked() -> None:
    """The treatment of 10 February clears on 24 March."""
    assert "A INELIGIBLE A not met: AGE, WASH; ineligible on every day until 2026-03-18 B" in " ".join(
        to_text(asked(RECORD, date(2026, 3, 18))).split()
    )
    assert "ineligible on every day" not in to_text(asked(RECORD))


def test_the_text_names_the_shortest_ways_where_they_are_shorter_than_all_that_is_open() -> None:
    """Either of two settles the first row."""
    rules = "{id: ONE, text: one, rule: latest hbv_dna has (detected is no) or latest lvef >= 45 %}"
    trial = read_trial(TRIAL.replace(b"{id: AGE, text: age, rule: age at registration >= 60 years}", rules.encode()),
                       "t.yaml", load_catalogue())  # fmt: skip
    record = "complete: [treatment, stroke]\nfacts: [{kind: pregnancy_test, on: 2026-03-15, value: negative}]"
    start = {"therapy_start": as_when("2026-03-18T09:00")}
    text = to_text(screen(trial, patient(record), ON, anchors=start))
    assert "    enough, if favourable: Hepatitis B virus DNA\n    or: Left ventricular ejection fraction\n" in text
    assert "enough" not in to_text(asked(RECORD))
