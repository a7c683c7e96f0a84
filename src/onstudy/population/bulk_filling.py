"""The texts of facts: patterns of their forms, with names and numbers of the rows in the open places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_classes import Contents, numbered
from onstudy.population.bulk_forms import NAME, NUMBER, Pattern
from onstudy.population.bulk_order import in_order
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_texts import NOWHERE, Texts, same_text, texts_of
from onstudy.population.numbered import Numbered

#: So many ways of filling are looked for one by one: sorting costs more.
_FEW = 16

#: A pattern, and for each of its places (place in the cluster, slot).
_Way = tuple[Pattern, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, eq=False)
class Placed:
    """Facts of rows: of each its row, and the place of its form among the forms of facts."""

    contents: Contents
    row: Ints
    entry: Ints

    def __len__(self) -> int:
        return len(self.row)

    def numbers(self, ways: Sequence[int], slots: Sequence[int]) -> Different:
        """The different numbers in facts, by what is done with them: `ways` of each form, -1 for nothing.

        `slots` tells for each way in which slot the number stands.
        """
        numbers, width = self.contents.numbers, len(self.contents.numbers.words) + 2
        way = np.array(ways, np.int64).take(self.entry)
        facts = np.flatnonzero(way >= 0) if way.min(initial=0) < 0 else None
        way, row = (way, self.row) if facts is None else (way.take(facts), self.row.take(facts))
        key = way * width + numbers.of(row, slots, way) if len(row) else row
        number, values = numbered(key, len(slots) * width)
        return Different(facts, number, values // width, values % width)


@dataclass(frozen=True, eq=False)
class Different:
    """What differs in facts, by number: the way and the code of each; None for `facts` is all of them."""

    facts: Ints | None
    number: Ints
    way: Ints
    code: Ints

    def put(self, into: Ints, first: int) -> Ints:
        """Places of facts, with those of these facts being their number, counted from `first` on."""
        place = self.number + first
        if self.facts is None:
            return place
        into[self.facts] = place
        return into


@dataclass(frozen=True, eq=False)
class Filling:
    """The texts of facts, pattern by pattern. The same patterns give the same column, made once.

    `layouts` tell of each form of facts where its names stand: (place in the cluster, slot). `related` and `out` are as
    in `Clusters`.
    """

    placed: Placed
    related: Mapping[int, tuple[int, ...]]
    out: Mapping[int, tuple[str, ...]]
    layouts: Sequence[tuple[tuple[int, int], ...]]
    _made: dict[tuple[object, ...], Texts] = field(default_factory=dict)

    def column(self, patterns: Sequence[Pattern | None]) -> Texts:
        """The text of each fact; none where its form has none."""
        key = tuple(patterns)
        if key not in self._made:
            self._made[key] = self._column(patterns)
        return self._made[key]

    def _column(self, patterns: Sequence[Pattern | None]) -> Texts:
        row, entry = self.placed.row, self.placed.entry
        if len(set(patterns)) == 1 and _is_fixed(patterns[0]):
            return same_text(None if patterns[0] is None else _fixed(patterns[0]), len(row))
        words: dict[str, int] = {}
        ways: dict[_Way, int] = {}
        amounts: dict[_Way, int] = {}
        fixed, way, amount = np.full((3, len(patterns)), NOWHERE, np.int64)
        for place, (pattern, layout) in enumerate(zip(patterns, self.layouts, strict=True)):
            if pattern is None:
                continue
            if _is_fixed(pattern):
                fixed[place] = words.setdefault(_fixed(pattern), len(words))
            elif _is_number(pattern):
                amount[place] = amounts.setdefault((pattern, _used(layout, pattern)), len(amounts))
            else:
                way[place] = ways.setdefault((pattern, _used(layout, pattern)), len(ways))
        places, found, count = fixed.take(entry), [pa.array(list(words), pa.string())], len(words)
        if amounts:
            different = self.placed.numbers(amount.tolist(), [used[0][1] for _, used in amounts])
            places = different.put(places, count)
            found.append(self._amounts(list(amounts), different))
            count += len(different.code)
        for (pattern, used), some in zip(ways, _places_of(way.take(entry), len(ways)) if ways else (), strict=True):
            if len(some):
                texts = self._texts(pattern, used, row[some])
                found += texts.words
                places[some] = np.where(texts.place == NOWHERE, NOWHERE, texts.place + count)
                count += sum(map(len, texts.words))
        return Texts(tuple(found), places)

    def _texts(self, pattern: Pattern, used: tuple[tuple[int, int], ...], rows: Ints) -> Texts:
        """The texts of one pattern for some rows. A row's own name that is a number stays one."""
        names, places = self.placed.contents.names, _open(pattern, used)
        if isinstance(names.values, Numbered) and [place[:2] for place in places] == [(NAME, 0)]:
            before, after = _around(pattern)
            return Texts((names.values.between(before, after),), names.places(rows, used[0][1]))
        return texts_of(_with(pattern, [self._slot(*place, rows) for place in places]))

    def _amounts(self, ways: Sequence[_Way], different: Different) -> pa.Array:
        """The texts of patterns with a number and nothing else in them, one for each number there is."""
        numbers, order = self.placed.contents.numbers.words, in_order(different.way)
        ends = np.searchsorted(different.way[order], np.arange(len(ways) + 1))
        texts = [
            _with(pattern, [_taken(numbers, different.code[order[start:end]])])
            for (pattern, _), (start, end) in zip(ways, pairwise(ends.tolist()), strict=True)
        ]
        return _taken(pa.concat_arrays(texts), np.argsort(order))

    def _slot(self, sort: str, place: int, slot: int, rows: Ints) -> pa.Array:
        contents = self.placed.contents
        if sort == NUMBER:
            return _taken(contents.numbers.words, contents.numbers.codes(slot).take(rows))
        if place < 0:
            return pa.array([self.out[row][slot] for row in rows.tolist()], pa.string())
        if place > 0:
            rows = np.array([self.related[row][place - 1] for row in rows.tolist()], np.int64)
        return contents.names.at(contents.names.places(rows, slot))


