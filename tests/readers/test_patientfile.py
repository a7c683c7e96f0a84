"""The patient file: what a person writes, what is read from it, and what is said where it is wrong."""

from __future__ import annotations

import pytest
from tests.readers.canon import CATALOGUE, of, only, read, said, written

from onstudy.errors import InvalidFile
from onstudy.readers import read_patients
from onstudy.values.calendar import UNDATED, parse_when, show
from onstudy.values.interval import Interval, point

DESIGN = """
patient: V01
born: 1955-06-20
sex: male
complete: [seizure, stroke]                      # or: all, from 2015-01-01
facts:
  - {kind: bilirubin_total, on: 2026-03-15, value: 1.8 mg/dL, uln: 1.2 mg/dL}
  - {kind: hbv_dna, on: 2026-02-20, value: "<20 [IU]/mL"}
  - {kind: seizure, value: no, recorded: 2026-03-10}
  - {kind: treatment, agent: daratumumab, from: 2025-11, to: 2026-02-03, intent: ALL}
"""


def test_example_of_the_design() -> None:
    patient = read(DESIGN)
    assert said(patient) == ""
    assert (patient.id, patient.born) == ("V01", parse_when("1955-06-20"))
    assert {cover.kind for cover in patient.coverage} == {"seizure", "stroke"}
    assert only(patient, "sex").value == frozenset({"male"})
    bilirubin = only(patient, "bilirubin_total")
    assert (bilirubin.value, bilirubin.uln, bilirubin.shown) == (point(1.8), point(1.2), "1.8 mg/dL")
    assert "p.yaml:7 facts[0]" in bilirubin.source
    load = only(patient, "hbv_dna")
    assert load.value == Interval(None, 20.0, high_open=True)
    assert load.attributes["detected"] == frozenset({"no"})
    seizure = only(patient, "seizure")
    assert (seizure.negative, seizure.start, seizure.end) == (True, UNDATED, parse_when("2026-03-10"))
    drug = only(patient, "treatment")
    assert drug.attributes == {"agent": frozenset({"daratumumab"}), "intent": frozenset({"ALL"})}
    assert (show(drug.start), str(drug.end)) == ("2025-11", "2026-02-03")


def test_that_there_is_something_nobody_knows_is_kept_and_no_result_or_no_of_it_is() -> None:
    patient = read(
        "facts:\n- {kind: atrial_fibrillation, from: 2024}\n- {kind: flutter, on: 2025, value: yes}\n"
        "- {kind: bilirubn, on: 2026-03-15, value: 3 mg/dL}\n- {kind: sezures, value: no, recorded: 2026-03-10}"
    )
    assert [fact.shown for fact in of(patient, "unmapped")] == ["atrial_fibrillation", "flutter"]
    lost = [problem.what.partition(";")[0] for problem in patient.problems if not problem.fact_kept]
    assert lost == ["there is no kind 'bilirubn'", "there is no kind 'sezures'"]


# Dates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "start", "end", "ongoing"),
    [
        ("from: 2026-01-02, to: 2026-01-05", "2026-01-02", "2026-01-05", False),
        ("on: 2026-01-02", "2026-01-02", "2026-01-02", False),
        ("on: 2026-01", "2026-01", "2026-01", False),
        ("from: 2026-01-02, active: true", "2026-01-02", None, True),
        ("from: 2026-01-02, to: ongoing", "2026-01-02", None, True),
        ("from: 2026-01-02, status: active", "2026-01-02", None, True),
        ("from: 2026-01-02", "2026-01-02", "from 2026-01-02", False),
        ("from: 2026-01-02, status: stopped, recorded: 2026-02-01", "2026-01-02", "2026-01-02..2026-02-01", False),
        ("from: 2026-01-02, active: false", "2026-01-02", "from 2026-01-02", False),
        ("to: 2026-01-05", "date unknown", "2026-01-05", False),
        ("recorded: 2026-02-01", "until 2026-02-01", "date unknown", False),
        ("from: 2025-11-01..2026-01-15, to: 2026-02", "2025-11-01..2026-01-15", "2026-02", False),
        ("from: 2026-01-02T08:00, to: 2026-01-02T09:30", "2026-01-02T08:00", "2026-01-02T09:30", False),
        ("", "date unknown", "date unknown", False),
    ],
)
def test_periods(keys: str, start: str, end: str | None, ongoing: bool) -> None:
    patient = written(f"kind: treatment, agent: prednisone{', ' if keys else ''}{keys}")
    fact = only(patient, "treatment")
    assert said(patient) == ""
    assert (show(fact.start), None if fact.end is None else show(fact.end), fact.ongoing) == (start, end, ongoing)


