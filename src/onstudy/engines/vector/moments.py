"""Many moments known between bounds. Where every moment is one whole day, only its days are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.engines.vector.arrays import Array, Mask, taken, whole
from onstudy.engines.vector.calendar import FAR
from onstudy.record.shard import NO_OFFSET
from onstudy.values.calendar import DAY, When

_FAR_INSTANT = FAR * DAY
Open = Mask | bool


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Instants between bounds, in microseconds; beyond 10^18 there is none. Openness of a bound as in `Interval`."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    low_open: Open = False
    high_open: Open = False

    def take(self, rows: Array) -> Spans:
        """Some of them."""
        low_open, high_open = (
            taken(part, rows) if isinstance(part, np.ndarray) else part for part in (self.low_open, self.high_open)
        )
        return Spans(taken(self.low, rows), taken(self.high, rows), low_open, high_open)

    def with_rows(self, rows: Array, others: Spans) -> Spans:
        """The same with others in the rows given."""
        columns = []
        for mine, theirs in zip(self._columns(), others._columns(), strict=True):
            column = np.array(np.broadcast_to(mine, self.low.shape))
            column[rows] = theirs
            columns.append(column)
        return Spans(*columns)

    def _columns(self) -> tuple[Any, ...]:
        return self.low, self.high, self.low_open, self.high_open


class Moments:
    """The calendar days each moment may lie on, from `first` to `last` (the same array where each is one day).

    `spans` where the moments are not just whole days, or what works them out when they are asked for; `offset`
    (minutes east of UTC) where any states one; `stated` where there may be no moment at all.
    """

    __slots__ = ("_spans", "first", "last", "offset", "stated")

    def __init__(
        self,
        first: Array,
        last: Array,
        spans: Spans | Callable[[], Spans] | None = None,
        offset: NDArray[np.int16] | None = None,
        stated: Mask | None = None,
    ) -> None:
        self.first, self.last, self.offset, self.stated = first, last, offset, stated
        self._spans = spans

    def __len__(self) -> int:
        return len(self.first)

    @property
    def spans(self) -> Spans | None:
        """Their instants, where they are not just whole days."""
        if self._spans is not None and not isinstance(self._spans, Spans):
            self._spans = self._spans()
        return self._spans

    @property
    def exact(self) -> bool:
        """Whether each is known to be one day."""
        return self.first is self.last

    @property
    def plain(self) -> bool:
        """Whether each is exactly one whole day, and no less."""
        return self.first is self.last and self._spans is None

    @property
    def known(self) -> Mask:
        """Where there is a moment (one entry where all are)."""
        return np.array([True]) if self.stated is None else self.stated

    def without(self, rows: Mask) -> Moments:
        """The same with nothing stated in some rows."""
        return Moments(self.first, self.last, self._spans, self.offset, self.known & ~rows)

    def take(self, rows: Array) -> Moments:
        """Some of them; one that stands for all still does."""
        if len(self) == 1:
            return self
        first = self.first.take(rows)
        return Moments(
            first,
            first if self.last is self.first else taken(self.last, rows),
            None if self._spans is None else partial(self._taken, rows),
            None if self.offset is None else taken(self.offset, rows),
            None if self.stated is None else taken(self.stated, rows),
        )

    def _taken(self, rows: Array) -> Spans:
        assert self.spans is not None
        return self.spans.take(rows)

    def instants(self) -> Spans:
        """Their bounds as instants of wall clock."""
        if self.spans is not None:
            return self.spans
        low, high = self.first.astype(np.int64) * DAY, self.last.astype(np.int64) * DAY
        open_ended = self.last >= FAR
        return Spans(low, np.where(open_ended, high, high + DAY), False, ~open_ended)


def of_whole_days(days: Array) -> Spans:
    """Whole days as instants."""
    low = days.astype(np.int64) * DAY
    return Spans(low, low + DAY, False, True)


def of_days(days: Array, stated: Mask | None = None) -> Moments:
    """Whole days."""
    return Moments(days, days, stated=stated)


def of_spans(spans: Spans, offset: NDArray[np.int16] | None = None, stated: Mask | None = None) -> Moments:
    """Moments between instants."""
    first = (spans.low // DAY).astype(np.int32)
    last = ((spans.high - np.asarray(spans.high_open)) // DAY).astype(np.int32)
    return Moments(first, last, spans, offset, stated)


def of_whens(whens: Sequence[When | None]) -> Moments:
    """Moments as they are written for one patient; None is not known."""
    low = [_instant(when, "low", -_FAR_INSTANT) for when in whens]
    high = [_instant(when, "high", _FAR_INSTANT) for when in whens]
    flags = [(w is not None and w.span.low_open, w is not None and w.span.high_open) for w in whens]
    offset = np.array([NO_OFFSET if w is None or w.offset is None else w.offset for w in whens], np.int16)
    stated = np.array([when is not None for when in whens], np.bool_)
    opens = np.array(flags, np.bool_).reshape(-1, 2)
    spans = Spans(np.array(low, np.int64), np.array(high, np.int64), opens[:, 0], opens[:, 1])
    found = of_spans(spans, offset if (offset != NO_OFFSET).any() else None, None if stated.all() else stated)
    return simplified(found)


def _instant(when: When | None, side: str, nothing: int) -> int:
    bound = None if when is None else getattr(when.span, side)
    return nothing if bound is None else int(bound)


def simplified(moments: Moments) -> Moments:
    """The same, as plain days where each is one."""
    if moments.spans is None or moments.offset is not None or not bool((moments.first == moments.last).all()):
        return moments
    spans = moments.spans
    days = moments.first.astype(np.int64) * DAY
    low_open, high_open = np.asarray(spans.low_open), np.asarray(spans.high_open)
    if (spans.low == days).all() and (spans.high == days + DAY).all() and not low_open.any() and high_open.all():
        return of_days(moments.first, moments.stated)
    return moments


UNBOUNDED = Moments(np.array([-FAR], np.int32), np.array([FAR], np.int32))


def concat(parts: Sequence[Moments], sizes: Sequence[int]) -> Moments:
    """Moments one after another; `sizes` says of how many rows each part is."""
    if len(parts) == 1:
        return parts[0]
    first = np.concatenate([whole(part.first, size) for part, size in zip(parts, sizes, strict=True)])
    last = np.concatenate([whole(part.last, size) for part, size in zip(parts, sizes, strict=True)])
    if all(part.plain for part in parts):
        return Moments(first, first, stated=_stated(parts, sizes))
    spans = [part.instants() for part in parts]
    gathered: list[Any] = [
        np.concatenate([whole(np.atleast_1d(getattr(s, name)), size) for s, size in zip(spans, sizes, strict=True)])
        for name in ("low", "high", "low_open", "high_open")
    ]
    offset = None
    if any(part.offset is not None for part in parts):
        none = np.array([NO_OFFSET], np.int16)
        offsets = [none if part.offset is None else part.offset for part in parts]
        offset = np.concatenate([whole(part, size) for part, size in zip(offsets, sizes, strict=True)])
    return Moments(first, last, Spans(*gathered), offset, _stated(parts, sizes))


def _stated(parts: Sequence[Moments], sizes: Sequence[int]) -> Mask | None:
    if all(part.stated is None for part in parts):
        return None
    yes = np.array([True])
    stated = [yes if part.stated is None else part.stated for part in parts]
    return np.concatenate([whole(part, size) for part, size in zip(stated, sizes, strict=True)])


def placed_at(rows: Mask, one: Moments, other: Moments) -> Moments:
    """`one` where `rows`, else `other`."""
    size = len(rows)
    both = concat([one, other], [size, size])
    places = np.arange(size)
    return both.take(np.where(rows, places, places + size))
