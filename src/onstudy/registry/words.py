"""What somebody typed, as a question to the full-text index: words, names of the same thing, spellings.

Nothing typed is ever read as syntax of the index: it is taken apart into letters and digits, and each piece is quoted.
All words must occur; a name of several words may occur under any of its names, or as its words in any order. OR in
capitals between words asks for what stands on either side of it; what else might be taken for a sign of a search
language is said to be none (`remarks`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

from onstudy.record.catalogue import ValueSet, load_catalogue

#: What is searched where nothing else is said; the first five say what a trial is about.
ABOUT = ("title", "conditions", "interventions", "keywords", "ids")
EVERYWHERE = (*ABOUT, "summary")
CONDITION, INTERVENTION, SPONSOR = ("conditions", "keywords"), ("interventions",), ("sponsor",)
#: Acronyms that are ordinary words elsewhere are looked for here only.
_ACRONYM_COLUMNS = "{conditions keywords}"
#: Of what was typed so many letters and words are looked at.
LONGEST, MOST = 400, 30
_PIECES = re.compile(r'"([^"]*)"|([^"]+)')
_WORD = re.compile(r"[^\W_]+")
_OR, _AND = re.compile(r"(?<!\S)OR(?!\S)"), re.compile(r"(?<!\S)AND(?!\S)")
_LEAVE_OUT = re.compile(r'(?<!\S)(?:-(?=[^\W\d_]|")|NOT(?=\s+\S))')
_STAR = re.compile(r"\*(?!\w)")
#: "M.D." is the same as "MD", and may be written so in a record; longer ones are hardly written with points.
_INITIALS = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.){1,2}[^\W\d_](?:\.|(?![^\W_]))")
_MOST_INITIALS = 3

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Names that mean the same, each as its words."""

    names: tuple[Words, ...]
    acronyms: tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    """Groups by each of their names in American spelling, the longest name, and the spellings."""

    groups: Mapping[Words, Group]
    longest: int
    spellings: tuple[tuple[str, str], ...]

    def find(self, words: Words) -> tuple[int, Group | None]:
        """How many of the first words are one name, and its group; one word without a group where none is."""
        for length in range(min(self.longest, len(words)), 0, -1):
            group = self.groups.get(tuple(self.american(word) for word in words[:length]))
            if group:
                return length, group
        return 1, None

    def american(self, word: str) -> str:
        """A word in American spelling."""
        for here, there in self.spellings:
            word = word.replace(there, here)
        return word

    def british(self, word: str) -> str:
        """A word in British spelling."""
        for here, there in self.spellings:
            if there not in word:
                word = word.replace(here, there)
        return word

    def both(self, words: Words) -> list[Words]:
        """The same words in each spelling they have."""
        american = tuple(self.american(word) for word in words)
        british = tuple(self.british(word) for word in american)
        return list(dict.fromkeys([words, american, british]))


def split(text: str) -> Words:
    """Small words of letters and digits, as the index takes text apart; initials with points are one word."""
    return tuple(_WORD.findall(_INITIALS.sub(lambda found: found[0].replace(".", "") + " ", text).casefold()))


def looked_at(text: str) -> str:
    """The part of a text that is looked for: its first `LONGEST` letters and `MOST` different words, cut at a word."""
    text = text.strip()
    if len(text) > LONGEST:
        text = text[: LONGEST + 1].rpartition(" ")[0] or text[:LONGEST]
    met: set[str] = set()
    for word in _WORD.finditer(text):
        met.add(word[0].casefold())
        if len(met) > MOST:
            return text[: word.start()].rstrip()
    return text


@lru_cache(maxsize=256)
def remarks(text: str) -> tuple[str, ...]:
    """How a text was read, where somebody may have meant it otherwise."""
    found = []
    used = looked_at(text)
    if used != text.strip():
        last = (split(used) or ("",))[-1]
        found.append(f"this text is long: only its first part was looked for, up to “{last}”")
    if len(_alternatives(used)) > 1:
        found.append("OR was read as: trials with the words before it, or with those after it")
    if _LEAVE_OUT.search(used):
        found.append("a minus sign or NOT leaves nothing out here: the words after it were looked for as well")
    if _STAR.search(used):
        found.append("a star (*) stands for no letters here: write whole words")
    return tuple(found)


