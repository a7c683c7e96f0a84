"""What stands on a page dozens of times, as HTML: a choice of a facet, a trial of a list, a site of a trial.

A template took five times as long for them, and half the time of such a page. Every text goes through `escape`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from markupsafe import Markup, escape

from onstudy.faces.web.asked import Asked
from onstudy.faces.web.pages import (
    first_upper,
    icon,
    is_email,
    phases,
    phone,
    site_tone,
    status,
    study_tone,
    token,
)
from onstudy.registry.details import Contact
from onstudy.registry.nearness import Near
from onstudy.registry.places import Place
from onstudy.registry.query import Hit
from onstudy.registry.results import miles_words
from onstudy.registry.status import CLOSED
from onstudy.registry.store import COMPILED, SHIPPED


def choices(facet: str, options: Iterable[tuple[str, str, int, bool]]) -> Markup:
    """The boxes of a facet to tick: value, words, number of trials, whether it is chosen."""
    boxes = (_choice(*_box(facet, value, words), count, chosen) for value, words, count, chosen in options)
    return Markup("".join(boxes))


@lru_cache(maxsize=2048)
def _box(facet: str, value: str, words: str) -> tuple[str, str]:
    """What of a box stays the same: before and after whether it is ticked."""
    id = escape(f"{facet}-{token(value)}")
    return (
        '        <div class="usa-checkbox">\n'
        f'          <input class="usa-checkbox__input js-now" type="checkbox" id="{id}" name="{escape(facet)}"'
        f' value="{escape(value)}"',
        f'>\n          <label class="usa-checkbox__label" for="{id}">{escape(words)}',
    )


def _choice(before: str, after: str, count: int, chosen: bool) -> str:
    ticked = " checked" if chosen else ""
    return f'{before}{ticked}{after} <span class="quiet">({count:,})</span></label>\n        </div>\n'


def rows(sites: Iterable[Place], distances: bool) -> Markup:
    """The rows of a table of sites; `distances` where it has a column for them."""
    return Markup("".join(_row(one, distances) for one in sites))


def _row(one: Place, distances: bool) -> str:
    return (
        f'  <tr><th scope="row" data-label="Site">{escape(one.name or "No name is listed")}'
        f'{"".join(map(_contact, one.contacts))}</th>'
        f'<td data-label="Place">{escape(one.town or "not stated")}{escape(f" {one.zip}") if one.zip else ""}</td>'
        f'{_distance(one) if distances else ""}'
        f'<td data-label="Status">{status(site_tone(one.openness), first_upper(one.words))}</td></tr>\n'
    )  # fmt: skip


def _contact(contact: Contact) -> str:
    return f'<br><span class="small site__contact">{person(contact)}</span>'


def _distance(one: Place) -> str:
    far = "not known" if one.miles is None else miles_words(one.miles)
    return f'<td data-label="Distance" class="nowrap">{far}</td>'


def person(contact: Contact) -> Markup:
    """Somebody to ask: name, telephone and e-mail, as links where they can be."""
    name = ", ".join(filter(None, (contact.name, contact.affiliation))) if contact.name else ""
    said = [escape(name)] if name else []
    for text, scheme, target in (
        (contact.phone, "tel", phone(contact.phone)),
        (contact.email, "mailto", contact.email if is_email(contact.email) else ""),
    ):
        if text:
            link = f'<a href="{scheme}:{escape(target)}">{escape(text)}</a>'
            said.append(Markup(link) if target else escape(text))
    return Markup(", ").join(said)


def hits(found: Iterable[Hit], search: Asked, tick: bool = True, level: int = 3, link: bool = False) -> Markup:
    """Trials, each with a box to tick or without, its title a heading of that level.

    `link` writes out the registry's address, for paper.
    """
    place = escape(search.zip_suffix)
    parts = (
        f'{_head(one, place, level)}{_where(one, search)}{_tick(one, search) if tick else ""}'
        f'{_link(one) if link else ""}</article>\n'
        for one in found
    )  # fmt: skip
    return Markup("".join(parts))


_ORIGINS = {SHIPPED: "<li>example record</li>", COMPILED: "<li>put together from public sources</li>"}


def _head(one: Hit, place: str, level: int) -> str:
    return (
        f'<article class="hit" aria-labelledby="t-{one.nct_id}">\n'
        f'  <h{level} id="t-{one.nct_id}"><a href="/trials/{one.nct_id}{place}">{escape(one.title)}</a></h{level}>\n'
        '  <ul class="meta">\n'
        f"  <li>{status(study_tone(one.status.status, one.status_words), first_upper(one.status_words))}</li>\n"
        f"  <li>{escape(phases(one.phase))}</li>\n"
        f"  <li>{escape(one.sponsor or 'sponsor not stated')}</li>\n"
        f"  <li>{one.nct_id}</li>\n"
        f"{_ORIGINS.get(one.origin, '')}</ul>\n"
    )


def _where(one: Hit, search: Asked) -> str:
    """Where the nearest site is, or how many there are."""
    if one.nearest is not None:
        said = "Nearest site" if one.nearest.openness == CLOSED else "Nearest site that is or may be open"
        within = escape(f"Within {search.fields['within']} miles")
        return _near(said, one.nearest) + (_near(within, one.inside) if one.inside is not None else "")
    if not one.sites:
        return '<p class="hit__near quiet">This record lists no site.</p>\n'
    return (
        f'<p class="hit__near quiet">{one.sites:,} site{"" if one.sites == 1 else "s"} listed. '
        "Give a ZIP code or a city to see the nearest.</p>"
    )


def _near(said: str, near: Near) -> str:
    place = ", ".join(filter(None, (near.name, near.city, near.state or near.country))) or "a site without a name"
    far = "distance not known" if near.miles is None else f'<span class="nowrap">{miles_words(near.miles)}</span>'
    return (
        f'<p class="hit__near">{icon("location_on")}\n'
        f"  <span><strong>{said}:</strong> {escape(place)},\n"
        f"{far}  · {status(site_tone(near.openness), near.words)}</span></p>\n"
    )


def _tick(one: Hit, search: Asked) -> str:
    ticked = " checked" if one.nct_id in search.ticks else ""
    return (
        '  <div class="usa-checkbox hit__tick no-print">\n'
        f'    <input class="usa-checkbox__input" type="checkbox" id="select-{one.nct_id}" name="tick"'
        f' value="{one.nct_id}"{ticked}>\n'
        f'    <label class="usa-checkbox__label" for="select-{one.nct_id}">Select to print'
        f'<span class="usa-sr-only">: {escape(one.title)}</span></label>\n'
        "  </div>\n"
    )


def _link(one: Hit) -> str:
    if one.origin == COMPILED:
        said = f"put together from public sources, the newest of {one.updated or 'a day not stated'}"
    else:
        said = f"record updated {one.updated or 'on a day not stated'}"
    return f'<p class="small hit__link">https://clinicaltrials.gov/study/{one.nct_id} · {escape(said)}</p>'
