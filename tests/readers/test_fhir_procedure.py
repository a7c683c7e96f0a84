"""Procedures, samples that were sent, reports that are awaited."""

from __future__ import annotations

from typing import Any

import pytest
from tests.readers.build import (
    ICD,
    OWN,
    SNOMED,
    bundle,
    concept,
    parse_day,
    resource,
    shown,
)
from tests.readers.canon import of, only, said

from onstudy.values.calendar import show


def test_procedures() -> None:
    patient = bundle(
        resource(
            "Procedure",
            id="t",
            status="completed",
            code=concept(SNOMED, "234336002"),
            performedPeriod={"start": "2025-11-17T08:00:00Z", "end": "2025-11-17T10:00:00Z"},
            extension=[{"url": "https://onstudy.dev/fhir/attribute/type", "valueCode": "allogeneic"}],
        ),
        resource(
            "Procedure",
            id="r",
            status="completed",
            code=concept(SNOMED, "108290001"),
            performedPeriod={"start": "2025-01-01", "end": "2025-01-20"},
            reasonCode=[concept(ICD, "C91.01")],
        ),
        resource("Procedure", id="n", status="not-done", code=concept(SNOMED, "234336002")),
        resource("Procedure", id="p", status="preparation", code=concept(SNOMED, "234336002")),
        resource("Procedure", id="z", status="completed", code=concept(ICD, "Z94.84"), performedDateTime="2026-01-01"),
    )
    one, other = sorted(of(patient, "hematopoietic_transplant"), key=lambda fact: fact.id)
    assert one.attributes == {"type": frozenset({"allogeneic"})}
    assert one.start.day == parse_day("2025-11-17")
    assert show(other.start) == "until 2026-01-01"
    radiation = only(patient, "treatment")
    assert radiation.attributes == {"agent": radiation.attributes["agent"], "intent": frozenset({"ALL"})}
    assert shown(radiation) == ("2025-01-01", "2025-01-20", False)
    assert said(patient).count("nothing was done") == 1
    assert [(fact.id, fact.negative) for fact in of(patient, "hct_planned")] == [("Procedure/p", False)]


@pytest.mark.parametrize(
    ("status", "more", "start"),
    [
        ("preparation", {}, "date unknown"),
        ("preparation", {"performedDateTime": "2026-04-01"}, "date unknown"),
        ("in-progress", {"performedPeriod": {"start": "2026-03-10"}}, "2026-03-10"),
        ("in-progress", {"performedPeriod": {"start": "2026-03-10", "end": "2026-03-30"}}, "2026-03-10"),
        ("completed", {"performedDateTime": "2020-01-01"}, None),
        ("stopped", {"performedPeriod": {"start": "2020-01-01", "end": "2020-02-01"}}, None),
        ("not-done", {"performedDateTime": "2020-01-01"}, None),
    ],
)
def test_what_is_planned_or_under_way(status: str, more: dict[str, Any], start: str | None) -> None:
    patient = bundle(resource("Procedure", status=status, code=concept(OWN, "testicular_radiotherapy"), **more))
    assert [show(fact.start) for fact in of(patient, "testicular_radiotherapy")] == ([] if start is None else [start])
    assert bool(said(patient)) == (start is None)


def test_a_pacemaker_that_was_put_in_is_there() -> None:
    code = concept(OWN, "pacemaker")
    patient = bundle(resource("Procedure", status="completed", code=code, performedDateTime="2016-06-02"))
    assert show(only(patient, "pacemaker").start) == "2016-06-02"
    awaited = bundle(resource("Procedure", status="preparation", code=code, performedDateTime="2026-04-02"))
    assert of(awaited, "pacemaker") == []


def test_samples_that_were_sent() -> None:
    patient = bundle(
        resource(
            "Specimen",
            id="m",
            type=concept(OWN, "mrd_marrow_submission"),
            receivedTime="2026-03-13",
            extension=[{"url": "https://onstudy.dev/fhir/attribute/first_pull", "valueBoolean": True}],
        ),
        resource("Specimen", id="b", type=concept(OWN, "mrd_blood_submission"), status="unsatisfactory"),
        resource("Specimen", id="s", type=concept(SNOMED, "119297000")),
    )
    assert only(patient, "mrd_marrow_submission").attributes == {"first_pull": frozenset({"yes"})}
    assert of(patient, "mrd_blood_submission") == []
    assert of(patient, "unmapped") == []


def test_a_sample_that_was_taken_need_not_have_been_sent() -> None:
    collected = {"collection": {"collectedDateTime": "2026-03-13"}}
    patient = bundle(resource("Specimen", id="m", type=concept(OWN, "mrd_marrow_submission"), **collected))
    sample = only(patient, "mrd_marrow_submission")
    assert (sample.certain, show(sample.start)) == (False, "from 2026-03-13")
    assert "has no receivedTime: that it was sent is not certain [kept]" in said(patient)


def test_reports_without_results() -> None:
    patient = bundle(
        resource("DiagnosticReport", id="w", status="registered", code=concept(OWN, "bcr_abl1")),
        resource(
            "DiagnosticReport",
            id="c",
            status="final",
            code=concept(OWN, "bcr_abl1"),
            effectiveDateTime="2026-03-01",
            conclusionCode=[concept(OWN, "negative")],
        ),
        resource("DiagnosticReport", id="x", status="cancelled", code=concept(OWN, "bcr_abl1")),
    )
    assert {fact.id: (fact.value, fact.lacks) for fact in of(patient, "bcr_abl1")} == {
        "DiagnosticReport/w": (None, "pending_result"),
        "DiagnosticReport/c": (frozenset({"negative"}), None),
    }


@pytest.mark.parametrize(
    ("status", "lacks"), [("preliminary", "pending_result"), ("partial", "pending_result"), ("unknown", "not_stated")]
)
def test_a_conclusion_that_is_not_final_is_not_used(status: str, lacks: str) -> None:
    conclusion = [concept(OWN, "negative")]
    code = concept(OWN, "bcr_abl1")
    patient = bundle(resource("DiagnosticReport", status=status, code=code, conclusionCode=conclusion))
    fact = only(patient, "bcr_abl1")
    assert (fact.value, fact.lacks) == (None, lacks)
    assert "its conclusion is not used" in said(patient)
