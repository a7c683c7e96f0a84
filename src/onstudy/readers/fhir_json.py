"""FHIR JSON read leniently: elements of the wrong type are simply not there, so nothing can break on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from onstudy.readers.reading import clip
from onstudy.values.codes import Code, canonical_system

Json = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_LONGEST_TEXT = 4096
_LONGEST_CODE = 64


def obj(node: object, key: str) -> Json:
    """An element that is an object; an empty one where it is not."""
    found = node.get(key) if isinstance(node, dict) else None
    return found if isinstance(found, dict) else {}


def items(node: object, key: str) -> list[Json]:
    """The objects of a list; an object where a list belongs counts as a list of one."""
    found = node.get(key) if isinstance(node, dict) else None
    if isinstance(found, list):
        return [item for item in found if isinstance(item, dict)]
    return [found] if isinstance(found, dict) else []


def text(node: object, key: str) -> str:
    """A string, trimmed; "" where there is none or one too long to be what is looked for."""
    found = node.get(key) if isinstance(node, dict) else None
    return found.strip() if isinstance(found, str) and len(found) <= _LONGEST_TEXT else ""


def flag(node: object, key: str) -> bool | None:
    """A boolean, or None."""
    found = node.get(key) if isinstance(node, dict) else None
    return found if isinstance(found, bool) else None


def resource_type(node: object) -> str:
    """The type of a resource; "" where it names none that could be one."""
    return _type_named(text(node, "resourceType"))


@lru_cache(maxsize=1024)
def _type_named(word: str) -> str:
    return word if _TYPE.fullmatch(word) else ""


def is_id(word: str) -> bool:
    """Whether a text can be the logical id of a resource."""
    return bool(_ID.fullmatch(word))


@dataclass(frozen=True, slots=True)
class Coding:
    """A coding with a system and a code; `display` is for people."""

    code: Code
    display: str = ""

    def __str__(self) -> str:
        return clip(f"{self.code} {self.display}")


def codings(concept: object) -> list[Coding]:
    """The codings of a concept that have both system and code."""
    found = []
    for coding in items(concept, "coding"):
        system, code = text(coding, "system"), text(coding, "code")
        if system and code and len(code) <= _LONGEST_CODE:
            found.append(_coding(system, code, text(coding, "display")))
    return found


@lru_cache(maxsize=8192)
def _coding(system: str, code: str, display: str) -> Coding:
    return Coding(Code(canonical_system(system), code), display)


def one_coding(node: Json) -> list[Coding]:
    """A single Coding element, as the codings of a concept."""
    return codings({"coding": [node]})


def words(concept: object) -> list[str]:
    """What a concept says in words: its text, then the displays of its codings."""
    said = [text(concept, "text"), *(text(coding, "display") for coding in items(concept, "coding"))]
    return [word for word in dict.fromkeys(said) if word]


def code_in(concept: object, *systems: str) -> str:
    """The code a concept has in one of the systems; a bare string, as older FHIR wrote, is taken as it is."""
    for coding in items(concept, "coding"):
        if not text(coding, "system") or text(coding, "system").rstrip("/") in systems:
            return text(coding, "code")
    return ""


def status_code(node: Json, key: str, system: str) -> str:
    """A status that is a concept, or a plain string in older FHIR."""
    return text(node, key) or code_in(node.get(key), system)


def extensions(node: object, url: str) -> Iterator[Json]:
    """The extensions of an element with exactly this url."""
    return (part for part in items(node, "extension") if text(part, "url") == url)


def extension(node: object, url: str) -> Json:
    """The first extension with this url; an empty object where there is none."""
    if not isinstance(node, dict) or "extension" not in node:  # most elements have none
        return {}
    return next(extensions(node, url), {})


def references(node: object, key: str) -> list[str]:
    """The reference texts of an element that is a Reference or a list of them."""
    return [found for item in items(node, key) if (found := text(item, "reference"))]
