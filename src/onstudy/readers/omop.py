"""OMOP CDM 5.4: what a row says, as the FHIR resource that says the same, so that one set of rules reads both.

A row is its *saying* (concepts, unit, operator, qualifiers), which many rows share, and its own id, dates and
numbers. docs/omop.md tells what becomes of each column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from onstudy.readers.fhir_own import (
    ABSENT_REASON,
    ATTRIBUTE,
    CONDITION_CLINICAL,
    CONDITION_VERIFICATION,
    INTERPRETATION,
    SUSPECTED,
    TEST_DATA_LABEL,
    WHEN,
)
from onstudy.readers.reading import LACKS
from onstudy.record.catalogue import Catalogue
from onstudy.values.codes import ONSTUDY, UCUM, canonical_system
from onstudy.values.quantity import normalise_unit

Json = dict[str, Any]

CONDITION, DRUG, PROCEDURE = "condition_occurrence", "drug_exposure", "procedure_occurrence"
MEASUREMENT, OBSERVATION = "measurement", "observation"
#: The tables of events, and the resource that each row of one becomes.
RESOURCES: Mapping[str, str] = {
    CONDITION: "Condition",
    DRUG: "MedicationStatement",
    PROCEDURE: "Procedure",
    MEASUREMENT: "Observation",
    OBSERVATION: "Observation",
}
#: The id column that a row of `observation` or `measurement` may refer to, by the concept of that column.
FIELDS: Mapping[int, str] = {
    1147127: CONDITION,
    1147094: DRUG,
    1147082: PROCEDURE,
    1147138: MEASUREMENT,
    1147165: OBSERVATION,
}
#: Concepts of OMOP's own that say how a row is meant, by their concept ids.
OPERATORS: Mapping[int, str] = {4171754: "<=", 4171755: ">=", 4171756: "<", 4172703: "", 4172704: ">"}
GENDERS: Mapping[int, str] = {8507: "male", 8532: "female"}
#: An observation of one of these speaks of its value: it was never there; it happened at some time before.
NO_EVIDENCE_OF, HISTORY_OF = 4211787, 1340204
#: Condition statuses that leave a diagnosis open, by name (vocabulary "Condition Status").
UNSURE = frozenset({"preliminary diagnosis", "differential diagnosis", "condition to be diagnosed by procedure"})
#: A source value that no concept stands for is a code of this system; a site's mapping file may name it.
SOURCE_VALUE = "urn:onstudy:omop:source-value"
#: What an own concept that refers to a row may say beside attributes: its date as text, from when on it speaks (the
#: row's own date is then the end), that it is suspected.
WHEN_SAID, FROM_SAID, SUSPECTED_SAID = "when", "from", "suspected"
_SYNTHETIC = re.compile(r"\bsynthetic\b", re.IGNORECASE)
_NO_ATTRIBUTES = frozenset({WHEN_SAID, FROM_SAID, SUSPECTED_SAID})

#: OMOP's names of vocabularies that differ from what the code systems are called elsewhere.
_SYSTEMS = {"CVX": "http://hl7.org/fhir/sid/cvx", "MedDRA": "https://www.meddra.org"}


@dataclass(frozen=True, slots=True)
class Concept:
    """A row of `concept`: vocabulary, code, name."""

    vocabulary: str
    code: str
    name: str

    @property
    def system(self) -> str:
        """The code system its vocabulary is."""
        return _SYSTEMS.get(self.vocabulary) or canonical_system(self.vocabulary)

    def coding(self) -> Json:
        """It as a coding."""
        return {"system": self.system, "code": self.code, "display": self.name}


@dataclass(frozen=True, slots=True)
class Saying:
    """What a row says beside its id, dates and numbers: `concepts` are its standard and its source concept."""

    table: str
    concepts: tuple[Concept, ...] = ()
    called: str = ""  # the source value
    meant: int = 0  # NO_EVIDENCE_OF or HISTORY_OF, where its value is what it is about
    value: tuple[Concept, ...] = ()
    words: str = ""  # a value in words
    operator: str = ""
    unit: str = ""
    route: tuple[Concept, ...] = ()
    unsure: bool = False
    going: bool = False  # its end lies where the source itself ends, so it is not known to be over
    qualifiers: tuple[tuple[str, Concept | str], ...] = ()  # what own concepts that refer to the row say


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its saying, and what is its own. Dates and numbers are text, "" where there is none."""

    saying: Saying
    id: str
    start: str = ""
    end: str = ""
    number: str = ""
    low: str = ""
    high: str = ""


