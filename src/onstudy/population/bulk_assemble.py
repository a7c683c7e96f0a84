"""The shard of the patients of many rows: by arrays where that gives the same, else one patient after the other.

Three ways lead to the same facts. Most patients are put together as arrays (`bulk_arrays`). Those with a sample, a
formula or a contradiction that is not the usual one are put together of their rows by `record/assemble.py`. Those
with a record that has no form are read as a whole by the screening reader.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_arrays import Arrays, arrays
from onstudy.population.bulk_book import Book
from onstudy.population.bulk_classes import classes_of, contents_of, factorised
from onstudy.population.bulk_elements import type_of_shape
from onstudy.population.bulk_fhir_reading import PATIENT, ClusterReader, Record
from onstudy.population.bulk_forms import Form, moment
from onstudy.population.bulk_match import NO_FORM, Matcher
from onstudy.population.bulk_person import Filled, patient_of_forms
from onstudy.population.bulk_related import Clusters, clusters_of
from onstudy.population.bulk_rows import LINKS, MEMBERS, SLOTS, Ints, slots_of
from onstudy.readers.source import decode
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Patient
from onstudy.record.shard import Shard
from onstudy.values.calendar import UNDATED, When

#: Reads all records of a patient together: the key and the patient, for each there is among them.
Together = Callable[[Sequence[Record], Catalogue], list[tuple[str, Patient]]]

_NAMED_IN_PAYLOAD = re.compile(rb'"((?:[A-Za-z:/.\-0-9]*/)?Medication/[A-Za-z0-9.\-]{1,64})"')


#: How many patients went which way.
Ways = Counter[str]


@dataclass(frozen=True)
class Assembled:
    """A shard, the patients in the order of their ids, and how they were put together."""

    shard: Shard
    ways: Ways


class Assembler:
    """Puts the patients of tables of rows together; what it learns of one table it knows for the next."""

    def __init__(self, reader: ClusterReader, together: Together, catalogue: Catalogue) -> None:
        self.reader, self.together, self.catalogue = reader, together, catalogue
        self.book = Book(reader, catalogue)

    def assemble(self, table: pa.Table) -> Assembled:
        """The shard of all patients of whom the table has all rows. Rows about nobody are there for all."""
        return _Table(gathered(table), self).assembled()


@dataclass(frozen=True, eq=False)
class Gathered:
    """Rows by patient, those of one in the order of the source; those about nobody come last."""

    table: pa.Table
    patient: Ints
    keys: list[str]
    shape: NDArray[np.int32]
    shapes: list[bytes]
    unique: bool = False  # whether no two rows have the same name

    @property
    def types(self) -> list[str]:
        """The type of resource of each shape."""
        return [type_of_shape(shape) for shape in self.shapes]

    def take(self, rows: Ints) -> Gathered:
        """Some of the rows."""
        return replace(self, table=self.table.take(pa.array(rows)), patient=self.patient[rows], shape=self.shape[rows])


def gathered(table: pa.Table) -> Gathered:
    """The rows of a table by patient, without copies of one resource."""
    keys = _single(table.column("patient")).dictionary_encode()
    patient = keys.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.argsort(np.where(patient < 0, len(keys.dictionary), patient), kind="stable")
    shape = _single(table.column("shape"))
    number = shape.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    found = Gathered(
        table.drop_columns(["patient", "shape"]), patient, keys.dictionary.to_pylist(), number,
        shape.dictionary.to_pylist(),
    )  # fmt: skip
    return _without_copies(found.take(order))


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _without_copies(rows: Gathered) -> Gathered:
    """The rows without equal copies of a resource and without the older of its versions, as `Source.newest` does it."""
    if not len(rows.patient):
        return rows
    names = slots_of(rows.table, "names")
    some = np.flatnonzero((rows.shape >= 0) & (names.count > 0))
    own = names.values.take(pa.array(names.start[some]))
    if pc.count_distinct(own).as_py() == len(own):
        return replace(rows, unique=bool((names.count <= 1).all()) and not pc.any(pc.match_substring(own, ".")).as_py())
    types = {kind: number for number, kind in enumerate(sorted(set(rows.types)))}
    kind = np.array([types[one] for one in rows.types] + [-1], np.int64)[rows.shape[some]]
    name = own.dictionary_encode().indices.to_numpy().astype(np.int64)
    codes = factorised(rows.patient[some], kind, name)
    many = np.bincount(codes) if len(codes) else np.zeros(0, np.int64)
    if not (many > 1).any():
        return rows
    versions: dict[int, list[int]] = {}
    for place in np.flatnonzero(many[codes] > 1).tolist():
        versions.setdefault(int(codes[place]), []).append(int(some[place]))
    dropped = [row for group in versions.values() for row in _older(group, rows)]
    kept = np.ones(len(rows.patient), bool)
    kept[dropped] = False
    return rows.take(np.flatnonzero(kept))


def _older(versions: list[int], rows: Gathered) -> Iterator[int]:
    table = rows.table
    stamps = table.column("stamp").take(pa.array(versions)).to_pylist() if "stamp" in table.column_names else []
    stamps = stamps or [None] * len(versions)
    slots = [slots_of(table, sort) for sort in SLOTS]
    kept: dict[tuple[object, ...], int] = {}
    for place, row in enumerate(versions):
        said = (_spaceless(rows.shapes[rows.shape[row]]), *(one.texts(row) for one in slots))
        if said in kept:
            yield row
        else:
            kept[said] = place
    stamped = [_stamp(stamps[place]) for place in kept.values()]
    if len(kept) > 1 and all(stamped) and len(set(stamped)) == len(stamped):
        last = max(kept.values(), key=lambda place: _stamp(stamps[place]))
        yield from (versions[place] for place in kept.values() if place != last)


@lru_cache(1 << 12)
def _spaceless(shape: bytes) -> str:
    """A shape without what may differ where the same is said: spaces, escapes, the order of keys."""
    return json.dumps(decode(shape.decode("utf-8", "surrogatepass")), sort_keys=True, default=str)


def _stamp(text: str | None) -> tuple[str, int]:
    """When a version was made and its number, so that they can be put in order."""
    updated, _, version = (text or " ").partition(" ")
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 12 else 0
    return (updated, number) if updated or number else ("", 0)


# A table of rows -------------------------------------------------------------------------------------------------


class _Table:
    """The rows of one shard, on their way to its patients."""

    def __init__(self, rows: Gathered, by: Assembler) -> None:
        self.rows, self.by = rows, by
        self.contents = contents_of(rows.table)
        self.clusters: Clusters = clusters_of(rows.table, rows.shape, rows.shapes, rows.patient)
        classes = classes_of(self.contents, len(rows.patient))
        self.matcher = Matcher(self.contents, classes, self.clusters, by.book, by.reader)
        self.matcher.patient = rows.patient
        self.found = self.matcher.found
        is_person = np.array([kind == PATIENT for kind in rows.types] + [False], bool)[rows.shape]
        self.person = is_person & (rows.patient >= 0)
        patients = len(rows.keys)
        placed = np.where(rows.patient < 0, patients, rows.patient)
        self._bounds = np.searchsorted(placed, np.arange(patients + 1))

    def assembled(self) -> Assembled:
        """The shard of all patients."""
        people = np.flatnonzero(self.person)
        self.matcher.match(people)
        self.matcher.born = self._born(people)
        others = np.flatnonzero(~self.person & (self.rows.patient >= 0) & (self.rows.shape >= 0))
        self.matcher.match(others)
        known, whole = self._ways(people)
        fast = arrays(self._arrays(known & ~whole))
        slow = np.flatnonzero(known & ~whole & np.isin(np.arange(len(known)), fast.odd))
        by_rows = [self._by_rows(patient) for patient in slow.tolist()]
        as_whole = [one for patient in np.flatnonzero(whole).tolist() for one in self._as_whole(patient)]
        many = int((known & ~whole).sum()) - len(slow)
        ways = Counter({"by arrays": many, "by rows": len(slow), "as a whole": int(whole.sum())})
        return Assembled(fast.shard(by_rows + as_whole), ways)

    def _born(self, people: Ints) -> list[When]:
        """The date of birth of each patient, where a form tells it."""
        born = [UNDATED] * len(self.rows.keys)
        for row in people.tolist():
            form = self._form(row)
            if form is not None and form.person is not None:
                born[int(self.rows.patient[row])] = moment(form.person.born, self._dates(row)) or UNDATED
        return born

    def _ways(self, people: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which patients there are, and which of them are read as a whole."""
        patients = len(self.rows.keys)
        many = np.bincount(self.rows.patient[people], minlength=patients)
        payload = (self.rows.shape < 0) & (self.rows.patient >= 0)
        formless = (self.found.form == NO_FORM) & (self.rows.patient >= 0)
        whole = np.zeros(patients, bool)
        whole[self.rows.patient[payload | formless]] = True
        known = many > 0
        # somebody whose Patient resource is kept whole is known too; only reading together tells
        waiting = np.zeros(patients, bool)
        waiting[self.rows.patient[payload]] = True
        known |= waiting
        return known, known & (whole | (many != 1))

    def _arrays(self, patients: NDArray[np.bool_]) -> Arrays:
        mine = np.append(patients, False)[self.rows.patient] & (self.rows.shape >= 0)
        return Arrays(
            np.flatnonzero(mine & ~self.person), np.flatnonzero(mine & self.person), self.rows.patient,
            len(self.rows.keys), self.found, self.contents, self.clusters, self.by.catalogue, self.rows.unique,
        )  # fmt: skip

    # One by one ---------------------------------------------------------------------------------------------

    def _form(self, row: int) -> Form | None:
        number = int(self.found.form[row])
        return None if number == NO_FORM else self.found.forms[number]

    def _dates(self, row: int) -> list[When]:
        """The dates of a row; nothing is known of one that cannot be read, and no form looks at it."""
        dates = self.contents.dates
        places = (int(dates.start[row]) + slot * dates.step for slot in range(int(dates.count[row])))
        return [self.contents.moments.at(place) or UNDATED for place in places]

    def _filled(self, row: int) -> Filled:
        form = self._form(row)
        assert form is not None, "a patient without a form is read as a whole"
        return form, self.matcher.probe(row), self._dates(row)

    def _rows_of(self, patient: int) -> list[int]:
        first, end = self._bounds[patient : patient + 2].tolist()
        return list(range(first, end))

    def _by_rows(self, patient: int) -> Patient:
        rows = self._rows_of(patient)
        (person,) = (row for row in rows if self.person[row])
        records = [self._filled(row) for row in rows if row != person]
        return patient_of_forms(self._filled(person), records, self.by.catalogue)

    def _as_whole(self, patient: int) -> list[Patient]:
        rows = self._rows_of(patient)
        records = [self._record(row) for row in [*self._shared(rows), *rows]]
        key = self.rows.keys[patient]
        return [one for name, one in self.by.together(records, self.by.catalogue) if name == key]

    def _record(self, row: int) -> Record:
        seq = self.rows.table.column("seq")[row].as_py()
        place = f"line {seq}" if seq > 0 else ""
        if self.rows.shape[row] < 0:
            return Record(place, payload=self.rows.table.column("payload")[row].as_py())
        patient = int(self.rows.patient[row])
        names, dates, numbers = (
            slots.texts(row) for slots in (self.contents.names, self.contents.dates, self.contents.numbers)
        )
        links, members = (slots_of(self.rows.table, sort).texts(row) for sort in (LINKS, MEMBERS))
        subject = self.rows.keys[patient] if patient >= 0 else ""
        return Record(place, self.rows.shapes[self.rows.shape[row]], subject, names, dates, numbers, links, members)

    def _shared(self, rows: Sequence[int]) -> list[int]:
        """The resources about nobody that some rows refer to."""
        by_name = self._by_name()
        if not by_name:
            return []
        links = slots_of(self.rows.table, LINKS)
        wanted: dict[str, None] = {}
        for row in rows:
            wanted |= dict.fromkeys(links.texts(row))
            if self.rows.shape[row] < 0:
                payload = self.rows.table.column("payload")[row].as_py()
                wanted |= dict.fromkeys(found.decode() for found in _NAMED_IN_PAYLOAD.findall(payload))
        names = dict.fromkeys("/".join(one.split("/")[-2:]) for one in wanted)
        return [row for name in names for row in by_name.get(name, ())]

    def _by_name(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row in np.flatnonzero((self.rows.patient < 0) & (self.rows.shape >= 0)).tolist():
            kind = type_of_shape(self.rows.shapes[self.rows.shape[row]])
            for name in self.contents.names.texts(row)[:1]:
                found.setdefault(f"{kind}/{name}", []).append(row)
        return found
