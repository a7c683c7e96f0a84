"""The README shows what its commands print: the ten thousand invented patients, counted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_ten_thousand_are_counted_as_the_readme_says(tmp_path: Path) -> None:
    commands = re.findall(r"^\.venv/bin/onstudy ((?:generate|prescreen) .*)$", README, re.MULTILINE)
    assert [words.split()[0] for words in commands] == ["generate", "prescreen"]
    for words in commands:
        named = words.replace("STORE", str(tmp_path / "store")).replace("RESULTS", str(tmp_path / "results"))
        run = subprocess.run(
            [sys.executable, "-m", "onstudy.faces.cli", *named.split()],
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
    shown = re.search(r"```\n(10,000 patients, .*?)```", README, re.DOTALL)
    assert shown is not None
    assert shown[1] in run.stdout
