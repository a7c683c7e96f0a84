"""Results of a search as JSON, CSV and text. Texts of trials are shown as they are, on one line, never as formulas."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from onstudy.registry.geography import Origin
from onstudy.registry.nearness import Near
from onstudy.registry.ready import NOT_STATED
from onstudy.registry.search import Hit, Query, Results
from onstudy.registry.status import status_words
from onstudy.registry.store import COMPILED, SHIPPED

COLUMNS = (
    "nct_id", "title", "status", "status_date", "last_known_status", "last_known_status_date", "phase", "sponsor",
    "updated", "nearest_site", "city", "state", "country", "miles", "site_status", "site_status_date", "site_reads",
    "link",
)  # fmt: skip
#: What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
FACET_TITLES = {
    "status": "Status", "phase": "Phase", "type": "Study type", "age_group": "Age", "sex": "Sex",
    "country": "Country", "intervention_type": "Treatment type", "sponsor_class": "Sponsor type",
}  # fmt: skip
_PHASES = {
    "EARLY_PHASE1": "early phase 1", "PHASE1": "phase 1", "PHASE2": "phase 2", "PHASE3": "phase 3",
    "PHASE4": "phase 4", "NA": "phase not applicable",
}  # fmt: skip


#: Words for the values of facets, as the API lists them; others are written small.
_VALUES = {
    "type": {
        "INTERVENTIONAL": "interventional (tests a treatment)",
        "OBSERVATIONAL": "observational (watches, tests nothing)",
        "EXPANDED_ACCESS": "expanded access (outside a trial)",
    },
    "age_group": {
        "CHILD": "child (under 18)", "ADULT": "adult (18 to 64)", "OLDER_ADULT": "older adult (65 and over)",
    },
    "sponsor_class": {
        "NIH": "U.S. National Institutes of Health (NIH)", "FED": "other U.S. federal agency",
        "OTHER_GOV": "government",
        "INDUSTRY": "industry", "NETWORK": "network", "INDIV": "individual", "OTHER": "university, hospital or other",
    },
    "sex": {"ALL": "all", "FEMALE": "female", "MALE": "male"},
}  # fmt: skip


def facet_words(facet: str, value: str) -> str:
    """A facet's value for people."""
    if value == NOT_STATED:
        return "not stated"
    if facet == "status":
        return status_words(value)
    if facet == "phase":
        return phase_words(value)
    if facet == "country":
        return value
    return _VALUES.get(facet, {}).get(value) or value.lower().replace("_", " ")


def link(nct_id: str) -> str:
    """The registry's own page of a trial."""
    return f"https://clinicaltrials.gov/study/{nct_id}"


def to_json(results: Results, facets: bool = False) -> str:
    """`{"total": n, "trials": [...]}` on one line; `facets` adds the counts."""
    found: dict[str, Any] = {"total": results.total, "trials": [_object(hit) for hit in results.hits]}
    if facets:
        found["facets"] = {name: dict(counts) for name, counts in results.facets.items()}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _object(hit: Hit) -> dict[str, Any]:
    near = hit.nearest
    return {
        "nct_id": hit.nct_id,
        "title": hit.title,
        "status": hit.status.status,
        "status_date": hit.status.stated or None,
        "phase": hit.phase or None,
        "nearest_site": None
        if near is None
        else {
            "name": near.name or None,
            "city": near.city or None,
            "miles": near.miles,
            "status": near.status.status,
            "status_date": near.status.stated or None,
        },
    }


def to_csv(results: Results) -> str:
    """A table with a header; a cell that a spreadsheet would read as a formula begins with an apostrophe."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(COLUMNS)
    table.writerows([_cell(value) for value in _row(hit)] for hit in results.hits)
    return out.getvalue()


def _row(hit: Hit) -> tuple[object, ...]:
    near = hit.nearest
    site: tuple[object, ...] = ("",) * 7
    if near is not None:
        site = (near.name, near.city, near.state, near.country, near.miles, near.status.status, near.status.stated)
    return (
        hit.nct_id, hit.title, hit.status.status, hit.status.stated, hit.last_known.status,
        hit.last_known.stated if hit.last_known.status else "",
        hit.phase, hit.sponsor, hit.updated, *site, near.words if near else "", link(hit.nct_id),
    )  # fmt: skip


def _cell(value: object) -> str:
    """A cell as text; a number is one and stays one."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(value)
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def to_text(results: Results, query: Query, facets: bool = False) -> str:
    """For a terminal."""
    lines = [_head(results)]
    lines += [f"  {note}" for note in results.notes]
    if results.beyond is not None:
        near = results.beyond.nearest
        assert near is not None and query.within is not None
        lines.append(f"  none within {query.within:g} miles; the nearest beyond:")
        lines += _lines(results.beyond)
    for hit in results.hits:
        lines += ["", *_lines(hit)]
    if results.hits:
        lines += ["", f"Order: {results.ranking}."]
        lines.append(
            "A status is a statement of its date. Before you travel, ask the site. Records: ClinicalTrials.gov (NLM)."
        )
    if facets:
        lines += ["", *_facet_lines(results)]
    return "\n".join(lines) + "\n"


def _head(results: Results) -> str:
    trials = "1 trial" if results.total == 1 else f"{results.total} trials"
    listed = f", {results.can_enrol} listed as enrolling" if results.total else ""
    page = f"; page {results.page} of {results.pages}" if results.pages > 1 else ""
    return f"{trials}{listed}{page}"


def _lines(hit: Hit) -> list[str]:
    origins = {COMPILED: " [put together from public sources]", SHIPPED: " [example record that ships]"}
    phase = ", ".join(phase_words(one) for one in hit.phase.split("/")) if hit.phase else "phase not stated"
    found = [f"{hit.nct_id}  {phase}  {hit.status_words}{origins.get(hit.origin, '')}", f"  {hit.title}"]
    if hit.nearest is not None:
        found.append(f"  nearest: {near_words(hit.nearest)}")
        found += [f"  within that distance: {near_words(hit.inside)}"] if hit.inside is not None else []
    elif not hit.sites:
        found.append("  lists no site")
    return found


def phase_words(phase: str) -> str:
    """A phase in words."""
    return _PHASES.get(phase, phase.lower().replace("_", " "))


def miles_words(far: float) -> str:
    """A distance in words; a ZIP code and a city are good to a few miles, so nothing after the point."""
    whole = round(far)
    return "less than 1 mile" if whole < 1 else f"{whole:,} mile{'' if whole == 1 else 's'}"


def near_words(near: Near) -> str:
    """A site, its distance and its status in a line."""
    place = ", ".join(text for text in (near.name, near.city, near.state or near.country) if text)
    far = "distance not known" if near.miles is None else miles_words(near.miles)
    return f"{place or 'a site without a name'} ({far}): {near.words}"


def origin_words(origin: Origin) -> str:
    """Where distances are measured from."""
    return f"distances from {origin.name}"


def _facet_lines(results: Results) -> list[str]:
    found = []
    for name, counts in results.facets.items():
        shown = "; ".join(f"{facet_words(name, value)} {count}" for value, count in counts[:12])
        more = f"; and {len(counts) - 12} more" if len(counts) > 12 else ""
        found.append(f"{FACET_TITLES[name]}: {shown or 'none'}{more}")
    return found