def _with(pattern: Pattern, slots: Sequence[pa.Array]) -> pa.Array:
    """The texts of a pattern with these in its open places."""
    given = iter(slots)
    texts = [piece if isinstance(piece, str) else next(given) for piece in pattern]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "", null_handling="replace")


def _places_of(numbers: Ints, many: int) -> Iterator[Ints]:
    """Where each of the numbers from nought on stands: looked for one by one where they are few, else all sorted."""
    if many <= _FEW:
        yield from (np.flatnonzero(numbers == number) for number in range(many))
        return
    order = in_order(numbers)
    ends = np.searchsorted(numbers[order], np.arange(many + 1))
    yield from (order[start:end] for start, end in pairwise(ends.tolist()))


def _is_fixed(pattern: Pattern | None) -> bool:
    """Whether a pattern gives the same text for all rows, or none."""
    return pattern is None or all(isinstance(piece, str) for piece in pattern)


def _fixed(pattern: Pattern) -> str:
    return "".join(map(str, pattern))


def _is_number(pattern: Pattern) -> bool:
    """Whether a number is all that stands in a pattern."""
    return [piece[0] for piece in pattern if not isinstance(piece, str)] == [NUMBER]


def _open(pattern: Pattern, used: Sequence[tuple[int, int]]) -> list[tuple[str, int, int]]:
    """What stands in each place of a pattern: the sort, the place in the cluster, and the slot."""
    sorts = [piece[0] for piece in pattern if not isinstance(piece, str)]
    return [(sort, *where) for sort, where in zip(sorts, used, strict=True)]


def _around(pattern: Pattern) -> tuple[str, str]:
    """What stands before the one open place of a pattern, and after it."""
    (place,) = (place for place, piece in enumerate(pattern) if not isinstance(piece, str))
    return _fixed(pattern[:place]), _fixed(pattern[place + 1 :])


def _used(layout: tuple[tuple[int, int], ...], pattern: Pattern | None) -> tuple[tuple[int, int], ...]:
    """Where the slots of a pattern stand: (place in the cluster, slot), in its order."""
    found = []
    for piece in pattern or ():
        if not isinstance(piece, str):
            found.append(layout[piece[1]] if piece[0] == NAME else (0, piece[1]))
    return tuple(found)


def _taken(values: pa.Array, places: NDArray[Any]) -> pa.Array:
    return values.take(pa.array(places))
