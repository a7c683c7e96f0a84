"""The grammar as a parser. Building its tables takes ten times as long as reading them, so they ship beside it.

`python -m onstudy.language.grammar` writes the tables anew; tests hold that they are those of the grammar.
"""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache
from pathlib import Path

import lark

_GRAMMAR = Path(__file__).with_name("criterion.lark")
_TABLES = Path(__file__).with_name("criterion.tables")


def _fingerprint() -> bytes:
    """Tables belong to one grammar and one version of the library; with another they are built again."""
    return hashlib.sha256(_GRAMMAR.read_bytes() + lark.__version__.encode()).hexdigest().encode()


def build() -> lark.Lark:
    """The parser, from the grammar itself."""
    return lark.Lark(
        _GRAMMAR.read_text(encoding="utf-8"), parser="lalr", propagate_positions=True, maybe_placeholders=False
    )


def tables() -> bytes:
    """What ships: the fingerprint, a line feed, the tables."""
    stream = io.BytesIO()
    build().save(stream)
    return _fingerprint() + b"\n" + stream.getvalue()


@lru_cache(maxsize=1)
def grammar() -> lark.Lark:
    """The parser of the criteria language; the same object each time."""
    if _TABLES.is_file():
        fingerprint, _, saved = _TABLES.read_bytes().partition(b"\n")
        if fingerprint == _fingerprint():
            return lark.Lark.load(io.BytesIO(saved))
    return build()


if __name__ == "__main__":
    _TABLES.write_bytes(tables())
