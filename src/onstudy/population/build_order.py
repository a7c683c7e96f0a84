"""The order of a source's parts: what it says of a patient may hang on which part comes first, as problems do."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def moved(before: Sequence[str], now: Sequence[str]) -> set[str]:
    """The parts that were there before and no longer stand as they did among the others: as few as account for it.

    Those that stay are a longest stretch of parts, not all side by side, whose order is the same in both.
    """
    place = {part: number for number, part in enumerate(before)}
    kept = [part for part in now if part in place]
    lasts: list[int] = []  # of stretches of each length that could be made so far, the earliest last place
    lengths = []  # of the longest stretch that ends with each part, less one
    for part in kept:
        length = bisect_left(lasts, place[part])
        lasts[length : length + 1] = [place[part]]
        lengths.append(length)
    found, wanted = set(kept), len(lasts) - 1
    for part, length in zip(reversed(kept), reversed(lengths), strict=True):
        if length == wanted:
            found.remove(part)
            wanted -= 1
    return found
