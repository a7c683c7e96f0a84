"""The same record gives the same facts, whether a screening reader reads it or a store is built of it.

The expected patients are those of `read_patients`, whose own tests hold it to the reference.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from random import Random

import pytest
from tests.population.building import Resource, built, damaged, ndjson, same, stored

from onstudy.errors import OnstudyError
from onstudy.population.generate import Asked, generate_fhir
from onstudy.population.store import Store
from onstudy.readers import read_patients
from onstudy.readers.dates import write_when
from onstudy.readers.fhir_write import to_bundle
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.record.shard import patient_of

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Synthea's records of these patients are small, and between them hold every type of resource there is.
SYNTHEA = 6


def check(found: dict[str, Patient], expected: Iterable[Patient]) -> None:
    """Each expected patient was found, and nobody else."""
    by_id = {patient.id: patient for patient in expected}
    assert by_id, "a test without patients shows nothing"
    assert found.keys() == by_id.keys()
    for name, patient in by_id.items():
        assert same(found[name], patient), f"{name}: {_difference(found[name], patient)}"


def _difference(found: Patient, expected: Patient) -> str:
    for one, other in zip(found.facts, expected.facts, strict=False):
        if one != other:
            return f"{one}\nis not\n{other}"
    return f"{len(found.facts)} facts, {found.problems}\nare not\n{len(expected.facts)}, {expected.problems}"


def spread(resources: Sequence[Resource], folder: Path, files: int) -> Path:
    """Resources as NDJSON, split over some files as they come; every other one is packed."""
    folder.mkdir()
    step = len(resources) // files + 1
    for number in range(files):
        text = ndjson(resources[number * step : (number + 1) * step])
        packed = number % 2 == 1
        name = f"part-{number}.ndjson" + (".gz" if packed else "")
        (folder / name).write_bytes(gzip.compress(text, 1) if packed else text)
    return folder


# Records that others have made ------------------------------------------------------------------------------------


def synthea(shared: Path) -> list[Path]:
    """The smallest of the bundles of patients."""
    every = (shared / "data/fhir_synthea_r4").glob("*.json.gz")
    people = [path for path in every if "Information" not in path.name]
    return sorted(people, key=lambda path: (path.stat().st_size, path.name))[:SYNTHEA]


def test_bundles_of_synthea(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    for path in synthea(shared):
        (folder / path.name).symlink_to(path)
    built(folder, tmp_path / "store")
    check(stored(tmp_path / "store"), [one for path in synthea(shared) for one in read_patients(path)])


def as_export(bundles: Iterable[Path]) -> list[Resource]:
    """The resources of bundles as a server would export them: references by type and id."""
    found: list[Resource] = []
    for path in bundles:
        text = gzip.decompress(path.read_bytes()).decode()
        for entry in json.loads(text)["entry"]:
            resource = entry["resource"]
            text = text.replace(f'"{entry["fullUrl"]}"', f'"{resource["resourceType"]}/{resource["id"]}"')
        found += [entry["resource"] for entry in json.loads(text)["entry"]]
    return found


def test_synthea_as_a_bulk_export_however_it_is_split(shared: Path, tmp_path: Path) -> None:
    resources = as_export(synthea(shared)[:4])
    Random(1).shuffle(resources)
    built(spread(resources, tmp_path / "export", 5), tmp_path / "store")
    check(stored(tmp_path / "store"), read_patients("export.ndjson", ndjson(resources)))


def test_a_bulk_export_of_a_server(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data/fhir_bulk_ndjson"
    built(folder, tmp_path / "store")
    text = b"".join(gzip.decompress(path.read_bytes()) for path in sorted(folder.glob("*.ndjson.gz")))
    check(stored(tmp_path / "store"), read_patients("export.ndjson", text))


def test_mcode_file_by_file(shared: Path, tmp_path: Path) -> None:
    """Where the reader finds no patient, the build says so too."""
    read = refused = 0
    for number, path in enumerate(sorted((shared / "data/fhir_mcode").glob("*.json"))):
        store = tmp_path / str(number)
        try:
            expected = list(read_patients(path))
        except OnstudyError:
            refused += 1
            with pytest.raises(OnstudyError):
                built(path, store)
            assert not store.exists()
            continue
        read += 1
        built(path, store)
        check(stored(store), expected)
    assert read >= 10
    assert refused >= 10


# Records of our own -----------------------------------------------------------------------------------------------


@cache
def examples() -> tuple[Resource, ...]:
    """The resources of the shipped examples."""
    paths = sorted(EXAMPLES.glob("*.json"))
    return tuple(entry["resource"] for path in paths for entry in json.loads(path.read_text())["entry"])


def test_the_shipped_examples(tmp_path: Path) -> None:
    built(EXAMPLES, tmp_path / "store")
    check(stored(tmp_path / "store"), [one for path in EXAMPLES.glob("*.json") for one in read_patients(path)])


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> list[Resource]:
    """The resources of generated patients, of which most have a form that many share."""
    folder = tmp_path_factory.mktemp("generated") / "fhir"
    generate_fhir(Asked(50), folder)
    return [json.loads(line) for path in sorted(folder.glob("*.ndjson")) for line in path.read_bytes().splitlines()]


def test_generated_patients_are_put_together_as_arrays(generated: list[Resource], tmp_path: Path) -> None:
    resources = list(generated)
    Random(2).shuffle(resources)
    report = built(spread(resources, tmp_path / "export", 3), tmp_path / "store")
    assert report.ways["by arrays"] >= 45, "this is about the quick way"
    check(stored(tmp_path / "store"), read_patients("export.ndjson", ndjson(resources)))


@pytest.mark.parametrize(("seed", "share"), [(3, 0.01), (4, 0.1)])
def test_damaged_resources_of_generated_patients(
    generated: list[Resource], tmp_path: Path, seed: int, share: float
) -> None:
    random = Random(seed)
    resources = [damaged(one, generated, random) if random.random() < share else one for one in generated]
    random.shuffle(resources)
    report = built(spread(resources, tmp_path / "export", 3), tmp_path / "store")
    assert min(report.ways["by arrays"], report.ways["as a whole"]) >= 5, "both ways are taken"
    check(stored(tmp_path / "store"), read_patients("export.ndjson", ndjson(resources)))


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_damaged_resources_of_every_type(tmp_path: Path, seed: int) -> None:
    """Each patient has a few of the examples' resources, most of them damaged, some twice."""
    random = Random(seed)
    people = [one for one in examples() if one["resourceType"] == "Patient"]
    others = [one for one in examples() if one["resourceType"] != "Patient"]
    resources: list[Resource] = []
    for number in range(120):
        name = f"p{number}"
        resources.append({**random.choice(people), "id": name})
        for place in range(random.randint(1, 10)):
            own = {**random.choice(others), "id": f"{name}-{place}", "subject": {"reference": f"Patient/{name}"}}
            resources += [damaged(own, others, random) if random.random() < 0.8 else own] * random.choice((1, 1, 1, 2))
    random.shuffle(resources)
    built(spread(resources, tmp_path / "export", 2), tmp_path / "store")
    check(stored(tmp_path / "store"), read_patients("export.ndjson", ndjson(resources)))


