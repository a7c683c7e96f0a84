"""The peers' question, twelve criteria, of the same invented people: ours, OHDSI Circe, SQL by hand, ehrQL.

Each side reads the form it is fastest with, made before the clock starts: ours the store, the others native DuckDB
tables sorted for the question. Runs alternate. Commands and SQL of the peers are in `peers_sql` and `peers_ehrql`.
"""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import median
from benchmarks.peers_data import ON, write_cdm
from benchmarks.population import CORES, FOLDER, PEOPLE, ROUNDS, Side, begin_statuses, in_turn, made, onstudy, shown

TRIAL = Path(__file__).with_name("peers.yaml")
EHRQL_PEOPLE = 10_000
OURS, CIRCE, HAND = "onstudy, from the store", "OHDSI Circe on DuckDB (duckcdm)", "DuckDB, three values by hand"


def run() -> list[str]:
    """The lines of the report."""
    cdm = made(f"cdm-{PEOPLE}", lambda path: write_cdm(path, PEOPLE))
    store = made(f"peers-store-{PEOPLE}", lambda path: onstudy("build", str(cdm), "--store", str(path)))
    base = made(f"cdm-{PEOPLE}.duckdb", lambda path: _native(cdm, path))
    out = FOLDER / "peers-statuses.parquet"
    sides = {OURS: Side(begin_statuses, str(store), [str(TRIAL)], ON, str(out))}
    if importlib.util.find_spec("duckcdm") is not None:
        sides[CIRCE] = Side(begin_circe, str(base))
    sides[HAND] = Side(begin_by_hand, str(base))
    found = in_turn(sides, ROUNDS)
    lines = [f"twelve criteria, {PEOPLE:,} patients, {CORES} cores, median of {ROUNDS} alternating runs:"]
    lines += shown(found, OURS)
    if CIRCE not in found:
        lines.append("  OHDSI Circe was not run: `pip install duckcdm` puts it beside us")
    bars = [(HAND, 2), (CIRCE, 5)]
    ratios = [f"{median(found[name]) / median(found[OURS]):.1f} (bar {bar})" for name, bar in bars if name in found]
    lines.append(
        f"  ours {median(found[OURS]):.2f} s (bar 2 s); by hand and Circe take {', '.join(ratios)} times as long"
    )
    peaks = {name: side.close() for name, side in sides.items()}
    lines += ["  most memory of a process: " + ", ".join(f"{name} {mib} MiB" for name, mib in peaks.items())]
    return [*lines, *_agreement(base, out, CIRCE in found), *_ehrql(cdm, out)]


def _native(cdm: Path, path: Path) -> None:
    from benchmarks.peers_sql import native

    native(cdm, path)


def begin_circe(path: str) -> Callable[[], Any]:
    """A side that runs what Circe wrote."""
    from benchmarks.peers_sql import circe_sql

    base, statements = _opened(path), circe_sql()

    def work() -> int:
        for statement in statements:
            base.execute(statement)
        return int(base.execute("SELECT count(*) FROM results.cohort").fetchone()[0])

    return work


def begin_by_hand(path: str) -> Callable[[], Any]:
    """A side that runs the SQL written by hand, and writes its answers to Parquet as ours does."""
    from benchmarks.peers_sql import by_hand

    base, query = _opened(path), by_hand()
    out = FOLDER / "peers-by-hand.parquet"

    def work() -> None:
        base.execute(f"COPY ({query}) TO '{out}' (FORMAT parquet)")

    return work


def _opened(path: str) -> Any:
    """A DuckDB of its own over the same tables: attached for reading, results in memory."""
    import duckdb

    base = duckdb.connect(config={"threads": CORES})
    base.execute(f"ATTACH '{path}' AS cdm (READ_ONLY)")
    base.execute("CREATE SCHEMA results")
    base.execute(
        "CREATE TABLE results.cohort (cohort_definition_id INT, subject_id BIGINT, cohort_start_date DATE, "
        "cohort_end_date DATE)"
    )
    tables = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'cdm' AND schema_name = 'main'"
    for (name,) in base.execute(tables).fetchall():
        base.execute(f"CREATE VIEW IF NOT EXISTS main.{name} AS SELECT * FROM cdm.main.{name}")
    return base


