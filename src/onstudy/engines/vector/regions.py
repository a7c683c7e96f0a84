"""What nobody recorded: the days, and the codes, that coverage and negatives leave for a record that was never made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onstudy.criteria.expr import Type
from onstudy.engines.vector import codes, relations
from onstudy.engines.vector.arrays import (
    FALSE,
    TRUE,
    Index,
    Mask,
    Truths,
    any_at,
    counts_at,
    joined,
    pointers,
    spread,
    whole,
)
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.codes import Codes, Word
from onstudy.engines.vector.denials import Denials, turns, universe
from onstudy.engines.vector.fields import attribute, read
from onstudy.engines.vector.frames import Frame
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.rowsets import Family, RowSet
from onstudy.engines.vector.subjects import Imagined, Recorded
from onstudy.record.catalogue import STATE, Judged
from onstudy.record.shard import NO_DAY, NONE

Days = NDArray[np.int32]
Excluded = frozenset[tuple[str, Word]]


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Stretches of days, each of a row (`at`), without the codes that `states[state]` excludes."""

    at: Index
    first: Days
    last: Days
    state: Index
    states: list[Excluded]

    def take(self, rows: Index) -> Regions:
        """Some of them."""
        return Regions(self.at[rows], self.first[rows], self.last[rows], self.state[rows], self.states)


def imagined(frame: Frame, family: Family, rows: Index) -> Frame:
    """For each of the rows named the records of a kind that could exist and were never made; `at` is the row."""
    key = ("imagined", family.kind.name)
    if key not in frame.memo:  # which rows are named follows from the kind
        part = _imagined(frame.take(rows), family)
        frame.memo[key] = Frame(frame.setting, part.rows, part.pair, part.subjects, rows[part.at])
    found: Frame = frame.memo[key]
    return found


def _imagined(frame: Frame, family: Family) -> Frame:
    rows = frame.rows
    regions = Regions(
        np.arange(rows),
        np.full(rows, -FAR, np.int32),
        np.full(rows, FAR, np.int32),
        np.zeros(rows, np.intp),
        [frozenset()],
    )
    regions = _outside_coverage(regions, frame, family)
    if family.kind.extent != STATE and len(family.negatives):
        regions = _outside_denials(regions, frame, family)
    return _frame_of(regions, frame, family)


# Coverage -------------------------------------------------------------------------------------------------


def _outside_coverage(regions: Regions, frame: Frame, family: Family) -> Regions:
    patients, first, last = family.covers
    ends = pointers(patients, frame.setting.shard.patients.rows)
    at, rows = spread(ends[frame.patient], np.diff(ends)[frame.patient])
    turn = turns(at)
    for number in range(int(turn.max(initial=-1)) + 1):
        mine = turn == number
        begin = np.full(frame.rows, FAR, np.int32)  # nothing is cut out where a row has no such stretch
        end = np.full(frame.rows, -FAR, np.int32)
        begin[at[mine]] = _or(first[rows[mine]], -FAR)
        end[at[mine]] = _or(last[rows[mine]], FAR)
        cut = any_at(frame.rows, at[mine])
        regions = _joined([_kept(regions, ~cut[regions.at]), *_around(_kept(regions, cut[regions.at]), begin, end)])
    return regions


def _or(days: Days, nothing: int) -> Days:
    return np.where(days == NO_DAY, np.int32(nothing), days).astype(np.int32)


def _kept(regions: Regions, rows: Mask) -> Regions:
    return regions.take(np.flatnonzero(rows))


def _around(regions: Regions, begin: Days, end: Days) -> list[Regions]:
    """What is left of each region before and after the stretch of its row; a bound of `FAR` is none."""
    first, last = begin[regions.at], end[regions.at]
    early = _kept(regions, regions.first < first)
    early.last[:] = np.minimum(early.last, begin[early.at] - 1)
    late = _kept(regions, regions.last > last)
    late.first[:] = np.maximum(late.first, end[late.at] + 1)
    return [early, late]


def _joined(parts: Sequence[Regions]) -> Regions:
    at = np.concatenate([part.at for part in parts])
    order = np.argsort(at, kind="stable")
    first, last, state = (
        np.concatenate([getattr(part, name) for part in parts]).take(order) for name in ("first", "last", "state")
    )
    return Regions(at.take(order), first, last, state, max((part.states for part in parts), key=len))


# Negatives ------------------------------------------------------------------------------------------------


def _outside_denials(regions: Regions, frame: Frame, family: Family) -> Regions:
    mine = family.negatives.among(family.itself_and_above)
    negatives = family.negatives.only(np.flatnonzero(whole(mine, len(family.negatives))))
    at, rows = negatives.of(frame.patient)
    denials = Denials(negatives.take(rows), frame.setting, frame.to_pairs(at))
    void, ends = _newer(denials, frame, at, family)
    used, first, last = _surely(denials, ends)
    kept = np.flatnonzero(used & ~void)
    narrowed = whole(denials.narrowed, len(at))[kept]
    pairs, pair = _narrowings(denials.take(kept)) if narrowed.any() else ([], np.zeros(len(kept), np.intp))
    at, first, last = at[kept], first[kept], last[kept]
    turn = turns(at)
    for number in range(int(turn.max(initial=-1)) + 1):
        now = np.flatnonzero(turn == number)
        regions = _excluding(regions, frame.rows, at[now], first[now], last[now], narrowed[now], pair[now], pairs)
    return regions


