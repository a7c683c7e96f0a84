"""The stamps of versions as rows hold them: one text of when a resource was changed last, and its number.

That of an entry of a bundle is marked: an id in a bundle may be of that bundle alone, so such versions are compared
with others of the same patient only.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from onstudy.readers.fhir_json import Json, obj
from onstudy.readers.fhir_versions import Stamp

#: What stands between the two: a time may be written with a space in it.
BETWEEN = "\n"
#: What stands before those of entries: no part of a stamp, for these are trimmed.
_ENTRY = "\f"


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


def of_entry(text: str | None) -> str | None:
    """The stamp of a resource that is an entry of a bundle."""
    return None if text is None else _ENTRY + text


def are_of_lines(stamps: pa.Array) -> pa.Array:
    """Which rows have the stamp of a resource that is a line of its own."""
    return pc.fill_null(pc.invert(pc.starts_with(stamps, _ENTRY)), False)


def put_stamp(resource: Json, text: str) -> None:
    """Let a resource have the stamp that was left out when it was taken apart."""
    stamp = stamp_of(text)
    given = {"lastUpdated": stamp.changed, "versionId": stamp.number}
    resource["meta"] = {**obj(resource, "meta"), **{key: said for key, said in given.items() if said}}
