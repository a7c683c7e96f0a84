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
from onstudy.registry.record import NAME, OLDEST, WORD, Record, read_site
from onstudy.registry.status import UNKNOWN, hopeful, standing_of
from onstudy.registry.store import COMPILED, REGISTRY, said, say
from onstudy.registry.v2 import Location, Note

#: Trials kept in mind before sets and places are written; bounds memory, not the transaction.
FULL = 50_000
NOT_STATED = "NOT_STATED"
#: Facets that are shown with counts.
SHOWN_FACETS = ("status", "phase", "type", "age_group", "sex", "country", "intervention_type", "sponsor_class")
#: Sets that are used and not shown.
ALL, STANDING, AGE_FROM, AGE_TO, HOPEFUL = "all", "standing", "age_from", "age_to", "hopeful"
#: Trials with a site that has coordinates; under "hopeful" those where one of them is or may be open.
PLACED = "placed"
#: Trials with a site (a hopeful one) that has no coordinates, by the country it names.
UNPLACED, UNPLACED_HOPEFUL = "unplaced", "unplaced_hopeful"

_PlaceKey = tuple[str | None, str | None, str | None, float | None, float | None]
_FacetKey = tuple[str, str]


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
        self._places: dict[_PlaceKey, int] = {}
        self._about: dict[int, tuple[str, bool]] = {}  # of a place: its country, whether it has coordinates
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
            "INSERT INTO study VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                id, record.nct_id, digest, origin, record.title, record.status, record.stated, record.last_known,
                record.last_stated, record.sites_stated, record.phase, record.sponsor, record.updated, record.version,
                sites,
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
        """The sites, packed; and what the trial belongs to by them. Each line counts: there are millions of sites."""
        known = self._places.get
        keys = [
            (one.city, one.state, one.country, point.lat, point.lon)
            if (point := one.geoPoint) is not None
            else (one.city, one.state, one.country, None, None)
            for one in record.locations
        ]
        places = [
            known(key) or self._new_place(key, one, note) for key, one in zip(keys, record.locations, strict=True)
        ]
        rows = [
            (one.facility or "", one.status or UNKNOWN, one.zip or "", place)
            for one, place in zip(record.locations, places, strict=True)
        ]
        if [row for row in rows if len(row[0]) > NAME or len(row[1]) > WORD or len(row[2]) > WORD]:
            rows = [(*_shortened(*row[:3], note), row[3]) for row in rows]
        self._join(record.status, member, {(row[3], row[1]) for row in rows})
        return msgspec.msgpack.encode(rows)

    def _join(self, status: str, member: _Member, seen: set[tuple[int, str]]) -> None:
        hopes = {site: hopeful(status, site) for site in {site for _, site in seen}}
        facets: set[_FacetKey] = set()
        for place, site in seen:
            country, placed = self._about[place]
            facets.add(("country", country or NOT_STATED))
            if hopes[site]:
                facets.add((HOPEFUL, ""))
            if placed:
                member.listed.add(place)
                if hopes[site]:
                    member.hopeful.add(place)
            else:
                facets.add((UNPLACED, country))
                if hopes[site]:
                    facets.add((UNPLACED_HOPEFUL, country))
        facets.update((PLACED, value) for value, some in (("", member.listed), ("hopeful", member.hopeful)) if some)
        member.facets += [self._kept.setdefault(key, key) for key in facets]

    def _new_place(self, key: _PlaceKey, location: Location, note: Note) -> int:
        """The number of a place met for the first time in this import."""
        wrong: list[tuple[str, str]] = []
        site = read_site(location, lambda what, part: wrong.append((what, part)))
        wrong = [(what, part) for what, part in wrong if part in ("city", "state", "country", "geoPoint")]
        for what, part in wrong:
            note(what, part)
        texts = (site.city, site.state, site.country, site.lat, site.lon)
        found = self._db.execute(
            "SELECT id FROM place WHERE city = ? AND state = ? AND country = ? AND lat IS ? AND lon IS ?", texts
        ).fetchone()
        if found is None:
            found = (self._next_place,)
            self._next_place += 1
            self._db.execute(
                "INSERT INTO place (id, city, state, country, lat, lon) VALUES (?,?,?,?,?,?)", (*found, *texts)
            )
            if site.lat is not None:
                box = (*found, site.lat, site.lat, site.lon, site.lon)
                self._db.execute("INSERT INTO place_box VALUES (?,?,?,?,?)", box)
        self._about[found[0]] = (site.country, site.lat is not None)
        if not wrong:  # a faulty one is looked at, and reported, each time it occurs
            self._places[key] = found[0]
        return int(found[0])

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


def _shortened(name: str, status: str, code: str, note: Note) -> tuple[str, str, str]:
    for text, most, part in ((name, NAME, "facility"), (status, WORD, "status"), (code, WORD, "zip")):
        if len(text) > most:
            note(f"has {len(text)} characters; the first {most} are used", part)
    return name[:NAME], status[:WORD], code[:WORD]


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
    yield "intervention_type", record.intervention_types
    yield "sponsor_class", (record.sponsor_class or NOT_STATED,)
    yield AGE_FROM, (f"{record.youngest or 0:03d}",)
    yield AGE_TO, (f"{OLDEST if record.eldest is None else record.eldest:03d}",)


def origin_of(record: Record, given: str = REGISTRY) -> str:
    """Where a record comes from; one that says it was put together is never taken for the registry's."""
    return COMPILED if record.compiled else given
