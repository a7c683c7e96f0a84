"""What the REST API takes and answers, for its documentation and to refuse what does not fit.

The answers are made elsewhere, as text: `onstudy screen --format json` and `onstudy find --format json` give the same.
"""

from __future__ import annotations

import re
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from onstudy.registry.record import OLDEST
from onstudy.registry.status import STATUS_WORDS

Verdict = Literal["eligible", "eligible_if_confirmed", "undetermined", "ineligible"]
Answer = Literal["met", "not_met", "unknown", "not_applicable"]
_YEAR = "(18[5-9][0-9]|(19|20|21)[0-9]{2})"
_LEAP_YEAR = "(18(5[26]|[68][048]|[79][26])|(19|21)(0[48]|[2468][048]|[13579][26])|20([02468][048]|[13579][26]))"
_DAY = (
    f"({_YEAR}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP_YEAR}-02-29)"
)
#: A date there is, 1850 to 2199, or such a date and a time, with or without an offset.
MOMENT = f"^{_DAY}(T([01][0-9]|2[0-3]):[0-5][0-9](Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?$"
TRIAL_ID = r"^NCT[0-9]{8}$"
NAME = r"^[a-z][a-z0-9_]{0,60}$"

Name = Annotated[str, Field(pattern=NAME)]
Moment = Annotated[str, Field(pattern=MOMENT)]
TrialId = Annotated[str, Field(pattern=TRIAL_ID, examples=["NCT03739814"])]


def _written(day: object) -> object:
    """A day as text; pydantic would take a number for seconds since 1970."""
    if not isinstance(day, str) or re.fullmatch(_DAY, day) is None:
        raise ValueError("no day there is, from 1850 to 2199; write YYYY-MM-DD")
    return day


#: Where pydantic would document a weaker rule than it holds, the document gets the rule itself.
Day = Annotated[
    date,
    BeforeValidator(_written),
    WithJsonSchema({"type": "string", "pattern": f"^{_DAY}$", "examples": ["2026-03-16"]}),
]
_ANCHORS = {"propertyNames": {"pattern": NAME}, "additionalProperties": {"type": "string", "pattern": MOMENT}}


class Closed(BaseModel):
    """What is not named here is refused: a misspelt name would otherwise be passed over."""

    model_config = ConfigDict(extra="forbid")


# Screening -----------------------------------------------------------------------------------------------------


class Ask(Closed):
    """A trial, a patient's record, and the dates."""

    trial: TrialId
    patient: Annotated[
        dict[str, Any],
        Field(
            description="A FHIR R4 resource (a Bundle of any type), or a patient file as an object with the keys "
            "patient, born, sex, complete and facts.",
            examples=[{"patient": "P1", "born": "1955-06-20", "sex": "male", "facts": []}],
        ),
    ]
    on: Annotated[Day | None, Field(description="Registration date; today where it is not given.")] = None
    therapy_start: Annotated[
        Moment | None, Field(description="Planned start of therapy, for trials with that anchor.")
    ] = None
    anchors: Annotated[
        dict[Name, Moment],
        Field(description="Other named moments of the trial.", max_length=20),
        WithJsonSchema({"type": "object", "maxProperties": 20, **_ANCHORS}),
    ] = Field(default_factory=dict)
    assume_complete: Annotated[
        list[Name],
        Field(description="Kinds, or `all`, whose absence is accepted as no.", max_length=300, examples=[["all"]]),
    ] = Field(default_factory=list)
    until: Annotated[Day | None, Field(description="Last registration date looked at; 90 days ahead if not given.")] = (
        None
    )


class Question(BaseModel):
    """What is open: a kind or anchor, for which criteria, why, and how to ask for it."""

    kind: str
    criteria: list[str]
    reasons: list[str]
    ask: str


class Stretch(BaseModel):
    """Registration days with one verdict."""

    model_config = ConfigDict(populate_by_name=True)

    first: Annotated[date, Field(alias="from")]
    to: date
    verdict: Verdict
    if_confirmed: Verdict


