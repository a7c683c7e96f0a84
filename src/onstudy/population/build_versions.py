"""Versions of one resource that name different patients: the older ones are left out of whatever shard they lie in.

Versions under one patient are found where the patient is put together. Others may lie in any shard. So the resources
in a file of rows are noted behind them, each as two hashes: of type and id, and of whom it is about. Names that are
noted with several patients are few; the rows of these are looked at.

Noted are lines that are one resource with a stamp: without one nobody can tell what is newer, and an id within a
bundle may be of that bundle alone.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onstudy.population.build_identified import BY_IDENTIFIER
from onstudy.population.bulk_letters import hashes
from onstudy.population.bulk_rows import NAMES, Ints, column_of, notes_at, read_rows, shards_in, slots_of
from onstudy.population.bulk_stamps import are_of_lines, stamp_of
from onstudy.population.bulk_walk import type_of_shape
from onstudy.readers.fhir import READ
from onstudy.readers.fhir_versions import Stamp, outdated

#: Why a row was left out: what is counted in the report.
OLDER = "older versions of resources whose newer version names its subject otherwise"
#: So many notes are looked at together, or about so many.
_TOGETHER = 1 << 21
#: Notes are sorted by so many of the first bits of a name's hash, and cut there.
_SORTED = 16
_NOBODY = np.uint64(1)

Hashes = NDArray[np.uint64]
#: Rows to leave out: by the number they are kept under, by file, and there by their places.
Outdated = Mapping[int, Mapping[str, tuple[int, ...]]]


# Notes of a file --------------------------------------------------------------------------------------------------


def notes_of(table: pa.Table) -> bytes:
    """What is noted of rows: the hashes of their names, and then those of whom they are about, in the same order."""
    rows, names = _noted(table)
    if not len(rows):
        return b""
    order = np.argsort((names >> np.uint64(64 - _SORTED)).astype(np.uint16), kind="stable")
    return np.stack([names, _abouts(table)[rows]])[:, order].astype("<u8").tobytes()


def _notes_in(file: Path) -> Hashes:
    with pa.memory_map(str(file)) as rows:
        start, length = notes_at(rows)
    return np.memmap(file, "<u8", "r", start, (2, length // 16)) if length else np.zeros((2, 0), np.uint64)


def _noted(table: pa.Table) -> tuple[Ints, Hashes]:
    """The rows that are noted, and the hashes of what these are called."""
    if "stamp" not in table.column_names:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    types, which = _types(table)
    names = slots_of(table, NAMES)
    of_lines = are_of_lines(column_of(table, "stamp")).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(of_lines & np.array([kind in READ for kind in types], bool)[which] & (names.count > 0))
    # what tells a name of one type from the same name of another
    salts = np.array([zlib.crc32(kind.encode()) for kind in types], np.uint64) << np.uint64(32)
    return rows, hashes(names.at(names.start[rows])) ^ salts[which[rows]]


def _types(table: pa.Table) -> tuple[list[str], Ints]:
    """The types of resources in a table, and which of them each row is; the last is none of them."""
    shape = column_of(table, "shape")
    types = [type_of_shape(one) for one in shape.dictionary.to_pylist()]
    which = shape.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if "types" in table.column_names:
        kept = column_of(table, "types").dictionary_encode()
        index = kept.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        which = np.where(index < 0, which, index + len(types))
        types += kept.dictionary.to_pylist()
    return [*types, ""], which


def _abouts(table: pa.Table) -> Hashes:
    patient = column_of(table, "patient")
    found = hashes(patient.fill_null(""))
    found[patient.is_null().to_numpy(zero_copy_only=False)] = _NOBODY
    if "named" in table.column_names:
        named = column_of(table, "named")
        found[named.is_valid().to_numpy(zero_copy_only=False)] = ~hashes(named.drop_null())
    return found


# Names under several patients ---------------------------------------------------------------------------------------


def under_several(files: Iterable[Path]) -> dict[str, Hashes]:
    """The hashes of names that are noted with several patients, by the files of rows that have them."""
    notes = {file.name: found for file in files if (found := _notes_in(file)).size}
    total = sum(own.shape[1] for own in notes.values())
    parts = 1 << min(_SORTED, (total // _TOGETHER).bit_length())
    bounds = np.arange(1, parts, dtype=np.uint64) << np.uint64(65 - parts.bit_length())
    cuts = {file: [0, *np.searchsorted(own[0], bounds).tolist(), own.shape[1]] for file, own in notes.items()}
    names: dict[str, list[Hashes]] = defaultdict(list)
    for part in range(parts if notes else 0):
        some = {file: own[:, slice(*cuts[file][part : part + 2])] for file, own in notes.items()}
        found = _repeated(np.concatenate(list(some.values()), axis=1))
        for file, own in some.items() if len(found) else ():
            names[file].append(own[0][np.isin(own[0], found)])
    return {file: np.concatenate(own) for file, own in names.items() if any(map(len, own))}


def _repeated(notes: Hashes) -> Hashes:
    """The names in some notes that are there with several patients."""
    ordered = np.sort(notes[0])
    twice: Hashes = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return twice
    name, about = notes[:, np.isin(notes[0], twice)]
    order = np.lexsort((about, name))
    name, about = name[order], about[order]
    return np.unique(name[1:][(name[1:] == name[:-1]) & (about[1:] != about[:-1])])


# The rows of such names --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a resource: where its row lies, what it is and is called, whom it is about, and its stamp."""

    file: str
    number: int  # that it is kept under
    row: int  # its place among these
    type: str
    name: str
    about: str | None
    stamp: Stamp


def versions_in(file: Path, names: Hashes) -> list[Version]:
    """The rows of a file that have some names (by their hashes), under whatever number they are kept."""
    found: list[Version] = []
    for number in shards_in(file):
        table = read_rows(file, number)
        assert table is not None, "a file has rows of the shards it names"
        rows, own = _noted(table)
        some = rows[np.isin(own, names)].tolist()
        if some:
            types, which = _types(table)
            texts, stamp = slots_of(table, NAMES), column_of(table, "stamp")
            about = column_of(table, "named" if number == BY_IDENTIFIER else "patient")
            found += [
                Version(file.name, number, row, types[which[row]], texts.texts(row)[0], about[row].as_py(),
                        stamp_of(stamp[row].as_py()))
                for row in some
            ]  # fmt: skip
    return found


def older_of(versions: Iterable[Version]) -> Iterator[Version]:
    """Those of which a newer one is about somebody else; of what is called the same all have to be given."""
    by_name: dict[tuple[str, str], list[Version]] = defaultdict(list)
    for version in versions:
        by_name[version.type, version.name].append(version)
    for some in by_name.values():
        for one in (some[place] for place in sorted(outdated([version.stamp for version in some]))):
            if any(one.about != other.about and outdated([one.stamp, other.stamp]) == {0} for other in some):
                yield one


def outdated_rows(versions: Iterable[Version]) -> Outdated:
    """The rows of versions."""
    found: dict[int, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for one in sorted(versions, key=lambda one: (one.number, one.file, one.row)):
        found[one.number][one.file] = (*found[one.number].get(one.file, ()), one.row)
    return dict(found)


def read_but(file: Path, number: int, older: Outdated) -> pa.Table | None:
    """The rows that a file keeps under a number, but for those to leave out; None where there are none."""
    table, rows = read_rows(file, number), older.get(number, {}).get(file.name, ())
    if table is None or not rows:
        return table
    kept = np.ones(table.num_rows, bool)
    kept[list(rows)] = False
    return table.filter(pa.array(kept))
