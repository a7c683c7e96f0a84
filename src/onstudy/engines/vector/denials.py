"""Negatives: whom they deny, how long they hold, and what they leave possible.

Each recorded "no" is looked at beside each record of the same patient: one row for every two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from onstudy.engines.vector import codes, moments, relations
from onstudy.engines.vector.arrays import FALSE, TRUE, Array, Index, Mask, Truths, any_at, whole
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.codes import Codes, Word
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.places import Places
from onstudy.engines.vector.rowsets import RowSet
from onstudy.engines.vector.subjects import Dated, Recorded
from onstudy.record.catalogue import DAY, NO, YES, Catalogue
from onstudy.record.shard import NONE

YES_NO = frozenset({YES, NO})


class Denials:
    """Negatives, each of a pair: one that says no day speaks of the day the pair was prepared for."""

    def __init__(self, places: Places, setting: Dated, pair: Index) -> None:
        self.places, self.setting, self.pair = places, setting, pair

    @cached_property
    def end(self) -> Moments:
        """The day up to which each speaks; where neither that nor a day of record is stated, the day prepared for."""
        end, recorded = self.places.moment("end"), self.places.moment("recorded")
        said = (end.known & _bounded(end)) | recorded.known
        if said.all():
            return end
        size = len(self.places)
        return moments.placed_at(whole(said, size), end, self.setting.prepared.take(self.pair))

    @cached_property
    def said(self) -> Moments:
        """The days on which each may have been said, and up to which it speaks."""
        if bool(self.end.known.all()):
            return _days(self.end)
        recorded = self.places.moment("recorded")
        first, last = np.where(recorded.known, recorded.first, -FAR), np.where(recorded.known, recorded.last, FAR)
        known = self.end.known
        return Moments(
            np.where(known, self.end.first, first).astype(np.int32),
            np.where(known, self.end.last, last).astype(np.int32),
        )

    @cached_property
    def recorded(self) -> Moments:
        """The day each was recorded, else the day up to which it speaks; not `stated` where nothing is known of it."""
        recorded = self.places.moment("recorded")
        first = np.where(recorded.known, recorded.first, self.said.first)
        last = np.where(recorded.known, recorded.last, self.said.last)
        return Moments(first, last, stated=(first > -FAR) | (last < FAR))

    @cached_property
    def statement(self) -> Moments:
        """When each was made: the day up to which it speaks, else the day it was recorded, else when it began."""
        size = len(self.places)
        recorded = self.places.moment("recorded")
        other = moments.placed_at(whole(recorded.known, size), recorded, self.places.moment("start", required=True))
        return moments.placed_at(whole(self.end.known, size), self.end, other)

    @cached_property
    def begun(self) -> Moments:
        """From when on each speaks; unbounded is from the beginning of history."""
        start = self.places.moment("start", required=True)
        own = _bounded(start)
        day = self.places.spread(
            [self.setting.catalogue.kinds[kind].negative == DAY for kind in self.places.kinds], np.bool_
        )
        first = np.where(own, start.first, np.where(day, self.said.first, -FAR))
        last = np.where(own, start.last, np.where(day, self.said.last, FAR))
        return Moments(first.astype(np.int32), last.astype(np.int32))

    @cached_property
    def always(self) -> Mask:
        """Those that speak from the beginning of history on."""
        return ~_bounded(self.begun)

    @cached_property
    def narrowed(self) -> Mask:
        """Those that are narrowed by an attribute."""
        return self.places.codes("narrowed.by").stated if self.places.has("narrowed.by") else np.zeros(1, np.bool_)

    def names(self) -> list[str]:
        """The attributes by which any is narrowed."""
        found = self.places.codes("narrowed.by")
        used = np.flatnonzero(np.bincount(found.index + 1, minlength=1)[1:])  # -1 is no value
        return sorted({next(iter(found.words[place])) for place in used})

    def narrowed_by(self, name: str) -> Mask:
        """Those that are narrowed by one attribute."""
        found = self.places.codes("narrowed.by")
        return found.look_up(np.array([word == {name} for word in found.words] + [False], np.bool_))

    def take(self, rows: Array) -> Denials:
        """Some of them."""
        return Denials(self.places.take(rows), self.setting, self.pair[rows])


def _bounded(found: Moments) -> Mask:
    return (found.first > -FAR) | (found.last < FAR)


def _days(found: Moments) -> Moments:
    return Moments(found.first, found.last)


class Facing:
    """Records beside the negatives of the same patient: for each two of them the place of either."""

    def __init__(self, subjects: Recorded, negatives: RowSet) -> None:
        self.subjects = subjects
        self.record, rows = negatives.of(subjects.patient)
        self.denials = Denials(negatives.take(rows), subjects.setting, subjects.pair[self.record])

    def __len__(self) -> int:
        return len(self.record)

    @cached_property
    def start(self) -> Moments:
        """When the records began."""
        return self.subjects.start.take(self.record)

    @cached_property
    def ended(self) -> Moments:
        """When they may have ended."""
        return self.subjects.ended.take(self.record)

    @cached_property
    def recorded_later(self) -> Truths:
        """Whether the record was made after the negative; without both days there is no telling, and it was not."""
        fact = self.subjects.places.moment("recorded").take(self.record)
        other = self.denials.recorded
        later = relations.before(_days(other), _days(fact))
        return np.where(fact.known & other.known, later, FALSE)

    def related(self, relation: Mapping[str, Iterable[str]]) -> Mask:
        """Which two are of kinds of which the record's maps to the negative's."""
        records, negatives = self.subjects.places, self.denials.places
        table = np.array([[n in set(relation[r]) for n in negatives.kinds] for r in records.kinds], np.bool_)
        left = np.zeros(1, np.intp) if records.piece is None else records.piece[self.record]
        right = np.zeros(1, np.intp) if negatives.piece is None else negatives.piece
        return whole(table[left, right], len(self))

    @cached_property
    def concerned(self) -> Mask:
        """The negatives of the record's own kind and of the groups above it."""
        catalogue = self.subjects.family.catalogue
        return self.related({kind: {kind, *catalogue.ancestors(kind)} for kind in self.subjects.places.kinds})

    @cached_property
    def _until(self) -> Truths:
        """Whether the negatives were said on the days of the record or later."""
        return relations.at_most(self.start, self.denials.said)

    @cached_property
    def _since(self) -> Truths:
        """Whether they speak of days from before the record's end on."""
        return np.where(self.denials.always, TRUE, relations.at_most(self.denials.begun, self.ended))

    @cached_property
    def covers(self) -> Mask:
        """Negatives, recorded no earlier, that surely speak of the days of the record."""
        found: Mask = (self.recorded_later == FALSE) & (self._until == TRUE) & (self._since == TRUE)
        return found

    @cached_property
    def may_speak(self) -> Mask:
        """Negatives that speak, or may speak, of the days of the record, and were not surely recorded before it."""
        found: Mask = (self.recorded_later != TRUE) & (self._until != FALSE) & (self._since != FALSE)
        return found

    def among_denied(self, attribute: Mapping[str, Codes], whole_word: bool, unknown: bool) -> Mask:
        """Where a narrowed negative names all (else some) codes of the record's attribute; TRUE where not narrowed.

        `unknown` is the answer for an attribute without a value.
        """
        found = whole(~self.denials.narrowed, len(self)).copy()
        denied = self.denials.places.codes("narrowed.code") if attribute else None
        for name, values in attribute.items():
            assert denied is not None
            rows = np.flatnonzero(whole(self.denials.narrowed_by(name), len(self)))
            decide = _is_among if whole_word else _touches
            table = codes.crossed(values, denied, decide, unknown)
            mine = np.zeros(len(rows), np.intp) if len(values) == 1 else self.record[rows]
            found[rows] = table(mine, rows)
        return found


