"""Text of records, made harmless: no control characters, no direction overrides, no half characters, no bombs.

HTML is left as it is written: it is text, and whoever shows it escapes it.
"""

from __future__ import annotations

import re

#: Controls but tab and newline, direction marks and overrides, zero-width signs, lone halves, non-characters.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\uffff\U000e0000-\U000e007f]"
)
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()<>#+\-.!~|^=&])")
_BLANK_LINES = re.compile(r"\n{3,}")


def one_line(text: str, most: int) -> str:
    """Text on one line, at most `most` characters of it."""
    if len(text) > most:
        text = text[:most]
    if not text.isprintable():
        text = _UNSEEN.sub("", text)
        return " ".join(text.split())
    return " ".join(text.split()) if "  " in text else text.strip()


def lines(text: str, most: int) -> str:
    """Text with its line breaks, at most `most` characters of it."""
    if len(text) > most:
        text = text[:most]
    if text.isprintable():
        return text.strip()
    if not text.replace("\n", "").isprintable():
        text = _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _BLANK_LINES.sub("\n\n", text).strip() if "\n\n\n" in text else text.strip()


def unescaped(text: str) -> str:
    r"""Text without the backslashes of the registry's Markdown: `\>= 20%` reads `>= 20%`."""
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
