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


def days(start: str, end: str) -> Json:
    return {"timing": {"repeat": {"boundsPeriod": {"start": start, "end": end}}}}


def length(value: float, unit: str, **more: object) -> Json:
    return {"timing": {"repeat": {"boundsDuration": {"value": value, "unit": unit, "code": unit, **more}}}}


def between(**sides: int) -> Json:
    span = {side: {"value": number, "code": "d"} for side, number in sides.items()}
    return {"timing": {"repeat": {"boundsRange": span}}}


PLANNED: Json = {"authoredOn": "2025-03-01", "dosageInstruction": [days("2025-03-01", "2027-06-01")]}
CHANGED: Json = {"meta": {"lastUpdated": "2025-05-01T10:00:00Z"}}
LATER: Json = {"meta": {"lastUpdated": "2027-01-02T10:00:00Z"}}
TAKEN: Json = {"effectivePeriod": {"start": "2025-03-01", "end": "2027-01-01"}}


@pytest.mark.parametrize(
    ("type_", "more", "end"),
    [
        (REQUEST, {"status": "stopped", **PLANNED, **CHANGED}, "2025-03-01..2025-05-01"),
        (REQUEST, {"status": "completed", **PLANNED, **CHANGED}, "2025-03-01..2025-05-01"),
        (REQUEST, {"status": "stopped", **PLANNED}, "2025-03-01..2027-06-01"),
        (REQUEST, {"status": "completed", **PLANNED}, "2027-06-01"),
        (REQUEST, {"status": "active", **PLANNED, **CHANGED}, "2027-06-01"),
        (STATEMENT, {"status": "stopped", **TAKEN, "dateAsserted": "2025-06-01"}, "2025-03-01..2027-01-01"),
        (
            STATEMENT,
            {"status": "completed", **TAKEN, "dateAsserted": "2025-03-01", **CHANGED},
            "2025-03-01..2025-05-01",
        ),
        (STATEMENT, {"status": "completed", **TAKEN, "dateAsserted": "2025-03-01", **LATER}, "2027-01-01"),
        (STATEMENT, {"status": "completed", **TAKEN, **CHANGED}, "2025-03-01..2025-05-01"),
        (STATEMENT, {"status": "stopped", **TAKEN, "dateAsserted": "2027-01-01"}, "2027-01-01"),
        (STATEMENT, {"status": "stopped", **TAKEN}, "2027-01-01"),
        (GIVEN, {"status": "stopped", **TAKEN, **CHANGED}, "2025-03-01..2025-05-01"),
    ],
)
def test_what_was_stopped_did_not_go_on_to_its_planned_end(type_: str, more: Json, end: str) -> None:
    intent = {"intent": "order"} if type_ == REQUEST else {}
    assert shown(only(bundle(drug(type_, **intent, **more)), "treatment")) == ("2025-03-01", end, False)


ORDERED: Json = {"status": "active", "intent": "order", "authoredOn": "2019-01-01"}


@pytest.mark.parametrize(
    ("dosages", "start", "end"),
    [
        ([days("2019-01-05", "2019-02-01"), days("2019-02-01", "2019-04-01")], "2019-01-05", "2019-04-01"),
        ([days("2019-02", "2019-04-01"), days("2019-01-05", "2019-02-01")], "2019-01-05", "2019-04-01"),
        ([days("2019", "2019"), days("2019-02-01", "2019-03-01")], "2019-01-01..2019-02-01", "2019-03-01..2019-12-31"),
        ([days("2019-01-05", "2019-02-01"), {"text": "then as needed"}], "2019-01-01", "from 2019-02-01"),
        ([days("2019-01-05", "2019-13-01")], "2019-01-05", "from 2019-01-05"),
        ([{"timing": {"repeat": {"boundsPeriod": {"start": "2019-01-05"}}}}], "2019-01-05", None),
        ([length(90, "d")], "2019-01-01", "from 2019-03-31"),
        ([length(2, "wk")], "2019-01-01", "from 2019-01-14"),
        ([length(1.5, "wk")], "2019-01-01", "from 2019-01-07"),
        ([length(3, "mo")], "2019-01-01", "from 2019-03-31"),
        ([length(7, "d"), length(7, "d")], "2019-01-01", "from 2019-01-07"),
        ([length(36, "h")], "2019-01-01", "from 2019-01-01"),
        ([length(90, "d", comparator=">")], "2019-01-01", "from 2019-01-01"),
        ([between(low=5, high=7)], "2019-01-01", "from 2019-01-05"),
        ([between(low=5)], "2019-01-01", "from 2019-01-01"),
        ([between(low=7, high=5)], "2019-01-01", "from 2019-01-01"),
        ([], "2019-01-01", None),
        ([{"text": "daily"}], "2019-01-01", None),
    ],
    ids=str,
)
def test_an_order_lasts_from_the_first_to_the_last_day_of_its_dosages(
    dosages: list[Json], start: str, end: str | None
) -> None:
    fact = only(bundle(drug(REQUEST, **ORDERED, dosageInstruction=dosages)), "treatment")
    assert shown(fact) == (start, end, end is None)


