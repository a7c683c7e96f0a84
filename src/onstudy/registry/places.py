"""Where one trial runs: its sites nearest first, each with its status and the date of that, and how many can enrol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from onstudy.registry.details import Contact
from onstudy.registry.geography import UNITED_STATES, Origin, miles
from onstudy.registry.record import Record, Site
from onstudy.registry.status import ASK, CAN_ENROL, CLOSED, OPEN, Standing, openness, site_words, statement


class Place(NamedTuple):
    """One site. `miles` is None without an origin or without coordinates; `words` tell its status with the date."""

    name: str
    city: str
    state: str
    country: str
    zip: str
    lat: float | None
    lon: float | None
    miles: float | None
    status: str
    openness: str
    words: str
    contacts: tuple[Contact, ...] = ()

    @property
    def town(self) -> str:
        """City, state and country, as far as they are known."""
        return ", ".join(text for text in (self.city, self.state, self.country) if text)


@dataclass(frozen=True, slots=True)
class Places:
    """The sites of a trial: all of them counted, and those of a choice of country and state in order.

    `nearest` is the nearest that is or may be open, of all, with an origin; None where there is none.
    """

    listed: int
    counts: dict[str, int]
    listed_as_open: int
    stated: Standing
    countries: tuple[tuple[str, int], ...]
    states: tuple[tuple[str, int], ...]
    chosen: tuple[Place, ...]
    nearest: Place | None

    @property
    def can_enrol(self) -> int:
        """How many are open by a statement young enough."""
        return self.counts.get(OPEN, 0)

    @property
    def sentence(self) -> str:
        """How many sites can enrol ("n of m listed sites can enrol"), and what the others are."""
        noun = "site" if self.listed == 1 else "sites"
        first = f"{self.can_enrol:,} of {self.listed:,} listed {noun} can enrol"
        if self.can_enrol:
            first += f", as stated {self.stated.dated}"
        ask = self.counts.get(ASK, 0)
        if not ask:
            return f"{first}."
        if self.can_enrol == 0:
            first += " as far as is known"
        if self.listed_as_open == ask:
            listed = f"listed as open {self.stated.dated}".rstrip()
            return f"{first}; {ask:,} {'was' if ask == 1 else 'were'} {listed}: ask the site."
        return f"{first}; of {ask:,} it is not known: ask the site."


def places_of(
    record: Record,
    sites: Iterable[Site],
    contacts: tuple[tuple[Contact, ...], ...],
    today: date,
    max_age: int,
    origin: Origin | None = None,
    country: str = "",
    state: str = "",
) -> Places:
    """The sites of a trial, each with its contacts where there are some.

    Without an origin in the registry's order, else nearest first, those at an unknown distance last.
    """
    said = statement(record.status, record.sites_stated)
    words: dict[str, tuple[str, str]] = {}
    found: list[Place] = []
    for number, site in enumerate(sites):
        if site.status not in words:
            standing = Standing(site.status, said.stated, said.about)
            words[site.status] = (
                openness(record.standing, standing, today, max_age),
                site_words(record.standing, standing, today, max_age),
            )
        far = None
        if origin is not None and site.lat is not None and site.lon is not None:
            far = round(miles(origin.lat, origin.lon, site.lat, site.lon), 1)
        asked = contacts[number] if number < len(contacts) else ()
        found.append(Place(
            site.name, site.city, site.state, site.country, site.zip, site.lat, site.lon, far, site.status,
            *words[site.status], asked,
        ))  # fmt: skip
    if origin is None:
        found.sort(key=in_order)
    else:
        found.sort(key=lambda place: (place.miles is None, place.miles or 0.0))
    in_country = [place for place in found if not country or place.country == country]
    return Places(
        listed=len(found),
        counts=dict(Counter(place.openness for place in found)),
        listed_as_open=sum(place.openness == ASK and place.status in CAN_ENROL for place in found),
        stated=said,
        countries=_counted(place.country for place in found),
        states=_counted(place.state for place in in_country),
        chosen=tuple(place for place in in_country if not state or place.state == state),
        nearest=next((one for one in found if one.openness != CLOSED), None) if origin is not None else None,
    )


def in_order(site: Place | Site) -> tuple[object, ...]:
    """The order the registry lists sites in: the United States first, then by country, state and city."""
    return site.country != UNITED_STATES, site.country, not site.state, site.state, site.city, site.name


def _counted(values: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Each name with how many there are, by name."""
    return tuple(sorted(Counter(value for value in values if value).items()))
