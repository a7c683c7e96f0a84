"""The columns of a shard: what each is called, what it holds, and what it means where it is not stored.

A name says everything: its last word is what it holds, the words before it whose it is. See the package page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: No day, no instant, no offset: smaller than any there is.
NO_DAY = -(2**31)
NO_INSTANT = -(2**63)
NO_OFFSET = -(2**15)
#: No row, no word.
NONE = -1

#: What a fact is called, and where it was read: mostly the same.
ID, SOURCE = "id", "source"

#: What `.flags` may say of the moment or number beside it.
LOW_OPEN, HIGH_OPEN, UNBOUNDED, EMPTY = 1, 2, 4, 8

#: Moments: their `.low` and `.high` are instants. Those of an attribute or a value end with `.at`.
MOMENTS = ("start", "end", "recorded", "opened", "born")
_TEXTS = frozenset("id kind lacks sample shown source code_status narrowed.by what where".split())
_NUMBERS = frozenset("patient order first last".split())

#: The columns every table of facts may have beside those of its attributes (`a.`) and components (`p.`).
FACT_COLUMNS = (
    "patient", "id", "order", "inner", "negative", "narrowed.by", "narrowed.code", "ongoing", "suspected", "computed",
    "start.day", "start.low", "start.high", "start.flags", "start.offset",
    "end.day", "end.low", "end.high", "end.flags", "end.offset",
    "recorded.day", "recorded.low", "recorded.high", "recorded.flags", "recorded.offset",
    "opened.set", "opened.ongoing", "opened.day", "opened.low", "opened.high", "opened.flags", "opened.offset",
    "value.low", "value.high", "value.flags", "value.code",
    "value.at.day", "value.at.low", "value.at.high", "value.at.flags", "value.at.offset",
    "lacks", "uln.low", "uln.high", "uln.flags", "lln.low", "lln.high", "lln.flags",
    "sample", "shown", "source", "code_status",
)  # fmt: skip
PATIENT_COLUMNS = ("id", "born.day", "born.low", "born.high", "born.flags", "born.offset")
COVERAGE_COLUMNS = ("patient", "kind", "first", "last", "source")
PROBLEM_COLUMNS = ("patient", "what", "where", "fact_kept")


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A column of text: each row's place in `words`; -1 is no text."""

    index: NDArray[np.int32]
    words: Sequence[str]

    def at(self, row: int) -> str | None:
        """One row's text."""
        place = int(self.index[row])
        return None if place < 0 else self.words[place]

    def says_as(self, other: Text) -> bool:
        """Whether each row says the same as in another column."""
        if self.words is other.words:
            return np.array_equal(self.index, other.index)
        if len(self.index) and self.at(0) != other.at(0):
            return False
        mine, theirs = (np.array([*text.words, None], object)[text.index] for text in (self, other))
        return np.array_equal(mine, theirs)


Column = Array | Text


def is_text(name: str) -> bool:
    """Whether a column holds text."""
    return name in _TEXTS or name.endswith(".code")


@lru_cache(maxsize=4096)
def default_of(name: str) -> np.generic:
    """What a row means in a column of numbers that is not stored; its type is the column's type."""
    if is_text(name):
        raise KeyError(f"{name} is a column of text")
    owner, _, what = name.rpartition(".")
    if what == "day" or name in ("first", "last"):
        return np.int32(NO_DAY)
    if what in ("low", "high"):
        instant = owner in MOMENTS or owner.endswith(".at")
        return np.int64(NO_INSTANT) if instant else np.float64(np.nan)
    if what == "offset":
        return np.int16(NO_OFFSET)
    if what == "flags":
        return np.int8(0)
    if name in _NUMBERS or name.startswith("p."):
        return np.int32(NONE)
    return np.bool_(False)


class Table:
    """All rows of one name in a shard: the facts of a kind, or the patients, the coverage, the problems.

    `columns` may be a mapping that reads a column when it is asked for. Facts lie by patient and date.
    """

    def __init__(self, name: str, rows: int, columns: Mapping[str, Column]) -> None:
        self.name, self.rows, self._columns = name, rows, columns
        self._defaults: dict[str, Column] = {}
        self._owners: frozenset[str] | None = None

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {self.rows} rows)"

    def columns(self) -> list[str]:
        """The names of the columns that are stored."""
        return list(self._columns)

    def has(self, column: str) -> bool:
        """Whether a column is stored: one that is not holds its default in every row."""
        return column in self._columns

    def get(self, column: str) -> Array:
        """A column of numbers; where it is not stored, its default in every row.

        A `.high` that is not stored is its `.low`: then every value is one number, every moment one instant.
        """
        found = self._columns.get(column)
        if found is None:
            if column.endswith(".high"):
                return self.get(column.removesuffix("high") + "low")
            found = self._defaults.get(column)
        if found is None:
            found = self._defaults[column] = np.full(self.rows, default_of(column))
        if isinstance(found, Text):
            raise TypeError(f"{column} of {self.name} is text: ask `text`")
        return found

    def cell(self, column: str, row: int) -> Any:
        """One cell of a column of numbers, as a Python number; the default where the column is not stored."""
        found = self._columns.get(column)
        if found is None and column.endswith(".high"):
            found = self._columns.get(column.removesuffix("high") + "low")
        return (default_of(column) if found is None else self.get(column)[row]).item()

    def word(self, column: str, row: int) -> str | None:
        """One cell of a column of text."""
        return self.text(column).at(row) if self.has(column) or column == SOURCE else None

    def text(self, column: str) -> Text:
        """A column of text; where it is not stored, no text in any row. A `source` that is not stored is the `id`."""
        found = self._columns.get(column)
        if found is None:
            if column == SOURCE and self.has(ID):
                return self.text(ID)
            found = self._defaults.get(column)
        if found is None:
            found = self._defaults[column] = Text(np.full(self.rows, NONE, np.int32), ())
        if not isinstance(found, Text):
            raise TypeError(f"{column} of {self.name} is no text: ask `get`")
        return found

    def owns(self, name: str) -> bool:
        """Whether anything is stored of a moment, number or value: else no row has one."""
        if self._owners is None:
            self._owners = frozenset(column.rpartition(".")[0] for column in self._columns)
        return name in self._owners

    def attributes(self) -> list[str]:
        """The attributes of which anything is stored."""
        return list(dict.fromkeys(name.split(".")[1] for name in self._columns if name.startswith("a.")))

    def components(self) -> list[tuple[str, str]]:
        """The components of which anything is stored: (name, kind)."""
        return [(name.split(".")[1], name.split(".")[2]) for name in self._columns if name.startswith("p.")]


class Shard:
    """The assembled facts of some patients, kind by kind. `tables` may be a mapping that reads when asked."""

    def __init__(self, patients: Table, coverage: Table, problems: Table, tables: Mapping[str, Table]) -> None:
        self.patients, self.coverage, self.problems, self._tables = patients, coverage, problems, tables

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that have rows."""
        return tuple(self._tables)

    def table(self, kind: str) -> Table:
        """The facts of one kind; an empty table for a kind nobody has."""
        found = self._tables.get(kind)
        return found if found is not None else Table(kind, 0, {})
