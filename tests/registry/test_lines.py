"""Stretches of a file that another process reads: the same records, at the same places, as line by line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.registry.studies import put, raw, site, study
from tests.registry.test_importing import contents, counted

from onstudy.errors import OnstudyError, Problem
from onstudy.registry import importing, lines
from onstudy.registry.importing import import_paths, import_records
from onstudy.registry.lines import File, Found, Lying, Stretch
from onstudy.registry.sources import Sources
from onstudy.registry.store import in_memory

GOOD = [raw(study(number, summary="word " * number)) for number in range(1, 60)]
ODD = [
    GOOD[0], b"", b"17", b'{"studies": [' + GOOD[1] + b"," + GOOD[2] + b"]}", b"   ", b"[" + GOOD[3] + b", 4]",
    GOOD[4][:-9], GOOD[5] + b"\r", b'"just words"', b" " + GOOD[6], *GOOD[7:30], GOOD[30] + b" " * 9000, *GOOD[31:],
]  # fmt: skip


def told(file: Path, stretches: bool) -> list[tuple[str, bytes | str]]:
    """Each record with its place, and what is wrong where."""
    found: list[tuple[str, bytes | str]] = []
    for one in Sources([file], stretches):
        each: list[Found | Problem] = []
        if isinstance(one, Stretch):
            with one.file.open() as stream:
                for each_one, start, size in one.records(stream):
                    each.append(each_one)
                    if size and isinstance(each_one, Found):
                        assert Lying(each_one.where, one.file, start, size).raw == each_one.raw
        else:
            each.append(one)
        found += [(e.where, e.what if isinstance(e, Problem) else bytes(e.raw)) for e in each]
    return found


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n\n"])
@pytest.mark.parametrize("size", [1, 700, 1000, 5000, 1 << 18])
def test_stretches_hold_what_the_lines_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, end: bytes
) -> None:
    monkeypatch.setattr(lines, "_STRETCH", size)
    file = tmp_path / "a.jsonl"
    for text in (b"\n".join(ODD) + end, b"\xef\xbb\xbf\n" + b"\n\n".join(GOOD) + end):
        file.write_bytes(text)
        assert told(file, True) == told(file, False)
        assert size < len(GOOD[0]) or any(isinstance(one, Stretch) for one in Sources([file], True))


def test_a_line_too_long_for_a_stretch_and_one_too_long_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LARGEST_RECORD", 6000)
    monkeypatch.setattr(lines, "_STRETCH", 2000)
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\n".join([*GOOD[:5], GOOD[5] + b" " * 4000, GOOD[6] + b" " * 20_000, *GOOD[7:9]]))
    found = told(file, True)
    assert found == told(file, False)
    assert [text for _, text in found if isinstance(text, str)] == ["is longer than 0 MiB"]
    assert len(found) == 9


def test_helpers_that_read_for_themselves_change_nothing(
    bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New, changed, the same and broken lines, read here and beside: the same store and the same report."""
    changed = [raw(study(number, title="Other", sites=[site(f"c{number % 3}", point=(1, 2))])) for number in (3, 9)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*ODD, *changed, GOOD[2], b'{"protocolSection": {}}']))
    alone, together = in_memory(), in_memory()
    first = import_paths(alone, [tmp_path / "a.jsonl"])
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(importing, "_LARGE", 10)
    monkeypatch.setattr(lines, "_STRETCH", 3000)
    second = import_paths(together, [tmp_path / "a.jsonl"])
    assert first == second
    assert counted(first)[:2] == (58, 3)
    assert contents(alone) == contents(together)
    assert [together.original(f"NCT{n:08d}") for n in range(1, 60)] == [
        alone.original(f"NCT{n:08d}") for n in range(1, 60)
    ]
    again = import_paths(together, [tmp_path / "a.jsonl"])
    assert counted(again) == counted(import_paths(alone, [tmp_path / "a.jsonl"]))


@pytest.mark.parametrize("how", ["replaced", "shortened", "gone"])
def test_a_file_that_changes_under_an_import_is_told_and_nothing_is_written(
    bare: None, tmp_path: Path, how: str
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\n".join(GOOD))

    def found() -> Any:
        for one in Sources([file], True):
            if isinstance(one, Stretch):
                if how == "replaced":
                    (tmp_path / "b.jsonl").write_bytes(b"\n".join(GOOD))
                    os.replace(tmp_path / "b.jsonl", file)
                elif how == "shortened":
                    os.truncate(file, 3000)
                else:
                    file.unlink()
            yield one

    store = in_memory()
    put(store, study(1, title="Before"))
    before = contents(store)
    with pytest.raises(OnstudyError, match=r"a\.jsonl: (was changed while it was read|cannot be read)"):
        import_records(store, found(), helpers=1)
    assert contents(store) == before


def test_a_file_is_told_from_another_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with (tmp_path / "a").open("rb") as stream:
        same = File.of(stream, str(tmp_path / "a"))
    same.open().close()
    with pytest.raises(OnstudyError, match="was changed"):
        File(same.path, same.device, same.number + 1).open()
