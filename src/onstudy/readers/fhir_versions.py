"""Which of several versions of one resource are out of date: those of which another is known to be newer.

A version tells by `meta.lastUpdated` and `meta.versionId` when it was made. Where they cannot tell it of two versions,
neither is older.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onstudy.readers.fhir_json import Json, obj, text
from onstudy.values.calendar import instant_of

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
    found: set[int] = set()
    for moments in _comparable(stamps):
        last = max(moments.values())
        found.update(place for place, moment in moments.items() if moment < last)
        found |= _lower([place for place, moment in moments.items() if moment == last], stamps)
    return found


def _comparable(stamps: Sequence[Stamp]) -> Iterable[dict[int, int]]:
    """Versions that can be put in order, by their places: when each was made, which is one moment where none says so.

    A stamp that is no moment, or only a day, cannot be compared with any other.
    """
    by_clock: dict[bool | None, dict[int, int]] = defaultdict(dict)
    for place, stamp in enumerate(stamps):
        if not stamp.changed:
            by_clock[None][place] = 0
        elif (moment := instant_of(stamp.changed)) is not None:
            by_clock[moment[0]][place] = moment[1]
    return by_clock.values()


def _lower(places: Sequence[int], stamps: Sequence[Stamp]) -> set[int]:
    """Those of versions made at one moment, or nobody knows when, whose number is not the highest."""
    numbers = {place: number for place in places if (number := _number(stamps[place].number)) is not None}
    return {place for place, number in numbers.items() if number < max(numbers.values())}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST else None
