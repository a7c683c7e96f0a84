"""From a shard back to a patient: what `shard_of` wrote, fact by fact."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import isnan

import numpy as np

from onstudy.errors import Problem
from onstudy.record.assemble import order
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Coverage, Fact, Patient, Value
from onstudy.record.shard.columns import (
    EMPTY,
    HIGH_OPEN,
    LOW_OPEN,
    NO_DAY,
    NO_INSTANT,
    NO_OFFSET,
    UNBOUNDED,
    Shard,
    Table,
)
from onstudy.values.calendar import UNDATED, When, on_day
from onstudy.values.interval import Interval


def patient_of(shard: Shard, row: int, catalogue: Catalogue) -> Patient:
    """The patient of one row of `shard.patients`, equal to the one that was put in.

    Raises `IndexError` for a row there is not.
    """
    if not 0 <= row < shard.patients.rows:
        raise IndexError(f"the shard has no patient {row}")
    facts = [fact for kind in shard.kinds for fact in _facts(shard, kind, row)]
    facts.sort(key=lambda entry: (entry[0], order(entry[1])))
    return Patient(
        shard.patients.word("id", row) or "",
        _moment(shard.patients, row, "born") or UNDATED,
        tuple(fact for _, fact in facts),
        tuple(_cover(shard.coverage, place) for place in _rows(shard.coverage, row)),
        tuple(_problem(shard.problems, place) for place in _rows(shard.problems, row)),
    )


def rows_of(table: Table, patient: int) -> range:
    """The rows of one patient in a table: they lie together."""
    patients = table.get("patient")
    first, last = np.searchsorted(patients, [patient, patient + 1])
    return range(int(first), int(last))


_rows = rows_of


def _facts(shard: Shard, kind: str, patient: int) -> list[tuple[int, Fact]]:
    table = shard.table(kind)
    rows = [row for row in rows_of(table, patient) if not table.cell("inner", row)]
    return [(table.cell("order", row), fact_of(shard, kind, row)) for row in rows]


def fact_of(shard: Shard, kind: str, row: int) -> Fact:
    """The fact of one row of a kind's table, with its parts."""
    table = shard.table(kind)
    narrowed = table.word("narrowed.by", row)
    fact = Fact(
        id=table.word("id", row) or "",
        kind=kind,
        start=_moment(table, row, "start") or UNDATED,
        end=_moment(table, row, "end"),
        negative=table.cell("negative", row),
        narrowed=None if narrowed is None else (narrowed, codes_of(table.word("narrowed.code", row) or "")),
        ongoing=table.cell("ongoing", row),
        certain=not table.cell("suspected", row),
        value=_value(table, row, "value"),
        lacks=table.word("lacks", row),
        uln=_number(table, row, "uln"),
        lln=_number(table, row, "lln"),
        sample=table.word("sample", row),
        recorded=_moment(table, row, "recorded"),
        shown=table.word("shown", row) or "",
        source=table.word("source", row) or "",
        computed=table.cell("computed", row),
        opened=_opened(table, row),
        code_status=table.word("code_status", row) or "",
    )
    attributes = {name: _value(table, row, f"a.{name}") for name in table.attributes() if _stated(table, row, name)}
    parts = {
        name: fact_of(shard, part, place)
        for name, part in table.components()
        if (place := table.cell(f"p.{name}.{part}", row)) >= 0
    }
    return replace(fact, attributes=attributes, parts=parts) if attributes or parts else fact


@lru_cache(maxsize=65536)
def codes_of(word: str) -> frozenset[str]:
    """The set of codes one word stands for: "a|b|c"."""
    return frozenset(word.split("|")) if word else frozenset()


def _stated(table: Table, row: int, name: str) -> bool:
    return _value(table, row, f"a.{name}") is not None or bool(table.cell(f"a.{name}.flags", row) & EMPTY)


def _opened(table: Table, row: int) -> tuple[When | None, bool] | None:
    if not table.cell("opened.set", row):
        return None
    return _moment(table, row, "opened"), table.cell("opened.ongoing", row)


def _value(table: Table, row: int, name: str) -> Value:
    word = table.word(f"{name}.code", row)
    if word is not None:
        return codes_of(word)
    number = _number(table, row, name)
    return number if number is not None else _moment(table, row, f"{name}.at")


def _number(table: Table, row: int, name: str) -> Interval | None:
    if not table.owns(name):
        return None
    low, high = table.cell(f"{name}.low", row), table.cell(f"{name}.high", row)
    flags = table.cell(f"{name}.flags", row)
    if isnan(low) and isnan(high) and not flags & UNBOUNDED:
        return None
    return Interval(
        None if isnan(low) else low,
        None if isnan(high) else high,
        bool(flags & LOW_OPEN),
        bool(flags & HIGH_OPEN),
    )


def _moment(table: Table, row: int, name: str) -> When | None:
    if not table.owns(name):
        return None
    day = table.cell(f"{name}.day", row)
    if day != NO_DAY:
        return on_day(day)
    low, high = table.cell(f"{name}.low", row), table.cell(f"{name}.high", row)
    flags, offset = table.cell(f"{name}.flags", row), table.cell(f"{name}.offset", row)
    if low == high == NO_INSTANT and not flags & UNBOUNDED and offset == NO_OFFSET:
        return None
    span = Interval(
        None if low == NO_INSTANT else low,
        None if high == NO_INSTANT else high,
        bool(flags & LOW_OPEN),
        bool(flags & HIGH_OPEN),
    )
    return When(span, None if offset == NO_OFFSET else offset)


def _cover(table: Table, row: int) -> Coverage:
    first, last = table.cell("first", row), table.cell("last", row)
    return Coverage(
        table.word("kind", row) or "",
        None if first == NO_DAY else first,
        None if last == NO_DAY else last,
        table.word("source", row) or "",
    )


def _problem(table: Table, row: int) -> Problem:
    return Problem(table.word("what", row) or "", table.word("where", row) or "", table.cell("fact_kept", row))
