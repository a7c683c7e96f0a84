"""The texts of facts: patterns of their forms, with names and numbers of the rows in the open places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_classes import Contents
from onstudy.population.bulk_forms import NAME, NUMBER, Pattern
from onstudy.population.bulk_order import in_order
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_texts import NOWHERE, Texts, same_text, texts_of

#: So many ways of filling are looked for one by one: sorting costs more.
_FEW = 16


@dataclass(frozen=True, eq=False)
class Filling:
    """The texts of facts, pattern by pattern. The same patterns give the same column, made once.

    Of each fact `row` is the row and `entry` the place of its form among the forms of facts. `layouts` tell of each of
    these where its names stand: (place in the cluster, slot). `related` and `out` are as in `Clusters`.
    """

    contents: Contents
    related: Mapping[int, tuple[int, ...]]
    out: Mapping[int, tuple[str, ...]]
    layouts: Sequence[tuple[tuple[int, int], ...]]
    row: Ints
    entry: Ints
    _made: dict[tuple[object, ...], Texts] = field(default_factory=dict)

    def column(self, patterns: Sequence[Pattern | None]) -> Texts:
        """The text of each fact; none where its form has none."""
        key = tuple(patterns)
        if key not in self._made:
            self._made[key] = self._column(patterns)
        return self._made[key]

    def _column(self, patterns: Sequence[Pattern | None]) -> Texts:
        if len(set(patterns)) == 1 and _is_fixed(patterns[0]):
            return same_text(None if patterns[0] is None else _fixed(patterns[0]), len(self.row))
        words: dict[str, int] = {}
        ways: dict[tuple[Pattern, tuple[tuple[int, int], ...]], int] = {}
        fixed, way = np.full((2, len(patterns)), NOWHERE, np.int64)
        for entry, (pattern, layout) in enumerate(zip(patterns, self.layouts, strict=True)):
            if pattern is None:
                continue
            if _is_fixed(pattern):
                fixed[entry] = words.setdefault(_fixed(pattern), len(words))
            else:
                way[entry] = ways.setdefault((pattern, _used(layout, pattern)), len(ways))
        place, found, count = fixed[self.entry], [pa.array(list(words), pa.string())], len(words)
        for (pattern, used), some in zip(ways, _places_of(way[self.entry], len(ways)), strict=True):
            if len(some):
                texts = self._texts(pattern, used, self.row[some])
                found += texts.words
                place[some] = np.where(texts.place == NOWHERE, NOWHERE, texts.place + count)
                count += sum(map(len, texts.words))
        return Texts(tuple(found), place)

    def _texts(self, pattern: Pattern, used: tuple[tuple[int, int], ...], rows: Ints) -> Texts:
        sorts = [piece[0] for piece in pattern if not isinstance(piece, str)]
        if sorts != [NUMBER]:
            slots = [self._slot(sort, *where, rows) for sort, where in zip(sorts, used, strict=True)]
            return texts_of(_with(pattern, slots))
        words, place = self._number(used[0][1], rows)
        return Texts((_with(pattern, [words]),), place)

    def _slot(self, sort: str, place: int, slot: int, rows: Ints) -> pa.Array:
        contents = self.contents
        if sort == NUMBER:
            words, number = self._number(slot, rows)
            return _taken(words, number)
        if place < 0:
            return pa.array([self.out[row][slot] for row in rows.tolist()], pa.string())
        if place > 0:
            rows = np.array([self.related[row][place - 1] for row in rows.tolist()], np.int64)
        return _taken(contents.names.values, contents.names.places(rows, slot))

    def _number(self, slot: int, rows: Ints) -> tuple[pa.Array, Ints]:
        """The different numbers that stand in a slot of rows, as they are written, and which of them each row has."""
        numbers = self.contents.numbers
        known = self._codes[numbers.places(rows, slot)]
        found = np.zeros(len(numbers.values.dictionary), bool)
        found[known] = True
        return numbers.values.dictionary.filter(pa.array(found)), (np.cumsum(found) - 1)[known]

    @cached_property
    def _codes(self) -> NDArray[np.int32]:
        return np.asarray(self.contents.numbers.values.indices.fill_null(0).to_numpy(zero_copy_only=False))


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


def _used(layout: tuple[tuple[int, int], ...], pattern: Pattern | None) -> tuple[tuple[int, int], ...]:
    """Where the slots of a pattern stand: (place in the cluster, slot), in its order."""
    found = []
    for piece in pattern or ():
        if not isinstance(piece, str):
            found.append(layout[piece[1]] if piece[0] == NAME else (0, piece[1]))
    return tuple(found)


def _taken(values: pa.Array, places: Ints) -> pa.Array:
    return values.take(pa.array(places))
