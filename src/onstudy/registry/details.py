"""What a page about one trial shows beside what finding it needs: eligibility, description, arms, outcomes, dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onstudy.registry.plain import lines, one_line, unescaped
from onstudy.registry.v2 import decode_any

_LONGEST, _NAME, _ENTRIES = 200_000, 600, 500


@dataclass(frozen=True, slots=True)
class Arm:
    """A group of participants and what they get."""

    label: str
    type: str
    description: str
    interventions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Treatment:
    """An intervention with its description."""

    type: str
    name: str
    description: str
    other_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is measured, how, and when."""

    measure: str
    description: str
    time_frame: str


@dataclass(frozen=True, slots=True)
class Details:
    """Texts without the Markdown backslashes, line breaks kept; empty where the record says nothing."""

    eligibility: str
    minimum_age: str
    maximum_age: str
    healthy_volunteers: bool | None
    description: str
    arms: tuple[Arm, ...]
    treatments: tuple[Treatment, ...]
    primary_outcomes: tuple[Outcome, ...]
    secondary_outcomes: tuple[Outcome, ...]
    allocation: str
    model: str
    masking: str
    purpose: str
    why_stopped: str
    first_posted: str
    start: str
    primary_completion: str
    completion: str


def read_details(raw: bytes) -> Details:
    """Read them out of a record's JSON. Raises `Refused` where it is none; a part of another type is empty."""
    study = decode_any(raw)
    protocol = _part(_part(study).get("protocolSection"))
    module = {name: _part(protocol.get(name)) for name in _MODULES}
    status, design = module["statusModule"], _part(module["designModule"].get("designInfo"))
    people, arms, outcomes = module["eligibilityModule"], module["armsInterventionsModule"], module["outcomesModule"]
    volunteers = people.get("healthyVolunteers")
    return Details(
        eligibility=_long(people, "eligibilityCriteria"),
        minimum_age=_short(people, "minimumAge"),
        maximum_age=_short(people, "maximumAge"),
        healthy_volunteers=volunteers if isinstance(volunteers, bool) else None,
        description=_long(module["descriptionModule"], "detailedDescription"),
        arms=tuple(
            Arm(_short(one, "label"), _short(one, "type"), _long(one, "description"), _texts(one, "interventionNames"))
            for one in _parts(arms.get("armGroups"))
        ),
        treatments=tuple(
            Treatment(_short(one, "type"), _short(one, "name"), _long(one, "description"), _texts(one, "otherNames"))
            for one in _parts(arms.get("interventions"))
        ),
        primary_outcomes=_outcomes(outcomes, "primaryOutcomes"),
        secondary_outcomes=_outcomes(outcomes, "secondaryOutcomes"),
        allocation=_short(design, "allocation"),
        model=_short(design, "interventionModel") or _short(design, "observationalModel"),
        masking=_short(_part(design.get("maskingInfo")), "masking"),
        purpose=_short(design, "primaryPurpose"),
        why_stopped=_short(status, "whyStopped"),
        first_posted=_date(status, "studyFirstPostDateStruct"),
        start=_date(status, "startDateStruct"),
        primary_completion=_date(status, "primaryCompletionDateStruct"),
        completion=_date(status, "completionDateStruct"),
    )


_MODULES = (
    "statusModule", "designModule", "eligibilityModule", "armsInterventionsModule", "outcomesModule",
    "descriptionModule",
)  # fmt: skip


def _part(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _parts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value[:_ENTRIES] if isinstance(one, dict)] if isinstance(value, list) else []


def _short(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    return unescaped(one_line(value, _NAME)) if isinstance(value, str) else ""


def _long(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    return unescaped(lines(value, _LONGEST)) if isinstance(value, str) else ""


def _texts(holder: dict[str, Any], name: str) -> tuple[str, ...]:
    value = holder.get(name)
    if not isinstance(value, list):
        return ()
    return tuple(unescaped(one_line(one, _NAME)) for one in value[:_ENTRIES] if isinstance(one, str))


def _date(holder: dict[str, Any], name: str) -> str:
    return _short(_part(holder.get(name)), "date")


def _outcomes(holder: dict[str, Any], name: str) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(_short(one, "measure"), _long(one, "description"), _short(one, "timeFrame"))
        for one in _parts(holder.get(name))
    )
