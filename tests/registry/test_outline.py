"""Eligibility text as blocks: nesting as in the source, and not one word lost."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onstudy.registry.outline import HEADING, POINT, TEXT, Block, outline
from onstudy.registry.plain import lines, unescaped
from onstudy.registry.shipped import TRIALS

SOURCE = """Inclusion Criteria:

* STEP 0: Submission is mandatory \\>= 1 sample:

  * Lumbar Puncture:

    * Patients may receive the dose
* STEP 1: Diagnosis
  goes on here

  * Detail

Exclusion Criteria:

1. First
2. Second

   a. inside
3. Third"""


def shape(blocks: list[Block]) -> list[object]:
    return [(one.kind, one.marker, one.text, shape(one.parts)) for one in blocks]


def words(blocks: list[Block]) -> list[str]:
    found: list[str] = []
    for one in blocks:
        found += [*one.marker.split(), *one.text.split(), *words(one.parts)]
    return found


def test_nesting_is_that_of_the_source() -> None:
    assert shape(outline(SOURCE)) == [
        (HEADING, "", "Inclusion Criteria:", []),
        (POINT, "", "STEP 0: Submission is mandatory >= 1 sample:", [
            (POINT, "", "Lumbar Puncture:", [(POINT, "", "Patients may receive the dose", [])]),
        ]),
        (POINT, "", "STEP 1: Diagnosis\ngoes on here", [(POINT, "", "Detail", [])]),
        (HEADING, "", "Exclusion Criteria:", []),
        (POINT, "1.", "First", []),
        (POINT, "2.", "Second", [(POINT, "a.", "inside", [])]),
        (POINT, "3.", "Third", []),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ("Just one sentence.", [(TEXT, "", "Just one sentence.", [])]),
        ("Key Exclusion Criteria", [(HEADING, "", "Key Exclusion Criteria", [])]),
        ("PART A:", [(HEADING, "", "PART A:", [])]),
        ("* one\n\nA paragraph.\n\n* two", [
            (POINT, "", "one", []), (TEXT, "", "A paragraph.", []), (POINT, "", "two", []),
        ]),
        ("* one\n\n  more of one", [(POINT, "", "one", [(TEXT, "", "more of one", [])])]),
        ("\\* not a point", [(TEXT, "", "* not a point", [])]),
        ("- a\n\t- b", [(POINT, "", "a", [(POINT, "", "b", [])])]),
    ],
)  # fmt: skip
def test_small_texts(source: str, expected: list[object]) -> None:
    assert shape(outline(source)) == expected


@given(st.text(alphabet="ab1.*-) (\n\t\\:>", max_size=120))
def test_no_word_is_lost(source: str) -> None:
    kept = re.sub(r"[*•·▪‣◦-]", " ", unescaped(source))
    found = re.sub(r"[*•·▪‣◦-]", " ", " ".join(words(outline(source))))
    assert found.split() == kept.split()


def test_no_word_of_a_shipped_record_is_lost() -> None:
    check(TRIALS)


def test_no_word_of_a_real_record_is_lost(shared: Path) -> None:
    check(shared / "data/ctgov_v2/studies.jsonl.gz")


def check(file: Path) -> None:
    with gzip.open(file, "rb") as records:
        for line in records:
            people = json.loads(line)["protocolSection"]["eligibilityModule"]
            source = lines(people["eligibilityCriteria"], 200_000)
            bare = [word for word in unescaped(source).split() if word not in "*•·▪‣◦-"]
            assert [word for word in words(outline(source)) if word not in "*•·▪‣◦-"] == bare
