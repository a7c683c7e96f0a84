"""`onstudy registry import|update|show|status` and `onstudy find`: the trials that exist, on the command line.

Trials that ship are always there; what is imported goes into one file, by default in the user's data folder.
What somebody looks for is written nowhere.
"""

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
    from onstudy.registry.geography import Origin
    from onstudy.registry.importing import Report
    from onstudy.registry.store import Store

app = typer.Typer(
    name="registry",
    help="ClinicalTrials.gov records: import them, bring them up to date, look at one.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

RegistryFile = Annotated[
    str, typer.Option("--registry", metavar="FILE", help="The registry's file; one in your data folder unless given.")
]
_SHOWN = 10


def default_path() -> Path:
    """Where the registry's file lies unless another is named: $XDG_DATA_HOME/onstudy/registry.sqlite."""
    base = os.environ.get("XDG_DATA_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return folder / "onstudy" / "registry.sqlite"


def open_registry(name: str = "") -> Store:
    """The registry's file for reading; without one, the trials that ship. A file that is named must be there."""
    from onstudy.registry import store
    from onstudy.registry.importing import import_records

    path = Path(name) if name else default_path()
    if name or store.exists(path):
        return store.open_to_read(path)
    shipped = store.in_memory()
    import_records(shipped, [])
    return shipped


@app.command("import")
def import_(
    path: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="JSON, JSON lines, .gz, .zip, or folders of these.")
    ],
    registry: RegistryFile = "",
) -> None:
    """Take in ClinicalTrials.gov records (API v2 JSON), the registry's own download among them."""
    from onstudy.registry import store
    from onstudy.registry.importing import import_paths

    target = Path(registry) if registry else default_path()
    into = store.open_to_write(target)
    try:
        with _bar("importing", "bytes") as progress:
            report = import_paths(into, [Path(one) for one in path], progress)
    finally:
        into.close()
    _tell(report, target)


