"""Words that nothing has, and the words of the index that are spelt like them: "luekemia" is like "leukemia".

Only words that stand in a record of the store, or in the names this program knows, are ever proposed.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher

from onstudy.registry import words
from onstudy.registry.store import Store

#: Shorter words are like too many others.
_SHORTEST = 4
#: Words at least this alike (`SequenceMatcher.ratio`) may be meant; one letter of eight wrong gives 0.88.
_LIKE = 0.75
_LONGEST = 40
_WORD = re.compile(r"[^\W\d_]+")
#: Words that are looked at more closely, and records in which their spelling is looked up.
_BEST, _RECORDS = 5, 30


def corrected(store: Store, text: str, columns: Iterable[str] = words.EVERYWHERE) -> str:
    """The text, each word that no record has in these columns replaced by the likest that some record has.

    The same text where every word is known, or where nothing is like those that are not.
    """
    columns = tuple(columns)
    with store.snapshot() as db:
        return _WORD.sub(lambda found: _instead(store, db, found[0], columns), text)


def _instead(store: Store, db: sqlite3.Connection, word: str, columns: tuple[str, ...]) -> str:
    """The word itself where it is known, short, or like none."""
    if not _SHORTEST <= len(word) <= _LONGEST or _has(db, word, columns):
        return word
    small = word.casefold()
    known = store.keep(("stems", small[0]), lambda: _stems(db, small[0]))
    return next((one for one in _alike(db, small, known) if _has(db, one, columns)), word)


def _has(db: sqlite3.Connection, text: str, columns: tuple[str, ...]) -> bool:
    question = words.expression(text, columns)
    return db.execute("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (question,)).fetchone() is not None


def _alike(db: sqlite3.Connection, word: str, known: Mapping[str, int]) -> Iterator[str]:
    """Words like this one, the likest first; of words as like, the one that more records have."""
    names = {one for name in words.lexicon().groups for one in name if one[0] == word[0]}
    scored, most = [], 1 if len(word) < 8 else 2
    matcher = SequenceMatcher(None, "", word, autojunk=False)
    for one in known.keys() | names:
        matcher.set_seq1(one)
        if abs(len(one) - len(word)) <= most and matcher.quick_ratio() >= _LIKE and (ratio := matcher.ratio()) >= _LIKE:
            scored.append((-round(ratio, 2), -known.get(one, 0), one))
    for _, records, one in sorted(scored)[:_BEST]:
        yield _as_written(db, one, -records) if records else one


def _stems(db: sqlite3.Connection, letter: str) -> dict[str, int]:
    """The stems of the index with that first letter (few mistake it), and how many records have each."""
    # a view on the words of the index, which goes with the end of the snapshot
    db.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab('main', 'words', 'row')")
    rows = db.execute("SELECT term, doc FROM vocabulary WHERE term >= ? AND term < ?", (letter, letter + "\U0010ffff"))
    found = {term: records for term, records in rows if len(term) >= _SHORTEST - 1 and term.isalpha()}
    db.execute("DROP TABLE temp.vocabulary")
    return found


def _as_written(db: sqlite3.Connection, stem: str, records: int) -> str:
    """How a stem that so many records have is mostly written in full."""
    # a stem is no word: asked for "relaps" the index looks for "relap", asked for "relapse" for "relaps"
    for ending in ("", "e", "s", "y"):
        (count,) = db.execute("SELECT count(*) FROM words WHERE words MATCH ?", (f'"{stem}{ending}"',)).fetchone()
        if count == records:
            return _mostly(db, stem + ending)
    return stem


def _mostly(db: sqlite3.Connection, word: str) -> str:
    """The commonest of the forms in which a word stands in records."""
    rows = db.execute(
        "SELECT snippet(words, -1, char(1), char(2), '', 1) FROM words WHERE words MATCH ? LIMIT ?",
        (f'"{word}"', _RECORDS),
    )
    full = Counter(
        text.partition("\x01")[2].partition("\x02")[0].casefold() for (text,) in rows if text and "\x01" in text
    )
    return full.most_common(1)[0][0] if full else word
