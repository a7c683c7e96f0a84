"""The catalogue that ships: it is valid, and looking things up in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onstudy.errors import InvalidFile
from onstudy.record import catalogue as catalogue_module
from onstudy.record.catalogue import TOPICS, Catalogue, load_catalogue
from onstudy.record.catalogue_file import compiled_text, read_catalogue
from onstudy.values.codes import ATC, ICD10CM, LOINC, ONSTUDY, RXNORM, SNOMED, Code

SHIPPED = Path(catalogue_module.__file__).with_name("catalogue.toml")
RACE = "urn:oid:2.16.840.1.113883.6.238"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def kinds_of(catalogue: Catalogue, system: str, code: str) -> list[str]:
    return [kind for kind, _ in catalogue.lookup(Code(system, code))]


# What ships ---------------------------------------------------------------------------------------------


def test_the_shipped_file_holds_everything_that_is_checked(catalogue: Catalogue) -> None:
    assert read_catalogue(SHIPPED) == catalogue


def test_the_compiled_file_is_up_to_date() -> None:
    assert SHIPPED.with_suffix(".json").read_text(encoding="utf-8") == compiled_text(SHIPPED), (
        "write it anew: python -m onstudy.record.catalogue_file"
    )


@pytest.mark.parametrize(
    "beside", [SHIPPED.with_suffix(".json").read_text("utf-8"), "{", "[]"], ids=["other", "broken", "no table"]
)
def test_a_compiled_file_that_does_not_fit_is_not_used(tmp_path: Path, beside: str) -> None:
    copy = tmp_path / "catalogue.toml"
    copy.write_text(SHIPPED.read_text("utf-8").replace('version = "', 'version = "new '), "utf-8")
    copy.with_suffix(".json").write_text(beside, "utf-8")
    assert read_catalogue(copy, check=False).version.startswith("new ")


def test_line_ends_of_a_checkout_do_not_matter(tmp_path: Path) -> None:
    copy = tmp_path / "catalogue.toml"
    copy.write_bytes(SHIPPED.read_bytes().replace(b"\n", b"\r\n"))
    kept = {"toml": json.loads(SHIPPED.with_suffix(".json").read_text("utf-8"))["toml"], "catalogue": {}}
    copy.with_suffix(".json").write_text(json.dumps(kept), "utf-8")
    with pytest.raises(InvalidFile, match="version: is missing"):
        read_catalogue(copy, check=False)


def test_every_kind_can_be_shown_and_asked_for(catalogue: Catalogue) -> None:
    for kind in catalogue:
        assert kind.topic in TOPICS
        assert kind.question.endswith("?"), kind.name
        assert kind.label[0].isupper() or kind.label.startswith(("eGFR", "hCG")), kind.name


def test_each_kind_and_member_has_the_code_of_its_name(catalogue: Catalogue) -> None:
    for kind in catalogue:
        assert kinds_of(catalogue, ONSTUDY, kind.name) == [kind.name]
    for values in catalogue.value_sets.values():
        for name in values.members:
            found = catalogue.member(values.name, Code(ONSTUDY, name))
            assert found is not None
            assert found[0] == name


def test_what_a_person_must_judge_and_what_is_measured_is_never_assumed(catalogue: Catalogue) -> None:
    exceptions = {"gilbert_syndrome", "pacemaker", "menses", "testicular_radiotherapy"}
    required = {"antiretroviral_therapy", "hbv_suppressive_therapy", "hcv_eradication_therapy"}
    for kind in catalogue:
        if kind.attested or kind.measured or kind.components or kind.name in exceptions | required:
            assert not kind.assumable, kind.name
    for name in ("seizure", "treatment", "gvhd", "hct_planned", "other_malignancy", "syncope", "sos_vod"):
        assert catalogue.kinds[name].assumable, name


def test_only_the_study_brings_about_its_own_steps_specimens_and_attestations(catalogue: Catalogue) -> None:
    assert {kind.name for kind in catalogue if kind.by_study} == {
        "allowed_therapy_limit",
        "pre_registration",
        "mrd_marrow_submission",
        "mrd_blood_submission",
        "uncontrolled_infection",
        "informed_consent",
        "study_cooperation_expected",
        "contraception_agreed",
        "uncontrolled_cancer_pain",
        "serious_cardiovascular_disease",
        "unsuitable_by_judgement",
    }


# Looking up ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "code", "kinds"),
    [
        (LOINC, "2106-3", ["pregnancy_test"]),
        (RACE, "2106-3", []),
        (LOINC, "2118-8", ["pregnancy_test"]),
        (RACE, "2118-8", []),
        (LOINC, "21198-7", ["pregnancy_test"]),
        (LOINC, "19080-1", ["pregnancy_test"]),
        (LOINC, "26464-8", ["blood_wbc"]),
        (LOINC, "26465-5", ["csf_wbc"]),
        (LOINC, "14017-8", ["cd22_cells_all"]),
        (LOINC, "8636-3", ["qtc_unspecified"]),
        (LOINC, "76635-2", ["qtcb"]),
        (LOINC, "26474-7", ["absolute_lymphocyte_count"]),
        (LOINC, "35050-4", ["absolute_lymphoblast_count"]),
        (ICD10CM, "C91.A0", ["burkitt"]),
        (ICD10CM, "C91A0", ["burkitt"]),
        (ICD10CM, "C91.A", ["burkitt"]),
        (ICD10CM, "C91.00", ["all_unspecified"]),
        (ICD10CM, "C9102", ["all_unspecified", "all_disease_status"]),
        (ICD10CM, "i21.4", ["myocardial_infarction"]),
        (ICD10CM, "I21", ["myocardial_infarction"]),
        (ICD10CM, "I2", []),
        (ICD10CM, "I44.0", []),
        (ICD10CM, "G45.9", []),
        (ICD10CM, "G43.909", []),
        (ICD10CM, "S06.0X0A", ["brain_injury"]),
        (SNOMED, "277571004", ["leukemia_diagnosis"]),
        (SNOMED, "420816009", ["nyha_class"]),
        (ATC, "J05AF10", ["hbv_suppressive_therapy"]),
        (ICD10CM, "", []),
    ],
)
def test_a_pair_of_system_and_code_names_its_kinds(
    catalogue: Catalogue, system: str, code: str, kinds: list[str]
) -> None:
    assert kinds_of(catalogue, system, code) == kinds


@pytest.mark.parametrize(
    ("system", "code", "member"),
    [
        (RXNORM, "103", "mercaptopurine"),
        ("urn:drg", "103", None),
        (ATC, "L01EA05", "ponatinib"),
        (ATC, "L01EA99", "bcr_abl1_tki"),
        (ATC, "L01FB99", "cd22_directed"),
        (ATC, "L01FA", "anti_cd20"),
        (ATC, "L01F", None),
    ],
)
def test_a_code_means_a_member_or_the_group_it_lies_in(
    catalogue: Catalogue, system: str, code: str, member: str | None
) -> None:
    found = catalogue.member("agent", Code(system, code))
    assert (found[0] if found else None) == member
    assert catalogue.member("no_such_set", Code(system, code)) is None


def test_a_code_may_say_more_than_its_kind(catalogue: Catalogue) -> None:
    relapse = dict(catalogue.lookup(Code(ICD10CM, "C91.02")))["all_disease_status"]
    assert relapse.value == "relapsed"
    [(_, skin)] = catalogue.lookup(Code(ICD10CM, "C44.91"))
    assert skin.sets == {"type": "skin_bcc"}
    [(_, old)] = catalogue.lookup(Code(ICD10CM, "I25.2"))
    assert old.history
    assert not catalogue.lookup(Code(ICD10CM, "I21.9"))[0][1].history


def test_groups_hold_their_members_and_what_nobody_listed(catalogue: Catalogue) -> None:
    agent = catalogue.value_sets["agent"]
    assert {"rituximab", "blinatumomab", "denosumab"} <= agent.meaning("monoclonal_antibody")
    assert "cd19_car_t" not in agent.meaning("monoclonal_antibody")
    assert {"tisagenlecleucel", "cd19_directed"} <= agent.meaning("cd19_directed")
    assert agent.meaning("immunotherapy") > agent.meaning("cd22_directed")
    assert "dexamethasone" not in agent.meaning("cyp3a4_inducer")
    assert agent.meaning("other") == {"other"}
    assert agent.find("Other") == "other"
    assert catalogue.value_sets["sex"].find("other") is None


@pytest.mark.parametrize(
    ("values", "text", "member"),
    [
        ("agent", "Rifampin", "rifampicin"),
        ("agent", "6-MP", "mercaptopurine"),
        ("agent", "hyper-CVAD", "multiagent_chemotherapy"),
        ("route", "IT", "intrathecal"),
        ("intent", "all", "ALL"),
        ("result", "Not Detected", "negative"),
        ("bcr_abl1_result", "normal", "negative"),
        ("nyha_class", "2", "II"),
        ("nyha_class", "New York Heart Association Classification - Class III", "III"),
        ("cancer_stage", "stage IIB", "II"),
        ("cancer_type", "colon cancer", "colorectal"),
        ("sex", "Female", "female"),
        ("result", "equivocal", None),
    ],
)
def test_words_that_people_write(catalogue: Catalogue, values: str, text: str, member: str | None) -> None:
    assert catalogue.value_sets[values].find(text) == member


def test_kinds_stand_in_groups(catalogue: Catalogue) -> None:
    assert catalogue.ancestors("av_block_high_degree") == {
        "chronic_bradycardia",
        "conduction_disorder",
        "cardiac_disease",
    }
    assert "first_degree_av_block" not in catalogue.families["chronic_bradycardia"]
    assert catalogue.families["cardiac_disease"] >= {"syncope", "ventricular_arrhythmia", "angina"}
    assert catalogue.families["chronic_liver_disease"] == {
        "chronic_liver_disease",
        "cirrhosis",
        "chronic_hepatitis_nonviral",
    }


def test_the_nearer_group_says_what_silence_means(catalogue: Catalogue) -> None:
    said = {
        name: getattr(catalogue.attribute(name, "clinically_relevant"), "silence", "no such attribute")
        for name in ("neurologic_disorder", "epilepsy", "brain_injury", "severe_brain_injury")
    }
    assert said == {
        "neurologic_disorder": "yes",
        "epilepsy": "yes",
        "brain_injury": None,
        "severe_brain_injury": "yes",
    }
    assert catalogue.attribute("ventricular_arrhythmia", "controlled") is not None
    assert catalogue.attribute("seizure", "controlled") is None


def test_every_result_of_the_laboratory_says_what_it_is_measured_in(catalogue: Catalogue) -> None:
    """Else a result in urine could pass for one in blood; what is measured on the patient has no specimen."""
    on_the_patient = {"body_weight"}
    for kind in catalogue:
        if kind.topic == "laboratory" and (kind.measured or kind.components):
            measured = kind.specimens or kind.name in on_the_patient or "blood_pressure" in kind.name
            assert measured, kind.name


def test_components_know_their_composite(catalogue: Catalogue) -> None:
    assert catalogue.composites["csf_wbc"] == ("csf_examination", "wbc")
    assert catalogue.kinds["csf_flow"].silence == "not_done"
    assert "ecg_heart_rate" in catalogue.composites
    assert "rate" not in catalogue.kinds["ecg"].identifying
