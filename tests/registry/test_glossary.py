"""Medical words: found whole, longest first, once; and explained in words people can read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onstudy.registry.glossary import explained, glossary


def found(text: str) -> list[tuple[str, str]]:
    return [(piece, word.key) for piece, word in explained(text, set()) if word is not None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bone marrow aspirate and bone marrow", [
            ("Bone marrow aspirate", "bone-marrow-aspirate"), ("bone marrow", "bone-marrow"),
        ]),
        ("ALL or all or All", [("ALL", "acute-lymphoblastic-leukemia")]),
        ("acute lymphoblastic leukemia (ALL)", [("acute lymphoblastic leukemia", "acute-lymphoblastic-leukemia")]),
        ("lymphoma/leukemia, Burkitt lymphoma/leukemia", [("Burkitt lymphoma/leukemia", "burkitt-lymphoma")]),
        ("biopsy-proven, nonbiopsy", []),
        ("anti-CD22 and CD22-positive", [("CD22-positive", "cd22")]),
        ("basal- or squamous-cell skin cancer", [
            ("basal- or squamous-cell skin cancer", "basal-or-squamous-cell-skin-cancer"),
        ]),
        ("a bone marrow biopsy, then a biopsy", [("bone marrow biopsy", "bone-marrow-biopsy"), ("biopsy", "biopsy")]),
        ("", []),
    ],
)  # fmt: skip
def test_words_are_found_whole_and_longest_first(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_a_word_is_explained_once() -> None:
    seen: set[str] = set()
    assert [word for _, word in explained("A biopsy and a biopsy", seen) if word] == [glossary()["biopsy"]]
    assert not [word for _, word in explained("A biopsy", seen) if word]


@given(st.text(alphabet="ALbonemarwbipsy -/(),.", max_size=80))
def test_the_text_stays_as_it_is(text: str) -> None:
    assert "".join(piece for piece, _ in explained(text, set())) == text


def test_every_word_is_explained_in_short_sentences_without_itself() -> None:
    for word in set(glossary().values()):
        assert word.says.endswith("."), word.key
        for sentence in re.split(r"[.;:] ", word.says):
            assert len(sentence.split()) <= 28, sentence
