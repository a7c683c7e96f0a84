"""The language reference and a few generated worlds as one quick suite for a vector engine that may be broken.

What the answers should be is worked out once, by the pages and by the reference engine, before anything is broken.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.engines import worlds
from tests.engines.each import ALL, by_vector
from tests.engines.worlds import Said, World, days_ahead, everybody, said_by_memory, said_by_vector
from tests.language.pages import Example, examples

from onstudy.criteria.expr import TruthExpr
from onstudy.engines.view import Anchors
from onstudy.errors import OnstudyError
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient

_CRASHES = (AssertionError, ValueError, TypeError, AttributeError, KeyError, IndexError, OnstudyError)
#: So many generated worlds of either sort.
WORLDS = 12


@dataclass(frozen=True)
class _Page:
    """The examples that share a record, with the record read and the rules parsed."""

    patient: Patient
    anchors: Anchors
    asked: tuple[tuple[Example, TruthExpr], ...]


@dataclass(frozen=True)
class _Asked:
    """A world and what should be said of it: by rule and by answer, pair by pair."""

    name: str
    world: World
    rules: tuple[TruthExpr, ...]
    wanted: tuple[tuple[list[Said], list[Said]], ...]


@cache
def _pages() -> tuple[_Page, ...]:
    together: dict[tuple[str, str, str | None], list[Example]] = {}
    for example in examples():
        setting = example.setting
        together.setdefault((setting.patient_text, setting.on.isoformat(), setting.therapy_start), []).append(example)
    return tuple(_page(group) for group in together.values())


def _page(group: list[Example]) -> _Page:
    setting = group[0].setting
    return _Page(setting.patient(), setting.anchors, tuple((one, one.setting.parse(one.rule)) for one in group))


@cache
def _worlds() -> tuple[_Asked, ...]:
    found = []
    for number in range(WORLDS):
        for made in (everybody, days_ahead):
            source = random.Random(number)
            world, kinds = made(source)
            asked = tuple(worlds.rules(source, kinds))
            wanted = tuple(
                (
                    [said_by_memory(recorded.evaluate(rule)) for recorded, _ in world.memories],
                    [said_by_memory(confirmed.evaluate(rule)) for _, confirmed in world.memories],
                )
                for rule in asked
            )
            found.append(_Asked(f"{made.__name__} {number}", world, asked, wanted))
    return tuple(found)


def read() -> None:
    """Read every record, parse every rule and ask the reference engine, while nothing is broken yet."""
    _pages()
    _worlds()


def noticed(plain: bool = True) -> Iterator[str]:
    """The places whose expectation is not met; a crash counts as one. `plain` False: with no short cut for anybody."""
    yield from _wrong_worlds(plain)
    yield from _wrong_pages(plain)


def _wrong_worlds(plain: bool) -> Iterator[str]:
    for one in _worlds():
        vector = one.world.vector(plain)
        for rule, wanted in zip(one.rules, one.wanted, strict=True):
            for assumed, said in zip((frozenset[str](), ALL), wanted, strict=True):
                try:
                    right = said_by_vector(vector, rule, assumed) == said
                except _CRASHES as error:
                    yield f"{one.name}: {type(error).__name__}"
                    continue
                if not right:
                    yield one.name


def _wrong_pages(plain: bool) -> Iterator[str]:
    for page in _pages():
        try:
            rules = [rule for _, rule in page.asked]
            answers = by_vector(rules, page.patient, page.anchors, load_catalogue(), plain)
        except _CRASHES as error:
            yield f"{page.asked[0][0].id}: {type(error).__name__}"
            continue
        for (example, _), answer in zip(page.asked, answers, strict=True):
            expected = example.expected
            if (answer.truth, answer.if_confirmed) != (expected.truth, expected.if_confirmed):
                yield example.id
            elif expected.reasons is not None and answer.reasons != expected.reasons:
                yield f"{example.id} (reasons)"
