"""An OMOP database as a DuckDB file, read as Arrow: the tables may be in any schema, and nothing is written to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from onstudy.errors import OnstudyError
from onstudy.population.omop_cdm import BATCH, ROWS, SETTINGS, Cdm, Piece, Place, size_and_hash_of


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def open_duckdb(path: Path) -> Iterator[Cdm]:
    """A DuckDB file, for reading. Raises `OnstudyError` where it cannot be opened."""
    if not path.is_file():
        raise OnstudyError(f"{path}: there is no such file or folder")
    try:
        connection = duckdb.connect(str(path), read_only=True, config=SETTINGS)
    except duckdb.Error:
        raise OnstudyError(f"{path}: is no DuckDB database that can be opened for reading") from None
    with connection:
        yield Database(connection, path)


@dataclass
class Database:
    """A DuckDB database; the tables may be in any schema."""

    connection: duckdb.DuckDBPyConnection
    path: Path
    damaged: dict[str, int] = field(default_factory=dict)
    snapshot: str = ""
    _hash: tuple[int, str] | None = None

    def _places(self) -> dict[str, tuple[str, str]]:
        """Schema and name of each table by its name in small letters; the schema `main` comes last."""
        rows: Iterable[tuple[str, str]] = self.connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables ORDER BY table_schema <> 'main', 1 DESC, 2"
        ).fetchall()
        return {name.lower(): (schema, name) for schema, name in rows}

    def _columns(self, table: str) -> dict[str, str]:
        place = self._places().get(table)
        if place is None:
            return {}
        query = "SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ?"
        rows = self.connection.execute(f"{query} ORDER BY ordinal_position", list(place)).fetchall()
        return {str(name).lower(): str(name) for (name,) in rows}

    def columns(self, table: str) -> list[str]:
        """Its columns."""
        return list(self._columns(table))

    def _from(self, table: str) -> str:
        schema, name = self._places()[table]
        return f"{_quoted(schema)}.{_quoted(name)}"

    def batches(
        self, table: str, columns: Sequence[str], piece: Piece | None = None, having: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """Its rows."""
        written = self._columns(table)
        parts = ", ".join(f"{_quoted(written[column])} AS {_quoted(column)}" for column in columns)
        query = f"SELECT {parts} FROM {self._from(table)}"
        where = [f"{_quoted(written[having])} IS NOT NULL"] if having else []
        if piece is not None and piece.last:
            where.append(f"rowid >= {piece.first} AND rowid < {piece.last}")
        query += f" WHERE {' AND '.join(where)}" if where else ""
        yield from self.connection.sql(query).to_arrow_reader(BATCH)

    def places(self, table: str) -> list[Place]:
        """The file; it is hashed as a whole, once for all tables."""
        if not self.columns(table):
            return []
        self._hash = self._hash or size_and_hash_of(self.path)
        size, digest = self._hash
        return [Place(f"{self.path.name}: {table}", "", size, digest)]

    def pieces(self, table: str, path: str) -> Iterator[Piece]:
        """So many rows at a time; a view is one piece."""
        try:
            last = self.connection.execute(f"SELECT max(rowid) FROM {self._from(table)}").fetchone()
        except duckdb.Error:
            yield Piece(path, 0, 0)
            return
        assert last is not None, "an aggregate has a row"
        for first in range(0, int(last[0] or 0) + 1, ROWS):
            yield Piece(path, first, first + ROWS)

    def count(self, table: str) -> int:
        """How many rows it has."""
        if not self.columns(table):
            return 0
        found = self.connection.execute(f"SELECT count(*) FROM {self._from(table)}").fetchone()
        return int(found[0]) if found else 0
