"""The tables of an OMOP database as files in a folder: CSV, plain or packed with gzip, and Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as papq

from onstudy.errors import OnstudyError
from onstudy.population.build_unread import OTHER_END, PACKED, is_beside, is_packed, listing_of
from onstudy.population.omop_cdm import BATCH, BLOCK, ROWS, Piece, Place, size_and_hash_of
from onstudy.population.omop_lines import form_of, header_of, is_gzip, lines_of, opened, refused
from onstudy.population.omop_tables import CDM, READ


def files_of(folder: Path) -> dict[str, list[Path]]:
    """The files of each table: `person.csv`, `PERSON.csv.gz`, `person.parquet`, all in a folder `person`.

    Raises `InvalidFile` where such a file or folder of a table that is read cannot be looked into.
    """
    found: dict[str, list[Path]] = {}
    lies = listing_of(folder)
    lies.refuse_lost(folder, lambda name: _table_of(name) in READ)
    for name, path in sorted(lies.files.items(), key=lambda file: file[1]):
        table = _table_of(name)
        if table in CDM and name.lower().endswith(_SUFFIXES) and not is_beside(name):
            found.setdefault(table, []).append(path)
    return found


def unread_of(folder: Path, store: Path | None = None) -> dict[str, str]:
    """What lies in a folder and is not read, and why, but for a store and what plainly belongs beside the tables."""
    lies, found = listing_of(folder, store), {}
    for name in sorted((*lies.files, *lies.closed)):
        table = _table_of(name)
        if is_beside(name) or (table in CDM and table not in READ):
            continue
        if name in lies.closed:
            found[name] = lies.closed[name]
        elif table not in CDM:
            found[name] = f"no table of an OMOP CDM is called {table}"
        elif not name.lower().endswith(_SUFFIXES):
            found[name] = PACKED if is_packed(name) else OTHER_END
    return found


def _table_of(name: str) -> str:
    """The table a file would be of: as it is called, or the outermost folder it lies in."""
    return name.partition("/")[0].partition(".")[0].lower()


_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_PARQUET = ".parquet"
_SUFFIXES = (*_CSV, _PARQUET)
#: Bytes that rows are counted in.
_SAMPLE = 1 << 18


@dataclass(frozen=True, slots=True)
class _File:
    """The columns of a file, in small letters, each as it is written; of Parquet also which of those are text, and
    which have nothing in any row.
    """

    names: Mapping[str, str]
    texts: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()


@dataclass
class Folder:
    """A folder with one or several files for each table."""

    files: dict[str, list[Path]]
    root: Path | None = None
    damaged: dict[str, int] = field(default_factory=dict)
    snapshot: str = ""
    _columns: dict[str, list[str]] = field(default_factory=dict)
    _known: dict[Path, _File] = field(default_factory=dict)

    def columns(self, table: str) -> list[str]:
        """The columns that its files have, one or all of them."""
        if table not in self._columns:
            written = [name for path in self.files.get(table, []) for name in self._file(path).names]
            self._columns[table] = list(dict.fromkeys(written))
        return self._columns[table]

    def _file(self, path: Path) -> _File:
        if path not in self._known:
            self._known[path] = _parquet_columns(path) if _is_parquet(path) else _File(_small(header_of(path)))
        return self._known[path]

    def batches(
        self, table: str, columns: Sequence[str], piece: Piece | None = None, having: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """The rows of all its files, or of a piece of one."""
        for path in self.files.get(table, []) if piece is None else [Path(piece.path)]:
            yield from self._read(table, path, columns, piece, having)

    def places(self, table: str) -> list[Place]:
        """Its files."""
        return [Place(self._named(path), str(path), *size_and_hash_of(path)) for path in self.files.get(table, [])]

    def _named(self, path: Path) -> str:
        return path.name if self.root is None else path.relative_to(self.root).as_posix()

    def pieces(self, table: str, path: str) -> Iterator[Piece]:
        """Blocks of whole lines, or row groups."""
        yield from _groups(Path(path)) if _is_parquet(Path(path)) else _blocks(Path(path))

    def count(self, table: str) -> int:
        """The rows of its files: those of text by the length of the first ones."""
        return sum(_count(path) for path in self.files.get(table, []))

    def _read(
        self, table: str, path: Path, columns: Sequence[str], piece: Piece | None, having: str
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a file, or of a piece of it; a column it lacks is empty."""
        known = self._file(path)
        held = {name: known.names[name] for name in columns if name in known.names}
        if not held:
            raise refused(path, f"has none of the columns of {table}; the first line of CSV has to name them")
        if _is_parquet(path):
            some = held.get(having, "")
            held = {name: old for name, old in held.items() if old not in known.empty}
            found = _parquet(path, list(held.values()), known.texts, piece, some)
        else:
            found = self._csv(table, path, list(held.values()), piece)
        for batch in found:
            arrays = {name: batch.column(old) for name, old in held.items()}
            empty = pa.nulls(batch.num_rows, pa.string())
            yield pa.record_batch([arrays.get(name, empty) for name in columns], names=list(columns))

    def _csv(self, table: str, path: Path, held: Sequence[str], piece: Piece | None) -> Iterator[pa.RecordBatch]:
        """Every column as text; a row with more or fewer fields is passed over, and its lines are counted."""

        def damaged(row: Any) -> str:
            self.damaged[table] = self.damaged.get(table, 0) + row.text.count("\n") + 1
            return "skip"

        form = form_of(path)
        parse = pacsv.ParseOptions(
            delimiter=form.separator,
            quote_char='"' if form.quoted else False,
            invalid_row_handler=damaged,
            newlines_in_values=form.quoted,
        )
        types: dict[str, pa.DataType] = dict.fromkeys(held, pa.string())
        convert = pacsv.ConvertOptions(
            column_types=types, include_columns=held, null_values=[""], strings_can_be_null=True
        )
        texts = (text for _, text in lines_of(path)) if piece is None else iter([_bytes_of(path, piece)])
        for text in texts:
            options = pacsv.ReadOptions(block_size=max(BLOCK, len(text)), column_names=header_of(path))
            try:
                with pacsv.open_csv(pa.BufferReader(text), options, parse, convert) as reader:
                    yield from reader
            except (pa.ArrowInvalid, OSError) as error:
                raise refused(path, f"cannot be read to its end as CSV: {_reason(error)}") from None


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == _PARQUET


