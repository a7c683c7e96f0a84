"""Where results go: standard output or files, whole or not at all; progress only on a terminal."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from onstudy.errors import OnstudyError
from onstudy.language.unparse import plain
from onstudy.record.absence import ALL
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.screening.report import to_json, to_table, to_text, writable
from onstudy.screening.screen import Screening
from onstudy.screening.wording import details, label, when_text
from onstudy.values.calendar import show_day
from onstudy.values.interval import Interval

if TYPE_CHECKING:
    from onstudy.screening.diff import Change

_T = TypeVar("_T")
_MANY = 20  # patients before a progress bar is worth its lines


def check_format(given: str, known: tuple[str, ...]) -> None:
    """Raises `OnstudyError` for a format that is not known here."""
    if given not in known:
        raise OnstudyError(f"--format {given[:20]!r} is not one of {', '.join(known)}")


def progress(work: Sequence[_T]) -> Iterable[_T]:
    """The same sequence, with a bar on standard error where a person watches a long run."""
    if len(work) < _MANY or not sys.stderr.isatty():
        return work
    from rich.console import Console
    from rich.progress import track

    return track(work, description="screening", console=Console(stderr=True), transient=True)


def deliver(found: list[Screening], format: str, out: str, todo: str, read: Sequence[str | Path] = ()) -> None:
    """Write the screenings, and the questions that are open; everything is made before anything is written.

    `read` are the files that were read: none of them is written over.
    """
    if todo and len(found) != 1:
        raise OnstudyError(f"--todo is written for one patient and one trial; {len(found)} screenings were asked for")
    files: dict[Path, str] = {}
    shown = ""
    if format == "html" and (len(found) > 1 or _is_folder(out)):
        if not out:
            raise OnstudyError("several worksheets need a folder: --format html --out FOLDER")
        files.update(zip(_names(found, Path(out)), _pages(found), strict=True))
    elif out:
        files[Path(out)] = _joined(found, format)
    else:
        shown = _joined(found, format)
    keep("--out", files, read)
    if todo:
        from onstudy.screening.todo import todo_file

        if Path(todo).resolve() in {path.resolve() for path in files}:
            raise OnstudyError(f"--todo and --out are both {todo}; one would be written over the other")
        keep("--todo", [Path(todo)], read)
        files[Path(todo)] = todo_file(found[0])
    _write_files(files)
    sys.stdout.write(shown)


def keep(option: str, written: Iterable[Path], read: Sequence[str | Path]) -> None:
    """Raises `OnstudyError` where a file that is to be written is one of those read, under whatever name or link."""
    for path in written:
        lost = next((str(one) for one in read if path.is_file() and _same(path, one)), "")
        if lost:
            name = "standard input" if lost == "-" else lost
            raise OnstudyError(f"{option} would be written over {name}, which is read here; name another file")


def _same(path: Path, other: str | Path) -> bool:
    """Whether both are one file; - is standard input, which may be one."""
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdin.fileno()) if other == "-" else os.stat(other))
    except (OSError, ValueError):  # what is not there, or has no file behind it, cannot be lost
        return False


def _joined(found: list[Screening], format: str) -> str:
    if format == "json":
        return "".join(to_json(screening) + "\n" for screening in found)
    if format == "html":
        return _pages(found)[0]
    table = [to_table(found)] if len(found) > 1 else []
    return "\n".join([*table, *(to_text(screening) for screening in found)])


def _pages(found: list[Screening]) -> list[str]:
    from onstudy.screening.worksheet import worksheet

    return [worksheet(screening) for screening in found]


def _is_folder(out: str) -> bool:
    return bool(out) and (out.endswith("/") or Path(out).is_dir())


def _names(found: list[Screening], folder: Path) -> list[Path]:
    """A file for each worksheet, named after trial and patient as far as a file name can be."""
    names: dict[str, None] = {}
    for screening in found:
        safe = re.sub(r"[^A-Za-z0-9._-]+", "_", screening.patient.id).strip("._")[:60] or "patient"
        name = stem = f"{screening.trial.id}-{safe}"
        number = 2
        while name in names:
            name, number = f"{stem}-{number}", number + 1
        names[name] = None
    return [folder / f"{name}.html" for name in names]


def write(text: str, out: str, read: Sequence[str | Path] = ()) -> None:
    """Write a text to a file, which is none of those `read`, or without one to standard output."""
    if out:
        keep("--out", [Path(out)], read)
        _write_files({Path(out): text})
    else:
        sys.stdout.write(text)


def _write_files(files: dict[Path, str]) -> None:
    """Each file whole or not at all: written beside its place, then moved there.

    A link is followed; what is no file (a device, a pipe) is written to and stays what it is.
    """
    for named, text in files.items():
        path = Path(os.path.realpath(named))
        try:
            if named.exists() and not named.is_file():  # asked of the name: what /dev/stdout leads to may have none
                named.write_text(text, encoding="utf-8", newline="\n")
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".onstudy-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                    file.write(text)
                os.chmod(name, 0o600 if not path.exists() else path.stat().st_mode & 0o777)
                os.replace(name, path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise OnstudyError(f"{named}: cannot be written: {error.strerror}") from None


# facts and diff ---------------------------------------------------------------------------------------------


def facts(patients: list[Patient], format: str) -> str:
    """What was read, in one of the formats of `onstudy facts`."""
    return writable(_facts(patients, format))


def _facts(patients: list[Patient], format: str) -> str:
    catalogue = load_catalogue()
    if format == "fhir":
        from onstudy.readers.fhir_write import to_bundle

        return "".join(
            json.dumps(to_bundle(p, catalogue), ensure_ascii=False, separators=(",", ":")) + "\n" for p in patients
        )
    if format == "patient":
        from onstudy.readers.patientfile_write import to_patient_file

        return "---\n".join(to_patient_file(p, catalogue) for p in patients)
    if format == "json":
        return "".join(json.dumps(_object(p), ensure_ascii=False, separators=(",", ":")) + "\n" for p in patients)
    return "\n".join(_text(p) for p in patients)


def _object(patient: Patient) -> dict[str, object]:
    return {
        "patient": patient.id,
        "born": str(patient.born) if patient.born.known else None,
        "facts": [_fact(fact, load_catalogue()) for fact in patient.facts],
        "problems": [{"what": p.what, "where": p.where, "fact_kept": p.fact_kept} for p in patient.problems],
        "complete": [
            {"kind": cover.kind, "from": show_day(cover.first), "to": show_day(cover.last), "source": cover.source}
            for cover in patient.coverage
        ],
    }


def _fact(fact: Fact, catalogue: Catalogue) -> dict[str, object]:
    stated = dict(details(fact, catalogue))
    return {
        "id": fact.id,
        "kind": fact.kind,
        "when": when_text(fact),
        "value": fact.shown or None,
        "negative": fact.negative,
        "narrowed": stated if fact.narrowed is not None else None,
        "attributes": {} if fact.negative else stated,
        "computed": fact.computed,
        "not_usable": fact.lacks,
        "source": fact.source,
        "uln": _limit(fact.uln, fact, catalogue) or None,
        "lln": _limit(fact.lln, fact, catalogue) or None,
        "recorded": str(fact.recorded) if fact.recorded is not None and fact.recorded.known else None,
    }


def _limit(limit: Interval | None, fact: Fact, catalogue: Catalogue) -> str:
    """A limit of normal in the unit of the kind, which is the one it was converted to, to six digits."""
    if limit is None or limit.low is None:
        return ""
    kind = catalogue.kinds.get(fact.kind)
    unit = kind.unit if kind is not None and kind.unit != "1" else ""
    return f"{plain(float(f'{limit.low:.6g}'))} {unit}".strip()


def _text(patient: Patient) -> str:
    catalogue = load_catalogue()
    lines = [
        f"patient {patient.id}" + (f", born {patient.born}" if patient.born.known else ", date of birth not known")
    ]
    for fact in patient.facts:
        lines.append(f"  {when_text(fact):<24} {_said(fact, catalogue)}  [{fact.source}]")
    lines.append(f"  {_count(len(patient.facts), 'fact')}, {_count(len(patient.problems), 'problem')}")
    lines += [f"  complete: {_covered(cover, catalogue)}  [{cover.source}]" for cover in patient.coverage]
    lines += [f"  ! {problem}{' (fact kept)' if problem.fact_kept else ''}" for problem in patient.problems]
    return "\n".join(lines) + "\n"


def _covered(cover: Coverage, catalogue: Catalogue) -> str:
    """A kind that is completely recorded, and over which days where that is bounded."""
    kind = "all kinds" if cover.kind == ALL else label(cover.kind, catalogue)
    days = [f"{word} {show_day(day)}" for word, day in (("from", cover.first), ("to", cover.last)) if day is not None]
    return " ".join([kind, *days])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _said(fact: Fact, catalogue: Catalogue) -> str:
    """What a fact says: its value, or that there is none; what is stated of it; its limits of normal; why it cannot be
    used; when it was recorded.
    """
    stated = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in details(fact, catalogue))
    value = "none" if fact.negative else fact.shown
    if value in ("", "none", "yes"):
        value, stated = (f"none with {stated}" if stated else "none") if fact.negative else stated, ""
    notes = [
        stated,
        *(
            f"{name} {_limit(limit, fact, catalogue)}"
            for name, limit in (("LLN", fact.lln), ("ULN", fact.uln))
            if limit
        ),
        "computed" * fact.computed,
        f"not usable: {fact.lacks}" if fact.lacks else "",
        _recorded(fact),
    ]
    extra = ", ".join(note for note in notes if note)
    what = label(fact.kind, catalogue) + (f": {value}" if value else "")
    return f"{what} ({extra})" if extra else what


def _recorded(fact: Fact) -> str:
    """When a fact was recorded, where that is another day than the one of the fact."""
    when, own = fact.recorded, (fact.end or fact.recorded or fact.start) if fact.negative else fact.start
    return f"recorded {when}" if when is not None and when.known and when.days != own.days else ""


def changes(found: list[Change], format: str) -> str:
    """The changes between two trial files."""
    if format == "json":
        return "".join(
            json.dumps({"what": c.what, "part": c.part, "old": c.old, "new": c.new}, ensure_ascii=False) + "\n"
            for c in found
        )
    lines = []
    for change in found:
        lines.append(f"{change.what}: {change.part}")
        lines += [f"  - {change.old}"] if change.old else []
        lines += [f"  + {change.new}"] if change.new else []
    return "\n".join(lines or ["no change"]) + "\n"
