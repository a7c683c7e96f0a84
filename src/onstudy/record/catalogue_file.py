"""Reads catalogue.toml and the mapping files of sites; all problems of a file are shown together.

Reading TOML takes several times as long as all that comes after it, so what the shipped file says is kept as
JSON beside it too, under the checksum of the TOML: `python -m onstudy.record.catalogue_file` writes it anew.
Where the checksum does not fit, the TOML is read.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onstudy.errors import InvalidFile, Problem, nearest
from onstudy.record.catalogue import (
    BOOLEAN,
    HISTORY,
    MOMENT,
    NEVER,
    Attribute,
    Catalogue,
    CodeUse,
    Derivation,
    Kind,
    Member,
    ValueSet,
)
from onstudy.record.plain import read_plain
from onstudy.record.toml_entry import Entry, placed
from onstudy.values.codes import ONSTUDY, Code, canonical_system
from onstudy.values.units import normalise_unit

#: The status of codes that are the project's or a site's own.
OWN = "own"


def read_catalogue(path: Path, check: bool = True) -> Catalogue:
    """The catalogue a file describes. Raises `InvalidFile` with everything that is wrong in it.

    `check=False` leaves out what only a changed file needs: that names refer to something, that codes have
    their check digits, units a meaning and formulas their inputs.
    """
    raw, text = _read(path, compiled=not check)
    problems: list[Problem] = []
    entry = Entry(raw, "", problems)
    version = entry.text("version", required=True)
    systems = _systems(entry)
    value_sets = {name: _value_set(name, part, systems) for name, part in entry.entries("value_set")}
    kinds = {name: _kind(name, part, systems) for name, part in entry.entries("kind")}
    entry.finish()
    catalogue = Catalogue(version, kinds, value_sets)
    if check:
        from onstudy.record.catalogue_checks import check_catalogue

        problems.extend(check_catalogue(catalogue))
    if problems:
        raise InvalidFile(placed(problems, path, text))
    return catalogue


def extend(catalogue: Catalogue, path: Path) -> Catalogue:
    """The catalogue with the codes, units and spellings of a site's mapping file; always checked.

    The file may hold `[systems]`, `[kind.NAME]` with `codes`, `units` and `synonyms` of a kind there is,
    `[value_set.SET.member.NAME]` with `codes` and `synonyms` of a member there is, and `[unit_spellings]`.
    A code of two parts, system and code, is the site's own. Raises `InvalidFile` with all that is wrong.
    """
    from onstudy.record.catalogue_checks import check_catalogue, check_spellings

    raw, text = _read(path, compiled=False)
    problems: list[Problem] = []
    entry = Entry(raw, "", problems)
    systems = _more_systems(entry, problems)
    kinds = dict(catalogue.kinds)
    for name, part in entry.entries("kind"):
        if part.known(name, kinds, "kind"):
            kinds[name] = _more_of_kind(kinds[name], part, systems)
    value_sets = dict(catalogue.value_sets)
    for name, part in entry.entries("value_set"):
        if part.known(name, value_sets, "value set"):
            value_sets[name] = _more_of_value_set(value_sets[name], part, systems)
    spellings = entry.mapping("unit_spellings")
    entry.finish()
    merged = replace(
        catalogue,
        kinds=kinds,
        value_sets=value_sets,
        unit_spellings={**catalogue.unit_spellings, **_as_read(spellings)},
    )
    problems.extend(check_spellings(spellings))
    problems.extend(check_catalogue(merged))
    if problems:
        raise InvalidFile(placed(problems, path, text))
    return merged


def _as_read(spellings: Mapping[str, str]) -> dict[str, str]:
    """Each spelling as it is written and as readers hold it, without spaces."""
    return {spelling: unit for written, unit in spellings.items() for spelling in (written, normalise_unit(written))}


# The file itself ------------------------------------------------------------------------------------


def _read(path: Path, compiled: bool) -> tuple[dict[str, Any], str]:
    """What a TOML file says, from the JSON beside it where that is asked for and fits; and its text."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidFile([Problem(f"cannot be read: {error.strerror or error}", str(path))]) from None
    if compiled:
        raw = _from_json(path, data)
        if raw is not None:
            return raw, ""
    import tomllib  # not at the top: the shipped catalogue is read without it

    try:
        text = data.decode("utf-8")
        return tomllib.loads(text), text
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidFile([Problem(f"is not valid TOML: {error}", str(path))]) from None


