"""Condition: when a diagnosis was, what is refuted or suspected, what its codes say together."""

from __future__ import annotations

import pytest
from tests.readers.build import (
    ACTIVE,
    ICD,
    OWN,
    RESOLVED,
    SNOMED,
    Json,
    bundle,
    concept,
    condition,
    observation,
    shown,
    verified,
)
from tests.readers.canon import of, only, said

from onstudy.values.calendar import show


@pytest.mark.parametrize(
    ("code", "more", "kind", "expected"),
    [
        (
            concept(ICD, "I21.4"),
            {"clinicalStatus": ACTIVE, "onsetDateTime": "2015"},
            "myocardial_infarction",
            ("2015", None, False),
        ),
        (concept(ICD, "I214"), {"clinicalStatus": ACTIVE}, "myocardial_infarction", ("date unknown", None, False)),
        (
            concept(ICD, "I25.2"),
            {"onsetDateTime": "2020-05-01"},
            "myocardial_infarction",
            ("until 2020-05-01", None, False),
        ),
        (
            concept(SNOMED, "84757009"),
            {"clinicalStatus": ACTIVE, "onsetDateTime": "2015"},
            "epilepsy",
            ("2015", None, True),
        ),
        (
            concept(SNOMED, "84757009"),
            {"clinicalStatus": RESOLVED, "onsetDateTime": "2015", "recordedDate": "2020-01-01"},
            "epilepsy",
            ("2015", "from 2015-01-01", False),
        ),
        (
            concept(SNOMED, "84757009"),
            {"clinicalStatus": RESOLVED, "onsetDateTime": "2015", "abatementDateTime": "2018"},
            "epilepsy",
            ("2015", "2018", False),
        ),
        (concept(SNOMED, "84757009"), {"onsetDateTime": "2015"}, "epilepsy", ("2015", "from 2015-01-01", False)),
        (
            concept(SNOMED, "84757009"),
            {"clinicalStatus": ACTIVE, "recordedDate": "2020-01-01"},
            "epilepsy",
            ("until 2020-01-01", None, True),
        ),
        (
            concept(SNOMED, "84757009"),
            {"clinicalStatus": ACTIVE, "onsetAge": {"value": 20, "code": "a"}},
            "epilepsy",
            ("1975-06-20..1976-06-19", None, True),
        ),
        (
            concept(SNOMED, "84757009"),
            {"onsetPeriod": {"start": "2015-01-01", "end": "2015-03-01"}, "clinicalStatus": ACTIVE},
            "epilepsy",
            ("2015-01-01..2015-03-01", None, True),
        ),
        (
            concept(SNOMED, "84757009"),
            {"onsetDateTime": "2019", "abatementDateTime": "2018"},
            "epilepsy",
            ("date unknown", "date unknown", False),
        ),
        (
            concept(SNOMED, "77386006"),
            {"clinicalStatus": ACTIVE, "onsetDateTime": "2026-01"},
            "pregnancy",
            ("2026-01", None, True),
        ),
    ],
)
def test_when_a_diagnosis_was(code: Json, more: Json, kind: str, expected: tuple[str, str | None, bool]) -> None:
    assert shown(only(bundle(condition(code, **more)), kind)) == expected


@pytest.mark.parametrize("status", ["resolved", "inactive", "remission"])
@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({"onsetDateTime": "2025-06-01"}, "from 2025-06-01"),
        ({"onsetDateTime": "2025-06-01", "meta": {"lastUpdated": "2026-03-01"}}, "2025-06-01..2026-03-01"),
        ({"meta": {"lastUpdated": "2026-03-01"}}, "until 2026-03-01"),
        ({}, "date unknown"),
        ({"onsetDateTime": "2025-06-01", "meta": {"lastUpdated": "2025-01-01"}}, "from 2025-06-01"),
        ({"onsetDateTime": "2025-06-01", "abatementDateTime": "2025-06-02"}, "2025-06-02"),
    ],
)
def test_what_is_over_may_have_ended_until_its_status_was_set(status: str, more: Json, end: str) -> None:
    """`recordedDate` is when the entry was first made: it bounds the start and no end."""
    clinical = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", status)
    patient = bundle(condition(concept(ICD, "M86.9"), clinicalStatus=clinical, recordedDate="2025-06-03", **more))
    _, ended, ongoing = shown(only(patient, "deep_tissue_infection"))
    assert (ended, ongoing) == (end, False)


