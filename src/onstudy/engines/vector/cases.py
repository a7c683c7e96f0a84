"""Every value a value node may have for each row of a frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from onstudy.engines.vector import fields
from onstudy.engines.vector.arrays import Array, Index, Mask, any_at, pointers, sorted_by, spread
from onstudy.engines.vector.fields import Values
from onstudy.engines.vector.frames import Frame
from onstudy.engines.vector.places import Places


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Values, each of a row (`at`; None: one of every row), and the places they are read from.

    `frame` are the records they are values of, where they are of records.
    """

    at: Index | None
    values: Values
    places: Places | None = None
    frame: Frame | None = None

    def take(self, rows: Array) -> Part:
        """Of each of the rows named its values: the first row named is row 0."""
        if self.at is None:
            places = None if self.places is None else self.places.take(rows)
            return Part(None, self.values.take(rows), places)
        order = sorted_by(self.at)
        at = self.at if order is None else self.at[order]
        ends = pointers(at, int(max(at.max(initial=-1), rows.max(initial=-1))) + 1)
        new, chosen = spread(ends[rows], ends[rows + 1] - ends[rows])
        chosen = chosen if order is None else order[chosen]
        frame = None if self.frame is None else self.frame.take(chosen)
        places = None if self.places is None else self.places.take(chosen)
        return Part(new, self.values.take(chosen), places, frame)


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """The values a node may have for the rows of a frame.

    `lacking`: rows for which, beside the values listed, there may be none at all. Every row has a value or lacks one.
    """

    rows: int
    parts: Sequence[Part]
    lacking: Mask | None = None

    @property
    def single(self) -> Values | None:
        """The values where every row has exactly one."""
        alone = self.parts[0] if len(self.parts) == 1 and self.lacking is None else None
        return alone.values if alone is not None and alone.at is None else None

    def take(self, rows: Array) -> Cases:
        """The cases of the rows named: the first row named is row 0."""
        lacking = None if self.lacking is None else self.lacking[rows]
        parts = [part.take(rows) for part in self.parts]
        return Cases(len(rows), [part for part in parts if part.at is None or len(part.at)], lacking)

    def gathered(self, base: str) -> tuple[Index, Values]:
        """All values with their rows, sorted by row; a lacking one is a value that is not stated."""
        ats: list[Index] = []
        values: list[Values] = []
        for part in self.parts:
            ats.append(np.arange(self.rows) if part.at is None else part.at)
            values.append(part.values)
        if self.lacking is not None and self.lacking.any():
            ats.append(np.flatnonzero(self.lacking))
            values.append(fields.nothing(base))
        at = np.concatenate(ats) if ats else np.empty(0, np.intp)
        found = fields.concat(values, [len(part) for part in ats]) if values else fields.nothing(base)
        order = sorted_by(at)
        return (at, found) if order is None else (at[order], found.take(order))


def one(rows: int, values: Values, places: Places | None = None) -> Cases:
    """One value of every row."""
    return Cases(rows, [Part(None, values, places)])


def missing_of(rows: int, ats: Iterable[Index]) -> Mask:
    """The rows that occur in none."""
    found = np.ones(rows, np.bool_)
    for at in ats:
        found &= ~any_at(rows, at)
    return found
