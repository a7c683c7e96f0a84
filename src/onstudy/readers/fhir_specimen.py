"""What a result was measured in, and which results are of one sample: by its specimen, its report, its panel.

A code names the specimen it was made for, and some sources put results of another one under it (white cells
of the spinal fluid under the code of those in blood). Where a source says what a result was measured in, by
whatever element, that decides what it is a result of; where nobody says, its code does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from onstudy.readers.fhir_entries import Entry, Index
from onstudy.readers.fhir_json import Json, codings, items, references, text, words
from onstudy.readers.fhir_meaning import Meaning
from onstudy.readers.reading import quoted
from onstudy.record.catalogue import SPECIMEN, Catalogue, ValueSet
from onstudy.values.codes import ONSTUDY

_DEEPEST = 4  # a sample of a sample of a sample
_REPORT, _IN_ERROR = "DiagnosticReport", "entered-in-error"
#: Of a specimen with one of these statuses there is no result to rely on.
_UNFIT = (_IN_ERROR, "unsatisfactory")


@dataclass(frozen=True, slots=True)
class Material:
    """What is said of a specimen: the words of the value set it may be (none: not known here), and how it is shown."""

    members: frozenset[str]
    shown: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The meanings of a result's code, with what it was measured in taken into account.

    `doubtful`: whether it is a result of these kinds, or any, cannot be told. `said` explains what was made of it.
    """

    meanings: tuple[Meaning, ...]
    doubtful: bool = False
    said: str = ""