@app.command()
def update(
    nct: Annotated[
        list[str] | None, typer.Option(metavar="NCT", help="A trial to fetch; may be given several times.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="DATE", help="Fetch all that changed since this day, YYYY-MM-DD.")] = "",
    registry: RegistryFile = "",
    api: Annotated[str, typer.Option(hidden=True, help="Another server of the same API.")] = "",
) -> None:
    """Fetch trials from the public ClinicalTrials.gov API; goes on where an earlier try was cut short."""
    import time
    from importlib.metadata import version

    from onstudy.registry import store
    from onstudy.registry import update as updating

    if nct and since:
        raise OnstudyError("--nct names trials, --since a day; give one of them")
    day = _day(since, "--since").isoformat() if since else ""
    target = Path(registry) if registry else default_path()
    client = updating.open_client(f"onstudy/{version('onstudy')}", api or updating.API)
    into = store.open_to_write(target)
    try:
        with client, _bar("fetching", "trials") as progress:
            report = updating.update(
                into, client, target.with_name(f"{target.name}.update"),
                ids=[one.strip().upper() for one in nct or ()], since=day, wait=time.sleep, progress=progress,
            )  # fmt: skip
    finally:
        into.close()
    _tell(report, target)


@app.command()
def show(
    trial: Annotated[str, typer.Argument(metavar="NCT", help="A trial id, NCT and eight digits.")],
    format: Annotated[
        str, typer.Option(metavar="FORMAT", help="text, or json: the record as it was published.")
    ] = "text",
    on: Annotated[
        str, typer.Option(metavar="DATE", help="The day statuses are judged on, YYYY-MM-DD; today unless given.")
    ] = "",
    registry: RegistryFile = "",
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of to standard output.")] = "",
) -> None:
    """One trial: what it says, where each part comes from, and its sites."""
    from onstudy.registry.present import show_text

    _check_format(format, ("text", "json"))
    day = _day(on, "--on") if on else date.today()
    store = open_registry(registry)
    raw = store.original(trial.strip().upper())
    if raw is None:
        raise OnstudyError(f"{trial[:20]}: no such trial here; `onstudy registry update --nct` fetches one")
    if format == "json":
        _write(raw.decode("utf-8").strip() + "\n", out, registry)
    else:
        _write(show_text(raw, store.origin(trial.strip().upper()), day), out, registry)


@app.command()
def status(registry: RegistryFile = "") -> None:
    """How many trials there are, of when the data is, and the oldest and newest update."""
    store = open_registry(registry)
    counts = store.counts()
    words = {
        "registry": "from ClinicalTrials.gov",
        "shipped": "example records that ship",
        "compiled": "put together from public sources, ships",
    }
    print(f"registry: {store.name}")
    print(f"trials: {counts.trials}")
    for origin, count in counts.by_origin.items():
        print(f"  {count} {words[origin]}")
    print(f"sites: {counts.sites}")
    unsaid = "not stated by what was imported" if "registry" in counts.by_origin else "nothing was imported"
    print(f"data version: {counts.data_version or unsaid}")
    print(f"oldest update: {counts.oldest_update or 'none'}")
    print(f"newest update: {counts.newest_update or 'none'}")


def find(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORDS]", help="In title, condition, treatment, keywords, summary.")
    ] = None,
    condition: Annotated[str, typer.Option(metavar="WORDS", help="Words of the condition.")] = "",
    intervention: Annotated[str, typer.Option(metavar="WORDS", help="A drug or another treatment.")] = "",
    sponsor: Annotated[
        str, typer.Option(metavar="WORDS", help="Words of the sponsor's or a collaborator's name.")
    ] = "",
    id: Annotated[list[str] | None, typer.Option(metavar="NCT", help="A trial id; may be given several times.")] = None,
    age: Annotated[str, typer.Option(metavar="YEARS", help="Age in completed years.")] = "",
    sex: Annotated[str, typer.Option(metavar="SEX", help="female or male.")] = "",
    zip: Annotated[
        str, typer.Option(metavar="ZIP", help="A ZIP code of the United States to measure distances from.")
    ] = "",
    city: Annotated[
        str, typer.Option(metavar="CITY", help="A city to measure distances from: 'Odense', 'Springfield, IL'.")
    ] = "",
    within: Annotated[str, typer.Option(metavar="MILES", help="Only trials with a site so near.")] = "",
    open: Annotated[bool, typer.Option("--open", help="Only with a site that is or may be open (so near).")] = False,
    phase: Annotated[
        list[str] | None, typer.Option(metavar="P", help="1, 2, 3, 4, early1 or NA; may be repeated.")
    ] = None,
    status: Annotated[
        list[str] | None, typer.Option(metavar="S", help="recruiting, completed, ...; may be repeated.")
    ] = None,
    country: Annotated[
        list[str] | None, typer.Option(metavar="COUNTRY", help="A country with a site; may be repeated.")
    ] = None,
    type: Annotated[
        list[str] | None, typer.Option(metavar="TYPE", help="interventional, observational, expanded_access.")
    ] = None,
    sort: Annotated[str, typer.Option(metavar="ORDER", help="best, distance or newest.")] = "best",
    page: Annotated[str, typer.Option(metavar="N", help="Which page, from 1.")] = "1",
    size: Annotated[str, typer.Option(metavar="N", help="Trials on a page.")] = "20",
    facets: Annotated[bool, typer.Option("--facets", help="Add how many trials each filter would leave.")] = False,
    status_age: Annotated[
        str, typer.Option(metavar="DAYS", help="How old a status may be to be taken as the current one.")
    ] = "90",
    on: Annotated[
        str, typer.Option(metavar="DATE", help="The day statuses are judged on, YYYY-MM-DD; today unless given.")
    ] = "",
    registry: RegistryFile = "",
    format: Annotated[str, typer.Option(metavar="FORMAT", help="text, json or csv.")] = "text",
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of to standard output.")] = "",
) -> None:
    """Find trials: by words, condition, treatment, age, sex, place, phase, status. Every status is listed."""
    from onstudy.registry import results
    from onstudy.registry.search import Query, search

    _check_format(format, ("text", "json", "csv"))
    day = _day(on, "--on") if on else date.today()
    oldest = _whole(status_age, "--status-age")
    store = open_registry(registry)
    origin = _origin(store, zip, city)
    if origin is None:
        _check_no_distance(within, sort)
    chosen = {
        "phase": [_phase(one) for one in phase or ()],
        "status": [_of_facet(store, "status", one) for one in status or ()],
        "country": [_of_facet(store, "country", one) for one in country or ()],
        "type": [_of_facet(store, "type", one) for one in type or ()],
    }
    query = Query(
        words=" ".join(words or ()),
        condition=condition,
        intervention=intervention,
        sponsor=sponsor,
        ids=tuple(one.strip().upper() for one in id or ()),
        facets={name: tuple(values) for name, values in chosen.items() if values},
        age=_whole(age, "--age") if age else None,
        sex=_sex(sex),
        origin=origin,
        within=_miles(within) if within else None,
        open_only=open,
        sort=sort,
        page=_whole(page, "--page"),
        size=_whole(size, "--size"),
    )
    found = search(store, query, day, oldest)
    if format == "json":
        _write(results.to_json(found, facets) + "\n", out, registry)
    elif format == "csv":
        _write(results.to_csv(found), out, registry)
    else:
        _write(results.to_text(found, query, facets), out, registry)


