"""Three-valued truth (Kleene): the order FALSE < UNKNOWN < TRUE is the logic."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Truth(IntEnum):
    """Whether something holds. UNKNOWN means the record cannot tell; it is never a "no"."""

    FALSE = 0
    UNKNOWN = 1
    TRUE = 2


FALSE, UNKNOWN, TRUE = Truth.FALSE, Truth.UNKNOWN, Truth.TRUE
_NEGATED = (TRUE, UNKNOWN, FALSE)


def all_of(truths: Iterable[Truth]) -> Truth:
    """AND: the least of the truths; TRUE where there is nothing to hold."""
    return min(truths, default=TRUE)


def any_of(truths: Iterable[Truth]) -> Truth:
    """OR: the greatest of the truths; FALSE where nothing could hold."""
    return max(truths, default=FALSE)


def negate(truth: Truth) -> Truth:
    """NOT: mirrors around UNKNOWN."""
    return _NEGATED[truth]


def agreed(truths: Iterable[Truth]) -> Truth:
    """What all candidates say; UNKNOWN where they differ or where there is no candidate."""
    found = set(truths)
    return found.pop() if len(found) == 1 else UNKNOWN
