"""A record as a FHIR R4 bundle that reads back to the same facts, whatever they are.

Diagnoses are written as Condition, drugs as MedicationStatement, procedures as Procedure, samples sent as
Specimen, everything else as Observation. Each has the project's own code and, where a code seen in a public
source (status V) says exactly the same, that one first. The same record gives the same bundle.
"""

from __future__ import annotations

import uuid
import zlib

from onstudy.readers.dates import over
from onstudy.readers.fhir_json import is_id
from onstudy.readers.fhir_own import (
    ABSENT_REASON,
    CONDITION_CLINICAL,
    CONDITION_VERIFICATION,
    COVERAGE,
    FACT_ID,
    ONGOING,
    PATIENT_ID,
    SAMPLE,
    SUSPECTED,
    TEST_DATA_LABEL,
)
from onstudy.readers.fhir_write_parts import (
    Json,
    attribute_extensions,
    code_of,
    dated,
    is_gender,
    member_name,
    own_coding,
    period,
    recorded_extension,
    set_value,
    value_concept,
    value_limits,
)
from onstudy.readers.reading import OTHER, PENDING
from onstudy.readers.statement import UNMAPPED
from onstudy.readers.timing import unsaid_end
from onstudy.record.assemble import order, stated
from onstudy.record.catalogue import MOMENT, NONE, PERIOD, STATE, Catalogue, Kind, load_catalogue
from onstudy.record.checks import is_test_data
from onstudy.record.patient import Coverage, Fact, Patient, Value
from onstudy.record.unread import of_diagnosis
from onstudy.values.calendar import show_day
from onstudy.values.codes import ICD10CM, SNOMED

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://onstudy.dev/fhir/")
_TREATMENT, _TRANSPLANT, _AGENT = "treatment", "hematopoietic_transplant", "agent"
_PROCEDURES = frozenset(
    "bilateral_oophorectomy bone_marrow_aspiration echocardiography hematopoietic_transplant hysterectomy "
    "lumbar_puncture testicular_imaging".split()
)


