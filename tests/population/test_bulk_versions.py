"""Several versions of one resource: the newest is used, and where nobody can tell which that is, all of them are.

Every case is asked of both readers, of a screening and of a build, and of files in either order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest
from tests.population.building import Resource, built, ndjson, same, stored
from tests.population.test_build import lab, person, write

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


#: Versions of one result, and the values that are left of them.
VERSIONS: list[tuple[tuple[Version, ...], set[float]]] = [
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
    (((9.0, DAY_1, "5\n4"), (1.0, DAY_2, "3\n")), {1.0}),
]


@pytest.mark.parametrize(("versions", "values"), VERSIONS, ids=str)
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
