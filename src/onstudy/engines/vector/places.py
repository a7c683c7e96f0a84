"""Places in the tables of a shard: rows of one or several kinds, and what the columns say there.

A place may be none (-1), which says what a column says that is not stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.engines.vector import codes, moments, numbers
from onstudy.engines.vector.arrays import Array, Index, Mask
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.codes import Codes
from onstudy.engines.vector.moments import Moments, Spans, of_whole_days
from onstudy.engines.vector.numbers import Numbers
from onstudy.record.shard import (
    EMPTY,
    HIGH_OPEN,
    LOW_OPEN,
    NO_DAY,
    NO_INSTANT,
    NO_OFFSET,
    NONE,
    UNBOUNDED,
    Table,
    Text,
    default_of,
)
from onstudy.values.calendar import DAY

#: Where fewer than one in so many rows is asked for, they are read by themselves, not out of the whole column.
_FEW = 8


class Places:
    """Rows of some tables: `piece` says of which table (None: of the only one), `row` which row (None: all of it)."""

    def __init__(
        self, tables: Sequence[Table], piece: NDArray[np.int16] | None = None, row: Index | None = None
    ) -> None:
        assert piece is not None or len(tables) == 1, "rows of several tables say which"
        self.tables = tuple(tables)
        self._piece, self._row = piece, row
        self._columns: dict[str, Any] = {}
        self._from: tuple[Places, Index] | None = None

    def __len__(self) -> int:
        if self._from is not None:
            return len(self._from[1])
        return self.tables[0].rows if self._row is None else len(self._row)

    @property
    def row(self) -> Index | None:
        """Which row of its table each is; None where they are all rows of the only one."""
        if self._row is None and self._from is not None:
            origin, rows = self._from
            self._row = rows if origin.row is None else origin.row.take(rows)
        return self._row

    @property
    def piece(self) -> NDArray[np.int16] | None:
        """Of which table each is; None where there is only one."""
        if self._piece is None and self._from is not None and len(self.tables) > 1:
            origin, rows = self._from
            assert origin.piece is not None
            self._piece = origin.piece.take(rows)
        return self._piece

    def take(self, rows: Index) -> Places:
        """Some of them; what was read here is not read again there."""
        if len(self) == 1:  # one value stands for all, but the places of several are several
            return Places(self.tables, *self._of(rows))
        found = Places.__new__(Places)
        found._view(self, rows)
        return found

    def _of(self, rows: Index) -> tuple[NDArray[np.int16] | None, Index]:
        piece, row = self.piece, self.row
        return (None if piece is None else piece.take(rows)), (rows if row is None else row.take(rows))

    def _view(self, origin: Places, rows: Index) -> None:
        self.tables, self._piece, self._row, self._columns = origin.tables, None, None, {}
        self._from = (origin, rows) if origin._from is None else (origin._from[0], origin._from[1].take(rows))

    def spread(self, values: Sequence[Any], dtype: Any) -> Array:
        """For each place what holds for its table."""
        if self.piece is None:
            return np.full(1, values[0], dtype)
        found: Array = np.array(values, dtype).take(self.piece)
        return found

    @property
    def kinds(self) -> list[str]:
        """The kinds of the tables, in their order."""
        return [table.name for table in self.tables]

    def among(self, kinds: Iterable[str]) -> Mask:
        """Which are of one of the kinds (one entry where all are, or none)."""
        wanted = set(kinds)
        return self.spread([kind in wanted for kind in self.kinds], np.bool_)

    # Columns ------------------------------------------------------------------------------------------------

    def has(self, column: str) -> bool:
        """Whether any of the tables stores a column."""
        return any(table.has(column) for table in self.tables)

    def owns(self, name: str) -> bool:
        """Whether any of the tables stores anything of a moment, number or value."""
        return any(table.owns(name) for table in self.tables)

    def get(self, column: str) -> Array:
        """A column of numbers."""
        found = self._columns.get(column)
        if found is None:
            found = self._columns[column] = self._gathered(column)
        return found

    def _of_origin(self, key: str) -> bool:
        """Whether what is asked for is best taken from what these are some of: read there already, or soon in full."""
        if self._from is None:
            return False
        whole, rows = self._from
        return key in whole._columns or _FEW * len(rows) > len(whole)

    def _gathered(self, column: str) -> Array:
        if self._of_origin(column):
            assert self._from is not None
            whole, rows = self._from
            found: Array = whole.get(column).take(rows)
            return found
        if self.piece is None:
            return _cells(self.tables[0].get(column), column, self.row)
        assert self.row is not None
        found = np.full(len(self.row), default_of(column))
        for number, table in enumerate(self.tables):
            mine = np.flatnonzero(self.piece == number)
            if len(mine) and table.rows:
                found[mine] = _cells(table.get(column), column, self.row[mine])
        return found

    def codes(self, column: str) -> Codes:
        """A column of sets of codes."""
        found = self._columns.get(column)
        if found is None:
            found = self._columns[column] = self._gathered_codes(column)
        return found

    def _gathered_codes(self, column: str) -> Codes:
        if self._of_origin(column):
            assert self._from is not None
            return self._from[0].codes(column).take(self._from[1])
        if not self.has(column):
            return Codes(np.full(len(self), NONE), ())
        if self.piece is None:
            return _placed(self.tables[0].text(column), self.row)
        assert self.row is not None
        parts, places = [], []
        for number, table in enumerate(self.tables):
            mine = np.flatnonzero(self.piece == number)
            if len(mine):
                parts.append(_placed(table.text(column), self.row[mine]))
                places.append(mine)
        joined = codes.concat(parts, [len(part) for part in places])
        index = np.empty(len(self.row), np.intp)
        index[np.concatenate([np.empty(0, np.intp), *places])] = joined.index
        return Codes(index, joined.words)

    # Values -------------------------------------------------------------------------------------------------

    def numbers(self, name: str) -> Numbers:
        """A number; where nothing is stored, none."""
        found = self._columns.get(f"{name}#")
        if found is None:
            found = self._columns[f"{name}#"] = self._read_numbers(name)
        return found

    def _read_numbers(self, name: str) -> Numbers:
        if self._of_origin(f"{name}#"):
            assert self._from is not None
            return self._from[0].numbers(name).take(self._from[1])
        if not any(self.has(f"{name}.{what}") for what in ("low", "high", "flags")):
            return numbers.nothing()
        low = self.get(f"{name}.low")
        exact = not self.has(f"{name}.high")
        high = low if exact else self.get(f"{name}.high")
        if not self.has(f"{name}.flags"):
            known = ~np.isnan(low) if exact else ~(np.isnan(low) & np.isnan(high))
            return Numbers(low, high, stated=None if known.all() else known)
        flags = self.get(f"{name}.flags")
        known = ~(np.isnan(low) & np.isnan(high)) | ((flags & UNBOUNDED) > 0)
        low_open, high_open = (
            part if part.any() else None for part in ((flags & LOW_OPEN) > 0, (flags & HIGH_OPEN) > 0)
        )
        return Numbers(low, high, low_open, high_open, known)

    def moment(self, name: str, required: bool = False) -> Moments:
        """A moment; where nothing is stored there is none, or (`required`) one of which nothing is known."""
        key = f"{name}!" if required else f"{name}?"
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = self._read_moment(name, required, key)
        return found

    def _read_moment(self, name: str, required: bool, key: str) -> Moments:
        if self._of_origin(key):
            assert self._from is not None
            return self._from[0].moment(name, required).take(self._from[1])
        day = self.get(f"{name}.day")
        known = day != NO_DAY
        if known.all():
            return moments.of_days(day)
        if not any(self.has(f"{name}.{what}") for what in ("low", "high", "flags", "offset")):
            if not required:
                return moments.of_days(day, known)
            return Moments(np.where(known, day, np.int32(-FAR)), np.where(known, day, np.int32(FAR)))
        return self._read_spans(name, day, known, required)

    def _read_spans(self, name: str, day: Array, whole_day: Mask, required: bool) -> Moments:
        """Days where most are whole days: only the others are worked out, their instants when they are asked for."""
        odd = np.flatnonzero(~whole_day)
        some = self.take(odd)  # of the columns below only these rows are read
        low, high, flags, offset = (some.get(f"{name}.{what}") for what in ("low", "high", "flags", "offset"))
        stated = (low != NO_INSTANT) | (high != NO_INSTANT) | ((flags & UNBOUNDED) > 0) | (offset != NO_OFFSET)
        spans = Spans(
            np.where(low == NO_INSTANT, np.int64(-FAR * DAY), low),
            np.where(high == NO_INSTANT, np.int64(FAR * DAY), high),
            (flags & LOW_OPEN) > 0,
            (flags & HIGH_OPEN) > 0,
        )
        bounds = moments.of_spans(spans)
        first, last = day.copy(), day.copy()
        first[odd], last[odd] = bounds.first, bounds.last
        offsets = None
        if (offset != NO_OFFSET).any():
            offsets = np.full(len(day), NO_OFFSET, np.int16)
            offsets[odd] = offset
        known = None
        if not required and not stated.all():
            known = whole_day.copy()
            known[odd] = stated
        return Moments(first, last, lambda: of_whole_days(day).with_rows(odd, spans), offsets, known)

    def named(self, name: str) -> Mask:
        """Where an attribute is named without any value."""
        if not self.has(f"{name}.flags"):
            return np.zeros(1, np.bool_)
        return (self.get(f"{name}.flags") & EMPTY) > 0


def _cells(column: Array, name: str, row: Index | None) -> Array:
    if row is None:
        return column
    if not len(column):
        return np.full(len(row), default_of(name))
    found: Array = column.take(row)
    missing = row < 0
    if missing.any():
        found[missing] = default_of(name)
    return found


def _placed(text: Text, row: Index | None) -> Codes:
    if row is None:
        return codes.of_text(text)
    if not len(text.index):
        return codes.of_text(Text(np.full(len(row), NONE, np.int32), text.words))
    found = codes.of_text(text, row)
    found.index[row < 0] = NONE
    return found
