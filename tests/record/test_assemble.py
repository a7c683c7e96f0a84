"""What belongs together is put together, what follows is worked out, in any order and as often as wished."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from tests.readers.canon import CATALOGUE, canon, of, only, said, vignettes, written

from onstudy.record.assemble import assemble, content, make_patient, stated
from onstudy.record.ends import reopened
from onstudy.record.patient import Fact, Patient
from onstudy.values.calendar import UNDATED, parse_when, show
from onstudy.values.interval import Interval, point


def number(patient: Patient, kind: str) -> float:
    value = only(patient, kind).value
    assert isinstance(value, Interval)
    assert value.exact
    return float(value.low or 0)


# Composites and components --------------------------------------------------------------------------------


def test_a_composite_stands_beside_its_components() -> None:
    patient = written("kind: csf_examination, on: 2026-03-12, wbc: 1 /uL, rbc: 0 /uL, id: LP")
    assert {fact.id for fact in patient.facts} == {"sex", "LP", "LP.wbc", "LP.rbc"}


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("on: 2026-03-12", "on: 2026-03-12", True),
        ("on: 2026-03-12T08:00", "on: 2026-03-12T08:00", True),
        ("on: 2026-03-12, sample: S1", "on: 2026-03-12, sample: S1", True),
        ("on: 2026-03-12T08:00, sample: S1", "on: 2026-03-12T08:10, sample: S1", True),
        ("on: 2026-03-12", "on: 2026-03-13", False),
        ("on: 2026-03-12T08:00", "on: 2026-03-12T08:01", False),
        ("on: 2026-03-12, sample: S1", "on: 2026-03-12, sample: S2", False),
        ("on: 2026-03-12, sample: S1", "on: 2026-03-13, sample: S1", False),
        ("on: 2026-03-12, sample: S1", "on: 2026-03-12", False),
        ("on: 2026-03", "on: 2026-03", False),
    ],
)
def test_results_of_one_sample_become_one(first: str, second: str, together: bool) -> None:
    patient = written(
        f"kind: blood_wbc, {first}, value: 25.0 10*3/uL", f"kind: blood_lymphoblast_percent, {second}, value: 40 %"
    )
    counts = of(patient, "blood_count")
    assert len(counts) == (1 if together else 2)
    assert bool(of(patient, "absolute_lymphoblast_count")) == together
    assert len(of(patient, "blood_wbc")) == len(of(patient, "blood_lymphoblast_percent")) == 1


def test_without_an_identifying_component_there_is_no_composite() -> None:
    assert of(written("kind: ecg_heart_rate, on: 2026-03-12, value: 80 /min"), "ecg") == []


def test_one_result_alone_is_a_composite_of_its_own() -> None:
    patient = written("kind: qtcf, on: 2026-03-12, value: 425 ms")
    assert set(only(patient, "ecg").parts) == {"qtcf"}


def test_a_component_reported_twice_may_be_either() -> None:
    patient = written(
        "kind: csf_wbc, on: 2026-03-12, value: 3 /uL",
        "kind: csf_wbc, on: 2026-03-12, value: 8 /uL",
        "kind: csf_cytospin, on: 2026-03-12, value: negative",
    )
    tap = only(patient, "csf_examination")
    assert tap.parts["wbc"].value == Interval(3.0, 8.0)
    assert len(of(patient, "csf_wbc")) == 2


def test_a_loose_result_joins_the_composite_that_lacks_it() -> None:
    patient = written(
        "kind: csf_examination, on: 2026-03-12T09:00, wbc: 1 /uL, rbc: 0 /uL, id: LP",
        "kind: csf_cytospin, on: 2026-03-12T09:00, value: negative, recorded: 2026-03-14",
    )
    assert set(only(patient, "csf_examination").parts) == {"wbc", "rbc", "cytospin"}
    assert only(patient, "csf_cytospin").id == "LP.cytospin"


def test_two_halves_of_a_sample_are_one_and_two_whole_ones_are_two() -> None:
    halves = written(
        "kind: csf_examination, on: 2026-03-12, wbc: 1 /uL, sample: LP",
        "kind: csf_examination, on: 2026-03-12, rbc: 0 /uL, sample: LP",
    )
    wholes = written(
        "kind: csf_examination, on: 2026-03-12, wbc: 1 /uL", "kind: csf_examination, on: 2026-03-12, wbc: 9 /uL"
    )
    assert len(of(halves, "csf_examination")) == 1
    assert len(of(wholes, "csf_examination")) == 2


WBC, PERCENT = "on: 2026-03-12, value: 6.0 10*3/uL", "on: 2026-03-12, value: 20 %"


@pytest.mark.parametrize(
    "lines",
    [
        (f"kind: blood_wbc, {WBC}", f"kind: blood_lymphoblast_percent, {PERCENT}"),
        ("kind: blood_count, on: 2026-03-12, wbc: 6 10*3/uL", "kind: blood_count, on: 2026-03-12, lymphoblasts: 20 %"),
        ("kind: blood_count, on: 2026-03-12, wbc: 6 10*3/uL", f"kind: blood_lymphoblast_percent, {PERCENT}"),
    ],
    ids=["two results", "two samples", "a sample and a result"],
)
def test_results_with_nothing_but_a_day_in_common_may_not_be_of_one_sample(lines: tuple[str, ...]) -> None:
    patient = written(*lines)
    counted = only(patient, "absolute_lymphoblast_count")
    assert (counted.value, counted.lacks) == (None, "imprecise_date")
    assert [problem.what for problem in patient.problems] == [
        "Blood count (one sample): results of one day, not known whether they were taken together; "
        "give them one `sample`, or the time"
    ]


def test_a_result_that_repeats_a_sample_of_its_day_leaves_no_doubt() -> None:
    patient = written(
        "kind: blood_count, on: 2026-03-12, wbc: 6.0 10*3/uL, lymphoblasts: 20 %",
        "kind: blood_wbc, on: 2026-03-12, value: 6.0 10*3/uL",
    )
    assert number(patient, "absolute_lymphoblast_count") == 1200
    assert patient.problems == ()


def test_another_result_of_the_day_leaves_what_a_sample_gives() -> None:
    patient = written(
        "kind: blood_count, on: 2026-03-12, wbc: 6.0 10*3/uL, lymphoblasts: 20 %",
        "kind: hemoglobin, on: 2026-03-12, value: 9.1 g/dL",
    )
    assert number(patient, "absolute_lymphoblast_count") == 1200


def test_a_rate_of_the_day_leaves_a_reported_qtcf_alone() -> None:
    patient = written(
        "kind: qtcf, on: 2026-03-12, value: 425 ms", "kind: ecg_heart_rate, on: 2026-03-12, value: 80 /min"
    )
    assert set(only(patient, "ecg").parts) == {"qtcf"}
    assert (only(patient, "ecg").lacks, patient.problems) == (None, ())
    whole = written(
        "kind: ecg, on: 2026-03-12, qtcf: 425 ms, qt: 400 ms", "kind: ecg_heart_rate, on: 2026-03-12, value: 80 /min"
    )
    assert (number(whole, "qtcf"), whole.problems) == (425, ())
    apart = written(
        "kind: qt_interval, on: 2026-03-12, value: 425 ms", "kind: ecg_heart_rate, on: 2026-03-12, value: 80 /min"
    )
    assert only(apart, "qtcf").lacks == "imprecise_date"


def test_formulas_that_contradict_each_other_give_nothing() -> None:
    patient = written("kind: ecg, on: 2026-03-14, qt: 427 ms, rate: 90 /min, rr: 1000 ms")
    assert (only(patient, "qtcf").value, only(patient, "qtcf").lacks) == (None, "conflict")
    rounded = written("kind: ecg, on: 2026-03-14, qt: 427 ms, rate: 80 /min, rr: 748 ms")
    assert number(rounded, "qtcf") == pytest.approx(427 / 0.748 ** (1 / 3), abs=5e-4)


def test_a_value_that_needs_a_later_measurement_is_of_some_day_up_to_it() -> None:
    """It is a value of the sample: a clearance measured between the two may be the newer one."""
    later = written(
        "kind: creatinine, on: 2026-03-15, value: 2.0 mg/dL, uln: 1.2 mg/dL",
        "kind: body_weight, on: 2026-03-20, value: 100 kg",
    )
    assert only(later, "creatinine_clearance").start.days == Interval(
        parse_when("2026-03-15").day, parse_when("2026-03-20").day
    )


# Derived facts ----------------------------------------------------------------------------------------------

# Reference 4.1: QT, rate, QTcF.
QTCF = [
    (400, 60, 400.0),
    (420, 75, 452.431),
    (427, 80, 469.974),
    (430, 80, 473.276),
    (440, 73, 469.725),
    (480, 55, 466.278),
]


@pytest.mark.parametrize(("qt", "rate", "expected"), QTCF)
def test_qtcf_of_qt_and_rate(qt: int, rate: int, expected: float) -> None:
    patient = written(f"kind: ecg, on: 2026-03-14, qt: {qt} ms, rate: {rate} /min, id: E")
    derived = only(patient, "qtcf")
    assert number(patient, "qtcf") == pytest.approx(expected, abs=5e-4)
    assert (derived.id, derived.computed, derived.start) == ("E:qtcf", True, parse_when("2026-03-14"))
    assert only(patient, "ecg").parts["qtcf"] == derived


def test_qtcf_by_rr_and_not_where_it_is_reported() -> None:
    assert number(written("kind: ecg, on: 2026-03-14, qt: 427 ms, rr: 750 ms"), "qtcf") == pytest.approx(
        469.974, abs=5e-4
    )
    reported = written("kind: ecg, on: 2026-03-14, qt: 427 ms, rate: 80 /min, qtcf: 465 ms")
    assert not only(reported, "qtcf").computed
    pending = written("kind: ecg, on: 2026-03-14, qt: 427 ms, rate: 80 /min, qtcf: {status: pending}")
    assert only(pending, "qtcf").lacks == "pending_result"
    assert of(written("kind: ecg, on: 2026-03-14, qtc_unspecified: 455 ms"), "qtcf") == []


def test_lymphoblast_count_of_one_blood_count() -> None:
    # Reference 4.7.
    exact = written("kind: blood_count, on: 2026-03-15, wbc: 25.0 10*3/uL, lymphoblasts: 40 %")
    assert number(exact, "absolute_lymphoblast_count") == pytest.approx(10000)
    pending = written("kind: blood_count, on: 2026-03-15, wbc: 25.0 10*3/uL, lymphoblasts: {status: pending}")
    assert only(pending, "absolute_lymphoblast_count").lacks == "pending_result"
    reported = written(
        "kind: blood_count, on: 2026-03-15, wbc: 25.0 10*3/uL, lymphoblasts: 40 %, lymphoblasts_absolute: 9000 /uL"
    )
    assert number(reported, "absolute_lymphoblast_count") == 9000
    assert (
        of(
            written("kind: blood_count, on: 2026-03-15, wbc: 25 10*3/uL, lymphocytes: 9000 /uL"),
            "absolute_lymphoblast_count",
        )
        == []
    )


# Reference 4.2: age, sex, kg, creatinine, clearance; the year of birth makes the age on 2026-03-16.
CLEARANCE = [("1954-01-01", "female", 60, 1.3, 37.051), ("1956-01-01", "male", 80, 2.0, 38.889),
             ("1961-01-01", "male", 90, 2.2, 42.614), ("1942-01-01", "female", 55, 1.7, 21.389)]  # fmt: skip


@pytest.mark.parametrize(("born", "sex", "weight", "creatinine", "expected"), CLEARANCE)
def test_cockcroft_gault(born: str, sex: str, weight: int, creatinine: float, expected: float) -> None:
    patient = written(
        f"kind: creatinine, on: 2026-03-16, value: {creatinine} mg/dL, id: K",
        f"kind: body_weight, on: 2026-03-10, value: {weight} kg",
        born=born,
        sex=sex,
    )
    assert number(patient, "creatinine_clearance") == pytest.approx(expected, abs=5e-4)
    assert only(patient, "creatinine_clearance").id == "K:creatinine_clearance"


CREATININE = "kind: creatinine, on: 2026-03-10, value: 2.0 mg/dL"


@pytest.mark.parametrize(
    ("weights", "expected", "lacks"),
    [
        (["on: 2026-03-01, value: 72 kg"], 35.0, None),
        (["on: 2026-03-10, value: 72 kg"], 35.0, None),
        (["on: 2025-03-01, value: 90 kg", "on: 2026-03-01, value: 72 kg"], 35.0, None),
        (["on: 2026-03-01, value: 72 kg", "on: 2026-03-11, value: 90 kg"], 35.0, None),
        (["on: 2026-03-20, value: 90 kg", "on: 2026-03-11, value: 72 kg"], 35.0, None),
        (["on: 2026-03-01, value: 72 kg", "on: 2026-03-01, value: 144 kg"], (35.0, 70.0), None),
        (["on: 2026-03, value: 72 kg", "on: 2026-03-02, value: 144 kg"], (35.0, 70.0), None),
        (["value: 72 kg"], 35.0, None),
        (["on: 2026-03-01, value: 72"], None, "no_unit_or_limit"),
        ([], None, "no_record"),
    ],
)
def test_the_weight_that_counts(weights: list[str], expected: object, lacks: str | None) -> None:
    patient = written(CREATININE, *(f"kind: body_weight, {weight}" for weight in weights), born="1956-01-01")
    found = only(patient, "creatinine_clearance")
    assert found.lacks == lacks
    if expected is not None:
        bounds = expected if isinstance(expected, tuple) else (expected, expected)
        assert isinstance(found.value, Interval)
        assert (found.value.low, found.value.high) == pytest.approx(bounds)


def test_a_missing_input_is_not_replaced_by_an_older_clearance() -> None:
    patient = written(
        CREATININE,
        "kind: creatinine, on: 2026-03-14, value: 5 furlong",
        "kind: body_weight, on: 2026-03-01, value: 72 kg",
    )
    newest = max(of(patient, "creatinine_clearance"), key=lambda fact: fact.start.span.low or 0)
    assert (show(newest.start), newest.lacks) == ("2026-03-14", "no_unit_or_limit")


def test_a_measured_clearance_makes_the_computed_one_of_its_day_unnecessary() -> None:
    patient = written(
        CREATININE, "kind: body_weight, on: 2026-03-01, value: 72 kg",
        "kind: creatinine_clearance, on: 2026-03-10, value: 50 mL/min",
    )  # fmt: skip
    assert number(patient, "creatinine_clearance") == 50


def test_unknown_sex_and_birth() -> None:
    sexless = written(CREATININE, "kind: body_weight, on: 2026-03-01, value: 72 kg", born="1956-01-01", sex="")
    assert only(sexless, "creatinine_clearance").lacks == "no_record"
    ageless = written(CREATININE, "kind: body_weight, on: 2026-03-01, value: 72 kg", born="")
    assert only(ageless, "creatinine_clearance").lacks == "no_record"
    year = written(CREATININE, "kind: body_weight, on: 2026-03-01, value: 72 kg", born="1956")
    value = only(year, "creatinine_clearance").value
    assert isinstance(value, Interval)
    assert (value.low, value.high) == pytest.approx((35.0, 35.5))


# What ends what ------------------------------------------------------------------------------------------------

OPEN = "kind: toxicity, term: nausea, grade: 3, from: 2026-02-01, active: true, id: old"


@pytest.mark.parametrize(
    ("newer", "end"),
    [
        ("kind: toxicity, term: nausea, grade: 1, from: 2026-03-01, active: true", "2026-02-28"),
        ("kind: toxicity, term: nausea, grade: 1, on: 2026-03", "2026-02-01..2026-03-30"),
        ("kind: toxicity, term: fatigue, grade: 1, from: 2026-03-01", None),
        ("kind: toxicity, term: other, grade: 1, from: 2026-03-01", None),
        ("kind: toxicity, grade: 1, from: 2026-03-01", None),
        ("kind: toxicity, term: nausea, grade: 1, from: 2026-02-01", None),
        ("kind: toxicity, term: nausea, grade: 1, from: 2026-01-01", None),
        ("kind: toxicity, value: no, recorded: 2026-03-10", None),
        ("kind: toxicity, term: fatigue, value: no, recorded: 2026-03-10", None),
        ("kind: toxicity, value: no, recorded: 2026-02-01", None),
    ],
)
def test_an_open_period_is_ended_by_what_is_newer(newer: str, end: str | None) -> None:
    old = next(fact for fact in written(OPEN, newer).facts if fact.id == "old")
    assert (None if old.end is None else show(old.end), old.ongoing) == (end, end is None)


@pytest.mark.parametrize(
    ("newer", "end"),
    [
        ("kind: toxicity, value: no, recorded: 2026-03-10", "2026-03-05..2026-03-09"),
        ("kind: toxicity, term: nausea, value: no, recorded: 2026-03-10", "2026-03-05..2026-03-09"),
        ("kind: toxicity, value: no, on: 2026-03-04", None),
        ("kind: toxicity, value: no, on: 2026-03-05", "from 2026-02-01"),
        ("kind: toxicity, term: nausea, grade: 1, on: 2026-03-04", None),
        ("kind: toxicity, term: nausea, grade: 1, on: 2026-03-05", "2026-03-04"),
        ("kind: toxicity, term: nausea, grade: 1, from: 2026-03-01, recorded: 2026-03", "from 2026-02-01"),
        ("kind: toxicity, term: nausea, grade: 1, from: 2026-03-01, active: true", "2026-02-28"),
    ],
)
def test_an_open_period_goes_on_to_the_day_that_was_recorded(newer: str, end: str | None) -> None:
    patient = written(f"{OPEN}, recorded: 2026-03-05", newer)
    old = next(fact for fact in patient.facts if fact.id == "old")
    assert (None if old.end is None else show(old.end), old.ongoing) == (end, end is None)
    again, _ = assemble(patient.facts, CATALOGUE, patient.born)
    assert tuple(again) == patient.facts


@pytest.mark.parametrize(
    ("newer", "end"),
    [
        ("from: 2015-01-01, active: yes, controlled: yes, recorded: 2026-02-01", "2015-02-01..2026-01-31"),
        ("from: 2015-01-01, to: 2018-05-01, controlled: yes", "2015-02-01..2018-04-30"),
        ("from: 2015-01-01, active: yes, controlled: yes", "from 2015-02-01"),
        ("from: 2015-01-02, active: yes, controlled: yes, recorded: 2026-02-01", "from 2015-02-01"),
        ("from: 2015-01, active: yes, controlled: yes, recorded: 2026-02-01", "from 2015-02-01"),
        ("from: 2015-01-01, active: yes, controlled: no, recorded: 2026-02-01", None),
        ("from: 2015-01-01, active: yes, recorded: 2026-02-01", None),
        ("from: 2015-01-01, active: yes, controlled: yes, recorded: 2015-02-01", None),
        ("from: 2015-01-01, active: yes, controlled: yes, recorded: 2015-02", None),
        ("from: 2015-01-01, active: yes, suspected: yes, controlled: yes, recorded: 2026-02-01", None),
    ],
)
def test_how_a_disease_is_at_present_is_known_for_the_day_of_record(newer: str, end: str | None) -> None:
    older = "kind: heart_failure, from: 2015-01-01, active: yes, controlled: no, recorded: 2015-02-01, id: old"
    patient = written(older, f"kind: heart_failure, {newer}, id: new")
    old, new = (next(fact for fact in patient.facts if fact.id == name) for name in ("old", "new"))
    assert (None if old.end is None else show(old.end), old.ongoing) == (end, end is None)
    assert new.opened is None, "what is newer goes on"
    again, _ = assemble(patient.facts, CATALOGUE, patient.born)
    assert tuple(again) == patient.facts
    assert (reopened(old).end, reopened(old).ongoing) == (None, True)


@pytest.mark.parametrize(
    ("yes", "end"),
    [
        ("from: 2026-02-20, active: yes, recorded: 2026-03-12", "2026-02-19..2026-03-01"),
        ("from: 2026-02-20, recorded: 2026-03-12", "2026-02-19..2026-03-01"),
        ("from: 2026-03-01, recorded: 2026-03-12", "2026-02-28..2026-03-01"),
        ("from: 2026-03-02, recorded: 2026-03-12", "2026-03-01"),
        ("from: 2026-02, recorded: 2026-03-12", "2026-01-31..2026-03-01"),
        ("from: 2026-02-20, recorded: 2026-03-01", "2026-03-01"),
        ("from: 2026-02-20, recorded: 2026-02-28", "2026-03-01"),
        ("from: 2026-02-20", "2026-03-01"),
        ("from: 2026-02-20, suspected: yes, recorded: 2026-03-12", "2026-03-01"),
    ],
)
def test_a_no_of_a_state_may_be_over_where_a_newer_record_says_it_had_begun(yes: str, end: str) -> None:
    patient = written("kind: pregnancy, value: no, recorded: 2026-03-01", f"kind: pregnancy, {yes}, id: yes")
    (denied,) = (fact for fact in patient.facts if fact.negative)
    assert denied.end is not None and show(denied.end) == end
    before = reopened(denied).end
    assert before is not None and show(before) == "2026-03-01"
    again, _ = assemble(patient.facts, CATALOGUE, patient.born)
    assert tuple(again) == patient.facts


@pytest.mark.parametrize(
    ("recorded", "end"),
    [("2026-03-09", "2026-03-01..2026-03-09"), ("2026-03-10", "from 2026-03-01"), ("2026-03-11", None)],
)
def test_a_none_today_ends_no_period_that_was_recorded_later(recorded: str, end: str | None) -> None:
    """Also one of which nobody said that it goes on."""
    patient = written(
        "kind: gvhd, value: no, recorded: 2026-03-10", f"kind: gvhd, from: 2026-03-01, recorded: {recorded}"
    )
    (disease,) = (fact for fact in patient.facts if not fact.negative and fact.kind == "gvhd")
    ended = disease.end if disease.opened is not None else None
    assert (None if ended is None else show(ended)) == end


def test_a_newer_none_today_ends_a_disease_and_a_history_does_not() -> None:
    patient = written(
        "kind: gvhd, from: 2025-12-01, active: true, recorded: 2026-03-01",
        "kind: gvhd, value: no, recorded: 2026-03-10",
        "kind: epilepsy, from: 2025-12-01, active: true", "kind: epilepsy, value: no, recorded: 2026-03-10",
    )  # fmt: skip
    assert not next(f for f in of(patient, "gvhd") if not f.negative).ongoing
    assert next(f for f in of(patient, "epilepsy") if not f.negative).ongoing


# What cannot be right -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (["kind: body_height, on: 2026-03-10, value: 1.70 cm"], "body_height lies outside 20 to 280 cm"),
        (["kind: body_height, on: 2026-03-10, value: 170 cm"], ""),
        (["kind: lvef, on: 2026-03-10, value: 160 %"], "lvef lies outside"),
        (["kind: ecg, on: 2026-03-14, qt: 427 ms, rate: 80 /min, qtcf: 440 ms"], "more than 10 ms from"),
        (["kind: ecg, on: 2026-03-14, qt: 427 ms, rate: 80 /min, qtcf: 465 ms"], ""),
        (["kind: other_malignancy, on: 2020-03, disease_free_since: 2020-02"], "since lies before the start"),
        (["kind: other_malignancy, on: 2020-03, disease_free_since: 2020-03"], ""),
        (["kind: other_malignancy, on: 2020, disease_free_since: 2020-02"], ""),
        (["kind: other_malignancy, from: 2020-01, active: yes, disease_free_since: 2021-02"], "says that it is over"),
        (["kind: brain_metastasis, from: 2020-01, active: yes, stable_since: 2021-02"], ""),
    ],
)
def test_contradictions_are_shown_and_kept(facts: list[str], words: str) -> None:
    patient = written(*facts)
    assert words in said(patient)
    assert bool(patient.problems) == bool(words)
    assert all(problem.fact_kept for problem in patient.problems)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (["kind: menses, on: 2026-02-25", "kind: hysterectomy, on: 2019"], "menstrual period is recorded after"),
        (["kind: menses, on: 2018", "kind: hysterectomy, on: 2019"], ""),
    ],
)
def test_menses_and_a_hysterectomy(facts: list[str], words: str) -> None:
    patient = written(*facts, sex="female")
    assert words in said(patient)
    assert bool(patient.problems) == bool(words)


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("kind: pregnancy, from: 2026-01", "a pregnancy is recorded"),
        ("kind: pregnancy_test, on: 2026-03-10, value: positive", "a positive pregnancy test is recorded"),
        ("kind: menses, on: 2026-02-25", "a menstrual period is recorded"),
        ("kind: hysterectomy, on: 2019", "a hysterectomy is recorded"),
        ("kind: pregnancy_test, on: 2026-03-10, value: negative", ""),
        ("kind: pregnancy, value: no, recorded: 2026-03-10", ""),
    ],
)
def test_what_nobody_of_the_sex_has(fact: str, words: str) -> None:
    assert bool(written(fact, sex="male").problems) == bool(words)
    assert f"{words}, and the sex is male: check both [kept]" in said(written(fact, sex="male")) or not words
    assert not written(fact, sex="female").problems


@pytest.mark.parametrize(
    ("facts", "sex", "known"),
    [
        (["kind: hysterectomy, on: 2019"], "male", False),
        (["kind: hysterectomy, on: 2019"], "female", True),
        (["kind: hysterectomy, on: 2019, status: suspected"], "male", True),
        (["kind: hysterectomy, value: no, recorded: 2019-01-01"], "male", True),
        (["kind: testicular_involvement, on: 2019"], "female", False),
        (["kind: pregnancy_test, on: 2026-03-10, value: positive"], "male", False),
        (["kind: pregnancy_test, on: 2026-03-10, value: negative"], "male", True),
        (["kind: hysterectomy, on: 2019", "kind: sex, on: 2020-01-01, value: male"], "male", False),
    ],
)
def test_where_a_record_is_of_another_sex_it_may_be_either(facts: list[str], sex: str, known: bool) -> None:
    patient = written(*facts, sex=sex)
    sexes = {fact.id: fact.value for fact in patient.facts if fact.kind == "sex" and fact.computed}
    assert sexes == ({} if known else {"sex:either": frozenset({"female", "male"})})
    again, problems = assemble(patient.facts, CATALOGUE, patient.born)
    assert (tuple(again), tuple(problems)) == (patient.facts, patient.problems)
    assert not any(fact.computed for fact in stated(patient, CATALOGUE) if fact.kind == "sex")


# Order, names, doing it twice --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["BASE-1", "BASE-2", "V16", "V20", "V22"])
def test_the_order_of_the_facts_never_matters(name: str) -> None:
    patient = vignettes()[name]
    facts = [replace(fact, id="same") if fact.kind == "treatment" else fact for fact in stated(patient, CATALOGUE)]
    first = assemble(facts, CATALOGUE, patient.born)
    for seed in range(5):
        random.Random(seed).shuffle(facts)
        again = assemble(facts, CATALOGUE, patient.born)
        assert [content(fact) for fact in again[0]] == [content(fact) for fact in first[0]]
        assert again[1] == first[1]


@pytest.mark.parametrize("name", ["BASE-1", "BASE-2", "BASE-3", "V06", "V14", "V16", "V20", "V22"])
def test_assembling_twice_changes_nothing(name: str) -> None:
    patient = vignettes()[name]
    again = make_patient(patient.id, patient.born, None, patient.facts, patient.coverage, patient.problems, CATALOGUE)
    assert canon(again) == canon(patient)
    assert again.problems == patient.problems


def test_a_part_changed_beside_its_composite_goes_in() -> None:
    patient = written("kind: csf_examination, on: 2026-03-12, wbc: 1 /uL, rbc: 0 /uL, id: LP")
    changed = [replace(fact, value=point(7.0)) if fact.id == "LP.wbc" else fact for fact in patient.facts]
    added = Fact("LP.cytospin", "csf_cytospin", value=frozenset({"negative"}))
    again = make_patient("P1", patient.born, None, [*changed, added], (), (), CATALOGUE)
    tap = only(again, "csf_examination")
    assert tap.parts["wbc"].value == point(7.0)
    assert tap.parts["cytospin"].start == tap.start
    assert only(again, "csf_cytospin") == tap.parts["cytospin"]


def test_the_same_fact_twice_is_one() -> None:
    fact = Fact("x", "ecog", parse_when("2026-03-14"), value=point(1.0))
    other = replace(fact, value=point(2.0))
    facts, _ = assemble([fact, fact, other], CATALOGUE, UNDATED)
    assert [found.id for found in facts] == ["x", "x~2"]


@pytest.mark.parametrize(
    ("sex", "born", "start"), [("male", "1955-06-20", "1955-06-20"), ("f", "", "until 1850-01-01")]
)
def test_sex_is_a_fact_that_holds_from_birth(sex: str, born: str, start: str) -> None:
    fact = only(written(born=born, sex=sex), "sex")
    assert show(fact.start) == start


def test_a_word_that_is_no_sex() -> None:
    patient = written(sex="unknown")
    assert of(patient, "sex") == []
    assert "sex is neither female nor male" in said(patient)
