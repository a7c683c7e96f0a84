"""The store: one SQLite file with every trial as it was published, its words, its sites and the sets it belongs to.

Words are an FTS5 index, places an R*Tree, everything with few values (status, phase, country, age) a set of trials
kept as bits (`bits.py`). Readers see one state of the store from the first to the last question of a search.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from onstudy.errors import OnstudyError
from onstudy.registry import bits
from onstudy.registry.kept import Kept
from onstudy.registry.laid import NEWEST, RANK, laid
from onstudy.registry.packing import unpack

#: "onst" as SQLite's application id, and the version of the tables.
APPLICATION, VERSION = 0x6F6E7374, 5
#: Where a trial comes from: the registry itself; example data that ships; put together from several sources.
REGISTRY, SHIPPED, COMPILED = "registry", "shipped", "compiled"

#: Bytes of a page: a packed record has six thousand, which leave much of a small page empty, and each page costs calls.
_PAGE = 32768
#: Bytes of words that are gathered before they are written as one piece of the index; pieces are merged, which costs.
_HASH = 1 << 22
#: Facets and sets of trials by word that are kept for the next search, each some kilobytes; and lists of scores.
_MOST, _FEW = 400, 48
_T = TypeVar("_T")

SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE study (
    id INTEGER PRIMARY KEY,
    nct_id TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL,
    origin TEXT NOT NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    stated TEXT NOT NULL,
    last_known TEXT NOT NULL,
    last_stated TEXT NOT NULL,
    sites_stated TEXT NOT NULL,
    phase TEXT NOT NULL,
    sponsor TEXT NOT NULL,
    updated TEXT NOT NULL,
    version TEXT NOT NULL,
    places BLOB NOT NULL,
    site_statuses BLOB NOT NULL,
    site_names BLOB NOT NULL
);
CREATE INDEX study_newest ON study (updated DESC, nct_id);
CREATE INDEX study_stated ON study (stated);
CREATE TABLE original (id INTEGER PRIMARY KEY, json BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (
    title, conditions, interventions, keywords, ids, summary, sponsor, tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TABLE place (
    id INTEGER PRIMARY KEY,
    city TEXT NOT NULL, state TEXT NOT NULL, country TEXT NOT NULL, lat REAL, lon REAL,
    listed BLOB NOT NULL DEFAULT x'',
    hopeful BLOB NOT NULL DEFAULT x'',
    UNIQUE (city, state, country, lat, lon)
);
CREATE VIRTUAL TABLE place_box USING rtree (id, south, north, west, east);
CREATE TABLE laid (name TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE facet (name TEXT NOT NULL, value TEXT NOT NULL, bits BLOB NOT NULL, PRIMARY KEY (name, value)) WITHOUT ROWID;
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Counts:
    """What `registry status` tells; dates as written, empty where the store holds nothing."""

    trials: int
    by_origin: dict[str, int]
    sites: int
    data_version: str
    oldest_update: str
    newest_update: str


class Newest(NamedTuple):
    """All trials, the one that was updated last first, then by trial id; and by its number the place of each."""

    order: array[int]
    rank: array[int]


class Store:
    """An open store. Reading is safe from several threads: they take turns."""

    def __init__(self, db: sqlite3.Connection, name: str) -> None:
        self.db = db
        self.name = name
        self._turn = RLock()
        self._state = (-1, -1)
        self._kept, self._large = Kept(_MOST), Kept(_FEW)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """The connection, within one state of the store."""
        with self._turn:
            self.db.execute("BEGIN")
            try:
                self._state = self._now()
                yield self.db
            finally:
                self.db.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection, for writing: all of it becomes visible at the end, or nothing ever does.

        Raises `OnstudyError` where somebody else is writing.
        """
        with self._turn:
            try:
                self.db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise OnstudyError(f"{self.name}: cannot be written now: {error}") from None
            try:
                if not self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    _make(self.db)
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
        if self.db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def original(self, nct_id: str) -> bytes | None:
        """The JSON of a trial as it was published; None if it is not here."""
        with self.snapshot() as db:
            row = db.execute("SELECT json FROM original JOIN study USING (id) WHERE nct_id = ?", (nct_id,)).fetchone()
        return None if row is None else unpack(row[0])

    def origin(self, nct_id: str) -> str:
        """Where a trial comes from; empty if it is not here."""
        with self.snapshot() as db:
            row = db.execute("SELECT origin FROM study WHERE nct_id = ?", (nct_id,)).fetchone()
        return "" if row is None else str(row[0])

    def state(self) -> Hashable:
        """What changes whenever something is written to the store, here or by somebody else."""
        with self._turn:
            return self._now()

    def _now(self) -> tuple[int, int]:
        return int(self.db.execute("PRAGMA data_version").fetchone()[0]), self.db.total_changes

    def keep(self, key: Hashable, make: Callable[[], _T], large: bool = False) -> _T:
        """A result made of the store within a snapshot, kept until something is written; of large ones few are."""
        return (self._large if large else self._kept).get(self._state, key, make)

    def values(self, facet: str) -> dict[str, int]:
        """Each value of a facet with its trials as bits, sorted by value; within a snapshot."""
        return self.keep(("facet", facet), lambda: facet_values(self.db, facet))

    def newest(self) -> Newest:
        """The order of the newest first; within a snapshot."""
        return self.keep(("newest",), lambda: _newest(self.db))

    def counts(self) -> Counts:
        """How many trials there are, and how old what is known of them is."""
        with self.snapshot() as db:
            by_origin = dict(db.execute("SELECT origin, count(*) FROM study GROUP BY origin ORDER BY origin"))
            oldest, newest = db.execute("SELECT min(updated), max(updated) FROM study WHERE updated <> ''").fetchone()
            return Counts(
                trials=sum(by_origin.values()),
                by_origin=by_origin,
                sites=int(said(db, "sites") or 0),
                data_version=said(db, "data_version"),
                oldest_update=oldest or "",
                newest_update=newest or "",
            )


