"""The rows of NCT06480136 quote the registry record word for word, and leave no eligibility sentence out.

Both sides are compared after folding white space and taking Markdown's backslashes away, nothing more.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onstudy.yamltext import read_yaml

TRIAL = Path(__file__).parents[2] / "src/onstudy/trials/NCT06480136.yaml"
EXAMPLES = TRIAL.with_name("NCT06480136.examples.yaml")
STUDIES = "data/ctgov_v2/studies.jsonl.gz"

#: What stands between the rows: the two headings, and the word that joins E-09a and E-09b.
LEFT_OVER = {"Inclusion Criteria", "Exclusion Criteria", "or"}


@pytest.fixture(scope="module")
def trial() -> dict[str, Any]:
    loaded = read_yaml(TRIAL.read_text(encoding="utf-8"), TRIAL.name)[0].plain()
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(scope="module")
def record(shared: Path) -> dict[str, Any]:
    """The registry record, as it was downloaded."""
    with gzip.open(shared / STUDIES, "rt", encoding="utf-8") as lines:
        for line in lines:
            study: dict[str, Any] = json.loads(line) if "NCT06480136" in line else {}
            if study and study["protocolSection"]["identificationModule"]["nctId"] == "NCT06480136":
                return study
    raise AssertionError(f"NCT06480136 is not in {STUDIES}")


@pytest.fixture(scope="module")
def eligibility(record: dict[str, Any]) -> str:
    return fold(record["protocolSection"]["eligibilityModule"]["eligibilityCriteria"])


def fold(text: str) -> str:
    return " ".join(re.sub(r"\\([^\w\s])", r"\1", text).split())


def rows(trial: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for group in (*trial["steps"], *trial["cohorts"]) for row in group["criteria"]]


def test_the_rows_stand_in_the_order_of_the_record(trial: dict[str, Any], eligibility: str) -> None:
    places = [eligibility.index(fold(row["text"])) for row in rows(trial)]
    assert places == sorted(places)


def test_every_numbered_item_of_the_record_has_its_row(trial: dict[str, Any], eligibility: str) -> None:
    """Ten items of inclusion, twenty-five of exclusion; a letter marks a part of an item."""
    numbers = [re.sub("[a-z]$", "", row["id"]) for row in rows(trial)]
    wanted = [f"I-{n:02}" for n in range(1, 11)] + [f"E-{n:02}" for n in range(1, 26)]
    assert list(dict.fromkeys(numbers)) == wanted
    inclusion, _, exclusion = eligibility.partition("Exclusion Criteria:")
    for letter, text in (("I", inclusion), ("E", exclusion)):
        for row in (row for row in rows(trial) if row["id"].startswith(letter)):
            assert fold(row["text"]) in text, row["id"]


def test_each_row_quotes_the_record(trial: dict[str, Any], eligibility: str) -> None:
    strangers = {row["id"]: row["text"] for row in rows(trial) if fold(row["text"]) not in eligibility}
    assert strangers == {}


def test_no_eligibility_sentence_is_left_uncovered(trial: dict[str, Any], eligibility: str) -> None:
    covered = [False] * len(eligibility)
    for passage in (fold(row["text"]) for row in rows(trial)):
        start = eligibility.index(passage)
        covered[start : start + len(passage)] = [True] * len(passage)
    assert set(uncovered(eligibility, covered)) == LEFT_OVER


def uncovered(text: str, covered: list[bool]) -> Iterator[str]:
    """The stretches nobody quotes, without the numbers and stops around them."""
    open_text = "".join("\n" if done else letter for letter, done in zip(text, covered, strict=True))
    for stretch in open_text.split("\n"):
        for part in re.split(r"(?:^|(?<=\s))[0-9]+\.(?=\s|$)", stretch):
            if stripped := part.strip(" .,;:；，："):
                yield stripped


def test_quotations_in_notes_are_quotations(trial: dict[str, Any], eligibility: str) -> None:
    """What a note sets in double quotes stands in the record, whatever its case."""
    notes = [row.get("note", "") for row in rows(trial)]
    notes += [entry["reason"] for entry in trial["settings"].values()]
    quoted = {quote for note in notes for quote in re.findall('"([^"]+)"', note)}
    assert quoted
    assert {quote for quote in quoted if fold(quote).lower() not in eligibility.lower()} == set()


def test_identity_is_that_of_the_record(trial: dict[str, Any], record: dict[str, Any]) -> None:
    protocol = record["protocolSection"]
    identification = protocol["identificationModule"]
    assert trial["official_title"] == identification["officialTitle"]
    assert trial["protocol_id"] == identification["orgStudyIdInfo"]["id"]
    assert trial["sponsor"] == protocol["sponsorCollaboratorsModule"]["leadSponsor"]["name"]
    assert trial["conditions"] == protocol["conditionsModule"]["conditions"]
    assert protocol["designModule"]["phases"] == ["PHASE2"] and trial["phase"] == "Phase 2"


def test_the_source_is_named_with_the_date_of_its_snapshot(trial: dict[str, Any], record: dict[str, Any]) -> None:
    posted = record["protocolSection"]["statusModule"]["lastUpdatePostDateStruct"]["date"]
    assert trial["source"].startswith("ClinicalTrials.gov, NLM")
    assert posted in trial["source"]
    assert str(trial["source_date"]) == record["derivedSection"]["miscInfoModule"]["versionHolder"]


def test_no_person_of_the_record_is_named(record: dict[str, Any]) -> None:
    protocol = record["protocolSection"]
    people = [protocol["sponsorCollaboratorsModule"]["responsibleParty"]["investigatorFullName"]]
    contacts = protocol.get("contactsLocationsModule", {})
    for group in ("centralContacts", "overallOfficials"):
        people += [entry.get(key, "") for entry in contacts.get(group, []) for key in ("name", "email", "phone")]
    shipped = TRIAL.read_text(encoding="utf-8") + EXAMPLES.read_text(encoding="utf-8")
    assert [person for person in people if person and person in shipped] == []
