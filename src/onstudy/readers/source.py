"""What a source holds: its bytes unpacked and decoded, and which of the formats they are, told by content.

Whatever keeps a source from being read to its end is an `InvalidFile` with one clear line.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from onstudy.errors import InvalidFile, Problem
from onstudy.readers.reading import clip

FHIR, NDJSON, YAML, CSV = "fhir", "ndjson", "yaml", "csv"
#: A packed file may unpack to this many bytes; a patient's record is far smaller, a bomb is not.
LARGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class Content:
    """A source: its path as given, its short name, its text and format, its JSON if it is one document."""

    path: str
    name: str
    text: str
    format: str
    document: Any = None


def refuse(name: str, what: str) -> InvalidFile:
    """The error of a source that cannot be used at all."""
    return InvalidFile([Problem(what, name)])


def open_source(source: Path | str, text: bytes | None = None) -> Content:
    """Read a file (or take the bytes given) and tell its format. Raises `InvalidFile` where that fails."""
    path = clip(str(source), 400) or "input"
    packed = text if text is not None else _bytes_of(Path(source), path)
    return sniff(path, _decoded(path, _unpacked(path, packed)))


def _bytes_of(path: Path, name: str) -> bytes:
    if path.is_dir():
        raise refuse(name, "is a folder; name the files in it, or make a store of them with `onstudy build`")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise refuse(name, "there is no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        raise refuse(name, f"cannot be read: {reason}") from None


def _unpacked(name: str, packed: bytes) -> bytes:
    if not packed.startswith(b"\x1f\x8b"):
        return packed
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            text = stream.read(LARGEST + 1)
    except (EOFError, zlib.error, OSError):
        raise refuse(name, "the gzip file is damaged or cut off; get it again") from None
    if len(text) > LARGEST:
        raise refuse(name, "unpacks to more than 1 GiB; make a store of it with `onstudy build`")
    return text


def _decoded(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        way_out = "give FHIR JSON, a patient file or CSV, saved as UTF-8"
        raise refuse(name, f"is not text in UTF-8 (byte {error.start}): {way_out}") from None


# Formats --------------------------------------------------------------------------------------------


def sniff(path: str, text: str) -> Content:
    """Tell the format by what the text is."""
    name = clip(Path(path).name) or path
    start = text.lstrip()[:4096]
    if not start:
        raise refuse(path, "is empty")
    if start[0] in "{[":
        return _json(path, name, text, start)
    if start[0] == "<":
        raise refuse(path, "is XML; FHIR is read as JSON or NDJSON, so export it as JSON")
    if "\0" in start:
        raise refuse(path, "is no text; readable are FHIR R4 (JSON, NDJSON), patient files (YAML) and CSV")
    return Content(path, name, text, CSV if is_csv(start) else YAML)


def is_csv(start: str) -> bool:
    """Whether the first line is a header that names a column `kind`."""
    header = start.splitlines()[0].lower() if start.splitlines() else ""
    cells = [cell.strip(" \"'") for cell in re.split(r"[,;\t]", header)]
    return "kind" in cells and len(cells) > 1


_FLOW_YAML = re.compile(r"\{\s*(?:patient|patients|born|sex|complete|facts)\s*:")


def _json(path: str, name: str, text: str, start: str) -> Content:
    try:
        document = decode(text)
    except RecursionError:
        raise refuse(path, "is nested too deeply to be a record") from None
    except ValueError as error:
        if _is_ndjson(text):
            return Content(path, name, text, NDJSON)
        if _FLOW_YAML.match(start):
            return Content(path, name, text, YAML)
        raise refuse(path, f"is no whole JSON document: {json_fault(error)}") from None
    if (
        isinstance(document, dict)
        and "resourceType" not in document
        and {"facts", "patient", "patients"} & set(document)
    ):
        return Content(path, name, text, YAML)
    return Content(path, name, text, FHIR, document)


def _is_ndjson(text: str) -> bool:
    """Whether most lines open an object and one is a whole resource: damaged lines may be among them."""
    lines = [line for line in (raw.strip() for raw in text.split("\n")) if line]
    if len(lines) < 2 or sum(line[0] != "{" for line in lines) > len(lines) // 2:
        return False
    return any(_is_resource(line) for line in lines)


def _is_resource(line: str) -> bool:
    try:
        return isinstance(found := decode(line), dict) and isinstance(found.get("resourceType"), str)
    except (ValueError, RecursionError):
        return False


def decode(text: str) -> Any:
    """JSON with decimals kept as written; NaN, infinities and numbers no double holds come back as text."""
    return json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=str)


def _decimal(text: str) -> Decimal | str:
    return Decimal(text) if len(text) <= 64 else "number too long"


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= 64 else "number too long"


def json_fault(error: ValueError) -> str:
    """What is wrong in JSON and where, without repeating any of it."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.rstrip(': ')} in line {error.lineno}, column {error.colno}"
    return "it holds what JSON does not allow"
