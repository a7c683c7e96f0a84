"""The Python API: what is no date is refused in words, as notebooks check no types."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from onstudy import load_trial, read_patients, screen
from onstudy.errors import OnstudyError

PATIENT = b"patient: P\nborn: 1960-01-01\nfacts: []\n"
ON = date(2026, 3, 16)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"on": "2026-03-16"}, "on is str where a date is expected: write on=date(2026, 3, 16)"),
        ({"on": datetime(2026, 3, 16)}, "on is datetime where a date"),
        ({"on": ON, "until": "2026-04-01"}, "until is str"),
        ({"on": ON, "as_known_on": 2026}, "as_known_on is int"),
        ({"on": ON, "anchors": {"therapy_start": 1}}, "therapy_start is int"),
        ({"on": ON, "therapy_start": "soon"}, "soon"),
    ],
)
def test_what_is_no_date_is_said(given: dict[str, Any], said: str) -> None:
    (patient,) = read_patients("p.yaml", PATIENT)
    with pytest.raises(OnstudyError) as refused:
        screen(load_trial("NCT03739814"), patient, **given)
    assert said in str(refused.value)


def test_one_kind_may_be_assumed_by_its_name_alone() -> None:
    (patient,) = read_patients("p.yaml", PATIENT)
    assert screen(load_trial("NCT03739814"), patient, ON, assume_complete="all").assumed_complete == ("all",)
