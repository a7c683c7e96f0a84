"""What is wrong in a catalogue or in a site's mapping file is told, all of it at once, each with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onstudy.errors import InvalidFile
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.catalogue_file import extend, read_catalogue
from onstudy.values.codes import Code


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def kinds_of(catalogue: Catalogue, system: str, code: str) -> list[str]:
    return [kind for kind, _ in catalogue.lookup(Code(system, code))]


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
[kind.harmless]
label = "Judged as harmless"
topic = "disease"
value = "none"
extent = "state"
attested = true
speaks_of = ["disease with agent=steroid and proven=yes", "severity with value=high"]
question = "Is it harmless?"
[kind.unharmed]
label = "Unharmed"
topic = "disease"
value = "none"
extent = "state"
attested = true
question = "Is it"
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


#: What the judgement of the small catalogue judges.
SPEAKS = 'speaks_of = ["disease with agent=steroid and proven=yes", "severity with value=high"]'


def read_text(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "small.toml"
    path.write_text(text, encoding="utf-8")
    return read_catalogue(path)


def test_a_small_catalogue_is_read(tmp_path: Path) -> None:
    small = read_text(tmp_path, SMALL)
    assert small.kinds["creatinine"].unit == "umol/L"
    judged = (("disease", (("agent", "steroid"), ("proven", "yes"))), ("severity", (("value", "high"),)))
    assert tuple((one.kind, one.codes) for one in small.kinds["harmless"].judges) == judged
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
        ('silence = "yes"', 'rules_out = ["agnt=steroid"]', "'agnt' is no attribute of"),
        ('silence = "yes"', 'rules_out = ["agent=steriod"]', "there is no agent named 'steriod'"),
        ('silence = "yes"', 'contradicts = ["maybe with agent=steroid"]', "there is no yes_no named 'maybe'"),
        ('silence = "yes"', 'contradicts = ["yes with agent=steriod"]', "there is no agent named 'steriod'"),
        ('silence = "yes"', 'contradicts = ["yes"]', "'' is no attribute of"),
        (
            'question = "Which?"',
            'question = "Which?"\nspeaks_of = ["disease"]',
            "only an attestation, which is a state",
        ),
        (
            'question = "Is there one?"',
            'question = "Is there one?"\nplanned_as = "desease"',
            "there is no kind 'desease'",
        ),
        (
            'question = "Is there one?"',
            'question = "Is there one?"\nplanned_as = "harmless"',
            "kind.disease.planned_as: harmless is not a kind that says what is planned",
        ),
        ('question = "Is it"', 'question = "Is it"\nstays = "yes"', "kind.unharmed.stays: holds only for a kind that"),
        (
            SPEAKS,
            'speaks_of = ["desease"]',
            "kind.harmless.speaks_of: there is no kind 'desease'; did you mean disease",
        ),
        (SPEAKS, 'speaks_of = ["harmless"]', "kind.harmless.speaks_of: an attestation does not judge itself"),
        (SPEAKS, 'speaks_of = ["disease with agnt=steroid"]', "kind.harmless.speaks_of: 'agnt' is no attribute of"),
        (SPEAKS, 'speaks_of = ["disease with agent=steriod"]', "there is no agent named 'steriod'"),
        (SPEAKS, 'speaks_of = ["severity with value=lw"]', "there is no grade named 'lw'"),
        (
            SPEAKS,
            'speaks_of = ["disease with value=low"]',
            "'value' is no attribute of disease that has codes, nor its value",
        ),
        (SPEAKS, f'{SPEAKS}\nstays = "perhaps"', "kind.harmless.stays: there is no answer 'perhaps'"),
        *(
            ('question = "Is there one?"', f'question = "Is there one?"\nreopened_by = ["{named}"]', message)
            for named, message in (
                ("desease", "kind.disease.reopened_by: there is no kind 'desease'; did you mean disease"),
                ("disease", "kind.disease.reopened_by: a record of the kind itself ends"),
                ("severity with value=lw", "there is no grade named 'lw'"),
                ("severity with agnt=low", "kind.disease.reopened_by: 'agnt' is no attribute of severity"),
            )
        ),
        *(
            (question, f'{question}\nreopened_by = ["disease"]', "only a kind that is there or not, and is no state")
            for question in ('question = "Which?"', 'question = "Is it"', 'question = "What did it show?"')
        ),
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
        "U/mL" = "[IU]/mL"
        "G/L" = "10*9/L"
        "mcg/mL" = "ug/mL"
        """,
    )
    assert (more.unit("U/mL"), more.unit("G/L")) == ("[IU]/mL", "10*9/L")
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
        ("[unit_spellings]\n'mg/dL' = 'g/L'", "unit_spellings.mg/dL: 'mg/dL' is a unit already, of mass concentration"),
        ("[unit_spellings]\n'mg / dL' = 'mmol/L'", "'mg / dL' is a unit already, of mass concentration, and is not"),
        ("[systems]\nloinc = 'https://h.example'", "systems.loinc: loinc is http://loinc.org here; choose another"),
        ("[unit_spellings]\n'K/cmm' = 3", "unit_spellings: is a table of texts"),
        ("[kinds.creatinine]", "kinds: is no field here; did you mean kind"),
    ],
)
def test_what_is_wrong_in_a_mapping_file_is_told(tmp_path: Path, catalogue: Catalogue, text: str, message: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        site(tmp_path, catalogue, text)
    assert message in str(caught.value)
    assert "site.toml" in str(caught.value)
