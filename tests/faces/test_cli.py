"""The command line as a stranger uses it: exit codes, formats, nothing half-written, nothing of a patient in errors."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from onstudy.language.library import SHIPPED

EXAMPLES = Path(__file__).parents[2] / "examples"
ON = ["--on", "2026-03-16", "--therapy-start", "2026-03-18T09:00"]
PATIENT = """
patient: Jane Doe 4711
born: 1955-06-20
sex: male
facts:
  - {kind: bilirubin_total, on: 2026-03-15, value: 1.8 mg/dL, uln: 1.2 mg/dL}
  - {kind: ecog, on: 2026-03-14, value: 1}
"""
KEYS = [
    "trial", "trial_version", "patient", "on", "as_known_on", "anchors", "assumed_complete", "defaults_used",
    "cohorts", "criteria", "problems",
]  # fmt: skip
COHORT_KEYS = [
    "id", "verdict", "deciding", "to_confirm", "to_do", "missing", "settled_by", "windows", "earliest",
    "earliest_if_confirmed",
]  # fmt: skip
CRITERION_KEYS = [
    "id", "step", "cohort", "severity", "text", "rule", "status", "if_confirmed", "reasons", "because", "near",
    "clears_on", "holds_until", "evidence",
]  # fmt: skip


def onstudy(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "onstudy.faces.cli", *words],
        input=stdin, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    path = tmp_path / "patient.yaml"
    path.write_text(PATIENT)
    return path


def test_what_a_result_is_written_to_stays_what_it_is(patient: Path, tmp_path: Path) -> None:
    """A link is followed, and a pipe or a device is no file to be replaced."""
    told, link, pipe = tmp_path / "told.json", tmp_path / "link.json", tmp_path / "pipe"
    told.write_text("old")
    link.symlink_to(told)
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    for out in (link, pipe):
        run = onstudy("screen", "NCT03739814", str(patient), *ON, "--format", "json", "--out", str(out))
        assert run.returncode == 0, run.stderr
    assert link.is_symlink()
    assert json.loads(told.read_text())["trial"] == "NCT03739814"
    assert pipe.is_fifo()
    reader.join(10)
    assert json.loads(read[0])["trial"] == "NCT03739814"
    run = onstudy("screen", "NCT03739814", str(patient), *ON, "--format", "json", "--out", "/dev/stdout")
    assert json.loads(run.stdout)["trial"] == "NCT03739814"


@pytest.mark.parametrize("limit", ["21 umol/L", "1.2277918 mg/dL"])
def test_a_default_limit_is_in_the_unit_it_states(tmp_path: Path, limit: str) -> None:
    """60 umol/L is 2.86 times 21 umol/L; bilirubin has 584.66 g/mol, so 21 umol/L are 1.2278 mg/dL."""
    path = tmp_path / "si.yaml"
    path.write_text(f"{PATIENT}  - {{kind: bilirubin_total, on: 2026-03-16, value: 60 umol/L}}\n")
    words = ("--default-uln", f"bilirubin_total={limit}", "--format", "json")
    run = onstudy("screen", "NCT03739814", str(path), *ON, *words)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    row = next(row for row in found["criteria"] if row["id"] == "S1-33")
    assert row["status"] == "not_met"
    assert row["near"].startswith("60 umol/L is 2.86 x ULN, limit 1.5 x ULN; ")
    assert found["defaults_used"] == ["bilirubin_total=1.22779 mg/dL"]


def test_json_has_the_keys_of_the_design_in_their_order(patient: Path) -> None:
    run = onstudy("screen", "NCT03739814", str(patient), *ON, "--format", "json")
    assert run.returncode == 0, run.stderr
    (line,) = run.stdout.splitlines()
    found = json.loads(line)
    assert list(found) == KEYS
    assert [list(cohort) for cohort in found["cohorts"]] == [COHORT_KEYS] * 3
    assert all(list(row) == CRITERION_KEYS for row in found["criteria"])
    assert found["anchors"] == {"registration": "2026-03-16", "therapy_start": "2026-03-18T09:00"}
    row = next(row for row in found["criteria"] if row["id"] == "S1-33")
    assert (row["status"], row["near"]) == ("met", "1.8 mg/dL is 1.50 x ULN, limit 1.5 x ULN")
    assert line == json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def test_windows_have_no_gap(patient: Path) -> None:
    run = onstudy("screen", "NCT03739814", str(patient), *ON, "--format", "json", "--until", "2026-04-30")
    for cohort in json.loads(run.stdout)["cohorts"]:
        assert cohort["windows"][0]["from"] == "2026-03-16"
        assert cohort["windows"][-1]["to"] == "2026-04-30"


def test_same_input_same_bytes(patient: Path) -> None:
    runs = [onstudy("screen", "all", str(patient), *ON, "--format", "json").stdout for _ in range(2)]
    assert runs[0] == runs[1] != ""


def test_standard_input_and_several_patients(patient: Path) -> None:
    run = onstudy("screen", "NCT03739814", "-", str(patient), *ON, "--format", "json", stdin=PATIENT)
    assert [json.loads(line)["patient"] for line in run.stdout.splitlines()] == ["Jane Doe 4711"] * 2


def test_text_leads_with_the_verdict_and_fits_80_columns(patient: Path) -> None:
    run = onstudy("screen", "NCT03739814", str(patient), *ON)
    assert run.returncode == 0
    lines = run.stdout.splitlines()
    assert any(line.startswith("C1  UNDETERMINED") for line in lines[:8])
    assert max(map(len, lines)) <= 80
    assert run.stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["screen", "NCT99999999", "{good}"], "unknown trial"),
        (["screen", "NCT03739814", "{good}", "/nowhere/x.json"], "/nowhere/x.json"),
        (["screen", "NCT03739814", "{good}", "--on", "2026-02-30"], "--on"),
        (["screen", "NCT03739814", "{good}", "--format", "pdf"], "--format"),
        (["screen", "NCT03739814", "{good}", "--assume-complete", "lvef"], "--assume-complete: the absence of"),
        (["screen", "NCT03739814", "{good}", "--assume-complete", "sezure"], "no kind 'sezure'; did you mean seizure?"),
        (["screen", "NCT03739814", "{good}", "--anchor", "surgery=2026-03-01"], "no anchor"),
        (["screen", "NCT03739814", "{good}", "--anchor", "surgery"], "NAME=DATETIME"),
        (["screen", "NCT03739814", "{good}", "--therapy-start", "soon"], "not a date"),
        (["screen", "NCT03739814", "{good}", "--on", "2026-03-16", "--therapy-start", "2026-03-10"], "before"),
        (["screen", "NCT03739814", "{good}", "--until", "2020-01-01"], "--until 2020-01-01 lies"),
        (["screen", "NCT03739814", "{good}", "--default-uln", "ast=x"], "does not begin with a number"),
        (
            ["screen", "NCT03739814", "{good}", "--default-uln", "ast=40"],
            "state the unit of the limit, as in ast='40 U/L'",
        ),
        (["check", "NCT99999999"], "unknown trial"),
        (["diff", "NCT03739814", "/nowhere.yaml"], "/nowhere.yaml"),
        (["facts", "/nowhere.json"], "/nowhere.json"),
    ],
)
def test_what_cannot_be_used_is_exit_2_one_line_and_nothing_written(
    words: list[str], said: str, patient: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    further = ["--out", str(out)] if words[0] == "screen" else []
    run = onstudy(*[word.format(good=patient) for word in words], *further)
    assert run.returncode == 2, run.stdout
    assert said in run.stderr
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    assert "Jane" not in run.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("screen X x.yaml --todoo t", "there is no option --todoo; did you mean --todo? See `onstudy screen --help`"),
        ("screen NCT03739814 x.yaml -q", "there is no option -q; see `onstudy screen --help`"),
        ("screen", "missing argument 'TRIAL'; see `onstudy screen --help`"),
        ("screen NCT03739814 x.yaml --on", "option '--on' requires an argument"),
        ("facts --format", "option '--format' requires an argument"),
        ("scren x", "there is no command 'scren'; did you mean screen? See `onstudy --help`"),
        ("registry updte", "there is no command 'updte'; did you mean update? See `onstudy registry --help`"),
        ("serve --port 0.5", "invalid value for '--port': '0.5' is not a whole number; see `onstudy serve --help`"),
        ("prescreen NCT03739814 --out o", "missing option '--store'; see `onstudy prescreen --help`"),
        ("find --facets=1", "option '--facets' does not take a value"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line(words: str, said: str) -> None:
    run = onstudy(*words.split())
    assert (run.returncode, run.stdout, run.stderr) == (2, "", f"onstudy: {said}\n")


def test_what_was_typed_stays_in_one_line() -> None:
    run = onstudy("diff", "a", "b", "c\nonstudy: d" + "e" * 1000)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert run.stderr.startswith("onstudy: got unexpected extra argument(s) (c\\x0aonstudy: de")
    assert run.stderr.endswith("e; see `onstudy diff --help`\n")


def test_a_command_without_what_it_does_shows_its_help() -> None:
    run = onstudy("generate")
    assert (run.returncode, run.stdout) == (2, "")
    assert "Commands:\n  patients" in run.stderr


def test_everything_that_cannot_be_used_is_said_at_once(patient: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"resourceType": "Bundle", "entry": [')
    run = onstudy("screen", "NCT99999999", str(patient), str(broken), "/nowhere.json")
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 3


def test_fill_what_is_open_and_screen_again(tmp_path: Path) -> None:
    """Screen, write the questions, answer them as a person would, add them: another verdict."""
    record, todo = str(EXAMPLES / "data-missing.json"), tmp_path / "todo.yaml"
    first = onstudy("screen", "NCT03739814", record, *ON, "--format", "json", "--todo", str(todo))
    before = json.loads(first.stdout)["cohorts"][0]
    assert before["verdict"] == "undetermined"
    asked = {item["kind"] for item in (*before["missing"], *before["to_do"], *before["to_confirm"])}
    written = todo.read_text()
    assert all(f"kind: {kind}" in written for kind in asked if kind != "therapy_start")
    unanswered = onstudy("screen", "NCT03739814", record, *ON, "--format", "json", "--add", str(todo))
    assert unanswered.returncode == 0, unanswered.stderr
    assert json.loads(unanswered.stdout)["cohorts"][0]["verdict"] == "undetermined"
    answers = Path(__file__).parents[2] / "scripts" / "demo-answers.yaml"
    again = onstudy("screen", "NCT03739814", record, *ON, "--format", "json", "--add", str(answers))
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)
    assert found["cohorts"][0]["verdict"] == "eligible", found["cohorts"][0]
    assert any("demo-answers" in item["source"] for row in found["criteria"] for item in row["evidence"])


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        (["screen", "{trial}", "{record}", "--format", "json", "--out", "{record}"], "record"),
        (["screen", "{trial}", "{record}", "--todo", "{record}"], "record"),
        (["screen", "{trial}", "{record}", "--out", "{symbolic}"], "record"),
        (["screen", "{trial}", "{record}", "--todo", "{hard}"], "record"),
        (["screen", "{trial}", "{record}", "--out", "{folder}/../record.yaml"], "record"),
        (["screen", "{trial}", "{record}", "--add", "{answers}", "--todo", "{answers}"], "answers"),
        (["screen", "{trial}", "{record}", "--add", "{answers}", "--out", "{answers}"], "answers"),
        (["screen", "{trial}", "{record}", "--out", "{trial}"], "trial"),
        (["screen", "{trial}", "-", "--out", "{record}"], "record"),
        (["screen", "{trial}", "{sheet}", "--format", "html", "--out", "{folder}/"], "sheet"),
        (["facts", "{record}", "--format", "patient", "--out", "{record}"], "record"),
        (["worksheet", "{trial}", "--out", "{trial}"], "trial"),
    ],
)
def test_nothing_is_written_over_what_is_read(words: list[str], lost: str, patient: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sheets"
    folder.mkdir()
    paths = {name: tmp_path / f"{name}.yaml" for name in ("record", "answers", "trial", "symbolic", "hard")}
    paths |= {"folder": folder, "sheet": folder / "NCT03739814-Jane_Doe_4711.html"}
    patient.replace(paths["record"])
    paths["sheet"].write_text(PATIENT)
    paths["answers"].write_text("patient: Jane Doe 4711\nfacts:\n  - {kind: ecog, on: 2026-03-15, value: 1}\n")
    paths["trial"].write_bytes((SHIPPED / "NCT03739814.yaml").read_bytes())
    paths["symbolic"].symlink_to(paths["record"])
    paths["hard"].hardlink_to(paths["record"])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with paths["record"].open() as stdin:
        run = subprocess.run(
            [sys.executable, "-m", "onstudy.faces.cli", *(word.format(**paths) for word in words)],
            stdin=stdin, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert run.returncode == 2, run.stdout
    option = next(word for word in words if word in ("--out", "--todo"))
    name = "standard input" if "-" in words else str(paths[lost])
    assert run.stderr == f"onstudy: {option} would be written over {name}, which is read here; name another file\n"
    assert run.stdout == ""
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_questionnaire_and_a_worksheet_are_two_files(patient: Path, tmp_path: Path) -> None:
    """Neither exists: a worksheet in a folder is named by its patient, and --todo may hit upon that name."""
    todo = tmp_path / "NCT03739814-Jane_Doe_4711.html"
    words = ("--format", "html", "--out", f"{tmp_path}/", "--todo", str(todo))
    run = onstudy("screen", "NCT03739814", str(patient), *ON, *words)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"onstudy: --todo and --out are both {todo}; one would be written over the other\n"
    assert not todo.exists()


def test_facts_of_another_patient_are_not_added(patient: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("patient: other\nfacts:\n  - {kind: ecog, on: 2026-03-15, value: 1}\n")
    run = onstudy("screen", "NCT03739814", str(patient), *ON, "--add", str(other))
    assert run.returncode == 2
    assert "another patient" in run.stderr


@pytest.mark.parametrize(("known_on", "status"), [("2026-02-01", "not_met"), ("2026-03-12", "unknown")])
def test_an_answer_of_a_later_day_was_not_known_and_hides_nothing(tmp_path: Path, known_on: str, status: str) -> None:
    """A cancer that is active, recorded in January; in March it is answered that it is in complete remission."""
    record, answer = tmp_path / "record.yaml", tmp_path / "answer.yaml"
    cancer = (
        "{id: a, kind: other_malignancy, type: colon cancer, from: 2020-01-10, state: active, recorded: 2026-01-10}"
    )
    remission = "{id: a, kind: other_malignancy, state: complete_remission, recorded: 2026-03-10}"
    record.write_text(f"patient: P\nborn: 1955-06-20\ncomplete: all\nfacts:\n  - {cancer}\n")
    answer.write_text(f"patient: P\nfacts:\n  - {remission}\n")
    given = ("--add", str(answer), "--as-known-on", known_on, "--format", "json")
    run = onstudy("screen", "NCT03739814", str(record), *ON, *given)
    (row,) = [row for row in json.loads(run.stdout)["criteria"] if row["id"] == "S1-27"]
    assert row["status"] == status


def test_facts_that_say_not_whose_they_are_are_not_added(patient: Path, tmp_path: Path) -> None:
    nobody, table = tmp_path / "nobody.yaml", tmp_path / "table.csv"
    nobody.write_text("facts:\n  - {kind: lvef, on: 2026-03-15, value: 60 %}\n")
    table.write_text("kind,on,value\nlvef,2026-03-15,60 %\n")
    for added in (nobody, table):
        run = onstudy("screen", "NCT03739814", str(patient), *ON, "--add", str(added))
        assert run.returncode == 2
        assert len(run.stderr.splitlines()) == 1
        assert f"--add {added}: does not say whose facts it holds" in run.stderr
        assert "'patient: ID'" in run.stderr
        assert "Jane" not in run.stderr


def test_one_of_several_who_is_not_yet_born_has_a_problem_and_no_age(patient: Path) -> None:
    older = PATIENT.replace("1955-06-20", "1940-06-20")
    words = ("screen", "NCT03739814", "-", str(patient), "--on", "1950-01-01", "--format", "json")
    run = onstudy(*words, stdin=older)
    assert run.returncode == 0, run.stderr
    born, unborn = (json.loads(line) for line in run.stdout.splitlines())
    what = "the date of birth lies after the registration date: it is not used"
    assert what not in [problem["what"] for problem in born["problems"]]
    assert what in [problem["what"] for problem in unborn["problems"]]
    ages = {row["id"]: row["status"] for row in unborn["criteria"]}
    assert ages["C1-01"] == "unknown"


def test_a_day_before_every_date_of_birth_is_refused(patient: Path) -> None:
    older = PATIENT.replace("1955-06-20", "1953-06-20")
    run = onstudy("screen", "NCT03739814", "-", str(patient), "--on", "1950-01-01", stdin=older)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("onstudy: patient 1 of 2: the registration date 1950-01-01 lies before")
    one = onstudy("screen", "NCT03739814", str(patient), "--on", "1950-01-01")
    assert one.stderr.startswith("onstudy: the registration date 1950-01-01 lies before the patient's date of birth")


FACTS = """
patient: P
born: 1955-06-20
facts:
  - {kind: treatment, agent: cd19_directed, value: no, recorded: 2026-03-10}
  - {kind: treatment, agent: prednisone, route: oral, from: 2026-03-01, to: 2026-03-05}
  - {kind: seizure, value: no, recorded: 2026-03-10}
