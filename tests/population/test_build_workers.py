"""The worker processes of a build end with it, whichever of them is killed, and tell what is wrong."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from onstudy.errors import InvalidFile, OnstudyError
from onstudy.population.build import build
from onstudy.population.build_find import find
from onstudy.population.build_sources import LINES, Part, Task
from onstudy.population.build_work import Given, Reading
from onstudy.population.build_workers import Workers
from onstudy.population.store import catalogue_digest
from onstudy.record.catalogue import load_catalogue

#: Gives two workers work, and waits for it.
STARTS = """
import pickle, sys
from onstudy.population.build_workers import Workers
given, pieces = pickle.loads(open(sys.argv[1], "rb").read())
with Workers(len(pieces)) as hands:
    print(hands._groups[0][0].pid, flush=True)
    hands.begin(given)
    list(hands.each(pieces))
"""


def given(folder: Path, catalogue: str = "") -> Given:
    (folder / "in").mkdir()
    (folder / "in/a.ndjson").write_text('{"resourceType": "Patient", "id": "p1", "birthDate": "1970-05-17"}\n')
    source = find(str(folder / "in"), folder / "store")
    (folder / "store/rows").mkdir(parents=True)
    return Given(source, folder / "store", None, catalogue or catalogue_digest(load_catalogue()), 1, "now")


def tasks(asked: Given, many: int) -> list[Reading]:
    part = asked.source.parts(asked.catalogue)[0]
    return [Reading(Task(part, n, 0, part.size), f"{n}.arrow") for n in range(many)]


def gone(group: int) -> bool:
    """Whether no process of a group is left, after a while."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_all_of_them_work_and_none_is_left(tmp_path: Path) -> None:
    asked = given(tmp_path)
    with Workers(3) as hands:
        groups = [process.pid for process, _ in hands._groups]
        hands.begin(asked)
        done = list(hands.each(tasks(asked, 7)))
    assert sorted(piece.file for piece, _ in done) == [f"{n}.arrow" for n in range(7)]
    assert {read.people for _, read in done} == {1}
    assert all(gone(group) for group in groups)


def work_with(asked: Given, groups: list[int], at_first: Callable[[], object]) -> None:
    """Much work by two workers; `at_first` is done when the first piece is."""
    with Workers(2) as hands:
        groups += [process.pid for process, _ in hands._groups]
        hands.begin(asked)
        for _ in hands.each(tasks(asked, 50)):
            at_first()


def test_none_is_left_where_the_work_is_given_up(tmp_path: Path) -> None:
    asked, groups = given(tmp_path), list[int]()
    with pytest.raises(ZeroDivisionError):
        work_with(asked, groups, lambda: 1 / 0)
    assert all(gone(group) for group in groups)


def test_a_worker_that_is_killed_is_told_and_the_others_end(tmp_path: Path) -> None:
    asked, groups = given(tmp_path), list[int]()
    with pytest.raises(OnstudyError, match="ended unexpectedly"):
        work_with(asked, groups, lambda: os.kill(groups[0], signal.SIGKILL))
    assert all(gone(group) for group in groups)


def test_what_was_changed_meanwhile_is_told_by_the_first_piece(tmp_path: Path) -> None:
    asked = given(tmp_path, "another catalogue")
    with pytest.raises(OnstudyError, match="was changed while it was used"):
        work_with(asked, [], lambda: None)


def at_work(pipe: Path) -> int:
    """Our end of a pipe, once somebody reads what nobody writes."""
    for _ in range(100):
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO, "there is no reader yet"
            time.sleep(0.1)
    raise AssertionError("no worker began")


def test_they_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    """In the midst of their work, when they do not look whether there is more."""
    asked, pipes = given(tmp_path), [tmp_path / "1.ndjson", tmp_path / "2.ndjson"]
    for pipe in pipes:
        os.mkfifo(pipe)
    parts = [Part(pipe.name, str(pipe), 9, pipe.stem, LINES) for pipe in pipes]
    (tmp_path / "work").write_bytes(pickle.dumps((asked, [Reading(Task(one, 0, 0, 9), one.name) for one in parts])))
    command = [sys.executable, "-c", STARTS, str(tmp_path / "work")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        group = int(starter.stdout.readline())
        ours = [at_work(pipe) for pipe in pipes]
        starter.kill()
    ended = gone(group)
    if not ended:
        os.killpg(group, signal.SIGKILL)
    for end in ours:
        os.close(end)
    assert ended


def test_workers_that_were_passed_in_end_before_what_they_did_is_undone(tmp_path: Path) -> None:
    """One cannot read its file, and another is at work, which would write into a folder that is gone."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.json").write_text('{"resourceType": "Bundle", "entry": [')
    other = tmp_path / "in/b.ndjson"
    other.write_text('{"resourceType": "Patient", "id": "p1", "birthDate": "1970-05-17"}\n')
    ours: list[int] = []

    def at_first(what: str, done: int, whole: int) -> None:
        if what == "reading" and not ours:  # all files were hashed, and no work was given yet
            other.unlink()
            os.mkfifo(other)
            ours.append(os.open(other, os.O_RDWR))

    with Workers(2) as hands:
        groups = [process.pid for process, _ in hands._groups]
        with pytest.raises(InvalidFile, match=r"a.json: is no whole JSON document"):
            build(find(str(tmp_path / "in"), tmp_path / "store"), tmp_path / "store", watch=at_first, workers=hands)
        ended = all(gone(group) for group in groups)
        os.close(ours[0])
        assert ended
        assert not (tmp_path / "store").exists()
