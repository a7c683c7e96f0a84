"""One trial as text: what it says, of when, and where each part of a compiled record comes from."""

from __future__ import annotations

import re
from datetime import date

from onstudy.registry.details import Details, read_details
from onstudy.registry.record import Record, read_record
from onstudy.registry.results import link, phase_words
from onstudy.registry.status import MAX_AGE, UNKNOWN, site_words, statement, study_words
from onstudy.registry.store import SHIPPED

_SITES = 25


def show_text(raw: bytes, origin: str, today: date, max_age: int = MAX_AGE) -> str:
    """A trial for a terminal. Raises `Refused` where the JSON is no record."""
    record, details = read_record(raw), read_details(raw)
    parts = [
        _head(record, today, max_age),
        _people(record, details),
        _section("Summary", record.summary),
        _section("Eligibility, as published", details.eligibility),
        _sites(record, today, max_age),
        _origin(record, origin),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(record: Record, today: date, max_age: int) -> str:
    last = statement(record.last_known, record.last_stated)
    phases = ", ".join(phase_words(one) for one in record.phases) or "not stated"
    found = [
        f"{record.nct_id}  {record.title}",
        record.official_title,
        f"Status: {study_words(record.standing, last, today, max_age)}",
        f"Phase: {phases}",
        f"Sponsor: {record.sponsor}" if record.sponsor else "",
        f"Conditions: {', '.join(record.conditions)}" if record.conditions else "",
        f"Treatments: {', '.join(record.interventions)}" if record.interventions else "",
        f"Other ids: {', '.join(record.ids[1:])}" if record.ids[1:] else "",
    ]
    return "\n".join(line for line in found if line)


def _people(record: Record, details: Details) -> str:
    count = "not stated" if record.enrollment is None else str(record.enrollment)
    ages = details.ages or "no limit stated"
    return f"Ages: {ages}\nSex: {record.sex.lower() or 'not stated'}\nParticipants planned or enrolled: {count}"


def _section(title: str, text: str) -> str:
    return f"{title}\n{text}" if text else ""


def sites_sentence(record: Record) -> str:
    """How many sites there are, and of how many the names are known, each with its date."""
    listed = len(record.locations)
    own = record.compiled
    if own is None or own.sites_total is None:
        stated = f", as stated {statement(UNKNOWN, record.sites_stated).dated}" if record.sites_stated else ""
        return f"{listed:,} site{'' if listed == 1 else 's'} listed{stated}"
    as_of = statement(UNKNOWN, own.sites_listed_as_of)
    return (
        f"{own.sites_total:,} sites (page of {own.sites_total_as_of}); {listed:,} of them listed here, as of "
        f"{'about ' if as_of.about else ''}{as_of.stated}"
    )


#: The fields of a record that `origins` names, as people call them.
_FIELDS = {
    "briefTitle": "short title", "officialTitle": "official title", "orgStudyIdInfo": "the sponsor’s id",
    "secondaryIdInfos": "other ids", "overallStatus": "status", "lastKnownStatus": "last known status",
    "whyStopped": "reason for stopping", "studyFirstPostDateStruct": "day of first posting", "leadSponsor": "sponsor",
    "enrollmentInfo": "number of participants", "sex": "sex", "minimumAge": "lowest age", "stdAges": "age groups",
    "briefSummary": "summary", "designInfo": "design", "interventions": "treatments", "locations": "sites",
    "eligibilityCriteria": "eligibility criteria", "sites_total": "number of sites", "phases": "phase",
}  # fmt: skip
_FIELD = re.compile(r"\b(?:" + "|".join(_FIELDS) + r")\b")


def part_words(part: str) -> str:
    """The parts of a compiled record that come from one source, in words: "short title, the sponsor’s id"."""
    found = _FIELD.sub(lambda name: _FIELDS[name[0]], part)
    return found[:1].upper() + found[1:]


def _sites(record: Record, today: date, max_age: int) -> str:
    found = [sites_sentence(record)]
    said = statement(record.status, record.sites_stated)
    for site in record.sites[:_SITES]:
        place = ", ".join(text for text in (site.name, site.city, site.state, site.country) if text)
        standing = type(said)(site.status, said.stated, said.about)
        found.append(f"  {place or 'no name'}: {site_words(record.standing, standing, today, max_age)}")
    if len(record.locations) > _SITES:
        found.append(
            f"  and {len(record.locations) - _SITES} more; `onstudy find --id {record.nct_id} --zip` finds the nearest"
        )
    return "\n".join(found)


def _origin(record: Record, origin: str) -> str:
    if record.compiled is not None:
        origins = record.compiled.origins
        rows = [f"  {part_words(part)}: {source}{f' ({when})' if when else ''}" for part, source, when in origins]
        return "\n".join([record.compiled.note, *rows, f"The registry's page: {link(record.nct_id)}"])
    source = f"ClinicalTrials.gov, U.S. National Library of Medicine (NLM); data of {record.version or 'no stated day'}"
    if origin == SHIPPED:
        source += ". Example record that ships; contacts and names of persons are left out"
    return f"Record: {source}.\nThe registry's page: {link(record.nct_id)}"
