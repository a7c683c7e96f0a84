"""Records as a patient file has them, rules as a trial file has them, and both together, drawn at random.

All choices are read off one string of bytes: one draw for Hypothesis, whatever the size of a case, and one it
can shrink, because zero always means the simplest choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TypeVar, cast

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from tests.engines.each import ready
from tests.generative.shapes import (
    DEFINITIONS,
    DURATIONS,
    FAMILIES,
    INDEX_DAYS,
    SHAPES,
    Entry,
    Shape,
    edges,
    written_dates,
)

from onstudy.criteria.expr import Named, TruthExpr
from onstudy.engines.view import Anchors
from onstudy.language.parse import Names, parse
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.patient import Patient
from onstudy.values.calendar import as_when, on_day

UNREAD = "unmapped"
ANCHORS = ("registration", "therapy_start")

_T = TypeVar("_T")


class Tape:
    """A string of bytes read as choices; where it ends, every choice is the first."""

    def __init__(self, content: bytes) -> None:
        self._bytes = iter(content)

    def below(self, bound: int) -> int:
        """A number from 0 to below the bound."""
        return next(self._bytes, 0) % bound

    def one_of(self, *options: _T) -> _T:
        """One of the options; the first is the simplest."""
        return options[self.below(len(options))]

    def chance(self, of: int) -> bool:
        """True once in so many times."""
        return self.below(of) == of - 1


@dataclass(frozen=True)
class Case:
    """A record, some rules about it, and the day they are asked on."""

    kinds: tuple[str, ...]
    entry: Entry
    rules: tuple[str, ...]
    on: date
    therapy_start: str | None

    @property
    def anchors(self) -> Anchors:
        """The anchors of the case."""
        start = None if self.therapy_start is None else as_when(self.therapy_start)
        return {"registration": on_day(self.on), "therapy_start": start}

    def patient(self) -> Patient:
        """The record as an engine receives it."""
        return read(self.entry, self.on)

    def trees(self) -> list[TruthExpr]:
        """The rules, parsed."""
        return [parsed(rule) for rule in self.rules]


def read(entry: Entry, on: date) -> Patient:
    """A record from what its patient file holds, bounded by the index date."""
    catalogue = load_catalogue()
    return ready(patient_from(entry, "generated.yaml", catalogue), on, catalogue)


@cache
def definition(name: str) -> Named | None:
    """A definition that generated rules may name."""
    if name not in DEFINITIONS:
        return None
    of, rule = DEFINITIONS[name]
    return Named(name, parse(rule, load_catalogue(), Names(ANCHORS), of), of)


NAMES = Names(ANCHORS, {}, definition, tuple(DEFINITIONS))


def parsed(rule: str, catalogue: Catalogue | None = None) -> TruthExpr:
    """The tree of a generated rule."""
    return parse(rule, catalogue or load_catalogue(), NAMES)


# Records ------------------------------------------------------------------------------------------------


def some_date(tape: Tape, index: date) -> str:
    """A day at or near an edge, mostly exact, else written in one of the ways a day is written."""
    day = tape.one_of(*edges(index))
    return tape.one_of(*written_dates(day)) if tape.chance(3) else day.isoformat()


def some_record_day(tape: Tape, index: date) -> str:
    """A day on which something was written down: never open at either end."""
    text = some_date(tape, index)
    return text.strip(".")


def fact(tape: Tape, shape: Shape, index: date) -> Entry:
    """One fact of a kind, as a patient file writes it."""
    entry: Entry = {"kind": shape.kind}
    if shape.presence and tape.chance(4):
        return denial(tape, shape, index)
    _place(tape, shape, entry, index)
    if shape.values:
        value = tape.one_of(*shape.values)
        entry.update({"value": value} if value else {"status": "pending"})
        if shape.limits and (limit := tape.one_of(*shape.limits)):
            entry["uln"] = limit
    elif tape.chance(12):
        entry["status"] = "pending"
    for name, words in (*shape.attributes.items(), *shape.components.items()):
        if not tape.chance(3) and (name != "detected" or "value" in entry):
            entry[name] = tape.one_of(*words)
    if tape.chance(4):
        entry["recorded"] = some_record_day(tape, index)
    if tape.chance(12):
        entry["suspected"] = "yes"
    return entry


def _place(tape: Tape, shape: Shape, entry: Entry, index: date) -> None:
    if tape.chance(8):
        return
    if shape.extent != "period" or tape.chance(2):
        entry["on"] = some_date(tape, index)
        return
    entry["from"] = some_date(tape, index)
    how = tape.one_of("to", "to", "active", "stopped", "")
    if how == "to":
        entry["to"] = some_date(tape, index)
        if tape.chance(6):
            del entry["from"]
    elif how:
        entry["active"] = "yes" if how == "active" else "no"


def denial(tape: Tape, shape: Shape, index: date) -> Entry:
    """A recorded "no", of everything or narrowed by one attribute."""
    entry: Entry = {"kind": shape.kind, "value": "no", "recorded": some_record_day(tape, index)}
    if shape.extent != "state" and tape.chance(5):
        entry["from"] = some_date(tape, index)
    names = [name for name in shape.attributes if name not in ("grade", "disease_free_since")]
    if names and tape.chance(2):
        name = tape.one_of(*names)
        entry[name] = tape.one_of(*shape.attributes[name])
    return entry


def with_unread(tape: Tape, entry: Entry, index: date) -> Entry:
    """The record, now and then with a diagnosis of a kind that nobody knows."""
    if not tape.chance(3):
        return entry
    one: Entry = {"kind": UNREAD, "value": "a code"}
    if not tape.chance(4):
        one["on"] = some_date(tape, index)
    if tape.chance(2):
        one["recorded"] = some_record_day(tape, index)
    return {**entry, "facts": [*cast(list[Entry], entry["facts"]), one]}


def _coverage(tape: Tape, kinds: tuple[str, ...], index: date) -> Entry:
    stretch: Entry = {"kind": tape.one_of(*kinds, "all")}
    days = [day.isoformat() for day in edges(index)]
    if tape.chance(2):
        stretch["from"] = tape.one_of(*days)
    if tape.chance(3):
        stretch["to"] = tape.one_of(*(day for day in days if day >= str(stretch.get("from", ""))))
    return stretch


def record(tape: Tape, kinds: tuple[str, ...], index: date, most: int = 5) -> Entry:
    """The content of a patient file: facts of these kinds, coverage, birth date and sex."""
    facts = [fact(tape, SHAPES[tape.one_of(*kinds)], index) for _ in range(tape.below(most + 1))]
    entry: Entry = {"patient": "P", "facts": facts}
    if born := tape.one_of("", "1966-03-17", "1966-03-16", "1966-03", "1966", "1960-02-29"):
        entry["born"] = born
    if sex := tape.one_of("", "female", "male"):
        entry["sex"] = sex
    if covers := [_coverage(tape, kinds, index) for _ in range(tape.one_of(0, 0, 1, 1, 2))]:
        entry["complete"] = covers
    return entry


# Rules --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """Writes the text of rules about some kinds."""

    tape: Tape
    kinds: tuple[str, ...]

    def rule(self, depth: int) -> str:
        """One rule; `if` stands outermost now and then."""
        text = self.statement(depth)
        return f"if {self.statement(1)} then {text}" if self.tape.chance(10) else text

    def statement(self, depth: int, scope: Shape | None = None) -> str:
        """What holds or does not, of the patient or (with `scope`) of a record."""
        if depth <= 0 or not self.tape.chance(2):
            return self.leaf(scope, depth)
        first = self.part(depth, scope)
        how = self.tape.one_of("not", "and", "or")
        return f"not {first}" if how == "not" else f"{first} {how} {self.part(depth, scope)}"

    def part(self, depth: int, scope: Shape | None) -> str:
        """A statement in parentheses, in which anything may stand, `if` too."""
        inner = self.statement(depth - 1, scope)
        if self.tape.chance(8):
            inner = f"if {inner} then {self.statement(depth - 1, scope)}"
        return f"({inner})"

    def leaf(self, scope: Shape | None, depth: int) -> str:
        """A statement without parts joined."""
        if scope is not None and not self.tape.chance(8):
            return self.about_record(scope)
        return self.about_patient(depth, scope)

    def about_record(self, shape: Shape) -> str:
        """What a body says of its record."""
        ways = [*shape.inside, *(f"value {asked}" for asked in shape.asked)]
        if not ways or self.tape.chance(3):
            return f"{self.tape.one_of(*shape.dates)} is {self.timing(shape)}"
        return self.tape.one_of(*ways)

    def about_patient(self, depth: int, scope: Shape | None) -> str:
        """What a rule says of the patient's records of one kind."""
        shape = SHAPES[self.tape.one_of(*self.kinds)]
        ways = [self.exists, self.exists, self.has, self.dated]
        if shape.extent != "state":
            ways += [self.every, self.counted]
        if shape.asked:
            ways += [self.result] * 4
        if shape.of:
            ways.append(self.field)
        if self.tape.chance(10):
            return self.of_the_person()
        return self.tape.one_of(*ways)(shape, depth, scope)

    def records(self, shape: Shape, depth: int, scope: Shape | None) -> str:
        """A kind with or without `where` and lookback."""
        text = shape.kind
        if depth > 0 and self.tape.chance(2):
            text += f" where ({self.statement(depth - 1, shape)})"
        if shape.extent != "state" and self.tape.chance(2):
            text += f" {self.lookback(scope)}"
        return text

    def lookback(self, scope: Shape | None) -> str:
        """A stretch of time in which records are looked for."""
        anchor, length = self.anchor(scope), self.tape.one_of(*DURATIONS)
        side = self.tape.one_of("before", "before", "before", "after")
        how = self.tape.one_of(f"within {length} {side}", f"within {length} {side}", "at", side)
        return f"{how} {anchor}"

    def anchor(self, scope: Shape | None) -> str:
        """A moment windows and timings are counted from."""
        if scope is not None and self.tape.chance(3):
            return self.tape.one_of("start", "end")
        if self.tape.chance(4):
            field, which = self.tape.one_of("start", "end"), self.tape.one_of("latest", "earliest")
            return f"({field} of {which} {self.tape.one_of(*self.kinds)})"
        return self.tape.one_of("registration", "registration", "therapy_start")

    def timing(self, scope: Shape | None) -> str:
        """How a date lies to an anchor."""
        length, side = self.tape.one_of(*DURATIONS), self.tape.one_of("before", "before", "after")
        how = self.tape.one_of(f"within {length} {side}", f"at least {length} {side}", side, f"on or {side}", "on")
        return f"{how} {self.anchor(scope)}"

    # Leaves -------------------------------------------------------------------------------------------

    def exists(self, shape: Shape, depth: int, scope: Shape | None) -> str:
        if shape.presence and self.tape.chance(4):
            return shape.kind
        return f"{self.tape.one_of('any', 'no', 'no', 'known')} {self.records(shape, depth, scope)}"

    def every(self, shape: Shape, depth: int, scope: Shape | None) -> str:
        return f"every {self.records(shape, depth, scope)} has ({self.statement(depth - 1, shape)})"

    def counted(self, shape: Shape, depth: int, scope: Shape | None) -> str:
        records, how = self.records(shape, depth, scope), self.tape.one_of("count", "days", "duration")
        unit = "" if how == "count" else " days"
        op, limit = self.tape.one_of("<=", "<", ">=", ">", "=", "!="), self.tape.one_of("0", "1", "2", "7", "14")
        return f"{how} of {records} {op} {limit}{unit}"

    def result(self, shape: Shape, depth: int, scope: Shape | None) -> str:
        asked = self.tape.one_of(*shape.asked)
        which = ["latest", "latest", "earliest"]
        if shape.ordered and "ULN" not in asked:
            which += ["highest", "lowest"]
        return f"{self.tape.one_of(*which)} {self.records(shape, depth, scope)} {asked}"

    def field(self, shape: Shape, depth: int, scope: Shape | None) -> str:
        name, asked = self.tape.one_of(*shape.of).split("|")
        return f"{name} of {self.which()} {self.records(shape, depth, scope)} {asked}"

    def has(self, shape: Shape, depth: int, scope: Shape | None) -> str:
        return f"{self.which()} {self.records(shape, depth, scope)} has ({self.statement(depth - 1, shape)})"

    def dated(self, shape: Shape, depth: int, scope: Shape | None) -> str:
        name = self.tape.one_of(*shape.dates)
        return f"{name} of {self.which()} {self.records(shape, depth, scope)} is {self.timing(scope)}"

    def which(self) -> str:
        return self.tape.one_of("latest", "latest", "earliest")

    def of_the_person(self) -> str:
        """Age, definitions and sums: what needs no family of kinds."""
        return self.tape.one_of(
            "female",
            "of_age",
            "age at registration >= 60 years",
            "age at therapy_start < 60 years",
            "2 <= latest ecog",
            "latest ecog + 1 <= latest ecog within 28 days before registration * 2",
            "latest bilirubin_total - lowest bilirubin_total <= highest bilirubin_total / 2",
            "wbc of latest csf_examination * 2 > rbc of latest csf_examination",
        )


