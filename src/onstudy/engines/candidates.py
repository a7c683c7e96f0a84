"""What the reference engine weighs: values a node may have, records that may count, what nobody recorded.

Each keeps why it is uncertain and which question would settle it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onstudy.criteria.finding import Ask, Finding, Reason
from onstudy.record.patient import Fact, Value
from onstudy.values.truth import FALSE, Truth

Reasons = frozenset[Reason]
NONE: Reasons = frozenset()


@dataclass(slots=True)
class Case:
    """One value a value node may have, and the fact it is read from."""

    value: Value
    about: Fact | None = None
    reasons: Reasons = NONE
    asks: tuple[Ask, ...] = ()
    passed: Fact | None = None  # where no record counts, the newest of those that do not


def distinct(cases: list[Case]) -> list[Case]:
    """The cases that can be told apart by what is compared of them: of records alike, the first."""
    if len(cases) < 2:
        return cases
    found: dict[tuple[object, ...], Case] = {}
    for case in cases:
        limits = (None, None) if case.about is None else (case.about.uln, case.about.lln)
        found.setdefault((case.value, case.reasons, case.asks, *limits), case)
    return list(found.values())


@dataclass(slots=True)
class Match:
    """A record looked at: whether it is one of those asked for, and why that may be unknown."""

    fact: Fact
    truth: Truth
    reasons: Reasons = NONE
    asks: tuple[Ask, ...] = ()
    where: Finding | None = None
    shared: tuple[Ask, ...] = ()  # further questions, which many records of one rule may have in common


def gathered(several: Iterable[tuple[Ask, ...]]) -> tuple[Ask, ...]:
    """The questions, each once. What many records have in common is looked at once, or every question would be met
    once for each record.
    """
    found: dict[Ask, None] = {}
    for asks in {id(asks): asks for asks in several}.values():
        found.update(dict.fromkeys(asks))
    return tuple(found)


def asks_of(matches: Iterable[Match]) -> tuple[Ask, ...]:
    """What would settle whether records are among those asked for."""
    return gathered(asks for match in matches for asks in (match.asks, match.shared))


@dataclass(slots=True)
class Open:
    """What an unrecorded fact does to a count: FALSE is nothing, UNKNOWN leaves it without an upper bound."""

    truth: Truth
    reasons: Reasons = NONE
    asks: tuple[Ask, ...] = ()
    denials: tuple[Fact, ...] = ()
    assumed: str = ""
    since: Fact | None = None  # of an unknown: a recorded "no" says nothing of the time after this began


NOTHING_OPEN = Open(FALSE)


def lacks(fact: Fact) -> Reasons:
    """Why a fact has no usable value; empty where it has one."""
    if fact.lacks is not None:
        return frozenset({Reason(fact.lacks)})
    return frozenset({Reason.NOT_STATED}) if fact.value is None else NONE
