"""The rows of a shard that a question about a kind may concern, patient by patient.

For each kind: the records that are, or may be, of it; the negatives that speak of it; the days it is complete.
Patients whose records of a kind are plain (whole days, certain, nothing denied) are kept apart from the rest, for whom
everything has to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onstudy.engines.vector.arrays import Array, Index, Mask, any_at, pointers, spread
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.places import Places
from onstudy.record.catalogue import HISTORY, MOMENT, STATE, Catalogue, Kind
from onstudy.record.shard import NO_DAY, Shard, Table
from onstudy.record.unread import may_be_among, of_diagnosis

#: Where fewer than one in so many patients is asked for, their rows are searched one by one.
_FEW = 16


class RowSet(Places):
    """Places sorted by patient. `patients` is how many patients the shard has."""

    def __init__(
        self,
        tables: Sequence[Table],
        piece: NDArray[np.int16] | None,
        row: Index | None,
        patient: Array,
        patients: int,
    ) -> None:
        super().__init__(tables, piece, row)
        self.patient, self.patients = patient.astype(np.intp, copy=False), patients

    @cached_property
    def ends(self) -> Array:
        """Where the rows of each patient begin, and behind them where all end."""
        return pointers(self.patient, self.patients)

    @cached_property
    def counts(self) -> Array:
        """How many rows each patient has."""
        return np.diff(self.ends)

    @cached_property
    def has_rows(self) -> Mask:
        """Which patients have any."""
        return any_at(self.patients, self.patient)

    def of(self, patient: Array) -> tuple[Index, Index]:
        """The rows of each of the patients named: (place in `patient`, row), in order."""
        if _FEW * len(patient) < self.patients:
            first, last = self.patient.searchsorted(patient), self.patient.searchsorted(patient, side="right")
            return spread(first, last - first)
        return spread(self.ends.take(patient), self.counts.take(patient))

    def sources(self) -> list[str]:
        """Where each was read."""
        row = self.row if self.row is not None else np.arange(len(self))
        piece = self.piece if self.piece is not None else np.zeros(len(self), np.int16)
        return [self.tables[p].word("source", int(r)) or "" for p, r in zip(piece, row, strict=True)]

    def only(self, rows: Array) -> RowSet:
        """Some of the rows, in their order."""
        piece, row = self._of(rows)
        return RowSet(self.tables, piece, row, self.patient.take(rows), self.patients)


def rows_of(shard: Shard, kinds: Iterable[str], negative: bool) -> RowSet:
    """The facts of some kinds that are denials, or that are not."""
    tables, rows = [], []
    for kind in sorted(set(kinds).intersection(shard.kinds)):
        table = shard.table(kind)
        mine = _wanted(table, negative)
        if mine is None or len(mine):
            tables.append(table)
            rows.append(mine)
    patients = shard.patients.rows
    if not tables:
        empty = np.empty(0, np.intp)
        return RowSet([Table("", 0, {})], None, empty, empty, patients)
    if len(tables) == 1:
        row = rows[0]
        patient = tables[0].get("patient")
        return RowSet(tables, None, row, patient if row is None else patient.take(row), patients)
    return _together(tables, rows, patients)


def _wanted(table: Table, negative: bool) -> Index | None:
    """The rows of a table that are facts of their own and denials or not; None where that is all of them."""
    if not table.has("negative") and not table.has("inner"):
        return np.empty(0, np.intp) if negative else None
    kept = (table.get("negative") == negative) & ~table.get("inner")
    return None if kept.all() else np.flatnonzero(kept)


def _together(tables: Sequence[Table], rows: Sequence[Index | None], patients: int) -> RowSet:
    full = [np.arange(table.rows) if row is None else row for table, row in zip(tables, rows, strict=True)]
    piece = np.repeat(np.arange(len(tables), dtype=np.int16), [len(row) for row in full])
    patient = np.concatenate([table.get("patient")[row] for table, row in zip(tables, full, strict=True)])
    order = np.argsort(patient, kind="stable")
    return RowSet(tables, piece[order], np.concatenate(full)[order], patient[order], patients)


class Unmapped:
    """The records of a shard of kinds that nobody knows. Which of them are diagnoses is read once, if it is asked."""

    def __init__(self, shard: Shard, catalogue: Catalogue) -> None:
        self.shard, self.catalogue = shard, catalogue

    @cached_property
    def _dated(self) -> RowSet:
        """Those that tell when they were."""
        unknown = [kind for kind in self.shard.kinds if kind not in self.catalogue.kinds]
        rows = rows_of(self.shard, unknown, negative=False)
        if not len(rows):
            return rows
        told = rows.moment("recorded").known | (rows.moment("start", required=True).first > -FAR)
        return rows.only(np.flatnonzero(told))

    @cached_property
    def _are(self) -> NDArray[np.int8]:
        """Of each whether it is a diagnosis: 1 or 0, and -1 where that was not read yet."""
        return np.full(len(self._dated), -1, np.int8)

    def diagnoses(self, patients: Mask) -> RowSet:
        """The diagnoses among them, of some patients."""
        rows = np.flatnonzero(patients.take(self._dated.patient))
        new = rows[self._are[rows] < 0]
        if len(new):
            self._are[new] = [of_diagnosis(source) for source in self._dated.only(new).sources()]
        return self._dated.only(rows[self._are[rows] > 0])


class Family:
    """Everything about one kind in a shard. `plain` False treats every patient as one that is not."""

    def __init__(
        self, shard: Shard, kind: Kind, catalogue: Catalogue, plain: bool = True, unmapped: Unmapped | None = None
    ) -> None:
        self.shard, self.kind, self.catalogue = shard, kind, catalogue
        self.unmapped = unmapped or Unmapped(shard, catalogue)
        self.below, self.above = catalogue.families[kind.name], catalogue.ancestors(kind.name)
        self.itself_and_above = self.above | {kind.name}
        self._plain = plain

    # Rows ---------------------------------------------------------------------------------------------------

    @cached_property
    def circle(self) -> RowSet:
        """The records that are of the kind, or of a group above it."""
        if not self.above:
            return self.records
        return rows_of(self.shard, self.below | self.above, negative=False)

    @cached_property
    def records(self) -> RowSet:
        """The records that are of the kind or, for kinds without a value, may be: those of the groups above it."""
        if self.kind.measured or not self.above:
            return rows_of(self.shard, self.below, negative=False)
        return self.circle

    @cached_property
    def negatives(self) -> RowSet:
        """The negatives that speak of the kind, of any of those records, or of any kind among them."""
        circle = self.below | self.above
        kinds = circle.union(*(self.catalogue.ancestors(kind) for kind in self.below))
        return rows_of(self.shard, kinds, negative=True)

    @cached_property
    def unread(self) -> RowSet:
        """The diagnoses nobody could read that tell when they were, of patients who have such negatives; empty where
        none can be of the kind.
        """
        if not len(self.negatives) or not may_be_among(self.kind, self.catalogue):
            return rows_of(self.shard, (), negative=False)
        return self.unmapped.diagnoses(self.denied)

    @cached_property
    def reopened(self) -> Mask:
        """Which patients have a record of a kind that may open the question anew."""
        named = (self.catalogue.kinds[judged.kind] for judged in self.catalogue.reopeners[self.kind.name])
        kinds = [
            self.catalogue.families[kind.name] | (frozenset() if kind.measured else self.catalogue.ancestors(kind.name))
            for kind in named
        ]
        return rows_of(self.shard, frozenset().union(*kinds), negative=False).has_rows

    @cached_property
    def denied(self) -> Mask:
        """Which patients have such negatives."""
        return self.negatives.has_rows

    @cached_property
    def covers(self) -> tuple[Index, Index, Index]:
        """The stretches over which the kind is complete: patient (sorted), first and last day (`NO_DAY`: no bound)."""
        table = self.shard.coverage
        names = [*self.itself_and_above, *([] if self.kind.attested else ["all"])]
        text = table.text("kind")
        wanted = np.array([word in names for word in text.words] + [False], np.bool_)
        rows = np.flatnonzero(wanted[text.index])
        return (
            table.get("patient").take(rows).astype(np.intp),
            table.get("first").take(rows),
            table.get("last").take(rows),
        )

    # Patients that are plain --------------------------------------------------------------------------------

    @cached_property
    def parts(self) -> list[tuple[RowSet, bool]]:
        """The records of plain patients and of the rest, with whether they are plain; what is empty is left out."""
        records = self.records
        if not len(records):
            return []
        if not self._plain:
            return [(records, False)]
        odd_rows = self._odd_rows()
        if not len(odd_rows) and not len(self.negatives):
            return [(records, True)]
        odd = self.denied.copy()
        odd[records.patient.take(odd_rows)] = True
        rest = odd.take(records.patient)
        if not rest.any():
            return [(records, True)]
        parts = [(records.only(np.flatnonzero(~rest)), True), (records.only(np.flatnonzero(rest)), False)]
        return [(rows, plain) for rows, plain in parts if len(rows)]

    def _odd_rows(self) -> Array:
        """Records whose place in time or whose certainty needs a closer look."""
        records = self.records
        odd = records.get("start.day") == NO_DAY
        if any(records.has(f"end.{name}") for name in ("low", "high", "flags", "offset")):
            odd |= (records.get("end.day") == NO_DAY) & records.moment("end").known
        if records.has("suspected") or records.has("lacks"):
            odd |= self.uncertain(records)
        return np.flatnonzero(odd | self.unspecified(records))

    def uncertain(self, records: Places) -> Mask:
        """Records that may or may not be what they say: suspected, or still pending."""
        found = np.zeros(len(records), np.bool_)
        kinds = [self.catalogue.kinds[kind] for kind in records.kinds] if len(records) else []
        if records.has("suspected"):
            found |= records.get("suspected") & ~records.spread([kind.suspected_counts for kind in kinds], np.bool_)
        if records.has("lacks"):
            found |= records.codes("lacks").stated & ~records.spread([kind.measured for kind in kinds], np.bool_)
        return found

    def unspecified(self, records: Places) -> Mask:
        """Records of a group above the kind (one entry where all are, or none)."""
        return ~records.among(self.below) if len(records) else np.zeros(0, np.bool_)

    @cached_property
    def settled(self) -> Mask:
        """The patients of whom it is said, without a bound, that there is nothing else: nothing can be unrecorded.

        The kind is complete for all time, or denied as a whole and from the beginning, and nothing is on record that
        could be newer.
        """
        found = np.zeros(self.shard.patients.rows, np.bool_)
        patient, first, last = self.covers
        found[patient[(first == NO_DAY) & (last == NO_DAY)]] = True
        if self.kind.extent != STATE and len(self.negatives):
            found[self.negatives.patient[self._absolute()]] = True
        return found

    def _absolute(self) -> Mask:
        """Negatives of the whole kind, from the beginning of history, of patients who have nothing of it on record."""
        negatives = self.negatives
        kinds = [self.catalogue.kinds[kind] for kind in negatives.kinds]
        mine = negatives.among(self.itself_and_above)
        found = mine & negatives.spread([kind.negative == HISTORY for kind in kinds], np.bool_)
        start = negatives.moment("start", required=True)
        beside = self.circle.has_rows | self.unread.has_rows | self.reopened
        found = found & (start.first <= -FAR) & (start.last >= FAR) & ~beside[negatives.patient]
        return found & ~negatives.codes("narrowed.by").stated if negatives.has("narrowed.by") else found

    @cached_property
    def default(self) -> Mask:
        """The patients of whom nothing says what could be unrecorded: no coverage, no negative of the kind."""
        found = np.ones(self.shard.patients.rows, np.bool_)
        found[self.covers[0]] = False
        if self.kind.extent != STATE:
            mine = self.negatives.among(self.itself_and_above)
            patients = self.negatives.patient
            found[patients if len(mine) == 1 and mine[0] else patients[np.broadcast_to(mine, patients.shape)]] = False
        return found

    @cached_property
    def odd(self) -> Mask:
        """The patients of whom something limits, but does not settle, what could be unrecorded."""
        return ~(self.default | self.settled)

    def moments_only(self, records: Places) -> Mask:
        """Records of kinds that happen at one moment (one entry where all are, or none)."""
        kinds = [self.catalogue.kinds.get(kind) for kind in records.kinds]  # None: a code nobody mapped
        return records.spread([kind is not None and kind.extent == MOMENT for kind in kinds], np.bool_)
