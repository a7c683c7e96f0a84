"""What an import may be given, and what is said of what it may not."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.registry.studies import raw, study

from onstudy.errors import OnstudyError, Problem
from onstudy.registry import lines, sources
from onstudy.registry.importing import import_paths
from onstudy.registry.lines import Found, Stretch
from onstudy.registry.sources import Sources, Unreadable
from onstudy.registry.store import in_memory

ONE, TWO, THREE = (raw(study(number)) for number in (1, 2, 3))
INDENTED = json.dumps(study(1), indent=2).encode()


def read(*paths: Path) -> tuple[list[str], list[Problem]]:
    """The trial ids found, and the problems."""
    found: list[str] = []
    problems = []
    for one in Sources(list(paths)):
        assert not isinstance(one, Stretch)
        if isinstance(one, Found):
            found.append(json.loads(bytes(one.raw))["protocolSection"]["identificationModule"]["nctId"][-1])
        else:
            problems.append(one)
    return found, problems


def _plain(path: Path, text: bytes) -> Path:
    path.write_bytes(text)
    return path


def _gz(path: Path, text: bytes) -> Path:
    path.write_bytes(gzip.compress(text))
    return path


def _zip(path: Path, text: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ctg-studies.json", text)
    return path


@pytest.mark.parametrize("pack", [_plain, _gz, _zip])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ONE, "1"),
        (INDENTED, "1"),
        (b"\xef\xbb\xbf \n" + ONE + b"\n\n", "1"),
        (b"[" + ONE + b"," + TWO + b"]", "12"),
        (b"[\n" + INDENTED + b",\n" + TWO + b"\n]\n", "12"),
        (b"[]", ""),
        (b'{"totalCount": 2, "studies": [' + ONE + b"," + TWO + b'], "nextPageToken": "x"}', "12"),
        (b'{"studies": []}', ""),
        (ONE + b"\n" + TWO + b"\n" + THREE, "123"),
        (ONE + b"\r\n\r\n" + TWO + b"\r\n", "12"),
        (b'{"studies": [' + ONE + b"]}\n" + b'{"studies": [' + TWO + b"]}\n", "12"),
        (b"[" + ONE + b"]\n[" + TWO + b"]\n", "12"),
    ],
)
def test_every_shape_is_read(tmp_path: Path, pack: Callable[[Path, bytes], Path], text: bytes, expected: str) -> None:
    found, problems = read(pack(tmp_path / "given", text))
    assert "".join(found) == expected
    assert problems == []


def test_a_zip_of_one_file_a_trial(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ctg.zip", "w") as archive:
        archive.writestr("NCT00000001.json", ONE)
        archive.writestr("../../NCT00000002.json", TWO)
        archive.writestr("more/three.json.gz", gzip.compress(THREE))
        archive.writestr("README.txt", "hello")
        archive.writestr("broken.json", b"{")
    found, problems = read(tmp_path / "ctg.zip")
    assert found == ["1", "2", "3"]
    assert [(p.where.split("/")[-1], p.what) for p in problems] == [("broken.json", "is not whole JSON")]
    assert not (tmp_path.parent.parent / "NCT00000002.json").exists()


def test_a_folder_is_read_with_all_below_it_and_a_bad_file_is_skipped(tmp_path: Path) -> None:
    _plain(tmp_path / "b.json", ONE)
    (tmp_path / "a").mkdir()
    _gz(tmp_path / "a/c.jsonl.gz", TWO + b"\n" + THREE)
    _plain(tmp_path / "notes.txt", b"not read")
    _plain(tmp_path / "bad.json", b"hello")
    _plain(tmp_path / "empty.json", b"")
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(ONE * 100)[:-20])
    found, problems = read(tmp_path)
    assert found == ["2", "3", "1"]
    assert {Path(p.where).name: p.what.split(";")[0] for p in problems} == {
        "bad.json": "is no JSON",
        "empty.json": "is empty",
        "cut.json.gz": "is damaged or cut off (EOFError)",
    }


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.json", b"", "is empty"),
        ("a.json", b" \n \n", "is empty"),
        ("a.json", b"hello", "is no JSON; readable are .* JSON lines, plain, .gz or .zip"),
        ("a.json", b"hello\nworld\n", "is no JSON"),
        ("a.json", b'"hello"', "neither a study"),
        ("a.xml", b"<xml/>", "is HTML or XML, no JSON; readable are"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "is a PNG image, no JSON; readable are"),
        ("a.pdf", b"%PDF-1.7\n%\xe2\xe3\n", "is a PDF file, no JSON; readable are"),
        ("a.json", ONE[:-5], "not whole JSON"),
        ("a.json", b"[" + ONE + b",", "not whole JSON"),
        ("a.json", b'{"resourceType": "Patient"}', "neither a study"),
        ("a.json", b'{"studies": 7}', "neither a study"),
        ("a.gz", gzip.compress(ONE)[:-9], "damaged or cut off"),
        ("a.gz", b"\x1f\x8b" + b"x" * 100, "damaged or cut off"),
        ("a.zip", b"PK\x03\x04" + b"x" * 100, "damaged or cut off"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_was_named_must_be_readable_to_its_end(tmp_path: Path, name: str, text: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why) as refusal:
        read(_plain(tmp_path / name, text))
    assert str(refusal.value).startswith(str(tmp_path / name))
    assert len(str(refusal.value)) < 250


def test_all_paths_that_are_not_there_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(OnstudyError) as refusal:
        Sources([tmp_path / "none.json", tmp_path / "empty", _plain(tmp_path / "good.json", ONE), tmp_path / "x.zip"])
    assert [line.rpartition(": ")[2][:20] for line in str(refusal.value).splitlines()] == [
        "there is no such file", "the folder holds no file that", "there is no such file",
    ] or len(str(refusal.value).splitlines()) == 3  # fmt: skip


def test_a_bad_line_is_skipped_with_its_number(tmp_path: Path) -> None:
    found, problems = read(_plain(tmp_path / "a.jsonl", ONE + b"\n{broken\n17\n" + TWO + b"\n"))
    assert found == ["1", "2"]
    assert [p.where.rpartition(":")[2] for p in problems] == ["2", "3"]


@pytest.mark.parametrize("pack", [_plain, _gz, _zip])
@pytest.mark.parametrize(
    ("text", "expected", "lines"),
    [
        (ONE + b'\n"just words"\n' + TWO + b"\n", "12", ["2"]),
        (ONE + b"\n17\n[3, null]\n" + TWO, "12", ["2", "3[0]", "3[1]"]),
        (b'"just words"\n' + ONE + b"\n" + TWO, "12", ["1"]),
        (b"null\n" + ONE, "1", ["1"]),
        (ONE[:-5] + b"\n" + TWO + b"\n" + THREE, "23", ["1"]),
        (b"\xef\xbb\xbf\n\n" + ONE + b"\n\n\n17\n" + TWO, "12", ["6"]),
        (ONE + b"\nhello", "1", ["2"]),
        (b"hello\n" + ONE, "1", ["1"]),
    ],
)
def test_a_line_that_is_no_study_costs_only_itself(
    tmp_path: Path, pack: Callable[[Path, bytes], Path], text: bytes, expected: str, lines: list[str]
) -> None:
    """Given lines among which some are no study, the others are found, and each of these is told by its number."""
    store = in_memory()
    report = import_paths(store, [pack(tmp_path / "given", text)])
    ids = [nct for (nct,) in store.db.execute("SELECT nct_id FROM study") if nct < "NCT00000010"]
    assert "".join(sorted(nct[-1] for nct in ids)) == expected
    assert [problem.where.rpartition(":")[2] for problem in report.skipped] == lines
    assert all(problem.what for problem in report.skipped)


def test_a_list_of_one_study_a_line_stays_one_document(tmp_path: Path) -> None:
    found, problems = read(_plain(tmp_path / "a.json", b"[" + ONE + b",\n" + TWO + b",\n" + THREE + b"]"))
    assert (found, problems) == (["1", "2", "3"], [])
    page = b'{"studies": [' + ONE + b",\n" + TWO + b"]}\n"
    assert read(_plain(tmp_path / "b.json", page)) == (["1", "2"], [])


def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LARGEST_RECORD", 5000)
    monkeypatch.setattr(sources, "LARGEST_RECORD", 5000)
    found, problems = read(_plain(tmp_path / "a.jsonl", ONE + b"\n" + ONE + b" " * 20_000 + b"\n" + TWO + b"\n"))
    assert found == ["1", "2"]
    assert ["longer" in p.what for p in problems] == [True]


def test_a_document_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_DOCUMENT", 5000)
    bomb = _gz(tmp_path / "bomb.json.gz", b"[" + b" " * 10_000_000 + b"]")
    with pytest.raises(Unreadable, match="more than 512 MiB"):
        read(bomb)


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    some = Sources([_plain(tmp_path / "a.json", ONE), _plain(tmp_path / "b.json", TWO)])
    assert some.size == len(ONE) + len(TWO)
    assert len(list(some)) == 2
    assert some.done == some.size
