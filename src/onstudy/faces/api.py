"""The Python API: load a trial, read patients, screen, write a bundle. The same words as the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from onstudy.criteria.trial import Trial
from onstudy.errors import OnstudyError
from onstudy.language.library import trial_path
from onstudy.readers import read_patients as _read_patients
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.patient import Patient
from onstudy.screening import screen as _screening
from onstudy.values.calendar import When, as_when

Moment = date | datetime | str | When


def load_trial(name: str | Path, catalogue: Catalogue | None = None) -> Trial:
    """The trial of an id that ships ("NCT03739814") or of a path to a trial file.

    Raises `InvalidFile` with every problem of the file, `OnstudyError` for an unknown trial.
    """
    from onstudy.language.trialfile import load_trial_file

    path = name if isinstance(name, Path) else trial_path(name)
    return load_trial_file(path, catalogue or load_catalogue())


def read_patients(source: Path | str, text: bytes | None = None, catalogue: Catalogue | None = None) -> list[Patient]:
    """All patients of a FHIR R4 bundle, resource or NDJSON file, a patient file or a CSV file.

    What could not be used of a readable file is in `Patient.problems`; a file that is missing, not
    readable to its end, of no known format or without a patient raises `OnstudyError`.
    """
    return _read_patients(source, text, catalogue or load_catalogue())


def screen(
    trial: Trial,
    patient: Patient,
    on: date,
    *,
    therapy_start: Moment | None = None,
    anchors: Mapping[str, Moment | None] | None = None,
    until: date | None = None,
    assume_complete: Iterable[str] = (),
    as_known_on: date | None = None,
    default_limits: Mapping[str, float] | None = None,
    catalogue: Catalogue | None = None,
) -> _screening.Screening:
    """Ask a trial of a patient on a registration date; see `onstudy.screening.screen.screen`."""
    days = {"on": on, "until": until, "as_known_on": as_known_on}
    for name, day in days.items():
        _check(name, day, date if name == "on" else date | None, "date(2026, 3, 16)", not isinstance(day, datetime))
    for name, when in {"therapy_start": therapy_start, **(anchors or {})}.items():
        _check(name, when, Moment | None, '"2026-03-18T09:00"')
    if isinstance(assume_complete, str):
        assume_complete = [assume_complete]
    given: dict[str, Moment | None] = dict(anchors or {})
    if therapy_start is not None:
        given["therapy_start"] = therapy_start
    moments = {name: when if when is None or isinstance(when, When) else as_when(when) for name, when in given.items()}
    return _screening.screen(
        trial, patient, on, anchors=moments, until=until, assume_complete=assume_complete,
        as_known_on=as_known_on, default_limits=default_limits, catalogue=catalogue,
    )  # fmt: skip


def _check(name: str, value: object, wanted: Any, as_in: str, fits: bool = True) -> None:
    """Arguments come from notebooks, where nobody checks types: what is no date says which it is, and the way out."""
    if not (isinstance(value, wanted) and fits):
        raise OnstudyError(f"{name} is {type(value).__name__} where a date is expected: write {name}={as_in}")


def write_bundle(patient: Patient, catalogue: Catalogue | None = None) -> dict[str, Any]:
    """The record as a FHIR R4 bundle (type collection)."""
    from onstudy.readers.fhir_write import to_bundle

    return to_bundle(patient, catalogue or load_catalogue())
