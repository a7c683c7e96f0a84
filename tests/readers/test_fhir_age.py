"""Ages: on which days a diagnosis was, which ages are none, and that nothing odd in them ends the reading."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.readers.build import ICD, LOINC, UCUM, Json, bundle, concept, condition, observation, resource
from tests.readers.canon import only

from onstudy.record.patient import Patient
from onstudy.values.calendar import Duration, Unit, completed_years, reached, show

INFARCTION = concept(ICD, "I21.9")


def patient_with(born: str | None = "1955-06-20", **more: object) -> Patient:
    person: Json = {"resourceType": "Patient", "id": "p1", "gender": "male"}
    return bundle(condition(INFARCTION, **more), patient=person | ({"birthDate": born} if born else {}))


def onset(patient: Patient) -> str:
    return show(only(patient, "myocardial_infarction").start)


def years(value: object) -> Json:
    return {"value": value, "unit": "a", "system": UCUM, "code": "a"}


@pytest.mark.parametrize(
    ("age", "born", "expected"),
    [
        (years(60), "1955-06-20", "2015-06-20..2016-06-19"),
        (years(60.5), "1955-06-20", "2015-06-20..2016-06-19"),
        (years(0), "1955-06-20", "1955-06-20..1956-06-19"),
        (years(69), "1956-02-29", "2025-03-01..2026-02-28"),  # 2.1-8: 1 March in a common year
        (years(68), "1956-02-29", "2024-02-29..2025-02-28"),
        (years(60), "1955", "2015-01-01..2016-12-30"),
        ({"value": 30, "unit": "months"}, "1955-06-20", "1957-12-20..1958-01-19"),
        ({"value": 848, "unit": "Month"}, "1955-06-20", "2026-02-20..2026-03-19"),
        ({"value": 1, "unit": "mo", "code": "mo", "system": UCUM}, "1955-01-31", "1955-03-01..1955-03-30"),
        ({"value": 2, "unit": "weeks"}, "1955-06-20", "1955-07-04..1955-07-10"),
        ({"value": 10, "unit": "day"}, "1955-06-20", "1955-06-30"),
        ({"value": 60, "unit": "yrs"}, "1955-06-20", "2015-06-20..2016-06-19"),
        ({"value": 60, "unit": "years", "code": "258707000", "system": "http://snomed.info/sct"}, "1955-06-20",
         "2015-06-20..2016-06-19"),
    ],
)  # fmt: skip
def test_the_days_of_an_age(age: Json, born: str, expected: str) -> None:
    patient = patient_with(born, onsetAge=age)
    assert onset(patient) == expected
    assert not patient.problems


@pytest.mark.parametrize(
    ("age", "problem"),
    [
        (years(150), "onsetAge is an age that nobody has"),
        (years(1e9), "onsetAge is an age that nobody has"),
        (years(1e308), "onsetAge is an age that nobody has"),
        (years(-1), "onsetAge is an age that nobody has"),
        ({"value": 1800, "unit": "months"}, "onsetAge is an age that nobody has"),
        (years("60"), "onsetAge is no number"),
        (years(None), "onsetAge is no number"),
        ({**years(60), "comparator": "<"}, "onsetAge is no number"),
        ({"value": 60}, "onsetAge is not clearly in years, months, weeks or days"),
        ({"value": 60, "unit": "hours"}, "onsetAge is not clearly in years, months, weeks or days"),
        ({**years(60), "unit": "months"}, "onsetAge is not clearly in years, months, weeks or days"),
        ({"value": 60, "code": "a", "unit": "mo"}, "onsetAge is not clearly in years, months, weeks or days"),
    ],
)
def test_what_is_no_age_gives_no_date(age: Json, problem: str) -> None:
    patient = patient_with(onsetAge=age)
    assert onset(patient) == "date unknown"
    assert [(one.what, one.where) for one in patient.problems] == [(f"{problem}: it gives no date", "Condition/x1")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (years(60), years(61), "2015-06-20..2017-06-19"),
        (years(60), years(60), "2015-06-20..2016-06-19"),
        (years(60), None, "from 2015-06-20"),
        (None, years(60), "until 2016-06-19"),
        ({"value": 11, "unit": "months"}, years(1), "1956-05-20..1957-06-19"),
    ],
)
def test_the_days_between_two_ages(low: Json | None, high: Json | None, expected: str) -> None:
    sides = {name: side for name, side in (("low", low), ("high", high)) if side is not None}
    patient = patient_with(onsetRange=sides)
    assert onset(patient) == expected
    assert not patient.problems


@pytest.mark.parametrize("born", ["1955-06-20", "1955", "1956-02-29"])
def test_ages_that_end_before_they_begin_give_no_date(born: str) -> None:
    patient = patient_with(born, onsetRange={"low": years(61), "high": years(60)})
    assert onset(patient) == "date unknown"
    assert [one.what for one in patient.problems] == ["onsetRange ends before it begins: it gives no date"]


def test_a_range_with_one_odd_side_gives_no_date() -> None:
    patient = patient_with(onsetRange={"low": years(60), "high": years(900)})
    assert onset(patient) == "date unknown"
    assert [one.what for one in patient.problems] == ["onsetRange.high is an age that nobody has: it gives no date"]


def test_an_age_without_a_date_of_birth_gives_no_date() -> None:
    patient = patient_with(None, onsetAge=years(60))
    assert onset(patient) == "date unknown"
    assert any("the date of birth is not known" in one.what for one in patient.problems)


def test_an_odd_age_takes_no_other_fact_with_it() -> None:
    other = resource("Observation", id="x2", status="final", code=concept(LOINC, "1975-2"),
                     effectiveDateTime="2026-03-15", valueQuantity={"value": 1, "unit": "mg/dL"})  # fmt: skip
    patient = bundle(condition(INFARCTION, abatementAge=years(-5), onsetAge=years(200)), other)
    assert only(patient, "bilirubin_total").value is not None
    assert len(patient.problems) == 2


@pytest.mark.parametrize(("day", "uln"), [("2022-02-28", 12.0), ("2022-03-01", 1.2)])
def test_a_range_for_an_age_counts_a_birthday_on_29_february(day: str, uln: float) -> None:
    """Born on 2004-02-29: 17 on 28 February 2022, 18 on 1 March (2.1-8)."""
    ranges = [
        {"age": {"high": years(17)}, "high": {"value": 12.0, "unit": "mg/dL"}},
        {"age": {"low": years(18)}, "high": {"value": 1.2, "unit": "mg/dL"}},
    ]
    result = observation(concept(LOINC, "1975-2"), valueQuantity={"value": 1, "unit": "mg/dL"}, referenceRange=ranges)
    person: Json = {"resourceType": "Patient", "id": "p1", "gender": "male", "birthDate": "2004-02-29"}
    limit = only(bundle(result | {"effectiveDateTime": day}, patient=person), "bilirubin_total").uln
    assert limit is not None and limit.low == uln


@given(st.dates(date(1850, 1, 1), date(2200, 12, 31)), st.integers(0, 150))
def test_a_birthday_is_the_first_day_of_an_age(born: date, age: int) -> None:
    day = reached(born.toordinal(), Duration(age, Unit.YEARS))
    assert completed_years(born.toordinal(), day) == age
    assert age == 0 or completed_years(born.toordinal(), day - 1) == age - 1


_NUMBERS = st.one_of(st.integers(), st.floats(), st.text(max_size=3), st.none(), st.sampled_from([0, 59.5, 149, 150]))
_AGES = st.fixed_dictionaries(
    {"value": _NUMBERS}, optional={key: st.sampled_from(["a", "mo", "wk", "d", "h", "", "years"]) for key in
                                   ("unit", "code", "comparator")}
)  # fmt: skip


@given(_AGES, _AGES, _AGES, st.sampled_from(["1955-06-20", "1956-02-29", "2200-12-31", "1850", "0001", None]))
def test_no_age_ends_the_reading(onset: Json, low: Json, high: Json, born: str | None) -> None:
    patient = patient_with(born, onsetAge=onset, abatementRange={"low": low, "high": high})
    fact = only(patient, "myocardial_infarction")
    days = fact.start.days
    assert days.low is None or days.high is None or days.low <= days.high
