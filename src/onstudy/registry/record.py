"""One ClinicalTrials.gov record (API v2 JSON), read as far as finding it needs: leniently, with every oddity reported.

A part that is missing is empty; a part of another type than the API's is a `Problem` and counts as missing.
Only a record without a trial id, or one that is no JSON object, is refused. What a page about one trial needs
beside this is in `details.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from onstudy.errors import OnstudyError, Problem
from onstudy.registry.plain import lines, one_line
from onstudy.registry.status import UNKNOWN, Standing, older

NCT_ID = re.compile(r"NCT\d{8}")
#: Longest texts that are used; the original is kept whole beside them.
TITLE, NAME, SUMMARY, LIST = 600, 300, 20_000, 2_000
SITES = 20_000
_AGE = re.compile(r"(\d{1,5}) (Year|Month|Week|Day|Hour|Minute)s?")
_PER_YEAR = {"Year": 1, "Month": 12, "Week": 52, "Day": 365, "Hour": 8766, "Minute": 525_960}
#: Ages are kept as completed years, and nobody is older.
OLDEST = 130


class Refused(OnstudyError):
    """What is no trial record at all; the message is the reason, without the record's content."""


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


@dataclass(slots=True)
class Compiled:
    """What a record says of its own making where it was put together from several sources, not downloaded.

    `as_of`: the date of its newest part. `sites_total` of the trial are known to exist on `sites_total_as_of`;
    those listed were published about `sites_listed_as_of`.
    """

    note: str
    as_of: str
    sites_listed_as_of: str
    sites_total: int | None
    sites_total_as_of: str
    origins: tuple[tuple[str, str, str], ...]  # part, source, date


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
    sites: tuple[Site, ...]
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
    def sites_stated(self) -> str:
        """When the statuses of the sites were stated, as it is written: "2023-10-12", "about 2021"."""
        return self.compiled.sites_listed_as_of if self.compiled else self.stated


# The parts that are decoded: what is not named here (results, outcomes, references) is passed over unread. --


class _Browse(msgspec.Struct):
    meshes: Any = None


class _Derived(msgspec.Struct):
    conditionBrowseModule: _Browse | None = None
    interventionBrowseModule: _Browse | None = None
    miscInfoModule: Any = None


class _Description(msgspec.Struct):
    briefSummary: Any = None


class _Places(msgspec.Struct):
    locations: Any = None


class _Arms(msgspec.Struct):
    interventions: Any = None


class _Protocol(msgspec.Struct):
    identificationModule: Any = None
    statusModule: Any = None
    sponsorCollaboratorsModule: Any = None
    descriptionModule: _Description | None = None
    conditionsModule: Any = None
    designModule: Any = None
    armsInterventionsModule: _Arms | None = None
    eligibilityModule: Any = None
    contactsLocationsModule: _Places | None = None


class _Study(msgspec.Struct):
    protocolSection: _Protocol | None = None
    derivedSection: _Derived | None = None
    onstudy: Any = None


_decoder = msgspec.json.Decoder(_Study)
_any_decoder = msgspec.json.Decoder()


def read_record(raw: bytes | msgspec.Raw, where: str = "") -> Record:
    """Read one study. Raises `Refused` where it is no JSON object or has no trial id."""
    reading = _Reading()
    study = _decoded(raw, reading)
    protocol = study.protocolSection
    if protocol is None:
        raise Refused("no protocolSection: not a ClinicalTrials.gov record of API v2")
    identification = reading.part(protocol.identificationModule, "identificationModule")
    nct_id = identification.get("nctId")
    if not isinstance(nct_id, str) or not NCT_ID.fullmatch(nct_id.strip()):
        raise Refused("no trial id of the form NCT00000000")
    return _record(nct_id.strip(), study, protocol, identification, reading, where)


def _decoded(raw: bytes | msgspec.Raw, reading: _Reading) -> _Study:
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError:
        return _loosely(raw, reading)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused("not whole JSON") from None
    except RecursionError:
        raise Refused("nested too deeply to be a record") from None


def _loosely(raw: bytes | msgspec.Raw, reading: _Reading) -> _Study:
    """The same parts of a record whose shape is not the API's somewhere."""
    try:
        whole = _any_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused("not whole JSON") from None
    except RecursionError:
        raise Refused("nested too deeply to be a record") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("protocolSection"), dict):
        raise Refused("no protocolSection: not a ClinicalTrials.gov record of API v2")
    protocol = {k: v for k, v in whole["protocolSection"].items() if k in _Protocol.__struct_fields__}
    for name, kind in (
        ("descriptionModule", _Description), ("armsInterventionsModule", _Arms), ("contactsLocationsModule", _Places),
    ):  # fmt: skip
        protocol[name] = _struct(kind, reading.part(protocol.get(name), name))
    derived = reading.part(whole.get("derivedSection"), "derivedSection")
    browse = {
        name: _struct(_Browse, reading.part(derived.get(name), name))
        for name in ("conditionBrowseModule", "interventionBrowseModule")
    }
    return _Study(
        _Protocol(**protocol), _Derived(miscInfoModule=derived.get("miscInfoModule"), **browse), whole.get("onstudy")
    )


