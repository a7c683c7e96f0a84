"""What all tests share: the outside programs some of them need, the shared data, how long to search.

A test marked `browser`, `java` or `postgres` is skipped where the machine lacks it, counted and named at the
end of the run; where ONSTUDY_REQUIRE says `all` or names it (`make test REQUIRE=all`) the lack is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
REQUIRE = "ONSTUDY_REQUIRE"
SHARED = "ONSTUDY_SHARED"

# The same cases on every run and every machine; `make test-generative` looks further, with new ones.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("same"), derandomize=False, max_examples=5000)
settings.load_profile("same")


class Lacking(Exception):
    """The machine has not what a test needs; the message says what, and how to get it."""


@cache
def find_chromium() -> Path:
    """The browser that the browser tests drive."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Path(found)
    raise Lacking("no chromium on PATH; `make system` installs it")


@cache
def find_axe_core() -> Path:
    """The script that checks a page's accessibility."""
    script = ROOT / "node_modules/axe-core/axe.min.js"
    if not script.is_file():
        raise Lacking("no axe-core in node_modules; `make test` puts it there where npm is found")
    return script


@cache
def find_java() -> Path:
    """A Java of version 17 or newer."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if found is None:
        raise Lacking("no java; `make system` installs it")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < 17:
        raise Lacking(f"{found} is not Java 17 or newer; `make system` installs it")
    return Path(found)


@cache
def find_postgres() -> Path:
    """The folder of PostgreSQL's server programs; Debian keeps them off the PATH, one folder a version."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = [Path(path) for path in [shutil.which("initdb")] if path] + debian[::-1]
    for initdb in found:
        if (initdb.parent / "pg_ctl").exists():
            return initdb.parent
    raise Lacking("no PostgreSQL server programs; `make system` installs them")


NEEDS: dict[str, tuple[Callable[[], Path], ...]] = {
    "browser": (find_chromium, find_axe_core),
    "java": (find_java,),
    "postgres": (find_postgres,),
}


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a misspelt ONSTUDY_REQUIRE, which would quietly require nothing."""
    wrong = _required() - {*NEEDS, "all"}
    if wrong:
        raise pytest.UsageError(f"{REQUIRE} names {sorted(wrong)}; it may name all, {', '.join(NEEDS)}")


def _required() -> set[str]:
    return set(os.environ.get(REQUIRE, "").replace(",", " ").split())


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail where it is required, a test whose marks name something the machine lacks."""
    for need, finders in NEEDS.items():
        if item.get_closest_marker(need) is None:
            continue
        try:
            for find in finders:
                find()
        except Lacking as lack:
            if _required() & {need, "all"}:
                pytest.fail(f"{need} is required here: {lack}", pytrace=False)
            pytest.skip(f"lacks {need}: {lack}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count and name the tests that something lacking kept from running."""
    by_lack: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if reason.startswith("Skipped: lacks "):
            by_lack.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    for reason, tests in sorted(by_lack.items()):
        terminalreporter.section(f"not run: {len(tests)}, {reason}", sep="-")
        for test in sorted(tests):
            terminalreporter.line(f"  {test}")


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's program; for tests marked `browser`."""
    return find_chromium()


@pytest.fixture(scope="session")
def axe_core() -> Path:
    """The accessibility checker's script; for tests marked `browser`."""
    return find_axe_core()


@pytest.fixture(scope="session")
def postgres_bin() -> Path:
    """The folder of PostgreSQL's server programs; for tests marked `postgres`."""
    return find_postgres()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference pages and real data, beside the checkout or where ONSTUDY_SHARED says."""
    folder = Path(os.environ.get(SHARED, ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"lacks shared data: no folder {folder}; {SHARED} can name another")
    return folder
