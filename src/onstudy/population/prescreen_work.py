"""The work on one shard, as a process of its own does it: on this machine, or wherever else the store can be read."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

import pyarrow as pa

from onstudy.errors import OnstudyError
from onstudy.population.prescreen_engine import ByVector
from onstudy.population.prescreen_last import patient_ids
from onstudy.population.prescreen_parts import Parts, digest, to_bytes
from onstudy.population.prescreen_question import Question, program
from onstudy.population.prescreen_shard import Plan, answer
from onstudy.population.spark_lake import open_store
from onstudy.record.catalogue import load_catalogue
from onstudy.record.shard import Shard


@dataclass(frozen=True)
class Task:
    """A shard (its place in the store), and what it lacks: the trials (their places in the question) and the keys under
    which their parts are kept; the key of the list of its patients, or "".
    """

    shard: int
    trials: tuple[int, ...]
    keys: tuple[str, ...]
    people: str = ""


@dataclass(frozen=True)
class Work:
    """What every process needs to know: where the store is, and what is asked."""

    store: str
    question: Question
    program: str


#: A part ready to be kept: shard, key, bytes.
Kept = tuple[int, str, bytes]
#: Does tasks and keeps what they come to; yields after each shard.
Runner = Callable[[Work, Sequence[Task], Parts], Iterator[None]]


class Worker:
    """One process at work: the store opened, the plan made, once for all of its shards."""

    def __init__(self, work: Work) -> None:
        if work.program != program():
            raise OnstudyError("a process that works on a shard runs another version of onstudy than this one")
        self.question = work.question
        self.catalogue = load_catalogue()
        self.store = open_store(work.store)
        self.plan = Plan.of(work.question, self.catalogue)

    def do(self, task: Task) -> Iterator[Kept]:
        """The parts a shard lacks."""
        shard = self.store.read(task.shard)
        if task.people:
            yield task.shard, task.people, people_bytes(shard)
        trials = [self.question.trials[place] for place in task.trials]
        if trials:
            engine = ByVector(shard, self.question, self.catalogue)
            parts = answer(shard, engine, self.plan, trials)
            for key, part in zip(task.keys, parts, strict=True):
                yield task.shard, key, to_bytes(part)


# The patients of a shard --------------------------------------------------------------------------------------------


def people_key(shard: str) -> str:
    """The key under which the list of a shard's patients is kept."""
    return digest("people", 1, shard)


def people_bytes(shard: Shard) -> bytes:
    """The ids of a shard's patients, in its order."""
    table = pa.table({"patient": patient_ids(shard)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def people_of(data: bytes) -> pa.StringArray:
    """The ids that `people_bytes` wrote."""
    return pa.ipc.open_stream(data).read_all().column("patient").combine_chunks()


# On this machine ----------------------------------------------------------------------------------------------------


def local(workers: int) -> Runner:
    """A runner of so many processes on this machine; one is this process itself."""

    def run(work: Work, tasks: Sequence[Task], parts: Parts) -> Iterator[None]:
        if workers < 2 or len(tasks) < 2:
            worker = Worker(work)
            for task in tasks:
                for kept in worker.do(task):
                    parts.save(*kept)
                yield
            return
        context = get_context("spawn")  # no thread of a library is left half-way in a copy of this process
        pool = ProcessPoolExecutor(min(workers, len(tasks)), context, _begin, (work, str(parts.folder.parent)))
        try:
            for future in as_completed([pool.submit(_do, task) for task in tasks]):
                future.result()
                yield
        finally:
            pool.shutdown(cancel_futures=True)

    return run


_worker: tuple[Worker, Parts] | None = None


def _begin(work: Work, out: str) -> None:
    """A process begins: it is interrupted by its parent alone, and ends when that is gone, however it went."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(work), Parts(Path(out))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "a process of the pool has a parent"
    connection.wait([parent.sentinel])
    os._exit(1)


def _do(task: Task) -> None:
    assert _worker is not None, "the process was begun"
    worker, parts = _worker
    for kept in worker.do(task):
        parts.save(*kept)