def _struct(kind: type[Any], part: dict[str, Any]) -> Any:
    return kind(**{name: part[name] for name in kind.__struct_fields__ if name in part})


class _Reading:
    """Values out of untrusted JSON; what has another type than expected is noted and reads as missing."""

    __slots__ = ("problems",)

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []

    def wrong(self, what: str, place: str) -> None:
        """Note what is wrong and where, at most a hundred times a record."""
        if len(self.problems) < 100:
            self.problems.append((what, place))

    def part(self, value: Any, place: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        if value is not None:
            self.wrong(f"is {_kind(value)}, not an object", place)
        return {}

    def text(self, holder: dict[str, Any], name: str, most: int = NAME) -> str:
        value = holder.get(name)
        if value is None:
            return ""
        if isinstance(value, str):
            if len(value) > most:
                self.wrong(f"has {len(value)} characters; the first {most} are used", name)
            return one_line(value, most)
        self.wrong(f"is {_kind(value)}, not text", name)
        return ""

    def texts(self, holder: dict[str, Any], name: str, most: int = NAME) -> tuple[str, ...]:
        found = []
        for item in self.items(holder.get(name), name):
            if isinstance(item, str):
                found.append(one_line(item, most))
            else:
                self.wrong(f"holds {_kind(item)}, not text", name)
        return tuple(text for text in found if text)

    def items(self, value: Any, place: str, most: int = LIST) -> list[Any]:
        if isinstance(value, list):
            if len(value) > most:
                self.wrong(f"has {len(value)} entries; the first {most} are used", place)
                return value[:most]
            return value
        if value is not None:
            self.wrong(f"is {_kind(value)}, not a list", place)
        return []

    def parts(self, value: Any, place: str, most: int = LIST) -> list[dict[str, Any]]:
        return [part for item in self.items(value, place, most) if (part := self.part(item, place))]

    def date(self, holder: dict[str, Any], name: str) -> str:
        return self.text(self.part(holder.get(name), name), "date", 40)

    def number(self, value: Any, place: str) -> int | None:
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53):
            return value
        self.wrong("is not a whole number", place)
        return None


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def _record(
    nct_id: str, study: _Study, protocol: _Protocol, named: dict[str, Any], reading: _Reading, where: str
) -> Record:
    status = reading.part(protocol.statusModule, "statusModule")
    design = reading.part(protocol.designModule, "designModule")
    about = reading.part(protocol.conditionsModule, "conditionsModule")
    people = reading.part(protocol.eligibilityModule, "eligibilityModule")
    sponsors = reading.part(protocol.sponsorCollaboratorsModule, "sponsorCollaboratorsModule")
    lead = reading.part(sponsors.get("leadSponsor"), "leadSponsor")
    arms = protocol.armsInterventionsModule
    given = reading.parts(arms.interventions, "interventions") if arms else []
    youngest, eldest = _age(people, "minimumAge", reading), _age(people, "maximumAge", reading)
    derived = study.derivedSection or _Derived()
    compiled = _compiled(study.onstudy, reading) if study.onstudy is not None else None
    posted = reading.date(status, "lastUpdatePostDateStruct") or reading.date(status, "studyFirstPostDateStruct")
    official = reading.text(named, "officialTitle", TITLE)
    read = Record(
        nct_id=nct_id,
        title=reading.text(named, "briefTitle", TITLE) or official or nct_id,
        official_title=official,
        ids=_ids(nct_id, named, reading),
        status=reading.text(status, "overallStatus", 60) or UNKNOWN,
        last_known=reading.text(status, "lastKnownStatus", 60),
        stated=older(reading.text(status, "statusVerifiedDate", 40), posted),
        updated=compiled.as_of if compiled else posted,
        phases=reading.texts(design, "phases", 60),
        type=reading.text(design, "studyType", 60),
        enrollment=reading.number(reading.part(design.get("enrollmentInfo"), "enrollmentInfo").get("count"), "count"),
        conditions=reading.texts(about, "conditions"),
        condition_terms=_terms(derived.conditionBrowseModule, reading),
        keywords=reading.texts(about, "keywords"),
        interventions=_unique(
            name for part in given for name in (reading.text(part, "name"), *reading.texts(part, "otherNames"))
        ),
        intervention_types=_unique(reading.text(part, "type", 60) for part in given),
        intervention_terms=_terms(derived.interventionBrowseModule, reading),
        sponsor=reading.text(lead, "name"),
        sponsor_class=reading.text(lead, "class", 60),
        collaborators=_unique(
            reading.text(part, "name") for part in reading.parts(sponsors.get("collaborators"), "collaborators")
        ),
        sex=reading.text(people, "sex", 60),
        youngest=youngest,
        eldest=eldest,
        age_groups=reading.texts(people, "stdAges", 60) or _age_groups(youngest, eldest),
        summary=_summary(protocol.descriptionModule, reading),
        sites=_sites(protocol.contactsLocationsModule, reading),
        version=reading.text(reading.part(derived.miscInfoModule, "miscInfoModule"), "versionHolder", 40),
        compiled=compiled,
        problems=(),
    )
    if reading.problems:
        place = f"{where} {nct_id}".strip()
        read.problems = tuple(Problem(what, f"{place} {name}", True) for what, name in reading.problems)
    return read


