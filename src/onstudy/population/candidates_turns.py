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
from onstudy.record.shard import NO_DAY, NO_INSTANT, Shard, Table
from onstudy.values.calendar import DAY, Duration, Unit, When

Days = NDArray[np.int32]
Rows = NDArray[np.int32]

#: Bounds are inclusive or not, so the days beside one that is worked out count too; with months, whose last days fall
#: together, a few more.
_BESIDE, _BESIDE_MONTH_ENDS = range(-1, 3), range(-4, 5)
_INSTANTS = ("start", "end", "recorded", "opened", "born")


@dataclass(frozen=True)
class Clockwork:
    """What in a rule moves with the registration date: the kinds it looks at, its durations, ages, counted days."""

    kinds: frozenset[str]
    durations: tuple[Duration, ...]
    ages: bool
    counted: frozenset[str]  # kinds of which days are counted: one that goes on gets longer every day


def clockwork(rule: TruthExpr, catalogue: Catalogue) -> Clockwork:
    """What moves in a rule."""
    nodes = e.walk(rule)
    spans = [node.span for node in nodes if isinstance(node, e.Timing | e.Lookback) and node.span is not None]
    days = [int(node.value) for node in nodes if isinstance(node, e.Number) and node.unit == e.DAYS]
    counts = [node for node in nodes if isinstance(node, e.Count) and node.of is not e.CountOf.RECORDS]
    return Clockwork(
        kinds=_all_of((node.kind for node in nodes if isinstance(node, e.Records)), catalogue),
        durations=tuple(dict.fromkeys([*(span.duration for span in spans), *(Duration(n, Unit.DAYS) for n in days)])),
        ages=any(isinstance(node, e.Age) for node in nodes),
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
    """The dates of a shard's records, asked for the days on which rules may turn."""

    def __init__(self, shard: Shard, catalogue: Catalogue, first: int, horizon: int, away: tuple[int, ...]) -> None:
        self.shard, self.catalogue, self.first, self.horizon, self.away = shard, catalogue, first, horizon, away
        self._ends: dict[str, tuple[Rows, Days]] = {}

    def of(self, rule: TruthExpr, rows: Rows) -> tuple[Rows, Days]:
        """Pairs of a place in `rows` (sorted rows of the shard) and a day ahead, from 1 on, sorted."""
        works = clockwork(rule, self.catalogue)
        wanted = np.full(self.shard.patients.rows, -1, np.int32)
        wanted[rows] = np.arange(len(rows), dtype=np.int32)
        found = []
        for kind in works.kinds & {*self.shard.kinds}:
            found.append(self._turns(wanted, *self._endpoints(kind), works.durations))
        found.append(self._turns(wanted, *self._covered(), works.durations))
        if works.ages:
            found.append(self._birthdays(rows))
        for kind in works.counted & {*self.shard.kinds}:
            found.append(self._running(wanted, self.shard.table(kind)))
        key = np.unique(np.concatenate([np.zeros(0, np.int64), *found]))
        return (key // (self.horizon + 1)).astype(np.int32), (key % (self.horizon + 1)).astype(np.int32)

    # Dates ------------------------------------------------------------------------------------------------------

    def _endpoints(self, kind: str) -> tuple[Rows, Days]:
        """Every day that a fact of a kind names, with its patient."""
        if kind not in self._ends:
            table = self.shard.table(kind)
            patients, days = _named_days(table)
            # What states no day of its own is taken to have been by the first day (the dating rule of screening).
            open_ended = table.get("patient")[(table.get("start.day") == NO_DAY) | table.get("negative")]
            until = np.full(len(open_ended), self.first, np.int32)
            self._ends[kind] = np.concatenate([patients, open_ended]), np.concatenate([days, until])
        return self._ends[kind]

    def _covered(self) -> tuple[Rows, Days]:
        if "" not in self._ends:
            table = self.shard.coverage
            patients = table.get("patient")
            days = np.concatenate([table.get("first"), table.get("last")])
            known = days != NO_DAY
            self._ends[""] = np.concatenate([patients, patients])[known], days[known]
        return self._ends[""]

    # Turns ------------------------------------------------------------------------------------------------------

    def _turns(self, wanted: Rows, patients: Rows, days: Days, durations: Iterable[Duration]) -> NDArray[np.int64]:
        """The days on which a date, as it is or moved by a duration, passes an anchor."""
        place = wanted[patients]
        mine = place >= 0
        place, days = place[mine], days[mine]
        centres = [(days, _BESIDE)]
        for duration in durations:
            if duration.unit in (Unit.MONTHS, Unit.YEARS):
                centres += [(shifted(days, duration, sign), _BESIDE_MONTH_ENDS) for sign in (1, -1)]
            else:
                centres += [(days + sign * _whole_days(duration), _BESIDE) for sign in (1, -1)]
        found = [np.zeros(0, np.int64)]
        for centre, beside in centres:
            for away in sorted({by - distance for by in beside for distance in self.away}):
                found.append(self._keys(place, centre + away - self.first))
        return np.concatenate(found)

    def _keys(self, place: Rows, ahead: Days) -> NDArray[np.int64]:
        within = (ahead > 0) & (ahead <= self.horizon)
        return place[within].astype(np.int64) * (self.horizon + 1) + ahead[within]

    def _birthdays(self, rows: Rows) -> NDArray[np.int64]:
        """The days about a birthday within the horizon; every day where the date of birth is not one day."""
        born = self.shard.patients.get("born.day")[rows]
        place = np.arange(len(rows), dtype=np.int32)
        found = [self._every_day(place[born == NO_DAY])]
        known = np.where(born == NO_DAY, np.int32(self.first), born)
        years = (self.first - known) // 365
        for more in (-1, 0, 1, 2):
            turned = np.where(born == NO_DAY, np.int32(NO_DAY // 2), _later(known, years + more))
            for away in sorted({by - distance for by in _BESIDE_MONTH_ENDS for distance in self.away}):
                found.append(self._keys(place, turned + away - self.first))
        return np.concatenate(found)

    def _running(self, wanted: Rows, table: Table) -> NDArray[np.int64]:
        """Every day, where a fact goes on, or may end after the first day."""
        place = wanted[table.get("patient")]
        last = table.get("end.day")
        start = table.get("start.day")
        ended = np.where(last != NO_DAY, last, start)
        runs = table.get("ongoing") | (ended == NO_DAY) | (ended > self.first)
        return self._every_day(np.unique(place[runs & (place >= 0)]))

    def _every_day(self, place: Rows) -> NDArray[np.int64]:
        days = np.arange(1, self.horizon + 1, dtype=np.int64)
        return (place.astype(np.int64)[:, None] * (self.horizon + 1) + days).ravel()


def _whole_days(duration: Duration) -> int:
    if duration.unit is Unit.HOURS:
        return -(-duration.amount // 24)
    return duration.amount * (7 if duration.unit is Unit.WEEKS else 1)


def _later(days: Days, years: NDArray[np.int32]) -> Days:
    """The same day of another year, near enough: the days beside it are taken as well."""
    return (days + np.floor(years * 365.2425)).astype(np.int32)


def _named_days(table: Table) -> tuple[Rows, Days]:
    """Every day that a row names in any of its moments, once."""
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
    key = np.unique(np.concatenate(rows).astype(np.int64) << 32 | np.concatenate(days).astype(np.int64))
    return (key >> 32).astype(np.int32), (key & 0xFFFFFFFF).astype(np.int32)
