"""The fact store: a folder with a manifest and Parquet shards of patients, facts sorted by kind, patient and date.

The manifest alone says what belongs to the store; it is replaced last, in one step, so that a store is always
whole. A patient lies in the shard that the hash of the id names, whatever else the store holds.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.errors import OnstudyError
from onstudy.population.bulk_letters import crc32s
from onstudy.population.store_files import digest_of, hash_of, make_folder, remove, settle, whole, write_whole
from onstudy.population.store_shard import PATIENTS, StoredShard, open_shard, write_shard
from onstudy.record.catalogue import Catalogue
from onstudy.record.checks import TEST_DATA
from onstudy.record.shard import Shard

FORMAT = 3
MANIFEST, SHARDS = "manifest.json", "shards"
GENERATOR = "generator"  # in the manifest: the version of what made the store up
_DIGITS = 16
#: Letters of a hash in the name of a file.
_NAMED = 12


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """One shard: its number, the name and hash of its file, and what it holds."""

    number: int
    file: str
    digest: str
    patients: int
    facts: Mapping[str, int]
    latest: int | None = None  # the latest day anything of it happened or was recorded on (ordinal)
    test_data: int = 0  # how many patients are marked as not real
    left: str | None = None  # the hash of the file that says what of the records could not be used

    @property
    def rows(self) -> int:
        """How many facts there are."""
        return sum(self.facts.values())

    @property
    def files(self) -> dict[str, str]:
        """The files of the shard, with their hashes."""
        return {self.file: self.digest} | ({} if self.left is None else {self.left_file: self.left})

    @property
    def left_file(self) -> str:
        """The file that says what of the records could not be used, named after what it holds as the shard's is."""
        assert self.left is not None, "what was left out is kept with every shard that was built"
        return f"{self.number:05d}.{self.left[:_NAMED]}.json"


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One part of a source that was read: its name within the source, size and hash."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What belongs to a store. `catalogue` and `mapping` are hashes of what the facts were read by."""

    catalogue: str
    catalogue_version: str
    shard_count: int
    shards: tuple[ShardInfo, ...] = ()
    sort: str = ""
    sources: tuple[SourceInfo, ...] = ()
    mapping: str | None = None
    data_date: str | None = None
    beside: Mapping[str, Any] = field(default_factory=dict)  # of what made the store: seed, reader
    format: int = FORMAT

    @property
    def generated(self) -> bool:
        """Whether `onstudy generate` made it, of no records."""
        return GENERATOR in self.beside

    @property
    def test_data(self) -> int:
        """How many patients are marked as not real: those of `onstudy generate`, and test data of a source."""
        return sum(shard.test_data for shard in self.shards)

    @property
    def patients(self) -> int:
        """How many patients there are."""
        return sum(shard.patients for shard in self.shards)

    @property
    def facts(self) -> dict[str, int]:
        """How many facts of each kind there are."""
        return facts_of(self.shards)

    @property
    def digest(self) -> str:
        """A hash of all that the store holds: equal stores have equal ones."""
        said = json.dumps([self.catalogue, self.shard_count, [shard.digest for shard in self.shards]])
        return hashlib.blake2b(said.encode(), digest_size=_DIGITS).hexdigest()

    def to_json(self) -> str:
        """The manifest as its file holds it."""
        said = asdict(self) | {"patients": self.patients, "facts": self.facts, "digest": self.digest}
        return json.dumps(said, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def facts_of(shards: Iterable[ShardInfo]) -> dict[str, int]:
    """How many facts of each kind shards hold together."""
    found: dict[str, int] = {}
    for shard in shards:
        for kind, count in shard.facts.items():
            found[kind] = found.get(kind, 0) + count
    return dict(sorted(found.items()))


def shard_number(patient_id: str, count: int) -> int:
    """The shard a patient lies in: the CRC-32 of the id in UTF-8, modulo the number of shards."""
    return zlib.crc32(patient_id.encode("utf-8", "replace")) % count


def shard_numbers(patient_ids: pa.Array, count: int) -> NDArray[np.int64]:
    """`shard_number` of each of many ids."""
    return crc32s(patient_ids).astype(np.int64) % count


def catalogue_digest(catalogue: Catalogue) -> str:
    """A hash of all that a catalogue says, mapping file included."""
    parts = [catalogue.version, catalogue.kinds, catalogue.value_sets, dict(catalogue.unit_spellings)]
    said = json.dumps(parts, default=_plain, sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=_DIGITS).hexdigest()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)


