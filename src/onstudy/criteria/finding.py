"""Finding, Reason, Ask, Window: what looking at a patient yields."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from onstudy.criteria.expr import Expr
from onstudy.record.patient import Fact, Value
from onstudy.values.truth import Truth


class Reason(str, Enum):
    """Why something is unknown: a closed list."""

    NO_RECORD = "no_record"
    STALE = "stale"
    LATER = "later"
    PENDING_RESULT = "pending_result"
    NO_UNIT_OR_LIMIT = "no_unit_or_limit"
    IMPRECISE_DATE = "imprecise_date"
    IMPRECISE_VALUE = "imprecise_value"
    NOT_STATED = "not_stated"
    PENDING_ANCHOR = "pending_anchor"
    NOT_ATTESTED = "not_attested"
    CONFLICT = "conflict"
    UNSUPPORTED = "unsupported"

    __hash__ = str.__hash__  # that of Enum is slow


class AskClass(str, Enum):
    """What kind of work an unknown asks for."""

    TO_CONFIRM = "to_confirm"
    TO_DO = "to_do"
    MISSING = "missing"

    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: the kind (or anchor) that would have to be known, what is lacking of it, and why."""

    kind: str
    cls: AskClass
    reason: Reason
    field: str = ""  # the attribute or component that is not stated
    about: str = ""  # the id of the fact concerned


@dataclass(slots=True)
class Finding:
    """A node's result with what it rests on. `parts` mirror the tree, as far as it was looked at;
    under a node that looks at several
    records there is a part for each, `about` that record.
    """

    expr: Expr
    result: Truth | Value
    reasons: frozenset[Reason] = frozenset()
    evidence: tuple[Fact, ...] = ()
    parts: tuple[Finding, ...] = ()
    asks: tuple[Ask, ...] = ()
    about: Fact | None = None
    assumed: str = ""  # the kind whose absence was taken as "no" to come to this
    passed: Fact | None = None  # of an unknown, the newest record that makes it so: it does not count, or ended a "no"
    each: tuple[tuple[Ask, ...], ...] = ()  # the questions of each record, and of what nobody recorded, by themselves

    @property
    def truth(self) -> Truth:
        """The result of a truth node."""
        assert isinstance(self.result, Truth)
        return self.result


#: What a finding is put together of.
Parts = tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of registration days, both included, on which a result stays the same."""

    first: int
    last: int
    truth: Truth
    if_confirmed: Truth
