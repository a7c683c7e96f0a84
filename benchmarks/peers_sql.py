"""The peers' question asked of DuckDB: by OHDSI Circe, which writes its own SQL, and by hand, in three values.

Circe has no "latest" and no unknown. Its cohort is everybody of whom *some* result in the window is good enough and
*no* event is recorded; it is written here as an OHDSI analyst would, with the registration day as the index event.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.peers_data import CHEMOTHERAPY, CONCEPT_IDS, ON

#: Columns of the CDM that Circe names and nothing here fills.
_EMPTY = {"drug_exposure": ("days_supply", "quantity", "refills")}
#: Six calendar months, as in peers.yaml; the other windows are days there too.
SIX_MONTHS = (ON - date(2025, 9, 16)).days


def native(folder: Path, path: Path) -> None:
    """The CDM as native DuckDB tables, which is the fastest form it has there, events sorted by concept and person."""
    import duckdb

    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as base:
        for file in sorted(folder.glob("*.parquet")):
            stem = {"condition_occurrence": "condition", "drug_exposure": "drug"}.get(file.stem, file.stem)
            order = f" ORDER BY {stem}_concept_id, person_id" if stem in ("condition", "drug", "measurement") else ""
            more = "".join(f", NULL::INT AS {column}" for column in _EMPTY.get(file.stem, ()))
            base.execute(f"CREATE TABLE {file.stem} AS SELECT *{more} FROM read_parquet('{file}'){order}")
        base.execute("CREATE SCHEMA results")
        base.execute(
            "CREATE TABLE results.cohort (cohort_definition_id INT, subject_id BIGINT, cohort_start_date DATE, "
            "cohort_end_date DATE)"
        )


# Circe ------------------------------------------------------------------------------------------------------------


def circe_definition() -> dict[str, Any]:
    """The cohort definition, in the JSON that ATLAS exports."""
    sets = list(CONCEPT_IDS)
    codeset = {name: place for place, name in enumerate(sets)}

    def some(domain: str, name: str, days: int | None, **limits: Any) -> dict[str, Any]:
        return _windowed({domain: {"CodesetId": codeset[name], **limits}}, days, {"Type": 2, "Count": 1})

    def none(domain: str, name: str, days: int | None) -> dict[str, Any]:
        return _windowed({domain: {"CodesetId": codeset[name]}}, days, {"Type": 0, "Count": 0})

    def up_to(value: float) -> dict[str, Any]:
        return {"Value": value, "Op": "lte"}

    def at_least(value: float) -> dict[str, Any]:
        return {"Value": value, "Op": "gte"}

    criteria = [
        some("ConditionOccurrence", "b_all", None),
        some("Measurement", "cd22", 90, ValueAsNumber=at_least(20)),
        some("Measurement", "bilirubin", 28, RangeHighRatio=up_to(1.5)),
        some("Measurement", "creatinine", 28, RangeHighRatio=up_to(1.5)),
        some("Measurement", "ast", 28, RangeHighRatio=up_to(3)),
        some("Measurement", "platelets", 14, ValueAsNumber=at_least(50)),
        some("Measurement", "ecog", 28, ValueAsNumber=up_to(2)),
        none("DrugExposure", "chemotherapy", 14),
        none("ConditionOccurrence", "cns_disease", None),
        none("ConditionOccurrence", "infarction", SIX_MONTHS),
        none("ConditionOccurrence", "angina", SIX_MONTHS),
        none("ConditionOccurrence", "pregnancy", None),
    ]
    age = {"Type": "ALL", "CriteriaList": [], "Groups": [], "DemographicCriteriaList": [
        {"Age": {"Value": 18, "Op": "bt", "Extent": 75}}]}  # fmt: skip
    rules = [{"name": "age", "expression": age}]
    for number, one in enumerate(criteria):
        group = {"Type": "ALL", "CriteriaList": [one], "DemographicCriteriaList": [], "Groups": []}
        rules.append({"name": f"rule {number}", "expression": group})
    period = {"UserDefinedPeriod": {"StartDate": ON.isoformat(), "EndDate": ON.isoformat()}}
    return {
        "ConceptSets": [_concept_set(name, codeset[name]) for name in sets],
        "PrimaryCriteria": {
            "CriteriaList": [{"ObservationPeriod": period}],
            "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
            "PrimaryCriteriaLimit": {"Type": "All"},
        },
        "QualifiedLimit": {"Type": "All"},
        "ExpressionLimit": {"Type": "All"},
        "InclusionRules": rules,
        "CensoringCriteria": [],
        "CollapseSettings": {"CollapseType": "ERA", "EraPad": 0},
        "CensorWindow": {},
        "cdmVersionRange": ">=5.0.0",
    }


def _concept_set(name: str, number: int) -> dict[str, Any]:
    concept = {"CONCEPT_ID": CONCEPT_IDS[name], "CONCEPT_NAME": name}
    item = {"concept": concept, "isExcluded": False, "includeDescendants": True, "includeMapped": False}
    return {"id": number, "name": name, "expression": {"items": [item]}}


def _windowed(criteria: dict[str, Any], days: int | None, occurrence: dict[str, int]) -> dict[str, Any]:
    start: dict[str, int] = {"Coeff": -1} if days is None else {"Days": days, "Coeff": -1}
    window = {"Start": start, "End": {"Days": 0, "Coeff": 1}, "UseIndexEnd": False, "UseEventEnd": False}
    return {"Criteria": criteria, "StartWindow": window, "Occurrence": {**occurrence, "IsDistinct": False},
            "IgnoreObservationPeriod": True}  # fmt: skip


def circe_sql() -> list[str]:
    """What Circe makes of it, in DuckDB's dialect, statement by statement."""
    from duckcdm.circe import build_cohort_query
    from duckcdm.sqlrender import render, translate

    query = build_cohort_query(
        json.dumps(circe_definition()), cdm_schema="main", vocabulary_schema="main", result_schema="results",
        target_table="results.cohort", cohort_id=1, generate_stats=False,
    )  # fmt: skip
    text = translate(render(query), "duckdb")
    return [one.strip() for one in text.split(";") if one.strip()]


