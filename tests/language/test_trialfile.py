"""A trial file with problems makes no trial: all of them are shown at once, each with its place and the way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onstudy.criteria.expr import If, Named
from onstudy.criteria.trial import Severity, Trial
from onstudy.errors import InvalidFile
from onstudy.language.trialfile import load_trial_file, read_trial
from onstudy.record.catalogue import load_catalogue
from onstudy.values.calendar import Duration, Unit

GOOD = """\
id: DEMO
version: "1"
title: A trial
protocol_version: amendment 3
anchors:
  registration: {label: Registration}
  therapy_start: {label: Start, not_before: registration}
settings:
  lookback: {value: 12 months, reason: convention}
  agents: {value: [prednisone, rituximab], reason: convention}
definitions:
  possible: {rule: female and any menses within $lookback before registration, note: convention}
  female: {rule: latest sex is female}
  allowed:
    of: treatment
    rule: agent in ($agents)
steps:
  - id: "0"
    title: Registration
    criteria:
      - id: S-1
        text: "No seizure, ever"
        rule: no seizure
      - id: S-2
        text: a hint
        severity: information
        note: never decides
      - {id: S-3, text: ECG, rule: latest ecg has (qtcf <= 470 ms), severity: warning, warn_older_than: 14 days}
cohorts:
  - id: C1
    title: One
    criteria:
      - id: C1-1
        text: negative test
        rule: >
          if possible
          then latest pregnancy_test within 7 days before registration is negative
      - {id: C1-2, text: agents, rule: every treatment has (allowed)}
endpoints: {primary: later}
"""


def read(text: str) -> Trial:
    return read_trial(text.encode(), "demo.yaml", load_catalogue())


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidFile) as raised:
        read(text)
    return [str(problem) for problem in raised.value.problems]


def test_a_good_file() -> None:
    trial = read(GOOD)
    assert [row.id for row in trial.criteria] == ["S-1", "S-2", "S-3", "C1-1", "C1-2"]
    first, hint, ecg, pregnancy, agents = trial.criteria
    assert (first.text, first.rule_text, first.severity) == ("No seizure, ever", "no seizure", Severity.REQUIRED)
    assert (hint.rule, hint.severity) == (None, Severity.INFORMATION)
    assert (ecg.severity, ecg.warn_older_than) == (Severity.WARNING, Duration(14, Unit.DAYS))
    assert (pregnancy.cohort, pregnancy.step, first.step) == ("C1", None, "0")
    assert isinstance(pregnancy.conditional, If)
    assert isinstance(pregnancy.conditional.condition, Named)
    assert agents.rule_text == "every treatment has (allowed)"
    assert trial.anchors["therapy_start"].not_before == "registration"
    assert trial.settings["agents"].value == ("prednisone", "rituximab")
    assert trial.definitions["possible"].text == "female and any menses within $lookback before registration"
    assert trial.identity["protocol_version"] == "amendment 3"
    assert trial.later["endpoints"] == {"primary": "later"}
    assert [row.id for row in trial.deciding_of("C1")] == ["S-1", "C1-1", "C1-2"]


BROKEN = """\
id: DEMO
version: "1"
tittle: A trial
anchors:
  registration: {label: Registration}
settings:
  lookback: {value: 12 moths, reason: convention}
  limit: {value: 5 %}
definitions:
  female: {rule: latest sex is femal}
  loop: {rule: not pool}
  pool: {rule: any stroke or loop}
  allowed:
    of: treatmnt
    rule: agent is prednisone
  seizure: {rule: any stroke}
steps:
  - id: "0"
    title: Pre-registration
    criteria:
      - id: A1
        text: Age
        rule: age at registraton >= 18 years
      - id: A1
        text: twice
        rule: latest ecog <= 2
      - {id: A2, text: no rule}
      - {id: A3, text: info, severity: information, rule: no seizure}
      - {id: A4, text: bad, severity: requird, rule: no stroke}
      - id: A5
        text: folded
        rule: >
          latest bilirubin_total <= 1.5 ULN
          or (latest bilirubin <= 2 ULN
          and gilbert_syndrome)
      - id: A6
        text: literal
        rule: |
          no stroke
          and no treatment where (agent is prednison)
      - id: A7
        text: plain, over two lines
        rule: no stroke
          and no strok
      - id: A8
        text: quoted
        rule: "no stroke and latest lvef >= 45"
      - id: A9
        text: setting
        rule: any menses within $lookback before registration
        warn_older_than: 2 weeks
      - id: A10
        text: syntax
        rule: any stroke within before registration
