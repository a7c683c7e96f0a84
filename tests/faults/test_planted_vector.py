"""The tests of the vector engine are tested: every fault that is planted is noticed, and none where there is none."""

from __future__ import annotations

import pytest
from tests.faults.planted_vector import FAULTS
from tests.faults.suite_vector import noticed, read


@pytest.mark.parametrize("plain", [True, False], ids=["plain apart", "all closely"])
def test_nothing_is_noticed_where_nothing_is_broken(plain: bool) -> None:
    assert list(noticed(plain)) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read()
    FAULTS[name](monkeypatch)
    assert next(noticed(), None) is not None


def test_there_are_many_faults() -> None:
    assert len(FAULTS) >= 40
