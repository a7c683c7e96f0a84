"""What a row group of a Parquet file says has nothing in it, and what it says that could be taken for that."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.population.omop_build import write_cdm

from onstudy.population import omop_folder
from onstudy.population.omop_cdm import read_table
from onstudy.population.omop_source import open_cdm


@pytest.mark.parametrize("having", ["", "value_source_value"])
def test_a_text_so_long_that_no_bounds_are_written_of_it_is_read(tmp_path: Path, having: str) -> None:
    """Of texts beyond four kilobytes the writer says no least and no greatest, as of a column without anything."""
    folder, written = write_cdm(tmp_path / "cdm"), [None, "positive " * 600, None]
    table = pa.table({"person_id": [1, 1, 1], "value_source_value": pa.array(written, pa.string())})
    pq.write_table(table, folder / "measurement.parquet")
    said = pq.read_metadata(folder / "measurement.parquet").row_group(0).column(1).statistics
    assert (said.has_min_max, said.null_count) == (False, 2)
    with open_cdm(folder) as cdm:
        batches = list(read_table(cdm, "measurement", ["value_source_value"], having=having))
    assert [value for batch in batches for value in batch.column(0).to_pylist()] == written


@pytest.mark.parametrize(
    ("bounds", "nulls", "empty"),
    [
        (False, 6, True),
        (True, 6, False),  # three of six rows, counted for each of two pages
        (False, 3, False),
        (False, 12, False),
        (False, None, False),
    ],
)
def test_a_column_is_empty_where_all_that_is_said_of_it_says_so(bounds: bool, nulls: int | None, empty: bool) -> None:
    assert omop_folder._empty_in(group_of(("person_id", True, 0), ("range_low", bounds, nulls))) == (
        {"range_low"} if empty else set()
    )


def test_no_column_is_empty_where_nothing_is_said_of_bounds() -> None:
    assert omop_folder._empty_in(group_of(("person_id", False, 0), ("range_low", False, 6))) == set()


def group_of(*columns: tuple[str, bool, int | None]) -> Any:
    """What a row group of six rows says: the name of each column, whether it has bounds, and how many nulls."""
    held = [
        SimpleNamespace(
            path_in_schema=name,
            is_stats_set=True,
            statistics=SimpleNamespace(has_null_count=nulls is not None, null_count=nulls, has_min_max=bounds),
        )
        for name, bounds, nulls in columns
    ]
    return SimpleNamespace(num_rows=6, num_columns=len(held), column=held.__getitem__)
