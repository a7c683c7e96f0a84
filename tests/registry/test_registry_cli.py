"""`onstudy registry ...` and `onstudy find ...` as a stranger uses them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import typer
from tests.registry.registry_server import serving
from tests.registry.studies import raw, site, study
from typer.testing import CliRunner, Result

from onstudy.errors import OnstudyError
from onstudy.faces import registry_cli

app = typer.Typer()
app.add_typer(registry_cli.app)
app.command("find")(registry_cli.find)
ON = ["--on", "2026-05-20"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data/onstudy/registry.sqlite"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=True)


def out(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refused(*words: str) -> str:
    result = run(*words)
    assert isinstance(result.exception, OnstudyError), (result.output, result.exception)
    assert result.stdout == ""
    return str(result.exception)


def test_it_works_before_anything_was_imported(home: Path) -> None:
    found = json.loads(out("find", "inotuzumab", "--zip", "20892", "--format", "json", *ON))
    first = next(one for one in found["trials"] if one["nct_id"] == "NCT03739814")
    assert (first["status"], first["status_date"], first["phase"]) == ("UNKNOWN", "2026-05-15", "PHASE2")
    assert first["nearest_site"]["status_date"] == "2021"
    assert 0 < first["nearest_site"]["miles"] < 15
    assert not home.exists()
    assert "nothing was imported" in out("registry", "status")


def test_import_status_show_find(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "trials.json"
    file.write_bytes(raw([study(1, title="Gout", sites=[site("x", point=(39.0, -77.1))]), study(2), []]))
    told = out("registry", "import", str(file))
    assert told.startswith(f"2 new, 0 changed, 0 unchanged, 1 skipped: {home}\n")
    assert "skipped 1: no protocolSection" in told
    assert "trials.json[2]" in told
    assert out("registry", "import", str(file)).startswith("0 new, 0 changed, 2 unchanged, 1 skipped")
    status = out("registry", "status")
    assert "  2 from ClinicalTrials.gov\n" in status
    assert "data version: 2026-05-15\n" in status
    assert "Gout" in out("registry", "show", "nct00000001", *ON)
    assert json.loads(out("registry", "show", "NCT00000001", "--format", "json"))["hasResults"] is False
    assert "0 new" not in out("find", "gout", *ON)


def test_what_was_imported_may_not_say_of_when_its_data_is(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "trials.json"
    file.write_bytes(raw(study(1, version="")))
    out("registry", "import", str(file))
    assert "data version: not stated by what was imported\n" in out("registry", "status")


def test_a_file_of_ones_own_and_an_output_file(tmp_path: Path, home: Path) -> None:
    file, mine, table = tmp_path / "a.json", tmp_path / "mine.sqlite", tmp_path / "out.csv"
    file.write_bytes(raw(study(1, title="Gout")))
    out("registry", "import", str(file), "--registry", str(mine))
    out("find", "gout", "--registry", str(mine), "--format", "csv", "--out", str(table), *ON)
    assert next(csv.DictReader(io.StringIO(table.read_text())))["nct_id"] == "NCT00000001"
    kept = mine.read_bytes()
    for words in (["find", "gout"], ["registry", "show", "NCT00000001"]):
        told = refused(*words, "--registry", str(mine), "--out", str(mine), *ON)
        assert told == f"--out would be written over {mine}, which is read here; name another file"
        assert mine.read_bytes() == kept
    assert not home.exists()


def test_update_from_the_api(home: Path) -> None:
    with serving([study(1, title="Fresh"), study(2)]) as api:
        told = out("registry", "update", "--nct", "nct00000001", "--nct", "NCT00000009", "--api", api.url)
        assert told.startswith("1 new, 0 changed, 0 unchanged, 1 skipped")
        assert "the registry has no such trial\n    NCT00000009" in told
        assert out("registry", "update", "--since", "2026-01-01", "--api", api.url).startswith("1 new, 0 ch")
    assert home.exists()
    assert not list(home.parent.glob("*.update"))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["find", "--zip", "2089"], "is not a ZIP code"),
        (["find", "--zip", "00000"], "no ZIP code 00000"),
        (["find", "--zip", "09012"], "exists, but where it lies is not known"),
        (["find", "--zip", "20892", "--city", "Boston"], "give one of them"),
        (["find", "--city", "Atlantis"], "no site lies in a city"),
        (["find", "--within", "50"], "--within needs a place to measure from; give --zip or --city"),
        (["find", "--sort", "distance"], "--sort distance needs a place to measure from; give --zip or --city"),
        (["find", "--zip", "20892", "--within", "near"], "not a number of miles"),
        (["find", "--zip", "20892", "--within", "nan"], "above zero"),
        (["find", "--age", "old"], "not a whole number"),
        (["find", "--age", "-1"], "not a whole number"),
        (["find", "--sex", "x"], "not female or male"),
        (["find", "--phase", "5"], "not one of 1, 2, 3, 4"),
        (["find", "--status", "recruting"], "did you mean recruiting?"),
        (["find", "--country", "Frnace"], "did you mean france?"),
        (["find", "--format", "xml"], "not one of text, json, csv"),
        (["find", "--id", "NCT1"], "is no trial id"),
        (["find", "--on", "yesterday"], "is not a date"),
        (["find", "--registry", "/nowhere/r.sqlite"], "there is no registry"),
        (["registry", "show", "NCT99999999"], "no such trial here"),
        (["registry", "import", "/nowhere/x.json"], "there is no such file"),
        (["registry", "update"], "nothing was imported yet"),
        (["registry", "update", "--since", "x"], "is not a date"),
        (["registry", "update", "--since", "2026-01-01", "--nct", "NCT00000001"], "give one of them"),
    ],
)
def test_what_cannot_be_used_is_one_line(words: list[str], why: str) -> None:
    told = refused(*words)
    assert why in told
    assert "\n" not in told


@pytest.mark.parametrize("phase", ["2", "II", "PHASE2", "phase 2", "phase_2"])
def test_a_phase_may_be_written_in_many_ways(phase: str) -> None:
    found = json.loads(out("find", "--phase", phase, "--format", "json", *ON))
    assert found["trials"]
    assert all("PHASE2" in one["phase"] for one in found["trials"])


def test_several_filters_and_facets() -> None:
    filters = "--sex f --age 70 --country united-states --type interventional --facets --size 2".split()
    text = out("find", "leukemia", "--status", "not yet recruiting", "--status", "RECRUITING", *filters, *ON)
    assert "page 1 of" in text
    assert "\nCountry: United States " in text
    one = json.loads(out("find", "--facets", "--format", "json", "--size", "1", *ON))
    assert sum(one["facets"]["status"].values()) == one["total"]


def test_nobody_can_read_what_was_looked_for(tmp_path: Path) -> None:
    out("find", "secretdisease", "--condition", "secretdisease", *ON)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