def _unique(texts: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _ids(nct_id: str, named: dict[str, Any], reading: _Reading) -> tuple[str, ...]:
    own = reading.text(reading.part(named.get("orgStudyIdInfo"), "orgStudyIdInfo"), "id")
    others = [reading.text(part, "id") for part in reading.parts(named.get("secondaryIdInfos"), "secondaryIdInfos")]
    aliases = reading.texts(named, "nctIdAliases")
    return _unique([nct_id, own, *others, *aliases, reading.text(named, "acronym")])


def _terms(browse: _Browse | None, reading: _Reading) -> tuple[str, ...]:
    if browse is None:
        return ()
    return _unique(reading.text(part, "term") for part in reading.parts(browse.meshes, "meshes"))


def _summary(description: _Description | None, reading: _Reading) -> str:
    value = description.briefSummary if description else None
    if value is None:
        return ""
    if not isinstance(value, str):
        reading.wrong(f"is {_kind(value)}, not text", "briefSummary")
        return ""
    if len(value) > SUMMARY:
        reading.wrong(f"has {len(value)} characters; the first {SUMMARY} are used", "briefSummary")
    return lines(value, SUMMARY)


def _age(people: dict[str, Any], name: str, reading: _Reading) -> int | None:
    """An age limit as completed years: "6 Months" is 0, since it falls into the first year of life."""
    text = reading.text(people, name, 40)
    if not text or text == "N/A":
        return None
    found = _AGE.fullmatch(text)
    if found is None:
        reading.wrong("is no age such as 18 Years; read as no limit", name)
        return None
    return min(int(found[1]) // _PER_YEAR[found[2]], OLDEST)


def _age_groups(youngest: int | None, eldest: int | None) -> tuple[str, ...]:
    """The registry's groups (under 18, 18 to 64, 65 and over) where the record does not name them."""
    if youngest is None and eldest is None:
        return ()
    low, high = youngest or 0, OLDEST if eldest is None else eldest
    groups = (("CHILD", 0, 17), ("ADULT", 18, 64), ("OLDER_ADULT", 65, OLDEST))
    return tuple(name for name, first, last in groups if low <= last and high >= first)


_SITE_TEXTS = (("facility", NAME), ("city", 120), ("state", 120), ("country", 120), ("zip", 40), ("status", 60))


def _sites(places: _Places | None, reading: _Reading) -> tuple[Site, ...]:
    if places is None or places.locations is None:
        return ()
    found = []
    for part in reading.parts(places.locations, "locations", SITES):
        name, city, state, country, code, status = [reading.text(part, key, most) for key, most in _SITE_TEXTS]
        lat, lon = _point(part.get("geoPoint"), reading)
        found.append(Site(name, city, state, country, code, status or UNKNOWN, lat, lon))
    return tuple(found)


def _point(value: Any, reading: _Reading) -> tuple[float | None, float | None]:
    if value is None:
        return None, None
    if isinstance(value, dict):
        lat, lon = value.get("lat"), value.get("lon")
        if (
            isinstance(lat, float | int) and isinstance(lon, float | int)
            and -90 <= lat <= 90 and -180 <= lon <= 180 and not (lat == 0 and lon == 0)
        ):  # fmt: skip
            return float(lat), float(lon)
    reading.wrong("is no point on the earth", "geoPoint")
    return None, None


def _compiled(value: Any, reading: _Reading) -> Compiled | None:
    """Our own part of a record that ships; a downloaded record has none."""
    part = reading.part(value, "onstudy")
    if not part:
        return None
    return Compiled(
        note=reading.text(part, "note", SUMMARY),
        as_of=reading.text(part, "as_of", 40),
        sites_listed_as_of=reading.text(part, "sites_listed_as_of", 40),
        sites_total=reading.number(part.get("sites_total"), "sites_total"),
        sites_total_as_of=reading.text(part, "sites_total_as_of", 40),
        origins=tuple(
            (reading.text(one, "part"), reading.text(one, "source", TITLE), reading.text(one, "date", 40))
            for one in reading.parts(part.get("origins"), "origins")
        ),
    )
