"""One ClinicalTrials.gov record, read as far as finding it needs: leniently, with every oddity reported.

A part that is missing is empty. Only a record without a trial id, or one that is no JSON object, is refused.
What a page about one trial needs beside this is in `details.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import msgspec

from onstudy.errors import Problem
from onstudy.registry import v2
from onstudy.registry.plain import lines, one_line
from onstudy.registry.status import UNKNOWN, Standing, older
from onstudy.registry.v2 import Refused

__all__ = ["NCT_ID", "OLDEST", "Compiled", "Record", "Refused", "Site", "read_record"]

NCT_ID = re.compile(r"NCT[0-9]{8}")
#: The longest texts and lists that are used; the original is kept whole beside them.
TITLE, NAME, WORD, SUMMARY, ENTRIES, SITES = 600, 300, 60, 20_000, 2_000, 20_000
_AGE = re.compile(r"([0-9]{1,5}) (Year|Month|Week|Day|Hour|Minute)s?")
_PER_YEAR = {"Year": 1, "Month": 12, "Week": 52, "Day": 365, "Hour": 8766, "Minute": 525_960}
#: Ages are kept as completed years, and nobody is older.
OLDEST = 130

_Item = TypeVar("_Item")


class Site(NamedTuple):
    """One place of a trial. `lat` and `lon` in degrees, None where the record states none."""

    name: str
    city: str
    state: str
    country: str
    zip: str
    status: str
    lat: float | None
    lon: float | None


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a record says of its own making where it was put together from several sources, not downloaded.

    `as_of` is the date of its newest part, `last_known_as_of` that of the last status known. `sites_total` sites
    are known to exist on `sites_total_as_of`; the ones that are listed, and their statuses, are of
    `sites_listed_as_of`. Origins: part, source, date.
    """

    note: str
    as_of: str
    last_known_as_of: str
    sites_listed_as_of: str
    sites_total: int | None
    sites_total_as_of: str
    origins: tuple[tuple[str, str, str], ...]


@dataclass(slots=True)
class Record:
    """What one trial says of itself. Ages are completed years, both ends included; None is no limit."""

    nct_id: str
    title: str
    official_title: str
    ids: tuple[str, ...]
    status: str
    last_known: str
    stated: str
    updated: str
    phases: tuple[str, ...]
    type: str
    enrollment: int | None
    conditions: tuple[str, ...]
    condition_terms: tuple[str, ...]
    keywords: tuple[str, ...]
    interventions: tuple[str, ...]
    intervention_types: tuple[str, ...]
    intervention_terms: tuple[str, ...]
    sponsor: str
    sponsor_class: str
    collaborators: tuple[str, ...]
    sex: str
    youngest: int | None
    eldest: int | None
    age_groups: tuple[str, ...]
    summary: str
    locations: list[v2.Location]
    version: str
    compiled: Compiled | None
    problems: tuple[Problem, ...]

    @property
    def phase(self) -> str:
        """The phases as one word: "PHASE1/PHASE2"; empty where none is stated."""
        return "/".join(self.phases)

    @property
    def standing(self) -> Standing:
        """The study's status as a statement."""
        return Standing(self.status, self.stated)

    @property
    def sites(self) -> tuple[Site, ...]:
        """The places of the trial, in the order of the record."""
        return tuple(read_site(location, lambda what, part: None) for location in self.locations)

    @property
    def last_stated(self) -> str:
        """When the last status known was stated, as it is written."""
        return self.compiled.last_known_as_of if self.compiled else self.stated

    @property
    def sites_stated(self) -> str:
        """When the statuses of the sites were stated, as it is written: "2023-10-12", "about 2021"."""
        return self.compiled.sites_listed_as_of if self.compiled else self.stated


