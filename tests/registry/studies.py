"""Registry records for tests: the shape of API v2, with what a test needs and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from onstudy.registry.importing import Report, import_records
from onstudy.registry.lines import Found
from onstudy.registry.store import Store, in_memory


def site(
    city: str = "",
    status: str | None = "RECRUITING",
    point: tuple[float, float] | None = None,
    name: str = "Clinic",
    country: str = "United States",
    state: str = "",
) -> dict[str, Any]:
    """One location."""
    found: dict[str, Any] = {"facility": name, "city": city, "country": country}
    if state:
        found["state"] = state
    if status is not None:
        found["status"] = status
    if point is not None:
        found["geoPoint"] = {"lat": point[0], "lon": point[1]}
    return found


def study(
    number: int = 1,
    *,
    title: str = "A trial",
    status: str | None = "RECRUITING",
    verified: str = "2026-05",
    updated: str = "2026-05-10",
    conditions: Iterable[str] = (),
    keywords: Iterable[str] = (),
    interventions: Iterable[str] = (),
    summary: str = "",
    phases: Iterable[str] = (),
    sex: str = "ALL",
    youngest: str = "",
    eldest: str = "",
    sites: Iterable[dict[str, Any]] = (),
    sponsor: str = "A sponsor",
    version: str = "2026-05-15",
) -> dict[str, Any]:
    """One record."""
    people = {"sex": sex, "minimumAge": youngest, "maximumAge": eldest}
    return {
        "protocolSection": {
            "identificationModule": {"nctId": f"NCT{number:08d}", "briefTitle": title},
            "statusModule": {
                **({"overallStatus": status} if status else {}),
                "statusVerifiedDate": verified,
                "lastUpdatePostDateStruct": {"date": updated, "type": "ACTUAL"},
            },
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": sponsor, "class": "OTHER"}},
            "descriptionModule": {"briefSummary": summary},
            "conditionsModule": {"conditions": list(conditions), "keywords": list(keywords)},
            "designModule": {"studyType": "INTERVENTIONAL", "phases": list(phases)},
            "armsInterventionsModule": {"interventions": [{"type": "DRUG", "name": one} for one in interventions]},
            "eligibilityModule": {name: value for name, value in people.items() if value},
            "contactsLocationsModule": {"locations": list(sites)},
        },
        "derivedSection": {"miscInfoModule": {"versionHolder": version}},
        "hasResults": False,
    }


def raw(one: Any) -> bytes:
    """A record as JSON."""
    return json.dumps(one, ensure_ascii=False).encode()


def put(store: Store, *studies: Any) -> Report:
    """Import records, in order."""
    return import_records(store, [Found(f"test[{number}]", raw(one)) for number, one in enumerate(studies)])


def store_of(*studies: Any) -> Store:
    """A store in memory; with the fixture `bare`, of these records alone."""
    store = in_memory()
    put(store, *studies)
    return store
