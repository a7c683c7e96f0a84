"""Chance for generated patients: every draw is a function of the seed, the patient and the name of the draw.

Nothing is drawn in sequence. So a patient is the same whoever is generated beside it, in whatever order, by
however many processes, and a new draw leaves all others as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea and Flood 2014): each bit depends on every bit."""
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))


def _number_of(name: str) -> np.uint64:
    """A name as 64 bits, the same on every machine and in every run."""
    return np.uint64(int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little"))


class Draws:
    """Draws for some patients, told by their numbers; all arrays are as long as `patients`."""

    def __init__(self, seed: int, patients: Ints) -> None:
        self.seed = seed
        self.patients = patients
        start = _number_of(f"onstudy patients {seed}")
        self._keys = _mixed(patients.astype(np.uint64) * _GOLDEN + start)

    def __len__(self) -> int:
        return len(self.patients)

    def of(self, which: Flags | Ints) -> Draws:
        """The draws of some of these patients only (a mask, or positions, which may repeat)."""
        found = Draws.__new__(Draws)
        found.seed, found.patients, found._keys = self.seed, self.patients[which], self._keys[which]
        return found

    def uniform(self, name: str) -> Floats:
        """Numbers in [0, 1)."""
        bits = _mixed(self._keys + _number_of(name))
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def chance(self, name: str, probability: float | Floats) -> Flags:
        """True with the probability given, for all or for each."""
        return self.uniform(name) < probability

    def between(self, name: str, low: int | Ints, high: int | Ints) -> Ints:
        """Whole numbers from `low` to `high`, both included and alike likely; `low` where the two are crossed."""
        width = np.maximum(np.asarray(high) - np.asarray(low) + 1, 1)
        return np.asarray(low + np.floor(self.uniform(name) * width), dtype=np.int64)

    def pick(self, name: str, weights: Sequence[float]) -> Ints:
        """Positions in `weights`, as likely as the weights say."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        found = np.searchsorted(edges / edges[-1], self.uniform(name), side="right")
        return np.minimum(found, len(weights) - 1).astype(np.int64)

    def normal(self, name: str, mean: float | Floats = 0.0, spread: float | Floats = 1.0) -> Floats:
        """Numbers around `mean` with the standard deviation `spread` (Box and Muller)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(name)))
        return mean + spread * radius * np.cos(2.0 * np.pi * self.uniform(f"{name}, angle"))

    def around(self, name: str, median: float | Floats, spread: float | Floats) -> Floats:
        """Positive numbers around `median`; `spread` is the standard deviation of their natural logarithm."""
        return median * np.exp(self.normal(name, 0.0, spread))

    def days(self, name: str, half: float, most: int) -> Ints:
        """Days ago: half of them less than `half`, none more than `most` (exponential)."""
        found = np.floor(-np.log2(1.0 - self.uniform(name)) * half)
        return np.minimum(found, most).astype(np.int64)
