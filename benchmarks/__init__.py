"""Measured speed: `make bench`. Every figure stands beside a floor or peer of the same run; never a timed test."""
