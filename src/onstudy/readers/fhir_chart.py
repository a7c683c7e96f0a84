"""One patient's FHIR resources being read: what their codes mean, their dates and attributes, the problems met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onstudy.errors import Problem, nearest
from onstudy.readers.dates import read_when, until
from onstudy.readers.fhir_age import at_age
from onstudy.readers.fhir_entries import Entry, Index, fallback_id
from onstudy.readers.fhir_json import (
    Coding,
    Json,
    code_in,
    codings,
    extension,
    flag,
    is_id,
    items,
    obj,
    text,
    words,
)
from onstudy.readers.fhir_meaning import Meaning, Vocabulary
from onstudy.readers.fhir_own import (
    ATTRIBUTE,
    FACT_ID,
    OBSERVATION_CATEGORIES,
    RECORDED,
    SAMPLE,
    SUSPECTED,
    VITAL_SIGNS,
)
from onstudy.readers.fhir_range import Ranges
from onstudy.readers.fhir_specimen import Measured, Specimens
from onstudy.readers.fhir_value import date_of, read_element
from onstudy.readers.kind_names import KindNames, NamedKind
from onstudy.readers.reading import (
    NOT_STATED,
    UNSUPPORTED,
    Reading,
    clip,
    not_understood,
    plain,
    quoted,
    slot_of,
    without_contradictions,
)
from onstudy.readers.statement import UNMAPPED
from onstudy.readers.timing import Times, place, place_negative, reversed_period
from onstudy.readers.unrecognised import Unrecognised
from onstudy.record.catalogue import Attribute, Catalogue, Kind
from onstudy.record.patient import Fact, Value
from onstudy.values.calendar import UNDATED, DateError, When
from onstudy.values.codes import ONSTUDY, Code


@dataclass
class Chart:
    """What reading one patient's resources needs and gathers."""

    vocabulary: Vocabulary
    index: Index
    specimens: Specimens
    ranges: Ranges
    born: When = UNDATED
    sex: str = ""  # "male" or "female"; "" where it is not known
    problems: list[Problem] = field(default_factory=list)
    gathered: dict[str, list[str]] = field(default_factory=dict)  # problem that many resources share -> where
    unread: dict[str, int] = field(default_factory=dict)
    unrecognised: list[Unrecognised] = field(default_factory=list)
    expected: dict[int, list[str]] = field(default_factory=dict)  # id of an entry -> the kinds of its facts

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue everything is read by."""
        return self.vocabulary.catalogue

    def say(self, entry: Entry, what: str, kept: bool = True) -> None:
        """Note a problem of a resource."""
        self.problems.append(Problem(what, entry.where, kept))

    def drop(self, entry: Entry, what: str) -> list[Fact]:
        """Note why nothing is made of a resource."""
        self.say(entry, what, kept=False)
        return []

    # Dates ------------------------------------------------------------------------------------------------

    def date(self, entry: Entry, node: Json, key: str) -> When | None:
        """A date element; a problem where it cannot be read."""
        when, wrong = date_of(node, key)
        if wrong:
            self.say(entry, wrong)
        return when

    def recorded(self, entry: Entry, *keys: str) -> When | None:
        """The day of record: the project's extension, else the first of the elements there is."""
        own = self.recorded_beside(entry, entry.resource)
        if own is not None:
            return own
        found = (self.date(entry, entry.resource, key) for key in keys)
        return next((when for when in found if when is not None), None)

    def recorded_beside(self, entry: Entry, node: Json) -> When | None:
        """The day of record that the project's extension on an element says."""
        own = extension(node, RECORDED)
        if not own:
            return None
        said = text(own, "valueString")
        try:
            return read_when(said) if said else self.date(entry, own, "valueDateTime")
        except DateError:
            self.say(entry, "its day of record is not a date")
            return None

    def moment(self, entry: Entry, prefix: str) -> Times:
        """The dates of effective[x] or onset[x] as `timing` reads them; undated where a period is reversed."""
        times = self.timing(entry, prefix)
        if not reversed_period(times):
            return times
        self.say(entry, f"{prefix}Period ends before it begins: its dates are not used")
        return Times(on=UNDATED)

    def timing(self, entry: Entry, prefix: str) -> Times:
        """The dates of effective[x], performed[x], onset[x]: one moment, a period, or the age at it."""
        node = entry.resource
        for suffix in ("DateTime", "Instant", "Date"):
            when = self.date(entry, node, prefix + suffix)
            if when is not None:
                return Times(on=when)
        period = obj(node, f"{prefix}Period")
        if period:
            return Times(start=self.date(entry, period, "start"), end=self.date(entry, period, "end"))
        events = obj(node, f"{prefix}Timing").get("event")
        if isinstance(events, list) and events:
            return Times(on=self.date(entry, {"event": events[0]}, "event"))
        age, wrong = at_age(node, prefix, self.born)
        if wrong:
            self.say(entry, wrong)
        if age is not None:
            return Times(on=age)
        if text(node, f"{prefix}String"):
            self.say(entry, f"{prefix}String is text: the date is not known")
        return Times()

    # Attributes -------------------------------------------------------------------------------------------

    def means(self, entry: Entry, found: Iterable[Coding]) -> tuple[Meaning, ...]:
        """The kinds a resource's codes name; an attribute of one of them is no mistake beside the others."""
        meant = self.vocabulary.meanings(found)
        self.expected.setdefault(id(entry), []).extend([meaning.kind.name for meaning in meant])
        return meant

    def measured(self, entry: Entry, found: tuple[Meaning, ...], concept: object) -> Measured:
        """The kinds a result is one of by what it was measured in; a problem where its code says otherwise."""
        measured = self.specimens.measured(entry, found, concept)
        if measured.said:
            self.gather(measured.said, entry.where)
        return measured

    def attributes(self, entry: Entry, kind: Kind, base: Mapping[str, Value]) -> dict[str, Value]:
        """What codes and elements say of the attributes (`base`), then what the project's extensions say."""
        stated: dict[str, list[Json]] = {}
        for part in items(entry.resource, "extension"):
            url = text(part, "url")
            if url.startswith(ATTRIBUTE):
                stated.setdefault(url[len(ATTRIBUTE) :], []).append(part)
        if not stated and "component" not in entry.resource:
            return dict(base)
        known = self.catalogue.attributes(kind.name)
        for component in items(entry.resource, "component"):
            for coding in codings(obj(component, "code")):
                if coding.code.system == ONSTUDY and coding.code.code in known:
                    stated.setdefault(coding.code.code, []).append(component)
        found = dict(base)
        for name, nodes in stated.items():
            if name not in known:
                if any(name in self.catalogue.attributes(other) for other in self.expected.get(id(entry), ())):
                    continue
                self.say(entry, f"{clip(name, 60)!r} is no attribute of {kind.name}{nearest(name.lower(), known)}")
                found = {**not_understood(kind.name, self.catalogue), **found}
                continue
            found[name] = self._one_of(entry, known[name], nodes)
        found, contradictions = without_contradictions(kind.name, found, self.catalogue)
        for what in contradictions:
            self.say(entry, what)
        return found

    def _one_of(self, entry: Entry, attribute: Attribute, nodes: list[Json]) -> Value:
        slot = slot_of(attribute, self.catalogue)
        values: list[Value] = []
        for node in nodes:
            reading = read_element(slot, node, "value", self.catalogue)
            if reading is None or reading.wrong:
                self.say(entry, f"attribute {attribute.name}: {reading.wrong if reading else 'no value'}")
                return None
            values.append(reading.value)
        if len(values) == 1:
            return values[0]
        codes = [value for value in values if isinstance(value, frozenset)]
        return frozenset().union(*codes) if len(codes) == len(values) else None

    def read(self, entry: Entry, kind: Kind, node: Json) -> Reading | None:
        """The value[x] of a resource or component for a kind; a problem where it cannot be used."""
        reading = read_element(self.vocabulary.slot(kind), node, "value", self.catalogue)
        if reading is not None and reading.wrong:
            self.say(entry, reading.wrong)
        return reading

    # Facts ------------------------------------------------------------------------------------------------

    def name(self, entry: Entry) -> str:
        """The id of what a resource says: the one the project wrote, else type and id of the resource."""
        for identifier in items(entry.resource, "identifier"):
            if text(identifier, "system") == FACT_ID and (name := clip(text(identifier, "value"))):
                return name
        if is_id(entry.id) and entry.container is None:
            return f"{entry.type}/{entry.id}"
        return entry.where if entry.container is not None else fallback_id(entry)

    def sample(self, entry: Entry) -> str | None:
        """The sample a result belongs to: its specimen, its report, its panel."""
        if "specimen" in entry.resource:
            identifier = obj(obj(entry.resource, "specimen"), "identifier")
            if text(identifier, "system") == SAMPLE:
                return clip(text(identifier, "value")) or None
        return self.specimens.sample(entry)

    def _sample_of(self, entry: Entry, kind: Kind) -> str | None:
        """The sample of a result of a kind; what was only measured beside others is one by itself.

        The pulse among the vital signs has the code of the rate on an ECG, and is no part of one unless a source
        puts the two together: a moment in common is not enough.
        """
        if entry.type != "Observation":
            return None
        found = self.sample(entry)
        if found is None and kind.name in self.catalogue.composites and is_vital_sign(entry.resource):
            composite, component = self.catalogue.composites[kind.name]
            identifying = self.catalogue.kinds[composite].identifying
            return entry.where if identifying and component not in identifying else None
        return found

    def positive(
        self,
        entry: Entry,
        meaning: Meaning,
        times: Times,
        attributes: Mapping[str, Value] | None = None,
        certain: bool = True,
    ) -> Fact:
        """The fact of a kind, without a measured value: where it lies in time and what qualifies it."""
        stated = self.attributes(entry, meaning.kind, {**meaning.sets, **(attributes or {})})
        return self.frame(entry, meaning, times, certain, attributes=stated)

    def frame(self, entry: Entry, meaning: Meaning, times: Times, certain: bool = True, **more: Any) -> Fact:
        """The fact with its dates, sample and source, and whatever fields are given."""
        if meaning.history:
            times = Times(on=until(times.on or times.start or times.recorded), recorded=times.recorded)
        placed = place(meaning.kind, times)
        suspected = flag(extension(entry.resource, SUSPECTED), "valueBoolean") is True
        return Fact(
            id=self.name(entry),
            kind=meaning.kind.name,
            start=placed.start,
            end=placed.end,
            ongoing=placed.ongoing,
            certain=certain and not suspected,
            recorded=times.recorded,
            sample=self._sample_of(entry, meaning.kind),
            source=entry.where,
            code_status=meaning.code_status,
            **more,
        )

    def negative(
        self, entry: Entry, meaning: Meaning, times: Times, attributes: Mapping[str, Value] | None = None
    ) -> list[Fact]:
        """A "no" of a kind, narrowed by the one attribute stated, if any; nothing where that is not certain."""
        before = len(self.problems)
        known = self.catalogue.attributes(meaning.kind.name)
        said = [text(part, "url") for part in items(entry.resource, "extension")]
        if any(url.startswith(ATTRIBUTE) and url[len(ATTRIBUTE) :] not in known for url in said):
            return self.drop(entry, f"a 'no' with an attribute that {meaning.kind.name} has not is not used")
        stated = self.attributes(entry, meaning.kind, {**meaning.sets, **(attributes or {})})
        if len(self.problems) > before:
            return self.drop(entry, "a 'no' that is not wholly understood is not used: it could deny too much")
        if len(stated) > 1 or any(not isinstance(value, frozenset) for value in stated.values()):
            return self.drop(entry, "a 'no' is narrowed by one attribute with codes only")
        narrowed = [(name, value) for name, value in stated.items() if isinstance(value, frozenset)]
        placed = place_negative(times)
        if placed.end is None or not placed.end.known:
            self.say(entry, "a 'no' speaks up to a day, and none is stated")
        return [
            Fact(
                id=self.name(entry),
                kind=meaning.kind.name,
                start=placed.start,
                end=placed.end,
                negative=True,
                narrowed=narrowed[0] if narrowed else None,
                recorded=times.recorded,
                shown="no",
                source=entry.where,
                code_status=meaning.code_status,
            )
        ]

    def unmapped(self, entry: Entry, concept: Any, times: Times) -> list[Fact]:
        """A record whose codes the catalogue does not know: kept, shown, and used for nothing."""
        found = codings(concept)
        if not found:
            self.say(entry, "has no code, so it is kept and not used")
        elif not _unmapped_before(found):
            self.unknown(found, entry.where)
        return self.unused(entry, concept, times)

    def unused(self, entry: Entry, concept: object, times: Times) -> list[Fact]:
        """A record that is kept and shown, and used for nothing; why is said elsewhere."""
        found, said = codings(concept), words(concept)
        if found and not _unmapped_before(found):
            shown = str(found[0])
        else:
            shown = clip(said[0]) if said else UNMAPPED if found else "no code"
        first = times.on or times.start or UNDATED
        return [
            Fact(
                id=self.name(entry),
                kind=UNMAPPED,
                start=first,
                recorded=times.recorded,
                shown=shown,
                source=entry.where,
            )
        ]

    def named(self, concept: object, names: KindNames) -> NamedKind | None:
        """The kind that the words of a concept name whose codes nobody knows."""
        return None if _unmapped_before(codings(concept)) else names.find(words(concept))

    def unknown_but_named(self, entry: Entry, kind: Kind, what: str) -> None:
        """Note a code that the catalogue does not know, of a record whose words name a kind; `what` is made of it."""
        found = codings(entry.resource.get("code"))
        code = f"{quoted(str(found[0].code))} is not in the catalogue" if found else "there is no code"
        self.gather(f"{code}, and its words are those of {kind.name}: {what}", entry.where)

    def unknown(self, found: list[Coding], where: str) -> None:
        """Note a code that the catalogue does not know."""
        code = quoted(str(found[0].code)) if found else "no code at all"
        self.gather(f"{code} is not in the catalogue: kept and not used", where)

    def unknown_drug(self, found: list[Coding], where: str) -> None:
        """Note the code of a drug that is not recognised, so that it can be mapped."""
        if found and not _unmapped_before(found):
            self.gather(f"{quoted(str(found[0].code))} is the code of no drug that is known here", where)

    def gather(self, what: str, where: str) -> None:
        """Note a problem that other resources may share; `finish` says it once."""
        self.gathered.setdefault(what, []).append(where)

    def finish(self) -> list[Problem]:
        """All problems, with one for each that is shared and for each type of resource that is not read."""
        self.problems += shared_problems(self.gathered, self.unread)
        return self.problems


