"""onstudy turns a clinical trial into software: it reads the trial and says who may join, why, and from which day.

The public names are loaded when first used, so that `import onstudy` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onstudy.faces.api import load_trial, read_patients, screen, write_bundle

__version__ = "0.1.0"
__all__ = ["__version__", "load_trial", "read_patients", "screen", "write_bundle"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from onstudy.faces import api

        return getattr(api, name)
    raise AttributeError(f"onstudy has no {name!r}")
