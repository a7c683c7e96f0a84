"""Apache Spark does the same work: the same files, byte for byte; a run begun elsewhere is finished there."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.population.prescreening import USUAL, question_of, store_of, vignettes
from tests.trials.flagship import FLAGSHIP, trial

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
