"""OMOP CDM 5.4: what rows say, wherever the database lies. Expected facts are worked out by hand from the rows."""

from __future__ import annotations

import gzip
import shutil
from itertools import product
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.population.omop_build import PERSON, Cells, one, patients_in, put_together, rows_of, write_cdm

from onstudy.errors import OnstudyError
from onstudy.population.omop import OmopReading
from onstudy.population.omop_cdm import read_table
from onstudy.population.omop_source import is_omop, open_cdm
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.values.calendar import parse_when
from onstudy.values.interval import Interval, point

BILIRUBIN = {"measurement_id": 1, "person_id": 1, "measurement_concept_id": 1, "measurement_date": "2026-03-01"}


def read(folder: Path, **tables: list[Cells]) -> Patient:
    return patients_in(write_cdm(folder, **tables))["1"]


def of(patient: Patient, kind: str) -> list[Fact]:
    return [fact for fact in patient.facts if fact.kind == kind]


def result(folder: Path, **cells: object) -> Fact:
    patient = read(folder, measurement=[{**BILIRUBIN, **cells}])
    return one(of(patient, "bilirubin_total"))


# Persons --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "born"),
    [
        ({}, "1960-05-17"),
        ({"day_of_birth": ""}, "1960-05"),
        ({"month_of_birth": "", "day_of_birth": ""}, "1960"),
        ({"year_of_birth": "", "month_of_birth": "", "day_of_birth": "", "birth_datetime": "1961-02-03 00:00:00"}, "1961-02-03"),  # noqa: E501
    ],
)  # fmt: skip
def test_a_birth_date_is_as_exact_as_the_person_says(tmp_path: Path, cells: Cells, born: str) -> None:
    patient = read(tmp_path, person=[{**PERSON, "birth_datetime": "", **cells}])
    assert patient.born == parse_when(born)


def test_births_are_written_with_all_their_digits(tmp_path: Path) -> None:
    """Also such as cannot be: whoever reads them says so."""
    years, others = ("1960", "7", "", "-5", "-12345", "12345"), ("", "5", "12", "0", "-3", "123")
    people: list[Cells] = [
        {"person_id": number, "year_of_birth": year, "month_of_birth": month, "day_of_birth": day, "birth_datetime": ""}
        for number, (year, month, day) in enumerate(product(years, others, others))
    ]
    with open_cdm(write_cdm(tmp_path / "cdm", person=people)) as cdm:
        (table,) = rows_of(cdm)
    for row, (year, month, day) in zip(table.to_pylist(), product(years, others, others), strict=True):
        parts = [f"{int(year or 0):04d}", *(f"{int(part):02d}" for part in (month, month and day) if part)]
        assert row["dates0"] == ("-".join(parts) if year else None)


def test_sex_comes_from_the_gender_concept(tmp_path: Path) -> None:
    assert one(of(read(tmp_path / "f"), "sex")).value == frozenset({"female"})
    assert one(of(read(tmp_path / "m", person=[{**PERSON, "gender_concept_id": 8507}]), "sex")).value == frozenset(
        {"male"}
    )
    unknown = read(tmp_path / "u", person=[{**PERSON, "gender_concept_id": 0}])
    assert of(unknown, "sex") == []
    assert any("sex is not known" in problem.what for problem in unknown.problems)


def test_an_observation_period_is_no_promise_that_a_record_is_complete(tmp_path: Path) -> None:
    period = {"observation_period_id": 1, "person_id": 1, "observation_period_start_date": "2000-01-01"}
    period["observation_period_end_date"] = "2026-03-16"
    assert read(tmp_path, observation_period=[period]).coverage == ()


# Results --------------------------------------------------------------------------------------------------


def test_a_result_has_its_unit_its_limit_and_its_day(tmp_path: Path) -> None:
    fact = result(tmp_path, value_as_number="1.8", unit_concept_id=2, range_high="1.2")
    assert fact.value == point(1.8)
    assert fact.uln == point(1.2)
    assert fact.start == parse_when("2026-03-01")


