"""Generated records before they have a format: rows of statements, each said in the words of a patient file.

A statement without its dates is a *saying* (`{"kind": "ast", "value": "31", "unit": "U/L", "uln": "40"}`). There
are few different ones, so rows hold their number, a patient and dates; each format reads or writes a saying once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from onstudy.population.generate_draws import Flags, Ints

Saying = Mapping[str, str]

#: How much of a date is said. OPEN: a period that is still going on.
UNSAID, DAY, MONTH, YEAR, MINUTE, OPEN = 0, 1, 2, 3, 4, 5
#: Times of day are written with the offset of one place.
OFFSET, OFFSET_MINUTES = "-05:00", -300


@dataclass(frozen=True)
class Dates:
    """Dates as they are written: a day (ordinal), how much of it is said, and the minute of that day."""

    day: Ints
    grain: NDArray[np.int8]
    minute: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.day)

    def of(self, which: Flags | Ints) -> Dates:
        """Some of them."""
        return Dates(self.day[which], self.grain[which], self.minute[which])

    def text(self, row: int) -> str:
        """One of them in ISO form; "" where nothing is said, `ongoing` for an open end."""
        grain = self.grain[row]
        if grain in (UNSAID, OPEN):
            return "ongoing" if grain == OPEN else ""
        day = date.fromordinal(int(self.day[row])).isoformat()
        if grain == MINUTE:
            hour, minute = divmod(int(self.minute[row]), 60)
            return f"{day}T{hour:02d}:{minute:02d}:00{OFFSET}"
        return day[:7] if grain == MONTH else day[:4] if grain == YEAR else day


def dates(day: Ints, grain: NDArray[np.int8] | Ints | int = DAY, minute: Ints | int = 0) -> Dates:
    """Dates that say the day, or as much of it as `grain` says."""
    shape = day.shape
    return Dates(
        day.astype(np.int64),
        np.broadcast_to(np.asarray(grain, dtype=np.int8), shape),
        np.broadcast_to(np.asarray(minute, dtype=np.int16), shape),
    )


def unsaid(rows: int) -> Dates:
    """As many dates of which nothing is said."""
    return dates(np.zeros(rows, dtype=np.int64), UNSAID)


@dataclass(frozen=True)
class Words:
    """For each row one of a few words; "" is nothing said."""

    index: Ints
    words: Sequence[str]

    def of(self, which: Flags | Ints) -> Words:
        """Those of some rows."""
        return Words(self.index[which], self.words)


def numbers(values: Ints, decimals: int = 0, sign: str = "") -> Words:
    """Whole multiples of 10^-decimals as text, with a comparator before them if one is given."""
    distinct, index = np.unique(values, return_inverse=True)
    return Words(index.astype(np.int64), [f"{sign}{value / 10**decimals:.{decimals}f}" for value in distinct.tolist()])


@dataclass(frozen=True)
class Rows:
    """Statements of one kind: whose (the position of a patient), what (a saying), and when."""

    kind: str
    sayings: Sequence[Saying]
    patient: Ints
    said: Ints
    start: Dates  # of a negative: the day up to which it speaks
    end: Dates
    recorded: Dates

    def __len__(self) -> int:
        return len(self.patient)

    def of(self, which: Flags | Ints) -> Rows:
        """Some of the rows."""
        parts = (self.start.of(which), self.end.of(which), self.recorded.of(which))
        return Rows(self.kind, self.sayings, self.patient[which], self.said[which], *parts)


@dataclass
class Book:
    """The rows of some patients as they are made, kind by kind; nothing in them lies after `today` (an ordinal)."""

    today: int
    pages: dict[str, list[Rows]] = field(default_factory=dict)

    def say(
        self,
        kind: str,
        patient: Ints,
        on: Ints | Dates | None = None,
        to: Ints | Dates | None = None,
        recorded: Ints | Dates | None = None,
        **said: Words | str,
    ) -> None:
        """Add statements of a kind, one for each of `patient`; `said` are the keys of a patient file."""
        rows = len(patient)
        if not rows:
            return
        number, sayings = _distinct(kind, said, rows)
        found = Rows(kind, sayings, patient, number, _dated(on, rows), _dated(to, rows), _dated(recorded, rows))
        self.pages.setdefault(kind, []).append(found)

    def rows(self) -> dict[str, Rows]:
        """All statements by kind, those of one patient in the order of their dates."""
        return {kind: _joined(kind, parts, self.today) for kind, parts in sorted(self.pages.items())}


def _dated(given: Ints | Dates | None, rows: int) -> Dates:
    if given is None:
        return unsaid(rows)
    return given if isinstance(given, Dates) else dates(given)


def _distinct(kind: str, said: Mapping[str, Words | str], rows: int) -> tuple[Ints, list[Saying]]:
    """The number of each row's saying, and the sayings that occur."""
    columns = [(key, word) for key, word in said.items() if isinstance(word, Words)]
    code = np.zeros(rows, dtype=np.int64)
    for _, word in columns:
        code = code * len(word.words) + word.index
    distinct, first, number = np.unique(code, return_index=True, return_inverse=True)
    fixed = {"kind": kind, **{key: word for key, word in said.items() if isinstance(word, str) and word}}
    sayings: list[Saying] = []
    for row in first.tolist():
        words = {key: word.words[int(word.index[row])] for key, word in columns}
        sayings.append(fixed | {key: text for key, text in words.items() if text})
    assert len(sayings) == len(distinct)
    return number.astype(np.int64), sayings


def _joined(kind: str, parts: Sequence[Rows], today: int) -> Rows:
    """Rows of one kind put together in their order; a saying that several parts have is one."""
    known: dict[tuple[tuple[str, str], ...], int] = {}
    numbered = []
    for part in parts:
        place = [known.setdefault(tuple(saying.items()), len(known)) for saying in part.sayings]
        numbered.append(np.asarray(place, dtype=np.int64)[part.said])
    found = Rows(
        kind,
        [dict(saying) for saying in known],
        np.concatenate([part.patient for part in parts]),
        np.concatenate(numbered),
        *(_together([getattr(part, name) for part in parts], today) for name in ("start", "end", "recorded")),
    )
    return found.of(_order(found, parts))


def _together(parts: Sequence[Dates], today: int) -> Dates:
    day, grain, minute = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("day", "grain", "minute")
    )
    return Dates(np.minimum(day, today), grain, minute)


def _order(rows: Rows, parts: Sequence[Rows]) -> Ints:
    """The rows of one patient by date; of one date as they were said, part after part, and within a part by saying.

    The numbers of the sayings are no order across parts: which of them come first depends on who else is in the block.
    """
    part = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
    said = np.concatenate([one.said for one in parts])
    return np.lexsort((said, part, rows.start.minute, rows.start.day, rows.patient))
