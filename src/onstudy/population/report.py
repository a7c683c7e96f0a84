"""The report of a prescreening: one self-contained HTML page, the same bytes for the same results.

What it says of a run is worked out in `report_parts`; here is the page, which is in `templates`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from onstudy.population.report_parts import Report, counted, number

if TYPE_CHECKING:
    from jinja2 import Environment

#: The icon of each verdict; the word always stands beside it.
ICONS: Mapping[str, str] = {
    "eligible": "yes", "eligible_if_confirmed": "almost", "undetermined": "open", "ineligible": "no",
}  # fmt: skip
WORDS: Mapping[str, str] = {
    "eligible": "Eligible", "eligible_if_confirmed": "Eligible if confirmed", "undetermined": "Undetermined",
    "ineligible": "Ineligible",
}  # fmt: skip


def page(report: Report) -> str:
    """The page as text. No script, no request, no clock."""
    environment = _environment()
    names = [trial.id for trial in report.trials]
    running = f"Prescreening of {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}, {report.on}"
    style = environment.get_template("report.css").render(running=_css_string(running))
    fingerprint = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("report.html").render(r=report, names=names, style=style, style_hash=fingerprint)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("onstudy.population", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.update(words=WORDS, icons=ICONS, number=number, counted=counted)
    return made


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
