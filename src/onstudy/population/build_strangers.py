"""Rows of a shard about people of whom there is no Patient resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.build_report import STRANGER, Left
from onstudy.population.bulk_keys import alike
from onstudy.population.bulk_rows import column_of
from onstudy.population.bulk_subjects import PATIENT
from onstudy.population.bulk_walk import type_of_shape


def add_strangers(tables: Sequence[pa.Table], left: Left) -> None:
    """Count the rows that are about somebody of whom there is no Patient resource."""
    if not tables:
        return
    patients = alike([column_of(table, "patient") for table in tables])
    known = [keys.filter(pa.array(are_people(table))) for keys, table in zip(patients, tables, strict=True)]
    strange = pc.invert(pc.is_in(pa.chunked_array(patients), value_set=pa.concat_arrays(known)))
    if not pc.any(strange).as_py():
        return
    for table, some in zip(tables, _cut(strange, tables), strict=True):
        for kind, many in types_of(table.filter(some)).items():
            left[STRANGER, kind] += many


def are_people(table: pa.Table) -> NDArray[np.bool_]:
    """Which rows are, or hold, a Patient resource."""
    shape = column_of(table, "shape")
    people = [type_of_shape(one) == PATIENT for one in shape.dictionary.to_pylist()]
    number = shape.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    found = np.array([*people, True], bool)[number]
    if "types" in table.column_names:
        found &= column_of(table, "types").is_null().to_numpy(zero_copy_only=False)
    return np.asarray(found)


def types_of(table: pa.Table) -> Counter[str]:
    """How many resources of each type rows are, those of a record that is kept whole one by one."""
    found: Counter[str] = Counter()
    for said in column_of(table, "shape").drop_null().value_counts().to_pylist():
        found[type_of_shape(said["values"])] += said["counts"]
    if "types" in table.column_names:
        found.update(kind for types in column_of(table, "types").drop_null().to_pylist() for kind in types.split())
    return found


def _cut(column: pa.ChunkedArray, tables: Sequence[pa.Table]) -> Iterator[pa.Array]:
    """A column over the rows of all tables, as one for each of them."""
    start = 0
    for table in tables:
        yield column.slice(start, table.num_rows).combine_chunks()
        start += table.num_rows