VITAL = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}]
RESOLVED = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]}


SEXES = [
    {
        "appliesTo": [{"coding": [{"system": "http://snomed.info/sct", "code": code}]}],
        "high": {"value": high, "unit": unit},
    }
    for code, high, unit in (("248153007", 1.3, "mg/dL"), ("248152002", 17.1, "umol/L"))
]


def _looked_at(number: int) -> list[Resource]:
    """What readers look at of a few records: category, status, last update, ranges for some, units that differ."""
    about = {"subject": {"reference": f"Patient/p{number}"}}
    day, born = f"2026-03-{number % 20 + 1:02d}", f"{1950 + 9 * (number % 8)}-06-20"

    def result(name: str, code: str, value: float, unit: str, **more: object) -> Resource:
        coded = {"coding": [{"system": "http://loinc.org", "code": code}]}
        quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
        taken = {"effectiveDateTime": f"{day}T08:00:00Z", "valueQuantity": quantity}
        base = {"resourceType": "Observation", "id": f"{name}{number}", "status": "final", "code": coded}
        return {**base, **about, **taken, **more}

    ages: list[dict[str, object]] = [
        {"age": {"high": {"value": 17, "code": "a"}}, "high": {"value": 12, "unit": "mg/dL"}},
        {"age": {"low": {"value": 18, "code": "a"}}, "high": {"value": 1.2, "unit": "mg/dL"}},
    ]
    sex = {"gender": ("male", "female", "unknown")[number % 3]} if number % 5 else {}
    anybody = [{**SEXES[0], "appliesTo": [{"text": "pregnant"}]}, {"high": {"value": 1.3, "unit": "mg/dL"}}]
    panel = {"code": {"coding": [{"system": "http://loinc.org", "code": "1975-2"}]}, "referenceRange": SEXES}
    panel["valueQuantity"] = {"value": 0.5 + number / 7, "unit": "mg/dL"}
    two_units = {"value": 2.5 + number, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "umol/L"}
    bone = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M86.9"}]}
    over = {"resourceType": "Condition", "code": bone, "clinicalStatus": RESOLVED, **about}
    over["recordedDate"] = "2025-06-03"
    return [
        {"resourceType": "Patient", "id": f"p{number}", **sex, "birthDate": born},
        result("qt", "8634-8", 400 + number, "ms"),
        result("pulse", "8867-4", 55 + number, "/min", category=VITAL),
        result("rate", "8867-4", 60 + number, "/min", effectiveDateTime=day),
        result("early", "1920-8", 30 + number, "U/L", status="preliminary"),
        result("aged", "1975-2", 0.9, "mg/dL", referenceRange=ages),
        result("adult", "1975-2", 0.8, "mg/dL", referenceRange=ages[1:], effectiveDateTime="2026-02-01"),
        result("men", "1975-2", 0.7, "mg/dL", referenceRange=SEXES[:1], effectiveDateTime="2026-02-02"),
        result("both", "1975-2", 0.6 + number, "mg/dL", referenceRange=SEXES, effectiveDateTime="2026-02-03"),
        result("any", "1975-2", 0.5, "mg/dL", referenceRange=anybody, effectiveDateTime="2026-02-04"),
        result("few", "1975-2", 0.5, "mg/dL", referenceRange=anybody[:1], effectiveDateTime="2026-02-05"),
        result("part", "24325-3", 1, "mg/dL", component=[panel], effectiveDateTime="2026-02-06"),
        result("units", "2160-0", 1.0, "mg/dL", valueQuantity=two_units),
        {**over, "id": f"over{number}", "onsetDateTime": f"2025-05-{number % 20 + 1:02d}"},
        {**over, "id": f"changed{number}", "meta": {"lastUpdated": f"{day}T00:00:00Z"}, "onsetDateTime": "2025-06-01"},
        {**over, "id": f"undated{number}", "meta": {"lastUpdated": f"{day}T00:00:00Z"}},
    ]


