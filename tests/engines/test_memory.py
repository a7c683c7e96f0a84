"""The reference engine beyond its answers: evidence, parts, questions, what it was assumed from."""

from __future__ import annotations

from datetime import date

import pytest
from tests.engines.asking import anchors, ask, patient
from tests.generative.make import parsed

from onstudy.criteria.finding import Ask, AskClass, Finding, Reason
from onstudy.engines.memory import Memory
from onstudy.engines.view import View
from onstudy.record.catalogue import load_catalogue
from onstudy.values.interval import point
from onstudy.values.truth import FALSE, TRUE, UNKNOWN

ALL = frozenset({"all"})


def ids(finding: Finding) -> list[str]:
    return [fact.id for fact in finding.evidence]


def asked(finding: Finding) -> list[tuple[str, AskClass, Reason, str, str]]:
    return [(one.kind, one.cls, one.reason, one.field, one.about) for one in finding.asks]


# Evidence -----------------------------------------------------------------------------------------------


def test_a_result_rests_on_the_record_that_was_picked() -> None:
    record = (
        "facts:\n- {id: new, kind: ecog, on: 2026-03-14, value: 1}\n- {id: old, kind: ecog, on: 2026-03-01, value: 3}"
    )
    finding = ask(record, "latest ecog <= 2")
    assert (finding.truth, ids(finding)) == (TRUE, ["new"])
    assert [(part.result, part.about.id) for part in finding.parts if part.about] == [(point(1.0), "new")]


def test_every_candidate_of_a_tie_is_evidence() -> None:
    record = "facts:\n- {id: a, kind: ecog, on: 2026-03-14, value: 1}\n- {id: b, kind: ecog, on: 2026-03-14, value: 3}"
    finding = ask(record, "latest ecog <= 2")
    assert (finding.truth, set(finding.reasons), sorted(ids(finding))) == (UNKNOWN, {Reason.CONFLICT}, ["a", "b"])


def test_there_is_rests_on_the_records_there_are_and_there_is_none_on_the_no() -> None:
    record = (
        "facts:\n- {id: s, kind: stroke, on: 2020-01-01}\n- {id: no, kind: seizure, value: no, recorded: 2026-03-10}"
    )
    assert ids(ask(record, "any stroke")) == ["s"]
    assert ids(ask(record, "no seizure").parts[0]) == ["no"]


def test_every_rests_on_those_that_fail() -> None:
    record = (
        "complete: [treatment]\nfacts:\n- {id: ok, kind: treatment, agent: prednisone, on: 2026-03-01}\n"
        "- {id: bad, kind: treatment, agent: rituximab, on: 2026-03-02}"
    )
    finding = ask(record, "every treatment has (agent is prednisone)")
    assert (finding.truth, ids(finding)) == (FALSE, ["bad"])
    assert {part.about.id: part.truth for part in finding.parts if part.about} == {"ok": TRUE, "bad": FALSE}


def test_a_component_is_evidence_of_its_own_sample() -> None:
    record = "facts: [{id: tap, kind: csf_examination, on: 2026-03-12, wbc: 3 /uL, cytospin: negative}]"
    finding = ask(record, "latest csf_examination has (wbc < 5 /uL and cytospin is negative)")
    assert ids(finding) == ["tap"]
    assert [ids(part) for part in finding.parts[0].parts] == [["tap.wbc"], ["tap.cytospin"]]


def test_an_assumed_absence_is_told() -> None:
    finding = ask("facts: []", "no seizure", assumed=ALL)
    assert (finding.truth, finding.parts[0].assumed) == (TRUE, "seizure")
    assert ask("facts: []", "no seizure", assumed=frozenset({"neurologic_disorder"})).truth is TRUE
    assert ask("facts: []", "no seizure", assumed=frozenset({"stroke"})).truth is UNKNOWN
    assert ask("facts: []", "no gilbert_syndrome", assumed=ALL).truth is UNKNOWN