def said(db: sqlite3.Connection, key: str) -> str:
    """What the store says of itself under a key; empty if nothing."""
    row = db.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()
    return "" if row is None else str(row[0])


def say(db: sqlite3.Connection, key: str, value: str) -> None:
    """Write what the store says of itself."""
    db.execute("INSERT INTO about VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))


def facet_bits(db: sqlite3.Connection, name: str, value: str) -> int:
    """The trials with that value of a facet, as bits."""
    row = db.execute("SELECT bits FROM facet WHERE name = ? AND value = ?", (name, value)).fetchone()
    return 0 if row is None else bits.load(row[0])


def facet_values(db: sqlite3.Connection, name: str) -> dict[str, int]:
    """Each value of a facet with its trials as bits, sorted by value."""
    rows = db.execute("SELECT value, bits FROM facet WHERE name = ? ORDER BY value", (name,))
    return {value: bits.load(data) for value, data in rows}


# Opening ---------------------------------------------------------------------------------------------


def in_memory() -> Store:
    """An empty store that vanishes with the process."""
    store = Store(_connect(":memory:", uri=False), "the trials that ship with onstudy")
    with store.transaction():
        pass
    return store


def exists(path: Path) -> bool:
    """Whether a store was ever written there; a first import that was killed leaves an empty file."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    db = _reading(path)
    try:
        return bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    finally:
        db.close()


def open_to_read(path: Path) -> Store:
    """A store file, which is not changed. Raises `OnstudyError` where it is none."""
    if not exists(path):
        raise OnstudyError(f"{path}: there is no registry; make one with `onstudy registry import` or `update`")
    db = _reading(path)
    _check(db, path)
    return Store(db, str(path))


def _reading(path: Path) -> sqlite3.Connection:
    failure = ""
    for mode in ("mode=ro", "mode=ro&immutable=1"):  # the second for a folder that may not be written
        db = _connect(f"{path.resolve().as_uri()}?{mode}", uri=True)
        try:
            db.execute("PRAGMA user_version").fetchone()
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            failure = str(error)
            db.close()
        else:
            return db
    raise OnstudyError(f"{path}: cannot be read as a registry: {failure}")


def open_to_write(path: Path) -> Store:
    """A store file, made with the first `transaction`. Raises `OnstudyError` where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = _connect(str(path), uri=False)
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            _check(db, path)
        db.execute(f"PRAGMA page_size = {_PAGE}")  # of a new file; an old one keeps its own
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA cache_size = -131072")
        db.execute("PRAGMA secure_delete = OFF")  # all is public
    except (OSError, sqlite3.Error) as error:
        raise OnstudyError(f"{path}: cannot be opened as a registry: {error}") from None
    return Store(db, str(path))


def _connect(name: str, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(name, uri=uri, isolation_level=None, check_same_thread=False, timeout=10)


def _make(db: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";\n"):
        if statement.strip():
            db.execute(statement)
    db.execute("INSERT INTO words (words, rank) VALUES ('hashsize', ?)", (_HASH,))
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {VERSION}")


def _check(db: sqlite3.Connection, path: Path) -> None:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION and version == VERSION:
        return
    db.close()
    if application != APPLICATION:
        raise OnstudyError(f"{path}: is a database, but no registry of onstudy; name another file with --registry")
    raise OnstudyError(
        f"{path}: is a registry of version {version}, and this onstudy reads version {VERSION}; move it away, or name"
        " another file with --registry, and import again"
    )


def row_of(db: sqlite3.Connection, nct_id: str) -> Any:
    """(id, digest, updated, origin) of a trial; None if it is not here."""
    return db.execute("SELECT id, digest, updated, origin FROM study WHERE nct_id = ?", (nct_id,)).fetchone()


def _newest(db: sqlite3.Connection) -> Newest:
    return Newest(bits.load_ids(laid(db, NEWEST)), bits.load_ids(laid(db, RANK)))
