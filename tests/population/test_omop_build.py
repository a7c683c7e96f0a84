"""A store built from OMOP, and from the FHIR the generator writes: the same facts, however the rows are cut."""

from __future__ import annotations

import gzip
import shutil
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.population.omop_build import PERSON, write_cdm

from onstudy.errors import OnstudyError
from onstudy.population.build import build
from onstudy.population.build_find import find
from onstudy.population.build_report import Report
from onstudy.population.generate import Asked, generate_fhir, generate_omop, generate_store
from onstudy.population.omop_build import omop_source
from onstudy.population.omop_folder import Folder, files_of
from onstudy.population.store import Store
from onstudy.record.assemble import content
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.record.shard import patient_of
from onstudy.values.calendar import When
from onstudy.values.interval import point

N = 24


def patients_of(store: Path) -> dict[str, Patient]:
    """Everybody in a store, by id."""
    catalogue = load_catalogue()
    found = {}
    opened = Store.open(store)
    for place, info in enumerate(opened.shards):
        shard = opened.read(place, None, None)
        for row in range(info.patients):
            patient = patient_of(shard, row, catalogue)
            found[patient.id] = patient
    return found


def built(source: Path | str, store: Path, mapping: Path | None = None) -> Report:
    return build(find(str(source), store), store, mapping, workers=0)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same patients as a store, as FHIR and as OMOP."""
    folder = tmp_path_factory.mktemp("generated")
    generate_store(Asked(N), folder / "store")
    generate_fhir(Asked(N), folder / "fhir")
    generate_omop(Asked(N), folder / "omop")
    return folder


def bare(fact: Fact, omop: bool) -> Fact:
    """A fact without what its origin is called; of OMOP also without what it has no column for."""
    parts = {name: bare(part, omop) for name, part in fact.parts.items()}
    found = replace(fact, id="", source="", sample=None, opened=None, code_status="", shown="", parts=parts)
    if not omop:
        return found
    end = None if fact.end is None else When(fact.end.span)
    return replace(found, recorded=None, start=When(fact.start.span), end=end)


#: Of the generator only what is seen in one spinal fluid is joined by its specimen, which OMOP has no column for.
BY_SPECIMEN = "csf_examination"


def facts_of(patient: Patient, omop: bool) -> Counter[object]:
    facts = (fact for fact in patient.facts if not (omop and fact.kind == BY_SPECIMEN))
    return Counter((fact.kind, content(bare(fact, omop))) for fact in facts)


@pytest.mark.parametrize("form", ["fhir", "omop"])
def test_a_build_of_generated_files_states_the_facts_of_the_generated_store(
    generated: Path, tmp_path: Path, form: str
) -> None:
    report = built(generated / form, tmp_path / "store")
    expected, found = patients_of(generated / "store"), patients_of(tmp_path / "store")
    assert (report.patients, len(found)) == (N, N)
    omop = form == "omop"
    for number, (name, patient) in enumerate(sorted(expected.items()), 1):
        other = found[str(number) if omop else name]
        assert facts_of(other, omop) == facts_of(patient, omop), name
        assert other.born == patient.born
        assert len(other.coverage) == (0 if omop else len(patient.coverage))


# However rows are cut -----------------------------------------------------------------------------------------


@cache
def whole(omop: Path, scratch: Path) -> dict[str, Patient]:
    built(omop, scratch / "whole")
    return patients_of(scratch / "whole")


def typed(patients: dict[str, Patient]) -> dict[str, list[Fact]]:
    """The facts of patients as a column of numbers holds them: without the zeros that stood at the end of a number."""
    return {name: [_typed(fact) for fact in patient.facts] for name, patient in patients.items()}


def _typed(fact: Fact) -> Fact:
    return replace(fact, shown="", parts={name: _typed(part) for name, part in fact.parts.items()})


def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pieces be so small that the large tables have several."""
    for module in ("folder", "duckdb"):
        monkeypatch.setattr(f"onstudy.population.omop_{module}.ROWS", 150)
    monkeypatch.setattr("onstudy.population.omop_lines.BLOCK", 10_000)


def in_pieces(source: Path, tmp_path: Path) -> dict[str, Patient]:
    found = omop_source(str(source), tmp_path)
    pieces = Counter(part.sort for part in found.parts("") for _ in found.tasks(part))
    assert min(pieces[table] for table in ("measurement", "observation")) >= 2
    built(source, tmp_path / "pieces")
    return patients_of(tmp_path / "pieces")


