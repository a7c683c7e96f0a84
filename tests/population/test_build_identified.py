"""Records that name their patient by an identifier alone: whose they are, wherever the Patient resource lies."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from random import Random

import pytest
from tests.population.building import Resource, built, damaged, ndjson, same, stored

from onstudy.population.build import build
from onstudy.population.build_find import find
from onstudy.population.bulk_fhir import NO_PATIENT
from onstudy.population.generate import Asked, generate_fhir
from onstudy.population.store import Store
from onstudy.readers import read_patients

MRN, OTHER = "https://hospital.example/mrn", "https://other.example/mrn"
SEVERAL = "resources whose subject is named by an identifier that several patients have"
CODES = {"bilirubin_total": "1975-2", "ast": "1920-8"}


def person(number: int, *values: str, system: str = MRN, **more: object) -> Resource:
    """Men and women by turns, each with an identifier of a hospital, and with more."""
    identifier = [{"system": system, "value": value} for value in (f"M{number}", *values)]
    about = {"resourceType": "Patient", "id": f"p{number}", "birthDate": "1955-06-20"}
    return {**about, "gender": ("male", "female")[number % 2], "identifier": identifier, **more}


def lab(name: str, who: str | None, kind: str = "bilirubin_total", system: str = MRN, **more: object) -> Resource:
    """A result of 1 March 2026 of whom an identifier means."""
    code = {"coding": [{"system": "http://loinc.org", "code": CODES[kind]}]}
    unit = "mg/dL" if kind == "bilirubin_total" else "U/L"
    amount = {"value": 1.5, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    about = {"subject": {"identifier": {"system": system, "value": who}}} if who is not None else {}
    return {"resourceType": "Observation", "id": name, "status": "final", "code": code, **about,
            "effectiveDateTime": "2026-03-01", "valueQuantity": amount, **more}  # fmt: skip


def export(folder: Path, **files: list[Resource]) -> Path:
    """A folder with a file of each list."""
    folder.mkdir()
    for name, resources in files.items():
        (folder / f"{name}.ndjson").write_bytes(ndjson(resources))
    return folder


def check(store: Path, resources: list[Resource]) -> None:
    """The store holds what the reader makes of all resources in one file."""
    expected = {one.id: one for one in read_patients("all.ndjson", ndjson(resources))}
    found = stored(store)
    assert found.keys() == expected.keys()
    for name, patient in expected.items():
        assert same(found[name], patient), f"{name}:\n{found[name]}\nis not\n{patient}"


def many(store: Path, patient: str) -> int:
    """How many results of bilirubin a patient has."""
    return sum(fact.kind == "bilirubin_total" for fact in stored(store)[patient].facts)


@pytest.mark.parametrize("people_first", [True, False])
@pytest.mark.parametrize("named", [True, False], ids=["with an id", "without"])
@pytest.mark.parametrize("times", [1, 6], ids=["alone", "many alike"])
def test_the_patient_may_lie_in_another_file(times: int, named: bool, people_first: bool, tmp_path: Path) -> None:
    people = [person(1), person(2), person(3, system=OTHER)]
    results = [lab(f"o{number}", ("M1", "M2")[number % 2]) for number in range(2 * times)]
    results = [{key: value for key, value in one.items() if named or key != "id"} for one in results]
    results = [{**one, "effectiveDateTime": f"2026-03-{place + 1:02d}"} for place, one in enumerate(results)]
    files = {"a": people, "b": results} if people_first else {"a": results, "b": people}
    report = built(export(tmp_path / "in", **files), tmp_path / "store")
    assert [many(tmp_path / "store", name) for name in ("p1", "p2", "p3")] == [times, times, 0]
    assert not report.left
    if named:  # a record without an id is told by its line, and lines are counted in each file
        check(tmp_path / "store", [*people, *results])


def test_what_depends_on_the_patient_is_that_of_who_is_meant(tmp_path: Path) -> None:
    """Ranges for a sex and for an age, an age at onset, problems in their order; an id that is none ("p 5")."""
    people = [person(number, birthDate=f"{1960 + 8 * (number % 7)}-06-20") for number in range(12)]
    called = [f"p{number}" if number != 5 else "p 5" for number in range(12)]
    people = [{**one, "id": name} for one, name in zip(people, called, strict=True)]
    sexes = [
        {"appliesTo": [{"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": sex}]}],
         "high": {"value": high, "unit": "mg/dL"}} for sex, high in (("male", 1.3), ("female", 1.0))
    ]  # fmt: skip
    adult = [{"age": {"low": {"value": 18, "code": "a"}}, "high": {"value": 1.2, "unit": "mg/dL"}}]
    resources = [*people]
    for number in range(12):
        who = f"M{number}"
        resources += [
            lab(f"sex{number}", who, referenceRange=sexes),
            lab(f"man{number}", who, referenceRange=sexes[:1], effectiveDateTime="2026-03-02"),
            lab(f"one{number}", who, referenceRange=sexes[1:], subject={"reference": f"Patient/{called[number]}"}),
            lab(f"age{number}", who, referenceRange=adult, effectiveDateTime="2026-03-03"),
            lab(f"unit{number}", who, valueQuantity={"value": 3, "unit": "bananas"}),
            {"resourceType": "Immunization", "id": f"i{number}", "patient": lab("", who)["subject"]},
            {"resourceType": "Condition", "id": f"c{number}", "onsetAge": {"value": 30, "code": "a"},
             "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M86.9"}]},
             "subject": lab("", who)["subject"]},
        ]  # fmt: skip
    Random(4).shuffle(resources)
    built(export(tmp_path / "in", a=resources[:40], b=resources[40:]), tmp_path / "store")
    check(tmp_path / "store", resources)
    limits = {name: {fact.uln.low for fact in one.facts if fact.id.startswith("Observation/sex") and fact.uln}
              for name, one in stored(tmp_path / "store").items()}  # fmt: skip
    assert limits == {name: {1.0 if number % 2 else 1.3} for number, name in enumerate(called)}


def test_an_identifier_that_several_have_means_none_of_them_and_is_told(tmp_path: Path) -> None:
    people = [person(1, "shared"), person(2, "shared"), person(3, "shared", system=OTHER)]
    results = [lab("o1", "shared"), lab("o2", "shared", system=OTHER), lab("o3", "nobody's"), lab("o4", "M2")]
    report = built(export(tmp_path / "in", a=people[:1], b=results, c=people[1:]), tmp_path / "store")
    assert [many(tmp_path / "store", name) for name in ("p1", "p2", "p3")] == [0, 1, 1]
    assert report.left == {(SEVERAL, "Observation"): 1, (NO_PATIENT, "Observation"): 1}
    one, *_ = read_patients("all.ndjson", ndjson([*people, *results]))
    said = {problem.where: problem.what for problem in one.problems}
    assert said["Observation/o1"] == "several patients have the identifier of its subject: not used"
    assert said["Observation/o3"] == "its subject is no patient of this source: not used"


def test_copies_and_versions_of_a_patient_are_one_who_has_the_identifier(tmp_path: Path) -> None:
    old, new = (person(1, meta={"lastUpdated": f"2026-01-0{day}T00:00:00Z"}) for day in (1, 2))
    new = {**new, "gender": "male"}
    resources = [old, person(1, gender="male") | {"meta": new["meta"]}, new, person(2), lab("o1", "M1")]
    built(export(tmp_path / "in", a=resources[:2], b=resources[2:]), tmp_path / "store")
    assert many(tmp_path / "store", "p1") == 1
    check(tmp_path / "store", resources)


def test_bundles_name_patients_of_theirs_and_of_others(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    own = [person(1), lab("o1", "M1"), lab("o2", "M2"), lab("o3", "M9")]
    for name, resources in {"a": own, "b": [person(2)], "c": [lab("o4", "M1"), lab("o5", "M2", "ast")]}.items():
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(bundle).encode()))
    report = built(folder, tmp_path / "store")
    assert [many(tmp_path / "store", name) for name in ("p1", "p2")] == [2, 1]
    assert report.left[NO_PATIENT, "Observation"] == 1
    check(tmp_path / "store", [*own, person(2), lab("o4", "M1"), lab("o5", "M2", "ast")])


def test_only_patients_whose_records_changed_are_put_together_again(tmp_path: Path) -> None:
    people = [person(number) for number in range(20)]
    results = [lab(f"o{number}", f"M{number}") for number in range(20)]
    source, store = export(tmp_path / "in", a=people, b=results), tmp_path / "store"
    first = built(source, store)
    assert not built(source, store).changed
    (source / "c.ndjson").write_bytes(ndjson([lab("more", None, subject={"reference": "Patient/p3"})]))
    assert (first.patients_built, built(source, store).patients_built) == (20, 1)
    (source / "d.ndjson").write_bytes(ndjson([person(20, "M7")]))  # M7 is no longer told
    report = built(source, store)
    assert report.left == {(SEVERAL, "Observation"): 1}
    assert [many(store, name) for name in ("p3", "p7", "p20")] == [2, 0, 0]
    (source / "d.ndjson").unlink()
    (source / "c.ndjson").unlink()
    built(source, store)
    shutil.rmtree(source)
    fresh = export(tmp_path / "in", a=people, b=results)
    built(fresh, tmp_path / "new")
    one, two = (Store.open(path).manifest for path in (store, tmp_path / "new"))
    assert (one.digest, one.shards, one.beside) == (two.digest, two.shards, two.beside)
    assert {path.name for path in (store / "rows").iterdir()} == {
        path.name for path in (tmp_path / "new/rows").iterdir()
    }


def test_generated_patients_some_of_whose_records_name_them_so(tmp_path: Path) -> None:
    """Each third record by an identifier, some damaged, in any order; two processes build the same."""
    generate_fhir(Asked(30), tmp_path / "made")
    made = [path.read_bytes() for path in sorted((tmp_path / "made").glob("*.ndjson"))]
    lines: list[Resource] = [json.loads(line) for text in made for line in text.splitlines()]
    random = Random(9)
    resources: list[Resource] = []
    for one in lines:
        if random.random() < 0.05:
            one = damaged(one, lines, random)
        if one["resourceType"] == "Patient":
            one["identifier"] = [*one.get("identifier", []), {"system": MRN, "value": f"M-{one['id']}"}]
        elif random.random() < 0.3:
            value = "M-" + one["subject"]["reference"].partition("/")[2]
            one["subject"] = {"identifier": {"system": MRN, "value": value}}
        resources.append(one)
    random.shuffle(resources)
    third = len(resources) // 3
    files = {"a": resources[:third], "b": resources[third : 2 * third], "c": resources[2 * third :]}
    built(export(tmp_path / "in", **files), tmp_path / "store")
    check(tmp_path / "store", resources)
    build(find(str(tmp_path / "in"), tmp_path / "two"), tmp_path / "two", workers=2)
    first, second = (Store.open(tmp_path / name).manifest for name in ("store", "two"))
    assert (first.digest, first.beside) == (second.digest, second.beside)