@pytest.mark.parametrize(
    ("dosages", "end"),
    [
        ([length(90, "d")], "2019-03-31..2019-04-01"),
        ([length(1.5, "wk")], "2019-01-07..2019-01-15"),
        ([length(3, "mo")], "2019-03-31..2019-04-01"),
        ([length(7, "d"), length(7, "d")], "2019-01-07..2019-01-15"),
        ([between(low=5, high=7)], "2019-01-05..2019-01-08"),
    ],
    ids=str,
)
def test_a_length_counts_from_the_day_an_order_was_written_once_it_is_over(dosages: list[Json], end: str) -> None:
    """While it is active it may have been written ahead: then it tells only when it ended at the earliest."""
    order = {**ORDERED, "status": "completed"}
    assert shown(only(bundle(drug(REQUEST, **order, dosageInstruction=dosages)), "treatment")) == (
        "2019-01-01", end, False,
    )  # fmt: skip


ENTECAVIR = concept(ATC, "J05AF10")


def not_taken(**more: object) -> Json:
    return {**drug(STATEMENT, status="not-taken", **more), "id": "no", "medicationCodeableConcept": ENTECAVIR}


@pytest.mark.parametrize(
    "more",
    [
        {"effectiveDateTime": "2026-03-01", "dateAsserted": "2026-03-02"},
        {"effectiveDateTime": "2026-03-01", "medicationCodeableConcept": {"text": "Entecavir 0.5 MG Oral Tablet"}},
        {"effectiveDateTime": "2026-03-01", "dosage": [{"route": {"text": "Oral"}}]},
        {"effectivePeriod": {"start": "2026-03-01", "end": "2026-03-08"}},
        {"effectiveDateTime": "2026-03"},
    ],
    ids=["coded", "in words", "by one route", "for a while", "some day"],
)
def test_a_drug_that_is_not_taken_contradicts_the_order_of_it_and_does_not_end_it(more: Json) -> None:
    """It denies the agent, of every kind the drug is; the order may be of another product, dose or route."""
    order = {**drug(REQUEST, **ORDERED), "medicationCodeableConcept": ENTECAVIR}
    patient = bundle(order, {**not_taken(), **more})
    for kind in ("treatment", "hbv_suppressive_therapy"):
        no, taken = (next(fact for fact in of(patient, kind) if fact.negative is wanted) for wanted in (True, False))
        assert no.narrowed == ("agent", frozenset({"entecavir"}))
        assert taken.ongoing
        assert no.start.known
        assert no.start.day is None


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"effectiveDateTime": "2026-03-01", "medicationCodeableConcept": {"text": "XY-101"}},
        {"effectiveDateTime": "2026-03-01", "medicationCodeableConcept": concept(ATC, "L01EA-")},
    ],
    ids=["no day", "an unknown drug", "one of several"],
)
def test_what_is_not_taken_and_cannot_be_told_denies_nothing(more: Json) -> None:
    patient = bundle({**not_taken(), **more})
    assert not any(fact.negative for fact in patient.facts)
    assert "so that it denies none: that is no exposure [not kept]" in said(patient)


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