@pytest.mark.parametrize(
    ("keys", "statements"),
    [
        ("from: 2016-06-02, to: 2020-01-01", [("2016-06-02", None), (None, "2020-01-01")]),
        ("on: 2016-06-02, to: 2020", [("2016-06-02", None), (None, "2020")]),
        ("from: 2016, to: 2016", [(None, "2016")]),
        ("to: 2020-01-01", [(None, "2020-01-01")]),
        ("on: 2016-06-02, active: no, recorded: 2020-01-01", [(None, "2016-06-02..2020-01-01")]),
        ("on: 2016-06-02, status: resolved, recorded: 2020-01-01", [(None, "2016-06-02..2020-01-01")]),
        ("on: 2016-06-02, active: no", [(None, "date unknown")]),
        ("active: no", [(None, "date unknown")]),
        ("from: 2016-06-02, to: ongoing", [("2016-06-02", None)]),
        ("from: 2016-06-02, active: yes", [("2016-06-02", None)]),
    ],
)
def test_a_state_that_is_over(keys: str, statements: list[tuple[str | None, str | None]]) -> None:
    patient = written(f"kind: pacemaker, {keys}")
    found = [
        (None, "date unknown" if f.end is None else show(f.end)) if f.negative else (show(f.start), None)
        for f in sorted(of(patient, "pacemaker"), key=lambda fact: fact.negative)
    ]
    assert (found, said(patient)) == (statements, "")


@pytest.mark.parametrize("keys", ["status: completed, on: 2016", "from: 2020-01-01, to: 2016-06-02"])
def test_a_state_of_which_nobody_can_tell_whether_it_is_over(keys: str) -> None:
    patient = written(f"kind: pacemaker, {keys}")
    assert only(patient, "pacemaker").lacks == "not_stated"
    assert said(patient)
    assert only(written("kind: hct_planned, on: 2020-01-01, status: completed"), "hct_planned").negative


def test_moment_and_state() -> None:
    patient = written(
        "kind: ecog, on: 2026-03-14, value: 1",
        "kind: lvef, recorded: 2026-03-10, value: 60 %",
        "kind: hypercvad_ineligible, recorded: 2026-03-12",
        "kind: stroke, from: 2015, to: 2016",
        "kind: seizure, from: 2015, to: ongoing, recorded: 2026-03-12",
    )
    assert show(only(patient, "ecog").start) == "2026-03-14"
    assert show(only(patient, "lvef").start) == "until 2026-03-10"
    assert show(only(patient, "hypercvad_ineligible").start) == "2026-03-12"
    assert show(only(patient, "stroke").start) == "2015-01-01..2016-12-31"
    assert show(only(patient, "seizure").start) == "2015-01-01..2026-03-12"
    assert "stroke happens at one moment" in said(patient)


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ("on: 2026-02-30", "on is not a date"),
        ("on: yesterday", "on is not a date"),
        ("on: 0001-01-01", "on is not a date"),
        ("from: 2026-03-05, to: 2026-03-01", "it ends before it begins"),
        ("on: 2026-03-05, from: 2026-03-01", "it has both"),
    ],
)
def test_an_unusable_date_leaves_the_fact_undated(keys: str, what: str) -> None:
    patient = written(f"kind: treatment, agent: rituximab, {keys}")
    fact = only(patient, "treatment")
    assert what in said(patient)
    assert not fact.start.known
    assert "[kept]" in said(patient)


