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
      - {id: A4b, text: not known whether a rule is lacking, severity: info}
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
demo.yaml:1:1: the trial lacks 'title'
demo.yaml:3:1: the trial has no 'tittle'; did you mean title?
demo.yaml:7:21: setting lookback: '12 moths': 'moths' is no unit; did you mean months?
demo.yaml:8:10: setting limit is used by no rule; changing it would change nothing
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
demo.yaml:30:72: severity is required, warning or information, not 'info'
demo.yaml:35:22: there is no kind 'bilirubin'; did you mean bilirubin_total?
demo.yaml:41:44: 'prednison' is not one of agent; did you mean prednisone?
demo.yaml:45:18: there is no kind 'strok'; did you mean stroke?
demo.yaml:48:45: '45' lacks a unit; what it is compared with is measured in %
demo.yaml:52:26: warn_older_than is a number of days, as in '14 days'
demo.yaml:55:33: 'before' does not fit here; expected $setting, a number
demo.yaml:57:5: a cohort lacks 'criteria'
demo.yaml:59:5: a cohort has no 'criterias'; did you mean criteria?
""".splitlines()


def test_all_problems_are_shown_at_once_with_place_and_way_out() -> None:
    assert problems(BROKEN) == SAID


def test_one_wrong_letter_of_a_short_word() -> None:
    found = problems(GOOD.replace("rule: no seizure", "rool: no seizure", 1))
    assert any("a criterion has no 'rool'; did you mean rule?" in line for line in found)


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


# Several problems of one rule ---------------------------------------------------------------------------------


def of_rule(rule: str) -> list[str]:
    """What is said of a rule that stands in line 24 of the file, from its column 11 on."""
    return problems(GOOD.replace("rule: no seizure", f"rule: >\n          {rule}", 1))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            "no strok and latest lvef >= 45 and latest ecog <= 2",
            ["24:14: there is no kind 'strok'", "24:39: '45' lacks a unit"],
        ),
        (
            "if age at registraton >= 18 years then latest qtcf <= 470 mg",
            ["24:21: there is no anchor 'registraton'", "24:65: 'mg' cannot be expressed in 'ms'"],
        ),
        (
            "no strok within 6 months before regstration",
            ["24:14: there is no kind 'strok'", "24:43: there is no anchor 'regstration'"],
        ),
        (
            "every treatment where (agnt is rituximab) has (end is at least 1.5 months before therapystart)",
            [
                "24:34: 'agnt' is neither",
                "24:74: '1.5 months' is not a duration",
                "24:92: there is no anchor 'therapystart'",
            ],
        ),
        (
            "any treatment where (agent in (prednison, rituximab, ritximab))",
            ["24:42: 'prednison' is not one of agent", "24:64: 'ritximab' is not one of agent"],
        ),
        (
            "latest ecg within $lokback before registration has (qtcf <= 470 ms and rat >= 40 /min)",
            ["24:29: there is no setting 'lokback'", "24:82: 'rat' is neither"],
        ),
        ("latest lvef * latest blst_percent <= 3", ["24:32: there is no kind 'blst_percent'"]),
        ("not no strok or not (latest ecg <= 2)", ["24:18: there is no kind 'strok'", "24:32: ecg has no value"]),
    ],
)
def test_all_mistakes_of_one_rule_are_told_with_their_places(rule: str, said: list[str]) -> None:
    found = of_rule(rule)
    assert len(found) == len(said), found
    for line, wanted in zip(found, said, strict=True):
        assert line.startswith(f"demo.yaml:{wanted}"), found


def test_what_depends_on_a_mistake_adds_no_second_one() -> None:
    """The body of an unknown kind, a number beside an unknown value, a rule that names a wrong definition."""
    assert len(of_rule("no strok where (clinically_relevant is yes)")) == 1
    assert len(of_rule("latest bilirubn <= 2 foo")) == 1
    broken = GOOD.replace("rule: latest sex is female", "rule: latest sex is femal").replace(
        "rule: no seizure", "rule: no seizure and not possible", 1
    )
    assert problems(broken) == ["demo.yaml:13:32: 'femal' is not one of sex; did you mean female?"]


# Settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("{value: 12 moths, reason: r}", "'12 moths': 'moths' is no unit; did you mean months?"),
        ("{value: 1.5 months, reason: r}", "'1.5 months' is not a duration"),
        ("{value: 470 msecs2, reason: r}", "'470 msecs2': 'msecs2'"),
        ("{value: prednison, reason: r}", "'prednison' is no number, duration or code; did you mean prednisone?"),
        ("{value: [rituximab, prednison], reason: r}", "'prednison' is not one of agent; did you mean prednisone?"),
        ("{value: {low: 1}, reason: r}", "a setting is a number, a duration, a code or a list of codes"),
        ("{value: [], reason: r}", "a setting is a number, a duration, a code or a list of codes"),
        ('{value: "", reason: r}', "'' is no number, duration or code"),
    ],
)
def test_a_setting_whose_value_no_rule_could_use_is_told_where_it_stands(setting: str, said: str) -> None:
    unused = problems(GOOD.replace("settings:\n", f"settings:\n  new: {setting}\n"))
    assert any(said in line for line in unused), unused
    assert any("setting new is used by no rule" in line for line in unused)
    text = GOOD.replace("settings:\n", f"settings:\n  new: {setting}\n")
    used = problems(text.replace("rule: no seizure", "rule: no seizure within $new before registration", 1))
    assert len(used) == 1  # at the setting, and not again at the rule
    assert said in used[0]
    assert used[0].startswith("demo.yaml:9:")


@pytest.mark.parametrize("value", ["3 days", "1 month", "5 %", "1.5 ULN", "2 x ULN", "7", "0.8 mg/m2", "prednisone"])
def test_a_setting_that_some_rule_could_use_is_well_formed(value: str) -> None:
    text = GOOD.replace("settings:\n", f"settings:\n  new: {{value: {value}, reason: r}}\n")
    assert problems(text) == ["demo.yaml:9:8: setting new is used by no rule; changing it would change nothing"]
    assert read(text.replace("{primary: later}", "{primary: $new}")).settings["new"].value == value


def test_a_setting_that_does_not_fit_its_place_is_told_there() -> None:
    wrong = GOOD.replace("agent in ($agents)", "agent in ($lookback)").replace("within $lookback", "within $agents")
    assert problems(wrong) == [
        "demo.yaml:12:49: $agents is a list of codes; a number or duration is needed here",
        "demo.yaml:16:21: $lookback: '12 months' is not one of agent",
    ]


def test_a_rule_that_is_made_of_names_alone_still_needs_them_right() -> None:
    assert problems(GOOD.replace("rule: no seizure", "rule: not $lookback", 1)) == [
        "demo.yaml:23:19: a $setting stands where a number, a duration or a code is compared"
    ]


# No trial file at all -----------------------------------------------------------------------------------------


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
