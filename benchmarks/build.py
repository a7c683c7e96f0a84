"""Building stores: FHIR resources and OMOP rows a second, generating patients, and an update that is killed.

OMOP tables are read in each form of file, and once with few rows of a kind that is in the catalogue, as a hospital's
are. Floors of the same run: decoding the same lines as JSON, reading the same columns of the same CSV, writing the same
shards, in as many processes. ONSTUDY_BENCH_BUILD sets how many patients; of OMOP there are ten times as many, which
gives about 7.6 million measurements; a tenth of these, which shows what it costs to begin; and these four times, as
other persons: a million patients, as the other bars have. CPU seconds stand beside: time suffers from other work.
"""

from __future__ import annotations

import io
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.measure import median
from benchmarks.population import CORES, FOLDER, made, onstudy

PATIENTS = int(os.environ.get("ONSTUDY_BENCH_BUILD", "25000"))
OMOP_PATIENTS = 10 * PATIENTS
#: How often they are there in the largest source.
TIMES = 4
GENERATED = 100_000
ROUNDS, KILLS, KILLED = 3, 20, 1_000
STORE = FOLDER / "build-store"
#: Wall and CPU seconds, and the most memory a process held (MiB).
Cost = tuple[float, float, int]


def run() -> list[str]:
    """The lines of the report."""
    how = f"{CORES} processes (median of {ROUNDS} rounds in turn)"
    lines = [f"building, {PATIENTS:,} generated patients ({OMOP_PATIENTS:,} of OMOP), {how}:"]
    return [*lines, *_fhir(), *_omop(), *_generate(), *_killed()]


# How long ---------------------------------------------------------------------------------------------------------


def _fhir() -> list[str]:
    source = _source("fhir", PATIENTS)
    files = sorted(source.glob("*.ndjson"))
    resources = sum(file.read_bytes().count(b"\n") for file in files)
    costs = _in_turn(
        {
            "FHIR NDJSON into the store (bar 100,000 resources/s)": lambda: _build(source),
            "  floor: every line decoded as JSON (msgspec)": lambda: _spread(_decode, files),
            "  floor: the shards read and written once more (pyarrow)": lambda: _spread(_write, _shards()),
        }
    )
    return _shown(costs, resources, "resources")


def _omop() -> list[str]:
    alone = _measurements(OMOP_PATIENTS)
    parquet, database = (_as(form, alone) for form in ("parquet", "duckdb"))
    few = _few_known(alone)
    costs = _in_turn(
        {
            "OMOP, 1 row in 10 of a kind in the catalogue, CSV": lambda: _build(few),
            "OMOP measurements into the store, Parquet": lambda: _build(parquet),
            "  the same, a DuckDB file": lambda: _build(database),
            "  the same, CSV": lambda: _build(alone),
            "  of that, read into rows": lambda: _spread(_rows, [alone]),
            "  floor: the same columns of the CSV read (pyarrow)": lambda: _spread(_columns, [_table(alone)]),
            "  floor: the shards read and written once more (pyarrow)": lambda: _spread(_write, _shards()),
        }
    )
    tenth, rows = _measurements(OMOP_PATIENTS // 10), _rows_in(alone)
    small, large = _as("parquet", tenth), _more(parquet)
    begun = _in_turn({f"OMOP measurements of {OMOP_PATIENTS // 10:,} patients, Parquet": lambda: _build(small)})
    name = f"OMOP measurements of {TIMES * OMOP_PATIENTS:,} patients, Parquet (bar 1,000,000 rows/s)"
    most = _in_turn({name: lambda: _build(large)})
    return [
        *_shown(costs, rows, "rows"),
        *_shown(begun, _rows_in(tenth), "rows"),
        *_shown(most, TIMES * rows, "rows"),
    ]


def _measurements(patients: int) -> Path:
    """Tables of so many patients with measurements alone, as CSV."""
    return _only(_source("omop", patients), ("measurement", "person", "concept", "cdm_source"))


def _table(source: Path) -> Path:
    return source / "measurement.csv"


def _rows_in(source: Path) -> int:
    with _table(source).open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 24), b"")) - 1


