"""A record made ready to be written: read, packed, and taken apart into what the tables of a store hold.

Nothing here knows the store, so records can be made ready in other processes (`beside.py`). What the store alone
knows, the numbers of trials and places, is put in by `writing.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import compress

import msgspec

from onstudy.registry import bits
from onstudy.registry.record import NAME, OLDEST, WORD, Record, Refused, read_record, read_site
from onstudy.registry.sitelist import dump_names, dump_statuses
from onstudy.registry.status import UNKNOWN, hopeful, standing_of
from onstudy.registry.v2 import Location, Point

NOT_STATED = "NOT_STATED"
#: Facets that are shown with counts.
SHOWN_FACETS = ("status", "phase", "type", "age_group", "sex", "country", "intervention_type", "sponsor_class")
#: Sets that are used and not shown.
ALL, STANDING, AGE_FROM, AGE_TO, HOPEFUL = "all", "standing", "age_from", "age_to", "hopeful"
#: Trials with a site that has coordinates; under "hopeful" those where one of them is or may be open.
PLACED = "placed"
#: Trials with a site (a hopeful one) that has no coordinates, by the country it names.
UNPLACED, UNPLACED_HOPEFUL = "unplaced", "unplaced_hopeful"

Place = tuple[str, str, str, float | None, float | None]  # city, state, country, degrees
Facet = tuple[str, str]
_Key = tuple[str | None, str | None, str | None, float | None, float | None]  # a place as a record writes it


class Ready(msgspec.Struct, array_like=True, tag=True, gc=False):
    """One trial, ready to be written.

    `row` are the texts of its row from title to version. Places are numbers that the `Maker` gave them; `met` are
    those it meets for the first time, in the order of their numbers. `at` is the place of each site, `listed` those
    with coordinates, `hopes` those of them where somebody may be enrolled. `packed` is empty where packing was not
    asked for.
    """

    nct_id: str
    updated: str
    version: str
    compiled: bool
    digest: bytes
    packed: bytes
    row: tuple[str, ...]
    words: tuple[str, ...]
    facets: tuple[Facet, ...]
    met: list[Place]
    at: bytes
    listed: bytes
    hopes: bytes
    statuses: bytes
    names: bytes
    problems: list[tuple[str, str]]  # what, where


class NoRecord(msgspec.Struct, array_like=True, tag=True, gc=False):
    """What is no record, and why."""

    why: str


class Maker:
    """Makes records ready, one after the other."""

    def __init__(self, packed: Callable[[bytes | msgspec.Raw], bytes] | None) -> None:
        """`packed` packs the JSON of each; without it none is."""
        self._packed = packed
        self._numbers: dict[_Key, int] = {}
        self._places: list[Place] = []
        self._unplaced: set[int] = set()  # those without coordinates
        self._told = 0

    def make(self, raw: bytes | msgspec.Raw, where: str) -> Ready | NoRecord:
        """Read one study."""
        try:
            record = read_record(raw, where)
        except Refused as error:
            return NoRecord(str(error))
        odd: list[tuple[str, str]] = []
        at = self._at(record.locations, odd)
        names, statuses, codes = _texts(record.locations, odd)
        facets, listed, hopes = self._joined(record.status, at, statuses)
        problems = [(problem.what, problem.where) for problem in record.problems]
        problems += [(what, f"{where} {record.nct_id} {part}".strip()) for what, part in odd]
        met, self._told = self._places[self._told :], len(self._places)
        return Ready(
            nct_id=record.nct_id,
            updated=record.updated,
            version=record.version,
            compiled=record.compiled is not None,
            digest=digest_of(raw),
            packed=self._packed(raw) if self._packed else b"",
            row=(
                record.title, record.status, record.stated, record.last_known, record.last_stated,
                record.sites_stated, record.phase, record.sponsor, record.updated, record.version,
            ),
            words=words_of(record),
            facets=(*((name, value) for name, values in facets_of(record) for value in values), *facets),
            met=met,
            at=bits.dump_ids(at),
            listed=bits.dump_ids(listed),
            hopes=bits.dump_ids(hopes),
            statuses=dump_statuses(statuses),
            names=dump_names(names, codes),
            problems=problems,
        )  # fmt: skip

    def _at(self, locations: list[Location], odd: list[tuple[str, str]]) -> list[int]:
        """The place of each site. Each line counts: there are millions of sites."""
        keys = [
            (one.city, one.state, one.country, point.lat, point.lon)
            if (point := one.geoPoint) is not None
            else (one.city, one.state, one.country, None, None)
            for one in locations
        ]
        known = self._numbers.get
        at = [known(key, -1) for key in keys]
        if -1 in at:
            strange = {key: self._number(key, odd) for key in dict.fromkeys(keys) if known(key) is None}
            at = [strange[key] if number < 0 else number for key, number in zip(keys, at, strict=True)]
        return at

    def _number(self, key: _Key, odd: list[tuple[str, str]]) -> int:
        """The number of a place that is not known yet; one that is odd is looked at, and told, in each record."""
        city, state, country, lat, lon = key
        point = None if lat is None and lon is None else Point(lat, lon)
        place = Location(city=city, state=state, country=country, geoPoint=point)
        wrong: list[tuple[str, str]] = []
        site = read_site(place, lambda what, part: wrong.append((what, part)))
        self._places.append((site.city, site.state, site.country, site.lat, site.lon))
        number = len(self._places) - 1
        if site.lat is None:
            self._unplaced.add(number)
        if not wrong:
            self._numbers[key] = number
        odd += wrong
        return number

    def _joined(self, study: str, at: list[int], statuses: list[str]) -> tuple[list[Facet], set[int], set[int]]:
        """The sets a trial belongs to by its sites' places and statuses; the places it lists, and may enrol at."""
        known = {status: hopeful(study, status) for status in set(statuses)}
        everywhere, hopes = set(at), set(compress(at, map(known.__getitem__, statuses)))
        listed, near = everywhere - self._unplaced, hopes - self._unplaced
        countries = {self._places[number][2] for number in everywhere}
        facets = [("country", country or NOT_STATED) for country in countries]
        facets += [(UNPLACED, self._places[number][2]) for number in everywhere - listed]
        facets += [(UNPLACED_HOPEFUL, self._places[number][2]) for number in hopes - near]
        facets += [(HOPEFUL, "")] * bool(hopes) + [(PLACED, "")] * bool(listed) + [(PLACED, "hopeful")] * bool(near)
        return sorted(set(facets)), listed, near


