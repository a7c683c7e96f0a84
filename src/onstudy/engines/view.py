"""A patient laid out for the memory engine: facts by kind, what a record that was never made could still be.

Absence is decided here: coverage and recorded negatives leave regions in which an unrecorded fact
could lie; where no region is left, none is zero.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from onstudy.record.catalogue import BOOLEAN, DAY, MOMENT, NO, STATE, YES, Catalogue, Judged
from onstudy.record.patient import Coverage, Fact, Patient, Value
from onstudy.record.unread import is_unread_diagnosis, may_be_among, tells_when
from onstudy.values.calendar import UNDATED, When, between
from onstudy.values.interval import ANYTHING, GE, GT, LE, Interval, compare, point
from onstudy.values.truth import FALSE, TRUE, Truth

YES_NO = frozenset({YES, NO})

#: The anchor every trial has: the day a patient is registered.
REGISTRATION = "registration"

Anchors = Mapping[str, When | None]


@dataclass(frozen=True, slots=True)
class Subject:
    """The record a body is about; `unseen` is a record nobody made, as far as it could exist."""

    fact: Fact
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class _Region:
    """Days (None: no bound) and excluded attribute codes of what may be unrecorded."""

    first: int | None
    last: int | None
    excluded: tuple[tuple[str, frozenset[str]], ...] = ()


#: What a record that was never made could still be, and the negatives that exclude the rest.
Unrecorded = tuple[tuple[Subject, ...], tuple[Fact, ...]]
#: The first and the last day of a stretch; None is no bound.
Days = tuple[int | None, int | None]


class View:
    """One patient's facts, ready to be asked for by kind. Made once, used for every rule and every date."""

    def __init__(self, patient: Patient, catalogue: Catalogue) -> None:
        self.patient, self.catalogue = patient, catalogue
        self._positives: dict[str, list[Fact]] = defaultdict(list)
        self._negatives: dict[str, list[Fact]] = defaultdict(list)
        for fact in patient.facts:
            (self._negatives if fact.negative else self._positives)[fact.kind].append(fact)
        unread = (fact for fact in patient.facts if is_unread_diagnosis(fact, catalogue))
        self.unread = tuple(fact for fact in unread if tells_when(fact))
        self.spoken_of: set[str] = set()  # the kinds that some fact is of, is a group of, or may be a member of
        for kind in (*self._positives, *self._negatives):
            if kind in catalogue.kinds:
                self.spoken_of.update(catalogue.families[kind], catalogue.lineage[kind])
        self._family: dict[str, tuple[Fact, ...]] = {}
        self._denials: dict[str, tuple[Fact, ...]] = {}
        self._partial: dict[str, Mapping[str, frozenset[str]]] = {}
        self._unspecified: dict[str, tuple[Fact, ...]] = {}
        self._unseen: dict[tuple[str, int, frozenset[str], bool], Unrecorded] = {}
        self._reopening: dict[str, tuple[Fact, ...]] = {}
        self._sure: dict[tuple[str, str, int], Days | None] = {}
        self._conflicting: dict[str, bool] = {}
        self._silence: dict[tuple[str, str], Value] = {}

    def facts(self, kind: str) -> tuple[Fact, ...]:
        """The positive facts of a kind and of the kinds below it."""
        found = self._family.get(kind)
        if found is None:
            names = self.catalogue.families[kind]
            if len(names) > 1:
                members = sorted(names & self._positives.keys())
                found = tuple([fact for name in members for fact in self._positives[name]])
            else:
                found = tuple(self._positives.get(kind, ()))
            self._family[kind] = found
        return found

    def unspecified(self, kind: str) -> tuple[Fact, ...]:
        """Positive facts of the groups above a kind, which may or may not be of this kind.

        Those that a recorded "no" of the kind itself surely covers are something else.
        """
        found = self._unspecified.get(kind)
        if found is None:
            groups = sorted(self.catalogue.ancestors(kind) & self._positives.keys())
            found = tuple(
                fact
                for group in groups
                for fact in self._positives[group]
                if not any(self._excludes(denial, fact) for denial in self.denials(kind))
            )
            self._unspecified[kind] = found
        return found

    def _excludes(self, denial: Fact, fact: Fact) -> bool:
        """Whether a "no" of a member says that this fact of its group is another member's."""
        of_the_group = {fact.kind, *self.catalogue.ancestors(fact.kind)}
        return denial.narrowed is None and denial.kind not in of_the_group and self._covers(denial, fact)

    def denials(self, kind: str) -> tuple[Fact, ...]:
        """The negatives that speak of a kind: its own and those of the groups above it."""
        found = self._denials.get(kind)
        if found is None:
            found = ()
            for name in self.catalogue.lineage[kind] if kind in self.spoken_of else ():
                if name in self._negatives:
                    found += tuple(self._negatives[name])
            self._denials[kind] = found
        return found

    def partial(self, kind: str) -> Mapping[str, frozenset[str]]:
        """The negatives that deny a kind in part only, each (by id) with all the others."""
        found = self._partial.get(kind)
        if found is None:
            partly = frozenset(denial.id for denial in self.denials(kind) if denial.narrowed is not None)
            found = {d.id: partly - {d.id} for d in self.denials(kind) if d.id in partly}
            self._partial[kind] = found
        return found

    def silence(self, kind: str, attribute: str) -> Value:
        """What it means that a record of the kind does not state an attribute."""
        key = (kind, attribute)
        if key not in self._silence:
            self._silence[key] = self._said_by_silence(kind, attribute)
        return self._silence[key]

    def _said_by_silence(self, kind: str, attribute: str) -> Value:
        entry = self.catalogue.attribute(kind, attribute)
        if entry is None or entry.silence is None:
            return None
        if entry.type == BOOLEAN:
            return frozenset({entry.silence})
        values = self.catalogue.value_sets.get(entry.values)
        return values.meaning(entry.silence) if values is not None else point(float(entry.silence))

    # Negatives ------------------------------------------------------------------------------------------

    @cached_property
    def begins(self) -> list[int]:
        """The days on which records may have begun at the earliest, in order; after one of them a "no" may be over."""
        found = {fact.start.days.low for facts in self._positives.values() for fact in facts}
        return sorted(int(day) for day in found if day is not None)

    def _begun_by(self, day: int) -> int:
        """The newest of those up to a day: what has begun by either is the same."""
        place = bisect_right(self.begins, day)
        return self.begins[place - 1] if place else 0

    def _surely(self, denial: Fact, kind: str, day: int) -> Days | None:
        """The days on which there surely was nothing of a kind (None: no bound), or None where no day is sure.

        As it stands for a registration `day`.
        """
        key = (denial.id, kind, day)
        if key not in self._sure:
            newer = self._newer(denial, kind, day)
            self._sure[key] = None if newer == "void" else self._stretch(denial, newer)
        return self._sure[key]

    def _stretch(self, denial: Fact, newer: str) -> Days | None:
        """A negative holds on later days, unless something newer is or may be recorded (`newer`)."""
        said = _said(denial)
        begun = self._begun(denial, said)
        if begun == ANYTHING:
            first = None
        else:
            bounds = [int(bound) for bound in (begun.high, said.high) if bound is not None]
            if not bounds:
                return None
            first = min(bounds)
        if not newer:
            return first, None
        return None if said.low is None else (first, int(said.low))

    def _begun(self, denial: Fact, said: Interval) -> Interval:
        """From when on it speaks: as stated, else from the beginning of history, or from the day itself."""
        if denial.start.known:
            return denial.start.days
        return said if self.catalogue.kinds[denial.kind].negative == DAY else ANYTHING

    def _concerns(self, denial: Fact, fact: Fact) -> bool:
        """Whether a negative, taken at its word, would deny this fact's attribute."""
        if denial.narrowed is None:
            return True
        name, codes = denial.narrowed
        value = self.attribute(Subject(fact), name)
        return isinstance(value, frozenset) and bool(value) and value <= codes

    def conflicting(self, fact: Fact) -> bool:
        """Whether a negative recorded no earlier denies, or may deny, this very fact."""
        found = self._conflicting.get(fact.id)
        if found is None:
            found = any(self._denies(denial, fact) for denial in self.denials(fact.kind)) or self._none_left(fact)
            self._conflicting[fact.id] = found
        return found

    def _denies(self, denial: Fact, fact: Fact) -> bool:
        return self._concerns(denial, fact) and self._may_speak(denial, fact)

    def _may_speak(self, denial: Fact, fact: Fact) -> bool:
        """Whether a negative speaks, or may speak, of the days of a fact, and was not surely recorded before it."""
        if _recorded_later(fact, denial) is TRUE:
            return False
        said = _said(denial)
        if compare(LE, fact.start.days, said) is FALSE:
            return False
        begun = self._begun(denial, said)
        return begun == ANYTHING or compare(GE, self._ended(fact), begun) is not FALSE

    def _none_left(self, fact: Fact) -> bool:
        """Whether narrowed negatives deny, or may deny, every code that an attribute of a fact may have."""
        names = {denial.narrowed[0] for denial in self.denials(fact.kind) if denial.narrowed is not None}
        found = ((name, self._open(fact, name)) for name in names)
        return any(codes and codes <= self._denied(fact, name, self._may_speak) for name, codes in found)

    def _ended(self, fact: Fact) -> Interval:
        """The days on which a fact may have ended."""
        if fact.end is not None and not fact.ongoing:
            return fact.end.days
        if self.catalogue.kinds[fact.kind].extent == MOMENT:
            return fact.start.days
        return Interval(fact.start.days.low, None)

    def _newer(self, denial: Fact, kind: str, day: int) -> str:
        """What newer facts do, or may do, to a negative: nothing, end it on its day ("ends"), or make it void.

        A negative of a group is one of each member: of a `kind` only what is or may be of that kind says otherwise. So
        may a diagnosis that nobody could read. What opens the question anew ends it too. What surely begins after the
        registration `day` ends nothing by then.
        """
        state = ""
        for fact in (*self._of(denial, kind), *self.unread_among(kind)):
            effect = _effect(fact, denial)
            if effect == "void":
                return effect
            if effect and not _begins_after(fact, day):
                state = effect
        return state or ("ends" if self._reopened(kind, _said(denial), day) else "")

    def reopened(self, kind: str, day: int) -> Fact | None:
        """The newest record that ended a negative of a kind by opening its question anew; None where none did."""
        found = (fact for denial in self.denials(kind) for fact in self._reopened(kind, _said(denial), day))
        return max(found, key=lambda fact: (fact.start.days.low or 0, fact.id), default=None)

    def _reopened(self, kind: str, said: Interval, day: int) -> list[Fact]:
        """The records that began, or may have begun, after a negative was said and open its question anew."""
        return [
            fact
            for fact in self._reopeners(kind)
            if compare(LE, fact.start.days, said) is not TRUE
            and compare(LE, self._ended(fact), said) is not TRUE
            and not _begins_after(fact, day)
        ]

    def _reopeners(self, kind: str) -> tuple[Fact, ...]:
        """The facts that open the question of a kind anew, or may, of those that tell when they were."""
        found = self._reopening.get(kind)
        if found is None:
            named = self.catalogue.reopeners[kind]
            found = self._reopening[kind] = tuple(fact for judged in named for fact in self._named(judged))
        return found

    def _named(self, judged: Judged) -> Iterator[Fact]:
        kind, codes = self.catalogue.kinds[judged.kind], self.catalogue.narrowed_by(judged)
        groups = () if kind.measured else self.catalogue.ancestors(kind.name) & self._positives.keys()
        for fact in (*self.facts(kind.name), *(fact for group in sorted(groups) for fact in self._positives[group])):
            if tells_when(fact) and all(self._may_have(fact, name, among) for name, among in codes):
                yield fact

    def _may_have(self, fact: Fact, name: str, codes: frozenset[str]) -> bool:
        """Whether the value or an attribute of a fact is, or may be, one of some codes."""
        value = fact.value if name == "value" else self.attribute(Subject(fact), name)
        return not isinstance(value, frozenset) or bool(value & codes)

    def over(self, denial: Fact, kind: str, index: int) -> bool:
        """Whether a diagnosis that nobody could read has, or may have, ended a negative of a state by a day."""
        last = _said(denial).low
        ending = ("void", "ends") if last is None or last < index else ("void",)
        return any(
            _effect(fact, denial) in ending and compare(LE, fact.start.days, point(index)) is not FALSE
            for fact in self.unread_among(kind)
        )

    def _of(self, denial: Fact, kind: str) -> Iterator[Fact]:
        """The facts that are or may be of a kind, and may be what a negative denies."""
        members, groups = self.catalogue.families[kind], self.catalogue.lineage[kind]
        for fact in self.facts(denial.kind):
            if fact.kind not in members and fact.kind not in groups:
                continue
            if denial.narrowed is None or self._may_have(fact, *denial.narrowed):
                yield fact

    def unread_among(self, kind: str) -> tuple[Fact, ...]:
        """The diagnoses that could not be read, where one may be of a kind."""
        if not self.unread or not may_be_among(self.catalogue.kinds[kind], self.catalogue):
            return ()
        return self.unread

    def attribute(self, subject: Subject, name: str) -> Value:
        """An attribute as recorded, or what silence means; of an unseen record only what is excluded.

        Of several codes that are stated, and of all where none is, those that a narrowed negative surely denies go.
        """
        fact = subject.fact
        value = fact.attributes.get(name)
        if not subject.unseen and self.partial(fact.kind) and (codes := self._open(fact, name)):
            return self._left(fact, name, codes)
        if value is not None or subject.unseen or name in fact.attributes:
            return value
        return self.silence(fact.kind, name)

    def _open(self, fact: Fact, name: str) -> frozenset[str]:
        """The codes of which an attribute has one, nobody said which; none where it is stated or of another type."""
        value = fact.attributes.get(name)
        if value is not None:
            return value if isinstance(value, frozenset) and len(value) > 1 else frozenset()
        if name in fact.attributes or self.silence(fact.kind, name) is not None:
            return frozenset()
        return self._universe(fact.kind, name)

    def _left(self, fact: Fact, name: str, codes: frozenset[str]) -> Value:
        """Those that narrowed negatives do not surely deny; all of them where each is or may be denied."""
        sure = self._denied(fact, name, self._covers)
        if not codes & sure or codes <= self._denied(fact, name, self._may_speak):
            return fact.attributes.get(name)
        return codes - sure

    def _denied(self, fact: Fact, name: str, speaks: Callable[[Fact, Fact], bool]) -> frozenset[str]:
        """The codes of an attribute that the narrowed negatives that speak of a fact deny."""
        found = [
            denial.narrowed[1]
            for denial in self.denials(fact.kind)
            if denial.narrowed is not None and denial.narrowed[0] == name and speaks(denial, fact)
        ]
        return frozenset().union(*found)

    def _covers(self, denial: Fact, fact: Fact) -> bool:
        """Whether a negative, recorded no earlier, surely speaks of the days of a fact."""
        said = _said(denial)
        begun = self._begun(denial, said)
        return (
            _recorded_later(fact, denial) is FALSE
            and compare(LE, fact.start.days, said) is TRUE
            and (begun == ANYTHING or compare(GE, self._ended(fact), begun) is TRUE)
        )

    # What nobody recorded ----------------------------------------------------------------------------------

    def unseen(self, kind: str, day: int, dropped: frozenset[str] = frozenset(), covered: bool = True) -> Unrecorded:
        """What an unrecorded fact of a kind could still be, and the negatives that exclude the rest, as they stand for
        a registration `day`.

        As it would be without the negatives `dropped` (ids) and, unless `covered`, without what is declared complete.
        """
        key = (kind, self._begun_by(day), dropped, covered)
        found = self._unseen.get(key)
        if found is None:
            found = self._unseen[key] = self._work_out_unseen(*key)
        return found

    def _work_out_unseen(self, kind: str, day: int, dropped: frozenset[str], covered: bool) -> Unrecorded:
        coverage = self._coverage(kind) if covered else []
        denials = self.denials(kind) if self.catalogue.kinds[kind].extent != STATE else ()
        if not coverage and not denials:
            return _anything(kind)
        regions = [_ANY_TIME]
        for cover in coverage:
            regions = [part for region in regions for part in _without(region, cover.first, cover.last)]
        used: list[Fact] = []
        for denial in denials:
            sure = self._surely(denial, kind, day) if denial.id not in dropped else None
            if sure is None:
                continue
            if regions or denial.narrowed is None:  # where nothing is left open, a part denied proves nothing
                used.append(denial)
            regions = _widest([part for region in regions for part in self._excluding(region, denial, *sure)])
        if regions == [_ANY_TIME]:
            return _anything(kind)[0], tuple(used)
        imagined = [self._imagined(kind, region) for region in regions]
        # A record every value of whose attribute is denied cannot exist.
        possible = [other for other in imagined if frozenset() not in other.fact.attributes.values()]
        return tuple(possible), tuple(used)

    def _coverage(self, kind: str) -> list[Coverage]:
        """Over which stretches a kind is completely recorded; "all" does not speak of what is to be attested."""
        attested = self.catalogue.kinds[kind].attested
        names = self.catalogue.lineage[kind]
        return [c for c in self.patient.coverage if c.kind in names or (c.kind == "all" and not attested)]

    def _excluding(self, region: _Region, denial: Fact, first: int | None, last: int | None) -> list[_Region]:
        outside = _without(region, first, last)
        if denial.narrowed is None:
            return outside
        return [_Region(region.first, region.last, (*region.excluded, denial.narrowed)), *outside]

    def _imagined(self, kind: str, region: _Region) -> Subject:
        when = between(region.first, region.last)
        attributes: dict[str, Value] = {}
        for name, codes in region.excluded:
            left = attributes.get(name)
            attributes[name] = _less(left if isinstance(left, frozenset) else self._universe(kind, name), codes)
        return Subject(Fact(id="", kind=kind, start=when, end=when, attributes=attributes), unseen=True)

    def _universe(self, kind: str, attribute: str) -> frozenset[str]:
        values = self.catalogue.codes_of(kind, attribute)
        return values.universe if values is not None else YES_NO


