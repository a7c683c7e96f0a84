"""Files of a store as they are written: whole or not at all, readable by their owner only."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from onstudy.errors import OnstudyError

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
LOCK = ".lock"
#: Files that are being written begin so; one that is found later was never finished.
UNFINISHED = ".writing-"
#: Bytes of the hash that a sealed file ends with: BLAKE2b of all that stands before it.
SEAL = 16


def make_folder(path: Path) -> None:
    """A folder of the store, made for its owner only where it is not there yet."""
    try:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise OnstudyError(f"{path}: cannot be made: {error.strerror or error}") from None
    if path.is_symlink() or not path.is_dir():
        raise OnstudyError(f"{path}: is a link or no folder; a store lies in folders of its own")


@contextmanager
def whole(folder: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A new private file in a folder under a name of its own; the caller renames it with `settle`.

    Where the work on it fails, it is removed.
    """
    path = folder / f"{UNFINISHED}{os.getpid()}-{os.urandom(6).hex()}"
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def settle(written: Path, final: Path) -> None:
    """Give a file that is wholly on the disk its name, in place of what had it."""
    with open(written, "rb") as file:
        os.fsync(file.fileno())
    os.replace(written, final)
    handle = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file, whole or not at all."""
    with whole(path.parent) as (file, written):
        file.write(content)
    settle(written, path)


def write_checked(path: Path, content: bytes) -> None:
    """Write a small file with a hash of its content before it, for `read_checked`."""
    write_whole(path, hash_of(content).encode() + b"\n" + content)


def read_checked(path: Path) -> bytes | None:
    """What was written with its hash; None where nothing was, or it is damaged."""
    if not path.is_file():
        return None
    digest, _, content = path.read_bytes().partition(b"\n")
    return content if digest == hash_of(content).encode() else None


def hash_of(content: bytes) -> str:
    """The hash of some bytes: BLAKE2b of 128 bits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_of(path: Path) -> str:
    """The hash of a file's content."""
    found = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


class Sealing:
    """A file that is hashed as it is written, and sealed at last with the hash of all that it holds."""

    closed = False  # asked by what writes into it; whoever opened the file closes it

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._found = file, hashlib.blake2b(digest_size=SEAL)

    def write(self, data: bytes) -> int:
        """Write what comes next."""
        self._found.update(data)
        return self._file.write(data)

    def seal(self) -> None:
        """Write the hash; nothing comes after it."""
        self._file.write(self._found.digest())


def seal_of(path: Path) -> str:
    """The hash that a sealed file ends with."""
    with open(path, "rb") as file:
        file.seek(-SEAL, os.SEEK_END)
        return file.read().hex()


def is_sealed(path: Path) -> bool:
    """Whether a file is there, and is as it was when it was sealed."""
    if not path.is_file():
        return False
    found = hashlib.blake2b(digest_size=SEAL)
    with open(path, "rb") as file:
        left = os.fstat(file.fileno()).st_size - SEAL
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            found.update(block)
            left -= len(block)
        return file.read() == found.digest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else writes to the store meanwhile; the lock ends with the process, however it ends."""
    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), PRIVATE_FILE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OnstudyError(f"{folder}: another process is writing to this store; wait until it is done") from None
        yield
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file or a folder of files, if it is there; a link is removed, never followed."""
    if path.is_dir() and not path.is_symlink():
        for part in path.iterdir():
            remove(part)
        with suppress(FileNotFoundError):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
