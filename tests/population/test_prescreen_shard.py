"""One shard asked a trial says of every patient what the screening of that one patient says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.population.prescreening import USUAL, ByMemory, Setting, question_of, screenings, vignettes
from tests.trials.flagship import ON, changed, trial

from onstudy.population.candidates_turns import Turns, distances
from onstudy.population.generate_block import generate_block, patients_of
from onstudy.population.prescreen_engine import ByVector, Engine
from onstudy.population.prescreen_pages import Block, CodesFile
from onstudy.population.prescreen_parts import Part, from_bytes, to_bytes
from onstudy.population.prescreen_question import Question, asked_rows
from onstudy.population.prescreen_shard import Plan, answer
from onstudy.population.prescreen_verdicts import STATUS_NAMES, UNKNOWN, VERDICT_NAMES
from onstudy.readers import read_patients
from onstudy.readers.fhir_write import to_bundle
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
    codes.add(pa.array([patient.id for patient in patients]), [Block("T", part.pages)])
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


@pytest.mark.parametrize(
    "setting", vignettes(), ids=lambda s: f"{s.on}-{s.therapy_start}-{'+'.join(sorted(s.assumed))}"
)
def test_every_vignette_comes_to_what_its_screening_says(setting: Setting) -> None:
    compared(vignettes()[setting], question_of(setting, trial()), "vector")


def test_so_do_some_with_the_reference_engine_in_its_place() -> None:
    """So what differs, if anything does, is the engine's fault or that of the prescreening."""
    compared(vignettes()[USUAL][3::25], question_of(USUAL, trial()), "memory")


def test_so_do_generated_patients_of_both_trials() -> None:
    """Days that are missing, rough or later than the registration, units, errors, several results of a day ..."""
    catalogue = load_catalogue()
    block = generate_block(3, np.arange(1, 61))
    patients = list(patients_of(block, catalogue))
    compared(patients, question_of(USUAL, trial(), trial("NCT06480136")), "vector")
    compared(patients[:20], question_of(Setting(ON, None, frozenset({"all"})), trial()), "vector")


def compared(patients: Sequence[Patient], question: Question, engine: str) -> None:
    screened = screenings(question, patients)
    for one, part in zip(question.trials, parts_of(question, patients, engine), strict=True):
        mine = {name: s for (name, asked), s in screened.items() if asked == one.id}
        same_as_screened(from_bytes(to_bytes(part)), mine, patients)


# Days ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [USUAL, Setting(ON, None, frozenset())], ids=["planned", "not planned"])
def test_no_answer_turns_on_a_day_that_is_not_collected(setting: Setting) -> None:
    """Every day of the horizon asked, one by one: where an answer differs from the day before, it was foreseen."""
    patients = [*patients_of(generate_block(5, np.arange(1, 121)), CATALOGUE), *vignettes()[USUAL][::4]]
    shard, question = shard_of(patients, CATALOGUE), question_of(setting, trial())
    size, days = shard.patients.rows, question.horizon + 1
    rows = np.arange(size, dtype=np.int32)
    asked = ByVector(shard, question, CATALOGUE)(np.repeat(rows, days), np.tile(np.arange(days, dtype=np.int32), size))
    away = distances(question.anchors_of(trial()), question.index)
    turns = Turns(shard, rows, CATALOGUE, question.index, question.horizon, away)
    seen = 0
    for criterion, rule in asked_rows(trial()):
        foreseen = np.zeros((size, days), np.bool_)
        foreseen[turns.of(rule, rows)] = True
        for confirmed in (False, True):
            truth = asked.truth(rule, confirmed).reshape(size, days)
            turned = truth[:, 1:] != truth[:, :-1]
            seen += int(turned.sum())
            assert not (turned & ~foreseen[:, 1:]).any(), criterion.id
    assert seen > 50


def test_a_judgement_turns_on_the_day_of_what_it_will_not_have_seen() -> None:
    """No infection out of control, said on 2026-03-14; one that is dated 2026-03-20 is of another kind than asked."""
    patient = changed("B1", facts=[{"kind": "severe_infection", "from": "2026-03-20"}])
    question = question_of(USUAL, trial())
    row = np.zeros(1, np.int32)
    turns = Turns(shard_of([patient], CATALOGUE), row, CATALOGUE, question.index, question.horizon, (0,))
    (rule,) = (rule for criterion, rule in asked_rows(trial()) if criterion.id == "S1-31")
    assert 4 in turns.of(rule, row)[1]
    compared([patient], question, "vector")


def test_a_no_turns_on_the_day_of_a_diagnosis_nobody_could_read() -> None:
    """No other cancer, said on 2026-03-14; what nobody could read is dated 2026-03-20 and is of no kind asked for."""
    patient = changed("B1", facts=[{"kind": "unmapped", "on": "2026-03-20", "value": "a code"}])
    question = question_of(USUAL, trial())
    row = np.zeros(1, np.int32)
    turns = Turns(shard_of([patient], CATALOGUE), row, CATALOGUE, question.index, question.horizon, (0,))
    (rule,) = (rule for criterion, rule in asked_rows(trial()) if criterion.id == "S1-27")
    assert 4 in turns.of(rule, row)[1]
    compared([patient], question, "vector")


