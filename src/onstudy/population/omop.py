"""OMOP CDM 5.4 on its way into the store: each row as the FHIR resource that says the same, taken apart.

Few different things are said in a table, by many rows; each is worked out once, as `readers/omop.py` has it, and rows
only add ids, dates and numbers. So the rules that read a bundle read a database.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from onstudy.population.bulk_elements import decoded, encoded
from onstudy.population.bulk_walk import Taking, walk
from onstudy.population.omop_cdm import ROWS, SETTINGS, Cdm, Piece, read_table
from onstudy.population.omop_columns import wholes
from onstudy.population.omop_rows import CONCEPTS, Batch, Key, Known, Qualifiers, Said, batch_of, said_of
from onstudy.population.omop_tables import TABLES
from onstudy.readers.omop import (
    FIELDS,
    FROM_SAID,
    GENDERS,
    OPERATORS,
    SOURCE_VALUE,
    UNSURE,
    Concept,
    Row,
    Saying,
    resource_of,
)
from onstudy.record.catalogue import Catalogue
from onstudy.values.codes import ONSTUDY

_OWN = ("observation", "measurement")
_CONCEPTS = ("concept_id", "concept_name", "vocabulary_id", "concept_code")
_PERSON = ("person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime")
#: What stands in the slots of a row whose shape is worked out, to find them again.
_ID, _START, _END, _NUMBER, _LOW, _HIGH = "7", "1951-01-01", "1952-02-02", "31", "37", "41"
#: A shape, and the JSON of what stands in the slot of its number where that is words.
Shape = tuple[bytes, str | None]


@dataclass
class OmopReading:
    """A database being read: its concepts, and what was met.

    `counts` are rows by table, `unknown` rows by the column and the id of a concept that is not among the concepts.

    `said` is what rows say of others, by table, where another process has looked at all rows for it.
    """

    cdm: Cdm
    catalogue: Catalogue
    said: Mapping[str, Said] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._duck = duckdb.connect(config=SETTINGS)
        self._concepts: dict[int, Concept] = {}
        self._shapes: dict[str, dict[Key, Shape]] = {}
        self._known = self._load_concepts()
        self.last_day = self._last_day()
        self.said = self.said or self._load_said()
        self._dead = self._load_dead()

    def close(self) -> None:
        """Let go of what is held in memory."""
        self._duck.close()

    def __enter__(self) -> OmopReading:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What is read first ---------------------------------------------------------------------------------------

    def _load_concepts(self) -> Known:
        """All concepts, and which of them the catalogue reads results of."""
        self._duck.execute("CREATE TABLE concepts (id BIGINT, name VARCHAR, vocabulary VARCHAR, code VARCHAR)")
        for batch in read_table(self.cdm, "concept", _CONCEPTS):
            self._duck.register("batch", pa.Table.from_batches([batch]))
            self._duck.execute(
                "INSERT INTO concepts SELECT TRY_CAST(concept_id AS BIGINT), CAST(concept_name AS VARCHAR), "
                "CAST(vocabulary_id AS VARCHAR), CAST(concept_code AS VARCHAR) FROM batch"
            )
        vocabularies = [str(name) for (name,) in self._all("SELECT DISTINCT vocabulary FROM concepts")]
        systems = pa.table({"name": vocabularies, "system": [Concept(v, "", "").system for v in vocabularies]})
        self._duck.register("systems", systems)
        codes = _codes_of(self.catalogue)
        self._duck.register("read_codes", codes)
        used = self._all(
            "SELECT DISTINCT c.id FROM concepts c JOIN systems s ON s.name = c.vocabulary "
            "JOIN read_codes r ON r.system = s.system AND (c.code = r.code OR "
            "(r.below AND starts_with(replace(c.code, '.', ''), replace(r.code, '.', ''))))"
        )
        own = self._all("SELECT c.id FROM concepts c JOIN systems s ON s.name = c.vocabulary "
                        f"WHERE s.system = '{ONSTUDY}'")  # fmt: skip
        values = codes.filter(pc.equal(codes.column("system"), SOURCE_VALUE)).column("code").combine_chunks()
        ids = [pa.array([number for (number,) in rows], pa.int64()) for rows in (used, own)]
        return Known(ids[0], ids[1], values.cast(pa.string()))

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        return self._duck.execute(query).fetchall()

    def _last_day(self) -> str:
        """The day the data were released: what ends then, or later, is not known to be over."""
        days: list[str] = []
        for batch in read_table(self.cdm, "cdm_source", ("source_release_date",)):
            self._duck.register("batch", pa.Table.from_batches([batch]))
            found = self._all("SELECT CAST(max(TRY_CAST(source_release_date AS DATE)) AS VARCHAR) FROM batch")
            days += [day for (day,) in found if day]
        return max(days, default="")

    def _load_dead(self) -> frozenset[str]:
        """The ids of those who are recorded as dead."""
        dead: set[str] = set()
        for batch in read_table(self.cdm, "death", ("person_id",)):
            self._duck.register("batch", pa.Table.from_batches([batch]))
            dead |= {name for (name,) in self._all("SELECT TRY_CAST(person_id AS BIGINT)::VARCHAR FROM batch") if name}
        return frozenset(dead)

    def _load_said(self) -> dict[str, Said]:
        """What rows with a concept of the project's own say of other rows."""
        said: dict[str, dict[int, list[tuple[str, Concept | str]]]] = {table: {} for table in TABLES}
        for table in _OWN:
            for target, about, name, value in self._referring(table):
                said[target].setdefault(about, []).append((name, value))
        return {table: said_of(rows, FROM_SAID) for table, rows in said.items()}

    def said_digest(self) -> str:
        """A hash of what rows say of others: the meaning of the others hangs on it."""
        digest = hashlib.blake2b(digest_size=16)
        for table, said in self.said.items():
            digest.update(repr((table, said.row.tolist(), said.number.tolist(), said.since.to_pylist())).encode())
            digest.update(repr(list(said.sayings)).encode())
        return digest.hexdigest()

    def _referring(self, table: str) -> Iterator[tuple[str, int, str, Concept | str]]:
        named = TABLES[table]
        if not len(self._known.own) or named.about not in self.cdm.columns(table):
            return
        columns = [named.about_field, named.about, named.concept, named.value, named.text or named.written]
        for batch in read_table(self.cdm, table, columns):
            places, rows, concepts, values = (wholes(batch.column(place)) for place in range(4))
            own = np.flatnonzero((rows != 0) & np.isin(concepts, self._known.own.to_numpy()))
            written = batch.column(4).take(pa.array(own)).cast(pa.string()).to_pylist()
            self.concepts([*concepts[own].tolist(), *values[own].tolist()])
            for row, text in zip(own.tolist(), written, strict=True):
                target, value = FIELDS.get(int(places[row])), self._concepts.get(int(values[row]))
                if target is not None:
                    name = self._concepts[int(concepts[row])].code
                    yield target, int(rows[row]), name, value if value is not None else text or ""

    def concepts(self, numbers: Iterable[int]) -> None:
        """Look up the concepts with these ids that were not looked up before."""
        new = sorted({number for number in numbers if number and number not in self._concepts})
        if new:
            self._duck.register("wanted", pa.table({"id": new}))
            for number, name, vocabulary, code in self._all("SELECT c.* FROM concepts c JOIN wanted USING (id)"):
                self._concepts[number] = Concept(vocabulary or "", code or "", name or "")

    # Persons --------------------------------------------------------------------------------------------------

    def people(self, piece: Piece | None = None) -> Iterator[pa.Table]:
        """Everybody, as Patient resources taken apart."""
        for batch in read_table(self.cdm, "person", _PERSON, piece):
            self._duck.register("batch", pa.Table.from_batches([batch]))
            parts = ", ".join(
                f"coalesce(TRY_CAST({part}_of_birth AS INT), {part}(TRY_CAST(birth_datetime AS DATE))) AS {part}_"
                for part in ("year", "month", "day")
            )
            rows = self._duck.sql(_BORN.format(parts=parts)).fetchall()
            patients, genders, born = zip(*rows, strict=True) if rows else ((), (), ())
            keys = [
                (GENDERS.get(gender, ""), day is not None, person in self._dead)
                for person, gender, day in zip(patients, genders, born, strict=True)
            ]
            index = np.array([_PEOPLE.index(key) for key in keys], np.int32)
            columns = {"patient": pa.array(patients, pa.string()), "names0": pa.array(patients, pa.string())}
            columns["dates0"] = pa.array(born, pa.string()).dictionary_encode()
            yield self._numbered("person", columns, index, [_person_shape(*key) for key in _PEOPLE])

    # Events ---------------------------------------------------------------------------------------------------

    def events(self, table: str, piece: Piece | None = None) -> Iterator[pa.Table]:
        """The rows of a table of events, taken apart."""
        known, said = self._shapes.setdefault(table, {}), self.said[table]
        for given in _together(read_table(self.cdm, table, TABLES[table].used(), piece), 2 * ROWS):
            batch = batch_of(table, TABLES[table], given, self._known, said, self.last_day)
            self.concepts(getattr(key, name) for key in batch.keys for name in CONCEPTS)
            self._note_unknown(table, batch)
            for key in batch.keys:
                if key not in known:
                    known[key] = self._shape(table, key, said.sayings[key.qualified])
            yield self._rows(table, batch, batch.index, [known[key] for key in batch.keys])

    def _note_unknown(self, table: str, batch: Batch) -> None:
        """Count the rows with concepts that are not there; what says how another is meant is known by its id."""
        columns = TABLES[table]
        for key, many in zip(batch.keys, np.bincount(batch.index, minlength=len(batch.keys)).tolist(), strict=True):
            for name in CONCEPTS:
                number = getattr(key, name)
                if number and number not in self._concepts and number != key.meant:
                    self.unknown[f"{table}.{getattr(columns, name)} {number}"] += many

    def _shape(self, table: str, key: Key, said: Qualifiers) -> Shape:
        own = (
            _START if key.has_start else "",
            _END if key.has_end else "",
            _NUMBER if key.has_number else "",
            _LOW if key.has_low else "",
            _HIGH if key.has_high else "",
        )
        shape, dates, numbers = _taken(resource_of(Row(self._saying(table, key, said), _ID, *own), self.catalogue))
        assert dates == [date for date in own[:2] if date], f"{table}: dates stand in another order"
        if key.words:
            return shape, json.dumps(numbers[0])
        assert numbers == [number for number in own[2:] if number], f"{table}: numbers stand in another order"
        return shape, None

    def _saying(self, table: str, key: Key, said: Qualifiers) -> Saying:
        status, unit = self._concepts.get(key.status), self._concepts.get(key.unit)
        return Saying(
            table=table,
            concepts=self._found(key.concept, key.source_concept),
            called=key.called or "",
            meant=key.meant,
            value=self._found(key.value),
            words=key.words or "",
            operator=OPERATORS.get(key.operator, ""),
            unit=unit.code if unit is not None else key.unit_written or "",
            route=self._found(key.route),
            unsure=status is not None and status.name.lower() in UNSURE,
            going=key.going,
            qualifiers=said,
        )

    def _found(self, *numbers: int) -> tuple[Concept, ...]:
        found = [self._concepts[number] for number in dict.fromkeys(numbers) if number in self._concepts]
        return tuple(concept for concept in found if concept.code)

    def _rows(self, table: str, batch: Batch, index: Any, shapes: Sequence[Shape]) -> pa.Table:
        """The columns of the rows: slots without a gap before them."""
        spoken = [said for _, said in shapes]
        number = batch.number
        if any(spoken):
            number = pc.coalesce(number, pa.array(spoken, pa.string()).take(pa.array(index)))
        slots = _close_up([number, batch.low, batch.high])
        dates = _close_up([batch.start, batch.end])
        stem = table.partition("_")[0]
        columns = {
            "patient": pa.array(batch.person).cast(pa.string()),
            "names0": pc.binary_join_element_wise(stem, pa.array(batch.id).cast(pa.string()), "."),
            **{f"dates{place}": column.dictionary_encode() for place, column in enumerate(dates)},
            **{f"numbers{place}": column.dictionary_encode() for place, column in enumerate(slots)},
        }
        return self._numbered(table, columns, index, [shape for shape, _ in shapes])

    def _numbered(self, table: str, columns: dict[str, pa.Array], index: Any, shapes: Sequence[bytes]) -> pa.Table:
        self.counts[table] += len(index)
        columns["seq"] = pa.array(np.zeros(len(index), np.int64))
        known = pa.array(list(shapes), pa.binary())
        columns["shape"] = pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), known)
        return pa.table(columns)


