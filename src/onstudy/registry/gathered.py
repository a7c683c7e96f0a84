"""What many trials belong to, gathered in arrays while they are written, and turned round in one go at the end."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator


class Gathered:
    """Trials with the things each of them has, sets or places, by number; a trial that changes is put in again."""

    def __init__(self) -> None:
        self._ends = array("Q")
        self._things = array("I")
        self._rows: dict[int, int] = {}

    def put(self, trial: int, things: array[int]) -> None:
        """What a trial has, which nothing is known of yet."""
        self._rows[trial] = len(self._ends)
        self._things.extend(things)
        self._ends.append(len(self._things))

    def take_back(self, trial: int) -> None:
        """Forget what a trial has."""
        self._rows.pop(trial, None)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[int, array[int]]]:
        """Each trial with its things, in the order of their numbers."""
        for trial, row in sorted(self._rows.items()):
            yield trial, self._things[self._ends[row - 1] if row else 0 : self._ends[row]]

    def turned(self) -> dict[int, array[int]]:
        """For each thing the trials that have it, in order."""
        found: defaultdict[int, array[int]] = defaultdict(lambda: array("I"))
        for trial, things in self:
            for thing in things:
                found[thing].append(trial)
        return found
