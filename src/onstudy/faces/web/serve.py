"""Running the site on this machine, in one process or several that share a port."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from threading import Thread
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from onstudy.errors import OnstudyError
from onstudy.registry.geography import zip_origin

#: Whether each process listens to the port for itself and the system divides connections among them. Where they share
#: one queue, whoever is awake takes all that wait in it, and the others stay idle.
_DIVIDED = sys.platform == "linux"


def run(make: Callable[[], ASGIApp], host: str, port: int, workers: int, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` is told the address once it answers. Raises `OnstudyError` where it cannot.

    Each process makes an app of its own. The log goes to standard error, one line of JSON for each request
    (`safety.Logged`). Uvicorn's own access log, which holds whole addresses with what somebody searched for, is off.
    """
    listening = _bound(host, port)
    name = f"[{host}]" if ":" in host else host
    port = listening.getsockname()[1]
    address = f"http://{name}:{port}/"
    _tell_requests()
    if workers == 1:
        with listening:
            _serve(make, listening, lambda: ready(address))
        return
    if not hasattr(os, "fork"):
        raise OnstudyError("--workers needs a system that can fork; leave it out")
    if _DIVIDED:
        listening.close()  # nobody else has the port: from here on it is held for those who share it
        listening = _bound(host, port, divided=True)

    def work(first: bool) -> None:
        with _bound(host, port, divided=True) if _DIVIDED else listening as own:
            _serve(make, own, lambda: ready(address) if first else None)

    with listening:
        _Family(work).live(workers)


def _bound(host: str, port: int, divided: bool = False) -> socket.socket:
    """A socket at a port, listening; one that is divided does not listen yet, and others of ours may have the same."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends small pieces at once (TCP_NODELAY) instead of 40 ms later.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if divided:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
        if not divided:
            found.listen(512)
        found.set_inheritable(True)
    except OSError as error:
        found.close()
        raise OnstudyError(f"cannot listen on {host} port {port}: {error.strerror}; choose another --port") from None
    return found


def _tell_requests() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("onstudy.web")
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def _serve(make: Callable[[], ASGIApp], listening: socket.socket, ready: Callable[[], None]) -> None:
    config = uvicorn.Config(
        make(), access_log=False, log_level="warning", server_header=False, ws="none", lifespan="off",
        timeout_keep_alive=10, timeout_graceful_shutdown=5, h11_max_incomplete_event_size=64 * 1024,
        proxy_headers=False,
    )  # fmt: skip
    Thread(target=_warm, daemon=True).start()
    sys.setswitchinterval(0.001)  # pages are made in threads: short ones need not wait 5 ms for long ones
    _Server(config, ready).run(sockets=[listening])


def _warm() -> None:
    """Unpack the ZIP codes before somebody waits for them; what is there by then needs no garbage collection."""
    zip_origin("20892")
    gc.freeze()


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


class _Family:
    """Processes that do the same work; one that dies is replaced, and a signal to the parent ends them all."""

    def __init__(self, work: Callable[[bool], None]) -> None:
        self._work = work
        self._children: set[int] = set()
        self._ending = False

    def live(self, count: int) -> None:
        """Work until a signal says to end."""
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, self._end)
        for number in range(count):
            self._fork(first=number == 0)
        while self._children:
            child, status = os.wait()
            self._children.discard(child)
            if not self._ending:
                if os.waitstatus_to_exitcode(status) != 0:
                    print("onstudy: a process of the site ended and is started again", file=sys.stderr)
                self._fork(first=False)

    def _fork(self, first: bool) -> None:
        child = os.fork()
        if child:
            self._children.add(child)
            return
        code = 1
        try:
            for ending in (signal.SIGTERM, signal.SIGINT):
                signal.signal(ending, signal.SIG_DFL)
            self._work(first)
            code = 0
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True
        for child in self._children:
            os.kill(child, signal.SIGTERM)