#: A birth date is as exact as the person says.
_BORN = """
SELECT person::VARCHAR, gender, CASE
    WHEN year_ IS NULL THEN NULL
    WHEN month_ IS NULL THEN printf('%04d', year_)
    WHEN day_ IS NULL THEN printf('%04d-%02d', year_, month_)
    ELSE printf('%04d-%02d-%02d', year_, month_, day_)
END
FROM (
    SELECT TRY_CAST(person_id AS BIGINT) AS person, coalesce(TRY_CAST(gender_concept_id AS INT), 0) AS gender, {parts}
    FROM batch
)
WHERE person IS NOT NULL
"""
_PEOPLE = [
    (gender, born, dead) for gender in ("", "male", "female") for born in (False, True) for dead in (False, True)
]


def _person_shape(gender: str, born: bool, dead: bool) -> bytes:
    resource: dict[str, Any] = {"resourceType": "Patient", "id": _ID}
    resource |= {"gender": gender} if gender else {}
    resource |= {"deceasedBoolean": True} if dead else {}
    return _taken(resource | ({"birthDate": _START} if born else {}))[0]


def _codes_of(catalogue: Catalogue) -> pa.Table:
    """The codes that name a kind: (system, code, whether all codes below it do)."""
    uses = [use.code for kind in catalogue for use in kind.codes]
    return pa.table(
        {
            "system": [code.system for code in uses],
            "code": [code.code.rstrip("-").rstrip(".") if code.code.endswith("-") else code.code for code in uses],
            "below": [code.code.endswith("-") for code in uses],
        }
    )