# Questions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("no seizure", ("seizure", AskClass.TO_CONFIRM, Reason.NO_RECORD, "", "")),
        ("any menses", ("menses", AskClass.MISSING, Reason.NO_RECORD, "", "")),
        ("latest lvef >= 45 %", ("lvef", AskClass.MISSING, Reason.NO_RECORD, "", "")),
        ("any mrd_blood_submission", ("mrd_blood_submission", AskClass.TO_DO, Reason.NO_RECORD, "", "")),
        ("no uncontrolled_infection", ("uncontrolled_infection", AskClass.TO_DO, Reason.NOT_ATTESTED, "", "")),
        ("hypercvad_ineligible", ("hypercvad_ineligible", AskClass.MISSING, Reason.NOT_ATTESTED, "", "")),
        ("age at registration >= 18 years", ("born", AskClass.MISSING, Reason.NO_RECORD, "", "")),
    ],
)
def test_what_an_unknown_asks_for(rule: str, expected: tuple[str, AskClass, Reason, str, str]) -> None:
    assert asked(ask("facts: []", rule)) == [expected]


def test_an_anchor_that_is_not_set_is_to_do() -> None:
    record = "born: 1960-01-01\ncomplete: [treatment]\nfacts: [{kind: treatment, agent: prednisone, on: 2026-03-10}]"
    for rule in (
        "age at therapy_start >= 18 years",
        "every treatment has (end is at least 24 hours before therapy_start)",
    ):
        finding = ask(record, rule, therapy_start=None)
        assert finding.asks == (Ask("therapy_start", AskClass.TO_DO, Reason.PENDING_ANCHOR),)


def test_a_detail_that_is_not_stated_is_asked_of_its_record() -> None:
    record = "complete: [brain_injury]\nfacts: [{id: injury, kind: brain_injury, on: 2020-01-01}]"
    finding = ask(record, "no brain_injury where (clinically_relevant is yes)")
    assert asked(finding) == [("brain_injury", AskClass.MISSING, Reason.NOT_STATED, "clinically_relevant", "injury")]


def test_nothing_is_asked_that_can_no_longer_matter() -> None:
    record = "facts: [{kind: stroke, on: 2020-01-01}]"
    assert ask(record, "no stroke and latest lvef >= 45 %").asks == ()
    assert ask(record, "stroke or latest lvef >= 45 %").asks == ()
    assert ask(record, "if no stroke then latest lvef >= 45 %").asks == ()


def test_all_causes_of_an_unknown_are_kept() -> None:
    record = "facts: [{kind: ecog, on: 2026-03-14, status: pending}]"
    finding = ask(record, "latest ecog <= 2 and latest lvef >= 45 % and hypercvad_ineligible")
    assert finding.reasons == {Reason.PENDING_RESULT, Reason.NO_RECORD, Reason.NOT_ATTESTED}


# One engine, several rules ---------------------------------------------------------------------------------


def test_a_definition_is_evaluated_once() -> None:
    engine = Memory(View(patient("sex: female\nfacts: []"), load_catalogue()), anchors())
    finding = engine.evaluate(parsed("female and (of_age or female)"))
    first, second = finding.parts[0], finding.parts[1].parts[1]
    assert first is second


def test_a_definition_about_a_record_is_evaluated_for_each_record() -> None:
    record = (
        "complete: [treatment]\nfacts:\n- {kind: treatment, route: oral, agent: prednisone, on: 2026-03-01}\n"
        "- {kind: treatment, route: oral, agent: rituximab, on: 2026-03-02}"
    )
    engine = Memory(View(patient(record), load_catalogue()), anchors())
    assert engine.evaluate(parsed("latest treatment has (allowed_before)")).truth is FALSE
    assert engine.evaluate(parsed("earliest treatment has (allowed_before)")).truth is TRUE


def test_registration_must_be_one_day() -> None:
    with pytest.raises(AssertionError, match="registration is one known day"):
        Memory(View(patient("facts: []"), load_catalogue()), {"registration": None})


# Odd records ----------------------------------------------------------------------------------------------


def test_days_of_treatment_that_lie_after_registration_do_not_count_yet() -> None:
    planned = "{kind: treatment, agent: prednisone, from: 2026-03-20, to: 2026-03-25, frequency: daily}"
    record = f"complete: [treatment]\nfacts: [{planned}]"
    assert ask(record, "days of treatment after registration = 0 days").truth is TRUE
    assert ask(record, "duration of treatment within 14 days after registration = 0 days").truth is TRUE
    assert ask(record, "count of treatment after registration = 1").truth is TRUE


