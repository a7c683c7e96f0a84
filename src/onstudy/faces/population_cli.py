"""`onstudy build`: a store of many patients from FHIR, OMOP or CSV, on the command line. The work is done below."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onstudy.errors import OnstudyError

if TYPE_CHECKING:
    from onstudy.population.build import Watch


def build(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A file or folder: FHIR R4 bulk NDJSON or bundles (also .gz), an OMOP CDM (CSV, Parquet, DuckDB), "
            "CSV with a column 'kind', patient files; or postgresql://... of an OMOP CDM.",
        ),
    ],
    store: Annotated[str, typer.Option(metavar="DIR", help="The folder of the store; made where it is not there.")],
    mapping: Annotated[str, typer.Option(metavar="FILE", help="Codes and units of your site (TOML).")] = "",
    workers: Annotated[int, typer.Option(help="Processes; one for each core unless given.")] = -1,
) -> None:
    """Build a fact store of many patients, or bring it up to date: only what changed is read again."""
    from onstudy.population.build_workers import Workers, bytes_at, processes_for

    if workers < -1:
        raise OnstudyError("--workers is the number of processes, at least 0: the work is done without others")
    where, site = Path(store), Path(mapping) if mapping else None
    try:
        with Workers(processes_for(bytes_at(source)) if workers < 0 else workers) as hands, _watching() as watch:
            from onstudy.population.build import build as build_store  # both take a while; the workers start meanwhile
            from onstudy.population.build_find import find

            report = build_store(find(source, where), where, site, watch, hands)
    except KeyboardInterrupt:
        print(f"onstudy: interrupted; what is done is kept in {where}, run the same again to go on", file=sys.stderr)
        raise SystemExit(130) from None
    sys.stdout.write(report.to_text())


@contextmanager
def _watching() -> Iterator[Watch]:
    """A progress bar on standard error where a person watches; else nothing."""
    if not sys.stderr.isatty():
        yield lambda what, done, whole: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda what, done, whole: progress.update(task, description=what, completed=done, total=whole)
