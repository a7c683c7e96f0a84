"""Codes: systems under one name, check digits, categories of ICD-10-CM."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onstudy.errors import OnstudyError
from onstudy.values.codes import (
    ATC,
    ICD10CM,
    LOINC,
    ONSTUDY,
    RXNORM,
    SNOMED,
    UCUM,
    Code,
    canonical_system,
    icd10cm_key,
    icd10cm_matches,
    loinc_check_digit_ok,
    snomed_check_digit_ok,
)

# Every code of the clinical reference, sections 3.1 and 3.4.
LOINC_CODES = """
    10230-1 11011-4 11259-9 13952-7 14017-8 14631-6 14682-9 16128-1 16933-4 1742-6 18043-0 19080-1 1920-8
    1975-2 20416-4 20447-9 2106-3 21112-8 2118-8 21198-7 2160-0 2164-2 26446-5 26453-1 26454-9 26464-8
    26465-5 26474-7 26499-4 26515-7 29463-7 29615-2 30376-8 3140-1 34922-5 35050-4 35591-7 38483-4 42595-9
    42719-5 5195-3 5196-1 6690-2 69380-4 718-7 731-0 751-8 76634-5 76635-2 777-3 789-8 792-2 806-0 8277-6
    8302-2 8634-8 8636-3 8637-1 88020-3 8806-2 8867-4 89247-1
""".split()
SNOMED_CODES = """
    108290001 127788007 128302006 194828000 19943007 22298006 230690007 234336002 234646005 254651007
    254701007 271594007 27503000 277571004 277762005 27885002 328383001 363346000 40701008 420300004
    420816009 421704003 422293003 42343007 44103008 441509002 44808001 4557003 49049000 49401003 50711007
    52448006 52486002 60168000 61977001 65617004 66071002 698247007 77386006 84114007 84757009
    86406008 87486003 91175000
