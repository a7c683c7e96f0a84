"""Tables and traps of the reference for NCT03739814 as rules: Steinherz/Bleyer, units, windows, the trap list."""

from __future__ import annotations

from datetime import date

import pytest
from tests.engines.asking import ask

from onstudy.language.library import load_trials
from onstudy.record.catalogue import load_catalogue
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth

# 4.4 Steinherz/Bleyer -------------------------------------------------------------------------------------

TABLE_4_4 = [
    (60, 800, 50_000, 3_000_000, "cns3"),
    (8, 600, 40_000, 3_500_000, "cns2"),
    (20, 1_000, 30_000, 3_000_000, "cns2"),  # 60,000,000 on both sides: equality is negative
    (12, 450, 25_000, 3_100_000, "cns3"),
    (7, 3_000, 1_500, 2_600_000, "cns3"),
]


def _category(record: str) -> dict[str, Truth]:
    flagship = load_trials("NCT03739814", load_catalogue())[0]
    return {
        name: ask(record, flagship.definitions[name].named).truth
        for name in ("cns1", "cns2", "cns3", "steinherz_bleyer_positive")
    }


def _tap(csf_wbc: int, csf_rbc: int, blood: str, cytospin: str = "positive") -> str:
    tap = f"kind: csf_examination, on: 2026-03-12, wbc: {csf_wbc} /uL, rbc: {csf_rbc} /uL, cytospin: {cytospin}"
    return f"complete: [cns_leukemia_signs]\nfacts:\n- {{{tap}}}\n{blood}"


@pytest.mark.parametrize(("csf_wbc", "csf_rbc", "blood_wbc", "blood_rbc", "category"), TABLE_4_4)
def test_a_traumatic_tap_by_steinherz_and_bleyer(
    csf_wbc: int, csf_rbc: int, blood_wbc: int, blood_rbc: int, category: str
) -> None:
    """The counts of the blood in the units laboratories use: 10*3/uL and 10*6/uL (trap 5)."""
    counts = f"wbc: {blood_wbc / 1000} 10*3/uL, rbc: {blood_rbc / 1_000_000} 10*6/uL, lymphoblasts: 30 %"
    found = _category(_tap(csf_wbc, csf_rbc, f"- {{kind: blood_count, on: 2026-03-11, {counts}}}\n"))
    assert found["steinherz_bleyer_positive"] is (TRUE if category == "cns3" else FALSE)
    assert (found["cns1"], found["cns2"], found["cns3"]) == (
        (FALSE, TRUE, FALSE) if category == "cns2" else (FALSE, FALSE, TRUE)
    )


@pytest.mark.parametrize(
    "blood", ["", "- {kind: blood_count, on: 2026-03-08, wbc: 8 10*3/uL, rbc: 4 10*6/uL, lymphoblasts: 9 %}\n"]
)
def test_without_blood_counts_of_those_days_it_is_cns2_or_cns3_and_excludes_all_the_same(blood: str) -> None:
    found = _category(_tap(60, 800, blood))
    assert found == {"cns1": FALSE, "cns2": UNKNOWN, "cns3": UNKNOWN, "steinherz_bleyer_positive": UNKNOWN}


@pytest.mark.parametrize(
    ("wbc", "rbc", "cytospin", "answer"),
    [
        (4, 9, "negative", {"cns1": TRUE, "cns2": FALSE, "cns3": FALSE}),
        (5, 10, "negative", {"cns1": TRUE, "cns2": FALSE, "cns3": FALSE}),
        (5, 9, "negative", {"cns1": UNKNOWN, "cns2": FALSE, "cns3": FALSE}),
        (4, 900, "positive", {"cns1": FALSE, "cns2": TRUE, "cns3": FALSE}),
        (5, 9, "positive", {"cns1": FALSE, "cns2": FALSE, "cns3": TRUE}),
    ],
)
def test_the_order_of_part_2_4(wbc: int, rbc: int, cytospin: str, answer: dict[str, Truth]) -> None:
    found = _category(_tap(wbc, rbc, "", cytospin))
    assert {name: found[name] for name in answer} == answer


def test_blood_without_blasts_does_not_explain_blasts_in_a_traumatic_tap() -> None:
    clean = "- {kind: blood_count, on: 2026-03-12, wbc: 4 10*3/uL, rbc: 4 10*6/uL, lymphoblasts: 0 %, blasts: 0 %}\n"
    assert _category(_tap(8, 600, clean))["cns3"] is TRUE


def test_signs_of_cns_leukemia_are_cns3_whatever_the_tap() -> None:
    record = _tap(1, 0, "- {kind: cns_leukemia_signs, on: 2026-03-01}\n", "negative")
    found = _category(record)
    assert (found["cns1"], found["cns3"]) == (FALSE, TRUE)