def _from_json(path: Path, data: bytes) -> dict[str, Any] | None:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    try:
        kept = json.loads(beside.read_bytes())
    except (OSError, ValueError):
        return None  # the TOML says the same, only more slowly
    fits = isinstance(kept, dict) and kept.get("toml") == _fingerprint(data)
    return kept["catalogue"] if fits else None


def _fingerprint(data: bytes) -> str:
    """Length and checksum of a file's content, the same whatever line ends a checkout gave it."""
    plain = data.replace(b"\r\n", b"\n")
    return f"{len(plain)}-{zlib.crc32(plain):08x}"


def compiled_text(path: Path) -> str:
    """The JSON that belongs beside a catalogue's TOML."""
    raw, _ = _read(path, compiled=False)
    kept = {"toml": _fingerprint(path.read_bytes()), "catalogue": raw}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")) + "\n"


# What the tables say --------------------------------------------------------------------------------

_SYSTEMS = {name: canonical_system(name) for name in ("loinc", "snomed", "icd10cm", "rxnorm", "atc")}


def _systems(entry: Entry) -> dict[str, str]:
    return {name: canonical_system(uri) for name, uri in entry.mapping("systems").items()}


def _more_systems(entry: Entry, problems: list[Problem]) -> dict[str, str]:
    """The systems of the catalogue and those of a site, which never give one of these names another meaning."""
    more = _systems(entry)
    for name, uri in more.items():
        if _SYSTEMS.get(name, uri) != uri:
            problems.append(Problem(f"{name} is {_SYSTEMS[name]} here; choose another name", f"systems.{name}"))
    return more | _SYSTEMS


def _value_set(name: str, entry: Entry, systems: Mapping[str, str]) -> ValueSet:
    return ValueSet(
        name,
        entry.text("label", required=True),
        {key: _member(key, part, systems) for key, part in entry.entries("member")},
        entry.flag("open"),
    )


def _member(name: str, entry: Entry, systems: Mapping[str, str]) -> Member:
    return Member(
        name,
        entry.text("label", name.replace("_", " ")),
        entry.texts("parents"),
        (*_codes(entry, systems), _own(name)),
        entry.texts("synonyms"),
    )


def _kind(name: str, entry: Entry, systems: Mapping[str, str]) -> Kind:
    """A kind with every field of the file; what a field means stands in docs/kinds.md."""
    return Kind(
        name=name,
        label=entry.text("label", required=True),
        topic=entry.text("topic", required=True),
        value=entry.text("value", required=True),
        extent=entry.text("extent", MOMENT),
        unit=entry.text("unit"),
        units=entry.texts("units"),
        molar_mass=entry.number("molar_mass"),
        values=entry.text("values"),
        codes=(*_codes(entry, systems), _own(name)),
        attributes={key: _attribute(key, part) for key, part in entry.entries("attributes")},
        components=entry.mapping("components"),
        identifying=entry.texts("identifying"),
        parents=entry.texts("parents"),
        derive=_derivations(entry),
        absence=entry.text("absence", NEVER),
        negative=entry.text("negative", HISTORY),
        by_study=entry.flag("by_study"),
        attested=entry.flag("attested"),
        suspected_counts=entry.flag("suspected_counts"),
        silence=entry.optional("silence"),
        planned=entry.flag("planned"),
        planned_as=entry.text("planned_as"),
        lasts_at_most=_days(entry, "lasts_at_most"),
        speaks_of=entry.texts("speaks_of"),
        stays=entry.text("stays"),
        reopened_by=entry.texts("reopened_by"),
        supersedes=entry.text("supersedes"),
        plausible=entry.pair("plausible"),
        of_sex=entry.text("of_sex"),
        specimens=entry.texts("specimens"),
        elsewhere=entry.mapping("elsewhere"),
        question=entry.text("question", required=True),
        plain=read_plain(entry),
        synonyms=entry.texts("synonyms"),
        note=entry.text("note"),
    )


