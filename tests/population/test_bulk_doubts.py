"""What a source leaves in doubt is left in the same doubt by a build: one record of each sort, and many alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.population.building import Resource, built, ndjson, stored
from tests.population.test_bulk_readers import CLINICAL, VERIFIED, check, own, spread

from onstudy.readers import read_patients
from onstudy.record.patient import Fact

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
TIMES = pytest.mark.parametrize("times", [1, 8], ids=["alone", "many alike"])


def coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def read_both_ways(of_person: Callable[[int], list[Resource]], people: int, folder: Path) -> list[Fact]:
    """The facts of some people, the same by the readers of a screening and by a build."""
    resources: list[Resource] = []
    for number in range(people):
        resources.append({"resourceType": "Patient", "id": f"p{number}", "birthDate": "1990-01-01", "gender": "female"})
        for place, resource in enumerate(of_person(number)):
            about = {"subject": {"reference": f"Patient/p{number}"}}
            resources.append({"resourceType": "", "id": f"x{number}-{place}", **resource, **about})
    built(spread(resources, folder / "export", 2), folder / "store")
    expected = list(read_patients("all.ndjson", ndjson(resources)))
    check(stored(folder / "store"), expected)
    return [fact for patient in expected for fact in patient.facts if fact.kind != "sex"]


@TIMES
def test_diagnoses(times: int, tmp_path: Path) -> None:
    """Refuted with a value, verified in no word of FHIR, recorded on the day they were asserted."""

    def of_person(number: int) -> list[Resource]:
        day = f"2026-03-{number + 1:02d}"
        said = [{"coding": [{"system": VERIFIED, "code": "refuted"}]}, {"text": "Entered in error"}, None]
        codes = [coded(SNOMED, "277571004"), coded(SNOMED, "22298006"), own("pacemaker"), coded(SNOMED, "15777000")]
        over = {"clinicalStatus": {"coding": [{"system": CLINICAL, "code": "resolved"}]}}
        asserted: Resource = {"extension": [{"url": ASSERTED, "valueDateTime": day}]}
        return [
            {
                "resourceType": "Condition",
                "code": code,
                **({"verificationStatus": status} if status else {}),
                **dated,
                **(over if place % 2 else {}),
            }
            for status in said
            for place, code in enumerate(codes)
            for dated in (asserted, {"recordedDate": day}, {**asserted, "recordedDate": "2026-02-01"})
        ]

    facts = read_both_ways(of_person, times, tmp_path)
    found = {(fact.kind, fact.certain, fact.lacks) for fact in facts}
    assert {("leukemia_diagnosis", True, "conflict"), ("leukemia_diagnosis", False, "not_stated")} <= found
    assert {fact.recorded is None for fact in facts} == {False}


@TIMES
def test_results_that_what_holds_them_takes_back(times: int, tmp_path: Path) -> None:
    """Listed in a report in error, in that and another, in a panel in error, of specimens of some statuses."""

    def of_person(number: int) -> list[Resource]:
        day, error = f"2026-03-{number + 1:02d}", {"status": "entered-in-error"}

        def result(name: str, **more: object) -> Resource:
            of_it = {"code": coded(LOINC, "26464-8"), "valueQuantity": {"value": 8 + number, "unit": "/uL"}}
            taken = {"status": "final", "effectiveDateTime": f"{day}T{len(name):02d}:00:00Z"}
            return {"resourceType": "Observation", "id": f"{name}{number}", **taken, **of_it, **more}

        def listing(*names: str) -> list[Resource]:
            return [{"reference": f"Observation/{name}{number}"} for name in names]

        statuses = ("available", "unavailable", "unsatisfactory", "entered-in-error")
        refers = [{"specimen": {"reference": f"Specimen/{status}{number}"}} for status in statuses]
        report: Resource = {"resourceType": "DiagnosticReport", "status": "final"}
        blood = {"text": "Blood"}
        return [
            *(result(f"{'s' * (place + 1)}", **one) for place, one in enumerate(refers)),
            *(
                {"resourceType": "Specimen", "id": f"{status}{number}", "status": status, "type": blood}
                for status in statuses
            ),
            *(result("r" * many) for many in (5, 6, 7, 8)),
            {**report, **error, "result": listing("rrrrr", "rrrrrr")},
            {**report, "result": listing("rrrrrr", "rrrrrrr")},
            {**report, "result": listing("rrrrrrr", "rrrrrrrr"), "specimen": [refers[2]["specimen"]]},
            result("t" * 9),
            result("t" * 10, code={"text": "x"}, hasMember=listing("t" * 9), **error),
        ]

    facts = read_both_ways(of_person, times, tmp_path)
    found = {(fact.source.strip("0123456789"), fact.value is None) for fact in facts if fact.kind == "blood_wbc"}
    assert {(name.removeprefix("Observation/"), lost) for name, lost in found} == {
        ("s", False), ("ss", False), ("sss", True), ("ssss", True),
        ("rrrrr", True), ("rrrrrr", False), ("rrrrrrr", True), ("rrrrrrrr", True), ("t" * 9, True),
    }  # fmt: skip


@TIMES
def test_samples_and_words_of_others(times: int, tmp_path: Path) -> None:
    """A sample that was collected, an amount of hCG with and without a word, a route and a value "other"."""

    def of_person(number: int) -> list[Resource]:
        day = f"2026-03-{number + 1:02d}"
        sample: Resource = {"resourceType": "Specimen", "type": own("mrd_marrow_submission")}
        hcg: Resource = {"resourceType": "Observation", "status": "final", "code": coded(LOINC, "21198-7")}
        hcg |= {"valueQuantity": {"value": 3.5 + number, "unit": "m[IU]/mL"}}
        words = [{"interpretation": [coded(INTERPRETATION, word)]} for word in ("POS", "NEG", "H")]
        drug: Resource = {"resourceType": "MedicationStatement", "status": "completed", "effectiveDateTime": day}
        drug |= {"medicationCodeableConcept": {"text": "methotrexate"}}
        of_type: Resource = {"resourceType": "Observation", "status": "final", "code": own("leukemia_diagnosis")}
        return [
            {**sample, "collection": {"collectedDateTime": day}},
            {**sample, "receivedTime": day, "collection": {"collectedDateTime": "2026-03-01"}},
            *({**hcg, "effectiveDateTime": f"{day}T0{place}:00:00Z", **one} for place, one in enumerate([*words, {}])),
            *({**drug, "dosage": [{"route": {"text": text}}]} for text in ("Other", "Ommaya reservoir")),
            {**drug, "dosage": [{"route": own("other")}]},
            {**of_type, "effectiveDateTime": day, "valueString": "Other"},
            {**of_type, "effectiveDateTime": day, "valueCodeableConcept": own("other")},
        ]

    facts = read_both_ways(of_person, times, tmp_path)
    assert {fact.certain for fact in facts if fact.kind == "mrd_marrow_submission"} == {True, False}
    tests = {fact.value for fact in facts if fact.kind == "pregnancy_test"}
    assert tests == {frozenset({"positive"}), frozenset({"negative"}), None}
    routes = [fact.attributes["route"] for fact in facts if fact.kind == "treatment"]
    assert set(routes) == {None, frozenset({"intrathecal"}), frozenset({"other"})}
    types = {fact.value for fact in facts if fact.kind == "leukemia_diagnosis"}
    assert types == {None, frozenset({"other"})}


@TIMES
def test_drugs(times: int, tmp_path: Path) -> None:
    """Stopped before or after their planned end, bounded by one or several dosages or by a length, and not taken."""

    def of_person(number: int) -> list[Resource]:
        begun, ended, known = f"2025-03-{number + 1:02d}", f"2025-06-{number + 1:02d}", f"2025-05-{number + 1:02d}"
        changed = {"meta": {"lastUpdated": f"{known}T10:00:00Z"}}

        def days(start: str, end: str) -> Resource:
            return {"timing": {"repeat": {"boundsPeriod": {"start": start, "end": end}}}}

        def length(value: float, unit: str) -> Resource:
            return {"timing": {"repeat": {"boundsDuration": {"value": value, "unit": unit, "code": unit}}}}

        order: Resource = {"resourceType": "MedicationRequest", "intent": "order", "authoredOn": begun}
        said: Resource = {"resourceType": "MedicationStatement"}
        agents = ({"text": "Entecavir 0.5 mg"}, coded("http://www.whocc.no/atc", "J05AF10"), {"text": "XY-101"})
        dosages = (
            [days(begun, ended)],
            [days(begun, "2025-04-01"), days("2025-04-01", ended)],
            [days(ended, "2025-07-01"), {"text": "then as needed"}],
            [length(30 + number % 2, "d")],
            [length(1, "mo"), length(7, "d")],
            [length(36, "h")],
        )
        orders = [
            {**order, "status": status, "dosageInstruction": dosage, **when}
            for status in ("active", "stopped", "completed")
            for dosage in dosages
            for when in ({}, changed, {"meta": {"lastUpdated": "2025-09-01T00:00:00Z"}})
        ]
        statements = [
            {**said, "status": status, "effectivePeriod": {"start": begun, "end": ended}, **when}
            for status in ("stopped", "completed", "active")
            for when in ({}, changed, {"dateAsserted": known}, {"dateAsserted": "2025-09-01"})
        ]
        denials = [
            {**said, "status": "not-taken", **more}
            for more in (
                {"effectiveDateTime": known},
                {"effectivePeriod": {"start": known}, "dateAsserted": "2025-09-01"},
                {"effectivePeriod": {"start": known, "end": ended}},
                {"effectiveDateTime": known, "dosage": [{"route": {"text": "Oral"}}]},
                {"dateAsserted": known},
                {},
            )
        ]
        # Of one person either orders, or an open one and a denial, which would contradict all.
        some = [*orders, *statements] if number % 2 == 0 else [{**order, "status": "active"}]
        some += denials[number // 2 % len(denials) :][:1] if number % 2 else []
        return [{**one, "medicationCodeableConcept": agents[(place + number) % 3]} for place, one in enumerate(some)]

    facts = read_both_ways(of_person, 3 * times, tmp_path)
    assert {fact.kind for fact in facts} >= {"treatment", "hbv_suppressive_therapy"}
    assert {(fact.ongoing, fact.end is None) for fact in facts if not fact.negative} >= {(True, True), (False, False)}
    assert times == 1 or {fact.start.day for fact in facts if fact.negative} == {None}
