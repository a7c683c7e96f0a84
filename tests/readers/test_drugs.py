"""Drugs by name: exact names are agents, vetted ones nothing to ask about, any other a treatment nobody knows."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from tests.readers.build import ATC, GIVEN, OWN, REQUEST, RXNORM, SNOMED, STATEMENT, Json, bundle, concept, resource
from tests.readers.canon import CATALOGUE, canon, of, only, read, said

from onstudy import load_trial, read_patients, screen
from onstudy.readers.drugs import DrugNames
from onstudy.readers.fhir_write import to_bundle
from onstudy.record.catalogue import plain
from onstudy.record.catalogue_file import extend
from onstudy.record.patient import Fact, Patient
from onstudy.screening.screen import CohortResult
from onstudy.values.calendar import show

NAMES = DrugNames(CATALOGUE)
EXAMPLES = Path(__file__).parents[2] / "examples"


def agents(*names: str) -> tuple[frozenset[str], ...]:
    return tuple(CATALOGUE.value_sets["agent"].meaning(name) for name in names)


def given(concept_: Json | None = None, type_: str = STATEMENT, **more: object) -> Json:
    named = {} if concept_ is None else {"medicationCodeableConcept": concept_}
    status = {"status": "active", "intent": "order"} if type_ == REQUEST else {"status": "completed"}
    return resource(type_, **{**status, **named, **more})


# Names in texts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Blinatumomab", ["blinatumomab"]),
        ("BLINCYTO", ["blinatumomab"]),
        ("blinatumomab 28 mcg/day continuous infusion", ["blinatumomab"]),
        ("inotuzumab ozogamicin 0.9 MG Injection [Besponsa]", ["inotuzumab_ozogamicin"]),
        ("10 ML rituximab 10 MG/ML Injection [Rituxan]", ["rituximab"]),
        ("rituximab-abbs", ["rituximab"]),
        ("Rituximab (with hyper-CVAD) 375 mg/m2", ["rituximab"]),
        ("loncastuximab tesirine-lpyl", ["loncastuximab_tesirine"]),
        ("vinCRIStine Sulfate 1 MG/ML Injectable Solution", ["vincristine"]),
        ("6-MP 50 mg daily", ["mercaptopurine"]),
        ("6-mercaptopurine", ["mercaptopurine"]),
        ("imatinib mesylate 400 MG Oral Tablet", ["imatinib"]),
        ("CD19 CAR-T cells", ["cd19_car_t"]),
        ("Tisagenlecleucel (Kymriah)", ["tisagenlecleucel"]),
        ("anti-CD19", ["cd19_directed"]),
        ("immunotherapy", None),
        ("Hyper-CVAD, four courses", ["multiagent_chemotherapy"]),
        ("hyper-CVAD + rituximab", ["multiagent_chemotherapy", "rituximab"]),
        ("methotrexate/cytarabine/hydrocortisone IT", ["methotrexate", "cytarabine", "hydrocortisone"]),
        ("cyclophosphamide and vincristine with dexamethasone", ["cyclophosphamide", "vincristine", "dexamethasone"]),
        ("sofosbuvir/velpatasvir 400 mg/100 mg oral tablet", ["sofosbuvir_velpatasvir"]),
        ("St. John's wort 300 mg", ["st_johns_wort"]),
        ("Aspirin 81 MG Oral Tablet", []),
        ("Acetaminophen 325 MG / HYDROcodone Bitartrate 7.5 MG Oral Tablet", []),
        ("24 HR metoprolol succinate 100 MG Extended Release Oral Tablet [Toprol]", []),
        ("NDA020800 0.3 ML Epinephrine 1 MG/ML Auto-Injector", []),
        ("insulin glargine", []),
        ("Systemic chemotherapy", ["chemotherapy"]),
        ("Combined chemotherapy and radiation therapy (procedure)", ["chemotherapy", "radiotherapy"]),
    ],
)
def test_a_name_that_is_known(text: str, names: list[str] | None) -> None:
    found = NAMES.read(text)
    assert found.whole
    if names is not None:
        assert found.agents == agents(*names)
    else:
        assert {"blinatumomab", "rituximab", "tisagenlecleucel"} <= found.agents[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "other",
        "oral tablet",
        "infusion",
        "no rituximab",
        "rituximab arm",
        "study drug (rituximab)",
        "rituximb",  # one letter short of a name is no name
        "anti-CD19 antibody XY-101",
        "steroid-free",
        "blinatumomabs",
        "oxaliplatin",
        "Truxima",
        "x" * 1000,
        "rituximab " * 200,
    ],
)
def test_a_name_that_is_not(text: str) -> None:
    found = NAMES.read(text)
    assert (found.agents, found.whole) == ((), False)


def test_what_is_known_beside_what_is_not() -> None:
    found = NAMES.read("JNJ-123 + dexamethasone")
    assert (found.agents, found.whole) == (agents("dexamethasone"), False)


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("Methotrexate 12 mg intrathecal", {"intrathecal"}),
        ("methotrexate IT", {"intrathecal"}),
        ("Hydrocortisone 10 MG/ML Topical Cream", {"topical"}),
        ("dexamethasone 4 mg PO", {"oral"}),
        ("dexamethasone IV or oral", set()),
        ("dexamethasone", set()),
    ],
)
def test_the_route_a_text_states(text: str, route: set[str]) -> None:
    assert NAMES.read(text).route == route


def test_no_vetted_medicine_is_an_agent() -> None:
    """Where an agent is added to the catalogue, it must go from the medicines that are none."""
    known = CATALOGUE.value_sets["agent"]
    for member in CATALOGUE.value_sets["ordinary_medicine"].members.values():
        for word in (member.name, member.label, *member.synonyms):
            assert known.find(word) is None, word
            assert not any(plain(word) in plain(other.label).split() for other in known.members.values()), word


# Drugs in FHIR ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "drug",
    [
        given({"text": "Blincyto 28 mcg/day"}),
        given({"text": "Blinatumomab"}, REQUEST),
        given({"text": "blinatumomab"}, GIVEN),
        given(concept("urn:hospital", "4711") | {"coding": [{"system": "urn:h", "code": "1", "display": "Blincyto"}]}),
        given({"coding": [{"system": RXNORM, "code": "999999999", "display": "blinatumomab 0.035 MG Injection"}]}),
        given({"coding": [{"display": "Blinatumomab"}]}),
        given({"text": "study drug", "coding": [{"system": "urn:h", "code": "1", "display": "blinatumomab"}]}),
        given(medicationReference={"display": "Blinatumomab"}),
        given(medicationReference={"reference": "Medication/9", "display": "Blinatumomab"}),
        given(
            medicationReference={"reference": "#m"},
            contained=[{"resourceType": "Medication", "id": "m", "code": {"text": "Blinatumomab"}}],
        ),
        given(
            medicationReference={"reference": "#m"},
            contained=[
                {
                    "resourceType": "Medication",
                    "id": "m",
                    "ingredient": [{"itemCodeableConcept": concept(RXNORM, "1597258")}],
                }
            ],
        ),
    ],
    ids=lambda drug: json.dumps(drug)[30:110],
)
def test_a_drug_that_is_named_in_words(drug: Json) -> None:
    patient = bundle(drug)
    assert only(patient, "treatment").attributes["agent"] == frozenset({"blinatumomab"})
    assert of(patient, "unmapped") == []
    assert patient.problems == ()


def test_words_narrow_a_code_and_never_replace_it() -> None:
    kymriah = given({**concept(OWN, "car_t_cells"), "text": "Kymriah"})
    assert only(bundle(kymriah), "treatment").attributes["agent"] == frozenset({"tisagenlecleucel"})
    other = bundle(given({**concept(RXNORM, "121191"), "text": "Blinatumomab"}))
    assert only(other, "treatment").attributes["agent"] == frozenset({"rituximab", "blinatumomab"})
    assert "its code and its words name different drugs: it may be either [kept]" in said(other)
    unclear = bundle(given({**concept(RXNORM, "121191"), "text": "Zevalin protocol"}))
    assert only(unclear, "treatment").attributes["agent"] == frozenset({"rituximab"})


def test_a_combination_is_a_treatment_each_and_its_route_counts_where_no_element_says() -> None:
    patient = bundle(given({"text": "methotrexate/cytarabine/hydrocortisone IT"}))
    stated = [(fact.attributes["agent"], fact.attributes["route"]) for fact in of(patient, "treatment")]
    intrathecal = frozenset({"intrathecal"})
    assert set(stated) == {(agent, intrathecal) for agent in agents("methotrexate", "cytarabine", "hydrocortisone")}
    by_element = given({"text": "methotrexate IT"}, dosage=[{"route": {"text": "Oral route"}}])
    assert only(bundle(by_element), "treatment").attributes["route"] == frozenset({"oral"})


def test_a_procedure_that_is_named_in_words() -> None:
    patient = bundle(
        {**resource("Procedure", status="completed", code={"text": "CAR T-cell therapy"}), "id": "a"},
        {**resource("Procedure", status="completed", code={"text": "Appendectomy"}), "id": "b"},
        {
            **resource(
                "Procedure",
                status="completed",
                code={"coding": [{"system": SNOMED, "code": "367336001", "display": "Chemotherapy (procedure)"}]},
            ),
            "id": "c",
        },
    )
    by_id = {fact.id: fact for fact in patient.facts}
    assert "tisagenlecleucel" in str(by_id["Procedure/a"].attributes["agent"])
    assert by_id["Procedure/b"].kind == "unmapped"
    assert by_id["Procedure/c"].attributes["agent"] == agents("chemotherapy")[0]


def test_a_procedure_of_which_the_words_name_more_than_is_known() -> None:
    code = {"coding": [{"system": SNOMED, "code": "999999999"}], "text": "Radiation therapy and XY-101"}
    done = {**resource("Procedure", status="completed", code=code, performedDateTime="2026-01-05"), "id": "a"}
    patient = bundle(done)
    known, other = of(patient, "treatment")
    assert known.attributes["agent"] == agents("radiotherapy")[0]
    assert (other.id[:18], other.attributes, show(other.start)) == ("unrecognised drugs", {}, "2026-01-05")
    assert "Radiation therapy and XY-101" in str(patient.problems)
    planned = {**done, "status": "preparation"}
    assert not of(bundle(planned), "treatment")


# Drugs nobody knows -----------------------------------------------------------------------------------------


def test_drugs_that_are_not_recognised_are_one_treatment_of_an_unknown_agent() -> None:
    patient = bundle(
        {
            **given({"text": "XY-101"}, effectivePeriod={"start": "2024-01-05", "end": "2024-03-01"}),
            "id": "a",
            "dateAsserted": "2026-03-01",
        },
        {**given(concept(RXNORM, "999999"), REQUEST, authoredOn="2026-02-01"), "id": "b"},
        {**given({"text": "xy-101"}, effectiveDateTime="2025-07-01"), "id": "c", "dateAsserted": "2026-03-02"},
        {**given({"text": "Aspirin 81 MG Oral Tablet"}), "id": "d"},
    )
    fact = only(patient, "treatment")
    assert fact.id.startswith("unrecognised drugs ")
    assert (fact.attributes, fact.ongoing) == ({}, False)
    assert (show(fact.start), show(fact.end) if fact.end else "") == ("2024-01-05..2026-02-01", "from 2024-03-01")
    assert {other.source for other in of(patient, "unmapped")} == {
        "MedicationStatement/a",
        "MedicationRequest/b",
        "MedicationStatement/c",
        "MedicationStatement/d",
    }
    code, problem = patient.problems
    assert str(code) == f"MedicationRequest/b: {RXNORM}|999999 is the code of no drug that is known here"
    assert str(problem) == (
        "MedicationStatement/a, and 2 more: 2 drugs were not recognised, so it is not known which treatment was "
        "given: rxnorm 999999, XY-101"
    )
    assert problem.fact_kept
    assert fact.shown.startswith("2 not recognised: ")


@pytest.mark.parametrize(
    "drug", [given(), given({}), given({"text": " "}), given({"coding": [{"code": "1"}]})], ids=str
)
def test_a_drug_without_a_name(drug: Json) -> None:
    patient = bundle(drug)
    assert only(patient, "treatment").attributes == {}
    assert "1 drug was not recognised, so it is not known which treatment was given: a drug without a name" in said(
        patient
    )


def test_drugs_that_all_go_on_go_on() -> None:
    patient = bundle(given({"text": "XY-101"}, status="active", effectivePeriod={"start": "2026-02-01"}))
    fact = only(patient, "treatment")
    assert (show(fact.start), fact.end, fact.ongoing) == ("2026-02-01", None, True)


@pytest.mark.parametrize("status", ["not-taken", "entered-in-error", "intended"])
def test_a_drug_that_was_not_given_is_none(status: str) -> None:
    assert of(bundle(given({"text": "XY-101"}, status=status)), "treatment") == []


def test_many_long_and_strange_names_fit_into_one_message() -> None:
    names = [f"<b>drug {n} of a very long name\nindeed {'z' * 90}</b>" for n in range(40)]
    (problem,) = bundle(*({**given({"text": name}), "id": f"m{n}"} for n, name in enumerate(names))).problems
    assert problem.what.startswith("40 drugs were not recognised")
    assert problem.what.endswith("more")
    assert len(problem.what) < 400
    assert not set("<>\n") & set(problem.what)


def test_it_is_the_same_after_writing_and_reading() -> None:
    patient = bundle(given({"text": "XY-101"}, effectiveDateTime="2025-07-01"))
    again = read(json.dumps(to_bundle(patient, CATALOGUE)), "b.json")
    assert canon(again) == canon(patient)
    assert only(again, "treatment").shown == "1 not recognised: XY-101"


def test_a_site_vets_its_own_medicines(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(
        "[value_set.ordinary_medicine.member.vetted_by_site]\n"
        'codes = [["rxnorm", "999999"]]\nsynonyms = ["Haustrunk"]\n'
    )
    mine = extend(CATALOGUE, site)
    documents = [
        {"resourceType": "Patient", "id": "p1", "birthDate": "1955-06-20", "gender": "male"},
        {**given(concept(RXNORM, "999999")), "id": "a"},
        {**given({"text": "Haustrunk 20 mL"}), "id": "b"},
    ]
    (patient,) = read_patients("b.json", json.dumps(documents).encode(), mine)
    assert (of(patient, "treatment"), patient.problems) == ([], ())


# What a screening makes of it ---------------------------------------------------------------------------------


def cohort_2(*drugs: Json) -> Patient:
    """The patient eligible for cohort 2, without what is recorded as not given."""
    document = json.loads((EXAMPLES / "cohort-2-eligible.json").read_text(encoding="utf-8"))
    denied = {"no-cd19-directed", "no-cd22-directed", "no-inducer", "no-cranial-radiotherapy"}
    document["entry"] = [entry for entry in document["entry"] if entry["resource"].get("id") not in denied]
    who = next(entry["resource"] for entry in document["entry"] if entry["resource"]["resourceType"] == "Patient")
    document["entry"] += [
        {"resource": {**drug, "id": f"new-{n}", "subject": {"reference": f"Patient/{who['id']}"}}}
        for n, drug in enumerate(drugs)
    ]
    (patient,) = read_patients("b.json", json.dumps(document).encode())
    return patient


def asked(patient: Patient) -> CohortResult:
    return screen(load_trial("NCT03739814"), patient, on=date(2026, 3, 16), therapy_start="2026-03-18T09:00")["C2"]


LONG_AGO: Json = {"effectivePeriod": {"start": "2024-01-01", "end": "2024-03-01"}}


def test_c2_09_asks_which_drug_it_was() -> None:
    assert asked(cohort_2()).verdict == "eligible"
    patient = cohort_2(given({"text": "XY-101 antibody"}, **LONG_AGO))
    found = asked(patient)
    assert (found.verdict, found.deciding) == ("undetermined", ("C2-09",))
    (question,) = found.missing
    assert (question.kind, question.fields, question.about) == ("treatment", ("agent",), (unrecognised(patient).id,))
    assert question.reasons == ("not_stated",)


def test_c2_09_is_failed_by_a_drug_named_in_words() -> None:
    found = asked(cohort_2(given({"text": "Blincyto"}, **LONG_AGO)))
    assert (found.verdict, found.deciding) == ("ineligible", ("C2-09",))


def test_c2_09_asks_nothing_for_ordinary_medicines() -> None:
    drugs = [given({"text": "Acetaminophen 325 MG Oral Tablet"}), given(concept(ATC, "B01AC06", text="Aspirin"))]
    assert asked(cohort_2(*drugs)).verdict == "eligible"


def test_washouts_ask_for_a_drug_that_may_have_been_given_until_now() -> None:
    found = asked(cohort_2(given({"text": "XY-101"}, status="active", effectivePeriod={"start": "2026-03-01"})))
    assert found.verdict == "undetermined"
    assert {"C2-09", "C2-10", "C2-11"} <= set(found.deciding)


def test_one_answer_settles_all_drugs_nobody_knew() -> None:
    patient = cohort_2(given({"text": "XY-101"}, **LONG_AGO), given({"text": "XY-102"}, GIVEN, **LONG_AGO))
    name = unrecognised(patient).id
    settled = answered(patient, f"{{kind: treatment, id: {name}, agent: other}}")
    assert asked(settled).verdict == "eligible"
    failed = answered(patient, f"{{kind: treatment, id: {name}, agent: blinatumomab}}")
    assert asked(failed).deciding == ("C2-09",)
    denied = answered(patient, "{kind: treatment, agent: [cd19_directed], value: no, recorded: 2026-03-15}")
    assert asked(denied).verdict == "undetermined"


def test_an_answer_for_some_drugs_is_none_for_others() -> None:
    before = unrecognised(cohort_2(given({"text": "XY-101"}, **LONG_AGO))).id
    same = cohort_2(given({"text": "xy-101"}, **LONG_AGO), given({"text": "XY-101"}, **LONG_AGO))
    assert unrecognised(same).id == before
    newer = cohort_2(given({"text": "XY-101"}, **LONG_AGO), given({"text": "XY-102"}, **LONG_AGO))
    assert unrecognised(newer).id != before
    assert asked(answered(newer, f"{{kind: treatment, id: {before}, agent: other}}")).verdict == "undetermined"


def unrecognised(patient: Patient) -> Fact:
    (fact,) = [fact for fact in patient.facts if fact.id.startswith("unrecognised drugs")]
    return fact


def answered(patient: Patient, line: str) -> Patient:
    from onstudy.screening.answers import with_added

    more = read(f"patient: {patient.id}\nfacts:\n  - {line}\n", "answers.yaml")
    return with_added(patient, more, "answers.yaml", CATALOGUE)
