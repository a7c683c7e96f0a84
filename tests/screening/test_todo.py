"""Screen, fill, screen again: what is open can be filled in, and filled in it settles, without new contradictions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.screening.filling import Answers, filled, filled_in, put_back
from tests.trials.flagship import ON, asked, changed, examples

from onstudy import read_patients
from onstudy.errors import Problem
from onstudy.record.checks import DECEASED
from onstudy.record.patient import Patient
from onstudy.screening.explain import because
from onstudy.screening.report import to_text
from onstudy.screening.screen import Screening
from onstudy.screening.todo import todo_file
from onstudy.screening.worksheet import worksheet, worksheet_sections
from onstudy.values.calendar import parse_when

EXAMPLES = Path(__file__).parents[2] / "examples"
NO = {"value": "no"}


def example(name: str) -> Patient:
    (patient,) = read_patients(EXAMPLES / f"{name}.json")
    return patient


def problems(s: Screening, before: Screening) -> list[str]:
    """What is wrong with the record now that was not before."""
    return [problem.what for problem in s.problems if problem not in before.problems]


def settled(record: Patient, cohort: str, answers: Answers, complete: tuple[str, ...] = ()) -> Screening:
    """Screened again with the answers; left blank, the same file changes nothing."""
    first = asked(record)
    assert first[cohort].verdict in ("undetermined", "eligible_if_confirmed")
    blank = asked(put_back(record, todo_file(first)))
    assert [one.verdict for one in blank.cohorts] == [one.verdict for one in first.cohorts]
    assert problems(blank, first) == []
    again = asked(filled_in(first, record, answers, complete))
    assert problems(again, first) == []
    return again


# The example patients -------------------------------------------------------------------------------------

ABSENT = """
angina cardiac_arrhythmia other_unstable_cardiac_disease neurologic_disorder other_malignancy ventricular_arrhythmia
syncope chronic_bradycardia sos_vod deep_tissue_infection
""".split()
FILLED: list[tuple[str, str, Answers]] = [
    (
        "data-missing",
        "C1",
        {
            "bcr_abl1": {"value": "negative"},
            "lvef": {"on": "2026-03-15", "value": "57 %"},
            "bilirubin_total": {"uln": "1.2 mg/dL"},
        },
    ),
    (
        "data-missing",
        "C3",
        {
            "bcr_abl1": {"value": "positive"},
            "lvef": {"on": "2026-03-15", "value": "57 %"},
            "bilirubin_total": {"uln": "0.9 mg/dL"},
            "gilbert_syndrome": {"value": "yes"},
            "hypercvad_ineligible": {"value": "yes"},
        },
    ),
    ("eligible-if-confirmed", "C1", dict.fromkeys(ABSENT, NO)),
    ("stale-pregnancy-test", "C2", {"pregnancy_test": {"on": "2026-03-15", "value": "negative"}}),
]


@pytest.mark.parametrize(("name", "cohort", "answers"), FILLED)
def test_an_example_patient_filled_in_is_eligible(name: str, cohort: str, answers: Answers) -> None:
    assert settled(example(name), cohort, answers)[cohort].verdict == "eligible"


def test_every_example_patient_with_something_open_is_filled_in_here() -> None:
    open_ones = {
        path.stem
        for path in EXAMPLES.glob("*.json")
        if any(cohort.verdict not in ("eligible", "ineligible") for cohort in asked(example(path.stem)).cohorts)
    }
    assert open_ones == {name for name, *_ in FILLED} | {"infarction-undated"}


def test_a_record_whose_kind_is_there_already_is_declared_complete_not_denied() -> None:
    """An infarction on record, without its date: a "no" would deny it, so it is asked whether that is all."""
    record = example("infarction-undated")
    text = todo_file(asked(record))
    assert "  # - myocardial_infarction" in text
    assert "value:  # yes or no" not in text
    # The first blank day is that of the infarction on record, the second that of one more.
    dated = text.replace("    on:  # YYYY-MM-DD", "    on: 2015-05-02", 1).replace("  # - myo", "  - myo")
    assert asked(put_back(record, dated))["C1"].verdict == "eligible"
    recent = asked(put_back(record, dated.replace("2015-05-02", "2025-12-01")))
    assert (recent["C1"].verdict, recent["C1"].deciding) == ("ineligible", ("S1-17",))


def test_a_forgotten_yes_is_said_and_never_taken_for_a_no() -> None:
    """The day of one more infarction without its "yes": even where all absence is accepted, it is not known."""
    record = example("infarction-undated")
    head, blank, rest = todo_file(asked(record)).rpartition("    on:  # YYYY-MM-DD")
    half = head.replace("    on:  # YYYY-MM-DD", "    on: 2015-05-02", 1) + "    on: 2025-12-01" + rest
    again = asked(put_back(record, half))
    (said,) = [problem for problem in again.problems if problem not in asked(record).problems]
    assert "myocardial_infarction: `on` is filled in and `value` is left blank" in said.what and said.fact_kept
    accepted = asked(put_back(record, half), assume_complete=["all"])
    assert blank and accepted.criterion("S1-17").status == "unknown"
    yes = half.replace("value:  # yes, if there is one more", "value: yes")
    assert asked(put_back(record, yes)).criterion("S1-17").status == "not_met"


def test_what_is_filled_in_beside_the_id_of_a_record_completes_it_though_its_value_is_forgotten() -> None:
    entry = "{kind: myocardial_infarction, id: MI, value: , on: 2015-05-02}"
    record = changed("BASE-1", without=["myocardial_infarction"],
                     facts=[{"kind": "myocardial_infarction", "id": "MI", "suspected": "yes"}])  # fmt: skip
    again = put_back(record, f"patient: {record.id}\nfacts:\n  - {entry}\n")
    (fact,) = [fact for fact in again.facts if fact.kind == "myocardial_infarction"]
    assert (fact.certain, str(fact.start)) == (False, "2015-05-02")
    assert "left blank" in again.problems[-1].what


def test_the_text_tells_two_questions_of_one_kind_apart_and_names_no_way_that_is_all_of_them() -> None:
    text = to_text(asked(example("infarction-undated")))
    assert "get: Myocardial infarction [myocardial_infarction] (S1-17: imprecise date)" in text
    assert "confirm: Myocardial infarction [myocardial_infarction] (S1-17: no record of" in text
    assert "enough, if favourable" not in text
    assert "enough, if favourable" in to_text(asked(example("data-missing")))


WRONG = """
facts:
  - {kind: lvef, on: 2026-03-20, value: 57 %}
  - {kind: bilirubin_total, id: Observation/bilirubin, value: 2 mg/dL, uln: 1.2 mg/dL}
  - {kind: creatinine, on: 2026-03-15, value: 1.0 mg/dL, status: cancelled}
  - {kind: hemoglobin, on: 2026-03-15, value: 11 g/dL}
