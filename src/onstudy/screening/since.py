"""Guidance to lose no time: how many days something lies back, for a criterion that only informs."""

from __future__ import annotations

from dataclasses import dataclass

from onstudy.engines.view import View
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.screening.wording import fact_text, label
from onstudy.values.calendar import elapsed
from onstudy.values.interval import Interval, Op, compare, point
from onstudy.values.truth import FALSE


@dataclass(frozen=True)
class Since:
    """The newest record of a kind that is not later than the registration date, and how many days it lies back."""

    kind: str
    fact: Fact | None
    days: Interval


def since(kind: str, view: View, day: int) -> Since:
    """What `days_since` of a trial file counts on a registration date; `fact` is None where nothing is recorded."""
    past = [fact for fact in view.facts(kind) if compare(Op.LE, fact.start.days, point(day)) is not FALSE]
    newest = max(past, key=lambda fact: (fact.start.days.low or 0, fact.start.days.high or 0, fact.id), default=None)
    return Since(kind, newest, elapsed(newest.start.days, day) if newest else Interval(None, None))


def sentence(found: Since, catalogue: Catalogue) -> str:
    """In one line: the record with its day, and the days from it to registration."""
    if found.fact is None:
        return f"{label(found.kind, catalogue)}: not recorded up to registration"
    return f"{fact_text(found.fact, catalogue)}: {_days(found.days)}"


def _days(days: Interval) -> str:
    low, high = int(days.low or 0), days.high
    if high is None:
        return (
            f"at least {_counted(low)} before registration" if low else "how many days before registration is not known"
        )
    if high == 0:
        return "on the day of registration"
    return f"{_counted(int(high)) if low == high else f'{low} to {_counted(int(high))}'} before registration"


def _counted(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
