"""An OMOP database on a PostgreSQL server, read with COPY: the rows stream through, nothing lies on a disk between.

The URL is libpq's (`postgresql://user@host/database`); `?options=-csearch_path%3Dcdm` names another schema.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from onstudy.errors import OnstudyError
from onstudy.population.omop_cdm import Piece, Place

#: Pages of a piece.
PAGES = 1 << 12
#: How many rows a table has, and the sum of their hashes.
_HASH = "SELECT count(*), sum(hashtextextended(row_of_it::text, 0)) FROM {} AS row_of_it"


@contextmanager
def open_postgres(url: str, snapshot: str = "") -> Iterator[Server]:
    """The database at a URL, read only and in one state, which is that of `snapshot` where another connection has one.

    Raises `OnstudyError`, which never repeats the URL: it may hold a password.
    """
    try:
        import psycopg
    except ImportError:
        raise OnstudyError("reading PostgreSQL needs psycopg: pip install 'onstudy[postgres]'") from None
    try:
        connection = psycopg.connect(url, autocommit=False)
    except psycopg.Error as error:
        raise OnstudyError(f"the PostgreSQL database cannot be reached: {_said(error)}") from None
    with connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        if snapshot:
            connection.execute(psycopg.sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
        yield Server(connection)


def _said(error: Exception) -> str:
    """The kind of a server's refusal; its words may repeat the URL."""
    text = str(error).lower()
    for words, what in (
        ("password", "the password was refused"),
        ("does not exist", "there is no such database, user or schema"),
        ("refused", "nothing answers at that host and port"),
        ("translate host", "there is no such host"),
        ("timeout", "it does not answer"),
    ):
        if words in text:
            return what
    return "the URL is wrong, or the server refuses it"


@dataclass
class Server:
    """A connection to a server; tables are found through its search path."""

    connection: Any
    damaged: dict[str, int] = field(default_factory=dict)
    _known: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def snapshot(self) -> str:
        """The name of the state that this connection reads; it can be read as long as the connection is open."""
        return str(self.connection.execute("SELECT pg_export_snapshot()").fetchone()[0])

    def _columns(self, table: str) -> dict[str, str]:
        if table not in self._known:
            query = (
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 "
                "AND NOT attisdropped ORDER BY attnum"
            )
            rows = self.connection.execute(query, [table]).fetchall()
            self._known[table] = {name.lower(): name for (name,) in rows}
        return self._known[table]

    def columns(self, table: str) -> list[str]:
        """Its columns."""
        return list(self._columns(table))

    def batches(
        self, table: str, columns: Sequence[str], piece: Piece | None = None, having: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """Its rows, as text; COPY's CSV tells an empty text from none."""
        from psycopg import sql

        written = self._columns(table)
        names = sql.SQL(", ").join(sql.Identifier(written[column]) for column in columns)
        some: list[sql.Composable] = [sql.SQL(_within(piece))] if piece is not None and piece.last else []
        some += [sql.SQL("{} IS NOT NULL").format(sql.Identifier(written[having]))] if having else []
        where = sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(some)) if some else sql.SQL("")
        query = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')")
        types = dict.fromkeys(columns, pa.string())
        read = pacsv.ReadOptions(column_names=list(columns), block_size=1 << 24)
        convert = pacsv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        statement = query.format(names, sql.Identifier(table), where)
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            stream = io.BufferedReader(_Copied(copy), 1 << 22)
            if stream.peek(1):
                parse = pacsv.ParseOptions(newlines_in_values=True)
                with pacsv.open_csv(stream, read, parse, convert) as reader:
                    yield from reader

    def places(self, table: str) -> list[Place]:
        """The table, hashed by the server whatever the order of its rows."""
        from psycopg import sql

        if not self.columns(table):
            return []
        size = self.connection.execute("SELECT coalesce(pg_relation_size(to_regclass(%s)), 0)", [table]).fetchone()
        hashed = self.connection.execute(sql.SQL(_HASH).format(sql.Identifier(table))).fetchone()
        said = repr((table, self.columns(table), *map(str, hashed)))
        return [Place(table, "", int(size[0]), blake2b(said.encode(), digest_size=16).hexdigest())]

    def pieces(self, table: str, path: str) -> Iterator[Piece]:
        """So many pages at a time; a view, or a table of partitions, is one piece."""
        query = "SELECT relkind, pg_relation_size(oid) FROM pg_class WHERE oid = to_regclass(%s)"
        kind, size = self.connection.execute(query, [table]).fetchone()
        if kind not in ("r", "m", b"r", b"m"):
            yield Piece(path, 0, 0)
            return
        page = int(self.connection.execute("SHOW block_size").fetchone()[0])
        pages = max(-(-int(size) // page), 1)
        for first in range(0, pages, PAGES):
            yield Piece(path, first, first + PAGES if first + PAGES < pages else -1)

    def count(self, table: str) -> int:
        """As many rows as the server believes it has."""
        query = "SELECT coalesce(sum(reltuples), 0)::bigint FROM pg_class WHERE oid = to_regclass(%s)"
        return max(int(self.connection.execute(query, [table]).fetchone()[0]), 0)


def _within(piece: Piece) -> str:
    """The rows on some pages; the last piece has no end, so that no row is missed."""
    end = f" AND ctid < '({piece.last},0)'::tid" if piece.last > 0 else ""
    return f"ctid >= '({piece.first},0)'::tid{end}"


class _Copied(io.RawIOBase):
    """What a server copies out, as a file to read from."""

    def __init__(self, copy: Any) -> None:
        self._copy, self._rest = copy, b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the next block of the server goes."""
        view = memoryview(buffer)
        while not self._rest:
            block = self._copy.read()
            if not block:
                return 0
            self._rest = bytes(block)
        size = min(len(view), len(self._rest))
        view[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