def _newer(denials: Denials, frame: Frame, at: Index, family: Family) -> tuple[Mask, Mask]:
    """Which negatives newer facts make void, and which they end, or may end, on their day: not those that surely begin
    after the registration day.
    """
    void, ends = np.zeros(len(at), np.bool_), np.zeros(len(at), np.bool_)
    for known, facts in ((True, family.circle), (False, family.unread)):
        if not len(facts) or not len(at):
            continue
        place, beside, others = _beside(denials, frame, at, family, facts)
        concerns = _concerned(beside, others) if known else np.ones(len(place), np.bool_)
        makes_void, before = _effects(beside, others)
        void[place[concerns & makes_void]] = True
        ends[place[concerns & (before != TRUE) & _begun(others)]] = True
    for judged in family.catalogue.reopeners[family.kind.name]:
        ends |= _reopened(denials, frame, at, judged)
    return void, ends


def _reopened(denials: Denials, frame: Frame, at: Index, judged: Judged) -> Mask:
    """Which negatives are older, or may be, than one of the records named, which opens their question anew.

    A record tells when it was by its first possible day, or by its day of record.
    """
    found = np.zeros(len(at), np.bool_)
    family = frame.setting.family(judged.kind)
    if not len(family.records) or not len(at):
        return found
    place, rows = family.records.of(frame.patient[at])
    facts = Recorded(family, family.records, rows, frame.setting, denials.pair[place], plain=False)
    said = denials.take(place).said
    mine = _begun(facts) & (facts.places.moment("recorded").known | (facts.start.first > -FAR))
    for when in (facts.start, facts.ended):
        mine = mine & (relations.at_most(when, said) != TRUE)
    for name, among in family.catalogue.narrowed_by(judged):
        values = read(facts, name, Type("code")).values
        assert isinstance(values, Codes)
        mine = mine & (codes.member(values, among) != FALSE)
    found[place[whole(mine, len(place))]] = True
    return found


def _begun(facts: Recorded) -> Mask:
    """Which do not surely begin after the registration day."""
    found: Mask = relations.before(facts.index, facts.start) != TRUE
    return found


def over(denials: Denials, frame: Frame, at: Index, family: Family) -> Mask:
    """Which negatives of a state a diagnosis that nobody could read has, or may have, ended by the index date; `at` is
    the row of each.
    """
    found = np.zeros(len(at), np.bool_)
    if len(family.unread) and len(at):
        place, beside, others = _beside(denials, frame, at, family, family.unread)
        makes_void, before = _effects(beside, others)
        ends = (before != TRUE) & (beside.said.first < others.index.first)
        found[place[(makes_void | ends) & (relations.at_most(others.start, others.index) != FALSE)]] = True
    return found


def _beside(
    denials: Denials, frame: Frame, at: Index, family: Family, facts: RowSet
) -> tuple[Index, Denials, Recorded]:
    """Each negative beside each of some facts of its patient: which negative it is, that one, and the fact."""
    place, rows = facts.of(frame.patient[at])
    others = Recorded(family, facts, rows, frame.setting, denials.pair[place], plain=False)
    return place, denials.take(place), others


def _effects(denials: Denials, facts: Recorded) -> tuple[Mask, Truths]:
    """Whether the fact beside each negative makes it void, and whether it had begun by the day that was said."""
    before = relations.at_most(facts.start, denials.said)
    recorded = facts.places.moment("recorded")
    later = np.where(recorded.known & denials.recorded.known, relations.before(denials.recorded, recorded), FALSE)
    return (before != FALSE) & (later != FALSE), before


def _concerned(denials: Denials, facts: Recorded) -> Mask:
    """Where a negative may deny the fact beside it: it is of the kind denied, or below it, and may have its codes."""
    families = facts.family.catalogue.families
    below = np.array([[f in families[d] for f in facts.places.kinds] for d in denials.places.kinds], np.bool_)
    left = np.zeros(1, np.intp) if denials.places.piece is None else denials.places.piece
    right = np.zeros(1, np.intp) if facts.places.piece is None else facts.places.piece
    return whole(below[left, right], len(facts)) & _may_concern(denials, facts)


def _may_concern(denials: Denials, facts: Recorded) -> Mask:
    """Where a narrowed negative may speak of the fact beside it; TRUE where it is not narrowed."""
    narrowed = whole(denials.narrowed, len(facts))
    found = ~narrowed
    if not narrowed.any():
        return found
    denied = denials.places.codes("narrowed.code")
    for name in denials.names():
        rows = np.flatnonzero(denials.narrowed_by(name))
        values = attribute(facts.take(rows), name, "code")
        assert isinstance(values, Codes)
        touched = np.array(
            [[bool(v & d) for d in denied.words] for v in values.words] + [[True] * len(denied.words)], np.bool_
        )
        found[rows] = touched[whole(values.index, len(rows)), denied.index[rows]]
    return found


