"""Worker processes: each does one piece of work after another, and ends when the process that started it ends.

With no workers the work is done here; the answers are the same, and come in the order of the work.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from onstudy.errors import OnstudyError

_Work = TypeVar("_Work")
_Done = TypeVar("_Done")
#: What a process is started with: called there once, it gives the function that does the work.
Begin = Callable[[Any], Callable[[Any], Any]]


class Workers:
    """Processes that do work; a context manager, at whose end they are gone however it ends."""

    def __init__(self, begin: Begin, given: Any, many: int) -> None:
        self._here = begin(given) if many == 0 else None
        self._workers: list[tuple[BaseProcess, Connection]] = []
        spawn = multiprocessing.get_context("spawn")
        for _ in range(many):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(theirs, begin, given), daemon=True)
            process.start()
            theirs.close()
            self._workers.append((process, ours))

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process, connection in self._workers:
            connection.close()
            process.terminate()
        for process, _connection in self._workers:
            process.join()

    def each(self, work: Iterable[_Work]) -> Iterator[tuple[_Work, Any]]:
        """Every piece of work with what came of it, as soon as it is done.

        Raises `OnstudyError` where a piece raised it, and where a process ended on its own.
        """
        if self._here is not None:
            for piece in work:
                yield piece, self._here(piece)
            return
        waiting = iter(work)
        busy: dict[Connection, _Work] = {}
        for _, connection in self._workers:
            self._give(connection, waiting, busy)
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection), "workers answer by their connections"
                piece = busy.pop(ready)
                done = _answer(ready)
                self._give(ready, waiting, busy)
                yield piece, done

    def _give(self, connection: Connection, waiting: Iterator[_Work], busy: dict[Connection, _Work]) -> None:
        for piece in waiting:
            with suppress(BrokenPipeError):  # a process that ended is noticed when its answer is waited for
                connection.send(piece)
            busy[connection] = piece
            return


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


def _serve(connection: Connection, begin: Begin, given: Any) -> None:
    """The life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started it is told, and ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    _keep_memory()
    work = begin(given)
    while True:
        try:
            piece = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        answer: tuple[Any, OnstudyError | None]
        try:
            answer = work(piece), None
        except OnstudyError as error:
            answer = None, error
        except Exception as error:  # noqa: BLE001 - its text may hold what a record says, so only the place is told
            answer = None, OnstudyError(_place(error))
        with suppress(BrokenPipeError):
            connection.send(answer)


def _keep_memory() -> None:
    """Use memory again that was let go of, and do not give it back to the system each time.

    Large arrays come and go all the time; of memory that is new to the process, the first touch costs more than much
    of what is worked out in it. Arrow, whose own pool gives memory back, takes its from the same place. Where the C
    library is another than that of GNU, all stays as it is.
    """
    with suppress(OSError, AttributeError):
        setting = ctypes.CDLL(None).mallopt
        setting(_TRIM_THRESHOLD, (1 << 31) - 1)
        setting(_MMAP_MAX, 0)
        pa.set_memory_pool(pa.system_memory_pool())


#: Settings of `mallopt`: how much free memory is given back, and how many pieces are asked of the system one by one.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def _place(error: Exception) -> str:
    """Where an error arose that nobody foresaw, without its message."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f"an error inside onstudy: {type(error).__name__} in {where}; please report it"


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def processors() -> int:
    """How many processes can work at once on this machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
