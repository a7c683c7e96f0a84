"""The patient file: YAML that a person can write by hand (docs/formats.md), one or several patients.

Every scalar stays the text that was written, so `no`, `2026-03` and `007` mean what they say.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from onstudy.errors import AMONG_MANY, InvalidFile, Problem, nearest
from onstudy.readers.dates import read_when
from onstudy.readers.reading import clip, plain
from onstudy.readers.source import Content, refuse
from onstudy.readers.statement import Statement, Written
from onstudy.record.assemble import make_patient
from onstudy.record.catalogue import Catalogue
from onstudy.record.checks import TEST_DATA
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.values.calendar import UNDATED, DateError, When
from onstudy.yamltext import Node, read_yaml

KEYS = ("patient", "born", "sex", "complete", "facts", "test_data")
#: What the keys are called elsewhere: nearest in meaning, and far in letters.
_CALLED = {
    **dict.fromkeys(("birth date", "birthdate", "birthday", "date of birth", "dateofbirth", "dob"), "born"),
    **dict.fromkeys(("gender", "administrative sex", "birth sex"), "sex"),
    **dict.fromkeys(("id", "patient id", "mrn", "identifier", "subject", "name"), "patient"),
    **dict.fromkeys(("coverage", "covered"), "complete"),
    **dict.fromkeys(("records", "observations", "events"), "facts"),
}
_COVERAGE_KEYS = ("kind", "kinds", "from", "to")
_UNKNOWN_FORMAT = (
    "is no format known here: FHIR R4 (JSON, NDJSON), CSV with a column `kind`, "
    f"or a patient file with the keys {', '.join(KEYS)}"
)
_LIKELY = re.compile(rf"^(?:{'|'.join(KEYS)}|patients)\s*:", re.MULTILINE)
_NULLS = ("", "~", "null")
#: How the problem of a file begins that does not say whose facts it holds.
UNNAMED = "no patient is named"


class Located(dict[str, "Written"]):
    """A mapping that knows the line it was written in, and those of its keys."""

    line: int | None = None
    lines: Mapping[str, int] = {}


def read_patient_file(content: Content, catalogue: Catalogue) -> list[Patient]:
    """All patients of a patient file. Raises `InvalidFile` where it is no such file."""
    patients = [patient_from(entry, content.name, catalogue) for entry in written_patients(content)]
    if not patients:
        raise refuse(content.path, "holds no patient")
    return patients


def written_patients(content: Content) -> list[Located]:
    """The patients of a patient file as they are written. Raises `InvalidFile` where it is no such file."""
    found: list[Located] = []
    for node in _documents(content):
        if node.text is not None and node.text.strip() in _NULLS:
            continue
        for entry in _entries(_located(node)):
            if not isinstance(entry, Located) or not set(KEYS) & set(entry):
                raise refuse(
                    f"{content.path}:{getattr(entry, 'line', None) or node.line}",
                    _UNKNOWN_FORMAT,
                )
            found.append(entry)
    return found


def _documents(content: Content) -> list[Node]:
    try:
        return read_yaml(content.text, content.path)
    except InvalidFile:
        if _LIKELY.search(content.text):
            raise
        raise refuse(content.path, _UNKNOWN_FORMAT) from None


def _entries(document: Written) -> list[Written]:
    several = document.get("patients") if isinstance(document, dict) else None
    return several if isinstance(several, list) else [document]


def _located(node: Node) -> Written:
    if node.text is not None:
        return None if node.text.strip() in _NULLS else node.text
    if isinstance(node.value, list):
        return [_located(item) for item in node.items]
    found = Located((key, _located(item)) for key, item in node.mapping.items())
    found.line, found.lines = node.line, {key: line for key, (line, _) in node.keys.items()}
    return found


def as_written(value: object) -> Written:
    """Plain data of any YAML or JSON library as text: yes and no for booleans, ISO dates, None for blanks."""
    if value is None or isinstance(value, str):
        return None if value is None or value.strip() in _NULLS else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        found = Located((str(key), as_written(item)) for key, item in value.items())
        found.line = getattr(value, "line", None)
        return found
    if isinstance(value, list | tuple):
        return [as_written(item) for item in value]
    iso = getattr(value, "isoformat", None)
    return str(iso()) if callable(iso) else str(value)


# From plain data to a patient ---------------------------------------------------------------------------


def patient_from(entry: Mapping[str, object], name: str, catalogue: Catalogue) -> Patient:
    """The patient that one mapping of a patient file describes; `name` says where it stands."""
    written = entry if isinstance(entry, Located) else as_written(entry)
    assert isinstance(written, dict)
    problems = [
        Problem(f"{clip(key, 60)!r} is no part of a patient{_meant(key)}", _at(written, name, key), True)
        for key in written
        if key not in KEYS and key != "patients"
    ]
    patient_id = clip(_word(written, "patient", name, problems))
    if not patient_id:
        patient_id = clip(Path(name).stem) or "patient"
        problems.append(Problem(f"{UNNAMED}; called {clip(patient_id, 60)!r} here", name, True))
    _note_test_data(written, name, problems)
    withdrawn: list[str] = []
    facts = facts_from(written.get("facts"), name, catalogue, problems, withdrawn)
    patient = make_patient(
        patient_id,
        _born(written, name, problems),
        _word(written, "sex", name, problems),
        facts,
        coverage_from(written.get("complete"), name, catalogue, problems),
        problems,
        catalogue,
    )
    return replace(patient, withdrawn=tuple(withdrawn)) if withdrawn else patient


def _meant(key: str) -> str:
    """The key that another word stands for in other forms of a record, else the nearest one."""
    known = _CALLED.get(plain(key))
    return f"; did you mean {known}?" if known else nearest(key.lower(), KEYS)


def _at(entry: Mapping[str, Written], name: str, key: str = "") -> str:
    """Where a mapping, or one key of it, stands."""
    line = entry.lines.get(key, entry.line) if isinstance(entry, Located) else None
    return name if line is None else f"{name}:{line}"


def _word(entry: Mapping[str, Written], key: str, name: str, problems: list[Problem]) -> str:
    value = entry.get(key)
    if value is None or isinstance(value, str):
        return (value or "").strip()
    problems.append(Problem(f"{key} is a list or a mapping where one word is expected", _at(entry, name, key)))
    return ""


def _note_test_data(entry: Mapping[str, Written], name: str, problems: list[Problem]) -> None:
    said, where = _word(entry, "test_data", name, problems), _at(entry, name, "test_data")
    if said == "yes":
        problems.append(Problem(TEST_DATA, where, True))
    elif said not in ("", "no"):
        problems.append(Problem("test_data is yes or no", where, True))


def _born(entry: Mapping[str, Written], name: str, problems: list[Problem]) -> When:
    text = _word(entry, "born", name, problems)
    try:
        return read_when(text) if text else UNDATED
    except DateError as error:
        problems.append(Problem(f"born {error}", _at(entry, name, "born")))
        return UNDATED


def facts_from(
    written: object, name: str, catalogue: Catalogue, problems: list[Problem], withdrawn: list[str]
) -> list[Fact]:
    """The facts of a list of written ones; what is wrong is added to `problems`, the others still load. The ids of
    those that were entered in error are added to `withdrawn`.
    """
    entries = as_written(written) if not isinstance(written, list) else written
    if entries is None:
        return []
    if not isinstance(entries, list):
        problems.append(Problem("facts is a list, one entry a fact", name))
        return []
    facts: list[Fact] = []
    for number, entry in enumerate(entries):
        label = f"facts[{number}]"
        plain_entry = entry if isinstance(entry, Located) else as_written(entry)
        if not isinstance(plain_entry, dict):
            example = "{kind: ecog, on: 2026-03-14, value: 1}"
            problems.append(Problem(f"a fact is a mapping such as {example}", f"{name} {label}"))
            continue
        where = f"{_at(plain_entry, name)} {label}"
        statement = Statement(plain_entry, catalogue, where, own_id(label, plain_entry))
        facts += statement.facts()
        problems.extend(statement.problems)
        withdrawn += [statement.withdrawn] if statement.withdrawn else []
    return facts


def own_id(label: str, content: object) -> str:
    """An id for what has none: its place, and a checksum, so that another file's same place is another id."""
    return f"{label}#{zlib.crc32(repr(content).encode('utf-8', 'surrogatepass')):08x}"


