"""Apache Spark does the same work: the same files, byte for byte; a run begun elsewhere is finished there."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.population.prescreening import USUAL, question_of, store_of, vignettes
from tests.trials.flagship import FLAGSHIP, ON, trial

from onstudy.errors import OnstudyError
from onstudy.population.prescreen import prescreen
from onstudy.population.prescreen_parts import Parts
from onstudy.population.prescreen_work import Task, Work, local
from onstudy.record.catalogue import load_catalogue

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("spark"), pytest.mark.filterwarnings("default")]

CATALOGUE = load_catalogue()


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One session for the whole run of the tests."""
    from onstudy.population.spark import session

    with session("local[2]", sys.executable) as made:
        logging.getLogger("py4j").setLevel(logging.ERROR)
        yield made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_of(vignettes()[USUAL][::20], tmp_path_factory.mktemp("store") / "store", shards=4)


@pytest.fixture(scope="module")
def result(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("result") / "out"
    prescreen(question_of(USUAL, trial(), trial("NCT06480136")), store, out, CATALOGUE)
    return out


def files_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def test_spark_writes_the_same_bytes(spark: SparkSession, store: Path, result: Path, tmp_path: Path) -> None:
    from onstudy.population.spark import on_spark

    asked = question_of(USUAL, trial(), trial("NCT06480136"))
    told: list[tuple[int, int]] = []
    out = tmp_path / "out"
    prescreen(
        asked, store, out, CATALOGUE, runner=on_spark(spark), progress=lambda done, total: told.append((done, total))
    )
    assert files_of(out) == files_of(result)
    assert told == [(done, 4) for done in range(5)]


def test_a_run_begun_on_one_machine_is_finished_on_spark(
    spark: SparkSession, store: Path, result: Path, tmp_path: Path
) -> None:
    from onstudy.population.spark import on_spark

    asked = question_of(USUAL, trial(), trial("NCT06480136"))

    def begin(work: Work, tasks: Sequence[Task], parts: Parts) -> Iterator[None]:
        yield from local(1)(work, tasks[:2], parts)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prescreen(asked, store, tmp_path / "out", CATALOGUE, runner=begin)
    prescreen(asked, store, tmp_path / "out", CATALOGUE, runner=on_spark(spark))
    assert files_of(tmp_path / "out") == files_of(result)


def test_a_session_that_runs_is_used_and_left_running(spark: SparkSession) -> None:
    from onstudy.population.spark import session

    with session("local[7]", sys.executable) as used:
        assert used.sparkContext.applicationId == spark.sparkContext.applicationId
    assert spark.range(3).count() == 3


def test_another_reader_of_parquet_reads_the_statuses(spark: SparkSession, result: Path) -> None:
    table = spark.read.parquet(str(result / "criteria.parquet"))
    flagship = table.where(table.trial == FLAGSHIP)
    assert table.count() == 2 * flagship.count()
    assert dict(table.dtypes)["verdict.C1"] == "tinyint"
    assert flagship.where("`verdict.C1` = 3 and `S1-33` = 0").count() == 0


# What Java says ---------------------------------------------------------------------------------------------------


def test_a_master_that_is_not_there_is_one_line_and_java_is_heard_in_its_log(store: Path, tmp_path: Path) -> None:
    """A master whose address is none is refused at once; one that does not answer, after a minute."""
    (tmp_path / "tmp").mkdir()
    asked = [FLAGSHIP, "--store", str(store), "--on", ON.isoformat(), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "onstudy.faces.cli", "prescreen", *asked, "--engine", "spark"]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    done = subprocess.run(
        [*command, "--master", "spark:/nowhere:7077"], env=environment, capture_output=True, text=True, check=False
    )
    (log,) = (tmp_path / "tmp").glob("onstudy-spark-*.log")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "onstudy: Apache Spark at spark:/nowhere:7077: cannot be reached, or ended; check --master, that it runs, and "
        f"Java (17 or newer); its log is {log}\n"
    )
    assert "\tat org.apache.spark" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_with_a_shard_is_told_as_on_one_machine(
    spark: SparkSession, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every shard is cut off: the executor's own line is told, without what Java adds to it."""
    from onstudy.population.spark import _java, on_spark

    shutil.copytree(store, tmp_path / "store")
    for path in (tmp_path / "store" / "shards").glob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-100])
    asked = question_of(USUAL, trial())
    with pytest.raises(OnstudyError) as here:
        prescreen(asked, tmp_path / "store", tmp_path / "here", CATALOGUE)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OnstudyError) as there, _java("local[2]"):
        prescreen(asked, tmp_path / "store", tmp_path / "there", CATALOGUE, runner=on_spark(spark))
    (log,) = tmp_path.glob("onstudy-spark-*.log")
    words = str(here.value).partition(".parquet")[2]
    assert str(there.value).startswith("Apache Spark at local[2]: ")
    assert str(there.value).endswith(f"{words}; its log is {log}")


def test_the_log_of_a_run_that_ends_well_is_removed(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onstudy.population.spark import _java

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with _java("local[2]"):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
