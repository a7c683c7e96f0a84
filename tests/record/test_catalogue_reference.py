"""The codes of the shipped catalogue are those of the reference, with their status, and no others."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.values.codes import ATC, ICD10CM, LOINC, RXNORM, SNOMED, Code

MEDDRA = "https://www.meddra.org"

#: Seen in DICOM context group 3736 (NYHA Classification), which also says which code is which class.
NYHA_III = Code(SNOMED, "420913000")
#: What a specimen is, which the reference does not list: seen in the examples and value sets of public FHIR
#: implementation guides (HL7's own Specimen examples, those of Germany, the Czech Republic and the United States).
SPECIMENS = {
    Code(SNOMED, code)
    for code in (
        "119297000", "122555007", "122554006", "258580003", "122592007", "119364003", "119361006", "122575003",
        "258450006", "119359002", "418564007", "309201001",
    )
}  # fmt: skip
NOT_IN_REFERENCE = {NYHA_III, *SPECIMENS}
NYHA = {"420816009", "421704003", "420300004", "422293003"}

CVX = "http://hl7.org/fhir/sid/cvx"
#: What trials other than the flagship need, all of status V: each stands in the shared FHIR or OMOP data.
SEEN_IN_DATA = {
    LOINC: {"5902-2", "6301-6", "8462-4", "8480-6", "55284-4", "85354-9"},
    SNOMED: {
        "13569004", "32413006", "43075005", "6072007", "69896004", "76571007", "88039007", "91302008", "94225005",
        "180207008", "200936003", "232657004", "232717009", "254632001", "254637007", "287664005", "359615001",
        "422968005", "423121009", "424132000", "425048006", "448417001", "448813005", "706870000", "770349000",
        "132281000119108", "1098951000119108", "67811000119102", "67821000119109", "67831000119107",
        "67841000119103",
    },
    RXNORM: {
        "56946", "309311", "349472", "583214", "597195", "1148495", "1727455", "1736854", "1860480", "2103164",
    },
    CVX: {"08", "10", "33", "43", "52", "113", "119", "121", "133", "140"},
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def reference_section(shared: Path, number: str, following: str) -> str:
    text = (shared / "reference/nct03739814.md").read_text(encoding="utf-8")
    return text[text.index(f"### {number} ") : text.index(f"### {following} ")]


def used_codes(catalogue: Catalogue, system: str) -> dict[str, set[str]]:
    """Every code of a system that the reference must know, with the statuses it has in the catalogue."""
    return {
        code: statuses
        for code, statuses in all_codes(catalogue, system).items()
        if code not in SEEN_IN_DATA.get(system, ())
    }


def all_codes(catalogue: Catalogue, system: str) -> dict[str, set[str]]:
    """Every code of a system in the catalogue with the statuses it has there."""
    found: dict[str, set[str]] = {}
    members = [member for values in catalogue.value_sets.values() for member in values.members.values()]
    for entry in (*catalogue, *members):
        for use in entry.codes:
            if use.code.system == system:
                found.setdefault(use.code.code, set()).add(use.status)
    return found


def test_loinc_codes_are_those_of_the_reference_with_their_status(catalogue: Catalogue, shared: Path) -> None:
    stated: dict[str, set[str]] = {}
    for line in reference_section(shared, "3.1", "3.2").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        codes = re.findall(r"\b[0-9]{1,5}-[0-9]\b", cells[2]) if len(cells) > 5 else []
        statuses = re.findall(r"\b[VC]\b", cells[5]) if codes else []
        for place, code in enumerate(codes):
            stated[code] = {statuses[place if len(statuses) == len(codes) else 0]}
    assert len(stated) > 50
    assert used_codes(catalogue, LOINC) == stated


def test_snomed_codes_are_those_of_the_reference_with_their_status(catalogue: Catalogue, shared: Path) -> None:
    stated: dict[str, set[str]] = {}
    for line in reference_section(shared, "3.4", "3.5").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        for code in re.findall(r"\b[0-9]{7,9}\b", cells[2]) if len(cells) > 3 else []:
            stated[code] = {cells[3][0]}
    used = used_codes(catalogue, SNOMED)
    assert used.keys() - stated.keys() == {code.code for code in NOT_IN_REFERENCE}
    assert stated.keys() <= used.keys()
    # The reference lists the NYHA codes without knowing which is which class; see the value set.
    assert {code: used[code] for code in stated.keys() - NYHA} == {
        code: status for code, status in stated.items() if code not in NYHA
    }


def test_icd_10_cm_codes_are_those_of_the_reference(catalogue: Catalogue, shared: Path) -> None:
    text = reference_section(shared, "3.3", "3.4")
    stated = set(re.findall(r"\b[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?(?:-|\.-)?", text))
    ranges = {"D89.810-", "D89.831-", "D89.834", "G92.00-", "G92.05"}  # written from a first to a last code
    graft = {"D89.810", "D89.811", "D89.812", "D89.813"}
    assert used_codes(catalogue, ICD10CM).keys() == (stated - ranges - {"C91.0"}) | graft | {"G92.0-"}
    assert {status for found in used_codes(catalogue, ICD10CM).values() for status in found} == {"V"}


def test_drug_codes_are_those_of_the_reference_with_their_status(catalogue: Catalogue, shared: Path) -> None:
    text = reference_section(shared, "3.5", "3.6")
    recalled = {"103", "5552", "1307298", "1999574", "7004"}
    stated = set(re.findall(r"\b[0-9]{3,7}\b", text)) - {"2026"}
    assert used_codes(catalogue, RXNORM) == {code: {"M" if code in recalled else "V"} for code in stated}
    atc = set(re.findall(r"\b[A-Z][0-9]{2}[A-Z]{2}[0-9]{2}\b", text)) - {"M05BX04"}
    of_a_range = {"L01EA02", "L01EA03", "L01EA04"}
    assert used_codes(catalogue, ATC).keys() == atc | of_a_range | {"L01EA-", "L01FA-", "L01FB-"}


def test_adverse_event_codes_are_those_of_the_reference(catalogue: Catalogue, shared: Path) -> None:
    text = reference_section(shared, "5.5", "5.6")
    assert used_codes(catalogue, MEDDRA).keys() == set(re.findall(r"\b10[0-9]{6}\b", text))


def test_codes_beyond_the_reference_stand_in_the_shared_data(catalogue: Catalogue, shared: Path) -> None:
    with gzip.open(shared / "data/omop_synthea27nj/CONCEPT.csv.gz", "rt", encoding="utf-8") as file:
        text = file.read()
    for path in sorted((shared / "data/fhir_synthea_r4").glob("*.json.gz")):
        text += gzip.decompress(path.read_bytes()).decode("utf-8")
    for path in sorted((shared / "data/fhir_mcode").glob("*.fsh")):
        text += path.read_text(encoding="utf-8")
    seen = set(re.findall(r'[,"#]([0-9][0-9-]+)[," \n]', text))
    for system, codes in SEEN_IN_DATA.items():
        used = all_codes(catalogue, system)
        assert {code: used.get(code) for code in codes} == {code: {"V"} for code in codes}
        assert codes - seen == set(), system