def test_units_are_converted_as_everywhere(tmp_path: Path) -> None:
    fact = result(tmp_path, value_as_number="20.525", unit_concept_id=3, range_high="20.525")
    assert isinstance(fact.value, Interval)
    assert fact.value.low == pytest.approx(1.2, rel=1e-4)  # reference 4.5
    assert fact.value == fact.uln


def test_a_unit_without_a_concept_is_the_one_that_was_written(tmp_path: Path) -> None:
    fact = result(tmp_path, value_as_number="1.8", unit_concept_id=0, unit_source_value="mg/dl")
    assert fact.value == point(1.8)


def test_a_result_without_a_unit_is_kept_and_unusable(tmp_path: Path) -> None:
    fact = result(tmp_path, value_as_number="1.8")
    assert (fact.value, fact.lacks) == (None, "no_unit_or_limit")


def test_a_result_without_a_value_is_not_stated(tmp_path: Path) -> None:
    fact = result(tmp_path)
    assert (fact.value, fact.lacks) == (None, "not_stated")


@pytest.mark.parametrize(
    ("operator", "low", "high", "low_open", "high_open"),
    [
        (4171756, None, 20.0, False, True),
        (4171754, None, 20.0, False, False),
        (4172704, 20.0, None, True, False),
        (4171755, 20.0, None, False, False),
        (4172703, 20.0, 20.0, False, False),
        (0, 20.0, 20.0, False, False),
    ],
)
def test_operators_bound_a_value(
    tmp_path: Path, operator: int, low: float | None, high: float | None, low_open: bool, high_open: bool
) -> None:
    row = {**BILIRUBIN, "measurement_concept_id": 9, "value_as_number": "20", "unit_concept_id": 10}
    fact = one(of(read(tmp_path, measurement=[{**row, "operator_concept_id": operator}]), "hiv_viral_load"))
    assert fact.value == Interval(low, high, low_open, high_open)
    said = {4171756: frozenset({"no"}), 4171754: None}
    expected = said.get(operator, frozenset({"yes"}))
    assert fact.attributes.get("detected") == expected


def test_a_value_concept_is_a_result(tmp_path: Path) -> None:
    row = {**BILIRUBIN, "measurement_concept_id": 11, "value_as_concept_id": 12}
    assert one(of(read(tmp_path, measurement=[row]), "hbsag")).value == frozenset({"negative"})


def test_an_amount_of_hcg_is_the_pregnancy_test_that_a_concept_beside_it_says(tmp_path: Path) -> None:
    row = {**BILIRUBIN, "measurement_concept_id": 24, "value_as_number": 2.5, "value_as_concept_id": 12}
    assert one(of(read(tmp_path, measurement=[row]), "pregnancy_test")).value == frozenset({"negative"})


def test_what_the_source_wrote_is_read_where_there_is_no_number(tmp_path: Path) -> None:
    fact = result(tmp_path, value_source_value="<0.5", unit_concept_id=2)
    assert fact.value == Interval(None, 0.5, False, True)
    worse = result(tmp_path / "worse", value_as_number="abc", unit_concept_id=2)
    assert (worse.value, worse.lacks) == (None, "imprecise_value")


@pytest.mark.parametrize(
    ("moment", "counted"), [("2026-03-01 08:30:00", (point(10000.0), None)), ("", (None, "imprecise_date"))]
)
def test_results_of_one_moment_make_a_blood_count_those_of_one_day_may(
    tmp_path: Path, moment: str, counted: tuple[object, object]
) -> None:
    day = {"person_id": 1, "measurement_date": "2026-03-01", "measurement_datetime": moment}
    white = {"measurement_id": 1, "measurement_concept_id": 15, "value_as_number": "25.0", "unit_concept_id": 16}
    blasts = {"measurement_id": 2, "measurement_concept_id": 17, "value_as_number": "40", "unit_concept_id": 18}
    patient = read(tmp_path, measurement=[{**day, **white}, {**day, **blasts}])
    found = one(of(patient, "absolute_lymphoblast_count"))
    assert (found.value, found.lacks) == counted  # reference 4.7


