"""The life of the worker processes of a build (see `build_workers`)."""

from __future__ import annotations

import ctypes
import os
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy.ma  # noqa: F401 - `np.unique` imports it when it is first called: here, for all workers at once
import pyarrow as pa

from onstudy.errors import DiskFull, OnstudyError
from onstudy.population.build_work import Given, begin
from onstudy.record.catalogue import load_catalogue

_Works = Callable[[Any], Any]


def serve(life: int, ends: Sequence[int]) -> None:
    """Be as many workers as there are ends of connections; what all are given comes by the first.

    `life` is a pipe that ends with the process that started this one. This process is the first of the workers, and
    forks the others. What it did until then, it has done for all of them.
    """
    _keep_memory()
    load_catalogue()
    connections = [Connection(end) for end in ends]
    try:
        given = connections[0].recv()
    except (EOFError, ConnectionResetError):
        return
    work = _begun(given)
    mine = connections[0]
    children: list[int] = []
    for connection in connections[1:]:
        child = os.fork()
        if not child:
            mine, children = connection, []
            break
        children.append(child)
    for connection in connections:  # of a process that is gone nobody may hold the end
        if connection is not mine:
            connection.close()
    _work_on(life, mine, work)
    for child in children:
        os.waitpid(child, 0)
    os._exit(0)  # nothing is left to be put in order, and the memory is large


def _begun(given: Given) -> _Works:
    try:
        return begin(given)
    except OnstudyError as error:
        wrong = error  # every piece of work tells it

    def refuse(piece: Any) -> Any:
        raise wrong

    return refuse


def _work_on(life: int, connection: Connection, work: _Works) -> None:
    """Do what comes by the connection, until it ends."""
    threading.Thread(target=_end_with_parent, args=(life,), daemon=True).start()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
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
            answer = None, DiskFull.of(error) or OnstudyError(_place(error))
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


def _end_with_parent(life: int) -> None:
    os.read(life, 1)
    os._exit(1)
