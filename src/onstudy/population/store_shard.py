"""A shard as a Parquet file: a row group for each table, one schema for all, columns that are not stored null.

Any reader of Parquet can read it; what the columns mean is told in `onstudy.record.shard`. The metadata of the file
lists its tables, so that reading one of them touches nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from onstudy.errors import OnstudyError
from onstudy.record.shard import (
    ID,
    NONE,
    SOURCE,
    Column,
    Shard,
    Table,
    Text,
    default_of,
    is_text,
)

PATIENTS, COVERAGE, PROBLEMS = "patients", "coverage", "problems"
#: Tables that are no kind of fact. A kind of one of these names would be stored as `kind:NAME`.
BESIDE = (PATIENTS, COVERAGE, PROBLEMS)
METADATA = b"onstudy"
#: Texts that nearly every row has another of: plain, not coded by a dictionary.
DIFFERENT = frozenset({"id", "sample", "source", "where"})
#: Texts for people, which no evaluation looks at; they are read on their own.
FOR_PEOPLE = frozenset({"id", "sample", "shown", "source", "code_status", "where", "what"})

#: Numbers that nearly every row has another of, often one more than the row before: stored by what each differs.
_STEPS = ("patient", "p.", "start.low")

_TEXT, _CODED = pa.string(), pa.dictionary(pa.int32(), pa.string())


class Words(Sequence[str]):
    """Words that stay in an Arrow array until one is asked for."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return tuple(self.array[place].to_pylist())
        return str(self.array[place].as_py())

    def __iter__(self) -> Iterator[str]:
        return iter(self.array.to_pylist())


def type_of(column: str) -> pa.DataType:
    """The Arrow type of a column, which its name alone decides."""
    if is_text(column):
        return _TEXT if column in DIFFERENT else _CODED
    return pa.from_numpy_dtype(default_of(column).dtype)


# Writing --------------------------------------------------------------------------------------------------


def write_shard(file: IO[bytes], shard: Shard) -> None:
    """Write a shard; the same shard gives the same bytes."""
    tables = [shard.patients, shard.coverage, shard.problems, *(shard.table(kind) for kind in shard.kinds)]
    named = list(zip([*BESIDE, *(_stored_name(kind) for kind in shard.kinds)], tables, strict=True))
    columns = sorted({column for table in tables for column in table.columns()})
    listed = [{"name": name, "rows": table.rows, "columns": sorted(table.columns())} for name, table in named]
    steps = [column for column in columns if column.startswith(_STEPS)]
    schema = pa.schema(
        [pa.field(column, type_of(column)) for column in columns],
        metadata={METADATA: json.dumps(listed, separators=(",", ":")).encode()},
    )
    with pq.ParquetWriter(
        file,
        schema,
        # what zstd costs to begin with is only worth it where the texts differ, and a file has many columns of nothing
        compression={column: "zstd" if column in DIFFERENT else "lz4" for column in columns},
        use_dictionary=[column for column in columns if column not in DIFFERENT and column not in steps],
        column_encoding=dict.fromkeys(steps, "DELTA_BINARY_PACKED"),
        write_statistics=False,
        write_page_checksum=True,
        store_schema=True,
    ) as writer:
        most = max(table.rows for table in tables)
        empty = {kind: pa.nulls(most, kind) for kind in set(schema.types)}
        for _, table in named:
            if table.rows:
                writer.write_table(_arrow(table, schema, empty), row_group_size=table.rows)


def _stored_name(kind: str) -> str:
    return f"kind:{kind}" if kind in BESIDE else kind


