"""A shard as a Parquet file: a row group for each table, one schema for all, columns that are not stored null.

Any reader of Parquet can read it; what the columns mean is told in `onstudy.record.shard`. The metadata of the file
lists its tables, so that reading one of them touches nothing else. Ids and sources that are a number in a pattern are
stored so, as `id.number` and `id.pattern`; whoever asks for `id` is given the texts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from onstudy.errors import OnstudyError
from onstudy.population.bulk_same import is_same, same, settled
from onstudy.population.numbered import NO_PATTERN, OPEN, Numbered, joined_numbered, of_texts
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
#: Of these, texts that may be numbers in a pattern: where they are, these are stored in their place.
NUMBERED = (ID, SOURCE)
#: What such a column is stored as beside the texts that are no numbers, and of which it is a part.
_PATTERN, _NUMBER = ".pattern", ".number"
_PARTS = {f"{name}{part}": name for name in NUMBERED for part in (_PATTERN, _NUMBER)}
#: Texts for people, which no evaluation looks at; they are read on their own.
FOR_PEOPLE = frozenset({"id", "sample", "shown", "source", "code_status", "where", "what"})

#: Numbers that nearly every row has another of. Those that often are one more than in the row before are stored by what
#: each differs; of the others all first bytes stand together, then all second ones: that packs as well, and is quicker.
_STEPS = ("patient", "p.")
_BYTES = (*(name + _NUMBER for name in NUMBERED), "start.low")

_TEXT, _CODED = pa.string(), pa.dictionary(pa.int32(), pa.string())


class Words(Sequence[str]):
    """Words that stay in an Arrow array, or numbers in patterns, until one is asked for."""

    def __init__(self, words: pa.Array | Numbered) -> None:
        self.held = words

    @property
    def array(self) -> pa.Array:
        """All of them in Arrow."""
        return self.held.array() if isinstance(self.held, Numbered) else self.held

    def __len__(self) -> int:
        return len(self.held)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return tuple(self.array[place].to_pylist())
        return str(self.held.at(place) if isinstance(self.held, Numbered) else self.held[place].as_py())

    def __iter__(self) -> Iterator[str]:
        return iter(self.array.to_pylist())


def type_of(column: str) -> pa.DataType:
    """The Arrow type of a column, which its name alone decides."""
    if column in _PARTS:
        return _CODED if column.endswith(_PATTERN) else pa.int64()
    if is_text(column):
        return _TEXT if column in DIFFERENT else _CODED
    return pa.from_numpy_dtype(default_of(column).dtype)


# Writing --------------------------------------------------------------------------------------------------


def write_shard(file: IO[bytes], shard: Shard) -> None:
    """Write a shard; the same shard gives the same bytes."""
    tables = [shard.patients, shard.coverage, shard.problems, *(shard.table(kind) for kind in shard.kinds)]
    names = [*BESIDE, *(_stored_name(kind) for kind in shard.kinds)]
    named = [(name, _parted(table), table.rows) for name, table in zip(names, tables, strict=True)]
    columns = sorted({column for _, stored, _ in named for column in stored})
    listed = [{"name": name, "rows": rows, "columns": sorted(stored)} for name, stored, rows in named]
    encoding = {column: "DELTA_BINARY_PACKED" for column in columns if column.startswith(_STEPS)}
    encoding |= {column: "BYTE_STREAM_SPLIT" for column in columns if column in _BYTES}
    schema = pa.schema(
        [pa.field(column, type_of(column)) for column in columns],
        metadata={METADATA: json.dumps(listed, separators=(",", ":")).encode()},
    )
    with pq.ParquetWriter(
        file,
        schema,
        # what zstd costs to begin with is only worth it where the texts differ, and a file has many columns of nothing
        compression={column: "zstd" if column in DIFFERENT else "lz4" for column in columns},
        use_dictionary=[column for column in columns if column not in DIFFERENT and column not in encoding],
        column_encoding=encoding,
        write_statistics=False,
        write_page_checksum=True,
        store_schema=True,
    ) as writer:
        most = max(table.rows for table in tables)
        empty = {kind: pa.nulls(most, kind) for kind in set(schema.types)}
        for _, stored, rows in named:
            if rows:
                writer.write_table(_arrow(stored, rows, schema, empty), row_group_size=rows)


def _stored_name(kind: str) -> str:
    return f"kind:{kind}" if kind in BESIDE else kind


def _parted(table: Table) -> dict[str, Column]:
    """The columns of a table as they are stored: numbers in patterns apart from other texts."""
    found: dict[str, Column] = {}
    for name in table.columns():
        column = table.text(name) if is_text(name) else table.get(name)
        numbered = numbered_text(column) if isinstance(column, Text) and _held_numbers(column) is not None else None
        if numbered is None or not (numbered.which != NO_PATTERN).any():
            found[name] = column
            continue
        found[name + _PATTERN] = Text(numbered.which, numbered.patterns)
        others = np.where(numbered.which == NO_PATTERN, numbered.number, NONE)
        found[name + _NUMBER] = np.where(numbered.which == NO_PATTERN, 0, numbered.number)
        if (others != NONE).any():
            found[name] = Text(others.astype(np.int32), Words(numbered.texts))
    return found


def each_text(texts: Numbered) -> Text:
    """A column of texts of which each is another."""
    texts = replace(texts, which=settled(texts.which))
    if is_same(texts.which) and texts.which[0] == NO_PATTERN:
        return Text(texts.number.astype(np.int32), () if texts.texts is None else Words(texts.texts))
    return Text(np.where(texts.there, np.arange(len(texts)), NONE).astype(np.int32), Words(texts))


def numbered_text(text: Text) -> Numbered:
    """A column of text row by row, as numbers in patterns where it holds them."""
    held = _held_numbers(text)
    if held is None:
        return of_texts(arrow_text(text, _TEXT))
    if np.array_equal(text.index, np.where(held.there, np.arange(len(held)), NONE)):
        return held
    return joined_numbered([held, of_texts(pa.nulls(1, _TEXT))]).take(text.index)  # the last is none


def _held_numbers(text: Text) -> Numbered | None:
    """The numbers in patterns that the words of a column are, where they are."""
    held = text.words.held if isinstance(text.words, Words) else None
    return held if isinstance(held, Numbered) else None


def _arrow(
    stored: Mapping[str, Column], rows: int, schema: pa.Schema, empty: Mapping[pa.DataType, pa.Array]
) -> pa.Table:
    """A table with all columns of a schema; those it has not are taken of `empty`."""
    columns = [
        _column(stored[field.name], field.type) if field.name in stored else empty[field.type].slice(0, rows)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _column(column: Column, kind: pa.DataType) -> pa.Array:
    return arrow_text(column, kind) if isinstance(column, Text) else pa.array(column, kind)


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
    if is_same(index) and index[0] != NONE:
        return same(0, len(index), np.int32), words.slice(int(index[0]), 1)
    occurs = np.zeros(len(words) + 1, bool)
    occurs[index] = True  # none is the last
    used = np.flatnonzero(occurs[:-1])
    coded = words.take(pa.array(used)).dictionary_encode()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    place = np.full(len(words) + 1, NONE, np.int32)
    place[used] = rank[coded.indices.to_numpy()]
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
        names = [column for column in entry["columns"] if kept is None or _PARTS.get(column, column) in kept]
        super().__init__(name, entry["rows"], _Columns(file, group, names, entry["rows"]))


class _Columns(Mapping[str, Column]):
    """The columns of a row group: those for evaluation are read at once, those for people one by one."""

    def __init__(self, file: ShardFile, group: int, names: Sequence[str], rows: int) -> None:
        self._file, self._group, self._stored, self._rows = file, group, names, rows
        self._names = dict.fromkeys(_PARTS.get(name, name) for name in names)
        self._read: dict[str, Column] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> Column:
        found = self._read.get(name)
        if found is None:
            if name not in self._names:
                raise KeyError(name)
            wanted = {name} if name in FOR_PEOPLE else self._names.keys() - FOR_PEOPLE
            stored = [one for one in self._stored if _PARTS.get(one, one) in wanted]
            self._read |= read_columns(self._file, self._group, stored, self._rows)
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
    found = {name: _held(name, table.column(name)) for name in names if name not in _PARTS}
    for name in {_PARTS[part] for part in names if part in _PARTS}:
        if (numbered := _numbered(name, table)) is None:
            raise damaged(file.name)
        found[name] = numbered
    return found


def _numbered(name: str, table: pa.Table) -> Text | None:
    """A column of which some texts are numbers in patterns; None where it is none."""
    parts = {one: table.column(one).combine_chunks() for one in table.column_names if _PARTS.get(one, one) == name}
    if not {name + _PATTERN, name + _NUMBER} <= parts.keys():
        return None
    pattern = parts[name + _PATTERN]
    which = pattern.indices.fill_null(NO_PATTERN).to_numpy(zero_copy_only=False)
    patterns = tuple(pattern.dictionary.to_pylist())
    if any(one.count(OPEN) != 1 for one in patterns):
        return None
    number = parts[name + _NUMBER].fill_null(0).to_numpy(zero_copy_only=False)
    found = Numbered(patterns, settled(which.astype(np.int32, copy=False)), number)
    if (plain := which == NO_PATTERN).any():
        others = of_texts(parts.get(name, pa.nulls(len(which), _TEXT)))
        found = replace(found, number=np.where(plain, others.number, number), texts=others.texts)
    return each_text(found)


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
