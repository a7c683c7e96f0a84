"""What the page of one trial says, put together from its registry record: the same parts for every trial.

Nothing is written here that the record does not state. What editors wrote is in `editorial`, sites are in `places`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from onstudy.registry.details import LONGEST, Details, read_details
from onstudy.registry.outline import Block, outline
from onstudy.registry.places import in_order
from onstudy.registry.plain import unescaped
from onstudy.registry.record import Record, Site, read_record
from onstudy.registry.results import facet_words, link, phase_words
from onstudy.registry.status import CAN_ENROL, openness, statement, study_words

_SENTENCE = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[\"“(]?[A-Z0-9])")
#: What ends with a full stop and ends no sentence.
_SHORT = re.compile(r"(?:\b(?:e\.g|i\.e|vs|cf|approx|Dr|Prof|Mr|Mrs|St|No|Inc|Ltd|Co|Fig|et al|ca|U\.S|U\.K|[A-Z])\.)$")
#: The words of schema.org (MedicalStudyStatus) for the registry's statuses.
_SCHEMA_STATUS = {
    "RECRUITING": "Recruiting", "NOT_YET_RECRUITING": "NotYetRecruiting", "COMPLETED": "Completed",
    "ENROLLING_BY_INVITATION": "EnrollingByInvitation", "ACTIVE_NOT_RECRUITING": "ActiveNotRecruiting",
    "SUSPENDED": "Suspended", "TERMINATED": "Terminated", "WITHDRAWN": "Withdrawn",
}  # fmt: skip
_SCHEMA_PLACES = 100
_SPONSOR_CLASSES = {
    "NIH": "part of the U.S. National Institutes of Health (NIH)",
    "FED": "an agency of the U.S. federal government",
}


@dataclass(frozen=True)
class TrialPage:
    """A registry record as a page tells it; `origin` as the store keeps it (`store.SHIPPED` and so on)."""

    record: Record
    details: Details
    origin: str

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The sites, in the order of the record."""
        return self.record.sites

    @property
    def title(self) -> str:
        """The plain title: that of the page a compiled record comes from, else the record's brief title."""
        return self.details.plain_title or unescaped(self.record.title)

    @property
    def official_title(self) -> str:
        """The official title, where it is another."""
        official = unescaped(self.record.official_title)
        return "" if official == self.title else official

    @property
    def phases(self) -> str:
        """The phases in words: "phase 1, phase 2"; empty where none is stated."""
        return ", ".join(phase_words(one) for one in self.record.phases)

    @property
    def summary(self) -> str:
        """What the record says the trial studies, in paragraphs."""
        return unescaped(self.record.summary)

    @cached_property
    def first_sentence(self) -> str:
        """The first sentence of the summary, as it is written."""
        return first_sentence(self.summary)

    @property
    def link(self) -> str:
        """The registry's own page."""
        return link(self.record.nct_id)

    @cached_property
    def criteria(self) -> list[Block]:
        """The eligibility text with its nesting."""
        return outline(self.details.criteria)

    @property
    def criteria_cut(self) -> bool:
        """Whether the eligibility text is longer than what is shown of it."""
        return len(self.details.criteria) >= LONGEST

    @property
    def enrollment(self) -> str:
        """How many take part: "84 (estimated)"."""
        if self.record.enrollment is None:
            return "not stated"
        kind = self.details.enrollment_type.lower()
        return f"{self.record.enrollment:,}{f' ({kind})' if kind else ''}"

    @property
    def ages(self) -> str:
        """The ages taken: "18 years and older", "6 months to 17 years"."""
        return self.details.ages or "no limit stated"

    @property
    def sex(self) -> str:
        """Who may take part by sex: All, Female, Male."""
        return self.record.sex.capitalize() or "not stated"

    @property
    def study_type(self) -> str:
        """Interventional, Observational, Expanded access."""
        return self.record.type.replace("_", " ").capitalize() or "not stated"

    @property
    def sponsor(self) -> str:
        """The sponsor with its class: "Amgen (industry)", "National Cancer Institute (NCI), part of the ...".

        A class is no second bracket behind an acronym in brackets.
        """
        name, kind = self.record.sponsor or "not stated", self.record.sponsor_class
        if kind in _SPONSOR_CLASSES:
            return f"{name}, {_SPONSOR_CLASSES[kind]}"
        return f"{name} ({facet_words('sponsor_class', kind)})" if kind else name

    @property
    def sites_known(self) -> int:
        """How many sites there are, whether or not they are listed."""
        own = self.record.compiled
        return own.sites_total if own is not None and own.sites_total is not None else len(self.record.locations)

    @cached_property
    def locations_words(self) -> str:
        """The first town and how many others: "Birmingham, Alabama and 273 other locations"; empty without a site."""
        count = self.sites_known
        site = min(self.sites, key=in_order, default=None)
        town = ", ".join(part for part in (site.city, site.state or site.country) if part) if site else ""
        others = f"{count - 1:,} other location{'' if count == 2 else 's'}" if count > 1 else ""
        return " and ".join(part for part in (town, others) if part)

    @property
    def sites_words(self) -> str:
        """How many sites, and where: "274 sites (Birmingham, Alabama and 273 other locations)"."""
        if not self.sites_known:
            return "no site is listed"
        number = "1 site" if self.sites_known == 1 else f"{self.sites_known:,} sites"
        return f"{number} ({self.locations_words})" if self.locations_words else number

    def status_words(self, today: date, max_age: int) -> str:
        """The study's status as a statement with its date."""
        last = statement(self.record.last_known, self.record.last_stated)
        return study_words(self.record.standing, last, today, max_age)

    def schema_org(self, url: str, today: date, max_age: int) -> dict[str, Any]:
        """The trial as a schema.org `MedicalTrial`. A status is stated only while it is young enough to be present."""
        record = self.record
        found: dict[str, Any] = {
            "@context": "https://schema.org",
            "@type": "MedicalTrial",
            "name": self.title,
            "alternateName": self.official_title,
            "identifier": record.nct_id,
            "url": url,
            "sameAs": self.link,
            "description": self.first_sentence,
            "phase": self.phases,
            "sponsor": {"@type": "Organization", "name": record.sponsor} if record.sponsor else None,
            "healthCondition": [{"@type": "MedicalCondition", "name": name} for name in record.conditions],
            "studyLocation": [
                {"@type": "AdministrativeArea", "name": name}
                for name in list(dict.fromkeys(
                    ", ".join(part for part in (site.city, site.state, site.country) if part) for site in self.sites
                ))[:_SCHEMA_PLACES]
            ],
            "status": self._schema_status(today, max_age),
            "dateModified": record.updated,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value}

    def _schema_status(self, today: date, max_age: int) -> str:
        standing = self.record.standing
        word = _SCHEMA_STATUS.get(standing.status, "")
        if not word or (standing.status in CAN_ENROL and openness(standing, standing, today, max_age) != "open"):
            return ""
        return f"https://schema.org/{word}"


def page_of(raw: bytes, origin: str) -> TrialPage:
    """Read a record for its page. Raises `Refused` where the JSON is none."""
    return TrialPage(read_record(raw), read_details(raw), origin)


def first_sentence(text: str) -> str:
    """The first sentence of a text; all of it where it is one."""
    paragraph = text.strip().partition("\n\n")[0].replace("\n", " ")
    for found in _SENTENCE.finditer(paragraph):
        if not _SHORT.search(paragraph[: found.start()]):
            return paragraph[: found.start()].strip() + _closing(found[0])
    return paragraph


def _closing(text: str) -> str:
    """Quotes and brackets that end a sentence."""
    return text.strip()
