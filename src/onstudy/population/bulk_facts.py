"""Facts as arrays, which of them are components of others, and what is the same in many of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa

from onstudy.population.bulk_moments import Moments, from_whens, joined
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_same import Rows
from onstudy.population.bulk_same import joined as joined_columns
from onstudy.population.bulk_spans import Numbers, from_intervals, span_at
from onstudy.population.bulk_texts import Texts, join_texts, texts_of
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.values.interval import Interval


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Facts as arrays. `base` is the place of what is the same in all facts of a form, in a list of `Fact`.

    `parts` are (whole, part, name) for each component: places in these arrays, and in the list of names.
    """

    patient: Ints
    base: Ints
    start: Moments
    end: Moments
    recorded: Moments
    value: Numbers
    uln: Numbers
    lln: Numbers
    id: Texts
    source: Texts
    shown: Texts
    sample: Texts

    def __len__(self) -> int:
        return len(self.patient)

    def take(self, rows: Rows | slice) -> Facts:
        """Some of them, in the order asked for."""
        columns: list[Any] = [getattr(self, one.name) for one in fields(self)]
        some: list[Any] = [column[rows] if isinstance(column, np.ndarray) else column.take(rows) for column in columns]
        return Facts(*some)

    @property
    def compact(self) -> Facts:
        """The same; a column of moments or numbers that says the same in each row is held once."""
        columns: list[Any] = [getattr(self, one.name) for one in fields(self)]
        some: list[Any] = [one.compact if isinstance(one, (Moments, Numbers)) else one for one in columns]
        return Facts(*some)


@dataclass
class Bases:
    """What is the same in all facts of a form, as a list; equal ones once."""

    facts: list[Fact] = field(default_factory=list)
    _places: dict[tuple[object, ...], int] = field(default_factory=dict)

    def place(self, fact: Fact) -> int:
        """The place of a fact in the list."""
        key = _key(fact)
        if key not in self._places:
            self._places[key] = len(self.facts)
            self.facts.append(fact)
        return self._places[key]


def _key(fact: Fact) -> tuple[object, ...]:
    return (
        fact.kind, fact.negative, fact.narrowed, fact.ongoing, fact.certain, fact.value, fact.lacks, fact.uln, fact.lln,
        tuple(fact.attributes.items()), fact.computed, fact.code_status, fact.opened,
    )  # fmt: skip


def join_facts(parts: Sequence[Facts]) -> Facts:
    """Facts one after another."""
    some = [part for part in parts if len(part)]
    if len(some) < 2:
        return some[0] if some else parts[0]
    columns: list[Any] = []
    for one in fields(Facts):
        given = [getattr(part, one.name) for part in some]
        if isinstance(given[0], Moments):
            columns.append(joined(given))
        elif isinstance(given[0], Numbers):
            arrays = zip(*(part.arrays for part in given), strict=True)
            columns.append(Numbers(*(joined_columns(some) for some in arrays)))
        elif isinstance(given[0], Texts):
            columns.append(join_texts(given))
        else:
            columns.append(np.concatenate(given))
    return Facts(*columns)


# Components -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Which facts are components of which: whole and part by their places among all facts, the name by its number."""

    wholes: Ints
    parts: Ints
    names: Ints

    def named(self, number: int) -> Ints:
        """The places here of all components of one name."""
        return np.flatnonzero(self.names == number)


class Insides:
    """What some composites hold."""

    def __init__(self, wholes: Ints, facts: int, parts: Components) -> None:
        self.wholes, self.parts = wholes, parts
        self._row = np.full(facts, len(wholes), np.int32)  # of the composites; the last is for all other facts
        self._row[wholes] = np.arange(len(wholes))
        self._found: dict[int, Ints] = {}

    def component(self, number: int) -> Ints:
        """The place of the component of a name in each; -1 where there is none."""
        if number not in self._found:
            some = self.parts.named(number)
            found = np.full(len(self.wholes) + 1, -1, np.int64)
            found[self._row[self.parts.wholes[some]]] = self.parts.parts[some]
            self._found[number] = found[:-1]
        return self._found[number]


NO_COMPONENTS = Components(*np.zeros((3, 0), np.int64))


def join_components(parts: Sequence[Components]) -> Components:
    """Components one after another."""
    return Components(*(np.concatenate([getattr(one, f.name) for one in parts]) for f in fields(Components)))


def component_names(catalogue: Catalogue) -> list[str]:
    """The names of all components there are; their places here are their numbers."""
    return sorted({name for kind in catalogue for name in kind.components})


# One by one -----------------------------------------------------------------------------------------------


def from_facts(patient: Ints, facts: Sequence[Fact], bases: Bases) -> Facts:
    """Facts given one by one, which have no components, each of the patient beside it."""
    value, uln, lln = (
        from_intervals([span if isinstance(span := getattr(fact, name), Interval) else None for fact in facts])
        for name in ("value", "uln", "lln")
    )
    id_, source, shown, sample = (
        texts_of(pa.array([getattr(fact, name) for fact in facts], pa.string()))
        for name in ("id", "source", "shown", "sample")
    )
    return Facts(
        patient,
        np.array([bases.place(fact) for fact in facts], np.int64),
        from_whens([fact.start for fact in facts]),
        from_whens([fact.end for fact in facts]),
        from_whens([fact.recorded for fact in facts]),
        value,
        uln,
        lln,
        id_,
        source,
        shown,
        sample,
    ).compact


def fact_at(facts: Facts, bases: Bases, place: int) -> Fact:
    """One of the facts, without its components."""
    start = facts.start.at(place)
    assert start is not None, "a fact has a start"
    base = bases.facts[int(facts.base[place])]
    numbers: dict[str, Any] = {
        name: span for name in ("value", "uln", "lln") if (span := span_at(getattr(facts, name), place))
    }
    return replace(
        base,
        id=facts.id.at(place) or "",
        start=start,
        end=facts.end.at(place),
        recorded=facts.recorded.at(place),
        source=facts.source.at(place) or "",
        shown=facts.shown.at(place) or "",
        sample=facts.sample.at(place),
        **numbers,
    )