def _taken(resource: dict[str, Any]) -> tuple[bytes, list[str], list[str]]:
    """The shape of a resource, with the dates and numbers that stood in its slots."""
    kind = str(resource["resourceType"])
    if kind != "Patient":
        resource = resource | {"subject": {"reference": "@"}}
    taken = Taking([], [], [], [])
    found = decoded(json.dumps(resource, default=str).encode(), kind)
    walk(found, taken)
    return encoded(found), taken.dates, [number.decode().strip('"') for number in taken.numbers]


def _close_up(columns: Sequence[pa.Array]) -> list[pa.Array]:
    """Columns in which nothing stands behind a gap; those that are empty are left out."""
    kept = [column for column in columns if column.null_count < len(column)]
    for place in range(len(kept) - 1, 0, -1):
        for before in range(place):
            if kept[before].null_count:
                moved = pc.and_(pc.is_null(kept[before]), pc.is_valid(kept[before + 1]))
                if pc.any(moved).as_py():
                    kept[before], kept[before + 1] = (
                        pc.if_else(moved, kept[before + 1], kept[before]),
                        pc.if_else(moved, None, kept[before + 1]),
                    )
    return kept


def _together(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Batches put together until they have so many rows."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        if count >= rows:
            yield pa.Table.from_batches(waiting)
            waiting, count = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)
