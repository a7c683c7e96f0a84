"""Trial files that were read before: the trial as plain JSON in a folder of the user, under a key of its content.

Reading a trial file takes longer than everything else a screening does, and it comes to the same each time. The key
covers the file, the catalogue and the code that reads; what lies there makes no object but the nodes of a trial, and
each checks itself as it is made. Whatever is not as expected is read anew: a kept trial saves time and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from onstudy.criteria import expr, trial
from onstudy.criteria.trial import Trial
from onstudy.errors import OnstudyError
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.values import calendar, interval

#: All that may stand in a kept trial: the classes of its nodes, and the words they choose from.
_CLASSES: Mapping[str, type] = {
    name: cls
    for module in (calendar, interval, expr, trial)
    for name, cls in vars(module).items()
    if isinstance(cls, type) and (is_dataclass(cls) or issubclass(cls, Enum)) and cls.__module__ == module.__name__
}
_PACKAGE = Path(__file__).parent.parent
_READING = ("language", "criteria", "values", "yamltext.py", "record/catalogue.json", "record/catalogue.toml")
_READ = (".py", ".lark", ".tables", ".json", ".toml")
_LARGEST, _MOST = 1 << 26, 64  # bytes of one, and how many are kept


def load_kept(path: Path, catalogue: Catalogue, folder: Path | None) -> Trial:
    """`load_trial_file`, from what is kept in `folder` where that is of the very same file, catalogue and code.

    Without a folder, with a catalogue of a site, or where the folder cannot be used, the file is read.
    """
    if folder is None or catalogue is not load_catalogue() or not path.is_file():
        return _read(path, catalogue)
    try:
        raw = path.read_bytes()
    except OSError:
        return _read(path, catalogue)
    place = folder / f"trial-{_key(raw)}.json"
    found = _fetched(place)
    if found is None:
        from onstudy.language.trialfile import read_trial

        found = read_trial(raw, path.name, catalogue)
        _keep(found, place)
    return replace(found, source=path.name)


def _read(path: Path, catalogue: Catalogue) -> Trial:
    from onstudy.language.trialfile import load_trial_file

    return load_trial_file(path, catalogue)


def _key(raw: bytes) -> str:
    return hashlib.sha256(_code() + hashlib.sha256(raw).digest()).hexdigest()


@lru_cache(maxsize=1)
def _code() -> bytes:
    """A digest of everything that reading a trial file rests on beside the file itself."""
    digest = hashlib.sha256()
    for name in _READING:
        place = _PACKAGE / name
        for file in sorted(place.iterdir()) if place.is_dir() else [place]:
            if file.suffix in _READ:
                digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.digest()


# In the folder ----------------------------------------------------------------------------------------------


def _fetched(place: Path) -> Trial | None:
    """The trial that is kept there; None where there is none, or where it is not wholly what was kept."""
    try:
        with place.open("rb") as file:
            if not _own(os.fstat(file.fileno())):
                return None
            digest, _, text = file.read(_LARGEST).partition(b"\n")
        if hashlib.sha256(text).hexdigest().encode() != digest:
            return None
        found = decode(json.loads(text))
    except (OSError, ValueError, TypeError, LookupError, RecursionError, OnstudyError):
        return None
    return found if isinstance(found, Trial) else None


def _own(status: os.stat_result) -> bool:
    """Whether nobody but the user can have written a file."""
    mine = getattr(os, "getuid", lambda: status.st_uid)()
    return status.st_uid == mine and not status.st_mode & 0o022


def _keep(found: Trial, place: Path) -> None:
    """Keep a trial, whole or not at all; a folder that cannot be written to keeps nothing."""
    try:
        text = json.dumps(encode(found), ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, TypeError):  # the sections kept as written may hold what JSON cannot
        return
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".trial-")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
        os.replace(name, place)
        for old in sorted(place.parent.glob("trial-*.json"), key=lambda file: file.stat().st_mtime)[:-_MOST]:
            old.unlink(missing_ok=True)
    except OSError:
        return


# Trials as rows ---------------------------------------------------------------------------------------------


def encode(found: object) -> list[list[Any]]:
    """An object as rows of plain values: each row names its class and the rows of its fields, all before it.

    A node that stands in several places is one row. Raises `TypeError` for what no trial is made of.
    """
    rows: list[list[Any]] = []
    known: dict[int, int] = {}
    plain: dict[str, int] = {}

    def row(kind: str, content: Any) -> int:
        rows.append([kind, content])
        return len(rows) - 1

    def place(one: object) -> int:
        if id(one) not in known:
            known[id(one)] = made(one)
        return known[id(one)]

    def made(one: object) -> int:
        name = type(one).__name__
        if _CLASSES.get(name) is type(one):
            if isinstance(one, Enum):
                return row(name, one.value)
            return row(name, [place(getattr(one, part.name)) for part in fields(one) if part.init])  # type: ignore[arg-type]
        if one is None or type(one) in (str, int, float, bool):
            text = repr(one)
            if text not in plain:
                plain[text] = row("", one)
            return plain[text]
        if isinstance(one, Mapping):
            return row("mapping", [[place(key), place(value)] for key, value in one.items()])
        if type(one) in (tuple, list):
            return row(name, [place(part) for part in one])  # type: ignore[attr-defined]
        if type(one) is frozenset:
            return row(name, [place(part) for part in sorted(one)])
        raise TypeError(f"{name} is no part of a trial")

    place(found)
    return rows


def decode(rows: list[list[Any]]) -> object:
    """The object of the last row; nodes that were one are one again.

    Raises `LookupError`, `TypeError`, `ValueError` or `OnstudyError` for rows that `encode` has not made.
    """
    found: list[Any] = []
    for kind, content in rows:
        make = _CLASSES.get(kind)
        if kind == "":
            found.append(content)
        elif make is not None and issubclass(make, Enum):
            found.append(make(content))
        elif make is not None:
            found.append(make(*[found[place] for place in content]))
        elif kind == "mapping":
            found.append({found[key]: found[value] for key, value in content})
        else:
            found.append(_SEQUENCES[kind](found[place] for place in content))
    return found[-1]


_SEQUENCES: Mapping[str, Any] = {"tuple": tuple, "list": list, "frozenset": frozenset}