def test_a_code_nobody_knows_is_kept_and_told(tmp_path: Path) -> None:
    patient = read(tmp_path, measurement=[{**BILIRUBIN, "measurement_concept_id": 13, "value_as_number": "6.1"}])
    assert len(of(patient, "unmapped")) == 1
    assert any("4548-4 is not in the catalogue" in problem.what for problem in patient.problems)


def test_without_a_concept_the_source_value_is_what_a_site_may_map(tmp_path: Path) -> None:
    row = {**BILIRUBIN, "measurement_concept_id": 0, "measurement_source_value": "BILI-T", "value_as_number": "1"}
    patient = read(tmp_path, measurement=[row])
    assert any("urn:onstudy:omop:source-value|BILI-T" in problem.what for problem in patient.problems)


# Dates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "when"),
    [
        ({"measurement_datetime": "2026-03-01 00:00:00"}, "2026-03-01"),
        ({"measurement_datetime": "2026-03-01 08:30:00"}, "2026-03-01T08:30"),
        ({"measurement_datetime": "2026-03-02 08:30:00"}, "2026-03-01"),  # the date is what the CDM requires
        ({"measurement_date": "", "measurement_datetime": "2026-03-02 08:30:00"}, "2026-03-02T08:30"),
        ({"measurement_date": "2026-03-01 00:00:00"}, "2026-03-01"),
    ],
)
def test_midnight_is_no_time_of_day(tmp_path: Path, cells: Cells, when: str) -> None:
    fact = result(tmp_path, value_as_number="1", unit_concept_id=2, **cells)
    assert fact.start == parse_when(when)


def test_a_date_that_is_none_is_told_and_the_result_kept(tmp_path: Path) -> None:
    patient = read(tmp_path, measurement=[{**BILIRUBIN, "measurement_date": "31/12/2025", "value_as_number": "1"}])
    assert not one(of(patient, "bilirubin_total")).start.known
    assert any("is not a date" in problem.what for problem in patient.problems)


# Conditions, drugs, procedures ------------------------------------------------------------------------------

HEART_FAILURE: dict[str, object] = {"condition_occurrence_id": 1, "person_id": 1, "condition_concept_id": 8}
HEART_FAILURE |= {"condition_source_concept_id": 7, "condition_start_date": "2024-02-10"}


@pytest.mark.parametrize(
    ("end", "expected", "ongoing"),
    [("2025-01-20", "2025-01-20", False), ("2026-03-16", None, True), ("2027-01-01", None, True)],
)
def test_what_ends_with_the_source_itself_is_going_on(
    tmp_path: Path, end: str, expected: str | None, ongoing: bool
) -> None:
    fact = one(of(read(tmp_path, condition_occurrence=[{**HEART_FAILURE, "condition_end_date": end}]), "heart_failure"))
    assert fact.ongoing is ongoing
    assert fact.end == (parse_when(expected) if expected else None)


def test_a_condition_without_an_end_ends_nobody_knows_when(tmp_path: Path) -> None:
    fact = one(of(read(tmp_path, condition_occurrence=[HEART_FAILURE]), "heart_failure"))
    assert fact.end is not None and fact.end.span.low == parse_when("2024-02-10").span.low
    assert fact.end.span.high is None and not fact.ongoing


def test_standard_and_source_concept_are_one_diagnosis(tmp_path: Path) -> None:
    row = {**HEART_FAILURE, "condition_concept_id": 5, "condition_source_concept_id": 4}
    assert len(of(read(tmp_path, condition_occurrence=[row]), "myocardial_infarction")) == 1


