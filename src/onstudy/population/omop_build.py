"""An OMOP database as a source that a store is built from: its tables in parts, and the pieces they are read by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from weakref import finalize

import pyarrow as pa

from onstudy.population.build_sources import Part, Task, digest_of_texts
from onstudy.population.build_unread import Unread
from onstudy.population.bulk_fhir import Tally
from onstudy.population.bulk_fhir_reading import ClusterReader, Record, read_whole
from onstudy.population.bulk_identified import identified_in
from onstudy.population.bulk_rows import join_rows
from onstudy.population.omop import NO_ROW, SHARED, Looked, OmopReading
from onstudy.population.omop_cdm import Cdm, Piece
from onstudy.population.omop_folder import unread_of
from onstudy.population.omop_source import POSTGRES, open_cdm
from onstudy.population.omop_tables import TABLES
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.patient import Patient

PERSON = "person"
#: What is told in the report.
NO_TABLE = "tables of an OMOP CDM that the source does not have"


def omop_source(source: str, store: Path) -> OmopSource:
    """The OMOP database at a path or URL. Raises `OnstudyError` where it is none."""
    with open_cdm(source):
        return OmopSource(source, store=store)


class OmopSource:
    """An OMOP database; each process opens it for itself, once, in the state in which the first has opened it.

    What all rows hang on is looked for by the first.
    """

    sort = "omop"
    refers = False

    def __init__(
        self, source: str, looked: Looked | None = None, snapshot: str = "", store: Path | None = None
    ) -> None:
        self.source, self._looked, self._snapshot, self._store = source, looked, snapshot, store
        self._open: Cdm | None = None
        self._reading: OmopReading | None = None
        self._stack = ExitStack()
        finalize(self, self._stack.close)

    def __reduce__(self) -> tuple[Any, ...]:
        return OmopSource, (self.source, self._looked, self.cdm.snapshot)

    @property
    def cdm(self) -> Cdm:
        """The database, opened where it is not open yet."""
        if self._open is None:
            self._open = self._stack.enter_context(open_cdm(self.source, self._snapshot))
        return self._open

    def reading(self, catalogue: Catalogue) -> OmopReading:
        """The database with its concepts in memory."""
        if self._reading is None or self._reading.catalogue is not catalogue:
            self._reading = OmopReading(self.cdm, catalogue, self._looked)
            self._looked = self._reading.looked
        return self._reading

    # What there is to read ------------------------------------------------------------------------------------

    def parts(self, catalogue: str) -> list[Part]:
        """The files or tables with persons and events.

        The hash of each covers all that its rows depend on: which codes are read (of others only the code is kept),
        concepts, the day of release, and what rows of the project's own concepts say of it.
        """
        shared = [place.digest for table in SHARED for place in self.cdm.places(table)]
        said = self.reading(load_catalogue()).said_digest()
        return [
            Part(
                place.name,
                place.path,
                place.size,
                digest_of_texts(table, place.digest, said, catalogue, *shared),
                table,
            )
            for table in (PERSON, *TABLES)
            for place in self.cdm.places(table)
        ]

    def lacking(self) -> dict[tuple[str, str], int]:
        """The tables that are not there, and what of those that are read first could not be used."""
        missing = {(NO_TABLE, table): 1 for table in (*TABLES, *SHARED) if not self.cdm.columns(table)}
        self.reading(load_catalogue())
        return missing | ({} if self._looked is None else dict(self._looked.left))

    def unread(self) -> Unread:
        """The files of a folder that are no table, or not to be read."""
        path = Path(self.source)
        return unread_of(path, self._store) if not self.source.startswith(POSTGRES) and path.is_dir() else {}

    def estimate(self, parts: Sequence[Part]) -> tuple[int, int]:
        """Persons and events, as many as the tables have or seem to have."""
        return self.cdm.count(PERSON), sum(self.cdm.count(table) for table in TABLES)

    def tasks(self, part: Part) -> Iterator[Task]:
        """The pieces of a file or table."""
        for number, piece in enumerate(self.cdm.pieces(part.sort, part.path)):
            yield Task(part, number, piece.first, piece.last, data=piece.data)

    # Reading it -----------------------------------------------------------------------------------------------

    def rows(self, task: Task, catalogue: Catalogue) -> tuple[pa.Table, Tally]:
        """The rows of a piece, as FHIR resources taken apart."""
        table, reading = task.part.sort, self.reading(catalogue)
        piece = Piece(task.part.path, task.offset, task.length, task.data)
        reading.counts.clear()
        reading.left.clear()
        self.cdm.damaged.clear()
        read = reading.people(piece) if table == PERSON else reading.events(table, piece)
        found = join_rows([_NONE, *read])
        tally = Tally()
        tally.read[table] += reading.counts[table]
        tally.left.update(reading.left)
        for damaged, many in self.cdm.damaged.items():
            tally.left[NO_ROW, damaged] += many
        return found, tally

    def identified(self, task: Task, systems: frozenset[str]) -> pa.Table:
        """Nobody: rows name persons by their ids."""
        return identified_in((), systems)

    def reader(self, catalogue: Catalogue) -> ClusterReader:
        """The readers of resources."""
        return ClusterReader(catalogue)

    def together(self, records: Sequence[Record], catalogue: Catalogue) -> list[tuple[str, Patient]]:
        """The reader of bundles."""
        return read_whole(records, catalogue)


_NONE = pa.table(
    {
        "patient": pa.array([], pa.int64()),
        "seq": pa.array([], pa.int64()),
        "shape": pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.binary())),
    }
)
