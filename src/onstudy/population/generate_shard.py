"""Generated patients as a shard: their facts as arrays, put together by the hands that put every source together.

Patients of whom anything is not the usual case are put together one by one, as all could be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.errors import Problem
from onstudy.population.bulk_arrays import coverage_table
from onstudy.population.bulk_checks import Record, checked, in_themselves, with_ends
from onstudy.population.bulk_derive import Known, derived
from onstudy.population.bulk_facts import Bases, Components, Facts, component_names, join_components, join_facts
from onstudy.population.bulk_groups import composed
from onstudy.population.bulk_moments import Moments, from_whens, none
from onstudy.population.bulk_person import sorted_coverage
from onstudy.population.bulk_problems import Said, problems_table
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_spans import Numbers, no_numbers
from onstudy.population.bulk_tables import merged, tables_of, text_of
from onstudy.population.bulk_texts import same_text, texts_of
from onstudy.population.generate_block import Block, coverage_of, coverage_said
from onstudy.population.generate_facts import Generated, Templates, facts_of, moments, pick
from onstudy.record.assemble import make_patient
from onstudy.record.catalogue import Catalogue
from onstudy.record.checks import TEST_DATA
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.record.shard import (
    HIGH_OPEN,
    LOW_OPEN,
    NO_INSTANT,
    UNBOUNDED,
    Column,
    Shard,
    Table,
    shard_of,
    without_defaults,
)  # fmt: skip
from onstudy.values.calendar import EARLIEST_YEAR, UNDATED, When, parse_when
from onstudy.values.interval import Interval

_SEX, _PATIENT = "sex", "Patient/"


def shard_of_block(block: Block, templates: Templates) -> Shard:
    """The shard of a block of patients, in the order of their numbers."""
    work = _Work(block, templates.catalogue, facts_of(block, templates))
    odd = work.put_together()
    usual = np.setdiff1d(np.arange(len(block)), odd)
    if not len(odd):
        return work.shard(usual)
    others = shard_of(list(work.one_by_one(odd)), templates.catalogue)
    return merged([work.shard(usual), others], [usual, odd])


class _Work:
    """Facts on their way into tables."""

    def __init__(self, block: Block, catalogue: Catalogue, stated: Generated) -> None:
        self.block, self.catalogue, self.stated = block, catalogue, stated
        self.bases: Bases = stated.bases
        self.born = _all_stated(moments(block.born))
        self.facts = join_facts([stated.facts, self._sexes()])
        self.names = component_names(catalogue)
        numbers = np.array([self.names.index(name) for name in stated.names], np.int64)
        self.parts = Components(stated.wholes, stated.parts, numbers)
        self._coverage: dict[str, Sequence[Coverage]] = {}
        self.kinds = [*catalogue.kinds]

    def put_together(self) -> Ints:
        """Add what belongs together and what follows; returns the patients whose case is not the usual one."""
        inner = np.zeros(len(self.facts), bool)
        inner[self.parts.parts] = True
        grouped = composed(self.facts, self._kind(), self.kinds, inner, self.bases, self.catalogue)
        self._add(grouped.made, grouped.parts)
        known = Known(self.facts, self._kind(), self.kinds, self.parts, self.born, self.bases)
        more = derived(known, self.catalogue)
        self._add(more.made, more.parts)
        self.facts = in_themselves(self._record())
        self.facts = with_ends(self._record())
        return np.unique(np.concatenate([grouped.odd, more.odd])).astype(np.int64)

    def _record(self) -> Record:
        """All facts there are so far."""
        kind = self._kind()
        return Record(self.facts, kind, self.kinds, self.bases, self.parts, self.catalogue, len(self.block))

    def _kind(self) -> NDArray[np.int32]:
        """The place of each fact's kind."""
        places = {name: number for number, name in enumerate(self.kinds)}
        return np.array([places[base.kind] for base in self.bases.facts], np.int32)[self.facts.base]

    def _add(self, made: Facts, parts: Components) -> None:
        self.facts = join_facts([self.facts, made])
        self.parts = join_components([self.parts, parts])

    def _sexes(self) -> Facts:
        """Sex, which holds from birth on, or from before any birth where that is not known."""
        words = np.array(self.block.sex.words)[self.block.sex.index]
        some = np.flatnonzero(words != "")
        values = self.catalogue.value_sets[_SEX]
        base = {
            word: self.bases.place(Fact("", _SEX, value=values.meaning(word)))
            for word in sorted(set(words[some].tolist()))
        }
        start, rows = self.born.take(some), len(some)
        ever = from_whens([When(Interval(None, parse_when(f"{EARLIEST_YEAR}-01-01").span.low))])
        start = pick(start.low == NO_INSTANT, ever.take(np.zeros(rows, np.int64)), start)
        named = same_text(_SEX, rows)
        empty, never = no_numbers(rows), none(rows)
        places = np.array([base[word] for word in words[some].tolist()], np.int64)
        shown, sample = texts_of(pa.array(words[some].tolist(), pa.string())), same_text(None, rows)
        return Facts(some, places, start, never, never, empty, empty, empty, named, named, shown, sample)

    # Tables -----------------------------------------------------------------------------------------------------

    def shard(self, patients: Ints) -> Shard:
        """The shard of some of the patients."""
        place = np.full(len(self.block), -1, np.int64)
        place[patients] = np.arange(len(patients))
        ids = pa.array([self.block.id(position) for position in patients.tolist()], pa.string())
        said = [_test_data(patients, ids), Said.of_problems(self.stated.problems), checked(self._record())]
        facts, kind, parts = _of_patients(self.facts, self._kind(), self.parts, place)
        people: dict[str, Column] = {"id": text_of(ids), **self.born.take(patients).columns("born")}
        covered = [
            (number, cover)
            for number, position in enumerate(patients.tolist())
            for cover in self._covered(self.block.coverage(position))
        ]
        return Shard(
            Table("patients", len(ids), without_defaults(people)),
            coverage_table(covered),
            problems_table(said, place),
            tables_of(facts, kind, self.kinds, self.bases, parts, self.names),
        )

    def _covered(self, said: str) -> Sequence[Coverage]:
        """What is declared complete in these words; few are different."""
        if said not in self._coverage:
            self._coverage[said] = sorted_coverage(coverage_said(said, self.catalogue))
        return self._coverage[said]

    # One by one -------------------------------------------------------------------------------------------------

    def one_by_one(self, patients: Ints) -> Iterator[Patient]:
        """Some of the patients, as `make_patient` puts them together of what is stated."""
        wanted = np.zeros(len(self.block), bool)
        wanted[patients] = True
        stated = self._stated(np.flatnonzero(wanted[self.stated.facts.patient]))
        problems: dict[int, list[Problem]] = defaultdict(list)
        for patient, problem in self.stated.problems:
            problems[patient].append(problem)
        for patient in patients.tolist():
            sex = self.block.sex.words[int(self.block.sex.index[patient])] or None
            covered = coverage_of(self.block, patient, self.catalogue)
            yield make_patient(
                self.block.id(patient),
                self.born.at(patient) or UNDATED,
                sex,
                stated[patient],
                covered,
                [Problem(TEST_DATA, _PATIENT + self.block.id(patient), fact_kept=True), *problems[patient]],
                self.catalogue,
            )

    def _stated(self, rows: Ints) -> dict[int, list[Fact]]:
        """Facts as they were stated, those of each patient: what was stated together as one fact with its parts."""
        facts = list(_listed(self.stated.facts.take(rows), self.bases))
        place = {row: number for number, row in enumerate(rows.tolist())}
        stated = self.stated
        inside: dict[int, dict[str, Fact]] = defaultdict(dict)
        parts = set()
        for whole, part, name in zip(stated.wholes.tolist(), stated.parts.tolist(), stated.names, strict=True):
            if whole in place:
                inside[place[whole]][name] = facts[place[part]]
                parts.add(place[part])
        found: dict[int, list[Fact]] = defaultdict(list)
        for number, (patient, fact) in enumerate(zip(self.stated.facts.patient[rows].tolist(), facts, strict=True)):
            if number not in parts:
                found[patient].append(replace(fact, parts=inside[number]) if number in inside else fact)
        return found


