"""Invented people as an OMOP CDM 5.4 in Parquet: what the peers' question asks, with about 27 facts each.

Every code is one the catalogue reads. The concept ids lie above two billion, which the CDM leaves to sites.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

ON = date(2026, 3, 16)
_EPOCH = date(1970, 1, 1).toordinal()
_TODAY = ON.toordinal() - _EPOCH
_FIRST = 2_000_000_001

#: Concepts: name, vocabulary, code, domain.
CONCEPTS = (
    ("b_all", "SNOMED", "277571004", "Condition"),
    ("infarction", "SNOMED", "22298006", "Condition"),
    ("angina", "SNOMED", "194828000", "Condition"),
    ("pregnancy", "SNOMED", "77386006", "Condition"),
    ("cns_disease", "ICD10CM", "C79.32", "Condition"),
    ("seizure", "SNOMED", "91175000", "Condition"),
    ("vincristine", "RxNorm", "11202", "Drug"),
    ("methotrexate", "RxNorm", "6851", "Drug"),
    ("doxorubicin", "RxNorm", "3639", "Drug"),
    ("prednisone", "RxNorm", "8640", "Drug"),
    ("bilirubin", "LOINC", "1975-2", "Measurement"),
    ("creatinine", "LOINC", "2160-0", "Measurement"),
    ("ast", "LOINC", "1920-8", "Measurement"),
    ("platelets", "LOINC", "777-3", "Measurement"),
    ("ecog", "LOINC", "89247-1", "Measurement"),
    ("cd22", "onstudy", "cd22_on_lymphoblasts", "Measurement"),
    ("mg/dL", "UCUM", "mg/dL", "Unit"),
    ("U/L", "UCUM", "U/L", "Unit"),
    ("10*3/uL", "UCUM", "10*3/uL", "Unit"),
    ("%", "UCUM", "%", "Unit"),
    ("chemotherapy", "onstudy", "chemotherapy", "Drug"),
)
CONCEPT_IDS = {name: _FIRST + place for place, (name, *_) in enumerate(CONCEPTS)}
CHEMOTHERAPY = ("vincristine", "methotrexate", "doxorubicin")

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Lab:
    """A measurement: how many a person has on average, its distribution, unit and upper limit of normal."""

    name: str
    mean: float
    centre: float
    spread: float
    unit: str
    limit: float = np.nan
    whole: bool = False


_LABS = (
    _Lab("bilirubin", 5.0, 0.8, 0.55, "mg/dL", 1.2),
    _Lab("creatinine", 5.0, 0.9, 0.4, "mg/dL", 1.2),
    _Lab("ast", 5.0, 35.0, 0.7, "U/L", 40.0),
    _Lab("platelets", 5.0, 90.0, 0.8, "10*3/uL"),
    _Lab("ecog", 1.6, 1.0, 0.6, "", whole=True),
    _Lab("cd22", 1.0, 70.0, 0.8, "%"),
)


def write_cdm(folder: Path, people: int, seed: int = 7) -> int:
    """Write the tables; how many facts there are beside the persons themselves. The same seed gives the same data."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    _vocabulary(folder)
    person = np.arange(1, people + 1)
    _write(folder, "person", {
        "person_id": person,
        "gender_concept_id": rng.choice(np.array([8507, 8532]), people),
        "year_of_birth": rng.integers(1936, 2012, people),
        "month_of_birth": rng.integers(1, 13, people),
        "day_of_birth": rng.integers(1, 29, people),
    })  # fmt: skip
    _write(folder, "observation_period", {
        "observation_period_id": person, "person_id": person,
        "observation_period_start_date": _dates(np.full(people, _TODAY - 4000)),
        "observation_period_end_date": _dates(np.full(people, _TODAY + 30)),
        "period_type_concept_id": np.zeros(people, np.int64),
    })  # fmt: skip
    _write(folder, "cdm_source", {"cdm_source_name": ["invented"], "source_release_date": _dates(np.array([_TODAY]))})
    return _conditions(folder, rng, people) + _drugs(folder, rng, people) + _measurements(folder, rng, people)


