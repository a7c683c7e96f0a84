"""Patients put together as arrays: all their facts at once, with what belongs together, what follows and what is wrong.

It does for many what `readers/fhir.py` and `record/assemble.py` do for one, in the same order. Patients of whom
anything is not the usual case are told (`Fast.odd`) and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.errors import Problem
from onstudy.population.bulk_births import before_birth
from onstudy.population.bulk_checks import Record, checked, in_themselves, of_another_sex, with_ends
from onstudy.population.bulk_classes import Contents, factorised
from onstudy.population.bulk_derive import Known, derived
from onstudy.population.bulk_expand import Expanded, expand
from onstudy.population.bulk_extra import extra_of
from onstudy.population.bulk_facts import (
    Bases,
    Components,
    Facts,
    component_names,
    from_facts,
    join_components,
    join_facts,
)
from onstudy.population.bulk_forms import CONSTANT, FactForm, Form, MomentForm, Pattern
from onstudy.population.bulk_groups import composed
from onstudy.population.bulk_impossible import Stated, possible
from onstudy.population.bulk_match import Matched
from onstudy.population.bulk_moments import Moments, from_whens, joined, none
from onstudy.population.bulk_person import sorted_coverage
from onstudy.population.bulk_problems import Said, problems_table
from onstudy.population.bulk_related import Clusters
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_spans import no_numbers
from onstudy.population.bulk_tables import NO_KIND, merged, tables_of, text_of
from onstudy.population.bulk_texts import same_text
from onstudy.readers.timing import Times
from onstudy.readers.unrecognised import Unrecognised, unrecognised_drugs
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.record.sexes import SEX
from onstudy.record.shard import (
    NO_DAY,
    NO_INSTANT,
    Cells,
    Column,
    Shard,
    Table,
    Text,
    shard_of,
    without_defaults,
)
from onstudy.values.calendar import EARLIEST_YEAR, When, parse_when
from onstudy.values.interval import Interval


@dataclass(frozen=True, eq=False)
class Arrays:
    """The rows to put together: those of persons, and all others, in the order of the source."""

    rows: Ints
    people: Ints
    patient: Ints
    patients: int
    matched: Matched
    contents: Contents
    clusters: Clusters
    catalogue: Catalogue
    unique: bool  # whether it is known that no two facts of a patient have one id


@dataclass(frozen=True, eq=False)
class Fast:
    """Patients put together as arrays; `odd` are those of whom something is not the usual case, left out here."""

    patients: int
    bases: Bases
    people: Expanded
    record: Record
    said: list[Said]
    covered: _Covered
    odd: Ints
    stems: Sequence[str]  # stand before numbers that name records

    def shard(self, others: Sequence[Patient]) -> Shard:
        """The shard of these patients and of others that were put together one by one, in the order of their ids."""
        patients, record, catalogue = self.patients, self.record, self.record.catalogue
        extra = extra_of(others, patients, self.bases, catalogue)
        good = np.ones(patients, bool)
        good[self.odd] = False
        mine = np.flatnonzero(good[self.people.facts.patient])
        number = np.concatenate([self.people.facts.patient[mine], patients + np.arange(len(extra.patients))])
        ids = pa.concat_arrays(
            [self.people.facts.id.take(mine).array(), pa.array([one.id for one in extra.patients], pa.string())]
        )
        order = pc.sort_indices(ids).to_numpy()
        place = np.full(patients + len(extra.patients), -1, np.int64)
        place[number[order]] = np.arange(len(order))
        born = joined([self.people.facts.start.take(mine), from_whens([one.born for one in extra.patients])])
        born = replace(born.plain, stated=np.ones(len(born), bool)).take(order)
        facts = join_facts([record.facts, extra.facts])
        names = component_names(catalogue)
        kinds = _kinds(catalogue, self.bases)
        kind = _kinds_of(facts, self.bases, kinds)
        moved = Components(
            extra.parts.wholes + len(record.facts), extra.parts.parts + len(record.facts), extra.parts.names
        )
        inner = extra.inner + len(record.facts)
        facts, kind, parts = _of_patients(facts, kind, join_components([record.parts, moved]), place)
        persons: dict[str, Column] = {"id": text_of(ids.take(pa.array(order))), **born.columns("born")}
        shard = Shard(
            Table("patients", len(order), without_defaults(persons)),
            self.covered.table(place, extra.coverage),
            problems_table([*self.said, Said.of_problems(extra.problems)], place),
            tables_of(facts, kind, kinds, self.bases, parts, names, inner, self.stems),
        )
        return shard if not extra.unfit else _with(shard, extra.unfit, catalogue)


def _with(shard: Shard, patients: Sequence[Patient], catalogue: Catalogue) -> Shard:
    """The shard with further patients."""
    ids = shard.patients.text("id")
    named = [(str(ids.at(row)), 0, row) for row in range(shard.patients.rows)]
    named += [(patient.id, 1, row) for row, patient in enumerate(patients)]
    places = (np.zeros(shard.patients.rows, np.int64), np.zeros(len(patients), np.int64))
    for place, (_, which, row) in enumerate(sorted(named)):
        places[which][row] = place
    return merged([shard, shard_of(patients, catalogue)], places)


def arrays(given: Arrays) -> Fast:
    """Put patients together as arrays."""
    return _Assembly(given).put_together()


@dataclass
class _Assembly:
    given: Arrays
    bases: Bases = field(default_factory=Bases)
    odd: list[Ints] = field(default_factory=list)

    def put_together(self) -> Fast:
        """All facts of all patients."""
        given = self.given
        people = self._people()
        born = self._birth(people)
        record, read, problems = self._assembled(people, born)
        early = before_birth(record, born, read)
        self.odd.append(early.odd)
        said = self._said(people, problems, checked(record, early.problems))
        odd = np.unique(np.concatenate(self.odd))
        return Fast(given.patients, self.bases, people, record, said, self._covered(), odd, given.contents.names.stems)

    def _expanded(self, rows: Ints, of: Callable[[Form], tuple[FactForm, ...]]) -> Expanded:
        """What `of` takes from the form of each row, with the contents of the row in it."""
        given = self.given
        forms = [Form(of(form)) for form in given.matched.forms]
        rows = self._having(rows, [bool(form.facts) for form in forms])
        matched = replace(given.matched, forms=forms)
        clusters = given.clusters
        names = component_names(given.catalogue)
        return expand(rows, given.patient, matched, given.contents, clusters.related, clusters.out, self.bases, names)

    def _having(self, rows: Ints, some: Sequence[bool]) -> Ints:
        """Those of the rows whose form is one of some; there is a flag for each form."""
        if not any(some):
            return rows[:0]
        kept = np.array(some, bool)[self.given.matched.form[rows]]
        return rows if kept.all() else rows[kept]

    # Persons ------------------------------------------------------------------------------------------------

    def _people(self) -> Expanded:
        """Of each person id (as `id`), sex (as `shown`) and birth date (as `start`)."""
        return self._expanded(self.given.people, _as_person)

    def _birth(self, people: Expanded) -> Moments:
        """When each patient was born."""
        return _by_patient(people.facts.start, people.facts.patient, self.given.patients)

    def _sexes(self, people: Expanded) -> Facts:
        """Sex as a fact that holds from birth on, or from before any birth where that is not known."""
        words = people.facts.shown.array().dictionary_encode()
        values = self.given.catalogue.value_sets[SEX]
        bases = [
            self.bases.place(Fact("", SEX, value=values.meaning(word))) if word else -1
            for word in words.dictionary.to_pylist()
        ]
        base = np.array(bases, np.int64)[words.indices.to_numpy(zero_copy_only=False)]
        some = np.flatnonzero(base >= 0)
        start = people.facts.start.take(some)
        unknown = (start.low == NO_INSTANT) & (start.high == NO_INSTANT)
        ever = from_whens([When(Interval(None, parse_when(f"{EARLIEST_YEAR}-01-01").span.low))])
        start = _where(unknown, ever.take(np.zeros(len(some), np.int64)), start)
        empty, rows = no_numbers(len(some)), len(some)
        called = same_text(SEX, rows)
        return Facts(
            people.facts.patient[some], base[some], start, none(rows), none(rows), empty, empty, empty,
            called, called, people.facts.shown.take(some), same_text(None, rows),
        )  # fmt: skip

    # Drugs that are not known -----------------------------------------------------------------------------------

    def _drugs(self) -> _Drugs:
        """One treatment a patient for all drugs that were not recognised."""
        found = self._expanded(self.given.rows, _as_drugs)
        facts, row = found.facts, found.row
        patients: dict[int, list[Unrecognised]] = {}
        called = self._called(row)
        where = facts.source.array().to_pylist()
        for place, patient in enumerate(facts.patient.tolist()):
            name, going, on = called[place]
            start = facts.start.at(place)
            times = Times(
                start if on else None, None if on else start, facts.end.at(place), going, facts.recorded.at(place)
            )
            patients.setdefault(patient, []).append(Unrecognised(name, times, where[place]))
        made = {patient: unrecognised_drugs(some, self.given.catalogue) for patient, some in patients.items()}
        whose = np.array(list(made), np.int64)
        return _Drugs(
            from_facts(whose, [fact for fact, _ in made.values()], self.bases),
            [(patient, problem) for patient, (_, problem) in made.items()],
        )

    def _called(self, row: Ints) -> list[tuple[str, bool | None, bool]]:
        """Of each unknown drug of the rows its name, whether it goes on, and whether its one date is a moment."""
        forms = self.given.matched.forms
        per_form = {
            number: [(one.called, one.going, "on" in one.times) for one in form.drugs]
            for number, form in enumerate(forms)
            if form.drugs
        }
        numbers = self.given.matched.form[np.asarray(list(dict.fromkeys(row.tolist())), np.int64)]
        return [one for number in numbers.tolist() for one in per_form[number]]

    # Putting together -------------------------------------------------------------------------------------------

    def _read(self) -> tuple[Facts, Components]:
        """The facts of all rows but those of persons, and which of them are inside others."""
        given = self.given
        read = self._expanded(given.rows, lambda form: form.facts)
        unfit = [number in read.unfit for number in range(len(given.matched.forms))]
        self.odd.append(given.patient[self._having(given.rows, unfit)])
        return read.facts, read.parts

    def _assembled(self, people: Expanded, born: Moments) -> tuple[Record, int, list[tuple[int, Problem]]]:
        """All facts: those that were read, with composites, with those of sex, with what follows, and with their ends.

        Also how many were read, and what was wrong with these. Facts are large: only the last of them are kept.
        """
        given, bases = self.given, self.bases
        facts, parts = self._read()
        drugs, sexes = self._drugs(), self._sexes(people)
        told = possible(Stated(join_facts([facts, drugs.facts]), parts, born), bases, given.catalogue)
        self.odd.append(told.odd)
        facts, read, problems = told.facts, len(told.facts), [*drugs.problems, *told.problems]
        del told
        kinds = _kinds(given.catalogue, bases)
        inner = np.zeros(len(facts), bool)
        inner[parts.parts] = True
        grouped = composed(facts, _kinds_of(facts, bases, kinds), kinds, inner, bases, given.catalogue)
        self.odd.append(grouped.odd)
        facts = join_facts([facts, grouped.made, sexes])
        parts = join_components([parts, grouped.parts])
        kind = _kinds_of(facts, bases, kinds)
        self.odd.append(of_another_sex(Record(facts, kind, kinds, bases, parts, given.catalogue, given.patients)))
        more = derived(Known(facts, kind, kinds, parts, born, bases), given.catalogue)
        self.odd.append(more.odd)
        facts = join_facts([facts, more.made])
        parts = join_components([parts, more.parts])
        record = Record(facts, _kinds_of(facts, bases, kinds), kinds, bases, parts, given.catalogue, given.patients)
        record = replace(record, facts=in_themselves(record))
        record = replace(record, facts=with_ends(record))
        if not given.unique:
            self.odd.append(_twice(facts))
        return record, read, problems

    # Problems -----------------------------------------------------------------------------------------------------

    def _said(self, people: Expanded, single: Sequence[tuple[int, Problem]], last: Said) -> list[Said]:
        """All that is wrong, sort by sort in the order in which a patient's problems stand; `single` one by one."""
        given = self.given
        own = self._expanded(given.people, _as_problems)
        others = self._expanded(given.rows, _as_problems)
        shared = self._expanded(given.rows, _as_shared)
        return [
            Said.of_facts(own.facts, self.bases),
            Said.of_facts(others.facts, self.bases),
            Said.shared(shared.facts),
            Said.unread(*self._unread()),
            Said.of_problems(single),
            last,
        ]

    def _unread(self) -> tuple[Ints, list[str]]:
        """Patient and type of every record that is not read."""
        given = self.given
        kinds = [form.unread for form in given.matched.forms]
        rows = self._having(given.rows, [bool(one) for one in kinds])
        pairs = [
            (patient, kind)
            for patient, number in zip(given.patient[rows].tolist(), given.matched.form[rows].tolist(), strict=True)
            for kind in kinds[number]
        ]
        return np.array([patient for patient, _ in pairs], np.int64), [kind for _, kind in pairs]

    def _covered(self) -> _Covered:
        """What the records of the patients hold completely."""
        stretches = _Stretches()
        found = self._expanded(self.given.people, stretches.of).facts
        number = found.shown.array().cast(pa.int64()).to_numpy(zero_copy_only=False)
        return _Covered(found.patient, stretches.listed, number, found.source.array())


