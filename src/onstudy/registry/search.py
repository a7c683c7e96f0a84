"""Finding trials: words, filters, distance; facets with counts; one ranking that can be said in a sentence.

Every filter is a set of trials (`bits.py`); sets meet between facets and join within one. Without a filter on
status every status is listed. Nothing typed is logged, kept, or read as syntax.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Mapping
from datetime import date
from itertools import islice
from typing import Any

from onstudy.registry import bits, words
from onstudy.registry.details import read_details
from onstudy.registry.nearness import Near, Surroundings
from onstudy.registry.packing import unpack
from onstudy.registry.query import BEST, DISTANCE, LARGEST_PAGE, NEWEST, SORTS, Hit, Query, Results, ranking
from onstudy.registry.ready import AGE_FROM, AGE_TO, ALL, HOPEFUL, NOT_STATED, SHOWN_FACETS, STANDING
from onstudy.registry.sitelist import load_sites
from onstudy.registry.status import (
    CAN,
    CANNOT,
    MAX_AGE,
    MAY,
    UNKNOWN,
    Standing,
    last_day,
    statement,
    study_words,
)
from onstudy.registry.store import COMPILED, Store

__all__ = ["BEST", "DISTANCE", "LARGEST_PAGE", "NEWEST", "SORTS", "Hit", "Query", "Results", "count", "search"]

#: bm25 weights: title, conditions, interventions, keywords, ids, summary, sponsor.
_WEIGHTS = "10, 8, 8, 4, 10, 1, 0"


def search(store: Store, query: Query, today: date, max_age: int = MAX_AGE) -> Results:
    """The trials that meet a query; statuses older than `max_age` days are not taken as the present ones."""
    with store.snapshot() as db:
        return _Search(store, db, query, today, max_age).results()


def count(store: Store, query: Query, today: date) -> int:
    """How many trials meet a query."""
    with store.snapshot() as db:
        return _Search(store, db, query, today, MAX_AGE).total()


class _Search:
    """One search in one state of the store."""

    def __init__(self, store: Store, db: sqlite3.Connection, query: Query, today: date, max_age: int) -> None:
        self.store, self.db, self.query, self.today, self.max_age = store, db, query, today, max_age
        self.notes: list[str] = []
        self.around = Surroundings(store, db, query.origin) if query.origin is not None else None
        self.everything = store.values(ALL).get("", 0)

    def total(self) -> int:
        found = self._by_words() & self._by_person() & self._by_id() & self._by_place()
        for name in self.query.facets:
            found &= self._chosen(name, self.store.values(name))
        return found.bit_count()

    def results(self) -> Results:
        query = self.query
        anywhere = self._by_words() & self._by_person() & self._by_id()
        base = anywhere & self._by_place()
        values = {name: self.store.values(name) for name in SHOWN_FACETS}
        chosen = {name: self._chosen(name, values[name]) for name in query.facets}
        found = base
        for one in chosen.values():
            found &= one
        standing = self.store.values(STANDING)
        tiers = self._tiers(standing, values["status"].get(UNKNOWN, 0))
        total = found.bit_count()
        hits = self._page(found, tiers)
        beyond = None
        if not total and query.within is not None:
            for one in chosen.values():
                anywhere &= one
            beyond = self._beyond(anywhere, tiers)
        return Results(
            total=total,
            can_enrol=(found & standing.get(CAN, 0)).bit_count(),
            hits=tuple(hits),
            facets={name: _counts(name, values[name], base, chosen) for name in SHOWN_FACETS},
            ranking=ranking(query),
            notes=tuple(dict.fromkeys(self.notes)),
            beyond=beyond,
            page=query.page,
            pages=max(1, -(-total // query.size)),
        )

    # Filters ----------------------------------------------------------------------------------------

    def _matching(self, text: str, columns: tuple[str, ...]) -> int:
        if not text.strip():
            return self.everything
        question = words.expression(text, columns)
        self.notes += words.remarks(text)
        if not question:
            self.notes.append("what was typed holds no letter and no digit, so no trial matches it")
            return 0
        return self.store.keep(("words", question), lambda: self._having(question))

    def _having(self, question: str) -> int:
        rows = self.db.execute("SELECT rowid FROM words WHERE words MATCH ?", (question,)).fetchall()
        return bits.of((id for (id,) in rows), self.everything.bit_length())

    def _by_words(self) -> int:
        query = self.query
        return (
            self._matching(query.words, words.EVERYWHERE)
            & self._matching(query.condition, words.CONDITION)
            & self._matching(query.intervention, words.INTERVENTION)
            & self._matching(query.sponsor, words.SPONSOR)
        )

    def _by_id(self) -> int:
        if not self.query.ids:
            return self.everything
        marks = ",".join("?" * len(self.query.ids))
        rows = self.db.execute(f"SELECT id FROM study WHERE nct_id IN ({marks})", self.query.ids)
        return bits.of((id for (id,) in rows), self.everything.bit_length())

    def _by_person(self) -> int:
        found, query = self.everything, self.query
        age = query.age
        if age is not None:
            found &= self._joined(AGE_FROM, lambda limit: int(limit) <= age)
            found &= self._joined(AGE_TO, lambda limit: int(limit) >= age)
        if query.sex:
            takes = {"ALL", NOT_STATED, query.sex.upper()}
            found &= self._joined("sex", lambda value: value in takes)
        return found

    def _joined(self, facet: str, takes: Callable[[str], bool]) -> int:
        found = 0
        for value, one in self.store.values(facet).items():
            if takes(value):
                found |= one
        return found

    def _by_place(self) -> int:
        query = self.query
        if query.origin is None or query.within is None:
            return self.store.values(HOPEFUL).get("", 0) if query.open_only else self.everything
        around, radius = self.around, query.within
        assert around is not None
        return self.store.keep(
            ("within", query.origin, radius, query.open_only),
            lambda: around.within(radius, query.open_only, self.everything.bit_length()),
        )

    def _chosen(self, name: str, values: Mapping[str, int]) -> int:
        found = 0
        for value in self.query.facets[name]:
            found |= values.get(value, 0)
        return found

    # Ranking ----------------------------------------------------------------------------------------

    def _tiers(self, standing: Mapping[str, int], unknown: int) -> list[int]:
        """Those that can enrol, those of which nobody can tell, those not yet or for a time not, the others.

        Nobody can tell where the status is unknown, or says "can enrol" and is too old to be the present one.
        """
        can = standing.get(CAN, 0)
        least = self.today.toordinal() - self.max_age
        fresh = can & self.store.keep(("lately", least), lambda: self._stated_since(least)) if can else 0
        return [fresh, (can & ~fresh) | unknown, standing.get(MAY, 0) & ~unknown, standing.get(CANNOT, 0)]

    def _stated_since(self, least: int) -> int:
        """The trials whose status is of that day or later; dates are written out, so their texts are in order."""
        year = str(date.fromordinal(max(least, 1)).year).zfill(4)
        dates = [text for (text,) in self.db.execute("SELECT DISTINCT stated FROM study WHERE stated >= ?", (year,))]
        lately = [text for text in dates if (last_day(text) or 0) >= least]
        found: list[int] = []
        for start in range(0, len(lately), 500):
            some = lately[start : start + 500]
            marks = ",".join("?" * len(some))
            found += [id for (id,) in self.db.execute(f"SELECT id FROM study WHERE stated IN ({marks})", some)]
        return bits.of(found, self.everything.bit_length())

    def _page(self, found: int, tiers: list[int]) -> list[Hit]:
        first = (self.query.page - 1) * self.query.size
        return self._hits(self._ordered(found, tiers, first, first + self.query.size))

    def _ordered(self, found: int, tiers: list[int], first: int, end: int) -> list[int]:
        """The ids from place `first` to `end` of the ranking; buckets that lie before are only counted."""
        about = self._about() if self.query.words.strip() and self.query.sort != NEWEST else self.everything
        ids: list[int] = []
        before = 0
        for tier in tiers:
            for part in (about, self.everything & ~about):
                bucket = found & tier & part
                size = bucket.bit_count()
                if size and before < end and before + size > first:
                    ids += self._sorted(bucket, end - before)[max(0, first - before) : end - before]
                before += size
        return ids

    def _about(self) -> int:
        return self._matching(self.query.words, words.ABOUT)

    def _sorted(self, bucket: int, need: int) -> list[int]:
        """The first `need` trials of a bucket, at least, in order."""
        query = self.query
        if self.around is not None and query.sort != NEWEST:
            return self.around.ordered(bucket, need)
        if query.words.strip() and query.sort == BEST:
            return self._by_score(bucket, need)
        newest = self.store.newest()
        if bucket.bit_count() ** 2 < need * len(newest.order):  # sorting them looks at fewer than passing the others
            return sorted(bits.members(bucket), key=newest.rank.__getitem__)
        held = bits.Held(bucket)
        return list(islice((id for id in newest.order if id in held), need))

    def _by_score(self, bucket: int, need: int) -> list[int]:
        question = words.expression(self.query.words)
        held = bits.Held(bucket)
        scored: list[tuple[float, int]] = []
        scores, found = self.store.keep(("scores", question), lambda: self._scores(question), large=True)
        for score, id in zip(scores, found, strict=True):
            if len(scored) >= need and score > scored[-1][0]:
                break
            if id in held:
                scored.append((score, id))
        rank = self.store.newest().rank
        return [id for _, id in sorted(scored, key=lambda pair: (pair[0], rank[pair[1]]))]

    def _scores(self, question: str) -> tuple[array[float], array[int]]:
        """The scores of all trials with the words, best first, and the trials."""
        rows = self.db.execute(f"SELECT bm25(words, {_WEIGHTS}), rowid FROM words WHERE words MATCH ?", (question,))
        scored = sorted((round(score, 6), id) for score, id in rows)
        return array("d", [score for score, _ in scored]), array("I", [id for _, id in scored])

    def _beyond(self, anywhere: int, tiers: list[int]) -> Hit | None:
        """The nearest trial outside the distance, those that can enrol before the others."""
        assert self.around is not None
        for tier in tiers:
            bucket = anywhere & tier
            if bucket:
                hits = self._hits(self.around.ordered(bucket, 1)[:1])
                if hits[0].nearest is not None:
                    return hits[0]
        return None

    # What is shown ----------------------------------------------------------------------------------

    def _hits(self, ids: list[int]) -> list[Hit]:
        marks = ",".join("?" * len(ids))
        sites = "places, site_statuses, site_names" if self.around is not None else "length(places) / 4"
        rows = self.db.execute(
            "SELECT id, nct_id, title, status, stated, last_known, last_stated, sites_stated, phase, sponsor, updated,"
            f" origin, {sites} FROM study WHERE id IN ({marks})",
            ids,
        )
        by_id = {row[0]: row[1:] for row in rows}
        return [self._hit(*by_id[id]) for id in ids]

    def _hit(
        self, nct_id: str, title: str, status: str, stated: str, last_known: str, last_stated: str,
        sites_stated: str, phase: str, sponsor: str, updated: str, origin: str, *where: Any,
    ) -> Hit:  # fmt: skip
        study = Standing(status, stated)
        title = self._plain_title(nct_id, title) if origin == COMPILED else title
        nearest = inside = None
        if self.around is None:
            (count,) = where
        else:
            sites = load_sites(*where)
            count = len(sites)
            asked = (study, statement(status, sites_stated), sites, self.today, self.max_age)
            nearest = self.around.nearest(*asked)
            if nearest is not None and self._is_beyond(nearest):
                inside = self.around.nearest(*asked, closed_too=True)
                inside = None if inside is None or self._is_beyond(inside) else inside
        last = statement(last_known, last_stated)
        return Hit(
            nct_id, title, study, last, study_words(study, last, self.today, self.max_age), phase, sponsor, updated,
            origin, count, nearest, inside,
        )  # fmt: skip

    def _plain_title(self, nct_id: str, title: str) -> str:
        """The title that the page of a compiled record bears, as its page is told (`page.TrialPage.title`)."""
        return self.store.keep(("plain title", nct_id), lambda: self._page_title(nct_id)) or title

    def _page_title(self, nct_id: str) -> str:
        sql = "SELECT json FROM original JOIN study USING (id) WHERE nct_id = ?"
        (packed,) = self.db.execute(sql, (nct_id,)).fetchone()
        return read_details(unpack(packed)).plain_title

    def _is_beyond(self, near: Near) -> bool:
        """Whether a site lies outside the distance that was asked for, or nobody knows where."""
        within = self.query.within
        return within is not None and (near.miles is None or near.miles > within)


def _counts(name: str, values: Mapping[str, int], base: int, chosen: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """How many trials each value would leave, the other facets' choices kept and this one's left out."""
    for other, one in chosen.items():
        if other != name:
            base &= one
    counted = [(value, (one & base).bit_count()) for value, one in values.items()]
    return tuple(sorted((pair for pair in counted if pair[1]), key=lambda pair: (-pair[1], pair[0])))
