"""Codes written page by page are what every reader of Parquet reads, null where a trial has no such column."""

from __future__ import annotations

import io

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from onstudy.population.prescreen_pages import Block, CodesFile, null_page, packed, page_of
from onstudy.population.prescreen_thrift import BINARY, BOOL, BYTE, I32, LIST, STRUCT, structure, varint

SIZES = [1, 2, 7, 8, 9, 15, 16, 17, 1000]


def codes(size: int, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    return np.random.default_rng(seed).integers(0, 4, size, np.int8)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_is_read(size: int) -> None:
    first, second, same = codes(size), codes(size, 2), np.full(size, 3, np.int8)
    ids = [f"patient é {number}" if number % 5 != 4 else "" for number in range(size)]
    file = io.BytesIO()
    written = CodesFile(file, ["a", "b", "c"], {"on": "2026-03-16"})
    one = Block("T1", {"a": page_of(first), "b": page_of(same)})
    other = Block("T2", {"c": page_of(second)})
    written.add(pa.array(ids), [one, other, other, one])
    written.add(pa.array(["", *ids])[1:2], [Block("T2", {"c": page_of(second[:1])})])
    written.close()
    table = pq.read_table(io.BytesIO(file.getvalue()))
    assert table.schema.metadata[b"on"] == b"2026-03-16"
    assert [str(table.schema.field(name).type) for name in ("patient", "trial", "a")] == ["string", "string", "int8"]
    assert table["patient"].to_pylist() == ids * 4 + ids[:1]
    assert table["trial"].to_pylist() == ["T1"] * size + ["T2"] * 2 * size + ["T1"] * size + ["T2"]
    nothing = [None] * size
    assert table["a"].to_pylist() == [*first, *nothing, *nothing, *first, None]
    assert table["b"].to_pylist() == [*same, *nothing, *nothing, *same, None]
    assert table["c"].to_pylist() == [*nothing, *second, *second, *nothing, second[0]]


def test_another_reader_reads_the_same(tmp_path: pytest.TempPathFactory) -> None:
    values = codes(5000)
    path = f"{tmp_path}/codes.parquet"
    with open(path, "wb") as file:
        written = CodesFile(file, ["S1-33", "S1-33.if_confirmed"], {})
        written.add(pa.array([str(number) for number in range(5000)]), [Block("T", {"S1-33": page_of(values)})])
        written.close()
    asked = (
        'SELECT count(*), sum("S1-33"), count("S1-33.if_confirmed"), any_value(typeof("S1-33")) FROM read_parquet(?)'
    )
    assert duckdb.execute(asked, [path]).fetchone() == (5000, int(values.sum()), 0, "TINYINT")


def test_the_same_codes_are_the_same_bytes_and_equal_ones_take_no_room() -> None:
    assert page_of(codes(4096)) == page_of(codes(4096))
    assert len(page_of(np.zeros(1 << 20, np.int8)).data) < 80
    assert len(page_of(codes(1 << 16)).data) < (1 << 16) / 4 + 200
    assert len(null_page(1 << 30).data) < 80


def test_an_empty_shard_adds_nothing() -> None:
    file = io.BytesIO()
    written = CodesFile(file, ["a"], {})
    written.add(pa.array([], pa.string()), [Block("T", {"a": page_of(np.zeros(0, np.int8))})])
    written.close()
    assert pq.read_table(io.BytesIO(file.getvalue())).num_rows == 0


def test_bits_lie_as_the_format_says() -> None:
    # The example of the format's description: 0 to 7, three bits each, lowest first.
    assert packed(np.arange(8), 3) == bytes([0b00000011, 0b10001000, 0b11000110, 0b11111010])
    assert packed(np.array([2, 2, 2]), 2) == bytes([3 << 1, 2])


def test_thrift_fields() -> None:
    assert varint(300) == bytes([0b10101100, 0b00000010])
    assert structure([(1, I32, -1), (3, BOOL, False), (4, BOOL, True)]) == bytes([0x15, 0x01, 0x22, 0x11, 0])
    assert structure([(2, BYTE, 8), (3, BINARY, "ab")]) == bytes([0x23, 8, 0x18, 2]) + b"ab" + bytes([0])
    assert structure([(1, LIST, (I32, [1] * 15))])[:3] == bytes([0x19, 0xF5, 15])
    assert structure([(1, STRUCT, [])]) == bytes([0x1C, 0, 0])
