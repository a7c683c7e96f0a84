"""Patients through a shard and back: nothing is lost, whatever a record looks like."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.generative.make import LENGTH, case
from tests.trials.flagship import examples, patient_entry

from onstudy.errors import OnstudyError, Problem
from onstudy.readers import read_patients
from onstudy.readers.patientfile import patient_from
from onstudy.record.assemble import content
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.record.shard import NO_DAY, Shard, code_word, joined, patient_of, select, shard_of
from onstudy.values.calendar import DAY, HOUR, UNDATED, When, on_day, parse_when
from onstudy.values.interval import ANYTHING, Interval, point

BUNDLES = Path(__file__).parents[2] / "examples"


def said(patient: Patient) -> list[str]:
    """Everything a patient's facts say, also what equality leaves out."""
    return [content(fact) for fact in patient.facts]


def assert_kept(patients: Sequence[Patient], shard: Shard) -> None:
    assert shard.patients.rows == len(patients)
    for row, patient in enumerate(patients):
        back = patient_of(shard, row, load_catalogue())
        assert back == patient
        assert said(back) == said(patient)


@cache
def generated() -> tuple[Patient, ...]:
    source = random.Random(3)
    entries = [case(source.randbytes(LENGTH), most_facts=9).entry for _ in range(300)]
    return tuple(patient_from({**e, "patient": f"P{n}"}, "x.yaml", load_catalogue()) for n, e in enumerate(entries))


@cache
def vignettes() -> tuple[Patient, ...]:
    return tuple(patient_from(patient_entry(name), "x.yaml", load_catalogue()) for name in examples())


def test_generated_patients_come_back() -> None:
    assert_kept(generated(), shard_of(generated(), load_catalogue()))


def test_the_patients_of_the_examples_come_back() -> None:
    assert_kept(vignettes(), shard_of(vignettes(), load_catalogue()))


def test_patients_read_from_bundles_come_back() -> None:
    patients = [patient for path in sorted(BUNDLES.glob("*.json")) for patient in read_patients(path)]
    assert len(patients) >= 12
    assert_kept(patients, shard_of(patients, load_catalogue()))


#: Moments of every form a date may have.
MOMENTS = (
    UNDATED,
    on_day(738000),
    parse_when("2026"),
    parse_when("2026-03-15T08:00"),
    parse_when("2026-03-15T08:00-05:00"),
    parse_when("2026-03-15T08:00Z"),
    When(Interval(None, 738000 * DAY, high_open=True)),
    When(Interval(738000 * DAY, None)),
    When(Interval(738000 * DAY, (738000 + 1) * DAY, True, True)),
    When(Interval(738000 * DAY, 738001 * DAY)),
    When(Interval(738000 * DAY + HOUR, 738001 * DAY + HOUR, high_open=True)),
    When(Interval(738000 * DAY, 738001 * DAY, high_open=True), 0),
    When(ANYTHING, -300),
)
VALUES = (
    None,
    point(1.5),
    ANYTHING,
    Interval(None, 20.0, high_open=True),
    Interval(1.0, None, low_open=True),
    Interval(1.0, 2.0, True, False),
    frozenset({"positive"}),
    frozenset({"b", "a", "c"}),
    frozenset[str](),
    *MOMENTS,
)


@pytest.mark.parametrize("when", MOMENTS, ids=str)
def test_any_moment_comes_back(when: When) -> None:
    fact = Fact("f", "treatment", start=when, end=when, recorded=when, opened=(when, True))
    patient = Patient("p", when, (fact,))
    assert_kept([patient], shard_of([patient], load_catalogue()))


@pytest.mark.parametrize(
    "value", VALUES, ids=lambda value: "-".join(sorted(value)) if isinstance(value, frozenset) else str(value)
)
def test_any_value_comes_back(value: object) -> None:
    fact = Fact("f", "lvef", value=value, attributes={"method": value})  # type: ignore[arg-type, dict-item]
    limit = value if isinstance(value, Interval) else None
    patients = [Patient("p", facts=(replace(fact, uln=limit, lln=limit),)), Patient("q", facts=(Fact("g", "lvef"),))]
    assert_kept(patients, shard_of(patients, load_catalogue()))


def test_every_other_field_comes_back() -> None:
    facts = (
        Fact("a", "seizure", negative=True, narrowed=("clinically_relevant", frozenset({"yes"})), end=on_day(700)),
        Fact("b", "seizure", start=on_day(1), ongoing=True, certain=False, lacks="pending_result", sample="s"),
        Fact("c", "unmapped", start=on_day(1), shown="x", source="R/1", computed=True, code_status="M"),
        Fact("d", "seizure", start=on_day(1), opened=(None, False)),
    )
    covers = (Coverage("seizure", 3, None, "here"), Coverage("all", None, 9))
    problems = (Problem("b", "there", True), Problem("a", "here"))
    patients = [Patient("p", facts=facts, coverage=covers, problems=problems), Patient("q")]
    assert_kept(patients, shard_of(patients, load_catalogue()))


