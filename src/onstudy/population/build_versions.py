"""Versions of one resource that name different patients: the older ones are left out of whatever shard they lie in.

Versions under one patient are found where the patient is put together. Others lie in different shards, so they are
looked for among all rows: beside each file of rows its resources are noted as two hashes, of type and id and of whom
they are about. Names that are noted with several patients are few; the rows of these are looked at.

So it is with FHIR only: an id of OMOP is the key of a table, and a row of CSV has none.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.build_identified import places_of
from onstudy.population.build_sources import digest_of_texts
from onstudy.population.bulk_letters import hashes
from onstudy.population.bulk_rows import NAMES, Ints, column_of, read_rows, shards_in, slots_of
from onstudy.population.bulk_stamps import stamp_of, url_of
from onstudy.population.bulk_walk import type_of_shape
from onstudy.population.store_files import settle, whole
from onstudy.readers.fhir import READ
from onstudy.readers.fhir_json import is_id, resource_type, text
from onstudy.readers.fhir_versions import Stamp, outdated
from onstudy.readers.source import decode

#: Sorts of source in which a resource may be there in several versions.
VERSIONED = frozenset({"fhir"})
#: Rows about something that is no patient are kept under this number: an older version may be about one.
ABOUT_ELSE = -3
#: So many hashes are looked at together at most, or about so many.
_TOGETHER = 1 << 21
#: Notes are sorted by the first bits of a hash, so many of them.
_SORTED = 16
_NOBODY = np.uint64(1)

Hashes = NDArray[np.uint64]
#: A row: its file, the number it is kept under there, and its place among the rows of that number.
Place = tuple[str, int, int]


def places_with_else(table: pa.Table, shard_count: int) -> NDArray[np.int32]:
    """The number under which each row of such a source is kept."""
    places = places_of(table, shard_count)
    nobody = pc.fill_null(pc.equal(column_of(table, "patient"), ""), False)
    places[nobody.to_numpy(zero_copy_only=False)] = ABOUT_ELSE
    return places


# Notes of a file --------------------------------------------------------------------------------------------------


def notes_of(table: pa.Table) -> Hashes:
    """What is noted of rows: the hashes of resources that can have versions, and below them those of their patients."""
    rows, names = _named(table)
    patients = _patients(table)[rows]
    order = np.argsort((names >> np.uint64(64 - _SORTED)).astype(np.uint16), kind="stable")
    return np.stack([names[order], patients[order]])


def write_notes(path: Path, notes: Hashes) -> None:
    """Write notes beside their rows, whole or not at all."""
    with whole(path.parent) as (file, written):
        file.write(notes.astype("<u8").tobytes())
    settle(written, path)


def _read_notes(path: Path) -> Hashes:
    if not path.stat().st_size:
        return np.zeros((2, 0), np.uint64)
    return np.memmap(path, "<u8", "r").reshape(2, -1)


def _named(table: pa.Table) -> tuple[Ints, Hashes]:
    """The rows of a table that can be versions of others, and the hashes of what they are called."""
    shape = column_of(table, "shape")
    types = [type_of_shape(one) for one in shape.dictionary.to_pylist()]
    number = shape.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    names = slots_of(table, NAMES)
    rows = np.flatnonzero(np.array([*(kind in READ for kind in types), False], bool)[number] & (names.count > 0))
    salts = np.array([*map(_salt, types), 0], np.uint64)
    own = names.values if len(rows) == len(names.values) else names.values.take(pa.array(names.start[rows]))
    found = hashes(own) ^ salts[number[rows]]
    odd = [(row, hashes(pa.array([said[1]]))[0] ^ _salt(said[0])) for row, said in _kept_whole(table)]
    rows = np.append(rows, np.array([row for row, _ in odd], np.int64))
    found = np.append(found, np.array([one for _, one in odd], np.uint64))
    if "stamp" in table.column_names:
        stamps = column_of(table, "stamp").take(pa.array(rows))
        for place in np.flatnonzero(pc.fill_null(pc.starts_with(stamps, "http"), False)).tolist():
            found[place] ^= _salt(url_of(stamps[place].as_py()))
    return rows, found


def _salt(word: str) -> np.uint64:
    """What tells names of one type, or of one server, from the same names of others."""
    return np.uint64((zlib.crc32(word.encode()) * 0x9E3779B97F4A7C15) % (1 << 64))


def _patients(table: pa.Table) -> Hashes:
    patient = column_of(table, "patient")
    found = hashes(pc.fill_null(patient, ""))
    found[patient.is_null().to_numpy(zero_copy_only=False)] = _NOBODY
    if "named" in table.column_names:
        named = column_of(table, "named")
        some = named.is_valid().to_numpy(zero_copy_only=False)
        found[some] = ~hashes(named.drop_null())
    return found


def _kept_whole(table: pa.Table) -> Iterator[tuple[int, tuple[str, str, Stamp]]]:
    """The rows that are one resource kept as it is: its type, its id and its stamp."""
    if "payload" not in table.column_names:
        return
    payload = column_of(table, "payload")
    for row in np.flatnonzero(payload.is_valid().to_numpy(zero_copy_only=False)).tolist():
        resource = decode(payload[row].as_py().decode("utf-8-sig"))
        kind, name = resource_type(resource), text(resource, "id")
        if kind in READ and is_id(name):
            yield row, (kind, name, Stamp.of(resource))


# Names under several patients ---------------------------------------------------------------------------------------


def under_several(notes: Mapping[str, Path]) -> tuple[Hashes, set[str]]:
    """The names that are noted with several patients, and the files of rows that have them."""
    total = sum(path.stat().st_size for path in notes.values()) // 16
    bits = min(_SORTED, (total // _TOGETHER).bit_length())
    names, files = [np.zeros(0, np.uint64)], set[str]()
    for part in range(1 << bits):
        found, where = _in_part(notes, part << (64 - bits), (part + 1) << (64 - bits))
        names.append(found)
        files |= where
    return np.concatenate(names), files


def _in_part(notes: Mapping[str, Path], low: int, high: int) -> tuple[Hashes, set[str]]:
    """Of the names whose hashes lie between two bounds."""
    cuts: dict[str, tuple[int, int]] = {}
    parts = [np.zeros(0, np.uint64)]
    for file, path in notes.items():
        own = _read_notes(path)[0]
        end = len(own) if high >= 1 << 64 else int(np.searchsorted(own, np.uint64(high)))
        cuts[file] = int(np.searchsorted(own, np.uint64(low))), end
        parts.append(np.array(own[slice(*cuts[file])]))
    names = np.concatenate(parts)
    ordered = np.sort(names)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return twice, set()
    some = np.isin(names, twice)
    patients = np.concatenate([np.array(_read_notes(notes[file])[1][slice(*cut)]) for file, cut in cuts.items()])
    order = np.lexsort((patients[some], names[some]))
    name, patient = names[some][order], patients[some][order]
    found = np.unique(name[1:][(name[1:] == name[:-1]) & (patient[1:] != patient[:-1])])
    many = np.array([end - start for start, end in cuts.values()], np.int64)
    files = np.repeat(np.arange(len(cuts)), many)[np.isin(names, found)]
    listed = list(cuts)
    return found, {listed[place] for place in np.unique(files).tolist()}


# The rows of such names --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a resource: where its row lies, what it is called, and its stamp."""

    place: Place
    called: tuple[str, str, str]  # type, id, and the full url that a bundle gives it
    stamp: Stamp