_ANY_TIME = _Region(None, None)


@cache
def _anything(kind: str) -> Unrecorded:
    """Where nothing is excluded: an unrecorded fact of which nothing is known but its kind."""
    return (Subject(Fact(id="", kind=kind, end=UNDATED), unseen=True),), ()


@lru_cache(maxsize=1024)
def _less(some: frozenset[str], codes: frozenset[str]) -> frozenset[str]:
    """What is left without some codes; the same few "no" are recorded of many patients."""
    return some - codes


def _said(denial: Fact) -> Interval:
    """The days on which a negative may have been said, and up to which it speaks."""
    when = denial.end if denial.end is not None else denial.recorded
    return ANYTHING if when is None else when.days


def _effect(fact: Fact, denial: Fact) -> str:
    """What a fact that says otherwise does, or may do, to a negative: nothing, end it on its day, or make it void."""
    before = compare(LE, fact.start.days, _said(denial))
    if before is not FALSE and _recorded_later(fact, denial) is not FALSE:
        return "void"
    return "" if before is TRUE else "ends"


def _recorded_later(fact: Fact, denial: Fact) -> Truth:
    """Whether a fact was recorded after a negative; without both days there is no telling, and it was not."""
    said = denial.recorded if denial.recorded is not None else denial.end
    if fact.recorded is None or said is None or not said.known:
        return FALSE
    return compare(GT, fact.recorded.days, said.days)


