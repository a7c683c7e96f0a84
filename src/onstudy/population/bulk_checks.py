"""What cannot be right in the records of many patients: `record/checks.py`, and whose periods `record/ends.py` ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onstudy.population.bulk_facts import Bases, Components, Facts, component_names, fact_at
from onstudy.population.bulk_impossible import NEAR, possible_bounds
from onstudy.population.bulk_moments import Moments, from_whens, no_earlier, no_later, put
from onstudy.population.bulk_numbers import Flags
from onstudy.population.bulk_problems import Said
from onstudy.population.bulk_rows import Ints
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

_Found = set[tuple[int, str, str]]


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

    def having(self, some: Flags) -> Flags:
        """Which patients have any of these facts."""
        found = np.zeros(self.patients, bool)
        found[self.facts.patient[some]] = True
        return found


def checked(record: Record) -> Said:
    """Impossible values and contradictions, as `check` tells of them."""
    found: _Found = set()
    _implausible(record, found)
    _lacking_composites(record, found)
    _tracings(record, found)
    _menses(record, found)
    _dated_details(record, found)
    _sexes(record, found)
    return Said.listed(sorted(found), kept=True)


def of_another_sex(record: Record) -> Ints:
    """Patients of whom something may be recorded that nobody of their sex has."""
    kinds = record.catalogue.kinds
    whose = [kinds[name].of_sex if name in kinds else "" for name in record.kinds]
    sex, found = record.of(SEX), np.zeros(record.patients, bool)
    for one in sorted({name for name in whose if name}):
        of_it = np.array([name == one for name in whose], bool)[record.kind] & ~record.flags("negative")
        others = [isinstance(base.value, frozenset) and one not in base.value for base in record.bases.facts]
        found |= record.having(of_it) & record.having(sex & np.array(others, bool)[record.facts.base])
    return np.flatnonzero(found)


def _implausible(record: Record, found: _Found) -> None:
    low, high = possible_bounds(record.kinds, record.catalogue)
    value = record.facts.value
    with np.errstate(invalid="ignore"):
        below = value.high < (low + np.abs(low) * NEAR)[record.kind]
        above = value.low > (high - np.abs(high) * NEAR)[record.kind]
    for place in np.flatnonzero(below | above).tolist():
        base = record.base(place)
        fact = Fact("", base.kind, value=record.value(place), computed=base.computed, source=_source(record, place))
        _look(record, place, [fact], found)


def _lacking_composites(record: Record, found: _Found) -> None:
    """Composites without a sure value: of one day, or of formulas that contradict each other."""
    lacking = np.array([bool(base.lacks) for base in record.bases.facts], bool)[record.facts.base]
    whole = np.zeros(len(record.facts), bool)
    whole[record.parts.wholes] = True
    places = np.flatnonzero(lacking & whole)
    numbers = record.facts.base[places]
    said: dict[int, list[str]] = {}
    for number in np.unique(numbers).tolist():
        base = record.bases.facts[number]
        told = check([Fact("", base.kind, lacks=base.lacks, parts={"": Fact("", "")})], record.catalogue)
        said[number] = [one.what for one in told]
    sources = record.facts.source.take(places).array().to_pylist()
    patients = record.facts.patient[places].tolist()
    for patient, number, source in zip(patients, numbers.tolist(), sources, strict=True):
        found.update((patient, what, source) for what in said[number])


def _tracings(record: Record, found: _Found) -> None:
    """Tracings of which both the corrected interval and what it follows from are reported."""
    names, parts = component_names(record.catalogue), record.parts
    having = [parts.wholes[parts.named(names.index(name))] for name in (_REPORTED, _MEASURED) if name in names]
    both = np.intersect1d(having[0], having[1]) if len(having) == 2 else np.zeros(0, np.int64)
    both = both[record.of(_ECG)[both]]
    both = both[~_agree(record, both, names)] if len(both) else both
    inside: dict[int, dict[str, Fact]] = {whole: {} for whole in both.tolist()}
    for place in np.flatnonzero(np.isin(parts.wholes, both)).tolist() if len(both) else ():
        part = int(parts.parts[place])
        base = record.base(part)
        fact = Fact("", base.kind, value=record.value(part), computed=base.computed)
        inside[int(parts.wholes[place])][names[int(parts.names[place])]] = fact
    for whole, own in inside.items():
        _look(record, whole, [Fact("", _ECG, parts=own, source=_source(record, whole))], found)


def _agree(record: Record, tracings: Ints, names: Sequence[str]) -> Flags:
    """Tracings whose reported interval is plainly as near as it should be to the one that follows from the others."""
    value, parts = record.facts.value, record.parts
    numbers = {}
    for name in (_REPORTED, _MEASURED, "rr", "rate"):
        found = np.full(len(record.facts), np.nan)
        some = parts.named(names.index(name)) if name in names else np.zeros(0, np.int64)
        exact = value.low[parts.parts[some]] == value.high[parts.parts[some]]
        found[parts.wholes[some]] = np.where(exact, value.low[parts.parts[some]], np.nan)
        numbers[name] = found[tracings]
    with np.errstate(all="ignore"):
        rr = np.where(np.isnan(numbers["rr"]), 60 / numbers["rate"], numbers["rr"] / 1000)
        apart = np.abs(numbers[_REPORTED] - numbers[_MEASURED] / np.cbrt(rr))
        return np.asarray(apart < QTCF_TOLERANCE - 0.01)


def _menses(record: Record, found: _Found) -> None:
    some = [record.of(name) for name in _AGAINST]
    both = np.logical_and.reduce([record.having(one) for one in some])
    for own in _by_patient(record, np.flatnonzero(np.logical_or.reduce(some) & both[record.facts.patient])):
        _look(record, own[0], [_dated(record, place) for place in own], found)


def _dated_details(record: Record, found: _Found) -> None:
    """Records of which a date is stated beside their own."""
    dated = [any(isinstance(value, When) for value in base.attributes.values()) for base in record.bases.facts]
    for place in np.flatnonzero(np.array(dated, bool)[record.facts.base]).tolist():
        _look(record, place, [_dated(record, place)], found)


def _sexes(record: Record, found: _Found) -> None:
    """Patients of whom the sex is recorded more than once; one with a date of birth as a fact is no array."""
    mine = record.of("sex")
    many = np.bincount(record.facts.patient[mine], minlength=record.patients) > 1
    for own in _by_patient(record, np.flatnonzero(mine & many[record.facts.patient])):
        _look(record, own[0], [_dated(record, place) for place in own], found)


def _by_patient(record: Record, places: Ints) -> Iterable[list[int]]:
    """The places of facts, those of one patient together."""
    found: dict[int, list[int]] = {}
    for place, patient in zip(places.tolist(), record.facts.patient[places].tolist(), strict=True):
        found.setdefault(patient, []).append(place)
    return found.values()


def _look(record: Record, place: int, facts: list[Fact], found: _Found) -> None:
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
    base, moments = facts.base.copy(), {}
    denying = _denying(record)
    some = np.flatnonzero(_concerned(record, denying)[record.kind])
    few = replace(record, facts=facts.take(some), kind=record.kind[some])
    mine = some[_may_end(few, denying[some])[few.facts.patient]]
    places = np.union1d(mine, np.flatnonzero(_seen_again(record)))
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
    start, end = facts.start, facts.end
    same = (start.low == end.low) & (start.high == end.high) & (start.flags == end.flags) & (start.offset == end.offset)
    apart = (start.high != NO_INSTANT) & (end.low != NO_INSTANT) & (start.high < end.low - 2 * A_DAY)  # in any offset
    places = np.flatnonzero(end.stated & ~same & ~apart & ~record.flags("negative"))
    start, end = start.take(places), end.take(places)
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


def _seen_again(record: Record) -> Flags:
    """Periods of one kind that began on one day, where one is open and another ends or takes the place of the older."""
    facts, catalogue = record.facts, record.catalogue
    entries = [catalogue.kinds.get(name) for name in record.kinds]
    periods = np.array([entry is not None and entry.extent == PERIOD for entry in entries], bool)[record.kind]
    of_lines = np.array([entry is not None and bool(entry.supersedes) for entry in entries], bool)[record.kind]
    found = np.zeros(len(record.kind), bool)
    places = np.flatnonzero(periods & ~record.flags("negative") & (facts.start.low != NO_INSTANT))
    if not len(places):
        return found
    going = _open_ended(record)[places]
    keys = (facts.start.low[places] // A_DAY, record.kind[places], facts.patient[places])
    order = np.lexsort(keys)
    new = np.ones(len(order), bool)
    new[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    episode = np.empty(len(order), np.intp)
    episode[order] = np.cumsum(new) - 1
    open_ones = np.bincount(episode, going)
    others = np.bincount(episode, ~going | of_lines[places])
    found[places] = ((open_ones > 0) & (others > 0) & (np.bincount(episode) > 1))[episode]
    return found


def _denying(record: Record) -> Flags:
    """Each "no" that ends what began before: of kinds whose "no" speaks of its day, or from a stated day on."""
    on_the_day = [
        name in record.catalogue.kinds and record.catalogue.kinds[name].negative == DAY for name in record.kinds
    ]
    since = record.facts.start.stated & (record.facts.start.low != NO_INSTANT)
    return np.asarray(record.flags("negative") & (np.array(on_the_day, bool)[record.kind] | since), bool)


def _concerned(record: Record, denying: Flags) -> Flags:
    """The kinds that end others or that may be ended."""
    names: set[str] = set()
    denied = set(np.unique(record.kind[denying]).tolist())
    for kind in record.catalogue:
        if kind.name in record.kinds and record.kinds.index(kind.name) in denied:
            names |= record.catalogue.families[kind.name]
        if kind.supersedes or kind.name in record.catalogue.present:
            names.add(kind.name)
        if kind.extent == STATE:
            names |= record.catalogue.families[kind.name]
    return np.array([name in names for name in record.kinds], bool)


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
    for name in record.kinds:
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
