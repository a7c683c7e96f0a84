#!/usr/bin/env python3
"""Writes the registry records that ship with onstudy: src/onstudy/registry/data/trials.jsonl.gz and ATTRIBUTION.md.

    python scripts/shipped_trials.py [FOLDER]

FOLDER (../shared unless given) holds `data/ctgov_v2`, `data/flagship_nct03739814` and `reference`. Two kinds of
records are written:

- NCT03739814, put together in the shape of API v2 from what is public of it, since no such record could be had. Its
  part `onstudy` says of each part where it comes from and of when it is. Nothing is filled in that no source says:
  of 274 sites the 209 that a source names are listed, and the present status is UNKNOWN.
- The trials of `ctgov_v2` with a leukemia among their conditions, and those of which a trial file ships, as example
  data. Kept are the modules named in KEPT; contacts, officials, investigators, references and documents are left out,
  and so are persons' names, e-mail addresses and telephone numbers wherever they stand in a text.

The same input gives the same bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
OUT = ROOT / "src/onstudy/registry/data"
FLAGSHIP = "NCT03739814"
LEUKEMIA = re.compile(r"leuka?emia", re.IGNORECASE)
#: What of a record is kept; within contactsLocationsModule only the locations, without their contacts.
KEPT = (
    "identificationModule", "statusModule", "sponsorCollaboratorsModule", "descriptionModule", "conditionsModule",
    "designModule", "armsInterventionsModule", "outcomesModule", "eligibilityModule", "contactsLocationsModule",
)  # fmt: skip
LOCATION = ("facility", "status", "city", "state", "zip", "country", "geoPoint")

LEFT_OUT = "[left out]"
PRACTICE_LEFT_OUT = "Private practice (name left out)"
SPONSOR_LEFT_OUT = "Sponsor-investigator (name left out)"
EMAIL = re.compile(r"[\w.+'-]+ ?@ ?[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(
    r"(?:(?:tel|telephone|phone|fax|call|mobile)[ .:#()]*(?:no\.?|number)?[ .:#()]*[+(]?\d[\d ().-]{5,}\d)"
    r"|(?:\+\d{1,3}[ .(-]{0,2}\d[\d ().-]{5,}\d)|(?:\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b)",
    re.IGNORECASE,
)
TITLED = re.compile(
    r"\b(?:Drs?|DDr|Prof|Professor|Doctor)\b\.?(?: ?(?:Dr|med)\b\.?)* ?"
    r"[A-Z][\w'-]*\.?(?: (?:and )?[A-Z][\w'-]*\.?){0,3}(?:['’]s?\b)?"
)
DEGREE = re.compile(r"(?:[A-Z][\w.'-]* ){1,3}[A-Z][\w'-]+,? (?:M\.?D\.?|Ph\.?D\.?)(?![\w.]* Anderson)\b")
INSTITUTION = re.compile(
    r"h[oôó]s?pi|clini|klini|cent[re]|universi|institut|medic|school|college|foundation|department|oncolog|health|"
    r"research|society|group|network|trust|cancer|polic|sanatori|site|pharma|inc\b|ltd|corporation",
    re.IGNORECASE,
)


def main() -> None:
    """Read the shared folder, write the two files, say what was written."""
    shared = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared"
    carriers = _carriers(shared)
    examples = [cleaned(study) for study in _studies(shared) if _ships(study)]
    examples.sort(key=_id)
    records = [flagship(shared), *examples]
    OUT.mkdir(parents=True, exist_ok=True)
    packed = _packed("".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in records))
    (OUT / "trials.jsonl.gz").write_bytes(packed)
    (OUT / "ATTRIBUTION.md").write_text(attribution(examples, carriers), encoding="utf-8")
    print(f"{len(records)} records, {len(packed)} bytes packed")


def _studies(shared: Path) -> list[dict[str, Any]]:
    with gzip.open(shared / "data/ctgov_v2/studies.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _carriers(shared: Path) -> dict[str, str]:
    with (shared / "data/ctgov_v2/provenance.csv").open(encoding="utf-8", newline="") as file:
        return {row["nct_id"]: row["repo"] for row in csv.DictReader(file)}


def _id(study: dict[str, Any]) -> str:
    return str(study["protocolSection"]["identificationModule"]["nctId"])


def _ships(study: dict[str, Any]) -> bool:
    conditions = study["protocolSection"]["conditionsModule"]["conditions"]
    encoded = (ROOT / f"src/onstudy/trials/{_id(study)}.yaml").is_file()
    return _id(study) != FLAGSHIP and (encoded or any(LEUKEMIA.search(text) for text in conditions))


def _packed(text: str) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0, filename="") as file:
        file.write(text.encode("utf-8"))
    return out.getvalue()


# Example records -------------------------------------------------------------------------------------------


def cleaned(study: dict[str, Any]) -> dict[str, Any]:
    """A record without contacts and without persons."""
    people = persons(study)
    protocol = {name: study["protocolSection"][name] for name in KEPT if name in study["protocolSection"]}
    protocol = _without(protocol, people)
    sponsors = protocol.get("sponsorCollaboratorsModule", {})
    sponsors.pop("responsibleParty", None)
    if "contactsLocationsModule" in protocol:
        locations = study["protocolSection"]["contactsLocationsModule"].get("locations", [])
        protocol["contactsLocationsModule"] = {"locations": [_location(one, people) for one in locations]}
    protocol["sponsorCollaboratorsModule"] = _sponsors(study, people)
    organization = protocol["identificationModule"].get("organization")
    if organization and _is_person(study["protocolSection"]["identificationModule"]["organization"], people):
        organization["fullName"] = SPONSOR_LEFT_OUT
    derived = study.get("derivedSection", {})
    kept = {
        name: {"meshes": derived[name]["meshes"]}
        for name in ("conditionBrowseModule", "interventionBrowseModule")
        if "meshes" in derived.get(name, {})
    }
    version = derived.get("miscInfoModule", {}).get("versionHolder")
    return {
        "protocolSection": protocol,
        "derivedSection": {**({"miscInfoModule": {"versionHolder": version}} if version else {}), **kept},
        "hasResults": study.get("hasResults", False),
    }


def persons(study: dict[str, Any]) -> set[str]:
    """The names of persons a record gives in the places made for them, bare of titles and degrees."""
    protocol = study["protocolSection"]
    people = protocol.get("contactsLocationsModule", {})
    named = [one.get("name") for one in [*people.get("centralContacts", []), *people.get("overallOfficials", [])]]
    for location in people.get("locations", []):
        named += [one.get("name") for one in location.get("contacts", [])]
    party = protocol.get("sponsorCollaboratorsModule", {}).get("responsibleParty", {})
    named += [party.get("investigatorFullName"), party.get("oldNameTitle")]
    bare = {_bare(name) for name in named if name}
    return {name for name in bare if len(name.split()) > 1 and not INSTITUTION.search(name)}


def _bare(name: str) -> str:
    name = re.sub(r"^(?:(?:Prof|Professor|Dr|DDr|Mr|Mrs|Ms|PI|Pr)\b\.? ?)+", "", name.strip(), flags=re.IGNORECASE)
    return re.split(r",| M\.?D\b| Ph\.?D\b|\. ?M\.?D", name)[0].strip(" .")


def _is_person(holder: dict[str, Any], people: set[str]) -> bool:
    name = str(holder.get("name") or holder.get("fullName") or "")
    if holder.get("class") == "INDIV" or _bare(name) in people:
        return True
    flipped = " ".join(part.strip() for part in reversed(name.split(",")))
    return any(flipped.casefold() == one.casefold() for one in people)


def _sponsors(study: dict[str, Any], people: set[str]) -> dict[str, Any]:
    given = study["protocolSection"].get("sponsorCollaboratorsModule", {})
    lead = dict(given.get("leadSponsor", {}))
    investigator = given.get("responsibleParty", {}).get("type") == "SPONSOR_INVESTIGATOR"
    if investigator or _is_person(lead, people):
        lead["name"] = SPONSOR_LEFT_OUT
    others = [one for one in given.get("collaborators", []) if not _is_person(one, people)]
    return {"leadSponsor": lead, **({"collaborators": others} if others else {})}


def _location(location: dict[str, Any], people: set[str]) -> dict[str, Any]:
    kept = {name: location[name] for name in LOCATION if name in location}
    facility = str(kept.get("facility", ""))
    if DEGREE.search(facility) and "Anderson" not in facility:
        kept["facility"] = PRACTICE_LEFT_OUT
    elif _bare(facility) in people or (not INSTITUTION.search(facility) and TITLED.search(facility)):
        del kept["facility"]
    elif facility:
        kept["facility"] = _without(facility, people, institution=True)
    return kept


def _without(value: Any, people: set[str], institution: bool = False) -> Any:
    """The same value with names, addresses and numbers of persons replaced in every text."""
    if isinstance(value, dict):
        return {name: _without(one, people) for name, one in value.items()}
    if isinstance(value, list):
        return [_without(one, people) for one in value]
    if not isinstance(value, str):
        return value
    text = PHONE.sub(LEFT_OUT, EMAIL.sub(LEFT_OUT, value))
    for name in sorted(people, key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(name)}\b", LEFT_OUT, text)
    return text if institution else DEGREE.sub(LEFT_OUT, TITLED.sub(LEFT_OUT, text))


# The flagship ----------------------------------------------------------------------------------------------

PAGE = "Find a Trial page for NCT03739814"
NCI = "NCI Clinical Trials Search API record, from the mock data of NCIOCPL/clinical-trials-search-app"
CT23 = "ClinicalTrials.gov record page, last update posted 2023-04-04"
MCG = "My Cancer Genome copy of the ClinicalTrials.gov record"
PAGE_DATE, NCI_DATE, CT23_DATE = "2026-05-15", "about 2021", "2023-04-04"
SUMMARY = (
    "This phase II trial gives inotuzumab ozogamicin as induction and then blinatumomab as consolidation to "
    "adults with CD22-positive B-cell acute lymphoblastic leukemia; ponatinib is added for Philadelphia "
    "chromosome-positive disease. Its first aims are to confirm that the sequence is tolerated, to estimate "
    "1-year event-free survival in newly diagnosed older patients who are not to be transplanted and in relapsed "
    "or refractory disease (both Philadelphia chromosome-negative), and to see whether adding ponatinib is "
    "feasible. Overall survival, relapse-free survival and remission rates are looked at as well. Bone marrow and "
    "peripheral blood for MRD are mandatory before registration; intrathecal methotrexate may be given at the "
    "lumbar puncture."
)
SITE_STATUS = {"ACTIVE": "RECRUITING", "TEMPORARILY_CLOSED_TO_ACCRUAL": "SUSPENDED"}


def flagship(shared: Path) -> dict[str, Any]:
    """NCT03739814 in the shape of API v2, every part with its source and date."""
    page = (shared / "reference/seed-find-a-trial-NCT03739814.txt").read_text(encoding="utf-8")
    nci = json.loads((shared / "data/flagship_nct03739814/nci_cts_record.json").read_text(encoding="utf-8"))
    page_title, _, official = page.split("\n", 3)[:3]
    criteria = _between(page, "Show full inclusion / exclusion criteria\n", "\n\nWhere this trial is running")
    conditions = _between(page, "Conditions: ", "\n").split(", ")
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": FLAGSHIP,
                "orgStudyIdInfo": {"id": nci["nci_id"]},
                "secondaryIdInfos": [{"id": "A041703", "type": "OTHER"}, {"id": "U10CA180821", "type": "NIH"}],
                "organization": {"fullName": "National Cancer Institute (NCI)", "class": "NIH"},
                "briefTitle": nci["brief_title"],
                "officialTitle": official,
            },
            "statusModule": {
                "overallStatus": "UNKNOWN",
                "lastKnownStatus": "SUSPENDED",
                "whyStopped": "Other - FDA Partial Clinical Hold",
                "studyFirstPostDateStruct": {"date": "2018-11-14"},
            },
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": "National Cancer Institute (NCI)", "class": "NIH"}},
            "descriptionModule": {"briefSummary": SUMMARY},
            "conditionsModule": {"conditions": _joined(conditions)},
            "designModule": {
                "studyType": "INTERVENTIONAL",
                "phases": ["PHASE2"],
                "designInfo": {
                    "allocation": "NON_RANDOMIZED",
                    "interventionModel": "PARALLEL",
                    "primaryPurpose": "TREATMENT",
                    "maskingInfo": {"masking": "NONE"},
                },
                "enrollmentInfo": {"count": 84, "type": "ESTIMATED"},
            },
            "armsInterventionsModule": {
                "interventions": [
                    {"type": "BIOLOGICAL", "name": "Inotuzumab Ozogamicin"},
                    {"type": "BIOLOGICAL", "name": "Blinatumomab"},
                    {"type": "DRUG", "name": "Ponatinib"},
                    {"type": "DRUG", "name": "Methotrexate"},
                ]
            },
            "eligibilityModule": {
                "eligibilityCriteria": criteria,
                "sex": "ALL",
                "minimumAge": "18 Years",
                "stdAges": ["ADULT", "OLDER_ADULT"],
            },
            "contactsLocationsModule": {"locations": [_nci_site(one) for one in nci["sites"]]},
        },
        "hasResults": False,
        "onstudy": {
            "note": (
                "Put together by onstudy from public sources in the shape of a ClinicalTrials.gov record; it is not "
                "that registry's record. The page of 2026-05-15 names no recruitment status and counts 274 sites; a "
                "list of 209 sites exists, as of about 2021, and which 65 came later or left is not known."
            ),
            "as_of": PAGE_DATE,
            "last_known_as_of": CT23_DATE,
            "sites_listed_as_of": NCI_DATE,
            "sites_total": 274,
            "sites_total_as_of": PAGE_DATE,
            "status_statements": [
                {"date": "2019-04-04", "status": "Recruiting", "source": "clinicaltrialsgps.com copy of the record"},
                {"date": NCI_DATE, "status": nci["current_trial_status"], "source": NCI},
                {
                    "date": CT23_DATE,
                    "status": "Suspended (Other - FDA Partial Clinical Hold)",
                    "source": CT23,
                },
                {"date": PAGE_DATE, "status": "not stated", "source": PAGE},
            ],
            "page_title": page_title,
            "page_interventions": _between(page, "Drugs / interventions", "\n"),
            "origins": [{"part": part, "source": source, "date": date} for part, source, date in ORIGINS],
        },
    }


ORIGINS = [
    ("briefTitle, orgStudyIdInfo", NCI, NCI_DATE),
    ("officialTitle", PAGE, PAGE_DATE),
    ("secondaryIdInfos", MCG, ""),
    ("overallStatus", "the page states none, so it is UNKNOWN; not the registry's word", PAGE_DATE),
    ("lastKnownStatus, whyStopped", CT23, CT23_DATE),
    ("studyFirstPostDateStruct", CT23, CT23_DATE),
    ("leadSponsor, phases, enrollmentInfo, conditions, sex, minimumAge", PAGE, PAGE_DATE),
    ("briefSummary", f"written by onstudy from the facts of {PAGE}", PAGE_DATE),
    ("designInfo", CT23, CT23_DATE),
    ("interventions: inotuzumab ozogamicin, blinatumomab", CT23, CT23_DATE),
    ("interventions: ponatinib, methotrexate", PAGE, PAGE_DATE),
    ("eligibilityCriteria", f"{PAGE}, word for word", PAGE_DATE),
    ("stdAges", "follows from the lowest age", PAGE_DATE),
    (
        "locations",
        f"{NCI}; ACTIVE is written RECRUITING, TEMPORARILY_CLOSED_TO_ACCRUAL is written SUSPENDED; "
        "two practices bear a physician's name, which is left out; one site in Anchorage, Alaska, has a ZIP code of "
        "Washington (98508), so its place on the map is that of its city",
        NCI_DATE,
    ),
    ("sites_total", PAGE, PAGE_DATE),
]


def _between(text: str, start: str, end: str) -> str:
    found = text.split(start, 1)
    if len(found) != 2 or end not in found[1]:
        raise SystemExit(f"the seed page lacks {start.strip()!r} ... {end.strip()!r}")
    return found[1].split(end, 1)[0].strip()


def _joined(parts: list[str]) -> list[str]:
    """Conditions of the page, whose first one has a comma of its own."""
    first = "B Acute Lymphoblastic Leukemia, Philadelphia Chromosome Negative"
    text = ", ".join(parts)
    if not text.startswith(first):
        raise SystemExit("the conditions of the seed page are not those expected")
    return [first, *text[len(first) :].lstrip(", ").split(", ")]


def _nci_site(site: dict[str, Any]) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT / "src"))
    from onstudy.registry.geography import STATES, folded, state_of_zip, us_city

    point, state = site.get("org_coordinates"), STATES[site["org_state_or_province"]]
    if state_of_zip(site["org_postal_code"]) not in ("", site["org_state_or_province"]):  # the point is the ZIP code's
        city = us_city(folded(site["org_city"]), folded(state))
        point = {"lat": round(city.lat, 4), "lon": round(city.lon, 4)} if city else None
    return {
        "facility": PRACTICE_LEFT_OUT if DEGREE.search(site["org_name"]) else site["org_name"],
        "status": SITE_STATUS[site["recruitment_status"]],
        "city": site["org_city"],
        "state": state,
        "zip": site["org_postal_code"],
        "country": site["org_country"],
        **({"geoPoint": {"lat": point["lat"], "lon": point["lon"]}} if point else {}),
    }


# Attribution -----------------------------------------------------------------------------------------------


def attribution(examples: list[dict[str, Any]], carriers: dict[str, str]) -> str:
    """ATTRIBUTION.md."""
    rows = [
        f"| {_id(one)} | {one['derivedSection'].get('miscInfoModule', {}).get('versionHolder', 'not stated')} "
        f"| {carriers.get(_id(one), 'not stated')} |"
        for one in examples
    ]
    origins = [f"| {part} | {source} | {date or 'not stated'} |" for part, source, date in ORIGINS]
    return "\n".join(
        [
            "# Where the shipped trials come from",
            "",
            "Written by `scripts/shipped_trials.py`. Records change: none of these is today's, and none was made or",
            "endorsed by those named here. They are examples; import or update the registry for current records.",
            "",
            f"## {FLAGSHIP}",
            "",
            "Put together from public sources in the shape of a ClinicalTrials.gov record (API v2). It is not the",
            "registry's record, and says so itself in its part `onstudy`.",
            "",
            "| part | source | as of |",
            "|---|---|---|",
            *origins,
            "",
            "## Example records",
            "",
            "ClinicalTrials.gov, U.S. National Library of Medicine (NLM); the texts are the sponsors'. Changed:",
            "contacts, officials, investigators, responsible parties, references, documents, oversight, data-sharing",
            "plans and results are left out; names of persons, e-mail addresses and telephone numbers in texts are",
            f"replaced by `{LEFT_OUT}`. Taken from public copies of the registry's downloads:",
            "",
            "| trial | data of | copy |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
