"""Records whose patient is named by an identifier alone, given to the patient who has it, wherever that one lies.

When a file is read nobody knows who has an identifier, so such rows wait under a number of their own. When all are
read, the Patient resources are looked through for the identifiers that were met, and the rows are written once more,
under the patients' ids. They are like a part of the source of their own, which changes when what they lead to changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.build_sources import digest_of_texts
from onstudy.population.build_strangers import types_of
from onstudy.population.bulk_fhir import NO_PATIENT
from onstudy.population.bulk_identified import Identified
from onstudy.population.bulk_keys import hashed, of_patients
from onstudy.population.bulk_rows import column_of, join_rows, read_rows, write_rows
from onstudy.population.store import shard_numbers
from onstudy.readers.fhir import READ

#: Rows whose patient is named by an identifier are kept under this number.
BY_IDENTIFIER = -2
#: Rows that name something that is no patient are kept under this one.
ABOUT_ELSE = -3
SEVERAL = "resources whose subject is named by an identifier that several patients have"


def places_of(table: pa.Table, shard_count: int) -> NDArray[np.int32]:
    """The number under which each row is kept: of its patient's shard, or that of those who are not known yet."""
    patient = column_of(table, "patient")
    shards = hashed(patient, shard_count, shard_numbers)
    if pa.types.is_string(patient.type):
        record = column_of(table, "shape").is_valid()  # elsewhere a Patient resource without an id has no key
        if "types" in table.column_names:
            record = pc.or_(record, column_of(table, "types").is_valid())
        about_else = pc.and_(pc.equal(patient, "").fill_null(False), record)
        shards[about_else.to_numpy(zero_copy_only=False)] = ABOUT_ELSE
    if "named" in table.column_names:
        shards[column_of(table, "named").is_valid().to_numpy(zero_copy_only=False)] = BY_IDENTIFIER
    return shards


@dataclass(frozen=True, eq=False)
class Waiting:
    """The rows of some files that wait for their patients: the files, in order, and the identifier of each row."""

    rows: Path
    files: tuple[str, ...]
    named: tuple[pa.Array, ...]

    @property
    def systems(self) -> frozenset[str]:
        """Who gives the identifiers."""
        return frozenset(Identified(one).system for one in self._distinct().to_pylist())

    def _distinct(self) -> pa.Array:
        return pc.unique(pa.chunked_array(self.named, pa.string()))

    def found(self, holders: Iterable[pa.Table]) -> Found:
        """Who is meant; `holders` are identifiers (`named`) and the patients who have them (`patient`)."""
        having = pa.concat_tables([_NO_HOLDERS, *holders])
        having = having.filter(pc.is_in(having.column("named"), value_set=self._distinct()))
        by_name = having.group_by("named").aggregate([("patient", "count_distinct"), ("patient", "min")])
        by_name = by_name.sort_by("named")
        alone = pc.equal(by_name.column("patient_count_distinct"), 1)
        one, several = by_name.filter(alone), by_name.filter(pc.invert(alone))
        return Found(self, column_of(one, "named"), column_of(one, "patient_min"), column_of(several, "named"))


_NO_HOLDERS = pa.table({name: pa.array([], pa.string()) for name in ("named", "patient")})


def waiting(rows: Path, places: Mapping[str, frozenset[int]]) -> Waiting | None:
    """The rows that wait in files, of which `places` has the numbers they have rows of; None where none wait."""
    files = tuple(name for name, numbers in places.items() if BY_IDENTIFIER in numbers)
    if not files:
        return None
    return Waiting(rows, files, tuple(column_of(_waiting_in(rows / name), "named") for name in files))


def _waiting_in(file: Path) -> pa.Table:
    table = read_rows(file, BY_IDENTIFIER)
    assert table is not None, "a file in which rows wait has some"
    return table


@dataclass(frozen=True, eq=False)
class Found:
    """Whom the identifiers mean: those that one patient has, with the patient, and those that several have."""

    waiting: Waiting
    named: pa.Array
    patient: pa.Array
    several: pa.Array

    @property
    def whose(self) -> dict[str, str]:
        """The patients by their identifiers."""
        return dict(zip(self.named.to_pylist(), self.patient.to_pylist(), strict=True))

    @property
    def digest(self) -> str:
        """A hash of the rows and of whom they are about."""
        return digest_of_texts(*self.waiting.files, *self.named.to_pylist(), *self.patient.to_pylist())

    def write(self, files: Sequence[str], shard_count: int) -> None:
        """Write the rows under the ids of their patients, those of each file into the one of `files` at its place."""
        for name, of, named in zip(files, self.waiting.files, self.waiting.named, strict=True):
            patient = self.patient.take(pc.index_in(named, value_set=self.named))
            table = _waiting_in(self.waiting.rows / of)
            table = of_patients(table, patient).filter(patient.is_valid())
            write_rows(self.waiting.rows / name, table, hashed(column_of(table, "patient"), shard_count, shard_numbers))

    def left(self) -> Counter[tuple[str, str]]:
        """How many resources of each type are about nobody who could be told, and why."""
        found: Counter[tuple[str, str]] = Counter()
        for name, named in zip(self.waiting.files, self.waiting.named, strict=True):
            known, shared = (pc.is_in(named, value_set=some) for some in (self.named, self.several))
            if pc.all(known).as_py():
                continue
            table = _waiting_in(self.waiting.rows / name)
            for reason, some in ((SEVERAL, shared), (NO_PATIENT, pc.invert(pc.or_(known, shared)))):
                types = types_of(table.filter(some))
                found.update({(reason, kind): many for kind, many in types.items() if kind in READ})
        return found


def at_its_place(rows: pa.Table | None, waited: pa.Table) -> pa.Table:
    """The rows of a file with those that have waited in it, in the order of the source."""
    if rows is None:
        return waited
    both = join_rows([rows, waited])
    return both.take(np.argsort(column_of(both, "seq").to_numpy(), kind="stable"))
