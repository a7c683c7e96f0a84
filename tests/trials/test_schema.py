"""The JSON Schema for editors says what the reader of trial files accepts: shipped files pass, misspellings do not."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from onstudy.language import trialfile
from onstudy.language.library import SHIPPED, shipped
from onstudy.yamltext import read_yaml

SCHEMA: dict[str, Any] = json.loads((SHIPPED / "trial-file.schema.json").read_text(encoding="utf-8"))


def plain(name: str) -> Any:
    return read_yaml(shipped()[name].read_text(encoding="utf-8"), name)[0].plain()


@pytest.mark.parametrize("name", shipped())
def test_shipped_trial_files_follow_the_schema(name: str) -> None:
    jsonschema.validate(plain(name), SCHEMA)


def test_the_schema_knows_the_keys_the_reader_knows() -> None:
    assert set(SCHEMA["properties"]) == set(trialfile._TOP)
    assert set(SCHEMA["$defs"]["criterion"]["properties"]) == set(trialfile._CRITERION)


@pytest.mark.parametrize("key", ["rules", "severty", "texts"])
def test_a_misspelt_key_is_noticed(key: str) -> None:
    trial = plain("NCT03739814")
    trial["steps"][0]["criteria"][0][key] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(trial, SCHEMA)
