"""Distances of many sites at once: the same site as one by one, whatever the number and the order of the sites."""

from __future__ import annotations

import random
from array import array
from math import inf

import pytest

from onstudy.registry import bits
from onstudy.registry.geography import Origin, miles
from onstudy.registry.reach import Atlas, Reach, Waiting
from onstudy.registry.sitelist import Sites, dump_names, dump_statuses, load_sites
from onstudy.registry.store import Store, in_memory

HOME = Origin("New York, NY 10065", "United States", 40.7647, -73.9631)
#: The other side of the earth, where the formula for distances knows few digits.
FAR = Origin("Nowhere", "", -40.7647, 106.0369)


def stocked(points: list[tuple[float | None, float | None]]) -> Store:
    """A store whose places, numbered from 1, have these points."""
    store = in_memory()
    store.db.executemany(
        "INSERT INTO place (id, city, state, country, lat, lon) VALUES (?, ?, '', '', ?, ?)",
        [(number, f"city {number}", *point) for number, point in enumerate(points, 1)],
    )
    return store


def one_by_one(
    points: list[tuple[float | None, float | None]], origin: Origin, sites: Sites, taking: list[bool]
) -> tuple[float, list[int]]:
    numbers = [n for n, kind in enumerate(sites.kinds) if taking[kind]] or list(range(len(sites)))
    far = {}
    for number in numbers:
        lat, lon = points[sites.places[number] - 1]
        far[number] = inf if lat is None or lon is None else miles(origin.lat, origin.lon, lat, lon)
    return min(far.values()), [number for number in numbers if far[number] == min(far.values())]


@pytest.mark.parametrize("origin", [HOME, FAR], ids=["near", "far"])
def test_the_nearest_of_many_sites_is_that_found_one_by_one(origin: Origin) -> None:
    chance = random.Random(4)
    points: list[tuple[float | None, float | None]] = [(None, None), (origin.lat, origin.lon), (40.7, -74.0)]
    points += [(40.7 + chance.choice((0, 1e-9, 1e-6, 1e-3)), -74.0 + chance.choice((0, 1e-9, 1e-6))) for _ in range(60)]
    points += [(chance.uniform(-90, 90), chance.uniform(-180, 180)) for _ in range(60)]
    atlas = Atlas(stocked(points).db)
    for _ in range(400):
        count = chance.choice((1, 2, 30, 300))
        places = array("I", [chance.randint(1, len(points)) for _ in range(count)])
        sites = Sites(places, ("A", "B", "C"), array("H", [chance.randrange(3) for _ in range(count)]), b"")
        taking = [chance.random() < 0.5 for _ in range(3)]
        assert Reach(atlas, origin).nearest(sites, taking) == one_by_one(points, origin, sites, taking)


def test_sites_nobody_can_place_are_all_as_far() -> None:
    atlas = Atlas(stocked([(None, None), (None, None), (50.0, 8.0)]).db)
    sites = Sites(array("I", [2, 1]), ("A",), array("H", [0, 0]), b"")
    assert Reach(atlas, HOME).nearest(sites, [True]) == (inf, [0, 1])


def test_a_store_without_places_has_no_distances() -> None:
    assert Atlas(in_memory().db).squares(HOME).tolist() == [inf]


def test_trials_are_taken_once_and_only_those_waited_for() -> None:
    waiting = Waiting(bits.of([3, 17, 40], 64), 64)
    assert waiting.take(bits.dump_ids([1, 3, 63])) == [3]
    assert waiting.take(bits.dump_ids([3, 40])) == [40]
    assert waiting.take(bits.dump_ids([])) == []
    assert waiting.count == 1


def test_names_of_sites_come_back_as_they_were() -> None:
    names, codes = ["", "Hôpital Saint-Louis", "京都大学", "a\nb\0", "𝒳"], ["35294", "", "606-8507", "", "é"]
    sites = load_sites(bits.dump_ids(range(5)), dump_statuses(["A", "B", "A", "A", "A"]), dump_names(names, codes))
    assert [(sites.name(n), sites.zip(n)) for n in (4, 0, 1, 2, 3)] == [
        (names[n], codes[n]) for n in (4, 0, 1, 2, 3)
    ]  # fmt: skip
    assert len(load_sites(b"", dump_statuses([]), dump_names([], []))) == 0
