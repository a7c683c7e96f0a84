"""What a recruitment status says, and for how long: a status is a statement with a date, never the present.

A site counts as open only where it and its study can enrol. Where that statement is old, or either status is
unknown, the words are "listed as open on DATE, ask the site"; such a site is never left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from onstudy.values.calendar import DateError, parse_when

UNKNOWN = "UNKNOWN"
#: Statuses under which somebody can be enrolled today.
CAN_ENROL = frozenset({"RECRUITING", "ENROLLING_BY_INVITATION", "AVAILABLE"})
#: The API's own list, with the words for people.
STATUS_WORDS = {
    "RECRUITING": "recruiting",
    "NOT_YET_RECRUITING": "not yet recruiting",
    "ENROLLING_BY_INVITATION": "enrolling by invitation",
    "ACTIVE_NOT_RECRUITING": "active, not recruiting",
    "SUSPENDED": "suspended",
    "TERMINATED": "terminated",
    "COMPLETED": "completed",
    "WITHDRAWN": "withdrawn",
    "AVAILABLE": "available (expanded access)",
    "NO_LONGER_AVAILABLE": "no longer available",
    "TEMPORARILY_NOT_AVAILABLE": "temporarily not available",
    "APPROVED_FOR_MARKETING": "approved for marketing",
    "WITHHELD": "withheld",
    UNKNOWN: "status not known",
}
#: How near a study is to taking somebody: the first key of every ranking.
CAN, MAY, CANNOT = "can", "may", "cannot"
_MAY = frozenset({UNKNOWN, "NOT_YET_RECRUITING", "SUSPENDED", "TEMPORARILY_NOT_AVAILABLE"})
#: What can be said of a site: open; nobody can tell from here; not open.
OPEN, ASK, CLOSED = "open", "ask", "closed"
#: Days after which a status is no longer taken as the present one.
MAX_AGE = 90


@dataclass(frozen=True, slots=True)
class Standing:
    """A status as a statement: the registry's word, the date as written ("2023-10"), and whether that is vague."""

    status: str
    stated: str = ""
    about: bool = False

    def fresh(self, today: date, max_age: int) -> bool:
        """Whether the statement may still be `max_age` days old at most; without a date it is not."""
        last = last_day(self.stated)
        return last is not None and not self.about and last >= today.toordinal() - max_age

    @property
    def dated(self) -> str:
        """The date in a sentence: "on 2023-10-12", "in 2023-10", "about 2021", or nothing."""
        if not self.stated:
            return ""
        if self.about:
            return f"about {self.stated}"
        return f"{'on' if len(self.stated) > 7 else 'in'} {self.stated}"


def standing_of(status: str) -> str:
    """Whether a study of that status can, may or cannot enrol."""
    return CAN if status in CAN_ENROL else MAY if status in _MAY else CANNOT


def hopeful(study: str, site: str) -> bool:
    """Whether somebody may be enrolled there as far as the two statuses say: both can, or are unknown."""
    return (study in CAN_ENROL or study == UNKNOWN) and (site in CAN_ENROL or site == UNKNOWN)


def openness(study: Standing, site: Standing, today: date, max_age: int) -> str:
    """Whether a site is open, cannot be told from here, or is not open."""
    if not hopeful(study.status, site.status):
        return CLOSED
    both = study.status in CAN_ENROL and site.status in CAN_ENROL
    return OPEN if both and study.fresh(today, max_age) and site.fresh(today, max_age) else ASK


def statement(status: str, stated: str) -> Standing:
    """A status with its date as it is kept: "2023-10-12", "2023-10", "about 2021"."""
    return Standing(status, stated.removeprefix("about "), stated.startswith("about "))


def study_words(study: Standing, last_known: Standing, today: date, max_age: int) -> str:
    """A study's status in words, with its date; `last_known` (or a status "") is told where it is unknown."""
    if study.status == UNKNOWN:
        before = f"; last known: {_with_date(status_words(last_known.status), last_known)}" if last_known.status else ""
        return f"status not known{before}"
    if study.status in CAN_ENROL and not study.fresh(today, max_age):
        return _ask(study)
    return _with_date(status_words(study.status), study)


def site_words(study: Standing, site: Standing, today: date, max_age: int) -> str:
    """A site's status in words, with its date; never "open now"."""
    found = openness(study, site, today, max_age)
    if found == OPEN:
        return f"open, as stated {site.dated}"
    if found == ASK:
        if site.status in CAN_ENROL:
            return _ask(site)
        if study.status in CAN_ENROL:
            listed = f"study listed as open {study.dated}".strip()
            return f"{listed}; the status of this site is not stated, ask the site"
        return "status not stated, ask the site"
    if site.status in CAN_ENROL or site.status == UNKNOWN:
        return _with_date(f"study {status_words(study.status)}", study)
    return _with_date(status_words(site.status), site)


def status_words(status: str) -> str:
    """The words for a status; one that is not on the list is shown as it is written."""
    return STATUS_WORDS.get(status, status.lower().replace("_", " "))


def _ask(listed: Standing) -> str:
    return f"listed as open {listed.dated or 'without a date'}, ask the site"


def _with_date(words: str, said: Standing) -> str:
    return f"{words}, as stated {said.dated}" if said.dated else words


@lru_cache(maxsize=8192)
def last_day(stated: str) -> int | None:
    """The last day a written date may mean, as an ordinal; None where it is no date."""
    try:
        last = parse_when(stated).days.high
    except DateError:
        return None
    return None if last is None else int(last)


def older(verified: str, posted: str) -> str:
    """Of two dates of a record the older one: a statement is as old as its last verification, or as its posting."""
    days = [(day, text) for text in (posted, verified) if (day := last_day(text)) is not None]
    return min(days, key=lambda pair: pair[0])[1] if days else ""
