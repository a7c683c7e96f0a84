"""Generated patients as an OMOP CDM 5.4 folder: one CSV file for each table, with the rows of `concept` they need.

A row is made from the FHIR resource that says the same. Concept ids are this folder's own, of the numbers that OMOP
leaves to local use; `concept` gives vocabulary and code of each.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from onstudy.population.generate_block import Block
from onstudy.population.generate_fhir import NUMBER, Form, form_of, resource_of
from onstudy.population.generate_rows import DAY, MINUTE, OPEN, Dates, Rows, Saying
from onstudy.readers.fhir_own import ATTRIBUTE
from onstudy.readers.omop import (
    CONDITION,
    DRUG,
    FIELDS,
    FROM_SAID,
    GENDERS,
    MEASUREMENT,
    OBSERVATION,
    OPERATORS,
    PROCEDURE,
    SUSPECTED_SAID,
    WHEN_SAID,
)
from onstudy.record.catalogue import Catalogue
from onstudy.values.codes import ATC, ICD10CM, LOINC, ONSTUDY, RXNORM, SNOMED, UCUM

#: The columns of each table, as the CDM has them; a row says those that are not empty.
TABLES: Mapping[str, str] = {
    "person": "person_id gender_concept_id year_of_birth month_of_birth day_of_birth birth_datetime race_concept_id "
    "ethnicity_concept_id location_id provider_id care_site_id person_source_value gender_source_value "
    "gender_source_concept_id race_source_value race_source_concept_id ethnicity_source_value "
    "ethnicity_source_concept_id",
    "observation_period": "observation_period_id person_id observation_period_start_date "
    "observation_period_end_date period_type_concept_id",
    CONDITION: "condition_occurrence_id person_id condition_concept_id condition_start_date condition_start_datetime "
    "condition_end_date condition_end_datetime condition_type_concept_id condition_status_concept_id stop_reason "
    "provider_id visit_occurrence_id visit_detail_id condition_source_value condition_source_concept_id "
    "condition_status_source_value",
    DRUG: "drug_exposure_id person_id drug_concept_id drug_exposure_start_date drug_exposure_start_datetime "
    "drug_exposure_end_date drug_exposure_end_datetime verbatim_end_date drug_type_concept_id stop_reason refills "
    "quantity days_supply sig route_concept_id lot_number provider_id visit_occurrence_id visit_detail_id "
    "drug_source_value drug_source_concept_id route_source_value dose_unit_source_value",
    PROCEDURE: "procedure_occurrence_id person_id procedure_concept_id procedure_date procedure_datetime "
    "procedure_end_date procedure_end_datetime procedure_type_concept_id modifier_concept_id quantity provider_id "
    "visit_occurrence_id visit_detail_id procedure_source_value procedure_source_concept_id modifier_source_value",
    MEASUREMENT: "measurement_id person_id measurement_concept_id measurement_date measurement_datetime "
    "measurement_time measurement_type_concept_id operator_concept_id value_as_number value_as_concept_id "
    "unit_concept_id range_low range_high provider_id visit_occurrence_id visit_detail_id measurement_source_value "
    "measurement_source_concept_id unit_source_value unit_source_concept_id value_source_value "
    "measurement_event_id meas_event_field_concept_id",
    OBSERVATION: "observation_id person_id observation_concept_id observation_date observation_datetime "
    "observation_type_concept_id value_as_number value_as_string value_as_concept_id qualifier_concept_id "
    "unit_concept_id provider_id visit_occurrence_id visit_detail_id observation_source_value "
    "observation_source_concept_id unit_source_value qualifier_source_value value_source_value observation_event_id "
    "obs_event_field_concept_id",
    "death": "person_id death_date death_datetime death_type_concept_id cause_concept_id cause_source_value "
    "cause_source_concept_id",
    "concept": "concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept concept_code "
    "valid_start_date valid_end_date invalid_reason",
    "cdm_source": "cdm_source_name cdm_source_abbreviation cdm_holder source_description "
    "source_documentation_reference cdm_etl_reference source_release_date cdm_release_date cdm_version "
    "cdm_version_concept_id vocabulary_version",
}
VOCABULARIES = {
    LOINC: "LOINC", SNOMED: "SNOMED", RXNORM: "RxNorm", ICD10CM: "ICD10CM", ATC: "ATC", UCUM: "UCUM",
    ONSTUDY: "onstudy",
}  # fmt: skip
#: The first concept id that OMOP leaves to local vocabularies.
_LOCAL = 2_000_000_001
_PRELIMINARY, _EHR = 32899, 32817
_OPERATOR_IDS = {sign: number for number, sign in OPERATORS.items() if sign}
_FIELD_IDS = {table: number for number, table in FIELDS.items()}
_GENDER_IDS = {word: number for number, word in GENDERS.items()}
#: Rows a patient may have in all tables together.
_MOST = 1000

Cells = dict[str, Any]


@dataclass(frozen=True)
class RowForm:
    """One row that a saying becomes; `qualifiers` are rows of `observation` that refer to it."""

    table: str
    cells: Cells
    qualifiers: tuple[tuple[str, Cells], ...] = ()
    dated: tuple[str, ...] = ()  # the columns of its day and instant, its last day and instant
    going: bool = False


@dataclass
class Concepts:
    """The concepts of a folder: an id for each code, in the order in which they are first needed."""

    rows: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def id(self, coding: Mapping[str, str]) -> int:
        """The concept id of a coding."""
        key = VOCABULARIES[coding["system"]], coding["code"]
        found = self.rows.get(key)
        if found is None:
            found = self.rows[key] = (_LOCAL + len(self.rows), coding.get("display") or coding["code"])
        return found[0]

    def own(self, code: str) -> int:
        """The concept id of a code of the project."""
        return self.id({"system": ONSTUDY, "code": code})


class OmopWriter:
    """Writes blocks of patients into a folder, one after another; `close` writes the concepts they used."""

    def __init__(self, folder: Path, catalogue: Catalogue, today: date) -> None:
        self.folder, self.catalogue, self.today = folder, catalogue, today
        self.concepts = Concepts()
        self.counts = dict.fromkeys(TABLES, 0)
        self._forms: dict[tuple[tuple[tuple[str, str], ...], Form], list[RowForm]] = {}
        self._files = {table: (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") for table in TABLES}
        self._columns = {table: columns.split() for table, columns in TABLES.items()}
        self._lines = {table: csv.writer(file, lineterminator="\n") for table, file in self._files.items()}
        for table, columns in self._columns.items():
            self._lines[table].writerow(columns)

    def write(self, block: Block) -> None:
        """Write a block of patients."""
        for position in range(len(block)):
            self._put("person", self._person(block, position))
            self._put("observation_period", self._period(block, position))
        used = [0] * len(block)
        for rows in block.rows.values():
            for row in range(len(rows)):
                self._statement(block, rows, row, used)

    def close(self) -> dict[str, int]:
        """Write what is written once; returns how many rows each table has."""
        for (vocabulary, code), (number, name) in self.concepts.rows.items():
            self._put("concept", _concept_row(number, vocabulary, code, name))
        day = self.today.isoformat()
        about = {"cdm_source_name": "synthetic patients", "cdm_source_abbreviation": "synthetic", "cdm_version": "5.4"}
        about |= {"cdm_holder": "onstudy", "source_description": "Invented by onstudy; not of any person"}
        self._put("cdm_source", about | {"source_release_date": day, "cdm_release_date": day})
        for file in self._files.values():
            file.close()
        return self.counts

    def _put(self, table: str, cells: Cells) -> None:
        self._lines[table].writerow([cells.get(column, "") for column in self._columns[table]])
        self.counts[table] += 1

    def _person(self, block: Block, position: int) -> Cells:
        born, sex = block.born.text(position), block.sex.words[int(block.sex.index[position])]
        year, month, day = ([*born.split("-"), "", ""])[:3]
        return {
            "person_id": _person_id(block, position),
            "gender_concept_id": _GENDER_IDS.get(sex, 0),
            "year_of_birth": year,
            "month_of_birth": month.lstrip("0"),
            "day_of_birth": day.lstrip("0"),
            "race_concept_id": 0,
            "ethnicity_concept_id": 0,
            "person_source_value": block.id(position),
            "gender_source_value": sex,
        }

    def _period(self, block: Block, position: int) -> Cells:
        person, end = _person_id(block, position), self.today.isoformat()
        start = block.born.text(position)[:4] + "-12-31"
        return {
            "observation_period_id": person,
            "person_id": person,
            "observation_period_start_date": start,
            "observation_period_end_date": end,
            "period_type_concept_id": _EHR,
        }

    # Statements -----------------------------------------------------------------------------------------------

    def _statement(self, block: Block, rows: Rows, row: int, used: list[int]) -> None:
        position = int(rows.patient[row])
        person = _person_id(block, position)
        for form in self._row_forms(rows.sayings[int(rows.said[row])], form_of(rows, row)):
            used[position] += 1
            number = person * _MOST + used[position]
            self._put(form.table, self._filled(form, rows, row, number, person))
            for name, cells in [*form.qualifiers, *_dates_said(rows, row)]:
                used[position] += 1
                self._put(OBSERVATION, self._qualifier(form, rows, row, number, name, cells) | {
                    "observation_id": person * _MOST + used[position], "person_id": person,
                })  # fmt: skip
        assert used[position] < _MOST, "a patient has more rows than ids are kept for"

    def _row_forms(self, saying: Saying, form: Form) -> list[RowForm]:
        key = tuple(saying.items()), form
        if key not in self._forms:
            resource = resource_of(saying, form, self.catalogue)
            self._forms[key] = list(_Forms(self.concepts, resource).rows())
        return self._forms[key]

    def _filled(self, form: RowForm, rows: Rows, row: int, number: int, person: int) -> Cells:
        cells = form.cells | {f"{form.table}_id": number, "person_id": person}
        day, clock = _day_and_time(rows.start, row) if rows.start.grain[row] else _day_and_time(rows.recorded, row)
        if rows.sayings[int(rows.said[row])].get("value") == "no" and rows.end.grain[row]:
            day, clock = _day_and_time(rows.end, row)
        cells |= {form.dated[0]: day, form.dated[1]: clock}
        if len(form.dated) > 2:
            end = rows.end.grain[row]
            last = (self.today.isoformat(), "") if end == OPEN else _day_and_time(rows.end, row)
            cells |= {form.dated[2]: last[0], form.dated[3]: last[1]}
        return cells

    def _qualifier(self, form: RowForm, rows: Rows, row: int, number: int, name: str, cells: Cells) -> Cells:
        day, _ = _day_and_time(rows.start, row) if rows.start.grain[row] else _day_and_time(rows.recorded, row)
        return {
            "observation_concept_id": self.concepts.own(name),
            "observation_date": day,
            "observation_type_concept_id": _EHR,
            "observation_event_id": number,
            "obs_event_field_concept_id": _FIELD_IDS[form.table],
            **cells,
        }


def _person_id(block: Block, position: int) -> int:
    return int(block.numbers[position]) + 1


def _concept_row(number: int, vocabulary: str, code: str, name: str) -> Cells:
    return {
        "concept_id": number,
        "concept_name": name,
        "domain_id": "Unit" if vocabulary == "UCUM" else "Metadata" if vocabulary == "onstudy" else "Observation",
        "vocabulary_id": vocabulary,
        "concept_class_id": "Undefined",
        "standard_concept": "S",
        "concept_code": code,
        "valid_start_date": "1970-01-01",
        "valid_end_date": "2099-12-31",
    }


def _day_and_time(dates: Dates, row: int) -> tuple[str, str]:
    """The two columns of a date: its day, the first of what it may be, and its instant if it has one."""
    grain = int(dates.grain[row])
    if grain in (0, OPEN):
        return "", ""
    day = date.fromordinal(int(dates.day[row])).isoformat()
    if grain == MINUTE:
        hour, minute = divmod(int(dates.minute[row]), 60)
        return day, f"{day} {hour:02d}:{minute:02d}:00"
    text = dates.text(row)
    return text + "-01-01"[len(text) - 10 :] if len(text) < 10 else day, ""


def _dates_said(rows: Rows, row: int) -> Iterator[tuple[str, Cells]]:
    """What the CDM has no form for: a start that is not one day, and from when on a "no" speaks."""
    start, end = int(rows.start.grain[row]), int(rows.end.grain[row])
    negative = rows.sayings[int(rows.said[row])].get("value") == "no"
    if negative and end:
        yield FROM_SAID, {"value_as_string": rows.start.text(row)}
    elif start == 0 and not negative:
        yield WHEN_SAID, {"value_as_string": f"..{rows.recorded.text(row)}"}
    elif start not in (DAY, MINUTE, 0):
        yield WHEN_SAID, {"value_as_string": rows.start.text(row)}


class _Forms:
    """The rows a FHIR resource becomes."""

    def __init__(self, concepts: Concepts, resource: Mapping[str, Any]) -> None:
        self.concepts, self.resource = concepts, resource

    def rows(self) -> Iterable[RowForm]:
        """They, of the table that suits the resource."""
        resource = self.resource
        if resource.get("status") in ("entered-in-error", "cancelled"):
            return []
        sort = resource["resourceType"]
        if sort == "Condition":
            return [self._condition()]
        if sort == "MedicationStatement":
            return [self._drug()]
        if sort == "Procedure":
            return [self._procedure()]
        if sort == "Specimen":
            return [self._said(resource["type"], "yes")]
        if "component" in resource:
            return [self._measured(part) for part in resource["component"]]
        if "valueBoolean" in resource:
            return [self._said(resource["code"], "yes" if resource["valueBoolean"] else "no")]
        return [self._measured(resource)]

    def _coded(self, table: str, concept: Mapping[str, Any]) -> Cells:
        """Standard concept and source concept: the first code and the last."""
        stem = table.partition("_")[0]
        first, last = concept["coding"][0], concept["coding"][-1]
        return {
            f"{stem}_concept_id": self.concepts.id(first),
            f"{stem}_source_concept_id": self.concepts.id(last),
            f"{stem}_source_value": last["code"],
            f"{stem}_type_concept_id": _EHR,
        }

    def _qualified(self, *more: tuple[str, Cells]) -> tuple[tuple[str, Cells], ...]:
        found = list(more)
        for extension in self.resource.get("extension", []):
            name = extension["url"].removeprefix(ATTRIBUTE)
            if name != extension["url"]:
                found.append((name, self._value_of(extension)))
        return tuple(found)

    def _value_of(self, element: Mapping[str, Any]) -> Cells:
        if "valueCodeableConcept" in element:
            return {"value_as_concept_id": self.concepts.id(element["valueCodeableConcept"]["coding"][-1])}
        if "valueBoolean" in element:
            return {"value_as_concept_id": self.concepts.own("yes" if element["valueBoolean"] else "no")}
        if "valueQuantity" in element:
            return {"value_as_string": f"{element['valueQuantity']['value']}"}
        return {"value_as_string": element["valueString"]}

    def _condition(self) -> RowForm:
        cells = self._coded(CONDITION, self.resource["code"])
        if self.resource["verificationStatus"]["coding"][0]["code"] == "provisional":
            cells["condition_status_concept_id"] = _PRELIMINARY
        dated = _columns("condition_start", "condition_end")
        return RowForm(CONDITION, cells, self._qualified(), dated)

    def _drug(self) -> RowForm:
        resource = self.resource
        cells = self._coded(DRUG, resource["medicationCodeableConcept"])
        for dosage in resource.get("dosage", []):
            cells["route_concept_id"] = self.concepts.id(dosage["route"]["coding"][-1])
        dated = _columns("drug_exposure_start", "drug_exposure_end")
        return RowForm(DRUG, cells, self._qualified(*self._reason()), dated)

    def _procedure(self) -> RowForm:
        cells = self._coded(PROCEDURE, self.resource["code"])
        dated = _columns("procedure", "procedure_end")
        return RowForm(PROCEDURE, cells, self._qualified(*self._reason()), dated)

    def _reason(self) -> list[tuple[str, Cells]]:
        reasons = [reason["coding"][-1] for reason in self.resource.get("reasonCode", [])]
        return [("intent", {"value_as_concept_id": self.concepts.id(coding)}) for coding in reasons]

    def _said(self, concept: Mapping[str, Any], answer: str) -> RowForm:
        cells = self._coded(OBSERVATION, concept) | {"value_as_concept_id": self.concepts.own(answer)}
        suspected = [("suspected", {"value_as_concept_id": self.concepts.own("yes")})] if self._is_suspected() else []
        return RowForm(OBSERVATION, cells, self._qualified(*suspected), _columns("observation"))

    def _is_suspected(self) -> bool:
        return any(part["url"].endswith(f"/{SUSPECTED_SAID}") for part in self.resource.get("extension", []))

    def _measured(self, node: Mapping[str, Any]) -> RowForm:
        cells = self._coded(MEASUREMENT, node["code"])
        amount = node.get("valueQuantity")
        if amount is not None:
            cells |= {"value_as_number": _plain(amount["value"]), "value_source_value": _plain(amount["value"])}
            cells |= self._unit(amount)
            if "comparator" in amount:
                cells["operator_concept_id"] = _OPERATOR_IDS[amount["comparator"]]
        elif "valueInteger" in node:
            cells["value_as_number"] = node["valueInteger"]
        elif "valueRange" in node:
            low, high = node["valueRange"]["low"], node["valueRange"]["high"]
            cells |= {"value_source_value": f"{_plain(low['value'])}-{_plain(high['value'])}"} | self._unit(low)
        elif "valueCodeableConcept" in node:
            cells["value_as_concept_id"] = self.concepts.id(node["valueCodeableConcept"]["coding"][-1])
        elif "dataAbsentReason" in node:
            cells["value_as_concept_id"] = self.concepts.id(node["dataAbsentReason"]["coding"][-1])
        for limits in node.get("referenceRange", []):
            cells["range_high"] = _plain(limits["high"]["value"])
        own = self._qualified() if node is self.resource else ()
        return RowForm(MEASUREMENT, cells, own, _columns("measurement"))

    def _unit(self, amount: Mapping[str, Any]) -> Cells:
        if "code" not in amount:
            return {}
        coding = {"system": UCUM, "code": amount["code"], "display": amount["unit"]}
        return {"unit_concept_id": self.concepts.id(coding), "unit_source_value": amount["unit"]}


def _columns(*stems: str) -> tuple[str, ...]:
    return tuple(f"{stem}_{sort}" for stem in stems for sort in ("date", "datetime"))


def _plain(number: object) -> str:
    """A number as it was written."""
    return str(number).removeprefix(NUMBER).removesuffix("@")