def test_a_date_is_never_repeated_in_a_message() -> None:
    assert "30" not in said(written("kind: ecog, on: 2026-02-30, value: 1")).replace("2026-03", "")


# Values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "value", "lacks"),
    [
        ("kind: body_height, value: 1.7 m", point(170.0), None),
        ("kind: blood_wbc, value: 25.0 10*3/uL", point(25000.0), None),
        ("kind: blood_wbc, value: 25.0 10*9/L", point(25000.0), None),
        ("kind: lvef, value: 40-45 %", Interval(40.0, 45.0), None),
        ('kind: lvef, value: ">40 <=45 %"', Interval(40.0, 45.0, low_open=True), None),
        ("kind: prior_salvage_regimens, value: 1", point(1.0), None),
        ('kind: prior_salvage_regimens, value: ">=1"', Interval(1.0, None), None),
        ("kind: nyha_class, value: II", frozenset({"II"}), None),
        ("kind: hbsag, value: [negative, positive]", frozenset({"negative", "positive"}), None),
        ("kind: hbsag, value: not detected", frozenset({"negative"}), None),
        ("kind: bilirubin_total, value: 1.8", None, "no_unit_or_limit"),
        ("kind: bilirubin_total, value: 1.8 kg", None, "no_unit_or_limit"),
        ("kind: bilirubin_total, value: high", None, "imprecise_value"),
        ("kind: bilirubin_total, status: pending", None, "pending_result"),
        ("kind: bilirubin_total, value: pending", None, "pending_result"),
        ("kind: bilirubin_total, value: unknown", None, "not_stated"),
        ("kind: bilirubin_total", None, "not_stated"),
        ("kind: prior_salvage_regimens, value: 1.5", None, "imprecise_value"),
        ("kind: hbv_dna, value: 2000 copies/mL", None, "no_unit_or_limit"),
    ],
)
def test_values(fact: str, value: object, lacks: str | None) -> None:
    kind = fact.split(",")[0].removeprefix("kind: ")
    found = only(written(f"{fact}, on: 2026-03-15"), kind)
    assert (found.value, found.lacks) == (value, lacks)


@pytest.mark.parametrize(
    ("keys", "detected"),
    [
        ('value: "<20 [IU]/mL"', "no"),
        ("value: 85 copies/mL", "yes"),
        ('value: ">1000000 [IU]/mL"', "yes"),
        ('value: "0 [IU]/mL"', "no"),
        ("value: not detected", "no"),
        ("detected: yes", "yes"),
        ("value: 1 furlong, detected: no", None),
        ('value: "<20 [IU]/mL detected"', None),
        ('value: "<20 [IU]/mL detected", detected: no', None),
        ('value: "<20 [IU]/mL, not detected"', "no"),
        ("value: pending, detected: yes", "yes"),
        ("status: preliminary, detected: no", None),
    ],
)
def test_detection(keys: str, detected: str | None) -> None:
    fact = only(written(f"kind: hbv_dna, on: 2026-03-01, {keys}"), "hbv_dna")
    expected = None if detected is None else frozenset({detected})
    assert fact.attributes["detected"] == expected


def test_limits_take_the_unit_of_the_value() -> None:
    patient = written(
        "kind: ast, on: 2026-03-15, value: 0.5 ukat/L, uln: 0.67",
        "kind: alt, on: 2026-03-15, value: 28 U/L, uln: 40 mg",
        'kind: creatinine, on: 2026-03-15, value: 0.9 mg/dL, uln: "<1.2", lln: 0.5',
    )
    assert only(patient, "ast").uln == point(40.2)
    assert only(patient, "alt").uln is None
    assert "uln of alt has a unit that cannot be used" in said(patient)
    assert (only(patient, "creatinine").uln, only(patient, "creatinine").lln) == (point(1.2), point(0.5))


