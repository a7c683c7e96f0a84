"""The beginning and the end of one period bound each other: it ended no earlier than it began."""

from __future__ import annotations

from dataclasses import replace

from onstudy.record.patient import Fact
from onstudy.values.overlap import no_earlier, no_later


def in_itself(fact: Fact) -> Fact:
    """The fact with a beginning that does not lie after its stated end, and an end that does not lie before it.

    A beginning without a last day keeps none: by the day it was recorded or is asked about it has begun, and that is
    said where it is asked about (`screening/prepare.py`). Of a "no" the two are the days it speaks of.
    """
    start, end = fact.start, fact.end
    if end is None or fact.negative or fact.opened is not None or start == end:
        return fact
    begun = start if start.span.high is None else no_later(start, end)
    over = no_earlier(end, start)
    return fact if begun is start and over is end else replace(fact, start=begun, end=over)
