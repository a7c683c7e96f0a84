"""The shard of the patients of many rows: by arrays where that gives the same, else one patient after the other.

Three ways lead to the same facts. Most patients are put together as arrays (`bulk_arrays`). Those with a sample, a
formula or a contradiction that is not the usual one are put together of their rows by `record/assemble.py`. Those
with a record that has no form are read as a whole by the screening reader.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onstudy.population.bulk_arrays import Arrays, Fast, arrays
from onstudy.population.bulk_book import Book
from onstudy.population.bulk_classes import Contents, classes_of, contents_of
from onstudy.population.bulk_facts import component_names
from onstudy.population.bulk_fhir_reading import PATIENT, ClusterReader, Record
from onstudy.population.bulk_forms import Form, moment
from onstudy.population.bulk_gathered import Gathered, gathered
from onstudy.population.bulk_match import NO_FORM, Matched, Matcher
from onstudy.population.bulk_person import Filled, patient_of_forms
from onstudy.population.bulk_related import Clusters, clusters_of
from onstudy.population.bulk_rows import LINKS, MEMBERS, Ints
from onstudy.population.bulk_walk import type_of_shape
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
        together = _Table(gathered(table, component_names(self.catalogue)), self)
        del table  # it is large, and not needed any more
        fast, others, ways = together.assembled()
        del together  # so is all that stands in the rows
        return Assembled(fast.shard(others), ways)


@dataclass(frozen=True, eq=False)
class _People:
    """When patients were born, and their sex: `person` is the row of each that tells, -1 for none."""

    person: Ints
    found: Matched
    contents: Contents

    def __call__(self, patient: int) -> tuple[When, str]:
        """The date of birth and the sex of one."""
        row = int(self.person[patient])
        about = self.found.forms[int(self.found.form[row])].person if row >= 0 else None
        if about is None:
            return UNDATED, ""
        return moment(about.born, _dates(self.contents, row)) or UNDATED, about.sex


def _dates(contents: Contents, row: int) -> list[When]:
    """The dates of a row; nothing is known of one that cannot be read, and no form looks at it."""
    return [contents.moments.at(code) or UNDATED for code in contents.dates.of_row(row)]


def _told_apart(records: Sequence[Record]) -> list[Record]:
    """Records that are kept as they are, of one line each of several files, at places of their own.

    A resource without an id is called by its place.
    """
    found: list[Record] = []
    places: dict[str, list[bytes]] = {}
    for record in records:
        if record.payload and record.place:
            lines = places.setdefault(record.place, [])
            if record.payload not in lines:
                lines.append(record.payload)
            if (number := lines.index(record.payload)) > 0:
                record = replace(record, place=f"{record.place} ({number + 1})")
        found.append(record)
    return found


# A table of rows -------------------------------------------------------------------------------------------------


class _Table:
    """The rows of one shard, on their way to its patients."""

    def __init__(self, rows: Gathered, by: Assembler) -> None:
        self.rows, self.by = rows, by
        self.contents = contents_of(rows.slots)
        self.clusters: Clusters = clusters_of(rows.slots, rows.shape, rows.shapes, rows.patient)
        classes = classes_of(self.contents, len(rows.patient))
        self.matcher = Matcher(self.contents, classes, self.clusters, by.book, by.reader)
        self.matcher.patient = rows.patient
        self.found = self.matcher.found
        is_person = np.array([kind == PATIENT for kind in rows.types] + [False], bool).take(rows.shape)
        self.person = is_person & (rows.patient >= 0)

    @cached_property
    def _bounds(self) -> Ints:
        """Where the rows of each patient begin; those about nobody come last."""
        patients = len(self.rows.keys)
        return np.searchsorted(np.where(self.rows.patient < 0, patients, self.rows.patient), np.arange(patients + 1))

    def assembled(self) -> tuple[Fast, list[Patient], Ways]:
        """All patients: as arrays, those put together one by one, and how many went which way."""
        people = np.flatnonzero(self.person)
        self.matcher.match(people)
        self.matcher.about = self._people(people)
        others = np.flatnonzero(~self.person & (self.rows.patient >= 0) & (self.rows.shape >= 0))
        self.matcher.match(others)
        known, whole = self._ways(people)
        fast = arrays(self._arrays(known & ~whole))
        slow = np.flatnonzero(known & ~whole & np.isin(np.arange(len(known)), fast.odd))
        by_rows = [self._by_rows(patient) for patient in slow.tolist()]
        as_whole = [one for patient in np.flatnonzero(whole).tolist() for one in self._as_whole(patient)]
        many = int((known & ~whole).sum()) - len(slow)
        ways = Counter({"by arrays": many, "by rows": len(slow), "as a whole": int(whole.sum())})
        return fast, by_rows + as_whole, ways

    def _people(self, people: Ints) -> _People:
        """What tells the date of birth and the sex of a patient, where a form does."""
        telling = np.array([form.person is not None for form in self.found.forms] + [False], bool)
        people = people[telling[self.found.form[people]]]
        person = np.full(len(self.rows.keys), -1, np.int64)
        person[self.rows.patient[people]] = people
        return _People(person, self.found, self.contents)

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

    def _filled(self, row: int) -> Filled:
        form = self._form(row)
        assert form is not None, "a patient without a form is read as a whole"
        return form, self.matcher.probe(row), _dates(self.contents, row)

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
        records = _told_apart([self._record(row) for row in [*self._shared(rows), *rows]])
        key = self.rows.keys[patient]
        return [one for name, one in self.by.together(records, self.by.catalogue) if name == key]

    def _record(self, row: int) -> Record:
        seq = self.rows.cell("seq", row)
        place = f"line {seq}" if seq > 0 else ""
        patient = int(self.rows.patient[row])
        subject = self.rows.keys[patient] if patient >= 0 else ""
        if self.rows.shape[row] < 0:
            payload, named, stamp = (self.rows.cell(name, row) for name in ("payload", "named", "stamp"))
            beside = bool(self.rows.cell("beside", row))
            return Record(
                place, subject=subject, payload=payload or b"", named=named or "", stamp=stamp or "", beside=beside
            )
        names, dates, numbers = (
            slots.texts(row) for slots in (self.contents.names, self.contents.dates.slots, self.contents.numbers.slots)
        )
        links, members = (self.rows.slots(sort).texts(row) for sort in (LINKS, MEMBERS))
        shape, stamp = self.rows.shapes[self.rows.shape[row]], self.rows.cell("stamp", row) or ""
        return Record(place, shape, subject, names, dates, numbers, links, members, stamp=stamp)

    def _shared(self, rows: Sequence[int]) -> list[int]:
        """The resources about nobody that some rows refer to."""
        by_name = self._by_name()
        if not by_name:
            return []
        links = self.rows.slots(LINKS)
        wanted: dict[str, None] = {}
        for row in rows:
            wanted |= dict.fromkeys(links.texts(row))
            if self.rows.shape[row] < 0:
                payload = self.rows.cell("payload", row)
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
