"""Columns of OMOP say the same whether they are typed or text."""

from __future__ import annotations

from datetime import UTC, date, datetime
from random import Random

import pyarrow as pa
import pytest

from onstudy.population.omop_columns import Few, moments

_DAY = 86_400
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def told(found: Few) -> list[str | None]:
    """What stands in each row; each text is held once."""
    values: list[str | None] = found.values.to_pylist()
    assert len(set(values)) == len(values)
    return [values[place] if place >= 0 else None for place in found.place.tolist()]


def test_a_moment_is_a_day_with_its_own_time() -> None:
    days = [date(2026, 3, 1), date(2026, 3, 1), date(2026, 3, 1), date(1951, 2, 3), None, None, date(2026, 3, 2)]
    times = [
        datetime(2026, 3, 1, 10, 30), datetime(2026, 3, 1), datetime(2026, 3, 2, 10, 30),
        datetime(1951, 2, 3, 23, 59, 59, 999_999), datetime(2026, 3, 4, 5, 6, 7), None, None,
    ]  # fmt: skip
    expected = [
        "2026-03-01T10:30:00", "2026-03-01", "2026-03-01", "1951-02-03T23:59:59", "2026-03-04T05:06:07", None,
        "2026-03-02",
    ]  # fmt: skip
    day, time = pa.array(days, pa.date32()), pa.array(times, pa.timestamp("us"))
    assert told(moments(day, time)) == expected
    assert told(moments(day.cast(pa.string()), time.cast(pa.string()))) == expected
    assert told(moments(day, pa.array([None] * 7, pa.timestamp("us")))) == [
        None if one is None else one.isoformat() for one in days
    ]
    zoned = pa.array([None if one is None else one.replace(tzinfo=UTC) for one in times], pa.timestamp("us", "-05:00"))
    assert told(moments(day, zoned)) == told(moments(day.cast(pa.string()), zoned.cast(pa.string())))


@pytest.mark.parametrize("unit", _UNITS)
def test_typed_dates_and_times_are_read_as_those_written_out(unit: str) -> None:
    random, second = Random(unit), _UNITS[unit]
    for _ in range(60):
        rows = random.randrange(1, 30)
        ends = [(0, 3), (-3, 3), (-50_000, 50_000)]
        first, last = random.choice(ends if unit == "ns" else [*ends, (-719_162, 2_932_896), (-800_000, 3_000_000)])
        days = [None if random.random() < 0.2 else random.randint(first, last) for _ in range(rows)]
        times: list[int | None] = []
        for day in days:
            own = day if day is not None and random.random() < 0.8 else random.randint(first, last)
            clock = random.choice((0, 1, second - 1, _DAY * second - 1, random.randrange(_DAY) * second))
            times.append(None if random.random() < 0.3 else own * _DAY * second + clock)
        day, time = pa.array(days, pa.int32()).cast(pa.date32()), pa.array(times, pa.timestamp(unit))
        assert told(moments(day, time)) == told(moments(day.cast(pa.string()), time.cast(pa.string())))


@pytest.mark.parametrize("far", [date(1600, 1, 1), date(9999, 12, 31)])
def test_a_day_too_far_off_for_the_unit_of_the_times_beside_it_is_the_day_that_is_written(far: date) -> None:
    """Nanoseconds in 64 bits reach from 1677 to 2262."""
    day = pa.array([far, date(2026, 3, 1)], pa.date32())
    time = pa.array([None, datetime(2026, 3, 1, 10, 30)], pa.timestamp("ns"))
    assert told(moments(day, time)) == [far.isoformat(), "2026-03-01T10:30:00"]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_first_day_of_the_year_10000_is_the_day_that_is_written(unit: str) -> None:
    """It has five digits of a year, so that its day does not stand where those of other days do."""
    first = (date(9999, 12, 31) - date(1970, 1, 1)).days + 1
    day = pa.array([first, None], pa.int32()).cast(pa.date32())
    time = pa.array([first * _DAY * _UNITS[unit], None], pa.timestamp(unit))
    assert told(moments(day, time)) == ["10000-01-01", None]
