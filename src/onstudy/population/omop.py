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

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from onstudy.population.bulk_elements import decoded, encoded
from onstudy.population.bulk_rows import names_of
from onstudy.population.bulk_walk import Taking, walk
from onstudy.population.omop_cdm import ROWS, Cdm, Piece, read_table
from onstudy.population.omop_columns import Coding, Few, cast, few, wholes
from onstudy.population.omop_concepts import Concepts, read_concepts
from onstudy.population.omop_rows import CONCEPTS, Batch, Key, Qualifiers, Said, batch_of, said_of
from onstudy.population.omop_tables import TABLES
from onstudy.readers.omop import (
    FIELDS,
    FROM_SAID,
    GENDERS,
    OPERATORS,
    UNSURE,
    Concept,
    Row,
    Saying,
    person_of,
    resource_of,
    says_synthetic,
)
from onstudy.record.catalogue import Catalogue

#: What is told in the report.
NO_ROW = "lines of text with more or fewer fields than the header has names: left out"
NO_CONCEPT = "concept ids that the table concept does not have"
NO_CONCEPT_ID = "concept ids that are no whole numbers: read as none"
NO_ID = "rows whose own id is no whole number: read, but nothing can refer to them"
LOST = "rows left out: the id by which they are found is no whole number"
#: Tables that the meaning of all others hangs on.
SHARED = ("concept", "cdm_source", "death")
_OWN = ("observation", "measurement")
_PERSON = ("person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime")
_NAMES = ("cdm_source_name", "cdm_source_abbreviation")
#: What stands in the slots of a row whose shape is worked out, to find them again.
_ID, _START, _END, _NUMBER, _LOW, _HIGH = "7", "1951-01-01", "1952-02-02", "31", "37", "41"


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape, and the JSON of what stands in the slot of its number where that is words.

    `unsaid` are which of the dates and numbers of a row have no slot in it: a result that is pending has no number,
    nor has what is known of a disease, whatever stands beside it.
    """

    bytes: bytes
    spoken: str | None
    unsaid: tuple[bool, ...]


@dataclass(frozen=True)
class Looked:
    """What is looked for first: concepts, the day of release, who is dead, what rows say of others, by table, and
    whether nobody is real.

    `left` is what of it could not be used, by reason and by what is wrong.
    """

    concepts: Concepts
    last_day: str
    dead: pa.Array
    said: Mapping[str, Said]
    left: Mapping[tuple[str, str], int]
    synthetic: bool


@dataclass
class OmopReading:
    """A database being read: its concepts, and what was met.

    `counts` are rows by table, `left` rows by reason and by what is wrong in them.

    `looked` is what all of it hangs on, where another process has looked for it.
    """

    cdm: Cdm
    catalogue: Catalogue
    looked: Looked | None = None
    counts: Counter[str] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._concepts: dict[int, Concept] = {}
        self._shapes: dict[str, dict[Key, Shape]] = {}
        looked = self.looked
        self._all = read_concepts(self.cdm, self.catalogue) if looked is None else looked.concepts.of(self.catalogue)
        self._known = self._all.known
        self.last_day = self._last_day() if looked is None else looked.last_day
        self.dead = self._load_dead() if looked is None else looked.dead
        self.said = self._load_said() if looked is None else looked.said
        left = self._left_of_shared() if looked is None else looked.left
        self.synthetic = self._synthetic() if looked is None else looked.synthetic
        self.looked = Looked(self._all, self.last_day, self.dead, self.said, left, self.synthetic)

    # What is read first ---------------------------------------------------------------------------------------

    def _last_day(self) -> str:
        """The day the data were released: what ends then, or later, is not known to be over."""
        days = [
            pc.max(cast(batch.column(0), pa.date32(), "DATE")).as_py()
            for batch in read_table(self.cdm, "cdm_source", ("source_release_date",))
        ]
        return max((day.isoformat() for day in days if day is not None), default="")

    def _synthetic(self) -> bool:
        """Whether each of the sources that were put together says that nobody in it is real."""
        rows = [row for batch in read_table(self.cdm, "cdm_source", _NAMES) for row in batch.to_pylist()]
        return bool(rows) and all(says_synthetic(str(name or "") for name in row.values()) for row in rows)

    def _load_dead(self) -> pa.Array:
        """The ids of those who are recorded as dead."""
        batches = read_table(self.cdm, "death", ("person_id",))
        return pa.concat_arrays([pa.array([], pa.int64()), *(cast(b.column(0), pa.int64(), "BIGINT") for b in batches)])

    def _left_of_shared(self) -> dict[tuple[str, str], int]:
        """What of the tables that all others hang on could not be used."""
        found = {(NO_ROW, table): self.cdm.damaged.get(table, 0) for table in SHARED}
        found[LOST, "concept.concept_id"] = self._all.nameless
        found[LOST, "death.person_id"] = self.dead.null_count
        return {said: many for said, many in found.items() if many}

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
        for batch in read_table(self.cdm, table, columns, having=named.about):
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
        self._concepts.update(self._all.named({n for n in numbers if n and n not in self._concepts}))

    # Persons --------------------------------------------------------------------------------------------------

    def people(self, piece: Piece | None = None) -> Iterator[pa.Table]:
        """Everybody, as Patient resources taken apart."""
        shapes = [_taken(person_of(_ID, *key, self.synthetic))[0] for key in _PEOPLE]
        for batch in read_table(self.cdm, "person", _PERSON, piece):
            numbers = cast(batch.column("person_id"), pa.int64(), "BIGINT")
            if numbers.null_count:
                self.left[LOST, "person.person_id"] += numbers.null_count
                kept = pc.is_valid(numbers)
                batch, numbers = batch.filter(kept), numbers.filter(kept)
            gender = wholes(batch.column("gender_concept_id"))
            sex = sum((gender == number) * _SEXES.index(name) for number, name in GENDERS.items())
            born, dead = _births(batch), pc.is_in(numbers, value_set=self.dead)
            flags = [flag.to_numpy(zero_copy_only=False).astype(np.int32) for flag in (born.is_valid(), dead)]
            index = (np.asarray(sex, np.int32) * 2 + flags[0]) * 2 + flags[1]
            columns = {"patient": numbers, **names_of("", numbers), "dates0": born}
            yield self._numbered("person", columns, index, shapes)

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
        """Count rows without ids and with concepts that are not there; one that says how another is meant is known."""
        columns = TABLES[table]
        for key, many in zip(batch.keys, np.bincount(batch.index, minlength=len(batch.keys)).tolist(), strict=True):
            for name in CONCEPTS:
                number = getattr(key, name)
                if number and number not in self._concepts and number != key.meant:
                    self.left[NO_CONCEPT, f"{table}.{getattr(columns, name)} {number}"] += many
        found = [(LOST, "person_id", batch.nobody), (NO_ID, columns.id, batch.nameless)]
        found += [(NO_CONCEPT_ID, column, many) for column, many in batch.no_concept.items()]
        self.left.update({(reason, f"{table}.{column}"): many for reason, column, many in found if many})

    def _shape(self, table: str, key: Key, said: Qualifiers) -> Shape:
        own = (
            _START if key.has_start else "",
            _END if key.has_end else "",
            _NUMBER if key.has_number else "",
            _LOW if key.has_low else "",
            _HIGH if key.has_high else "",
        )
        shape, dates, numbers = _taken(resource_of(Row(self._saying(table, key, said), _ID, *own), self.catalogue))
        numbers, spoken = (numbers[1:], json.dumps(numbers[0])) if key.words else (numbers, None)
        unsaid = tuple(bool(slot) and slot not in (*dates, *numbers) for slot in own)
        stands = [slot for slot, gone in zip(own, unsaid, strict=True) if slot and not gone]
        assert stands == [*dates, *numbers], f"{table}: dates or numbers stand in another order"
        return Shape(shape, spoken, unsaid)

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
        spoken = [shape.spoken for shape in shapes]
        own = [batch.start, batch.end, batch.number, batch.low, batch.high]
        for place, column in enumerate(own):
            if any(shape.unsaid[place] for shape in shapes):
                own[place] = column.only(~np.array([shape.unsaid[place] for shape in shapes])[index])
        if any(spoken):
            own[2] = own[2].or_else(few(pa.array(spoken, pa.string())).of(index))
        dates, slots = _close_up(own[:2]), _close_up(own[2:])
        columns = {
            "patient": pa.array(batch.person),
            **names_of(f"{table.partition('_')[0]}.", pa.array(batch.id)),
            **{f"dates{place}": column.coded() for place, column in enumerate(dates)},
            **{f"numbers{place}": column.coded() for place, column in enumerate(slots)},
        }
        return self._numbered(table, columns, index, [shape.bytes for shape in shapes])

    def _numbered(self, table: str, columns: dict[str, pa.Array], index: Any, shapes: Sequence[bytes]) -> pa.Table:
        self.counts[table] += len(index)
        columns["seq"] = pa.array(np.zeros(len(index), np.int64))
        known = pa.array(list(shapes), pa.binary())
        columns["shape"] = pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), known)
        return pa.table(columns)


def _births(people: pa.RecordBatch) -> pa.Array:
    """Birth dates, as exact as each person says."""
    parts = [cast(people.column(f"{part}_of_birth"), pa.int32(), "INTEGER") for part in _BORN]
    if any(part.null_count for part in parts):
        days = cast(people.column("birth_datetime"), pa.date32(), "DATE")
        said = [take(days).cast(pa.int32()) for take in (pc.year, pc.month, pc.day)]
        parts = [pc.coalesce(part, other) for part, other in zip(parts, said, strict=True)]
    coding = Coding(people.num_rows)
    for part in parts:
        coding.add(few(part, lambda values: values))
    index, first = coding.firsts()
    births = _written(*(part.take(pa.array(first)) for part in parts))
    return births.take(pa.array(index)).dictionary_encode()


def _written(year: pa.Array, month: pa.Array, day: pa.Array) -> pa.Array:
    """Dates as they are written, without what comes after the first part that is not known."""
    day = pc.if_else(month.is_valid(), day, None)
    parts = [_padded(year, 4).fill_null(""), _padded(month, 2), _padded(day, 2)]  # of nothing but null Arrow joins none
    return pc.if_else(year.is_valid(), pc.binary_join_element_wise(*parts, "-", null_handling="skip"), None)


def _padded(numbers: pa.Array, width: int) -> pa.Array:
    """Whole numbers with zeros between the sign and the first digit, as `format` has it."""
    written = pc.abs_checked(numbers.cast(pa.int64())).cast(pa.string())
    minus = pc.less(numbers, 0)
    wide = pc.if_else(minus, pc.utf8_lpad(written, width - 1, "0"), pc.utf8_lpad(written, width, "0"))
    return pc.if_else(minus, pc.binary_join_element_wise("-", wide, ""), wide)


_BORN, _SEXES = ("year", "month", "day"), ("", "male", "female")
_PEOPLE = [(sex, born, dead) for sex in _SEXES for born in ("", _START) for dead in (False, True)]


def _taken(resource: dict[str, Any]) -> tuple[bytes, list[str], list[str]]:
    """The shape of a resource, with the dates and numbers that stood in its slots."""
    kind = str(resource["resourceType"])
    if kind != "Patient":
        resource = resource | {"subject": {"reference": "@"}}
    taken = Taking([], [], [], [])
    found = decoded(json.dumps(resource, default=str).encode(), kind)
    walk(found, taken)
    return encoded(found), taken.dates, [number.decode().strip('"') for number in taken.numbers]


def _close_up(columns: Sequence[Few]) -> list[Few]:
    """Columns in which nothing stands behind a gap; those that are empty are left out."""
    kept = [column for column in columns if not column.empty]
    for place in range(len(kept) - 1, 0, -1):
        for before in range(place):
            moved = kept[before + 1].there & ~kept[before].there
            if moved.any():
                left = kept[before + 1].only(~moved)
                kept[before], kept[before + 1] = kept[before].or_else(kept[before + 1]), left
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
