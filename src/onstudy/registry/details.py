"""What a page about one trial shows beside what finding it needs: eligibility, description, arms, outcomes, dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from onstudy.registry.plain import lines, one_line, unescaped
from onstudy.registry.record import SITES
from onstudy.registry.v2 import decode_any

#: The longest texts and lists that are shown; the original is kept whole.
LONGEST, _NAME, _ENTRIES = 200_000, 600, 500


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
class Contact:
    """Somebody to ask; texts as they are written."""

    name: str
    role: str
    phone: str
    email: str
    affiliation: str = ""

    def __bool__(self) -> bool:
        return bool(self.name or self.phone or self.email)


@dataclass(frozen=True, slots=True)
class Details:
    """Texts without the Markdown backslashes, line breaks kept; empty where the record says nothing.

    `criteria` is the eligibility text as it stands in the record, for `outline`. `plain_title` and
    `other_interventions` are of a page that a compiled record was put together from. `site_contacts` are in the
    order of the sites.
    """

    eligibility: str
    criteria: str
    plain_title: str
    other_interventions: str
    enrollment_type: str
    contacts: tuple[Contact, ...]
    officials: tuple[Contact, ...]
    site_contacts: tuple[tuple[Contact, ...], ...]
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

    @property
    def ages(self) -> str:
        """The ages taken, in words: "18 years and older", "6 months to 17 years"; empty where none is stated."""
        low, high = _age(self.minimum_age), _age(self.maximum_age)
        if low and high:
            return f"{low} to {high}"
        return f"{low} and older" if low else f"up to {high}" if high else ""


def _age(text: str) -> str:
    """An age as the registry writes it ("18 Years"), its unit in small letters."""
    return _UNIT.sub(lambda found: found[0].lower(), text)


_UNIT = re.compile(r"\b(?:Year|Month|Week|Day|Hour|Minute)s?\b")


def read_details(raw: bytes) -> Details:
    """Read them out of a record's JSON. Raises `Refused` where it is none; a part of another type is empty."""
    study = _part(decode_any(raw))
    protocol, own = _part(study.get("protocolSection")), _part(study.get("onstudy"))
    module = {name: _part(protocol.get(name)) for name in _MODULES}
    status, design = module["statusModule"], _part(module["designModule"].get("designInfo"))
    people, arms, outcomes = module["eligibilityModule"], module["armsInterventionsModule"], module["outcomesModule"]
    volunteers, places = people.get("healthyVolunteers"), module["contactsLocationsModule"]
    criteria = people.get("eligibilityCriteria")
    return Details(
        eligibility=_long(people, "eligibilityCriteria"),
        criteria=lines(criteria, LONGEST) if isinstance(criteria, str) else "",
        plain_title=_short(own, "page_title"),
        other_interventions=_short(own, "page_interventions"),
        enrollment_type=_short(_part(module["designModule"].get("enrollmentInfo")), "type"),
        contacts=_contacts(places.get("centralContacts")),
        officials=_contacts(places.get("overallOfficials")),
        site_contacts=tuple(_contacts(one.get("contacts")) for one in _parts(places.get("locations"), SITES)),
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
    "descriptionModule", "contactsLocationsModule",
)  # fmt: skip


def _part(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _parts(value: Any, most: int = _ENTRIES) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)][:most] if isinstance(value, list) else []


def _short(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    return unescaped(one_line(value, _NAME)) if isinstance(value, str) else ""


def _long(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    return unescaped(lines(value, LONGEST)) if isinstance(value, str) else ""


def _texts(holder: dict[str, Any], name: str) -> tuple[str, ...]:
    value = holder.get(name)
    if not isinstance(value, list):
        return ()
    return tuple(unescaped(one_line(one, _NAME)) for one in value[:_ENTRIES] if isinstance(one, str))


def _contacts(value: Any) -> tuple[Contact, ...]:
    found = (
        Contact(
            _short(one, "name"),
            _short(one, "role"),
            " ".join(part for part in (_short(one, "phone"), _short(one, "phoneExt")) if part),
            _short(one, "email"),
            _short(one, "affiliation"),
        )
        for one in _parts(value)
    )
    return tuple(dict.fromkeys(one for one in found if one))


def _date(holder: dict[str, Any], name: str) -> str:
    return _short(_part(holder.get(name)), "date")


def _outcomes(holder: dict[str, Any], name: str) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(_short(one, "measure"), _long(one, "description"), _short(one, "timeFrame"))
        for one in _parts(holder.get(name))
    )