@dataclass(frozen=True, eq=False)
class _Covered:
    """Coverage as arrays: whose, which of the stretches listed, and where it is said."""

    patient: Ints
    listed: list[Coverage]
    number: Ints
    source: pa.Array

    def table(self, place: Ints, extra: Sequence[tuple[int, Coverage]]) -> Table:
        """The table of a shard, of the patients that have a place."""
        listed = [*self.listed, *(cover for _, cover in extra)]
        patient = place[np.concatenate([self.patient, np.array([one for one, _ in extra], np.int64)])]
        number = np.concatenate([self.number, len(self.listed) + np.arange(len(extra))])
        source = pa.concat_arrays([self.source, pa.array([cover.source for _, cover in extra], pa.string())])
        rows = np.flatnonzero(patient >= 0)
        rows = rows[np.argsort(patient[rows], kind="stable")]
        number = number[rows]
        columns: dict[str, Column] = {
            "patient": patient[rows].astype(np.int32),
            "kind": _coded([cover.kind for cover in listed], number),
            "source": text_of(source.take(pa.array(rows))),
            "first": np.array([NO_DAY if one.first is None else one.first for one in listed], np.int32)[number],
            "last": np.array([NO_DAY if one.last is None else one.last for one in listed], np.int32)[number],
        }
        return Table("coverage", len(rows), without_defaults(columns))


