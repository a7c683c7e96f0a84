"""Medicines: from when to when, by which route, for what; and what is no exposure."""

from __future__ import annotations

import pytest
from tests.readers.build import (
    ATC,
    GIVEN,
    ICD,
    OWN,
    REQUEST,
    SNOMED,
    STATEMENT,
    Json,
    bundle,
    concept,
    condition,
    drug,
    shown,
)
from tests.readers.canon import of, only, said


@pytest.mark.parametrize(
    ("type_", "more", "expected"),
    [
        (
            STATEMENT,
            {"status": "completed", "effectivePeriod": {"start": "2025-11", "end": "2026-02-03"}},
            ("2025-11", "2026-02-03", False),
        ),
        (STATEMENT, {"status": "active", "effectivePeriod": {"start": "2025-11"}}, ("2025-11", None, True)),
        (STATEMENT, {"status": "active", "effectiveDateTime": "2025-11-02"}, ("2025-11-02", None, True)),
        (STATEMENT, {"status": "completed", "effectiveDateTime": "2025-11-02"}, ("2025-11-02", "2025-11-02", False)),
        (
            STATEMENT,
            {"status": "stopped", "effectivePeriod": {"start": "2025-11-01"}, "dateAsserted": "2026-01-05"},
            ("2025-11-01", "2025-11-01..2026-01-05", False),
        ),
        (
            STATEMENT,
            {"status": "stopped", "effectivePeriod": {"start": "2025-11-01"}},
            ("2025-11-01", "from 2025-11-01", False),
        ),
        (
            STATEMENT,
            {
                "status": "stopped",
                "effectivePeriod": {"start": "2025-11-01"},
                "meta": {"lastUpdated": "2026-01-05T00:00:00Z"},
            },
            ("2025-11-01", "2025-11-01..2026-01-05", False),
        ),
        (STATEMENT, {"status": "unknown"}, ("date unknown", "date unknown", False)),
        (STATEMENT, {"status": "active", "dateAsserted": "2026-01-05"}, ("until 2026-01-05", None, True)),
        (
            GIVEN,
            {"status": "completed", "effectiveDateTime": "2025-11-02T09:00:00Z"},
            ("2025-11-02T09:00Z", "2025-11-02T09:00Z", False),
        ),
        (GIVEN, {"status": "in-progress", "effectivePeriod": {"start": "2025-11-02"}}, ("2025-11-02", None, True)),
        (REQUEST, {"status": "active", "intent": "order", "authoredOn": "2025-11-02"}, ("2025-11-02", None, True)),
        (
            REQUEST,
            {"status": "stopped", "intent": "order", "authoredOn": "2025-11-02"},
            ("2025-11-02", "from 2025-11-02", False),
        ),
        (
            REQUEST,
            {
                "status": "completed",
                "intent": "order",
                "authoredOn": "2025-11-02",
                "dosageInstruction": [
                    {"timing": {"repeat": {"boundsPeriod": {"start": "2025-11-03", "end": "2025-11-09"}}}}
                ],
            },
            ("2025-11-03", "2025-11-09", False),
        ),
    ],
)
def test_from_when_to_when_a_drug_was_taken(type_: str, more: Json, expected: tuple[str, str | None, bool]) -> None:
    found = shown(only(bundle(drug(type_, **more)), "treatment"))
    assert tuple(str(part).replace("T00:00Z", "") if isinstance(part, str) else part for part in found) == expected


@pytest.mark.parametrize(
    ("type_", "more"),
    [
        (STATEMENT, {"status": "not-taken"}),
        (STATEMENT, {"status": "intended"}),
        (STATEMENT, {"status": "entered-in-error"}),
        (GIVEN, {"status": "not-done"}),
        (REQUEST, {"status": "active", "intent": "plan"}),
        (REQUEST, {"status": "active", "intent": "proposal"}),
        (REQUEST, {"status": "draft", "intent": "order"}),
        (REQUEST, {"status": "cancelled", "intent": "order"}),
        (REQUEST, {"status": "active", "intent": "order", "doNotPerform": True}),
    ],
)
def test_what_is_no_exposure(type_: str, more: Json) -> None:
    patient = bundle(drug(type_, **more))
    assert of(patient, "treatment") == []
    assert "no exposure [not kept]" in said(patient)


@pytest.mark.parametrize(
    ("reason", "intent"),
    [
        (concept(SNOMED, "254701007"), {"intent": frozenset({"other_cancer"})}),
        (concept(OWN, "cml"), {"intent": frozenset({"cml"})}),
        # A malignant neoplasm that nobody named may be the leukemia itself.
        (concept(SNOMED, "363346000"), {}),
    ],
)
def test_a_cancer_as_the_reason_of_a_treatment(reason: Json, intent: dict[str, object]) -> None:
    patient = bundle(drug(STATEMENT, id="a", status="completed", reasonCode=[reason]))
    stated = {key: value for key, value in of(patient, "treatment")[0].attributes.items() if key == "intent"}
    assert stated == intent


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({"text": "Other"}, None),
        (concept(SNOMED, "1", text="other"), None),
        (concept(OWN, "other"), {"other"}),
        ({"text": "Intraventricular"}, {"intrathecal"}),
        ({"text": "Ommaya reservoir"}, {"intrathecal"}),
        ({"coding": [{"system": SNOMED, "code": "1", "display": "Intracerebroventricular route"}]}, {"intrathecal"}),
    ],
)
def test_another_route_may_be_any_and_one_into_the_ventricles_is_into_the_spinal_fluid(
    route: Json, expected: set[str] | None
) -> None:
    patient = bundle(drug(STATEMENT, status="completed", dosage=[{"route": route}]))
    assert only(patient, "treatment").attributes["route"] == (None if expected is None else frozenset(expected))


def test_agent_route_and_reason() -> None:
    patient = bundle(
        condition(concept(SNOMED, "277571004"), id="all"),
        {
            **drug(
                STATEMENT,
                id="a",
                status="completed",
                dosage=[{"route": {"text": "Intrathecal route"}}],
                reasonReference=[{"reference": "Condition/all"}],
            ),
            "medicationCodeableConcept": concept(ATC, "L01BA01"),
        },
        {
            **drug(
                STATEMENT,
                id="b",
                status="completed",
                reasonCode=[concept(OWN, "gvhd")],
                dosage=[{"route": concept(SNOMED, "1")}],
            ),
            "medicationCodeableConcept": {},
            "medicationReference": {"reference": "#m"},
            "contained": [{"resourceType": "Medication", "id": "m", "code": concept(ATC, "L04AD02")}],
        },
        {
            **drug(STATEMENT, id="c", status="active", reasonCode=[concept(ICD, "C91.00")]),
            "medicationCodeableConcept": concept(ATC, "L01EA-", text="?"),
        },
        {**drug(STATEMENT, id="d", status="active"), "medicationCodeableConcept": concept(ATC, "J05AF10")},
    )
    by_id = {fact.id: fact for fact in patient.facts}
    assert by_id["MedicationStatement/a"].attributes == {
        "agent": frozenset({"methotrexate"}),
        "route": frozenset({"intrathecal"}),
        "intent": frozenset({"ALL"}),
    }
    assert by_id["MedicationStatement/b"].attributes == {
        "agent": frozenset({"tacrolimus"}),
        "route": None,
        "intent": frozenset({"gvhd"}),
    }
    assert by_id["MedicationStatement/d:hbv_suppressive_therapy"].ongoing
    assert by_id["MedicationStatement/d:treatment"].attributes["agent"] == frozenset({"entecavir"})
