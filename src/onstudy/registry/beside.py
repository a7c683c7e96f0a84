"""Records made ready in other processes, in order, while this one writes: parsing and packing cost more than storing.

A helper process is a Python of its own that is told of records by its standard input until that ends, so it never
outlives the process that started it. What goes to and fro are records, or where they lie in a file, and `Ready`, as
MessagePack.
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
from onstudy.registry.lines import File, Found, Lying, Stretch
from onstudy.registry.packing import pack, pack_of_many
from onstudy.registry.ready import Maker, Met, NoRecord, Ready

_T = TypeVar("_T")
#: Bytes and things handed over at once, few enough to stay in a cache; batches under way for each helper.
_BATCH_BYTES, _BATCH, _UNDER_WAY = 1 << 18, 64, 8
_PIPE = 1 << 20
#: What a helper runs. What packs loads numpy, whose threads would only wait, and take time from the others to do so.
_PROGRAM = (
    "import os, sys; os.environ['OPENBLAS_NUM_THREADS'] = '1'; sys.path[:] = {path!r};"
    " from onstudy.registry.beside import work; work()"
)
#: Things made between two searches for garbage in a helper: a batch makes ten thousands, and leaves none.
_SELDOM = 500_000


class Made(NamedTuple):
    """A record, what was made of it, and what its numbers stand for."""

    found: Found | Lying
    ready: Ready | Same | NoRecord
    met: Met


class _Texts(msgspec.Struct, array_like=True, tag=True, gc=False):
    """Records that come next, one after the other: where each was, and how many bytes it has."""

    sizes: list[tuple[str, int]]


class _Odd(msgspec.Struct, array_like=True, tag=True, gc=False):
    """What stands in a line and is no study, and why."""

    why: str


class _Answer(msgspec.Struct, array_like=True, gc=False):
    """What was made of the records of a batch; of those of a stretch also where each lies.

    That is its place as it is told, its first byte and how many there are; where these are none, `texts` has it.
    `wrong` is why a stretch cannot be read.
    """

    made: list[Ready | Same | NoRecord | _Odd]
    lying: list[tuple[str, int, int]] = []
    texts: dict[int, bytes] = {}
    wrong: str = ""


_requests = msgspec.msgpack.Decoder(_Texts | Stretch)
_answers = msgspec.msgpack.Decoder(_Answer)


def ready_here(records: Iterable[Found | Problem | Stretch], known: Collection[bytes]) -> Generator[Made | Problem]:
    """Each record made ready by this process; those with one of the `known` digests are the same as before."""
    maker, met = Maker(pack, known), Met()
    for one in records:
        assert not isinstance(one, Stretch), "stretches are for other processes"
        yield one if isinstance(one, Problem) else _made(one, maker.make(one.raw, one.where), met)


def _made(found: Found | Lying, ready: Ready | Same | NoRecord, met: Met) -> Made:
    if isinstance(ready, Ready):
        met.add(ready)
    return Made(found, ready, met)


def ready_beside(
    records: Iterable[Found | Problem | Stretch], known: Collection[bytes], helpers: int
) -> Generator[Made | Problem]:
    """The same, made ready by helper processes. Raises `OnstudyError` where one cannot be had or ends early."""
    running: list[_Helper] = []
    try:
        running += (_Helper() for _ in range(helpers))
        for helper in running:
            helper.tell(known)
        waiting: deque[tuple[_Batch, _Helper]] = deque()
        for number, batch in enumerate(_batches(records)):
            helper = running[number % helpers]
            helper.send(batch)
            waiting.append((batch, helper))
            if len(waiting) >= _UNDER_WAY * helpers:
                yield from _taken(*waiting.popleft())
        yield from chain.from_iterable(_taken(*one) for one in waiting)
    finally:
        for helper in running:
            helper.end()


_Batch = list[Found | Problem] | Stretch


def _batches(records: Iterable[Found | Problem | Stretch]) -> Iterator[_Batch]:
    batch: list[Found | Problem] = []
    size = 0
    for one in records:
        if not isinstance(one, Stretch):
            batch.append(one)
            size += memoryview(one.raw).nbytes if isinstance(one, Found) else 0
        if batch and (size >= _BATCH_BYTES or len(batch) >= _BATCH or isinstance(one, Stretch)):
            yield batch
            batch, size = [], 0
        if isinstance(one, Stretch):
            yield one
    if batch:
        yield batch


def _taken(batch: _Batch, helper: _Helper) -> Iterator[Made | Problem]:
    answer = helper.take()
    if isinstance(batch, Stretch):
        yield from _of_stretch(batch.file, answer, helper.met)
        return
    made = iter(answer.made)
    for one in batch:
        if isinstance(one, Problem):
            yield one
            continue
        ready = next(made)
        assert not isinstance(ready, _Odd), "only a stretch holds one"
        yield _made(one, ready, helper.met)


def _of_stretch(file: File, answer: _Answer, met: Met) -> Iterator[Made | Problem]:
    if answer.wrong:
        raise OnstudyError(answer.wrong)
    for number, (made, (where, start, size)) in enumerate(zip(answer.made, answer.lying, strict=True)):
        if isinstance(made, _Odd):
            yield Problem(made.why, where)
        else:
            found = Lying(where, file, start, size) if size else Found(where, answer.texts[number])
            yield _made(found, made, met)


class _Helper:
    """One process; batches come back in the order they were sent."""

    def __init__(self) -> None:
        self.met = Met()
        command, pipe = [sys.executable, "-c", _PROGRAM.format(path=sys.path)], subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, pipesize=_PIPE)
        except OSError as error:
            raise OnstudyError(f"a helper process of the import cannot be started: {error.strerror}") from None

    def tell(self, known: Collection[bytes]) -> None:
        """The first thing it is given: the digests that are known."""
        self._give(b"".join(known))

    def send(self, batch: _Batch) -> None:
        if isinstance(batch, Stretch):
            self._give(msgspec.msgpack.encode(batch))
            return
        found = [one for one in batch if isinstance(one, Found)]
        texts = [memoryview(one.raw) for one in found]
        sizes = [(one.where, text.nbytes) for one, text in zip(found, texts, strict=True)]
        self._give(msgspec.msgpack.encode(_Texts(sizes)))
        self._give(*texts)

    def _give(self, *parts: bytes | memoryview) -> None:
        assert self._process.stdin is not None
        self._watched(lambda pipe: _put(pipe, *parts), self._process.stdin)

    def take(self) -> _Answer:
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
    out, maker, files = sys.stdout.buffer, Maker(pack_of_many, digests), _Files()
    while (told := batches.get()) is not None:
        request = _requests.decode(told)
        if isinstance(request, Stretch):
            answer = _read(request, files, maker)
        elif (texts := batches.get()) is not None:
            answer = _Answer([maker.make(raw, where) for raw, where in _each(request, texts)])
        else:
            return
        _put(out, msgspec.msgpack.encode(answer))


def _each(request: _Texts, texts: bytes) -> Iterator[tuple[bytes, str]]:
    """Each record of a batch and where it is, copied out when it is its turn."""
    start = 0
    for where, size in request.sizes:
        yield texts[start : start + size], where
        start += size


class _Files:
    """The file that was read last, kept open for the next stretch of it."""

    def __init__(self) -> None:
        self._file: File | None = None
        self._stream: IO[bytes] | None = None

    def of(self, file: File) -> IO[bytes]:
        """A file, open. Raises `OnstudyError` where it is another than it was."""
        if self._stream is None or file != self._file:
            if self._stream is not None:
                self._stream.close()
            self._file, self._stream = file, file.open()
        return self._stream


def _read(stretch: Stretch, files: _Files, maker: Maker) -> _Answer:
    """The records of a stretch, made ready."""
    answer = _Answer([], [], {})
    try:
        for one, start, size in stretch.records(files.of(stretch.file)):
            answer.made.append(_Odd(one.what) if isinstance(one, Problem) else maker.make(one.raw, one.where))
            answer.lying.append((one.where, start, size))
            if isinstance(one, Found) and not size:
                answer.texts[len(answer.made) - 1] = bytes(one.raw)
    except OnstudyError as error:
        return _Answer([], wrong=str(error))
    return answer


def _read_ahead(pipe: IO[bytes], batches: SimpleQueue[bytes | None]) -> None:
    try:
        while True:
            batch = _get(pipe)
            batches.put(batch)
            if batch is None:
                return
    except (OSError, EOFError):
        batches.put(None)
