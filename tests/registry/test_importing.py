"""Taking trials in: what is new, changed, unchanged, skipped; and that it is all or nothing."""

from __future__ import annotations

import copy
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.registry.studies import put, raw, site, store_of, study

from onstudy.errors import OnstudyError
from onstudy.registry import shipped
from onstudy.registry.digest import digest_of
from onstudy.registry.importing import import_paths, import_records
from onstudy.registry.lines import Found
from onstudy.registry.store import Store, facet_values, in_memory, open_to_read, open_to_write


def counted(report: Any) -> tuple[int, int, int, int]:
    return report.new, report.changed, report.unchanged, report.skipped_by_reason.total()


def contents(store: Store) -> dict[str, list[Any]]:
    """Everything that can be asked of a store, without the numbers of its rows."""
    db = store.db
    names = dict(db.execute("SELECT id, nct_id FROM study"))
    places = {row[0]: row[1:] for row in db.execute("SELECT id, city, state, country, lat, lon FROM place")}
    from onstudy.registry import bits
    from onstudy.registry.sitelist import Sites, load_sites

    def told(sites: Sites) -> list[Any]:
        return [
            (sites.name(number), sites.statuses[sites.kinds[number]], sites.zip(number), places[sites.places[number]])
            for number in range(len(sites))
        ]

    return {
        "study": sorted(db.execute("SELECT nct_id, origin, title, status, updated FROM study").fetchall()),
        "words": sorted(
            (names[row[0]], row[1:])
            for row in db.execute("SELECT rowid, title, conditions, summary, keywords FROM words")
        ),
        "sites": sorted(
            (nct, told(load_sites(*packed)))
            for nct, *packed in db.execute("SELECT nct_id, places, site_statuses, site_names FROM study")
        ),
        "facets": sorted(
            (name, value, sorted(names[id] for id in bits.members(bits.load(data))))
            for name, value, data in db.execute("SELECT name, value, bits FROM facet")
        ),
        "places": sorted(
            (str(places[id]), sorted(names[i] for i in bits.load_ids(a)), sorted(names[i] for i in bits.load_ids(b)))
            for id, a, b in db.execute("SELECT id, listed, hopeful FROM place")
            if a
        ),
        "about": sorted(db.execute("SELECT * FROM about WHERE key <> 'shipped'").fetchall()),
    }


def test_new_changed_unchanged(bare: None) -> None:
    store = in_memory()
    assert counted(put(store, study(1), study(2))) == (2, 0, 0, 0)
    assert counted(put(store, study(1), study(2, title="Renamed"), study(3))) == (1, 1, 1, 0)
    assert store.counts().trials == 3


def test_importing_again_writes_nothing(bare: None, tmp_path: Path) -> None:
    store = open_to_write(tmp_path / "r.sqlite")
    put(store, study(1, sites=[site("a", point=(1, 2))]), study(2))
    before = {name: store.db.execute(f"SELECT * FROM {name}").fetchall() for name in ("study", "original", "facet")}
    rows = store.db.execute("SELECT max(rowid) FROM words").fetchone()
    report = put(store, study(1, sites=[site("a", point=(1, 2))], version="2026-06-01"), study(2))
    assert counted(report) == (0, 0, 2, 0)
    assert before == {name: store.db.execute(f"SELECT * FROM {name}").fetchall() for name in before}
    assert rows == store.db.execute("SELECT max(rowid) FROM words").fetchone()
    assert store.counts().data_version == "2026-06-01"


def test_another_layout_of_the_same_record_is_no_change(bare: None) -> None:
    one = study(1, title="Größe", sites=[site("a", point=(1, 2))])
    store = store_of(one)
    turned = json.loads(json.dumps(one), object_pairs_hook=lambda pairs: dict(reversed(pairs)))

    for text in (json.dumps(turned), json.dumps(one, indent=4), json.dumps(turned, ensure_ascii=True)):
        assert digest_of(text.encode()) != digest_of(raw(one))
        assert counted(import_records(store, [Found("x", text.encode())])) == (0, 0, 1, 0)


