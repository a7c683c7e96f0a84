"""CSV: one fact a row, the columns named as the keys of a patient file (docs/formats.md).

`kind` is required; `patient` says whose fact it is. Rows of the kinds `born` and `sex` describe the patient,
rows of the kind `complete` declare what is completely recorded. A blank cell says nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from onstudy.errors import Problem, nearest
from onstudy.readers.dates import read_when
from onstudy.readers.patientfile import coverage_from, own_id
from onstudy.readers.reading import clip
from onstudy.readers.source import Content, refuse
from onstudy.readers.statement import KEYS, Statement, Written
from onstudy.record.assemble import make_patient
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.values.calendar import UNDATED, DateError, When

PATIENT, KIND, BORN, SEX, COMPLETE = "patient", "kind", "born", "sex", "complete"
_DELIMITERS = ",;\t"


@dataclass
class _Gathered:
    """One patient's rows, read."""

    born: When = UNDATED
    sex: str = ""
    facts: list[Fact] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)


#: What a row states, beside the place it stands at.
Row = tuple[str, dict[str, Written]]


@dataclass
class Statements:
    """The rows of a file by the patient they are about, and what is wrong with the file itself."""

    people: dict[str, list[Row]] = field(default_factory=dict)
    loose: list[Problem] = field(default_factory=list)


def read_csv(content: Content, catalogue: Catalogue) -> list[Patient]:
    """All patients of a CSV file. Raises `InvalidFile` where it has no usable header or nobody in it."""
    found = statements_of(content, catalogue)
    if not found.people:
        raise refuse(content.path, "holds no patient")
    return [patient_of_rows(name, rows, found.loose, catalogue) for name, rows in found.people.items()]


def statements_of(content: Content, catalogue: Catalogue) -> Statements:
    """The rows of a CSV file, each patient's in their order. Raises `InvalidFile` where it has no usable header."""
    rows = _rows(content)
    header = _header(content, rows, catalogue)
    unknown = dict(_unknown_columns(header, catalogue))
    found = Statements()
    found.loose += [
        Problem(f"the column {clip(name, 40)!r} is not read{near}", f"{content.name}:1", True)
        for name, near in unknown.items()
    ]
    # A column that looks misspelt stays: a row that fills it is not wholly understood, and says so.
    ignored = {name for name, near in unknown.items() if not near}
    for line, cells, fault in rows:
        where = f"{content.name}:{line}"
        if fault or len(cells) > len(header):
            found.loose.append(Problem(fault or "the row has more cells than the header", where))
            continue
        entry: dict[str, Written] = {
            key: cell.strip()
            for key, cell in zip(header, cells, strict=False)
            if key and key not in ignored and cell.strip()
        }
        if not entry:
            continue
        named = entry.pop(PATIENT, None) if PATIENT in header else Path(content.name).stem
        name = clip(named) if isinstance(named, str) else ""
        if not name:
            found.loose.append(Problem("the row names no patient", where))
            continue
        found.people.setdefault(name, []).append((where, entry))
    return found


def patient_of_rows(name: str, rows: Iterable[Row], loose: Sequence[Problem], catalogue: Catalogue) -> Patient:
    """The patient that rows are about; `loose` are problems of the file they stand in."""
    gathered = _Gathered()
    for where, entry in rows:
        _take(gathered, entry, where, catalogue)
    problems = [*loose, *gathered.problems]
    born, sex = gathered.born, gathered.sex
    patient = make_patient(name, born, sex, gathered.facts, gathered.coverage, problems, catalogue)
    return replace(patient, withdrawn=tuple(gathered.withdrawn)) if gathered.withdrawn else patient


def delimiter_of(text: str) -> str:
    """What stands between the cells of a CSV file, told by its header: commas, semicolons (Excel in Europe) or tabs."""
    first = text.lstrip("\n\r").split("\n", 1)[0]
    return max(_DELIMITERS, key=first.count)


def _rows(content: Content) -> Iterator[tuple[int, list[str], str]]:
    """Line, cells and fault of each row; a row the csv module cannot read is a fault, not an end."""
    reader = csv.reader(io.StringIO(content.text, newline=""), delimiter=delimiter_of(content.text), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                what = f"line {line}: a quotation mark is opened and never closed, so the file is cut off"
                raise refuse(content.path, what) from None
            yield line, [], "the row is no valid CSV"
        else:
            yield line, cells, ""


def _header(content: Content, rows: Iterator[tuple[int, list[str], str]], catalogue: Catalogue) -> list[str]:
    for _, cells, fault in rows:
        if fault:
            break
        header = [cell.strip().lower() for cell in cells]
        if any(header):
            doubled = sorted({name for name in header if name and header.count(name) > 1})
            if doubled:
                raise refuse(content.path, f"the column {clip(doubled[0], 40)!r} is there twice")
            return header
    raise refuse(content.path, "has no header that can be read; it names the columns, `kind` among them")


def _unknown_columns(header: list[str], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    known = {PATIENT, *KEYS}
    for kind in catalogue:
        known.update(catalogue.attributes(kind.name), kind.components)
    for name in header:
        if name in (BORN, SEX, COMPLETE):
            yield name, f"; say it in a row of its own, with the kind {name}"
        elif name and name not in known:
            yield name, nearest(name.lower(), sorted(known))


def _take(person: _Gathered, entry: dict[str, Written], where: str, catalogue: Catalogue) -> None:
    """Add what one row says to the patient."""
    kind, value = entry.get(KIND), entry.get("value")
    text = value if isinstance(value, str) else ""
    if kind == BORN:
        on = entry.get("on")
        _born(person, text or (on if isinstance(on, str) else ""), where)
    elif kind == SEX and "on" not in entry:
        if person.sex not in ("", text):
            person.problems.append(Problem("another sex is stated here: the first counts", where))
        person.sex = person.sex or text
    elif kind == COMPLETE:
        stretch = {"kind": text, "from": entry.get("from"), "to": entry.get("to")}
        person.coverage.extend(coverage_from([stretch], where, catalogue, person.problems))
    else:
        statement = Statement(entry, catalogue, where, own_id("row", entry), own=False)
        person.facts += statement.facts()
        person.problems.extend(statement.problems)
        person.withdrawn += [statement.withdrawn] if statement.withdrawn else []


def _born(person: _Gathered, text: str, where: str) -> None:
    try:
        born = read_when(text)
    except DateError as error:
        person.problems.append(Problem(f"born {error}", where))
        return
    if person.born.known and person.born != born:
        person.problems.append(Problem("another birth date is stated here: the first counts", where))
    else:
        person.born = born
