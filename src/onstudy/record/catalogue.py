"""The catalogue: every kind of fact there is, read from `catalogue.toml` and checked as it is read.

Readers find codes here, the language finds names and units, the questionnaire its questions, the
documentation its tables. A site adds codes and units with a file of its own, checked in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

from onstudy.record.plain import NOTHING_PLAIN, Plain
from onstudy.values.codes import ICD10CM, Code, icd10cm_key

_Stated = TypeVar("_Stated")
#: How a kind's absence is read: `assumable` may be taken as "no" until confirmed, `never` may not.
ASSUMABLE, NEVER = "assumable", "never"
QUANTITY, COUNT, CODE, ORDERED, DATE, NONE = "quantity", "count", "code", "ordered", "date", "none"
BOOLEAN = "boolean"
#: What a value may be. `none`: the record itself is the fact (a diagnosis, an attestation); it may be denied.
VALUE_TYPES = (QUANTITY, COUNT, CODE, ORDERED, DATE, NONE)
ATTRIBUTE_TYPES = (QUANTITY, COUNT, CODE, ORDERED, DATE, BOOLEAN)
MOMENT, PERIOD, STATE = "moment", "period", "state"
EXTENTS = (MOMENT, PERIOD, STATE)
HISTORY, DAY = "history", "day"
ABSENCES, NEGATIVES = (ASSUMABLE, NEVER), (HISTORY, DAY)
#: Words with a meaning of their own in patient files and rules; no attribute or component is called so.
RESERVED_FIELDS = frozenset(
    "kind value unit on from to start end uln lln recorded status suspected id sample active".split()
)
YES, NO = "yes", "no"
#: The value set of what a result is measured in.
SPECIMEN = "specimen"
#: What a formula may use of the patient beside measured inputs: completed years on the day of the sample, and
#: the factor of Cockcroft and Gault (1 for a man, 0.85 for a woman).
AGE, SEX_FACTOR = "age", "sex_factor"
#: The chapters of the catalogue, in the order in which they are shown.
TOPICS: Mapping[str, str] = {
    "person": "The person",
    "disease": "The disease under study",
    "treatment": "Treatments",
    "laboratory": "Laboratory",
    "heart": "Heart",
    "nervous_system": "Nervous system",
    "infection": "Infection",
    "liver": "Liver",
    "pregnancy": "Pregnancy and nursing",
    "cancer": "Other cancers",
    "other_disease": "Other diseases",
    "performance": "Performance status",
    "study": "What the study asks for",
}


@dataclass(frozen=True, slots=True)
class CodeUse:
    """One (system, code) pair that names a kind, and what the code itself says beyond the kind.

    `status`: V the pair was seen in a public source, C or M it was recalled, own it is the project's or a
    site's own. `value` and `sets` (attribute values) are said by the code alone. `history`: the code tells
    of something that happened before the date it carries ("old infarction"), so that date is no more than
    the latest possible one.
    """

    code: Code
    status: str
    value: str | None = None
    sets: Mapping[str, str] = field(default_factory=dict, hash=False)
    negative: bool = False
    history: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """One code of a value set: its label, the groups it belongs to, the terminology codes that mean it."""

    name: str
    label: str
    parents: tuple[str, ...] = ()
    codes: tuple[CodeUse, ...] = ()
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValueSet:
    """A named set of codes, in order; a group stands for its members and for any unlisted one ("other")."""

    name: str
    label: str
    members: Mapping[str, Member]
    open: bool = False  # True: a value outside the list is possible

    @cached_property
    def universe(self) -> frozenset[str]:
        """Every code a value may have, with `other` where the set is open."""
        return frozenset(self.members) | ({"other"} if self.open else frozenset())

    @cached_property
    def _below(self) -> dict[str, frozenset[str]]:
        children: dict[str, list[str]] = {name: [] for name in self.members}
        for member in self.members.values():
            for parent in member.parents:
                children[parent].append(member.name)

        def collect(name: str) -> frozenset[str]:
            return frozenset({name}).union(*(collect(child) for child in children[name]))

        return {name: collect(name) for name in self.members}

    def meaning(self, name: str) -> frozenset[str]:
        """The codes a value written as `name` may stand for: itself and, for a group, all its members."""
        if name == "other" and self.open:
            return frozenset({"other"})
        return self._below[name]

    def label_of(self, codes: frozenset[str]) -> str | None:
        """The label of the one member or group that stands for exactly these codes; None if none does."""
        return next((self.members[name].label for name in self.members if self.meaning(name) == codes), None)

    def find(self, text: str) -> str | None:
        """The member a written word means: its name, label or synonym, whatever the case; None if none."""
        return self._words.get(plain(text))

    @cached_property
    def _words(self) -> dict[str, str]:
        words: dict[str, str] = {}
        for member in self.members.values():
            for word in (member.name, member.label, *member.synonyms):
                words.setdefault(plain(word), member.name)
        if self.open:
            words.setdefault("other", "other")
        return words

    @cached_property
    def rank(self) -> dict[str, int]:
        """Position of each code, for ordered value sets."""
        return {name: position for position, name in enumerate(self.members)}


def plain(text: str) -> str:
    """A word without what spellings differ in: case, hyphens, underscores, spaces."""
    return " ".join(text.lower().replace("_", " ").replace("-", " ").split())


@dataclass(frozen=True, slots=True)
class Attribute:
    """A typed property of a record. `silence` is what not stating it means: None is unknown.

    `rules_out` are codes of other attributes, "state=active", with which it cannot be stated of one record:
    of a date, that it lies after the day for which they are known. `contradicts` are pairs of a code of its own and
    one of another attribute, "prophylaxis with purpose=definitive", that cannot be stated of one record. What is
    `present` is so on the day it is recorded: a newer record that says otherwise takes its place.
    """

    name: str
    label: str
    type: str
    values: str = ""  # value set of a code, "yes_no" of a boolean
    unit: str = ""
    silence: str | None = None
    question: str = ""
    rules_out: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()
    present: bool = False

    @property
    def contradicted_by(self) -> tuple[tuple[frozenset[str], str, frozenset[str]], ...]:
        """A code of its own, and the attribute and code with which that cannot be stated."""
        pairs = (text.partition(" with ") for text in self.contradicts)
        split = ((own, *other.partition("=")) for own, _, other in pairs)
        return tuple((frozenset({own}), name, frozenset({code})) for own, name, _, code in split)

    @property
    def ruled_out_by(self) -> tuple[tuple[str, frozenset[str]], ...]:
        """The other attributes, each with the code that rules this one out."""
        return tuple((name, frozenset({code})) for name, _, code in (text.partition("=") for text in self.rules_out))


@dataclass(frozen=True, slots=True)
class Derivation:
    """A formula over what belongs together: the components of `of`, or `of` itself, and the newest `inputs`.

    All in the units of their kinds; `age` and `sex_factor` are those of the patient on that day. Where a kind
    has several, the first whose inputs are recorded is taken.
    """

    of: str
    formula: str
    inputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """Records that a kind names: that its attestations judge, or that open its question anew. Of a kind, with codes of
    the value or of attributes where that narrows it.

    Written as "nyha_class with value=III", "treatment with agent=bcr_abl1_tki and intent=cml".
    """

    kind: str
    codes: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(text: str) -> Judged:
        """What is written, taken apart; that the names mean something is checked elsewhere."""
        kind, _, narrowed = text.partition(" with ")
        pairs = (pair.partition("=") for pair in narrowed.split(" and ") if pair)
        return Judged(kind.strip(), tuple((name.strip(), code.strip()) for name, _, code in pairs))


@dataclass(frozen=True)
class Kind:
    """One sort of fact; the meaning of each field is in docs/kinds.md."""

    name: str
    label: str
    topic: str
    value: str
    extent: str = MOMENT
    unit: str = ""
    units: tuple[str, ...] = ()
    molar_mass: float | None = None
    values: str = ""
    codes: tuple[CodeUse, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    components: Mapping[str, str] = field(default_factory=dict)
    identifying: tuple[str, ...] = ()  # components without which the others do not make such a record
    parents: tuple[str, ...] = ()
    derive: tuple[Derivation, ...] = ()
    absence: str = NEVER
    negative: str = "history"  # what "no" says: "history" all up to that day, "day" that day only
    by_study: bool = False
    attested: bool = False
    suspected_counts: bool = False
    silence: str | None = None  # for components: the value where a composite lacks it; None is unknown
    planned: bool = False  # it is planned or under way, and no longer so once it is done
    planned_as: str = ""  # the kind that a procedure of this one is while it is in preparation
    lasts_at_most: int | None = None  # days after which a state that nobody ended is surely over
    speaks_of: tuple[str, ...] = ()  # whose records it judges; it has not seen those that began after it
    stays: str = ""  # the answer (yes or no) that no further record takes back
    reopened_by: tuple[str, ...] = ()  # a "no" says nothing of the time after one of these began
    supersedes: str = ""  # a newer record with the same value of this attribute ends the earlier one
    plausible: tuple[float, float] | None = None
    of_sex: str = ""  # recorded, or positive, of nobody of another sex
    specimens: tuple[str, ...] = ()  # what it is measured in, of the value set specimen; empty: not said
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # what the same measurement in another specimen is
    question: str = ""
    plain: Plain = NOTHING_PLAIN
    synonyms: tuple[str, ...] = ()
    note: str = ""

    @cached_property
    def assumable(self) -> bool:
        """Whether the absence of a record may be taken as "no" until somebody confirms it."""
        return self.absence == ASSUMABLE

    @cached_property
    def measured(self) -> bool:
        """Whether records of the kind carry a value of their own."""
        return self.value != NONE

    @cached_property
    def judges(self) -> tuple[Judged, ...]:
        """What `speaks_of` names, taken apart."""
        return tuple(Judged.of(text) for text in self.speaks_of)

    @cached_property
    def opened_anew_by(self) -> tuple[Judged, ...]:
        """What `reopened_by` names, taken apart."""
        return tuple(Judged.of(text) for text in self.reopened_by)


@dataclass(frozen=True)
class Catalogue:
    """All kinds and value sets, with the look-ups the rest of the house needs."""

    version: str
    kinds: Mapping[str, Kind]
    value_sets: Mapping[str, ValueSet]
    unit_spellings: Mapping[str, str] = field(default_factory=dict)  # a site's own, to UCUM

    def __iter__(self) -> Iterator[Kind]:
        return iter(self.kinds.values())

    @cached_property
    def families(self) -> dict[str, frozenset[str]]:
        """For each kind, the kinds whose records are also records of it: itself and all below it."""
        below: dict[str, set[str]] = {name: {name} for name in self.kinds}
        for name in self.kinds:
            for ancestor in self.ancestors(name):
                below[ancestor].add(name)
        return {name: frozenset(names) for name, names in below.items()}

    def ancestors(self, name: str) -> frozenset[str]:
        """The groups a kind belongs to, near and far."""
        return self._ancestors[name]

    @cached_property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """For each kind, the kinds of whose records its own are: itself and all groups above it, sorted."""
        return {name: tuple(sorted({name, *self.ancestors(name)})) for name in self.kinds}

    @cached_property
    def reopeners(self) -> dict[str, tuple[Judged, ...]]:
        """What opens the question of each kind anew: what it names, and what the groups above it do."""
        return {
            name: tuple(one for up in above for one in self.kinds[up].opened_anew_by)
            for name, above in self.lineage.items()
        }

    @cached_property
    def _ancestors(self) -> dict[str, frozenset[str]]:
        return {name: self._above(name) for name in self.kinds}

    def _above(self, name: str) -> frozenset[str]:
        found: set[str] = set()
        waiting = list(self.kinds[name].parents)
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting.extend(self.kinds[parent].parents)
        return frozenset(found)

    def attribute(self, kind: str, name: str) -> Attribute | None:
        """An attribute of a kind, its own or inherited from a group."""
        return self.attributes(kind).get(name)

    def attributes(self, kind: str) -> Mapping[str, Attribute]:
        """All attributes of a kind, inherited ones included; none of records that are of no kind here."""
        return self._attributes.get(kind, {})

    @cached_property
    def _attributes(self) -> dict[str, dict[str, Attribute]]:
        found: dict[str, dict[str, Attribute]] = {}

        def collect(name: str) -> dict[str, Attribute]:
            """The nearer group wins, so that a kind may say otherwise than the group above its group."""
            if name not in found:
                kind = self.kinds[name]
                above = {k: a for up in reversed(kind.parents) for k, a in collect(up).items()}
                found[name] = {**above, **kind.attributes}
            return found[name]

        for name in self.kinds:
            collect(name)
        return found

    def in_order(self, kind: str, stated: Mapping[str, _Stated]) -> list[tuple[str, _Stated]]:
        """What is stated of a record, attributes or components, as it is always shown: in the order in which the
        catalogue names them, however the record came; what the catalogue does not name comes last, by name.
        """
        places = self._places.get(kind, {})
        return sorted(stated.items(), key=lambda item: (places.get(item[0], len(places)), item[0]))

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        """For each kind the place of each attribute and component among those of its sort."""
        names = ((one.name, (self.attributes(one.name), one.components)) for one in self)
        return {kind: {name: place for sort in both for place, name in enumerate(sort)} for kind, both in names}

    @cached_property
    def present(self) -> dict[str, tuple[str, ...]]:
        """The attributes of each kind that say how it is on the day of record; only kinds that have any."""
        found = {
            kind: tuple(n for n, a in attributes.items() if a.present) for kind, attributes in self._attributes.items()
        }
        return {kind: names for kind, names in found.items() if names}

    @cached_property
    def composites(self) -> dict[str, tuple[str, str]]:
        """For each kind that is a component: its composite kind and its name there."""
        return {part: (kind.name, name) for kind in self for name, part in kind.components.items()}

    def unit(self, text: str) -> str:
        """What a site means by a spelling of a unit; any other text as it is."""
        return self.unit_spellings.get(text.strip(), text)

    def codes_of(self, kind: str, attribute: str | None = None) -> ValueSet | None:
        """The value set of a kind's value, or of one of its attributes."""
        if attribute is None:
            name = self.kinds[kind].values
        else:
            found = self.attribute(kind, attribute)
            name = found.values if found is not None else ""
        return self.value_sets.get(name) if name else None

    def narrowed_by(self, judged: Judged) -> tuple[tuple[str, frozenset[str]], ...]:
        """The attributes (or "value") that narrow what a kind names, each with all its code may stand for."""
        found = []
        for name, code in judged.codes:
            values = self.codes_of(judged.kind, None if name == "value" else name)
            assert values is not None, "the catalogue was checked"
            found.append((name, values.meaning(code)))
        return tuple(found)

    @cached_property
    def kinds_by_word(self) -> dict[str, dict[str, bool]]:
        """For each label and synonym, as `plain` writes it, the kinds it names, with whether it is their label."""
        found: dict[str, dict[str, bool]] = {}
        for kind in self:
            for word in (kind.label, *kind.synonyms):
                found.setdefault(plain(word), {}).setdefault(kind.name, word == kind.label)
        return found

    @cached_property
    def _kind_codes(self) -> _CodeTable:
        return _CodeTable((kind.name, use) for kind in self for use in kind.codes)

    def lookup(self, code: Code) -> list[tuple[str, CodeUse]]:
        """The kinds a (system, code) pair names, by that code or else by the nearest category above it.

        `I21.-` in the catalogue names I21 and every code below it. ICD-10-CM codes count with or without
        their dot.
        """
        return self._kind_codes.find(code)

    @cached_property
    def _member_codes(self) -> dict[str, _CodeTable]:
        return {
            values.name: _CodeTable((member.name, use) for member in values.members.values() for use in member.codes)
            for values in self.value_sets.values()
        }

    def member(self, value_set: str, code: Code) -> tuple[str, CodeUse] | None:
        """The member of a value set that a (system, code) pair means, by that code or a category above it."""
        found = self._member_codes[value_set].find(code) if value_set in self._member_codes else []
        return found[0] if found else None


