"""Reading takes as long as there is to read: four times the resources take no sixteen times the time."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import process_time

import pytest
from tests.readers.build import LOINC, OWN, PATIENT, Json, concept, observation, resource

from onstudy.readers import read_patients

FEW, MANY = 400, 1600
ACTIVE = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")
NAUSEA = [{"url": "https://onstudy.dev/fhir/attribute/term", "valueCode": "nausea"}]


def day(number: int) -> str:
    return f"{1990 + number // 336}-{1 + number // 28 % 12:02}-{1 + number % 28:02}"


def numbered(made: list[Json]) -> list[Json]:
    return [{**one, "id": f"o{number}"} for number, one in enumerate(made)]


def results(count: int) -> list[Json]:
    """Creatinine and weight by turns, each on a day of its own: every clearance looks for a weight."""
    kinds = [("2160-0", {"value": 1.0, "unit": "mg/dL"}), ("29463-7", {"value": 70, "unit": "kg"})]
    return numbered(
        [
            observation(concept(LOINC, code), valueQuantity=value, effectiveDateTime=day(number))
            for number in range(count)
            for code, value in [kinds[number % 2]]
        ]
    )


def undated(count: int) -> list[Json]:
    """Every weight may be the one that counts for every creatinine."""
    return [{**one, "effectiveDateTime": "2020"} for one in results(count)]


def toxicities(count: int) -> list[Json]:
    """Each ends the one before it."""
    code = concept(OWN, "toxicity")
    more: Json = {"clinicalStatus": ACTIVE, "extension": NAUSEA}
    return numbered([resource("Condition", code=code, onsetDateTime=day(number), **more) for number in range(count)])


def one_report(count: int) -> list[Json]:
    """Each result is of any of the many specimens of its report."""
    specimens = [{"display": f"Blood, tube {number}"} for number in range(count)]
    members = [{"reference": f"Observation/o{number}"} for number in range(count)]
    return [*results(count), resource("DiagnosticReport", status="final", specimen=specimens, result=members)]


def versions(count: int) -> list[Json]:
    """Different results under one and the same id."""
    return [{**one, "id": "o"} for one in results(count)]


def drugs(count: int) -> list[Json]:
    """Long names that are not known."""
    names = [{"text": f"XY {number} " + "of " * 90} for number in range(count)]
    return numbered([resource("MedicationStatement", status="completed", medicationCodeableConcept=n) for n in names])


def others(count: int) -> list[Json]:
    """Results of patients who are named by their identifiers."""
    identified = [{"system": "s", "value": f"{number}"} for number in range(count)]
    people = [{"resourceType": "Patient", "id": f"q{n}", "identifier": [one]} for n, one in enumerate(identified)]
    return [*people, *({**one, "subject": {"identifier": identified[n]}} for n, one in enumerate(results(count)))]


def seconds(make: Callable[[int], list[Json]], count: int) -> float:
    """The processor time of the quicker of two readings."""
    data = json.dumps([PATIENT, *make(count)]).encode()
    taken = []
    for _ in range(2):
        begun = process_time()
        read_patients("b.json", data)
        taken.append(process_time() - begun)
    return min(taken)


@pytest.mark.parametrize("make", [results, undated, toxicities, one_report, versions, drugs, others])
def test_four_times_as_much_takes_about_four_times_as_long(make: Callable[[int], list[Json]]) -> None:
    seconds(make, 50)  # what is loaded once
    few, many = seconds(make, FEW), seconds(make, MANY)
    assert many < 9 * few + 0.2, f"{FEW}: {few:.2f} s, {MANY}: {many:.2f} s"
