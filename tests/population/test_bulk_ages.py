"""Ages, periods that end before they begin, composites not understood: a store says of them what the readers say."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

from tests.population.building import Resource, built, ndjson, stored
from tests.population.test_bulk_readers import check
from tests.readers.build import ICD, LOINC, OWN, concept

from onstudy.readers import read_patients
from onstudy.values.interval import Interval

_UNITS = ("a", "mo", "wk", "d", "years", "months", "h", "")
_NUMBERS = (0, 1, 30, 59.5, 60, 61, 69, 149, 150, 848, 1800, -1, 1e300, "60")
_PEOPLE = 40


def _age(draw: Random) -> Resource:
    age: Resource = {"value": draw.choice(_NUMBERS)}
    for key in draw.choice((("unit",), ("code",), ("unit", "code"))):
        age[key] = draw.choice(_UNITS)
    return age


def _period(draw: Random) -> Resource:
    days = draw.sample(["2024-01-01", "2025-02-03", "2025-06", "2026", "2026-03-01"], 2)
    return dict(zip(("start", "end"), days, strict=True))


def _resources(number: int) -> list[Resource]:
    draw, name = Random(number), f"p{number}"
    subject = {"reference": f"Patient/{name}"}
    born = draw.choice(["1955-06-20", "1956-02-29", "1955", "2001-12-31"])
    absent = {"coding": [{"system": OWN, "code": draw.choice(["not_stated", "conflict", "pending_result"])}]}
    found: list[Resource] = [
        {"resourceType": "Condition", "code": concept(ICD, "I21.9"), "onsetAge": _age(draw)},
        {"resourceType": "Condition", "code": concept(ICD, "M86.9"), "abatementRange": {"low": _age(draw)}},
        {"resourceType": "Condition", "code": concept(ICD, "I21.9"),
         "onsetRange": {"low": _age(draw), "high": _age(draw)}},
        {"resourceType": "Condition", "code": concept(ICD, "I21.9"), "onsetPeriod": _period(draw)},
        {"resourceType": "Observation", "code": concept(LOINC, "1975-2"), "effectivePeriod": _period(draw)},
        {"resourceType": "Observation", "code": concept(OWN, "treatment"), "valueBoolean": False,
         "effectivePeriod": _period(draw), "issued": "2025-03-04"},
        {"resourceType": "Observation", "code": concept(OWN, "csf_examination"), "dataAbsentReason": absent,
         "status": draw.choice(["final", "registered"]), "effectiveDateTime": "2026-03-12"},
    ]  # fmt: skip
    told = [{"status": "final", **one, "id": f"{name}-{place}", "subject": subject} for place, one in enumerate(found)]
    return [{"resourceType": "Patient", "id": name, "gender": "male", "birthDate": born}, *told]


def test_odd_ages_and_periods(tmp_path: Path) -> None:
    resources = [one for number in range(_PEOPLE) for one in _resources(number)]
    source = tmp_path / "export.ndjson"
    source.write_bytes(ndjson(resources))
    built(source, tmp_path / "store")
    expected = read_patients(source)
    check(stored(tmp_path / "store"), expected)
    said = {problem.what for patient in expected for problem in patient.problems}
    assert any("nobody has" in what for what in said)
    assert any("is not clearly in" in what for what in said)
    assert any("onsetRange ends before it begins" in what for what in said)
    assert any("effectivePeriod ends before it begins" in what for what in said)


def test_formulas_with_an_age_that_the_birth_date_leaves_open(tmp_path: Path) -> None:
    """Born in a year or a month: a result on either side of the birthday, and one of a month of its own."""
    resources: list[Resource] = []
    births, month = ("1955", "1955-06", "1955-06-20", "1955-12"), ("2025-06",)
    for number, (born, more) in enumerate(product(births, ((), month))):
        name = f"p{number}"
        resources.append({"resourceType": "Patient", "id": name, "gender": "female", "birthDate": born})
        results = [("29463-7", 61.5, "kg", "2024-01-02")]
        results += [("2160-0", 1.25, "mg/dL", day) for day in ("2025-05-31", "2025-06-20", "2025-12-31", *more)]
        for place, (code, value, unit, day) in enumerate(results):
            quantity = {"value": value, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"}
            resources.append({
                "resourceType": "Observation", "id": f"{name}-{place}", "status": "final", "code": concept(LOINC, code),
                "subject": {"reference": f"Patient/{name}"}, "effectiveDateTime": day, "valueQuantity": quantity,
            })  # fmt: skip
    source = tmp_path / "export.ndjson"
    source.write_bytes(ndjson(resources))
    built(source, tmp_path / "store")
    expected = read_patients(source)
    check(stored(tmp_path / "store"), expected)
    clearances = [fact for patient in expected for fact in patient.facts if fact.kind == "creatinine_clearance"]
    spans = {fact.value for fact in clearances if isinstance(fact.value, Interval)}
    assert any(span.low == span.high for span in spans)
    assert any(span.low != span.high for span in spans)
