"""The screening readers run on resources that were taken apart: one resource with those it is read with, or all of
a patient.

A `Cluster` is a resource and the others the readers look at for its sake: its specimen, the report it is listed in,
the medication or diagnosis it refers to. It is the same for all resources that differ in their slots only.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from onstudy.population.bulk_elements import MARK, decoded, encoded
from onstudy.population.bulk_forms import Person, Probe, Read
from onstudy.population.bulk_identified import Identified, identify
from onstudy.population.bulk_stamps import put_stamp
from onstudy.population.bulk_subjects import key_of
from onstudy.population.bulk_walk import Counting, Putting, counted, type_of_shape, walk
from onstudy.readers import fhir
from onstudy.readers.fhir_chart import Chart
from onstudy.readers.fhir_entries import Entry, Index, Source
from onstudy.readers.fhir_json import Json
from onstudy.readers.fhir_meaning import Vocabulary
from onstudy.readers.fhir_range import Ranges
from onstudy.readers.fhir_specimen import Specimens
from onstudy.readers.source import decode
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Patient

PATIENT = "Patient"


@dataclass(frozen=True, slots=True)
class Related:
    """One resource of a cluster: its shape, where its links lead and which results it lists.

    A link leads to a resource of the cluster, by its place, or out of the source: then it is the type of what
    it names, and the name stands after those of all resources.
    """

    shape: bytes
    links: tuple[int | str, ...] = ()
    members: tuple[int, ...] = ()


#: The first is the resource that is read.
Cluster = tuple[Related, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One resource as it was taken apart, or as it is (`payload`), with its place in the source."""

    place: str
    shape: bytes = b""
    subject: str = ""
    names: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    payload: bytes = b""
    named: str = ""  # of a payload: the identifier by which it names the subject
    stamp: str = ""  # of one that was taken apart: when it was changed last, and its version
    beside: bool = False  # whether what names another or nobody is only there to be referred to


def put_back(record: Record) -> bytes:
    """The JSON of a resource that was taken apart: all of it that readers look at."""
    resource = decoded(record.shape, type_of_shape(record.shape))
    walk(
        resource,
        Putting(iter(record.names), iter(record.dates), iter(record.numbers), iter(record.links), [*record.members]),
    )
    for about in (resource.subject, resource.patient, resource.beneficiary):
        if about and about.reference == MARK:
            about.reference = f"{PATIENT}/{record.subject}"
    return encoded(resource)


class ClusterReader:
    """The readers of resources, run on clusters."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.vocabulary = Vocabulary(catalogue)
        self._counts: dict[bytes, Counting] = {}
        self._resources: dict[bytes, Json] = {}

    def counts(self, shape: bytes) -> Counting:
        """How many slots of each sort a shape has."""
        found = self._counts.get(shape)
        if found is None:
            found = self._counts[shape] = counted(shape)
        return found

    def resource(self, cluster: Cluster) -> Json:
        """The first resource, with marks in its slots."""
        shape = cluster[0].shape
        if shape not in self._resources:
            self._resources[shape] = decode(shape.decode())
        return self._resources[shape]

    def names(self, cluster: Cluster) -> list[tuple[int, int]]:
        """For each name of the cluster's probes: whose it is, and which of its names; -1 is one that leads nowhere."""
        own = [(place, slot) for place, one in enumerate(cluster) for slot in range(self.counts(one.shape).names)]
        out = sum(isinstance(link, str) for one in cluster for link in one.links)
        return own + [(-1, slot) for slot in range(out)]

    def read(self, cluster: Cluster, probe: Probe) -> Read | None:
        """What is made of the first resource; None where that cannot be told from the cluster."""
        kind = type_of_shape(cluster[0].shape)
        if kind != PATIENT and kind not in fhir.READ:
            return Read(unread=(kind,), touched=frozenset())
        watch = _Watch(probe.numbers)
        source = Source()
        for record in self._records(cluster, probe):
            source.take(watch.decoded(put_back(record)), record.place)
        main = source.entries[0]
        inner = [entry.type for entry in source.entries if entry.container is main]
        if any(one == PATIENT or one in fhir.READ for one in inner):
            return None
        chart = self._chart(source, probe)
        found = self._person(chart, main) if kind == PATIENT else self._facts(chart, main)
        unread = tuple(one for one in inner if one not in fhir.ADMINISTRATIVE)
        return replace(found, unread=unread, touched=frozenset(watch.touched), units=tuple(sorted(watch.units)))

    def _chart(self, source: Source, probe: Probe) -> Chart:
        index = Index(source.entries)
        specimens = Specimens(source.entries, index, self.catalogue)
        chart = Chart(self.vocabulary, index, specimens, Ranges(self.vocabulary))
        chart.born, chart.sex = probe.born, probe.sex
        return chart

    def _facts(self, chart: Chart, entry: Entry) -> Read:
        facts = tuple(fhir.read_resource(chart, entry))
        shared = tuple((what, where) for what, places in chart.gathered.items() for where in places)
        return Read(facts, tuple(chart.problems), shared, tuple(chart.unrecognised))

    def _person(self, chart: Chart, entry: Entry) -> Read:
        who = fhir.read_person(chart, entry)
        about = Person(who.id, chart.born, who.sex, tuple(who.coverage))
        return Read(problems=tuple(chart.problems), person=about)

    def _records(self, cluster: Cluster, probe: Probe) -> Iterator[Record]:
        """The resources of a cluster with the contents of a probe in their slots."""
        counts = [self.counts(one.shape) for one in cluster]
        names, dates, numbers = (_shares(content, sizes) for content, sizes in (
            (probe.names, [count.names for count in counts]),
            (probe.dates, [count.dates for count in counts]),
            (probe.numbers, [count.numbers for count in counts]),
        ))  # fmt: skip
        out = iter(probe.names[sum(count.names for count in counts) :])
        called = [
            f"{type_of_shape(one.shape)}/{own[0] if own else ''}" for one, own in zip(cluster, names, strict=True)
        ]
        for place, one in enumerate(cluster):
            links = tuple(called[link] if isinstance(link, int) else f"{link}/{next(out)}" for link in one.links)
            members = tuple(called[member] for member in one.members)
            yield Record("", one.shape, "P", names[place], dates[place], numbers[place], links, members)