def resource_of(row: Row, catalogue: Catalogue) -> Json:
    """The FHIR resource that says what a row says."""
    saying = row.saying
    if saying.table == CONDITION:
        return _condition(row)
    if saying.table == DRUG:
        return _medication(row)
    if saying.table == PROCEDURE:
        return _procedure(row)
    if saying.meant == NO_EVIDENCE_OF:
        return _condition(row, refuted=True)
    if saying.meant == HISTORY_OF:
        return _condition(row, history=True)
    return _observation(row, catalogue)


def says_synthetic(names: Iterable[str]) -> bool:
    """Whether the names of a source in `cdm_source` say that nobody in it is real.

    The CDM has no field for that; OHDSI's converter of generated records writes "Synthea synthetic health database".
    """
    return any(_SYNTHETIC.search(name) for name in names)


def person_of(id: str, gender: str, birth: str, dead: bool, synthetic: bool) -> Json:
    """The Patient resource of a row of `person`; `birth` is "" where none is stated."""
    resource: Json = {"resourceType": "Patient", "id": id}
    resource |= {"meta": {"security": [TEST_DATA_LABEL]}} if synthetic else {}
    resource |= {"gender": gender} if gender else {}
    resource |= {"deceasedBoolean": True} if dead else {}
    return resource | ({"birthDate": birth} if birth else {})


def _framed(sort: str, row: Row) -> Json:
    """A resource with its id and what own concepts say that FHIR has no element for."""
    found: Json = {"resourceType": sort, "id": row.id}
    extensions = [
        {"url": f"{ATTRIBUTE}{name}", **_value_of(said)}
        for name, said in row.saying.qualifiers
        if name not in _NO_ATTRIBUTES
    ]
    if any(name == SUSPECTED_SAID for name, _ in row.saying.qualifiers):
        extensions.append({"url": SUSPECTED, "valueBoolean": True})
    return found | ({"extension": extensions} if extensions else {})


def _value_of(said: Concept | str) -> Json:
    if isinstance(said, Concept):
        return {"valueCodeableConcept": {"coding": [said.coding()]}}
    return {"valueString": said}


def _concept(concepts: tuple[Concept, ...], called: str = "") -> Json:
    """Concepts of one meaning; without any, the source value as a code of its own."""
    if concepts:
        return {"coding": [concept.coding() for concept in concepts], "text": concepts[0].name}
    if called:
        return {"coding": [{"system": SOURCE_VALUE, "code": called}], "text": called}
    return {}


def _dated(key: str, row: Row, date: str) -> Json:
    """A date element, said exactly by an own concept where the CDM has no form for it."""
    exact = _text_said(row, WHEN_SAID)
    found = {key: date} if date else {}
    return found | ({f"_{key}": {"extension": [{"url": WHEN, "valueString": exact}]}} if exact else {})


def _text_said(row: Row, wanted: str) -> str:
    return next((said for name, said in row.saying.qualifiers if name == wanted and isinstance(said, str)), "")


