"""Records made ready in other processes, in order, while this one writes: parsing and packing cost more than storing.

A helper process is a Python of its own that reads records from its standard input until that ends, so it never
outlives the process that started it. What goes to and fro are records and `Ready`, as MessagePack.
"""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from itertools import chain
from queue import SimpleQueue
from threading import Thread
from typing import IO, NamedTuple, TypeVar

import msgspec

from onstudy.errors import OnstudyError, Problem
from onstudy.registry.digest import DIGEST, Same
from onstudy.registry.packing import pack, pack_of_many
from onstudy.registry.ready import Maker, Met, NoRecord, Ready
from onstudy.registry.sources import Found

_T = TypeVar("_T")
#: Bytes and things handed over at once, few enough to stay in a cache; batches under way for each helper.
_BATCH_BYTES, _BATCH, _UNDER_WAY = 1 << 18, 64, 8
_PIPE = 1 << 20
#: Things made between two searches for garbage in a helper: a batch makes ten thousands, and leaves none.
_SELDOM = 500_000


class Made(NamedTuple):
    """A record, what was made of it, and what its numbers stand for."""

    found: Found
    ready: Ready | Same | NoRecord
    met: Met


_requests = msgspec.msgpack.Decoder(list[tuple[str, int]])  # where each record is, and how many bytes it has
_answers = msgspec.msgpack.Decoder(list[Ready | Same | NoRecord])


def ready_here(records: Iterable[Found | Problem], known: Collection[bytes]) -> Generator[Made | Problem]:
    """Each record made ready by this process; those with one of the `known` digests are the same as before."""
    maker, met = Maker(pack, known), Met()
    for one in records:
        yield one if isinstance(one, Problem) else _made(one, maker.make(one.raw, one.where), met)


def _made(found: Found, ready: Ready | Same | NoRecord, met: Met) -> Made:
    if isinstance(ready, Ready):
        met.add(ready)
    return Made(found, ready, met)


def ready_beside(
    records: Iterable[Found | Problem], known: Collection[bytes], helpers: int
) -> Generator[Made | Problem]:
    """The same, made ready by helper processes. Raises `OnstudyError` where one cannot be had or ends early."""
    running: list[_Helper] = []
    try:
        running += (_Helper() for _ in range(helpers))
        for helper in running:
            helper.tell(known)
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

    def __init__(self) -> None:
        self.met = Met()
        program = f"import sys; sys.path[:] = {sys.path!r}; from onstudy.registry.beside import work; work()"
        command = [sys.executable, "-c", program]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pipesize=_PIPE)
        except OSError as error:
            raise OnstudyError(f"a helper process of the import cannot be started: {error.strerror}") from None

    def tell(self, known: Collection[bytes]) -> None:
        """The first thing it is given: the digests that are known."""
        self._give(b"".join(known))

    def send(self, batch: list[Found]) -> None:
        texts = [memoryview(one.raw) for one in batch]
        sizes = [(one.where, text.nbytes) for one, text in zip(batch, texts, strict=True)]
        self._give(msgspec.msgpack.encode(sizes))
        self._give(*texts)

    def _give(self, *parts: bytes | memoryview) -> None:
        assert self._process.stdin is not None
        self._watched(lambda pipe: _put(pipe, *parts), self._process.stdin)

    def take(self) -> list[Ready | Same | NoRecord]:
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


def _put(pipe: IO[bytes], *parts: bytes | memoryview) -> None:
    """Put parts as one, without copying them together."""
    pipe.write(sum(map(len, parts)).to_bytes(8, "little"))
    for part in parts:
        pipe.write(part)
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


def work() -> None:
    """What a helper does until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its input
    gc.set_threshold(_SELDOM)
    batches: SimpleQueue[bytes | None] = SimpleQueue()
    # Read ahead, or the two would wait for each other with both pipes full.
    Thread(target=_read_ahead, args=(sys.stdin.buffer, batches), daemon=True).start()
    known = batches.get()
    if known is None:
        return
    digests = {known[at : at + DIGEST] for at in range(0, len(known), DIGEST)}
    out, maker = sys.stdout.buffer, Maker(pack_of_many, digests)
    while (request := batches.get()) is not None and (texts := batches.get()) is not None:
        made = [maker.make(raw, where) for raw, where in _each(request, texts)]
        _put(out, msgspec.msgpack.encode(made))


def _each(request: bytes, texts: bytes) -> Iterator[tuple[bytes, str]]:
    """Each record of a batch and where it is, copied out when it is its turn."""
    start = 0
    for where, size in _requests.decode(request):
        yield texts[start : start + size], where
        start += size


def _read_ahead(pipe: IO[bytes], batches: SimpleQueue[bytes | None]) -> None:
    try:
        while True:
            batch = _get(pipe)
            batches.put(batch)
            if batch is None:
                return
    except (OSError, EOFError):
        batches.put(None)
