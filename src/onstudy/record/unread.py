"""Diagnoses of a record that nobody here knows by their code: which facts they are, and of which kinds they may be.

They are kept and decide nothing. Silence beside one of them is no less silence; a "no" that is older than it is over.
"""

from __future__ import annotations

from onstudy.record.catalogue import NONE, Catalogue, Kind
from onstudy.record.patient import Fact

_AGENT = "agent"
#: Types of FHIR resources, as the source of a fact begins, that are no diagnoses.
_OTHERS = frozenset(
    "Observation MedicationStatement MedicationRequest MedicationAdministration Procedure Specimen "
    "DiagnosticReport".split()
)


def is_unread_diagnosis(fact: Fact, catalogue: Catalogue) -> bool:
    """Whether a fact is a diagnosis of a kind that nobody here knows."""
    return fact.kind not in catalogue.kinds and not fact.negative and of_diagnosis(fact.source)


def of_diagnosis(source: str) -> bool:
    """Whether a record is a diagnosis, or is of a file that does not say of what sort its records are."""
    return source.partition("/")[0].partition(" at ")[0] not in _OTHERS


def may_be_among(kind: Kind | None, catalogue: Catalogue) -> bool:
    """Whether a diagnosis could be a record of the kind: it is there or not, and is nothing that was given, judged or
    planned.
    """
    if kind is None or kind.value != NONE or kind.components or kind.attested or kind.planned:
        return False
    return _AGENT not in catalogue.attributes(kind.name)


def may_be_judged(kind: Kind, catalogue: Catalogue) -> bool:
    """Whether a diagnosis could be a record that an attestation of the kind judges."""
    return any(may_be_among(catalogue.kinds[judged.kind], catalogue) for judged in kind.judges)


def tells_when(fact: Fact) -> bool:
    """Whether anything tells that a record may be newer than others: a first day on which it may have begun, or the day
    it was recorded. One entry of a problem list without any date would else end every "no" there ever was.
    """
    return fact.recorded is not None or fact.start.days.low is not None
