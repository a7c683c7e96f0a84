"""What a record says of itself: its value, an attribute, a component, and what not stating one means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onstudy.criteria.expr import Type
from onstudy.engines.vector import codes, moments, numbers
from onstudy.engines.vector.arrays import Mask, whole
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.codes import Codes, Word
from onstudy.engines.vector.denials import Remaining, remaining
from onstudy.engines.vector.moments import UNBOUNDED, Moments
from onstudy.engines.vector.numbers import Numbers
from onstudy.engines.vector.places import Places
from onstudy.engines.vector.rowsets import Family
from onstudy.engines.vector.subjects import Imagined, Recorded, Subjects
from onstudy.record.catalogue import BOOLEAN, Catalogue
from onstudy.record.shard import NONE

Values = Numbers | Moments | Codes


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Values read off records, and the places they stand at (`None`: records nobody made)."""

    values: Values
    places: Places | None


def stated(values: Values) -> Mask:
    """Where there is a value at all (one entry where all are alike)."""
    if isinstance(values, Codes):
        return values.stated
    if isinstance(values, Moments):
        return values.known
    return np.array([True]) if values.stated is None else values.stated


def nothing(base: str) -> Values:
    """No value, in all rows."""
    if base == "number":
        return numbers.nothing()
    if base == "code":
        return codes.nothing()
    return Moments(UNBOUNDED.first, UNBOUNDED.last, stated=np.array([False]))


def concat(parts: Sequence[Values], sizes: Sequence[int]) -> Values:
    """Values of one sort, one after another; `sizes` says of how many rows each part is."""
    if isinstance(parts[0], Numbers):
        return numbers.concat([part for part in parts if isinstance(part, Numbers)], sizes)
    if isinstance(parts[0], Codes):
        return codes.concat([part for part in parts if isinstance(part, Codes)], sizes)
    return moments.concat([part for part in parts if isinstance(part, Moments)], sizes)


def read(subjects: Subjects, name: str, kind: Type) -> Read:
    """A field of each record: start, end, value, an attribute or a component."""
    if name == "start":
        return Read(subjects.start, subjects.places if isinstance(subjects, Recorded) else None)
    if name == "end":
        return Read(subjects.end, subjects.places if isinstance(subjects, Recorded) else None)
    if isinstance(subjects, Imagined):
        left = subjects.left.get(name) if kind.base == "code" else None
        return Read(nothing(kind.base) if left is None else left, None)
    assert isinstance(subjects, Recorded)
    key = (name, kind.base)
    if key not in subjects.memo:
        subjects.memo[key] = _read(subjects, name, kind.base)
    found = subjects.memo[key]
    assert isinstance(found, Read)
    return found


def _read(subjects: Recorded, name: str, base: str) -> Read:
    places, kinds = subjects.places, subjects.family.catalogue.kinds
    if name == "value":
        return Read(slot(places, "value", base), places)
    owners = [name in kinds[kind].components for kind in places.kinds]
    if not any(owners):
        return Read(attribute(subjects, name, base), places)
    if all(owners) and len(owners) == 1:
        return component(places, name, base, subjects.family)
    return _mixed(subjects, name, base, owners)


def _mixed(subjects: Recorded, name: str, base: str, owners: Sequence[bool]) -> Read:
    """Kinds of one family, for some of which the name is a component."""
    places = subjects.places
    parts: list[Values] = []
    whose: list[Places] = []
    rows = []
    for number, owner in enumerate(owners):
        mine = np.flatnonzero(places.piece == number)
        if not len(mine):
            continue
        own = subjects.of_one_kind(number, mine)
        alone = own.places
        found = component(alone, name, base, subjects.family) if owner else None
        parts.append(attribute(own, name, base) if found is None else found.values)
        whose.append(alone if found is None or found.places is None else found.places)
        rows.append(mine)
    sizes = [len(mine) for mine in rows]
    order = np.argsort(np.concatenate(rows))
    piece = np.repeat(np.arange(len(whose), dtype=np.int16), sizes)[order]
    row = np.concatenate([part.row if part.row is not None else np.arange(len(part)) for part in whose])[order]
    together = Places([part.tables[0] for part in whose], piece, row)
    return Read(concat(parts, sizes).take(order), together)


def slot(places: Places, name: str, base: str) -> Values:
    """What is written under a name, as far as it is of the sort asked for."""
    if base == "number":
        return places.numbers(name)
    if base == "code":
        return places.codes(f"{name}.code") if places.has(f"{name}.code") else codes.nothing()
    return places.moment(f"{name}.at")


def component(places: Places, name: str, base: str, family: Family) -> Read:
    """A result that was taken together with others, and what it means that it is not there."""
    kind = family.catalogue.kinds[places.kinds[0]].components[name]
    column = f"p.{name}.{kind}"
    row = places.get(column).astype(np.intp) if places.has(column) else np.full(len(places), NONE)
    parts = Places([family.shard.table(kind)], None, row)
    values = slot(parts, "value", base)
    silence = family.catalogue.kinds[kind].silence
    if silence is not None and isinstance(values, Codes):
        values = values.filled(row < 0, frozenset({silence}))
    return Read(values, parts)


# Attributes -----------------------------------------------------------------------------------------------


def attribute(subjects: Recorded, name: str, base: str) -> Values:
    """An attribute as recorded, or what silence means; at last what the negatives of it leave."""
    places = subjects.places
    told = slot(places, f"a.{name}", base)
    if isinstance(told, Moments) and (wrong := unusable(subjects, name, told)).any():
        told = told.without(wrong)
    values, silent = _with_silence(told, subjects, name)
    if isinstance(values, Codes) and isinstance(told, Codes) and not subjects.plain:
        values = _with_what_is_left(values, subjects, name, told, silent)
    if isinstance(values, Moments) and silent.any():
        values = _with_not_yet(values, subjects, name, silent)
    return values


