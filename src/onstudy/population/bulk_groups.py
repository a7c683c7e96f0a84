"""Results of one sample put together, many at once: `record/samples.py` for the usual case.

Usual is that every component of a sample is there once, on one date, and that the source did not put them together
itself. The patients of every other sample are told, to be put together one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_classes import factorised
from onstudy.population.bulk_facts import Bases, Components, Facts, component_names
from onstudy.population.bulk_moments import INSTANT, INSTANT_OFFSET, ONE_DAY, Moments, kept, none
from onstudy.population.bulk_numbers import Flags
from onstudy.population.bulk_order import in_groups
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_same import is_same
from onstudy.population.bulk_spans import no_numbers
from onstudy.population.bulk_texts import Texts, same_text, texts_of
from onstudy.population.numbered import Numbered
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.record.samples import IMPRECISE_DATE
from onstudy.record.shard import NO_DAY, NO_INSTANT, NO_OFFSET
from onstudy.values.calendar import DAY, When, show
from onstudy.values.interval import Interval

#: Characters of what is shown of a day, which those of a time of day follow.
_THE_DATE = len("2026-03-01")
_EPOCH = date(1970, 1, 1).toordinal()
#: In place of an offset: a day without a time.
_A_DAY = NO_OFFSET - 1
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
    composites = [entry.name for entry in catalogue if entry.components]
    homes = [catalogue.composites.get(name) for name in kinds]
    home = np.array([-1 if found is None else composites.index(found[0]) for found in homes], np.int32)
    negative = np.array([base.negative for base in bases.facts], bool)
    loose = np.flatnonzero((home >= 0)[kind])
    loose = loose[~(inner[loose] | negative[facts.base[loose]])]
    stated = np.flatnonzero(np.array([name in composites for name in kinds], bool)[kind])
    return _Composer(facts, kind, kinds, home, composites, bases, catalogue).made(loose, stated)


class _Keys:
    """What results of one sample have in common, as numbers: the sort of key, and two values."""

    def __init__(self, facts: Facts, rows: Ints) -> None:
        start = self.start = facts.start.take(rows)
        first, last = start.days
        self.day = np.where(first == last, first, NO_DAY)
        named = facts.sample.take(rows).there
        exact = (start.low == start.high) & (start.low != NO_INSTANT)
        self.sort = np.select([named, exact, self.day != NO_DAY], [_SAMPLE, _MOMENT, _DAY], _ALONE).astype(np.int64)
        one = np.select([exact, self.day != NO_DAY], [start.low, self.day], rows)
        other = np.where(exact, start.offset, 0).astype(np.int64)
        if named.any():
            one = np.where(named, facts.sample.take(rows).codes(), one)
            other = np.where(named, self.day, other)
        self.one, self.other = factorised(one), factorised(other)


class _Composer:
    """Makes composites of the loose components of one shard."""

    def __init__(
        self, facts: Facts, kind: NDArray[np.int32], kinds: list[str], home: NDArray[np.int32], composites: list[str],
        bases: Bases, catalogue: Catalogue,
    ) -> None:  # fmt: skip
        self.facts, self.kind, self.kinds, self.home = facts, kind, kinds, home
        self.composites, self.bases, self.catalogue = composites, bases, catalogue
        names = component_names(catalogue)
        homes = [catalogue.composites.get(name) for name in kinds]
        #: The number of the name each kind has as a component.
        self.name = np.array([-1 if home is None else names.index(home[1]) for home in homes], np.int64)
        self.names = len(names)

    def made(self, loose: Ints, stated: Ints) -> Grouped:
        """The composites of loose results, beside those that are stated."""
        own = np.array([self.composites.index(self.kinds[k]) for k in self.kind[stated].tolist()], np.int64)
        every = np.concatenate([loose, stated])
        whose = np.concatenate([self.home[self.kind[loose]], own])
        keys = _Keys(self.facts, every)
        order, begins = in_groups(self.facts.patient[every], whose, keys.sort, keys.one, keys.other)
        odd = [self._odd_stated(every[order], begins, order >= len(loose))] if len(stated) else []
        if len(stated):  # from here on only what is loose
            group = np.cumsum(begins)[order < len(loose)]
            order, begins = order[order < len(loose)], np.diff(group, prepend=0) > 0
        first = np.flatnonzero(begins)
        count = np.diff(first, append=len(order))
        loose = every[order]
        odd.append(self._unlike(loose, begins, keys.start.take(order)))
        wanted = self._identified(loose, first)
        if not wanted.all():
            order = order[np.repeat(wanted, count)]
            loose, count = every[order], count[wanted]
            first = np.cumsum(count) - count
        members, heads = loose, order[first]
        unsure = (keys.sort[heads] == _DAY) & (count > 1)  # the day alone does not join them
        if unsure.any():
            odd.append(self._beside_others(every[heads], unsure, stated))
            telling = np.array([self._tells(name) for name in self.kinds], np.int64)[self.kind[members]]
            few = np.add.reduceat(telling, first) < 2  # whether it matters, a formula decides
            odd.append(self.facts.patient[every[heads[unsure & few]]])
        ids = self._ids(every, heads, whose[heads], keys)
        facts = self._wholes(members, first, count, unsure, ids)
        wholes = np.repeat(np.arange(len(first)) + len(self.facts), count)
        parts = Components(wholes, members, self.name[self.kind[members]])
        return Grouped(facts, parts, np.unique(np.concatenate(odd)))

    def _odd_stated(self, places: Ints, begins: Flags, stated: Flags) -> Ints:
        """Patients with two composites of one sample, or with loose results beside one."""
        group = np.cumsum(begins) - 1
        beside = np.bincount(group)[group] > 1
        return np.asarray(self.facts.patient[places[stated & beside]])

    def _unlike(self, loose: Ints, begins: Flags, start: Moments) -> Ints:
        """Patients with a group in which a component is there twice, or whose results do not all have one date, or
        whose days of record cannot be put in order.
        """
        within = ~begins[1:]
        wrong = np.zeros(len(within), bool)
        for column in (start.low, start.high, start.flags, start.offset):
            wrong |= column[1:] != column[:-1]
        wrong &= within
        group = np.cumsum(begins) - 1
        odd = [loose[1:][wrong]]
        recorded = self.facts.recorded.take(loose)
        if not is_same(recorded.offset):
            head = np.flatnonzero(begins)[group]
            both = recorded.stated & recorded.stated[head]
            odd.append(loose[both & (recorded.offset != recorded.offset[head])])
        component = group * self.names + self.name[self.kind[loose]]
        odd.append(loose[np.bincount(component)[component] > 1] if len(loose) else loose)
        return np.asarray(self.facts.patient[np.concatenate(odd)])

    def _identified(self, loose: Ints, first: Ints) -> Flags:
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

    def _wholes(self, members: Ints, first: Ints, count: Ints, unsure: Flags, ids: Texts) -> Facts:
        """The composites, each of `count` members from `first` on; of those unsure it is not known whether they are."""
        facts = self.facts
        head = members[first]
        certain = np.array([base.certain for base in self.bases.facts], bool)[facts.base[members]]
        sure = np.logical_and.reduceat(certain, first) if len(first) else np.zeros(0, bool)
        plain = [
            [
                self.bases.place(Fact("", name, certain=yes, lacks=lacks))
                for lacks in (None, IMPRECISE_DATE)
                for yes in (False, True)
            ]
            for name in self.composites
        ]
        base = np.array(plain, np.int64)[self.home[self.kind[head]], sure + 2 * unsure]
        empty = no_numbers(len(head))
        return Facts(
            facts.patient[head], base, facts.start.take(head), none(len(head)),
            _latest(facts.recorded.take(members), first, count), empty, empty, empty,
            ids, texts_of(_joined(facts.source.take(members).numbered(), first, count)),
            same_text("", len(head)), facts.sample.take(head),
        )  # fmt: skip

    def _ids(self, every: Ints, heads: Ints, whose: Ints, keys: _Keys) -> Texts:
        """`composite@sample/day`, or the moment, the day, or the one result in place of the sample.

        `heads` are places in `every`. Each different id is made once.
        """
        same, some = _numbered(keys.sort[heads], keys.one[heads], keys.other[heads])
        sort, day, rows = keys.sort[heads[some]], keys.day[heads[some]], every[heads[some]]
        key = shown_moments(keys.start.take(heads[some]))
        if (sort == _SAMPLE).any():
            number = pc.if_else(pa.array(day == NO_DAY), "", pa.array(day).cast(pa.string()))
            sample = pc.binary_join_element_wise(self.facts.sample.take(rows).array(), number, "/")
            key = pc.if_else(pa.array(sort == _SAMPLE), sample, key)
        if (sort == _ALONE).any():
            key = pc.if_else(pa.array(sort == _ALONE), self.facts.id.take(rows).array(), key)
        assert not key.null_count, "every result has an id"
        codes, some = _numbered(whose, same)
        names = pa.array(self.composites, pa.string()).take(pa.array(whose[some]))
        ids = pc.binary_join_element_wise(names, key.take(pa.array(same[some])), "@")
        return replace(texts_of(ids), place=codes)


def _numbered(*keys: Ints) -> tuple[Ints, Ints]:
    """A number for each combination of keys, and where one of each stands."""
    codes = factorised(*keys)
    some = np.empty(int(codes.max(initial=-1)) + 1, np.int64)
    some[codes] = np.arange(len(codes))
    return codes, some


def shown_moments(moments: Moments) -> pa.Array:
    """What `show` makes of each: of days and instants for each date and each time of day once."""
    classes = moments.classes
    usual = (classes == ONE_DAY) | (classes == INSTANT) | (classes == INSTANT_OFFSET)
    low = np.where(usual, moments.low, 0)
    days, day = _numbered(low // DAY)
    dates = pa.array((low[day] // DAY - _EPOCH).astype("M8[D]")).cast(pa.string())
    offsets = np.where(classes == ONE_DAY, _A_DAY, moments.offset.astype(np.int64))
    clocks, clock = _numbered(low % DAY, offsets)
    times = pa.array(map(_time_of_day, (low[clock] % DAY).tolist(), offsets[clock].tolist()), pa.string())
    texts = pc.binary_join_element_wise(dates.take(pa.array(days)), times.take(pa.array(clocks)), "")
    if usual.all():
        return texts
    found = texts.to_numpy(zero_copy_only=False)
    found[~usual] = ""
    for row in np.flatnonzero(~usual & moments.stated).tolist():
        found[row] = _shown_at(moments, row)
    return pa.array(found, pa.string())


@lru_cache(1 << 16)
def _time_of_day(clock: int, offset: int) -> str:
    """What is shown after its date of an instant so many microseconds into a day; nothing of a whole day."""
    if offset == _A_DAY:
        return ""
    at = Interval(_EPOCH * DAY + clock, _EPOCH * DAY + clock)
    return show(When(at, None if offset == NO_OFFSET else offset))[_THE_DATE:]


def _shown_at(moments: Moments, row: int) -> str:
    when = moments.at(row)
    assert when is not None, "only what is stated is shown"
    return show(when)


def _latest(recorded: Moments, first: Ints, count: Ints) -> Moments:
    """The latest day of record of each group; none where one of its results has none."""
    if not len(first) or (is_same(recorded.stated) and not recorded.stated[0]):
        return none(len(first))
    known = recorded.stated & (recorded.high != NO_INSTANT)
    group = np.repeat(np.arange(len(first)), count)
    latest = np.ones(len(group), bool)
    for bound in (np.where(known, recorded.high, NO_INSTANT), np.where(recorded.low == NO_INSTANT, 0, recorded.low)):
        bound = np.where(latest, bound, NO_INSTANT)
        latest &= bound == np.maximum.reduceat(bound, first)[group]
    place = np.flatnonzero(latest)
    one = place[np.diff(group[place], prepend=-1) > 0]
    return kept(recorded.take(one), np.logical_and.reduceat(known, first))


def _joined(given: Numbered, first: Ints, count: Ints) -> pa.Array:
    """The different texts of each group, sorted and listed."""
    group = np.repeat(np.arange(len(first)), count)
    beginning, ends = given.parted  # the beginning is written with the separator
    texts = _sorted_within(ends, group)
    offsets = np.append(first, len(group)).astype(np.int32)
    if len(texts) > 1:
        same = pc.equal(texts.slice(1), texts.slice(0, len(texts) - 1)).to_numpy(zero_copy_only=False)
        same = np.append([False], same) & (np.diff(group, prepend=-1) == 0)
        if same.any():
            texts = texts.filter(pa.array(~same))
            offsets = np.append(0, np.cumsum(np.bincount(group[~same], minlength=len(first)))).astype(np.int32)
    listed = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), texts), f", {beginning}")
    return pc.binary_join_element_wise(beginning, listed, "") if beginning else listed


def _sorted_within(texts: pa.Array, group: Ints) -> pa.Array:
    """The texts with those of each group sorted; mostly they are."""
    last = max(len(texts) - 1, 0)
    falling = pc.greater(texts.slice(0, last), texts.slice(1)).to_numpy(zero_copy_only=False)
    falling &= np.diff(group) == 0
    if not falling.any():
        return texts
    concerned = np.zeros(len(texts), bool)
    concerned[group[1:][falling]] = True
    some = np.flatnonzero(concerned[group])
    table = pa.table({"group": pa.array(group[some]), "text": texts.take(pa.array(some))})
    order = np.arange(len(texts))
    order[some] = some[pc.sort_indices(table, sort_keys=[("group", "ascending"), ("text", "ascending")]).to_numpy()]
    return texts.take(pa.array(order))
