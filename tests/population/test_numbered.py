"""Texts held as numbers in patterns are the texts they stand for: read, compared, put in order, stored."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from onstudy.errors import OnstudyError
from onstudy.population.bulk_letters import all_different
from onstudy.population.bulk_rows import NAMES, join_rows, names_of, slots_of
from onstudy.population.bulk_tables import merged
from onstudy.population.bulk_texts import Texts, join_texts, same_text, texts_of
from onstudy.population.numbered import Numbered, joined_numbered, of_texts
from onstudy.population.store_shard import StoredShard, Words, each_text, numbered_text, write_shard
from onstudy.record.shard import Shard, Table

_STEMS = ("measurement.", "drug.", "")
_TEXTS = [
    "drug.7",
    "measurement.7",
    "drug.007",
    "drug.12:x",
    "x@2",
    "drug.1, drug.2",
    "a/drug.3.left",
    None,
    "drug.",
    "5",
]


def numbered(*said: tuple[str, int], texts: Sequence[str | None] = ()) -> Numbered:
    """Numbers in patterns, and texts behind them."""
    patterns = tuple(dict.fromkeys(pattern for pattern, _ in said))
    one = Numbered(
        patterns,
        np.array([patterns.index(pattern) for pattern, _ in said], np.int32),
        np.array([number for _, number in said], np.int64),
    )
    return joined_numbered([one, of_texts(pa.array(texts, pa.string()))]) if texts else one


# What they say --------------------------------------------------------------------------------------------------


def test_a_number_in_a_pattern_is_the_text_it_stands_for() -> None:
    held = numbered(("drug.*", 7), ("*", -3), ("drug.*:x", 0), texts=["drug.007", None])
    said = ["drug.7", "-3", "drug.0:x", "drug.007", None]
    assert held.array().to_pylist() == said
    assert [held.at(row) for row in range(5)] == said
    assert held.there.tolist() == [True, True, True, True, False]
    assert held.take(np.array([4, 2, 3])).array().to_pylist() == [None, "drug.0:x", "drug.007"]
    assert held.take(slice(1, 3)).array().to_pylist() == ["-3", "drug.0:x"]
    assert held.between("a/", ".b").array().to_pylist() == [
        "a/drug.7.b",
        "a/-3.b",
        "a/drug.0:x.b",
        "a/drug.007.b",
        None,
    ]
    assert joined_numbered([held, held]).array().to_pylist() == said * 2


@pytest.mark.parametrize(
    ("held", "beginning"),
    [
        (numbered(("é/*", 7), ("é/*", -12), ("é/*", 7)), "é/"),
        (numbered(("é/*", 7), ("é/*", 10), ("é/*", 1), ("é/*:x", 1), texts=["é/007", "é/"]), "é/"),
        (numbered(("*", 7), ("*", 10), texts=["b"]), ""),
        (numbered(("é/*", 7), ("é/*", 10), texts=["e/007"]), ""),
        (numbered(("é/*", 7), ("é/*", 10), texts=[None]), ""),
        (numbered(("é/*:x", 7), ("é/*:x", 10)), ""),
        (of_texts(pa.array(["b", None])), ""),
        (of_texts(pa.array([], pa.string())), ""),
    ],
)
def test_what_most_begin_with_is_parted_from_all_where_all_have_it(held: Numbered, beginning: str) -> None:
    found, rests = held.parted
    assert found == beginning
    said = [None if rest is None else beginning + rest for rest in rests.to_pylist()]
    assert said == held.array().to_pylist() and rests.type == pa.string()


def test_rows_are_named_by_a_stem_and_a_number() -> None:
    tables = [pa.table(names_of("drug.", pa.array([7, 8]))), pa.table(names_of("visit.", pa.array([7])))]
    names = slots_of(join_rows(tables), NAMES)
    assert [names.texts(row) for row in range(3)] == [("drug.7",), ("drug.8",), ("visit.7",)]
    assert names.at(names.places(np.array([2, 0]), 0)).to_pylist() == ["visit.7", "drug.7"]
    assert names.stems == ["drug.", "visit."]


# Equality -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "texts", "differ"),
    [
        ([("drug.*", 7), ("drug.*", 8), ("visit.*", 7)], (), True),
        ([("drug.*", 7), ("drug.*", 8), ("drug.*", 7)], (), False),
        ([("drug.*", 1), ("drug.*", 1 << 60), ("drug.*", 1)], (), False),
        ([("drug.*", 1), ("drug.*", 1 << 60)], (), True),
        ([("drug.*", 7)], ("drug.007",), True),
        ([("drug.*", 7)], ("drug.7",), False),
        ([("a*", 11), ("a1*", 1)], (), False),
        ([("*1", 1), ("*", 11)], (), False),
        ([("a*1:", 1), ("a*:", 11)], (), False),
        ([("a*", 11), ("a1*", 2)], (), True),
        ([("a*", -5), ("a-*", 5)], (), False),
    ],
)
def test_whether_all_are_different_is_asked_of_the_texts(
    said: list[tuple[str, int]], texts: tuple[str, ...], differ: bool
) -> None:
    assert all_different(numbered(*said, texts=texts)) is differ
    assert len(set(numbered(*said, texts=texts).array().to_pylist())) == len(said) + len(texts) or not differ


def test_texts_are_told_apart_however_they_are_held() -> None:
    ways = [
        numbered(("a*", 11)), numbered(("a1*", 1)), numbered(("a*", 1)), numbered(("a*:b", 11)), numbered(("*", 11)),
        of_texts(pa.array(["a11"])), of_texts(pa.array(["a011"])), of_texts(pa.array([None], pa.string())),
    ]  # fmt: skip
    for one, other in product(ways, ways):
        apart = one.apart_from(other).tolist()
        assert apart == [one.at(0) != other.at(0)], (one.at(0), other.at(0))


# As columns of facts -----------------------------------------------------------------------------------------------


def _column() -> Texts:
    """Texts of several sorts, with some that are not there."""
    names = numbered(*(("measurement.*", number) for number in (10, 9, 100, 1)))
    parts = [
        Texts((names,), np.array([3, -1, 0, 1])),
        texts_of(pa.array(["panel@day", None])),
        Texts((names.between("", ":crcl"),), np.array([2])),
        same_text("sex", 2),
    ]
    return join_texts(parts)


_SAID = [
    "measurement.1",
    None,
    "measurement.10",
    "measurement.9",
    "panel@day",
    None,
    "measurement.100:crcl",
    *["sex"] * 2,
]


def test_texts_of_several_sorts_stand_in_one_column() -> None:
    texts = _column()
    assert texts.array().to_pylist() == texts.numbered().array().to_pylist() == _SAID
    assert [texts.at(row) for row in range(len(texts))] == _SAID
    assert texts.take(np.array([6, 1])).array().to_pylist() == ["measurement.100:crcl", None]
    codes = texts.codes().tolist()
    assert codes[7] == codes[8] and codes[1] == codes[5] == -1 and len(set(codes)) == 7
    assert texts.plain.all_words().to_pylist()[0] == "measurement.1"
    more = texts.followed_by(":x")
    assert more.array().to_pylist() == [None if text is None else f"{text}:x" for text in _SAID]
    assert not texts.apart_from(texts_of(pa.array(_SAID))).any()
    assert texts.apart_from(more).tolist() == [text is not None for text in _SAID]


def test_columns_without_any_text_stay_so() -> None:
    texts = _column()
    none = np.zeros(0, np.int64)
    empty = Texts((numbered(("drug.*", 7)).take(none),), none)
    assert texts.take(none).numbered().array().to_pylist() == empty.array().to_pylist() == []
    assert len(empty.followed_by(":x")) == len(join_texts([empty, texts.take(none)])) == 0
    assert texts.take(np.array([1, 5])).followed_by(":x").array().to_pylist() == [None, None]


def test_words_that_columns_begin_with_are_held_once() -> None:
    texts = _column()
    more = join_texts([texts.take(np.array([3])), texts_of(pa.array(["b"]))])
    found = join_texts([texts, more, texts_of(pa.array(["c"])), texts])
    assert found.array().to_pylist() == [*_SAID, "measurement.9", "b", "c", *_SAID]
    assert len(found.words) == len(texts.words) + 2


# In a store -----------------------------------------------------------------------------------------------------


def shard_of(ids: Sequence[Numbered], sources: Sequence[Numbered]) -> Shard:
    """A shard of one patient, with a kind for each column of ids and of sources."""
    whose = [np.zeros(len(one), np.int32) for one in ids]
    tables = {
        f"kind{place}": Table(
            f"kind{place}", len(one), {"patient": whose[place], "id": each_text(one), "source": each_text(other)}
        )
        for place, (one, other) in enumerate(zip(ids, sources, strict=True))
    }
    people = Table("patients", 1, {"id": each_text(of_texts(pa.array(["p"])))})
    return Shard(people, Table("coverage", 0, {}), Table("problems", 0, {}), tables)


def stored(ids: Sequence[Numbered], sources: Sequence[Numbered]) -> bytes:
    """The same, as it is stored."""
    file = io.BytesIO()
    write_shard(file, shard_of(ids, sources))
    return file.getvalue()


def read(data: bytes, columns: Sequence[str] | None = None) -> StoredShard:
    """A shard that was stored."""
    return StoredShard(pa.BufferReader(data), None, columns)


def test_what_is_read_of_a_store_is_what_was_written_however_it_was_held() -> None:
    mixed = numbered(("drug.*", 7), ("drug.*:x", 1 << 50), ("*", -4), texts=["drug.007", None, "é"])
    plain = of_texts(mixed.array())
    numbers = numbered(*(("drug.*", number) for number in (3, 1, 2, 9, 8, 7)))
    shard = read(stored([mixed, plain, numbers], [numbers, mixed, plain]))
    for kind, ids, sources in (("kind0", mixed, numbers), ("kind1", plain, mixed), ("kind2", numbers, plain)):
        for name, held in (("id", ids), ("source", sources)):
            said = held.array().to_pylist()
            text = shard.table(kind).text(name)
            assert [text.at(row) for row in range(len(said))] == said
            assert [None if place < 0 else list(text.words)[place] for place in text.index.tolist()] == said
            assert shard.table(kind).word(name, 0) == said[0]
    assert set(read(stored([mixed], [numbers]), ["source"]).table("kind0").columns()) == {"id", "patient", "source"}
    assert set(read(stored([mixed], [numbers]), ["id"]).table("kind0").columns()) == {"id", "patient"}


def test_numbers_are_stored_as_numbers_and_a_store_stored_again_is_the_same() -> None:
    many = np.random.default_rng(3).permutation(20_000)
    held = numbered(*(("drug.*", number) for number in many.tolist()))
    data = stored([held], [held])
    assert len(data) < len(stored([of_texts(held.array())], [of_texts(held.array())]))
    file = io.BytesIO()
    write_shard(file, read(data))
    assert file.getvalue() == data


def test_shards_that_are_put_together_keep_their_numbers() -> None:
    one, other = numbered(("drug.*", 7), ("drug.*", 8)), numbered(("visit.*", 7), texts=["drug.007"])
    shard = merged([shard_of([one], [one]), shard_of([other], [other])], [np.array([1]), np.array([0])])
    text = shard.table("kind0").text("id")
    assert [text.at(row) for row in range(4)] == ["visit.7", "drug.007", "drug.7", "drug.8"]
    assert [int(which) for which in numbered_text(text).which] == [1, -1, 0, 0]
    assert not shard.table("kind0").has("source")


@pytest.mark.parametrize("pattern", ["drug.", ""])
def test_a_store_with_patterns_that_are_none_is_refused(pattern: str) -> None:
    held = numbered((pattern, 7))
    with pytest.raises(OnstudyError, match="is damaged"):
        read(stored([held], [held])).table("kind0").text("id")


def test_how_a_text_came_about_does_not_show() -> None:
    numbers = numbered(("drug.*", 7), ("measurement.*", 7), ("b-*", 3), ("drug.*", 10**18), ("drug.*:x", 12))
    texts = [*_TEXTS, "b-3", f"drug.{10**18}"]
    held = joined_numbered([numbers, of_texts(pa.array(texts))])
    found = held.as_numbers(_STEMS)
    assert found.array().to_pylist() == held.array().to_pylist()
    ways: dict[str | None, set[str | None]] = {}
    for row, text in enumerate(held.array().to_pylist()):
        which = int(found.which[row])
        ways.setdefault(text, set()).add(None if which < 0 else found.patterns[which])
    assert all(len(way) == 1 for way in ways.values())
    assert {text for text, way in ways.items() if way != {None}} == {
        "drug.7", "measurement.7", "drug.12:x", "a/drug.3.left", "5",
    }  # fmt: skip
    assert held.as_numbers(()).which.tolist() == held.which.tolist()


def test_words_of_a_column_are_made_when_asked_for() -> None:
    words = Words(numbered(("drug.*", 7), ("drug.*", 8)))
    assert len(words) == 2 and words[1] == "drug.8" and list(words) == ["drug.7", "drug.8"]
    assert words[0:1] == ("drug.7",) and words.array.to_pylist() == ["drug.7", "drug.8"]


@pytest.mark.parametrize("columns", [names_of("drug.", pa.array([7, 8])), {NAMES: pa.array([["drug.7"], ["drug.8"]])}])
def test_a_name_that_a_row_does_not_have_is_never_another_rows(columns: dict[str, pa.Array]) -> None:
    names = slots_of(pa.table(columns), NAMES)
    rows = np.array([0])
    assert names.at(names.places(rows, 0)).to_pylist() == ["drug.7"]
    assert names.places(rows, 1).tolist() == [-1]
    with pytest.raises(AssertionError, match="is not asked for"):
        names.at(names.places(rows, 1))
