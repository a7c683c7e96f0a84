"""One episode recorded more than once: what was recorded later is the newer word on whether it is over.

A chart copies its problems forward. "Active since 1 June", recorded in June, and "from 1 June to 1 December", recorded
in December, are one episode, and it is over. Two records are of one where they are of one kind, began on one day, and
say the same of what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from math import inf

from onstudy.record.catalogue import PERIOD, Catalogue
from onstudy.record.patient import Fact
from onstudy.record.said import charted, first_day, is_open, last_day, said_open, speaks
from onstudy.values.calendar import DAY, When, between
from onstudy.values.interval import hull
from onstudy.values.overlap import no_later
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth


def end_seen_again(facts: Sequence[Fact], catalogue: Catalogue) -> list[Fact]:
    """The facts, with each open period ended that a later record of the same episode says to be over.

    Where it only may be the same episode, or the later record, the period only may be over: no last day is known.
    """
    episodes = _episodes(facts, catalogue)
    if not episodes:
        return list(facts)
    return [_ended(fact, episodes.get(_begun(fact), ()), catalogue) for fact in facts]


#: A kind, and the first day on which something may have begun.
_Begun = tuple[str, float | None]


def _begun(fact: Fact) -> _Begun:
    return fact.kind, fact.start.days.low


def _episodes(facts: Sequence[Fact], catalogue: Catalogue) -> dict[_Begun, list[Fact]]:
    """Periods that may have begun on the same first day, where one of them is open and more than one there."""
    found: dict[_Begun, list[Fact]] = defaultdict(list)
    for fact in facts:
        kind = catalogue.kinds.get(fact.kind)
        if kind is not None and kind.extent == PERIOD and not fact.negative and fact.start.days.low is not None:
            found[_begun(fact)].append(fact)
    return {key: own for key, own in found.items() if len(own) > 1 and any(is_open(fact, catalogue) for fact in own)}


def _ended(fact: Fact, beside: Sequence[Fact], catalogue: Catalogue) -> Fact:
    if not is_open(fact, catalogue):
        return fact
    sure: list[Fact] = []
    doubt = False
    for other in beside:
        if other is fact or not other.certain or other.lacks is not None or not _of_one_beginning(fact, other):
            continue
        truth = min(_same(fact, other, catalogue), _over(fact, other, catalogue))
        if truth is TRUE:
            sure.append(other)
        doubt = doubt or truth is UNKNOWN
    if not sure and not doubt:
        return fact
    opened = fact.opened or (fact.end, fact.ongoing)
    return replace(
        fact, end=_some_day(fact, None) if doubt else _end(fact, sure, catalogue), ongoing=False, opened=opened
    )


# Of one episode -------------------------------------------------------------------------------------------------


def _of_one_beginning(fact: Fact, other: Fact) -> bool:
    """Whether two periods began at the same time as far as is known, the other one by its end at the latest."""
    if fact.start.days.high is None or other.start.days.high is None:
        return False
    one, two = ((start if other.end is None else no_later(start, other.end)) for start in (fact.start, other.start))
    return one.days == two.days


def _same(fact: Fact, other: Fact, catalogue: Catalogue) -> Truth:
    """Whether two periods that began at the same time are of one episode.

    They are not where one says what the other cannot be; they may be where they differ otherwise. What a newer record
    takes the place of may have changed.
    """
    truth = TRUE if fact.start.day is not None else UNKNOWN
    if _in_place_of(fact, other, catalogue):
        return truth
    return min([truth, *(_alike(fact, other, name, catalogue) for name in {**fact.attributes, **other.attributes})])


def _alike(fact: Fact, other: Fact, name: str, catalogue: Catalogue) -> Truth:
    """Whether two records say the same of one attribute; a word that only one has, which drug, may tell them apart."""
    if name not in fact.attributes or name not in other.attributes:
        attribute = catalogue.attribute(fact.kind, name)
        return UNKNOWN if attribute is None or attribute.type == "code" else TRUE
    one, two = fact.attributes[name], other.attributes[name]
    if isinstance(one, frozenset) and isinstance(two, frozenset) and one.isdisjoint(two):
        return FALSE
    return TRUE if one == two is not None else UNKNOWN


def _in_place_of(fact: Fact, other: Fact, catalogue: Catalogue) -> bool:
    """Whether the two are of a kind of which a newer record takes the place of an older: of one toxicity."""
    name = catalogue.kinds[fact.kind].supersedes
    value = fact.attributes.get(name) if name else None
    single = isinstance(value, frozenset) and len(value) == 1 and "other" not in value
    return single and other.attributes.get(name) == value


# Which is the later word ----------------------------------------------------------------------------------------


def _over(fact: Fact, other: Fact, catalogue: Catalogue) -> Truth:
    """Whether another record of the episode was made later and says that the period, as it was described, is over.

    Of one day, only one that says so of no later day contradicts it; so does a later one that says so of a day before
    the one on which it was said to go on. Where nothing says when a period without an end was recorded, it may have
    been after the record that knows one.
    """
    ends = not is_open(other, catalogue)
    if not ends and not (_in_place_of(fact, other, catalogue) and other.attributes != fact.attributes):
        return FALSE
    said = charted(fact)
    if said is None:
        return UNKNOWN if ends else FALSE
    first, last = speaks(other)
    before = ends and other.end is not None and last_day(other.end) < said[0]
    if first > said[1]:
        return UNKNOWN if before and fact.ongoing else TRUE
    contradicts = ends and other.end is not None and last_day(other.end) <= said[1]
    return UNKNOWN if contradicts and last >= said[0] else FALSE


def _end(fact: Fact, others: Sequence[Fact], catalogue: Catalogue) -> When:
    """When a period ended, by the newest of the records that say so."""
    newest = max(speaks(other)[0] for other in others)
    spans = [_end_by(fact, other, catalogue) for other in others if speaks(other)[1] >= newest]
    return spans[0] if all(span == spans[0] for span in spans) else When(hull([span.span for span in spans]))


def _end_by(fact: Fact, other: Fact, catalogue: Catalogue) -> When:
    """When one record says that it ended; by the day of that record where it says that it is otherwise now."""
    if other.attributes != fact.attributes and _in_place_of(fact, other, catalogue):
        return _some_day(fact, min(speaks(other)[1], inf if other.end is None else last_day(other.end)))
    assert other.end is not None
    stated = said_open(fact)
    if stated is None or stated[0] <= first_day(other.end):
        return other.end
    return When(replace(other.end.span, low=int(stated[0]) * DAY, low_open=False), other.end.offset)


def _some_day(fact: Fact, last: float | None) -> When:
    """Some day from the one on which it was said to go on, or from its beginning, to a last one."""
    stated = said_open(fact)
    first = max(first_day(fact.start), -inf if stated is None else stated[0])
    bound = None if last is None or last == inf else int(last)
    return between(int(first) if bound is None or first <= bound else int(first_day(fact.start)), bound)
