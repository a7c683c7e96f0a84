"""Reference ranges for ages: the limit is that of the age on the day of the result, whichever way it is read."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from tests.population.building import Resource, built, ndjson, same, stored

from onstudy.population.bulk_book import Book
from onstudy.population.bulk_fhir_reading import Cluster
from onstudy.population.bulk_forms import Form, Probe
from onstudy.readers import read_patients

UCUM = "http://unitsofmeasure.org"
SEXES = {"male": "248153007", "female": "248152002"}


def band(unit: str, low: int | None, high: int | None, limit: float, sex: str = "") -> Resource:
    """A range with an upper limit, for completed ages from low to high, of one sex."""
    age = {side: {"value": end, "code": unit, "system": UCUM} for side, end in (("low", low), ("high", high)) if end}
    coding = [{"system": "http://snomed.info/sct", "code": SEXES[sex]}] if sex else []
    return {
        "age": age,
        **({"appliesTo": [{"coding": coding}]} if sex else {}),
        "high": {"value": limit, "unit": "mg/dL"},
    }


#: For all ages, for some only, of each sex, in every unit, and two that overlap and differ.
RANGES = {
    "years": [band("a", None, 17, 12), band("a", 18, 64, 1.2), band("a", 65, None, 1.4)],
    "some": [band("a", 18, None, 1.2)],
    "sexes": [band("a", 18, None, 1.2 + place, sex) for place, sex in enumerate(SEXES)] + [band("a", None, 17, 5)],
    "months": [band("mo", None, 5, 9), band("mo", 6, 215, 3), band("mo", 216, None, 1)],
    "weeks": [band("wk", None, 51, 8), band("wk", 52, None, 2)],
    "days": [band("d", None, 27, 7), band("d", 28, None, 2)],
    "a day": [band("d", 28, 28, 7), band("d", 29, None, 2)],
    "overlap": [band("a", None, 40, 5), band("a", 40, None, 6)],
    "not understood": [{"age": {"low": {"value": 18.5, "code": "a"}}, "high": {"value": 3, "unit": "mg/dL"}}],
}


def person(number: int, born: str) -> Resource:
    about = {"resourceType": "Patient", "id": f"p{number}", **({"birthDate": born} if born else {})}
    return about | ({"gender": ("male", "female")[number % 2]} if number % 7 else {})


def lab(name: str, who: int, ranges: list[Resource], value: float, **when: object) -> Resource:
    code = {"coding": [{"system": "http://loinc.org", "code": "1975-2"}]}
    return {"resourceType": "Observation", "id": name, "status": "final", "code": code, "referenceRange": ranges,
            "subject": {"reference": f"Patient/p{who}"}, **when,
            "valueQuantity": {"value": value, "unit": "mg/dL", "system": UCUM, "code": "mg/dL"}}  # fmt: skip


def turning(born: date) -> Iterator[date]:
    """Days on which a range begins or ends: birthdays, and some months, weeks and days."""
    for years in (17, 18, 40, 41, 64, 65):
        year = born.year + years
        last = calendar.monthrange(year, born.month)[1]
        yield date(year, born.month, born.day) if born.day <= last else date(year, born.month, last) + timedelta(1)
    for month in (6, 216):
        year, place = divmod(born.year * 12 + born.month - 1 + month, 12)
        yield date(year, place + 1, min(born.day, calendar.monthrange(year, place + 1)[1]))
    for days in (27, 28, 29, 363, 364):
        yield born + timedelta(days)


BORN = ["1955-06-20", "1960-02-29", "1999-12-31", "1944-01-01", "1980-02-28", "2008-02-29", "1950-06", "1961", ""]


def records(name: str) -> list[Resource]:
    """Patients with results on, before and after each day that matters, in days, months, years, hours and periods."""
    found: list[Resource] = []
    for number, born in enumerate(BORN * 3):
        found.append(person(number, born))
        day = date.fromisoformat((born or "1961")[:4] + (born[4:] + "-06-15"[len(born[4:]) :] if born else "-06-15"))
        days = [one + timedelta(by) for one in turning(day) for by in (-1, 0, 1)]
        days = [one for one in days if one < date(2026, 7, 1)]
        for place, one in enumerate(days):
            text, ranges = one.isoformat(), RANGES[name]
            forms: list[dict[str, object]] = [
                {"effectiveDateTime": text},
                {"effectiveDateTime": f"{text}T23:30:00-05:00"},
                {"effectiveDateTime": text[: (4, 7)[place % 2]]},
                {"effectivePeriod": {"start": text, "end": (one + timedelta(place % 3)).isoformat()}},
                {"issued": f"{text}T01:00:00Z"},
                {"effectiveTiming": {"event": [text]}},
                {"effectiveAge": {"value": 20 + place, "code": "a"}},
            ]
            which = (number + place) % 12
            when = forms[which - 5] if which > 5 else forms[0]
            found.append(lab(f"o{number}-{place}", number, ranges, 0.5 + place / 7, **when))
    return found


@pytest.mark.parametrize("name", RANGES)
def test_the_limit_is_that_of_the_age_on_the_day(name: str, tmp_path: Path) -> None:
    resources = records(name)
    Random(5).shuffle(resources)
    (tmp_path / "in.ndjson").write_bytes(ndjson(resources))
    built(tmp_path / "in.ndjson", tmp_path / "store")
    found = stored(tmp_path / "store")
    expected = {one.id: one for one in read_patients("in.ndjson", ndjson(resources))}
    assert found.keys() == expected.keys()
    for who, patient in expected.items():
        assert same(found[who], patient), f"{who}\n{found[who]}\nis not\n{patient}"
    limits = {fact.uln for one in expected.values() for fact in one.facts if fact.kind == "bilirubin_total"}
    assert len(limits) >= (1 if name == "not understood" else 2)


def test_what_a_range_for_ages_means_is_told_once_for_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """600 results of 60 patients: as many readings as there are sexes and bands, not one for each result."""
    random, alone = Random(2), Book.alone
    resources = [person(number, f"{1940 + number}-03-0{number % 9 + 1}") for number in range(1, 61)]
    for number in range(600):
        day = f"{random.randint(2001, 2026)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"
        resources.append(lab(f"o{number}", number % 60 + 1, RANGES["years"], number / 7, effectiveDateTime=day))
    (tmp_path / "in.ndjson").write_bytes(ndjson(resources))
    read: list[object] = []

    def counted(book: Book[Cluster], cluster: Cluster, probe: Probe) -> Form | None:
        read.append(probe)
        return alone(book, cluster, probe)

    monkeypatch.setattr(Book, "alone", counted)
    built(tmp_path / "in.ndjson", tmp_path / "store")
    assert len(read) < 30
    found = stored(tmp_path / "store")
    expected = {one.id: one for one in read_patients("in.ndjson", ndjson(resources))}
    assert all(same(found[who], patient) for who, patient in expected.items())