@pytest.mark.parametrize(
    ("more", "ongoing"),
    [
        ({}, False),
        ({"onsetDateTime": "2015"}, True),
        ({"recordedDate": "2026-03-01"}, True),
        ({"meta": {"lastUpdated": "2026-03-01"}}, True),
        ({"extension": [{"url": "https://onstudy.dev/fhir/ongoing", "valueBoolean": True}]}, True),
    ],
)
def test_an_active_entry_without_any_date_may_be_of_any_time(more: Json, ongoing: bool) -> None:
    angina = only(bundle(condition(concept(SNOMED, "194828000"), clinicalStatus=ACTIVE, **more)), "angina")
    assert (angina.ongoing, angina.certain) == (ongoing, True)
    assert ongoing or (not angina.start.known and (angina.end is None or not angina.end.known))


def test_a_state_may_have_lasted_until_its_status_was_set() -> None:
    patient = bundle(
        condition(
            concept(SNOMED, "77386006"),
            clinicalStatus=RESOLVED,
            onsetDateTime="2025-06-01",
            recordedDate="2025-06-03",
            meta={"lastUpdated": "2026-03-01"},
        )
    )
    no = only(patient, "pregnancy")
    assert (no.negative, str(no.end)) == (True, "2025-06-01..2026-03-01")


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({"onsetDateTime": "2025-06-01", "meta": {"lastUpdated": "2026-03-01"}}, "2025-06-01..2026-03-01"),
        ({"onsetDateTime": "2025-06-01"}, "date unknown"),
        ({"recordedDate": "2025-06-03"}, "date unknown"),
        ({}, "date unknown"),
    ],
)
def test_a_state_that_is_over_speaks_once_where_its_end_has_no_day(more: Json, end: str) -> None:
    no = only(bundle(condition(concept(ICD, "Z95.0"), clinicalStatus=RESOLVED, **more)), "pacemaker")
    assert (no.negative, str(no.end), no.id) == (True, end, "Condition/x1")
    assert no.recorded is None or end != "date unknown"


def test_a_state_with_an_abatement_is_over_whatever_its_status() -> None:
    patient = bundle(condition(concept(ICD, "Z95.0"), onsetDateTime="2016-06-02", abatementDateTime="2020-01"))
    yes, no = sorted(of(patient, "pacemaker"), key=lambda fact: fact.negative)
    assert (str(yes.start), yes.negative, str(no.end), no.negative) == ("2016-06-02", False, "2020-01", True)


def test_a_resolved_state_is_over() -> None:
    patient = bundle(
        condition(
            concept(SNOMED, "77386006"),
            clinicalStatus=RESOLVED,
            onsetDateTime="2020-01",
            abatementDateTime="2020-10-01",
        )
    )
    yes, no = sorted(of(patient, "pregnancy"), key=lambda fact: fact.negative)
    assert (yes.negative, no.negative, str(no.end)) == (False, True, "2020-10-01")


def test_refuted_is_a_no_and_other_verification() -> None:
    refuted = only(
        bundle(
            condition(concept(SNOMED, "91175000"), verificationStatus=verified("refuted"), recordedDate="2026-03-10")
        ),
        "seizure",
    )
    assert (refuted.negative, str(refuted.end)) == (True, "2026-03-10")
    narrow = bundle(condition(concept(ICD, "I21.4"), verificationStatus=verified("refuted"), recordedDate="2026-03-10"))
    assert of(narrow, "myocardial_infarction") == []
    assert "it denies no other" in said(narrow).replace("refuted, it", "it")
    skin = only(
        bundle(condition(concept(ICD, "C44.91"), verificationStatus=verified("refuted"), recordedDate="2026-03-10")),
        "other_malignancy",
    )
    assert skin.narrowed == ("type", frozenset({"skin_bcc"}))
    assert not only(
        bundle(condition(concept(SNOMED, "91175000"), verificationStatus=verified("provisional"))), "seizure"
    ).certain
    assert (
        of(bundle(condition(concept(SNOMED, "91175000"), verificationStatus=verified("entered-in-error"))), "seizure")
        == []
    )
    assert of(bundle(condition(concept(SNOMED, "91175000"), verificationStatus="entered-in-error")), "seizure") == []


