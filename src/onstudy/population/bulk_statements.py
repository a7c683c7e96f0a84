"""CSV and patient files on their way into the store: each patient's statements together, read by their own readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from onstudy.errors import Problem
from onstudy.population.build_sources import DOCUMENT, Part, Task, digest_of_texts, hashed, refuse
from onstudy.population.build_unread import Unread
from onstudy.population.bulk_fhir import Tally
from onstudy.population.bulk_fhir_reading import ClusterReader, Record
from onstudy.population.bulk_identified import identified_in
from onstudy.population.bulk_rows import Builder
from onstudy.readers.csvfile import Row, patient_of_rows, statements_of
from onstudy.readers.patientfile import Located, patient_from, written_patients
from onstudy.readers.source import CSV, YAML, Content, open_source
from onstudy.readers.statement import Written
from onstudy.record.assemble import make_patient, stated
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Patient
from onstudy.values.calendar import UNDATED

ROWS, PATIENTS = "csv", "patients"
_LINE, _MAP = "@line", "@map"


@dataclass(frozen=True)
class StatementSource:
    """Files of rows (`csv`) or of patients (`patients`)."""

    sort: str
    refers = False
    files: tuple[tuple[str, str], ...]
    others: Unread = field(default_factory=dict)  # what is not read

    def parts(self, catalogue: str) -> list[Part]:
        """All files, each content once, with their hashes; what a row states is told by the catalogue, and where it
        stands by the name of its file.
        """
        parts = [hashed(name, path, DOCUMENT) for name, path in self.files]
        first = {part.digest: part for part in reversed(parts)}
        some = [part for part in parts if first[part.digest] is part]
        return [replace(part, digest=digest_of_texts(part.digest, Path(part.path).name, catalogue)) for part in some]

    def lacking(self) -> dict[tuple[str, str], int]:
        """Nothing: no statement has to be there."""
        return {}

    def unread(self) -> Unread:
        """The others."""
        return self.others

    def estimate(self, parts: Sequence[Part]) -> tuple[int, int]:
        """From the size of the files: a statement is about 50 bytes, and a patient has about 30."""
        size = sum(part.size for part in parts)
        return size // 1500, size // 50

    def tasks(self, part: Part) -> Iterator[Task]:
        """A file is read as a whole."""
        yield Task(part, 0, 0, part.size)

    def rows(self, task: Task, catalogue: Catalogue) -> tuple[pa.Table, Tally]:
        """The statements of a file, those of each patient under the patient's id."""
        content = open_source(Path(task.part.path))
        builder, tally = Builder(lambda _: (0, 0, 0, 0)), Tally()
        _READ[self.sort](content, builder, tally, catalogue)
        return builder.table(), tally

    def identified(self, task: Task, systems: frozenset[str]) -> pa.Table:
        """Nobody: statements name patients by their ids."""
        return identified_in((), systems)

    def reader(self, catalogue: Catalogue) -> ClusterReader:
        """Statements are not taken apart, so nothing is read one by one."""
        return ClusterReader(catalogue)

    def together(self, records: Sequence[Record], catalogue: Catalogue) -> list[tuple[str, Patient]]:
        """The patient that statements are about."""
        said = [json.loads(record.payload) for record in records]
        patient = _TOGETHER[self.sort](said, catalogue)
        return [(said[0]["patient"], patient)]


def _payload(patient: str, **said: Any) -> bytes:
    return json.dumps({"patient": patient, **said}, ensure_ascii=True).encode()


# CSV ----------------------------------------------------------------------------------------------------------


def _read_csv(content: Content, builder: Builder, tally: Tally, catalogue: Catalogue) -> None:
    if content.format != CSV:
        raise refuse(content.path, "is no CSV with a column `kind`, as the other files here are")
    found = statements_of(content, catalogue)
    for problem in found.loose:
        tally.left[problem.what, ""] += 1
    for patient, rows in found.people.items():
        tally.read["statements"] += len(rows)
        for where, entry in rows:
            builder.whole(patient, len(builder) + 1, _payload(patient, where=where, entry=entry))


def _of_rows(said: Sequence[dict[str, Any]], catalogue: Catalogue) -> Patient:
    rows: list[Row] = [(one["where"], one["entry"]) for one in said]
    return patient_of_rows(said[0]["patient"], rows, (), catalogue)


# Patient files --------------------------------------------------------------------------------------------------


def _read_patients(content: Content, builder: Builder, tally: Tally, catalogue: Catalogue) -> None:
    if content.format != YAML:
        raise refuse(content.path, "is no patient file, as the other files here are")
    for entry in written_patients(content):
        patient = patient_from(entry, content.name, catalogue).id
        tally.read["patients"] += 1
        builder.whole(patient, len(builder) + 1, _payload(patient, name=content.name, entry=_plain(entry)))


def _of_files(said: Sequence[dict[str, Any]], catalogue: Catalogue) -> Patient:
    """The patient of one entry, or of several: what each of them states."""
    found = []
    for one in said:
        entry = _located(one["entry"])
        assert isinstance(entry, Located), "a patient is a mapping"
        found.append(patient_from(entry, one["name"], catalogue))
    if len(found) == 1:
        return found[0]
    facts = [fact for patient in found for fact in stated(patient, catalogue)]
    born = next((patient.born for patient in found if patient.born.known), UNDATED)
    covered = [cover for patient in found for cover in patient.coverage]
    problems: list[Problem] = [problem for patient in found for problem in patient.problems]
    return make_patient(found[0].id, born, None, facts, covered, problems, catalogue)


def _plain(written: Written) -> Any:
    """What is written as JSON, with the line of each mapping."""
    if isinstance(written, dict):
        return {_LINE: getattr(written, "line", None), _MAP: {key: _plain(value) for key, value in written.items()}}
    return [_plain(one) for one in written] if isinstance(written, list) else written


def _located(plain: Any) -> Written:
    if isinstance(plain, dict):
        found = Located((key, _located(value)) for key, value in plain[_MAP].items())
        found.line = plain[_LINE]
        return found
    return [_located(one) for one in plain] if isinstance(plain, list) else plain


_READ: dict[str, Callable[[Content, Builder, Tally, Catalogue], None]] = {ROWS: _read_csv, PATIENTS: _read_patients}
_TOGETHER: dict[str, Callable[[Sequence[dict[str, Any]], Catalogue], Patient]] = {ROWS: _of_rows, PATIENTS: _of_files}
