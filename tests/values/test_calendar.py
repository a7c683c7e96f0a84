"""Calendar rules: part 2.1 (5-8) and table 4.6 of the reference, partial dates, months, age, offsets."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onstudy.values.calendar import (
    DAY,
    HOUR,
    UNDATED,
    DateError,
    Duration,
    Unit,
    add_months,
    age,
    as_when,
    between,
    completed_years,
    instant_of,
    on_day,
    parse_when,
    shift_day,
    shift_days,
    show,
)
from onstudy.values.interval import Interval, point

days = st.dates(date(1900, 1, 1), date(2150, 12, 31))


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def iso(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


# Table 4.6 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2025-10-31", 4, "2026-02-28"),
        ("2025-11-17", 4, "2026-03-17"),
        ("2026-03-16", -6, "2025-09-16"),
        ("2026-03-31", 4, "2026-07-31"),  # 120 days: 2026-07-29
        ("2025-12-31", 2, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", -12, "2023-02-28"),
        ("2026-01-15", -1, "2025-12-15"),
        ("2026-08-31", -6, "2026-02-28"),
    ],
)
def test_months_are_calendar_steps_that_stop_at_the_end_of_a_month(start: str, months: int, end: str) -> None:
    assert iso(add_months(day(start), months)) == end


def test_42_days_after() -> None:
    assert iso(shift_day(day("2026-02-03"), Duration(42, Unit.DAYS))) == "2026-03-17"
    assert iso(shift_day(day("2026-02-03"), Duration(6, Unit.WEEKS))) == "2026-03-17"


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        ("1966-03-17", "2026-03-16", 59),
        ("1966-03-16", "2026-03-16", 60),
        ("1951-03-16", "2026-03-16", 75),
        ("1960-02-29", "2026-02-28", 65),
        ("1960-02-29", "2026-03-01", 66),
        ("1960-02-29", "2024-02-29", 64),
        ("1960-02-29", "2024-02-28", 63),
    ],
)
def test_age_in_completed_years(born: str, on: str, years: int) -> None:
    assert completed_years(day(born), day(on)) == years


# Months and durations -------------------------------------------------------------------------------------


@given(days, st.integers(-600, 600))
def test_the_day_of_the_month_stays_or_is_the_last(start: date, months: int) -> None:
    end = date.fromordinal(add_months(start.toordinal(), months))
    assert end.year * 12 + end.month == start.year * 12 + start.month + months
    assert end.day == min(start.day, calendar.monthrange(end.year, end.month)[1])


@given(days, days, st.sampled_from(Unit), st.integers(0, 100), st.sampled_from([1, -1]))
def test_adding_calendar_time_never_changes_the_order_of_days(
    one: date, other: date, unit: Unit, n: int, sign: int
) -> None:
    if unit is Unit.HOURS:
        return
    first, second = sorted((one.toordinal(), other.toordinal()))
    assert shift_day(first, Duration(n, unit), sign) <= shift_day(second, Duration(n, unit), sign)


@given(days, st.integers(0, 100))
def test_years_are_twelve_months_and_weeks_seven_days(start: date, n: int) -> None:
    ordinal = start.toordinal()
    assert shift_day(ordinal, Duration(n, Unit.YEARS)) == shift_day(ordinal, Duration(12 * n, Unit.MONTHS))
    assert shift_day(ordinal, Duration(n, Unit.WEEKS), -1) == ordinal - 7 * n


def test_bounds_are_shifted_and_no_bound_stays_none() -> None:
    four_months = Duration(4, Unit.MONTHS)
    assert shift_days(Interval(day("2025-10-30"), None), four_months) == Interval(day("2026-02-28"), None)
    assert shift_days(Interval(day("2025-10-30"), day("2025-10-31")), four_months) == point(day("2026-02-28"))


def test_a_date_beyond_the_calendar_is_an_error() -> None:
    with pytest.raises(DateError, match="leaves the calendar"):
        add_months(day("2026-03-16"), 12 * 9000)


def test_a_duration_reads_as_it_is_written() -> None:
    assert [str(Duration(1, Unit.MONTHS)), str(Duration(24, Unit.HOURS))] == ["1 month", "24 hours"]


@given(days, days)
def test_age_counts_birthdays(born: date, on: date) -> None:
    years = completed_years(born.toordinal(), on.toordinal())
    if on < born:
        assert years < 0
        return
    leap = born.month == 2 and born.day == 29
    lived = range(born.year + 1, on.year + 1)
    birthdays = [date(year, 3, 1) if leap and not calendar.isleap(year) else born.replace(year=year) for year in lived]
    assert years == sum(birthday <= on for birthday in birthdays)


def test_age_of_a_birth_date_that_is_not_precise() -> None:
    on = on_day(date(2026, 3, 16)).days
    assert age(parse_when("1966").days, on) == Interval(59, 60)
    assert age(parse_when("1966-04").days, on) == point(59)
    assert age(parse_when("1966-03").days, on) == Interval(59, 60)
    assert age(UNDATED.days, on) == Interval()


# Dates as they are written ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-03-15", "2026-03-15", "2026-03-15"),
        ("2026-03-15T23:59:59.999999", "2026-03-15", "2026-03-15"),
        ("2026-03-15T00:00-05:00", "2026-03-15", "2026-03-15"),
        (" 2026-03-15 ", "2026-03-15", "2026-03-15"),
    ],
)
def test_a_date_is_some_moment_of_what_is_written(text: str, first: str, last: str) -> None:
    when = parse_when(text)
    assert when.days == Interval(day(first), day(last))
    assert show(when) == text.strip()


def test_a_day_is_half_open() -> None:
    assert parse_when("2026-03-15").span == Interval(day("2026-03-15") * DAY, day("2026-03-16") * DAY, high_open=True)
    assert on_day(date(2026, 3, 15)) == parse_when("2026-03-15")
    assert between(date(2026, 3, 1), date(2026, 3, 31)) == parse_when("2026-03")
    assert between(None, None) == UNDATED


def test_hours_are_counted_between_instants_where_both_sides_have_offsets() -> None:
    west, east = parse_when("2026-03-15T20:00-05:00"), parse_when("2026-03-16T01:00Z")
    assert west.instants(shared=True) == east.instants(shared=True)
    assert east.span.low is not None
    assert west.span.low is not None
    assert east.span.low - west.span.low == 5 * HOUR
    assert west.day == day("2026-03-15"), "the calendar day is the one that is written"


@given(st.datetimes(datetime(1900, 1, 1), datetime(2150, 1, 1)), st.sampled_from(["", "Z", "+02:00", "-09:30"]))
def test_moments_read_back(moment: datetime, offset: str) -> None:
    text = moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat() + offset
    assert parse_when(show(parse_when(text))) == parse_when(text)
    assert as_when(text) == parse_when(text)


@given(days)
def test_days_read_back(one: date) -> None:
    assert show(as_when(one)) == one.isoformat()
    assert as_when(one).day == one.toordinal()


@given(days, st.integers(0, 400))
def test_dates_between_two_days_show_both(one: date, width: int) -> None:
    shown = show(between(one, one + timedelta(days=width)))
    assert shown in (one.isoformat(), shown[:4], shown[:7]) or shown == f"{one}..{one + timedelta(days=width)}"


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "15.03.2026", "2026-13", "2026-02-29", "2026-3-5", "2026-03-15T25:00", "2026-03-15T10:61",
        "2026-03-15T10:00:61", "1492", "9999-01-01", "2026-03-15T10:00+15:00", "2026-03-15 10", "2026-03-15T",
        "2026-00", "2" * 100,
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(DateError):
        parse_when(text)


# Instants -----------------------------------------------------------------------------------------------


def test_instants_are_told_by_their_offsets() -> None:
    one, two = instant_of("2026-03-12T23:30:00Z"), instant_of("2026-03-13T01:30:00.5+02:00")
    assert one is not None and two is not None
    assert (one[0], two[0], two[1] - one[1]) == (True, True, 500_000)
    wall = instant_of("2026-03-12T23:30:00")
    assert wall == (False, one[1])


@pytest.mark.parametrize("text", ["2026-03-12", "2026-03", "", "soon", "2026-03-12T25:00:00Z", "0001-01-01T00:00:00Z"])
def test_what_is_no_instant(text: str) -> None:
    assert instant_of(text) is None