def test_what_readers_look_at_of_a_record_is_kept(tmp_path: Path) -> None:
    resources = [resource for number in range(24) for resource in _looked_at(number)]
    folder = spread(resources, tmp_path / "export", 2)
    built(folder, tmp_path / "store")
    expected = read_patients("all.ndjson", ndjson(resources))
    check(stored(tmp_path / "store"), expected)
    sexed = {fact.uln for patient in expected for fact in patient.facts if fact.source.startswith("Observation/both")}
    assert {None if uln is None else round(uln.low or 0, 3) for uln in sexed} == {1.3, 1.0, None}


@pytest.mark.parametrize("times", [1, 9], ids=["alone", "many alike"])
def test_what_a_modifier_extension_makes_uncertain(times: int, tmp_path: Path) -> None:
    """On a resource, a range, a component, a dosage and the patient: the same is kept, and the same told."""
    more: Resource = {"modifierExtension": [{"url": "https://example.org/not", "valueString": "x"}]}
    resources: list[Resource] = []
    for number in range(times):
        patient, *others = _looked_at(number)
        ranges = [{**part, **more} for part in SEXES]
        about = {"subject": {"reference": f"Patient/p{number}"}}
        drug = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "121191"}]}
        taken = {"resourceType": "MedicationStatement", "status": "active", "medicationCodeableConcept": drug, **about}
        taken["effectiveDateTime"] = f"2026-01-{number + 1:02d}"
        parts = [{**one, "component": [{**one["component"][0], **more}]} for one in others if "component" in one]
        modified = [{**one, "id": f"m{one['id']}", **more} for one in others]
        resources += [{**patient, **(more if number % 2 else {})}, *others[:3], *modified, *parts]
        resources += [{**others[7], "referenceRange": ranges}]
        resources += [{**taken, "id": f"d{number}", "dosage": [{"text": "daily", **more}]}]
        named = {key: value for key, value in taken.items() if key != "medicationCodeableConcept"}
        resources += [{**named, "id": f"r{number}", "medicationReference": {"reference": f"Medication/m{number}"}}]
        resources += [{"resourceType": "Medication", "id": f"m{number}", "code": drug, **more}]
    built(spread(resources, tmp_path / "export", 1), tmp_path / "store")
    expected = read_patients("all.ndjson", ndjson(resources))
    check(stored(tmp_path / "store"), expected)
    assert sum(fact.lacks == "unsupported" for fact in expected[0].facts) >= 10


