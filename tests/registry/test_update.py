"""Updating from the API: paging, retries, going on where it stopped; against a server on this machine."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.registry.registry_server import Api, Fault, cut_off, garbled, half, hang_up, serving, status
from tests.registry.studies import put, study

from onstudy.errors import OnstudyError
from onstudy.registry import update as updating
from onstudy.registry.importing import Report
from onstudy.registry.store import Store, open_to_write
from onstudy.registry.update import NotFetched, open_client

httpx2 = pytest.importorskip("httpx2")
pytestmark = pytest.mark.usefixtures("bare")


@pytest.fixture
def api() -> Iterator[Api]:
    days = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]
    with serving([study(n, updated=days[n % 4]) for n in range(1, 9)]) as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = open_to_write(tmp_path / "r.sqlite")
    yield found
    found.close()


def run(store: Store, api: Api, tmp_path: Path, waits: list[float] | None = None, **asked: Any) -> Report:
    slept: list[float] = [] if waits is None else waits
    with open_client("onstudy/test", api.url, timeout=5) as client:
        return updating.update(store, client, tmp_path / "pages", wait=slept.append, **asked)


def ids(store: Store) -> list[int]:
    return [int(nct[3:]) for (nct,) in store.db.execute("SELECT nct_id FROM study ORDER BY nct_id")]


def test_all_pages_are_fetched(store: Store, api: Api, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    report = run(store, api, tmp_path, since="2000-01-01", progress=lambda *counts: told.append(counts))
    assert (report.new, ids(store)) == (8, list(range(1, 9)))
    assert [one.get("pageToken") for one in api.asked] == [None, "t3", "t6"]
    assert api.asked[0]["filter.advanced"] == "AREA[LastUpdatePostDate]RANGE[2000-01-01,MAX]"
    assert all("countTotal" not in one for one in api.asked[1:])
    assert told == [(3, 8), (6, 8), (8, 8)]
    assert not (tmp_path / "pages").exists()


def test_only_what_changed_since_the_newest_update_is_fetched(store: Store, api: Api, tmp_path: Path) -> None:
    put(store, study(100, updated="2026-03-01"))
    assert run(store, api, tmp_path).new == 4
    assert ids(store) == [2, 3, 6, 7, 100]
    again = run(store, api, tmp_path)
    assert (again.new, again.unchanged) == (0, 2)


def test_trials_are_fetched_by_id_and_those_that_are_not_there_are_told(
    store: Store, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updating, "IDS_AT_ONCE", 2)
    api.records[0]["protocolSection"]["identificationModule"]["nctIdAliases"] = ["NCT00000055"]
    asked = ["NCT00000003", "NCT00000001", "NCT00000077", "NCT00000003"]
    report = run(store, api, tmp_path, ids=asked)
    assert ids(store) == [1, 3]
    assert [one["filter.ids"] for one in api.asked] == ["NCT00000003,NCT00000001", "NCT00000077"]
    assert [(problem.where, problem.what) for problem in report.skipped] == [
        ("NCT00000077", "the registry has no such trial")
    ]


def test_an_empty_store_needs_to_be_told_since_when(store: Store, api: Api, tmp_path: Path) -> None:
    with pytest.raises(OnstudyError, match="--nct"):
        run(store, api, tmp_path)
    with pytest.raises(OnstudyError, match="no trial id"):
        run(store, api, tmp_path, ids=["NCT1,NCT2"])
    assert api.asked == []


@pytest.mark.parametrize(
    "fault",
    [status(500), status(503), status(429), status(429, Retry_After="1"), status(200, b"[]"), status(200, b"{}"),
     status(200, b'{"studies": 3}'), cut_off, half, hang_up, garbled],
)  # fmt: skip
def test_a_fault_that_passes_is_waited_out(store: Store, api: Api, tmp_path: Path, fault: Fault) -> None:
    api.faults = [None, fault, fault, None]
    waits: list[float] = []
    assert run(store, api, tmp_path, waits, since="2000-01-01").new == 8
    assert waits == [1.0, 2.0]
    assert [one.get("pageToken") for one in api.asked] == [None, "t3", "t3", "t3", "t6"]


@pytest.mark.parametrize(
    ("asks", "waits"), [("7", [7.0, 7.0]), ("100000", [120.0, 120.0]), ("soon", [1.0, 2.0]), ("-5", [1.0, 2.0])]
)
def test_the_server_may_ask_for_a_longer_wait(
    store: Store, api: Api, tmp_path: Path, asks: str, waits: list[float]
) -> None:
    api.faults = [status(429, Retry_After=asks), status(503, Retry_After=asks)]
    slept: list[float] = []
    run(store, api, tmp_path, slept, ids=["NCT00000001"])
    assert slept == waits


def test_a_registry_that_stays_away_leaves_the_store_and_the_next_try_goes_on(
    store: Store, api: Api, tmp_path: Path
) -> None:
    put(store, study(100))
    api.faults = [None, None, *[status(502)] * 7]
    waits: list[float] = []
    with pytest.raises(NotFetched, match=r"after 7 tries \(it answered 502\); what came is kept"):
        run(store, api, tmp_path, waits, since="2000-01-01")
    assert waits == [1, 2, 4, 8, 16, 32]
    assert ids(store) == [100]
    api.asked.clear()
    assert run(store, api, tmp_path, since="2000-01-01").new == 8
    assert [one.get("pageToken") for one in api.asked] == ["t6"]


def test_a_killed_update_goes_on_where_it_stopped(store: Store, api: Api, tmp_path: Path) -> None:
    def killed(*counts: int) -> None:
        if counts[0] == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(store, api, tmp_path, since="2000-01-01", progress=killed)
    assert len(list((tmp_path / "pages").glob("page-*.json"))) == 2
    (tmp_path / "pages" / "page-000002.part").write_bytes(b"half a pa")
    api.asked.clear()
    assert run(store, api, tmp_path, since="2000-01-01").new == 8
    assert [one.get("pageToken") for one in api.asked] == ["t6"]


@pytest.mark.parametrize("damage", ["state", "page", "other"])
def test_damaged_or_other_pages_are_fetched_anew(store: Store, api: Api, tmp_path: Path, damage: str) -> None:
    api.faults = [None, *[status(500)] * 7]
    with pytest.raises(NotFetched):
        run(store, api, tmp_path, since="2000-01-01")
    if damage == "state":
        (tmp_path / "pages/state.json").write_bytes(b'{"requests": 3')
    elif damage == "page":
        (tmp_path / "pages/page-000000.json").unlink()
    api.asked.clear()
    run(store, api, tmp_path, since="2026-01-01" if damage == "other" else "2000-01-01")
    assert [one.get("pageToken") for one in api.asked] == [None, "t3", "t6"]


def test_a_token_that_has_expired_begins_anew_once(store: Store, api: Api, tmp_path: Path) -> None:
    api.faults = [None, status(400, b"token expired")]
    assert run(store, api, tmp_path, since="2000-01-01").new == 8
    assert [one.get("pageToken") for one in api.asked] == [None, "t3", None, "t3", "t6"]
    api.faults = [None, status(400), None, status(400)]
    with pytest.raises(NotFetched, match="refuses its own page tokens"):
        run(store, api, tmp_path, since="2001-01-01")


def test_a_refusal_is_told_at_once(store: Store, api: Api, tmp_path: Path) -> None:
    api.faults = [status(400, b"`filter` is\nwrong <b>" + b"x" * 5000)]
    waits: list[float] = []
    with pytest.raises(NotFetched, match="refused the question with 400: `filter` is wrong") as refusal:
        run(store, api, tmp_path, waits, since="2000-01-01")
    assert waits == []
    assert len(str(refusal.value)) < 300


def test_pages_that_go_in_a_circle_end(store: Store, api: Api, tmp_path: Path) -> None:
    circle = json.dumps({"studies": [], "nextPageToken": "t0"}).encode()
    api.faults = [status(200, circle)] * 20
    with pytest.raises(NotFetched, match="same next page twice"):
        run(store, api, tmp_path, since="2000-01-01")


def test_an_answer_without_end_is_given_up(
    store: Store, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updating, "LARGEST_ANSWER", 1000)
    with pytest.raises(NotFetched, match="larger than"):
        run(store, api, tmp_path, since="2000-01-01")


def test_no_server_at_all_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match="ConnectError"):
        run(store, Api([], url="http://127.0.0.1:9/"), tmp_path, ids=["NCT00000001"])


def test_a_hostile_record_in_a_page_is_skipped(store: Store, api: Api, tmp_path: Path) -> None:
    api.records[2] = {"protocolSection": {"identificationModule": {"nctId": 5}, "statusModule": _updated("2026-01-01")}}
    report = run(store, api, tmp_path, since="2000-01-01")
    assert (report.new, report.skipped_by_reason.total()) == (7, 1)


def _updated(day: str) -> dict[str, Any]:
    return {"lastUpdatePostDateStruct": {"date": day}}


def test_real_records_travel_whole(store: Store, tmp_path: Path, shared: Path) -> None:
    with gzip.open(shared / "data/ctgov_v2/studies.jsonl.gz", "rb") as file:
        records = [json.loads(line) for line, _ in zip(file, range(60), strict=False)]
    asked = [one["protocolSection"]["identificationModule"]["nctId"] for one in records]
    with serving(records) as api:
        api.page_size = 7
        api.faults = [None, cut_off, None, status(503), None, hang_up]
        assert run(store, api, tmp_path, ids=asked).new == 60
    for nct, one in zip(asked, records, strict=True):
        kept = store.original(nct)
        assert kept is not None
        assert json.loads(kept) == one
