"""A check proves that every criterion is met, not met and unknown in an example, or holds a reason why it cannot be."""

from __future__ import annotations

import re
from pathlib import Path

from tests.trials.flagship import trial

from onstudy.criteria.trial import Severity
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.check import check_examples

NAME = "NCT06480136"
STATUSES = {"met", "not_met", "unknown"}


def failures(folder: Path, text: str) -> list[str]:
    """What a check of the trial with these examples says."""
    path = folder / f"{NAME}.examples.yaml"
    path.write_text(f"trial: {NAME}\non: 2026-03-16\n{text}", encoding="utf-8")
    return [str(problem) for problem in check_examples(trial(NAME), path, load_catalogue()).failures]


def test_a_status_no_example_reaches_is_told_for_every_criterion_with_a_rule(tmp_path: Path) -> None:
    rows = [row.id for row in trial(NAME).criteria if row.severity is not Severity.INFORMATION]
    told = failures(tmp_path, "examples: []\n")
    assert len(told) == len(rows) * len(STATUSES)
    assert any("I-01 is never not_met; add an example or say why under 'unreachable'" in one for one in told)


def test_a_draft_without_examples_is_checked_and_the_way_out_leads_on(tmp_path: Path) -> None:
    path = tmp_path / "draft.examples.yaml"
    checked = check_examples(trial(NAME), path, load_catalogue())
    (problem,) = checked.failures
    assert str(problem).startswith("draft.examples.yaml: there is no such file: the trial file is valid")
    assert checked.line == f"{NAME}: {len(trial(NAME).criteria)} criteria, no examples, 1 problem"
    lines = re.findall(r"'([^']+: [^']+)'", problem.what)
    path.write_text("\n".join(lines), encoding="utf-8")
    told = check_examples(trial(NAME), path, load_catalogue()).failures
    assert all("is never" in one.what for one in told) and len(told) > 100


def test_a_reason_excuses_one_status_and_no_other(tmp_path: Path) -> None:
    told = failures(tmp_path, "examples: []\nunreachable:\n  I-01:\n    not_met: Nobody is too young to be asked.\n")
    assert {status for status in STATUSES if any(f"I-01 is never {status};" in one for one in told)} == {
        "met",
        "unknown",
    }


def test_what_is_said_to_be_unreachable_and_is_reached_is_told(tmp_path: Path) -> None:
    example = "examples:\n  - {id: E1, born: 1960-01-01, sex: male, expect: {T: undetermined}}\n"
    excuse = "unreachable:\n  I-01: {met: x, not_met: x, unknown: x}\n"
    (told,) = [one for one in failures(tmp_path, example + excuse) if "said never to be" in one]
    assert "I-01 is said never to be" in told


def test_a_reason_names_a_criterion_with_a_rule_a_status_and_why(tmp_path: Path) -> None:
    guidance = next(row.id for row in trial(NAME).criteria if row.severity is Severity.INFORMATION)
    wrong = f"  I-1: {{met: x}}\n  I-01: {{nott_met: x, unknown: ''}}\n  {guidance}: {{met: x}}\n"
    told = "\n".join(failures(tmp_path, f"examples: []\nunreachable:\n{wrong}"))
    assert "unreachable: there is no criterion 'I-1' with a rule; did you mean I-" in told
    assert f"unreachable: there is no criterion '{guidance}' with a rule" in told
    assert "unreachable I-01 has no 'nott_met'; did you mean not_met?" in told
    assert "unreachable I-01: say why it is never unknown" in told
