"""The parameters of a search, as they stand in an address, to a query; what cannot be used is told beside its field.

The same parameters give the same page, so an address can be kept and shared. Nothing raises: a field that cannot be
used is left out of the query, and `errors` says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from onstudy.errors import OnstudyError
from onstudy.registry.geography import CityUnknown, Origin
from onstudy.registry.nearness import origin_of
from onstudy.registry.record import NCT_ID, OLDEST
from onstudy.registry.search import BEST, DISTANCE, LARGEST_PAGE, SORTS, Query
from onstudy.registry.store import Store

#: Facets a page shows, in this order; who asks says their own sex, so that is no facet of a page.
FACETS = ("status", "phase", "age_group", "type", "country", "intervention_type", "sponsor_class")
SIZE = 20
#: Distances to choose from, in miles.
DISTANCES = (10, 25, 50, 100, 250, 500)
_TEXTS = ("q", "condition", "intervention", "sponsor", "zip", "age", "sex", "within")
#: No address is longer (`safety.Limits`), so nothing that was typed is cut.
_LONGEST = 8_000
#: Trials that can be ticked at once.
TICKED = 100
_NUMBER = re.compile(r"\s*([0-9]{1,3})\s*(?:y|yr|yrs|years?(?: old)?)?\s*", re.IGNORECASE)


class Params(Protocol):
    """The parameters of an address, several values under one name allowed; Starlette's QueryParams."""

    def getlist(self, key: str) -> list[str]:
        """Every value under a name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as somebody asked it: the query, the fields as they were filled in, what was wrong by field.

    `cities` are those that bear the name that was given as the place, `ticks` the trials ticked to be printed.
    """

    query: Query
    fields: Mapping[str, str]
    facets: Mapping[str, tuple[str, ...]]
    errors: Mapping[str, str]
    max_age: int | None
    cities: tuple[str, ...] = ()
    ticks: tuple[str, ...] = ()

    @property
    def zip(self) -> str:
        """What was given as the place, for links to a trial's page; empty where it cannot be used."""
        return self.fields["zip"] if self.query.origin is not None else ""

    @property
    def zip_suffix(self) -> str:
        """The place as the parameters of a link to a trial's page."""
        return f"?{urlencode({'zip': self.zip})}" if self.zip else ""

    @property
    def table(self) -> str:
        """The address of what the page shows as a table: without the fields that could not be used."""
        unused = {name: None for name in self.fields if name in self.errors}
        unused |= {"within": None} if self.query.within is None else {}
        return self.changed({**unused, "page": None, "tick": None}, "/trials.csv")

    def address(self, path: str = "/trials", **changes: object) -> str:
        """The address of this search, in one fixed order; `changes` replace a parameter, None takes it out."""
        return self.changed(changes, path)

    def changed(self, changes: Mapping[str, object], path: str = "/trials") -> str:
        """`address`, the changes as a mapping."""
        query = self.query
        given: dict[str, object] = {**self.fields, "id": query.ids, "open": "1" if query.open_only else ""}
        given |= {**self.facets, "sort": "" if query.sort == BEST else query.sort}
        given |= {"status_age": "" if self.max_age is None else self.max_age}
        given |= {"page": "" if query.page == 1 else query.page, "tick": self.ticks, **changes}
        pairs = [
            (name, str(one))
            for name, value in given.items()
            for one in (value if isinstance(value, tuple | list) else (value,))
            if one not in ("", None)
        ]
        return f"{path}?{urlencode(pairs)}" if pairs else path


def asked(params: Params, store: Store, size: int = SIZE) -> Asked:
    """Read the parameters of an address."""
    return _Reader(params, store).read(size)


def place_of(params: Params) -> tuple[str, str]:
    """The place that an address names, and what is wrong where `zip` and `city` name two."""
    zip, city = _text(params, "zip"), _text(params, "city")
    if zip and city and zip.casefold() != city.casefold():
        return zip, "The address names two places to measure from, zip and city: give one of them."
    return zip or city, ""


def _text(params: Params, name: str) -> str:
    """The first value under a name that is not blank."""
    for value in params.getlist(name):
        bare = " ".join(value[:_LONGEST].split())
        if bare:
            return bare
    return ""


