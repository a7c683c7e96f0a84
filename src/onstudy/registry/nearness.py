"""Trials by where their sites are: within a distance, in order of distance, and the site nearest to somebody.

"Such a site" is one that is or may be open (`status.hopeful`). Places are looked up outwards from the origin, so a
search near home never looks at the other side of the earth.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from onstudy.registry import bits
from onstudy.registry.geography import (
    FARTHEST,
    STATES,
    CityUnknown,
    Origin,
    boxes,
    centre,
    city_words,
    folded,
    miles,
    us_city,
)
from onstudy.registry.plain import one_line
from onstudy.registry.record import NAME
from onstudy.registry.status import CLOSED, OPEN, Standing, hopeful, openness, site_words
from onstudy.registry.store import Store, facet_bits, newest_first
from onstudy.registry.writing import PLACED, UNPLACED, UNPLACED_HOPEFUL, load_sites

_RINGS = (25.0, 75.0, 200.0, 600.0, 2000.0, 6000.0, FARTHEST + 1)
#: Up to so many trials are measured site by site; of more, places are asked for their trials.
_FEW = 30


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


_Place = tuple[str, str, str, float | None]  # city, state, country, miles


class Surroundings:
    """What lies how far from one origin, within one state of the store."""

    def __init__(self, db: sqlite3.Connection, origin: Origin) -> None:
        self.db, self.origin = db, origin
        self._places: dict[int, _Place] = {}

    def within(self, radius: float, open_only: bool, most: int) -> int:
        """The trials with a site (one that is or may be open) within `radius` miles.

        Trials with such a site of the same country that has no coordinates stay among them: it may be near.
        """
        near = [(id,) for _, id in self._ring(-1.0, radius)]
        column = "hopeful" if open_only else "listed"
        found: set[int] = set()
        for place in near:
            (packed,) = self.db.execute(f"SELECT {column} FROM place WHERE id = ?", place).fetchone()
            found.update(bits.load_ids(packed))
        unplaced = UNPLACED_HOPEFUL if open_only else UNPLACED
        maybe = facet_bits(self.db, unplaced, self.origin.country) | facet_bits(self.db, unplaced, "")
        return bits.of(found, most) | maybe

    def ordered(self, bucket: int, need: int) -> list[int]:
        """The trials of a set, nearest first, at least the first `need`; last those whose distance nobody knows.

        Measured to the nearest site that is or may be open; of a trial without one, to its nearest site.
        """
        placed = bucket & facet_bits(self.db, PLACED, "")
        if placed.bit_count() <= _FEW:
            reached = self._site_by_site(list(bits.members(placed)))
        else:
            reached = self._outwards(placed, need)
        found = self._by_distance(reached)
        if len(found) < need:
            found += newest_first(self.db, list(bits.members(bucket & ~placed)))
        return found

    def nearest(
        self, study: Standing, said: Standing, sites: list[tuple[str, str, str, int]], today: date, max_age: int
    ) -> Near | None:
        """The nearest site that is or may be open; where none is, the nearest of all; None of none.

        `said` carries the date of the sites' statuses. A site without coordinates comes after those with.
        """
        if not sites:
            return None
        standing = {status: Standing(status, said.stated, said.about) for status in {site[1] for site in sites}}
        reads = {status: openness(study, one, today, max_age) for status, one in standing.items()}
        self._load(site[3] for site in sites)
        far = [self._places[site[3]][3] for site in sites]
        keys = [
            (reads[site[1]] == CLOSED, one is None, one or 0.0, reads[site[1]] != OPEN, number)
            for number, (site, one) in enumerate(zip(sites, far, strict=True))
        ]
        name, status, code, place = sites[min(keys)[-1]]
        city, state, country, distance = self._places[place]
        return Near(
            one_line(name, NAME), city, state, country, one_line(code, NAME),
            None if distance is None else round(distance, 1), standing[status], reads[status],
            site_words(study, standing[status], today, max_age),
        )  # fmt: skip

    # Distances ------------------------------------------------------------------------------------------

    def _load(self, ids: Iterable[int]) -> None:
        """Know these places and how far they are."""
        some = sorted(set(ids) - self._places.keys())
        for start in range(0, len(some), 500):
            part = some[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self.db.execute(f"SELECT id, city, state, country, lat, lon FROM place WHERE id IN ({marks})", part)
            for id, city, state, country, lat, lon in rows:
                far = None if lat is None else miles(self.origin.lat, self.origin.lon, lat, lon)
                self._places[id] = (city, state, country, far)

    def _ring(self, inner: float, outer: float) -> list[tuple[float, int]]:
        """The places more than `inner` and at most `outer` miles away, nearest first."""
        lat, lon = self.origin.lat, self.origin.lon
        found: dict[int, float] = {}
        for box in boxes(self.origin, outer):
            rows = self.db.execute(
                "SELECT place.id, lat, lon FROM place_box JOIN place USING (id)"
                " WHERE north >= ? AND south <= ? AND east >= ? AND west <= ?",
                (box.south, box.north, box.west, box.east),
            )
            for id, place_lat, place_lon in rows:
                distance = miles(lat, lon, place_lat, place_lon)
                if inner < distance <= outer:
                    found[id] = distance
        return sorted((distance, id) for id, distance in found.items())

    def _outward(self) -> Iterator[tuple[float, int]]:
        """All places, nearest first."""
        inner = -1.0
        for outer in _RINGS:
            yield from self._ring(inner, outer)
            inner = outer

    def _outwards(self, bucket: int, need: int) -> dict[int, float]:
        """The distance of the first `need` trials and of all that are as near as the last of them."""
        hopes = bucket & facet_bits(self.db, PLACED, "hopeful")
        hoping, others = set(bits.members(hopes)), set(bits.members(bucket & ~hopes))
        reached: dict[int, float] = {}
        last = 0.0
        for distance, place in self._outward():
            if not (hoping or others) or (len(reached) >= need and distance > last):
                break
            row = self.db.execute("SELECT hopeful, listed FROM place WHERE id = ?", (place,)).fetchone()
            for waiting, packed in zip((hoping, others), row, strict=True):
                here = waiting.intersection(bits.load_ids(packed)) if waiting else ()
                if here:
                    last = distance
                    waiting.difference_update(here)
                    reached.update(dict.fromkeys(here, distance))
        return reached

    def _site_by_site(self, ids: list[int]) -> dict[int, float]:
        """The distance of each of some trials, all of which have a site with coordinates."""
        marks = ",".join("?" * len(ids))
        rows = self.db.execute(f"SELECT id, status, sites FROM study WHERE id IN ({marks})", ids).fetchall()
        sites = {id: (status, load_sites(packed)) for id, status, packed in rows}
        self._load(site[3] for _, some in sites.values() for site in some)
        return {id: self._nearest_distance(status, some) for id, (status, some) in sites.items()}

    def _nearest_distance(self, status: str, sites: list[tuple[str, str, str, int]]) -> float:
        hopes = {site for site in {one[1] for one in sites} if hopeful(status, site)}
        all_of_them = [(one[1] in hopes, self._places[one[3]][3]) for one in sites]
        known = [(hope, far) for hope, far in all_of_them if far is not None]
        return min([far for hope, far in known if hope] or [far for _, far in known])

    def _by_distance(self, reached: dict[int, float]) -> list[int]:
        """Nearest first; at the same distance the newest first, then by trial id."""
        newest = {id: place for place, id in enumerate(newest_first(self.db, list(reached)))}
        return sorted(reached, key=lambda id: (reached[id], newest[id]))


# Cities ------------------------------------------------------------------------------------------------

#: Sites of one name this near to each other are in one city, however its state is written.
_ONE_CITY = 60.0


def city_origin(store: Store, text: str) -> Origin:
    """The middle of a city: one with a site, anywhere, or any of the United States where a state is given.

    "Odense", "Springfield, IL", "Paris, France". Raises `CityUnknown`, naming the choices where there are several.
    """
    city, where = city_words(text)
    if not city:
        raise CityUnknown("no city was given")
    with store.snapshot() as db:
        rows = db.execute("SELECT city, state, country, lat, lon FROM place WHERE lat IS NOT NULL").fetchall()
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
        raise CityUnknown(f"there are {len(names)} cities of that name: {'; '.join(names[:8])}; name one of them")
    if clusters:
        row = clusters[0][0]
        middle = centre((one[3], one[4]) for one in clusters[0])
        assert middle is not None
        return Origin(_name(row), row[2], *middle)
    found = us_city(city, where[0]) if len(where) in (1, 2) else None
    if found is None:
        raise CityUnknown(
            f"no site lies in a city called {one_line(text, 60)!r}; write city and state (Bethesda, MD), or a ZIP code"
        )
    return found


_Row = tuple[str, str, str, float, float]
_COUNTRY_NAMES = {"us": "united states", "usa": "united states", "uk": "united kingdom"}


def _lies(row: _Row, where: list[str]) -> bool:
    own = {folded(row[1]), folded(STATES.get(row[1].upper(), row[1])), folded(row[2])}
    return all(_COUNTRY_NAMES.get(word, word) in own for word in where)


def _name(row: _Row) -> str:
    return ", ".join(text for text in (row[0], row[1], row[2]) if text)
