"""What the registry's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onstudy.registry import shipped
from onstudy.registry.importing import import_records
from onstudy.registry.store import Store, in_memory


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores without the trials that ship."""
    monkeypatch.setattr(shipped, "records", lambda: iter(()))


@pytest.fixture(scope="module")
def shipped_store() -> Iterator[Store]:
    """The trials that ship."""
    store = in_memory()
    import_records(store, [])
    yield store
    store.close()