class _Reading:
    """Texts out of an untrusted record, with the oddities found in it."""

    __slots__ = ("found", "where")

    def __init__(self, where: str) -> None:
        self.where = where
        self.found: list[tuple[str, str]] = []

    def note(self, what: str, part: str) -> None:
        self.found.append((what, part))

    def text(self, value: str | None, part: str, most: int = NAME) -> str:
        if not value:
            return ""
        if len(value) <= most and value.isprintable() and "  " not in value:
            return value.strip()  # as one_line would, and most texts are so
        if len(value) > most:
            self.note(f"has {len(value)} characters; the first {most} are used", part)
        return one_line(value, most)

    def texts(self, values: list[str] | None, part: str, most: int = NAME) -> tuple[str, ...]:
        if not values:
            return ()
        return _unique([self.text(value, part, most) for value in self.some(values, part)])

    def some(self, values: list[_Item], part: str, most: int = ENTRIES) -> list[_Item]:
        if len(values) > most:
            self.note(f"has {len(values)} entries; the first {most} are used", part)
            return values[:most]
        return values

    def problems(self, nct_id: str) -> tuple[Problem, ...]:
        place = f"{self.where} {nct_id}".strip()
        return tuple(Problem(what, f"{place} {part}", True) for what, part in self.found)


def read_record(raw: bytes | msgspec.Raw, where: str = "") -> Record:
    """Read one study. Raises `Refused` where it is no JSON object or has no trial id."""
    reading = _Reading(where)
    study = v2.decode(raw, reading.note)
    assert study.protocolSection is not None  # v2.decode refuses what has none
    named = study.protocolSection.identificationModule or v2.Identification()
    nct_id = (named.nctId or "").strip()
    if not NCT_ID.fullmatch(nct_id):
        raise Refused("no trial id of the form NCT00000000")
    record = _record(nct_id, named, study.protocolSection, study, reading)
    if reading.found:
        record.problems = reading.problems(nct_id)
    return record


def _record(nct_id: str, named: v2.Identification, protocol: v2.Protocol, study: v2.Study, reading: _Reading) -> Record:
    status = protocol.statusModule or v2.Status()
    design = protocol.designModule or v2.Design()
    about = protocol.conditionsModule or v2.Conditions()
    people = protocol.eligibilityModule or v2.People()
    sponsors = protocol.sponsorCollaboratorsModule or v2.Sponsors()
    lead = sponsors.leadSponsor or v2.Named()
    arms = protocol.armsInterventionsModule or v2.Arms()
    derived = study.derivedSection or v2.Derived()
    given = reading.some(arms.interventions or [], "interventions")
    youngest = _age(people.minimumAge, "minimumAge", reading)
    eldest = _age(people.maximumAge, "maximumAge", reading)
    compiled = _compiled(study.onstudy, reading) if study.onstudy else None
    posted = _date(status.lastUpdatePostDateStruct, reading) or _date(status.studyFirstPostDateStruct, reading)
    if compiled:
        posted = compiled.as_of
    official = reading.text(named.officialTitle, "officialTitle", TITLE)
    text = reading.text
    return Record(
        nct_id=nct_id,
        title=text(named.briefTitle, "briefTitle", TITLE) or official or nct_id,
        official_title=official,
        ids=_ids(nct_id, named, reading),
        status=text(status.overallStatus, "overallStatus", WORD) or UNKNOWN,
        last_known=text(status.lastKnownStatus, "lastKnownStatus", WORD),
        stated=older(text(status.statusVerifiedDate, "statusVerifiedDate", WORD), posted),
        updated=posted,
        phases=reading.texts(design.phases, "phases", WORD),
        type=text(design.studyType, "studyType", WORD),
        enrollment=design.enrollmentInfo.count if design.enrollmentInfo else None,
        conditions=reading.texts(about.conditions, "conditions"),
        condition_terms=_terms(derived.conditionBrowseModule, reading),
        keywords=reading.texts(about.keywords, "keywords"),
        interventions=_unique(
            text(name, "interventions") for part in given for name in (part.name, *(part.otherNames or ()))
        ),
        intervention_types=_unique(text(part.type, "interventions", WORD) for part in given),
        intervention_terms=_terms(derived.interventionBrowseModule, reading),
        sponsor=text(lead.name, "leadSponsor"),
        sponsor_class=text(lead.kind, "leadSponsor", WORD),
        collaborators=_unique(text(part.name, "collaborators") for part in sponsors.collaborators or ()),
        sex=text(people.sex, "sex", WORD),
        youngest=youngest,
        eldest=eldest,
        age_groups=reading.texts(people.stdAges, "stdAges", WORD) or _age_groups(youngest, eldest),
        summary=_summary(protocol.descriptionModule, reading),
        locations=locations_of(protocol, reading),
        version=text(derived.miscInfoModule.versionHolder if derived.miscInfoModule else None, "versionHolder", WORD),
        compiled=compiled,
        problems=(),
    )


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, texts)))