def test_a_preliminary_diagnosis_is_not_certain(tmp_path: Path) -> None:
    row = {**HEART_FAILURE, "condition_status_concept_id": 14}
    assert not one(of(read(tmp_path, condition_occurrence=[row]), "heart_failure")).certain


def test_no_evidence_of_a_disease_is_a_recorded_no(tmp_path: Path) -> None:
    row: dict[str, object] = {
        "observation_id": 1,
        "person_id": 1,
        "observation_concept_id": 4211787,
        "observation_date": "2026-01-05",
    }
    patient = read(tmp_path, observation=[{**row, "value_as_concept_id": 22}])
    fact = one(of(patient, "sos_vod"))
    assert fact.negative
    assert fact.end == parse_when("2026-01-05")


def test_no_evidence_of_one_form_of_a_disease_denies_no_other(tmp_path: Path) -> None:
    row: dict[str, object] = {
        "observation_id": 1,
        "person_id": 1,
        "observation_concept_id": 4211787,
        "observation_date": "2026-01-05",
    }
    patient = read(tmp_path, observation=[{**row, "value_as_concept_id": 8}])
    assert of(patient, "heart_failure") == []
    assert any("it denies no other" in problem.what for problem in patient.problems)


def test_a_beginning_that_nobody_knows_is_not_the_day_of_the_row(tmp_path: Path) -> None:
    """A row "from" without a day says that the row speaks from some day on, and not from which."""
    row: dict[str, object] = {"condition_occurrence_id": 1, "person_id": 1, "condition_concept_id": 5}
    row |= {"condition_source_concept_id": 4, "condition_start_date": "2020-03-01"}
    said = _about(1, 1147127, 2_000_000_107, value_as_string="")
    found = read(tmp_path, condition_occurrence=[row], observation=[said])
    assert not one(of(found, "myocardial_infarction")).start.known
    assert any("is not a date" in problem.what for problem in found.problems)


def test_concepts_without_a_row_name_nothing(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path, measurement=[BILIRUBIN])
    header = (folder / "concept.csv").read_text().splitlines()[0]
    (folder / "concept.csv").write_text(f"{header}\n")
    assert not of(patients_in(folder)["1"], "bilirubin_total")


@pytest.mark.parametrize("concept", [4211787, 1340204])
@pytest.mark.parametrize("table", ["measurement", "observation"])
def test_numbers_beside_what_is_known_of_a_disease_say_nothing(tmp_path: Path, table: str, concept: int) -> None:
    """Whatever stands in the row: what it speaks of is its value concept."""
    row: dict[str, object] = {f"{table}_id": 1, "person_id": 1, f"{table}_concept_id": concept}
    row |= {
        "value_as_concept_id": 5,
        f"{table}_source_concept_id": 1,
        f"{table}_date": "2026-03-01",
        "value_as_number": "1",
    }
    numbers = {"range_low": "0", "range_high": "2", "unit_concept_id": 2} if table == "measurement" else {}
    plain = patients_in(write_cdm(tmp_path / "plain", **{table: [row | {"value_as_number": ""}]}))
    assert patients_in(write_cdm(tmp_path / "cdm", **{table: [row | numbers]}))["1"].facts == plain["1"].facts
    assert plain["1"].facts


def test_a_result_that_is_pending_has_no_number_yet_and_keeps_its_limits(tmp_path: Path) -> None:
    folder = write_cdm(
        tmp_path / "cdm",
        measurement=[
            {**BILIRUBIN, "value_as_number": "1.8", "unit_concept_id": 2, "range_low": "0.1", "range_high": "1.2"}
            | {"value_as_concept_id": 2_000_000_199},
            {**BILIRUBIN, "measurement_id": 2, "value_as_number": "1.7", "unit_concept_id": 2, "range_high": "1.3"}
            | {"measurement_date": "2026-03-02"},
        ],
    )
    with (folder / "concept.csv").open("a", encoding="utf-8") as file:
        file.write("2000000199,onstudy,pending_result,pending\n")
    results = (fact for fact in _facts(folder) if fact.kind == "bilirubin_total")
    first, second = sorted(results, key=lambda fact: fact.id)
    assert (first.value, first.lacks) == (None, "pending_result")
    assert (second.value, second.lacks) == (point(1.7), None)


