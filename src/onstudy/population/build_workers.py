"""Worker processes: each does one piece of work after another, and ends when the process that started it ends.

They are started before it is known what they will be given: importing what they need takes about as long as looking at
a source. One process imports it and begins, and the others are forked from it, so that this is done once. With no
workers the work is done here; the answers are the same, and come in the order of the work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from onstudy.errors import OnstudyError

if TYPE_CHECKING:
    from onstudy.population.build_work import Given

_Work = TypeVar("_Work")
#: What a process runs. Threads of OpenBLAS would be of no use; that of jemalloc, in Arrow, knows what a fork is.
_PROGRAM = (
    "import os, sys; os.environ['OPENBLAS_NUM_THREADS'] = '1'; sys.path[:] = {path!r};"
    " from onstudy.population.build_serve import serve; serve({life}, {ends})"
)
#: Elsewhere than on Linux, what a system starts by itself may not survive a fork: each process imports for itself.
_FORKS = sys.platform == "linux"
#: Bytes of a source; starting other processes for less would take longer than reading it here.
_SMALL = 8 << 20


class Workers:
    """Processes that do work; a context manager, at whose end they are gone however it ends."""

    def __init__(self, many: int) -> None:
        self.many = many
        self._here: Callable[[Any], Any] | None = None
        self._begun = False
        self._busy: dict[Connection, Any] = {}  # what each is at work on
        self._groups: list[tuple[subprocess.Popen[bytes], list[Connection]]] = []
        self._life: int | None
        life, self._life = os.pipe()  # ends when this process does, however it does
        try:
            for size in [many] if _FORKS and many else [1] * many:
                self._groups.append(_started(life, size))
        finally:
            os.close(life)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        """End them all, those at work at once; a second time does nothing."""
        at_work = bool(self._busy) or not self._begun
        groups, self._groups = self._groups, []
        for process, connections in groups:
            if at_work:
                os.killpg(process.pid, signal.SIGKILL)
                for connection in connections:
                    _until_gone(connection)
            for connection in connections:
                connection.close()
        for process, _connections in groups:
            process.wait()
        life, self._life = self._life, None
        if life is not None:
            os.close(life)  # last: whoever sees its end does not wait for the processes it forked

    def begin(self, given: Given) -> None:
        """What all work needs; before any."""
        self._begun = True
        if not self.many:
            from onstudy.population.build_work import begin

            self._here = begin(given)
        for _, connections in self._groups:
            with suppress(BrokenPipeError):  # a process that ended is noticed when its answer is waited for
                connections[0].send(given)

    def each(self, work: Iterable[_Work]) -> Iterator[tuple[_Work, Any]]:
        """Every piece of work with what came of it, as soon as it is done.

        Raises `OnstudyError` where a piece raised it, and where a process ended on its own.
        """
        if self._here is not None:
            for piece in work:
                yield piece, self._here(piece)
            return
        waiting, busy = iter(work), self._busy
        for _, connections in self._groups:
            for connection in connections:
                self._give(connection, waiting)
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection), "workers answer by their connections"
                done = _answer(ready)
                piece = busy.pop(ready)
                self._give(ready, waiting)
                yield piece, done

    def _give(self, connection: Connection, waiting: Iterator[_Work]) -> None:
        for piece in waiting:
            with suppress(BrokenPipeError):
                connection.send(piece)
            self._busy[connection] = piece
            return


def _started(life: int, size: int) -> tuple[subprocess.Popen[bytes], list[Connection]]:
    """A process that will be `size` workers, in a group of its own: an interrupt is told to this process alone."""
    pairs = [Pipe() for _ in range(size)]
    ends = [theirs.fileno() for _, theirs in pairs]
    command = [sys.executable, "-c", _PROGRAM.format(path=sys.path, life=life, ends=ends)]
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[life, *ends], process_group=0)
    except OSError as error:
        raise OnstudyError(f"a worker process cannot be started: {error.strerror}") from None
    for _, theirs in pairs:
        theirs.close()
    return process, [ours for ours, _ in pairs]


def _answer(connection: Connection) -> Any:
    try:
        done, wrong = connection.recv()
    except (EOFError, ConnectionResetError):
        raise OnstudyError(
            "a worker process ended unexpectedly, perhaps for lack of memory; run the same command again to go on"
        ) from None
    if wrong is not None:
        raise wrong
    return done


def _until_gone(connection: Connection) -> None:
    """Wait for the end of a process that was killed: it has written its last."""
    with suppress(EOFError, OSError):
        while True:
            connection.recv_bytes()


def processes_for(size: int) -> int:
    """How many processes are worth it for a source of so many bytes; a small one is read here."""
    return 0 if size < _SMALL else _processors()


def bytes_at(source: str) -> int:
    """About how many bytes there are at a path; an address counts as much, since only its server knows."""
    if "://" in source:
        return _SMALL
    path = Path(source)
    files = [path] if path.is_file() else [Path(place, name) for place, _, names in os.walk(path) for name in names]
    return sum(
        file.stat().st_size for file in files if os.path.isfile(file)
    )  # also where a folder cannot be looked into


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