def test_csv_is_read_in_pieces(generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smaller(monkeypatch)
    assert in_pieces(generated / "omop", tmp_path) == whole(generated / "omop", generated)


def test_packed_csv_is_read_in_pieces(generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smaller(monkeypatch)
    packed = tmp_path / "packed"
    packed.mkdir()
    for path in (generated / "omop").glob("*.csv"):
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    assert in_pieces(packed, tmp_path) == whole(generated / "omop", generated)


def test_parquet_is_read_in_pieces(generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smaller(monkeypatch)
    folder = tmp_path / "parquet"
    folder.mkdir()
    with duckdb.connect() as connection:
        for path in (generated / "omop").glob("*.csv"):
            table = connection.sql(f"SELECT * FROM read_csv('{path}', sample_size=-1)").to_arrow_table()
            pq.write_table(table, folder / f"{path.stem}.parquet", row_group_size=60)
    assert typed(in_pieces(folder, tmp_path)) == typed(whole(generated / "omop", generated))


def test_duckdb_is_read_in_pieces(generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smaller(monkeypatch)
    with duckdb.connect(str(tmp_path / "cdm.duckdb")) as connection:
        for path in (generated / "omop").glob("*.csv"):
            connection.execute(f"CREATE TABLE {path.stem} AS SELECT * FROM read_csv('{path}', sample_size=-1)")
    assert typed(in_pieces(tmp_path / "cdm.duckdb", tmp_path)) == typed(whole(generated / "omop", generated))


@pytest.mark.parametrize("size", [40, 64, 100, 256, 10_000])
def test_lines_are_cut_only_outside_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("onstudy.population.omop_lines.BLOCK", size)
    lines = [f'{number},"said ""{number}""\nand\nmore, 1",{number}\n' for number in range(30)]
    path = tmp_path / "note.csv"
    path.write_text("a,b,c\n" + "".join(lines))
    folder = Folder(files_of(tmp_path))
    pieces = list(folder.pieces("note", str(path)))
    read = [row for piece in pieces for batch in folder.batches("note", ["a", "b"], piece) for row in batch.to_pylist()]
    assert read == [{"a": str(number), "b": f'said "{number}"\nand\nmore, 1'} for number in range(30)]
    assert pieces[0].first == len("a,b,c\n")
    assert [piece.last for piece in pieces[:-1]] == [piece.first for piece in pieces[1:]]
    assert folder.damaged == {}


NO_TABLE = "tables of an OMOP CDM that the source does not have"


# What is read again -------------------------------------------------------------------------------------------

LAB = {"measurement_id": 1, "person_id": 1, "measurement_date": "2026-03-01", "unit_concept_id": 2}
BILIRUBIN = {**LAB, "measurement_concept_id": 1, "value_as_number": "1.5"}
OWN_CODE = {**LAB, "measurement_id": 2, "measurement_concept_id": 0, "measurement_source_value": "BILI-T"}
MAPPING = """\
[systems]
local = "urn:onstudy:omop:source-value"
[kind.bilirubin_total]
codes = [["local", "BILI-T"]]
"""


def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN])
    store = tmp_path / "store"
    assert built(folder, store).parts_read == 2
    again = built(folder, store)
    assert not again.changed
    write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN, {**BILIRUBIN, "measurement_id": 3, "value_as_number": "1.7"}])
    assert built(folder, store).parts_read == 1
    assert len([fact for fact in patients_of(store)["1"].facts if fact.kind == "bilirubin_total"]) == 2


def test_other_concepts_change_what_every_row_means(tmp_path: Path) -> None:
    folder, store = write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN]), tmp_path / "store"
    built(folder, store)
    text = (folder / "concept.csv").read_text()
    (folder / "concept.csv").write_text(text.replace("1975-2", "1968-7"))
    assert built(folder, store).parts_read == 2
    assert [fact.kind for fact in patients_of(store)["1"].facts] == ["sex", "unmapped"]


def test_a_mapping_names_what_the_source_calls_by_its_own_codes(tmp_path: Path) -> None:
    """Of a code that is not read only the code is kept, so rows are read again when a mapping names it."""
    row = {**OWN_CODE, "value_as_number": "2.25"}
    folder, store = write_cdm(tmp_path / "cdm", measurement=[row]), tmp_path / "store"
    report = built(folder, store)
    assert [fact.kind for fact in patients_of(store)["1"].facts] == ["sex", "unmapped"]
    assert any("BILI-T" in item for (_, item) in report.left)
    (tmp_path / "mapping.toml").write_text(MAPPING)
    built(folder, store, tmp_path / "mapping.toml")
    (fact,) = (fact for fact in patients_of(store)["1"].facts if fact.kind == "bilirubin_total")
    assert (fact.value, fact.shown) == (point(2.25), "2.25 mg/dL")


