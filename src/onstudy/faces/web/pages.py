"""Templates to pages. Everything is escaped unless a template says otherwise, and none does."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from onstudy.faces.web import assets
from onstudy.faces.web.prose import dates, paragraphs, words_of
from onstudy.faces.web.stock import stock_of
from onstudy.registry.present import part_words
from onstudy.registry.results import miles_words, phase_words
from onstudy.registry.status import ASK, CAN_ENROL, CLOSED, OPEN, UNKNOWN

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The templates; a name that a page was not given is an error, not an empty place."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    found.filters |= {
        "first_upper": first_upper, "paragraphs": paragraphs, "words_of": words_of, "miles": miles_words,
        "dates": dates, "part_words": part_words,
    }  # fmt: skip
    found.globals |= {
        "static": assets.address, "study_tone": study_tone, "site_tone": site_tone,
        "icon": icon, "status": status,
    }  # fmt: skip
    return found


def first_upper(text: str) -> str:
    """A text that begins with a capital letter; the rest is left as it is."""
    return text[:1].upper() + text[1:]


def token(text: str) -> str:
    """A text as a part of an id, which may hold no space."""
    return re.sub(r"[^\w.-]+", "-", text)


def phone(text: str) -> str:
    """A telephone number for a link; empty where it is none."""
    number = re.sub(r"[ ().-]", "", text)
    return number if re.fullmatch(r"\+?[0-9]{5,15}", number) else ""


def is_email(text: str) -> bool:
    """Whether a text is an address that a link can begin a letter to."""
    return bool(re.fullmatch(r"[\w.+'-]{1,64}@[\w-]+(?:\.[\w-]+)+", text, re.ASCII))


def phases(phase: str) -> str:
    """The phases of a trial, "PHASE1/PHASE2", in words."""
    if not phase:
        return "Phase not stated"
    return first_upper(", ".join(phase_words(one) for one in phase.split("/")))


def study_tone(status: str, words: str) -> str:
    """How a study's status looks: good where it can enrol by a statement young enough, ask where nobody can tell."""
    if status == UNKNOWN or "ask the site" in words:
        return "ask"
    return "good" if status in CAN_ENROL else "plain"


def site_tone(openness: str) -> str:
    """How a site's status looks."""
    return {OPEN: "good", ASK: "ask", CLOSED: "bad"}[openness]


def part(template: str, **context: Any) -> Markup:
    """A piece of a page, to be kept and put into pages as it is."""
    return Markup(environment().get_template(template).render(**context))


@lru_cache(maxsize=256)
def icon(name: str, size: int = 3) -> Markup:
    """An icon of vendor/sprite.svg, for the eye only: words stand beside it."""
    address = escape(f"{assets.address('vendor/sprite.svg')}#{name}")
    return Markup(
        f'<svg class="usa-icon usa-icon--size-{size:d}" aria-hidden="true" focusable="false">'
        f'<use href="{address}"></use></svg>'
    )


_ICONS = {"good": "check_circle", "ask": "help", "bad": "cancel", "plain": "info_outline"}


@lru_cache(maxsize=4096)
def status(tone: str, words: str) -> Markup:
    """A status: an icon and its words, never colour alone. The tones are good, ask, bad, plain."""
    return Markup(f'<span class="said said--{escape(tone)}">{icon(_ICONS[tone])} {dates(words)}</span>')


def render(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page. Templates also get `path` (the page's own, without query), `stock` and `counts` (of the registry)."""
    stock = stock_of(request)
    html = (
        environment().get_template(template).render(path=request.url.path, stock=stock, counts=stock.counts, **context)
    )
    return HTMLResponse(html, status)
