"""The highest and the lowest of several records: at least that of those that are certain, at most that of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Which
from onstudy.engines.vector import fields, numbers
from onstudy.engines.vector.arrays import TRUE, Array, Index, Mask, any_at, largest_at, whole
from onstudy.engines.vector.cases import Cases, Part
from onstudy.engines.vector.codes import Codes
from onstudy.engines.vector.numbers import Numbers
from onstudy.engines.vector.picking import Picked
from onstudy.engines.vector.queries import Matches
from onstudy.record.catalogue import Catalogue, ValueSet


def extreme(node: e.Pick, found: Picked, rows: int, catalogue: Catalogue) -> Cases:
    """One value for each row that has a certain record; the others lack one."""
    lacking = found.lacking if found.lacking.any() else None
    kept = np.flatnonzero(~found.lacking)
    if not len(kept):
        return Cases(rows, [], lacking)
    span = span_of(node, found.possible, rows, catalogue).take(kept)
    if node.type.base == "number":
        return Cases(rows, [Part(kept, span)], lacking)
    return Cases(rows, [Part(kept, _between(span, catalogue.value_sets[node.type.values]))], lacking)


def span_of(node: e.Pick, possible: Sequence[Matches], rows: int, catalogue: Catalogue) -> Numbers:
    """The highest or lowest value of each row, ordered codes by their rank; no bound where no record is certain."""
    at = np.concatenate([match.at for match in possible])
    sure = np.concatenate([match.truth == TRUE for match in possible])
    ranges = [ranges_of(node, match, catalogue) for match in possible]
    together = numbers.concat(ranges, [match.records.frame.rows for match in possible])
    if node.which is Which.HIGHEST:
        return _highest(at, together, sure, rows)
    return numbers.minus(_highest(at, numbers.minus(together), sure, rows))


def ranges_of(node: e.Pick, match: Matches, catalogue: Catalogue) -> Numbers:
    """The values of the records as numbers: ordered codes by their rank."""
    read = fields.read(match.records.subjects, "value", node.type)
    if isinstance(read.values, Numbers):
        return read.values
    assert isinstance(read.values, Codes)
    rank = catalogue.value_sets[node.type.values].rank
    everything = (0.0, float(len(rank) - 1))
    bounds = [_ranks([rank[code] for code in word if code in rank], everything) for word in read.values.words]
    table = np.array([*bounds, everything])
    return Numbers(read.values.look_up(table[:, 0]), read.values.look_up(table[:, 1]))


def _ranks(ranks: Sequence[int], everything: tuple[float, float]) -> tuple[float, float]:
    return (float(min(ranks)), float(max(ranks))) if ranks else everything


def _highest(at: Index, span: Numbers, sure: Mask, rows: int) -> Numbers:
    size = len(at)
    low, high = whole(span.low, size), whole(span.high, size)
    open_below, open_above = whole(span.open_below, size), whole(span.open_above, size)
    bounded = np.flatnonzero(sure & ~np.isnan(low))
    least = _largest(at[bounded], low[bounded], rows)
    low_open = any_at(rows, at[bounded][open_below[bounded] & (low[bounded] == least[at[bounded]])])
    most = np.where(
        any_at(rows, at[np.isnan(high)]), np.nan, _largest(at, np.where(np.isnan(high), -np.inf, high), rows)
    )
    closed = any_at(rows, at[~open_above & (high == most[at])])
    return Numbers(least, most, low_open, ~closed & ~np.isnan(most))


def _largest(at: Index, values: Array, rows: int) -> Array:
    found = largest_at(at, values, rows, -np.inf)
    return np.where(np.isneginf(found), np.nan, found)


def _between(span: Numbers, values: ValueSet) -> Codes:
    """The codes from one rank to another."""
    names = list(values.rank)
    size = len(names)
    low = np.where(np.isnan(span.low), 0, span.low).astype(np.intp)
    high = np.where(np.isnan(span.high), size - 1, span.high).astype(np.intp)
    words = tuple(frozenset(names[first : last + 1]) for first in range(size) for last in range(size))
    return Codes(low * size + high, words)
