"""What cannot be right in the records of many patients: `record/checks.py`, and whose periods `record/ends.py` ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from onstudy.population.bulk_facts import Bases, Components, Facts, Insides, component_names, fact_at
from onstudy.population.bulk_impossible import perhaps_outside
from onstudy.population.bulk_moments import Moments, from_whens, no_earlier, no_later, put
from onstudy.population.bulk_numbers import Flags
from onstudy.population.bulk_order import in_groups
from onstudy.population.bulk_problems import Said
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_same import is_same
from onstudy.record.catalogue import DAY, PERIOD, STATE, Catalogue
from onstudy.record.checks import QTCF_TOLERANCE, check
from onstudy.record.ends import end_superseded
from onstudy.record.patient import Fact
from onstudy.record.sexes import SEX
from onstudy.record.shard import NO_INSTANT
from onstudy.values.calendar import DAY as A_DAY
from onstudy.values.calendar import When
from onstudy.values.interval import Interval

#: Kinds of which a patient's facts are checked against each other, and components of one composite.
_AGAINST = ("menses", "hysterectomy")
_ECG, _REPORTED, _MEASURED = "ecg", "qtcf", "qt"

#: Problems: the patient, what is wrong, and where.
Found = set[tuple[int, str, str]]


@dataclass(frozen=True, eq=False)
class Record:
    """All facts of some patients, the kind of each, and their components."""

    facts: Facts
    kind: NDArray[np.int32]
    kinds: Sequence[str]
    bases: Bases
    parts: Components
    catalogue: Catalogue
    patients: int

    def base(self, place: int) -> Fact:
        """What a fact has in common with those of its form."""
        return self.bases.facts[int(self.facts.base[place])]

    def value(self, place: int) -> Interval | None:
        """The number of a fact."""
        low, high = float(self.facts.value.low[place]), float(self.facts.value.high[place])
        span = Interval(None if low != low else low, None if high != high else high)
        return span if span.known else None

    def flags(self, name: str) -> Flags:
        """A flag of each fact."""
        return np.array([bool(getattr(base, name)) for base in self.bases.facts], bool)[self.facts.base]

    def of(self, name: str) -> Flags:
        """Which facts are of a kind."""
        return np.asarray(self.kind == self.kinds.index(name)) if name in self.kinds else np.zeros(len(self.kind), bool)

    def where(self, test: Callable[[Fact], bool]) -> Ints:
        """The places of all facts of whose form something is so; where it is so of none, facts are not looked at."""
        passed = np.array([test(base) for base in self.bases.facts], bool)
        return np.flatnonzero(passed[self.facts.base]) if passed.any() else np.zeros(0, np.int64)

    def having(self, some: Flags | Ints) -> Flags:
        """Which patients have any of these facts."""
        found = np.zeros(self.patients, bool)
        found[self.facts.patient[some]] = True
        return found


def checked(record: Record, further: Iterable[tuple[int, str, str]] = ()) -> Said:
    """Impossible values and contradictions, as `check` tells of them; `further` ones that it tells are there."""
    found: Found = set(further)
    _implausible(record, found)
    _lacking_composites(record, found)
    _tracings(record, found)
    _menses(record, found)
    _dated_details(record, found)
    _sexes(record, found)
    return Said.listed(sorted(found), kept=True)


def of_another_sex(record: Record) -> Ints:
    """Patients of whom something may be recorded that nobody of their sex has."""
    found = np.zeros(record.patients, bool)
    for sex in sorted({kind.of_sex for kind in record.catalogue if kind.of_sex}):
        theirs = {kind.name for kind in record.catalogue if kind.of_sex == sex}
        of_it = record.where(partial(_tells_of, theirs))
        if len(of_it):
            found |= record.having(of_it) & record.having(record.where(partial(_is_another, sex)))
    return np.flatnonzero(found)


def _is_of(kind: str, base: Fact) -> bool:
    return base.kind == kind


def _tells_of(kinds: set[str], base: Fact) -> bool:
    return base.kind in kinds and not base.negative


def _is_another(sex: str, base: Fact) -> bool:
    return base.kind == SEX and isinstance(base.value, frozenset) and sex not in base.value


def _implausible(record: Record, found: Found) -> None:
    for place in perhaps_outside(record.facts.value, record.facts.base, record.bases, record.catalogue).tolist():
        base = record.base(place)
        fact = Fact("", base.kind, value=record.value(place), computed=base.computed, source=_source(record, place))
        _look(record, place, [fact], found)


def _lacking_composites(record: Record, found: Found) -> None:
    """Composites without a sure value: of one day, or of formulas that contradict each other."""
    places = record.where(lambda base: bool(base.lacks))
    places = places[np.isin(places, record.parts.wholes)]
    numbers = record.facts.base[places]
    said: dict[int, list[str]] = {}
    for number in np.unique(numbers).tolist():
        base = record.bases.facts[number]
        told = check([Fact("", base.kind, lacks=base.lacks, parts={"": Fact("", "")})], record.catalogue)
        said[number] = [one.what for one in told]
    telling = np.array([bool(said.get(number)) for number in range(len(record.bases.facts))], bool)[numbers]
    places, numbers = places[telling], numbers[telling]
    sources = record.facts.source.take(places).array().to_pylist()
    patients = record.facts.patient[places].tolist()
    for patient, number, source in zip(patients, numbers.tolist(), sources, strict=True):
        found.update((patient, what, source) for what in said[number])


def _tracings(record: Record, found: Found) -> None:
    """Tracings of which both the corrected interval and what it follows from are reported."""
    names, parts = component_names(record.catalogue), record.parts
    tracings = record.where(partial(_is_of, _ECG))
    if not len(tracings) or not {_REPORTED, _MEASURED} <= set(names):
        return
    inside = Insides(tracings, len(record.facts), parts)
    reported, measured = (inside.component(names.index(name)) for name in (_REPORTED, _MEASURED))
    both = np.flatnonzero((reported >= 0) & (measured >= 0))
    both = both[~_agree(record, inside, both, names)] if len(both) else both
    for row, place in zip(both.tolist(), tracings[both].tolist(), strict=True):
        own = {name: int(inside.component(number)[row]) for number, name in enumerate(names)}
        held = {name: _number(record, part) for name, part in own.items() if part >= 0}
        _look(record, place, [Fact("", _ECG, parts=held, source=_source(record, place))], found)


def _number(record: Record, place: int) -> Fact:
    base = record.base(place)
    return Fact("", base.kind, value=record.value(place), computed=base.computed)


def _agree(record: Record, inside: Insides, rows: Ints, names: Sequence[str]) -> Flags:
    """Tracings whose reported interval is plainly as near as it should be to the one that follows from the others."""
    value, numbers = record.facts.value, {}
    for name in (_REPORTED, _MEASURED, "rr", "rate"):
        place = inside.component(names.index(name))[rows] if name in names else np.full(len(rows), -1)
        exact = (place >= 0) & (value.low[place] == value.high[place])
        numbers[name] = np.where(exact, value.low[place], np.nan)
    with np.errstate(all="ignore"):
        rr = np.where(np.isnan(numbers["rr"]), 60 / numbers["rate"], numbers["rr"] / 1000)
        apart = np.abs(numbers[_REPORTED] - numbers[_MEASURED] / np.cbrt(rr))
        return np.asarray(apart < QTCF_TOLERANCE - 0.01)


def _menses(record: Record, found: Found) -> None:
    some = [record.where(partial(_is_of, name)) for name in _AGAINST]
    if not all(map(len, some)):
        return
    both = np.logical_and.reduce([record.having(one) for one in some])
    places = np.sort(np.concatenate(some))
    for own in _by_patient(record, places[both[record.facts.patient[places]]]):
        _look(record, own[0], [_dated(record, place) for place in own], found)


def _dated_details(record: Record, found: Found) -> None:
    """Records of which a date is stated beside their own."""
    for place in record.where(lambda base: any(isinstance(one, When) for one in base.attributes.values())).tolist():
        _look(record, place, [_dated(record, place)], found)


def _sexes(record: Record, found: Found) -> None:
    """Patients of whom the sex is recorded more than once; one with a date of birth as a fact is no array."""
    mine = record.where(partial(_is_of, SEX))
    whose = record.facts.patient[mine]
    many = np.bincount(whose, minlength=record.patients) > 1
    for own in _by_patient(record, mine[many[whose]]):
        _look(record, own[0], [_dated(record, place) for place in own], found)


def _by_patient(record: Record, places: Ints) -> Iterable[list[int]]:
    """The places of facts, those of one patient together."""
    found: dict[int, list[int]] = {}
    for place, patient in zip(places.tolist(), record.facts.patient[places].tolist(), strict=True):
        found.setdefault(patient, []).append(place)
    return found.values()


def _look(record: Record, place: int, facts: list[Fact], found: Found) -> None:
    patient = int(record.facts.patient[place])
    found.update((patient, said.what, said.where) for said in check(facts, record.catalogue))


def _source(record: Record, place: int) -> str:
    return record.facts.source.at(place) or ""


def _dated(record: Record, place: int) -> Fact:
    """A fact with its dates, under its place as its id."""
    return replace(fact_at(record.facts, record.bases, place), id=str(place))


# Periods that something newer ends ------------------------------------------------------------------------------


def with_ends(record: Record) -> Facts:
    """The facts, with each open period ended that something newer says to be over, as `end_superseded` ends it."""
    facts, bases = record.facts, record.bases
    denying = _denying(record)
    names = _concerned(record, denying)
    some = record.where(lambda base: base.kind in names)
    few = replace(record, facts=facts.take(some), kind=record.kind[some])
    mine = some[_may_end(few, np.isin(some, denying))[few.facts.patient]]
    places = np.union1d(mine, _seen_again(record))
    base, moments = facts.base, {}
    base = base.copy() if len(places) else base
    for own in _by_patient(record, places):
        for fact in end_superseded([_dated(record, place) for place in own], record.catalogue):
            if fact.opened is not None:
                place = int(fact.id)
                changed = replace(record.base(place), ongoing=fact.ongoing, opened=fact.opened)
                base[place], moments[place] = bases.place(changed), fact.end
    if not moments:
        return facts
    end = facts.end.writable
    put(end, np.array(list(moments), np.int64), from_whens(list(moments.values())))
    return replace(facts, base=base, end=end)


def in_themselves(record: Record) -> Facts:
    """The facts, each with a beginning and an end that bound each other, as `record.periods.in_itself` has them."""
    facts = record.facts
    if is_same(facts.end.stated) and not facts.end.stated[0]:
        return facts
    places = np.flatnonzero(facts.end.stated)
    start, end = facts.start.take(places), facts.end.take(places)
    same = (start.low == end.low) & (start.high == end.high) & (start.flags == end.flags) & (start.offset == end.offset)
    apart = (start.high != NO_INSTANT) & (end.low != NO_INSTANT) & (start.high < end.low - 2 * A_DAY)  # in any offset
    negative = np.array([base.negative for base in record.bases.facts], bool)[facts.base[places]]
    places = places[~same & ~apart & ~negative]
    start, end = facts.start.take(places), facts.end.take(places)
    begun, over = no_later(start, end), no_earlier(end, start)
    earlier = (start.high != NO_INSTANT) & ((begun.high != start.high) | (begun.flags != start.flags))
    later = (over.low != end.low) | (over.flags != end.flags)
    return replace(facts, start=_with(facts.start, places, begun, earlier), end=_with(facts.end, places, over, later))


def _with(moments: Moments, places: Ints, others: Moments, changed: Flags) -> Moments:
    """The moments with others in those of the places where they changed."""
    rows = np.flatnonzero(changed)
    if not len(rows):
        return moments
    found = moments.writable
    put(found, places[rows], others.take(rows))
    return found


def _seen_again(record: Record) -> Ints:
    """Periods of one kind that began on one day, where one is open and another ends or takes the place of the older."""
    facts, kinds = record.facts, record.catalogue.kinds
    places = record.where(lambda base: not base.negative and base.kind in kinds and kinds[base.kind].extent == PERIOD)
    places = places[facts.start.low[places] != NO_INSTANT]
    if not len(places):
        return np.asarray(places)
    of_lines = np.array([name in kinds and bool(kinds[name].supersedes) for name in record.kinds], bool)
    few = replace(record, facts=facts.take(places), kind=record.kind[places])
    going = _open_ended(few)
    order, new = in_groups(few.facts.start.low // A_DAY, few.kind, few.facts.patient)
    episode = np.empty(len(order), np.intp)
    episode[order] = np.cumsum(new) - 1
    open_ones = np.bincount(episode, going)
    others = np.bincount(episode, ~going | of_lines[few.kind])
    return np.asarray(places[((open_ones > 0) & (others > 0) & (np.bincount(episode) > 1))[episode]])


def _denying(record: Record) -> Ints:
    """Each "no" that ends what began before: of kinds whose "no" speaks of its day, or from a stated day on."""
    kinds = record.catalogue.kinds
    on_the_day = np.array([name in kinds and kinds[name].negative == DAY for name in record.kinds], bool)
    places = record.where(lambda base: base.negative)
    start = record.facts.start.take(places)
    return np.asarray(places[on_the_day[record.kind[places]] | start.stated & (start.low != NO_INSTANT)])


def _concerned(record: Record, denying: Ints) -> set[str]:
    """The kinds that end others or that may be ended."""
    names: set[str] = set()
    denied = {record.kinds[number] for number in np.unique(record.kind[denying]).tolist()}
    for kind in record.catalogue:
        if kind.name in denied:
            names |= record.catalogue.families[kind.name]
        if kind.supersedes or kind.name in record.catalogue.present:
            names.add(kind.name)
        if kind.extent == STATE:
            names |= record.catalogue.families[kind.name]
    return names


def _open_ended(record: Record) -> Flags:
    """Which facts have no last day."""
    end = record.facts.end
    return np.asarray(record.flags("ongoing") | ~end.stated | (end.high == NO_INSTANT), bool)


def _may_end(record: Record, denying: Flags) -> Flags:
    """Patients with a period that is open, and something that may end it; or with a state, and its "no"."""
    facts, catalogue = record.facts, record.catalogue
    negative = record.flags("negative")
    periods = [name in catalogue.kinds and catalogue.kinds[name].extent == PERIOD for name in record.kinds]
    open_ones = np.array(periods, bool)[record.kind] & ~negative & _open_ended(record)
    found = np.zeros(record.patients, bool)
    for name in [record.kinds[number] for number in np.unique(record.kind).tolist()]:
        entry = catalogue.kinds.get(name)
        restated = entry is not None and bool(entry.supersedes or name in catalogue.present)
        if entry is not None and entry.extent == STATE and (no := record.of(name) & negative).any():
            family = np.array([one in catalogue.families[name] for one in record.kinds], bool)[record.kind]
            found |= record.having(no) & record.having(family & ~negative)
        if entry is None:
            continue
        mine = record.of(name)
        if (no := mine & denying).any():
            family = np.array([one in catalogue.families[name] for one in record.kinds], bool)[record.kind]
            found |= record.having(no) & record.having(family & open_ones)
        if restated:
            many = np.bincount(facts.patient[mine & ~negative], minlength=record.patients) > 1
            found |= many & record.having(mine & open_ones)
    return found
