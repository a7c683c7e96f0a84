"""What differs from an earlier run: which candidates are new, which are none any more, and why.

Read from the files of both runs; nothing is asked again. An earlier run is usable where its run.json is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onstudy.criteria.trial import Trial
from onstudy.errors import OnstudyError
from onstudy.population.prescreen_question import Question, required
from onstudy.population.prescreen_verdicts import NOT_MET
from onstudy.population.store import shard_number

#: The form of run.json.
FORMAT = 2
#: The columns of changes.csv.
COLUMNS = ("patient", "trial", "cohort", "change", "why", "criteria")
NEW, DROPPED = "new", "dropped"

NEW_PATIENT, GONE = "new in the store", "no longer in the store"
NEW_TRIAL, NOT_ASKED = "the trial was not asked before", "the trial is no longer asked"
NEW_FILE, TIME, RECORD = "the trial file changed", "time passed", "the record changed"
OTHERWISE, NEW_PROGRAM = "other anchors or assumptions were asked", "onstudy or its catalogue changed"
_FILES = ("candidates.parquet", "criteria.parquet")


@dataclass(frozen=True)
class Earlier:
    """An earlier run: its folder and its run.json."""

    folder: Path
    run: dict[str, Any]

    @property
    def trials(self) -> dict[str, str]:
        """The digests of the trial files it asked, by trial."""
        return {trial["id"]: trial["sha256"] for trial in self.run["trials"]}


def earlier(folder: Path) -> Earlier:
    """The run whose results lie in a folder. Raises `OnstudyError` where they do not, or not whole."""
    try:
        run = json.loads((folder / "run.json").read_bytes())
        known = {trial["id"]: trial["sha256"] for trial in run["trials"]}, run["on"], run["anchors"], run["format"]
        written = {name: str(run["files"][name]["sha256"]) for name in _FILES} if known[3] == FORMAT else {}
    except OSError:
        raise OnstudyError(f"--changed-since {folder}: there is no run.json, so no finished run") from None
    except (ValueError, KeyError, TypeError):
        raise OnstudyError(f"--changed-since {folder}: run.json is not one that `prescreen` wrote") from None
    if known[3] != FORMAT:
        raise OnstudyError(f"--changed-since {folder}: written by another version; prescreen once without it")
    for name in _FILES:
        if not (folder / name).is_file():
            raise OnstudyError(f"--changed-since {folder}: {name} is missing; prescreen once without it")
        if _sha256(folder / name) != written[name]:
            raise OnstudyError(f"--changed-since {folder}: {name} is not as it was written; prescreen once without it")
    return Earlier(folder, run)


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OnstudyError(f"--changed-since {path}: cannot be read: {error.strerror}") from None


@dataclass(frozen=True)
class _Pair:
    """The result files of one kind of both runs."""

    old: Path
    new: Path


def changes(
    before: Earlier, run: Mapping[str, Any], question: Question, candidates: Path, criteria: Path
) -> Iterator[dict[str, str]]:
    """Every candidate of one run that is none of the other, as rows of changes.csv, by trial, cohort and patient.

    `run` is run.json of the later run.
    """
    import duckdb

    found = _Pair(before.folder / "candidates.parquet", candidates)
    rows = _Pair(before.folder / "criteria.parquet", criteria)
    asked = {trial.id: trial for trial in question.trials}
    with duckdb.connect(config={"threads": 1, "memory_limit": "512MB", "autoinstall_known_extensions": False}) as base:
        base.execute("SET temp_directory = ?", [str(candidates.parent / "spill")])
        for name in [*asked, *(name for name in before.trials if name not in asked)]:
            yield from _of_trial(base, name, asked.get(name), found, rows, _Causes(before, run, name))


class _Causes:
    """What may have changed a trial's candidates between two runs: everything an answer depends on and that differs."""

    def __init__(self, before: Earlier, run: Mapping[str, Any], trial: str) -> None:
        now = {one["id"]: one["sha256"] for one in run["trials"]}
        self.trial = NOT_ASKED if trial not in now else NEW_TRIAL if trial not in before.trials else ""
        self.stores = (before.run["store"], run["store"])

        def differs(*names: str) -> bool:
            return any(before.run[name] != run[name] for name in names)

        changed = {
            NEW_FILE: before.trials.get(trial) != now.get(trial),
            TIME: differs("on"),
            OTHERWISE: differs("anchors", "assumed"),
            NEW_PROGRAM: differs("program", "catalogue"),
        }
        self.everybody = [cause for cause, is_so in changed.items() if is_so]

    def of(self, patient: str, was: bool, now: bool) -> str:
        """Why a patient is new or dropped; `was`, `now`: whether the earlier and the later store know the patient."""
        if self.trial:
            return self.trial
        if not was or not now:
            return NEW_PATIENT if now else GONE
        record = [RECORD] if self._may_be_another(patient) else []
        return ", or ".join([*self.everybody, *record])

    def _may_be_another(self, patient: str) -> bool:
        """Whether the shard that the patient lies in was written anew."""
        old, new = (store["shards"].get(str(shard_number(patient, store["shard_count"]))) for store in self.stores)
        return bool(old != new)


