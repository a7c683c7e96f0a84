"""What a Patient resource says that must be looked at before any verdict; screening and building say the same."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.population.test_omop_build import built, patients_of
from tests.readers.build import read_json

from onstudy import load_trial, screen
from onstudy.screening.report import to_text
from onstudy.screening.worksheet import worksheet

DEAD = "the patient is recorded as deceased: check this before anything else"
TOLD = "The patient is recorded as deceased: check this before anything else."
BORN_AS = "gender and sex at birth differ: sex is not known, check both"


def at_birth(code: str) -> dict[str, Any]:
    url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex"
    return {"extension": [{"url": url, "valueCode": code}]}


SAID: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"deceasedBoolean": False}, []),
    ({"deceasedBoolean": True}, [DEAD]),
    ({"deceasedDateTime": "2026-01-01"}, [DEAD]),
    ({"deceasedDateTime": "2019"}, [DEAD]),
    ({"deceasedDateTime": "2024-02-29T10:15:00-05:00"}, [DEAD]),
    (at_birth("F"), []),
    (at_birth("UNK"), []),
    (at_birth("M"), [BORN_AS]),
    ({"deceasedBoolean": True, **at_birth("M")}, [DEAD, BORN_AS]),
]


def patient(number: int, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        "gender": "female",
        "birthDate": f"1960-03-{number + 1:02}",
    } | more


@pytest.mark.parametrize(("more", "said"), SAID)
def test_a_death_and_another_sex_at_birth_are_told(more: dict[str, Any], said: list[str]) -> None:
    assert [problem.what for problem in read_json(patient(1, more)).problems] == said


def test_they_are_told_of_a_store_too(tmp_path: Path) -> None:
    """Of each layout four patients, so that they are read together."""
    people = [patient(number, more) for number, (more, _) in enumerate(SAID * 2)]
    people += [one | {"id": f"q{number}"} for number, one in enumerate(people)]
    (tmp_path / "Patient.ndjson").write_text("".join(json.dumps(one) + "\n" for one in people))
    built(tmp_path / "Patient.ndjson", tmp_path / "store")
    found = patients_of(tmp_path / "store")
    for number, (_, said) in enumerate(SAID * 2):
        for sort in "pq":
            assert [problem.what for problem in found[f"{sort}{number}"].problems] == said


@pytest.mark.parametrize("dead", [True, False])
def test_a_death_is_told_before_the_verdicts(dead: bool) -> None:
    s = screen(load_trial("NCT03739814"), read_json(patient(1, {"deceasedBoolean": dead})), date(2026, 3, 16))
    assert (TOLD in " ".join(to_text(s).partition("\n\n")[0].split())) is dead
    page = worksheet(s)
    assert ("Death on record" in page) is dead
    assert not dead or page.index("Death on record") < page.index('class="cards"')