def _is_among(value: Word, denied: Word) -> bool:
    return bool(value) and value <= denied


def _touches(value: Word, denied: Word) -> bool:
    return bool(value & denied)


def facing(subjects: Recorded) -> Facing | None:
    """The records beside the negatives that speak of them or of the kind; None where there are no negatives."""
    if "facing" not in subjects.memo:
        negatives = subjects.family.negatives
        found = Facing(subjects, negatives) if len(negatives) else None
        subjects.memo["facing"] = found if found is not None and len(found) else None
    known: Facing | None = subjects.memo["facing"]
    return known


def universe(catalogue: Catalogue, kind: str, name: str) -> Word:
    """Every code an attribute of a kind may have."""
    values = catalogue.codes_of(kind, name)
    return values.universe if values is not None else YES_NO


@dataclass(frozen=True, slots=True, eq=False)
class Remaining:
    """What an attribute may still be: `left` where narrowed negatives deny some of its codes, not all (else no value).

    `none`: records of which they deny, or may deny, every code.
    """

    left: Codes
    none: Mask


def remaining(subjects: Recorded, name: str, values: Codes, silent: Mask) -> Remaining | None:
    """What an attribute may be that is not stated (`silent`), or of which several codes are; None where all of it."""
    sides = facing(subjects)
    if sides is None or not sides.denials.narrowed.any():
        return None
    size = len(subjects)
    asked = whole(silent | values.several, size)[sides.record]
    mine = asked & sides.concerned & whole(sides.denials.narrowed_by(name), len(sides))
    if not (mine & sides.may_speak).any():
        return None
    places = subjects.places
    kinds = np.zeros(size, np.int64) if places.piece is None else places.piece.astype(np.int64)
    everything = [universe(subjects.family.catalogue, kind, name) for kind in places.kinds]
    words = [*everything, *values.words]
    begin = np.where(whole(silent, size), kinds, len(everything) + whole(values.index, size))
    sure, possible = mine & sides.covers, mine & sides.may_speak
    left = _less(words, begin, sides, sure)
    none = (left if (sure == possible).all() else _less(words, begin, sides, possible)).emptied
    return Remaining(Codes(np.where(none, NONE, left.index), left.words), none)


