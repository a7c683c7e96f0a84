"""Fact, Coverage, Patient: what is known of one person, dated, typed, sourced, in canonical units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from onstudy.errors import Problem
from onstudy.values.calendar import UNDATED, When
from onstudy.values.interval import Interval

#: What a value or an attribute may be: numbers (canonical unit) between bounds, the set of codes it may
#: still have, or a moment. None is unknown: no bounds, any code.
Value = Interval | frozenset[str] | When | None

_NOTHING: Mapping[str, Value] = MappingProxyType({})
_NO_PARTS: Mapping[str, Fact] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fact:
    """One dated item of a record.

    `negative` facts say that there was nothing of the kind (`narrowed`: nothing of the kind with that
    attribute among those codes). `start` and `end` bound a period; a moment has `end` None and ends
    where it starts. `ongoing` marks a period recorded as active without an end: it lasts at least to
    the day asked about. `value` None with `lacks` says why a value is unknown. `uln` and `lln` are
    the limits of the laboratory that produced this very result, in the unit of the value. `parts` are
    the components taken together under this fact (the counts of one tap, the intervals of one tracing).
    """

    id: str
    kind: str
    start: When = UNDATED
    end: When | None = None
    negative: bool = False
    narrowed: tuple[str, frozenset[str]] | None = None
    ongoing: bool = False
    certain: bool = True  # False: suspected, provisional, differential
    value: Value = None
    lacks: str | None = None  # a Reason value: why `value` is unknown
    uln: Interval | None = None
    lln: Interval | None = None
    attributes: Mapping[str, Value] = field(default_factory=lambda: _NOTHING, hash=False)
    parts: Mapping[str, Fact] = field(default_factory=lambda: _NO_PARTS, hash=False)
    sample: str | None = None
    recorded: When | None = None
    shown: str = ""  # the value as recorded, for people
    source: str = ""  # where it was read: Observation/b1, facts[3]
    computed: bool = False  # by a formula of the catalogue
    #: (end, ongoing) as stated, where a newer record ended the period; what is written anew need not tell
    opened: tuple[When | None, bool] | None = field(default=None, compare=False)
    code_status: str = ""  # "", or C / M where the code that carried it is not confirmed


@dataclass(frozen=True, slots=True)
class Coverage:
    """A stretch of days over which a kind (or "all") is completely recorded; None is no bound."""

    kind: str
    first: int | None = None
    last: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """All facts of one person, with what could not be used. `sex` is also a fact of the kind `sex`.

    `answers` are the places of what was added to the record, as facts and problems name them.
    `withdrawn` are the ids of records, of another source, that this one says were entered in error.
    """

    id: str
    born: When = UNDATED
    facts: tuple[Fact, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    problems: tuple[Problem, ...] = ()
    answers: frozenset[str] = frozenset()
    withdrawn: tuple[str, ...] = field(default=(), compare=False)
