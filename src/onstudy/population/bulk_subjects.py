"""Whom a FHIR resource is about: a patient by id or by an identifier, something else, or nobody."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, Raw

from onstudy.population.bulk_elements import MARK, NOTHING, Reference, Resource
from onstudy.population.bulk_identified import Identified
from onstudy.readers.fhir import identifier_pair, named_by
from onstudy.readers.fhir_json import references, resource_type, text
from onstudy.readers.source import decode

PATIENT = "Patient"
_PLAIN = rf"^{PATIENT}/[A-Za-z0-9\-.]+$"
#: In place of a patient's id: something else.
ELSE = ""


def subject_of(resource: Resource) -> str | Identified | None:
    """The patient a resource names, by id or identifier; the reference, given or not, is replaced by a mark.

    None where it names nobody: then it is about the only patient, where there is only one. `ELSE` where it names
    something else: then it is about no patient (`readers/fhir.py`, `_subject`).
    """
    for about in (resource.subject, resource.patient, resource.beneficiary):
        if about is UNSET:
            continue
        if about.reference is not UNSET and about.reference.strip():
            key = patient_named(about.reference)
            _mark(about)
            return ELSE if key is None else key
        identifier = json_of(about.identifier) if about.identifier else {}
        if text(identifier, "value"):
            _mark(about)
            return Identified.of(identifier_pair(identifier))
    return None


def _mark(about: Reference) -> None:
    about.reference, about.display = MARK, UNSET
    about.type = about.identifier = about.coding = about.text = NOTHING


def json_of(raw: Raw) -> Any:
    """What was left undecoded, as the readers decode it."""
    return decode(bytes(raw).decode())


def patient_named(reference: str) -> str | None:
    """The id of the patient that a reference names, as `Index.find` reads it; None for anything else."""
    if reference.startswith("Patient/") and reference.count("/") == 1:
        return reference[8:].strip() or None
    plain = reference.strip().partition("/_history/")[0].rstrip("/")
    if plain.lower().startswith("urn:uuid:"):
        return plain[9:] or None
    parts = plain.split("/")[-2:]
    return parts[1] if len(parts) == 2 and parts[0] == PATIENT else None


def patients_named(references: pa.Array) -> pa.Array:
    """`patient_named` of each; where all are written as references mostly are, all are told at once."""
    if pc.all(pc.match_substring_regex(references, _PLAIN)).as_py() is not False:
        return pc.utf8_slice_codeunits(references, len(PATIENT) + 1)
    return pa.array([patient_named(one) for one in references.to_pylist()], pa.string())


def key_of(node: Any) -> str | Identified | None:
    """The patient that a decoded resource is or names; None and `ELSE` as of `subject_of`."""
    if resource_type(node) == PATIENT:
        return text(node, "id") or None
    pair = named_by(node)
    if pair is not None:
        return Identified.of(pair)
    for key in ("subject", "patient", "beneficiary"):
        for reference in references(node, key):
            return patient_named(reference) or ELSE
    return None
