"""Arrays that every search by distance or by date needs, laid down whenever a store is written: making them takes long.

Of all trials the newest first; where each place lies; and the places each trial is measured to, which are those where
somebody may be enrolled, else wherever it has a site, of either only what has coordinates.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable
from itertools import chain
from math import inf

from onstudy.registry import bits

#: By trial number: where its places end among `MEASURED`, and how many trials are newer. By place number: degrees.
MEASURED, ENDS, NEWEST, RANK, LAT, LON = "measured", "ends", "newest", "rank", "lat", "lon"


def laid(db: sqlite3.Connection, name: str) -> bytes:
    """An array as it was laid down; empty where nothing was written yet."""
    row = db.execute("SELECT data FROM laid WHERE name = ?", (name,)).fetchone()
    return b"" if row is None else bytes(row[0])


def _lay(db: sqlite3.Connection, name: str, data: array[int] | array[float]) -> None:
    db.execute("INSERT OR REPLACE INTO laid VALUES (?, ?)", (name, bits.dump_array(data)))


def lay_newest(db: sqlite3.Connection) -> None:
    """All trials, the one that was updated last first, then by trial id; and by its number the place of each."""
    order = array("I", chain.from_iterable(db.execute("SELECT id FROM study ORDER BY updated DESC, nct_id")))
    rank = array("I", bytes(4 * (max(order, default=0) + 1)))
    for place, id in enumerate(order):
        rank[id] = place
    _lay(db, NEWEST, order)
    _lay(db, RANK, rank)


def lay_points(db: sqlite3.Connection) -> None:
    """Where each place lies, in degrees; infinite where nobody knows."""
    (most,) = db.execute("SELECT max(id) FROM place").fetchone()
    lat = array("d", [inf]) * ((most or 0) + 1)
    lon = lat[:]
    for id, *point in db.execute("SELECT id, lat, lon FROM place WHERE lat IS NOT NULL"):
        lat[id], lon[id] = point
    _lay(db, LAT, lat)
    _lay(db, LON, lon)


def lay_measured(db: sqlite3.Connection, changed: Iterable[tuple[int, array[int]]]) -> None:
    """The places trials are measured to, given those of the trials that are new or changed, in the order of trials."""
    old, ends = bits.load_ids(laid(db, MEASURED)), bits.load_ids(laid(db, ENDS))
    places, cuts = array("I"), array("I")
    for trial, theirs in chain(changed, [(len(ends), None)]):
        first, beyond = len(cuts), min(trial, len(ends))
        if first < beyond:
            start = ends[first - 1] if first else 0
            further = len(places) - start
            places.extend(old[start : ends[beyond - 1]])
            cuts.extend(end + further for end in ends[first:beyond])
        if theirs is not None:
            cuts.extend([len(places)] * (trial - len(cuts)))  # numbers that no trial has
            places.extend(theirs)
            cuts.append(len(places))
    _lay(db, MEASURED, places)
    _lay(db, ENDS, cuts)
