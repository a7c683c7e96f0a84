"""Writing trials into a store, all within one transaction: rows at once, sets and places when it is full.

A trial keeps its number for as long as the store lives, so a changed trial is taken out of the sets it was in
and put into those it is in now; nothing else is touched.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from onstudy.registry import bits
from onstudy.registry.ready import Facet, Met, Place, Ready
from onstudy.registry.store import said, say

#: Trials kept in mind before sets and places are written; bounds memory, not the transaction.
FULL = 50_000


class _Member(NamedTuple):
    """What one trial belongs to: sets, the places it lists, those of them where somebody may be enrolled."""

    facets: list[int]
    listed: list[int]
    hopes: list[int]


class Writer:
    """Puts trials into a store whose transaction is open; `finish` before it is committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._places: dict[Place, int] = {}
        self._facets: dict[Facet, int] = {}
        self._pending: dict[int, _Member] = {}
        self._before: dict[int, set[int]] = {}  # changed trials: the places they were at
        self._next = 1 + (db.execute("SELECT max(id) FROM study").fetchone()[0] or 0)
        self._next_place = 1 + (db.execute("SELECT max(id) FROM place").fetchone()[0] or 0)
        self._sites = int(said(db, "sites") or 0)

    def put(self, one: Ready, met: Met, origin: str, old_id: int | None) -> None:
        """Write one trial, whose places are in `met`; `old_id` is its number if it is in the store already."""
        id = self._next if old_id is None else old_id
        if old_id is None:
            self._next += 1
        else:
            self._take_out(old_id)
        at = met.places.numbers(one.at, self._place)
        execute = self._db.execute
        execute(
            "INSERT INTO study VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (id, one.nct_id, one.digest, origin, *one.row, bits.dump_ids(at), one.statuses, one.names),
        )
        execute("INSERT INTO original VALUES (?, ?)", (id, one.packed))
        execute(
            "INSERT INTO words (rowid, title, conditions, interventions, keywords, ids, summary, sponsor)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (id, *one.words),
        )
        self._sites += len(at)
        self._pending[id] = _Member(
            met.facets.numbers(one.facets, self._facet),
            met.places.numbers(one.listed, self._place),
            met.places.numbers(one.hopes, self._place),
        )
        if len(self._pending) >= FULL:
            self._write_sets()

    def _take_out(self, id: int) -> None:
        (packed,) = self._db.execute("SELECT places FROM study WHERE id = ?", (id,)).fetchone()
        places = bits.load_ids(packed)
        if id not in self._before and id not in self._pending:
            self._before[id] = set(places)
        elif id in self._pending:
            del self._pending[id]
        self._sites -= len(places)
        for table, column in (("study", "id"), ("original", "id"), ("words", "rowid")):
            self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (id,))

    def _facet(self, facet: Facet) -> int:
        """The number of a facet in this import, from 1."""
        return self._facets.setdefault(facet, len(self._facets) + 1)

    def _place(self, place: Place) -> int:
        """The number of a place met for the first time in this import."""
        if place in self._places:
            return self._places[place]
        found = self._db.execute(
            "SELECT id FROM place WHERE city = ? AND state = ? AND country = ? AND lat IS ? AND lon IS ?", place
        ).fetchone()
        if found is None:
            found = (self._next_place,)
            self._next_place += 1
            self._db.execute(
                "INSERT INTO place (id, city, state, country, lat, lon) VALUES (?,?,?,?,?,?)", (*found, *place)
            )
            lat, lon = place[3:]
            if lat is not None:
                self._db.execute("INSERT INTO place_box VALUES (?,?,?,?,?)", (*found, lat, lat, lon, lon))
        self._places[place] = int(found[0])
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
        added = _turned((id, member.facets) for id, member in self._pending.items())
        gone = bits.of(self._before, self._next)
        touched = {facet: added[number] for facet, number in self._facets.items() if number in added}
        if gone:
            touched = {(name, value): [] for name, value in self._db.execute("SELECT name, value FROM facet")} | touched
        for (name, value), ids in sorted(touched.items()):
            row = self._db.execute("SELECT bits FROM facet WHERE name = ? AND value = ?", (name, value)).fetchone()
            old = bits.load(row[0]) & ~gone if row else 0
            new = old | bits.of(ids, self._next)
            if new:
                self._db.execute("INSERT OR REPLACE INTO facet VALUES (?,?,?)", (name, value, bits.dump(new)))
            else:
                self._db.execute("DELETE FROM facet WHERE name = ? AND value = ?", (name, value))

    def _write_places(self) -> None:
        listed = _turned((id, member.listed) for id, member in self._pending.items())
        hopes = _turned((id, member.hopes) for id, member in self._pending.items())
        for place in sorted({*listed, *(place for places in self._before.values() for place in places)}):
            row = self._db.execute("SELECT listed, hopeful FROM place WHERE id = ?", (place,)).fetchone()
            both = [
                bits.dump_ids(
                    sorted({id for id in bits.load_ids(old) if id not in self._before} | set(new.get(place, ())))
                )
                for old, new in zip(row, (listed, hopes), strict=True)
            ]
            self._db.execute("UPDATE place SET listed = ?, hopeful = ? WHERE id = ?", (*both, place))


def _turned(members: Iterable[tuple[int, list[int]]]) -> dict[int, list[int]]:
    """For each thing the trials that have it, out of the things each trial has."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for id, things in members:
        for thing in things:
            found[thing].append(id)
    return found
