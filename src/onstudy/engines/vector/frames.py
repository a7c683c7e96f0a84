"""What a node is answered for: pairs of a patient and anchors, or the records of such pairs.

A frame is a list of rows, each of one pair. In a frame of records every row is a record a body is about; there are
frames of records that nobody made, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.engines.vector.arrays import Array, Index
from onstudy.engines.vector.calendar import FAR, completed_years
from onstudy.engines.vector.moments import Moments, of_days
from onstudy.engines.vector.places import Places
from onstudy.engines.vector.rowsets import Family, RowSet
from onstudy.engines.vector.subjects import Recorded, Subjects
from onstudy.engines.vector.trees import Forest
from onstudy.record.catalogue import Catalogue
from onstudy.record.impossible import OLDEST
from onstudy.record.shard import Shard

REGISTRATION = "registration"


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Patients (rows of a shard) with the anchors each is asked with.

    Anchors have one entry a pair, or one for all; one that is absent, or not stated, is not known yet. The
    registration is one whole day. `prepared` is the day by which records without an upper bound of their own ended;
    None: the registration of each pair. (Who asks for other registration days keeps it.)
    """

    rows: NDArray[np.integer[Any]]
    anchors: Mapping[str, Moments]
    prepared: int | None = None

    def __post_init__(self) -> None:
        registration = self.anchors[REGISTRATION]
        assert registration.plain and registration.stated is None, "registration is one known day"

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Array) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.rows.take(rows), {name: a.take(rows) for name, a in self.anchors.items()}, self.prepared)


#: What has been laid out of the kinds of one shard.
Families = dict[str, Family]


class Setting:
    """A shard, the pairs asked about, and what has been laid out for them."""

    def __init__(
        self, shard: Shard, pairs: Pairs, catalogue: Catalogue, forest: Forest, plain: bool, families: Families
    ) -> None:
        self.shard, self.pairs, self.catalogue, self.forest = shard, pairs, catalogue, forest
        self.index = pairs.anchors[REGISTRATION]
        self.prepared = self.index if pairs.prepared is None else of_days(np.array([pairs.prepared], np.int32))
        self.patient = pairs.rows.astype(np.intp, copy=False)
        self.everybody = len(pairs) == shard.patients.rows and bool((pairs.rows == np.arange(len(pairs))).all())
        self._families, self._plain = families, plain
        self._memos: list[dict[Any, Any]] = []
        self.base = Frame(self, len(pairs), None)

    def family(self, kind: str) -> Family:
        """Everything about one kind."""
        found = self._families.get(kind)
        if found is None:
            entry = self.catalogue.kinds[kind]
            beside = next((one.unmapped for one in self._families.values()), None)  # of the shard, not of a kind
            found = self._families[kind] = Family(self.shard, entry, self.catalogue, self._plain, beside)
        return found

    def memo(self) -> dict[Any, Any]:
        """A place to keep what was worked out, until all of it is forgotten."""
        made: dict[Any, Any] = {}
        self._memos.append(made)
        return made

    def forget(self) -> None:
        """Let go of everything worked out. Frames and answers refer to one another, so nothing else does so soon."""
        for memo in self._memos:
            memo.clear()
        self._memos.clear()
        del self.base

    @cached_property
    def born(self) -> Moments:
        """The date of birth of each pair's patient; none where it would make them older than people become."""
        born = Places([self.shard.patients], None, None).moment("born", required=True)
        born = born if self.everybody else born.take(self.patient)
        too_old = completed_years(born.last, self.prepared.first) > OLDEST
        if not too_old.any():
            return born
        return Moments(np.where(too_old, np.int32(-FAR), born.first), np.where(too_old, np.int32(FAR), born.last))


class Frame:
    """Rows of one pair each. `pair` None: the pairs themselves. `at`: the rows of another frame they belong to."""

    def __init__(
        self,
        setting: Setting,
        rows: int,
        pair: Index | None,
        subjects: Subjects | None = None,
        at: Index | None = None,
    ) -> None:
        self.setting, self.rows, self.pair, self.subjects, self._at = setting, rows, pair, subjects, at
        self.memo = setting.memo()

    @property
    def at(self) -> Index:
        """The row of the frame it was made from."""
        assert self._at is not None, "the frame was made from no other"
        return self._at

    @cached_property
    def patient(self) -> Index:
        """The patient of each row."""
        rows = self.setting.patient
        return rows if self.pair is None else rows.take(self.pair)

    def of_patients(self, values: Array) -> Array:
        """What holds for each row's patient."""
        return values if self.pair is None and self.setting.everybody else values.take(self.patient)

    def to_pairs(self, rows: Array) -> Array:
        """The pairs of some rows."""
        return rows if self.pair is None else self.pair.take(rows)

    def take(self, rows: Array) -> Frame:
        """A frame of some of the rows; `at` says which they were."""
        subjects = None if self.subjects is None else self.subjects.take(rows)
        return Frame(self.setting, len(rows), self.to_pairs(rows), subjects, rows)

    def records(self, kind: str) -> list[Records]:
        """The records of a kind that each row's patient has: those of plain patients, and the others."""
        found = self.memo.get(("records", kind))
        if found is None:
            family = self.setting.family(kind)
            found = self.memo["records", kind] = [self.laid_out(family, rows, plain) for rows, plain in family.parts]
        return [records for records in found if records.frame.rows]

    def laid_out(self, family: Family, rows: RowSet, plain: bool) -> Records:
        """The rows of a set that each row's patient has, as a frame of records."""
        if self.pair is None and self.setting.everybody:
            at, chosen = rows.patient, None
        else:
            at, chosen = rows.of(self.patient)
        pair = self.to_pairs(at)
        subjects = Recorded(family, rows, chosen, self.setting, pair, plain)
        return Records(Frame(self.setting, len(at), pair, subjects, at), subjects)


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """A frame of recorded facts, with what they are."""

    frame: Frame
    subjects: Recorded

    @property
    def at(self) -> Index:
        """The row of the asking frame each belongs to."""
        return self.frame.at
