"""Building a store: what is read again and what is not, what is left after a kill, and what the report says."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.population.building import Resource, built, ndjson, stored
from typer.testing import CliRunner

from onstudy.errors import InvalidFile, OnstudyError
from onstudy.faces.cli import app
from onstudy.population.build import build, shards_for, version
from onstudy.population.build_find import find
from onstudy.population.build_order import moved
from onstudy.population.bulk_fhir import NOBODY
from onstudy.population.generate import Asked, generate_store
from onstudy.population.store import Store, shard_number
from onstudy.population.store_files import UNFINISHED, locked
from onstudy.readers import read_patients
from onstudy.values.interval import point

LOINC = "http://loinc.org"
BILIRUBIN, HBA1C = "1975-2", "4548-4"
LOCAL = "https://hospital.example/lab"


def person(called: str, **more: object) -> Resource:
    return {"resourceType": "Patient", "id": called, "birthDate": "1970-05-17", "gender": "female", **more}


def lab(name: str, about: str | None, value: float = 1.5, code: str = BILIRUBIN, **more: object) -> Resource:
    """A result on 1 March 2026 in mg/dL; `about` None: the subject is not named."""
    system = more.pop("system", LOINC)
    found: Resource = {
        "resourceType": "Observation", "id": name, "status": "final",
        "code": {"coding": [{"system": system, "code": code}]}, "effectiveDateTime": "2026-03-01",
        "valueQuantity": {"value": value, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"},
        **more,
    }  # fmt: skip
    return found if about is None else {**found, "subject": {"reference": f"Patient/{about}"}}


def write(folder: Path, **files: Sequence[Resource]) -> Path:
    """A folder with one NDJSON file for each name."""
    folder.mkdir(exist_ok=True)
    for name, resources in files.items():
        (folder / f"{name}.ndjson").write_bytes(ndjson(resources))
    return folder


def values(store: Path, patient: str) -> list[object]:
    """The values of bilirubin of a patient."""
    return [fact.value for fact in stored(store)[patient].facts if fact.kind == "bilirubin_total"]


def files_of(store: Path) -> dict[str, bytes]:
    """Everything in the folder of a store but its lock."""
    paths = sorted(path for path in store.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(store)): path.read_bytes() for path in paths}


# The same again ---------------------------------------------------------------------------------------------------


def test_the_same_source_builds_nothing_again(tmp_path: Path) -> None:
    source, store = write(tmp_path / "in", a=[person("p1"), lab("o1", "p1")]), tmp_path / "store"
    first = built(source, store)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    again = built(source, store)
    assert (first.changed, again.changed) == (True, False)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
    assert again.to_text() == f"{store}: nothing has changed since the last build; nothing was written\n"
    assert (again.patients, again.facts, again.read) == (first.patients, first.facts, first.read)


def test_the_same_source_gives_the_same_bytes_anywhere_with_any_number_of_processes(tmp_path: Path) -> None:
    people = [person(f"p{number}") for number in range(40)]
    results = [lab(f"o{number}", f"p{number % 40}", number / 10) for number in range(200)]
    source = write(tmp_path / "in", people=people, a=results[:90], b=results[90:])
    built(source, tmp_path / "one")
    build(find(str(source), tmp_path / "two"), tmp_path / "two", workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_the_names_and_order_of_files_change_nothing_but_the_list_of_sources(tmp_path: Path) -> None:
    people, results = [person("p1"), person("p2")], [lab("o1", "p1", 1.5), lab("o2", "p2", 2.5)]
    built(write(tmp_path / "in", a=people, b=results), tmp_path / "one")
    built(write(tmp_path / "other", x=results[1:], y=people, z=results[:1]), tmp_path / "two")
    one, two = (Store.open(tmp_path / name).manifest for name in ("one", "two"))
    assert (one.digest, one.shards) == (two.digest, two.shards)


def test_a_file_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    resources = [person("p1"), lab("o1", "p1")]
    report = built(write(tmp_path / "in", a=resources, b=resources), tmp_path / "store")
    assert report.read == {"Patient": 1, "Observation": 1}
    assert values(tmp_path / "store", "p1") == [point(1.5)]


# What changed -------------------------------------------------------------------------------------------------------


def test_only_what_changed_is_read_and_put_together_again(tmp_path: Path) -> None:
    people = [person(f"p{number}") for number in range(20)]
    source = write(tmp_path / "in", people=people, a=[lab("o1", "p1")], b=[lab("o2", "p2")])
    store = tmp_path / "store"
    assert built(source, store).parts_read == 3
    write(source, b=[lab("o2", "p2", 3.5)], c=[lab("o3", "p3")])
    report = built(source, store)
    assert (report.parts_read, report.patients_built, report.patients) == (2, 2, 20)
    assert [values(store, name) for name in ("p1", "p2", "p3")] == [[point(1.5)], [point(3.5)], [point(1.5)]]
    built(source, tmp_path / "fresh")
    assert stored(store) == stored(tmp_path / "fresh")


def test_a_file_that_gets_another_name_gives_the_store_of_a_build_from_nothing(tmp_path: Path) -> None:
    """The problems of a patient stand in the order of the files, and of what several share the first is named."""
    people = [person(f"p{number}") for number in range(40)]
    wrong = {
        name: [
            lab(f"{name}{number}", f"p{number}", status="entered-in-error", code=BILIRUBIN if number % 2 else "XYZ")
            for number in numbers
        ]
        for name, numbers in {"a": range(6), "b": range(3), "c": range(1, 4)}.items()
    }
    source, store = write(tmp_path / "in", people=people, **wrong, d=[lab("d4", "p4")]), tmp_path / "store"
    built(source, store)
    for old, new, many in (("a", "z", 6), ("d", "aa", 1), ("people", "who", 0), ("who", "0", 40)):
        (source / f"{old}.ndjson").rename(source / f"{new}.ndjson")
        report = built(source, store)
        assert (report.changed, report.parts_read, report.patients_built) == (True, 0, many)
        built(source, tmp_path / f"fresh-{new}")
        assert files_of(store) == files_of(tmp_path / f"fresh-{new}")
        assert built(source, store).changed is False


def test_rows_that_waited_for_their_patient_stand_where_their_file_does(tmp_path: Path) -> None:
    mrn = {"system": "https://hospital.example/mrn", "value": "1"}
    people = [person("p1", identifier=[mrn]), person("p2")]
    named = [lab("b1", None, status="entered-in-error", subject={"identifier": mrn})]
    source, store = tmp_path / "in", tmp_path / "store"
    built(write(source, people=people, a=[lab("a1", "p1", status="entered-in-error")], b=named), store)
    (source / "b.ndjson").rename(source / "0.ndjson")
    assert built(source, store).parts_read == 0
    built(source, tmp_path / "fresh")
    assert files_of(store) == files_of(tmp_path / "fresh")


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("abcd", "abcd", ""),
        ("abcd", "acd", ""),
        ("abcd", "xabycd", ""),
        ("abcd", "bcda", "a"),
        ("abcd", "dabc", "d"),
        ("abcde", "aedbc", "ed"),
        ("", "abc", ""),
        ("abc", "", ""),
    ],
)
def test_as_few_parts_as_possible_have_moved(before: str, now: str, expected: str) -> None:
    assert moved(before, now) == set(expected)


def test_who_is_in_no_file_any_more_is_gone(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1"), lab("o1", "p1")], b=[person("p2")], c=[person("p3")])
    store = tmp_path / "store"
    built(source, store)
    (source / "b.ndjson").unlink()
    built(source, store)
    assert stored(store).keys() == {"p1", "p3"}
    assert built(source, store).changed is False


def test_a_file_that_comes_back_is_read_again(tmp_path: Path) -> None:
    source, store = write(tmp_path / "in", a=[person("p1"), person("p2")], b=[lab("o1", "p1")]), tmp_path / "store"
    built(source, store)
    first = files_of(store)
    (source / "b.ndjson").unlink()
    built(source, store)
    assert values(store, "p1") == []
    write(source, b=[lab("o1", "p1")])
    built(source, store)
    assert files_of(store).keys() == first.keys()
    assert files_of(store)["manifest.json"] == first["manifest.json"]


def test_a_file_that_was_added_and_removed_leaves_no_trace(tmp_path: Path) -> None:
    """Not even in the order of words, of which those of the patient who went came first."""
    odd = {"value": 1.5, "unit": "furlong"}
    some = [person(f"p{number}", gender="male" if number > 4 else "female") for number in range(1, 9)]
    some += [lab("o1", "p1", method={"text": "assay"}), lab("o2", "p2", effectiveDateTime="2026-02-31")]
    source, store = write(tmp_path / "in", a=some), tmp_path / "store"
    built(source, store)
    first = Store.open(store).manifest
    write(
        source,
        b=[
            person("p0", gender="male"),
            lab("o3", "p0", valueQuantity=odd),
            lab("o4", "p0", code="XYZ"),
            drug("m1", "p0", "XYZ9"),
        ],
    )
    assert built(source, store).patients_built == 1
    (source / "b.ndjson").unlink()
    assert built(source, store).patients_built < 8, "the others are taken over"
    assert Store.open(store).manifest.shards == first.shards
    assert Store.open(store).manifest.digest == first.digest


def test_shards_are_by_the_hash_of_the_id_and_only_those_that_changed_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onstudy.population.build.PATIENTS", 10)
    monkeypatch.setattr("onstudy.population.build._FEW", 0)
    people = [person(f"p{number}") for number in range(40)]
    source, store = write(tmp_path / "in", people=people), tmp_path / "store"
    built(source, store)
    before = {info.number: info for info in Store.open(store).shards}
    assert len(before) == 4
    write(source, more=[lab("o1", "p7")])
    built(source, store)
    after = {info.number: info for info in Store.open(store).shards}
    assert {number for number in before if before[number] != after[number]} == {shard_number("p7", 4)}
    assert stored(store).keys() == {one["id"] for one in people}


def test_another_version_of_the_program_reads_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, store = write(tmp_path / "in", a=[person("p1"), lab("o1", "p1")], b=[person("p2")]), tmp_path / "store"
    monkeypatch.setattr("onstudy.population.build.version", lambda: "older")
    built(source, store)
    monkeypatch.undo()
    write(source, c=[lab("o2", "p2")])
    report = built(source, store)
    assert (report.parts_read, report.patients) == (3, 2)
    built(source, tmp_path / "fresh")
    assert stored(store) == stored(tmp_path / "fresh")
    assert built(source, store).changed is False


def test_a_stranger_s_record_without_an_id_is_counted_and_makes_nobody_of_the_stranger(tmp_path: Path) -> None:
    """p1 is the only patient, so what names nobody is about p1, whatever else is about somebody who is not there."""
    strangers = [without_id(lab("", "p9")), without_id(drug("", "p9", "XYZ9")), lab("o2", "p9")]
    bundle = {"resourceType": "Bundle", "entry": [{"resource": without_id(lab("", name))} for name in ("p8", "p8")]}
    source = write(tmp_path / "in", a=[person("p1"), *strangers, without_id(lab("", None)), bundle])
    report = built(source, tmp_path / "store")
    reason = "resources about a patient of whom there is no Patient resource"
    assert report.left == {(reason, "Observation"): 4, (reason, "MedicationStatement"): 1}
    assert values(tmp_path / "store", "p1") == [point(1.5)]


@pytest.mark.parametrize("again", ["p1", "p2"])
def test_what_names_nobody_is_of_the_only_patient_whom_two_files_may_have(again: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1"), lab("o1", None)], b=[person(again)])
    report = built(source, tmp_path / "store")
    assert values(tmp_path / "store", "p1") == ([point(1.5)] if again == "p1" else [])
    assert report.left[NOBODY, "Observation"] == (0 if again == "p1" else 1)


def test_strangers_are_counted_also_where_nobody_who_is_known_shares_a_shard_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four shards two are empty of patients; a build that is repeated for another file counts them again."""
    monkeypatch.setattr("onstudy.population.build.shards_for", lambda *_: 4)
    strangers = [f"s{number}" for number in range(12)]
    assert {shard_number(name, 4) for name in strangers} == {0, 1, 2, 3}
    results = [lab(f"o{name}", name) for name in strangers]
    source, store = write(tmp_path / "in", a=[person("p1"), person("p2")], b=results), tmp_path / "store"
    counted = {("resources about a patient of whom there is no Patient resource", "Observation"): 12}
    assert built(source, store).left == counted
    assert len(Store.open(store).shards) < 3
    assert +built(source, store).left == counted
    write(source, more=[lab("o1", "p1")])
    assert built(source, store).left == counted


