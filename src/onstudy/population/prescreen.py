"""Prescreening: trials asked of every patient of a store, shard by shard, and the results as files.

`prescreen` makes the parts that are not there yet, on this machine or by whatever runner it is given, and then the
files. What one process works on at a time is one shard, so memory does not grow with the number of patients.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from onstudy.criteria.trial import Trial
from onstudy.errors import OnstudyError
from onstudy.population import prescreen_files as files
from onstudy.population.candidates import ORDER_SAID
from onstudy.population.changes import FORMAT, Earlier, anchors_shown, earlier
from onstudy.population.decisions import NO_DECISIONS, Decisions
from onstudy.population.prescreen_pages import Page
from onstudy.population.prescreen_parts import FOLDER, Counts, Parts, candidates_in, counts_in, pages_in
from onstudy.population.prescreen_question import Question, program
from onstudy.population.prescreen_verdicts import VERDICT_NAMES
from onstudy.population.prescreen_work import Runner, Task, Work, local, people_key, people_of
from onstudy.population.report import page
from onstudy.population.report_parts import Report, TrialSeen, counted, number, trial_shown
from onstudy.population.spark_lake import open_store
from onstudy.population.store import Store
from onstudy.record.catalogue import Catalogue
from onstudy.values.calendar import show

#: From how many days on the age of the newest record of a store is worth a remark.
_OLD = 14
_LIBRARIES = ("numpy", "pyarrow", "duckdb")

#: Called with how many shards are done, and how many there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What a run came to: `run` is run.json but for the files."""

    out: Path
    run: Mapping[str, Any]
    computed: int
    taken_over: int


