"""Generated patients as facts in arrays: each saying is read once, by the reader of patient files.

What is the same in all facts of a saying is its base; rows add patient, dates and id. `bulk_assemble` makes shards of
them, as of every other source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onstudy.errors import Problem
from onstudy.population.bulk_facts import Bases, Facts, join_facts
from onstudy.population.bulk_moments import Moments, none, starting, until
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_spans import Numbers, from_intervals
from onstudy.population.bulk_texts import Texts, same_text
from onstudy.population.generate_block import Block, counted, fact_id
from onstudy.population.generate_rows import MINUTE, MONTH, OFFSET_MINUTES, OPEN, UNSAID, YEAR, Dates, Rows, Saying
from onstudy.readers.reading import read_value, slot_of
from onstudy.readers.statement import Statement, Written
from onstudy.record.catalogue import PERIOD, QUANTITY, STATE, Catalogue
from onstudy.record.patient import Fact
from onstudy.record.shard import HIGH_OPEN, NO_INSTANT, NO_OFFSET
from onstudy.values.calendar import DAY as DAY_LONG
from onstudy.values.calendar import SECOND
from onstudy.values.interval import Interval

#: A date that a statement needs to be read at all; rows have their own.
_SOME_DAY = "2000-01-01"
_UNIX = 719_163  # the ordinal of 1970-01-01


@dataclass(frozen=True)
class Template:
    """What the reader makes of a saying: a fact, if any, and what is wrong with it.

    `value` and `shown` are the fact's own; sayings that differ in an amount alone share the rest. `bare` is what is
    the same in all facts of the saying.
    """

    fact: Fact | None
    problems: tuple[Problem, ...]
    bare: Fact
    value: Interval | None = None
    shown: str = ""


_Key = tuple[tuple[str, str], ...]
_AMOUNT = re.compile(r"[1-9][0-9]*(?:\.[0-9]+)?|0\.[0-9]*[1-9]")


class Templates:
    """The sayings read so far. Of those that differ in an amount alone the first is read whole, the others' amounts."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._known: dict[_Key, Template] = {}
        self._like: dict[_Key, Template] = {}
        self._slots = {kind.name: slot_of(kind, catalogue) for kind in catalogue if kind.value == QUANTITY}

    def of(self, saying: Saying) -> Template:
        """What is made of a saying."""
        key = tuple(saying.items())
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._made(saying)
        return found

    def _made(self, saying: Saying) -> Template:
        amount, slot = saying.get("value", ""), self._slots.get(saying["kind"])
        if slot is None or not _AMOUNT.fullmatch(amount):
            return self._read(saying)
        rest = tuple((key, word) for key, word in saying.items() if key != "value")
        like = self._like.get(rest)
        if like is None:
            like = self._like[rest] = self._read(saying)
            return like
        if like.fact is None:
            return like
        reading = read_value(slot, amount, saying.get("unit", ""))
        return Template(like.fact, like.problems, like.bare, _amount(reading.value), reading.shown)

    def _read(self, saying: Saying) -> Template:
        written: dict[str, Written] = {**saying, "recorded": _SOME_DAY}
        statement = Statement(written, self.catalogue, "", "generated")
        fact, problems = statement.fact(), tuple(statement.problems)
        if fact is None:
            return Template(None, problems, Fact("", saying["kind"]))
        return Template(fact, problems, _bare(fact), _amount(fact.value), fact.shown)


@dataclass(frozen=True, eq=False)
class Generated:
    """The facts of a block; (whole, part, name) for each component of what was stated together; and problems."""

    facts: Facts
    bases: Bases
    wholes: Ints
    parts: Ints
    names: list[str]
    problems: list[tuple[int, Problem]]


def facts_of(block: Block, templates: Templates) -> Generated:
    """The facts that a block of patients states."""
    made = _Making(templates)
    for rows in block.rows.values():
        made.add(rows)
    facts = join_facts(made.found)
    whole = np.concatenate(made.wholes) if made.wholes else np.zeros(0, np.int64)
    part = np.concatenate(made.parts) if made.parts else np.zeros(0, np.int64)
    return Generated(facts, made.bases, whole, part, made.names, made.problems)