class _Stretches:
    """Stretches of coverage by number, so that they can be held as facts: their number as what is shown."""

    def __init__(self) -> None:
        self.listed: list[Coverage] = []

    def of(self, form: Form) -> tuple[FactForm, ...]:
        """The stretches of a person, in the order in which a patient has them."""
        if form.person is None or not form.person.coverage:
            return ()
        where = dict(reversed(form.person.coverage))
        found = []
        for cover in sorted_coverage(list(where)):
            found.append(_said_as(Fact("", "coverage"), ("",), where[cover], (str(len(self.listed)),)))
            self.listed.append(cover)
        return tuple(found)


def _coded(words: Sequence[str], number: Ints) -> Text:
    known = {word: place for place, word in enumerate(dict.fromkeys(words))}
    return Text(np.array([known[word] for word in words], np.int32)[number], tuple(known))


@dataclass(frozen=True, eq=False)
class _Drugs:
    facts: Facts
    problems: list[tuple[int, Problem]]


# Forms looked at as facts, so that their places are filled in alike ---------------------------------------------


def _as_person(form: Form) -> tuple[FactForm, ...]:
    person = form.person
    return () if person is None else (_said_as(Fact("", SEX), person.id, ("",), (person.sex,), start=person.born),)


def _as_problems(form: Form) -> tuple[FactForm, ...]:
    """What as the id, where as the source; `negative` where no fact was kept."""
    return tuple(_said_as(Fact("", "problem", negative=not kept), what, where) for what, where, kept in form.problems)