@pytest.mark.parametrize("around", [(b"", b"\n"), (b" \t", b"\r\n"), (b"\n\n", b""), (b"", b"   \x0b\x0c")])
@pytest.mark.parametrize("version", ["2026-05-01", ""])
def test_space_around_a_record_does_not_change_its_digest(around: tuple[bytes, bytes], version: str) -> None:
    text = raw(study(1, version=version))
    assert digest_of(around[0] + text + around[1]) == digest_of(text)
    assert digest_of(text[:-1]) != digest_of(text)


def test_an_older_record_does_not_replace_a_newer_one(bare: None) -> None:
    store = store_of(study(1, title="New", updated="2026-05-10"))
    report = put(store, study(1, title="Old", updated="2026-05-09"))
    assert counted(report) == (0, 0, 0, 1)
    assert report.skipped_by_reason == {"older than the record that is here": 1}
    assert store.db.execute("SELECT title FROM study").fetchall() == [("New",)]


def test_the_same_trial_twice_in_one_import(bare: None) -> None:
    store = in_memory()
    report = put(store, study(1), study(1), study(1, title="x", status="COMPLETED", sites=[site("b", point=(3, 4))]))
    assert counted(report) == (1, 1, 1, 0)
    with store.snapshot() as db:
        assert set(facet_values(db, "status")) == {"COMPLETED"}
    assert contents(store) == contents(
        store_of(study(1, title="x", status="COMPLETED", sites=[site("b", point=(3, 4))]))
    )


@pytest.mark.parametrize("helpers", [0, 1])
def test_a_known_record_that_this_import_has_changed_is_put_back(bare: None, helpers: int) -> None:
    """Its checksum is that of the store before the import, and no longer that of the store."""
    one, other = study(1, title="One"), study(1, title="Other", sites=[site("b", point=(3, 4))])
    store = store_of(one)
    found = [Found("x[0]", raw(one)), Found("x[1]", raw(other)), Found("x[2]", raw(one)), Found("x[3]", raw(one))]
    assert counted(import_records(store, found, helpers)) == (0, 2, 2, 0)
    assert contents(store) == contents(store_of(one))


@pytest.mark.parametrize("version", ["2026-06-01", " 2026-06-01\u200b "])
def test_a_known_record_tells_the_date_of_the_data_as_a_new_one_does(bare: None, version: str) -> None:
    store = store_of(study(1))
    assert put(store, study(1, version=version)).data_version == "2026-06-01"
    assert put(in_memory(), study(1, version=version)).data_version == "2026-06-01"


