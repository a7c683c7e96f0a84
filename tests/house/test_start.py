"""A light start: `import onstudy`, and what every command passes through, bring in nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Each costs a tenth of a second or more, and is needed by some commands only.
HEAVY = {
    "pint", "ucumvert", "typer", "pydantic", "rich", "lark", "ruamel", "yaml", "jinja2", "msgspec", "numpy", "scipy",
    "pyarrow", "duckdb", "pyspark", "fhir", "fastapi", "matplotlib", "importlib.metadata", "asyncio",
}  # fmt: skip


@pytest.mark.parametrize("module", ["onstudy", "onstudy.errors", "onstudy.values.quantity", "onstudy.values.codes"])
def test_importing_brings_in_nothing_heavy(module: str) -> None:
    program = f"import sys; before = set(sys.modules); import {module}; print(*set(sys.modules) - before)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.split())
    assert module in loaded
    assert not loaded & HEAVY


def test_a_heavy_import_would_be_seen() -> None:
    program = "import sys; before = set(sys.modules); import jinja2; print(*set(sys.modules) - before)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) & HEAVY