@pytest.mark.parametrize(("more", "since"), [
    ({"abatementDateTime": "2026-03-12"}, "2026-03-12"),
    ({"clinicalStatus": RESOLVED, "meta": {"lastUpdated": "2026-03-13T10:00:00Z"}}, "2026-03-02..2026-03-13"),
    ({"clinicalStatus": RESOLVED}, "from 2026-03-02"),
])  # fmt: skip
def test_a_status_that_is_over_does_not_say_how_things_stand_since(more: Json, since: str) -> None:
    patient = bundle(condition(concept(ICD, "C91.02"), onsetDateTime="2026-03-02", **more))
    then, now = of(patient, "all_disease_status")
    assert (then.value, then.lacks, show(then.start)) == (frozenset({"relapsed"}), None, "2026-03-02")
    assert (now.value, now.lacks, show(now.start)) == (None, "not_stated", since)
    assert "it is over, so it does not say how things stand since" in said(patient)
    rest = of(bundle(condition(concept(ICD, "C91.01"), onsetDateTime="2026-03-02", **more)), "all_disease_status")
    assert rest[0].value == frozenset({"in_remission"})
    assert len(rest) == (2 if "abatementDateTime" in more else 1)  # the end of a remission may be a relapse


ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"


@pytest.mark.parametrize(
    ("more", "recorded"), [({}, "2026-03-15"), ({"recordedDate": "2026-03-12"}, "2026-03-12")], ids=["alone", "beside"]
)
def test_the_day_of_assertion_is_that_of_record_where_no_other_is(more: Json, recorded: str) -> None:
    asserted = {"extension": [{"url": ASSERTED, "valueDateTime": "2026-03-15"}], **more}
    known = only(bundle(condition(concept(SNOMED, "22298006"), **asserted)), "myocardial_infarction")
    unread = only(bundle(condition(concept(SNOMED, "15777000"), **asserted)), "unmapped")
    assert str(known.recorded) == str(unread.recorded) == recorded
    assert show(known.start) == f"until {recorded}"


B_ALL = concept(SNOMED, "277571004")


def test_a_refuted_diagnosis_with_a_value_is_a_result_that_is_not_known() -> None:
    """Else the older one would speak, which may be the very one that is refuted."""
    refuted = only(
        bundle(condition(B_ALL, verificationStatus=verified("refuted"), recordedDate="2026-03-10")),
        "leukemia_diagnosis",
    )
    assert (refuted.negative, refuted.value, refuted.lacks) == (False, None, "conflict")
    assert show(refuted.start) == "2026-03-10"


STRANGE = [{"text": "Entered in error"}, concept("urn:site", "refuted"), "unknown"]


@pytest.mark.parametrize("status", STRANGE, ids=str)
def test_a_verification_that_is_not_understood_leaves_the_diagnosis_open(status: object) -> None:
    def of_code(code: Json, **more: object) -> Json:
        return condition(code, verificationStatus=status, recordedDate="2026-03-10", **more)

    seen = bundle(of_code(concept(SNOMED, "22298006")))
    assert not only(seen, "myocardial_infarction").certain
    assert "its verificationStatus is no code of FHIR: the diagnosis is not certain [kept]" in said(seen)
    valued = only(bundle(of_code(B_ALL)), "leukemia_diagnosis")
    assert (valued.certain, valued.value, valued.lacks) == (False, None, "not_stated")
    state = only(
        bundle(of_code(concept(OWN, "pacemaker"), clinicalStatus=RESOLVED, abatementDateTime="2025-01-01")),
        "pacemaker",
    )
    assert (state.negative, state.certain) == (False, False)


def test_codes_of_one_concept_are_synonyms() -> None:
    code = {
        "coding": [
            {"system": ICD, "code": "B18.1"},
            {"system": SNOMED, "code": "66071002"},
            {"system": "x", "code": "66071002"},
        ]
    }
    fact = only(bundle(condition(code, clinicalStatus=ACTIVE)), "hepatitis_b")
    assert fact.attributes == {"course": frozenset({"chronic"})}
    both = bundle(
        condition(
            {"coding": [{"system": ICD, "code": "C91.02"}, {"system": SNOMED, "code": "277571004"}]},
            onsetDateTime="2024",
            recordedDate="2026-03-02",
        )
    )
    assert only(both, "leukemia_diagnosis").value == frozenset({"precursor_b_all"})
    assert only(both, "all_disease_status").value == frozenset({"relapsed"})
    assert show(only(both, "all_disease_status").start) == "2026-03-02"
    group = bundle(
        condition({"coding": [{"system": SNOMED, "code": "698247007"}, {"system": SNOMED, "code": "44103008"}]})
    )
    assert [f.kind for f in group.facts if "arrhythmia" in f.kind] == ["ventricular_arrhythmia"]


