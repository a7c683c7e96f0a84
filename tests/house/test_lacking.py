"""What the machine lacks is told: such tests are skipped, counted and named, or fail where required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

@pytest.mark.java
def test_with_java():
    raise AssertionError("must not run")

@pytest.mark.java
@pytest.mark.browser
def test_with_both():
    raise AssertionError("must not run")

def test_with_data(shared):
    raise AssertionError("must not run")

def test_with_nothing():
    pass
"""


def _run(folder: Path, require: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest on a machine without Java and Chromium."""
    (folder / "test_planted.py").write_text(TESTS, encoding="utf-8")
    empty = folder / "bin"
    empty.mkdir()
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")},
        "PATH": str(empty),
        "JAVA_HOME": str(empty),
        "PYTHONPATH": str(ROOT / "tests"),
        "ONSTUDY_REQUIRE": require,
        "ONSTUDY_SHARED": str(folder / "nowhere"),
    }
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-c", str(ROOT / "pyproject.toml")]
    command += [
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
        *arguments,
        str(folder / "test_planted.py"),
    ]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]])
def test_skipped_counted_and_named(tmp_path: Path, arguments: list[str]) -> None:
    run = _run(tmp_path, "", *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "not run: 1, lacks java: no java; `make system` installs it" in run.stdout
    assert "not run: 1, lacks browser: no chromium" in run.stdout
    assert "not run: 1, lacks shared data" in run.stdout
    for test in ("test_with_java", "test_with_both", "test_with_data"):
        assert f"  test_planted.py::{test}" in run.stdout
    assert "1 passed, 3 skipped" in run.stdout.splitlines()[-1]


@pytest.mark.parametrize(("require", "closing"), [("all", "1 skipped, 2 errors"), ("java", "2 skipped, 1 error")])
def test_required(tmp_path: Path, require: str, closing: str) -> None:
    run = _run(tmp_path, require)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "java is required here: no java" in run.stdout
    assert f"1 passed, {closing}" in run.stdout.splitlines()[-1]


def test_a_misspelt_requirement_is_refused(tmp_path: Path) -> None:
    run = _run(tmp_path, "jave")
    assert run.returncode == 4
    assert "ONSTUDY_REQUIRE names ['jave']" in run.stderr