def test_facts_in_no_usual_order_keep_theirs() -> None:
    facts = tuple(Fact(name, "seizure", start=on_day(day)) for name, day in (("c", 3), ("a", 1), ("b", 2)))
    patients = [Patient("p", facts=facts), Patient("q", facts=facts[1:])]
    shard = shard_of(patients, load_catalogue())
    assert_kept(patients, shard)
    assert list(shard.table("seizure").get("start.day")) == [1, 2, 3, 1, 2]


def test_a_component_that_is_no_fact_of_its_own_is_kept_inside() -> None:
    part = Fact("w.wbc", "csf_wbc", start=on_day(5), value=point(3.0))
    whole = Fact("w", "csf_examination", start=on_day(5), parts={"wbc": part})
    both = Patient("both", facts=(whole, part))
    inside, other = Patient("inside", facts=(whole,)), Patient("o", facts=(whole, replace(part, value=point(4.0))))
    shard = shard_of([both, inside, other], load_catalogue())
    assert_kept([both, inside, other], shard)
    assert list(shard.table("csf_wbc").get("inner")) == [False, True, False, True]


def test_what_nobody_has_takes_no_column() -> None:
    patient = Patient("p", on_day(7), (Fact("f", "ecog", start=on_day(9), value=point(1.0), source="f"),))
    shard = shard_of([patient], load_catalogue())
    assert sorted(shard.table("ecog").columns()) == ["id", "patient", "start.day", "value.low"]
    assert sorted(shard.patients.columns()) == ["born.day", "id"]
    assert shard.table("ecog").get("value.high")[0] == 1.0
    assert shard.table("ecog").get("end.day")[0] == NO_DAY
    assert shard.table("ecog").text("lacks").at(0) is None
    assert shard.table("lvef").rows == 0
    assert shard.kinds == ("ecog",)


@pytest.mark.parametrize("sources", [("f", "g"), ("f", ""), ("", ""), ("f", "elsewhere")])
def test_where_a_fact_was_read_takes_no_column_where_it_is_what_it_is_called(sources: tuple[str, str]) -> None:
    facts = [Fact(name, "ecog", source=source) for name, source in zip("fg", sources, strict=True)]
    patients = [Patient(fact.id, facts=(fact,)) for fact in facts]
    shard = shard_of(patients, load_catalogue())
    assert shard.table("ecog").has("source") == (sources != ("f", "g"))
    assert_kept(patients, shard)
    second, first = select(shard, np.array([1])), select(shard, np.array([0]))
    assert first.table("ecog").has("source") == (sources[0] != "f")
    assert_kept(patients[::-1], joined([second, first]))


def test_a_column_keeps_to_its_sort() -> None:
    table = shard_of([Patient("p", facts=(Fact("f", "ecog"),))], load_catalogue()).table("ecog")
    with pytest.raises(TypeError, match="is text"):
        table.get("id")
    with pytest.raises(TypeError, match="is no text"):
        table.text("patient")


def test_facts_lie_by_patient_and_date() -> None:
    shard = shard_of(generated(), load_catalogue())
    for kind in shard.kinds:
        patients, days = shard.table(kind).get("patient"), shard.table(kind).get("start.day").astype(int)
        assert (np.diff(patients) >= 0).all()
        exact = days != NO_DAY
        same = (np.diff(patients) == 0) & exact[1:] & exact[:-1]
        assert (np.diff(days)[same] >= 0).all()


def test_a_code_that_would_not_come_back_is_refused() -> None:
    with pytest.raises(OnstudyError, match="cannot be stored"):
        code_word(frozenset({"a|b"}))


# Shards out of shards ---------------------------------------------------------------------------------------


def test_some_patients_of_a_shard() -> None:
    shard = shard_of(generated(), load_catalogue())
    rows = np.array([250, 3, 4, 17, 299])
    assert_kept([generated()[row] for row in rows], select(shard, rows))
    assert select(shard, np.array([], np.int64)).kinds == ()


def test_shards_joined_are_the_shard_of_all() -> None:
    patients = generated()[:200]
    parts = [shard_of(patients[start : start + 50], load_catalogue()) for start in range(0, 200, 50)]
    assert_kept(patients, joined(parts))


def test_taking_apart_and_joining_gives_the_same_columns() -> None:
    shard = shard_of(vignettes(), load_catalogue())
    half = shard.patients.rows // 2
    again = joined([select(shard, np.arange(half)), select(shard, np.arange(half, shard.patients.rows))])
    assert again.kinds == shard.kinds
    for kind in shard.kinds:
        assert sorted(again.table(kind).columns()) == sorted(shard.table(kind).columns())
    assert_kept(vignettes(), again)
