"""Rows put together by patient: those of one in the order of the source, without copies and older versions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_classes import factorised
from onstudy.population.bulk_keys import as_texts
from onstudy.population.bulk_letters import all_different, last_letters
from onstudy.population.bulk_order import in_order
from onstudy.population.bulk_rows import SLOTS, Ints, Slots, slots_of
from onstudy.population.bulk_stamps import stamp_of
from onstudy.population.bulk_walk import type_of_shape
from onstudy.population.numbered import Numbered
from onstudy.readers.fhir_versions import outdated
from onstudy.readers.source import decode


@dataclass(frozen=True, eq=False)
class Gathered:
    """Rows by patient, those of one in the order of the source; those about nobody come last.

    What stands in them stays where it lies in `table`; `place` says where that is.
    """

    table: pa.Table
    place: Ints
    patient: Ints
    keys: list[str]
    shape: NDArray[np.int32]
    shapes: list[bytes]
    unique: bool = False  # whether no two rows have the same name
    _slots: dict[str, Slots] = field(default_factory=dict, init=False)

    @property
    def types(self) -> list[str]:
        """The type of resource of each shape."""
        return [type_of_shape(shape) for shape in self.shapes]

    def take(self, rows: Ints) -> Gathered:
        """Some of the rows."""
        return replace(self, place=self.place[rows], patient=self.patient[rows], shape=self.shape[rows])

    def slots(self, sort: str) -> Slots:
        """The slots of one sort."""
        if sort not in self._slots:
            self._slots[sort] = slots_of(self.table, sort).of(self.place)
        return self._slots[sort]

    def cell(self, column: str, row: int) -> Any:
        """What a row has in a column that may be left out."""
        return self.table.column(column)[int(self.place[row])].as_py() if column in self.table.column_names else None


def gathered(table: pa.Table, components: Sequence[str]) -> Gathered:
    """The rows of a table by patient, without copies of one resource. `components` are the names of all there are."""
    keys = _single(table.column("patient")).dictionary_encode()
    patient = keys.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    order = in_order(np.where(patient < 0, len(keys.dictionary), patient))
    shape = _single(table.column("shape"))
    number = shape.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    found = Gathered(
        table.drop_columns(["patient", "shape"]), order, patient[order],
        as_texts(keys.dictionary).to_pylist(), number[order], shape.dictionary.to_pylist(),
    )  # fmt: skip
    return _without_copies(found, components)


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _without_copies(rows: Gathered, components: Sequence[str]) -> Gathered:
    """The rows without equal copies of a resource and without the older of its versions, as `Source.newest` does it."""
    if not len(rows.patient):
        return rows
    names = rows.slots("names")
    some = np.flatnonzero((rows.shape >= 0) & (names.count > 0))
    alone = len(some) == len(names.values)  # then no name stands beside another, and all are looked at where they lie
    own = names.values if alone else names.values.take(names.start[some])
    if all_different(own):
        return replace(rows, unique=bool((names.count <= 1).all()) and not _like_components(own, components))
    own = names.at(names.start[some])
    types = {kind: number for number, kind in enumerate(sorted(set(rows.types)))}
    kind = np.array([types[one] for one in rows.types] + [-1], np.int64)[rows.shape[some]]
    name = own.dictionary_encode().indices.to_numpy().astype(np.int64)
    codes = factorised(rows.patient[some], kind, name)
    many = np.bincount(codes) if len(codes) else np.zeros(0, np.int64)
    if not (many > 1).any():
        return rows
    versions: dict[int, list[int]] = {}
    for place in np.flatnonzero(many[codes] > 1).tolist():
        versions.setdefault(int(codes[place]), []).append(int(some[place]))
    dropped = [row for group in versions.values() for row in _older(group, rows)]
    kept = np.ones(len(rows.patient), bool)
    kept[dropped] = False
    return rows.take(np.flatnonzero(kept))


def _like_components(names: pa.Array | Numbered, components: Sequence[str]) -> bool:
    """Whether a name is such as a component of another record has: `NAME.component`."""
    if isinstance(names, Numbered):
        if not names.may_end_in("".join(name[-1] for name in components)):
            return False
        names = names.array()
    last = np.isin(last_letters(names), [ord(name[-1]) for name in components])
    ends = "|".join(re.escape(name) for name in components)
    some = names.filter(pa.array(last))
    return bool(pc.any(pc.match_substring_regex(some, rf"\.(?:{ends})$")).as_py())


def _older(versions: list[int], rows: Gathered) -> Iterator[int]:
    """The versions of a resource of which another is known to be newer, and of the others those that say the same."""
    older = outdated([stamp_of(rows.cell("stamp", row)) for row in versions])
    slots = [rows.slots(sort) for sort in SLOTS]
    seen: set[tuple[object, ...]] = set()
    for place, row in enumerate(versions):
        said = (_spaceless(rows.shapes[rows.shape[row]]), *(one.texts(row) for one in slots))
        if place in older or said in seen:
            yield row
        else:
            seen.add(said)


@lru_cache(1 << 12)
def _spaceless(shape: bytes) -> str:
    """A shape without what may differ where the same is said: spaces, escapes, the order of keys."""
    return json.dumps(decode(shape.decode("utf-8", "surrogatepass")), sort_keys=True, default=str)
