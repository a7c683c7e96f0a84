"""Why answers are unknown, and which questions would settle them: causes and asks of many rows.

A row's causes are bits; its asks are numbers of (kind, class, reason), listed with their row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from onstudy.criteria.finding import AskClass, Reason
from onstudy.engines.vector.arrays import Array, Index, Mask, pointers, spread, whole
from onstudy.engines.vector.cases import Cases
from onstudy.engines.vector.fields import stated
from onstudy.engines.vector.places import Places
from onstudy.record.catalogue import Catalogue

REASONS = tuple(Reason)
BITS = {reason: np.uint16(1 << place) for place, reason in enumerate(REASONS)}
CLASSES = tuple(AskClass)
Bits = NDArray[np.uint16]
#: The kinds of the facts some values are read from: the row of each, the kinds, and which of them it is.
About = tuple[Index, Sequence[str], Array]
AskNumber = Callable[[str, Reason], int]
_NONE = np.empty(0, np.intp)


class AskBook:
    """Numbers for asks: kinds of the catalogue, anchors and "born" by name."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.names = list(catalogue.kinds)
        self._places = {name: place for place, name in enumerate(self.names)}

    def number(self, name: str, cls: AskClass, reason: Reason) -> int:
        """The number of an ask."""
        if name not in self._places:
            self._places[name] = len(self.names)
            self.names.append(name)
        return (self._places[name] * len(CLASSES) + CLASSES.index(cls)) * len(REASONS) + REASONS.index(reason)

    def ask(self, number: int) -> tuple[str, AskClass, Reason]:
        """The ask of a number."""
        rest, reason = divmod(number, len(REASONS))
        kind, cls = divmod(rest, len(CLASSES))
        return self.names[kind], CLASSES[cls], REASONS[reason]

    def of_fact(self, name: str, reason: Reason) -> int:
        """What would have to be known of one fact of a kind."""
        return self.number(name, AskClass.TO_DO if reason is Reason.PENDING_ANCHOR else AskClass.MISSING, reason)

    def of_kind(self, name: str, reason: Reason) -> int:
        """What would have to be known of a kind, and whose work that is."""
        entry = self.catalogue.kinds.get(name)
        if reason is Reason.PENDING_ANCHOR or (entry is not None and entry.by_study):
            return self.number(name, AskClass.TO_DO, reason)
        assumable = entry is not None and entry.assumable
        return self.number(name, AskClass.TO_CONFIRM if assumable else AskClass.MISSING, reason)

    def of_result(self, name: str, reason: Reason) -> int:
        """A result is never assumed: it is to do where the study brings it about, else missing."""
        by_study = self.catalogue.kinds[name].by_study
        return self.number(name, AskClass.TO_DO if by_study else AskClass.MISSING, reason)


class Causes:
    """The causes of each of some rows (bits), and the asks, each with its row."""

    def __init__(self, reasons: Bits, at: Index = _NONE, ask: Index = _NONE) -> None:
        self.reasons, self.at, self.ask = reasons, at, ask

    def __len__(self) -> int:
        return len(self.reasons)

    def only(self, rows: Mask) -> Causes:
        """The causes of the rows given, and of the others none."""
        reasons = np.where(rows, self.reasons, np.uint16(0))
        if not len(self.at):
            return Causes(reasons)
        kept = np.flatnonzero(rows.take(self.at))
        return Causes(reasons, self.at.take(kept), self.ask.take(kept))

    def take(self, rows: Array) -> Causes:
        """The causes of the rows named: the first row named is row 0."""
        if not len(self.at):
            return Causes(self.reasons.take(rows))
        order = np.argsort(self.at, kind="stable")
        ends = pointers(self.at, len(self))
        new, chosen = spread(ends[rows], ends[rows + 1] - ends[rows])
        return Causes(self.reasons[rows], new, self.ask[order[chosen]])

    def onto(self, at: Index, rows: int) -> Causes:
        """The causes of coarser rows: all those of the finer rows that belong to each."""
        reasons = np.zeros(rows, np.uint16)
        some = np.flatnonzero(self.reasons)
        np.bitwise_or.at(reasons, at.take(some), self.reasons.take(some))
        return distinct(Causes(reasons, at.take(self.at), self.ask))

    def or_else(self, other: Causes) -> Causes:
        """These, and of rows that have none of these the others."""
        empty = self.reasons == 0
        asked = np.zeros(len(self), np.bool_)
        asked[self.at] = True
        spare = other.only(~asked)
        return Causes(
            np.where(empty, other.reasons, self.reasons),
            np.concatenate([self.at, spare.at]),
            np.concatenate([self.ask, spare.ask]),
        )


