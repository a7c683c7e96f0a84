"""Writing trials into a store, all within one transaction: rows at once, sets and places when it is full.

A trial keeps its number for as long as the store lives, so a changed trial is taken out of the sets it was in
and put into those it is in now; nothing else is touched.
"""

from __future__ import annotations

import sqlite3
from array import array

from onstudy.registry import bits
from onstudy.registry.gathered import Gathered
from onstudy.registry.laid import lay_measured, lay_newest, lay_points
from onstudy.registry.ready import Facet, Met, Place, Ready
from onstudy.registry.store import said, say

_NONE = array("I")
#: Trials kept in mind before sets and places are written; bounds memory, not the transaction.
FULL = 50_000


class Writer:
    """Puts trials into a store whose transaction is open; `finish` before it is committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._places: dict[Place, int] = {}
        self._facets: dict[Facet, int] = {}
        self._begin()
        self._measured = Gathered()  # of all trials of this import, the places each is measured to (`laid.py`)
        self._next = 1 + (db.execute("SELECT max(id) FROM study").fetchone()[0] or 0)
        self._next_place = 1 + (db.execute("SELECT max(id) FROM place").fetchone()[0] or 0)
        self._sites = int(said(db, "sites") or 0)

    def _begin(self) -> None:
        """Nothing is kept in mind."""
        self._pending: set[int] = set()
        self._before: dict[int, set[int]] = {}  # changed trials: the places they were at
        # Of the trials of this import: sets, the places they list, those of them where somebody may be enrolled.
        self._in, self._listed, self._hopes = Gathered(), Gathered(), Gathered()

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
            (id, one.nct_id, one.digest, origin, *one.row, bits.dump_array(at), one.statuses, one.names),
        )
        execute("INSERT INTO original VALUES (?, ?)", (id, one.packed))
        execute(
            "INSERT INTO words (rowid, title, conditions, interventions, keywords, ids, summary, sponsor)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (id, *one.words),
        )
        self._sites += len(at)
        self._pending.add(id)
        self._in.put(id, met.facets.numbers(one.facets, self._facet))
        listed = met.places.numbers(one.listed, self._place)
        hopes = listed if one.hopes == one.listed else met.places.numbers(one.hopes, self._place)
        self._listed.put(id, listed)
        self._hopes.put(id, hopes)
        self._measured.put(id, array("I", sorted(hopes or listed)))
        if len(self._pending) >= FULL:
            self._write_sets()

    def _take_out(self, id: int) -> None:
        (packed,) = self._db.execute("SELECT places FROM study WHERE id = ?", (id,)).fetchone()
        places = bits.load_ids(packed)
        if id not in self._before and id not in self._pending:
            self._before[id] = set(places)
        elif id in self._pending:
            self._pending.remove(id)
            for gathered in (self._in, self._listed, self._hopes):
                gathered.take_back(id)
        self._measured.take_back(id)
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
        if self._measured:
            lay_newest(self._db)
            lay_points(self._db)
            lay_measured(self._db, self._measured)
        say(self._db, "sites", str(self._sites))

    def _write_sets(self) -> None:
        self._write_facets()
        self._write_places()
        self._begin()

    def _write_facets(self) -> None:
        added = self._in.turned()
        gone = bits.of(self._before, self._next)
        touched = {facet: added[number] for facet, number in self._facets.items() if number in added}
        if gone:
            touched = dict.fromkeys(self._db.execute("SELECT name, value FROM facet"), _NONE) | touched
        for (name, value), ids in sorted(touched.items()):
            row = self._db.execute("SELECT bits FROM facet WHERE name = ? AND value = ?", (name, value)).fetchone()
            old = bits.load(row[0]) & ~gone if row else 0
            new = old | bits.of(ids, self._next)
            if new:
                self._db.execute("INSERT OR REPLACE INTO facet VALUES (?,?,?)", (name, value, bits.dump(new)))
            else:
                self._db.execute("DELETE FROM facet WHERE name = ? AND value = ?", (name, value))

    def _write_places(self) -> None:
        listed, hopes = self._listed.turned(), self._hopes.turned()
        for place in sorted({*listed, *(place for places in self._before.values() for place in places)}):
            row = self._db.execute("SELECT listed, hopeful FROM place WHERE id = ?", (place,)).fetchone()
            both = [self._joined(old, new.get(place, _NONE)) for old, new in zip(row, (listed, hopes), strict=True)]
            self._db.execute("UPDATE place SET listed = ?, hopeful = ? WHERE id = ?", (*both, place))

    def _joined(self, old: bytes, new: array[int]) -> bytes:
        """The trials of a place: those that were there and did not change, and those of this import."""
        if not old:
            return bits.dump_array(new)
        return bits.dump_ids(sorted({id for id in bits.load_ids(old) if id not in self._before}.union(new)))
