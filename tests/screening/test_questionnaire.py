"""The questionnaire: what it asks and does not ask, what answers mean, how a trial then looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import pytest

from onstudy import load_trial, read_patients
from onstudy.criteria.trial import AnchorPoint, Cohort, Criterion, Step, Trial
from onstudy.language.parse import parse
from onstudy.readers.patientfile_write import to_patient_file
from onstudy.record.catalogue import load_catalogue
from onstudy.screening import plain as words
from onstudy.screening.plain import LIKELY, POSSIBLE, UNLIKELY
from onstudy.screening.questionnaire import Outlook, Questionnaire
from onstudy.screening.questionnaire_fhir import to_response
from onstudy.screening.questionnaire_limits import limits_trial
from onstudy.screening.questionnaire_questions import Form
from onstudy.screening.questionnaire_rules import Root
from onstudy.screening.report import as_object
from onstudy.screening.screen import Screening, screen

ON = date(2026, 5, 20)
FLAGSHIP, LUNG = "NCT03739814", "NCT06480136"

#: A man of 67 with new, Ph-negative disease.
NEW = {
    "born.month": "3", "born.year": "1959", "sex": "male", "leukemia_diagnosis": "precursor_b_all",
    "bcr_abl1": "negative", "all_disease_status": "newly_diagnosed", "ecog": "1",
}  # fmt: skip
#: A woman of 42 whose Ph-negative leukemia has come back for the first time.
RELAPSED = {
    "born.month": "5", "born.year": "1984", "sex": "female", "leukemia_diagnosis": "precursor_b_all",
    "bcr_abl1": "negative", "all_disease_status": "relapsed", "prior_salvage_regimens": "0", "ecog": "1",
    "treatment.intent.ALL": "yes", "treatment.intent.ALL.which": "chemotherapy",
    "treatment.intent.ALL.which.chemotherapy.still": "no",
    "treatment.intent.ALL.which.chemotherapy.end.year": "2025",
    "treatment.intent.ALL.which.chemotherapy.end.month": "11",
    "menses": "yes", "menses.on.year": "2026", "menses.on.month": "2",
}  # fmt: skip
#: A man with squamous lung cancer of stage IV that grew after immunotherapy.
SQUAMOUS = {
    "born.year": "1960", "sex": "male", "lung_cancer": "squamous", "lung_cancer_stage": "IV", "ecog": "1",
    "treatment.intent.lung_cancer": "yes", "treatment.intent.lung_cancer.which": "pd1_pdl1_antibody",
    "treatment.intent.lung_cancer.which.pd1_pdl1_antibody.start.year": "2025",
    "treatment.intent.lung_cancer.which.pd1_pdl1_antibody.end.year": "2026",
    "treatment.intent.lung_cancer.which.pd1_pdl1_antibody.end.month": "2",
    "disease_progression": "yes", "disease_progression.on.year": "2026", "disease_progression.on.month": "4",
}  # fmt: skip


class Sitting:
    """A person who answers page after page: `answers` by key, "no" to every other question of yes or no."""

    def __init__(self, trial: Trial, answers: dict[str, str], otherwise: str = "no") -> None:
        self.asking = Questionnaire(trial, ON)
        self.given: dict[str, str] = {}
        self.pages: list[tuple[str, tuple[str, ...]]] = []
        while (page := self.asking.page(self.given, self.seen)) is not None:
            for question in page.questions:
                self.given |= {name: answers[name] for name in question.fields if name in answers}
                if question.form is Form.YES_NO and otherwise and question.key not in answers:
                    self.given[question.key] = otherwise
            self.pages.append((page.topic, tuple(question.key for question in page.questions)))
            assert len(self.pages) < 60, "it does not come to an end"

    @property
    def seen(self) -> list[str]:
        return [key for _, keys in self.pages for key in keys]

    def __getitem__(self, cohort: str) -> Outlook:
        return {one.id: one for one in self.asking.outlooks(self.given, self.seen)}[cohort]


@cache
def _trial(name: str) -> Trial:
    return load_trial(name)


@cache
def _sat(trial: str, answers: tuple[tuple[str, str], ...], otherwise: str) -> Sitting:
    return Sitting(_trial(trial), dict(answers), otherwise)


def sitting(trial: str, answers: dict[str, str], otherwise: str = "no") -> Sitting:
    return _sat(trial, tuple(answers.items()), otherwise)


# How it looks -----------------------------------------------------------------------------------------------


def test_nothing_that_speaks_against_it_is_likely() -> None:
    one = sitting(FLAGSHIP, NEW)["C1"]
    assert (one.word, one.against, one.open, one.earliest) == (LIKELY, (), (), None)
    assert "blood tests of the liver" in one.asking.tests
    assert "a test for CD22, a marker on the leukemia cells" in one.asking.tests
    assert "whether you have an infection now" in one.asking.judged


def test_what_speaks_against_a_cohort_is_the_answer_itself_with_the_words_of_the_plan() -> None:
    done = sitting(FLAGSHIP, NEW)
    [row] = done["C2"].against
    assert done["C2"].word == UNLIKELY
    assert (row.criterion, row.said) == ("C2-03", (("Where does your leukemia stand now?", "It is new"),))
    assert row.text == "Relapsed or refractory disease in salvage 1 or 2"
    [row] = done["C3"].against
    assert (row.criterion, row.said[0][1]) == ("C3-02", "No (Ph-negative)")


@pytest.mark.parametrize(("born", "c1"), [("1966", LIKELY), ("1967", UNLIKELY)])
def test_age_counts_completed_years_on_the_day(born: str, c1: str) -> None:
    """Sixty years are C1-01: born in May 1966, it depends on the day; in March of that year it does not."""
    assert sitting(FLAGSHIP, {**NEW, "born.year": born})["C1"].word == c1


def test_a_birth_month_that_leaves_the_age_open_is_possible() -> None:
    one = sitting(FLAGSHIP, {**NEW, "born.month": "5", "born.year": "1966"})["C1"]
    assert (one.word, [question.key for question in one.open]) == (POSSIBLE, ["born"])


def test_what_is_not_known_keeps_every_cohort_possible() -> None:
    done = sitting(FLAGSHIP, {}, otherwise="")
    assert [done[name].word for name in ("C1", "C2", "C3")] == [POSSIBLE] * 3
    assert "bcr_abl1" in [question.key for question in done["C1"].open]
    assert sitting(LUNG, {}, otherwise="")["T"].word == POSSIBLE


def test_a_rule_of_time_gives_a_first_day() -> None:
    """Cells given in March 2026 (C2-06): four months after March 1 is July 1, after March 31 it is July 31."""
    answers = {
        **RELAPSED, "hematopoietic_transplant": "yes", "hematopoietic_transplant.type": "allogeneic",
        "hematopoietic_transplant.on.year": "2026", "hematopoietic_transplant.on.month": "3",
    }  # fmt: skip
    one = sitting(FLAGSHIP, answers)["C2"]
    assert (one.word, one.earliest, one.latest) == (POSSIBLE, date(2026, 7, 1), date(2026, 7, 31))
    assert [(row.criterion, row.by_time) for row in one.against] == [("C2-06", True)]
    assert [question.key for question in one.open] == ["hematopoietic_transplant.on"]
    one = sitting(FLAGSHIP, {**answers, "hematopoietic_transplant.on.day": "9"})["C2"]
    assert (one.earliest, one.latest, one.open) == (date(2026, 7, 9), None, ())


def test_a_first_day_is_not_named_while_its_date_is_open() -> None:
    answers = {**RELAPSED, "hematopoietic_transplant": "yes", "hematopoietic_transplant.type": "allogeneic"}
    one = sitting(FLAGSHIP, answers)["C2"]
    assert one.earliest is None
    assert "hematopoietic_transplant.on" in [question.key for question in one.open]


@pytest.mark.parametrize(
    "dated", [{}, {"myocardial_infarction.on.year": "2026"}, {"myocardial_infarction.on.year": "2025"}]
)
def test_a_yes_without_its_month_counts_against_and_gives_no_first_day(dated: dict[str, str]) -> None:
    """It was on one of the days of the last 6 months: S1-17 may allow tomorrow, or only in November."""
    one = sitting(FLAGSHIP, {**NEW, "myocardial_infarction": "yes", **dated})["C1"]
    assert [(row.criterion, row.by_time) for row in one.against] == [("S1-17", True)]
    assert (one.word, one.earliest, one.undated) == (POSSIBLE, None, True)
    assert [question.key for question in one.open] == ["myocardial_infarction.on"]


def test_with_its_month_the_first_days_are_told() -> None:
    """Of April 1, 2026: six months later is October 1, and it must be longer ago. Six months before October 31 is
    April 30, there being no 31st: of that day, November 1 is the first that is more than six months later.
    """
    dated = {"myocardial_infarction.on.year": "2026", "myocardial_infarction.on.month": "4"}
    one = sitting(FLAGSHIP, {**NEW, "myocardial_infarction": "yes", **dated})["C1"]
    assert (one.word, one.earliest, one.undated) == (UNLIKELY, date(2026, 10, 2), False)
    assert one.latest == date(2026, 11, 1)
    assert [question.key for question in one.open] == ["myocardial_infarction.on"]


def test_an_age_of_which_only_the_year_is_known_gives_no_first_day() -> None:
    one = sitting(FLAGSHIP, {**NEW, "born.month": "", "born.year": "1967"})["C1"]
    assert (one.word, one.earliest, one.undated) == (UNLIKELY, None, True)


def test_a_first_day_far_off_is_told_and_stays_unlikely() -> None:
    """Fifty-nine in May 2026, sixty in November: more than 90 days ahead."""
    one = sitting(FLAGSHIP, {**NEW, "born.month": "11", "born.year": "1966"})["C1"]
    assert (one.word, one.earliest, one.latest) == (UNLIKELY, date(2026, 11, 1), date(2026, 11, 30))
    one = sitting(FLAGSHIP, {**NEW, "born.month": "11", "born.day": "4", "born.year": "1966"})["C1"]
    assert (one.word, one.earliest, one.latest) == (UNLIKELY, date(2026, 11, 4), None)


def test_treatment_may_begin_later_so_a_clot_last_month_only_delays() -> None:
    """E-17: none within 6 months before treatment: one of January 1 to 31, 2026, lets go on July 2 to August 1."""
    answers = {
        "thromboembolic_event": "yes",
        "thromboembolic_event.on.year": "2026",
        "thromboembolic_event.on.month": "1",
    }
    one = sitting(LUNG, answers, otherwise="")["T"]
    assert (one.word, one.earliest, one.latest) == (POSSIBLE, date(2026, 7, 2), date(2026, 8, 1))
    assert [row.criterion for row in one.against] == ["E-17"]


def test_the_relapsed_patient_fits_the_second_cohort() -> None:
    done = sitting(FLAGSHIP, RELAPSED)
    assert [done[name].word for name in ("C1", "C2", "C3")] == [UNLIKELY, LIKELY, UNLIKELY]


def test_ph_positive_at_78_fits_the_third() -> None:
    done = sitting(FLAGSHIP, {**NEW, "born.year": "1948", "bcr_abl1": "positive"})
    assert [done[name].word for name in ("C1", "C2", "C3")] == [UNLIKELY, UNLIKELY, LIKELY]


def test_earlier_blinatumomab_rules_the_second_cohort_out() -> None:
    done = sitting(FLAGSHIP, {**RELAPSED, "treatment.agent.cd19_directed": "yes"})
    assert [row.criterion for row in done["C2"].against] == ["C2-09"]
    assert done["C2"].word == UNLIKELY


def test_lung_cancer_of_the_right_kind_is_likely_and_the_wrong_kind_is_not() -> None:
    assert sitting(LUNG, SQUAMOUS)["T"].word == LIKELY
    assert sitting(LUNG, SQUAMOUS)["T"].against == ()
    against = sitting(LUNG, {**SQUAMOUS, "lung_cancer": "small_cell"})["T"]
    assert (against.word, against.against[0].criterion) == (UNLIKELY, "I-03")


@pytest.mark.parametrize("trial", [FLAGSHIP, LUNG])
@pytest.mark.parametrize("otherwise", ["yes", "no", ""])
def test_a_result_never_says_eligible(trial: str, otherwise: str) -> None:
    done = sitting(trial, NEW, otherwise)
    for one in done.asking.outlooks(done.given, done.seen):
        assert one.word in (LIKELY, POSSIBLE, UNLIKELY)
        assert "eligible" not in " ".join([one.meaning, *one.asking.tests, *one.asking.judged]).lower()
        assert "wait" not in one.meaning


# What is asked ----------------------------------------------------------------------------------------------


def test_one_topic_a_page_in_a_sensible_order() -> None:
    topics = [topic for topic, _ in sitting(FLAGSHIP, NEW).pages]
    order = list(words.TOPICS)
    assert topics[0] == "person" and topics[1] == "disease"
    assert [order.index(topic) for topic in topics] == sorted(order.index(topic) for topic in topics)


def test_where_nothing_can_change_any_more_nothing_is_asked() -> None:
    """AML fails S1-01, which every cohort needs."""
    done = sitting(FLAGSHIP, {**NEW, "leukemia_diagnosis": "aml"})
    assert [topic for topic, _ in done.pages] == ["person", "disease"]


@pytest.mark.parametrize(("answers", "asked", "not_asked"), [
    (NEW, ["hct_planned", "treatment.intent.ALL", "hematopoietic_transplant"], ["treatment.agent.cd19_directed"]),
    (RELAPSED, ["treatment.agent.cd19_directed", "treatment.agent.rituximab", "menses"], ["hct_planned"]),
    (NEW, [], ["pregnancy", "menses", "gilbert_syndrome", "creatinine", "bilirubin_total", "lvef", "gvhd"]),
    ({**NEW, "sex": "female"}, [], ["pregnancy", "menses", "nursing", "testicular_involvement"]),
    (NEW, ["hepatitis_c"], ["hcv_eradication_therapy", "hbv_suppressive_therapy", "antiretroviral_therapy"]),
    ({**NEW, "hiv_infection": "yes"}, ["antiretroviral_therapy"], []),
])  # fmt: skip
def test_it_asks_only_what_can_still_matter(answers: dict[str, str], asked: list[str], not_asked: list[str]) -> None:
    seen = sitting(FLAGSHIP, answers).seen
    if "treatment.agent.rituximab" in asked:  # a member is asked for where its group was not denied
        seen = [*seen, *sitting(FLAGSHIP, {**answers, "treatment.agent.monoclonal_antibody": "yes"}).seen]
    assert [key for key in asked if key not in seen] == []
    assert [key for key in not_asked if key in seen] == []


def test_details_follow_a_yes_step_by_step() -> None:
    """Of another cancer first its type; where that settles it (S1-27, in situ of the cervix), only whether there was
    one more.
    """
    in_situ = sitting(FLAGSHIP, {**NEW, "other_malignancy": "yes", "other_malignancy.type": "cervix_in_situ"})
    assert [key for key in in_situ.seen if key.startswith("other_malignancy.")] == [
        "other_malignancy.type", "other_malignancy.again",
    ]  # fmt: skip
    breast = {**NEW, "other_malignancy": "yes", "other_malignancy.type": "breast", "other_malignancy.stage": "I"}
    assert [key for key in sitting(FLAGSHIP, breast).seen if key.startswith("other_malignancy.")] == [
        "other_malignancy.type", "other_malignancy.stage", "other_malignancy.state",
        "other_malignancy.disease_free_since", "other_malignancy.again",
    ]  # fmt: skip


CHEMOTHERAPY = "treatment.intent.ALL.which.chemotherapy"
#: Methotrexate into the spine, which cohort 1 allows (C1-03).
METHOTREXATE = {
    **NEW, "treatment.intent.ALL": "yes", "treatment.intent.ALL.which": "chemotherapy",
    f"{CHEMOTHERAPY}.agent": "methotrexate", f"{CHEMOTHERAPY}.route": "intrathecal", f"{CHEMOTHERAPY}.still": "no",
    f"{CHEMOTHERAPY}.end.year": "2026", f"{CHEMOTHERAPY}.end.month": "5", f"{CHEMOTHERAPY}.end.day": "14",
}  # fmt: skip
#: And vincristine into a vein, which it does not.
VINCRISTINE = {
    f"{CHEMOTHERAPY}.again": "yes", f"{CHEMOTHERAPY}.again.agent": "vincristine",
    f"{CHEMOTHERAPY}.again.route": "intravenous",
}  # fmt: skip


def test_what_a_rule_allows_may_have_been_one_of_several() -> None:
    """Each has a record and questions of its own; the second one speaks against cohort 1, the first one does not."""
    allowed, both = sitting(FLAGSHIP, METHOTREXATE), sitting(FLAGSHIP, {**METHOTREXATE, **VINCRISTINE})
    assert f"{CHEMOTHERAPY}.again" in allowed.seen and f"{CHEMOTHERAPY}.again.agent" not in allowed.seen
    assert [row.criterion for row in allowed["C1"].against if row.criterion == "C1-03"] == []
    entries = facts_of(FLAGSHIP, {**METHOTREXATE, **VINCRISTINE}).values()
    assert [(one["agent"], one["route"]) for one in entries if one["kind"] == "treatment"] == [
        ("methotrexate", "intrathecal"), ("vincristine", "intravenous"),
    ]  # fmt: skip
    assert "C1-03" in [row.criterion for row in both["C1"].against]
    question = both.asking.told(both.given).questions[f"{CHEMOTHERAPY}.again.agent"]
    assert question.ask == "Chemotherapy (number 2): which one was it?"


def test_another_one_is_asked_for_only_where_it_matters() -> None:
    """One into a vein rules cohort 1 out already (C1-03), and what has no details to tell it by is asked for once."""
    ruled_out = {**METHOTREXATE, f"{CHEMOTHERAPY}.route": "intravenous"}
    assert f"{CHEMOTHERAPY}.again" not in sitting(FLAGSHIP, ruled_out).seen
    attack = sitting(FLAGSHIP, {**NEW, "myocardial_infarction": "yes"})
    assert "myocardial_infarction.again" not in attack.asking.told(attack.given).questions


def test_there_is_an_end_to_another_one() -> None:
    answers = {f"hematopoietic_transplant{'.again' * n}{part}": said
               for n in range(30) for part, said in (("", "yes"), (".type", "autologous"))}  # fmt: skip
    assert len(facts_of(FLAGSHIP, answers)) == 8


def test_no_question_has_an_answer_before_it_is_given() -> None:
    asking = Questionnaire(_trial(FLAGSHIP), ON)
    assert asking.told({}).entries == ()
    assert asking.told({}).patient.facts == ()


@pytest.mark.parametrize(
    ("trial", "answers"),
    [(FLAGSHIP, NEW), (FLAGSHIP, RELAPSED), (LUNG, SQUAMOUS)],
    ids=["new", "relapsed", "squamous"],
)
def test_what_is_not_asked_changes_nothing(trial: str, answers: dict[str, str]) -> None:
    """Every question that was never put, answered either way, leaves every living rule as it was."""
    done = sitting(trial, answers)
    alive = {one.id for one in done.asking.outlooks(done.given, done.seen) if one.word != UNLIKELY}
    assert alive
    questions, before = done.asking.told(done.given).questions, _truths(done, done.given, alive)
    for root in done.asking.asked.all_roots():
        question = questions[root.key]
        if root.key in done.seen or question.form is Form.DATE or _left_to_doctors(done, root.kind):
            continue
        options = [code for code, _ in question.options] or ["0"]
        for option in {options[0], options[-1]} - ({"yes"} if _denied(done, root) else set()):
            assert _truths(done, {**done.given, root.key: option}, alive) == before, (root.key, option)


def _truths(done: Sitting, answers: dict[str, str], alive: set[str]) -> dict[str, Any]:
    """The truth of each rule of the cohorts that the person's own answers do not rule out."""
    rows = done.asking.screened(done.asking.told(answers)).criteria if alive else ()
    mine = [row for row in rows if row.criterion.severity.value == "required"]
    return {row.criterion.id: row.truth for row in mine if row.criterion.cohort in (None, *alive)}


