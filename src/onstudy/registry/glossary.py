"""Medical words in plain English (data/glossary.toml), and where they stand in a text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its other names and what it means. `key` is a name for links."""

    key: str
    names: tuple[str, ...]
    says: str

    @property
    def title(self) -> str:
        """The first name, with an acronym in brackets where there is one."""
        short = [name for name in self.names[1:] if name.isupper()]
        return f"{self.names[0]} ({short[0]})" if short else self.names[0]


@lru_cache(maxsize=1)
def glossary() -> dict[str, Word]:
    """Every word, by each of its names: small letters, or as written where the name is in capitals alone."""
    with (Path(__file__).parent / "data/glossary.toml").open("rb") as file:
        entries = tomllib.load(file)["word"]
    found: dict[str, Word] = {}
    for entry in entries:
        key = re.sub(r"[^a-z0-9]+", "-", entry["names"][0].casefold()).strip("-")
        word = Word(key, tuple(entry["names"]), entry["says"])
        for name in word.names:
            if _plain(name) in found:
                raise ValueError(f"the glossary explains {name!r} twice")
            found[_plain(name)] = word
    return found


def _plain(name: str) -> str:
    """A name as names are compared. "ALL" in capitals is a disease, "all" a common word."""
    return name if name.isupper() else name.casefold()


_PIECE = re.compile(r"[^\W_][\w'-]*")


@lru_cache(maxsize=1)
def _by_first() -> dict[str, list[tuple[str, Word]]]:
    """By the first piece of a name, in small letters: the names with their words, longest first."""
    found: dict[str, list[tuple[str, Word]]] = {}
    for name, word in glossary().items():
        found.setdefault(_PIECE.findall(name)[0].casefold(), []).append((name, word))
    for names in found.values():
        names.sort(key=lambda pair: (-len(pair[0]), pair[0]))
    return found


def explained(text: str, seen: set[str]) -> Iterator[tuple[str, Word | None]]:
    """A text in pieces, each with its word where it is one that `seen` (keys, added to) does not hold yet."""
    names = _by_first()
    told = end = 0  # up to where the text was given, and was looked at
    for piece in _PIECE.finditer(text):
        start = piece.start()
        known = names.get(piece[0].casefold())
        if known is None or start < end or text[start - 1 : start] == "-":
            continue
        name, word = _named(text, start, known)
        if word is None:
            continue
        end = start + len(name)
        if word.key not in seen:
            seen.add(word.key)
            if start > told:
                yield text[told:start], None
            yield text[start:end], word
            told = end
    if told < len(text):
        yield text[told:], None


def _named(text: str, start: int, known: list[tuple[str, Word]]) -> tuple[str, Word | None]:
    """The longest name that begins at a place of a text."""
    for name, word in known:
        end = start + len(name)
        written = text[start:end]
        following = text[end : end + 1]
        whole = not (following.isalnum() or following in ("-", "_")) or not following
        if whole and (written == name or (not name.isupper() and written.casefold() == name)):
            return name, word
    return "", None