def test_the_report_counts_what_cannot_be_used(tmp_path: Path) -> None:
    rows = [
        BILIRUBIN,
        {**BILIRUBIN, "measurement_id": 5, "unit_concept_id": 0},
        {**BILIRUBIN, "measurement_id": 6, "measurement_concept_id": 13},
        {**BILIRUBIN, "measurement_id": 7, "person_id": 99},
    ]
    folder = write_cdm(tmp_path / "cdm", measurement=rows)
    with (folder / "measurement.csv").open("a") as file:
        file.write("8,1\n")
    report = built(folder, tmp_path / "store")
    assert report.read == {"person": 1, "measurement": 4}
    assert {said: many for said, many in report.left.items() if said[0] != NO_TABLE} == {
        ("records whose code is not in the catalogue", "http://loinc.org|4548-4"): 1,
        ("results without a unit that can be used", "has no unit; it is measured in mg/dL"): 1,
        ("resources about a patient of whom there is no Patient resource", "Observation"): 1,
        ("lines of text with more or fewer fields than the header has names: left out", "measurement"): 1,
    }
    assert "http://loinc.org|4548-4" in report.to_text()


def test_the_report_names_the_tables_that_are_not_there(tmp_path: Path) -> None:
    """Without measurements nothing is known of anybody's results; that must not look like a clean build."""
    diagnosis = {"condition_occurrence_id": 1, "person_id": 1, "condition_concept_id": 4}
    folder, store = write_cdm(tmp_path / "cdm", condition_occurrence=[diagnosis]), tmp_path / "store"
    others = ["drug_exposure", "procedure_occurrence", "observation", "death"]
    assert named(built(folder, store), NO_TABLE) == dict.fromkeys(["measurement", *others], 1)
    assert "measurement\n" in built(folder, tmp_path / "second").to_text()
    write_cdm(folder, condition_occurrence=[diagnosis], measurement=[BILIRUBIN])
    assert named(built(folder, store), NO_TABLE) == dict.fromkeys(others, 1)


def test_the_report_names_the_concept_ids_that_are_not_there(tmp_path: Path) -> None:
    """Of a row whose code is not known only that is told; 4211787 is known by its id, and 0 is no concept."""
    rows = [
        *({**BILIRUBIN, "measurement_id": number, "measurement_concept_id": 999} for number in (1, 2, 3)),
        {**BILIRUBIN, "measurement_id": 4, "measurement_concept_id": 0, "measurement_source_concept_id": 998},
        {**BILIRUBIN, "measurement_id": 5, "unit_concept_id": 997},
        {**BILIRUBIN, "measurement_id": 6, "unit_concept_id": 0},
    ]
    never = {"observation_id": 1, "person_id": 1, "observation_concept_id": 4211787, "value_as_concept_id": 5}
    report = built(write_cdm(tmp_path / "cdm", measurement=rows, observation=[never]), tmp_path / "store")
    assert named(report, "concept ids that the table concept does not have") == {
        "measurement.measurement_concept_id 999": 3,
        "measurement.measurement_source_concept_id 998": 1,
        "measurement.unit_concept_id 997": 1,
    }


def named(report: Report, reason: str) -> dict[str, int]:
    """What the report names for a reason, with how often."""
    return {item: many for (why, item), many in report.left.items() if why == reason}


