"""docs/kinds.md: up to date, complete, and every example on it is read without a problem."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from onstudy.readers import read_patients
from onstudy.record.catalogue import ATTRIBUTE_TYPES, load_catalogue
from onstudy.record.catalogue_file import extend
from onstudy.record.kinds_page import kinds_page
from onstudy.record.patient import Patient
from onstudy.values.codes import ONSTUDY, Code
from onstudy.values.interval import Interval

PAGE = Path(__file__).parents[2] / "docs/kinds.md"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", kinds_page(load_catalogue()), re.MULTILINE | re.DOTALL)


def named(text: str) -> str:
    found = re.match(r"patient: (.*)", text)
    assert found is not None
    return found[1]


def read(name: str) -> Patient:
    [text] = [text for text in EXAMPLES if named(text) == name]
    [patient] = read_patients("kinds.md", text.encode())
    return patient


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == kinds_page(load_catalogue()), (
        "write it anew: python -m onstudy.record.kinds_page > docs/kinds.md"
    )


def test_the_module_prints_the_page() -> None:
    command = [sys.executable, "-m", "onstudy.record.kinds_page"]
    printed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert printed == PAGE.read_text(encoding="utf-8")


def entry(kind: str) -> str:
    page = kinds_page(load_catalogue())
    start = page.index(f"#### `{kind}`\n")
    found = re.compile(r"^#{2,4} ", re.MULTILINE).search(page, start + 4)
    return page[start : found.start() if found else None]


@pytest.mark.parametrize("name", list(load_catalogue().kinds))
def test_the_entry_of_a_kind_says_all_there_is_to_it(name: str) -> None:
    catalogue = load_catalogue()
    kind, text = catalogue.kinds[name], entry(name)
    for words in (kind.label, kind.note, kind.question, kind.unit, *kind.units, *kind.synonyms):
        if not words.startswith("{"):
            assert words in text, words
    for attribute in catalogue.attributes(name).values():
        line = next(line for line in text.splitlines() if line.startswith(f"- Attribute `{attribute.name}`"))
        assert f"not stated: {'unknown' if attribute.silence is None else f'`{attribute.silence}`'}" in line
    for component in kind.components:
        assert f"- Component `{component}`" in text
    for use in kind.codes:
        assert use.code.system == ONSTUDY or f"`{use.code.code}` {use.status}" in text
    assert ("may be assumed absent" in text) is kind.assumable
    assert ("an investigator's judgement" in text) is kind.attested
    assert ("the study itself" in text) is kind.by_study
    assert "- Time: " in text


def test_every_value_set_lists_its_words_and_codes() -> None:
    page = kinds_page(load_catalogue())
    for values in load_catalogue().value_sets.values():
        start = page.index(f"### Value set {values.name}\n")
        text = page[start : page.find("\n### ", start)]
        for member in values.members.values():
            assert f"- `{member.name}`" in text
            assert all(f"`{use.code.code}`" in text for use in member.codes if use.code.system != ONSTUDY)


def test_links_lead_to_headings() -> None:
    page = kinds_page(load_catalogue())
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = ["".join(c for c in h.lower().replace(" ", "-") if c.isalnum() or c in "-_") for h in headings]
    assert len(set(anchors)) == len(anchors)
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= set(anchors)


def test_every_type_of_attribute_and_value_can_be_shown() -> None:
    used = {a.type for kind in load_catalogue() for a in kind.attributes.values()}
    assert used <= set(ATTRIBUTE_TYPES)
    assert "{{" not in kinds_page(load_catalogue()).replace("{{{", "")


# The examples ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", EXAMPLES, ids=named)
def test_an_example_is_read_without_a_problem(text: str) -> None:
    [patient] = read_patients("kinds.md", text.encode())
    assert patient.problems == ()
    assert patient.id == named(text)
    written = text.partition("\nfacts:")[2].count("\n  - {kind: ")
    assert len([fact for fact in patient.facts if fact.source.startswith("kinds.md")]) >= written


def test_the_three_worked_patients_are_there() -> None:
    names = [named(text) for text in EXAMPLES]
    assert {"newly diagnosed", "relapsed after transplant", "many other illnesses"} <= set(names)
    assert len(read("newly diagnosed").facts) > 35


def test_the_mapping_file_on_the_page_is_valid(tmp_path: Path) -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```", kinds_page(load_catalogue()), re.MULTILINE | re.DOTALL)
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    site = extend(load_catalogue(), path)
    assert site.lookup(Code("https://hospital.example/lab", "CREA"))[0][0] == "creatinine"


def test_the_examples_say_what_the_page_says() -> None:
    tap = read("one tap, one tracing")
    [qtcf] = [fact for fact in tap.facts if fact.kind == "qtcf"]
    assert qtcf.computed
    assert isinstance(qtcf.value, Interval)
    assert qtcf.value.low == pytest.approx(469.974, abs=0.001)
    pending = [fact for fact in tap.facts if fact.kind == "blood_lymphoblast_percent"]
    assert [fact.lacks for fact in pending] == ["pending_result"]

    relapsed = read("relapsed after transplant")
    [count] = [fact for fact in relapsed.facts if fact.kind == "absolute_lymphoblast_count"]
    assert isinstance(count.value, Interval)
    assert count.value.low == pytest.approx(1200)
    narrowed = {fact.narrowed[0] for fact in relapsed.facts if fact.narrowed is not None}
    assert narrowed == {"agent"}

    ill = read("many other illnesses")
    assert [fact.attributes["detected"] for fact in ill.facts if fact.kind == "hiv_viral_load"] == [frozenset({"no"})]
    assert [fact.attributes["detected"] for fact in ill.facts if fact.kind == "hbv_dna"] == [frozenset({"no"})]
    assert {cover.kind for cover in ill.coverage} == {"all"}
    [computed] = [fact for fact in ill.facts if fact.kind == "qtcf"]
    assert computed.computed
