"""The same work on Apache Spark: each task is a shard, done by the same vector engine, and comes back through Arrow.

Executors read the store and need this package; the driver keeps the parts and writes the files, as on one machine.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.functions import explode
from pyspark.sql.pandas.functions import arrow_udf

from onstudy.population.prescreen_parts import Parts
from onstudy.population.prescreen_work import Runner, Task, Work, Worker

#: What a task comes to: its parts, each with shard and key. Through Arrow, without pandas.
_SCHEMA = "array<struct<shard: int, key: string, data: binary>>"
_FIELDS = ("shard", "key", "data")
_ARROW = pa.list_(pa.struct(list(zip(_FIELDS, (pa.int32(), pa.string(), pa.binary()), strict=True))))
_MOST_JOBS = 256
#: What a session made here is told: no page for a browser, nothing listens beyond this machine.
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
}


@contextmanager
def session(master: str, python: str) -> Iterator[SparkSession]:
    """A session: one that is running already, which stays, or one made for this run.

    `python` is the interpreter of local workers; a cluster's is a matter of its own set-up.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    builder = SparkSession.builder.master(master).appName("onstudy prescreen")
    if master.startswith("local"):
        for name, value in _SETTINGS.items():
            builder = builder.config(name, value)
    made = builder.getOrCreate()
    try:
        if master.startswith("local"):
            made.sparkContext.pythonExec = python
        made.sparkContext.setLogLevel("ERROR")
        yield made
    finally:
        made.stop()


def on_spark(spark: SparkSession) -> Runner:
    """A runner that gives each shard to a task of Spark, as many at once as the cluster has cores.

    A job for each shard keeps no more on the driver than what is being saved, and tells of each as it is done.
    """

    def run(work: Work, tasks: Sequence[Task], parts: Parts) -> Iterator[None]:
        # What kind of function it is, Spark reads off its hints; its own stubs know only the other way of telling.
        asked = arrow_udf(_on_executor(pickle.dumps((work, tuple(tasks)))), _SCHEMA)  # type: ignore[call-overload]

        def do(number: int) -> None:
            numbers = spark.range(number, number + 1, 1, 1)
            for row in numbers.select(explode(asked("id")).alias("part")).select("part.*").collect():
                parts.save(row.shard, row.key, bytes(row.data))

        at_once = max(1, min(spark.sparkContext.defaultParallelism, len(tasks), _MOST_JOBS))
        pool = ThreadPoolExecutor(at_once)
        try:
            for done in as_completed([pool.submit(do, number) for number in range(len(tasks))]):
                done.result()
                yield
        finally:
            pool.shutdown(cancel_futures=True)

    return run


def _on_executor(payload: bytes) -> Callable[[Iterator[pa.Array]], Iterator[pa.Array]]:
    """What an executor does with the numbers of its tasks."""

    def do(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        worker, tasks = _begun(payload)
        for batch in batches:
            found = [list(worker.do(tasks[number])) for number in batch.to_pylist()]
            yield pa.array([[dict(zip(_FIELDS, kept, strict=True)) for kept in some] for some in found], _ARROW)

    return do


_workers: dict[str, tuple[Worker, Sequence[Task]]] = {}


def _begun(payload: bytes) -> tuple[Worker, Sequence[Task]]:
    """The worker of a run; a process that is used again need not begin again."""
    key = hashlib.sha256(payload).hexdigest()
    if key not in _workers:
        work, tasks = pickle.loads(payload)
        _workers.clear()
        _workers[key] = Worker(work), tasks
    return _workers[key]