def test_a_positive_tap_is_never_mixed_with_the_counts_of_another() -> None:
    older = "- {kind: csf_examination, on: 2026-03-01, wbc: 1 /uL, rbc: 0 /uL, cytospin: negative}\n"
    newest = (
        "complete: [cns_leukemia_signs]\nfacts:\n- {kind: csf_examination, on: 2026-03-12, cytospin: positive}\n"
        + older
    )
    found = _category(newest)
    assert (found["cns1"], found["cns2"], found["cns3"]) == (FALSE, UNKNOWN, UNKNOWN)


# 4.5 Units ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        (
            "bilirubin_total",
            "20.525 umol/L",
            "latest bilirubin_total <= 1.2001 mg/dL and latest bilirubin_total >= 1.1999 mg/dL",
        ),
        ("creatinine", "88.4 umol/L", "latest creatinine <= 1.0005 mg/dL and latest creatinine >= 0.9995 mg/dL"),
        ("creatinine", "176.8 umol/L", "latest creatinine <= 2.001 mg/dL and latest creatinine >= 1.999 mg/dL"),
        ("blood_wbc", "25 10*9/L", "latest blood_wbc = 25 10*3/uL"),
        ("blood_wbc", "25 10*3/uL", "latest blood_wbc = 25000 /uL"),
        ("blood_rbc", "3.5 10*12/L", "latest blood_rbc = 3.5 10*6/uL"),
        ("ast", "1 ukat/L", "latest ast = 60 U/L"),
        ("ast", "0.017 ukat/L", "latest ast <= 1.03 U/L and latest ast >= 1.01 U/L"),
        ("lvef", "0.45", "latest lvef = 45 %"),
    ],
)
def test_units(kind: str, value: str, rule: str) -> None:
    wanted = UNKNOWN if kind == "lvef" else TRUE  # a fraction without a unit is no percentage
    assert ask(f"facts: [{{kind: {kind}, on: 2026-03-15, value: {value}}}]", rule).truth is wanted


def test_a_multiple_of_the_limit_needs_no_conversion() -> None:
    record = "facts: [{kind: bilirubin_total, on: 2026-03-15, value: 30.6 umol/L, uln: 20.4 umol/L}]"
    assert ask(record, "latest bilirubin_total <= 1.5 ULN").truth is TRUE
    mixed = "facts: [{kind: bilirubin_total, on: 2026-03-15, value: 1.8 mg/dL, uln: 20.525 umol/L}]"
    assert ask(mixed, "latest bilirubin_total <= 1.501 ULN").truth is TRUE
    assert ask(mixed, "latest bilirubin_total <= 1.499 ULN").truth is FALSE


# 7 Traps that a rule can fall into --------------------------------------------------------------------------

BILIRUBIN = (
    "latest bilirubin_total <= 1.5 ULN"
    " or (latest bilirubin_total <= 2 ULN and (gilbert_syndrome or bilirubin_raised_by_leukemia))"
)


@pytest.mark.parametrize(
    ("value", "extra", "truth"),
    [
        ("1.8", "", TRUE),  # trap 1
        ("1.8000000001", "", TRUE),  # equal to one part in 10^9
        ("1.81", "", UNKNOWN),
        ("2.4", "- {kind: gilbert_syndrome, from: 2009}", TRUE),  # trap 12: 2.0 x ULN
        ("2.41", "- {kind: gilbert_syndrome, from: 2009}", FALSE),  # 2.01 x ULN
        ("1.9", "- {kind: bilirubin_raised_by_leukemia, on: 2026-03-15}", TRUE),
        ("1.9", "- {kind: gilbert_syndrome, value: no, recorded: 2026-03-15}", UNKNOWN),
        (
            "1.9",
            "- {kind: gilbert_syndrome, value: no, recorded: 2026-03-15}\n"
            "- {kind: bilirubin_raised_by_leukemia, value: no, recorded: 2026-03-15}",
            FALSE,
        ),
    ],
)
def test_bilirubin_and_its_exceptions(value: str, extra: str, truth: Truth) -> None:
    record = f"facts:\n- {{kind: bilirubin_total, on: 2026-03-15, value: {value} mg/dL, uln: 1.2 mg/dL}}\n{extra}"
    assert ask(record, BILIRUBIN).truth is truth


def test_lymphocytes_are_no_lymphoblasts() -> None:
    """Trap 2."""
    both = "{kind: blood_count, on: 2026-03-15, wbc: 25.0 10*3/uL, lymphoblasts: 40 %, lymphocytes: 14000 /uL}"
    rule = "latest absolute_lymphoblast_count <= 10000 /uL"
    assert ask(f"facts: [{both}]", rule).truth is TRUE
    assert ask(f"facts: [{both.replace('25.0', '25.1')}]", rule).truth is FALSE
    assert ask(f"facts: [{both.replace('lymphoblasts: 40 %, ', '')}]", rule).truth is UNKNOWN


