"""Writes docs/kinds.md from the catalogue and kinds_page.md: `python -m onstudy.record.kinds_page` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from onstudy.record.catalogue import (
    AGE,
    BOOLEAN,
    CODE,
    COUNT,
    DATE,
    DAY,
    MOMENT,
    NO,
    NONE,
    ORDERED,
    PERIOD,
    QUANTITY,
    SEX_FACTOR,
    STATE,
    TOPICS,
    YES,
    Attribute,
    Catalogue,
    CodeUse,
    Derivation,
    Judged,
    Kind,
    ValueSet,
    load_catalogue,
)
from onstudy.record.formula import parse_formula
from onstudy.values.codes import ATC, ICD10CM, LOINC, ONSTUDY, RXNORM, SNOMED

SYSTEM_NAMES = {
    LOINC: "LOINC",
    SNOMED: "SNOMED CT",
    ICD10CM: "ICD-10-CM",
    RXNORM: "RxNorm",
    ATC: "ATC",
    ONSTUDY: "onstudy",
    "https://www.meddra.org": "MedDRA",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://terminology.hl7.org/CodeSystem/v2-0487": "HL7 v2 table 0487",
    "http://terminology.hl7.org/CodeSystem/v3-SpecimenType": "HL7 v3 SpecimenType",
}
#: Value sets of more words than this are listed at the end of the page only.
FEW = 8

_OF_THE_PATIENT = {
    AGE: "completed years on that day",
    SEX_FACTOR: "1 for a man, 0.85 for a woman",
}
_TIMES = {MOMENT: "moment", PERIOD: "period", STATE: "state, holds until a newer statement"}


def kinds_page(catalogue: Catalogue) -> str:
    """The page as Markdown; the same catalogue always gives the same text."""
    page = Path(__file__).with_name("kinds_page.md").read_text(encoding="utf-8")
    topics = [topic for topic in TOPICS if any(kind.topic == topic for kind in catalogue)]
    parts = {
        "version": catalogue.version,
        "topics": ", ".join(f"[{TOPICS[topic]}](#{_anchor(TOPICS[topic])})" for topic in topics),
        "kinds": "".join(_topic(topic, catalogue) for topic in topics),
        "value_sets": "".join(_value_set(values) for values in catalogue.value_sets.values()),
        "systems": "".join(f"- {name}: `{uri}`\n" for uri, name in _systems(catalogue)),
    }
    for name, text in parts.items():
        page = page.replace("{{" + name + "}}", text)
    return page


def _anchor(heading: str) -> str:
    """The address GitHub and other readers of Markdown give a heading."""
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _systems(catalogue: Catalogue) -> list[tuple[str, str]]:
    used = {use.code.system for kind in catalogue for use in kind.codes}
    for values in catalogue.value_sets.values():
        used |= {use.code.system for member in values.members.values() for use in member.codes}
    return [(uri, name) for uri, name in SYSTEM_NAMES.items() if uri in used] + [
        (uri, uri) for uri in sorted(used - SYSTEM_NAMES.keys())
    ]


# Kinds ----------------------------------------------------------------------------------------------


def _topic(topic: str, catalogue: Catalogue) -> str:
    kinds = [kind for kind in catalogue if kind.topic == topic]
    return f"### {TOPICS[topic]}\n\n" + "".join(_kind(kind, catalogue) for kind in kinds)


def _kind(kind: Kind, catalogue: Catalogue) -> str:
    lines = [f"#### `{kind.name}`", "", f"{kind.label}. {kind.note}".strip(), ""]
    lines += [f"- {name}: {text}" for name, text in _facets(kind, catalogue) if text]
    return "\n".join(lines) + "\n\n"


def _facets(kind: Kind, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """The lines of an entry, each with its name; empty ones are left out."""
    yield "Value", _value(kind, catalogue)
    for name, part in kind.components.items():
        yield f"Component `{name}`", _component(catalogue.kinds[part], part, catalogue)
    yield "Makes such a record", _any_of(kind.identifying)
    yield "Measured in", _measured_in(kind)
    for attribute in catalogue.attributes(kind.name).values():
        yield f"Attribute `{attribute.name}`", _attribute(attribute, catalogue)
    yield "Part of", _listed(_part_of(kind, catalogue))
    yield "Group of", _listed(k.name for k in catalogue if kind.name in k.parents)
    yield "Member of", _listed(kind.parents)
    yield "Time", _TIMES[kind.extent]
    yield "Planned", "a procedure in preparation or in progress is it, one that is done is not" if kind.planned else ""
    yield "In preparation", f"a procedure still in preparation is `{kind.planned_as}`" if kind.planned_as else ""
    yield "Lasts", f"at most {kind.lasts_at_most} days; then it is as if not recorded" if kind.lasts_at_most else ""
    yield "Judges", _judges(kind)
    yield "No", _no(kind)
    yield "Asked anew", _reopened(kind, catalogue)
    yield "No record", "may be assumed absent until confirmed" if kind.assumable else "nothing is known"
    yield "Comes from", _source(kind)
    yield "Newer record", f"ends an earlier one with the same `{kind.supersedes}`" if kind.supersedes else ""
    yield "Suspected", "counts as the fact" if kind.suspected_counts else ""
    for rule in kind.derive:
        yield "Computed", _computed(rule)
    yield "Codes", _codes(kind.codes)
    yield "Also called", ", ".join(kind.synonyms)
    yield "Asked as", kind.question
    yield "Asked of a patient as", kind.plain.ask


def _value(kind: Kind, catalogue: Catalogue) -> str:
    if kind.value == NONE:
        return "none; the components say what was found" if kind.components else "none; the record is the fact"
    text = _typed(kind.value, kind.unit, kind.values, catalogue)
    others = [unit for unit in kind.units if not (kind.value == COUNT and unit.startswith("{"))]
    if others:
        text += f"; also {_listed(others)}"
    if kind.molar_mass is not None:
        text += f"; mass and amount by {kind.molar_mass:g} g/mol"
    if kind.plausible is not None:
        low, high = kind.plausible
        text += f"; possible {_number(low)} to {_number(high)}"
    return text


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _typed(type_: str, unit: str, values: str, catalogue: Catalogue) -> str:
    """What may be written in a place of this type."""
    if type_ == QUANTITY:
        return "a number without a unit (`1`)" if unit == "1" else f"a quantity in `{unit}`"
    if type_ == COUNT:
        return "a whole number"
    if type_ == DATE:
        return "a date"
    if type_ == BOOLEAN:
        return "`yes` or `no`"
    assert type_ in (CODE, ORDERED), type_
    found = catalogue.value_sets[values]
    link = f"[{values}](#value-set-{values})"
    if len(found.members) > FEW:
        return f"one word of {link}"
    words = _listed(found.universe if found.open else found.members, found)
    return f"{words} ({link}{', in this order' if type_ == ORDERED else ''})"


def _listed(names: Iterable[str], order: ValueSet | None = None) -> str:
    """Names in code type; words of a value set in its order, `other` last."""
    found = list(names)
    if order is not None:
        ranked = list(order.members)
        found.sort(key=lambda name: ranked.index(name) if name in ranked else len(ranked))
    return ", ".join(f"`{name}`" for name in found)


def _any_of(names: Iterable[str]) -> str:
    text = _listed(names)
    return f"any of {text}; the other components alone do not" if text else ""


def _component(kind: Kind, name: str, catalogue: Catalogue) -> str:
    silence = f"; not stated: `{kind.silence}`" if kind.silence is not None else ""
    return f"{kind.label}, {_typed(kind.value, kind.unit, kind.values, catalogue)}{silence} (as [`{name}`](#{name}))"


def _attribute(attribute: Attribute, catalogue: Catalogue) -> str:
    silence = "unknown" if attribute.silence is None else f"`{attribute.silence}`"
    typed = _typed(attribute.type, attribute.unit, attribute.values, catalogue)
    never = f"; never with {_listed(attribute.rules_out)}" if attribute.rules_out else ""
    never += f"; never {_listed(attribute.contradicts)}" if attribute.contradicts else ""
    present = "; on the day it is recorded, until a newer record says otherwise" if attribute.present else ""
    return f"{attribute.label}; {typed}; not stated: {silence}{never}{present}"


def _measured_in(kind: Kind) -> str:
    others = [f"the same in `{specimen}` is [`{name}`](#{name})" for specimen, name in kind.elsewhere.items()]
    return "; ".join([_listed(kind.specimens), *others]) if kind.specimens else ""


def _part_of(kind: Kind, catalogue: Catalogue) -> list[str]:
    return [catalogue.composites[kind.name][0]] if kind.name in catalogue.composites else []


def _judges(kind: Kind) -> str:
    """Whose records an attestation judges, and which answer a further one takes back."""
    if not kind.judges:
        return ""
    named = ", ".join(_judged(judged) for judged in kind.judges)
    back = {"": "", YES: "; a “yes” stays all the same", NO: "; a “no” stays all the same"}[kind.stays]
    return f"{named}; one that began after it was not seen, and leaves it unknown{back}"


def _reopened(kind: Kind, catalogue: Catalogue) -> str:
    """After which records a "no" says nothing more."""
    named = ", ".join(_judged(judged) for judged in catalogue.reopeners[kind.name])
    return f"after {named}; a “no” says nothing of the time from then on" if named else ""


def _judged(judged: Judged) -> str:
    codes = " and ".join(f"{name} `{code}`" for name, code in judged.codes)
    return f"[`{judged.kind}`](#{judged.kind})" + (f" with {codes}" if codes else "")


def _no(kind: Kind) -> str:
    """What a "no" of the kind speaks of; measured kinds have none."""
    if kind.measured or kind.components:
        return ""
    if kind.extent == STATE:
        return "that it does not hold, from that day on until a newer statement"
    what = (
        "nothing on that day, and nothing is said of the days before it"
        if kind.negative == DAY
        else ("nothing ever, up to that day")
    )
    return f"{what}; it holds on later days until a newer record"


def _computed(rule: Derivation) -> str:
    """A formula with what its names stand for; components are named in the entry of their composite."""
    names = parse_formula(rule.formula).names
    meanings = [f"`{name}` is the newest `{source}`" for name, source in rule.inputs.items()]
    meanings += [f"`{name}` is {words}" for name, words in _OF_THE_PATIENT.items() if name in names]
    text = f"`{rule.formula}` from each `{rule.of}` ({rule.source})"
    return f"{text}; {', '.join(meanings)}" if meanings else text


def _source(kind: Kind) -> str:
    judged = "an investigator's judgement" if kind.attested else ""
    study = "the study itself, when a patient joins" if kind.by_study else ""
    return "; ".join(text for text in (judged, study) if text)


def _codes(uses: Iterable[CodeUse]) -> str:
    """The codes of other systems, by system; what a code says beyond its name in parentheses."""
    by_system: dict[str, list[str]] = {}
    for use in uses:
        if use.code.system != ONSTUDY:
            name = SYSTEM_NAMES.get(use.code.system, use.code.system)
            by_system.setdefault(name, []).append(f"`{use.code.code}` {use.status}{_said(use)}")
    return "; ".join(f"{name} {', '.join(codes)}" for name, codes in by_system.items())


def _said(use: CodeUse) -> str:
    said = [f"`{use.value}`"] if use.value is not None else []
    said += [f"{name} `{value}`" for name, value in use.sets.items()]
    said += ["says no"] if use.negative else []
    said += ["some time before its date"] if use.history else []
    return f" ({', '.join(said)})" if said else ""


# Value sets -----------------------------------------------------------------------------------------


def _value_set(values: ValueSet) -> str:
    kind = "; an open set" if values.open else ""
    lines = [f"### Value set {values.name}", "", f"{values.label}{kind}.", ""]
    lines += [line for name, member in values.members.items() if not member.parents for line in _below(values, name, 0)]
    return "\n".join(lines) + "\n\n"


def _below(values: ValueSet, name: str, depth: int) -> Iterator[str]:
    """A member and, below it, its members; one that stands in several groups is listed in each."""
    member = values.members[name]
    text = f"{'  ' * depth}- `{name}`"
    if member.label != name.replace("_", " "):
        text += f": {member.label}"
    if member.synonyms:
        text += f"; also {', '.join(member.synonyms)}"
    codes = _codes(member.codes)
    yield f"{text} ({codes})" if codes else text
    for other in values.members.values():
        if name in other.parents:
            yield from _below(values, other.name, depth + 1)


if __name__ == "__main__":
    sys.stdout.write(kinds_page(load_catalogue()))