def _arrow(table: Table, schema: pa.Schema, empty: Mapping[pa.DataType, pa.Array]) -> pa.Table:
    """A table with all columns of a schema; those it has not are taken of `empty`."""
    stored = set(table.columns())
    columns = [
        _column(table, field.name) if field.name in stored else empty[field.type].slice(0, table.rows)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _column(table: Table, name: str) -> pa.Array:
    if is_text(name):
        return arrow_text(table.text(name), type_of(name))
    return pa.array(table.get(name), type_of(name))


def arrow_text(text: Text, kind: pa.DataType) -> pa.Array:
    """A column of text in Arrow: coded by a dictionary, or plain."""
    if isinstance(text.words, Words):
        words = text.words.array
    else:
        words = pa.array([_sound(word) for word in text.words], _TEXT)
    if isinstance(text.words, Words) and len(words) == len(text.index) and kind == _TEXT:
        if np.array_equal(text.index, np.arange(len(words), dtype=np.int32)):
            return words
    found, words = (text.index, words) if kind == _TEXT else _in_order(text.index, words)
    lacking = found == NONE
    index = pa.array(found, pa.int32(), mask=lacking if lacking.any() else None)
    return words.take(index) if kind == _TEXT else pa.DictionaryArray.from_arrays(index, words)


def _in_order(index: NDArray[np.int32], words: pa.Array) -> tuple[NDArray[np.int32], pa.Array]:
    """The words that occur, each once and sorted, so that it cannot be told how a shard came about."""
    occurs = np.zeros(len(words) + 1, bool)
    occurs[index] = True  # none is the last
    used = np.flatnonzero(occurs[:-1])
    coded = words.take(pa.array(used)).dictionary_encode()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    place = np.full(len(words) + 1, NONE, np.int32)
    place[used] = np.argsort(order)[coded.indices.to_numpy()]
    return place[index], coded.dictionary.take(pa.array(order))


def _sound(word: str) -> str:
    """A text that can be stored: half of a surrogate pair, which no text holds, becomes a question mark."""
    return word.encode("utf-8", "replace").decode("utf-8")


# Reading --------------------------------------------------------------------------------------------------


class StoredShard(Shard):
    """A shard that is read from its file table by table, and in each only what is asked for."""

    def __init__(
        self,
        path: Path | pa.NativeFile,
        kinds: Collection[str] | None,
        columns: Collection[str] | None,
        called: str = "",
    ) -> None:
        self._file = open_shard(path, called)
        found = _listed(self._file)
        tables = {
            name.removeprefix("kind:"): StoredTable(name.removeprefix("kind:"), self._file, place, entry, columns)
            for name, (place, entry) in found.items()
            if name not in BESIDE and (kinds is None or name.removeprefix("kind:") in kinds)
        }
        patients, coverage, problems = (
            StoredTable(name, self._file, *found.get(name, (-1, {"rows": 0, "columns": []})), None) for name in BESIDE
        )
        super().__init__(patients, coverage, problems, tables)


@dataclass(frozen=True)
class ShardFile:
    """The file of a shard, and how it is called. What is read of it is held to the checksums of its pages."""

    name: str
    file: pq.ParquetFile

    def tables(self) -> list[_Entry]:
        """What its metadata list: name, rows and columns of each table."""
        try:
            listed = json.loads((self.file.schema_arrow.metadata or {})[METADATA])
            return [{"name": str(e["name"]), "rows": int(e["rows"]), "columns": list(e["columns"])} for e in listed]
        except (KeyError, ValueError, TypeError):
            raise damaged(self.name, "has no list of its tables") from None

    def read(self, group: int, names: Sequence[str], rows: int) -> pa.Table:
        """Some columns of a row group of so many rows. Raises `OnstudyError` where they are not as they were."""
        try:
            found = self.file.read_row_group(group, columns=list(names), use_threads=False)
        except (OSError, ValueError, pa.ArrowException):
            raise damaged(self.name) from None
        if found.num_rows != rows or set(found.column_names) != set(names):
            raise damaged(self.name)
        return found


def damaged(name: str, reason: str = "is damaged") -> OnstudyError:
    """The error of a shard that cannot be read."""
    return OnstudyError(
        f"{name}: this part of the store {reason}; build the store again: the same `onstudy build SOURCE --store DIR` "
        "(or `onstudy generate patients`) makes anew what is damaged"
    )


def open_shard(path: Path | pa.NativeFile, called: str = "") -> ShardFile:
    """The file of a shard, opened."""
    name = called or (str(path) if isinstance(path, Path) else "a shard")
    try:
        return ShardFile(name, pq.ParquetFile(path, memory_map=True, page_checksum_verification=True))
    except FileNotFoundError:
        raise damaged(name, "is not there") from None
    except (OSError, ValueError, pa.ArrowException):
        raise damaged(name) from None


_Entry = Mapping[str, Any]


def _listed(file: ShardFile) -> dict[str, tuple[int, _Entry]]:
    """The tables of the file: row group, rows and columns of each."""
    found, place = {}, 0
    for entry in file.tables():
        found[entry["name"]] = (place if entry["rows"] else -1, entry)
        place += 1 if entry["rows"] else 0
    return found


class StoredTable(Table):
    """One table of a stored shard. Its columns are read together the first time one of them is asked for."""

    def __init__(self, name: str, file: ShardFile, group: int, entry: _Entry, columns: Collection[str] | None) -> None:
        kept = None if columns is None else {*columns, "patient", *([ID] if SOURCE in columns else [])}
        names = [column for column in entry["columns"] if kept is None or column in kept]
        super().__init__(name, entry["rows"], _Columns(file, group, names, entry["rows"]))


class _Columns(Mapping[str, Column]):
    """The columns of a row group: those for evaluation are read at once, those for people one by one."""

    def __init__(self, file: ShardFile, group: int, names: Sequence[str], rows: int) -> None:
        self._file, self._group, self._names, self._rows = file, group, dict.fromkeys(names), rows
        self._read: dict[str, Column] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> Column:
        found = self._read.get(name)
        if found is None:
            if name not in self._names:
                raise KeyError(name)
            wanted = [name] if name in FOR_PEOPLE else [one for one in self._names if one not in FOR_PEOPLE]
            for column, array in read_columns(self._file, self._group, wanted, self._rows).items():
                self._read[column] = array
            found = self._read[name]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read_columns(file: ShardFile, group: int, names: Sequence[str], rows: int) -> dict[str, Column]:
    """Some columns of a row group, as a shard holds them."""
    if group < 0:
        return {name: _empty(name) for name in names}
    table = file.read(group, names, rows)
    return {name: _held(name, table.column(name)) for name in names}


def _empty(name: str) -> Column:
    return Text(np.empty(0, np.int32), ()) if is_text(name) else np.empty(0, default_of(name).dtype)


def _held(name: str, column: pa.ChunkedArray) -> Column:
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if not is_text(name):
        return np.asarray(array.to_numpy(zero_copy_only=False))
    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    index = coded.indices.fill_null(NONE).to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    if name in DIFFERENT:
        return Text(index, Words(coded.dictionary))
    return Text(index, tuple(coded.dictionary.to_pylist()))