"""


def test_facts_show_to_what_a_no_is_narrowed_and_what_is_stated() -> None:
    text = onstudy("facts", "-", stdin=FACTS).stdout
    assert "Treatment: none with agent CD19-directed therapy" in text
    assert "Treatment: agent prednisone, route oral" in text
    assert "Seizure: none  [" in text
    found = json.loads(onstudy("facts", "-", "--format", "json", stdin=FACTS).stdout)["facts"]
    by_value = {(fact["kind"], fact["negative"]): fact for fact in found}
    assert by_value["treatment", True]["narrowed"] == {"agent": "CD19-directed therapy"}
    assert by_value["treatment", True]["attributes"] == {}
    assert by_value["treatment", False]["narrowed"] is None
    assert by_value["treatment", False]["attributes"] == {"agent": "prednisone", "route": "oral"}
    assert by_value["seizure", True]["narrowed"] is None


LIMITED = """
patient: P
born: 1955-06-20
complete:
  - {kind: seizure, from: 2015-01-01, to: 2026-03-01}
  - {kind: ecog}
  - {kinds: all, from: 2026-01-01}
facts:
  - {kind: bilirubin_total, id: b, on: 2026-03-15, value: 20.52 umol/L, uln: 20.52 umol/L, lln: 0.2 mg/dL,
     recorded: 2026-03-15}
  - {kind: ecog, id: e, on: 2026-03-14, value: 1, recorded: 2026-03-16}
  - {kind: seizure, id: s, value: no, recorded: 2026-03-10}
