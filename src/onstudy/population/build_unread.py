"""Files of a folder that a build does not read: why, and which of them plainly belong beside the data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath

#: Files and why they are not read.
Unread = Mapping[str, str]

PACKED = "is packed in a way that is not read; unpack it, or pack it with gzip (.gz)"
OTHER_END = "the end of its name is none that is read"
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
    r"(?:readme|licen[cs]e|copying|notice|copyright|change_?log|.*manifest|.*checksums?|(?:md5|sha\d*)(?:sums?)?|"
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