def test_a_history_of_an_event_lies_before_the_day_it_was_recorded(tmp_path: Path) -> None:
    row: dict[str, object] = {
        "observation_id": 1,
        "person_id": 1,
        "observation_concept_id": 1340204,
        "observation_date": "2026-01-05",
    }
    fact = one(of(read(tmp_path, observation=[{**row, "value_as_concept_id": 5}]), "myocardial_infarction"))
    assert fact.start.days == Interval(None, parse_when("2026-01-05").day)


RITUXIMAB = {"drug_exposure_id": 1, "person_id": 1, "drug_concept_id": 6, "drug_exposure_start_date": "2026-01-10"}


@pytest.mark.parametrize(
    ("cells", "end"),
    [
        ({"drug_exposure_end_date": "2026-01-31"}, "2026-01-31"),
        ({"drug_exposure_end_date": "2026-01-31", "verbatim_end_date": "2026-01-24"}, "2026-01-24"),
        ({"drug_exposure_end_datetime": "2026-01-31 09:15:00", "drug_exposure_end_date": "2026-01-31"}, "2026-01-31T09:15"),  # noqa: E501
    ],
)  # fmt: skip
def test_a_drug_ends_when_the_source_says(tmp_path: Path, cells: Cells, end: str) -> None:
    fact = one(of(read(tmp_path, drug_exposure=[{**RITUXIMAB, **cells}]), "treatment"))
    assert fact.attributes["agent"] == frozenset({"rituximab"})
    assert (fact.start, fact.end) == (parse_when("2026-01-10"), parse_when(end))


def test_a_dose_of_the_last_day_is_over_and_a_drug_taken_until_then_is_not(tmp_path: Path) -> None:
    last = {"drug_exposure_end_date": "2026-03-16"}
    dose = {**RITUXIMAB, **last, "drug_exposure_start_date": "2026-03-16"}
    taken = {**RITUXIMAB, **last, "drug_exposure_id": 2}
    facts = of(read(tmp_path, drug_exposure=[dose, taken]), "treatment")
    assert [fact.ongoing for fact in sorted(facts, key=lambda fact: fact.id)] == [False, True]


def test_a_route_is_read_by_its_concept(tmp_path: Path) -> None:
    row = {**RITUXIMAB, "drug_concept_id": 21, "route_concept_id": 20, "drug_exposure_end_date": "2026-01-10"}
    assert one(of(read(tmp_path, drug_exposure=[row]), "treatment")).attributes["route"] == frozenset({"intrathecal"})
    row["route_concept_id"] = 23  # other than those of the source, which may be any of ours
    assert one(of(read(tmp_path / "other", drug_exposure=[row]), "treatment")).attributes["route"] is None


# What own concepts say ------------------------------------------------------------------------------------------


def _about(row: int, field: int, concept: int, number: int = 50, **cells: object) -> Cells:
    whole = {"observation_id": number, "person_id": 1, "observation_concept_id": concept}
    return {**whole, "observation_date": "2026-01-10", "observation_event_id": row,
            "obs_event_field_concept_id": field, **cells}  # fmt: skip


def test_an_own_concept_that_refers_to_a_row_is_an_attribute_of_it(tmp_path: Path) -> None:
    said = [
        _about(1, 1147094, 2_000_000_104, value_as_concept_id=2_000_000_105),
        _about(1, 1147094, 2_000_000_106, 51, value_as_string="2026-01"),
    ]
    patient = read(tmp_path, drug_exposure=[{**RITUXIMAB, "drug_exposure_end_date": "2026-02-20"}], observation=said)
    fact = one(of(patient, "treatment"))
    assert fact.attributes["intent"] == frozenset({"ALL"})
    assert fact.start == parse_when("2026-01")
    assert of(patient, "unmapped") == []


