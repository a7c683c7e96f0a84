"""Statements of one moment held against each other, by hand; the offsets are those of the sources."""

from __future__ import annotations

import pytest

from onstudy.readers.dates import read_when, write_when
from onstudy.values.calendar import UNDATED, When
from onstudy.values.overlap import common, no_earlier, no_later


def when(text: str) -> When:
    return read_when(text) if text else UNDATED


def text(moment: When | None) -> str | None:
    return None if moment is None else write_when(moment)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("2026-03", "2026-03-10", "2026-03-10"),
        ("2026-03", "2026-03-10..", "2026-03-10..2026-03-31"),
        ("..2026-03-10", "2026-03-10..", "2026-03-10"),
        ("..2026-03-10", "2026-03-11..", None),
        ("2026-03-10", "2026-03-10T08:00", "2026-03-10T08:00"),
        ("2026-03-10", "2026-03-10T08:00..", "2026-03-10T08:00..2026-03-10"),
        ("2026-03-10", "2026-03-11T00:00", None),
        ("", "2026-03", "2026-03"),
        ("2026-03-10T08:00Z", "2026-03-10T03:00-05:00", "2026-03-10T08:00Z"),
        ("2026-03-10T08:00Z", "2026-03-10T04:00-05:00", None),
        ("2026-03-10T08:00Z", "2026-03-10T08:00", "2026-03-10T08:00Z"),
    ],
)
def test_what_both_leave_possible(one: str, other: str, both: str | None) -> None:
    assert text(common(when(one), when(other))) == both
    if "T" not in one:
        assert text(common(when(other), when(one))) == both


@pytest.mark.parametrize(
    ("start", "end", "bounded_start", "bounded_end"),
    [
        ("2026-03", "2026-03-10", "2026-03-01..2026-03-10", "2026-03-10"),
        ("2026-03-10", "2026-03", "2026-03-10", "2026-03-10..2026-03-31"),
        ("2026-03", "2026-03", "2026-03", "2026-03"),
        ("2026-02-20..2026-03-20", "2026-03", "2026-02-20..2026-03-20", "2026-03"),
        ("2026-03-01..2026-03-20", "2026-02-25..2026-03-10", "2026-03-01..2026-03-10", "2026-03-01..2026-03-10"),
        # Hours: of a day, the start no later than the hour of the end; UTC where both state an offset.
        ("2026-03-10", "2026-03-10T08:00", "2026-03-10T00:00..2026-03-10T08:00", "2026-03-10T08:00"),
        ("2026-03-10T09:00", "2026-03-10", "2026-03-10T09:00", "2026-03-10T09:00..2026-03-10"),
        ("2026-03-10T08:00Z..2026-03-10T18:00Z", "2026-03-10T07:00-05:00", "2026-03-10T08:00Z..2026-03-10T12:00Z",
         "2026-03-10T07:00-05:00"),
        # Open ends bound nothing.
        ("2026-03", "", "2026-03", "2026-03-01.."),
        ("", "2026-03", "..2026-03-31", "2026-03"),
        # What is surely reversed stays as it is.
        ("2026-03-10", "2026-03-01", "2026-03-10", "2026-03-01"),
    ],
)  # fmt: skip
def test_a_start_and_an_end_bound_each_other(start: str, end: str, bounded_start: str, bounded_end: str) -> None:
    assert no_later(when(start), when(end)).span == when(bounded_start).span
    assert no_earlier(when(end), when(start)).span == when(bounded_end).span


def test_a_bounded_moment_keeps_the_offset_it_was_stated_with() -> None:
    assert no_later(when("2026-03"), when("2026-03-10T08:00Z")).offset is None
    met = common(when("2026-03-10"), when("2026-03-10T08:00Z.."))
    assert met is not None and met.offset is None