def _denied(done: Sitting, root: Root) -> bool:
    """Whether a group it belongs to was denied, or nobody of that sex has it: a "yes" contradicts another answer."""
    if load_catalogue().kinds[root.kind].of_sex not in ("", done.given.get("sex", "")):
        return True
    groups = [*load_catalogue().ancestors(root.kind), *(above.key for above in done.asking.asked.above(root))]
    return any(done.given.get(group) == "no" for group in groups)


def _left_to_doctors(done: Sitting, kind: str) -> bool:
    """Whether a kind is not raised with this person: because of the age, or as another was denied."""
    plain = load_catalogue().kinds[kind].plain
    return plain.until_age is not None or bool(plain.after and done.given.get(plain.after) != "yes")


def test_a_trial_nobody_wrote_questions_for_asks_over_its_own_time() -> None:
    """The stretch of a question is the rule's, the longest where there are several."""
    catalogue = load_catalogue()
    rules = ("no stroke within 3 months before registration", "no stroke within 1 years before registration")
    rows = tuple(Criterion(f"R{n}", rule, parse(rule, catalogue), rule, step="1") for n, rule in enumerate(rules))
    trial = Trial(
        "T", "1", "A trial", {"registration": AnchorPoint("registration", "Registration")}, (Step("1", "", rows),),
        (Cohort("A", "All", ()),),
    )  # fmt: skip
    done = Sitting(trial, {})
    assert done.pages == [("nervous_system", ("stroke",))]
    [question] = done.asking.questions(["stroke"], {})
    assert question.ask == "Have you had a stroke in the last year?"
    assert done["A"].word == LIKELY


