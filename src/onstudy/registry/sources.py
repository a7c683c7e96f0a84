"""What an import is given: files and folders of ClinicalTrials.gov JSON, opened one record at a time.

One study, an array, a page with `studies`, JSON lines of any of these; plain, `.gz`, `.zip` (the registry's own
download), folders of all this. What a file is, is told by its content. A file named by the user that cannot be read
to its end is an error; inside a folder or a zip it is skipped with the reason.
"""

from __future__ import annotations

import gzip
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from onstudy.errors import OnstudyError, Problem
from onstudy.registry.lines import LARGEST_RECORD, STUDY, Found, Stream, Stretch, in_stretches, of_lines, studies
from onstudy.registry.plain import one_line

#: Bytes of one document that is no JSON lines: beyond these a file is no set of trials.
LARGEST_DOCUMENT = 1 << 29
_BUFFER = 1 << 20
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".gz", ".zip")
#: What is said to be readable where a file is something else.
_READABLE = "studies of ClinicalTrials.gov API v2: JSON or JSON lines, plain, .gz or .zip"
_OTHER_FILES = (
    (b"\x89PNG", "a PNG image, no JSON"),
    (b"\xff\xd8\xff", "a JPEG image, no JSON"),
    (b"GIF8", "a GIF image, no JSON"),
    (b"%PDF", "a PDF file, no JSON"),
    (b"<", "HTML or XML, no JSON"),
)
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)


@dataclass(slots=True)
class Sources:
    """All records of some paths. `done` of `size` bytes have been read, for whoever shows progress.

    `stretches` says whether files of JSON lines are given as stretches, for other processes to read.
    """

    paths: Sequence[Path]
    stretches: bool = False
    files: list[tuple[Path, bool]] = field(init=False)  # and whether the user named it
    size: int = field(init=False)
    done: int = 0

    def __post_init__(self) -> None:
        self.files = []
        wrong = []
        for path in self.paths:
            try:
                self.files += _files(path)
            except OnstudyError as error:
                wrong.append(str(error))
        if wrong:
            raise OnstudyError("\n".join(wrong))
        self.size = sum(path.stat().st_size for path, _ in self.files)

    def __iter__(self) -> Iterator[Found | Problem | Stretch]:
        """Each record or stretch of them, and a `Problem` for each thing that is none.

        Raises `OnstudyError` for a file the user named that cannot be read to its end or holds no trials.
        """
        before = 0
        for path, named in self.files:
            size = 0
            try:
                with path.open("rb", buffering=_BUFFER) as file:
                    size = os.fstat(file.fileno()).st_size
                    for one in _contents(file, str(path), self.stretches):
                        self.done = before + file.tell()
                        yield one
            except Unreadable as error:
                if named:
                    raise
                yield Problem(error.what, error.where)
            except OSError as error:
                if named:
                    raise Unreadable(f"cannot be read: {error.strerror or 'damaged'}", str(path)) from None
                yield Problem(f"cannot be read: {error.strerror or 'damaged'}", str(path))
            before += size
            self.done = before


class Unreadable(OnstudyError):
    """A file that cannot be read to its end, or is of no known format."""

    def __init__(self, what: str, where: str) -> None:
        self.what, self.where = what, where
        super().__init__(f"{where}: {what}")


def _files(path: Path) -> list[tuple[Path, bool]]:
    if path.is_dir():
        found = sorted(one for one in path.rglob("*") if one.suffix.lower() in _SUFFIXES and one.is_file())
        if not found:
            raise Unreadable(f"the folder holds no file that ends in {', '.join(_SUFFIXES)}", str(path))
        return [(one, False) for one in found]
    if not path.exists():
        raise Unreadable("there is no such file or folder", str(path))
    if not path.is_file():
        raise Unreadable("is neither a file nor a folder", str(path))
    return [(path, True)]


def _contents(file: IO[bytes], name: str, stretches: bool) -> Iterator[Found | Problem | Stretch]:
    start = file.read(4)
    file.seek(0)
    try:
        if start == b"PK\x03\x04":
            yield from _members(file, name)
        elif start[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield from _records(unpacked, name)
        else:
            yield from _records(file, name, file if stretches else None)
    except _BROKEN as error:
        raise Unreadable(f"is damaged or cut off ({type(error).__name__}); get it again", name) from None


def _members(file: IO[bytes], name: str) -> Iterator[Found | Problem | Stretch]:
    with zipfile.ZipFile(file) as archive:
        members = [one for one in archive.infolist() if one.filename.lower().endswith(_SUFFIXES[:4])]
        if not members:
            raise Unreadable("the zip file holds no JSON", name)
        for member in members:
            place = f"{name}/{one_line(member.filename, 200)}"
            try:
                with archive.open(member) as stream:
                    if member.filename.lower().endswith(".gz"):
                        yield from _records(gzip.GzipFile(fileobj=stream), place)
                    else:
                        yield from _records(stream, place)
            except Unreadable as error:
                yield Problem(error.what, error.where)
            except _BROKEN as error:
                yield Problem(f"is damaged ({type(error).__name__})", place)


def _records(stream: Stream, name: str, file: IO[bytes] | None = None) -> Iterator[Found | Problem | Stretch]:
    """The records of one text, which is one document or has one on each line; those of a `file` in stretches."""
    first, before = _next_line(stream, LARGEST_DOCUMENT)
    first = first.removeprefix(b"\xef\xbb\xbf")
    if not first.strip():
        first, more = _next_line(stream, LARGEST_DOCUMENT)
        before += more + 1
    if not first:
        raise Unreadable("is empty", name)
    second, between = _next_line(stream, LARGEST_RECORD)
    if second and (_is_whole(first) or _is_cut_study(first, second)):
        lines = [b""] * before + [first] + [b""] * between
        yield from of_lines(lines, second, stream, name) if file is None else in_stretches(lines, second, file, name)
    elif first.lstrip()[:1] in (b"{", b"[") or _is_whole(first):
        yield from _document(first + second, stream, name)
    else:
        raise Unreadable(f"is {_looks_like(first)}; readable are {_READABLE}", name)


def _next_line(stream: Stream, most: int) -> tuple[bytes, int]:
    """The next line that is not blank, empty at the end, and how many blank ones stood before it."""
    blank = 0
    while (line := stream.readline(most)) and not line.strip():
        blank += 1
    return line, blank


def _is_cut_study(first: bytes, second: bytes) -> bool:
    """Whether these are lines of one study each, though the first is broken: no list or page goes on so."""
    return second.startswith(STUDY) and first.lstrip()[:1] != b"[" and not first.rstrip().endswith((b"[", b",", b":"))


def _looks_like(text: bytes) -> str:
    """What a file is that is no JSON, by how it begins."""
    known = [what for start, what in _OTHER_FILES if text.startswith(start)]
    return known[0] if known else "no JSON"


def _is_whole(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _document(start: bytes, stream: Stream, name: str) -> Iterator[Found | Problem]:
    text = start + stream.read(max(0, LARGEST_DOCUMENT + 1 - len(start)))
    if len(text) > LARGEST_DOCUMENT:
        raise Unreadable("is one JSON document of more than 512 MiB; give JSON lines or the registry's zip", name)
    found = list(studies(text, name))
    if len(found) == 1 and isinstance(found[0], Problem):
        raise Unreadable(found[0].what, name)
    yield from found
