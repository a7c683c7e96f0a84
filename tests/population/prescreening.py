"""What the tests of prescreening share: patients, and the reference engine asked as prescreening asks an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from tests.trials.flagship import ON, THERAPY_START, examples, patient_entry, written

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import AskClass, Finding
from onstudy.engines.memory import Memory
from onstudy.engines.view import View
from onstudy.engines.windows import moved
from onstudy.population.prescreen_engine import Asked, Asks, Rows
from onstudy.population.prescreen_question import Question
from onstudy.population.prescreen_verdicts import Truths
from onstudy.population.store import Manifest, StoreWriter, catalogue_digest, data_date, shard_number
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.patient import Patient
from onstudy.record.shard import Shard, patient_of, shard_of
from onstudy.screening.prepare import prepared
from onstudy.screening.screen import Screening, screen
from onstudy.values.calendar import When, parse_when
from onstudy.values.truth import UNKNOWN

ALL = frozenset({"all"})


@dataclass(frozen=True)
class Setting:
    """What some examples have in common, so that they can be asked together."""

    on: date
    therapy_start: When | None
    assumed: frozenset[str]


@cache
def vignettes() -> Mapping[Setting, tuple[Patient, ...]]:
    """Every example of the flagship, with those asked alike together."""
    found: dict[Setting, list[Patient]] = {}
    for name in examples():
        entry = {**patient_entry(name), "patient": name}
        patient = patient_from(entry, name, load_catalogue())
        found.setdefault(_setting(name), []).append(patient)
    return {setting: tuple(patients) for setting, patients in found.items()}


def _setting(name: str) -> Setting:
    cases = {**written()["bases"], **examples()}
    chain = [cases[name]]
    while "from" in chain[0]:
        chain.insert(0, cases[chain[0]["from"]])
    anchors: dict[str, Any] = {**written().get("anchors", {})}
    on = written().get("on", ON.isoformat())
    assumed: list[str] = []
    for link in chain:
        anchors |= link.get("anchors", {})
        on = link.get("on", on)
        assumed += link.get("assume_complete", [])
    start = anchors.get("therapy_start")
    return Setting(
        date.fromisoformat(on),
        None if start in (None, "", "null", "~") else parse_when(start),
        frozenset(assumed),
    )


def screenings(question: Question, patients: Iterable[Patient]) -> dict[tuple[str, str], Screening]:
    """Each patient screened for each trial of a question, by patient and trial."""
    return {
        (patient.id, trial.id): screen(
            trial,
            patient,
            question.on,
            anchors={name: question.anchors.get(name) for name in trial.anchors if name != "registration"},
            assume_complete=question.assumed,
        )
        for patient in patients
        for trial in question.trials
    }


class ByMemory:
    """The reference engine, patient by patient and day by day, behind what prescreening asks of an engine."""

    def __init__(self, shard: Shard, question: Question, catalogue: Catalogue) -> None:
        self.question = question
        patients = [patient_of(shard, row, catalogue) for row in range(shard.patients.rows)]
        self.views = [View(prepared(patient, question.on, catalogue, {})[0], catalogue) for patient in patients]
        self.anchors = {name: when for trial in question.trials for name, when in question.anchors_of(trial).items()}

    def __call__(self, rows: Rows | None, ahead: Rows | None) -> Asked:
        chosen = range(len(self.views)) if rows is None else [int(row) for row in rows]
        days = [0] * len(chosen) if ahead is None else [int(day) for day in ahead]
        return _Pairs(self, [(row, day) for row, day in zip(chosen, days, strict=True)])


class _Pairs:
    def __init__(self, engine: ByMemory, pairs: list[tuple[int, int]]) -> None:
        self.engine, self.pairs = engine, pairs
        self.memories: dict[tuple[int, int, bool], Memory] = {}

    def finding(self, pair: tuple[int, int], rule: TruthExpr, confirmed: bool) -> Finding:
        found = self._memory(*pair, confirmed=False).evaluate(rule)
        if not confirmed or found.truth is not UNKNOWN:
            return found
        return self._memory(*pair, confirmed=True).evaluate(rule)

    def _memory(self, row: int, ahead: int, confirmed: bool) -> Memory:
        key = (row, ahead, confirmed)
        if key not in self.memories:
            question = self.engine.question
            anchors = moved(self.engine.anchors, question.index + ahead)
            self.memories[key] = Memory(self.engine.views[row], anchors, ALL if confirmed else question.assumed)
        return self.memories[key]

    def truth(self, rule: TruthExpr, confirmed: bool = False) -> Truths:
        return np.array([self.finding(pair, rule, confirmed).truth for pair in self.pairs], np.int8)

    def asks(self, rule: TruthExpr, confirmed: bool = False) -> Asks:
        found = [self.finding(pair, rule, confirmed) for pair in self.pairs]
        keys: dict[tuple[str, AskClass], None] = {
            (ask.kind, ask.cls): None for finding in found for ask in finding.asks
        }
        asked = [[any((a.kind, a.cls) == key for a in finding.asks) for finding in found] for key in keys]
        return Asks(list(keys), np.array(asked, np.bool_).reshape(len(keys), len(found)))


def question_of(setting: Setting, *trials: Any) -> Question:
    """A question with a setting of the examples."""
    return Question(tuple(trials), setting.on, {"therapy_start": setting.therapy_start}, setting.assumed)


USUAL = Setting(ON, THERAPY_START, frozenset())


def store_of(patients: Iterable[Patient], folder: Path, shards: int = 3) -> Path:
    """A store of these patients."""
    catalogue = load_catalogue()
    writer = StoreWriter(folder)
    infos = []
    for number in range(shards):
        mine = sorted((p for p in patients if shard_number(p.id, shards) == number), key=lambda p: p.id)
        if mine:
            infos.append(writer.add(number, shard_of(mine, catalogue), ON.toordinal()))
    writer.commit(
        Manifest(
            catalogue=catalogue_digest(catalogue),
            catalogue_version=catalogue.version,
            shard_count=shards,
            shards=tuple(infos),
            data_date=data_date(infos),
        )
    )
    return folder
