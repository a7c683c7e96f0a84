"""The language reference as one quick suite: what it says about an engine that may be broken.

Records and rules are read once, before anything is broken; an engine's faults show in its answers alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.engines.each import by_memory
from tests.language.pages import Example, Setting, Stretches, examples, stretches

from onstudy.criteria.expr import TruthExpr
from onstudy.engines import windows
from onstudy.engines.view import Anchors, View
from onstudy.errors import OnstudyError
from onstudy.language.unparse import unparse
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient


@dataclass(frozen=True)
class _Asked:
    """One example with its record read and its rule parsed."""

    example: Example
    rule: TruthExpr


@dataclass(frozen=True)
class _Records:
    """A record, the day it is asked on, and what is asked of it."""

    patient: Patient
    anchors: Anchors
    asked: tuple[_Asked, ...]


@cache
def _records() -> tuple[_Records, ...]:
    together: dict[tuple[str, str, str | None], list[Example]] = {}
    for example in examples():
        setting = example.setting
        key = (setting.patient_text, setting.on.isoformat(), setting.therapy_start)
        together.setdefault(key, []).append(example)
    return tuple(_record(group[0].setting, group) for group in together.values())


def _record(setting: Setting, group: list[Example]) -> _Records:
    asked = tuple(_Asked(example, example.setting.parse(example.rule)) for example in group)
    return _Records(setting.patient(), setting.anchors, asked)


@cache
def _stretches() -> tuple[tuple[Stretches, TruthExpr, Patient], ...]:
    return tuple((one, one.setting.parse(one.rule), one.setting.patient()) for one in stretches())


_CRASHES = (AssertionError, ValueError, TypeError, AttributeError, KeyError, OnstudyError)


def read() -> None:
    """Read every record and parse every rule, while nothing is broken yet."""
    _records()
    _stretches()


def noticed() -> Iterator[str]:
    """The places in docs/language whose expectation is not met; a crash counts as one."""
    yield from _wrong_answers()
    yield from _wrong_stretches()
    yield from _wrong_texts()


def _wrong_answers() -> Iterator[str]:
    for record in _records():
        rules = [asked.rule for asked in record.asked]
        try:
            answers = by_memory(rules, record.patient, record.anchors, load_catalogue())
        except _CRASHES as error:
            yield f"{record.asked[0].example.id}: {type(error).__name__}"
            continue
        for asked, answer in zip(record.asked, answers, strict=True):
            expected = asked.example.expected
            if (answer.truth, answer.if_confirmed) != (expected.truth, expected.if_confirmed):
                yield asked.example.id
            elif expected.reasons is not None and answer.reasons != expected.reasons:
                yield f"{asked.example.id} (reasons)"


def _wrong_stretches() -> Iterator[str]:
    for example, rule, patient in _stretches():
        try:
            right = _found(example, rule, patient) == _wanted(example)
        except _CRASHES as error:
            yield f"{example.id}: {type(error).__name__}"
            continue
        if not right:
            yield example.id


_Spread = list[tuple[int, int, int, int]]


def _found(example: Stretches, rule: TruthExpr, patient: Patient) -> _Spread:
    view, anchors, catalogue = View(patient, load_catalogue()), example.setting.anchors, load_catalogue()

    def answer(day: int) -> windows.Verdict:
        found = by_memory([rule], patient, windows.moved(anchors, day), catalogue)[0]
        return found.truth, found.if_confirmed

    found = windows.windows(answer, rule, view, anchors, example.until.toordinal())
    return [(one.first, one.last, int(one.truth), int(one.if_confirmed)) for one in found]


def _wanted(example: Stretches) -> _Spread:
    return [
        (first.toordinal(), last.toordinal(), int(wanted.truth), int(wanted.if_confirmed))
        for first, last, wanted in example.stretches
    ]


def _wrong_texts() -> Iterator[str]:
    for record in _records():
        for asked in record.asked:
            try:
                again = asked.example.setting.parse(unparse(asked.rule))
            except _CRASHES as error:
                yield f"{asked.example.id}: {type(error).__name__}"
                continue
            if again != asked.rule:
                yield f"{asked.example.id} (text)"