def _check_format(given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise OnstudyError(f"--format {given[:20]!r} is not one of {', '.join(known)}")


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OnstudyError(f"{option} {text[:40]!r} is not a date; write YYYY-MM-DD") from None


def _whole(text: str, option: str) -> int:
    """A whole number; told as every other wrong option is, in one line."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise OnstudyError(f"{option} {text[:20]!r} is not a whole number")
    return int(text)


def _miles(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OnstudyError(f"--within {text[:20]!r} is not a number of miles") from None


def _write(text: str, out: str, registry: str) -> None:
    """Write to a file, which is not the registry, or to standard output; what patients need to be screened is not
    loaded for a search.
    """
    if out:
        from onstudy.faces import output

        output.write(text, out, [Path(registry) if registry else default_path()])
    else:
        sys.stdout.write(text)


def _origin(store: Store, zip: str, city: str) -> Origin | None:
    from onstudy.registry.geography import zip_origin
    from onstudy.registry.nearness import city_origin

    if zip and city:
        raise OnstudyError("--zip and --city both name a place to measure from; give one of them")
    if zip:
        return zip_origin(zip)
    return city_origin(store, city) if city else None


def _check_no_distance(within: str, sort: str) -> None:
    """Without a place to measure from nothing may be measured. Raises `OnstudyError` where something is."""
    for option, given in (("--within", bool(within)), ("--sort distance", sort == "distance")):
        if given:
            raise OnstudyError(f"{option} needs a place to measure from; give --zip or --city")


def _sex(text: str) -> str:
    known = {"": "", "all": "", "female": "FEMALE", "f": "FEMALE", "male": "MALE", "m": "MALE"}
    if text.lower() not in known:
        raise OnstudyError(f"--sex {text[:20]!r} is not female or male")
    return known[text.lower()]


def _phase(text: str) -> str:
    plain = text.upper().replace("PHASE", "").replace("_", "").replace(" ", "")
    roman = {"I": "1", "II": "2", "III": "3", "IV": "4", "EARLYI": "EARLY1"}
    known = {**{n: f"PHASE{n}" for n in "1234"}, "EARLY1": "EARLY_PHASE1", "0": "EARLY_PHASE1", "NA": "NA", "N/A": "NA"}
    found = known.get(roman.get(plain, plain))
    if found is None:
        raise OnstudyError(f"--phase {text[:20]!r} is not one of 1, 2, 3, 4, early1, NA; for 1/2 give both")
    return found


def _of_facet(store: Store, facet: str, text: str) -> str:
    """The value of a facet that is meant, whatever its case. Raises `OnstudyError`, naming those there are."""
    from onstudy.errors import nearest
    from onstudy.registry.status import STATUS_WORDS
    from onstudy.registry.store import facet_values

    with store.snapshot() as db:
        known = set(facet_values(db, facet))
    known |= set(STATUS_WORDS) if facet == "status" else set()
    plain = {one.casefold().replace("_", " ").replace(",", ""): one for one in known}
    asked = text.casefold().replace("_", " ").replace("-", " ").replace(",", "").strip()
    if asked not in plain:
        names = ", ".join(sorted(one.lower() if facet != "country" else one for one in known))
        listed = f"; there are {names}" if len(known) <= 20 else ""
        raise OnstudyError(f"--{facet} {text[:40]!r} is not known{nearest(asked, plain)}{listed}")
    return plain[asked]


# What was done ---------------------------------------------------------------------------------------------


def _tell(report: Report, target: Path) -> None:
    """The report of an import: what is new, changed, unchanged, skipped and why."""
    print(f"{report.new} new, {report.changed} changed, {report.unchanged} unchanged", end="")
    print(f", {report.skipped_by_reason.total()} skipped: {target}")
    for reason, count in report.skipped_by_reason.most_common():
        print(f"  skipped {count}: {reason}")
        places = [problem.where for problem in report.skipped if problem.what == reason]
        print("".join(f"    {place}\n" for place in places[:_SHOWN]), end="")
        if count > _SHOWN:
            print(f"    and {count - _SHOWN} more")
    if report.problem_count:
        print(f"  {report.problem_count} parts of records could not be used; the trials are in all the same")
        for problem in report.problems[:_SHOWN]:
            print(f"    {problem}")
        if report.problem_count > _SHOWN:
            print(f"    and {report.problem_count - _SHOWN} more")
    if report.data_version:
        print(f"  data of {report.data_version}")


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on standard error where a person watches; else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