def _generate() -> list[str]:
    def work() -> None:
        folder = FOLDER / "build-generated"
        shutil.rmtree(folder, ignore_errors=True)
        onstudy("generate", "patients", "--n", str(GENERATED), "--store", str(folder))

    costs = _in_turn({f"{GENERATED:,} patients generated into a store (bar 20 s)": work})
    return _shown(costs, GENERATED, "patients")


def _source(form: str, patients: int) -> Path:
    def make(path: Path) -> None:
        onstudy("generate", "patients", "--n", str(patients), f"--{form}", str(path))

    return made(f"{form}-{patients}", make)


def _only(source: Path, tables: Sequence[str]) -> Path:
    """The same source with these tables alone."""
    folder = FOLDER / f"build-{source.name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for table in tables:
        (folder / f"{table}.csv").symlink_to(source / f"{table}.csv")
    return folder


def _as(form: str, source: Path) -> Path:
    """The same tables as a folder of Parquet files or as one DuckDB file, with types."""
    name = source.name.removeprefix("build-")

    def make(path: Path) -> None:
        import duckdb

        if form == "parquet":
            path.mkdir()
        with duckdb.connect(":memory:" if form == "parquet" else str(path)) as database:
            for file in sorted(source.glob("*.csv")):
                rows = f"FROM read_csv('{file}', sample_size = -1)"
                copy, table = f"COPY ({rows}) TO '{path / file.stem}.parquet'", f"CREATE TABLE {file.stem} AS {rows}"
                database.execute(copy if form == "parquet" else table)

    return made(f"{name}.{form}", make)


def _more(source: Path) -> Path:
    """The same tables in Parquet several times, each time as other persons with other rows."""
    ids = {"person": ["person_id"], "measurement": ["person_id", "measurement_id"]}

    def make(path: Path) -> None:
        import duckdb

        path.mkdir()
        for file in source.glob("*.parquet"):
            queries = [f"SELECT * FROM '{file}'"]
            for time_ in range(1, TIMES) if file.stem in ids else ():
                other = ", ".join(f"{name} + {time_ * 10**9}::BIGINT AS {name}" for name in ids[file.stem])
                queries.append(f"SELECT * REPLACE ({other}) FROM '{file}'")
            with duckdb.connect(config={"threads": 1, "memory_limit": "600MB"}) as database:  # it counts as ours
                database.execute(f"COPY ({' UNION ALL '.join(queries)}) TO '{path / file.name}'")

    return made(f"{source.stem}-{TIMES}-times.parquet", make)


def _few_known(source: Path) -> Path:
    """The same tables with nine measurements in ten of 400 concepts that no kind has, four of them a patient."""

    def make(path: Path) -> None:
        import duckdb

        path.mkdir()
        tables = {
            "measurement": """
                SELECT * EXCLUDE known REPLACE (
                    if(known, measurement_source_concept_id, 0) AS measurement_source_concept_id,
                    if(known, measurement_concept_id, 3100000 + hash(person_id, measurement_id % 4) % 400)
                        AS measurement_concept_id
                ) FROM (SELECT *, measurement_id % 10 = 0 AS known FROM given)""",
            "concept": """
                FROM given UNION ALL SELECT one.* REPLACE (
                    3100000 + number AS concept_id, 'LOINC' AS vocabulary_id, '99' || number || '-X' AS concept_code
                ) FROM (FROM given LIMIT 1) one, range(400) numbers(number)""",
        }
        for table in ("person", "cdm_source"):
            shutil.copy(source / f"{table}.csv", path)
        with duckdb.connect() as database:
            for table, query in tables.items():
                database.execute(
                    f"CREATE OR REPLACE VIEW given AS FROM read_csv('{source / table}.csv', sample_size = -1)"
                )
                database.execute(f"COPY ({query}) TO '{path / table}.csv' (HEADER)")

    return made(f"omop-{OMOP_PATIENTS}-few", make)


def _build(source: Path) -> None:
    shutil.rmtree(STORE, ignore_errors=True)
    onstudy("build", str(source), "--store", str(STORE), "--workers", str(CORES))


def _shards() -> list[Path]:
    """The files of the store that was built last."""
    return sorted((STORE / "shards").glob("*.parquet"))


