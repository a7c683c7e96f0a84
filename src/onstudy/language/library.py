"""Where trial files are found: by the id of one that ships, by path, or all that ship."""

from __future__ import annotations

from pathlib import Path

from onstudy.criteria.trial import Trial
from onstudy.errors import OnstudyError, nearest
from onstudy.language.kept import load_kept
from onstudy.record.catalogue import Catalogue

SHIPPED = Path(__file__).parent.parent / "trials"
_EXAMPLES = ".examples.yaml"


def shipped() -> dict[str, Path]:
    """The trial files that ship, by trial id, sorted."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml")) if not path.name.endswith(_EXAMPLES)}


def trial_path(name: str) -> Path:
    """The file of a trial: an id that ships, or a path. Raises `OnstudyError` where there is neither."""
    known = shipped()
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        if path.is_dir():
            raise OnstudyError(f"{name}: is a folder; name a trial file in it")
        if not path.exists():  # a pipe is as good as a file
            raise OnstudyError(f"{name}: there is no such trial file")
        return path
    raise OnstudyError(
        f"{name}: unknown trial{nearest(name, known)}; known are {', '.join(known)}, or give a path to a trial file"
    )


def examples_path(trial_file: Path) -> Path:
    """Where the examples of a trial file lie: beside it."""
    return trial_file.with_name(trial_file.stem + _EXAMPLES)


def load_trials(name: str, catalogue: Catalogue, kept: Path | None = None) -> list[Trial]:
    """The trial of that id or path; `all` is every one that ships. `kept` is a folder of the user for trials that
    were read before.
    """
    paths = list(shipped().values()) if name == "all" else [trial_path(name)]
    return [load_kept(path, catalogue, kept) for path in paths]
