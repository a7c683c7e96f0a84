"""Asking the reference engine in a few words: a patient file's text, a rule, a day."""

from __future__ import annotations

from datetime import date

from tests.engines.each import ready

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import Finding
from onstudy.engines.memory import Memory
from onstudy.engines.view import Anchors, View
from onstudy.language.parse import Names, parse
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.values.calendar import as_when, on_day
from onstudy.yamltext import read_yaml

ON = date(2026, 3, 16)
NAMES = Names(("registration", "therapy_start"))


def patient(text: str, on: date = ON) -> Patient:
    """A record from the text of a patient file."""
    entry = read_yaml(text, "record.yaml")[0].plain()
    assert isinstance(entry, dict)
    return ready(patient_from({"patient": "P", **entry}, "record.yaml", load_catalogue()), on, load_catalogue())


def anchors(on: date = ON, therapy_start: str | None = "2026-03-18T09:00") -> Anchors:
    """Registration and the start of therapy."""
    return {"registration": on_day(on), "therapy_start": None if therapy_start is None else as_when(therapy_start)}


def ask(
    text: str,
    rule: str | TruthExpr,
    on: date = ON,
    therapy_start: str | None = "2026-03-18T09:00",
    assumed: frozenset[str] = frozenset(),
) -> Finding:
    """What a rule comes to for a record."""
    tree = parse(rule, load_catalogue(), NAMES) if isinstance(rule, str) else rule
    view = View(patient(text, on), load_catalogue())
    return Memory(view, anchors(on, therapy_start), assumed).evaluate(tree)