def _as_shared(form: Form) -> tuple[FactForm, ...]:
    return tuple(_said_as(Fact("", "problem"), (what,), where) for what, where in form.shared)


def _as_drugs(form: Form) -> tuple[FactForm, ...]:
    found = []
    for drug in form.drugs:
        times = drug.times
        start = times.get("on") or times.get("start") or _NEVER
        one = _said_as(Fact("", "problem"), ("",), drug.where, start=start)
        found.append(replace(one, end=times.get("end"), recorded=times.get("recorded")))
    return tuple(found)


_NEVER = MomentForm(CONSTANT)


def _said_as(
    base: Fact, called: Pattern, source: Pattern, shown: Pattern = ("",), start: MomentForm = _NEVER
) -> FactForm:
    return FactForm(base, called, source, shown, None, start, None, None, None, None, None)


# Arrays ---------------------------------------------------------------------------------------------------------


def _kinds(catalogue: Catalogue, bases: Bases) -> list[str]:
    """The kinds there are, and what else facts are called by their bases."""
    return [*catalogue.kinds, *sorted({base.kind for base in bases.facts} - set(catalogue.kinds))]


def _kinds_of(facts: Facts, bases: Bases, kinds: Sequence[str]) -> NDArray[np.int32]:
    """The place of each fact's kind in `kinds`."""
    places = {name: number for number, name in enumerate(kinds)}
    return np.array([places[base.kind] for base in bases.facts], np.int32)[facts.base]