def test_a_limit_without_a_unit_names_its_place_its_kind_and_the_way_out() -> None:
    patient = written("kind: bilirubin_total, id: Observation/b, value: , uln: 1.2", "kind: lvef, value: 57")
    way = "it is measured in {}: write the unit behind the number"
    assert f"p.yaml:6 facts[0]: uln of bilirubin_total has no unit; {way.format('mg/dL')}" in said(patient)
    assert f"p.yaml:7 facts[1]: value has no unit; {way.format('%')}" in said(patient)


# Yes, no, unknown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "negative", "lacks"),
    [
        ("on: 2020", False, None),
        ("value: yes, on: 2020", False, None),
        ("value: true, on: 2020", False, None),
        ("value: no, recorded: 2026-03-10", True, None),
        ("value: false, recorded: 2026-03-10", True, None),
        ("status: refuted, recorded: 2026-03-10", True, None),
        ("value: unknown", False, "not_stated"),
        ("value: maybe", False, "not_stated"),
        ("status: pending", False, "pending_result"),
    ],
)
def test_presence(keys: str, negative: bool, lacks: str | None) -> None:
    fact = only(written(f"kind: seizure, {keys}"), "seizure")
    assert (fact.negative, fact.lacks) == (negative, lacks)


def test_a_refuted_value_is_a_result_that_is_not_known() -> None:
    fact = only(
        written("kind: leukemia_diagnosis, on: 2026-03-10, value: precursor_b_all, status: refuted"),
        "leukemia_diagnosis",
    )
    assert (fact.value, fact.lacks) == (None, "conflict")


def test_a_no_is_narrowed_by_one_attribute() -> None:
    patient = written(
        "kind: treatment, agent: cd19_directed, value: no, recorded: 2026-03-10",
        "kind: treatment, agent: rituximab, route: oral, value: no, recorded: 2026-03-10",
        "kind: treatment, agnt: rituximab, value: no, recorded: 2026-03-10",
        "kind: treatment, agent: rituxmab, value: no, recorded: 2026-03-10",
        "kind: stroke, value: no, recorded: 2026-33-10",
    )
    (only_one,) = of(patient, "treatment")
    assert only_one.narrowed is not None
    assert only_one.narrowed[0] == "agent"
    assert {"cd19_directed", "blinatumomab", "tisagenlecleucel"} <= only_one.narrowed[1]
    assert of(patient, "stroke") == []
    for words in ("narrowed by one attribute only", "'agnt' is no part", "did you mean rituximab", "a date that"):
        assert words in said(patient)


def test_a_no_without_a_day_is_kept_and_said() -> None:
    patient = written("kind: stroke, value: no")
    assert only(patient, "stroke").negative
    assert "write `recorded`" in said(patient)


def test_blank_answers_are_no_answers() -> None:
    patient = written(
        "kind: seizure, value: , recorded: ",
        "kind: lvef, on: , value: ",
        "kind: csf_examination, on: , wbc: , cytospin: ~",
        "kind: seizure, value: , recorded: 2026-03-10",
        "kind: hypercvad_ineligible, value: , on: 2026-03-16",
        "kind: lvef, on: , value: , unit: '%'",
    )
    assert [fact.kind for fact in patient.facts] == ["sex"]
    assert said(patient) == ""