# Reading --------------------------------------------------------------------------------------------------


class Store:
    """A store opened for reading. Made by `Store.open`; what it reads is read when it is asked for."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest

    @staticmethod
    def open(path: Path | str, catalogue: Catalogue | None = None) -> Store:
        """The store in a folder. Raises `OnstudyError`, saying what to do, where there is none to be read.

        With `catalogue`, also where the facts were read by another one.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        if manifest is None:
            raise OnstudyError(f"{folder}: there is no store here; make one with `onstudy build SOURCE --store DIR`")
        return Store(folder, manifest).made_with(catalogue)

    def made_with(self, catalogue: Catalogue | None) -> Self:
        """The store itself. Raises `OnstudyError` where its facts were read by another catalogue than the one given.

        What a site's mapping adds is not known here; a store built with one needs the same version of the catalogue.
        """
        known = self.manifest
        if catalogue is None or (known.mapping and known.catalogue_version == catalogue.version):
            return self
        if known.mapping or known.catalogue != catalogue_digest(catalogue):
            raise OnstudyError(
                f"{self.path}: the store was made with another catalogue ({known.catalogue_version or 'unnamed'}); "
                "run the same `onstudy build` again, with the mapping if there was one"
            )
        return self

    @property
    def shards(self) -> tuple[ShardInfo, ...]:
        """What each shard holds, by number; a shard that nobody lies in is left out."""
        return self.manifest.shards

    def read(
        self, number: int, kinds: Collection[str] | None = None, columns: Collection[str] | None = None
    ) -> StoredShard:
        """The shard at a place of `shards`, of which nothing is read before it is asked for.

        `kinds` and `columns` leave out all others, as if they were not stored. The columns of a kind that
        evaluation needs are read together, those for people (id, shown, source ...) one by one.
        """
        return StoredShard(self._file(number), kinds, columns, self._name(number))

    def _file(self, number: int) -> Any:
        """The file of a shard, as pyarrow opens it."""
        return self.path / SHARDS / self.shards[number].file

    def _name(self, number: int) -> str:
        return str(self.path / SHARDS / self.shards[number].file)

    def find(self, patient_id: str) -> list[tuple[int, int]]:
        """The place in `shards` and the row of every patient of an id: of two whose Patient resources differ, both.

        Those of one id lie in one shard. Raises `OnstudyError` where the store has no such patient.
        """
        wanted = shard_number(patient_id, self.manifest.shard_count)
        ordered = sorted(range(len(self.shards)), key=lambda place: self.shards[place].number != wanted)
        for place in ordered:
            rows = self._rows(place, patient_id)
            if rows:
                return [(place, row) for row in rows]
        raise OnstudyError(f"{self.path}: the store has no patient of that id")

    def _rows(self, place: int, patient_id: str) -> list[int]:
        file = open_shard(self._file(place), self._name(place))
        first = file.tables()[0]
        if not first["rows"] or first["name"] != PATIENTS:
            return []
        ids = file.read(0, ["id"], first["rows"]).column("id")
        rows: list[int] = pc.indices_nonzero(pc.fill_null(pc.equal(ids, patient_id), False)).to_pylist()
        return rows

    def verify(self) -> list[str]:
        """What is wrong with the files of the store: missing, or not as they were written. Nothing, normally."""
        found = []
        for shard in self.shards:
            for name, digest in shard.files.items():
                path = self.path / SHARDS / name
                if not path.is_file() or path.is_symlink():
                    found.append(f"{name} is not there")
                elif digest_of(path) != digest:
                    found.append(f"{name} is not as it was written")
        return found


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a store; None where there is none. Raises `OnstudyError` for one that cannot be used."""
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise OnstudyError(f"{folder}: is a file; a store is a folder") from None
    except OSError as error:
        raise OnstudyError(f"{path}: cannot be read: {error.strerror}") from None
    return manifest_of(data, folder)


def manifest_of(data: bytes, folder: Path | str) -> Manifest:
    """The manifest of the store in a folder from what its file holds. Raises `OnstudyError` where that is none."""
    path = f"{folder}/{MANIFEST}"
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        raise OnstudyError(f"{path}: is no manifest of a store; build into another folder") from None
    if not isinstance(raw, dict) or "format" not in raw:
        raise OnstudyError(f"{path}: is no manifest of a store; build into another folder")
    if raw["format"] != FORMAT:
        raise OnstudyError(
            f"{folder}: the store has format {str(raw['format'])[:20]}, and this version reads format {FORMAT}; "
            "remove the folder and build it again"
        )
    try:
        return _manifest(raw)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise OnstudyError(f"{path}: is damaged; remove the folder and build it again") from None


def _manifest(raw: Mapping[str, Any]) -> Manifest:
    shards = tuple(_shard_info(entry) for entry in raw["shards"])
    sources = tuple(SourceInfo(str(s["name"]), int(s["size"]), str(s["digest"])) for s in raw["sources"])
    return Manifest(
        str(raw["catalogue"]),
        str(raw["catalogue_version"]),
        int(raw["shard_count"]),
        shards,
        str(raw["sort"]),
        sources,
        raw["mapping"],
        raw["data_date"],
        dict(raw["beside"]),
    )


def _shard_info(entry: Mapping[str, Any]) -> ShardInfo:
    name = str(entry["file"])
    if Path(name).name != name or not name.endswith(".parquet"):
        raise ValueError("a shard lies in its own folder")
    facts = {str(kind): int(count) for kind, count in entry["facts"].items()}
    latest = None if entry["latest"] is None else int(entry["latest"])
    left = entry.get("left")
    if left is not None and not re.fullmatch("[0-9a-f]{32}", left):
        raise ValueError("a file is named after its hash")
    return ShardInfo(
        int(entry["number"]),
        name,
        str(entry["digest"]),
        int(entry["patients"]),
        facts,
        latest,
        int(entry["test_data"]),
        left,
    )


# Writing --------------------------------------------------------------------------------------------------


class StoreWriter:
    """Writes shards beside those there are, and makes them the store in one step.

    Until `commit` the store is what it was before. Hold `store_files.locked` around it where others may write.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        make_folder(self.path)
        make_folder(self.path / SHARDS)

    def add(self, number: int, shard: Shard, latest: int | None = None) -> ShardInfo:
        """Write one shard; the file is named after what it holds, so the same shard is written once."""
        with whole(self.path / SHARDS) as (file, written):
            write_shard(file, shard)
        digest = digest_of(written)
        name = f"{number:05d}.{digest[:_NAMED]}.parquet"
        settle(written, self.path / SHARDS / name)
        facts = {kind: shard.table(kind).rows for kind in shard.kinds}
        return ShardInfo(number, name, digest, shard.patients.rows, facts, latest, _test_data(shard))

    def add_left(self, info: ShardInfo, content: bytes) -> ShardInfo:
        """Write what of the records of a shard could not be used; the shard with it."""
        found = replace(info, left=hash_of(content))
        write_whole(self.path / SHARDS / found.left_file, content)
        return found

    def commit(self, manifest: Manifest) -> None:
        """Make the shards of a manifest the store, and remove every other."""
        missing = [shard.file for shard in manifest.shards if not (self.path / SHARDS / shard.file).is_file()]
        if missing:
            raise OnstudyError(f"{self.path}: {missing[0]} was not written, so the store stays as it was")
        write_whole(self.path / MANIFEST, manifest.to_json().encode("utf-8"))
        self.clear(manifest.shards)

    def clear(self, kept: Iterable[ShardInfo]) -> None:
        """Remove the files of shards that are not kept."""
        names = {name for shard in kept for name in shard.files}
        for path in (self.path / SHARDS).iterdir():
            if path.name not in names:
                remove(path)


def _test_data(shard: Shard) -> int:
    """How many patients of a shard are marked as not real."""
    told = shard.problems.text("what")
    codes = [place for place, word in enumerate(told.words) if word == TEST_DATA]
    return len(np.unique(shard.problems.get("patient")[np.isin(told.index, codes)]))


def data_date(shards: Iterable[ShardInfo]) -> str | None:
    """The latest day anything in the shards happened or was recorded on, as ISO text."""
    days = [shard.latest for shard in shards if shard.latest is not None]
    return date.fromordinal(max(days)).isoformat() if days else None
