"""One shard asked all trials: statuses and verdicts of everybody, the candidates with what they lack, the counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from onstudy.criteria.finding import AskClass
from onstudy.criteria.trial import Cohort, Criterion, Trial
from onstudy.population.attrition import attrition
from onstudy.population.candidates import NEVER, PART_SCHEMA, Found, table_of
from onstudy.population.candidates_days import NO_DAY_AHEAD, Ahead, Required, first_days
from onstudy.population.candidates_turns import Turns, distances
from onstudy.population.limits import NumericLimit
from onstudy.population.limits_cost import Grouping, counted, grouping, groups, limits_of
from onstudy.population.prescreen_engine import Asked, Asks, Engine, Rows
from onstudy.population.prescreen_last import last_data, patient_ids
from onstudy.population.prescreen_pages import Page, page_of
from onstudy.population.prescreen_parts import Part
from onstudy.population.prescreen_question import Question, required
from onstudy.population.prescreen_verdicts import (
    INELIGIBLE,
    MET,
    NOT_APPLICABLE,
    NOT_MET,
    UNKNOWN,
    VERDICT_NAMES,
    Truths,
    statuses,
    verdicts,
)  # fmt: skip
from onstudy.record.catalogue import Catalogue
from onstudy.record.shard import Shard

Mask = NDArray[np.bool_]
_CLASSES = (AskClass.MISSING, AskClass.TO_CONFIRM, AskClass.TO_DO)


@dataclass(frozen=True)
class Plan:
    """A question with what follows from it and the catalogue, worked out once for all shards."""

    question: Question
    catalogue: Catalogue
    grouping: Grouping
    limits: Mapping[str, Mapping[str, Sequence[NumericLimit]]]

    @classmethod
    def of(cls, question: Question, catalogue: Catalogue) -> Plan:
        """The plan of a question."""
        return cls(question, catalogue, grouping(catalogue), {t.id: limits_of(t) for t in question.trials})


def answer(shard: Shard, engine: Engine, plan: Plan, trials: Sequence[Trial]) -> list[Part]:
    """The parts of some of the question's trials for one shard, in the order of `trials`."""
    everybody = engine(None, None)
    answered = [_Trial(trial, everybody, shard.patients.rows) for trial in trials]
    cohorts = [cohort for one in answered for cohort in one.cohorts]
    for cohort in cohorts:
        cohort.examine()
    candidates = _Candidates(shard, engine, plan, cohorts)
    kept_out = _KeptOut(engine, plan, _union(cohort.kept_out for cohort in cohorts))
    return [_part(one, candidates, kept_out) for one in answered]


def statuses_alone(shard: Shard, engine: Engine, trials: Sequence[Trial]) -> list[Mapping[str, Page]]:
    """The columns of criteria.parquet and nothing more: each status and verdict, both answers."""
    everybody = engine(None, None)
    return [_Trial(trial, everybody, shard.patients.rows).pages for trial in trials]


def _union(several: Iterable[Rows]) -> Rows:
    found: Rows = np.unique(np.concatenate([np.zeros(0, np.int32), *several]))
    return found


# Everybody ------------------------------------------------------------------------------------------------------


class _Trial:
    """One trial asked of everybody: the pages of its columns, and its cohorts."""

    def __init__(self, trial: Trial, everybody: Asked, patients: int) -> None:
        self.trial, self.patients = trial, patients
        self.pages: dict[str, Page] = {}
        truths: dict[str, tuple[Truths, Truths]] = {}
        shown: dict[str, tuple[Truths, Truths]] = {}
        nothing = np.full(patients, NOT_APPLICABLE, np.int8)
        for row in trial.criteria:
            shown[row.id] = (nothing, nothing)
            if row.rule is not None:
                truths[row.id] = everybody.truth(row.rule), everybody.truth(row.rule, confirmed=True)
                shown[row.id] = _shown(row, *truths[row.id], everybody)
            self._page(row.id, *shown[row.id])
        self.cohorts = []
        for cohort in trial.cohorts:
            rows = [row for row in required(trial, cohort) if row.rule is not None]
            found = _Cohort(cohort, rows, _stacked(truths, rows, patients), _stacked(shown, rows, patients))
            self._page(f"verdict.{cohort.id}", found.verdict, found.if_confirmed)
            self.cohorts.append(found)

    def _page(self, name: str, recorded: Truths, confirmed: Truths) -> None:
        self.pages[name] = self.pages[f"{name}.if_confirmed"] = page_of(recorded)
        if not np.array_equal(recorded, confirmed):
            self.pages[f"{name}.if_confirmed"] = page_of(confirmed)


