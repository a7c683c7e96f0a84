"""The two sorts of work of a build: reading a piece of a source into rows, and putting the rows of a shard together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from onstudy.errors import OnstudyError
from onstudy.population.build_identified import at_its_place, places_of
from onstudy.population.build_report import Left, latest_day, left_in
from onstudy.population.build_sources import Source, Task
from onstudy.population.build_strangers import add_strangers, are_people, types_of
from onstudy.population.bulk_assemble import Assembler, Ways
from onstudy.population.bulk_fhir import NOBODY, SHARED, Tally
from onstudy.population.bulk_keys import alike, as_texts, of_patients
from onstudy.population.bulk_notes import Hashes, Noted, noted_in, notes_of
from onstudy.population.bulk_rows import Ints, column_of, join_rows, read_rows, write_rows
from onstudy.population.bulk_subjects import PATIENT
from onstudy.population.bulk_tables import merged
from onstudy.population.bulk_walk import type_of_shape
from onstudy.population.store import SHARDS, ShardInfo, StoreWriter, catalogue_digest
from onstudy.population.store_files import read_checked, write_checked
from onstudy.population.store_shard import StoredShard
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.catalogue_file import extend
from onstudy.record.shard import Shard

ROWS, BUILDING = "rows", "building"
#: Rows about nobody are kept under this number.
ABOUT_NOBODY = -1
#: Where more of a shard's patients changed than this, all of them are put together anew.
_MANY = 0.3


@dataclass(frozen=True)
class Given:
    """What every worker is given: it is the same for a whole build."""

    source: Source
    store: Path
    mapping: Path | None
    catalogue: str  # its hash
    shard_count: int
    version: str  # of the program


@dataclass(frozen=True, slots=True)
class Reading:
    """Read a piece into a file of rows."""

    task: Task
    file: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Find who has identifiers of some systems, among the Patient resources of a piece."""

    task: Task
    systems: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """Find the rows of a file that are called, or refer to, what has some hashes."""

    file: str
    names: Hashes


@dataclass(frozen=True, slots=True)
class Putting:
    """Put a shard together of the rows in `files`; those of `waited` belong into the file that stands before them.

    `changed` are files of rows, old and new, that name the patients who changed; None is everybody. `alone` is the
    one patient there is in the whole source: what is about nobody is about that one.
    """

    number: int
    files: tuple[str, ...]
    waited: frozenset[str]
    key: str
    changed: tuple[str, ...] | None = None
    old: ShardInfo | None = None
    alone: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """What came of reading a piece."""

    tally: Tally
    people: int
    first: str | None  # a patient


#: Reason, item and count of what could not be used.
LeftOut = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Put:
    """What came of putting a shard together."""

    info: ShardInfo | None  # None: nobody lies in it
    built: int
    left: list[LeftOut]  # where nobody lies in it: elsewhere it is kept beside the shard
    ways: Ways = field(default_factory=Ways)


def begin(given: Given) -> Callable[[Any], Any]:
    """What does a piece of work, in a worker."""
    return _Worker(given).work


def catalogue_of(mapping: Path | None) -> Catalogue:
    """The catalogue with a site's mapping, if there is one. Raises `InvalidFile` with all that is wrong in it."""
    return load_catalogue() if mapping is None else extend(load_catalogue(), mapping)