def shared_problems(gathered: Mapping[str, Sequence[str]], unread: Mapping[str, int]) -> list[Problem]:
    """One problem for each that several resources share, and for each type of resource that is not read."""
    found = []
    for what, where in gathered.items():
        more = f", and {len(where) - 1} more" if len(where) > 1 else ""
        found.append(Problem(what, where[0] + more, fact_kept=True))
    return found + [
        Problem("resources of this type are not read", f"{kind} ({count})") for kind, count in sorted(unread.items())
    ]


def valued(reading: Reading | None, meaning: Meaning) -> dict[str, Any]:
    """The fields of a measured value, or of why there is none; what the codes say counts without one."""
    if meaning.value is not None and (reading is None or reading.value is None):
        return {"value": meaning.value, "shown": ", ".join(sorted(meaning.value))}
    if reading is None:
        return {"lacks": NOT_STATED}
    lacks = None if reading.value is not None else reading.lacks or NOT_STATED
    return {"value": reading.value, "lacks": lacks, "shown": reading.shown}


def without_value(fact: Fact, lacks: str = UNSUPPORTED) -> Fact:
    """A result that is there and whose value is not known: it may be of another specimen, or is not final."""
    parts = {name: without_value(part, lacks) for name, part in fact.parts.items()}
    if parts:
        return replace(fact, parts=parts)
    attributes = {name: None if name == "detected" else value for name, value in fact.attributes.items()}
    return replace(fact, value=None, lacks=lacks, uln=None, lln=None, attributes=attributes)