"""


def test_what_is_wrong_with_an_answer_stands_above_the_verdicts_and_is_said_once() -> None:
    record = example("data-missing")
    record = replace(record, problems=(*record.problems, Problem("of the record", "Observation/x")))
    s = asked(put_back(record, f"patient: {record.id}{WRONG}"))
    top, _, rest = to_text(s).partition("\nC1  ")
    assert "3 problems in what was added:" in top
    for said in ("facts[2]: its status is 'cancelled'", "on record with another", "is dated 2026-03-20, after"):
        assert said in top and said not in rest
    assert "1 problem in the record:\n  - Observation/x: of the record" in rest
    known = asked(put_back(record, f"patient: {record.id}{WRONG}"), as_known_on=ON)
    assert "2 problems in what was added:" in to_text(known).partition("\nC1  ")[0]  # the lvef was not known then


def test_the_worksheet_says_so_above_the_verdicts_after_a_death_and_counts_it_once() -> None:
    record = example("data-missing")
    record = replace(record, problems=(*record.problems, Problem(DECEASED, "Patient/p", True)))
    html = worksheet(asked(put_back(record, f"patient: {record.id}{WRONG}")))
    top = html[html.index('id="verdicts"') : html.index('class="cards"')]
    assert top.index("Death on record") < top.index("What was added has 3 problems.") < top.index("<li>")
    assert top.count("<li>") == 3 and "todo.yaml:5 facts[2]: its status is &#39;cancelled&#39;" in top
    assert "could not be used" not in top
    assert "What was added" not in worksheet_sections(asked(put_back(record, f"patient: {record.id}{WRONG}")))


def test_an_answer_without_fault_adds_nothing_on_top() -> None:
    record = example("data-missing")
    old = "\nfacts:\n  - {kind: bilirubin_total, id: Observation/bilirubin, uln: 1.2 mg/dL}\n"
    s = asked(put_back(record, f"patient: {record.id}{old}"), on=date(2026, 4, 20), therapy_start=None)
    assert any("days old" in problem.what and "todo.yaml" in problem.where for problem in s.problems)
    assert "what was added" not in to_text(s)


# What is on record already ----------------------------------------------------------------------------------

CHEMOTHERAPY_ONLY = ["no-antibody", "no-cd19", "no-cd22", "no-intrathecal", "no-cranial-radiotherapy", "no-inducer"]


def test_treatments_on_record_are_declared_complete() -> None:
    record = changed("BASE-2", without=CHEMOTHERAPY_ONLY, complete=None)
    first = asked(record)
    (question,) = [one for one in first["C2"].to_confirm if one.kind == "treatment"]
    assert "C2-09" in question.criteria
    again = settled(record, "C2", {}, ("treatment",))
    assert again["C2"].verdict == "eligible"
    said = {row.criterion.id: because(row.finding, again.catalogue) for row in again.criteria if row.finding}
    assert not [name for name, text in said.items() if text.startswith("no treatment:")]


def test_one_more_treatment_that_was_found_is_added() -> None:
    record = changed("BASE-2", without=CHEMOTHERAPY_ONLY, complete=None)
    more = {"treatment": {"value": "yes", "from": "2026-03-01", "agent": "blinatumomab", "intent": "ALL"}}
    again = asked(filled_in(asked(record), record, more, ("treatment",)))
    assert "C2-09" in again["C2"].deciding


def test_a_no_to_what_is_on_record_is_said_with_the_way_out() -> None:
    record = changed("BASE-2", without=CHEMOTHERAPY_ONLY, complete=None)
    denied = f"patient: {record.id}\nfacts:\n  - {{kind: treatment, value: no, recorded: 2026-03-16}}\n"
    said = [problem.what for problem in put_back(record, denied).problems]
    assert any("write 'complete: [treatment]' instead" in what for what in said)
    narrowed = denied.replace("value: no", "agent: cd19_directed, value: no")
    assert put_back(record, narrowed).problems == record.problems


def test_a_no_to_what_is_not_on_record_is_no_problem() -> None:
    record = changed("BASE-1", without=["neurologic_disorder"])
    assert settled(record, "C1", {"neurologic_disorder": NO})["C1"].verdict == "eligible"


def test_an_attestation_counts_from_the_registration_date_that_is_written_beside_it() -> None:
    record = changed("BASE-3", born="1960-01-10")
    text = todo_file(asked(record))
    assert "on: 2026-03-16  # the day it was so" in text
    assert settled(record, "C3", {"hypercvad_ineligible": {"value": "yes"}})["C3"].verdict == "eligible"
    assert settled(record, "C3", {"hypercvad_ineligible": NO})["C3"].verdict == "ineligible"


# Computed values --------------------------------------------------------------------------------------------

CREATININE = {"kind": "creatinine", "id": "K1", "on": "2026-03-14", "value": "2.0 mg/dL", "uln": "1.2 mg/dL"}
PENDING: list[tuple[str, str, list[str], list[dict[str, Any]], Answers, str]] = [
    (
        "the QT of a tracing",
        "BASE-1",
        ["ecg"],
        [{"kind": "ecg", "id": "E1", "on": "2026-03-14", "qt": {"status": "pending"}, "rate": "60 /min"}],
        {"qt_interval": {"value": "430 ms"}},
        'id: "E1.qt"',
    ),
    (
        "the rate of a tracing",
        "BASE-1",
        ["ecg"],
        [{"kind": "ecg", "id": "E1", "on": "2026-03-14", "qt": "430 ms", "rate": {"status": "pending"}}],
        {"ecg_heart_rate": {"value": "60 /min"}},
        'id: "E1.rate"',
    ),
    (
        "a rate that was not stated",
        "BASE-1",
        ["ecg"],
        [{"kind": "ecg", "id": "E1", "on": "2026-03-14", "qt": "430 ms"}],
        {"ecg": {"rate": "60 /min"}},
        'id: "E1"',
    ),
    (
        "a tracing of which nothing useful is stated",
        "BASE-1",
        ["ecg"],
        [{"kind": "ecg", "id": "E1", "on": "2026-03-14", "qtcb": "440 ms"}],
        {"ecg": {"qt": "430 ms", "rate": "60 /min"}},
        'id: "E1"',
    ),
    (
        "a rate beside its QT",
        "BASE-1",
        ["ecg"],
        [
            {"kind": "qt_interval", "id": "Q1", "on": "2026-03-14T08:00", "value": "430 ms"},
            {"kind": "ecg_heart_rate", "id": "R1", "on": "2026-03-14T08:00", "status": "pending"},
        ],
        {"ecg_heart_rate": {"value": "60 /min"}},
        'id: "R1"',
    ),
    (
        "the weight",
        "BASE-1",
        ["creatinine", "body_weight"],
        [CREATININE, {"kind": "body_weight", "id": "W1", "on": "2026-03-14", "status": "pending"}],
        {"body_weight": {"value": "90 kg"}},
        'id: "W1"',
    ),
    (
        "a weight that was not taken",
        "BASE-1",
        ["creatinine", "body_weight"],
        [CREATININE],
        {"body_weight": {"on": "2026-03-16", "value": "90 kg"}},
        "kind: body_weight",
    ),
    (
        "the differential",
        "BASE-2",
        ["blood_count"],
        [
            {
                "kind": "blood_count", "id": "B1", "on": "2026-03-15", "wbc": "6.0 10*3/uL",
                "lymphoblasts": {"status": "pending"},
            }
        ],
        {"blood_lymphoblast_percent": {"value": "20 %"}},
        'id: "B1.lymphoblasts"',
    ),
    (
        "the cytospin of a tap",
        "BASE-1",
        ["csf_examination"],
        [
            {
                "kind": "csf_examination", "id": "L1", "on": "2026-03-12", "wbc": "1 /uL", "rbc": "0 /uL",
                "cytospin": {"status": "pending"},
            }
        ],
        {"csf_cytospin": {"value": "negative"}},
        'id: "L1.cytospin"',
    ),
    (
        "a whole tap",
        "BASE-1",
        ["csf_examination"],
        [{"kind": "csf_examination", "id": "L1", "on": "2026-03-12", "status": "pending"}],
        {"csf_examination": {"wbc": "1 /uL", "rbc": "0 /uL", "cytospin": "negative"}},
        'id: "L1"',
    ),
]  # fmt: skip


WAITING = [pytest.param(*case[1:], id=case[0]) for case in PENDING]


@pytest.mark.parametrize(("base", "without", "facts", "answers", "asked_as"), WAITING)
def test_what_a_computed_value_waits_for_is_asked_of_the_fact_that_lacks_it(
    base: str, without: list[str], facts: list[dict[str, Any]], answers: Answers, asked_as: str
) -> None:
    record = changed(base, without, facts)
    assert asked_as in todo_file(asked(record))
    cohort = "C1" if base == "BASE-1" else "C2"
    assert settled(record, cohort, answers)[cohort].verdict == "eligible"


def test_an_unfavourable_answer_settles_as_well() -> None:
    record = changed("BASE-1", *PENDING[0][2:4])
    again = settled(record, "C1", {"qt_interval": {"value": "500 ms"}})
    assert (again["C1"].verdict, again["C1"].deciding) == ("ineligible", ("S1-36",))
    heavy = changed("BASE-1", ["creatinine", "body_weight"], [CREATININE])
    again = settled(heavy, "C1", {"body_weight": {"on": "2026-03-14", "value": "45 kg"}})
    assert (again["C1"].verdict, again["C1"].deciding) == ("ineligible", ("S1-35",))


def test_what_is_said_of_a_patient_once_is_asked_at_the_top() -> None:
    record = changed("BASE-1", ["creatinine"], [CREATININE], born=None, sex=None)
    text = todo_file(asked(record))
    assert text.index("\nborn:") < text.index("\nfacts:")
    assert text.index("\nsex:") < text.index("\nfacts:")
    assert "kind: sex" not in text
    again = settled(record, "C1", {"patient": {"born": "1955-06-20", "sex": "male"}})
    # (140 - 70) * 70 kg / (72 * 2.0 mg/dL) = 34.03 mL/min, below 40
    assert (again["C1"].verdict, again["C1"].deciding) == ("ineligible", ("S1-35",))


# What is on record and does not settle it -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "row"),
    [
        ({"kind": "stroke", "id": "X1", "on": "2026-03-02", "suspected": "yes"}, "S1-26"),
        ({"kind": "deep_tissue_infection", "id": "X1", "from": "2026-03-02", "status": "pending"}, "S1-32"),
    ],
    ids=["suspected", "pending"],
)
def test_a_suspicion_is_affirmed_or_refuted_by_its_id(fact: dict[str, Any], row: str) -> None:
    without = ["neurologic_disorder", "deep_tissue_infection"]
    complete = ["treatment", "hematopoietic_transplant", "neurologic_disorder", "deep_tissue_infection"]
    record = changed("BASE-1", without, [fact], complete=complete)
    assert settled(record, "C1", {fact["kind"]: NO})["C1"].verdict == "eligible"
    affirmed = settled(record, "C1", {fact["kind"]: {"value": "yes"}})
    assert (affirmed["C1"].verdict, affirmed["C1"].deciding) == ("ineligible", (row,))


def test_the_end_of_a_treatment_is_asked_by_its_id() -> None:
    prednisone = {
        "kind": "treatment", "id": "T1", "agent": "prednisone", "intent": "ALL", "route": "oral", "from": "2026-03-10",
    }  # fmt: skip
    record = changed("BASE-1", ["no-treatment"], [prednisone])
    assert settled(record, "C1", {"treatment": {"to": "2026-03-15"}})["C1"].verdict == "eligible"
    late = settled(record, "C1", {"treatment": {"to": "2026-03-18"}})
    assert (late["C1"].verdict, late["C1"].deciding) == ("ineligible", ("C1-05",))


def test_a_contradiction_is_not_asked_away() -> None:
    record = changed("BASE-1", facts=[{"kind": "stroke", "id": "X1", "on": "2026-03-02"}])
    text = todo_file(asked(record))
    assert "correct the records where they were made" in text
    assert "- kind: stroke" not in text


def test_a_contradiction_that_an_end_settles_is_asked_for_the_end() -> None:
    """Angina recorded as active in 2020 and denied now: over before the six months that are asked about."""
    angina = {"kind": "angina", "from": "2015-05-01", "active": "yes", "recorded": "2020-01-01"}
    record = changed("BASE-1", facts=[angina])
    text = todo_file(asked(record))
    assert "No further fact" not in text and "correct them where they were made" in text
    again = settled(record, "C1", {"angina": {"to": "2015-06-01"}})
    assert again["C1"].verdict == "eligible"


def test_a_fact_that_was_given_no_id_can_be_completed_too() -> None:
    """Its place in the file and a checksum stand for it."""
    record = changed("BASE-1", ["lvef"], [{"kind": "lvef", "on": "2026-03-10", "status": "pending"}])
    assert settled(record, "C1", {"lvef": {"value": "60 %"}})["C1"].verdict == "eligible"


AWAITED = "patient: BASE-1\nfacts:\n  - {kind: lvef, on: 2026-03-10, status: pending}\n"


def test_an_answer_to_an_answer_finds_it_whatever_its_file_is_called_now() -> None:
    record = changed("BASE-1", ["lvef"], [])
    text = filled(todo_file(asked(put_back(record, AWAITED, "first.yaml"))), {"lvef": {"value": "60 %"}})
    again = put_back(put_back(record, AWAITED, "renamed.yaml"), text, "second.yaml")
    assert asked(again)["C1"].verdict == "eligible"


def test_an_answer_to_what_is_not_on_record_is_said_to_find_nothing() -> None:
    """The answers of the round before were not added again."""
    record = changed("BASE-1", ["lvef"], [])
    text = filled(todo_file(asked(put_back(record, AWAITED))), {"lvef": {"value": "60 %"}})
    said = [problem.what for problem in put_back(record, text).problems]
    assert any("no fact of the record has the id added facts[0]#" in what for what in said)
    assert any("the answers given before are to be added again" in what for what in said)


def test_a_mistyped_id_is_said_to_name_nothing() -> None:
    infarction = {"kind": "myocardial_infarction", "id": "Condition/infarction", "on": "2020"}
    record = changed("BASE-1", [], [infarction])
    text = "patient: BASE-1\nfacts:\n  - {kind: myocardial_infarction, id: Condition/infarktion, on: 2020-05-01}\n"
    said = [problem.what for problem in put_back(record, text).problems]
    assert any("has the id Condition/infarktion; did you mean Condition/infarction?" in what for what in said)


def test_the_id_of_a_record_of_another_kind_is_said_to_be_that() -> None:
    infarction = {"kind": "myocardial_infarction", "id": "Condition/infarction", "on": "2020"}
    record = changed("BASE-1", [], [infarction])
    text = "patient: BASE-1\nfacts:\n  - {kind: stroke, id: Condition/infarction, on: 2020-05-01}\n"
    (said,) = (one.what for one in put_back(record, text).problems if "infarction" in one.what)
    assert said == (
        "the record with the id Condition/infarction is of the kind myocardial_infarction, not stroke; "
        "taken as a further fact"
    )


def test_so_is_the_id_of_a_fact_without_one_whose_record_was_changed_since() -> None:
    """Its place and checksum stood for it, and now stand for nothing."""
    text = "patient: BASE-1\nfacts:\n  - {kind: lvef, id: 'facts[7]#00000000', value: 60 %}\n"
    said = [problem.what for problem in put_back(changed("BASE-1", ["lvef"], []), text).problems]
    assert any("no fact of the record has the id facts[7]#00000000" in what for what in said)


def test_a_yes_to_a_period_is_asked_for_its_end_at_once() -> None:
    text = todo_file(asked(changed("BASE-1", ["deep_tissue_infection"], [])))
    entry = text.partition("- kind: deep_tissue_infection")[2].partition("- kind:")[0]
    assert "    from:  # for yes: YYYY-MM-DD\n    to:  # for yes: YYYY-MM-DD, the last day, or ongoing\n" in entry


def test_one_fact_is_asked_for_once() -> None:
    """A pending creatinine keeps the clearance waiting too."""
    pending = {"kind": "creatinine", "id": "K1", "on": "2026-03-14", "status": "pending"}
    text = todo_file(asked(changed("BASE-1", ["creatinine"], [pending])))
    assert text.count('id: "K1"') == 1
    assert text.count("- kind:") == 1


# A cohort that is closed today and opens by time alone -----------------------------------------------------------

RITUXIMAB = {
    "kind": "treatment", "id": "RTX", "agent": "rituximab", "intent": "ALL", "on": "2026-03-12", "route": "intravenous",
}  # fmt: skip


def closed() -> Patient:
    """Rituximab 4 days ago, and no echocardiogram: C2 opens on 19 March."""
    return changed("BASE-2", ["lvef", "no-antibody"], [RITUXIMAB])


def test_what_is_needed_until_a_cohort_opens_is_asked_and_settles_it() -> None:
    record = closed()
    first = asked(record)
    assert (first["C2"].verdict, first["C2"].missing, first["C2"].settled_by) == ("ineligible", (), ())
    opening = first["C2"].opening
    assert opening is not None
    assert (opening.day, opening.verdict) == (date(2026, 3, 19).toordinal(), "undetermined")
    assert [question.kind for question in opening.missing] == ["lvef"]
    text = to_text(first)
    assert "undetermined from 2026-03-19, if nothing new is recorded; until then:\n    get: Left ventricular" in text
    assert "to find or measure until C2 opens on 2026-03-19" in todo_file(first)
    again = asked(filled_in(first, record, {"lvef": {"on": "2026-03-16", "value": "60 %"}}))
    assert again["C2"].opening is not None
    assert (again["C2"].verdict, again["C2"].opening.verdict) == ("ineligible", "eligible")
    assert "until then:" not in to_text(again)
    then = asked(record, on=date(2026, 3, 19), therapy_start=parse_when("2026-03-21T09:00"))
    assert then["C2"].verdict == "undetermined"


def test_what_never_opens_asks_nothing() -> None:
    for name in ("cns2", "cohort-1-eligible"):
        s = asked(example(name))
        assert all(cohort.opening is None for cohort in s.cohorts if cohort.verdict == "ineligible")
        assert "- kind:" not in todo_file(s)


# How an answer completes a fact -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "answer", "kept"),
    [
        ({"on": "2026-03"}, {"on": "2026-03-10"}, None),
        ({"on": "2026-03"}, {"on": "2025-11-10"}, "date"),
        ({"on": "2026-03-10", "value": "60 %"}, {"value": "61 %"}, "value"),
        ({"on": "2026-03-10", "value": "60 %"}, {"on": "2026-03", "value": "60 %"}, None),
    ],
)
def test_an_answer_narrows_and_never_replaces(stated: dict[str, str], answer: dict[str, str], kept: str | None) -> None:
    record = changed("BASE-1", ["lvef"], [{"kind": "lvef", "id": "F1", "value": "60 %", **stated}])
    pairs = "".join(f", {key}: {value}" for key, value in {"value": "60 %", **answer}.items())
    again = put_back(record, f"patient: BASE-1\nfacts:\n  - {{kind: lvef, id: F1{pairs}}}\n")
    (fact,) = [one for one in again.facts if one.kind == "lvef"]
    assert fact.shown == "60 %"
    said = [problem.what for problem in again.problems if "on record with another" in problem.what]
    assert [text.partition("another ")[2].partition(";")[0] for text in said] == ([kept] if kept else [])
    assert fact.start.day is not None or kept == "date"


def test_no_file_says_anything_while_it_is_blank() -> None:
    """The files of every fourth example: each can be read back, changes no verdict and is no problem."""
    for name in sorted(examples())[::4]:
        record = changed(name)
        first = asked(record, until=ON)
        again = asked(put_back(record, todo_file(first)), until=ON)
        assert [one.verdict for one in again.cohorts] == [one.verdict for one in first.cohorts], name
        assert problems(again, first) == [], name


def test_of_two_dates_the_one_that_is_not_known_is_asked_for() -> None:
    """Whether a class is of a heart failure without a date: the class has its day, so the heart failure is asked."""
    record = changed("S1-19-k4")
    first = asked(record)
    (question,) = [one for one in first["C1"].missing if one.kind == "heart_failure"]
    assert question.fields == ("start",)
    assert not any("start" in one.fields for one in first["C1"].missing if one.kind == "nyha_class")
    again = asked(put_back(record, filled(todo_file(first), {"heart_failure": {"from": "2022-05-01"}})))
    assert {row.criterion.id: row.status for row in again.criteria}["S1-19"] == "met"
