"""What lies in a folder, and what of it a build does not read: why, and which files plainly belong beside the data."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from onstudy.errors import InvalidFile, Problem

#: Files and folders and why they are not read.
Unread = Mapping[str, str]

PACKED = "is packed in a way that is not read; unpack it, or pack it with gzip (.gz)"
OTHER_END = "the end of its name is none that is read"
LINKED = "is a link to a folder, and such links are not followed"
CLOSED = "cannot be read"
NO_FILE = "is neither a file nor a folder"
_PACKED = (
    ".zst",
    ".zstd",
    ".bz2",
    ".xz",
    ".lz4",
    ".lzma",
    ".zip",
    ".7z",
    ".rar",
    ".tar",
    ".tgz",
    ".snappy",
    ".br",
    ".z",
)
#: What describes an export and holds no record: by its name, or by the end of it.
_BESIDE = re.compile(
    r"lost\+found$|(?:readme|licen[cs]e|copying|notice|copyright|change_?log|.*manifest|.*checksums?|(?:md5|sha\d*)(?:sums?)?|"
    r"thumbs\.db|desktop\.ini)(?:[._-].*)?$|.*\.(?:md5|sha1|sha256|sha512|sfv|crc|log|md|asc|sig)$",
    re.IGNORECASE,
)


def is_beside(name: str) -> bool:
    """Whether a file plainly belongs beside the data.

    Hidden files and those that begin with `_`, as programs leave them, or lie in such a folder; words on the export,
    licences, manifests, checksums, logs. What is packed may hold anything, whatever it is called.
    """
    parts = PurePath(name).parts
    return any(part[0] in "._" for part in parts) or (bool(_BESIDE.match(parts[-1])) and not is_packed(name))


def is_packed(name: str) -> bool:
    """Whether a file is packed in a way that is not read."""
    return name.lower().endswith(_PACKED)


def unread_among(names: Iterable[str]) -> dict[str, str]:
    """Why some files are not read, but for those that belong beside."""
    return {name: PACKED if is_packed(name) else OTHER_END for name in sorted(names) if not is_beside(name)}


@dataclass
class Listing:
    """All files of a folder and its folders, by their names in it; and what else is there, and why it is not read.

    `lost` is what of that may hold files of the source that nobody has seen.
    """

    files: dict[str, Path] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def refuse_lost(self, folder: Path, wanted: Callable[[str], bool]) -> None:
        """Raise `InvalidFile` where something is lost whose name is wanted: a store without it would be too small."""
        some = sorted(name for name in self.lost if wanted(name) and not is_beside(name))
        if some:
            way = "what lies there would be missing from the store; make it readable, or take it out of the source"
            raise InvalidFile([Problem(f"{self.closed[name]}; {way}", str(folder / name)) for name in some])


def listing_of(folder: Path, beside: Path | None = None) -> Listing:
    """What lies in a folder; links to folders are not followed, nor is `beside` looked into.

    Raises `OSError` where the folder itself cannot be looked into.
    """
    found = Listing()

    def closed(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise error
        found.closed[_within(folder, error.filename)] = f"{CLOSED}: {error.strerror}"
        found.lost.add(_within(folder, error.filename))

    for place, folders, names in os.walk(folder, onerror=closed, followlinks=False):
        folders[:] = sorted(one for one in folders if beside is None or not _same(Path(place) / one, beside))
        linked = [path for one in folders if (path := Path(place) / one).is_symlink()]
        found.closed.update((_within(folder, path), LINKED) for path in linked)
        for path in (Path(place) / name for name in names):
            name, why = _within(folder, path), _why_no_file(path)
            if why is None:
                found.files[name] = path
            else:
                found.closed[name] = why
                found.lost |= set() if why == NO_FILE else {name}
    return found


def _within(folder: Path, path: Path | str) -> str:
    return Path(path).relative_to(folder).as_posix()


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _why_no_file(path: Path) -> str | None:
    """Why a path that is no folder is no file either: a device, a pipe, a link that leads nowhere; None for a file."""
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else NO_FILE
    except OSError as error:
        return f"{CLOSED}: {error.strerror}"