def _small(names: Iterable[str]) -> dict[str, str]:
    """Names by what they are in small letters."""
    return {name.lower(): name for name in names}


def _count(path: Path) -> int:
    if _is_parquet(path):
        with _parquet_file(path) as file:
            return int(file.metadata.num_rows)
    with opened(path) as file:
        sample = file.read(_SAMPLE)
    packed = 4 if is_gzip(path) else 1
    share = packed * path.stat().st_size / len(sample) if len(sample) == _SAMPLE else 1.0
    return int(sample.count(b"\n") * share)


# Parquet --------------------------------------------------------------------------------------------------


@contextmanager
def _parquet_file(path: Path, coded: Sequence[str] = ()) -> Iterator[papq.ParquetFile]:
    """A file; of some columns of text what differs is read once, as the file has it."""
    try:
        with papq.ParquetFile(path, read_dictionary=list(coded)) as file:
            yield file
    except (pa.ArrowException, OSError):
        raise OnstudyError(f"{path}: is no Parquet file that can be read") from None


def _parquet_columns(path: Path) -> _File:
    with _parquet_file(path) as file:
        schema = file.schema_arrow
        groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
    texts = frozenset(field.name for field in schema if pa.types.is_string(field.type))
    empty = frozenset.intersection(*map(_empty_in, groups)) if groups else frozenset()
    return _File(_small(map(str, schema.names)), texts, empty)


def _empty_in(group: papq.RowGroupMetaData) -> frozenset[str]:
    """The columns of a row group that have nothing but null, as far as is said in it."""
    # The count of nulls alone is not enough: some writers count them once for each page, so that some of the rows can
    # seem to be all (https://github.com/pola-rs/polars/issues/29321); where there are bounds, there is a value. Nor is
    # it enough that there are no bounds: of a long text none are written, and some files have none of any column.
    columns = (group.column(place) for place in range(group.num_columns))
    said = [(column.path_in_schema, column.statistics) for column in columns if column.is_stats_set]
    if not any(one.has_min_max for _, one in said):
        return frozenset()
    lacking = ((name, one.has_null_count and not one.has_min_max and one.null_count) for name, one in said)
    return frozenset(name for name, many in lacking if many and many == group.num_rows)


def _parquet(
    path: Path, held: Sequence[str], texts: frozenset[str], piece: Piece | None, having: str
) -> Iterator[pa.RecordBatch]:
    """Rows of a file or a piece of it, without row groups of which the file says that `having` is null in all."""
    with _parquet_file(path, [name for name in held if name in texts]) as file:
        groups = range(piece.first, piece.last) if piece is not None else range(file.num_row_groups)
        some = [group for group in groups if not having or having not in _empty_in(file.metadata.row_group(group))]
        # where there is one processor to read with, handing columns to a thread costs a tenth of reading them
        yield from file.iter_batches(BATCH, row_groups=some, columns=list(held), use_threads=pa.cpu_count() > 1)


def _groups(path: Path) -> Iterator[Piece]:
    """Row groups that together have about as many rows as a piece should."""
    with _parquet_file(path) as file:
        first = rows = 0
        for group in range(file.num_row_groups):
            more = file.metadata.row_group(group).num_rows
            if rows and rows + more > ROWS:
                yield Piece(str(path), first, group)
                first, rows = group, 0
            rows += more
        yield Piece(str(path), first, file.num_row_groups)


# CSV --------------------------------------------------------------------------------------------------------


def _bytes_of(path: Path, piece: Piece) -> bytes:
    if piece.data is not None:
        return piece.data
    with path.open("rb") as file:
        file.seek(piece.first)
        return file.read(piece.last - piece.first)


def _blocks(path: Path) -> Iterator[Piece]:
    """Blocks of whole rows; of a packed file with what they hold."""
    packed = is_gzip(path)
    for start, text in lines_of(path):
        yield Piece(str(path), start, start + len(text), text if packed else None)


def _reason(error: Exception) -> str:
    """What is wrong with a file, without any of its content."""
    text = str(error)
    if "utf" in text.lower():
        return "it is not UTF-8 text"
    return "it is damaged or cut off" if isinstance(error, OSError) else "its lines are no table"
