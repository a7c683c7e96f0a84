"""Explanations: read off the tree and its evidence, decisive parts alone, how near a limit a value is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.engines.asking import NAMES, ask
from tests.trials.flagship import asked, changed

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Finding
from onstudy.language.parse import parse
from onstudy.language.unparse import unparse
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.decisive import decisive, decisive_leaves, evidence_of
from onstudy.screening.explain import because, near, reason_of
from onstudy.screening.wording import in_words, range_text
from onstudy.values.interval import Interval
from onstudy.values.truth import FALSE, TRUE, UNKNOWN

CATALOGUE = load_catalogue()
BILIRUBIN = "{kind: bilirubin_total, id: bili, on: 2026-03-15, value: 1.8 mg/dL, uln: 1.2 mg/dL}"


def leaves(finding: Finding) -> list[str]:
    return [unparse(leaf.expr) for leaf in decisive_leaves(finding)]


# Decisive parts -------------------------------------------------------------------------------------------

RECORD = """facts:
- {kind: stroke, on: 2020-01-01}
- {kind: seizure, value: no, recorded: 2026-03-10}
- {kind: ecog, on: 2026-03-14, value: 1}
"""


@pytest.mark.parametrize(
    ("rule", "truth", "shown"),
    [
        ("no seizure and no stroke", FALSE, ["any stroke"]),
        ("no seizure and latest lvef >= 45 %", UNKNOWN, ["latest lvef >= 45 %"]),
        ("no seizure and latest ecog <= 2", TRUE, ["any seizure", "latest ecog <= 2"]),
        ("seizure or stroke", TRUE, ["any stroke"]),
        ("seizure or latest lvef >= 45 %", UNKNOWN, ["latest lvef >= 45 %"]),
        ("seizure or latest ecog > 2", FALSE, ["any seizure", "latest ecog > 2"]),
        ("not (stroke and latest lvef >= 45 %)", UNKNOWN, ["latest lvef >= 45 %"]),
        ("if seizure then latest lvef >= 45 %", TRUE, ["any seizure"]),
        ("if stroke then latest ecog <= 2", TRUE, ["latest ecog <= 2"]),
        ("if stroke then latest ecog > 2", FALSE, ["any stroke", "latest ecog > 2"]),
        ("if stroke then latest lvef >= 45 %", UNKNOWN, ["latest lvef >= 45 %"]),
    ],
)
def test_only_the_parts_that_decide(rule: str, truth: object, shown: list[str]) -> None:
    finding = ask(RECORD, rule)
    assert finding.truth is truth
    assert leaves(finding) == shown


def test_a_leaf_has_no_parts_that_decide() -> None:
    finding = ask(RECORD, "latest ecog <= 2")
    assert isinstance(finding.expr, e.Compare)
    assert decisive(finding) == ()
    assert decisive_leaves(finding) == (finding,)


def test_every_rests_on_the_records_that_fail() -> None:
    record = (
        "complete: [treatment]\nfacts:\n- {kind: treatment, agent: prednisone, on: 2026-02-01}\n"
        "- {id: late, kind: treatment, agent: rituximab, on: 2026-03-12}"
    )
    finding = ask(record, "every treatment has (end is at least 14 days before registration)")
    assert [fact.id for fact in evidence_of(finding)] == ["late"]
    said = because(finding, CATALOGUE)
    assert "2026-03-12" in said
    assert "2026-02-01" not in said


def test_evidence_is_each_fact_once() -> None:
    finding = ask(f"facts: [{BILIRUBIN}]", "latest bilirubin_total <= 1.5 ULN and latest bilirubin_total <= 2 ULN")
    assert [fact.id for fact in evidence_of(finding)] == ["bili"]


def test_a_code_that_makes_an_unknown_matter_is_evidence() -> None:
    """Whether it is hepatitis B is for the investigator, who has to see the result that raises the question."""
    record = "facts: [{id: core, kind: anti_hbc, on: 2026-03-01, value: positive}]"
    finding = ask(record, "latest anti_hbc is positive and isolated_anti_hbc_is_hbv")
    assert [fact.id for fact in evidence_of(finding)] == ["core"]


def test_a_component_nobody_stated_is_said_to_be_so() -> None:
    record = "facts: [{kind: csf_examination, on: 2026-03-12, wbc: 1 /uL, rbc: 0 /uL, cytospin: negative}]"
    said = because(ask(record, "latest csf_examination has (flow is not positive)"), CATALOGUE)
    assert said.endswith(": flow not stated, taken as not done")


def test_a_judgement_that_came_too_early_is_told_with_what_it_has_not_seen() -> None:
    record = (
        "facts:\n- {kind: uncontrolled_infection, value: no, recorded: 2026-03-01}\n"
        "- {kind: severe_infection, on: 2026-03-10}"
    )
    said = because(ask(record, "no uncontrolled_infection"), CATALOGUE)
    assert said == "Uncontrolled infection: the judgement of 2026-03-01 may not have seen Severe infection 2026-03-10"
    charted = record.replace("on: 2026-03-10", "on: 2026-02-20, recorded: 2026-03-02")
    assert because(ask(charted, "no uncontrolled_infection"), CATALOGUE).endswith(
        "may not have seen Severe infection 2026-02-20, charted 2026-03-02"
    )


def test_a_no_that_is_older_than_what_opened_its_question_is_told_with_that() -> None:
    older = "{kind: gvhd, value: no, on: 2025-10-01}"
    given = "{kind: hematopoietic_transplant, type: allogeneic, on: 2025-10-10}"
    said = because(ask(f"facts: [{older}, {given}]", "no gvhd at registration"), CATALOGUE)
    since = "not recorded since Hematopoietic cell transplant allogeneic 2025-10-10"
    assert said == f'Graft-versus-host disease at registration: {since}; a "no" on record is older'
    for record in (f"facts: [{older}, {given.replace('2025-10-10', '2026-03-20')}]", f"facts: [{given}]"):
        assert "since" not in because(ask(record, "no gvhd"), CATALOGUE)


# How near ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("latest bilirubin_total <= 1.5 ULN", "1.8 mg/dL is 1.50 x ULN, limit 1.5 x ULN"),
        ("latest bilirubin_total <= 1.5 mg/dL", "1.8 mg/dL, limit at most 1.5 mg/dL (0.3 above)"),
        ("latest bilirubin_total >= 2 mg/dL", "1.8 mg/dL, limit at least 2 mg/dL (0.2 short)"),
        ("latest bilirubin_total >= 20 mg/L", "1.8 mg/dL, limit at least 20 mg/L (2 mg/L short)"),
        ("latest bilirubin_total < 2 mg/dL", "1.8 mg/dL, limit below 2 mg/dL"),
        ("latest bilirubin_total > 1.8 mg/dL", "1.8 mg/dL, limit above 1.8 mg/dL"),
    ],
)
def test_a_value_beside_its_limit(rule: str, said: str) -> None:
    assert near(ask(f"facts: [{BILIRUBIN}]", rule)) == said


def test_a_value_in_the_unit_it_was_recorded_in() -> None:
    record = "facts: [{kind: bilirubin_total, on: 2026-03-15, value: 30.78 umol/L, uln: 20.52 umol/L}]"
    assert near(ask(record, "latest bilirubin_total <= 1.5 ULN")) == "30.78 umol/L is 1.50 x ULN, limit 1.5 x ULN"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1.801 mg/dL", "1.801 mg/dL is 1.501 x ULN, limit 1.5 x ULN"),
        ("1.80001 mg/dL", "1.80001 mg/dL is 1.50001 x ULN, limit 1.5 x ULN"),
        ("<0.3 mg/dL", "<0.3 mg/dL is below 0.25 x ULN, limit 1.5 x ULN"),
    ],
)
def test_a_ratio_is_told_apart_from_the_limit_it_is_not(value: str, said: str) -> None:
    record = f"facts: [{{kind: bilirubin_total, on: 2026-03-15, value: '{value}', uln: 1.2 mg/dL}}]"
    assert near(ask(record, "latest bilirubin_total <= 1.5 ULN")) == said


def test_what_is_not_on_record_is_not_said_to_be_so() -> None:
    """The key may have meant any component: the sample is not wholly understood."""
    record = "facts: [{kind: csf_examination, on: 2026-03-12, cytospin: negative, flo: positive}]"
    said = because(ask(record, "latest csf_examination has (cytospin is negative and flow is not positive)"), CATALOGUE)
    assert "flow is positive: not recorded" in said
    assert "Examination of the spinal fluid (one tap): what is stated is not enough, or cannot be read" in said


def test_age_and_dates_beside_their_limit() -> None:
    assert near(ask("born: 1966-03-17\nfacts: []", "age at registration >= 60 years")) == (
        "59 years, limit at least 60 years (1 short)"
    )
    record = "complete: [hematopoietic_transplant]\nfacts: [{kind: hematopoietic_transplant, on: 2025-11-17}]"
    rule = "every hematopoietic_transplant has (end is at least 4 months before registration)"
    assert near(ask(record, rule)) == "2025-11-17, asked at least 4 months before registration"


def test_a_computed_value_is_called_so() -> None:
    record = "facts: [{kind: ecg, on: 2026-03-14, qt: 430 ms, rate: 80 /min}]"
    said = near(ask(record, "latest ecg has (qtcf <= 470 ms)"))
    assert said is not None
    assert "473.3" in said or "473.276" in said
    assert "(computed)" in said


@pytest.mark.parametrize("rule", ["no seizure", "latest hbsag is negative", "latest lvef >= 45 %"])
def test_without_a_number_beside_a_limit_nothing_is_near(rule: str) -> None:
    assert near(ask("facts: [{kind: hbsag, on: 2026-03-14, value: negative}]", rule)) is None


# Sentences -----------------------------------------------------------------------------------------------


def test_a_sentence_names_the_record_its_value_and_its_day() -> None:
    said = because(ask(f"facts: [{BILIRUBIN}]", "latest bilirubin_total <= 1.5 ULN"), CATALOGUE)
    for word in ("bilirubin", "1.8 mg/dL", "2026-03-15", "1.5 x ULN"):
        assert word in said


@pytest.mark.parametrize(
    ("record", "rule", "said"),
    [
        ("facts: [{kind: seizure, value: no, recorded: 2026-03-10}]", "no seizure", "recorded as none on 2026-03-10"),
        ("complete: [seizure]\nfacts: []", "no seizure", "none recorded, and the record is complete"),
        ("facts: []", "no seizure", "not recorded"),
        ("facts: []", "hypercvad_ineligible", "no investigator has attested it"),
        ("facts: [{kind: ecog, on: 2026-03-14, status: pending}]", "latest ecog <= 2", "the result is pending"),
        ("facts: [{kind: ecog, on: 2026-03-20, value: 1}]", "latest ecog <= 2", "only after the registration date"),
        (
            "facts: [{kind: pregnancy_test, on: 2026-03-01, value: negative}]",
            "latest pregnancy_test within 7 days before registration is negative",
            "older than the window allows",
        ),
    ],
)
def test_why_it_is_so(record: str, rule: str, said: str) -> None:
    assert said in because(ask(record, rule), CATALOGUE)


def test_an_assumption_is_said() -> None:
    assert (
        because(ask("facts: []", "no seizure", assumed=frozenset({"all"})), CATALOGUE)
        == "Seizure: assumed absent, not recorded"
    )


def test_a_long_list_is_counted_not_written_out() -> None:
    kinds = ("seizure", "stroke", "aphasia", "dementia", "epilepsy", "syncope")
    said = because(ask("facts: []", " and ".join(f"no {kind}" for kind in kinds)), CATALOGUE)
    assert said.endswith("and 2 more")


def test_all_values_of_a_tie_are_shown() -> None:
    record = f"facts:\n- {BILIRUBIN}\n- {{kind: bilirubin_total, on: 2026-03-15, value: 1.9 mg/dL, uln: 1.2 mg/dL}}"
    said = because(ask(record, "latest bilirubin_total <= 1.5 ULN"), CATALOGUE)
    for word in ("1.8 mg/dL", "1.9 mg/dL", "records contradict each other"):
        assert word in said


# How a sentence speaks of records -----------------------------------------------------------------------------

TRANSPLANT = "{kind: hematopoietic_transplant, type: allogeneic, on: 2025-11-20}"
TREATED = """facts:
- {kind: treatment, agent: prednisone, intent: ALL, route: oral, from: 2026-02-01, to: 2026-02-05}
"""
COMPLETE = f"complete: [treatment]\n{TREATED}"
NO_CD19 = "- {kind: treatment, agent: cd19_directed, value: no, recorded: 2026-03-10}\n"
PREDNISONE = (
    "prednisone 2026-02-01 to 2026-02-05 (end 2026-02-05, asked at least 14 days before registration) - "
    "each satisfies it"
)
TWO_CANCERS = (
    "- {kind: other_malignancy, on: 2015-01-01, disease_free_since: 2016-05-01}\n"
    "- {kind: other_malignancy, type: skin_bcc_scc, on: 2018, adequately_treated: yes}"
)
EACH_CURED = (
    "every other_malignancy has ((type is skin_bcc_scc and adequately_treated is yes) "
    "or disease_free_since is at least 2 years before registration)"
)
WASHED_OUT = "every treatment has (end is at least 14 days before registration)"


@pytest.mark.parametrize(
    ("record", "rule", "said"),
    [
        # A record is not named again behind the name of its kind.
        (
            f"complete: [hematopoietic_transplant]\nfacts: [{TRANSPLANT}]",
            "any hematopoietic_transplant where (type is allogeneic)",
            "Hematopoietic cell transplant where type is allogeneic: allogeneic 2025-11-20",
        ),
        # Records that satisfy it are named, and not denied by a "no" that speaks of others.
        (COMPLETE, WASHED_OUT, f"Treatment: {PREDNISONE}"),
        (
            f"{TREATED}{NO_CD19}",
            "every treatment where (agent is cd19_directed or agent is prednisone) "
            "has (end is at least 14 days before registration)",
            "Treatment where agent is CD19-directed therapy or agent is prednisone: whether there was another is not "
            f"recorded; {PREDNISONE}",
        ),
        (
            TREATED,
            WASHED_OUT,
            f"Treatment: whether there was another is not recorded; {PREDNISONE}",
        ),
        # Each with what makes it so; an "or" only with the part that holds.
        (
            f"complete: [other_malignancy]\nfacts:\n{TWO_CANCERS}",
            EACH_CURED,
            "Another cancer: type not stated 2015-01-01 (disease free since 2016-05-01, asked at least 2 years before "
            "registration), basal or squamous cell carcinoma of skin 2018 (adequately treated is yes) - each satisfies "
            "it",
        ),
        # Of a group, each with its own name.
        (
            "complete: [cardiac_disease]\nfacts: [{kind: heart_failure, from: 2012, to: 2014-05-01}]",
            "every cardiac_disease has (end is at least 2 years before registration)",
            "Heart disease: Heart failure 2012 to 2014-05-01 (end 2014-05-01, asked at least 2 years before "
            "registration) - each satisfies it",
        ),
        (
            f"facts:\n{NO_CD19}",
            "no treatment where (agent is blinatumomab)",
            "Treatment where agent is blinatumomab: recorded as none on 2026-03-10 (CD19-directed therapy)",
        ),
        # What only a known record can answer is not called a complete record.
        ("facts: []", "not known bell_palsy", "Bell palsy: none on record"),
        ("complete: [other_malignancy]\nfacts: []", "no other_malignancy",
         "Another cancer: none recorded, and the record is complete"),
        # Nothing counted is nought.
        (
            "complete: [treatment]\nfacts: []",
            "days of treatment where (route is intrathecal) <= 1 day",
            "days of treatment where (route is intrathecal): 0 days, limit at most 1 day",
        ),
        # Said of a person once: without a day. Codes by their label.
        ("sex: male\nborn: 1955-06-20\nfacts: []", "latest sex is female", "Sex is male (asked: female)"),
        (
            "facts: [{kind: mrd_marrow_submission, on: 2026-03-13, destination: heme_biobank}]",
            "latest mrd_marrow_submission has (destination is heme_biobank)",
            "Bone marrow aspirate submitted for MRD 2026-03-13: destination is HEME Biobank",
        ),
        # A component is a value of its own.
        (
            "facts: [{kind: csf_examination, on: 2026-03-12, wbc: 1 /uL, cytospin: negative}]",
            "latest csf_examination has (wbc < 5 /uL)",
            "White cells in the spinal fluid on 2026-03-12: 1 /uL, limit below 5 /uL",
        ),
        # What is not known is not spelled out as all it could be.
        (
            "facts: [{kind: bcr_abl1, on: 2026-03-09, status: pending}]",
            "highest bcr_abl1 is negative",
            "Philadelphia chromosome or BCR-ABL1: the result is pending (asked: negative)",
        ),
        (
            "complete: [treatment]\nfacts:\n- {kind: treatment, agent: blinatumomab, on: 2026-03-01}\n"
            "- {kind: treatment, route: intrathecal, value: no, recorded: 2026-03-14}",
            "every treatment has (route is intrathecal)",
            "Treatment blinatumomab 2026-03-01: route not stated, and by a recorded “no” not intrathecal",
        ),
        # Dates as they are known.
        (
            "facts: [{kind: myocardial_infarction, recorded: 2026-03-04}]",
            "no myocardial_infarction within 6 months before registration",
            "Myocardial infarction within 6 months before registration: the date is not precise enough "
            "(on an unknown day, by 2026-03-04), whether there was another is not recorded",
        ),
        (
            "complete: [treatment]\nfacts: [{kind: treatment, agent: prednisone, from: 2026-03-10}]",
            WASHED_OUT,
            "Treatment prednisone: end from 2026-03-10, asked at least 14 days before registration",
        ),
    ],
)  # fmt: skip
def test_the_words_of_a_sentence(record: str, rule: str, said: str) -> None:
    assert because(ask(record, rule), CATALOGUE) == said


def test_that_there_is_no_other_may_be_assumed() -> None:
    said = because(ask(TREATED, WASHED_OUT, assumed=frozenset({"all"})), CATALOGUE)
    assert said.endswith("each satisfies it; that there is no other is assumed, not recorded")


def test_a_no_of_a_part_proves_nothing_where_the_record_is_complete() -> None:
    finding = ask(f"{COMPLETE}{NO_CD19}", "no treatment where (agent is rituximab)")
    assert because(finding, CATALOGUE).endswith("none recorded, and the record is complete")
    assert evidence_of(finding) == ()


# What carries the answer, and nothing else --------------------------------------------------------------------

SEVERAL_NOES = f"""facts:
{NO_CD19}- {{kind: treatment, route: intrathecal, value: no, recorded: 2026-03-11}}
- {{id: inducer, kind: treatment, agent: cyp3a4_inducer, value: no, recorded: 2026-03-12}}
"""
NO_INDUCER = "no treatment where (agent is strong_cyp3a4_inducer and chronic is yes)"
CYP3A4 = "Treatment where agent is strong CYP3A4 inducer and chronic is yes: recorded as none on 2026-03-12"


@pytest.mark.parametrize(
    ("record", "rule", "said", "evidence"),
    [
        (SEVERAL_NOES, NO_INDUCER, f"{CYP3A4} (CYP3A4 inducer)", ["inducer"]),
        # By itself it says more than that the record is complete.
        (f"complete: [treatment]\n{SEVERAL_NOES}", NO_INDUCER, f"{CYP3A4} (CYP3A4 inducer)", ["inducer"]),
        # The "no" of all treatment says it; those of a part add nothing.
        (
            f"{SEVERAL_NOES}- {{id: all, kind: treatment, value: no, recorded: 2026-03-13}}",
            "no treatment where (agent is rituximab)",
            "Treatment where agent is rituximab: recorded as none on 2026-03-13",
            ["all"],
        ),
        # Two of a part that are needed together, of which neither would do alone.
        (
            "facts:\n- {id: a, kind: treatment, agent: rituximab, value: no, recorded: 2026-03-10}\n"
            "- {id: b, kind: treatment, agent: blinatumomab, value: no, recorded: 2026-03-11}\n"
            "- {id: c, kind: treatment, route: intrathecal, value: no, recorded: 2026-03-11}",
            "no treatment where (agent in (rituximab, blinatumomab))",
            "Treatment where agent is rituximab or blinatumomab: recorded as none on 2026-03-10 (rituximab), "
            "on 2026-03-11 (blinatumomab)",
            ["a", "b"],
        ),
        # The same, asked as an "or": what rules out one of its parts does not rule it out.
        (
            "facts:\n- {id: a, kind: treatment, agent: rituximab, value: no, recorded: 2026-03-10}\n"
            "- {id: b, kind: treatment, agent: blinatumomab, value: no, recorded: 2026-03-11}",
            "no treatment where (agent is rituximab or agent is blinatumomab)",
            "Treatment where agent is rituximab or agent is blinatumomab: recorded as none on 2026-03-10 (rituximab), "
            "on 2026-03-11 (blinatumomab)",
            ["a", "b"],
        ),
        # A rule that asks for what is known rests on the recorded "no" where there is one.
        (
            "facts: [{id: palsy, kind: bell_palsy, value: no, recorded: 2026-03-11}]",
            "not known bell_palsy",
            "Bell palsy: recorded as none on 2026-03-11",
            ["palsy"],
        ),
        # One that says nothing of what is asked is not cited for it.
        (
            f"facts:\n{NO_CD19}",
            "not known treatment where (agent is carbamazepine)",
            "Treatment where agent is carbamazepine: none on record",
            [],
        ),
    ],
)
def test_the_recorded_no_that_carries_the_answer_is_cited(
    record: str, rule: str, said: str, evidence: list[str]
) -> None:
    finding = ask(record, rule)
    assert because(finding, CATALOGUE) == said
    assert [fact.id for fact in evidence_of(finding)] == evidence


def test_a_no_that_ended_before_what_is_asked_carries_nothing() -> None:
    """What was given after the "no" makes it void; the record is complete all the same."""
    record = (
        "complete: [treatment]\nfacts:\n- {kind: treatment, agent: rituximab, value: no, recorded: 2025-01-10}\n"
        "- {kind: treatment, agent: rituximab, on: 2025-06-01, recorded: 2025-06-01}"
    )
    finding = ask(record, "no treatment where (agent is rituximab) within 28 days before registration")
    assert finding.truth is TRUE
    assert because(finding, CATALOGUE).endswith("none recorded, and the record is complete")


def test_the_record_that_decides_stands_before_those_that_only_may() -> None:
    """The oldest is of no known agent; the second may not be for ALL; the third decides."""
    record = (
        "complete: [treatment]\nfacts:\n- {kind: treatment, from: 2026-01-02, to: 2026-01-12}\n"
        "- {kind: treatment, agent: rituximab, from: 2026-03-02, to: 2026-03-12}\n"
        "- {kind: treatment, agent: vincristine, intent: ALL, on: 2026-03-05}"
    )
    said = because(ask(record, "every treatment where (intent is ALL) has (agent is corticosteroid)"), CATALOGUE)
    assert said == "Treatment vincristine 2026-03-05: not corticosteroid"
    counted = ask(record, "count of treatment where (intent is ALL and agent is vincristine) < 1")
    assert evidence_of(counted)[0].attributes["agent"] == frozenset({"vincristine"})


@pytest.mark.parametrize(
    ("facts", "body", "said"),
    [
        # What is not stated is not asked for: it may be so.
        (
            "- {kind: treatment, agent: cytarabine, on: 2026-03-05}",
            "route is intrathecal",
            "Treatment cytarabine 2026-03-05: route not stated, it may be intrathecal",
        ),
        # What silence means is said to be taken, not recorded.
        (
            "- {kind: treatment, agent: cytarabine, on: 2026-03-05}",
            "purpose is prophylaxis",
            "Treatment cytarabine 2026-03-05: purpose not stated, taken as lowering the blast count or "
            "preventing complications of ALL",
        ),
        # A drug is named once, whatever is asked of it.
        (
            "- {kind: treatment, agent: cytarabine, on: 2026-03-05}",
            "agent in (corticosteroid, hydroxyurea) or agent is rituximab",
            "Treatment cytarabine 2026-03-05: not corticosteroid or hydroxyurea; not rituximab",
        ),
        (
            "- {kind: treatment, agent: monoclonal_antibody, on: 2026-03-05}",
            "agent is rituximab",
            "Treatment monoclonal antibody or antibody conjugate 2026-03-05: may be rituximab - "
            "the value recorded leaves it open",
        ),
        # A record without a name says so.
        (
            "- {kind: treatment, on: 2026-03-05}",
            "agent is rituximab",
            "Treatment agent not stated 2026-03-05: agent not stated, it may be rituximab",
        ),
    ],
)
def test_what_is_said_of_a_detail(facts: str, body: str, said: str) -> None:
    finding = ask(f"complete: [treatment]\nfacts:\n{facts}", f"every treatment has ({body})")
    assert because(finding, CATALOGUE) == said


def test_the_detail_that_is_not_stated_has_a_name() -> None:
    record = "complete: [treatment]\nfacts: [{kind: treatment, agent: cytarabine, on: 2026-03-05}]"
    said = because(ask(record, "no treatment where (route is intrathecal)"), CATALOGUE)
    assert said == "Treatment where route is intrathecal: route not stated (cytarabine 2026-03-05)"


def test_records_of_which_the_same_things_are_said_are_named_together() -> None:
    """Each once, the first three by name; what is said of another stands by itself."""
    drugs = "".join(
        f"- {{kind: treatment, agent: {agent}, route: intravenous, on: 2026-03-0{day}}}\n"
        for day, agent in enumerate(("vincristine", "doxorubicin", "cyclophosphamide", "asparaginase"), start=1)
    )
    record = (
        f"complete: [treatment]\nfacts:\n{drugs}- {{kind: treatment, agent: rituximab, route: oral, on: 2026-03-05}}"
    )
    said = because(ask(record, "every treatment has (route is intrathecal or agent is corticosteroid)"), CATALOGUE)
    assert said == (
        "Treatment vincristine 2026-03-01, Treatment doxorubicin 2026-03-02, Treatment cyclophosphamide 2026-03-03 "
        "and 1 more: route is intravenous (asked: intrathecal); not corticosteroid; "
        "Treatment rituximab 2026-03-05: route is oral (asked: intrathecal); not corticosteroid"
    )


def test_a_definition_that_fails_in_several_ways_is_named_once_for_all_records() -> None:
    """Nobody wants to read for each drug every way in which it might have been allowed."""
    drugs = "".join(
        f"- {{kind: treatment, agent: {agent}, route: intravenous, on: 2025-05-0{day}}}\n"
        for day, agent in enumerate(("vincristine", "doxorubicin", "daunorubicin", "pegaspargase", "prednisone"), 1)
    )
    allowed = parse("route is intrathecal or agent is corticosteroid", CATALOGUE, NAMES, "treatment")
    named = {"allowed_before": e.Named("allowed_before", allowed, "treatment")}
    names = replace(NAMES, definition=named.get, definitions=named)
    rule = parse("every treatment has (allowed_before)", CATALOGUE, names)
    assert because(ask(f"complete: [treatment]\nfacts:\n{drugs}", rule), CATALOGUE) == (
        "Treatment vincristine 2025-05-01, Treatment doxorubicin 2025-05-02, Treatment daunorubicin 2025-05-03 "
        "and 1 more: not “allowed before”"
    )
    alone = f"complete: [treatment]\nfacts:\n{drugs.splitlines()[0]}"
    one_way = replace(named["allowed_before"], expr=parse("agent is corticosteroid", CATALOGUE, NAMES, "treatment"))
    rule = e.Every(e.Records("treatment"), one_way)
    assert because(ask(alone, rule), CATALOGUE) == "Treatment vincristine 2025-05-01: not corticosteroid"


NOT_DETECTED = """facts:
- {kind: hbv_dna, on: 2026-03-09, value: not detected}
- {kind: cd22_on_lymphoblasts, on: 2026-03-10, value: 90 %, evaluator: central}
- {kind: bilirubin_total, recorded: 2026-03-10, value: 1 mg/dL, uln: 1.2 mg/dL}
"""


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        # A result without a number still says whether anything was found.
        ("latest hbv_dna has (detected is no)", "Hepatitis B virus DNA not detected 2026-03-09: detected is no"),
        # What is lacking is told with what is asked of it: there is a result, of another laboratory.
        (
            "latest cd22_on_lymphoblasts where (evaluator is local) >= 20 %",
            "CD22 expression, percent of lymphoblasts where evaluator is local laboratory: what is recorded does not "
            "count (90 % 2026-03-10)",
        ),
        # Its day is not known.
        (
            "latest bilirubin_total <= 1.5 ULN",
            "Total bilirubin on an unknown day, by 2026-03-10: 1 mg/dL is 0.83 x ULN, limit 1.5 x ULN",
        ),
    ],
)
def test_what_a_result_says_and_which_one_is_lacking(rule: str, said: str) -> None:
    assert because(ask(NOT_DETECTED, rule), CATALOGUE) == said


@pytest.mark.parametrize(
    ("example", "criterion", "said"),
    [
        ("C2-03-b2", "C2-03", "what is recorded does not count (1 2025-01-02 is not"),
        ("S1-04-e", "C1-02", "what is recorded does not count (negative 2026-03-02 is not"),
        ("S1-04-i", "C1-02", "what is recorded does not count (negative 2026-03-02 is not"),
    ],
)
def test_what_is_recorded_and_does_not_count_is_said_with_its_value_and_day(
    example: str, criterion: str, said: str
) -> None:
    found = {row.criterion.id: reason_of(row, load_catalogue()) for row in asked(changed(example)).criteria}
    assert said in found[criterion] and "not recorded" not in found[criterion]


def test_of_several_that_do_not_count_the_newest_is_said() -> None:
    days = ("2026-03-01", "2026-03-09", "2026-02-01")
    record = "facts:\n" + "".join(f"- {{kind: lvef, on: {day}, value: 5{day[-1]} %}}\n" for day in days)
    said = because(ask(record, "latest lvef where (value > 90 %) >= 45 %"), CATALOGUE)
    assert said.endswith("what is recorded does not count (59 % 2026-03-09)")


def test_numbers_of_one_and_moments_without_a_bound_are_told_in_words() -> None:
    assert in_words("at least 1 days before 21 days or 1 months") == "at least 1 day before 21 days or 1 month"
    assert range_text(Interval(39.4444444444, 40.0)) == "39.4444 to 40"
    assert range_text(Interval(0.0, 10_000.0, high_open=True)) == "0 to below 10000"
    assert range_text(Interval(68.0555556, 500.0, low_open=True)) == "above 68.0556 to 500"
    assert range_text(Interval(1234567.0, 1234567.0)) == "1234567"


def test_what_lacks_of_a_limit_and_a_record_before_its_time_are_told_as_they_are() -> None:
    record = "facts:\n- {kind: bilirubin_total, on: 2026-03-15, value: 0.8 mg/dL}\n"
    said = because(ask(record, "latest bilirubin_total <= 1.5 x ULN"), CATALOGUE)
    assert said.endswith("limit 1.5 x ULN - the limit of normal is lacking")
    record = "facts:\n- {kind: hcv_rna, on: 2017-01-01, detected: no}\n- {kind: hepatitis_c, on: 2018-01-01}\n"
    said = because(ask(record, "latest hcv_rna after (start of latest hepatitis_c) has (detected is no)"), CATALOGUE)
    assert "window" not in said and "only outside the time asked for" in said


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("no treatment", "Treatment: rituximab from an unknown day to 2026-02-10"),
        (
            "every treatment has (end is at least 6 weeks before registration)",
            "Treatment rituximab: end 2026-02-10, asked at least 6 weeks before registration",
        ),
    ],
)
def test_a_period_of_which_only_the_end_is_known(rule: str, said: str) -> None:
    record = "facts: [{kind: treatment, agent: rituximab, to: 2026-02-10}]"
    assert because(ask(record, rule), CATALOGUE) == said
