"""A server on this machine that answers as the public API v2 does, from given records, with faults on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

Fault = Callable[["_Handler", bytes], bool]  # does something with the answer; whether the request is done with


@dataclass
class Api:
    """What is served, what was asked, and the faults that await the next requests, in order."""

    records: list[dict[str, Any]]
    asked: list[dict[str, str]] = field(default_factory=list)
    faults: list[Fault | None] = field(default_factory=list)
    url: str = ""
    page_size: int = 3

    def answer(self, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The status and body of one request for studies."""
        found = self.records
        if "filter.ids" in asked:
            ids = asked["filter.ids"].split(",")
            found = [one for one in found if _id(one) in ids]
        if "filter.advanced" in asked:
            since = asked["filter.advanced"].removeprefix("AREA[LastUpdatePostDate]RANGE[").removesuffix(",MAX]")
            found = [one for one in found if _updated(one) >= since]
        start = 0
        if "pageToken" in asked:
            if not asked["pageToken"].startswith("t"):
                return 400, {"error": "bad token"}
            start = int(asked["pageToken"][1:])
        end = start + min(self.page_size, int(asked["pageSize"]))
        body: dict[str, Any] = {"studies": found[start:end]}
        if asked.get("countTotal") == "true" and start == 0:
            body["totalCount"] = len(found)
        if end < len(found):
            body["nextPageToken"] = f"t{end}"
        return 200, body


def _id(one: dict[str, Any]) -> str:
    return str(one["protocolSection"]["identificationModule"]["nctId"])


def _updated(one: dict[str, Any]) -> str:
    return str(one["protocolSection"]["statusModule"]["lastUpdatePostDateStruct"]["date"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Api

    def do_GET(self) -> None:
        """Answer one request, or do what the next fault does."""
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.api.asked.append(asked)
        if parts.path != "/api/v2/studies":
            self.send_error(404)
            return
        status, body = self.api.answer(asked)
        text = json.dumps(body).encode()
        fault = self.api.faults.pop(0) if self.api.faults else None
        if fault is None or not fault(self, text):
            self.reply(status, text)

    def reply(self, status: int, text: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text) if length is None else length))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def status(code: int, text: bytes = b"{}", **headers: str) -> Fault:
    """Answer with another status."""

    def fault(handler: _Handler, answer: bytes) -> bool:
        handler.reply(code, text, {name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return fault


def cut_off(handler: _Handler, answer: bytes) -> bool:
    """Promise the whole answer, send half, hang up."""
    handler.reply(200, answer[: len(answer) // 2], length=len(answer))
    handler.close_connection = True
    return True


def half(handler: _Handler, answer: bytes) -> bool:
    """A well-formed reply whose JSON breaks off."""
    handler.reply(200, answer[: len(answer) // 2])
    return True


def hang_up(handler: _Handler, answer: bytes) -> bool:
    """Close the connection without a word."""
    handler.close_connection = True
    return True


def garbled(handler: _Handler, answer: bytes) -> bool:
    """Claim a coding the body does not have."""
    handler.reply(200, answer, {"Content-Encoding": "gzip"})
    return True


@contextmanager
def serving(records: list[dict[str, Any]]) -> Iterator[Api]:
    """Serve these records on a free port of this machine."""
    api = Api(records)
    handler = type("Handler", (_Handler,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}/api/v2/"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
