"""Results older than the trial file advises: said beside the verdict and to be measured again, deciding nothing."""

from __future__ import annotations

import json
from datetime import date
from functools import cache

import pytest

from onstudy import screen
from onstudy.language.trialfile import read_trial
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.aged import aged, counted
from onstudy.screening.overview import card, tasks
from onstudy.screening.report import to_table, to_text
from onstudy.screening.screen import Screening
from onstudy.screening.worksheet import worksheet

CATALOGUE = load_catalogue()
TRIAL = """
id: T1
version: "1"
title: A small trial
anchors:
  registration: {label: Registration}
steps:
  - id: "1"
    title: All
    criteria:
      - {id: BILI, text: bilirubin, rule: latest bilirubin_total <= 1.5 ULN, warn_older_than: 14 days}
      - {id: LVEF, text: heart, rule: latest lvef >= 45 %, warn_older_than: 28 days}
      - {id: STRICT, text: heart again, rule: latest lvef >= 40 %, warn_older_than: 7 days}
      - {id: LOOK, text: a look, rule: latest alt <= 3 ULN, warn_older_than: 14 days, severity: warning}
cohorts:
  - {id: A, title: adults, criteria: [{id: A-AGE, text: adult, rule: age at registration >= 18 years}]}
  - {id: K, title: children, criteria: [{id: K-AGE, text: child, rule: age at registration < 18 years},
      {id: K-AST, text: ast, rule: latest ast <= 3 ULN, warn_older_than: 14 days}]}
"""


@cache
def screened(on: str) -> Screening:
    results = {"bilirubin_total": "1 mg/dL", "ast": "30 U/L", "alt": "30 U/L"}
    facts = [
        {"kind": kind, "on": "2026-03-15", "value": value, "uln": value.replace("30", "40")}
        for kind, value in results.items()
    ]
    record = {
        "patient": "P",
        "born": "1980-01-01",
        "facts": [*facts, {"kind": "lvef", "on": "2026-03-10", "value": "60 %"}],
    }
    trial = read_trial(TRIAL.encode(), "t1.yaml", CATALOGUE)
    return screen(trial, patient_from(record, "p.yaml", CATALOGUE), date.fromisoformat(on))


def found(s: Screening, cohort: str) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(one.fact.kind, one.days, one.criteria) for one in aged(s, [s[cohort]])]


def test_each_result_counts_once_with_every_criterion_that_advises() -> None:
    """On 20 April the bilirubin is 36 days old, the heart's result 41; a row that only warns requires nothing."""
    s = screened("2026-04-20")
    assert found(s, "A") == [("bilirubin_total", 36, ("BILI",)), ("lvef", 41, ("LVEF", "STRICT"))]
    assert counted(aged(s, s.cohorts)) == "2 values are older than advised"


@pytest.mark.parametrize(("on", "old"), [
    ("2026-03-17", []), ("2026-03-18", ["lvef"]), ("2026-03-29", ["lvef"]), ("2026-03-30", ["bilirubin_total", "lvef"]),
])  # fmt: skip
def test_as_old_as_advised_is_not_older(on: str, old: list[str]) -> None:
    """7 days after 10 March is the 17th, 14 days after 15 March the 29th."""
    assert [kind for kind, _, _ in found(screened(on), "A")] == old


def test_a_cohort_that_is_closed_on_every_day_asks_for_no_new_results() -> None:
    s = screened("2026-04-20")
    assert s["K"].verdict == "ineligible" and found(s, "K") == []


def test_the_text_says_it_below_the_verdict_and_lists_it_as_work() -> None:
    text = to_text(screened("2026-04-20"))
    assert "\nA  ELIGIBLE\n    mind: 2 values are older than advised\n" in text
    assert "    renew: Total bilirubin [bilirubin_total] (BILI: 36 days old; advised are at\n" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "older than advised" not in to_text(screened("2026-03-16"))


def test_the_table_of_several_says_it_where_nothing_else_is_open() -> None:
    line = next(one for one in to_table([screened("2026-04-20")]).splitlines() if one.startswith("P "))
    assert line.split() == [*"P A eligible 2 values are older than advised".split()]


def test_the_worksheet_says_it_on_top_on_the_card_and_as_work() -> None:
    s = screened("2026-04-20")
    assert [card(cohort, s).aged for cohort in s.cohorts] == ["2 values are older than advised", ""]
    [renew] = [one for one in tasks(s) if one.anchor == "renew"]
    assert [(task.kind, task.cohorts) for task in renew.tasks] == [
        ("Total bilirubin", ("A",)),
        ("Left ventricular ejection fraction", ("A",)),
    ]
    assert renew.tasks[1].why == "41 days old; advised are at most 28 days for LVEF, 7 days for STRICT"
    assert renew.tasks[0].about == ("Total bilirubin 1 mg/dL 2026-03-15",)
    html = worksheet(s)
    top = html.index("2 values are older than advised")
    assert html.index('class="headline"') < top < html.index('class="cards"')
    assert '<a href="#renew">' in html and '<h3 id="renew">' in html


def test_the_verdict_and_the_json_are_what_they_were() -> None:
    """Only the problems differ, as before; no key is new."""
    fresh, old = (json.loads(screened(on).to_json()) for on in ("2026-03-16", "2026-04-20"))
    assert fresh["cohorts"][0].keys() == old["cohorts"][0].keys() and fresh.keys() == old.keys()
    assert old["cohorts"][0]["verdict"] == "eligible"
