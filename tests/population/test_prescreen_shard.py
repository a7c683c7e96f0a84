"""One shard asked a trial says of every patient what the screening of that one patient says."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.population.prescreening import ByMemory, Setting, question_of, screenings, vignettes
from tests.trials.flagship import trial

from onstudy.population.prescreen_engine import ByVector, Engine
from onstudy.population.prescreen_pages import Block, CodesFile
from onstudy.population.prescreen_parts import Part, from_bytes, to_bytes
from onstudy.population.prescreen_question import Question
from onstudy.population.prescreen_shard import Plan, answer
from onstudy.population.prescreen_verdicts import STATUS_NAMES, VERDICT_NAMES
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.record.shard import Shard, shard_of
from onstudy.screening.screen import Screening
from onstudy.screening.worksheet import data_date

CATALOGUE = load_catalogue()


def by_memory(shard: Shard, question: Question) -> Engine:
    return ByMemory(shard, question, CATALOGUE)


def by_vector(shard: Shard, question: Question) -> Engine:
    return ByVector(shard, question, CATALOGUE)


ENGINES: dict[str, Callable[[Shard, Question], Engine]] = {"memory": by_memory, "vector": by_vector}


def parts_of(question: Question, patients: Sequence[Patient], engine: str) -> list[Part]:
    shard = shard_of(patients, CATALOGUE)
    plan = Plan.of(question, CATALOGUE)
    return answer(shard, ENGINES[engine](shard, question), plan, question.trials)


def statuses_of(part: Part, patients: Sequence[Patient]) -> list[dict[str, Any]]:
    file = io.BytesIO()
    codes = CodesFile(file, list(part.pages), {})
    codes.add([patient.id for patient in patients], [Block("T", part.pages)])
    codes.close()
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows


def same_as_screened(part: Part, screened: dict[str, Screening], patients: Sequence[Patient]) -> None:
    rows = {row["patient"]: row for row in statuses_of(part, patients)}
    found = {(row["patient"], row["cohort"]): row for row in part.candidates.to_pylist()}
    for name, s in screened.items():
        row = rows[name]
        for result in s.criteria:
            got = STATUS_NAMES[row[result.criterion.id]], STATUS_NAMES[row[f"{result.criterion.id}.if_confirmed"]]
            assert got == (result.status, result.if_confirmed), (name, result.criterion.id)
        for cohort in s.cohorts:
            got = VERDICT_NAMES[row[f"verdict.{cohort.id}"]], VERDICT_NAMES[row[f"verdict.{cohort.id}.if_confirmed"]]
            assert got == (cohort.verdict, cohort.windows[0].if_confirmed), (name, cohort.id)
            candidate = found.pop((name, cohort.id), None)
            assert (candidate is None) == (cohort.verdict == "ineligible"), (name, cohort.id)
            if candidate is None:
                continue
            expected = {
                "verdict": cohort.verdict,
                "deciding": list(cohort.deciding),
                "missing": sorted(q.kind for q in cohort.missing),
                "to_confirm": sorted(q.kind for q in cohort.to_confirm),
                "to_do": sorted(q.kind for q in cohort.to_do),
                "n_missing": len(cohort.missing),
                "n_to_confirm": len(cohort.to_confirm),
                "n_to_do": len(cohort.to_do),
                "earliest": cohort.earliest and date.fromordinal(cohort.earliest),
                "earliest_if_confirmed": cohort.earliest_if_confirmed
                and date.fromordinal(cohort.earliest_if_confirmed),
                "last_data": date.fromisoformat(day) if (day := data_date(s)) else None,
            }
            assert {key: candidate[key] for key in expected} == expected, (name, cohort.id)
    assert not found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("setting", vignettes(), ids=lambda s: f"{s.on}-{s.therapy_start}-{'+'.join(s.assumed)}")
def test_every_vignette_comes_to_what_its_screening_says(setting: Setting, engine: str) -> None:
    patients, question = vignettes()[setting], question_of(setting, trial())
    (part,) = parts_of(question, patients, engine)
    screened = {name: s for (name, _), s in screenings(question, patients).items()}
    same_as_screened(from_bytes(to_bytes(part)), screened, patients)
