"""Small OMOP databases for the tests, written row by row, and what is read of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from onstudy.population.bulk_fhir_reading import Record, put_back
from onstudy.population.omop import OmopReading
from onstudy.population.omop_cdm import Cdm
from onstudy.population.omop_source import open_cdm
from onstudy.population.omop_tables import TABLES
from onstudy.readers import read_patients
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.patient import Fact, Patient

Cells = Mapping[str, object]

#: The concepts the tests use: id, vocabulary, code, name. Ids are the tests' own; vocabulary and code are not.
CONCEPTS: Sequence[tuple[int, str, str, str]] = (
    (1, "LOINC", "1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma"),
    (2, "UCUM", "mg/dL", "milligram per deciliter"),
    (3, "UCUM", "umol/L", "micromole per liter"),
    (4, "ICD10CM", "I21.9", "Acute myocardial infarction, unspecified"),
    (5, "SNOMED", "22298006", "Myocardial infarction"),
    (6, "RxNorm", "121191", "rituximab"),
    (7, "ICD10CM", "I50.9", "Heart failure, unspecified"),
    (8, "SNOMED", "84114007", "Heart failure"),
    (9, "LOINC", "20447-9", "HIV 1 RNA [#/volume] (viral load) in Serum or Plasma by NAA with probe detection"),
    (10, "UCUM", "{copies}/mL", "copies per milliliter"),
    (11, "LOINC", "5195-3", "Hepatitis B virus surface Ag [Presence] in Serum"),
    (12, "SNOMED", "260385009", "Negative"),
    (13, "LOINC", "4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
    (14, "Condition Status", "OMOP4976882", "Preliminary diagnosis"),
    (15, "LOINC", "6690-2", "Leukocytes [#/volume] in Blood by Automated count"),
    (16, "UCUM", "10*3/uL", "thousand per microliter"),
    (17, "LOINC", "34922-5", "Lymphoblasts/100 leukocytes in Blood"),
    (18, "UCUM", "%", "percent"),
    (19, "SNOMED", "37161004", "Rectal route"),
    (20, "SNOMED", "72607000", "Intrathecal route"),
    (21, "RxNorm", "6851", "methotrexate"),
    (22, "SNOMED", "65617004", "Veno-occlusive disease of the liver"),
    (23, "SNOMED", "74964007", "Other"),
    (24, "LOINC", "21198-7", "Choriogonadotropin.beta subunit [Units/volume] in Serum or Plasma"),
    (2_000_000_100, "onstudy", "treatment", "Treatment"),
    (2_000_000_101, "onstudy", "no", "no"),
    (2_000_000_102, "onstudy", "agent", "agent"),
    (2_000_000_103, "onstudy", "cd19_directed", "CD19-directed therapy"),
    (2_000_000_104, "onstudy", "intent", "intent"),
    (2_000_000_105, "onstudy", "ALL", "acute lymphoblastic leukemia"),
    (2_000_000_106, "onstudy", "when", "when"),
    (2_000_000_107, "onstudy", "from", "from"),
    (2_000_000_108, "onstudy", "menses", "Menstrual period"),
)  # fmt: skip
PERSON = {"person_id": 1, "gender_concept_id": 8532, "year_of_birth": 1960, "month_of_birth": 5, "day_of_birth": 17}
CONCEPT_COLUMNS = ("concept_id", "vocabulary_id", "concept_code", "concept_name")


#: The day on which the tables were released, unless a test says otherwise.
RELEASED = "2026-03-16"


def write_cdm(folder: Path, released: str = RELEASED, /, **tables: Iterable[Cells]) -> Path:
    """A folder of CSV files with one woman, the concepts of the tests, and the rows given."""
    concepts = [dict(zip(CONCEPT_COLUMNS, row, strict=True)) for row in CONCEPTS]
    every: dict[str, Iterable[Cells]] = {"person": [PERSON], "concept": concepts, **tables}
    every["cdm_source"] = [{"cdm_source_name": "test", "source_release_date": released}]
    folder.mkdir(parents=True, exist_ok=True)
    for name, given in every.items():
        rows = list(given)
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    return folder


def rows_of(cdm: Cdm, catalogue: Catalogue | None = None) -> list[pa.Table]:
    """Everybody and everything in a database, taken apart."""
    reading = OmopReading(cdm, catalogue or load_catalogue())
    return [*reading.people(), *(rows for table in TABLES for rows in reading.events(table))]


def named(row: dict[str, Any]) -> str:
    """The name of a row that was taken apart."""
    return f"{row['names.stem']}{row['names.number']}"


def put_together(tables: Iterable[pa.Table]) -> bytes:
    """Rows that were taken apart as NDJSON, which the reader of files reads."""
    lines = []
    for table in tables:
        for row in table.to_pylist():
            slots = [
                tuple(row[f"{sort}{place}"] for place in range(3) if row.get(f"{sort}{place}") is not None)
                for sort in ("dates", "numbers")
            ]
            record = Record("", row["shape"], str(row["patient"]), (named(row),), slots[0], slots[1])
            lines.append(put_back(record) + b"\n")
    return b"".join(lines)


def patients_in(source: Path | str, catalogue: Catalogue | None = None) -> dict[str, Patient]:
    """The patients of a database, by id, as the screening readers make them of its rows."""
    known = catalogue or load_catalogue()
    with open_cdm(source) as cdm:
        text = put_together(rows_of(cdm, known))
    return {patient.id: patient for patient in read_patients("rows.ndjson", text, known)}


def one(facts: Iterable[Fact]) -> Fact:
    """The only one."""
    (fact,) = facts
    return fact
