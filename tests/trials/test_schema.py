"""The JSON Schema for editors says what the reader of trial files accepts: shipped files pass, misspellings do not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from onstudy.language import trialfile
from onstudy.language.library import SHIPPED, shipped
from onstudy.yamltext import read_yaml

SCHEMA: dict[str, Any] = json.loads((SHIPPED / "trial-file.schema.json").read_text(encoding="utf-8"))


def plain(name: str) -> Any:
    return read_yaml(shipped()[name].read_text(encoding="utf-8"), name)[0].plain()


@pytest.mark.parametrize("name", shipped())
def test_shipped_trial_files_follow_the_schema(name: str) -> None:
    jsonschema.validate(plain(name), SCHEMA)


class _AsAnEditor(yaml.SafeLoader):
    """YAML 1.2, as editors read it: `no` and a date are text, a number is none."""


_AsAnEditor.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"~|null|", ["~", "n", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _AsAnEditor.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), [*_first])


@pytest.mark.parametrize("name", shipped())
def test_an_editor_finds_the_schema_by_the_first_line_and_nothing_to_mark(name: str) -> None:
    path = shipped()[name]
    first = path.read_text(encoding="utf-8").splitlines()[0]
    key, _, named = first.partition("=")
    assert key == "# yaml-language-server: $schema"
    schema = json.loads((path.parent / named).read_text(encoding="utf-8"))
    jsonschema.validate(yaml.load(path.read_text(encoding="utf-8"), _AsAnEditor), schema)


def test_the_page_on_commands_shows_that_line() -> None:
    first = shipped()["NCT03739814"].read_text(encoding="utf-8").splitlines()[0]
    assert first in (Path(__file__).parents[2] / "docs/commands.md").read_text(encoding="utf-8").splitlines()


def test_the_schema_knows_the_keys_the_reader_knows() -> None:
    assert set(SCHEMA["properties"]) == set(trialfile._TOP)
    assert set(SCHEMA["$defs"]["criterion"]["properties"]) == set(trialfile._CRITERION)


@pytest.mark.parametrize("key", ["rules", "severty", "texts"])
def test_a_misspelt_key_is_noticed(key: str) -> None:
    trial = plain("NCT03739814")
    trial["steps"][0]["criteria"][0][key] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(trial, SCHEMA)
