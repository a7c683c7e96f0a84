"""docs/trial-file.md: its example is a trial that passes its check, and it names every key there is."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
from tests.trials.test_schema import SCHEMA
from typer.testing import CliRunner

from onstudy.faces.cli import app
from onstudy.language import trialfile
from onstudy.screening import check
from onstudy.yamltext import read_yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/trial-file.md").read_text(encoding="utf-8")
TRIAL, EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_example_passes_its_check(tmp_path: Path) -> None:
    (tmp_path / "DEMO-1.yaml").write_text(TRIAL, encoding="utf-8")
    (tmp_path / "DEMO-1.examples.yaml").write_text(EXAMPLES, encoding="utf-8")
    ran = CliRunner().invoke(app, ["check", str(tmp_path / "DEMO-1.yaml")])
    assert ran.exit_code == 0, ran.output
    assert f"`{ran.output.splitlines()[-1]}`" in PAGE


def test_the_example_follows_the_schema() -> None:
    jsonschema.validate(read_yaml(TRIAL, "DEMO-1")[0].plain(), SCHEMA)


def test_every_key_of_a_trial_file_and_its_examples_is_described() -> None:
    described = {key for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    parts = SCHEMA["properties"]
    inner = [parts[name]["additionalProperties"]["properties"] for name in ("anchors", "settings", "definitions")]
    inner += [parts[name]["items"]["properties"] for name in ("steps", "cohorts")]
    inner += [SCHEMA["$defs"]["criterion"]["properties"]]
    known = {*trialfile._TOP, *trialfile._CRITERION, *check._TOP, *check._CASE}.union(*inner)
    assert described == known


def test_the_page_is_found_from_the_others() -> None:
    assert "(docs/trial-file.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(trial-file.md)" in (ROOT / "docs/commands.md").read_text(encoding="utf-8")
