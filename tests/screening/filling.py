"""A `--todo` file filled in as a person would: a value behind a blank key, a # taken away, the rest left alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date

from onstudy.readers.patientfile import read_patient_file
from onstudy.readers.source import Content
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.screening.answers import with_added
from onstudy.screening.screen import Screening
from onstudy.screening.todo import todo_file

_KIND = re.compile(r"  - kind: (\w+)$")
_BLANK = re.compile(r"(?P<indent> *)(?P<key>\w+):(?P<filled>[^#]*)(?P<comment>#.*)?$")

Answers = Mapping[str, Mapping[str, str]]


def filled(todo: str, answers: Answers, complete: Iterable[str] = ()) -> str:
    """The text with the answers of each kind written in (those of the person under "patient").

    Every entry of a kind is answered, and every answer must have a blank to be written into.
    """
    lines: list[str] = []
    kind, used = "patient", set()
    for line in todo.splitlines():
        name = _KIND.match(line)
        kind = name[1] if name else kind
        blank = _BLANK.match(line)
        key = blank["key"] if blank and not name else ""
        if key and blank and key in answers.get(kind, {}):
            used.add((kind, key))
            line = f"{blank['indent']}{key}: {answers[kind][key]}  {blank['comment'] or ''}".rstrip()
        declared = re.match(r"  # - (\w+)$", line)
        if declared and declared[1] in complete:
            used.add((declared[1], "complete"))
            line = line.replace("# ", "", 1)
        lines.append(line)
    wanted = {(name, key) for name, keys in answers.items() for key in keys} | {(k, "complete") for k in complete}
    assert used == wanted, f"the file has no blank for {sorted(wanted - used)}:\n{todo}"
    return "\n".join(lines) + "\n"


def filled_in(screening: Screening, record: Patient, answers: Answers, complete: Iterable[str] = ()) -> Patient:
    """The record with the answers to what a screening of it left open."""
    return put_back(record, filled(todo_file(screening), answers, complete))


def put_back(record: Patient, text: str, name: str = "todo.yaml", on: date | None = None) -> Patient:
    """The record with a filled file added; `on` is the registration date."""
    (more,) = read_patient_file(Content(name, name, text, "patient"), load_catalogue())
    return with_added(record, more, f"--add {name}", load_catalogue(), on)