def _test_data(patients: Ints, ids: pa.StringArray) -> Said:
    """What is said of each patient: that the record is of nobody real."""
    what, where = pa.array([TEST_DATA] * len(ids)), pc.binary_join_element_wise(_PATIENT, ids, "")
    return Said(patients, what, where, np.ones(len(ids), bool))


def _all_stated(given: Moments) -> Moments:
    return replace(given, stated=np.ones(len(given), bool))


def _of_patients(
    facts: Facts, kind: NDArray[np.int32], parts: Components, place: Ints
) -> tuple[Facts, NDArray[np.int32], Components]:
    """The facts of the patients that have a place, under it."""
    rows = np.flatnonzero(place[facts.patient] >= 0)
    if len(rows) == len(facts):
        return replace(facts, patient=place[facts.patient]), kind, parts
    new = np.full(len(facts), -1, np.int64)
    new[rows] = np.arange(len(rows))
    left = facts.take(rows)
    some = np.flatnonzero(new[parts.wholes] >= 0)
    kept = Components(new[parts.wholes[some]], new[parts.parts[some]], parts.names[some])
    return replace(left, patient=place[left.patient]), kind[rows], kept


def _listed(facts: Facts, bases: Bases) -> Iterator[Fact]:
    """Facts of arrays, one by one."""
    texts = [column.array().to_pylist() for column in (facts.id, facts.source, facts.shown)]
    for row, (base, name, source, shown) in enumerate(zip(facts.base.tolist(), *texts, strict=True)):
        same = bases.facts[base]
        value = _interval(facts.value, row)
        yield replace(
            same,
            id=name,
            start=facts.start.at(row) or UNDATED,
            end=facts.end.at(row),
            recorded=facts.recorded.at(row),
            value=same.value if value is None else value,
            uln=_interval(facts.uln, row),
            lln=_interval(facts.lln, row),
            shown=shown or "",
            source=source,
        )


def _interval(numbers: Numbers, row: int) -> Interval | None:
    low, high, flags = float(numbers.low[row]), float(numbers.high[row]), int(numbers.flags[row])
    bounds = (None if low != low else low), (None if high != high else high)
    if bounds == (None, None) and not flags & UNBOUNDED:
        return None
    return Interval(*bounds, bool(flags & LOW_OPEN), bool(flags & HIGH_OPEN))
