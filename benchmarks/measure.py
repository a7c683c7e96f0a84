"""Timing in alternation, so that a machine that slows down slows both sides."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence


def alternately(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of wall clock of each side, `rounds` times, in turn, after one run that is not counted."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for counted in range(-1, rounds):
        for name, work in sides.items():
            start = time.perf_counter()
            work()
            if counted >= 0:
                found[name].append(time.perf_counter() - start)
    return found


def commands(sides: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """(wall, CPU) seconds of whole processes, in turn, after one run that is not counted.

    That run leaves the bytecode of what it imports, as every installed program has it.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for counted in range(-1, rounds):
        for name, command in sides.items():
            before, start = os.times(), time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
            wall, after = time.perf_counter() - start, os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            if counted >= 0:
                found[name].append((wall, cpu))
    return found


def median(seconds: Sequence[float]) -> float:
    """The middle of the measured times."""
    return statistics.median(seconds)
