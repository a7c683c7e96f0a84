"""The files of rows that a store keeps: those of each part, under its hash, and whether they are still as they were."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from onstudy.population.build_sound import keep_hashes, rows_are_sound
from onstudy.population.build_work import Read, read_said
from onstudy.population.bulk_rows import said_of, shards_in
from onstudy.population.store_files import is_sealed, remove


def rows_file(digest: str, number: int) -> str:
    """The name of the rows of a piece of a part."""
    return f"{digest}-{number:05d}.arrow"


def digest_in(name: str) -> str:
    """The digest of the part that a file of rows is of."""
    return name.rpartition("-")[0]


def files_of(digest: str, count: int) -> list[str]:
    """The names of the rows of all pieces of a part."""
    return [rows_file(digest, number) for number in range(count)]


@dataclass
class RowsFiles:
    """The files of rows in a folder, of one version of the program."""

    folder: Path
    version: str
    _counted: dict[str, int | None] = field(default_factory=dict)  # how many files a part has, once it is known

    def write(self, digest: str, files: int, shard_count: int) -> None:
        """Note that a part was read into so many files, with their hashes."""
        said = {"files": files, "shards": shard_count, "version": self.version}
        keep_hashes(self.folder / f"{digest}.json", said, [self.folder / name for name in files_of(digest, files)])
        self._counted[digest] = files

    def count(self, digest: str, shard_count: int) -> int | None:
        """How many files of rows a part was read into; None where it was not, by this program for so many shards.

        Nor are there any where one is not as it was written.
        """
        if digest not in self._counted:
            try:
                said = json.loads((self.folder / f"{digest}.json").read_bytes())
                files = [self.folder / name for name in files_of(digest, int(said["files"]))]
                fits = said["version"] == self.version and said["shards"] == shard_count
                self._counted[digest] = len(files) if fits and rows_are_sound(said, files) else None
            except (OSError, ValueError, KeyError, TypeError):
                self._counted[digest] = None
        return self._counted[digest]

    def read_of(self, digest: str, shard_count: int) -> dict[str, Read] | None:
        """What was read of a part by an earlier build; None where it has to be read."""
        count = self.count(digest, shard_count)
        if count is None:
            return None
        found = {name: self._said(name, shard_count) for name in files_of(digest, count)}
        if any(one is None for one in found.values()):
            return None
        return {name: one for name, one in found.items() if one is not None}

    def finished(self, name: str, shard_count: int) -> Read | None:
        """What was read into a file by a build that was cut short; None where the file is not there, or not whole."""
        return self._said(name, shard_count) if is_sealed(self.folder / name) else None

    def _said(self, name: str, shard_count: int) -> Read | None:
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            return read_said(said_of(path), shard_count, self.version)
        except (OSError, ValueError, KeyError, pa.ArrowException):
            return None

    def numbers_in(self, name: str) -> frozenset[int]:
        """The numbers of the shards a file has rows of, and of what is kept for all."""
        return frozenset(shards_in(self.folder / name))

    def in_order(self, files: Iterable[str], digests: Iterable[str]) -> list[str]:
        """Files of rows, those of one part after those of another, in the order of the parts."""
        many = Counter(map(digest_in, files))
        return [name for digest in digests for name in files_of(digest, many[digest])]

    def clear(self, digests: set[str]) -> None:
        """Remove the files of all other parts."""
        for path in self.folder.glob("*"):
            if path.name.partition(".")[0].partition("-")[0] not in digests:
                remove(path)
