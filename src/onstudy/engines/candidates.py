"""What the reference engine weighs: values a node may have, records that may count, what nobody recorded.

Each keeps why it is uncertain and which question would settle it.
"""

from __future__ import annotations

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


@dataclass(slots=True)
class Match:
    """A record looked at: whether it is one of those asked for, and why that may be unknown."""

    fact: Fact
    truth: Truth
    reasons: Reasons = NONE
    asks: tuple[Ask, ...] = ()
    where: Finding | None = None


@dataclass(slots=True)
class Open:
    """What an unrecorded fact does to a count: FALSE is nothing, UNKNOWN leaves it without an upper bound."""

    truth: Truth
    reasons: Reasons = NONE
    asks: tuple[Ask, ...] = ()
    denials: tuple[Fact, ...] = ()
    assumed: str = ""


NOTHING_OPEN = Open(FALSE)


def lacks(fact: Fact) -> Reasons:
    """Why a fact has no usable value; empty where it has one."""
    if fact.lacks is not None:
        return frozenset({Reason(fact.lacks)})
    return frozenset({Reason.NOT_STATED}) if fact.value is None else NONE