# What answers mean --------------------------------------------------------------------------------------------


def facts_of(trial: str, answers: dict[str, str]) -> dict[str, dict[str, object]]:
    told = Questionnaire(_trial(trial), ON).told(answers)
    assert told.patient.problems == ()
    return {str(entry["id"]): entry for entry in told.entries}


@pytest.mark.parametrize(("answers", "fact"), [
    ({"myocardial_infarction": "no"}, {"value": "no", "from": "2025-11-20", "recorded": "2026-05-20"}),
    ({"myocardial_infarction": "yes"}, {"on": "2025-11-20..2026-05-20", "recorded": "2026-05-20"}),
    ({"myocardial_infarction": "yes", "myocardial_infarction.on.year": "2026", "myocardial_infarction.on.month": "2"},
     {"on": "2026-02", "recorded": "2026-05-20"}),
    ({"myocardial_infarction": "yes", "myocardial_infarction.on.year": "2026"},
     {"on": "2026-01-01..2026-05-20", "recorded": "2026-05-20"}),
    ({"myocardial_infarction": "yes", "myocardial_infarction.on.year": "2025"},
     {"on": "2025-11-20..2025-12-31", "recorded": "2026-05-20"}),
    ({"myocardial_infarction": "yes", "myocardial_infarction.on.year": "2024"},
     {"on": "2024", "recorded": "2026-05-20"}),
    ({"deep_tissue_infection": "yes", "deep_tissue_infection.end.year": "2026"},
     {"to": "2026-01-20..2026-05-20", "recorded": "2026-05-20"}),
    ({"deep_tissue_infection": "yes", "deep_tissue_infection.still": "no"},
     {"to": "2026-01-20..2026-05-20", "recorded": "2026-05-20"}),
    ({"deep_tissue_infection": "yes"}, {"to": "2026-01-20..", "recorded": "2026-05-20"}),
    ({"deep_tissue_infection": "yes", "deep_tissue_infection.still": "yes"},
     {"to": "ongoing", "recorded": "2026-05-20"}),
    ({"neurologic_disorder": "no"}, {"value": "no", "recorded": "2026-05-20"}),
    ({"pacemaker": "yes"}, {"on": "2026-05-20", "recorded": "2026-05-20"}),
    ({"bcr_abl1": "negative"}, {"value": "negative", "recorded": "2026-05-20"}),
    ({"treatment.agent.cd19_directed": "no"}, {"value": "no", "agent": "cd19_directed", "recorded": "2026-05-20"}),
    ({"treatment.intent.ALL": "no"}, {"value": "no", "intent": "ALL", "recorded": "2026-05-20"}),
    ({"treatment.intent.ALL": "yes"}, {"intent": "ALL", "recorded": "2026-05-20"}),
])  # fmt: skip
def test_an_answer_is_an_entry_of_a_patient_file(answers: dict[str, str], fact: dict[str, str]) -> None:
    [(key, entry)] = facts_of(FLAGSHIP, answers).items()
    assert entry == {"kind": key.split(".")[0], "id": key, **fact}