# Both together --------------------------------------------------------------------------------------------


def case(content: bytes, most_rules: int = 4, depth: int = 2, most_facts: int = 5) -> Case:
    """A record and rules about the same few kinds, from a string of bytes."""
    tape = Tape(content)
    families = [tape.one_of(*FAMILIES) for _ in range(tape.one_of(1, 1, 2))]
    kinds = tuple(dict.fromkeys(kind for family in families for kind in family))
    index = tape.one_of(*INDEX_DAYS)
    start = date.fromordinal(index.toordinal() + 2).isoformat()
    therapy = tape.one_of(f"{start}T09:00", f"{start}T09:00-05:00", start, None)
    entry = record(tape, kinds, index, most_facts)
    writer = Rules(tape, kinds)
    rules = tuple(writer.rule(depth) for _ in range(1 + tape.below(most_rules)))
    return Case(kinds, with_unread(tape, entry, index), rules, index, therapy)


LENGTH = 256


def cases(most_rules: int = 4, depth: int = 2, most_facts: int = 5) -> SearchStrategy[Case]:
    """Cases of up to so many rules of up to this depth, and up to so many facts."""
    content = st.binary(min_size=LENGTH, max_size=LENGTH)
    return content.map(lambda drawn: case(drawn, most_rules, depth, most_facts))
