"""Periods that end before they begin: no date is taken from them, and a problem says so, whatever they are of."""

from __future__ import annotations

import pytest
from tests.readers.build import ICD, LOINC, OWN, SNOMED, Json, bundle, concept, condition, observation, resource, shown
from tests.readers.canon import of, only, written

REVERSED: Json = {"start": "2026-01-01", "end": "2025-01-01"}
MG_DL: Json = {"value": 1.8, "unit": "mg/dL"}


@pytest.mark.parametrize(
    ("stated", "kind", "dates", "element"),
    [
        (
            condition(concept(ICD, "I21.9"), onsetPeriod=REVERSED),
            "myocardial_infarction",
            ("date unknown", None, False),
            "onsetPeriod",
        ),
        (
            condition(concept(SNOMED, "84757009"), onsetDateTime="2015", abatementPeriod=REVERSED),
            "epilepsy",
            ("2015", "from 2015-01-01", False),
            "abatementPeriod",
        ),
        (
            observation(
                concept(LOINC, "1975-2"), effectiveDateTime=None, effectivePeriod=REVERSED, valueQuantity=MG_DL
            ),
            "bilirubin_total",
            ("date unknown", None, False),
            "effectivePeriod",
        ),
        (
            observation(
                concept(LOINC, "1975-2"),
                effectiveDateTime=None,
                effectivePeriod=REVERSED,
                issued="2026-03-15T08:00:00Z",
                valueQuantity=MG_DL,
            ),
            "bilirubin_total",
            ("date unknown", None, False),
            "effectivePeriod",
        ),
        (
            resource("DiagnosticReport", status="registered", code=concept(LOINC, "1975-2"), effectivePeriod=REVERSED),
            "bilirubin_total",
            ("date unknown", None, False),
            "effectivePeriod",
        ),
    ],
)
def test_a_reversed_period_gives_no_date(
    stated: Json, kind: str, dates: tuple[str, str | None, bool], element: str
) -> None:
    patient = bundle(stated)
    assert shown(only(patient, kind)) == dates
    assert [one.what for one in patient.problems] == [f"{element} ends before it begins: its dates are not used"]


@pytest.mark.parametrize(
    "dates",
    [
        {"effectivePeriod": REVERSED},
        {"effectivePeriod": REVERSED, "issued": "2026-03-15"},
        {"effectivePeriod": {"start": "2026-03-16"}, "issued": "2026-03-15"},
    ],
)
def test_a_no_over_a_reversed_period_denies_nothing(dates: Json) -> None:
    stated = observation(concept(OWN, "treatment"), valueBoolean=False)
    patient = bundle({key: value for key, value in stated.items() if key != "effectiveDateTime"} | dates)
    assert not of(patient, "treatment")
    assert ("a 'no' that ends before it begins is not used", False) in [
        (one.what, one.fact_kept) for one in patient.problems
    ]


@pytest.mark.parametrize("dates", ["from: 2026-01-01, to: 2025-01-01", "from: 2026-03-15, recorded: 2026-03-14"])
def test_a_no_of_a_patient_file_over_a_reversed_period_denies_nothing(dates: str) -> None:
    patient = written(f"kind: treatment, value: no, {dates}")
    assert not of(patient, "treatment")
    assert [(one.what, one.fact_kept) for one in patient.problems] == [("it ends before it begins", False)]


@pytest.mark.parametrize("period", [{"start": "2025", "end": "2025-06"}, {"start": "2025-06-01", "end": "2025-06-01"}])
def test_a_period_that_may_be_in_order_is_used(period: Json) -> None:
    patient = bundle(condition(concept(ICD, "I21.9"), onsetPeriod=period))
    assert only(patient, "myocardial_infarction").start.known
    assert not patient.problems
