"""Screening: both answers, verdicts, what is assumed, what was known when, and answers put back into a record."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from onstudy import screen
from onstudy.criteria.trial import Trial
from onstudy.errors import OnstudyError
from onstudy.language.trialfile import read_trial
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.screening.answers import with_added
from onstudy.screening.report import to_text
from onstudy.screening.screen import Screening
from onstudy.screening.todo import todo_file
from onstudy.values.calendar import parse_when, show_day

CATALOGUE = load_catalogue()
ON = date(2026, 3, 16)
TRIAL = """
id: T1
version: "1"
title: A small trial
anchors:
  registration: {label: Registration}
  therapy_start: {label: Start of therapy, not_before: registration}
steps:
  - id: "1"
    title: All
    criteria:
      - {id: BILI, text: bilirubin, rule: latest bilirubin_total <= 1.5 ULN, warn_older_than: 14 days}
      - {id: SEIZ, text: no seizure, rule: no seizure}
      - {id: MEN, text: men, rule: if latest sex is male then latest ecog <= 2}
      - {id: WARN, text: a warning, rule: latest lvef >= 45 %, severity: warning}
      - {id: INFO, text: guidance, severity: information}
cohorts:
  - {id: A, title: adults, criteria: [{id: A-AGE, text: adult, rule: age at registration >= 18 years}]}
  - {id: B, title: washed out, criteria: [{id: B-WASH, text: "7 days", rule: every treatment where (agent is rituximab)
      has (end is at least 7 days before registration)}]}