def _shares(content: Sequence[str], sizes: Sequence[int]) -> list[tuple[str, ...]]:
    """A sequence cut into pieces of these sizes."""
    found, start = [], 0
    for size in sizes:
        found.append(tuple(content[start : start + size]))
        start += size
    return found


class _Watch:
    """JSON that notes which of the probe's numbers somebody looks at, and the units written in it."""

    def __init__(self, numbers: Sequence[str]) -> None:
        self.slots = {number: slot for slot, number in enumerate(numbers)}
        self.touched: set[int] = set()
        self.units: set[str] = set()

    def decoded(self, data: bytes) -> Any:
        """The JSON, read as the readers' own `decode` reads it."""
        hook = self._node if self.slots else None  # without numbers there is nothing to watch
        return json.loads(data, object_pairs_hook=hook, parse_float=_Written, parse_int=_Whole)

    def _node(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        node = _Watched(pairs)
        node.watch = self
        if "value" in node:
            self.units.update(found for key in ("unit", "code") if isinstance(found := dict.get(node, key), str))
        node.slots = {key: slot for key, value in pairs if (slot := self._slot(value)) is not None}
        return node if node.slots else dict(pairs)

    def _slot(self, value: object) -> int | None:
        if isinstance(value, (_Written, _Whole)):
            return self.slots.get(value.written)
        return self.slots.get(f'"{value}"') if isinstance(value, str) else None


class _Written(Decimal):
    """A decimal that keeps how it was written."""

    written: str

    def __new__(cls, text: str) -> _Written:
        found = super().__new__(cls, text)
        found.written = text
        return found


class _Whole(int):
    """A whole number that keeps how it was written."""

    written: str

    def __new__(cls, text: str) -> _Whole:
        found = super().__new__(cls, text)
        found.written = text
        return found


class _Watched(dict[str, Any]):
    """An element with numbers in it that are watched."""

    watch: _Watch
    slots: dict[str, int]

    def _touch(self, key: object) -> None:
        if key in self.slots:
            self.watch.touched.add(self.slots[str(key)])

    def __getitem__(self, key: str) -> Any:
        self._touch(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As `dict.get`."""
        self._touch(key)
        return super().get(key, default)

    def items(self) -> Any:
        """As `dict.items`."""
        self.watch.touched.update(self.slots.values())
        return super().items()

    def values(self) -> Any:
        """As `dict.values`."""
        self.watch.touched.update(self.slots.values())
        return super().values()

    def __repr__(self) -> str:
        self.watch.touched.update(self.slots.values())
        return super().__repr__()

    def __eq__(self, other: object) -> bool:
        self.watch.touched.update(self.slots.values())
        return super().__eq__(other)

    __hash__ = None


def _set_beside(entries: Sequence[Entry], mine: Collection[str | Identified]) -> None:
    """Let what does not name a patient, called as `mine` says, be beside what does."""
    for entry in entries:  # what stands within another comes after it
        holder = entry.container
        entry.beside = (holder is None or holder.beside) and key_of(entry.resource) not in mine


def read_whole(records: Sequence[Record], catalogue: Catalogue) -> list[tuple[str, Patient]]:
    """The patients of resources that are read together, as the reader of files reads them, each with its key."""
    source = Source()
    own = {record.payload for record in records if not record.beside}
    for record in (one for one in records if not one.beside or one.payload not in own):
        data = record.payload or put_back(record)
        resource = decode(data.decode("utf-8-sig"))
        if record.stamp:
            put_stamp(resource, record.stamp)
        before = len(source.entries)
        source.take(resource, record.place)
        if record.beside:
            same = {Identified(one.named) for one in records if one.named and one.subject == record.subject}
            _set_beside(source.entries[before:], {record.subject, *same})
    for patient, named in dict.fromkeys((record.subject, record.named) for record in records if record.named):
        identify(source.entries, patient, named)
    found = fhir.patients_of(source, catalogue)
    return list(zip((entry.id for entry in fhir.people_in(source)), found, strict=True))
