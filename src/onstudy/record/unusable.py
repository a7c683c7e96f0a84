"""Dates a record cannot have: before it begins, its end while it still goes on, one that a present state rules out."""

from __future__ import annotations

from onstudy.record.catalogue import DATE, Catalogue
from onstudy.record.patient import Fact
from onstudy.values.calendar import When
from onstudy.values.interval import Op, compare
from onstudy.values.truth import TRUE


def before_itself(fact: Fact, name: str) -> bool:
    """Whether the date stated under a name surely lies before the record begins."""
    stated = fact.attributes.get(name)
    return isinstance(stated, When) and compare(Op.LT, stated.days, fact.start.days) is TRUE


def over_and_going_on(fact: Fact, name: str, catalogue: Catalogue) -> bool:
    """Whether the date stated under a name says that it is over (it rules out other statements), and the record says
    that it still goes on.
    """
    entry = catalogue.attribute(fact.kind, name)
    ends = entry is not None and entry.type == DATE and bool(entry.rules_out)
    return ends and fact.ongoing and isinstance(fact.attributes.get(name), When)


def unusable(fact: Fact, name: str, catalogue: Catalogue) -> bool:
    """Whether a date is stated that cannot be: it is kept and shown, and decides nothing."""
    return before_itself(fact, name) or over_and_going_on(fact, name, catalogue)


def present_states(kind: str, catalogue: Catalogue) -> frozenset[str]:
    """The attributes of a kind that say how it is on the day they are stated for, and so rule out a date."""
    entries = catalogue.attributes(kind).values()
    return frozenset(other for entry in entries if entry.type == DATE for other, _ in entry.ruled_out_by)
