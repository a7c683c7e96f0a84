"""Plain words: how a kind of fact is named to a person without medical training, and how that person is asked for it.

An entry of the catalogue has them under `plain`. Without `ask` a person cannot know the fact; then `test` names what
somebody does to find out. A test measures that all of them can be read with eight years of school.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from onstudy.errors import Problem
from onstudy.record.toml_entry import Entry

#: What a question may leave open: the stretch of time asked about, and the name of what is asked about.
WHEN, NAME = "{when}", "{name}"


@dataclass(frozen=True, slots=True)
class Plain:
    """The plain words of a kind, or of one of its attributes (`details`).

    `options` are the answers offered, by code or number, in the order shown. For the attributes `agent` and `intent`
    they are also the names that stand for `{name}` in the question.
    """

    name: str = ""
    ask: str = ""  # "": a person cannot know it
    now: str = ""  # asked instead where a rule speaks of the present day
    help: str = ""
    test: str = ""  # what somebody does, or judges, to find it out
    after: str = ""  # asked only of those who did not say no to this other kind
    until_age: int | None = None  # not raised with people of this age and above: it stays for a doctor to ask
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    details: Mapping[str, Plain] = field(default_factory=dict, hash=False)


NOTHING_PLAIN = Plain()


def read_plain(entry: Entry) -> Plain:
    """The plain words under `plain` of an entry; every part may be missing."""
    if "plain" not in entry.raw:
        return NOTHING_PLAIN
    entry.asked.add("plain")
    words = Entry(entry.raw["plain"], f"{entry.where}.plain", entry.problems)
    found = _read(words)
    words.finish()
    return found


def _read(entry: Entry) -> Plain:
    until_age = entry.number("until_age")
    return Plain(
        name=entry.text("name"),
        ask=entry.text("ask"),
        now=entry.text("now"),
        help=entry.text("help"),
        test=entry.text("test"),
        after=entry.text("after"),
        until_age=None if until_age is None else int(until_age),
        options=entry.mapping("options"),
        details={name: _read(part) for name, part in entry.entries("details")},
    )


def check_plain(
    plain: Plain, kinds: Container[str], codes: Mapping[str, frozenset[str]], where: str
) -> Iterator[Problem]:
    """What is wrong in the plain words of a kind; `kinds` are those there are.

    `codes` are the codes the kind ("") and each of its attributes may have; empty: it has numbers, dates or none.
    """
    if plain.ask and not plain.name:
        yield Problem("what is asked for needs a name", f"{where}.name")
    if plain.after and plain.after not in kinds:
        yield Problem(f"there is no kind {plain.after!r}", f"{where}.after")
    for name in plain.details.keys() - codes.keys():
        yield Problem(f"there is no attribute {name!r}", f"{where}.details.{name}")
    for name, part in (("", plain), *plain.details.items()):
        known = codes.get(name, frozenset())
        place = f"{where}.details.{name}.options" if name else f"{where}.options"
        for code in part.options if known else ():
            if code not in known:
                yield Problem(f"{code!r} is no value of it", place)
        if part.options and not known and not all(code.isdigit() for code in part.options):
            yield Problem("a value without codes is offered as numbers", place)
