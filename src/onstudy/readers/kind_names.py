"""The kind that words name: its label or a synonym in full, and nothing is matched by likeness.

Words that name two kinds name none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from onstudy.readers.fhir_value import without_tag
from onstudy.record.catalogue import Catalogue, Kind, plain


@dataclass(frozen=True, slots=True)
class NamedKind:
    """A kind that words name; `label`: by its label, not only by a synonym, which may be a wider word."""

    kind: Kind
    label: bool


class KindNames:
    """The labels and synonyms of those kinds of a catalogue that are wanted."""

    def __init__(self, catalogue: Catalogue, wanted: Callable[[Kind], bool]) -> None:
        self._catalogue, self._wanted = catalogue, wanted

    def find(self, words: Iterable[str]) -> NamedKind | None:
        """The one kind that the words of a concept name, one in the place of another; None where they name several."""
        found: dict[str, bool] = {}
        for word in words:
            for name, label in self._catalogue.kinds_by_word.get(plain(without_tag(word)), {}).items():
                if self._wanted(self._catalogue.kinds[name]):
                    found[name] = label or found.get(name, False)
        only = next(iter(found.items())) if len(found) == 1 else None
        return None if only is None else NamedKind(self._catalogue.kinds[only[0]], only[1])
