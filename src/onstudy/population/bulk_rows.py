"""Rows: records of a source taken apart, many at once, and the files they wait in for their patients.

A record is its shape, which many share, and the texts in its slots. Rows travel as Arrow tables with the columns

=========  =========================================  ======================================================
`patient`  string, or int64 (`bulk_keys`)             the key of the patient the record is about; null: nobody;
                                                      "": something that is no patient
`seq`      int64                                      the place of the record in its part of the source
`shape`    dictionary of binary                       null where there is none: then `payload` is the record
`names`    list of string                             what stands in the slots, in the order of the shape: its own
`dates`    (dates and numbers also as single columns  name first; dates as ISO text; numbers as they are written
`numbers`  `dates0` ..., null where there is none)    in JSON
`links`    list of string                             references whose target is looked at
`members`  list of string                             references to the results of a report or panel
`payload`  binary                                     a record that is read as a whole, with all of its patient's
`types`    string                                     of a payload without a Patient resource: what it holds instead
`stamp`    string                                     when it was changed last, and its version
`named`    string                                     the identifier by which it names its patient, as JSON
`scope`    int64                                      of an entry of a bundle: the place of that, in which it is named
`beside`   bool                                       whether what names another or nobody is there to be referred to
=========  =========================================  ======================================================

All but the first three may be left out. Single columns of dates and numbers may be coded by a dictionary. In place of
`names`, where each record has only its own and that is a number behind a stem, there are `names.number`, int64, and
`names.stem`, a dictionary of string.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onstudy.population.bulk_keys import with_keys_alike
from onstudy.population.bulk_order import in_groups
from onstudy.population.bulk_packed import packed, unpacked
from onstudy.population.bulk_same import is_same, same, taken
from onstudy.population.bulk_same import settled as held_once
from onstudy.population.numbered import OPEN, Numbered
from onstudy.population.store_files import SEAL, Sealing, settle, whole

Ints = NDArray[np.int64]

NAMES, DATES, NUMBERS, LINKS, MEMBERS = "names", "dates", "numbers", "links", "members"
SLOTS = (NAMES, DATES, NUMBERS, LINKS, MEMBERS)
#: Own names that are numbers: the number, and what stands before it.
NUMBER, STEM = "names.number", "names.stem"
_TEXTS = pa.list_(pa.string())
TYPES: Mapping[str, pa.DataType] = {
    "patient": pa.string(),
    "seq": pa.int64(),
    "shape": pa.dictionary(pa.int32(), pa.binary()),
    **dict.fromkeys(SLOTS, _TEXTS),
    "payload": pa.binary(),
    "types": pa.string(),
    "stamp": pa.string(),
    "named": pa.string(),
    "scope": pa.int64(),
    "beside": pa.bool_(),
}
_OPTIONAL = frozenset({"payload", "types", "stamp", "named", "scope", "beside"})
#: Where the file of rows says which of its batches belong to which shard, and how its numbers are packed.
_PLACES, _LOWS, _SAID = b"onstudy:shards", b"onstudy:lows", b"onstudy:said"
#: Bytes of the number that stands behind the notes of such a file and says how long these are.
_LENGTH = 8


@dataclass(frozen=True, eq=False)
class Slots:
    """What stands in the slots of one sort: slot j of row r is `values[start[r] + j * step]`, j below `count[r]`.

    `values` is a `pa.Array`, or of names that are numbers `Numbered`.
    """

    values: Any
    start: Ints
    step: int
    count: Ints

    def places(self, rows: NDArray[Any], slot: int) -> Ints:
        """Where a slot of some rows stands in `values`; -1 where a row has no such slot."""
        return np.where(slot < self.count[rows], self.start[rows] + slot * self.step, -1)

    def of(self, rows: Ints) -> Slots:
        """The slots of some rows, in the order asked for."""
        return replace(self, start=self.start.take(rows), count=taken(self.count, rows))

    def texts(self, row: int) -> tuple[str, ...]:
        """All of one row; "" for what a column leaves out."""
        start, count = int(self.start[row]), int(self.count[row])
        return tuple(self.text(start + slot * self.step) or "" for slot in range(count))

    def text(self, place: int) -> str | None:
        """What stands at one place of `values`."""
        values = self.values
        found: str | None = values.at(place) if isinstance(values, Numbered) else values[place].as_py()
        return found

    def at(self, places: Ints) -> pa.Array:
        """What stands at some places of `values`, as texts."""
        assert places.min(initial=0) >= 0, "a slot that a row does not have is not asked for"
        values = self.values
        return values.take(places).array() if isinstance(values, Numbered) else values.take(pa.array(places))

    @property
    def stems(self) -> list[str]:
        """What stands before the numbers, where names are numbers."""
        values = self.values
        return [pattern.partition(OPEN)[0] for pattern in values.patterns] if isinstance(values, Numbered) else []

    @property
    def held(self) -> tuple[Ints, Ints]:
        """Of every text that rows have, row by row: the row, and where it stands in `values`."""
        row = np.repeat(np.arange(len(self.start)), self.count)
        slot = np.arange(len(row)) - np.repeat(np.cumsum(self.count) - self.count, self.count)
        return row, self.start[row] + slot * self.step

    @property
    def most(self) -> int:
        """The largest number of slots a row has."""
        return int(self.count[:1].max() if is_same(self.count) else self.count.max(initial=0))


def slots_of(table: pa.Table, sort: str) -> Slots:
    """The slots of one sort of a table of rows, however they are held."""
    rows = table.num_rows
    if sort == NAMES and NUMBER in table.column_names:
        assert NAMES not in table.column_names, "the rows of one source are all named alike"
        stem = _one(table.column(STEM))
        which = held_once(stem.indices.to_numpy())
        names = Numbered(tuple(f"{one}{OPEN}" for one in stem.dictionary.to_pylist()), which,
                         _one(table.column(NUMBER)).to_numpy())  # fmt: skip
        return Slots(names, np.arange(rows, dtype=np.int64), rows, same(1, rows, np.int64))
    if sort in table.column_names:
        lists = _one(table.column(sort))
        offsets = lists.offsets.to_numpy().astype(np.int64)
        count = np.diff(offsets)
        if lists.null_count:
            count[lists.is_null().to_numpy(zero_copy_only=False)] = 0
        return Slots(lists.values, offsets[:-1], 1, count)
    single = [name for name in (f"{sort}{place}" for place in range(64)) if name in table.column_names]
    arrays = [_one(table.column(name)) for name in single]
    values = arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays) if arrays else pa.array([], pa.string())
    count = same(sum(array.null_count == 0 for array in arrays), rows, np.int64)
    for array in (array for array in arrays if array.null_count):  # what a row has stands in the first columns
        count = count + array.is_valid().to_numpy(zero_copy_only=False)
    return Slots(values, np.arange(rows, dtype=np.int64), rows, count)


def _one(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def names_of(stem: str, numbers: pa.Array) -> dict[str, pa.Array]:
    """The columns of names that are numbers behind a stem."""
    return {NUMBER: numbers, STEM: pa.DictionaryArray.from_arrays(np.zeros(len(numbers), np.int32), [stem])}


class Builder:
    """Rows gathered record by record; `table` gives what was gathered.

    What stands in the slots of a record is added to the lists of texts just before the record itself. How many texts
    of each sort a shape has is asked of `counts`, once for each shape.
    """

    def __init__(self, counts: Callable[[bytes], Sequence[int]]) -> None:
        self._counts = counts
        self.patient: list[str | None] = []
        self.seq: list[int] = []
        self.shape: list[int | None] = []
        self.stamp: list[str | None] = []
        self.names: list[str] = []
        self.dates: list[str] = []
        self.numbers: list[bytes] = []
        self.links: list[str] = []
        self.shapes: dict[bytes, int] = {}
        self.members: dict[int, list[str]] = {}
        self.payload: dict[int, bytes] = {}
        self.types: dict[int, str] = {}
        self.named: dict[int, str] = {}
        self.scope: dict[int, int] = {}
        self.beside: set[int] = set()

    def __len__(self) -> int:
        return len(self.seq)

    def add(self, patient: str | None, seq: int, shape: bytes, stamp: str | None = None) -> None:
        """A record whose slots were added to the texts."""
        number = self.shapes.get(shape)
        if number is None:
            number = self.shapes[shape] = len(self.shapes)
        self.patient.append(patient)
        self.seq.append(seq)
        self.shape.append(number)
        self.stamp.append(stamp)

    def whole(
        self, patient: str | None, seq: int, payload: bytes, types: Iterable[str] | None = None, beside: bool = False
    ) -> None:
        """A record that is kept as it is; `types` are of its resources, None where a Patient resource is among them."""
        self.payload[len(self.seq)] = payload
        if beside:
            self.beside.add(len(self.seq))
        if types is not None:
            self.types[len(self.seq)] = " ".join(types)
        self.patient.append(patient)
        self.seq.append(seq)
        self.shape.append(None)
        self.stamp.append(None)

    def table(self) -> pa.Table:
        """What was gathered, as rows."""
        index = pa.array(self.shape, pa.int32())
        columns: dict[str, pa.Array] = {
            "patient": pa.array(self.patient, pa.string()),
            "seq": pa.array(self.seq, pa.int64()),
            "shape": pa.DictionaryArray.from_arrays(index, pa.array(list(self.shapes), pa.binary())),
        }
        if any(self.stamp):
            columns["stamp"] = pa.array(self.stamp, pa.string())
        counts = np.array([*(self._counts(shape) for shape in self.shapes), (0, 0, 0, 0)], np.int64)
        of_rows = counts[index.fill_null(-1).to_numpy(zero_copy_only=False)]
        for number, sort in enumerate((NAMES, DATES, NUMBERS, LINKS)):
            if texts := getattr(self, sort):
                columns[sort] = _lists(of_rows[:, number], pa.array(texts).cast(pa.string()))
        if self.members:
            many = np.zeros(len(self), np.int64)
            many[list(self.members)] = [len(some) for some in self.members.values()]
            columns[MEMBERS] = _lists(many, pa.array([one for some in self.members.values() for one in some]))
        if self.payload:
            columns["payload"] = pa.array([self.payload.get(row) for row in range(len(self))], pa.binary())
            columns["types"] = pa.array([self.types.get(row) for row in range(len(self))], pa.string())
        if self.named:
            columns["named"] = pa.array([self.named.get(row) for row in range(len(self))], pa.string())
        if self.scope:
            columns["scope"] = pa.array([self.scope.get(row) for row in range(len(self))], pa.int64())
        if self.beside:
            columns["beside"] = pa.array([row in self.beside or None for row in range(len(self))], pa.bool_())
        return pa.table(columns)


def _lists(many: Ints, values: pa.Array) -> pa.Array:
    ends = np.concatenate([[0], np.cumsum(many)]).astype(np.int32)
    assert ends[-1] == len(values), "every text belongs to a slot"
    return pa.ListArray.from_arrays(pa.array(ends), values)


def settled(table: pa.Table) -> pa.Table:
    """The same rows held in one way, however they were gathered: shapes as they occur, no column without content."""
    columns: dict[str, pa.Array] = {}
    for name in (name for name in TYPES if name in table.column_names):
        column = _one(table.column(name))
        if name in SLOTS:
            column = column.fill_null([]) if column.null_count else column
            empty = not len(column.flatten())
        else:
            empty = name in _OPTIONAL and column.null_count == len(column)
        if not empty:
            columns[name] = _as_they_occur(column) if name == "shape" else column
    return pa.table(columns)


def _as_they_occur(shape: pa.DictionaryArray) -> pa.DictionaryArray:
    """Shapes in the order in which rows have them."""
    index = shape.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    met = pa.array(index).unique().to_numpy()
    met = met[met >= 0]
    place = np.full(len(shape.dictionary) + 1, -1, np.int32)
    place[met] = np.arange(len(met))
    found = place[index]
    return pa.DictionaryArray.from_arrays(pa.array(found, mask=found < 0), shape.dictionary.take(pa.array(met)))


def column_of(table: pa.Table, name: str) -> pa.Array:
    """A column of rows in one piece."""
    column = table.column(name)
    if column.num_chunks == 0:
        return pa.nulls(0, column.type)
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


# Files of rows --------------------------------------------------------------------------------------------


def write_rows(path: Path, table: pa.Table, shards: NDArray[np.int32], said: bytes = b"", notes: bytes = b"") -> None:
    """Write rows, those of one shard together; `shards` says where each belongs. Whole or not at all, and sealed.

    `said` is kept with them, for `said_of`; `notes`, which can be long, behind them, where `notes_at` tells. Arrow has
    no checksums, so that a bit that flips would be another value.
    """
    order, begins = in_groups(shards)
    first = np.flatnonzero(begins)
    small, lows = packed(table)
    sorted_rows = small.take(pa.array(order)).combine_chunks()
    places = " ".join(map(str, shards[order[first]].tolist())).encode()
    schema = sorted_rows.schema.with_metadata({_PLACES: places, _LOWS: json.dumps(lows), _SAID: said})
    options = pa.ipc.IpcWriteOptions(compression="lz4", unify_dictionaries=True)
    with whole(path.parent) as (file, written):
        sealing = Sealing(file)
        with pa.ipc.new_file(sealing, schema, options=options) as writer:
            for start, end in pairwise([*first.tolist(), len(order)]):
                for batch in sorted_rows.slice(start, end - start).replace_schema_metadata(None).to_batches():
                    writer.write_batch(batch)
        sealing.write(notes + len(notes).to_bytes(_LENGTH, "little"))
        sealing.seal()
    settle(written, path)


def notes_at(file: pa.NativeFile) -> tuple[int, int]:
    """Where in a file of rows its notes begin, and their length."""
    end = file.size() - SEAL - _LENGTH
    file.seek(end)
    length = int.from_bytes(file.read(_LENGTH), "little")
    return end - length, length


@contextmanager
def _opened(path: Path) -> Iterator[pa.ipc.RecordBatchFileReader]:
    with pa.memory_map(str(path)) as file:
        yield pa.ipc.open_file(file, footer_offset=notes_at(file)[0])


def read_rows(path: Path, shard: int) -> pa.Table | None:
    """The rows of one shard in a file; None where there are none."""
    with _opened(path) as reader:
        said = reader.schema.metadata
        numbers = [int(number) for number in said[_PLACES].split()]
        if shard not in numbers:
            return None
        return unpacked(reader.get_batch(numbers.index(shard)), json.loads(said[_LOWS]))


def shards_in(path: Path) -> list[int]:
    """The shards a file has rows of."""
    with _opened(path) as reader:
        return [int(n) for n in (reader.schema.metadata or {}).get(_PLACES, b"").split()]


def said_of(path: Path) -> bytes:
    """What was kept with the rows of a file. Raises `OSError` or `pa.ArrowException` for a file that is none."""
    with _opened(path) as reader:
        return bytes((reader.schema.metadata or {})[_SAID])


def join_rows(tables: Iterable[pa.Table]) -> pa.Table:
    """Rows of several files one after another, whatever columns each has."""
    found = with_keys_alike(list(tables))
    return pa.concat_tables(found, promote_options="default").unify_dictionaries().combine_chunks()