class _Reader:
    def __init__(self, params: Params, store: Store) -> None:
        self.params, self.store = params, store
        self.errors: dict[str, str] = {}
        self.cities: tuple[str, ...] = ()

    def read(self, size: int) -> Asked:
        fields = {name: self.text(name) for name in _TEXTS}
        fields["q"] = fields["q"] or self.text("words")
        fields["zip"], two = place_of(self.params)
        origin = None if two else self.origin(fields["zip"])
        facets = self.facets()
        sort = self.text("sort") or BEST
        if two:
            self.errors["zip"] = two
        elif sort == DISTANCE and not fields["zip"]:
            self.errors["zip"] = "An order by distance needs a place to measure from: give a ZIP code or a city."
        query = Query(
            words=fields["q"],
            condition=fields["condition"],
            intervention=fields["intervention"],
            sponsor=fields["sponsor"],
            ids=self.ids(),
            facets=facets,
            age=self.age(fields["age"]),
            sex=self.sex(fields["sex"]),
            origin=origin,
            within=self.within(fields["within"], origin),
            open_only=bool(self.text("open")),
            sort=sort if sort in SORTS and (origin is not None or sort != DISTANCE) else BEST,
            page=self.whole("page", 1, 1, 100_000),
            size=min(size, LARGEST_PAGE),
        )
        max_age = self.whole("status_age", -1, 0, 36_500)
        ticks = [value.strip().upper() for value in self.params.getlist("tick")[:TICKED]]
        return Asked(
            query, fields, facets, self.errors, None if max_age < 0 else max_age, self.cities,
            tuple(dict.fromkeys(one for one in ticks if NCT_ID.fullmatch(one))),
        )  # fmt: skip

    def text(self, name: str) -> str:
        return _text(self.params, name)

    def origin(self, text: str) -> Origin | None:
        if not text:
            return None
        try:
            return origin_of(self.store, text)
        except OnstudyError as error:
            self.errors["zip"] = _sentence(str(error))
            if isinstance(error, CityUnknown) and error.choices:
                self.cities = error.choices
                self.errors["zip"] = (
                    f"Sites lie in {len(self.cities)} cities of that name: choose one, or give a ZIP code."
                )
            return None

    def facets(self) -> dict[str, tuple[str, ...]]:
        """The values chosen, each only where it is one there is; upper or lower case is the same."""
        found: dict[str, tuple[str, ...]] = {}
        for name in FACETS:
            given = [value[:_LONGEST] for value in self.params.getlist(name)[:100] if value.strip()]
            if not given:
                continue
            with self.store.snapshot():
                known = {value.casefold(): value for value in self.store.values(name)}
            kept = [known[value.casefold()] for value in given if value.casefold() in known]
            found[name] = tuple(dict.fromkeys(kept or [given[0]]))
        return found

    def ids(self) -> tuple[str, ...]:
        given = [part.upper() for value in self.params.getlist("id")[:200] for part in value[:4000].split()]
        if any(not NCT_ID.fullmatch(one) for one in given):
            self.errors["id"] = "A trial id is NCT and eight digits, such as NCT03739814."
        return tuple(dict.fromkeys(one for one in given if NCT_ID.fullmatch(one)))

    def age(self, text: str) -> int | None:
        found = _NUMBER.fullmatch(text)
        if found and int(found[1]) <= OLDEST:
            return int(found[1])
        if text:
            self.errors["age"] = f"Write the age in years, 0 to {OLDEST}."
        return None

    def sex(self, text: str) -> str:
        if text.casefold() in ("female", "male"):
            return text.upper()
        if text and text.casefold() != "all":
            self.errors["sex"] = "Choose female, male, or any."
        return ""

    def within(self, text: str, origin: Origin | None) -> float | None:
        if not text:
            return None
        try:
            miles = float(text)
        except ValueError:
            miles = -1.0
        if not 0 < miles < 20_000:
            self.errors["within"] = "Write the distance in miles, above 0."
            return None
        if origin is None and "zip" not in self.errors:
            self.errors["zip"] = "A distance needs a place to measure from: give a ZIP code or a city."
        return miles if origin is not None else None

    def whole(self, name: str, otherwise: int, least: int, most: int) -> int:
        text = self.text(name)
        return min(max(int(text), least), most) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _sentence(text: str) -> str:
    """A message as a sentence of a page."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def chosen_words(search: Asked, words: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """What was chosen, each with the address of the search without it; `words` names the facets' values.

    What cannot be used narrows nothing, so it is not among them.
    """
    labels = {"q": "Words", "condition": "Condition", "intervention": "Treatment", "sponsor": "Sponsor", "zip": "Near",
              "age": "Age", "sex": "Sex", "within": "Miles"}  # fmt: skip
    for name, value in search.fields.items():
        used = name not in search.errors and (name != "within" or search.query.within is not None)
        if value and used:
            yield f"{labels[name]}: {value}", search.changed({**_without(search, name), "page": None})
    for name, values in search.facets.items():
        for value in values:
            rest = tuple(one for one in values if one != value)
            yield words.get(value, value), search.changed({name: rest, "page": None})


def _without(search: Asked, name: str) -> dict[str, object]:
    """The changes that take out a field; with the place goes what is measured from it."""
    if name != "zip":
        return {name: None}
    return {"zip": None, "within": None, **({"sort": None} if search.query.sort == DISTANCE else {})}
