"""The files of a run: made from its parts, one after the other, and put in their place together, run.json last.

Where run.json is, every other file belongs to it. What the columns hold is told in docs/prescreening.md.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from onstudy.criteria.trial import Trial
from onstudy.population import changes as differing
from onstudy.population.attrition import COUNTS
from onstudy.population.candidates import SCHEMA, CsvFile, in_order
from onstudy.population.decisions import Decisions
from onstudy.population.limits_cost import AGE_NAMES, SEX_NAMES, LimitLine, lines
from onstudy.population.prescreen_pages import Block, CodesFile, Page
from onstudy.population.prescreen_parts import Counts, added, unfinished
from onstudy.population.prescreen_question import Question, place_of, required
from onstudy.population.prescreen_verdicts import STATUS_NAMES, VERDICT_NAMES
from onstudy.population.report_parts import CHANGES, FIRST, ChangesShown, TrialSeen, attrition_of, number

RUN = "run.json"
CANDIDATES, CRITERIA, CHANGED = "candidates.parquet", "criteria.parquet", "changes.csv"
#: How many rows of criteria.parquet go into one group of rows at most, where several trials are asked.
_GROUP = 1 << 20
_ROWS = 1 << 16
_MISSING_COLUMNS = ("trial", "cohort", "work", "kind", "candidates", "only_this")
_LIMIT_COLUMNS = (
    "trial", "cohort", "criterion", "comparison", "limit", "instead", "age", "sex", "more_at_least", "more_at_most",
)  # fmt: skip


class Results(Protocol):
    """The parts of a run: those of every shard, in the order of the store, for every trial, in the order asked."""

    shards: int

    def patients(self, shard: int) -> pa.StringArray:
        """The ids of a shard's patients, in its order."""
        ...

    def counts(self, shard: int, trial: Trial) -> Counts:
        """What was counted of one trial."""
        ...

    def pages(self, shard: int, trial: Trial) -> Mapping[str, Page]:
        """The columns of criteria.parquet of one trial."""
        ...

    def candidates(self, shard: int, trial: Trial) -> pa.Table:
        """The candidates of one trial."""
        ...


class Folder:
    """The files being made, in a folder of their own below the result until all are there."""

    def __init__(self, out: Path, making: Path) -> None:
        self.out, self.making = out, making
        self.files: dict[str, dict[str, Any]] = {}
        making.mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        """A file being made; what is written is digested."""
        with unfinished(self.making / name) as plain:
            digested = _Digested(plain)
            yield cast(BinaryIO, digested)
        self.files[name] = {"bytes": digested.size, "sha256": digested.digest()}

    def settle(self, run: Mapping[str, Any]) -> None:
        """Put every file in its place. Until run.json is there again, the folder is no finished run."""
        text = json.dumps({**run, "files": dict(sorted(self.files.items()))}, indent=1, ensure_ascii=False) + "\n"
        with unfinished(self.making / RUN) as file:
            file.write(text.encode())
        (self.out / RUN).unlink(missing_ok=True)
        for name in (*self.files, RUN):
            os.replace(self.making / name, self.out / name)
        self.making.rmdir()