def test_a_planned_end_is_no_day_of_treatment_yet() -> None:
    record = "complete: [treatment]\nfacts: [{kind: treatment, agent: prednisone, from: 2026-03-15, to: 2026-03-20}]"
    assert ask(record, "days of treatment <= 2 days").truth is TRUE
    assert ask(record, "days of treatment >= 2 days").truth is UNKNOWN


def test_a_no_whose_beginning_lies_after_it_was_recorded_says_nothing_wrong() -> None:
    said = "{kind: seizure, value: no, from: 2026-03-12, recorded: 2026-03-10}"
    record = f"facts: [{said}, {{kind: seizure, on: 2020-01-01}}]"
    assert ask(record, "any seizure").truth is TRUE
    assert ask(record, "no seizure within 1 year before registration").truth is UNKNOWN


@pytest.mark.parametrize("said", ["2026-03", "2026"])
def test_a_no_of_an_imprecise_day_covers_what_is_sure(said: str) -> None:
    record = f"facts:\n- {{kind: seizure, value: no, recorded: {said}}}\n- {{kind: seizure, on: 2026-04-10}}"
    rule = "no seizure within 7 days before registration"
    assert ask(record, rule, on=date(2026, 4, 20)).truth is UNKNOWN
    alone = f"facts: [{{kind: seizure, value: no, recorded: {said}}}]"
    assert ask(alone, rule, on=date(2026, 4, 20)).truth is TRUE


def test_a_record_that_may_lie_on_either_side_of_a_no_conflicts() -> None:
    record = "facts:\n- {kind: seizure, value: no, recorded: 2026-02-15}\n- {kind: seizure, on: 2026-02}"
    assert ask(record, "known seizure").reasons == {Reason.CONFLICT}
    assert ask(record.replace("on: 2026-02}", "on: 2026-02-20}"), "any seizure").truth is TRUE
    assert ask(record.replace("on: 2026-02}", "on: 2026-02-10}"), "any seizure").truth is UNKNOWN


def test_both_answers_denied_leave_no_record_possible() -> None:
    record = (
        "facts:\n- {kind: hematopoietic_transplant, type: allogeneic, value: no, recorded: 2026-03-10}\n"
        "- {kind: hematopoietic_transplant, type: autologous, value: no, recorded: 2026-03-10}"
    )
    assert ask(record, "no hematopoietic_transplant where (type in (allogeneic, autologous))").truth is TRUE


def test_many_narrowed_negatives_stay_few_possibilities() -> None:
    """Each "no" of one agent splits what may be unrecorded; what another possibility holds is not kept twice."""
    agents = sorted(load_catalogue().value_sets["agent"].members)[:40]
    said = "".join(
        f"- {{kind: treatment, agent: {agent}, value: no, recorded: 2026-03-{number % 9 + 1:02d}}}\n"
        for number, agent in enumerate(agents)
    )
    view = View(patient(f"facts:\n{said}- {{kind: treatment, on: 2026-03-12}}\n"), load_catalogue())
    assert len(view.unseen("treatment", date(2026, 3, 16).toordinal())[0]) <= 10


@pytest.mark.parametrize("rule", ["latest ecog >= 2", "2 <= latest ecog"])
def test_the_value_that_leaves_it_open_is_asked_for_on_either_side(rule: str) -> None:
    (asked,) = ask("facts: [{id: open, kind: ecog, on: 2026-03-10, value: 1-2}]", rule).asks
    assert (asked.kind, asked.about, asked.reason) == ("ecog", "open", Reason.IMPRECISE_VALUE)


# What a judgement has seen ------------------------------------------------------------------------------


LATER_LIVER = "{kind: fatty_liver, from: 2026-03-12}"


def judged(said: str, *others: str) -> Finding:
    facts = [f"{{kind: fatty_liver_is_not_chronic_liver_disease, {said}}}", *others]
    return ask(f"facts: [{', '.join(facts)}]", "fatty_liver_is_not_chronic_liver_disease")


