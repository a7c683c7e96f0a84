"""Resources of others that have to do with a patient's own, found so that both are read together.

Three sorts: a newer version of the patient's own that is about somebody else or nobody; what the patient's own refer
to (a specimen that names no subject); a report or panel of others that lists one of the patient's results. They say
nothing of the patient themselves. Who has something of that name means that, whatever else is called so.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from onstudy.population.bulk_keys import hashed
from onstudy.population.bulk_letters import hashes
from onstudy.population.bulk_notes import SORTED, Hashes, Noted, notes_in
from onstudy.population.bulk_rows import column_of, write_rows
from onstudy.population.store import shard_numbers
from onstudy.readers.fhir_versions import outdated

#: What is counted in the report.
OLDER = "older versions of resources whose newer version names its subject otherwise"
#: So many notes are looked at together, or about so many.
_TOGETHER = 1 << 20
#: A report of others that lists more than this is no report of one sample; its other results are not looked at.
_MOST = 1_000
#: Where a row lies: its file, the number it is kept under, and its place there.
Place = tuple[str, int, int]
#: What is asked of workers: the rows of files that are called, or refer to, what has some hashes.
Ask = Callable[[Mapping[str, Hashes]], Iterable[Sequence[Noted]]]


@dataclass(frozen=True, eq=False)
class Beside:
    """What is read beside the resources of patients, as rows under their keys; `digest` is a hash of it, or "".

    `older` counts by type the versions that count for their patient no more.
    """

    table: pa.Table
    digest: str
    older: Counter[str]

    def write(self, file: Path, shard_count: int) -> None:
        """Write the rows, each to the shard of its patient."""
        write_rows(file, self.table, hashed(column_of(self.table, "patient"), shard_count, shard_numbers))


def beside(rows: Path, files: Sequence[str], ask: Ask, whose: Mapping[str, str], alone: str | None) -> Beside:
    """What has to be read beside, for all files of rows in a folder.

    `whose` tells the patients of identifiers; `alone` is the only patient, whose is what names nobody.
    """
    notes = {file: found for file in files if (found := notes_in(rows / file)).size}
    met: dict[tuple[str, Place], Noted] = {}
    older: dict[Place, str] = {}
    for names in _under_several(notes):
        meeting = _Meeting(notes, ask, whose, alone)
        met |= meeting.of(names)
        older |= meeting.older
    guests = [(patient, met[patient, place]) for patient, place in sorted(met)]
    return Beside(_table(guests), _digest(guests) if guests else "", Counter(older.values()))


def _table(guests: Sequence[tuple[str, Noted]]) -> pa.Table:
    many = len(guests)
    return pa.table({
        "patient": pa.array([patient for patient, _ in guests], pa.string()),
        "seq": pa.array(np.zeros(many, np.int64)),
        "shape": pa.DictionaryArray.from_arrays(pa.nulls(many, pa.int32()), pa.array([], pa.binary())),
        "payload": pa.array([one.content for _, one in guests], pa.binary()),
        "types": pa.array([""] * many, pa.string()),
        "stamp": pa.array([one.stamp for _, one in guests], pa.string()),
        "beside": pa.array(np.ones(many, bool)),
    })  # fmt: skip


def _digest(guests: Iterable[tuple[str, Noted]]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for patient, one in guests:
        found.update(f"{patient}\n{one.stamp}\n{len(one.content)}\n".encode())
        found.update(one.content)
    return found.hexdigest()


# Names under several patients ---------------------------------------------------------------------------------------


def _under_several(notes: Mapping[str, Hashes]) -> Iterator[Hashes]:
    """The hashes of names that are noted with several patients, some at a time."""
    total = sum(own.shape[1] for own in notes.values())
    parts = 1 << min(SORTED, (total // _TOGETHER).bit_length())
    bounds = np.arange(1, parts, dtype=np.uint64) << np.uint64(65 - parts.bit_length())
    cuts = {file: [0, *np.searchsorted(own[0], bounds).tolist(), own.shape[1]] for file, own in notes.items()}
    for part in range(parts if notes else 0):
        some = [own[:, slice(*cuts[file][part : part + 2])] for file, own in notes.items()]
        found = _repeated(np.concatenate(some, axis=1))
        if len(found):
            yield found


def _holds(own: Hashes, names: Hashes) -> bool:
    """Whether one of some names is among those of a file, which are sorted by their first bits."""
    shift = 64 - SORTED
    low, high = int(names.min()) >> shift, (int(names.max()) >> shift) + 1
    end = len(own) if high >> SORTED else int(np.searchsorted(own, np.uint64(high << shift)))
    return bool(np.isin(own[int(np.searchsorted(own, np.uint64(low << shift))) : end], names).any())


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


# Who is read beside whom --------------------------------------------------------------------------------------------


@dataclass
class _Meeting:
    """Finds what is read beside the resources of patients that share some names with others."""

    notes: Mapping[str, Hashes]
    ask: Ask
    whose: Mapping[str, str]
    alone: str | None
    found: dict[tuple[str, Place], Noted] = field(default_factory=dict)  # by patient and place
    older: dict[Place, str] = field(default_factory=dict)  # types of versions that were replaced by others'
    _rows: dict[Place, Noted] = field(default_factory=dict)
    _called: dict[str, list[Noted]] = field(default_factory=lambda: defaultdict(list))
    _listing: dict[str, list[Noted]] = field(default_factory=lambda: defaultdict(list))
    _known: set[str] = field(default_factory=set)  # names of which all rows were asked for
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def of(self, names: Hashes) -> dict[tuple[str, Place], Noted]:
        """By patient and place, what is read beside, for these hashes of names."""
        waiting = [*self._first(names)]
        while waiting:
            self._know({name for _, name in waiting})
            waiting = [after for patient, name in waiting for after in self._met(patient, name)]
        return self.found

    def _first(self, names: Hashes) -> Iterator[tuple[str, str]]:
        """Patients, and the names in their own resources that others have too."""
        rows = self._located(names)
        every = sorted({name for row in rows for name in (row.name, *row.lists, *row.links) if name})
        there = np.isin(hashes(pa.array(every, pa.string())), names).tolist()
        self._known |= {name for name, some in zip(every, there, strict=True) if some}
        for row in rows:
            patient = self._patient(row)
            for name in dict.fromkeys((row.name, *row.lists, *row.links)) if patient else ():
                if name in self._known:
                    yield patient, name

    def _patient(self, row: Noted) -> str:
        """The patient whose a row is; "" where it is nobody's."""
        if row.named is not None:
            return self.whose.get(row.named, "")
        return (row.patient if row.patient is not None else self.alone) or ""

    def _located(self, names: Hashes) -> list[Noted]:
        """Rows that were not known yet, of what has these hashes."""
        hits = {file: names for file, own in self.notes.items() if _holds(own[0], names)}
        found = {row.place: row for rows in self.ask(hits) for row in rows if row.place not in self._rows}
        self._rows |= found
        for row in found.values():
            if row.name:
                self._called[row.name].append(row)
            for name in dict.fromkeys(row.lists):
                self._listing[name].append(row)
        return list(found.values())

    def _know(self, names: set[str]) -> None:
        new = sorted(names - self._known)
        if new:
            self._known |= set(new)
            self._located(hashes(pa.array(new)))

    def _met(self, patient: str, name: str) -> Iterator[tuple[str, str]]:
        """What a patient's resource of a name, or reference to it, brings with it; then other names to look at."""
        if (patient, name) in self._seen:
            return
        self._seen.add((patient, name))
        rows = self._called[name]
        own = [row for row in rows if self._patient(row) == patient]
        others = [row for row in rows if self._patient(row) != patient]
        replaced = _replaced(own, others)
        self.older |= {row.place: name.rpartition("/")[0].rpartition(" ")[2] for row in replaced}
        guests = others if not own or replaced else []
        if own:
            newest = {*range(len(rows))} - outdated([row.version for row in rows])
            meant = {rows[place].owner for place in newest} - {row.owner for row in own}
            listing = (row for row in self._listing[name] if self._patient(row) != patient)
            guests = guests + [row for row in listing if row.owner not in meant]
        for guest in guests:
            if (patient, guest.place) not in self.found:
                self.found[patient, guest.place] = guest
                listed = guest.lists if len(guest.lists) <= _MOST else ()  # one of them may lend its specimen to others
                yield from ((patient, other) for other in (guest.name, *guest.links, *listed) if other)


def _replaced(own: Sequence[Noted], others: Sequence[Noted]) -> list[Noted]:
    """Of one's own versions those of which only others have a newer one."""
    last = outdated([row.version for row in own])
    now = outdated([row.version for row in (*own, *others)])
    return [row for place, row in enumerate(own) if place in now - last]
