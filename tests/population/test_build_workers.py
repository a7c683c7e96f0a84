"""The worker processes of a build end with it, whichever of them is killed, and tell what is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from onstudy.errors import OnstudyError
from onstudy.population.build_find import find
from onstudy.population.build_sources import Task
from onstudy.population.build_work import Given, Reading
from onstudy.population.build_workers import Workers
from onstudy.population.store import catalogue_digest
from onstudy.record.catalogue import load_catalogue

STARTS = """
import os, sys, time
from onstudy.population.build_workers import Workers
with Workers(2) as hands:
    print(hands._groups[0][0].pid, flush=True)
    time.sleep(60)
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


def test_they_end_with_the_process_that_started_them() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        group = int(starter.stdout.readline())
        starter.kill()
    assert gone(group)
