"""Data to record: one reader per format, chosen by content. What is wrong in a readable source is a problem.

`read_patients` is the one door; `READERS` lists the formats behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onstudy.record.catalogue import Catalogue
    from onstudy.record.patient import Patient

#: Format to the module and function that reads it; a module is only imported when its format turns up.
READERS: dict[str, tuple[str, str]] = {
    "fhir": ("onstudy.readers.fhir", "read_fhir"),
    "ndjson": ("onstudy.readers.fhir", "read_ndjson"),
    "yaml": ("onstudy.readers.patientfile", "read_patient_file"),
    "csv": ("onstudy.readers.csvfile", "read_csv"),
}

__all__ = ["READERS", "read_patients"]


def read_patients(source: Path | str, text: bytes | None = None, catalogue: Catalogue | None = None) -> list[Patient]:
    """All patients of a file, or of `text` if given (`source` then only names it), whatever its format.

    Raises `InvalidFile`, one clear line, where the source is missing, not readable to its end, of no known
    format or without a patient. Anything wrong inside a readable source is in `Patient.problems`.
    """
    from onstudy.readers.source import open_source
    from onstudy.record.catalogue import load_catalogue

    content = open_source(source, text)
    module, function = READERS[content.format]
    read: Callable[..., list[Patient]] = getattr(import_module(module), function)
    return read(content, catalogue or load_catalogue())
