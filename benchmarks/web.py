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
#: What people look at, each as often as it stands here; "#" is a number that differs each time, as do WORDS and ZIP.
MIXED = [
    "/", "/trials?q=WORDS&age=67&zip=ZIP", "/trials?q=WORDS&phase=PHASE2&phase=PHASE3", "/trials?q=ALL&sex=female",
    "/trials?q=WORDS&zip=ZIP&within=50&open=1", "/trials?q=WORDS&page=3", "/trials?intervention=pembrolizumab",
    FLAGSHIP, f"{FLAGSHIP}?zip=ZIP", f"{FLAGSHIP}?state=Nevada", "/trials/NCT9#", "/trials/NCT9#",
    "/trials/NCT9#?zip=ZIP", "/trials/NCT9#", "/about",
]  # fmt: skip
WORDS = (
    "leukemia", "lung cancer", "diabetes", "breast cancer", "asthma", "depression", "hiv", "stroke", "heart failure",
    "melanoma", "obesity", "lymphoma", "copd", "migraine", "epilepsy", "psoriasis", "arthritis", "hepatitis", "malaria",
    "anemia", "sepsis", "pain", "glioma", "ovarian cancer", "prostate cancer", "covid-19", "schizophrenia", "dementia",
    "hypertension", "sickle cell", "pancreatic cancer", "lupus", "multiple sclerosis", "kidney disease", "autism",
    "cystic fibrosis", "crohn disease", "insomnia", "influenza", "blinatumomab", "tuberculosis",
)  # fmt: skip
#: One of so many ZIP codes is asked from: 301 in all.
_ZIP_STEP = 100


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
            return asyncio.run(_measure(int(said[1]), server.pid))
        finally:
            server.terminate()
            server.wait(10)


async def _measure(port: int, server: int) -> list[str]:
    for path in dict.fromkeys(_paths(len(MIXED))):
        await _times(port, [path] * 2)
    lines = [f"pages of a site with {TRIALS} trials, one after the other, p50 in ms:"]
    shown = {
        "floor: /health": ["/health"],
        "the flagship, 274 sites, 209 listed (bar 30)": [
            f"{FLAGSHIP}?zip={code}" for code in ("35294", "60601", "10065")
        ],
        "the same, all sites": [f"{FLAGSHIP}?zip=35294&sites=all"],
        "a search with facets and distance": [path for path in _paths(300) if "zip=" in path and "?q=" in path],
        "the start page": ["/"],
    }
    for name, paths in shown.items():
        lines.append(f"  {name:<48} {median(await _times(port, list(islice(cycle(paths), 60)))) * 1000:8.1f}")
    for name, paths in (("floor: /health", ["/health"]), ("mixed pages (bar 200, p99 under 200)", _paths(4000))):
        lines.append(f"{name}, {CONNECTIONS} connections: {await _load(port, paths, server)}")
    return lines


def _paths(count: int) -> list[str]:
    """What is asked, one after the other; the words and places of one kind of search differ each time."""
    import zipcodes

    places: list[dict[str, str]] = zipcodes.list_all()  # type: ignore[no-untyped-call]
    codes = [one["zip_code"] for one in places if one["zip_code_type"] == "STANDARD"][::_ZIP_STEP]
    found = []
    for number, path in enumerate(islice(cycle(MIXED), count)):
        turn = number // len(MIXED) + number
        words, code = WORDS[turn % len(WORDS)].replace(" ", "+"), codes[turn % len(codes)]
        found.append(path.replace("#", f"{number % 5000:07d}").replace("WORDS", words).replace("ZIP", code))
    return found


def _worked(server: int) -> float:
    """Seconds of processor the server and its processes have used; not known (0) where there is no /proc."""
    children = Path(f"/proc/{server}/task/{server}/children")
    if not children.exists():
        return 0.0
    stats = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in children.read_text().split()]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


async def _load(port: int, paths: list[str], server: int) -> str:
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

    start, before, own = time.perf_counter(), _worked(server), time.process_time()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    rate = len(times) / (time.perf_counter() - start)
    cpu = (_worked(server) - before) / len(times) * 1000
    asking = (time.process_time() - own) / len(times) * 1000
    cuts = statistics.quantiles(times, n=100)
    failed = f", {wrong.total()} not answered as they should: {dict(wrong)}" if wrong else ""
    waited = f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"
    return f"{rate:.0f} a second, {waited}; ms of CPU each: {cpu:.1f} to answer, {asking:.1f} to ask{failed}"


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
