"""The texts of facts: patterns of their forms, with names and numbers of the rows in the open places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from onstudy.population.bulk_classes import Contents
from onstudy.population.bulk_forms import NAME, Pattern
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
                texts = texts_of(self._filled(pattern, used, self.row[some]))
                found += texts.words
                place[some] = np.where(texts.place == NOWHERE, NOWHERE, texts.place + count)
                count += sum(map(len, texts.words))
        return Texts(tuple(found), place)

    def _filled(self, pattern: Pattern, used: tuple[tuple[int, int], ...], rows: Ints) -> pa.Array:
        pieces = iter(used)
        texts = [piece if isinstance(piece, str) else self._slot(piece[0], *next(pieces), rows) for piece in pattern]
        if len(texts) == 1:
            return texts[0]
        return pc.binary_join_element_wise(*texts, "", null_handling="replace")

    def _slot(self, sort: str, place: int, slot: int, rows: Ints) -> pa.Array:
        contents = self.contents
        if sort != NAME:
            return _taken(contents.numbers.values, contents.numbers.places(rows, slot))
        if place < 0:
            return pa.array([self.out[row][slot] for row in rows.tolist()], pa.string())
        if place > 0:
            rows = np.array([self.related[row][place - 1] for row in rows.tolist()], np.int64)
        return _taken(contents.names.values, contents.names.places(rows, slot))


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
