"""Errors are told as they are, wherever they were raised."""

from __future__ import annotations

import errno
import pickle

import pytest

from onstudy.errors import DiskFull, InvalidFile, OnstudyError, OptionError, Problem
from onstudy.registry.geography import CityUnknown
from onstudy.registry.sources import Unreadable


@pytest.mark.parametrize(
    "error",
    [
        OnstudyError("store: is a file; a store is a folder"),
        OptionError("on", ": is no date"),
        InvalidFile([Problem("is no whole JSON document", "a.json"), Problem("is empty", "b.json")]),
        CityUnknown("several places are called so", ("Springfield, IL", "Springfield, MA")),
        Unreadable("is no register", "sites.json"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_another_process_says_the_same(error: OnstudyError) -> None:
    told = pickle.loads(pickle.dumps(error))
    assert type(told) is type(error)
    assert (str(told), told.on_command_line, vars(told)) == (str(error), error.on_command_line, vars(error))


def test_a_full_disk_is_told_as_that() -> None:
    """With the file, where the system names it; anything else is another error."""
    assert str(DiskFull.of(OSError(errno.ENOSPC, "No space left on device", "out/x"))).startswith("out/x: no space")
    assert str(DiskFull.of(OSError(errno.EDQUOT, "Disk quota exceeded"))).startswith("the disk that is written to: no")
    assert DiskFull.of(OSError(errno.EACCES, "Permission denied")) is None
    assert DiskFull.of(ValueError("no space")) is None