class _CodeTable:
    """Names by code: exact codes, and categories ("I21.-", "L01EA-") with everything below them."""

    def __init__(self, uses: Iterable[tuple[str, CodeUse]]) -> None:
        self._exact: dict[Code, list[tuple[str, CodeUse]]] = {}
        self._below: dict[Code, list[tuple[str, CodeUse]]] = {}
        for name, use in uses:
            table = self._below if use.code.code.endswith("-") else self._exact
            table.setdefault(code_key(use.code), []).append((name, use))

    def find(self, code: Code) -> list[tuple[str, CodeUse]]:
        key = code_key(code)
        exact = self._exact.get(key)
        if exact is not None:
            return exact
        for length in range(min(len(key.code), _LONGEST_CATEGORY), 0, -1):
            below = self._below.get(Code(key.system, key.code[:length]))
            if below is not None:
                return below
        return []


_LONGEST_CATEGORY = 12


def code_key(code: Code) -> Code:
    """A code as it is compared: ICD-10-CM without its dot, a category ("I21.-") as what codes begin with."""
    text = code.code.rstrip("-").rstrip(".") if code.code.endswith("-") else code.code
    if code.system == ICD10CM:
        text = icd10cm_key(text) or text
    return code if text == code.code else Code(code.system, text)


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """The catalogue that ships, the same object each time; that it is valid is held by the tests."""
    from onstudy.record.catalogue_file import read_catalogue

    return read_catalogue(Path(__file__).with_name("catalogue.toml"), check=False)
