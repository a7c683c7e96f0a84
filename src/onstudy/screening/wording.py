"""Facts, values and the terms of a rule in words: labels for names, dates as they are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr
from onstudy.criteria.finding import Finding, Reason
from onstudy.language.unparse import plain, unparse
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact, Value
from onstudy.values.calendar import When, show, show_day
from onstudy.values.interval import Interval
from onstudy.values.truth import Truth

PHRASES: Mapping[Reason, str] = {
    Reason.NO_RECORD: "not recorded",
    Reason.STALE: "the record is older than the window allows",
    Reason.LATER: "it is recorded only after the registration date",
    Reason.PENDING_RESULT: "the result is pending",
    Reason.NO_UNIT_OR_LIMIT: "the unit or the limit of normal is lacking",
    Reason.IMPRECISE_DATE: "the date is not precise enough",
    Reason.IMPRECISE_VALUE: "the value recorded leaves it open",
    Reason.NOT_STATED: "what is stated is not enough, or cannot be read",
    Reason.PENDING_ANCHOR: "the date it is counted from is not set",
    Reason.NOT_ATTESTED: "no investigator has attested it",
    Reason.CONFLICT: "records contradict each other",
    Reason.UNSUPPORTED: "the record is of a form that cannot be judged",
}
#: In place of "not recorded", where something of the kind is.
NOTHING_ELSE = "whether there was another is not recorded"

#: In place of "older than the window allows", of an attestation.
_GIVEN_BEFORE = "what was stated may not have seen a record that it would have to judge"

_ONE = re.compile(r"(?<![\d.,])1 (hour|day|week|month|year)s\b")
_NAMING = ("agent", "type", "term")  # attributes that say which record it is, so that their name need not be said
_UNKNOWN_BEGINNING = "from an unknown day"
_TIMELESS = ("sex", "born")  # said of a person once; the day adds nothing


def phrases(
    reasons: Iterable[Reason],
    others: bool = False,
    details: Iterable[str] = (),
    wrong: Iterable[str] = (),
    passed: str = "",
    instead: Mapping[Reason, str] = MappingProxyType({}),
) -> str:
    """The causes of an unknown, for people; `others`: records of the kind are there, and do not settle it;
    `details`: the names of what is not stated; `wrong`: what is stated and is not used, since it cannot be; `passed`:
    what is recorded and does not count; `instead`: causes of which more is known.
    """
    said = {**PHRASES, **instead}
    if others:
        said[Reason.NO_RECORD] = NOTHING_ELSE
    if passed:
        said[Reason.NO_RECORD] = f"what is recorded does not count ({passed})"
        said[Reason.STALE] = f"{said[Reason.STALE]} ({passed})"
    named = " and ".join(name.replace("_", " ") for name in details)
    unused = [f"{what} cannot be" for what in wrong]
    if named or unused:
        said[Reason.NOT_STATED] = ", ".join([*([f"{named} not stated"] if named else []), *unused])
    return ", ".join(said[reason] for reason in sorted(reasons))


def of_kind(kind: str, catalogue: Catalogue) -> Mapping[Reason, str]:
    """The causes that are called otherwise where they are of this kind."""
    entry = catalogue.kinds.get(kind)
    return {Reason.STALE: _GIVEN_BEFORE} if entry is not None and entry.judges else {}


# Kinds and facts ------------------------------------------------------------------------------------------


def label(kind: str, catalogue: Catalogue) -> str:
    """The name of a kind for people."""
    entry = catalogue.kinds.get(kind)
    if kind == "born":
        return "Date of birth"
    return entry.label if entry is not None else kind.replace("_", " ")


def fact_text(fact: Fact, catalogue: Catalogue, within: str = "") -> str:
    """A fact in a few words: what, value, when; without the "what" in a list of the kind `within`."""
    what = "" if fact.kind == within else label(fact.kind, catalogue)
    return " ".join(word for word in (what, brief(fact, catalogue), when_text(fact)) if word)


def brief(fact: Fact, catalogue: Catalogue) -> str:
    """The value, or what names the record among its like: the agent, the type, the term."""
    if fact.negative or (fact.shown and fact.shown not in ("yes", "no")):
        return shown_of(fact, catalogue)
    attributes = catalogue.in_order(fact.kind, fact.attributes)
    named = [stated(fact, n, v, catalogue) for n, v in attributes if n in _NAMING and v is not None]
    return ", ".join(named) or ", ".join(f"{name} not stated" for name in _nameless(fact, catalogue))


def _nameless(fact: Fact, catalogue: Catalogue) -> list[str]:
    """The attributes that would name a record among its like and are not stated."""
    known = catalogue.attributes(fact.kind) if fact.kind in catalogue.kinds else {}
    return [name for name in _NAMING if name in known and known[name].silence is None]


def shown_of(fact: Fact, catalogue: Catalogue) -> str:
    """The value as recorded or, for a record that is itself the fact, what is stated of it."""
    if fact.negative:
        return "none" if fact.narrowed is None else f"none: {stated(fact, *fact.narrowed, catalogue)}"
    if fact.kind not in catalogue.kinds:  # the date of birth is no kind
        return fact.shown
    if fact.shown and fact.shown not in ("yes", "no"):
        values = catalogue.codes_of(fact.kind)
        member = values.members.get(fact.shown) if values is not None else None
        return fact.shown if member is None else member.label
    attributes, parts = catalogue.in_order(fact.kind, fact.attributes), catalogue.in_order(fact.kind, fact.parts)
    said = [stated(fact, name, value, catalogue) for name, value in attributes if value is not None]
    said += [f"{name.replace('_', ' ')} {part.shown}" for name, part in parts if part.shown]
    return ", ".join(said)


def details(fact: Fact, catalogue: Catalogue) -> list[tuple[str, str]]:
    """The attributes that are stated of a fact, or to which a "no" is narrowed: name and value in words."""
    known = [fact.narrowed] if fact.narrowed is not None else catalogue.in_order(fact.kind, fact.attributes)
    return [(name, _value_of(fact, name, value, catalogue)) for name, value in known if value is not None]


def stated(fact: Fact, name: str, value: Value, catalogue: Catalogue) -> str:
    """One attribute in words: a member or group by its label, a number with its unit."""
    said = _value_of(fact, name, value, catalogue)
    return said if name in _NAMING else f"{name.replace('_', ' ')} {said}"


def _value_of(fact: Fact, name: str, value: Value, catalogue: Catalogue) -> str:
    values, attribute = catalogue.codes_of(fact.kind, name), catalogue.attribute(fact.kind, name)
    named = values.label_of(value) if values is not None and isinstance(value, frozenset) else None
    unit = f" {attribute.unit}" if attribute is not None and attribute.unit and isinstance(value, Interval) else ""
    return (named or written(value)) + unit


def when_text(fact: Fact) -> str:
    """When a fact was, as it is known."""
    if fact.negative:
        return show(fact.end or fact.recorded or fact.start)
    begun = moment_text(fact.start)
    if fact.ongoing:
        return f"{begun} and still active" if fact.start.known else "active"
    if fact.end is None or fact.end == fact.start:
        return begun
    if fact.end.span.high is None:
        if not fact.start.known:
            return "dates unknown"
        return f"begun {begun}, its end not known" if begun.startswith("on ") else f"since {begun}, its end not known"
    return f"{_UNKNOWN_BEGINNING if fact.start.span.low is None else begun} to {show(fact.end)}"


def moment_text(start: When) -> str:
    """A moment; one that is bounded above alone happened on some day up to that."""
    if start.span.low is None and start.days.high is not None:
        return f"on an unknown day, by {show_day(start.days.high)}"
    return show(start)


def subject(part: Finding, value: e.ValueExpr, catalogue: Catalogue) -> str:
    """What a value is a value of: the record and its day, and the detail of it."""
    fact = part.about
    if fact is None:
        return in_words(unparse(value))
    named = label(fact.kind, catalogue)
    if isinstance(value, e.Field) and value.name != "value" and part.result is not fact.value:
        return f"{fact_text(fact, catalogue)}: {value.name.replace('_', ' ')}"
    if not fact.start.known or fact.kind in _TIMELESS:
        return named
    when = when_text(fact)
    return f"{named} {when}" if when.startswith(_UNKNOWN_BEGINNING) else f"{named} on {when.removeprefix('on ')}"


# The terms of a rule --------------------------------------------------------------------------------------


def in_words(text: str) -> str:
    """Rule text for people: names without underscores and signs, one day instead of 1 days."""
    return _ONE.sub(r"1 \1", text.replace("_", " ").replace("$", ""))


def terms(node: Expr, catalogue: Catalogue) -> str:
    """A statement of a rule in words, with the labels of codes."""
    match node:
        case e.And(parts):
            return " and ".join(_enclosed(part, catalogue) for part in parts)
        case e.Or(parts):
            return " or ".join(_enclosed(part, catalogue) for part in parts)
        case e.Not(e.Member() as member):
            return f"{in_words(unparse(member.value))} is not {members(member, catalogue)}"
        case e.Not(part):
            return f"not {_enclosed(part, catalogue)}"
        case e.Member():
            return f"{in_words(unparse(node.value))} is {members(node, catalogue)}"
        case e.Named(name):
            return f"“{in_words(name)}”"
    return in_words(unparse(node))


def _enclosed(node: Expr, catalogue: Catalogue) -> str:
    said = terms(node, catalogue)
    return f"({said})" if isinstance(node, (e.And, e.Or)) else said


def members(node: e.Member, catalogue: Catalogue) -> str:
    """The codes a rule asks for."""
    known = catalogue.value_sets[node.value.type.values].members
    return " or ".join(
        known[name].label if name in known else f"one of “{in_words(name)}”" if name.startswith("$") else in_words(name)
        for name in node.names
    )


# Values ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a value, and whether that tells what was asked as well."""

    text: str
    asked: bool = False


