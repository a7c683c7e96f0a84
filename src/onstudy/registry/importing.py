"""Taking records into a store: new, changed, unchanged or skipped, each counted, and all of it in one transaction.

A trial is changed where its JSON says something else than the JSON that is here, whatever the layout; the date
of the download, which the registry writes into every record, is no change.
"""

from __future__ import annotations

import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from onstudy.errors import Problem
from onstudy.registry import shipped
from onstudy.registry.record import Record, read_record
from onstudy.registry.sources import Found, Sources
from onstudy.registry.store import COMPILED, REGISTRY, SHIPPED, Store, row_of, said, say
from onstudy.registry.v2 import Refused, decode_any
from onstudy.registry.writing import Writer, origin_of

#: Of the oddities of records at most this many are kept for the report; all are counted.
KEPT = 200
#: Records whose JSON is packed ahead, on the other core.
_AHEAD = 64

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
    """Take in every trial of these files and folders.

    Raises `OnstudyError`, with the store as it was, where one of them cannot be read to its end.
    """
    sources = Sources(list(paths))

    def each() -> Iterator[Found | Problem]:
        for one in sources:
            if progress:
                progress(sources.done, sources.size)
            yield one

    return import_records(store, each())


def import_records(store: Store, records: Iterable[Found | Problem]) -> Report:
    """Take in records from anywhere; the trials that ship are put in first where they are not there yet."""
    with store.transaction() as db:
        writer = Writer(db)
        if said(db, "shipped") != shipped.digest():
            _take(db, writer, shipped.records(), Report(), SHIPPED)
            say(db, "shipped", shipped.digest())
        report = Report(data_version=said(db, "data_version"))
        _take(db, writer, records, report, REGISTRY)
        writer.finish()
        say(db, "data_version", report.data_version)
    return report


def _take(db: Any, writer: Writer, records: Iterable[Found | Problem], report: Report, origin: str) -> None:
    speculate = not db.execute("SELECT 1 FROM study WHERE origin = ? LIMIT 1", (REGISTRY,)).fetchone()
    for one, prepared in _prepared(records, packing=speculate):
        if isinstance(one, Problem):
            report.skip(one)
            continue
        try:
            record = read_record(one.raw, one.where)
        except Refused as error:
            report.skip(Problem(str(error), one.where))
            continue
        digest, packed = prepared()
        _take_one(db, writer, record, one, digest, packed, report, origin_of(record, origin))


def _take_one(
    db: Any, writer: Writer, record: Record, found: Found, digest: bytes, packed: bytes, report: Report, origin: str
) -> None:
    if origin == REGISTRY:
        report.data_version = max(report.data_version, record.version)
    row = row_of(db, record.nct_id)
    if row is not None:
        id, old_digest, old_updated, old_origin = row
        if (old_digest == digest or _same(db, id, found.raw)) and not (old_origin != REGISTRY and origin == REGISTRY):
            report.unchanged += 1
            return
        why = _older(record, origin, old_updated, old_origin)
        if why:
            report.skip(Problem(why, f"{found.where} {record.nct_id}"))
            return
        report.changed += 1
    else:
        report.new += 1
    report.remark(record.problems)
    remarks: list[Problem] = []
    place = f"{found.where} {record.nct_id}"
    note = lambda what, part: remarks.append(Problem(what, f"{place} {part}", True))  # noqa: E731
    writer.put(record, packed or zlib.compress(found.raw, 1), digest, origin, row[0] if row else None, note)
    report.remark(remarks)


def _older(record: Record, origin: str, old_updated: str, old_origin: str) -> str:
    """Why a record does not take the place of the one that is here; empty where it does."""
    if old_origin == COMPILED and origin != COMPILED:
        return ""
    if origin == COMPILED and old_origin != COMPILED:
        return "put together from several sources; the registry's own record is here"
    if origin == SHIPPED and old_origin == REGISTRY:
        return "example data that ships; a record from the registry is here"
    if record.updated and old_updated and record.updated < old_updated:
        return "older than the record that is here"
    return ""


def _prepared(
    records: Iterable[Found | Problem], packing: bool
) -> Iterator[tuple[Found | Problem, Callable[[], tuple[bytes, bytes]]]]:
    """Each record with its digest and (where `packing`) its packed JSON, computed ahead beside the reading."""
    waiting: deque[tuple[Found | Problem, Callable[[], tuple[bytes, bytes]]]] = deque()
    with ThreadPoolExecutor(1) as beside:
        for one in records:
            if isinstance(one, Found):
                job: Future[tuple[bytes, bytes]] = beside.submit(_digest_and_pack, one.raw, packing)
                waiting.append((one, job.result))
            else:
                waiting.append((one, lambda: (b"", b"")))
            if len(waiting) > _AHEAD:
                yield waiting.popleft()
        yield from waiting


def _digest_and_pack(raw: bytes | msgspec.Raw, packing: bool) -> tuple[bytes, bytes]:
    return digest_of(raw), zlib.compress(raw, 1) if packing else b""


_VERSION_KEY = b'"versionHolder"'


def digest_of(raw: bytes | msgspec.Raw) -> bytes:
    """A checksum of a record's JSON but for the date of the data."""
    text = bytes(raw).strip()
    start = text.rfind(_VERSION_KEY)
    if start >= 0:
        first = text.find(b'"', start + len(_VERSION_KEY))
        last = text.find(b'"', first + 1)
        if 0 < first < last:
            text = text[: first + 1] + text[last:]
    return blake2b(text, digest_size=16).digest()


def _same(db: Any, id: int, raw: bytes | msgspec.Raw) -> bool:
    """Whether two JSON texts say the same, but for the date of the data."""
    (packed,) = db.execute("SELECT json FROM original WHERE id = ?", (id,)).fetchone()
    return bool(_undated(decode_any(zlib.decompress(packed))) == _undated(decode_any(raw)))


def _undated(study: Any) -> Any:
    try:
        study["derivedSection"]["miscInfoModule"].pop("versionHolder", None)
    except (KeyError, TypeError, AttributeError):
        return study  # the record has no such date
    return study