def _less(words: Sequence[Word], begin: Array, sides: Facing, chosen: Mask) -> Codes:
    """The sets of codes less those that the negatives chosen deny; no value where they deny none."""
    rows = np.flatnonzero(chosen)
    denied = sides.denials.places.codes("narrowed.code")
    found, state = without(words, begin, sides.record[rows], denied.words, denied.index[rows])
    return Codes(np.where(any_at(len(begin), sides.record[rows]), state, NONE), tuple(found))


def without(
    begin: Sequence[Word], state: Array, at: Index, removed: Sequence[Word], which: Index
) -> tuple[list[Word], Array]:
    """Sets of codes less all that is removed at each row: the sets that come out, and each row's place among them.

    `state` is each row's place in `begin`; `which[i]` of `removed` goes from row `at[i]` (sorted).
    """
    words = list(begin)
    state = state.copy()
    turn = turns(at)
    for number in range(int(turn.max(initial=-1)) + 1):
        rows = np.flatnonzero(turn == number)
        keys = state[at[rows]] * len(removed) + which[rows]
        unique, places = np.unique(keys, return_inverse=True)
        new = len(words) + np.arange(len(unique))
        words += [words[int(key) // len(removed)] - removed[int(key) % len(removed)] for key in unique]
        state[at[rows]] = new[places]
    return words, state


def turns(at: Index) -> Index:
    """For sorted `at`: whether an entry is the first (0), second (1) ... of its row."""
    if not len(at):
        return at
    begins = np.concatenate([[True], at[1:] != at[:-1]])
    starts = np.flatnonzero(begins)
    return (np.arange(len(at)) - np.repeat(starts, np.diff(np.concatenate([starts, [len(at)]])))).astype(np.int32)
