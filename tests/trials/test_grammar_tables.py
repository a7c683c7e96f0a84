"""The parser tables that ship are those of the grammar: `make docs` writes them anew."""

from __future__ import annotations

from pathlib import Path

import onstudy.language
from onstudy.language.grammar import _fingerprint, build, grammar

SHIPPED = Path(onstudy.language.__file__).with_name("criterion.tables")


def test_the_tables_belong_to_the_grammar() -> None:
    assert SHIPPED.read_bytes().partition(b"\n")[0] == _fingerprint()


def test_the_tables_parse_as_the_grammar_does() -> None:
    rule = "if a then latest b within 7 days before registration <= 1.5 ULN or (no c and not d is e)"
    assert grammar().parse(rule) == build().parse(rule)