@pytest.mark.parametrize("start", [b'{"protocolSection":', b'{"derivedSection":', b'{"x":'])
def test_a_broken_line_is_skipped_with_its_number_however_it_begins(bare: None, tmp_path: Path, start: bytes) -> None:
    good = raw(study(1))
    lines = [
        good,
        start + b"{}",
        start + b" [}",
        good[:-9],
        start + b'{"a": "\xff"',
        start + b"[" * 9000,
        raw(study(2)),
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    report = import_paths(in_memory(), [tmp_path / "a.jsonl"])
    assert counted(report) == (2, 0, 0, 5)
    assert [problem.where.rpartition(":")[2] for problem in report.skipped] == ["2", "3", "4", "5", "6"]
    assert report.skipped_by_reason["is not whole JSON"] >= 3


def test_what_is_no_record_is_skipped_with_the_reason(bare: None) -> None:
    store = in_memory()
    nameless = study(1)
    nameless["protocolSection"]["identificationModule"].pop("nctId")
    report = put(store, nameless, [], study(2), {"protocolSection": 3}, nameless)
    assert counted(report) == (1, 0, 0, 4)
    assert report.skipped_by_reason["no trial id of the form NCT00000000"] == 2
    assert [problem.where for problem in report.skipped] == ["test[0]", "test[1]", "test[3]", "test[4]"]


def test_oddities_are_told_and_the_trial_is_in(bare: None) -> None:
    store = in_memory()
    odd = study(1, sites=[site("a", point=(99, 99), name="n" * 1000), site("b" * 1000)])
    odd["protocolSection"]["designModule"] = 7
    report = put(store, odd)
    assert counted(report) == (1, 0, 0, 0)
    assert {problem.where.split()[-1] for problem in report.problems} == {
        "geoPoint",
        "facility",
        "designModule",
        "city",
    }
    assert report.problem_count == 4


def test_an_odd_place_is_told_of_each_trial_that_has_it(bare: None) -> None:
    odd = [site("a", point=(99, 99))]
    report = put(in_memory(), study(1, sites=odd), study(2, sites=odd * 2), study(3, sites=[site("a", point=(1, 2))]))
    assert [problem.where.split()[1] for problem in report.problems] == ["NCT00000001", "NCT00000002"]


def test_a_changed_trial_is_where_it_is_now_and_nowhere_else(bare: None) -> None:
    """After any history the store says what a store says that was given the last state alone."""
    first = [
        study(1, status="RECRUITING", conditions=["leukemia"], phases=["PHASE1"], sites=[site("a", point=(1, 2))]),
        study(2, sites=[site("a", point=(1, 2)), site("c", point=(5, 6), status="COMPLETED"), site("d")]),
        study(3, youngest="18 Years", sex="FEMALE"),
    ]
    last = copy.deepcopy(first)
    last[0] = study(1, status="COMPLETED", conditions=["asthma"], sites=[site("b", point=(3, 4), country="France")])
    last[1]["protocolSection"]["contactsLocationsModule"]["locations"].pop()
    last[2] = study(3, eldest="17 Years", sites=[site("d", point=(1, 2))])
    store = store_of(*first)
    assert counted(put(store, *last)) == (0, 3, 0, 0)
    assert contents(store) == contents(store_of(*last))
    assert counted(put(store, *first)) == (0, 3, 0, 0)
    assert contents(store) == contents(store_of(*first))


def test_the_original_is_kept(bare: None) -> None:
    one = study(1, title="<b>\u202e</b>", keywords=["x" * 10_000])
    assert store_of(one).original("NCT00000001") == raw(one)
    assert store_of(one).original("NCT00000002") is None


def test_counts(bare: None) -> None:
    counts = store_of(
        study(1, updated="2020-01-02", version="2025-01-01", sites=[site("a"), site("b")]),
        study(2, updated="2026-01-02", version="2024-01-01"),
    ).counts()
    assert (counts.trials, counts.sites, counts.data_version) == (2, 2, "2025-01-01")
    assert (counts.oldest_update, counts.newest_update) == ("2020-01-02", "2026-01-02")


# The trials that ship ----------------------------------------------------------------------------------


def test_a_new_store_holds_what_ships_and_the_registry_replaces_it() -> None:
    store = in_memory()
    put(store)
    ships = store.counts().trials
    assert store.origin("NCT03739814") == "compiled"
    old = study(3739814, title="From the registry", updated="2019-01-01")
    assert counted(put(store, old)) == (0, 1, 0, 0)
    assert store.origin("NCT03739814") == "registry"
    assert store.counts().trials == ships


def test_what_ships_never_replaces_the_registrys_own(monkeypatch: pytest.MonkeyPatch) -> None:
    store = in_memory()
    put(store, study(3739814, title="From the registry", updated="2019-01-01"))
    monkeypatch.setattr(shipped, "digest", lambda: "a later onstudy")
    put(store)
    assert store.origin("NCT03739814") == "registry"


def test_a_file_that_says_it_was_put_together_is_not_the_registrys(bare: None) -> None:
    store = store_of(study(1))
    claims = {**study(1, title="x", updated="2027-01-01"), "onstudy": {"note": "n", "as_of": "2027-01-01"}}
    assert counted(put(store, claims)) == (0, 0, 0, 1)


# All or nothing ----------------------------------------------------------------------------------------


def test_a_file_that_breaks_off_leaves_the_store_as_it_was(bare: None, tmp_path: Path) -> None:
    store = open_to_write(tmp_path / "r.sqlite")
    put(store, study(1))
    before = contents(store)
    good, bad = tmp_path / "good.json", tmp_path / "bad.json.gz"
    good.write_bytes(raw(study(2)))
    bad.write_bytes(gzip.compress(b"\n".join(raw(study(n)) for n in range(3, 300)))[:-100])
    with pytest.raises(OnstudyError, match="damaged or cut off"):
        import_paths(store, [good, bad])
    assert contents(store) == before


def test_a_killed_import_leaves_the_old_state(tmp_path: Path) -> None:
    target, pipe = tmp_path / "r.sqlite", tmp_path / "pipe.jsonl"
    store = open_to_write(target)
    put(store, study(1, title="Before"))
    before = contents(store)
    store.close()
    os.mkfifo(pipe)
    program = (
        "import sys; from pathlib import Path; from onstudy.registry.store import open_to_write;"
        "from onstudy.registry.importing import import_records; from onstudy.registry.lines import Found;"
        "lines = open(sys.argv[2], 'rb');"
        "import_records(open_to_write(Path(sys.argv[1])), (Found('x', line) for line in lines))"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(target), str(pipe)])
    with pipe.open("wb") as feed:
        for number in range(1, 400):
            feed.write(raw(study(number, title="After")) + b"\n")
        feed.flush()
        deadline = time.monotonic() + 60
        while not target.with_name("r.sqlite-wal").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        child.send_signal(signal.SIGKILL)
        child.wait()
    reader = open_to_read(target)
    assert contents(reader) == before
    reader.close()
    again = open_to_write(target)
    assert counted(put(again, study(1, title="After"), study(2)))[:2] == (1, 1)
    again.close()


