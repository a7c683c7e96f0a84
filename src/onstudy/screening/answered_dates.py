"""When a fact was, once an answer says more of it: what the record and the answer both leave possible.

An answer that leaves nothing possible is not used, and it is said why: another day than the one on record, an end
before the beginning, a day to come of what has been.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from onstudy.readers.dates import over, starting
from onstudy.readers.timing import unsaid_end
from onstudy.record.catalogue import PERIOD, Kind
from onstudy.record.patient import Fact
from onstudy.screening.prepare import bounded
from onstudy.values.calendar import UNDATED, When, show_day
from onstudy.values.overlap import common, no_earlier, no_later

_WAY = "it is not used; correct the answer, or the record where it was made"


@dataclass(frozen=True, slots=True)
class Dates:
    """Start, end and openness of a completed fact; what is on record otherwise (`differing`), and other answers that
    cannot be, each in a sentence (`refused`).
    """

    start: When
    end: When | None
    ongoing: bool
    differing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def dates(before: Fact, more: Fact, kind: Kind | None, on: date | None) -> Dates:
    """The dates of a fact with those of an answer. By the registration date (`on`) what is recorded has been."""
    stated = None if before.ongoing else said_end(before)
    start, wrong_start, refused_start = _start(before, more, stated, kind, on)
    end, wrong_end, refused_end = _end(start, more, stated)
    going = before.ongoing or (more.ongoing and unsaid_end(before.start, before.end))
    if more.ongoing and not going:
        wrong_end = ("end",)
    if end is None and not going and before.end is not None:
        end = no_earlier(stated, start) if stated is not None else starting(start)
    return Dates(start, end, going and end is None, wrong_start + wrong_end, refused_start + refused_end)


def said_end(fact: Fact) -> When | None:
    """The end of a fact, where one is stated."""
    return None if unsaid_end(fact.start, fact.end) else fact.end


_Checked = tuple[tuple[str, ...], tuple[str, ...]]
_TAKEN: _Checked = (), ()


def _start(
    before: Fact, more: Fact, end: When | None, kind: Kind | None, on: date | None
) -> tuple[When, tuple[str, ...], tuple[str, ...]]:
    """The beginning, what is on record otherwise, and why the answer cannot be."""
    if not more.start.known:
        return before.start, *_TAKEN
    start = common(more.start, before.start)
    key = "from" if kind is not None and kind.extent == PERIOD and more.start != more.end else "on"
    if end is not None and over(more.start, end):
        return before.start, (), (f"`{key}` {more.start} lies after its end, {end}: {_WAY}",)
    if start is None:
        return before.start, () if _implied(more) else ("date",), ()
    last = UNDATED if on is None or (kind is not None and kind.planned) else bounded(before, on.toordinal(), kind).start
    if over(start, last):
        by = show_day(last.days.high)
        return before.start, (), (f"`{key}` {start} lies after {by}, and what is on record had been by then: {_WAY}",)
    return start if end is None else no_later(start, end), *_TAKEN


def _implied(more: Fact) -> bool:
    """Whether an answer states no beginning, but only by when it had begun: it was recorded, or over."""
    bounds = [when.span.high for when in (more.recorded, more.end) if when is not None]
    return more.start.span.low is None and more.start.span.high in bounds


def _end(start: When, more: Fact, stated: When | None) -> tuple[When | None, tuple[str, ...], tuple[str, ...]]:
    """The end that was answered, what is on record otherwise, and why the answer cannot be."""
    said = said_end(more)
    if said is None:
        return None, *_TAKEN
    end = said if stated is None else common(said, stated)
    if end is None:
        return None, ("end",), ()
    if over(start, end):
        return None, (), (f"`to` {end} lies before its beginning, {start}: {_WAY}",)
    return no_earlier(end, start), *_TAKEN
