"""Trials by where their sites are: within a distance, in order of distance, and the site nearest to somebody.

"Such a site" is one that is or may be open (`status.hopeful`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from math import inf

from onstudy.registry import bits
from onstudy.registry.geography import (
    STATES,
    CityUnknown,
    Origin,
    boxes,
    centre,
    city_words,
    folded,
    miles,
    us_city,
    zip_origin,
)
from onstudy.registry.plain import one_line
from onstudy.registry.ready import PLACED, UNPLACED, UNPLACED_HOPEFUL
from onstudy.registry.record import NAME
from onstudy.registry.sitelist import Sites
from onstudy.registry.status import CLOSED, OPEN, Standing, openness, site_words
from onstudy.registry.store import Store, facet_bits


@dataclass(frozen=True, slots=True)
class Near:
    """A site with its distance in miles (None where it has no coordinates) and its status in words."""

    name: str
    city: str
    state: str
    country: str
    zip: str
    miles: float | None
    status: Standing
    openness: str
    words: str


_Place = tuple[str, str, str]  # city, state, country


class Surroundings:
    """What lies how far from one origin, within one state of the store."""

    def __init__(self, store: Store, db: sqlite3.Connection, origin: Origin) -> None:
        from onstudy.registry.reach import Atlas, Reach  # not at the top: it loads numpy

        self.store, self.db, self.origin = store, db, origin
        self._reach = Reach(store.keep(("atlas",), lambda: Atlas(db)), origin)
        self._names: dict[int, _Place] = store.keep(("places",), dict)  # shared by all searches of this state

    def within(self, radius: float, open_only: bool, most: int) -> int:
        """The trials with a site (one that is or may be open) within `radius` miles.

        Trials with such a site of the same country that has no coordinates stay among them: it may be near.
        """
        near = self._near(radius)
        column = "hopeful" if open_only else "listed"
        packed: list[bytes] = []
        for start in range(0, len(near), 500):
            part = near[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self.db.execute(f"SELECT {column} FROM place WHERE id IN ({marks})", part)
            packed += [ids for (ids,) in rows]
        found = set(bits.load_ids(b"".join(packed)))
        unplaced = UNPLACED_HOPEFUL if open_only else UNPLACED
        maybe = facet_bits(self.db, unplaced, self.origin.country) | facet_bits(self.db, unplaced, "")
        return bits.of(found, most) | maybe

    def ordered(self, bucket: int, need: int) -> list[int]:
        """The trials of a set, nearest first, at least the first `need`; last those whose distance nobody knows.

        Measured to the nearest site that is or may be open; of a trial without one, to its nearest site.
        """
        placed = bucket & facet_bits(self.db, PLACED, "")
        rank = self.store.newest().rank
        found = self._reach.nearest_first(placed, need, rank)
        if len(found) < need:
            found += sorted(bits.members(bucket & ~placed), key=rank.__getitem__)
        return found

    def nearest(
        self, study: Standing, said: Standing, sites: Sites, today: date, max_age: int, closed_too: bool = False
    ) -> Near | None:
        """The nearest site that is or may be open; where none is (or `closed_too`), the nearest of all; None of none.

        `said` carries the date of the sites' statuses. A site without coordinates comes after those with.
        """
        if not len(sites):
            return None
        standing = [Standing(status, said.stated, said.about) for status in sites.statuses]
        reads = [openness(study, one, today, max_age) for one in standing]
        # Not closed, then near, then open, then as listed.
        distance, equal = self._reach.nearest(sites, [closed_too or word != CLOSED for word in reads])
        first = next((number for number in equal if reads[sites.kinds[number]] == OPEN), equal[0])
        kind = sites.kinds[first]
        city, state, country = self._named(sites.places[first])
        return Near(
            one_line(sites.name(first), NAME), city, state, country, one_line(sites.zip(first), NAME),
            None if distance == inf else round(distance, 1), standing[kind], reads[kind],
            site_words(study, standing[kind], today, max_age),
        )  # fmt: skip

    def _named(self, place: int) -> _Place:
        """What a place is called."""
        if place not in self._names:
            sql = "SELECT city, state, country FROM place WHERE id = ?"
            self._names[place] = self.db.execute(sql, (place,)).fetchone()
        return self._names[place]

    def _near(self, radius: float) -> list[int]:
        """The places within so many miles."""
        found: set[int] = set()
        for box in boxes(self.origin, radius):
            rows = self.db.execute(
                "SELECT id FROM place_box WHERE north >= ? AND south <= ? AND east >= ? AND west <= ?",
                (box.south, box.north, box.west, box.east),
            )
            found.update(id for (id,) in rows)
        return self._reach.within(sorted(found), radius)


# Cities ------------------------------------------------------------------------------------------------

#: Sites of one name this near to each other are in one city, however its state is written.
_ONE_CITY = 60.0


def origin_of(store: Store, text: str) -> Origin:
    """Where distances are measured from: a ZIP code, which has digits, else a city. Raises as either does."""
    return zip_origin(text) if any(map(str.isdigit, text)) else city_origin(store, text)


def city_origin(store: Store, text: str) -> Origin:
    """The middle of a city: one with a site, anywhere, or any of the United States where a state is given.

    "Odense", "Springfield, IL", "springfield il", "Paris, France". Raises `CityUnknown`, naming the choices where there
    are several.
    """
    if not city_words(text)[0]:
        raise CityUnknown("no city was given")
    with store.snapshot() as db:
        rows = db.execute("SELECT city, state, country, lat, lon FROM place WHERE lat IS NOT NULL").fetchall()
    for city, where in _readings(text):
        found = _with_sites(rows, city, where) or (us_city(city, where[0]) if len(where) in (1, 2) else None)
        if found is not None:
            return found
    raise CityUnknown(
        f"no site lies in a city called {one_line(text, 60)!r}; write city and state (Bethesda, MD), or a ZIP code"
    )


_Row = tuple[str, str, str, float, float]
_COUNTRY_NAMES = {"us": "united states", "usa": "united states", "uk": "united kingdom"}
#: The most words a state or country has that is written after a city without a comma ("North Carolina").
_TAIL = 3


def _readings(text: str) -> Iterator[tuple[str, list[str]]]:
    """A city and what follows it; without a comma the last words may be the state or the country."""
    yield city_words(text)
    words = text[:200].split()
    if "," not in text:
        for cut in range(len(words) - 1, max(0, len(words) - 1 - _TAIL), -1):
            yield city_words(f"{' '.join(words[:cut])}, {' '.join(words[cut:])}")


def _with_sites(rows: list[_Row], city: str, where: list[str]) -> Origin | None:
    """The middle of the city of that name that has sites; None where none has."""
    clusters: list[list[_Row]] = []
    for row in sorted(row for row in rows if folded(row[0]) == city and _lies(row, where)):
        for cluster in clusters:
            if miles(cluster[0][3], cluster[0][4], row[3], row[4]) < _ONE_CITY:
                cluster.append(row)
                break
        else:
            clusters.append([row])
    if len(clusters) > 1:
        names = sorted(_name(cluster[0]) for cluster in clusters)
        raise CityUnknown(
            f"sites lie in {len(names)} cities of that name: {'; '.join(names[:8])}; name one, or give a ZIP code",
            tuple(names),
        )
    if not clusters:
        return None
    row = clusters[0][0]
    middle = centre((one[3], one[4]) for one in clusters[0])
    assert middle is not None
    return Origin(_name(row), row[2], *middle)


def _lies(row: _Row, where: list[str]) -> bool:
    own = {folded(row[1]), folded(STATES.get(row[1].upper(), row[1])), folded(row[2])}
    return all(_COUNTRY_NAMES.get(word, word) in own for word in where)


def _name(row: _Row) -> str:
    return ", ".join(text for text in (row[0], row[1], row[2]) if text)