def _spread(work: Callable[[Path], int], files: Sequence[Path]) -> None:
    """Some work on each file, the largest first, in as many processes as a build has."""
    ordered = sorted(files, key=lambda file: -file.stat().st_size)
    with ProcessPoolExecutor(min(CORES, len(ordered)), get_context("spawn")) as pool:
        list(pool.map(work, ordered))


def _decode(file: Path) -> int:
    import msgspec

    decode = msgspec.json.Decoder().decode
    return sum(1 for line in file.read_bytes().splitlines() if decode(line))


def _rows(source: Path) -> int:
    from onstudy.population.omop import OmopReading
    from onstudy.population.omop_source import open_cdm
    from onstudy.record.catalogue import load_catalogue

    with open_cdm(source) as cdm:
        reading = OmopReading(cdm, load_catalogue())
        return sum(table.num_rows for table in reading.events("measurement"))


def _columns(file: Path) -> int:
    import pyarrow.csv as pacsv

    from onstudy.population.omop_tables import TABLES

    wanted = pacsv.ConvertOptions(include_columns=TABLES["measurement"].used(), include_missing_columns=True)
    with pacsv.open_csv(file, pacsv.ReadOptions(use_threads=False, block_size=1 << 24), None, wanted) as reader:
        return sum(batch.num_rows for batch in reader)


def _write(file: Path) -> int:
    import pyarrow.parquet as papq

    table = papq.read_table(file)
    papq.write_table(table, io.BytesIO(), compression="zstd")
    return int(table.num_rows)


def _in_turn(sides: dict[str, Callable[[], None]]) -> dict[str, list[Cost]]:
    found: dict[str, list[Cost]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, work in sides.items():
            before, start = os.times(), time.perf_counter()
            work()
            wall, after = time.perf_counter() - start, os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            found[name].append((wall, cpu, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024))
    return found


def _shown(costs: dict[str, list[Cost]], many: int, what: str) -> list[str]:
    lines = []
    for name, rounds in costs.items():
        wall, cpu = (median([one[place] for one in rounds]) for place in (0, 1))
        rate = f"{many / wall:>12,.0f} {what}/s {wall:8.2f} s wall {cpu:8.2f} s CPU"
        lines.append(f"  {name:<64}{rate}")
    memory = max(one[2] for rounds in costs.values() for one in rounds)
    return [*lines, f"  {'':<64}{many:>12,} {what}; {memory} MiB a process at most"]


# Killed -------------------------------------------------------------------------------------------------------------


def _killed() -> list[str]:
    """Kill -9 at random moments of an update; only the main process is killed, the workers have to notice."""
    from onstudy.population.store import Store

    source = _source("fhir", KILLED)
    work = FOLDER / "build-killed"
    shutil.rmtree(work, ignore_errors=True)
    first, second = work / "first", work / "second"
    for folder in (first, second):
        shutil.copytree(source, folder)
    (first / "Condition.0000.ndjson").unlink()
    onstudy("build", str(first), "--store", str(work / "old"))
    shutil.copytree(work / "old", work / "expected")
    start = time.perf_counter()
    onstudy("build", str(second), "--store", str(work / "expected"))
    seconds = time.perf_counter() - start
    whole = {Store.open(work / name).manifest.digest for name in ("old", "expected")}
    draw, hit = random.Random(7), 0
    for _ in range(KILLS):
        store = work / "store"
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(work / "old", store)
        hit += _kill(["build", str(second), "--store", str(store), "--workers", str(CORES)], draw.uniform(0, seconds))
        opened = Store.open(store)
        assert opened.manifest.digest in whole and not opened.verify(), "the store is whole at every moment"
        onstudy("build", str(second), "--store", str(store))
        assert _files(store) == _files(work / "expected"), "the end is the same"
    return [
        f"  an update of {KILLED:,} patients killed {KILLS} times, {hit} before the end: always whole, the end the same"
    ]


def _kill(arguments: Sequence[str], after: float) -> bool:
    """Kill a command of ours after so many seconds; whether it was still at work."""
    command = [sys.executable, "-m", "onstudy.faces.cli", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    at_work = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return at_work


def _files(store: Path) -> dict[str, bytes]:
    paths = (path for path in store.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(store)): path.read_bytes() for path in paths}


if __name__ == "__main__":
    print("\n".join(run()))
