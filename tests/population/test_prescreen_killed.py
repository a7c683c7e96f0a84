"""A prescreening that is killed at any moment: what is there is whole, and the next run ends as if nothing was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.population.prescreening import USUAL, question_of, store_of, vignettes
from tests.trials.flagship import FLAGSHIP, trial

from onstudy.population.prescreen import prescreen
from onstudy.population.prescreen_parts import FOLDER
from onstudy.record.catalogue import load_catalogue

DEADLINE = 120

#: When to kill, by what has been written so far.
MOMENTS: dict[str, Callable[[Path], bool]] = {
    "before the first part": lambda out: (out / FOLDER / "lock").exists(),
    "after the first part": lambda out: any(out.glob(f"{FOLDER}/*.part")),
    "while a part is written": lambda out: any(out.glob(f"{FOLDER}/*.unfinished")),
    "after half of the parts": lambda out: len(list(out.glob(f"{FOLDER}/*.part"))) >= 4,
    "while the files are made": lambda out: (out / FOLDER / "making").exists(),
    "when the first file is in its place": lambda out: any(out.glob("*.csv")),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_of(vignettes()[USUAL][::4], tmp_path_factory.mktemp("store") / "store", shards=4)


def run(store: Path, out: Path) -> dict[str, bytes]:
    """The files of a whole run in this process."""
    prescreen(question_of(USUAL, trial()), store, out, load_catalogue())
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def expected(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return run(store, tmp_path_factory.mktemp("whole") / "out")


def killed(store: Path, out: Path, moment: Callable[[Path], bool]) -> bool:
    """Begin a run of two processes and kill it, with all of its processes, at a moment; whether it came to that."""
    therapy = str(USUAL.therapy_start)
    command = [
        sys.executable,
        "-m",
        "onstudy.faces.cli",
        "prescreen",
        FLAGSHIP,
        "--store",
        str(store),
        "--workers",
        "2",
    ]
    command += ["--on", USUAL.on.isoformat(), "--therapy-start", therapy, "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + DEADLINE
    while process.poll() is None and not moment(out) and time.monotonic() < until:
        time.sleep(0.001)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_a_kill_the_next_run_ends_as_if_nothing_was(
    store: Path, expected: dict[str, bytes], tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "out"
    stopped = killed(store, out, MOMENTS[moment])
    assert stopped or (out / "run.json").exists(), "a run that was not killed came to its end"
    if (out / "run.json").exists():
        assert {path.name for path in out.iterdir() if path.is_file()} == set(expected)
    assert run(store, out) == expected
    assert {path.suffix for path in (out / FOLDER).iterdir()} <= {".part", ""}, "nothing unfinished is left"
    assert not (out / FOLDER / "making").exists()