def of_codes(part: Finding, node: e.Member, catalogue: Catalogue) -> Said:
    """A value beside the codes asked for: as recorded, else in words. A record is not named twice."""
    value, fact, found, asked = node.value, part.about, part.result, members(node, catalogue)
    if fact is None or not isinstance(value, e.Field) or found is fact.value or not isinstance(found, frozenset):
        return Said(f"{subject(part, value, catalogue)} is {_code_text(part, value, catalogue)}")
    head, meets = fact_text(fact, catalogue), found <= node.members
    if value.name not in fact.attributes:
        return Said(f"{head}: {_by_silence(part, value.name, asked if meets else f'not {asked}', catalogue)}", True)
    said = _code_text(part, value, catalogue)
    if value.name not in _NAMING or said.lower() not in head.lower():
        return Said(f"{subject(part, value, catalogue)} is {said}")
    if meets:
        return Said(head if asked.lower() == said.lower() else f"{head}: {asked}", True)
    return Said(f"{head}: {'may be' if found & node.members else 'not'} {asked}", True)


def _by_silence(part: Finding, name: str, then: str, catalogue: Catalogue) -> str:
    """What a detail is that nobody stated: what silence means or, without a meaning, what a recorded "no" leaves."""
    fact = part.about
    assert fact is not None
    component = catalogue.kinds[fact.kind].components.get(name)
    entry = catalogue.attribute(fact.kind, name) if component is None else catalogue.kinds[component]
    words = name.replace("_", " ")
    if entry is not None and entry.silence is not None:
        values = catalogue.codes_of(component) if component is not None else catalogue.codes_of(fact.kind, name)
        member = values.members.get(entry.silence) if values is not None else None
        return f"{words} not stated, taken as {member.label if member is not None else in_words(entry.silence)}"
    return f"{words} not stated, and by a recorded “no” {then}"