def _unmapped_before(found: Iterable[Coding]) -> bool:
    """Whether the record was unmapped when it was written, by this project."""
    return any(coding.code == Code(ONSTUDY, UNMAPPED) for coding in found)


def is_vital_sign(resource: Json) -> bool:
    """Whether the category of an Observation says that it is one of the vital signs."""
    for concept in items(resource, "category"):
        coded = code_in(concept, *OBSERVATION_CATEGORIES) == VITAL_SIGNS
        if coded or plain(text(concept, "text")) == plain(VITAL_SIGNS):
            return True
    return False


def named(facts: list[Fact]) -> list[Fact]:
    """Facts of one resource under ids of their own: the resource's, with the kind where there are several.

    Several of one kind (the drugs of a combination) are numbered.
    """
    if len(facts) < 2:
        return facts
    found: list[Fact] = []
    kinds, seen = Counter(fact.kind for fact in facts), Counter[str]()
    for fact in facts:
        new = f"{fact.id}:{fact.kind}" + (f"[{seen[fact.kind]}]" if kinds[fact.kind] > 1 else "")
        seen[fact.kind] += 1
        parts = {name: replace(part, id=f"{new}.{name}") for name, part in fact.parts.items()}
        found.append(replace(fact, id=new, parts=parts) if parts else replace(fact, id=new))
    return found