def test_a_forgotten_answer_is_said_and_what_it_is_about_may_be() -> None:
    """All of them at once; what else stands there is kept, and the answer counts as not known."""
    patient = written(
        "kind: myocardial_infarction, value: , on: 2025-12-01",
        "kind: lvef, on: 2026-03-10, value: ",
        "kind: treatment, value: , agent: rituximab, recorded: 2026-03-10",
        "kind: csf_examination, on: 2026-03-12, wbc: , cytospin: ~",
        "kind: stroke, vlaue: yes, value: ",
        "kind: seizure, value: no, recorded: 2026-03-10",
    )
    told = said(patient).splitlines()
    assert len([line for line in told if "left blank, so it counts as not known" in line]) == 5
    assert "p.yaml:6 facts[0]: myocardial_infarction: `on` is filled in and `value` is left blank" in told[0]
    assert "write yes or no there, or leave the whole entry blank" in told[0]
    assert "lvef: `on` is filled in" in told[1] and "write the result" in told[1]
    assert "every result is left blank" in told[3]
    for kind in ("myocardial_infarction", "lvef", "treatment", "csf_examination", "stroke"):
        fact = only(patient, kind)
        assert (fact.lacks, fact.value, fact.negative) == ("not_stated", None, False)
    assert only(patient, "treatment").attributes == {"agent": frozenset({"rituximab"})}
    assert only(patient, "seizure").negative


@pytest.mark.parametrize(("status", "lacks"), [("pending", "pending_result"), ("cancelled", None)])
def test_a_status_is_the_answer_where_the_value_is_blank(status: str, lacks: str | None) -> None:
    patient = written(f"kind: bcr_abl1, on: 2026-03-14, value: , status: {status}")
    assert [fact.lacks for fact in of(patient, "bcr_abl1")] == ([lacks] if lacks else [])
    assert "left blank" not in said(patient)


def test_an_attribute_that_cannot_be_read_is_unknown_and_not_silent() -> None:
    patient = written("kind: cns_leukemia_signs, on: 2026-03-01, cause: other_provn")
    assert only(patient, "cns_leukemia_signs").attributes == {"cause": None}
    assert "did you mean other_proven" in said(patient)


@pytest.mark.parametrize("key", ["purpos: definitive", "course_ia_day1: yes"])
def test_a_key_that_is_not_understood_may_have_meant_any_attribute(key: str) -> None:
    """Silence says "not the course IA day 1 dose", "for the leukemia": nothing of that is said here."""
    patient = written(f"kind: treatment, agent: mercaptopurine, from: 2026-03-01, to: 2026-03-10, {key}")
    attributes = only(patient, "treatment").attributes
    silent = [name for name, one in CATALOGUE.attributes("treatment").items() if one.silence is not None]
    assert "course_ia_day_1" in silent
    assert {name: attributes[name] for name in silent} == dict.fromkeys(silent)
    assert "is no part of treatment" in said(patient)


@pytest.mark.parametrize("state", ["active", "partial_remission"])
def test_what_contradicts_itself_is_not_used(state: str) -> None:
    cancer = "kind: other_malignancy, on: 2019, type: breast, stage: III, disease_free_since: 2020-03, state: "
    patient = written(cancer + state)
    stated = only(patient, "other_malignancy").attributes
    assert (stated["state"], stated["disease_free_since"], stated["stage"]) == (None, None, frozenset({"III"}))
    assert "state and disease_free_since contradict each other: neither is used" in said(patient)
    assert only(written(cancer + "complete_remission"), "other_malignancy").attributes["disease_free_since"] is not None


def test_suspected_and_unmapped() -> None:
    patient = written(
        "kind: testicular_involvement, on: 2026-03-01, suspected: true",
        "kind: unmapped, on: 2026-03-01, value: something else",
    )
    assert not only(patient, "testicular_involvement").certain
    assert only(patient, "unmapped").shown == "something else"


@pytest.mark.parametrize("status", ["failed", "cancelled", "entered-in-error", "not_done", "not performed"])
def test_what_is_no_result(status: str) -> None:
    patient = written(f"kind: bcr_abl1, on: 2026-03-01, value: negative, status: {status}")
    assert of(patient, "bcr_abl1") == []
    assert "that is no result [not kept]" in said(patient)