def _alternatives(text: str) -> list[list[tuple[str, str]]]:
    """The texts on either side of each OR, each in pieces: what stands in quotes, and what does not."""
    found: list[list[tuple[str, str]]] = [[]]
    for quoted, plain in _PIECES.findall(text):
        if quoted:
            found[-1].append((quoted, ""))
            continue
        first, *others = _OR.split(plain)
        found[-1].append(("", first))
        found += [[("", one)] for one in others]
    wordy = [pieces for pieces in found if any(split(quoted or _AND.sub(" ", plain)) for quoted, plain in pieces)]
    return wordy or [[("", text)]]


@lru_cache(maxsize=256)
def expression(text: str, columns: tuple[str, ...] = EVERYWHERE) -> str:
    """The question to the index; empty where no letter or digit was typed."""
    sides = [_all_of(pieces) for pieces in _alternatives(looked_at(text))]
    if not any(sides):
        return ""
    either = sides[0] if len(sides) == 1 else " OR ".join(f"({one})" for one in sides)
    return f"{{{' '.join(columns)}}} : ({either})"


def _all_of(pieces: Iterable[tuple[str, str]]) -> str:
    """The question for all words of some pieces."""
    known = lexicon()
    units = []
    for quoted, plain in pieces:
        words = split(quoted or _AND.sub(" ", plain)) or split(plain)
        while words:
            length, group = (len(words), known.groups.get(words)) if quoted else known.find(words)
            units.append(_unit(words[:length], group, known, bool(quoted)))
            words = words[length:]
    return " AND ".join(dict.fromkeys(units))


def _unit(words: Words, group: Group | None, known: Lexicon, quoted: bool) -> str:
    names = [words, _apart(words)] if group is None else [*group.names]
    acronyms = group.acronyms if group else ()
    ways = [_phrase(name) for each in names if each[0] not in acronyms for name in known.both(each)]
    ways += [f'{_ACRONYM_COLUMNS} : "{acronym}"' for acronym in acronyms]
    if len(words) > 1 and not quoted:
        each = [" OR ".join(_phrase(one) for one in known.both((word,))) for word in words]
        ways.append("(" + " AND ".join(f"({spellings})" for spellings in each) + ")")
    return f"({' OR '.join(dict.fromkeys(ways))})"


def _apart(words: Words) -> Words:
    """Words of which the short ones may be initials: what a record writes "M.D." stands in the index as "m d"."""
    letters = (tuple(word) if 1 < len(word) <= _MOST_INITIALS and word.isalpha() else (word,) for word in words)
    return tuple(chain.from_iterable(letters))


def _phrase(words: Words) -> str:
    return '"' + " ".join(words) + '"'


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The names that ship (data/synonyms.toml) and the drug names of the catalogue."""
    with (Path(__file__).parent / "data/synonyms.toml").open("rb") as file:
        given = tomllib.load(file)
    spellings = tuple((here, there) for here, there in given["spellings"])
    bare = Lexicon({}, 0, spellings)
    groups: dict[Words, Group] = {}
    listed = [(entry["names"], entry.get("acronyms", [])) for entry in given["group"]]
    listed += [(names, []) for names in _drugs(load_catalogue().value_sets["agent"])]
    for names, acronyms in listed:
        keys = [tuple(bare.american(word) for word in split(name)) for name in names]
        small = tuple(acronym.casefold() for acronym in acronyms)
        group = Group(tuple(dict.fromkeys(keys)), small)
        for key in (*group.names, *((acronym,) for acronym in small)):
            groups.setdefault(key, group)
    return Lexicon(groups, max(map(len, groups)), spellings)


def _drugs(agents: ValueSet) -> Iterator[list[str]]:
    """Of each drug its generic and brand names; short ones ("TBI") mean other things elsewhere."""
    parents = {parent for member in agents.members.values() for parent in member.parents}
    for member in agents.members.values():
        names = [name for name in (member.label, *member.synonyms) if len("".join(split(name))) > 3]
        if member.name not in parents and len(names) > 1:
            yield names
