"""The project's own forms in FHIR, shared by reader and writer; docs/formats.md shows each in use.

Codes of kinds, value-set members and attributes are in the code system `https://onstudy.dev/codes`. What
FHIR has no element for is an extension below `https://onstudy.dev/fhir/`.
"""

from __future__ import annotations

from onstudy.readers.fhir_json import Json, items, text
from onstudy.values.codes import ONSTUDY

FHIR_BASE = "https://onstudy.dev/fhir/"
CODES = ONSTUDY

#: On any resource: an attribute of the fact, `attribute/NAME`, its value as value[x]. Repeated: one of these.
ATTRIBUTE = f"{FHIR_BASE}attribute/"
#: On a date element: the moment as the project writes it (`2025-11..2026-01`, a local time without offset).
WHEN = f"{FHIR_BASE}when"
#: On any resource: the day it was recorded, where the resource has no element for that.
RECORDED = f"{FHIR_BASE}recorded"
#: On any resource: suspected, not certain (valueBoolean).
SUSPECTED = f"{FHIR_BASE}suspected"
#: On a period: still going on, no end known (valueBoolean).
ONGOING = f"{FHIR_BASE}ongoing"
#: On an Observation: one of several codes its value may be (valueCoding), repeated.
ONE_OF = f"{FHIR_BASE}one-of"
#: On the low or high of a Range: the bound itself is not included (valueBoolean).
OPEN = f"{FHIR_BASE}open"
#: On a Patient: a kind, or all, is completely recorded (parts kind, from, to).
COVERAGE = f"{FHIR_BASE}coverage"
#: Identifier systems: the fact's id, and the sample it belongs to (as a logical reference to a Specimen).
FACT_ID = f"{FHIR_BASE}fact"
SAMPLE = f"{FHIR_BASE}sample"
PATIENT_ID = f"{FHIR_BASE}patient"

#: US Core: the day a Condition was first asserted, where its `recordedDate` is not filled in.
ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"

# HL7's own code systems ------------------------------------------------------------------------------

_HL7 = "http://terminology.hl7.org/CodeSystem/"
INTERPRETATION = f"{_HL7}v3-ObservationInterpretation"
ABSENT_REASON = f"{_HL7}data-absent-reason"
CONDITION_CLINICAL = f"{_HL7}condition-clinical"
CONDITION_VERIFICATION = f"{_HL7}condition-ver-status"
OBSERVATION_CATEGORIES = (f"{_HL7}observation-category", "http://hl7.org/fhir/observation-category")
VITAL_SIGNS = "vital-signs"
YES_NO = f"{_HL7}v2-0136"
#: The label of test data (R4, security-labels.html): in `meta.security`, or in `meta.tag` as some have it.
TEST_DATA_LABEL = {"system": f"{_HL7}v3-ActReason", "code": "HTEST", "display": "test health data"}
LABELS = ("security", "tag")


def is_labelled_test_data(meta: Json) -> bool:
    """Whether the `meta` of a resource says that it is test data."""
    labels = (label for key in LABELS for label in items(meta, key))
    return any(all(text(label, key) == TEST_DATA_LABEL[key] for key in ("system", "code")) for label in labels)


#: What an interpretation says of a test that is negative or positive.
INTERPRETATIONS = {
    "POS": "positive",
    "DET": "positive",
    "RR": "positive",
    "NEG": "negative",
    "ND": "negative",
    "NR": "negative",
}
INTERPRETATION_SYSTEMS = (INTERPRETATION, f"{_HL7}v2-0078", "http://hl7.org/fhir/v2/0078")