def test_a_judgement_that_has_not_seen_a_record_is_asked_for_anew_and_the_record_is_told() -> None:
    finding = judged("on: 2026-03-10", "{id: seen, kind: fatty_liver, from: 2020-01-01}", LATER_LIVER)
    assert (finding.truth, set(finding.reasons)) == (UNKNOWN, {Reason.STALE})
    kind = "fatty_liver_is_not_chronic_liver_disease"
    assert asked(finding) == [(kind, AskClass.MISSING, Reason.STALE, "", "")]
    assert [fact.kind for fact in finding.evidence] == [kind]
    assert finding.passed is not None
    assert str(finding.passed.start) == "2026-03-12"


@pytest.mark.parametrize(
    ("said", "other", "truth"),
    [
        ("on: 2026-03-12", LATER_LIVER, TRUE),  # of the same day
        ("on: 2026-03-11T23:59", LATER_LIVER, UNKNOWN),
        ("on: 2026-03-12T08:00", "{kind: fatty_liver, from: 2026-03-12T18:00}", TRUE),
        ("on: 2026-03-10", "{kind: fatty_liver, from: 2026-03-01, recorded: 2026-03-12}", UNKNOWN),  # charted later
        ("on: 2026-03-10", "{kind: fatty_liver, from: 2026-03-01, recorded: 2026-03-10}", TRUE),
        ("on: 2026-03-10", "{kind: fatty_liver, recorded: 2026-03-12}", UNKNOWN),  # by its record alone
        ("on: 2026-03-10", "{kind: fatty_liver, recorded: 2026-03-10}", TRUE),
        ("on: 2026-03-10", "{kind: fatty_liver, from: 2026-03-12, suspected: yes}", UNKNOWN),
        ("on: 2026-03-10", "{kind: fatty_liver, value: no, recorded: 2026-03-12}", TRUE),  # nothing to judge
        ("on: 2026-03-10", "{kind: fatty_liver, from: 2026-03-17}", TRUE),  # yet to come
        ("on: 2026-03-16", "{kind: fatty_liver, from: 2026-03-16..2026-03-18}", TRUE),
        ("on: 2026-03-15", "{kind: fatty_liver, from: 2026-03-15..2026-03-18}", UNKNOWN),
        ("on: 2026-03-10", "{kind: fatty_liver}", TRUE),  # nothing is known of its day
        ("recorded: 2026-03-10", LATER_LIVER, UNKNOWN),
        ("recorded: 2026-03-12", LATER_LIVER, TRUE),
        ("value: yes", LATER_LIVER, TRUE),  # nothing is known of its own
        ("value: no, recorded: 2026-03-10", LATER_LIVER, FALSE),  # that one was no such thing stays so
        ("value: no", LATER_LIVER, FALSE),
    ],
)
def test_a_judgement_has_seen_what_had_begun_by_its_day(said: str, other: str, truth: object) -> None:
    assert judged(said, other).truth is truth


@pytest.mark.parametrize("assumed", [frozenset[str](), ALL])
def test_declaring_a_judgement_complete_does_not_renew_it(assumed: frozenset[str]) -> None:
    record = (
        "complete: [bilirubin_raised_by_leukemia]\nfacts:\n- {kind: bilirubin_raised_by_leukemia, on: 2026-03-01}\n"
        "- {kind: bilirubin_total, on: 2026-03-10, value: 2 mg/dL, uln: 1.2 mg/dL}"
    )
    for rule in ("any", "no", "known"):
        finding = ask(record, f"{rule} bilirubin_raised_by_leukemia", assumed=assumed)
        assert (finding.truth, set(finding.reasons)) == (UNKNOWN, {Reason.STALE})


def test_what_joining_the_study_brings_about_is_to_do() -> None:
    record = (
        "facts:\n- {kind: uncontrolled_infection, value: no, recorded: 2026-03-01}\n"
        "- {kind: severe_infection, from: 2026-03-10}"
    )
    finding = ask(record, "no uncontrolled_infection")
    assert asked(finding) == [("uncontrolled_infection", AskClass.TO_DO, Reason.STALE, "", "")]