# Do they agree? ---------------------------------------------------------------------------------------------------

#: Our verdicts (0 ineligible, 1 undetermined, 2 eligible if confirmed, 3 eligible) as truths.
_OURS = (
    'SELECT CAST(patient AS BIGINT) AS person_id, CASE "verdict.A" WHEN 0 THEN 0 WHEN 3 THEN 2 ELSE 1 END AS recorded, '
    'CASE "verdict.A.if_confirmed" WHEN 0 THEN 0 WHEN 3 THEN 2 ELSE 1 END AS if_confirmed, * '
    "FROM read_parquet('{out}')"
)


def _agreement(base: Path, out: Path, circe: bool) -> list[str]:
    """Row by row: ours beside the SQL by hand, which must say the same; and why Circe's cohort is another."""
    duck = _opened(str(base))
    duck.execute(f"CREATE TABLE ours AS {_OURS.format(out=out)}")
    hand = FOLDER / "peers-by-hand.parquet"
    (same, all_rows) = duck.execute(
        f"SELECT count(*) FILTER (o.recorded = h.recorded AND o.if_confirmed = h.if_confirmed), count(*) FROM ours o "
        f"JOIN read_parquet('{hand}') h USING (person_id)"
    ).fetchone()
    lines = [f"  ours and SQL by hand say the same, both answers, of {same:,} of {all_rows:,} patients"]
    if circe:
        from benchmarks.peers_sql import circe_sql

        for statement in circe_sql():
            duck.execute(statement)
        lines += _against_circe(duck)
    return lines


def _against_circe(duck: Any) -> list[str]:
    results = " OR ".join(f"Q{number:02} = 0" for number in range(3, 9))
    conflicts = " OR ".join(f"Q{number:02} = 1" for number in range(3, 9))
    theirs, both, newer, tied, only_ours = duck.execute(
        f"""SELECT count(c.subject_id), count(*) FILTER (c.subject_id IS NOT NULL AND o.if_confirmed = 2),
          count(*) FILTER (c.subject_id IS NOT NULL AND o.if_confirmed <> 2 AND ({results})),
          count(*) FILTER (c.subject_id IS NOT NULL AND o.if_confirmed <> 2 AND NOT ({results}) AND ({conflicts})),
          count(*) FILTER (c.subject_id IS NULL AND o.if_confirmed = 2)
        FROM ours o LEFT JOIN results.cohort c ON c.subject_id = o.person_id"""
    ).fetchone()
    return [
        f"  Circe's cohort has {theirs:,}; ours has {both:,} of them eligible if confirmed, and {only_ours:,} more",
        f"  of Circe's others {newer:,} have a newer result that is not good enough (it has no 'latest': any result of",
        f"  the window will do), {tied:,} have results of one day that contradict each other; it knows no 'unknown':",
        "  of what nobody recorded it takes an event as not having been, a result as not good enough",
    ]  # fmt: skip


def _ehrql(cdm: Path, out: Path) -> list[str]:
    """Row by row beside ehrQL's SQLite engine, where EHRQL_PYTHON names a Python that has it."""
    import duckdb

    python = os.environ.get("EHRQL_PYTHON")
    if not python:
        return ["  ehrQL was not run: EHRQL_PYTHON names no environment that has it"]
    answers = FOLDER / "peers-ehrql.csv"
    script = Path(__file__).with_name("peers_ehrql.py")
    subprocess.run([python, str(script), str(cdm), str(EHRQL_PEOPLE), str(answers)], check=True)
    with open(answers, encoding="utf-8", newline="") as file:
        theirs = {
            int(row["person_id"]): (int(row["recorded"]), int(row["if_confirmed"])) for row in csv.DictReader(file)
        }
    asked = f"SELECT person_id, recorded, if_confirmed FROM ({_OURS.format(out=out)}) WHERE person_id <= {EHRQL_PEOPLE}"
    ours = {row[0]: row[1:] for row in duckdb.execute(asked).fetchall()}
    same = sum(ours.get(person) == answer for person, answer in theirs.items())
    return [f"  ours and ehrQL's SQLite engine say the same, both answers, of {same:,} of {len(theirs):,} patients"]


if __name__ == "__main__":
    print("\n".join(run()))
