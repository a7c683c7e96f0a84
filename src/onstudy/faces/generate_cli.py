"""The command `generate patients`: synthetic patients into a store, as FHIR or as OMOP. The work is done below."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onstudy.errors import OnstudyError

if TYPE_CHECKING:
    from onstudy.population.generate import Told

app = typer.Typer(help="Synthetic patients, never to be taken for real ones.", no_args_is_help=True)


@app.callback()
def generate() -> None:
    """Synthetic patients, never to be taken for real ones."""


@app.command()
def patients(
    n: Annotated[int, typer.Option("--n", help="How many patients.")],
    store: Annotated[str, typer.Option(help="A folder for a store.")] = "",
    fhir: Annotated[str, typer.Option(help="A new folder for FHIR bulk files (NDJSON by type).")] = "",
    omop: Annotated[str, typer.Option(help="A new folder for OMOP CDM 5.4 (CSV by table).")] = "",
    seed: Annotated[int, typer.Option(help="Another seed gives other patients.")] = 1,
    on: Annotated[str, typer.Option(help="The day up to which records run, YYYY-MM-DD.")] = "",
    workers: Annotated[int, typer.Option(help="Processes; one for each core unless given.")] = 0,
) -> None:
    """Generate synthetic leukemia patients; the same number and seed give the same patients."""
    from onstudy.faces import inputs
    from onstudy.population import generate as work
    from onstudy.population.generate_block import TODAY

    given = [name for name, folder in (("--store", store), ("--fhir", fhir), ("--omop", omop)) if folder]
    if len(given) != 1:
        raise OnstudyError("name one place for the patients: --store DIR, --fhir DIR or --omop DIR")
    if workers < 0:
        raise OnstudyError("--workers is the number of processes, at least 1")
    asked = work.Asked(n, seed, inputs.day(on, "--on") if on else TODAY)
    processes = workers or os.cpu_count() or 1
    with _progress() as told:
        if store:
            manifest = work.generate_store(asked, Path(store), processes, told)
            what = f"{sum(manifest.facts.values())} facts in {len(manifest.shards)} shards"
        elif fhir:
            what = _listed(work.generate_fhir(asked, Path(fhir), processes, told))
        else:
            what = _listed(work.generate_omop(asked, Path(omop), told))
    print(f"{n} synthetic patients (seed {seed}, records up to {_day(asked.today)}): {what}")


def _day(day: date) -> str:
    return day.isoformat()


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


@contextmanager
def _progress() -> Iterator[Told]:
    """A bar on standard error where a person watches."""
    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("generating")
        yield lambda done, of: bar.update(task, completed=done, total=of)