@pytest.mark.parametrize("turn", [lambda one: dict(reversed(one.items())), lambda one: dict(sorted(one.items()))])
def test_keys_may_stand_in_any_order(turn: Callable[[Resource], Resource], tmp_path: Path) -> None:
    """Above all the type of a resource that others refer to need not stand first."""
    about = {"subject": {"reference": "Patient/p1"}}
    drug = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "6851"}]}
    taken = {"resourceType": "MedicationStatement", "id": "t", "status": "completed", "effectiveDateTime": "2026-01-02"}
    resources: list[Resource] = [
        {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1970-01-01"},
        {"resourceType": "Patient", "id": "p2", "gender": "male", "birthDate": "1971-01-01"},
        {**taken, "medicationReference": {"reference": "Medication/m"}, **about},
        {"resourceType": "Medication", "id": "m", "code": drug},
    ]
    turned = [turn(one) for one in resources]
    built(spread(turned, tmp_path / "export", 1), tmp_path / "store")
    expected = read_patients("all.ndjson", ndjson(resources))
    assert [fact.attributes["agent"] for fact in expected[0].facts if fact.kind == "treatment"] == [
        frozenset({"methotrexate"})
    ]
    check(stored(tmp_path / "store"), expected)


#: Elements of another shape than theirs, as they stand in the place of the good one of an Observation.
MISSHAPEN: tuple[Resource, ...] = (
    {"referenceRange": "<1.2"}, {"referenceRange": {"high": {"value": 1.2, "unit": "mg/dL"}}}, {"referenceRange": [1]},
    {"component": "x"}, {"code": {"coding": {"system": "http://loinc.org", "code": "1975-2"}}}, {"code": "1975-2"},
    {"identifier": {"value": "7"}}, {"interpretation": "H"}, {"status": ["final"]}, {"hasMember": "x"},
    {"extension": {}}, {"specimen": "x"}, {"effectivePeriod": "March"},
)  # fmt: skip
#: A limit without anything that a limit could be.
EMPTY_LIMITS: tuple[Resource, ...] = (
    {"referenceRange": [{"high": {"reference": "Patient/zz"}}]}, {"referenceRange": [{"low": {}}]},
)  # fmt: skip


@pytest.mark.parametrize("times", [1, 9], ids=["alone", "many alike"])
def test_elements_of_another_shape_are_told_of_alike(times: int, tmp_path: Path) -> None:
    resources: list[Resource] = []
    for number in range(times):
        patient, *others = _looked_at(number)
        resources += [patient, *others]
        for place, wrong in enumerate((*MISSHAPEN, *EMPTY_LIMITS)):
            resources.append({**others[0], "id": f"w{place}-{number}", **wrong})
    built(spread(resources, tmp_path / "export", 1), tmp_path / "store")
    expected = read_patients("all.ndjson", ndjson(resources))
    check(stored(tmp_path / "store"), expected)
    said = " ".join(problem.what for problem in expected[0].problems)
    assert (said.count("belongs: "), said.count("no usable value")) == (len(MISSHAPEN), len(EMPTY_LIMITS))


#: Whom a result may be about, with whether it is about the patient p1, where there is one patient and where are two.
SUBJECTS: dict[str, tuple[Resource, tuple[bool, bool]]] = {
    "by id": ({"subject": {"reference": "Patient/p1"}}, (True, True)),
    "by url": ({"subject": {"reference": "https://x/Patient/p1"}}, (True, True)),
    "nobody": ({}, (True, False)),
    "in words": ({"subject": {"display": "a word"}}, (True, False)),
    "empty": ({"subject": {"reference": " "}}, (True, False)),
    "no value": ({"subject": {"identifier": {"system": "https://x/mrn"}}}, (True, False)),
    "group": ({"subject": {"reference": "Group/g9"}}, (False, False)),
    "device": ({"subject": {"reference": "Device/p1"}}, (False, False)),
    "place": ({"subject": {"reference": "Location/p1"}}, (False, False)),
    "encounter": ({"subject": {"reference": "Encounter/p1"}}, (False, False)),
    "url of a group": ({"subject": {"reference": "https://x/Group/p1"}}, (False, False)),
    "contained": ({"subject": {"reference": "#p1"}}, (False, False)),
    "nonsense": ({"subject": {"reference": "nonsense"}}, (False, False)),
    "no uuid": ({"subject": {"reference": "urn:uuid:"}}, (False, False)),
    "a stranger": ({"subject": {"reference": "Patient/p9"}}, (False, False)),
    "another's number": ({"subject": {"identifier": {"system": "https://x/mrn", "value": "7"}}}, (False, False)),
    "the first counts": (
        {"subject": {"reference": "Group/g9"}, "patient": {"reference": "Patient/p1"}},
        (False, False),
    ),
    "the second": ({"subject": {"display": "a word"}, "patient": {"reference": "Patient/p1"}}, (True, True)),
}


@pytest.mark.parametrize("people", [1, 2])
@pytest.mark.parametrize("times", [1, 9], ids=["alone", "many alike"])
@pytest.mark.parametrize("named", [True, False], ids=["with an id", "without"])
@pytest.mark.parametrize("about", SUBJECTS)
def test_whom_a_result_is_about(about: str, named: bool, times: int, people: int, tmp_path: Path) -> None:
    subject, expected = SUBJECTS[about]
    resources: list[Resource] = [
        {"resourceType": "Patient", "id": f"p{number}", "birthDate": "1955-06-20", "gender": "male"}
        for number in range(1, people + 1)
    ]
    for number in range(times):
        result = {key: value for key, value in _looked_at(number)[4].items() if key != "subject"}
        result = {**result, "status": "final", "referenceRange": [{"high": {"value": 40, "unit": "U/L"}}], **subject}
        resources.append({key: value for key, value in result.items() if named or key != "id"})
    folder = spread(resources, tmp_path / "export", 1)
    report = built(folder, tmp_path / "store")
    found = stored(tmp_path / "store")
    assert sum(fact.kind == "ast" for fact in found["p1"].facts) == times * expected[people - 1]
    check(found, read_patients("all.ndjson", ndjson(resources)))
    assert sum(report.left.values()) == times * (not expected[people - 1])


def test_two_patients_of_one_id(tmp_path: Path) -> None:
    """Of p1 two birth dates are told: each is a patient, the result is nobody's, and the report says so."""
    about = {"resourceType": "Patient", "birthDate": "1955-06-20", "gender": "male"}
    people = [{**about, "id": "p1"}, {**about, "id": "p2"}, {**about, "id": "p1", "birthDate": "1966-06-20"}]
    resources = [*people, {**_looked_at(1)[4], "status": "final"}]
    report = built(spread(resources, tmp_path / "export", 1), tmp_path / "store")
    expected = read_patients("all.ndjson", ndjson(resources))
    shard = Store.open(tmp_path / "store").read(0)
    found = [patient_of(shard, row, load_catalogue()) for row in range(3)]
    assert [(one.id, one.born, one.facts) for one in found] == sorted(
        ((one.id, one.born, one.facts) for one in expected), key=lambda one: (one[0], str(one[1]))
    )
    said = "patients of one id whose Patient resources differ: what names that id was used for none of them"
    assert report.left == {
        (said, ""): 2,
        ("other problems", "several patients have the id of its subject: not used"): 2,
    }


def test_a_record_named_like_the_component_of_another(tmp_path: Path) -> None:
    """Ids may hold points, so that of one record may be what a component of another is called."""
    results = [{**one, "identifier": []} for one in examples() if one["resourceType"] == "Observation"]
    whole = next(one for one in results if "component" in one)
    born = {"resourceType": "Patient", "id": "p", "birthDate": "1990-01-01"}
    about = {"subject": {"reference": "Patient/p"}}
    (patient,) = read_patients("one.ndjson", ndjson([born, {**whole, **about, "id": "e"}]))
    (names,) = (list(fact.parts) for fact in patient.facts if fact.id == "Observation/e")
    single = next(one for one in results if "valueQuantity" in one)
    resources: list[Resource] = []
    for number in range(8):
        person, subject = {**born, "id": f"p{number}"}, {"subject": {"reference": f"Patient/p{number}"}}
        resources += [person, {**whole, **subject, "id": f"e{number}"}, {**single, **subject, "id": f"s{number}.x"}]
        resources += [{**single, **subject, "id": f"e{number}.{names[0]}"}] * (number % 2)
    report = built(spread(resources, tmp_path / "export", 1), tmp_path / "store")
    assert report.ways["by rows"] == 4, "only those of whom two facts may have one id"
    check(stored(tmp_path / "store"), read_patients("export.ndjson", ndjson(resources)))


def test_what_cannot_be_right_of_a_date_that_a_record_states(tmp_path: Path) -> None:
    """Each with another cancer of March 2020, gone since some month of that spring."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    for number in range(8):
        on = "on: 2020-03" if number < 4 else "from: 2020-03, active: yes"
        cancer = f"{{kind: other_malignancy, {on}, disease_free_since: 2020-0{number % 4 + 1}}}"
        text = f"patient: p{number}\nborn: 1950-01-01\nfacts: [{cancer}]"
        (patient,) = read_patients("one.yaml", text.encode())
        (folder / f"{number}.json").write_text(json.dumps(to_bundle(patient)))
    built(folder, tmp_path / "store")
    expected = [patient for path in folder.glob("*.json") for patient in read_patients(path)]
    for words, count in (("itself", 4), ("says that it is over", 4)):
        assert sum(any(words in problem.what for problem in patient.problems) for patient in expected) == count
    check(stored(tmp_path / "store"), expected)


def test_what_no_person_can_have(tmp_path: Path) -> None:
    """Results outside what is possible, beside the bounds, and births that make a person older than people become."""
    loinc, units = "http://loinc.org", "http://unitsofmeasure.org"
    found: list[Resource] = []
    for number, (weight, born) in enumerate(
        [
            (700, "1955"),
            (650, "1955"),
            (650.0001, "1955"),
            (0.1, "1955"),
            (80, "1850"),
            (80, "1905-03-15"),
            (80, "1906"),
        ]
    ):
        name = f"p{number}"
        found.append({"resourceType": "Patient", "id": name, "gender": "male", "birthDate": born})
        for place, (code, value, unit) in enumerate([("29463-7", weight, "kg"), ("2160-0", 1.1, "mg/dL")]):
            found.append(
                {"resourceType": "Observation", "id": f"{name}-{place}", "status": "final",
                 "subject": {"reference": f"Patient/{name}"}, "effectiveDateTime": "2026-03-15",
                 "code": {"coding": [{"system": loinc, "code": code}]},
                 "valueQuantity": {"value": value, "unit": unit, "system": units, "code": unit}}
            )  # fmt: skip
    source = tmp_path / "export.ndjson"
    source.write_bytes(ndjson(found))
    built(source, tmp_path / "store")
    expected = read_patients(source)
    check(stored(tmp_path / "store"), expected)
    used = [any(fact.kind == "body_weight" and fact.value is not None for fact in who.facts) for who in expected]
    assert used == [False, True, False, False, True, True, True]
    assert [who.born.known for who in expected] == [True, True, True, True, False, False, True]


#: What goes into a computed value, of which the first has one bound, is beyond one, or is not known.
BOUNDED = {
    "absolute_lymphoblast_count": [
        f'{{kind: blood_count, on: 2026-03-15, wbc: 25000 /uL, lymphoblasts: "{share} %"}}'
        for share in ("<40", ">40", "<=40", ">=0", "<150", "40")
    ],
    "creatinine_clearance": [
        f'{{kind: creatinine, on: 2026-03-15, value: "{value} mg/dL"}}, '
        f'{{kind: body_weight, on: 2026-03-0{day}, value: "{weight} kg"}}'
        for value, weight in (("<1.0", "70"), (">2.0", "70"), ("<=0.01", "70"), ("1.0", "<40"), ("<1.0", ">100"))
        for day in (1, 2)
    ],
    "qtcf": [
        f"{{kind: ecg, on: 2026-03-14, {tracing}}}"
        for tracing in (
            'qt: "<400 ms", rate: 60 /min',
            'qt: 420 ms, rr: "<600 ms"',
            'qt: 400 ms, rr: 1000 ms, rate: "<70 /min"',
            'qt: 400 ms, rr: "<1000 ms", rate: "<70 /min"',
            'qt: 400 ms, rr: 1000 ms, rate: ">100 /min"',
            'qt: "<400 ms", rr: 1000 ms, rate: 90 /min',
        )
    ],
}


@pytest.mark.parametrize(("kind", "unknown"), [(name, int(name == "qtcf") * 2) for name in BOUNDED])
def test_what_is_computed_of_a_result_with_one_bound(kind: str, unknown: int, tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    for number, facts in enumerate(BOUNDED[kind]):
        text = f"patient: p{number}\nborn: 1956-01-01\nsex: male\nfacts: [{facts}]"
        (patient,) = read_patients("one.yaml", text.encode())
        (folder / f"{number}.json").write_text(json.dumps(to_bundle(patient)))
    built(folder, tmp_path / "store")
    expected = [patient for path in sorted(folder.glob("*.json")) for patient in read_patients(path)]
    values = [fact.value for patient in expected for fact in patient.facts if fact.kind == kind and fact.computed]
    assert (len(values), values.count(None)) == (len(BOUNDED[kind]), unknown)
    check(stored(tmp_path / "store"), expected)


def test_results_and_limits_that_cannot_be_are_told_of_without_reading_the_whole_patient_again(tmp_path: Path) -> None:
    """Values and limits below zero, limits crossed and of zero, in two units; one twice, one inside a panel."""
    wrong: list[tuple[float, dict[str, float]]] = [
        (-1, {}), (0, {}), (900, {}), (1, {"high": 0}), (1, {"high": -1}), (1, {"low": -1, "high": 2}),
        (1, {"low": 3, "high": 2}), (-2, {"low": 3, "high": 2}), (1, {"low": 0, "high": 2}), (1, {"low": 2, "high": 2}),
    ]  # fmt: skip
    resources: list[Resource] = []
    for number in range(60):
        value, sides = wrong[number % len(wrong)]
        unit = ("mg/dL", "umol/L")[number // len(wrong) % 2]
        limits = {side: {"value": end, "unit": unit} for side, end in sides.items()}
        result = {
            **_looked_at(number)[4], "status": "final", "referenceRange": [limits] if limits else [],
            "code": {"coding": [{"system": "http://loinc.org", "code": "1975-2"}]},
            "valueQuantity": {"value": value + number % 3 / 8, "unit": unit},
        }  # fmt: skip
        resources += [_looked_at(number)[0], result, _looked_at(number)[1]]
        resources += [{**result, "id": f"again{number}"}] * (number % 7 == 0)
        panel = {key: result[key] for key in ("code", "valueQuantity", "referenceRange")}
        if number % 20 == 0:
            coded = {"coding": [{"system": "http://loinc.org", "code": "24325-3"}]}
            bare = {key: one for key, one in result.items() if key not in panel}
            resources.append({**bare, "id": f"part{number}", "code": coded, "component": [panel]})
    report = built(spread(resources, tmp_path / "export", 1), tmp_path / "store")
    assert report.ways["by rows"] <= 3, "but for those with a panel"
    expected = list(read_patients("all.ndjson", ndjson(resources)))
    assert len({problem.what for patient in expected for problem in patient.problems}) >= 5
    check(stored(tmp_path / "store"), expected)


def test_what_nobody_of_a_sex_has(tmp_path: Path) -> None:
    """Pregnancies, tests and menses of men and women, and their testicles; what is suspected or denied is none."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    facts = ["kind: pregnancy, from: 2026-01", "kind: menses, on: 2026-02-25"]
    facts += [f"kind: pregnancy_test, on: 2026-03-10, value: {value}" for value in ("positive", "negative")]
    facts += [f"kind: testicular_involvement, on: 2026-03-10{more}" for more in ("", ", status: suspected")]
    facts += ["kind: hysterectomy, value: no, recorded: 2026-03-10"]
    for number, (fact, sex) in enumerate((fact, sex) for fact in facts for sex in ("male", "female")):
        text = f"patient: p{number}\nborn: 1990-01-01\nsex: {sex}\nfacts: [{{{fact}}}]"
        (patient,) = read_patients("one.yaml", text.encode())
        (folder / f"{number}.json").write_text(json.dumps(to_bundle(patient)))
    built(folder, tmp_path / "store")
    expected = [patient for path in folder.glob("*.json") for patient in read_patients(path)]
    assert sum("the sex is male" in str(patient.problems) for patient in expected) == 3
    either = frozenset({"female", "male"})
    doubted = {patient.id for patient in expected if any(fact.value == either for fact in patient.facts)}
    assert doubted == {"p0", "p2", "p4", "p9"}
    check(stored(tmp_path / "store"), expected)


@pytest.mark.parametrize("times", [1, 6])
def test_words_of_records_whose_codes_nobody_knows(times: int, tmp_path: Path) -> None:
    """A diagnosis is what its words name in full; a result is there, and has no value. One code, several words."""
    words = [
        "Stroke",
        "Stroke (disorder)",
        "Heart attack",
        "Old stroke",
        "Total bilirubin",
        "Bilirubin, urine",
        "HBV DNA",
    ]
    texts: list[Resource] = [{"text": word} for word in words] + [{"coding": [{"display": word}]} for word in words]
    resources: list[Resource] = []
    for number in range(times):
        about = {"subject": {"reference": f"Patient/p{number}"}}
        resources.append({"resourceType": "Patient", "id": f"p{number}", "birthDate": "1960-01-01", "gender": "male"})
        for place, text in enumerate(texts):
            coded = {"coding": [{"system": "urn:local", "code": "12", **text.get("coding", [{}])[0]}]}
            for code in (text, {**coded, **{k: v for k, v in text.items() if k == "text"}}):
                name = f"{number}-{place}-{'coding' in code}-{len(code)}"
                dated = {"id": name, "code": code, **about}
                resources.append({"resourceType": "Condition", "onsetDateTime": f"2026-01-{place + 1:02}", **dated})
                result = {
                    "effectiveDateTime": f"2026-02-{place + 1:02}",
                    "valueQuantity": {"value": 1.0, "unit": "mg/dL"},
                }
                resources.append({"resourceType": "Observation", "status": "final", **result, **dated})
    built(spread(resources, tmp_path / "export", 1), tmp_path / "store")
    expected = list(read_patients("all.ndjson", ndjson(resources)))
    kinds = {fact.kind for patient in expected for fact in patient.facts}
    assert kinds == {"sex", "stroke", "myocardial_infarction", "bilirubin_total", "hbv_dna", "unmapped"}
    check(stored(tmp_path / "store"), expected)


def test_a_no_of_a_state_that_a_newer_record_contradicts(tmp_path: Path) -> None:
    """Pregnant since a day before or after the "no" of 1 March, recorded before or after it."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    days = [(begun, said) for begun in ("2026-02-20", "2026-03-05") for said in ("2026-02-28", "2026-03-12")]
    for number, (begun, said) in enumerate(days):
        facts = "{kind: pregnancy, value: no, recorded: 2026-03-01}"
        facts += f", {{kind: pregnancy, from: {begun}, recorded: {said}}}"
        (patient,) = read_patients("one.yaml", f"patient: p{number}\nborn: 1990-01-01\nfacts: [{facts}]".encode())
        (folder / f"{number}.json").write_text(json.dumps(to_bundle(patient)))
    built(folder, tmp_path / "store")
    expected = [patient for path in sorted(folder.glob("*.json")) for patient in read_patients(path)]
    ends = [fact.end for patient in expected for fact in patient.facts if fact.negative]
    assert [end is not None and end.day is None for end in ends] == [False, True, False, False]
    check(stored(tmp_path / "store"), expected)


def test_one_episode_recorded_again(tmp_path: Path) -> None:
    """Active in one record, over in a later or an earlier one, or of another beginning; a toxicity graded anew."""
    active = "from: 2025-06-01, active: yes, recorded: 2025-07-01"
    pairs = [
        ("gvhd", active, f"from: 2025-06-0{day}, to: 2025-06-20, recorded: {said}", day == 1 and said > "2025-07")
        for day in (1, 2)
        for said in ("2025-06-25", "2026-01-05")
    ]
    pairs.append(("gvhd", "from: 2025-06-01T08:00, active: yes", "from: 2025-06-01T09:00, to: 2025-06-20", False))
    graded = "from: 2025-06-01, term: nausea, grade: {}, active: yes, recorded: 2025-0{}-01"
    pairs += [("toxicity", graded.format(3, 7), graded.format(grade, 8), grade != 3) for grade in (1, 3)]
    pairs += [
        ("angina", active, f"value: no, from: 2025-{start}-01, to: 2026-01-01", start == "09") for start in ("06", "09")
    ]
    for number, (kind, old, new, _) in enumerate(pairs):
        facts = "".join(f"\n  - {{kind: {kind}, {fact}}}" for fact in (old, new))
        (patient,) = read_patients("one.yaml", f"patient: p{number}\nborn: 1990-01-01\nfacts:{facts}\n".encode())
        (tmp_path / "bundles").mkdir(exist_ok=True)
        (tmp_path / "bundles" / f"{number}.json").write_text(json.dumps(to_bundle(patient)))
    built(tmp_path / "bundles", tmp_path / "store")
    expected = [patient for path in sorted((tmp_path / "bundles").iterdir()) for patient in read_patients(path)]
    assert [any(fact.opened for fact in one.facts) for one in expected] == [ended for *_, ended in pairs]
    check(stored(tmp_path / "store"), expected)


def test_a_beginning_and_an_end_that_bound_each_other(tmp_path: Path) -> None:
    """A month and a day of it, a day and its month, hours of one day by two clocks, what leaves both as they are."""
    dates = [
        ("2025-06", "2025-06-10"), ("2025-06-10", "2025-06"), ("2025", "2025-06"), ("2025-06", "2025-07"),
        ("2025-06-10T09:00:00Z", "2025-06-10"), ("2025-06-10", "2025-06-10T03:00:00-05:00"), ("2025-06", "2025-06"),
    ]  # fmt: skip
    folder = tmp_path / "bundles"
    folder.mkdir()
    for number, (first, last) in enumerate(dates):
        facts = "{kind: gvhd, from: 2025-06-01, to: 2025-06-20}, {kind: gvhd, from: 2025-06, active: yes}"
        (patient,) = read_patients("one.yaml", f"patient: p{number}\nborn: 1990-01-01\nfacts: [{facts}]".encode())
        text = json.dumps(to_bundle(patient)).replace("2025-06-01", first).replace("2025-06-20", last)
        (folder / f"{number}.json").write_text(text)
    built(folder, tmp_path / "store")
    expected = [patient for path in sorted(folder.iterdir()) for patient in read_patients(path)]
    found = [write_when(fact.start) for one in expected for fact in one.facts if fact.end and fact.end.days.high]
    assert found[:3] == ["2025-06-01..2025-06-10", "2025-06-10", "2025-01-01..2025-06-30"]
    check(stored(tmp_path / "store"), expected)


def test_a_state_that_goes_on_without_a_day_of_record(tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    for number, active in enumerate(("", ", active: yes")):
        facts = f"{{kind: pregnancy, on: 2026-02-20{active}}}, {{kind: pregnancy, value: no, recorded: 2026-03-01}}"
        (patient,) = read_patients("one.yaml", f"patient: p{number}\nborn: 1990-01-01\nfacts: [{facts}]".encode())
        (folder / f"{number}.json").write_text(json.dumps(to_bundle(patient)))
    built(folder, tmp_path / "store")
    expected = [patient for path in sorted(folder.iterdir()) for patient in read_patients(path)]
    assert [any(fact.opened for fact in one.facts) for one in expected] == [False, True]
    check(stored(tmp_path / "store"), expected)


def test_what_is_said_of_a_person_twice(tmp_path: Path) -> None:
    """Each a man by the record; of every other one a fact says woman, of another one a date of birth differs."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    for number in range(6):
        facts = [f"{{kind: sex, on: 2026-03-0{number + 1}, value: {'female' if number % 2 else 'male'}}}"]
        facts += [f"{{kind: birth_date, on: 2026-03-01, value: 19{number + 1}0-01-01}}"] * (number > 3)
        text = f"patient: p{number}\nborn: 1950-01-01\nsex: male\nfacts: [{', '.join(facts)}]"
        (patient,) = read_patients("one.yaml", text.encode())
        (folder / f"{number}.json").write_text(json.dumps(to_bundle(patient)))
    report = built(folder, tmp_path / "store")
    assert report.ways["by rows"] <= 2, "two sexes are looked at as arrays"
    expected = [patient for path in folder.glob("*.json") for patient in read_patients(path)]
    told = [problem.what.partition(" is not recorded")[0] for patient in expected for problem in patient.problems]
    assert sorted(told) == ["the date of birth", "the sex", "the sex", "the sex"]
    check(stored(tmp_path / "store"), expected)


def test_what_is_over_what_goes_on_and_what_is_planned(tmp_path: Path) -> None:
    """Ends of states and what newer records end, in every form, with dates that lie to each other in every way."""
    resources: list[Resource] = []
    for number in range(48):
        subject = {"subject": {"reference": f"Patient/p{number}"}}
        days = [f"20{15 + (number * step) % 5}-0{1 + (number * step) % 9}-03" for step in (1, 2, 3, 5)]
        days = [day[: (4, 7, 10)[(number + place) % 3]] for place, day in enumerate(days)]
        over = {"coding": [{"system": CLINICAL, "code": ("resolved", "inactive", "active")[number % 3]}]}
        resources += [
            {"resourceType": "Patient", "id": f"p{number}", "birthDate": "1990-01-01"},
            {
                "resourceType": "Condition",
                "id": f"c{number}",
                "code": own("pacemaker"),
                "clinicalStatus": over,
                **({"onsetDateTime": days[0]} if number % 2 else {}),
                **({"recordedDate": days[1]} if number % 4 < 2 else {}),
                **({"abatementDateTime": days[2]} if number % 5 == 0 else {}),
                **({"meta": {"lastUpdated": f"{days[3][:4]}-05-03T10:00:00Z"}} if number % 8 < 4 else {}),
                **subject,
            },
            {
                "resourceType": "Procedure",
                "id": f"r{number}",
                "code": own("testicular_radiotherapy"),
                "status": ("preparation", "in-progress", "completed", "stopped")[number % 4],
                "performedPeriod": {"start": days[0], "end": days[1]},
                **subject,
            },
            {
                "resourceType": "Condition",
                "id": f"s{number}",
                "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C91.02"}]},
                "clinicalStatus": over,
                "onsetDateTime": days[0],
                **({"abatementDateTime": days[2]} if number % 5 == 0 else {}),
                **({"recordedDate": days[1]} if number % 4 < 2 else {}),
                **subject,
            },
            {
                "resourceType": "Procedure",
                "id": f"w{number}",
                "code": {"text": "Radiation therapy and XY-101"},
                "status": ("completed", "preparation", "in-progress")[number % 3],
                "performedPeriod": {"start": days[1], "end": days[2]},
                **subject,
            },
            {
                "resourceType": "Condition",
                "id": f"g{number}",
                "code": own("gvhd"),
                "onsetDateTime": "2014-05-01",
                "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
                **({"recordedDate": days[1]} if number % 3 else {}),
                **subject,
            },
            *(
                {
                    "resourceType": "Condition",
                    "id": f"h{number}{said}",
                    "code": own("heart_failure"),
                    "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
                    "onsetDateTime": days[0] if said == "yes" else "2014-05-01",
                    "recordedDate": days[place],
                    "extension": [
                        {"url": "https://onstudy.dev/fhir/attribute/controlled", "valueBoolean": said == "yes"}
                    ],
                    **subject,
                }
                for place, said in ((1, "yes"), (2, "no"))
            ),
            {
                "resourceType": "Condition",
                "id": f"n{number}",
                "code": own("gvhd"),
                "recordedDate": "2017-02-03",
                "verificationStatus": {"coding": [{"system": VERIFIED, "code": "refuted"}]},
                **subject,
            },
        ]
    built(spread(resources, tmp_path / "export", 2), tmp_path / "store")
    expected = list(read_patients("all.ndjson", ndjson(resources)))
    found = [fact for patient in expected for fact in patient.facts]
    states = [fact for fact in found if fact.kind == "pacemaker"]
    assert {fact.negative for fact in states} == {True, False}
    assert {len([one for one in patient.facts if one.kind == "pacemaker"]) for patient in expected} == {1, 2}
    assert {(fact.ongoing, fact.opened is None) for fact in found if fact.kind == "gvhd" and not fact.negative} == {
        (True, True), (False, False),
    }  # fmt: skip
    assert {fact.opened is None for fact in found if fact.kind == "heart_failure"} == {True, False}
    check(stored(tmp_path / "store"), expected)


