"""Records made ready in other processes: the same store, the same report, and nobody left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.registry.studies import raw, site, store_of, study
from tests.registry.test_importing import contents, counted

from onstudy.errors import OnstudyError, Problem
from onstudy.registry import importing, packing
from onstudy.registry.importing import Report, import_paths, import_records
from onstudy.registry.lines import Found
from onstudy.registry.store import Store, in_memory, open_to_write


def records() -> Iterator[Found | Problem]:
    """New, twice the same, changed, no records, odd ones, in an order that tells."""
    for number in range(1, 260):
        where = [site(f"City {number % 7}", point=(number % 5, 2)), site("No point", "COMPLETED"), site("c" * 999)]
        yield Found(f"new[{number}]", raw(study(number, sites=where[: number % 4], keywords=["x" * 5000])))
        if number % 50 == 0:
            yield Problem("is no JSON", f"line {number}")
            yield Found(f"bad[{number}]", b'{"protocolSection": {}}')
            yield Found(f"again[{number}]", raw(study(number - 1, status="COMPLETED", sites=where[2:])))


def told(report: Report) -> Any:
    return counted(report), report.skipped, report.problem_count, report.problems, report.data_version


def test_helpers_change_nothing_but_the_time(bare: None) -> None:
    alone, together = in_memory(), in_memory()
    first, second = import_records(alone, records()), import_records(together, records(), helpers=2)
    assert told(first) == told(second)
    assert counted(first) == (259, 5, 0, 10)
    assert contents(alone) == contents(together)
    for number in (1, 49, 200):
        assert together.original(f"NCT{number:08d}") == alone.original(f"NCT{number:08d}") is not None
    again = import_records(together, records(), helpers=2)
    assert counted(again) == counted(import_records(alone, records()))
    assert contents(alone) == contents(together)


def test_a_large_file_is_read_with_help(bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def watched(store: Store, found: Any, helpers: int = 0) -> Report:
        asked.append(helpers)
        return import_records(store, found, 0)

    monkeypatch.setattr(importing, "import_records", watched)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    (tmp_path / "some.jsonl").write_bytes(raw(study(1)) + b"\n" + raw(study(2)))
    import_paths(in_memory(), [tmp_path / "some.jsonl"])
    monkeypatch.setattr(importing, "_LARGE", 10)
    import_paths(in_memory(), [tmp_path / "some.jsonl"])
    assert asked == [0, 2]


def test_a_helper_that_dies_leaves_the_store_as_it_was(
    bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_to_write(tmp_path / "r.sqlite")
    import_records(store, [Found("x", raw(study(1, title="Before")))])
    before = contents(store)
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def watched(*given: Any, **named: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*given, **named))
        return started[-1]

    monkeypatch.setattr("subprocess.Popen", watched)

    def deadly() -> Iterator[Found | Problem]:
        for number, one in enumerate(records()):
            if number == 100:
                started[0].kill()
            yield one

    with pytest.raises(OnstudyError, match="helper process of the import ended early"):
        import_records(store, deadly(), helpers=2)
    assert contents(store) == before
    assert all(process.poll() is not None for process in started)


def test_helpers_end_with_the_import_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from onstudy.registry import beside;"
        "helpers = [beside._Helper() for _ in range(2)];"
        "print(*[one._process.pid for one in helpers], flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    pids = [int(one) for one in child.stdout.readline().split()]
    assert len(pids) == 2 and all(map(alive, pids))
    child.send_signal(signal.SIGKILL)
    child.communicate()
    deadline = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_either_way_of_packing_is_unpacked() -> None:
    text = raw(study(1, summary="word " * 1000))
    assert packing.unpack(packing.pack(text)) == packing.unpack(packing.pack_of_many(text)) == text
    assert packing.unpack(packing.pack_of_many(b"")) == b""
    assert len(packing.pack_of_many(text)) < len(text) / 2


def test_a_store_keeps_what_its_places_are(bare: None) -> None:
    """Places that records share have one number, whoever met them first."""
    store = store_of(study(1, sites=[site("a", point=(1, 2)), site("a", point=(1, 2))]), study(2, sites=[site("a")]))
    assert store.db.execute("SELECT count(*) FROM place").fetchone() == (2,)