def test_medicines_named_for_a_purpose_are_records_of_their_own() -> None:
    named = {"treatment.intent.ALL": "yes", "treatment.intent.ALL.which": "corticosteroid leukapheresis"}
    entries = facts_of(FLAGSHIP, named).values()
    assert [(one["agent"], one["intent"]) for one in entries] == [("corticosteroid", "ALL"), ("leukapheresis", "ALL")]


@pytest.mark.parametrize("answers", [
    {"myocardial_infarction": "unknown"}, {"myocardial_infarction": ""}, {"ecog": "unknown"}, {"ecog": "seven"},
    {"sex": "robot"}, {"born.year": "20x6"}, {"born.month": "3"}, {"myocardial_infarction.on.year": "2026"},
    {"no_such_kind": "yes"}, {"bcr_abl1": "maybe"},
])  # fmt: skip
def test_what_is_skipped_unknown_or_unreadable_is_no_fact(answers: dict[str, str]) -> None:
    told = Questionnaire(_trial(FLAGSHIP), ON).told(answers)
    assert (told.entries, told.patient.facts, told.patient.born.known) == ((), (), False)


@pytest.mark.parametrize("trial", [FLAGSHIP, LUNG])
@pytest.mark.parametrize("answers", [NEW, RELAPSED], ids=["new", "relapsed"])
@pytest.mark.parametrize("otherwise", ["yes", "no"])
def test_the_patient_file_gives_the_same_screening(trial: str, answers: dict[str, str], otherwise: str) -> None:
    done = sitting(trial, answers, otherwise)
    told = done.asking.told(done.given)
    [again] = read_patients("answers.yaml", to_patient_file(told.patient).encode())
    assert again.problems == ()
    before, after = (screen(_trial(trial), patient, ON) for patient in (told.patient, again))
    assert _without_sources(before) == _without_sources(after)


