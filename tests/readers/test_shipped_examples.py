"""The example patients: valid FHIR, read without a problem, screened as their README says, the same in the package."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle
from tests.readers.canon import CATALOGUE, canon, of, read, said

from onstudy.criteria.trial import Trial
from onstudy.language.library import trial_path
from onstudy.language.trialfile import load_trial_file
from onstudy.readers import read_patients
from onstudy.readers.fhir_write import to_bundle
from onstudy.record.patient import Patient
from onstudy.screening.screen import Screening, screen
from onstudy.values.calendar import parse_when

ROOT = Path(__file__).parents[2]
FOLDER, PACKAGED = ROOT / "examples", ROOT / "src/onstudy/examples"
NAMES = sorted(path.name for path in FOLDER.glob("*.json"))
VERDICTS = ("eligible", "eligible_if_confirmed", "ineligible", "undetermined")


def rows() -> dict[str, list[str]]:
    """The table of the README: verdicts and deciding criteria by file."""
    lines = [line for line in (FOLDER / "README.md").read_text().splitlines() if re.match(r"\| [a-z0-9-]+\.json", line)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: [*verdicts, deciding] for first, _, *verdicts, deciding in cells}


@cache
def patient(name: str) -> Patient:
    (found,) = read_patients(FOLDER / name)
    return found


@cache
def trial() -> Trial:
    return load_trial_file(trial_path("NCT03739814"), CATALOGUE)


@cache
def screened(name: str) -> Screening:
    anchors = {"therapy_start": parse_when("2026-03-18T09:00")}
    return screen(trial(), patient(name), date(2026, 3, 16), anchors=anchors, catalogue=CATALOGUE)


def test_the_folder_holds_bundles_and_a_readme_that_lists_them() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == ["README.md", *NAMES]
    assert sorted(rows()) == NAMES
    assert len(NAMES) >= 8


def test_the_package_has_the_same_files() -> None:
    assert sorted(path.name for path in PACKAGED.iterdir()) == NAMES
    for name in NAMES:
        assert (PACKAGED / name).read_bytes() == (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_is_valid_and_read_without_a_problem(name: str) -> None:
    Bundle.model_validate(json.loads((FOLDER / name).read_text()))
    found = patient(name)
    assert said(found) == ""
    assert of(found, "unmapped") == []
    assert canon(read(json.dumps(to_bundle(found)), "b.json")) == canon(found)


@pytest.mark.parametrize("name", NAMES)
def test_verdicts_are_those_of_the_readme(name: str) -> None:
    *verdicts, deciding = rows()[name]
    found = {cohort.id: cohort for cohort in screened(name).cohorts}
    assert set(verdicts) <= set(VERDICTS)
    assert [found[cohort].verdict for cohort in ("C1", "C2", "C3")] == verdicts
    expected = [part for part in deciding.split(", ") if part]
    assert not expected or any(list(cohort.deciding) == expected for cohort in found.values())


def test_one_person_waits_four_days() -> None:
    name = "in-four-days.json"
    anchors = {"therapy_start": parse_when("2026-03-18T09:00")}
    verdicts = {
        day: {
            c.id: c.verdict
            for c in screen(trial(), patient(name), date(2026, 3, day), anchors=anchors, catalogue=CATALOGUE).cohorts
        }["C2"]
        for day in (16, 17)
    }
    assert set(verdicts.values()) == {"ineligible"}
    anchors = {"therapy_start": parse_when("2026-03-22T09:00")}
    later = screen(trial(), patient(name), date(2026, 3, 20), anchors=anchors, catalogue=CATALOGUE)
    assert {c.id: c.verdict for c in later.cohorts}["C2"] == "eligible"


def test_si_units_are_those_of_a_laboratory_that_uses_no_others() -> None:
    text = (FOLDER / "si-units.json").read_text()
    for unit in ("umol/L", "ukat/L", "10*9/L", "g/L", '"m"'):
        assert unit in text
    for unit in ("mg/dL", '"U/L"', "10*3/uL", "g/dL"):
        assert unit not in text
