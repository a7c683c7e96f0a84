"""Reading pages: what they say, and their parts."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any


def text(html: str) -> str:
    """What a page says, as one line."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    bare = re.sub(r"</?(?:a|b|span|strong|time|data)\b[^>]*>", "", bare)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def hits(html: str) -> list[str]:
    """The trials of a list, in order."""
    return re.findall(r'<article class="hit" aria-labelledby="t-(NCT\d{8})"', html)


def headings(html: str, level: int = 2) -> list[str]:
    """The headings of one level, in order."""
    return [text(found) for found in re.findall(rf"<h{level}\b[^>]*>(.*?)</h{level}>", html, re.DOTALL)]


def section(html: str, heading: str) -> str:
    """What stands below a heading of the second level, up to the next."""
    found = re.search(rf"<h2\b[^>]*>\s*{re.escape(heading)}\s*</h2>(.*?)(?=<h2\b|</main>)", html, re.DOTALL)
    assert found is not None, f"no section {heading}"
    return found[1]


def facts(html: str) -> dict[str, str]:
    """Names and values of the lists of facts."""
    return {
        text(name): text(value) for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd></div>", html, re.DOTALL)
    }


def data(html: str) -> Any:
    """The schema.org block."""
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])
