"""The shape of a ClinicalTrials.gov API v2 record, as far as it is read, and how another shape is bent to fit.

Everything may be missing (None). What is not named here (results, references, contacts) is passed over unread,
which is what makes reading fast. A value of another type than the API's is noted and counts as missing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from onstudy.errors import OnstudyError

#: At most this many oddities of one record are noted.
_NOTED = 100

_T = TypeVar("_T", bound=msgspec.Struct)
Note = Callable[[str, str], None]  # what is wrong, in which part


class Refused(OnstudyError):
    """What is no trial record at all; the message is the reason, without the record's content."""


class Named(msgspec.Struct, gc=False):
    """A sponsor, collaborator or other thing of a name and a class."""

    name: str | None = None
    kind: str | None = msgspec.field(default=None, name="class")


class Id(msgspec.Struct, gc=False):
    """Another id of the trial."""

    id: str | None = None


class Identification(msgspec.Struct, gc=False):
    """identificationModule."""

    nctId: str | None = None
    nctIdAliases: list[str] | None = None
    orgStudyIdInfo: Id | None = None
    secondaryIdInfos: list[Id] | None = None
    briefTitle: str | None = None
    officialTitle: str | None = None
    acronym: str | None = None


class Dated(msgspec.Struct, gc=False):
    """A date with a type beside it."""

    date: str | None = None


class Status(msgspec.Struct, gc=False):
    """statusModule."""

    overallStatus: str | None = None
    lastKnownStatus: str | None = None
    statusVerifiedDate: str | None = None
    studyFirstPostDateStruct: Dated | None = None
    lastUpdatePostDateStruct: Dated | None = None


class Sponsors(msgspec.Struct, gc=False):
    """sponsorCollaboratorsModule."""

    leadSponsor: Named | None = None
    collaborators: list[Named] | None = None


class Description(msgspec.Struct, gc=False):
    """descriptionModule."""

    briefSummary: str | None = None


class Conditions(msgspec.Struct, gc=False):
    """conditionsModule."""

    conditions: list[str] | None = None
    keywords: list[str] | None = None


class Enrollment(msgspec.Struct, gc=False):
    """enrollmentInfo."""

    count: int | None = None


class Design(msgspec.Struct, gc=False):
    """designModule."""

    studyType: str | None = None
    phases: list[str] | None = None
    enrollmentInfo: Enrollment | None = None


class Intervention(msgspec.Struct, gc=False):
    """One treatment, with its other names."""

    type: str | None = None
    name: str | None = None
    otherNames: list[str] | None = None


class Arms(msgspec.Struct, gc=False):
    """armsInterventionsModule."""

    interventions: list[Intervention] | None = None


class People(msgspec.Struct, gc=False):
    """eligibilityModule."""

    sex: str | None = None
    minimumAge: str | None = None
    maximumAge: str | None = None
    stdAges: list[str] | None = None


class Point(msgspec.Struct, gc=False):
    """Degrees."""

    lat: float | None = None
    lon: float | None = None


class Location(msgspec.Struct, gc=False):
    """One site; its contacts are not read."""

    facility: str | None = None
    status: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    geoPoint: Point | None = None


class Locations(msgspec.Struct, gc=False):
    """contactsLocationsModule, without the contacts."""

    locations: list[Location] | None = None


class Protocol(msgspec.Struct, gc=False):
    """protocolSection."""

    identificationModule: Identification | None = None
    statusModule: Status | None = None
    sponsorCollaboratorsModule: Sponsors | None = None
    descriptionModule: Description | None = None
    conditionsModule: Conditions | None = None
    designModule: Design | None = None
    armsInterventionsModule: Arms | None = None
    eligibilityModule: People | None = None
    contactsLocationsModule: Locations | None = None


class Mesh(msgspec.Struct, gc=False):
    """A subject heading the library gave."""

    term: str | None = None


class Browse(msgspec.Struct, gc=False):
    """The subject headings of conditions, or of interventions."""

    meshes: list[Mesh] | None = None


class Misc(msgspec.Struct, gc=False):
    """miscInfoModule: the date of the data."""

    versionHolder: str | None = None


class Derived(msgspec.Struct, gc=False):
    """derivedSection."""

    conditionBrowseModule: Browse | None = None
    interventionBrowseModule: Browse | None = None
    miscInfoModule: Misc | None = None


class Origin(msgspec.Struct, gc=False):
    """Where one part of a compiled record comes from, and of when it is."""

    part: str | None = None
    source: str | None = None
    date: str | None = None


class Own(msgspec.Struct, gc=False):
    """`onstudy`: what a record that ships says of its making; a downloaded record has none."""

    note: str | None = None
    as_of: str | None = None
    last_known_as_of: str | None = None
    sites_listed_as_of: str | None = None
    sites_total: int | None = None
    sites_total_as_of: str | None = None
    origins: list[Origin] | None = None


class Study(msgspec.Struct, gc=False):
    """One record."""

    protocolSection: Protocol | None = None
    derivedSection: Derived | None = None
    onstudy: Own | None = None


_decoder = msgspec.json.Decoder(Study)
_any_decoder = msgspec.json.Decoder()


def decode(raw: bytes | msgspec.Raw, note: Note) -> Study:
    """One record. Raises `Refused` for what is not JSON or has no protocolSection."""
    try:
        study = _decoder.decode(raw)
    except msgspec.ValidationError:
        study = bend(Study, decode_any(raw), note)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused("is not whole JSON") from None
    except RecursionError:
        raise Refused("is nested too deeply") from None
    if study.protocolSection is None:
        raise Refused("no protocolSection: not a ClinicalTrials.gov record of API v2")
    return study


def decode_any(raw: bytes | msgspec.Raw) -> Any:
    """JSON as plain Python values. Raises `Refused` where it is none."""
    try:
        return _any_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused("is not whole JSON") from None
    except RecursionError:
        raise Refused("is nested too deeply") from None


def bend(shape: type[_T], value: Any, note: Note) -> _T:
    """A value in that shape: what does not fit is left out and noted; what is no object at all is an empty one."""
    noted = 0

    def some(what: str, place: str) -> None:
        nonlocal noted
        noted += 1
        if noted <= _NOTED:
            note(what, place)

    found = _bent(shape, value, "record", some)
    return found if isinstance(found, shape) else shape()


def _bent(kind: Any, value: Any, place: str, note: Note) -> Any:
    if value is None:
        return None
    if get_origin(kind) is list:
        if not isinstance(value, list):
            note(f"is {_kind(value)}, not a list", place)
            return None
        (inner,) = get_args(kind)
        return [one for item in value if (one := _bent(inner, item, place, note)) is not None]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _bent_struct(kind, value, place, note)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 1 << 53 else None
    if isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
        return value
    note(f"is {_kind(value)}, not {_kind(kind())}", place)
    return None


def _bent_struct(kind: type[msgspec.Struct], value: Any, place: str, note: Note) -> msgspec.Struct | None:
    if not isinstance(value, dict):
        note(f"is {_kind(value)}, not an object", place)
        return None
    found = {}
    for name, written, inner in _fields(kind):
        if written in value:
            found[name] = _bent(inner, value[written], written, note)
    return kind(**found)


@lru_cache(maxsize=64)
def _fields(kind: type[msgspec.Struct]) -> list[tuple[str, str, Any]]:
    """Each field: its name here, its name in JSON, its type without None."""
    hints = get_type_hints(kind)
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return [(name, written, next(a for a in get_args(hints[name]) if a is not NoneType)) for name, written in names]


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
