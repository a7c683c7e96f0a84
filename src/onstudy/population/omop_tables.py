"""The tables of events of the CDM: which columns are read, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from onstudy.readers.omop import CONDITION, DRUG, MEASUREMENT, OBSERVATION, PROCEDURE


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table by what they hold; "" for what the table has not."""

    id: str
    concept: str
    source_concept: str
    called: str
    start: str
    start_time: str
    end: str = ""
    end_time: str = ""
    verbatim_end: str = ""
    number: str = ""
    low: str = ""
    high: str = ""
    operator: str = ""
    value: str = ""
    text: str = ""
    written: str = ""
    unit: str = ""
    unit_written: str = ""
    route: str = ""
    status: str = ""
    about: str = ""
    about_field: str = ""

    def used(self) -> list[str]:
        """Their names, with the person's."""
        named = [str(getattr(self, column.name)) for column in fields(self)]
        return ["person_id", *dict.fromkeys(name for name in named if name)]


def _table(table: str, stem: str, start: str, **more: str) -> Columns:
    return Columns(
        id=f"{table}_id",
        concept=f"{stem}_concept_id",
        source_concept=f"{stem}_source_concept_id",
        called=f"{stem}_source_value",
        start=f"{start}_date",
        start_time=f"{start}_datetime",
        **more,
    )


_RESULT = {
    "number": "value_as_number",
    "value": "value_as_concept_id",
    "written": "value_source_value",
    "unit": "unit_concept_id",
    "unit_written": "unit_source_value",
}
TABLES: Mapping[str, Columns] = {
    CONDITION: _table(
        CONDITION, "condition", "condition_start", end="condition_end_date", end_time="condition_end_datetime",
        status="condition_status_concept_id",
    ),
    DRUG: _table(
        DRUG, "drug", "drug_exposure_start", end="drug_exposure_end_date", end_time="drug_exposure_end_datetime",
        verbatim_end="verbatim_end_date", route="route_concept_id",
    ),
    PROCEDURE: _table(
        PROCEDURE, "procedure", "procedure", end="procedure_end_date", end_time="procedure_end_datetime",
    ),
    MEASUREMENT: _table(
        MEASUREMENT, "measurement", "measurement", **_RESULT, low="range_low", high="range_high",
        operator="operator_concept_id", about="measurement_event_id", about_field="meas_event_field_concept_id",
    ),
    OBSERVATION: _table(
        OBSERVATION, "observation", "observation", **_RESULT, text="value_as_string",
        about="observation_event_id", about_field="obs_event_field_concept_id",
    ),
}  # fmt: skip
#: All tables that are read.
READ = frozenset({"person", "death", "concept", "cdm_source", *TABLES})
#: All tables of the CDM 5.4, and those that are older or come with its tools.
CDM = READ | frozenset(
    """
    observation_period visit_occurrence visit_detail device_exposure note note_nlp specimen fact_relationship location
    care_site provider payer_plan_period cost drug_era dose_era condition_era episode episode_event metadata vocabulary
    domain concept_class concept_relationship relationship concept_synonym concept_ancestor source_to_concept_map
    drug_strength cohort cohort_definition attribute_definition cohort_attribute survey_conduct location_history
    """.split()
)
