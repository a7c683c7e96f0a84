"""Who was already seen: a site's own list of decisions, read whole or refused with everything that is wrong in it.

A CSV file with the columns patient, trial, decision, date, reason, in any order; one line for each decision.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from onstudy.errors import InvalidFile, Problem, nearest
from onstudy.readers.csvfile import delimiter_of

COLUMNS = ("patient", "trial", "decision", "date", "reason")
_NEEDED = ("patient", "trial", "decision", "date")
_LONGEST = {"patient": 256, "trial": 256, "decision": 60, "date": 10, "reason": 1000}
_LARGEST = 512 * 1024 * 1024
_MOST_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided of a patient and a trial, and when."""

    patient: str
    trial: str
    decision: str
    date: date
    reason: str
    line: int


@dataclass(frozen=True)
class Decisions:
    """The newest decision of each patient and trial, and the digest of the file they were read from."""

    newest: Mapping[tuple[str, str], Decision]
    rows: int = 0
    digest: str = ""

    @property
    def patients(self) -> frozenset[str]:
        """The ids of all patients it names."""
        return frozenset(patient for patient, _ in self.newest)

    def not_asked(self, trials: frozenset[str]) -> int:
        """How many are about trials that are not asked."""
        return sum(trial not in trials for _, trial in self.newest)


NO_DECISIONS = Decisions({})


def read_decisions(path: Path) -> Decisions:
    """Read the file. Raises `InvalidFile` with every problem, each with its line; what is written in a cell is not
    repeated in a problem, because it may be of a patient.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise InvalidFile([Problem("is larger than 512 MB; decisions are a line each", str(path))])
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise InvalidFile([Problem(f"cannot be read: {error.strerror}", str(path))]) from None
    except UnicodeDecodeError:
        raise InvalidFile([Problem("is not UTF-8 text", str(path))]) from None
    problems: list[Problem] = []
    name = path.name if path.is_file() else str(path)
    found = list(_decisions(text, name, problems))
    newest = _newest(found, name, problems)
    if problems:
        raise InvalidFile(_few(problems, name))
    return Decisions(newest, len(found), hashlib.sha256(raw).hexdigest())


def _few(problems: list[Problem], name: str) -> list[Problem]:
    left = len(problems) - _MOST_PROBLEMS
    return problems[:_MOST_PROBLEMS] + ([Problem(f"and {left} more problems", name)] if left > 0 else [])


def _decisions(text: str, name: str, problems: list[Problem]) -> Iterator[Decision]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(lines, [])]
        if not _header_is_right(header, name, problems):
            return
        for cells in lines:
            if any(cell.strip() for cell in cells):
                decision = _decision(header, cells, f"{name}:{lines.line_num}", lines.line_num, problems)
                if decision is not None:
                    yield decision
    except csv.Error as error:
        problems.append(Problem(f"is not CSV: {error}", f"{name}:{lines.line_num}"))


def _header_is_right(header: list[str], name: str, problems: list[Problem]) -> bool:
    before = len(problems)
    for column in _NEEDED:
        if column not in header:
            problems.append(Problem(f"has no column {column!r}; the columns are {', '.join(COLUMNS)}", f"{name}:1"))
    for column in header:
        if column not in COLUMNS:
            problems.append(Problem(f"column {column[:40]!r} is not known{nearest(column, COLUMNS)}", f"{name}:1"))
    if len(set(header)) < len(header):
        problems.append(Problem("names a column twice", f"{name}:1"))
    return len(problems) == before


def _decision(header: list[str], cells: list[str], where: str, line: int, problems: list[Problem]) -> Decision | None:
    before = len(problems)
    if len(cells) != len(header):
        problems.append(Problem(f"has {len(cells)} cells; the header has {len(header)}", where))
        return None
    row = {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
    for column in _NEEDED:
        if not row[column]:
            problems.append(Problem(f"{column} is empty", where))
    for column, cell in row.items():
        if len(cell) > _LONGEST[column]:
            problems.append(Problem(f"{column} is longer than {_LONGEST[column]} characters", where))
    when = _day(row["date"])
    if when is None and row["date"]:
        problems.append(Problem("date is not a date; write YYYY-MM-DD", where))
    if when is None or len(problems) > before:
        return None
    return Decision(row["patient"], row["trial"], row["decision"], when, row.get("reason", ""), line)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _newest(found: list[Decision], name: str, problems: list[Problem]) -> dict[tuple[str, str], Decision]:
    newest: dict[tuple[str, str], Decision] = {}
    for one in found:
        before = newest.get((one.patient, one.trial))
        if before is not None and before.date == one.date and before.decision != one.decision:
            problems.append(
                Problem(f"another decision of the same patient, trial and day than in line {before.line}",
                        f"{name}:{one.line}")
            )  # fmt: skip
        if before is None or one.date >= before.date:
            newest[one.patient, one.trial] = one
    return newest