def _with_silence(values: Values, subjects: Recorded, name: str) -> tuple[Values, Mask]:
    """The values with what silence means, and where it means nothing."""
    silent = unsaid(subjects.places, f"a.{name}")
    for kind in subjects.places.kinds if silent.any() else ():
        meant = said_by_silence(subjects.family.catalogue, kind, name)
        if meant is not None:
            rows = silent & subjects.places.among([kind])
            values, silent = _filled(values, rows, meant), silent & ~rows
    return values, silent


def none_left(subjects: Recorded, name: str) -> Mask:
    """Records of which narrowed negatives deny, or may deny, every code that an attribute may have."""
    told = slot(subjects.places, f"a.{name}", "code")
    assert isinstance(told, Codes)
    found = _remaining(subjects, name, told, _with_silence(told, subjects, name)[1])
    return np.zeros(1, np.bool_) if found is None else found.none


def _remaining(subjects: Recorded, name: str, told: Codes, silent: Mask) -> Remaining | None:
    """What negatives leave of what is not stated, or not to the one code; worked out once."""
    key = ("remaining", name)
    if key not in subjects.memo:
        subjects.memo[key] = remaining(subjects, name, told, silent) if silent.any() or told.several.any() else None
    found: Remaining | None = subjects.memo[key]
    return found


def unusable(subjects: Recorded, name: str, values: Moments) -> Mask:
    """Dates that cannot be: surely before the record itself, or that it is over of what still goes on."""
    places = subjects.places
    if not values.known.any():
        return np.zeros(1, np.bool_)
    wrong = values.last < subjects.start.first
    catalogue = subjects.family.catalogue
    over = [kind for kind in places.kinds if (entry := catalogue.attribute(kind, name)) and entry.rules_out]
    if over and places.has("ongoing"):
        wrong = wrong | (places.get("ongoing") & places.among(over))
    return whole(values.known & wrong, len(places))


def _with_not_yet(values: Moments, subjects: Recorded, name: str, silent: Mask) -> Moments:
    """Dates that something else stated of the record rules out: they lie after the day for which that is known."""
    places, size = subjects.places, len(subjects.places)
    rows = whole(silent, size) & _ruled_out(places, subjects.family.catalogue, name)
    if not rows.any():
        return values
    recorded, start, end, today = places.moment("recorded"), subjects.start, subjects.end, subjects.index.first
    over = (end.last < today) & (end.first > start.last)
    first = np.where(over, start.first, np.maximum(start.first, today))
    first = np.where(recorded.known, recorded.first, first)
    if places.has("ongoing"):
        first = np.where(places.get("ongoing"), subjects.end.first, first)
    rows &= first > -FAR
    later = Moments(first.astype(np.int32), np.full(size, FAR, np.int32))
    at = np.arange(size)
    return moments.concat([later, values], [size, size]).take(np.where(rows, at, at + size))


def _ruled_out(places: Places, catalogue: Catalogue, name: str) -> Mask:
    """Records that state a code with which the attribute cannot be stated."""
    found = np.zeros(len(places), np.bool_)
    for kind in places.kinds:
        entry = catalogue.attribute(kind, name)
        for other, code in () if entry is None else entry.ruled_out_by:
            column = f"a.{other}.code"
            if places.has(column):
                stated_so = places.codes(column)
                table = np.array([word == code for word in stated_so.words] + [False], np.bool_)
                found |= whole(stated_so.look_up(table) & places.among([kind]), len(places))
    return found


def unsaid(places: Places, name: str) -> Mask:
    """Where nothing is written under a name, not even that it is unknown (one entry where all are alike)."""
    return ~places.named(name) & valueless(places, name)


def valueless(places: Places, name: str) -> Mask:
    """Where no value of any sort is written under a name (one entry where all are alike)."""
    found = np.ones(1, np.bool_)
    if places.has(f"{name}.code"):
        found = found & ~places.codes(f"{name}.code").stated
    found = found & ~stated(places.numbers(name))
    if places.owns(f"{name}.at"):
        found = found & ~places.moment(f"{name}.at").known
    return found


def said_by_silence(catalogue: Catalogue, kind: str, name: str) -> Word | float | None:
    """What it means that a record of a kind does not state an attribute."""
    entry = catalogue.attribute(kind, name)
    if entry is None or entry.silence is None:
        return None
    if entry.type == BOOLEAN:
        return frozenset({entry.silence})
    values = catalogue.value_sets.get(entry.values)
    return values.meaning(entry.silence) if values is not None else float(entry.silence)


def _filled(values: Values, rows: Mask, meant: Word | float) -> Values:
    if isinstance(values, Codes) and isinstance(meant, frozenset):
        return values.filled(rows, meant)
    if isinstance(values, Numbers) and isinstance(meant, float):
        return numbers.filled(values, rows, meant)
    return values


def _with_what_is_left(values: Codes, subjects: Recorded, name: str, told: Codes, silent: Mask) -> Codes:
    """The values less what negatives deny of those that are not stated, or not to the one code."""
    found = _remaining(subjects, name, told, silent)
    if found is None or not found.left.stated.any():
        return values
    size = len(found.left)
    both = codes.concat([found.left, values], [size, size])
    places = np.arange(size)
    return both.take(np.where(found.left.stated, places, places + size))
