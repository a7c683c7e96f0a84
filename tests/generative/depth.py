"""How far the generative tests look: so many times the examples of the Hypothesis profile in force."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def examples(times: float) -> settings:
    """Settings of a test that looks at so many times the examples of the profile (100, or 5000 when long)."""
    count = max(1, int(settings().max_examples * times))
    return settings(max_examples=count, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
