"""Several versions of one resource: the newest is used, and where nobody can tell which that is, all of them are.

Every case is asked of both readers, of a screening and of a build, and of files in either order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest
from tests.population.building import Resource, built, ndjson, same, stored
from tests.population.test_build import files_of, killed, lab, person, write

from onstudy.population import build_versions, build_work
from onstudy.population.bulk_fhir import NO_PATIENT
from onstudy.population.store import Store
from onstudy.readers import read_patients
from onstudy.record.patient import Fact
from onstudy.values.interval import Interval

#: The value of a version, when it was changed last (None: it does not say), and its number.
Version = tuple[float, str | None, str | None]


def version(said: Version, name: str = "b1", about: str | None = "p1", **more: object) -> Resource:
    """A version of a result."""
    value, changed, number = said
    meta = {key: text for key, text in (("lastUpdated", changed), ("versionId", number)) if text is not None}
    return {**lab(name, about, value), **({"meta": meta} if meta else {}), **more}


def check(resources: list[Resource], folder: Path, files: int = 1) -> dict[str, list[Fact]]:
    """The results of everybody, by the reader of one file, after the store of the same was found to hold them too."""
    folder.mkdir()
    step = -(-len(resources) // files)
    parts = {f"part{number}": resources[number * step :][:step] for number in range(files)}
    built(write(folder / "in", **parts), folder / "store")
    found = stored(folder / "store")
    expected = {one.id: one for one in read_patients("all.ndjson", ndjson(resources))}
    assert found.keys() == expected.keys()
    for name, patient in expected.items():
        assert same(found[name], patient), f"{name}:\n{found[name]}\nis not\n{patient}"
    return {name: list(patient.facts) for name, patient in expected.items()}


def bilirubin(facts: Sequence[Fact]) -> list[float]:
    """The values of bilirubin."""
    return [
        fact.value.low
        for fact in facts
        if fact.kind == "bilirubin_total" and isinstance(fact.value, Interval) and fact.value.low is not None
    ]


def left(versions: tuple[Version, ...], folder: Path) -> set[float]:
    """The values that are left of versions of one result, in whatever order they come."""
    found: set[tuple[float, ...]] = set()
    for number, some in enumerate(permutations(versions)):
        resources = [person("p1"), person("p2"), *(version(one) for one in some)]
        facts = check(resources, folder / str(number), files=1 + 2 * (number % 2))
        found.add(tuple(sorted(bilirubin(facts["p1"]))))
    (values,) = found  # the same whatever comes first
    return set(values)


DAY_1, DAY_2, DAY_3 = (f"2026-03-1{day}T00:00:00Z" for day in (1, 2, 3))


@pytest.mark.parametrize(
    ("versions", "values"),
    [
        (((1.0, DAY_1, "1"), (2.0, DAY_3, "3"), (3.0, DAY_2, "2")), {2.0}),
        (((1.0, None, "9"), (2.0, None, "10")), {2.0}),
        (((1.0, DAY_1, "1"), (2.0, DAY_1, "2")), {2.0}),
        (((1.0, DAY_1, None), (2.0, DAY_1, None)), {1.0, 2.0}),
        (((1.0, None, None), (2.0, None, None)), {1.0, 2.0}),
        (((9.0, None, None), (1.0, DAY_1, None)), {9.0, 1.0}),
        (((9.0, None, None), (1.0, None, "1")), {9.0, 1.0}),
        (((9.0, None, "2"), (1.0, DAY_1, "1")), {9.0, 1.0}),
        (((9.0, None, "2"), (1.0, None, "x")), {9.0, 1.0}),
        (((9.0, None, None), (1.0, DAY_1, None), (2.0, DAY_2, None)), {9.0, 2.0}),
        (((1.0, DAY_1, "5"), (2.0, DAY_2, "4")), {2.0}),
        (((1.0, "2026-03-12T23:30:00Z", None), (9.0, "2026-03-13T00:10:00+02:00", None)), {1.0}),
        (((1.0, "2026-11-01T01:45:00-04:00", None), (9.0, "2026-11-01T01:15:00-05:00", None)), {9.0}),
        (((1.0, "2026-03-12T23:30:00.500Z", None), (9.0, "2026-03-12T23:30:00Z", None)), {1.0}),
        (((1.0, "2026-03-12T23:30:00.050Z", None), (9.0, "2026-03-12T23:30:00.5Z", None)), {9.0}),
        (((1.0, "2026-03-12T23:30:00Z", "2"), (9.0, "2026-03-13T01:30:00+02:00", "1")), {1.0}),
        (((1.0, "2026-03-12T23:30:00Z", None), (9.0, "2026-03-13T01:30:00+02:00", None)), {1.0, 9.0}),
        (((1.0, "2026-03-13T23:30:00", "2"), (9.0, "2026-03-12T23:30:00Z", "1")), {1.0, 9.0}),
        (((1.0, "2026-03-13T23:30:00", None), (9.0, "2026-03-12T23:30:00", None)), {1.0}),
        (((1.0, "2026-03-13 23:30:00Z", "1"), (9.0, "2026-03-12T23:30:00Z", "2")), {1.0}),
        (((1.0, "2026-03-13", "2"), (9.0, "2026-03-12T23:30:00Z", "1")), {1.0, 9.0}),
        (((1.0, "2026-03-13", "2"), (9.0, "2026-03-12", "1")), {1.0, 9.0}),
        (((1.0, "0001-01-01T00:00:00Z", "2"), (9.0, "2026-03-12T23:30:00Z", "1")), {1.0, 9.0}),
        (((1.0, " 2026-03-13T23:30:00Z ", None), (9.0, "2026-03-12T23:30:00Z", None)), {1.0}),
        (((1.0, DAY_1, None), (2.0, DAY_2, None), (1.0, DAY_3, None)), {1.0}),
    ],
    ids=str,
)
def test_the_newest_version_is_used(versions: tuple[Version, ...], values: set[float], tmp_path: Path) -> None:
    assert left(versions, tmp_path) == values


def test_many_alike(tmp_path: Path) -> None:
    """Lines that are taken apart together."""
    people = [person(f"p{number}") for number in range(20)]
    old, new = (
        [version((value, changed, "1"), f"b{number}", f"p{number}") for number in range(20)]
        for value, changed in ((1.0, DAY_1), (2.0, DAY_2))
    )
    none = [version((3.0, None, None), f"b{number}", f"p{number}") for number in range(10)]
    for number, resources in enumerate(([*new, *none, *old], [*none, *old, *new])):
        found = check([*people, *resources], tmp_path / str(number), 3)
        for name, facts in found.items():
            assert sorted(bilirubin(facts)) == ([2.0, 3.0] if int(name[1:]) < 10 else [2.0])


@pytest.mark.parametrize("whole", [0, 1, 2], ids=["the older", "the newer", "neither"])
def test_one_that_is_read_as_a_whole(whole: int, tmp_path: Path) -> None:
    """An element of another shape than its own keeps a resource whole; the others had their stamps taken from them."""
    versions = [version((1.0, DAY_1, "1")), version((2.0, DAY_2, "2"))]
    other = version((4.0, DAY_1, "1"), "b2")
    one = versions[whole] if whole < 2 else other
    one["method"], one["subject"] = 5, [one["subject"]]
    found = check([person("p1"), person("p2"), *versions, other], tmp_path / "x")
    assert sorted(bilirubin(found["p1"])) == [2.0, 4.0]


# Under several patients -------------------------------------------------------------------------------------------

MRN = "https://hospital.example/mrn"
PEOPLE = [person(f"p{number}", identifier=[{"system": MRN, "value": f"M{number}"}]) for number in range(1, 6)]
OLD, NEW = (1.0, DAY_1, "1"), (2.0, DAY_2, "2")


def without_subject(resource: Resource) -> Resource:
    return {key: said for key, said in resource.items() if key != "subject"}


def kept_whole(resource: Resource) -> Resource:
    """The same, in a shape that a build does not take apart."""
    return {**resource, "method": 5, "subject": [resource["subject"]]}


MOVED = {
    "to another": version(NEW, about="p2"),
    "to a stranger": version(NEW, about="p77"),
    "to nobody": without_subject(version(NEW)),
    "withdrawn, to nobody": without_subject(version(NEW, status="entered-in-error")),
    "to a group": version(NEW, subject={"reference": "Group/g1"}),
    "to another by identifier": version(NEW, subject={"identifier": {"system": MRN, "value": "M2"}}),
    "to nobody's identifier": version(NEW, subject={"identifier": {"system": MRN, "value": "x"}}),
    "to another, kept whole": kept_whole(version(NEW, about="p2")),
}


@pytest.mark.parametrize("new", MOVED.values(), ids=MOVED.keys())
@pytest.mark.parametrize("how", ["alone", "whole", "identified"])
def test_a_newer_version_that_names_another(how: str, new: Resource, tmp_path: Path) -> None:
    """What was said of the first patient was taken back, in one file or in two, whichever comes first."""
    old = version(OLD)
    if how == "whole":
        old = kept_whole(old)
    if how == "identified":
        old["subject"] = {"identifier": {"system": MRN, "value": "M1"}}
    for number, resources in enumerate(([*PEOPLE, old, new], [new, old, *PEOPLE], [old, *PEOPLE, new])):
        found = check(resources, tmp_path / str(number), 1 + number)
        assert not bilirubin(found["p1"])


def test_which_is_newer_is_not_told_by_whom_it_is_about(tmp_path: Path) -> None:
    """Without stamps both stay, each where it is; an older one elsewhere changes nothing; types are told apart."""
    none: Version = (3.0, None, None)
    resources = [
        *PEOPLE,
        version(none, "a"),
        version(none, "a", "p2"),
        version(OLD, "b", "p1"),
        version(NEW, "b", "p3"),
    ]
    resources += [version(OLD, "c", "p4"), {**version(NEW, "c", "p5"), "resourceType": "Specimen"}]
    found = check(resources, tmp_path / "x", 2)
    assert {name: bilirubin(facts) for name, facts in found.items()} == {
        "p1": [3.0], "p2": [3.0], "p3": [2.0], "p4": [1.0], "p5": []
    }  # fmt: skip


def test_what_is_about_something_else_is_told_once(tmp_path: Path) -> None:
    group = version(NEW, subject={"reference": "Group/g1"})
    report = built(write(tmp_path / "in", a=[*PEOPLE, group]), tmp_path / "store")
    assert report.left == {(NO_PATIENT, "Observation"): 1}


def test_the_only_patient_is_meant_where_nobody_is_named(tmp_path: Path) -> None:
    """So a version that names nobody is older or newer like any other."""
    for number, (one, other) in enumerate((("p1", "p77"), (None, "p77"), ("p77", None), (None, "p1"))):
        old, new = version(OLD, about="p1"), version(NEW, about="p1")
        resources = [
            without_subject(said) if about is None else {**said, "subject": {"reference": f"Patient/{about}"}}
            for said, about in ((old, one), (new, other))
        ]
        found = check([PEOPLE[0], *resources], tmp_path / str(number), 2)
        assert bilirubin(found["p1"]) == ([] if other == "p77" else [2.0])


def test_the_same_name_on_two_servers_is_two_resources(tmp_path: Path) -> None:
    """In bundles, the full urls tell."""
    bundles = [
        {"resourceType": "Bundle", "type": "collection", "entry": [
            {"fullUrl": f"https://{server}.example/{one['resourceType']}/{one['id']}", "resource": one}
            for one in (person(about), version(said, about=about))
        ]}
        for server, about, said in (("a", "p1", OLD), ("b", "p2", NEW))
    ]  # fmt: skip
    found = check(bundles, tmp_path / "two", 2)
    assert (bilirubin(found["p1"]), bilirubin(found["p2"])) == ([1.0], [2.0])
    text = json.dumps(bundles).replace("b.example/Obs", "a.example/Obs")
    found = check(json.loads(text), tmp_path / "one", 2)
    assert (bilirubin(found["p1"]), bilirubin(found["p2"])) == ([], [2.0])


def test_names_under_several_patients_are_found_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_versions, "_TOGETHER", 4)
    people = [person(f"p{number}") for number in range(40)]
    old = [version(OLD, f"b{number}", f"p{number}") for number in range(40)]
    new = [version(NEW, f"b{number}", f"p{(number + 1) % 40}") for number in range(0, 40, 3)]
    same_patient = [version(NEW, f"b{number}", f"p{number}") for number in range(1, 40, 3)]
    check([*old, *people, *new, *same_patient], tmp_path / "x", 7)

    def refused(rows: Path, file: str, names: object) -> None:
        raise AssertionError("versions of one patient are nothing to look for among all")

    monkeypatch.setattr(build_work, "versions_in", refused)
    check([*people, *old, *same_patient], tmp_path / "y", 3)


def test_what_is_left_out_follows_the_source(tmp_path: Path) -> None:
    """A store that was brought up to date is the one built from nothing, and says nothing of what was there between."""
    people = [person(f"p{number}") for number in range(20)]
    old = [version(OLD, f"b{number}", f"p{number}") for number in range(20)]
    source, store = write(tmp_path / "in", a=people, b=old), tmp_path / "store"
    built(source, store)
    first = Store.open(store).manifest
    write(source, c=[version(NEW, "b3", "p4"), version(NEW, "b5", "p99")])
    steps = [{"d": [version((3.0, DAY_3, "3"), "b3", "p3")]}, {"b": old[4:]}, {"b": old}]
    for number, step in enumerate([{}, *steps]):
        write(source, **step)
        built(source, store)
        built(source, tmp_path / f"fresh{number}")
        assert stored(store) == stored(tmp_path / f"fresh{number}")
        assert Store.open(store).manifest.digest == Store.open(tmp_path / f"fresh{number}").manifest.digest
        assert not built(source, store).changed
        found = stored(store)
        values = [sorted(bilirubin(found[name].facts)) for name in ("p3", "p4", "p5")]
        expected = [[[], [1.0, 2.0], []], [[3.0], [1.0], []], [[3.0], [1.0], []], [[3.0], [1.0], []]][number]
        assert values == expected
    for name in ("c", "d"):
        (source / f"{name}.ndjson").unlink()
    built(source, store)
    assert Store.open(store).manifest == first


def test_a_build_that_is_killed_leaves_out_the_same(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a=PEOPLE, b=[version(OLD)], c=[version(NEW, about="p2")])
    built(source, tmp_path / "never")
    kills = 0
    while killed(source, tmp_path / "often", 4, ("before", "after")[kills % 2]):
        kills += 1
    assert kills >= 3
    assert files_of(tmp_path / "often") == files_of(tmp_path / "never")