# What is completely recorded -------------------------------------------------------------------------------


def coverage_from(written: object, name: str, catalogue: Catalogue, problems: list[Problem]) -> list[Coverage]:
    """What `complete` declares: kinds, or all, each with the days it is completely recorded over.

    A list of kinds and of `{kind: K, from: DATE, to: DATE}`; a mapping `{kinds: all, from: DATE}`; or
    text such as `all, from DATE, to DATE`. What cannot be read covers nothing.
    """
    entry = as_written(written)
    found: list[Coverage] = []
    for item in entry if isinstance(entry, list) else [entry]:
        if item is None:
            continue
        stretch = _stretch_of_text(item) if isinstance(item, str) else item
        if isinstance(stretch, dict):
            found.extend(_covered(stretch, name, catalogue, problems))
        else:
            problems.append(Problem("complete names kinds, or all, from and to a date", f"{name} complete"))
    return found


def _stretch_of_text(text: str) -> dict[str, Written]:
    """`all, from 2015-01-01` as the mapping it stands for."""
    kind, *rest = text.split(",")
    found: dict[str, Written] = {"kinds": kind.strip()}
    for piece in rest:
        key, _, value = piece.strip().partition(" ")
        found[key] = value.strip()
    return found


def _covered(entry: dict[str, Written], name: str, catalogue: Catalogue, problems: list[Problem]) -> Iterator[Coverage]:
    place = f"{_at(entry, name)} complete"
    wrong = [key for key in entry if key not in _COVERAGE_KEYS]
    first = _bound(entry, "from", wrong)
    last = _bound(entry, "to", wrong)
    if first is not None and last is not None and first > last:
        wrong.append("from and to")
    if wrong:
        names = ", ".join(clip(word, 40) for word in wrong)
        problems.append(Problem(f"{names} is not understood: nothing is taken as complete", place))
        return
    kinds = entry.get("kinds", entry.get("kind"))
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        word = plain(kind).replace(" ", "_") if isinstance(kind, str) else ""
        if word == "all" or word in catalogue.kinds:
            yield Coverage(word, first, last, place)
        else:
            near = nearest(word, catalogue.kinds, AMONG_MANY)
            problems.append(Problem(f"there is no kind {clip(word, 60)!r}{near}", place))


def _bound(entry: dict[str, Written], key: str, wrong: list[str]) -> int | None:
    """The first or last day of a stretch; what cannot be read is added to `wrong`."""
    text = entry.get(key)
    if text is None:
        return None
    try:
        when = read_when(text if isinstance(text, str) else "")
    except DateError:
        wrong.append(key)
        return None
    bound = when.days.low if key == "from" else when.days.high
    return None if bound is None else int(bound)
