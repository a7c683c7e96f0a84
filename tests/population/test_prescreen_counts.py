"""Attrition, verdicts, the order of candidates, the list of decisions, the steps of limits: worked out by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.trials.flagship import trial

from onstudy.criteria.expr import TruthExpr
from onstudy.errors import InvalidFile
from onstudy.language.parse import parse
from onstudy.language.unparse import unparse
from onstudy.population.attrition import attrition, steps_left, total
from onstudy.population.candidates import NEVER, ORDER_SAID, SCHEMA, Found, in_order, table_of
from onstudy.population.decisions import NO_DECISIONS, Decision, Decisions, read_decisions
from onstudy.population.limits import numeric_limits
from onstudy.population.prescreen_parts import added
from onstudy.population.prescreen_verdicts import VERDICT_NAMES, statuses, verdicts
from onstudy.record.catalogue import load_catalogue

ON = date(2026, 3, 16).toordinal()
NO, OPEN, YES, NA = range(4)


def int8(rows: object) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.array(rows, np.int8)


# Attrition ------------------------------------------------------------------------------------------------------


def test_attrition_alone_in_order_and_only_this_one() -> None:
    # Six patients: met all; fails A; fails A and B; fails B; unknown A and fails C; unknown B.
    a = [YES, NO, NO, YES, OPEN, NA]
    b = [YES, YES, NO, NO, YES, OPEN]
    c = [YES, YES, YES, YES, NO, YES]
    found = attrition(int8([a, b, c]), int8([a, [YES, YES, NO, NO, YES, YES], c])).lines()
    assert [line["not_met"] for line in found] == [2, 2, 1]
    assert [line["excluded_in_order"] for line in found] == [2, 1, 1]
    assert [line["left_in_order"] for line in found] == [4, 3, 2]
    assert [line["only_this_one"] for line in found] == [1, 1, 1]
    assert [line["unknown"] for line in found] == [1, 1, 0]
    assert [line["unknown_if_confirmed"] for line in found] == [1, 0, 0]
    assert [line["not_applicable"] for line in found] == [1, 0, 0]
    assert [line["met"] for line in found] == [2, 3, 5]
    assert {line["assessed"] for line in found} == {6}


def test_attrition_of_parts_adds_up() -> None:
    rng = np.random.default_rng(5)
    recorded = rng.integers(0, 4, (5, 300), np.int8)
    parts = [attrition(recorded[:, some], recorded[:, some]) for some in (slice(0, 120), slice(120, 300))]
    assert total(parts).lines() == attrition(recorded, recorded).lines()


def test_attrition_of_no_criteria_and_of_nobody() -> None:
    assert attrition(int8(np.zeros((0, 3))), int8(np.zeros((0, 3)))).lines() == []
    assert attrition(int8(np.zeros((1, 0))), int8(np.zeros((1, 0)))).lines()[0]["left_in_order"] == 0


def test_steps_are_put_together() -> None:
    lines = [
        {"excluded_in_order": 3, "left_in_order": 7},
        {"excluded_in_order": 2, "left_in_order": 5},
        {"excluded_in_order": 1, "left_in_order": 4},
    ]
    assert steps_left(lines, ["step 1", "step 1", "cohort C1"]) == [("step 1", 5, 5), ("cohort C1", 1, 4)]


@pytest.mark.parametrize(
    ("recorded", "confirmed", "expected"),
    [
        (YES, YES, ("eligible", "eligible")),
        (NO, NO, ("ineligible", "ineligible")),
        (OPEN, YES, ("eligible_if_confirmed", "eligible")),
        (OPEN, OPEN, ("undetermined", "undetermined")),
        (OPEN, NO, ("undetermined", "ineligible")),
    ],
)
def test_verdicts(recorded: int, confirmed: int, expected: tuple[str, str]) -> None:
    now, later = verdicts(int8([recorded]), int8([confirmed]))
    assert (VERDICT_NAMES[now[0]], VERDICT_NAMES[later[0]]) == expected


def test_a_rule_whose_condition_fails_does_not_apply() -> None:
    truth, condition = int8([YES, YES, YES, OPEN, NO]), int8([NO, OPEN, YES, OPEN, YES])
    assert statuses(truth, condition).tolist() == [NA, YES, YES, OPEN, NO]
    assert statuses(truth, None).tolist() == truth.tolist()


def test_counts_add_up_name_by_name() -> None:
    one = {"a": [1, 2], "b": {"x": 1}, "c": 3}
    other = {"a": [10, 20], "b": {"y": 5}, "c": 4}
    assert added([one, other]) == {"a": [11, 22], "b": {"x": 1, "y": 5}, "c": 7}
    assert added([]) == {}


# Candidates -----------------------------------------------------------------------------------------------------


def found(patients: list[tuple[str, int, int, int, int]]) -> pa.Table:
    """Candidates of an id, how much is missing, to confirm and to do, and the day from which they are possible."""

    def some(counts: list[int]) -> tuple[list[str], np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
        names = [f"kind{number}" for number in range(3)]
        asked = [[number < count for number in range(3)] for count in counts]
        return names, np.array(asked, np.bool_).reshape(len(patients), 3)

    size = len(patients)
    days = np.array([row[4] for row in patients], np.int32)
    never = np.full(size, NEVER, np.int32)
    return table_of(
        Found(
            patients=pa.array([row[0] for row in patients], pa.string()),
            verdict=int8([1] * size),
            if_confirmed=int8([1] * size),
            criteria=["A", "B"],
            open=np.array([[True, False]] * size, np.bool_).reshape(size, 2),
            asked={
                "missing": some([row[1] for row in patients]),
                "to_confirm": some([row[2] for row in patients]),
                "to_do": some([row[3] for row in patients]),
            },
            possible_from=days,
            earliest=never,
            earliest_if_confirmed=days,
            last_data=days,
        ),
        "T1", "C1", 0, 0,
    )  # fmt: skip


def test_candidates_come_in_the_order_that_is_stated(tmp_path: Path) -> None:
    one = found([("b", 1, 0, 0, ON), ("e", 0, 2, 0, ON), ("a", 1, 0, 0, ON), ("h", 0, 1, 0, NEVER)])
    other = found([("d", 0, 1, 3, ON), ("c", 0, 1, 0, ON + 4), ("g", 2, 0, 0, ON), ("f", 0, 1, 0, ON)])
    rows = [row for batch in in_order([one, other], NO_DECISIONS, tmp_path) for row in batch.to_pylist()]
    # d waits for three things to do and still comes before f, whose id is later.
    assert [row["patient"] for row in rows] == ["d", "f", "c", "h", "e", "a", "b", "g"]
    assert list(rows[0]) == SCHEMA.names
    assert rows[0] | {"patient": ""} == {
        "patient": "", "trial": "T1", "cohort": "C1", "verdict": "undetermined", "if_confirmed": "undetermined",
        "n_missing": 0, "n_to_confirm": 1, "n_to_do": 3, "deciding": ["A"],
        "missing": [], "to_confirm": ["kind0"], "to_do": ["kind0", "kind1", "kind2"],
        "possible_from": date(2026, 3, 16), "earliest": None, "earliest_if_confirmed": date(2026, 3, 16),
        "last_data": date(2026, 3, 16), "decision": None, "decided_on": None, "decision_reason": None,
    }  # fmt: skip
    assert "pushes nobody down" in ORDER_SAID


def test_what_was_decided_stands_beside_the_candidate(tmp_path: Path) -> None:
    day = date(2026, 3, 1)
    listed = [("f", "T1", "declined"), ("f", "T2", "enrolled"), ("z", "T1", "enrolled")]
    decisions = Decisions({(p, t): Decision(p, t, what, day, "lives too far away", 2) for p, t, what in listed}, 3)
    batches = in_order([found([("f", 0, 0, 0, ON), ("g", 0, 0, 0, ON)])], decisions, tmp_path)
    rows = [row for batch in batches for row in batch.to_pylist()]
    seen = [(row["patient"], row["decision"], row["decided_on"], row["decision_reason"]) for row in rows]
    assert seen == [("f", "declined", day, "lives too far away"), ("g", None, None, None)]


def test_no_candidates_are_no_rows(tmp_path: Path) -> None:
    assert [row for batch in in_order([found([])], NO_DECISIONS, tmp_path) for row in batch.to_pylist()] == []


# Decisions ------------------------------------------------------------------------------------------------------


def decided(tmp_path: Path, text: str) -> Decisions:
    (tmp_path / "seen.csv").write_text(text, encoding="utf-8")
    return read_decisions(tmp_path / "seen.csv")


def test_the_newest_decision_counts(tmp_path: Path) -> None:
    read = decided(
        tmp_path,
        '\ufeffdate,patient,trial,decision,reason\n2026-03-01,p1,T1,declined,\n2026-03-05,p1,T1,enrolled,"now, yes"\n'
        "2026-02-01,p1,T1,contacted,\n\n2026-03-01,p2,T2,declined,far\n",
    )
    assert {key: one.decision for key, one in read.newest.items()} == {
        ("p1", "T1"): "enrolled",
        ("p2", "T2"): "declined",
    }
    assert read.newest["p1", "T1"].reason == "now, yes"
    assert (read.rows, read.not_asked(frozenset({"T1"}))) == (4, 1)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["has no column 'patient'", "'trial'", "'decision'", "'date'"]),
        ("patient,trial,decison,date\n", ["has no column 'decision'", "did you mean decision?"]),
        ("patient,patient,trial,decision,date\n", ["names a column twice"]),
        ("patient,trial,decision,date\np1,T1,declined\n", ["seen.csv:2: has 3 cells; the header has 4"]),
        (
            "patient,trial,decision,date\n,T1,declined,2026-03-01\np1,T1,,1.3.2026\n",
            ["seen.csv:2: patient is empty", "seen.csv:3: decision is empty", "seen.csv:3: date is not a date"],
        ),
        (
            "patient,trial,decision,date\np1,T1,declined,2026-03-01\np1,T1,enrolled,2026-03-01\n",
            ["seen.csv:3: another decision of the same patient, trial and day than in line 2"],
        ),
        ('patient,trial,decision,date\n"p1,T1\n', ["is not CSV"]),
        (f"patient,trial,decision,date\np1,T1,{'x' * 61},2026-03-01\n", ["decision is longer than 60 characters"]),
    ],
)
def test_all_that_is_wrong_is_said_at_once(tmp_path: Path, text: str, problems: list[str]) -> None:
    with pytest.raises(InvalidFile) as raised:
        decided(tmp_path, text)
    for problem in problems:
        assert problem in str(raised.value)
    assert "p1" not in str(raised.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_decisions(tmp_path / "none.csv")
    (tmp_path / "seen.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidFile, match="not UTF-8"):
        read_decisions(tmp_path / "seen.csv")


# Limits ---------------------------------------------------------------------------------------------------------


def rule(text: str) -> TruthExpr:
    return parse(text, load_catalogue())


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("latest bilirubin_total <= 1.5 ULN", ["2 x ULN", "2.5 x ULN"]),
        ("latest lvef >= 45 %", ["40 %", "35 %"]),
        ("latest ecog <= 2", ["3", "4"]),
        ("age at registration >= 60 years", ["55 years", "50 years"]),
        ("latest platelets >= 75 10*9/L", ["70 10*9/L", "65 10*9/L"]),
        ("duration of treatment <= 14 days", ["21 days", "28 days"]),
        ("days of treatment <= 1 day", ["2 days", "3 days"]),
        ("not latest ecog > 2", ["3", "4"]),
        ("if latest ecog > 1 then any pacemaker", ["2", "3"]),
        ("latest ecg has (qtcf <= 470 ms)", ["500 ms", "550 ms"]),
        ("no ecog where (value >= 3)", ["4", "5"]),
        ("count of ecog where (value >= 3) >= 2", ["1", "0", "2", "1"]),
        ("latest ecog = 2", []),
        ("latest ecog > 0", []),
    ],
)
def test_the_next_steps_of_a_limit_ask_for_less(text: str, steps: list[str]) -> None:
    limits = numeric_limits(rule(text))
    assert [step.written for limit in limits for step in limit.steps] == steps


def test_a_step_changes_nothing_but_its_limit() -> None:
    text = "latest bilirubin_total <= 1.5 ULN or (latest bilirubin_total <= 2 ULN and gilbert_syndrome)"
    first, second = numeric_limits(rule(text))
    assert (first.written, second.written) == ("1.5 x ULN", "2 x ULN")
    assert unparse(first.steps[0].rule) == (
        "latest bilirubin_total <= 2 ULN or (latest bilirubin_total <= 2 ULN and any gilbert_syndrome)"
    )
    assert unparse(second.steps[1].rule) == (
        "latest bilirubin_total <= 1.5 ULN or (latest bilirubin_total <= 3 ULN and any gilbert_syndrome)"
    )


def test_a_limit_written_in_another_unit_moves_in_that_unit() -> None:
    (limit,) = numeric_limits(rule("latest hemoglobin >= 90 g/L"))
    assert [step.written for step in limit.steps] == ["80 g/L", "70 g/L"]
    assert [unparse(step.rule) for step in limit.steps] == [
        "latest hemoglobin >= 80 g/L",
        "latest hemoglobin >= 70 g/L",
    ]
    assert [step.rule.right.value for step in limit.steps] == [8.0, 7.0]  # type: ignore[attr-defined]


def test_every_moved_rule_of_the_flagship_reads_back() -> None:
    flagship = trial()
    moved = [limit for row in flagship.criteria if row.rule is not None for limit in numeric_limits(row.rule)]
    assert len(moved) > 20
    assert all(step.written != limit.written for limit in moved for step in limit.steps)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_decisions_may_stand_between_semicolons_or_tabs(tmp_path: Path, mark: str) -> None:
    """As a spreadsheet writes them where the comma is the decimal sign."""
    lines = ["patient,trial,decision,date,reason", "p1,T1,declined,2026-03-01,far away"]
    (tmp_path / "seen.csv").write_text("\n".join(lines).replace(",", mark))
    assert read_decisions(tmp_path / "seen.csv").newest["p1", "T1"].reason == "far away"


def test_decisions_that_lie_in_no_file_are_named_as_they_were_given() -> None:
    with pytest.raises(InvalidFile, match=r"^/dev/null:1: "):
        read_decisions(Path("/dev/null"))


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        ("latest hemoglobin >= 90 g/L", "latest hemoglobin >= 90 g/L"),
        ("no hemoglobin where (value >= 90 g/L)", "value >= 90 g/L of hemoglobin"),
        ("every hemoglobin has (value >= 90 g/L)", "value >= 90 g/L of hemoglobin"),
        ("latest hemoglobin has (value >= 90 g/L)", "value >= 90 g/L of hemoglobin"),
    ],
)
def test_a_limit_in_a_condition_says_of_what_it_is(text: str, comparison: str) -> None:
    assert [limit.comparison for limit in numeric_limits(rule(text))] == [comparison]