class CohortAnswer(BaseModel):
    """How one cohort stands."""

    id: str
    verdict: Verdict
    deciding: list[str]
    to_confirm: list[Question]
    to_do: list[Question]
    missing: list[Question]
    settled_by: list[list[str]]
    windows: list[Stretch]
    earliest: date | None
    earliest_if_confirmed: date | None


class Evidence(BaseModel):
    """A record a status rests on."""

    kind: str
    when: str
    value: str | None
    source: str


class CriterionAnswer(BaseModel):
    """One criterion for this patient."""

    id: str
    step: str | None
    cohort: str | None
    severity: Literal["required", "warning", "information"]
    text: str
    rule: str | None
    status: Answer
    if_confirmed: Answer
    reasons: list[str]
    because: str
    near: str | None
    clears_on: date | None
    holds_until: date | None
    evidence: list[Evidence]


class RecordProblem(BaseModel):
    """What could not be used of the record."""

    what: str
    where: str
    fact_kept: bool


class Screened(BaseModel):
    """One patient screened for one trial: what `onstudy screen --format json` prints."""

    trial: str
    trial_version: str
    patient: str
    on: date
    as_known_on: date | None
    anchors: dict[str, str | None]
    assumed_complete: list[str]
    defaults_used: list[str]
    cohorts: list[CohortAnswer]
    criteria: list[CriterionAnswer]
    problems: list[RecordProblem]


# Finding --------------------------------------------------------------------------------------------------------


class Sex(str, Enum):
    """Whose sex a trial must admit."""

    FEMALE = "female"
    MALE = "male"


class Phase(str, Enum):
    """A phase as `onstudy find` takes it."""

    EARLY = "early1"
    ONE = "1"
    TWO = "2"
    THREE = "3"
    FOUR = "4"
    NOT_APPLICABLE = "NA"

    @property
    def value_in_registry(self) -> str:
        """The registry's word."""
        if self is Phase.EARLY:
            return "EARLY_PHASE1"
        return "NA" if self is Phase.NOT_APPLICABLE else f"PHASE{self.value}"


class StudyType(str, Enum):
    """What kind of study."""

    INTERVENTIONAL = "interventional"
    OBSERVATIONAL = "observational"
    EXPANDED_ACCESS = "expanded_access"


class AgeGroup(str, Enum):
    """People of whom a trial takes some: under 18, 18 to 64, 65 and over."""

    CHILD = "child"
    ADULT = "adult"
    OLDER_ADULT = "older_adult"


class InterventionType(str, Enum):
    """What kind of thing is given or done."""

    BEHAVIORAL = "behavioral"
    BIOLOGICAL = "biological"
    COMBINATION_PRODUCT = "combination_product"
    DEVICE = "device"
    DIAGNOSTIC_TEST = "diagnostic_test"
    DIETARY_SUPPLEMENT = "dietary_supplement"
    DRUG = "drug"
    GENETIC = "genetic"
    PROCEDURE = "procedure"
    RADIATION = "radiation"
    OTHER = "other"


class SponsorClass(str, Enum):
    """What kind of body the lead sponsor is, in the registry's words."""

    NIH = "nih"
    FED = "fed"
    OTHER_GOV = "other_gov"
    INDUSTRY = "industry"
    NETWORK = "network"
    INDIV = "indiv"
    OTHER = "other"
    AMBIG = "ambig"
    UNKNOWN = "unknown"


class Sort(str, Enum):
    """The order of the trials."""

    BEST = "best"
    DISTANCE = "distance"
    NEWEST = "newest"


Status = Enum("Status", {name: name.lower() for name in STATUS_WORDS}, type=str)  # type: ignore[misc]

Words = Annotated[str, Field(max_length=200)]