def versions_in(rows: Path, file: str, names: Hashes) -> list[Version]:
    """The rows of a file that have some names (by their hashes), under whatever number they are kept."""
    found: list[Version] = []
    for number in shards_in(rows / file):
        table = read_rows(rows / file, number)
        assert table is not None, "a file has rows of the shards it names"
        named, own = _named(table)
        some = named[np.isin(own, names)]
        whole_ones = dict(_kept_whole(table.take(pa.array(some))))
        found += [
            _version(table, int(row), (file, number, int(row)), whole_ones.get(place))
            for place, row in enumerate(some.tolist())
        ]
    return found


def _version(table: pa.Table, row: int, place: Place, kept: tuple[str, str, Stamp] | None) -> Version:
    said = table.column("stamp")[row].as_py() if "stamp" in table.column_names else None
    if kept is not None:
        kind, name, stamp = kept
        return Version(place, (kind, name, url_of(said)), stamp)
    kind = type_of_shape(table.column("shape")[row].as_py())
    return Version(place, (kind, slots_of(table, NAMES).texts(row)[0], url_of(said)), stamp_of(said))


@dataclass(frozen=True)
class Outdated:
    """The rows to be left out, for another row is a newer version of the same resource."""

    rows: Mapping[str, Mapping[int, tuple[int, ...]]] = field(default_factory=dict)  # by file and number

    @classmethod
    def among(cls, versions: Iterable[Version]) -> Outdated:
        """Those of some versions; of what is called the same all have to be given."""
        by_name: dict[tuple[str, str, str], list[Version]] = defaultdict(list)
        for version in versions:
            by_name[version.called].append(version)
        found: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for some in by_name.values():
            for one in outdated([version.stamp for version in some]):
                file, number, row = some[one].place
                found[file][number].append(row)
        return cls(
            {
                file: {number: tuple(sorted(rows)) for number, rows in sorted(found[file].items())}
                for file in sorted(found)
            }
        )

    def of(self, numbers: Sequence[int]) -> Outdated:
        """Those kept under some numbers."""
        some = {file: {one: rows[one] for one in numbers if one in rows} for file, rows in self.rows.items()}
        return Outdated({file: rows for file, rows in some.items() if rows})

    @property
    def digest(self) -> str:
        """A hash of them; "" where there are none."""
        return digest_of_texts(*(f"{file} {dict(rows)}" for file, rows in self.rows.items())) if self.rows else ""

    def without(self, table: pa.Table | None, file: str, number: int) -> pa.Table | None:
        """The rows that a file keeps under a number, but for those to be left out."""
        rows = self.rows.get(file, {}).get(number)
        if table is None or not rows:
            return table
        kept = np.ones(table.num_rows, bool)
        kept[list(rows)] = False
        return table.filter(pa.array(kept))
