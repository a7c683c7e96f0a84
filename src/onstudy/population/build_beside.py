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
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from onstudy.population.bulk_keys import hashed
from onstudy.population.bulk_letters import hashes
from onstudy.population.bulk_notes import SORTED, Hashes, Noted, Notes, with_listed
from onstudy.population.bulk_rows import column_of, write_rows
from onstudy.population.store import shard_numbers
from onstudy.readers.fhir_versions import outdated

#: What is counted in the report.
OLDER = "older versions of resources whose newer version names its subject otherwise"
#: So many notes are sorted together, or about so many.
_TOGETHER = 1 << 20
#: Rows that one file has at most.
_ROWS = 1 << 18
#: Where a row lies: its file, the number it is kept under, and its place there.
Place = tuple[str, int, int]
#: What is asked of workers: the rows of files that are called, or refer to, what has some hashes.
Ask = Callable[[Mapping[str, Hashes]], Iterable[Sequence[Noted]]]


@dataclass(frozen=True, eq=False)
class Guest:
    """Something that is read beside a patient's resources; of a report without what it lists of others."""

    patient: str
    row: Noted
    content: bytes


@dataclass(frozen=True, eq=False)
class Beside:
    """All that is read beside, in the order of patients and of the source.

    `older` counts by type the versions that count for their patient no more.
    """

    guests: Sequence[Guest]
    older: Counter[str]

    @cached_property
    def digest(self) -> str:
        """A hash of it."""
        found = hashlib.blake2b(digest_size=16)
        for one in self.guests:
            said = f"{one.patient}\n{one.row.seq}\n{one.row.stamp}\n{len(one.content)}\n"
            found.update(said.encode("utf-8", "surrogatepass"))
            found.update(one.content)
        return found.hexdigest()

    @property
    def files(self) -> int:
        """How many files it is written into."""
        return -(-len(self.guests) // _ROWS)

    def write(self, files: Sequence[Path], shard_count: int) -> None:
        """Write it as rows under the keys of the patients, each to the shard of its patient."""
        for number, file in enumerate(files):
            table = _table(self.guests[number * _ROWS :][:_ROWS])
            write_rows(file, table, hashed(column_of(table, "patient"), shard_count, shard_numbers))


def beside(rows: Path, files: Sequence[str], ask: Ask, whose: Mapping[str, str], alone: str | None) -> Beside:
    """What has to be read beside, for all files of rows in a folder.

    `whose` tells the patients of identifiers; `alone` is the only patient, whose is what names nobody.
    """
    notes = {file: found for file in files if len(found := Notes.of(rows / file))}
    names = [*_under_several(notes)]
    if not names:
        return Beside((), Counter())
    meeting = _Meeting(notes, ask, whose, alone)
    guests = meeting.of(np.concatenate(names))
    order = {file: number for number, file in enumerate(files)}
    guests.sort(key=lambda one: (one.patient, order[one.row.file], one.row.seq, one.row.place))
    return Beside(guests, Counter(meeting.older.values()))


def _table(guests: Sequence[Guest]) -> pa.Table:
    many = len(guests)
    return pa.table({
        "patient": pa.array([one.patient for one in guests], pa.string()),
        "seq": pa.array([one.row.seq for one in guests], pa.int64()),
        "shape": pa.DictionaryArray.from_arrays(pa.nulls(many, pa.int32()), pa.array([], pa.binary())),
        "payload": pa.array([one.content for one in guests], pa.binary()),
        "types": pa.array([""] * many, pa.string()),
        "stamp": pa.array([one.row.stamp for one in guests], pa.string()),
        "beside": pa.array(np.ones(many, bool)),
    })  # fmt: skip


# Names under several patients ---------------------------------------------------------------------------------------


def _under_several(notes: Mapping[str, Notes]) -> Iterator[Hashes]:
    """The hashes of names that are noted with several patients, some at a time."""
    total = sum(map(len, notes.values()))
    parts = 1 << min(SORTED, (total // _TOGETHER).bit_length())
    step = (1 << SORTED) // parts
    for part in range(parts if notes else 0):
        some = [own.between(part * step, (part + 1) * step) for own in notes.values()]
        found = _repeated(np.concatenate(some, axis=1))
        if len(found):
            yield found


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


@dataclass(frozen=True, eq=False)
class _Name:
    """All rows of one name: by whose they are ("" is nobody's), and those of which no other is newer, copies once."""

    by: Mapping[str, Sequence[Noted]]
    newest: Sequence[Noted]

    @cached_property
    def current(self) -> frozenset[Place]:
        """Where the newest lie."""
        return frozenset(row.place for row in self.newest)

    @cached_property
    def owners(self) -> frozenset[tuple[str | None, str | None]]:
        """Whose the newest say they are."""
        return frozenset(row.owner for row in self.newest)


@dataclass
class _Meeting:
    """Finds what is read beside the resources of patients that share some names with others."""

    notes: Mapping[str, Notes]
    ask: Ask
    whose: Mapping[str, str]
    alone: str | None
    older: dict[Place, str] = field(default_factory=dict)  # types of versions that were replaced by others'
    _rows: dict[Place, Noted] = field(default_factory=dict)
    _called: dict[str, list[Noted]] = field(default_factory=lambda: defaultdict(list))
    _listing: dict[str, list[Noted]] = field(default_factory=lambda: defaultdict(list))
    _known: set[str] = field(default_factory=set)  # names of which all rows were asked for
    _names: dict[str, _Name] = field(default_factory=dict)
    _lending: dict[Place, list[Noted]] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)
    _listed: dict[tuple[str, Place], set[str]] = field(default_factory=dict)  # of each guest, what it lists that counts
    _new: list[tuple[str, Noted]] = field(default_factory=list)

    def of(self, names: Hashes) -> list[Guest]:
        """What is read beside, for these hashes of names."""
        waiting = [*self._first(names)]
        while waiting or self._new:
            self._know(name for _, name in waiting)
            self._know(row.name for _, name in waiting for row in self._listing[name] if row.name)
            for patient, name in waiting:
                self._meet(patient, name)
            waiting = [*self._followed()]
        met = ((patient, self._rows[place], listed) for (patient, place), listed in self._listed.items())
        return [Guest(patient, row, with_listed(row, listed)) for patient, row, listed in met]

    # The rows of names ----------------------------------------------------------------------------------------

    def _first(self, names: Hashes) -> Iterator[tuple[str, str]]:
        """Patients, and the names in their own resources that others have too."""
        rows = self._located(names)
        every = sorted({name for row in rows for name in row.names})
        there = np.isin(hashes(pa.array(every, pa.string())), names).tolist()
        self._known |= {name for name, some in zip(every, there, strict=True) if some}
        for row in rows:
            patient = self._patient(row)
            yield from ((patient, name) for name in row.names if patient and name in self._known)

    def _patient(self, row: Noted) -> str:
        """The patient whose a row is; "" where it is nobody's."""
        if row.named is not None:
            return self.whose.get(row.named, "")
        return (row.patient if row.patient is not None else self.alone) or ""

    def _located(self, names: Hashes) -> list[Noted]:
        """Rows that were not known yet, of what has these hashes."""
        hits = {file: names for file, own in self.notes.items() if own.have(names)}
        found = {row.place: row for rows in self.ask(hits) for row in rows if row.place not in self._rows}
        self._rows |= found
        for row in found.values():
            if row.name:
                self._called[row.name].append(row)
            for name in dict.fromkeys(row.lists):
                self._listing[name].append(row)
        return list(found.values())

    def _know(self, names: Iterable[str]) -> None:
        new = sorted({*names} - self._known)
        if new:
            self._known |= {*new}
            self._located(hashes(pa.array(new, pa.string())))

    def _name(self, name: str) -> _Name:
        """All there is of a name that is known."""
        if name not in self._names:
            rows, by = self._called[name], defaultdict(list)
            for row in rows:
                by[self._patient(row)].append(row)
            older = outdated([row.version for row in rows])
            newest = {(row.stamp, row.content): row for place, row in enumerate(rows) if place not in older}
            self._names[name] = _Name(by, [*newest.values()])
        return self._names[name]

    # Who brings what -------------------------------------------------------------------------------------------

    def _meet(self, patient: str, name: str) -> None:
        """What a patient's resource of a name, or reference to it, brings with it."""
        if (patient, name) in self._seen:
            return
        self._seen.add((patient, name))
        named = self._name(name)
        own = named.by.get(patient, ())
        if not own:
            for row in named.newest if len(named.newest) == 1 else ():  # of several nobody can tell which is meant
                self._bring(patient, row)
            return
        replaced = _replaced(own, named)
        self.older |= {row.place: row.type for row in replaced}
        for row in named.newest if replaced else ():
            self._bring(patient, row)
        if named.owners <= {row.owner for row in own}:
            for row in self._listing[name]:
                if not row.name or row.place in self._name(row.name).current:
                    self._bring(patient, row, name)

    def _bring(self, patient: str, row: Noted, listed: str = "") -> None:
        """Let a row of others be read beside a patient's own."""
        if self._patient(row) == patient:
            return
        if (patient, row.place) not in self._listed:
            self._listed[patient, row.place] = set()
            self._new.append((patient, row))
        self._listed[patient, row.place] |= {listed} - {""}

    def _followed(self) -> Iterator[tuple[str, str]]:
        """What those that were brought refer to, by patient; of results they list, who lends the others a specimen."""
        new, self._new = self._new, []
        self._know(name for _, row in new for name in row.lists)
        for patient, row in new:
            for lender in self._lenders(row):
                self._listed[patient, row.place].add(lender.name)
                self._bring(patient, lender)
            yield from ((patient, name) for name in row.links)

    def _lenders(self, row: Noted) -> list[Noted]:
        """Of the results a report lists, one of each specimen; two of them tell that nothing is lent to the others."""
        if row.place not in self._lending:
            found: dict[str, Noted] = {}
            for name in dict.fromkeys(row.lists):
                newest = self._name(name).newest
                if len(newest) == 1 and len(found) < 2 and (specimen := newest[0].specimen):
                    found.setdefault(specimen, newest[0])
            self._lending[row.place] = [*found.values()]
        return self._lending[row.place]


def _replaced(own: Sequence[Noted], named: _Name) -> list[Noted]:
    """Of one's own versions those of which only others have a newer one."""
    last = outdated([row.version for row in own])
    copies = {(row.stamp, row.content) for row in named.newest}
    return [row for place, row in enumerate(own) if place not in last and (row.stamp, row.content) not in copies]
