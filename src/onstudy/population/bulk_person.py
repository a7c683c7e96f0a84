"""One patient put together of rows and their forms, with the same hands as the reader of files uses.

This is what the arrays of `bulk_assemble` are held to, and the way of every patient they leave out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from onstudy.errors import Problem
from onstudy.population.bulk_forms import Form, PersonForm, Probe, drug_of, fact_of_form, filled, moment
from onstudy.readers.fhir_chart import shared_problems
from onstudy.readers.unrecognised import unrecognised_drugs
from onstudy.record.assemble import coverage_key, make_patient
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.values.calendar import UNDATED, When

#: A record with its form: what stands in its slots, and its dates.
Filled = tuple[Form, Probe, Sequence[When]]


def patient_of_forms(person: Filled, records: Sequence[Filled], catalogue: Catalogue) -> Patient:
    """The patient of a person's record and of all other records, in the order of the source."""
    about, probe, dates = person
    assert about.person is not None, "the first record is that of the person"
    facts: list[Fact] = []
    problems = [_problem(one, probe) for one in about.problems]
    gathered: dict[str, list[str]] = {}
    drugs, unread = [], Counter[str]()
    for form, own, whens in records:
        facts += [fact_of_form(one, own, whens) for one in form.facts]
        problems += [_problem(one, own) for one in form.problems]
        for what, where in form.shared:
            gathered.setdefault(what, []).append(filled(where, own))
        drugs += [drug_of(one, own, whens) for one in form.drugs]
        unread.update(form.unread)
    problems += shared_problems(gathered, unread)
    if drugs:
        treatment, problem = unrecognised_drugs(drugs, catalogue)
        facts.append(treatment)
        problems.append(problem)
    born = moment(about.person.born, dates) or UNDATED
    covered = coverage_of(about.person, probe)
    return make_patient(filled(about.person.id, probe), born, about.person.sex, facts, covered, problems, catalogue)


def coverage_of(form: PersonForm, probe: Probe) -> list[Coverage]:
    """What the record of a person says to be complete."""
    return [Coverage(cover.kind, cover.first, cover.last, filled(where, probe)) for cover, where in form.coverage]


def sorted_coverage(covered: Sequence[Coverage]) -> list[Coverage]:
    """Coverage as a patient has it: each stretch once, in order."""
    return sorted(set(covered), key=coverage_key)


def _problem(form: tuple[object, ...], probe: Probe) -> Problem:
    what, where, kept = form
    return Problem(filled(what, probe), filled(where, probe), bool(kept))  # type: ignore[arg-type]
