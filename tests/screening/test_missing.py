"""What would settle a verdict: each open question once, by the work it asks for, and the smallest sets of answers."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from tests.engines.asking import NAMES, patient
from tests.engines.each import causes_of

from onstudy.criteria.finding import Reason
from onstudy.engines.vector import Pairs, Vector, of_whens
from onstudy.language.parse import parse
from onstudy.language.trialfile import read_trial
from onstudy.record.catalogue import load_catalogue
from onstudy.record.shard import shard_of
from onstudy.screening.missing import MOST_SETS, Question
from onstudy.screening.screen import CohortResult, screen
from onstudy.values.calendar import When, as_when

ON = date(2026, 3, 16)


def cohort(record: str, *rules: str, therapy_start: str | None = "2026-03-18T09:00") -> CohortResult:
    """The result of a trial of one cohort whose criteria R1, R2, ... are these rules."""
    rows = "".join(f"\n      - {{id: R{n}, text: row, rule: {rule!r}}}" for n, rule in enumerate(rules, 1))
    trial = read_trial(
        f"""id: T
version: "1"
title: T
anchors:
  registration: {{label: Registration}}
  therapy_start: {{label: Start}}
steps: []
cohorts:
  - id: C
    title: C
    criteria:{rows}
""".encode(),
        "t.yaml",
        load_catalogue(),
    )
    start: dict[str, When | None] = {"therapy_start": None if therapy_start is None else as_when(therapy_start)}
    return screen(trial, patient(record), ON, anchors=start)["C"]


def kinds(questions: tuple[Question, ...]) -> list[str]:
    return [question.kind for question in questions]


EMPTY = "facts: []"


# Questions ----------------------------------------------------------------------------------------------


def test_each_open_question_is_of_one_class() -> None:
    found = cohort(EMPTY, "no seizure", "latest lvef >= 45 %", "any mrd_blood_submission", "no uncontrolled_infection")
    assert kinds(found.to_confirm) == ["seizure"]
    assert kinds(found.missing) == ["lvef"]
    assert kinds(found.to_do) == ["mrd_blood_submission", "uncontrolled_infection"]
    assert found.deciding == ("R1", "R2", "R3", "R4")


def test_a_question_is_asked_once_for_all_criteria_that_need_it() -> None:
    found = cohort(EMPTY, "latest lvef >= 45 %", "latest lvef >= 40 % or latest ecog <= 1")
    (lvef, ecog) = found.missing
    assert (lvef.kind, lvef.criteria, lvef.reasons) == ("lvef", ("R1", "R2"), ("no_record",))
    assert ecog.criteria == ("R2",)
    assert lvef.ask.endswith("?")


def test_a_detail_is_asked_with_its_record() -> None:
    record = "complete: [brain_injury]\nfacts: [{id: fall, kind: brain_injury, on: 2020-01-01}]"
    (question,) = cohort(record, "no brain_injury where (clinically_relevant is yes)").missing
    assert (question.fields, question.about, question.reasons) == (("clinically_relevant",), ("fall",), ("not_stated",))


def test_nothing_is_asked_of_a_settled_verdict() -> None:
    against = cohort("facts: [{kind: stroke, on: 2020-01-01}]", "no stroke", "latest lvef >= 45 %")
    assert (against.verdict, against.deciding) == ("ineligible", ("R1",))
    assert (against.to_confirm, against.to_do, against.missing, against.settled_by) == ((), (), (), ())
    for_it = cohort("facts: [{kind: ecog, on: 2026-03-14, value: 1}]", "latest ecog <= 2 or latest lvef >= 45 %")
    assert (for_it.verdict, for_it.missing, for_it.settled_by) == ("eligible", (), ())


def test_what_an_assumption_does_not_settle_is_missing() -> None:
    record = "facts: [{id: spell, kind: syncope, on: 2020-01-01}]"
    found = cohort(record, "no syncope where (cause is unexplained)")
    assert found.verdict == "undetermined"
    assert kinds(found.to_confirm) == ["syncope"], "that there were no others"
    assert [question.about for question in found.missing] == [("spell",)]


def test_a_start_of_therapy_is_to_do() -> None:
    record = "complete: [treatment]\nfacts: [{kind: treatment, agent: prednisone, on: 2026-03-10}]"
    found = cohort(record, "every treatment has (end is at least 24 hours before therapy_start)", therapy_start=None)
    assert [(question.kind, question.reasons) for question in found.to_do] == [("therapy_start", ("pending_anchor",))]
    assert (found.missing, found.to_confirm) == ((), ())


# Sets that settle -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "sets"),
    [
        (["no seizure"], [("seizure",)]),
        (["no seizure", "no stroke"], [("seizure", "stroke")]),
        (["no seizure and no stroke"], [("seizure", "stroke")]),
        (["latest lvef >= 45 % or latest ecog <= 1"], [("ecog",), ("lvef",)]),
        (["latest lvef >= 45 % or (latest ecog <= 1 and no seizure)"], [("lvef",), ("ecog", "seizure")]),
        (["latest lvef >= 45 % or latest ecog <= 1", "latest lvef >= 40 %"], [("lvef",)]),
        (["not (latest lvef >= 45 % and latest ecog <= 1)"], [("ecog",), ("lvef",)]),
        (["not (latest lvef >= 45 % or latest ecog <= 1)"], [("ecog", "lvef")]),
        (
            ["if any hiv_infection then latest hiv_viral_load has (detected is no)"],
            [("hiv_infection",), ("hiv_viral_load",)],
        ),
    ],
)
def test_the_smallest_sets_of_favourable_answers(rules: list[str], sets: list[tuple[str, ...]]) -> None:
    assert list(cohort(EMPTY, *rules).settled_by) == sets


def test_a_part_that_is_settled_is_in_no_set() -> None:
    record = "facts:\n- {kind: ecog, on: 2026-03-14, value: 3}\n- {kind: stroke, value: no, recorded: 2026-03-14}"
    found = cohort(record, "latest ecog <= 1 or latest lvef >= 45 %", "no stroke and no seizure")
    assert found.settled_by == (("lvef", "seizure"),)


def test_at_most_five_sets_the_smallest_first() -> None:
    labs = ("lvef", "platelets", "hemoglobin", "neutrophils", "creatinine", "ast", "alt")
    units = ("%", "10*3/uL", "g/dL", "10*3/uL", "mg/dL", "U/L", "U/L")
    rule = " or ".join(f"latest {kind} >= 1 {unit}" for kind, unit in zip(labs, units, strict=True))
    found = cohort(EMPTY, rule)
    assert len(found.settled_by) == MOST_SETS
    assert found.settled_by == tuple((kind,) for kind in sorted(labs)[:MOST_SETS])


def test_many_alternatives_stay_quick() -> None:
    """Twelve criteria with three ways each: half a million combinations, of which few are ever made."""
    kinds_of = (
        "seizure",
        "stroke",
        "aphasia",
        "dementia",
        "epilepsy",
        "syncope",
        "angina",
        "sos_vod",
        "gvhd",
        "burkitt",
    )
    rules = [f"no {a} or no {b} or latest lvef >= 45 %" for a, b in pairwise(kinds_of)]
    assert cohort(EMPTY, *rules).settled_by[0] == ("lvef",)


# Days of treatment --------------------------------------------------------------------------------------

_TWO = (
    "from: 2026-02-26, to: 2026-02-28{0}}}, {{kind: treatment, agent: prednisone, from: 2026-03-13, to: 2026-03-15{0}"
)
_SPAN, _DAYS = "duration of treatment <= 14 days", "days of treatment <= 9 days"


@pytest.mark.parametrize(
    ("dates", "rule", "fields"),
    [
        # 6 days within a span of 18: all is stated, and what is asked of it would not settle it.
        (_TWO.format(", frequency: daily"), _SPAN, None),
        ("from: 2026-03-01, to: 2026-03-15, frequency: intermittent", _DAYS, None),
        ("from: 2026-03-01, active: yes, frequency: weekly", _DAYS, None),
        # How often it was given is not stated, or one of two words; nor on which day it began or ended.
        (_TWO.format(""), _SPAN, ("frequency",)),
        ("from: 2026-03-01, to: 2026-03-15", _DAYS, ("frequency",)),
        ("from: 2026-03-01, to: 2026-03-15, frequency: [daily, once]", _DAYS, ("frequency",)),
        ("from: 2026-02, to: 2026-03-05, frequency: daily", _DAYS, ()),
        ("from: 2026-03-01, frequency: daily", _DAYS, ()),
    ],
)
def test_of_days_is_asked_what_is_not_stated_of_them(dates: str, rule: str, fields: tuple[str, ...] | None) -> None:
    record = f"complete: [treatment]\nfacts: [{{kind: treatment, agent: dexamethasone, {dates}}}]"
    found = cohort(record, rule)
    assert found.verdict == "undetermined"
    assert [question.fields for question in found.missing] == ([] if fields is None else [fields])
    assert found.settled_by == (() if fields is None else (("treatment",),))
    tree = parse(rule, load_catalogue(), NAMES)
    pairs = Pairs(np.zeros(1, np.int32), {"registration": of_whens([as_when("2026-03-16")])})
    asks = Vector(shard_of([patient(record)], load_catalogue()), pairs, load_catalogue()).asks(tree)
    named = {key[0] for key, row in zip(asks.keys, asks.asked, strict=True) if row[0]}
    assert named == (set() if fields is None else {"treatment"})
    assert causes_of(asks) == [frozenset({Reason.IMPRECISE_VALUE})]


def test_one_date_that_is_not_known_is_asked_beside_what_is_stated() -> None:
    record = (
        f"complete: [treatment]\nfacts: [{{kind: treatment, agent: dexamethasone, {_TWO.format(', frequency: daily')}}}"
    )
    more = "{kind: treatment, agent: prednisolone, id: X1, from: 2026-03-05, frequency: daily}"
    (question,) = cohort(f"{record}, {more}]", _SPAN).missing
    assert question.about == ("X1",)


def test_of_several_records_one_is_enough_or_all_are_needed() -> None:
    """A seizure that is on record after the rituximab without an intent: its intent alone, or another seizure."""
    record = (
        "facts:\n- {kind: treatment, agent: rituximab, from: 2026-01-01, to: 2026-01-05}\n"
        "- {kind: seizure, on: 2026-02-01}"
    )
    rituximab = "(start of earliest treatment where (agent is rituximab and intent is ALL))"
    assert cohort(record, f"any seizure after {rituximab}").settled_by == (("treatment",),)
    two = "facts:\n- {kind: seizure, on: 2026-03, suspected: yes}\n- {kind: stroke, on: 2026-02, suspected: yes}"
    assert cohort(two, "any neurologic_disorder").settled_by == (("neurologic_disorder",), ("seizure",), ("stroke",))
    assert cohort(two, "no neurologic_disorder").settled_by == (("neurologic_disorder", "seizure", "stroke"),)
