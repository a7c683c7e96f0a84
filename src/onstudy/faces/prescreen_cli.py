"""The command `prescreen`: trials asked of every patient of a store. Every line of thinking lives below."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onstudy.errors import OnstudyError

if TYPE_CHECKING:
    from onstudy.population.prescreen import Outcome
    from onstudy.population.prescreen_work import Runner

ENGINES = ("local", "spark")

Trials = Annotated[list[str], typer.Argument(metavar="TRIAL...", help="Ids that ship, paths to trial files, or 'all'.")]


def prescreen(
    trial: Trials,
    store: Annotated[str, typer.Option(help="The store that `onstudy build` made.")],
    out: Annotated[str, typer.Option(help="The folder for the results.")],
    on: Annotated[str, typer.Option(help="Registration date, YYYY-MM-DD; today unless given.")] = "",
    therapy_start: Annotated[str, typer.Option(help="Planned start of therapy, YYYY-MM-DDThh:mm.")] = "",
    anchor: Annotated[list[str] | None, typer.Option(help="Another anchor, NAME=DATETIME.")] = None,
    assume_complete: Annotated[
        list[str] | None, typer.Option(help="A kind (or 'all') whose absence is accepted as 'no'.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, or spark for Apache Spark.")] = "local",
    workers: Annotated[int, typer.Option(help="Processes on this machine; one for each core unless given.")] = 0,
    master: Annotated[str, typer.Option(help="Spark's master URL; local[2] unless given.")] = "",
    changed_since: Annotated[str, typer.Option(help="The folder of an earlier run: compute what changed.")] = "",
    decisions: Annotated[str, typer.Option(help="CSV: patient, trial, decision, date, reason.")] = "",
) -> None:
    """Ask trials of every patient of a store: who is a candidate, what each lacks, what excludes whom."""
    from onstudy.faces import inputs
    from onstudy.language.library import load_trials
    from onstudy.population.decisions import NO_DECISIONS, read_decisions
    from onstudy.population.prescreen import prescreen as ask
    from onstudy.population.prescreen_question import question
    from onstudy.record.catalogue import load_catalogue

    if engine not in ENGINES:
        raise OnstudyError(f"--engine {engine[:20]!r} is not one of {', '.join(ENGINES)}")
    if master and engine != "spark":
        raise OnstudyError("--master goes with --engine spark")
    if workers < 0:
        raise OnstudyError("--workers is the number of processes, at least 1")
    if decisions and Path(out).resolve() in Path(decisions).resolve().parents:
        raise OnstudyError(f"--decisions {decisions} lies in --out, where results are written; keep it elsewhere")
    catalogue = load_catalogue()
    day = inputs.day(on, "--on") if on else date.today()
    anchors = inputs.anchors(therapy_start, anchor or [])
    loaded = inputs.gather([lambda name=name: load_trials(name, catalogue) for name in trial])  # type: ignore[misc]
    seen = NO_DECISIONS if not decisions else read_decisions(Path(decisions))
    asked = question([one for some in loaded for one in some], day, anchors, assume_complete or (), catalogue)
    with _shown() as progress, _runner(engine, workers, master) as runner:
        try:
            outcome = ask(
                asked,
                store,
                Path(out),
                catalogue,
                runner=runner,
                decisions=seen,
                changed_since=Path(changed_since) if changed_since else None,
                progress=progress,
            )
        except KeyboardInterrupt:
            print(f"onstudy: interrupted; what is done is kept in {out}, run the same again to go on", file=sys.stderr)
            raise SystemExit(130) from None
    sys.stdout.write(_said(outcome))


@contextmanager
def _runner(engine: str, workers: int, master: str) -> Iterator[Runner]:
    """What does the work: processes on this machine, or Apache Spark."""
    if engine == "local":
        from onstudy.population.prescreen_work import local

        yield local(workers or os.cpu_count() or 1)
        return
    from onstudy.population.spark import on_spark, session

    with session(master or "local[2]", sys.executable) as spark:
        yield on_spark(spark)


@contextmanager
def _shown() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error where a person watches; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("prescreening", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _said(outcome: Outcome) -> str:
    """What a run came to, for a terminal of 80 columns."""
    from onstudy.population.prescreen import of_nobody, unplaced

    run = outcome.run
    lines = [f"{run['store']['patients']:,} patients, registration on {run['on']}", ""]
    lines.append(f"{'trial':<16}{'cohort':<8}{'eligible':>10}{'confirm':>10}{'open':>10}{'ineligible':>12}")
    for trial in run["trials"]:
        for cohort, verdicts in trial["cohorts"].items():
            counts = [verdicts[name] for name in ("eligible", "eligible_if_confirmed", "undetermined", "ineligible")]
            cells = "".join(f"{count:>{width},}" for count, width in zip(counts, (10, 10, 10, 12), strict=True))
            lines.append(f"{trial['id'][:15]:<16}{cohort[:7]:<8}{cells}")
    lines += ["", *notes] if (notes := [*of_nobody(run), *unplaced(run)]) else []
    lines += ["", f"results in {outcome.out}: start with {outcome.out / 'report.html'}"]
    lines.append("Not medical advice: a list of records for a person to look at.")
    return "\n".join(lines) + "\n"
