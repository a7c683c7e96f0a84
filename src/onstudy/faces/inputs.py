"""What the command line is given: files, dates and NAME=VALUE options, all of their faults gathered."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

from onstudy.criteria.trial import Trial
from onstudy.errors import OnstudyError, nearest
from onstudy.faces import api
from onstudy.language.library import load_trials, shipped, trial_path
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.screening.prepare import NotYetBorn, as_known
from onstudy.values.calendar import When, as_when
from onstudy.values.quantity import UnitError, convert, parse_quantity

_T = TypeVar("_T")


def gather(work: Iterable[Callable[[], _T]]) -> list[_T]:
    """Do all of it, or say everything that cannot be used at once."""
    done, wrong = [], []
    for one in work:
        try:
            done.append(one())
        except OnstudyError as error:
            wrong.append(error.on_command_line)
    if wrong:
        raise OnstudyError("\n".join(wrong))
    return done


@contextmanager
def of_patient(number: int, count: int) -> Iterator[None]:
    """Say which of several patients a date of birth is wrong of: by number, for an error names nobody."""
    try:
        yield
    except NotYetBorn as error:
        raise OnstudyError(f"patient {number} of {count}: {error}" if count > 1 else str(error)) from None


def read_all(
    trial: str,
    sources: list[str],
    further: list[str],
    store: str = "",
    stored: Sequence[str] = (),
    known_on: date | None = None,
    on: date | None = None,
) -> tuple[list[Trial], list[Patient]]:
    """The trials and patients of a screening, those of files first, then those of a store by their ids; further facts
    are added to its one patient, who is to be registered on a day (`on`), unless they were recorded after the day that
    all is to be known on.
    """
    if bool(store) != bool(stored):
        raise OnstudyError("--store DIR and --patient ID go together: a store, and which of its patients")
    if not sources and not stored:
        raise OnstudyError("no patient is named: give files, or --store DIR with --patient ID")
    catalogue = load_catalogue()
    trials: list[Trial] = []
    read: list[list[Patient]] = []
    more: list[list[Patient]] = []
    work: list[Callable[[], None]] = [lambda: trials.extend(load_trials(trial, catalogue, cache_folder()))]
    work += [partial(_into, read, name) for name in sources]
    work += [lambda: read.append(of_store(store, stored))] if store else []
    work += [partial(_into, more, name) for name in further]
    gather(work)
    found = [patient for some in read for patient in some]
    if further:
        found = [_with_all(found, further, more, known_on, on)]
    return trials, found


def _with_all(
    found: list[Patient], names: list[str], more: list[list[Patient]], known_on: date | None, on: date | None
) -> Patient:
    from onstudy.screening.answers import with_added

    if len(found) != 1:
        raise OnstudyError(f"--add gives further facts of one patient; {len(found)} are screened")
    patient = found[0]
    for name, others in zip(names, more, strict=True):
        if len(others) != 1:
            raise OnstudyError(f"--add {name}: holds {len(others)} patients; it holds facts of the one screened")
        if others[0].id != patient.id and _unnamed(others[0], name):
            raise OnstudyError(
                f"--add {name}: does not say whose facts it holds; name the patient screened in it, by the id that "
                "`onstudy facts` shows: 'patient: ID' as the first line of a patient file, a column `patient` in a CSV"
            )
        # A later answer that completes a record would take the record with it: it must go before it is added.
        known = others[0] if known_on is None else as_known(others[0], known_on, load_catalogue())
        patient = with_added(patient, known, f"--add {name}", load_catalogue(), on)
    return patient


def _unnamed(patient: Patient, name: str) -> bool:
    """Whether a file left it open who its patient is, so that its own name stands for one."""
    from onstudy.readers.patientfile import UNNAMED

    told = any(problem.what.startswith(UNNAMED) for problem in patient.problems)
    return told or (name.lower().endswith((".csv", ".tsv")) and patient.id == Path(name).stem)


def patients(sources: list[str]) -> list[Patient]:
    """All patients of all sources."""
    return [patient for some in gather([partial(_patients, name) for name in sources]) for patient in some]


def _patients(name: str) -> list[Patient]:
    if name == "-":
        return api.read_patients("standard input", sys.stdin.buffer.read())
    return api.read_patients(Path(name))


def of_store(store: str, names: Sequence[str]) -> list[Patient]:
    """Patients of a store by their ids, with all their facts; of several that have one id, all.

    Raises `OnstudyError` for one it does not hold.
    """
    from onstudy.population.spark_lake import open_store
    from onstudy.record.shard import patient_of

    catalogue = load_catalogue()
    opened = open_store(store, catalogue)
    found = gather([partial(opened.find, name) for name in names])
    return [patient_of(opened.read(shard), row, catalogue) for places in found for shard, row in places]


def store_files(store: str) -> list[Path]:
    """The files a store consists of; none without a store."""
    return [path for path in Path(store).rglob("*") if path.is_file()] if store else []


def _into(read: list[list[Patient]], name: str) -> None:
    read.append(_patients(name))


def cache_folder() -> Path | None:
    """Where what takes long to make is kept for the next time: `$XDG_CACHE_HOME/onstudy`, else `~/.cache/onstudy`.

    None where there is no home. Nothing of a patient is ever kept there.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "onstudy"
    except RuntimeError:  # nobody's home is known
        return None


def _paths_of(name: str) -> list[Path]:
    return list(shipped().values()) if name == "all" else [trial_path(name)]


def trial_paths(names: list[str]) -> list[Path]:
    """The files of trial ids and paths; `all` is every one that ships."""
    found = gather([partial(_paths_of, name) for name in names])
    return [path for paths in found for path in paths]


def day(text: str, option: str) -> date:
    """A date option."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OnstudyError(f"{option} {text[:40]!r} is not a date; write YYYY-MM-DD") from None


def anchors(therapy_start: str, named: list[str]) -> dict[str, When | None]:
    """The anchors given as options."""
    pairs = [("therapy_start", therapy_start)] if therapy_start else []
    pairs += [_pair(text, "--anchor NAME=DATETIME") for text in named]
    return {name: as_when(value) for name, value in pairs}


def limits(texts: list[str]) -> dict[str, float]:
    """The default upper limits of normal given as options, converted to the unit of each kind.

    A limit without a unit is refused: which one was meant is not for us to say.
    """
    return dict(gather([partial(_limit, text) for text in texts]))


def _limit(text: str) -> tuple[str, float]:
    name, value = _pair(text, "--default-uln KIND='VALUE UNIT'")
    shown, kind = f"--default-uln {text[:60]!r}", load_catalogue().kinds.get(name)
    if kind is None or not kind.unit:
        raise OnstudyError(f"{shown}: {name!r} is no kind of result with a unit{nearest(name, _limited())}")
    try:
        written = parse_quantity(value)
        if not written.unit and kind.unit != "1":
            raise OnstudyError(f"{shown}: state the unit of the limit, as in {name}='{value[:20]} {kind.unit}'")
        if not written.interval.exact or written.interval.low is None:
            raise OnstudyError(f"{shown}: a limit is one number")
        limit = convert(float(written.interval.low), written.unit or "1", kind.unit, kind.molar_mass)
    except UnitError as error:
        raise OnstudyError(f"{shown}: {error}") from None
    if not 0 < limit < 1e12:
        raise OnstudyError(f"{shown}: a limit of normal is above zero")
    return name, limit


def _limited() -> list[str]:
    return [kind.name for kind in load_catalogue() if kind.unit]


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise OnstudyError(f"{text[:60]!r} is not of the form {form}")
    return name, value
