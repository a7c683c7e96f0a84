"""The registry: taking in 30,000 trials, and searching them with facets and distance.

Real records multiplied under changed ids: those of the shared folder (about 37 sites each) where it is, else those that
ship. Floors of the same run: decoding the same file as JSON; a bare ranked question to the full-text index.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import alternately, median

if TYPE_CHECKING:
    from onstudy.registry.search import Query
    from onstudy.registry.store import Store

TRIALS = int(os.environ.get("ONSTUDY_BENCH_TRIALS", "30000"))
SHARED = Path(os.environ.get("ONSTUDY_SHARED", Path(__file__).parents[2] / "shared"))
TODAY = date(2026, 5, 20)
NCT = re.compile(rb'"nctId": ?"(NCT\d{8})"')
#: What people ask: words, and what else.
ASKED: list[dict[str, object]] = [
    {"words": "leukemia"},
    {"words": "acute lymphoblastic leukemia", "age": 65},
    {"words": "ALL", "sex": "FEMALE"},
    {"words": "breast cancer", "facets": {"status": ("RECRUITING",)}},
    {"words": "lung cancer", "facets": {"phase": ("PHASE2", "PHASE3")}},
    {"words": "diabetes", "age": 70},
    {"words": "blinatumomab"},
    {"words": "Besponsa"},
    {"words": "depression", "facets": {"type": ("INTERVENTIONAL",)}},
    {"words": "car t cell therapy", "open_only": True},
    {"condition": "lymphoma", "facets": {"country": ("United States",)}},
    {"intervention": "pembrolizumab"},
]
ZIPS = ("20892", "60601", "77030", "94143", "10065")


def run() -> list[str]:
    """The lines of the report."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trials.jsonl"
        multiply(file)
        return [*_import(file, Path(folder) / "registry.sqlite"), *_search(Path(folder) / "registry.sqlite")]


def _records() -> list[bytes]:
    source = SHARED / "data/ctgov_v2/studies.jsonl.gz"
    if not source.is_file():
        from onstudy.registry.shipped import TRIALS as source
    with gzip.open(source, "rb") as lines:
        return [line.strip() for line in lines]


def multiply(file: Path) -> None:
    """Write TRIALS records as JSON lines."""
    with file.open("wb") as out:
        for number, record in enumerate(islice(cycle(_records()), TRIALS)):
            found = NCT.search(record)
            assert found is not None
            out.write(record.replace(found[1], b"NCT%08d" % (90_000_000 + number)) + b"\n")


def _import(file: Path, target: Path) -> list[str]:
    from onstudy.registry.importing import import_paths
    from onstudy.registry.store import open_to_write

    store = open_to_write(target)

    def take_in() -> None:
        report = import_paths(store, [file])
        assert report.read == TRIALS and not report.skipped_by_reason

    floor = _worked(lambda: _decode(file))
    shown = {
        "floor: json.loads of the same file": floor,
        "into a new registry (bar 2000)": _worked(take_in),
        "the same again, nothing changed": _worked(take_in),
    }
    store.close()
    return [
        f"importing {TRIALS} trials ({file.stat().st_size / 1e6:.0f} MB of JSON lines): a second; ms of CPU for each:",
        *(
            f"  {name:<40} {TRIALS / seconds:8.0f} {cpu / TRIALS * 1000:8.2f}   {floor[0] / seconds:.2f} x floor"
            for name, (seconds, cpu) in shown.items()
        ),
        f"  size of the registry: {target.stat().st_size / 1e6:.0f} MB",
    ]


def _decode(file: Path) -> None:
    with file.open("rb") as lines:
        for line in lines:
            json.loads(line)


def _worked(does: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of CPU in this process and those that it waited for."""
    start, before = time.perf_counter(), sum(os.times()[:4])
    does()
    return time.perf_counter() - start, sum(os.times()[:4]) - before


def _search(target: Path) -> list[str]:
    from onstudy.registry.geography import zip_origin
    from onstudy.registry.search import Query
    from onstudy.registry.store import open_to_read

    start = time.perf_counter()
    zip_origin(ZIPS[0])
    first_zip = time.perf_counter() - start
    store = open_to_read(target)
    lines = [f"searching {TRIALS} trials, a page of 20 with all facets' counts, ms (p50, p95):"]
    bare = alternately({"fts": lambda: _bare(store)}, 15)["fts"]
    lines.append(f"  floor: `SELECT ... MATCH 'leukemia' ORDER BY bm25 LIMIT 20` {median(bare) * 1000:8.1f}")
    kinds = {
        "words and filters": [Query(**asked) for asked in ASKED],  # type: ignore[arg-type]
        "and within 50 miles of a ZIP code (bar 20)": list(_near(50.0)),
        "and by distance, however far (bar 20)": list(_near(None)),
    }
    for name, queries in kinds.items():
        _timed(store, queries[0])  # not counted
        lines.append(_line(name, [_timed(store, query) for query in queries]))
    for name, queries in kinds.items():
        first = []
        for query in queries[:12]:
            fresh = open_to_read(target)
            first.append(_timed(fresh, query))
            fresh.close()
        lines.append(_line(f"the same with a registry just opened: {name.partition(' (')[0]}", first))
    lines.append(f"  once a process: unpacking the ZIP codes {first_zip * 1000:.0f} ms")
    store.close()
    return lines


def _line(name: str, times: list[float]) -> str:
    cuts = statistics.quantiles(times, n=20)
    return f"  {name:<72} {statistics.median(times):8.1f} {cuts[18]:8.1f}   of {len(times)}"


def _timed(store: Store, query: Query) -> float:
    from onstudy.registry.search import search

    start = time.perf_counter()
    search(store, query, TODAY)
    return (time.perf_counter() - start) * 1000


def _near(within: float | None) -> Iterator[Query]:
    from onstudy.registry.geography import zip_origin
    from onstudy.registry.search import Query

    for code in ZIPS:
        for asked in ASKED:
            yield Query(**asked, origin=zip_origin(code), within=within)  # type: ignore[arg-type]


def _bare(store: Store) -> object:
    return store.db.execute(
        "SELECT rowid FROM words WHERE words MATCH 'leukemia' ORDER BY bm25(words) LIMIT 20"
    ).fetchall()


if __name__ == "__main__":
    print("\n".join(run()))