"""
BILIRUBIN = {"kind": "bilirubin_total", "on": "2026-03-15", "value": "1.8 mg/dL", "uln": "1.2 mg/dL"}
RITUXIMAB = {"kind": "treatment", "agent": "rituximab", "on": "2026-03-13"}


@pytest.fixture(scope="module")
def trial() -> Trial:
    return read_trial(TRIAL.encode(), "t1.yaml", CATALOGUE)


def person(*facts: dict[str, Any], **more: Any) -> Patient:
    entry = {"patient": "P", "born": "1980-01-01", "sex": "male", "facts": list(facts), **more}
    return patient_from(entry, "p.yaml", CATALOGUE)


def asked(trial: Trial, patient: Patient, **options: Any) -> Screening:
    return screen(trial, patient, ON, **options)


ECOG = {"kind": "ecog", "on": "2026-03-10", "value": "1"}
NO_SEIZURE = {"kind": "seizure", "value": "no", "recorded": "2026-03-10"}


def test_eligible_if_confirmed_and_what_to_confirm(trial: Trial) -> None:
    found = asked(trial, person(BILIRUBIN, ECOG))["A"]
    assert (found.verdict, found.deciding) == ("eligible_if_confirmed", ("SEIZ",))
    assert [question.kind for question in found.to_confirm] == ["seizure"]
    assert (found.missing, found.to_do, found.settled_by) == ((), (), (("seizure",),))


def test_a_recorded_negative_makes_it_eligible_and_nothing_is_asked(trial: Trial) -> None:
    found = asked(trial, person(BILIRUBIN, ECOG, NO_SEIZURE))["A"]
    assert (found.verdict, found.deciding, found.settled_by) == ("eligible", (), ())


def test_a_missing_result_is_undetermined_and_never_assumed(trial: Trial) -> None:
    found = asked(trial, person(ECOG), assume_complete=["all"])["A"]
    assert found.verdict == "undetermined"
    assert [question.kind for question in found.missing] == ["bilirubin_total"]
    assert found.to_confirm == ()


def test_what_is_assumed_is_said(trial: Trial) -> None:
    found = asked(trial, person(BILIRUBIN, ECOG), assume_complete=["seizure"])
    assert (found["A"].verdict, found.assumed_complete) == ("eligible", ("seizure",))
    assert '"because":"Seizure: assumed absent, not recorded"' in found.to_json()


def test_an_ineligible_cohort_asks_nothing(trial: Trial) -> None:
    found = asked(trial, person(born="2015-01-01"))["A"]
    assert (found.verdict, found.deciding) == ("ineligible", ("A-AGE",))
    assert (found.to_confirm, found.to_do, found.missing, found.settled_by) == ((), (), (), ())


def test_if_with_a_false_condition_is_not_applicable_and_counts_as_met(trial: Trial) -> None:
    found = asked(trial, person(BILIRUBIN, NO_SEIZURE, sex="female"))
    assert found.criterion("MEN").status == "not_applicable"
    assert found["A"].verdict == "eligible"


def test_a_warning_decides_nothing_and_information_has_no_status_of_its_own(trial: Trial) -> None:
    low = {"kind": "lvef", "on": "2026-03-10", "value": "30 %"}
    found = asked(trial, person(BILIRUBIN, ECOG, NO_SEIZURE, low))
    assert found.criterion("WARN").status == "not_met"
    assert found.criterion("INFO").status == "not_applicable"
    assert found["A"].verdict == "eligible"


def test_the_earliest_day_after_a_washout(trial: Trial) -> None:
    record = person(BILIRUBIN, ECOG, NO_SEIZURE, RITUXIMAB, complete=["treatment"])
    found = asked(trial, record)
    assert show_day(found["B"].earliest) == "2026-03-20"
    assert show_day(found.criterion("B-WASH").clears_on) == "2026-03-20"
    assert [(show_day(w.first), w.verdict) for w in found["B"].windows] == [
        ("2026-03-16", "ineligible"),
        ("2026-03-20", "eligible"),
    ]


def test_as_known_on_uses_nothing_recorded_later(trial: Trial) -> None:
    later = {**BILIRUBIN, "recorded": "2026-03-16"}
    record = person(later, ECOG, NO_SEIZURE)
    assert asked(trial, record)["A"].verdict == "eligible"
    assert asked(trial, record, as_known_on=date(2026, 3, 15)).criterion("BILI").status == "unknown"


def test_as_known_on_knows_no_end_that_lay_ahead(trial: Trial) -> None:
    """On the 10th the treatment of the 8th to the 14th was going on; an end that was recorded by then was planned."""
    given = {"kind": "treatment", "agent": "prednisone", "from": "2026-03-08", "to": "2026-03-14"}
    planned = {**given, "agent": "dexamethasone", "recorded": "2026-03-08"}

    def ends(known: date) -> list[str]:
        facts = asked(trial, person(given, planned), as_known_on=known).patient.facts
        return [str(fact.end) for fact in facts if fact.kind == "treatment"]

    assert ends(date(2026, 3, 10)) == ["from 2026-03-11", "2026-03-14"]
    assert ends(date(2026, 3, 14)) == ["2026-03-14", "2026-03-14"]


def test_a_default_limit_is_used_only_when_given_and_is_said(trial: Trial) -> None:
    bare = {key: value for key, value in BILIRUBIN.items() if key != "uln"}
    record = person(bare, ECOG, NO_SEIZURE)
    without = asked(trial, record)
    assert (without.criterion("BILI").status, without.defaults_used) == ("unknown", {})
    given = asked(trial, record, default_limits={"bilirubin_total": 1.2})
    assert (given.criterion("BILI").status, given.defaults_used) == ("met", {"bilirubin_total": 1.2})
    assert json.loads(given.to_json())["defaults_used"] == ["bilirubin_total=1.2 mg/dL"]
    assert "default upper limits of normal used: bilirubin_total 1.2 mg/dL" in to_text(given)


def test_an_old_result_is_shown_and_decides_nothing(trial: Trial) -> None:
    old = {**BILIRUBIN, "on": "2026-02-01"}
    found = asked(trial, person(old, ECOG, NO_SEIZURE))
    assert found["A"].verdict == "eligible"
    assert [problem.what for problem in found.problems] == ["BILI: bilirubin_total is 43 days old; advised are 14 days"]


def test_a_fact_of_the_future_is_a_problem_and_is_not_used(trial: Trial) -> None:
    future = {**BILIRUBIN, "on": "2026-04-01"}
    found = asked(trial, person(future, ECOG, NO_SEIZURE))
    assert found.criterion("BILI").status == "unknown"
    assert [reason.value for reason in found.criterion("BILI").finding.reasons] == ["later"]  # type: ignore[union-attr]
    assert "after the registration date" in found.problems[0].what


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"assume_complete": ["bilirubin_total"]}, "^assume_complete: the absence of bilirubin_total is never assumed"),
        ({"therapy_start": "2026-03-15"}, "lies before"),
        ({"anchors": {"surgery": "2026-03-20"}}, "no anchor 'surgery'"),
        ({"until": date(2026, 3, 1)}, "until 2026-03-01 lies before"),
        ({"until": date(2126, 3, 1)}, "ten years"),
        ({"default_limits": {"bilirubin": 1.2}}, "no kind"),
    ],
)
def test_what_cannot_be_asked_is_refused(trial: Trial, options: dict[str, Any], said: str) -> None:
    with pytest.raises(OnstudyError, match=said):
        asked(trial, person(BILIRUBIN), **options)


def test_the_questions_are_a_patient_file_and_the_answers_change_the_verdict(trial: Trial) -> None:
    record = person(ECOG)
    first = asked(trial, record)
    text = todo_file(first)
    assert "- kind: bilirubin_total" in text
    assert "- kind: seizure" in text
    answers = person(BILIRUBIN, NO_SEIZURE)
    again = asked(trial, with_added(record, answers, "answers.yaml", CATALOGUE))
    assert (first["A"].verdict, again["A"].verdict) == ("undetermined", "eligible")


def test_an_answer_with_the_id_of_a_fact_completes_it(trial: Trial) -> None:
    bare = {key: value for key, value in BILIRUBIN.items() if key != "uln"} | {"id": "b1"}
    record = person(bare, ECOG, NO_SEIZURE)
    assert asked(trial, record)["A"].verdict == "undetermined"
    more = person({"kind": "bilirubin_total", "id": "b1", "on": "2026-03-15", "uln": "1.2 mg/dL"})
    whole = with_added(record, more, "answers.yaml", CATALOGUE)
    assert len([fact for fact in whole.facts if fact.kind == "bilirubin_total"]) == 1
    assert asked(trial, whole)["A"].verdict == "eligible"


def test_same_input_same_bytes(trial: Trial) -> None:
    facts = [BILIRUBIN, ECOG, NO_SEIZURE, RITUXIMAB]
    one, other = asked(trial, person(*facts)), asked(trial, person(*facts))
    assert one.to_json() == other.to_json()


def test_an_answer_without_an_id_is_a_fact_of_its_own(trial: Trial) -> None:
    """Both files have a first fact; that they stand in the same place does not make them the same."""
    newer = {**BILIRUBIN, "on": "2026-03-16", "value": "4.0 mg/dL"}
    whole = with_added(person(BILIRUBIN, ECOG, NO_SEIZURE), person(newer), "answers.yaml", CATALOGUE)
    assert len([fact for fact in whole.facts if fact.kind == "bilirubin_total"]) == 2
    assert asked(trial, whole)["A"].verdict == "ineligible"


def test_a_result_still_pending_beside_an_answer_is_said(trial: Trial) -> None:
    pending = {"kind": "bilirubin_total", "on": "2026-03-16", "status": "pending"}
    whole = with_added(person(pending, ECOG, NO_SEIZURE), person(BILIRUBIN), "answers.yaml", CATALOGUE)
    assert "still has no value" in whole.problems[-1].what
    assert asked(trial, whole)["A"].verdict == "undetermined"


def test_what_ended_a_period_later_did_not_end_it_before(trial: Trial) -> None:
    """As known on the 12th, the toxicity graded on the 10th was still open: the newer grade came on the 14th."""
    early = {"kind": "toxicity", "term": "nausea", "grade": "2", "from": "2026-03-10", "recorded": "2026-03-10"}
    late = {**early, "grade": "1", "from": "2026-03-14", "recorded": "2026-03-14"}
    found = asked(trial, person(early, late), as_known_on=date(2026, 3, 12)).patient.facts
    (fact,) = (fact for fact in found if fact.kind == "toxicity")
    assert fact.end is None or fact.end.span.high is None


def test_an_unmapped_record_of_the_future_is_a_problem_only(trial: Trial) -> None:
    unmapped = Fact(id="x", kind="unmapped", start=parse_when("2027-01-01"), source="Observation/x")
    record = replace(person(BILIRUBIN), facts=(*person(BILIRUBIN).facts, unmapped))
    assert any(problem.where == "Observation/x" for problem in asked(trial, record).problems)


def test_another_sex_on_record_decides_the_same_whatever_is_added(trial: Trial) -> None:
    """The newest statement of the sex decides, as of any state; further facts and a past day leave it there."""
    record = person({"kind": "sex", "value": "female", "on": "2026-03-01"}, ECOG)
    more = patient_from({"patient": "P", "facts": [NO_SEIZURE]}, "more.yaml", CATALOGUE)
    before = asked(trial, record)
    assert [problem.what for problem in before.problems] == [
        "the sex is not recorded as the same everywhere: check both"
    ]
    assert before.criterion("MEN").status == "not_applicable"
    for other in (
        asked(trial, with_added(record, more, "more.yaml", CATALOGUE)),
        asked(trial, record, as_known_on=date(2026, 3, 15)),
    ):
        assert other.criterion("MEN").status == "not_applicable"
        assert other.problems == before.problems


def test_another_sex_keeps_its_day(trial: Trial) -> None:
    """What is recorded of 20 March does not decide on the 16th, whatever is added on the way."""
    record = person({"kind": "sex", "value": "female", "on": "2026-03-20"}, ECOG)
    more = patient_from({"patient": "P", "facts": [NO_SEIZURE]}, "more.yaml", CATALOGUE)
    for found in (asked(trial, record), asked(trial, with_added(record, more, "more.yaml", CATALOGUE))):
        assert found.criterion("MEN").status == "met"


def test_a_sex_that_was_not_known_is_added(trial: Trial) -> None:
    record = person(sex=None)
    assert asked(trial, record).criterion("MEN").status == "unknown"
    more = patient_from({"patient": "P", "sex": "female", "facts": []}, "more.yaml", CATALOGUE)
    added = with_added(record, more, "more.yaml", CATALOGUE)
    assert asked(trial, added).criterion("MEN").status == "not_applicable"


@pytest.mark.parametrize(
    ("born", "told"), [("1855", True), ("1905-03-16", True), ("1905-03-17", False), ("1905", False)]
)
def test_a_birth_that_makes_an_age_nobody_reaches_is_not_used(trial: Trial, born: str, told: bool) -> None:
    """On 2026-03-16 somebody born on 1905-03-16 is 121; born on the next day, 120; born in 1905, one of both."""
    found = asked(trial, person(ECOG, born=born))
    problems = [problem for problem in found.problems if problem.where == "born"]
    assert ["older than 120 years" in problem.what for problem in problems] == [True] * told
    assert found.criterion("A-AGE").status == ("unknown" if told else "met")
