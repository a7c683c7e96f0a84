"""Prescreening at size: the whole flagship of a million patients and of ten, a hundred trials, and being killed.

The patients are those of `onstudy generate patients`. ONSTUDY_BENCH_PATIENTS sets how many, ONSTUDY_BENCH_FOLDER
where stores are kept between runs.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks.measure import median
from benchmarks.population import CORES, FOLDER, PEOPLE, ROUNDS, Side, begin_statuses, made, onstudy

ON = date(2026, 3, 16)
FLAGSHIP = "NCT03739814"
#: How many times a prescreening is killed, and how many patients it is of.
KILLS, KILLED_PEOPLE = 20, 20_000
TRIALS = 100
_NUMBER = re.compile(r"(?<=[<>=] )\d+(\.\d+)?")


def run() -> list[str]:
    """The lines of the report."""
    store = _store(PEOPLE)
    lines = [f"the whole flagship, {PEOPLE:,} patients, {CORES} processes:"]
    lines += _statuses("verdicts and statuses, both answers, to Parquet (bar 10 s)", store, [FLAGSHIP])
    lines += _whole("all files: candidates, earliest days, report (bar 60 s more)", store, [FLAGSHIP])
    lines += _hundred(store)
    if os.environ.get("ONSTUDY_BENCH_TEN"):
        lines += _statuses("ten times as many patients, in the same memory", _store(10 * PEOPLE), [FLAGSHIP], 1)
    return [*lines, *killed()]


def _store(people: int) -> Path:
    def make(path: Path) -> None:
        onstudy("generate", "patients", "--n", str(people), "--store", str(path))

    return made(f"store-{people}", make)


def _statuses(title: str, store: Path, trials: Sequence[str], rounds: int = ROUNDS) -> list[str]:
    side = Side(begin_statuses, str(store), trials, ON, str(FOLDER / "statuses.parquet"))
    times = [side.run()[0] for _ in range(rounds + 1)][1:]
    return [f"  {title:<64}{median(times):8.2f} s, {side.close()} MiB a process at most"]


def _whole(title: str, store: Path, trials: Sequence[str]) -> list[str]:
    out = FOLDER / "results"
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    process = subprocess.Popen(_command(store, trials, out), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, "the command did its work"
    seconds = time.perf_counter() - start
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    again = time.perf_counter()
    subprocess.run(_command(store, trials, out), stdout=subprocess.DEVNULL, check=True)
    return [
        f"  {title:<64}{seconds:8.2f} s, {max(used.ru_maxrss, children) // 1024} MiB a process at most",
        f"  {'the same again, nothing changed':<64}{time.perf_counter() - again:8.2f} s",
    ]


def _command(store: Path, trials: Sequence[str], out: Path) -> list[str]:
    names = [sys.executable, "-m", "onstudy.faces.cli", "prescreen", *trials, "--store", str(store), "--out", str(out)]
    return [*names, "--on", ON.isoformat(), "--workers", str(CORES)]


def _hundred(store: Path) -> list[str]:
    """A hundred trials that differ in their limits, against one."""
    folder = made(f"trials-{TRIALS}", _variants)
    several = [str(path) for path in sorted(folder.glob("*.yaml"))]
    lines = []
    seconds = []
    for title, trials in (("one trial", several[:1]), (f"{TRIALS} trials (bar 10 x)", several)):
        side = Side(begin_statuses, str(store), trials, ON, str(FOLDER / "statuses.parquet"))
        seconds.append(side.run()[0])
        lines.append(f"  {title:<64}{seconds[-1]:8.2f} s, {side.close()} MiB a process at most")
    return [*lines, f"  {'':<64}{seconds[1] / seconds[0]:8.1f} x one trial"]


def _variants(folder: Path) -> None:
    """Trial files like the flagship, each with some limits of its own: as the trials of one disease are."""
    from onstudy.language.library import shipped

    folder.mkdir(parents=True)
    text = shipped()[FLAGSHIP].read_text(encoding="utf-8")
    draw = random.Random(5)
    for number in range(TRIALS):

        def moved(found: re.Match[str]) -> str:
            return found[0] if draw.random() < 0.7 else f"{float(found[0]) + draw.randint(1, 4):g}"

        rules = re.sub(r"(?m)^( +rule: .*|  +(latest|or|and) .*)$", lambda line: _NUMBER.sub(moved, line[0]), text)
        name = f"VARIANT-{number:03}"
        (folder / f"{name}.yaml").write_text(rules.replace(f"id: {FLAGSHIP}", f"id: {name}", 1), encoding="utf-8")


# Killed -----------------------------------------------------------------------------------------------------------


def killed() -> list[str]:
    """Kill -9 at random moments of a prescreening, with all of its processes: every end result is the same."""
    store, work = _store(KILLED_PEOPLE), FOLDER / "killed"
    shutil.rmtree(work, ignore_errors=True)
    whole, out = work / "whole", work / "results"
    start = time.perf_counter()
    subprocess.run(_command(store, [FLAGSHIP], whole), stdout=subprocess.DEVNULL, check=True)
    seconds, expected = time.perf_counter() - start, _digest(whole)
    draw, hit = random.Random(11), 0
    for _ in range(KILLS):
        shutil.rmtree(out, ignore_errors=True)
        hit += _killed_after(draw.uniform(0.05, seconds), _command(store, [FLAGSHIP], out))
        subprocess.run(_command(store, [FLAGSHIP], out), stdout=subprocess.DEVNULL, check=True)
        assert _digest(out) == expected, "another result after being killed"
    return [f"  killed {KILLS} times, {hit} of them before the end, and run again: the result was the same each time"]


def _killed_after(seconds: float, command: Sequence[str]) -> bool:
    """Whether the command was still running when it was killed."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


def _digest(folder: Path) -> str:
    """All files of a result but those that only serve to go on."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    print("\n".join(run()))
