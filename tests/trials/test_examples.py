"""The examples beside each shipped trial screen as a person wrote, and the vignettes of NCT03739814 are all there.

The table of verdicts stands here a second time, typed from the clinical reference and compared with it, so that no
example can be bent to what the engine says without a second file saying so.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from tests.trials.flagship import examples, patient_entry, screened, trial, written

from onstudy.engines.memory import Memory
from onstudy.engines.view import View
from onstudy.language.library import examples_path, shipped
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.check import Checked, check_examples
from onstudy.values.truth import FALSE, TRUE, UNKNOWN

LETTERS = {"eligible": "E", "ineligible": "N", "undetermined": "U", "eligible_if_confirmed": "U"}

#: The verdicts for C1, C2, C3, and what decides, from the summary of the reference's vignettes.
SUMMARY = {
    "BASE-1": ("E N N", "-"),
    "BASE-2": ("N E N", "-"),
    "BASE-3": ("N N E", "-"),
    "V01": ("E N N", "S1-33"),
    "V02": ("E N N", "S1-33"),
    "V03": ("N N N", "S1-05, S1-06"),
    "V04": ("N N N", "S1-05, S1-06"),
    "V05": ("N N N", "S1-05, S1-06"),
    "V06": ("N N N", "S1-36"),
    "V07": ("N N N", "C2-06"),
    "V08": ("N N N", "C2-09"),
    "V09": ("N N N", "C1-01"),
    "V10": ("N N E", "C3-01"),
    "V11": ("N N E", "C3-01"),
    "V12": ("E N N", "S1-20"),
    "V13": ("E N N", "S1-21, S1-22, S1-23"),
    "V14": ("N E N", "C2-15"),
    "V15": ("N N N", "C2-11"),
    "V16": ("N U N", "S1-15"),
    "V17": ("U N N", "C1-05"),
    "V18": ("N N U", "C3-05"),
    "V19": ("U N N", "S1-17"),
    "V20": ("N N N", "C2-06"),
    "V21": ("U N N", "S1-33"),
    "V22": ("U N U", "S1-04"),
    "V23": ("U N N", "C1-04"),
    "V24": ("E N N", "S1-27"),
    "V25": ("U N N", "to confirm"),
}
BASES = {"BASE-1": "B1", "BASE-2": "B2", "BASE-3": "B3"}

#: The verdict a variant states, for the cohort it speaks of.
VARIANTS = {
    "V01a": ("C1", "N"),
    "V02a": ("C1", "N"),
    "V02b": ("C1", "U"),
    "V05a": ("C1", "N"),
    "V06a": ("C1", "E"),
    "V06b": ("C1", "E"),
    "V06c": ("C1", "U"),
    "V07a": ("C2", "E"),
    "V09a": ("C1", "E"),
    "V10a": ("C3", "N"),
    "V12a": ("C1", "U"),
    "V12b": ("C1", "N"),
    "V12c": ("C1", "E"),
    "V13a": ("C1", "U"),
    "V13b": ("C1", "N"),
    "V13c": ("C1", "N"),
    "V14a": ("C2", "N"),
    "V14b": ("C2", "U"),
    "V15a": ("C2", "E"),
    "V16a": ("C2", "E"),
    "V16b": ("C2", "E"),
    "V16c": ("C2", "N"),
    "V18a": ("C1", "E"),
    "V19a": ("C1", "E"),
    "V21a": ("C1", "E"),
    "V21b": ("C1", "E"),
    "V23a": ("C1", "N"),
    "V23b": ("C1", "E"),
    "V24a": ("C1", "U"),
    "V24b": ("C1", "E"),
    "V24c": ("C1", "N"),
    "V25-assumed": ("C1", "E"),
    "V25a": ("C1", "U"),
}


@cache
def checked(name: str) -> Checked:
    return check_examples(trial(name), examples_path(shipped()[name]), load_catalogue())


@pytest.mark.parametrize("name", shipped())
def test_every_example_screens_as_written(name: str) -> None:
    assert [str(problem) for problem in checked(name).failures] == []


@pytest.mark.parametrize("name", shipped())
def test_one_line_sums_a_check_up(name: str) -> None:
    cases = len(written(name)["examples"])
    assert checked(name).line == f"{name}: {len(trial(name).criteria)} criteria, {cases} examples, all pass"


# The vignettes of the reference ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SUMMARY)
def test_a_vignette_expects_the_verdicts_of_the_summary(name: str) -> None:
    case = examples()[BASES.get(name, name)]
    assert set(case["expect"]) == {"C1", "C2", "C3"}
    letters = " ".join(LETTERS[case["expect"][cohort]] for cohort in ("C1", "C2", "C3"))
    assert letters == SUMMARY[name][0]


@pytest.mark.parametrize("name", SUMMARY)
def test_a_vignette_states_the_criteria_that_decide(name: str) -> None:
    deciding = re.findall(r"(?:S1|C\d)-\d\d", SUMMARY[name][1])
    case = examples()[BASES.get(name, name)]
    assert set(deciding) <= set(case["criteria"])


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_expects_what_the_reference_says_of_it(name: str) -> None:
    cohort, letter = VARIANTS[name]
    case = examples()[name]
    assert set(case["expect"]) == {"C1", "C2", "C3"}
    assert LETTERS[case["expect"][cohort]] == letter


def test_only_absences_to_confirm_make_it_eligible_if_confirmed() -> None:
    vignettes = {*SUMMARY, *VARIANTS}
    found = {
        (name, cohort)
        for name, case in examples().items()
        for cohort, verdict in case.get("expect", {}).items()
        if name in vignettes and verdict == "eligible_if_confirmed"
    }
    assert found == {("V25", "C1")}


def test_the_summary_is_that_of_the_reference(shared: Path) -> None:
    text = (shared / "reference/vignettes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (BASE-\d|V\d\d) \| (\w) \| (\w) \| (\w) \| (.+) \|$", text, re.MULTILINE)
    assert {row[0]: (" ".join(row[1:4]), row[4]) for row in rows} == SUMMARY


def test_every_variant_of_the_reference_is_there(shared: Path) -> None:
    text = (shared / "reference/vignettes.md").read_text(encoding="utf-8")
    found = set()
    for vignette, body in re.findall(r"^### (V\d\d) (.+?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        found |= {vignette + letter for letter in re.findall(r"Variant ([a-z])\b", body)}
    assert found == set(VARIANTS) - {"V25-assumed"}


# What an examples file has no word for ----------------------------------------------------------------------


def test_what_is_to_confirm_is_what_was_left_out() -> None:
    cohort = screened(patient_entry("V25"))["C1"]
    wanted = "deep_tissue_infection neurologic_disorder other_malignancy sos_vod syncope ventricular_arrhythmia"
    assert sorted(question.kind for question in cohort.to_confirm) == wanted.split()
    assert (cohort.to_do, cohort.missing) == ((), ())


def test_a_failed_test_is_ignored_and_said() -> None:
    found = screened(patient_entry("V22"))
    assert [cohort.verdict for cohort in found.cohorts] == ["undetermined", "ineligible", "undetermined"]
    assert [problem.fact_kept for problem in found.problems] == [False]


def test_a_treatment_that_is_never_allowed_never_clears() -> None:
    assert screened(patient_entry("V08")).criterion("C2-09").clears_on is None


def test_a_group_denied_is_every_member_denied() -> None:
    """No cardiac history, in the one word the reference uses."""
    heart = [kind.name for kind in load_catalogue() if "cardiac_disease" in load_catalogue().ancestors(kind.name)]
    entry = patient_entry("B1")
    facts = [fact for fact in entry["facts"] if fact["kind"] not in heart]
    assert len(facts) < len(entry["facts"])
    denied = {"kind": "cardiac_disease", "value": "no", "recorded": "2026-03-14"}
    assert screened({**entry, "facts": facts})["C1"].verdict == "eligible_if_confirmed"
    assert screened({**entry, "facts": [*facts, denied]})["C1"].verdict == "eligible"


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("B1", (TRUE, FALSE, FALSE)),
        ("V03", (FALSE, TRUE, FALSE)),
        ("V04", (FALSE, TRUE, FALSE)),
        ("V05", (FALSE, FALSE, TRUE)),
        ("V05a", (FALSE, UNKNOWN, UNKNOWN)),
    ],
)
def test_the_cns_category(name: str, category: tuple[object, ...]) -> None:
    found = screened(patient_entry(name))
    memory = Memory(View(found.patient, found.catalogue), found.anchors)
    definitions = found.trial.definitions
    assert tuple(memory.evaluate(definitions[key].named).truth for key in ("cns1", "cns2", "cns3")) == category
