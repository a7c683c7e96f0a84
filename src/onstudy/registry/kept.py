"""Results that cost time, kept for as long as what they were made of stays as it is; the least used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

_T = TypeVar("_T")


class Kept:
    """At most `most` results of one state. Safe from several threads: at worst two make the same result."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._state: Hashable = None
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._turn = Lock()

    def get(self, state: Hashable, key: Hashable, make: Callable[[], _T]) -> _T:
        """The result under a key in that state, made anew where there is none."""
        with self._turn:
            if state != self._state:
                self._found.clear()
                self._state = state
            if key in self._found:
                self._found.move_to_end(key)
                kept: _T = self._found[key]
                return kept
        made = make()
        with self._turn:
            if state == self._state:
                self._found[key] = made
                if len(self._found) > self._most:
                    self._found.popitem(last=False)
        return made
