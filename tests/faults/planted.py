"""Deliberate faults, one function each: it breaks values or the reference engine for the length of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Finding
from onstudy.engines import candidates, cases, counting, memory, records, timing, view, windows
from onstudy.engines.candidates import Case, Match
from onstudy.engines.cases import Cases
from onstudy.engines.memory import Memory
from onstudy.engines.records import Records
from onstudy.engines.view import Subject, View
from onstudy.language import unparse
from onstudy.record.catalogue import MOMENT, Catalogue, load_catalogue
from onstudy.record.patient import Fact
from onstudy.values import calendar, interval
from onstudy.values.calendar import DAY, HOUR, Duration, Unit, When, on_day
from onstudy.values.interval import Interval, Op, point
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth

Patch = pytest.MonkeyPatch
FAULTS: dict[str, Callable[[Patch], None]] = {}


#: The modules of the reference engine. A function one takes from another is broken in all of them.
_ENGINE = (memory, records, cases, counting, timing)


def _everywhere(patch: Patch, name: str, broken: Any) -> None:
    for module in _ENGINE:
        if hasattr(module, name):
            patch.setattr(module, name, broken)


def fault(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
    """Register a fault under the name of its function."""
    FAULTS[plant.__name__.replace("_", " ")] = plant
    return plant


# Logic --------------------------------------------------------------------------------------------------


@fault
def not_changes_nothing(patch: Patch) -> None:
    _everywhere(patch, "negate", lambda truth: truth)


@fault
def not_makes_unknown_true(patch: Patch) -> None:
    _everywhere(patch, "negate", lambda truth: TRUE if truth is not TRUE else FALSE)


@fault
def and_takes_unknown_for_false(patch: Patch) -> None:
    _everywhere(patch, "all_of", lambda parts: TRUE if all(part is TRUE for part in parts) else FALSE)


@fault
def or_stays_unknown_beside_a_true_part(patch: Patch) -> None:
    def broken(parts: Any) -> Truth:
        found = list(parts)
        return UNKNOWN if UNKNOWN in found else max(found, default=FALSE)

    _everywhere(patch, "any_of", broken)


@fault
def candidates_vote_by_majority(patch: Patch) -> None:
    def broken(truths: Any) -> Truth:
        found = list(truths)
        return max(found, key=found.count) if found else UNKNOWN

    _everywhere(patch, "agreed", broken)


# Comparing ----------------------------------------------------------------------------------------------


@fault
def numbers_compare_without_tolerance(patch: Patch) -> None:
    patch.setattr(interval, "RELATIVE_TOLERANCE", 0.0)


@fault
def open_bounds_are_ignored(patch: Patch) -> None:
    whole = interval.compare

    def closed(span: Interval | None) -> Interval | None:
        return None if span is None else Interval(span.low, span.high)

    _everywhere(patch, "compare", lambda op, left, right: whole(op, closed(left), closed(right)))


@fault
def a_missing_value_is_at_least_zero(patch: Patch) -> None:
    whole = memory._compared
    patch.setattr(
        memory,
        "_compared",
        lambda op, left, right: whole(op, Interval(0.0, None) if left is None else left, right),
    )


@fault
def a_missing_limit_is_a_typical_one(patch: Patch) -> None:
    whole = Memory._against_limit

    def broken(self: Memory, op: Op, case: Case, limit: e.Limit) -> Any:
        if case.about is not None and case.about.uln is None and case.about.lln is None:
            case = replace(case, about=replace(case.about, uln=point(40.0), lln=point(10.0)))
        return whole(self, op, case, limit)

    patch.setattr(Memory, "_against_limit", broken)


@fault
def the_lower_limit_is_taken_for_the_upper(patch: Patch) -> None:
    whole = Memory._against_limit
    patch.setattr(
        Memory, "_against_limit", lambda self, op, case, limit: whole(self, op, case, replace(limit, limit="ULN"))
    )


@fault
def a_group_does_not_stand_for_its_members(patch: Patch) -> None:
    whole = memory._TRUTHS[e.Member]

    def broken(self: Memory, node: e.Member, subject: Subject | None) -> Finding:
        return whole(self, replace(node, members=frozenset(node.names)), subject)

    patch.setitem(memory._TRUTHS, e.Member, broken)


@fault
def one_possible_code_is_enough(patch: Patch) -> None:
    whole = Cases.of

    def broken(self: Cases, node: e.ValueExpr, subject: Subject | None) -> list[Case]:
        found = whole(self, node, subject)
        return [
            replace(c, value=frozenset(sorted(c.value)[:1])) if isinstance(c.value, frozenset) else c for c in found
        ]

    patch.setattr(Cases, "of", broken)


# Calendar -----------------------------------------------------------------------------------------------


@fault
def within_days_leaves_the_last_day_out(patch: Patch) -> None:
    whole = calendar.shift_days

    def broken(days: Interval, duration: Duration, sign: int = 1) -> Interval:
        found = whole(days, duration, sign)
        return interval.add(found, point(1)) if sign < 0 else found

    patch.setattr(timing, "shift_days", broken)


@fault
def at_least_days_wants_one_day_more(patch: Patch) -> None:
    whole = calendar.shift_days

    def broken(days: Interval, duration: Duration, sign: int = 1) -> Interval:
        found = whole(days, duration, sign)
        return interval.add(found, point(1)) if sign > 0 else found

    patch.setattr(timing, "shift_days", broken)


@fault
def months_are_30_days(patch: Patch) -> None:
    patch.setattr(calendar, "add_months", lambda day, months: day + 30 * months)


@fault
def months_have_their_average_length(patch: Patch) -> None:
    patch.setattr(calendar, "add_months", lambda day, months: day + round(30.4375 * months))


@fault
def four_months_are_120_days(patch: Patch) -> None:
    whole = calendar.add_months
    patch.setattr(
        calendar, "add_months", lambda day, months: day + 30 * months if abs(months) == 4 else whole(day, months)
    )


@fault
def a_day_that_a_month_lacks_runs_over_into_the_next(patch: Patch) -> None:
    def broken(day: int, months: int) -> int:
        start = date.fromordinal(day)
        year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
        return date(year, month + 1, 1).toordinal() + start.day - 1

    patch.setattr(calendar, "add_months", broken)


@fault
def six_weeks_are_one_and_a_half_months(patch: Patch) -> None:
    whole = calendar.shift_day

    def broken(day: int, duration: Duration, sign: int = 1) -> int:
        if duration.unit is not Unit.WEEKS:
            return whole(day, duration, sign)
        return calendar.add_months(day, sign * (duration.amount // 4)) + sign * 15 * (duration.amount % 4 // 2)

    patch.setattr(calendar, "shift_day", broken)


@fault
def hours_are_counted_by_the_calendar_day(patch: Patch) -> None:
    def broken(event: When, relation: e.Relation, anchor: When, length: int) -> Truth:
        return timing.relate(event, relation, anchor, Duration(max(1, length // (24 * HOUR)), Unit.DAYS))

    patch.setattr(timing, "_relate_hours", broken)


@fault
def a_dose_without_a_time_is_given_at_midnight(patch: Patch) -> None:
    whole = timing._relate_hours

    def broken(event: When, relation: e.Relation, anchor: When, length: int) -> Truth:
        low = event.span.low
        return whole(event if low is None else When(point(low), event.offset), relation, anchor, length)

    patch.setattr(timing, "_relate_hours", broken)


@fault
def offsets_are_ignored_for_hours(patch: Patch) -> None:
    patch.setattr(When, "instants", lambda self, shared: self.span)


@fault
def offsets_shift_the_calendar_day(patch: Patch) -> None:
    whole = timing.relate

    def broken(event: When, relation: e.Relation, anchor: When, duration: Duration | None) -> Truth:
        return whole(When(event.instants(True)), relation, anchor, duration)

    patch.setattr(memory, "relate", broken)


@fault
def age_is_days_by_365_and_a_quarter(patch: Patch) -> None:
    patch.setattr(calendar, "completed_years", lambda born, on: int((on - born) / 365.25))


@fault
def age_is_rounded(patch: Patch) -> None:
    patch.setattr(calendar, "completed_years", lambda born, on: round((on - born) / 365.25))


@fault
def an_imprecise_date_is_its_first_day(patch: Patch) -> None:
    whole = timing.relate

    def first(when: When) -> When:
        low = when.days.low
        return when if low is None or when.span.exact else on_day(int(low))

    patch.setattr(memory, "relate", lambda a, how, b, length: whole(first(a), how, b, length))


@fault
def an_anchor_that_is_not_set_is_registration(patch: Patch) -> None:
    whole = cases._VALUES[e.Anchor]

    def broken(self: Cases, node: e.Anchor, subject: Subject | None) -> list[Case]:
        known = self.anchors.get(node.name) is not None
        return whole(self, node if known else replace(node, name="registration"), subject)

    patch.setitem(cases._VALUES, e.Anchor, broken)


# Records and windows --------------------------------------------------------------------------------------


@fault
def records_after_registration_are_looked_at(patch: Patch) -> None:
    patch.setattr(Records, "until_index", lambda self, fact: TRUE)


@fault
def a_period_lies_where_it_starts(patch: Patch) -> None:
    whole = timing.overlaps
    patch.setattr(records, "overlaps", lambda start, end, back, anchor: whole(start, start, back, anchor))


@fault
def at_least_counts_from_the_start_of_a_period(patch: Patch) -> None:
    patch.setattr(Records, "end_of", lambda self, fact: fact.start)


@fault
def what_is_active_ends_on_the_registration_date(patch: Patch) -> None:
    whole = Records.end_of
    patch.setattr(Records, "end_of", lambda self, fact: on_day(self.index) if fact.ongoing else whole(self, fact))


@fault
def a_moment_lasts(patch: Patch) -> None:
    whole = Records.end_of

    def broken(self: Records, fact: Fact) -> When:
        if self.catalogue.kinds[fact.kind].extent == MOMENT and fact.id:
            return on_day(self.index)
        return whole(self, fact)

    patch.setattr(Records, "end_of", broken)


@fault
def what_may_lie_in_the_window_is_left_out(patch: Patch) -> None:
    whole = Records._placed

    def broken(self: Records, *arguments: Any) -> Truth:
        return TRUE if whole(self, *arguments) is TRUE else FALSE

    patch.setattr(Records, "_placed", broken)


@fault
def where_is_ignored(patch: Patch) -> None:
    whole = Records.examined

    def broken(self: Records, fact: Fact, placed: Truth, wanted: e.Records, *more: Any) -> Match:
        return whole(self, fact, placed, replace(wanted, where=None), *more)

    patch.setattr(Records, "examined", broken)


@fault
def a_suspicion_counts_as_certain(patch: Patch) -> None:
    whole = Records.examined

    def broken(self: Records, fact: Fact, *more: Any) -> Match:
        return whole(self, replace(fact, certain=True), *more)

    patch.setattr(Records, "examined", broken)


@fault
def a_pending_event_counts_as_one(patch: Patch) -> None:
    whole = Records.examined

    def broken(self: Records, fact: Fact, *more: Any) -> Match:
        return whole(self, replace(fact, lacks=None), *more)

    patch.setattr(Records, "examined", broken)


@fault
def silence_about_a_detail_says_nothing(patch: Patch) -> None:
    patch.setattr(View, "silence", lambda self, kind, attribute: None)


@fault
def details_of_two_samples_are_mixed(patch: Patch) -> None:
    whole = Cases._field_case

    def broken(self: Cases, fact: Fact, name: str, subject: Subject) -> Case:
        component = self.catalogue.kinds[fact.kind].components.get(name)
        others = [] if component is None or name in fact.parts else self.view.facts(component)
        return Case(others[0].value, others[0]) if others else whole(self, fact, name, subject)

    patch.setattr(Cases, "_field_case", broken)


# The latest result ----------------------------------------------------------------------------------------


@fault
def ties_are_broken_by_the_id(patch: Patch) -> None:
    whole = timing.outermost
    _everywhere(patch, "outermost", lambda matches, newest: sorted(whole(matches, newest), key=lambda m: m.fact.id)[:1])


@fault
def the_time_of_day_is_ignored(patch: Patch) -> None:
    whole = timing.stated

    def broken(fact: Fact) -> When:
        first, last = whole(fact).days.low, whole(fact).days.high
        low, high = None if first is None else int(first) * DAY, None if last is None else int(last + 1) * DAY
        return When(Interval(low, high, high_open=True))

    patch.setattr(timing, "stated", broken)


@fault
def a_pending_result_is_skipped(patch: Patch) -> None:
    whole = Records.matches

    def broken(self: Records, *arguments: Any) -> list[Match]:
        return [match for match in whole(self, *arguments) if match.fact.lacks is None]

    patch.setattr(Records, "matches", broken)


@fault
def an_uncertain_candidate_is_skipped(patch: Patch) -> None:
    whole = timing.outermost

    def broken(matches: list[Match], newest: bool) -> list[Match]:
        sure = [match for match in matches if match.truth is TRUE]
        return whole(sure or matches, newest)

    _everywhere(patch, "outermost", broken)


@fault
def earliest_is_latest(patch: Patch) -> None:
    whole = timing.outermost
    _everywhere(patch, "outermost", lambda matches, newest: whole(matches, True))


@fault
def highest_knows_certain_results_alone(patch: Patch) -> None:
    whole = cases._extreme_of
    patch.setattr(cases, "_extreme_of", lambda ranges, highest: whole([r for r in ranges if r[1]], highest))


@fault
def lowest_is_highest(patch: Patch) -> None:
    whole = cases._extreme_of
    patch.setattr(cases, "_extreme_of", lambda ranges, highest: whole(ranges, True))


# Counting and absence -------------------------------------------------------------------------------------


@fault
def absence_is_a_no(patch: Patch) -> None:
    patch.setattr(View, "unseen", lambda self, kind: ((), ()))


@fault
def coverage_holds_for_all_time(patch: Patch) -> None:
    whole = view._without
    patch.setattr(view, "_without", lambda region, first, last: whole(region, None, None))


@fault
def coverage_is_ignored(patch: Patch) -> None:
    whole = View.__init__

    def broken(self: View, patient: Any, catalogue: Any) -> None:
        whole(self, replace(patient, coverage=()), catalogue)

    patch.setattr(View, "__init__", broken)


@fault
def known_is_any(patch: Patch) -> None:
    _change_any(patch, closed=False)


@fault
def any_is_known(patch: Patch) -> None:
    _change_any(patch, closed=True)


def _change_any(patch: Patch, closed: bool) -> None:
    whole = memory._TRUTHS[e.Any]

    def broken(self: Memory, node: e.Any, subject: Subject | None) -> Finding:
        return whole(self, replace(node, closed=closed), subject)

    patch.setitem(memory._TRUTHS, e.Any, broken)


@fault
def every_is_any(patch: Patch) -> None:
    def broken(self: Memory, node: e.Every, subject: Subject | None) -> Finding:
        where = node.body if node.records.where is None else e.And((node.records.where, node.body))
        return self.evaluate(e.Any(replace(node.records, where=where)), subject)

    patch.setitem(memory._TRUTHS, e.Every, broken)


@fault
def every_asks_the_records_alone(patch: Patch) -> None:
    whole = Records.unseen

    def broken(self: Records, wanted: e.Records, body: Any, *more: Any) -> Any:
        return candidates.NOTHING_OPEN if body is not None else whole(self, wanted, body, *more)

    patch.setattr(Records, "unseen", broken)


@fault
def a_no_to_a_group_is_none_to_its_members(patch: Patch) -> None:
    def broken(self: View, kind: str) -> tuple[Fact, ...]:
        return tuple(self._negatives.get(kind, ()))

    patch.setattr(View, "denials", broken)


@fault
def a_no_to_a_member_is_one_to_its_group(patch: Patch) -> None:
    def broken(self: View, kind: str) -> tuple[Fact, ...]:
        return tuple(fact for name in self.catalogue.families[kind] for fact in self._negatives.get(name, ()))

    patch.setattr(View, "denials", broken)


@fault
def a_narrowed_no_is_a_full_one(patch: Patch) -> None:
    whole = View._excluding
    patch.setattr(
        View,
        "_excluding",
        lambda self, region, denial, *days: whole(self, region, replace(denial, narrowed=None), *days),
    )


@fault
def what_a_narrowed_no_leaves_is_forgotten(patch: Patch) -> None:
    patch.setattr(View, "_left", lambda self, fact, name, codes: fact.attributes.get(name))


@fault
def a_narrowed_no_leaves_what_it_names_of_codes_that_are_stated(patch: Patch) -> None:
    whole = View._open
    patch.setattr(
        View, "_open", lambda self, fact, name: frozenset() if name in fact.attributes else whole(self, fact, name)
    )


@fault
def a_narrowed_no_of_any_day_takes_away_codes(patch: Patch) -> None:
    patch.setattr(View, "_covers", lambda self, denial, fact: True)


@fault
def codes_that_are_all_denied_contradict_nothing(patch: Patch) -> None:
    patch.setattr(View, "_none_left", lambda self, fact: False)


@fault
def a_no_ends_on_its_day(patch: Patch) -> None:
    patch.setattr(View, "_newer", lambda self, denial, kind, day: "ends")


@fault
def a_no_outlives_newer_records(patch: Patch) -> None:
    patch.setattr(View, "_newer", lambda self, denial, kind, day: "")


@fault
def what_begins_after_registration_ends_a_no(patch: Patch) -> None:
    patch.setattr(view, "_begins_after", lambda fact, day: False)


@fault
def a_no_outlives_what_opens_its_question_anew(patch: Patch) -> None:
    patch.setattr(View, "_reopened", lambda self, kind, said, day: [])


@fault
def a_no_outlives_what_opens_the_question_of_its_group_anew(patch: Patch) -> None:
    patch.setitem(load_catalogue().reopeners, "immune_related_adverse_event", ())


@fault
def whatever_the_details_it_opens_a_question_anew(patch: Patch) -> None:
    patch.setattr(Catalogue, "narrowed_by", lambda self, judged: ())


@fault
def what_is_not_stated_opens_no_question_anew(patch: Patch) -> None:
    def broken(self: View, fact: Fact, name: str, codes: frozenset[str]) -> bool:
        value = fact.value if name == "value" else self.attribute(Subject(fact), name)
        return isinstance(value, frozenset) and value <= codes

    patch.setattr(View, "_may_have", broken)


@fault
def what_opens_a_question_anew_began_when_it_was_charted(patch: Patch) -> None:
    patch.setattr(View, "_ended", lambda self, fact: interval.ANYTHING)


@fault
def a_no_is_looked_at_on_the_first_day_only(patch: Patch) -> None:
    patch.setattr(View, "_begun_by", lambda self, day: date(2026, 3, 16).toordinal())


@fault
def no_day_is_asked_because_something_begins(patch: Patch) -> None:
    patch.setattr(View, "begins", [])


@fault
def a_no_outlives_a_diagnosis_that_nobody_could_read(patch: Patch) -> None:
    patch.setattr(View, "unread_among", lambda self, kind: ())


@fault
def a_diagnosis_that_nobody_could_read_may_be_of_any_kind(patch: Patch) -> None:
    patch.setattr(view, "may_be_among", lambda kind, catalogue: True)


@fault
def a_no_of_a_state_outlives_a_diagnosis_that_nobody_could_read(patch: Patch) -> None:
    patch.setattr(View, "over", lambda self, denial, kind, index: False)


@fault
def a_diagnosis_that_is_yet_to_come_ends_a_no_of_a_state(patch: Patch) -> None:
    whole = View.over
    patch.setattr(View, "over", lambda self, denial, kind, index: whole(self, denial, kind, index + 1000))


@fault
def an_older_no_of_a_state_hides_that_a_newer_one_has_seen_a_diagnosis(patch: Patch) -> None:
    patch.setattr(
        Records, "over", lambda self, fact, kind: fact.negative and self.view.over(fact, kind.name, self.index)
    )


@fault
def a_judgement_outlives_a_diagnosis_that_nobody_could_read(patch: Patch) -> None:
    patch.setattr(records, "may_be_judged", lambda kind, catalogue: False)


@fault
def every_judgement_is_of_diagnoses(patch: Patch) -> None:
    patch.setattr(records, "may_be_judged", lambda kind, catalogue: True)


@fault
def a_diagnosis_without_any_date_is_newer_than_a_no(patch: Patch) -> None:
    patch.setattr(view, "tells_when", lambda fact: True)


@fault
def a_no_of_today_speaks_of_all_history(patch: Patch) -> None:
    patch.setattr(View, "_begun", lambda self, denial, said: interval.ANYTHING)


@fault
def a_no_without_a_beginning_is_ignored(patch: Patch) -> None:
    patch.setattr(View, "_surely", lambda self, denial, newer: None)


@fault
def contradictions_are_ignored(patch: Patch) -> None:
    patch.setattr(View, "conflicting", lambda self, fact: False)


@fault
def a_record_beside_a_no_always_conflicts(patch: Patch) -> None:
    patch.setattr(View, "conflicting", lambda self, fact: bool(self.denials(fact.kind)))


@fault
def everything_may_be_assumed_absent(patch: Patch) -> None:
    patch.setattr(Records, "_assumes", lambda self, kind: bool(self.assumed))


@fault
def nothing_may_be_assumed_absent(patch: Patch) -> None:
    patch.setattr(Records, "_assumes", lambda self, kind: False)


@fault
def an_assumed_absence_settles_results_too(patch: Patch) -> None:
    whole = Records.picked

    def broken(self: Records, pick: e.Pick, subject: Subject | None) -> Any:
        found, lacking = whole(self, pick, subject)
        if not found and self.assumed and lacking is not None:
            lacking = replace(lacking, value=point(0.0))
        return found, lacking

    patch.setattr(Records, "picked", broken)


@fault
def days_are_counted_per_record(patch: Patch) -> None:
    whole = counting.length

    def broken(of: e.CountOf, matches: list[Match], of_patient: Records, until: Interval) -> Interval:
        return point(len(matches)) if of is e.CountOf.DAYS else whole(of, matches, of_patient, until)

    patch.setattr(cases, "length", broken)


@fault
def a_duration_is_its_span(patch: Patch) -> None:
    whole = counting.length

    def broken(of: e.CountOf, matches: list[Match], of_patient: Records, until: Interval) -> Interval:
        found = whole(of, matches, of_patient, until)
        return Interval(found.high, found.high)

    patch.setattr(cases, "length", broken)


@fault
def every_day_of_a_period_is_certain(patch: Patch) -> None:
    whole = counting._certain_days

    def broken(facts: Iterable[Fact], of_patient: Records, until: Interval) -> int:
        daily = {"frequency": frozenset({"daily"})}
        return whole([replace(fact, attributes={**fact.attributes, **daily}) for fact in facts], of_patient, until)

    patch.setattr(counting, "_certain_days", broken)


@fault
def what_is_given_once_lies_on_the_ends_of_its_period(patch: Patch) -> None:
    patch.setattr(counting, "ONCE", frozenset({"never"}))


@fault
def days_are_counted_to_registration_whatever_the_window(patch: Patch) -> None:
    patch.setattr(Cases, "_last_day", lambda self, wanted: self.records.index_days)


@fault
def days_before_an_anchor_are_counted_to_its_first_possible_day(patch: Patch) -> None:
    whole = Cases._last_day

    def broken(self: Cases, wanted: e.Records) -> Interval:
        low = whole(self, wanted).low
        return interval.ANYTHING if low is None else point(low)

    patch.setattr(Cases, "_last_day", broken)


@fault
def the_day_of_an_anchor_lies_before_it(patch: Patch) -> None:
    whole = Cases._last_day

    def broken(self: Cases, wanted: e.Records) -> Interval:
        back = wanted.lookback
        one = point(1 if back is not None and back.relation is e.Relation.BEFORE else 0)
        return interval.add(whole(self, wanted), one)

    patch.setattr(Cases, "_last_day", broken)


# States ---------------------------------------------------------------------------------------------------


@fault
def a_state_holds_for_good(patch: Patch) -> None:
    def broken(self: Memory, node: e.Any, kind: Any, subject: Subject | None) -> Finding:
        said = [fact for fact in self.records.view.facts(kind.name) if self.records.until_index(fact) is TRUE]
        return Finding(node, TRUE if said else UNKNOWN)

    patch.setattr(Memory, "_state", broken)


@fault
def a_judgement_holds_for_what_it_never_saw(patch: Patch) -> None:
    patch.setattr(Records, "overtaken", lambda self, fact, kind: None)


@fault
def a_judgement_has_not_seen_what_was_there_that_day(patch: Patch) -> None:
    whole = records._seen_until
    patch.setattr(records, "_seen_until", lambda judgement: whole(judgement) - 1)


@fault
def a_judgement_is_as_late_as_it_may_be(patch: Patch) -> None:
    def broken(judgement: Fact) -> float:
        last = timing.stated(judgement).days.high
        return float("inf") if last is None else last

    patch.setattr(records, "_seen_until", broken)


@fault
def a_judgement_is_taken_back_by_what_may_yet_come(patch: Patch) -> None:
    def broken(self: Records, when: When | None) -> float:
        if when is None:
            return float("-inf")
        return float("inf") if when.days.high is None else when.days.high

    patch.setattr(Records, "_up_to_index", broken)


@fault
def a_record_without_a_day_is_news_to_every_judgement(patch: Patch) -> None:
    patch.setattr(Records, "_begun", lambda self, fact: self._up_to_index(fact.start))


@fault
def a_judgement_has_seen_what_was_first_charted_later(patch: Patch) -> None:
    patch.setattr(Records, "_since_when", lambda self, matches: [(self._begun(m.fact), m.fact) for m in matches])


@fault
def a_finding_that_is_charted_again_is_news(patch: Patch) -> None:
    patch.setattr(Records, "_finding", lambda self, fact: fact.id)


@fault
def results_of_one_day_are_one_finding(patch: Patch) -> None:
    patch.setattr(Records, "_finding", lambda self, fact: (fact.kind, fact.start.day))


@fault
def what_may_be_no_finding_shows_that_it_was_seen(patch: Patch) -> None:
    whole = Records._since_when

    def broken(self: Records, matches: Sequence[Match]) -> list[tuple[float, Fact]]:
        return whole(self, [replace(match, truth=TRUE) for match in matches])

    patch.setattr(Records, "_since_when", broken)


@fault
def no_answer_of_a_judgement_stays(patch: Patch) -> None:
    whole = Records.overtaken
    patch.setattr(Records, "overtaken", lambda self, fact, kind: whole(self, fact, replace(kind, stays="")))


@fault
def a_judgement_speaks_of_every_record_of_a_kind(patch: Patch) -> None:
    patch.setattr(
        records,
        "judged_by",
        lambda kind, catalogue: [e.Records(judged.kind) for judged in catalogue.kinds[kind].judges],
    )


@fault
def a_no_to_a_state_is_dated_by_its_beginning(patch: Patch) -> None:
    patch.setattr(timing, "stated", lambda fact: fact.start)


# Stretches of days, and text --------------------------------------------------------------------------------


@fault
def other_anchors_stay_where_they_are(patch: Patch) -> None:
    whole = windows.moved
    patch.setattr(
        windows, "moved", lambda anchors, day: {**anchors, "registration": whole(anchors, day)["registration"]}
    )


@fault
def birthdays_are_forgotten(patch: Patch) -> None:
    patch.setattr(windows, "_birthdays", lambda *arguments: ())


@fault
def a_drug_that_runs_on_does_not_grow_longer(patch: Patch) -> None:
    patch.setattr(windows, "_still_running", lambda fact, first: False)


@fault
def windows_look_at_the_days_of_records_alone(patch: Patch) -> None:
    patch.setattr(windows, "_shifted", lambda day, duration: ())


@fault
def equal_stretches_are_not_joined(patch: Patch) -> None:
    patch.setattr(
        windows, "critical_days", lambda rule, view, anchors, first, until: set(range(first + 1, until + 1, 7))
    )


@fault
def parentheses_are_forgotten(patch: Patch) -> None:
    patch.setattr(unparse, "_at", lambda node, place: unparse._write(node)[0])


assert DAY == 24 * HOUR
