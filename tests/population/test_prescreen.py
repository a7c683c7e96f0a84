"""A prescreening as a whole: its files, that it can be cut short and go on, what changed since, who was seen."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.population.prescreening import USUAL, question_of, store_of, vignettes
from tests.trials.flagship import FLAGSHIP, ON, changed, trial

from onstudy.errors import OnstudyError
from onstudy.population import changes
from onstudy.population.attrition import COUNTS
from onstudy.population.build import build
from onstudy.population.build_find import find
from onstudy.population.candidates import SCHEMA, CsvFile
from onstudy.population.decisions import NO_DECISIONS, Decisions, read_decisions
from onstudy.population.generate import Asked, generate_fhir, generate_omop, generate_store
from onstudy.population.prescreen import Outcome, prescreen, unplaced
from onstudy.population.prescreen_files import criteria_columns
from onstudy.population.prescreen_parts import FOLDER, Parts
from onstudy.population.prescreen_question import Question, question
from onstudy.population.prescreen_work import Runner, Task, Work, local
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient

CATALOGUE = load_catalogue()
OTHER = "NCT06480136"
FILES = {
    "attrition.csv", "candidates.csv", "candidates.parquet", "criteria.parquet", "limits.csv", "missing.csv",
    "report.html", "run.json",
}  # fmt: skip


def some_patients() -> list[Patient]:
    """One of every fifth example, and two who would be eligible but for one thing: nobody else for the same thing."""
    some = [one for one in vignettes()[USUAL] if not one.id.startswith(("S1-18", "S1-33"))]
    return [*some[::5], *(kept_out(name) for name in ("LVEF", "BILI"))]


def kept_out(name: str) -> Patient:
    facts = {
        "LVEF": ("lvef", {"kind": "lvef", "on": "2026-02-10", "value": "41 %"}),
        "BILI": (
            "bilirubin_total",
            {"kind": "bilirubin_total", "on": "2026-03-15", "value": "2.6 mg/dL", "uln": "1.2 mg/dL"},
        ),
    }
    kind, fact = facts[name]
    return changed("B1", without=[kind], facts=[fact], patient=name)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_of(some_patients(), tmp_path_factory.mktemp("store") / "store")


@pytest.fixture(scope="module")
def result(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the flagship alone."""
    out = tmp_path_factory.mktemp("result") / "out"
    run(store, out)
    return out


def usual(*trials: str) -> Question:
    return question_of(USUAL, *(trial(name) for name in trials or (FLAGSHIP,)))


def run(store: Path, out: Path, asked: Question | None = None, **options: Any) -> Outcome:
    return prescreen(asked or usual(), store, out, CATALOGUE, **options)


def files_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


# Files ------------------------------------------------------------------------------------------------------------


