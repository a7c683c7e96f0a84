r"""Eligibility text with its nesting: the registry's lines, bullets and numbers as headings, paragraphs and lists.

Every word of the text stays, in its order (`tests/registry/test_outline.py` holds that); only the backslashes that
the registry writes before signs (`\>= 20%`) are taken away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from onstudy.registry.plain import unescaped

HEADING, TEXT, POINT = "heading", "text", "point"
#: A list nested deeper than this goes on at this depth.
DEEPEST = 8
_MARKER = re.compile(
    r"(?P<marker>[*•·▪‣◦-]|\d{1,3}\\?[.)]|\(\d{1,3}\)|[a-zA-Z][.)]|\([a-zA-Z]\)|\(?[ivx]{1,5}[.)])[ \t]+(?=\S)"
)
_BULLETS = frozenset("*•·▪‣◦-")
_CRITERIA = re.compile(
    r"(?:[\w/-]+ ){0,3}(?:inclusion|exclusion)(?: criteri(?:a|on))?(?: \([^)]*\))?[:.]?", re.IGNORECASE
)
_LONGEST_HEADING = 90


@dataclass(slots=True)
class Block:
    """A heading, a paragraph, or a point of a list with what belongs to it.

    `marker` is the number or letter of a point as it is written ("3.", "a)"); empty for a plain bullet.
    """

    kind: str
    text: str
    marker: str = ""
    parts: list[Block] = field(default_factory=list)


def outline(source: str) -> list[Block]:
    """The blocks of an eligibility text, as it stands in the record."""
    top: list[Block] = []
    open_points: list[tuple[int, Block]] = []  # the points that further lines may belong to, with their indents
    after_blank = True
    last: Block | None = None
    for indent, line in _lines(source):
        if not line:
            after_blank = True
            continue
        found = _MARKER.match(line)
        if found is None and last is not None and not after_blank and not _is_heading(line, indent):
            last.text += f"\n{unescaped(line)}"
            continue
        while open_points and (indent < open_points[-1][0] or (found and indent == open_points[-1][0])):
            open_points.pop()
        if found is None and indent == 0:
            open_points.clear()
        block = _block(line, found, indent)
        (open_points[-1][1].parts if open_points else top).append(block)
        last = None if block.kind == HEADING else block
        if found is not None and len(open_points) < DEEPEST:
            open_points.append((indent, block))
        after_blank = False
    return top


def _lines(source: str) -> Iterator[tuple[int, str]]:
    """Each line with its indent in columns; empty ones too."""
    for line in source.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        wide = line.expandtabs(4)
        bare = wide.strip()
        yield len(wide) - len(wide.lstrip()), bare


def _block(line: str, found: re.Match[str] | None, indent: int) -> Block:
    if found is None:
        return Block(HEADING if _is_heading(line, indent) else TEXT, unescaped(line))
    marker = found["marker"]
    return Block(POINT, unescaped(line[found.end() :]), "" if marker in _BULLETS else unescaped(marker))


def _is_heading(line: str, indent: int) -> bool:
    """Whether a line reads "Inclusion Criteria:" or the like, or is a short one of its own that ends in a colon."""
    if indent > 0 or len(line) > _LONGEST_HEADING:
        return False
    return bool(_CRITERIA.fullmatch(line)) or (line.endswith(":") and ". " not in line)
