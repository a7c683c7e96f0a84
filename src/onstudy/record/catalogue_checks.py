"""What must hold between the entries of a catalogue; `check_catalogue` returns every problem it finds.

Kept apart from reading, because the shipped catalogue is checked by the tests and need not be at every start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from onstudy.errors import OnstudyError, Problem, nearest
from onstudy.record.catalogue import (
    ABSENCES,
    AGE,
    ASSUMABLE,
    ATTRIBUTE_TYPES,
    BOOLEAN,
    CODE,
    COUNT,
    EXTENTS,
    NEGATIVES,
    NEVER,
    NO,
    NONE,
    ORDERED,
    PERIOD,
    QUANTITY,
    RESERVED_FIELDS,
    SEX_FACTOR,
    SPECIMEN,
    STATE,
    TOPICS,
    VALUE_TYPES,
    YES,
    Attribute,
    Catalogue,
    CodeUse,
    Derivation,
    Judged,
    Kind,
    ValueSet,
)
from onstudy.record.code_checks import (
    NAME,
    check_code,
    check_names,
    check_repeated_codes,
    check_value_set,
    groups_above,
)
from onstudy.record.formula import parse_formula
from onstudy.record.plain import check_plain
from onstudy.values.quantity import convert, dimension, factor


def check_catalogue(catalogue: Catalogue) -> list[Problem]:
    """Everything that is wrong in a catalogue, each with the entry it is found in."""
    problems = [problem for values in catalogue.value_sets.values() for problem in check_value_set(values)]
    for kind in catalogue:
        problems.extend(_kind(kind, catalogue))
    problems.extend(check_repeated_codes(catalogue))
    problems.extend(_shared_components(catalogue))
    return problems


def check_spellings(spellings: Mapping[str, str]) -> list[Problem]:
    """Problems of a site's spellings of units: what they stand for must be a unit, and they themselves no other one.

    A unit of enzyme activity may be spelled for one of an assay's own scale: "U/mL" is often written for [IU]/mL.
    """
    return [p for text, unit in spellings.items() for p in _spelling(text, unit, f"unit_spellings.{text}")]


def _spelling(text: str, unit: str, where: str) -> Iterator[Problem]:
    try:
        meant = dimension(unit)
    except OnstudyError as error:
        yield Problem(str(error), where)
        return
    try:
        written = dimension(text)
    except OnstudyError:  # no unit by itself, or one that could be two: just what a spelling is for
        return
    if meant.startswith("arbitrary") and written.startswith("catalytic"):
        return
    if written != meant or factor(text, unit) != 1:
        yield Problem(f"{text!r} is a unit already, of {written}, and is not the same as {unit!r}", where)


# Kinds ----------------------------------------------------------------------------------------------


def _kind(kind: Kind, catalogue: Catalogue) -> Iterator[Problem]:
    where = f"kind.{kind.name}"
    if not NAME.fullmatch(kind.name):
        yield Problem("a kind is named in small letters, digits and underscores", where)
    for name, value, allowed in (
        ("topic", kind.topic, TOPICS),
        ("value", kind.value, VALUE_TYPES),
        ("extent", kind.extent, EXTENTS),
        ("absence", kind.absence, ABSENCES),
        ("negative", kind.negative, NEGATIVES),
    ):
        yield from check_names([value] if value else [], allowed, name, f"{where}.{name}")
    yield from _values(kind.value, kind.values, catalogue, where)
    yield from _measure(kind, where)
    yield from _measured_in(kind, catalogue, where)
    yield from _groups(kind, catalogue, where)
    yield from _silence_of_kind(kind, catalogue, where)
    yield from _policies(kind, catalogue, where)
    yield from _judgement(kind, catalogue, where)
    yield from _reopened(kind, catalogue, where)
    for attribute in kind.attributes.values():
        yield from _attribute(attribute, kind, catalogue, f"{where}.attributes.{attribute.name}")
    yield from _composite(kind, catalogue, where)
    for place, derivation in enumerate(kind.derive):
        yield from _derivation(derivation, kind, catalogue, f"{where}.derive[{place}]")
    yield from check_plain(kind.plain, catalogue.kinds, _codes_of(kind, catalogue), f"{where}.plain")
    for use in kind.codes:
        yield from check_code(use, kind.name, where)
        yield from _said_by_code(use, kind, catalogue, where)


def _codes_of(kind: Kind, catalogue: Catalogue) -> dict[str, frozenset[str]]:
    """The codes a kind ("") and each of its own attributes may have."""
    sets = {"": kind.values, **{name: a.values for name, a in kind.attributes.items()}}
    known = catalogue.value_sets
    return {name: known[values].universe if values in known else frozenset() for name, values in sets.items()}


def _values(type_: str, name: str, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    """Codes have a value set, ordered codes a closed one without groups, nothing else has one."""
    needed = type_ in (CODE, ORDERED, BOOLEAN)
    if needed and not name:
        yield Problem(f"a value of type {type_} needs a value set", f"{where}.values")
    elif name and not needed:
        yield Problem(f"a value of type {type_} has no value set", f"{where}.values")
    else:
        yield from check_names([name] if name else [], catalogue.value_sets, "value set", f"{where}.values")
    if type_ == ORDERED and name in catalogue.value_sets and not _ordered_set(catalogue.value_sets[name]):
        yield Problem("ordered values are a closed set without groups", f"{where}.values")


def _measure(kind: Kind, where: str) -> Iterator[Problem]:
    """Units only where something is measured, each convertible into the kind's own."""
    if kind.value == QUANTITY and not kind.unit:
        yield Problem("a quantity needs a unit", f"{where}.unit")
    if kind.value not in (QUANTITY, COUNT) and (kind.unit or kind.units or kind.plausible):
        yield Problem("only a quantity or a count has units and a plausible range", f"{where}.unit")
    if kind.molar_mass is not None and (kind.value != QUANTITY or kind.molar_mass <= 0):
        yield Problem("is a positive number of g/mol, of a quantity", f"{where}.molar_mass")
        return
    found = list(_unit(kind.unit, f"{where}.unit")) if kind.unit else []
    yield from found
    for unit in kind.units if not found else ():
        try:
            convert(1.0, unit, kind.unit, kind.molar_mass)
        except OnstudyError as error:
            yield Problem(str(error), f"{where}.units")


