"""The stamps of versions as rows hold them: one text of when a resource was changed last, and its number.

Before these stands the full url that a bundle gives a resource, if it is one of a server: the same type and id of
another server is another resource.
"""

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
    changed, number = (text or BETWEEN).rsplit(BETWEEN, 2)[-2:]
    return changed, number


def with_url(text: str | None, url: str) -> str:
    """The same stamp of a resource that has a full url."""
    return BETWEEN.join((url, *parts_of(text)))


def url_of(text: str | None) -> str:
    """The full url of a resource; "" where it has none."""
    said = (text or "").rsplit(BETWEEN, 2)
    return said[0] if len(said) == 3 else ""


def stamp_of(text: str | None) -> Stamp:
    """The stamp that a row holds."""
    changed, number = parts_of(text)
    return Stamp(changed.strip(), number.strip())


def put_stamp(resource: Json, text: str) -> None:
    """Let a resource have the stamp that was left out when it was taken apart."""
    stamp = stamp_of(text)
    given = {"lastUpdated": stamp.changed, "versionId": stamp.number}
    resource["meta"] = {**obj(resource, "meta"), **{key: said for key, said in given.items() if said}}
