"""Sites on a small map: two projections, and marks that stand for the sites of one neighbourhood.

The outlines under the marks are drawn by `scripts/vendor_web.py` with these same projections.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import asin, cos, pi, radians, sin, sqrt
from typing import NamedTuple

from onstudy.registry.places import Place
from onstudy.registry.status import ASK, CLOSED, OPEN

#: Width and height of the maps, in their own units.
US_SIZE, WORLD_SIZE = (960.0, 600.0), (960.0, 420.0)
US, WORLD = "us", "world"
#: Sites nearer than this to each other on the map are one mark.
_NEAR = 9.0
#: The most a map of the world is enlarged, as its outlines are coarse.
_CLOSEST = 5.0


@dataclass(frozen=True, slots=True)
class _Conic:
    """Albers' equal-area conic projection (Snyder, Map Projections, USGS 1987, p. 100) around one meridian.

    Parallels, meridian and middle in degrees; the middle of it lies at x, y on the map.
    """

    first: float
    second: float
    meridian: float
    middle: tuple[float, float]
    scale: float
    x: float
    y: float

    def __call__(self, lat: float, lon: float) -> tuple[float, float]:
        x, y = self._raw(lat, lon)
        mid_x, mid_y = self._raw(*self.middle)
        return self.x + self.scale * (x - mid_x), self.y - self.scale * (y - mid_y)

    def _raw(self, lat: float, lon: float) -> tuple[float, float]:
        one, two = sin(radians(self.first)), sin(radians(self.second))
        n = (one + two) / 2
        c = 1 + one * (2 * n - one)
        r = sqrt(max(0.0, c - 2 * n * sin(radians(lat)))) / n
        turn = (lon - self.meridian + 540) % 360 - 180
        return r * sin(radians(turn) * n), sqrt(c) / n - r * cos(radians(turn) * n)


_STATES = _Conic(29.5, 45.5, -96, (38.7, -96.6), 1240, 480, 290)
_ALASKA = _Conic(55, 65, -154, (58.5, -156.0), 400, 118, 530)
_HAWAII = _Conic(8, 18, -157, (20.4, -157.5), 1240, 282, 560)
_PUERTO_RICO = _Conic(8, 18, -66, (18.2, -66.4), 1240, 905, 560)


@lru_cache(maxsize=1 << 14)
def on_us_map(lat: float, lon: float) -> tuple[float, float] | None:
    """Where a point of the United States lies on their map; None elsewhere. Alaska, Hawaii, Puerto Rico are insets."""
    if 24 <= lat <= 50 and -126 <= lon <= -66:
        return _STATES(lat, lon)
    if 51 <= lat <= 72 and (lon <= -129 or lon >= 172):
        return _ALASKA(lat, lon)
    if 18 <= lat <= 23 and -161 <= lon <= -154:
        return _HAWAII(lat, lon)
    if 17 <= lat <= 19 and -68 <= lon <= -64:
        return _PUERTO_RICO(lat, lon)
    return None


@lru_cache(maxsize=1 << 14)
def on_world_map(lat: float, lon: float) -> tuple[float, float]:
    """Where a point lies on the world's map: Equal Earth (Savric, Patterson, Jenny 2018), Antarctica cut off."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    t = asin(sqrt(3) / 2 * sin(radians(max(lat, -60.0))))
    x = 2 * sqrt(3) * radians(lon) * cos(t) / (3 * (9 * a4 * t**8 + 7 * a3 * t**6 + 3 * a2 * t**2 + a1))
    y = a4 * t**9 + a3 * t**7 + a2 * t**3 + a1 * t
    widest = 2 * sqrt(3) * pi / (3 * a1)
    return WORLD_SIZE[0] / 2 * (1 + x / widest), 238.0 - WORLD_SIZE[0] / 2 * y / widest


class Mark(NamedTuple):
    """Sites of one neighbourhood: how many, and the best that can be said of one of them."""

    x: float
    y: float
    sites: int
    openness: str

    @property
    def radius(self) -> float:
        """In units of the map; the area goes with the number of sites."""
        return min(3.5 * sqrt(self.sites), 14.0)


@dataclass(frozen=True, slots=True)
class Chart:
    """A map: which one, the part of it that is shown (x, y, width, height), marks, sites without a point.

    `enlarged` is how many times the world's map is enlarged, so that marks can be drawn the same size.
    """

    base: str
    view: tuple[float, float, float, float]
    enlarged: float
    marks: tuple[Mark, ...]
    unplaced: int

    def point(self, lat: float, lon: float) -> tuple[float, float] | None:
        """Where a place lies on this map; None where it lies outside the part that is shown."""
        found = on_us_map(lat, lon) if self.base == US else on_world_map(lat, lon)
        if found is None:
            return None
        left, top, width, height = self.view
        return found if left <= found[0] <= left + width and top <= found[1] <= top + height else None


def chart_of(places: Iterable[Place]) -> Chart | None:
    """The map of some sites; None where no site has coordinates."""
    all_of_them = list(places)
    points = [(one, one.lat, one.lon) for one in all_of_them if one.lat is not None and one.lon is not None]
    if not points:
        return None
    unplaced = len(all_of_them) - len(points)
    at_home = [(one, on_us_map(lat, lon)) for one, lat, lon in points]
    known = [(one, point) for one, point in at_home if point is not None]
    if len(known) == len(points):
        return Chart(US, (0, 0, *US_SIZE), 1.0, _marks(known, 1.0), unplaced)
    spread = [(one, on_world_map(lat, lon)) for one, lat, lon in points]
    view, enlarged = _view([point for _, point in spread])
    return Chart(WORLD, view, enlarged, _marks(spread, enlarged), unplaced)


_BEST = {OPEN: 0, ASK: 1, CLOSED: 2}


def _marks(points: list[tuple[Place, tuple[float, float]]], enlarged: float) -> tuple[Mark, ...]:
    """Sites in cells of a grid; the mark lies in the middle of its sites. The largest are drawn first."""
    cells: dict[tuple[int, int], list[tuple[Place, tuple[float, float]]]] = {}
    size = _NEAR / enlarged
    for one, (x, y) in points:
        cells.setdefault((int(x // size), int(y // size)), []).append((one, (x, y)))
    found = [
        Mark(
            round(sum(x for _, (x, _) in some) / len(some), 1),
            round(sum(y for _, (_, y) in some) / len(some), 1),
            len(some),
            min((one.openness for one, _ in some), key=_BEST.__getitem__),
        )
        for some in cells.values()
    ]
    return tuple(sorted(found, key=lambda mark: (-mark.sites, mark.x, mark.y)))


def _view(points: list[tuple[float, float]]) -> tuple[tuple[float, float, float, float], float]:
    """The part of the world's map that holds the points with some room around, in the map's own shape."""
    width, height = WORLD_SIZE
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    north, south = min(y for _, y in points), max(y for _, y in points)
    enlarged = max(1.0, min(width / (east - west + 80), height / (south - north + 60), _CLOSEST))
    wide, high = width / enlarged, height / enlarged
    left = min(max((west + east - wide) / 2, 0.0), width - wide)
    top = min(max((north + south - high) / 2, 0.0), height - high)
    return (round(left, 1), round(top, 1), round(wide, 1), round(high, 1)), round(enlarged, 3)
