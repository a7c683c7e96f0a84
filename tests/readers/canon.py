"""What two readings of one record have in common: every fact but the words and places of its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from onstudy.readers import read_patients
from onstudy.readers.patientfile import patient_from
from onstudy.record.assemble import content
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.yamltext import Node, read_yaml

CATALOGUE: Catalogue = load_catalogue()
EXAMPLES = Path(__file__).parents[2] / "src/onstudy/trials/NCT03739814.examples.yaml"


def bare(fact: Fact) -> Fact:
    """A fact without what only its source can say: the words, the place, the status of the code."""
    parts = {name: bare(part) for name, part in fact.parts.items()}
    return replace(fact, shown="", source="", code_status="", parts=parts, opened=None)


def facts_of(patient: Patient) -> list[str]:
    """All facts of a patient as comparable text."""
    return [content(bare(fact)) for fact in patient.facts]


def canon(patient: Patient) -> tuple[object, ...]:
    """All that must survive writing and reading."""
    covered = [(cover.kind, cover.first, cover.last) for cover in patient.coverage]
    return patient.id, patient.born, facts_of(patient), covered


def read(text: str, name: str = "p.yaml") -> Patient:
    """The one patient of a source given as text."""
    (patient,) = read_patients(name, text.encode("utf-8", "surrogatepass"))
    return patient


def written(*facts: str, born: str = "1955-06-20", sex: str = "male", more: str = "") -> Patient:
    """A patient with facts in the flow form of a patient file."""
    lines = [f"patient: P1\nborn: {born}\nsex: {sex}\n{more}\nfacts:", *(f"  - {{{fact}}}" for fact in facts)]
    return read("\n".join(lines) + ("\n" if facts else " []\n"))


def of(patient: Patient, kind: str) -> list[Fact]:
    """The facts of a kind."""
    return [fact for fact in patient.facts if fact.kind == kind]


def only(patient: Patient, kind: str) -> Fact:
    """The only fact of a kind."""
    (fact,) = of(patient, kind)
    return fact


def said(patient: Patient) -> str:
    """All problems, one a line."""
    return "\n".join(f"{problem} [{'kept' if problem.fact_kept else 'not kept'}]" for problem in patient.problems)


@cache
def vignettes() -> Mapping[str, Patient]:
    """The patients of the examples of the flagship trial, bases first."""
    top = read_yaml(EXAMPLES.read_text(encoding="utf-8"), EXAMPLES.name)[0].mapping
    cases = {**top["bases"].mapping, **{str(case.mapping["id"].text): case for case in top["examples"].items}}
    return {name: patient_from(_record(name, cases), name, CATALOGUE) for name in cases}


def _record(name: str, cases: Mapping[str, Node]) -> dict[str, object]:
    """An example with all that it builds on: facts left out and added link by link."""
    chain = [cases[name]]
    while "from" in chain[0].mapping:
        chain.insert(0, cases[str(chain[0].mapping["from"].text)])
    entry: dict[str, object] = {"patient": name}
    facts: list[dict[str, object]] = []
    for link in chain:
        without = {part.text for part in link.mapping["without"].items} if "without" in link.mapping else set()
        facts = [fact for fact in facts if not without & {fact.get("kind"), fact.get("id")}]
        if "facts" in link.mapping:
            facts += [plain for part in link.mapping["facts"].items if isinstance(plain := part.plain(), dict)]
        entry |= {key: link.mapping[key].plain() for key in ("born", "sex", "complete") if key in link.mapping}
    return {**entry, "facts": facts}
