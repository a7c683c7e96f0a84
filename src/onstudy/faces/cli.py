"""The command line. Names, formats and exit codes are fixed (docs/commands.md); every line of thinking lives below.

Exit 0: the work was done, whatever the verdict. 1: a trial file does not pass its check. 2: an input or
option that cannot be used; one line each on standard error, and nothing written.
"""

from __future__ import annotations

import os
import sys
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from onstudy.errors import DiskFull, OnstudyError
from onstudy.faces import generate_cli, population_cli, prescreen_cli, registry_cli, usage, web_cli

app = typer.Typer(
    name="onstudy",
    help="A clinical trial as software: who may join, why, and from which day. Not medical advice.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

OneTrial = Annotated[str, typer.Argument(metavar="TRIAL", help="An id that ships, or a path to a trial file.")]
TrialName = Annotated[str, typer.Argument(metavar="TRIAL", help="An id that ships, a path to a trial file, or 'all'.")]
Patients = Annotated[
    list[str], typer.Argument(metavar="PATIENT...", help="FHIR, patient or CSV files; - is standard input.")
]
SomePatients = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATIENT...", help="FHIR, patient or CSV files; - is standard input; or see --store."),
]


def main() -> None:
    """Run the command line; what cannot be used is one line on standard error and exit 2."""
    try:
        raise SystemExit(usage.run(app))
    except OnstudyError as error:
        for line in error.on_command_line.splitlines():
            print(f"onstudy: {line}", file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        full = DiskFull.of(error)
        if full is None:
            raise
        print(f"onstudy: {full}", file=sys.stderr)
        raise SystemExit(2) from None


@app.command()
def screen(
    trial: TrialName,
    source: SomePatients = None,
    on: Annotated[str, typer.Option(help="Registration date, YYYY-MM-DD; today unless given.")] = "",
    therapy_start: Annotated[str, typer.Option(help="Planned start of therapy, YYYY-MM-DDThh:mm.")] = "",
    anchor: Annotated[list[str] | None, typer.Option(help="Another anchor, NAME=DATETIME.")] = None,
    until: Annotated[str, typer.Option(help="Last registration date looked at; 90 days ahead unless given.")] = "",
    assume_complete: Annotated[
        list[str] | None, typer.Option(help="A kind (or 'all') whose absence is accepted as 'no'.")
    ] = None,
    as_known_on: Annotated[str, typer.Option(help="Use only what had been recorded by this day.")] = "",
    default_uln: Annotated[
        list[str] | None, typer.Option(help="KIND='VALUE UNIT', for results without a limit of normal.")
    ] = None,
    store: Annotated[str, typer.Option(help="A store of `onstudy build`; name its patients with --patient.")] = "",
    patient: Annotated[list[str] | None, typer.Option(help="The id of a patient of the store.")] = None,
    add: Annotated[list[str] | None, typer.Option(help="Further facts; may be given several times.")] = None,
    todo: Annotated[str, typer.Option(help="Write what is open as a patient file with empty answers.")] = "",
    format: Annotated[str, typer.Option(help="text, json or html.")] = "text",
    out: Annotated[str, typer.Option(help="Write here instead of to standard output.")] = "",
) -> None:
    """Screen patients for a trial: each criterion's status, its evidence, what is missing, from which day."""
    from onstudy.faces import api, inputs, output
    from onstudy.screening.prepare import without_wrong_births

    output.check_format(format, ("text", "json", "html"))
    known_on = inputs.day(as_known_on, "--as-known-on") if as_known_on else None
    day = inputs.day(on, "--on") if on else date.today()
    trials, patients = inputs.read_all(trial, source or [], add or [], store, patient or [], known_on, day)
    anchors = inputs.anchors(therapy_start, anchor or [])
    limits = inputs.limits(default_uln or [])
    found = []
    for number, who in enumerate(output.progress(without_wrong_births(patients, day)), start=1):
        for one in trials:
            mine = {name: when for name, when in anchors.items() if trial != "all" or name in one.anchors}
            with inputs.of_patient(number, len(patients)):
                found.append(
                    api.screen(
                        one,
                        who,
                        day,
                        anchors=mine,
                        until=inputs.day(until, "--until") if until else None,
                        assume_complete=assume_complete or (),
                        as_known_on=known_on,
                        default_limits=limits,
                    )
                )
    read: list[str | Path] = [*inputs.trial_paths([trial]), *(source or []), *(add or []), *inputs.store_files(store)]
    output.deliver(found, format, out, todo, read)


@app.command()
def check(
    trial: Annotated[list[str], typer.Argument(metavar="TRIAL...", help="Ids, paths, or 'all'.")],
) -> None:
    """Check trial files: valid, and every example screens to what a person wrote beside it."""
    from onstudy.faces import inputs
    from onstudy.language.library import examples_path
    from onstudy.language.trialfile import load_trial_file
    from onstudy.record.catalogue import load_catalogue
    from onstudy.screening.check import check_examples

    catalogue = load_catalogue()
    paths = inputs.trial_paths(trial)
    loaded = inputs.gather([partial(load_trial_file, path, catalogue) for path in paths])
    pairs = zip(loaded, paths, strict=True)
    found = inputs.gather([partial(check_examples, one, examples_path(path), catalogue) for one, path in pairs])
    for checked in found:
        for problem in checked.failures:
            print(problem, file=sys.stderr)
        print(checked.line)
    raise SystemExit(1 if any(checked.failures for checked in found) else 0)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="The earlier trial file.")],
    new: Annotated[str, typer.Argument(help="The later trial file.")],
    format: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """What changed between two versions of a trial file, criterion by criterion."""
    from onstudy.faces import api, inputs, output
    from onstudy.screening.diff import compare_trials

    output.check_format(format, ("text", "json"))
    before, after = inputs.gather([lambda: api.load_trial(old), lambda: api.load_trial(new)])
    sys.stdout.write(output.changes(compare_trials(before, after), format))


@app.command()
def facts(
    patient: Patients,
    format: Annotated[str, typer.Option(help="text, json, fhir or patient.")] = "text",
    out: Annotated[str, typer.Option(help="Write here instead of to standard output.")] = "",
) -> None:
    """What was read of patients, and what could not be used, with the reason."""
    from onstudy.faces import inputs, output

    output.check_format(format, ("text", "json", "fhir", "patient"))
    output.write(output.facts(inputs.patients(patient), format), out, patient)


@app.command()
def worksheet(
    trial: OneTrial,
    out: Annotated[str, typer.Option(help="Write here instead of to standard output.")] = "",
) -> None:
    """The blank eligibility worksheet of a trial, to fill in by hand."""
    from onstudy.faces import api, inputs, output
    from onstudy.record.catalogue import load_catalogue
    from onstudy.screening.worksheet import blank_worksheet

    page = blank_worksheet(api.load_trial(trial), load_catalogue())
    output.write(page, out, inputs.trial_paths([trial]))


app.add_typer(registry_cli.app, name="registry")
app.add_typer(generate_cli.app, name="generate")
app.command()(registry_cli.find)
app.command()(population_cli.build)
app.command()(prescreen_cli.prescreen)
app.command()(web_cli.serve)


if __name__ == "__main__":
    main()
