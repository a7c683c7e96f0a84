"""The stamps of versions as rows hold them: one text of when a resource was changed last, and its number."""

from __future__ import annotations

from onstudy.readers.fhir_json import Json, obj
from onstudy.readers.fhir_versions import Stamp

#: What stands between the two: a time may be written with a space in it.
BETWEEN = "\n"


def stamp_text(changed: str, number: str) -> str | None:
    """A stamp as a row holds it, of its parts as they are written; None where there is neither."""
    return f"{changed}{BETWEEN}{number}" if changed or number else None


def parts_of(text: str | None) -> tuple[str, str]:
    """The two parts of what a row holds, as they are written."""
    changed, _, number = (text or BETWEEN).rpartition(BETWEEN)
    return changed, number


def stamp_of(text: str | None) -> Stamp:
    """The stamp that a row holds."""
    changed, number = parts_of(text)
    return Stamp(changed.strip(), number.strip())


def put_stamp(resource: Json, text: str) -> None:
    """Let a resource have the stamp that was left out when it was taken apart."""
    stamp = stamp_of(text)
    given = {"lastUpdated": stamp.changed, "versionId": stamp.number}
    resource["meta"] = {**obj(resource, "meta"), **{key: said for key, said in given.items() if said}}