def test_a_no_of_the_projects_own_is_narrowed_by_what_refers_to_it(tmp_path: Path) -> None:
    row: dict[str, object] = {"observation_id": 1, "person_id": 1, "observation_concept_id": 2_000_000_100}
    row |= {"observation_date": "2026-03-10", "value_as_concept_id": 2_000_000_101}
    said = _about(1, 1147165, 2_000_000_102, value_as_concept_id=2_000_000_103)
    fact = one(of(read(tmp_path, observation=[row, said]), "treatment"))
    catalogue = load_catalogue()
    agents = catalogue.codes_of("treatment", "agent")
    assert agents is not None
    assert fact.negative
    assert fact.narrowed == ("agent", agents.meaning("cd19_directed"))
    assert fact.end == parse_when("2026-03-10")


def test_a_no_can_say_from_when_on_it_speaks(tmp_path: Path) -> None:
    row: dict[str, object] = {"observation_id": 1, "person_id": 1, "observation_concept_id": 2_000_000_108}
    row |= {"observation_date": "2026-03-10", "value_as_concept_id": 2_000_000_101}
    said = _about(1, 1147165, 2_000_000_107, value_as_string="2024-01-01")
    fact = one(of(read(tmp_path, observation=[row, said]), "menses"))
    assert (fact.start, fact.end) == (parse_when("2024-01-01"), parse_when("2026-03-10"))


# Wherever it lies ---------------------------------------------------------------------------------------------


@pytest.fixture
def cdm_folder(tmp_path: Path) -> Path:
    number = {"value_as_number": "1.8", "unit_concept_id": 2, "range_high": "1.2", "value_source_value": 'a "b", c'}
    return write_cdm(
        tmp_path / "cdm",
        measurement=[{**BILIRUBIN, **number, "measurement_datetime": "2026-03-01 08:30:00"}],
        drug_exposure=[{**RITUXIMAB, "drug_exposure_end_date": "2026-01-31"}],
        condition_occurrence=[HEART_FAILURE],
    )


def _facts(source: Path | str) -> list[Fact]:
    return list(patients_in(source)["1"].facts)


