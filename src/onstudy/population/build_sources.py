"""What a store is built from: the parts of a source, and the pieces of work that reading them is.

`find_source` tells what lies at a path or address. A part is what is hashed, and read again when its hash changes: a
file, a table. A task is about a second's work of reading one; tasks of one part are the same every time.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Protocol

import numpy as np
import pyarrow as pa

from onstudy.errors import InvalidFile, Problem
from onstudy.population.build_unread import Unread
from onstudy.population.bulk_documents import BUNDLE
from onstudy.population.bulk_fhir import DAMAGED, Intake, Tally, blocks
from onstudy.population.bulk_fhir_reading import ClusterReader, Record, read_whole
from onstudy.population.bulk_identified import identified_in
from onstudy.readers.reading import clip
from onstudy.readers.source import LARGEST, decode, json_fault
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Patient

#: Bytes of text that one task reads.
BLOCK = 16 << 20
_BOM = b"\xef\xbb\xbf"
#: Of an estimate: bytes looked at from the beginning of each file.
_SAMPLE = 1 << 18


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a source: its name there, its size, and a hash of what it holds."""

    name: str
    path: str
    size: int
    digest: str
    sort: str = ""
    blocks: tuple[tuple[int, int, int], ...] = ()  # of a text file: first byte, bytes, number of the first line


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of a part: which it is, and its bytes, or where they lie."""

    part: Part
    number: int
    offset: int = 0
    length: int = 0
    first: int = 1
    data: bytes | None = None


class Source(Protocol):
    """What a store can be built from. It is sent to worker processes, so it holds no open file."""

    @property
    def sort(self) -> str:
        """What sort of source it is: rows of one sort are never put together with those of another."""
        ...

    @property
    def refers(self) -> bool:
        """Whether its records refer to each other by ids of their own: what they refer to may be of somebody else."""
        ...

    def parts(self, catalogue: str) -> list[Part]:
        """All parts, in order, with their hashes; `catalogue` is the hash of it, where rows depend on it."""
        ...

    def lacking(self) -> dict[tuple[str, str], int]:
        """What a source of this sort has and this one does not, for the report: how many of each reason and name."""
        ...

    def unread(self) -> Unread:
        """The files that lie there and are not read, and why, but for those that plainly belong beside the data."""
        ...

    def estimate(self, parts: Sequence[Part]) -> tuple[int, int]:
        """About how many patients and records there are; it decides the number of shards and nothing else."""
        ...

    def tasks(self, part: Part) -> Iterator[Task]:
        """The pieces of a part, in order; asked for in the main process."""
        ...

    def rows(self, task: Task, catalogue: Catalogue) -> tuple[pa.Table, Tally]:
        """The rows of a piece (see `bulk_rows`); asked for in a worker. Raises `OnstudyError` if it cannot be read."""
        ...

    def identified(self, task: Task, systems: frozenset[str]) -> pa.Table:
        """Who has identifiers of some systems, among the patients of a piece (see `bulk_identified`)."""
        ...

    def reader(self, catalogue: Catalogue) -> ClusterReader:
        """What reads one record."""
        ...

    def together(self, records: Sequence[Record], catalogue: Catalogue) -> list[tuple[str, Patient]]:
        """What reads all records of a patient together: key and patient."""
        ...


# FHIR ---------------------------------------------------------------------------------------------------------

_NDJSON = re.compile(r"\.(?:ndjson|jsonl)(?:\.gz)?$", re.IGNORECASE)
_JSON = re.compile(r"\.json(?:\.gz)?$", re.IGNORECASE)
LINES, DOCUMENT = "lines", "document"


@dataclass(frozen=True)
class FhirSource:
    """FHIR R4: files of NDJSON, however resources are split over them, and bundles; plain or packed with gzip."""

    files: tuple[tuple[str, str], ...]  # (name within the source, path)
    sort: str = "fhir"
    refers: bool = True
    others: Unread = field(default_factory=dict)  # what is not read

    def parts(self, catalogue: str) -> list[Part]:
        """All files, with their hashes and where their lines begin."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda file: hashed(*file), self.files))

    def lacking(self) -> dict[tuple[str, str], int]:
        """Nothing: no type of resource has to be there."""
        return {}

    def unread(self) -> Unread:
        """The others."""
        return self.others

    def estimate(self, parts: Sequence[Part]) -> tuple[int, int]:
        """Patients and resources, from the beginning of each file."""
        patients = records = 0
        for part in parts:
            sample, whole = _sampled(part)
            lines = max(sample.count(b"\n"), 1)
            share = whole / max(len(sample), 1)
            people = sample.count(b'"resourceType":"Patient"') + sample.count(b'"resourceType": "Patient"')
            patients += int(people * share)
            records += int(lines * share)
        return patients, records

    def tasks(self, part: Part) -> Iterator[Task]:
        """Blocks of whole lines; a document is one piece."""
        if part.sort == DOCUMENT:
            yield Task(part, 0, 0, part.size)
        elif part.blocks or not part.size:
            for number, (offset, length, first) in enumerate(part.blocks):
                yield Task(part, number, offset, length, first)
        else:
            yield from self._unpacked(part)

    def _unpacked(self, part: Part) -> Iterator[Task]:
        with opened(part.path) as file:
            lines = blocks(lambda size: _read(file, size, part.name), BLOCK, Tally())
            for number, (data, first) in enumerate(lines):
                yield Task(part, number, 0, len(data), first, data)

    def rows(self, task: Task, catalogue: Catalogue) -> tuple[pa.Table, Tally]:
        """The rows of some lines, or of a document."""
        intake = Intake()
        if task.part.sort == DOCUMENT:
            _take_document(intake, _bytes_of(task).removeprefix(_BOM), task.part.name)
        else:
            for data, first in _lines(task, intake.tally):
                intake.lines(data, first)
        return intake.rows()

    def identified(self, task: Task, systems: frozenset[str]) -> pa.Table:
        """The identifiers of the Patient resources in some lines, or in a document."""
        if task.part.sort == DOCUMENT:
            return identified_in([_bytes_of(task)], systems)
        return identified_in((line for data, _ in _lines(task, Tally()) for line in data.split(b"\n")), systems)

    def reader(self, catalogue: Catalogue) -> ClusterReader:
        """The readers of resources."""
        return ClusterReader(catalogue)

    def together(self, records: Sequence[Record], catalogue: Catalogue) -> list[tuple[str, Patient]]:
        """The reader of bundles."""
        return read_whole(records, catalogue)