class ValueCauses:
    """The causes of the values a node may have: of each part of its cases, and of the rows that may lack a value."""

    def __init__(self, cases: Cases, parts: Sequence[Causes], lacking: Causes | None, about: Sequence[About]) -> None:
        self.cases, self.parts, self.about = cases, parts, about
        self.lacking = none(cases.rows) if lacking is None else lacking

    def together(self) -> Causes:
        """All causes of each row."""
        rows = self.cases.rows
        parts = [
            causes if part.at is None else causes.onto(part.at, rows)
            for part, causes in zip(self.cases.parts, self.parts, strict=True)
        ]
        return union([*parts, self.lacking], rows)

    def missing(self) -> Causes:
        """The causes of each row's values that are not there at all."""
        rows = self.cases.rows
        parts = []
        for part, causes in zip(self.cases.parts, self.parts, strict=True):
            gone = causes.only(~whole(stated(part.values), len(causes)))
            parts.append(gone if part.at is None else gone.onto(part.at, rows))
        return union([*parts, self.lacking], rows)

    def gathered(self) -> Causes:
        """The causes of each value in the order of `Cases.gathered`."""
        parts = list(self.parts)
        ats = [np.arange(self.cases.rows) if part.at is None else part.at for part in self.cases.parts]
        if self.cases.lacking is not None and self.cases.lacking.any():
            rows = np.flatnonzero(self.cases.lacking)
            parts.append(self.lacking.take(rows))
            ats.append(rows)
        order = np.argsort(np.concatenate([_NONE, *ats]), kind="stable")
        return chained(parts).take(order)


def none(rows: int) -> Causes:
    """No causes."""
    return Causes(np.zeros(rows, np.uint16))


def chained(parts: Sequence[Causes]) -> Causes:
    """Causes of rows one after another."""
    before = np.cumsum([0, *(len(part) for part in parts)])
    reasons = np.concatenate([np.empty(0, np.uint16), *(part.reasons for part in parts)])
    at = [part.at + start for part, start in zip(parts, before, strict=False)]
    return Causes(reasons, np.concatenate([_NONE, *at]), np.concatenate([_NONE, *(p.ask for p in parts)]))


def union(parts: Iterable[Causes], rows: int) -> Causes:
    """All causes of each row."""
    listed = list(parts)
    reasons = np.zeros(rows, np.uint16)
    for part in listed:
        reasons |= part.reasons
    asking = [part for part in listed if len(part.at)]
    if len(asking) < 2:
        return Causes(reasons, *((asking[0].at, asking[0].ask) if asking else ()))
    at, ask = (np.concatenate([getattr(part, name) for part in asking]) for name in ("at", "ask"))
    return distinct(Causes(reasons, at, ask))


def distinct(causes: Causes) -> Causes:
    """Each ask of a row once."""
    if len(causes.at) < 2:
        return causes
    width = int(causes.ask.max()) + 1
    keys = np.sort(causes.at.astype(np.int64) * width + causes.ask)
    other = keys[1:] != keys[:-1]
    if not other.all():
        keys = keys[np.concatenate([[True], other])]
    at = keys // width
    return Causes(causes.reasons, at, keys - at * width)


def because(rows: Mask, reason: Reason, ask: int | None = None) -> Causes:
    """One cause, and what it asks, of the rows given."""
    reasons = np.where(rows, BITS[reason], np.uint16(0))
    if ask is None:
        return Causes(reasons)
    at = np.flatnonzero(rows)
    return Causes(reasons, at, np.full(len(at), ask))


def asked_of(reasons: Bits, kinds: Sequence[str], which: Array, number: AskNumber) -> Causes:
    """The causes as they are, each asked of the row's own kind: `kinds[which]`."""
    ats, asks = [_NONE], [_NONE]
    which = whole(which, len(reasons))
    some = np.flatnonzero(reasons)
    present = reasons.take(some)
    for reason in REASONS:
        rows = some[(present & BITS[reason]) > 0]
        if len(rows):
            numbers = np.array([number(kind, reason) for kind in kinds], np.intp)
            ats.append(rows)
            asks.append(numbers[which[rows]])
    return Causes(reasons, np.concatenate(ats), np.concatenate(asks))


def pieces(places: Places) -> Array:
    """Of which of its tables each place is."""
    return np.zeros(1, np.intp) if places.piece is None else places.piece


def lacks(places: Places) -> Bits:
    """Why each fact has no usable value, as it states it: a bit, or none."""
    if not places.has("lacks"):
        return np.zeros(len(places), np.uint16)
    codes = places.codes("lacks")
    table = [BITS[Reason(next(iter(word)))] for word in codes.words] + [np.uint16(0)]
    return whole(codes.look_up(np.array(table, np.uint16)), len(places))
