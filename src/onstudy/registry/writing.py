"""Writing trials into a store, all within one transaction: rows at once, sets and places when it is full.

A trial keeps its number for as long as the store lives, so a changed trial is taken out of the sets it was in
and put into those it is in now; nothing else is touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from onstudy.registry import bits
from onstudy.registry.plain import one_line
from onstudy.registry.record import NAME, OLDEST, WORD, Record, read_point
from onstudy.registry.status import UNKNOWN, hopeful, standing_of
from onstudy.registry.store import REGISTRY, say, said
from onstudy.registry.v2 import Location, Note

#: Trials kept in mind before sets and places are written; bounds memory, not the transaction.
FULL = 50_000
NOT_STATED = "NOT_STATED"
#: Facets that are shown with counts.
SHOWN_FACETS = ("status", "phase", "type", "age_group", "sex", "country", "intervention_type", "sponsor_class")
#: Sets that are used and not shown.
ALL, STANDING, AGE_FROM, AGE_TO, HOPEFUL = "all", "standing", "age_from", "age_to", "hopeful"
#: Trials with a site (a hopeful one) that has no coordinates, by the country it names.
UNPLACED, UNPLACED_HOPEFUL = "unplaced", "unplaced_hopeful"

_PlaceKey = tuple[str | None, str | None, str | None, float | None, float | None]
_FacetKey = tuple[str, str]


@dataclass(slots=True)
class _Place:
    id: int
    country: str
    placed: bool
    wrong: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Member:
    """What one trial belongs to."""

    facets: list[_FacetKey]
    listed: set[int]
    hopeful: set[int]


class Writer:
    """Puts trials into a store whose transaction is open; `finish` before it is committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._places: dict[_PlaceKey, _Place] = {}
        self._kept: dict[_FacetKey, _FacetKey] = {}
        self._pending: dict[int, _Member] = {}
        self._before: dict[int, set[int]] = {}  # changed trials: the places they were at
        self._next = 1 + (db.execute("SELECT max(id) FROM study").fetchone()[0] or 0)
        self._next_place = 1 + (db.execute("SELECT max(id) FROM place").fetchone()[0] or 0)
        self._sites = int(said(db, "sites") or 0)

    def put(self, record: Record, packed: bytes, digest: bytes, origin: str, old_id: int | None, note: Note) -> None:
        """Write one trial; `old_id` is its number if it is in the store already."""
        id = self._next if old_id is None else old_id
        if old_id is None:
            self._next += 1
        else:
            self._take_out(old_id)
        member = _Member([], set(), set())
        sites = self._sites_of(record, member, note)
        for name, values in facets_of(record):
            for value in values:
                key = (name, value)
                member.facets.append(self._kept.setdefault(key, key))
        self._db.execute(
            "INSERT INTO study VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                id, record.nct_id, digest, origin, record.title, record.status, record.last_known, record.stated,
                record.sites_stated, record.phase, record.sponsor, record.updated, record.version, sites,
            ),
        )  # fmt: skip
        self._db.execute("INSERT INTO original VALUES (?, ?)", (id, packed))
        self._db.execute(
            "INSERT INTO words (rowid, title, conditions, interventions, keywords, ids, summary, sponsor)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (id, *words_of(record)),
        )
        self._sites += len(record.locations)
        self._pending[id] = member
        if len(self._pending) >= FULL:
            self._write_sets()

    def _take_out(self, id: int) -> None:
        (packed,) = self._db.execute("SELECT sites FROM study WHERE id = ?", (id,)).fetchone()
        if id not in self._before and id not in self._pending:
            self._before[id] = {site[3] for site in load_sites(packed)}
        elif id in self._pending:
            del self._pending[id]
        self._sites -= len(load_sites(packed))
        for table, column in (("study", "id"), ("original", "id"), ("words", "rowid")):
            self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (id,))

    def _sites_of(self, record: Record, member: _Member, note: Note) -> bytes:
        rows = []
        unplaced: set[str] = set()
        unplaced_hopeful: set[str] = set()
        for location in record.locations:
            status = location.status or UNKNOWN
            if len(status) > WORD:
                note(f"has {len(status)} characters; the first {WORD} are used", "status")
            place = self._place(location, note)
            name, code = location.facility or "", location.zip or ""
            if len(name) > NAME:
                note(f"has {len(name)} characters; the first {NAME} are used", "facility")
            rows.append((name[:NAME], status[:WORD], code[:WORD], place.id))
            hope = hopeful(record.status, status)
            if place.placed:
                member.listed.add(place.id)
                if hope:
                    member.hopeful.add(place.id)
            else:
                unplaced.add(place.country)
                if hope:
                    unplaced_hopeful.add(place.country)
        member.facets += [(UNPLACED, country) for country in unplaced]
        member.facets += [(UNPLACED_HOPEFUL, country) for country in unplaced_hopeful]
        if member.hopeful or unplaced_hopeful:
            member.facets.append((HOPEFUL, ""))
        return msgspec.msgpack.encode(rows)

    def _place(self, location: Location, note: Note) -> _Place:
        point = location.geoPoint
        key = (
            location.city, location.state, location.country,
            point.lat if point else None, point.lon if point else None,
        )  # fmt: skip
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._new_place(location)
        for what, part in place.wrong:
            note(what, part)
        return place

    def _new_place(self, location: Location) -> _Place:
        wrong: list[tuple[str, str]] = []
        lat, lon = read_point(location.geoPoint, lambda what, part: wrong.append((what, part)))
        texts = []
        for part in ("city", "state", "country"):
            text = getattr(location, part) or ""
            if len(text) > NAME:
                wrong.append((f"has {len(text)} characters; the first {NAME} are used", part))
            texts.append(one_line(text, NAME))
        found = self._db.execute(
            "SELECT id FROM place WHERE city = ? AND state = ? AND country = ? AND lat IS ? AND lon IS ?",
            (*texts, lat, lon),
        ).fetchone()
        if found is None:
            found = (self._next_place,)
            self._next_place += 1
            self._db.execute(
                "INSERT INTO place (id, city, state, country, lat, lon) VALUES (?,?,?,?,?,?)", (*found, *texts, lat, lon)
            )
            if lat is not None:
                self._db.execute("INSERT INTO place_box VALUES (?,?,?,?,?)", (*found, lat, lat, lon, lon))
        return _Place(found[0], texts[2], lat is not None, tuple(wrong))

    def finish(self) -> None:
        """Write what is still kept in mind; the store is whole afterwards."""
        self._write_sets()
        say(self._db, "sites", str(self._sites))

    def _write_sets(self) -> None:
        self._write_facets()
        self._write_places()
        self._pending.clear()
        self._before.clear()

    def _write_facets(self) -> None:
        added: dict[_FacetKey, list[int]] = {}
        for id, member in self._pending.items():
            for key in member.facets:
                added.setdefault(key, []).append(id)
        gone = bits.of(self._before, self._next)
        touched = set(added)
        if gone:
            touched.update((name, value) for name, value in self._db.execute("SELECT name, value FROM facet"))
        for name, value in sorted(touched):
            row = self._db.execute("SELECT bits FROM facet WHERE name = ? AND value = ?", (name, value)).fetchone()
            old = bits.load(row[0]) & ~gone if row else 0
            new = old | bits.of(added.get((name, value), ()), self._next)
            if new:
                self._db.execute("INSERT OR REPLACE INTO facet VALUES (?,?,?)", (name, value, bits.dump(new)))
            else:
                self._db.execute("DELETE FROM facet WHERE name = ? AND value = ?", (name, value))

    def _write_places(self) -> None:
        listed: dict[int, list[int]] = {}
        hopes: dict[int, list[int]] = {}
        for id, member in self._pending.items():
            for place in member.listed:
                listed.setdefault(place, []).append(id)
            for place in member.hopeful:
                hopes.setdefault(place, []).append(id)
        for place in sorted({*listed, *(place for places in self._before.values() for place in places)}):
            row = self._db.execute("SELECT listed, hopeful FROM place WHERE id = ?", (place,)).fetchone()
            both = [
                bits.dump_ids({id for id in bits.load_ids(old) if id not in self._before} | set(new.get(place, ())))
                for old, new in zip(row, (listed, hopes), strict=True)
            ]
            self._db.execute("UPDATE place SET listed = ?, hopeful = ? WHERE id = ?", (*both, place))


