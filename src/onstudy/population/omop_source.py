"""An OMOP CDM 5.4 database wherever it lies: a folder of CSV or Parquet files, a DuckDB file, a PostgreSQL server.

Each table comes out as Arrow with the columns asked for, as text or in the type it has; a column that a source lacks is
empty. A table is read whole or piece by piece. Nothing is written, neither into the source nor beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from onstudy.errors import OnstudyError
from onstudy.population.omop_cdm import Cdm
from onstudy.population.omop_folder import Folder, files_of
from onstudy.population.omop_tables import TABLES

#: Tables without which a folder or database is no CDM.
NEEDED = ("person", "concept")
#: The column without which nothing of a table can be used.
_COLUMNS = {"concept": "concept_id"} | dict.fromkeys(("person", "death", *TABLES), "person_id")
POSTGRES = ("postgresql://", "postgres://")
_DUCKDB_MAGIC = b"DUCK"


def is_omop(source: str | Path) -> bool:
    """Whether a source looks like an OMOP database: by its address, its magic bytes, or the names of its files."""
    if str(source).startswith(POSTGRES):
        return True
    path = Path(source)
    if path.is_dir():
        return all(files_of(path).get(name) for name in NEEDED)
    with suppress(OSError), path.open("rb") as file:
        return file.read(12)[8:12] == _DUCKDB_MAGIC
    return False


def refuse_part_of_cdm(folder: Path) -> None:
    """Raise `OnstudyError` where a folder holds tables of an OMOP database without one that every database needs.

    A file with a column `kind` is CSV of another sort, whatever it is called.
    """
    tables = Folder(files_of(folder), folder)
    columns = [tables.columns(table) for table in tables.files]
    if any("person_id" in some for some in columns) and not any("kind" in some for some in columns):
        _checked(tables, str(folder))


@contextmanager
def open_cdm(source: str | Path, snapshot: str = "") -> Iterator[Cdm]:
    """Open an OMOP database for reading, in the state that another process reads where `snapshot` names one.

    Raises `OnstudyError` where it cannot be opened or is none.
    """
    if str(source).startswith(POSTGRES):
        from onstudy.population.omop_postgres import open_postgres

        with open_postgres(str(source), snapshot) as found:
            yield _checked(found, "the database")
        return
    path = Path(source)
    if path.is_dir():
        yield _checked(Folder(files_of(path), path), str(path))
        return
    from onstudy.population.omop_duckdb import open_duckdb  # importing DuckDB takes a tenth of a second

    with open_duckdb(path) as found:
        yield _checked(found, str(path))


def _checked(cdm: Cdm, name: str) -> Cdm:
    lacking = [table for table in NEEDED if not cdm.columns(table)]
    if lacking:
        raise OnstudyError(
            f"{name}: is no OMOP database: it has no table {' and no table '.join(lacking)}; export it too"
        )
    for table, column in _COLUMNS.items():
        there = cdm.columns(table)
        if there and column not in there:
            raise OnstudyError(
                f"{name}: the table {table} has no column {column}; in CSV the first line names the columns, and they "
                "are separated by commas, semicolons or tabs"
            )
    return cdm
