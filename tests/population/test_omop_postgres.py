"""OMOP on a PostgreSQL server that the test starts for itself: the same facts as from files, and no password told."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.population.omop_build import one, patients_in, write_cdm

from onstudy.errors import OnstudyError
from onstudy.population.build import build
from onstudy.population.build_find import find
from onstudy.population.generate import Asked, generate_omop
from onstudy.population.omop_build import omop_source
from onstudy.population.omop_source import open_cdm
from onstudy.population.store import Store
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.record.shard import patient_of

pytestmark = pytest.mark.postgres
SECRET = "a-secret-word"
BILIRUBIN = {
    "measurement_id": 1, "person_id": 1, "measurement_concept_id": 1, "measurement_date": "2026-03-01",
    "measurement_datetime": "2026-03-01 08:15:00", "value_as_number": "2.50", "unit_concept_id": 2, "range_high": "1.2",
    "value_source_value": 'he said "2,5"\nand more',
}  # fmt: skip


@pytest.fixture(scope="module")
def server(postgres_bin: Path) -> Iterator[str]:
    """The URL of a server, without a database; it listens on a socket in a folder of its own and nowhere else."""
    folder = Path(tempfile.mkdtemp(prefix="onstudy-pg-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        subprocess.run([postgres_bin / program, *arguments], user=user, cwd=folder, check=True, capture_output=True)

    (folder / "word").write_text(SECRET)
    run("initdb", "-D", "data", "-U", "reader", "--auth=scram-sha-256", f"--pwfile={folder}/word", "-E", "UTF8", "-N")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    try:
        run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")
        yield f"postgresql://reader:{SECRET}@/{{}}?host={folder}"
    finally:
        run("pg_ctl", "-D", "data", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def loaded(server: str, database: str, folder: Path) -> str:
    """A database with the tables of a folder of CSV files, typed as the CDM has them; its URL."""
    import psycopg

    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}")
    url = server.format(database)
    with psycopg.connect(url) as connection:
        for path in sorted(folder.glob("*.csv")):
            text = path.read_text(encoding="utf-8")
            columns = text.splitlines()[0].split(",")
            typed = ", ".join(f"{name} {_type(name)}" for name in columns)
            connection.execute(f"CREATE TABLE {path.stem} ({typed})")
            with connection.cursor().copy(f"COPY {path.stem} FROM STDIN (FORMAT csv, HEADER)") as copy:
                copy.write(text)
    return url


_TYPES: Sequence[tuple[str, str]] = (
    ("_datetime", "timestamp"), ("_date", "date"), ("_as_number", "numeric"), ("range_low", "numeric"),
    ("range_high", "numeric"), ("quantity", "numeric"), ("_of_birth", "integer"), ("_event_id", "bigint"),
    ("_id", "bigint"),
)  # fmt: skip
_TEXT = ("vocabulary_id", "domain_id", "concept_class_id")


def _type(column: str) -> str:
    if column in _TEXT:
        return "text"
    return next((sort for end, sort in _TYPES if column.endswith(end)), "text")


def patients_of(store: Path) -> Mapping[str, Patient]:
    opened, catalogue = Store.open(store), load_catalogue()
    found = {}
    for place, info in enumerate(opened.shards):
        shard = opened.read(place, None, None)
        for row in range(info.patients):
            patient = patient_of(shard, row, catalogue)
            found[patient.id] = patient
    return found


def test_a_row_says_the_same_on_a_server(server: str, tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN])
    found, expected = patients_in(loaded(server, "row", folder)), patients_in(folder)
    assert found == expected
    fact = one(fact for fact in found["1"].facts if fact.kind == "bilirubin_total")
    assert fact.shown.startswith("2.50 mg/dL")


def test_a_row_that_refers_to_another_is_found_on_a_server(server: str, tmp_path: Path) -> None:
    drug: dict[str, object] = {"drug_exposure_id": 1, "person_id": 1, "drug_concept_id": 6}
    drug |= {"drug_exposure_start_date": "2026-01-10", "drug_exposure_end_date": "2026-02-20"}
    said: dict[str, object] = {"observation_id": 2, "person_id": 1, "observation_concept_id": 2_000_000_104}
    said |= {"observation_date": "2026-01-10", "value_as_concept_id": 2_000_000_105}
    said |= {"observation_event_id": 1, "obs_event_field_concept_id": 1147094}
    alone: dict[str, object] = {**said, "observation_id": 1, "observation_event_id": ""}
    folder = write_cdm(tmp_path / "cdm", drug_exposure=[drug], observation=[alone, said])
    found = patients_in(loaded(server, "refers", folder))
    assert one(fact for fact in found["1"].facts if fact.kind == "treatment").attributes["intent"] == frozenset({"ALL"})
    assert found == patients_in(folder)


def test_a_build_from_a_server_is_a_build_from_files(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "omop"
    generate_omop(Asked(30), folder)
    url = loaded(server, "generated", folder)
    build(find(str(folder), tmp_path / "files"), tmp_path / "files", workers=0)
    monkeypatch.setattr("onstudy.population.omop_postgres.PAGES", 2)
    source = omop_source(url, tmp_path)
    assert sum(1 for part in source.parts("") if part.sort == "measurement" for _ in source.tasks(part)) > 2
    patients, records = source.estimate(source.parts(""))
    assert patients >= 0 <= records
    build(find(url, tmp_path / "server"), tmp_path / "server", workers=0)
    assert patients_of(tmp_path / "server") == patients_of(tmp_path / "files")


def test_what_did_not_change_is_not_read_again_and_nothing_is_written(server: str, tmp_path: Path) -> None:
    import psycopg

    more = [{**BILIRUBIN, "measurement_id": number, "value_as_number": f"1.{number}"} for number in range(2, 9)]
    url = loaded(server, "again", write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN, *more]))
    store = tmp_path / "store"

    def again(change: str) -> tuple[bool, int]:
        with psycopg.connect(url) as connection:
            connection.execute(change)
        report = build(find(url, store), store, workers=0)
        return report.changed, report.parts_read

    assert again("SELECT 1") == (True, 2)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert again("SELECT 1") == (False, 0)
    moved = "UPDATE measurement SET measurement_id = measurement_id WHERE measurement_id = 3"
    assert again(moved) == (False, 0), "the same rows in another order"
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
    assert again("UPDATE measurement SET value_as_number = 2.6 WHERE measurement_id = 3") == (True, 1)
    assert again("UPDATE concept SET concept_name = 'other' WHERE concept_id = 1") == (True, 2)
    fact = one(fact for fact in patients_of(store)["1"].facts if fact.id == "Observation/measurement.3")
    assert fact.shown.startswith("2.6 ")


def test_all_processes_read_the_database_in_one_state(server: str, tmp_path: Path) -> None:
    """What is written after the tables were looked at is in no part of this build, and in the next."""
    import psycopg

    url = loaded(server, "state", write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN]))
    store, source = tmp_path / "store", find(url, tmp_path / "store")
    source.parts("")
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE measurement SET value_as_number = 9")
        connection.execute("INSERT INTO person SELECT * FROM person")
        connection.execute("UPDATE person SET person_id = 2 WHERE ctid = (SELECT max(ctid) FROM person)")
    build(source, store, workers=2)
    assert patients_of(store).keys() == {"1"}
    assert "2.50 mg/dL" in str(patients_of(store)["1"].facts)
    assert build(find(url, store), store, workers=2).changed
    assert patients_of(store).keys() == {"1", "2"}


def test_the_store_does_not_hold_the_address(server: str, tmp_path: Path) -> None:
    url = loaded(server, "address", write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN]))
    build(find(url, tmp_path / "store"), tmp_path / "store", workers=0)
    for path in (tmp_path / "store").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_a_view_and_another_schema_are_read(server: str, tmp_path: Path) -> None:
    import psycopg

    url = loaded(server, "viewed", write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN]))
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA cdm")
        for table in ("person", "measurement", "concept", "cdm_source"):
            connection.execute(f"CREATE VIEW cdm.{table} AS SELECT * FROM public.{table}")
            connection.execute(f"ALTER TABLE public.{table} RENAME TO own_{table}")
    elsewhere = f"{url}&options=-csearch_path%3Dcdm"
    build(find(elsewhere, tmp_path / "store"), tmp_path / "store", workers=0)
    assert [fact.kind for fact in patients_of(tmp_path / "store")["1"].facts] == ["sex", "bilirubin_total"]


def test_nothing_is_written_to_the_server(server: str, tmp_path: Path) -> None:
    from onstudy.population.omop_postgres import Server

    url = loaded(server, "kept", write_cdm(tmp_path / "cdm", measurement=[BILIRUBIN]))
    with open_cdm(url) as cdm:
        assert isinstance(cdm, Server)
        with pytest.raises(Exception, match="read-only"):
            cdm.connection.execute("DELETE FROM person")


@pytest.mark.parametrize(
    ("change", "said"),
    [((SECRET, "another-word"), "the password was refused"), (("/row?", "/nowhere?"), "no such database")],
)
def test_a_refusal_does_not_repeat_the_address(server: str, change: tuple[str, str], said: str) -> None:
    url = server.format("row").replace(*change)
    with pytest.raises(OnstudyError, match=said) as refused, open_cdm(url):
        pass
    assert SECRET not in str(refused.value)
    assert "another-word" not in str(refused.value)


def test_a_database_without_the_tables_is_no_cdm(server: str) -> None:
    with pytest.raises(OnstudyError, match="is no OMOP database") as refused:
        omop_source(server.format("postgres"), Path())
    assert SECRET not in str(refused.value)
