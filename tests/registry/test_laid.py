"""Arrays that are laid down with each import: after any history what one would make of the tables."""

from __future__ import annotations

import random
from array import array
from math import inf
from pathlib import Path
from typing import Any

import pytest
from tests.registry.studies import put, site, store_of, study

from onstudy.errors import OnstudyError
from onstudy.registry import bits, writing
from onstudy.registry.gathered import Gathered
from onstudy.registry.laid import ENDS, LAT, LON, MEASURED, NEWEST, RANK, laid
from onstudy.registry.store import Store, in_memory, open_to_read, open_to_write


def found(store: Store) -> dict[str, Any]:
    """The arrays of a store; which places each trial is measured to, by its number."""
    db = store.db
    places, ends = bits.load_ids(laid(db, MEASURED)), bits.load_ids(laid(db, ENDS))
    cuts = [0, *ends]
    return {
        "measured": {trial: list(places[cuts[trial] : cuts[trial + 1]]) for trial in range(len(ends))},
        "newest": list(bits.load_ids(laid(db, NEWEST))),
        "rank": list(bits.load_ids(laid(db, RANK))),
        "points": [*zip(bits.load_floats(laid(db, LAT)), bits.load_floats(laid(db, LON)), strict=True)],
    }


def made(store: Store) -> dict[str, Any]:
    """The same out of the tables, trial by trial."""
    db = store.db
    trials = [id for (id,) in db.execute("SELECT id FROM study ORDER BY id")]
    listed: dict[int, list[int]] = {id: [] for id in range(max(trials) + 1)}
    hopeful: dict[int, list[int]] = {id: [] for id in range(max(trials) + 1)}
    points = {0: (inf, inf)}
    for place, lat, lon, *packed in db.execute("SELECT id, lat, lon, listed, hopeful FROM place ORDER BY id"):
        points[place] = (inf, inf) if lat is None else (lat, lon)
        for there, ids in zip((listed, hopeful), packed, strict=True):
            for id in bits.load_ids(ids):
                there[id].append(place)
    newest = [id for (id,) in db.execute("SELECT id FROM study ORDER BY updated DESC, nct_id")]
    rank = [newest.index(id) if id in newest else 0 for id in range(max(trials) + 1)]
    return {
        "measured": {id: hopeful[id] or listed[id] for id in listed},
        "newest": newest,
        "rank": rank,
        "points": [points[place] for place in range(max(points) + 1)],
    }


def some(chance: random.Random, count: int) -> list[Any]:
    """Trials, some of them more than once, with sites that are open or not, with and without a point."""
    cities = [(f"c{n}", None if n % 4 == 0 else (n % 5 + 0.5, float(n))) for n in range(12)]
    return [
        study(
            chance.randint(1, 25),
            title=f"v{chance.random()}",
            updated=f"2026-05-{chance.randint(10, 12)}",
            sites=[
                site(city, chance.choice(("RECRUITING", "COMPLETED", None)), point)
                for city, point in chance.choices(cities, k=chance.choice((0, 1, 3, 9)))
            ],
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("full", [5, 50_000])
def test_what_is_laid_down_is_what_would_be_made(bare: None, monkeypatch: pytest.MonkeyPatch, full: int) -> None:
    monkeypatch.setattr(writing, "FULL", full)
    chance = random.Random(full)
    store = in_memory()
    for count in (1, 30, 2, 1, 60):
        put(store, *some(chance, count))
        assert found(store) == made(store)


def test_what_ships_is_laid_down(shipped_store: Store) -> None:
    assert found(shipped_store) == made(shipped_store)


def test_an_import_without_news_lays_nothing_down(bare: None) -> None:
    store = store_of(study(1, sites=[site("a", point=(1, 2))]))
    store.db.execute("UPDATE laid SET data = x'00'")
    put(store, study(1, sites=[site("a", point=(1, 2))], version="2026-06-01"))
    assert store.db.execute("SELECT DISTINCT data FROM laid").fetchall() == [(b"\0",)]


def test_what_is_taken_back_is_forgotten() -> None:
    some = Gathered()
    for trial, things in ((3, [1, 2]), (1, [2]), (2, [])):
        some.put(trial, array("I", things))
    some.take_back(3)
    some.take_back(9)
    some.put(3, array("I", [2, 0]))
    assert {thing: list(trials) for thing, trials in some.turned().items()} == {2: [1, 3], 0: [3]}
    assert [(trial, list(things)) for trial, things in some] == [(1, [2]), (2, []), (3, [2, 0])]
    assert len(some) == 3


@pytest.mark.parametrize("opened", [open_to_read, open_to_write])
def test_a_registry_of_an_older_version_is_refused_with_a_way_out(tmp_path: Path, opened: Any) -> None:
    store = open_to_write(tmp_path / "r.sqlite")
    put(store, study(1))
    store.db.execute("PRAGMA user_version = 4")
    store.close()
    before = (tmp_path / "r.sqlite").read_bytes()
    with pytest.raises(OnstudyError, match=r"version 4, and this onstudy reads version 5; move it away.*import again"):
        opened(tmp_path / "r.sqlite")
    assert (tmp_path / "r.sqlite").read_bytes() == before
