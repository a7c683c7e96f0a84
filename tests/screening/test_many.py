"""Screening takes as long as there is to look at: of four times the records no sixteen times the work is made.

Work is counted in calls, which are the same in every run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, timedelta
from types import FrameType

import pytest

from onstudy import load_trial, read_patients, screen

FEW, MANY = 60, 240
ON = date(2026, 3, 16)
TRIAL = load_trial("NCT03739814")


def counts(when: Callable[[int], str]) -> Callable[[int], list[str]]:
    """So many blood counts that differ, each with white cells and lymphoblasts."""

    def made(count: int) -> list[str]:
        return [
            f"{{kind: blood_count, {when(n)}, wbc: {6 + n / 1000:.3f} 10*3/uL, lymphoblasts: 20 %}}"
            for n in range(count)
        ]

    return made


def earlier(days: int) -> date:
    return ON - timedelta(days=1 + days)


def heart(count: int) -> list[str]:
    """Heart failures that go on, and the classes stated of them."""
    failures = [f"{{kind: heart_failure, from: 2020-01-{1 + n % 28:02}, active: yes}}" for n in range(count)]
    return [*failures, *(f"{{kind: nyha_class, on: 2026-01-{1 + n % 28:02}, value: II}}" for n in range(count))]


RECORDS = {
    "of one day": counts(lambda n: "on: 2026-03-15"),
    "of an earlier month": counts(lambda n: "on: 2026-02"),
    "of the month of registration": counts(lambda n: "on: 2026-03"),
    "daily": counts(lambda n: f"on: {earlier(n)}"),
    "of unknown days, each by another one": counts(lambda n: f"recorded: {earlier(n)}"),
    "heart failures and classes": heart,
}
#: How many times the work of a quarter may be made: four times, and a little for what is sorted.
MOST = {"daily": 7.0}  # also asked about on more of the days to come


def calls(work: Callable[[], object]) -> int:
    """How many calls are made, of Python and of what it is built on."""
    found = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal found
        found += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.parametrize("name", RECORDS)
def test_four_times_the_records_make_about_four_times_the_work(name: str) -> None:
    def asked(count: int) -> int:
        facts = "".join(f"  - {line}\n" for line in RECORDS[name](count))
        text = f"patient: X\nborn: 1984-05-05\nsex: male\ncomplete: [treatment]\nfacts:\n{facts}"

        def work() -> None:
            (patient,) = read_patients("x.yaml", text.encode())
            screen(TRIAL, patient, on=ON, therapy_start="2026-03-18T09:00")

        return calls(work)

    asked(2)  # what is loaded once
    few, many = asked(FEW), asked(MANY)
    assert many < MOST.get(name, 5.0) * few, f"{FEW}: {few} calls, {MANY}: {many} calls"
