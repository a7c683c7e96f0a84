"""A record made ready to be written: read, packed, and taken apart into what the tables of a store hold.

Nothing here knows the store, so records can be made ready in other processes (`beside.py`). What the store alone
knows, the numbers of trials and places, is put in by `writing.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from itertools import compress

import msgspec

from onstudy.registry import bits
from onstudy.registry.digest import Same, digest_of, same_as_before
from onstudy.registry.numbering import Numbering, Stored
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

    `row` are the texts of its row from title to version. Facets and places are numbers that the `Maker` gave them;
    `new_facets` and `new_places` are those it meets for the first time, in the order of their numbers. `at` is the
    place of each site, `listed` those with coordinates, `hopes` those of them where somebody may be enrolled.
    `packed` is empty where packing was not asked for.
    """

    nct_id: str
    updated: str
    version: str
    compiled: bool
    digest: bytes
    packed: bytes
    row: tuple[str, ...]
    words: tuple[str, ...]
    facets: bytes
    new_facets: list[Facet]
    new_places: list[Place]
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

    def __init__(self, packed: Callable[[bytes | msgspec.Raw], bytes], known: Container[bytes] = ()) -> None:
        """`packed` packs the JSON of each; `known` are the digests of records that are in the store."""
        self._packed, self._known = packed, known
        self._facets: Numbering[Facet] = Numbering()
        self._places: Numbering[Place] = Numbering()
        self._written: dict[_Key, int] = {}  # places, by the ways records write them
        self._countries: list[int] = []  # the facet of each place's country
        self._unplaced: set[int] = set()  # places without coordinates

    def make(self, raw: bytes | msgspec.Raw, where: str) -> Ready | Same | NoRecord:
        """Read one study."""
        digest = digest_of(raw)
        if digest in self._known and (same := same_as_before(raw, digest)) is not None:
            return same
        try:
            record = read_record(raw, where)
        except Refused as error:
            return NoRecord(str(error))
        odd: list[tuple[str, str]] = []
        at = self._at(record.locations, odd)
        names, statuses, codes = _texts(record.locations, odd)
        facets = [self._facets.of((name, value)) for name, values in facets_of(record) for value in values]
        joined, listed, hopes = self._joined(record.status, at, statuses)
        problems = [(problem.what, problem.where) for problem in record.problems]
        problems += [(what, f"{where} {record.nct_id} {part}".strip()) for what, part in odd]
        return Ready(
            nct_id=record.nct_id,
            updated=record.updated,
            version=record.version,
            compiled=record.compiled is not None,
            digest=digest,
            packed=self._packed(raw),
            row=(
                record.title, record.status, record.stated, record.last_known, record.last_stated,
                record.sites_stated, record.phase, record.sponsor, record.updated, record.version,
            ),
            words=words_of(record),
            facets=bits.dump_ids((*facets, *joined)),
            new_facets=self._facets.new(),
            new_places=self._places.new(),
            at=bits.dump_ids(at),
            listed=bits.dump_ids(listed),
            hopes=bits.dump_ids(hopes),
            statuses=dump_statuses(statuses),
            names=dump_names(names, codes),
            problems=problems,
        )  # fmt: skip

    def _at(self, locations: list[Location], odd: list[tuple[str, str]]) -> list[int]:
        """The place of each site. Each line counts: there are millions of sites."""
        known = self._written
        try:
            return [
                known[one.city, one.state, one.country, point.lat, point.lon]
                if (point := one.geoPoint) is not None
                else known[one.city, one.state, one.country, None, None]
                for one in locations
            ]
        except KeyError:
            numbers = {key: self._number(key, odd) for key in dict.fromkeys(map(_key, locations))}
            return [numbers[_key(one)] for one in locations]

    def _number(self, key: _Key, odd: list[tuple[str, str]]) -> int:
        """The number of a place as it is written; one that is odd is looked at, and told, in each record."""
        if key in self._written:
            return self._written[key]
        city, state, country, lat, lon = key
        point = None if lat is None and lon is None else Point(lat, lon)
        place = Location(city=city, state=state, country=country, geoPoint=point)
        wrong: list[tuple[str, str]] = []
        site = read_site(place, lambda what, part: wrong.append((what, part)))
        number = self._places.of((site.city, site.state, site.country, site.lat, site.lon))
        if number == len(self._countries):
            self._countries.append(self._facets.of(("country", site.country or NOT_STATED)))
        if site.lat is None:
            self._unplaced.add(number)
        if not wrong:
            self._written[key] = number
        odd += wrong
        return number

    def _joined(self, study: str, at: list[int], statuses: list[str]) -> tuple[set[int], set[int], set[int]]:
        """The facets a trial has by its sites' places and statuses; the places it lists, and may enrol at."""
        kinds = dict.fromkeys(statuses)
        wanted = [status for status in kinds if hopeful(study, status)]
        everywhere = set(at)
        hopes = everywhere if len(wanted) == len(kinds) else set()
        if wanted and hopes is not everywhere:
            hopes = set(compress(at, map(wanted.__contains__, statuses)))
        facets, facet = set(map(self._countries.__getitem__, everywhere)), self._facets.of
        listed, near = everywhere, hopes
        if not everywhere.isdisjoint(self._unplaced):
            listed, near, places = everywhere - self._unplaced, hopes - self._unplaced, self._places.things
            facets.update(facet((UNPLACED, places[number][2])) for number in everywhere - listed)
            facets.update(facet((UNPLACED_HOPEFUL, places[number][2])) for number in hopes - near)
        told = ((HOPEFUL, "", hopes), (PLACED, "", listed), (PLACED, "hopeful", near))
        facets.update(facet((name, value)) for name, value, found in told if found)
        return facets, listed, near


class Met:
    """The places and facets a `Maker` has met, by the numbers it gave them, with their numbers in the store."""

    def __init__(self) -> None:
        self.places: Stored[Place] = Stored()
        self.facets: Stored[Facet] = Stored()

    def add(self, ready: Ready) -> None:
        """Take in those met for the first time in a record."""
        self.places.add(ready.new_places)
        self.facets.add(ready.new_facets)


def _key(one: Location) -> _Key:
    point = one.geoPoint
    lat, lon = (None, None) if point is None else (point.lat, point.lon)
    return one.city, one.state, one.country, lat, lon


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
