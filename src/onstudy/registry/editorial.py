"""What an editor wrote about a trial: the `page` of its trial file. Nothing of it is ever made up where it is absent.

page:
  author: onstudy editors
  date: 2026-11-22
  reviewed: {by: onstudy editors, on: 2026-11-22, record: 2026-05-15}
  summary: One sentence.
  studies: What this trial studies.
  good_fit:
    - {text: A sentence., criteria: [S1-01, C1-01]}
  not_a_fit:
    - {text: A sentence., criteria: [S1-03]}
  potential_benefit: ...
  similar_studies: ...
  drugs: A remark on the list of drugs.
  plan:
    - {title: Course IA, text: ...}
  sources:
    - {title: ..., date: 2026-05-15}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onstudy.criteria.trial import Trial
from onstudy.errors import OnstudyError, nearest
from onstudy.registry.status import last_day

_TEXTS = ("author", "date", "summary", "studies", "potential_benefit", "similar_studies", "drugs")
_KNOWN = (*_TEXTS, "reviewed", "good_fit", "not_a_fit", "plan", "sources")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and the ids of the criteria it summarises."""

    text: str
    criteria: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the treatment plan."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement comes from, with the date of that."""

    title: str
    date: str


@dataclass(frozen=True, slots=True)
class Editorial:
    """The editors' text with author and date; empty where they wrote nothing.

    `reviewed_record` is the date of the registry record as it was when somebody reviewed the page.
    """

    author: str
    date: str
    reviewed_by: str
    reviewed_on: str
    reviewed_record: str
    summary: str
    studies: str
    good_fit: tuple[Sentence, ...]
    not_a_fit: tuple[Sentence, ...]
    potential_benefit: str
    similar_studies: str
    drugs: str
    plan: tuple[Part, ...]
    sources: tuple[Source, ...]

    def outdated(self, updated: str) -> bool:
        """Whether a registry record of that date is newer than the one that was reviewed."""
        now, then = last_day(updated), last_day(self.reviewed_record or self.reviewed_on)
        return now is not None and (then is None or now > then)


def editorial_of(trial: Trial) -> Editorial | None:
    """What editors wrote in a trial file; None where they wrote nothing.

    Raises `OnstudyError`, naming the key, for a page of another form or that speaks of a criterion there is none of.
    """
    page = trial.later.get("page")
    if page is None:
        return None
    reader = _Reader(trial, f"{trial.source or trial.id}: page")
    return reader.editorial(page)


class _Reader:
    def __init__(self, trial: Trial, where: str) -> None:
        self.where = where
        self.criteria = {row.id for row in trial.criteria}

    def editorial(self, page: Any) -> Editorial:
        entries = self.mapping(page, _KNOWN, "the page")
        texts = {name: self.text(entries.get(name), name) for name in _TEXTS}
        if not texts["author"] or last_day(texts["date"]) is None:
            raise OnstudyError(f"{self.where}: needs an author and a date (YYYY-MM-DD)")
        reviewed = self.mapping(entries.get("reviewed", {}), ("by", "on", "record"), "reviewed")
        return Editorial(
            **texts,
            reviewed_by=self.text(reviewed.get("by"), "by"),
            reviewed_on=self.text(reviewed.get("on"), "on"),
            reviewed_record=self.text(reviewed.get("record"), "record"),
            good_fit=tuple(self.sentence(one) for one in self.listed(entries, "good_fit")),
            not_a_fit=tuple(self.sentence(one) for one in self.listed(entries, "not_a_fit")),
            plan=tuple(Part(*self.pair(one, "title", "text", "plan")) for one in self.listed(entries, "plan")),
            sources=tuple(
                Source(*self.pair(one, "title", "date", "sources")) for one in self.listed(entries, "sources")
            ),
        )

    def sentence(self, value: Any) -> Sentence:
        entries = self.mapping(value, ("text", "criteria"), "a sentence")
        ids = tuple(self.text(one, "criteria") for one in self.listed(entries, "criteria"))
        if wrong := [id for id in ids if id not in self.criteria]:
            raise OnstudyError(f"{self.where}: there is no criterion {wrong[0]}{nearest(wrong[0], self.criteria)}")
        if not ids:
            raise OnstudyError(f"{self.where}: a sentence of good_fit or not_a_fit names the criteria it summarises")
        return Sentence(self.text(entries.get("text"), "text"), ids)

    def pair(self, value: Any, first: str, second: str, what: str) -> tuple[str, str]:
        entries = self.mapping(value, (first, second), what)
        return self.text(entries.get(first), first), self.text(entries.get(second), second)

    def mapping(self, value: Any, known: tuple[str, ...], what: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise OnstudyError(f"{self.where}: {what} is a mapping of {', '.join(known)}")
        for key in value:
            if key not in known:
                raise OnstudyError(f"{self.where}: {what} has no {key!r}{nearest(str(key), known)}")
        return value

    def listed(self, entries: Mapping[str, Any], key: str) -> list[Any]:
        value = entries.get(key, [])
        if not isinstance(value, list | tuple):
            raise OnstudyError(f"{self.where}: {key!r} is a list")
        return list(value)

    def text(self, value: Any, key: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise OnstudyError(f"{self.where}: {key!r} is text")
        return value.strip()
