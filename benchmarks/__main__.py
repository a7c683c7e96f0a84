"""`python -m benchmarks`: every benchmark, one after the other; `python -m benchmarks prescreen peers`: those named."""

from __future__ import annotations

import sys
from importlib import import_module

PARTS = ("screening", "registry", "web", "build", "prescreen", "peers")


def main(names: list[str]) -> None:
    """Run and print."""
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        sys.exit(f"there is no benchmark {unknown[0]!r}; there are {', '.join(PARTS)}")
    for name in names or PARTS:
        print("\n".join(import_module(f"benchmarks.{name}").run()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