def _surely(denials: Denials, ends: Mask) -> tuple[Mask, Days, Days]:
    """The days on which there surely was nothing: whether there are such days, the first and the last (`FAR`: none)."""
    said, begun = denials.said, denials.begun
    first = np.where(denials.always, -FAR, np.minimum(begun.last, said.last))
    known = denials.always | (first < FAR)
    last = np.where(ends, said.first, FAR)
    return known & (last > -FAR), first.astype(np.int32), last.astype(np.int32)


def _narrowings(denials: Denials) -> tuple[list[tuple[str, Word]], Index]:
    """What narrowed negatives name, and each one's place among it."""
    by, codes = denials.places.codes("narrowed.by"), denials.places.codes("narrowed.code")
    keys, places = np.unique(by.index.astype(np.int64) * (len(codes.words) + 1) + codes.index, return_inverse=True)
    named = [divmod(int(key), len(codes.words) + 1) for key in keys]
    pairs = [(next(iter(by.words[a])), codes.words[b]) if a >= 0 else ("", frozenset[str]()) for a, b in named]
    return pairs, places


def _excluding(
    regions: Regions,
    rows: int,
    at: Index,
    first: Days,
    last: Days,
    narrowed: Mask,
    pair: Index,
    pairs: Sequence[tuple[str, Word]],
) -> Regions:
    """The regions after a negative of each row in `at`: outside its days or, if it is narrowed, without its codes."""
    begin, end = np.full(rows, FAR, np.int32), np.full(rows, -FAR, np.int32)
    begin[at], end[at] = first, last
    which = np.full(rows, NONE)
    which[at[narrowed]] = pair[narrowed]
    cut = any_at(rows, at)[regions.at]
    touched = _kept(regions, cut)
    without = _kept(touched, which[touched.at] >= 0)
    return _widest(
        _joined([_kept(regions, ~cut), *_around(touched, begin, end), _less(without, which[without.at], pairs)]), rows
    )


def _less(regions: Regions, pair: Index, pairs: Sequence[tuple[str, Word]]) -> Regions:
    """The regions with one more exclusion each."""
    if not len(regions.at):
        return regions
    keys, places = np.unique(regions.state.astype(np.int64) * len(pairs) + pair, return_inverse=True)
    states = list(regions.states)
    known = {state: place for place, state in enumerate(states)}
    new = []
    for key in keys:
        state = states[int(key) // len(pairs)] | {pairs[int(key) % len(pairs)]}
        if state not in known:
            known[state] = len(states)
            states.append(state)
        new.append(known[state])
    return Regions(regions.at, regions.first, regions.last, np.array(new, np.intp)[places], states)


def _widest(regions: Regions, rows: int) -> Regions:
    """The regions without those that lie in another of their row and exclude no less: they could hold nothing more."""
    if counts_at(rows, regions.at).max(initial=0) < 2:
        return regions
    one, other = joined(regions.at, regions.at, rows)
    within = (regions.first[one] <= regions.first[other]) & (regions.last[one] >= regions.last[other])
    fewer = np.array([[a <= b for b in regions.states] for a in regions.states], np.bool_)
    holds = within & fewer[regions.state[one], regions.state[other]]
    equal = (
        (regions.first[one] == regions.first[other])
        & (regions.last[one] == regions.last[other])
        & (regions.state[one] == regions.state[other])
    )
    dropped = any_at(len(regions.at), other[holds & (~equal | (one < other))])
    return _kept(regions, ~dropped)


# Records that could exist ---------------------------------------------------------------------------------


def _frame_of(regions: Regions, frame: Frame, family: Family) -> Frame:
    """The regions as records; one whose every value of an attribute is denied cannot exist."""
    names = sorted({name for state in regions.states for name, _ in state})
    left: dict[str, Codes] = {}
    possible = np.ones(len(regions.states), np.bool_)
    for name in names:
        everything = universe(family.catalogue, family.kind.name, name)
        words: dict[Word, int] = {}
        index = np.full(len(regions.states), NONE)
        for place, state in enumerate(regions.states):
            denied = [codes for by, codes in state if by == name]
            if denied:
                word = everything.difference(*denied)
                index[place] = words.setdefault(word, len(words))
                possible[place] &= bool(word)
        left[name] = Codes(index[regions.state], tuple(words))
    kept = np.flatnonzero(possible[regions.state])
    found = regions.take(kept)
    subjects = Imagined(Moments(found.first, found.last), {name: codes.take(kept) for name, codes in left.items()})
    return Frame(frame.setting, len(found.at), frame.to_pairs(found.at), subjects, found.at)


def nothing_said(frame: Frame) -> Frame:
    """For each row one record of which nothing is known, of whatever kind: where nothing excludes any."""
    if "nothing said" not in frame.memo:
        rows = np.arange(frame.rows)
        frame.memo["nothing said"] = Frame(frame.setting, frame.rows, frame.to_pairs(rows), Imagined(), rows)
    found: Frame = frame.memo["nothing said"]
    return found
