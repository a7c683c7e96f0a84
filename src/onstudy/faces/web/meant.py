"""What somebody probably meant whose search finds nothing; only what finds something is proposed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from starlette.datastructures import QueryParams

from onstudy.faces.web.asked import Asked, asked
from onstudy.registry import words
from onstudy.registry.query import Query
from onstudy.registry.record import OLDEST
from onstudy.registry.spelling import corrected
from onstudy.registry.store import Store

_ZIP_IN_WORDS = re.compile(r"(?:\bzip(?: ?code)?:? ?)?\b([0-9]{5})(?:-[0-9]{4})?\b", re.IGNORECASE)
_AGE_IN_WORDS = re.compile(
    r"(?<![^\s,;])(?:age[d:]? ?)?([0-9]{1,2}|1[0-2][0-9])(?: ?(?:y|yo|yr|yrs|years?)(?: old)?)?(?![^\s,;.]|[-.]\w)",
    re.IGNORECASE,
)
#: Words that may name an illness or a treatment; shorter ones seldom do.
_TELLING = re.compile(r"[^\W\d_]{4,}")
Count = Callable[[Query], int]


class Meant(NamedTuple):
    """Another search: in words, its address, and how many trials it finds."""

    words: str
    address: str
    trials: int


def meant(search: Asked, store: Store, count: Count) -> Meant | None:
    """The first of the searches that somebody may have meant that finds a trial."""
    for changes in _others(search, store):
        address = _address(search, changes)
        found = count(asked(QueryParams(address.partition("?")[2]), store).query)
        if found:
            return Meant(_said(changes), address, found)
    return None


def sponsored(search: Asked, count: Count) -> Meant | None:
    """The same words as the name of a sponsor, where more trials have them so than in what they are about."""
    text = search.query.words
    if not text or search.query.sponsor:
        return None
    found = count(replace(search.query, words="", sponsor=text, page=1))
    return Meant(f"“{text}”", _address(search, {"q": "", "sponsor": text}), found) if found else None


def taken_apart(text: str, has: Mapping[str, str]) -> dict[str, str]:
    """Words with an age and a ZIP code taken out of them, as fields; those that `has` has already stay."""
    found = {}
    zip_code = _ZIP_IN_WORDS.search(text)
    if zip_code and not has.get("zip"):
        found["zip"] = zip_code[1]
        text = _without(text, zip_code)
    age = _AGE_IN_WORDS.search(text)
    if age and not has.get("age") and int(age[1]) <= OLDEST:
        found["age"] = age[1]
        text = _without(text, age)
    return {"q": text, **found}


def _without(text: str, found: re.Match[str]) -> str:
    return " ".join(f"{text[: found.start()]} {text[found.end() :]}".replace(",", " ").split())


def _others(search: Asked, store: Store) -> Iterator[dict[str, str]]:
    """Fields to change: age and place in their own, then words spelt as records spell them, then fewer words."""
    fields = search.fields
    apart = taken_apart(fields["q"], fields)
    if len(apart) > 1 and words.split(apart["q"]):
        yield apart
    spelt = {**apart, "q": corrected(store, apart["q"])}
    for name, columns in (("condition", words.CONDITION), ("intervention", words.INTERVENTION)):
        if fields[name] and (better := corrected(store, fields[name], columns)) != fields[name]:
            spelt[name] = better
    if spelt != apart:
        yield spelt
    if fewer := _telling(store, spelt["q"]):
        yield {**spelt, "q": fewer}


def _telling(store: Store, text: str) -> str:
    """Of many words those that name what some trial is about, and that one trial has together; long ones first."""
    pieces = list(dict.fromkeys(_TELLING.findall(text)))[: words.MOST]
    kept: list[str] = []
    with store.snapshot() as db:
        for piece in sorted(pieces, key=len, reverse=True):
            question = words.expression(" ".join([*kept, piece]), (*words.CONDITION, *words.INTERVENTION))
            if db.execute("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (question,)).fetchone():
                kept.append(piece)
    return " ".join(piece for piece in pieces if piece in kept) if len(kept) < len(words.split(text)) else ""


def _said(changes: Mapping[str, str]) -> str:
    """The changed fields in words."""
    said = [f"“{changes['q']}”"] if changes["q"] else []
    said += [f"condition “{changes['condition']}”"] if "condition" in changes else []
    said += [f"treatment “{changes['intervention']}”"] if "intervention" in changes else []
    said += [f"age {changes['age']}"] if "age" in changes else []
    said += [f"near ZIP code {changes['zip']}"] if "zip" in changes else []
    return ", ".join(said)


def _address(search: Asked, changes: Mapping[str, str]) -> str:
    return replace(search, query=replace(search.query, page=1)).changed(changes)