def _days(entry: Entry, name: str) -> int | None:
    days = entry.number(name)
    return None if days is None else int(days)


def _attribute(name: str, entry: Entry) -> Attribute:
    type_ = entry.text("type", required=True)
    return Attribute(
        name,
        entry.text("label", name.replace("_", " ")),
        type_,
        entry.text("values", "yes_no" if type_ == BOOLEAN else ""),
        entry.text("unit"),
        entry.optional("silence"),
        entry.text("question"),
        entry.texts("rules_out"),
        entry.texts("contradicts"),
        entry.flag("present"),
    )


def _derivations(entry: Entry) -> tuple[Derivation, ...]:
    found = []
    for place, raw in enumerate(entry.items("derive")):
        part = Entry(raw, f"{entry.where}.derive[{place}]", entry.problems)
        of, formula = part.text("of", required=True), part.text("formula", required=True)
        found.append(Derivation(of, formula, part.mapping("inputs"), part.text("source", required=True)))
        part.finish()
    return tuple(found)


def _own(name: str) -> CodeUse:
    return CodeUse(Code(ONSTUDY, name), OWN)


def _codes(entry: Entry, systems: Mapping[str, str], site: bool = False) -> tuple[CodeUse, ...]:
    found = []
    for place, raw in enumerate(entry.items("codes")):
        where = f"{entry.where}.codes[{place}]"
        plain = _plain_code(raw, systems, site)
        use = plain if plain is not None else _spoken_code(raw, where, systems, site, entry.problems)
        if use is not None:
            found.append(use)
    return tuple(found)


def _plain_code(raw: Any, systems: Mapping[str, str], site: bool) -> CodeUse | None:
    """A code written as [system, code, status] with a system that is known; None for anything else."""
    if not isinstance(raw, list) or not all(isinstance(part, str) for part in raw):
        return None
    if len(raw) == 2 and site:
        raw = [*raw, OWN]
    if len(raw) != 3 or raw[0] not in systems:
        return None
    return CodeUse(Code(systems[raw[0]], raw[1]), raw[2])


def _spoken_code(
    raw: Any, where: str, systems: Mapping[str, str], site: bool, problems: list[Problem]
) -> CodeUse | None:
    """A code written as a table, or the problem of one that is neither."""
    if isinstance(raw, list) and len(raw) in (2, 3) and all(isinstance(part, str) for part in raw):
        raw = dict(zip(("system", "code", "status"), raw, strict=False))
    elif not isinstance(raw, dict):
        problems.append(Problem("a code is [system, code, status] or a table of these", where))
        return None
    entry = Entry(raw, where, problems)
    system, code = entry.text("system", required=True), entry.text("code", required=True)
    status = entry.text("status", OWN if site else "", required=not site)
    value, negative, history = entry.optional("value"), entry.flag("negative"), entry.flag("history")
    sets = entry.mapping("set")
    entry.finish()
    if system not in systems:
        if system:
            entry.report(f"{system!r} is not in [systems]{nearest(system, systems)}", "system")
        return None
    return CodeUse(Code(systems[system], code), status, value, sets, negative, history)


# What a site adds -----------------------------------------------------------------------------------


def _more_of_kind(kind: Kind, entry: Entry, systems: Mapping[str, str]) -> Kind:
    return replace(
        kind,
        codes=kind.codes + _codes(entry, systems, site=True),
        units=kind.units + entry.texts("units"),
        synonyms=kind.synonyms + entry.texts("synonyms"),
    )


def _more_of_value_set(values: ValueSet, entry: Entry, systems: Mapping[str, str]) -> ValueSet:
    members = dict(values.members)
    for name, part in entry.entries("member"):
        if part.known(name, members, f"member of {values.name}"):
            member = members[name]
            members[name] = replace(
                member,
                codes=member.codes + _codes(part, systems, site=True),
                synonyms=member.synonyms + part.texts("synonyms"),
            )
    return ValueSet(values.name, values.label, members, values.open)


if __name__ == "__main__":
    shipped = Path(__file__).with_name("catalogue.toml")
    shipped.with_suffix(".json").write_text(compiled_text(shipped), encoding="utf-8")