def _status(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


# The types -----------------------------------------------------------------------------------------------


def _condition(row: Row, refuted: bool = False, history: bool = False) -> Json:
    saying = row.saying
    found = _framed("Condition", row)
    verified = "refuted" if refuted else "provisional" if saying.unsure else "confirmed"
    found["verificationStatus"] = _status(CONDITION_VERIFICATION, verified)
    found["code"] = _concept(saying.value if refuted or history else saying.concepts, saying.called)
    if refuted:
        return found | _dated("recordedDate", row, row.start)
    if history:  # it lies before the day that was recorded
        return found | ({"recordedDate": row.start} if row.start else {})
    found |= _dated("onsetDateTime", row, row.start)
    if saying.going:
        found["clinicalStatus"] = _status(CONDITION_CLINICAL, "active")
    elif row.end:
        found |= {"clinicalStatus": _status(CONDITION_CLINICAL, "resolved"), "abatementDateTime": row.end}
    return found


def _medication(row: Row) -> Json:
    saying = row.saying
    found = _framed("MedicationStatement", row)
    found["status"] = "active" if saying.going else "completed" if row.end else "unknown"
    found["medicationCodeableConcept"] = _concept(saying.concepts, saying.called)
    found["effectivePeriod"] = _period(row)
    if saying.route:
        found["dosage"] = [{"route": _concept(saying.route)}]
    return found


def _procedure(row: Row) -> Json:
    saying = row.saying
    found = _framed("Procedure", row)
    found["status"] = "completed" if not saying.going else "in-progress"
    found["code"] = _concept(saying.concepts, saying.called)
    if row.end and row.end != row.start:
        return found | {"performedPeriod": _period(row)}
    return found | _dated("performedDateTime", row, row.start)


def _period(row: Row) -> Json:
    found = _dated("start", row, row.start)
    return found | ({"end": row.end} if row.end and not row.saying.going else {})


# Results -------------------------------------------------------------------------------------------------


def _observation(row: Row, catalogue: Catalogue) -> Json:
    saying = row.saying
    found = _framed("Observation", row) | {"status": "final", "code": _concept(saying.concepts, saying.called)}
    if row.end:
        found["effectivePeriod"] = _period(row)
    else:
        found |= _dated("effectiveDateTime", row, row.start)
    found |= _value(row, catalogue)
    limits = {side: _quantity(text, saying.unit) for side, text in (("low", row.low), ("high", row.high)) if text}
    return found | ({"referenceRange": [limits]} if limits else {})


def _value(row: Row, catalogue: Catalogue) -> Json:
    """A number, with what a concept beside it says of detection; else the concept; else words."""
    saying = row.saying
    reason = next((c.code for c in saying.value if c.system == ONSTUDY and c.code in LACKS), "")
    if reason:
        return {"dataAbsentReason": {"coding": [_absent(reason), {"system": ONSTUDY, "code": reason}]}}
    if row.number:
        found: Json = {"valueQuantity": _quantity(row.number, saying.unit, saying.operator)}
        word = _result(saying.value, catalogue)
        return found | ({"interpretation": [_status(INTERPRETATION, word)]} if word else {})
    if saying.value:
        return {"valueCodeableConcept": _concept(saying.value)}
    if saying.words:
        text = f"{saying.operator}{saying.words}"
        return {"valueString": f"{text} {saying.unit}" if saying.unit and text[-1:].isdigit() else text}
    return {}


def _absent(reason: str) -> Json:
    return {"system": ABSENT_REASON, "code": "temp-unknown" if reason == "pending_result" else "unknown"}


def _result(value: tuple[Concept, ...], catalogue: Catalogue) -> str:
    """What a concept beside a number says: POS, NEG, or nothing."""
    results = catalogue.value_sets["result"]
    found = {results.find(concept.name) for concept in value}
    return "POS" if found == {"positive"} else "NEG" if found == {"negative"} else ""


def _quantity(number: str, unit: str, operator: str = "") -> Json:
    found: Json = {"value": _decimal(number)}
    if operator:
        found["comparator"] = operator
    return found | ({"unit": unit, "system": UCUM, "code": normalise_unit(unit)} if unit else {})


def _decimal(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text
