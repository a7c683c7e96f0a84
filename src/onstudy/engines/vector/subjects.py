"""The records bodies are about: facts of a shard as they stand for a pair, and records that nobody made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np

from onstudy.engines.vector.arrays import Array, Index, Mask
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.codes import Codes
from onstudy.engines.vector.moments import UNBOUNDED, Moments, Spans
from onstudy.engines.vector.places import Places
from onstudy.engines.vector.rowsets import Family, RowSet
from onstudy.record.catalogue import Catalogue
from onstudy.record.shard import NO_OFFSET
from onstudy.values.calendar import DAY


class Dated(Protocol):
    """The pairs asked about: the registration day of each, and the day it was prepared for."""

    catalogue: Catalogue
    index: Moments
    prepared: Moments

    def memo(self) -> dict[Any, Any]:
        """A place to keep what was worked out, until all of it is forgotten."""
        ...


class Subjects:
    """The records of a frame, whatever they are."""

    def take(self, rows: Array) -> Subjects:
        """Some of them."""
        raise NotImplementedError

    @property
    def start(self) -> Moments:
        """When each began."""
        raise NotImplementedError

    @property
    def end(self) -> Moments:
        """When each ended."""
        raise NotImplementedError


class Recorded(Subjects):
    """Facts of a shard, each of a pair. `rows` None: all of the set; `plain` spares a closer look."""

    def __init__(
        self, family: Family, records: RowSet, rows: Index | None, setting: Dated, pair: Index, plain: bool
    ) -> None:
        self.family, self.records, self.rows, self.setting, self.pair = family, records, rows, setting, pair
        self.plain = plain
        self.memo = setting.memo()

    def take(self, rows: Array) -> Recorded:
        """Some of them."""
        chosen = rows if self.rows is None else self.rows.take(rows)
        return Recorded(self.family, self.records, chosen, self.setting, self.pair.take(rows), self.plain)

    def of_one_kind(self, piece: int, rows: Array) -> Recorded:
        """Some of them, all of one table."""
        some = self.take(rows)
        places = some.places
        row = np.arange(len(places)) if places.row is None else places.row
        patient = some.patient
        alone = RowSet([places.tables[piece]], None, row, patient, self.records.patients)
        return Recorded(self.family, alone, None, self.setting, some.pair, self.plain)

    def __len__(self) -> int:
        return len(self.records) if self.rows is None else len(self.rows)

    @cached_property
    def index(self) -> Moments:
        """The registration day each is seen from."""
        return self.setting.index.take(self.pair)

    @cached_property
    def places(self) -> Places:
        """Where they are."""
        return self.records if self.rows is None else self.records.take(self.rows)

    @property
    def patient(self) -> Array:
        """Whose they are."""
        return self.records.patient if self.rows is None else self.records.patient.take(self.rows)

    @cached_property
    def start(self) -> Moments:
        """A start without an upper bound ends with the day it was recorded, else with the index date; by its end at the
        latest.

        So does one that is not known to the day, of what happens at one moment, where that day lies before its end;
        what is computed of several records lies between them.
        """
        found = self.places.moment("start", required=True)
        if self.plain:
            return found
        unbounded = found.last >= FAR
        vague = (found.first < found.last) & self.moments_only
        if self.places.has("computed"):
            vague = vague & ~self.places.get("computed")
        return self._bounded(found, unbounded, vague) if (unbounded | vague).any() else found

    def _bounded(self, found: Moments, unbounded: Mask, vague: Mask) -> Moments:
        recorded = self.places.moment("recorded")
        said = recorded.known & (recorded.last < FAR)
        unbounded = unbounded | (vague & said & (recorded.last < found.last))
        until = np.where(said, recorded.last, self.setting.prepared.take(self.pair).first).astype(np.int32)
        if self._ends is not None:  # a moment has none of its own
            over = self._ends.known if self._ongoing is None else self._ends.known & ~self._ongoing
            until = np.where(over, np.minimum(until, self._ends.last), until)
        changed = unbounded & (found.first <= until)
        last = np.where(changed, until, found.last)
        return Moments(found.first, last, partial(_until, found, changed, until), found.offset, found.stated)

    @cached_property
    def _ongoing(self) -> Mask | None:
        return self.places.get("ongoing") if self.places.has("ongoing") else None

    @cached_property
    def _ends(self) -> Moments | None:
        return self.places.moment("end") if self.places.owns("end") else None

    @cached_property
    def moments_only(self) -> Mask:
        """Which are of kinds that happen at one moment (one entry where all are)."""
        return self.family.moments_only(self.places)

    @cached_property
    def end(self) -> Moments:
        """A moment ends where it starts; a period that goes on no earlier than the index date."""
        if self._ends is None and self._ongoing is None and bool(self.moments_only.all()):
            return self.start
        return self._end_of_days() if self.plain else self._end_of_spans()

    def _end_of_days(self) -> Moments:
        first, last = self.start.first, np.where(self.moments_only, self.start.first, np.int32(FAR))
        if self._ends is not None:
            first = np.where(self._ends.known, self._ends.first, first)
            last = np.where(self._ends.known, self._ends.first, last)
        if self._ongoing is not None:
            first = np.where(self._ongoing, np.maximum(self.start.first, self.index.first), first)
            last = np.where(self._ongoing, np.int32(FAR), last)
        return Moments(first, last)

    def _end_of_spans(self) -> Moments:
        start, ends, ongoing, only = self.start, self._ends, self._ongoing, self.moments_only
        days = self._end_of_days()
        last, offset = days.last, np.where(only, _offsets(start), np.int16(NO_OFFSET))
        last = np.where(only, start.last, last) if ends is None else np.where(only & ~ends.known, start.last, last)
        if ends is not None:
            last = np.where(ends.known, ends.last, last)
            offset = np.where(ends.known, _offsets(ends), offset)
        if ongoing is not None:
            last, offset = np.where(ongoing, np.int32(FAR), last), np.where(ongoing, np.int16(NO_OFFSET), offset)
        no_offset = start.offset is None and (ends is None or ends.offset is None)
        instants = partial(_end_instants, start, ends, only, ongoing, self.index)
        return Moments(days.first, last, instants, None if no_offset else offset)

    @cached_property
    def ended(self) -> Moments:
        """The days on which each may have ended, whatever the index date."""
        first, last = self.start.first, np.where(self.moments_only, self.start.last, np.int32(FAR))
        if self._ends is not None:
            known = self._ends.known if self._ongoing is None else self._ends.known & ~self._ongoing
            first, last = np.where(known, self._ends.first, first), np.where(known, self._ends.last, last)
        return Moments(first, last)


def _until(found: Moments, changed: Mask, until: Array) -> Spans:
    """The instants of moments of which some end with a day."""
    spans = found.instants()
    high = np.where(changed, (until.astype(np.int64) + 1) * DAY, spans.high)
    high_open = np.where(changed, True, spans.high_open)
    return Spans(spans.low, high, np.broadcast_to(np.asarray(spans.low_open), changed.shape), high_open)


def _offsets(found: Moments) -> Array:
    return np.array([NO_OFFSET], np.int16) if found.offset is None else found.offset


@dataclass(frozen=True, slots=True, eq=False)
class Imagined(Subjects):
    """Records that nobody made, as far as they could exist: when, and which codes of an attribute are left."""

    when: Moments = UNBOUNDED
    left: Mapping[str, Codes] = field(default_factory=dict)

    def take(self, rows: Array) -> Imagined:
        """Some of them."""
        return Imagined(self.when.take(rows), {name: codes.take(rows) for name, codes in self.left.items()})

    @property
    def start(self) -> Moments:
        """When each could have begun."""
        return self.when

    @property
    def end(self) -> Moments:
        """When each could have ended."""
        return self.when


def _end_instants(start: Moments, ends: Moments | None, only: Mask, ongoing: Mask | None, index: Moments) -> Spans:
    """When each ended, to the instant: moments where they start, what goes on no earlier than the index date."""
    spans = start.instants()
    low, high = spans.low, np.where(only, spans.high, np.int64(FAR * DAY))
    low_open, high_open = only & spans.low_open, only & spans.high_open
    if ends is not None:
        end, known = ends.instants(), ends.known
        low, high = np.where(known, end.low, low), np.where(known, end.high, high)
        low_open, high_open = np.where(known, end.low_open, low_open), np.where(known, end.high_open, high_open)
    if ongoing is not None:
        today = index.first.astype(np.int64) * DAY
        low, high = np.where(ongoing, np.maximum(spans.low, today), low), np.where(ongoing, np.int64(FAR * DAY), high)
        low_open, high_open = low_open & ~ongoing, high_open & ~ongoing
    return Spans(low, high, low_open, high_open)
