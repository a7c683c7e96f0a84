"""The same work on Apache Spark: each task is a shard, done by the same vector engine, and comes back through Arrow.

Executors read the store and need this package; the driver keeps the parts and writes the files, as on one machine.
"""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

import pyarrow as pa
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession
from pyspark.sql.functions import explode
from pyspark.sql.pandas.functions import arrow_udf

from onstudy.errors import OnstudyError
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
#: How an error of ours that was raised on an executor stands in what Spark says of it.
_OURS = re.compile(r"^onstudy\.errors\.\w+: (.+)$", re.MULTILINE)


@contextmanager
def session(master: str, python: str) -> Iterator[SparkSession]:
    """A session: one that is running already, which stays, or one made for this run.

    `python` is the interpreter of local workers; a cluster's is a matter of its own set-up. Raises `OnstudyError`
    where a session made here cannot be started or ends on its own.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    builder = SparkSession.builder.master(master).appName("onstudy prescreen")
    if master.startswith("local"):
        for name, value in _SETTINGS.items():
            builder = builder.config(name, value)
    with _java(master):
        made = builder.getOrCreate()
        try:
            if master.startswith("local"):
                made.sparkContext.pythonExec = python
            yield made
        finally:
            made.stop()


@contextmanager
def _java(master: str) -> Iterator[None]:
    """Java, whose log goes to a file: named and kept where Spark fails, else removed. A Java that runs is used."""
    number, name = mkstemp(prefix="onstudy-spark-", suffix=".log")
    failed = False
    try:
        with open(number, "w", encoding="utf-8") as log:
            if SparkContext._gateway is None:
                gateway = launch_gateway(None, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]
                SparkContext._ensure_initialized(gateway=gateway)
            yield
    except (Py4JError, PySparkException) as error:
        failed = True
        with open(name, "a", encoding="utf-8") as log:
            log.write(f"{error}\n")
        ours = _OURS.search(str(error))
        what = ours[1] if ours else "cannot be reached, or ended; check --master, that it runs, and Java (17 or newer)"
        raise OnstudyError(f"Apache Spark at {master}: {what}; its log is {name}") from None
    finally:
        if not failed:
            Path(name).unlink()


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
