"""`onstudy serve`: it answers, says where, logs nothing of anybody, and ends when told to."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from onstudy.errors import OnstudyError
from onstudy.faces import web_cli

Serve = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "onstudy.faces.cli", "serve", *arguments]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield start
    for one in running:
        if one.poll() is None:
            one.terminate()  # which ends its processes as well; they would keep the pipes open
        one.communicate()


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"onstudy serves on (http://127\.0\.0\.1:\d+)/\n", line)
    assert found is not None, line
    return found[1]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_answers_and_logs_nothing_of_anybody(serve: Serve, workers: str) -> None:
    process = serve("--port", "0", "--workers", workers)
    where = address(process)
    for _ in range(4):
        assert httpx2.get(f"{where}/health").json() == {"status": "ok", "trials": 73}
    page = httpx2.get(f"{where}/trials?q=secretdisease&zip=35294&age=67", headers={"Accept": "text/html"})
    assert page.status_code == 200 and "secretdisease" in page.text
    assert "server" not in page.headers
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert log.count('{"method": "GET", "route": "/health", "status": 200') == 4
    assert '"route": "/trials", "status": 200' in log
    for word in ("secretdisease", "35294", "67,"):
        assert word not in log


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the processes share one queue of connections")
def test_each_process_listens_for_itself(serve: Serve) -> None:
    """The system then divides connections evenly; out of one queue, whoever is awake takes them all."""
    port = int(address(serve("--port", "0", "--workers", "2")).rpartition(":")[2])
    until = time.monotonic() + 10
    while listening(port) < 2 and time.monotonic() < until:  # the address is told when the first of them answers
        time.sleep(0.05)
    assert listening(port) == 2


def listening(port: int) -> int:
    """How many sockets listen to a port of 127.0.0.1."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1] == f"0100007F:{port:04X}" and line.split()[3] == "0A" for line in lines)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_site_does_not_share_the_port_of_the_first(serve: Serve, workers: str) -> None:
    port = address(serve("--port", "0", "--workers", "2")).rpartition(":")[2]
    process = serve("--port", port, "--workers", workers)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2 and "cannot listen on" in said


def test_a_port_in_use_is_told(serve: Serve) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = serve("--port", str(taken.getsockname()[1]))
        _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert re.fullmatch(r"onstudy: cannot listen on 127\.0\.0\.1 port \d+: .*; choose another --port\n", said)


def test_what_cannot_be_served_is_told_before_anything_is() -> None:
    with pytest.raises(OnstudyError, match="does not begin with https://"):
        web_cli.serve(address="trials.example")
    with pytest.raises(OnstudyError, match="there is no registry"):
        web_cli.serve(registry="/nowhere/registry.sqlite")
