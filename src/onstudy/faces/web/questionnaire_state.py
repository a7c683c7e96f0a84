"""A questionnaire under way, as its form carries it: answers, the pages already shown, and where the person is.

Nothing is kept on the server and nothing stands in an address: every page brings all of it along in hidden fields.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from starlette.datastructures import FormData

from onstudy.screening.questionnaire_questions import NOT_KNOWN

#: Before the name of each field that holds an answer.
FIELD = "q."
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*")
_MOST_FIELDS, _LONGEST, _MOST_PAGES = 800, 200, 120
LONGEST_PLACE = 80

Trail = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class State:
    """Answers by field; `trail`: the keys asked on each page so far; `shown`: those of the page sent, at place `at`."""

    answers: Mapping[str, str] = field(default_factory=dict)
    trail: Trail = ()
    shown: tuple[str, ...] = ()
    at: int = 0
    go: str = ""  # the button that was pressed
    zip: str = ""  # a ZIP code or city, from where the nearest site is to be named
    came: str = ""  # the one that the address of the first page had: it alone may go back into an address

    @property
    def suffix(self) -> str:
        """The place of the search, as the parameters of a link back to the trial's page."""
        return f"?{urlencode({'zip': self.came})}" if self.came else ""

    @property
    def seen(self) -> tuple[str, ...]:
        """The keys of every page of the trail."""
        return tuple(key for page in self.trail for key in page)

    @property
    def counted(self) -> dict[str, str]:
        """The answers of the pages of the trail: what was written on a page that was left by its back door waits."""
        seen = set(self.seen)
        return {name: value for name, value in self.answers.items() if _key(name) in seen}

    def walked(self) -> State:
        """The state with the page that was sent put into the trail."""
        if not self.shown:
            return self
        trail = (*self.trail[: self.at], self.shown, *self.trail[self.at + 1 :])
        return replace(self, trail=trail, shown=(), at=len(trail), go="")

    def without(self, fields: Collection[str]) -> dict[str, str]:
        """The answers but for some fields: those a page asks for itself."""
        return {name: value for name, value in self.answers.items() if value and name not in fields}


def _key(name: str) -> str:
    """The key of the question that a field belongs to."""
    key, _, part = name.rpartition(".")
    return key if part in ("month", "day", "year", NOT_KNOWN.removeprefix(".")) else name


def read_state(form: FormData, kinds: Collection[str]) -> State:
    """The state a form holds; what is no part of one is left out. `kinds` are the names an answer may begin with."""
    answers = dict(_answers(form, kinds))
    trail = tuple(page for text in _text(form, "trail").split(";")[:_MOST_PAGES] if (page := _keys(text)))
    at = _text(form, "at")
    place = int(at) if at.isascii() and at.isdigit() and len(at) < 5 else len(trail)
    return State(
        answers, trail, _keys(_text(form, "page")), min(place, len(trail)), _text(form, "go")[:20],
        zip=_text(form, "zip")[:LONGEST_PLACE].strip(), came=_text(form, "came")[:LONGEST_PLACE].strip(),
    )  # fmt: skip


def _answers(form: FormData, kinds: Collection[str]) -> Iterator[tuple[str, str]]:
    names = list(dict.fromkeys(name for name in form if name.startswith(FIELD)))[:_MOST_FIELDS]
    for name in names:
        bare = name.removeprefix(FIELD)
        known = _NAME.fullmatch(bare) and (bare.partition(".")[0] in kinds)
        values = [value[:_LONGEST].strip() for value in form.getlist(name) if isinstance(value, str)]
        if known and any(values):
            yield bare, " ".join(value for value in values if value)


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value[:20_000] if isinstance(value, str) else ""


def _keys(text: str) -> tuple[str, ...]:
    return tuple(key for key in text.split(",") if len(key) < _LONGEST and _NAME.fullmatch(key))


def trail_text(trail: Iterable[Iterable[str]]) -> str:
    """The trail as a field holds it."""
    return ";".join(",".join(page) for page in trail)