def _without_sources(s: Screening) -> str:
    found = as_object(s)
    for row in found["criteria"]:  # type: ignore[attr-defined]
        for evidence in row["evidence"]:
            del evidence["source"]
    for problem in found["problems"]:  # type: ignore[attr-defined]
        del problem["where"]
    return json.dumps(found)


@pytest.mark.parametrize(("answers", "key", "says"), [
    ({"born.year": "59"}, "born", "four digits"),
    ({"born.month": "3"}, "born", "year"),
    ({"born.year": "2027"}, "born", "not come yet"),
    ({"born.year": "2026", "born.month": "6"}, "born", "not come yet"),
    ({"born.year": "1800"}, "born", "too long ago"),
    ({"born.year": "1959", "born.month": "13"}, "born", "1 to 12"),
    ({"born.year": "1959", "born.month": "2", "born.day": "30"}, "born", "no such day"),
    ({"born.year": "1959", "born.day": "3"}, "born", "month too"),
    ({"sex": "x"}, "sex", "one of the answers"),
    ({"prior_salvage_regimens": "-1"}, "prior_salvage_regimens", "whole number"),
    ({"prior_salvage_regimens": "101"}, "prior_salvage_regimens", "0 to 100"),
])  # fmt: skip
def test_what_is_wrong_is_told_by_question(answers: dict[str, str], key: str, says: str) -> None:
    found = Questionnaire(_trial(FLAGSHIP), ON).check(["born", "sex", "prior_salvage_regimens"], answers)
    assert list(found) == [key]
    assert says in found[key]


