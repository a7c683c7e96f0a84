"""Parts: what one shard and one trial came to, kept in a file of their own until the whole is put together.

A part is named after a digest of everything it depends on, so one that is there can be used: after an
interruption, by the next run, by a run on another machine. It is written beside its place and moved there whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from onstudy.errors import OnstudyError
from onstudy.population.prescreen_pages import Page

FOLDER = ".parts"
_MAGIC = b"onstudy part 1\n\n"
_UNFINISHED = ".unfinished"

#: Numbers by name, nested: what can be added up over shards.
Counts = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """The pages of criteria.parquet, the candidates in their order, and what is counted."""

    rows: int
    pages: Mapping[str, Page]
    candidates: pa.Table
    counts: Counts


def digest(*parts: object) -> str:
    """A digest of plain data: the same on every machine and in every run."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def to_bytes(part: Part) -> bytes:
    """A part as the content of its file; the same part gives the same bytes."""
    table = _table_bytes(part.candidates)
    places, body = {}, []
    at = 0
    for name, page in part.pages.items():
        places[name] = [at, len(page.data), page.rows, page.plain]
        body.append(page.data)
        at += len(page.data)
    header = {"rows": part.rows, "pages": places, "candidates": at, "counts": part.counts}
    head = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return b"".join([len(head).to_bytes(8, "little"), head, *body, table])


def from_bytes(data: bytes) -> Part:
    """The part that `to_bytes` wrote."""
    return Part(_header(data)[0]["rows"], pages_in(data), candidates_in(data), counts_in(data))


def counts_in(data: bytes) -> Counts:
    """Of the content of a part's file what is counted."""
    counts: Counts = _header(data)[0]["counts"]
    return counts


def pages_in(data: bytes) -> dict[str, Page]:
    """Of the content of a part's file the pages."""
    header, start = _header(data)
    return {
        name: Page(data[start + at : start + at + length], rows, plain)
        for name, (at, length, rows, plain) in header["pages"].items()
    }


def candidates_in(data: bytes) -> pa.Table:
    """Of the content of a part's file the candidates."""
    header, start = _header(data)
    return pa.ipc.open_stream(pa.py_buffer(data).slice(start + header["candidates"])).read_all()


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """What the content of a part's file begins with, and where the rest begins."""
    start = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:start]), start


def _table_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    found: bytes = sink.getvalue().to_pybytes()
    return found


class Parts:
    """The folder of parts below a result; `earlier` is that of another run, whose parts may be used too."""

    def __init__(self, out: Path, earlier: Path | None = None) -> None:
        self.folder = out / FOLDER
        self.earlier = None if earlier is None else earlier / FOLDER

    def path(self, shard: int, key: str) -> Path:
        """Where the part of a shard and a key lies."""
        return self.folder / f"{shard:05d}.{key[:32]}.part"

    def has(self, shard: int, key: str) -> bool:
        """Whether a part is there whole; one of the earlier run is taken over, a damaged one thrown away."""
        path = self.path(shard, key)
        if not path.exists() and self.earlier is not None and (self.earlier / path.name).is_file():
            take_over(self.earlier / path.name, path)
        try:
            self.read(shard, key)
        except FileNotFoundError:
            return False
        except ValueError:
            path.unlink()
            return False
        return True

    def save(self, shard: int, key: str, data: bytes) -> None:
        """Keep something, whole or not at all."""
        seal = hashlib.sha256(data).digest()
        with unfinished(self.path(shard, key)) as file:
            file.write(_MAGIC + seal + data)

    def read(self, shard: int, key: str) -> bytes:
        """What was kept. Raises `ValueError` where it was damaged."""
        raw = self.path(shard, key).read_bytes()
        start = len(_MAGIC) + hashlib.sha256().digest_size
        data = raw[start:]
        if raw[: len(_MAGIC)] != _MAGIC or hashlib.sha256(data).digest() != raw[len(_MAGIC) : start]:
            raise ValueError("the part is damaged")
        return data

    def tidy(self, wanted: Iterable[Path]) -> None:
        """Remove what belongs to no wanted part: parts of other inputs and what a killed run left unfinished."""
        keep = {path.name for path in wanted}
        for path in self.folder.iterdir():
            if path.name.endswith(_UNFINISHED) or (path.suffix == ".part" and path.name not in keep):
                path.unlink(missing_ok=True)


@contextmanager
def unfinished(path: Path) -> Iterator[IO[bytes]]:
    """A file being written beside its place, moved there when the block ends well, removed when it does not.

    Only its owner may read it: it holds patients' data.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}{_UNFINISHED}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb", buffering=1 << 20) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise OnstudyError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


def take_over(source: Path, target: Path) -> None:
    """The same file in another place: a second name for it, or a copy where that cannot be."""
    beside = target.with_name(f"{target.name}.{os.getpid()}{_UNFINISHED}")
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
        os.chmod(beside, 0o600)
    os.replace(beside, target)


def added(counts: Iterable[Counts]) -> dict[str, Any]:
    """The sum of nested numbers, name by name and place by place."""
    total: dict[str, Any] = {}
    for one in counts:
        total = _sum(total, one)
    return total


def _sum(a: Any, b: Any) -> Any:
    if isinstance(b, Mapping):
        names = dict.fromkeys([*a, *b])
        return {name: _sum(a[name], b[name]) if name in a and name in b else b.get(name, a.get(name)) for name in names}
    if isinstance(b, list):
        return [_sum(one, other) for one, other in zip(a, b, strict=True)]
    return a + b
