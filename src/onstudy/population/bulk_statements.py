"""CSV and patient files on their way into the store: each patient's statements together, read by their own readers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from onstudy.errors import InvalidFile
from onstudy.population.build_sources import Part, Task, hashed_whole
from onstudy.population.bulk_fhir import Tally
from onstudy.population.bulk_fhir_reading import ClusterReader, Record
from onstudy.population.bulk_rows import Builder
from onstudy.readers.csvfile import patient_of_rows, statements_of
from onstudy.readers.patientfile import Located, Written, patient_from, written_patients
from onstudy.readers.reading import clip
from onstudy.readers.source import CSV, YAML, open_source
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Patient

STATEMENTS, PATIENTS = "rows", "patients"


@dataclass(frozen=True)
class StatementSource:
    """Files of rows (CSV) or of patients (YAML)."""

    files: tuple[tuple[str, str], ...]
    sort: str

    def parts(self) -> list[Part]:
        """All files, with their hashes."""
        return [hashed_whole(name, path) for name, path in self.files]

    def estimate(self, parts: Sequence[Part]) -> tuple[int, int]:
        """From the size of the files: a row is about 50 bytes, and a patient has about 30."""
        size = sum(part.size for part in parts)
        return size // 1500, size // 50

    def tasks(self, part: Part) -> Iterator[Task]:
        """A file is read by one."""
        yield Task(part, 0, 0, part.size)
