"""Deliberate faults in the vector engine, one function each: it breaks the engine for the length of a test."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onstudy.criteria.expr import Anchor, Records
from onstudy.criteria.finding import Reason
from onstudy.engines.vector import (
    arrays,
    calendar,
    causes,
    codes,
    counting,
    denials,
    extremes,
    fields,
    frames,
    judging,
    numbers,
    picking,
    queries,
    regions,
    relations,
    rowsets,
    states,
    subjects,
    truths,
    values,
    why,
    why_records,
    why_values,
)
from onstudy.engines.vector.arrays import FALSE, TRUE, Agreement
from onstudy.engines.vector.calendar import FAR
from onstudy.engines.vector.causes import AskBook
from onstudy.engines.vector.denials import Denials, Facing
from onstudy.engines.vector.fields import Read
from onstudy.engines.vector.frames import Frame, Setting
from onstudy.engines.vector.moments import Moments, of_days
from onstudy.engines.vector.numbers import Numbers
from onstudy.engines.vector.places import Places
from onstudy.engines.vector.rowsets import Family, RowSet
from onstudy.engines.vector.subjects import Recorded
from onstudy.engines.vector.trees import Forest
from onstudy.engines.vector.truths import Answers
from onstudy.values.calendar import Unit

Patch = pytest.MonkeyPatch
FAULTS: dict[str, Callable[[Patch], None]] = {}

_MODULES: tuple[ModuleType, ...] = (
    arrays, calendar, causes, codes, counting, denials, extremes, fields, frames, judging, numbers, picking, queries,
    regions, relations, rowsets, states, subjects, truths, values, why, why_records, why_values,
)  # fmt: skip


def _everywhere(patch: Patch, name: str, broken: Any) -> None:
    """Break a function in every module that has it."""
    for module in _MODULES:
        if hasattr(module, name):
            patch.setattr(module, name, broken)


def _cached(patch: Patch, owner: type, name: str, broken: Callable[[Any], Any]) -> None:
    """Break what an object works out once."""
    patch.setattr(owner, name, property(broken))


def fault(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
    """Register a fault under the name of its function."""
    FAULTS[plant.__name__.replace("_", " ")] = plant
    return plant


# Logic --------------------------------------------------------------------------------------------------------


@fault
def not_makes_unknown_true(patch: Patch) -> None:
    _everywhere(patch, "negated", lambda truth: np.where(truth == TRUE, FALSE, TRUE))


@fault
def candidates_are_believed_where_one_is_sure(patch: Patch) -> None:
    whole = Agreement.truth
    patch.setattr(Agreement, "truth", lambda self: np.where(self._seen >= 4, TRUE, whole(self)))


@fault
def that_there_may_be_no_record_is_forgotten(patch: Patch) -> None:
    patch.setattr(Agreement, "doubt", lambda self, rows: None)


@fault
def an_answer_without_assumptions_serves_for_one_with_them(patch: Patch) -> None:
    patch.setattr(Forest, "assumes", lambda self, node: False)


@fault
def a_body_is_asked_of_another_record(patch: Patch) -> None:
    whole = fields.read

    def broken(records: Any, name: str, kind: Any) -> Read:
        found = whole(records, name, kind)
        size = len(found.values)
        return found if size < 2 else Read(found.values.take(np.roll(np.arange(size), 1)), found.places)

    patch.setattr(fields, "read", broken)


# Numbers and codes ----------------------------------------------------------------------------------------------


@fault
def numbers_compare_without_tolerance(patch: Patch) -> None:
    patch.setattr(numbers, "RELATIVE_TOLERANCE", 0.0)


@fault
def open_bounds_are_ignored(patch: Patch) -> None:
    def broken(upper: Numbers, lower: Numbers) -> Any:
        return (upper.low > lower.high) & ~numbers.same(upper.low, lower.high)

    patch.setattr(numbers, "_above", broken)


@fault
def a_missing_number_is_zero(patch: Patch) -> None:
    whole = Places.numbers

    def broken(self: Places, name: str) -> Numbers:
        found = whole(self, name)
        if name != "value" or len(found) != len(self):
            return found
        low, high = (np.where(np.isnan(bound), 0.0, bound) for bound in (found.low, found.high))
        return Numbers(low, high)

    patch.setattr(Places, "numbers", broken)


@fault
def a_missing_limit_is_a_typical_one(patch: Patch) -> None:
    whole = Places.numbers

    def broken(self: Places, name: str) -> Numbers:
        found = whole(self, name)
        if name not in ("uln", "lln"):
            return found
        low = np.where(np.isnan(found.low), 1.2, found.low)
        return Numbers(low, low)

    patch.setattr(Places, "numbers", broken)


@fault
def some_codes_asked_for_are_all(patch: Patch) -> None:
    patch.setattr(codes, "_among", lambda word, members: 1 if not word else 2 if word & members else 0)


@fault
def silence_says_nothing(patch: Patch) -> None:
    patch.setattr(fields, "said_by_silence", lambda catalogue, kind, name: None)


@fault
def a_component_is_read_from_another_row(patch: Patch) -> None:
    whole = fields.component

    def broken(places: Places, name: str, base: str, family: Family) -> Read:
        found = whole(places, name, base, family)
        rows = np.roll(np.arange(len(places)), 1)
        return found if len(places) < 2 else Read(found.values.take(rows), found.places)

    patch.setattr(fields, "component", broken)


@fault
def the_highest_is_that_of_all_records(patch: Patch) -> None:
    whole = extremes._highest
    patch.setattr(extremes, "_highest", lambda at, span, sure, rows: whole(at, span, np.ones_like(sure), rows))


# Time -----------------------------------------------------------------------------------------------------------


@fault
def a_month_is_thirty_days(patch: Patch) -> None:
    patch.setattr(calendar, "_months_later", lambda days, months: days + 30 * months)


@fault
def a_day_a_month_lacks_runs_over(patch: Patch) -> None:
    def broken(days: Any, months: int) -> Any:
        month = calendar._month(days)
        return (days - calendar._first_of(month) + calendar._first_of(month + months)).astype(days.dtype)

    patch.setattr(calendar, "_months_later", broken)


@fault
def hours_are_counted_in_days(patch: Patch) -> None:
    whole = relations._relate_hours

    def broken(event: Moments, relation: Any, anchor: Moments, length: int) -> Any:
        return whole(of_days(event.last), relation, of_days(anchor.first), length)

    patch.setattr(relations, "_relate_hours", broken)


@fault
def offsets_from_universal_time_are_ignored(patch: Patch) -> None:
    _everywhere(patch, "universal", lambda moments, shared: moments.instants())


@fault
def the_first_day_of_a_window_is_outside(patch: Patch) -> None:
    whole = relations._overlapping

    def broken(start: Moments, end: Moments, back: Any, anchor: Moments) -> Any:
        early = Moments(anchor.first + 1, anchor.last + 1, None, None, anchor.stated)
        return whole(start, end, back, early if back.span and back.span.duration.unit is not Unit.HOURS else anchor)

    patch.setattr(relations, "_overlapping", broken)


@fault
def what_follows_another_record_may_lie_after_registration(patch: Patch) -> None:
    whole = queries.placed

    def broken(records: Any, at: Any, index: Any, asked: Any, anchors: Any) -> Any:
        if asked.lookback is None or anchors is None:
            return whole(records, at, index, asked, anchors)
        return queries._in_window(records, at, asked.lookback, anchors)

    _everywhere(patch, "placed", broken)


@fault
def an_ongoing_period_ends_on_the_index_date(patch: Patch) -> None:
    def broken(self: Recorded) -> Moments:
        days = self._end_of_days()
        return Moments(days.first, np.where(days.last >= FAR, self.index.first, days.last))

    _cached(patch, Recorded, "end", broken)


@fault
def a_record_without_a_date_has_no_bound(patch: Patch) -> None:
    patch.setattr(Recorded, "_bounded", lambda self, found, unbounded: found)


@fault
def records_are_prepared_for_every_registration_anew(patch: Patch) -> None:
    whole = Setting.__init__

    def broken(self: Setting, *args: Any, **kwargs: Any) -> None:
        whole(self, *args, **kwargs)
        self.prepared = self.index

    patch.setattr(Setting, "__init__", broken)


# Records ----------------------------------------------------------------------------------------------------------


@fault
def of_two_records_of_a_day_the_last_counts(patch: Patch) -> None:
    whole = picking.outermost

    def broken(truth: Any, start: Any, at: Any, rows: int, newest: bool) -> Any:
        kept = whole(truth, start, at, rows, newest)
        followed = np.zeros(len(at), np.bool_)
        followed[:-1] = (at[1:] == at[:-1]) & kept[1:]
        return kept & ~followed

    _everywhere(patch, "outermost", broken)


@fault
def a_record_that_may_lie_in_the_window_is_skipped(patch: Patch) -> None:
    whole = queries.placed
    _everywhere(patch, "placed", lambda *args: np.where(whole(*args) == TRUE, TRUE, FALSE))


@fault
def the_earliest_is_the_latest(patch: Patch) -> None:
    whole = picking.outermost
    _everywhere(patch, "outermost", lambda truth, start, at, rows, newest: whole(truth, start, at, rows, True))


@fault
def suspected_records_are_certain(patch: Patch) -> None:
    patch.setattr(Family, "uncertain", lambda self, records: np.zeros(len(records), np.bool_))


@fault
def records_of_a_group_are_records_of_its_members(patch: Patch) -> None:
    patch.setattr(Family, "unspecified", lambda self, records: np.zeros(1, np.bool_))


@fault
def negatives_are_records(patch: Patch) -> None:
    whole = rowsets._wanted
    patch.setattr(rowsets, "_wanted", lambda table, negative: None if not negative else whole(table, negative))


@fault
def rows_reach_the_next_patient(patch: Patch) -> None:
    _cached(patch, RowSet, "ends", lambda self: np.minimum(arrays.pointers(self.patient, self.patients) + 1, len(self)))


@fault
def records_are_laid_out_beside_the_wrong_pairs(patch: Patch) -> None:
    whole = Frame.to_pairs
    patch.setattr(Frame, "to_pairs", lambda self, rows: np.roll(whole(self, rows), 1))


@fault
def a_state_is_what_was_said_first(patch: Patch) -> None:
    whole = picking.outermost
    patch.setattr(states, "outermost", lambda truth, start, at, rows, newest: whole(truth, start, at, rows, False))


@fault
def a_state_is_never_denied(patch: Patch) -> None:
    patch.setattr(states, "_denied", lambda kind, frame: None)


@fault
def a_judgement_holds_for_what_it_never_saw(patch: Patch) -> None:
    patch.setattr(states, "_judged", lambda sets, *more: list(sets))


@fault
def a_judgement_has_not_seen_what_was_there_that_day(patch: Patch) -> None:
    whole = states._seen_until
    patch.setattr(states, "_seen_until", lambda part: whole(part) - 1)


@fault
def a_judgement_is_as_late_as_it_may_be(patch: Patch) -> None:
    patch.setattr(states, "_seen_until", lambda part: part.when.last)


@fault
def a_judgement_is_taken_back_by_what_may_yet_come(patch: Patch) -> None:
    patch.setattr(states, "_begun_or_charted", lambda subjects, at, certain: arrays.whole(subjects.start.last, len(at)))


@fault
def a_record_without_a_day_is_news_to_every_judgement(patch: Patch) -> None:
    def broken(subjects: Recorded, at: arrays.Index, certain: arrays.Mask) -> NDArray[np.int32]:
        return np.minimum(arrays.whole(subjects.start.last, len(at)), subjects.index.first).astype(np.int32)

    patch.setattr(states, "_begun_or_charted", broken)


@fault
def a_finding_that_is_charted_again_is_news(patch: Patch) -> None:
    patch.setattr(states, "least_alike", lambda values, keys: values)


@fault
def what_may_be_no_finding_shows_that_it_was_seen(patch: Patch) -> None:
    whole = states._begun_or_charted
    patch.setattr(
        states, "_begun_or_charted", lambda subjects, at, certain: whole(subjects, at, np.ones(len(at), np.bool_))
    )


@fault
def no_answer_of_a_judgement_stays(patch: Patch) -> None:
    patch.setattr(states, "_may_be_taken_back", lambda part, kind: True)


@fault
def a_judgement_speaks_of_every_record_of_a_kind(patch: Patch) -> None:
    patch.setattr(
        states,
        "judged_by",
        lambda kind, catalogue: [Records(judged.kind) for judged in catalogue.kinds[kind].judges],
    )


@fault
def nobody_is_asked_to_judge_anew(patch: Patch) -> None:
    patch.setattr(why.Whys, "_attest_anew", lambda self, kind, part: causes.none(len(part.at)))


# Counting ---------------------------------------------------------------------------------------------------------


@fault
def a_day_counts_for_each_record(patch: Patch) -> None:
    whole = counting.Covered.__init__

    def broken(self: counting.Covered, stretches: counting.Stretches) -> None:
        whole(self, stretches)
        at, first, last = stretches
        self.new = np.maximum(0, last - first + 1)[np.argsort(at * FAR + first, kind="stable")]

    patch.setattr(counting.Covered, "__init__", broken)


@fault
def a_daily_treatment_lies_on_its_first_and_last_day(patch: Patch) -> None:
    patch.setattr(counting, "DAILY", frozenset({"never"}))


@fault
def what_is_given_once_lies_on_its_first_and_last_day(patch: Patch) -> None:
    patch.setattr(counting, "ONCE", frozenset({"never"}))


@fault
def a_month_may_lie_after_the_day_it_was_recorded(patch: Patch) -> None:
    whole = Recorded._bounded
    patch.setattr(
        Recorded, "_bounded", lambda self, found, unbounded, vague: whole(self, found, unbounded, vague & False)
    )


@fault
def every_count_of_days_ends_with_registration(patch: Patch) -> None:
    patch.setattr(values, "_last_day", lambda records, frame, ask: None)


@fault
def days_are_counted_to_the_last_that_an_anchor_may_be(patch: Patch) -> None:
    whole = counting._last_days

    def broken(match: Any, until: Any) -> Any:
        last = whole(match, until)[1]
        return last, last

    patch.setattr(counting, "_last_days", broken)


@fault
def silence_leaves_a_count_as_it_is(patch: Patch) -> None:
    whole = Answers.open
    patch.setattr(
        Answers, "open", lambda self, records, body, frame: whole(self, records, body, frame) * (body is not None)
    )


# Absence ------------------------------------------------------------------------------------------------------------


@fault
def what_nobody_recorded_did_not_happen(patch: Patch) -> None:
    patch.setattr(truths, "could_be", lambda records, body, frame, ask: np.zeros(frame.rows, np.bool_))


@fault
def a_stretch_that_is_complete_is_all_of_time(patch: Patch) -> None:
    patch.setattr(regions, "_or", lambda days, nothing: np.full(len(days), nothing, np.int32))


@fault
def a_group_is_complete_where_a_member_is(patch: Patch) -> None:
    whole = Family.__init__

    def broken(self: Family, *args: Any, **kwargs: Any) -> None:
        whole(self, *args, **kwargs)
        self.itself_and_above = self.itself_and_above | self.below

    patch.setattr(Family, "__init__", broken)


@fault
def a_narrowed_negative_denies_everything(patch: Patch) -> None:
    _cached(patch, Denials, "narrowed", lambda self: np.zeros(1, np.bool_))


@fault
def a_negative_holds_whatever_is_newer(patch: Patch) -> None:
    def broken(denials: Denials, frame: Any, at: Any, family: Any) -> Any:
        return np.zeros(len(at), np.bool_), np.zeros(len(at), np.bool_)

    patch.setattr(regions, "_newer", broken)


@fault
def a_negative_outlives_what_opens_its_question_anew(patch: Patch) -> None:
    patch.setattr(regions, "_reopened", lambda denials, frame, at, judged: np.zeros(len(at), np.bool_))


@fault
def a_negative_settles_though_its_question_is_open_anew(patch: Patch) -> None:
    _cached(patch, Family, "reopened", lambda self: np.zeros(self.shard.patients.rows, np.bool_))


@fault
def what_begins_after_registration_ends_a_negative(patch: Patch) -> None:
    patch.setattr(regions, "_begun", lambda facts: np.ones(1, np.bool_))


@fault
def a_negative_outlives_a_diagnosis_that_nobody_could_read(patch: Patch) -> None:
    _cached(patch, Family, "unread", lambda self: rowsets.rows_of(self.shard, (), negative=False))


@fault
def a_negative_of_a_state_outlives_a_diagnosis_that_nobody_could_read(patch: Patch) -> None:
    patch.setattr(states, "over", lambda denials, frame, at, family: np.zeros(len(at), np.bool_))


@fault
def a_judgement_outlives_a_diagnosis_that_nobody_could_read(patch: Patch) -> None:
    patch.setattr(states, "may_be_judged", lambda kind, catalogue: False)


@fault
def every_judgement_is_of_diagnoses(patch: Patch) -> None:
    patch.setattr(states, "may_be_judged", lambda kind, catalogue: True)


@fault
def a_diagnosis_that_nobody_could_read_may_be_of_any_kind(patch: Patch) -> None:
    patch.setattr(rowsets, "may_be_among", lambda kind, catalogue: True)


@fault
def a_negative_settles_though_there_are_records(patch: Patch) -> None:
    _cached(patch, Family, "settled", lambda self: self.denied)


@fault
def contradictions_are_overlooked(patch: Patch) -> None:
    _everywhere(patch, "conflicting", lambda part: np.zeros(part.frame.rows, np.bool_))


@fault
def a_record_made_later_contradicts_all_the_same(patch: Patch) -> None:
    _cached(patch, Facing, "recorded_later", lambda self: np.zeros(len(self), np.int8))


@fault
def what_negatives_leave_of_a_detail_is_forgotten(patch: Patch) -> None:
    patch.setattr(fields, "remaining", lambda subjects, name, values, silent: None)


@fault
def what_negatives_leave_of_several_codes_is_forgotten(patch: Patch) -> None:
    patch.setattr(codes.Codes, "several", property(lambda self: np.zeros(1, np.bool_)))


@fault
def details_that_are_all_denied_contradict_nothing(patch: Patch) -> None:
    _everywhere(patch, "none_left", lambda subjects, name: np.zeros(1, np.bool_))


@fault
def what_may_be_denied_altogether_is_narrowed(patch: Patch) -> None:
    _cached(patch, Facing, "may_speak", lambda self: self.covers)


@fault
def a_negative_of_one_day_speaks_of_all_history(patch: Patch) -> None:
    def broken(self: Denials) -> Moments:
        size = len(self.places)
        return Moments(np.full(size, -FAR, np.int32), np.full(size, FAR, np.int32))

    _cached(patch, Denials, "begun", broken)


@fault
def any_absence_is_assumed(patch: Patch) -> None:
    _everywhere(patch, "assumes", lambda kind, ask, above: bool(ask.assumed))


# Causes and questions -------------------------------------------------------------------------------------------------


@fault
def only_the_first_unknown_part_is_explained(patch: Patch) -> None:
    whole = why.Whys._together
    patch.setattr(why.Whys, "_together", lambda self, node, parts, frame: whole(self, node, parts[:1], frame))


@fault
def an_older_event_makes_silence_stale(patch: Patch) -> None:
    whole = why_records.outside
    patch.setattr(why_records, "outside", lambda *args: (whole(*args)[0] | whole(*args)[1], whole(*args)[0] & False))


@fault
def a_result_is_to_confirm_like_an_absence(patch: Patch) -> None:
    patch.setattr(AskBook, "of_result", AskBook.of_kind)


@fault
def a_contradiction_has_no_cause(patch: Patch) -> None:
    whole = why_records.of_record

    def broken(part: Any, where: Any, kind: Any, undated: Any, unknown: Any, ask: Any) -> Any:
        found = whole(part, where, kind, undated, unknown, ask)
        found.reasons = found.reasons & ~causes.BITS[Reason.CONFLICT]
        return found

    _everywhere(patch, "of_record", broken)


@fault
def an_anchor_that_is_not_set_is_a_date_that_is_not_precise(patch: Patch) -> None:
    whole = why_values._anchor

    def broken(node: Any, frame: Any, ask: Any) -> Any:
        found = whole(node, frame, ask)
        return causes.ValueCauses(found.cases, [causes.none(frame.rows)], None, [])

    patch.setitem(why_values._VALUES, Anchor, broken)