def own(kind: str) -> Resource:
    """A concept of the project's own code for a kind."""
    return {"coding": [{"system": "https://onstudy.dev/codes", "code": kind}]}


CONTROLLED = "https://onstudy.dev/fhir/attribute/controlled"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def test_what_is_dated_before_a_birth(tmp_path: Path) -> None:
    """The problem names the first place as the facts lie, and how many more there are; composites are among them."""
    random, folder = Random(7), tmp_path / "bundles"
    folder.mkdir()
    results = ("creatinine, value: 1.1 mg/dL", "hemoglobin, value: 9 g/dL", "platelets, value: 90 10*3/uL")
    others = ("body_weight, value: 70 kg", "hepatitis_b", "hepatitis_b, value: no")
    for number in range(60):
        facts = [
            f"{{kind: {kind}, on: {random.choice(('1989-03', '1990-02-11', '1990-06-01', '1991-07-02T10:00'))}}}"
            for kind in random.sample((*results, *others), 4)
        ]
        facts += ["{kind: hepatitis_b, start: 1989-01-01, end: 1990-01-01}"] * (number % 20 == 0)
        facts += ["{kind: blood_pressure, on: 1990-01-01}"] * (number % 20 == 1)
        born = random.choice(("1990-06-01", "1990-06", "1990-06-02", "1990"))
        text = f"patient: p{number}\nborn: {born}\nsex: male\nfacts: [{', '.join(facts)}]"
        (patient,) = read_patients("one.yaml", text.encode())
        names = random.sample(range(10), 10)  # ids that do not lie as the facts do
        bundle = to_bundle(patient)
        random.shuffle(bundle["entry"])
        text = re.sub(r"fact-(\d)", lambda found: f"f{names[int(found[1])]}", json.dumps(bundle))  # noqa: B023
        (folder / f"{number}.json").write_text(text)
    report = built(folder, tmp_path / "store")
    expected = [patient for path in folder.glob("*.json") for patient in read_patients(path)]
    told = [one.where for patient in expected for one in patient.problems if "before the date of birth" in one.what]
    assert len(told) > 30 and any("more" in where for where in told) and {"f0", "f9"} <= {one[-2:] for one in told}
    assert report.ways["by rows"] <= len(told) // 2, "only those with an end, or with a panel so early"
    check(stored(tmp_path / "store"), expected)