def is_unstated(part: Finding, value: e.ValueExpr, catalogue: Catalogue) -> bool:
    """Whether it is a detail of a record that nobody stated."""
    fact = part.about
    if fact is None or fact.lacks is not None or part.result is not None or fact.kind not in catalogue.kinds:
        return False
    return isinstance(value, e.Field) and value.name != "value"


def may_be(part: Finding, node: e.Member, catalogue: Catalogue) -> str:
    """That a detail is not stated, and what is asked of it."""
    assert part.about is not None and isinstance(node.value, e.Field)
    name, asked = node.value.name.replace("_", " "), members(node, catalogue)
    return f"{fact_text(part.about, catalogue)}: {name} not stated, it may be {asked}"


def _code_text(part: Finding, value: e.ValueExpr, catalogue: Catalogue) -> str:
    """A code as recorded where it is the fact's own value, else by its label."""
    fact, found = part.about, part.result
    if fact is not None and found is fact.value and (shown := shown_of(fact, catalogue)):
        return shown
    values = catalogue.value_sets.get(value.type.values)
    named = values.label_of(found) if values is not None and isinstance(found, frozenset) else None
    return named or written(found)


def written(value: Truth | Value) -> str:
    """A value for people."""
    if isinstance(value, Interval):
        return range_text(value)
    if isinstance(value, When):
        return show(value)
    if isinstance(value, frozenset):
        return " or ".join(sorted(code.replace("_", " ") for code in value)[:4]) + (" ..." if len(value) > 4 else "")
    return "not known"


def _short(bound: float) -> float:
    """A bound as it is told: of what follows from a formula, six digits."""
    return float(bound) if float(bound).is_integer() else float(f"{bound:.6g}")


def range_text(value: Interval) -> str:
    """A number, or the bounds it lies between."""
    low, high = (None if bound is None else _short(bound) for bound in (value.low, value.high))
    if low is not None and value.low == value.high:
        return plain(low)
    if low is None:
        return "not known" if high is None else f"{'below' if value.high_open else 'at most'} {plain(float(high))}"
    if high is None:
        return f"{'above' if value.low_open else 'at least'} {plain(float(low))}"
    first, last = "above " * value.low_open, "below " * value.high_open
    return f"{first}{plain(float(low))} to {last}{plain(float(high))}"
