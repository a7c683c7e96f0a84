"""What is wrong with the text of a rule, with its place; syntax errors in the words of the language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from lark import Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from onstudy.criteria.expr import RuleError
from onstudy.errors import OnstudyError, nearest

_KEYWORDS = (
    "after", "and", "any", "at", "before", "count", "days", "duration", "earliest", "every", "has", "highest", "known",
    "latest", "least", "lowest", "not", "then", "where", "within",
)  # fmt: skip
_FRIENDLY = {
    "LPAR": "(", "RPAR": ")", "COMMA": ",", "NAME": "a name", "QUANTITY": "a number", "$END": "the end",
    "SETTING": "$setting", "COMPARISON": "<= < = != > >=", "SIGN": "+ -", "FACTOR": "* /", "NO": "no",
    "WHICH": "latest/earliest/highest/lowest",
}  # fmt: skip

Part = Tree[Token] | Token
_Read = TypeVar("_Read")
_Other = TypeVar("_Other")


class RuleErrorAt(RuleError):
    """A rule error with its place in the rule's text (line and column from 1).

    `all` holds every independent error of the rule in reading order, this one among them.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column
        self.all: tuple[RuleErrorAt, ...] = (self,)

    def __str__(self) -> str:
        return f"{self.line}:{self.column} {self.message}"


class AlreadyTold(OnstudyError):
    """A part is wrong and that has been told: what holds the part cannot be made, and adds nothing to say."""


def together(errors: Sequence[RuleErrorAt]) -> RuleErrorAt:
    """The first of several errors by its place, carrying them all."""
    ordered = sorted(errors, key=lambda error: (error.line, error.column))
    first = ordered[0]
    first.all = tuple(ordered)
    return first


class Attempts:
    """Reads the parts of a rule one by one and keeps what is wrong with each, to tell it together."""

    def __init__(self) -> None:
        self.errors: list[RuleErrorAt] = []

    def fail(self, at: Part, message: str) -> NoReturn:
        """Refuse a part, with its place."""
        meta = at if isinstance(at, Token) else at.meta
        raise RuleErrorAt(message, getattr(meta, "line", 1) or 1, getattr(meta, "column", 1) or 1)

    def made(self, at: Part, make: Callable[[], _Read]) -> _Read:
        """Build a node; what it says against itself gets its place here."""
        try:
            return make()
        except RuleErrorAt:
            raise
        except RuleError as error:
            self.fail(at, str(error))

    def attempt(self, read: Callable[[], _Read]) -> _Read | None:
        """One part; None where it is wrong, which is kept to be told with the rest."""
        try:
            return read()
        except AlreadyTold:
            return None
        except RuleErrorAt as error:
            self.errors.append(error)
            return None

    def several(self, reads: Sequence[Callable[[], _Read]]) -> tuple[_Read, ...]:
        """Parts that do not depend on each other: each is read, whatever is wrong with the others."""
        found = [self.attempt(read) for read in reads]
        whole = tuple(part for part in found if part is not None)
        if len(whole) < len(found):
            raise AlreadyTold("a part is wrong")
        return whole

    def both(self, first: Callable[[], _Read], second: Callable[[], _Other]) -> tuple[_Read, _Other]:
        """Two parts of different sorts, as `several`."""
        one, other = self.attempt(first), self.attempt(second)
        if one is None or other is None:
            raise AlreadyTold("a part is wrong")
        return one, other


def syntax_error(error: UnexpectedInput, text: str) -> RuleErrorAt:
    """What the parser stumbled over, with what would have fitted and the keyword that was perhaps meant."""
    if isinstance(error, UnexpectedToken):
        expected = sorted({_FRIENDLY.get(name, name.lower()) for name in error.accepts or error.expected})
        shown = "the end of the rule" if error.token.type == "$END" else repr(str(error.token))
        line, column = _place(error.token, text)
        hint = _misspelt(error)
        return RuleErrorAt(f"{shown} does not fit here; expected {', '.join(expected)}{hint}", line, column)
    if isinstance(error, UnexpectedCharacters):
        return RuleErrorAt(f"{error.char!r} does not belong here", error.line, error.column)
    assert isinstance(error, UnexpectedEOF)
    return RuleErrorAt("the rule ends too early", 1, len(text))


def _misspelt(error: UnexpectedToken) -> str:
    """The keyword that the word before, or the word itself, may have been meant to be."""
    before = error.token_history or []  # lark puts None there when the first token is the wrong one
    for token in (*before[-1:], error.token):
        if token is not None and token.type == "NAME" and (hint := nearest(str(token), _KEYWORDS)):
            return f"{hint[:-1]} instead of {str(token)!r}?"
    return ""


def _place(token: Token, text: str) -> tuple[int, int]:
    if token.type == "$END" or token.line is None:
        return text.count("\n") + 1, len(text) - text.rfind("\n")
    return token.line, token.column or 1
