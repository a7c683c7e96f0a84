"""Codes: always a pair of system and code, the systems under their one canonical name.

The same code means different things in different systems (2106-3 is a pregnancy test in LOINC and a race
in the CDC's system), so a code is never compared without its system.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from onstudy.errors import OnstudyError

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"
ONSTUDY = "https://onstudy.dev/codes"

#: What else a system is called: object identifiers, and the short names of tables and vocabularies.
#: WHO's ICD-10 is another system than ICD-10-CM and is deliberately not among them.
_ALIASES: dict[str, tuple[str, ...]] = {
    LOINC: ("2.16.840.1.113883.6.1", "LOINC", "LN"),
    SNOMED: ("2.16.840.1.113883.6.96", "SNOMED", "SNOMED CT", "SNOMED-CT", "SNOMEDCT", "SNOMEDCT_US", "SCT"),
    RXNORM: ("2.16.840.1.113883.6.88", "RxNorm"),
    ICD10CM: ("2.16.840.1.113883.6.90", "ICD-10-CM", "ICD10-CM", "ICD10CM"),
    ATC: ("2.16.840.1.113883.6.73", "ATC", "WHO ATC"),
    UCUM: ("2.16.840.1.113883.6.8", "UCUM"),
    ONSTUDY: ("onstudy",),
}


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A code within its system; `system` is canonical where it went through `canonical_system`."""

    system: str
    code: str

    def __str__(self) -> str:
        return f"{self.system}|{self.code}"


def _reduced(text: str) -> str:
    """A system's name without what spellings differ in: scheme, case, a version after "|", a last slash."""
    name = text.strip().partition("|")[0].strip().lower().rstrip("/#")
    return re.sub(r"^(?:https?://|urn:oid:)", "", name)


_CANONICAL = {_reduced(name): uri for uri, names in _ALIASES.items() for name in (uri, *names)}
_SNOMED_EDITION = re.compile(re.escape(_reduced(SNOMED)) + r"/[0-9]+(?:/version/[0-9]+)?")


@lru_cache(maxsize=4096)
def canonical_system(text: str) -> str:
    """The one name of a code system, whatever it is called: by URI, object identifier or short name.

    An edition of SNOMED CT (`.../sct/731000124108/version/20240901`) is SNOMED CT. A system that is not
    known keeps its own name, and so matches nothing of ours.
    """
    name = _reduced(text)
    if _SNOMED_EDITION.fullmatch(name):
        return SNOMED
    return _CANONICAL.get(name, text.strip())


def loinc_check_digit_ok(code: str) -> bool:
    """Whether a LOINC number ends in its own check digit: Luhn's sum, modulo 10, after the hyphen."""
    match = re.fullmatch(r"([0-9]{1,7})-([0-9])", code)
    if match is None:
        return False
    doubled = [int(digit) * 2 for digit in reversed(match[1])][::2]
    plain = [int(digit) for digit in reversed(match[1])][1::2]
    total = sum(number // 10 + number % 10 for number in doubled) + sum(plain)
    return (total + int(match[2])) % 10 == 0


def snomed_check_digit_ok(code: str) -> bool:
    """Whether a SNOMED CT identifier of 6 to 18 digits ends in its own check digit (Verhoeff)."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", code):
        return False
    state = 0
    for place, digit in enumerate(reversed(code)):
        state = _dihedral(state, _permuted(int(digit), place % 8))
    return state == 0


def _dihedral(a: int, b: int) -> int:
    """The product of two elements of the dihedral group of order 10: 0-4 turn, 5-9 turn and mirror."""
    turned = (a + b) % 5 if a < 5 else (a - b) % 5
    return turned if (a < 5) == (b < 5) else turned + 5


_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _permuted(digit: int, times: int) -> int:
    """Verhoeff's permutation of a digit, applied as often as the digit's place says."""
    for _ in range(times):
        digit = _STEP[digit]
    return digit


# ICD-10-CM ------------------------------------------------------------------------------------------

_ICD10CM_KEY = re.compile(r"[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}")


def icd10cm_key(code: str) -> str:
    """An ICD-10-CM code as it is compared: capitals, no dot ("c91.00" is "C9100"); "" if it is none."""
    key = code.strip().upper()
    key = key[:3] + key[4:] if key[3:4] == "." else key
    return key if _ICD10CM_KEY.fullmatch(key) else ""


def icd10cm_matches(pattern: str, code: str) -> bool:
    """Whether a recorded code, dotted or not, is meant by a pattern of the catalogue.

    A pattern that ends in a hyphen is a category with all below it: "C91.A-" means C91.A, C91.A0 and
    C91.A1; any other pattern means that very code. Raises `OnstudyError` for a pattern that is no code.
    """
    key = icd10cm_key(code)
    prefix, whole = _pattern_key(pattern)
    return key == prefix if whole else bool(key) and key.startswith(prefix)


@lru_cache(maxsize=4096)
def _pattern_key(pattern: str) -> tuple[str, bool]:
    stem = pattern.strip().rstrip("-").rstrip(".")
    key = icd10cm_key(stem)
    if not key:
        raise OnstudyError(f"{pattern!r} is not an ICD-10-CM code or category; write C91.00, C91.A- or I21.-")
    return key, not pattern.strip().endswith("-")