class Specimens:
    """Samples and specimens of all Observations of a source."""

    def __init__(self, entries: Iterable[Entry], index: Index, catalogue: Catalogue) -> None:
        self._index, self._catalogue = index, catalogue
        values = catalogue.value_sets.get(SPECIMEN)
        self._words = _words_of(values) if values is not None else None
        self._types: dict[int, Material | None] = {}  # by the id of a Specimen
        self._stating: dict[int, Material | None] = {}  # by the id of what refers to one
        self._holders: dict[int, list[Entry]] = {}
        self._names = self._samples(entries)

    # Which results are of one sample ------------------------------------------------------------------------

    def sample(self, entry: Entry) -> str | None:
        """The name of the sample a result belongs to: its specimen, its report, its panel."""
        return self._names.get(id(entry))

    def _samples(self, entries: Iterable[Entry]) -> dict[int, str]:
        """The sample of each Observation: its specimen, else the report or panel it is listed in.

        A report whose results share one specimen lends it to those that name none.
        """
        own: dict[int, str] = {}
        holders: list[tuple[Entry, list[Entry]]] = []
        for entry in entries:
            if entry.type == "Observation":
                found = self._specimen(entry)
                if found:
                    own[id(entry)] = found
                members = references(entry.resource, "hasMember") if "hasMember" in entry.resource else []
            elif entry.type == _REPORT:
                members = references(entry.resource, "result")
            else:
                continue
            results = [e for e in self._index.all(members, entry) if e.type == "Observation"]
            if results:
                holders.append((entry, results))
        return self._lent(own, sorted(holders, key=lambda pair: (pair[0].type, pair[0].where)))

    def _lent(self, own: dict[int, str], holders: list[tuple[Entry, list[Entry]]]) -> dict[int, str]:
        samples = dict(own)
        for holder, results in holders:
            named = {own[id(result)]: result for result in results if id(result) in own}
            lender = next(iter(named.values())) if len(named) == 1 else None
            name = self._specimen(holder) or (next(iter(named)) if lender is not None else holder.where)
            for result in results:
                samples.setdefault(id(result), name)
                known = self._holders.setdefault(id(result), [])
                known.append(holder)
                if lender is not None and lender is not result:
                    known.append(lender)
        return samples

    def _specimen(self, entry: Entry) -> str:
        """The one specimen a resource names; nothing where it names none or several."""
        found = references(entry.resource, "specimen") if "specimen" in entry.resource else []
        if len(found) != 1:
            return ""
        target = self._index.find(found[0], entry)
        return target.where if target is not None else quoted(found[0])

    # What a result was measured in --------------------------------------------------------------------------

    def measured(self, entry: Entry, found: tuple[Meaning, ...], concept: object) -> Measured:
        """The kinds that a result with this concept as its code is one of, by what it was measured in."""
        measured = self._material_of(entry, found, concept)
        doubt = self._doubt(entry)
        if not doubt:
            return measured
        said = "; ".join(part for part in (measured.said, f"{doubt}: its value is not used") if part)
        return Measured(measured.meanings, True, said)

    def _doubt(self, entry: Entry) -> str:
        """Why what holds a result takes it back: report or panel, where no other report has it; its specimen."""
        holders = self._holders.get(id(entry), ())
        in_error = [holder for holder in holders if text(holder.resource, "status") == _IN_ERROR]
        wrong = next((holder for holder in in_error if self._lists(holder, entry)), None)
        if wrong is not None and not any(one.type == _REPORT for one in holders if one not in in_error):
            return f"the {'report' if wrong.type == _REPORT else 'panel'} it is listed in was entered in error"
        for holder in (entry, *holders):
            named = references(holder.resource, "specimen") if "specimen" in holder.resource else []
            found = [target for target in self._index.all(named, holder) if target.type == "Specimen"]
            unfit = (status for target in found if (status := text(target.resource, "status")) in _UNFIT)
            if found:
                status = next(unfit, "")
                return f"the status of its specimen is {status}" if status else ""
        return ""

    def _lists(self, holder: Entry, result: Entry) -> bool:
        """Whether a resource lists a result, and does not only lend it its specimen."""
        members = references(holder.resource, "result" if holder.type == _REPORT else "hasMember")
        return any(target is result for target in self._index.all(members, holder))

    def _material_of(self, entry: Entry, found: tuple[Meaning, ...], concept: object) -> Measured:
        """The kinds that a result is one of by what it was measured in, whatever its specimen was worth."""
        if self._words is None or not any(meaning.kind.specimens for meaning in found):
            return Measured(found)
        stated = self._stated(entry)
        meant = [self._of(meaning, stated, entry, concept) for meaning in found]
        return Measured(
            tuple([meaning for one in meant for meaning in one.meanings]),
            any(one.doubtful for one in meant),
            next((one.said for one in meant if one.said), ""),
        )

    def _of(self, meaning: Meaning, stated: Material | None, entry: Entry, concept: object) -> Measured:
        kind = meaning.kind
        allowed = frozenset(kind.specimens)
        material = stated or self._mentioned(entry, concept, allowed)
        if not allowed or material is None or (material.members and material.members <= allowed):
            return Measured((meaning,))
        if not material.members or material.members & allowed:
            what = f"whether it is a result of {kind.name} cannot be told from its specimen, {material.shown}"
            return Measured((meaning,), doubtful=True, said=f"{what}: its value is not used")
        what = f"its code is that of {kind.name}, and its specimen is {material.shown}"
        others = {kind.elsewhere[name] for name in material.members if name in kind.elsewhere}
        if len(others) == len(material.members) == 1:
            other = self._catalogue.kinds[others.pop()]
            return Measured((replace(meaning, kind=other, sets={}),), said=f"{what}: read as {other.name}")
        return Measured((), said=f"{what}: kept, and not used")

    def _stated(self, entry: Entry) -> Material | None:
        """What the specimen is by the element for it: the result's own, else that of its report or panel."""
        for holder in (entry, *self._holders.get(id(entry), ())):
            if "specimen" in holder.resource:
                key = id(holder)
                if key not in self._stating:
                    named = [m for node in items(holder.resource, "specimen") if (m := self._named(node, holder))]
                    self._stating[key] = _all_of(named) if named else None
                if (found := self._stating[key]) is not None:
                    return found
        return None

    def _named(self, node: Json, within: Entry) -> Material | None:
        """A reference to a Specimen, with or without its words; or what should be one and is a concept."""
        reference = text(node, "reference")
        target = self._index.find(reference, within) if reference else None
        if target is not None and target.type == "Specimen":
            found = self._typed(target, 0)
            if found is not None:
                return found
        said = (self._material(part) for part in (node, node.get("type"), {"text": text(node, "display")}))
        return next((material for material in said if material is not None), None)

    def _typed(self, specimen: Entry, depth: int) -> Material | None:
        """The type of a Specimen, or of the one it was taken from."""
        key = id(specimen)
        if key not in self._types:
            found = self._material(specimen.resource.get("type"))
            parents = self._index.all(references(specimen.resource, "parent"), specimen)
            if found is None and depth < _DEEPEST:
                above = (self._typed(parent, depth + 1) for parent in parents if parent.type == "Specimen")
                found = next((material for material in above if material is not None), None)
            self._types[key] = found
        return self._types[key]

    def _material(self, concept: object) -> Material | None:
        """What a concept says a specimen is, by its codes and its words; None where it says nothing."""
        assert self._words is not None, "asked only where the catalogue knows specimens"
        found = codings(concept)
        said = [*words(concept), *(code for part in items(concept, "coding") if (code := text(part, "code")))]
        if not said:
            return None
        by_code = [self._words.values.meaning(m[0]) for c in found if (m := self._catalogue.member(SPECIMEN, c.code))]
        kinds = [self._catalogue.kinds.get(c.code.code) for c in found if c.code.system == ONSTUDY]
        spoken = self._words.named([*said, *(kind.label for kind in kinds if kind is not None)])
        coded = frozenset().union(*by_code)
        members = (coded & spoken or coded | spoken) if coded and spoken else coded or spoken
        shown = ", ".join(sorted(self._words.values.members[name].label for name in members if name != "other"))
        return Material(members, shown or f"'{quoted(said[0], 60)}'")

    def _mentioned(self, entry: Entry, concept: object, allowed: frozenset[str]) -> Material | None:
        """What no element states and words do: those of the code, of the site, of the panel or report.

        They count only where they name another specimen than the code does and not that one too.
        """
        assert self._words is not None, "asked only where the catalogue knows specimens"
        for said in self._passing_words(entry, concept):
            members = self._words.named(said)
            if members and not members & allowed:
                return Material(members, ", ".join(sorted(self._words.values.members[m].label for m in members)))
            if members:
                return None
        return None

    def _passing_words(self, entry: Entry, concept: object) -> Iterator[list[str]]:
        yield words(concept)
        if concept is not entry.resource.get("code"):
            yield words(entry.resource.get("code"))
        if "bodySite" in entry.resource:
            yield words(entry.resource["bodySite"])
        for holder in self._holders.get(id(entry), ()):
            yield words(holder.resource.get("code"))