def _vocabulary(folder: Path) -> None:
    ids = list(CONCEPT_IDS.values())
    _write(folder, "concept", {
        "concept_id": ids, "concept_name": [name for name, *_ in CONCEPTS],
        "domain_id": [domain for *_, domain in CONCEPTS], "vocabulary_id": [one[1] for one in CONCEPTS],
        "concept_class_id": ["invented"] * len(ids), "standard_concept": ["S"] * len(ids),
        "concept_code": [one[2] for one in CONCEPTS], "invalid_reason": pa.nulls(len(ids), pa.string()),
    })  # fmt: skip
    pairs = [(one, one) for one in ids]
    pairs += [(CONCEPT_IDS["chemotherapy"], CONCEPT_IDS[drug]) for drug in CHEMOTHERAPY]
    _write(folder, "concept_ancestor", {
        "ancestor_concept_id": [a for a, _ in pairs], "descendant_concept_id": [d for _, d in pairs],
        "min_levels_of_separation": [0] * len(pairs), "max_levels_of_separation": [0] * len(pairs),
    })  # fmt: skip


def _conditions(folder: Path, rng: np.random.Generator, people: int) -> int:
    frequency = {
        "b_all": 0.9,
        "infarction": 0.05,
        "angina": 0.05,
        "pregnancy": 0.03,
        "cns_disease": 0.05,
        "seizure": 0.2,
    }
    parts = [_people_with(rng, people, share) for share in frequency.values()]
    concepts = [np.full(len(part), CONCEPT_IDS[name]) for name, part in zip(frequency, parts, strict=True)]
    person, concept = np.concatenate(parts), np.concatenate(concepts)
    days = _TODAY - rng.integers(0, 1200, len(person))
    order = np.argsort(person, kind="stable")
    _write(folder, "condition_occurrence", {
        "condition_occurrence_id": np.arange(1, len(person) + 1), "person_id": person[order],
        "condition_concept_id": concept[order], "condition_start_date": _dates(days[order]),
        "condition_end_date": pa.nulls(len(person), pa.date32()),
        "visit_occurrence_id": pa.nulls(len(person), pa.int64()),
    })  # fmt: skip
    return len(person)


def _drugs(folder: Path, rng: np.random.Generator, people: int) -> int:
    person = np.sort(rng.integers(1, people + 1, int(people * 2.5)))
    names = np.array([CONCEPT_IDS[name] for name in (*CHEMOTHERAPY, "prednisone")])
    days = _TODAY - rng.integers(0, 400, len(person))
    _write(folder, "drug_exposure", {
        "drug_exposure_id": np.arange(1, len(person) + 1), "person_id": person,
        "drug_concept_id": names[rng.integers(0, 4, len(person))], "drug_exposure_start_date": _dates(days),
        "drug_exposure_end_date": _dates(days), "verbatim_end_date": _dates(days),
        "visit_occurrence_id": pa.nulls(len(person), pa.int64()),
    })  # fmt: skip
    return len(person)


def _measurements(folder: Path, rng: np.random.Generator, people: int) -> int:
    parts: dict[str, list[Any]] = {}
    for lab in _LABS:
        size = int(people * lab.mean)
        value = np.round(lab.centre * np.exp(rng.normal(0, lab.spread, size)), 0 if lab.whole else 2)
        value = np.minimum(value, 4 if lab.whole else 100 if lab.unit == "%" else 1e6)
        known = {
            "person_id": rng.integers(1, people + 1, size),
            "measurement_concept_id": np.full(size, CONCEPT_IDS[lab.name]),
            "day": _TODAY - (rng.exponential(40, size)).astype(np.int64),
            "value_as_number": value,
            "range_high": np.full(size, lab.limit),
            "unit_concept_id": np.full(size, CONCEPT_IDS.get(lab.unit, 0)),
        }
        for name, column in known.items():
            parts.setdefault(name, []).append(column)
    columns: dict[str, Any] = {name: np.concatenate(some) for name, some in parts.items()}
    order = np.argsort(columns["person_id"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    size = len(order)
    _write(folder, "measurement", {
        "measurement_id": np.arange(1, size + 1), "person_id": columns["person_id"],
        "measurement_concept_id": columns["measurement_concept_id"], "measurement_date": _dates(columns["day"]),
        "value_as_number": columns["value_as_number"],
        "range_low": pa.nulls(size, pa.float64()),
        "range_high": pa.array(columns["range_high"], mask=np.isnan(columns["range_high"])),
        "unit_concept_id": columns["unit_concept_id"], "visit_occurrence_id": pa.nulls(size, pa.int64()),
    })  # fmt: skip
    return size


def _people_with(rng: np.random.Generator, people: int, share: float) -> Ints:
    return np.flatnonzero(rng.random(people) < share) + 1


def _dates(days: NDArray[Any]) -> pa.Array:
    return pa.array(days.astype(np.int32)).cast(pa.date32())


def _write(folder: Path, name: str, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), folder / f"{name}.parquet", compression="zstd", row_group_size=1 << 20)
