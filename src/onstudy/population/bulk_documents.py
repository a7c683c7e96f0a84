"""FHIR documents that hold several resources: what is in a bundle or a list, and a part of it as one of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from onstudy.population.bulk_identified import Identified
from onstudy.population.bulk_subjects import key_of
from onstudy.readers.fhir import ADMINISTRATIVE
from onstudy.readers.fhir_entries import deleted_elsewhere, present
from onstudy.readers.fhir_json import resource_type, text

BUNDLE = "Bundle"
_DEEPEST = 16
_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, eq=False)
class Part:
    """A resource of a document: its url there, its type, and whom it is about."""

    url: str
    resource: Any
    type: str
    about: str | Identified | None


def parts_of(node: Any, url: str = "", depth: int = 0) -> Iterator[Part]:
    """All resources of a document, those of bundles in it too."""
    if isinstance(node, list) and depth < _DEEPEST:
        for part in node:
            yield from parts_of(part, "", depth + 1)
    elif resource_type(node) == BUNDLE and depth < _DEEPEST:
        for _, entry in present(node):
            yield from parts_of(entry.get("resource"), text(entry, "fullUrl"), depth + 1)
    elif resource_type(node):
        yield Part(url, node, resource_type(node), key_of(node))


def types_in(parts: Iterable[Part]) -> list[str]:
    """The types of resources that say something of a patient."""
    return [one.type for one in parts if one.type not in ADMINISTRATIVE]


def as_json(node: Any) -> bytes:
    """Something that was decoded, as JSON with its numbers as they were."""
    try:
        return _encoder.encode(node)
    except UnicodeEncodeError:  # half a letter, which JSON can only hold as an escape
        return json.dumps(node, default=float).encode()


def deleted_in(node: Any, depth: int = 0) -> Iterator[str]:
    """What the bundles of a document list as deleted and do not hold."""
    if isinstance(node, list) and depth < _DEEPEST:
        for part in node:
            yield from deleted_in(part, depth + 1)
    elif resource_type(node) == BUNDLE and depth < _DEEPEST:
        yield from deleted_elsewhere(node)
        for _, entry in present(node):
            yield from deleted_in(entry.get("resource"), depth + 1)
