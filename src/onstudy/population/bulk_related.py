"""Which resources are read together: what the links of each lead to, and the reports and panels a result is listed in.

All rows are those of one shard, so that every reference that leads somewhere leads to one of them, or to a resource
that is about nobody. A reference in another form than `Type/id` is left to the reading of the whole patient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_fhir_reading import Cluster, Related
from onstudy.population.bulk_rows import LINKS, MEMBERS, NAMES, Ints, Slots
from onstudy.population.bulk_walk import type_of_shape

#: A simple reference, and nothing else.
_SIMPLE = r"^[A-Za-z]+/[A-Za-z0-9.\-]{1,64}$"
#: A reference with the address of its server, which the resources of a bulk export do not have.
_ABSOLUTE = r"^https?://\S+/([A-Za-z]+/[A-Za-z0-9.\-]{1,64})(?:/_history/\S*)?/?$"
_OBSERVATION = "Observation"
_DEEPEST = 4  # a sample of a sample of a sample
_NOWHERE, _OTHERS, _STRANGE = -1, -2, -3


@dataclass
class Clusters:
    """The cluster of each row by number, and the rows that stand in it beside its own.

    `related[r]` are the rows of the cluster of row r after its own; `out[r]` the names that lead nowhere. Rows of
    `strange` can only be read with all of their patient.
    """

    number: NDArray[np.int64]
    clusters: list[Cluster]
    related: dict[int, tuple[int, ...]] = field(default_factory=dict)
    out: dict[int, tuple[str, ...]] = field(default_factory=dict)
    strange: set[int] = field(default_factory=set)


def clusters_of(
    slots: Callable[[str], Slots], shape: NDArray[np.int32], shapes: Sequence[bytes], patient: Ints
) -> Clusters:
    """The clusters of all rows. Rows about nobody have the patient -1, and are there for all."""
    found = Clusters(shape.astype(np.int64), [(Related(one),) for one in shapes])
    links, members = slots(LINKS), slots(MEMBERS)
    if links.most == 0 and members.most == 0:
        return found
    return _Linker(slots(NAMES), shape, shapes, patient, links, members, found).linked()


class _Linker:
    """Follows the references of a table of rows."""

    def __init__(
        self,
        names: Slots,
        shape: NDArray[np.int32],
        shapes: Sequence[bytes],
        patient: Ints,
        links: Slots,
        members: Slots,
        found: Clusters,
    ) -> None:
        self.shape, self.shapes, self.found = shape.tolist(), shapes, found
        self.types = [type_of_shape(one) for one in shapes]
        self.patient = patient
        self.links, self.members = links, members
        self.names = names
        self.link_texts = links.values
        self.targets = self._resolved(links)
        self.results = self._resolved(members)
        self._parts: dict[int, _Part | None] = {}
        self._holder_parts: dict[int, _Holder | None] = {}
        self._numbers: dict[Cluster, int] = {}

    def _resolved(self, slots: Slots) -> Ints:
        """The row each reference leads to; `_NOWHERE`, or `_OTHERS` if to another patient's, or `_STRANGE`."""
        if not len(slots.values):
            return np.zeros(0, np.int64)
        row, held = slots.held
        owner = np.full(len(slots.values), _NOWHERE, np.int64)
        owner[held] = row
        plain = pc.replace_substring_regex(slots.values, _ABSOLUTE, r"\1")
        kinds = pc.unique(pc.replace_substring_regex(plain, "/.*$", "")).to_pylist()
        known = [place for place, kind in enumerate(self.types) if kind in kinds]
        rows = np.flatnonzero(np.isin(self.shape, known) & (self.names.count > 0))
        called = pa.array(self.types, pa.string()).take(pa.array(np.asarray(self.shape)[rows]))
        own = self.names.at(self.names.start[rows])
        keys = pc.binary_join_element_wise(called, own, "/")
        place = pc.fill_null(pc.index_in(plain, value_set=keys), -1).to_numpy(zero_copy_only=False)
        found = np.where(place >= 0, np.append(rows, _NOWHERE)[place], _NOWHERE)
        whose = np.append(self.patient, -1)[found]
        found = np.where((found >= 0) & (whose >= 0) & (whose != self.patient[owner]), _OTHERS, found)
        if pc.count_distinct(keys).as_py() < len(keys):  # several of one name: which is meant the whole patient tells
            coded = keys.dictionary_encode().indices.to_numpy()
            several = np.append(np.bincount(coded)[coded] > 1, False)
            found = np.where(several[place], _STRANGE, found)
        simple = pc.match_substring_regex(slots.values, _SIMPLE).to_numpy(zero_copy_only=False)
        return np.where(simple | (found != _NOWHERE), found, _STRANGE)

    def linked(self) -> Clusters:
        """The clusters of all rows that refer to others or that others list."""
        holders = self._holders()
        plain = set(np.flatnonzero(self.links.count > 0).tolist())
        for row in sorted(plain | holders.keys()):
            self._cluster(row, holders.get(row, ()))
        return self.found

    def _holders(self) -> dict[int, list[int]]:
        """The reports and panels that list each result, in the order in which they count."""
        found: dict[int, list[int]] = {}
        row, held = self.members.held
        for holder, result in zip(row.tolist(), self.results[held].tolist(), strict=True):
            if result in (_OTHERS, _STRANGE):
                self.found.strange.add(holder)
            elif result >= 0 and self.types[self.shape[result]] == _OBSERVATION:
                found.setdefault(result, []).append(holder)
        for result, some in found.items():
            if len(some) > 1:
                found[result] = sorted(dict.fromkeys(some), key=self._called)
        return found

    def _called(self, row: int) -> tuple[str, str]:
        kind = self.types[self.shape[row]]
        return kind, f"{kind}/{self.names.text(int(self.names.start[row]))}"

    # Clusters -----------------------------------------------------------------------------------------------

    def _cluster(self, row: int, holders: Sequence[int]) -> None:
        part = self._part(row)
        lent = [self._holder(holder) for holder in holders]
        if part is None or any(one is None for one in lent) or row in holders:
            self.found.strange.add(row)
            return
        joined = _Joined()
        joined.add(part)
        for one in lent:
            assert one is not None
            joined.add(one.lent_to_others if row != one.lender else one.alone)  # its own lender stands there already
        cluster = tuple(joined.records)
        number = self._numbers.get(cluster)
        if number is None:
            number = self._numbers[cluster] = len(self.found.clusters)
            self.found.clusters.append(cluster)
        self.found.number[row] = number
        self.found.related[row] = tuple(joined.rows[1:])
        if any(joined.out):
            self.found.out[row] = tuple(name for names in joined.out for name in names)

    def _part(self, row: int, depth: int = 0) -> _Part | None:
        """A row with what its links lead to; None where that cannot be told here."""
        if row not in self._parts:
            self._parts[row] = self._followed(row, depth)
        return self._parts[row]

    def _followed(self, row: int, depth: int) -> _Part | None:
        start, count = int(self.links.start[row]), int(self.links.count[row])
        shape = self.shapes[self.shape[row]]
        if not count:
            return _Part((Related(shape),), (row,), ((),))
        if depth > _DEEPEST:
            return None
        joined = _Joined()
        joined.add(_Part((Related(shape),), (row,), ((),)))
        links: list[int | str] = []
        for place in range(start, start + count):
            target = int(self.targets[place])
            if target in (_OTHERS, _STRANGE) or target == row:
                return None
            if target == _NOWHERE:
                kind, _, name = self.link_texts[place].as_py().partition("/")
                links.append(kind)
                joined.out[0] = (*joined.out[0], name)
                continue
            below = self._part(target, depth + 1)
            if below is None or row in below.rows:
                return None
            links.append(joined.add(below)[0])
        joined.records[0] = Related(shape, tuple(links))
        return joined.part()

    def _holder(self, row: int) -> _Holder | None:
        """A report or panel with its specimen, and the one result whose specimen it lends to the others."""
        if row not in self._holder_parts:
            self._holder_parts[row] = None if row in self.found.strange else self._lending(row)
        return self._holder_parts[row]

    def _lending(self, row: int) -> _Holder | None:
        part = self._part(row)
        if part is None:
            return None
        start, count = int(self.members.start[row]), int(self.members.count[row])
        named: dict[str, int] = {}
        for result in self.results[start : start + count].tolist():
            if result >= 0 and self.types[self.shape[result]] == _OBSERVATION and self.links.count[result]:
                place = int(self.links.start[result])
                target = int(self.targets[place])
                named[str(target) if target >= 0 else self.link_texts[place].as_py()] = result
        alone = _listing(part, (_READ,))
        if len(named) != 1:
            return _Holder(alone, alone)
        (lender,) = named.values()
        lent = self._part(lender)
        if lent is None or lender == row:
            return None
        joined = _Joined()
        joined.add(part)
        at = joined.add(lent)[0]
        return _Holder(alone, _listing(joined.part(), (_READ, at)), lender)


