"""A store in a lake: the same folder, in an object store or any other place that pyarrow.fs reaches by its address.

What is asked of a shard is fetched when it is asked for; nothing is put on a disk on the way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyarrow import ArrowException
from pyarrow.fs import FileSystem

from onstudy.errors import OnstudyError
from onstudy.population.store import MANIFEST, SHARDS, Store, manifest_of
from onstudy.record.catalogue import Catalogue


def open_store(place: Path | str, catalogue: Catalogue | None = None) -> Store:
    """The store in a folder, or at an address such as `s3://bucket/store`.

    Raises `OnstudyError` where there is none to be read, and with `catalogue` where another one read its facts.
    """
    return LakeStore(str(place)).made_with(catalogue) if "://" in str(place) else Store.open(place, catalogue)


class LakeStore(Store):
    """A store opened by its address."""

    def __init__(self, address: str) -> None:
        try:
            self._files, self._root = FileSystem.from_uri(address)
            with self._files.open_input_stream(f"{self._root}/{MANIFEST}") as file:
                data = file.read()
        except FileNotFoundError:
            raise OnstudyError(f"{_open_part(address)}: there is no store here; copy the folder of one there") from None
        except (OSError, ValueError, ArrowException):
            raise OnstudyError(
                f"{_open_part(address)}: cannot be read: the address is wrong, or the lake refuses it"
            ) from None
        super().__init__(Path(self._root), manifest_of(data, _open_part(address)))

    def _file(self, number: int) -> Any:
        return self._files.open_input_file(f"{self._root}/{SHARDS}/{self.shards[number].file}")


def _open_part(address: str) -> str:
    """An address without a key or a password in it."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
