"""Columns held once, texts held by their places, and what is asked of the letters of many texts."""

from __future__ import annotations

import zlib
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from onstudy.population.bulk_classes import coded, contents_of, factorised
from onstudy.population.bulk_filling import Filling, Placed
from onstudy.population.bulk_forms import NAME, NUMBER, Pattern
from onstudy.population.bulk_letters import all_different, all_of, crc32s, last_letters, letters
from onstudy.population.bulk_moments import Moments, chosen, from_whens, none
from onstudy.population.bulk_moments import joined as joined_moments
from onstudy.population.bulk_rows import NAMES, NUMBERS, slots_of
from onstudy.population.bulk_same import is_same, joined, same, settled, taken
from onstudy.population.bulk_texts import Texts, join_texts, same_text, texts_of
from onstudy.population.store import shard_number, shard_numbers
from onstudy.values.calendar import parse_when

_TEXTS = ["", "a", "ab", "a", "ä", "日本", "x" * 40, "measurement.17", "a\0", "7" * 9]


# Numbers for combinations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("apart", [1, 1 << 40])
def test_rows_have_one_number_where_all_their_keys_are_equal(apart: int) -> None:
    draw = np.random.default_rng(5)
    keys = [draw.integers(-3, 4, 500) * apart, np.zeros(500, np.int64), draw.integers(700, 710, 500)]
    numbers, rows = factorised(*keys).tolist(), list(zip(*(key.tolist() for key in keys), strict=True))
    assert len(set(numbers)) == len(set(rows)) == len(set(zip(numbers, rows, strict=True)))
    assert factorised(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


# Columns that say the same -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [slice(1, 4), np.array([3, 0, 3]), np.array([True, False, True, True, False])])
def test_rows_chosen_of_a_column_are_those_of_one_written_out(rows: slice | np.ndarray) -> None:
    held = same(7, 5, np.int64)
    assert is_same(held)
    chosen = taken(held, rows)
    assert is_same(chosen)
    assert chosen.tolist() == np.full(5, 7)[rows].tolist()


def test_columns_that_say_the_same_stay_one_when_joined() -> None:
    assert is_same(joined([same(np.nan, 2, np.float64), same(np.nan, 3, np.float64), np.zeros(0)]))
    assert joined([same(1, 2, np.int64), same(2, 1, np.int64)]).tolist() == [1, 1, 2]
    assert joined([np.array([4]), same(4, 2, np.int64)]).tolist() == [4, 4, 4]


def test_a_column_is_held_once_where_all_its_rows_say_the_same() -> None:
    assert is_same(settled(np.array([3, 3, 3])))
    assert is_same(settled(np.array([np.nan, np.nan])))
    assert not is_same(settled(np.array([3, 4, 3])))
    assert not is_same(settled(np.array([np.nan, 1.0, np.nan])))


# Moments by their places -------------------------------------------------------------------------------------------

_TOLD = ("low", "high", "flags", "offset", "stated", "whole_days", "classes", "utc")


def _told(moments: Moments) -> dict[str, list[object]]:
    told = {name: getattr(moments, name) for name in _TOLD}
    told |= dict(zip(("first", "last"), moments.days, strict=True)) | moments.columns("end")
    return {name: values.tolist() for name, values in told.items()}


def test_moments_held_by_their_places_tell_the_same_as_those_written_out() -> None:
    texts = [None, "2026", "2026-03", "2026-03-01", "2026-03-01T10:11", "2026-03-01T10:11Z", "2026-03-01T10:11+01:00"]
    each = from_whens([None if text is None else parse_when(text) for text in texts])
    place = np.random.default_rng(3).integers(0, len(texts), 90).astype(np.int32)
    held, plain = chosen(each, place), each.take(place)
    assert type(held) is not type(plain)
    assert len(held) == 90
    for rows in (np.array([3, 0, 3]), plain.stated, slice(5, 20)):
        assert _told(held.take(rows)) == _told(plain.take(rows))
    assert [held.at(row) for row in range(90)] == [plain.at(row) for row in range(90)]
    some = from_whens([parse_when("2027-01-01")])
    for parts in ([0, 1, 2, 0], [0, 0], [2, 1, 1]):
        both = [[held, some, none(40)], [plain, some, none(40)]]
        one, other = (joined_moments([given[part] for part in parts]) for given in both)
        assert _told(one) == _told(other)
    assert type(joined_moments([held, some, none(40)])) is type(held)
    assert type(joined_moments([held, plain])) is type(plain)  # so many that it does not pay
    assert _told(held.plain) == _told(plain)
    alike = chosen(each, np.full(90, 3)).compact
    assert is_same(*alike.arrays)
    assert _told(alike) == _told(each.take(np.full(90, 3)))


# What stands in slots ----------------------------------------------------------------------------------------------


def test_what_stands_in_a_slot_is_told_by_its_place_among_the_words() -> None:
    lists = pa.array([["b", "a"], [], ["a"], None, ["b", "c", "a"], ["c"]])
    columns = [pa.array(["b", None, "a", None, "b", "c"]), pa.array(["a", None, None, None, "c", None])]
    columns += [pa.array([None] * 4 + ["a", None], pa.string())]
    single = {f"{NUMBERS}{place}": column for place, column in enumerate(columns)}
    rows = np.array([4, 2, 0, 1, 5, 3])
    wanted = [["b", "c", "a"], ["a"], ["b", "a"], [], ["c"], []]
    for table in (pa.table({NUMBERS: lists}), pa.table(single)):
        found = coded(slots_of(table, NUMBERS).of(rows))
        words = found.words.to_pylist()
        texts = [[*words, "left out", None][code] for slot in range(4) for code in found.codes(slot).tolist()]
        assert texts == [one[slot] if slot < len(one) else None for slot in range(4) for one in wanted]
        assert [[words[code] for code in found.of_row(row)] for row in range(6)] == wanted
        some, which = np.array([0, 2, 1, 2]), np.array([1, 0, 1, 1])
        assert [words[code] for code in found.of(some, [0, 1], which)[[0, 1, 3]].tolist()] == ["c", "b", "a"]


def test_words_that_no_row_has_are_not_looked_at() -> None:
    words, index = pa.array(["d", "b", "a", "c"]), pa.array([3, None, 1, 3], pa.int32())
    table = pa.table({f"{NUMBERS}0": pa.DictionaryArray.from_arrays(index, words)})
    found = coded(slots_of(table, NUMBERS))
    assert found.words.to_pylist() == ["b", "c"]
    assert found.codes(0).tolist() == [1, 3, 0, 1]  # the second row has no such slot
    assert [found.slots.texts(row) for row in range(4)] == [("c",), (), ("b",), ("c",)]


# Texts by their places ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ways", [3, 40])  # few enough to be looked for one by one, and too many
@pytest.mark.parametrize("different", [2, 1000])  # so few that all are listed, and too many
def test_each_fact_has_the_text_of_its_form_with_what_stands_in_its_row(ways: int, different: int) -> None:
    rows = 5 * ways
    names, numbers = [f"n{row}" for row in range(rows)], [str(row % different) for row in range(rows)]
    table = pa.table({NAMES: pa.array([[name] for name in names]), NUMBERS: pa.array([[n] for n in numbers])})
    contents = contents_of(partial(slots_of, table))
    forms: list[Pattern | None] = [(f"F{form}/", (NAME, 0)) for form in range(ways)]
    forms += [((NUMBER, 0), f" u{form}") for form in range(ways)] + [("same",), None, ("same",)]
    entry = np.random.default_rng(1).permutation(np.arange(rows) % len(forms))
    filling = Filling(Placed(contents, np.arange(rows)[::-1], entry), {}, {}, [((0, 0),)] * len(forms))
    wanted = [
        f"F{form}/{names[rows - 1 - fact]}"
        if form < ways
        else f"{numbers[rows - 1 - fact]} u{form - ways}"
        if form < 2 * ways
        else ("same", None, "same")[form - 2 * ways]
        for fact, form in enumerate(entry.tolist())
    ]
    assert filling.column(forms).array().to_pylist() == wanted


def test_texts_are_the_same_after_they_were_joined_and_chosen() -> None:
    one = texts_of(pa.array(["a", None, "c"]))
    other = texts_of(pa.array(["d", "e"]))
    all_ = join_texts([one, same_text(None, 2), other, same_text("f", 1), one.take(np.array([2]))])
    assert all_.array().to_pylist() == ["a", None, "c", None, None, "d", "e", "f", "c"]
    assert [all_.at(row) for row in range(len(all_))] == all_.array().to_pylist()
    assert sum(map(len, all_.words)) == 6  # the words of `one` once
    some = all_.take(np.array([6, 1, 5]))
    assert some.array().to_pylist() == ["e", None, "d"]
    assert some.there.tolist() == [True, False, True]


def test_equal_texts_have_one_code_wherever_they_stand() -> None:
    texts = join_texts([texts_of(pa.array(["b", "a"])), texts_of(pa.array(["a", None, "c"]))])
    codes = texts.codes().tolist()
    assert codes[1] == codes[2]
    assert codes[3] == -1
    assert len(set(codes)) == 4


# Letters -----------------------------------------------------------------------------------------------------------


def test_remainders_are_those_of_zlib() -> None:
    texts = pa.array(_TEXTS)
    assert crc32s(texts).tolist() == [zlib.crc32(text.encode()) for text in _TEXTS]
    assert crc32s(texts.slice(3, 4)).tolist() == [zlib.crc32(text.encode()) for text in _TEXTS[3:7]]
    assert shard_numbers(texts, 13).tolist() == [shard_number(text, 13) for text in _TEXTS]


def test_texts_differ_where_no_two_are_equal() -> None:
    assert all_different(pa.array([]).cast(pa.string()))
    many = [f"measurement.{number}" for number in range(300_000)]  # so many that halves of their hashes are equal
    assert all_different(pa.array(many))
    assert not all_different(pa.array([*many, "measurement.4711"]))
    assert not all_different(pa.array(_TEXTS))
    assert all_different(pa.array(_TEXTS).slice(3))


def test_the_letters_of_a_part_of_an_array_are_its_own() -> None:
    some = pa.array(["xx", "ab", "cd", "yy"]).slice(1, 2)
    assert letters(some, 2).tobytes() == b"abcd"
    assert last_letters(some).tobytes() == b"bd"


def test_texts_consist_of_letters_that_are_allowed() -> None:
    allowed = np.zeros(256, bool)
    allowed[[ord("a"), ord("b")]] = True
    assert all_of(pa.array(["ab", "", "ba"]), allowed)
    assert all_of(pa.array([]).cast(pa.string()), allowed)
    assert not all_of(pa.array(["ab", "c"]), allowed)
    assert not all_of(pa.array(["\u00e4"]), allowed)
    assert all_of(pa.array(["c", "ab", "c"]).slice(1, 1), allowed)


def test_which_rows_say_something_else_in_another_column() -> None:
    """Of words both columns have, of words that are only alike, and of rows that say nothing in one of them or both."""
    shared, mine, theirs = pa.array(["a", "b"]), pa.array(["c", "d"]), pa.array(["c", "e", "a"])
    one = Texts((shared, mine), np.array([0, 1, 2, 3, 0, -1, -1, 2]))
    other = Texts((shared, theirs), np.array([0, 0, 2, 3, 4, -1, 0, -1]))
    assert one.apart_from(other).tolist() == [False, True, False, True, False, False, True, True]
    assert one.apart_from(one).tolist() == [False] * 8
    assert Texts((), np.zeros(0, np.int64)).apart_from(Texts((), np.zeros(0, np.int64))).tolist() == []
