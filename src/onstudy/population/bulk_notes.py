"""What is noted of FHIR rows: which resources they are and refer to, as hashes of the name and of whose it is.

Nearly all that a resource refers to lies with its own patient, and so do its versions. Where it does not, a patient
cannot be put together of the rows of that patient alone. Names that are noted with several patients tell where.

A name is TYPE/ID. In a bundle it is a name in that bundle only: another bundle may call something else the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_documents import as_json
from onstudy.population.bulk_fhir_reading import Record, put_back
from onstudy.population.bulk_letters import hashes
from onstudy.population.bulk_rows import (
    LINKS,
    MEMBERS,
    NAMES,
    SLOTS,
    Ints,
    column_of,
    notes_at,
    read_rows,
    shards_in,
    slots_of,
)
from onstudy.population.bulk_stamps import stamp_of, stamp_text
from onstudy.population.bulk_walk import type_of_shape
from onstudy.readers.fhir import READ
from onstudy.readers.fhir_json import Json, items, references, resource_type, text
from onstudy.readers.fhir_versions import Stamp
from onstudy.readers.source import decode

Hashes = NDArray[np.uint64]
#: Notes are sorted by so many of the first bits of a name's hash.
SORTED = 16
#: Elements that list the results of a report or panel.
_LISTS = frozenset({"result", "hasMember"})
_TYPES = "|".join(sorted(READ))
#: How a reference names a resource, as `Index.find` reads it: its last two parts, but for a version.
_NAME = rf"^\s*(?:[^#\s].*/|/)?((?:{_TYPES})/[^/\s]+)(?:/_history/.*)?/*\s*$"
_PLAIN = re.compile(_NAME)
_NOBODY = np.uint64(1)
_NONE = np.zeros(0, np.int64)


# A file's notes -----------------------------------------------------------------------------------------------------


def notes_of(table: pa.Table, file: str) -> bytes:
    """What is noted of the rows of a file: the hashes of names, and then those of whose they are, in the same order."""
    called = _Called(table, file)
    said = [(row, hashes(name)) for row, name in (called.own, called.listed, called.linked) if len(row)]
    if not said:
        return b""
    names = np.concatenate([one for _, one in said])
    order = np.argsort((names >> np.uint64(64 - SORTED)).astype(np.uint16), kind="stable")
    whose = _whose(table)[np.concatenate([row for row, _ in said])]
    return np.stack([names, whose])[:, order].astype("<u8").tobytes()


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes of a file of rows, which is opened only while they are looked at: there may be many files."""

    file: Path
    start: int
    many: int

    @classmethod
    def of(cls, file: Path) -> Notes:
        """Those of a file."""
        with pa.memory_map(str(file)) as rows:
            start, length = notes_at(rows)
        return cls(file, start, length // 16)

    def __len__(self) -> int:
        return self.many

    def between(self, low: int, high: int) -> Hashes:
        """Two rows of hashes, of names and of whose they are: of the names whose first bits lie between these."""
        notes = self._opened()
        found: Hashes = np.array(notes[:, _place(notes[0], low) : _place(notes[0], high)])
        return found

    def have(self, names: Hashes) -> bool:
        """Whether one of some names, by their hashes, is among them."""
        shift = 64 - SORTED
        own = self.between(int(names.min()) >> shift, (int(names.max()) >> shift) + 1)[0]
        return bool(np.isin(own, names).any())

    def _opened(self) -> Hashes:
        return np.memmap(self.file, "<u8", "r", self.start, (2, self.many))


def _place(names: Hashes, bits: int) -> int:
    """Where names begin whose first bits are at least these; names are sorted by them, and by no others."""
    return len(names) if bits >> SORTED else int(np.searchsorted(names, np.uint64(bits << (64 - SORTED))))


def _whose(table: pa.Table) -> Hashes:
    patient = column_of(table, "patient")
    found = hashes(patient.fill_null(""))
    found[patient.is_null().to_numpy(zero_copy_only=False)] = _NOBODY
    if "named" in table.column_names:
        named = column_of(table, "named")
        found[named.is_valid().to_numpy(zero_copy_only=False)] = ~hashes(named.drop_null())
    return found


class _Called:
    """What the rows of a table are called and refer to: each time the rows, and a name for each of them."""

    def __init__(self, table: pa.Table, file: str) -> None:
        self.table = table
        shape = column_of(table, "shape")
        self.types = [*(type_of_shape(one) for one in shape.dictionary.to_pylist()), ""]
        self.type = shape.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        self.prefix = None
        if "scope" in table.column_names:
            scope = column_of(table, "scope")
            within = pc.binary_join_element_wise(f"{file}:", scope.cast(pa.string()), " ", "")
            self.prefix = pc.if_else(scope.is_valid(), within, "")

    @cached_property
    def single(self) -> dict[int, Json]:
        """The rows that are kept as they are and are one resource, with it."""
        if "types" not in self.table.column_names:
            return {}
        types, payload = column_of(self.table, "types"), column_of(self.table, "payload")
        some = np.flatnonzero(pc.is_in(types, value_set=pa.array(list(READ))).to_numpy(zero_copy_only=False))
        found: dict[int, Json] = {}
        for row in some.tolist():
            try:
                node = decode(payload[row].as_py().decode("utf-8-sig"))
            except (ValueError, RecursionError):  # nor can it be read: the patient's records say so
                continue
            if resource_type(node) in READ:
                found[row] = node
        return found

    @cached_property
    def contained(self) -> tuple[Ints, list[str]]:
        """What the resources refer to that stand within others."""
        shapes = column_of(self.table, "shape").dictionary.to_pylist()
        said = {
            number: [*_references(decode(shape.decode()).get("contained"))]
            for number, shape in enumerate(shapes)
            if b'"contained"' in shape
        }
        rows = np.flatnonzero(np.isin(self.type, [*said])).tolist() if said else []
        found = [(row, name) for row in rows for name in said[int(self.type[row])]]
        return np.array([row for row, _ in found], np.int64), [name for _, name in found]

    @cached_property
    def own(self) -> tuple[Ints, pa.Array]:
        """The resources that have an id."""
        read = np.array([kind in READ for kind in self.types], bool)
        slots = slots_of(self.table, NAMES)
        rows = np.flatnonzero(read[self.type] & (slots.count > 0))
        kinds = pa.array(self.types).take(pa.array(self.type[rows]))
        names = pc.binary_join_element_wise(kinds, slots.at(slots.start[rows]), "/")
        singles = {row: one for row, one in self.single.items() if text(one, "id")}
        if singles:
            kept = [_written(f"{resource_type(one)}/{text(one, 'id')}") for one in singles.values()]
            rows = np.array([*rows, *singles], np.int64)
            names = pa.concat_arrays([names, pa.array(kept, pa.string())])
        return self._scoped(rows, names)

    @cached_property
    def listed(self) -> tuple[Ints, pa.Array]:
        """The results that reports and panels list."""
        return self._referred(MEMBERS, True)

    @cached_property
    def linked(self) -> tuple[Ints, pa.Array]:
        """What else resources refer to."""
        return self._referred(LINKS, False)

    def _referred(self, sort: str, listed: bool) -> tuple[Ints, pa.Array]:
        slots = slots_of(self.table, sort)
        rows, names = np.zeros(0, np.int64), pa.array([], pa.string())
        if len(slots.values):
            row, held = slots.held
            names = slots.at(held)
            some = pc.match_substring_regex(names, _NAME)
            names = pc.replace_substring_regex(names.filter(some), _NAME, r"\1")
            rows = row[some.to_numpy(zero_copy_only=False)]
        more = [(row, name) for row, one in self.single.items() for name in _of_resource(one, listed)]
        if not listed:
            more += zip(self.contained[0].tolist(), self.contained[1], strict=True)
        if more:
            rows = np.concatenate([rows, np.array([row for row, _ in more], np.int64)])
            names = pa.concat_arrays([names, pa.array([name for _, name in more], pa.string())])
        return self._scoped(rows, names)

    def _scoped(self, rows: Ints, names: pa.Array) -> tuple[Ints, pa.Array]:
        if self.prefix is None:
            return rows, names
        return rows, pc.binary_join_element_wise(self.prefix.take(pa.array(rows)), names, "")


def _of_resource(resource: Json, listed: bool) -> Iterator[str]:
    """The names that a resource refers to, by what lists results or by anything else."""
    return _references([said for key, said in resource.items() if (key in _LISTS) == listed])


def _references(node: Any) -> Iterator[str]:
    """All names that something refers to."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from _named(node)
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _written(said: str) -> str:
    """A text without half letters, which JSON can escape and nothing can write."""
    return said.encode("utf-8", "replace").decode()


def _named(reference: Json) -> list[str]:
    found = _PLAIN.match(text(reference, "reference"))
    return [] if found is None else [_written(found[1])]


def with_listed(row: Noted, names: Collection[str]) -> bytes:
    """A report or panel that lists only the results of these names."""
    kept = {name.rpartition(" ")[2] for name in names}
    if {name.rpartition(" ")[2] for name in row.lists} <= kept:
        return row.content
    resource = decode(row.content.decode("utf-8-sig"))
    for key in _LISTS & resource.keys():
        resource[key] = [one for one in items(resource, key) if not kept.isdisjoint(_named(one))]
    return as_json(resource)


# The rows that names lead to ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Noted:
    """A row that is a resource of some names, or refers to one.

    `patient` is whose it is: "" that of something that is no patient, None nobody's; `named` is the identifier of
    somebody who is named by that.
    """

    file: str
    number: int  # that it is kept under
    row: int  # its place among these
    seq: int  # its place in the source
    type: str
    patient: str | None
    named: str | None
    name: str  # "": it has none
    lists: tuple[str, ...]
    links: tuple[str, ...]
    stamp: str | None
    content: bytes

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it lies."""
        return self.file, self.number, self.row

    @property
    def names(self) -> list[str]:
        """What it is called, and all it refers to."""
        return [name for name in dict.fromkeys((self.name, *self.lists, *self.links)) if name]

    @property
    def specimen(self) -> str:
        """What the one specimen it refers to is called, so as to tell it from others; "" for none or several."""
        if b'"specimen"' not in self.content:
            return ""
        found = references(decode(self.content.decode("utf-8-sig")), "specimen")
        plain = _PLAIN.match(found[0]) if len(found) == 1 else None
        return plain[1] if plain is not None else "".join(found) and repr((self.place, found))

    @property
    def owner(self) -> tuple[str | None, str | None]:
        """Whose it is, as it says itself."""
        return self.patient, self.named

    @property
    def version(self) -> Stamp:
        """Which version it is."""
        return stamp_of(self.stamp)


def noted_in(file: Path, names: Hashes) -> list[Noted]:
    """The rows of a file that are called, or refer to, what has one of these hashes."""
    found: list[Noted] = []
    for number in shards_in(file):
        table = read_rows(file, number)
        assert table is not None, "a file has rows of the shards it names"
        found += _noted(table, file.name, number, names)
    return found


def _noted(table: pa.Table, file: str, number: int, names: Hashes) -> Iterator[Noted]:
    called = _Called(table, file)
    sorts = (called.own, called.listed, called.linked)
    rows = np.unique(np.concatenate([row[np.isin(hashes(name), names)] for row, name in sorts if len(row)] or [_NONE]))
    if not len(rows):
        return
    texts = [_by_row(rows, *sort) for sort in sorts]
    slots = [slots_of(table, sort) for sort in SLOTS]
    asked = ("patient", "named", "stamp", "seq")
    cells = {name: column_of(table, name) for name in asked if name in table.column_names}
    for row in rows.tolist():
        said = {name: cell[row].as_py() for name, cell in cells.items()}
        own, lists, linked = (some.get(row, ()) for some in texts)
        patient, named, stamp = (said.get(name) for name in ("patient", "named", "stamp"))
        if row in called.single:
            one = Stamp.of(called.single[row])
            stamp, content = stamp_text(*map(_written, (one.changed, one.number))), table.column("payload")[row].as_py()
            kind = resource_type(called.single[row])
        else:
            shape, kind = table.column("shape")[row].as_py(), called.types[called.type[row]]
            ids, dates, numbers, links, members = (some.texts(row) for some in slots)
            content = put_back(Record("", shape, patient or "", ids, dates, numbers, links, members))
        name = own[0] if own else ""
        yield Noted(file, number, row, said["seq"], kind, patient, named, name, lists, linked, stamp, content)


def _by_row(rows: Ints, row: Ints, names: pa.Array) -> dict[int, tuple[str, ...]]:
    found: dict[int, list[str]] = defaultdict(list)
    some = np.isin(row, rows)
    for one, name in zip(row[some].tolist(), names.filter(pa.array(some)).to_pylist(), strict=True):
        found[one].append(name)
    return {one: tuple(said) for one, said in found.items()}
