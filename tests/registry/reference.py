"""What a search means, written down a second time in the plainest way: one trial after the other, no index, no sets.

Words are looked up as they are (tests use words without synonyms, spellings or endings).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from onstudy.registry.geography import miles
from onstudy.registry.search import Query

CAN = {"RECRUITING", "ENROLLING_BY_INVITATION", "AVAILABLE"}
MAY = {"UNKNOWN", "NOT_YET_RECRUITING", "SUSPENDED", "TEMPORARILY_NOT_AVAILABLE"}
#: 90 days before the day that tests ask on, 2026-05-20.
FRESH_FROM = "2026-02-19"


@dataclass
class Trial:
    """A record of tests/registry/studies.py, taken apart."""

    nct: str
    status: str
    verified: str
    updated: str
    about: set[str]
    anywhere: set[str]
    facets: dict[str, set[str]]
    low: int
    high: int
    sex: str
    sites: list[tuple[str, str, tuple[float, float] | None]]  # status, country, point


def trial(one: dict[str, Any]) -> Trial:
    """Read it."""
    part = one["protocolSection"]
    conditions = part["conditionsModule"]
    treatments = [i["name"] for i in part["armsInterventionsModule"]["interventions"]]
    named = [part["identificationModule"]["briefTitle"], part["identificationModule"]["nctId"]]
    about = words(" ".join([*named, *conditions["conditions"], *conditions["keywords"], *treatments]))
    people = part["eligibilityModule"]
    status = part["statusModule"].get("overallStatus", "UNKNOWN")
    sites = [
        (
            location.get("status", "UNKNOWN"),
            location["country"],
            (location["geoPoint"]["lat"], location["geoPoint"]["lon"]) if "geoPoint" in location else None,
        )
        for location in part["contactsLocationsModule"]["locations"]
    ]
    return Trial(
        nct=part["identificationModule"]["nctId"],
        status=status,
        verified=part["statusModule"]["statusVerifiedDate"],
        updated=part["statusModule"]["lastUpdatePostDateStruct"]["date"],
        about=about,
        anywhere=about | words(part["descriptionModule"]["briefSummary"]),
        facets={
            "status": {status},
            "phase": set(part["designModule"]["phases"]) or {"NOT_STATED"},
            "country": {country for _, country, _ in sites},
        },
        low=int(people.get("minimumAge", "0").split()[0]),
        high=int(people.get("maximumAge", "130").split()[0]),
        sex=people["sex"],
        sites=sites,
    )


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def hopeful(one: Trial) -> list[tuple[str, str, tuple[float, float] | None]]:
    good = CAN | {"UNKNOWN"}
    return [site for site in one.sites if one.status in good and site[0] in good]


def distance(one: Trial, query: Query, sites: list[Any]) -> float | None:
    assert query.origin is not None
    known = [miles(query.origin.lat, query.origin.lon, *point) for _, _, point in sites if point is not None]
    return min(known, default=None)


def measured(one: Trial, query: Query) -> float | None:
    """The distance a trial is ranked by."""
    near = distance(one, query, hopeful(one))
    return near if near is not None else distance(one, query, one.sites)


def meets(one: Trial, query: Query, leaving_out: str = "") -> bool:
    if not words(query.words) <= one.anywhere:
        return False
    if query.age is not None and not one.low <= query.age <= one.high:
        return False
    if query.sex and one.sex not in ("ALL", query.sex):
        return False
    asked = hopeful(one) if query.open_only else one.sites
    if query.open_only and not asked:
        return False
    if query.origin is not None and query.within is not None:
        near = [
            site
            for site in asked
            if (site[2] is None and site[1] in (query.origin.country, ""))
            or (site[2] is not None and miles(query.origin.lat, query.origin.lon, *site[2]) <= query.within)
        ]
        if not near:
            return False
    return all(one.facets[name] & set(values) for name, values in query.facets.items() if name != leaving_out)


def tier(one: Trial) -> int:
    """Can enrol; nobody can tell; may later; cannot. Verified "2026-05" is good to the end of May."""
    if one.status in CAN:
        fresh = min(one.verified + "-31", one.updated) >= FRESH_FROM
        return 0 if fresh else 1
    return 1 if one.status == "UNKNOWN" else 2 if one.status in MAY else 3


def ranked(trials: list[Trial], query: Query) -> list[str]:
    """The ids of all that meet the query, in order; not for words without a place (their score is the index's)."""
    found = sorted((one for one in trials if meets(one, query)), key=lambda one: one.nct)
    found.sort(key=lambda one: one.updated, reverse=True)
    if query.origin is not None and query.sort != "newest":
        far = {one.nct: measured(one, query) for one in found}
        found.sort(key=lambda one: (far[one.nct] is None, far[one.nct] or 0.0))
    if query.words and query.sort != "newest":
        found.sort(key=lambda one: not words(query.words) <= one.about)
    found.sort(key=tier)
    return [one.nct for one in found]


def counts(trials: list[Trial], query: Query, facet: str) -> dict[str, int]:
    """The counts of a facet, its own choices left out."""
    found: dict[str, int] = {}
    for one in trials:
        if meets(one, query, leaving_out=facet):
            for value in one.facets[facet]:
                found[value] = found.get(value, 0) + 1
    return found