def test_system_and_code_are_matched_together() -> None:
    race = bundle(observation(concept("urn:oid:2.16.840.1.113883.6.238", "2106-3"), valueBoolean=True))
    test = bundle(observation(concept("urn:oid:2.16.840.1.113883.6.1", "2106-3"), valueBoolean=False))
    assert of(race, "pregnancy_test") == []
    assert only(test, "pregnancy_test").attributes == {"specimen": frozenset({"urine"})}


def test_what_the_catalogue_does_not_know_is_kept_and_said_once_a_code() -> None:
    unknown = concept(SNOMED, "15777000", text="Prediabetes")
    patient = bundle(condition(unknown), condition(unknown, id="x2"), condition({"text": "just words"}, id="x3"))
    assert [fact.shown for fact in of(patient, "unmapped")][:1] == ["http://snomed.info/sct|15777000"]
    assert said(patient).count("15777000") == 1
    assert "and 1 more" in said(patient)
    assert "has no code" in said(patient)


def test_status_of_recalled_codes_is_carried() -> None:
    assert only(bundle(condition(concept(SNOMED, "27503000"))), "gilbert_syndrome").code_status == "C"
    both = {"coding": [{"system": SNOMED, "code": "27503000"}, {"system": ICD, "code": "E80.4"}]}
    assert only(bundle(condition(both)), "gilbert_syndrome").code_status == ""


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (concept(ICD, "M86.9"), "deep_tissue_infection"),
        (concept(ICD, "I20.0"), "angina"),
        (concept(ICD, "I25.2"), "myocardial_infarction"),
    ],
)
def test_one_refuted_form_denies_no_other(code: Json, kind: str) -> None:
    """No osteomyelitis says nothing of fasciitis."""
    read = bundle(condition(code, verificationStatus=verified("refuted"), recordedDate="2026-03-10"))
    assert of(read, kind) == []
    assert "it denies no other" in said(read)


def test_the_one_code_of_a_terminology_denies_its_kind() -> None:
    code = concept(SNOMED, "22298006")
    read = bundle(condition(code, verificationStatus=verified("refuted"), recordedDate="2026-03-10"))
    assert only(read, "myocardial_infarction").negative


# Words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "certain"),
    [
        ({"text": "Myocardial infarction"}, "myocardial_infarction", True),
        ({"text": "MYOCARDIAL  infarction (disorder)"}, "myocardial_infarction", True),
        (
            {"coding": [{"system": "urn:local", "code": "12", "display": "Myocardial infarction"}]},
            "myocardial_infarction",
            True,
        ),
        ({"text": "Heart attack"}, "myocardial_infarction", False),
        ({"text": "Heart attack", "coding": [{"display": "Myocardial infarction"}]}, "myocardial_infarction", True),
        ({"text": "Old myocardial infarction"}, "unmapped", True),
        ({"text": "Myocardial infarction, stroke"}, "unmapped", True),
        ({"text": "Hysterectomy"}, "hysterectomy", False),  # in favour of the patient
        ({"text": "Gilbert syndrome"}, "gilbert_syndrome", False),
        ({"text": "Myocardial infarction", "coding": [{"display": "Stroke"}]}, "unmapped", True),
        ({"text": "Total bilirubin"}, "unmapped", True),
        ({"text": "Investigator sees an uncontrolled infection"}, "unmapped", True),
        ({"text": "Myocardial infarction", "coding": [{"system": OWN, "code": "unmapped"}]}, "unmapped", True),
        ({"text": "Stroke", "coding": [{"system": ICD, "code": "I21.4"}]}, "myocardial_infarction", True),
    ],
)
def test_words_that_name_a_kind_in_full(code: Json, kind: str, certain: bool) -> None:
    """By its label for sure, by a synonym not, and only where no code is known; words that name two kinds name none."""
    fact = only(bundle(condition(code, onsetDateTime="2026-01-01")), kind)
    assert (fact.certain, show(fact.start)) == (certain, "2026-01-01")


def test_what_is_said_of_words_that_name_a_kind() -> None:
    patient = bundle(condition(concept("urn:local", "12", text="Stroke")))
    assert "urn:local|12 is not in the catalogue, and its words are those of stroke: read as that" in said(patient)
    assert "there is no code, and its words are those of stroke: read as that" in said(
        bundle(condition({"text": "Stroke"}))
    )


@pytest.mark.parametrize(("word", "kinds"), [("refuted", []), ("entered-in-error", []), ("provisional", [False])])
def test_words_of_a_diagnosis_that_is_not_confirmed(word: str, kinds: list[bool]) -> None:
    patient = bundle(condition({"text": "Stroke"}, verificationStatus=verified(word)))
    assert [fact.certain for fact in patient.facts if fact.kind == "stroke"] == kinds
