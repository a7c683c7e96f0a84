"""What pages are made from: the registry, the trial files, the catalogue, and today's date."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from threading import Lock
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from onstudy.criteria.trial import Trial
from onstudy.language.library import shipped
from onstudy.language.trialfile import load_trial_file
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.registry.kept import Kept
from onstudy.registry.status import MAX_AGE
from onstudy.registry.store import Counts, Store

_T = TypeVar("_T")
#: Parts of pages kept for the next request: made of the registry and the trial files, never of what somebody sent.
_MOST = 300


@dataclass
class Stock:
    """Everything a page may show, read-only. `max_age` is how many days a status counts as the present one.

    `address` is the site's own address for canonical links ("https://trials.example"); without it pages name none.
    """

    registry: Store
    today: Callable[[], date] = date.today
    max_age: int = MAX_AGE
    address: str = ""
    _trials: dict[str, Trial] = field(default_factory=dict)
    _turn: Lock = field(default_factory=Lock)
    _kept: Kept = field(default_factory=lambda: Kept(_MOST))
    #: In which pages of the registry are made (`turns.in_turn`).
    thread: Executor = field(default_factory=lambda: ThreadPoolExecutor(1))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The kinds of fact there are."""
        return load_catalogue()

    @property
    def counts(self) -> Counts:
        """How many trials the registry has and how old they are; counted anew when it was written."""
        return self.keep("counts", self.registry.counts)

    def keep(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """A result made of the registry and the trial files alone, kept until the registry is written."""
        return self._kept.get(self.registry.state(), key, make)

    @property
    def trial_ids(self) -> tuple[str, ...]:
        """The trials of which there is a trial file, so that they can be screened."""
        return tuple(shipped())

    def trial(self, id: str) -> Trial | None:
        """The trial file of that id, read when it is first asked for; None where there is none."""
        path = shipped_paths().get(id)
        if path is None:
            return None
        with self._turn:
            if id not in self._trials:
                self._trials[id] = load_trial_file(path, self.catalogue)
            return self._trials[id]

    @property
    def trials(self) -> Mapping[str, Trial]:
        """Every trial file there is, by id."""
        return {id: trial for id in self.trial_ids if (trial := self.trial(id)) is not None}


shipped_paths = shipped


def stock_of(request: Request) -> Stock:
    """The stock of the app a request came to."""
    found = request.app.state.stock
    assert isinstance(found, Stock)
    return found


async def _stock(request: Request) -> Stock:
    return stock_of(request)


#: The type of an endpoint's parameter `stock`; being asynchronous, getting it needs no thread of its own.
Stocked = Annotated[Stock, Depends(_stock)]
