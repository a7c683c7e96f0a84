"""The nodes a rule is built of. A node checks itself as it is made, so an invalid tree cannot exist.

Truth nodes: And, Or, Not, If, Compare, Member, Timing, Any, Every, Has, Named.
Value nodes: Number, Limit, Pick, Field, Count, Age, Anchor, Arithmetic. `Records` says which facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from onstudy.errors import OnstudyError
from onstudy.values.calendar import Duration, Unit
from onstudy.values.interval import Op


class RuleError(OnstudyError):
    """A rule that makes no sense; `where` in the rule is added by the parser."""


@dataclass(frozen=True, slots=True)
class Type:
    """What a value node yields: a number in a unit (a product of canonical units), a code, or a date."""

    base: str  # number, code, date
    unit: tuple[tuple[str, int], ...] = ()
    values: str = ""  # the value set of a code
    ordered: bool = False

    def __str__(self) -> str:
        if self.base == "number":
            return "a number" + (f" in {self.unit_text}" if self.unit else " without a unit")
        return f"a code of {self.values}" if self.base == "code" else "a date"

    @property
    def unit_text(self) -> str:
        """The unit for people."""
        return " ".join(name if power == 1 else f"{name}^{power}" for name, power in self.unit)


def number_in(unit: str) -> Type:
    """The type of a number in one canonical unit; "" is no unit."""
    return Type("number", ((unit, 1),) if unit else ())


DATE_TYPE = Type("date")
DAYS, YEARS = "days", "years"


class Expr:
    """Any node."""

    __slots__ = ()


class TruthExpr(Expr):
    """A node that holds, does not hold, or is unknown."""

    __slots__ = ()


class ValueExpr(Expr):
    """A node that yields a number, a code or a date."""

    __slots__ = ()

    @property
    def type(self) -> Type:
        """What it yields."""
        raise NotImplementedError


# Which facts ------------------------------------------------------------------------------------------


class Relation(str, Enum):
    """How a moment or a record lies to an anchor."""

    WITHIN_BEFORE = "within {} before"
    WITHIN_AFTER = "within {} after"
    AT_LEAST_BEFORE = "at least {} before"
    AT_LEAST_AFTER = "at least {} after"
    BEFORE = "before"
    AFTER = "after"
    ON_OR_BEFORE = "on or before"
    ON_OR_AFTER = "on or after"
    ON = "on"
    AT = "at"

    @property
    def measured(self) -> bool:
        """Whether it needs a duration."""
        return "{}" in self.value


LOOKBACKS = (Relation.WITHIN_BEFORE, Relation.WITHIN_AFTER, Relation.AT, Relation.BEFORE, Relation.AFTER)


@dataclass(frozen=True, slots=True)
class Span:
    """A duration written in a rule, with the name of the setting it came from, if any."""

    duration: Duration
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Lookback:
    """The stretch of time in which records are looked for."""

    relation: Relation
    anchor: ValueExpr
    span: Span | None = None

    def __post_init__(self) -> None:
        if self.relation not in LOOKBACKS:
            raise RuleError(f"records cannot be looked for '{self.relation.value}'")
        if (self.span is not None) != self.relation.measured:
            raise RuleError(f"'{self.relation.value}' and a duration do not fit")
        if self.anchor.type != DATE_TYPE:
            raise RuleError(f"a window is counted from a date, not from {self.anchor.type}")

    @property
    def counts_to(self) -> tuple[str, int] | None:
        """Up to which anchor of the trial days are counted, and how many days before it the last one lies.

        None where they are counted up to registration, as without a window.
        """
        before = {Relation.BEFORE: 1, Relation.WITHIN_BEFORE: 0}
        if isinstance(self.anchor, Anchor) and self.relation in before:
            return self.anchor.name, before[self.relation]
        return None


@dataclass(frozen=True, slots=True)
class Records:
    """The facts of a kind (and of the kinds below it) that satisfy `where`, within the lookback.

    Without a lookback: those that start on or before registration.
    """

    kind: str
    where: TruthExpr | None = None
    lookback: Lookback | None = None


# Values -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number(ValueExpr):
    """A number in the canonical unit of what it is compared with; `written` is how the rule states it."""

    value: float
    unit: str = ""
    written: str = ""
    setting: str = ""

    @property
    def type(self) -> Type:
        return number_in(self.unit)


@dataclass(frozen=True, slots=True)
class Limit(ValueExpr):
    """A multiple of the upper (ULN) or lower (LLN) limit of normal of the very result it is compared with."""

    factor: float
    limit: str = "ULN"
    unit: str = ""
    setting: str = ""

    @property
    def type(self) -> Type:
        return number_in(self.unit)


class Which(str, Enum):
    """Which of several records."""

    LATEST = "latest"
    EARLIEST = "earliest"
    HIGHEST = "highest"
    LOWEST = "lowest"


@dataclass(frozen=True, slots=True)
class Pick(ValueExpr):
    """One record of several, by time or by value; as a value it stands for that record's own value."""

    which: Which
    records: Records
    value_type: Type | None  # None: the kind has no value of its own

    @property
    def by_time(self) -> bool:
        """True for latest and earliest."""
        return self.which in (Which.LATEST, Which.EARLIEST)

    @property
    def type(self) -> Type:
        if self.value_type is None:
            raise RuleError(f"{self.records.kind} has no value to compare")
        return self.value_type

    def __post_init__(self) -> None:
        if not self.by_time:
            kind = self.value_type
            if kind is None or not (kind.base == "number" or kind.ordered):
                raise RuleError(f"{self.which.value} needs numbers or ordered codes; {self.records.kind} has none")


