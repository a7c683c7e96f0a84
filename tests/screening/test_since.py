"""Days since something, shown by a criterion that only informs: S0-04, "show days since pre-registration"."""

from __future__ import annotations

import json
from datetime import date

import pytest

from onstudy import load_trial, screen
from onstudy.errors import InvalidFile
from onstudy.language.trialfile import read_trial
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.blank import BlankRow
from onstudy.screening.report import to_json
from onstudy.screening.screen import Screening
from onstudy.screening.worksheet import worksheet

CATALOGUE = load_catalogue()
LABEL = "Pre-registration"


def screened(*dates: str) -> Screening:
    """On 16 March, with a pre-registration on each of the dates; "" is one without a date."""
    facts = [{"kind": "pre_registration"} | ({"on": day} if day else {}) for day in dates]
    record = {"patient": "P", "born": "1980-01-01", "facts": facts}
    return screen(load_trial("NCT03739814"), patient_from(record, "p.yaml", CATALOGUE), date(2026, 3, 16))


def said(s: Screening) -> str:
    """What the row S0-04 says."""
    row = next(row for row in json.loads(to_json(s))["criteria"] if row["id"] == "S0-04")
    assert (row["status"], row["severity"]) == ("not_applicable", "information")
    return str(row["because"])


@pytest.mark.parametrize(("dates", "sentence"), [
    ([], f"{LABEL}: not recorded up to registration"),
    (["2026-03-01"], f"{LABEL} 2026-03-01: 15 days before registration"),
    (["2026-03-15"], f"{LABEL} 2026-03-15: 1 day before registration"),
    (["2026-03-16"], f"{LABEL} 2026-03-16: on the day of registration"),
    (["2026-02-28..2026-03-02"], f"{LABEL} 2026-02-28..2026-03-02: 14 to 16 days before registration"),
    (["2026-02"], f"{LABEL} 2026-02: 16 to 43 days before registration"),
    (["2026-03"], f"{LABEL} 2026-03: 0 to 15 days before registration"),
    (["2025-11-01", "2026-03-06", "2026-03-20"], f"{LABEL} 2026-03-06: 10 days before registration"),
    (["2026-03-17"], f"{LABEL}: not recorded up to registration"),
    ([""], f"{LABEL} on an unknown day, by 2026-03-16: how many days before registration is not known"),
])  # fmt: skip
def test_the_days_since_pre_registration(dates: list[str], sentence: str) -> None:
    """The newest one that is not later than the registration date; from 1 to 16 March are 15 days."""
    assert said(screened(*dates)) == sentence


def test_the_worksheet_shows_them_with_their_record() -> None:
    page = worksheet(screened("2026-03-01"))
    assert "15 days before registration" in page and "p.yaml facts[0]" in page


def test_the_blank_worksheet_asks_for_the_day() -> None:
    trial = load_trial("NCT03739814")
    row = next(row for row in trial.criteria if row.id == "S0-04")
    assert BlankRow.of(row, "row-4", trial, CATALOGUE).records == (LABEL,)


FILE = """\
id: T1
version: "1"
title: A small trial
anchors: {registration: {label: Registration}}
steps:
  - id: "1"
    title: All
    criteria:
      - {id: A, text: soon, severity: information, days_since: pre_registratoin}
      - {id: B, text: soon, rule: no stroke, days_since: pre_registration}
cohorts:
  - {id: C, title: adults, criteria: [{id: C1, text: adult, rule: age at registration >= 18 years}]}
"""


def test_a_kind_that_is_none_and_a_row_that_decides_are_refused() -> None:
    with pytest.raises(InvalidFile) as refused:
        read_trial(FILE.encode(), "t.yaml", CATALOGUE)
    assert [str(problem) for problem in refused.value.problems] == [
        "t.yaml:9:64: there is no kind 'pre_registratoin'; did you mean pre_registration?",
        "t.yaml:10:58: days_since is only shown: it stands where severity is information",
    ]
