"""The rows of NCT03739814 quote the public record word for word, and leave no eligibility sentence out.

Both sides are compared after folding white space and taking Markdown's backslashes away, nothing more.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from onstudy.yamltext import read_yaml

TRIAL = Path(__file__).parents[2] / "src/onstudy/trials/NCT03739814.yaml"
SEED = "reference/seed-find-a-trial-NCT03739814.txt"
REFERENCE = "reference/nct03739814.md"

#: What stands between the rows: headings, the labels of steps and cohorts, words that only join two rows.
LEFT_OVER = {
    "STEP 0",
    "STEP 1",
    "COHORT 1",
    "COHORT 2",
    "COHORT 3",
    "Lumbar Puncture (Spinal Tap) and Intrathecal Methotrexate",
    "Categories of CNS Involvement for CNS Evaluation Prior to Registration",
    "and/or",
    "see below for additional guidance",
}


@pytest.fixture(scope="module")
def trial() -> dict[str, Any]:
    loaded = read_yaml(TRIAL.read_text(encoding="utf-8"), TRIAL.name)[0].plain()
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(scope="module")
def page(shared: Path) -> str:
    """The seed page as plain text."""
    return (shared / SEED).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def eligibility(page: str) -> str:
    """The eligibility section alone, folded."""
    _, _, section = page.partition("Inclusion Criteria:")
    section, _, _ = section.partition("Where this trial is running")
    return fold(section)


def fold(text: str) -> str:
    return " ".join(re.sub(r"\\([^\w\s])", r"\1", text).split())


def rows(trial: dict[str, Any]) -> list[dict[str, Any]]:
    groups = [*trial["steps"], *trial["cohorts"]]
    return [row for group in groups for row in group["criteria"]]


def test_the_seventy_rows_stand_in_protocol_order(trial: dict[str, Any]) -> None:
    wanted = [f"S0-{n:02}" for n in range(1, 8)] + [f"S1-{n:02}" for n in range(1, 37)]
    wanted += [f"C1-{n:02}" for n in range(1, 7)] + [f"C2-{n:02}" for n in range(1, 16)]
    wanted += [f"C3-{n:02}" for n in range(1, 7)]
    assert [row["id"] for row in rows(trial)] == wanted


def test_each_row_quotes_the_public_record(trial: dict[str, Any], eligibility: str) -> None:
    strangers = {row["id"]: row["text"] for row in rows(trial) if fold(row["text"]) not in eligibility}
    assert strangers == {}


def test_each_row_holds_the_words_the_reference_gives_it(trial: dict[str, Any], shared: Path) -> None:
    quoted = _seed_texts((shared / REFERENCE).read_text(encoding="utf-8"))
    lacking = {row["id"]: part for row in rows(trial) for part in quoted[row["id"]] if part not in fold(row["text"])}
    assert len(quoted) == 70
    assert lacking == {}


def _seed_texts(reference: str) -> dict[str, list[str]]:
    """Row id to the quotations in the second column of the reference's tables."""
    found: dict[str, list[str]] = {}
    for line in reference.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and re.fullmatch(r"(S[01]|C[123])-\d\d", cells[1]):
            found[cells[1]] = [fold(part) for part in re.findall("“([^”]+)”", cells[2])]
    return found


def test_no_eligibility_sentence_is_left_uncovered(trial: dict[str, Any], eligibility: str) -> None:
    """Rows cover what they quote; a definition or a note covers a sentence it quotes in quotation marks."""
    notes = [row.get("note", "") for row in rows(trial)]
    notes += [entry.get("note", "") for entry in trial["definitions"].values()]
    passages = [row["text"] for row in rows(trial)]
    passages += [quote for note in notes for quote in re.findall("“([^”]+)”", note)]
    covered = [False] * len(eligibility)
    for passage in map(fold, passages):
        for found in re.finditer(re.escape(passage), eligibility):
            covered[found.start() : found.end()] = [True] * len(passage)
    assert set(_uncovered(eligibility, covered)) == LEFT_OVER


def _uncovered(text: str, covered: list[bool]) -> list[str]:
    """The stretches nobody quotes, without the bullets and stops around them."""
    open_text = "".join("\n" if done else letter for letter, done in zip(text, covered, strict=True))
    parts = re.split(r"\n|(?:^|(?<=\s))\*(?=\s|$)", open_text)
    return [stripped for part in parts if (stripped := part.strip(" .,;:"))]


def test_quotations_in_notes_are_quotations(trial: dict[str, Any], eligibility: str) -> None:
    notes = {row["id"]: row.get("note", "") for row in rows(trial)}
    notes |= {name: entry.get("note", "") for name, entry in trial["definitions"].items()}
    invented = {
        place: quote
        for place, note in notes.items()
        for quote in re.findall("“([^”]+)”", note)
        if fold(quote) not in eligibility
    }
    assert invented == {}