# What is no OMOP ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["concept", "person"])
def test_a_folder_without_a_table_that_every_database_has(table: str, tmp_path: Path) -> None:
    """It is told what lacks, and is not taken for CSV of another sort."""
    source = tmp_path / "cdm"
    generate_omop(Asked(5), source)
    (source / f"{table}.csv").unlink()
    with pytest.raises(OnstudyError, match=f"cdm: is no OMOP database: it has no table {table}; export it too"):
        built(source, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_what_is_called_like_a_table_and_is_none(tmp_path: Path) -> None:
    """CSV of another sort, and tables beside FHIR."""
    for name, file in (("statements", "person.csv"), ("fhir", "cohort.csv")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(
            "patient,kind,value,unit,date,person_id\np1,bilirubin_total,1.5,mg/dL,2026-01-01,7\n"
        )
    built(tmp_path / "statements", tmp_path / "store")
    (tmp_path / "fhir" / "a.ndjson").write_text('{"resourceType":"Patient","id":"p1"}\n')
    with pytest.raises(OnstudyError, match="several sorts"):
        built(tmp_path / "fhir", tmp_path / "other")
    (tmp_path / "fhir" / "cohort.csv").unlink()
    pq.write_table(pa.table({"person_id": [1]}), tmp_path / "fhir" / "cohort.parquet")
    built(tmp_path / "fhir", tmp_path / "other")


def test_a_folder_without_its_tables_is_none(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN])
    (folder / "concept.csv").unlink()
    with pytest.raises(OnstudyError, match="no table concept"):
        omop_source(str(folder), tmp_path)


def test_a_damaged_file_stops_the_build_and_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    folder, store = write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN]), tmp_path / "store"
    built(folder, store)
    before = patients_of(store)
    text = (folder / "measurement.csv").read_bytes()
    (folder / "measurement.csv").unlink()
    (folder / "measurement.csv.gz").write_bytes(gzip.compress(text)[:-12])
    with pytest.raises(OnstudyError, match="damaged or cut off"):
        built(folder, store)
    assert patients_of(store) == before


def test_several_processes_build_the_same_store(generated: Path, tmp_path: Path) -> None:
    source = find(str(generated / "omop"), tmp_path / "two")
    build(source, tmp_path / "two", workers=2)
    assert patients_of(tmp_path / "two") == whole(generated / "omop", generated)


def test_persons_of_several_files_are_one_table(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN])
    other = write_cdm(tmp_path / "other", person=[{**PERSON, "person_id": 2}])
    with duckdb.connect() as connection:
        (folder / "measurement").mkdir()
        for number, path in enumerate((folder / "measurement.csv", folder / "measurement.csv")):
            connection.execute(
                f"COPY (SELECT * REPLACE ({number + 1} AS person_id, {number + 1} AS measurement_id) "
                f"FROM read_csv('{path}')) TO '{folder}/measurement/{number}.parquet' (FORMAT parquet)"
            )
    (folder / "measurement.csv").unlink()
    text = (other / "person.csv").read_text().splitlines()[1]
    with (folder / "person.csv").open("a") as file:
        file.write(text + "\n")
    shutil.rmtree(other)
    assert built(folder, tmp_path / "store").parts_read == 3
    assert all(
        any(fact.kind == "bilirubin_total" for fact in patient.facts)
        for patient in patients_of(tmp_path / "store").values()
    )


def test_who_is_recorded_as_dead_is_told(tmp_path: Path) -> None:
    """Of the two persons one is in the table of deaths; a death that comes later is noticed."""
    two = [PERSON, {**PERSON, "person_id": 2}]
    folder, store = write_cdm(tmp_path / "cdm", person=two, measurement=[BILIRUBIN]), tmp_path / "store"
    built(folder, store)
    assert [problem.what for one in patients_of(store).values() for problem in one.problems] == []
    (folder / "death.csv").write_text("person_id,death_date\n02,2019-03-01\n")
    built(folder, store)
    told = {name: [problem.what for problem in one.problems] for name, one in patients_of(store).items()}
    assert told == {"1": [], "2": ["the patient is recorded as deceased: check this before anything else"]}


SOURCES = [
    (["Synthea synthetic health database"], True),
    (["Hospital"], False),
    (["Photosynthetic research"], False),
    (["SYNTHETIC patients", "Hospital"], False),
    (["SYNTHETIC patients", "More synthetic ones"], True),
]


@pytest.mark.parametrize(("names", "synthetic"), SOURCES)
def test_a_source_whose_every_name_says_so_holds_nobody_real(names: list[str], synthetic: bool, tmp_path: Path) -> None:
    folder, store = write_cdm(tmp_path / "cdm", person=[PERSON, {**PERSON, "person_id": 2}]), tmp_path / "store"
    assert built(folder, store).test_data == 0
    (folder / "cdm_source.csv").write_text("cdm_source_name\n" + "".join(f"{name}\n" for name in names))
    assert built(folder, store).test_data == 2 * synthetic
    told = [problem.what for one in patients_of(store).values() for problem in one.problems]
    assert told == ["the record is marked as test data: it is of no real patient"] * 2 * synthetic