class _Worker:
    def __init__(self, given: Given) -> None:
        self.given = given
        self.catalogue = catalogue_of(given.mapping)
        if catalogue_digest(self.catalogue) != given.catalogue:
            raise OnstudyError(f"{given.mapping}: was changed while it was used; run the same command again")
        self.rows, self.shards = given.store / ROWS, given.store / SHARDS

    def work(self, piece: Reading | Finding | Asking | Putting) -> Read | pa.Table | list[Noted] | Put:
        """Do one piece of work."""
        if isinstance(piece, Finding):
            return self.given.source.identified(piece.task, piece.systems)
        if isinstance(piece, Asking):
            return noted_in(self.rows / piece.file, piece.names)
        return self._read(piece) if isinstance(piece, Reading) else self._put(piece)

    # Reading ------------------------------------------------------------------------------------------------

    def _read(self, piece: Reading) -> Read:
        table, tally = self.given.source.rows(piece.task, self.catalogue)
        shards = places_of(table, self.given.shard_count)
        read = _read_of(table, tally)
        notes = notes_of(table, piece.file) if self.given.source.refers else b""
        write_rows(self.rows / piece.file, table, shards, _said(read, self.given), notes)
        return read

    # Putting together ---------------------------------------------------------------------------------------

    def _put(self, piece: Putting) -> Put:
        changed = self._changed(piece)
        old = None if changed is None or piece.old is None else self._old(piece.old)
        if old is not None and changed is not None and len(changed) > _MANY * old.patients.rows:
            old = None
        strangers: Left = Counter()
        assembled = self._assembler.assemble(self._joined(piece, None if old is None else changed, strangers))
        shard, built = assembled.shard, assembled.shard.patients.rows
        if old is not None:
            assert changed is not None, "an old shard is kept where some patients changed"
            shard = _replaced(old, self._ids(piece, changed), shard)
        left = left_in(shard)
        left.update(strangers)
        put = Put(None, built, _listed(left), assembled.ways)
        if shard.patients.rows:
            writer = StoreWriter(self.given.store)
            info = writer.add(piece.number, shard, latest_day(shard))
            put = Put(writer.add_left(info, _left_written(put.left)), built, [], assembled.ways)
        _write_done(self.given.store / BUILDING / piece.key / f"{piece.number:05d}.json", put)
        return put

    def _rows(self, piece: Putting) -> list[pa.Table]:
        """The rows of a shard, file by file; of the only patient also those about nobody, at their place."""
        found: list[pa.Table | None] = []
        for name in piece.files:
            table = read_rows(self.rows / name, piece.number)
            if name in piece.waited:
                table = at_its_place(found.pop(), table)
            elif piece.alone is not None:
                nobodys = read_rows(self.rows / name, ABOUT_NOBODY)
                table = table if nobodys is None else at_its_place(table, _of_the_only(nobodys, piece.alone))
            found.append(table)
        return [table for table in found if table is not None]

    def _joined(self, piece: Putting, patients: pa.Array | None, strangers: Left) -> pa.Table:
        """The rows of a shard, of some patients or all, and those about nobody; strangers among them are counted."""
        rows = self._rows(piece)
        add_strangers(rows, strangers)
        some = rows if patients is None else [_of(table, patients) for table in rows]
        some += [table.filter(_is_shared(table)) for table in self._about_nobody(piece.files)]
        some = [table for table in some if table.num_rows]
        return join_rows(some) if some else _NO_ROWS

    @cached_property
    def _assembler(self) -> Assembler:
        return Assembler(self.given.source.reader(self.catalogue), self.given.source.together, self.catalogue)

    def _about_nobody(self, files: Sequence[str]) -> list[pa.Table]:
        return [table for name in files if (table := read_rows(self.rows / name, ABOUT_NOBODY)) is not None]

    def _changed(self, piece: Putting) -> pa.Array | None:
        """The patients of whom something changed; None for everybody."""
        if piece.changed is None or self._about_nobody(piece.changed):
            return None
        tables = [read_rows(self.rows / name, piece.number) for name in piece.changed]
        keys = [column_of(table, "patient") for table in tables if table is not None]
        return pc.unique(pa.concat_arrays(alike(keys))) if keys else pa.array([], pa.string())

    def _old(self, info: ShardInfo) -> Shard:
        return StoredShard(self.shards / info.file, None, None)

    def _ids(self, piece: Putting, changed: pa.Array) -> set[str]:
        """What the patients who changed may be called in the shard: by their keys, and by names of their own."""
        found = set(as_texts(changed).to_pylist())
        for name in (*piece.files, *(piece.changed or ())):
            table = read_rows(self.rows / name, piece.number)
            if table is not None and "names" in table.column_names:
                for names in _of(table, changed).column("names").to_pylist():
                    found.update(names or ())
        return found


_NO_ROWS = pa.table(
    {
        "patient": pa.array([], pa.string()),
        "seq": pa.array([], pa.int64()),
        "shape": pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.binary())),
    }
)


def _of(table: pa.Table, patients: pa.Array) -> pa.Table:
    keys, wanted = alike([column_of(table, "patient"), patients])
    return table.filter(pc.is_in(keys, value_set=wanted))