def anchors_shown(question: Question) -> dict[str, str | None]:
    """The anchors of a question as run.json has them."""
    from onstudy.values.calendar import show

    return {name: None if when is None else show(when) for name, when in sorted(question.anchors.items())}


def _of_trial(
    base: Any, name: str, trial: Trial | None, found: _Pair, rows: _Pair, causes: _Causes
) -> Iterator[dict[str, str]]:
    """The changes of one trial: the rows of both candidate files side by side, with what kept anybody out."""
    columns = _columns(base, rows, trial)
    asked = base.execute(
        f"""
        WITH old AS (SELECT patient, cohort FROM read_parquet($old) WHERE trial = $trial),
             new AS (SELECT patient, cohort FROM read_parquet($new) WHERE trial = $trial),
             changed AS (SELECT patient, cohort, old.patient IS NULL AS is_new FROM old
                         FULL JOIN new USING (patient, cohort) WHERE old.patient IS NULL OR new.patient IS NULL)
        SELECT changed.patient, changed.cohort, is_new, was.patient IS NOT NULL, now.patient IS NOT NULL
               {"".join(f", was.{column}" for column in columns)} {"".join(f", now.{column}" for column in columns)}
        FROM changed
        LEFT JOIN (SELECT * FROM read_parquet($was) WHERE trial = $trial) was ON was.patient = changed.patient
        LEFT JOIN (SELECT * FROM read_parquet($now) WHERE trial = $trial) now ON now.patient = changed.patient
        ORDER BY changed.cohort, is_new DESC, changed.patient
        """,
        {"old": str(found.old), "new": str(found.new), "was": str(rows.old), "now": str(rows.new), "trial": name},
    )
    while some := asked.fetchmany(1000):
        for patient, cohort, is_new, was, now, *statuses in some:
            kept_out = statuses[: len(columns)] if is_new else statuses[len(columns) :]
            criteria = _kept_out_by(trial, cohort, columns, kept_out)
            yield {
                "patient": patient,
                "trial": name,
                "cohort": cohort,
                "change": NEW if is_new else DROPPED,
                "why": causes.of(patient, was, now),
                "criteria": "; ".join(criteria),
            }


def _columns(base: Any, rows: _Pair, trial: Trial | None) -> list[str]:
    """The required criteria of a trial that both runs have, as quoted columns."""
    if trial is None:
        return []
    described = "SELECT column_name FROM (DESCRIBE SELECT * FROM read_parquet(?))"
    known = [{name for (name,) in base.execute(described, [str(path)]).fetchall()} for path in (rows.old, rows.new)]
    names = dict.fromkeys(row.id for cohort in trial.cohorts for row in required(trial, cohort))
    return [_quoted(name) for name in names if name in known[0] and name in known[1]]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _kept_out_by(trial: Trial | None, cohort: str, columns: Sequence[str], statuses: Sequence[int | None]) -> list[str]:
    """The criteria of the cohort that were, or now are, not met."""
    if trial is None:
        return []
    mine = {_quoted(row.id): row.id for one in trial.cohorts if one.id == cohort for row in required(trial, one)}
    not_met = [column for column, status in zip(columns, statuses, strict=True) if status == NOT_MET]
    return [mine[column] for column in not_met if column in mine]
