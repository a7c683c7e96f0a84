"""A block of generated patients: who they are and what their records state, before it is put into a format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from onstudy.population.generate_denials import coverage
from onstudy.population.generate_draws import Draws, Ints
from onstudy.population.generate_history import say_history
from onstudy.population.generate_leukemia import blurred, say_leukemia
from onstudy.population.generate_people import People, people
from onstudy.population.generate_results import say_results
from onstudy.population.generate_rows import UNSAID, Book, Dates, Rows, Words
from onstudy.population.generate_transplants import say_transplants
from onstudy.population.generate_treatments import say_treatments
from onstudy.readers.patientfile import coverage_from
from onstudy.readers.statement import Statement, Written
from onstudy.record.assemble import make_patient
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.values.calendar import parse_when

#: Changed whenever the same seed gives other patients.
VERSION = 1
#: The day up to which records run, unless another is asked for.
TODAY = date(2026, 3, 16)


@dataclass(frozen=True)
class Block:
    """Some generated patients by number, and their statements by kind (`patient` is a position here)."""

    numbers: Ints
    born: Dates
    sex: Words
    complete: Words
    today: int
    rows: dict[str, Rows]

    def __len__(self) -> int:
        return len(self.numbers)

    def id(self, position: int) -> str:
        """What a patient is called."""
        return patient_id(int(self.numbers[position]))

    @property
    def latest(self) -> int | None:
        """The latest day anything happened or was recorded on, as an ordinal."""
        days = [
            int(dates.day[dates.grain != UNSAID].max())
            for rows in self.rows.values()
            for dates in (rows.start, rows.end, rows.recorded)
            if (dates.grain != UNSAID).any()
        ]
        return max(days, default=None)

    def of(self, positions: Ints) -> Block:
        """Some of the patients, in rising order."""
        place = np.full(len(self), -1, np.int64)
        place[positions] = np.arange(len(positions))
        rows = {kind: _moved(rows, place) for kind, rows in self.rows.items()}
        people = (self.numbers[positions], self.born.of(positions), self.sex.of(positions), self.complete.of(positions))
        return Block(*people, self.today, rows)

    def coverage(self, position: int) -> str:
        """What the record of a patient holds completely, in the words of a patient file."""
        said = self.complete.words[int(self.complete.index[position])]
        if said == "all from":
            return f"all, from {date.fromordinal(self.today - 3 * 365).isoformat()}"
        return said


def _moved(rows: Rows, place: Ints) -> Rows:
    """The rows of the patients that have a place, under it."""
    some = rows.of(place[rows.patient] >= 0)
    return replace(some, patient=place[some.patient])


def patient_id(number: int) -> str:
    """The id of a generated patient: it says what it is."""
    return f"synthetic-{number:08d}"


def generate_block(seed: int, numbers: Ints, today: date = TODAY) -> Block:
    """The patients with these numbers. The same seed and number give the same patient in any block."""
    some = people(Draws(seed, numbers), today.toordinal())
    book = Book(some.today)
    say_leukemia(some, book)
    say_results(some, book)
    say_treatments(some, book)
    say_transplants(some, book)
    say_history(some, book)
    return Block(numbers, _born(some), _sex(some), coverage(some), some.today, book.rows())


def _born(some: People) -> Dates:
    return blurred(some.draws, "born", some.born, 0.985, 0.005)


def _sex(some: People) -> Words:
    lost = some.draws.chance("sex lost", 0.004)
    return Words(np.where(lost, 2, some.female.astype(np.int64)), ("male", "female", ""))


# As patients, one by one -----------------------------------------------------------------------------------


def patients_of(block: Block, catalogue: Catalogue) -> Iterator[Patient]:
    """The patients as the reader of patient files makes them: slow, and what the fast ways are held to."""
    stated: list[list[tuple[str, dict[str, Written]]]] = [[] for _ in range(len(block))]
    for kind, rows in block.rows.items():
        for row, number in enumerate(counted(rows).tolist()):
            name = fact_id(kind, number)
            stated[int(rows.patient[row])].append((name, entry(rows, row, catalogue)))
    for position, entries in enumerate(stated):
        yield _patient(block, position, entries, catalogue)


def counted(rows: Rows) -> Ints:
    """Of each row, which it is of its patient's rows of the kind, from 1."""
    first = np.searchsorted(rows.patient, rows.patient, side="left")
    return np.arange(1, len(rows) + 1) - first


def fact_id(kind: str, number: int) -> str:
    """The id of a patient's fact; ids of one kind sort as their numbers do."""
    return f"{kind}-{number:02d}"


def entry(rows: Rows, row: int, catalogue: Catalogue) -> dict[str, Written]:
    """One statement as a patient file writes it."""
    saying = rows.sayings[int(rows.said[row])]
    found: dict[str, Written] = dict(saying)
    start, end, recorded = rows.start.text(row), rows.end.text(row), rows.recorded.text(row)
    period = catalogue.kinds[rows.kind].extent == "period" and saying.get("value") != "no"
    if start:
        found["from" if period or end else "on"] = start
    if end:
        found["to"] = end
    if recorded:
        found["recorded"] = recorded
    return found


def _patient(
    block: Block, position: int, entries: list[tuple[str, dict[str, Written]]], catalogue: Catalogue
) -> Patient:
    facts: list[Fact] = []
    problems = []
    for name, written in entries:
        statement = Statement(written, catalogue, name, name)
        fact = statement.fact()
        if fact is not None:
            facts.append(fact)
        problems += statement.problems
    born = parse_when(block.born.text(position))
    sex = block.sex.words[int(block.sex.index[position])]
    covered = coverage_of(block, position, catalogue)
    return make_patient(block.id(position), born, sex or None, facts, covered, problems, catalogue)


def coverage_of(block: Block, position: int, catalogue: Catalogue) -> list[Coverage]:
    """What a record holds completely, as coverage."""
    return coverage_said(block.coverage(position), catalogue)


def coverage_said(said: str, catalogue: Catalogue) -> list[Coverage]:
    """The same, by its words."""
    if not said:
        return []
    written: Written = said if said.startswith("all") else list(said.split())
    return coverage_from(written, "complete", catalogue, [])