def test_an_unknown_status_leaves_the_value_unknown() -> None:
    patient = written("kind: bcr_abl1, on: 2026-03-01, value: negative, status: finl")
    assert only(patient, "bcr_abl1").lacks == "not_stated"
    assert "did you mean final" in said(patient)


# Composites -----------------------------------------------------------------------------------------------------


def test_components_stay_together() -> None:
    patient = written("kind: csf_examination, on: 2026-03-12, wbc: 1 /uL, rbc: 0 /uL, cytospin: negative, id: LP1")
    tap = only(patient, "csf_examination")
    assert set(tap.parts) == {"wbc", "rbc", "cytospin"}
    assert tap.parts["wbc"] == only(patient, "csf_wbc")
    assert tap.parts["wbc"].id == "LP1.wbc"


def test_a_component_may_be_a_mapping() -> None:
    patient = written("kind: csf_examination, on: 2026-03-12, wbc: {value: 1 /uL, uln: 5}, flow: {status: pending}")
    parts = only(patient, "csf_examination").parts
    assert parts["wbc"].uln == point(5.0)
    assert parts["flow"].lacks == "pending_result"


@pytest.mark.parametrize("status", ["pending", "preliminary", "registered", "partial"])
def test_a_value_that_is_not_final_is_not_used(status: str) -> None:
    patient = written(
        f"kind: bcr_abl1, on: 2026-03-14, method: fish, value: negative, status: {status}",
        f"kind: seizure, value: no, recorded: 2026-03-14, status: {status}",
        f"kind: csf_examination, on: 2026-03-12, status: {status}, wbc: 1 /uL, rbc: {{value: 0 /uL, status: final}}",
    )
    for kind in ("bcr_abl1", "seizure", "csf_wbc"):
        fact = only(patient, kind)
        assert (fact.value, fact.lacks, fact.negative) == (None, "pending_result", False)
    assert only(patient, "csf_rbc").value == point(0.0)
    assert said(patient).count("not used before it is final") == 3


# Names and files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        ("kind: blirubin_total, value: 1 mg/dL", "did you mean bilirubin_total"),
        ("kind: Total bilirubin, value: 1 mg/dL", "did you mean bilirubin_total"),
        ("kind: SGOT, value: 1 U/L", "did you mean ast"),
        ("value: 1 mg/dL", "no kind is stated"),
    ],
)
def test_unknown_kinds_get_the_nearest_name(fact: str, words: str) -> None:
    patient = written(fact, "kind: ecog, on: 2026-03-14, value: 1")
    assert words in said(patient)
    assert "facts[0]" in said(patient)
    assert len(of(patient, "ecog")) == 1


def test_keys_that_are_no_keys() -> None:
    patient = read("patient: X\nborn: 1960\nsexx: male\nfacts:\n  - {kind: ecog, on: 2026-03-14, valu: 1}\n  - text\n")
    assert "did you mean sex" in said(patient)
    assert "did you mean value" in said(patient)
    assert "a fact is a mapping" in said(patient)


@pytest.mark.parametrize(
    ("complete", "expected"),
    [
        ("all", [("all", None, None)]),
        ("all, from 2015-01-01", [("all", "2015-01-01", None)]),
        ("{kinds: all, from: 2015-01-01}", [("all", "2015-01-01", None)]),
        (
            "[seizure, {kind: stroke, from: 2015, to: 2026-03}]",
            [("seizure", None, None), ("stroke", "2015-01-01", "2026-03-31")],
        ),
        (
            "{kinds: [seizure, stroke], to: 2026-03-01}",
            [("seizure", None, "2026-03-01"), ("stroke", None, "2026-03-01")],
        ),
        ("[seizur]", []),
        ("{kinds: all, from: then}", []),
        ("{kinds: all, since: 2015-01-01}", []),
        ("", []),
    ],
)
def test_what_is_complete(complete: str, expected: list[tuple[str, str | None, str | None]]) -> None:
    patient = written(more=f"complete: {complete}")
    found = [(c.kind, *(None if day is None else str(day) for day in (c.first, c.last))) for c in patient.coverage]

    def day(text: str | None) -> str | None:
        return None if text is None else str(parse_when(text).day)

    assert found == [(kind, day(first), day(last)) for kind, first, last in expected]
    assert bool(expected) or not complete or "complete" in said(patient)