@dataclass(frozen=True)
class _Part:
    """Some resources of a cluster, the row of each, and the names its links give that lead nowhere."""

    records: tuple[Related, ...]
    rows: tuple[int, ...]
    out: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Holder:
    """A report or panel with its specimens, that lists one result alone, or also the one that lends others its own."""

    alone: _Part
    lent_to_others: _Part
    lender: int = -1


class _Joined:
    """Parts of a cluster put together, each row once: a resource that stands in it twice could not be told apart."""

    def __init__(self) -> None:
        self.records: list[Related] = []
        self.rows: list[int] = []
        self.out: list[tuple[str, ...]] = []

    def add(self, part: _Part) -> list[int]:
        """Add what does not stand there yet; where each resource of the part stands now."""
        where: list[int] = []
        for record, row, out in zip(part.records, part.rows, part.out, strict=True):
            if row not in self.rows:
                self.records.append(record)
                self.rows.append(row)
                self.out.append(out)
            where.append(self.rows.index(row))
        for record, place in zip(part.records, where, strict=True):
            links = tuple(where[link] if isinstance(link, int) else link for link in record.links)
            members = tuple(0 if member == _READ else where[member] for member in record.members)
            self.records[place] = Related(record.shape, links, members or self.records[place].members)
        return where

    def part(self) -> _Part:
        """All of it, as a part of something larger."""
        return _Part(tuple(self.records), tuple(self.rows), tuple(self.out))


#: Among the results that a report lists in a part: the one that is read, which is the first of the cluster.
_READ = -1


def _listing(part: _Part, members: tuple[int, ...]) -> _Part:
    first = part.records[0]
    return replace(part, records=(Related(first.shape, first.links, members), *part.records[1:]))