class Met:
    """The places a `Maker` has met, by the numbers it gave them, with their numbers in the store once they have one."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.stored: list[int] = []

    def add(self, places: list[Place]) -> None:
        """Take in those it met for the first time."""
        self.places += places
        self.stored += [0] * len(places)


def _texts(locations: list[Location], odd: list[tuple[str, str]]) -> tuple[list[str], list[str], list[str]]:
    """Name, status and ZIP code of each site."""
    return (
        _short([one.facility or "" for one in locations], NAME, "facility", odd),
        _short([one.status or UNKNOWN for one in locations], WORD, "status", odd),
        _short([one.zip or "" for one in locations], WORD, "zip", odd),
    )


def _short(texts: list[str], most: int, part: str, odd: list[tuple[str, str]]) -> list[str]:
    if not texts or max(map(len, texts)) <= most:
        return texts
    odd += [(f"has {len(text)} characters; the first {most} are used", part) for text in texts if len(text) > most]
    return [text[:most] for text in texts]


_VERSION_KEY = b'"versionHolder"'


def digest_of(raw: bytes | msgspec.Raw) -> bytes:
    """A checksum of a record's JSON but for the date of the data."""
    text = bytes(raw).strip()
    start = text.rfind(_VERSION_KEY)
    first = text.find(b'"', start + len(_VERSION_KEY)) + 1 if start >= 0 else 0
    last = text.find(b'"', first) if first else -1
    if last < 0:
        return blake2b(text, digest_size=16).digest()
    found, whole = blake2b(digest_size=16), memoryview(text)
    found.update(whole[:first])
    found.update(whole[last:])
    return found.digest()


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
