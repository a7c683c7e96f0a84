"""Shards out of shards: some of the patients of one, the patients of several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.record.shard.columns import NONE, Array, Column, Shard, Table, Text, default_of, is_text
from onstudy.record.shard.writing import without_defaults

Rows = NDArray[np.int64]


def select(shard: Shard, rows: NDArray[Any]) -> Shard:
    """The shard of some of the patients, in the given order; no patient twice."""
    new = np.full(shard.patients.rows, NONE, np.int32)
    new[rows] = np.arange(len(rows), dtype=np.int32)
    chosen = {kind: _rows_of(shard.table(kind), new) for kind in shard.kinds}
    places = {kind: _places(shard.table(kind).rows, kept) for kind, kept in chosen.items()}
    tables = {kind: _taken(shard.table(kind), chosen[kind], new, places) for kind in shard.kinds if len(chosen[kind])}
    return Shard(
        _taken(shard.patients, np.asarray(rows, np.int64), None, {}),
        _taken(shard.coverage, _rows_of(shard.coverage, new), new, {}),
        _taken(shard.problems, _rows_of(shard.problems, new), new, {}),
        tables,
    )


def _rows_of(table: Table, new: NDArray[np.int32]) -> Rows:
    """The rows of the patients that stay, in the patients' new order."""
    if not table.rows:
        return np.empty(0, np.int64)
    patients = new[table.get("patient")]
    kept = np.flatnonzero(patients >= 0)
    return kept[np.argsort(patients[kept], kind="stable")]


def _places(rows: int, kept: Rows) -> NDArray[np.int32]:
    """Where each old row lies now; the last entry is for "no row"."""
    places = np.full(rows + 1, NONE, np.int32)
    places[kept] = np.arange(len(kept), dtype=np.int32)
    return places


def _taken(table: Table, rows: Rows, new: NDArray[np.int32] | None, places: Mapping[str, NDArray[np.int32]]) -> Table:
    columns: dict[str, Column] = {}
    for name in table.columns():
        if is_text(name):
            columns[name] = _fewer(table.text(name), rows)
            continue
        column = table.get(name)[rows]
        if name == "patient" and new is not None:
            column = new[column]
        elif name.startswith("p."):
            column = places[name.split(".")[2]][column]
        columns[name] = column
    return Table(table.name, len(rows), without_defaults(columns))


def _fewer(text: Text, rows: Rows) -> Text:
    """Some rows of a column of text, with the words that are used."""
    index = text.index[rows]
    used = np.unique(index[index >= 0])
    places = np.full(len(text.words) + 1, NONE, np.int32)
    places[used] = np.arange(len(used), dtype=np.int32)
    return Text(places[index], tuple(text.words[int(place)] for place in used))


def joined(shards: Sequence[Shard]) -> Shard:
    """One shard of the patients of several, shard after shard."""
    counts = [shard.patients.rows for shard in shards]
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1].astype(np.int64)
    kinds = sorted({kind for shard in shards for kind in shard.kinds})
    before = {kind: _starts([shard.table(kind).rows for shard in shards]) for kind in kinds}
    tables = {kind: _together([shard.table(kind) for shard in shards], starts, before) for kind in kinds}
    return Shard(
        _together([shard.patients for shard in shards], None, {}),
        _together([shard.coverage for shard in shards], starts, {}),
        _together([shard.problems for shard in shards], starts, {}),
        tables,
    )


def _starts(counts: Sequence[int]) -> Rows:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)[:-1]


def _together(tables: Sequence[Table], patients: Rows | None, before: Mapping[str, Rows]) -> Table:
    names = sorted({name for table in tables for name in table.columns()})
    owners = {name.removesuffix("low") + "high" for name in names if name.endswith(".low")}
    names = sorted({*names, *(owner for owner in owners if _differs(tables, owner))})
    columns: dict[str, Column] = {}
    for name in names:
        if is_text(name):
            columns[name] = join_texts([table.text(name) for table in tables])
        else:
            columns[name] = _moved([table.get(name) for table in tables], name, patients, before)
    return Table(tables[0].name, sum(table.rows for table in tables), without_defaults(columns))


def _differs(tables: Sequence[Table], name: str) -> bool:
    """Whether a `.high` must be written: it is stored in some of the tables."""
    return any(table.has(name) for table in tables)


def _moved(parts: Sequence[Array], name: str, patients: Rows | None, before: Mapping[str, Rows]) -> Array:
    shifts = patients if name == "patient" else before[name.split(".")[2]] if name.startswith("p.") else None
    if shifts is not None:
        parts = [
            np.where(part >= 0, part + shift, NONE).astype(np.int32) for part, shift in zip(parts, shifts, strict=True)
        ]
    kept = [part for part in parts if len(part)]
    return np.concatenate(kept) if kept else np.empty(0, default_of(name).dtype)


def join_texts(texts: Sequence[Text]) -> Text:
    """Columns of text one after another, under one list of words."""
    words = sorted({word for text in texts for word in text.words})
    places = {word: place for place, word in enumerate(words)}
    found = []
    for text in texts:
        moved = np.array([places[word] for word in text.words] + [NONE], np.int32)
        found.append(moved[text.index])
    return Text(np.concatenate(found) if found else np.empty(0, np.int32), tuple(words))