@dataclass(frozen=True, slots=True)
class Field(ValueExpr):
    """A property of a picked record, or (`of` None) of the record a body is about.

    `name` is start, end, value, an attribute or a component.
    """

    name: str
    of: Pick | None
    field_type: Type

    @property
    def type(self) -> Type:
        return self.field_type

    def __post_init__(self) -> None:
        if self.of is not None and not self.of.by_time:
            raise RuleError(f"'{self.name} of {self.of.which.value}' is not defined; use latest or earliest")


class CountOf(str, Enum):
    """What is counted."""

    RECORDS = "count"
    DAYS = "days"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Count(ValueExpr):
    """How many records, on how many distinct days, or over how long (from the certain days to the span)."""

    of: CountOf
    records: Records

    @property
    def type(self) -> Type:
        return number_in("" if self.of is CountOf.RECORDS else DAYS)


@dataclass(frozen=True, slots=True)
class Age(ValueExpr):
    """Completed years of age at an anchor."""

    anchor: ValueExpr

    @property
    def type(self) -> Type:
        return number_in(YEARS)


@dataclass(frozen=True, slots=True)
class Anchor(ValueExpr):
    """A named moment of the trial."""

    name: str

    @property
    def type(self) -> Type:
        return DATE_TYPE


@dataclass(frozen=True, slots=True)
class Arithmetic(ValueExpr):
    """Sum, difference, product or quotient of two numbers, units included."""

    op: str  # + - * /
    left: ValueExpr
    right: ValueExpr

    def __post_init__(self) -> None:
        for side in (self.left, self.right):
            if isinstance(side, Limit) or side.type.base != "number":
                raise RuleError(f"'{self.op}' needs numbers on both sides")
        if self.op in "+-" and self.left.type != self.right.type:
            raise RuleError(f"cannot {'add' if self.op == '+' else 'subtract'} {self.left.type} and {self.right.type}")

    @property
    def type(self) -> Type:
        if self.op in "+-":
            return self.left.type
        powers = dict(self.left.type.unit)
        sign = 1 if self.op == "*" else -1
        for unit, power in self.right.type.unit:
            powers[unit] = powers.get(unit, 0) + sign * power
        return Type("number", tuple(sorted((u, p) for u, p in powers.items() if p)))


# Truths -----------------------------------------------------------------------------------------------


def _at_least_two(parts: tuple[TruthExpr, ...]) -> None:
    if len(parts) < 2 or not all(isinstance(part, TruthExpr) for part in parts):
        raise RuleError("'and' and 'or' join two or more statements")


@dataclass(frozen=True, slots=True)
class And(TruthExpr):
    """All parts hold: the least of them."""

    parts: tuple[TruthExpr, ...]

    def __post_init__(self) -> None:
        _at_least_two(self.parts)


@dataclass(frozen=True, slots=True)
class Or(TruthExpr):
    """Some part holds: the greatest of them."""

    parts: tuple[TruthExpr, ...]

    def __post_init__(self) -> None:
        _at_least_two(self.parts)


@dataclass(frozen=True, slots=True)
class Not(TruthExpr):
    """The part does not hold."""

    part: TruthExpr


@dataclass(frozen=True, slots=True)
class If(TruthExpr):
    """`then` is asked only where `condition` holds; outermost and with a false condition: not applicable."""

    condition: TruthExpr
    then: TruthExpr


