"""Places and facets as numbers while they travel: whoever makes records ready numbers them, whoever writes translates.

A trial with a thousand sites travels as a thousand small numbers, and each place is spelled out once.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Sequence
from operator import itemgetter
from typing import Generic, TypeVar

from onstudy.registry import bits

_T = TypeVar("_T", bound=Hashable)


class Numbering(Generic[_T]):
    """Things numbered from 0 in the order in which they are met."""

    def __init__(self) -> None:
        self._numbers: dict[_T, int] = {}
        self.things: list[_T] = []
        self._told = 0

    def of(self, thing: _T) -> int:
        """The number of a thing."""
        number = self._numbers.get(thing)
        if number is None:
            number = self._numbers[thing] = len(self.things)
            self.things.append(thing)
        return number

    def new(self) -> list[_T]:
        """The things met since this was asked last, in the order of their numbers."""
        found, self._told = self.things[self._told :], len(self.things)
        return found


class Stored(Generic[_T]):
    """Things by the numbers they were given, with their numbers in the store once they have one."""

    def __init__(self) -> None:
        self._things: list[_T] = []
        self._numbers: list[int] = []  # 0 where there is none yet

    def add(self, things: Sequence[_T]) -> None:
        """Take in those with the next numbers."""
        self._things += things
        self._numbers += [0] * len(things)

    def numbers(self, packed: bytes, number: Callable[[_T], int]) -> array[int]:
        """The numbers in the store for packed given ones; `number` finds one from 1 for a thing without."""
        given = bits.load_ids(packed)
        if not given:
            return array("I")
        found = _chosen(self._numbers, given)
        if 0 in found:
            for one in given:
                self._numbers[one] = self._numbers[one] or number(self._things[one])
            found = _chosen(self._numbers, given)
        return array("I", found)


def _chosen(numbers: Sequence[int], given: array[int]) -> tuple[int, ...]:
    """The numbers at given places; millions are asked for, and `itemgetter` is the fastest."""
    return itemgetter(*given)(numbers) if len(given) > 1 else (numbers[given[0]],)
