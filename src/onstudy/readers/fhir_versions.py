"""Which of several versions of one resource are out of date: those of which another is known to be newer.

A version tells by `meta.lastUpdated` and `meta.versionId` when it was made. Where they cannot tell it of two versions,
neither is older.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from onstudy.readers.fhir_json import Json, obj, text

_LONGEST = 12


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a version was made, and its number, as its source writes them; "" where it does not."""

    changed: str = ""
    number: str = ""

    @classmethod
    def of(cls, resource: Json) -> Stamp:
        """The stamp of a resource."""
        meta = obj(resource, "meta")
        return cls(text(meta, "lastUpdated"), text(meta, "versionId"))


def outdated(stamps: Sequence[Stamp]) -> set[int]:
    """The places of the versions of which another is known to be newer."""
    clocks: dict[bool, list[int]] = defaultdict(list)
    for place, stamp in enumerate(stamps):
        clocks[bool(stamp.changed)].append(place)
    found: set[int] = set()
    for places in clocks.values():
        last = max(stamps[place].changed for place in places)
        latest = [place for place in places if stamps[place].changed == last]
        found.update(place for place in places if stamps[place].changed != last)
        found |= _lower(latest, stamps)
    return found


def _lower(places: Sequence[int], stamps: Sequence[Stamp]) -> set[int]:
    """Those of versions made at one moment, or nobody knows when, whose number is not the highest."""
    numbers = {place: number for place in places if (number := _number(stamps[place].number)) is not None}
    return {place for place, number in numbers.items() if number < max(numbers.values())}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST else None