# By hand ----------------------------------------------------------------------------------------------------------

_WANTED = {
    "cd22": (90, "value_as_number >= 20"),
    "bilirubin": (28, "value_as_number <= 1.5 * range_high * (1 + 1e-9)"),
    "creatinine": (28, "value_as_number <= 1.5 * range_high * (1 + 1e-9)"),
    "ast": (28, "value_as_number <= 3 * range_high * (1 + 1e-9)"),
    "platelets": (14, "value_as_number >= 50"),
    "ecog": (28, "value_as_number <= 2"),
}


def by_hand() -> str:
    """One pass over each table. The newest day is packed with whether a result of it is good, or bad; a day that has
    both is a conflict. Answers are 0 no, 1 unknown, 2 yes; `if_confirmed` takes absences of events as no.
    """
    labs = []
    for name, (days, good) in _WANTED.items():
        where = f"measurement_concept_id = {CONCEPT_IDS[name]} AND measurement_date >= DATE '{ON}' - {days}"
        labs.append(f"max(2 * d + CAST({good} AS INT)) FILTER ({where}) AS {name}_good")
        labs.append(f"max(2 * d + CAST(NOT ({good}) AS INT)) FILTER ({where}) AS {name}_bad")
    truths = [
        f"CASE WHEN {n}_good IS NULL THEN 1 WHEN {n}_good % 2 = 1 AND {n}_bad % 2 = 1 THEN 1 "
        f"WHEN {n}_good % 2 = 1 THEN 2 ELSE 0 END"
        for n in _WANTED
    ]
    known = ", ".join(str(CONCEPT_IDS[name]) for name in _WANTED)
    drugs = ", ".join(str(CONCEPT_IDS[name]) for name in CHEMOTHERAPY)

    def condition(name: str, since: str = "TRUE") -> str:
        return f"bool_or(condition_concept_id = {CONCEPT_IDS[name]} AND {since}) AS {name}"

    recent = f"condition_start_date >= DATE '{ON}' - {SIX_MONTHS}"
    events = [
        f"CASE WHEN {name} THEN 0 ELSE %s END"
        for name in (
            "chemotherapy",
            "cns_disease",
            "coalesce(infarction, FALSE) OR coalesce(angina, FALSE)",
            "pregnancy",
        )
    ]
    born = "make_date(year_of_birth, month_of_birth, day_of_birth)"
    return f"""
WITH labs AS (
  SELECT person_id, {", ".join(labs)}
  FROM (SELECT *, CAST(measurement_date - DATE '1970-01-01' AS BIGINT) AS d FROM measurement
        WHERE measurement_concept_id IN ({known}) AND measurement_date BETWEEN DATE '{ON}' - 90 AND DATE '{ON}')
  GROUP BY person_id
), conditions AS (
  SELECT person_id, {condition("b_all")}, {condition("cns_disease")}, {condition("infarction", recent)},
    {condition("angina", recent)}, {condition("pregnancy")}
  FROM condition_occurrence WHERE condition_start_date <= DATE '{ON}' GROUP BY person_id
), drugs AS (
  SELECT DISTINCT person_id, TRUE AS chemotherapy FROM drug_exposure
  WHERE drug_concept_id IN ({drugs})
    AND coalesce(drug_exposure_end_date, drug_exposure_start_date) >= DATE '{ON}' - 14
    AND drug_exposure_start_date <= DATE '{ON}'
), answered AS (
  SELECT person_id,
    CASE WHEN date_diff('year', {born}, DATE '{ON}') - CAST(strftime({born}, '%m%d') > '{ON:%m%d}' AS INT)
      BETWEEN 18 AND 75 THEN 2 ELSE 0 END AS age,
    CASE WHEN b_all THEN 2 ELSE 1 END AS disease, least({", ".join(truths)}) AS labs,
    least({", ".join(event % 1 for event in events)}) AS events,
    least({", ".join(event % 2 for event in events)}) AS events_confirmed
  FROM person LEFT JOIN labs USING (person_id) LEFT JOIN conditions USING (person_id) LEFT JOIN drugs USING (person_id)
)
SELECT person_id, CAST(least(age, disease, labs, events) AS TINYINT) AS recorded,
  CAST(least(age, disease, labs, events_confirmed) AS TINYINT) AS if_confirmed FROM answered"""
