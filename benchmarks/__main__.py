"""`python -m benchmarks`: every benchmark, one after the other."""

from __future__ import annotations

from benchmarks import registry, screening, web


def main() -> None:
    """Run and print."""
    for part in (screening, registry, web):
        print("\n".join(part.run()), flush=True)


if __name__ == "__main__":
    main()