@pytest.mark.parametrize("answers", [{}, {"born.year": "1959"}, {"sex": "unknown"}, {"prior_salvage_regimens": "0"}])
def test_nothing_is_wrong_with_blanks(answers: dict[str, str]) -> None:
    assert Questionnaire(_trial(FLAGSHIP), ON).check(["born", "sex", "prior_salvage_regimens"], answers) == {}


# Only limits --------------------------------------------------------------------------------------------------


def limits(answers: dict[str, str], **said: Any) -> tuple[Sitting, str]:
    trial = limits_trial(
        "NCT00000001", "A trial", load_catalogue(), **{"youngest": 18, "eldest": 65, "sex": "ALL", **said}
    )
    asking = Questionnaire(trial, ON, only_limits=True)
    [one] = asking.outlooks(answers)
    return Sitting(trial, answers), one.word


@pytest.mark.parametrize(("answers", "said", "word"), [
    ({"born.year": "1980"}, {}, POSSIBLE),
    ({"born.year": "1950"}, {}, UNLIKELY),
    ({"born.year": "2015"}, {}, UNLIKELY),
    ({"sex": "male"}, {"sex": "FEMALE"}, UNLIKELY),
    ({"sex": "male", "born.year": "1990"}, {"sex": "MALE"}, POSSIBLE),
    ({}, {}, POSSIBLE),
    ({"born.year": "1950"}, {"eldest": None, "youngest": None}, POSSIBLE),
])  # fmt: skip
def test_without_a_trial_file_age_and_sex_decide_and_nothing_is_likely(
    answers: dict[str, str], said: dict[str, Any], word: str
) -> None:
    assert limits(answers, **said)[1] == word


