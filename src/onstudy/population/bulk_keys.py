"""The keys of patients in rows: numbers where the source names patients by whole numbers, else texts.

A number stands for itself as it is written in decimals: 7 is "7", and never "007". What is made of the text of a key,
as the shard its patient lies in, is made once for each patient and not for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def as_texts(keys: pa.Array) -> pa.Array:
    """Keys as texts, however they are held."""
    return keys if pa.types.is_string(keys.type) else keys.cast(pa.string())


def alike(keys: Sequence[Any]) -> list[Any]:
    """Columns of keys, all held as numbers or all as texts, so that those of one patient are equal."""
    held = {column.type for column in keys}
    return list(keys) if len(held) < 2 else [as_texts(column) for column in keys]


def of_patients(table: pa.Table, keys: pa.Array) -> pa.Table:
    """The same rows about others: with these keys."""
    return table.set_column(table.column_names.index("patient"), "patient", keys)


def with_keys_alike(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Tables of rows of which all hold keys in one way."""
    keys = [table.column("patient") for table in tables if "patient" in table.column_names]
    if len({column.type for column in keys}) < 2:
        return list(tables)
    return [of_patients(table, as_texts(table.column("patient"))) for table in tables]


def hashed(patients: pa.Array, count: int, numbers: Callable[[pa.Array, int], NDArray[Any]]) -> NDArray[np.int32]:
    """The shard of each row by its patient; -1 of rows about nobody. `numbers` gives the shards of texts."""
    coded = patients.dictionary_encode()
    found = np.append(numbers(as_texts(coded.dictionary), count), -1).astype(np.int32)
    return np.asarray(found[coded.indices.fill_null(len(found) - 1).to_numpy(zero_copy_only=False)])
