"""What many trials belong to, gathered in arrays while they are written, and turned round in one go at the end."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator

#: Memberships from which on loading numpy (a tenth of a second) pays.
_MANY = 200_000


class Gathered:
    """Trials with the things each of them has, sets or places, by number; a trial that changes is put in again."""

    def __init__(self) -> None:
        self._trials = array("I")  # 0 for what was taken back
        self._ends = array("Q")
        self._things = array("I")
        self._rows: dict[int, int] = {}

    def put(self, trial: int, things: array[int]) -> None:
        """What a trial has, which nothing is known of yet."""
        self._rows[trial] = len(self._trials)
        self._trials.append(trial)
        self._things.extend(things)
        self._ends.append(len(self._things))

    def take_back(self, trial: int) -> None:
        """Forget what a trial has."""
        row = self._rows.pop(trial, None)
        if row is not None:
            self._trials[row] = 0

    def __iter__(self) -> Iterator[tuple[int, array[int]]]:
        """Each trial with its things, in the order of their numbers."""
        for trial, row in sorted(self._rows.items()):
            yield trial, self._things[self._ends[row - 1] if row else 0 : self._ends[row]]

    def turned(self) -> dict[int, array[int]]:
        """For each thing the trials that have it, in order."""
        if len(self._things) < _MANY:
            found: defaultdict[int, array[int]] = defaultdict(lambda: array("I"))
            for trial, things in self:
                for thing in things:
                    found[thing].append(trial)
            return found
        return self._turned_many()

    def _turned_many(self) -> dict[int, array[int]]:
        import numpy as np

        ends = np.frombuffer(self._ends, np.uint64)
        trials = np.repeat(np.frombuffer(self._trials, np.uint32), np.diff(ends, prepend=np.uint64(0)).astype(np.intp))
        pairs = np.frombuffer(self._things, np.uint32).astype(np.uint64) << np.uint64(32) | trials
        pairs = np.sort(pairs[trials > 0])
        things, starts = np.unique(pairs >> np.uint64(32), return_index=True)
        data = memoryview((pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32).tobytes()).cast("I")
        cuts = [*starts.tolist(), len(data)]
        return {
            thing: array("I", data[start:end])
            for thing, start, end in zip(things.tolist(), cuts, cuts[1:], strict=False)
        }