def test_packed_tab_separated_and_capital_files_read_the_same(cdm_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in cdm_folder.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.stem == "concept":  # as OHDSI's Athena gives it: tabs, and no quotes
            (other / "CONCEPT.csv").write_text(text.replace(",", "\t").replace('"', ""), encoding="utf-8")
        else:
            header, _, rest = text.partition("\n")
            (other / f"{path.stem.upper()}.csv.gz").write_bytes(gzip.compress(f"{header.upper()}\n{rest}".encode()))
    assert _facts(other) == _facts(cdm_folder)


def _into_duckdb(folder: Path, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
    for path in sorted(folder.glob("*.csv")):
        connection.execute(f"CREATE TABLE {schema}.{path.stem} AS SELECT * FROM read_csv('{path}', header=true)")


def test_parquet_files_and_duckdb_read_the_same(cdm_folder: Path, tmp_path: Path) -> None:
    parquet = tmp_path / "parquet"
    parquet.mkdir()
    with duckdb.connect(str(tmp_path / "cdm.duckdb")) as connection:
        connection.execute("CREATE SCHEMA omop")
        _into_duckdb(cdm_folder, connection, "omop")
        for path in cdm_folder.glob("*.csv"):
            connection.execute(f"COPY omop.{path.stem} TO '{parquet / path.stem}.parquet'")
    expected = _facts(cdm_folder)
    assert _facts(parquet) == expected
    assert _facts(tmp_path / "cdm.duckdb") == expected


@pytest.fixture
def referring_folder(tmp_path: Path) -> Path:
    """A drug of which one of four observations says what it was for, the third."""
    other: Cells = {"observation_id": 1, "person_id": 1, "observation_concept_id": 10, "observation_date": "2026-01-01"}
    said = _about(1, 1147094, 2_000_000_104, value_as_concept_id=2_000_000_105)
    rows = [other, {**other, "observation_id": 2}, said, {**other, "observation_id": 3}]
    drug = {**RITUXIMAB, "drug_exposure_end_date": "2026-02-20"}
    return write_cdm(tmp_path / "cdm", drug_exposure=[drug], observation=rows)


@pytest.mark.parametrize("form", ["parquet", "parquet without statistics", "duckdb"])
def test_what_refers_to_another_row_is_found_in_every_form(referring_folder: Path, tmp_path: Path, form: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with duckdb.connect(str(source / "cdm.duckdb")) as connection:
        _into_duckdb(referring_folder, connection, "main")
        for path in referring_folder.glob("*.csv") if form != "duckdb" else ():
            table = connection.sql(f"FROM {path.stem}").to_arrow_table()
            statistics = form == "parquet"
            pq.write_table(table, source / f"{path.stem}.parquet", row_group_size=1, write_statistics=statistics)
    facts = _facts(source / "cdm.duckdb" if form == "duckdb" else source)
    assert one(fact for fact in facts if fact.kind == "treatment").attributes["intent"] == frozenset({"ALL"})
    assert facts == _facts(referring_folder)


def test_of_rows_that_must_have_a_column_those_without_are_not_read(referring_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parquet"
    folder.mkdir()
    for path in referring_folder.glob("*.csv"):
        pq.write_table(duckdb.read_csv(str(path)).to_arrow_table(), folder / f"{path.stem}.parquet", row_group_size=1)
    with open_cdm(folder) as cdm:
        columns = ["observation_id", "observation_event_id"]
        some, whole = (
            [number for batch in read_table(cdm, "observation", columns, having=having) for number in ids(batch)]
            for having in ("observation_event_id", "")
        )
    assert (some, whole) == ([50], [1, 2, 50, 3])


def ids(batch: pa.RecordBatch) -> list[int]:
    return [int(number) for number in batch.column(0).to_pylist()]


def test_nothing_is_written_beside_a_database(cdm_folder: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "cdm.duckdb")) as connection:
        _into_duckdb(cdm_folder, connection, "main")
    shutil.rmtree(cdm_folder)
    before = (tmp_path / "cdm.duckdb").read_bytes()
    _facts(tmp_path / "cdm.duckdb")
    assert [path.name for path in tmp_path.iterdir()] == ["cdm.duckdb"]
    assert (tmp_path / "cdm.duckdb").read_bytes() == before


def test_damaged_lines_are_counted_and_passed_over(cdm_folder: Path) -> None:
    path = cdm_folder / "measurement.csv"
    path.write_text(path.read_text(encoding="utf-8") + "9,1,1\n", encoding="utf-8")
    with open_cdm(cdm_folder) as cdm:
        assert sum(batch.num_rows for batch in read_table(cdm, "measurement", ["measurement_id"])) == 1
        assert cdm.damaged == {"measurement": 1}


def test_a_source_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "person.csv").write_text("person_id\n1\n", encoding="utf-8")
    assert not is_omop(tmp_path)
    with pytest.raises(OnstudyError, match="has no table concept"), open_cdm(tmp_path):
        pass
    with pytest.raises(OnstudyError, match="no such file"), open_cdm(tmp_path / "none.duckdb"):
        pass
    (tmp_path / "x.duckdb").write_bytes(b"12345678DUCKxxxx")
    with pytest.raises(OnstudyError, match="no DuckDB database"), open_cdm(tmp_path / "x.duckdb"):
        pass


def test_a_file_that_is_cut_off_is_refused(cdm_folder: Path) -> None:
    packed = gzip.compress((cdm_folder / "measurement.csv").read_bytes() * 50)
    (cdm_folder / "measurement.csv").unlink()
    (cdm_folder / "measurement.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(OnstudyError, match="cannot be read"):
        _facts(cdm_folder)


def test_rows_of_several_batches_are_the_rows_of_one(cdm_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cdm(
        cdm_folder,
        measurement=[
            {**BILIRUBIN, "measurement_id": number, "value_as_number": f"{number}.5", "unit_concept_id": 2 + number % 2}
            for number in range(1, 40)
        ],
    )
    with open_cdm(cdm_folder) as cdm:
        whole = put_together(rows_of(cdm))
        monkeypatch.setattr("onstudy.population.omop.ROWS", 1)
        monkeypatch.setattr("onstudy.population.omop_lines.BLOCK", 256)
        assert put_together(rows_of(cdm)) == whole


# Real data ----------------------------------------------------------------------------------------------------


def test_the_synthea_sample_is_read_to_its_last_row(shared: Path) -> None:
    with open_cdm(shared / "data/omop_synthea27nj") as cdm:
        reading = OmopReading(cdm, load_catalogue())
        people = sum(rows.num_rows for rows in reading.people())
        counts = {table: sum(rows.num_rows for rows in reading.events(table)) for table in _SYNTHEA}
        assert reading.last_day == "2022-10-10"
    assert people == 19
    assert counts == _SYNTHEA


_SYNTHEA = {
    "condition_occurrence": 303,
    "drug_exposure": 415,
    "procedure_occurrence": 1024,
    "measurement": 7208,
    "observation": 5118,
}


def test_a_person_of_the_synthea_sample(shared: Path) -> None:
    patient = patients_in(shared / "data/omop_synthea27nj")["1"]
    weight = next(fact for fact in patient.facts if fact.source == "Observation/measurement.1")
    assert (weight.kind, weight.value, weight.start) == ("body_weight", point(48.1), parse_when("2013-05-17"))
    assert patient.born == parse_when("1998-04-09")


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("low", [[None] * 5, [None, None, None, None, 7.5], [1.5, None, None, None, None]])
def test_columns_without_anything_are_empty_whether_a_parquet_file_says_so(
    cdm_folder: Path, said: bool, low: list[float | None]
) -> None:
    (cdm_folder / "measurement.csv").unlink()
    columns: dict[str, list[object]] = {
        "PERSON_ID": [None] * 5, "measurement_id": [1, 2, 3, None, 5], "Range_Low": [*low],
        "unit_source_value": [None] * 5,
    }  # fmt: skip
    types = [pa.int64(), pa.int64(), pa.float64(), pa.string()]
    table = pa.table(columns, pa.schema(list(zip(columns, types, strict=True))))
    pq.write_table(table, cdm_folder / "measurement.parquet", row_group_size=2, write_statistics=said)
    for wanted in (["person_id"], ["range_low"], ["unit_source_value", "measurement_id", "person_id", "range_low"]):
        with open_cdm(cdm_folder) as cdm:
            assert set(wanted) <= set(cdm.columns("measurement"))
            (place,) = cdm.places("measurement")
            batches = [
                batch for piece in cdm.pieces("measurement", place.path)
                for batch in read_table(cdm, "measurement", wanted, piece)
            ]  # fmt: skip
        found = [row for batch in batches for row in batch.to_pylist()]
        names = {name.lower(): name for name in columns}
        assert found == [{name: columns[names[name]][row] for name in wanted} for row in range(5)]


def test_a_parquet_file_without_rows_has_columns(cdm_folder: Path) -> None:
    (cdm_folder / "death.csv").unlink(missing_ok=True)
    pq.ParquetWriter(cdm_folder / "death.parquet", pa.schema([("person_id", pa.int64())])).close()
    with open_cdm(cdm_folder) as cdm:
        assert cdm.columns("death") == ["person_id"]
        assert sum(batch.num_rows for batch in read_table(cdm, "death", ["person_id"])) == 0
