"""Parquet files whose columns are small codes (0 to 3), written page by page.

A status of a million patients for a hundred criteria both ways is 200 million values of two bits each. They are
packed here as Parquet packs dictionary codes, once, where they are computed; the file is then put together from
the packed pages without looking at a value again. Format: https://github.com/apache/parquet-format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onstudy.population.prescreen_thrift import (
    BINARY,
    BOOL,
    BYTE,
    I16,
    I32,
    I64,
    LIST,
    STRUCT,
    Field,
    structure,
    varint,
)  # fmt: skip

_INT32, _BYTE_ARRAY = 1, 6
_OPTIONAL = 1
_UTF8, _INT_8 = 0, 15
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_ZSTD = 6
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_MAGIC = b"PAR1"
#: What the two-bit codes of a page stand for: themselves.
_CODES = np.arange(4, dtype="<i4").tobytes()


@dataclass(frozen=True, slots=True)
class Page:
    """One data page, header and all, ready to be copied into a file."""

    data: bytes
    rows: int
    plain: int  # bytes of header and uncompressed content


def page_of(codes: NDArray[np.int8]) -> Page:
    """The page of a column of codes from 0 to 3; none of them is null."""
    return _data_page(len(codes), packed(codes, 2), 2, present=True)


def null_page(rows: int) -> Page:
    """The page of a column that has no value in any of these rows."""
    return _data_page(rows, b"", 2, present=False)


def packed(codes: NDArray[np.integer], width: int) -> bytes:
    """Codes as one run of Parquet's hybrid encoding: repeated where all are equal, else `width` bits each."""
    rows = len(codes)
    if rows == 0:
        return b""
    if (codes == codes[0]).all():
        return varint(rows << 1) + int(codes[0]).to_bytes((width + 7) // 8, "little")
    groups = -(-rows // 8)
    bits = _pairs(codes, groups * 8) if width == 2 else _bits(codes, groups * 8, width)
    return varint(groups << 1 | 1) + bits


def _pairs(codes: NDArray[np.integer], size: int) -> bytes:
    """Four codes of two bits to a byte, the first in the lowest bits; `size` with zeros behind them."""
    four = np.zeros(size, np.uint8)
    four[: len(codes)] = codes
    return (four[0::4] | four[1::4] << 2 | four[2::4] << 4 | four[3::4] << 6).tobytes()


def _bits(codes: NDArray[np.integer], size: int, width: int) -> bytes:
    padded = np.zeros(size, np.uint32)
    padded[: len(codes)] = codes
    bits = (padded[:, None] >> np.arange(width, dtype=np.uint32)) & 1
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


def _data_page(rows: int, values: bytes, width: int, present: bool) -> Page:
    levels = varint(rows << 1) + bytes([present])
    body = len(levels).to_bytes(4, "little") + levels + bytes([width]) + values
    header: list[Field] = [(1, I32, rows), (2, I32, _RLE_DICTIONARY), (3, I32, _RLE), (4, I32, _RLE)]
    return _page(_DATA_PAGE, body, rows, (5, STRUCT, header))


def _dictionary_page(values: bytes, count: int) -> Page:
    return _page(_DICTIONARY_PAGE, values, count, (7, STRUCT, [(1, I32, count), (2, I32, _PLAIN)]))


def _page(kind: int, body: bytes, rows: int, details: Field) -> Page:
    squeezed: bytes = pa.compress(body, codec="zstd", asbytes=True)
    header = structure([(1, I32, kind), (2, I32, len(body)), (3, I32, len(squeezed)), details])
    return Page(header + squeezed, rows, len(header) + len(body))


def _texts(words: pa.StringArray) -> bytes:
    """Texts as Parquet has them plain: the length in four bytes, then the text."""
    _, offsets, data = words.buffers()
    ends = np.frombuffer(offsets, np.int32, len(words) + 1, words.offset * 4).astype(np.int64)
    if data is None or not len(words):
        return bytes(4 * len(words))
    lengths = np.diff(ends).astype("<u4")
    found = np.empty(int(ends[-1] - ends[0]) + 4 * len(words), np.uint8)
    heads = ends[:-1] - ends[0] + 4 * np.arange(len(words))
    of_text = np.ones(len(found), np.bool_)
    for byte in range(4):
        of_text[heads + byte] = False
        found[heads + byte] = lengths >> (8 * byte) & 0xFF
    found[of_text] = np.frombuffer(data, np.uint8, len(found) - 4 * len(words), int(ends[0]))
    return found.tobytes()


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that belong together: the patients of one shard and one trial, with a page for each column there is."""

    trial: str
    pages: Mapping[str, Page]


@dataclass
class CodesFile:
    """A Parquet file being written: patient, trial, then `columns` of codes, null where a block has no page."""

    file: BinaryIO
    columns: Sequence[str]
    notes: Mapping[str, str]
    _place: int = 0
    _rows: int = 0
    _groups: list[list[Field]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._write(_MAGIC)

    def add(self, patients: pa.StringArray, blocks: Sequence[Block]) -> None:
        """One row group: the same patients for each block, one block after the other."""
        each = len(patients)
        if not each or not blocks:
            return
        start, rows = self._place, each * len(blocks)
        chunks = [self._texts("patient", patients, np.arange(each), len(blocks))]
        chunks.append(self._trials(blocks, each))
        dictionary = _dictionary_page(_CODES, 4)
        for name in self.columns:
            pages = _merged([block.pages.get(name) for block in blocks], each)
            chunks.append(self._chunk(name, _INT32, dictionary, pages))
        size = sum(plain for _, plain in chunks)
        self._groups.append([
            (1, LIST, (STRUCT, [chunk for chunk, _ in chunks])), (2, I64, size), (3, I64, rows),
            (5, I64, start), (6, I64, self._place - start), (7, I16, min(len(self._groups), 32767)),
        ])  # fmt: skip
        self._rows += rows

    def close(self) -> None:
        """Write what tells a reader where everything lies."""
        schema: list[list[Field]] = [[(4, BINARY, "schema"), (5, I32, len(self.columns) + 2)]]
        schema += [_text_column("patient"), _text_column("trial"), *(_code_column(name) for name in self.columns)]
        notes = [[(1, BINARY, key), (2, BINARY, value)] for key, value in self.notes.items()]
        footer = structure([
            (1, I32, 2), (2, LIST, (STRUCT, schema)), (3, I64, self._rows), (4, LIST, (STRUCT, self._groups)),
            (5, LIST, (STRUCT, notes)), (6, BINARY, "onstudy"),
        ])  # fmt: skip
        self._write(footer + len(footer).to_bytes(4, "little") + _MAGIC)

    def _write(self, data: bytes) -> None:
        self.file.write(data)
        self._place += len(data)

    def _texts(self, name: str, words: pa.StringArray, index: NDArray[np.int64], times: int) -> tuple[bytes, int]:
        width = max(1, (len(words) - 1).bit_length())
        page = _data_page(len(index), packed(index, width), width, present=True)
        return self._chunk(name, _BYTE_ARRAY, _dictionary_page(_texts(words), len(words)), [page] * times)

    def _trials(self, blocks: Sequence[Block], each: int) -> tuple[bytes, int]:
        words = sorted({block.trial for block in blocks})
        width = max(1, (len(words) - 1).bit_length())
        one = [words.index(block.trial) for block in blocks]
        pages = [_data_page(each, packed(np.full(each, at), width), width, present=True) for at in one]
        texts = _texts(pa.array(words, pa.string()))
        return self._chunk("trial", _BYTE_ARRAY, _dictionary_page(texts, len(words)), pages)

    def _chunk(self, name: str, kind: int, dictionary: Page, pages: Sequence[Page]) -> tuple[bytes, int]:
        """Write one column of a row group; what the footer says of it, and its size before compression."""
        start = self._place
        self._write(dictionary.data)
        first = self._place
        for page in pages:
            self._write(page.data)
        plain = dictionary.plain + sum(page.plain for page in pages)
        about: list[Field] = [
            (1, I32, kind), (2, LIST, (I32, [_PLAIN, _RLE, _RLE_DICTIONARY])), (3, LIST, (BINARY, [name])),
            (4, I32, _ZSTD), (5, I64, sum(page.rows for page in pages)), (6, I64, plain),
            (7, I64, self._place - start), (9, I64, first), (11, I64, start),
        ]  # fmt: skip
        return structure([(2, I64, start), (3, STRUCT, about)]), plain


def _merged(pages: Sequence[Page | None], each: int) -> list[Page]:
    """The pages of a column; blocks beside one another that lack it share one page of nulls."""
    found: list[Page] = []
    lacking = 0
    for page in (*pages, None):
        lacking += page is None
        if page is not None:
            if lacking:
                found.append(null_page(lacking * each))
            found.append(page)
            lacking = 0
    if lacking > 1:
        found.append(null_page((lacking - 1) * each))
    return found


def _text_column(name: str) -> list[Field]:
    return [(1, I32, _BYTE_ARRAY), (3, I32, _OPTIONAL), (4, BINARY, name), (6, I32, _UTF8),
            (10, STRUCT, [(1, STRUCT, [])])]  # fmt: skip


def _code_column(name: str) -> list[Field]:
    integer: list[Field] = [(1, BYTE, 8), (2, BOOL, True)]
    return [(1, I32, _INT32), (3, I32, _OPTIONAL), (4, BINARY, name), (6, I32, _INT_8),
            (10, STRUCT, [(10, STRUCT, integer)])]  # fmt: skip