"""


def test_facts_show_limits_of_normal_the_day_of_recording_and_what_is_complete() -> None:
    """20.52 umol/L of bilirubin, 584.66 g/mol, are 1.19972 mg/dL."""
    lines = onstudy("facts", "-", stdin=LIMITED).stdout.splitlines()
    (bilirubin,) = (line for line in lines if "20.52 umol/L" in line)
    assert "(LLN 0.2 mg/dL, ULN 1.19972 mg/dL)" in bilirubin
    (recorded,) = (line for line in lines if "recorded" in line)
    assert "ECOG performance status: 1 (recorded 2026-03-16)" in recorded
    assert [line.partition("  [")[0] for line in lines if "complete:" in line] == [
        "  complete: all kinds from 2026-01-01",
        "  complete: ECOG performance status",
        "  complete: Seizure from 2015-01-01 to 2026-03-01",
    ]
    found = json.loads(onstudy("facts", "-", "--format", "json", stdin=LIMITED).stdout)
    assert list(found) == ["patient", "born", "facts", "problems", "complete"]
    facts = {fact["id"]: fact for fact in found["facts"]}
    assert list(facts["b"])[-3:] == ["uln", "lln", "recorded"]
    assert (facts["b"]["uln"], facts["b"]["lln"], facts["b"]["recorded"]) == (
        "1.19972 mg/dL",
        "0.2 mg/dL",
        "2026-03-15",
    )
    assert (facts["e"]["uln"], facts["e"]["lln"], facts["e"]["recorded"]) == (None, None, "2026-03-16")
    assert facts["s"]["recorded"] == "2026-03-10"
    assert [(one["kind"], one["from"], one["to"]) for one in found["complete"]] == [
        ("all", "2026-01-01", None),
        ("ecog", None, None),
        ("seizure", "2015-01-01", "2026-03-01"),
    ]
    assert found["complete"][0]["source"].endswith("complete")


def test_worksheets_of_several_patients_go_into_a_folder(patient: Path, tmp_path: Path) -> None:
    two = tmp_path / "two.yaml"
    two.write_text(PATIENT + "---" + PATIENT.replace("Jane Doe 4711", "../../etc/passwd"))
    folder = tmp_path / "sheets"
    run = onstudy("screen", "NCT03739814", str(two), *ON, "--format", "html", "--out", f"{folder}/")
    assert run.returncode == 0, run.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        "NCT03739814-Jane_Doe_4711.html",
        "NCT03739814-etc_passwd.html",
    ]


def test_decisions_are_not_kept_where_results_are_written(tmp_path: Path) -> None:
    kept = tmp_path / "results" / "candidates.csv"
    kept.parent.mkdir()
    kept.write_text("patient,trial,decision,date,reason\n")
    words = ("prescreen", "NCT03739814", "--store", str(tmp_path), "--decisions", str(kept), "--out", str(kept.parent))
    run = onstudy(*words)
    assert (run.returncode, len(run.stderr.splitlines())) == (2, 1)
    assert "lies in --out, where results are written; keep it elsewhere" in run.stderr
    assert kept.read_text() == "patient,trial,decision,date,reason\n"


def test_the_sums_of_a_worksheet_are_those_of_the_files(tmp_path: Path) -> None:
    record = str(EXAMPLES / "gilbert.json")
    for format in ("html", "json"):
        run = onstudy("screen", "NCT03739814", record, *ON, "--format", format, "--out", str(tmp_path / format))
        assert run.returncode == 0, run.stderr
    page = (tmp_path / "html").read_text(encoding="utf-8")
    for file in (tmp_path / "json", SHIPPED / "NCT03739814.yaml"):
        assert f"<code>{hashlib.sha256(file.read_bytes()).hexdigest()}</code>" in page
    assert "<code>--format json --out FILE</code>, then <code>sha256sum FILE</code>" in page


def test_check_of_a_draft_without_examples_is_no_success_and_hides_no_other(tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_bytes((SHIPPED / "NCT06480136.yaml").read_bytes())
    run = onstudy("check", str(draft), "NCT06480136")
    assert run.returncode == 1
    assert [line.rpartition(", ")[2] for line in run.stdout.splitlines()] == ["1 problem", "all pass"]
    assert run.stderr.startswith("draft.examples.yaml: there is no such file") and run.stderr.count("\n") == 1
    (tmp_path / "draft.examples.yaml").write_bytes(b"\xff")
    run = onstudy("check", "NCT06480136", str(draft))
    assert (run.returncode, run.stdout) == (2, "")
    assert "cannot be read: it is not UTF-8 text" in run.stderr


def test_check_ends_with_the_line_that_sums_it_up() -> None:
    run = onstudy("check", "NCT03739814")
    assert run.returncode == 0, run.stderr
    words = run.stdout.splitlines()[-1]
    count = int(words.removeprefix("NCT03739814: 70 criteria, ").removesuffix(" examples, all pass"))
    assert count >= 90


def test_a_failing_example_is_exit_1(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "src" / "onstudy" / "trials"
    for name in ("NCT03739814.yaml", "NCT03739814.examples.yaml"):
        (tmp_path / name).write_text((source / name).read_text().replace("latest ecog <= 2", "latest ecog <= 1"))
    run = onstudy("check", str(tmp_path / "NCT03739814.yaml"))
    assert run.returncode == 1
    assert "S1-16" in run.stderr


def test_diff_names_the_criterion_and_what_rests_on_a_changed_definition(tmp_path: Path) -> None:
    old = Path(__file__).parents[2] / "src" / "onstudy" / "trials" / "NCT03739814.yaml"
    new = tmp_path / "new.yaml"
    text = old.read_text().replace("latest ecog <= 2", "latest ecog <= 1")
    new.write_text(text.replace("highest bcr_abl1 is negative and", "lowest bcr_abl1 is negative and"))
    run = onstudy("diff", str(old), str(new), "--format", "json")
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert {"what": "criterion S1-16", "part": "rule", "old": "latest ecog <= 2", "new": "latest ecog <= 1"} in found
    assert {change["what"] for change in found if change["part"] == "rests on what changed"} >= {
        "criterion C1-02", "criterion C2-02", "criterion S1-04",
    }  # fmt: skip


@pytest.mark.parametrize(("old", "new", "what", "part"), [
    (", not_before: registration}", "}", "anchor therapy_start", "not_before"),
    ("    label: CNS 2\n", "    label: CNS 4\n", "definition cns2", "label"),
    ("Convention in adult trials, at least 5%", "Convention, at least 5%", "setting marrow_involved", "reason"),
    ("    note: Cells found by flow", "    note: Those found by flow", "definition csf_without_blasts", "note"),
    ("    - title: Course IA\n", "    - title: Course 1A\n", "trial", "page.plan.1.title"),
    ("phase: Phase 2\n", "phase: Phase 3\n", "trial", "phase"),
])  # fmt: skip
def test_diff_names_every_part_of_a_trial_file_that_differs(
    tmp_path: Path, old: str, new: str, what: str, part: str
) -> None:
    text = (Path(__file__).parents[2] / "src" / "onstudy" / "trials" / "NCT03739814.yaml").read_text()
    assert text.count(old) == 1
    changed = tmp_path / "new.yaml"
    changed.write_text(text.replace(old, new))
    run = onstudy("diff", "NCT03739814", str(changed), "--format", "json")
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(change["what"], change["part"]) for change in found] == [(what, part)]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd here")
def test_diff_reads_what_a_shell_pipes_in() -> None:
    """`diff A <(git show HEAD~1:A)`: a pipe has no name of its own; problems are placed in what was given."""
    source = Path(__file__).parents[2] / "src" / "onstudy" / "trials" / "NCT03739814.yaml"
    command = f"{sys.executable} -m onstudy.faces.cli diff {source} <(sed 's/latest ecog <= 2/%s/' {source})"
    changed = subprocess.run(
        ["bash", "-c", command % "latest ecog <= 1"], capture_output=True, text=True, check=False, timeout=120
    )
    assert changed.returncode == 0, changed.stderr
    assert changed.stdout.startswith("criterion S1-16: rule\n")
    wrong = subprocess.run(
        ["bash", "-c", command % "latest ecogg <= 1"], capture_output=True, text=True, check=False, timeout=120
    )
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("onstudy: /dev/fd/")
    assert "there is no kind 'ecogg'" in wrong.stderr


def test_a_folder_is_no_trial_file(tmp_path: Path) -> None:
    run = onstudy("diff", "NCT03739814", f"{tmp_path}/")
    assert run.returncode == 2
    assert "is a folder" in run.stderr


def test_help_is_plain(tmp_path: Path) -> None:
    run = onstudy("--help")
    assert run.returncode == 0
    assert all(command in run.stdout for command in ("screen", "check", "diff", "facts", "worksheet"))