def _shown(row: Criterion, recorded: Truths, confirmed: Truths, everybody: Asked) -> tuple[Truths, Truths]:
    """The statuses of a criterion from its truths; what is known as recorded is not asked again."""
    if row.conditional is None:
        return recorded, confirmed
    condition = row.conditional.condition
    now = statuses(recorded, everybody.truth(condition))
    later = statuses(confirmed, everybody.truth(condition, confirmed=True))
    return now, np.where(recorded == UNKNOWN, later, now)


def _stacked(
    found: Mapping[str, tuple[Truths, Truths]], rows: Sequence[Criterion], patients: int
) -> tuple[Truths, Truths]:
    """A row for each criterion, as recorded and if confirmed."""
    one, other = (np.array([found[row.id][which] for row in rows], np.int8) for which in (0, 1))
    return one.reshape(len(rows), patients), other.reshape(len(rows), patients)


class _Cohort:
    """The verdicts of one cohort; of its candidates, and of those a single criterion keeps out, a little more."""

    def __init__(
        self, cohort: Cohort, criteria: Sequence[Criterion], truths: tuple[Truths, Truths], shown: tuple[Truths, Truths]
    ) -> None:
        self.cohort, self.criteria = cohort, criteria
        recorded, confirmed = truths
        self.verdict, self.if_confirmed = verdicts(
            recorded.min(axis=0, initial=MET), confirmed.min(axis=0, initial=MET)
        )
        self._truths, self._shown = truths, shown

    def examine(self) -> None:
        """Whom which criterion keeps out; who is left is a candidate, with truths of their own."""
        recorded, confirmed = self._truths
        self.attrition = attrition(*self._shown)
        self.candidates: Rows = np.flatnonzero(self.verdict != INELIGIBLE).astype(np.int32)
        self.recorded, self.confirmed = recorded[:, self.candidates], confirmed[:, self.candidates]
        fails = recorded == NOT_MET
        self.kept_out: Rows = np.flatnonzero(fails.sum(axis=0) == 1).astype(np.int32)
        self.kept_out_by = fails[:, self.kept_out].argmax(axis=0) if len(fails) else self.kept_out
        del self._truths, self._shown

    def counts(self) -> dict[str, Any]:
        """How many have which verdict, and whom each criterion excludes."""
        return {
            "verdicts": np.bincount(self.verdict, minlength=len(VERDICT_NAMES)).tolist(),
            "verdicts_if_confirmed": np.bincount(self.if_confirmed, minlength=len(VERDICT_NAMES)).tolist(),
            "attrition": self.attrition.counts.tolist(),
        }


# Candidates -----------------------------------------------------------------------------------------------------


class _Candidates:
    """The candidates of all trials together, asked what they lack and from which day on they may be registered."""

    def __init__(self, shard: Shard, engine: Engine, plan: Plan, cohorts: Sequence[_Cohort]) -> None:
        self.plan = plan
        self.rows = _union(cohort.candidates for cohort in cohorts)
        self.asked = engine(self.rows, None)
        self.last = last_data(shard, plan.question.index)
        self.ids = patient_ids(shard).take(pa.array(self.rows))
        self._asks: dict[tuple[int, bool], Asks] = {}  # cohorts share most of their criteria
        self._ahead = _ahead(shard, engine, plan, cohorts)

    def found(self, cohort: _Cohort) -> Found:
        """The candidates of one cohort."""
        places = np.searchsorted(self.rows, cohort.candidates)
        ahead, on = self._ahead[id(cohort)], self.plan.question.index
        possible, earliest, later = (
            np.where(days == NO_DAY_AHEAD, NEVER, days + on)
            for days in (ahead.possible, ahead.recorded, ahead.confirmed)
        )
        return Found(
            patients=self.ids.take(pa.array(places)),
            verdict=cohort.verdict[cohort.candidates],
            if_confirmed=cohort.if_confirmed[cohort.candidates],
            criteria=[row.id for row in cohort.criteria],
            open=(cohort.recorded == UNKNOWN).T,
            asked=self._asked(cohort, places),
            possible_from=possible,
            earliest=earliest,
            earliest_if_confirmed=later,
            last_data=self.last[cohort.candidates],
        )

    def _asked(self, cohort: _Cohort, places: NDArray[np.intp]) -> dict[str, tuple[Sequence[str], Mask]]:
        """By class the kinds, and for each candidate which of them: the questions of the criteria that are unknown.

        What an assumed absence settles is to confirm; what stays unknown even then is to do or missing.
        """
        asked: dict[AskClass, dict[str, Mask]] = {cls: {} for cls in _CLASSES}
        for row, now, later in zip(cohort.criteria, cohort.recorded, cohort.confirmed, strict=True):
            assert row.rule is not None
            for confirmed, unknown in ((False, now == UNKNOWN), (True, later == UNKNOWN)):
                if not unknown.any():
                    continue
                found = self._asks.get((id(row.rule), confirmed))
                if found is None:
                    found = self._asks[id(row.rule), confirmed] = self.asked.asks(row.rule, confirmed)
                for (kind, cls), which in zip(found.keys, found.asked, strict=True):
                    if confirmed != (cls is AskClass.TO_CONFIRM):
                        mine = which[places] & unknown
                        asked[cls][kind] = asked[cls][kind] | mine if kind in asked[cls] else mine
        return {cls.value: _table(asked[cls], len(places)) for cls in _CLASSES}


