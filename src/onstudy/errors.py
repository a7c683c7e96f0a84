"""What can be wrong, and where: `Problem` for bad input, `OnstudyError` as the one base exception."""

from __future__ import annotations

import copyreg
import difflib
import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in an input, with its place and whether the fact concerned is still kept.

    `where` names a place a person can find: `Observation/x7`, `demo.yaml:12:30`, `facts[3]`.
    A problem never carries the content of a patient's record beyond what is needed to find it.
    """

    what: str
    where: str = ""
    fact_kept: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class OnstudyError(Exception):
    """Input that cannot be used at all; the message names the thing, the place and the way out."""

    def __reduce__(self) -> tuple[Any, ...]:
        """As it is, where another process tells it: made anew of its message, one with parts of its own is lost."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]

    @property
    def on_command_line(self) -> str:
        """The message as the command line says it."""
        return str(self)


class DiskFull(OnstudyError):
    """What was to be written has no room."""

    @classmethod
    def of(cls, error: BaseException) -> DiskFull | None:
        """The error to show in place of another, where that one says that there is no room."""
        if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return None
        where = error.filename or "the disk that is written to"
        return cls(f"{where}: no space is left; make room, and run the same command again")


class OptionError(OnstudyError):
    """A parameter of a call that cannot be. The message begins with its name, as Python and the REST API have it."""

    def __init__(self, option: str, what: str) -> None:
        self.option, self.what = option, what
        super().__init__(f"{option}{what}")

    @property
    def on_command_line(self) -> str:
        """The message with the option of the command line in place of the parameter."""
        return f"--{self.option.replace('_', '-')}{self.what}"


class InvalidFile(OnstudyError):
    """A file with problems, all of them gathered; shown together, one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


_LONGEST_WORD = 60  # nothing longer is near any word, and comparing it would take long
_SHORT_WORD = 4  # of which one wrong letter is much: "rool" and "rule" share half
#: How like a name of the catalogue must be: there are so many that some are like anything.
AMONG_MANY = 0.65


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Say `; did you mean X?` where a known word is near what was written, else nothing."""
    short = min(likeness, 0.5) if len(word) <= _SHORT_WORD else likeness
    close = difflib.get_close_matches(word[:_LONGEST_WORD], list(known), n=1, cutoff=short)
    return f"; did you mean {close[0]}?" if close else ""