def test_then_only_age_and_sex_are_asked() -> None:
    assert limits({}, sex="FEMALE")[0].pages == [("person", ("born", "sex"))]
    assert limits({})[0].pages == [("person", ("born",))]
    assert limits({}, youngest=None, eldest=None)[0].pages == []


# FHIR -----------------------------------------------------------------------------------------------------------


def items(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for topic in response["item"]:
        yield from topic["item"]


@pytest.mark.parametrize("trial", [FLAGSHIP, LUNG])
@pytest.mark.parametrize("otherwise", ["yes", "no", ""])
def test_the_response_is_valid_r4(trial: str, otherwise: str) -> None:
    model = pytest.importorskip("fhir.resources.R4B.questionnaireresponse").QuestionnaireResponse
    done = sitting(trial, {**NEW, **RELAPSED}, otherwise)
    response = to_response(done.asking, done.given, done.seen)
    model.model_validate(response)
    keys = [item["linkId"] for item in items(response)]
    assert len(set(keys)) == len(keys) and set(keys) <= set(done.seen)


def test_what_was_left_blank_is_not_said_to_be_unknown() -> None:
    asking = Questionnaire(_trial(FLAGSHIP), ON)
    said = {"sex": "unknown", "born.unknown": "unknown"}
    assert [answer for _, answer in asking.summary(said, ["born", "sex"])] == ["I don't know", "I don't know"]
    assert [answer for _, answer in asking.summary({}, ["born", "sex"])] == ["Left blank", "Left blank"]


@pytest.mark.parametrize("said", [
    {"born.year": "1959", "born.unknown": "unknown"},
    {"prior_salvage_regimens": "1", "prior_salvage_regimens.unknown": "unknown"},
    {"treatment.intent.ALL": "yes", "treatment.intent.ALL.which": "chemotherapy unknown"},
])  # fmt: skip
def test_an_answer_beside_not_known_is_asked_again(said: dict[str, str]) -> None:
    asking = Questionnaire(_trial(FLAGSHIP), ON)
    [(key, says)] = asking.check(["born", "prior_salvage_regimens", "treatment.intent.ALL.which"], said).items()
    assert any(name.startswith(key) for name in said) and "Keep one" in says


def test_a_response_that_was_stopped_early_is_in_progress() -> None:
    asking = Questionnaire(_trial(FLAGSHIP), ON)
    assert to_response(asking, {"born.year": "1959", "sex": "male"}, ["born", "sex"])["status"] == "in-progress"


def test_the_response_says_what_was_asked_and_answered() -> None:
    done = sitting(FLAGSHIP, {**NEW, "hiv_infection": "unknown"})
    response = to_response(done.asking, done.given, done.seen)
    found = {item["linkId"]: item for item in items(response)}
    assert response["questionnaire"].endswith(f"/{FLAGSHIP}|{done.asking.trial.version}")
    assert response["status"] == "completed"
    assert response["authored"] == "2026-05-20" and "subject" not in response
    assert found["born"]["answer"] == [{"valueDate": "1959-03"}]
    assert found["bcr_abl1"]["answer"][0]["valueCoding"]["code"] == "negative"
    assert found["angina"] == {
        "linkId": "angina",
        "text": "Have you had chest pain that comes from the heart (angina) in the last 6 months?",
        "answer": [{"valueBoolean": False}],
    }
    assert found["ecog"]["answer"] == [{"valueInteger": 1}]
    assert "answer" not in found["hiv_infection"]
