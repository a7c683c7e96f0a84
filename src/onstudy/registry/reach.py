"""Distances of many sites at once, as arrays: of all places roughly, of those that may be nearest to the last digit.

Loading numpy takes a tenth of a second, so only a search that has an origin loads this.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from math import inf, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from onstudy.registry import bits
from onstudy.registry.geography import EARTH, FARTHEST, Origin, miles
from onstudy.registry.laid import ENDS, LAT, LON, MEASURED, laid
from onstudy.registry.sitelist import Sites

_Numbers = NDArray[np.float64]
_Ids = NDArray[np.uint32]
#: Distances on the unit sphere that differ by no more than this (two feet on the earth) are compared by `miles`.
_MARGIN = 1e-7


class Atlas:
    """Where the places of one state of a store lie, by their numbers, and which trials are measured to which."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.lat, self.lon = bits.load_floats(laid(db, LAT)), bits.load_floats(laid(db, LON))
        known = np.isfinite(self.lat)
        self._points = np.full((3, len(known)), inf)
        self._points[:, known] = _points(np.array(self.lat)[known], np.array(self.lon)[known])
        self.places: _Ids = np.frombuffer(laid(db, MEASURED), "<u4")
        self.ends = np.frombuffer(laid(db, ENDS), "<u4").astype(np.intp)

    def squares(self, origin: Origin) -> _Numbers:
        """The square of the straight line from an origin to each place, on the unit sphere; infinite if unknown."""
        here = _points(np.array([origin.lat]), np.array([origin.lon]))
        found: _Numbers = ((self._points - here) ** 2).sum(axis=0)
        return found


def _points(lat: _Numbers, lon: _Numbers) -> _Numbers:
    """Points in degrees as x, y, z on the unit sphere."""
    lat, lon = np.radians(lat), np.radians(lon)
    return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))


class Reach:
    """How far places are from one origin."""

    def __init__(self, atlas: Atlas, origin: Origin) -> None:
        self._atlas, self._origin = atlas, origin
        self._squares = atlas.squares(origin)
        self._miles: dict[int, float] = {}

    def miles(self, place: int) -> float:
        """The distance of a place; infinite where nobody knows where it is."""
        found = self._miles.get(place)
        if found is None:
            lat, lon = self._atlas.lat[place], self._atlas.lon[place]
            found = inf if lat == inf else miles(self._origin.lat, self._origin.lon, lat, lon)
            self._miles[place] = found
        return found

    def within(self, places: Sequence[int], radius: float) -> list[int]:
        """Those of some places that lie within so many miles."""
        some = np.array(places, np.intp)
        found: list[int] = some[self._squares[some] <= (2 * sin(min(radius, FARTHEST) / EARTH / 2)) ** 2].tolist()
        return found

    def nearest_first(self, bucket: int, need: int, rank: array[int]) -> list[int]:
        """The first `need` of a set of trials, at least, nearest first, at the same distance by rank.

        Each has a site with coordinates; `Atlas` says to which of them its distance is measured.
        """
        if not bucket:
            return []
        data = np.frombuffer(bucket.to_bytes((bucket.bit_length() + 7) >> 3, "little"), np.uint8)
        trials = np.flatnonzero(np.unpackbits(data, bitorder="little"))
        far = self._nearest_squares(trials)
        if len(trials) > need:
            first = np.flatnonzero(far <= np.partition(far, need - 1)[need - 1])
            trials, far = trials[first], far[first]
        found: list[int] = trials[np.lexsort((np.frombuffer(rank, np.uint32)[trials], far))].tolist()
        return found

    def _nearest_squares(self, trials: NDArray[np.intp]) -> _Numbers:
        """The square of the distance of each of some trials."""
        ends = self._atlas.ends[trials]
        counts = ends - self._atlas.ends[trials - 1]
        after = np.cumsum(counts)  # their places are put side by side, those of each trial ending here
        at = np.repeat(ends - after, counts) + np.arange(after[-1])
        found: _Numbers = np.minimum.reduceat(self._squares[self._atlas.places[at]], after - counts)
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
