"""Whether what a build would keep is as it was written: shards by the manifest, rows by their seals and their part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from onstudy.population.store import SHARDS, ShardInfo
from onstudy.population.store_files import digest_of, is_sealed, remove, seal_of, write_whole

#: Files hashed at a time.
_AT_ONCE = 2


def damaged_shards(store: Path, shards: Iterable[ShardInfo]) -> frozenset[int]:
    """The numbers of the shards that are not there as they were written, or have lost what is kept beside them."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        listed = list(shards)
        return frozenset(
            info.number
            for info, is_so in zip(listed, pool.map(lambda info: is_sound(store, info), listed), strict=True)
            if not is_so
        )


def is_sound(store: Path, info: ShardInfo) -> bool:
    """Whether a shard is there as it was written, with what of its records could not be used beside it."""
    files = [(store / SHARDS / name, digest) for name, digest in info.files.items()]
    try:
        return not any(path.is_symlink() or digest_of(path) != digest for path, digest in files)
    except OSError:
        return False


def keep_hashes(said_in: Path, said: dict[str, Any], files: Sequence[Path]) -> None:
    """Write what is to be known of a part that was read into some files of rows, with the hashes in their seals."""
    write_whole(said_in, json.dumps({**said, "hashes": [seal_of(path) for path in files]}).encode())


def rows_are_sound(said: dict[str, Any], files: Sequence[Path]) -> bool:
    """Whether files of rows are as they were when `keep_hashes` was told of them; those that are not are removed."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sealed = list(pool.map(is_sealed, files))
    damaged = [
        path
        for path, is_so, seal in zip(files, sealed, said["hashes"], strict=True)
        if not is_so or seal_of(path) != seal
    ]
    for path in damaged:
        remove(path)
    return not damaged
