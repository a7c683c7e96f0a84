"""Candidates: every patient and cohort that is not ineligible, with what each lacks, in the order to look at them.

The order: fewest missing, then fewest to confirm, then the first day it is possible, then patient id. What is to do
pushes nobody down.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.decisions import Decisions
from onstudy.population.prescreen_verdicts import VERDICT_NAMES

ORDER_SAID = (
    "Fewest missing first, then fewest to confirm, then the first day on which it is possible (no such day within 90 "
    "days last), then the patient’s id, then trial and cohort in their order. What is to do pushes nobody down."
)

_TEXTS = pa.list_(pa.string())
#: The columns of candidates.parquet and candidates.csv, in their order. docs/prescreening.md tells what each holds.
SCHEMA = pa.schema([
    ("patient", pa.string()), ("trial", pa.string()), ("cohort", pa.string()),
    ("verdict", pa.string()), ("if_confirmed", pa.string()),
    ("n_missing", pa.int16()), ("n_to_confirm", pa.int16()), ("n_to_do", pa.int16()),
    ("deciding", _TEXTS), ("missing", _TEXTS), ("to_confirm", _TEXTS), ("to_do", _TEXTS),
    ("possible_from", pa.date32()), ("earliest", pa.date32()), ("earliest_if_confirmed", pa.date32()),
    ("last_data", pa.date32()),
    ("decision", pa.string()), ("decided_on", pa.date32()), ("decision_reason", pa.string()),
])  # fmt: skip
#: What a part holds: no decisions, which are joined to the whole, and the places of trial and cohort to order by.
PART_SCHEMA = pa.schema([*list(SCHEMA)[:16], ("trial_place", pa.int32()), ("cohort_place", pa.int32())])
_ORDER = "n_missing, n_to_confirm, possible_from NULLS LAST, patient, trial_place, cohort_place"
_EPOCH = date(1970, 1, 1).toordinal()
#: No day within the horizon.
NEVER = -1


@dataclass(frozen=True)
class Found:
    """The candidates of one cohort in one shard, one entry or row for each, in the order of the shard's patients.

    Days are proleptic ordinals, `NEVER` where there is none. `open` tells of each of `criteria` whether it is unknown
    and decides; `asked` by class (missing, to_confirm, to_do) the kinds and of each whether it is asked.
    """

    patients: pa.StringArray
    verdict: NDArray[np.int8]
    if_confirmed: NDArray[np.int8]
    criteria: Sequence[str]
    open: NDArray[np.bool_]
    asked: Mapping[str, tuple[Sequence[str], NDArray[np.bool_]]]
    possible_from: NDArray[np.int32]
    earliest: NDArray[np.int32]
    earliest_if_confirmed: NDArray[np.int32]
    last_data: NDArray[np.int32]


def table_of(found: Found, trial: str, cohort: str, trial_place: int, cohort_place: int) -> pa.Table:
    """The candidates as rows of a part."""
    size = len(found.patients)
    columns: dict[str, Any] = {
        "patient": found.patients,
        "trial": pa.repeat(trial, size),
        "cohort": pa.repeat(cohort, size),
        "verdict": _words(found.verdict),
        "if_confirmed": _words(found.if_confirmed),
        "deciding": _lists(found.criteria, found.open),
        "possible_from": _days(found.possible_from),
        "earliest": _days(found.earliest),
        "earliest_if_confirmed": _days(found.earliest_if_confirmed),
        "last_data": _days(found.last_data),
        "trial_place": pa.array(np.full(size, trial_place, np.int32)),
        "cohort_place": pa.array(np.full(size, cohort_place, np.int32)),
    }
    for name, (kinds, asked) in found.asked.items():
        columns[name] = _lists(kinds, asked)
        columns[f"n_{name}"] = pa.array(asked.sum(axis=1, dtype=np.int16))
    return pa.table([columns[name] for name in PART_SCHEMA.names], schema=PART_SCHEMA)


def _words(codes: NDArray[np.int8]) -> pa.Array:
    return pa.array(VERDICT_NAMES).take(pa.array(codes))


def _lists(names: Sequence[str], chosen: NDArray[np.bool_]) -> pa.Array:
    """For each row the chosen names, in the order of the names."""
    _, columns = np.nonzero(chosen)
    offsets = np.zeros(len(chosen) + 1, np.int32)
    np.cumsum(chosen.sum(axis=1), out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, pa.array(list(names), pa.string()).take(pa.array(columns)))


def _days(ordinals: NDArray[np.int32]) -> pa.Array:
    return pa.array(ordinals.astype(np.int32) - np.int32(_EPOCH), mask=ordinals <= 0).cast(pa.date32())


# All of them, in order ------------------------------------------------------------------------------------------


def in_order(parts: Iterable[pa.Table], decisions: Decisions, spill: Path) -> Iterator[pa.RecordBatch]:
    """The candidates of all parts in their order, with what was decided of them; `spill` is a folder for what does
    not fit into memory.
    """
    import duckdb

    rows = pa.RecordBatchReader.from_batches(PART_SCHEMA, (b for part in parts for b in part.to_batches()))
    decided = _decided(decisions)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": "512MB",
        "temp_directory": str(spill),
        "autoinstall_known_extensions": False,
    }
    with duckdb.connect(config=settings) as base:
        base.register("found", rows)
        base.register("decided", decided)
        columns = ", ".join(f"found.{name}" for name in SCHEMA.names[:16])
        asked = base.sql(
            f"SELECT {columns}, decided.decision, decided.decided_on, decided.decision_reason FROM found "
            f"LEFT JOIN decided ON found.patient = decided.patient AND found.trial = decided.trial ORDER BY {_ORDER}"
        )
        batches: pa.RecordBatchReader = asked.to_arrow_reader(20_000)
        for batch in batches:
            yield batch.cast(SCHEMA) if batch.schema != SCHEMA else batch


def _decided(decisions: Decisions) -> pa.Table:
    newest = list(decisions.newest.values())
    return pa.table({
        "patient": pa.array([one.patient for one in newest], pa.string()),
        "trial": pa.array([one.trial for one in newest], pa.string()),
        "decision": pa.array([one.decision for one in newest], pa.string()),
        "decided_on": pa.array([one.date for one in newest], pa.date32()),
        "decision_reason": pa.array([one.reason for one in newest], pa.string()),
    })  # fmt: skip


# As a table for people ------------------------------------------------------------------------------------------

_FORMULA = re.compile(r"^[=+\-@\t\r]")
_SPECIAL = re.compile(r'[,"\r\n]')


class CsvFile:
    """Rows of text being written: UTF-8, one line feed a row; a cell no spreadsheet takes for a formula."""

    def __init__(self, file: IO[bytes], columns: Sequence[str]) -> None:
        self._file, self._text = file, io.StringIO(newline="")
        self._rows = csv.writer(self._text, lineterminator="\n")
        self._rows.writerow(columns)

    def add(self, cells: Iterable[object]) -> None:
        """One row; None is an empty cell, a list its items with a semicolon between them."""
        self._rows.writerow([_cell(cell) for cell in cells])
        if self._text.tell() > 1 << 20:
            self.flush()

    def add_all(self, rows: pa.Table) -> None:
        """All rows of a table, column by column: as `add` writes each."""
        self.flush()
        lines = pc.binary_join_element_wise(*(_cells(column) for column in rows.columns), ",")
        for chunk in pc.binary_join_element_wise(lines, "", "\n").chunks:
            _, offsets, data = chunk.buffers()
            ends = np.frombuffer(offsets, np.int32, len(chunk) + 1, chunk.offset * 4)
            self._file.write(data.slice(int(ends[0]), int(ends[-1] - ends[0])))

    def flush(self) -> None:
        """Write what is waiting."""
        self._file.write(self._text.getvalue().encode("utf-8", "replace"))
        self._text.seek(0)
        self._text.truncate()


def _cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """What `_cell` makes of each cell of a column, in quotation marks where it needs them."""
    if pa.types.is_list(column.type):
        column = pc.binary_join(column, "; ")
    if not pa.types.is_string(column.type):
        return column.cast(pa.string()).fill_null("")
    formulas, special = (pc.match_substring_regex(column, marks.pattern) for marks in (_FORMULA, _SPECIAL))
    if pc.any(formulas).as_py():
        column = pc.if_else(formulas, pc.binary_join_element_wise("'", column, ""), column)
    if pc.any(special).as_py():
        doubled = pc.replace_substring(column, '"', '""')
        column = pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), column)
    return column.fill_null("")


def _cell(cell: object) -> object:
    if isinstance(cell, list):
        cell = "; ".join(cell)
    if isinstance(cell, str) and _FORMULA.match(cell):
        return f"'{cell}"
    return "" if cell is None else cell
