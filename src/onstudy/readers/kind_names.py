"""The kind that words name: its label or a synonym in full, and nothing is matched by likeness.

Words that name two kinds name none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onstudy.readers.fhir_value import without_tag
from onstudy.record.catalogue import Kind, plain


@dataclass(frozen=True, slots=True)
class NamedKind:
    """A kind that words name; `label`: by its label, not only by a synonym, which may be a wider word."""

    kind: Kind
    label: bool


class KindNames:
    """The labels and synonyms of some kinds."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds: dict[str, dict[str, NamedKind]] = {}
        for kind in kinds:
            for word in (kind.label, *kind.synonyms):
                same = self._kinds.setdefault(plain(word), {})
                same.setdefault(kind.name, NamedKind(kind, word == kind.label))

    def find(self, words: Iterable[str]) -> NamedKind | None:
        """The one kind that the words of a concept name, one in the place of another; None where they name several."""
        found: dict[str, NamedKind] = {}
        for word in words:
            for name, named in self._kinds.get(plain(without_tag(word)), {}).items():
                if name not in found or named.label:
                    found[name] = named
        return next(iter(found.values())) if len(found) == 1 else None