_KNOWN: dict[int, _Words] = {}


def _words_of(values: ValueSet) -> _Words:
    """The words of a value set, laid out once however many sources are read by it."""
    found = _KNOWN.get(id(values))
    if found is None or found.values is not values:
        found = _KNOWN[id(values)] = _Words(values)
    return found


class _Words:
    """The words of the value set of specimens, as they are looked for in a text."""

    def __init__(self, values: ValueSet) -> None:
        self.values = values
        self._phrases = [
            (_padded(word), values.meaning(member.name))
            for member in values.members.values()
            for word in (member.name, member.label, *member.synonyms)
        ]
        self._known: dict[tuple[str, ...], frozenset[str]] = {}

    def named(self, said: list[str]) -> frozenset[str]:
        """All members that any of the texts names, word for word."""
        if not said:
            return frozenset()
        key = tuple(said)
        if key not in self._known:
            padded = [_padded(part) for part in said]
            found = (meant for phrase, meant in self._phrases if any(phrase in part for part in padded))
            self._known[key] = frozenset().union(*found)
        return self._known[key]


def _padded(said: str) -> str:
    return f" {' '.join(re.findall(r'[a-z0-9]+', said.lower()))} "


def _all_of(found: list[Material]) -> Material:
    """Several specimens: it may be any of them, and is not known where one of them is not."""
    if any(not material.members for material in found):
        return next(material for material in found if not material.members)
    members = frozenset().union(*(material.members for material in found))
    return Material(members, " or ".join(dict.fromkeys(material.shown for material in found)))
