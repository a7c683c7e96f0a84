"""Where somebody is and how far that is: ZIP codes, distances in miles, boxes around a point.

A ZIP code stands for the middle of its area (of its city where nothing better is known), a site mostly for the middle
of its city: distances are as the crow flies and good to a few miles.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from math import asin, cos, degrees, pi, radians, sin, sqrt

import msgspec

from onstudy.errors import OnstudyError

#: Mean radius of the earth (IUGG), in miles.
EARTH = 6371.0088 / 1.609344
#: No two places are farther apart.
FARTHEST = pi * EARTH
UNITED_STATES = "United States"
#: The codes the United States Postal Service uses; the registry writes the names.
STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas",
    "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan",
    "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada",
    "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina",
    "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania",
    "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas",
    "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington", "WV": "West Virginia",
    "WI": "Wisconsin", "WY": "Wyoming", "PR": "Puerto Rico", "VI": "Virgin Islands (U.S.)", "GU": "Guam",
    "AS": "American Samoa", "MP": "Northern Mariana Islands",
}  # fmt: skip
#: Territories are countries of their own in the registry.
_TERRITORIES = ("PR", "VI", "GU", "AS", "MP")
_ZIP = re.compile(r"([0-9]{5})(?:-[0-9]{4})?")


class ZipMalformed(OnstudyError):
    """Text that is no ZIP code of the United States."""


class ZipUnknown(OnstudyError):
    """Five digits that no place has."""


class ZipOutsideCoverage(OnstudyError):
    """A ZIP code that exists and lies at no known place: military mail above all."""


class CityUnknown(OnstudyError):
    """A city nobody here knows, or a name that several cities bear; then `choices` has each, to be given instead."""

    def __init__(self, message: str, choices: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.choices = choices


@dataclass(frozen=True, slots=True)
class Origin:
    """The place distances are measured from; degrees, and how it is called."""

    name: str
    country: str
    lat: float
    lon: float


def miles(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """The great-circle distance of two points in degrees (haversine formula, spherical earth), in miles."""
    half_lat, half_lon = radians(other_lat - lat) / 2, radians(other_lon - lon) / 2
    chord = sin(half_lat) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(half_lon) ** 2
    return 2 * EARTH * asin(min(1.0, sqrt(chord)))


@dataclass(frozen=True, slots=True)
class Box:
    """South, north, west and east, in degrees; never across the date line."""

    south: float
    north: float
    west: float
    east: float


def boxes(origin: Origin, radius: float) -> list[Box]:
    """One or two boxes that hold every point within `radius` miles; two where the date line divides them."""
    reach = degrees(radius / EARTH) + 0.01  # rtree keeps single precision
    south, north = origin.lat - reach, origin.lat + reach
    if south <= -90 or north >= 90 or reach >= 90:
        return [Box(max(south, -90), min(north, 90), -180, 180)]
    wide = degrees(asin(min(1.0, sin(radians(reach)) / cos(radians(origin.lat))))) + 0.01
    west, east = origin.lon - wide, origin.lon + wide
    if west < -180:
        return [Box(south, north, -180, east), Box(south, north, west + 360, 180)]
    if east > 180:
        return [Box(south, north, west, 180), Box(south, north, -180, east - 360)]
    return [Box(south, north, west, east)]


def zip_origin(code: str) -> Origin:
    """The middle of a ZIP code's area.

    Raises `ZipMalformed`, `ZipUnknown` or `ZipOutsideCoverage`, each with what to do instead.
    """
    found = _ZIP.fullmatch(code.strip())
    if found is None:
        raise ZipMalformed(f"{code.strip()[:20]!r} is not a ZIP code; write five digits such as 20892, or name a city")
    return _zip_origin(found[1])


def state_of_zip(code: str) -> str:
    """The state a ZIP code lies in, as two letters; empty for what is no ZIP code there is."""
    found = _ZIP.fullmatch(code.strip())
    place = _zip(found[1]) if found else None
    return place.state if place else ""


class _Zip(msgspec.Struct, frozen=True, gc=False):
    """A ZIP code: its city and state, STANDARD, PO BOX, UNIQUE or MILITARY, and degrees, both 0 where nobody knows."""

    city: str
    state: str
    kind: str
    lat: float
    lon: float


def _zip(code: str) -> _Zip | None:
    return _beginning(code[:2]).get(code)


@cache
def _beginning(digits: str) -> dict[str, _Zip]:
    """All ZIP codes with these first digits: for each question the library looks through its whole table."""
    import zipcodes  # not at the top: its table takes most of a second to unpack when first asked

    return {one["zip_code"]: _read(one) for one in zipcodes.similar_to(digits)}  # type: ignore[no-untyped-call]


def _in_state(state: str) -> list[_Zip]:
    import zipcodes

    return [_read(one) for one in zipcodes.filter_by(state=state)]  # type: ignore[no-untyped-call]


def _read(one: dict[str, str]) -> _Zip:
    """An entry of the library, which gives degrees as text."""
    return _Zip(one["city"], one["state"], one["zip_code_type"], float(one["lat"] or 0), float(one["long"] or 0))


@lru_cache(maxsize=8192)
def _zip_origin(code: str) -> Origin:
    place = _zip(code)
    if place is None:
        raise ZipUnknown(f"there is no ZIP code {code}; check the digits, or name a city")
    lat, lon = place.lat, place.lon
    if (lat or lon) and place.kind not in ("STANDARD", "MILITARY"):
        lat, lon = _middle_of_city(place) or (lat, lon)
    if not lat and not lon:
        raise ZipOutsideCoverage(
            f"ZIP code {code} exists, but where it lies is not known here (military and ship mail); "
            "give the ZIP code or city where you live"
        )
    return Origin(f"{place.city}, {place.state} {code}", _country(place.state), lat, lon)


#: So many cities with one and the same point have the point of their county.
_SHARED = 3


def _middle_of_city(place: _Zip) -> tuple[float, float] | None:
    """The middle of a city, for a code of post boxes or of one large receiver whose own point is that of its county.

    The table knows no better point for some of them: 35294, the hospital of the university in Birmingham, lay 8 miles
    off. None where the code has a point of its own, or the city no other codes.
    """
    everywhere = _in_state(place.state)
    if len({one.city for one in everywhere if (one.lat, one.lon) == (place.lat, place.lon)}) < _SHARED:
        return None
    return _middle(one for one in everywhere if one.city == place.city and one.kind == "STANDARD")


def _middle(places: Iterable[_Zip]) -> tuple[float, float] | None:
    return centre((one.lat, one.lon) for one in places if one.lat or one.lon)


def _country(state: str) -> str:
    return STATES[state] if state in _TERRITORIES else UNITED_STATES


def folded(text: str) -> str:
    """A name as names are compared: small letters without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(letter for letter in apart if not unicodedata.combining(letter)).split())


def city_words(text: str) -> tuple[str, list[str]]:
    """A city and what was written after it, folded: "Springfield, IL" is springfield and [illinois]."""
    city, _, rest = text[:200].partition(",")
    words = [part.strip() for part in rest.split(",") if part.strip()]
    return folded(city), [folded(STATES.get(word.upper(), word)) for word in words]


def us_city(city: str, state: str) -> Origin | None:
    """The middle of the ZIP codes of a city of the United States, for cities without a site; None if unknown."""
    code = next((short for short, name in STATES.items() if folded(name) == state), "")
    found = [place for place in _in_state(code) if folded(place.city) == city] if code else []
    middle = _middle(found)
    return None if middle is None else Origin(f"{found[0].city}, {code}", _country(code), *middle)


def centre(points: Iterable[tuple[float, float]]) -> tuple[float, float] | None:
    """The middle of points that lie near each other, in degrees; None of none."""
    known = list(points)
    if not known:
        return None
    return sum(lat for lat, _ in known) / len(known), sum(lon for _, lon in known) / len(known)