def test_several_patients() -> None:
    documents = read_patients("p.yaml", b"patient: A\nborn: 1960\n---\npatient: B\nfacts: []\n")
    listed = read_patients("p.yaml", b"patients:\n  - {patient: A}\n  - {patient: 007, facts: }\n")
    assert [patient.id for patient in documents] == ["A", "B"]
    assert [patient.id for patient in listed] == ["A", "007"]


def test_ids_differ_between_files_and_repeat_in_one() -> None:
    first = only(written("kind: ecog, on: 2026-03-14, value: 1"), "ecog")
    second = only(written("kind: ecog, on: 2026-03-15, value: 2"), "ecog")
    again = only(written("kind: ecog, on: 2026-03-14, value: 1"), "ecog")
    assert first.id == again.id != second.id
    twice = of(
        written("kind: ecog, on: 2026-03-14, value: 1, id: x", "kind: ecog, on: 2026-03-15, value: 2, id: x"), "ecog"
    )
    assert [fact.id for fact in twice] == ["x", "x~2"]


def test_json_is_a_patient_file_too() -> None:
    patient = read(
        '{"patient": "J", "born": "1960-01-01", "facts": [{"kind": "ecog", "on": "2026-03-14", "value": "1"}]}'
    )
    assert only(patient, "ecog").value == point(1.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("just words", "no format known"),
        ("- a\n- b\n", "no format known"),
        ("color: blue\n", "no format known"),
        ("patient: X\npatient: Y\n", "twice"),
        ("patient: &a X\nborn: *a\n", "anchors and aliases"),
        ("patient: !!python/object:os.system x\n", "tags"),
        ("patient: [unclosed\n", "YAML"),
        ("patient: X\nfacts: " + "[" * 5000, "nested too deeply"),
        ("patients: []\n", "holds no patient"),
        ("\x00\x01\x02", "no text"),
    ],
)
def test_what_is_no_patient_file(text: str, words: str) -> None:
    with pytest.raises(InvalidFile, match="(?s)p.yaml.*" + words):
        read_patients("p.yaml", text.encode())


def test_a_bomb_of_aliases_is_refused_before_it_goes_off() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(12)
    )
    with pytest.raises(InvalidFile, match=r"p\.yaml"):
        read_patients("p.yaml", ("patient: X\n" + bomb).encode())


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("birth_date", "born"), ("birthDate", "born"), ("Date of birth", "born"), ("dob", "born"), ("borne", "born"),
        ("gender", "sex"), ("id", "patient"), ("patient_id", "patient"), ("patents", "patient"),
        ("coverage", "complete"), ("fact", "facts"), ("zzz", ""),
    ],
)  # fmt: skip
def test_an_unknown_key_is_told_with_the_one_that_is_meant(key: str, meant: str) -> None:
    (patient,) = read_patients("p.yaml", f"patient: P\nborn: 1955-06-20\n{key}: x\nfacts: []\n".encode())
    (problem,) = patient.problems
    assert problem.what == f"{key!r} is no part of a patient" + (f"; did you mean {meant}?" if meant else "")
    assert problem.where == "p.yaml:3"
    assert str(patient.born) == "1955-06-20"


def test_a_kind_far_from_every_known_one_is_not_guessed() -> None:
    """`breast_cancer` shares letters with creatinine_clearance and nothing else."""
    (patient,) = read_patients("p.yaml", b"patient: P\nfacts:\n  - {kind: breast_cancer, on: 2019-10-01}\n")
    assert "did you mean" not in str(patient.problems)
