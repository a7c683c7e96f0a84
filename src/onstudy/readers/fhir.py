"""FHIR R4: bundles of any type, single resources, NDJSON; one or several patients, each with its resources.

Read leniently and reported strictly: what is wrong, unknown, entered in error or about nobody known is a
problem of the patients of the source, never an end of the reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from onstudy.errors import Problem
from onstudy.readers.fhir_chart import Chart
from onstudy.readers.fhir_condition import read_condition
from onstudy.readers.fhir_entries import Entry, Index, Source
from onstudy.readers.fhir_json import Json, extension, extensions, flag, items, obj, references, text
from onstudy.readers.fhir_meaning import Vocabulary
from onstudy.readers.fhir_medication import read_medication
from onstudy.readers.fhir_modifier import is_modified, say_shapes, says_other, unsure, well_shaped
from onstudy.readers.fhir_not_taken import read_statement
from onstudy.readers.fhir_observation import read_observation
from onstudy.readers.fhir_own import COVERAGE, PATIENT_ID, is_labelled_test_data
from onstudy.readers.fhir_procedure import read_procedure, read_report, read_specimen
from onstudy.readers.fhir_range import Ranges
from onstudy.readers.fhir_specimen import Specimens
from onstudy.readers.patientfile import coverage_from
from onstudy.readers.reading import clip
from onstudy.readers.source import Content, decode, json_fault, refuse
from onstudy.readers.unrecognised import unrecognised_drugs
from onstudy.record.assemble import make_patient
from onstudy.record.catalogue import Catalogue
from onstudy.record.checks import DECEASED, TEST_DATA
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.values.calendar import UNDATED

#: What is wrong where it cannot be told which of several people a resource is about.
TWICE = "several Patient resources of this id differ: what names that id is used for none of them"
_Read = Callable[[Chart, Entry], list[Fact]]
READ: dict[str, _Read] = {
    "Observation": read_observation,
    "Condition": read_condition,
    "MedicationStatement": read_statement,
    "MedicationRequest": read_medication,
    "MedicationAdministration": read_medication,
    "Procedure": read_procedure,
    "Specimen": read_specimen,
    "DiagnosticReport": read_report,
}
#: Types that hold no facts of a patient: places, people, and what the others refer to.
ADMINISTRATIVE = frozenset(
    "Patient Encounter EpisodeOfCare Organization Practitioner PractitionerRole Location Medication Device "
    "Provenance CareTeam RelatedPerson Group Coverage Account Endpoint HealthcareService OperationOutcome "
    "ResearchStudy ResearchSubject Composition List MessageHeader Parameters".split()
)


def read_fhir(content: Content, catalogue: Catalogue) -> list[Patient]:
    """All patients of one JSON document. Raises `InvalidFile` where there is none."""
    source = Source()
    source.take(content.document, "")
    return _patients(content, source, catalogue)


def read_ndjson(content: Content, catalogue: Catalogue) -> list[Patient]:
    """All patients of a file with a resource a line; a damaged line is a problem, the others are read."""
    source = Source()
    lines = content.text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = decode(line)
        except RecursionError:
            source.problems.append(Problem("the line is nested too deeply", f"{content.name}:{number}"))
        except ValueError as error:
            if number == len(lines):  # no line end behind it: the file itself was cut
                raise refuse(content.path, f"is cut off in its last line, {number}") from None
            what = f"the line is no whole JSON object: {json_fault(error)}"
            source.problems.append(Problem(what, f"{content.name}:{number}"))
        else:
            source.take(document, f"line {number}")
    return _patients(content, source, catalogue)


# Patients and what is about whom --------------------------------------------------------------------------


@dataclass
class _Person:
    entry: Entry
    resources: list[Entry] = field(default_factory=list)
    unread: dict[str, int] = field(default_factory=dict)


_Identified = dict[tuple[str, str], list[_Person]]


def _patients(content: Content, source: Source, catalogue: Catalogue) -> list[Patient]:
    found = patients_of(source, catalogue)
    if not found:
        raise refuse(content.path, "holds no Patient resource, so there is nobody to read")
    return found


def patients_of(source: Source, catalogue: Catalogue) -> list[Patient]:
    """All patients of the resources of a source."""
    source.newest()
    index = Index(source.entries)
    people = _people(source)
    twice = _twice(people)
    _assign(source, index, people, twice)
    vocabulary, specimens = Vocabulary(catalogue), Specimens(source.entries, index, catalogue)
    ranges = Ranges(vocabulary)
    unplaced = [*source.problems, *_outcomes(source)]
    return [
        _patient(
            person,
            [*unplaced, *([Problem(TWICE, person.entry.where)] if person.entry.id in twice else ())],
            Chart(vocabulary, index, specimens, ranges),
        )
        for person in people.values()
    ]


def _people(source: Source) -> dict[int, _Person]:
    """The patients, in order; a contained one counts where no other stands for the same id."""
    return {id(entry): _Person(entry) for entry in people_in(source)}


def people_in(source: Source) -> list[Entry]:
    """The Patient resources of those who are read, in their order."""
    people = [entry for entry in source.entries if entry.type == "Patient" and not entry.beside]
    return [entry for entry in people if entry.container is None] or people


def _twice(people: dict[int, _Person]) -> frozenset[str]:
    """The ids that several patients have."""
    ids = Counter(person.entry.id for person in people.values() if person.entry.id)
    return frozenset(name for name, many in ids.items() if many > 1)


def _assign(source: Source, index: Index, people: dict[int, _Person], twice: frozenset[str]) -> None:
    identified = _by_identifier(people.values())
    for entry in source.entries:
        if entry.type in ADMINISTRATIVE or entry.beside:
            continue
        person = _subject(entry, index, people, identified)
        if entry.type not in READ:
            if person is not None:
                person.unread[entry.type] = person.unread.get(entry.type, 0) + 1
            elif entry.container is None:
                source.problems.append(Problem("a resource of this type is not read", entry.where))
        elif person is None:
            source.problems.append(Problem(f"{_why_nobody(entry, identified, twice)}: not used", entry.where))
        else:
            person.resources.append(entry)


def _by_identifier(people: Iterable[_Person]) -> _Identified:
    """The patients by their identifiers, which are pairs of system and value."""
    found: _Identified = {}
    for person in people:
        for pair in dict.fromkeys(map(identifier_pair, items(person.entry.resource, "identifier"))):
            found.setdefault(pair, []).append(person)
    return found


def identifier_pair(identifier: Json) -> tuple[str, str]:
    """System and value of an identifier, by which it is told from others."""
    return text(identifier, "system"), text(identifier, "value")


def named_by(resource: Json) -> tuple[str, str] | None:
    """The identifier by which a resource names its subject; None where it names it by reference or not at all."""
    for key in ("subject", "patient", "beneficiary"):
        if references(resource, key):
            return None
        identifier = obj(obj(resource, key), "identifier")
        if text(identifier, "value"):
            return identifier_pair(identifier)
    return None


def _why_nobody(entry: Entry, identified: _Identified, twice: frozenset[str]) -> str:
    """Why a resource is about none of the patients of a source."""
    named = (one for key in ("subject", "patient") for one in references(entry.resource, key))
    if any(one.rpartition("/")[2] in twice for one in named):
        return "several patients have the id of its subject"
    pair = named_by(entry.resource)
    if pair is not None and len(identified.get(pair, [])) > 1:
        return "several patients have the identifier of its subject"
    return "its subject is no patient of this source"


def _subject(entry: Entry, index: Index, people: dict[int, _Person], identified: _Identified) -> _Person | None:
    """Whom a resource is about: by reference or identifier; nobody named, the only patient there is."""
    about = entry
    while not _names_subject(about) and about.container is not None:
        about = about.container
    pair = named_by(about.resource)
    if pair is not None:
        named = identified.get(pair, [])
        return named[0] if len(named) == 1 else None
    for key in ("subject", "patient", "beneficiary"):
        for reference in references(about.resource, key):
            target = index.find(reference, about)
            return people.get(id(target)) if target is not None else None
    return next(iter(people.values())) if len(people) == 1 else None


def _names_subject(entry: Entry) -> bool:
    return any(
        references(entry.resource, key) or obj(obj(entry.resource, key), "identifier")
        for key in ("subject", "patient", "beneficiary")
    )


def _outcomes(source: Source) -> list[Problem]:
    """What the server that made a bundle said of it."""
    return [
        Problem(f"the server reported: {clip(text(issue, 'code'), 40) or 'a problem'}", entry.where)
        for entry in source.entries
        if entry.type == "OperationOutcome"
        for issue in items(entry.resource, "issue")
        if text(issue, "severity") in ("fatal", "error", "warning")
    ]


def _patient(person: _Person, unplaced: list[Problem], chart: Chart) -> Patient:
    chart.unread = person.unread
    who = read_person(chart, person.entry)
    facts = [fact for resource in person.resources for fact in read_resource(chart, resource)]
    problems = [*unplaced, *chart.finish()]
    if chart.unrecognised:
        treatment, problem = unrecognised_drugs(chart.unrecognised, chart.catalogue)
        facts.append(treatment)
        problems.append(problem)
    return make_patient(who.id, chart.born, who.sex, facts, who.coverage, problems, chart.catalogue)


@dataclass(frozen=True, slots=True)
class Who:
    """What a Patient resource says of a person; `sex` is "" where it is not known."""

    id: str
    sex: str
    coverage: list[Coverage]


#: Sex at birth in US Core, which writes M and F.
BIRTH_SEX = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex"


def _sex(chart: Chart, entry: Entry) -> str:
    """The sex of a person; "" where that is neither male nor female, or where the sex at birth is another."""
    gender = text(entry.resource, "gender").lower()
    if gender not in ("male", "female"):
        chart.say(entry, "has no gender that is male or female: sex is not known")
        return ""
    born_as = {"M": "male", "F": "female"}.get(text(extension(entry.resource, BIRTH_SEX), "valueCode"), "")
    if born_as and gender != born_as:
        chart.say(entry, "gender and sex at birth differ: sex is not known, check both")
        return ""
    return gender


def read_resource(chart: Chart, entry: Entry) -> list[Fact]:
    """The facts of a resource of a type that is read."""
    facts = READ[entry.type](chart, entry)
    if facts and says_other(chart, entry):
        facts = unsure(chart, entry, facts, "has a modifierExtension, which is not known here")
    return well_shaped(chart, entry, facts)


def read_person(chart: Chart, entry: Entry) -> Who:
    """What a Patient resource says; the date of birth and the sex go into the chart, which needs them."""
    chart.born = chart.date(entry, entry.resource, "birthDate") or UNDATED
    if not chart.born.known and not chart.problems:
        chart.say(entry, "has no birth date")
    if flag(entry.resource, "deceasedBoolean") is True or text(entry.resource, "deceasedDateTime"):
        chart.say(entry, DECEASED)
    if is_labelled_test_data(obj(entry.resource, "meta")):
        chart.say(entry, TEST_DATA)
    chart.sex = _sex(chart, entry)
    if is_modified(entry.resource):
        chart.say(entry, "has a modifierExtension, which is not known here: check what it says of the patient")
    say_shapes(chart, entry)
    return Who(_patient_id(entry), chart.sex, _coverage(chart, entry))


def _patient_id(entry: Entry) -> str:
    """What the patient is called: as the project wrote it, else the logical id, else the first identifier."""
    identifiers = items(entry.resource, "identifier")
    own = [text(i, "value") for i in identifiers if text(i, "system") == PATIENT_ID]
    others = [text(i, "value") for i in identifiers]
    return next((name for found in [*own, entry.id, *others] if (name := clip(found))), "patient")


def _coverage(chart: Chart, entry: Entry) -> list[Coverage]:
    found: list[Coverage] = []
    for part in extensions(entry.resource, COVERAGE):
        stretch: dict[str, str] = {}
        for inner in items(part, "extension"):
            key = text(inner, "url")
            stretch[key] = next((text(inner, f"value{sort}") for sort in ("Code", "Date", "DateTime", "String")
                                 if text(inner, f"value{sort}")), "")  # fmt: skip
        found.extend(coverage_from([stretch], entry.where, chart.catalogue, chart.problems))
    return found
