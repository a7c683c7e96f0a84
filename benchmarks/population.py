"""What the benchmarks of populations share: where their data lie, sides that run in processes of their own, memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.measure import median

PEOPLE = int(os.environ.get("ONSTUDY_BENCH_PATIENTS", "1000000"))
ROUNDS = int(os.environ.get("ONSTUDY_BENCH_ROUNDS", "5"))
FOLDER = Path(os.environ.get("ONSTUDY_BENCH_FOLDER", str(Path(tempfile.gettempdir()) / "onstudy-bench")))
CORES = 2


def made(name: str, make: Callable[[Path], object]) -> Path:
    """A folder or file of the benchmarks, made once and kept for the next time."""
    path = FOLDER / name
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        beside = FOLDER / f".{name}.making"
        shutil.rmtree(beside, ignore_errors=True)
        make(beside)
        os.replace(beside, path)
    return path


def onstudy(*arguments: str) -> None:
    """Run a command of ours; what it says is only shown where it fails."""
    command = [sys.executable, "-m", "onstudy.faces.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


# Sides ------------------------------------------------------------------------------------------------------------


class Side:
    """A way to answer, kept warm in a process of its own, so that its memory is its own too."""

    def __init__(self, begin: Callable[..., Callable[[], Any]], *arguments: Any) -> None:
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, begin, arguments))
        self.process.start()

    def run(self) -> tuple[float, Any]:
        """Answer once: seconds, and what the answer says of itself."""
        self._tell("run")
        seconds, said = self._told()
        return float(seconds), said

    def close(self) -> int:
        """End; the most memory in MiB that the process, or one of its children, ever held."""
        self._tell("end")
        peak = self._told()
        self.process.join()
        return int(peak)

    def _tell(self, what: str) -> None:
        with suppress(BrokenPipeError):  # the process ended; it has said why
            self.pipe.send(what)

    def _told(self) -> Any:
        told = self.pipe.recv()
        if isinstance(told, Exception):
            raise told
        return told


def _serve(pipe: Connection, begin: Callable[..., Callable[[], Any]], arguments: Sequence[Any]) -> None:
    try:
        work = begin(*arguments)
        while pipe.recv() == "run":
            start = time.perf_counter()
            said = work()
            pipe.send((time.perf_counter() - start, said))
        pipe.send(max(peak(), work.close() if isinstance(work, Statuses) else 0))
    except Exception as error:  # noqa: BLE001  told to whoever asked
        pipe.send(error)


def peak() -> int:
    """The most memory, in MiB, that this process ever held."""
    with open("/proc/self/status", encoding="ascii") as file:  # `getrusage` counts what its parent held, too
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmHWM"].split()[0]) // 1024


def in_turn(sides: dict[str, Side], rounds: int) -> dict[str, list[float]]:
    """Seconds of each side, in turn, after one run that is not counted."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for counted in range(-1, rounds):
        for name, side in sides.items():
            seconds, _ = side.run()
            if counted >= 0:
                found[name].append(seconds)
    return found


def shown(found: dict[str, list[float]], first: str) -> list[str]:
    """Medians, and how many times as long as the first each took."""
    base = median(found[first])
    return [f"  {name:<52}{median(times):9.2f} s  {median(times) / base:6.1f} x" for name, times in found.items()]


# Ours -------------------------------------------------------------------------------------------------------------


@dataclass
class Statuses:
    """Every status and verdict of everybody, both answers, from the store into one Parquet file, by two processes."""

    store: str
    trials: Sequence[str]
    on: date
    out: str

    def __post_init__(self) -> None:
        from onstudy.population.store import Store

        context = get_context("spawn")
        self.pool = ProcessPoolExecutor(CORES, context, _begin, (self.store, self.trials, self.on))
        self.places = range(len(Store.open(self.store).shards))
        self.columns: list[str] | None = None
        list(self.pool.map(_nothing, range(4 * CORES)))

    def __call__(self) -> int:
        """How many patients were answered."""
        from onstudy.population.prescreen_pages import Block, CodesFile

        answered = 0
        with open(self.out, "wb") as file:
            written: CodesFile | None = None
            for patients, blocks in self.pool.map(_statuses, self.places):
                written = written or CodesFile(file, list(dict.fromkeys(n for _, p in blocks for n in p)), {})
                written.add(patients, [Block(trial, pages) for trial, pages in blocks])
                answered += len(patients)
            assert written is not None, "there are shards"
            written.close()
        return answered

    def close(self) -> int:
        """End the processes; the most memory one of them held, in MiB."""
        most = max(self.pool.map(_peak, range(4 * CORES)))
        self.pool.shutdown()
        return most


def begin_statuses(*arguments: Any) -> Statuses:
    """A side that answers with the vector engine."""
    return Statuses(*arguments)


_ready: dict[str, Any] = {}


def _begin(store: str, names: Sequence[str], on: date) -> None:
    from onstudy.language.library import load_trials
    from onstudy.population.prescreen_question import question
    from onstudy.population.store import Store
    from onstudy.record.catalogue import load_catalogue

    catalogue = load_catalogue()
    trials = [trial for name in names for trial in load_trials(name, catalogue)]
    _ready.update(store=Store.open(store), catalogue=catalogue, question=question(trials, on, {}, (), catalogue))


def _nothing(_: int) -> None:
    time.sleep(0.05)


def _peak(_: int) -> int:
    time.sleep(0.05)
    return peak()


def _statuses(place: int) -> tuple[Any, list[tuple[str, Any]]]:
    from onstudy.population.prescreen_engine import ByVector
    from onstudy.population.prescreen_last import patient_ids
    from onstudy.population.prescreen_shard import statuses_alone

    shard, question = _ready["store"].read(place), _ready["question"]
    pages = statuses_alone(shard, ByVector(shard, question, _ready["catalogue"]), question.trials)
    return patient_ids(shard), [(t.id, p) for t, p in zip(question.trials, pages, strict=True)]