def test_every_file_is_there_and_run_json_knows_each(result: Path) -> None:
    files = files_of(result)
    assert set(files) == FILES
    told = json.loads(files["run.json"])
    assert set(told["files"]) == FILES - {"run.json"}
    for name, about in told["files"].items():
        assert about == {"bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
    assert (told["on"], told["trials"][0]["sha256"]) == ("2026-03-16", trial().digest)
    assert told["store"]["patients"] == len(some_patients())


def test_only_the_owner_may_read_the_results(result: Path) -> None:
    assert {path.stat().st_mode & 0o077 for path in [result, *result.rglob("*")]} == {0}


def test_both_candidate_files_say_the_same(result: Path) -> None:
    table = pq.read_table(result / "candidates.parquet")
    assert table.schema.equals(SCHEMA)

    def cell(value: object) -> str:
        if isinstance(value, list):
            return "; ".join(value)
        return "" if value is None else str(value)

    expected = [{name: cell(value) for name, value in row.items()} for row in table.to_pylist()]
    assert rows(result / "candidates.csv") == expected
    assert len(expected) > 10


def test_the_columns_are_those_that_are_documented(result: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/prescreening.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([a-z_]+)`", page))
    for name in ("attrition", "candidates", "limits", "missing"):
        assert set(rows(result / f"{name}.csv")[0]) <= documented
    assert {*changes.COLUMNS, *COUNTS} <= documented
    assert {name.partition(".")[0] for name in FILES} <= set(re.findall(r"\*?\*?`?([a-z]+)\.", page))


def test_statuses_can_be_asked_with_sql(result: Path) -> None:
    counted = duckdb.execute(
        'SELECT count(*), count(*) FILTER ("verdict.C1" = 3), count(*) FILTER ("S1-33" = 0) FROM read_parquet(?)',
        [str(result / "criteria.parquet")],
    ).fetchone()
    told = json.loads((result / "run.json").read_bytes())
    attrition = {(row["cohort"], row["criterion"]): row for row in rows(result / "attrition.csv")}
    assert counted == (
        len(some_patients()),
        told["trials"][0]["cohorts"]["C1"]["eligible"],
        int(attrition["C1", "S1-33"]["not_met"]),
    )
    names = pq.read_schema(result / "criteria.parquet").names
    assert names == ["patient", "trial", *criteria_columns([trial()])]


def test_attrition_ends_with_the_candidates(result: Path) -> None:
    verdicts = json.loads((result / "run.json").read_bytes())["trials"][0]["cohorts"]
    for cohort, counted in verdicts.items():
        last = [row for row in rows(result / "attrition.csv") if row["cohort"] == cohort][-1]
        assert int(last["left_in_order"]) == sum(counted.values()) - counted["ineligible"]


def test_what_a_limit_costs(result: Path) -> None:
    """LVEF 41 % comes in at 40 %. Bilirubin 2.6 mg/dL is 2.17 x ULN: in at 2.5 x ULN; with the limit for Gilbert
    syndrome at 2.5 x ULN it depends on that syndrome, of which nothing is known. Both are 70-year-old men.
    """
    found = {
        (row["comparison"], row["instead"], row["age"], row["sex"]): (row["more_at_least"], row["more_at_most"])
        for row in rows(result / "limits.csv")
        if row["cohort"] == "C1" and row["criterion"] in ("S1-18", "S1-33")
    }
    assert found["latest lvef >= 45 %", "40 %", "all", "all"] == ("1", "1")
    assert found["latest lvef >= 45 %", "40 %", "60 to 74", "men"] == ("1", "1")
    assert found["latest bilirubin_total <= 1.5 ULN", "2 x ULN", "all", "all"] == ("0", "0")
    assert found["latest bilirubin_total <= 1.5 ULN", "2.5 x ULN", "all", "all"] == ("1", "1")
    assert found["latest bilirubin_total <= 2 ULN", "2.5 x ULN", "all", "all"] == ("0", "1")


def test_several_trials_lie_below_one_another(store: Path, tmp_path: Path) -> None:
    run(store, tmp_path / "out", usual(FLAGSHIP, OTHER))
    table = pq.read_table(tmp_path / "out" / "criteria.parquet")
    people = len(some_patients())
    assert table.num_rows == 2 * people
    flagship = [row for row in table.to_pylist() if row["trial"] == FLAGSHIP]
    assert all(row["I-02"] is None and row["S1-33"] is not None for row in flagship)
    assert {row["trial"] for row in rows(tmp_path / "out" / "attrition.csv")} == {FLAGSHIP, OTHER}


# The same bytes ---------------------------------------------------------------------------------------------------


def test_any_number_of_processes_gives_the_same_bytes(store: Path, result: Path, tmp_path: Path) -> None:
    run(store, tmp_path / "out", runner=local(2))
    assert files_of(tmp_path / "out") == files_of(result)


def test_a_run_that_was_cut_short_goes_on(store: Path, result: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def cut_short(work: Work, tasks: Sequence[Task], parts: Parts) -> Iterator[None]:
        running = local(1)(work, tasks, parts)
        next(iter(running))
        yield
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(store, out, runner=cut_short)
    assert not (out / "run.json").exists()
    (out / FOLDER / "00001.0.part.1.unfinished").write_bytes(b"half")
    asked: list[Task] = []
    run(store, out, runner=watched(asked))
    assert len(asked) == 2
    assert files_of(out) == files_of(result)
    assert not list((out / FOLDER).glob("*unfinished*"))


def watched(asked: list[Task]) -> Runner:
    """A runner that tells what it was asked to do."""

    def work(work: Work, tasks: Sequence[Task], parts: Parts) -> Iterator[None]:
        asked.extend(tasks)
        yield from local(1)(work, tasks, parts)

    return work


@pytest.mark.parametrize("inside", ["", "shards", "shards/deeper"])
def test_results_are_not_written_into_the_store(store: Path, inside: str) -> None:
    before = files_of(store)
    with pytest.raises(OnstudyError, match="the store lies there; give --out a folder of its own"):
        run(store, store / inside)
    assert files_of(store) == before


def test_the_same_run_again_computes_nothing_and_a_damaged_part_anew(store: Path, result: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(result, out)
    asked: list[Task] = []
    run(store, out, runner=watched(asked))
    assert asked == []
    part = max((out / FOLDER).glob("*.part"), key=lambda path: path.stat().st_size)
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    run(store, out, runner=watched(asked))
    assert [len(task.trials) for task in asked] == [1]
    assert files_of(out) == files_of(result)


def test_while_the_files_are_made_the_folder_is_no_finished_run(
    store: Path, result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(result, out)

    def breaks(*_: object) -> str:
        raise OSError("no space left")

    monkeypatch.setattr("onstudy.population.prescreen.page", breaks)
    with pytest.raises(OnstudyError, match="no space left"):
        run(store, out)
    assert files_of(out) == files_of(result)


def test_progress_is_told(store: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    run(store, tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


# Since an earlier run -----------------------------------------------------------------------------------------------


def with_changes(tmp_path: Path) -> Path:
    """The store with one patient gone, one new, one whose heart got worse, one whose bilirubin got better."""
    better = {"kind": "bilirubin_total", "on": "2026-03-15", "value": "1.1 mg/dL", "uln": "1.2 mg/dL"}
    worse = {"kind": "lvef", "on": "2026-03-15", "value": "30 %"}
    patients = {patient.id: patient for patient in some_patients()}
    patients["BILI"] = changed("B1", without=["bilirubin_total"], facts=[better], patient="BILI")
    patients["B1"] = changed("B1", facts=[worse], patient="B1")
    patients["NEWCOMER"] = changed("B1", patient="NEWCOMER")
    gone = next(name for name in sorted(patients) if name in {row["patient"] for row in _listed(tmp_path)} - {"B1"})
    del patients[gone]
    return store_of(patients.values(), tmp_path / "later")


def _listed(tmp_path: Path) -> list[dict[str, str]]:
    return rows(tmp_path / "before" / "candidates.csv")


def test_what_changed_since_an_earlier_run(store: Path, result: Path, tmp_path: Path) -> None:
    shutil.copytree(result, tmp_path / "before")
    later = with_changes(tmp_path)
    run(later, tmp_path / "out", changed_since=tmp_path / "before")
    found = {
        (row["patient"], row["cohort"]): (row["change"], row["why"], row["criteria"])
        for row in rows(tmp_path / "out" / "changes.csv")
    }
    gone = next(patient for (patient, _), (_, why, _) in found.items() if why == "no longer in the store")
    assert found.pop((gone, "C1"), None) or found.pop((gone, "C2"), None) or found.pop((gone, "C3"), None)
    assert {key: value for key, value in found.items() if key[0] != gone} == {
        ("B1", "C1"): ("dropped", "the record changed", "S1-18"),
        ("BILI", "C1"): ("new", "the record changed", "S1-33"),
        ("NEWCOMER", "C1"): ("new", "new in the store", ""),
    }
    full = tmp_path / "full"
    run(later, full)
    same = FILES - {"run.json", "report.html"}
    assert {name: files_of(tmp_path / "out")[name] for name in same} == {name: files_of(full)[name] for name in same}
    assert "What changed since" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_shards_that_did_not_change_are_not_asked_again(store: Path, result: Path, tmp_path: Path) -> None:
    patients = {patient.id: patient for patient in some_patients()}
    patients["LVEF"] = changed("B1", patient="LVEF")
    asked: list[Task] = []
    run(store_of(patients.values(), tmp_path / "later"), tmp_path / "out", runner=watched(asked), changed_since=result)
    assert len(asked) == 1
    (row,) = rows(tmp_path / "out" / "changes.csv")
    assert (row["patient"], row["cohort"], row["change"], row["criteria"]) == ("LVEF", "C1", "new", "S1-18")


def test_a_trial_that_changed_is_asked_again_and_no_other(store: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    run(store, before, usual(FLAGSHIP, OTHER))
    flagship = trial()
    easier = replace(flagship, digest="0" * 64)
    asked: list[Task] = []
    run(store, tmp_path / "out", question_of(USUAL, easier, trial(OTHER)), runner=watched(asked), changed_since=before)
    assert [task.trials for task in asked] == [(0,)] * 3
    assert rows(tmp_path / "out" / "changes.csv") == []


def test_another_date_a_new_trial_and_one_no_longer_asked(store: Path, result: Path, tmp_path: Path) -> None:
    tomorrow = replace(usual(OTHER), on=ON + timedelta(days=400))
    run(store, tmp_path / "out", tomorrow, changed_since=result)
    reasons = {(row["trial"], row["change"], row["why"]) for row in rows(tmp_path / "out" / "changes.csv")}
    assert (FLAGSHIP, "dropped", "the trial is no longer asked") in reasons
    assert {why for name, _, why in reasons if name == OTHER} <= {"the trial was not asked before"}
    again = replace(usual(), on=ON + timedelta(days=400))
    run(store, tmp_path / "later", again, changed_since=result)
    found = rows(tmp_path / "later" / "changes.csv")
    assert {row["why"] for row in found} == {"time passed"}
    assert any((row["change"] == "dropped" and "S1-15" in row["criteria"]) or row["criteria"] for row in found)


def test_a_run_may_replace_the_one_it_is_compared_with(store: Path, result: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(result, out)
    patients = [patient for patient in some_patients() if patient.id != "B1"]
    run(store_of(patients, tmp_path / "later"), out, changed_since=out)
    assert [(row["patient"], row["why"]) for row in rows(out / "changes.csv")] == [("B1", "no longer in the store")]


# Text ---------------------------------------------------------------------------------------------------------------


def test_a_table_is_written_as_its_rows_one_by_one_would_be() -> None:
    columns = pa.schema([
        ("patient", pa.string()), ("many", pa.int16()), ("kinds", pa.list_(pa.string())), ("day", pa.date32()),
    ])  # fmt: skip
    cells: list[tuple[Any, ...]] = [
        ("=1+1", 3, ["ecog", "hbsag"], date(2026, 3, 16)),
        ('said "so", twice', -1, [], None),
        ("two\nlines", 0, ["=a", "b,c"], date(987, 1, 2)),
        (None, None, ["@x", "y"], None),
        ("", 7, ["Größe; α"], None),
    ]
    table = pa.Table.from_pylist([dict(zip(columns.names, row, strict=True)) for row in cells], columns)
    together, one_by_one = io.BytesIO(), io.BytesIO()
    CsvFile(together, columns.names).add_all(pa.concat_tables([table.slice(0, 2), table.slice(2)]))
    single = CsvFile(one_by_one, columns.names)
    for row in cells:
        single.add(row)
    single.flush()
    assert together.getvalue() == one_by_one.getvalue()
    assert together.getvalue().decode() == (
        "patient,many,kinds,day\n"
        "'=1+1,3,ecog; hbsag,2026-03-16\n"
        '"said ""so"", twice",-1,,\n'
        '"two\nlines",0,"\'=a; b,c",0987-01-02\n'
        ",,'@x; y,\n"
        ",7,Größe; α,\n"
    )


# Decisions ----------------------------------------------------------------------------------------------------------


def test_decisions_stand_beside_candidates_and_leave_nobody_out(store: Path, result: Path, tmp_path: Path) -> None:
    listed = rows(result / "candidates.csv")
    first = listed[0]["patient"]
    (tmp_path / "seen.csv").write_text(
        f"patient,trial,decision,date,reason\n{first},{FLAGSHIP},declined,2026-03-10,=1+1\nX,{OTHER},seen,2026-01-01,\n"
    )
    run(store, tmp_path / "out", decisions=read_decisions(tmp_path / "seen.csv"))
    found = rows(tmp_path / "out" / "candidates.csv")
    assert [row["patient"] for row in found] == [row["patient"] for row in listed]
    assert (found[0]["decision"], found[0]["decided_on"], found[0]["decision_reason"]) == (
        "declined", "2026-03-10", "'=1+1",
    )  # fmt: skip
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "1 decision of the list is about trials not asked here." in page
    assert "1 patient of the list of decisions is not in the store." in page
    assert f"<bdi>{first}</bdi>" not in page
    told = json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert told["decisions"] | {"sha256": ""} == {
        "sha256": "", "rows": 2, "of_trials_not_asked": 1, "patients_not_in_store": 1,
    }  # fmt: skip
    assert len(list(unplaced(told))) == 2


def test_the_report_lists_the_most_frequent_of_each_sort_of_work(result: Path) -> None:
    """For each cohort six of each sort at most, and the first is the most frequent of missing.csv."""
    page = (result / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'data-label="Sort of work"><span>([^<]+)</span></td>\s*<td[^>]*><span>([0-9,]+)', page)
    asked = rows(result / "missing.csv")
    for work in ("missing", "to_confirm", "to_do"):
        counts = [int(many.replace(",", "")) for sort, many in shown if sort == work.replace("_", " ")]
        mine = {cohort: [int(row["candidates"]) for row in asked if (row["cohort"], row["work"]) == (cohort, work)]
                for cohort in ("C1", "C2", "C3")}  # fmt: skip
        assert counts == [many for found in mine.values() for many in sorted(found, reverse=True)[:6]], work
    assert {"missing", "to confirm"} <= {sort for sort, _ in shown}


NOBODY_REAL = "Synthetic patients or test data: nobody here is real, and nothing here was observed."


def said_of_nobody(out: Path) -> tuple[int, bool]:
    """How many patients run.json counts as test data, and whether the report says that nobody is real."""
    marked = json.loads((out / "run.json").read_bytes())["store"]["test_data"]
    return marked, NOBODY_REAL in (out / "report.html").read_text(encoding="utf-8")


def test_a_run_over_generated_patients_says_that_they_are(store: Path, result: Path, tmp_path: Path) -> None:
    assert said_of_nobody(result) == (0, False)
    generate_store(Asked(3), tmp_path / "made")
    run(tmp_path / "made", tmp_path / "out")
    assert said_of_nobody(tmp_path / "out") == (3, True)


@pytest.mark.parametrize("generate", [generate_fhir, generate_omop])
def test_so_it_does_where_they_were_files_in_between(generate: Callable[[Asked, Path], object], tmp_path: Path) -> None:
    generate(Asked(3), tmp_path / "files")
    source = find(str(tmp_path / "files"), tmp_path / "made")
    assert build(source, tmp_path / "made", workers=1).test_data == 3
    run(tmp_path / "made", tmp_path / "out")
    assert said_of_nobody(tmp_path / "out") == (3, True)


def test_some_test_patients_among_others_are_counted(tmp_path: Path) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
    people = [{"resourceType": "Patient", "id": f"p{number}", "birthDate": "1960-01-01"} for number in range(3)]
    people[1]["meta"] = {"security": [label]}  # type: ignore[assignment]
    (tmp_path / "in.ndjson").write_text("".join(json.dumps(one) + "\n" for one in people))
    build(find(str(tmp_path / "in.ndjson"), tmp_path / "made"), tmp_path / "made", workers=1)
    run(tmp_path / "made", tmp_path / "out")
    assert said_of_nobody(tmp_path / "out") == (1, False)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "1 patient of 3 is marked as test data, not real." in page


# What cannot be asked -----------------------------------------------------------------------------------------------


def test_what_cannot_be_used_is_said_and_nothing_is_written(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(OnstudyError, match="there is no store here"):
        run(tmp_path / "none", out)
    with pytest.raises(OnstudyError, match="so no finished run"):
        run(store, out, changed_since=tmp_path / "none")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(OnstudyError, match="not one that `prescreen` wrote"):
        run(store, out, changed_since=tmp_path)
    with pytest.raises(OnstudyError, match="holds no patient"):
        run(store_of([], tmp_path / "empty"), out)
    assert not (out / "run.json").exists()


@pytest.mark.parametrize(
    ("trials", "options", "said"),
    [
        ([], {}, "no trial is asked"),
        ([FLAGSHIP, FLAGSHIP], {}, "is asked twice"),
        ([FLAGSHIP], {"assumed": ["nonsense"]}, "there is no kind 'nonsense'"),
        ([FLAGSHIP], {"assumed": ["ecog"]}, "the absence of ecog is never assumed"),
        ([FLAGSHIP], {"anchors": {"surgery": None}}, "no trial asked has an anchor 'surgery'"),
        ([FLAGSHIP], {"on": date(1800, 1, 1)}, "lies outside"),
    ],
)
def test_questions_that_make_no_sense(trials: list[str], options: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"on": ON, "anchors": {}, "assumed": (), **options}
    with pytest.raises(OnstudyError, match=said):
        question([trial(name) for name in trials], catalogue=CATALOGUE, **given)


def test_two_prescreenings_do_not_write_to_one_folder(store: Path, tmp_path: Path) -> None:
    def meddling(work: Work, tasks: Sequence[Task], parts: Parts) -> Iterator[None]:
        with pytest.raises(OnstudyError, match="another prescreening is writing here"):
            run(store, tmp_path / "out")
        yield from local(1)(work, tasks, parts)

    run(store, tmp_path / "out", runner=meddling)
    assert (tmp_path / "out" / "run.json").exists()


def test_no_decisions_are_not_an_empty_list(store: Path, result: Path, tmp_path: Path) -> None:
    assert json.loads((result / "run.json").read_bytes())["decisions"] is None
    run(store, tmp_path / "out", decisions=Decisions({}, 0, "0"))
    assert json.loads((tmp_path / "out" / "run.json").read_bytes())["decisions"] is not None
    assert NO_DECISIONS.rows == 0


@pytest.mark.parametrize("name", ["criteria.parquet", "candidates.parquet"])
@pytest.mark.parametrize("most", [500, None])
def test_an_earlier_run_that_is_damaged_is_refused_before_anything_is_asked(
    store: Path, result: Path, tmp_path: Path, name: str, most: int | None
) -> None:
    before, out = tmp_path / "before", tmp_path / "new" / "out"
    shutil.copytree(result, before)
    whole = (before / name).read_bytes()
    (before / name).write_bytes(whole[:most] if most else whole + b"x")
    with pytest.raises(OnstudyError, match=f"{name} is not as it was written; prescreen once without it"):
        run(store, out, changed_since=before)
    assert not out.parent.exists()


def test_a_run_that_fails_before_anything_is_kept_leaves_no_folder(store: Path, tmp_path: Path) -> None:
    copy, out = tmp_path / "copy", tmp_path / "new" / "out"
    shutil.copytree(store, copy)
    for path in (copy / "shards").glob("*.parquet"):
        path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(OnstudyError, match="this part of the store is damaged"):
        run(copy, out)
    assert not out.parent.exists()
    out.mkdir(parents=True)
    (out / "note.txt").write_text("mine")
    with pytest.raises(OnstudyError, match="this part of the store is damaged"):
        run(copy, out)
    assert (out / "note.txt").read_text() == "mine"