def _begins_after(fact: Fact, day: int) -> bool:
    low = fact.start.days.low
    return low is not None and low > day


def _without(region: _Region, first: int | None, last: int | None) -> list[_Region]:
    """What is left of a region outside the days from `first` to `last`."""
    left: list[_Region] = []
    if first is not None and (region.first is None or region.first < first):
        end = first - 1 if region.last is None else min(region.last, first - 1)
        left.append(_Region(region.first, end, region.excluded))
    if last is not None and (region.last is None or region.last > last):
        start = last + 1 if region.first is None else max(region.first, last + 1)
        left.append(_Region(start, region.last, region.excluded))
    return left


def _widest(regions: list[_Region]) -> list[_Region]:
    """The regions without those that lie in another and exclude no less: they could hold nothing more."""
    if len(regions) < 2:
        return regions
    kept: list[_Region] = []
    for region in regions:
        if not any(_holds(other, region) for other in kept):
            kept = [other for other in kept if not _holds(region, other)]
            kept.append(region)
    return kept


def _holds(wide: _Region, narrow: _Region) -> bool:
    begins = wide.first is None or (narrow.first is not None and wide.first <= narrow.first)
    ends = wide.last is None or (narrow.last is not None and wide.last >= narrow.last)
    return begins and ends and set(wide.excluded) <= set(narrow.excluded)