cohorts:
  - id: C1
    title: One
    criterias: []
"""

SAID = """\
demo.yaml:3:1: the trial has no 'tittle'; did you mean title?
demo.yaml:8:10: setting limit lacks 'reason'
demo.yaml:10:32: 'femal' is not one of sex; did you mean female?
demo.yaml:11:9: definition loop leads back to itself: loop -> pool -> loop
demo.yaml:14:9: there is no kind 'treatmnt'; did you mean treatment?
demo.yaml:16:12: definition seizure has the name of a kind; choose another
demo.yaml:23:22: there is no anchor 'registraton'; did you mean registration?
demo.yaml:24:9: criterion A1 is written twice (first in line 21)
demo.yaml:27:9: criterion A2: information has no rule, every other criterion has one
demo.yaml:28:9: criterion A3: information has no rule, every other criterion has one
demo.yaml:29:39: severity is required, warning or information, not 'requird'
demo.yaml:34:22: there is no kind 'bilirubin'; did you mean bilirubin_total?
demo.yaml:40:44: 'prednison' is not one of agent; did you mean prednisone?
demo.yaml:44:18: there is no kind 'strok'; did you mean stroke?
demo.yaml:47:45: '45' lacks a unit; what it is compared with is measured in %
demo.yaml:50:33: '12 moths' is not a duration; write a whole number of hours, days, weeks, months or years
demo.yaml:51:26: warn_older_than is a number of days, as in '14 days'
demo.yaml:54:33: 'before' does not fit here; expected $setting, a number
demo.yaml:58:5: a cohort has no 'criterias'; did you mean criteria?
""".splitlines()


def test_all_problems_are_shown_at_once_with_place_and_way_out() -> None:
    said = problems(BROKEN)
    assert [line for line in SAID if line not in said] == []
    lacking = {"the trial lacks 'title'", "a cohort lacks 'criteria'"}
    rest = {line for line in said if line not in SAID}
    assert {line.split(": ", 1)[1] for line in rest} - lacking <= {
        "definition pool leads back to itself: pool -> loop -> pool"
    }


def test_every_problem_points_into_the_file() -> None:
    lines = BROKEN.splitlines()
    for line in problems(BROKEN):
        place = re.match(r"demo\.yaml:(\d+):(\d+): ", line)
        assert place is not None, line
        assert 1 <= int(place[1]) <= len(lines)
        assert 1 <= int(place[2]) <= len(lines[int(place[1]) - 1]) + 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "not_before: registration",
            "not_before: registraton",
            "7:45: there is no anchor 'registraton'; did you mean registration?",
        ),
        ("rule: no seizure", "rule: any seizure and", "23:30: the end of the rule does not fit here"),
        (
            "rule: no seizure",
            "rule: any seizure where (start is afer registration)",
            "23:48: 'registration' does not fit here",
        ),
    ],
)
def test_one_problem(old: str, new: str, said: str) -> None:
    found = problems(GOOD.replace(old, new, 1))
    assert len(found) == 1
    assert found[0].startswith(f"demo.yaml:{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a trial file is one YAML mapping"),
        ("- a\n- b\n", "a trial file is one YAML mapping"),
        ("id: A\n---\nid: B\n", "a trial file is one YAML mapping"),
        ("id: A\nid: B\n", "2:1: 'id' is written twice (first in line 1)"),
        ("id: &a X\nversion: *a\n", "anchors and aliases"),
        ("id: !!python/name:os.system x\n", "tags (!) are not allowed"),
        ("id: [1, 2\n", "not readable as YAML"),
    ],
)
def test_what_is_no_trial_file(text: str, said: str) -> None:
    assert any(said in line for line in problems(text)), problems(text)


def test_a_file_that_is_not_text_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="is not UTF-8 text"):
        read_trial(b"\xff\xfe\x00", "demo.yaml", load_catalogue())
    with pytest.raises(InvalidFile, match="cannot be read"):
        load_trial_file(tmp_path / "none.yaml", load_catalogue())


def test_loading_runs_no_code_and_refuses_what_is_too_deep() -> None:
    deep = "not " * 3000 + "seizure"
    assert any("nested too deeply" in line for line in problems(GOOD.replace("rule: no seizure", f"rule: {deep}", 1)))
    long = "no seizure and " * 2000 + "no seizure"
    assert any("longer than" in line for line in problems(GOOD.replace("rule: no seizure", f"rule: {long}", 1)))
