"""A trial that was read before is the trial of the file: whatever is not wholly that is read anew."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from onstudy.criteria.expr import Named, walk
from onstudy.criteria.trial import Trial
from onstudy.errors import InvalidFile
from onstudy.language import kept
from onstudy.language.kept import decode, encode, load_kept
from onstudy.language.library import shipped
from onstudy.language.trialfile import load_trial_file
from onstudy.record.catalogue import load_catalogue

CATALOGUE = load_catalogue()
FLAGSHIP = shipped()["NCT03739814"]
SMALL = """
id: T1
version: "1"
title: A small trial
anchors: {registration: {label: Registration}}
steps: [{id: "1", title: All, criteria: [{id: A, text: fit, rule: latest ecog <= 2}]}]
cohorts: [{id: C, title: adults, criteria: []}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t1.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were really read, one name for each time."""
    from onstudy.language import trialfile

    found: list[str] = []
    whole = trialfile.read_trial

    def counting(raw: bytes, name: str, catalogue: object) -> Trial:
        found.append(name)
        return whole(raw, name, catalogue)  # type: ignore[arg-type]

    monkeypatch.setattr(trialfile, "read_trial", counting)
    return found


def kept_file(folder: Path) -> Path:
    (found,) = folder.glob("trial-*.json")
    return found


@pytest.mark.parametrize("path", shipped().values(), ids=str)
def test_a_kept_trial_is_equal_and_shares_what_was_shared(path: Path) -> None:
    trial = load_trial_file(path, CATALOGUE)
    again = decode(json.loads(json.dumps(encode(trial))))
    assert again == trial
    assert isinstance(again, Trial)
    for one in (trial, again):  # a definition is worked out once for all the rules that use it
        named = {
            id(node)
            for row in one.criteria
            if row.rule is not None
            for node in walk(row.rule)
            if isinstance(node, Named) and node.name == "no_recent_cns_signs"
        }
        assert len(named) <= 1
    assert again.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_is_read_once_and_again_when_it_changes(file: Path, tmp_path: Path, reads: list[str]) -> None:
    folder = tmp_path / "cache"
    first = load_kept(file, CATALOGUE, folder)
    assert load_kept(file, CATALOGUE, folder) == first
    assert reads == ["t1.yaml"]
    file.write_text(SMALL.replace("ecog <= 2", "ecog <= 1"))
    assert load_kept(file, CATALOGUE, folder).criteria[0].rule_text == "latest ecog <= 1"
    assert len(reads) == 2


def test_the_same_file_under_another_name_carries_its_own_name(file: Path, tmp_path: Path) -> None:
    load_kept(file, CATALOGUE, tmp_path / "cache")
    other = file.rename(tmp_path / "t2.yaml")
    assert load_kept(other, CATALOGUE, tmp_path / "cache").source == "t2.yaml"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"2", b"9")),
        lambda path: path.write_bytes(b""),
        lambda path: path.chmod(0o666),
        lambda path: _signed(path, [["Path", ["/etc/passwd"]]]),
        lambda path: _signed(path, [["", "no trial"]]),
        lambda path: _signed(path, [["tuple", [7]]]),
        lambda path: _signed(path, []),
    ],
    ids=["cut off", "changed", "empty", "writable by others", "another class", "no trial", "no such row", "nothing"],
)
def test_what_is_not_wholly_what_was_kept_is_read_anew(
    spoil: Callable[[Path], None], file: Path, tmp_path: Path, reads: list[str]
) -> None:
    folder = tmp_path / "cache"
    first = load_kept(file, CATALOGUE, folder)
    spoil(kept_file(folder))
    assert load_kept(file, CATALOGUE, folder) == first
    assert len(reads) == 2


def _signed(path: Path, rows: list[list[object]]) -> None:
    text = json.dumps(rows).encode()
    path.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


def test_a_folder_that_cannot_be_used_changes_nothing(file: Path, tmp_path: Path) -> None:
    taken = tmp_path / "a file"
    taken.write_text("")
    whole = load_trial_file(file, CATALOGUE)
    assert load_kept(file, CATALOGUE, taken / "cache") == whole
    assert load_kept(file, CATALOGUE, None) == whole


def test_a_file_with_a_mistake_is_told_each_time_and_never_kept(file: Path, tmp_path: Path) -> None:
    file.write_text(SMALL.replace("latest ecog", "latest ecogg"))
    for _ in range(2):
        with pytest.raises(InvalidFile, match="ecogg"):
            load_kept(file, CATALOGUE, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_other_code_reads_anew(file: Path, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    load_kept(file, CATALOGUE, tmp_path / "cache")
    monkeypatch.setattr(kept, "_code", lambda: b"another version")
    load_kept(file, CATALOGUE, tmp_path / "cache")
    assert len(reads) == 2


def test_nothing_but_the_parts_of_a_trial_is_kept() -> None:
    with pytest.raises(TypeError, match="no part of a trial"):
        encode(Path("x"))


def test_the_command_says_the_same_from_what_was_kept(tmp_path: Path) -> None:
    patient = Path(__file__).parents[2] / "examples" / "cns2.json"
    words = ["screen", "NCT03739814", str(patient), "--on", "2026-03-16", "--format", "json"]
    runs = [
        subprocess.run(
            [sys.executable, "-m", "onstudy.faces.cli", *words],
            capture_output=True, text=True, check=True, timeout=120,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / home)},
        ).stdout
        for home in ("a", "a", "b")
    ]  # fmt: skip
    assert runs[0] == runs[1] == runs[2] != ""
    assert len(list((tmp_path / "a" / "onstudy").iterdir())) == 1
