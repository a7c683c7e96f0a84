"""Files of CSV as blocks of whole lines, with what is said of quotation marks that are never closed.

A mark opens a text where a field begins, and nowhere else; what is opened ends at the next mark that is not doubled.
A text may go over several lines. Where a mark is missing, the rows behind it would become text of one field and be
gone; so a file in which that can be seen is refused.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from onstudy.errors import InvalidFile, OnstudyError, Problem
from onstudy.population.omop_cdm import BLOCK

#: Bytes that one quoted text may have.
LONGEST = 1 << 27
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
#: A row begins with an id.
_ID = re.compile(rb'[ "]*[0-9]+[ "]*')

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Form:
    """How the lines of a file are written: what separates fields, how many there are, and whether texts are quoted."""

    separator: str
    fields: int
    quoted: bool


def form_of(path: Path) -> Form:
    """As its first line shows: tabs (then without quotation marks), commas or semicolons."""
    line = first_line(path)
    separator = "\t" if "\t" in line else ";" if ";" in line and "," not in line else ","
    return Form(separator, line.count(separator) + 1, separator != "\t")


def header_of(path: Path) -> list[str]:
    """The names of its columns."""
    return [name.strip(' "') for name in first_line(path).split(form_of(path).separator)]


def first_line(path: Path) -> str:
    """The first line of a file, without its end."""
    reader: Callable[..., Any] = gzip.open if is_gzip(path) else open
    try:
        with reader(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            return str(file.readline(1 << 16)).rstrip("\r\n")
    except (OSError, EOFError, zlib.error):
        raise OnstudyError(f"{path}: cannot be read; is it a whole file?") from None


def is_gzip(path: Path) -> bool:
    """Whether a file is packed with gzip, by its name in any letters."""
    return path.suffix.lower() == ".gz"


def opened(path: Path) -> IO[bytes]:
    """A file for reading, unpacked where it is packed."""
    return gzip.open(path) if is_gzip(path) else path.open("rb")  # type: ignore[return-value]


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole rows behind the header, with the place where each begins.

    Raises `InvalidFile` where a quotation mark is opened and never closed, or only rows later.
    """
    form = form_of(path)
    try:
        with opened(path) as file:
            header = file.readline()
            if b"\r" in header.rstrip(b"\r\n"):
                raise refused(path, "its lines end with a carriage return alone; write it with line feeds")
            start, waiting, ended = len(header), b"", False
            while not ended:
                block = file.read(BLOCK)
                waiting, ended = waiting + block, not block
                end = _rows_end(path, start, waiting, form, ended)
                if end:
                    yield start, waiting[:end]
                    waiting, start = waiting[end:], start + end
    except (OSError, EOFError, zlib.error):
        raise refused(path, "cannot be read to its end as CSV: it is damaged or cut off") from None


def refused(path: Path, what: str) -> InvalidFile:
    """The error of a file that cannot be read."""
    return InvalidFile([Problem(what, str(path))])


def _rows_end(path: Path, start: int, text: bytes, form: Form, ended: bool) -> int:
    """Where the last row of some text ends that is whole; of the end of the file, all of it."""
    if not form.quoted or b'"' not in text:
        return len(text) if ended else text.rfind(b"\n") + 1
    marks = _Marks(text, form.separator.encode()[0])
    gone = marks.swallowed(form)
    if gone is None and len(marks.marks) % 2 and (ended or len(text) > LONGEST):
        raise refused(path, f"{_line(path, start + marks.last)}: a quotation mark is opened and never closed")
    if gone is not None:
        raise refused(
            path,
            f"{_line(path, start + gone)}: a quotation mark is opened and not closed before other rows begin; without "
            "the one that is missing (or too many) they would be lost",
        )
    return len(text) if ended else marks.rows_end()


def _line(path: Path, place: int) -> str:
    """The line a place lies in, as it is called; counted only where something is wrong."""
    number, left = 1, place
    with opened(path) as file:
        while left > 0 and (block := file.read(min(BLOCK, left))):
            number += block.count(b"\n")
            left -= len(block)
    return f"line {number:,}"


