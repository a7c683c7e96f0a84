"""The catalogue: what ships is valid and says what the reference says; all that is wrong in a file is told."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from onstudy.errors import InvalidFile
from onstudy.record import catalogue as catalogue_module
from onstudy.record.catalogue import TOPICS, Catalogue, load_catalogue
from onstudy.record.catalogue_file import compiled_text, extend, read_catalogue
from onstudy.values.codes import ATC, ICD10CM, LOINC, ONSTUDY, RXNORM, SNOMED, Code

SHIPPED = Path(catalogue_module.__file__).with_name("catalogue.toml")
RACE = "urn:oid:2.16.840.1.113883.6.238"
MEDDRA = "https://www.meddra.org"

#: Seen in DICOM context group 3736 (NYHA Classification), which also says which code is which class.
NYHA_III = Code(SNOMED, "420913000")
#: What a specimen is, which the reference does not list: seen in the examples and value sets of public FHIR
#: implementation guides (HL7's own Specimen examples, those of Germany, the Czech Republic and the United States).
SPECIMENS = {
    Code(SNOMED, code)
    for code in (
        "119297000", "122555007", "122554006", "258580003", "122592007", "119364003", "119361006", "122575003",
        "258450006", "119359002", "418564007", "309201001",
    )
}  # fmt: skip
NOT_IN_REFERENCE = {NYHA_III, *SPECIMENS}
NYHA = {"420816009", "421704003", "420300004", "422293003"}

CVX = "http://hl7.org/fhir/sid/cvx"
#: What trials other than the flagship need, all of status V: each stands in the shared FHIR or OMOP data.
SEEN_IN_DATA = {
    LOINC: {"5902-2", "6301-6", "8462-4", "8480-6", "55284-4", "85354-9"},
    SNOMED: {
        "13569004", "32413006", "43075005", "6072007", "69896004", "76571007", "88039007", "91302008", "94225005",
        "180207008", "200936003", "232657004", "232717009", "254632001", "254637007", "287664005", "359615001",
        "422968005", "423121009", "424132000", "425048006", "448417001", "448813005", "706870000", "770349000",
        "132281000119108", "1098951000119108", "67811000119102", "67821000119109", "67831000119107",
        "67841000119103",
    },
    RXNORM: {
        "56946", "309311", "349472", "583214", "597195", "1148495", "1727455", "1736854", "1860480", "2103164",
    },
    CVX: {"08", "10", "33", "43", "52", "113", "119", "121", "133", "140"},
}  # fmt: skip


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


def test_only_the_study_brings_about_its_own_specimens_and_attestations(catalogue: Catalogue) -> None:
    assert {kind.name for kind in catalogue if kind.by_study} == {
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


# The reference ------------------------------------------------------------------------------------------


def reference_section(shared: Path, number: str, following: str) -> str:
    text = (shared / "reference/nct03739814.md").read_text(encoding="utf-8")
    return text[text.index(f"### {number} ") : text.index(f"### {following} ")]


def used_codes(catalogue: Catalogue, system: str) -> dict[str, set[str]]:
    """Every code of a system that the reference must know, with the statuses it has in the catalogue."""
    return {
        code: statuses
        for code, statuses in all_codes(catalogue, system).items()
        if code not in SEEN_IN_DATA.get(system, ())
    }


def all_codes(catalogue: Catalogue, system: str) -> dict[str, set[str]]:
    """Every code of a system in the catalogue with the statuses it has there."""
    found: dict[str, set[str]] = {}
    members = [member for values in catalogue.value_sets.values() for member in values.members.values()]
    for entry in (*catalogue, *members):
        for use in entry.codes:
            if use.code.system == system:
                found.setdefault(use.code.code, set()).add(use.status)
    return found


def test_loinc_codes_are_those_of_the_reference_with_their_status(catalogue: Catalogue, shared: Path) -> None:
    stated: dict[str, set[str]] = {}
    for line in reference_section(shared, "3.1", "3.2").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        codes = re.findall(r"\b[0-9]{1,5}-[0-9]\b", cells[2]) if len(cells) > 5 else []
        statuses = re.findall(r"\b[VC]\b", cells[5]) if codes else []
        for place, code in enumerate(codes):
            stated[code] = {statuses[place if len(statuses) == len(codes) else 0]}
    assert len(stated) > 50
    assert used_codes(catalogue, LOINC) == stated


def test_snomed_codes_are_those_of_the_reference_with_their_status(catalogue: Catalogue, shared: Path) -> None:
    stated: dict[str, set[str]] = {}
    for line in reference_section(shared, "3.4", "3.5").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        for code in re.findall(r"\b[0-9]{7,9}\b", cells[2]) if len(cells) > 3 else []:
            stated[code] = {cells[3][0]}
    used = used_codes(catalogue, SNOMED)
    assert used.keys() - stated.keys() == {code.code for code in NOT_IN_REFERENCE}
    assert stated.keys() <= used.keys()
    # The reference lists the NYHA codes without knowing which is which class; see the value set.
    assert {code: used[code] for code in stated.keys() - NYHA} == {
        code: status for code, status in stated.items() if code not in NYHA
    }


def test_icd_10_cm_codes_are_those_of_the_reference(catalogue: Catalogue, shared: Path) -> None:
    text = reference_section(shared, "3.3", "3.4")
    stated = set(re.findall(r"\b[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?(?:-|\.-)?", text))
    ranges = {"D89.810-", "D89.831-", "D89.834", "G92.00-", "G92.05"}  # written from a first to a last code
    graft = {"D89.810", "D89.811", "D89.812", "D89.813"}
    assert used_codes(catalogue, ICD10CM).keys() == (stated - ranges - {"C91.0"}) | graft | {"G92.0-"}
    assert {status for found in used_codes(catalogue, ICD10CM).values() for status in found} == {"V"}


def test_drug_codes_are_those_of_the_reference_with_their_status(catalogue: Catalogue, shared: Path) -> None:
    text = reference_section(shared, "3.5", "3.6")
    recalled = {"103", "5552", "1307298", "1999574", "7004"}
    stated = set(re.findall(r"\b[0-9]{3,7}\b", text)) - {"2026"}
    assert used_codes(catalogue, RXNORM) == {code: {"M" if code in recalled else "V"} for code in stated}
    atc = set(re.findall(r"\b[A-Z][0-9]{2}[A-Z]{2}[0-9]{2}\b", text)) - {"M05BX04"}
    of_a_range = {"L01EA02", "L01EA03", "L01EA04"}
    assert used_codes(catalogue, ATC).keys() == atc | of_a_range | {"L01EA-", "L01FA-", "L01FB-"}


def test_adverse_event_codes_are_those_of_the_reference(catalogue: Catalogue, shared: Path) -> None:
    text = reference_section(shared, "5.5", "5.6")
    assert used_codes(catalogue, MEDDRA).keys() == set(re.findall(r"\b10[0-9]{6}\b", text))


def test_codes_beyond_the_reference_stand_in_the_shared_data(catalogue: Catalogue, shared: Path) -> None:
    with gzip.open(shared / "data/omop_synthea27nj/CONCEPT.csv.gz", "rt", encoding="utf-8") as file:
        text = file.read()
    for path in sorted((shared / "data/fhir_synthea_r4").glob("*.json.gz")):
        text += gzip.decompress(path.read_bytes()).decode("utf-8")
    for path in sorted((shared / "data/fhir_mcode").glob("*.fsh")):
        text += path.read_text(encoding="utf-8")
    seen = set(re.findall(r'[,"#]([0-9][0-9-]+)[," \n]', text))
    for system, codes in SEEN_IN_DATA.items():
        used = all_codes(catalogue, system)
        assert {code: used.get(code) for code in codes} == {code: {"V"} for code in codes}
        assert codes - seen == set(), system


# Looking up ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "code", "kinds"),
    [
        (LOINC, "2106-3", ["pregnancy_test"]),
        (RACE, "2106-3", []),
        (LOINC, "2118-8", ["pregnancy_test"]),
        (RACE, "2118-8", []),
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


SPECIMEN = """[value_set.specimen]
label = "Specimen"
member.serum = {}
member.csf = {}
[kind.creatinine]
"""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('specimens = ["serum"]', ""),
        ('specimens = ["serom"]', "there is no specimen 'serom'; did you mean serum?"),
        ('specimens = ["serum"]\nelsewhere = {csf = "creatinin"}', "there is no kind 'creatinin'"),
        ('specimens = ["serum"]\nelsewhere = {csf = "infarction"}', "infarction is not measured as creatinine is"),
        (
            'specimens = ["csf"]\nelsewhere = {csf = "creatinine"}',
            "creatinine is measured in csf, and creatinine is not",
        ),
    ],
)
def test_what_a_kind_is_measured_in(tmp_path: Path, fields: str, message: str) -> None:
    text = SMALL.replace("[kind.creatinine]\n", f"{SPECIMEN}{fields}\n")
    if not message:
        assert read_text(tmp_path, text).kinds["creatinine"].specimens == ("serum",)
        return
    with pytest.raises(InvalidFile, match=re.escape(message)):
        read_text(tmp_path, text)


def test_only_what_is_measured_has_a_specimen(tmp_path: Path) -> None:
    text = SMALL.replace("[kind.creatinine]\n", SPECIMEN)
    text = text.replace('absence = "assumable"', 'absence = "assumable"\nspecimens = ["serum"]')
    with pytest.raises(InvalidFile, match="only what is measured has a specimen"):
        read_text(tmp_path, text)


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


# What is wrong in a file -----------------------------------------------------------------------------------

SMALL = """
version = "1"
[systems]
loinc = "http://loinc.org"
snomed = "http://snomed.info/sct"
icd10cm = "http://hl7.org/fhir/sid/icd-10-cm"
atc = "http://www.whocc.no/atc"
[value_set.yes_no]
label = "Yes or no"
member.yes = {}
member.no = {}
[value_set.grade]
label = "Grade"
member.low = {}
member.high = {}
[value_set.agent]
label = "Agent"
open = true
member.steroid = {}
member.prednisone = {parents = ["steroid"], codes = [["atc", "H02AB07", "V"]]}
[kind.creatinine]
label = "Creatinine"
topic = "laboratory"
value = "quantity"
unit = "umol/L"
codes = [["loinc", "2160-0", "V"]]
question = "What was it?"
[kind.severity]
label = "Severity"
topic = "disease"
value = "ordered"
values = "grade"
question = "Which?"
[kind.disease]
label = "Disease"
topic = "disease"
value = "none"
absence = "assumable"
question = "Is there one?"
attributes.agent = {type = "code", values = "agent"}
attributes.proven = {type = "boolean", silence = "yes"}
[kind.infarction]
label = "Infarction"
topic = "disease"
value = "none"
parents = ["disease"]
codes = [["icd10cm", "I21.-", "V"]]
question = "Was there one?"
[kind.panel]
label = "Panel"
topic = "laboratory"
value = "none"
components = {cr = "creatinine"}
identifying = ["cr"]
question = "What did it show?"
[kind.double]
label = "Twice the creatinine"
topic = "laboratory"
value = "quantity"
unit = "umol/L"
question = "What was it?"
[[kind.double.derive]]
of = "panel"
formula = "cr * 2"
source = "arithmetic"
"""


def read_text(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "small.toml"
    path.write_text(text, encoding="utf-8")
    return read_catalogue(path)


def test_a_small_catalogue_is_read(tmp_path: Path) -> None:
    small = read_text(tmp_path, SMALL)
    assert small.kinds["creatinine"].unit == "umol/L"
    assert small.value_sets["agent"].members["prednisone"].label == "prednisone"
    assert [use.status for use in small.kinds["creatinine"].codes] == ["V", "own"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version = "1"', "", "version: is missing"),
        ('version = "1"', "version = 1", "version: is a text, not 1"),
        ('version = "1"', 'version = "1"\nkinds = 1', "kinds: is no field here"),
        (
            'unit = "umol/L"\ncodes',
            'unti = "umol/L"\ncodes',
            "kind.creatinine.unti: is no field here; did you mean",
        ),
        ('unit = "umol/L"\ncodes', "codes", "kind.creatinine.unit: a quantity needs a unit"),
        ('unit = "umol/L"\ncodes', 'unit = "umol/Q"\ncodes', "kind.creatinine.unit: 'umol/Q' is not a unit"),
        (
            'unit = "umol/L"\ncodes',
            'unit = "umol/L"\nunits = ["kg"]\ncodes',
            "kind.creatinine.units: 'kg' cannot be",
        ),
        ('unit = "umol/L"\ncodes', 'unit = "umol/L"\nunits = ["mg/dL"]\ncodes', "only with the molar mass"),
        (
            'unit = "umol/L"\ncodes',
            'unit = "umol/L"\nmolar_mass = -1\ncodes',
            "is a positive number of g/mol",
        ),
        ('unit = "umol/L"\ncodes', 'unit = "umol/L"\nmolar_mass = true\ncodes', "is a number, not True"),
        (
            'unit = "umol/L"\ncodes',
            'unit = "umol/L"\nplausible = [5, 1]\ncodes',
            "two numbers, the smaller first",
        ),
        ('unit = "umol/L"\ncodes', 'unit = "umol/L"\nsynonyms = [1]\ncodes', "is a list of texts"),
        ('unit = "umol/L"\ncodes', 'unit = "umol/L"\nby_study = "yes"\ncodes', "is true or false, not 'yes'"),
        ('unit = "umol/L"\ncodes', 'unit = "umol/L"\nabsence = "assumable"\ncodes', "whose value is none"),
        ('unit = "umol/L"\ncodes', 'unit = "umol/L"\nsilence = "low"\ncodes', "'low' is no number"),
        ("kind.severity", "kind.Severity", "kind.Severity: a kind is named in small letters"),
        (
            'topic = "disease"\nvalue = "ordered"',
            'topic = "diseases"\nvalue = "ordered"',
            "no topic 'diseases'; did",
        ),
        ('value = "ordered"', 'value = "ordinal"', "there is no value 'ordinal'"),
        ('values = "grade"', 'values = "grades"', "there is no value set 'grades'; did you mean grade"),
        ('values = "grade"', 'values = "agent"', "ordered values are a closed set without groups"),
        ('values = "grade"\n', "", "a value of type ordered needs a value set"),
        ('values = "grade"\n', 'values = "grade"\nunit = "kg"\n', "only a quantity or a count has units"),
        ('values = "grade"\n', 'values = "grade"\nsilence = "low"\n', "only a component of a composite kind"),
        ('values = "grade"\n', 'values = "grade"\nextent = "era"\n', "there is no extent 'era'"),
        ('values = "grade"\n', 'values = "grade"\nattested = true\n', "whose value is none"),
        ('question = "Which?"', 'question = " "', "kind.severity.question: every kind has a question"),
        ('question = "Which?"', "", "kind.severity.question: is missing"),
        ('absence = "assumable"', 'absence = "assumable"\nattested = true', "must attest is never assumed"),
        (
            'absence = "assumable"',
            'absence = "assumable"\nsupersedes = "term"',
            "names no attribute of disease",
        ),
        (
            'absence = "assumable"',
            'absence = "assumable"\nparents = ["infarction"]',
            "kind.disease.parents: is a group of",
        ),
        (
            'parents = ["disease"]',
            'parents = ["diseases"]',
            "there is no kind 'diseases'; did you mean disease",
        ),
        ('parents = ["disease"]', 'parents = ["creatinine"]', "carry no value of their own"),
        ("attributes.agent", "attributes.status", "'status' has a meaning of its own"),
        ("attributes.agent", "attributes.Agent", "is named in small letters"),
        (
            'type = "code", values = "agent"',
            'type = "codes", values = "agent"',
            "there is no type 'codes'; did",
        ),
        ('type = "code", values = "agent"', 'type = "code"', "a value of type code needs a value set"),
        ('type = "code", values = "agent"', 'type = "quantity"', "a quantity has a unit, anything else none"),
        ('type = "code", values = "agent"', 'type = "quantity", unit = "qq"', "'qq' is not a unit"),
        ('silence = "yes"', 'silence = "maybe"', "there is no yes_no named 'maybe'"),
        (
            'components = {cr = "creatinine"}',
            'components = {cr = "kreatinin"}',
            "there is no kind 'kreatinin'",
        ),
        (
            'components = {cr = "creatinine"}',
            'components = {cr = "infarction"}',
            "infarction has no value and cannot be",
        ),
        (
            'components = {cr = "creatinine"}',
            'components = {value = "creatinine"}',
            "'value' has a meaning of its own",
        ),
        ('identifying = ["cr"]', 'identifying = ["cx"]', "there is no component 'cx'"),
        ('identifying = ["cr"]', "", "says which components make such a record"),
        ('components = {cr = "creatinine"}\n', "", "only a kind with components has identifying ones"),
        ('formula = "cr * 2"', 'formula = "cx * 2"', "'cx' is no input of the formula"),
        ('formula = "cr * 2"', 'formula = "cr *"', "is not a formula"),
        (
            'formula = "cr * 2"',
            'formula = "cr * 2"\ninputs = {x = "creatinine"}',
            "'x' is not used by the formula",
        ),
        ('formula = "cr * 2"', 'formula = "x * 2"\ninputs = {x = "creatinine"}', "uses nothing of panel"),
        ('formula = "cr * 2"', 'formula = "cr * x"\ninputs = {x = "severity"}', "'x' is no number"),
        (
            'formula = "cr * 2"',
            'formula = "cr * age"\ninputs = {age = "creatinine"}',
            "age has a meaning already",
        ),
        ('of = "panel"', 'of = "panels"', "there is no kind 'panels'; did you mean panel"),
        ('of = "panel"', "", "derive[0].of: is missing"),
        ('["loinc", "2160-0", "V"]', '["loinc", "2160-1", "V"]', "'2160-1' is no code of http://loinc.org"),
        ('["loinc", "2160-0", "V"]', '["snomed", "277571005", "V"]', "its check digit is wrong"),
        ('unit = "umol/L"', 'unit = "umol/L"\nspecimens = ["serum"]', "there is no specimen 'serum'"),
        ('unit = "umol/L"', 'unit = "umol/L"\nelsewhere = {csf = "severity"}', "there is no specimen 'csf'"),
        ('["loinc", "2160-0", "V"]', '["atc", "H02", "V"]', "'H02' is no code of http://www.whocc.no/atc"),
        ('["loinc", "2160-0", "V"]', '["icd10cm", "E87", "V"], ["icd10cm", "8", "V"]', "'8' is no code of"),
        ('["loinc", "2160-0", "V"]', '["lioncs", "2160-0", "V"]', "'lioncs' is not in [systems]"),
        ('["loinc", "2160-0", "V"]', '["loinc", "2160-0", "X"]', "the status is V, C or M, not 'X'"),
        ('["loinc", "2160-0", "V"]', '["loinc", "2160-0"]', "codes[0].status: is missing"),
        ('["loinc", "2160-0", "V"]', '"2160-0"', "a code is [system, code, status] or a table"),
        (
            '["loinc", "2160-0", "V"]',
            '{system = "loinc", code = "2160-0", status = "V", vale = "x"}',
            "codes[0].vale: is no field here; did you mean value",
        ),
        (
            '["loinc", "2160-0", "V"]',
            '{system = "loinc", code = "2160-0", status = "V", value = "x"}',
            "creatinine has no value that a code could state",
        ),
        (
            '["loinc", "2160-0", "V"]',
            '{system = "loinc", code = "2160-0", status = "V", history = true}',
            "only the code of a presence",
        ),
        (
            '["icd10cm", "I21.-", "V"]',
            '{system = "icd10cm", code = "I21.9", status = "V", set = {agent = "x", proof = "yes"}}',
            "there is no agent named 'x'",
        ),
        (
            '["icd10cm", "I21.-", "V"]',
            '{system = "icd10cm", code = "I21.9", status = "V", set = {agent = "steroid", proof = "yes"}}',
            "there is no attribute 'proof'",
        ),
        ('["icd10cm", "I21.-", "V"]', '["loinc", "2160-0", "V"]', "2160-0 names creatinine and infarction"),
        (
            'question = "Is there one?"',
            'question = "Is there one?"\ncodes = [["icd10cm", "I21.9", "V"]]',
            "I21.9 names disease and infarction; it may name one",
        ),
        ("value_set.grade]", "value_set.Grade]", "a value set is named in small letters"),
        ("member.steroid = {}", "member.other = {}\nmember.steroid = {}", "and not 'other'"),
        ("member.steroid = {}", 'member.steroid = {parents = ["prednisone"]}', "is a group of itself"),
        ('parents = ["steroid"]', 'parents = ["steroids"]', "no member 'steroids'; did you mean steroid"),
        (
            "member.steroid = {}",
            'member.steroid = {synonyms = ["Prednisone"]}',
            "'prednisone' already means steroid",
        ),
        (
            "member.steroid = {}",
            'member.steroid = {codes = [["atc", "H02AB07", "V"]]}',
            "H02AB07 already means",
        ),
        ("member.steroid = {}", "member.steroid = 1", "value_set.agent.member.steroid: is a table of fields"),
        ("[value_set.agent]\n", "[value_set.empty]\nlabel = 'E'\n[value_set.agent]\n", "has no members"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert SMALL.count(old) >= 1, old
    with pytest.raises(InvalidFile) as caught:
        read_text(tmp_path, SMALL.replace(old, new, 1))
    assert message in str(caught.value)


def test_all_problems_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    broken = SMALL.replace("2160-0", "2160-9").replace('["steroid"]', '["steriod"]').replace("cr * 2", "cx")
    with pytest.raises(InvalidFile) as caught:
        read_text(tmp_path, broken)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems) >= 3
    for entry, line in (("kind.creatinine", "[kind.creatinine]"), ("value_set.agent", "member.prednisone")):
        number = broken.splitlines().index(next(t for t in broken.splitlines() if t.startswith(line))) + 1
        assert any(f"small.toml:{number} {entry}" in text for text in lines), lines


@pytest.mark.parametrize("text", ["version = ", "a = 1\na = 2", "\x00"])
def test_what_is_no_toml_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidFile, match=r"small\.toml.*is not valid TOML"):
        read_text(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"none\.toml.*cannot be read"):
        read_catalogue(tmp_path / "none.toml")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'version = "\xe9"')
    with pytest.raises(InvalidFile, match="is not valid TOML"):
        read_catalogue(path)


# A site's mapping file --------------------------------------------------------------------------------------


def site(tmp_path: Path, catalogue: Catalogue, text: str) -> Catalogue:
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    return extend(catalogue, path)


def test_a_site_adds_codes_units_and_words(tmp_path: Path, catalogue: Catalogue) -> None:
    more = site(
        tmp_path,
        catalogue,
        """
        [systems]
        lab = "https://hospital.example/lab"
        [kind.creatinine]
        codes = [["lab", "CREA"], ["lab", "CREA2", "M"]]
        units = ["mmol/L"]
        [kind.all_disease_status]
        codes = [{system = "lab", code = "REL", value = "relapsed"}]
        [value_set.agent.member.prednisone]
        codes = [["lab", "PRED5"]]
        synonyms = ["Deltasone"]
        [unit_spellings]
        "mg percent" = "mg/dL"
        """,
    )
    assert kinds_of(more, "https://hospital.example/lab", "CREA") == ["creatinine"]
    assert more.lookup(Code("https://hospital.example/lab", "REL"))[0][1].value == "relapsed"
    found = more.member("agent", Code("https://hospital.example/lab", "PRED5"))
    assert found is not None
    assert (found[0], found[1].status) == ("prednisone", "own")
    assert more.value_sets["agent"].find("deltasone") == "prednisone"
    assert (more.unit(" mg percent "), more.unit("mg/dL")) == ("mg/dL", "mg/dL")
    assert kinds_of(catalogue, "https://hospital.example/lab", "CREA") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[kind.creatinin]\ncodes = []", "there is no kind 'creatinin'; did you mean creatinine"),
        ("[value_set.agents.member.x]", "there is no value set 'agents'; did you mean agent"),
        ("[value_set.agent.member.prednison]", "no member of agent 'prednison'; did you mean prednisone"),
        ("[kind.creatinine]\nunit = 'kg'", "kind.creatinine.unit: is no field here"),
        ("[kind.creatinine]\nunits = ['kg']", "kind.creatinine.units: 'kg' cannot be expressed"),
        ("[kind.creatinine]\ncodes = [['loinc', '1975-2']]", "1975-2 names bilirubin_total and creatinine"),
        ("[kind.creatinine]\ncodes = [['loinc', '1975-3']]", "its check digit is wrong"),
        ("[kind.epilepsy]\ncodes = [['icd10cm', 'I21.4']]", "I21.4 names epilepsy and myocardial_infarction"),
        ("[unit_spellings]\n'K/cmm' = 'thousand'", "unit_spellings.K/cmm: 'thousand' is not a unit"),
        ("[unit_spellings]\n'K/cmm' = 3", "unit_spellings: is a table of texts"),
        ("[kinds.creatinine]", "kinds: is no field here; did you mean kind"),
    ],
)
def test_what_is_wrong_in_a_mapping_file_is_told(tmp_path: Path, catalogue: Catalogue, text: str, message: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        site(tmp_path, catalogue, text)
    assert message in str(caught.value)
    assert "site.toml" in str(caught.value)