@dataclass(frozen=True, slots=True)
class Compare(TruthExpr):
    """Two numbers compared; their units must be the same."""

    op: Op
    left: ValueExpr
    right: ValueExpr

    def __post_init__(self) -> None:
        if isinstance(self.left, Limit) or self.left.type.base != "number":
            raise RuleError(f"'{self.op.value}' compares numbers; the left side is {self.left.type}")
        if isinstance(self.right, Limit):
            if not isinstance(self.left, (Pick, Field)) or (isinstance(self.left, Pick) and not self.left.by_time):
                raise RuleError("a multiple of ULN or LLN is compared with one result, as in 'latest x <= 2 ULN'")
        elif self.left.type != self.right.type:
            raise RuleError(f"cannot compare {self.left.type} with {self.right.type}")


@dataclass(frozen=True, slots=True)
class Member(TruthExpr):
    """A code is one of those named (a group stands for its members)."""

    value: ValueExpr
    names: tuple[str, ...]  # as written: codes, groups, $settings
    members: frozenset[str]  # what they stand for

    def __post_init__(self) -> None:
        if self.value.type.base != "code":
            raise RuleError(f"'is' and 'in' ask for a code; this is {self.value.type}")


@dataclass(frozen=True, slots=True)
class Timing(TruthExpr):
    """How one date lies to another. `within` moves the anchor back, `at least` moves the event forward."""

    event: ValueExpr
    relation: Relation
    anchor: ValueExpr
    span: Span | None = None

    def __post_init__(self) -> None:
        for side in (self.event, self.anchor):
            if side.type != DATE_TYPE:
                raise RuleError(f"'{self.relation.value.format('N days')}' relates dates; this is {side.type}")
        if self.relation is Relation.AT or (self.span is not None) != self.relation.measured:
            raise RuleError(f"'{self.relation.value}' does not fit here")


@dataclass(frozen=True, slots=True)
class Any(TruthExpr):
    """There is such a record. `closed` ("known"): what is not recorded does not count as possible."""

    records: Records
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Every(TruthExpr):
    """There is no such record for which the body fails."""

    records: Records
    body: TruthExpr


@dataclass(frozen=True, slots=True)
class Has(TruthExpr):
    """The body holds for the picked record: for every record that could be the one."""

    pick: Pick
    body: TruthExpr

    def __post_init__(self) -> None:
        if not self.pick.by_time:
            raise RuleError("'has' goes with latest or earliest")


@dataclass(frozen=True, slots=True)
class Named(TruthExpr):
    """A definition of the trial, kept by name. `of` is the kind whose records it is about, or ""."""

    name: str
    expr: TruthExpr
    of: str = ""


HOURS = Unit.HOURS

#: Every node class there is; the completeness tests walk this.
NODES: tuple[type[Expr], ...] = (
    And, Or, Not, If, Compare, Member, Timing, Any, Every, Has, Named,
    Number, Limit, Pick, Field, Count, Age, Anchor, Arithmetic,
)  # fmt: skip


def children(node: Expr | Records | Lookback) -> tuple[Expr | Records | Lookback, ...]:
    """The direct parts of a node, in reading order."""
    match node:
        case And(parts) | Or(parts):
            return parts
        case Not(part):
            return (part,)
        case If(condition, then):
            return (condition, then)
        case Compare(_, left, right) | Arithmetic(_, left, right):
            return (left, right)
        case Member(value=value):
            return (value,)
        case Timing(event=event, anchor=anchor):
            return (event, anchor)
        case Any(records) | Count(_, records):
            return (records,)
        case Every(records, body):
            return (records, body)
        case Has(pick, body):
            return (pick, body)
        case Named(expr=expr):
            return (expr,)
        case Pick(records=records):
            return (records,)
        case Field(of=of):
            return () if of is None else (of,)
        case Age(anchor):
            return (anchor,)
        case Records(where=where, lookback=lookback):
            return tuple(part for part in (where, lookback) if part is not None)
        case Lookback(anchor=anchor):
            return (anchor,)
    return ()


def walk(node: Expr | Records | Lookback) -> list[Expr | Records | Lookback]:
    """The node and everything below it, from the top."""
    found = [node]
    for part in children(node):
        found.extend(walk(part))
    return found


def of_the_record(node: Expr | Records | Lookback) -> bool:
    """Whether what a node comes to depends on the record that the body around it is about."""
    match node:
        case Field(of=None):
            return True
        case Named(of=of):
            return bool(of)
        case Records(lookback=lookback):  # its `where` is about its own records
            return lookback is not None and of_the_record(lookback)
        case Every(records=records):
            return of_the_record(records)
        case Has(pick=pick):
            return of_the_record(pick)
    return any(of_the_record(part) for part in children(node))