@pytest.mark.parametrize(
    ("ecg", "truth"),
    [
        ("qtcf: 470 ms", TRUE),
        ("qtcf: 471 ms", FALSE),
        ("qt: 427 ms, rate: 80 /min", TRUE),  # 469.974 by Fridericia, 493.057 by Bazett (trap 3)
        ("qt: 430 ms, rate: 80 /min", FALSE),
        ("qt: 480 ms, rate: 55 /min", TRUE),
        ("qtcb: 455 ms", UNKNOWN),
        ("qtc_unspecified: 455 ms", UNKNOWN),
        ("qt: 427 ms", UNKNOWN),
        ("qtcb: 455 ms, qtcf: 480 ms", FALSE),
    ],
)
def test_the_corrected_qt_is_fridericias(ecg: str, truth: Truth) -> None:
    assert ask(f"facts: [{{kind: ecg, on: 2026-03-14, {ecg}}}]", "latest ecg has (qtcf <= 470 ms)").truth is truth


@pytest.mark.parametrize(
    ("event", "clears"),
    [
        ("2025-11-17", "2026-03-17"),
        ("2025-10-31", "2026-02-28"),
        ("2025-12-31", "2026-04-30"),
        ("2026-03-31", "2026-07-31"),  # trap 6: 120 days would be 2026-07-29
    ],
)
def test_four_months_are_no_120_days(event: str, clears: str) -> None:
    record = f"complete: [hematopoietic_transplant]\nfacts: [{{kind: hematopoietic_transplant, on: {event}}}]"
    rule = "every hematopoietic_transplant has (end is at least 4 months before registration)"
    day = date.fromisoformat(clears)
    assert ask(record, rule, on=day).truth is TRUE
    assert ask(record, rule, on=date.fromordinal(day.toordinal() - 1)).truth is FALSE


@pytest.mark.parametrize(("days", "truth"), [(41, FALSE), (42, TRUE), (45, TRUE), (46, TRUE)])
def test_six_weeks_are_42_days(days: int, truth: Truth) -> None:
    """Trap 7: one and a half months before 2026-03-16 would lie 44 to 46 days back."""
    last = date.fromordinal(date(2026, 3, 16).toordinal() - days)
    record = f"complete: [treatment]\nfacts: [{{kind: treatment, agent: daratumumab, on: {last}}}]"
    assert ask(record, "every treatment has (end is at least 6 weeks before registration)").truth is truth


@pytest.mark.parametrize(("days", "truth"), [(-1, UNKNOWN), (0, TRUE), (7, TRUE), (8, UNKNOWN)])
def test_within_seven_days(days: int, truth: Truth) -> None:
    """Trap 8."""
    done = date.fromordinal(date(2026, 3, 16).toordinal() - days)
    record = f"facts: [{{kind: pregnancy_test, on: {done}, value: negative}}]"
    assert ask(record, "latest pregnancy_test within 7 days before registration is negative").truth is truth


def test_a_missing_limit_is_never_replaced() -> None:
    """Trap 11."""
    record = "facts: [{kind: bilirubin_total, on: 2026-03-15, value: 0.1 mg/dL}]"
    assert ask(record, "latest bilirubin_total <= 1.5 ULN").truth is UNKNOWN


def test_a_pacemaker_excuses_bradycardia_alone() -> None:
    """Trap 13."""
    rule = "no ventricular_arrhythmia and (no chronic_bradycardia or pacemaker)"
    paced = "complete: [cardiac_disease]\nfacts:\n- {{kind: pacemaker, on: 2021-01-01}}\n"
    record = paced + "- {{kind: {}, from: 2020, active: yes}}"
    assert ask(record.format("av_block_high_degree"), rule).truth is TRUE
    assert ask(record.format("first_degree_av_block"), rule).truth is TRUE
    assert ask(record.format("ventricular_arrhythmia"), rule).truth is FALSE


# 2.1-7 Hours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "truth"),
    [
        ("2026-03-16", TRUE),
        ("2026-03-17", UNKNOWN),
        ("2026-03-18", FALSE),
        ("2026-03-17T09:00", TRUE),
        ("2026-03-17T09:01", FALSE),
        ("2026-03", UNKNOWN),
    ],
)
def test_24_hours_before_the_start_of_therapy(last: str, truth: Truth) -> None:
    record = f'complete: [treatment]\nfacts: [{{kind: treatment, agent: prednisone, from: 2026-03-10, to: "{last}"}}]'
    rule = "every treatment has (end is at least 24 hours before therapy_start)"
    assert ask(record, rule, on=date(2026, 3, 18)).truth is truth
