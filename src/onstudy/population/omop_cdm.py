"""What an OMOP database is to its reader, wherever it lies: tables with columns, read whole or piece by piece."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from onstudy.errors import OnstudyError

#: Rows read at a time, and rows of a piece.
BATCH, ROWS = 1 << 18, 1 << 19
#: Bytes of text read at a time, and of a piece; also of a block that is hashed: with another number all is read again.
BLOCK = 1 << 24
#: How DuckDB is used: no temporary files (a record must not lie about on a disk), no extensions from the network.
SETTINGS: dict[str, Any] = {
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows of a table lie: its name there, its path or "", its size in bytes, and a hash of what it holds."""

    name: str
    path: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of the rows of a place, from `first` to before `last`: bytes, row groups, row numbers or pages."""

    path: str
    first: int
    last: int
    data: bytes | None = None


class Cdm(Protocol):
    """An OMOP database that tables can be read from. `damaged` counts lines that are no rows, by table."""

    damaged: dict[str, int]

    @property
    def snapshot(self) -> str:
        """What another process opens the same state by; "" where what is read does not change by itself."""

    def columns(self, table: str) -> list[str]:
        """The columns a table has, in small letters; none where there is no such table."""

    def batches(
        self, table: str, columns: Sequence[str], piece: Piece | None = None, having: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a table, or of a piece of it, in batches, with these of its columns.

        Rows in which one of these columns, `having`, is null may be left out.
        """

    def places(self, table: str) -> list[Place]:
        """Where the rows of a table lie."""

    def pieces(self, table: str, path: str) -> Iterator[Piece]:
        """Pieces of about a second's work that a place of a table consists of."""

    def count(self, table: str) -> int:
        """About how many rows a table has."""


def read_table(
    cdm: Cdm, table: str, columns: Sequence[str], piece: Piece | None = None, having: str = ""
) -> Iterator[pa.RecordBatch]:
    """Batches of a table with exactly these columns; those the table lacks are null.

    Rows in which `having`, a column of the table, is null may be left out.
    """
    there = cdm.columns(table)
    held = [name for name in columns if name in there]
    if not held:
        return
    for batch in cdm.batches(table, held, piece, having):
        missing = [name for name in columns if name not in held]
        arrays = [batch.column(held.index(name)) if name in held else pa.nulls(batch.num_rows) for name in columns]
        yield batch if not missing else pa.record_batch(arrays, names=list(columns))


def size_and_hash_of(path: Path) -> tuple[int, str]:
    """The size and a hash of a file: of the hashes of its blocks, of which two are worked out at a time."""
    try:
        size = path.stat().st_size
        with ThreadPoolExecutor(2) as pool:
            blocks = list(pool.map(lambda start: _hash_of_block(path, start), range(0, size, BLOCK)))
    except OSError as error:
        raise OnstudyError(f"{path}: cannot be read: {error.strerror}") from None
    return size, hashlib.blake2b(b"".join(blocks), digest_size=16).hexdigest()


def _hash_of_block(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return hashlib.blake2b(file.read(BLOCK), digest_size=32).digest()
