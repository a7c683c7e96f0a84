"""Every value a value node may have, for all rows of a frame at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from onstudy.criteria import expr as e
from onstudy.criteria.expr import TruthExpr, ValueExpr
from onstudy.engines.vector import fields, numbers, relations
from onstudy.engines.vector.arrays import UNKNOWN, Truths, whole
from onstudy.engines.vector.calendar import completed_years
from onstudy.engines.vector.cases import Cases, Part, one
from onstudy.engines.vector.counting import counted
from onstudy.engines.vector.extremes import extreme
from onstudy.engines.vector.frames import Frame
from onstudy.engines.vector.judging import as_moments, as_numbers
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.numbers import Numbers
from onstudy.engines.vector.picking import Picked
from onstudy.engines.vector.queries import Evaluator
from onstudy.values.calendar import Duration, Unit


class Asked(Evaluator, Protocol):
    """Whoever knows the records of a frame, and keeps what was worked out once."""

    def picked(self, pick: e.Pick, frame: Frame) -> Picked:
        """The records that could be the one asked for."""
        ...

    def open(self, records: e.Records, body: TruthExpr | None, frame: Frame) -> Truths:
        """What an unrecorded fact does to a count."""
        ...

    def once(self, frame: Frame, what: str, node: Any, work: Callable[[], Any]) -> Any:
        """What was worked out for equal nodes before."""
        ...


def values_of(node: ValueExpr, frame: Frame, ask: Asked) -> Cases:
    """Every value a value node may have for each row."""
    return _VALUES[type(node)](node, frame, ask)


def _number(node: e.Number, frame: Frame, ask: Asked) -> Cases:
    return one(frame.rows, numbers.exactly(node.value))


def _anchor(node: e.Anchor, frame: Frame, ask: Asked) -> Cases:
    anchor = frame.setting.pairs.anchors.get(node.name)
    if anchor is None:
        return one(frame.rows, fields.nothing("date"))
    return one(frame.rows, anchor if frame.pair is None else anchor.take(frame.pair))


def _age(node: e.Age, frame: Frame, ask: Asked) -> Cases:
    born = frame.setting.born if frame.pair is None else frame.setting.born.take(frame.pair)
    found = ask.cases(node.anchor, frame)
    return Cases(frame.rows, [_aged(born, part) for part in found.parts], found.lacking)


def _pick(node: e.Pick, frame: Frame, ask: Asked) -> Cases:
    found = ask.picked(node, frame)
    if node.by_time:
        return read_of(found, "value", node.type, frame.rows)
    return extreme(node, found, frame.rows, frame.setting.catalogue)


def _field(node: e.Field, frame: Frame, ask: Asked) -> Cases:
    if node.of is not None:
        return read_of(ask.picked(node.of, frame), node.name, node.field_type, frame.rows)
    assert frame.subjects is not None, f"{node.name} is read outside a body"
    found = fields.read(frame.subjects, node.name, node.field_type)
    return Cases(frame.rows, [Part(None, found.values, found.places, frame)])


def _count(node: e.Count, frame: Frame, ask: Asked) -> Cases:
    what = f"counted, {node.of.value}"
    low, high = ask.once(
        frame,
        what,
        node.records,
        lambda: counted(node.of, ask.matches(node.records, frame), frame.rows, _last_day(node.records, frame, ask)),
    )
    open_end = whole(ask.open(node.records, None, frame), frame.rows) == UNKNOWN
    return one(frame.rows, Numbers(low, np.where(open_end, np.nan, high)))


def _last_day(records: e.Records, frame: Frame, ask: Asked) -> Moments | None:
    """The last day to count for each row, where a window before an anchor says it; None for the index date."""
    to = None if records.lookback is None else records.lookback.counts_to
    if records.lookback is None or to is None:
        return None
    anchor = ask.cases(records.lookback.anchor, frame).single
    assert isinstance(anchor, Moments)
    return relations.moved(anchor, Duration(to[1], Unit.DAYS), -1).without(~anchor.known)


def _arithmetic(node: e.Arithmetic, frame: Frame, ask: Asked) -> Cases:
    left, right = (_hull(ask.cases(side, frame)) for side in (node.left, node.right))
    return one(frame.rows, _ARITHMETIC[node.op](left, right))


def read_of(found: Picked, name: str, kind: e.Type, rows: int) -> Cases:
    """A field of every record that could be the one picked."""
    parts = []
    for match in found.possible:
        read = fields.read(match.records.subjects, name, kind)
        parts.append(Part(match.at, read.values, read.places, match.records.frame))
    return Cases(rows, parts, found.lacking if found.lacking.any() else None)


def _aged(born: Moments, part: Part) -> Part:
    on = as_moments(part.values)
    born = born if part.at is None else born.take(part.at)
    low = high = completed_years(born.last, on.first)
    if born.first is not born.last or on.first is not on.last:
        high = completed_years(born.first, on.last)
    if on.stated is not None:
        low, high = np.where(on.stated, low, np.nan), np.where(on.stated, high, np.nan)
    return Part(part.at, Numbers(low, high), None)


def _hull(cases: Cases) -> Numbers:
    only = cases.single
    if only is not None:
        return as_numbers(only)
    at, values = cases.gathered("number")
    return numbers.hull(at, as_numbers(values), cases.rows)


_ARITHMETIC: dict[str, Callable[[Numbers, Numbers], Numbers]] = {
    "+": numbers.add,
    "-": numbers.subtract,
    "*": numbers.multiply,
    "/": numbers.divide,
}


_VALUES: dict[type[ValueExpr], Callable[..., Cases]] = {
    e.Number: _number,
    e.Anchor: _anchor,
    e.Age: _age,
    e.Pick: _pick,
    e.Field: _field,
    e.Count: _count,
    e.Arithmetic: _arithmetic,
}