def _of_the_only(table: pa.Table, alone: str) -> pa.Table:
    """The rows about nobody that are not there for all, as rows about the only patient there is."""
    mine = table.filter(pc.invert(_is_shared(table)))
    return of_patients(mine, pa.array([alone] * mine.num_rows, pa.string()))


def _is_shared(table: pa.Table) -> pa.Array:
    shape = column_of(table, "shape")
    shared = [type_of_shape(one) in SHARED for one in shape.dictionary.to_pylist()]
    return pa.array(np.array([*shared, False], bool)[shape.indices.fill_null(-1).to_numpy(zero_copy_only=False)])


def _replaced(old: Shard, gone: set[str], new: Shard) -> Shard:
    """The old shard without some patients, with those of the new one."""
    ids = old.patients.text("id")
    kept = [row for row in range(old.patients.rows) if ids.at(row) not in gone]
    named = [*((str(ids.at(row)), 0, row) for row in kept)]
    ours = new.patients.text("id")
    named += [(str(ours.at(row)), 1, row) for row in range(new.patients.rows)]
    places: tuple[Ints, Ints] = (
        np.full(old.patients.rows, -1, np.int64),
        np.full(new.patients.rows, -1, np.int64),
    )
    for place, (_, which, row) in enumerate(sorted(named)):
        places[which][row] = place
    return merged([old, new], places)


# What is kept of work that was done -------------------------------------------------------------------------------


def _read_of(table: pa.Table, tally: Tally) -> Read:
    """What there is to say of the rows of a piece."""
    patient = column_of(table, "patient")
    about_nobody = patient.is_null()
    if "named" in table.column_names:
        about_nobody = pc.and_(about_nobody, column_of(table, "named").is_null())
    nobodys = table.filter(about_nobody)
    counts = types_of(nobodys)
    counts[PATIENT] += int(are_people(nobodys).sum())  # without an id
    tally.left.update({(NOBODY, kind): many for kind, many in counts.items() if many and kind not in SHARED})
    some = np.flatnonzero(are_people(table) & patient.is_valid().to_numpy(zero_copy_only=False))
    keys = pc.unique(patient.take(pa.array(some)))
    return Read(tally, len(keys), as_texts(keys[:1])[0].as_py() if len(keys) else None)


def _said(read: Read, given: Given) -> bytes:
    left = [[reason, item, many] for (reason, item), many in sorted(read.tally.left.items())]
    said = {"read": dict(sorted(read.tally.read.items())), "left": left, "people": read.people, "first": read.first}
    return json.dumps({"shards": given.shard_count, "version": given.version, **said}).encode()


def read_said(said: bytes, shard_count: int, version: str) -> Read | None:
    """What came of reading a piece, from what was kept with its rows; None if they are for other shards or too old."""
    raw = json.loads(said)
    if raw["shards"] != shard_count or raw["version"] != version:
        return None
    tally = Tally()
    tally.read.update(raw["read"])
    tally.left.update({(reason, item): many for reason, item, many in raw["left"]})
    return Read(tally, raw["people"], raw["first"])


def _listed(left: Left) -> list[LeftOut]:
    return [(reason, item, many) for (reason, item), many in sorted(left.items())]


def _left_written(left: Sequence[LeftOut]) -> bytes:
    return json.dumps(left, ensure_ascii=False).encode()


def read_left(path: Path) -> list[LeftOut]:
    """What of the records of a shard could not be used, as it was kept with the shard."""
    return _left_of(json.loads(path.read_bytes()))


def _left_of(raw: Iterable[Sequence[Any]]) -> list[LeftOut]:
    return [(str(reason), str(item), int(many)) for reason, item, many in raw]


def _write_done(path: Path, put: Put) -> None:
    said = {"info": None if put.info is None else asdict(put.info), "built": put.built, "left": put.left}
    write_checked(path, json.dumps(said, ensure_ascii=False).encode())


def read_done(path: Path) -> Put | None:
    """What came of putting a shard together, as it was kept; None where nothing was, or it was damaged."""
    content = read_checked(path)
    if content is None:
        return None
    said = json.loads(content)
    info = None if said["info"] is None else ShardInfo(**said["info"])
    return Put(info, int(said["built"]), _left_of(said["left"]))
