"""Elements of another shape than theirs: told, read where nothing else can be meant, never passed over."""

from __future__ import annotations

from typing import Any

import pytest
from tests.readers.build import (
    ACTIVE,
    BILIRUBIN,
    ICD,
    LOINC,
    MG_DL,
    OWN,
    PATIENT,
    STATEMENT,
    Json,
    bundle,
    concept,
    condition,
    drug,
    observation,
)
from tests.readers.canon import of, only

HIGH: Json = {"high": {**MG_DL, "value": 1.2}}
CODING: Json = {"system": LOINC, "code": "1975-2"}
NOT_USED, ONE = "it is not used", "where a list belongs: it is read as a list of one"
NO_LIST, NO_OBJECT = f"where a list belongs: {NOT_USED}", f"where an object belongs: {NOT_USED}"


def told(*records: Json, patient: Json | None = None) -> list[str]:
    return [problem.what for problem in bundle(*records, patient=patient).problems]


@pytest.mark.parametrize(
    ("written", "limit", "says"),
    [
        ([HIGH], 1.2, None),
        (None, None, None),
        ([], None, None),
        (HIGH, 1.2, f"referenceRange is an object {ONE}"),
        ("0.2-1.2 mg/dL", None, f"referenceRange is text {NO_LIST}"),
        (1.2, None, f"referenceRange is a number {NO_LIST}"),
        (["<1.2"], None, f"referenceRange has text in its list {NO_OBJECT}"),
        ([{"high": 1.2}], None, f"referenceRange.high is a number {NO_OBJECT}"),
        ([{**HIGH, "appliesTo": [True]}], None,
         f"referenceRange.appliesTo has true or false in its list {NO_OBJECT}"),
    ],
)  # fmt: skip
def test_a_reference_range(written: Any, limit: float | None, says: str | None) -> None:
    result = observation(BILIRUBIN, valueQuantity=MG_DL, referenceRange=written)
    uln = only(bundle(result), "bilirubin_total").uln
    assert (None if uln is None else uln.high) == limit
    assert [what for what in told(result) if "belongs" in what] == ([says] if says else [])


@pytest.mark.parametrize("limit", [{"unit": "mg/dL"}, {}, {"reference": "Patient/zz"}])
def test_a_limit_that_cannot_be_read_is_named_once(limit: Json) -> None:
    result = observation(BILIRUBIN, valueQuantity=MG_DL, referenceRange=[{"high": limit}])
    assert told(result) == ["referenceRange.high has no usable value"]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (observation({"coding": CODING}), f"code.coding is an object {ONE}"),
        (observation({"coding": "1975-2"}), f"code.coding is text {NO_LIST}"),
        ({**observation({}), "code": "1975-2"}, f"code is text {NO_OBJECT}"),
        (
            observation({"coding": [{"system": LOINC, "code": 19752}]}),
            f"code.coding.code is a number where text belongs: {NOT_USED}",
        ),
        (observation(BILIRUBIN, component="x"), f"component is text {NO_LIST}"),
        (observation(BILIRUBIN, component={"code": BILIRUBIN}), f"component is an object {ONE}"),
        (observation(BILIRUBIN, interpretation="H"), f"interpretation is text {NO_LIST}"),
        (observation(BILIRUBIN, identifier="7"), f"identifier is text {NO_LIST}"),
        (observation(BILIRUBIN, hasMember={}), f"hasMember is an object {ONE}"),
        (observation(BILIRUBIN, effectivePeriod="March"), f"effectivePeriod is text {NO_OBJECT}"),
        (condition(concept(ICD, "B20"), onsetPeriod=["2026"]), f"onsetPeriod is a list {NO_OBJECT}"),
        (drug(STATEMENT, dosage="daily"), f"dosage is text {NO_LIST}"),
        (drug(STATEMENT, reasonCode={"text": "ALL"}), f"reasonCode is an object {ONE}"),
    ],
)  # fmt: skip
def test_every_element_that_is_read_is_held_to_its_shape(result: Json, says: str) -> None:
    assert says in told(result)


def test_what_older_versions_wrote_is_no_mistake() -> None:
    positive = {"coding": [{"system": "http://hl7.org/fhir/v2/0078", "code": "POS"}]}
    records = (
        observation(concept(LOINC, "5196-1"), interpretation=positive),
        condition(concept(ICD, "B20"), clinicalStatus="active", verificationStatus="confirmed", onsetDateTime="2020"),
        condition(concept(ICD, "B20"), clinicalStatus=ACTIVE, subject=[{"reference": "Patient/p1"}], id="x2"),
    )
    assert [what for what in told(*records) if "belongs" in what] == []


def test_several_records_that_share_one_fault_are_told_of_once() -> None:
    results = [observation(BILIRUBIN, id=f"x{n}", valueQuantity=MG_DL, referenceRange="<1.2") for n in range(5)]
    (problem,) = [one for one in bundle(*results).problems if "belongs" in one.what]
    assert (problem.where, problem.fact_kept) == ("Observation/x0, and 4 more", True)


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (observation(BILIRUBIN, valueQuantity=MG_DL, status=["cancelled"]), "bilirubin_total"),
        (condition(concept(ICD, "B20"), verificationStatus=7), "hiv_infection"),
        (drug(STATEMENT, status="active", doNotPerform="true"), "treatment"),
        (observation(concept(OWN, "hiv_infection"), valueBoolean=False, status={}), "hiv_infection"),
    ],
    ids=["cancelled result", "refuted diagnosis", "drug not given", "no"],
)
def test_a_status_that_cannot_be_read_may_say_anything(record: Json, kind: str) -> None:
    fact = only(bundle(record), kind)
    assert (fact.value, fact.negative, fact.lacks) == (None, False, "unsupported")
    assert any("belongs: what it says is not certain" in what for what in told(record))


def test_a_no_of_which_something_cannot_be_read_denies_nothing() -> None:
    no = observation(concept(OWN, "treatment"), valueBoolean=False)
    assert only(bundle(no), "treatment").negative
    limited = {**no, "extension": "https://onstudy.dev/fhir/agent rituximab"}
    assert of(bundle(limited), "treatment") == []
    assert "a 'no' that is not wholly understood is not used: it could deny too much" in told(limited)


def test_a_patient_is_held_to_it_as_well() -> None:
    assert f"extension is text {NO_LIST}" in told(patient={**PATIENT, "extension": "x"})