class _Making:
    """Facts as they are made, kind by kind."""

    def __init__(self, templates: Templates) -> None:
        self.templates, self.bases = templates, Bases()
        self.found: list[Facts] = []
        self.wholes: list[Ints] = []
        self.parts: list[Ints] = []
        self.names: list[str] = []
        self.problems: list[tuple[int, Problem]] = []
        self._count = 0

    def add(self, rows: Rows) -> None:
        """The facts of the statements of one kind."""
        templates = [self.templates.of(saying) for saying in rows.sayings]
        number = counted(rows)
        self._note(rows, templates, number)
        there = np.array([template.fact is not None for template in templates], bool)[rows.said]
        rows, number = rows.of(there), number[there]
        nothing = Fact("", rows.kind)
        facts = [template.fact or nothing for template in templates]
        most = int(number.max(initial=1))
        ids = pa.array([fact_id(rows.kind, count) for count in range(1, most + 1)], pa.string())
        name = Texts((ids,), number - 1)
        times = self._times(rows, facts)
        values = _all(facts, [one.value for one in templates], [one.shown for one in templates], rows.said)
        first = self._put(rows.patient, self._bases(rows, templates), times, values, name, name)
        self._components(rows, facts, times, number, most, name, first)

    def _note(self, rows: Rows, templates: Sequence[Template], number: Ints) -> None:
        """The problems of the statements."""
        wrong = np.array([bool(template.problems) for template in templates], bool)[rows.said]
        for row in np.flatnonzero(wrong).tolist():
            where = fact_id(rows.kind, int(number[row]))
            for problem in templates[int(rows.said[row])].problems:
                self.problems.append((int(rows.patient[row]), replace(problem, where=where)))

    def _bases(self, rows: Rows, templates: Sequence[Template]) -> Ints:
        """The place of each row's base: of its saying, ongoing or not."""
        lasting = self.templates.catalogue.kinds[rows.kind].extent == PERIOD
        going = np.asarray((rows.end.grain == OPEN) & lasting, np.int64)
        code = rows.said * 2 + going
        distinct, index = np.unique(code, return_inverse=True)
        known: dict[tuple[int, bool], int] = {}  # many sayings share one base
        places = [self._place(templates[c // 2].bare, bool(c % 2), known) for c in distinct.tolist()]
        return np.array(places, np.int64)[index]

    def _place(self, bare: Fact, going: bool, known: dict[tuple[int, bool], int]) -> int:
        """The place of a base; `known` has those of the same objects."""
        key = id(bare), going
        if key not in known:
            known[key] = self.bases.place(replace(bare, ongoing=True) if going else bare)
        return known[key]

    def _times(self, rows: Rows, facts: Sequence[Fact]) -> tuple[Moments, Moments, Moments]:
        """Start, end and day of record, as `readers/timing.py` places them."""
        start, end, recorded = moments(rows.start), moments(rows.end), moments(rows.recorded)
        extent = self.templates.catalogue.kinds[rows.kind].extent
        negative = np.array([fact.negative for fact in facts], bool)[rows.said]
        begun = pick(start.stated, start, recorded if extent == STATE else until(recorded))
        begun = replace(begun, stated=np.ones(len(begun), bool))
        over = pick(end.stated, end, starting(begun)) if extent == PERIOD else none(len(begun))
        over = pick(rows.end.grain != OPEN, over, none(len(begun)))
        if not negative.any():
            return begun, over, recorded
        since = replace(pick(start.stated & end.stated, start, none(len(begun))), stated=np.ones(len(begun), bool))
        last = pick(end.stated, end, pick(start.stated, start, recorded))
        last = replace(last, stated=np.ones(len(begun), bool))
        return pick(negative, since, begun), pick(negative, last, over), recorded

    def _components(
        self,
        rows: Rows,
        facts: Sequence[Fact],
        times: tuple[Moments, Moments, Moments],
        number: Ints,
        most: int,
        source: Texts,
        first: int,
    ) -> None:
        """The components of what was stated together, each beside its whole."""
        for name in dict.fromkeys(name for fact in facts for name in fact.parts):
            held = np.flatnonzero(np.array([name in fact.parts for fact in facts], bool)[rows.said])
            nothing = Fact("", rows.kind)
            parts = [fact.parts.get(name) or nothing for fact in facts]
            known = {id(part): self.bases.place(_bare(part)) for part in {id(part): part for part in parts}.values()}
            places = np.array([known[id(part)] for part in parts], np.int64)
            said = rows.said[held]
            ids = pa.array([f"{fact_id(rows.kind, count)}.{name}" for count in range(1, most + 1)], pa.string())
            mine = times[0].take(held), none(len(held)), times[2].take(held)
            named = Texts((ids,), number[held] - 1)
            values = _all(parts, [_amount(part.value) for part in parts], [part.shown for part in parts], said)
            at = self._put(rows.patient[held], places[said], mine, values, named, source.take(held))
            self.wholes.append(held + first)
            self.parts.append(np.arange(len(held)) + at)
            self.names += [name] * len(held)

    def _put(
        self,
        patient: Ints,
        base: Ints,
        times: tuple[Moments, Moments, Moments],
        values: tuple[Numbers, Numbers, Numbers, Texts],
        id: Texts,
        source: Texts,
    ) -> int:
        """Add facts; returns the place of the first."""
        value, uln, lln, shown = values
        sample = same_text(None, len(patient))
        self.found.append(Facts(patient, base, *times, value, uln, lln, id, source, shown, sample))
        self._count += len(patient)
        return self._count - len(patient)


def _bare(fact: Fact) -> Fact:
    """What is the same in all facts of a saying: without what arrays hold."""
    value = None if _amount(fact.value) else fact.value
    return Fact(
        "",
        fact.kind,
        negative=fact.negative,
        narrowed=fact.narrowed,
        certain=fact.certain,
        value=value,
        lacks=fact.lacks,
        attributes=fact.attributes,
        code_status=fact.code_status,
    )


def _all(
    facts: Sequence[Fact], values: Sequence[Interval | None], shown: Sequence[str], said: Ints
) -> tuple[Numbers, Numbers, Numbers, Texts]:
    """Value, limits and what is shown of each row."""
    numbers = [from_intervals(column) for column in (values, [f.uln for f in facts], [f.lln for f in facts])]
    value, uln, lln = (one.take(said).compact for one in numbers)
    return value, uln, lln, Texts((pa.array(shown, pa.string()),), said)


def _amount(value: object) -> Interval | None:
    """A value that is a number; arrays hold it."""
    return value if isinstance(value, Interval) else None


# Dates ----------------------------------------------------------------------------------------------------


def moments(dates: Dates) -> Moments:
    """Dates as moments; what says no date is not stated."""
    grain, day = dates.grain, dates.day
    first, last = day.copy(), day + 1
    for coarse, unit in ((MONTH, "M8[M]"), (YEAR, "M8[Y]")):
        some = grain == coarse
        if some.any():
            whole = (day[some] - _UNIX).astype("M8[D]").astype(unit)
            first[some], last[some] = _ordinals(whole), _ordinals(whole + 1)
    timed = grain == MINUTE
    instant = day * DAY_LONG + dates.minute.astype(np.int64) * 60 * SECOND
    stated = (grain != UNSAID) & (grain != OPEN)
    low = np.where(timed, instant, first * DAY_LONG)
    high = np.where(timed, instant, last * DAY_LONG)
    return Moments(
        np.where(stated, low, NO_INSTANT),
        np.where(stated, high, NO_INSTANT),
        np.where(stated & ~timed, HIGH_OPEN, 0).astype(np.int8),
        np.where(timed, OFFSET_MINUTES, NO_OFFSET).astype(np.int16),
        stated,
    ).compact


def _ordinals(dates: NDArray[np.datetime64]) -> Ints:
    return np.asarray(dates.astype("M8[D]").astype(np.int64) + _UNIX)


def pick(where: NDArray[np.bool_], one: Moments, other: Moments) -> Moments:
    """Moments of the one where it holds, elsewhere of the other."""
    return Moments(*(np.where(where, *both) for both in zip(one.arrays, other.arrays, strict=True))).compact
