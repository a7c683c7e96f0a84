"""Text of records and trial files as HTML: lists with their nesting, medical words linked to what they mean.

Every piece of text goes through `escape`; the tags are this file's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from onstudy.registry.glossary import Word, explained, glossary
from onstudy.registry.outline import HEADING, POINT, Block

_DATE = re.compile(r"\b[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?\b", re.ASCII)


class Words:
    """The medical words of one page: each is linked where it stands first, and listed once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    @property
    def found(self) -> list[Word]:
        """The words met so far, by title."""
        known = {word.key: word for word in glossary().values()}
        return sorted((known[key] for key in self._seen), key=lambda word: word.title.casefold())

    def marked(self, text: str) -> Markup:
        """A text with its lines, the words in it linked."""
        pieces = []
        for piece, word in explained(text, self._seen):
            said = str(escape(piece)).replace("\n", "<br>")
            key = escape(word.key) if word else ""
            pieces.append(f'<a class="word" id="met-{key}" href="#word-{key}">{said}</a>' if word else said)
        return Markup("".join(pieces))

    def blocks(self, blocks: Iterable[Block], level: int = 3) -> Markup:
        """An outline: headings of that level, paragraphs, lists."""
        return Markup("".join(self._parts(blocks, level)))

    def _parts(self, blocks: Iterable[Block], level: int) -> Iterable[str]:
        for listed, some in groupby(blocks, key=lambda block: block.kind == POINT):
            if listed:
                yield f'<ul class="points">{"".join(self._point(one, level) for one in some)}</ul>'
                continue
            for one in some:
                tag = f"h{level}" if one.kind == HEADING else "p"
                yield f"<{tag}>{self.marked(one.text)}</{tag}>"

    def _point(self, block: Block, level: int) -> str:
        marker = f'<span class="marker">{escape(block.marker)}</span> ' if block.marker else ""
        kind = ' class="marked"' if block.marker else ""
        return f"<li{kind}>{marker}{self.marked(block.text)}{''.join(self._parts(block.parts, level))}</li>"


def paragraphs(text: str) -> Markup:
    """A text as paragraphs; a blank line divides them."""
    parts = [part.strip() for part in text.split("\n\n")]
    return Markup("".join(f"<p>{str(escape(part)).replace(chr(10), '<br>')}</p>" for part in parts if part))


def dates(text: str) -> Markup:
    """A text whose dates (2026-05-15, 2026-05) are not broken at the end of a line."""
    return Markup(_DATE.sub(r'<time class="nowrap">\g<0></time>', str(escape(text))))


def data_block(data: Any) -> Markup:
    """JSON within a page, which no browser runs; nothing in it can end the block."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(f'<script type="application/ld+json">{text}</script>')


def words_of(value: str) -> str:
    """A key of a file as words: "dose_mg_m2" reads "dose mg m2"."""
    return value.replace("_", " ")
