"""Words spelt like those of the index, and how words are read; also in a store that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.registry.studies import put, study

from onstudy.registry import words
from onstudy.registry.spelling import corrected
from onstudy.registry.store import Store, open_to_read, open_to_write


@pytest.fixture
def store(tmp_path: Path, bare: None) -> Store:
    """A file opened to be read, with three trials."""
    path = tmp_path / "registry.sqlite"
    writing = open_to_write(path)
    put(
        writing,
        study(1, title="Relapsed leukemia", conditions=["Leukemia"]),
        study(2, title="Leukemia and therapy", conditions=["Leukemia"]),
        study(3, title="Leukorrhea", conditions=["Gout"], summary="therapies"),
    )
    writing.close()
    return open_to_read(path)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("luekemia", "leukemia"),
        ("Leucemia", "leukemia"),
        ("relapsd luekemia, 67", "relapsed leukemia, 67"),
        ("terapy", "therapy"),
        ("besponza", "besponza"),  # like a name of a drug that no trial here has
        ("leukemia", "leukemia"),
        ("xyzzyq", "xyzzyq"),
        ("luk", "luk"),
        ("", ""),
    ],
)
def test_a_word_that_nothing_has_becomes_the_likest_that_something_has(store: Store, typed: str, meant: str) -> None:
    before = store.state()
    assert corrected(store, typed) == meant
    assert store.state() == before  # what is kept of the store stays good


@pytest.mark.parametrize(
    ("typed", "sides"),
    [
        ("gout OR asthma", 2), ("a OR b OR c", 3), ("gout or asthma", 1), ('"gout OR asthma"', 1), ("OR", 1),
        ("Portland OR", 1), ("gout AND asthma", 1),
    ],
)  # fmt: skip
def test_or_in_capitals_between_words_divides(typed: str, sides: int) -> None:
    question = words.expression(typed, ("title",))
    assert question.count(") OR (") == sides - 1
    assert bool(words.remarks(typed)) is (sides > 1)


def test_initials_are_one_word_with_points_and_without() -> None:
    assert words.expression("M.D. Anderson") == words.expression("MD Anderson")
    assert words.split("U.S. trials, e.g. of A.B.C.") == ("us", "trials", "eg", "of", "abc")
    assert words.split("stage II. Then 1.5 mg") == ("stage", "ii", "then", "1", "5", "mg")


@pytest.mark.parametrize("text", ["leukemia " * 222, "x" * 900, " ".join(f"word{n}" for n in range(60)), ". " * 500])
def test_a_long_text_is_cut_at_a_word_and_that_is_said(text: str) -> None:
    used = words.looked_at(text)
    assert text.startswith(used) and len(used) <= words.LONGEST
    assert len(set(words.split(used))) <= words.MOST
    assert any("only its first part" in said for said in words.remarks(text))