def test_a_no_turns_on_the_day_of_what_opens_its_question_anew() -> None:
    """No acute toxicity, said on 2026-03-14; a treatment of the leukemia is dated 2026-03-20."""
    patient = changed("B2", facts=[{"kind": "treatment", "agent": "vincristine", "intent": "ALL", "on": "2026-03-20"}])
    question = question_of(USUAL, trial())
    row = np.zeros(1, np.int32)
    turns = Turns(shard_of([patient], CATALOGUE), row, CATALOGUE, question.index, question.horizon, (0,))
    (rule,) = (rule for criterion, rule in asked_rows(trial()) if criterion.id == "C2-14")
    assert 4 in turns.of(rule, row)[1]
    compared([patient], question, "vector")


def test_a_no_that_is_older_than_a_diagnosis_nobody_could_read() -> None:
    """That there is no other cancer was recorded on 2026-03-14. A procedure and an undated entry end nothing."""
    person = to_bundle(changed("B1"))
    code = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C50.911"}]}
    condition = {"resourceType": "Condition", "code": code}
    more: list[dict[str, Any]] = [
        {},
        *({**condition, "onsetDateTime": f"2026-03-{day}"} for day in (12, 14, 15, 16, 20)),
        *({**condition, "onsetDateTime": "2020", "recordedDate": f"2026-03-{day}"} for day in (14, 15)),
        {**condition, "onsetDateTime": "2026-03"},
        *({**condition, "recordedDate": f"2026-03-{day}"} for day in (14, 15)),
        {"resourceType": "Procedure", "status": "completed", "code": code, "performedDateTime": "2026-03-15"},
        condition,
    ]
    patients = []
    for number, record in enumerate(more):
        entries = [{"resource": {**record, "id": "x"}}] if record else []
        (read,) = read_patients("b.json", json.dumps({**person, "entry": [*person["entry"], *entries]}).encode())
        patients.append(replace(read, id=f"p{number}"))
    question = question_of(USUAL, trial())
    compared(patients, question, "vector")
    (part,) = parts_of(question, patients, "vector")
    found = [row["S1-27"] == UNKNOWN for row in statuses_of(part, patients)]  # 20 March is to come
    assert found == [False, False, False, True, True, False, False, True, True, False, True, False, False]
    found = [row["S1-31"] == UNKNOWN for row in statuses_of(part, patients)]  # judged that day
    assert found == [False, False, False, True, True, False, False, True, True, False, True, False, False]


def test_a_judgement_and_a_no_of_a_state_turn_on_the_day_of_a_diagnosis_nobody_could_read() -> None:
    facts: list[dict[str, Any]] = [
        {"kind": "pregnancy", "value": False, "recorded": "2026-03-14"},
        {"kind": "seizzure", "on": "2026-03-20"},
    ]
    patient = changed("B1", sex="female", facts=facts)
    question = question_of(USUAL, trial())
    row = np.zeros(1, np.int32)
    turns = Turns(shard_of([patient], CATALOGUE), row, CATALOGUE, question.index, question.horizon, (0,))
    for name in ("S1-13", "S1-31"):
        (rule,) = (rule for criterion, rule in asked_rows(trial()) if criterion.id == name)
        assert 4 in turns.of(rule, row)[1], name
    compared([patient], question, "vector")


def test_what_is_to_do_pushes_nobody_down() -> None:
    """The same patient with therapy not planned yet waits for a plan, and is possible from the same day on."""
    given = {"kind": "treatment", "agent": "hydroxyurea", "from": "2026-03-08", "to": "2026-03-10", "intent": "ALL"}
    patient = changed("B1", without=["treatment"], facts=[given], complete=["treatment"])
    planned, unplanned = (
        parts_of(question_of(setting, trial()), [patient], "vector")[0].candidates.to_pylist()
        for setting in (USUAL, Setting(ON, None, frozenset()))
    )
    (before,), (after,) = ([row for row in rows if row["cohort"] == "C1"] for rows in (planned, unplanned))
    assert (before["n_to_do"], before["earliest"]) == (0, ON)
    assert (after["n_to_do"], after["to_do"], after["earliest_if_confirmed"]) == (1, ["therapy_start"], None)
    assert before["possible_from"] == after["possible_from"] == ON


def test_a_day_that_comes_by_itself_is_found() -> None:
    """Rituximab in March 2026, nobody knows when, must be 7 days past: surely so from 2026-04-07 on."""
    rituximab = {"kind": "treatment", "agent": "rituximab", "from": "2026-03", "to": "2026-03", "intent": "ALL"}
    patient = changed("B2", facts=[rituximab], complete=["treatment", "hematopoietic_transplant", "toxicity"])
    (part,) = parts_of(question_of(USUAL, trial()), [patient], "vector")
    (row,) = [row for row in part.candidates.to_pylist() if row["cohort"] == "C2"]
    assert (row["verdict"], row["deciding"], row["missing"]) == ("undetermined", ["C2-10"], ["treatment"])
    assert [row[name] for name in ("possible_from", "earliest", "earliest_if_confirmed")] == [date(2026, 4, 7)] * 3


def test_questions_that_have_no_answer_always_ask_for_something() -> None:
    """An unknown answer that asks for nothing would make a candidate of whom nothing can be told."""
    patients = list(patients_of(generate_block(7, np.arange(1, 201)), CATALOGUE))
    shard, question = shard_of(patients, CATALOGUE), question_of(USUAL, trial())
    asked = ByVector(shard, question, CATALOGUE)(None, None)
    for criterion, rule in asked_rows(trial()):
        for confirmed in (False, True):
            unknown = asked.truth(rule, confirmed) == UNKNOWN
            assert (asked.asks(rule, confirmed).asked.any(axis=0) == unknown).all(), criterion.id
