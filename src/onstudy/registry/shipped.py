"""The trials that ship: usable at once, without an import, read-only.

`data/trials.jsonl.gz` holds the flagship's record, put together from what is public of it, and example records of
leukemia trials; `data/ATTRIBUTION.md` says where each comes from. `scripts/shipped_trials.py` writes both.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

from onstudy.registry.lines import Found

DATA = Path(__file__).parent / "data"
TRIALS = DATA / "trials.jsonl.gz"


def records() -> Iterator[Found]:
    """Each record that ships, as JSON."""
    with gzip.open(TRIALS, "rb") as file:
        for number, line in enumerate(file, start=1):
            yield Found(f"shipped:{number}", line)


@cache
def digest() -> str:
    """Tells one set of shipped records from another."""
    return blake2b(TRIALS.read_bytes(), digest_size=16).hexdigest()
