"""`python -m benchmarks`: every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import screening


def main() -> None:
    """Run and print."""
    for part in (screening,):
        print("\n".join(part.run()), flush=True)


if __name__ == "__main__":
    main()
