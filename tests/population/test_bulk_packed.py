"""Rows come back from their files as they were, in however few bytes they lie there."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from onstudy.population.bulk_packed import packed, unpacked
from onstudy.population.bulk_rows import notes_at, read_rows, said_of, shards_in, write_rows

_FIRST, _LAST = -(1 << 63), (1 << 63) - 1


def back(table: pa.Table) -> pa.Table:
    """A table that was packed and unpacked."""
    small, lows = packed(table)
    (batch,) = small.combine_chunks().to_batches()
    return unpacked(batch, lows)


@pytest.mark.parametrize("low", [0, -5, 10**12, _FIRST])
@pytest.mark.parametrize(
    ("span", "kind"),
    [
        (0, None),
        (1, pa.uint8()),
        (255, pa.uint8()),
        (256, pa.uint16()),
        (65535, pa.uint16()),
        (65536, pa.uint32()),
        ((1 << 32) - 1, pa.uint32()),
        (1 << 32, pa.int64()),
    ],
)
def test_numbers_take_as_many_bytes_as_they_lie_apart(low: int, span: int, kind: pa.DataType | None) -> None:
    table = pa.table({"kept": ["a", "b", "c"], "number": pa.array([low + span, low, low + span // 2])})
    small, lows = packed(table)
    found = small.schema.field("number").type if "number" in small.column_names else None
    assert (found, "number" in lows) == (kind, kind != pa.int64())
    assert back(table).select(table.column_names).equals(table)


@pytest.mark.parametrize(
    "numbers", [[_FIRST, _LAST], [_LAST, _LAST - 1], [0, None], [None, None], [_FIRST, None, _LAST]]
)
def test_numbers_far_apart_and_rows_without_one_stay_as_they_are(numbers: list[int | None]) -> None:
    table = pa.table({"number": pa.array(numbers, pa.int64())})
    assert back(table).equals(table)


@pytest.mark.parametrize(
    ("words", "kind"), [(1, pa.uint8()), (255, pa.uint8()), (256, pa.uint16()), (70000, pa.uint32())]
)
def test_places_take_as_many_bytes_as_there_are_words(words: int, kind: pa.DataType) -> None:
    places = np.array([words - 1, -1, 0, words - 1], np.int32)
    index = pa.array(places, mask=places < 0)
    table = pa.table({"word": pa.DictionaryArray.from_arrays(index, [str(one) for one in range(words)])})
    assert packed(table)[0].schema.field("word").type.index_type == kind
    found = back(table)
    assert found.equals(table)
    assert found.schema.field("word").type.index_type == pa.int32()


def test_rows_of_a_file_come_back_shard_by_shard(tmp_path: Path) -> None:
    random = Random(7)
    for number in range(25):
        table = some_rows(random, random.randrange(1, 60))
        shards = np.array([random.choice((-2, -1, 0, 3, 400)) for _ in range(table.num_rows)], np.int32)
        path = tmp_path / f"{number}.arrow"
        write_rows(path, table, shards, b"said")
        assert said_of(path) == b"said"
        assert shards_in(path) == sorted(set(shards.tolist()))
        with pa.memory_map(str(path)) as file:
            schema = pa.ipc.open_file(file, footer_offset=notes_at(file)[0]).schema
        assert "seq" not in schema.names or schema.field("seq").type == pa.uint8()
        for shard in (-2, -1, 0, 3, 400, 5):
            found, expected = read_rows(path, shard), table.filter(pa.array(shards == shard))
            if not expected.num_rows:
                assert found is None
                continue
            assert found is not None
            assert found.select(table.column_names).to_pylist() == expected.to_pylist()
            assert [found.schema.field(name).type for name in table.column_names] == expected.schema.types


def some_rows(random: Random, rows: int) -> pa.Table:
    """Rows with columns of every sort there is, in several pieces."""
    low, span = random.choice((0, -9, 1 << 40, _FIRST)), random.choice((0, 1, 300, 1 << 20, 1 << 40))
    words = [str(word) for word in range(random.choice((1, 4, 300)))]

    def coded(nothing: float) -> pa.Array:
        index = [None if random.random() < nothing else random.randrange(len(words)) for _ in range(rows)]
        return pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), words)

    table = pa.table(
        {
            "patient": pa.array([low + random.randrange(span + 1) for _ in range(rows)], pa.int64()),
            "seq": pa.array([random.choice((0, random.randrange(9))) for _ in range(rows)], pa.int64()),
            "shape": pa.DictionaryArray.from_arrays(coded(0.1).indices, pa.array(words).cast(pa.binary())),
            "dates0": coded(0.3),
            "numbers0": coded(0),
            "names": pa.array([random.choice((["a", "b"], [], ["c"])) for _ in range(rows)], pa.list_(pa.string())),
            "named": pa.array([random.choice((None, "x")) for _ in range(rows)], pa.string()),
        }
    )
    cut = random.randrange(rows + 1)
    return pa.concat_tables([table.slice(0, cut), table.slice(cut)])


def test_no_rows_make_a_file_too(tmp_path: Path) -> None:
    table = some_rows(Random(1), 3).slice(0, 0)
    write_rows(tmp_path / "none.arrow", table, np.zeros(0, np.int32))
    assert shards_in(tmp_path / "none.arrow") == []
    assert read_rows(tmp_path / "none.arrow", 0) is None
