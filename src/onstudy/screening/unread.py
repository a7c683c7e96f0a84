"""Diagnoses of a record that nobody here knows by their code, beside the questions that one of them may answer.

They are kept and decide nothing. Who is to confirm that there is none of a kind has to look at them first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onstudy.record.absence import ALL
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.record.unread import is_unread_diagnosis, may_be_among
from onstudy.values.codes import ICD10CM, SNOMED

_SHOWN = 4  # named in a sentence before the rest is only counted
_NAMES = {ICD10CM: "ICD-10-CM", SNOMED: "SNOMED CT"}
_WORDLESS = ("", "unmapped", "no code")  # what readers show of a record without words


def unread_diagnoses(facts: Iterable[Fact], catalogue: Catalogue) -> tuple[str, ...]:
    """What the record calls the diagnoses that could not be read, each once; those without a type of record too."""
    return tuple(dict.fromkeys(called(fact) for fact in facts if is_unread_diagnosis(fact, catalogue)))


def beside_absences(assumed: Sequence[str], patient: Patient, catalogue: Catalogue) -> tuple[str, ...]:
    """The same where absences are assumed, of which kinds soever, or diagnoses are declared to be wholly recorded: one
    may be what is taken as absent.
    """
    declared = (cover.kind for cover in patient.coverage)
    absent = bool(assumed) or any(
        kind == ALL or may_be_among(catalogue.kinds.get(kind), catalogue) for kind in declared
    )
    return unread_diagnoses(patient.facts, catalogue) if absent else ()


def called(fact: Fact) -> str:
    """What the record calls a diagnosis that could not be read."""
    system, bar, code = fact.shown.partition("|")
    if bar:
        return f"{_NAMES.get(system, system)} {code}"
    return fact.source if fact.shown in _WORDLESS else fact.shown


def sentence(names: Sequence[str], shown: int = _SHOWN) -> str:
    """How many diagnoses could not be read, and which; "" where all were."""
    if not names:
        return ""
    several = f"{len(names)} diagnoses" if len(names) > 1 else "1 diagnosis"
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{several} in the record could not be read: {'; '.join(names[:shown])}{more}."
