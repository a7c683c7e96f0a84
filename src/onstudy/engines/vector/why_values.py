"""Why a value is not known: the causes of every value a value node may have, and the facts they are read from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from onstudy.criteria import expr as e
from onstudy.criteria.expr import ValueExpr
from onstudy.criteria.finding import AskClass, Reason
from onstudy.engines.vector import fields
from onstudy.engines.vector.arrays import FALSE, UNKNOWN, Index, Mask, any_at, whole
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.cases import Cases
from onstudy.engines.vector.causes import (
    BITS,
    About,
    Causes,
    ValueCauses,
    asked_of,
    because,
    chained,
    lacks,
    none,
    pieces,
    union,
)
from onstudy.engines.vector.counting import lacking
from onstudy.engines.vector.extremes import ranges_of
from onstudy.engines.vector.frames import Frame
from onstudy.engines.vector.moments import Moments
from onstudy.engines.vector.numbers import Numbers
from onstudy.engines.vector.picking import Picked
from onstudy.engines.vector.places import Places
from onstudy.engines.vector.subjects import Imagined, Recorded, Subjects
from onstudy.engines.vector.why_records import Explainer, of_lacking, of_matches, of_open

Bits = np.ndarray[tuple[int], np.dtype[np.uint16]]
_NO = np.uint16(0)


def of_value(node: ValueExpr, frame: Frame, why: Explainer) -> ValueCauses:
    """The causes of every value a value node may have."""
    return _VALUES[type(node)](node, frame, why)


def _nothing(node: e.Number, frame: Frame, why: Explainer) -> ValueCauses:
    return ValueCauses(why.answers.cases(node, frame), [none(frame.rows)], None, [])


def _anchor(node: e.Anchor, frame: Frame, why: Explainer) -> ValueCauses:
    cases = why.answers.cases(node, frame)
    unset = ~whole(fields.stated(cases.parts[0].values), frame.rows)
    ask = why.book.number(node.name, AskClass.TO_DO, Reason.PENDING_ANCHOR)
    return ValueCauses(cases, [because(unset, Reason.PENDING_ANCHOR, ask)], None, [])


def _age(node: e.Age, frame: Frame, why: Explainer) -> ValueCauses:
    cases, anchor = why.answers.cases(node, frame), why.values(node.anchor, frame)
    born = frame.setting.born if frame.pair is None else frame.setting.born.take(frame.pair)
    unborn = whole((born.first <= -FAR) & (born.last >= FAR), frame.rows)
    gone = why.book.number("born", AskClass.MISSING, Reason.NO_RECORD)
    vague = why.book.number("born", AskClass.MISSING, Reason.IMPRECISE_DATE)
    parts = []
    for part, years, causes in zip(anchor.cases.parts, cases.parts, anchor.parts, strict=True):
        rows = len(causes)
        missing = whole(unborn if part.at is None else unborn[part.at], rows)
        numbers = years.values
        assert isinstance(numbers, Numbers)
        dated = whole(fields.stated(part.values), rows) & ~missing
        blurred = dated & ~whole(numbers.low == numbers.high, rows)
        parts.append(
            union(
                [
                    causes.only(~missing & ~blurred),
                    because(missing, Reason.NO_RECORD, gone),
                    because(blurred, Reason.IMPRECISE_DATE, vague),
                ],
                rows,
            )
        )
    lacking = union(
        [anchor.lacking.only(~unborn), because(_lacking(cases) & unborn, Reason.NO_RECORD, gone)], frame.rows
    )
    everybody = np.arange(frame.rows)
    return ValueCauses(cases, parts, lacking, [(everybody[~unborn], ["born"], np.zeros(1, np.intp))])


def _lacking(cases: Cases) -> Mask:
    return np.zeros(cases.rows, np.bool_) if cases.lacking is None else cases.lacking


# Read from records ------------------------------------------------------------------------------------------


def _pick(node: e.Pick, frame: Frame, why: Explainer) -> ValueCauses:
    picked = why.answers.picked(node, frame)
    if node.by_time:
        return _read_of(picked, "value", node.type, node, node, frame, why)
    return _extreme(node, picked, frame, why)


def _field(node: e.Field, frame: Frame, why: Explainer) -> ValueCauses:
    if node.of is not None:
        return _read_of(why.answers.picked(node.of, frame), node.name, node.field_type, node, node.of, frame, why)
    assert frame.subjects is not None
    causes, about = of_field(frame.subjects, frame.rows, node.name, node.field_type, why)
    rows = np.arange(frame.rows)
    return ValueCauses(why.answers.cases(node, frame), [causes], None, [(rows, *part) for part in about])


def _read_of(
    picked: Picked, name: str, kind: e.Type, node: ValueExpr, pick: e.Pick, frame: Frame, why: Explainer
) -> ValueCauses:
    parts: list[Causes] = []
    abouts: list[About] = []
    for match in picked.possible:
        causes, about = of_field(match.records.subjects, match.records.frame.rows, name, kind, why)
        parts.append(causes)
        abouts += [(match.at, *part) for part in about]
    lacking = of_lacking(pick, frame, why) if picked.lacking.any() else None
    return ValueCauses(why.answers.cases(node, frame), parts, lacking, abouts)


_Owner = tuple[Sequence[str], np.ndarray[tuple[int], np.dtype[np.intp]]]


def of_field(subjects: Subjects, rows: int, name: str, kind: e.Type, why: Explainer) -> tuple[Causes, list[_Owner]]:
    """Why a field of each record is not known, and the kinds of the facts it is read from."""
    if isinstance(subjects, Imagined):
        return none(rows), []
    assert isinstance(subjects, Recorded)
    places = subjects.places
    owner = (places.kinds, whole(pieces(places), rows))
    if name in ("start", "end"):
        return none(rows), [owner]
    catalogue = subjects.family.catalogue
    if name == "value":
        return _of_value(places, rows, fields.valueless(places, "value"), why), [owner]
    owners = [name in catalogue.kinds[entry].components for entry in places.kinds]
    if not any(owners):
        return _of_attribute(subjects, rows, name, kind, why), [owner]
    if len(owners) > 1:
        return _by_kind(subjects, rows, name, kind, why)
    return _of_component(subjects, rows, name, kind, why)


def _by_kind(subjects: Recorded, rows: int, name: str, kind: e.Type, why: Explainer) -> tuple[Causes, list[_Owner]]:
    """The same, kind by kind, where the name is a component of some only."""
    places = subjects.places
    found, order = [], []
    for number in range(len(places.tables)):
        mine = np.flatnonzero(whole(pieces(places), rows) == number)
        if len(mine):
            alone = subjects.of_one_kind(number, mine)
            found.append(of_field(alone, len(mine), name, kind, why)[0])
            order.append(mine)
    back = np.argsort(np.concatenate(order))
    return chained(found).take(back), [(places.kinds, whole(pieces(places), rows))]


def _of_value(places: Places, rows: int, missing: Mask, why: Explainer) -> Causes:
    reasons = lacks(places)
    reasons = np.where(reasons == 0, BITS[Reason.NOT_STATED], reasons)
    reasons = np.where(whole(missing, rows), reasons, _NO)
    return asked_of(reasons, places.kinds, pieces(places), why.book.of_result)


def _of_attribute(subjects: Recorded, rows: int, name: str, kind: e.Type, why: Explainer) -> Causes:
    values = fields.read(subjects, name, kind).values
    nothing = fields.valueless(subjects.places, f"a.{name}")
    if isinstance(values, Moments):
        nothing = nothing | fields.unusable(subjects, name, subjects.places.moment(f"a.{name}.at"))
    missing = whole(~fields.stated(values) & nothing, rows)
    return _not_stated(subjects.places, missing, why)


def _not_stated(places: Places, missing: Mask, why: Explainer) -> Causes:
    reasons = lacks(places)
    reasons = np.where(missing, np.where(reasons == 0, BITS[Reason.NOT_STATED], reasons), _NO)
    return asked_of(reasons, places.kinds, pieces(places), lambda k, r: why.book.number(k, AskClass.MISSING, r))


def _of_component(
    subjects: Recorded, rows: int, name: str, kind: e.Type, why: Explainer
) -> tuple[Causes, list[_Owner]]:
    read = fields.read(subjects, name, kind)
    parts, places = read.places, subjects.places
    assert parts is not None and parts.row is not None
    there = parts.row >= 0
    held = _of_value(parts, rows, there & fields.valueless(parts, "value"), why)
    silent = subjects.family.catalogue.kinds[parts.kinds[0]].silence is not None
    absent = np.zeros(rows, np.bool_) if silent else ~there
    causes = union([held, _not_stated(places, absent, why)], rows)
    return causes, [([*parts.kinds, *places.kinds], np.where(there, 0, 1))]


def _extreme(node: e.Pick, picked: Picked, frame: Frame, why: Explainer) -> ValueCauses:
    cases = why.answers.cases(node, frame)
    lacking = of_lacking(node, frame, why) if picked.lacking.any() else None
    if not cases.parts:
        return ValueCauses(cases, [], lacking, [])
    causes = of_matches(node.records, frame, why)
    found = []
    abouts: list[About] = []
    for match, number in zip(picked.possible, picked.sets, strict=True):
        assert match.rows is not None
        rows = match.records.frame.rows
        span = ranges_of(node, match, frame.setting.catalogue)
        open_ended = ~whole(span.low == span.high, rows) | (match.truth == UNKNOWN)
        places = match.records.subjects.places
        own = lacks(places)
        unstated = whole(fields.valueless(places, "value"), rows) & (own == 0)
        own = np.where(unstated, BITS[Reason.NOT_STATED], own) | causes[number].take(match.rows).reasons
        own = np.where(open_ended, own, _NO)
        found.append(asked_of(own, places.kinds, pieces(places), why.book.of_result).onto(match.at, frame.rows))
        abouts.append((match.at, places.kinds, pieces(places)))
    kept = cases.parts[0].at
    assert kept is not None
    return ValueCauses(cases, [union(found, frame.rows).take(kept)], lacking, abouts)


# Counts and sums --------------------------------------------------------------------------------------------


def _count(node: e.Count, frame: Frame, why: Explainer) -> ValueCauses:
    cases = why.answers.cases(node, frame)
    rows = frame.rows
    parts, abouts, vague = [], [], []
    numbers = cases.parts[0].values
    assert isinstance(numbers, Numbers)
    inexact = ~(numbers.low == numbers.high)
    for match, causes in zip(
        why.answers.matches(node.records, frame), of_matches(node.records, frame, why), strict=True
    ):
        places = match.records.subjects.places
        parts.append(causes.onto(match.at, rows))
        some = match.truth != FALSE
        abouts.append((match.at[some], places.kinds, whole(pieces(places), len(some))[some]))
        loose = np.where(some, BITS[Reason.IMPRECISE_VALUE], _NO)
        asked = asked_of(loose, places.kinds, pieces(places), lambda k, r: why.book.number(k, AskClass.MISSING, r))
        known = asked.only(lacking(match.records.subjects, len(some)))
        vague.append(Causes(loose, known.at, known.ask).onto(match.at, rows))
    parts.append(of_open(node.records, None, frame, why))
    found = union(parts, rows)
    unexplained = inexact & (found.reasons == 0)
    loose_days = union(vague, rows).only(unexplained)
    return ValueCauses(cases, [union([found, loose_days], rows)], None, abouts)


def _arithmetic(node: e.Arithmetic, frame: Frame, why: Explainer) -> ValueCauses:
    sides = [why.values(side, frame) for side in (node.left, node.right)]
    together = union([side.together() for side in sides], frame.rows)
    abouts: list[About] = []
    taken = np.zeros(frame.rows, np.bool_)
    for at, names, which in (about for side in sides for about in side.about):
        first = _first_of_each(at, frame.rows) & ~taken[at]
        abouts.append((at[first], names, whole(which, len(at))[first]))
        taken |= any_at(frame.rows, at)
    return ValueCauses(why.answers.cases(node, frame), [together], None, abouts)


def _first_of_each(at: Index, rows: int) -> Mask:
    found = np.zeros(len(at), np.bool_)
    found[np.unique(at, return_index=True)[1]] = True
    return found


_VALUES: dict[type[ValueExpr], Callable[..., ValueCauses]] = {
    e.Number: _nothing,
    e.Anchor: _anchor,
    e.Age: _age,
    e.Pick: _pick,
    e.Field: _field,
    e.Count: _count,
    e.Arithmetic: _arithmetic,
}