def prescreen(
    question: Question,
    store_path: Path | str,
    out: Path,
    catalogue: Catalogue,
    *,
    runner: Runner | None = None,
    decisions: Decisions = NO_DECISIONS,
    changed_since: Path | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Ask a question of a store and write the results into the folder `out`.

    Parts that are there for the very same inputs, of this folder or of the run `changed_since`, are taken over.
    Raises `OnstudyError` for a store, folder or earlier run that cannot be used.
    """
    store = _opened(store_path, catalogue)
    _refuse_inside(out, store_path)
    before = None if changed_since is None else earlier(changed_since)
    with _alone(out):
        parts = Parts(out, None if before is None else before.folder)
        tasks = list(_tasks(question, store, parts))
        shards = len(store.shards)
        _run(runner or local(1), Work(str(store_path), question, program()), tasks, parts, progress, shards)
        results = _Results(question, store, parts)
        run = _write(question, store, results, out, decisions, before, catalogue)
        parts.tidy(results.paths())
    return Outcome(out, run, sum(len(task.trials) for task in tasks), shards * len(question.trials))


def _opened(path: Path | str, catalogue: Catalogue) -> Store:
    """The store, which must have been made with our catalogue, and hold somebody."""
    store = open_store(path, catalogue)
    if not store.manifest.patients:
        raise OnstudyError(f"{path}: the store holds no patient")
    return store


def _refuse_inside(out: Path, store: Path | str) -> None:
    """Results lie in a folder of their own, not in the store."""
    if "://" not in str(store) and Path(store).resolve() in (out.resolve(), *out.resolve().parents):
        raise OnstudyError(f"{out}: the store lies there; give --out a folder of its own")


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """The folder of the results, with nobody else writing to it meanwhile.

    Where it is new and the work fails before anything is kept, it is removed again.
    """
    new = [place for place in (out, *out.parents) if not place.exists()]
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        (out / FOLDER).mkdir(mode=0o700, exist_ok=True)
        handle = os.open(out / FOLDER / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise OnstudyError(f"{out}: cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise OnstudyError(
            f"{out}: another prescreening is writing here; wait for it, or name another folder"
        ) from None
    else:
        try:
            yield
        except BaseException:
            if new and not any((out / FOLDER).glob("*.part")):
                _remove(out, new)
            raise
    finally:
        os.close(handle)


def _remove(out: Path, new: Sequence[Path]) -> None:
    """Remove the folder of results that came to nothing, and those made for it that hold nothing else."""
    shutil.rmtree(out / FOLDER)
    for place in new:
        if not any(place.iterdir()):
            place.rmdir()


def _tasks(question: Question, store: Store, parts: Parts) -> Iterator[Task]:
    """What is not there yet."""
    for place, shard in enumerate(store.shards):
        keys = [question.key(trial, shard.digest) for trial in question.trials]
        lacking = [number for number, key in enumerate(keys) if not parts.has(place, key)]
        people = people_key(shard.digest)
        people = "" if parts.has(place, people) else people
        if lacking or people:
            yield Task(place, tuple(lacking), tuple(keys[number] for number in lacking), people)


def _run(
    runner: Runner, work: Work, tasks: Sequence[Task], parts: Parts, progress: Progress | None, shards: int
) -> None:
    done = shards - len(tasks)
    if progress is not None:
        progress(done, shards)
    if not tasks:
        return
    for _ in runner(work, tasks, parts):
        done += 1
        if progress is not None:
            progress(done, shards)


class _Results:
    """The parts of a run, read from their folder one after the other."""

    def __init__(self, question: Question, store: Store, parts: Parts) -> None:
        self.question, self.store, self._parts = question, store, parts
        self.shards = len(store.shards)

    def patients(self, shard: int) -> pa.StringArray:
        return people_of(self._parts.read(shard, people_key(self.store.shards[shard].digest)))

    def counts(self, shard: int, trial: Trial) -> Counts:
        return counts_in(self._read(shard, trial))

    def pages(self, shard: int, trial: Trial) -> Mapping[str, Page]:
        return pages_in(self._read(shard, trial))

    def candidates(self, shard: int, trial: Trial) -> pa.Table:
        return candidates_in(self._read(shard, trial))

    def _read(self, shard: int, trial: Trial) -> bytes:
        return self._parts.read(shard, self.question.key(trial, self.store.shards[shard].digest))

    def paths(self) -> Iterator[Path]:
        for place, shard in enumerate(self.store.shards):
            yield self._parts.path(place, people_key(shard.digest))
            for trial in self.question.trials:
                yield self._parts.path(place, self.question.key(trial, shard.digest))


# Writing ----------------------------------------------------------------------------------------------------------


def _write(
    question: Question,
    store: Store,
    results: files.Results,
    out: Path,
    decisions: Decisions,
    before: Earlier | None,
    catalogue: Catalogue,
) -> Mapping[str, Any]:
    making, spill = out / FOLDER / "making", out / FOLDER / "spill"
    for left in (making, spill):
        shutil.rmtree(left, ignore_errors=True)
    folder = files.Folder(out, making)
    counts = files.counts_of(question, results)
    limits = files.all_limits(question, counts)
    seen = {trial.id: TrialSeen(trial, counts[trial.id], limits[trial.id]) for trial in question.trials}
    files.write_criteria(folder, question, results)
    files.write_candidates(folder, question, results, decisions, spill, seen)
    files.write_attrition(folder, question, counts)
    files.write_missing(folder, question, counts)
    files.write_limits(folder, limits)
    run = _run_json(question, store, counts, decisions, files.not_in_store(decisions, results), before, catalogue)
    changes = None if before is None else files.write_changes(folder, question, before, run)
    report = _report(question, store, seen, run, changes, catalogue)
    with folder.file("report.html") as file:
        file.write(page(report).encode("utf-8"))
    folder.settle(run)
    shutil.rmtree(spill, ignore_errors=True)
    return run


def _run_json(
    question: Question,
    store: Store,
    counts: Mapping[str, Mapping[str, Any]],
    decisions: Decisions,
    strangers: int,
    before: Earlier | None,
    catalogue: Catalogue,
) -> dict[str, Any]:
    """Inputs, versions and counts; nothing of when, where or by how many processes the run was made."""
    manifest = store.manifest
    return {
        "format": FORMAT,
        "onstudy": version("onstudy"),
        "program": program(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "on": question.on.isoformat(),
        "anchors": anchors_shown(question),
        "assumed": sorted(question.assumed),
        "horizon_days": question.horizon,
        "order": ORDER_SAID,
        "catalogue": catalogue.version,
        "store": {
            "sha": manifest.digest,
            "data_date": manifest.data_date,
            "patients": manifest.patients,
            "test_data": manifest.test_data,
            "shard_count": manifest.shard_count,
            "shards": {str(one.number): {"digest": one.digest, "patients": one.patients} for one in store.shards},
        },
        "trials": [_trial_json(trial, counts[trial.id]) for trial in question.trials],
        "decisions": None
        if decisions is NO_DECISIONS
        else {
            "sha256": decisions.digest,
            "rows": decisions.rows,
            "of_trials_not_asked": decisions.not_asked(frozenset(trial.id for trial in question.trials)),
            "patients_not_in_store": strangers,
        },
        "changed_since": None if before is None else {"on": before.run["on"], "store": before.run["store"]["sha"]},
    }


def _trial_json(trial: Trial, counts: Mapping[str, Any]) -> dict[str, Any]:
    cohorts = {
        name: dict(zip(VERDICT_NAMES, found["verdicts"], strict=True)) for name, found in counts["cohorts"].items()
    }
    return {
        "id": trial.id,
        "version": trial.version,
        "sha256": trial.digest,
        "candidates": counts["candidates"],
        "cohorts": cohorts,
    }


def _report(
    question: Question,
    store: Store,
    seen: Mapping[str, TrialSeen],
    run: Mapping[str, Any],
    changes: Any,
    catalogue: Catalogue,
) -> Report:
    manifest = store.manifest
    named = [(name.replace("_", " ").capitalize(), when) for name, when in anchors_shown(question).items()]
    assumed = [("Absences accepted", ", ".join(sorted(question.assumed)))] if question.assumed else []
    options = "".join(f" --anchor {name}={show(when)}" for name, when in question.anchors.items() if when is not None)
    return Report(
        on=question.on.isoformat(),
        patients=manifest.patients,
        particulars=[
            ("Registration on", question.on.isoformat()),
            *((name, when or "not planned") for name, when in named),
            *assumed,
            ("Newest record of the store", manifest.data_date or "no date"),
            ("Facts", number(sum(manifest.facts.values()))),
        ],
        trials=[trial_shown(one, catalogue) for one in seen.values()],
        command=f"onstudy screen TRIAL --store DIR --patient ID --on {question.on}{options} --format html --out FILE",
        prints=[
            ("Store", manifest.digest),
            *((f"Trial file of {trial.id}, SHA-256", trial.digest) for trial in question.trials[:20]),
            ("Catalogue of facts", f"version {catalogue.version}"),
            ("onstudy", version("onstudy")),
        ],
        order_said=ORDER_SAID,
        notes=list(_notes(question, store, run)),
        changes=changes,
    )


def _notes(question: Question, store: Store, run: Mapping[str, Any]) -> Iterator[str]:
    """What should be minded before the numbers are read."""
    yield from of_nobody(run)
    data = store.manifest.data_date
    if data is not None and (age := question.index - date.fromisoformat(data).toordinal()) > _OLD:
        yield f"The newest record of the store is {counted(age, 'day')} older than the date asked: {data}."
    if question.assumed:
        yield f"Absences were accepted as “no” where nothing is recorded: {', '.join(sorted(question.assumed))}."
    yield from unplaced(run)
    if len(question.trials) > 20:
        yield "The first 20 trials have a section of their own; all are in the files."


def of_nobody(run: Mapping[str, Any]) -> Iterator[str]:
    """That patients, as run.json counts them, are not real."""
    marked, patients = run["store"]["test_data"], run["store"]["patients"]
    if marked == patients:
        yield "Synthetic patients or test data: nobody here is real, and nothing here was observed."
    elif marked:
        yield f"{counted(marked, 'patient')} of {number(patients)} {_is(marked)} marked as test data, not real."


def unplaced(run: Mapping[str, Any]) -> Iterator[str]:
    """What of the list of decisions, as run.json counts it, found no place here: often an id that is mistyped."""
    decided = run["decisions"] or {}
    trials, patients = decided.get("of_trials_not_asked", 0), decided.get("patients_not_in_store", 0)
    if trials:
        yield f"{counted(trials, 'decision')} of the list {_is(trials)} about trials not asked here."
    if patients:
        yield f"{counted(patients, 'patient')} of the list of decisions {_is(patients)} not in the store."


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