class _Marks:
    """The quotation marks of a text that begins outside of one: those that open and close, in turn, in `marks`."""

    def __init__(self, text: bytes, separator: int) -> None:
        self.text, self.wrong = text, -1
        self._letters = np.frombuffer(text, np.uint8)
        self._ends = np.isin(np.arange(256), (separator, _NEWLINE, _RETURN))
        self._places = np.flatnonzero(self._letters == _QUOTE)
        doubled = np.diff(self._places) == 1
        self._before = np.append(False, doubled)  # the mark before it stands right before it
        self._behind = np.append(doubled, False)
        self.marks = self._places
        if not (self._opens(slice(0, None, 2)).all() and self._closes(slice(1, None, 2)).all()):
            self.marks = self._places[self._kept(self._opens(slice(None)), self._closes(slice(None)))]

    def _opens(self, some: slice) -> NDArray[np.bool_]:
        """Which of some marks stand where a text may begin, or go on behind a doubled mark."""
        places = self._places[some]
        return np.asarray((places == 0) | self._ends[self._letters[places - 1]] | self._before[some], np.bool_)

    def _closes(self, some: slice) -> NDArray[np.bool_]:
        """Which of some marks stand where a text may end, or are doubled."""
        places = self._places[some] + 1
        at_end = places == len(self._letters)
        return np.asarray(at_end | self._ends[self._letters[places - at_end]] | self._behind[some], np.bool_)

    def _kept(self, opens: NDArray[np.bool_], closes: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which marks open or close; the others are letters. Stops at one that closes in the middle of a later row."""
        even = np.arange(len(opens)) % 2 == 0
        odd_ones = [np.flatnonzero(~np.where(even, *sides)) for sides in ((opens, closes), (closes, opens))]
        kept, place = np.ones(len(opens), bool), 0
        while True:
            some = odd_ones[place % 2]
            at = int(np.searchsorted(some, place))
            if at == len(some):
                return kept
            wrong = int(some[at])
            if (wrong - place) % 2 == 0:  # it would open, in the middle of a field
                place = wrong + 1
                while place < len(kept) and self._before[place]:
                    place += 1
                kept[wrong:place] = False
            else:
                first = self._first(wrong - 1)
                if b"\n" in self.text[self._places[first] : self._places[wrong]]:
                    self.wrong = int(self._places[first])
                    return kept
                place = wrong + 1

    def _first(self, mark: int) -> int:
        """The mark that opened the text that goes on behind a mark, which may be the second of a doubled one."""
        while self._before[mark] and mark >= 2:
            mark -= 2
        return mark

    @property
    def last(self) -> int:
        """Where the text begins that is not closed."""
        at = len(self.marks) - 1
        while at >= 2 and self.marks[at] == self.marks[at - 1] + 1:
            at -= 2
        return int(self.marks[at])

    def rows_end(self) -> int:
        """Where the last line ends that ends outside of a quoted text; 0 where none does."""
        end = len(self.text)
        while (place := self.text.rfind(b"\n", 0, end)) >= 0:
            before = int(np.searchsorted(self.marks, place))
            if before % 2 == 0:
                return place + 1
            end = int(self.marks[before - 1])
        return 0

    def swallowed(self, form: Form) -> int | None:
        """Where a text begins that holds other rows: a mark is closed in the middle of one, or they are all there."""
        if self.wrong >= 0:
            return self.wrong
        lines = np.flatnonzero(np.frombuffer(self.text, np.uint8) == _NEWLINE)
        before = np.searchsorted(self.marks, lines)
        for opening in np.unique(before[before % 2 == 1]).tolist():
            if opening == len(self.marks):
                continue  # it is not closed yet
            first, last = self._whole(opening - 1)
            if _holds_rows(self.text[first:last], form):
                return first
        return None

    def _whole(self, mark: int) -> tuple[int, int]:
        """The text around a mark that opens, with what stands behind doubled marks."""
        first = last = mark
        while first >= 2 and self.marks[first] == self.marks[first - 1] + 1:
            first -= 2
        while last + 2 < len(self.marks) and self.marks[last + 2] == self.marks[last + 1] + 1:
            last += 2
        end = int(self.marks[last + 1]) if last + 1 < len(self.marks) else len(self.text)
        return int(self.marks[first]), end


def _holds_rows(text: bytes, form: Form) -> bool:
    """Whether a text that goes over several lines has all separators of as many rows, and each begins with an id."""
    separator = form.separator.encode()
    lines = text.count(b"\n")
    if form.fields < 3 or text.count(separator) != lines * (form.fields - 1):
        return False
    starts = [line.partition(separator)[0] for line in text.split(b"\n")[1:]]
    return all(_ID.fullmatch(start) for start in starts)
