"""The web site: a trial's page at 274 sites, and mixed pages under load, served by the command itself.

Real records multiplied under changed ids, as in `benchmarks.registry`. The floor of the same run is the health
endpoint: the same server and guards with next to nothing to say.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

from benchmarks.measure import median
from benchmarks.registry import TRIALS, multiply

SECONDS = float(os.environ.get("ONSTUDY_BENCH_SECONDS", "10"))
#: Connections at once, as many browsers.
CONNECTIONS = 16
FLAGSHIP = "/trials/NCT03739814"
#: What people look at, each as often as it stands here; "#" is a number that differs from time to time.
MIXED = [
    "/", "/trials?q=leukemia&age=67&zip=35294", "/trials?q=lung+cancer&phase=PHASE2&phase=PHASE3",
    "/trials?q=ALL&sex=female", "/trials?q=diabetes&zip=10065&within=50&open=1", "/trials?q=breast+cancer&page=3",
    "/trials?intervention=pembrolizumab", FLAGSHIP, f"{FLAGSHIP}?zip=35294", f"{FLAGSHIP}?state=Nevada",
    "/trials/NCT9#", "/trials/NCT9#", "/trials/NCT9#?zip=60601", "/trials/NCT9#", "/about",
]  # fmt: skip


def run() -> list[str]:
    """The lines of the report."""
    from onstudy.registry.importing import import_paths
    from onstudy.registry.store import open_to_write

    with tempfile.TemporaryDirectory() as folder:
        file, registry = Path(folder) / "trials.jsonl", Path(folder) / "registry.sqlite"
        multiply(file)
        store = open_to_write(registry)
        import_paths(store, [file])
        store.close()
        command = [
            sys.executable,
            "-m",
            "onstudy.faces.cli",
            "serve",
            "--port",
            "0",
            "--workers",
            "2",
            "--registry",
            str(registry),
        ]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert server.stdout is not None
            said = re.search(r":(\d+)/", server.stdout.readline())
            assert said is not None, "the server did not start"
            return asyncio.run(_measure(int(said[1])))
        finally:
            server.terminate()
            server.wait(10)


async def _measure(port: int) -> list[str]:
    for path in dict.fromkeys(_paths(len(MIXED))):
        await _times(port, [path] * 2)
    lines = [f"pages of a site with {TRIALS} trials, one after the other, p50 in ms:"]
    shown = {
        "floor: /health": ["/health"],
        "the flagship, 274 sites, 209 listed (bar 30)": [
            f"{FLAGSHIP}?zip={code}" for code in ("35294", "60601", "10065")
        ],
        "the same, all sites": [f"{FLAGSHIP}?zip=35294&sites=all"],
        "a search with facets and distance": [path for path in MIXED if "zip=" in path and "?q=" in path],
        "the start page": ["/"],
    }
    for name, paths in shown.items():
        lines.append(f"  {name:<48} {median(await _times(port, list(islice(cycle(paths), 60)))) * 1000:8.1f}")
    for name, paths in (("floor: /health", ["/health"]), ("mixed pages (bar 200, p99 under 200)", _paths(4000))):
        lines.append(f"{name}, {CONNECTIONS} connections: {await _load(port, paths)}")
    return lines


def _paths(count: int) -> list[str]:
    return [path.replace("#", f"{number % 5000:07d}") for number, path in enumerate(islice(cycle(MIXED), count))]


async def _load(port: int, paths: list[str]) -> str:
    """Ask for as many pages as can be had in the time."""
    waiting = cycle(paths)
    until = time.perf_counter() + SECONDS
    times: list[float] = []
    wrong: Counter[int] = Counter()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            start = time.perf_counter()
            status = await _ask(reader, writer, next(waiting))
            times.append(time.perf_counter() - start)
            if status != 200:
                wrong[status] += 1
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    rate = len(times) / (time.perf_counter() - start)
    cuts = statistics.quantiles(times, n=100)
    failed = f", {wrong.total()} not answered as they should: {dict(wrong)}" if wrong else ""
    return f"{rate:.0f} a second, p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms{failed}"


async def _times(port: int, paths: list[str]) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    for path in paths:
        start = time.perf_counter()
        await _ask(reader, writer, path)
        found.append(time.perf_counter() - start)
    writer.close()
    return found


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> int:
    """One request on a connection that stays open; its status."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length is not None
    await reader.readexactly(int(length[1]))
    return int(head[9:12])


if __name__ == "__main__":
    print("\n".join(run()))
