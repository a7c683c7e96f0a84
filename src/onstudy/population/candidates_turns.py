"""On which days of the horizon the answer to a rule may turn, for each of some patients.

An answer changes by time alone only where a date of the record, moved by a duration of the rule, passes by. The
days collected here are those and a few beside them; one too many costs time and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onstudy.criteria import expr as e
from onstudy.criteria.expr import TruthExpr
from onstudy.engines.vector.calendar import shifted
from onstudy.record.catalogue import Catalogue
from onstudy.record.shard import NO_DAY, NO_INSTANT, Shard
from onstudy.record.shard import Table as ShardTable
from onstudy.values.calendar import DAY, Duration, Unit, When

Days = NDArray[np.int32]
Rows = NDArray[np.int32]
#: A row for each patient asked about, a column for each day of the horizon.
Table = NDArray[np.bool_]

#: Bounds are inclusive or not, so the days beside one that is worked out count too; with months, whose last days fall
#: together, a few more.
_BESIDE, _BESIDE_MONTH_ENDS = range(-1, 3), range(-4, 5)
_REACH = max(max(abs(by) for by in days) for days in (_BESIDE, _BESIDE_MONTH_ENDS))
_INSTANTS = ("start", "end", "recorded", "opened", "born")


@dataclass(frozen=True)
class Clockwork:
    """What in a rule moves with the registration date: the kinds it looks at, its durations, ages, counted days."""

    kinds: frozenset[str]
    durations: tuple[Duration, ...]
    ages: bool
    opening: frozenset[str]  # kinds of which a record ends a "no" of the kinds asked for when it begins
    counted: frozenset[str]  # kinds of which days are counted: one that goes on gets longer every day


def clockwork(rule: TruthExpr, catalogue: Catalogue) -> Clockwork:
    """What moves in a rule."""
    nodes = e.walk(rule)
    spans = [node.span for node in nodes if isinstance(node, e.Timing | e.Lookback) and node.span is not None]
    days = [int(node.value) for node in nodes if isinstance(node, e.Number) and node.unit == e.DAYS]
    counts = [node for node in nodes if isinstance(node, e.Count) and node.of is not e.CountOf.RECORDS]
    kinds = _all_of((node.kind for node in nodes if isinstance(node, e.Records)), catalogue)
    kinds |= _all_of((judged.kind for name in kinds for judged in catalogue.kinds[name].judges), catalogue)
    opening = _all_of((judged.kind for name in kinds for judged in catalogue.reopeners[name]), catalogue)
    days += [most for name in sorted(kinds) if (most := catalogue.kinds[name].lasts_at_most) is not None]
    return Clockwork(
        kinds=kinds,
        durations=tuple(dict.fromkeys([*(span.duration for span in spans), *(Duration(n, Unit.DAYS) for n in days)])),
        ages=any(isinstance(node, e.Age) for node in nodes),
        opening=opening,
        counted=_all_of((node.records.kind for node in counts), catalogue),
    )


def _all_of(kinds: Iterable[str], catalogue: Catalogue) -> frozenset[str]:
    """The kinds with all below them and all groups above them."""
    return frozenset(other for kind in kinds for other in (*catalogue.families[kind], *catalogue.ancestors(kind)))


def distances(anchors: Mapping[str, When | None], first: int) -> tuple[int, ...]:
    """How many days after registration each anchor lies; registration itself lies at 0."""
    bounds = [bound for when in anchors.values() if when is not None for bound in (when.days.low, when.days.high)]
    return tuple(sorted({0, *(int(bound) - first for bound in bounds if bound is not None)}))


class Turns:
    """The dates of the records of some patients (`rows` of a shard), asked for the days on which rules may turn."""

    def __init__(
        self, shard: Shard, rows: Rows, catalogue: Catalogue, first: int, horizon: int, away: tuple[int, ...]
    ) -> None:
        self.shard, self.catalogue, self.first, self.horizon, self.away = shard, catalogue, first, horizon, away
        self._mine = np.zeros(shard.patients.rows, np.bool_)
        self._mine[rows] = True
        self._ends: dict[str, tuple[Rows, Days]] = {}

    def of(self, rule: TruthExpr, rows: Rows) -> tuple[Rows, Days]:
        """Pairs of a place in `rows` (some of the patients, each once) and a day ahead, from 1 on, sorted."""
        works = clockwork(rule, self.catalogue)
        wanted = np.full(self.shard.patients.rows, -1, np.int32)
        wanted[rows] = np.arange(len(rows), dtype=np.int32)
        turns = np.zeros((len(rows), self.horizon + 1), np.bool_)
        for kind in works.kinds & {*self.shard.kinds}:
            self._turn(turns, wanted, *self._endpoints(kind), works.durations)
        unread = {*self.shard.kinds} - {*self.catalogue.kinds}  # it may end a "no" as well
        for kind in unread | (works.opening & {*self.shard.kinds}):
            self._turn(turns, wanted, *self._endpoints(kind), ())
        self._turn(turns, wanted, *self._covered(), works.durations)
        if works.ages:
            self._birthdays(turns, rows)
        for kind in works.counted & {*self.shard.kinds}:
            turns[self._running(wanted, self.shard.table(kind)), 1:] = True
        which, days = np.nonzero(turns)
        return which.astype(np.int32), days.astype(np.int32)

    # Dates ------------------------------------------------------------------------------------------------------

    def _endpoints(self, kind: str) -> tuple[Rows, Days]:
        """Every day that a fact of a kind names, in order, with its patient."""
        if kind not in self._ends:
            table = self.shard.table(kind)
            patients, days = _named_days(table)
            # What states no day of its own is taken to have been by the first day (the dating rule of screening).
            open_ended = table.get("patient")[(table.get("start.day") == NO_DAY) | table.get("negative")]
            until = np.full(len(open_ended), self.first, np.int32)
            self._ends[kind] = self._in_order(np.concatenate([patients, open_ended]), np.concatenate([days, until]))
        return self._ends[kind]

    def _covered(self) -> tuple[Rows, Days]:
        if "" not in self._ends:
            table = self.shard.coverage
            patients = table.get("patient")
            days = np.concatenate([table.get("first"), table.get("last")])
            known = days != NO_DAY
            self._ends[""] = self._in_order(np.concatenate([patients, patients])[known], days[known])
        return self._ends[""]

    def _in_order(self, patients: Rows, days: Days) -> tuple[Rows, Days]:
        kept = np.flatnonzero(self._mine[patients])
        order = kept[np.argsort(days[kept], kind="stable")]
        return patients[order], days[order]

    # Turns ------------------------------------------------------------------------------------------------------

    def _turn(self, turns: Table, wanted: Rows, patients: Rows, days: Days, durations: Iterable[Duration]) -> None:
        """Mark the days on which a date, as it is or moved by a duration, passes an anchor."""
        reach = np.array([min(self.away), max(self.away) + self.horizon], np.int32) + np.int32(self.first)
        for duration, sign in [(None, 1), *((one, sign) for one in durations for sign in (1, -1))]:
            low, high = _moved(reach, duration, -sign)  # months moved back and forth end up days away
            near = slice(*days.searchsorted([low - 2 * _REACH, high + 2 * _REACH]))
            place = wanted[patients[near]]
            mine = np.flatnonzero(place >= 0)
            by_month = duration is not None and duration.unit in (Unit.MONTHS, Unit.YEARS)
            beside = _BESIDE_MONTH_ENDS if by_month else _BESIDE
            self._mark(turns, place[mine], _moved(days[near][mine], duration, sign), beside)

    def _mark(self, turns: Table, place: Rows, centre: Days, beside: range) -> None:
        """Mark days beside a centre, seen from each anchor, that lie within the horizon."""
        ahead = centre - self.first
        near = (ahead >= 1 - _REACH + min(self.away)) & (ahead <= self.horizon + _REACH + max(self.away))
        place, ahead = place[near], ahead[near]
        for away in {by - distance for by in beside for distance in self.away}:
            day = ahead + away
            within = (day > 0) & (day <= self.horizon)
            turns[place[within], day[within]] = True

    def _birthdays(self, turns: Table, rows: Rows) -> None:
        """Mark the days about a birthday within the horizon; every day where the date of birth is not one day."""
        born = self.shard.patients.get("born.day")[rows]
        turns[born == NO_DAY, 1:] = True
        place = np.flatnonzero(born != NO_DAY).astype(np.int32)
        born = born[place]
        for more in range(-1, 3):
            years = (self.first - born) // 365 + more
            self._mark(turns, place, np.asarray(born + np.floor(years * 365.2425), np.int32), _BESIDE_MONTH_ENDS)

    def _running(self, wanted: Rows, table: ShardTable) -> Rows:
        """The places of patients of whom a fact goes on, or may end after the earliest day up to which days count."""
        place = wanted[table.get("patient")]
        last, start = table.get("end.day"), table.get("start.day")
        ended = np.where(last != NO_DAY, last, start)
        runs = table.get("ongoing") | (ended == NO_DAY) | (ended > self.first + min(self.away) - 1)
        found: Rows = place[runs & (place >= 0)]
        return found


def _moved(days: Days, duration: Duration | None, sign: int) -> Days:
    """Days as they are, or moved by a duration, of which hours are whole days begun."""
    if duration is None:
        return days
    if duration.unit is Unit.HOURS:
        return days + np.int32(sign * -(-duration.amount // 24))
    return shifted(days, duration, sign)


def _named_days(table: ShardTable) -> tuple[Rows, Days]:
    """Every day that a row names in any of its moments."""
    patients = table.get("patient")
    rows, days = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for column in table.columns():
        owner, _, what = column.rpartition(".")
        if what == "day":
            found = table.get(column)
            known = found != NO_DAY
        elif what in ("low", "high") and (owner in _INSTANTS or owner.endswith(".at")):
            instants = table.get(column)
            known = instants != NO_INSTANT
            found = (np.where(known, instants, 0) // DAY).astype(np.int32)
        else:
            continue
        rows.append(patients[known])
        days.append(found[known])
    return np.concatenate(rows), np.concatenate(days)
