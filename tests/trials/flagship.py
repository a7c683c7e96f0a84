"""NCT03739814 and the invented patients of its examples, for tests that change one thing about one of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Any

from onstudy.criteria.trial import Trial
from onstudy.language.library import examples_path, shipped
from onstudy.language.trialfile import load_trial_file
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.screening.screen import Screening, screen
from onstudy.values.calendar import When, parse_when
from onstudy.yamltext import read_yaml

FLAGSHIP = "NCT03739814"
ON = date(2026, 3, 16)
THERAPY_START = parse_when("2026-03-18T09:00")


@cache
def trial(name: str = FLAGSHIP) -> Trial:
    return load_trial_file(shipped()[name], load_catalogue())


@cache
def written(name: str = FLAGSHIP) -> dict[str, Any]:
    """An examples file as plain data, every scalar the text that was written."""
    (top,) = read_yaml(examples_path(shipped()[name]).read_text(encoding="utf-8"), name)
    plain = top.plain()
    assert isinstance(plain, dict)
    return plain


@cache
def examples() -> dict[str, dict[str, Any]]:
    return {case["id"]: case for case in written()["examples"]}


def patient_entry(name: str) -> dict[str, Any]:
    """What a base or an example comes to: each link of its chain drops facts and adds its own."""
    cases = {**written()["bases"], **examples()}
    case = cases[name]
    entry: dict[str, Any] = {"patient": name, "facts": []}
    if "from" in case:
        entry = patient_entry(case["from"])
    dropped = case.get("without", [])
    kept = [fact for fact in entry["facts"] if fact["kind"] not in dropped and fact.get("id") not in dropped]
    own = {key: case[key] for key in ("born", "sex", "complete") if key in case}
    return {**entry, **own, "facts": kept + case.get("facts", [])}


def changed(name: str, without: Iterable[str] = (), facts: Iterable[dict[str, Any]] = (), **more: Any) -> Patient:
    """A base or example without some facts (by kind or id), with others, and with other words of the person."""
    entry = patient_entry(name)
    dropped = set(without)
    kept = [fact for fact in entry["facts"] if fact["kind"] not in dropped and fact.get("id") not in dropped]
    assert len(kept) < len(entry["facts"]) or not dropped
    whole = {**entry, **more, "facts": [*kept, *facts]}
    return patient_from({key: value for key, value in whole.items() if value is not None}, "record", load_catalogue())


def asked(patient: Patient, on: date = ON, therapy_start: When | None = THERAPY_START, **options: Any) -> Screening:
    """The flagship asked of a patient."""
    return screen(trial(), patient, on, anchors={"therapy_start": therapy_start}, **options)


def screened(entry: dict[str, Any]) -> Screening:
    return asked(patient_from(entry, "example", load_catalogue()))