def _ahead(shard: Shard, engine: Engine, plan: Plan, cohorts: Sequence[_Cohort]) -> dict[int, Ahead]:
    """The first days of every cohort's candidates, by the cohort; a rule that several share is asked once."""
    question, rows = plan.question, [cohort.candidates for cohort in cohorts]
    whens = {name: when for trial in question.trials for name, when in question.anchors_of(trial).items()}
    away = distances(whens, question.index)
    turns = Turns(shard, _union(rows), plan.catalogue, question.index, question.horizon, away)
    ends = np.cumsum([0, *(len(some) for some in rows)])
    parts: dict[int, list[Required]] = {}
    for start, cohort in zip(ends, cohorts, strict=False):
        places = np.arange(start, start + len(cohort.candidates))
        for row, now, later in zip(cohort.criteria, cohort.recorded, cohort.confirmed, strict=True):
            assert row.rule is not None
            parts.setdefault(id(row.rule), []).append(Required(row.rule, places, now, later))
    required = [Required(some[0].rule, *_joined(some)) for some in parts.values()]
    found = first_days(engine, turns, np.concatenate([np.zeros(0, np.int32), *rows]), required, plan.catalogue)
    return {
        id(cohort): Ahead(found.recorded[a:b], found.confirmed[a:b], found.possible[a:b])
        for cohort, a, b in zip(cohorts, ends, ends[1:], strict=False)
    }


def _joined(parts: Sequence[Required]) -> tuple[NDArray[np.intp], Truths, Truths]:
    return (
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.recorded for part in parts]),
        np.concatenate([part.confirmed for part in parts]),
    )


def _table(asked: Mapping[str, Mask], size: int) -> tuple[Sequence[str], Mask]:
    kinds = sorted(kind for kind, mine in asked.items() if mine.any())
    return kinds, np.array([asked[kind] for kind in kinds], np.bool_).reshape(len(kinds), size).T


def _asked_counts(found: Found) -> dict[str, Any]:
    """By class and kind how many candidates are asked it, and how many nothing else of the class."""
    counts: dict[str, Any] = {}
    for name, (kinds, asked) in found.asked.items():
        single = asked.sum(axis=1) == 1
        totals, alone = asked.sum(axis=0), asked[single].sum(axis=0)
        counts[name] = {kind: [int(totals[k]), int(alone[k])] for k, kind in enumerate(kinds)}
    missing = found.asked[AskClass.MISSING.value][1]
    counts["nothing_missing"] = int((missing.sum(axis=1) == 0).sum())
    return counts


# Limits ---------------------------------------------------------------------------------------------------------


class _KeptOut:
    """Those whom a single criterion keeps out of a cohort, compared again with its limits moved."""

    def __init__(self, engine: Engine, plan: Plan, rows: Rows) -> None:
        self.plan, self.rows = plan, rows
        self.asked = engine(rows, None)
        self.group = groups(self.asked.truth, plan.grouping)

    def counts(self, trial: Trial, cohort: _Cohort) -> dict[str, Any]:
        """For each criterion and step of a limit how many would come in, by group, in the worst and the best case."""
        places = np.searchsorted(self.rows, cohort.kept_out)
        found = {}
        for number, row in enumerate(cohort.criteria):
            limits = self.plan.limits[trial.id].get(row.id, ())
            mine = np.zeros(len(self.rows), np.bool_)
            mine[places[cohort.kept_out_by == number]] = True
            steps = [step.rule for limit in limits for step in limit.steps]
            found[row.id] = [counted(self.asked.truth(rule), mine, self.group) for rule in steps]
        return {name: steps for name, steps in found.items() if steps}


def _part(one: _Trial, candidates: _Candidates, kept_out: _KeptOut) -> Part:
    counts: dict[str, Any] = {}
    tables = [PART_SCHEMA.empty_table()]
    trial_place = candidates.plan.question.trials.index(one.trial)
    for place, cohort in enumerate(one.cohorts):
        found = candidates.found(cohort)
        tables.append(table_of(found, one.trial.id, cohort.cohort.id, trial_place, place))
        limits = kept_out.counts(one.trial, cohort)
        counts[cohort.cohort.id] = {**cohort.counts(), **_asked_counts(found), "limits": limits}
    anybody = len(_union(cohort.candidates for cohort in one.cohorts))
    return Part(one.patients, one.pages, pa.concat_tables(tables), {"candidates": anybody, "cohorts": counts})
