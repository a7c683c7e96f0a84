"""A self-contained HTML page: no script, no request, no clock; the same content gives the same bytes.

What it looks like is in `templates`: `frame.html` and `frame.css` are what all such pages have, `marks.html` the icons
and badges. A package brings its own templates and extends these.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(package: str) -> Environment:
    """The templates of a package (its folder `templates`), beside those of the frame; a name that is missing raises."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates"), PackageLoader("onstudy.printed", "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def style(templates: Environment, sheet: str, running: str = "") -> str:
    """The style of a page; `running` is the line at the foot of each printed sheet."""
    return templates.get_template(sheet).render(running=_css_string(str(_printable(running))))


def page(templates: Environment, template: str, sheet: str, running: str, **shown: object) -> str:
    """The page as text. It carries its style, and a policy by which a browser follows that style and nothing else."""
    css = style(templates, sheet, running)
    fingerprint = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return templates.get_template(template).render(style=css, style_hash=fingerprint, **shown)


def _printable(value: object) -> object:
    """Text without what HTML cannot hold: control characters and halves of characters become U+FFFD."""
    if not isinstance(value, str):
        return value
    wrong = {ord(letter): "\ufffd" for letter in set(value) if _unprintable(ord(letter))}
    return type(value)(value.translate(wrong)) if wrong else value


def _unprintable(code: int) -> bool:
    return (code < 0x20 and code not in (9, 10)) or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000


def _css_string(text: str) -> str:
    """Text as the inside of a CSS string: whatever is no plain letter or digit is written as its number."""
    return "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):06x}" for c in text[:120])
