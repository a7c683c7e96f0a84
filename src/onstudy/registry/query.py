"""What can be asked of the registry, and what is answered: a query, a trial of a page, a page of trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from onstudy.errors import OnstudyError
from onstudy.registry.geography import Origin
from onstudy.registry.nearness import Near
from onstudy.registry.ready import SHOWN_FACETS
from onstudy.registry.record import NCT_ID, OLDEST
from onstudy.registry.status import Standing

BEST, DISTANCE, NEWEST = "best", "distance", "newest"
SORTS = (BEST, DISTANCE, NEWEST)
LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. Empty is no filter; `facets` has values of `SHOWN_FACETS`, joined within a facet.

    `age` in completed years; `within` in miles around `origin`; `open_only` asks for a site that is, or may be,
    open (within that distance, where one is given). `page` counts from 1.
    """

    words: str = ""
    condition: str = ""
    intervention: str = ""
    sponsor: str = ""
    ids: tuple[str, ...] = ()
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    age: int | None = None
    sex: str = ""
    origin: Origin | None = None
    within: float | None = None
    open_only: bool = False
    sort: str = BEST
    page: int = 1
    size: int = 20

    def __post_init__(self) -> None:
        if unknown := set(self.facets) - set(SHOWN_FACETS):
            raise OnstudyError(f"{', '.join(sorted(unknown))[:60]}: no facet; there are {', '.join(SHOWN_FACETS)}")
        if self.sort not in SORTS:
            raise OnstudyError(f"sort {self.sort[:20]!r} is not one of {', '.join(SORTS)}")
        if self.origin is None and (self.within is not None or self.sort == DISTANCE):
            raise OnstudyError("a distance needs a place to measure from: give a ZIP code or a city")
        if self.within is not None and not 0 < self.within < 20_000:
            raise OnstudyError("a distance is above zero and below 20000 miles")
        if self.age is not None and not 0 <= self.age <= OLDEST:
            raise OnstudyError(f"an age lies between 0 and {OLDEST} years")
        if self.page < 1 or not 1 <= self.size <= LARGEST_PAGE:
            raise OnstudyError(f"pages count from 1 and hold 1 to {LARGEST_PAGE} trials")
        if wrong := [one for one in self.ids if not NCT_ID.fullmatch(one)]:
            raise OnstudyError(f"{wrong[0][:20]!r} is no trial id; write NCT and eight digits")


@dataclass(frozen=True, slots=True)
class Hit:
    """One trial of a page. `nearest` is None without an origin, or where a trial lists no site.

    `last_known` has the last status somebody stated (or ""), for a trial whose status is unknown. `inside` is the
    nearest site within the distance asked for, where that one is closed and `nearest` lies beyond.
    """

    nct_id: str
    title: str
    status: Standing
    last_known: Standing
    status_words: str
    phase: str
    sponsor: str
    updated: str
    origin: str
    sites: int
    nearest: Near | None
    inside: Near | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """A page of trials, how many there are in all, how many of them can enrol, and the facets' counts.

    `beyond` is the nearest of the trials that only the distance keeps out, where it keeps out all.
    """

    total: int
    can_enrol: int
    hits: tuple[Hit, ...]
    facets: Mapping[str, tuple[tuple[str, int], ...]]
    ranking: str
    notes: tuple[str, ...]
    beyond: Hit | None
    page: int
    pages: int


def ranking(query: Query) -> str:
    """The order of the results in words."""
    parts = [
        "trials that can enrol first, then those of which nobody can tell (an old or unknown status), then those not "
        "yet open or suspended, then the others"
    ]
    if query.sort == NEWEST:
        parts.append("within each, the most recently updated first")
    else:
        if query.words.strip():
            parts.append("before others those with the words in title, condition, treatment, keywords or ids")
        if query.origin is not None:
            parts.append("then by the distance of the nearest site that is or may be open, unknown distances last")
        elif query.words.strip():
            parts.append("then by how often and how specifically the words occur")
        parts.append("then the most recently updated first")
    return "; ".join(parts) + "; then by trial id"
