"""Distances of many sites at once: the same site as one by one, whatever the number and the order of the sites."""

from __future__ import annotations

import random
from array import array
from math import inf

import pytest

from onstudy.registry import bits
from onstudy.registry.geography import Origin, miles
from onstudy.registry.laid import lay_measured, lay_points
from onstudy.registry.reach import Atlas, Reach
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
    lay_points(store.db)
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
    assert Atlas(in_memory().db).squares(HOME).tolist() == []


def measured(store: Store, lists: dict[int, set[int]], hopes: dict[int, set[int]]) -> Atlas:
    """The atlas of a store whose trials list these places, and those of them where somebody may be enrolled."""
    there = {trial: array("I", sorted(hopes.get(trial) or places)) for trial, places in lists.items()}
    lay_measured(store.db, sorted(there.items()))
    return Atlas(store.db)


def test_trials_are_in_the_order_of_their_nearest_place_however_many_are_asked_for() -> None:
    chance = random.Random(5)
    points = [(round(chance.uniform(25, 49), 1), round(chance.uniform(-120, -70), 1)) for _ in range(40)]
    listed = {trial: set(chance.choices(range(1, 41), k=chance.choice((1, 2, 9)))) for trial in range(1, 150)}
    hoped = {trial: {place for place in places if chance.random() < 0.4} for trial, places in listed.items()}
    rank = array("I", chance.sample(range(150), 150))
    store = stocked(list(points))
    atlas = measured(store, listed, hoped)

    def far(trial: int) -> float:
        return min(miles(HOME.lat, HOME.lon, *points[place - 1]) for place in hoped[trial] or listed[trial])

    for need in (1, 7, 20, 149, 400):
        asked = chance.sample(sorted(listed), 90)
        expected = sorted(asked, key=lambda trial: (far(trial), rank[trial]))
        found = Reach(atlas, HOME).nearest_first(bits.of(asked, 150), need, rank)
        assert found == expected[: len(found)]
        assert len(found) >= min(need, 90)


def test_no_trial_is_nearest_of_none() -> None:
    atlas = measured(stocked([(40.7, -74.0)]), {3: {1}}, {})
    assert Reach(atlas, HOME).nearest_first(0, 20, array("I", [0] * 4)) == []


def test_places_within_a_distance_are_those_no_farther() -> None:
    atlas = Atlas(stocked([(40.7647, -73.9631), (None, None), (41.7647, -73.9631), (-40.7647, 106.0369)]).db)
    reach = Reach(atlas, HOME)
    assert reach.within([1, 2, 3, 4], 60) == [1]  # a degree of latitude is 69.09 miles
    assert reach.within([1, 2, 3, 4], 69.1) == [1, 3]
    assert reach.within([3, 2], 69) == []
    assert reach.within([1, 2, 3, 4], 19_999) == [1, 3, 4]


def test_names_of_sites_come_back_as_they_were() -> None:
    names, codes = ["", "Hôpital Saint-Louis", "京都大学", "a\nb\0", "𝒳"], ["35294", "", "606-8507", "", "é"]
    sites = load_sites(bits.dump_ids(range(5)), dump_statuses(["A", "B", "A", "A", "A"]), dump_names(names, codes))
    assert [(sites.name(n), sites.zip(n)) for n in (4, 0, 1, 2, 3)] == [
        (names[n], codes[n]) for n in (4, 0, 1, 2, 3)
    ]  # fmt: skip
    assert len(load_sites(b"", dump_statuses([]), dump_names([], []))) == 0
