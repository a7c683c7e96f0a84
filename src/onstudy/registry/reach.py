"""Distances of many sites at once, as arrays: of all places roughly, of those that may be nearest to the last digit.

Loading numpy takes a tenth of a second, so only a search that has an origin loads this.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from math import inf, isnan, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onstudy.registry.geography import Origin, miles
from onstudy.registry.sitelist import Sites

_Numbers = NDArray[np.float64]
#: Distances on the unit sphere that differ by no more than this (two feet on the earth) are compared by `miles`.
_MARGIN = 1e-7


class Atlas:
    """Where the places of one state of a store lie, by their numbers; not a number where nobody knows."""

    def __init__(self, db: sqlite3.Connection) -> None:
        (most,) = db.execute("SELECT max(id) FROM place").fetchone()
        self.lat = array("d", [nan]) * ((most or 0) + 1)
        self.lon = self.lat[:]
        for id, lat, lon in db.execute("SELECT id, lat, lon FROM place WHERE lat IS NOT NULL"):
            self.lat[id], self.lon[id] = lat, lon
        self._points = _points(np.array(self.lat), np.array(self.lon))

    def squares(self, origin: Origin) -> _Numbers:
        """The square of the straight line from an origin to each place, on the unit sphere; infinite if unknown."""
        here = _points(np.array([origin.lat]), np.array([origin.lon]))
        found: _Numbers = ((self._points - here) ** 2).sum(axis=0)
        return np.nan_to_num(found, nan=inf)


def _points(lat: _Numbers, lon: _Numbers) -> _Numbers:
    """Points in degrees as x, y, z on the unit sphere."""
    lat, lon = np.radians(lat), np.radians(lon)
    return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))


class Reach:
    """How far sites are from one origin."""

    def __init__(self, atlas: Atlas, origin: Origin) -> None:
        self._atlas, self._origin = atlas, origin
        self._squares = atlas.squares(origin)
        self._miles: dict[int, float] = {}

    def miles(self, place: int) -> float:
        """The distance of a place; infinite where nobody knows where it is."""
        found = self._miles.get(place)
        if found is None:
            lat, lon = self._atlas.lat[place], self._atlas.lon[place]
            found = inf if isnan(lat) else miles(self._origin.lat, self._origin.lon, lat, lon)
            self._miles[place] = found
        return found

    def nearest(self, sites: Sites, taking: Sequence[bool]) -> tuple[float, list[int]]:
        """The distance of the nearest site and all sites at that distance, of those whose kind is taken, else of all.

        A trial may have a thousand sites, and a page twenty such trials.
        """
        squares, numbers = self._squares[np.frombuffer(sites.places, np.uint32)], None
        if not all(taking):
            some = np.flatnonzero(np.array(taking)[np.frombuffer(sites.kinds, np.uint16)])
            if some.size:
                squares, numbers = squares[some], some
        close = np.flatnonzero(squares <= (sqrt(squares.min()) + _MARGIN) ** 2)
        found: list[int] = (close if numbers is None else numbers[close]).tolist()
        far = [self.miles(sites.places[number]) for number in found]
        least = min(far)
        return least, [number for number, one in zip(found, far, strict=True) if one == least]


class Waiting:
    """A set of trials out of which those at one place after the other are taken."""

    def __init__(self, wanted: int, most: int) -> None:
        """`most` is above every trial that may be named."""
        data = np.frombuffer(wanted.to_bytes((most >> 3) + 1, "little"), np.uint8)
        self._left: NDArray[Any] = np.unpackbits(data, bitorder="little").view(np.bool_)
        self.count = wanted.bit_count()

    def take(self, packed: bytes) -> list[int]:
        """Those among the trials of a place, as they are stored."""
        ids = np.frombuffer(packed, "<u4")
        here = ids[self._left[ids]]
        self._left[here] = False
        self.count -= here.size
        found: list[int] = here.tolist()
        return found
