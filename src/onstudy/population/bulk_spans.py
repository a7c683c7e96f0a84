"""Numbers with their bounds as arrays: what values and limits of normal are held as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onstudy.population.bulk_numbers import Flags, Floats
from onstudy.population.bulk_same import Rows, same, settled, taken
from onstudy.population.bulk_same import joined as joined_columns
from onstudy.record.shard import HIGH_OPEN, LOW_OPEN, UNBOUNDED
from onstudy.values.interval import Interval


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Numbers as arrays: bounds (NaN is none) and what is open of them, as a shard holds them."""

    low: Floats
    high: Floats
    flags: NDArray[np.int8]

    def take(self, rows: Rows) -> Numbers:
        """Some of them."""
        return Numbers(*(taken(column, rows) for column in self.arrays))

    @property
    def arrays(self) -> tuple[Rows, ...]:
        """All that they are held as."""
        return self.low, self.high, self.flags

    @property
    def compact(self) -> Numbers:
        """The same; a column that says the same in each row is held once."""
        return Numbers(*map(settled, self.arrays))

    @property
    def writable(self) -> Numbers:
        """A copy that may be written to."""
        return Numbers(*(np.array(column) for column in self.arrays))

    @property
    def exact(self) -> Flags:
        """Those that are one number."""
        return np.asarray(self.low == self.high)

    def columns(self, name: str) -> dict[str, Rows]:
        """Them as the columns of a shard."""
        return {f"{name}.low": self.low, f"{name}.high": self.high, f"{name}.flags": self.flags}


def no_numbers(rows: int) -> Numbers:
    """As many as asked for, none of them there."""
    low = same(np.nan, rows, np.float64)
    return Numbers(low, low, same(0, rows, np.int8))


def from_intervals(spans: Sequence[Interval | None]) -> Numbers:
    """Numbers given one by one."""
    found = no_numbers(len(spans)).writable
    for row, span in enumerate(spans):
        if span is not None:
            found.low[row] = np.nan if span.low is None else span.low
            found.high[row] = np.nan if span.high is None else span.high
            flags = LOW_OPEN * span.low_open + HIGH_OPEN * span.high_open
            found.flags[row] = flags if span.known else UNBOUNDED
    return found


def joined(parts: Sequence[Numbers]) -> Numbers:
    """Several one after another."""
    return Numbers(*(joined_columns(columns) for columns in zip(*(part.arrays for part in parts), strict=True)))


def span_at(numbers: Numbers, place: int) -> Interval | None:
    """One of the numbers; None where there is none."""
    low, high, flags = float(numbers.low[place]), float(numbers.high[place]), int(numbers.flags[place])
    if low != low and high != high and not flags & UNBOUNDED:
        return None
    return Interval(
        None if low != low else low, None if high != high else high, bool(flags & LOW_OPEN), bool(flags & HIGH_OPEN)
    )