def load_sites(packed: bytes) -> list[tuple[str, str, str, int]]:
    """The sites of a trial as they are stored: name, status, ZIP code, number of the place."""
    return _sites_decoder.decode(packed)


_sites_decoder = msgspec.msgpack.Decoder(list[tuple[str, str, str, int]])


def words_of(record: Record) -> tuple[str, ...]:
    """What can be searched: title, conditions, interventions, keywords, ids, summary, sponsor."""
    titles = record.title if record.official_title == record.title else f"{record.title}\n{record.official_title}"
    return (
        titles,
        "\n".join((*record.conditions, *record.condition_terms)),
        "\n".join((*record.interventions, *record.intervention_terms)),
        "\n".join(record.keywords),
        "\n".join(record.ids),
        record.summary,
        "\n".join((record.sponsor, *record.collaborators)),
    )


def facets_of(record: Record) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The sets a trial belongs to by what it says of itself."""
    yield ALL, ("",)
    yield STANDING, (standing_of(record.status),)
    yield "status", (record.status,)
    yield "phase", record.phases or (NOT_STATED,)
    yield "type", (record.type or NOT_STATED,)
    yield "age_group", record.age_groups or (NOT_STATED,)
    yield "sex", (record.sex or NOT_STATED,)
    yield "country", tuple(dict.fromkeys(one_line(l.country or "", NAME) or NOT_STATED for l in record.locations))
    yield "intervention_type", record.intervention_types
    yield "sponsor_class", (record.sponsor_class or NOT_STATED,)
    yield AGE_FROM, (f"{record.youngest or 0:03d}",)
    yield AGE_TO, (f"{OLDEST if record.eldest is None else record.eldest:03d}",)


def origin_of(record: Record, given: str = REGISTRY) -> str:
    """Where a record comes from; one that says it was put together is never taken for the registry's."""
    from onstudy.registry.store import COMPILED

    return COMPILED if record.compiled else given
