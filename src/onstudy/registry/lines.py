"""Lines of JSON as records, one after the other, and stretches of a file whose lines somebody else takes apart.

A large file is not handed over text by text: told where in it a stretch of whole lines lies, another process reads
these for itself (`beside.py`), and what is found there stays a place in the file until somebody asks for its text.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import IO

import msgspec

from onstudy.errors import OnstudyError, Problem

#: Bytes of one record: beyond these it is none.
LARGEST_RECORD = 1 << 26
#: How the line of a study begins; which members come first differs by whoever wrote it.
STUDY = (b'{"protocolSection":', b'{"derivedSection":')
#: Bytes of a stretch, few enough to stay in a cache.
_STRETCH = 1 << 18

Stream = IO[bytes] | gzip.GzipFile


@dataclass(frozen=True, slots=True)
class Found:
    """One study's JSON and where it was."""

    where: str
    raw: bytes | msgspec.Raw


class File(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A file that is being read, told from another that takes its name."""

    path: str
    device: int
    number: int

    @staticmethod
    def of(stream: IO[bytes], path: str) -> File:
        """The file that is open under a name."""
        stat = os.fstat(stream.fileno())
        return File(path, stat.st_dev, stat.st_ino)

    def open(self) -> IO[bytes]:
        """The same file once more. Raises `OnstudyError` where it is no longer there."""
        try:
            stream = open(self.path, "rb", buffering=0)  # noqa: SIM115  # whoever asked closes it
        except OSError as error:
            raise OnstudyError(f"{self.path}: cannot be read: {error.strerror}") from None
        if File.of(stream, self.path) != self:
            stream.close()
            raise self.changed()
        return stream

    def changed(self) -> OnstudyError:
        """What is to be said where it is another than it was."""
        return OnstudyError(f"{self.path}: was changed while it was read; nothing was imported")


@dataclass(frozen=True, slots=True)
class Lying:
    """One study and where it was, its JSON still in the file."""

    where: str
    file: File
    start: int
    size: int

    @property
    def raw(self) -> bytes:
        """The study's JSON."""
        with self.file.open() as stream:
            return _part(self.file, stream, self.start, self.size)


class Stretch(msgspec.Struct, array_like=True, tag=True, gc=False):
    """Whole lines of a file that lie side by side; `line` is the number of the first."""

    file: File
    start: int
    size: int
    line: int

    def records(self, stream: IO[bytes]) -> Iterator[tuple[Found | Problem, int, int]]:
        """What stands in the lines, and in which bytes of the file each study does; no bytes if it has no line alone.

        Raises `OnstudyError` where the file has become shorter.
        """
        text = _part(self.file, stream, self.start, self.size)
        start = 0
        for number, line in enumerate(BytesIO(text), start=self.line):
            alone = line.startswith(STUDY)
            for one in of_line(line, f"{self.file.path}:{number}"):
                yield one, self.start + start, len(line) if alone else 0
            start += len(line)


def _part(file: File, stream: IO[bytes], start: int, size: int) -> bytes:
    stream.seek(start)
    text = stream.read(size)
    if len(text) != size:
        raise file.changed()
    return text


def of_lines(before: list[bytes], second: bytes, stream: Stream, name: str) -> Iterator[Found | Problem]:
    """One record a line; `before` are the lines up to the `second` that is not blank."""
    for number, line in enumerate(chain(before, _each_line(second, stream)), start=1):
        yield from of_line(line, f"{name}:{number}")


def in_stretches(before: list[bytes], second: bytes, file: IO[bytes], name: str) -> Iterator[Found | Problem | Stretch]:
    """The same of a file under that name, from the third line on as stretches; a line too long for one stands alone."""
    number = 0
    for number, line in enumerate([*before, _cut(second, file)], start=1):
        yield from of_line(line, f"{name}:{number}")
    same = File.of(file, name)
    while text := file.read(_STRETCH):
        size = len(text) if len(text) < _STRETCH else text.rfind(b"\n") + 1
        start = file.seek(size - len(text), os.SEEK_CUR) - size
        if size:
            yield Stretch(same, start, size, number + 1)
            number += _ends(text, size)
        else:
            number += 1
            yield from of_line(_cut(file.readline(LARGEST_RECORD), file), f"{name}:{number}")


def _ends(text: bytes, size: int) -> int:
    """How many lines there are in the first bytes of a text, of lines so long that finding is faster than counting."""
    found, at = 0, -1
    while (at := text.find(b"\n", at + 1, size)) >= 0:
        found += 1
    return found


def _each_line(line: bytes, stream: Stream) -> Iterator[bytes | None]:
    """Each line, None for one that is too long."""
    while line:
        yield _cut(line, stream)
        line = stream.readline(LARGEST_RECORD)


def _cut(line: bytes, stream: Stream) -> bytes | None:
    """A line, None where it is too long; its rest is passed over."""
    if len(line) < LARGEST_RECORD or line.endswith(b"\n"):
        return line
    while line and not line.endswith(b"\n"):
        line = stream.readline(LARGEST_RECORD)
    return None


def of_line(line: bytes | None, place: str) -> Iterable[Found | Problem]:
    """What one line holds."""
    if line is None:
        return (Problem(f"is longer than {LARGEST_RECORD >> 20} MiB", place),)
    if line.startswith(STUDY):
        return (Found(place, line),)  # whether it is whole is seen when it is read
    return studies(line, place) if line.strip() else ()


class _Page(msgspec.Struct):
    """Either a study or a page of studies, by what it has."""

    studies: msgspec.Raw = msgspec.Raw()
    protocolSection: msgspec.Raw = msgspec.Raw()


_page = msgspec.json.Decoder(_Page)
_list = msgspec.json.Decoder(list[msgspec.Raw])


def studies(text: bytes, where: str) -> Iterator[Found | Problem]:
    """The studies of one JSON document."""
    try:
        if text.lstrip()[:1] == b"[":
            yield from _numbered(_list.decode(text), where)
            return
        page = _page.decode(text)
        if bytes(page.protocolSection):
            yield Found(where, text)
        elif bytes(page.studies):
            yield from _numbered(_list.decode(page.studies), f"{where} studies")
        else:
            yield Problem("is neither a study of ClinicalTrials.gov API v2 nor a page of them", where)
    except msgspec.ValidationError:
        yield Problem("is neither a study of ClinicalTrials.gov API v2 nor a list of them", where)
    except (msgspec.DecodeError, UnicodeDecodeError):
        yield Problem("is not whole JSON", where)
    except RecursionError:
        yield Problem("is nested too deeply", where)


def _numbered(found: list[msgspec.Raw], where: str) -> Iterator[Found | Problem]:
    for number, study in enumerate(found):
        place = f"{where}[{number}]"
        if len(bytes(study)) > LARGEST_RECORD:
            yield Problem(f"is longer than {LARGEST_RECORD >> 20} MiB", place)
        else:
            yield Found(place, study)
