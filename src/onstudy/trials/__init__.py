"""Trial files that ship with the package."""
