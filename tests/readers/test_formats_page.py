"""Every example of docs/formats.md is read without a problem, and says what the page says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.readers.canon import of, read, said

from onstudy.readers import fhir_own

PAGE = (Path(__file__).parents[2] / "docs/formats.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL))


@pytest.mark.parametrize("language", ["yaml", "csv", "json"])
def test_examples_are_read_without_a_problem(language: str) -> None:
    patient = read(BLOCKS[language], f"page.{language}")
    assert said(patient) == ""
    assert patient.born.known
    assert len(patient.facts) > 5
    assert of(patient, "csf_examination")[0].parts.keys() >= {"wbc", "cytospin"}
    assert any(fact.negative for fact in patient.facts)


def test_every_extension_is_on_the_page() -> None:
    names = [value for value in vars(fhir_own).values() if isinstance(value, str)]
    ours = {value.removeprefix(fhir_own.FHIR_BASE) for value in names if value.startswith(fhir_own.FHIR_BASE)} - {""}
    missing = {name for name in ours if name.rstrip("/") not in PAGE}
    assert not missing
