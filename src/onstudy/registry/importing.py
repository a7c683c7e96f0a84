"""Taking records into a store: new, changed, unchanged or skipped, each counted, and all of it in one transaction.

A trial is changed where its JSON says something else than the JSON that is here, whatever the layout; the date
of the download, which the registry writes into every record, is no change.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import msgspec

from onstudy.errors import Problem
from onstudy.registry import shipped
from onstudy.registry.beside import Made, ready_beside, ready_here
from onstudy.registry.digest import Same
from onstudy.registry.lines import Found, Stretch
from onstudy.registry.packing import unpack
from onstudy.registry.ready import NoRecord, Ready
from onstudy.registry.sources import Sources
from onstudy.registry.store import COMPILED, REGISTRY, SHIPPED, Store, row_of, said, say
from onstudy.registry.v2 import decode_any
from onstudy.registry.writing import Writer

#: Of the oddities of records at most this many are kept for the report; all are counted.
KEPT = 200
#: Bytes of files from which on helper processes pay, and how many of them there are at most.
_LARGE, _HELPERS = 16 << 20, 4

Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(slots=True)
class Report:
    """What an import did. `skipped` and `problems` hold the first ones; the counts are of all."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: list[Problem] = field(default_factory=list)
    skipped_by_reason: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    data_version: str = ""

    @property
    def read(self) -> int:
        """How many records there were."""
        return self.new + self.changed + self.unchanged + self.skipped_by_reason.total()

    def skip(self, problem: Problem) -> None:
        """Count one that was not taken, with the reason."""
        self.skipped_by_reason[problem.what] += 1
        if len(self.skipped) < KEPT:
            self.skipped.append(problem)

    def remark(self, problems: Iterable[Problem]) -> None:
        """Count oddities of a record that was taken."""
        for problem in problems:
            self.problem_count += 1
            if len(self.problems) < KEPT:
                self.problems.append(problem)


def import_paths(store: Store, paths: Iterable[Path], progress: Progress | None = None) -> Report:
    """Take in every trial of these files and folders, with the help of other processes where they are large.

    Raises `OnstudyError`, with the store as it was, where one of them cannot be read to its end.
    """
    sources = Sources(list(paths))

    pays = (os.cpu_count() or 1) > 1 and sources.size >= _LARGE and bool(sys.executable)
    sources.stretches = pays
    helpers = min(os.cpu_count() or 1, _HELPERS) if pays else 0
    return import_records(store, _watched(sources, progress), helpers)


def _watched(sources: Sources, progress: Progress | None) -> Iterator[Found | Problem | Stretch]:
    for one in sources:
        if progress:
            progress(sources.done, sources.size)
        yield one


def import_records(store: Store, records: Iterable[Found | Problem | Stretch], helpers: int = 0) -> Report:
    """Take in records from anywhere; the trials that ship are put in first where they are not there yet.

    With `helpers` the records are read and packed by so many processes, and written by this one; stretches need them.
    """
    with store.transaction() as db:
        writer = Writer(db)
        if said(db, "shipped") != shipped.digest():
            _take(db, writer, ready_here(shipped.records(), ()), Report(), SHIPPED)
            say(db, "shipped", shipped.digest())
        report = Report(data_version=said(db, "data_version"))
        known = {digest for (digest,) in db.execute("SELECT digest FROM study WHERE origin = ?", (REGISTRY,))}
        made = ready_beside(records, known, helpers) if helpers else ready_here(records, known)
        with closing(made):
            _take(db, writer, made, report, REGISTRY)
        writer.finish()
        say(db, "data_version", report.data_version)
    return report


def _take(db: Connection, writer: Writer, made: Iterable[Made | Problem], report: Report, origin: str) -> None:
    for one in made:
        if isinstance(one, Problem):
            report.skip(one)
        elif isinstance(one.ready, NoRecord):
            report.skip(Problem(one.ready.why, one.found.where))
        elif isinstance(one.ready, Same):
            if not _is_here(db, one.ready, report):
                _take(db, writer, ready_here([Found(one.found.where, one.found.raw)], ()), report, origin)
        else:
            _take_one(db, writer, one, one.ready, report, COMPILED if one.ready.compiled else origin)


def _is_here(db: Connection, same: Same, report: Report) -> bool:
    """Count a record that is in the store as it was; False where this import has changed it meanwhile."""
    row = row_of(db, same.nct_id)
    if row is None or row[1] != same.digest:
        return False
    report.data_version = max(report.data_version, same.version)
    report.unchanged += 1
    return True


def _take_one(db: Connection, writer: Writer, made: Made, ready: Ready, report: Report, origin: str) -> None:
    found = made.found
    if origin == REGISTRY:
        report.data_version = max(report.data_version, ready.version)
    row = row_of(db, ready.nct_id)
    if row is not None:
        id, old_digest, old_updated, old_origin = row
        same = old_digest == ready.digest or _same(db, id, found.raw)
        if same and not (old_origin != REGISTRY and origin == REGISTRY):
            report.unchanged += 1
            return
        why = _older(ready.updated, origin, old_updated, old_origin)
        if why:
            report.skip(Problem(why, f"{found.where} {ready.nct_id}"))
            return
        report.changed += 1
    else:
        report.new += 1
    report.remark(Problem(what, where, True) for what, where in ready.problems)
    writer.put(ready, made.met, origin, row[0] if row else None)


def _older(updated: str, origin: str, old_updated: str, old_origin: str) -> str:
    """Why a record does not take the place of the one that is here; empty where it does."""
    if old_origin == COMPILED and origin != COMPILED:
        return ""
    if origin == COMPILED and old_origin != COMPILED:
        return "put together from several sources; the registry's own record is here"
    if origin == SHIPPED and old_origin == REGISTRY:
        return "example data that ships; a record from the registry is here"
    if updated and old_updated and updated < old_updated:
        return "older than the record that is here"
    return ""


def _same(db: Connection, id: int, raw: bytes | msgspec.Raw) -> bool:
    """Whether two JSON texts say the same, but for the date of the data."""
    (packed,) = db.execute("SELECT json FROM original WHERE id = ?", (id,)).fetchone()
    return bool(_undated(decode_any(unpack(packed))) == _undated(decode_any(raw)))


def _undated(study: Any) -> Any:
    try:
        study["derivedSection"]["miscInfoModule"].pop("versionHolder", None)
    except (KeyError, TypeError, AttributeError):
        return study  # the record has no such date
    return study
