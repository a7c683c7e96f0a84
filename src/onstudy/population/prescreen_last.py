"""Who the patients of a shard are, and the day of each one's newest record: how fresh is what an answer rests on?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onstudy.population.store_shard import Words
from onstudy.record.shard import NO_DAY, NO_INSTANT, UNBOUNDED, Shard, Table
from onstudy.values.calendar import DAY

Days = NDArray[np.int32]


def patient_ids(shard: Shard) -> pa.StringArray:
    """The ids of a shard's patients, in its order."""
    text = shard.patients.text("id")
    words = text.words.array if isinstance(text.words, Words) else pa.array(text.words, pa.string())
    in_order = len(words) == len(text.index) and np.array_equal(text.index, np.arange(len(words), dtype=np.int32))
    return words if in_order else words.take(pa.array(text.index))


def last_data(shard: Shard, on: int) -> Days:
    """For each patient the newest day, up to `on`, on which anything was recorded, or dated where that is unknown.

    Of a date known only roughly the earliest day counts. `NO_DAY` for a record without any date; what was worked
    out from other facts does not count.
    """
    newest = np.full(shard.patients.rows, NO_DAY, np.int32)
    for kind in shard.kinds:
        table = shard.table(kind)
        days = _newest(table, on)
        if table.has("computed") or table.has("inner"):
            days[table.get("computed") | table.get("inner")] = NO_DAY
        patients = table.get("patient")
        starts = np.flatnonzero(np.diff(patients, prepend=np.int32(-1)))
        if len(starts):
            at = patients[starts]
            newest[at] = np.maximum(newest[at], np.maximum.reduceat(days, starts))
    return newest


def _newest(table: Table, on: int) -> Days:
    """The newest day of each row that is no later than `on`."""
    dated = np.maximum(_until(_lowest(table, "start"), on), _until(_lowest(table, "end"), on))
    if not table.owns("recorded"):
        return dated
    return np.where(_stated(table, "recorded"), _until(_lowest(table, "recorded"), on), dated)


def _until(days: Days, on: int) -> Days:
    return np.where(days <= on, days, np.int32(NO_DAY))


def _lowest(table: Table, name: str) -> Days:
    """The earliest day a moment may lie on; `NO_DAY` where there is no bound."""
    days = table.get(f"{name}.day")
    if not table.has(f"{name}.low"):
        return days
    low = table.get(f"{name}.low")
    return np.where((days == NO_DAY) & (low != NO_INSTANT), low // DAY, days).astype(np.int32)


def _stated(table: Table, name: str) -> NDArray[np.bool_]:
    found = table.get(f"{name}.day") != NO_DAY
    for bound in ("low", "high"):
        if table.has(f"{name}.{bound}"):
            found = found | (table.get(f"{name}.{bound}") != NO_INSTANT)
    if table.has(f"{name}.flags"):
        found = found | ((table.get(f"{name}.flags") & UNBOUNDED) != 0)
    return np.asarray(found, np.bool_)
