"""An OMOP CDM 5.4 database wherever it lies: a folder of CSV or Parquet files, a DuckDB file, a PostgreSQL server.

Each table comes out as Arrow with the columns asked for, as text or in the type it has; a column that a source lacks is
empty. Nothing is written, neither into the source nor beside it.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv

from onstudy.errors import OnstudyError

#: Tables without which a folder or database is no CDM.
NEEDED = ("person", "concept")
POSTGRES = ("postgresql://", "postgres://")
_DUCKDB_MAGIC = b"DUCK"
#: Rows read at a time.
BATCH = 1 << 18
#: Bytes of text read at a time.
BLOCK = 1 << 24


class Cdm(Protocol):
    """An OMOP database that tables can be read from. `damaged` counts lines that are no rows, by table."""

    damaged: dict[str, int]

    def columns(self, table: str) -> list[str]:
        """The columns a table has, in small letters; none where there is no such table."""

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of a table, in batches, with these of its columns."""


def read_table(cdm: Cdm, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Batches of a table with exactly these columns; those the table lacks are null."""
    there = cdm.columns(table)
    held = [name for name in columns if name in there]
    if not held:
        return
    for batch in cdm.batches(table, held):
        missing = [name for name in columns if name not in held]
        arrays = [batch.column(held.index(name)) if name in held else pa.nulls(batch.num_rows) for name in columns]
        yield batch if not missing else pa.record_batch(arrays, names=list(columns))


def is_omop(source: str | Path) -> bool:
    """Whether a source looks like an OMOP database: by its address, its magic bytes, or the names of its files."""
    if str(source).startswith(POSTGRES):
        return True
    path = Path(source)
    if path.is_dir():
        return all(_files(path).get(name) for name in NEEDED)
    with suppress(OSError), path.open("rb") as file:
        return file.read(12)[8:12] == _DUCKDB_MAGIC
    return False


@contextmanager
def open_cdm(source: str | Path) -> Iterator[Cdm]:
    """Open an OMOP database for reading. Raises `OnstudyError` where it cannot be opened or is none."""
    if str(source).startswith(POSTGRES):
        from onstudy.population.omop_postgres import open_postgres

        with open_postgres(str(source)) as found:
            yield _checked(found, "the database")
        return
    path = Path(source)
    if path.is_dir():
        yield _checked(Folder(_files(path)), str(path))
        return
    with _duckdb_file(path) as found:
        yield _checked(found, str(path))


def _checked(cdm: Cdm, name: str) -> Cdm:
    lacking = [table for table in NEEDED if not cdm.columns(table)]
    if lacking:
        raise OnstudyError(f"{name}: is no OMOP database: it has no table {' and no table '.join(lacking)}")
    return cdm


# A folder -------------------------------------------------------------------------------------------------


def _files(folder: Path) -> dict[str, list[Path]]:
    """The files of each table: `person.csv`, `PERSON.csv.gz`, `person.parquet`, a folder `person` of Parquet."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        if path.is_dir():
            parts = sorted(path.glob("*.parquet"))
            if parts:
                found[name] = parts
        elif name.endswith(_SUFFIXES):
            found.setdefault(name.partition(".")[0], []).append(path)
    return found


_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_SUFFIXES = (*_CSV, ".parquet")


@dataclass
class Folder:
    """A folder with one or several files for each table."""

    files: dict[str, list[Path]]
    damaged: dict[str, int] = field(default_factory=dict)

    def columns(self, table: str) -> list[str]:
        """The columns of the first of its files."""
        paths = self.files.get(table)
        if not paths:
            return []
        return [name.lower() for name in self._written(paths[0])]

    def _written(self, path: Path) -> list[str]:
        if path.suffix == ".parquet":
            with duckdb.connect() as connection:
                rows = connection.execute("SELECT name FROM parquet_schema(?) WHERE num_children IS NULL", [str(path)])
                return [str(name) for (name,) in rows.fetchall()]
        return _header(path)

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of all its files."""
        for path in self.files.get(table, []):
            written = {name.lower(): name for name in self._written(path)}
            names = [written.get(name, "") for name in columns]
            read = self._parquet if path.suffix == ".parquet" else self._csv
            yield from read(table, path, names, columns)

    def _parquet(
        self, table: str, path: Path, written: Sequence[str], columns: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        parts = [
            f"{_quoted(old)} AS {_quoted(new)}" if old else f"NULL AS {_quoted(new)}"
            for old, new in zip(written, columns, strict=True)
        ]
        with _memory() as connection:
            try:
                query = f"SELECT {', '.join(parts)} FROM read_parquet($path)"
                yield from connection.sql(query, params={"path": str(path)}).to_arrow_reader(BATCH)
            except duckdb.Error:
                raise OnstudyError(f"{path}: is no Parquet file that can be read") from None

    def _csv(self, table: str, path: Path, written: Sequence[str], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Every column as text; a line with more or fewer fields is counted and passed over."""

        def damaged(row: Any) -> str:
            self.damaged[table] = self.damaged.get(table, 0) + 1
            return "skip"

        tabs = "\t" in _first_line(path)
        held = [name for name in written if name]
        parse = pacsv.ParseOptions(
            delimiter="\t" if tabs else ",",
            quote_char=False if tabs else '"',
            invalid_row_handler=damaged,
            newlines_in_values=not tabs,
        )
        types: dict[str, pa.DataType] = dict.fromkeys(held, pa.string())
        convert = pacsv.ConvertOptions(
            column_types=types, include_columns=held, null_values=[""], strings_can_be_null=True
        )
        try:
            with pacsv.open_csv(path, pacsv.ReadOptions(block_size=BLOCK), parse, convert) as reader:
                for batch in reader:
                    arrays = {name: batch.column(place) for place, name in enumerate(held)}
                    empty = pa.nulls(batch.num_rows, pa.string())
                    yield pa.record_batch([arrays.get(name, empty) for name in written], names=list(columns))
        except (pa.ArrowInvalid, OSError) as error:
            raise OnstudyError(f"{path}: cannot be read to its end as CSV: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What is wrong with a file, without any of its content."""
    text = str(error)
    if "utf" in text.lower():
        return "it is not UTF-8 text"
    return "it is damaged or cut off" if isinstance(error, OSError) else "its lines are no table"


def _first_line(path: Path) -> str:
    opened: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            return str(file.readline(1 << 16)).rstrip("\r\n")
    except (OSError, EOFError):
        raise OnstudyError(f"{path}: cannot be read; is it a whole file?") from None


def _header(path: Path) -> list[str]:
    line = _first_line(path)
    return [name.strip(' "') for name in line.split("\t" if "\t" in line else ",")]


# DuckDB ---------------------------------------------------------------------------------------------------


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _memory() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own that writes nothing to disk and fetches nothing from anywhere."""
    with duckdb.connect(config=SETTINGS) as connection:
        yield connection


#: No temporary files (a record must not lie about on a disk), no extensions from the network.
SETTINGS: dict[str, Any] = {
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@contextmanager
def _duckdb_file(path: Path) -> Iterator[Cdm]:
    if not path.is_file():
        raise OnstudyError(f"{path}: there is no such file or folder")
    try:
        connection = duckdb.connect(str(path), read_only=True, config=SETTINGS)
    except duckdb.Error:
        raise OnstudyError(f"{path}: is no DuckDB database that can be opened for reading") from None
    with connection:
        yield Database(connection)


@dataclass
class Database:
    """A DuckDB database; the tables may be in any schema."""

    connection: duckdb.DuckDBPyConnection
    damaged: dict[str, int] = field(default_factory=dict)

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

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Its rows."""
        written = self._columns(table)
        schema, name = self._places()[table]
        parts = ", ".join(f"{_quoted(written[column])} AS {_quoted(column)}" for column in columns)
        query = f"SELECT {parts} FROM {_quoted(schema)}.{_quoted(name)}"
        yield from self.connection.sql(query).to_arrow_reader(BATCH)