class _Digested:
    """As much of a file as writers of Parquet and text ask for, with a digest of what was written."""

    closed = False
    mode = "wb"

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        written = len(memoryview(data))
        self.size += written
        self._file.write(data)
        return written

    def digest(self) -> str:
        return self._hash.hexdigest()

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """The one who opened the file closes it."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


# One file after the other -----------------------------------------------------------------------------------------


def write_criteria(folder: Folder, question: Question, results: Results) -> None:
    """criteria.parquet: for every patient and trial each status and verdict, as recorded and if confirmed."""
    columns = criteria_columns(question.trials)
    notes = {
        "status": json.dumps(dict(enumerate(STATUS_NAMES))),
        "verdict": json.dumps(dict(enumerate(VERDICT_NAMES))),
        "on": question.on.isoformat(),
    }
    with folder.file(CRITERIA) as file:
        codes = CodesFile(file, columns, notes)
        for shard in range(results.shards):
            patients = results.patients(shard)
            each = max(1, _GROUP // max(1, len(patients)))
            for start in range(0, len(question.trials), each):
                some = question.trials[start : start + each]
                codes.add(patients, [Block(trial.id, results.pages(shard, trial)) for trial in some])
        codes.close()


def criteria_columns(trials: Sequence[Trial]) -> list[str]:
    """The columns of criteria.parquet after patient and trial."""
    names = [f"verdict.{cohort.id}" for trial in trials for cohort in trial.cohorts]
    names += [row.id for trial in trials for row in trial.criteria]
    return [column for name in dict.fromkeys(names) for column in (name, f"{name}.if_confirmed")]


def write_candidates(
    folder: Folder,
    question: Question,
    results: Results,
    decisions: Decisions,
    spill: Path,
    seen: Mapping[str, TrialSeen],
) -> int:
    """candidates.parquet and candidates.csv; the first that nobody has decided are kept for the report."""
    parts = (results.candidates(shard, trial) for shard in range(results.shards) for trial in question.trials)
    count = 0
    with folder.file(CANDIDATES) as file, folder.file("candidates.csv") as text:
        table = CsvFile(text, SCHEMA.names)
        with pq.ParquetWriter(file, SCHEMA, compression="zstd", write_statistics=False) as writer:
            for batch in _regular(in_order(parts, decisions, spill)):
                writer.write_table(batch, row_group_size=_ROWS)
                count += batch.num_rows
                table.add_all(batch)
                for trial in batch.column("trial").unique().to_pylist():
                    _keep_first(seen[trial], batch.filter(pc.equal(batch.column("trial"), trial)))
    return count


def _regular(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows in tables of one size, whatever the size of the batches they come in."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= _ROWS:
            table = pa.Table.from_batches(waiting, SCHEMA)
            yield table.slice(0, _ROWS)
            waiting, rows = table.slice(_ROWS).to_batches(), rows - _ROWS
    if rows:
        yield pa.Table.from_batches(waiting, SCHEMA)


def _keep_first(seen: TrialSeen, rows: pa.Table) -> None:
    """Count the candidates of a trial that somebody has decided on, and keep the first of the others."""
    decided = rows.column("decision").is_valid()
    seen.decided += pc.sum(decided).as_py()
    if len(seen.first) < FIRST:
        seen.first += rows.filter(pc.invert(decided)).slice(0, FIRST - len(seen.first)).to_pylist()


def not_in_store(decisions: Decisions, results: Results) -> int:
    """How many patients of a list of decisions the store does not hold."""
    left = pa.array(sorted(decisions.patients), pa.string())
    for shard in range(results.shards if len(left) else 0):
        left = left.filter(pc.invert(pc.is_in(left, value_set=results.patients(shard))))
    return len(left)


def counts_of(question: Question, results: Results) -> dict[str, dict[str, Any]]:
    """What was counted of each trial, over all shards."""
    return {
        trial.id: added(results.counts(shard, trial) for shard in range(results.shards)) for trial in question.trials
    }


def write_attrition(folder: Folder, question: Question, counts: Mapping[str, Mapping[str, Any]]) -> None:
    """attrition.csv: each required criterion of each cohort, in the order of the protocol."""
    with folder.file("attrition.csv") as file:
        table = CsvFile(file, ("trial", "cohort", "place", "stands_in", "criterion", *COUNTS))
        for trial in question.trials:
            for cohort in trial.cohorts:
                found = attrition_of(counts[trial.id]["cohorts"][cohort.id]).lines()
                rows = [row for row in required(trial, cohort) if row.rule is not None]
                for place, (row, line) in enumerate(zip(rows, found, strict=True), start=1):
                    table.add([trial.id, cohort.id, place, place_of(row), row.id, *line.values()])
        table.flush()


def write_missing(folder: Folder, question: Question, counts: Mapping[str, Mapping[str, Any]]) -> None:
    """missing.csv: for each cohort and kind how many candidates wait for it, and how many for nothing else."""
    with folder.file("missing.csv") as file:
        table = CsvFile(file, _MISSING_COLUMNS)
        for trial in question.trials:
            for cohort in trial.cohorts:
                mine = counts[trial.id]["cohorts"][cohort.id]
                for work in ("missing", "to_confirm", "to_do"):
                    for kind, (many, only) in sorted(mine[work].items(), key=lambda one: (-one[1][0], one[0])):
                        table.add([trial.id, cohort.id, work, kind, many, only])
        table.flush()


def write_limits(folder: Folder, limits: Mapping[str, Sequence[LimitLine]]) -> None:
    """limits.csv: what each step of each limit would bring, in all and by age and sex."""
    with folder.file("limits.csv") as file:
        table = CsvFile(file, _LIMIT_COLUMNS)
        for found in limits.values():
            for line in found:
                about = [line.trial, line.cohort, line.criterion, line.comparison, line.now, line.instead]
                table.add([*about, "all", "all", line.at_least, line.at_most])
                for row, age in enumerate(AGE_NAMES):
                    for column, sex in enumerate(SEX_NAMES):
                        worst, best = (int(case[row, column]) for case in line.counts)
                        if best:
                            table.add([*about, age, sex, worst, best])
        table.flush()


def write_changes(
    folder: Folder, question: Question, before: differing.Earlier, run: Mapping[str, Any]
) -> ChangesShown:
    """changes.csv: who is a candidate now and was not, who was and is not, and why."""
    shown: list[dict[str, str]] = []
    counted = {differing.NEW: 0, differing.DROPPED: 0}
    with folder.file(CHANGED) as file:
        table = CsvFile(file, differing.COLUMNS)
        for row in differing.changes(before, run, question, folder.making / CANDIDATES, folder.making / CRITERIA):
            table.add([row[name] for name in differing.COLUMNS])
            counted[row["change"]] += 1
            if len(shown) < CHANGES:
                shown.append(row)
        table.flush()
    said = f"{number(counted['new'])} new, {number(counted['dropped'])} dropped, counted by cohort."
    return ChangesShown(str(before.run["on"]), said, sum(counted.values()), shown)


def all_limits(question: Question, counts: Mapping[str, Mapping[str, Any]]) -> dict[str, list[LimitLine]]:
    """What each limit costs, trial by trial."""
    return {trial.id: list(lines(trial, counts[trial.id])) for trial in question.trials}