def _where(which: NDArray[np.bool_], one: Moments, other: Moments) -> Moments:
    """The moments of `one` where `which` is true, else those of `other`."""
    return Moments(
        np.where(which, one.low, other.low),
        np.where(which, one.high, other.high),
        np.where(which, one.flags, other.flags).astype(np.int8),
        np.where(which, one.offset, other.offset).astype(np.int16),
        np.where(which, one.stated, other.stated),
    )


def _by_patient(moments: Moments, whose: Ints, patients: int) -> Moments:
    """The moments of some patients as those of all."""
    place = np.full(patients, len(moments), np.int64)
    place[whose] = np.arange(len(moments))
    return joined([moments, none(1)]).take(place)


def _twice(facts: Facts) -> Ints:
    """Patients with two facts of one id: the usual case is that each id is there once."""
    coded = facts.id.array().dictionary_encode()
    if len(coded.dictionary) == len(facts):
        return np.zeros(0, np.int64)
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    pair = factorised(facts.patient, codes)
    many = np.bincount(pair)
    return np.unique(facts.patient[many[pair] > 1])


def _of_patients(
    facts: Facts, kind: NDArray[np.int32], parts: Components, place: Ints
) -> tuple[Facts, NDArray[np.int32], Components]:
    """The facts under the numbers of their patients; those of patients that have no place are of no kind."""
    patient = place[facts.patient]
    if patient.min(initial=0) >= 0:
        return replace(facts, patient=patient), kind, parts
    kept = np.flatnonzero(patient[parts.wholes] >= 0)
    some = Components(parts.wholes[kept], parts.parts[kept], parts.names[kept])
    return replace(facts, patient=patient), np.where(patient < 0, NO_KIND, kind).astype(np.int32), some


def coverage_table(found: Sequence[tuple[int, Coverage]]) -> Table:
    """The coverage of patients by their number, as the table of a shard."""
    cells = Cells("coverage")
    for patient, cover in found:
        row = cells.row()
        cells.set(row, "patient", patient)
        cells.say(row, "kind", cover.kind)
        cells.say(row, "source", cover.source)
        for name, day in (("first", cover.first), ("last", cover.last)):
            if day is not None:
                cells.set(row, name, day)
    return cells.table()
