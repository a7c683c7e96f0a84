"""Results of one sample put together, many at once: `record/samples.py` for the usual case.

Usual is that every component of a sample is there once, on one date, and that the source did not put them together
itself. The patients of every other sample are told, to be put together one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_classes import factorised
from onstudy.population.bulk_facts import Bases, Components, Facts, component_names
from onstudy.population.bulk_moments import INSTANT, INSTANT_OFFSET, Moments, kept, none
from onstudy.population.bulk_numbers import Flags
from onstudy.population.bulk_order import in_order
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_spans import no_numbers
from onstudy.population.bulk_texts import same_text, texts_of
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.record.samples import IMPRECISE_DATE
from onstudy.record.shard import NO_DAY, NO_INSTANT
from onstudy.values.calendar import DAY, SECOND, show

#: Characters of an instant on the minute before what is shown of its offset.
_TO_THE_MINUTE = len("2026-03-01T10:11")
_MINUTE, _EPOCH = 60 * SECOND, date(1970, 1, 1).toordinal()
#: How it is told which results are of one sample: by its name, by the moment, by the day; or not at all.
_SAMPLE, _MOMENT, _DAY, _ALONE = range(4)


@dataclass(frozen=True, eq=False)
class Grouped:
    """Composites made of loose results: they follow the facts they were made of, whose places stay."""

    made: Facts
    parts: Components  # the wholes by their places when they stand after all other facts
    odd: Ints  # patients whose samples are not the usual ones


def composed(
    facts: Facts, kind: NDArray[np.int32], kinds: list[str], inner: Flags, bases: Bases, catalogue: Catalogue
) -> Grouped:
    """The composites of all loose components. `kind` is the place of each fact's kind in `kinds`, `inner` tells the
    components that a source put together itself.
    """
    home = np.array([_home(name, catalogue) for name in kinds], np.int32)
    negative = np.array([base.negative for base in bases.facts], bool)[facts.base]
    loose = np.flatnonzero((home[kind] >= 0) & ~inner & ~negative)
    composites = [entry.name for entry in catalogue if entry.components]
    keys = _Keys(facts)
    stated = np.flatnonzero(np.isin(kind, [n for n, name in enumerate(kinds) if name in composites]))
    return _Composer(facts, kind, kinds, home, composites, bases, catalogue, keys).made(loose, stated)


def _home(kind: str, catalogue: Catalogue) -> int:
    composites = [entry.name for entry in catalogue if entry.components]
    found = catalogue.composites.get(kind)
    return -1 if found is None else composites.index(found[0])


class _Keys:
    """What results of one sample have in common, as numbers: the sort of key, and two values."""

    def __init__(self, facts: Facts) -> None:
        start = facts.start
        first, last = start.days
        self.day = np.where(first == last, first, NO_DAY)
        named = facts.sample.there
        exact = (start.low == start.high) & (start.low != NO_INSTANT)
        self.sort = np.select([named, exact, self.day != NO_DAY], [_SAMPLE, _MOMENT, _DAY], _ALONE).astype(np.int64)
        sample = facts.sample.codes()
        self.one = np.select(
            [named, exact, self.day != NO_DAY], [sample, start.low, self.day], np.arange(len(facts))
        ).astype(np.int64)
        self.other = np.where(named, self.day, np.where(exact, start.offset, 0)).astype(np.int64)


class _Composer:
    """Makes composites of the loose components of one shard."""

    def __init__(
        self, facts: Facts, kind: NDArray[np.int32], kinds: list[str], home: NDArray[np.int32], composites: list[str],
        bases: Bases, catalogue: Catalogue, keys: _Keys,
    ) -> None:  # fmt: skip
        self.facts, self.kind, self.kinds, self.home = facts, kind, kinds, home
        self.composites, self.bases, self.catalogue, self.keys = composites, bases, catalogue, keys

    def made(self, loose: Ints, stated: Ints) -> Grouped:
        """The composites of loose results, beside those that are stated."""
        whose = self.home[self.kind[loose]].astype(np.int64)
        own = np.array([self.composites.index(self.kinds[k]) for k in self.kind[stated].tolist()], np.int64)
        every = np.concatenate([loose, stated])
        group = factorised(
            self.facts.patient[every], np.concatenate([whose, own]),
            self.keys.sort[every], self.keys.one[every], self.keys.other[every],
        )  # fmt: skip
        odd = [self._odd_stated(stated, group[len(loose) :], group[: len(loose)])]
        group = group[: len(loose)]
        order = in_order(group, self.kind[loose])
        loose, group = loose[order], group[order]
        first = np.flatnonzero(np.diff(group, prepend=-1))
        count = np.diff([*first.tolist(), len(group)])
        twice = (np.diff(group, prepend=-1) == 0) & (np.diff(self.kind[loose], prepend=-1) == 0)
        apart = self._apart(loose, first, count)
        odd.append(self.facts.patient[loose[twice | np.repeat(apart, count)]])
        wanted = self._identified(loose, first, count)
        members = loose[np.repeat(wanted, count)]
        first, count = _begins(count[wanted]), count[wanted]
        unsure = (self.keys.sort[members[first]] == _DAY) & (count > 1)  # the day alone does not join them
        odd.append(self._beside_others(members[first], unsure, stated))
        telling = np.array([self._tells(name) for name in self.kinds], np.int64)[self.kind[members]]
        few = np.add.reduceat(telling, first) < 2 if len(first) else unsure  # whether it matters, a formula decides
        odd.append(self.facts.patient[members[first[unsure & few]]])
        facts = self._wholes(members, first, count, unsure)
        wholes = np.repeat(np.arange(len(first)) + len(self.facts), count)
        numbers = np.array([self._number(name) for name in self.kinds], np.int64)
        parts = Components(wholes, members, numbers[self.kind[members]])
        return Grouped(facts, parts, np.unique(np.concatenate(odd)))

    def _number(self, kind: str) -> int:
        """The number of the name a kind has as a component."""
        home = self.catalogue.composites.get(kind)
        return -1 if home is None else component_names(self.catalogue).index(home[1])

    def _odd_stated(self, stated: Ints, own: Ints, loose: Ints) -> Ints:
        """Patients with two composites of one sample, or with loose results beside one."""
        _, place, many = np.unique(own, return_inverse=True, return_counts=True)
        double = many[place] > 1 if len(own) else np.zeros(0, bool)
        return self.facts.patient[stated[double | np.isin(own, loose)]]

    def _apart(self, loose: Ints, first: Ints, count: Ints) -> Flags:
        """Groups whose results do not all have one date, or whose days of record cannot be put in order."""
        start, recorded = self.facts.start.take(loose), self.facts.recorded.take(loose)
        same = np.ones(len(loose), bool)
        for column in (start.low, start.high, start.flags, start.offset):
            same &= column == np.repeat(column[first], count)
        both = recorded.stated & np.repeat(recorded.stated[first], count)
        same &= ~both | (recorded.offset == np.repeat(recorded.offset[first], count))
        return ~np.logical_and.reduceat(same, first) if len(first) else np.zeros(0, bool)

    def _identified(self, loose: Ints, first: Ints, count: Ints) -> Flags:
        """Groups that make a composite: with a component that tells what it is."""
        telling = np.array([self._tells(name) for name in self.kinds], bool)[self.kind[loose]]
        return np.logical_or.reduceat(telling, first) if len(first) else np.zeros(0, bool)

    def _tells(self, kind: str) -> bool:
        home = self.catalogue.composites.get(kind)
        if home is None:
            return False
        identifying = self.catalogue.kinds[home[0]].identifying
        return not identifying or home[1] in identifying

    def _beside_others(self, heads: Ints, unsure: Flags, stated: Ints) -> Ints:
        """Patients with a composite that may be none, beside another one of its kind on its date."""
        own = np.array([self.composites.index(self.kinds[k]) for k in self.kind[stated].tolist()], np.int64)
        whose = np.concatenate([self.home[self.kind[heads]].astype(np.int64), own])
        every = np.concatenate([heads, stated])
        start = self.facts.start.take(every)
        same = factorised(self.facts.patient[every], whose, start.low, start.high)
        many = np.bincount(same)[same] > 1 if len(same) else np.zeros(0, bool)
        return self.facts.patient[heads[unsure & many[: len(heads)]]]

    def _wholes(self, members: Ints, first: Ints, count: Ints, unsure: Flags) -> Facts:
        """The composites, each of `count` members from `first` on; of those unsure it is not known whether they are."""
        facts = self.facts
        head = members[first]
        certain = np.array([base.certain for base in self.bases.facts], bool)[facts.base[members]]
        sure = np.logical_and.reduceat(certain, first) if len(first) else np.zeros(0, bool)
        plain = {
            name: [
                self.bases.place(Fact("", name, certain=yes, lacks=lacks))
                for lacks in (None, IMPRECISE_DATE)
                for yes in (False, True)
            ]
            for name in self.composites
        }
        whose = self.home[self.kind[head]]
        base = np.array(
            [
                plain[self.composites[k]][which]
                for k, which in zip(whose.tolist(), (sure + 2 * unsure).tolist(), strict=True)
            ],
            np.int64,
        )
        start = facts.start.take(head)
        empty = no_numbers(len(head))
        return Facts(
            facts.patient[head], base, start, none(len(head)), _latest(facts.recorded.take(members), first, count),
            empty, empty, empty,
            texts_of(self._ids(head, whose)), texts_of(_joined(facts.source.take(members).array(), first, count)),
            same_text("", len(head)), facts.sample.take(head),
        )  # fmt: skip

    def _ids(self, head: Ints, whose: NDArray[np.int32]) -> pa.Array:
        """`composite@sample/day`, or the moment, the day, or the one result in place of the sample."""
        names = pa.array(self.composites, pa.string()).take(pa.array(whose))
        sort, day = self.keys.sort[head], self.keys.day[head]
        when = _shown(self.facts.start.take(head))
        number = pa.array(np.where(day == NO_DAY, 0, day)).cast(pa.string())
        number = pc.if_else(pa.array(day == NO_DAY), "", number)
        sample = pc.binary_join_element_wise(self.facts.sample.take(head).array(), number, "/")
        key = pc.if_else(pa.array(sort == _SAMPLE), sample, when)
        key = pc.if_else(pa.array(sort == _ALONE), self.facts.id.take(head).array(), key)
        return pc.binary_join_element_wise(names, key, "@")


def _begins(count: Ints) -> Ints:
    return np.cumsum(count) - count


def _shown(start: Moments) -> pa.Array:
    """The moments as they are shown; each different one is shown once."""
    codes = factorised(start.low, start.high, start.offset.astype(np.int64))
    first = np.unique(codes, return_index=True)[1]
    return shown_moments(start.take(first)).take(pa.array(codes))


def shown_moments(moments: Moments) -> pa.Array:
    """What `show` makes of each: days, and instants on the minute, all at once."""
    days, minutes = moments.low // DAY - _EPOCH, moments.low // _MINUTE - _EPOCH * (DAY // _MINUTE)
    whole = moments.whole_days
    instant = (moments.classes == INSTANT) | (moments.classes == INSTANT_OFFSET)
    instant &= moments.low % _MINUTE == 0
    texts = np.full(len(moments), "", object)
    texts[whole] = np.datetime_as_string(days[whole].astype("M8[D]"))
    texts[instant] = np.datetime_as_string(minutes[instant].astype("M8[m]"))
    for offset in np.unique(moments.offset[instant]).tolist():
        some = np.flatnonzero(instant & (moments.offset == offset))
        texts[some] += _shown_at(moments, int(some[0]))[_TO_THE_MINUTE:]
    for row in np.flatnonzero(~whole & ~instant & moments.stated).tolist():
        texts[row] = _shown_at(moments, row)
    return pa.array(texts, pa.string())


def _shown_at(moments: Moments, row: int) -> str:
    when = moments.at(row)
    assert when is not None, "only what is stated is shown"
    return show(when)


def _latest(recorded: Moments, first: Ints, count: Ints) -> Moments:
    """The latest day of record of each group; none where one of its results has none."""
    if not len(first):
        return none(0)
    known = recorded.stated & (recorded.high != NO_INSTANT)
    group = np.repeat(np.arange(len(first)), count)
    low = np.where(recorded.low == NO_INSTANT, 0, recorded.low)
    order = np.lexsort((-np.arange(len(group)), low, np.where(known, recorded.high, NO_INSTANT), group))
    last = order[np.cumsum(count) - 1]
    return kept(recorded.take(last), np.logical_and.reduceat(known, first))


def _joined(texts: pa.Array, first: Ints, count: Ints) -> pa.Array:
    """The different texts of each group, sorted and listed."""
    group = np.repeat(np.arange(len(first)), count)
    table = pa.table({"group": pa.array(group), "text": texts})
    order = pc.sort_indices(table, sort_keys=[("group", "ascending"), ("text", "ascending")])
    ordered = texts.take(order)
    offsets = np.append(first, len(group)).astype(np.int32)
    if len(ordered) > 1:
        same = pc.equal(ordered.slice(1), ordered.slice(0, len(ordered) - 1)).to_numpy(zero_copy_only=False)
        same = np.append([False], same) & (np.diff(group, prepend=-1) == 0)
        if same.any():
            ordered = ordered.filter(pa.array(~same))
            offsets = np.append(0, np.cumsum(np.bincount(group[~same], minlength=len(first)))).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), ordered), ", ")
