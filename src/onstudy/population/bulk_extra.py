"""Patients that were put together one by one, as arrays beside those of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onstudy.errors import Problem
from onstudy.population.bulk_facts import Bases, Components, Facts, component_names, from_facts
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.values.calendar import When


@dataclass(frozen=True, eq=False)
class Extra:
    """Some patients as arrays, numbered on from the others; `unfit` are those that arrays cannot hold."""

    patients: list[Patient]
    facts: Facts
    parts: Components
    problems: list[tuple[int, Problem]]
    coverage: list[tuple[int, Coverage]]
    unfit: list[Patient]


def extra_of(patients: Sequence[Patient], first: int, bases: Bases, catalogue: Catalogue) -> Extra:
    """The arrays of patients, the first of them with the number `first`."""
    fit = [patient for patient in patients if _fits(patient)]
    names = {name: number for number, name in enumerate(component_names(catalogue))}
    facts: list[Fact] = []
    whose: list[int] = []
    parts: list[tuple[int, int, int]] = []
    for number, patient in enumerate(fit, start=first):
        place = {fact.id: len(facts) + row for row, fact in enumerate(patient.facts)}
        for fact in patient.facts:
            parts += [(place[fact.id], place[part.id], names[name]) for name, part in fact.parts.items()]
        facts += patient.facts
        whose += [number] * len(patient.facts)
    columns = np.array(parts, np.int64).reshape(len(parts), 3).T
    return Extra(
        fit,
        from_facts(np.array(whose, np.int64), facts, bases),
        Components(columns[0], columns[1], columns[2]),
        [(number, one) for number, patient in enumerate(fit, start=first) for one in patient.problems],
        [(number, one) for number, patient in enumerate(fit, start=first) for one in patient.coverage],
        [patient for patient in patients if not _fits(patient)],
    )


def _fits(patient: Patient) -> bool:
    """Whether arrays hold all that the facts say, and each component is a fact of its own beside its whole."""
    beside = {fact.id: fact for fact in patient.facts}
    return all(
        not isinstance(fact.value, When) and all(beside.get(part.id) == part for part in fact.parts.values())
        for fact in patient.facts
    )