def to_bundle(patient: Patient, catalogue: Catalogue | None = None) -> Json:
    """The record as a FHIR R4 Bundle of type collection, the Patient first."""
    known = catalogue or load_catalogue()
    facts = sorted(stated(patient, known), key=order)
    gender = next((fact for fact in facts if is_gender(fact)), None)
    resources = [_patient(patient, gender)]
    subject = {"reference": f"urn:uuid:{_uuid(patient.id, resources[0])}"}
    taken: set[str] = set()
    for number, fact in enumerate(fact for fact in facts if fact is not gender):
        resource = _Writer(fact, known, subject).resource()
        resource["id"] = _resource_id(fact, resource, number, taken)
        resources.append({"resourceType": resource.pop("resourceType"), "id": resource.pop("id"), **resource})
    entries = [{"fullUrl": f"urn:uuid:{_uuid(patient.id, r)}", "resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _uuid(patient_id: str, resource: Json) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, f"{patient_id}/{resource['resourceType']}/{resource['id']}")


def _resource_id(fact: Fact, resource: Json, number: int, taken: set[str]) -> str:
    """The logical id: the one the fact was read from, else a number, with the fact's id as identifier."""
    kind, _, name = fact.id.partition("/")
    if kind == resource["resourceType"] and is_id(name) and name not in taken:
        taken.add(name)
        return name
    resource["identifier"] = [{"system": FACT_ID, "value": fact.id}]
    name = f"fact-{number}"
    while name in taken:
        name = f"{name}-{zlib.crc32(fact.id.encode()):x}"
    taken.add(name)
    return name


def _patient(patient: Patient, gender: Fact | None) -> Json:
    named = is_id(patient.id)
    resource: Json = {
        "resourceType": "Patient",
        "id": patient.id if named else f"patient-{zlib.crc32(patient.id.encode('utf-8', 'replace')):08x}",
    }
    if is_test_data(patient.problems):
        resource["meta"] = {"security": [dict(TEST_DATA_LABEL)]}
    extensions = [_coverage(cover) for cover in patient.coverage]
    if extensions:
        resource["extension"] = extensions
    if not named:
        resource["identifier"] = [{"system": PATIENT_ID, "value": patient.id}]
    if gender is not None and isinstance(gender.value, frozenset):
        resource["gender"] = next(iter(gender.value))
    if patient.born.known:
        resource.update(dated("birthDate", patient.born, date_only=True))
    return resource


def _coverage(cover: Coverage) -> Json:
    parts: list[Json] = [{"url": "kind", "valueCode": cover.kind}]
    for name, day in (("from", cover.first), ("to", cover.last)):
        if day is not None:
            parts.append({"url": name, "valueDate": show_day(day)})
    return {"url": COVERAGE, "extension": parts}


class _Writer:
    """One fact being written."""

    def __init__(self, fact: Fact, catalogue: Catalogue, subject: Json) -> None:
        self.fact, self.catalogue, self.subject = fact, catalogue, subject
        self.kind = catalogue.kinds.get(fact.kind)
        self.attributes: dict[str, Value] = dict(fact.attributes)
        self.extensions: list[Json] = []

    def resource(self) -> Json:
        """The resource of the fact, in the type that suits its kind."""
        fact, kind = self.fact, self.kind
        if kind is None:
            return self.unmapped()
        if fact.negative or fact.lacks is not None or kind.value != NONE or kind.components:
            return self.observation(kind)
        if kind.name == _TREATMENT and not self.is_procedure():
            return self.medication(kind)
        if _AGENT in self.catalogue.attributes(kind.name) and kind.name != _TREATMENT:
            return self.medication(kind)
        if kind.name in _PROCEDURES or kind.name == _TREATMENT:
            return self.procedure(kind)
        if kind.by_study and kind.extent == MOMENT and fact.start.known:  # without a day it would be none that was sent
            return self.specimen(kind)
        if is_diagnosis(kind):
            return self.condition(kind)
        return self.observation(kind)

    def is_procedure(self) -> bool:
        """Whether what was given is a procedure: its code, or a group's, is one of SNOMED CT."""
        values = self.catalogue.codes_of(_TREATMENT, _AGENT)
        name = member_name(values, self.attributes.get(_AGENT)) if values is not None else None
        waiting = [name] if name else []
        while waiting and values is not None:
            member = values.members.get(waiting.pop() or "")
            if member is not None:
                if any(use.code.system == SNOMED for use in member.codes):
                    return True
                waiting.extend(member.parents)
        return False

    def unmapped(self) -> Json:
        """A record the catalogue does not know: its words only, as a diagnosis where it may be one."""
        code = {"coding": [own_coding(UNMAPPED)], "text": self.fact.shown}
        if of_diagnosis(self.fact.source):
            resource = {"resourceType": "Condition", "code": code, "subject": self.subject}
            return self.closed(resource | dated("onsetDateTime", self.fact.start))
        resource = {"resourceType": "Observation", "status": "final", "code": code, "subject": self.subject}
        resource.update(dated("effectiveDateTime", self.fact.start))
        return self.closed(resource)

    def closed(self, resource: Json) -> Json:
        """The resource with its extensions: attributes not yet said, day of record, suspicion."""
        if self.kind is not None:
            self.extensions += attribute_extensions(self.kind, self.attributes, self.catalogue)
        if self.fact.recorded is not None and "recorded" not in self.done:
            self.extensions.append(recorded_extension(self.fact.recorded))
        if not self.fact.certain and resource["resourceType"] != "Condition":
            self.extensions.append({"url": SUSPECTED, "valueBoolean": True})
        if self.extensions:
            resource["extension"] = self.extensions
        return resource

    done: frozenset[str] = frozenset()

    def code(self) -> Json:
        """The concept of the fact's kind."""
        assert self.kind is not None
        return code_of(self.kind, self.fact, self.catalogue)

    # Observation ------------------------------------------------------------------------------------------

    def observation(self, kind: Kind) -> Json:
        """A result, an attestation, a "no": anything without a type of its own."""
        fact = self.fact
        awaited = fact.lacks == PENDING and all(part.lacks is not None for part in fact.parts.values())
        status = "registered" if awaited else "final"
        resource: Json = {
            "resourceType": "Observation",
            "status": status,
            "code": self.code(),
            "subject": self.subject,
        }
        resource.update(self.effective(kind))
        if fact.narrowed is not None:
            self.attributes = {fact.narrowed[0]: fact.narrowed[1]}
        if fact.parts:
            resource["component"] = [self.component(part) for _, part in sorted(fact.parts.items())]
        if fact.lacks is not None:
            resource["dataAbsentReason"] = absent(fact.lacks)
        elif kind.value == NONE and not fact.parts:
            resource["valueBoolean"] = not fact.negative
        elif not fact.parts:
            self.extensions += set_value(resource, kind, fact.value, self.catalogue)
        resource.update(value_limits(kind, fact))
        if fact.sample is not None:
            resource["specimen"] = {"identifier": {"system": SAMPLE, "value": fact.sample}}
        return self.closed(resource)

    def effective(self, kind: Kind) -> Json:
        """When it was: a moment, or a period where it has two ends."""
        fact = self.fact
        if fact.negative:
            if not fact.start.known:
                return dated("effectiveDateTime", fact.end) if fact.end is not None else {}
            return period("effectivePeriod", fact.start, fact.end)
        if fact.ongoing:
            self.extensions.append({"url": ONGOING, "valueBoolean": True})
        if kind.extent in (MOMENT, STATE) or fact.start == fact.end:
            return dated("effectiveDateTime", fact.start)
        return period("effectivePeriod", fact.start, None if unsaid_end(fact.start, fact.end) else fact.end)

    def component(self, part: Fact) -> Json:
        """A part of a composite."""
        kind = self.catalogue.kinds[part.kind]
        found: Json = {"code": code_of(kind, part, self.catalogue)}
        extensions: list[Json] = []
        if part.lacks is not None:
            found["dataAbsentReason"] = absent(part.lacks)
        else:
            extensions += set_value(found, kind, part.value, self.catalogue)
        found.update(value_limits(kind, part))
        if part.recorded is not None and part.recorded != self.fact.recorded:
            extensions.append(recorded_extension(part.recorded))
        if extensions:
            found["extension"] = extensions
        return found

    # The other types --------------------------------------------------------------------------------------

    def condition(self, kind: Kind) -> Json:
        """A diagnosis with onset and, for a period, its end."""
        fact = self.fact
        verified = "confirmed" if fact.certain else "provisional"
        resource: Json = {"resourceType": "Condition"}
        ended = fact.end is not None and not unsaid_end(fact.start, fact.end)
        if fact.ongoing or (kind.extent == PERIOD and ended):
            resource["clinicalStatus"] = _concept(CONDITION_CLINICAL, "active" if fact.ongoing else "resolved")
        if fact.ongoing and not fact.start.known and fact.recorded is None:
            self.extensions.append({"url": ONGOING, "valueBoolean": True})
        resource["verificationStatus"] = _concept(CONDITION_VERIFICATION, verified)
        resource["code"] = self.code()
        resource["subject"] = self.subject
        resource.update(dated("onsetDateTime", fact.start))
        if kind.extent == PERIOD and ended and fact.end is not None:
            resource.update(dated("abatementDateTime", fact.end))
        if fact.recorded is not None:
            resource.update(dated("recordedDate", fact.recorded))
            self.done = frozenset({"recorded"})
        return self.closed(resource)

    def medication(self, kind: Kind) -> Json:
        """A drug: its agent as its code, route and reason in their own elements."""
        fact = self.fact
        unsaid = unsaid_end(fact.start, fact.end)
        resource: Json = {
            "resourceType": "MedicationStatement",
            "status": "active" if fact.ongoing else "unknown" if unsaid or self.is_planned() else "completed",
            "medicationCodeableConcept": self.agent(kind),
            "subject": self.subject,
        }
        resource.update(self.exposure_dates("effective", unsaid))
        if fact.recorded is not None:
            resource.update(dated("dateAsserted", fact.recorded))
            self.done = frozenset({"recorded"})
        resource.update(self.reason(kind))
        if (route := self.said("route")) is not None:
            resource["dosage"] = [{"route": route}]
        return self.closed(resource)

    def is_planned(self) -> bool:
        """Whether the end was still to come on the day of record, so that it was not over then."""
        recorded, end = self.fact.recorded, self.fact.end
        return recorded is not None and end is not None and over(end, recorded)

    def exposure_dates(self, prefix: str, unsaid: bool) -> Json:
        """One day, or from when to when as far as it is known."""
        fact = self.fact
        if fact.start == fact.end and fact.start.known:
            return dated(f"{prefix}DateTime", fact.start)
        return period(f"{prefix}Period", fact.start, None if unsaid else fact.end)

    def agent(self, kind: Kind) -> Json:
        """The agent of a treatment where it is one, said by its codes; else the kind itself.

        A kind such as an antiviral therapy has its own code alone: its drug's would be a treatment as well.
        """
        concept = self.said(_AGENT) if kind.name == _TREATMENT else None
        if concept is not None:
            return concept
        shown = {"text": self.fact.shown} if self.fact.shown else {}
        return {"coding": [own_coding(kind.name, kind.label)], **shown}

    def said(self, name: str) -> Json | None:
        """An attribute as a concept, taken from those that go into extensions; None where it is not one code of a drug,
        a route or a reason, as "other" is none.
        """
        assert self.kind is not None
        values = self.catalogue.codes_of(self.kind.name, name)
        if values is None or name not in self.attributes:
            return None
        alone = name == _AGENT  # a drug's code may also name a kind of its own
        concept = value_concept(values, self.attributes[name], self.catalogue, alone)
        if concept is not None and self.attributes[name] != values.meaning(OTHER):
            del self.attributes[name]
            return concept
        return None

    def reason(self, kind: Kind) -> Json:
        """What it was given for."""
        concept = self.said("intent")
        return {"reasonCode": [concept]} if concept is not None else {}

    def procedure(self, kind: Kind) -> Json:
        """Something done: a transplant, a puncture, radiotherapy."""
        fact = self.fact
        unsaid = kind.extent == PERIOD and unsaid_end(fact.start, fact.end)
        resource: Json = {
            "resourceType": "Procedure",
            "status": "in-progress" if fact.ongoing else "unknown" if unsaid else "completed",
            "code": self.agent(kind) if kind.name == _TREATMENT else self.code(),
            "subject": self.subject,
        }
        if kind.extent == PERIOD:
            resource.update(self.exposure_dates("performed", unsaid))
        else:
            resource.update(dated("performedDateTime", fact.start))
        resource.update(self.reason(kind))
        return self.closed(resource)

    def specimen(self, kind: Kind) -> Json:
        """A sample that was sent, on the day it was."""
        resource: Json = {"resourceType": "Specimen", "type": self.code(), "subject": self.subject}
        resource.update(dated("receivedTime", self.fact.start))
        return self.closed(resource)


def is_diagnosis(kind: Kind) -> bool:
    """Whether facts of a kind are diagnoses: conditions that are there or not, at a time or over one."""
    if kind.value != NONE or kind.extent == STATE or kind.name in (_TREATMENT, _TRANSPLANT) or kind.components:
        return False
    return kind.assumable or any(use.code.system == ICD10CM for use in kind.codes)


def absent(lacks: str) -> Json:
    """Why there is no value: HL7's word and the project's."""
    word = "temp-unknown" if lacks == PENDING else "unknown"
    return {"coding": [{"system": ABSENT_REASON, "code": word}, own_coding(lacks)]}


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}