def _measured_in(kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    """Specimens only of what is measured, and the same measurement in another one is a kind with such a unit."""
    if kind.specimens and not (kind.measured or kind.components):
        yield Problem("only what is measured has a specimen", f"{where}.specimens")
    known = catalogue.value_sets[SPECIMEN].members if SPECIMEN in catalogue.value_sets else {}
    yield from check_names(kind.specimens, known, "specimen", f"{where}.specimens")
    yield from check_names(kind.elsewhere, known, "specimen", f"{where}.elsewhere")
    yield from check_names(kind.elsewhere.values(), catalogue.kinds, "kind", f"{where}.elsewhere")
    for specimen, name in kind.elsewhere.items():
        other = catalogue.kinds.get(name)
        if specimen in kind.specimens or (other is not None and specimen not in other.specimens):
            yield Problem(f"{name} is measured in {specimen}, and {kind.name} is not", f"{where}.elsewhere")
        if other is not None and (other.value, other.unit) != (kind.value, kind.unit):
            yield Problem(f"{name} is not measured as {kind.name} is", f"{where}.elsewhere")


def _unit(unit: str, where: str) -> Iterator[Problem]:
    try:
        dimension(unit)
    except OnstudyError as error:
        yield Problem(str(error), where)


def _groups(kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    yield from check_names(kind.parents, catalogue.kinds, "kind", f"{where}.parents")
    for parent in kind.parents:
        group = catalogue.kinds.get(parent)
        if group is not None and (group.value != NONE or kind.value != NONE):
            yield Problem("a group and its members carry no value of their own", f"{where}.parents")
    if kind.name in _groups_above(kind, catalogue):
        yield Problem("is a group of itself", f"{where}.parents")


def _groups_above(kind: Kind, catalogue: Catalogue) -> set[str]:
    return groups_above(kind.name, {entry.name: entry.parents for entry in catalogue})


def _silence_of_kind(kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    if kind.silence is None:
        return
    if not any(kind.name in other.components.values() for other in catalogue):
        yield Problem("only a component of a composite kind has a silence", f"{where}.silence")
    yield from _value_of(kind.silence, kind.value, kind.values, catalogue, f"{where}.silence")


def _policies(kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    """What only makes sense for records that are themselves the fact."""
    for name, is_set in (
        ("absence", kind.absence == ASSUMABLE),
        ("attested", kind.attested),
        ("suspected_counts", kind.suspected_counts),
        ("negative", kind.negative == "day"),
    ):
        if is_set and kind.value != NONE:
            yield Problem("holds only for a kind whose value is none", f"{where}.{name}")
    for name, is_set in (("planned", kind.planned), ("lasts_at_most", kind.lasts_at_most is not None)):
        if is_set and (kind.extent != STATE or kind.value != NONE):
            yield Problem("holds only for a state without a value", f"{where}.{name}")
    if kind.planned_as:
        yield from check_names([kind.planned_as], catalogue.kinds, "kind", f"{where}.planned_as")
        if kind.planned_as in catalogue.kinds and not catalogue.kinds[kind.planned_as].planned:
            yield Problem(f"{kind.planned_as} is not a kind that says what is planned", f"{where}.planned_as")
    if kind.lasts_at_most is not None and kind.lasts_at_most < 1:
        yield Problem("is a number of days, at least 1", f"{where}.lasts_at_most")
    if kind.attested and kind.absence != NEVER:
        yield Problem("what a person must attest is never assumed", f"{where}.absence")
    if kind.supersedes and kind.supersedes not in kind.attributes:
        yield Problem(f"names no attribute of {kind.name}", f"{where}.supersedes")
    if not kind.question.strip():
        yield Problem("every kind has a question", f"{where}.question")


def _judgement(kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    """Whose records an attestation judges: kinds there are, narrowed by codes of theirs."""
    if kind.speaks_of and (not kind.attested or kind.extent != STATE):
        yield Problem("only an attestation, which is a state, judges records", f"{where}.speaks_of")
    if kind.stays and not kind.speaks_of:
        yield Problem("holds only for a kind that speaks of others", f"{where}.stays")
    yield from check_names([kind.stays] if kind.stays else [], (YES, NO), "answer", f"{where}.stays")
    if any(judged.kind == kind.name for judged in kind.judges):
        yield Problem("an attestation does not judge itself", f"{where}.speaks_of")
    yield from _named(kind.judges, catalogue, f"{where}.speaks_of")


def _reopened(kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    """Which records open the question of a kind anew, if it can be denied and a "no" of it holds on later days."""
    if kind.reopened_by and (kind.value != NONE or kind.components or kind.extent == STATE):
        yield Problem('only a kind that is there or not, and is no state, has a "no" to end', f"{where}.reopened_by")
    if any(opened.kind == kind.name for opened in kind.opened_anew_by):
        yield Problem('a record of the kind itself ends a "no" as it is', f"{where}.reopened_by")
    yield from _named(kind.opened_anew_by, catalogue, f"{where}.reopened_by")


def _named(records: Iterable[Judged], catalogue: Catalogue, where: str) -> Iterator[Problem]:
    """Records that a kind names: of kinds there are, narrowed by codes of theirs."""
    for judged in records:
        yield from check_names([judged.kind], catalogue.kinds, "kind", where)
        for name, code in judged.codes if judged.kind in catalogue.kinds else ():
            yield from _told_by(name, code, catalogue.kinds[judged.kind], catalogue, where)


def _told_by(name: str, code: str, kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    """A code of the value of a kind, or of one of its attributes."""
    attribute = _attributes_of(kind, catalogue).get(name)
    told_by = kind if name == "value" else attribute
    type_ = kind.value if name == "value" else attribute.type if attribute is not None else ""
    if told_by is None or type_ not in (CODE, ORDERED, BOOLEAN):
        yield Problem(f"{name!r} is no attribute of {kind.name} that has codes, nor its value", where)
    else:
        yield from _value_of(code, type_, told_by.values, catalogue, where)


def _attribute(attribute: Attribute, kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    yield from _field_name(attribute.name, where)
    if attribute.name in kind.components:
        yield Problem("is the name of a component as well", where)
    if attribute.type not in ATTRIBUTE_TYPES:
        yield from check_names([attribute.type], ATTRIBUTE_TYPES, "type", f"{where}.type")
        return
    yield from _values(attribute.type, attribute.values, catalogue, where)
    if (attribute.type == QUANTITY) != bool(attribute.unit):
        yield Problem("a quantity has a unit, anything else none", f"{where}.unit")
    elif attribute.unit:
        yield from _unit(attribute.unit, f"{where}.unit")
    if attribute.silence is not None:
        place = f"{where}.silence"
        yield from _value_of(attribute.silence, attribute.type, attribute.values, catalogue, place)
    if attribute.present and (kind.extent != PERIOD or attribute.type not in (CODE, ORDERED, BOOLEAN)):
        yield Problem("only a code of a kind that lasts can be how it is at present", f"{where}.present")
    for text in attribute.rules_out:
        yield from _ruled_out(text, kind, catalogue, f"{where}.rules_out")
    for text in attribute.contradicts:
        own, _, other = text.partition(" with ")
        yield from _value_of(own, attribute.type, attribute.values, catalogue, f"{where}.contradicts")
        yield from _ruled_out(other, kind, catalogue, f"{where}.contradicts")


def _ruled_out(text: str, kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    name, _, code = text.partition("=")
    other = catalogue.attribute(kind.name, name)
    if other is None or other.type not in (CODE, ORDERED, BOOLEAN):
        yield Problem(f"{name!r} is no attribute of {kind.name} that has codes; write ATTRIBUTE=CODE", where)
    else:
        yield from _value_of(code, other.type, other.values, catalogue, where)


def _field_name(name: str, where: str) -> Iterator[Problem]:
    if not NAME.fullmatch(name):
        yield Problem("is named in small letters, digits and underscores", where)
    if name in RESERVED_FIELDS:
        yield Problem(f"{name!r} has a meaning of its own in patient files and rules", where)


def _composite(kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    if not kind.components:
        if kind.identifying:
            yield Problem("only a kind with components has identifying ones", f"{where}.identifying")
        return
    if kind.value != NONE:
        yield Problem("a composite kind has components and no value of its own", f"{where}.value")
    yield from check_names(kind.components.values(), catalogue.kinds, "kind", f"{where}.components")
    yield from check_names(kind.identifying, kind.components, "component", f"{where}.identifying")
    if not kind.identifying:
        yield Problem("says which components make such a record", f"{where}.identifying")
    for name, part in kind.components.items():
        yield from _field_name(name, f"{where}.components.{name}")
        entry = catalogue.kinds.get(part)
        if entry is not None and not entry.measured:
            yield Problem(f"{part} has no value and cannot be a component", f"{where}.components.{name}")


def _shared_components(catalogue: Catalogue) -> Iterator[Problem]:
    """A kind belongs to one composite, or single results could not be put together again."""
    owner: dict[str, str] = {}
    for kind in catalogue:
        for part in kind.components.values():
            if owner.setdefault(part, kind.name) != kind.name:
                where = f"kind.{kind.name}.components"
                yield Problem(f"{part} is a component of {owner[part]} as well", where)


def _derivation(derivation: Derivation, kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    """A formula of a number, over numbers it can find."""
    if kind.value not in (QUANTITY, COUNT):
        yield Problem("only a number is computed", where)
    of = catalogue.kinds.get(derivation.of)
    if of is None:
        yield from check_names([derivation.of], catalogue.kinds, "kind", f"{where}.of")
        return
    yield from check_names(derivation.inputs.values(), catalogue.kinds, "kind", f"{where}.inputs")
    found = {**(of.components or {of.name: of.name}), **derivation.inputs}
    for name in derivation.inputs:
        if name in (AGE, SEX_FACTOR, *of.components, of.name):
            yield Problem(f"{name} has a meaning already", f"{where}.inputs")
    try:
        names = parse_formula(derivation.formula).names
    except OnstudyError as error:
        yield Problem(str(error), f"{where}.formula")
        return
    for name in sorted(names - {AGE, SEX_FACTOR}):
        entry = catalogue.kinds.get(found.get(name, ""))
        if name not in found:
            yield Problem(f"{name!r} is no input of the formula{nearest(name, found)}", f"{where}.formula")
        elif entry is not None and entry.value not in (QUANTITY, COUNT):
            yield Problem(f"{name!r} is no number", f"{where}.formula")
    if not names & set(found) - set(derivation.inputs):
        yield Problem(f"uses nothing of {of.name}", f"{where}.formula")
    for name in sorted(set(derivation.inputs) - names):
        yield Problem(f"{name!r} is not used by the formula", f"{where}.inputs")


def _said_by_code(use: CodeUse, kind: Kind, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    place = f"{where}.codes"
    if use.value is not None:
        if kind.value not in (CODE, ORDERED):
            yield Problem(f"{use.code.code}: {kind.name} has no value that a code could state", place)
        else:
            yield from _value_of(use.value, kind.value, kind.values, catalogue, place)
    if (use.negative or use.history) and kind.value != NONE:
        yield Problem(f"{use.code.code}: only the code of a presence says no or before", place)
    attributes = _attributes_of(kind, catalogue)
    yield from check_names(use.sets, attributes, "attribute", place)
    for name, value in use.sets.items():
        if name in attributes:
            attribute = attributes[name]
            yield from _value_of(value, attribute.type, attribute.values, catalogue, place)


def _attributes_of(kind: Kind, catalogue: Catalogue) -> dict[str, Attribute]:
    """Own and inherited attributes, also where a wrong group would stop `Catalogue.attributes`."""
    ups = [catalogue.kinds[up] for up in sorted(_groups_above(kind, catalogue)) if up in catalogue.kinds]
    return {name: a for entry in (*ups, kind) for name, a in entry.attributes.items()}


def _ordered_set(values: ValueSet | None) -> bool:
    return values is not None and not values.open and not any(m.parents for m in values.members.values())


def _value_of(text: str, type_: str, values: str, catalogue: Catalogue, where: str) -> Iterator[Problem]:
    """Whether a written value is one of the type: a member, yes or no, a number."""
    if type_ in (CODE, ORDERED, BOOLEAN):
        known = catalogue.value_sets.get(values)
        if known is not None:
            yield from check_names([text], known.universe, f"{values} named", where)
    elif type_ in (QUANTITY, COUNT):
        if not re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", text):
            yield Problem(f"{text!r} is no number", where)
    else:
        yield Problem(f"a value of type {type_} cannot be stated here", where)
