"""Patients that were put together one by one, as arrays beside those of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onstudy.errors import Problem
from onstudy.population.bulk_facts import Bases, Components, Facts, component_names, from_facts
from onstudy.population.bulk_rows import Ints
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.values.calendar import When


@dataclass(frozen=True, eq=False)
class Extra:
    """Some patients as arrays, numbered on from the others; `unfit` are those that arrays cannot hold.

    `inner` are the places of components that are no facts of their own beside their whole.
    """

    patients: list[Patient]
    facts: Facts
    parts: Components
    inner: Ints
    problems: list[tuple[int, Problem]]
    coverage: list[tuple[int, Coverage]]
    unfit: list[Patient]


def extra_of(patients: Sequence[Patient], first: int, bases: Bases, catalogue: Catalogue) -> Extra:
    """The arrays of patients, the first of them with the number `first`."""
    fit = list(enumerate((patient for patient in patients if _fits(patient.facts)), start=first))
    listed = _Listed(component_names(catalogue))
    for number, patient in fit:
        listed.add(number, patient.facts)
    columns = np.array(listed.parts, np.int64).reshape(len(listed.parts), 3).T
    return Extra(
        [patient for _, patient in fit],
        from_facts(np.array(listed.whose, np.int64), listed.facts, bases),
        Components(columns[0], columns[1], columns[2]),
        np.array(listed.inner, np.int64),
        [(number, one) for number, patient in fit for one in patient.problems],
        [(number, one) for number, patient in fit for one in patient.coverage],
        [patient for patient in patients if not _fits(patient.facts)],
    )


class _Listed:
    """All facts of some patients, one after another, and which are components of which."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = {name: number for number, name in enumerate(names)}
        self.facts: list[Fact] = []
        self.whose: list[int] = []
        self.inner: list[int] = []
        self.parts: list[tuple[int, int, int]] = []

    def add(self, patient: int, facts: Sequence[Fact]) -> None:
        """The facts of one patient, and after them the components that are none of these."""
        beside = {fact.id: (self._fact(patient, fact), fact) for fact in facts}
        for fact in facts:
            self._parts(patient, beside[fact.id][0], fact, beside)

    def _parts(self, patient: int, place: int, whole: Fact, beside: Mapping[str, tuple[int, Fact]]) -> None:
        for name, part in whole.parts.items():
            at, same = beside.get(part.id, (-1, None))
            if same != part:
                at = self._fact(patient, part)
                self.inner.append(at)
                self._parts(patient, at, part, beside)
            self.parts.append((place, at, self.names[name]))

    def _fact(self, patient: int, fact: Fact) -> int:
        self.facts.append(fact)
        self.whose.append(patient)
        return len(self.facts) - 1


def _fits(facts: Iterable[Fact]) -> bool:
    """Whether arrays hold all that the facts say."""
    return all(not isinstance(fact.value, When) and _fits(fact.parts.values()) for fact in facts)