class Search(Closed):
    """The parameters of `onstudy find`."""

    words: Annotated[Words, Field(description="In title, condition, treatment, keywords, summary.")] = ""
    condition: Annotated[Words, Field(description="In conditions and keywords.")] = ""
    intervention: Annotated[Words, Field(description="In the treatments.")] = ""
    sponsor: Annotated[Words, Field(description="In the sponsor's name.")] = ""
    id: Annotated[list[TrialId], Field(max_length=200)] = Field(default_factory=list)
    age: Annotated[int | None, Field(ge=0, le=OLDEST, description="Completed years.")] = None
    sex: Sex | None = None
    zip: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9]{5}(-[0-9]{4})?$", description="ZIP code (United States) to measure from. Not with city."
        ),
    ] = None
    city: Annotated[
        str | None,
        Field(max_length=200, description="City to measure distances from: `Odense`, `Springfield, IL`. Not with zip."),
    ] = None
    within: Annotated[
        float | None, Field(gt=0, lt=20_000, description="Miles around zip or city, one of which it needs.")
    ] = None
    open: Annotated[bool, Field(description="Only trials with a site that is or may be open.")] = False
    phase: Annotated[list[Phase], Field(max_length=6)] = Field(default_factory=list)
    status: Annotated[list[Status], Field(max_length=20)] = Field(default_factory=list)
    country: Annotated[list[Words], Field(max_length=50)] = Field(default_factory=list)
    type: Annotated[list[StudyType], Field(max_length=3)] = Field(default_factory=list)
    age_group: Annotated[list[AgeGroup], Field(max_length=3, description="Under 18, 18 to 64, 65 and over.")] = Field(
        default_factory=list
    )
    intervention_type: Annotated[
        list[InterventionType], Field(max_length=11, description="What kind of treatment is tested.")
    ] = Field(default_factory=list)
    sponsor_class: Annotated[
        list[SponsorClass], Field(max_length=9, description="What kind of body the lead sponsor is.")
    ] = Field(default_factory=list)
    sort: Annotated[Sort, Field(description="`distance` needs zip or city.")] = Sort.BEST
    page: Annotated[int, Field(ge=1, le=100_000)] = 1
    size: Annotated[int, Field(ge=1, le=1000)] = 20
    facets: Annotated[bool, Field(description="Add how many trials each filter would leave.")] = False
    status_age: Annotated[int | None, Field(ge=0, le=36_500, description="Days a status counts as present.")] = None


class NearestSite(BaseModel):
    """The nearest site that is or may be open."""

    name: str | None
    city: str | None
    miles: float | None
    status: str
    status_date: str | None


class FoundTrial(BaseModel):
    """A trial of the registry."""

    nct_id: str
    title: str
    status: str
    status_date: str | None
    phase: str | None
    nearest_site: NearestSite | None


class Found(BaseModel):
    """A page of trials: what `onstudy find --format json` prints."""

    total: int
    trials: list[FoundTrial]
    facets: dict[str, dict[str, int]] | None = None


# Trials -----------------------------------------------------------------------------------------------------------


class CriterionText(BaseModel):
    """One criterion of a trial file."""

    id: str
    step: str | None
    cohort: str | None
    severity: Literal["required", "warning", "information"]
    text: str
    rule: str | None
    note: str


class Part(BaseModel):
    """A step or a cohort."""

    id: str
    title: str


class TrialFile(BaseModel):
    """What a patient can be screened for."""

    version: str
    title: str
    anchors: dict[str, str]
    steps: list[Part]
    cohorts: list[Part]
    criteria: list[CriterionText]


class TrialPage(BaseModel):
    """A trial: what the registry says of it, and its trial file where there is one."""

    nct_id: str
    title: str
    status: str | None
    status_date: str | None
    phase: str | None
    link: str
    trial_file: TrialFile | None


class TrialList(BaseModel):
    """The trials that have a trial file."""

    trials: list[Annotated[dict[str, Any], Field(description="nct_id, version, title, cohorts, criteria (how many)")]]