def without_id(resource: Resource) -> Resource:
    return {key: value for key, value in resource.items() if key != "id"}


@pytest.mark.parametrize(
    ("patients", "records", "shards"),
    [(0, 0, 1), (4000, 10, 1), (4001, 10, 2), (64_000, 10, 2), (65_000, 10, 4), (100, 4_000_000, 3), (10**9, 1, 16384)],
)
def test_the_number_of_shards_follows_the_size(patients: int, records: int, shards: int) -> None:
    assert shards_for(patients, records) == shards


# Killed -------------------------------------------------------------------------------------------------------------

#: Builds, and kills itself as `kill -9` does before or after the n-th time that a file gets its name.
KILLED = """
import os, signal, sys
from pathlib import Path
from onstudy.population import build as module
from onstudy.population.build_find import find
source, store, left, when = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
module.version = lambda: sys.argv[5]
replace = os.replace
def replacing(*names):
    global left
    left -= 1
    if left == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*names)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replacing
module.build(find(source, store), store, workers=0)
Path(f"{store}.writes").write_text(str(int(sys.argv[3]) - left))
"""


def killed(source: Path, store: Path, left: int, when: str) -> bool:
    """Build until the kill; whether it came, before all was done."""
    command = [sys.executable, "-c", KILLED, str(source), str(store), str(left), when, version()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


def test_a_first_build_that_is_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """Each run is killed at the fourth file it writes, so that each gets a little further."""
    source = write(tmp_path / "in", a=[person("p1"), person("p2")], b=[lab("o1", "p1")], c=[lab("o2", "p2")])
    built(source, tmp_path / "never")
    kills = 0
    while killed(source, tmp_path / "often", 4, ("before", "after")[kills % 2]):
        kills += 1
        with pytest.raises(OnstudyError, match="no store here"):
            Store.open(tmp_path / "often")
    assert kills >= 3
    assert files_of(tmp_path / "often") == files_of(tmp_path / "never")


def test_a_store_is_what_it_was_until_the_new_one_is_whole(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1"), person("p2"), lab("o1", "p1")], b=[lab("o2", "p2")])
    for name in ("often", "never"):
        built(source, tmp_path / name)
    old = stored(tmp_path / "often")
    write(source, b=[lab("o2", "p2", 3.5)])
    built(source, tmp_path / "never")
    kills = 0
    while killed(source, tmp_path / "often", 3, ("before", "after")[kills % 2]):
        kills += 1
        assert Store.open(tmp_path / "often").verify() == []
        assert stored(tmp_path / "often") in (old, stored(tmp_path / "never"))
    assert kills >= 2
    assert files_of(tmp_path / "often") == files_of(tmp_path / "never")


def test_a_report_is_never_that_of_another_build(tmp_path: Path) -> None:
    """Killed between the report and the manifest, and the source put back: the old store needs its old report."""
    source, store = write(tmp_path / "in", a=[person("p1"), person("p2")], b=[lab("o1", "p1")]), tmp_path / "store"
    built(source, store)
    first = files_of(store)
    write(source, b=[lab("o1", "p1", code=HBA1C)])
    shutil.copytree(store, tmp_path / "counted")
    assert not killed(source, tmp_path / "counted", 10**6, "before")
    writes = int((tmp_path / "counted.writes").read_text())
    assert killed(source, store, writes, "before")
    assert files_of(store)["report.json"] != first["report.json"], "the kill came after the new report"
    assert (store / "manifest.json").read_bytes() == first["manifest.json"], "the kill came just before the manifest"
    write(source, b=[lab("o1", "p1")])
    built(source, store)
    assert files_of(store)["report.json"] == first["report.json"]


def test_what_a_build_left_that_was_killed_goes_with_the_next_though_nothing_has_changed(tmp_path: Path) -> None:
    """Killed when it had the new manifest: rows of a part that is gone and what the build itself needed lie there."""
    mrn = {"system": "urn:mrn", "value": "1"}
    known, unnamed = person("p1", identifier=[mrn]), lab("o1", None, subject={"identifier": mrn})
    source = write(tmp_path / "in", a=[known, person("p2")], b=[unnamed], c=[lab("o2", "p2")])
    store = tmp_path / "store"
    built(source, store)
    write(source, c=[lab("o2", "p2", 3.5)])
    shutil.copytree(store, tmp_path / "counted")
    assert not killed(source, tmp_path / "counted", 10**6, "before")
    assert killed(source, store, int((tmp_path / "counted.writes").read_text()), "after")
    (store / "rows" / f"{UNFINISHED}1").write_text("cut")
    (store / "shards" / f"{UNFINISHED}1").write_text("cut")
    (store / f"{UNFINISHED}1").write_text("cut")
    assert Store.open(store).manifest.beside["identified"]
    assert not built(source, store).changed
    assert files_of(store) == files_of(tmp_path / "counted")
    shutil.rmtree(store / "rows")
    assert not built(source, store).changed


def test_two_builds_do_not_write_to_one_store(tmp_path: Path) -> None:
    source, store = write(tmp_path / "in", a=[person("p1")]), tmp_path / "store"
    store.mkdir()
    with locked(store), pytest.raises(OnstudyError, match="another process is writing to this store"):
        built(source, store)


def test_real_records_are_not_put_among_synthetic_ones(tmp_path: Path) -> None:
    generate_store(Asked(2), tmp_path / "store")
    refused(write(tmp_path / "in", a=[person("p1")]), tmp_path / "store", "holds synthetic patients")


def test_a_store_is_for_its_owner_only(tmp_path: Path) -> None:
    built(write(tmp_path / "in", a=[person("p1")]), tmp_path / "store")
    for path in (tmp_path / "store", *(tmp_path / "store").rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


# The report ---------------------------------------------------------------------------------------------------------


def test_the_report_says_what_was_read_and_what_could_not_be_used(tmp_path: Path) -> None:
    resources = [
        person("p1"), person("p2"), person("p3", birthDate="1970-05-17", name=[{"family": "Featherstone"}]),
        lab("o1", "p1"), lab("o2", "p2", code=HBA1C), lab("o3", "p3", code=HBA1C),
        lab("o4", "p1", code="XYZ", system=LOCAL), lab("o5", "p1", valueQuantity={"value": 1.5, "unit": "furlong"}),
        lab("o6", "p2", effectiveDateTime="2026-02-31"), lab("o7", "stranger"), lab("o8", None),
        {"resourceType": "Claim", "id": "c1", "patient": {"reference": "Patient/p1"}},
    ]  # fmt: skip
    source = write(tmp_path / "in", a=resources)
    with (source / "a.ndjson").open("ab") as file:
        file.write(b'{"resourceType": "Observation", "id": "cut o\n[1, 2\n\xff\xfe\n')
    report = built(source, tmp_path / "store")
    assert report.read == {"Patient": 3, "Observation": 8, "Claim": 1}
    assert (report.patients, report.facts["bilirubin_total"], report.facts["sex"]) == (3, 3, 3)
    said = {reason: (total, items) for reason, total, items in report.reasons()}
    codes = said["records whose code is not in the catalogue"]
    assert codes == (3, [(f"{LOINC}|{HBA1C}", 2), (f"{LOCAL}|XYZ", 1)]), "the most frequent first"
    assert said["lines that are no whole JSON"][0] == 3
    assert said["resources of a type that is not read"] == (1, [("Claim", 1)])
    assert said["resources about a patient of whom there is no Patient resource"] == (1, [("Observation", 1)])
    assert said["resources that name no subject"] == (1, [("Observation", 1)])
    assert said["results without a unit that can be used"][0] == 1
    assert said["dates that cannot be used"][0] == 1
    text = report.to_text()
    assert text.index(HBA1C) < text.index("XYZ")
    kept = json.loads((tmp_path / "store" / "report.json").read_text())
    assert kept["could_not_be_used"]["records whose code is not in the catalogue"] == {
        "count": 3,
        "most_frequent": {f"{LOINC}|{HBA1C}": 2, f"{LOCAL}|XYZ": 1},
    }
    assert "Featherstone" not in text + json.dumps(kept)


def test_a_bulk_export_s_list_of_what_was_deleted_is_named_for_what_it_is(tmp_path: Path) -> None:
    urls = "Observation/o1", "Observation/o9", "Condition/c1", "Observation?patient=p1"
    entries = [{"request": {"method": "DELETE", "url": url}} for url in urls]
    deleted = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    source = write(tmp_path / "in", a=[person("p1"), lab("o1", "p1")], deleted=[deleted])
    report = built(source, tmp_path / "store")
    what = "resources listed as deleted, which count where they are"
    assert report.left == {(what, "Observation"): 2, (what, "Condition"): 1, (what, ""): 1}
    assert values(tmp_path / "store", "p1") == [point(1.5)]


def test_what_a_bundle_lists_as_deleted_is_not_stored(tmp_path: Path) -> None:
    deletion = {"request": {"method": "DELETE", "url": "Observation/o1"}}
    resources = person("p1"), person("p2"), lab("o1", "p1"), lab("o2", "p2")
    entries = [deletion, *({"resource": one} for one in resources)]
    (tmp_path / "in.json").write_text(json.dumps({"resourceType": "Bundle", "type": "history", "entry": entries}))
    report = built(tmp_path / "in.json", tmp_path / "store")
    assert (report.read["Observation"], report.left) == (1, {})
    found = stored(tmp_path / "store")
    assert found == {patient.id: patient for patient in read_patients(tmp_path / "in.json")}
    assert [len(values(tmp_path / "store", name)) for name in ("p1", "p2")] == [0, 1]


def drug(name: str, about: str, *codes: str, **more: object) -> Resource:
    """A drug with codes of the hospital."""
    coded = {"coding": [{"system": LOCAL, "code": code, "display": "Featherstone"} for code in codes], **more}
    return {"resourceType": "MedicationStatement", "id": name, "status": "active", "effectiveDateTime": "2026-03-01",
            "medicationCodeableConcept": coded, "subject": {"reference": f"Patient/{about}"}}  # fmt: skip


def test_the_report_lists_the_codes_of_drugs_that_are_not_known(tmp_path: Path) -> None:
    resources = [
        person("p1"), person("p2"), drug("m1", "p1", "XYZ9"), drug("m2", "p1", "XYZ9"), drug("m3", "p2", "XYZ9", "B"),
        drug("m4", "p2", "PRED5"), drug("m5", "p2", text="Featherstone's drops"),
        drug("m6", "p1", "M", text="methotrexate"),
    ]  # fmt: skip
    source, store = write(tmp_path / "in", a=resources), tmp_path / "store"
    report = built(source, store)
    assert dict(report.left) == {
        ("drugs whose code is not known", f"{LOCAL}|XYZ9"): 3,
        ("drugs whose code is not known", f"{LOCAL}|PRED5"): 1,
        ("patients with drugs that were not recognised", ""): 2,
    }
    assert "Featherstone" not in report.to_text() + (store / "report.json").read_text()
    (tmp_path / "site.toml").write_text(
        f'[systems]\nlab = "{LOCAL}"\n[value_set.agent.member.prednisone]\ncodes = [["lab", "PRED5"]]\n'
    )
    report = built(source, store, tmp_path / "site.toml")
    assert ("drugs whose code is not known", f"{LOCAL}|PRED5") not in report.left


def test_what_is_said_of_one_file_is_said_again_when_another_changed(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1"), person("p2"), lab("o1", "p1", code=HBA1C)], b=[lab("o2", "p2")])
    store = tmp_path / "store"
    built(source, store)
    write(source, b=[lab("o2", "p2", code=HBA1C)])
    report = built(source, store)
    assert dict(report.left) == {("records whose code is not in the catalogue", f"{LOINC}|{HBA1C}"): 2}
    assert report.read == {"Patient": 2, "Observation": 2}


def test_the_only_patient_of_a_source_is_whom_it_is_about(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1"), lab("o1", None)])
    report = built(source, tmp_path / "store")
    assert values(tmp_path / "store", "p1") == [point(1.5)]
    assert not report.left
    write(source, b=[person("p2")])
    report = built(source, tmp_path / "store")
    assert values(tmp_path / "store", "p1") == []
    assert dict(report.left) == {("resources that name no subject", "Observation"): 1}


def test_the_command_prints_the_report(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1"), lab("o1", "p1")])
    done = CliRunner().invoke(app, ["build", str(source), "--store", str(tmp_path / "store"), "--workers", "0"])
    assert done.exit_code == 0
    assert done.output.startswith(f"{tmp_path / 'store'}: 1 patients, 2 facts\nread from 1 file: 2")
    assert done.output.endswith("everything that was read could be used\n")


def test_a_screening_is_not_written_over_a_file_of_its_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    built(write(tmp_path / "in", a=[person("p1"), lab("o1", "p1")]), store)
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    words = ["screen", "NCT03739814", "--store", str(store), "--patient", "p1", "--on", "2026-03-16", "--out"]
    for lost in before:
        done = CliRunner().invoke(app, [*words, str(lost)])
        assert str(done.exception) == f"--out would be written over {lost}, which is read here; name another file"
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before
    assert CliRunner().invoke(app, [*words, str(tmp_path / "p1.txt")]).exit_code == 0
    assert "patient p1, registration on 2026-03-16" in (tmp_path / "p1.txt").read_text()


# Sources of every sort ------------------------------------------------------------------------------------------------


def test_packed_files_bundles_and_folders_in_folders_are_read(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1")])
    (source / "deeper").mkdir()
    (source / "deeper" / "b.ndjson.gz").write_bytes(gzip.compress(ndjson([lab("o1", "p1", 2.5)])))
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": person("p2")}]}
    (source / "deeper" / "c.json").write_text(json.dumps(bundle, indent=2))
    (source / "readme.txt").write_text("nothing to read")
    report = built(source, tmp_path / "store")
    assert (report.parts, report.patients) == (3, 2)
    assert values(tmp_path / "store", "p1") == [point(2.5)]


def test_a_store_inside_its_source_is_not_read(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1")])
    built(source, source / "store")
    assert built(source, source / "store").changed is False


def test_csv_and_patient_files(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    for number, rows in enumerate(
        (["1,born,1970-05-17,,", "1,bilirubin_total,2026-03-01,1.5,mg/dL"], ["2,sex,,male,"])
    ):
        text = "\n".join(["patient,kind,on,value,unit", *rows]) + "\n"
        (tmp_path / "csv" / f"{number}.csv").write_text(text)
    report = built(tmp_path / "csv", tmp_path / "one")
    assert (report.patients, values(tmp_path / "one", "1")) == (2, [point(1.5)])
    written = "patient: 1\nborn: 1970-05-17\nfacts:\n  - {kind: bilirubin_total, on: 2026-03-01, value: 1.5 mg/dL}\n"
    (tmp_path / "p.yaml").write_text(written)
    built(tmp_path / "p.yaml", tmp_path / "two")
    assert values(tmp_path / "two", "1") == [point(1.5)]


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        ("csv", "patient,kind,on,value\n1,born,1970-05-17,\n1,bilirubin_total,2026-03-01,1.5 mg/dL\n"),
        ("yaml", "patient: 1\nborn: 1970-05-17\nfacts:\n  - {kind: ecog, on: 2026-03-01, value: 1}\n"),
    ],
)
def test_statements_name_the_file_as_it_is_called_now(tmp_path: Path, ending: str, text: str) -> None:
    source, store = tmp_path / "in", tmp_path / "store"
    source.mkdir()
    (source / f"a.{ending}").write_text(text)
    (source / f"copy.{ending}").write_text(text)
    assert built(source, store).parts == 1
    (source / f"a.{ending}").rename(source / f"z.{ending}")
    built(source, store)
    assert all(fact.source.startswith(f"copy.{ending}") for fact in stored(store)["1"].facts)
    (source / f"copy.{ending}").unlink()
    built(source, store)
    assert all(fact.source.startswith(f"z.{ending}") for fact in stored(store)["1"].facts)
    built(source, tmp_path / "fresh")
    assert files_of(store) == files_of(tmp_path / "fresh")


# Sources that cannot be read ------------------------------------------------------------------------------------------


def refused(source: Path, store: Path, said: str, mapping: Path | None = None) -> None:
    """The build says what is wrong and leaves what was there."""
    before = files_of(store)
    with pytest.raises(OnstudyError, match=said):
        built(source, store, mapping)
    assert files_of(store) == before


def test_a_source_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    store = tmp_path / "store"
    refused(tmp_path / "none", store, "there is no such file or folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", store, "holds nothing that can be read")
    refused(write(tmp_path / "nobody", a=[lab("o1", "p1")]), store, "holds no patient")
    mixed = write(tmp_path / "mixed", a=[person("p1")])
    (mixed / "b.csv").write_text("patient,kind\n")
    refused(mixed, store, "files of several sorts")
    (tmp_path / "cut.json").write_text('{"resourceType": "Bundle", "entry": [')
    refused(tmp_path / "cut.json", store, "no whole JSON document")
    assert not store.exists()


@pytest.mark.parametrize("inside", ["", "a.ndjson", "deeper"])
def test_a_store_does_not_lie_where_its_source_does(tmp_path: Path, inside: str) -> None:
    folder = write(tmp_path / "in", a=[person("p1")])
    write(folder / "deeper", b=[person("p2")])
    before = files_of(folder)
    with pytest.raises(OnstudyError, match="in: the source lies there; give --store a folder of its own"):
        built(folder / inside, folder)
    assert files_of(folder) == before
    assert built(folder, folder / "store").patients == 2, "beside the files of the source it may lie"


def test_a_build_that_is_interrupted_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("onstudy.population.build.build", interrupted)
    source, store = write(tmp_path / "in", a=[person("p1")]), tmp_path / "store"
    done = CliRunner().invoke(app, ["build", str(source), "--store", str(store)])
    assert done.exit_code == 130
    assert done.stderr == f"onstudy: interrupted; what is done is kept in {store}, run the same again to go on\n"


@pytest.mark.parametrize("cut", [12, 40])
def test_a_packed_file_that_is_cut_off_leaves_the_store_as_it_was(tmp_path: Path, cut: int) -> None:
    source, store = write(tmp_path / "in", a=[person("p1")]), tmp_path / "store"
    built(source, store)
    packed = gzip.compress(ndjson([lab(f"o{number}", "p1", number) for number in range(50)]))
    (source / "b.ndjson.gz").write_bytes(packed[:-cut])
    refused(source, store, "the gzip file is damaged or cut off")
    assert values(store, "p1") == []


@pytest.mark.parametrize("left", [20, 60])
def test_a_packed_file_that_is_cut_off_near_its_beginning_leaves_nothing_behind(tmp_path: Path, left: int) -> None:
    """Where the size of the store is estimated by the beginning of the file."""
    packed = gzip.compress(ndjson([person("p1"), *(lab(f"o{number}", "p1", number) for number in range(50))]))
    (tmp_path / "a.ndjson.gz").write_bytes(packed[:left])
    store = tmp_path / "store"
    refused(tmp_path / "a.ndjson.gz", store, "a.ndjson.gz: the gzip file is damaged or cut off; get it again")
    assert not store.exists()


def test_a_line_that_is_too_long_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onstudy.population.bulk_fhir.LONGEST_LINE", 5000)
    source = write(
        tmp_path / "in", a=[person("p1"), lab("o1", "p1", note=[{"text": "x" * 6000}]), lab("o2", "p1", 2.5)]
    )
    report = built(source, tmp_path / "store")
    assert sum(report.left.values()) == 1
    assert values(tmp_path / "store", "p1") == [point(2.5)]


def test_absurd_lines_are_counted_and_nothing_else(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1"), lab("o1", "p1")])
    with (source / "a.ndjson").open("ab") as file:
        file.write(
            b"[" * 100_000 + b"\n" + b'{"resourceType":"Observation","id":' * 50_000 + b"\n\x00\x00\nnull\n7\n[]\n"
        )
    report = built(source, tmp_path / "store")
    assert report.read == {"Patient": 1, "Observation": 1}
    assert values(tmp_path / "store", "p1") == [point(1.5)]


# The mapping of a site ------------------------------------------------------------------------------------------------

MAPPING = f"""\
[systems]
lab = "{LOCAL}"
[kind.bilirubin_total]
codes = [["lab", "BILT"]]
[unit_spellings]
"mg percent" = "mg/dL"
"""


def test_a_mapping_adds_codes_and_units(tmp_path: Path) -> None:
    quantity = {"value": 1.5, "unit": "mg percent"}
    resources = [person("p1"), lab("o1", "p1", code="BILT", system=LOCAL, valueQuantity=quantity)]
    source, store = write(tmp_path / "in", a=resources), tmp_path / "store"
    assert dict(built(source, store).left) == {("records whose code is not in the catalogue", f"{LOCAL}|BILT"): 1}
    (tmp_path / "site.toml").write_text(MAPPING)
    report = built(source, store, tmp_path / "site.toml")
    assert (values(store, "p1"), dict(report.left)) == ([point(1.5)], {})
    assert built(source, store, tmp_path / "site.toml").changed is False
    built(source, store)
    assert values(store, "p1") == [], "without the mapping it is not used again"


def test_all_that_is_wrong_in_a_mapping_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[person("p1")])
    (tmp_path / "site.toml").write_text(
        '[kind.bilirubin_totl]\ncodes = []\n[kind.creatinine]\ncodes = [["loinc", "1975-2"], ["loinc", "2160-1"]]\n'
    )
    with pytest.raises(OnstudyError) as caught:
        built(source, tmp_path / "store", tmp_path / "site.toml")
    said = str(caught.value)
    assert "there is no kind 'bilirubin_totl'; did you mean bilirubin_total" in said
    assert "site.toml" in said
    assert not (tmp_path / "store").exists()


def test_what_is_wrong_in_a_mapping_names_its_line(tmp_path: Path) -> None:
    """Also in the tables that hold nothing but pairs."""
    mapping = tmp_path / "site.toml"
    mapping.write_text(
        '[systems]\nlab = "https://x.example"\nloinc = "https://y.example"\n\n[unit_spellings]\n'
        '"mg percent" = "mg/dL"\n"a.b" = "nonsense"\ng = "mg"\n'
    )
    source = write(tmp_path / "in", a=[person("p1")])
    with pytest.raises(InvalidFile) as wrong:
        built(source, tmp_path / "store", mapping)
    assert sorted(problem.where for problem in wrong.value.problems) == [
        f"{mapping}:3 systems.loinc", f"{mapping}:7 unit_spellings.a.b", f"{mapping}:8 unit_spellings.g",
    ]  # fmt: skip