""".split()


def _with_other_digit(code: str, place: int, by: int) -> str:
    digit = (int(code[place]) + by) % 10
    return f"{code[:place]}{digit}{code[place + 1 :]}"


@pytest.mark.parametrize("code", LOINC_CODES)
def test_every_loinc_number_of_the_reference_has_its_check_digit(code: str) -> None:
    assert loinc_check_digit_ok(code)


@pytest.mark.parametrize("code", SNOMED_CODES)
def test_every_snomed_identifier_of_the_reference_has_its_check_digit(code: str) -> None:
    assert snomed_check_digit_ok(code)


def test_the_lists_are_those_of_the_reference(shared: Path) -> None:
    text = (shared / "reference/nct03739814.md").read_text(encoding="utf-8")
    loinc = text[text.index("### 3.1 LOINC") : text.index("### 3.2")]
    snomed = text[text.index("### 3.4 SNOMED") : text.index("### 3.5")]
    assert set(LOINC_CODES) == set(re.findall(r"\b[0-9]{3,5}-[0-9]\b", loinc))
    assert set(SNOMED_CODES) == set(re.findall(r"\b[0-9]{6,18}\b", snomed))


@pytest.mark.parametrize("code", LOINC_CODES)
def test_one_changed_digit_of_a_loinc_number_is_noticed(code: str) -> None:
    places = [place for place, sign in enumerate(code) if sign != "-"]
    assert not any(loinc_check_digit_ok(_with_other_digit(code, place, 1)) for place in places)


@pytest.mark.parametrize("code", SNOMED_CODES)
def test_changed_and_exchanged_digits_of_a_snomed_identifier_are_noticed(code: str) -> None:
    for place in range(1, len(code)):
        for by in range(1, 10):
            assert not snomed_check_digit_ok(_with_other_digit(code, place, by))
        exchanged = code[: place - 1] + code[place] + code[place - 1] + code[place + 1 :]
        if exchanged != code:
            assert not snomed_check_digit_ok(exchanged)


@pytest.mark.parametrize("text", ["", "1975", "1975-", "-2", "1975-22", "1975-2 ", "LP1975-2", "１975-2", "1975‑2"])
def test_what_is_not_written_as_a_loinc_number_is_none(text: str) -> None:
    assert not loinc_check_digit_ok(text)


@pytest.mark.parametrize("text", ["", "0", "00000", "12345", "022298006", "22298006 ", "2" * 19, "٢٢٢٩٨٠٠٦"])
def test_what_is_not_written_as_a_snomed_identifier_is_none(text: str) -> None:
    assert not snomed_check_digit_ok(text)


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ("http://loinc.org", LOINC),
        ("https://loinc.org/", LOINC),
        ("urn:oid:2.16.840.1.113883.6.1", LOINC),
        ("2.16.840.1.113883.6.1", LOINC),
        ("LOINC", LOINC),
        (" loinc ", LOINC),
        ("http://loinc.org|2.77", LOINC),
        ("http://snomed.info/sct", SNOMED),
        ("http://snomed.info/sct/731000124108", SNOMED),
        ("http://snomed.info/sct/731000124108/version/20240901", SNOMED),
        ("http://snomed.info/sct|http://snomed.info/sct/731000124108/version/20240901", SNOMED),
        ("SNOMED-CT", SNOMED),
        ("urn:oid:2.16.840.1.113883.6.96", SNOMED),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", RXNORM),
        ("RxNorm", RXNORM),
        ("urn:oid:2.16.840.1.113883.6.88", RXNORM),
        ("http://hl7.org/fhir/sid/icd-10-cm", ICD10CM),
        ("ICD10CM", ICD10CM),
        ("urn:oid:2.16.840.1.113883.6.90", ICD10CM),
        ("http://www.whocc.no/atc", ATC),
        ("ATC", ATC),
        ("http://unitsofmeasure.org", UCUM),
        ("https://onstudy.dev/codes", ONSTUDY),
        ("onstudy", ONSTUDY),
    ],
)
def test_a_system_has_one_name(text: str, system: str) -> None:
    assert canonical_system(text) == system


@pytest.mark.parametrize(
    "text",
    [
        "http://hl7.org/fhir/sid/icd-10",
        "ICD-10",
        "urn:oid:2.16.840.1.113883.6.238",
        "http://loinc.org.example.com",
        "http://snomed.info/sctx",
        "http://snomed.info/sct/one/version/two",
        "http://snomed.info/sct/731000124108/refset",
        "",
    ],
)
def test_a_system_that_is_not_known_keeps_its_own_name(text: str) -> None:
    assert canonical_system(text) == text
    assert canonical_system(f" {text} ") == text


def test_the_same_code_in_two_systems_is_two_codes() -> None:
    pregnancy_test = Code(canonical_system("LOINC"), "2106-3")
    race = Code(canonical_system("urn:oid:2.16.840.1.113883.6.238"), "2106-3")
    assert pregnancy_test != race
    assert str(pregnancy_test) == "http://loinc.org|2106-3"


@pytest.mark.parametrize(
    ("pattern", "code", "meant"),
    [
        ("C91.A-", "C91.A0", True),
        ("C91.A-", "C91A0", True),
        ("C91.A-", "c91.a1", True),
        ("C91.A-", "C91.A", True),
        ("C91.A-", "C91.00", False),
        ("C91.A-", "C91", False),
        ("I21.-", "I21.4", True),
        ("I21.-", "I214", True),
        ("I21.-", "I21", True),
        ("I21.-", "I21.A1", True),
        ("I21.-", "I25.2", False),
        ("D89.83-", "D89.831", True),
        ("D89.83-", "D89.813", False),
        ("S06.-", "S06.0X0A", True),
        ("C91.00", "C91.00", True),
        ("C91.00", "C9100", True),
        ("C91.00", "C91.0", False),
        ("C91.00", "C91.001", False),
        ("B20", "B20", True),
        ("B20", "B20.1", False),
        ("E80.4", "E80.4", True),
        ("C91.-", "", False),
        ("C91.-", "C91.00 in remission", False),
        ("C91.-", "C9.100", False),
    ],
)
def test_a_category_means_all_below_it_and_a_code_itself(pattern: str, code: str, meant: bool) -> None:
    assert icd10cm_matches(pattern, code) is meant


@pytest.mark.parametrize("pattern", ["", "-", "91.-", "C9-", "C91.00.0", "http://x", "C91.-.-"])
def test_a_pattern_that_is_no_code_is_a_mistake_of_the_catalogue(pattern: str) -> None:
    with pytest.raises(OnstudyError, match="not an ICD-10-CM code"):
        icd10cm_matches(pattern, "C91.00")


@pytest.mark.generative
@given(st.text())
def test_no_text_from_a_record_is_too_strange(text: str) -> None:
    assert canonical_system(canonical_system(text)) == canonical_system(text)
    loinc_check_digit_ok(text)
    snomed_check_digit_ok(text)
    assert icd10cm_matches("C91.-", text) == icd10cm_key(text).startswith("C91")
