"""What holds for every request: limits of size and time, headers, HEAD, and a log that holds nothing of anybody.

Each is a plain ASGI layer; `guarded` puts them around an app, the log outermost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onstudy.faces.web.failures import failure

log = logging.getLogger("onstudy.web")

POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "font-src 'self'",
        "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    )
)  # fmt: skip
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a request's body; seconds until it must be answered; the longest address."""

    body: int = 20 * 1024 * 1024
    seconds: float = 30.0
    address: int = 8_000


def guarded(app: FastAPI, limits: Limits, hosts: Iterable[str]) -> ASGIApp:
    """The app with all of it. `hosts` are the names it answers to; none means any."""
    # Uploads hold patients' records and stay in memory: a form part is never written to a temporary file.
    MultiPartParser.spool_max_size = max(MultiPartParser.spool_max_size, limits.body + 1)
    return Logged(app, Armed(Headless(Bounded(Known(app, frozenset(hosts)), limits))))


class Logged:
    """One line of JSON for each request: method, route, status, milliseconds. Nothing else is ever logged.

    Of an error of ours its type and places in the code are logged, not its message, which may hold what was sent.
    """

    def __init__(self, root: FastAPI, app: ASGIApp, clock: Callable[[], float] = time.perf_counter) -> None:
        self.root, self.app, self.clock = root, app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["app"] = self.root  # so that every layer can answer with a page
        status, start = 0, self.clock()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the last place that can answer; what it was is logged
            self._tell_error(error)
            if not status:
                await failure(Request(scope), 500)(scope, receive, watched)
        finally:
            self._tell(scope, status, self.clock() - start)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "")
        line = {"method": scope["method"][:10], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        log.info(json.dumps(line))

    def _tell_error(self, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
        log.error(json.dumps({"error": type(error).__name__, "at": places}))


class Armed:
    """Puts the headers of HEADERS on every answer that has not its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def armed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, armed)


class Headless:
    """Answers HEAD wherever GET is answered: the same headers, no body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def bare(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        inner = {**scope, "method": "GET"}
        await self.app(inner, receive, bare)
        scope["route"] = inner.get("route")


class Bounded:
    """Ends requests that are too large or take too long."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if len(scope["query_string"]) + len(scope["path"]) > self.limits.address:
            await failure(Request(scope), 413, "The address is too long.")(scope, receive, send)
        elif not length.isdigit() or int(length) > self.limits.body:
            await failure(Request(scope), 413, self._limit())(scope, receive, send)
        else:
            await self._within_time(scope, self._counted(receive), send)

    def _limit(self) -> str:
        most = f"{self.limits.body / 1024 / 1024:g} MB"
        return (
            f"This is larger than anything taken here ({most}). A form says beside its field how large a file may be."
        )

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limits.body:
                raise HTTPException(413, self._limit())  # told by the app, as any failure of a request is
            return message

        return counted

    async def _within_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; where it is late, answer in its stead. A thread cannot be stopped, only no longer waited for."""
        started = over = False

        async def once(message: Message) -> None:
            nonlocal started
            if not over:
                started = True
                await send(message)

        task = asyncio.ensure_future(self.app(scope, receive, once))
        done, _ = await asyncio.wait({task}, timeout=self.limits.seconds)
        if done:
            task.result()
            return
        over = True
        task.cancel()
        if not started:
            await failure(Request(scope), 503)(scope, receive, send)


class Known:
    """Refuses requests made under a strange name (DNS rebinding) and forms that another site sends."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if self.hosts and _name(headers.get("host", "")) not in self.hosts:
                answer = failure(Request(scope), 400, "This site does not go by that name.")
                await answer(scope, receive, send)
                return
            if scope["method"] not in ("GET", "HEAD", "OPTIONS") and _strange(headers, _own_address(scope)):
                answer = failure(Request(scope), 403, "This form was sent from another site.")
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _strange(headers: Headers, own: str) -> bool:
    """Whether a browser says that a page of another origin sends this; programs say nothing of the kind.

    Sec-Fetch-Site, which no page can set, says it outright; browsers without it send the origin of the page. An origin
    is the site's own by its name and port, as in Host, or where it is the address the site goes by (`own`): a server in
    front may speak TLS, and may ask under another name. "null" is a page without an origin, so not ours.
    """
    site = headers.get("sec-fetch-site", "")
    if site:
        return site not in ("same-origin", "none")
    origin = headers.get("origin", "").lower()
    if not origin:
        return False
    scheme, _, place = origin.partition("://")
    here = scheme in ("http", "https") and place == headers.get("host", "").lower()
    return not here and origin != own


def _own_address(scope: Scope) -> str:
    """The address the site was given to go by, without its path; "" where it has none."""
    stock = getattr(scope["app"].state, "stock", None)
    scheme, colon, rest = str(getattr(stock, "address", "") or "").lower().partition("://")
    return f"{scheme}{colon}{rest.partition('/')[0]}"


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