def opened(path: str) -> IO[bytes]:
    """A file for reading, unpacked where it is packed; the caller closes it."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else open(path, "rb")  # type: ignore[return-value]


def _read(file: IO[bytes], size: int, name: str) -> bytes:
    try:
        return file.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise refuse(name, "the gzip file is damaged or cut off; get it again") from None
    except OSError as error:
        raise refuse(name, f"cannot be read: {error.strerror or 'the device failed'}") from None


def refuse(name: str, what: str) -> InvalidFile:
    """The error of a file that cannot be read."""
    return InvalidFile([Problem(what, clip(name, 400))])


def hashed(name: str, path: str, sort: str = "") -> Part:
    """A file with its hash; of plain text also where its blocks of lines begin."""
    sort = sort or (DOCUMENT if _is_document(path) else LINES)
    digest = hashlib.blake2b(digest_size=16)
    size, packed = 0, False
    found: list[tuple[int, int, int]] = []
    start, line = 0, 1
    try:
        with open(path, "rb") as file:
            block = bytearray(max(2, min(BLOCK, os.fstat(file.fileno()).st_size)))
            while read := file.readinto(block):
                packed = packed or (size == 0 and block.startswith(b"\x1f\x8b"))
                digest.update(memoryview(block)[:read])
                end = size + block.rfind(b"\n", 0, read) + 1
                if not packed and end > size:
                    found.append((start, end - start, line))
                    line += int(np.count_nonzero(np.frombuffer(block, np.uint8, read) == ord("\n")))
                    start = end
                size += read
    except OSError as error:
        raise refuse(name, f"cannot be read: {error.strerror}") from None
    if not packed and start < size:
        found.append((start, size - start, line))
    return Part(name, path, size, digest.hexdigest(), sort, () if packed or sort == DOCUMENT else tuple(found))


def digest_of_texts(*texts: str) -> str:
    """One hash of several, or of other words."""
    return hashlib.blake2b("\n".join(texts).encode(), digest_size=16).hexdigest()


def _is_document(path: str) -> bool:
    """Whether a file is one JSON document, not a resource a line: told by its name, else by how it goes on."""
    if _NDJSON.search(path):
        return False
    with opened(path) as file:
        start = _read(file, _SAMPLE, path)
    first, newline, rest = start.lstrip().partition(b"\n")
    if not newline or not rest.strip():
        return True
    try:
        decode(first.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return True
    return False


def _sampled(part: Part) -> tuple[bytes, int]:
    """The beginning of a file, and about how many bytes it has unpacked."""
    with opened(part.path) as file:
        sample = _read(file, _SAMPLE, part.name)
        if len(sample) < _SAMPLE:
            return sample, len(sample)
        packed = getattr(file, "fileobj", None)
        read = _SAMPLE if packed is None else packed.tell()
    return sample, int(part.size * _SAMPLE / max(read, 1))


def _bytes_of(task: Task) -> bytes:
    if task.data is not None:
        return task.data
    name = task.part.name
    try:
        with opened(task.part.path) as file:
            file.seek(task.offset)
            data = _read(file, LARGEST + 1 if task.part.sort == DOCUMENT else task.length, name)
    except OSError as error:
        raise refuse(name, f"cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise refuse(name, "unpacks to more than 1 GiB; export it as NDJSON")
    return data


def _lines(task: Task, tally: Tally) -> Iterator[tuple[bytes, int]]:
    """The lines of a piece, with the number of the first."""
    if task.length > 2 * BLOCK:  # a line that is very long: it is left out without being held in memory
        for data, first in _long_lines(task, tally):
            yield data, task.first + first - 1
    else:
        data = _bytes_of(task)
        yield data.removeprefix(_BOM) if task.number == 0 else data, task.first


def _long_lines(task: Task, tally: Tally) -> Iterator[tuple[bytes, int]]:
    """The lines of a piece, block by block, without those that are too long."""
    left = task.length

    def read(size: int) -> bytes:
        nonlocal left
        data = _read(file, min(size, left), task.part.name)
        left -= len(data)
        return data

    with opened(task.part.path) as file:
        file.seek(task.offset)
        yield from blocks(read, BLOCK, tally)


def _take_document(intake: Intake, data: bytes, name: str) -> None:
    """A bundle or a resource that is a file of its own."""
    try:
        document = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refuse(name, f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    if re.match(rb'\s*\{\s*"resourceType"\s*:\s*"' + BUNDLE.encode() + rb'"', data):
        intake.bundle(data, 0)
        if (DAMAGED, "") not in intake.tally.left:
            return
    try:
        node = decode(document)
    except RecursionError:
        raise refuse(name, "is nested too deeply to be a record") from None
    except ValueError as error:
        raise refuse(name, f"is no whole JSON document: {json_fault(error)}") from None
    intake.document(node, data, 0)
