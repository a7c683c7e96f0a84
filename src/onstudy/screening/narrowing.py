"""Two statements of one thing: whether one says more than the other and nothing else, or something different.

A date, a number or the codes something may still have are each a set of what is possible: a statement narrows another
where all that it leaves possible was possible before.
"""

from __future__ import annotations

from onstudy.record.patient import Value
from onstudy.values.calendar import When
from onstudy.values.interval import Interval


def narrows(new: When, old: When) -> bool:
    """Whether a date says more than another and nothing else."""
    return new.known and new != old and _inside(new.span, old.span)


def narrower(new: Value, old: Value) -> bool:
    """Whether a value or an attribute says more than another and nothing else; both are stated."""
    if isinstance(new, When) and isinstance(old, When):
        return narrows(new, old)
    if isinstance(new, frozenset) and isinstance(old, frozenset):
        return new < old
    if isinstance(new, Interval) and isinstance(old, Interval):
        return new != old and _inside(new, old)
    return False


def apart(old: Value, new: Value) -> bool:
    """Whether a new statement says something different from what is on record; a less exact date does not."""
    if old is None or new is None or old == new or narrower(new, old):
        return False
    return not (isinstance(new, When) and isinstance(old, When) and narrows(old, new))


def open_yet(stated: Value) -> bool:
    """Whether a statement leaves more than one answer possible: several codes, a range, a date not known to the day."""
    if isinstance(stated, frozenset):
        return len(stated) > 1
    return stated.day is None if isinstance(stated, When) else stated is None or not stated.exact


def _inside(new: Interval, old: Interval) -> bool:
    """Whether every value of one interval is one of the other."""
    above = old.low is None or (
        new.low is not None and (new.low > old.low or (new.low == old.low and new.low_open >= old.low_open))
    )
    below = old.high is None or (
        new.high is not None and (new.high < old.high or (new.high == old.high and new.high_open >= old.high_open))
    )
    return above and below