def _ids(nct_id: str, named: v2.Identification, reading: _Reading) -> tuple[str, ...]:
    others = [*([named.orgStudyIdInfo] if named.orgStudyIdInfo else []), *(named.secondaryIdInfos or [])]
    texts = [one.id for one in reading.some(others, "secondaryIdInfos")] + (named.nctIdAliases or [])
    return _unique([nct_id, *(reading.text(id, "secondaryIdInfos") for id in [*texts, named.acronym])])


def _date(holder: v2.Dated | None, reading: _Reading) -> str:
    return reading.text(holder.date, "date", WORD) if holder else ""


def _terms(browse: v2.Browse | None, reading: _Reading) -> tuple[str, ...]:
    if browse is None or not browse.meshes:
        return ()
    return reading.texts([mesh.term for mesh in browse.meshes if mesh.term], "meshes")


def _summary(description: v2.Description | None, reading: _Reading) -> str:
    text = (description.briefSummary if description else None) or ""
    if len(text) > SUMMARY:
        reading.note(f"has {len(text)} characters; the first {SUMMARY} are used", "briefSummary")
    return lines(text, SUMMARY)


def _age(text: str | None, part: str, reading: _Reading) -> int | None:
    """An age limit as completed years: "6 Months" is 0, since it falls into the first year of life."""
    if not text or text == "N/A":
        return None
    found = _AGE.fullmatch(text)
    if found is None:
        reading.note("is no age such as 18 Years; read as no limit", part)
        return None
    return min(int(found[1]) // _PER_YEAR[found[2]], OLDEST)


def _age_groups(youngest: int | None, eldest: int | None) -> tuple[str, ...]:
    """The registry's groups (under 18, 18 to 64, 65 and over) where the record does not name them."""
    if youngest is None and eldest is None:
        return ()
    low, high = youngest or 0, OLDEST if eldest is None else eldest
    groups = (("CHILD", 0, 17), ("ADULT", 18, 64), ("OLDER_ADULT", 65, OLDEST))
    return tuple(name for name, first, last in groups if low <= last and high >= first)


def locations_of(protocol: v2.Protocol, reading: _Reading) -> list[v2.Location]:
    """The sites as they are written; `read_site` makes each fit to be shown."""
    places = protocol.contactsLocationsModule
    return reading.some(places.locations, "locations", SITES) if places and places.locations else []


def read_site(location: v2.Location, note: v2.Note) -> Site:
    """One site, its texts tidied, its point checked."""
    texts = {}
    for part, most in (("facility", NAME), ("city", NAME), ("state", NAME), ("country", NAME), ("zip", WORD)):
        text = getattr(location, part) or ""
        if len(text) > most:
            note(f"has {len(text)} characters; the first {most} are used", part)
        texts[part] = one_line(text, most)
    lat, lon = read_point(location.geoPoint, note)
    status = one_line(location.status or UNKNOWN, WORD)
    return Site(texts["facility"], texts["city"], texts["state"], texts["country"], texts["zip"], status, lat, lon)


def read_point(point: v2.Point | None, note: v2.Note) -> tuple[float | None, float | None]:
    """Degrees; 0, 0 lies in the Gulf of Guinea and means that nobody knew."""
    if point is None:
        return None, None
    lat, lon = point.lat, point.lon
    if lat is not None and lon is not None and -90 <= lat <= 90 and -180 <= lon <= 180 and (lat or lon):
        return lat, lon
    note("is no point on the earth", "geoPoint")
    return None, None


def _compiled(own: v2.Own, reading: _Reading) -> Compiled:
    text = reading.text
    return Compiled(
        note=text(own.note, "note", SUMMARY),
        as_of=text(own.as_of, "as_of", WORD),
        last_known_as_of=text(own.last_known_as_of, "last_known_as_of", WORD),
        sites_listed_as_of=text(own.sites_listed_as_of, "sites_listed_as_of", WORD),
        sites_total=own.sites_total,
        sites_total_as_of=text(own.sites_total_as_of, "sites_total_as_of", WORD),
        origins=tuple(
            (text(one.part, "origins"), text(one.source, "origins", TITLE), text(one.date, "origins", WORD))
            for one in reading.some(own.origins or [], "origins")
        ),
    )
