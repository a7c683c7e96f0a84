"""Records made ready in other processes, in order, while this one writes: parsing and packing cost more than storing.

A helper process is a Python of its own that reads records from its standard input until that ends, so it never
outlives the process that started it. What goes to and fro are records and `Ready`, as MessagePack.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain
from queue import SimpleQueue
from threading import Thread
from typing import IO, NamedTuple, TypeVar

import msgspec

from onstudy.errors import OnstudyError, Problem
from onstudy.registry.packing import pack, pack_of_many
from onstudy.registry.ready import Maker, Met, NoRecord, Ready
from onstudy.registry.sources import Found

_T = TypeVar("_T")
#: Bytes and things handed over at once; batches under way for each helper.
_BATCH_BYTES, _BATCH, _UNDER_WAY = 1 << 20, 64, 3
_PIPE = 1 << 20


class Made(NamedTuple):
    """A record, what was made of it, and the places that it speaks of."""

    found: Found
    ready: Ready | NoRecord
    met: Met


_requests = msgspec.msgpack.Decoder(list[tuple[bytes, str]])
_answers = msgspec.msgpack.Decoder(list[Ready | NoRecord])


def ready_here(records: Iterable[Found | Problem], packing: bool) -> Generator[Made | Problem]:
    """Each record made ready by this process."""
    maker, met = Maker(pack if packing else None), Met()
    for one in records:
        yield one if isinstance(one, Problem) else _made(one, maker.make(one.raw, one.where), met)


def _made(found: Found, ready: Ready | NoRecord, met: Met) -> Made:
    if isinstance(ready, Ready):
        met.add(ready.met)
    return Made(found, ready, met)


def ready_beside(records: Iterable[Found | Problem], packing: bool, helpers: int) -> Generator[Made | Problem]:
    """The same, made ready by helper processes. Raises `OnstudyError` where one cannot be had or ends early."""
    running: list[_Helper] = []
    try:
        running += (_Helper(packing) for _ in range(helpers))
        waiting: deque[tuple[list[Found | Problem], _Helper]] = deque()
        for number, batch in enumerate(_batches(records)):
            helper = running[number % helpers]
            helper.send([one for one in batch if isinstance(one, Found)])
            waiting.append((batch, helper))
            if len(waiting) >= _UNDER_WAY * helpers:
                yield from _taken(*waiting.popleft())
        yield from chain.from_iterable(_taken(*one) for one in waiting)
    finally:
        for helper in running:
            helper.end()


def _batches(records: Iterable[Found | Problem]) -> Iterator[list[Found | Problem]]:
    batch: list[Found | Problem] = []
    size = 0
    for one in records:
        batch.append(one)
        size += memoryview(one.raw).nbytes if isinstance(one, Found) else 0
        if size >= _BATCH_BYTES or len(batch) >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _taken(batch: list[Found | Problem], helper: _Helper) -> Iterator[Made | Problem]:
    made = iter(helper.take())
    for one in batch:
        yield one if isinstance(one, Problem) else _made(one, next(made), helper.met)


class _Helper:
    """One process; batches come back in the order they were sent."""

    def __init__(self, packing: bool) -> None:
        self.met = Met()
        program = f"import sys; sys.path[:] = {sys.path!r}; from onstudy.registry.beside import work; work({packing!r})"
        command = [sys.executable, "-c", program]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pipesize=_PIPE)
        except OSError as error:
            raise OnstudyError(f"a helper process of the import cannot be started: {error.strerror}") from None

    def send(self, batch: list[Found]) -> None:
        assert self._process.stdin is not None
        self._watched(
            lambda pipe: _put(pipe, msgspec.msgpack.encode([(memoryview(one.raw), one.where) for one in batch])),
            self._process.stdin,
        )

    def take(self) -> list[Ready | NoRecord]:
        assert self._process.stdout is not None
        data = self._watched(_get, self._process.stdout)
        if data is None:
            raise _ended()
        return _answers.decode(data)

    def _watched(self, does: Callable[[IO[bytes]], _T], pipe: IO[bytes]) -> _T:
        try:
            return does(pipe)
        except (OSError, EOFError):
            raise _ended() from None

    def end(self) -> None:
        """Let go of the process; with its input gone it ends, and one that is still at work is not waited for."""
        self._process.kill()
        self._process.communicate()


def _ended() -> OnstudyError:
    return OnstudyError("a helper process of the import ended early, perhaps for want of memory; nothing was changed")


def _put(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(len(data).to_bytes(8, "little"))
    pipe.write(data)
    pipe.flush()


def _get(pipe: IO[bytes]) -> bytes | None:
    """What was put; None at the end. Raises `EOFError` where it is cut off."""
    size = pipe.read(8)
    if not size:
        return None
    data = pipe.read(int.from_bytes(size, "little"))
    if len(data) < int.from_bytes(size, "little"):
        raise EOFError
    return data


def work(packing: bool) -> None:
    """What a helper does until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its input
    batches: SimpleQueue[bytes | None] = SimpleQueue()
    # Read ahead, or the two would wait for each other with both pipes full.
    Thread(target=_read_ahead, args=(sys.stdin.buffer, batches), daemon=True).start()
    out, maker = sys.stdout.buffer, Maker(pack_of_many if packing else None)
    while (batch := batches.get()) is not None:
        made = [maker.make(raw, where) for raw, where in _requests.decode(batch)]
        _put(out, msgspec.msgpack.encode(made))


def _read_ahead(pipe: IO[bytes], batches: SimpleQueue[bytes | None]) -> None:
    try:
        while True:
            batch = _get(pipe)
            batches.put(batch)
            if batch is None:
                return
    except (OSError, EOFError):
        batches.put(None)
