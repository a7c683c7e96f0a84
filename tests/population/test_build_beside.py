"""Versions of one resource that name different patients: the newest alone counts, as where one file holds them all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from tests.population.building import Resource, built, ndjson, stored
from tests.population.test_build import files_of, killed, person, write
from tests.population.test_build_repair import flipped
from tests.population.test_bulk_versions import DAY_1, DAY_2, DAY_3, VERSIONS, Version, bilirubin, check, version

from onstudy.population import build_beside, build_work, bulk_notes
from onstudy.population.build_beside import OLDER
from onstudy.population.build_work import ROWS
from onstudy.population.bulk_fhir import NO_PATIENT
from onstudy.population.bulk_letters import hashes
from onstudy.population.bulk_rows import notes_at
from onstudy.population.store import Store

MRN = "https://hospital.example/mrn"
PEOPLE = [person(f"p{number}", identifier=[{"system": MRN, "value": f"M{number}"}]) for number in range(1, 6)]
OLD, NEW = (1.0, DAY_1, "1"), (2.0, DAY_2, "2")


def without_subject(resource: Resource) -> Resource:
    return {key: said for key, said in resource.items() if key != "subject"}


def kept_whole(resource: Resource) -> Resource:
    """The same in another order, which a build does not take apart."""
    return dict(reversed(resource.items()))


def of_store(store: Path, *patients: str) -> list[list[float]]:
    found = stored(store)
    return [sorted(bilirubin(found[name].facts)) for name in patients]


# Which version counts ---------------------------------------------------------------------------------------------

MOVED = {
    "to another": version(NEW, about="p2"),
    "to a stranger": version(NEW, about="p77"),
    "to nobody": without_subject(version(NEW)),
    "withdrawn, to nobody": without_subject(version(NEW, status="entered-in-error")),
    "to a group": version(NEW, subject={"reference": "Group/g1"}),
    "to another by identifier": version(NEW, subject={"identifier": {"system": MRN, "value": "M2"}}),
    "to nobody's identifier": version(NEW, subject={"identifier": {"system": MRN, "value": "x"}}),
    "to another, kept whole": kept_whole(version(NEW, about="p2")),
    "to nobody, kept whole": kept_whole(without_subject(version(NEW))),
    "to a group, kept whole": kept_whole(version(NEW, subject={"reference": "Group/g1"})),
}


@pytest.mark.parametrize("new", MOVED.values(), ids=MOVED.keys())
@pytest.mark.parametrize("how", ["by itself", "whole", "identified"])
def test_a_newer_version_that_names_another(how: str, new: Resource, tmp_path: Path) -> None:
    """What was said of the first patient was taken back, in one file or in several, whichever comes first."""
    old = kept_whole(version(OLD)) if how == "whole" else version(OLD)
    if how == "identified":
        old["subject"] = {"identifier": {"system": MRN, "value": "M1"}}
    for number, resources in enumerate(([*PEOPLE, old, new], [new, old, *PEOPLE], [old, *PEOPLE, new])):
        found = check(resources, tmp_path / str(number), 1 + number)
        assert not bilirubin(found["p1"])


@pytest.mark.parametrize(("versions", "values"), VERSIONS, ids=str)
def test_which_is_newer_is_told_by_the_stamps(
    versions: tuple[Version, ...], values: set[float], tmp_path: Path
) -> None:
    """Just as where all of them are of one patient."""
    names = [f"p{number}" for number in range(1, 1 + len(versions))]
    moved = [version(said, about=name) for said, name in zip(versions, names, strict=True)]
    found = check([*PEOPLE, *moved], tmp_path / "x", 3)
    assert {one for name in names for one in bilirubin(found[name])} == values


def test_types_are_told_apart_and_patients_are_not(tmp_path: Path) -> None:
    resources = [*PEOPLE, version(OLD, "a", "p1"), version(NEW, "a", "p2"), version((3.0, DAY_3, "3"), "a", "p1")]
    resources += [version(OLD, "b", "p4"), {**version(NEW, "b", "p5"), "resourceType": "Specimen"}]
    found = check(resources, tmp_path / "x", 4)
    values = {name: bilirubin(facts) for name, facts in found.items()}
    assert values == {"p1": [3.0], "p2": [], "p3": [], "p4": [1.0], "p5": []}


def test_the_only_patient_is_meant_where_nobody_is_named(tmp_path: Path) -> None:
    """So a version that names nobody is older or newer like any other."""
    old, new = without_subject(version(OLD)), without_subject(version(NEW))
    cases = [
        (version(OLD), version(NEW, about="p77"), []),
        (old, version(NEW, about="p77"), []),
        (old, version(NEW, subject={"identifier": {"system": MRN, "value": "x"}}), []),
        (old, version(NEW, subject={"reference": "Group/g1"}), []),
        (old, version(NEW), [2.0]),
        (version(OLD), new, [2.0]),
        (version(OLD, about="p77"), new, [2.0]),
    ]
    for number, (one, other, values) in enumerate(cases):
        found = check([PEOPLE[0], one, other], tmp_path / str(number), 2)
        assert bilirubin(found["p1"]) == values


# What is compared -------------------------------------------------------------------------------------------------


def bundle(about: str, said: Version, url: str = "") -> Resource:
    """A bundle of one patient with a result that is called as in every other bundle."""
    resources = (person(about), version(said, "b1", about))
    addresses = [{"fullUrl": f"{url}/{one['resourceType']}/{one['id']}"} if url else {} for one in resources]
    entries = [{**address, "resource": one} for address, one in zip(addresses, resources, strict=True)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def deleting(document: Resource) -> Resource:
    """The same bundle, which can only be read as a whole."""
    return {**document, "entry": [*document["entry"], {"request": {"method": "DELETE", "url": "Observation/x"}}]}


WAYS: dict[str, Callable[[Path, str, Resource], object]] = {
    "a line": lambda folder, name, one: (folder / f"{name}.ndjson").write_bytes(ndjson([one])),
    "a list in a line": lambda folder, name, one: (folder / f"{name}.ndjson").write_text(
        json.dumps([entry["resource"] for entry in one["entry"]])
    ),
    "a whole line": lambda folder, name, one: (folder / f"{name}.ndjson").write_bytes(ndjson([deleting(one)])),
    "a document": lambda folder, name, one: (folder / f"{name}.json").write_text(json.dumps(one)),
}


@pytest.mark.parametrize("url", ["", "https://a.example"], ids=["local", "absolute"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_ids_of_bundles_are_their_own(way: Callable[[Path, str, Resource], object], url: str, tmp_path: Path) -> None:
    """Neither another bundle nor a line takes a result from a bundle, nor a bundle one from a line."""
    source = write(tmp_path / "in", a=[*PEOPLE[2:], version(NEW, about="p3")])
    for name, said in (("p1", OLD), ("p2", (3.0, DAY_3, "3"))):
        way(source, name, bundle(name, said, url))
    report = built(source, tmp_path / "store")
    assert of_store(tmp_path / "store", "p1", "p2", "p3") == [[1.0], [3.0], [2.0]]
    assert not any(reason == OLDER for reason, _ in report.left)


def test_a_patient_without_an_id_in_a_bundle_beside_versions_of_something_else(tmp_path: Path) -> None:
    one = bundle("p9", OLD)
    del one["entry"][0]["resource"]["id"], one["entry"][1]["resource"]["subject"]
    one["entry"][0]["resource"]["identifier"] = [{"system": MRN, "value": "M9"}]
    group = version(NEW, "c", subject={"reference": "Group/g1"})
    found = check([one, version(OLD, "b2", "p1"), group], tmp_path / "x")
    assert bilirubin(found["M9"]) == [1.0]


def test_a_document_that_is_one_resource_is_as_a_line(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=[*PEOPLE, version(OLD)])
    (source / "b.json").write_text(json.dumps(version(NEW, about="p2")))
    built(source, tmp_path / "store")
    assert of_store(tmp_path / "store", "p1", "p2") == [[], [2.0]]


def test_names_under_several_patients_are_found_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_beside, "_TOGETHER", 4)
    people = [person(f"p{number}") for number in range(40)]
    old = [version(OLD, f"b{number}", f"p{number}") for number in range(40)]
    new = [version(NEW, f"b{number}", f"p{(number + 1) % 40}") for number in range(0, 40, 3)]
    same_patient = [version(NEW, f"b{number}", f"p{number}") for number in range(1, 40, 3)]
    check([*old, *people, *new, *same_patient], tmp_path / "x", 7)

    def refused(file: Path, names: object) -> None:
        raise AssertionError("versions of one patient are nothing to look for among all")

    monkeypatch.setattr(build_work, "noted_in", refused)
    check([*people, *old, *same_patient], tmp_path / "y", 3)


def test_names_of_one_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (build_beside, bulk_notes):
        monkeypatch.setattr(module, "hashes", lambda texts: hashes(texts) & np.uint64(1))
    lines = [version(OLD, f"b{number}", f"p{1 + number % 5}") for number in range(20)]
    lines += [version(NEW, f"b{number}", f"p{1 + (number + 1) % 5}") for number in range(0, 20, 7)]
    check([*PEOPLE, *lines], tmp_path / "x", 3)


# The report -------------------------------------------------------------------------------------------------------


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    """By type, once each; a version about a patient who has a newer one as well is not told, as elsewhere."""
    group = version(NEW, "c", subject={"reference": "Group/g1"})
    lines = [version(OLD), version(NEW, about="p2"), version((3.0, DAY_3, "3"), about="p2"), version(OLD, "c"), group]
    named = version(OLD, "d", subject={"identifier": {"system": MRN, "value": "M1"}})
    source = write(tmp_path / "in", a=[*PEOPLE, *lines, named, version(NEW, "d", "p77")])
    report = built(source, tmp_path / "store")
    assert report.left[OLDER, "Observation"] == 3
    assert report.left[NO_PATIENT, "Observation"] == 1
    told = json.loads((tmp_path / "store" / "report.json").read_text())["could_not_be_used"]
    assert told[OLDER] == {"count": 3, "most_frequent": {"Observation": 3}}
    assert f"3  {OLDER}" in report.to_text()


# Brought up to date -----------------------------------------------------------------------------------------------


def test_what_is_left_out_follows_the_source(tmp_path: Path) -> None:
    """A store that was brought up to date is the one built from nothing, and says nothing of what was there between."""
    people = [person(f"p{number}") for number in range(20)]
    old = [version(OLD, f"b{number}", f"p{number}") for number in range(20)]
    source, store = write(tmp_path / "in", a=people, b=old), tmp_path / "store"
    built(source, store)
    first = Store.open(store).manifest
    write(source, c=[version(NEW, "b3", "p4"), version(NEW, "b5", "p99")])
    steps = [{}, {"d": [version((3.0, DAY_3, "3"), "b3", "p3")]}, {"b": old[4:]}, {"b": old}]
    for number, step in enumerate(steps):
        fresh = tmp_path / f"fresh{number}"
        write(source, **step)
        report = built(source, store)
        assert +report.left == +built(source, fresh).left
        assert files_of(store).keys() == files_of(fresh).keys()
        assert Store.open(store).manifest == Store.open(fresh).manifest
        assert not built(source, store).changed
        assert of_store(store, "p3", "p4", "p5") == [[3.0] if number else [], [1.0] if number else [1.0, 2.0], []]
    for name in ("c", "d"):
        (source / f"{name}.ndjson").unlink()
    built(source, store)
    assert Store.open(store).manifest == first


def test_an_update_that_moves_one_result_reads_one_file(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=PEOPLE, b=[version(OLD)], c=[version(OLD, "other", "p3")])
    built(source, tmp_path / "store")
    write(source, d=[version(NEW, about="p2")])
    report = built(source, tmp_path / "store")
    assert (report.parts_read, report.left[OLDER, "Observation"]) == (1, 1)
    assert of_store(tmp_path / "store", "p1", "p2", "p3") == [[], [2.0], [1.0]]


def test_notes_that_were_damaged_are_made_again(tmp_path: Path) -> None:
    source, store = write(tmp_path / "in", a=PEOPLE, b=[version(OLD)]), tmp_path / "store"
    built(source, store)
    damaged = []
    for rows in (store / ROWS).glob("*.arrow"):
        with pa.memory_map(str(rows)) as file:
            start, length = notes_at(file)
        if length:
            flipped(rows, start)
            damaged.append(rows)
    assert len(damaged) == 1
    write(source, c=[version(NEW, about="p2")])
    built(source, store)
    built(source, tmp_path / "fresh")
    assert files_of(store) == files_of(tmp_path / "fresh")
    assert of_store(store, "p1", "p2") == [[], [2.0]]


@pytest.mark.parametrize("update", [False, True], ids=["first", "update"])
def test_a_build_that_is_killed_leaves_out_the_same(update: bool, tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=PEOPLE, b=[version(OLD), version(OLD, "other", "p3")])
    for name in ("never", "often") if update else ():
        built(source, tmp_path / name)
    write(source, c=[version(NEW, about="p2"), version(NEW, "other", "p77")])
    built(source, tmp_path / "never")
    kills = 0
    while killed(source, tmp_path / "often", 4, ("before", "after")[kills % 2]):
        kills += 1
    assert kills >= (1 if update else 3)
    assert files_of(tmp_path / "often") == files_of(tmp_path / "never")
    assert of_store(tmp_path / "often", "p1", "p2", "p3") == [[], [2.0], []]


# Generated --------------------------------------------------------------------------------------------------------

STAMPS = (*((DAY_1, "1"), (DAY_2, "2"), (DAY_3, None)), ("2026-03-12T01:00:00+02:00", "3"), (None, "2"), (None, None))
SUBJECTS: tuple[Callable[[Resource], Resource], ...] = (
    lambda one: {**one, "subject": {"reference": f"Patient/{one['id']}"}},  # a stranger
    lambda one: {**one, "subject": {"reference": "Group/g1"}},
    lambda one: {**one, "subject": {"identifier": {"system": MRN, "value": "M1"}}},
    lambda one: {**one, "subject": {"identifier": {"system": MRN, "value": "nobody's"}}},
    lambda one: {**one, "subject": {"reference": "https://a.example/Patient/p1"}},
    without_subject,
)


def generated(random: Random, people: int) -> Resource:
    """A version of one of few results, of one of few patients or of nobody."""
    stamp = random.choice(STAMPS)
    name, about = f"b{random.randrange(4)}", f"p{random.randint(1, people)}"
    found = version((random.randrange(1, 90) / 10, *stamp), name, about)
    if random.random() < 0.4:
        found = random.choice(SUBJECTS)(found)
    return kept_whole(found) if "subject" in found and random.random() < 0.2 else found


@pytest.mark.parametrize("seed", range(20))
def test_generated_lines_in_any_files(seed: int, tmp_path: Path) -> None:
    """A store of several files is what a screening of one file with all their lines is, built at once or by and by."""
    random = Random(seed)
    people = random.choice((1, 2, 3, 5))
    resources = [*PEOPLE[:people], *(generated(random, people) for _ in range(random.randint(2, 14)))]
    random.shuffle(resources)
    files = random.randint(1, 5)
    check(resources, tmp_path / "x", files)
    source, store = tmp_path / "x" / "in", tmp_path / "x" / "store"
    later = [path.rename(path.with_suffix(".later")) for path in sorted(source.iterdir()) if random.random() < 0.4]
    if any(b'"Patient", ' in path.read_bytes() for path in source.glob("*.ndjson")):
        before = files_of(store)
        built(source, store)
        for path in later:
            path.rename(path.with_suffix(".ndjson"))
        built(source, store)
        assert files_of(store) == before