def test_a_first_import_that_is_killed_leaves_no_registry(tmp_path: Path) -> None:
    from onstudy.registry.store import exists

    store = open_to_write(tmp_path / "r.sqlite")
    with pytest.raises(KeyboardInterrupt), store.transaction():
        raise KeyboardInterrupt
    store.close()
    assert not exists(tmp_path / "r.sqlite")
    with pytest.raises(OnstudyError, match="there is no registry"):
        open_to_read(tmp_path / "r.sqlite")


def test_readers_see_one_state_while_an_import_runs(bare: None, tmp_path: Path) -> None:
    store = open_to_write(tmp_path / "r.sqlite")
    put(store, study(1))
    reader = open_to_read(tmp_path / "r.sqlite")
    with store.transaction() as db:
        db.execute("DELETE FROM study")
        assert reader.counts().trials == 1
        other = open_to_write(tmp_path / "r.sqlite")
        other.db.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(OnstudyError, match="cannot be written now"):
            put(other, study(2))
    assert reader.counts().trials == 0


@pytest.mark.parametrize("text", [b"hello, this is no database" * 100, b"SQLite format 3\x00" + b"\x00" * 4000])
def test_a_file_that_is_no_registry_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "r.sqlite").write_bytes(text)
    for opened in (open_to_read, open_to_write):
        with pytest.raises(OnstudyError, match=r"r\.sqlite"):
            opened(tmp_path / "r.sqlite")


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    import sqlite3

    db = sqlite3.connect(tmp_path / "r.sqlite")
    db.execute("CREATE TABLE mine (x)")
    db.close()
    for opened in (open_to_read, open_to_write):
        with pytest.raises(OnstudyError, match="no registry of onstudy"):
            opened(tmp_path / "r.sqlite")
    with pytest.raises(OnstudyError, match="there is no registry"):
        open_to_read(tmp_path / "none.sqlite")
