"""MedicationStatement, -Request and -Administration: what was given, by which route, for what, from when to when.

An active order counts as taken from the day it was written. Plans, proposals and drugs not taken are no exposures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from onstudy.readers.drugs import AGENT, ORDINARY, ROUTE, TREATMENT, NamedDrug
from onstudy.readers.fhir_chart import Chart, named
from onstudy.readers.fhir_drug_times import ORDER, drug_times
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import Coding, Json, codings, flag, items, obj, references, text, words
from onstudy.readers.fhir_meaning import Meaning
from onstudy.readers.fhir_value import read_concept
from onstudy.readers.reading import clip, slot_of
from onstudy.readers.timing import Times
from onstudy.readers.unrecognised import Unrecognised
from onstudy.record.patient import Fact, Value

_STATUSES: dict[str, dict[str, bool | None]] = {
    "MedicationStatement": {
        "active": True, "completed": False, "stopped": False, "on-hold": False, "unknown": None, "": None,
    },
    "MedicationAdministration": {
        "in-progress": True, "completed": False, "stopped": False, "on-hold": None, "unknown": None, "": None,
    },
    "MedicationRequest": {
        "active": True, "completed": False, "stopped": False, "on-hold": False, "unknown": None, "": None,
    },
}  # fmt: skip
_NO_EXPOSURE = ("not-taken", "not-done", "entered-in-error", "cancelled", "intended", "draft")
_NO_ORDER = ("plan", "proposal", "option")

#: What a treatment is for, by the kind of disease that is given as its reason.
_REASONS = {
    "leukemia_diagnosis": "ALL",
    "all_unspecified": "ALL",
    "gvhd": "gvhd",
    "hepatitis_b": "hepatitis",
    "hepatitis_c": "hepatitis",
    "hiv_infection": "hiv",
    "other_malignancy": "other_cancer",
}
_LEUKEMIA, _OTHER_LEUKEMIAS = "leukemia_diagnosis", ("aml", "mixed_phenotype", "other")
_CANCER, _CML = "other_malignancy", "chronic_myeloid_leukemia"


def read_medication(chart: Chart, entry: Entry) -> list[Fact]:
    """The exposures of a medication resource."""
    resource = entry.resource
    status = text(resource, "status")
    if status in _NO_EXPOSURE or flag(resource, "doNotPerform") is True:
        what = f"its status is {status}" if status in _NO_EXPOSURE else "it says not to give the drug"
        return chart.drop(entry, f"{what}: that is no exposure")
    if entry.type == ORDER and text(resource, "intent") in _NO_ORDER:
        return chart.drop(entry, f"its intent is {text(resource, 'intent')}: that is no exposure")
    if status not in _STATUSES[entry.type]:
        chart.say(entry, "has a status that is not known: its end is taken as not known")
    times = drug_times(chart, entry, _STATUSES[entry.type].get(status))
    facts: list[Fact] = []
    for concept in medications(chart, entry):
        exposure = exposures(chart, entry, concept)
        facts += [_exposure(chart, entry, meaning, times, concept) for meaning in exposure.meanings]
        if not exposure.whole:
            keep_unrecognised(chart, entry, concept, times)
        if not exposure.meanings:
            facts += chart.unused(entry, concept, times)
    return named(facts)


def medications(chart: Chart, entry: Entry) -> list[Json]:
    """The concepts of the drug: its own, or that of the Medication it refers to, or those of its ingredients."""
    concept = obj(entry.resource, "medicationCodeableConcept")
    if concept:
        return [concept]
    for target in chart.index.all(references(entry.resource, "medicationReference"), entry):
        code = obj(target.resource, "code")
        if codings(code) or words(code):
            return [code]
        ingredients = [obj(part, "itemCodeableConcept") for part in items(target.resource, "ingredient")]
        if ingredients:
            return ingredients
    display = text(obj(entry.resource, "medicationReference"), "display")
    return [{"text": display} if display else {}]


def keep_unrecognised(chart: Chart, entry: Entry, concept: Json, times: Times) -> None:
    """Keep what was given beside the agents that are known, or instead of them: it may be any."""
    chart.unrecognised.append(Unrecognised(_called(concept), times, entry.where))
    chart.unknown_drug(codings(concept), entry.where)


def _called(concept: Json) -> str:
    """What a source calls a drug: in words, else by its first code."""
    coded = (f"{coding.code.system.rpartition('/')[2]} {coding.code.code}" for coding in codings(concept))
    return next(iter([*words(concept), *coded]), "a drug without a name")


@dataclass(frozen=True, slots=True)
class Exposure:
    """The kinds a drug or procedure is. `whole`: nothing was given beside these that is not known."""

    meanings: tuple[Meaning, ...]
    whole: bool


def exposures(chart: Chart, entry: Entry, concept: Json) -> Exposure:
    """The kinds a drug or procedure names: treatment with its agent, and any kind with that very code.

    By its codes, which its words may narrow; where no code is known, by its words alone.
    """
    found = codings(concept)
    kinds = {meaning.kind.name: meaning for meaning in chart.means(entry, found)}
    spoken = _spoken(chart, concept)
    by_code = _by_code(chart, entry, found)
    if by_code is not None:
        kinds[TREATMENT] = _narrowed(chart, entry, by_code, spoken)
    if kinds:
        return Exposure(tuple(kinds.values()), True)
    if spoken.agents:
        chart.expected[id(entry)].append(TREATMENT)
    stated = {ROUTE: spoken.route} if spoken.route else {}
    meanings = [Meaning(chart.catalogue.kinds[TREATMENT], sets={**stated, AGENT: agent}) for agent in spoken.agents]
    ordinary = any(chart.catalogue.member(ORDINARY, coding.code) for coding in found)
    return Exposure(tuple(meanings), spoken.whole or ordinary)


def _by_code(chart: Chart, entry: Entry, found: list[Coding]) -> Meaning | None:
    """A treatment with the agent that codes name; None where none of them names one."""
    values = chart.catalogue.codes_of(TREATMENT, AGENT)
    assert values is not None, "the agents of treatments are a value set"
    members = [member for coding in found if (member := chart.catalogue.member(values.name, coding.code))]
    if not members:
        return None
    meant = [values.meaning(name) for name, _ in members]
    agents = frozenset.intersection(*meant) or frozenset().union(*meant)
    statuses = [use.status for _, use in members]
    status = "" if any(s in ("V", "own") for s in statuses) else min(statuses)
    chart.expected[id(entry)].append(TREATMENT)
    return Meaning(chart.catalogue.kinds[TREATMENT], status, sets={AGENT: agents})


def _spoken(chart: Chart, concept: Json) -> NamedDrug:
    """What the words of a concept name: the first that are wholly known, else the first that name an agent."""
    read = [chart.vocabulary.drugs.read(said) for said in words(concept)]
    whole = (drug for drug in read if drug.whole)
    return next(whole, None) or next((drug for drug in read if drug.agents), NamedDrug())


def _narrowed(chart: Chart, entry: Entry, meaning: Meaning, spoken: NamedDrug) -> Meaning:
    """The treatment of a code, its agent narrowed by the one its words name; either, where they exclude each other."""
    coded = meaning.sets[AGENT]
    if len(spoken.agents) != 1 or not isinstance(coded, frozenset) or coded <= spoken.agents[0]:
        return meaning
    said = spoken.agents[0]
    if not coded & said:
        chart.say(entry, "its code and its words name different drugs: it may be either")
    return replace(meaning, sets={**meaning.sets, AGENT: coded & said or coded | said})


def _exposure(chart: Chart, entry: Entry, meaning: Meaning, times: Times, concept: Json) -> Fact:
    known = chart.catalogue.attributes(meaning.kind.name)
    attributes: dict[str, Value] = {}
    if ROUTE in known:
        attributes |= _route(chart, entry)
    if "intent" in known:
        attributes |= intent(chart, entry)
    fact = chart.positive(entry, meaning, times, attributes)
    shown = clip(", ".join(words(concept)[:1]))
    return replace(fact, shown=shown or _name_of(fact))


def _name_of(fact: Fact) -> str:
    agents = fact.attributes.get(AGENT)
    return ", ".join(sorted(agents)) if isinstance(agents, frozenset) else ""


def _route(chart: Chart, entry: Entry) -> dict[str, Value]:
    """The route of all dosages: one of them, where they differ; unknown where it is no word known here."""
    attribute = chart.catalogue.attribute(TREATMENT, ROUTE)
    assert attribute is not None
    slot = slot_of(attribute, chart.catalogue)
    dosages = [*items(entry.resource, "dosage"), *items(entry.resource, "dosageInstruction")]
    concepts = [route for dosage in dosages if (route := obj(dosage, "route"))]
    found: set[str] = set()
    for concept in concepts:
        reading = read_concept(slot, codings(concept), words(concept), ROUTE, chart.catalogue)
        if not isinstance(reading.value, frozenset):
            return {ROUTE: None}
        found |= reading.value
    return {ROUTE: frozenset(found)} if found else {}


def intent(chart: Chart, entry: Entry) -> dict[str, Value]:
    """What it was given for, by the reasons stated: codes of the project, or of the disease."""
    concepts = items(entry.resource, "reasonCode")
    concepts += [
        obj(target.resource, "code")
        for target in chart.index.all(references(entry.resource, "reasonReference"), entry)
        if target.type == "Condition"
    ]
    values = chart.catalogue.codes_of(TREATMENT, "intent")
    assert values is not None, "the intents of treatments are a value set"
    found: set[str] = set()
    for concept in concepts:
        own = [m for coding in codings(concept) if (m := chart.catalogue.member(values.name, coding.code))]
        if own:
            found |= values.meaning(own[0][0])
            continue
        meant = [_reason(meaning) for meaning in chart.vocabulary.meanings(codings(concept))]
        if not any(meant):
            return {"intent": None} if found else {}
        found |= {name for name in meant if name}
    return {"intent": frozenset(found)} if found else {}


def _reason(meaning: Meaning) -> str:
    """The intent that treating a disease has: none where the disease is a leukemia or a cancer of unstated type."""
    if meaning.kind.name == _LEUKEMIA and (meaning.value is None or meaning.value & set(_OTHER_LEUKEMIAS)):
        return ""
    if meaning.kind.name == _CANCER:
        type_of = meaning.sets.get("type")
        if not isinstance(type_of, frozenset):
            return ""
        return "cml" if type_of == {_CML} else _REASONS[_CANCER]
    return _REASONS.get(meaning.kind.name, "")
